//! Copies of recorded snapshots, in the names of the copy of the instructions that uses them.
//!
//! In the loop, a snapshot of f0 lists every slot that an iteration changes, also where the recording had not come to it.

use super::forward::Forward;
use crate::ir::{
    FrameId, FrameState, InlinedFrame, PendingStore, SlotValue, Snapshot, SnapshotId, Trace,
    ValueId,
};
use serigraph_uops::Uop;

impl Forward<'_> {
    /// The copy of a recorded snapshot; made when the first instruction needs it.
    pub(super) fn snapshot(&mut self, recorded: SnapshotId) -> SnapshotId {
        let known = self.names.snapshots[recorded.index()];
        if known.is_some() {
            return known;
        }
        let source = self.source();
        let first = self.out.frame_states.len() as u32;
        for frame in source.frames(recorded) {
            let name = if frame.frame.0 == 0 {
                frame.frame
            } else {
                self.frame(frame.frame)
            };
            let start = self.out.slot_values.len() as u32;
            let mut header = if frame.frame.0 == 0 {
                self.names.header.as_slice()
            } else {
                &[]
            }
            .iter()
            .peekable();
            for slot in source.slots(frame) {
                while let Some(other) = header.next_if(|h| h.slot < slot.slot) {
                    self.out.slot_values.push(*other);
                }
                header.next_if(|h| h.slot == slot.slot);
                let value = self.names.values[slot.value.index()];
                self.out.slot_values.push(SlotValue {
                    slot: slot.slot,
                    value,
                });
            }
            self.out.slot_values.extend(header.copied());
            let count = self.out.slot_values.len() as u32 - start;
            self.out.frame_states.push(FrameState {
                frame: name,
                first: start,
                count,
                ..*frame
            });
        }
        let count = self.out.frame_states.len() as u32 - first;
        let first_store = self.out.pending_stores.len() as u32;
        for store in source.stores(recorded) {
            let name = |v: ValueId| self.names.values[v.index()];
            let store = PendingStore {
                object: name(store.object),
                value: name(store.value),
                ..*store
            };
            self.out.pending_stores.push(store);
        }
        let store_count = self.out.pending_stores.len() as u32 - first_store;
        let reason = source.snapshots[recorded.index()].reason;
        self.out.snapshots.push(Snapshot {
            first,
            count,
            first_store,
            store_count,
            reason,
        });
        let name = SnapshotId(self.out.snapshots.len() as u32 - 1);
        self.names.snapshots[recorded.index()] = name;
        name
    }

    /// A snapshot where a truth value is known: its box is one of the two bools.
    pub(super) fn snapshot_with(
        &mut self,
        id: SnapshotId,
        value: ValueId,
        truth: bool,
    ) -> SnapshotId {
        let is_box = |trace: &Trace, object: ValueId| {
            let inst = trace.inst(object);
            inst.uop == Uop::BoxBool && inst.args[0] == value
        };
        let out = &self.out;
        if !out
            .frames(id)
            .iter()
            .any(|frame| out.slots(frame).iter().any(|slot| is_box(out, slot.value)))
        {
            return id;
        }
        let object = self.constant(
            Uop::ConstObject,
            if truth {
                self.types.true_
            } else {
                self.types.false_
            },
        );
        let out = &mut self.out;
        let Snapshot { first, count, .. } = out.snapshots[id.index()];
        let new_first = out.frame_states.len() as u32;
        for index in first..first + count {
            let frame = out.frame_states[index as usize];
            let start = out.slot_values.len() as u32;
            for slot in frame.first..frame.first + frame.count {
                let SlotValue { slot, value } = out.slot_values[slot as usize];
                let value = if is_box(out, value) { object } else { value };
                out.slot_values.push(SlotValue { slot, value });
            }
            out.frame_states.push(FrameState {
                first: start,
                ..frame
            });
        }
        let snapshot = out.snapshots[id.index()];
        out.snapshots.push(Snapshot {
            first: new_first,
            ..snapshot
        });
        SnapshotId(out.snapshots.len() as u32 - 1)
    }

    fn frame(&mut self, recorded: FrameId) -> FrameId {
        let index = recorded.index() - 1;
        let known = self.names.frames[index];
        if known.is_some() {
            return known;
        }
        let frame = self.source().inlined[index];
        let caller = if frame.caller.0 == 0 {
            frame.caller
        } else {
            self.frame(frame.caller)
        };
        let here = InlinedFrame {
            caller,
            function: self.names.values[frame.function.index()],
            ..frame
        };
        let index = self
            .out
            .inlined
            .iter()
            .position(|f| *f == here)
            .unwrap_or_else(|| {
                self.out.inlined.push(here);
                self.out.inlined.len() - 1
            });
        let name = FrameId(index as u32 + 1);
        self.names.frames[recorded.index() - 1] = name;
        name
    }
}
