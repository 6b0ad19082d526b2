//! Making containers and strings.

use serigraph_cpython::bytecode::Opcode;
use serigraph_trace::ir::ValueId;
use serigraph_uops::{Reason, Uop};

use super::frame::{Fact, Release};
use super::{Recorder, Stop};
use crate::host::helpers::Helper;

impl Recorder<'_> {
    /// `BUILD_*` of the top operands.
    pub(super) fn build(&mut self, opcode: Opcode, oparg: u32) -> Result<(), Stop> {
        let (helper, count, exact) = match opcode {
            Opcode::BuildTuple => (Helper::BuildTuple, oparg, self.types.tuple),
            Opcode::BuildList => (Helper::BuildList, oparg, self.types.list),
            Opcode::BuildSet => (Helper::BuildSet, oparg, self.types.set),
            Opcode::BuildMap => (Helper::BuildMap, 2 * oparg, self.types.dict),
            Opcode::BuildConstKeyMap => (Helper::BuildConstKeyMap, oparg + 1, self.types.dict),
            Opcode::BuildString => (Helper::BuildString, oparg, self.types.str),
            _ => (Helper::BuildSlice, oparg, self.types.slice),
        };
        let operands = self.operand_list(count)?;
        // Hashing keys may run code, unless they are plain.
        let escapes = match opcode {
            Opcode::BuildSet => !self.all_plain(&operands)?,
            Opcode::BuildMap => {
                let keys: Vec<ValueId> = operands.iter().copied().step_by(2).collect();
                !self.all_plain(&keys)?
            }
            Opcode::BuildString => !self.all_plain(&operands)?,
            _ => false,
        };
        let kinds = if escapes {
            Vec::new()
        } else {
            self.held_releases(&operands, opcode)?
        };
        if escapes {
            self.before_escape()?;
        }
        self.push_args_and_null(&operands)?;
        let result = self.emit(
            if escapes {
                Uop::CallArgs
            } else {
                Uop::LeafArgs
            },
            &[],
            helper.number(),
        )?;
        let kinds = if escapes {
            self.releases_after_escape(count)?
        } else {
            kinds
        };
        self.pop_release(&kinds)?;
        // What a helper makes is new, so its type is no guess.
        *self.fact_mut(result) = Fact {
            exact_type: exact,
            not_null: true,
            ..Fact::NOTHING
        };
        self.push(result);
        self.next()
    }

    /// Whether all values are plain ones; guards that they are.
    fn all_plain(&mut self, values: &[ValueId]) -> Result<bool, Stop> {
        if !values
            .iter()
            .all(|&value| self.types.is_plain(self.type_of(value)))
        {
            return Ok(false);
        }
        for &value in values {
            let exact = self.type_of(value);
            self.guard_type(value, exact)?;
        }
        Ok(true)
    }

    /// How to release operands that a new container holds.
    fn held_releases(
        &mut self,
        operands: &[ValueId],
        opcode: Opcode,
    ) -> Result<Vec<Release>, Stop> {
        let holds_all = matches!(
            opcode,
            Opcode::BuildTuple | Opcode::BuildList | Opcode::BuildSlice
        );
        if !holds_all {
            return self.release_list(operands.len() as u32);
        }
        Ok(operands
            .iter()
            .map(|&value| {
                if self.fact(value).immortal {
                    Release::Nothing
                } else {
                    Release::Plain
                }
            })
            .collect())
    }

    /// `list.append` of a comprehension: the list is below.
    pub(super) fn list_append(&mut self, depth: u32) -> Result<(), Stop> {
        let value = self.peek(0)?;
        let list = self.peek(depth)?;
        self.leaf(Uop::LeafStatus2, Helper::ListAppend, &[list, value])?;
        let kind = if self.fact(value).immortal {
            Release::Nothing
        } else {
            Release::Plain
        };
        self.pop_release(&[kind])?;
        self.next()
    }

    /// Adding to a container below, in ways that may run any code.
    pub(super) fn add_to(&mut self, opcode: Opcode, depth: u32) -> Result<(), Stop> {
        let count = match opcode {
            Opcode::MapAdd => 2,
            _ => 1,
        };
        let container = self.peek(depth + count - 1)?;
        let [below, value] = match count {
            2 => self.operands::<2>()?,
            _ => [container, self.peek(0)?],
        };
        let exact = self.type_of(value);
        let from_sequence =
            opcode == Opcode::ListExtend && (exact == self.types.tuple || exact == self.types.list);
        if from_sequence {
            self.guard_type(value, exact)?;
            let kinds = self.releases::<1>()?;
            self.leaf(Uop::LeafStatus2, Helper::ListExtend, &[container, value])?;
            self.pop_release(&kinds)?;
            return self.next();
        }
        match opcode {
            Opcode::MapAdd => {
                self.escaping(Uop::CallStatus3, Helper::MapAdd, &[container, below, value])?
            }
            Opcode::SetAdd => {
                self.escaping(Uop::CallStatus2, Helper::SetAdd, &[container, value])?
            }
            Opcode::ListExtend => {
                self.escaping(Uop::CallStatus2, Helper::ListExtend, &[container, value])?
            }
            Opcode::SetUpdate => {
                self.escaping(Uop::CallStatus2, Helper::SetUpdate, &[container, value])?
            }
            _ => self.escaping(Uop::CallStatus2, Helper::DictUpdate, &[container, value])?,
        };
        let kinds = self.releases_after_escape(count)?;
        self.pop_release(&kinds)?;
        self.next()
    }

    /// `**` of a call: merges the dict on top into one below, if their keys are strings, each there once. Otherwise nothing has been
    /// done, and the interpreter sees to it.
    pub(super) fn dict_merge(&mut self, depth: u32) -> Result<(), Stop> {
        let update = self.peek(0)?;
        let dict = self.peek(depth)?;
        if self.type_of(update) != self.types.dict {
            return Err(self.unsupported());
        }
        self.guard_type(update, self.types.dict)?;
        let kinds = self.releases::<1>()?;
        let merged = self.leaf(Uop::LeafStatus2, Helper::DictMerge, &[dict, update])?;
        let snapshot = self.take_snapshot(Reason::GuardFailed);
        if self
            .attempt_at(Uop::GuardTrue, &[merged], 0, snapshot)?
            .is_none()
        {
            return Err(self.unsupported());
        }
        self.pop_release(&kinds)?;
        self.next()
    }

    // --- Formatted strings.

    /// 3.13: `f"{value}"`.
    pub(super) fn format_simple(&mut self) -> Result<(), Stop> {
        let [value] = self.operands::<1>()?;
        let exact = self.type_of(value);
        if exact == self.types.str {
            self.guard_type(value, exact)?;
            return self.next();
        }
        self.format_one(Helper::Format)
    }

    /// Formats the top operand; exact numbers, strings and `None` run no other code.
    fn format_one(&mut self, helper: Helper) -> Result<(), Stop> {
        let [value] = self.operands::<1>()?;
        let exact = self.type_of(value);
        let t = &self.types;
        if ![t.int, t.float, t.bool, t.str, t.none].contains(&exact) {
            return self.unary_escaping(helper);
        }
        self.guard_type(value, exact)?;
        let kinds = self.releases::<1>()?;
        let result = self.leaf(Uop::LeafObject1, helper, &[value])?;
        *self.fact_mut(result) = Fact {
            exact_type: self.types.str,
            not_null: true,
            ..Fact::NOTHING
        };
        self.pop_release(&kinds)?;
        self.push(result);
        self.next()
    }

    pub(super) fn format(&mut self, opcode: Opcode, oparg: u32) -> Result<(), Stop> {
        let conversion = |which: u32| match which {
            1 => Some(Helper::Str),
            2 => Some(Helper::Repr),
            3 => Some(Helper::Ascii),
            _ => None,
        };
        match opcode {
            Opcode::ConvertValue => match conversion(oparg) {
                Some(helper) => self.format_one(helper),
                None => Err(self.abort(Reason::BadCode)),
            },
            Opcode::FormatWithSpec => self.format_spec(),
            // 3.12's FORMAT_VALUE: a conversion, then the format; with one of the two only.
            _ => match (conversion(oparg & 3), oparg & 4 != 0) {
                (None, false) => self.format_one(Helper::Format),
                (None, true) => self.format_spec(),
                // `format(str(x), '')` is `str(x)`, if that is exactly a string, as it is for the plain types.
                (Some(helper), false) if self.is_number_on_top()? => self.format_one(helper),
                _ => Err(self.abort(Reason::UnsupportedOpcode)),
            },
        }
    }

    fn is_number_on_top(&mut self) -> Result<bool, Stop> {
        let value = self.peek(0)?;
        Ok(self.is_number(value) || self.type_of(value) == self.types.str)
    }

    fn format_spec(&mut self) -> Result<(), Stop> {
        let [value, spec] = self.operands::<2>()?;
        let exact = self.type_of(value);
        let t = &self.types;
        if [t.int, t.float, t.bool, t.str].contains(&exact) {
            self.guard_type(value, exact)?;
            let kinds = self.releases::<2>()?;
            let result = self.leaf(Uop::LeafObject2, Helper::FormatSpec, &[value, spec])?;
            *self.fact_mut(result) = Fact {
                exact_type: self.types.str,
                not_null: true,
                ..Fact::NOTHING
            };
            self.pop_release(&kinds)?;
            self.push(result);
            return self.next();
        }
        let result = self.escaping(Uop::CallObject2, Helper::FormatSpec, &[value, spec])?;
        let kinds = self.releases_after_escape(2)?;
        self.pop_release(&kinds)?;
        self.push(result);
        self.next()
    }
}
