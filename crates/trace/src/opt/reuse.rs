//! Puts a float into a list in the box that it displaces, if at run time nobody but the list has that.
//!
//! ```text
//! v7 = float_add v6, v5                  v7 = float_add v6, v5
//! v8 = box_float v7 @s2                  v8 = sunk box_float v7              # for the exits in between
//! guard_int_below v3, v2 @s3      =>     guard_int_below v3, v2 @s3
//! v9 = list_exchange v1, v3, v8          list_set_float v1, v3, v7 @s2
//! decref_plain v9
//! ```
//!
//! A box may be overwritten when its count is 1 and that reference is the list's. Then no slot, no other container and no
//! code outside holds it, and no value of the trace stands for it that is still needed: what the trace borrowed from a list it has
//! given up before an item changes, or has a counted reference to (see [`super::refcount`]), and item loads are
//! not forwarded past a store to an item. Raw values that were loaded from the box before are in registers.
//!
//! The new float is never an object of its own before it is in the list, so nothing else may need the box: no
//! slot, no other container, no exit after the store.

use super::Work;
use super::types::HostTypes;
use crate::ir::{End, Inst, SnapshotId, Trace, ValueId};
use serigraph_uops::{Effects, Exit, Uop};

/// Runs the pass.
pub(super) fn run(work: &mut Work, types: &HostTypes) {
    let trace = &work.trace;
    if !trace.insts.iter().any(|i| i.uop == Uop::ListExchange) {
        return;
    }
    let uses = Uses::new(trace);
    let found: Vec<Store> = (0..trace.insts.len())
        .filter(|&at| trace.insts[at].uop == Uop::ListExchange)
        .filter(|&at| work.facts[at].type_address == types.float)
        .filter_map(|at| uses.store(trace, at))
        .collect();
    for store in found {
        let insts = &mut work.trace.insts;
        let [items, index, boxed] = insts[store.at].args;
        let made = &mut insts[boxed.index()];
        let raw = made.args[0];
        let snapshot = std::mem::replace(&mut made.snapshot, SnapshotId::NONE);
        made.sunk = true;
        insts[store.at] = Inst::new(Uop::ListSetFloat, &[items, index, raw], 0, snapshot);
        insts[store.release] = Inst::new(Uop::Nop, &[], 0, SnapshotId::NONE);
    }
}

/// An exchange that can become a store of the raw value.
struct Store {
    at: usize,
    /// Where what it displaces is released.
    release: usize,
}

/// Where values are used.
struct Uses {
    /// How often as an input, or at the end.
    inputs: Vec<u32>,
    /// The last instruction whose exit needs it (the number of instructions: the end), plus one.
    exits: Vec<u32>,
}

impl Uses {
    fn new(trace: &Trace) -> Uses {
        let count = trace.insts.len();
        let mut uses = Uses {
            inputs: vec![0; count],
            exits: vec![0; count],
        };
        let mut last = vec![0; trace.snapshots.len()];
        for (i, inst) in trace.insts.iter().enumerate() {
            for arg in inst.inputs() {
                uses.inputs[arg.index()] += 1;
            }
            if inst.snapshot.is_some() {
                last[inst.snapshot.index()] = i as u32 + 1;
            }
        }
        let kept = trace.entry_slots.iter().map(|entry| entry.value);
        for value in trace.end_args().iter().copied().chain(kept) {
            uses.inputs[value.index()] += 1;
        }
        if let End::Exit(snapshot) = trace.end
            && snapshot.is_some()
        {
            last[snapshot.index()] = count as u32 + 1;
        }
        for (i, &at) in last.iter().enumerate().filter(|(_, at)| **at > 0) {
            let snapshot = SnapshotId(i as u32);
            let stored = trace
                .stores(snapshot)
                .iter()
                .flat_map(|s| [s.object, s.value]);
            for value in trace.snapshot_values(snapshot).chain(stored) {
                let exits = &mut uses.exits[value.index()];
                *exits = at.max(*exits);
            }
        }
        uses
    }

    /// The exchange at `at`, if it is the only thing that needs the box it stores, and what it displaces is only released.
    fn store(&self, trace: &Trace, at: usize) -> Option<Store> {
        let boxed = trace.insts[at].args[2].index();
        let made = &trace.insts[boxed];
        let alone = made.uop == Uop::BoxFloat
            && !made.sunk
            && self.inputs[boxed] == 1
            && self.exits[boxed] <= at as u32;
        if !alone || self.inputs[at] != 1 || self.exits[at] != 0 {
            return None;
        }
        let memory_error = made.snapshot;
        let between = &trace.insts[boxed + 1..at];
        if !between
            .iter()
            .all(|inst| may_pass(trace, inst, memory_error))
        {
            return None;
        }
        let release = (at + 1..trace.insts.len().min(at + 4))
            .take_while(|&i| i == at + 1 || is_silent(&trace.insts[i - 1]))
            .find(|&i| {
                let inst = &trace.insts[i];
                matches!(inst.uop, Uop::DecRef | Uop::DecRefPlain) && inst.args[0].index() == at
            })?;
        Some(Store { at, release })
    }
}

/// Whether the making of the box can wait until after an instruction: if it fails then, its exit still finds all as it was.
fn may_pass(trace: &Trace, inst: &Inst, exit: SnapshotId) -> bool {
    let info = inst.uop.info();
    if inst.sunk || info.writes.is_empty() {
        return inst.uop != Uop::LoopStart;
    }
    let gives_up = info.ownership.consumes != 0;
    let needed = |value: ValueId| trace.snapshot_values(exit).any(|v| v == value);
    Effects::COUNTS.contains(info.writes) && !(gives_up && needed(inst.args[0]))
}

/// Whether an instruction neither leaves nor changes anything.
fn is_silent(inst: &Inst) -> bool {
    let info = inst.uop.info();
    inst.sunk || (info.writes.is_empty() && info.exit == Exit::Never)
}
