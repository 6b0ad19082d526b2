//! Who owns what: one linear scan over a trace that knows, at each instruction, how many references to each object the
//! trace owns, and what the memory of each slot of the running frame holds.
//!
//! ```text
//! v0: object = load_slot 1          # slot 1 holds v0 (and owns it); the trace owns nothing
//! v1: object = box_int v9 @s0       # the trace owns one v1
//! store_slot v1, v0, 1              # slot 1 holds v1; the trace owns one v0
//! decref v0                         # the trace owns nothing
//! ```
//!
//! # The loop
//!
//! At the loop start, references move to the phis: phi `p` takes `k` references from its initial value, and at the back
//! edge `k` from its next value, where `k` is what the loop body gains of that next value. All other counts must be the same
//! at the loop start and at the back edge.
//!
//! A slot whose memory the body does not write is at each loop start as it was at the first. A slot that it writes holds the
//! phi of (what it holds at the entry, what it holds at the back edge) if there is one, and if the trace lists the slot in
//! `loop_synced`. All other slots that a phi carries (a loop parameter with a slot as its source) are stale at the loop start.
//! Another trace may jump to the loop start only when the slots that are not stale here hold what they should.
//!
//! References to null are not counted: to the null constant, and to what a guard has found to be null.

use crate::ir::{End, Inst, ParamSource, SnapshotId, Trace, ValueId};
use serigraph_uops::{Kind, Uop};
use std::fmt;

/// What the memory of a slot of the running frame holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SlotMemory {
    /// What belongs there and no value of the trace names: nothing has been loaded or stored. The slot owns it.
    Entry,
    /// This value, owned by the slot.
    Holds(ValueId),
    /// Some object that is no longer the slot's value, or null; owned by the slot.
    Stale,
    /// Nothing: a place of the operand stack that is not in use, or whose content the trace has taken.
    Dead,
}

/// What is wrong with a trace's ownership.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OwnershipError {
    /// At which instruction; the number of instructions for the end.
    pub at: ValueId,
    /// What is wrong.
    pub message: String,
}

impl fmt::Display for OwnershipError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at {}: {}", self.at, self.message)
    }
}

impl std::error::Error for OwnershipError {}

type Result<T> = std::result::Result<T, OwnershipError>;

#[cold]
fn error<T>(at: usize, message: String) -> Result<T> {
    Err(OwnershipError {
        at: ValueId(at as u32),
        message,
    })
}

/// How many references to a value the trace owns.
#[derive(Clone, Copy, Default, Debug)]
struct Counter {
    count: i32,
    /// It is in the list of counted values.
    listed: bool,
}

/// References and slots at one point of a trace. Goes forward with [`State::apply`].
#[derive(Clone, Debug)]
pub struct State {
    counts: Vec<Counter>,
    /// Values that have or had a count, each once.
    counted: Vec<ValueId>,
    /// Values that are known to be null.
    nulls: Vec<ValueId>,
    slots: Vec<SlotMemory>,
    locals: u32,
    /// Stack slots below this are in memory still.
    stack_held: u32,
    version: u32,
    /// Counts at the loop start, after the phis took theirs, of values defined before it.
    loop_counts: Vec<(ValueId, i32)>,
    /// References each phi takes over, in order.
    phi_counts: Vec<i32>,
    loop_slots: Vec<SlotMemory>,
}

/// Whether a value is the null constant, whose references nobody counts.
pub fn is_null(inst: &Inst) -> bool {
    inst.uop == Uop::ConstObject && inst.imm == 0
}

/// Whether a phi is what a link puts into the loop from this slot.
fn is_param_of_slot(trace: &Trace, phi: ValueId, slot: u32) -> bool {
    trace.loop_params.iter().any(|param| {
        param.value == phi
            && matches!(param.source, ParamSource::SlotObject { slot: from, .. } if from == slot)
    })
}

/// Whether two values are surely always the same object: one value, or phis that carry the same.
pub fn same_value(trace: &Trace, a: ValueId, b: ValueId) -> bool {
    a == b || same_carried(trace, a, b, 8)
}

fn same_carried(trace: &Trace, a: ValueId, b: ValueId, depth: u32) -> bool {
    let (End::Loop(next), Some(start), 1..) = (&trace.end, trace.loop_start, depth) else {
        return a == b;
    };
    // The initial and the next value of a phi.
    let carried = |value: ValueId| {
        let inst = trace.inst(value);
        let next = if inst.uop == Uop::Phi {
            next.get(value.index() - start.index() - 1)
        } else {
            None
        };
        next.map(|&next| (inst.args[0], next))
    };
    let same = |a, b| a == b || same_carried(trace, a, b, depth - 1);
    match (carried(a), carried(b)) {
        // If they are one at some loop start, they are at the next.
        (Some((first_a, next_a)), Some((first_b, next_b))) => {
            let kept = (next_a == a && next_b == b) || (next_a == b && next_b == a);
            first_a == first_b && (kept || same(next_a, next_b))
        }
        (Some((first, next)), None) => first == b && (next == a || same(next, b)),
        (None, Some((first, next))) => first == a && (next == b || same(a, next)),
        (None, None) => a == b,
    }
}

impl State {
    /// The state at the start of a trace.
    pub fn new(trace: &Trace) -> State {
        let mut slots = vec![SlotMemory::Entry; trace.locals.max(trace.entry_top) as usize];
        for entry in &trace.entry_slots {
            let slot = entry.slot as usize;
            if slot >= slots.len() {
                slots.resize(slot + 1, SlotMemory::Dead);
            }
            slots[slot] = match entry.synced {
                true => SlotMemory::Holds(entry.value),
                false if entry.slot < trace.locals => SlotMemory::Stale,
                false => SlotMemory::Dead,
            };
        }
        let held = slots
            .iter()
            .rposition(|s| *s != SlotMemory::Dead)
            .map_or(0, |last| last as u32 + 1);
        let mut state = State {
            counts: vec![Counter::default(); trace.insts.len()],
            counted: Vec::with_capacity(16),
            nulls: Vec::new(),
            slots,
            locals: trace.locals,
            stack_held: held.max(trace.locals),
            version: 0,
            loop_counts: Vec::new(),
            phi_counts: Vec::new(),
            loop_slots: Vec::new(),
        };
        for &(value, count) in &trace.entry_owned {
            state.add(value, count as i32);
        }
        state
    }

    /// The state before instruction `upto` (the number of instructions: at the end).
    pub fn at(trace: &Trace, upto: usize) -> Result<State> {
        let mut state = State::new(trace);
        for i in 0..upto {
            state.apply(trace, i)?;
        }
        Ok(state)
    }

    /// How many references to a value the trace owns.
    #[inline]
    pub fn owned(&self, value: ValueId) -> i32 {
        self.counts[value.index()].count
    }

    /// Whether a value is known to be null here.
    pub fn is_null(&self, value: ValueId) -> bool {
        self.nulls.contains(&value)
    }

    /// All values of which the trace owns references, with the counts.
    pub fn all_owned(&self) -> impl Iterator<Item = (ValueId, u32)> + '_ {
        let counts = self
            .counted
            .iter()
            .map(|&v| (v, self.owned(v).max(0) as u32));
        counts.filter(|&(v, count)| count > 0 && !self.is_null(v))
    }

    /// Makes the list of counted values short again.
    pub(crate) fn forget_uncounted(&mut self) {
        let counts = &mut self.counts;
        self.counted.retain(|v| {
            let counter = &mut counts[v.index()];
            counter.listed = counter.count != 0;
            counter.listed
        });
    }

    /// What the memory of a slot of f0 holds.
    #[inline]
    pub fn slot(&self, slot: u32) -> SlotMemory {
        self.slots
            .get(slot as usize)
            .copied()
            .unwrap_or(SlotMemory::Dead)
    }

    /// All stack slots below this are in memory and must be part of every snapshot.
    pub fn stack_held(&self) -> u32 {
        self.stack_held
    }

    /// Changes whenever counts or slots change.
    #[inline]
    pub fn version(&self) -> u32 {
        self.version
    }

    /// What slots held at the loop start (empty before it): the contract with traces that jump there.
    pub fn loop_slots(&self) -> &[SlotMemory] {
        &self.loop_slots
    }

    /// References owned at the loop start, of values defined before it and of phis.
    pub fn loop_owned<'a>(&'a self, trace: &'a Trace) -> impl Iterator<Item = (ValueId, u32)> + 'a {
        let phis = trace
            .phis()
            .zip(&self.phi_counts)
            .map(|(phi, &count)| (phi, count));
        self.loop_counts
            .iter()
            .copied()
            .chain(phis)
            .filter(|&(_, n)| n > 0)
            .map(|(v, n)| (v, n as u32))
    }

    #[inline]
    fn add(&mut self, value: ValueId, count: i32) -> i32 {
        let counter = &mut self.counts[value.index()];
        counter.count += count;
        self.version += 1;
        if !std::mem::replace(&mut counter.listed, true) {
            self.counted.push(value);
        }
        counter.count
    }

    #[inline]
    fn take(&mut self, at: usize, value: ValueId, count: i32) -> Result<()> {
        if self.add(value, -count) < 0 && !self.is_null(value) {
            return error(
                at,
                format!("takes a reference to {value} that the trace does not own"),
            );
        }
        Ok(())
    }

    fn set_slot(&mut self, slot: u32, memory: SlotMemory) {
        let slot = slot as usize;
        if slot >= self.slots.len() {
            self.slots.resize(slot + 1, SlotMemory::Dead);
        }
        self.slots[slot] = memory;
        self.version += 1;
    }

    /// Goes past an instruction.
    #[inline]
    pub fn apply(&mut self, trace: &Trace, at: usize) -> Result<()> {
        let inst = &trace.insts[at];
        if inst.sunk {
            return Ok(());
        }
        let ownership = &inst.uop.info().ownership;
        if ownership.output_owned {
            self.add(ValueId(at as u32), 1);
        }
        if ownership.gains | ownership.consumes != 0 {
            for i in 0..3 {
                if ownership.gains & 1 << i != 0 {
                    self.add(inst.args[i], 1);
                }
                if ownership.consumes & 1 << i != 0 {
                    self.take(at, inst.args[i], 1)?;
                }
            }
        }
        match inst.uop {
            Uop::LoadSlot | Uop::TakeSlot | Uop::StoreSlot | Uop::SyncSlot => {
                self.apply_slot(trace, inst, at)
            }
            Uop::LoopStart => self.enter_loop(trace, at),
            Uop::ConstObject | Uop::GuardIs if inst.imm == 0 => {
                self.nulls.push(if inst.uop == Uop::GuardIs {
                    inst.args[0]
                } else {
                    ValueId(at as u32)
                });
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn apply_slot(&mut self, trace: &Trace, inst: &Inst, at: usize) -> Result<()> {
        let slot = inst.imm as u32;
        let before = self.slot(slot);
        // A push: the next place of the operand stack comes into use, in place of null.
        if before == SlotMemory::Dead
            && inst.uop == Uop::StoreSlot
            && slot >= self.locals
            && is_null(trace.inst(inst.args[1]))
        {
            self.set_slot(slot, SlotMemory::Holds(inst.args[0]));
            self.stack_held = self.stack_held.max(slot + 1);
            return Ok(());
        }
        if before == SlotMemory::Dead {
            return error(at, format!("slot {slot} is not in use"));
        }
        if before == SlotMemory::Stale && inst.uop != Uop::SyncSlot {
            return error(at, format!("slot {slot} is stale"));
        }
        match inst.uop {
            Uop::TakeSlot => {
                if slot < self.locals || slot + 1 != self.stack_held {
                    return error(
                        at,
                        format!("slot {slot} is not the top of the stack in memory"),
                    );
                }
                self.set_slot(slot, SlotMemory::Dead);
                while self.stack_held > self.locals
                    && self.slot(self.stack_held - 1) == SlotMemory::Dead
                {
                    self.stack_held -= 1;
                }
            }
            Uop::LoadSlot => self.set_slot(slot, SlotMemory::Holds(ValueId(at as u32))),
            _ => self.set_slot(slot, SlotMemory::Holds(inst.args[0])),
        }
        Ok(())
    }

    fn enter_loop(&mut self, trace: &Trace, at: usize) -> Result<()> {
        let End::Loop(next) = &trace.end else {
            return error(at, "a loop without a back edge".into());
        };
        let objects = trace.phis().any(|phi| trace.inst(phi).kind == Kind::Object);
        let phis: Vec<Carried> = match objects {
            true => (trace.phis().zip(next))
                .map(|(phi, &next)| {
                    let inst = trace.inst(phi);
                    Carried {
                        phi,
                        initial: inst.args[0],
                        next,
                        object: inst.kind == Kind::Object,
                    }
                })
                .collect(),
            // Nothing to hand over.
            false => Vec::new(),
        };
        self.phi_counts = match objects {
            true => BodyEffects::of(trace, at + 1).phi_counts(&phis, |initial| self.owned(initial)),
            false => Vec::new(),
        };
        self.loop_counts.clear();
        for (i, carried) in phis.iter().enumerate() {
            let count = self.phi_counts[i];
            if count != 0 {
                self.take(at, carried.initial, count)?;
                self.add(carried.phi, count);
            }
        }
        for i in 0..self.counted.len() {
            let value = self.counted[i];
            if value.index() < at {
                self.loop_counts.push((value, self.owned(value)));
            }
        }
        for (slot, back) in written_slots(trace, at + 1) {
            let memory = match (self.slot(slot), back) {
                _ if !trace.loop_synced.contains(&slot) => SlotMemory::Stale,
                (SlotMemory::Stale, _) => {
                    return error(
                        at,
                        format!("slot {slot} is stale where the loop wants it synced"),
                    );
                }
                (SlotMemory::Dead, _) | (_, SlotMemory::Dead) => {
                    return error(at, format!("slot {slot} is not in use throughout"));
                }
                (SlotMemory::Holds(a), SlotMemory::Holds(b)) => {
                    // Phis that this trace starts with one object may get several from a link: a slot's own is meant.
                    let mut carried =
                        (phis.iter()).filter(|c| c.object && c.initial == a && c.next == b);
                    let phi = match trace.loop_params.is_empty() {
                        true => carried.next(),
                        false => carried.find(|c| is_param_of_slot(trace, c.phi, slot)),
                    };
                    match phi {
                        Some(carried) => SlotMemory::Holds(carried.phi),
                        None if a == b => SlotMemory::Holds(a),
                        None => SlotMemory::Entry,
                    }
                }
                _ => SlotMemory::Entry,
            };
            self.set_slot(slot, memory);
        }
        for param in &trace.loop_params {
            let slot = match param.source {
                ParamSource::SlotObject { slot, .. }
                | ParamSource::SlotInt(slot)
                | ParamSource::SlotFloat(slot)
                | ParamSource::SlotBool(slot) => slot,
                ParamSource::IterField { .. } | ParamSource::Invariant => continue,
            };
            let carried = param.value.index() > at;
            if carried && self.slot(slot) != SlotMemory::Dead && !trace.loop_synced.contains(&slot)
            {
                self.set_slot(slot, SlotMemory::Stale);
            }
        }
        self.loop_slots.clone_from(&self.slots);
        Ok(())
    }

    /// At the back edge: whether counts and slots are as they were at the loop start. The counts are lost with this.
    pub fn check_back_edge(&mut self, trace: &Trace) -> Result<()> {
        let at = trace.insts.len();
        let (End::Loop(next), Some(start)) = (&trace.end, trace.loop_start) else {
            return Ok(());
        };
        let counts = std::mem::take(&mut self.phi_counts);
        for (&value, &count) in next.iter().zip(&counts) {
            self.add(value, -count);
        }
        self.phi_counts = counts;
        for &(value, count) in &self.loop_counts {
            self.counts[value.index()].count -= count;
        }
        let odd = self
            .counted
            .iter()
            .find(|&&v| self.owned(v) != 0 && !self.is_null(v));
        if let Some(&value) = odd {
            let more = self.owned(value);
            return error(
                at,
                format!(
                    "each turn of the loop ({start}) leaves the trace with {more} more references to {value}"
                ),
            );
        }
        for slot in 0..self.slots.len().max(self.loop_slots.len()) {
            let first = self
                .loop_slots
                .get(slot)
                .copied()
                .unwrap_or(SlotMemory::Dead);
            let here = self.slot(slot as u32);
            if (first == SlotMemory::Dead) != (here == SlotMemory::Dead) {
                return error(
                    at,
                    format!("slot {slot} is in use in one turn of the loop and not in the next"),
                );
            }
            if here == SlotMemory::Stale && first != SlotMemory::Stale {
                return error(at, format!("slot {slot} is stale at the back edge"));
            }
        }
        Ok(())
    }
}

/// Whether the recording of one turn of a loop leaves things as the next turn needs them: the memory of f0's slots holds what
/// the state at its end says, and the trace owns nothing.
///
/// # Errors
/// What is wrong at the end, or ownership before it.
pub fn comes_round(trace: &Trace, header: SnapshotId) -> Result<()> {
    let end = trace.insts.len();
    let state = State::at(trace, end)?;
    if let Some((value, count)) = state.all_owned().find(|&(v, _)| !state.is_null(v)) {
        return error(
            end,
            format!("the trace owns {count} references to {value} where the loop comes round"),
        );
    }
    let Some(frame) = trace.frames(header).first() else {
        return error(end, String::from("the loop has no frame"));
    };
    for entry in trace.slots(frame) {
        let memory = state.slot(entry.slot);
        if !matches!(memory, SlotMemory::Holds(held) if same_value(trace, held, entry.value)) {
            return error(
                end,
                format!(
                    "slot {} is {}, and its memory {memory:?}, where the loop comes round",
                    entry.slot, entry.value
                ),
            );
        }
    }
    Ok(())
}

struct Carried {
    phi: ValueId,
    initial: ValueId,
    next: ValueId,
    object: bool,
}

/// Slots whose memory the loop body, from instruction `first` on, writes, with what they hold at the back edge.
fn written_slots(trace: &Trace, first: usize) -> Vec<(u32, SlotMemory)> {
    let mut slots: Vec<(u32, SlotMemory)> = Vec::new();
    for inst in &trace.insts[first..] {
        let memory = match inst.uop {
            Uop::StoreSlot | Uop::SyncSlot => SlotMemory::Holds(inst.args[0]),
            Uop::TakeSlot => SlotMemory::Dead,
            _ => continue,
        };
        match slots
            .iter_mut()
            .find(|(slot, _)| u64::from(*slot) == inst.imm)
        {
            Some(entry) => entry.1 = memory,
            None => slots.push((inst.imm as u32, memory)),
        }
    }
    slots
}

/// References that one turn of the loop takes and gives, by value.
struct BodyEffects {
    counts: Vec<i32>,
}

impl BodyEffects {
    fn of(trace: &Trace, first: usize) -> BodyEffects {
        let mut counts = vec![0; trace.insts.len()];
        for (i, inst) in trace
            .insts
            .iter()
            .enumerate()
            .skip(first)
            .filter(|(_, inst)| !inst.sunk)
        {
            let ownership = &inst.uop.info().ownership;
            counts[i] += i32::from(ownership.output_owned);
            if ownership.gains | ownership.consumes != 0 {
                for (bit, arg) in inst.inputs().iter().enumerate() {
                    counts[arg.index()] += i32::from(ownership.gains >> bit & 1)
                        - i32::from(ownership.consumes >> bit & 1);
                }
            }
        }
        BodyEffects { counts }
    }

    /// How many references each phi takes over.
    fn phi_counts(&self, phis: &[Carried], owned: impl Fn(ValueId) -> i32) -> Vec<i32> {
        let position = |value: ValueId| phis.iter().position(|c| c.phi == value);
        let mut known: Vec<Option<i32>> = phis
            .iter()
            .map(|c| if c.object { None } else { Some(0) })
            .collect();
        // Several phis with one next value share its references, the first takes what is left over.
        let share = |i: usize, total: i32| {
            let same = phis
                .iter()
                .filter(|c| c.object && c.next == phis[i].next)
                .count() as i32;
            let first = phis.iter().position(|c| c.object && c.next == phis[i].next) == Some(i);
            total.max(0) / same + if first { total.max(0) % same } else { 0 }
        };
        // A chain of phis hands references along; its length bounds the rounds.
        for _ in 0..=phis.len() {
            for i in 0..phis.len() {
                if known[i].is_none() {
                    let gained = self.counts[phis[i].next.index()];
                    match position(phis[i].next) {
                        None => known[i] = Some(share(i, gained)),
                        Some(from) => known[i] = known[from].map(|count| share(i, count + gained)),
                    }
                }
            }
            if known.iter().all(Option::is_some) {
                break;
            }
        }
        // Phis that only exchange their values: what they come with is what they keep.
        let open = |i: usize| phis[i].object && known[i].is_none();
        (0..phis.len())
            .map(|i| {
                known[i].unwrap_or_else(|| {
                    let same = (0..phis.len())
                        .filter(|&j| open(j) && phis[j].initial == phis[i].initial)
                        .count() as i32;
                    owned(phis[i].initial).max(0) / same
                })
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse::parse;

    fn round(end: &str) -> Result<()> {
        let text = format!(
            "trace root locals 1 top 1
  v0: object = load_slot 0
  v1: float = unbox_float v0
  v2: float = float_add v1, v1
  v3: object = box_float v2 @s0
{end}end exit s1
s0: [f0 ip=1 top=1 0=v0]
s1: [f0 ip=2 top=1 0=v3]
"
        );
        let trace = parse(&text).expect("a trace");
        let End::Exit(header) = trace.end else {
            unreachable!("the trace ends with an exit")
        };
        comes_round(&trace, header)
    }

    #[test]
    fn a_turn_ends_with_everything_in_memory() {
        assert_eq!(round("  store_slot v3, v0, 0\n  decref_plain v0\n"), Ok(()));
        assert!(round("").is_err(), "the new value is not stored");
        assert!(
            round("  store_slot v3, v0, 0\n").is_err(),
            "the old value is not released"
        );
        assert!(
            round("  decref_plain v3\n").is_err(),
            "the slot has another value"
        );
    }
}
