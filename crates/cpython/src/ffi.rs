//! The C API. What may run Python code, or give the GIL up, is called behind a frame at which a thread that is ended stops being
//! unwound (see [`crate::barrier`]); [`direct`] has the functions themselves, for machine code, whose frames are such ones too.

#![allow(
    non_snake_case,
    missing_docs,
    reason = "names and meaning are those of the C API"
)]

use std::arch::naked_asm;
use std::ffi::{c_char, c_int};

pub use pyo3_ffi as direct;
pub use pyo3_ffi::*;

type Object = *mut PyObject;

macro_rules! behind_barrier {
    ($( $name:ident($($arg:ident: $type:ty),*) $(-> $ret:ty)?; )*) => { $(
        /// Of the C API, behind the barrier.
        ///
        /// # Safety
        /// As the C API says.
        #[unsafe(naked)]
        pub unsafe extern "C" fn $name($($arg: $type),*) $(-> $ret)? {
            naked_asm!(
                "push rbp",
                "mov rbp, rsp",
                "call [rip + {function}@GOTPCREL]",
                "pop rbp",
                "ret",
                function = sym pyo3_ffi::$name,
            )
        }
    )* };
}

behind_barrier! {
    PyDict_Clear(dict: Object);
    PyDict_Contains(dict: Object, key: Object) -> c_int;
    PyDict_GetItemString(dict: Object, key: *const c_char) -> Object;
    PyDict_GetItemWithError(dict: Object, key: Object) -> Object;
    PyDict_SetItem(dict: Object, key: Object, value: Object) -> c_int;
    PyDict_SetItemString(dict: Object, key: *const c_char, value: Object) -> c_int;
    PyDict_Update(dict: Object, other: Object) -> c_int;
    PyErr_Clear();
    PyErr_SetObject(kind: Object, value: Object);
    PyErr_SetString(kind: Object, text: *const c_char);
    PyEval_EvalCode(code: Object, globals: Object, locals: Object) -> Object;
    PyImport_ImportModule(name: *const c_char) -> Object;
    PyIter_Next(iterator: Object) -> Object;
    PyList_SetItem(list: Object, index: Py_ssize_t, item: Object) -> c_int;
    PyList_SetSlice(list: Object, from: Py_ssize_t, to: Py_ssize_t, items: Object) -> c_int;
    PyNumber_InPlacePower(a: Object, b: Object, modulus: Object) -> Object;
    PyNumber_Power(a: Object, b: Object, modulus: Object) -> Object;
    PyObject_Call(callable: Object, args: Object, names: Object) -> Object;
    PyObject_CallNoArgs(callable: Object) -> Object;
    PyObject_DelItem(owner: Object, key: Object) -> c_int;
    PyObject_Format(value: Object, spec: Object) -> Object;
    PyObject_GetAttr(owner: Object, name: Object) -> Object;
    PyObject_GetAttrString(owner: Object, name: *const c_char) -> Object;
    PyObject_GetItem(owner: Object, key: Object) -> Object;
    PyObject_GetIter(value: Object) -> Object;
    PyObject_Hash(value: Object) -> Py_hash_t;
    PyObject_IsTrue(value: Object) -> c_int;
    PyObject_RichCompare(a: Object, b: Object, operator: c_int) -> Object;
    PyObject_SetAttr(owner: Object, name: Object, value: Object) -> c_int;
    PyObject_SetAttrString(owner: Object, name: *const c_char, value: Object) -> c_int;
    PyObject_SetItem(owner: Object, key: Object, value: Object) -> c_int;
    PyObject_Size(value: Object) -> Py_ssize_t;
    PyObject_Vectorcall(callable: Object, args: *const Object, flags: usize, names: Object) -> Object;
    PySequence_Contains(owner: Object, value: Object) -> c_int;
    PySequence_List(items: Object) -> Object;
    PySet_Add(set: Object, item: Object) -> c_int;
    PySet_New(items: Object) -> Object;
    PyUnicode_Join(separator: Object, items: Object) -> Object;
}

/// # Safety
/// As [`crate::refs::decref`].
#[inline]
pub unsafe fn Py_DECREF(object: Object) {
    // SAFETY: by the caller's promise.
    unsafe { crate::refs::decref(object) }
}

/// # Safety
/// As [`crate::refs::xdecref`].
#[inline]
pub unsafe fn Py_XDECREF(object: Object) {
    // SAFETY: by the caller's promise.
    unsafe { crate::refs::xdecref(object) }
}
