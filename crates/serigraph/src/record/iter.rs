//! Loops over iterators: `GET_ITER` and `FOR_ITER`.

use serigraph_cpython::api;
use serigraph_cpython::version::Minor;
use serigraph_trace::ir::ValueId;
use serigraph_uops::{Reason, Uop, layout};

use super::frame::{Place, Release, Slot};
use super::{Recorder, Stop};
use crate::host::helpers::Helper;
use crate::host::{known, object};

impl Recorder<'_> {
    pub(super) fn get_iter(&mut self) -> Result<(), Stop> {
        let [iterable] = self.operands::<1>()?;
        let exact = self.type_of(iterable);
        let t = &self.types;
        let is_leaf = [
            t.range,
            t.list,
            t.tuple,
            t.str,
            t.dict,
            t.set,
            t.frozenset,
            t.bytes,
        ]
        .contains(&exact);
        let is_iterator = [t.range_iterator, t.list_iterator, t.tuple_iterator].contains(&exact);
        if is_iterator {
            // It is its own iterator.
            self.guard_type(iterable, exact)?;
            return self.next();
        }
        if is_leaf {
            self.guard_type(iterable, exact)?;
            // The iterator of a container holds it; a range is plain.
            let is_held = exact != self.types.range;
            let kinds = if is_held {
                vec![Release::Plain]
            } else {
                self.release_list(1)?
            };
            let iterator = self.leaf(Uop::LeafObject1, Helper::Iterate, &[iterable])?;
            self.fact_mut(iterator).not_null = true;
            let kinds = if self.fact(iterable).immortal {
                vec![Release::Nothing]
            } else {
                kinds
            };
            self.pop_release(&kinds)?;
            self.push(iterator);
            return self.next();
        }
        self.unary_escaping(Helper::Iterate)
    }

    pub(super) fn for_iter(&mut self) -> Result<(), Stop> {
        let [iterator] = self.operands::<1>()?;
        let exact = self.type_of(iterator);
        if exact == self.types.range_iterator {
            self.guard_type(iterator, exact)?;
            return self.range_next(iterator);
        }
        if exact == self.types.list_iterator || exact == self.types.tuple_iterator {
            self.guard_type(iterator, exact)?;
            return self.sequence_next(iterator, exact == self.types.list_iterator);
        }
        self.generic_next(iterator)
    }

    /// Where the loop goes on when its iterator is exhausted: past `END_FOR` (and 3.13's `POP_TOP`).
    fn after_loop(&self) -> Result<u32, Stop> {
        let bad = || self.abort(Reason::BadCode);
        let units = &self.frames[self.innermost()].units;
        let end_for = self
            .instruction
            .jump_target()
            .and_then(|at| units.at(at))
            .ok_or_else(bad)?;
        match self.minor {
            Minor::V312 => Ok(end_for.next),
            Minor::V313 => units
                .at(end_for.next)
                .map(|pop_top| pop_top.next)
                .ok_or_else(bad),
        }
    }

    /// A root trace that begins with the end of its loop would not be one of that loop.
    fn refuse_end_at_header(&self) -> Result<(), Stop> {
        let is_header = self.frames.len() == 1 && self.header == Some(self.frames[0].ip);
        if is_header {
            Err(self.abort(Reason::LoopEnded))
        } else {
            Ok(())
        }
    }

    /// A guard that decides whether the loop goes on.
    fn loop_guard(&mut self, uop: Uop, args: &[ValueId], imm: u64) -> Result<(), Stop> {
        let snapshot = self.snapshot_for(Reason::LoopEnded);
        match self.attempt_at(uop, args, imm, snapshot)? {
            Some(_) => Ok(()),
            None => Err(self.unsupported()),
        }
    }

    fn range_next(&mut self, iterator: ValueId) -> Result<(), Stop> {
        let (start, step, length) = (
            layout::RANGE_ITER_START as u64,
            layout::RANGE_ITER_STEP as u64,
            layout::RANGE_ITER_LENGTH as u64,
        );
        let left = self.emit(Uop::IterLoad, &[iterator], length)?;
        if self.bits(left) as i64 <= 0 {
            self.refuse_end_at_header()?;
            self.loop_guard(Uop::GuardIntLeImm, &[left], 0)?;
            return self.end_loop();
        }
        self.loop_guard(Uop::GuardIntGtImm, &[left], 0)?;
        let value = self.emit(Uop::IterLoad, &[iterator], start)?;
        let by = self.emit(Uop::IterLoad, &[iterator], step)?;
        let next = if self.bits(by) == 1 {
            // Nearly always.
            self.emit(Uop::GuardIntEqImm, &[by], 1)?;
            self.emit(Uop::IntAddWrapImm, &[value], 1)?
        } else {
            self.emit(Uop::IntAddWrap, &[value, by], 0)?
        };
        let item = self.box_int(value)?;
        let fewer = self.emit(Uop::IntAddWrapImm, &[left], u64::MAX)?;
        self.emit(Uop::IterStore, &[iterator, next], start)?;
        self.emit(Uop::IterStore, &[iterator, fewer], length)?;
        self.push(item);
        self.next()
    }

    fn sequence_next(&mut self, iterator: ValueId, is_list: bool) -> Result<(), Stop> {
        let index_offset = layout::SEQUENCE_ITER_INDEX as u64;
        let sequence = self.emit(
            Uop::IterSequence,
            &[iterator],
            layout::SEQUENCE_ITER_SEQUENCE as u64,
        )?;
        if self.bits(sequence) == 0 {
            self.refuse_end_at_header()?;
            self.loop_guard(Uop::GuardIs, &[sequence], 0)?;
            return self.end_loop();
        }
        self.loop_guard(Uop::GuardIsNot, &[sequence], 0)?;
        self.borrowed_from(sequence, iterator);
        let index = self.emit(Uop::IterLoad, &[iterator], index_offset)?;
        let length = self.emit(
            if is_list { Uop::ListLen } else { Uop::TupleLen },
            &[sequence],
            0,
        )?;
        if self.bits(index) as i64 >= self.bits(length) as i64 {
            self.refuse_end_at_header()?;
            self.loop_guard(Uop::GuardIntLe, &[length, index], 0)?;
            return self.end_sequence(iterator, sequence);
        }
        self.loop_guard(Uop::GuardIntBelow, &[index, length], 0)?;
        let item = if is_list {
            let items = self.emit(Uop::ListItems, &[sequence], 0)?;
            self.emit(Uop::ItemAt, &[items, index], 0)?
        } else {
            self.emit(Uop::TupleItem, &[sequence, index], 0)?
        };
        self.borrowed_from(item, sequence);
        let next = self.emit(Uop::IntAddWrapImm, &[index], 1)?;
        self.take_reference(item)?;
        self.emit(Uop::IterStore, &[iterator, next], index_offset)?;
        self.push(item);
        self.next()
    }

    /// The iterator has just come to its end: it lets go of its sequence. Nobody can see that if the iterator dies with this.
    fn end_sequence(&mut self, iterator: ValueId, sequence: ValueId) -> Result<(), Stop> {
        if object::references(self.bits(iterator)) != 1 {
            return Err(self.unsupported());
        }
        self.emit(Uop::GuardUnshared, &[iterator], 0)?;
        if object::references(self.bits(sequence)) == 1 {
            return self.end_loop();
        }
        // The sequence outlives the iterator, whose death then runs no code.
        self.emit(Uop::GuardShared, &[sequence], 0)?;
        let after = self.after_loop()?;
        self.pop_release(&[Release::Plain])?;
        self.go_to(after)
    }

    /// Drops the exhausted iterator and goes on after the loop.
    fn end_loop(&mut self) -> Result<(), Stop> {
        let after = self.after_loop()?;
        let kinds = self.releases::<1>()?;
        self.pop_release(&kinds)?;
        self.go_to(after)
    }

    /// Any other iterator: `tp_iternext`, which may run any code. What it answers decides where to go on, so the guard needs
    /// the state on the other side.
    fn generic_next(&mut self, iterator: ValueId) -> Result<(), Stop> {
        let after = self.after_loop()?;
        // The interpreter goes on in a Python generator without leaving its own loop.
        let is_generator = self.type_of(iterator) == object::address(api().generator_type);
        self.calls_through_c += u32::from(is_generator);
        let is_leaf = self.is_leaf_iterator(iterator)?;
        if !is_leaf && self.innermost() > 0 {
            // The guard on the answer would stand while frames do.
            return Err(self.abort(Reason::EscapeInCallee));
        }
        let item = if is_leaf {
            self.leaf(Uop::LeafObject1, Helper::Next, &[iterator])?
        } else {
            self.escaping(Uop::CallObject1, Helper::Next, &[iterator])?
        };
        self.fact_mut(item).not_null = true;
        let frame = self.innermost();
        let mark = self.exhausted_mark()?;
        let is_end = self.bits(item) == mark;
        let top = self.frames[frame].top;
        if is_end {
            // Memory must not hold the iterator in the state where it is gone.
            self.take_from_memory(top - 1)?;
        }
        // The state if it goes the other way: with an item, or at `END_FOR`, which pops what would be one and the iterator, so
        // that a loop that goes on need not touch the slot of its iterator.
        let (here, there, pushed) = if is_end {
            (after, self.instruction.next, item)
        } else {
            let none = self.constant(object::none())?;
            (self.instruction.next, self.target(true)?, none)
        };
        self.committed = true;
        self.frames[frame].ip = there;
        self.frames[frame].slots[top as usize] = Slot {
            value: pushed,
            place: Place::Trace,
        };
        self.frames[frame].top = top + 1;
        let other = self.take_snapshot(if is_end {
            Reason::GuardFailed
        } else {
            Reason::LoopEnded
        });
        self.frames[frame].top = top;
        self.frames[frame].ip = here;
        let uop = if is_end {
            Uop::GuardIs
        } else {
            Uop::GuardIsNot
        };
        if self.attempt_at(uop, &[item], mark, other)?.is_none() {
            return Err(self.unsupported());
        }
        if !is_end {
            self.push(item);
            return Ok(());
        }
        // The mark was a new reference, and the iterator is done with.
        self.emit(Uop::DecRefPlain, &[item], 0)?;
        let iterator = self.frames[frame].slots[top as usize - 1];
        self.frames[frame].top = top - 1;
        self.release(iterator.value, Release::Escaping)
    }

    /// Iterators over strings, dicts and the like, which run no other code; found by the type of what `iter()` gives, which is
    /// static. Guarded.
    fn is_leaf_iterator(&mut self, iterator: ValueId) -> Result<bool, Stop> {
        let exact = self.type_of(iterator);
        if !known::is_plain_iterator(exact) {
            return Ok(false);
        }
        self.emit(Uop::GuardType, &[iterator], exact)?;
        Ok(true)
    }

    /// The address of the mark of exhaustion.
    fn exhausted_mark(&mut self) -> Result<u64, Stop> {
        object::exhausted_mark().ok_or_else(|| self.abort(Reason::OutOfMemory))
    }
}
