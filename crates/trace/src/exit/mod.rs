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
//! A plan names values of the trace ([`crate::ir::ValueId`]); the engine keeps it with locations instead ([`plan_exits_named`]).
//! [`restore`] carries a plan out on anything that can read values and write frames, so that the engine and the evaluator
//! share one driver.

mod plan;
mod restore;
mod text;

pub use plan::{Exits, plan_exit_at, plan_exits, plan_exits_named};
pub use restore::{Restorer, Scratch, restore};

use crate::ir::{FrameId, InlinedKind, SnapshotId, vec_bytes};

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

/// A raw number that an exit boxes or stores.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Raw<V> {
    /// A value of the trace.
    Value(V),
    /// The bits of a constant.
    Constant(u64),
    /// The sum of a value and a constant, modulo 2^64.
    Plus(V, u64),
    /// The sum of two values, modulo 2^64.
    Sum(V, V),
    /// The difference of two values, modulo 2^64.
    Difference(V, V),
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
    /// Of an inlined frame: what becomes of its result.
    pub kind: InlinedKind,
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

/// A set of plans. `V` names a value: [`crate::ir::ValueId`], or a location once registers are chosen.
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
        self.increfs
            .iter()
            .chain(self.decrefs)
            .for_each(|c| source(c.object));
        self.stores.iter().for_each(|s| source(s.object));
        let raws = self
            .makes
            .iter()
            .map(|m| m.from)
            .chain(self.stores.iter().map(|s| s.value));
        for raw in raws {
            raw.values().into_iter().flatten().for_each(&mut visit);
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
    /// Bytes of its lists, as far as they have room.
    pub fn heap_bytes(&self) -> usize {
        vec_bytes(&self.plans)
            + vec_bytes(&self.makes)
            + vec_bytes(&self.counts)
            + vec_bytes(&self.frames)
            + vec_bytes(&self.writes)
            + vec_bytes(&self.stores)
            + vec_bytes(&self.owned)
    }

    /// No plans, with room for some.
    pub fn with_capacity(plans: usize) -> Self {
        Plans {
            plans: Vec::with_capacity(plans),
            makes: Vec::with_capacity(plans),
            counts: Vec::with_capacity(plans),
            frames: Vec::with_capacity(plans),
            writes: Vec::with_capacity(4 * plans),
            stores: Vec::with_capacity(plans),
            owned: Vec::with_capacity(plans),
        }
    }
    /// Gives back the room that is not needed.
    pub(crate) fn shrink_to_fit(&mut self) {
        self.plans.shrink_to_fit();
        self.makes.shrink_to_fit();
        self.counts.shrink_to_fit();
        self.frames.shrink_to_fit();
        self.writes.shrink_to_fit();
        self.stores.shrink_to_fit();
        self.owned.shrink_to_fit();
    }
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
    fn finish(&mut self, mut ranges: Ranges) {
        ranges.makes[1] = self.makes.len() as u32;
        ranges.frames[1] = self.frames.len() as u32;
        ranges.stores[1] = self.stores.len() as u32;
        ranges.decrefs[1] = self.counts.len() as u32;
        ranges.owned[1] = self.owned.len() as u32;
        self.plans.push(ranges);
    }
}

impl<V> Raw<V> {
    /// The values it is made of.
    fn values(self) -> [Option<V>; 2] {
        match self {
            Raw::Value(value) | Raw::Plus(value, _) => [Some(value), None],
            Raw::Constant(_) => [None, None],
            Raw::Sum(a, b) | Raw::Difference(a, b) => [Some(a), Some(b)],
        }
    }
    /// Its bits, where those of values are known.
    pub(super) fn bits(self, mut value: impl FnMut(V) -> u64) -> u64 {
        match self {
            Raw::Value(a) => value(a),
            Raw::Constant(bits) => bits,
            Raw::Plus(a, bits) => value(a).wrapping_add(bits),
            Raw::Sum(a, b) => value(a).wrapping_add(value(b)),
            Raw::Difference(a, b) => value(a).wrapping_sub(value(b)),
        }
    }
}
