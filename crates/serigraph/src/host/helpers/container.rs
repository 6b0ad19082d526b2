//! Containers: making them of arguments, adding others' items to them, slices.

use std::ffi::c_int;
use std::ptr::{self, null_mut};

use serigraph_cpython::ffi;
use serigraph_cpython::refs::{decref, type_of};

use super::super::object;
use super::{Object, call_method, count, none};

pub(super) unsafe extern "C" fn build_tuple(args: *const Object) -> Object {
    // SAFETY: live objects ended by a null; the tuple is new and has room for them.
    unsafe {
        let n = count(args);
        let tuple = ffi::PyTuple_New(n as isize);
        if tuple.is_null() {
            return null_mut();
        }
        for i in 0..n {
            ffi::PyTuple_SetItem(tuple, i as isize, ffi::Py_NewRef(*args.add(i)));
        }
        tuple
    }
}

pub(super) unsafe extern "C" fn build_list(args: *const Object) -> Object {
    // SAFETY: as `build_tuple`.
    unsafe {
        let n = count(args);
        let list = ffi::PyList_New(n as isize);
        if list.is_null() {
            return null_mut();
        }
        for i in 0..n {
            ffi::PyList_SetItem(list, i as isize, ffi::Py_NewRef(*args.add(i)));
        }
        list
    }
}

pub(super) unsafe extern "C" fn build_set(args: *const Object) -> Object {
    // SAFETY: live objects ended by a null.
    unsafe {
        let set = ffi::PySet_New(null_mut());
        if set.is_null() {
            return null_mut();
        }
        for i in 0..count(args) {
            if ffi::PySet_Add(set, *args.add(i)) < 0 {
                decref(set);
                return null_mut();
            }
        }
        set
    }
}

pub(super) unsafe extern "C" fn build_map(args: *const Object) -> Object {
    // SAFETY: live objects ended by a null, an even number of them.
    unsafe {
        let dict = ffi::PyDict_New();
        if dict.is_null() {
            return null_mut();
        }
        for i in (0..count(args)).step_by(2) {
            if ffi::PyDict_SetItem(dict, *args.add(i), *args.add(i + 1)) < 0 {
                decref(dict);
                return null_mut();
            }
        }
        dict
    }
}

pub(super) unsafe extern "C" fn build_const_key_map(args: *const Object) -> Object {
    // SAFETY: live objects ended by a null; the last is a tuple of as many keys as there are values before it.
    unsafe {
        let Some(values) = count(args).checked_sub(1) else {
            return null_mut();
        };
        let keys = *args.add(values);
        let dict = ffi::PyDict_New();
        if dict.is_null() {
            return null_mut();
        }
        for i in 0..values {
            let key = ffi::PyTuple_GetItem(keys, i as isize);
            if key.is_null() || ffi::PyDict_SetItem(dict, key, *args.add(i)) < 0 {
                decref(dict);
                return null_mut();
            }
        }
        dict
    }
}

pub(super) unsafe extern "C" fn build_string(args: *const Object) -> Object {
    // SAFETY: strings ended by a null.
    unsafe {
        let pieces = build_tuple(args);
        if pieces.is_null() {
            return null_mut();
        }
        let empty = ffi::PyUnicode_FromStringAndSize(ptr::null(), 0);
        let result = if empty.is_null() {
            null_mut()
        } else {
            ffi::PyUnicode_Join(empty, pieces)
        };
        ffi::Py_XDECREF(empty);
        decref(pieces);
        result
    }
}

/// Arguments: start, stop[, step].
pub(super) unsafe extern "C" fn build_slice(args: *const Object) -> Object {
    // SAFETY: two or three live objects ended by a null, which stands for no step.
    unsafe { ffi::PySlice_New(*args, *args.add(1), *args.add(2)) }
}

pub(super) unsafe extern "C" fn list_extend(list: Object, iterable: Object) -> c_int {
    // SAFETY: an exact list and a live object.
    unsafe {
        let kind = type_of(iterable);
        if kind == &raw mut ffi::PyList_Type as Object
            || kind == &raw mut ffi::PyTuple_Type as Object
        {
            let end = ffi::PyList_Size(list);
            return ffi::PyList_SetSlice(list, end, end, iterable);
        }
        let result = call_method(list, c"extend", iterable);
        if !result.is_null() {
            decref(result);
            return 0;
        }
        if ffi::PyErr_ExceptionMatches(ffi::PyExc_TypeError) != 0
            && !object::has_iter(iterable)
            && ffi::PySequence_Check(iterable) == 0
        {
            ffi::PyErr_Clear();
            object::raise_with_type_name(
                ffi::PyExc_TypeError,
                "Value after * must be an iterable, not ",
                iterable,
                "",
            );
        }
        -1
    }
}

pub(super) unsafe extern "C" fn set_update(set: Object, iterable: Object) -> c_int {
    // SAFETY: an exact set and a live object.
    unsafe {
        let result = call_method(set, c"update", iterable);
        if result.is_null() {
            return -1;
        }
        decref(result);
    }
    0
}

pub(super) unsafe extern "C" fn dict_merge(dict: Object, update: Object) -> c_int {
    // SAFETY: two exact dicts; with keys that are strings, nothing here runs code.
    unsafe {
        let (mut at, mut key) = (0, null_mut());
        while ffi::PyDict_Next(update, &mut at, &mut key, null_mut()) != 0 {
            if type_of(key) != &raw mut ffi::PyUnicode_Type as Object {
                return 0;
            }
        }
        at = 0;
        while ffi::PyDict_Next(dict, &mut at, &mut key, null_mut()) != 0 {
            if type_of(key) != &raw mut ffi::PyUnicode_Type as Object {
                return 0;
            }
            match ffi::PyDict_Contains(update, key) {
                0 => {}
                1 => return 0,
                _ => return -1,
            }
        }
        if ffi::PyDict_Update(dict, update) < 0 {
            -1
        } else {
            1
        }
    }
}

pub(super) unsafe extern "C" fn dict_update(dict: Object, update: Object) -> c_int {
    // SAFETY: an exact dict and a live object.
    unsafe {
        let status = ffi::PyDict_Update(dict, update);
        if status < 0 && ffi::PyErr_ExceptionMatches(ffi::PyExc_AttributeError) != 0 {
            ffi::PyErr_Clear();
            object::raise_with_type_name(
                ffi::PyExc_TypeError,
                "'",
                update,
                "' object is not a mapping",
            );
        }
        status
    }
}

pub(super) unsafe extern "C" fn get_slice(
    container: Object,
    start: Object,
    stop: Object,
) -> Object {
    // SAFETY: live objects, by the contract of helpers.
    unsafe {
        let slice = ffi::PySlice_New(start, stop, null_mut());
        if slice.is_null() {
            return null_mut();
        }
        let result = ffi::PyObject_GetItem(container, slice);
        decref(slice);
        result
    }
}

/// Arguments: container, start, stop.
pub(super) unsafe extern "C" fn get_slice_plain(args: *const Object) -> Object {
    // SAFETY: three live objects, by the contract of helpers.
    unsafe { get_slice(*args, *args.add(1), *args.add(2)) }
}

/// Arguments: value, container, start, stop. The result is `None`.
pub(super) unsafe extern "C" fn set_slice(args: *const Object) -> Object {
    // SAFETY: four live objects, by the contract of helpers.
    unsafe {
        let slice = ffi::PySlice_New(*args.add(2), *args.add(3), null_mut());
        if slice.is_null() {
            return null_mut();
        }
        let status = ffi::PyObject_SetItem(*args.add(1), slice, *args);
        decref(slice);
        if status < 0 { null_mut() } else { none() }
    }
}
