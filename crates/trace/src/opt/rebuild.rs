//! Carries out what [`super::sink`] decided: writes the trace anew, with exits that know what is in memory and what is not.
//!
//! Snapshots leave out what the slots of f0 hold anyway, and list the iterator stores that are still to be done. At a link
//! the trace must own nothing: what is left over is released there.

use super::Work;
use super::facts::Fact;
use super::peel::Carried;
use super::sink::{Plan, boxed};
use super::types::HostTypes;
use crate::ir::{
    End, EntrySlot, FrameState, Inherited, InlinedFrame, Inst, PendingStore, SlotValue, Snapshot,
    SnapshotId, Trace, ValueId,
};
use serigraph_uops::{Kind, Uop};

/// What a slot of f0 holds in memory, in old numbers.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Content {
    /// What it held when the trace began, whatever that is.
    Entry,
    Value(ValueId),
    Stale,
}

struct Rebuild<'a> {
    old: &'a Trace,
    facts: &'a [Fact],
    invariant: &'a [bool],
    types: &'a HostTypes,
    plan: &'a Plan,
    new: Trace,
    new_facts: Vec<Fact>,
    new_invariant: Vec<bool>,
    values: Vec<ValueId>,
    snapshots: Vec<SnapshotId>,
    slots: Vec<Content>,
    /// Iterator stores not done: object, offset, value, in old numbers.
    pending: Vec<(ValueId, u64, ValueId)>,
    /// References the new trace owns, by new number.
    owned: Vec<i32>,
    /// Constants and bools in stale slots, to which the slots would have a reference.
    constants: Vec<(u64, ValueId)>,
}

/// Writes the trace anew.
pub(super) fn rebuild(work: &mut Work, types: &HostTypes, plan: &Plan) {
    let old = &work.trace;
    let count = old.insts.len();
    let mut rebuild = Rebuild {
        old,
        facts: &work.facts,
        invariant: &work.invariant,
        types,
        plan,
        new: Trace::new(old.locals, old.entry_top),
        new_facts: Vec::with_capacity(count + 8),
        new_invariant: Vec::with_capacity(count + 8),
        values: vec![ValueId::NONE; count],
        snapshots: vec![SnapshotId::NONE; old.snapshots.len()],
        slots: vec![Content::Entry; old.locals.max(old.entry_top) as usize],
        pending: Vec::new(),
        owned: Vec::with_capacity(count + 8),
        constants: Vec::new(),
    };
    rebuild.new.inlined.clone_from(&old.inlined);
    rebuild.new.reserve_like(old, 1);
    for entry in &old.entry_slots {
        rebuild.set(
            entry.slot.into(),
            if entry.synced {
                Content::Value(entry.value)
            } else {
                Content::Stale
            },
        );
    }
    for at in 0..count {
        if at == plan.first_escape {
            rebuild.write_stale_slots();
        }
        rebuild.inst(at, &work.carried);
    }
    rebuild.end(&work.carried);
    let Rebuild {
        new,
        new_facts,
        new_invariant,
        values,
        ..
    } = rebuild;
    let phis: Vec<ValueId> = old.phis().collect();
    let mut carried: Vec<Carried> = work
        .carried
        .iter()
        .enumerate()
        .filter(|(i, _)| !plan.sunk[phis[*i].index()])
        .map(|(_, c)| *c)
        .collect();
    carried.iter_mut().for_each(|c| c.rename(&values));
    work.trace = new;
    work.facts = new_facts;
    if !work.invariant.is_empty() {
        work.invariant = new_invariant;
    }
    work.carried = carried;
}

impl Rebuild<'_> {
    fn set(&mut self, slot: u64, content: Content) {
        let slot = slot as usize;
        if self.slots.len() <= slot {
            self.slots.resize(slot + 1, Content::Entry);
        }
        self.slots[slot] = content;
    }

    fn name(&self, value: ValueId) -> ValueId {
        if value.is_some() {
            self.values[value.index()]
        } else {
            value
        }
    }

    #[inline(always)]
    fn push(&mut self, inst: Inst, fact: Fact, invariant: bool) -> ValueId {
        let ownership = &inst.uop.info().ownership;
        self.owned
            .push((ownership.output_owned && !inst.sunk).into());
        if ownership.gains | ownership.consumes != 0 {
            for (i, arg) in inst.inputs().iter().enumerate() {
                let change =
                    i32::from(ownership.gains >> i & 1) - i32::from(ownership.consumes >> i & 1);
                self.owned[arg.index()] += change;
            }
        }
        self.new_facts.push(fact);
        self.new_invariant.push(invariant);
        self.new.push(inst)
    }

    /// Puts an instruction of the old trace into the new one.
    #[inline(always)]
    fn copy(&mut self, at: usize, inst: Inst) {
        let snapshot = match inst.snapshot.is_some() {
            true => self.snapshot(inst.snapshot),
            false => inst.snapshot,
        };
        let args = inst.args.map(|a| self.name(a));
        let invariant = self.invariant.get(at) == Some(&true);
        let value = self.push(
            Inst {
                args,
                snapshot,
                ..inst
            },
            self.facts[at],
            invariant,
        );
        self.values[at] = value;
        if matches!(inst.uop, Uop::Param | Uop::ConstObject) {
            let owned = self
                .old
                .entry_owned
                .iter()
                .filter(|(v, _)| v.index() == at)
                .map(|(_, n)| *n as i32);
            self.owned[value.index()] += owned.sum::<i32>();
        }
    }

    #[inline(always)]
    fn inst(&mut self, at: usize, carried: &[Carried]) {
        let inst = self.old.insts[at];
        if self.plan.sunk[at] && inst.uop == Uop::Phi {
            return;
        }
        if self.plan.removed[at] {
            return self.removed(&inst);
        }
        let new = match inst.uop {
            Uop::Nop => return,
            Uop::LoopStart => return self.enter_loop(at, &inst, carried),
            Uop::Phi => return,
            Uop::SyncSlot
                if self.slots.get(inst.imm as usize) == Some(&Content::Value(inst.args[0])) =>
            {
                return;
            }
            // (A store to a place of the operand stack that is not in use is a push.)
            Uop::StoreSlot
                if inst.imm < u64::from(self.old.locals)
                    && self.slots.get(inst.imm as usize) == Some(&Content::Stale) =>
            {
                Inst::new(Uop::SyncSlot, &inst.args[..1], inst.imm, SnapshotId::NONE)
            }
            _ if self.plan.sunk[at] => Inst {
                sunk: true,
                snapshot: SnapshotId::NONE,
                ..inst
            },
            _ => inst,
        };
        self.copy(at, new);
        match inst.uop {
            Uop::LoadSlot => self.set(inst.imm, Content::Value(ValueId(at as u32))),
            Uop::TakeSlot => self.set(inst.imm, Content::Entry),
            Uop::StoreSlot | Uop::SyncSlot => self.set(inst.imm, Content::Value(inst.args[0])),
            _ => {}
        }
    }

    /// Past an instruction that goes.
    fn removed(&mut self, inst: &Inst) {
        match inst.uop {
            Uop::StoreSlot | Uop::SyncSlot => {
                self.set(inst.imm, Content::Stale);
                self.constants.retain(|c| c.0 != inst.imm);
                let new = self.old.inst(inst.args[0]);
                let bool_made = new.uop == Uop::BoxBool && !self.plan.sunk[inst.args[0].index()];
                if (new.uop == Uop::ConstObject && new.imm != 0) || bool_made {
                    self.constants.push((inst.imm, inst.args[0]));
                }
            }
            Uop::IterStore => {
                let [object, value, _] = inst.args;
                self.pending.retain(|p| (p.0, p.1) != (object, inst.imm));
                self.pending.push((object, inst.imm, value));
            }
            _ => {}
        }
    }

    /// At the loop start and the back edge the trace owns nothing: what stale slots hold is made by exits.
    fn release_constants(&mut self) {
        for (_, value) in std::mem::take(&mut self.constants) {
            let release = Inst::new(Uop::DecRefPlain, &[self.name(value)], 0, SnapshotId::NONE);
            self.push(release, Fact::ANYTHING, false);
        }
    }

    fn enter_loop(&mut self, at: usize, inst: &Inst, carried: &[Carried]) {
        self.release_constants();
        self.copy(at, *inst);
        self.new.loop_start = Some(self.values[at]);
        let old = self.old;
        for (phi, carried) in old.phis().zip(carried) {
            match *carried {
                Carried::Object { slot, .. } => {
                    let lazy = self.plan.lazy.contains(&slot);
                    self.set(
                        slot.into(),
                        if lazy {
                            Content::Stale
                        } else {
                            Content::Value(phi)
                        },
                    );
                    if !lazy {
                        self.new.loop_synced.push(slot);
                    }
                }
                Carried::Raw { .. } => {}
                Carried::Field { object, offset, .. } => {
                    self.pending
                        .retain(|p| (p.0, p.1) != (object, offset.into()));
                    if self.plan.fields.contains(&(object, offset.into())) {
                        self.pending.push((object, offset.into(), phi));
                    }
                }
            }
            if !self.plan.sunk[phi.index()] {
                self.copy(phi.index(), *old.inst(phi));
            }
        }
        let phis: Vec<ValueId> = old.phis().collect();
        for (i, pair) in carried.windows(2).enumerate() {
            if let [Carried::Object { .. }, Carried::Raw { raw, .. }] = *pair
                && self.plan.sunk[phis[i].index()]
            {
                let sunk = Inst {
                    sunk: true,
                    ..boxed(raw, self.name(phis[i + 1]), self.types)
                };
                self.values[phis[i].index()] = self.push(sunk, self.facts[phis[i].index()], false);
            }
        }
    }

    /// Before code that may look at the frame: what a side trace found stale is written.
    fn write_stale_slots(&mut self) {
        for entry in &self.old.entry_slots {
            if entry.synced
                || entry.slot >= self.old.locals
                || self.slots[entry.slot as usize] != Content::Stale
            {
                continue;
            }
            self.sync(entry.slot, entry.value);
        }
    }

    /// Writes a value into a slot that is stale.
    fn sync(&mut self, slot: u32, value: ValueId) {
        let name = self.name(value);
        if self.owned[name.index()] < 1 {
            self.push(
                Inst::new(Uop::IncRef, &[name], 0, SnapshotId::NONE),
                Fact::ANYTHING,
                false,
            );
        }
        self.push(
            Inst::new(Uop::SyncSlot, &[name], slot.into(), SnapshotId::NONE),
            Fact::ANYTHING,
            false,
        );
        self.set(slot.into(), Content::Value(value));
    }

    fn snapshot(&mut self, id: SnapshotId) -> SnapshotId {
        if self.snapshots[id.index()].is_some() {
            return self.snapshots[id.index()];
        }
        let old = self.old;
        let first = self.new.frame_states.len() as u32;
        for frame in old.frames(id) {
            let start = self.new.slot_values.len() as u32;
            for slot in old.slots(frame) {
                let in_memory = frame.frame.0 == 0
                    && self.slots.get(slot.slot as usize) == Some(&Content::Value(slot.value));
                if !in_memory {
                    let value = self.name(slot.value);
                    self.new.slot_values.push(SlotValue { value, ..*slot });
                }
            }
            let count = self.new.slot_values.len() as u32 - start;
            self.new.frame_states.push(FrameState {
                first: start,
                count,
                ..*frame
            });
        }
        let first_store = self.new.pending_stores.len() as u32;
        let stores = old.stores(id);
        let listed = |object, offset: u64| {
            stores
                .iter()
                .any(|s| s.object == object && u64::from(s.offset) == offset)
        };
        for &(object, offset, value) in self.pending.iter().filter(|p| !listed(p.0, p.1)) {
            let store = PendingStore {
                object: self.values[object.index()],
                offset: offset as u32,
                value: self.values[value.index()],
            };
            self.new.pending_stores.push(store);
        }
        for store in stores {
            let (object, value) = (
                self.values[store.object.index()],
                self.values[store.value.index()],
            );
            self.new.pending_stores.push(PendingStore {
                object,
                value,
                ..*store
            });
        }
        let count = self.new.frame_states.len() as u32 - first;
        let store_count = self.new.pending_stores.len() as u32 - first_store;
        let reason = old.snapshots[id.index()].reason;
        self.new.snapshots.push(Snapshot {
            first,
            count,
            first_store,
            store_count,
            reason,
        });
        let name = SnapshotId(self.new.snapshots.len() as u32 - 1);
        self.snapshots[id.index()] = name;
        name
    }

    fn end(&mut self, carried: &[Carried]) {
        let old = self.old;
        self.new.end = match &old.end {
            End::Loop(args) => {
                self.release_constants();
                debug_assert_eq!(args.len(), carried.len());
                let kept = old
                    .phis()
                    .zip(args)
                    .filter(|(phi, _)| !self.plan.sunk[phi.index()]);
                End::Loop(kept.map(|(_, &arg)| self.name(arg)).collect())
            }
            End::Link { target, args } => {
                self.sync_at_end();
                let args: Vec<ValueId> = args.iter().map(|&arg| self.name(arg)).collect();
                self.balance();
                End::Link {
                    target: *target,
                    args,
                }
            }
            End::Enter { target } => {
                self.sync_at_end();
                self.balance();
                End::Enter { target: *target }
            }
            End::Exit(id) if id.is_none() => End::Exit(*id),
            End::Exit(id) => End::Exit(self.snapshot(*id)),
        };
        for i in 0..self.new.inlined.len() {
            let frame = self.new.inlined[i];
            self.new.inlined[i] = InlinedFrame {
                function: self.name(frame.function),
                ..frame
            };
        }
        self.new.entry_slots = old
            .entry_slots
            .iter()
            .map(|e| EntrySlot {
                value: self.name(e.value),
                ..*e
            })
            .collect();
        self.new.entry_owned = old
            .entry_owned
            .iter()
            .map(|&(v, n)| (self.name(v), n))
            .collect();
        self.new.tree = old.tree;
        self.new.inherited = old
            .inherited
            .iter()
            .map(|i| Inherited {
                value: self.name(i.value),
                ..*i
            })
            .collect();
    }

    /// At a link: writes the slots that the target wants in memory.
    fn sync_at_end(&mut self) {
        for &(slot, value) in &self.plan.sync_at_end {
            if self.slots[slot as usize] == Content::Stale {
                self.sync(slot, value);
            }
        }
    }

    /// At a link: releases what the trace still owns.
    fn balance(&mut self) {
        for i in 0..self.owned.len() {
            let value = ValueId(i as u32);
            let inst = *self.new.inst(value);
            if inst.kind != Kind::Object
                || inst.sunk
                || (inst.uop == Uop::ConstObject && inst.imm == 0)
            {
                continue;
            }
            let plain = self.types.is_plain(self.new_facts[i].type_address);
            // What a slot held may have been null, and was found to be so by a guard.
            let uop = match (plain, self.new_facts[i].not_null) {
                (true, _) => Uop::DecRefPlain,
                (false, true) => Uop::DecRef,
                (false, false) => Uop::XDecRef,
            };
            for _ in 0..self.owned[i] {
                self.push(
                    Inst::new(uop, &[value], 0, SnapshotId::NONE),
                    Fact::ANYTHING,
                    false,
                );
            }
        }
    }
}
