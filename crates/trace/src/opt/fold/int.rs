//! Rules for integers. `[a]` is the range of `a`.

use super::super::facts::{arithmetic, exact};
use super::super::forward::{Forward, Outcome};
use super::with;
use crate::eval::int::{floor_div, floor_mod, range_length, shl, shr};
use crate::ir::{Inst, SnapshotId, ValueId};
use serigraph_uops::Uop;

impl Forward<'_> {
    pub(super) fn fold_int(&mut self, inst: &Inst) -> Outcome {
        let [a, b, _] = inst.args;
        let fact_a = self.facts[a.index()];
        let known_a = fact_a.constant();
        let two = inst.inputs().len() == 2;
        let known_b = if two { self.known_int(b) } else { None };
        if inst.uop == Uop::IntShrImm {
            return match known_a {
                Some(value) => self.same_int(value >> inst.imm.min(63)),
                None if inst.imm == 0 => Outcome::Same(a),
                None => Outcome::Keep,
            };
        }
        if let Some(value) = constant(inst.uop, known_a, known_b, two) {
            return self.same_int(value);
        }
        if inst.uop == Uop::RangeLength {
            let [start, stop, step] = inst.args.map(|arg| self.known_int(arg));
            let length = start
                .zip(stop)
                .zip(step)
                .and_then(|((start, stop), step)| range_length(start, stop, step));
            return length.map_or(Outcome::Keep, |length| self.same_int(length));
        }
        let fact_b = if two { self.facts[b.index()] } else { fact_a };
        match (inst.uop, known_b) {
            // a + 0 = a - 0 = a | 0 = a ^ 0 = a << 0 = a >> 0 = a * 1 = a // 1 = a
            (
                Uop::IntAdd
                | Uop::IntAddWrap
                | Uop::IntSub
                | Uop::IntSubWrap
                | Uop::IntOr
                | Uop::IntXor
                | Uop::IntShl
                | Uop::IntShr,
                Some(0),
            )
            | (Uop::IntMul | Uop::IntFloorDiv, Some(1)) => Outcome::Same(a),
            // a * 0 = a & 0 = a % 1 = 0
            (Uop::IntMul | Uop::IntAnd, Some(0)) | (Uop::IntMod, Some(1)) => self.same_int(0),
            // a * -1 = a // -1 = -a, and overflow alike
            (Uop::IntMul | Uop::IntFloorDiv, Some(-1)) => with(inst, Uop::IntNeg, &[a]),
            // a & -1 = a
            (Uop::IntAnd, Some(-1)) => Outcome::Same(a),
            // a & (2^k - 1) = a if 0 <= [a] < 2^k
            (Uop::IntAnd, Some(mask))
                if mask > 0
                    && mask.wrapping_add(1) & mask == 0
                    && fact_a.lo >= 0
                    && fact_a.hi <= mask =>
            {
                Outcome::Same(a)
            }
            // a // 2^k = a >> k: both round towards negative infinity
            (Uop::IntFloorDiv, Some(n)) if n > 0 && n & (n - 1) == 0 => {
                shifted(a, n.trailing_zeros().into())
            }
            // nothing to check; from 63 on, only the sign is left
            (Uop::IntShr, Some(n)) if n >= 0 => shifted(a, n.min(63)),
            // a % m = a if 0 <= [a] < m
            (Uop::IntMod, Some(m)) if fact_a.lo >= 0 && fact_a.hi < m => Outcome::Same(a),
            // a % 2^k = a & (2^k - 1), in two's complement for negative a too
            (Uop::IntMod, Some(n)) if n > 0 && n & (n - 1) == 0 => {
                let mask = self.int(n - 1);
                with(inst, Uop::IntAnd, &[a, mask])
            }
            // a - a = a ^ a = 0
            (Uop::IntSub | Uop::IntSubWrap | Uop::IntXor, _) if a == b => self.same_int(0),
            // a & a = a | a = a
            (Uop::IntAnd | Uop::IntOr, _) if a == b => Outcome::Same(a),
            // [a] + [b] fits: nothing to check
            (Uop::IntAdd, _) if fits(inst.uop, fact_a, fact_b) => {
                with(inst, Uop::IntAddWrap, &[a, b])
            }
            (Uop::IntSub, _) if fits(inst.uop, fact_a, fact_b) => {
                with(inst, Uop::IntSubWrap, &[a, b])
            }
            (Uop::IntLt, _) if a == b || fact_a.lo >= fact_b.hi => self.same_bool(false),
            (Uop::IntLt, _) if fact_a.hi < fact_b.lo => self.same_bool(true),
            (Uop::IntLe, _) if a == b || fact_a.hi <= fact_b.lo => self.same_bool(true),
            (Uop::IntLe, _) if fact_a.lo > fact_b.hi => self.same_bool(false),
            (Uop::IntEq | Uop::IntNe, _) if a == b => self.same_bool(inst.uop == Uop::IntEq),
            (Uop::IntEq | Uop::IntNe, _) if fact_a.hi < fact_b.lo || fact_a.lo > fact_b.hi => {
                self.same_bool(inst.uop == Uop::IntNe)
            }
            // (t != 0) = t for a truth value
            (Uop::IntNe, Some(0)) if fact_a.lo >= 0 && fact_a.hi <= 1 => Outcome::Same(a),
            (Uop::IntEq, Some(1)) if fact_a.lo >= 0 && fact_a.hi <= 1 => Outcome::Same(a),
            // ~~a = --a = a
            (Uop::IntInvert, _) if self.out.inst(a).uop == Uop::IntInvert => {
                Outcome::Same(self.out.inst(a).args[0])
            }
            (Uop::IntNeg, _) if self.out.inst(a).uop == Uop::IntNeg => {
                Outcome::Same(self.out.inst(a).args[0])
            }
            _ => Outcome::Keep,
        }
    }
}

fn shifted(a: ValueId, by: i64) -> Outcome {
    Outcome::Replace(Inst::new(Uop::IntShrImm, &[a], by as u64, SnapshotId::NONE))
}

fn fits(uop: Uop, a: super::super::facts::Fact, b: super::super::facts::Fact) -> bool {
    let (lo, hi) = arithmetic(uop, &a, &b);
    exact(lo, hi).is_some()
}

/// The result on constants, if there is one that fits.
fn constant(uop: Uop, a: Option<i64>, b: Option<i64>, two: bool) -> Option<i64> {
    let a = a?;
    if !two {
        return match uop {
            Uop::IntNeg => a.checked_neg(),
            Uop::IntInvert => Some(!a),
            _ => None,
        };
    }
    let b = b?;
    match uop {
        Uop::IntAdd => a.checked_add(b),
        Uop::IntSub => a.checked_sub(b),
        Uop::IntMul => a.checked_mul(b),
        Uop::IntFloorDiv => floor_div(a, b),
        Uop::IntMod => floor_mod(a, b),
        Uop::IntAddWrap => Some(a.wrapping_add(b)),
        Uop::IntSubWrap => Some(a.wrapping_sub(b)),
        Uop::IntAnd => Some(a & b),
        Uop::IntOr => Some(a | b),
        Uop::IntXor => Some(a ^ b),
        Uop::IntShl => shl(a, b),
        Uop::IntShr => shr(a, b),
        Uop::IntLt => Some((a < b).into()),
        Uop::IntLe => Some((a <= b).into()),
        Uop::IntEq => Some((a == b).into()),
        Uop::IntNe => Some((a != b).into()),
        _ => None,
    }
}
