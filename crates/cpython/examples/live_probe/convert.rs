//! Values of the scripts.

use serigraph_cpython::Owned;
use serigraph_cpython::code::CodeRef;
use serigraph_cpython::ffi::{self, PyObject};

pub fn none() -> Owned {
    // SAFETY: None is a valid object.
    unsafe { Owned::from_borrowed(ffi::Py_None()) }.expect("None")
}

pub fn int(value: i64) -> Owned {
    // SAFETY: the GIL is held.
    unsafe { Owned::from_raw(ffi::PyLong_FromLongLong(value)) }.expect("memory")
}

pub fn text(value: &str) -> Owned {
    // SAFETY: the GIL is held; the bytes are valid UTF-8.
    unsafe {
        Owned::from_raw(ffi::PyUnicode_FromStringAndSize(
            value.as_ptr().cast(),
            value.len() as isize,
        ))
    }
    .expect("memory")
}

pub fn list(values: impl IntoIterator<Item = Owned>) -> Owned {
    // SAFETY: the GIL is held; appending takes its own reference.
    unsafe {
        let list = Owned::from_raw(ffi::PyList_New(0)).expect("memory");
        for value in values {
            ffi::PyList_Append(list.as_ptr(), value.as_ptr());
        }
        list
    }
}

pub fn int_of(value: *mut PyObject) -> i64 {
    // SAFETY: a valid object of the script.
    unsafe { ffi::PyLong_AsLongLong(value) }
}

pub fn code_of(value: *mut PyObject) -> Result<CodeRef, String> {
    // SAFETY: a valid object of the script, which keeps it alive.
    unsafe { CodeRef::from_object(value) }.ok_or_else(|| String::from("not a code object"))
}
