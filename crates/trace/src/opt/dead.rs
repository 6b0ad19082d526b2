//! Removes what is not used, and numbers what is left.
//!
//! An instruction stays if it has an effect, if it may leave the trace for a reason that the program could see, or if
//! something that stays needs its value: as an input, in the snapshot of its exit, or at the back edge for a phi that
//! stays. Integer arithmetic whose result nobody needs does not leave: where it would overflow, the interpreter would make a
//! long integer that nobody needs either. A division does, for it raises.

use super::Work;
use crate::ir::{
    End, FrameId, FrameState, Inst, LoopParam, PendingStore, SlotValue, Snapshot, SnapshotId,
    Trace, ValueId,
};
use serigraph_uops::{Exit, Uop};

/// Whether an instruction must stay though its value is not used.
pub(super) fn is_root(inst: &Inst) -> bool {
    if inst.sunk {
        return false;
    }
    match inst.uop {
        Uop::Nop | Uop::Phi => false,
        Uop::Param | Uop::LoopStart => true,
        Uop::IntAdd
        | Uop::IntSub
        | Uop::IntMul
        | Uop::IntAddImm
        | Uop::IntMulImm
        | Uop::IntNeg
        | Uop::IntShlImm
        | Uop::UnboxInt => false,
        _ => {
            let info = inst.uop.info();
            !info.writes.is_empty()
                || info.exit != Exit::Never
                || info.ownership.output_owned
                || info.ownership.consumes != 0
        }
    }
}

struct Marks<'a> {
    trace: &'a Trace,
    live: Vec<bool>,
    snapshots: Vec<bool>,
}

impl Marks<'_> {
    #[inline]
    fn value(&mut self, value: ValueId) {
        if value.is_some() {
            self.live[value.index()] = true;
        }
    }

    fn snapshot(&mut self, snapshot: SnapshotId) {
        if std::mem::replace(&mut self.snapshots[snapshot.index()], true) {
            return;
        }
        let trace = self.trace;
        for value in trace.snapshot_values(snapshot) {
            self.value(value);
        }
        for store in trace.stores(snapshot) {
            self.value(store.object);
            self.value(store.value);
        }
    }

    /// From the end to the start, since values are made before they are used.
    fn scan(&mut self, is_root: impl Fn(&Inst) -> bool) {
        let trace = self.trace;
        for (i, inst) in trace.insts.iter().enumerate().rev() {
            if self.live[i] || is_root(inst) {
                self.live[i] = true;
                for &arg in inst.inputs() {
                    self.value(arg);
                }
                if inst.snapshot.is_some() {
                    self.snapshot(inst.snapshot);
                }
            }
        }
    }

    /// Marks what the phis that stay get at the back edge; whether that is more than was marked.
    fn carried(&mut self) -> bool {
        let mut more = false;
        for (phi, &next) in self.trace.phis().zip(self.trace.end_args()) {
            if self.live[phi.index()] {
                more |= !std::mem::replace(&mut self.live[next.index()], true);
            }
        }
        more
    }
}

/// Runs the pass; without `remove` it only takes out what earlier passes emptied.
pub(super) fn run(work: &mut Work, remove: bool) {
    let trace = &work.trace;
    let first_phi = trace.loop_start.map_or(0, |l| l.index() + 1);
    let mut marks = Marks {
        trace,
        live: vec![false; trace.insts.len()],
        snapshots: vec![false; trace.snapshots.len()],
    };
    match &trace.end {
        End::Loop(_) | End::Enter { .. } => {}
        End::Link { args, .. } => args.iter().for_each(|&arg| marks.value(arg)),
        End::Exit(snapshot) if snapshot.is_some() => marks.snapshot(*snapshot),
        End::Exit(_) => {}
    }
    for entry in &trace.entry_slots {
        marks.value(entry.value);
    }
    for &(value, _) in &trace.entry_owned {
        marks.value(value);
    }
    let is_kept = |inst: &Inst| is_root(inst) || (!remove && inst.uop != Uop::Nop);
    marks.scan(is_kept);
    // What a phi gets at the back edge is made after it, and seldom not used by anything else.
    while marks.carried() {
        marks.scan(is_kept);
    }
    let (live, used) = (marks.live, marks.snapshots);
    let (small, values) = compact(trace, &live, &used, first_phi);
    if !work.invariant.is_empty() {
        let mut invariant = Vec::with_capacity(small.insts.len());
        invariant.extend(
            (0..live.len())
                .filter(|&i| live[i])
                .map(|i| work.invariant.get(i) == Some(&true)),
        );
        work.invariant = invariant;
    }
    let mut phi = first_phi;
    work.carried.retain(|_| {
        phi += 1;
        live[phi - 1]
    });
    for carried in &mut work.carried {
        carried.rename(&values);
    }
    work.derived.retain(|(_, value)| live[value.index()]);
    for (_, value) in &mut work.derived {
        *value = values[value.index()];
    }
    work.trace = small;
}

/// The trace with only the live instructions and snapshots; and the new number of each value.
fn compact(trace: &Trace, live: &[bool], used: &[bool], first_phi: usize) -> (Trace, Vec<ValueId>) {
    let mut out = Trace::new(trace.locals, trace.entry_top);
    let mut values = vec![ValueId::NONE; live.len()];
    let mut count = 0;
    for (i, name) in values.iter_mut().enumerate() {
        if live[i] {
            *name = ValueId(count);
            count += 1;
        }
    }
    let name = |v: ValueId| if v.is_some() { values[v.index()] } else { v };
    let mut frames = vec![FrameId::NONE; trace.inlined.len()];
    let mut snapshots = vec![SnapshotId::NONE; used.len()];
    out.insts.reserve_exact(count as usize);
    out.snapshots.reserve_exact(trace.snapshots.len());
    out.frame_states.reserve_exact(trace.frame_states.len());
    out.slot_values.reserve_exact(trace.slot_values.len());
    out.pending_stores.reserve_exact(trace.pending_stores.len());
    for (i, snapshot) in trace.snapshots.iter().enumerate() {
        if !used[i] {
            continue;
        }
        snapshots[i] = SnapshotId(out.snapshots.len() as u32);
        let id = SnapshotId(i as u32);
        let first = out.frame_states.len() as u32;
        for frame in trace.frames(id) {
            let start = out.slot_values.len() as u32;
            out.slot_values
                .extend(trace.slots(frame).iter().map(|s| SlotValue {
                    slot: s.slot,
                    value: name(s.value),
                }));
            let frame_id = rename_frame(trace, &mut out, &mut frames, frame.frame, &name);
            out.frame_states.push(FrameState {
                frame: frame_id,
                first: start,
                ..*frame
            });
        }
        let first_store = out.pending_stores.len() as u32;
        out.pending_stores
            .extend(trace.stores(id).iter().map(|s| PendingStore {
                object: name(s.object),
                value: name(s.value),
                ..*s
            }));
        out.snapshots.push(Snapshot {
            first,
            first_store,
            ..*snapshot
        });
    }
    let snapshot = |s: SnapshotId| if s.is_some() { snapshots[s.index()] } else { s };
    for (_, inst) in trace.insts.iter().enumerate().filter(|(i, _)| live[*i]) {
        out.insts.push(Inst {
            args: inst.args.map(name),
            snapshot: snapshot(inst.snapshot),
            ..*inst
        });
    }
    out.end = match &trace.end {
        End::Loop(args) => End::Loop(
            args.iter()
                .enumerate()
                .filter(|(i, _)| live[first_phi + i])
                .map(|(_, &arg)| name(arg))
                .collect(),
        ),
        End::Link { target, args } => End::Link {
            target: *target,
            args: args.iter().map(|&arg| name(arg)).collect(),
        },
        End::Enter { target } => End::Enter { target: *target },
        End::Exit(id) => End::Exit(snapshot(*id)),
    };
    out.loop_start = trace.loop_start.map(name);
    out.loop_params = trace
        .loop_params
        .iter()
        .map(|p| LoopParam {
            value: name(p.value),
            ..*p
        })
        .collect();
    out.loop_slice = trace.loop_slice.iter().map(|&v| name(v)).collect();
    out.loop_synced.clone_from(&trace.loop_synced);
    out.entry_slots = trace
        .entry_slots
        .iter()
        .map(|e| crate::ir::EntrySlot {
            value: name(e.value),
            ..*e
        })
        .collect();
    out.entry_owned = trace
        .entry_owned
        .iter()
        .map(|&(v, n)| (name(v), n))
        .collect();
    out.tree = trace.tree;
    out.inherited = trace
        .inherited
        .iter()
        .map(|i| crate::ir::Inherited {
            value: name(i.value),
            ..*i
        })
        .collect();
    (out, values)
}

fn rename_frame(
    trace: &Trace,
    out: &mut Trace,
    frames: &mut [FrameId],
    frame: FrameId,
    name: &impl Fn(ValueId) -> ValueId,
) -> FrameId {
    if frame.0 == 0 {
        return frame;
    }
    if frames[frame.index() - 1].is_some() {
        return frames[frame.index() - 1];
    }
    let inlined = trace.inlined[frame.index() - 1];
    let caller = rename_frame(trace, out, frames, inlined.caller, name);
    out.inlined.push(crate::ir::InlinedFrame {
        caller,
        function: name(inlined.function),
        ..inlined
    });
    frames[frame.index() - 1] = FrameId(out.inlined.len() as u32);
    frames[frame.index() - 1]
}
