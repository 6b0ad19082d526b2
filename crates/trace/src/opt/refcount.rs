//! Removes `incref v` ... `decref v` where somebody else owns `v` all the time in between, so that nothing can see the
//! difference.
//!
//! ```text
//! v0 = load_slot 1                      v0 = load_slot 1
//! incref v0                       =>    v3 = list_len v0
//! v3 = list_len v0
//! decref v0
//! ```
//!
//! The owner is another reference that the trace has, a slot that is not stored to in between, or the container that the value
//! was loaded from, if nothing changes that; or the value is a constant, which is alive as long as the trace is valid, or
//! running. Code that may look at counts (any call: `sys.getrefcount`, the cycle collector, which empties what it finds
//! nobody to refer to) must not lie in between, unless the value is immortal.
//!
//! Runs on the naive recording, before anything else: what is left of the decrefs of unknown objects may run any code.

use super::HostTypes;
use crate::ir::{Inst, SnapshotId, Trace, ValueId};
use serigraph_uops::{Effects, Uop};

const NONE: u32 = u32::MAX;

#[derive(Clone, Copy)]
struct ValueState {
    /// References the trace owns.
    owned: i32,
    /// Slots that hold it.
    holders: u32,
    /// When a slot last ceased to be its holder, leaving none.
    lost: u32,
    /// The latest incref that no decref was found for: an index into the pending ones.
    pending: u32,
    /// When its count was last looked at by the trace.
    looked: u32,
}

#[derive(Clone, Copy)]
struct Pending {
    /// The instruction.
    at: u32,
    /// The one before, of the same value.
    previous: u32,
    /// The least number of references the trace owned since.
    least: i32,
}

struct Scan<'a> {
    types: &'a HostTypes,
    values: Vec<ValueState>,
    pending: Vec<Pending>,
    slots: Vec<ValueId>,
    /// When something last ran that may look at counts.
    called: u32,
    /// When items of lists, and when fields of objects, last changed.
    items: u32,
    fields: u32,
}

/// Runs the pass.
pub(super) fn run(trace: &mut Trace, types: &HostTypes) {
    if !trace.insts.iter().any(|inst| inst.uop == Uop::IncRef) {
        return;
    }
    let count = trace.insts.len();
    let fresh = ValueState {
        owned: 0,
        holders: 0,
        lost: 0,
        pending: NONE,
        looked: 0,
    };
    let mut scan = Scan {
        types,
        values: vec![fresh; count],
        pending: Vec::with_capacity(32),
        slots: Vec::new(),
        called: 0,
        items: 0,
        fields: 0,
    };
    for &(value, count) in &trace.entry_owned {
        scan.values[value.index()].owned += count as i32;
    }
    for entry in trace.entry_slots.iter().filter(|e| e.synced) {
        scan.hold(u64::from(entry.slot), entry.value, 0);
    }
    for at in 0..count {
        scan.step(trace, at as u32);
    }
}

impl Scan<'_> {
    fn hold(&mut self, slot: u64, value: ValueId, at: u32) {
        let slot = slot as usize;
        if self.slots.len() <= slot {
            self.slots.resize(slot + 1, ValueId::NONE);
        }
        let before = std::mem::replace(&mut self.slots[slot], value);
        if value.is_some() {
            self.values[value.index()].holders += 1;
        }
        if before.is_some() {
            let state = &mut self.values[before.index()];
            state.holders -= 1;
            if state.holders == 0 {
                state.lost = at;
            }
        }
    }

    fn consume(&mut self, value: ValueId) {
        let state = &mut self.values[value.index()];
        state.owned -= 1;
        let (owned, mut next) = (state.owned, state.pending);
        while next != NONE {
            let pending = &mut self.pending[next as usize];
            if pending.least <= owned {
                break;
            }
            pending.least = owned;
            next = pending.previous;
        }
    }

    fn step(&mut self, trace: &mut Trace, at: u32) {
        let inst = trace.insts[at as usize];
        let info = inst.uop.info();
        match inst.uop {
            Uop::IncRef => {
                let state = &mut self.values[inst.args[0].index()];
                state.owned += 1;
                self.pending.push(Pending {
                    at,
                    previous: state.pending,
                    least: state.owned,
                });
                state.pending = self.pending.len() as u32 - 1;
                return;
            }
            Uop::DecRef | Uop::DecRefPlain | Uop::XDecRef
                if self.release(trace, inst.args[0], at) =>
            {
                return;
            }
            Uop::LoopStart => return self.enter_loop(trace, at),
            Uop::LoadSlot => return self.hold(inst.imm, ValueId(at), at),
            Uop::TakeSlot => self.hold(inst.imm, ValueId::NONE, at),
            Uop::GuardUnshared | Uop::GuardShared => self.values[inst.args[0].index()].looked = at,
            _ => {}
        }
        if info.ownership.output_owned {
            self.values[at as usize].owned += 1;
        }
        if info.ownership.consumes | info.ownership.gains != 0 {
            for (i, &arg) in inst.inputs().iter().enumerate() {
                if info.ownership.consumes >> i & 1 != 0 {
                    self.consume(arg);
                }
                if info.ownership.gains >> i & 1 != 0 {
                    self.values[arg.index()].owned += 1;
                }
            }
        }
        if info.writes.is_empty() {
            return;
        }
        if matches!(inst.uop, Uop::StoreSlot | Uop::SyncSlot) {
            self.hold(inst.imm, inst.args[0], at);
        }
        if info.writes.contains(Effects::ESCAPE)
            || (info.calls && info.writes.intersects(Effects::COUNTS))
        {
            self.called = at;
        }
        if info
            .writes
            .intersects(Effects::LIST_ITEMS | Effects::LIST_SHAPE)
        {
            self.items = at;
        }
        if info.writes.intersects(Effects::HEAP) {
            self.fields = at;
        }
    }

    /// What was taken before the loop is not given up in it, and slots that it stores to hold something else each turn.
    fn enter_loop(&mut self, trace: &Trace, at: u32) {
        for state in &mut self.values {
            state.pending = NONE;
        }
        for inst in &trace.insts[at as usize..] {
            if let Uop::StoreSlot | Uop::SyncSlot | Uop::TakeSlot = inst.uop {
                self.hold(inst.imm, ValueId::NONE, at);
            }
        }
    }

    /// At a decref: removes it with its incref if that may be. Otherwise says no.
    fn release(&mut self, trace: &mut Trace, value: ValueId, at: u32) -> bool {
        let latest = self.values[value.index()].pending;
        if latest == NONE {
            return false;
        }
        let Pending {
            at: start,
            previous,
            least,
        } = self.pending[latest as usize];
        self.values[value.index()].pending = previous;
        if least < 1 || !self.superfluous(trace, value, start, least) {
            return false;
        }
        let nop = Inst::new(Uop::Nop, &[], 0, SnapshotId::NONE);
        trace.insts[start as usize] = nop;
        trace.insts[at as usize] = nop;
        self.values[value.index()].owned -= 1;
        let mut next = previous;
        while next != NONE {
            let pending = &mut self.pending[next as usize];
            pending.least = pending.least.min(least - 1);
            next = pending.previous;
        }
        true
    }

    /// Whether nothing can see the reference that the trace took at `start`.
    fn superfluous(&self, trace: &Trace, value: ValueId, start: u32, least: i32) -> bool {
        if self.is_immortal(trace, value) {
            return true;
        }
        if self.called > start || self.values[value.index()].looked > start {
            return false;
        }
        least >= 2 || self.anchored(trace, value, start)
    }

    /// Whether the object lives as long as the trace, or cannot die.
    fn is_kept(&self, trace: &Trace, value: ValueId) -> bool {
        let inst = trace.inst(value);
        inst.uop == Uop::BoxBool || (inst.uop == Uop::ConstObject && inst.imm != 0)
    }

    /// Whether the object's count never changes.
    fn is_immortal(&self, trace: &Trace, value: ValueId) -> bool {
        let inst = trace.inst(value);
        inst.uop == Uop::BoxBool
            || (inst.uop == Uop::ConstObject && inst.imm != 0 && (self.types.is_immortal)(inst.imm))
    }

    /// Whether a slot or a container has owned the value since `start`.
    fn anchored(&self, trace: &Trace, value: ValueId, start: u32) -> bool {
        if self.is_kept(trace, value) {
            return true;
        }
        let state = &self.values[value.index()];
        if state.holders > 0 && state.lost <= start {
            return true;
        }
        let inst = trace.inst(value);
        let owner = inst.args[0];
        match inst.uop {
            Uop::ItemAt => {
                let items = trace.inst(owner);
                items.uop == Uop::ListItems
                    && self.items < value.0
                    && self.anchored(trace, items.args[0], start)
            }
            Uop::TupleItem | Uop::TupleItemImm => self.anchored(trace, owner, start),
            Uop::IterSequence => self.called < value.0 && self.anchored(trace, owner, start),
            Uop::LoadObject => self.fields < value.0 && self.anchored(trace, owner, start),
            Uop::LoadVia => {
                let values = trace.inst(owner);
                values.uop == Uop::InstanceValues
                    && self.fields < value.0
                    && self.anchored(trace, values.args[0], start)
            }
            _ => false,
        }
    }
}
