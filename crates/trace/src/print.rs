//! The text form of a trace, written. [`crate::parse`] reads it back; the round trip is exact.
//!
//! ```text
//! trace side tree 4 locals 3 top 4      # `root` or `side` is for people; `tree` is left out if there is none
//! entry 1=v2, 2=v1 stale                # entry slots; `stale`: memory does not hold the value
//! owned v1 1                            # references owned from the start
//! inherited 3=v0                        # parameter 3 of the tree's loop is v0 here
//!   v0: int = param
//!   v1: object = param
//!   v2: object = sunk box_int v0        # not emitted; made by the exits that need it
//!   v3: object = load_slot 0            # inputs first, then the immediate
//!   guard_type v3, 0x1000 @s0           # `@`: the snapshot that an exit restores
//!   loop
//!   v6: float = phi v9                  # params and phis say their kind, for the others the table does
//!   ...
//! end loop v5, v6                       # or: end link 3 v1, v2 | end exit s4
//! params v6 float 2, v3 object 1 type 0x1000, v4 object 0, v5 int 1, v7 field 4+16, v0 invariant
//! slice v3, v4                          # LoopParams and their sources, the loop's slice, the synced slots
//! synced 1, 2
//! f1: caller f0 function v3 code 0x2000 return 12
//! s0: [f0 ip=10 top=4 1=v2 3=v1] [f1 ip=3 top=2 0=v3] store v7+16=v6 reason poll
//! ```
//!
//! A snapshot's reason is left out if it is `guard-failed`. `#` starts a comment. `-` is a value, snapshot or frame
//! that is not there. Floats are shortest decimals, or `bits 0x...` for a NaN.

use crate::ir::{End, FrameId, InlinedKind, Inst, ParamSource, SnapshotId, Trace, ValueId};
use serigraph_uops::{Immediate, Reason, Uop};
use std::fmt::{self, Display, Formatter, Write};

impl Display for Trace {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write_header(self, f)?;
        for i in 0..self.insts.len() {
            writeln!(
                f,
                "  {}",
                InstText {
                    trace: self,
                    value: ValueId(i as u32)
                }
            )?;
        }
        write_end(self, f)?;
        for (i, frame) in self.inlined.iter().enumerate() {
            writeln!(
                f,
                "{}: caller {} function {} code {:#x} return {}{}{}",
                FrameId(i as u32 + 1),
                frame.caller,
                frame.function,
                frame.code,
                frame.return_ip,
                if frame.kind == InlinedKind::Call {
                    ""
                } else {
                    " "
                },
                frame.kind.word()
            )?;
        }
        for i in 0..self.snapshots.len() {
            let id = SnapshotId(i as u32);
            writeln!(
                f,
                "{id}: {}",
                SnapshotText {
                    trace: self,
                    snapshot: id
                }
            )?;
        }
        Ok(())
    }
}

/// One instruction as text, without indentation: `v5: int = int_add_imm v4, 1 @s1`.
pub struct InstText<'a> {
    /// The trace it is in.
    pub trace: &'a Trace,
    /// Which one.
    pub value: ValueId,
}

impl Display for InstText<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let inst = self.trace.inst(self.value);
        if inst.has_value() {
            write!(f, "{}: {} = ", self.value, inst.kind.name())?;
        }
        write_operation(inst, f)
    }
}

/// A snapshot as text, without its name: `[f0 ip=10 top=3 1=v4]`.
pub struct SnapshotText<'a> {
    /// The trace it is in.
    pub trace: &'a Trace,
    /// Which one.
    pub snapshot: SnapshotId,
}

impl Display for SnapshotText<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let trace = self.trace;
        for (i, frame) in trace.frames(self.snapshot).iter().enumerate() {
            write!(
                f,
                "{}[{} ip={} top={}",
                if i > 0 { " " } else { "" },
                frame.frame,
                frame.ip,
                frame.top
            )?;
            for slot in trace.slots(frame) {
                write!(f, " {}={}", slot.slot, slot.value)?;
            }
            f.write_char(']')?;
        }
        for (i, store) in trace.stores(self.snapshot).iter().enumerate() {
            let word = if i == 0 { " store" } else { "," };
            write!(
                f,
                "{word} {}+{}={}",
                store.object, store.offset, store.value
            )?;
        }
        let reason = trace.snapshots[self.snapshot.index()].reason;
        if reason != Reason::GuardFailed {
            write!(f, " reason {}", reason.name())?;
        }
        Ok(())
    }
}

fn write_header(trace: &Trace, f: &mut Formatter<'_>) -> fmt::Result {
    let side = trace.tree != u32::MAX
        || !trace.entry_slots.is_empty()
        || !trace.entry_owned.is_empty()
        || trace.insts.first().is_some_and(|i| i.uop == Uop::Param);
    f.write_str(if side { "trace side" } else { "trace root" })?;
    if trace.tree != u32::MAX {
        write!(f, " tree {}", trace.tree)?;
    }
    writeln!(f, " locals {} top {}", trace.locals, trace.entry_top)?;
    write_list(f, "entry", &trace.entry_slots, |f, e| {
        write!(
            f,
            "{}={}{}",
            e.slot,
            e.value,
            if e.synced { "" } else { " stale" }
        )
    })?;
    write_list(f, "owned", &trace.entry_owned, |f, (value, count)| {
        write!(f, "{value} {count}")
    })?;
    write_list(f, "inherited", &trace.inherited, |f, i| {
        write!(f, "{}={}", i.param, i.value)
    })
}

/// A line `word a, b, c`, or nothing if there are no items.
fn write_list<T>(
    f: &mut Formatter<'_>,
    word: &str,
    items: &[T],
    mut write_item: impl FnMut(&mut Formatter<'_>, &T) -> fmt::Result,
) -> fmt::Result {
    if items.is_empty() {
        return Ok(());
    }
    f.write_str(word)?;
    for (i, item) in items.iter().enumerate() {
        f.write_str(if i == 0 { " " } else { ", " })?;
        write_item(f, item)?;
    }
    f.write_char('\n')
}

fn write_operation(inst: &Inst, f: &mut Formatter<'_>) -> fmt::Result {
    if inst.sunk {
        f.write_str("sunk ")?;
    }
    f.write_str(inst.uop.name())?;
    let mut separator = " ";
    for input in inst.inputs() {
        write!(f, "{separator}{input}")?;
        separator = ", ";
    }
    if inst.uop.info().immediate != Immediate::None {
        f.write_str(separator)?;
        write_immediate(f, inst.uop.info().immediate, inst.imm)?;
    }
    if inst.snapshot.is_some() {
        write!(f, " @{}", inst.snapshot)?;
    }
    Ok(())
}

fn write_immediate(f: &mut Formatter<'_>, immediate: Immediate, bits: u64) -> fmt::Result {
    match immediate {
        Immediate::None => Ok(()),
        Immediate::Int32 | Immediate::Word64 | Immediate::Offset => write!(f, "{}", bits as i64),
        Immediate::Float64 => {
            let value = f64::from_bits(bits);
            if value.is_nan() {
                write!(f, "bits {bits:#x}")
            } else {
                write!(f, "{value:?}")
            }
        }
        Immediate::Pointer => write!(f, "{bits:#x}"),
        Immediate::Helper
        | Immediate::Slot
        | Immediate::ArgIndex
        | Immediate::FrameWord
        | Immediate::ArgCount => {
            write!(f, "{bits}")
        }
    }
}

fn write_end(trace: &Trace, f: &mut Formatter<'_>) -> fmt::Result {
    match &trace.end {
        End::Loop(args) => {
            f.write_str("end loop")?;
            write_values(f, args)?;
        }
        End::Link { target, args } => {
            write!(f, "end link {target}")?;
            write_values(f, args)?;
        }
        End::Enter { target } => write!(f, "end enter {target}")?,
        End::Exit(snapshot) => write!(f, "end exit {snapshot}")?,
    }
    f.write_char('\n')?;
    write_list(f, "params", &trace.loop_params, |f, param| {
        write!(f, "{} ", param.value)?;
        match param.source {
            ParamSource::SlotObject {
                slot,
                type_address: 0,
            } => write!(f, "object {slot}"),
            ParamSource::SlotObject { slot, type_address } => {
                write!(f, "object {slot} type {type_address:#x}")
            }
            ParamSource::SlotInt(slot) => write!(f, "int {slot}"),
            ParamSource::SlotFloat(slot) => write!(f, "float {slot}"),
            ParamSource::SlotBool(slot) => write!(f, "bool {slot}"),
            ParamSource::IterField { slot, offset } => write!(f, "field {slot}+{offset}"),
            ParamSource::Invariant => f.write_str("invariant"),
        }
    })?;
    write_list(f, "slice", &trace.loop_slice, |f, value| {
        write!(f, "{value}")
    })?;
    write_list(f, "synced", &trace.loop_synced, |f, slot| {
        write!(f, "{slot}")
    })
}

fn write_values(f: &mut Formatter<'_>, values: &[ValueId]) -> fmt::Result {
    for (i, value) in values.iter().enumerate() {
        write!(f, "{}{value}", if i == 0 { " " } else { ", " })?;
    }
    Ok(())
}
