//! Arithmetic: `BINARY_OP` and the unary operators.
//!
//! Exact ints that fit 64 bits, bools and floats are unboxed; what does not fit goes through the number protocol on objects, which
//! for exact numbers runs no other code. Operators on anything else may run any code.

use serigraph_trace::ir::ValueId;
use serigraph_uops::{Reason, Uop, layout};

use super::frame::Fact;
use super::{Recorder, Stop};
use crate::host::helpers::Helper;
use crate::host::object;

/// The tag of 0: no digits, sign "zero".
const ZERO_TAG: i64 = 1;

/// Operators by their oparg; the in-place forms are 13 above.
mod op {
    pub(super) const ADD: u32 = 0;
    pub(super) const AND: u32 = 1;
    pub(super) const FLOOR_DIVIDE: u32 = 2;
    pub(super) const LSHIFT: u32 = 3;
    pub(super) const MULTIPLY: u32 = 5;
    pub(super) const REMAINDER: u32 = 6;
    pub(super) const OR: u32 = 7;
    pub(super) const POWER: u32 = 8;
    pub(super) const RSHIFT: u32 = 9;
    pub(super) const SUBTRACT: u32 = 10;
    pub(super) const TRUE_DIVIDE: u32 = 11;
    pub(super) const XOR: u32 = 12;
    pub(super) const IN_PLACE: u32 = 13;
}

/// A number, unboxed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Raw {
    Int(ValueId),
    Float(ValueId),
}

impl Recorder<'_> {
    pub(super) fn is_int(&self, value: ValueId) -> bool {
        let exact = self.type_of(value);
        exact == self.types.int || exact == self.types.bool
    }
    pub(super) fn is_float(&self, value: ValueId) -> bool {
        self.type_of(value) == self.types.float
    }
    pub(super) fn is_number(&self, value: ValueId) -> bool {
        self.is_int(value) || self.is_float(value)
    }

    /// The raw value of an int or bool; `None` if it does not fit (its type is guarded then).
    pub(super) fn raw_int(&mut self, value: ValueId) -> Result<Option<ValueId>, Stop> {
        let fact = *self.fact(value);
        if fact.raw.is_some() {
            return Ok(Some(fact.raw));
        }
        let exact = self.type_of(value);
        let raw = if fact.constant {
            match serigraph_trace::eval::unbox_int(&self.host, self.bits(value)) {
                Some(bits) => self.const_int(bits)?,
                None => return Ok(None),
            }
        } else if exact == self.types.bool {
            self.guard_type(value, exact)?;
            self.emit(Uop::UnboxBool, &[value], 0)?
        } else {
            self.guard_type(value, exact)?;
            match self.attempt(Uop::UnboxInt, &[value], 0)? {
                Some(raw) => raw,
                None => return Ok(None),
            }
        };
        self.fact_mut(value).raw = raw;
        Ok(Some(raw))
    }

    /// The raw value of an exact float.
    pub(super) fn raw_float(&mut self, value: ValueId) -> Result<ValueId, Stop> {
        let fact = *self.fact(value);
        if fact.raw.is_some() {
            return Ok(fact.raw);
        }
        let raw = if fact.constant {
            self.const_float(object::float_value(self.bits(value)))?
        } else {
            self.guard_type(value, self.types.float)?;
            self.emit(Uop::UnboxFloat, &[value], 0)?
        };
        self.fact_mut(value).raw = raw;
        Ok(raw)
    }

    /// A number as a double: what the interpreter converts an int to when the other operand is a float.
    pub(super) fn as_float(&mut self, value: ValueId) -> Result<Option<ValueId>, Stop> {
        if self.is_float(value) {
            return self.raw_float(value).map(Some);
        }
        let Some(raw) = self.raw_int(value)? else {
            return Ok(None);
        };
        self.emit(Uop::IntToFloat, &[raw], 0).map(Some)
    }

    // --- Boxes.

    pub(super) fn box_int(&mut self, raw: ValueId) -> Result<ValueId, Stop> {
        let boxed = self.emit(Uop::BoxInt, &[raw], 0)?;
        *self.fact_mut(boxed) = Fact {
            exact_type: self.types.int,
            raw,
            not_null: true,
            ..Fact::NOTHING
        };
        Ok(boxed)
    }
    pub(super) fn box_float(&mut self, raw: ValueId) -> Result<ValueId, Stop> {
        let boxed = self.emit(Uop::BoxFloat, &[raw], 0)?;
        *self.fact_mut(boxed) = Fact {
            exact_type: self.types.float,
            raw,
            not_null: true,
            ..Fact::NOTHING
        };
        Ok(boxed)
    }
    pub(super) fn box_bool(&mut self, raw: ValueId) -> Result<ValueId, Stop> {
        let boxed = self.emit(Uop::BoxBool, &[raw], object::bool_table())?;
        let exact_type = self.types.bool;
        *self.fact_mut(boxed) = Fact {
            exact_type,
            raw,
            not_null: true,
            immortal: true,
            ..Fact::NOTHING
        };
        Ok(boxed)
    }
    fn box_raw(&mut self, raw: Raw) -> Result<ValueId, Stop> {
        match raw {
            Raw::Int(raw) => self.box_int(raw),
            Raw::Float(raw) => self.box_float(raw),
        }
    }

    // --- BINARY_OP.

    pub(super) fn binary_op(&mut self, oparg: u32) -> Result<(), Stop> {
        let [a, b] = self.operands::<2>()?;
        if self.is_number(a) && self.is_number(b) {
            let result = self.binary_numbers(oparg, a, b)?;
            let kinds = self.releases::<2>()?;
            self.pop_release(&kinds)?;
            self.push(result);
            return self.next();
        }
        let Some(helper) = Helper::from_number(u64::from(oparg)) else {
            return Err(self.abort(Reason::BadCode));
        };
        if self.operator_method(oparg, a, b)? {
            return Ok(());
        }
        if self.is_leaf_text(oparg, a, b)? {
            let kinds = self.releases::<2>()?;
            let result = self.leaf(Uop::LeafObject2, helper, &[a, b])?;
            self.pop_release(&kinds)?;
            self.push(result);
            return self.next();
        }
        let result = self.escaping(Uop::CallObject2, helper, &[a, b])?;
        let kinds = self.releases_after_escape(2)?;
        self.pop_release(&kinds)?;
        self.push(result);
        self.next()
    }

    /// Joining and repeating strings runs no other code. (`s += t` of a local, which the interpreter does in place when it can, is
    /// left to the interpreter: a copy each time would cost quadratic time.)
    fn is_leaf_text(&mut self, oparg: u32, a: ValueId, b: ValueId) -> Result<bool, Stop> {
        let (ta, tb) = (self.type_of(a), self.type_of(b));
        let is_join =
            oparg % op::IN_PLACE == op::ADD && ta == self.types.str && tb == self.types.str;
        let is_repeat =
            oparg % op::IN_PLACE == op::MULTIPLY && ta == self.types.str && self.is_int(b);
        if !is_join && !is_repeat {
            return Ok(false);
        }
        if is_join && self.appends_in_place(a) {
            return Err(self.unsupported());
        }
        self.guard_type(a, ta)?;
        self.guard_type(b, tb)?;
        Ok(true)
    }

    /// Whether the next instruction stores the sum into the local that holds the left operand.
    fn appends_in_place(&self, left: ValueId) -> bool {
        use serigraph_cpython::bytecode::Opcode;
        let frame = &self.frames[self.innermost()];
        let Some(next) = frame.units.at(self.instruction.next) else {
            return false;
        };
        let slot = match next.opcode {
            Opcode::StoreFast => next.oparg,
            Opcode::StoreFastLoadFast | Opcode::StoreFastStoreFast => next.oparg >> 4,
            _ => return false,
        };
        frame
            .slots
            .get(slot as usize)
            .is_some_and(|content| content.value == left)
    }

    /// The result of an operator on two numbers: emits guards, raw uops and boxes, no effects.
    fn binary_numbers(&mut self, oparg: u32, a: ValueId, b: ValueId) -> Result<ValueId, Stop> {
        let operator = oparg % op::IN_PLACE;
        if self.is_int(a) && self.is_int(b) {
            if matches!(operator, op::AND | op::OR | op::XOR)
                && self.type_of(a) == self.types.bool
                && self.type_of(b) == self.types.bool
            {
                return self.bool_logic(operator, a, b);
            }
            let (raw_a, raw_b) = (self.raw_int(a)?, self.raw_int(b)?);
            if let (Some(raw_a), Some(raw_b)) = (raw_a, raw_b) {
                if let Some(raw) = self.int_operator(operator, raw_a, raw_b)? {
                    return self.box_raw(raw);
                }
            } else if let Some(raw_b) = raw_b {
                self.refuse_zero_divisor(operator, raw_b)?;
            }
        } else if let (Some(raw_a), Some(raw_b)) = (self.as_float(a)?, self.as_float(b)?)
            && let Some(raw) = self.float_operator(operator, raw_a, raw_b)?
        {
            return self.box_float(raw);
        }
        // An exception says whether it was `^` or `^=`.
        self.number_protocol(oparg, a, b)
    }

    /// The operator on objects that are exact numbers.
    fn number_protocol(&mut self, oparg: u32, a: ValueId, b: ValueId) -> Result<ValueId, Stop> {
        for value in [a, b] {
            let exact = self.type_of(value);
            self.guard_type(value, exact)?;
        }
        let Some(helper) = Helper::from_number(u64::from(oparg)) else {
            return Err(self.abort(Reason::BadCode));
        };
        // The references go first to be released: after the call no guard may come.
        self.leaf(Uop::LeafObject2, helper, &[a, b])
    }

    fn bool_logic(&mut self, operator: u32, a: ValueId, b: ValueId) -> Result<ValueId, Stop> {
        let (Some(a), Some(b)) = (self.raw_int(a)?, self.raw_int(b)?) else {
            return Err(self.unsupported());
        };
        let uop = match operator {
            op::AND => Uop::IntAnd,
            op::OR => Uop::IntOr,
            _ => Uop::IntXor,
        };
        let raw = self.emit(uop, &[a, b], 0)?;
        self.box_bool(raw)
    }

    /// A division by zero raises: the interpreter does it.
    fn refuse_zero_divisor(&mut self, operator: u32, raw: ValueId) -> Result<(), Stop> {
        let divides = matches!(operator, op::FLOOR_DIVIDE | op::REMAINDER | op::TRUE_DIVIDE);
        if divides && self.bits(raw) == 0 {
            return Err(self.abort(Reason::ExceptionRaised));
        }
        Ok(())
    }

    /// `None` if the result does not fit, or the operator has no uop.
    fn int_operator(&mut self, operator: u32, a: ValueId, b: ValueId) -> Result<Option<Raw>, Stop> {
        self.refuse_zero_divisor(operator, b)?;
        let uop = match operator {
            op::ADD => Uop::IntAdd,
            op::SUBTRACT => Uop::IntSub,
            op::MULTIPLY => Uop::IntMul,
            op::FLOOR_DIVIDE => Uop::IntFloorDiv,
            op::REMAINDER => Uop::IntMod,
            op::AND => Uop::IntAnd,
            op::OR => Uop::IntOr,
            op::XOR => Uop::IntXor,
            op::LSHIFT | op::RSHIFT if (self.bits(b) as i64) < 0 => {
                return Err(self.abort(Reason::ExceptionRaised));
            }
            op::LSHIFT => Uop::IntShl,
            op::RSHIFT => Uop::IntShr,
            op::TRUE_DIVIDE => {
                return Ok(self.attempt(Uop::IntTrueDiv, &[a, b], 0)?.map(Raw::Float));
            }
            op::POWER => return Ok(self.int_power(a, b)?.map(Raw::Int)),
            _ => return Ok(None),
        };
        Ok(self.attempt(uop, &[a, b], 0)?.map(Raw::Int))
    }

    /// Squares and cubes, of an exponent that is guarded to stay the same.
    fn int_power(&mut self, a: ValueId, b: ValueId) -> Result<Option<ValueId>, Stop> {
        let exponent = self.bits(b);
        if exponent != 2 && exponent != 3 {
            return Ok(None);
        }
        if !self.fact(b).constant {
            self.emit(Uop::GuardIntEqImm, &[b], exponent)?;
        }
        let Some(square) = self.attempt(Uop::IntMul, &[a, a], 0)? else {
            return Ok(None);
        };
        if exponent == 2 {
            return Ok(Some(square));
        }
        self.attempt(Uop::IntMul, &[square, a], 0)
    }

    /// `None` if this is not done on raw doubles.
    fn float_operator(
        &mut self,
        operator: u32,
        a: ValueId,
        b: ValueId,
    ) -> Result<Option<ValueId>, Stop> {
        let divides = matches!(operator, op::FLOOR_DIVIDE | op::REMAINDER | op::TRUE_DIVIDE);
        if divides && f64::from_bits(self.bits(b)) == 0.0 {
            return Err(self.abort(Reason::ExceptionRaised));
        }
        Ok(Some(match operator {
            op::ADD => self.emit(Uop::FloatAdd, &[a, b], 0)?,
            op::SUBTRACT => self.emit(Uop::FloatSub, &[a, b], 0)?,
            op::MULTIPLY => self.emit(Uop::FloatMul, &[a, b], 0)?,
            op::TRUE_DIVIDE => self.emit(Uop::FloatDiv, &[a, b], 0)?,
            op::FLOOR_DIVIDE | op::REMAINDER => {
                let zero = self.const_float(0.0)?;
                self.emit(Uop::GuardFloatNe, &[b, zero], 0)?;
                let helper = if operator == op::REMAINDER {
                    Helper::FloatRemainder
                } else {
                    Helper::FloatFloorDivide
                };
                self.emit(Uop::LeafFloat2, &[a, b], helper.number())?
            }
            op::POWER => return self.float_power(a, b),
            // Matrix multiplication, shifts and bit operators: not defined for floats, which the interpreter says.
            _ => return Err(self.abort(Reason::ExceptionRaised)),
        }))
    }

    /// Positive numbers to powers with finite results: all that `float_pow` of `Objects/floatobject.c` leaves to the C library.
    fn float_power(&mut self, a: ValueId, b: ValueId) -> Result<Option<ValueId>, Stop> {
        let (base, exponent) = (f64::from_bits(self.bits(a)), f64::from_bits(self.bits(b)));
        if !(base > 0.0
            && base.is_finite()
            && exponent.is_finite()
            && base.powf(exponent).is_finite())
        {
            return Ok(None);
        }
        let (zero, infinity) = (self.const_float(0.0)?, self.const_float(f64::INFINITY)?);
        self.emit(Uop::GuardFloatLt, &[zero, a], 0)?;
        self.emit(Uop::GuardFloatLt, &[a, infinity], 0)?;
        let result = self.emit(Uop::LeafFloat2, &[a, b], Helper::FloatPower.number())?;
        self.emit(Uop::GuardFloatLt, &[result, infinity], 0)?;
        Ok(Some(result))
    }

    // --- Unary operators.

    pub(super) fn unary_negative(&mut self) -> Result<(), Stop> {
        let [a] = self.operands::<1>()?;
        if self.is_float(a) {
            let raw = self.raw_float(a)?;
            let negated = self.emit(Uop::FloatNeg, &[raw], 0)?;
            let result = self.box_float(negated)?;
            return self.replace_top(result);
        }
        if self.is_int(a) {
            if let Some(raw) = self.raw_int(a)?
                && let Some(negated) = self.attempt(Uop::IntNeg, &[raw], 0)?
            {
                let result = self.box_int(negated)?;
                return self.replace_top(result);
            }
            let kinds = self.releases::<1>()?;
            let result = self.leaf(Uop::LeafObject1, Helper::Negative, &[a])?;
            self.pop_release(&kinds)?;
            self.push(result);
            return self.next();
        }
        self.unary_escaping(Helper::Negative)
    }

    pub(super) fn unary_invert(&mut self) -> Result<(), Stop> {
        let [a] = self.operands::<1>()?;
        if self.type_of(a) == self.types.int
            && let Some(raw) = self.raw_int(a)?
        {
            let inverted = self.emit(Uop::IntInvert, &[raw], 0)?;
            let result = self.box_int(inverted)?;
            return self.replace_top(result);
        }
        self.unary_escaping(Helper::Invert)
    }

    /// An operator of one operand that may run any code.
    pub(super) fn unary_escaping(&mut self, helper: Helper) -> Result<(), Stop> {
        let [a] = self.operands::<1>()?;
        let result = self.escaping(Uop::CallObject1, helper, &[a])?;
        let kinds = self.releases_after_escape(1)?;
        self.pop_release(&kinds)?;
        self.push(result);
        self.next()
    }

    /// Ends an instruction that has computed a result (with its reference) from the operand on top.
    pub(super) fn replace_top(&mut self, result: ValueId) -> Result<(), Stop> {
        let kinds = self.releases::<1>()?;
        self.pop_release(&kinds)?;
        self.push(result);
        self.next()
    }

    // --- Truth.

    /// The raw truth value of an object that runs no code to tell; `None` if it may.
    pub(super) fn plain_truth(&mut self, value: ValueId) -> Result<Option<ValueId>, Stop> {
        let exact = self.type_of(value);
        if exact == self.types.bool {
            return self.raw_int(value);
        }
        if exact == self.types.int {
            return match self.raw_int(value)? {
                Some(raw) => {
                    let zero = self.const_int(0)?;
                    self.emit(Uop::IntNe, &[raw, zero], 0).map(Some)
                }
                None => {
                    // Zero is the int whose tag says so.
                    let tag = self.emit(Uop::LoadInt, &[value], layout::INT_TAG as u64)?;
                    let zero = self.const_int(ZERO_TAG)?;
                    self.emit(Uop::IntNe, &[tag, zero], 0).map(Some)
                }
            };
        }
        if exact == self.types.float {
            let raw = self.raw_float(value)?;
            let zero = self.const_float(0.0)?;
            return self.emit(Uop::FloatNe, &[raw, zero], 0).map(Some);
        }
        if exact == self.types.none {
            self.guard_type(value, exact)?;
            return self.const_int(0).map(Some);
        }
        let length = if exact == self.types.list {
            self.guard_type(value, exact)?;
            self.emit(Uop::ListLen, &[value], 0)?
        } else if exact == self.types.tuple {
            self.guard_type(value, exact)?;
            self.emit(Uop::TupleLen, &[value], 0)?
        } else if let Some(offset) = self.types.length_offset(exact) {
            self.guard_type(value, exact)?;
            self.emit(Uop::LoadInt, &[value], offset)?
        } else {
            return Ok(None);
        };
        let zero = self.const_int(0)?;
        self.emit(Uop::IntNe, &[length, zero], 0).map(Some)
    }
}
