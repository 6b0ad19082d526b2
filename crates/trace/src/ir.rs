//! The intermediate representation: a linear sequence of uops in SSA form, with snapshots, and at most one loop.
//!
//! ```text
//! trace root locals 2 top 3             # the whole text form: crate::print
//!   v0: object = load_slot 1
//!   guard_type v0, 0x1000 @s0           # leaves with snapshot s0 if it fails
//!   v2: int = unbox_int v0 @s0
//!   loop
//!   v4: int = phi v2
//!   v5: int = int_add_imm v4, 1 @s1
//!   poll_word32 @s2
//!   end loop v5                         # the back edge: the new value of each phi, in the order of the phis
//! s0: [f0 ip=10 top=3]
//! s1: [f0 ip=14 top=3 1=v4]
//! s2: [f0 ip=10 top=3 1=v5]
//! ```
//!
//! # Frames and slots
//!
//! The running frame (`f0`) exists in memory; its slots are read and written by `load_slot`, `take_slot`, `store_slot`
//! and `sync_slot`, and a slot of the operand stack below the stack top at the start of the trace holds its entry value
//! until `take_slot` takes it. Inlined frames (`f1`...) exist only in snapshots. Slot numbers count through `localsplus`:
//! locals, cells, free variables, then the operand stack.
//!
//! # Snapshots
//!
//! A snapshot says what the frames would look like at an instruction, had the interpreter run. For f0 it lists the slots
//! that the trace has read or changed (any slot not listed is as it was when the trace began); for an inlined frame it
//! lists every slot that is not null. An exit makes reality match: it stores what the slot in memory does not already hold,
//! boxing sunk values.
//!
//! # Ownership
//!
//! At every point the trace owns a number of references to each object value: one if the uop that made it says `owned`,
//! plus `gains`, minus `consumes`. A frame restored from a snapshot owns one reference for each time a value is listed in a
//! slot that memory does not already hold. The difference is made up by the exit (increfs, or decrefs). So passes may remove an incref together
//! with its decref, and exits stay right: the counts are computed from what is left.

use serigraph_uops::{Kind, Reason, Uop};

macro_rules! index {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(pub u32);
        impl $name {
            /// No such thing.
            pub const NONE: $name = $name(u32::MAX);
            /// As an index into the vector it belongs to.
            #[inline]
            pub fn index(self) -> usize {
                self.0 as usize
            }
            /// Whether this is [`Self::NONE`].
            #[inline]
            pub fn is_none(self) -> bool {
                self == Self::NONE
            }
            /// Whether this is not [`Self::NONE`].
            #[inline]
            pub fn is_some(self) -> bool {
                self != Self::NONE
            }
        }
        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                std::fmt::Display::fmt(self, f)
            }
        }
        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                if self.is_none() { write!(f, "-") } else { write!(f, concat!($prefix, "{}"), self.0) }
            }
        }
    };
}
index!(
    /// An instruction of a trace, and the value it defines.
    ValueId,
    "v"
);
index!(
    /// A snapshot of a trace.
    SnapshotId,
    "s"
);
index!(
    /// A frame of a trace: 0 is the running frame, the others are inlined.
    FrameId,
    "f"
);

/// One instruction: a uop with its operands.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Inst {
    /// What it does.
    pub uop: Uop,
    /// The kind of its result; for uops without a result, meaningless (and `Int`).
    pub kind: Kind,
    /// Not to be emitted: its value is made only at the exits that need it (boxes, [sums](Inst::is_sum)) or never (phis of such).
    pub sunk: bool,
    /// Inputs; unused ones are `NONE`.
    pub args: [ValueId; 3],
    /// The snapshot that an exit of this uop restores, or `NONE`.
    pub snapshot: SnapshotId,
    /// The immediate operand's bits, or 0.
    pub imm: u64,
}

impl Inst {
    /// An instruction of this uop; the kind of the result comes from the table.
    #[inline]
    pub fn new(uop: Uop, args: &[ValueId], imm: u64, snapshot: SnapshotId) -> Inst {
        debug_assert!(args.len() <= 3);
        let mut all = [ValueId::NONE; 3];
        for (to, &arg) in all.iter_mut().zip(args) {
            *to = arg;
        }
        Inst {
            uop,
            kind: uop.info().output.unwrap_or(Kind::Int),
            sunk: false,
            args: all,
            snapshot,
            imm,
        }
    }
    /// The inputs that are used.
    #[inline]
    pub fn inputs(&self) -> &[ValueId] {
        &self.args[..self.uop.info().inputs.len()]
    }
    /// Whether it is a sum that an exit can make as well: one that cannot fail.
    pub fn is_sum(&self) -> bool {
        matches!(
            self.uop,
            Uop::IntAddWrap | Uop::IntSubWrap | Uop::IntAddWrapImm
        )
    }
    /// Whether it defines a value.
    pub fn has_value(&self) -> bool {
        self.uop.info().output.is_some()
    }
}

/// A slot and the value it would hold.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SlotValue {
    /// Index into the frame's `localsplus`.
    pub slot: u32,
    /// An object value.
    pub value: ValueId,
}

/// The state of one frame in a snapshot.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FrameState {
    /// Which frame.
    pub frame: FrameId,
    /// The instruction that runs next in it, in code units. For a frame that has called another inlined frame: the CALL.
    pub ip: u32,
    /// `localsplus` entries in use: locals plus stack depth. For a calling frame: without callable and arguments.
    pub top: u32,
    /// First entry in [`Trace::slot_values`].
    pub first: u32,
    /// Number of entries there, ordered by slot.
    pub count: u32,
}

/// What an exit restores: the frames, outermost (f0) first.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Snapshot {
    /// First entry in [`Trace::frame_states`].
    pub first: u32,
    /// Number of entries there; at least one.
    pub count: u32,
    /// First entry in [`Trace::pending_stores`].
    pub first_store: u32,
    /// Number of entries there.
    pub store_count: u32,
    /// Why an exit here would be taken, for the statistics.
    pub reason: Reason,
}

/// An inlined call.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct InlinedFrame {
    /// The frame that called it.
    pub caller: FrameId,
    /// The function object: a value of the trace; a restored frame owns one reference to it, listed like a slot's.
    pub function: ValueId,
    /// The host's handle of its code (an address).
    pub code: u64,
    /// The host's number for the instruction after the call, in the caller, in code units.
    pub return_ip: u32,
    /// What it was called for.
    pub kind: InlinedKind,
}

/// What an inlined function was called for: what becomes of its result.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum InlinedKind {
    /// A call: the result goes to the caller's stack.
    #[default]
    Call,
    /// It is the `__init__` of an object that is being made, which is on the caller's stack already: the result, `None`, is dropped.
    Init,
    /// It is the method of a binary operator, whose operands are on the caller's stack still: the result takes their place.
    Operator,
    /// It is `__getitem__`: as for an operator, but any result will do.
    GetItem,
    /// It is `__setitem__`: value, object and index are on the caller's stack still; they and the result are dropped.
    SetItem,
}

impl InlinedKind {
    /// Every kind that has a word.
    pub const NAMED: [InlinedKind; 4] = [
        InlinedKind::Init,
        InlinedKind::Operator,
        InlinedKind::GetItem,
        InlinedKind::SetItem,
    ];

    /// The word for it in the text form; a call has none.
    pub fn word(self) -> &'static str {
        match self {
            InlinedKind::Call => "",
            InlinedKind::Init => "init",
            InlinedKind::Operator => "operator",
            InlinedKind::GetItem => "get_item",
            InlinedKind::SetItem => "set_item",
        }
    }

    /// How many operands of the instruction stay on the caller's stack while it runs, as they do when the interpreter calls it from
    /// C.
    pub fn operands(self) -> u32 {
        match self {
            InlinedKind::Call | InlinedKind::Init => 0,
            InlinedKind::Operator | InlinedKind::GetItem => 2,
            InlinedKind::SetItem => 3,
        }
    }

    /// Whether its result goes to the caller's stack.
    pub fn has_result(self) -> bool {
        !matches!(self, InlinedKind::Init | InlinedKind::SetItem)
    }
}

/// How a trace ends.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum End {
    /// The back edge to the trace's own loop start: the next value of each phi, in the order of the phis.
    Loop(Vec<ValueId>),
    /// A jump to the loop start of another trace: a value for each of its [loop parameters](crate::ir::LoopParam), in order.
    Link {
        /// The host's number of the target trace.
        target: u32,
        /// The values, one for each of the target's parameters.
        args: Vec<ValueId>,
    },
    /// A jump to the beginning of a root trace: f0's slots hold everything, and the trace owns nothing.
    Enter {
        /// The host's number of the target trace.
        target: u32,
    },
    /// The interpreter goes on at this snapshot.
    Exit(SnapshotId),
}

/// A slot of f0 as a side trace finds it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct EntrySlot {
    /// The slot.
    pub slot: u32,
    /// Its value at the start: a `param`, a constant, or a box of a `param`.
    pub value: ValueId,
    /// Memory holds this value and owns it. Otherwise memory is stale: it holds (and owns) some plain object or null, or, in the operand stack, nothing.
    pub synced: bool,
}

/// Bytes that a list has room for.
pub fn vec_bytes<T>(list: &Vec<T>) -> usize {
    list.capacity() * size_of::<T>()
}

/// A trace.
#[derive(Clone, PartialEq, Debug)]
pub struct Trace {
    /// All instructions; `ValueId`s index this. The params, if any, come first.
    pub insts: Vec<Inst>,
    /// Snapshots.
    pub snapshots: Vec<Snapshot>,
    /// Frame states of the snapshots.
    pub frame_states: Vec<FrameState>,
    /// Slot values of the frame states.
    pub slot_values: Vec<SlotValue>,
    /// Stores that exits have to do.
    pub pending_stores: Vec<PendingStore>,
    /// Inlined frames; frame `f(i+1)` is entry i.
    pub inlined: Vec<InlinedFrame>,
    /// `localsplus` entries of f0 that are locals, cells and free variables; higher slots are the operand stack.
    pub locals: u32,
    /// `localsplus` entries of f0 in use when the trace starts.
    pub entry_top: u32,
    /// For a side trace: what the slots of f0 hold at its start, as far as the parent changed or read them.
    pub entry_slots: Vec<EntrySlot>,
    /// References the trace owns from the start (side traces: what the parent's trace owned at the exit), as (value, count).
    pub entry_owned: Vec<(ValueId, u32)>,
    /// The `loop` instruction, if the trace has a loop; phis follow it immediately.
    pub loop_start: Option<ValueId>,
    /// What others must supply to enter the loop (with a loop, after peeling).
    pub loop_params: Vec<LoopParam>,
    /// The instructions before the loop, in order, that compute the invariants and check what the loop relies on: loads,
    /// guards and pure uops only, reading nothing but f0's slots as they are at the header and memory in `loop_reads`.
    /// Another trace that jumps into the loop runs a copy of them (with its own header snapshot), or proves it need not.
    pub loop_slice: Vec<ValueId>,
    /// The slots of f0 that at the loop's start hold in memory what the snapshots say; all other slots the loop changes
    /// may be stale there.
    pub loop_synced: Vec<u32>,
    /// The host's number of the trace whose loop this side trace belongs to, or `u32::MAX`.
    pub tree: u32,
    /// The invariants of that loop that this side trace carries.
    pub inherited: Vec<Inherited>,
    /// Its end.
    pub end: End,
}

impl Trace {
    /// An empty trace that ends nowhere yet.
    pub fn new(locals: u32, entry_top: u32) -> Trace {
        Trace {
            insts: Vec::new(),
            snapshots: Vec::new(),
            frame_states: Vec::new(),
            slot_values: Vec::new(),
            pending_stores: Vec::new(),
            inlined: Vec::new(),
            locals,
            entry_top,
            entry_slots: Vec::new(),
            entry_owned: Vec::new(),
            loop_start: None,
            loop_params: Vec::new(),
            loop_slice: Vec::new(),
            loop_synced: Vec::new(),
            tree: u32::MAX,
            inherited: Vec::new(),
            end: End::Exit(SnapshotId::NONE),
        }
    }
    /// Makes room for so many instructions, and what usually comes with them.
    pub fn reserve(&mut self, insts: usize) {
        let snapshots = insts / 4;
        self.insts.reserve(insts);
        self.snapshots.reserve(snapshots);
        self.frame_states.reserve(snapshots);
        self.slot_values.reserve(8 * snapshots);
    }
    /// Bytes of its lists, as far as they have room.
    pub fn heap_bytes(&self) -> usize {
        let end = match &self.end {
            End::Loop(args) | End::Link { args, .. } => vec_bytes(args),
            End::Enter { .. } | End::Exit(_) => 0,
        };
        vec_bytes(&self.insts)
            + vec_bytes(&self.snapshots)
            + vec_bytes(&self.frame_states)
            + vec_bytes(&self.slot_values)
            + vec_bytes(&self.pending_stores)
            + vec_bytes(&self.inlined)
            + vec_bytes(&self.entry_slots)
            + vec_bytes(&self.entry_owned)
            + vec_bytes(&self.loop_params)
            + vec_bytes(&self.loop_slice)
            + vec_bytes(&self.loop_synced)
            + vec_bytes(&self.inherited)
            + end
    }
    /// Appends an instruction and names its value.
    #[inline]
    pub fn push(&mut self, inst: Inst) -> ValueId {
        self.insts.push(inst);
        ValueId(self.insts.len() as u32 - 1)
    }
    /// The instruction that defines a value.
    #[inline]
    pub fn inst(&self, value: ValueId) -> &Inst {
        &self.insts[value.index()]
    }
    /// The frames of a snapshot, outermost first.
    pub fn frames(&self, snapshot: SnapshotId) -> &[FrameState] {
        let s = &self.snapshots[snapshot.index()];
        &self.frame_states[s.first as usize..(s.first + s.count) as usize]
    }
    /// The slots listed in a frame state, ordered by slot.
    pub fn slots(&self, frame: &FrameState) -> &[SlotValue] {
        &self.slot_values[frame.first as usize..(frame.first + frame.count) as usize]
    }
    /// Every value a snapshot mentions: slots, and the functions of inlined frames.
    pub fn snapshot_values(&self, snapshot: SnapshotId) -> impl Iterator<Item = ValueId> + '_ {
        self.frames(snapshot).iter().flat_map(move |frame| {
            let function =
                (frame.frame.0 > 0).then(|| self.inlined[frame.frame.index() - 1].function);
            self.slots(frame).iter().map(|s| s.value).chain(function)
        })
    }
    /// The iterator fields an exit at this snapshot has to store.
    pub fn stores(&self, snapshot: SnapshotId) -> &[PendingStore] {
        let s = &self.snapshots[snapshot.index()];
        &self.pending_stores[s.first_store as usize..(s.first_store + s.store_count) as usize]
    }
    /// The arguments of the end (of the back edge or link; none for an exit).
    pub fn end_args(&self) -> &[ValueId] {
        match &self.end {
            End::Loop(args) | End::Link { args, .. } => args,
            End::Enter { .. } | End::Exit(_) => &[],
        }
    }
    /// The phis of the loop, in order.
    pub fn phis(&self) -> impl Iterator<Item = ValueId> + '_ {
        let first = self.loop_start.map_or(self.insts.len(), |l| l.index() + 1);
        (first..self.insts.len())
            .take_while(|&i| self.insts[i].uop == Uop::Phi)
            .map(|i| ValueId(i as u32))
    }
}

/// Where a trace that jumps to a loop's start gets the value of a loop parameter from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ParamSource {
    /// The object in a slot of f0 at the header, of exactly this type (0: of any type).
    SlotObject {
        /// The slot.
        slot: u32,
        /// The address of its type, or 0.
        type_address: u64,
    },
    /// The value of the int in a slot of f0 at the header.
    SlotInt(u32),
    /// The value of the float in a slot of f0 at the header.
    SlotFloat(u32),
    /// The truth value (0 or 1) of the bool in a slot of f0 at the header.
    SlotBool(u32),
    /// A field of the iterator in a slot of f0 at the header; memory may be stale while the loop runs.
    IterField {
        /// The slot of the iterator.
        slot: u32,
        /// The offset of the field.
        offset: u32,
    },
    /// Computed before the loop and not changed by it: by the part of the preamble listed in [`Trace::loop_slice`].
    Invariant,
}

/// What another trace must supply to enter a loop at its start, in a fixed order: first the phis, then the loop's
/// invariants (values defined before the loop and used in it, in snapshots too). Filled in by the peeling pass.
/// Between them stand numbers that need no phi since they differ from one by a constant, as sunk [sums](Inst::is_sum): what
/// is supplied for them is only compared.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LoopParam {
    /// The value inside the trace: a phi, a sunk sum of one, or a value defined before the loop.
    pub value: ValueId,
    /// Where others get it from.
    pub source: ParamSource,
}

/// A store to an iterator that an exit has still to do (offset and value of a field the loop keeps in registers).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PendingStore {
    /// The iterator.
    pub object: ValueId,
    /// The offset of the 64-bit field.
    pub offset: u32,
    /// The raw value.
    pub value: ValueId,
}

/// In a side trace: a param that is an invariant of the loop whose tree the trace belongs to. It stays live to the
/// trace's end and at each of its exits, so that the trace, and side traces of it, can jump back into the loop.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Inherited {
    /// Index into the loop parameters of the trace [`Trace::tree`].
    pub param: u32,
    /// The value here: a `param`.
    pub value: ValueId,
}
