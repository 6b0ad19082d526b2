//! Code objects.

use std::slice;

use crate::bytecode::{
    Adaptive, BadCode, CodeParts, Instruction, Jump, ValidatedCode, check_units, is_specialised,
};
use crate::exception_table::{Handler, Handlers};
use crate::ffi::{self, PyObject};
use crate::memory::read;
use crate::refs::{Owned, type_of};
use crate::runtime::{api, layout, minor};

/// What a `localsplus` slot is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SlotKind {
    /// A plain local.
    Fast,
    /// A cell of this function (also when it is an argument).
    Cell,
    /// A cell that came with the closure.
    Free,
}

/// `co_flags` bits (`Include/cpython/code.h`).
pub mod flags {
    /// Locals are in slots.
    pub const OPTIMIZED: u32 = 0x1;
    /// A new locals dict per call.
    pub const NEWLOCALS: u32 = 0x2;
    /// Has `*args`.
    pub const VARARGS: u32 = 0x4;
    /// Has `**kwargs`.
    pub const VARKEYWORDS: u32 = 0x8;
    /// A generator.
    pub const GENERATOR: u32 = 0x20;
    /// A coroutine.
    pub const COROUTINE: u32 = 0x80;
    /// A generator-based coroutine.
    pub const ITERABLE_COROUTINE: u32 = 0x100;
    /// An asynchronous generator.
    pub const ASYNC_GENERATOR: u32 = 0x200;
    /// Any kind of generator: its frame lives in the generator object.
    pub const ANY_GENERATOR: u32 = GENERATOR | COROUTINE | ASYNC_GENERATOR;
}

/// A pointer to a code object. Whoever made it promised that the object outlives its use; all methods need the GIL.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
#[repr(transparent)]
pub struct CodeRef(*mut PyObject);

macro_rules! int_fields {
    ($( $(#[$doc:meta])* $name:ident: $ty:ty; )*) => {
        $( $(#[$doc])* #[inline] pub fn $name(self) -> $ty {
            // SAFETY: a code object has this field at the offset the checks have proved.
            unsafe { read::<$ty>(self.base(), layout().code.$name) }
        } )*
    };
}

macro_rules! object_fields {
    ($( $(#[$doc:meta])* $name:ident; )*) => {
        $( $(#[$doc])* #[inline] pub fn $name(self) -> *mut PyObject {
            // SAFETY: a code object has this field at the offset the checks have proved.
            unsafe { read(self.base(), layout().code.$name) }
        } )*
    };
}

impl CodeRef {
    /// Wraps a pointer to a code object.
    ///
    /// # Safety
    /// `code` is a code object that lives as long as the result, or anything copied from it, is used.
    #[inline]
    pub unsafe fn from_raw(code: *mut PyObject) -> CodeRef {
        CodeRef(code)
    }

    /// Wraps an object if it is a code object.
    ///
    /// # Safety
    /// `object` is a valid object; as [`CodeRef::from_raw`] otherwise.
    #[inline]
    pub unsafe fn from_object(object: *mut PyObject) -> Option<CodeRef> {
        // SAFETY: by the caller's promise.
        if unsafe { type_of(object) } == api().code_type {
            Some(CodeRef(object))
        } else {
            None
        }
    }

    /// The object, borrowed.
    #[inline]
    pub fn as_ptr(self) -> *mut PyObject {
        self.0
    }

    #[inline]
    fn base(self) -> *const u8 {
        self.0.cast::<u8>()
    }

    int_fields! {
        /// `co_flags`; see [`flags`].
        flags: u32;
        /// Positional parameters, `*args` not counted.
        arg_count: u32;
        /// Positional-only parameters, part of [`CodeRef::arg_count`].
        posonly_arg_count: u32;
        /// Keyword-only parameters.
        kwonly_arg_count: u32;
        /// Largest depth of the value stack.
        stack_size: u32;
        /// `co_firstlineno`.
        first_line: i32;
        /// Slots for locals, cells and free variables.
        nlocalsplus: u32;
        /// Size of a frame, in words.
        frame_size: u32;
        /// Number of local variables, parameters among them (`len(co_varnames)`).
        nlocals: u32;
        /// `co_version`: what `func_version` of new functions becomes; 0 = none.
        version: u32;
        /// `_co_instrumentation_version`.
        instrumentation_version: u64;
        /// Index of the `RESUME` that starts the function.
        first_traceable: u32;
    }

    object_fields! {
        /// `co_consts`, a tuple, borrowed.
        consts;
        /// `co_names`, a tuple, borrowed.
        names;
        /// Names of the slots, a tuple, borrowed.
        localsplus_names;
        /// `co_filename`, borrowed.
        filename;
        /// `co_name`, borrowed.
        name;
        /// `co_qualname`, borrowed.
        qualname;
    }

    /// The number of constants.
    #[inline]
    pub fn const_count(self) -> u32 {
        tuple_size(self.consts())
    }

    /// A constant, borrowed. `index` must be in range, as it is in validated code.
    #[inline]
    pub fn constant(self, index: u32) -> *mut PyObject {
        tuple_item(self.consts(), index)
    }

    /// A name, borrowed. `index` must be in range, as it is in validated code.
    #[inline]
    pub fn name_at(self, index: u32) -> *mut PyObject {
        tuple_item(self.names(), index)
    }

    /// The kinds byte of each slot.
    fn kinds(&self) -> &[u8] {
        // SAFETY: the field is a bytes object (`tuple_item` and `bytes_of` check nothing more), alive with the code object.
        unsafe { bytes_of(read(self.base(), layout().code.localsplus_kinds)) }
    }

    /// What a slot is for; `None` past the last.
    pub fn slot_kind(self, slot: u32) -> Option<SlotKind> {
        self.kinds().get(slot as usize).map(|&kind| {
            if kind & 0x80 != 0 {
                SlotKind::Free
            } else if kind & 0x40 != 0 {
                SlotKind::Cell
            } else {
                SlotKind::Fast
            }
        })
    }

    /// The name of a slot, for reports.
    pub fn slot_name(self, slot: u32) -> String {
        if slot < self.nlocalsplus() {
            text(tuple_item(self.localsplus_names(), slot))
        } else {
            String::from("?")
        }
    }

    /// The bytes of `co_exceptiontable`.
    pub fn exception_table(&self) -> &[u8] {
        // SAFETY: the field is a bytes object, alive with the code object.
        unsafe { bytes_of(read(self.base(), layout().code.exception_table)) }
    }

    /// The handler of the instruction at this code unit.
    pub fn handler(self, unit: u32) -> Option<Handler> {
        Handlers::find(self.exception_table(), unit)
    }

    /// The number of code units.
    #[inline]
    pub fn unit_count(self) -> u32 {
        // SAFETY: a code object is of variable size; `ob_size` is the number of units.
        unsafe { read::<isize>(self.base(), layout().object.size) as u32 }
    }

    /// The first code unit of the running (specialised, instrumented) bytecode.
    #[inline]
    pub fn first_unit(self) -> *mut u16 {
        // SAFETY: the code units are in the object, at that offset.
        unsafe { self.0.cast::<u8>().add(layout().code.adaptive).cast() }
    }

    /// The address of a code unit. `unit` may be one past the end.
    #[inline]
    pub fn unit_address(self, unit: u32) -> *mut u16 {
        debug_assert!(unit <= self.unit_count());
        // SAFETY: inside the array, or one past its end.
        unsafe { self.first_unit().add(unit as usize) }
    }

    /// The running form of the instruction whose opcode is at this unit: a hint, it may change at any time.
    pub fn adaptive(self, op_at: u32) -> Option<Adaptive> {
        if op_at >= self.unit_count() {
            return None;
        }
        // SAFETY: inside the array of code units; the opcode is the first byte of a unit.
        let number = unsafe { *self.unit_address(op_at).cast::<u8>() };
        Adaptive::from_number(minor(), number)
    }

    /// The cache words of an instruction of this code: hints, they may change at any time.
    pub fn cache(&self, instruction: &Instruction) -> &[u16] {
        let first = instruction.op_at + 1;
        if instruction.next < first || instruction.next > self.unit_count() {
            return &[];
        }
        // SAFETY: inside the array of code units, which lives as long as the code object; only the interpreter, under the GIL
        // that the caller holds, changes it.
        unsafe {
            slice::from_raw_parts(
                self.unit_address(first),
                (instruction.next - first) as usize,
            )
        }
    }

    /// Whether the interpreter has run this code too seldom to have tried to specialise the first instruction that it could:
    /// it does so the second time. Code that begins with a jump says nothing.
    pub fn is_warming_up(self, units: &ValidatedCode) -> bool {
        // `adaptive_counter_warmup` (Include/internal/pycore_code.h in 3.12, pycore_backoff.h in 3.13): a value of 1 above four
        // bits of backoff, 1 too, which no counter has later.
        const VALUE: u16 = 1;
        const BACKOFF: u16 = 1;
        let minor = minor();
        let first = units.instructions().iter().find(|instruction| {
            instruction.opcode.jump() != Jump::None || is_specialised(minor, instruction.opcode)
        });
        let Some(first) = first else { return false };
        first.opcode.jump() == Jump::None
            && self.adaptive(first.op_at) == Some(Adaptive::Base(first.opcode))
            && (self.cache(first).first())
                .is_some_and(|counter| counter & 15 == BACKOFF && counter >> 4 <= VALUE)
    }

    /// The running bytecode, as it is now.
    fn units(&self) -> &[u16] {
        // SAFETY: the code units lie in the code object, which lives; only the interpreter, under the GIL that the caller holds,
        // changes them.
        unsafe { slice::from_raw_parts(self.first_unit(), self.unit_count() as usize) }
    }

    /// `co_code`: de-specialised, de-instrumented bytes. The outer error: no memory, an exception is set.
    fn co_code(self) -> Result<Result<Owned, BadCode>, ()> {
        if let Err(refusal) = check_units(minor(), self.units()) {
            return Ok(Err(refusal));
        }
        // SAFETY: the function takes a code object, which has all its caches, and returns a new reference or null.
        let bytes = unsafe { Owned::from_raw((api().code_bytes)(self.0)) };
        bytes.map(Ok).ok_or(())
    }

    /// Decodes and checks the bytecode. The outer error: no memory, an exception is set.
    #[allow(
        clippy::result_unit_err,
        reason = "the error is the exception that is set"
    )]
    pub fn validate(self) -> Result<Result<ValidatedCode, BadCode>, ()> {
        let code = match self.co_code()? {
            Ok(code) => code,
            Err(refusal) => return Ok(Err(refusal)),
        };
        // SAFETY: `co_code` is a bytes object, alive until the end of this function.
        let bytes = unsafe { bytes_of(code.as_ptr()) };
        if self.kinds().len() != self.nlocalsplus() as usize
            || bytes.len() != self.unit_count() as usize * 2
        {
            return Ok(Err(BadCode::Length));
        }
        Ok(ValidatedCode::new(&CodeParts {
            minor: minor(),
            code: bytes,
            exception_table: self.exception_table(),
            stack_size: self.stack_size(),
            consts: self.const_count(),
            names: tuple_size(self.names()),
            kinds: self.kinds(),
        }))
    }

    /// The source line of the instruction at this code unit, if it has one.
    pub fn line(self, unit: u32) -> Option<u32> {
        // SAFETY: the function takes a code object and a byte offset.
        let line = unsafe { (api().code_line)(self.0, unit as i32 * 2) };
        u32::try_from(line).ok()
    }

    /// `co_filename` as text, for reports.
    pub fn filename_text(self) -> String {
        text(self.filename())
    }

    /// `co_qualname` as text, for reports.
    pub fn qualname_text(self) -> String {
        text(self.qualname())
    }

    /// Whether calling it makes a generator, coroutine or asynchronous generator.
    #[inline]
    pub fn is_generator(self) -> bool {
        self.flags() & flags::ANY_GENERATOR != 0
    }
}

/// # Safety
/// `bytes` is a bytes object that lives for `'a`.
unsafe fn bytes_of<'a>(bytes: *mut PyObject) -> &'a [u8] {
    let layout = &layout().bytes;
    // SAFETY: by the caller's promise.
    unsafe {
        let size: isize = read(bytes.cast(), layout.size);
        slice::from_raw_parts(bytes.cast::<u8>().add(layout.data), size as usize)
    }
}

fn tuple_size(tuple: *mut PyObject) -> u32 {
    // SAFETY: consts and names of a code object are tuples.
    unsafe { read::<isize>(tuple.cast(), layout().tuple.size) as u32 }
}

fn tuple_item(tuple: *mut PyObject, index: u32) -> *mut PyObject {
    let layout = &layout().tuple;
    debug_assert!(index < tuple_size(tuple));
    // SAFETY: the index is in range by the contract of the callers.
    unsafe { read(tuple.cast(), layout.items + index as usize * 8) }
}

/// The text of a str object, for reports; what cannot be encoded is replaced. Leaves no exception.
fn text(object: *mut PyObject) -> String {
    let mut length = 0;
    // SAFETY: `object` is a valid object, borrowed from a code object; a pending exception is put aside and put back.
    unsafe {
        let pending = (api().get_raised)();
        let bytes = ffi::PyUnicode_AsUTF8AndSize(object, &mut length);
        let result = if bytes.is_null() {
            ffi::PyErr_Clear();
            String::from("?")
        } else {
            String::from_utf8_lossy(slice::from_raw_parts(bytes.cast::<u8>(), length as usize))
                .into_owned()
        };
        if !pending.is_null() {
            (api().set_raised)(pending);
        }
        result
    }
}
