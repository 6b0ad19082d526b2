//! Unpacking an iterable into a tuple of its items.

use std::ptr::null_mut;

use serigraph_cpython::ffi;
use serigraph_cpython::refs::decref;

use super::super::object;
use super::Object;

/// `_PyEval_UnpackIterable` without a star: exactly `expected` (an int) items.
pub(super) unsafe extern "C" fn unpack(iterable: Object, expected: Object) -> Object {
    // SAFETY: a live object and an exact int.
    unsafe {
        let n = ffi::PyLong_AsSsize_t(expected);
        let iterator = unpacked_iterator(iterable);
        if iterator.is_null() {
            return null_mut();
        }
        let result = unpack_iterator(iterator, n);
        decref(iterator);
        result
    }
}

/// Arguments: iterable, the number of items before the list, and after it.
pub(super) unsafe extern "C" fn unpack_ex(args: *const Object) -> Object {
    // SAFETY: a live object and two exact ints.
    unsafe {
        let iterable = *args;
        let before = ffi::PyLong_AsSsize_t(*args.add(1));
        let after = ffi::PyLong_AsSsize_t(*args.add(2));
        let iterator = unpacked_iterator(iterable);
        if iterator.is_null() {
            return null_mut();
        }
        let result = unpack_around(iterator, before, after);
        decref(iterator);
        result
    }
}

/// The iterator of what is to be unpacked, or null with an exception set.
///
/// # Safety
/// A live object.
pub(super) unsafe fn unpacked_iterator(iterable: Object) -> Object {
    // SAFETY: by the caller's promise.
    unsafe {
        let iterator = ffi::PyObject_GetIter(iterable);
        if iterator.is_null()
            && ffi::PyErr_ExceptionMatches(ffi::PyExc_TypeError) != 0
            && !object::has_iter(iterable)
            && ffi::PySequence_Check(iterable) == 0
        {
            ffi::PyErr_Clear();
            object::raise_with_type_name(
                ffi::PyExc_TypeError,
                "cannot unpack non-iterable ",
                iterable,
                " object",
            );
        }
        iterator
    }
}

/// # Safety
/// `iterator` is an iterator, and no exception is set.
pub(super) unsafe fn unpack_iterator(iterator: Object, n: isize) -> Object {
    // SAFETY: by the caller's promise; the tuple is new and has room for n items.
    unsafe {
        let tuple = ffi::PyTuple_New(n);
        if tuple.is_null() {
            return null_mut();
        }
        for i in 0..n {
            let item = ffi::PyIter_Next(iterator);
            if item.is_null() {
                if ffi::PyErr_Occurred().is_null() {
                    object::raise(
                        ffi::PyExc_ValueError,
                        &format!("not enough values to unpack (expected {n}, got {i})"),
                    );
                }
                decref(tuple);
                return null_mut();
            }
            ffi::PyTuple_SetItem(tuple, i, item);
        }
        let more = ffi::PyIter_Next(iterator);
        if !more.is_null() {
            decref(more);
            object::raise(
                ffi::PyExc_ValueError,
                &format!("too many values to unpack (expected {n})"),
            );
        }
        if !ffi::PyErr_Occurred().is_null() {
            decref(tuple);
            return null_mut();
        }
        tuple
    }
}

/// # Safety
/// As [`unpack_iterator`].
pub(super) unsafe fn unpack_around(iterator: Object, before: isize, after: isize) -> Object {
    // SAFETY: the address of a static type of exception.
    let value_error = unsafe { ffi::PyExc_ValueError };
    let too_few = |got: isize| {
        let wanted = before + after;
        object::raise(
            value_error,
            &format!("not enough values to unpack (expected at least {wanted}, got {got})"),
        );
    };
    // SAFETY: by the caller's promise; the tuple is new and has room for all.
    unsafe {
        let tuple = ffi::PyTuple_New(before + 1 + after);
        if tuple.is_null() {
            return null_mut();
        }
        for i in 0..before {
            let item = ffi::PyIter_Next(iterator);
            if item.is_null() {
                if ffi::PyErr_Occurred().is_null() {
                    too_few(i);
                }
                decref(tuple);
                return null_mut();
            }
            ffi::PyTuple_SetItem(tuple, i, item);
        }
        let list = ffi::PySequence_List(iterator);
        if list.is_null() {
            decref(tuple);
            return null_mut();
        }
        ffi::PyTuple_SetItem(tuple, before, list);
        let length = ffi::PyList_Size(list);
        if length < after {
            too_few(before + length);
            decref(tuple);
            return null_mut();
        }
        for i in 0..after {
            let item = ffi::PyList_GetItem(list, length - after + i);
            ffi::PyTuple_SetItem(tuple, before + 1 + i, ffi::Py_NewRef(item));
        }
        if ffi::PyList_SetSlice(list, length - after, length, null_mut()) < 0 {
            decref(tuple);
            return null_mut();
        }
        tuple
    }
}
