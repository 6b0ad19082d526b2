//! Before a link: one turn of the target's loop as part of the linking trace, where a link at once would lose identities.
//!
//! A loop that keeps the number in a slot unboxed gets from a link only its value. That is right if the slot's object is a
//! number that this trace has just made and nobody else has. But after `n = i` two slots hold one object, and after `x = 0.0`
//! the slot holds the code's own constant: an exit in the first turn would make another. So the first turn is done here,
//! where the object is at hand; after it, every slot that the loop changes holds a number made in it.
//!
//! ```text
//! v9 = box_int v8                            v9 = box_int v8
//! store_slot v9, v1, 0     # i               ...
//! store_slot v9, v2, 1     # n = i           guard_int_ne_imm v8, 1 @s7      # s7: 1=v9
//! end link 3 v8                        =>    v20 = int_shr_imm v8, 1
//!                                            end link 3 v20
//! ```

use crate::ir::{
    End, FrameId, FrameState, InlinedFrame, Inst, ParamSource, PendingStore, SlotValue, Snapshot,
    SnapshotId, Trace, ValueId,
};
use crate::opt::HostTypes;
use serigraph_uops::Uop;

/// What the target derives from phis: the slot and the sunk sum.
pub(crate) fn derived(target: &Trace) -> impl Iterator<Item = (u32, ValueId)> + '_ {
    let params = target.loop_params.iter().skip(target.phis().count());
    params.filter_map(|param| match param.source {
        ParamSource::SlotInt(slot) => Some((slot, param.value)),
        _ => None,
    })
}

/// For each phi of the target, and after them for each number that is derived from one: its slot, if the loop keeps the number
/// in it unboxed and leaves the slot stale.
pub(crate) fn lazy_slots(target: &Trace) -> Vec<Option<u32>> {
    let slot = |source: ParamSource| match source {
        ParamSource::SlotInt(slot) | ParamSource::SlotFloat(slot) | ParamSource::SlotBool(slot) => {
            Some(slot)
        }
        _ => None,
    };
    let phis = target.phis().zip(&target.loop_params);
    phis.map(|(_, param)| slot(param.source).filter(|slot| !target.loop_synced.contains(slot)))
        .chain(derived(target).map(|(slot, _)| Some(slot)))
        .collect()
}

/// Whether nobody but one slot has this number: then any object of its value will do. `state` is what all slots hold at the
/// end of the trace.
pub(crate) fn is_own(
    trace: &Trace,
    types: &HostTypes,
    state: &[SlotValue],
    value: ValueId,
) -> bool {
    let inst = trace.inst(value);
    match inst.uop {
        Uop::BoxBool => return true,
        Uop::ConstObject if inst.imm != 0 => {
            let type_address = (types.type_of)(inst.imm);
            let small = || (types.int_value)(inst.imm).and_then(types.small_int) == Some(inst.imm);
            return type_address == types.bool_ || (type_address == types.int && small());
        }
        Uop::BoxInt | Uop::BoxFloat => {}
        _ => return false,
    }
    let held = state.iter().filter(|s| s.value == value).count();
    held == 1
        && trace.insts.iter().all(|user| {
            let harmless = matches!(
                user.uop,
                Uop::IncRef
                    | Uop::DecRef
                    | Uop::DecRefPlain
                    | Uop::XDecRef
                    | Uop::UnboxInt
                    | Uop::UnboxFloat
                    | Uop::GuardType
                    | Uop::GuardIsNot
                    | Uop::StoreSlot
                    | Uop::SyncSlot
            );
            harmless || !user.inputs().contains(&value)
        })
}

/// What a phi of the target, or what is derived from one, gets from the back edge: a value, and what it has to be added to it.
fn next(target: &Trace, value: ValueId) -> (ValueId, u64) {
    let inst = target.inst(value);
    let (phi, more) = match inst.uop {
        Uop::Phi => (value, 0),
        _ => (inst.args[0], inst.imm),
    };
    let number = target.phis().take_while(|p| *p != phi).count();
    (target.end_args()[number], more)
}

/// Which phis of the target, and derived numbers, are of the loop's own after the back edge, given which were.
pub(crate) fn own_after_turn(target: &Trace, own: &[bool]) -> Vec<bool> {
    let phis: Vec<ValueId> = target.phis().collect();
    let from = |value: ValueId| phis.iter().position(|phi| *phi == value);
    let after = |value: ValueId| {
        let (next, more) = next(target, value);
        let inst = target.inst(next);
        // The sum of the back edge, less what is less, is the number that the slot holds.
        let held = match inst.uop {
            Uop::IntAddWrapImm if more == inst.imm.wrapping_neg() => inst.args[0],
            _ if more == 0 => next,
            _ => return true,
        };
        from(held).is_none_or(|phi| own[phi])
    };
    let values = phis.iter().copied().chain(derived(target).map(|d| d.1));
    values.map(after).collect()
}

/// Appends one turn of the target's loop. `names` are the target's values here: phis, invariants; after it, the phis are
/// what the back edge gives them. `objects` is what the header's slots hold.
pub(crate) fn append_turn(
    trace: &mut Trace,
    target: &Trace,
    names: &mut [ValueId],
    objects: &[SlotValue],
) {
    let (Some(start), End::Loop(next)) = (target.loop_start, &target.end) else {
        return;
    };
    let lazy = lazy_slots(target);
    let mut phis: Vec<ValueId> = target.phis().collect();
    let first = start.index() + 1 + phis.len();
    phis.extend(derived(target).map(|d| d.1));
    // The sums of the derived numbers, and the boxes.
    let head = first + 2 * phis.len() - next.len();
    let mut turn = Turn {
        trace,
        target,
        names,
        snapshots: vec![SnapshotId::NONE; target.snapshots.len()],
    };
    for (i, inst) in target.insts.iter().enumerate().skip(first) {
        // The box of a phi is the object in the slot.
        let known = phis
            .iter()
            .position(|phi| inst.sunk && inst.args[0] == *phi)
            .and_then(|p| lazy[p]);
        let object = known.and_then(|slot| objects.iter().find(|o| o.slot == slot));
        turn.names[i] = match object {
            Some(object) if i < head => object.value,
            _ if phis.contains(&ValueId(i as u32)) => continue,
            _ => turn.copy(inst),
        };
    }
    let after: Vec<ValueId> = phis.iter().map(|phi| turn.next(*phi)).collect();
    for (phi, value) in phis.iter().zip(after) {
        turn.names[phi.index()] = value;
    }
}

struct Turn<'a> {
    trace: &'a mut Trace,
    target: &'a Trace,
    names: &'a mut [ValueId],
    snapshots: Vec<SnapshotId>,
}

impl Turn<'_> {
    fn name(&self, value: ValueId) -> ValueId {
        if value.is_some() {
            self.names[value.index()]
        } else {
            value
        }
    }

    /// A box from before the loop that only exits make: of an invariant, which has a name here.
    fn make(&mut self, value: ValueId) {
        let inst = *self.target.inst(value);
        if self.name(value).is_none() && inst.sunk && self.name(inst.args[0]).is_some() {
            let args = inst.args.map(|a| self.name(a));
            self.names[value.index()] = self.trace.push(Inst {
                args,
                snapshot: SnapshotId::NONE,
                ..inst
            });
        }
    }

    fn copy(&mut self, inst: &Inst) -> ValueId {
        let args = inst.args.map(|a| self.name(a));
        let snapshot = self.snapshot(inst.snapshot);
        self.trace.push(Inst {
            args,
            snapshot,
            // What exits add up is added up, for the optimiser to leave to the exits again.
            sunk: inst.sunk && !inst.is_sum(),
            ..*inst
        })
    }

    /// What a phi, or what is derived from one, gets from the back edge.
    fn next(&mut self, phi: ValueId) -> ValueId {
        let (next, more) = next(self.target, phi);
        let inst = self.target.inst(next);
        match inst.uop {
            _ if more == 0 => self.name(next),
            Uop::IntAddWrapImm if more == inst.imm.wrapping_neg() => self.name(inst.args[0]),
            _ => {
                let args = [self.name(next)];
                let sum = Inst::new(Uop::IntAddWrapImm, &args, more, SnapshotId::NONE);
                self.trace.push(sum)
            }
        }
    }

    fn snapshot(&mut self, id: SnapshotId) -> SnapshotId {
        if id.is_none() || self.snapshots[id.index()].is_some() {
            return if id.is_none() {
                id
            } else {
                self.snapshots[id.index()]
            };
        }
        let target = self.target;
        let mut caller = FrameId(0);
        let mut frames = Vec::with_capacity(target.frames(id).len());
        for frame in target.frames(id) {
            if frame.frame.0 > 0 {
                let inlined = target.inlined[frame.frame.index() - 1];
                self.trace.inlined.push(InlinedFrame {
                    caller,
                    function: self.name(inlined.function),
                    ..inlined
                });
                caller = FrameId(self.trace.inlined.len() as u32);
            }
            for slot in target.slots(frame) {
                self.make(slot.value);
            }
            let first = self.trace.slot_values.len() as u32;
            for slot in target.slots(frame) {
                let value = self.name(slot.value);
                self.trace.slot_values.push(SlotValue { value, ..*slot });
            }
            frames.push(FrameState {
                frame: caller,
                first,
                ..*frame
            });
        }
        let first = self.trace.frame_states.len() as u32;
        self.trace.frame_states.append(&mut frames);
        let first_store = self.trace.pending_stores.len() as u32;
        for store in target.stores(id) {
            let (object, value) = (self.name(store.object), self.name(store.value));
            self.trace.pending_stores.push(PendingStore {
                object,
                value,
                ..*store
            });
        }
        let old = target.snapshots[id.index()];
        self.trace.snapshots.push(Snapshot {
            first,
            first_store,
            ..old
        });
        self.snapshots[id.index()] = SnapshotId(self.trace.snapshots.len() as u32 - 1);
        self.snapshots[id.index()]
    }
}
