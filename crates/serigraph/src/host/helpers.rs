//! The C functions that traces call, by number: the immediate of the `call_*` and `leaf_*` uops.
//!
//! A helper has one signature (objects are borrowed, results are new references or null with an exception set):
//! `ObjectN`: N objects to an object; `StatusN`: N objects to a C int, negative with an exception set; `Args`: the
//! address of the outgoing arguments, which end with a null, to an object (some take the references in them over); `Words3`:
//! raw integers to an object; `Float1`, `Float2`: doubles to a double, cannot fail.

use std::ffi::{CStr, c_int};
use std::ptr::{self, null_mut};

use serigraph_cpython::ffi::{self, PyObject, direct};
use serigraph_cpython::refs::decref;
use serigraph_cpython::{api, barrier};

use super::{call, object};

mod container;
mod number;
mod unpack;

type Object = *mut PyObject;

macro_rules! pointer_type {
    (Object1) => { unsafe extern "C" fn(Object) -> Object };
    (Object2) => { unsafe extern "C" fn(Object, Object) -> Object };
    (Object3) => { unsafe extern "C" fn(Object, Object, Object) -> Object };
    (Status1) => { unsafe extern "C" fn(Object) -> c_int };
    (Status2) => { unsafe extern "C" fn(Object, Object) -> c_int };
    (Status3) => { unsafe extern "C" fn(Object, Object, Object) -> c_int };
    (Words3) => { unsafe extern "C" fn(i64, i64, i64) -> Object };
    (Args) => { unsafe extern "C" fn(*const Object) -> Object };
    (Float1) => { extern "C" fn(f64) -> f64 };
    (Float2) => { extern "C" fn(f64, f64) -> f64 };
}

macro_rules! helpers {
    ($( $variant:ident $name:literal $signature:ident $function:expr; )*) => {
        /// A helper; its number is its place in the table.
        #[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
        #[repr(u8)]
        pub enum Helper { $( #[doc = $name] $variant ),* }

        impl Helper {
            /// Every helper, by number.
            pub const ALL: &'static [Helper] = &[ $( Helper::$variant ),* ];

            /// The address of the function.
            pub fn address(self) -> *const () {
                match self { $( Helper::$variant => { let f: pointer_type!($signature) = $function; f as *const () } ),* }
            }
        }
    };
}

impl Helper {
    /// The helper of this number.
    #[inline]
    pub fn from_number(number: u64) -> Option<Helper> {
        Self::ALL.get(number as usize).copied()
    }
    /// Its number.
    #[inline]
    pub fn number(self) -> u64 {
        self as u64
    }
}

helpers! {
    // Binary operators, in the order of their opargs.
    Add "PyNumber_Add" Object2 direct::PyNumber_Add;
    And "PyNumber_And" Object2 direct::PyNumber_And;
    FloorDivide "PyNumber_FloorDivide" Object2 direct::PyNumber_FloorDivide;
    LeftShift "PyNumber_Lshift" Object2 direct::PyNumber_Lshift;
    MatrixMultiply "PyNumber_MatrixMultiply" Object2 direct::PyNumber_MatrixMultiply;
    Multiply "PyNumber_Multiply" Object2 direct::PyNumber_Multiply;
    Remainder "PyNumber_Remainder" Object2 direct::PyNumber_Remainder;
    Or "PyNumber_Or" Object2 direct::PyNumber_Or;
    Power "PyNumber_Power" Object2 number::power;
    RightShift "PyNumber_Rshift" Object2 direct::PyNumber_Rshift;
    Subtract "PyNumber_Subtract" Object2 direct::PyNumber_Subtract;
    TrueDivide "PyNumber_TrueDivide" Object2 direct::PyNumber_TrueDivide;
    Xor "PyNumber_Xor" Object2 direct::PyNumber_Xor;
    InPlaceAdd "PyNumber_InPlaceAdd" Object2 direct::PyNumber_InPlaceAdd;
    InPlaceAnd "PyNumber_InPlaceAnd" Object2 direct::PyNumber_InPlaceAnd;
    InPlaceFloorDivide "PyNumber_InPlaceFloorDivide" Object2 direct::PyNumber_InPlaceFloorDivide;
    InPlaceLeftShift "PyNumber_InPlaceLshift" Object2 direct::PyNumber_InPlaceLshift;
    InPlaceMatrixMultiply "PyNumber_InPlaceMatrixMultiply" Object2 direct::PyNumber_InPlaceMatrixMultiply;
    InPlaceMultiply "PyNumber_InPlaceMultiply" Object2 direct::PyNumber_InPlaceMultiply;
    InPlaceRemainder "PyNumber_InPlaceRemainder" Object2 direct::PyNumber_InPlaceRemainder;
    InPlaceOr "PyNumber_InPlaceOr" Object2 direct::PyNumber_InPlaceOr;
    InPlacePower "PyNumber_InPlacePower" Object2 number::in_place_power;
    InPlaceRightShift "PyNumber_InPlaceRshift" Object2 direct::PyNumber_InPlaceRshift;
    InPlaceSubtract "PyNumber_InPlaceSubtract" Object2 direct::PyNumber_InPlaceSubtract;
    InPlaceTrueDivide "PyNumber_InPlaceTrueDivide" Object2 direct::PyNumber_InPlaceTrueDivide;
    InPlaceXor "PyNumber_InPlaceXor" Object2 direct::PyNumber_InPlaceXor;
    // Comparisons, in the order of `Py_LT`..`Py_GE`.
    CompareLt "a < b" Object2 number::compare::<{ ffi::Py_LT }>;
    CompareLe "a <= b" Object2 number::compare::<{ ffi::Py_LE }>;
    CompareEq "a == b" Object2 number::compare::<{ ffi::Py_EQ }>;
    CompareNe "a != b" Object2 number::compare::<{ ffi::Py_NE }>;
    CompareGt "a > b" Object2 number::compare::<{ ffi::Py_GT }>;
    CompareGe "a >= b" Object2 number::compare::<{ ffi::Py_GE }>;
    TestLt "bool(a < b)" Status2 number::test::<{ ffi::Py_LT }>;
    TestLe "bool(a <= b)" Status2 number::test::<{ ffi::Py_LE }>;
    TestEq "bool(a == b)" Status2 number::test::<{ ffi::Py_EQ }>;
    TestNe "bool(a != b)" Status2 number::test::<{ ffi::Py_NE }>;
    TestGt "bool(a > b)" Status2 number::test::<{ ffi::Py_GT }>;
    TestGe "bool(a >= b)" Status2 number::test::<{ ffi::Py_GE }>;
    // Unary operators.
    Negative "PyNumber_Negative" Object1 direct::PyNumber_Negative;
    Positive "PyNumber_Positive" Object1 direct::PyNumber_Positive;
    Invert "PyNumber_Invert" Object1 direct::PyNumber_Invert;
    Absolute "PyNumber_Absolute" Object1 direct::PyNumber_Absolute;
    IsTrue "PyObject_IsTrue" Status1 direct::PyObject_IsTrue;
    // Subscripts, attributes, iteration.
    GetItem "PyObject_GetItem" Object2 direct::PyObject_GetItem;
    SetItem "PyObject_SetItem" Status3 direct::PyObject_SetItem;
    DeleteItem "PyObject_DelItem" Status2 direct::PyObject_DelItem;
    GetSlice "a slice, from start to stop" Object3 container::get_slice;
    GetSlicePlain "a slice of a plain type, from start to stop" Args container::get_slice_plain;
    SetSlice "assignment to a slice, from start to stop" Args container::set_slice;
    GetAttribute "PyObject_GetAttr" Object2 direct::PyObject_GetAttr;
    SetAttribute "PyObject_SetAttr" Status3 direct::PyObject_SetAttr;
    DeleteAttribute "del owner.name" Status2 delete_attribute;
    AddValue "puts an object into an instance at an index where there is nothing: instance, index, value, name" Args add_value;
    SuperAttribute "super(class, self).name" Args super_attribute;
    Iterate "PyObject_GetIter" Object1 direct::PyObject_GetIter;
    RangeIterator "iter(range(...)) of start, step and length" Words3 range_iterator;
    Next "next(iterator), or the mark of exhaustion" Object1 next;
    Contains "PySequence_Contains" Status2 direct::PySequence_Contains;
    Length "PyObject_Size" Object1 length;
    // Names.
    StoreName "PyDict_SetItem" Status3 direct::PyDict_SetItem;
    ExchangeCell "puts an object into a cell, gives what was there (None for nothing)" Object2 exchange_cell;
    NewCell "PyCell_New" Object1 new_cell;
    NewInstance "object.__new__(class)" Object1 new_instance;
    // Containers.
    BuildTuple "a tuple of the arguments" Args container::build_tuple;
    BuildList "a list of the arguments" Args container::build_list;
    BuildSet "a set of the arguments" Args container::build_set;
    BuildMap "a dict of the arguments, key and value in turns" Args container::build_map;
    BuildConstKeyMap "a dict of the arguments, whose last is the tuple of keys" Args container::build_const_key_map;
    BuildString "the arguments, which are strings, joined" Args container::build_string;
    BuildSlice "PySlice_New" Args container::build_slice;
    ListAppend "PyList_Append" Status2 direct::PyList_Append;
    ListExtend "list.extend, for * in a display" Status2 container::list_extend;
    ListToTuple "PyList_AsTuple" Object1 direct::PyList_AsTuple;
    SetAdd "PySet_Add" Status2 direct::PySet_Add;
    MapAdd "PyDict_SetItem" Status3 direct::PyDict_SetItem;
    DictUpdate "PyDict_Update, for ** in a display" Status2 container::dict_update;
    SetUpdate "set.update, for * in a display" Status2 container::set_update;
    DictMerge "merges a dict of string keys into one that has none of them; 0: it is not so, and nothing is done" Status2 container::dict_merge;
    Unpack "the n items of an iterable as a tuple" Object2 unpack::unpack;
    UnpackEx "iterable, n, m: the first n items, a list of the others, the last m, as a tuple" Args unpack::unpack_ex;
    NewFunction "PyFunction_New(code, globals), with the version of the code" Object2 new_function;
    Enter "the bound __exit__ of a context manager, and what its __enter__ gives, as a tuple" Object1 enter;
    // Text.
    Format "PyObject_Format(value, NULL)" Object1 format_simple;
    FormatSpec "PyObject_Format" Object2 direct::PyObject_Format;
    Str "PyObject_Str" Object1 direct::PyObject_Str;
    Repr "PyObject_Repr" Object1 direct::PyObject_Repr;
    Ascii "PyObject_ASCII" Object1 direct::PyObject_ASCII;
    // Calls.
    CallKeywords "PyObject_Vectorcall(callable, args, kwnames): callable, kwnames, args" Args call_keywords;
    CallEx "PyObject_Call(callable, args, kwargs): callable, args[, kwargs]" Args call_ex;
    CallPython "callable(*args), all taken over: callable, args" Args call::call_python;
    CallPythonKeywords "the same with names: callable, kwnames (borrowed), args" Args call::call_python_keywords;
    CallPythonEx "callable(*args, **kwargs), all taken over: callable, args[, kwargs]" Args call::call_python_ex;
    // Functions of doubles.
    FloatPower "pow" Float2 number::float_power;
    FloatFloorDivide "a // b, b is not 0" Float2 number::float_floor_divide;
    FloatRemainder "a % b, b is not 0" Float2 number::float_remainder;
    Sin "sin" Float1 number::libm::sin;
    Cos "cos" Float1 number::libm::cos;
    Tan "tan" Float1 number::libm::tan;
    Atan "atan" Float1 number::libm::atan;
    Atan2 "atan2" Float2 number::libm::atan2;
    Exp "exp" Float1 number::libm::exp;
    Log "log, of a positive number" Float1 number::libm::log;
}

fn none() -> Object {
    // SAFETY: `None` is immortal; a new reference to it costs nothing.
    unsafe { ffi::Py_None() }
}

/// A range iterator with these fields.
unsafe extern "C" fn range_iterator(start: i64, step: i64, length: i64) -> Object {
    use serigraph_uops::layout::{RANGE_ITER_LENGTH, RANGE_ITER_START, RANGE_ITER_STEP};
    // SAFETY: the type of range iterators, whose objects are made of a header and these fields, and freed as plain memory.
    unsafe {
        let iterator = ffi::PyType_GenericAlloc(api().range_iterator_type.cast(), 0);
        if !iterator.is_null() {
            iterator
                .byte_add(RANGE_ITER_START)
                .cast::<i64>()
                .write(start);
            iterator.byte_add(RANGE_ITER_STEP).cast::<i64>().write(step);
            iterator
                .byte_add(RANGE_ITER_LENGTH)
                .cast::<i64>()
                .write(length);
        }
        iterator
    }
}

unsafe extern "C" fn delete_attribute(owner: Object, name: Object) -> c_int {
    // SAFETY: live objects, by the contract of helpers.
    unsafe { ffi::PyObject_SetAttr(owner, name, null_mut()) }
}

/// Of an instance that keeps its attributes itself, at an index that has none yet. Nothing can fail but for memory.
unsafe extern "C" fn add_value(args: *const Object) -> Object {
    // SAFETY: an instance, a small int and a live object: as the interpreter stores an attribute for the first time
    // (`_PyDictValues_AddToInsertionOrder`, Include/internal/pycore_dict.h).
    unsafe {
        let (instance, value) = (*args, *args.add(2));
        let index = ffi::PyLong_AsSsize_t(*args.add(1)).max(0) as usize;
        if !object::add_value(super::bits(instance), index, super::bits(value))
            && ffi::PyObject_GenericSetAttr(instance, *args.add(3), value) < 0
        {
            return null_mut();
        }
        none()
    }
}

/// Arguments: the global `super`, class, self, name, and whether it had arguments in the source (`None`: no).
unsafe extern "C" fn super_attribute(args: *const Object) -> Object {
    // SAFETY: five live objects, by the contract of helpers.
    unsafe {
        let count = if *args.add(4) == ffi::Py_None() { 0 } else { 2 };
        let instance = ffi::PyObject_Vectorcall(*args, args.add(1), count, null_mut());
        if instance.is_null() {
            return null_mut();
        }
        let result = ffi::PyObject_GetAttr(instance, *args.add(3));
        decref(instance);
        result
    }
}

/// `owner.name(argument)`; null with an exception set.
///
/// # Safety
/// Live objects.
unsafe fn call_method(owner: Object, name: &CStr, argument: Object) -> Object {
    let words = [
        owner.expose_provenance(),
        name.as_ptr().expose_provenance(),
        c"(O)".as_ptr().expose_provenance(),
        argument.expose_provenance(),
    ];
    // SAFETY: an object, two texts and, as the second says, an object.
    let result = unsafe { barrier::call(ffi::PyObject_CallMethod as *const (), words) };
    ptr::with_exposed_provenance_mut(result)
}

/// What `FOR_ITER` does; the mark of exhaustion is [`object::exhausted`].
unsafe extern "C" fn next(iterator: Object) -> Object {
    // SAFETY: a live object whose type has `tp_iternext`: the recorder has seen to it, and `GET_ITER` did.
    unsafe {
        let Some(iternext) = object::iternext(iterator) else {
            return object::exhausted();
        };
        let words = [iterator.expose_provenance(), 0, 0, 0];
        let item: Object =
            ptr::with_exposed_provenance_mut(barrier::call(iternext as *const (), words));
        if !item.is_null() {
            return item;
        }
        if !ffi::PyErr_Occurred().is_null() {
            if ffi::PyErr_ExceptionMatches(ffi::PyExc_StopIteration) == 0 {
                return null_mut();
            }
            ffi::PyErr_Clear();
        }
        object::exhausted()
    }
}

unsafe extern "C" fn length(value: Object) -> Object {
    // SAFETY: a live object, by the contract of helpers.
    unsafe {
        match ffi::PyObject_Size(value) {
            -1 => null_mut(),
            length => ffi::PyLong_FromSsize_t(length),
        }
    }
}

unsafe extern "C" fn exchange_cell(cell: Object, value: Object) -> Object {
    // SAFETY: an exact cell and a live object; the cell's reference to the old content becomes the result's.
    unsafe {
        let content = cell
            .byte_add(serigraph_cpython::layout().cell.content)
            .cast::<Object>();
        let old = content.read();
        content.write(ffi::Py_NewRef(value));
        if old.is_null() { none() } else { old }
    }
}

unsafe extern "C" fn new_cell(content: Object) -> Object {
    // SAFETY: a live object or null.
    unsafe { (serigraph_cpython::api().cell_new)(content) }
}

/// Of a class whose `tp_new` is that of `object`.
unsafe extern "C" fn new_instance(class: Object) -> Object {
    // SAFETY: such a class; without arguments, `object.__new__` runs no code.
    unsafe { object::new_instance(class) }
}

/// # Safety
/// `args` are live objects, ended by a null.
pub(super) unsafe fn count(args: *const Object) -> usize {
    let mut n = 0;
    // SAFETY: by the caller's promise.
    while unsafe { !(*args.add(n)).is_null() } {
        n += 1;
    }
    n
}

unsafe extern "C" fn new_function(code: Object, globals: Object) -> Object {
    // SAFETY: a code object and a dict.
    unsafe {
        let function = (serigraph_cpython::api().function_new)(code, globals);
        if !function.is_null() {
            object::give_version(function, code);
        }
        function
    }
}

/// What `BEFORE_WITH` does.
unsafe extern "C" fn enter(manager: Object) -> Object {
    // SAFETY: a live object; the type of exception is static.
    unsafe {
        let Some(enter) = object::special(manager, c"__enter__") else {
            return null_mut();
        };
        if enter.is_null() {
            object::raise_with_type_name(
                ffi::PyExc_TypeError,
                "'",
                manager,
                "' object does not support the context manager protocol",
            );
            return null_mut();
        }
        let exit = object::special(manager, c"__exit__").unwrap_or(null_mut());
        if exit.is_null() {
            if ffi::PyErr_Occurred().is_null() {
                object::raise_with_type_name(
                    ffi::PyExc_TypeError,
                    "'",
                    manager,
                    "' object does not support the context manager protocol (missed __exit__ method)",
                );
            }
            decref(enter);
            return null_mut();
        }
        let result = ffi::PyObject_CallNoArgs(enter);
        decref(enter);
        let both = if result.is_null() {
            null_mut()
        } else {
            ffi::PyTuple_New(2)
        };
        if both.is_null() {
            ffi::Py_XDECREF(result);
            decref(exit);
            return null_mut();
        }
        ffi::PyTuple_SetItem(both, 0, exit);
        ffi::PyTuple_SetItem(both, 1, result);
        both
    }
}

unsafe extern "C" fn format_simple(value: Object) -> Object {
    // SAFETY: a live object.
    unsafe { ffi::PyObject_Format(value, null_mut()) }
}

unsafe extern "C" fn call_keywords(args: *const Object) -> Object {
    // SAFETY: a callable, a tuple of names, and at least as many arguments as names, ended by a null.
    unsafe {
        let (callable, names) = (*args, *args.add(1));
        let all = count(args.add(2));
        let positional = all - (ffi::PyTuple_Size(names).max(0) as usize).min(all);
        ffi::PyObject_Vectorcall(callable, args.add(2), positional, names)
    }
}

unsafe extern "C" fn call_ex(args: *const Object) -> Object {
    // SAFETY: a callable, an exact tuple, and an exact dict or null.
    unsafe { ffi::PyObject_Call(*args, *args.add(1), *args.add(2)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn helpers_are_numbered_by_their_place() {
        for (number, helper) in Helper::ALL.iter().enumerate() {
            assert_eq!(helper.number(), number as u64);
            assert_eq!(Helper::from_number(number as u64), Some(*helper));
        }
        assert_eq!(Helper::from_number(Helper::ALL.len() as u64), None);
    }
}
