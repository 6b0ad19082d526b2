//! A call before and after a tool of `sys.monitoring` gets events that ours stand in the way of.
//!
//! What a tool has disabled, and at which instructions, the interpreter notes for each tool only from when it first sees an
//! event with two tools in a code object (`update_instrumentation_data` in Python/instrumentation.c, 3.12 and 3.13). What was
//! before is forgotten then: INSTRUCTION events that one tool had stop, and events that it had disabled begin again. Our JUMP
//! events would make the second tool where the program has one. So they have to go before another tool gets JUMP events, and
//! before one gets INSTRUCTION events, which may become one of two at any time. We stand before the functions that set events.

use std::mem;
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};

use crate::code::CodeRef;
use crate::ffi::{self, PyObject};
use crate::method_table::{FastFunction, definition};
use crate::monitoring::TOOL_ID;
use crate::refs::{Owned, type_of};
use crate::threads::Thread;

/// Which events these are (`PY_MONITORING_EVENT_INSTRUCTION` and `..._JUMP` in Include/internal/pycore_instruments.h of both
/// versions).
pub(crate) const DISTURBED: [usize; 2] = [6, 7];

struct Watch {
    set_local_events: FastFunction,
    set_events: FastFunction,
    /// The interpreter that is told.
    interpreter: *mut u8,
    before: fn(Option<CodeRef>),
    after: fn(Option<CodeRef>),
    changed: fn(),
}

static WATCH: AtomicPtr<Watch> = AtomicPtr::new(ptr::null_mut());

/// Calls `before` with each code object that is about to get such events in this interpreter, and `after` when its events have
/// been set to others; with `None`: those everywhere. Calls `changed` when events everywhere have been set, whatever they are.
/// Where the functions are not as we know them nothing is watched. The GIL is held, in the interpreter we serve.
pub fn watch(before: fn(Option<CodeRef>), after: fn(Option<CodeRef>), changed: fn()) {
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
            after,
            changed,
        };
        WATCH.store(Box::into_raw(Box::new(watch)), Ordering::Release);
        (*local).function = set_local_events as FastFunction as *mut std::ffi::c_void;
        (*global).function = set_events as FastFunction as *mut std::ffi::c_void;
    }
}

/// The value of an exact int, which is asked without running Python code.
///
/// # Safety
/// An object; the GIL is held.
unsafe fn int(object: *mut PyObject) -> Option<i64> {
    // SAFETY: by the caller's promise.
    unsafe {
        let is_int = type_of(object) == (&raw mut ffi::PyLong_Type).cast();
        is_int.then(|| {
            let value = ffi::PyLong_AsLongLong(object);
            ffi::PyErr_Clear();
            value
        })
    }
}

/// Whether a set of events has such in it. What is no int may say so when it is asked.
fn disturbs(events: Option<i64>) -> bool {
    events.is_none_or(|events| DISTURBED.iter().any(|&event| events >> event & 1 != 0))
}

impl Watch {
    /// Sets events of a code object, or everywhere.
    ///
    /// # Safety
    /// `set` is one of the interpreter's two functions, and the arguments are those that it is called with.
    unsafe fn set(
        &self,
        set: FastFunction,
        (module, arguments, count): (*mut PyObject, *const *mut PyObject, isize),
        code: Option<*mut PyObject>,
    ) -> *mut PyObject {
        let is_ours = |thread: Thread| thread.interpreter() == self.interpreter;
        // SAFETY: by the caller's promise; the arguments live until the call returns.
        unsafe {
            let code = code.map(|code| CodeRef::from_object(code));
            let by_us = int(*arguments) == Some(TOOL_ID.into());
            if by_us || code == Some(None) || !Thread::current().is_some_and(is_ours) {
                return set(module, arguments, count);
            }
            let code = code.flatten();
            let disturbs = disturbs(int(*arguments.add(count as usize - 1)));
            if disturbs {
                (self.before)(code);
            }
            let result = set(module, arguments, count);
            if !disturbs && !result.is_null() {
                (self.after)(code);
            }
            if code.is_none() {
                (self.changed)();
            }
            result
        }
    }
}

/// In place of `sys.monitoring.set_local_events`.
unsafe extern "C" fn set_local_events(
    module: *mut PyObject,
    arguments: *const *mut PyObject,
    count: isize,
) -> *mut PyObject {
    // SAFETY: set before this function was put in place, and never freed.
    let watch = unsafe { &*WATCH.load(Ordering::Acquire) };
    // SAFETY: called as the interpreter calls it: a tool, a code object, events.
    unsafe {
        match count {
            3 => watch.set(
                watch.set_local_events,
                (module, arguments, count),
                Some(*arguments.add(1)),
            ),
            _ => (watch.set_local_events)(module, arguments, count),
        }
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
    // SAFETY: called as the interpreter calls it: a tool, events.
    unsafe {
        match count {
            2 => watch.set(watch.set_events, (module, arguments, count), None),
            _ => (watch.set_events)(module, arguments, count),
        }
    }
}
