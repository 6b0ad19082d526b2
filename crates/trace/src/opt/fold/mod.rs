//! The rules of the forward pass, by the kind of what they look at. Each rule looks at one instruction and what is known of
//! its inputs, and says what becomes of it.

mod float;
mod guard;
mod int;
mod object;

use super::Pass;
use super::forward::{Forward, Outcome};
use crate::ir::{Inst, ValueId};
use serigraph_uops::{Exit, Kind, Uop};

impl Forward<'_> {
    /// The rule for an instruction.
    pub(super) fn fold(&mut self, inst: &Inst) -> Outcome {
        let info = inst.uop.info();
        let guard = info.exit == Exit::Guard && info.output.is_none();
        if guard {
            return if self.has(Pass::Guards) {
                self.fold_guard(inst)
            } else {
                Outcome::Keep
            };
        }
        match inst.uop {
            Uop::IntToFloat | Uop::IntTrueDiv if self.has(Pass::Fold) => self.fold_float(inst),
            Uop::FloatToInt if self.has(Pass::Fold) => self.fold_float(inst),
            _ => match info.inputs.first() {
                Some(Kind::Int)
                    if info.output == Some(Kind::Int)
                        && info.inputs.iter().all(|k| *k == Kind::Int) =>
                {
                    if self.has(Pass::Fold) {
                        self.fold_int(inst)
                    } else {
                        Outcome::Keep
                    }
                }
                Some(Kind::Float) if inst.uop != Uop::BoxFloat && !info.calls => {
                    if self.has(Pass::Fold) {
                        self.fold_float(inst)
                    } else {
                        Outcome::Keep
                    }
                }
                _ => self.fold_object(inst),
            },
        }
    }

    /// The value of an int, if only one is possible.
    pub(super) fn known_int(&self, value: ValueId) -> Option<i64> {
        self.facts[value.index()].constant()
    }

    /// The value of a float constant.
    pub(super) fn known_float(&self, value: ValueId) -> Option<f64> {
        let inst = self.out.inst(value);
        (inst.uop == Uop::ConstFloat).then(|| f64::from_bits(inst.imm))
    }

    /// The constant object a value is known to be.
    pub(super) fn known_object(&self, value: ValueId) -> Option<u64> {
        let alias = self.facts[value.index()].alias;
        let inst = self.out.inst(if alias.is_some() { alias } else { value });
        (inst.uop == Uop::ConstObject).then_some(inst.imm)
    }

    /// An int constant as an outcome.
    pub(super) fn same_int(&mut self, value: i64) -> Outcome {
        Outcome::Same(self.int(value))
    }

    /// A truth value as an outcome.
    pub(super) fn same_bool(&mut self, value: bool) -> Outcome {
        self.same_int(value.into())
    }
}

/// The same instruction with another uop and inputs.
pub(super) fn with(inst: &Inst, uop: Uop, args: &[ValueId]) -> Outcome {
    let mut other = Inst::new(uop, args, 0, inst.snapshot);
    if uop.info().exit == Exit::Never {
        other.snapshot = crate::ir::SnapshotId::NONE;
    }
    Outcome::Replace(other)
}
