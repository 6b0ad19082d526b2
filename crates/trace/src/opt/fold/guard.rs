//! Rules for guards: superfluous, bound to fail, or simpler.

use super::super::forward::{Forward, Outcome};
use super::with;
use crate::ir::{Inst, ValueId};
use serigraph_uops::Uop;

/// A guard whose outcome is known.
fn decided(holds: bool) -> Outcome {
    if holds { Outcome::Drop } else { Outcome::Never }
}

impl Forward<'_> {
    pub(super) fn fold_guard(&mut self, inst: &Inst) -> Outcome {
        let [a, b, _] = inst.args;
        match inst.uop {
            Uop::GuardIntLt => {
                let (x, y) = (self.facts[a.index()], self.facts[b.index()]);
                if x.hi < y.lo {
                    Outcome::Drop
                } else if a == b || x.lo >= y.hi {
                    Outcome::Never
                } else {
                    Outcome::Keep
                }
            }
            Uop::GuardIntLe => {
                let (x, y) = (self.facts[a.index()], self.facts[b.index()]);
                if a == b || x.hi <= y.lo {
                    Outcome::Drop
                } else if x.lo > y.hi {
                    Outcome::Never
                } else {
                    Outcome::Keep
                }
            }
            Uop::GuardIntEq | Uop::GuardIntNe => self.guard_equal(inst),
            Uop::GuardIntBelow => {
                let (x, y) = (self.facts[a.index()], self.facts[b.index()]);
                if x.lo >= 0 && y.lo >= 0 && x.hi < y.lo {
                    Outcome::Drop
                } else if a == b || (x.lo >= y.hi && y.lo >= 0) || (x.hi < 0 && y.lo >= 0) {
                    Outcome::Never
                } else {
                    Outcome::Keep
                }
            }
            Uop::GuardTrue => self.guard_truth(inst, a, true),
            Uop::GuardFalse => self.guard_truth(inst, a, false),
            Uop::GuardFloatLt
            | Uop::GuardFloatLe
            | Uop::GuardFloatEq
            | Uop::GuardFloatNotLt
            | Uop::GuardFloatNotLe
            | Uop::GuardFloatNe => match self.known_float(a).zip(self.known_float(b)) {
                Some((x, y)) => decided(match inst.uop {
                    Uop::GuardFloatLt => x < y,
                    Uop::GuardFloatLe => x <= y,
                    Uop::GuardFloatEq => x == y,
                    Uop::GuardFloatNotLt => x >= y || x.is_nan() || y.is_nan(),
                    Uop::GuardFloatNotLe => x > y || x.is_nan() || y.is_nan(),
                    _ => x != y,
                }),
                None => Outcome::Keep,
            },
            Uop::GuardType => match self.facts[a.index()].type_address {
                0 if self.known_object(a) == Some(0) => Outcome::Never,
                0 => Outcome::Keep,
                known => decided(known == inst.imm),
            },
            Uop::GuardIs => self.guard_is(inst, a),
            Uop::GuardIsNot => self.guard_is_not(inst, a),
            Uop::GuardSame => match (self.known_object(a), self.known_object(b)) {
                _ if a == b => Outcome::Drop,
                (Some(x), Some(y)) => decided(x == y),
                (Some(x), None) => {
                    Outcome::Replace(Inst::new(Uop::GuardIs, &[b], x, inst.snapshot))
                }
                (None, Some(y)) => {
                    Outcome::Replace(Inst::new(Uop::GuardIs, &[a], y, inst.snapshot))
                }
                _ if self.types_differ(a, b) => Outcome::Never,
                _ => Outcome::Keep,
            },
            Uop::GuardUnshared if self.facts[a.index()].unshared => Outcome::Drop,
            Uop::GuardShared => match self.facts[a.index()].type_address {
                known if self.types.is_immortal_type(known) => Outcome::Drop,
                _ if self.known_object(a).is_some_and(self.types.is_immortal) => Outcome::Drop,
                _ => Outcome::Keep,
            },
            _ => Outcome::Keep,
        }
    }

    /// Whether two objects cannot be one because their types are known and differ.
    pub(super) fn types_differ(&self, a: ValueId, b: ValueId) -> bool {
        let (x, y) = (
            self.facts[a.index()].type_address,
            self.facts[b.index()].type_address,
        );
        x != 0 && y != 0 && x != y
    }

    fn guard_equal(&mut self, inst: &Inst) -> Outcome {
        let [a, b, _] = inst.args;
        let equal = inst.uop == Uop::GuardIntEq;
        let (x, y) = (self.facts[a.index()], self.facts[b.index()]);
        if a == b || (x.constant().is_some() && x.constant() == y.constant()) {
            return decided(equal);
        }
        if x.hi < y.lo || x.lo > y.hi {
            return decided(!equal);
        }
        match y.constant() {
            // of a truth value: t == 1, t != 0, ...
            Some(c @ (0 | 1)) if x.lo >= 0 && x.hi <= 1 => {
                let truth = (c == 1) == equal;
                with(
                    inst,
                    if truth {
                        Uop::GuardTrue
                    } else {
                        Uop::GuardFalse
                    },
                    &[a],
                )
            }
            _ => Outcome::Keep,
        }
    }

    /// A guard on a truth value is a guard on the comparison that made it.
    fn guard_truth(&mut self, inst: &Inst, value: ValueId, truth: bool) -> Outcome {
        let fact = self.facts[value.index()];
        if fact.lo > 0 || fact.hi < 0 {
            return decided(truth);
        }
        if fact.constant() == Some(0) {
            return decided(!truth);
        }
        if self.is_truth(value) && self.tested.is_none() {
            self.tested = Some((value, truth));
        }
        let made = *self.out.inst(value);
        let [a, b, _] = made.args;
        let swapped = [b, a];
        let (uop, args) = match (made.uop, truth) {
            (Uop::IntLt, true) => (Uop::GuardIntLt, [a, b]),
            (Uop::IntLt, false) => (Uop::GuardIntLe, swapped),
            (Uop::IntLe, true) => (Uop::GuardIntLe, [a, b]),
            (Uop::IntLe, false) => (Uop::GuardIntLt, swapped),
            (Uop::IntEq, true) | (Uop::IntNe, false) => (Uop::GuardIntEq, [a, b]),
            (Uop::IntEq, false) | (Uop::IntNe, true) => (Uop::GuardIntNe, [a, b]),
            (Uop::FloatLt, true) => (Uop::GuardFloatLt, [a, b]),
            (Uop::FloatLt, false) => (Uop::GuardFloatNotLt, [a, b]),
            (Uop::FloatLe, true) => (Uop::GuardFloatLe, [a, b]),
            (Uop::FloatLe, false) => (Uop::GuardFloatNotLe, [a, b]),
            (Uop::FloatEq, true) | (Uop::FloatNe, false) => (Uop::GuardFloatEq, [a, b]),
            (Uop::FloatEq, false) | (Uop::FloatNe, true) => (Uop::GuardFloatNe, [a, b]),
            (Uop::ObjectIs, true) => (Uop::GuardSame, [a, b]),
            (Uop::ObjectIs, false) => match (self.known_object(a), self.known_object(b)) {
                (_, Some(x)) => {
                    return Outcome::Replace(Inst::new(Uop::GuardIsNot, &[a], x, inst.snapshot));
                }
                (Some(x), _) => {
                    return Outcome::Replace(Inst::new(Uop::GuardIsNot, &[b], x, inst.snapshot));
                }
                _ => return Outcome::Keep,
            },
            // the truth of `t ^ 1` is that t is 0
            (Uop::IntXor, _) if self.known_int(b) == Some(1) && self.is_truth(a) => (
                if truth {
                    Uop::GuardFalse
                } else {
                    Uop::GuardTrue
                },
                [a, ValueId::NONE],
            ),
            _ => return Outcome::Keep,
        };
        // The truth value itself is known from here on.
        if let Some(bit) = self.is_truth(value).then_some(i64::from(truth)) {
            self.learn_truth(value, bit);
        }
        with(inst, uop, &args[..uop.info().inputs.len()])
    }

    /// Whether an int is 0 or 1.
    fn is_truth(&self, value: ValueId) -> bool {
        let fact = self.facts[value.index()];
        fact.lo >= 0 && fact.hi <= 1
    }

    fn learn_truth(&mut self, value: ValueId, bit: i64) {
        let fact = &mut self.facts[value.index()];
        (fact.lo, fact.hi) = (bit, bit);
    }

    fn guard_is(&mut self, inst: &Inst, a: ValueId) -> Outcome {
        if let Some(known) = self.known_object(a) {
            return decided(known == inst.imm);
        }
        let fact = self.facts[a.index()];
        if inst.imm == 0 {
            return if fact.not_null {
                Outcome::Never
            } else {
                Outcome::Keep
            };
        }
        let types = self.types;
        if fact.type_address != 0 {
            if fact.type_address != (types.type_of)(inst.imm) {
                return Outcome::Never;
            }
            if fact.type_address == types.none_type {
                return Outcome::Drop;
            }
            if fact.type_address == types.bool_ && fact.raw.is_some() {
                let guard = if inst.imm == types.true_ {
                    Uop::GuardTrue
                } else {
                    Uop::GuardFalse
                };
                return with(inst, guard, &[fact.raw]);
            }
        }
        Outcome::Keep
    }

    fn guard_is_not(&mut self, inst: &Inst, a: ValueId) -> Outcome {
        if let Some(known) = self.known_object(a) {
            return decided(known != inst.imm);
        }
        let fact = self.facts[a.index()];
        if inst.imm == 0 {
            return if fact.not_null {
                Outcome::Drop
            } else {
                Outcome::Keep
            };
        }
        let types = self.types;
        if fact.type_address != 0 {
            if fact.type_address != (types.type_of)(inst.imm) {
                return Outcome::Drop;
            }
            if fact.type_address == types.none_type {
                return Outcome::Never;
            }
            if fact.type_address == types.bool_ && fact.raw.is_some() {
                let guard = if inst.imm == types.true_ {
                    Uop::GuardFalse
                } else {
                    Uop::GuardTrue
                };
                return with(inst, guard, &[fact.raw]);
            }
        }
        Outcome::Keep
    }
}
