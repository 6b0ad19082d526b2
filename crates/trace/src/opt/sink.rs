//! Leaves to the exits what only they need: boxes, stores to the frame, stores to iterators.
//!
//! ```text
//! v11 = int_add v10, v2 @s2             v11 = int_add v10, v2 @s2
//! v12 = box_int v11 @s2           =>    v12 = sunk box_int v11
//! store_slot v12, v9, 1                                               # slot 1 is stale: it keeps what it holds
//! decref_plain v9
//! guard_int_lt v11, v3 @s3              guard_int_lt v11, v3 @s3      # s3 says 1=v12: the exit makes the box
//! ```
//!
//! The analysis is optimistic: every box is taken to be sunk, every slot lazy, until a use is found that needs the object; then
//! that is taken back, with all that follows from it. A box that something else than slots, snapshots and counts sees is
//! made once, and is that object for everybody. So a phi is sunk only if boxes come in that nobody else has, each
//! in one phi only: of what two slots share, there must be one.
//!
//! Code that may look at frames must find the slots as they should be: before it, stores are kept, and slots that a side
//! trace finds stale are written.

use super::Work;
use super::facts::Fact;
use super::peel::{Carried, RawKind};
use super::rebuild::rebuild;
use super::types::HostTypes;
use crate::ir::{End, Inst, ParamSource, Trace, ValueId};
use serigraph_uops::{Kind, Uop};

/// What the pass decided.
pub(super) struct Plan {
    /// The instruction is a box that exits make, or a phi of such.
    pub sunk: Vec<bool>,
    /// The instruction goes.
    pub removed: Vec<bool>,
    /// Before this instruction all stale slots must be written.
    pub first_escape: usize,
    /// Slots that the loop leaves stale.
    pub lazy: Vec<u32>,
    /// At the end (a link) these slots have to hold these values.
    pub sync_at_end: Vec<(u32, ValueId)>,
    /// Iterator fields whose stores are left to the exits.
    pub fields: Vec<(ValueId, u64)>,
}

/// A slot store before the loop (or in a trace without one) that can go if the slot is lazy.
struct Removable {
    at: usize,
    slot: u32,
    /// The release of the value the slot keeps, which goes with the store.
    release: Option<usize>,
}

struct Sinking<'a> {
    trace: &'a Trace,
    facts: &'a [Fact],
    types: &'a HostTypes,
    /// The start of the loop, or the number of instructions.
    start: usize,
    /// For each phi, the slot whose object it carries and the raw phi of the same, if it may be sunk.
    candidates: Vec<(u32, ValueId)>,
    sunk: Vec<bool>,
    /// The stores before the loop that can go, by instruction.
    removable: Vec<Removable>,
    may_remove: Vec<bool>,
    loop_escapes: bool,
    /// For a trace that ends with a link: the slots that the other trace's loop leaves stale.
    stale_at_link: Option<Vec<u32>>,
    sync_at_end: Vec<(u32, ValueId)>,
    /// The instructions that read what may be sunk.
    users: Vec<usize>,
}

/// Runs the pass.
pub(super) fn run(work: &mut Work, types: &HostTypes, target: Option<&Trace>, enabled: bool) {
    let trace = &work.trace;
    let count = trace.insts.len();
    let start = trace.loop_start.map_or(count, ValueId::index);
    let (before, within) = trace.insts.split_at(start);
    let escapes = |inst: &Inst| inst.uop.info().escapes();
    let first_escape = before.iter().position(escapes);
    let last_escape = first_escape.and_then(|_| before.iter().rposition(escapes));
    let first_escape = first_escape.unwrap_or(usize::MAX);
    let mut sinking = Sinking {
        trace,
        facts: &work.facts,
        types,
        start,
        candidates: Vec::new(),
        sunk: vec![false; count],
        removable: Vec::new(),
        may_remove: vec![false; count],
        loop_escapes: within.iter().any(escapes),
        stale_at_link: matches!(trace.end, End::Link { .. } | End::Enter { .. })
            .then(|| target.map_or(Vec::new(), stale_slots)),
        sync_at_end: Vec::new(),
        users: Vec::new(),
    };
    if enabled {
        sinking.find_candidates(&work.carried);
    }
    sinking.find_removable(if enabled {
        last_escape.map_or(0, |e| e + 1)
    } else {
        usize::MAX
    });
    if enabled {
        while sinking.take_back(first_escape) {}
    }
    let lazy: Vec<u32> = sinking.lazy().collect();
    let mut removed = vec![false; count];
    for store in &sinking.removable {
        if sinking.goes(store.at, store.slot) {
            removed[store.at] = true;
            if let Some(release) = store.release {
                removed[release] = true;
            }
        }
    }
    let fields = if enabled {
        fields(work, target)
    } else {
        Vec::new()
    };
    for (i, inst) in trace.insts.iter().enumerate() {
        match inst.uop {
            Uop::StoreSlot | Uop::SyncSlot if i > start => {
                removed[i] = lazy.contains(&(inst.imm as u32))
            }
            Uop::IncRef | Uop::DecRef | Uop::DecRefPlain | Uop::XDecRef => {
                removed[i] |= sinking.sunk[inst.args[0].index()]
            }
            Uop::IterStore => removed[i] = fields.contains(&(inst.args[0], inst.imm)),
            _ => {}
        }
    }
    let Sinking {
        sunk, sync_at_end, ..
    } = sinking;
    let plan = Plan {
        sunk,
        removed,
        first_escape,
        lazy,
        sync_at_end,
        fields,
    };
    rebuild(work, types, &plan);
}

/// The slots that a loop leaves stale: what another trace that jumps to it need not store either.
fn stale_slots(target: &Trace) -> Vec<u32> {
    let carried = target
        .loop_params
        .iter()
        .filter_map(|param| match param.source {
            ParamSource::SlotInt(slot)
            | ParamSource::SlotFloat(slot)
            | ParamSource::SlotBool(slot) => Some(slot),
            _ => None,
        });
    carried
        .filter(|slot| !target.loop_synced.contains(slot))
        .collect()
}

/// The iterator fields that can wait for the exits: in a loop those with a phi, in another trace those that the loop it
/// jumps to has in a phi.
fn fields(work: &Work, target: Option<&Trace>) -> Vec<(ValueId, u64)> {
    let trace = &work.trace;
    let mut fields = Vec::new();
    if trace.loop_start.is_some() {
        for carried in &work.carried {
            if let Carried::Field { object, offset, .. } = *carried {
                fields.push((object, u64::from(offset)));
            }
        }
        return fields;
    }
    let (Some(target), End::Link { .. }) = (target, &trace.end) else {
        return fields;
    };
    let seen = trace.insts.iter().any(|i| {
        let info = i.uop.info();
        info.escapes() || (info.calls && info.reads.intersects(serigraph_uops::Effects::ITERATOR))
    });
    let mut stored = trace
        .insts
        .iter()
        .filter(|i| i.uop == Uop::IterStore)
        .map(|i| i.args[0]);
    let first = stored.next();
    let alone = !seen && stored.all(|object| Some(object) == first);
    for param in &target.loop_params {
        let ParamSource::IterField { slot, offset } = param.source else {
            continue;
        };
        let Some(object) = at_end(trace, slot) else {
            continue;
        };
        let unshared = work.facts[object.index()].unshared;
        if (alone || unshared) && !is_loaded_back(trace, object, offset.into()) {
            fields.push((object, u64::from(offset)));
        }
    }
    fields
}

/// Whether a field is stored to and then loaded.
fn is_loaded_back(trace: &Trace, object: ValueId, offset: u64) -> bool {
    let mut fields = trace
        .insts
        .iter()
        .filter(|i| i.args[0] == object && i.imm == offset);
    fields.any(|i| i.uop == Uop::IterStore) && fields.any(|i| i.uop == Uop::IterLoad)
}

/// The value in a slot at the end of a trace without a loop, if it was there all the time.
fn at_end(trace: &Trace, slot: u32) -> Option<ValueId> {
    let mut value = trace
        .entry_slots
        .iter()
        .find(|e| e.slot == slot)
        .map(|e| e.value);
    for (i, inst) in trace.insts.iter().enumerate() {
        if inst.imm == u64::from(slot) {
            match inst.uop {
                Uop::LoadSlot => value = Some(ValueId(i as u32)),
                Uop::TakeSlot | Uop::StoreSlot | Uop::SyncSlot => return None,
                _ => {}
            }
        }
    }
    value
}

impl Sinking<'_> {
    /// Boxes, and object phis that have a raw twin; and what reads them.
    fn find_candidates(&mut self, carried: &[Carried]) {
        let first_phi = self.start + 1;
        if !self.loop_escapes {
            for (phi, pair) in (first_phi..).zip(carried.windows(2)) {
                if let [Carried::Object { slot, .. }, Carried::Raw { .. }] = *pair {
                    self.sunk[phi] = true;
                    self.candidates.push((slot, ValueId(phi as u32)));
                }
            }
        }
        for (i, inst) in self.trace.insts.iter().enumerate() {
            match inst.uop {
                Uop::BoxInt | Uop::BoxFloat | Uop::BoxBool => self.sunk[i] = true,
                Uop::IncRef | Uop::DecRef | Uop::DecRefPlain | Uop::XDecRef => {}
                _ if inst.inputs().iter().any(|v| self.sunk[v.index()]) => self.users.push(i),
                _ => {}
            }
        }
    }

    /// The slots that are lazy as far as is known.
    fn lazy(&self) -> impl Iterator<Item = u32> + '_ {
        self.candidates
            .iter()
            .filter(|(_, phi)| self.sunk[phi.index()])
            .map(|(slot, _)| *slot)
    }

    fn is_lazy(&self, slot: u32) -> bool {
        self.lazy().any(|s| s == slot)
    }

    /// Whether a slot store that may be removed is.
    fn goes(&self, at: usize, slot: u32) -> bool {
        self.may_remove[at] && (self.start == self.trace.insts.len() || self.is_lazy(slot))
    }

    /// Finds stores before the loop, from instruction `from` on, after which the slot can stay stale: what it keeps must be
    /// plain, so that it does not matter when it is released.
    fn find_removable(&mut self, from: usize) {
        let mut stale = vec![false; self.trace.locals as usize];
        let mut last = vec![ValueId::NONE; self.trace.locals as usize];
        for entry in self
            .trace
            .entry_slots
            .iter()
            .filter(|e| !e.synced && e.slot < self.trace.locals)
        {
            stale[entry.slot as usize] = true;
            last[entry.slot as usize] = entry.value;
        }
        for at in 0..self.start {
            let inst = self.trace.insts[at];
            if !matches!(inst.uop, Uop::StoreSlot | Uop::SyncSlot)
                || inst.imm >= u64::from(self.trace.locals)
            {
                continue;
            }
            let slot = inst.imm as usize;
            last[slot] = inst.args[0];
            let wanted = self
                .stale_at_link
                .as_ref()
                .is_some_and(|slots| !slots.contains(&(slot as u32)));
            if at < from || wanted {
                stale[slot] = false;
                continue;
            }
            let displaced = inst.args[1];
            let (mut release, mut keeps) = (None, stale[slot]);
            if !stale[slot] && inst.uop == Uop::StoreSlot {
                release = self.release(at, displaced);
                let null = self.is_null(displaced);
                let plain = self
                    .types
                    .is_plain(self.facts[displaced.index()].type_address);
                keeps = null || (plain && release.is_some());
            }
            stale[slot] = keeps;
            if keeps {
                self.may_remove[at] = true;
                self.removable.push(Removable {
                    at,
                    slot: slot as u32,
                    release,
                });
            }
        }
        if let Some(slots) = &self.stale_at_link {
            let wanted = (0..self.trace.locals)
                .filter(|slot| stale[*slot as usize] && !slots.contains(slot));
            self.sync_at_end = wanted.map(|slot| (slot, last[slot as usize])).collect();
        }
    }

    fn is_null(&self, value: ValueId) -> bool {
        let inst = self.trace.inst(value);
        inst.uop == Uop::ConstObject && inst.imm == 0
    }

    /// The release of a displaced value, which follows the store.
    fn release(&self, store: usize, old: ValueId) -> Option<usize> {
        let end = (store + 4).min(self.start);
        (store + 1..end).find(|&i| {
            let inst = &self.trace.insts[i];
            matches!(inst.uop, Uop::DecRef | Uop::DecRefPlain | Uop::XDecRef) && inst.args[0] == old
        })
    }

    fn needs(&mut self, value: ValueId, changed: &mut bool) {
        if value.is_some() && self.sunk[value.index()] {
            self.sunk[value.index()] = false;
            *changed = true;
        }
    }

    /// One round of taking back what turned out to be wrong; whether there was anything.
    fn take_back(&mut self, first_escape: usize) -> bool {
        let mut changed = false;
        let trace = self.trace;
        for at in 0..self.users.len() {
            let i = self.users[at];
            let inst = &trace.insts[i];
            match inst.uop {
                Uop::StoreSlot | Uop::SyncSlot => {
                    let slot = inst.imm as u32;
                    let goes = if i > self.start {
                        self.is_lazy(slot)
                    } else {
                        self.goes(i, slot)
                    };
                    if !goes {
                        self.needs(inst.args[0], &mut changed);
                    }
                }
                Uop::Phi => {
                    if !self.sunk[i] && inst.kind == Kind::Object {
                        self.needs(inst.args[0], &mut changed);
                    }
                }
                _ => {
                    for &arg in inst.inputs() {
                        self.needs(arg, &mut changed);
                    }
                }
            }
        }
        if first_escape != usize::MAX {
            for entry in trace.entry_slots.iter().filter(|e| !e.synced) {
                self.needs(entry.value, &mut changed);
            }
        }
        for i in 0..self.sync_at_end.len() {
            self.needs(self.sync_at_end[i].1, &mut changed);
        }
        match &trace.end {
            End::Loop(args) => self.take_back_phis(args, &mut changed),
            End::Link { args, .. } => args.iter().for_each(|&arg| self.needs(arg, &mut changed)),
            End::Enter { .. } | End::Exit(_) => {}
        }
        changed
    }

    /// A phi is sunk only if what comes in is sunk (or one of the interpreter's own small ints or bools), and goes into
    /// no other.
    fn take_back_phis(&mut self, args: &[ValueId], changed: &mut bool) {
        let trace = self.trace;
        let pairs: Vec<(ValueId, ValueId, ValueId)> = trace
            .phis()
            .zip(args)
            .filter(|(phi, _)| trace.inst(*phi).kind == Kind::Object)
            .map(|(phi, &back)| (phi, trace.inst(phi).args[0], back))
            .collect();
        for (i, &(phi, initial, back)) in pairs.iter().enumerate() {
            if !self.sunk[phi.index()] {
                self.needs(back, changed);
                self.needs(initial, changed);
                continue;
            }
            let fits = |value: ValueId| self.sunk[value.index()] || self.is_canonical(value);
            if !fits(initial) || !fits(back) {
                self.needs(phi, changed);
                continue;
            }
            let shared = |value: ValueId, of: fn(&(ValueId, ValueId, ValueId)) -> ValueId| {
                !self.is_canonical(value) && pairs[..i].iter().any(|other| of(other) == value)
            };
            if shared(initial, |p| p.1) || shared(back, |p| p.2) {
                self.needs(phi, changed);
            }
        }
    }

    /// An object of which there is only one with its value.
    fn is_canonical(&self, value: ValueId) -> bool {
        let inst = self.trace.inst(value);
        match inst.uop {
            Uop::BoxBool => true,
            Uop::ConstObject if inst.imm != 0 => {
                let type_address = (self.types.type_of)(inst.imm);
                type_address == self.types.bool_
                    || (type_address == self.types.int
                        && (self.types.int_value)(inst.imm).and_then(self.types.small_int)
                            == Some(inst.imm))
            }
            _ => false,
        }
    }
}

/// The box of a raw value.
pub(super) fn boxed(kind: RawKind, raw: ValueId, types: &HostTypes) -> Inst {
    let (uop, imm) = match kind {
        RawKind::Int => (Uop::BoxInt, 0),
        RawKind::Float => (Uop::BoxFloat, 0),
        RawKind::Bool => (Uop::BoxBool, types.bool_table),
    };
    Inst::new(uop, &[raw], imm, crate::ir::SnapshotId::NONE)
}
