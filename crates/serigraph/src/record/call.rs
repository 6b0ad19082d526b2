//! Calls: Python functions are followed inside, functions on the list are called or computed, all others are called with the
//! precautions for unknown code.

use serigraph_cpython::bytecode::Opcode;
use serigraph_cpython::version::Minor;
use serigraph_trace::ir::ValueId;
use serigraph_uops::{Reason, Uop};

use super::frame::Release;
use super::{Recorder, Stop};
use crate::host::helpers::Helper;
use crate::host::known::{self, Known};
use crate::host::object;

/// A call's operands.
pub(super) struct Call {
    pub callable: ValueId,
    /// With self first, if there is one.
    pub args: Vec<ValueId>,
    /// How many operands that is on the stack, with a null, and with names that are there.
    pub operands: u32,
    /// The names of the last arguments: a tuple, or 0.
    pub names: u64,
}

impl Recorder<'_> {
    /// Whether an operand is null: known, or guarded.
    fn is_null(&mut self, value: ValueId) -> Result<bool, Stop> {
        let null = self.bits(value) == 0;
        let fact = self.fact(value);
        if !fact.constant && !fact.not_null {
            if null {
                self.emit(Uop::GuardIs, &[value], 0)?;
            } else {
                self.guard_not_null(value)?;
            }
        }
        Ok(null)
    }

    /// The operands of a call with `count` arguments, above which there are `above` others.
    fn call_operands(&mut self, count: u32, above: u32) -> Result<Call, Stop> {
        let first = self.peek(count + 1 + above)?;
        let second = self.peek(count + above)?;
        let mut args = Vec::with_capacity(count as usize + 1);
        // 3.12 has null or the method first, then the callable or self; 3.13 the callable, then null or self.
        let callable = match self.minor {
            Minor::V312 => {
                if self.is_null(first)? {
                    second
                } else {
                    args.push(second);
                    first
                }
            }
            Minor::V313 => {
                if !self.is_null(second)? {
                    args.push(second);
                }
                first
            }
        };
        for below in (0..count).rev() {
            args.push(self.peek(below + above)?);
        }
        Ok(Call {
            callable,
            args,
            operands: count + 2 + above,
            names: 0,
        })
    }

    pub(super) fn call(&mut self, count: u32) -> Result<(), Stop> {
        let call = self.call_operands(count, 0)?;
        if self.follow(&call)? {
            return Ok(());
        }
        if let Some(known) = known::of(self.bits(call.callable))
            && self.call_known(&call, known)?
        {
            return Ok(());
        }
        self.call_unknown(&call)
    }

    /// Calls whatever it is.
    fn call_unknown(&mut self, call: &Call) -> Result<(), Stop> {
        if call.args.len() + 1 > serigraph_uops::layout::ARGS {
            return Err(self.unsupported());
        }
        if self.is_python(call.callable) {
            self.calls_through_c += 1;
            return self.hand_over(call.operands, None);
        }
        self.before_escape()?;
        self.push_args(1, &call.args)?;
        let result = self.emit(Uop::Vectorcall, &[call.callable], call.args.len() as u64)?;
        self.end_call(call, result)
    }

    fn end_call(&mut self, call: &Call, result: ValueId) -> Result<(), Stop> {
        self.fact_mut(result).not_null = true;
        let kinds = self.releases_after_escape(call.operands)?;
        self.pop_release(&kinds)?;
        self.push(result);
        self.next()
    }

    // --- With keywords, and with * and **.

    /// 3.12: the names for the CALL that follows; the two are one instruction, for a frame cannot go on between them.
    pub(super) fn kw_names(&mut self, index: u32) -> Result<(), Stop> {
        let frame = &self.frames[self.innermost()];
        let names = object::address(frame.code.constant(index));
        let Some(&call) = frame
            .units
            .at(self.instruction.next)
            .filter(|next| next.opcode == Opcode::Call)
        else {
            return Err(self.abort(Reason::BadCode));
        };
        self.instruction = call;
        let mut operands = self.call_operands(call.oparg, 0)?;
        operands.names = names;
        if self.follow(&operands)? {
            return Ok(());
        }
        let names = self.constant(names)?;
        self.call_keywords(&operands, names)
    }

    /// 3.13: the names are on top.
    pub(super) fn call_kw(&mut self, count: u32) -> Result<(), Stop> {
        let names = self.peek(0)?;
        let mut operands = self.call_operands(count, 1)?;
        if self.fact(names).constant {
            operands.names = self.bits(names);
            if self.follow(&operands)? {
                return Ok(());
            }
        }
        self.call_keywords(&operands, names)
    }

    fn call_keywords(&mut self, call: &Call, names: ValueId) -> Result<(), Stop> {
        if call.args.len() + 3 > serigraph_uops::layout::ARGS {
            return Err(self.unsupported());
        }
        if self.is_python(call.callable) {
            self.calls_through_c += 1;
            return self.hand_over(call.operands, Some(names));
        }
        self.before_escape()?;
        let mut args = Vec::with_capacity(call.args.len() + 2);
        args.extend([call.callable, names]);
        args.extend(&call.args);
        self.push_args_and_null(&args)?;
        let result = self.emit(Uop::CallArgs, &[], Helper::CallKeywords.number())?;
        self.end_call(call, result)
    }

    pub(super) fn call_function_ex(&mut self, oparg: u32) -> Result<(), Stop> {
        let has_keywords = oparg & 1;
        let operands = self.operand_list(3 + has_keywords)?;
        let callable = match self.minor {
            Minor::V312 => operands[1],
            Minor::V313 => operands[0],
        };
        let tuple = operands[2];
        if self.type_of(tuple) != self.types.tuple {
            return Err(self.unsupported());
        }
        self.guard_type(tuple, self.types.tuple)?;
        if self.is_python(callable) {
            return self.hand_over_unpacked(3 + has_keywords);
        }
        self.before_escape()?;
        let mut args = vec![callable, tuple];
        args.extend(operands.get(3));
        self.push_args_and_null(&args)?;
        let result = self.emit(Uop::CallArgs, &[], Helper::CallEx.number())?;
        self.end_call(
            &Call {
                callable,
                args,
                operands: 3 + has_keywords,
                names: 0,
            },
            result,
        )
    }

    /// Guards that a value is the object that it is in this recording; it is a constant then.
    pub(super) fn guard_identity(&mut self, value: ValueId) -> Result<(), Stop> {
        if !self.fact(value).constant {
            let bits = self.bits(value);
            self.keep(bits);
            self.emit(Uop::GuardIs, &[value], bits)?;
            // Known functions of C are never freed, and a class that is called is held by what it makes.
            let passing = self.type_of(value) == self.types.function;
            let fact = self.fact_mut(value);
            (fact.constant, fact.passing, fact.not_null) = (true, passing, true);
        }
        Ok(())
    }

    // --- Functions on the list.

    /// Calls a function on the list, if the arguments are such that it deserves it; false: nothing has been done.
    fn call_known(&mut self, call: &Call, known: Known) -> Result<bool, Stop> {
        self.guard_identity(call.callable)?;
        let result = match (known, &call.args[..]) {
            (Known::Len, &[value]) => match self.plain_length(value)? {
                Some(raw) => self.box_int(raw)?,
                None => return Ok(false),
            },
            (Known::Abs, &[value]) if self.is_number(value) => return self.call_abs(call, value),
            (Known::Min | Known::Max, &[a, b]) => {
                return self.call_extreme(call, known == Known::Max, a, b);
            }
            (Known::Float, &[value]) if self.is_float(value) => {
                self.guard_type(value, self.types.float)?;
                return self.end_known_same(call, value);
            }
            (Known::Float, &[value]) if self.is_int(value) => match self.as_float(value)? {
                Some(raw) => self.box_float(raw)?,
                None => return self.call_leaf(call),
            },
            (Known::Int, &[value]) if self.type_of(value) == self.types.int => {
                self.guard_type(value, self.types.int)?;
                return self.end_known_same(call, value);
            }
            (Known::Int, &[value]) if self.is_number(value) => match self.truncated(value)? {
                Some(raw) => self.box_int(raw)?,
                None => return self.call_leaf(call),
            },
            (Known::Bool, &[value]) => match self.plain_truth(value)? {
                Some(raw) => self.box_bool(raw)?,
                None => return Ok(false),
            },
            (Known::Sqrt | Known::Log | Known::Float1(_), &[value]) if self.is_number(value) => {
                match self.call_math(known, value)? {
                    Some(raw) => self.box_float(raw)?,
                    None => return self.call_leaf(call),
                }
            }
            (Known::ListAppend, &[list, value]) if self.type_of(list) == self.types.list => {
                return self.call_append(call, list, value);
            }
            (Known::IsInstance, &[value, class]) => {
                return self.call_isinstance(call, value, class);
            }
            (Known::Range, _) => {
                return Ok(self.call_range(call)? || self.call_leaf(call)?);
            }
            (Known::Leaf | Known::Float | Known::Int | Known::Log, _) => {
                return self.call_leaf(call);
            }
            _ => return Ok(false),
        };
        self.end_known(call, result)
    }

    /// Ends a call that has computed its result, with a reference, without running any code.
    pub(super) fn end_known(&mut self, call: &Call, result: ValueId) -> Result<bool, Stop> {
        let kinds = self.release_list(call.operands)?;
        self.pop_release(&kinds)?;
        self.push(result);
        self.next()?;
        Ok(true)
    }

    /// Ends a call whose result is one of its arguments, a plain object.
    fn end_known_same(&mut self, call: &Call, value: ValueId) -> Result<bool, Stop> {
        let kinds = self.release_list(call.operands)?;
        self.take_reference(value)?;
        self.pop_release(&kinds)?;
        self.push(value);
        self.next()?;
        Ok(true)
    }

    /// Calls a function that is harmless when all its arguments are plain.
    fn call_leaf(&mut self, call: &Call) -> Result<bool, Stop> {
        let t = self.types;
        let plain = [t.int, t.float, t.bool, t.str, t.none];
        if call.args.len() + 1 > serigraph_uops::layout::ARGS
            || !call
                .args
                .iter()
                .all(|&arg| plain.contains(&self.type_of(arg)))
        {
            return Ok(false);
        }
        for &arg in &call.args {
            let exact = self.type_of(arg);
            self.guard_type(arg, exact)?;
        }
        let kinds = self.release_list(call.operands)?;
        self.push_args(1, &call.args)?;
        let result = self.emit(
            Uop::LeafVectorcall,
            &[call.callable],
            call.args.len() as u64,
        )?;
        self.fact_mut(result).not_null = true;
        self.pop_release(&kinds)?;
        self.push(result);
        self.next()?;
        Ok(true)
    }

    fn call_abs(&mut self, call: &Call, value: ValueId) -> Result<bool, Stop> {
        if self.is_float(value) {
            let raw = self.raw_float(value)?;
            let raw = self.emit(Uop::FloatAbs, &[raw], 0)?;
            let result = self.box_float(raw)?;
            return self.end_known(call, result);
        }
        let Some(raw) = self.raw_int(value)? else {
            return self.call_leaf(call);
        };
        if self.type_of(value) == self.types.bool {
            let result = self.box_int(raw)?;
            return self.end_known(call, result);
        }
        if self.bits(raw) as i64 >= 0 {
            if !self.fact(raw).constant {
                self.emit(Uop::GuardIntGeImm, &[raw], 0)?;
            }
            return self.end_known_same(call, value);
        }
        if !self.fact(raw).constant {
            self.emit(Uop::GuardIntLtImm, &[raw], 0)?;
        }
        match self.attempt(Uop::IntNeg, &[raw], 0)? {
            Some(raw) => {
                let result = self.box_int(raw)?;
                self.end_known(call, result)
            }
            None => self.call_leaf(call),
        }
    }

    /// `min` and `max` of two numbers give one of them: the first unless the second is less (or greater).
    fn call_extreme(
        &mut self,
        call: &Call,
        is_max: bool,
        a: ValueId,
        b: ValueId,
    ) -> Result<bool, Stop> {
        const LT: u32 = 0;
        const GT: u32 = 4;
        let Some(second) = self.compare_numbers(if is_max { GT } else { LT }, b, a)? else {
            return self.call_leaf(call);
        };
        let is_second = self.bits(second) != 0;
        self.emit(
            if is_second {
                Uop::GuardTrue
            } else {
                Uop::GuardFalse
            },
            &[second],
            0,
        )?;
        self.end_known_same(call, if is_second { b } else { a })
    }

    /// A bool as an int, or a float truncated, if that fits.
    fn truncated(&mut self, value: ValueId) -> Result<Option<ValueId>, Stop> {
        if self.is_float(value) {
            let raw = self.raw_float(value)?;
            return self.attempt(Uop::FloatToInt, &[raw], 0);
        }
        self.raw_int(value)
    }

    /// The raw result of a function of the `math` module where it is defined; `None` elsewhere.
    fn call_math(&mut self, known: Known, value: ValueId) -> Result<Option<ValueId>, Stop> {
        let Some(raw) = self.as_float(value)? else {
            return Ok(None);
        };
        let x = f64::from_bits(self.bits(raw));
        let infinity = self.const_float(f64::INFINITY)?;
        match known {
            Known::Sqrt if x >= 0.0 => {
                let zero = self.const_float(0.0)?;
                self.emit(Uop::GuardFloatLe, &[zero, raw], 0)?;
                self.emit(Uop::FloatSqrt, &[raw], 0).map(Some)
            }
            Known::Log if x > 0.0 && x < f64::INFINITY => {
                let zero = self.const_float(0.0)?;
                self.emit(Uop::GuardFloatLt, &[zero, raw], 0)?;
                self.emit(Uop::GuardFloatLt, &[raw, infinity], 0)?;
                self.emit(Uop::LeafFloat1, &[raw], Helper::Log.number())
                    .map(Some)
            }
            Known::Float1(helper) if x.is_finite() => {
                let size = self.emit(Uop::FloatAbs, &[raw], 0)?;
                self.emit(Uop::GuardFloatLt, &[size, infinity], 0)?;
                self.emit(Uop::LeafFloat1, &[raw], helper.number())
                    .map(Some)
            }
            _ => Ok(None),
        }
    }

    fn call_append(&mut self, call: &Call, list: ValueId, value: ValueId) -> Result<bool, Stop> {
        self.guard_type(list, self.types.list)?;
        let mut kinds = self.release_list(call.operands)?;
        // The list holds the value now.
        if let Some(last) = kinds.last_mut() {
            *last = if self.fact(value).immortal {
                Release::Nothing
            } else {
                Release::Plain
            };
        }
        self.leaf(Uop::LeafStatus2, Helper::ListAppend, &[list, value])?;
        self.pop_release(&kinds)?;
        let none = self.constant(object::none())?;
        self.push_borrowed(none)?;
        self.next()?;
        Ok(true)
    }

    /// Of an object of a built-in type and a class whose metaclass is `type`.
    fn call_isinstance(
        &mut self,
        call: &Call,
        value: ValueId,
        class: ValueId,
    ) -> Result<bool, Stop> {
        let exact = self.type_of(value);
        let class_address = self.bits(class);
        if !self.types.is_known(exact)
            || !self.fact(class).constant
            || !object::is_plain_class(class_address)
        {
            return Ok(false);
        }
        self.guard_type(value, exact)?;
        let is_instance = object::is_subtype(exact, class_address);
        let answer = self.constant(object::boolean(is_instance))?;
        self.end_known(call, answer)
    }
}
