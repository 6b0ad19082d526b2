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

/// What such a function is called with: its module, its arguments, their number.
type Arguments = (*mut PyObject, *const *mut PyObject, isize);

/// Sets events: of a code object, which is the second of three arguments, or everywhere.
///
/// # Safety
/// [`watch`] has succeeded, `set` picks one of the interpreter's two functions, which takes so many arguments, and the arguments
/// are those that it is called with.
unsafe fn set(
    set: fn(&Watch) -> FastFunction,
    takes: isize,
    (module, arguments, count): Arguments,
) -> *mut PyObject {
    // SAFETY: set before the functions were put in place, and never freed.
    let watch = unsafe { &*WATCH.load(Ordering::Acquire) };
    let set = set(watch);
    let is_ours = |thread: Thread| thread.interpreter() == watch.interpreter;
    // SAFETY: by the caller's promise; the arguments live until the call returns.
    unsafe {
        if count != takes
            || int(*arguments) == Some(TOOL_ID.into())
            || !Thread::current().is_some_and(is_ours)
        {
            return set(module, arguments, count);
        }
        let code = match takes {
            3 => CodeRef::from_object(*arguments.add(1)),
            _ => None,
        };
        if takes == 3 && code.is_none() {
            return set(module, arguments, count);
        }
        let disturbs = disturbs(int(*arguments.add(takes as usize - 1)));
        if disturbs {
            (watch.before)(code);
        }
        let result = set(module, arguments, count);
        if !disturbs && !result.is_null() {
            (watch.after)(code);
        }
        if code.is_none() {
            (watch.changed)();
        }
        result
    }
}

/// In place of `sys.monitoring.set_local_events`: a tool, a code object, events.
unsafe extern "C" fn set_local_events(
    module: *mut PyObject,
    arguments: *const *mut PyObject,
    count: isize,
) -> *mut PyObject {
    // SAFETY: called as the interpreter calls it.
    unsafe {
        set(
            |watch| watch.set_local_events,
            3,
            (module, arguments, count),
        )
    }
}

/// In place of `sys.monitoring.set_events`: a tool, events.
unsafe extern "C" fn set_events(
    module: *mut PyObject,
    arguments: *const *mut PyObject,
    count: isize,
) -> *mut PyObject {
    // SAFETY: called as the interpreter calls it.
    unsafe { set(|watch| watch.set_events, 2, (module, arguments, count)) }
}
