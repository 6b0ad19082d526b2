//! Ends a recorded trace that has come to the header of another trace with a jump to that trace's beginning.
//!
//! ```text
//!   ...                                     ...
//! end exit s9                         =>    store_slot v8, v20, 5          # the operand stack
//!                                         end enter 4
//! ```
//!
//! A root trace finds everything in the slots of f0, as at an entry from the interpreter. So this is the way where a
//! [link](crate::link) to its loop cannot be, since the trace has no loop of its own, or the loop's numbers would have to be
//! somebody's objects; and where each turn that a link takes would be made again for each of many links.

use crate::ir::{End, Inst, SnapshotId, Trace, ValueId};
use crate::ownership::{self, State};
use serigraph_uops::{Reason, Uop};

/// Ends `trace`, whose [`End::Exit`] is the state at the header where `target` begins.
pub fn enter(trace: &mut Trace, target_number: u32, target: &Trace) -> Result<(), Reason> {
    let End::Exit(header) = trace.end else {
        return Err(Reason::NotLooping);
    };
    if header.is_none() || trace.frames(header).len() != 1 {
        return Err(Reason::NotLooping);
    }
    fill_stack(trace, header, target)?;
    trace.end = End::Enter {
        target: target_number,
    };
    Ok(())
}

/// Puts the operand stack into memory, where the target looks for it.
pub(crate) fn fill_stack(
    trace: &mut Trace,
    header: SnapshotId,
    target: &Trace,
) -> Result<(), Reason> {
    let state = trace.frames(header)[0];
    let (locals, top) = (trace.locals, state.top);
    if top != target.entry_top || locals != target.locals {
        return Err(Reason::NotLooping);
    }
    let memory = State::at(trace, trace.insts.len()).map_err(|_| Reason::VerifierFailed)?;
    let mut given: Vec<ValueId> = Vec::new();
    for slot in locals..top {
        let mut in_memory = match trace.entry_slots.iter().find(|e| e.slot == slot) {
            Some(entry) => entry.synced,
            None => slot < trace.entry_top,
        };
        for inst in trace.insts.iter().filter(|i| i.imm == u64::from(slot)) {
            match inst.uop {
                Uop::TakeSlot => in_memory = false,
                Uop::StoreSlot | Uop::SyncSlot => in_memory = true,
                _ => {}
            }
        }
        if !in_memory {
            let known: Option<ValueId> = (trace.slots(&state).iter())
                .find(|s| s.slot == slot)
                .map(|s| s.value);
            let value = known.ok_or(Reason::NotLooping)?;
            let plain = |uop, args: &[ValueId], imm| Inst::new(uop, args, imm, SnapshotId::NONE);
            // The recorder pushes what is immortal without taking a reference.
            let owned = memory.owned(value).max(0) as usize;
            let is_null = ownership::is_null(trace.inst(value)) || memory.is_null(value);
            if !is_null && given.iter().filter(|g| **g == value).count() >= owned {
                trace.push(plain(Uop::IncRef, &[value], 0));
            }
            given.push(value);
            let null = trace.push(plain(Uop::ConstObject, &[], 0));
            trace.push(plain(Uop::StoreSlot, &[value, null], slot.into()));
        }
    }
    Ok(())
}
