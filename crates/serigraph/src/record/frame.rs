//! The frames of a recording as the recorder keeps track of them, and what it knows of each value.

use std::sync::Arc;

use serigraph_cpython::bytecode::ValidatedCode;
use serigraph_cpython::code::CodeRef;
use serigraph_trace::ir::{FrameId, InlinedKind, ValueId};

/// Where the reference that a slot has to own is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Place {
    /// In the slot's memory, with the value.
    Memory,
    /// The trace owns it. Memory holds (and owns) a stale plain object or null; in an operand stack, nothing.
    Trace,
}

/// A slot of `localsplus`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Slot {
    /// Its value. `NONE`: in memory, a value not looked at yet; otherwise null.
    pub value: ValueId,
    /// Where it is.
    pub place: Place,
}

impl Slot {
    pub(super) const UNREAD: Slot = Slot {
        value: ValueId::NONE,
        place: Place::Memory,
    };
    pub(super) const EMPTY: Slot = Slot {
        value: ValueId::NONE,
        place: Place::Trace,
    };
}

/// A frame: f0, which is in memory, or an inlined one, which is not.
pub(super) struct Frame {
    pub code: CodeRef,
    pub units: Arc<ValidatedCode>,
    pub id: FrameId,
    /// The function; `NONE` in f0.
    pub function: ValueId,
    pub globals: u64,
    pub builtins: u64,
    /// The namespace of a module or class body, or 0.
    pub namespace: u64,
    /// As many as the frame can have.
    pub slots: Vec<Slot>,
    /// Number of locals, cells and free variables: the stack begins after them.
    pub locals: u32,
    /// Slots in use.
    pub top: u32,
    /// The instruction that runs next or is running, at its first prefix.
    pub ip: u32,
    /// What it was called for.
    pub kind: InlinedKind,
}

impl Frame {
    pub(super) fn new(code: CodeRef, units: Arc<ValidatedCode>, id: FrameId) -> Frame {
        let locals = code.nlocalsplus();
        let slots = vec![Slot::EMPTY; (locals + code.stack_size()) as usize];
        let (function, top) = (ValueId::NONE, locals);
        Frame {
            code,
            units,
            id,
            function,
            globals: 0,
            builtins: 0,
            namespace: 0,
            slots,
            locals,
            top,
            ip: 0,
            kind: InlinedKind::Call,
        }
    }
}

/// What is known of a value, besides its bits in this recording: true in every run of the trace.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fact {
    /// Its exact type, or 0. Only a type whose instances cannot change their type.
    pub exact_type: u64,
    /// The raw value of a number or bool, or `NONE`.
    pub raw: ValueId,
    /// The list, tuple or iterator it was borrowed from, or `NONE`.
    pub container: ValueId,
    /// The recorder's count of changes to containers when it was.
    pub epoch: u32,
    /// It is a constant: its bits are the same in every run.
    pub constant: bool,
    /// A constant that others may let go of while the trace has a reference, which is the last then.
    pub passing: bool,
    /// It is immortal, so references to it are not counted: none are taken when it is pushed, none dropped when popped.
    pub immortal: bool,
    /// It is not null.
    pub not_null: bool,
}

impl Fact {
    pub(super) const NOTHING: Fact = Fact {
        exact_type: 0,
        raw: ValueId::NONE,
        container: ValueId::NONE,
        epoch: 0,
        constant: false,
        passing: false,
        immortal: false,
        not_null: false,
    };
}

impl Fact {
    /// A constant of which a reference that the trace gives up is never the last.
    pub(super) fn is_held(&self) -> bool {
        self.constant && !self.passing
    }
}

/// How a reference is given up.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Release {
    /// There is none to give up: null, or not counted.
    Nothing,
    /// No code can run: the object is plain, or others hold it.
    Plain,
    /// A finaliser may run.
    Escaping,
}
