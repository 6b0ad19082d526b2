//! The text form of an allocation: `SERIGRAPH_DUMP=regalloc`, and what file tests compare.
//!
//! ```text
//!   v2: int = unbox_int v0 @s0            ; r1 = r0 | exit v0=r0
//!         r1 -> [0]
//!   loop                                  ; v4=r0 v2=r1+[0]
//! ```
//!
//! After the semicolon stand the result's register, the inputs' and, behind a bar, where the exit finds its values. Moves
//! stand on lines of their own; `x` are float registers, `[0]` is a spill slot.

use super::{Allocation, Edit, Location};
use crate::ir::{End, Trace, ValueId};
use crate::print::InstText;
use serigraph_uops::{Kind, Uop};
use std::fmt::Write;

/// The column of the semicolons.
const COLUMN: usize = 52;

/// The trace's instructions with their registers, moves and exits.
pub fn dump(trace: &Trace, allocation: &Allocation) -> String {
    let mut out = String::new();
    let mut edits = allocation.edits.iter().peekable();
    for i in 0..=trace.insts.len() {
        while let Some((_, edit)) = edits.next_if(|e| e.0 as usize <= i) {
            write_edit(&mut out, edit);
        }
        let Some(inst) = trace.insts.get(i) else {
            break;
        };
        let v = ValueId(i as u32);
        let mut notes = String::new();
        if let Some(regs) = allocation.regs.get(i) {
            if regs.result.is_some() {
                let _ = write!(notes, "{} = ", regs.result);
            }
            let inputs: Vec<String> = regs
                .inputs
                .iter()
                .filter(|r| r.is_some())
                .map(|r| r.to_string())
                .collect();
            notes.push_str(&inputs.join(", "));
        }
        if inst.uop == Uop::LoopStart {
            notes.push_str(&values(&allocation.loop_state));
        }
        write_exit(&mut notes, allocation, v);
        line(
            &mut out,
            &InstText { trace, value: v }.to_string(),
            notes.trim_end(),
        );
    }
    for edit in &allocation.end_edits {
        write_edit(&mut out, edit);
    }
    let mut notes = String::new();
    write_exit(&mut notes, allocation, ValueId(trace.insts.len() as u32));
    let end = match &trace.end {
        End::Loop(args) => format!("end loop {}", list(args)),
        End::Enter { target } => format!("end enter {target}"),
        End::Link { target, args } => format!("end link {target} {}", list(args)),
        End::Exit(snapshot) => format!("end exit {snapshot}"),
    };
    line(&mut out, end.trim_end(), notes.trim_end());
    out
}

fn line(out: &mut String, text: &str, notes: &str) {
    let _ = match notes {
        "" => writeln!(out, "  {text}"),
        _ => writeln!(out, "  {text:COLUMN$}; {notes}"),
    };
}

fn list(args: &[ValueId]) -> String {
    args.iter()
        .map(|v| v.to_string())
        .collect::<Vec<_>>()
        .join(", ")
}

fn values(list: &[(ValueId, Location)]) -> String {
    list.iter()
        .map(|(v, location)| format!("{v}={location}"))
        .collect::<Vec<_>>()
        .join(" ")
}

fn write_exit(notes: &mut String, allocation: &Allocation, inst: ValueId) {
    if let Some(exit) = allocation.exit_of(inst) {
        let separator = if notes.is_empty() { "" } else { " | " };
        let _ = write!(
            notes,
            "{separator}exit {}",
            values(allocation.exit_values(exit))
        );
    }
}

fn write_edit(out: &mut String, edit: &Edit) {
    let _ = match edit {
        Edit::Move { from, to } => writeln!(out, "        {from} -> {to}"),
        Edit::Constant {
            kind: Kind::Float,
            bits,
            to,
        } => writeln!(out, "        {:?} -> {to}", f64::from_bits(*bits)),
        Edit::Constant {
            kind: Kind::Int,
            bits,
            to,
        } => writeln!(out, "        {} -> {to}", *bits as i64),
        Edit::Constant {
            kind: Kind::Object,
            bits,
            to,
        } => writeln!(out, "        {bits:#x} -> {to}"),
    };
}
