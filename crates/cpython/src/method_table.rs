//! The functions of modules in C stand in tables of static data, where we can put ourselves before one of them. They are never
//! put back: another interpreter's thread may be inside.

use std::ffi::{CStr, c_char, c_int, c_void};

use crate::ffi::{self, PyObject};
use crate::memory::read;
use crate::refs::type_of;

/// A function that is called with `METH_FASTCALL`.
pub(crate) type FastFunction =
    unsafe extern "C" fn(*mut PyObject, *const *mut PyObject, isize) -> *mut PyObject;

/// `PyMethodDef` (`Include/methodobject.h`), with the function as an address.
#[repr(C)]
pub(crate) struct MethodDef {
    name: *const c_char,
    pub(crate) function: *mut c_void,
    flags: c_int,
    doc: *const c_char,
}

/// The table entry behind a function, if it has that name and is called in the way we know.
///
/// # Safety
/// `function` is an object; the GIL is held.
pub(crate) unsafe fn definition(
    function: *mut PyObject,
    name: &CStr,
    flags: c_int,
) -> Option<*mut MethodDef> {
    // SAFETY: by the caller's promise; `m_ml` follows the header of a built-in function (`Include/cpython/methodobject.h`).
    unsafe {
        if type_of(function) != (&raw mut ffi::PyCFunction_Type).cast() {
            return None;
        }
        let definition: *mut MethodDef = read(function.cast(), 16);
        (CStr::from_ptr((*definition).name) == name && (*definition).flags == flags)
            .then_some(definition)
    }
}
