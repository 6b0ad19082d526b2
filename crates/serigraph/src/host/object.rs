//! Looking at objects while recording: types, values, dict entries.
//!
//! All functions take addresses of live objects: the recorder holds a reference to each object it works on, or has just read
//! it out of one, under the GIL. [`Types`] are the built-in types the recorder knows; they are static and never die.

use std::ffi::CStr;
use std::ptr::null_mut;
use std::sync::atomic::{AtomicPtr, Ordering};

use serigraph_cpython::code::CodeRef;
use serigraph_cpython::ffi::{self, PyObject};
use serigraph_cpython::refs::{decref, is_immortal, ref_count, type_of};
use serigraph_cpython::{Owned, api, barrier, layout};
use serigraph_uops::layout as common;

use super::{bits, object};

mod class;
mod dict;
mod instance;
mod types;

pub(super) use class::new_instance;
pub use class::{
    Attribute, Kept, attribute, class_attribute, dict_offset, has_generic_getattr,
    has_generic_setattr, is_data_descriptor, is_descriptor, is_immutable_class, is_plain_class,
    is_subtype, lookup_name, simple_class, type_lookup,
};
pub use dict::{Entry, SHAPE, find_entry, find_value};
pub(super) use instance::add_value;
pub use instance::{has_dict_object, has_values, instance_value};
pub use types::Types;

/// The type of an object.
#[inline]
pub fn type_address(o: u64) -> u64 {
    // SAFETY: a live object (see the head of this file).
    bits(unsafe { type_of(object(o)) })
}

/// Whether an object is immortal.
#[inline]
pub fn immortal(o: u64) -> bool {
    // SAFETY: a live object.
    unsafe { is_immortal(object(o)) }
}

/// The reference count of an object; of an immortal one, more than any other.
#[inline]
pub fn references(o: u64) -> u64 {
    // SAFETY: a live object.
    unsafe {
        if is_immortal(object(o)) {
            u64::MAX
        } else {
            ref_count(object(o)) as u64
        }
    }
}

/// A 64-bit field.
#[inline]
pub fn word(o: u64, offset: usize) -> u64 {
    // SAFETY: the caller has checked that `o` has a 64-bit field there.
    unsafe { object(o).byte_add(offset).cast::<u64>().read() }
}

/// The value of an exact float.
#[inline]
pub fn float_value(o: u64) -> f64 {
    f64::from_bits(word(o, common::FLOAT_VALUE))
}

/// The address of the int object of a small value (which is immortal), to be used as a constant.
pub fn small_int(value: i32) -> u64 {
    debug_assert!((-5..=256).contains(&value));
    // SAFETY: the interpreter keeps small ints for ever, so the reference that is dropped here is not the last.
    unsafe {
        let result = ffi::PyLong_FromLong(value.into());
        decref(result);
        bits(result)
    }
}

/// `None`.
#[inline]
pub fn none() -> u64 {
    // SAFETY: gives the address of a static object.
    bits(unsafe { ffi::Py_None() })
}

/// `NotImplemented`.
#[inline]
pub fn not_implemented() -> u64 {
    // SAFETY: gives the address of a static object.
    bits(unsafe { ffi::Py_NotImplemented() })
}

/// `True` or `False`.
#[inline]
pub fn boolean(value: bool) -> u64 {
    // SAFETY: gives the address of a static object.
    bits(unsafe {
        if value {
            ffi::Py_True()
        } else {
            ffi::Py_False()
        }
    })
}

/// The address of a table of `False` and `True`, for `box_bool`.
pub fn bool_table() -> u64 {
    static TABLE: [AtomicPtr<PyObject>; 2] =
        [AtomicPtr::new(null_mut()), AtomicPtr::new(null_mut())];
    TABLE[0].store(object(boolean(false)), Ordering::Relaxed);
    TABLE[1].store(object(boolean(true)), Ordering::Relaxed);
    TABLE.as_ptr().expose_provenance() as u64
}

/// The object that stands for the end of an iterator, borrowed; nobody else ever sees it. `None`: no memory.
pub fn exhausted_mark() -> Option<u64> {
    static MARK: AtomicPtr<PyObject> = AtomicPtr::new(null_mut());
    let mut mark = MARK.load(Ordering::Relaxed);
    if mark.is_null() {
        // SAFETY: makes an `object()`, which is kept for ever; the GIL is held.
        mark = unsafe { ffi::PyObject_CallNoArgs((&raw mut ffi::PyBaseObject_Type).cast()) };
        MARK.store(mark, Ordering::Relaxed);
    }
    (!mark.is_null()).then(|| bits(mark))
}

/// An empty tuple and an empty dict, borrowed, that stand for what a call has unpacked; nobody else ever has the dict. `None`: no
/// memory.
pub fn nothing_to_unpack() -> Option<[u64; 2]> {
    static DICT: AtomicPtr<PyObject> = AtomicPtr::new(null_mut());
    // SAFETY: both are kept for ever (there is one empty tuple); the GIL is held, and nobody is to know of a refusal.
    unsafe {
        let mut dict = DICT.load(Ordering::Relaxed);
        if dict.is_null() {
            dict = ffi::PyDict_New();
            DICT.store(dict, Ordering::Relaxed);
        }
        let tuple = ffi::PyTuple_New(0);
        if dict.is_null() || tuple.is_null() {
            ffi::PyErr_Clear();
            return None;
        }
        decref(tuple);
        Some([tuple, dict].map(bits))
    }
}

/// A new reference to that object, or null with an exception set.
pub(super) fn exhausted() -> *mut PyObject {
    // SAFETY: the mark is a live object, kept for ever.
    exhausted_mark().map_or(null_mut(), |mark| unsafe { ffi::Py_NewRef(object(mark)) })
}

fn type_slot<F: Copy>(o: *mut PyObject, offset: usize) -> Option<F> {
    const { assert!(size_of::<F>() == size_of::<usize>()) };
    // SAFETY: types have a function pointer or null at these offsets (checked at start).
    unsafe { type_of(o).byte_add(offset).cast::<Option<F>>().read() }
}

/// `tp_iternext` of an object's type.
pub fn iternext(o: *mut PyObject) -> Option<unsafe extern "C" fn(*mut PyObject) -> *mut PyObject> {
    type_slot(o, layout().type_object.iternext)
}

/// Whether an object's type has `tp_iter`.
pub fn has_iter(o: *mut PyObject) -> bool {
    type_slot::<unsafe extern "C" fn()>(o, layout().type_object.iter).is_some()
}

/// An interned string; `None` if there is no memory.
pub fn interned(name: &CStr) -> Option<Owned> {
    // SAFETY: a terminated string; the GIL is held.
    unsafe {
        let name = Owned::from_raw(ffi::PyUnicode_InternFromString(name.as_ptr()));
        if name.is_none() {
            ffi::PyErr_Clear();
        }
        name
    }
}

/// The dict of a module.
pub fn module_dict(o: u64) -> u64 {
    word(o, layout().module.dict)
}

/// Whether an object is a module (exactly).
pub fn is_module(o: u64) -> bool {
    type_address(o) == bits((&raw mut ffi::PyModule_Type).cast())
}

/// A Python function as the recorder sees it.
#[derive(Clone, Copy, Debug)]
pub struct Function {
    /// Its code.
    pub code: CodeRef,
    /// Its globals.
    pub globals: u64,
    /// Its builtins.
    pub builtins: u64,
    /// The tuple of defaults, or 0.
    pub defaults: u64,
    /// The tuple of cells, or 0.
    pub closure: u64,
    /// The entry.
    pub vectorcall: u64,
}

impl Function {
    /// The fields of a Python function.
    pub fn of(function: u64) -> Function {
        let fields = &layout().function;
        Function {
            // SAFETY: a function's code is a code object that lives as long as the function has it.
            code: unsafe { CodeRef::from_raw(object(word(function, fields.code))) },
            globals: word(function, fields.globals),
            builtins: word(function, fields.builtins),
            defaults: word(function, fields.defaults),
            closure: word(function, fields.closure),
            vectorcall: word(function, fields.vectorcall),
        }
    }
}

/// Gives a new function the version of its code, as `MAKE_FUNCTION` does.
///
/// # Safety
/// A Python function that nobody has called, and its code.
pub(super) unsafe fn give_version(function: *mut PyObject, code: *mut PyObject) {
    // SAFETY: by the caller's promise.
    unsafe {
        let version = CodeRef::from_raw(code).version();
        match api().function_set_version {
            Some(set) => set(function, version),
            None => function
                .byte_add(layout().function.version)
                .cast::<u32>()
                .write(version),
        }
    }
}

/// A method that is looked up on the type, bound: a new reference, null if there is none; `None` if an exception was raised.
///
/// # Safety
/// A live object.
pub(super) unsafe fn special(o: *mut PyObject, name: &CStr) -> Option<*mut PyObject> {
    // SAFETY: by the caller's promise; the name is interned, and what the type has is held while it is bound.
    unsafe {
        let name = ffi::PyUnicode_InternFromString(name.as_ptr());
        if name.is_null() {
            return None;
        }
        let found = type_lookup(type_address(bits(o)), bits(name));
        decref(name);
        if found == 0 {
            return Some(null_mut());
        }
        let found = ffi::Py_NewRef(object(found));
        let Some(get) = type_slot::<ffi::descrgetfunc>(found, layout().type_object.descr_get)
        else {
            return Some(found);
        };
        let words = [found, o, type_of(o), null_mut()].map(|word| word.expose_provenance());
        let bound = object(barrier::call(get as *const (), words) as u64);
        decref(found);
        (!bound.is_null()).then_some(bound)
    }
}

/// Number of items of a tuple or list.
#[inline]
pub fn size(o: u64) -> i64 {
    word(o, common::VAR_SIZE) as i64
}

/// An item of a tuple; the index is in range.
#[inline]
pub fn tuple_item(o: u64, index: usize) -> u64 {
    word(o, common::TUPLE_ITEMS + 8 * index)
}

/// Sets an exception with this text.
pub fn raise(kind: *mut PyObject, text: &str) {
    // SAFETY: a type of exception; the text's bytes live through the call.
    unsafe {
        let text = ffi::PyUnicode_FromStringAndSize(text.as_ptr().cast(), text.len() as isize);
        if !text.is_null() {
            ffi::PyErr_SetObject(kind, text);
            decref(text);
        }
    }
}

/// The name of an object's type, as it stands in texts of exceptions.
///
/// # Safety
/// A live object.
pub unsafe fn type_name(o: *mut PyObject) -> String {
    // SAFETY: `tp_name` of a live object's type is a terminated string.
    unsafe {
        let name = type_of(o)
            .byte_add(layout().type_object.name)
            .cast::<*const std::ffi::c_char>()
            .read();
        if name.is_null() {
            "?".into()
        } else {
            CStr::from_ptr(name).to_string_lossy().into()
        }
    }
}

/// Sets an exception whose text has the name of an object's type in it.
pub fn raise_with_type_name(kind: *mut PyObject, before: &str, o: *mut PyObject, after: &str) {
    // SAFETY: the callers pass live objects.
    let name = unsafe { type_name(o) };
    raise(kind, &format!("{before}{name}{after}"));
}

/// An address as a pointer, for the engine's tables.
#[inline]
pub fn pointer(o: u64) -> *mut PyObject {
    object(o)
}

/// A new reference to an object.
pub fn owned(o: u64) -> Option<Owned> {
    // SAFETY: a live object, and the GIL is held.
    unsafe { Owned::from_borrowed(object(o)) }
}

/// A pointer as an address.
#[inline]
pub fn address(o: *mut PyObject) -> u64 {
    bits(o)
}

/// The function of a bound method; `None` for anything else.
pub fn method_function(o: u64) -> Option<u64> {
    let is_method = type_address(o) == address(serigraph_cpython::api().method_type);
    is_method.then(|| word(o, layout().method.function))
}
