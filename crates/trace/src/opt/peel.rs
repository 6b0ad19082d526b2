//! Makes a loop of a recorded iteration: the iteration goes through the forward pass twice. The first copy becomes the
//! preamble; the second, under what the first found out, the loop. What the loop does not change is computed and checked once,
//! before it.
//!
//! ```text
//! v0 = load_slot 0                      v0 = load_slot 0              # invariant: in the slice
//! guard_type v0, INT @s0                guard_type v0, INT @s0        # too
//! v2 = unbox_int v0 @s0                 v2 = unbox_int v0 @s0         # too
//! v3 = load_slot 1                      ... (the first iteration)
//! guard_type v3, INT @s0         =>     loop
//! v5 = unbox_int v3 @s0                 v9: object = phi v7           # slot 1, boxed
//! v6 = int_add v5, v2 @s0               v10: int = phi v6             # and unboxed
//! v7 = box_int v6 @s0                   v11 = int_add v10, v2 @s2
//! store_slot v7, v3, 1                  v12 = box_int v11 @s2
//! decref_plain v3                       store_slot v12, v9, 1
//! end exit s1                           decref_plain v9
//!                                       end loop v12, v11
//! ```
//!
//! A slot that the iteration changes is carried by a phi of the object, and if that is an int, float or bool at both ends, by
//! a second one of its raw value. Fields of an iterator that nobody else sees are carried by raw phis. If what was
//! assumed of a phi does not hold at the back edge, less is assumed and the loop is made again.
//!
//! After `x, y = y, x % y` what is in `x` is the number that the iteration before has made for `y`. In the first iteration that is
//! somebody else's object; so the preamble does one more, and in the loop both are the loop's own and need no object.

use super::facts::Fact;
use super::forward::{Contradiction, Forward, Naming};
use super::memory::{Class, Place};
use super::survey::Survey;
use super::types::HostTypes;
use super::{Pass, Work};
use crate::ir::{End, Inst, SlotValue, SnapshotId, Trace, ValueId};
use serigraph_uops::{Kind, Reason, Uop};

/// What a phi carries.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Carried {
    /// The object in a slot of f0, of this type (0: of any).
    Object { slot: u32, type_address: u64 },
    /// The raw value of the object in a slot of f0; its object phi comes right before it.
    Raw { slot: u32, raw: RawKind },
    /// A field of the iterator `object`, which is in a slot of f0.
    Field {
        object: ValueId,
        slot: u32,
        offset: u32,
    },
}

/// What kind of object a raw value is the value of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum RawKind {
    Int,
    Float,
    Bool,
}

impl RawKind {
    /// The kind for a type, if its objects have a raw value.
    fn of(types: &HostTypes, type_address: u64) -> Option<RawKind> {
        match type_address {
            0 => None,
            t if t == types.int => Some(RawKind::Int),
            t if t == types.float => Some(RawKind::Float),
            t if t == types.bool_ => Some(RawKind::Bool),
            _ => None,
        }
    }

    /// The type.
    fn type_address(self, types: &HostTypes) -> u64 {
        match self {
            RawKind::Int => types.int,
            RawKind::Float => types.float,
            RawKind::Bool => types.bool_,
        }
    }
}

impl Carried {
    /// Follows a renumbering.
    pub fn rename(&mut self, values: &[ValueId]) {
        if let Carried::Field { object, .. } = self {
            *object = values[object.index()];
        }
    }
}

/// One of the phis, with what was assumed.
struct Phi {
    carried: Carried,
    initial: ValueId,
    kind: Kind,
    /// The recorded value at the end (not for fields).
    end: ValueId,
    dropped: bool,
}

/// Rounds of assuming less before giving up.
const ROUNDS: usize = 8;

/// Makes the loop, whose preamble does `1 + more` iterations.
pub(super) fn run(
    source: &Trace,
    survey: &Survey,
    mut forward: Forward<'_>,
    more: usize,
) -> Result<Work, Reason> {
    let unstable = |_: Contradiction| Reason::TypesUnstable;
    forward.copy_all().map_err(unstable)?;
    for _ in 0..more {
        let mut naming = Naming::new(source);
        let here = |c: &SlotValue| SlotValue {
            value: forward.names.values[c.value.index()],
            ..*c
        };
        naming.header = survey.changed.iter().map(here).collect();
        forward.names = naming;
        forward.copy_all().map_err(unstable)?;
    }
    let mut phis = slot_phis(survey, &mut forward, source.locals)?;
    field_phis(survey, &mut forward, &mut phis);
    let length = forward.out.insts.len();
    let snapshots = forward.out.snapshots.len();
    forward.begin_loop(Naming::new(source));
    let facts = forward.facts.clone();
    let mut rounds = 0;
    let end = loop {
        define_phis(&mut forward, &mut phis);
        forward.copy_all().map_err(unstable)?;
        let mut args = Vec::with_capacity(phis.len());
        if close(&mut forward, &mut phis, &mut args) {
            break args;
        }
        rounds += 1;
        if rounds == ROUNDS {
            return Err(Reason::TypesUnstable);
        }
        forward.restart_loop(length, &facts, snapshots);
        forward.begin_loop(Naming::new(source));
    };
    forward.out.loop_start = Some(ValueId(length as u32));
    forward.out.loop_synced = survey.changed.iter().map(|c| c.slot).collect();
    forward.out.end = End::Loop(end);
    let carried = phis
        .iter()
        .filter(|p| !p.dropped)
        .map(|p| p.carried)
        .collect();
    Ok(Work {
        trace: forward.out,
        carried,
        derived: Vec::new(),
        facts: forward.facts,
        invariant: forward.invariant,
    })
}

/// Iterations that the preamble does beyond the first, at most.
const MORE: usize = 2;

/// How many iterations more the preamble has to do, so that the numbers in slots that get theirs from other slots are
/// ones that an iteration has made.
pub(super) fn more_iterations(source: &Trace, survey: &Survey) -> usize {
    if survey.escapes {
        return 0;
    }
    let steps_to_box = |mut end: ValueId| {
        for steps in 0..=MORE {
            let inst = source.inst(end);
            match inst.uop {
                Uop::BoxInt | Uop::BoxFloat => return steps,
                Uop::LoadSlot => {
                    let from = survey
                        .changed
                        .iter()
                        .find(|c| u64::from(c.slot) == inst.imm);
                    match from {
                        Some(from) => end = from.value,
                        None => return 0,
                    }
                }
                _ => return 0,
            }
        }
        0
    };
    let ends = survey.changed.iter().map(|c| steps_to_box(c.value));
    ends.max().unwrap_or(0)
}

/// The phis of the slots that the iteration changes.
fn slot_phis(survey: &Survey, forward: &mut Forward<'_>, locals: u32) -> Result<Vec<Phi>, Reason> {
    let mut phis = Vec::with_capacity(2 * survey.changed.len() + 2);
    for &SlotValue { slot, value: end } in &survey.changed {
        if slot >= locals {
            // The operand stack is not kept in memory, so a value there has no owner round the loop.
            return Err(Reason::TypesUnstable);
        }
        let initial = forward.names.values[end.index()];
        let mut type_address = forward.facts[initial.index()].type_address;
        if !forward.types.is_fixed(type_address) || !forward.has(Pass::Peel) {
            type_address = 0;
        }
        let carried = Carried::Object { slot, type_address };
        phis.push(Phi {
            carried,
            initial,
            kind: Kind::Object,
            end,
            dropped: false,
        });
        if let Some(raw) = RawKind::of(forward.types, type_address)
            && forward.has(Pass::Unbox)
            && let Some(initial) = forward.raw(initial)
        {
            let kind = forward.out.inst(initial).kind;
            phis.push(Phi {
                carried: Carried::Raw { slot, raw },
                initial,
                kind,
                end,
                dropped: false,
            });
        }
    }
    Ok(phis)
}

/// The phis of iterator fields that the iteration changes and nobody else sees.
fn field_phis(survey: &Survey, forward: &mut Forward<'_>, phis: &mut Vec<Phi>) {
    if !forward.has(Pass::Memory) || !forward.has(Pass::Peel) {
        return;
    }
    for &(object, offset) in &survey.iterator_stores {
        let object = forward.names.values[object.index()];
        let inst = *forward.out.inst(object);
        let unshared = forward.facts[object.index()].unshared;
        let alone = unshared || (survey.one_iterator && !survey.iterators_seen);
        let place = Place {
            class: Class::Iterator,
            object,
            key: offset,
            width: Uop::IterLoad,
        };
        if inst.uop == Uop::LoadSlot
            && forward.invariant[object.index()]
            && alone
            && let Some(initial) = forward.memory.get(&place)
        {
            let carried = Carried::Field {
                object,
                slot: inst.imm as u32,
                offset: offset as u32,
            };
            phis.push(Phi {
                carried,
                initial,
                kind: Kind::Int,
                end: ValueId::NONE,
                dropped: false,
            });
        }
    }
}

/// Emits the loop start and the phis, with what is assumed of them.
fn define_phis(forward: &mut Forward<'_>, phis: &mut [Phi]) {
    forward.push(Inst::new(Uop::LoopStart, &[], 0, SnapshotId::NONE));
    let mut object = ValueId::NONE;
    for phi in phis.iter().filter(|p| !p.dropped) {
        let inst = Inst {
            kind: phi.kind,
            ..Inst::new(Uop::Phi, &[phi.initial], 0, SnapshotId::NONE)
        };
        let value = forward.push(inst);
        match phi.carried {
            Carried::Object { slot, type_address } => {
                object = value;
                let not_null = type_address != 0;
                forward.facts[value.index()] = Fact {
                    type_address,
                    not_null,
                    ..Fact::ANYTHING
                };
                forward.memory.set_slot(slot.into(), value);
                forward.names.header.push(SlotValue { slot, value });
            }
            Carried::Raw { raw, .. } => {
                if raw == RawKind::Bool {
                    forward.facts[value.index()] = Fact::range(0, 1);
                }
                forward.facts[object.index()].raw = value;
            }
            Carried::Field { object, offset, .. } => {
                let place = Place {
                    class: Class::Iterator,
                    object,
                    key: offset.into(),
                    width: Uop::IterLoad,
                };
                forward.memory.learn(place, value);
            }
        }
    }
}

/// Finds the arguments of the back edge. If an assumption about a phi does not hold there, drops it and says no.
fn close(forward: &mut Forward<'_>, phis: &mut [Phi], args: &mut Vec<ValueId>) -> bool {
    let mut holds = true;
    for phi in phis.iter_mut().filter(|p| !p.dropped) {
        match &mut phi.carried {
            Carried::Object { type_address, .. } => {
                let end = forward.names.values[phi.end.index()];
                if *type_address != 0 && forward.facts[end.index()].type_address != *type_address {
                    *type_address = 0;
                    holds = false;
                }
                args.push(end);
            }
            Carried::Raw { raw, .. } => {
                let end = forward.names.values[phi.end.index()];
                let same =
                    forward.facts[end.index()].type_address == raw.type_address(forward.types);
                match forward.raw(end) {
                    Some(raw) if same => args.push(raw),
                    _ => {
                        phi.dropped = true;
                        holds = false;
                    }
                }
            }
            Carried::Field { object, offset, .. } => {
                let place = Place {
                    class: Class::Iterator,
                    object: *object,
                    key: (*offset).into(),
                    width: Uop::IterLoad,
                };
                match forward.memory.get(&place) {
                    Some(value) => args.push(value),
                    None => {
                        phi.dropped = true;
                        holds = false;
                    }
                }
            }
        }
    }
    holds
}
