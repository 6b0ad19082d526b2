//! What is known of a value: a range for ints, a type for objects, and the raw value inside a box.
//!
//! Facts only ever narrow, along the trace: a definition gives the first ones, each guard that was passed adds some. A
//! guard that would leave nothing possible is a contradiction: the trace cannot go on past it.

use super::types::HostTypes;
use crate::ir::{Inst, ValueId};
use serigraph_uops::{Kind, Uop};

/// What is known of one value.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct Fact {
    /// The least value an int can have.
    pub lo: i64,
    /// The greatest value an int can have.
    pub hi: i64,
    /// The exact type of an object, or 0.
    pub type_address: u64,
    /// The raw value of an int, float or bool object, or `NONE`.
    pub raw: ValueId,
    /// For an object that was found to be a constant: that constant, else `NONE`.
    pub alias: ValueId,
    /// The object is not null.
    pub not_null: bool,
    /// The object has one reference, which the operand stack owns.
    pub unshared: bool,
}

impl Fact {
    /// Nothing is known.
    pub const ANYTHING: Fact = Fact {
        lo: i64::MIN,
        hi: i64::MAX,
        type_address: 0,
        raw: ValueId::NONE,
        alias: ValueId::NONE,
        not_null: false,
        unshared: false,
    };

    /// An int in a range.
    pub fn range(lo: i64, hi: i64) -> Fact {
        Fact {
            lo,
            hi,
            ..Fact::ANYTHING
        }
    }

    /// An object of a type (0: of any), not null.
    pub fn object(type_address: u64) -> Fact {
        Fact {
            type_address,
            not_null: true,
            ..Fact::ANYTHING
        }
    }

    /// The only value an int can have.
    pub fn constant(&self) -> Option<i64> {
        (self.lo == self.hi).then_some(self.lo)
    }

    /// Keeps what lies in a range; false if nothing is left.
    pub fn narrow(&mut self, lo: i64, hi: i64) -> bool {
        self.lo = self.lo.max(lo);
        self.hi = self.hi.min(hi);
        self.lo <= self.hi
    }
}

/// The range of values, given exact bounds; everything if they do not fit 64 bits.
pub(super) fn exact(lo: i128, hi: i128) -> Option<(i64, i64)> {
    Some((i64::try_from(lo).ok()?, i64::try_from(hi).ok()?))
}

/// The part of a range that fits 64 bits.
pub(super) fn clamped(lo: i128, hi: i128) -> (i64, i64) {
    let fit = |x: i128| x.clamp(i64::MIN.into(), i64::MAX.into()) as i64;
    (fit(lo), fit(hi))
}

/// The bounds of a sum, difference or product, before any question of width.
pub(super) fn arithmetic(uop: Uop, a: &Fact, b: &Fact) -> (i128, i128) {
    let [alo, ahi, blo, bhi] = [a.lo, a.hi, b.lo, b.hi].map(i128::from);
    match uop {
        Uop::IntAdd | Uop::IntAddWrap => (alo + blo, ahi + bhi),
        Uop::IntSub | Uop::IntSubWrap => (alo - bhi, ahi - blo),
        _ => {
            let corners = [alo * blo, alo * bhi, ahi * blo, ahi * bhi];
            let lo = corners.into_iter().fold(corners[0], i128::min);
            (lo, corners.into_iter().fold(corners[0], i128::max))
        }
    }
}

/// The longest a list or tuple can be.
const MAX_LENGTH: i64 = i64::MAX / 8;

/// What the definition of a value says about it, given the facts about its inputs.
pub(super) fn definition(types: &HostTypes, facts: &[Fact], inst: &Inst) -> Fact {
    let fact = |i: usize| facts.get(inst.args[i].index()).unwrap_or(&Fact::ANYTHING);
    let (a, b) = (fact(0), fact(1));
    match inst.uop {
        Uop::ConstInt => Fact::range(inst.imm as i64, inst.imm as i64),
        Uop::ConstObject if inst.imm == 0 => Fact::ANYTHING,
        // What can get another type is guarded.
        Uop::ConstObject => match (types.type_of)(inst.imm) {
            fixed if types.is_fixed(fixed) => Fact::object(fixed),
            _ => Fact::object(0),
        },
        Uop::IntAdd | Uop::IntSub | Uop::IntMul => {
            let (lo, hi) = arithmetic(inst.uop, a, b);
            let (lo, hi) = clamped(lo, hi);
            Fact::range(lo, hi)
        }
        Uop::IntAddWrap | Uop::IntSubWrap => {
            let (lo, hi) = arithmetic(inst.uop, a, b);
            exact(lo, hi).map_or(Fact::ANYTHING, |(lo, hi)| Fact::range(lo, hi))
        }
        Uop::IntNeg => {
            let (lo, hi) = clamped(-i128::from(a.hi), -i128::from(a.lo));
            Fact::range(lo, hi)
        }
        Uop::IntInvert => Fact::range(!a.hi, !a.lo),
        Uop::IntFloorDiv if b.lo > 0 => Fact::range(
            a.lo.div_euclid(if a.lo < 0 { b.lo } else { b.hi }),
            a.hi.div_euclid(if a.hi < 0 { b.hi } else { b.lo }),
        ),
        Uop::IntMod if b.lo > 0 => Fact::range(
            0,
            if a.lo >= 0 {
                a.hi.min(b.hi - 1)
            } else {
                b.hi - 1
            },
        ),
        Uop::IntMod if b.hi < 0 => Fact::range(b.lo + 1, 0),
        Uop::IntAnd if a.lo >= 0 && b.lo >= 0 => Fact::range(0, a.hi.min(b.hi)),
        Uop::IntAnd if a.lo >= 0 => Fact::range(0, a.hi),
        Uop::IntAnd if b.lo >= 0 => Fact::range(0, b.hi),
        Uop::IntOr | Uop::IntXor if a.lo >= 0 && b.lo >= 0 => {
            let bits = 64 - (a.hi | b.hi).leading_zeros();
            Fact::range(
                0,
                if bits >= 63 {
                    i64::MAX
                } else {
                    (1 << bits) - 1
                },
            )
        }
        Uop::IntShr if a.lo >= 0 => Fact::range(0, a.hi),
        Uop::IntShrImm => Fact::range(a.lo >> inst.imm.min(63), a.hi >> inst.imm.min(63)),
        Uop::IntShl => match b.constant() {
            Some(n @ 0..=63) => {
                let (lo, hi) = clamped(i128::from(a.lo) << n, i128::from(a.hi) << n);
                Fact::range(lo, hi)
            }
            _ if a.lo >= 0 => Fact::range(0, i64::MAX),
            _ => Fact::ANYTHING,
        },
        Uop::IntLt
        | Uop::IntLe
        | Uop::IntEq
        | Uop::IntNe
        | Uop::FloatLt
        | Uop::FloatLe
        | Uop::FloatEq
        | Uop::FloatNe
        | Uop::ObjectIs
        | Uop::UnboxBool => Fact::range(0, 1),
        Uop::ListLen | Uop::TupleLen => Fact::range(0, MAX_LENGTH),
        Uop::LoadInt32 => Fact::range(0, u32::MAX.into()),
        Uop::BoxInt => Fact {
            raw: inst.args[0],
            ..Fact::object(types.int)
        },
        Uop::BoxFloat => Fact {
            raw: inst.args[0],
            ..Fact::object(types.float)
        },
        Uop::BoxBool => Fact {
            raw: inst.args[0],
            ..Fact::object(types.bool_)
        },
        Uop::ItemAt | Uop::TupleItem | Uop::TupleItemImm | Uop::LoadType | Uop::ListExchange => {
            Fact::object(0)
        }
        Uop::RangeLength => Fact::range(0, i64::MAX),
        Uop::MakeRangeIterator => Fact {
            unshared: true,
            ..Fact::object(types.range_iterator)
        },
        Uop::TakeSlot => Fact::ANYTHING,
        _ if inst.kind == Kind::Object && inst.uop.info().ownership.output_owned => Fact::object(0),
        _ => Fact::ANYTHING,
    }
}

/// What passing a guard says about its operands. `None` if it cannot have been passed.
pub(super) fn passed(types: &HostTypes, facts: &mut [Fact], inst: &Inst) -> Option<()> {
    let [a, b, _] = inst.args;
    let fact_a = facts.get(a.index()).copied().unwrap_or(Fact::ANYTHING);
    let fact_b = facts.get(b.index()).copied().unwrap_or(Fact::ANYTHING);
    let mut narrow =
        |value: ValueId, lo: i64, hi: i64| facts[value.index()].narrow(lo, hi).then_some(());
    match inst.uop {
        Uop::GuardIntLt => {
            narrow(a, i64::MIN, fact_b.hi.checked_sub(1)?)?;
            narrow(b, fact_a.lo.checked_add(1)?, i64::MAX)
        }
        Uop::GuardIntLe => {
            narrow(a, i64::MIN, fact_b.hi)?;
            narrow(b, fact_a.lo, i64::MAX)
        }
        Uop::GuardIntEq => {
            narrow(a, fact_b.lo, fact_b.hi)?;
            narrow(b, fact_a.lo, fact_a.hi)
        }
        Uop::GuardIntNe => {
            if let Some(c) = fact_b.constant() {
                exclude(&mut facts[a.index()], c)?;
            }
            if let Some(c) = fact_a.constant() {
                exclude(&mut facts[b.index()], c)?;
            }
            Some(())
        }
        Uop::GuardIntBelow if fact_b.lo >= 0 => narrow(a, 0, fact_b.hi.checked_sub(1)?),
        Uop::GuardTrue => exclude(&mut facts[a.index()], 0),
        Uop::GuardFalse => narrow(a, 0, 0),
        Uop::GuardType => {
            let fact = &mut facts[a.index()];
            fact.not_null = true;
            fact.type_address = inst.imm;
            Some(())
        }
        Uop::GuardIs if inst.imm != 0 => {
            let fact = &mut facts[a.index()];
            fact.not_null = true;
            fact.type_address = (types.type_of)(inst.imm);
            Some(())
        }
        Uop::GuardIsNot if inst.imm == 0 => {
            facts[a.index()].not_null = true;
            Some(())
        }
        Uop::GuardUnshared => {
            facts[a.index()].unshared = true;
            Some(())
        }
        _ => Some(()),
    }
}

/// Takes one value off the end of a range.
fn exclude(fact: &mut Fact, value: i64) -> Option<()> {
    if fact.constant() == Some(value) {
        return None;
    }
    if fact.lo == value {
        fact.lo += 1;
    } else if fact.hi == value {
        fact.hi -= 1;
    }
    Some(())
}
