//! Elements of sequences: `BINARY_SUBSCR`, `STORE_SUBSCR`, `UNPACK_SEQUENCE`.

use std::ffi::CStr;

use serigraph_trace::ir::{InlinedKind, ValueId};
use serigraph_uops::{Reason, Uop};

use super::frame::Release;
use super::{Recorder, Stop};
use crate::host::helpers::Helper;
use crate::host::{known, object};

impl Recorder<'_> {
    pub(super) fn binary_subscr(&mut self) -> Result<(), Stop> {
        let [container, index] = self.operands::<2>()?;
        let exact = self.type_of(container);
        let is_list = exact == self.types.list;
        if (is_list || exact == self.types.tuple) && self.is_int(index) {
            self.guard_type(container, exact)?;
            let item = self.element(container, index, is_list)?;
            let kinds = self.releases::<2>()?;
            self.take_reference(item)?;
            self.pop_release(&kinds)?;
            self.push(item);
            return self.next();
        }
        let t = &self.types;
        let is_leaf = [t.str, t.bytes, t.range].contains(&exact) || self.is_plain_array(exact);
        if is_leaf && self.is_int(index) {
            self.guard_exact(&[container, index])?;
            let kinds = self.releases::<2>()?;
            let item = self.leaf(Uop::LeafObject2, Helper::GetItem, &[container, index])?;
            self.pop_release(&kinds)?;
            self.push(item);
            return self.next();
        }
        if self.item_method(c"__getitem__", &[container, index], InlinedKind::GetItem)? {
            return Ok(());
        }
        let item = self.escaping(Uop::CallObject2, Helper::GetItem, &[container, index])?;
        let kinds = self.releases_after_escape(2)?;
        self.pop_release(&kinds)?;
        self.push(item);
        self.next()
    }

    /// Guards the types of operands.
    fn guard_exact(&mut self, values: &[ValueId]) -> Result<(), Stop> {
        for &value in values {
            let exact = self.type_of(value);
            self.keep(exact);
            self.guard_type(value, exact)?;
        }
        Ok(())
    }

    /// Whether a type is `array.array` itself: its elements are numbers or characters, and neither reading nor storing one runs
    /// other code, or can be seen by anybody.
    fn is_plain_array(&self, exact: u64) -> bool {
        known::array_type() == Some(exact)
    }

    /// Follows `__getitem__` or `__setitem__` of a class inside, whose arguments begin with the object; false: nothing has been done.
    fn item_method(
        &mut self,
        name: &CStr,
        args: &[ValueId],
        kind: InlinedKind,
    ) -> Result<bool, Stop> {
        let class = self.type_of(args[0]);
        if self.types.is_known(class) {
            return Ok(false);
        }
        let Some((version, _)) = object::simple_class(class) else {
            return Ok(false);
        };
        let method = object::lookup_name(class, name);
        if method == 0 || object::type_address(method) != self.types.function {
            return Ok(false);
        }
        if !self.is_followed(method, args.len()) {
            // The interpreter enters `__getitem__` without a detour through C.
            self.calls_through_c += u32::from(kind == InlinedKind::GetItem);
            return Ok(false);
        }
        self.depend_on_special(class, name)?;
        self.guard_class(args[0], class, version)?;
        self.follow_special(method, args, kind)
    }

    /// The element of a list or tuple at an index of any sign, borrowed. Out of range: the interpreter raises.
    fn element(
        &mut self,
        container: ValueId,
        index: ValueId,
        is_list: bool,
    ) -> Result<ValueId, Stop> {
        let index = self.checked_index(container, index, is_list)?;
        let item = if is_list {
            let items = self.emit(Uop::ListItems, &[container], 0)?;
            self.emit(Uop::ItemAt, &[items, index], 0)?
        } else {
            self.emit(Uop::TupleItem, &[container, index], 0)?
        };
        self.borrowed_from(item, container);
        Ok(item)
    }

    /// The raw index of an element that is there, guarded.
    fn checked_index(
        &mut self,
        container: ValueId,
        index: ValueId,
        is_list: bool,
    ) -> Result<ValueId, Stop> {
        let Some(raw) = self.raw_int(index)? else {
            return Err(self.abort(Reason::ExceptionRaised));
        };
        let length = self.emit(
            if is_list { Uop::ListLen } else { Uop::TupleLen },
            &[container],
            0,
        )?;
        let position = if (self.bits(raw) as i64) < 0 {
            if !self.fact(raw).constant {
                self.emit(Uop::GuardIntLtImm, &[raw], 0)?;
            }
            self.emit(Uop::IntAddWrap, &[raw, length], 0)?
        } else {
            raw
        };
        if self.bits(position) >= self.bits(length) {
            return Err(self.abort(Reason::ExceptionRaised));
        }
        self.emit(Uop::GuardIntBelow, &[position, length], 0)?;
        Ok(position)
    }

    pub(super) fn store_subscr(&mut self) -> Result<(), Stop> {
        let [value, container, index] = self.operands::<3>()?;
        let exact = self.type_of(container);
        if exact != self.types.list || !self.is_int(index) {
            let args = [container, index, value];
            if self.is_plain_array(exact) && self.is_int(index) && self.is_number(value) {
                self.guard_exact(&args)?;
                let kinds = self.releases::<3>()?;
                self.leaf(Uop::LeafStatus3, Helper::SetItem, &args)?;
                self.pop_release(&kinds)?;
                return self.next();
            }
            if self.item_method(c"__setitem__", &args, InlinedKind::SetItem)? {
                return Ok(());
            }
            self.escaping(
                Uop::CallStatus3,
                Helper::SetItem,
                &[container, index, value],
            )?;
            let kinds = self.releases_after_escape(3)?;
            self.pop_release(&kinds)?;
            return self.next();
        }
        self.guard_type(container, exact)?;
        let position = self.checked_index(container, index, true)?;
        let items = self.emit(Uop::ListItems, &[container], 0)?;
        let old = self.emit(Uop::ItemAt, &[items, position], 0)?;
        self.fact_mut(old).not_null = true;
        let old_kind = self.release_kind(old, (usize::MAX, 0, 0))?;
        // The value's reference goes to the list; container and index are given up.
        let kinds = self.releases::<2>()?;
        self.refuse_same_object(container, old)?;
        let frame = self.innermost();
        let first = self.frames[frame].top - 3;
        self.take_from_memory(first)?;
        let value = self.frames[frame].slots[first as usize].value;
        self.own(value)?;
        let displaced = self.emit(Uop::ListExchange, &[items, position, value], 0)?;
        self.release(
            displaced,
            if old_kind == Release::Nothing {
                Release::Plain
            } else {
                old_kind
            },
        )?;
        self.pop_release(&kinds)?;
        self.frames[frame].top = first;
        self.next()
    }

    /// A list that holds itself, found shared twice over.
    pub(super) fn refuse_same_object(&mut self, a: ValueId, b: ValueId) -> Result<(), Stop> {
        if a != b && self.bits(a) == self.bits(b) {
            return Err(self.unsupported());
        }
        Ok(())
    }
}
