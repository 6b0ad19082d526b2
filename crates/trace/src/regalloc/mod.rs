//! Register allocation: which register or spill slot holds each value of a finished trace, and the moves in between.
//!
//! ```text
//! ir::Trace --liveness--> uses and exit needs --alloc (reverse linear scan)--> Allocation --checker--> (emit)
//! ```
//!
//! The scan goes from the end of the trace to its start, so that a value is met first at its last use. A value is given a
//! register there and keeps it up to its definition, unless it has to make room: then it gets a spill slot, is stored once,
//! right after its definition (values are never changed, so the slot stays right), and is reloaded where the register was
//! taken from it. Constants are made again instead. So a value has at most one slot, and at each point perhaps a register.
//!
//! Round the loop: the scan starts with the arguments of the back edge in the registers that their phis should have. When
//! it reaches the loop's start, what lives where is [`Allocation::loop_state`], and what differs from the end is made up by
//! the moves of the back edge ([`Allocation::end_edits`]). A value from before the loop that is met in the loop prefers a
//! register nothing else in the loop uses, and then simply stays there.
//!
//! The laws the [`checker`] proves: (1) each input is in its register, (2) each exit's values are where its list says, also
//! after a call has destroyed the registers that do not survive it, (3) a result that is written before an exit destroys
//! nothing that the exit needs, (4) both ways into the loop satisfy the loop state, (5) so does a link its target's.

mod alloc;
pub mod checker;
mod dump;
pub mod liveness;
pub mod moves;
mod poll;
mod registers;

pub use alloc::Allocator;
pub use dump::dump;

use crate::ir::{SnapshotId, ValueId};
use serigraph_uops::{Kind, Reason, Uop};
use std::fmt;

/// A value register: 0 to 6 are general (0 to 3 survive C calls), 8 to 15 are float registers 0 to 7.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Reg(pub u8);

/// Number of general value registers.
pub const GENERAL_REGS: usize = 7;
/// Number of general value registers, counted from 0, that survive C calls.
pub const SURVIVING_REGS: usize = 4;
/// Number of float value registers.
pub const FLOAT_REGS: usize = 8;

impl Reg {
    /// No register.
    pub const NONE: Reg = Reg(u8::MAX);
    /// General register number `index`.
    pub const fn general(index: usize) -> Reg {
        Reg(index as u8)
    }
    /// Float register number `index`.
    pub const fn float(index: usize) -> Reg {
        Reg(8 + index as u8)
    }
    /// Whether this is [`Reg::NONE`].
    pub const fn is_none(self) -> bool {
        self.0 == u8::MAX
    }
    /// Whether this is not [`Reg::NONE`].
    pub const fn is_some(self) -> bool {
        self.0 != u8::MAX
    }
    /// Whether it is a float register.
    pub const fn is_float(self) -> bool {
        self.0 >= 8
    }
    /// Its number among the registers of its class.
    pub const fn index(self) -> usize {
        (self.0 & 7) as usize
    }
    /// Whether its value survives a C call.
    pub const fn survives_calls(self) -> bool {
        (self.0 as usize) < SURVIVING_REGS
    }
}

impl fmt::Display for Reg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            r if r.is_none() => write!(f, "-"),
            r if r.is_float() => write!(f, "x{}", r.index()),
            r => write!(f, "r{}", r.index()),
        }
    }
}

impl fmt::Debug for Reg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Where a value is: in a register, in a spill slot, in both, or (constants, dead values) nowhere.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Location {
    /// Its register, or [`Reg::NONE`].
    pub reg: Reg,
    /// Its spill slot, or [`Location::NO_SLOT`].
    pub slot: u16,
}

impl Location {
    /// No spill slot.
    pub const NO_SLOT: u16 = u16::MAX;
    /// Nowhere.
    pub const NONE: Location = Location {
        reg: Reg::NONE,
        slot: Self::NO_SLOT,
    };
    /// In a register only.
    pub const fn in_reg(reg: Reg) -> Location {
        Location {
            reg,
            slot: Self::NO_SLOT,
        }
    }
    /// In a spill slot only.
    pub const fn in_slot(slot: u16) -> Location {
        Location {
            reg: Reg::NONE,
            slot,
        }
    }
    /// Whether it has a spill slot.
    pub const fn has_slot(self) -> bool {
        self.slot != Self::NO_SLOT
    }
    /// Whether the value is nowhere.
    pub const fn is_none(self) -> bool {
        self.reg.is_none() && !self.has_slot()
    }
    /// The cheapest place to read it from.
    pub fn place(self) -> Option<Place> {
        match self {
            l if l.reg.is_some() => Some(Place::Reg(l.reg)),
            l if l.has_slot() => Some(Place::Slot(l.slot)),
            _ => None,
        }
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.reg.is_some(), self.has_slot()) {
            (true, true) => write!(f, "{}+[{}]", self.reg, self.slot),
            (true, false) => write!(f, "{}", self.reg),
            (false, true) => write!(f, "[{}]", self.slot),
            (false, false) => write!(f, "-"),
        }
    }
}

impl fmt::Debug for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// One place that a move reads or writes.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub enum Place {
    /// A value register.
    Reg(Reg),
    /// A spill slot of the activation.
    Slot(u16),
    /// The general scratch register of moves.
    ScratchGeneral,
    /// The float scratch register of moves.
    ScratchFloat,
    /// The scratch slot of moves.
    ScratchSlot,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Reg(r) => write!(f, "{r}"),
            Place::Slot(s) => write!(f, "[{s}]"),
            Place::ScratchGeneral => write!(f, "scratch"),
            Place::ScratchFloat => write!(f, "xscratch"),
            Place::ScratchSlot => write!(f, "[scratch]"),
        }
    }
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A move that the allocator adds to the trace. Never from slot to slot, nor between a general and a float register.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Edit {
    /// Copies 64 bits.
    Move {
        /// The place read.
        from: Place,
        /// The place written.
        to: Place,
    },
    /// Makes a constant in a register.
    Constant {
        /// Its kind.
        kind: Kind,
        /// Its bits.
        bits: u64,
        /// The register.
        to: Reg,
    },
}

/// The registers of one instruction; what it does not have is [`Reg::NONE`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct InstRegs {
    /// Of the result. A constant without one is not to be emitted.
    pub result: Reg,
    /// Of the inputs.
    pub inputs: [Reg; 3],
}

impl InstRegs {
    /// No registers.
    pub const NONE: InstRegs = InstRegs {
        result: Reg::NONE,
        inputs: [Reg::NONE; 3],
    };

    /// Whether the result is in the register of one input, and the uop restores that input before it leaves.
    pub(crate) fn restored(&self, restores: impl Fn(usize) -> bool) -> bool {
        let mut on_top = (0..3).filter(|&k| self.result.is_some() && self.inputs[k] == self.result);
        on_top.next().is_some_and(restores) && on_top.next().is_none()
    }
}

/// An exit of the trace, and where its values are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ExitSite {
    /// The instruction that leaves, or one past the last instruction for `end exit`.
    pub inst: ValueId,
    /// What it restores.
    pub snapshot: SnapshotId,
    /// First entry in [`Allocation::exit_values`].
    pub first: u32,
    /// Number of entries there.
    pub count: u32,
}

/// What the loop of a compiled trace expects of whoever jumps to its start.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct LoopEntry {
    /// Where each loop parameter has to be (in the register and in the slot); nowhere if the loop does not need it.
    pub params: Vec<Location>,
    /// Constants that the loop keeps in registers: kind, bits, register.
    pub constants: Vec<(Kind, u64, Reg)>,
    /// Number of spill slots the trace of the loop uses.
    pub slots: u16,
}

/// Where everything is. Indices are those of the trace's instructions.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Allocation {
    /// The registers of each instruction.
    pub regs: Vec<InstRegs>,
    /// Moves, each before the instruction with that index (the number of instructions: before the end), in order.
    pub edits: Vec<(u32, Edit)>,
    /// The exits, in the order of the trace.
    pub exits: Vec<ExitSite>,
    /// The values of the exits and where they are: every value a snapshot mentions that is no constant, with sunk
    /// values replaced by the values they are made of; what the trace owns; and what side traces inherit.
    pub exit_values: Vec<(ValueId, Location)>,
    /// What is where at the loop's start: phis, and values from before the loop (constants in registers too).
    pub loop_state: Vec<(ValueId, Location)>,
    /// What others need to know to jump there; `None` without a loop, or if the loop uses a value that is no loop parameter.
    pub loop_entry: Option<LoopEntry>,
    /// The moves on the back edge or before the jump of a link.
    pub end_edits: Vec<Edit>,
    /// Number of spill slots used (those of the params at the start included).
    pub slots: u16,
}

impl Allocation {
    /// The values of an exit.
    pub fn exit_values(&self, exit: &ExitSite) -> &[(ValueId, Location)] {
        &self.exit_values[exit.first as usize..(exit.first + exit.count) as usize]
    }
    /// The exit of an instruction (`end exit`: the number of instructions), if it has one.
    pub fn exit_of(&self, inst: ValueId) -> Option<&ExitSite> {
        self.exits
            .binary_search_by_key(&inst, |e| e.inst)
            .ok()
            .map(|i| &self.exits[i])
    }
}

/// What the allocator has to know about the stencils.
pub trait Target {
    /// The result of the uop may be put into the register of this input: nothing reads an input after the result's
    /// register was written.
    fn may_alias(&self, uop: Uop, input: usize) -> bool {
        let _ = (uop, input);
        false
    }
    /// The uop destroys the registers that do not survive C calls. (Its inputs may be in them, and its result.)
    fn clobbers(&self, uop: Uop) -> bool {
        uop.info().calls
    }
    /// The machine code of the uop reads this input; otherwise it need not be in a register.
    fn reads(&self, uop: Uop, input: usize) -> bool {
        let _ = (uop, input);
        true
    }
    /// With the result in the register of this input (and no other input in it), the uop puts the input back there before it leaves,
    /// whatever `writes_before_exit` says.
    fn restores(&self, uop: Uop, input: usize) -> bool {
        let _ = (uop, input);
        false
    }
    /// When the uop leaves, the result's register may have been written, so nothing that the exit needs may be in it.
    fn writes_before_exit(&self, uop: Uop) -> bool {
        let _ = uop;
        true
    }
}

/// A target about which nothing is known: results are never put into an input's register.
#[derive(Clone, Copy, Debug, Default)]
pub struct StrictTarget;
impl Target for StrictTarget {}

/// What surrounds the trace to be allocated.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// Where each `param` is at the start (as the parent's exit left it), in order.
    pub entry: &'a [Location],
    /// For a trace that ends in a link: what its target expects.
    pub link: Option<&'a LoopEntry>,
    /// Number of spill slots an activation has.
    pub max_slots: u16,
    /// Choose registers and spills at random (but correctly), from this seed: `SERIGRAPH_RANDOM_RA`.
    pub random_seed: Option<u64>,
}

/// Allocates a trace with fresh buffers and, in debug builds, proves the result; see [`Allocator::run`].
pub fn allocate<T: Target>(
    trace: &crate::ir::Trace,
    request: &Request<'_>,
    target: &T,
) -> Result<Allocation, Reason> {
    Allocator::new().run(trace, request, target)
}
