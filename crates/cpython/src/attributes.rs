//! Two attributes of built-in types that would show that a code object has local events of ours, answered as if it had none.
//!
//! * `code._co_code_adaptive`, which `dis` shows, holds the instrumented form of jumps.
//! * Setting `frame.f_trace_opcodes` gives the code object local events of the tracer. Where another tool has local events too,
//!   and then `sys.settrace` follows, 3.13 forgets whom to call for each instruction (`update_instrumentation_data` in
//!   `Python/instrumentation.c` makes the table of tools, empty, when the events are there already). So our events have to go first.
//!
//! The C functions of the two descriptors are replaced for as long as the [`Attributes`] are not removed. Other interpreters of
//! the process share the descriptors; they get the plain answer.

use std::ffi::{CStr, c_int, c_void};
use std::mem;
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};

use crate::bytecode::{Adaptive, Opcode};
use crate::code::CodeRef;
use crate::ffi::{self, PyObject};
use crate::memory::read;
use crate::refs::{Owned, type_of};
use crate::runtime::{api, minor};
use crate::threads::Thread;

/// Whether nobody but us has events on this code object, and we have some.
pub type IsOurs = fn(CodeRef) -> bool;
/// A program is about to trace the opcodes of this code object.
pub type OpcodeTrace = fn(CodeRef);

/// `d_getset` of `PyGetSetDescrObject` (`Include/cpython/descrobject.h`): after the header, type, name and qualified name. The
/// name in what it points to is compared before anything is believed.
const GETSET: usize = 16 + 3 * mem::size_of::<usize>();

/// The replaced functions; null while nothing is replaced.
static ADAPTIVE: AtomicPtr<Replaced<IsOurs>> = AtomicPtr::new(ptr::null_mut());
static OPCODES: AtomicPtr<Replaced<OpcodeTrace>> = AtomicPtr::new(ptr::null_mut());

/// A descriptor whose function is replaced.
struct Replaced<F> {
    definition: *mut ffi::PyGetSetDef,
    get: ffi::getter,
    set: Option<ffi::setter>,
    ask: F,
    /// The interpreter that we serve.
    interpreter: *mut u8,
}

impl<F> Replaced<F> {
    /// Finds the descriptor of an attribute, or nothing where it is not what we know.
    fn find(holder: *mut PyObject, name: &CStr, ask: F) -> Option<Replaced<F>> {
        // SAFETY: plain calls of the C API; an attribute that a type has as a getset descriptor lives as long as the type, and the
        // built-in types live for ever, and so do their definitions.
        unsafe {
            let Some(descriptor) =
                Owned::from_raw(ffi::PyObject_GetAttrString(holder, name.as_ptr()))
            else {
                ffi::PyErr_Clear();
                return None;
            };
            if type_of(descriptor.as_ptr()) != (&raw mut ffi::PyGetSetDescr_Type).cast() {
                return None;
            }
            let definition: *mut ffi::PyGetSetDef = read(descriptor.as_ptr().cast(), GETSET);
            if definition.is_null() || CStr::from_ptr((*definition).name) != name {
                return None;
            }
            Some(Replaced {
                definition,
                get: (*definition).get?,
                set: (*definition).set,
                ask,
                interpreter: Thread::current()?.interpreter(),
            })
        }
    }

    fn is_our_interpreter(&self) -> bool {
        Thread::current().is_some_and(|thread| thread.interpreter() == self.interpreter)
    }
}

/// The replaced attributes.
#[derive(Debug)]
pub struct Attributes(());

impl Attributes {
    /// Replaces the functions; an attribute that is not found is left alone. The GIL is held, in the interpreter we serve.
    pub fn replace(is_ours: IsOurs, on_opcode_trace: OpcodeTrace) -> Attributes {
        let code_type = api().code_type;
        if let Some(replaced) = Replaced::find(code_type, c"_co_code_adaptive", is_ours) {
            let definition = replaced.definition;
            // Kept for ever: another interpreter's thread may be inside.
            ADAPTIVE.store(Box::into_raw(Box::new(replaced)), Ordering::Release);
            // SAFETY: the definition is the interpreter's static data, which it does not write.
            unsafe { (*definition).get = Some(adaptive) };
        }
        let frame_type = api().frame_type;
        if let Some(replaced) = Replaced::find(frame_type, c"f_trace_opcodes", on_opcode_trace)
            && replaced.set.is_some()
        {
            let definition = replaced.definition;
            OPCODES.store(Box::into_raw(Box::new(replaced)), Ordering::Release);
            // SAFETY: as above.
            unsafe { (*definition).set = Some(set_opcode_trace) };
        }
        Attributes(())
    }

    /// Puts the interpreter's own functions back.
    pub fn remove(self) {
        // SAFETY: what was replaced stays valid for ever; the GIL is held.
        unsafe {
            if let Some(replaced) = ADAPTIVE.load(Ordering::Acquire).as_ref() {
                (*replaced.definition).get = Some(replaced.get);
            }
            if let Some(replaced) = OPCODES.load(Ordering::Acquire).as_ref() {
                (*replaced.definition).set = replaced.set;
            }
        }
    }
}

/// The getter of `code._co_code_adaptive`.
unsafe extern "C" fn adaptive(code: *mut PyObject, closure: *mut c_void) -> *mut PyObject {
    // SAFETY: set before this function was put in place, and never freed.
    let replaced = unsafe { &*ADAPTIVE.load(Ordering::Acquire) };
    // SAFETY: called as the interpreter calls it.
    let bytes = unsafe { (replaced.get)(code, closure) };
    if bytes.is_null() || !replaced.is_our_interpreter() {
        return bytes;
    }
    // SAFETY: a descriptor checks the type of what it is given.
    let code = unsafe { CodeRef::from_raw(code) };
    if (replaced.ask)(code) {
        // SAFETY: a new bytes object that nobody else has seen, as long as the code.
        let units = unsafe {
            std::slice::from_raw_parts_mut(
                ffi::PyBytes_AsString(bytes).cast::<u8>(),
                code.unit_count() as usize * 2,
            )
        };
        hide_jumps(code, units);
    }
    bytes
}

/// Writes the plain form over instrumented jumps.
fn hide_jumps(code: CodeRef, bytes: &mut [u8]) {
    let mut unit = 0;
    while unit < code.unit_count() {
        let form = code.adaptive(unit);
        let Some(base) = form.and_then(Adaptive::base) else {
            return;
        };
        if matches!(form, Some(Adaptive::Instrumented(_)))
            && matches!(base, Opcode::JumpBackward | Opcode::JumpForward)
            && let Some(number) = base.number(minor())
            && let Some(byte) = bytes.get_mut(unit as usize * 2)
        {
            *byte = number;
        }
        unit += 1 + base.caches(minor());
    }
}

/// The setter of `frame.f_trace_opcodes`.
unsafe extern "C" fn set_opcode_trace(
    frame: *mut PyObject,
    value: *mut PyObject,
    closure: *mut c_void,
) -> c_int {
    // SAFETY: set before this function was put in place, and never freed.
    let replaced = unsafe { &*OPCODES.load(Ordering::Acquire) };
    // SAFETY: a descriptor checks the type of what it is given; a frame has a code object.
    unsafe {
        if value == ffi::Py_True() && replaced.is_our_interpreter() {
            let code = Owned::from_raw(ffi::PyFrame_GetCode(frame.cast()).cast());
            if let Some(code) = &code {
                (replaced.ask)(CodeRef::from_raw(code.as_ptr()));
            }
        }
        match replaced.set {
            Some(set) => set(frame, value, closure),
            None => -1,
        }
    }
}
