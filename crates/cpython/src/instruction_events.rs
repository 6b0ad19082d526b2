//! A call before a tool of `sys.monitoring` gets INSTRUCTION events.
//!
//! The interpreter notes which tools want the events of an instruction when it first sees two tools in a code object, whatever
//! their events are. INSTRUCTION events that one tool had before are forgotten then (`update_instrumentation_data` in
//! Python/instrumentation.c, 3.12 and 3.13). With our events in the code object that can come about where without them it
//! would not; so they have to go before. We stand before the functions that set events.

use std::mem;
use std::ptr;
use std::slice;
use std::sync::atomic::{AtomicPtr, Ordering};

use crate::code::CodeRef;
use crate::ffi::{self, PyObject};
use crate::method_table::{FastFunction, definition};
use crate::refs::{Owned, type_of};
use crate::threads::Thread;

/// `INSTRUCTION` among the sets of events (`sys.monitoring.events`; `PY_MONITORING_EVENT_INSTRUCTION` in
/// Include/internal/pycore_instruments.h of both versions).
const INSTRUCTION: i64 = 1 << 6;

struct Watch {
    set_local_events: FastFunction,
    set_events: FastFunction,
    /// The interpreter that is told.
    interpreter: *mut u8,
    before: fn(Option<CodeRef>),
}

static WATCH: AtomicPtr<Watch> = AtomicPtr::new(ptr::null_mut());

/// Calls `before` with each code object that is about to get such events in this interpreter; with `None`: all code objects are.
/// Where the functions are not as we know them nothing is watched. The GIL is held, in the interpreter we serve.
pub fn watch(before: fn(Option<CodeRef>)) {
    if !WATCH.load(Ordering::Acquire).is_null() {
        return;
    }
    // SAFETY: the module is borrowed, or null without an exception; the tables of a built-in module are static data.
    unsafe {
        let module = ffi::PySys_GetObject(c"monitoring".as_ptr());
        if module.is_null() {
            return;
        }
        let find = |name: &std::ffi::CStr| {
            let function = Owned::from_raw(ffi::PyObject_GetAttrString(module, name.as_ptr()));
            ffi::PyErr_Clear();
            definition(function?.as_ptr(), name, ffi::METH_FASTCALL)
        };
        let (Some(local), Some(global), Some(thread)) = (
            find(c"set_local_events"),
            find(c"set_events"),
            Thread::current(),
        ) else {
            return;
        };
        let watch = Watch {
            set_local_events: mem::transmute::<*mut std::ffi::c_void, FastFunction>(
                (*local).function,
            ),
            set_events: mem::transmute::<*mut std::ffi::c_void, FastFunction>((*global).function),
            interpreter: thread.interpreter(),
            before,
        };
        WATCH.store(Box::into_raw(Box::new(watch)), Ordering::Release);
        (*local).function = set_local_events as FastFunction as *mut std::ffi::c_void;
        (*global).function = set_events as FastFunction as *mut std::ffi::c_void;
    }
}

/// Whether a set of events has INSTRUCTION in it. What is no int may say so when it is asked.
///
/// # Safety
/// An object; the GIL is held.
unsafe fn has_instruction(events: *mut PyObject) -> bool {
    // SAFETY: by the caller's promise; an exact int is asked without running Python code.
    unsafe {
        if type_of(events) != (&raw mut ffi::PyLong_Type).cast() {
            return true;
        }
        let events = ffi::PyLong_AsLongLong(events);
        ffi::PyErr_Clear();
        events & INSTRUCTION != 0
    }
}

fn is_ours(watch: &Watch) -> bool {
    Thread::current().is_some_and(|thread| thread.interpreter() == watch.interpreter)
}

/// In place of `sys.monitoring.set_local_events`.
unsafe extern "C" fn set_local_events(
    module: *mut PyObject,
    arguments: *const *mut PyObject,
    count: isize,
) -> *mut PyObject {
    // SAFETY: set before this function was put in place, and never freed.
    let watch = unsafe { &*WATCH.load(Ordering::Acquire) };
    // SAFETY: the interpreter gives so many objects.
    unsafe {
        if count == 3
            && is_ours(watch)
            && let &[_, code, events] = slice::from_raw_parts(arguments, 3)
            && has_instruction(events)
            && let Some(code) = CodeRef::from_object(code)
        {
            (watch.before)(Some(code));
        }
        (watch.set_local_events)(module, arguments, count)
    }
}

/// In place of `sys.monitoring.set_events`.
unsafe extern "C" fn set_events(
    module: *mut PyObject,
    arguments: *const *mut PyObject,
    count: isize,
) -> *mut PyObject {
    // SAFETY: set before this function was put in place, and never freed.
    let watch = unsafe { &*WATCH.load(Ordering::Acquire) };
    // SAFETY: the interpreter gives so many objects.
    unsafe {
        if count == 2 && is_ours(watch) && has_instruction(*arguments.add(1)) {
            (watch.before)(None);
        }
        (watch.set_events)(module, arguments, count)
    }
}
