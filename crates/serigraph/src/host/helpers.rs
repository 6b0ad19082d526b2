//! The C functions that traces call, by number: the immediate of the `call_*` and `leaf_*` uops.
//!
//! A helper has one signature (objects are borrowed, results are new references or null with an exception set):
//! `ObjectN`: N objects to an object; `StatusN`: N objects to a C int, negative with an exception set; `Args`: the
//! address of the outgoing arguments, which end with a null, to an object (some take the references in them over); `Words3`:
//! raw integers to an object; `Float1`, `Float2`: doubles to a double, cannot fail.

use std::ffi::{CStr, c_int};
use std::ptr::{self, null_mut};

use serigraph_cpython::ffi::{self, PyObject, direct};
use serigraph_cpython::refs::{decref, type_of};
use serigraph_cpython::{api, barrier};

use super::{call, object};

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
    Power "PyNumber_Power" Object2 power;
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
    InPlacePower "PyNumber_InPlacePower" Object2 in_place_power;
    InPlaceRightShift "PyNumber_InPlaceRshift" Object2 direct::PyNumber_InPlaceRshift;
    InPlaceSubtract "PyNumber_InPlaceSubtract" Object2 direct::PyNumber_InPlaceSubtract;
    InPlaceTrueDivide "PyNumber_InPlaceTrueDivide" Object2 direct::PyNumber_InPlaceTrueDivide;
    InPlaceXor "PyNumber_InPlaceXor" Object2 direct::PyNumber_InPlaceXor;
    // Comparisons, in the order of `Py_LT`..`Py_GE`.
    CompareLt "a < b" Object2 compare::<{ ffi::Py_LT }>;
    CompareLe "a <= b" Object2 compare::<{ ffi::Py_LE }>;
    CompareEq "a == b" Object2 compare::<{ ffi::Py_EQ }>;
    CompareNe "a != b" Object2 compare::<{ ffi::Py_NE }>;
    CompareGt "a > b" Object2 compare::<{ ffi::Py_GT }>;
    CompareGe "a >= b" Object2 compare::<{ ffi::Py_GE }>;
    TestLt "bool(a < b)" Status2 test::<{ ffi::Py_LT }>;
    TestLe "bool(a <= b)" Status2 test::<{ ffi::Py_LE }>;
    TestEq "bool(a == b)" Status2 test::<{ ffi::Py_EQ }>;
    TestNe "bool(a != b)" Status2 test::<{ ffi::Py_NE }>;
    TestGt "bool(a > b)" Status2 test::<{ ffi::Py_GT }>;
    TestGe "bool(a >= b)" Status2 test::<{ ffi::Py_GE }>;
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
    GetSlice "a slice, from start to stop" Object3 get_slice;
    GetSlicePlain "a slice of a plain type, from start to stop" Args get_slice_plain;
    SetSlice "assignment to a slice, from start to stop" Args set_slice;
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
    BuildTuple "a tuple of the arguments" Args build_tuple;
    BuildList "a list of the arguments" Args build_list;
    BuildSet "a set of the arguments" Args build_set;
    BuildMap "a dict of the arguments, key and value in turns" Args build_map;
    BuildConstKeyMap "a dict of the arguments, whose last is the tuple of keys" Args build_const_key_map;
    BuildString "the arguments, which are strings, joined" Args build_string;
    BuildSlice "PySlice_New" Args build_slice;
    ListAppend "PyList_Append" Status2 direct::PyList_Append;
    ListExtend "list.extend, for * in a display" Status2 list_extend;
    ListToTuple "PyList_AsTuple" Object1 direct::PyList_AsTuple;
    SetAdd "PySet_Add" Status2 direct::PySet_Add;
    MapAdd "PyDict_SetItem" Status3 direct::PyDict_SetItem;
    DictUpdate "PyDict_Update, for ** in a display" Status2 dict_update;
    SetUpdate "set.update, for * in a display" Status2 set_update;
    DictMerge "merges a dict of string keys into one that has none of them; 0: it is not so, and nothing is done" Status2 dict_merge;
    Unpack "the n items of an iterable as a tuple" Object2 unpack;
    UnpackEx "iterable, n, m: the first n items, a list of the others, the last m, as a tuple" Args unpack_ex;
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
    FloatPower "pow" Float2 float_power;
    FloatFloorDivide "a // b, b is not 0" Float2 float_floor_divide;
    FloatRemainder "a % b, b is not 0" Float2 float_remainder;
    Sin "sin" Float1 libm::sin;
    Cos "cos" Float1 libm::cos;
    Tan "tan" Float1 libm::tan;
    Atan "atan" Float1 libm::atan;
    Atan2 "atan2" Float2 libm::atan2;
    Exp "exp" Float1 libm::exp;
    Log "log, of a positive number" Float1 libm::log;
}

/// The C library's functions, which the `math` module calls too.
mod libm {
    macro_rules! one {
        ($($name:ident)*) => { $( pub(super) extern "C" fn $name(a: f64) -> f64 { a.$name() } )* };
    }
    one! { sin cos tan atan exp }
    pub(super) extern "C" fn log(a: f64) -> f64 {
        a.ln()
    }
    pub(super) extern "C" fn atan2(a: f64, b: f64) -> f64 {
        a.atan2(b)
    }
}

extern "C" fn float_power(a: f64, b: f64) -> f64 {
    a.powf(b)
}

/// `float_rem` of `Objects/floatobject.c`.
extern "C" fn float_remainder(a: f64, b: f64) -> f64 {
    let rest = a % b;
    if rest == 0.0 {
        0.0_f64.copysign(b)
    } else if (b < 0.0) != (rest < 0.0) {
        rest + b
    } else {
        rest
    }
}

/// The quotient of `_float_div_mod` of `Objects/floatobject.c`.
extern "C" fn float_floor_divide(a: f64, b: f64) -> f64 {
    let rest = a % b;
    let mut quotient = (a - rest) / b;
    if rest != 0.0 && (b < 0.0) != (rest < 0.0) {
        quotient -= 1.0;
    }
    if quotient == 0.0 {
        return 0.0_f64.copysign(a / b);
    }
    let floor = quotient.floor();
    if quotient - floor > 0.5 {
        floor + 1.0
    } else {
        floor
    }
}

unsafe extern "C" fn power(a: Object, b: Object) -> Object {
    // SAFETY: both are live objects, by the contract of helpers.
    unsafe { ffi::PyNumber_Power(a, b, ffi::Py_None()) }
}

unsafe extern "C" fn in_place_power(a: Object, b: Object) -> Object {
    // SAFETY: as `power`.
    unsafe { ffi::PyNumber_InPlacePower(a, b, ffi::Py_None()) }
}

unsafe extern "C" fn compare<const OP: c_int>(a: Object, b: Object) -> Object {
    // SAFETY: as `power`.
    unsafe { ffi::PyObject_RichCompare(a, b, OP) }
}

unsafe extern "C" fn test<const OP: c_int>(a: Object, b: Object) -> c_int {
    // SAFETY: as `power`. Not `PyObject_RichCompareBool`, which takes identity for equality.
    unsafe {
        let result = ffi::PyObject_RichCompare(a, b, OP);
        if result.is_null() {
            return -1;
        }
        let truth = ffi::PyObject_IsTrue(result);
        decref(result);
        truth
    }
}

unsafe extern "C" fn get_slice(container: Object, start: Object, stop: Object) -> Object {
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
unsafe extern "C" fn get_slice_plain(args: *const Object) -> Object {
    // SAFETY: three live objects, by the contract of helpers.
    unsafe { get_slice(*args, *args.add(1), *args.add(2)) }
}

/// Arguments: value, container, start, stop. The result is `None`.
unsafe extern "C" fn set_slice(args: *const Object) -> Object {
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

unsafe extern "C" fn build_tuple(args: *const Object) -> Object {
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

unsafe extern "C" fn build_list(args: *const Object) -> Object {
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

unsafe extern "C" fn build_set(args: *const Object) -> Object {
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

unsafe extern "C" fn build_map(args: *const Object) -> Object {
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

unsafe extern "C" fn build_const_key_map(args: *const Object) -> Object {
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

unsafe extern "C" fn build_string(args: *const Object) -> Object {
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
unsafe extern "C" fn build_slice(args: *const Object) -> Object {
    // SAFETY: two or three live objects ended by a null, which stands for no step.
    unsafe { ffi::PySlice_New(*args, *args.add(1), *args.add(2)) }
}

unsafe extern "C" fn list_extend(list: Object, iterable: Object) -> c_int {
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

unsafe extern "C" fn set_update(set: Object, iterable: Object) -> c_int {
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

unsafe extern "C" fn dict_merge(dict: Object, update: Object) -> c_int {
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

unsafe extern "C" fn dict_update(dict: Object, update: Object) -> c_int {
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

/// `_PyEval_UnpackIterable` without a star: exactly `expected` (an int) items.
unsafe extern "C" fn unpack(iterable: Object, expected: Object) -> Object {
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

/// The iterator of what is to be unpacked, or null with an exception set.
///
/// # Safety
/// A live object.
unsafe fn unpacked_iterator(iterable: Object) -> Object {
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

/// Arguments: iterable, the number of items before the list, and after it.
unsafe extern "C" fn unpack_ex(args: *const Object) -> Object {
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

/// # Safety
/// As [`unpack_iterator`].
unsafe fn unpack_around(iterator: Object, before: isize, after: isize) -> Object {
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

/// # Safety
/// `iterator` is an iterator, and no exception is set.
unsafe fn unpack_iterator(iterator: Object, n: isize) -> Object {
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

    #[test]
    fn float_division_is_pythons() {
        let cases: [(f64, f64, f64, f64); 7] = [
            (7.0, 2.0, 3.0, 1.0),
            (-7.0, 2.0, -4.0, 1.0),
            (7.0, -2.0, -4.0, -1.0),
            (-0.0, 3.0, -0.0, 0.0),
            (4.0, -2.0, -2.0, -0.0),
            (1.0, f64::INFINITY, 0.0, 1.0),
            (-1.0, f64::INFINITY, -1.0, f64::INFINITY),
        ];
        for (a, b, quotient, rest) in cases {
            assert_eq!(
                float_floor_divide(a, b).to_bits(),
                quotient.to_bits(),
                "{a} // {b}"
            );
            assert_eq!(float_remainder(a, b).to_bits(), rest.to_bits(), "{a} % {b}");
        }
    }
}
