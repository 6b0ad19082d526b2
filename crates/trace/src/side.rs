//! The beginning of a side trace: what the parent's trace has at one of its exits, as the child finds it.
//!
//! ```text
//! parent: guard_int_lt v11, v3 @s3              child:  entry 1=v2 stale
//!         s3: [f0 ip=20 top=4 1=v12 3=v0]               v0: int = param              # the parent's v11
//!         v12: object = sunk box_int v11         =>     v1: object = param           # v0, an invariant of the loop
//!         slot 3 holds v0                               v2: object = box_int v0
//! ```
//!
//! Numbers that the parent has unboxed are handed over unboxed; their boxes are made anew, naively, for the optimiser to
//! sink. Stores that the parent's exits would have done to iterators are done first thing, for the optimiser to sink too.

use crate::ir::{
    End, EntrySlot, FrameId, FrameState, Inherited, InlinedFrame, Inst, ParamSource, PendingStore,
    SlotValue, Snapshot, SnapshotId, Trace, ValueId,
};
use crate::ownership::{SlotMemory, State};
use serigraph_uops::{Effects, Exit, Kind, Reason, Uop};

/// A side trace as it begins.
#[derive(Clone, Debug)]
pub struct SideEntry {
    /// The trace: params, then constants and boxes, then stores to iterators. It ends nowhere yet.
    pub trace: Trace,
    /// For each param, in order, the parent's value that it is.
    pub params: Vec<ValueId>,
    /// The instruction of f0 at the exit (for a calling frame: the call).
    pub ip: u32,
    /// Entries of f0's `localsplus` in use there.
    pub top: u32,
    /// The inlined frames there, outermost first: entry i is [`Trace::inlined`] entry i.
    pub frames: Vec<SideFrameState>,
}

/// An inlined frame at the beginning of a side trace.
#[derive(Clone, Debug)]
pub struct SideFrameState {
    /// The instruction that runs next in it, or the call it is in.
    pub ip: u32,
    /// Entries of `localsplus` in use.
    pub top: u32,
    /// Its slots that are not null, with values of the side trace.
    pub slots: Vec<SlotValue>,
}

/// Writes that no invariant of a loop depends on.
const HARMLESS: Effects = Effects(
    Effects::COUNTS.0
        | Effects::FRAME.0
        | Effects::FRAME_IP.0
        | Effects::FRAMES.0
        | Effects::ARGS.0
        | Effects::ITERATOR.0
        | Effects::FLOAT_BOX.0,
);

struct Entry<'a> {
    parent: &'a Trace,
    trace: Trace,
    params: Vec<ValueId>,
    /// The parent's values here.
    names: Vec<ValueId>,
}

/// Begins the side trace of the exit of an instruction of `parent`, which the host knows by `parent_number`.
pub fn side_entry(parent: &Trace, parent_number: u32, exit: ValueId) -> Result<SideEntry, Reason> {
    let snapshot = parent.inst(exit).snapshot;
    if snapshot.is_none() {
        return Err(Reason::VerifierFailed);
    }
    let state = State::at(parent, exit.index()).map_err(|_| Reason::VerifierFailed)?;
    let f0 = parent.frames(snapshot)[0];
    let mut entry = Entry {
        parent,
        trace: Trace::new(parent.locals, f0.top.max(parent.locals)),
        params: Vec::new(),
        names: vec![ValueId::NONE; parent.insts.len()],
    };
    let owned: Vec<(ValueId, u32)> = state
        .all_owned()
        .filter(|(v, n)| *n > 0 && !is_null(parent, *v))
        .collect();
    entry.hand_over(snapshot, parent_number, exit, &owned);
    entry.make_values(snapshot);
    // A constant may be owned too: then the exit has it nowhere.
    for &(value, _) in &owned {
        entry.make(value);
    }
    entry.make_boxes(snapshot);
    entry.set_slots(snapshot, &state);
    entry.trace.entry_owned = owned
        .iter()
        .map(|&(v, n)| (entry.names[v.index()], n))
        .collect();
    let frames = entry.inlined(snapshot);
    for store in parent.stores(snapshot) {
        let (object, value) = (
            entry.names[store.object.index()],
            entry.names[store.value.index()],
        );
        entry.trace.push(Inst::new(
            Uop::IterStore,
            &[object, value],
            store.offset.into(),
            SnapshotId::NONE,
        ));
    }
    entry.trace.end = End::Exit(SnapshotId::NONE);
    Ok(SideEntry {
        trace: entry.trace,
        params: entry.params,
        ip: f0.ip,
        top: f0.top,
        frames,
    })
}

fn is_null(trace: &Trace, value: ValueId) -> bool {
    let inst = trace.inst(value);
    inst.uop == Uop::ConstObject && inst.imm == 0
}

fn is_constant(inst: &Inst) -> bool {
    matches!(inst.uop, Uop::ConstInt | Uop::ConstFloat | Uop::ConstObject)
}

impl Entry<'_> {
    /// A param for a value of the parent.
    fn param(&mut self, value: ValueId) -> ValueId {
        if self.names[value.index()].is_none() {
            let kind = self.parent.inst(value).kind;
            let param = Inst {
                kind,
                ..Inst::new(Uop::Param, &[], 0, SnapshotId::NONE)
            };
            self.names[value.index()] = self.trace.push(param);
            self.params.push(value);
        }
        self.names[value.index()]
    }

    /// A param for what a value is made of, if the exit would make it; none for constants.
    fn param_for(&mut self, value: ValueId) {
        let inst = *self.parent.inst(value);
        if inst.sunk {
            inst.inputs().iter().for_each(|&arg| self.param_for(arg));
        } else if !is_constant(&inst) {
            self.param(value);
        }
    }

    /// All params.
    fn hand_over(
        &mut self,
        snapshot: SnapshotId,
        number: u32,
        exit: ValueId,
        owned: &[(ValueId, u32)],
    ) {
        let parent = self.parent;
        for &(value, _) in owned {
            self.param_for(value);
        }
        for value in parent.snapshot_values(snapshot) {
            self.param_for(value);
        }
        for store in parent.stores(snapshot) {
            self.param_for(store.object);
            self.param_for(store.value);
        }
        let invariants: Vec<(u32, ValueId)> = match parent.loop_start {
            Some(start) if exit > start => {
                self.trace.tree = number;
                let params = parent.loop_params.iter().enumerate();
                params
                    .filter(|(_, p)| p.source == ParamSource::Invariant)
                    .map(|(i, p)| (i as u32, p.value))
                    .collect()
            }
            Some(_) => Vec::new(),
            // What the parent has overwritten may be what an invariant was loaded from.
            None if parent
                .insts
                .iter()
                .any(|inst| !HARMLESS.contains(inst.uop.info().writes)) =>
            {
                Vec::new()
            }
            None => {
                self.trace.tree = parent.tree;
                parent
                    .inherited
                    .iter()
                    .map(|i| (i.param, i.value))
                    .collect()
            }
        };
        for (param, value) in invariants {
            if !is_constant(parent.inst(value)) {
                let value = self.param(value);
                self.trace.inherited.push(Inherited { param, value });
            }
        }
    }

    /// Constants, boxes as the parent has them, for its exit to make, and sums, which are made at once.
    fn make(&mut self, value: ValueId) -> ValueId {
        if self.names[value.index()].is_none() {
            let inst = *self.parent.inst(value);
            debug_assert!(inst.sunk || is_constant(&inst), "{value} is no param");
            let args = inst
                .args
                .map(|a| if a.is_some() { self.make(a) } else { a });
            self.names[value.index()] = self.trace.push(Inst {
                args,
                snapshot: SnapshotId::NONE,
                sunk: inst.sunk && !inst.is_sum(),
                ..inst
            });
        }
        self.names[value.index()]
    }

    /// The boxes that the trace starts with. Until they are made, an exit does what the parent's exit does.
    fn make_boxes(&mut self, snapshot: SnapshotId) {
        let parent = self.parent;
        let mut boxes: Vec<ValueId> = parent
            .snapshot_values(snapshot)
            .filter(|v| parent.inst(*v).sunk)
            .collect();
        boxes.sort();
        boxes.dedup();
        if boxes.is_empty() {
            return;
        }
        let entry = self.entry_snapshot(snapshot);
        for value in boxes {
            let name = self.names[value.index()];
            let inst = *self.trace.inst(name);
            let snapshot = if inst.uop.info().exit == Exit::Never {
                SnapshotId::NONE
            } else {
                entry
            };
            self.names[value.index()] = self.trace.push(Inst {
                sunk: false,
                snapshot,
                ..inst
            });
        }
    }

    /// The parent's snapshot, in values of this trace.
    fn entry_snapshot(&mut self, snapshot: SnapshotId) -> SnapshotId {
        let parent = self.parent;
        let name = |names: &[ValueId], v: ValueId| names[v.index()];
        for (number, frame) in parent.frames(snapshot).iter().enumerate() {
            let first = self.trace.slot_values.len() as u32;
            let slots = parent.slots(frame).iter();
            self.trace.slot_values.extend(slots.map(|s| SlotValue {
                value: name(&self.names, s.value),
                ..*s
            }));
            self.trace.frame_states.push(FrameState {
                frame: FrameId(number as u32),
                first,
                ..*frame
            });
        }
        for store in parent.stores(snapshot) {
            let (object, value) = (
                name(&self.names, store.object),
                name(&self.names, store.value),
            );
            self.trace.pending_stores.push(PendingStore {
                object,
                value,
                ..*store
            });
        }
        let count = self.trace.frame_states.len() as u32;
        let store_count = self.trace.pending_stores.len() as u32;
        let reason = parent.snapshots[snapshot.index()].reason;
        self.trace.snapshots.push(Snapshot {
            first: 0,
            count,
            first_store: 0,
            store_count,
            reason,
        });
        SnapshotId(0)
    }

    fn make_values(&mut self, snapshot: SnapshotId) {
        let parent = self.parent;
        for value in parent.snapshot_values(snapshot) {
            self.make(value);
        }
        for store in parent.stores(snapshot) {
            self.make(store.value);
            self.make(store.object);
        }
    }

    /// What the slots of f0 hold.
    fn set_slots(&mut self, snapshot: SnapshotId, state: &State) {
        let parent = self.parent;
        let f0 = parent.frames(snapshot)[0];
        for slot in parent.slots(&f0) {
            let synced = state.slot(slot.slot) == SlotMemory::Holds(slot.value);
            self.trace.entry_slots.push(EntrySlot {
                slot: slot.slot,
                value: self.names[slot.value.index()],
                synced,
            });
        }
        let top = f0.top;
        for slot in 0..top {
            if let SlotMemory::Holds(value) = state.slot(slot)
                && self.names[value.index()].is_some()
                && parent.inst(value).kind == Kind::Object
                && !self.trace.entry_slots.iter().any(|e| e.slot == slot)
            {
                let value = self.names[value.index()];
                self.trace.entry_slots.push(EntrySlot {
                    slot,
                    value,
                    synced: true,
                });
            }
        }
        self.trace.entry_slots.sort_by_key(|e| e.slot);
    }

    /// The inlined frames.
    fn inlined(&mut self, snapshot: SnapshotId) -> Vec<SideFrameState> {
        let parent = self.parent;
        let mut states = Vec::new();
        for frame in &parent.frames(snapshot)[1..] {
            let inlined = parent.inlined[frame.frame.index() - 1];
            let caller = FrameId(states.len() as u32);
            let function = self.names[inlined.function.index()];
            self.trace.inlined.push(InlinedFrame {
                caller,
                function,
                ..inlined
            });
            let slots = parent.slots(frame);
            let slots = slots
                .iter()
                .map(|s| SlotValue {
                    slot: s.slot,
                    value: self.names[s.value.index()],
                })
                .collect();
            states.push(SideFrameState {
                ip: frame.ip,
                top: frame.top,
                slots,
            });
        }
        states
    }
}
