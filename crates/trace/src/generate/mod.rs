//! Random well-formed traces, for the tests of every stage: the same seed gives the same trace.
//!
//! A trace is made as a recorder would: step by step, with the values of the first iteration at hand where they can be
//! known, so that most guards hold and loops turn a few times. What the trace finds in memory is described by a [`World`],
//! which the test builds for its host. Variables (the slots of the frame) are kept as the optimiser leaves them: raw values,
//! boxed by the exits, with phis round the loop; some are written to memory at times.
//!
//! A trace can be run: no object is used after its last reference may be gone, no index is out of bounds, no value depends
//! on an address. So evaluator and machine code can be compared on two hosts.

mod no_host;
mod steps;

use crate::ir::{
    End, EntrySlot, FrameId, FrameState, Inherited, Inst, LoopParam, ParamSource, SlotValue,
    Snapshot, SnapshotId, Trace, ValueId,
};
use crate::ownership::{self, SlotMemory};
use crate::random::Random;
use crate::regalloc::liveness::is_constant;
use serigraph_uops::{Effects, Exit, Immediate, Kind, Reason, Uop};

/// What a slot of the running frame holds when the trace starts.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum SlotKind {
    /// An int of this value.
    Int(i64),
    /// A float of this value.
    Float(f64),
    /// A list of at least eight ints that fit 64 bits.
    List,
    /// A tuple of at least eight ints that fit 64 bits.
    Tuple,
    /// A range iterator.
    RangeIterator,
}

/// What the host of a test provides.
#[derive(Clone, Debug)]
pub struct World {
    /// The locals of the frame.
    pub slots: Vec<SlotKind>,
    /// The types of int, float, list, tuple and range iterator.
    pub types: [u64; 5],
    /// Objects that constants may name.
    pub objects: Vec<u64>,
    /// The table {False, True}.
    pub bool_table: u64,
    /// The address of a 32-bit word that is 0.
    pub valid_word: u64,
    /// The address of a 64-bit word that may be counted up.
    pub counter: u64,
    /// Helpers of one double, of two doubles, of one object, that make a range iterator, of two objects.
    pub helpers: [Vec<u64>; 5],
}

/// How large the traces are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Size {
    /// About how many steps before the loop (or in all).
    pub preamble: u32,
    /// About how many steps in the loop; 0 for a trace without one.
    pub body: u32,
}

/// A root trace.
pub fn root(random: &mut Random, world: &World, size: Size) -> Trace {
    let mut g = Generator::new(random, world);
    g.load_some();
    g.steps(size.preamble);
    if size.body == 0 {
        return g.finish_with_exit();
    }
    g.enter_loop();
    g.steps(size.body);
    g.close_loop()
}

/// Where a side trace starts, and where it may go.
#[derive(Clone, Copy, Debug)]
pub struct Branch<'a> {
    /// The parent.
    pub parent: &'a Trace,
    /// The instruction of the parent that leaves (the number of instructions: the end).
    pub at: ValueId,
    /// The snapshot of that exit.
    pub snapshot: SnapshotId,
    /// The values that the exit keeps, which become the params, in order.
    pub values: &'a [ValueId],
    /// The trace whose loop the side trace jumps to at its end, if it is to.
    pub link: Option<&'a Trace>,
}

/// A side trace of an exit.
pub fn side(random: &mut Random, world: &World, size: Size, branch: &Branch<'_>) -> Trace {
    let mut g = Generator::new(random, world);
    g.take_over(branch);
    g.steps(size.preamble);
    match branch.link {
        Some(target) => g.finish_with_link(target, branch),
        None => g.finish_with_exit(),
    }
}

/// The uops that compute on raw values only, from the table.
fn raw_uops() -> Vec<Uop> {
    let raw = |uop: &&Uop| {
        let info = uop.info();
        !info.inputs.is_empty()
            && info.has_stencil
            && info.inputs.iter().all(|k| *k != Kind::Object)
            && info.output != Some(Kind::Object)
            && matches!(info.immediate, Immediate::None | Immediate::Int32)
            && info.is_pure_but_for_its_exit()
    };
    Uop::ALL.iter().filter(raw).copied().collect()
}

trait PureButForExit {
    fn is_pure_but_for_its_exit(&self) -> bool;
}
impl PureButForExit for serigraph_uops::UopInfo {
    fn is_pure_but_for_its_exit(&self) -> bool {
        self.reads.is_empty() && self.writes.is_empty() && !self.calls && self.exit != Exit::Error
    }
}

/// The value of a variable.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Variable {
    /// As when the trace began; not looked at.
    Untouched,
    /// An object.
    Object(ValueId),
    /// Raw; exits box it.
    Raw(ValueId),
}

struct Generator<'a> {
    random: &'a mut Random,
    world: &'a World,
    trace: Trace,
    raw_uops: Vec<Uop>,
    /// The value in the first iteration, if it is known.
    known: Vec<Option<u64>>,
    /// The sunk box of a raw value.
    boxes: Vec<ValueId>,
    ints: Vec<ValueId>,
    floats: Vec<ValueId>,
    objects: Vec<ValueId>,
    /// What lists' items and indices are: pairs of (items, index below the length).
    elements: Vec<(ValueId, ValueId)>,
    owned: Vec<ValueId>,
    /// Params that come with a reference.
    owned_params: Vec<ValueId>,
    /// What slots hold that their variables may lose: the slot, and the value loaded from it.
    loaded: Vec<(usize, ValueId)>,
    variables: Vec<Variable>,
    /// Slots that may be loaded: memory holds what the variable is, and the loop does not change it.
    loadable: Vec<bool>,
    /// Slots whose memory may be written.
    syncable: Vec<bool>,
    current: Option<SnapshotId>,
    ip: u32,
    side: bool,
}

impl<'a> Generator<'a> {
    fn new(random: &'a mut Random, world: &'a World) -> Self {
        let locals = world.slots.len();
        Generator {
            random,
            world,
            trace: Trace::new(locals as u32, locals as u32),
            raw_uops: raw_uops(),
            known: Vec::new(),
            boxes: Vec::new(),
            ints: Vec::new(),
            floats: Vec::new(),
            objects: Vec::new(),
            elements: Vec::new(),
            owned: Vec::new(),
            owned_params: Vec::new(),
            loaded: Vec::new(),
            variables: vec![Variable::Untouched; locals],
            loadable: vec![true; locals],
            syncable: vec![true; locals],
            current: None,
            ip: 0,
            side: false,
        }
    }

    fn push(&mut self, inst: Inst, known: Option<u64>) -> ValueId {
        if !Effects(Effects::COUNTS.0 | Effects::ARGS.0).contains(inst.uop.info().writes) {
            self.current = None;
        }
        self.known.push(known);
        self.boxes.push(ValueId::NONE);
        let value = self.trace.push(inst);
        // Addresses differ from host to host, a list's item may be replaced, and nobody counts references to types.
        let private = matches!(inst.uop, Uop::ListItems | Uop::ItemAt | Uop::LoadType);
        if inst.has_value() && !inst.sunk && !private {
            match inst.kind {
                Kind::Int => self.ints.push(value),
                Kind::Float => self.floats.push(value),
                Kind::Object => self.objects.push(value),
            }
        }
        value
    }

    /// Appends a uop, with a snapshot if it needs one.
    fn emit(&mut self, uop: Uop, args: &[ValueId], imm: u64) -> ValueId {
        let snapshot = match uop.info().exit {
            Exit::Never => SnapshotId::NONE,
            _ => self.snapshot(),
        };
        self.push(Inst::new(uop, args, imm, snapshot), None)
    }

    /// An object is not to be used any more.
    fn forget(&mut self, object: ValueId) {
        self.objects.retain(|o| *o != object);
    }

    /// What was loaded from a slot is not to be used any more.
    fn forget_loaded(&mut self, slot: usize) {
        let loaded = &self.loaded;
        self.objects.retain(|o| !loaded.contains(&(slot, *o)));
    }

    fn set(&mut self, slot: usize, variable: Variable) {
        self.variables[slot] = variable;
        self.current = None;
    }

    /// The snapshot of the state at hand, often the one of the last guard.
    fn snapshot(&mut self) -> SnapshotId {
        if let Some(snapshot) = self.current
            && !self.random.one_in(3)
        {
            return snapshot;
        }
        let mut slots = Vec::new();
        for slot in 0..self.variables.len() {
            let value = match self.variables[slot] {
                Variable::Untouched => continue,
                Variable::Object(value) => value,
                Variable::Raw(raw) => self.sunk_box_or_sum(raw),
            };
            slots.push(SlotValue {
                slot: slot as u32,
                value,
            });
        }
        self.ip += 2;
        let trace = &mut self.trace;
        let first = trace.slot_values.len() as u32;
        trace.slot_values.extend_from_slice(&slots);
        let frame = FrameState {
            frame: FrameId(0),
            ip: self.ip,
            top: trace.locals,
            first,
            count: slots.len() as u32,
        };
        trace.frame_states.push(frame);
        let first = trace.frame_states.len() as u32 - 1;
        trace.snapshots.push(Snapshot {
            first,
            count: 1,
            first_store: 0,
            store_count: 0,
            reason: Reason::GuardFailed,
        });
        let snapshot = SnapshotId(trace.snapshots.len() as u32 - 1);
        self.current = Some(snapshot);
        snapshot
    }

    /// Now and then what an exit boxes is a sum that it makes itself.
    fn sunk_box_or_sum(&mut self, raw: ValueId) -> ValueId {
        let made_here = |g: &Self, v: ValueId| g.trace.inst(v).uop != Uop::ConstInt;
        let is_int = self.trace.inst(raw).kind == Kind::Int;
        if !is_int
            || self.boxes[raw.index()].is_some()
            || !made_here(self, raw)
            || !self.random.one_in(3)
        {
            return self.sunk_box(raw);
        }
        let uop = self
            .random
            .pick(&[Uop::IntAddWrapImm, Uop::IntAddWrap, Uop::IntSubWrap]);
        let sum = match uop {
            Uop::IntAddWrapImm => {
                let imm = i64::from(self.random.below(9)) - 4;
                Inst::new(uop, &[raw], imm as u64, SnapshotId::NONE)
            }
            _ => {
                let other = self.random.pick(&self.ints);
                let other = if made_here(self, other) { other } else { raw };
                Inst::new(uop, &[raw, other], 0, SnapshotId::NONE)
            }
        };
        let sum = self.push(Inst { sunk: true, ..sum }, None);
        let boxed = self.sunk_box(sum);
        self.boxes[raw.index()] = boxed;
        boxed
    }

    fn sunk_box(&mut self, raw: ValueId) -> ValueId {
        if self.boxes[raw.index()].is_none() {
            let uop = if self.trace.inst(raw).kind == Kind::Float {
                Uop::BoxFloat
            } else {
                Uop::BoxInt
            };
            let inst = Inst {
                sunk: true,
                ..Inst::new(uop, &[raw], 0, SnapshotId::NONE)
            };
            let boxed = self.push(inst, None);
            self.boxes[raw.index()] = boxed;
        }
        self.boxes[raw.index()]
    }

    fn int(&mut self) -> ValueId {
        if self.ints.is_empty() || self.random.one_in(8) {
            let wide = self.random.one_in(4);
            let value = if wide {
                self.random.bits() as i64
            } else {
                i64::from(self.random.below(40)) - 9
            };
            return self.push(
                Inst::new(Uop::ConstInt, &[], value as u64, SnapshotId::NONE),
                Some(value as u64),
            );
        }
        pick_recent(self.random, &self.ints)
    }

    fn float(&mut self) -> ValueId {
        if self.floats.is_empty() || self.random.one_in(8) {
            let value = (f64::from(self.random.below(4000)) - 1000.0) / 64.0;
            return self.push(
                Inst::new(Uop::ConstFloat, &[], value.to_bits(), SnapshotId::NONE),
                Some(value.to_bits()),
            );
        }
        pick_recent(self.random, &self.floats)
    }

    fn object(&mut self) -> ValueId {
        if self.objects.is_empty() || self.random.one_in(8) {
            let object = self.random.pick(&self.world.objects);
            return self.push(
                Inst::new(Uop::ConstObject, &[], object, SnapshotId::NONE),
                Some(object),
            );
        }
        pick_recent(self.random, &self.objects)
    }

    fn enter_loop(&mut self) {
        while !self.owned.is_empty() && self.random.below(3) > 0 {
            self.release();
        }
        // An object that each turn replaces: the phi owns the reference of its initial value.
        let mut carried_objects = Vec::new();
        if self.random.one_in(3) {
            let a = self.int();
            let boxed = self.emit(Uop::BoxInt, &[a], 0);
            carried_objects.push(boxed);
            self.forget(boxed);
        }
        // The loop counts, so that it ends.
        let zero = self.push(Inst::new(Uop::ConstInt, &[], 0, SnapshotId::NONE), Some(0));
        let start = self
            .trace
            .push(Inst::new(Uop::LoopStart, &[], 0, SnapshotId::NONE));
        self.trace.loop_start = Some(start);
        self.known.push(None);
        self.boxes.push(ValueId::NONE);
        self.current = None;
        let phi = |g: &mut Self, initial: ValueId, source: ParamSource| {
            let inst = Inst {
                kind: g.trace.inst(initial).kind,
                ..Inst::new(Uop::Phi, &[initial], 0, SnapshotId::NONE)
            };
            let phi = g.push(inst, g.known[initial.index()]);
            g.trace.loop_params.push(LoopParam { value: phi, source });
            phi
        };
        let elsewhere = ParamSource::IterField {
            slot: u32::MAX,
            offset: 0,
        };
        phi(self, zero, elsewhere);
        for slot in 0..self.variables.len() {
            let Variable::Raw(raw) = self.variables[slot] else {
                continue;
            };
            if self.random.one_in(4) {
                // Not carried: what the exits box stays the same, and memory is not written.
                self.syncable[slot] = false;
                continue;
            }
            self.forget_loaded(slot);
            let source = match self.trace.inst(raw).kind {
                Kind::Float => ParamSource::SlotFloat(slot as u32),
                _ => ParamSource::SlotInt(slot as u32),
            };
            let carried = phi(self, raw, source);
            self.loadable[slot] = false;
            self.set(slot, Variable::Raw(carried));
        }
        for object in carried_objects {
            phi(self, object, elsewhere);
        }
        let counter = ValueId(start.0 + 1);
        let limit = 1 + u64::from(self.random.below(12));
        self.emit(Uop::GuardIntLtImm, &[counter], limit);
        // What was owned before is owned all through.
        self.owned.clear();
    }

    fn close_loop(mut self) -> Trace {
        while !self.owned.is_empty() {
            self.release();
        }
        let phis: Vec<ValueId> = self.trace.phis().collect();
        let mut next = Vec::new();
        let counter = self.emit(Uop::IntAddWrapImm, &[phis[0]], 1);
        for (position, &phi) in phis.iter().enumerate() {
            let value = match self.trace.loop_params[position].source {
                _ if position == 0 => counter,
                ParamSource::SlotInt(slot) | ParamSource::SlotFloat(slot) => {
                    match self.variables[slot as usize] {
                        Variable::Raw(raw) => raw,
                        _ => phi,
                    }
                }
                _ => {
                    let a = self.int();
                    let new = self.emit(Uop::BoxInt, &[a], 0);
                    self.emit(Uop::DecRefPlain, &[phi], 0);
                    new
                }
            };
            next.push(value);
        }
        if self.random.below(3) > 0 {
            self.emit(Uop::PollWord32, &[], 0);
        }
        self.trace.end = End::Loop(next);
        add_invariants(&mut self.trace);
        self.trace
    }

    fn finish_with_exit(mut self) -> Trace {
        self.current = None;
        let snapshot = self.snapshot();
        self.trace.end = End::Exit(snapshot);
        self.trace
    }

    /// The values that the parent's exit keeps become params.
    fn take_over(&mut self, branch: &Branch<'_>) {
        let parent = branch.parent;
        self.side = true;
        self.trace.tree = 0;
        self.loadable.fill(false);
        for &value in branch.values {
            let kind = parent.inst(value).kind;
            self.push(
                Inst {
                    kind,
                    ..Inst::new(Uop::Param, &[], 0, SnapshotId::NONE)
                },
                None,
            );
        }
        let private = |v: &ValueId| parent.inst(branch.values[v.index()]).uop == Uop::ListItems;
        self.ints.retain(|v| !private(v));
        let Ok(state) = ownership::State::at(parent, branch.at.index()) else {
            return;
        };
        let param = |value: ValueId| {
            branch
                .values
                .iter()
                .position(|&v| v == value)
                .map(|i| ValueId(i as u32))
        };
        let in_loop = parent.loop_start.is_some_and(|l| branch.at > l);
        let kept = loop_owned(branch.link);
        for (value, count) in state.all_owned() {
            if let Some(param) = param(value) {
                self.trace.entry_owned.push((param, count));
                self.owned_params.push(param);
                let kept = kept.iter().find(|k| k.0 == value).map_or(0, |k| k.1);
                self.owned.extend((kept..count).map(|_| param));
            }
        }
        let listed: Vec<SlotValue> = parent.slots(&parent.frames(branch.snapshot)[0]).to_vec();
        for SlotValue { slot, value } in listed {
            let inst = parent.inst(value);
            let (object, variable) = if is_constant(inst) {
                let constant = self.push(*inst, Some(inst.imm));
                (constant, Variable::Object(constant))
            } else if inst.sunk {
                let from = parent.inst(inst.args[0]);
                let raw = match is_constant(from) {
                    true => self.push(*from, Some(from.imm)),
                    false if from.sunk => {
                        let name = |arg: ValueId| match arg.is_some() {
                            true => param(arg).unwrap_or(ValueId(0)),
                            false => arg,
                        };
                        let args = from.args.map(name);
                        let sum = Inst {
                            args,
                            sunk: false,
                            ..*from
                        };
                        self.push(sum, None)
                    }
                    false => param(inst.args[0]).unwrap_or(ValueId(0)),
                };
                (self.sunk_box(raw), Variable::Raw(raw))
            } else {
                let param = param(value).unwrap_or(ValueId(0));
                (param, Variable::Object(param))
            };
            let synced = state.slot(slot) == SlotMemory::Holds(value);
            self.trace.entry_slots.push(EntrySlot {
                slot,
                value: object,
                synced,
            });
            self.variables[slot as usize] = variable;
        }
        if in_loop {
            // What the loop does not carry it relies on.
            self.syncable.fill(false);
        }
        for (index, loop_param) in parent.loop_params.iter().enumerate() {
            if let (true, ParamSource::SlotInt(slot) | ParamSource::SlotFloat(slot)) =
                (in_loop, loop_param.source)
            {
                self.syncable[slot as usize] = true;
            }
            if in_loop
                && parent.inst(loop_param.value).uop != Uop::Phi
                && let Some(value) = param(loop_param.value)
            {
                self.trace.inherited.push(Inherited {
                    param: index as u32,
                    value,
                });
            }
        }
        self.current = None;
    }

    fn finish_with_link(mut self, target: &Trace, branch: &Branch<'_>) -> Trace {
        let mut args = Vec::new();
        for loop_param in &target.loop_params {
            let inst = target.inst(loop_param.value);
            let inherited = branch
                .values
                .iter()
                .position(|&v| v == loop_param.value && inst.uop != Uop::Phi);
            args.push(match (inherited, inst.kind) {
                (Some(param), _) => ValueId(param as u32),
                (None, Kind::Int) => {
                    let a = self.int();
                    self.emit(Uop::IntAndImm, &[a], 15)
                }
                (None, Kind::Float) => self.float(),
                // A phi takes over a reference.
                (None, Kind::Object) => {
                    let a = self.int();
                    self.emit(Uop::BoxInt, &[a], 0)
                }
            });
        }
        while !self.owned.is_empty() {
            self.release();
        }
        self.trace.end = End::Link { target: 0, args };
        self.trace
    }
}

fn pick_recent(random: &mut Random, values: &[ValueId]) -> ValueId {
    // Old values now and then, so that some live long; mostly recent ones.
    let span = if random.one_in(3) {
        values.len()
    } else {
        values.len().min(6)
    };
    values[values.len() - 1 - random.below(span as u32) as usize]
}

/// The references to values from before the loop that a trace owns all through its loop.
fn loop_owned(trace: Option<&Trace>) -> Vec<(ValueId, u32)> {
    let owned = |trace: &Trace| {
        let start = trace.loop_start?;
        let state = ownership::State::at(trace, start.index() + 1).ok()?;
        Some(state.loop_owned(trace).filter(|o| o.0 < start).collect())
    };
    trace.and_then(owned).unwrap_or_default()
}

/// Lists the values from before the loop that it uses, or owns.
fn add_invariants(trace: &mut Trace) {
    let Some(start) = trace.loop_start else {
        return;
    };
    let mut used = vec![false; trace.insts.len()];
    let mut stack: Vec<ValueId> = trace.end_args().to_vec();
    for (i, inst) in trace.insts.iter().enumerate().skip(start.index()) {
        if inst.uop == Uop::Phi || inst.sunk {
            continue;
        }
        stack.extend_from_slice(inst.inputs());
        if inst.snapshot.is_some() {
            stack.extend(trace.snapshot_values(inst.snapshot));
        }
        if i == start.index()
            && let Ok(state) = ownership::State::at(trace, i + 1)
        {
            stack.extend(state.loop_owned(trace).map(|o| o.0));
        }
    }
    while let Some(value) = stack.pop() {
        let inst = trace.inst(value);
        if inst.sunk {
            stack.extend_from_slice(inst.inputs());
        } else if value < start && !is_constant(inst) {
            used[value.index()] = true;
        }
    }
    for index in (0..start.index()).filter(|&i| used[i]) {
        trace.loop_params.push(LoopParam {
            value: ValueId(index as u32),
            source: ParamSource::Invariant,
        });
    }
}
