//! What the optimiser asks about the running interpreter's types and constants.

use std::ffi::c_int;

use serigraph_cpython::ffi::{self, PyObject};
use serigraph_cpython::refs;
use serigraph_trace::opt::HostTypes;

use crate::host::object::{self, Types};

fn pointer(address: u64) -> *mut PyObject {
    std::ptr::with_exposed_provenance_mut(address as usize)
}

fn address(object: *mut PyObject) -> u64 {
    object.expose_provenance() as u64
}

fn type_of(object: u64) -> u64 {
    // SAFETY: the optimiser asks about constants of the trace, which are alive.
    address(unsafe { refs::type_of(pointer(object)) })
}

fn int_value(object: u64) -> Option<i64> {
    let mut overflow: c_int = 0;
    // SAFETY: as above; the constant is an exact int.
    let value = unsafe { ffi::PyLong_AsLongLongAndOverflow(pointer(object), &mut overflow) };
    (overflow == 0).then_some(value)
}

fn float_value(object: u64) -> f64 {
    // SAFETY: as above; the constant is an exact float.
    unsafe { ffi::PyFloat_AsDouble(pointer(object)) }
}

fn small_int(value: i64) -> Option<u64> {
    if !(-5..=256).contains(&value) {
        return None;
    }
    Some(object::small_int(value as i32))
}

fn is_immortal(object: u64) -> bool {
    // SAFETY: as above.
    unsafe { refs::is_immortal(pointer(object)) }
}

/// Of the running interpreter. The GIL must be held.
pub fn host_types() -> HostTypes {
    let types = Types::new();
    // SAFETY: static objects of the interpreter.
    let (none, true_, false_) = unsafe { (ffi::Py_None(), ffi::Py_True(), ffi::Py_False()) };
    HostTypes {
        int: types.int,
        float: types.float,
        bool_: types.bool,
        none_type: types.none,
        str_: types.str,
        list: types.list,
        tuple: types.tuple,
        range: types.range,
        range_iterator: types.range_iterator,
        list_iterator: types.list_iterator,
        tuple_iterator: types.tuple_iterator,
        none: address(none),
        true_: address(true_),
        false_: address(false_),
        bool_table: object::bool_table(),
        type_of,
        int_value,
        float_value,
        small_int,
        is_immortal,
    }
}
