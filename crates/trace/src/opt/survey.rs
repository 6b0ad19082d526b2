//! What one recorded iteration changes: the slots, the iterators, and the classes of memory that it writes. Looked up before
//! the loop is made, to know what is invariant.

use super::facts::Fact;
use super::forward::overwrites;
use super::memory::{Class, Place, overlap};
use super::types::HostTypes;
use crate::ir::{SlotValue, SnapshotId, Trace, ValueId};
use serigraph_uops::{Effects, Uop};

/// What one iteration changes.
pub(super) struct Survey {
    /// The slots of f0 that are different (or may be) at the end, with the recorded values they have there, by slot.
    pub changed: Vec<SlotValue>,
    /// Classes of memory written other than by stores to a known place.
    pub writes: Effects,
    /// Arbitrary code may run.
    pub escapes: bool,
    /// The iterator fields stored to, as (recorded object, offset).
    pub iterator_stores: Vec<(ValueId, u64)>,
    /// All iterator fields stored or loaded belong to one recorded object.
    pub one_iterator: bool,
    /// Called code may look at iterators.
    pub iterators_seen: bool,
    field_stores: Vec<u64>,
}

impl Survey {
    /// Looks at a recorded iteration whose state at the end is in `header`.
    pub fn new(trace: &Trace, header: SnapshotId, types: &HostTypes) -> Survey {
        let mut survey = Survey {
            changed: Vec::new(),
            writes: Effects::NONE,
            escapes: false,
            iterator_stores: Vec::new(),
            one_iterator: true,
            iterators_seen: false,
            field_stores: Vec::new(),
        };
        let mut stored_slots: Vec<u64> = Vec::new();
        let mut plain = vec![false; trace.insts.len()];
        let mut iterator = ValueId::NONE;
        for (i, inst) in trace.insts.iter().enumerate() {
            let info = inst.uop.info();
            match inst.uop {
                Uop::BoxInt | Uop::BoxFloat | Uop::BoxBool => plain[i] = true,
                Uop::ConstObject => {
                    plain[i] = inst.imm == 0 || types.is_plain((types.type_of)(inst.imm))
                }
                Uop::GuardType => plain[inst.args[0].index()] = types.is_plain(inst.imm),
                Uop::DecRef | Uop::XDecRef if plain[inst.args[0].index()] => {
                    survey.writes = survey.writes | Effects::COUNTS;
                    continue;
                }
                Uop::StoreSlot | Uop::SyncSlot | Uop::TakeSlot => stored_slots.push(inst.imm),
                Uop::IterLoad | Uop::IterStore | Uop::IterSequence => {
                    survey.one_iterator &= iterator.is_none() || iterator == inst.args[0];
                    iterator = inst.args[0];
                }
                _ => {}
            }
            match inst.uop {
                Uop::IterStore => {
                    if !survey.iterator_stores.contains(&(inst.args[0], inst.imm)) {
                        survey.iterator_stores.push((inst.args[0], inst.imm));
                    }
                    continue;
                }
                Uop::StoreObject | Uop::StoreVia => {
                    survey.field_stores.push(inst.imm);
                    continue;
                }
                _ => {}
            }
            survey.writes = survey.writes | overwrites(inst.uop);
            survey.escapes |= info.escapes();
            survey.iterators_seen |= info.reads.intersects(Effects::ITERATOR) && info.calls;
        }
        survey.iterators_seen |= survey.escapes;
        if let Some(frame) = trace.frames(header).first() {
            for slot in trace.slots(frame) {
                let value = trace.inst(slot.value);
                let same = value.uop == Uop::LoadSlot && value.imm == u64::from(slot.slot);
                if !same || stored_slots.contains(&u64::from(slot.slot)) {
                    survey.changed.push(*slot);
                }
            }
        }
        survey
    }

    /// Whether the iteration changes a slot of f0.
    pub fn changes(&self, slot: u64) -> bool {
        self.changed.iter().any(|c| u64::from(c.slot) == slot)
    }

    /// Whether the iteration may overwrite a place.
    pub fn overwrites(&self, place: &Place, facts: &[Fact]) -> bool {
        match place.class {
            Class::Iterator => {
                self.iterator_stores
                    .iter()
                    .any(|(_, offset)| overlap(*offset, place.key))
                    || (self.writes.intersects(Effects::ITERATOR)
                        && !facts[place.object.index()].unshared)
            }
            Class::Field => {
                self.field_stores
                    .iter()
                    .any(|offset| overlap(*offset, place.key))
                    || self.writes.intersects(Effects::HEAP)
            }
            Class::Item => self
                .writes
                .intersects(Effects::LIST_ITEMS | Effects::LIST_SHAPE),
        }
    }
}
