//! Rules for floats: only such as hold for -0.0, infinities and NaN too.

use super::super::forward::{Forward, Outcome};
use super::with;
use crate::eval::int::{from_float, true_div};
use crate::ir::Inst;
use serigraph_uops::Uop;

impl Forward<'_> {
    pub(super) fn fold_float(&mut self, inst: &Inst) -> Outcome {
        let [a, b, _] = inst.args;
        match inst.uop {
            Uop::IntToFloat => {
                return match self.known_int(a) {
                    Some(value) => self.same_float(value as f64),
                    None => Outcome::Keep,
                };
            }
            Uop::IntTrueDiv => {
                let known = self.known_int(a).zip(self.known_int(b));
                return match known.and_then(|(a, b)| true_div(a, b)) {
                    Some(value) => self.same_float(value),
                    None => Outcome::Keep,
                };
            }
            _ => {}
        }
        let known_a = self.known_float(a);
        if inst.inputs().len() == 1 {
            return self.fold_float_unary(inst, known_a);
        }
        let known_b = self.known_float(b);
        if let (Some(a), Some(b)) = (known_a, known_b) {
            return match inst.uop {
                Uop::FloatAdd => self.same_float(a + b),
                Uop::FloatSub => self.same_float(a - b),
                Uop::FloatMul => self.same_float(a * b),
                Uop::FloatDiv if b != 0.0 => self.same_float(a / b),
                Uop::FloatLt => self.same_bool(a < b),
                Uop::FloatLe => self.same_bool(a <= b),
                Uop::FloatEq => self.same_bool(a == b),
                Uop::FloatNe => self.same_bool(a != b),
                _ => Outcome::Keep,
            };
        }
        match (inst.uop, known_b) {
            // a * 1.0 = a / 1.0 = a
            (Uop::FloatMul | Uop::FloatDiv, Some(1.0)) => Outcome::Same(a),
            // a - (+0.0) = a, also for -0.0
            (Uop::FloatSub, Some(0.0)) if known_b.is_some_and(f64::is_sign_positive) => {
                Outcome::Same(a)
            }
            // a + (-0.0) = a, also for +0.0
            (Uop::FloatAdd, Some(0.0)) if known_b.is_some_and(f64::is_sign_negative) => {
                Outcome::Same(a)
            }
            // a / 2^k = a * 2^-k: both are the same real number, rounded once
            (Uop::FloatDiv, Some(value)) if is_power_of_two(value) => {
                let inverse = self.constant(Uop::ConstFloat, (1.0 / value).to_bits());
                with(inst, Uop::FloatMul, &[a, inverse])
            }
            _ => Outcome::Keep,
        }
    }

    fn fold_float_unary(&mut self, inst: &Inst, known: Option<f64>) -> Outcome {
        let a = inst.args[0];
        match (inst.uop, known) {
            (Uop::FloatNeg, Some(value)) => self.same_float(-value),
            (Uop::FloatAbs, Some(value)) => self.same_float(value.abs()),
            (Uop::FloatSqrt, Some(value)) if value >= 0.0 => self.same_float(value.sqrt()),
            (Uop::FloatToInt, Some(value)) => match from_float(value) {
                Some(value) => self.same_int(value),
                None => Outcome::Keep,
            },
            // --a = a
            (Uop::FloatNeg, None) if self.out.inst(a).uop == Uop::FloatNeg => {
                Outcome::Same(self.out.inst(a).args[0])
            }
            // abs(-a) = abs(a)
            (Uop::FloatAbs, None) if self.out.inst(a).uop == Uop::FloatNeg => {
                let inner = self.out.inst(a).args[0];
                with(inst, Uop::FloatAbs, &[inner])
            }
            _ => Outcome::Keep,
        }
    }

    fn same_float(&mut self, value: f64) -> Outcome {
        Outcome::Same(self.constant(Uop::ConstFloat, value.to_bits()))
    }
}

/// A power of two whose inverse is a normal number too.
fn is_power_of_two(value: f64) -> bool {
    value.is_normal() && value.to_bits() & ((1 << 52) - 1) == 0 && (1.0 / value).is_normal()
}
