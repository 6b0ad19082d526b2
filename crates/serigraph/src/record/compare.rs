//! Comparisons: `COMPARE_OP`, `IS_OP`, `CONTAINS_OP`.

use serigraph_cpython::version::Minor;
use serigraph_trace::ir::ValueId;
use serigraph_uops::{Reason, Uop};

use super::{Recorder, Stop};
use crate::host::helpers::Helper;
use crate::host::object;

/// Comparison operators, `Py_LT`..`Py_GE`.
mod op {
    pub(super) const LT: u32 = 0;
    pub(super) const LE: u32 = 1;
    pub(super) const EQ: u32 = 2;
    pub(super) const NE: u32 = 3;
    pub(super) const GT: u32 = 4;
    pub(super) const GE: u32 = 5;
}

impl Recorder<'_> {
    pub(super) fn compare_op(&mut self, oparg: u32) -> Result<(), Stop> {
        let (operator, to_bool) = match self.minor {
            Minor::V312 => (oparg >> 4, false),
            Minor::V313 => (oparg >> 5, oparg & 16 != 0),
        };
        let [a, b] = self.operands::<2>()?;
        if let Some(raw) = self.compare_numbers(operator, a, b)? {
            let result = self.box_bool(raw)?;
            let kinds = self.releases::<2>()?;
            self.pop_release(&kinds)?;
            self.push(result);
            return self.next();
        }
        let (ta, tb) = (self.type_of(a), self.type_of(b));
        let is_leaf = self.compares_without_code(ta) && self.compares_without_code(tb);
        let number = u64::from(operator);
        let first = if to_bool {
            Helper::TestLt
        } else {
            Helper::CompareLt
        };
        let Some(helper) = Helper::from_number(first.number() + number) else {
            return Err(self.abort(Reason::BadCode));
        };
        if is_leaf {
            self.guard_type(a, ta)?;
            self.guard_type(b, tb)?;
            let kinds = self.releases::<2>()?;
            // The result of comparing these is a bool, or an exception.
            let test = Helper::from_number(Helper::TestLt.number() + number).unwrap_or(helper);
            let raw = self.leaf(Uop::LeafStatus2, test, &[a, b])?;
            let result = self.box_bool(raw)?;
            self.pop_release(&kinds)?;
            self.push(result);
            return self.next();
        }
        let result = if to_bool {
            let raw = self.escaping(Uop::CallStatus2, helper, &[a, b])?;
            self.box_bool(raw)?
        } else {
            self.escaping(Uop::CallObject2, helper, &[a, b])?
        };
        let kinds = self.releases_after_escape(2)?;
        self.pop_release(&kinds)?;
        self.push(result);
        self.next()
    }

    /// Whether comparing objects of these exact types with each other runs no other code and gives a bool.
    fn compares_without_code(&self, exact: u64) -> bool {
        let t = &self.types;
        [t.int, t.bool, t.float, t.str, t.none, t.bytes].contains(&exact)
    }

    /// The raw result of comparing two numbers; `None` if they are not, or not on raw values.
    pub(super) fn compare_numbers(
        &mut self,
        operator: u32,
        a: ValueId,
        b: ValueId,
    ) -> Result<Option<ValueId>, Stop> {
        if self.is_int(a) && self.is_int(b) {
            let (Some(a), Some(b)) = (self.raw_int(a)?, self.raw_int(b)?) else {
                return Ok(None);
            };
            return self
                .compare_raw(
                    operator,
                    [Uop::IntLt, Uop::IntLe, Uop::IntEq, Uop::IntNe],
                    a,
                    b,
                )
                .map(Some);
        }
        if !self.is_number(a) || !self.is_number(b) {
            return Ok(None);
        }
        let (Some(a), Some(b)) = (self.exact_float(a)?, self.exact_float(b)?) else {
            return Ok(None);
        };
        self.compare_raw(
            operator,
            [Uop::FloatLt, Uop::FloatLe, Uop::FloatEq, Uop::FloatNe],
            a,
            b,
        )
        .map(Some)
    }

    /// A number as a double of the same value, for comparing: ints are compared exactly, so they have to fit 53 bits.
    fn exact_float(&mut self, value: ValueId) -> Result<Option<ValueId>, Stop> {
        const LIMIT: i64 = 1 << 53;
        if self.is_float(value) {
            return self.raw_float(value).map(Some);
        }
        let Some(raw) = self.raw_int(value)? else {
            return Ok(None);
        };
        if !(-LIMIT..=LIMIT).contains(&(self.bits(raw) as i64)) {
            return Ok(None);
        }
        if !self.fact(raw).constant && self.type_of(value) != self.types.bool {
            let offset = self.const_int(LIMIT)?;
            let shifted = self.emit(Uop::IntAddWrap, &[raw, offset], 0)?;
            let end = self.const_int(2 * LIMIT + 1)?;
            self.emit(Uop::GuardIntBelow, &[shifted, end], 0)?;
        }
        self.emit(Uop::IntToFloat, &[raw], 0).map(Some)
    }

    fn compare_raw(
        &mut self,
        operator: u32,
        uops: [Uop; 4],
        a: ValueId,
        b: ValueId,
    ) -> Result<ValueId, Stop> {
        let [lt, le, eq, ne] = uops;
        match operator {
            op::LT => self.emit(lt, &[a, b], 0),
            op::LE => self.emit(le, &[a, b], 0),
            op::EQ => self.emit(eq, &[a, b], 0),
            op::NE => self.emit(ne, &[a, b], 0),
            op::GT => self.emit(lt, &[b, a], 0),
            op::GE => self.emit(le, &[b, a], 0),
            _ => Err(self.abort(Reason::BadCode)),
        }
    }

    /// A raw truth value, or its opposite.
    pub(super) fn invert_if(&mut self, raw: ValueId, invert: bool) -> Result<ValueId, Stop> {
        if !invert {
            return Ok(raw);
        }
        let zero = self.const_int(0)?;
        self.emit(Uop::IntEq, &[raw, zero], 0)
    }

    pub(super) fn is_op(&mut self, invert: u32) -> Result<(), Stop> {
        let [a, b] = self.operands::<2>()?;
        let same = self.emit(Uop::ObjectIs, &[a, b], 0)?;
        let raw = self.invert_if(same, invert != 0)?;
        let result = self.box_bool(raw)?;
        let kinds = self.releases::<2>()?;
        self.pop_release(&kinds)?;
        self.push(result);
        self.next()
    }

    pub(super) fn contains_op(&mut self, invert: u32) -> Result<(), Stop> {
        let [item, container] = self.operands::<2>()?;
        let raw = if self.contains_without_code(item, container)? {
            let kinds = self.releases::<2>()?;
            let raw = self.leaf(Uop::LeafStatus2, Helper::Contains, &[container, item])?;
            let raw = self.invert_if(raw, invert != 0)?;
            let result = self.box_bool(raw)?;
            self.pop_release(&kinds)?;
            self.push(result);
            return self.next();
        } else {
            self.escaping(Uop::CallStatus2, Helper::Contains, &[container, item])?
        };
        let raw = self.invert_if(raw, invert != 0)?;
        let result = self.box_bool(raw)?;
        let kinds = self.releases_after_escape(2)?;
        self.pop_release(&kinds)?;
        self.push(result);
        self.next()
    }

    /// Whether `item in container` runs no other code: in a string, or in a constant tuple of plain values.
    fn contains_without_code(&mut self, item: ValueId, container: ValueId) -> Result<bool, Stop> {
        let (ti, tc) = (self.type_of(item), self.type_of(container));
        if ti == self.types.str && tc == self.types.str {
            self.guard_type(item, ti)?;
            self.guard_type(container, tc)?;
            return Ok(true);
        }
        let tuple = self.bits(container);
        if self.fact(container).constant && tc == self.types.tuple && self.compares_without_code(ti)
        {
            let plain = (0..object::size(tuple) as usize).all(|i| {
                self.compares_without_code(object::type_address(object::tuple_item(tuple, i)))
            });
            if plain {
                self.guard_type(item, ti)?;
                return Ok(true);
            }
        }
        Ok(false)
    }
}
