//! What the table says about a uop.

/// The kind of a value: what a register holds, and how a value is written back at an exit.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum Kind {
    /// A raw signed 64-bit integer (also raw pointers into objects, lengths, and 0/1 truth values).
    Int,
    /// A raw IEEE double.
    Float,
    /// A pointer to a Python object, or null.
    Object,
}

impl Kind {
    /// The name used in the text form.
    pub const fn name(self) -> &'static str {
        match self {
            Kind::Int => "int",
            Kind::Float => "float",
            Kind::Object => "object",
        }
    }
}

/// How a uop treats the references it touches.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Ownership {
    /// The object result is a new reference that the trace owns (otherwise it is borrowed).
    pub output_owned: bool,
    /// Bit i set: the uop takes over one reference to input i that the trace owned.
    pub consumes: u8,
    /// Bit i set: the trace gains one reference to input i (increfs, and values displaced from a slot).
    pub gains: u8,
}

/// The immediate operand in [`UopInfo::immediate`]; its bits are always carried as a `u64`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Immediate {
    /// No immediate.
    None,
    /// A signed integer that must fit 32 bits; patched as a sign-extended imm32.
    Int32,
    /// Any 64-bit integer constant.
    Word64,
    /// The bits of a double.
    Float64,
    /// The address of an object, type or table.
    Pointer,
    /// The number of a helper function in the host's helper table; patched as that function's address.
    Helper,
    /// A slot of the running frame's `localsplus`; patched as a displacement from the frame pointer.
    Slot,
    /// A byte offset inside an object; patched as a disp32.
    Offset,
    /// An index into the outgoing argument area of the activation; patched as a disp32 from `rsp`.
    ArgIndex,
    /// The number of arguments already placed in the outgoing argument area.
    ArgCount,
    /// A word of the activation's room for frames of inlined functions; patched as a disp32 from `rsp`.
    FrameWord,
}

/// How a uop can leave the trace.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Exit {
    /// It always goes on to the next uop.
    Never,
    /// It may side exit before any effect; the interpreter resumes at its snapshot.
    Guard,
    /// It may leave with a Python exception set; the snapshot is the state before the instruction that raises.
    Error,
}

/// Classes of memory and other state, as a bit set. A uop declares which it reads and which it writes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash, Default)]
pub struct Effects(pub u16);

impl Effects {
    /// Nothing.
    pub const NONE: Effects = Effects(0);
    /// The slots of the running frame.
    pub const FRAME: Effects = Effects(1);
    /// The instruction pointer stored in the running frame.
    pub const FRAME_IP: Effects = Effects(1 << 1);
    /// Length and item pointer of lists.
    pub const LIST_SHAPE: Effects = Effects(1 << 2);
    /// The items of lists.
    pub const LIST_ITEMS: Effects = Effects(1 << 3);
    /// The fields of range, list and tuple iterators.
    pub const ITERATOR: Effects = Effects(1 << 4);
    /// Any other field of an object (dicts, instances, cells, functions, types).
    pub const HEAP: Effects = Effects(1 << 5);
    /// Reference counts.
    pub const COUNTS: Effects = Effects(1 << 6);
    /// The flags by which traces are told that an assumption no longer holds; the eval breaker.
    pub const VALIDITY: Effects = Effects(1 << 7);
    /// The outgoing argument area of the activation.
    pub const ARGS: Effects = Effects(1 << 8);
    /// The value field of a float box (written only when a box nobody else can see is reused).
    pub const FLOAT_BOX: Effects = Effects(1 << 9);
    /// The frames of inlined functions that stand for others to see, and which frame is the current one.
    pub const FRAMES: Effects = Effects(1 << 10);
    /// Counters of turns, which machine code never reads.
    pub const TURNS: Effects = Effects(1 << 11);
    /// Runs code that may do anything: Python code, finalisers, frame inspection, giving up the GIL.
    pub const ESCAPE: Effects = Effects(1 << 15);
    /// Everything: what an escaping uop reads and writes.
    pub const ALL: Effects = Effects(u16::MAX);

    /// Both sets together.
    pub const fn union(self, other: Effects) -> Effects {
        Effects(self.0 | other.0)
    }
    /// Whether the sets share a class.
    pub const fn intersects(self, other: Effects) -> bool {
        self.0 & other.0 != 0
    }
    /// Whether the set is empty.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }
    /// Whether all of `other` is in this set.
    pub const fn contains(self, other: Effects) -> bool {
        self.0 & other.0 == other.0
    }
}

impl core::ops::BitOr for Effects {
    type Output = Effects;
    fn bitor(self, other: Effects) -> Effects {
        self.union(other)
    }
}

/// Everything the table says about one uop.
#[derive(Debug)]
pub struct UopInfo {
    /// The name in the text form, and of the stencil body.
    pub name: &'static str,
    /// The names of the inputs, in order (at most three).
    pub input_names: &'static [&'static str],
    /// The kinds of the inputs, in order.
    pub inputs: &'static [Kind],
    /// The kind of the result, if there is one.
    pub output: Option<Kind>,
    /// The immediate operand.
    pub immediate: Immediate,
    /// How it can leave the trace.
    pub exit: Exit,
    /// What it reads.
    pub reads: Effects,
    /// What it writes.
    pub writes: Effects,
    /// References taken and given.
    pub ownership: Ownership,
    /// It calls C on its main path: no value in a caller-saved register survives it.
    pub calls: bool,
    /// It has a stencil. The others are structure (parameters, phis, the loop label) or are always folded away.
    pub has_stencil: bool,
    /// One line for people.
    pub doc: &'static str,
}

impl UopInfo {
    /// No effect at all, and never leaves: may be merged with an equal one, moved, or dropped when unused.
    pub const fn is_pure(&self) -> bool {
        self.writes.is_empty() && self.reads.is_empty() && matches!(self.exit, Exit::Never)
    }
    /// May run arbitrary code.
    pub const fn escapes(&self) -> bool {
        self.writes.contains(Effects::ESCAPE)
    }
}
