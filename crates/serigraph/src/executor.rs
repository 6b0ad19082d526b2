//! Executors: traces with their machine code, and everything needed to enter, leave, link and throw them away.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use serigraph_cpython::Owned;
use serigraph_cpython::code::CodeRef;
use serigraph_cpython::ffi;
use serigraph_cpython::frame::FramePtr;
use serigraph_cpython::refs::type_of;
use serigraph_trace::exit::{PlanId, Plans};
use serigraph_trace::ir::{ParamSource, Trace, ValueId};
use serigraph_trace::opt::HostTypes;
use serigraph_trace::regalloc::Location;
use serigraph_uops::layout::{INT_DIGITS, INT_TAG};
use serigraph_uops::{Effects, Reason, Uop};

use crate::dump::Stage;
use crate::header::TraceId;
use crate::host::{FrameImage, object};
use crate::limits::Limits;
use crate::metadata::REFERENCE_COUNTS;
use crate::payoff::Payoff;

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
    /// The state of an exit of a new trace. No loop comes after the `last`.
    pub fn new(exit: &Exit, is_last: bool, hot_exit: u32) -> ExitState {
        // What is left for these reasons is not a path that a trace could follow.
        let is_path = !exit.is_error
            && !is_last
            && !matches!(
                exit.reason,
                Reason::PollExit | Reason::InvalidExit | Reason::ErrorExit
            );
        ExitState {
            counter: 0,
            due: if is_path { hot_exit } else { u32::MAX },
            attempts: 0,
            side: None,
        }
    }

    /// A recording from here gave no trace: the next waits longer, and after the last none is made.
    pub fn failed(&mut self, hot_exit: u32, most: u32) {
        self.counter = 0;
        self.attempts += 1;
        self.due = if self.attempts >= most {
            u32::MAX
        } else {
            Limits::after_attempts(hot_exit, self.attempts)
        };
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
}

/// How many turns the loop of a root trace has made in machine code, in the whole tree; counted where the loop calls something
/// (see [`crate::payoff`]). Its address is in the machine code.
#[derive(Clone, Debug, Default)]
pub struct TurnCounter(Rc<Cell<u64>>);

impl TurnCounter {
    /// Its address.
    pub fn address(&self) -> *const u64 {
        self.0.as_ptr()
    }
    /// The turns so far.
    pub fn turns(&self) -> u64 {
        self.0.get()
    }
}

/// The words in memory that the machine code of a trace looks at or writes.
#[derive(Debug, Default)]
pub struct Words {
    /// Whether its assumptions hold.
    pub valid: ValidWord,
    /// The turns of its root's loop, if they are counted.
    pub turns: Option<TurnCounter>,
}

impl Words {
    /// Bytes that they take, where they are.
    pub fn heap_bytes(&self) -> usize {
        let turns = self
            .turns
            .as_ref()
            .map_or(0, |turns| REFERENCE_COUNTS + size_of_val(&*turns.0));
        size_of_val(&*self.valid.0) + turns
    }
}

/// Where the names of a frame's code are looked up. One code object may run with different ones (`exec` of it in two namespaces, two
/// functions made of it), and a trace has them as constants.
///
/// The addresses alone tell: a dict that a trace names throws it away when it dies.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Home {
    globals: *mut ffi::PyObject,
    builtins: *mut ffi::PyObject,
    /// The local names are the globals: the code of a module.
    is_module: bool,
}

impl Home {
    /// That of a frame.
    #[inline]
    pub fn of(frame: FramePtr) -> Home {
        Home {
            globals: frame.globals(),
            builtins: frame.builtins(),
            is_module: frame.locals() == frame.globals(),
        }
    }
}

/// An object (its address) that is alive while a trace is valid, though the trace has no reference to it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Held(u64);

impl Held {
    /// Of a reference that is given up when the trace is in the tables.
    pub fn new(object: &Owned) -> Held {
        Held(object::address(object.as_ptr()))
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
    /// Where the names in f0 are looked up.
    pub home: Home,
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
    /// Words that its machine code has the addresses of.
    pub words: Words,
    /// What the slots of f0 must hold for its first guards to hold.
    pub entry_checks: Vec<SlotCheck>,
    /// What they must hold at the header for its loop to be linked to.
    pub link_checks: Vec<SlotCheck>,
    /// It checks that no frame object of the running frame exists.
    pub guards_frame_object: bool,
    /// Functions that it calls were followed inside, whatever the optimiser has left of them.
    pub follows_calls: bool,
    /// Objects in its code that it keeps alive.
    pub constants: Vec<Owned>,
    /// Objects in its code that live as long as it is valid, since dicts that are watched hold them; and those dicts, as long as
    /// they live. A trace that held them would keep alive the namespace that its own code object is in.
    pub borrowed: Vec<Held>,
    /// Functions (addresses) in its code that others hold until they tell that they let go of them.
    pub held: Vec<u64>,
    /// References to them, from when the trace is thrown away while it may be running.
    pub taken: RefCell<Vec<Owned>>,
    /// Heads of frames that its code copies.
    pub images: Vec<FrameImage>,
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
    /// As many there were when cold traces were looked for last.
    pub entered_before: u64,
    /// Exits to the interpreter.
    pub left: u64,
    /// Whether entering it pays.
    pub payoff: Payoff,
    /// Bytes that it took beside its code when it was installed.
    pub metadata: usize,
}

impl Compiled {
    /// Whether the first guards of the trace will hold, as far as the types of the slots tell.
    ///
    /// # Safety
    /// `slots` gives the object in each slot of f0: valid references or null.
    #[inline]
    pub unsafe fn accepts(&self, slots: impl Fn(u32) -> u64) -> bool {
        let mut checks = self.entry_checks.iter();
        // SAFETY: by the caller's promise.
        checks.all(|check| unsafe { check.holds(slots(check.slot)) })
    }

    /// Whether the trace was made for frames whose names are looked up where this one's are.
    #[inline]
    pub fn is_at_home(&self, frame: FramePtr) -> bool {
        self.home == Home::of(frame)
    }

    /// Takes references to what is borrowed. To be called while the trace is valid, or about to stop being so.
    pub fn take_borrowed(&self) {
        let references = self
            .borrowed
            .iter()
            .filter_map(|held| object::owned(held.0));
        self.taken.borrow_mut().extend(references);
    }

    /// Whether the trace would leave after its first call, since the frame has a frame object.
    #[inline]
    pub fn is_exposed(&self, frame: FramePtr) -> bool {
        self.guards_frame_object && !frame.frame_object().is_null()
    }

    /// Whether it has a loop, and a trace that stands at the header in this state should link to it.
    ///
    /// # Safety
    /// As [`Self::accepts`].
    pub unsafe fn accepts_link(&self, slots: impl Fn(u32) -> u64) -> bool {
        let mut checks = self.link_checks.iter();
        self.machine.loop_entry.is_some()
            // SAFETY: by the caller's promise.
            && checks.all(|check| unsafe { check.holds(slots(check.slot)) })
    }

    /// Bytes of machine code.
    pub fn code_size(&self) -> usize {
        self.machine.size()
    }
}

/// The slots of a frame, as addresses.
///
/// # Safety
/// The frame is one of the running thread's, and stands where all its slots are in memory.
pub unsafe fn slots_of(frame: FramePtr) -> impl Fn(u32) -> u64 + Copy {
    // SAFETY: by the caller's promise; no trace asks for a slot that its code does not have.
    move |slot| unsafe { (*frame.slot(slot)).expose_provenance() as u64 }
}

/// What a slot of f0 must hold.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SlotCheck {
    /// The slot.
    pub slot: u32,
    /// The exact type of the object in it.
    pub type_address: u64,
    /// It is an int that must fit 64 bits.
    pub is_unboxed_int: bool,
}

impl SlotCheck {
    /// Whether the object in the slot is such a one.
    ///
    /// # Safety
    /// The object is a valid reference or null.
    #[inline]
    unsafe fn holds(&self, object: u64) -> bool {
        let object: *mut ffi::PyObject = std::ptr::with_exposed_provenance_mut(object as usize);
        // SAFETY: by the caller's promise; an int has a tag, and as many digits as it says.
        unsafe {
            if object.is_null() || type_of(object).addr() as u64 != self.type_address {
                return false;
            }
            if !self.is_unboxed_int {
                return true;
            }
            let digits = object.cast::<u8>().add(INT_TAG).cast::<u64>().read() >> 3;
            // Three digits have 90 bits, of which 63 may be used (that the least int of all would fit is no matter here).
            digits < 3
                || (digits == 3 && object.cast::<u8>().add(INT_DIGITS + 8).cast::<u32>().read() < 8)
        }
    }
}

/// Whether a trace checks that no frame object of the running frame exists.
pub fn guards_frame_object(trace: &Trace) -> bool {
    trace
        .insts
        .iter()
        .any(|inst| inst.uop == Uop::GuardNoFrameObject)
}

/// What the first guards of a trace check of the slots: what tells peers apart without entering.
pub fn entry_checks(trace: &Trace) -> Vec<SlotCheck> {
    let mut checks: Vec<SlotCheck> = Vec::new();
    let mut loads: Vec<(u32, ValueId)> = Vec::new();
    for (i, inst) in trace.insts.iter().enumerate() {
        match inst.uop {
            Uop::LoopStart => break,
            Uop::LoadSlot => loads.push((inst.imm as u32, ValueId(i as u32))),
            Uop::GuardType | Uop::UnboxInt => {
                let Some(&(slot, _)) = loads.iter().find(|(_, value)| *value == inst.args[0])
                else {
                    continue;
                };
                if inst.uop == Uop::GuardType {
                    checks.push(SlotCheck {
                        slot,
                        type_address: inst.imm,
                        is_unboxed_int: false,
                    });
                } else if let Some(check) = checks.iter_mut().find(|c| c.slot == slot) {
                    check.is_unboxed_int = true;
                }
            }
            uop if uop.info().writes.intersects(Effects::FRAME) => break,
            _ => {}
        }
    }
    checks
}

/// What the parameters of a trace's loop, and the slice that computes them, check of the slots.
pub fn link_checks(trace: &Trace, types: &HostTypes) -> Vec<SlotCheck> {
    let mut checks: Vec<SlotCheck> = Vec::new();
    let mut add = |slot: u32, type_address: u64, is_unboxed_int: bool| match checks
        .iter_mut()
        .find(|c| c.slot == slot && c.type_address == type_address)
    {
        Some(check) => check.is_unboxed_int |= is_unboxed_int,
        None => checks.push(SlotCheck {
            slot,
            type_address,
            is_unboxed_int,
        }),
    };
    for param in &trace.loop_params {
        match param.source {
            ParamSource::SlotObject { slot, type_address } if type_address != 0 => {
                add(slot, type_address, false)
            }
            ParamSource::SlotInt(slot) => add(slot, types.int, true),
            ParamSource::SlotFloat(slot) => add(slot, types.float, false),
            ParamSource::SlotBool(slot) => add(slot, types.bool_, false),
            ParamSource::SlotObject { .. }
            | ParamSource::IterField { .. }
            | ParamSource::Invariant => {}
        }
    }
    for &value in &trace.loop_slice {
        let inst = trace.inst(value);
        if !matches!(inst.uop, Uop::GuardType | Uop::UnboxInt) {
            continue;
        }
        let loaded = trace.inst(inst.args[0]);
        if loaded.uop == Uop::LoadSlot {
            let is_unbox = inst.uop == Uop::UnboxInt;
            add(
                loaded.imm as u32,
                if is_unbox { types.int } else { inst.imm },
                is_unbox,
            );
        }
    }
    checks
}
