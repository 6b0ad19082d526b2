//! Numbers that exits can add up: a number that differs from another by a constant needs no register of its own.
//!
//! ```text
//!   v5: int = phi v1                      # the number of the turn before
//!   v6: int = phi v2                      # the next
//!   v7 = sunk box_int v5            =>    v5 = sunk int_add_wrap_imm v6, -1      # (the phi is gone)
//!   guard_int_gt_imm v8, 0 @s1            guard_int_gt_imm v8, 0 @s1             # s1: 2=v7
//!   v9 = int_add_wrap_imm v6, 1           v9 = sunk int_add_wrap_imm v6, 1
//!   v10 = int_mul v6, v6 @s2              v10 = int_mul v6, v6 @s2               # s2: store v0+16=v9
//!                                         v11 = int_add_wrap_imm v6, 1           # in the register of v6
//!                                         v12 = sunk int_add_wrap_imm v11, -1    # what v6 was
//!   poll_word64 @s3                       poll_word64 @s3                        # s3: 2=box of v12, store v0+16=v11
//! end loop v6, v9                       end loop v11
//! ```
//!
//! Two things, then. A phi of a number in a stale slot that is another phi plus a constant, before the loop and at the back edge,
//! is *derived* from that. (Who [links](crate::link) here has to show that it is so there too.) And a sum that only exits and the
//! end need is made at the end. It is modulo 2^64 and so never fails; what differs from a number by a constant and is one, is it.

use super::Work;
use super::peel::{Carried, RawKind};
use crate::ir::{
    End, FrameState, Inst, PendingStore, SlotValue, Snapshot, SnapshotId, Trace, ValueId,
};
use crate::regalloc::liveness::{is_constant, is_emitted};
use serigraph_uops::{Exit, Kind, Uop};

/// Runs the pass.
pub(super) fn run(work: &mut Work) {
    match work.trace.loop_start {
        Some(start) => {
            derive_phis(work, start);
            update_last(&mut work.trace, start);
        }
        None => sink_sums(&mut work.trace),
    }
}

/// In a trace without a loop: sums that only exits and the end need.
fn sink_sums(trace: &mut Trace) {
    if !trace
        .insts
        .iter()
        .any(|inst| inst.uop == Uop::IntAddWrapImm)
    {
        return;
    }
    let mut read = vec![false; trace.insts.len()];
    for i in (0..trace.insts.len()).rev() {
        let inst = trace.insts[i];
        if inst.uop == Uop::IntAddWrapImm
            && !inst.sunk
            && !read[i]
            && !is_constant(trace.inst(inst.args[0]))
        {
            trace.insts[i].sunk = true;
        } else if !inst.sunk {
            inst.inputs()
                .iter()
                .for_each(|arg| read[arg.index()] = true);
        }
    }
    // A sum of a sum is one sum.
    for i in 0..trace.insts.len() {
        let inst = trace.insts[i];
        if !inst.sunk || !inst.is_sum() {
            continue;
        }
        let base = *trace.inst(inst.args[0]);
        if !base.sunk {
            continue;
        }
        let sum = (base.imm as i64).checked_add(inst.imm as i64);
        match sum.filter(|sum| i32::try_from(*sum).is_ok()) {
            Some(sum) => {
                trace.insts[i].args[0] = base.args[0];
                trace.insts[i].imm = sum as u64;
            }
            None => trace.insts[inst.args[0].index()].sunk = false,
        }
    }
    let mut end = std::mem::replace(&mut trace.end, End::Exit(SnapshotId::NONE));
    if let End::Link { args, .. } = &mut end {
        for arg in args {
            let inst = *trace.inst(*arg);
            if inst.sunk && inst.is_sum() {
                *arg = trace.push(Inst {
                    sunk: false,
                    ..inst
                });
            }
        }
    }
    trace.end = end;
}

/// What is to be added to `from` to get `value`.
pub(crate) fn difference(trace: &Trace, from: ValueId, value: ValueId) -> Option<i64> {
    let (x, y) = (trace.inst(from), trace.inst(value));
    let step = |inst: &Inst| match inst.uop {
        Uop::IntAddWrapImm => inst.imm as i64,
        _ => 0,
    };
    let base = |value: ValueId, inst: &Inst| match inst.uop {
        Uop::IntAddWrapImm => inst.args[0],
        _ => value,
    };
    if x.uop == Uop::ConstInt && y.uop == Uop::ConstInt {
        return Some((y.imm as i64).wrapping_sub(x.imm as i64));
    }
    (base(from, x) == base(value, y)).then(|| step(y) - step(x))
}

/// The inputs of what the loop emits, and the arguments of the back edge.
struct Uses {
    read: Vec<bool>,
    at_end: Vec<u32>,
}

impl Uses {
    fn new(trace: &Trace, start: ValueId) -> Uses {
        let mut read = vec![false; trace.insts.len()];
        let mut at_end = vec![0; trace.insts.len()];
        for inst in &trace.insts[start.index() + 1..] {
            if !inst.sunk && inst.uop != Uop::Phi {
                inst.inputs()
                    .iter()
                    .for_each(|arg| read[arg.index()] = true);
            }
        }
        trace
            .end_args()
            .iter()
            .for_each(|arg| at_end[arg.index()] += 1);
        Uses { read, at_end }
    }
}

/// Phis of numbers in stale slots that others give.
fn derive_phis(work: &mut Work, start: ValueId) {
    let trace = &work.trace;
    let End::Loop(next) = &trace.end else { return };
    let phis: Vec<ValueId> = trace.phis().collect();
    let mut uses: Option<Uses> = None;
    // Slot, phi, the phi it is derived from, the difference.
    let mut found: Vec<(u32, usize, usize, i64)> = Vec::new();
    for (k, carried) in work.carried.iter().enumerate() {
        let Carried::Raw {
            slot,
            raw: RawKind::Int,
        } = *carried
        else {
            continue;
        };
        let kept = |c: &Carried| matches!(c, Carried::Object { slot: s, .. } if *s == slot);
        if work.carried.iter().any(kept) || found.iter().any(|f| f.2 == k) {
            continue;
        }
        let initial = |k: usize| trace.inst(phis[k]).args[0];
        let from = (0..phis.len()).find_map(|q| {
            let is_base = q != k
                && trace.inst(phis[q]).kind == Kind::Int
                && !matches!(
                    work.carried[q],
                    Carried::Raw {
                        raw: RawKind::Bool,
                        ..
                    }
                )
                && found.iter().all(|f| f.1 != q);
            let differs = is_base
                .then(|| difference(trace, initial(q), initial(k)))
                .flatten()?;
            let same = difference(trace, next[q], next[k]) == Some(differs);
            (same && i32::try_from(differs).is_ok()).then_some((q, differs))
        });
        let Some((q, differs)) = from else { continue };
        let uses = uses.get_or_insert_with(|| Uses::new(trace, start));
        let p = phis[k];
        if !uses.read[p.index()] && uses.at_end[p.index()] == 0 {
            found.push((slot, k, q, differs));
        }
    }
    if found.is_empty() {
        return;
    }
    let at = start.index() + 1 + phis.len();
    let sums = found.iter().map(|&(_, _, q, differs)| Inst {
        sunk: true,
        ..Inst::new(
            Uop::IntAddWrapImm,
            &[phis[q]],
            differs as u64,
            SnapshotId::NONE,
        )
    });
    let sums: Vec<Inst> = sums.collect();
    let count = sums.len();
    insert(&mut work.trace, at, sums);
    for (i, &(slot, k, _, _)) in found.iter().enumerate() {
        let sum = ValueId((at + i) as u32);
        work.derived.push((slot, sum));
        let rename = |value: &mut ValueId| {
            if *value == phis[k] {
                *value = sum;
            }
        };
        let trace = &mut work.trace;
        // Nothing needs the phi any more, nor what would come into it.
        if let End::Loop(next) = &mut trace.end {
            next[k] = phis[k];
        }
        (trace.insts[at + count..].iter_mut())
            .for_each(|inst| inst.args.iter_mut().for_each(rename));
        trace
            .pending_stores
            .iter_mut()
            .for_each(|store| rename(&mut store.value));
    }
}

/// Makes sums of a phi and what the loop does not change, which only exits and the back edge need, at the end of the loop.
fn update_last(trace: &mut Trace, start: ValueId) {
    let End::Loop(next) = &trace.end else { return };
    let phis: Vec<ValueId> = trace.phis().collect();
    let may_be_last = |&(&phi, &sum): &(&ValueId, &ValueId)| {
        let inst = trace.inst(sum);
        let [a, b, _] = inst.args;
        let fixed = || b < start && !is_constant(trace.inst(b));
        sum > start
            && !inst.sunk
            && a == phi
            && match inst.uop {
                Uop::IntAddWrapImm => i32::try_from(-(inst.imm as i64)).is_ok(),
                Uop::IntAddWrap | Uop::IntSubWrap => fixed(),
                _ => false,
            }
    };
    let mut last: Vec<(ValueId, ValueId)> = (phis.iter().zip(next).filter(may_be_last))
        .map(|(&phi, &sum)| (phi, sum))
        .collect();
    if last.is_empty() {
        return;
    }
    let uses = Uses::new(trace, start);
    // What exits add up from the phi, the last exit has to add up from the sum.
    let convertible = |phi: ValueId, sum: ValueId| {
        let (of, sum) = (
            |i: &&Inst| i.sunk && i.is_sum() && i.args[0] == phi,
            trace.inst(sum),
        );
        trace.insts[start.index()..].iter().filter(of).all(|inst| {
            let less = (inst.imm as i64).checked_sub(sum.imm as i64);
            (inst.uop, sum.uop) == (Uop::IntAddWrapImm, Uop::IntAddWrapImm)
                && less.is_some_and(|less| i32::try_from(less).is_ok())
        })
    };
    last.retain(|&(phi, sum)| {
        !uses.read[sum.index()]
            && uses.at_end[sum.index()] == 1
            && uses.at_end[phi.index()] == 0
            && convertible(phi, sum)
    });
    let Some(guard) = trace
        .insts
        .iter()
        .rposition(|i| is_emitted(i) && !is_constant(i))
    else {
        return;
    };
    if last.is_empty() || last.iter().any(|(_, sum)| sum.index() > guard) {
        return;
    }
    let info = trace.insts[guard].uop.info();
    let is_poll = info.inputs.is_empty() && info.output.is_none() && info.exit == Exit::Guard;
    let at = if is_poll { guard } else { trace.insts.len() };
    let made = last.iter().map(|(_, sum)| *trace.inst(*sum)).collect();
    insert(trace, at, made);
    let made = |i: usize| ValueId((at + i) as u32);
    if let End::Loop(next) = &mut trace.end {
        for (i, (_, sum)) in last.iter().enumerate() {
            let arg = next.iter_mut().find(|arg| *arg == sum);
            arg.into_iter().for_each(|arg| *arg = made(i));
        }
    }
    for (_, sum) in &last {
        trace.insts[sum.index()].sunk = true;
    }
    if is_poll {
        let guard = at + last.len();
        let last = last.iter().enumerate();
        let mut after = After {
            first: guard,
            last: last.map(|(i, &(phi, sum))| (phi, sum, made(i))).collect(),
            extra: Vec::new(),
            known: Vec::new(),
        };
        after.snapshot(trace, guard);
    }
}

/// What the last guard's exit finds: the sums instead of the phis.
struct After {
    /// Where the guard is.
    first: usize,
    /// Phi, sunk sum, sum made before the guard.
    last: Vec<(ValueId, ValueId, ValueId)>,
    /// What has to stand before the guard for its exit.
    extra: Vec<Inst>,
    known: Vec<(ValueId, ValueId)>,
}

impl After {
    /// Gives the guard a snapshot of its own.
    fn snapshot(&mut self, trace: &mut Trace, guard: usize) {
        let old = trace.insts[guard].snapshot;
        let first = trace.frame_states.len() as u32;
        let mut slots: Vec<SlotValue> = Vec::new();
        for index in 0..trace.frames(old).len() {
            let frame = trace.frames(old)[index];
            let start = (trace.slot_values.len() + slots.len()) as u32;
            for &SlotValue { slot, value } in trace.slots(&frame) {
                let value = self.value(trace, value);
                slots.push(SlotValue { slot, value });
            }
            trace.frame_states.push(FrameState {
                first: start,
                ..frame
            });
        }
        let stores = trace.stores(old).iter().map(|store| PendingStore {
            value: self.value(trace, store.value),
            ..*store
        });
        let stores: Vec<PendingStore> = stores.collect();
        insert(trace, guard, std::mem::take(&mut self.extra));
        let guard = guard + self.known.len();
        trace.slot_values.extend(slots);
        let first_store = trace.pending_stores.len() as u32;
        trace.pending_stores.extend(stores);
        let snapshot = trace.snapshots[old.index()];
        trace.snapshots.push(Snapshot {
            first,
            first_store,
            ..snapshot
        });
        trace.insts[guard].snapshot = SnapshotId(trace.snapshots.len() as u32 - 1);
    }

    /// A value of the old snapshot.
    fn value(&mut self, trace: &Trace, value: ValueId) -> ValueId {
        if let Some(&(_, _, made)) = self.last.iter().find(|l| l.1 == value) {
            return made;
        }
        if let Some(&(phi, sum, made)) = self.last.iter().find(|l| l.0 == value) {
            let sum = trace.inst(sum);
            let uop = match sum.uop {
                Uop::IntAddWrap => Uop::IntSubWrap,
                Uop::IntSubWrap => Uop::IntAddWrap,
                uop => uop,
            };
            let before = Inst {
                uop,
                sunk: true,
                args: [made, sum.args[1], ValueId::NONE],
                imm: (sum.imm as i64).wrapping_neg() as u64,
                ..*sum
            };
            return self.make(phi, before);
        }
        let inst = *trace.inst(value);
        if !inst.sunk {
            return value;
        }
        if inst.is_sum() {
            // Of a phi: of what it has become, less what that is more.
            let Some(&(_, sum, made)) = self.last.iter().find(|l| l.0 == inst.args[0]) else {
                return value;
            };
            let imm = inst.imm.wrapping_sub(trace.inst(sum).imm);
            let args = [made, ValueId::NONE, ValueId::NONE];
            return self.make(value, Inst { args, imm, ..inst });
        }
        let arg = self.value(trace, inst.args[0]);
        if arg == inst.args[0] {
            return value;
        }
        let args = [arg, ValueId::NONE, ValueId::NONE];
        self.make(value, Inst { args, ..inst })
    }

    fn make(&mut self, of: ValueId, inst: Inst) -> ValueId {
        if let Some(&(_, made)) = self.known.iter().find(|k| k.0 == of) {
            return made;
        }
        let made = ValueId((self.first + self.extra.len()) as u32);
        self.extra.push(inst);
        self.known.push((of, made));
        made
    }
}

/// Puts instructions before the one at `at`. They name values by their new numbers, or by numbers below `at`.
fn insert(trace: &mut Trace, at: usize, new: Vec<Inst>) {
    if new.is_empty() {
        return;
    }
    let count = new.len() as u32;
    let shift = |value: &mut ValueId| {
        if value.is_some() && value.index() >= at {
            value.0 += count;
        }
    };
    for inst in &mut trace.insts[at..] {
        inst.args.iter_mut().for_each(shift);
    }
    if at < trace.insts.len() {
        (trace.slot_values.iter_mut()).for_each(|slot| shift(&mut slot.value));
        (trace.inlined.iter_mut()).for_each(|frame| shift(&mut frame.function));
        for store in &mut trace.pending_stores {
            shift(&mut store.object);
            shift(&mut store.value);
        }
        if let End::Loop(args) = &mut trace.end {
            args.iter_mut().for_each(shift);
        }
    }
    trace.insts.splice(at..at, new);
}
