//! Interpreter frames: reading and moving the running one, and running one that was built by hand.

use std::ffi::c_int;
use std::ptr::{self, NonNull};

use crate::barrier;
use crate::code::CodeRef;
use crate::datastack;
use crate::ffi::PyObject;
use crate::memory::{read, write};
use crate::refs::{incref, type_of};
use crate::runtime::{api, layout, minor};
use crate::threads::Thread;
use crate::version::Minor;

/// The words of a frame before its slots.
pub const HEAD_WORDS: usize = 9;

/// Who owns a frame's memory.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Owner {
    /// The thread's data stack: a function call.
    Thread,
    /// A generator or coroutine.
    Generator,
    /// A frame object that has outlived the call.
    FrameObject,
    /// The C stack: the entry frame of an eval loop, which runs no Python code.
    CStack,
}

/// A pointer to a `_PyInterpreterFrame`. Whoever made it promised that the frame outlives its use; all methods need the GIL.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(transparent)]
pub struct FramePtr(NonNull<u8>);

impl FramePtr {
    /// Wraps a frame; null is `None`.
    ///
    /// # Safety
    /// `frame` is null or a `_PyInterpreterFrame` that lives as long as the result is used.
    #[inline]
    pub unsafe fn from_raw(frame: *mut u8) -> Option<FramePtr> {
        NonNull::new(frame).map(FramePtr)
    }

    /// The frame's address.
    #[inline]
    pub fn as_ptr(self) -> *mut u8 {
        self.0.as_ptr()
    }

    #[inline]
    fn get<T: Copy>(self, offset: usize) -> T {
        // SAFETY: the offsets that this module passes are of fields of this type, as the checks have proved.
        unsafe { read(self.0.as_ptr(), offset) }
    }

    #[inline]
    fn set<T: Copy>(self, offset: usize, value: T) {
        // SAFETY: as `get`; callers are unsafe functions that say what may be stored.
        unsafe { write(self.0.as_ptr(), offset, value) }
    }

    /// Who owns the memory.
    #[inline]
    pub fn owner(self) -> Owner {
        match self.get::<u8>(layout().frame.owner) {
            0 => Owner::Thread,
            1 => Owner::Generator,
            2 => Owner::FrameObject,
            _ => Owner::CStack,
        }
    }

    /// The code object; `None` for entry frames of 3.13, whose executable is `None`.
    #[inline]
    pub fn code(self) -> Option<CodeRef> {
        let executable = self.get::<*mut PyObject>(layout().frame.code);
        // SAFETY: a frame's executable is a valid object that lives as long as the frame.
        unsafe {
            if executable.is_null() {
                None
            } else {
                CodeRef::from_object(executable)
            }
        }
    }

    /// The function, borrowed. Not for entry frames.
    #[inline]
    pub fn function(self) -> *mut PyObject {
        self.get(layout().frame.function)
    }

    /// The globals, borrowed. Not for entry frames.
    #[inline]
    pub fn globals(self) -> *mut PyObject {
        self.get(layout().frame.globals)
    }

    /// The builtins, borrowed. Not for entry frames.
    #[inline]
    pub fn builtins(self) -> *mut PyObject {
        self.get(layout().frame.builtins)
    }

    /// `f_locals`, borrowed; null in functions.
    #[inline]
    pub fn locals(self) -> *mut PyObject {
        self.get(layout().frame.locals)
    }

    /// The frame object, borrowed, or null if nobody has asked for it yet.
    #[inline]
    pub fn frame_object(self) -> *mut PyObject {
        self.get(layout().frame.frame_object)
    }

    /// The frame below, entry frames included.
    #[inline]
    pub fn previous(self) -> Option<FramePtr> {
        NonNull::new(self.get::<*mut u8>(layout().frame.previous)).map(FramePtr)
    }

    /// The code unit the instruction pointer is at: the instruction that is executing, or that a callback has moved to. -1 in
    /// a 3.12 frame that has not begun. A 3.12 frame whose callee runs in the same eval loop is at the last cache of its call. Meaningless (`None`) in entry frames.
    #[inline]
    pub fn ip(self) -> Option<i32> {
        let code = self.code()?;
        let at = self.get::<*mut u16>(layout().frame.instruction);
        // SAFETY: both are pointers into (or one before) the code units of the same object.
        i32::try_from(unsafe { at.offset_from(code.first_unit()) }).ok()
    }

    /// Sets the instruction pointer to the instruction at a code unit (its first prefix). In a callback of a JUMP, BRANCH, LINE
    /// or PY_START event: the next instruction to execute. In a frame that is calling something: the instruction
    /// that calls, for tracebacks and `f_lineno`. The rule is the same in both versions.
    ///
    /// # Safety
    /// The frame is one of those; `unit` is the start of an instruction of its code, and not 3.12's `CALL` after `KW_NAMES`;
    /// the stack is as that instruction wants it, unless the frame is only calling.
    #[inline]
    pub unsafe fn set_ip(self, code: CodeRef, unit: u32) {
        self.set(layout().frame.instruction, code.unit_address(unit));
    }

    /// Sets the instruction pointer of a frame that is calling a Python function with a frame of its own: where tracebacks and
    /// `f_lasti` see the caller. 3.12 has passed the call's caches by then, 3.13 has not.
    ///
    /// # Safety
    /// The frame is calling such a function by the instruction at `call`, behind which, and its caches, is `next`.
    #[inline]
    pub unsafe fn set_calling(self, code: CodeRef, call: u32, next: u32) {
        let at = FramePtr::calling_address(code, call, next);
        self.set(layout().frame.instruction, at);
    }

    /// Where the instruction pointer of a frame is that is calling a Python function: see [`FramePtr::set_calling`].
    #[inline]
    pub fn calling_address(code: CodeRef, call: u32, next: u32) -> *mut u16 {
        let unit = match minor() {
            Minor::V312 => next - 1,
            Minor::V313 => call,
        };
        code.unit_address(unit)
    }

    /// Sets the instruction pointer of a frame that [`eval_pushed`] will run: it starts with the instruction at this code unit.
    ///
    /// # Safety
    /// The frame is such a frame, of this code; `unit` is the start of an instruction, and not 3.12's `CALL` after `KW_NAMES`.
    #[inline]
    pub unsafe fn set_start(self, code: CodeRef, unit: u32) {
        let first = code.unit_address(unit);
        // A frame that eval starts begins after `prev_instr` in 3.12, at `instr_ptr` in 3.13.
        let instruction = match minor() {
            Minor::V312 => first.wrapping_sub(1),
            Minor::V313 => first,
        };
        self.set(layout().frame.instruction, instruction);
    }

    /// Slots in use (locals and stack), or -1 while the interpreter keeps the number to itself.
    #[inline]
    pub fn stack_top(self) -> i32 {
        self.get(layout().frame.stack_top)
    }

    /// Sets the number of slots in use.
    ///
    /// # Safety
    /// The frame is in a callback (or the caller restores the number); slots below `top` own valid references or are null where
    /// null is allowed.
    #[inline]
    pub unsafe fn set_stack_top(self, top: i32) {
        self.set(layout().frame.stack_top, top);
    }

    /// The address of slot `n` of `localsplus`; the stack begins at slot `nlocalsplus`.
    #[inline]
    pub fn slot(self, n: u32) -> *mut *mut PyObject {
        self.0
            .as_ptr()
            .wrapping_add(layout().frame.localsplus + n as usize * 8)
            .cast()
    }
}

/// A frame to build: everything in it is handed over.
#[derive(Debug)]
pub struct NewFrame<'a> {
    /// The function; a new reference is taken.
    pub function: *mut PyObject,
    /// Its code (the code that ran, which need not be the function's code now); a new reference is taken.
    pub code: CodeRef,
    /// Owned references for the first slots, null where a local is unset; the rest of `localsplus` is null.
    pub locals: &'a [*mut PyObject],
    /// Owned references (or null, where the interpreter has nulls) on the value stack.
    pub stack: &'a [*mut PyObject],
    /// The code unit of the instruction to start with.
    pub resume_at: u32,
}

/// Why a frame was not built. Nothing has been taken over then.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FrameError {
    /// The data stack chunk is full, and there is no memory for another.
    NoRoom,
    /// The code makes a generator, or the values do not fit its frame.
    Misfit,
}

/// Builds a frame on the thread's data stack and runs it to its end in the interpreter: [`push_frame`] and [`eval_pushed`].
///
/// # Safety
/// As for these two.
pub unsafe fn push_frame_and_eval(
    thread: Thread,
    new: &NewFrame<'_>,
) -> Result<*mut PyObject, FrameError> {
    // SAFETY: by the caller's promise.
    unsafe {
        let frame = push_frame(thread, new)?;
        Ok(eval_pushed(thread, frame))
    }
}

/// Runs a frame that [`push_frame`] has built to its end in the interpreter, and pops it. The result is a new reference, or
/// null with an exception set (its traceback has the frame's entry, not yet the caller's). One Python recursion level is taken
/// and given back.
///
/// # Safety
/// `thread` is the running one and holds the GIL; its current frame is the caller's, with its instruction pointer at the
/// calling instruction. The frame is the last one on the data stack, its instruction pointer and stack are as
/// [`FramePtr::set_start`] says. No exception is pending.
pub unsafe fn eval_pushed(thread: Thread, frame: FramePtr) -> *mut PyObject {
    // SAFETY: by the caller's promise.
    unsafe { eval(thread, frame, 0) }
}

/// As [`eval_pushed`], but the pending exception is raised in the frame at the instruction before its instruction pointer.
///
/// # Safety
/// As [`eval_pushed`], but an exception is pending, and the instruction pointer is one code unit past the start of the
/// instruction that is to raise (3.12: at its start), which has caches.
pub unsafe fn throw_pushed(thread: Thread, frame: FramePtr) -> *mut PyObject {
    // SAFETY: by the caller's promise.
    unsafe { eval(thread, frame, 1) }
}

/// # Safety
/// As [`eval_pushed`], or with `throw` as [`throw_pushed`].
unsafe fn eval(thread: Thread, frame: FramePtr, throw: usize) -> *mut PyObject {
    let words = [
        thread.as_ptr().expose_provenance(),
        frame.as_ptr().expose_provenance(),
        throw,
        0,
    ];
    // SAFETY: by the caller's promise: thread, frame and a flag.
    let result = unsafe { barrier::call(api().eval_frame as *const (), words) };
    ptr::with_exposed_provenance_mut(result)
}

/// Builds a frame on the thread's data stack, to be run by [`eval_pushed`]. Until then it may be made the current frame
/// ([`Thread::set_current_frame`]) while a frame that it has called runs: its `previous` is the current frame of now.
///
/// # Safety
/// The GIL is held by `thread`, which is the running one. `function` is a Python function whose globals go with `code`; the
/// references in `locals` and `stack` are the caller's to give, and are what the instruction at `resume_at` expects.
pub unsafe fn push_frame(thread: Thread, new: &NewFrame<'_>) -> Result<FramePtr, FrameError> {
    let code = new.code;
    let nlocalsplus = code.nlocalsplus() as usize;
    let size = code.frame_size() as usize * 8;
    if code.is_generator()
        || new.locals.len() > nlocalsplus
        || new.stack.len() > code.stack_size() as usize
        || new.resume_at >= code.unit_count()
    {
        return Err(FrameError::Misfit);
    }
    let top = thread.datastack_top();
    // The interpreter's own test (`_PyThreadState_HasStackSpace`): strictly less.
    let room = thread.datastack_limit().addr().saturating_sub(top.addr());
    let top = match top.is_null() || size >= room {
        true => datastack::push_chunk(thread, size).ok_or(FrameError::NoRoom)?,
        false => top,
    };
    let fields = &layout().frame;
    let function_fields = &layout().function;
    // SAFETY: there is room for `size` bytes at `top`, which is what a frame of this code needs; the fields are those that
    // `_PyFrame_Initialize` sets, with the same values; references are taken as its contract says.
    unsafe {
        thread.set_datastack_top(top.add(size));
        let frame = FramePtr(NonNull::new_unchecked(top));
        incref(code.as_ptr());
        incref(new.function);
        frame.set(fields.code, code.as_ptr());
        frame.set(fields.function, new.function);
        frame.set(
            fields.globals,
            read::<*mut PyObject>(new.function.cast(), function_fields.globals),
        );
        frame.set(
            fields.builtins,
            read::<*mut PyObject>(new.function.cast(), function_fields.builtins),
        );
        frame.set(fields.locals, ptr::null_mut::<PyObject>());
        frame.set(fields.frame_object, ptr::null_mut::<PyObject>());
        frame.set(
            fields.previous,
            thread
                .current_frame()
                .map_or(ptr::null_mut(), FramePtr::as_ptr),
        );
        frame.set(fields.return_offset, 0_u16);
        frame.set(fields.owner, 0_u8);
        let slots = frame.slot(0);
        for n in 0..nlocalsplus {
            *slots.add(n) = new.locals.get(n).copied().unwrap_or(ptr::null_mut());
        }
        for (n, value) in new.stack.iter().enumerate() {
            *slots.add(nlocalsplus + n) = *value;
        }
        frame.set(fields.stack_top, (nlocalsplus + new.stack.len()) as c_int);
        frame.set_start(code, new.resume_at);
        Ok(frame)
    }
}

/// The head of a frame, as words: what stands before the slots of a frame of this function and code while it calls something
/// from the instruction whose address is `at`. Nothing is owned, and no frame is below.
///
/// # Safety
/// `function` is a Python function whose globals go with `code`; `at` is inside the code.
pub unsafe fn head_words(
    function: *mut PyObject,
    code: CodeRef,
    at: *mut u16,
) -> [u64; HEAD_WORDS] {
    let mut words = [0_u64; HEAD_WORDS];
    let fields = &layout().frame;
    let function_fields = &layout().function;
    let bits = |object: *mut PyObject| object.expose_provenance() as u64;
    words[fields.code / 8] = bits(code.as_ptr());
    words[fields.function / 8] = bits(function);
    // SAFETY: fields of a function.
    unsafe {
        words[fields.globals / 8] = bits(read(function.cast(), function_fields.globals));
        words[fields.builtins / 8] = bits(read(function.cast(), function_fields.builtins));
    }
    words[fields.instruction / 8] = at.expose_provenance() as u64;
    // The stack's size is unknown while the frame runs; the owner, in a higher byte of the word, is the thread.
    words[fields.stack_top / 8] = u64::from(u32::MAX) << (8 * (fields.stack_top % 8));
    words
}

/// Turns a frame that was made of [`head_words`] into one that owns what it refers to, and that [`eval_pushed`] can run. Its slots
/// own their references already, and so does the frame its function.
///
/// # Safety
/// The frame is such a frame, and stands for the first time; `stack` are references to give, as the instruction at `resume_at` wants.
pub unsafe fn adopt(frame: FramePtr, code: CodeRef, stack: &[*mut PyObject], resume_at: u32) {
    // SAFETY: by the caller's promise; the frame is as large as its code says.
    unsafe {
        incref(code.as_ptr());
        let first = code.nlocalsplus();
        for (n, value) in stack.iter().enumerate() {
            *frame.slot(first + n as u32) = *value;
        }
        frame.set_stack_top((first as usize + stack.len()) as c_int);
        frame.set_start(code, resume_at);
    }
}

/// Whether an object is a Python function (not a subclass: there are none).
///
/// # Safety
/// `object` is a valid object.
#[inline]
pub unsafe fn is_function(object: *mut PyObject) -> bool {
    // SAFETY: by the caller's promise.
    unsafe { type_of(object) == api().function_type }
}
