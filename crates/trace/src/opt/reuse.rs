//! Puts a float into a list or a field in the box that it displaces, if at run time nobody but that place has it.
//!
//! ```text
//! v7 = float_add v6, v5                  v7 = float_add v6, v5
//! v8 = box_float v7 @s2                  v8 = sunk box_float v7              # for the exits in between
//! guard_int_below v3, v2 @s3      =>     guard_int_below v3, v2 @s3
//! v9 = list_exchange v1, v3, v8          list_set_float v1, v3, v7 @s2
//! decref_plain v9
//! ```
//!
//! A box may be overwritten when its count is 1 and that reference is the place's. Then no slot, no other container and no
//! code outside holds it, and no value of the trace stands for it that is still needed: what the trace borrowed from a place it
//! has given up before places of that class change, or has a counted reference to (see [`super::refcount`]), and loads
//! are not forwarded past a store to what may be the same place. Raw values that were loaded from the box before are in registers.
//!
//! The new float is never an object of its own before it is in its place, so nothing else may need the box: no slot, no
//! other container, no exit after the store.

use super::Work;
use super::types::HostTypes;
use crate::ir::{End, Inst, SnapshotId, Trace, ValueId};
use serigraph_uops::{Effects, Exit, Uop};

/// Runs the pass.
pub(super) fn run(work: &mut Work, types: &HostTypes) {
    let trace = &work.trace;
    if !trace.insts.iter().any(|inst| stored(inst).is_some()) {
        return;
    }
    let uses = Uses::new(trace);
    let is_float = |value: ValueId| work.facts[value.index()].type_address == types.float;
    let found: Vec<Store> = (0..trace.insts.len())
        .filter_map(|at| uses.store(trace, at))
        .filter(|store| is_float(store.displaced))
        .collect();
    for store in found {
        let insts = &mut work.trace.insts;
        let made = &mut insts[store.boxed.index()];
        let raw = made.args[0];
        let snapshot = std::mem::replace(&mut made.snapshot, SnapshotId::NONE);
        made.sunk = true;
        let Inst { args, imm, uop, .. } = insts[store.at];
        let (uop, args) = match uop {
            Uop::ListExchange => (Uop::ListSetFloat, vec![args[0], args[1], raw]),
            Uop::StoreVia => (Uop::ViaSetFloat, vec![args[0], raw]),
            _ => (Uop::FieldSetFloat, vec![args[0], raw]),
        };
        insts[store.at] = Inst::new(uop, &args, imm, snapshot);
        insts[store.release] = Inst::new(Uop::Nop, &[], 0, SnapshotId::NONE);
    }
}

/// The value that an instruction puts into a place, if it also says what it displaces.
fn stored(inst: &Inst) -> Option<ValueId> {
    match inst.uop {
        Uop::ListExchange => Some(inst.args[2]),
        Uop::StoreObject | Uop::StoreVia => Some(inst.args[1]),
        _ => None,
    }
}

/// A store of a box that can become a store of the raw value.
struct Store {
    at: usize,
    boxed: ValueId,
    displaced: ValueId,
    /// Where what it displaces is released.
    release: usize,
}

/// Where values are used. Positions are those of instructions plus one; the end comes after the last.
struct Uses {
    /// How often as an input, or at the start or end.
    inputs: Vec<u32>,
    /// Where last.
    last_input: Vec<u32>,
    /// The last exit that needs it.
    last_exit: Vec<u32>,
}

impl Uses {
    fn new(trace: &Trace) -> Uses {
        let count = trace.insts.len();
        let end = count as u32 + 1;
        let mut uses = Uses {
            inputs: vec![0; count],
            last_input: vec![0; count],
            last_exit: vec![0; count],
        };
        let mut last = vec![0; trace.snapshots.len()];
        for (i, inst) in trace.insts.iter().enumerate() {
            for arg in inst.inputs() {
                uses.input(*arg, i as u32 + 1);
            }
            if inst.snapshot.is_some() {
                last[inst.snapshot.index()] = i as u32 + 1;
            }
        }
        let kept = trace.entry_slots.iter().map(|entry| entry.value);
        for value in trace.end_args().iter().copied().chain(kept) {
            uses.input(value, end);
        }
        if let End::Exit(snapshot) = trace.end
            && snapshot.is_some()
        {
            last[snapshot.index()] = end;
        }
        for (i, &at) in last.iter().enumerate().filter(|(_, at)| **at > 0) {
            let snapshot = SnapshotId(i as u32);
            let stored = trace
                .stores(snapshot)
                .iter()
                .flat_map(|s| [s.object, s.value]);
            for value in trace.snapshot_values(snapshot).chain(stored) {
                let exit = &mut uses.last_exit[value.index()];
                *exit = at.max(*exit);
            }
        }
        uses
    }

    fn input(&mut self, value: ValueId, at: u32) {
        self.inputs[value.index()] += 1;
        self.last_input[value.index()] = at;
    }

    /// The store at `at`, if it is the only thing that needs the box it stores, and what it displaces is only released.
    fn store(&self, trace: &Trace, at: usize) -> Option<Store> {
        let inst = &trace.insts[at];
        let boxed = stored(inst)?;
        let displaced = if inst.has_value() {
            ValueId(at as u32)
        } else {
            inst.args[2]
        };
        let made = trace.inst(boxed);
        let alone = made.uop == Uop::BoxFloat
            && !made.sunk
            && self.inputs[boxed.index()] == 1
            && self.last_exit[boxed.index()] <= at as u32;
        if !alone || self.last_exit[displaced.index()] > at as u32 {
            return None;
        }
        let memory_error = made.snapshot;
        let between = &trace.insts[boxed.index() + 1..at];
        if !between
            .iter()
            .all(|inst| may_pass(trace, inst, memory_error))
        {
            return None;
        }
        let release = (at + 1..trace.insts.len().min(at + 4))
            .take_while(|&i| i == at + 1 || is_silent(&trace.insts[i - 1]))
            .find(|&i| trace.insts[i].inputs().contains(&displaced))?;
        let is_release = matches!(trace.insts[release].uop, Uop::DecRef | Uop::DecRefPlain);
        (is_release && self.last_input[displaced.index()] == release as u32 + 1).then_some(Store {
            at,
            boxed,
            displaced,
            release,
        })
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
