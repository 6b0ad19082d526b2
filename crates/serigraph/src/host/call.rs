//! Calls of Python functions as the interpreter makes them: the frame of the callee takes the callable and the arguments over, so
//! that they die when it lets go of them.
//!
//! The entry of Python functions takes references of its own before it does anything else. So those of the caller are taken
//! off the counts just before, also where they are the last.

use std::ptr::{self, null_mut};

use serigraph_cpython::ffi::{self, PyObject};
use serigraph_cpython::refs::{decref, incref, lend_last, type_of, xdecref};
use serigraph_cpython::{api, barrier, layout};

use super::helpers::count;
use super::known::function_entry;

type Object = *mut PyObject;
type Entry = unsafe extern "C" fn(Object, *const Object, usize, Object) -> Object;

/// The entry of a Python function that has the usual one.
///
/// # Safety
/// A live object.
unsafe fn python_entry(callable: Object) -> Option<Entry> {
    // SAFETY: the field of a function, where it is one; null is no entry.
    unsafe {
        if type_of(callable) != api().function_type {
            return None;
        }
        let entry = callable
            .byte_add(layout().function.vectorcall)
            .cast::<Option<Entry>>()
            .read()?;
        (Some(entry as usize as u64) == function_entry()).then_some(entry)
    }
}

/// Calls the entry of a Python function.
///
/// # Safety
/// As vectorcall has it.
unsafe fn enter(
    entry: Entry,
    callable: Object,
    args: *const Object,
    n: usize,
    names: Object,
) -> Object {
    let words = [
        callable.expose_provenance(),
        args.expose_provenance(),
        n,
        names.expose_provenance(),
    ];
    // SAFETY: by the caller's promise.
    ptr::with_exposed_provenance_mut(unsafe { barrier::call(entry as *const (), words) })
}

/// Calls an object with arguments, all of whose references it takes over.
///
/// # Safety
/// `n` live arguments, the last of them for the names, if there are any.
unsafe fn call_taking(callable: Object, args: *const Object, n: usize, names: Object) -> Object {
    // SAFETY: by the caller's promise; after the last use of an object its reference is given up.
    unsafe {
        if type_of(callable) == api().method_type {
            // The interpreter takes a bound method apart before the call.
            let field = |offset: usize| callable.byte_add(offset).cast::<Object>().read();
            let function = field(layout().method.function);
            let own = field(layout().method.self_object);
            incref(function);
            incref(own);
            let mut all = Vec::with_capacity(n + 1);
            all.push(own);
            all.extend((0..n).map(|i| *args.add(i)));
            decref(callable);
            return call_taking(function, all.as_ptr(), n + 1, names);
        }
        let named = if names.is_null() {
            0
        } else {
            ffi::PyTuple_Size(names).max(0) as usize
        };
        let positional = n - named.min(n);
        if let Some(entry) = python_entry(callable) {
            for i in 0..n {
                lend_last(*args.add(i));
            }
            lend_last(callable);
            return enter(entry, callable, args, positional, names);
        }
        let result = ffi::PyObject_Vectorcall(callable, args, positional, names);
        decref(callable);
        for i in 0..n {
            decref(*args.add(i));
        }
        result
    }
}

/// `callable(*args)`: the callable and the arguments, all taken over.
pub(super) unsafe extern "C" fn call_python(args: *const Object) -> Object {
    // SAFETY: live objects, ended by a null.
    unsafe { call_taking(*args, args.add(1), count(args.add(1)), null_mut()) }
}

/// The same with names: the callable, the tuple of names (borrowed), the arguments.
pub(super) unsafe extern "C" fn call_python_keywords(args: *const Object) -> Object {
    // SAFETY: live objects, ended by a null; at least as many arguments as names.
    unsafe { call_taking(*args, args.add(2), count(args.add(2)), *args.add(1)) }
}

/// `callable(*tuple, **dict)`: the callable, the tuple, the dict or null, all taken over.
pub(super) unsafe extern "C" fn call_python_ex(args: *const Object) -> Object {
    // SAFETY: a callable, an exact tuple, and an exact dict or null.
    unsafe {
        let (callable, tuple, dict) = (*args, *args.add(1), *args.add(2));
        if let Some(entry) = python_entry(callable)
            && let Some((all, names)) = unpacked(tuple, dict)
        {
            let positional = ffi::PyTuple_Size(tuple).max(0) as usize;
            decref(tuple);
            xdecref(dict);
            for &argument in &all {
                lend_last(argument);
            }
            lend_last(callable);
            let result = enter(entry, callable, all.as_ptr(), positional, names);
            xdecref(names);
            return result;
        }
        let result = ffi::PyObject_Call(callable, tuple, dict);
        decref(callable);
        decref(tuple);
        xdecref(dict);
        result
    }
}

/// The arguments in a tuple and a dict with a reference to each, and a new tuple of the names (null if there are none); `None` if
/// the names are not all strings.
///
/// # Safety
/// An exact tuple, and an exact dict or null.
unsafe fn unpacked(tuple: Object, dict: Object) -> Option<(Vec<Object>, Object)> {
    // SAFETY: by the caller's promise; nothing here runs other code, so the dict stays as it is.
    unsafe {
        let n = ffi::PyTuple_Size(tuple).max(0);
        let named = if dict.is_null() {
            0
        } else {
            ffi::PyDict_Size(dict).max(0)
        };
        let mut all: Vec<Object> = (0..n).map(|i| ffi::PyTuple_GetItem(tuple, i)).collect();
        let mut names = null_mut();
        if named > 0 {
            names = ffi::PyTuple_New(named);
            if names.is_null() {
                ffi::PyErr_Clear();
                return None;
            }
            let (mut at, mut key, mut value) = (0, ptr::null_mut(), ptr::null_mut());
            for i in 0..named {
                if ffi::PyDict_Next(dict, &raw mut at, &raw mut key, &raw mut value) == 0
                    || ffi::PyUnicode_Check(key) == 0
                {
                    decref(names);
                    return None;
                }
                incref(key);
                ffi::PyTuple_SetItem(names, i, key);
                all.push(value);
            }
        }
        for &argument in &all {
            incref(argument);
        }
        Some((all, names))
    }
}
