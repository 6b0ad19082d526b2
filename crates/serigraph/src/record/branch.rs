//! Truth values and jumps.

use serigraph_cpython::version::Minor;
use serigraph_trace::ir::ValueId;
use serigraph_uops::{Reason, Uop};

use super::{Recorder, Stop};
use crate::host::helpers::Helper;
use crate::host::object;

impl Recorder<'_> {
    /// 3.13: replaces the value on top by its truth value.
    pub(super) fn replace_by_truth(&mut self) -> Result<(), Stop> {
        self.truth_of_top(false)
    }

    /// 3.13: of a bool; 3.12: of anything.
    pub(super) fn unary_not(&mut self) -> Result<(), Stop> {
        self.truth_of_top(true)
    }

    fn truth_of_top(&mut self, invert: bool) -> Result<(), Stop> {
        let [value] = self.operands::<1>()?;
        let exact = self.type_of(value);
        if exact == self.types.bool && !invert {
            self.guard_type(value, exact)?;
            return self.next();
        }
        let kinds = self.releases::<1>();
        if let Some(raw) = self.plain_truth(value)? {
            let kinds = kinds?;
            let raw = self.invert_if(raw, invert)?;
            let result = self.box_bool(raw)?;
            self.pop_release(&kinds)?;
            self.push(result);
            return self.next();
        }
        let raw = self.escaping(Uop::CallStatus1, Helper::IsTrue, &[value])?;
        let raw = self.invert_if(raw, invert)?;
        let result = self.box_bool(raw)?;
        let kinds = self.releases_after_escape(1)?;
        self.pop_release(&kinds)?;
        self.push(result);
        self.next()
    }

    /// Jumps if the value on top is true (or false).
    pub(super) fn pop_jump(&mut self, jump_if: bool) -> Result<(), Stop> {
        let [value] = self.operands::<1>()?;
        let fact = *self.fact(value);
        let exact = self.type_of(value);
        if exact == self.types.bool {
            let is_true = self.bits(value) == object::boolean(true);
            let jumps = is_true == jump_if;
            if fact.raw.is_some() {
                self.guard_raw(fact.raw, is_true, jumps)?;
            } else if !fact.constant {
                self.guard_jump(Uop::GuardIs, value, object::boolean(is_true), jumps)?;
                self.fact_mut(value).exact_type = exact;
            }
            let kinds = self.releases::<1>()?;
            self.pop_release(&kinds)?;
            return self.jump_if(jumps);
        }
        if self.minor != Minor::V312 {
            // 3.13 jumps on bools only.
            return Err(self.abort(Reason::BadCode));
        }
        let Some(raw) = self.plain_truth(value)? else {
            return self.pop_jump_escaping(value);
        };
        let is_true = self.bits(raw) != 0;
        let jumps = is_true == jump_if;
        self.guard_raw(raw, is_true, jumps)?;
        let kinds = self.releases::<1>()?;
        self.pop_release(&kinds)?;
        self.jump_if(jumps)
    }

    /// 3.12: asking runs unknown code. The bool takes the place of what was asked, as 3.13's `TO_BOOL` puts it there, and the jump
    /// follows as an instruction of its own.
    fn pop_jump_escaping(&mut self, value: ValueId) -> Result<(), Stop> {
        let raw = self.escaping(Uop::CallStatus1, Helper::IsTrue, &[value])?;
        let answer = self.box_bool(raw)?;
        let kinds = self.releases_after_escape(1)?;
        self.pop_release(&kinds)?;
        self.push(answer);
        self.go_to(self.instruction.start)
    }

    fn guard_raw(&mut self, raw: ValueId, is_true: bool, jumps: bool) -> Result<(), Stop> {
        if !self.fact(raw).constant {
            let uop = match is_true {
                true => Uop::GuardTrue,
                false => Uop::GuardFalse,
            };
            self.guard_jump(uop, raw, 0, jumps)?;
        }
        Ok(())
    }

    /// A guard that fails where the current instruction goes the other way.
    fn guard_jump(&mut self, uop: Uop, value: ValueId, imm: u64, jumps: bool) -> Result<(), Stop> {
        let other = self.target(!jumps)?;
        let ends_loop = self.innermost() == 0 && !self.frames[0].units.comes_to_back_edge(other);
        let snapshot = match ends_loop {
            true => self.snapshot_for(Reason::LoopEnded),
            false => self.snapshot(),
        };
        match self.attempt_at(uop, &[value], imm, snapshot)? {
            Some(_) => Ok(()),
            None => Err(self.unsupported()),
        }
    }

    pub(super) fn pop_jump_none(&mut self, jump_if_none: bool) -> Result<(), Stop> {
        let [value] = self.operands::<1>()?;
        let none = object::none();
        let is_none = self.bits(value) == none;
        let jumps = is_none == jump_if_none;
        if !self.fact(value).constant {
            if is_none {
                self.guard_jump(Uop::GuardIs, value, none, jumps)?;
                self.fact_mut(value).exact_type = self.types.none;
            } else if self.fact(value).exact_type == 0 {
                self.guard_jump(Uop::GuardIsNot, value, none, jumps)?;
            }
        }
        let kinds = self.releases::<1>()?;
        self.pop_release(&kinds)?;
        self.jump_if(jumps)
    }

    /// Where the current instruction goes on, jumping or not.
    pub(super) fn target(&self, jumps: bool) -> Result<u32, Stop> {
        if !jumps {
            return Ok(self.instruction.next);
        }
        self.instruction
            .jump_target()
            .ok_or_else(|| self.abort(Reason::BadCode))
    }

    pub(super) fn jump_if(&mut self, jumps: bool) -> Result<(), Stop> {
        let target = self.target(jumps)?;
        self.go_to(target)
    }

    pub(super) fn jump(&mut self, is_back_edge: bool) -> Result<(), Stop> {
        let target = self.target(true)?;
        if is_back_edge {
            if self.innermost() > 0 {
                return Err(self.abort(Reason::LoopInCallee));
            }
            // The header where the recording began, or one that can be linked to. From a root, another loop has to be hot first;
            // from a side exit, the back edge of an outer loop is a jump like any other, but one that is taken twice is not.
            if Some(target) != self.header && !self.is_reachable(target) {
                if self.header.is_some() || self.passed.contains(&target) {
                    return Err(self.abort(Reason::NotLooping));
                }
                self.passed.push(target);
            }
            self.poll_due = true;
        }
        self.go_to(target)
    }
}
