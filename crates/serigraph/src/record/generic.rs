//! Every instruction that is one call of the C API.

use serigraph_cpython::bytecode::Opcode;
use serigraph_trace::ir::ValueId;
use serigraph_uops::{Reason, Uop};

use super::frame::Release;
use super::{Recorder, Stop};
use crate::host::helpers::Helper;
use crate::host::object;

impl Recorder<'_> {
    // --- Calls of the C API that may run any code.

    pub(super) fn generic(&mut self, opcode: Opcode) -> Result<(), Stop> {
        match opcode {
            Opcode::DeleteSubscr => {
                let [container, index] = self.operands::<2>()?;
                self.escaping(Uop::CallStatus2, Helper::DeleteItem, &[container, index])?;
                self.drop_after_escape(2)
            }
            Opcode::BinarySlice => self.binary_slice(),
            Opcode::StoreSlice => {
                let operands = self.operands::<4>()?;
                self.before_escape()?;
                self.push_args_and_null(&operands)?;
                self.emit(Uop::CallArgs, &[], Helper::SetSlice.number())?;
                self.drop_none_after_escape(4)
            }
            _ => Err(self.abort(Reason::UnsupportedOpcode)),
        }
    }

    /// Ends an instruction that has run unknown code and leaves nothing for its top `n` operands.
    pub(super) fn drop_after_escape(&mut self, n: u32) -> Result<(), Stop> {
        let kinds = self.releases_after_escape(n)?;
        self.pop_release(&kinds)?;
        self.next()
    }

    /// The same, where the helper has answered `None`, which is immortal and need not be released.
    fn drop_none_after_escape(&mut self, n: u32) -> Result<(), Stop> {
        let answer = ValueId(self.trace.insts.len() as u32 - 1);
        self.emit(Uop::DecRefPlain, &[answer], 0)?;
        self.drop_after_escape(n)
    }

    fn binary_slice(&mut self) -> Result<(), Stop> {
        let [container, start, stop] = self.operands::<3>()?;
        let t = &self.types;
        let exact = self.type_of(container);
        let plain_bound = |b: u64| b == t.int || b == t.none;
        let bounds = [self.type_of(start), self.type_of(stop)];
        let is_leaf = [t.str, t.list, t.tuple, t.bytes].contains(&exact)
            && bounds.iter().all(|&b| plain_bound(b));
        if is_leaf {
            self.guard_type(container, exact)?;
            self.guard_type(start, bounds[0])?;
            self.guard_type(stop, bounds[1])?;
            let kinds = self.releases::<3>()?;
            self.push_args_and_null(&[container, start, stop])?;
            let result = self.emit(Uop::LeafArgs, &[], Helper::GetSlicePlain.number())?;
            self.fact_mut(result).not_null = true;
            self.pop_release(&kinds)?;
            self.push(result);
            return self.next();
        }
        let result = self.escaping(
            Uop::CallObject3,
            Helper::GetSlice,
            &[container, start, stop],
        )?;
        let kinds = self.releases_after_escape(3)?;
        self.pop_release(&kinds)?;
        self.push(result);
        self.next()
    }

    // --- Small ones.

    pub(super) fn simple(&mut self, opcode: Opcode) -> Result<(), Stop> {
        match opcode {
            Opcode::LoadAssertionError => {
                // An assertion is about to fail.
                Err(self.abort(Reason::ExceptionRaised))
            }
            Opcode::GetLen => {
                let value = self.peek(0)?;
                let Some(raw) = self.plain_length(value)? else {
                    return Err(self.unsupported());
                };
                let result = self.box_int(raw)?;
                self.push(result);
                self.next()
            }
            _ => {
                let value = self.peek(0)?;
                let exact = self.type_of(value);
                if !self.types.is_known(exact) {
                    return Err(self.unsupported());
                }
                self.guard_type(value, exact)?;
                let t = &self.types;
                let matches = match opcode {
                    Opcode::MatchSequence => {
                        exact == t.list || exact == t.tuple || exact == t.range
                    }
                    _ => exact == t.dict,
                };
                let answer = self.constant(object::boolean(matches))?;
                self.push_borrowed(answer)?;
                self.next()
            }
        }
    }

    /// The raw length of an object of a built-in type.
    pub(super) fn plain_length(&mut self, value: ValueId) -> Result<Option<ValueId>, Stop> {
        let exact = self.type_of(value);
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
        Ok(Some(length))
    }

    pub(super) fn call_intrinsic_1(&mut self, oparg: u32) -> Result<(), Stop> {
        const UNARY_POSITIVE: u32 = 5;
        const LIST_TO_TUPLE: u32 = 6;
        let [value] = self.operands::<1>()?;
        match oparg {
            UNARY_POSITIVE => {
                let exact = self.type_of(value);
                if exact == self.types.int || exact == self.types.float {
                    // `+x` is x.
                    self.guard_type(value, exact)?;
                    return self.next();
                }
                self.unary_escaping(Helper::Positive)
            }
            LIST_TO_TUPLE => {
                self.guard_type(value, self.types.list)?;
                let kinds: [Release; 1] = self.releases::<1>()?;
                let tuple = self.leaf(Uop::LeafObject1, Helper::ListToTuple, &[value])?;
                self.fact_mut(tuple).exact_type = self.types.tuple;
                self.pop_release(&kinds)?;
                self.push(tuple);
                self.next()
            }
            _ => Err(self.abort(Reason::UnsupportedOpcode)),
        }
    }
}
