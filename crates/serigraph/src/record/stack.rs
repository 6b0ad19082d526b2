//! The operand stack and the slots of frames: reading them, and giving up references as the interpreter does.
//!
//! A handler first looks at its operands ([`Recorder::peek`]), emits every guard and whatever can raise, and only then changes
//! the frames ([`Recorder::pop_release`], [`Recorder::push`]): until then the snapshot is the state before the instruction.

use serigraph_trace::ir::ValueId;
use serigraph_uops::Uop;

use super::frame::{Fact, Place, Release, Slot};
use super::{Recorder, Stop};
use crate::host::object;

impl Recorder<'_> {
    #[inline]
    pub(super) fn innermost(&self) -> usize {
        self.frames.len() - 1
    }

    // --- Reading.

    /// The value of a slot of the innermost frame; `None` if it is null.
    pub(super) fn read(&mut self, slot: u32) -> Result<Option<ValueId>, Stop> {
        let frame = self.innermost();
        let content = self.frames[frame].slots[slot as usize];
        if content.value.is_none() {
            if content.place == Place::Trace {
                return Ok(None);
            }
            let value = self.emit(Uop::LoadSlot, &[], slot.into())?;
            self.frames[frame].slots[slot as usize].value = value;
            return Ok((self.bits(value) != 0).then_some(value));
        }
        Ok((self.bits(content.value) != 0).then_some(content.value))
    }

    /// The operand this far below the top of the stack (0: the top). Null is a value here, of bits 0.
    pub(super) fn peek(&mut self, below: u32) -> Result<ValueId, Stop> {
        let frame = self.innermost();
        let slot = self.frames[frame].top - 1 - below;
        if self.frames[frame].slots[slot as usize].value.is_none() {
            self.read(slot)?;
        }
        if self.frames[frame].slots[slot as usize].value.is_none() {
            // A null in an inlined frame: at the beginning of a side trace those have no name.
            self.frames[frame].slots[slot as usize].value = self.constant(0)?;
        }
        Ok(self.frames[frame].slots[slot as usize].value)
    }

    /// The top `N` operands, the deepest first.
    pub(super) fn operands<const N: usize>(&mut self) -> Result<[ValueId; N], Stop> {
        let mut operands = [ValueId::NONE; N];
        for (i, operand) in operands.iter_mut().enumerate() {
            *operand = self.peek((N - 1 - i) as u32)?;
        }
        Ok(operands)
    }

    /// The top `n` operands, the deepest first.
    pub(super) fn operand_list(&mut self, n: u32) -> Result<Vec<ValueId>, Stop> {
        (0..n).rev().map(|below| self.peek(below)).collect()
    }

    // --- Changing.

    /// Pushes a value of which the stack gets a reference that the trace owns (or need not own).
    pub(super) fn push(&mut self, value: ValueId) {
        self.committed = true;
        let frame = self.frames.last_mut().expect("there is always f0");
        frame.slots[frame.top as usize] = Slot {
            value,
            place: Place::Trace,
        };
        frame.top += 1;
    }

    /// Pushes a new reference to a borrowed value.
    pub(super) fn push_borrowed(&mut self, value: ValueId) -> Result<(), Stop> {
        self.take_reference(value)?;
        self.push(value);
        Ok(())
    }

    /// One more reference to a value that is not null, where references to it are counted.
    pub(super) fn take_reference(&mut self, value: ValueId) -> Result<(), Stop> {
        self.committed = true;
        if !self.fact(value).immortal {
            self.emit(Uop::IncRef, &[value], 0)?;
        }
        Ok(())
    }

    /// Makes sure that the trace really owns the reference that it is about to give to memory.
    pub(super) fn own(&mut self, value: ValueId) -> Result<(), Stop> {
        if self.fact(value).immortal && self.bits(value) != 0 {
            self.emit(Uop::IncRef, &[value], 0)?;
        }
        Ok(())
    }

    /// Takes the operand on top off the stack, with its reference.
    pub(super) fn pop(&mut self) -> Result<ValueId, Stop> {
        let frame = self.innermost();
        let slot = self.frames[frame].top - 1;
        self.take_from_memory(slot)?;
        self.committed = true;
        let frame = &mut self.frames[frame];
        frame.top = slot;
        Ok(frame.slots[slot as usize].value)
    }

    /// Takes the stack from `slot` up out of memory (of f0), the top first.
    pub(super) fn take_from_memory(&mut self, slot: u32) -> Result<(), Stop> {
        let frame = self.innermost();
        if frame != 0 {
            return Ok(());
        }
        for slot in (slot..self.frames[0].top).rev() {
            let content = self.frames[0].slots[slot as usize];
            if content.place == Place::Memory {
                let taken = self.emit(Uop::TakeSlot, &[], slot.into())?;
                self.committed = true;
                if content.value.is_some() {
                    *self.fact_mut(taken) = *self.fact(content.value);
                }
                self.frames[0].slots[slot as usize] = Slot {
                    value: taken,
                    place: Place::Trace,
                };
            }
        }
        Ok(())
    }

    /// Takes the top `kinds.len()` operands off and gives up their references, the deepest first; `kinds` as
    /// [`Recorder::releases`] or [`Recorder::releases_after_escape`] gave them.
    pub(super) fn pop_release(&mut self, kinds: &[Release]) -> Result<(), Stop> {
        let frame = self.innermost();
        let first = self.frames[frame].top - kinds.len() as u32;
        self.take_from_memory(first)?;
        self.committed = true;
        self.frames[frame].top = first;
        for (i, &kind) in kinds.iter().enumerate() {
            let value = self.frames[frame].slots[first as usize + i].value;
            self.release(value, kind)?;
        }
        Ok(())
    }

    // --- Giving up references.

    /// How the references of the top `N` operands can be given up: emits the guards that it takes.
    pub(super) fn releases<const N: usize>(&mut self) -> Result<[Release; N], Stop> {
        let mut kinds = [Release::Nothing; N];
        let frame = self.innermost();
        let first = self.frames[frame].top - N as u32;
        for (i, kind) in kinds.iter_mut().enumerate() {
            let value = self.peek((N - 1 - i) as u32)?;
            *kind = self.release_kind(value, (frame, first, first + i as u32))?;
        }
        self.check_twins(&kinds)?;
        Ok(kinds)
    }

    /// The same for any number.
    pub(super) fn release_list(&mut self, n: u32) -> Result<Vec<Release>, Stop> {
        let frame = self.innermost();
        let first = self.frames[frame].top - n;
        let kinds = (0..n)
            .map(|i| {
                let value = self.peek(n - 1 - i)?;
                self.release_kind(value, (frame, first, first + i))
            })
            .collect::<Result<Vec<_>, _>>()?;
        self.check_twins(&kinds)?;
        Ok(kinds)
    }

    /// One object under two names among the operands: found shared for each, but its releases may be the last two.
    fn check_twins(&mut self, kinds: &[Release]) -> Result<(), Stop> {
        let n = kinds.len() as u32;
        for (i, &kind) in kinds.iter().enumerate().skip(1) {
            let value = self.peek(n - 1 - i as u32)?;
            let fact = *self.fact(value);
            if kind != Release::Plain || self.types.is_plain(fact.exact_type) || fact.is_held() {
                continue;
            }
            for j in 0..i {
                let other = self.peek(n - 1 - j as u32)?;
                if other != value && self.bits(other) == self.bits(value) {
                    return Err(self.unsupported());
                }
            }
        }
        Ok(())
    }

    /// How the references of the top `n` operands can be given up by an instruction that has run any code: no guard
    /// may come after that, and none is needed, for the trace checks everything at the next instruction.
    pub(super) fn releases_after_escape(&mut self, n: u32) -> Result<Vec<Release>, Stop> {
        (0..n)
            .rev()
            .map(|below| {
                let value = self.peek(below)?;
                let fact = self.fact(value);
                Ok(if self.bits(value) == 0 || fact.immortal {
                    Release::Nothing
                } else if self.types.is_plain(fact.exact_type) {
                    Release::Plain
                } else {
                    Release::Escaping
                })
            })
            .collect()
    }

    /// How one reference to a value can be given up, found out before the instruction's effects. `except` are slots whose own
    /// references go first or at the same time: those of a frame from `except.1` to `except.2` inclusive.
    pub(super) fn release_kind(
        &mut self,
        value: ValueId,
        except: (usize, u32, u32),
    ) -> Result<Release, Stop> {
        let fact = *self.fact(value);
        let bits = self.bits(value);
        if bits == 0 {
            if !fact.constant {
                self.emit(Uop::GuardIs, &[value], 0)?;
            }
            return Ok(Release::Nothing);
        }
        if fact.immortal {
            return Ok(Release::Nothing);
        }
        if self.types.is_plain(fact.exact_type) || fact.is_held() || self.is_held(value, except, 3)
        {
            return Ok(Release::Plain);
        }
        let exact = object::type_address(bits);
        if self.types.is_plain(exact) {
            self.guard_type(value, exact)?;
            return Ok(Release::Plain);
        }
        if self.types.is_known(exact) {
            self.guard_type(value, exact)?;
        } else {
            self.guard_not_null(value)?;
        }
        if object::references(bits) > 1 + self.kept(bits) {
            self.emit(Uop::GuardShared, &[value], 0)?;
            return Ok(Release::Plain);
        }
        Ok(Release::Escaping)
    }

    /// Whether somebody else surely holds a reference to a value: another slot, or the container it was borrowed from.
    pub(super) fn is_held(&self, value: ValueId, except: (usize, u32, u32), depth: u32) -> bool {
        for (number, frame) in self.frames.iter().enumerate() {
            if frame.function == value {
                return true;
            }
            for (slot, content) in frame.slots[..frame.top as usize].iter().enumerate() {
                let is_excepted =
                    number == except.0 && (except.1..=except.2).contains(&(slot as u32));
                if content.value == value && !is_excepted {
                    return true;
                }
            }
        }
        let fact = self.fact(value);
        if depth == 0 || fact.container.is_none() || fact.epoch != self.epoch {
            return false;
        }
        self.fact(fact.container).is_held() || self.is_held(fact.container, except, depth - 1)
    }

    /// Gives up a reference that the trace owns.
    pub(super) fn release(&mut self, value: ValueId, kind: Release) -> Result<(), Stop> {
        match kind {
            Release::Nothing => {}
            Release::Plain => {
                self.emit(Uop::DecRefPlain, &[value], 0)?;
            }
            Release::Escaping => {
                self.before_escape()?;
                self.emit(Uop::DecRef, &[value], 0)?;
            }
        }
        Ok(())
    }

    // --- Types.

    /// The type of a value in this recording.
    pub(super) fn type_of(&self, value: ValueId) -> u64 {
        match self.fact(value).exact_type {
            0 => object::type_address(self.bits(value)),
            known => known,
        }
    }

    /// Makes sure that a value (not null now) has exactly this type, which is the one it has in this recording.
    pub(super) fn guard_type(&mut self, value: ValueId, exact: u64) -> Result<(), Stop> {
        if self.fact(value).exact_type != exact {
            // What a slot holds may be unbound another time, and `guard_type` looks into it.
            self.guard_not_null(value)?;
            self.emit(Uop::GuardType, &[value], exact)?;
            if self.types.is_known(exact) {
                self.fact_mut(value).exact_type = exact;
            }
            self.fact_mut(value).not_null = true;
        }
        Ok(())
    }

    pub(super) fn guard_not_null(&mut self, value: ValueId) -> Result<(), Stop> {
        if !self.fact(value).not_null {
            self.emit(Uop::GuardIsNot, &[value], 0)?;
            self.fact_mut(value).not_null = true;
        }
        Ok(())
    }

    /// Notes that a value was borrowed from a container, which holds it until containers change.
    pub(super) fn borrowed_from(&mut self, value: ValueId, container: ValueId) {
        let epoch = self.epoch;
        *self.fact_mut(value) = Fact {
            container,
            epoch,
            not_null: true,
            ..Fact::NOTHING
        };
    }
}
