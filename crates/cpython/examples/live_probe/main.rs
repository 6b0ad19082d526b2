//! An extension module for `tests/live.rs`: the crate's functions, callable from Python test scripts.

mod convert;
mod events;
mod inspect;

use std::ffi::{CString, c_char, c_int};
use std::ptr;

use convert::{int, int_of};
use serigraph_cpython::Owned;
use serigraph_cpython::ffi::{self, PyObject};

/// A Python-callable function: positional arguments in, a result or an exception text out.
type Body = fn(&[*mut PyObject]) -> Result<Owned, String>;

const FUNCTIONS: &[(&str, Body)] = &[
    ("start", inspect::start),
    ("detect", inspect::detect),
    ("opcodes", inspect::opcodes),
    ("specialized", inspect::specialized),
    ("instrumented", inspect::instrumented),
    ("effect", inspect::effect),
    ("validate", inspect::validate),
    ("describe", inspect::describe),
    ("frames", inspect::frames),
    ("nested", inspect::nested),
    ("stack_left", inspect::stack_left),
    ("claim", events::claim),
    ("release", events::release),
    ("back_edge_events", events::back_edge_events),
    ("renew_events", events::renew_events),
    ("events", events::events),
    ("others", events::others),
    ("taken_log", events::taken_log),
    ("plan_raise", events::plan_raise),
    ("plan_move", events::plan_move),
    ("plan_unwind", events::plan_unwind),
    ("plan_call", events::plan_call),
    ("plan_disable", events::plan_disable),
    ("watch", events::watch),
    ("unwatch", events::unwatch),
    ("adaptive", inspect::adaptive),
    ("warming_up", inspect::warming_up),
    ("heap", inspect::heap),
    ("validate_time", inspect::validate_time),
    ("wait_pending", inspect::wait_pending),
    ("monitoring_version", inspect::monitoring_version),
];

unsafe extern "C" fn call(index: *mut PyObject, arguments: *mut PyObject) -> *mut PyObject {
    let (_, body) = FUNCTIONS[int_of(index) as usize];
    // SAFETY: the arguments are a tuple of valid objects, alive during the call.
    let values: Vec<_> = unsafe {
        (0..ffi::PyTuple_Size(arguments))
            .map(|n| ffi::PyTuple_GetItem(arguments, n))
            .collect()
    };
    match body(&values) {
        Ok(value) => value.into_raw(),
        Err(message) => {
            // SAFETY: the GIL is held; an exception that is set already stays.
            unsafe {
                if ffi::PyErr_Occurred().is_null() {
                    let message = CString::new(message).unwrap_or_default();
                    ffi::PyErr_SetString(ffi::PyExc_RuntimeError, message.as_ptr());
                }
            }
            ptr::null_mut()
        }
    }
}

unsafe extern "C" fn fill(module: *mut PyObject) -> c_int {
    for (index, (name, _)) in FUNCTIONS.iter().enumerate() {
        let name = CString::new(*name).expect("no null byte");
        // SAFETY: plain calls of the C API; names and definitions live as long as the process.
        let added = unsafe {
            let definition = Box::leak(Box::new(ffi::PyMethodDef {
                ml_name: name.into_raw().cast::<c_char>(),
                ml_meth: ffi::PyMethodDefPointer { PyCFunction: call },
                ml_flags: ffi::METH_VARARGS,
                ml_doc: ptr::null(),
            }));
            let function =
                ffi::PyCFunction_NewEx(definition, int(index as i64).as_ptr(), ptr::null_mut());
            ffi::PyModule_AddObject(module, definition.ml_name, function)
        };
        if added != 0 {
            return -1;
        }
    }
    0
}

/// The module's entry.
#[unsafe(no_mangle)]
pub extern "C" fn PyInit_live_probe() -> *mut PyObject {
    let definition = Box::leak(Box::new(ffi::PyModuleDef {
        m_base: ffi::PyModuleDef_HEAD_INIT,
        m_name: c"live_probe".as_ptr(),
        m_doc: ptr::null(),
        m_size: -1,
        m_methods: ptr::null_mut(),
        m_slots: ptr::null_mut(),
        m_traverse: None,
        m_clear: None,
        m_free: None,
    }));
    // SAFETY: the definition lives as long as the process.
    unsafe {
        let module = ffi::PyModule_Create2(definition, ffi::PYTHON_ABI_VERSION);
        if !module.is_null() && fill(module) != 0 {
            ffi::Py_DECREF(module);
            return ptr::null_mut();
        }
        module
    }
}
