//! Executors: traces with their machine code, and everything needed to enter, leave, link and throw them away.

use std::cell::Cell;
use std::rc::Rc;

use serigraph_cpython::Owned;
use serigraph_cpython::code::CodeRef;
use serigraph_cpython::frame::FramePtr;
use serigraph_cpython::refs::type_of;
use serigraph_trace::exit::{PlanId, Plans};
use serigraph_trace::ir::{SnapshotId, Trace, ValueId};
use serigraph_trace::regalloc::Location;
use serigraph_uops::{Effects, Reason, Uop};

use crate::dump::Stage;
use crate::header::TraceId;
use crate::limits::Limits;

/// How a trace came to be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// It begins at a loop header.
    Root,
    /// It goes on from a side exit of another trace.
    Side {
        /// The other trace.
        parent: TraceId,
        /// The exit, as an index.
        exit: u32,
    },
}

/// A way out of a trace: what never changes.
#[derive(Debug)]
pub struct Exit {
    /// What has to be done to go on in the interpreter.
    pub plan: PlanId,
    /// The state it restores.
    pub snapshot: SnapshotId,
    /// The instruction that leaves (the number of instructions: the end).
    pub at: ValueId,
    /// Why it is taken.
    pub reason: Reason,
    /// An exception is set when it is taken.
    pub is_error: bool,
}

/// A way out of a trace: what changes.
#[derive(Debug)]
pub struct ExitState {
    /// How often it was taken since the last attempt to record from it.
    pub counter: u32,
    /// The count at which a side trace is recorded; `u32::MAX`: never.
    pub due: u32,
    /// Recordings that failed.
    pub attempts: u32,
    /// The side trace that goes on from here.
    pub side: Option<TraceId>,
}

impl ExitState {
    /// The state of an exit of a new trace.
    pub fn new(reason: Reason, is_error: bool, hot_exit: u32) -> ExitState {
        // What is left for these reasons is not a path that a trace could follow.
        let is_path = !is_error
            && !matches!(reason, Reason::PollExit | Reason::InvalidExit | Reason::ErrorExit | Reason::TraceEnd);
        ExitState { counter: 0, due: if is_path { hot_exit } else { u32::MAX }, attempts: 0, side: None }
    }

    /// A recording from here gave no trace: the next waits longer, and after the last none is made.
    pub fn failed(&mut self, hot_exit: u32, most: u32) {
        self.counter = 0;
        self.attempts += 1;
        self.due = if self.attempts >= most { u32::MAX } else { Limits::after_attempts(hot_exit, self.attempts) };
    }
}

/// The word that `guard_valid` looks at: 0 while the trace's assumptions hold. Its address is in the machine code.
#[derive(Debug, Default)]
pub struct ValidWord(Box<Cell<u32>>);

impl ValidWord {
    /// Its address.
    pub fn address(&self) -> *const u32 {
        self.0.as_ptr()
    }
    /// The assumptions no longer hold.
    pub fn break_it(&self) {
        self.0.set(1);
    }
    /// Whether they hold.
    #[inline]
    pub fn holds(&self) -> bool {
        self.0.get() == 0
    }
}

/// A compiled trace: what never changes, and so may be used while other code runs.
#[derive(Debug)]
pub struct Compiled {
    /// Its number.
    pub id: TraceId,
    /// How it came to be.
    pub kind: Kind,
    /// The root of its tree.
    pub root: TraceId,
    /// The code object of f0, borrowed: when it dies, the trace goes.
    pub code: CodeRef,
    /// The header (root) or the instruction of the exit (side), in code units.
    pub ip: u32,
    /// File and line, for people.
    pub place: (String, i32),
    /// The optimised trace.
    pub trace: Trace,
    /// What its exits have to do.
    pub plans: Plans<Location>,
    /// Its exits.
    pub exits: Vec<Exit>,
    /// The number of the first of them, for machine code.
    pub first_exit: u32,
    /// Its machine code.
    pub machine: serigraph_emit::Compiled,
    /// Whether its assumptions hold.
    pub valid: ValidWord,
    /// Types that slots of f0 must have for its first guards to hold.
    pub entry_types: Vec<(u32, u64)>,
    /// Levels of Python recursion it takes at most.
    pub inline_depth: u32,
    /// Bytes of data stack that the inlined frames of an exit take at most.
    pub inline_bytes: usize,
    /// Objects in its code that it keeps alive.
    pub constants: Vec<Owned>,
    /// The trace it ends in a link to.
    pub links_to: Option<TraceId>,
    /// Texts of stages that cannot be made again, if they were wanted.
    pub texts: Vec<(Stage, String)>,
}

/// A trace in the engine's tables.
#[derive(Debug)]
pub struct Executor {
    /// What never changes.
    pub compiled: Rc<Compiled>,
    /// The state of its exits.
    pub exits: Vec<ExitState>,
    /// The side traces that go on from its exits.
    pub sides: Vec<TraceId>,
    /// Traces that end in a link to it, retired ones too: its code must outlive theirs.
    pub linked_from: Vec<TraceId>,
    /// Thrown away: the number of the last entry into machine code before.
    pub retired: Option<u64>,
    /// Its code can be reached in a way that could not be undone: it is never freed.
    pub is_pinned: bool,
    /// Entries from the interpreter.
    pub entered: u64,
    /// Exits to the interpreter.
    pub left: u64,
}

impl Compiled {
    /// Whether the slots of a frame have the types that the first guards of the trace ask for.
    #[inline]
    pub fn accepts(&self, frame: FramePtr) -> bool {
        self.entry_types.iter().all(|&(slot, type_address)| {
            // SAFETY: the slots of a frame are valid references or null.
            unsafe {
                let object = *frame.slot(slot);
                !object.is_null() && type_of(object).addr() as u64 == type_address
            }
        })
    }

    /// Bytes of machine code.
    pub fn code_size(&self) -> usize {
        self.machine.size()
    }
}

/// The types that slots of f0 must have for the first guards of a trace to hold: what tells peers apart without entering.
pub fn entry_types(trace: &Trace) -> Vec<(u32, u64)> {
    let mut types = Vec::new();
    for inst in &trace.insts {
        match inst.uop {
            Uop::LoopStart => break,
            Uop::GuardType => {
                let loaded = trace.inst(inst.args[0]);
                if loaded.uop == Uop::LoadSlot {
                    types.push((loaded.imm as u32, inst.imm));
                }
            }
            uop if uop.info().writes.intersects(Effects::FRAME) => break,
            _ => {}
        }
    }
    types
}
