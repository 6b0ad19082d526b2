//! Whether `tracemalloc` is on, and a call when it is switched on.
//!
//! `tracemalloc` asks the running frame for its line at every allocation. Machine code does not keep that up to date, and it leaves
//! allocations away; so it must not run meanwhile. The interpreter tells nobody, so we stand before its module's functions `start`
//! and `stop`.

use std::mem;
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicPtr, Ordering};

use crate::dynamic::symbol;
use crate::ffi::{self, PyObject};
use crate::method_table::{self, FastFunction, MethodDef};
use crate::refs::Owned;
use crate::threads::Thread;

type NoArguments = unsafe extern "C" fn(*mut PyObject, *mut PyObject) -> *mut PyObject;

struct Watch {
    start: FastFunction,
    stop: NoArguments,
    /// The interpreter that is told.
    interpreter: *mut u8,
    on_start: fn(),
}

static WATCH: AtomicPtr<Watch> = AtomicPtr::new(ptr::null_mut());
static TRACING: AtomicBool = AtomicBool::new(false);

/// Whether allocations are traced.
#[inline]
pub fn is_tracing() -> bool {
    TRACING.load(Ordering::Relaxed)
}

/// Finds out whether allocations are traced, and calls `on_start` whenever that begins in this interpreter. Where the module is not
/// as we know it nothing is watched. The GIL is held, in the interpreter we serve.
pub fn watch(on_start: fn()) {
    if !WATCH.load(Ordering::Acquire).is_null() {
        return;
    }
    // Not imported, which programs would see; a module of our own shows the same table.
    let Some(init) = symbol(c"PyInit__tracemalloc") else {
        return;
    };
    // SAFETY: the initialisation function of a module in C, of one phase, which may be called again and again; plain calls of the C
    // API; the tables of a built-in module are static data.
    unsafe {
        let init: unsafe extern "C" fn() -> *mut PyObject = mem::transmute(init.as_ptr());
        let Some(module) = Owned::from_raw(init()) else {
            ffi::PyErr_Clear();
            return;
        };
        if ffi::PyModule_Check(module.as_ptr()) == 0 {
            return;
        }
        if let Some(tracing) = Owned::from_raw(ffi::PyObject_CallMethod(
            module.as_ptr(),
            c"is_tracing".as_ptr(),
            ptr::null(),
        )) {
            TRACING.store(tracing.as_ptr() == ffi::Py_True(), Ordering::Relaxed);
        }
        ffi::PyErr_Clear();
        let (start, stop) = (
            definition(&module, c"start", ffi::METH_FASTCALL),
            definition(&module, c"stop", ffi::METH_NOARGS),
        );
        let (Some(start), Some(stop), Some(thread)) = (start, stop, Thread::current()) else {
            return;
        };
        let watch = Watch {
            start: mem::transmute::<*mut std::ffi::c_void, FastFunction>((*start).function),
            stop: mem::transmute::<*mut std::ffi::c_void, NoArguments>((*stop).function),
            interpreter: thread.interpreter(),
            on_start,
        };
        WATCH.store(Box::into_raw(Box::new(watch)), Ordering::Release);
        (*start).function = started as FastFunction as *mut std::ffi::c_void;
        (*stop).function = stopped as NoArguments as *mut std::ffi::c_void;
    }
}

/// The table entry behind a function of a module, if it is called in the way we know.
///
/// # Safety
/// `module` is a module; the GIL is held.
unsafe fn definition(
    module: &Owned,
    name: &std::ffi::CStr,
    flags: std::ffi::c_int,
) -> Option<*mut MethodDef> {
    // SAFETY: by the caller's promise; the table lives for ever.
    unsafe {
        let function = Owned::from_raw(ffi::PyObject_GetAttrString(module.as_ptr(), name.as_ptr()));
        let Some(function) = function else {
            ffi::PyErr_Clear();
            return None;
        };
        method_table::definition(function.as_ptr(), name, flags)
    }
}

/// In place of `_tracemalloc.start`.
unsafe extern "C" fn started(
    module: *mut PyObject,
    arguments: *const *mut PyObject,
    count: isize,
) -> *mut PyObject {
    // SAFETY: set before this function was put in place, and never freed.
    let watch = unsafe { &*WATCH.load(Ordering::Acquire) };
    // SAFETY: called as the interpreter calls it.
    let result = unsafe { (watch.start)(module, arguments, count) };
    if !result.is_null() && !TRACING.swap(true, Ordering::Relaxed) {
        let is_ours = |thread: Thread| thread.interpreter() == watch.interpreter;
        if Thread::current().is_some_and(is_ours) {
            (watch.on_start)();
        }
    }
    result
}

/// In place of `_tracemalloc.stop`.
unsafe extern "C" fn stopped(module: *mut PyObject, nothing: *mut PyObject) -> *mut PyObject {
    // SAFETY: set before this function was put in place, and never freed.
    let watch = unsafe { &*WATCH.load(Ordering::Acquire) };
    TRACING.store(false, Ordering::Relaxed);
    // SAFETY: called as the interpreter calls it.
    unsafe { (watch.stop)(module, nothing) }
}
