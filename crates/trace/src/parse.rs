//! The text form of a trace, read. The form is described at [`crate::print`].
//!
//! Value names need not be consecutive: `v7:` names the instruction of its line, whichever number that has. A name that
//! no line defines is taken as the number of an instruction, so that a broken trace can be printed and read back for
//! the verifier to judge.

use crate::ir::{
    End, EntrySlot, FrameId, FrameState, Inherited, InlinedFrame, InlinedKind, Inst, LoopParam,
    ParamSource, PendingStore, SlotValue, Snapshot, SnapshotId, Trace, ValueId,
};
use serigraph_uops::{Immediate, Kind, Reason, Uop};
use std::collections::HashMap;
use std::fmt;

/// What is wrong with a text, and where.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ParseError {
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
    /// What was expected or is wrong.
    pub message: String,
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "line {}, column {}: {}",
            self.line, self.column, self.message
        )
    }
}

impl std::error::Error for ParseError {}

type Result<T> = std::result::Result<T, ParseError>;

/// Reads one trace.
pub fn parse(text: &str) -> Result<Trace> {
    let lines: Vec<(usize, &str)> = text
        .lines()
        .enumerate()
        .map(|(i, line)| (i + 1, line.split('#').next().unwrap_or("").trim_end()))
        .filter(|(_, line)| !line.trim().is_empty())
        .collect();
    let names = name_values(&lines)?;
    let mut parser = Parser {
        trace: Trace::new(0, 0),
        names: &names,
        seen_header: false,
        seen_end: false,
    };
    for &(number, text) in &lines {
        let mut line = Line {
            number,
            text,
            at: 0,
        };
        parser.line(&mut line)?;
    }
    let last = lines.last().map_or(1, |l| l.0);
    let missing = |what: &str| ParseError {
        line: last,
        column: 1,
        message: format!("the trace has no `{what}` line"),
    };
    if !parser.seen_header {
        return Err(missing("trace"));
    }
    if !parser.seen_end {
        return Err(missing("end"));
    }
    Ok(parser.trace)
}

/// What kind of line starts with this word, if it is not an instruction.
fn is_directive(word: &str) -> bool {
    matches!(
        word,
        "trace" | "entry" | "owned" | "inherited" | "end" | "params" | "slice" | "synced"
    )
}

fn prefixed(word: &str, prefix: char) -> Option<u32> {
    word.strip_prefix(prefix)
        .and_then(|digits| digits.parse().ok())
}

/// Finds which instruction each value name stands for.
fn name_values(lines: &[(usize, &str)]) -> Result<HashMap<u32, ValueId>> {
    let mut names = HashMap::new();
    let mut count = 0;
    for &(number, text) in lines {
        let mut line = Line {
            number,
            text,
            at: 0,
        };
        let column = line.column();
        let word = line.peek_word();
        let named = text.trim_start()[word.len()..].starts_with(':');
        if is_directive(word) || (named && prefixed(word, 'v').is_none()) {
            continue;
        }
        if named
            && let Some(name) = prefixed(word, 'v')
            && names.insert(name, ValueId(count)).is_some()
        {
            return Err(ParseError {
                line: number,
                column,
                message: format!("v{name} is defined twice"),
            });
        }
        count += 1;
    }
    Ok(names)
}

struct Parser<'a> {
    trace: Trace,
    names: &'a HashMap<u32, ValueId>,
    seen_header: bool,
    seen_end: bool,
}

impl Parser<'_> {
    fn line(&mut self, line: &mut Line<'_>) -> Result<()> {
        let word = line.peek_word();
        if !self.seen_header && word != "trace" {
            return Err(line.error("a trace begins with `trace root` or `trace side`"));
        }
        match word {
            "trace" => self.header(line)?,
            "entry" => {
                line.word();
                while line.more() {
                    let slot = line.u32()?;
                    line.expect('=')?;
                    let value = self.value(line)?;
                    let synced = !line.eat_word("stale");
                    self.trace.entry_slots.push(EntrySlot {
                        slot,
                        value,
                        synced,
                    });
                }
            }
            "owned" => {
                line.word();
                while line.more() {
                    let value = self.value(line)?;
                    let count = line.u32()?;
                    self.trace.entry_owned.push((value, count));
                }
            }
            "inherited" => {
                line.word();
                while line.more() {
                    let param = line.u32()?;
                    line.expect('=')?;
                    let value = self.value(line)?;
                    self.trace.inherited.push(Inherited { param, value });
                }
            }
            "end" => self.end(line)?,
            "params" => {
                line.word();
                while line.more() {
                    let param = self.loop_param(line)?;
                    self.trace.loop_params.push(param);
                }
            }
            "slice" => {
                line.word();
                self.trace.loop_slice = self.values(line)?;
            }
            "synced" => {
                line.word();
                while line.more() {
                    let slot = line.u32()?;
                    self.trace.loop_synced.push(slot);
                }
            }
            _ => match (line.is_label(), word.chars().next()) {
                (true, Some('s')) => self.snapshot(line)?,
                (true, Some('f')) => self.inlined(line)?,
                _ => self.inst(line)?,
            },
        }
        line.finish()
    }

    fn header(&mut self, line: &mut Line<'_>) -> Result<()> {
        if self.seen_header {
            return Err(line.error("a second `trace` line"));
        }
        self.seen_header = true;
        line.word();
        if !line.eat_word("root") && !line.eat_word("side") {
            return Err(line.error("expected `root` or `side`"));
        }
        while !line.at_end() {
            if line.eat_word("tree") {
                self.trace.tree = line.u32()?;
            } else if line.eat_word("locals") {
                self.trace.locals = line.u32()?;
            } else if line.eat_word("top") {
                self.trace.entry_top = line.u32()?;
            } else {
                return Err(line.error("expected `tree`, `locals` or `top`"));
            }
        }
        Ok(())
    }

    fn value(&self, line: &mut Line<'_>) -> Result<ValueId> {
        if line.eat('-') {
            return Ok(ValueId::NONE);
        }
        let name = line.prefixed('v', "a value")?;
        Ok(self.names.get(&name).copied().unwrap_or(ValueId(name)))
    }

    /// Values separated by commas, to the end of the line.
    fn values(&self, line: &mut Line<'_>) -> Result<Vec<ValueId>> {
        let mut values = Vec::new();
        while line.more() {
            values.push(self.value(line)?);
        }
        Ok(values)
    }

    fn inst(&mut self, line: &mut Line<'_>) -> Result<()> {
        if self.seen_end {
            return Err(line.error("an instruction after the end of the trace"));
        }
        let mut kind = None;
        let start = line.column();
        if line.is_label() {
            line.prefixed('v', "a value")?;
            line.expect(':')?;
            kind = Some(line.kind()?);
            line.expect('=')?;
        }
        let sunk = line.eat_word("sunk");
        let column = line.column();
        let name = line.word();
        let Some(uop) = Uop::from_name(name) else {
            return Err(line.error_at(column, format!("there is no uop `{name}`")));
        };
        let info = uop.info();
        if kind.is_some() != info.output.is_some() {
            let text = if kind.is_some() {
                "has no result"
            } else {
                "has a result, which needs a name"
            };
            return Err(line.error_at(start, format!("{name} {text}")));
        }
        let mut inst = Inst::new(uop, &[], 0, SnapshotId::NONE);
        inst.kind = kind.unwrap_or(inst.kind);
        inst.sunk = sunk;
        let mut first = true;
        for slot in 0..info.inputs.len() {
            if !std::mem::take(&mut first) {
                line.expect(',')?;
            }
            inst.args[slot] = self.value(line)?;
        }
        if info.immediate != Immediate::None {
            if !first {
                line.expect(',')?;
            }
            inst.imm = line.immediate(info.immediate)?;
        }
        if line.eat('@') {
            inst.snapshot = line.snapshot()?;
        }
        let value = self.trace.push(inst);
        if uop == Uop::LoopStart {
            self.trace.loop_start = Some(value);
        }
        Ok(())
    }

    fn end(&mut self, line: &mut Line<'_>) -> Result<()> {
        if self.seen_end {
            return Err(line.error("a second `end` line"));
        }
        self.seen_end = true;
        line.word();
        self.trace.end = if line.eat_word("loop") {
            End::Loop(self.values(line)?)
        } else if line.eat_word("link") {
            let target = line.u32()?;
            End::Link {
                target,
                args: self.values(line)?,
            }
        } else if line.eat_word("enter") {
            End::Enter {
                target: line.u32()?,
            }
        } else if line.eat_word("exit") {
            End::Exit(line.snapshot()?)
        } else {
            return Err(line.error("expected `loop`, `link`, `enter` or `exit`"));
        };
        Ok(())
    }

    fn loop_param(&self, line: &mut Line<'_>) -> Result<LoopParam> {
        let value = self.value(line)?;
        let source = if line.eat_word("object") {
            let slot = line.u32()?;
            let type_address = if line.eat_word("type") {
                line.u64()?
            } else {
                0
            };
            ParamSource::SlotObject { slot, type_address }
        } else if line.eat_word("int") {
            ParamSource::SlotInt(line.u32()?)
        } else if line.eat_word("float") {
            ParamSource::SlotFloat(line.u32()?)
        } else if line.eat_word("bool") {
            ParamSource::SlotBool(line.u32()?)
        } else if line.eat_word("field") {
            let slot = line.u32()?;
            line.expect('+')?;
            ParamSource::IterField {
                slot,
                offset: line.u32()?,
            }
        } else if line.eat_word("invariant") {
            ParamSource::Invariant
        } else {
            return Err(
                line.error("expected `object`, `int`, `float`, `bool`, `field` or `invariant`")
            );
        };
        Ok(LoopParam { value, source })
    }

    fn inlined(&mut self, line: &mut Line<'_>) -> Result<()> {
        let column = line.column();
        let frame = line.frame()?;
        if frame.0 as usize != self.trace.inlined.len() + 1 {
            let wanted = FrameId(self.trace.inlined.len() as u32 + 1);
            return Err(line.error_at(
                column,
                format!("inlined frames are numbered in order: expected {wanted}"),
            ));
        }
        line.expect(':')?;
        line.expect_word("caller")?;
        let caller = line.frame()?;
        line.expect_word("function")?;
        let function = self.value(line)?;
        line.expect_word("code")?;
        let code = line.u64()?;
        line.expect_word("return")?;
        let return_ip = line.u32()?;
        let kind = InlinedKind::NAMED
            .into_iter()
            .find(|kind| line.eat_word(kind.word()))
            .unwrap_or_default();
        self.trace.inlined.push(InlinedFrame {
            caller,
            function,
            code,
            return_ip,
            kind,
        });
        Ok(())
    }

    fn snapshot(&mut self, line: &mut Line<'_>) -> Result<()> {
        let column = line.column();
        let id = line.snapshot()?;
        let trace = &mut self.trace;
        if id.0 as usize != trace.snapshots.len() {
            let wanted = SnapshotId(trace.snapshots.len() as u32);
            return Err(line.error_at(
                column,
                format!("snapshots are numbered in order: expected {wanted}"),
            ));
        }
        line.expect(':')?;
        let mut snapshot = Snapshot {
            first: trace.frame_states.len() as u32,
            count: 0,
            first_store: trace.pending_stores.len() as u32,
            store_count: 0,
            reason: Reason::GuardFailed,
        };
        while line.eat('[') {
            let frame = line.frame()?;
            line.expect_word("ip")?;
            line.expect('=')?;
            let ip = line.u32()?;
            line.expect_word("top")?;
            line.expect('=')?;
            let top = line.u32()?;
            let first = self.trace.slot_values.len() as u32;
            while !line.eat(']') {
                let slot = line.u32()?;
                line.expect('=')?;
                let value = self.value(line)?;
                self.trace.slot_values.push(SlotValue { slot, value });
            }
            let count = self.trace.slot_values.len() as u32 - first;
            self.trace.frame_states.push(FrameState {
                frame,
                ip,
                top,
                first,
                count,
            });
            snapshot.count += 1;
        }
        if line.eat_word("store") {
            loop {
                let object = self.value(line)?;
                line.expect('+')?;
                let offset = line.u32()?;
                line.expect('=')?;
                let value = self.value(line)?;
                self.trace.pending_stores.push(PendingStore {
                    object,
                    offset,
                    value,
                });
                snapshot.store_count += 1;
                if !line.eat(',') {
                    break;
                }
            }
        }
        if line.eat_word("reason") {
            let column = line.column();
            let name = line.word();
            snapshot.reason = Reason::ALL
                .iter()
                .copied()
                .find(|reason| reason.name() == name)
                .ok_or_else(|| line.error_at(column, format!("there is no reason `{name}`")))?;
        }
        self.trace.snapshots.push(snapshot);
        Ok(())
    }
}

/// A cursor in one line.
struct Line<'a> {
    number: usize,
    text: &'a str,
    at: usize,
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.')
}

impl<'a> Line<'a> {
    fn skip_space(&mut self) {
        let rest = &self.text[self.at..];
        self.at += rest.len() - rest.trim_start().len();
    }
    fn column(&mut self) -> usize {
        self.skip_space();
        self.text[..self.at].chars().count() + 1
    }
    fn error(&mut self, message: impl Into<String>) -> ParseError {
        let column = self.column();
        self.error_at(column, message)
    }
    fn error_at(&self, column: usize, message: impl Into<String>) -> ParseError {
        ParseError {
            line: self.number,
            column,
            message: message.into(),
        }
    }
    fn at_end(&mut self) -> bool {
        self.skip_space();
        self.at == self.text.len()
    }
    fn finish(&mut self) -> Result<()> {
        if self.at_end() {
            Ok(())
        } else {
            Err(self.error("expected the end of the line"))
        }
    }
    /// Whether a list goes on: skips the comma between items.
    fn more(&mut self) -> bool {
        self.eat(',');
        !self.at_end()
    }
    fn eat(&mut self, c: char) -> bool {
        self.skip_space();
        let found = self.text[self.at..].starts_with(c);
        if found {
            self.at += c.len_utf8();
        }
        found
    }
    fn expect(&mut self, c: char) -> Result<()> {
        if self.eat(c) {
            Ok(())
        } else {
            Err(self.error(format!("expected `{c}`")))
        }
    }
    fn peek_word(&mut self) -> &'a str {
        self.skip_space();
        let rest = &self.text[self.at..];
        &rest[..rest.find(|c| !is_word(c)).unwrap_or(rest.len())]
    }
    fn word(&mut self) -> &'a str {
        let word = self.peek_word();
        self.at += word.len();
        word
    }
    fn eat_word(&mut self, wanted: &str) -> bool {
        let found = self.peek_word() == wanted;
        if found {
            self.at += wanted.len();
        }
        found
    }
    fn expect_word(&mut self, wanted: &str) -> Result<()> {
        if self.eat_word(wanted) {
            Ok(())
        } else {
            Err(self.error(format!("expected `{wanted}`")))
        }
    }
    /// Whether the line starts with a name and a colon.
    fn is_label(&mut self) -> bool {
        let word = self.peek_word();
        self.text[self.at + word.len()..]
            .trim_start()
            .starts_with(':')
    }
    fn prefixed(&mut self, prefix: char, what: &str) -> Result<u32> {
        match prefixed(self.peek_word(), prefix) {
            Some(number) => {
                self.word();
                Ok(number)
            }
            None => Err(self.error(format!("expected {what} (`{prefix}` and a number)"))),
        }
    }
    fn snapshot(&mut self) -> Result<SnapshotId> {
        if self.eat('-') {
            return Ok(SnapshotId::NONE);
        }
        self.prefixed('s', "a snapshot").map(SnapshotId)
    }
    fn frame(&mut self) -> Result<FrameId> {
        if self.eat('-') {
            return Ok(FrameId::NONE);
        }
        self.prefixed('f', "a frame").map(FrameId)
    }
    fn kind(&mut self) -> Result<Kind> {
        for kind in [Kind::Int, Kind::Float, Kind::Object] {
            if self.eat_word(kind.name()) {
                return Ok(kind);
            }
        }
        Err(self.error("expected `int`, `float` or `object`"))
    }
    fn number<T>(&mut self, what: &str, read: impl FnOnce(&str) -> Option<T>) -> Result<T> {
        match read(self.peek_word()) {
            Some(number) => {
                self.word();
                Ok(number)
            }
            None => Err(self.error(format!("expected {what}"))),
        }
    }
    fn u32(&mut self) -> Result<u32> {
        self.number("a number that fits 32 bits", |w| w.parse().ok())
    }
    fn u64(&mut self) -> Result<u64> {
        self.number("a number, such as 0x1000", read_u64)
    }
    fn immediate(&mut self, immediate: Immediate) -> Result<u64> {
        match immediate {
            Immediate::Int32 | Immediate::Offset => self
                .number("an integer that fits 32 bits", |w| {
                    w.parse::<i32>().ok().map(|v| v as i64 as u64)
                }),
            Immediate::Word64 => self.number("an integer that fits 64 bits", |w| {
                w.parse::<i64>()
                    .ok()
                    .map(|v| v as u64)
                    .or_else(|| read_u64(w))
            }),
            Immediate::Float64 if self.eat_word("bits") => self.u64(),
            Immediate::Float64 => {
                self.number("a float", |w| w.parse::<f64>().ok().map(f64::to_bits))
            }
            _ => self.u64(),
        }
    }
}

fn read_u64(word: &str) -> Option<u64> {
    match word.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16).ok(),
        None => word.parse().ok(),
    }
}
