//! What another trace must supply to enter the loop: the phis, what is derived from them, then the invariants; and the slice
//! that computes those.

use super::peel::Carried;
use super::{Work, dead};
use crate::ir::{LoopParam, ParamSource, SnapshotId, Trace, ValueId};
use serigraph_uops::{Exit, Uop};

/// Fills in `loop_params` and `loop_slice`. False if the loop uses a value that is no invariant and no phi.
pub(super) fn run(work: &mut Work) -> bool {
    let trace = &work.trace;
    let Some(start) = trace.loop_start else {
        return true;
    };
    let start = start.index();
    let mut params: Vec<LoopParam> = trace
        .phis()
        .zip(&work.carried)
        .map(|(value, carried)| {
            let source = match *carried {
                Carried::Object { slot, type_address } => {
                    ParamSource::SlotObject { slot, type_address }
                }
                Carried::Raw {
                    slot,
                    raw: super::peel::RawKind::Int,
                    ..
                } => ParamSource::SlotInt(slot),
                Carried::Raw {
                    slot,
                    raw: super::peel::RawKind::Float,
                    ..
                } => ParamSource::SlotFloat(slot),
                Carried::Raw {
                    slot,
                    raw: super::peel::RawKind::Bool,
                    ..
                } => ParamSource::SlotBool(slot),
                Carried::Field { slot, offset, .. } => ParamSource::IterField { slot, offset },
            };
            LoopParam { value, source }
        })
        .collect();
    params.extend(work.derived.iter().map(|&(slot, value)| LoopParam {
        value,
        source: ParamSource::SlotInt(slot),
    }));
    let mut used = vec![false; start];
    mark_uses(trace, start, &mut used);
    let mut needed = used.clone();
    for value in (0..start).filter(|&v| used[v]) {
        if !work.invariant[value] {
            return false;
        }
        params.push(LoopParam {
            value: ValueId(value as u32),
            source: ParamSource::Invariant,
        });
    }
    let mut slice = Vec::new();
    for value in (0..start).rev() {
        let inst = &trace.insts[value];
        // Also a division, whose quotient the loop may not need, but which must not be by zero.
        let checks =
            work.invariant[value] && inst.uop.info().exit == Exit::Guard && dead::is_root(inst);
        if checks || needed[value] {
            slice.push(ValueId(value as u32));
            for arg in inst.inputs() {
                needed[arg.index()] = true;
            }
        }
    }
    slice.reverse();
    work.trace.loop_params = params;
    work.trace.loop_slice = slice;
    true
}

/// Marks the values from before the loop that the loop uses.
fn mark_uses(trace: &Trace, start: usize, used: &mut [bool]) {
    let mut mark = |mut value: ValueId| {
        // What exits make is made of its inputs: a box of a sum, of two.
        while value.is_some() && trace.inst(value).sunk {
            let [first, second, _] = trace.inst(value).args;
            if second.is_some() && second.index() < start {
                used[second.index()] = true;
            }
            value = first;
        }
        if value.is_some() && value.index() < start {
            used[value.index()] = true;
        }
    };
    let mut last = SnapshotId::NONE;
    for inst in &trace.insts[start..] {
        if inst.uop != Uop::Phi {
            inst.inputs().iter().copied().for_each(&mut mark);
        }
        if inst.snapshot.is_some() && inst.snapshot != last {
            last = inst.snapshot;
            trace.snapshot_values(last).for_each(&mut mark);
            for store in trace.stores(last) {
                mark(store.object);
                mark(store.value);
            }
        }
    }
    trace.end_args().iter().copied().for_each(&mut mark);
}
