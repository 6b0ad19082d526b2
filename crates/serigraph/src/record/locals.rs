//! Locals, constants, cells, and moving values about on the stack.

use serigraph_cpython::layout;
use serigraph_trace::ir::ValueId;
use serigraph_uops::{Reason, Uop};

use super::frame::{Place, Release, Slot};
use super::{Recorder, Stop};
use crate::host::helpers::Helper;
use crate::host::object;

impl Recorder<'_> {
    pub(super) fn load_fast(&mut self, slots: &[u32]) -> Result<(), Stop> {
        let mut values = [ValueId::NONE; 2];
        for (value, &slot) in values.iter_mut().zip(slots) {
            // An unbound local: the interpreter raises.
            let Some(local) = self.read(slot)? else {
                return Err(self.abort(Reason::ExceptionRaised));
            };
            self.guard_not_null_local(local)?;
            *value = local;
        }
        for &value in &values[..slots.len()] {
            self.push_borrowed(value)?;
        }
        self.next()
    }

    /// `LOAD_FAST_CHECK` has to look; the compiler has made sure for the others.
    fn guard_not_null_local(&mut self, value: ValueId) -> Result<(), Stop> {
        use serigraph_cpython::bytecode::Opcode;
        if self.instruction.opcode == Opcode::LoadFastCheck {
            return self.guard_not_null(value);
        }
        self.fact_mut(value).not_null = true;
        Ok(())
    }

    pub(super) fn load_fast_and_clear(&mut self, slot: u32) -> Result<(), Stop> {
        let frame = self.innermost();
        let old = self.read_or_null(slot)?;
        if self.bits(old) == 0 {
            if !self.fact(old).constant {
                self.emit(Uop::GuardIs, &[old], 0)?;
            }
        } else {
            self.guard_not_null(old)?;
        }
        self.committed = true;
        let null = self.constant(0)?;
        let in_memory = frame == 0 && self.frames[0].slots[slot as usize].place == Place::Memory;
        if self.bits(old) == 0 {
            self.push(null);
            return self.next();
        }
        if in_memory {
            self.emit(Uop::StoreSlot, &[null, old], slot.into())?;
            self.frames[0].slots[slot as usize].value = null;
        } else if frame == 0 {
            self.frames[0].slots[slot as usize].value = null;
        } else {
            self.frames[frame].slots[slot as usize] = Slot::EMPTY;
        }
        // The slot's reference is the stack's now.
        if in_memory && self.fact(old).immortal {
            self.emit(Uop::DecRefPlain, &[old], 0)?;
        }
        self.push(old);
        self.next()
    }

    /// The value of a slot, null included.
    fn read_or_null(&mut self, slot: u32) -> Result<ValueId, Stop> {
        let frame = self.innermost();
        self.read(slot)?;
        match self.frames[frame].slots[slot as usize].value {
            ValueId::NONE => self.constant(0),
            value => Ok(value),
        }
    }

    pub(super) fn load_const(&mut self, index: u32) -> Result<(), Stop> {
        let address = object::address(self.frames[self.innermost()].code.constant(index));
        let value = self.constant(address)?;
        self.push_borrowed(value)?;
        self.next()
    }

    /// What a store to a slot displaces, and how it is released. Null is given as the constant, whose references nobody
    /// counts.
    fn displaced(&mut self, slot: u32) -> Result<(ValueId, Release), Stop> {
        let frame = self.innermost();
        let old = self.read_or_null(slot)?;
        let mut kind = self.release_kind(old, (frame, slot, slot))?;
        if self.bits(old) == 0 {
            return Ok((self.constant(0)?, Release::Nothing));
        }
        if kind == Release::Nothing && frame == 0 && self.fact(old).immortal && self.bits(old) != 0
        {
            // The slot's memory owned a real reference.
            kind = Release::Plain;
        }
        Ok((old, kind))
    }

    /// Puts a value (with its reference) into a slot and releases the one that was there.
    fn set_local(
        &mut self,
        slot: u32,
        value: ValueId,
        old: ValueId,
        kind: Release,
    ) -> Result<(), Stop> {
        let frame = self.innermost();
        if frame == 0 {
            self.own(value)?;
            if self.frames[0].slots[slot as usize].place == Place::Memory {
                self.emit(Uop::StoreSlot, &[value, old], slot.into())?;
                self.frames[0].slots[slot as usize].value = value;
                return self.release(old, kind);
            }
            self.emit(Uop::SyncSlot, &[value], slot.into())?;
            self.frames[0].slots[slot as usize] = Slot {
                value,
                place: Place::Memory,
            };
            let counted = !self.fact(old).immortal;
            return self.release(old, if counted { kind } else { Release::Nothing });
        }
        self.frames[frame].slots[slot as usize] = Slot {
            value,
            place: Place::Trace,
        };
        self.release(old, kind)
    }

    pub(super) fn store_fast(&mut self, slot: u32) -> Result<(), Stop> {
        let (old, kind) = self.displaced(slot)?;
        let value = self.pop()?;
        self.set_local(slot, value, old, kind)?;
        self.next()
    }

    pub(super) fn store_fast_store_fast(&mut self, first: u32, second: u32) -> Result<(), Stop> {
        let (old_first, kind_first) = self.displaced(first)?;
        if first == second {
            // The first store's value is displaced by the second.
            return Err(self.unsupported());
        }
        let (old_second, kind_second) = self.displaced(second)?;
        let kind_second = self.both_displaced(
            old_first,
            kind_first,
            first,
            old_second,
            kind_second,
            second,
        )?;
        let value = self.pop()?;
        self.set_local(first, value, old_first, kind_first)?;
        let value = self.pop()?;
        self.set_local(second, value, old_second, kind_second)?;
        self.next()
    }

    /// Two slots that held one object, each the other's reason to be released as plain.
    fn both_displaced(
        &mut self,
        old_first: ValueId,
        kind_first: Release,
        first: u32,
        old_second: ValueId,
        kind_second: Release,
        second: u32,
    ) -> Result<Release, Stop> {
        let one_object = self.bits(old_first) == self.bits(old_second) && self.bits(old_first) != 0;
        let (Release::Plain, Release::Plain, true) = (kind_first, kind_second, one_object) else {
            return Ok(kind_second);
        };
        let exact = self.fact(old_second).exact_type;
        let frame = self.innermost();
        let except = (frame, first.min(second), first.max(second));
        let apart = self.types.is_plain(exact)
            || self.fact(old_second).is_held()
            || self.fact(old_second).immortal;
        if apart || self.is_held(old_second, except, 3) {
            return Ok(kind_second);
        }
        Err(self.unsupported())
    }

    pub(super) fn store_fast_load_fast(&mut self, store: u32, load: u32) -> Result<(), Stop> {
        let (old, kind) = self.displaced(store)?;
        let loaded = if load == store {
            None
        } else {
            self.read(load)?
        };
        if load != store && loaded.is_none() {
            return Err(self.abort(Reason::ExceptionRaised));
        }
        let value = self.pop()?;
        self.set_local(store, value, old, kind)?;
        let loaded = loaded.unwrap_or(value);
        self.fact_mut(loaded).not_null = true;
        self.push_borrowed(loaded)?;
        self.next()
    }

    pub(super) fn delete_fast(&mut self, slot: u32) -> Result<(), Stop> {
        let (old, kind) = self.displaced(slot)?;
        if self.bits(old) == 0 {
            return Err(self.abort(Reason::ExceptionRaised));
        }
        self.committed = true;
        if self.innermost() == 0 {
            let null = self.constant(0)?;
            self.set_local(slot, null, old, kind)?;
        } else {
            let frame = self.innermost();
            self.frames[frame].slots[slot as usize] = Slot::EMPTY;
            self.release(old, kind)?;
        }
        self.next()
    }

    pub(super) fn pop_top(&mut self) -> Result<(), Stop> {
        let kinds = self.releases::<1>()?;
        self.pop_release(&kinds)?;
        self.next()
    }

    pub(super) fn push_null(&mut self) -> Result<(), Stop> {
        let null = self.constant(0)?;
        self.push(null);
        self.next()
    }

    pub(super) fn copy(&mut self, depth: u32) -> Result<(), Stop> {
        let value = self.peek(depth - 1)?;
        if self.bits(value) == 0 {
            self.push(value);
        } else {
            self.push_borrowed(value)?;
        }
        self.next()
    }

    pub(super) fn swap(&mut self, depth: u32) -> Result<(), Stop> {
        let frame = self.innermost();
        let top = self.frames[frame].top - 1;
        let bottom = top + 1 - depth;
        self.take_from_memory(bottom)?;
        self.committed = true;
        self.frames[frame].slots.swap(top as usize, bottom as usize);
        self.next()
    }

    /// 3.12 pops two values, 3.13 one; both have jumped past it when the iterator ended.
    pub(super) fn end_for(&mut self) -> Result<(), Stop> {
        let n = match self.minor {
            serigraph_cpython::version::Minor::V312 => 2,
            serigraph_cpython::version::Minor::V313 => 1,
        };
        let kinds = self.release_list(n)?;
        self.pop_release(&kinds)?;
        self.next()
    }

    // --- Cells.

    pub(super) fn load_deref(&mut self, slot: u32) -> Result<(), Stop> {
        let Some(cell) = self.read(slot)? else {
            return Err(self.abort(Reason::BadCode));
        };
        let content = self.emit(Uop::LoadObject, &[cell], layout().cell.content as u64)?;
        if self.bits(content) == 0 {
            return Err(self.abort(Reason::ExceptionRaised));
        }
        self.guard_not_null(content)?;
        self.push_borrowed(content)?;
        self.next()
    }

    pub(super) fn store_deref(&mut self, slot: u32) -> Result<(), Stop> {
        let Some(cell) = self.read(slot)? else {
            return Err(self.abort(Reason::BadCode));
        };
        let old = self.emit(Uop::LoadObject, &[cell], layout().cell.content as u64)?;
        let kind = self.release_kind(old, (usize::MAX, 0, 0))?;
        let value = self.peek(0)?;
        let displaced = self.leaf(Uop::LeafObject2, Helper::ExchangeCell, &[cell, value])?;
        // The cell holds it now.
        let counted = if self.fact(value).immortal {
            Release::Nothing
        } else {
            Release::Plain
        };
        self.pop_release(&[counted])?;
        self.release(
            displaced,
            if kind == Release::Escaping {
                kind
            } else {
                Release::Plain
            },
        )?;
        self.next()
    }

    /// In an inlined function only: f0 has begun long before.
    pub(super) fn copy_free_vars(&mut self, count: u32) -> Result<(), Stop> {
        let frame = self.innermost();
        if frame == 0 {
            return Err(self.abort(Reason::UnsupportedOpcode));
        }
        let function = self.frames[frame].function;
        if !self.fact(function).constant {
            return Err(self.unsupported());
        }
        let closure = object::Function::of(self.bits(function)).closure;
        if closure == 0 || object::size(closure) != i64::from(count) {
            return Err(self.abort(Reason::BadCode));
        }
        let first = self.frames[frame].locals - count;
        for i in 0..count {
            let cell = self.constant(object::tuple_item(closure, i as usize))?;
            self.take_reference(cell)?;
            self.frames[frame].slots[(first + i) as usize] = Slot {
                value: cell,
                place: Place::Trace,
            };
        }
        self.next()
    }
}
