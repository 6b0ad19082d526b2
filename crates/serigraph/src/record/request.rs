//! What the engine asks of the recorder, and what it gets back.

use std::sync::Arc;

use serigraph_cpython::Owned;
use serigraph_cpython::bytecode::ValidatedCode;
use serigraph_cpython::code::CodeRef;
use serigraph_cpython::ffi::PyObject;
use serigraph_cpython::frame::FramePtr;
use serigraph_cpython::threads::Thread;
use serigraph_trace::ir::{SnapshotId, Trace, ValueId};
use serigraph_uops::Reason;

use crate::host::{FrameImage, FrameRoom};

/// What the recorder asks the engine while it runs. Nothing of the engine may be borrowed while the recorder runs: an
/// evaluated call can run any Python code, and so come back into the engine.
pub trait World {
    /// The checked bytecode of a code object, from the engine's cache; `None` if it is refused.
    fn validated(&self, code: CodeRef) -> Option<Arc<ValidatedCode>>;
    /// Whether a trace starts at this header that takes these objects in the slots of f0 (addresses, 0 for null).
    fn is_reachable(&self, code: CodeRef, header: u32, slots: &dyn Fn(u32) -> u64) -> bool;
    /// Whether a function with this code may be inlined.
    fn may_inline(&self, code: CodeRef) -> bool;
    /// Whether functions with this code have died while a trace relied on one.
    fn comes_and_goes(&self, code: CodeRef) -> bool;
    /// At a side exit: whether the traces before hold this function, a constant of theirs, as [`Recording::held`] says.
    fn is_held(&self, function: u64) -> bool;
    /// Whether the value of a key in a globals, builtins or module dict has changed before, so that it is no constant.
    fn is_volatile(&self, dict: *mut PyObject, key: *mut PyObject) -> bool;
    /// Asked after each evaluated call: whether tools, layout, generation and the code of the running frame are unchanged.
    fn is_unchanged(&self) -> bool;
}

/// Where a recording begins.
#[allow(
    clippy::large_enum_variant,
    reason = "there is one for each recording, moved once"
)]
pub enum Start {
    /// At the loop header where the frame stands.
    Header(u32),
    /// At a side exit.
    Side(Side),
}

/// The beginning of a side trace.
pub struct Side {
    /// The number of the trace that has the exit.
    pub parent: u32,
    /// The trace begun by [`serigraph_trace::side::side_entry`]: params, and the constants and boxes its slots hold.
    pub trace: Trace,
    /// The bits of each of its params, in order.
    pub params: Vec<u64>,
    /// The instruction of f0 where the exit is (for a calling frame: the call).
    pub ip: u32,
    /// Entries of `localsplus` of f0 in use there.
    pub top: u32,
    /// The inlined frames the exit is in, outermost first.
    pub inlined: Vec<SideFrame>,
}

/// An inlined frame at the beginning of a side trace. Entry i goes with [`Trace::inlined`] entry i of the side trace.
pub struct SideFrame {
    /// Its code.
    pub code: CodeRef,
    /// The instruction that runs next in it, or the call it is in.
    pub ip: u32,
    /// Entries of `localsplus` in use.
    pub top: u32,
    /// Its slots that are not null.
    pub slots: Vec<(u32, ValueId)>,
}

/// Which turns are to be counted, and where.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Turns {
    /// The header of f0 that is come round to.
    pub header: u32,
    /// The word that `count_turn` adds to.
    pub word: *const u64,
    /// Only if the recording calls something.
    pub if_it_calls: bool,
}

/// A recording to be made.
pub struct Request<'a> {
    /// The running thread.
    pub thread: Thread,
    /// The running frame; its slots and stack are in memory (up to date, except as a side trace's entry slots say).
    pub frame: FramePtr,
    /// Its code.
    pub code: CodeRef,
    /// The code, checked.
    pub units: Arc<ValidatedCode>,
    /// Where to begin.
    pub start: Start,
    /// Uops at most.
    pub max_uops: usize,
    /// Functions inlined inside one another at most.
    pub max_inline_depth: usize,
    /// Whether functions are followed inside that the interpreter has not run often enough to specialise them.
    pub follow_unspecialised: bool,
    /// The word that `guard_valid` looks at.
    pub valid_word: *const u32,
    /// Where turns are to be counted.
    pub turns: Option<Turns>,
    /// The engine.
    pub world: &'a dyn World,
    /// Stop after this many instructions, with [`Reason::TraceEnd`]: for tests.
    pub stop_after: Option<u32>,
}

/// How a recording ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// It came round to the header where it began.
    Loop,
    /// It stands at this header of f0, which is linkable.
    Reached(u32),
    /// It stopped.
    Aborted(Abort),
}

/// Why a recording stopped.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Abort {
    /// The named reason.
    pub reason: Reason,
    /// The code it stopped in.
    pub code: CodeRef,
    /// The instruction there.
    pub ip: u32,
    /// An exception is pending, raised by the instruction where the recording stopped: leave by the raiser.
    pub raised: bool,
}

/// Something a trace takes for constant; when it changes, the trace is invalid.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Dependency {
    /// This key of a dict has this value (null: it is absent).
    Item {
        /// A globals, builtins or module dict.
        dict: *mut PyObject,
        /// A str.
        key: *mut PyObject,
        /// The value, or null.
        value: *mut PyObject,
    },
    /// A Python function that was inlined has this code, and its defaults and closure.
    Function {
        /// The function.
        function: *mut PyObject,
        /// Its code.
        code: CodeRef,
        /// The tuple of its defaults, or null; the recording keeps it alive.
        defaults: *mut PyObject,
    },
}

/// A finished recording. The frame in memory is as the trace has left it, not as the interpreter wants it: whatever
/// the outcome, the engine has to leave by the exit of `snapshot` at the end of `trace`, with `values`.
pub struct Recording {
    /// How it ended.
    pub outcome: Outcome,
    /// What was recorded; for [`Outcome::Loop`] and [`Outcome::Reached`] it ends with an exit at the header.
    pub trace: Trace,
    /// The state where it stopped.
    pub snapshot: SnapshotId,
    /// The bits of each value of the trace.
    pub values: Vec<u64>,
    /// What it relies on.
    pub dependencies: Vec<Dependency>,
    /// Objects that are constants of the trace and have to live as long as it.
    pub constants: Vec<Owned>,
    /// Functions among them (addresses) that are held by others until they tell that they let go of them.
    pub held: Vec<u64>,
    /// Heads of frames that the trace copies.
    pub images: Vec<FrameImage>,
    /// Where frames of inlined functions may stand: to be kept until the recording has been left.
    pub room: Option<FrameRoom>,
}
