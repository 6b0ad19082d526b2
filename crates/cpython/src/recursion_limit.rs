//! A call when `sys.setrecursionlimit` lowers the limit.
//!
//! Machine code asks once whether there is room for all the levels it may take. The interpreter tells nobody that there are
//! fewer; so we stand before the function that says so.

use std::mem;
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};

use crate::ffi::{self, PyObject};
use crate::method_table::definition;
use crate::threads::Thread;

type OneArgument = unsafe extern "C" fn(*mut PyObject, *mut PyObject) -> *mut PyObject;

struct Watch {
    set: OneArgument,
    /// The interpreter that is told.
    interpreter: *mut u8,
    on_lowered: fn(),
}

static WATCH: AtomicPtr<Watch> = AtomicPtr::new(ptr::null_mut());

/// Calls `on_lowered` whenever the limit of this interpreter becomes lower. Where the function is not as we know it nothing is
/// watched. The GIL is held, in the interpreter we serve.
pub fn watch(on_lowered: fn()) {
    if !WATCH.load(Ordering::Acquire).is_null() {
        return;
    }
    // SAFETY: the result is borrowed, or null without an exception; the tables of a built-in module are static data.
    unsafe {
        let function = ffi::PySys_GetObject(c"setrecursionlimit".as_ptr());
        if function.is_null() {
            return;
        }
        let set = definition(function, c"setrecursionlimit", ffi::METH_O);
        let (Some(set), Some(thread)) = (set, Thread::current()) else {
            return;
        };
        let watch = Watch {
            set: mem::transmute::<*mut std::ffi::c_void, OneArgument>((*set).function),
            interpreter: thread.interpreter(),
            on_lowered,
        };
        WATCH.store(Box::into_raw(Box::new(watch)), Ordering::Release);
        (*set).function = limited as OneArgument as *mut std::ffi::c_void;
    }
}

/// In place of `sys.setrecursionlimit`.
unsafe extern "C" fn limited(module: *mut PyObject, limit: *mut PyObject) -> *mut PyObject {
    // SAFETY: set before this function was put in place, and never freed.
    let watch = unsafe { &*WATCH.load(Ordering::Acquire) };
    let is_ours = |thread: &Thread| thread.interpreter() == watch.interpreter;
    let thread = Thread::current().filter(is_ours);
    let before = thread.map(Thread::py_recursion_remaining);
    // SAFETY: called as the interpreter calls it.
    let result = unsafe { (watch.set)(module, limit) };
    if thread.map(Thread::py_recursion_remaining) < before {
        (watch.on_lowered)();
    }
    result
}
