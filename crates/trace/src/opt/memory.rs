//! What memory is known to hold: the slots of f0, fields of objects and iterators, items of lists.
//!
//! A store is remembered until something that may write the same place comes by; then a load of it is the stored value.
//! Iterators and other objects are told apart by class; two fields of one class may be one place if their offsets
//! overlap, unless both objects are the same value. An iterator that has one reference, on the operand stack, is nobody
//! else's: no other value names it, and no call reaches it.

use super::facts::Fact;
use crate::ir::{Inst, ValueId};
use serigraph_uops::{Effects, Uop};

/// The places told apart.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Class {
    /// A field of an iterator, by offset.
    Iterator,
    /// A field of another object, by offset.
    Field,
    /// An item, by the items' address and index.
    Item,
}

/// A place a uop loads from or stores to: its class, object (or items' address) and offset (or index value).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Place {
    pub class: Class,
    pub object: ValueId,
    pub key: u64,
    /// Loads of different widths or kinds of one field are not forwarded to one another.
    pub width: Uop,
}

/// The place a uop loads from, if memory keeps track of it.
pub(super) fn loaded(inst: &Inst) -> Option<Place> {
    let (class, key) = match inst.uop {
        Uop::IterLoad | Uop::IterSequence => (Class::Iterator, inst.imm),
        Uop::LoadObject | Uop::LoadInt | Uop::LoadInt32 | Uop::InstanceValues | Uop::LoadVia => {
            (Class::Field, inst.imm)
        }
        Uop::ItemAt => (Class::Item, u64::from(inst.args[1].0)),
        _ => return None,
    };
    Some(Place {
        class,
        object: inst.args[0],
        key,
        width: inst.uop,
    })
}

/// The place a uop stores to, and what.
pub(super) fn stored(inst: &Inst) -> Option<(Place, ValueId)> {
    let (class, key, width, value) = match inst.uop {
        Uop::IterStore => (Class::Iterator, inst.imm, Uop::IterLoad, inst.args[1]),
        Uop::StoreObject => (Class::Field, inst.imm, Uop::LoadObject, inst.args[1]),
        Uop::StoreVia => (Class::Field, inst.imm, Uop::LoadVia, inst.args[1]),
        Uop::ListExchange => (
            Class::Item,
            u64::from(inst.args[1].0),
            Uop::ItemAt,
            inst.args[2],
        ),
        _ => return None,
    };
    Some((
        Place {
            class,
            object: inst.args[0],
            key,
            width,
        },
        value,
    ))
}

/// Whether fields at these offsets can share a byte.
pub(super) fn overlap(a: u64, b: u64) -> bool {
    a.abs_diff(b) < 8
}

struct Entry {
    place: Place,
    value: ValueId,
}

/// What memory is known to hold.
#[derive(Default)]
pub(super) struct Memory {
    entries: Vec<Entry>,
    slots: Vec<ValueId>,
}

/// No more places than this are remembered.
const LIMIT: usize = 32;

impl Memory {
    /// Keeps only what the condition holds for.
    pub fn retain(&mut self, keep: impl Fn(&Place, ValueId) -> bool) {
        self.entries.retain(|e| keep(&e.place, e.value));
    }

    /// Keeps only the slots whose content the condition holds for.
    pub fn retain_slots(&mut self, keep: impl Fn(ValueId) -> bool) {
        for slot in &mut self.slots {
            if slot.is_some() && !keep(*slot) {
                *slot = ValueId::NONE;
            }
        }
    }

    /// What a slot of f0 is known to hold, or `NONE`.
    pub fn slot(&self, slot: u64) -> ValueId {
        self.slots
            .get(slot as usize)
            .copied()
            .unwrap_or(ValueId::NONE)
    }

    /// Notes what a slot of f0 holds.
    pub fn set_slot(&mut self, slot: u64, value: ValueId) {
        let slot = slot as usize;
        if self.slots.len() <= slot {
            self.slots.resize(slot + 1, ValueId::NONE);
        }
        self.slots[slot] = value;
    }

    /// What a place is known to hold.
    pub fn get(&self, place: &Place) -> Option<ValueId> {
        self.entries
            .iter()
            .rev()
            .find(|e| e.place == *place)
            .map(|e| e.value)
    }

    /// Notes what a place was found to hold.
    pub fn learn(&mut self, place: Place, value: ValueId) {
        if self.entries.len() == LIMIT {
            self.entries.remove(0);
        }
        self.entries.push(Entry { place, value });
    }

    /// Notes a store.
    pub fn store(&mut self, place: Place, value: ValueId, facts: &[Fact]) {
        let unshared = |v: ValueId| facts[v.index()].unshared;
        let constant = |key: u64| facts[key as usize].constant();
        self.entries.retain(|entry| {
            let e = &entry.place;
            if e.class != place.class {
                return true;
            }
            match e.class {
                Class::Iterator if e.object != place.object && (unshared(e.object) || unshared(place.object)) => true,
                Class::Iterator | Class::Field => !overlap(e.key, place.key),
                Class::Item => {
                    e.object == place.object
                        && matches!((constant(e.key), constant(place.key)), (Some(a), Some(b)) if a != b)
                }
            }
        });
        self.learn(place, value);
    }

    /// Forgets what a uop with these effects may overwrite.
    pub fn clobber(&mut self, writes: Effects, facts: &[Fact]) {
        if !writes.intersects(
            Effects::ITERATOR | Effects::HEAP | Effects::LIST_ITEMS | Effects::LIST_SHAPE,
        ) {
            return;
        }
        self.entries.retain(|e| match e.place.class {
            Class::Iterator => {
                !writes.intersects(Effects::ITERATOR) || facts[e.place.object.index()].unshared
            }
            Class::Field => !writes.intersects(Effects::HEAP),
            Class::Item => !writes.intersects(Effects::LIST_ITEMS | Effects::LIST_SHAPE),
        });
    }
}
