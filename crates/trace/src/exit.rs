//! What each exit has to do to make reality match its snapshot, computed from what the trace owns there.
//!
//! ```text
//! s0: [f0 ip=10 top=3 1=v5 2=v7]      v5 = sunk box_int v4; slot 1 is stale; memory of slot 2 holds v7;
//!                                     the trace owns one v9
//! plan:  make #0 = box_int v4
//!        slot 1 = #0, release the old content
//!        decref v9
//!        go on at 10 with top 3
//! ```
//!
//! A plan names values of the trace ([`ValueId`]); the engine keeps it with locations instead ([`Plans::push_mapped`]).
//! [`restore`] carries a plan out on anything that can read values and write frames, so that the engine and the evaluator
//! share one driver.

use crate::ir::{End, FrameId, SnapshotId, Trace, ValueId};
use crate::ownership::{OwnershipError, SlotMemory, State, is_null};
use serigraph_uops::Uop;

/// Where an exit gets an object from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Source<V> {
    /// A value of the trace.
    Value(V),
    /// A constant object, or null (0).
    Constant(u64),
    /// The object that the plan's make of this number made.
    Made(u32),
}

/// A raw number that an exit boxes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Raw<V> {
    /// A value of the trace.
    Value(V),
    /// The bits of a constant.
    Constant(u64),
}

/// The kind of box to make.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BoxKind {
    /// An int, a new reference.
    Int,
    /// A float, a new reference.
    Float,
    /// A bool from the table at this address; immortal.
    Bool(u64),
}

/// An object that the exit makes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Make<V> {
    /// What it is.
    pub made: BoxKind,
    /// Its value.
    pub from: Raw<V>,
}

/// References to take or to release.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Count<V> {
    /// To what; may be null at run time, then nothing is to be done.
    pub object: Source<V>,
    /// How many.
    pub count: u32,
}

/// A slot to write.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SlotWrite<V> {
    /// Index into the frame's `localsplus`.
    pub slot: u32,
    /// What to write. The reference comes from what the trace owns, or from an incref of the plan.
    pub value: Source<V>,
    /// Memory holds and owns something else (or null), which is to be released after; otherwise memory holds nothing.
    pub release_old: bool,
}

/// One frame of a plan.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PlanFrame<V> {
    /// Which; 0 is the running frame, the others are to be built.
    pub frame: FrameId,
    /// The instruction to go on at; for a frame that called another one, the CALL.
    pub ip: u32,
    /// `localsplus` entries in use.
    pub top: u32,
    /// Of an inlined frame: the host's handle of its code, otherwise 0.
    pub code: u64,
    /// Of an inlined frame: where its caller goes on when it returns, otherwise 0.
    pub return_ip: u32,
    /// Of an inlined frame: the function, with a reference for the frame; otherwise null.
    pub function: Source<V>,
    first_write: u32,
    write_count: u32,
}

/// A field to store.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Store<V> {
    /// The object.
    pub object: Source<V>,
    /// The offset of the 64-bit field.
    pub offset: u32,
    /// What to store.
    pub value: Raw<V>,
}

/// A plan in [`Plans`].
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub struct PlanId(pub u32);

#[derive(Clone, Copy, Debug)]
struct Ranges {
    snapshot: SnapshotId,
    makes: [u32; 2],
    increfs: [u32; 2],
    frames: [u32; 2],
    stores: [u32; 2],
    decrefs: [u32; 2],
    owned: [u32; 2],
}

/// A set of plans. `V` names a value: [`ValueId`], or a location once registers are chosen.
#[derive(Clone, Debug)]
pub struct Plans<V> {
    plans: Vec<Ranges>,
    makes: Vec<Make<V>>,
    counts: Vec<Count<V>>,
    frames: Vec<PlanFrame<V>>,
    writes: Vec<SlotWrite<V>>,
    stores: Vec<Store<V>>,
    owned: Vec<(V, u32)>,
}

/// One plan, as slices, in the order in which things have to be done.
#[derive(Clone, Copy, Debug)]
pub struct Plan<'a, V> {
    /// The snapshot it restores.
    pub snapshot: SnapshotId,
    /// First: the objects to make.
    pub makes: &'a [Make<V>],
    /// Then: the references to take.
    pub increfs: &'a [Count<V>],
    /// Then: the frames to fill, outermost first.
    pub frames: &'a [PlanFrame<V>],
    /// Then: the fields to store.
    pub stores: &'a [Store<V>],
    /// Last, after the old contents of slots are released: the references to release.
    pub decrefs: &'a [Count<V>],
    /// What the trace owns at the exit: for a side trace that goes on from here instead of restoring.
    pub owned: &'a [(V, u32)],
    writes: &'a [SlotWrite<V>],
}

impl<'a, V: Copy> Plan<'a, V> {
    /// The slots to write in a frame.
    pub fn writes(&self, frame: &PlanFrame<V>) -> &'a [SlotWrite<V>] {
        &self.writes[frame.first_write as usize..(frame.first_write + frame.write_count) as usize]
    }

    /// Every value that must have a location at the exit (some more than once).
    pub fn for_each_value(&self, mut visit: impl FnMut(V)) {
        let mut source = |source: Source<V>| {
            if let Source::Value(value) = source {
                visit(value);
            }
        };
        for frame in self.frames {
            source(frame.function);
            self.writes(frame).iter().for_each(|w| source(w.value));
        }
        self.increfs.iter().chain(self.decrefs).for_each(|c| source(c.object));
        self.stores.iter().for_each(|s| source(s.object));
        let raws = self.makes.iter().map(|m| m.from).chain(self.stores.iter().map(|s| s.value));
        for raw in raws {
            if let Raw::Value(value) = raw {
                visit(value);
            }
        }
        self.owned.iter().for_each(|&(value, _)| visit(value));
    }
}

impl<V> Default for Plans<V> {
    fn default() -> Self {
        Plans {
            plans: Vec::new(),
            makes: Vec::new(),
            counts: Vec::new(),
            frames: Vec::new(),
            writes: Vec::new(),
            stores: Vec::new(),
            owned: Vec::new(),
        }
    }
}

impl<V: Copy> Plans<V> {
    /// The number of plans.
    pub fn len(&self) -> usize {
        self.plans.len()
    }
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.plans.is_empty()
    }
    /// A plan.
    pub fn plan(&self, id: PlanId) -> Plan<'_, V> {
        fn part<T>(all: &[T], range: [u32; 2]) -> &[T] {
            &all[range[0] as usize..range[1] as usize]
        }
        let ranges = &self.plans[id.0 as usize];
        Plan {
            snapshot: ranges.snapshot,
            makes: part(&self.makes, ranges.makes),
            increfs: part(&self.counts, ranges.increfs),
            frames: part(&self.frames, ranges.frames),
            stores: part(&self.stores, ranges.stores),
            decrefs: part(&self.counts, ranges.decrefs),
            owned: part(&self.owned, ranges.owned),
            writes: &self.writes,
        }
    }
    /// Adds a plan with other names for its values, such as their locations at one particular exit.
    pub fn push_mapped<W: Copy>(&mut self, plan: Plan<'_, W>, mut name: impl FnMut(W) -> V) -> PlanId {
        let mut start = self.begin(plan.snapshot);
        self.makes.extend(plan.makes.iter().map(|m| Make { made: m.made, from: m.from.map(&mut name) }));
        self.counts.extend(plan.increfs.iter().map(|c| Count { object: c.object.map(&mut name), count: c.count }));
        start.increfs[1] = self.counts.len() as u32;
        start.decrefs[0] = start.increfs[1];
        self.counts.extend(plan.decrefs.iter().map(|c| Count { object: c.object.map(&mut name), count: c.count }));
        for frame in plan.frames {
            let first_write = self.writes.len() as u32;
            self.writes.extend(plan.writes(frame).iter().map(|w| SlotWrite {
                slot: w.slot,
                value: w.value.map(&mut name),
                release_old: w.release_old,
            }));
            let PlanFrame { frame: id, ip, top, code, return_ip, function, write_count, .. } = *frame;
            let function = function.map(&mut name);
            self.frames.push(PlanFrame { frame: id, ip, top, code, return_ip, function, first_write, write_count });
        }
        self.stores.extend(plan.stores.iter().map(|s| Store {
            object: s.object.map(&mut name),
            offset: s.offset,
            value: s.value.map(&mut name),
        }));
        self.owned.extend(plan.owned.iter().map(|&(v, n)| (name(v), n)));
        self.finish(start)
    }
    fn begin(&self, snapshot: SnapshotId) -> Ranges {
        let from = |len: usize| [len as u32, len as u32];
        Ranges {
            snapshot,
            makes: from(self.makes.len()),
            increfs: from(self.counts.len()),
            frames: from(self.frames.len()),
            stores: from(self.stores.len()),
            decrefs: from(self.counts.len()),
            owned: from(self.owned.len()),
        }
    }
    fn finish(&mut self, mut ranges: Ranges) -> PlanId {
        ranges.makes[1] = self.makes.len() as u32;
        ranges.frames[1] = self.frames.len() as u32;
        ranges.stores[1] = self.stores.len() as u32;
        ranges.decrefs[1] = self.counts.len() as u32;
        ranges.owned[1] = self.owned.len() as u32;
        self.plans.push(ranges);
        PlanId(self.plans.len() as u32 - 1)
    }
}

impl<V> Source<V> {
    fn map<W>(self, name: impl FnOnce(V) -> W) -> Source<W> {
        match self {
            Source::Value(value) => Source::Value(name(value)),
            Source::Constant(bits) => Source::Constant(bits),
            Source::Made(number) => Source::Made(number),
        }
    }
}

impl<V> Raw<V> {
    fn map<W>(self, name: impl FnOnce(V) -> W) -> Raw<W> {
        match self {
            Raw::Value(value) => Raw::Value(name(value)),
            Raw::Constant(bits) => Raw::Constant(bits),
        }
    }
}

/// The exits of a trace.
#[derive(Clone, Debug)]
pub struct Exits {
    /// The plans. Exits that have the same to do share one.
    pub plans: Plans<ValueId>,
    /// The instructions that can leave, in order, with their plans; last the end, if it is an exit, as the number of
    /// instructions.
    pub exits: Vec<(ValueId, PlanId)>,
    /// References and slots at the end of the trace.
    pub end: State,
}

/// Plans every exit of a trace. An error means that the trace is not well formed, and must not run.
pub fn plan_exits(trace: &Trace) -> Result<Exits, OwnershipError> {
    let mut state = State::new(trace);
    let mut planner = Planner::new(trace);
    let mut exits: Vec<(ValueId, PlanId)> = Vec::new();
    let mut last = (SnapshotId::NONE, u32::MAX, PlanId(0));
    for (i, inst) in trace.insts.iter().enumerate() {
        if inst.snapshot.is_some() && !inst.sunk {
            if (last.0, last.1) != (inst.snapshot, state.version()) {
                let plan = planner.plan(trace, &mut state, i, inst.snapshot)?;
                last = (inst.snapshot, state.version(), plan);
            }
            exits.push((ValueId(i as u32), last.2));
        }
        state.apply(trace, i)?;
    }
    let end = trace.insts.len();
    match trace.end {
        End::Exit(snapshot) if snapshot.is_some() => {
            exits.push((ValueId(end as u32), planner.plan(trace, &mut state, end, snapshot)?));
        }
        End::Exit(_) | End::Link { .. } => {}
        End::Loop(_) => state.clone().check_back_edge(trace)?,
    }
    Ok(Exits { plans: planner.plans, exits, end: state })
}

/// Plans one exit: the one before instruction `at` (the number of instructions: at the end) at this snapshot. For a
/// recording that stops, and for a uop that raised while recording.
pub fn plan_exit_at(trace: &Trace, at: usize, snapshot: SnapshotId) -> Result<Plans<ValueId>, OwnershipError> {
    let mut state = State::at(trace, at)?;
    let mut planner = Planner::new(trace);
    planner.plan(trace, &mut state, at, snapshot)?;
    Ok(planner.plans)
}

struct Planner {
    plans: Plans<ValueId>,
    /// References that the frames of the snapshot at hand need, by value.
    needed: Vec<u32>,
    /// The values with a need, in the order of their first.
    touched: Vec<ValueId>,
    /// The numbers of the makes at hand, by order in `touched`.
    made: Vec<(ValueId, u32)>,
}

impl Planner {
    fn new(trace: &Trace) -> Planner {
        Planner { plans: Plans::default(), needed: vec![0; trace.insts.len()], touched: Vec::new(), made: Vec::new() }
    }

    /// The source of an object, of which the frames need one more reference.
    fn need(&mut self, trace: &Trace, at: usize, value: ValueId) -> Result<Source<ValueId>, OwnershipError> {
        let Some(inst) = trace.insts.get(value.index()) else { return bad(at, format!("{value} does not exist")) };
        if is_null(inst) {
            return Ok(Source::Constant(0));
        }
        let needed = &mut self.needed[value.index()];
        *needed += 1;
        if *needed == 1 {
            self.touched.push(value);
        }
        if !inst.sunk {
            return Ok(source(trace, value));
        }
        if let Some(&(_, number)) = self.made.iter().find(|(made, _)| *made == value) {
            return Ok(Source::Made(number));
        }
        let made = match inst.uop {
            Uop::BoxInt => BoxKind::Int,
            Uop::BoxFloat => BoxKind::Float,
            Uop::BoxBool => BoxKind::Bool(inst.imm),
            _ => return bad(at, format!("an exit cannot make {value}, a sunk {}", inst.uop.name())),
        };
        let from = raw(trace, inst.args[0]);
        if trace.inst(inst.args[0]).sunk && matches!(from, Raw::Value(_)) {
            return bad(at, format!("an exit cannot make {value} from {}, which is sunk too", inst.args[0]));
        }
        let number = self.made.len() as u32;
        self.made.push((value, number));
        self.plans.makes.push(Make { made, from });
        Ok(Source::Made(number))
    }

    fn plan(&mut self, trace: &Trace, state: &mut State, at: usize, snapshot: SnapshotId) -> Result<PlanId, OwnershipError> {
        if snapshot.index() >= trace.snapshots.len() {
            return bad(at, format!("{snapshot} does not exist"));
        }
        let mut ranges = self.plans.begin(snapshot);
        self.touched.clear();
        self.made.clear();
        let frames = trace.frames(snapshot);
        if frames[0].top < state.stack_held() {
            return bad(at, format!("{snapshot} has stack top {} but memory holds the stack to {}", frames[0].top, state.stack_held()));
        }
        for frame in frames {
            let first_write = self.plans.writes.len() as u32;
            let running = frame.frame.0 == 0;
            for &slot in trace.slots(frame) {
                let memory = if running { state.slot(slot.slot) } else { SlotMemory::Dead };
                if memory != SlotMemory::Holds(slot.value) {
                    let value = self.need(trace, at, slot.value)?;
                    let release_old = memory != SlotMemory::Dead;
                    self.plans.writes.push(SlotWrite { slot: slot.slot, value, release_old });
                }
            }
            let write_count = self.plans.writes.len() as u32 - first_write;
            let (code, return_ip, function) = if running {
                (0, 0, Source::Constant(0))
            } else {
                let inlined = &trace.inlined[frame.frame.index() - 1];
                (inlined.code, inlined.return_ip, self.need(trace, at, inlined.function)?)
            };
            let (frame, ip, top) = (frame.frame, frame.ip, frame.top);
            self.plans.frames.push(PlanFrame { frame, ip, top, code, return_ip, function, first_write, write_count });
        }
        for store in trace.stores(snapshot) {
            self.plans.stores.push(Store {
                object: source(trace, store.object),
                offset: store.offset,
                value: raw(trace, store.value),
            });
        }
        self.count_increfs(trace, state);
        ranges.increfs[1] = self.plans.counts.len() as u32;
        ranges.decrefs[0] = ranges.increfs[1];
        for (value, owned) in state.all_owned() {
            if is_null(trace.inst(value)) {
                continue;
            }
            let needed = if trace.inst(value).sunk { 0 } else { self.needed[value.index()] };
            if owned > needed {
                self.plans.counts.push(Count { object: source(trace, value), count: owned - needed });
            }
            self.plans.owned.push((value, owned));
        }
        for value in &self.touched {
            self.needed[value.index()] = 0;
        }
        Ok(self.plans.finish(ranges))
    }

    /// The references that the frames need beyond those that the trace owns or the makes come with.
    fn count_increfs(&mut self, trace: &Trace, state: &State) {
        for &value in &self.touched {
            let inst = trace.inst(value);
            let needed = self.needed[value.index()];
            let (object, have) = if inst.sunk {
                let number = self.made.iter().find(|(made, _)| *made == value).map_or(0, |m| m.1);
                (Source::Made(number), u32::from(inst.uop.info().ownership.output_owned))
            } else {
                (source(trace, value), state.owned(value).max(0) as u32)
            };
            if needed > have {
                self.plans.counts.push(Count { object, count: needed - have });
            }
        }
    }
}

#[cold]
fn bad<T>(at: usize, message: String) -> Result<T, OwnershipError> {
    Err(OwnershipError { at: ValueId(at as u32), message })
}

fn source(trace: &Trace, value: ValueId) -> Source<ValueId> {
    let inst = trace.inst(value);
    if inst.uop == Uop::ConstObject { Source::Constant(inst.imm) } else { Source::Value(value) }
}

fn raw(trace: &Trace, value: ValueId) -> Raw<ValueId> {
    let inst = trace.inst(value);
    if matches!(inst.uop, Uop::ConstInt | Uop::ConstFloat) { Raw::Constant(inst.imm) } else { Raw::Value(value) }
}

/// What an exit is carried out on.
pub trait Restorer {
    /// How plans name values.
    type Value: Copy;
    /// The bits of a value at the exit.
    fn value(&mut self, value: Self::Value) -> u64;
    /// Makes a box of raw bits; a new reference (or an immortal). It cannot fail: where memory is refused, it must not return.
    fn make(&mut self, made: BoxKind, bits: u64) -> u64;
    /// Takes references to an object (not null).
    fn incref(&mut self, object: u64, count: u32);
    /// Releases references to an object (not null). May run finalisers: all frames are complete by then.
    fn decref(&mut self, object: u64, count: u32);
    /// Begins a frame; the writes that follow are its slots. For an inlined frame: builds it, with its other slots null.
    fn frame(&mut self, frame: &PlanFrame<Self::Value>, function: u64);
    /// Writes a slot of the frame at hand; gives what memory held before (ignored unless it is to be released).
    fn write(&mut self, slot: u32, object: u64) -> u64;
    /// Stores a 64-bit field.
    fn store(&mut self, object: u64, offset: u32, bits: u64);
}

/// What has been made and displaced during a [`restore`]; kept by the caller so that nothing is allocated.
#[derive(Default, Debug)]
pub struct Scratch {
    made: Vec<u64>,
    displaced: Vec<u64>,
}

/// Carries out a plan.
pub fn restore<R: Restorer>(plan: Plan<'_, R::Value>, to: &mut R, scratch: &mut Scratch) {
    let Scratch { made, displaced } = scratch;
    made.clear();
    displaced.clear();
    fn object<R: Restorer>(to: &mut R, made: &[u64], source: Source<R::Value>) -> u64 {
        match source {
            Source::Value(value) => to.value(value),
            Source::Constant(bits) => bits,
            Source::Made(number) => made[number as usize],
        }
    }
    fn raw<R: Restorer>(to: &mut R, raw: Raw<R::Value>) -> u64 {
        match raw {
            Raw::Value(value) => to.value(value),
            Raw::Constant(bits) => bits,
        }
    }
    for make in plan.makes {
        let bits = raw(to, make.from);
        made.push(to.make(make.made, bits));
    }
    for count in plan.increfs {
        let object = object(to, made, count.object);
        if object != 0 {
            to.incref(object, count.count);
        }
    }
    for frame in plan.frames {
        let function = object(to, made, frame.function);
        to.frame(frame, function);
        for write in plan.writes(frame) {
            let object = object(to, made, write.value);
            let old = to.write(write.slot, object);
            if write.release_old && old != 0 {
                displaced.push(old);
            }
        }
    }
    for store in plan.stores {
        let object = object(to, made, store.object);
        let bits = raw(to, store.value);
        to.store(object, store.offset, bits);
    }
    for &old in displaced.iter() {
        to.decref(old, 1);
    }
    for count in plan.decrefs {
        let object = object(to, made, count.object);
        if object != 0 {
            to.decref(object, count.count);
        }
    }
}
