//! Unpacking: a sequence of known length, and what any iterable gives.

use serigraph_trace::ir::ValueId;
use serigraph_uops::{Reason, Uop};

use super::{Recorder, Stop};
use crate::host::helpers::Helper;
use crate::host::object;

impl Recorder<'_> {
    pub(super) fn unpack_sequence(&mut self, count: u32) -> Result<(), Stop> {
        let [sequence] = self.operands::<1>()?;
        let exact = self.type_of(sequence);
        let is_list = exact == self.types.list;
        if is_list || exact == self.types.tuple {
            self.guard_type(sequence, exact)?;
            let length = self.emit(
                if is_list { Uop::ListLen } else { Uop::TupleLen },
                &[sequence],
                0,
            )?;
            if self.bits(length) != u64::from(count) {
                return Err(self.abort(Reason::ExceptionRaised));
            }
            if is_list || !self.fact(sequence).constant {
                self.emit(Uop::GuardIntEqImm, &[length], count.into())?;
            }
            let items = self.unpacked(sequence, count, is_list)?;
            let kinds = self.releases::<1>()?;
            for &item in &items {
                self.take_reference(item)?;
            }
            self.pop_release(&kinds)?;
            for &item in items.iter().rev() {
                self.push(item);
            }
            return self.next();
        }
        if count > 256 {
            return Err(self.unsupported());
        }
        let expected = self.constant(object::small_int(count as i32))?;
        let tuple = self.escaping(Uop::CallObject2, Helper::Unpack, &[sequence, expected])?;
        self.replace_by_items(tuple, count)
    }

    /// `UNPACK_EX`: some items, a list of those in the middle, and some more.
    pub(super) fn unpack_ex(&mut self, oparg: u32) -> Result<(), Stop> {
        let (before, after) = (oparg & 0xff, oparg >> 8);
        if after > 256 {
            return Err(self.unsupported());
        }
        let sequence = self.peek(0)?;
        let counts = [before, after].map(|n| self.constant(object::small_int(n as i32)));
        let [before_count, after_count] = counts;
        let args = [sequence, before_count?, after_count?];
        self.before_escape()?;
        self.push_args_and_null(&args)?;
        let tuple = self.emit(Uop::CallArgs, &[], Helper::UnpackEx.number())?;
        self.replace_by_items(tuple, before + 1 + after)
    }

    /// Ends an instruction that has run any code and puts the items of a new tuple in the place of the operand on top, the first
    /// on top.
    fn replace_by_items(&mut self, tuple: ValueId, count: u32) -> Result<(), Stop> {
        let kinds = self.releases_after_escape(1)?;
        self.pop_release(&kinds)?;
        let items = self.new_items(tuple, count)?;
        for &item in items.iter().rev() {
            self.push(item);
        }
        self.next()
    }

    /// The items of a tuple that only the trace has seen, with references; the tuple goes.
    pub(super) fn new_items(&mut self, tuple: ValueId, count: u32) -> Result<Vec<ValueId>, Stop> {
        let items = self.unpacked(tuple, count, false)?;
        for &item in &items {
            self.take_reference(item)?;
        }
        // Its items live on.
        self.emit(Uop::DecRefPlain, &[tuple], 0)?;
        Ok(items)
    }

    /// The items of a tuple or list of that length, borrowed, in order.
    fn unpacked(
        &mut self,
        sequence: ValueId,
        count: u32,
        is_list: bool,
    ) -> Result<Vec<ValueId>, Stop> {
        let mut items = Vec::with_capacity(count as usize);
        if is_list {
            let array = self.emit(Uop::ListItems, &[sequence], 0)?;
            for i in 0..count {
                let index = self.const_int(i.into())?;
                items.push(self.emit(Uop::ItemAt, &[array, index], 0)?);
            }
        } else {
            for i in 0..count {
                items.push(self.emit(Uop::TupleItemImm, &[sequence], i.into())?);
            }
        }
        for &item in &items {
            self.borrowed_from(item, sequence);
        }
        Ok(items)
    }
}
