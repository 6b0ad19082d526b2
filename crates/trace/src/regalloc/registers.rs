//! The state of the reverse scan: which value is in which register, who owns which spill slot, and how room is made.

use super::liveness::{Liveness, is_constant};
use super::moves::{ParallelMoves, Source};
use super::{Edit, GENERAL_REGS, Location, Place, Reg, SURVIVING_REGS};
use crate::ir::{Inst, Trace, ValueId};
use crate::random::Random;
use serigraph_uops::{Kind, Uop};

/// A set of registers: bit n is `Reg(n)`.
pub(super) type RegSet = u16;

pub(super) const GENERAL: RegSet = (1 << GENERAL_REGS) - 1;
pub(super) const SURVIVING: RegSet = (1 << SURVIVING_REGS) - 1;
pub(super) const FLOAT: RegSet = 0xFF00;

/// The one bit of a register; nothing for [`Reg::NONE`].
#[inline]
pub(super) fn bit(reg: Reg) -> RegSet {
    if reg.is_none() { 0 } else { 1 << reg.0 }
}

/// What the scan knows about a value.
#[derive(Clone, Copy, Debug)]
pub(super) struct ValueState {
    /// 1 + the index of the next instruction up the trace that reads it, or 0.
    pub next_use: u32,
    /// The last entry of its chain: the exits that say it is in its register while nothing but exits needs it there.
    pub chain: u32,
    /// The last exit whose snapshot has the value.
    pub exit_mark: u32,
    /// Its spill slot, or `Location::NO_SLOT`.
    pub slot: u16,
    /// Its register here, or none.
    pub reg: Reg,
    /// The register it should have.
    pub hint: Reg,
    /// The slot it should have.
    pub slot_hint: u16,
    pub phi: bool,
    /// In its register only exits need it (so far): it can be put into a slot from its definition on at no cost.
    pub soft: bool,
    pub constant: bool,
    pub float: bool,
    /// Its slot is where the parent trace left it, and is never given to another value.
    pub keeps_slot: bool,
}

const NO_ENTRY: u32 = u32::MAX;

impl ValueState {
    #[inline]
    fn new(inst: &Inst, next_use: u32) -> ValueState {
        ValueState {
            next_use,
            chain: NO_ENTRY,
            exit_mark: 0,
            slot: Location::NO_SLOT,
            reg: Reg::NONE,
            hint: Reg::NONE,
            slot_hint: Location::NO_SLOT,
            phi: inst.uop == Uop::Phi,
            soft: false,
            constant: is_constant(inst),
            float: inst.kind == Kind::Float,
            keeps_slot: false,
        }
    }
    /// Where it is.
    #[inline]
    pub fn location(&self) -> Location {
        Location {
            reg: self.reg,
            slot: self.slot,
        }
    }
    #[inline]
    pub fn class(&self) -> RegSet {
        if self.float { FLOAT } else { GENERAL }
    }
}

/// The state of the scan. Keeps its buffers.
#[derive(Debug)]
pub(super) struct State {
    pub live: Liveness,
    pub values: Vec<ValueState>,
    /// The value in each register.
    pub reg_value: [ValueId; 16],
    /// Registers that hold nothing.
    pub free: RegSet,
    /// Registers that must not be taken now: inputs of the instruction at hand.
    pub locked: RegSet,
    /// Registers meant for phis that have not been met yet.
    pub reserved: RegSet,
    /// Registers that something in the loop has used.
    pub touched: RegSet,
    /// What is in each register at the back edge.
    pub end_regs: [ValueId; 16],
    /// The registers in use there.
    pub at_end: RegSet,
    /// The scan is inside the loop.
    pub in_loop: bool,
    /// The value that owns each spill slot, or none.
    pub slot_owner: Vec<ValueId>,
    pub max_slots: u16,
    /// There were not enough spill slots (or, never, registers).
    pub failed: bool,
    /// Moves, from the last to the first.
    pub edits: Vec<(u32, Edit)>,
    pub exit_values: Vec<(ValueId, Location)>,
    /// Entries of chains: an index into `exit_values`, and the chain's entry before.
    pub chains: Vec<(u32, u32)>,
    pub moves: ParallelMoves,
    pub resolved: Vec<Edit>,
    pub random: Option<Random>,
}

impl State {
    pub fn new() -> State {
        State {
            live: Liveness::default(),
            values: Vec::new(),
            reg_value: [ValueId::NONE; 16],
            free: GENERAL | FLOAT,
            locked: 0,
            reserved: 0,
            touched: 0,
            end_regs: [ValueId::NONE; 16],
            at_end: 0,
            in_loop: false,
            slot_owner: Vec::new(),
            max_slots: 0,
            failed: false,
            edits: Vec::new(),
            exit_values: Vec::new(),
            chains: Vec::new(),
            moves: ParallelMoves::default(),
            resolved: Vec::new(),
            random: None,
        }
    }

    /// Forgets the last trace. `live` has been computed for this one.
    pub fn reset(&mut self, trace: &Trace, max_slots: u16, seed: Option<u64>) {
        self.values.clear();
        self.values.extend(
            (0..trace.insts.len())
                .map(|i| ValueState::new(&trace.insts[i], self.live.last_use(ValueId(i as u32)))),
        );
        self.reg_value = [ValueId::NONE; 16];
        self.free = GENERAL | FLOAT;
        self.locked = 0;
        self.reserved = 0;
        self.touched = 0;
        self.end_regs = [ValueId::NONE; 16];
        self.at_end = 0;
        self.in_loop = trace.loop_start.is_some();
        self.slot_owner.clear();
        self.max_slots = max_slots;
        self.failed = false;
        self.edits.clear();
        self.exit_values.clear();
        self.chains.clear();
        self.random = seed.map(Random::new);
    }

    #[inline]
    pub fn value(&mut self, v: ValueId) -> &mut ValueState {
        &mut self.values[v.index()]
    }

    /// In random mode, true once in `n` times.
    #[inline]
    pub fn chance(&mut self, n: u32) -> bool {
        self.random.as_mut().is_some_and(|r| r.one_in(n))
    }

    /// Whether, seen from the loop, the value is made before it. (Constants in the loop are made before it, too.)
    #[inline]
    pub fn is_invariant(&self, v: ValueId) -> bool {
        self.in_loop && (v.index() < self.live.loop_start || self.values[v.index()].constant)
    }

    /// Whether a C call lies between the definition of a value and instruction `at`.
    pub fn crosses_call(&self, v: ValueId, at: usize) -> bool {
        let calls = &self.live.calls_before;
        if self.is_invariant(v) {
            return calls[calls.len() - 1] > calls[self.live.loop_start.min(v.index() + 1)];
        }
        calls[at] > calls[v.index() + 1]
    }

    /// Chooses one of the registers, of which there is at least one.
    fn pick(&mut self, v: ValueId, mut set: RegSet, at: usize) -> Reg {
        if let Some(random) = &mut self.random {
            let mut n = random.below(set.count_ones());
            while n > 0 {
                set &= set - 1;
                n -= 1;
            }
            return Reg(set.trailing_zeros() as u8);
        }
        let hint = self.values[v.index()].hint;
        if set & bit(hint) != 0 {
            return hint;
        }
        let mut narrow = |wanted: RegSet| {
            if set & wanted != 0 {
                set &= wanted;
            }
        };
        narrow(!self.reserved);
        if self.in_loop && self.values[v.index()].phi {
            // Its own register is taken: where another phi's next value is, they would have to change places.
            narrow(!self.at_end);
        }
        if self.live.calls_before[self.live.calls_before.len() - 1] > 0 {
            narrow(if self.crosses_call(v, at) {
                SURVIVING
            } else {
                !SURVIVING
            });
        }
        if self.in_loop {
            narrow(if self.is_invariant(v) {
                !self.touched
            } else {
                self.touched
            });
        }
        Reg(set.trailing_zeros() as u8)
    }

    /// Puts a value into a free register.
    pub fn assign(&mut self, v: ValueId, reg: Reg) {
        let b = bit(reg);
        if self.in_loop {
            if self.touched & b == 0 && self.is_invariant(v) {
                self.end_regs[reg.0 as usize] = v;
                self.at_end |= b;
            }
            self.touched |= b;
        }
        self.free &= !b;
        self.reg_value[reg.0 as usize] = v;
        let state = &mut self.values[v.index()];
        state.reg = reg;
        if state.phi {
            self.reserved &= !bit(state.hint);
        }
    }

    /// Takes a value out of its register.
    pub fn unassign(&mut self, v: ValueId) -> Reg {
        let reg = self.values[v.index()].reg;
        self.values[v.index()].reg = Reg::NONE;
        self.reg_value[reg.0 as usize] = ValueId::NONE;
        self.free |= bit(reg);
        reg
    }

    /// Gives a value one of the allowed registers at instruction `at`, making room if none is free.
    pub fn take(&mut self, v: ValueId, allowed: RegSet, at: usize) -> Reg {
        let allowed = allowed & self.values[v.index()].class() & !self.locked;
        let evict = self.free & allowed == 0 || (self.chance(12) && !self.free & allowed != 0);
        let reg = if evict {
            let victim = self.victim(allowed);
            if victim.is_none() {
                self.failed = true;
                return victim;
            }
            self.evict(victim, at);
            victim
        } else {
            self.pick(v, self.free & allowed, at)
        };
        self.assign(v, reg);
        reg
    }

    /// The register whose value is not read again for longest, up the trace.
    fn victim(&mut self, allowed: RegSet) -> Reg {
        let mut set = allowed & !self.free;
        if self.random.is_some() && set != 0 {
            let mut n = self
                .random
                .as_mut()
                .map_or(0, |r| r.below(set.count_ones()));
            while n > 0 {
                set &= set - 1;
                n -= 1;
            }
            return Reg(set.trailing_zeros() as u8);
        }
        let (mut best, mut best_score) = (Reg::NONE, u32::MAX);
        while set != 0 {
            let reg = Reg(set.trailing_zeros() as u8);
            set &= set - 1;
            let state = &self.values[self.reg_value[reg.0 as usize].index()];
            // One that already has a slot, can be made again, or only exits need, costs less.
            let cheap = state.soft || state.constant || state.slot != Location::NO_SLOT;
            let score = if state.soft {
                0
            } else {
                (2 * state.next_use).saturating_sub(u32::from(cheap) * 9)
            };
            if score < best_score {
                (best, best_score) = (reg, score);
            }
        }
        best
    }

    /// Takes the register from its value, which from instruction `at` upwards is in its slot only; after `at` it is
    /// reloaded, or made again.
    pub fn evict(&mut self, reg: Reg, at: usize) {
        let v = self.reg_value[reg.0 as usize];
        self.unassign(v);
        let state = self.values[v.index()];
        if state.soft {
            self.harden_to_slot(v);
        } else if state.constant {
            self.edits.push((at as u32 + 1, self.constant_edit(v, reg)));
        } else {
            let slot = self.slot_of(v);
            self.edits.push((
                at as u32 + 1,
                Edit::Move {
                    from: Place::Slot(slot),
                    to: Place::Reg(reg),
                },
            ));
        }
    }

    fn constant_edit(&self, v: ValueId, reg: Reg) -> Edit {
        let (kind, bits) = self.live.constant(v);
        Edit::Constant {
            kind,
            bits,
            to: reg,
        }
    }

    /// Only exits used the register: they find the value in a slot instead.
    fn harden_to_slot(&mut self, v: ValueId) {
        // The slot has to be right down to the last of these exits, so it must be one that nothing used below.
        let slot = match self.values[v.index()].slot {
            Location::NO_SLOT => self.fresh_slot(v),
            slot => slot,
        };
        let mut entry = self.values[v.index()].chain;
        while entry != NO_ENTRY {
            let (exit_value, before) = self.chains[entry as usize];
            self.exit_values[exit_value as usize].1 = Location::in_slot(slot);
            entry = before;
        }
        let state = self.value(v);
        state.chain = NO_ENTRY;
        state.soft = false;
    }

    /// The slot of a value, given to it now if it has none.
    pub fn slot_of(&mut self, v: ValueId) -> u16 {
        let slot = self.values[v.index()].slot;
        if slot != Location::NO_SLOT {
            return slot;
        }
        // What must keep its slot all round the loop must not share it with anything in the loop.
        if self.is_invariant(v) {
            return self.fresh_slot(v);
        }
        let hint = self.values[v.index()].slot_hint;
        if self
            .slot_owner
            .get(hint as usize)
            .is_some_and(|owner| owner.is_none())
        {
            return self.claim_slot(v, hint);
        }
        match self.slot_owner.iter().position(|owner| owner.is_none()) {
            Some(slot) => self.claim_slot(v, slot as u16),
            None => self.fresh_slot(v),
        }
    }

    /// A slot that nothing has used yet.
    pub fn fresh_slot(&mut self, v: ValueId) -> u16 {
        if self.slot_owner.len() >= self.max_slots as usize {
            self.failed = true;
            self.values[v.index()].slot = 0;
            return 0;
        }
        self.slot_owner.push(ValueId::NONE);
        self.claim_slot(v, self.slot_owner.len() as u16 - 1)
    }

    /// Gives a slot without owner to a value.
    pub fn claim_slot(&mut self, v: ValueId, slot: u16) -> u16 {
        while self.slot_owner.len() <= slot as usize {
            self.slot_owner.push(ValueId::NONE);
        }
        self.slot_owner[slot as usize] = v;
        self.values[v.index()].slot = slot;
        slot
    }

    /// Above its definition a value needs no slot.
    pub fn release_slot(&mut self, v: ValueId) {
        let state = &self.values[v.index()];
        if state.slot != Location::NO_SLOT
            && !state.keeps_slot
            && (state.slot as usize) < self.slot_owner.len()
        {
            self.slot_owner[state.slot as usize] = ValueId::NONE;
        }
    }

    /// The source of a value in a parallel move; gives it a slot if it is nowhere.
    pub fn source(&mut self, v: ValueId, reg: Reg) -> Source {
        if self.values[v.index()].constant {
            let (kind, bits) = self.live.constant(v);
            Source::Constant(kind, bits)
        } else if reg.is_some() {
            Source::Place(Place::Reg(reg))
        } else {
            Source::Place(Place::Slot(self.slot_of(v)))
        }
    }

    /// Puts the collected parallel moves before instruction `before` (edits are collected backwards).
    pub fn place_moves(&mut self, before: usize) {
        self.resolved.clear();
        self.moves.resolve(&mut self.resolved);
        self.edits
            .extend(self.resolved.drain(..).rev().map(|e| (before as u32, e)));
    }
}
