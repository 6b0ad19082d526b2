//! Rules for objects: boxes, reference counts, loads.

use super::super::Pass;
use super::super::forward::{Forward, Outcome};
use super::super::memory;
use crate::ir::{Inst, SnapshotId, ValueId};
use serigraph_uops::Uop;

impl Forward<'_> {
    pub(super) fn fold_object(&mut self, inst: &Inst) -> Outcome {
        let [a, b, _] = inst.args;
        match inst.uop {
            Uop::UnboxInt | Uop::UnboxFloat | Uop::UnboxBool if self.has(Pass::Unbox) => {
                match self.raw(a) {
                    // With a type guard before it that never holds (kept when guards are not looked at), the kind is another.
                    Some(raw) if self.out.inst(raw).kind != inst.kind => Outcome::Keep,
                    Some(raw) => Outcome::Same(raw),
                    None => Outcome::Keep,
                }
            }
            Uop::BoxBool if self.has(Pass::Unbox) => match self.known_int(a) {
                Some(value) => {
                    let object = if value == 0 {
                        self.types.false_
                    } else {
                        self.types.true_
                    };
                    Outcome::Same(self.constant(Uop::ConstObject, object))
                }
                None => Outcome::Keep,
            },
            Uop::DecRef | Uop::DecRefPlain | Uop::XDecRef => self.fold_decref(inst, a),
            Uop::LoadSlot => {
                let known = self.slot(inst.imm);
                if known.is_some() {
                    Outcome::Same(known)
                } else {
                    Outcome::Keep
                }
            }
            Uop::ObjectIs => match (self.known_object(a), self.known_object(b)) {
                _ if a == b => self.same_bool(true),
                (Some(x), Some(y)) => self.same_bool(x == y),
                _ if self.types_differ(a, b) => self.same_bool(false),
                (Some(x), None) => self.is_constant(b, x),
                (None, Some(y)) => self.is_constant(a, y),
                _ => Outcome::Keep,
            },
            Uop::LoadType if self.types.is_fixed(self.facts[a.index()].type_address) => {
                let known = self.facts[a.index()].type_address;
                Outcome::Same(self.constant(Uop::ConstObject, known))
            }
            Uop::TupleItem => match self.known_int(b) {
                Some(index) if i32::try_from(index).is_ok() => Outcome::Replace(Inst::new(
                    Uop::TupleItemImm,
                    &[a],
                    index as u64,
                    SnapshotId::NONE,
                )),
                _ => Outcome::Keep,
            },
            _ => match memory::loaded(inst) {
                Some(place) if self.has(Pass::Memory) => match self.memory.get(&place) {
                    Some(value) => Outcome::Same(value),
                    None => Outcome::Keep,
                },
                _ => Outcome::Keep,
            },
        }
    }

    /// What a slot of f0 is known to hold.
    fn slot(&self, slot: u64) -> ValueId {
        self.memory.slot(slot)
    }

    /// Whether an object that is not known to be a constant is this one.
    fn is_constant(&mut self, value: ValueId, object: u64) -> Outcome {
        let fact = self.facts[value.index()];
        let types = self.types;
        if object == 0 {
            return if fact.not_null {
                self.same_bool(false)
            } else {
                Outcome::Keep
            };
        }
        if fact.type_address == 0 {
            return Outcome::Keep;
        }
        if fact.type_address == types.none_type {
            return self.same_bool(object == types.none);
        }
        if fact.type_address == types.bool_ && fact.raw.is_some() {
            if object == types.true_ {
                return Outcome::Same(fact.raw);
            }
            let zero = self.int(0);
            return Outcome::Replace(Inst::new(
                Uop::IntEq,
                &[fact.raw, zero],
                0,
                SnapshotId::NONE,
            ));
        }
        Outcome::Keep
    }

    fn fold_decref(&mut self, inst: &Inst, a: ValueId) -> Outcome {
        if self.out.inst(a).uop == Uop::ConstObject && self.out.inst(a).imm == 0 {
            return Outcome::Drop;
        }
        let fact = self.facts[a.index()];
        let uop = if self.types.is_plain(fact.type_address) {
            Uop::DecRefPlain
        } else if fact.not_null && inst.uop == Uop::XDecRef {
            Uop::DecRef
        } else {
            inst.uop
        };
        if uop == inst.uop {
            Outcome::Keep
        } else {
            Outcome::Replace(Inst { uop, ..*inst })
        }
    }

    /// The raw value of an int, float or bool object, if there is one.
    pub(in super::super) fn raw(&mut self, value: ValueId) -> Option<ValueId> {
        let fact = self.facts[value.index()];
        if fact.raw.is_some() {
            return Some(fact.raw);
        }
        let object = self.known_object(value).filter(|&object| object != 0)?;
        let types = self.types;
        let type_address = (types.type_of)(object);
        let raw = if type_address == types.int {
            self.int((types.int_value)(object)?)
        } else if type_address == types.float {
            self.constant(Uop::ConstFloat, (types.float_value)(object).to_bits())
        } else if type_address == types.bool_ {
            self.int((object == types.true_).into())
        } else {
            return None;
        };
        self.facts[value.index()].raw = raw;
        Some(raw)
    }
}
