//! Looking at objects while recording: types, values, dict entries.
//!
//! All functions take addresses of live objects: the recorder holds a reference to each object it works on, or has just read
//! it out of one, under the GIL. [`Types`] are the built-in types the recorder knows; they are static and never die.

use std::ffi::{CStr, c_int, c_void};
use std::ptr::null_mut;
use std::sync::atomic::{AtomicPtr, Ordering};

use serigraph_cpython::code::CodeRef;
use serigraph_cpython::ffi::{self, PyObject};
use serigraph_cpython::refs::{decref, is_immortal, ref_count, type_of};
use serigraph_cpython::version::Minor;
use serigraph_cpython::{Owned, api, barrier, layout, minor};
use serigraph_uops::layout as common;

use super::{bits, object};

unsafe extern "C" {
    /// `staticmethod` (Include/funcobject.h): not part of the stable ABI, exported by every version.
    static mut PyStaticMethod_Type: ffi::PyTypeObject;
}

macro_rules! types {
    ($( $(#[$doc:meta])* $name:ident = $address:expr; )*) => {
        /// The addresses of the built-in types that the recorder knows.
        #[derive(Clone, Copy, Debug)]
        pub struct Types { $( $(#[$doc])* pub $name: u64, )* }

        impl Types {
            /// Of the running interpreter. The GIL must be held.
            pub fn new() -> Types {
                Types { $( $name: bits($address), )* }
            }
            /// Whether it is one of them: a type whose instances cannot change their type.
            pub fn is_known(&self, type_address: u64) -> bool {
                $( type_address == self.$name )||*
            }
        }
    };
}

types! {
    /// `int`.
    int = (&raw mut ffi::PyLong_Type).cast();
    /// `float`.
    float = (&raw mut ffi::PyFloat_Type).cast();
    /// `bool`.
    bool = (&raw mut ffi::PyBool_Type).cast();
    /// `complex`.
    complex = (&raw mut ffi::PyComplex_Type).cast();
    /// `str`.
    str = (&raw mut ffi::PyUnicode_Type).cast();
    /// `bytes`.
    bytes = (&raw mut ffi::PyBytes_Type).cast();
    /// The type of `None`.
    // SAFETY: `None` is a live object.
    none = unsafe { type_of(ffi::Py_None()) };
    /// `list`.
    list = (&raw mut ffi::PyList_Type).cast();
    /// `tuple`.
    tuple = (&raw mut ffi::PyTuple_Type).cast();
    /// `dict`.
    dict = (&raw mut ffi::PyDict_Type).cast();
    /// `set`.
    set = (&raw mut ffi::PySet_Type).cast();
    /// `frozenset`.
    frozenset = (&raw mut ffi::PyFrozenSet_Type).cast();
    /// `slice`.
    slice = (&raw mut ffi::PySlice_Type).cast();
    /// `range`.
    range = (&raw mut ffi::PyRange_Type).cast();
    /// `range_iterator`.
    range_iterator = api().range_iterator_type;
    /// `list_iterator`.
    list_iterator = api().list_iterator_type;
    /// `tuple_iterator`.
    tuple_iterator = api().tuple_iterator_type;
    /// `function`.
    function = api().function_type;
    /// `method`.
    method = api().method_type;
    /// `cell`.
    cell = api().cell_type;
    /// `code`.
    code = api().code_type;
    /// `builtin_function_or_method`.
    builtin = (&raw mut ffi::PyCFunction_Type).cast();
    /// `method_descriptor`.
    method_descriptor = (&raw mut ffi::PyMethodDescr_Type).cast();
}

impl Types {
    /// Whether the death of an object of this exact type runs no code and can be seen by nobody.
    pub fn is_plain(&self, t: u64) -> bool {
        t == self.int
            || t == self.float
            || t == self.bool
            || t == self.str
            || t == self.none
            || t == self.range
            || t == self.range_iterator
            || t == self.bytes
            || t == self.complex
    }
    /// Whether the length of an object of this exact type is its truth value, in a 64-bit field at this offset.
    pub fn length_offset(&self, t: u64) -> Option<u64> {
        if t == self.str {
            Some(layout().str.length as u64)
        } else if t == self.dict {
            Some(layout().dict.used as u64)
        } else if t == self.set || t == self.frozenset {
            Some(layout().set.used as u64)
        } else if t == self.bytes {
            Some(layout().bytes.size as u64)
        } else {
            None
        }
    }
}

impl Default for Types {
    fn default() -> Types {
        Types::new()
    }
}

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

/// Whether attributes of instances of a type are found by the ordinary rules.
pub fn has_generic_getattr(type_address: u64) -> bool {
    let generic: unsafe extern "C" fn(*mut PyObject, *mut PyObject) -> *mut PyObject =
        ffi::PyObject_GenericGetAttr;
    word(type_address, layout().type_object.getattro) == generic as *const () as u64
}

/// `tp_dictoffset` of a type.
pub fn dict_offset(type_address: u64) -> i64 {
    word(type_address, layout().type_object.dict_offset) as i64
}

/// `tp_descr_set` of an object's type is there: it is a data descriptor.
pub fn is_data_descriptor(o: u64) -> bool {
    word(type_address(o), layout().type_object.descr_set) != 0
}

/// Looks an attribute up in a type and its bases; borrowed, 0 if there is none.
pub fn type_lookup(type_address: u64, name: u64) -> u64 {
    // SAFETY: a type and an interned string; the function raises nothing.
    bits(unsafe { (api().type_lookup)(object(type_address), object(name)) })
}

/// Whether an object is a class whose metaclass is exactly `type`.
pub fn is_plain_class(o: u64) -> bool {
    type_address(o) == bits((&raw mut ffi::PyType_Type).cast())
}

/// Whether a class was made by C code and can never change, so that its instances cannot change their class either.
pub fn is_immutable_class(class: u64) -> bool {
    const IMMUTABLE: u64 = 1 << 8;
    word(class, layout().type_object.flags) & IMMUTABLE != 0
}

/// Whether a class is another, or has it among its bases.
pub fn is_subtype(class: u64, of: u64) -> bool {
    // SAFETY: two types.
    unsafe { ffi::PyType_IsSubtype(object(class).cast(), object(of).cast()) != 0 }
}

/// What is known of an attribute of the instances of a class, as long as the class keeps its version.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Attribute {
    /// The version tag of the class.
    pub version: u32,
    /// What the class (or a base) has under the name, or 0.
    pub in_class: u64,
    /// How instances keep their attributes.
    pub kept: Kept,
}

/// How the instances of a class keep an attribute.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kept {
    /// They have none of their own.
    Nowhere,
    /// With their other attributes, by the shared table of keys at this address; the index of the name, or how many names there
    /// are.
    Values {
        /// The table.
        keys: u64,
        /// Where the attribute is.
        index: Result<u64, u64>,
    },
    /// In a slot (`__slots__`).
    Slot {
        /// Where in the instance.
        offset: usize,
    },
}

/// Looks an attribute up in a class whose instances find attributes by the ordinary rules; `None` if it is not that simple.
pub fn attribute(class: u64, name: u64) -> Option<Attribute> {
    const INLINE_VALUES: u64 = 1 << 2;
    const MANAGED_DICT: u64 = 1 << 4;
    const HEAP_TYPE: u64 = 1 << 9;
    let fields = &layout().type_object;
    let flags = word(class, fields.flags);
    if flags & HEAP_TYPE == 0 || !has_generic_getattr(class) {
        return None;
    }
    let in_class = type_lookup(class, name);
    // The look-up has given the class a version, if it can have one.
    let version = word(class, fields.version_tag) as u32;
    if version == 0 {
        return None;
    }
    if in_class != 0 && is_data_descriptor(in_class) {
        let kept = Kept::Slot {
            offset: member_offset(in_class)?,
        };
        return Some(Attribute {
            version,
            in_class,
            kept,
        });
    }
    if flags & (INLINE_VALUES | MANAGED_DICT) == 0 && dict_offset(class) == 0 {
        return Some(Attribute {
            version,
            in_class,
            kept: Kept::Nowhere,
        });
    }
    let wanted = match minor() {
        Minor::V312 => MANAGED_DICT,
        Minor::V313 => INLINE_VALUES,
    };
    if flags & wanted == 0 {
        return None;
    }
    let keys = word(class, fields.cached_keys);
    if keys == 0 {
        return None;
    }
    let keys_fields = &layout().dict_keys;
    // SAFETY: a field of the table of keys that the class shares with its instances.
    let log2_index_bytes = unsafe {
        object(keys)
            .byte_add(keys_fields.log2_index_bytes)
            .cast::<u8>()
            .read()
    };
    let entries = keys_fields.indices + (1 << log2_index_bytes);
    let count = word(keys, keys_fields.entry_count);
    let found = (0..count)
        .find(|&i| word(keys, entries + i as usize * keys_fields.unicode_entry_size) == name);
    Some(Attribute {
        version,
        in_class,
        kept: Kept::Values {
            keys,
            index: found.ok_or(count),
        },
    })
}

/// Where in an instance the object is that a member descriptor stands for: an ordinary slot, which may be written.
fn member_offset(descriptor: u64) -> Option<usize> {
    const OBJECT_EX: c_int = 16;
    if type_address(descriptor) != bits((&raw mut ffi::PyMemberDescr_Type).cast()) {
        return None;
    }
    // SAFETY: a member descriptor has the address of its definition where a method descriptor has it.
    let member = unsafe {
        &*object(word(descriptor, layout().method_descriptor.definition)).cast::<ffi::PyMemberDef>()
    };
    let is_plain = member.type_code == OBJECT_EX && member.flags == 0 && member.offset > 0;
    is_plain.then_some(member.offset as usize)
}

/// An attribute of a class itself, as long as the class keeps its version: a plain value, a function, or the function of a
/// static method; `None` if it is not that simple.
pub fn class_attribute(class: u64, name: u64) -> Option<(u32, u64)> {
    let meta = type_lookup(type_address(class), name);
    if meta != 0 && is_data_descriptor(meta) {
        return None;
    }
    let found = type_lookup(class, name);
    let version = word(class, layout().type_object.version_tag) as u32;
    if found == 0 || version == 0 {
        return None;
    }
    let exact = type_address(found);
    let is_static = exact == bits((&raw mut PyStaticMethod_Type).cast());
    if is_static {
        // SAFETY: a static method gives what it holds, and runs no code for it; the reference it gives is one of several.
        let function = unsafe { ffi::PyObject_GetAttr(object(class), object(name)) };
        if function.is_null() {
            // SAFETY: nobody is to know.
            unsafe { ffi::PyErr_Clear() };
            return None;
        }
        // SAFETY: as above.
        unsafe { decref(function) };
        return Some((version, bits(function)));
    }
    (exact == api().function_type.expose_provenance() as u64 || !is_descriptor(found))
        .then_some((version, found))
}

/// `tp_new` of `object`.
fn object_new() -> Option<ffi::newfunc> {
    static NEW: AtomicPtr<c_void> = AtomicPtr::new(null_mut());
    let mut new = NEW.load(Ordering::Relaxed);
    if new.is_null() {
        // SAFETY: a static type.
        new = unsafe { ffi::PyType_GetSlot(&raw mut ffi::PyBaseObject_Type, ffi::Py_tp_new) };
        NEW.store(new, Ordering::Relaxed);
    }
    // SAFETY: that slot is a function of this signature.
    (!new.is_null()).then(|| unsafe { std::mem::transmute::<*mut c_void, ffi::newfunc>(new) })
}

/// As [`type_lookup`], by the text of the name.
pub fn lookup_name(class: u64, name: &CStr) -> u64 {
    // What the class has lives on when the name is released.
    interned(name).map_or(0, |name| type_lookup(class, bits(name.as_ptr())))
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

/// A class of the ordinary kind, whose instances `object.__new__` makes: its version, and its `__init__` (0: that of `object`).
/// `None`: it is another kind of class.
pub fn simple_class(class: u64) -> Option<(u32, u64)> {
    const ABSTRACT: u64 = 1 << 20;
    const HEAP_TYPE: u64 = 1 << 9;
    let flags = word(class, layout().type_object.flags);
    if flags & ABSTRACT != 0 || flags & HEAP_TYPE == 0 {
        return None;
    }
    // SAFETY: a class.
    let new = unsafe { ffi::PyType_GetSlot(object(class).cast(), ffi::Py_tp_new) };
    if new.is_null() || object_new().map(|f| f as *mut c_void) != Some(new) {
        return None;
    }
    let init = lookup_name(class, c"__init__");
    let version = word(class, layout().type_object.version_tag) as u32;
    let of_object = lookup_name(bits((&raw mut ffi::PyBaseObject_Type).cast()), c"__init__");
    (version != 0 && init != 0).then_some((version, if init == of_object { 0 } else { init }))
}

/// A new instance of a class that [`simple_class`] has found to be one.
///
/// # Safety
/// It is one still.
pub(super) unsafe fn new_instance(class: *mut PyObject) -> *mut PyObject {
    // SAFETY: by the caller's promise; the empty tuple is one object that is never freed.
    unsafe {
        let Some(new) = object_new() else {
            return null_mut();
        };
        let nothing = ffi::PyTuple_New(0);
        if nothing.is_null() {
            return null_mut();
        }
        let made = new(class.cast(), nothing, null_mut());
        decref(nothing);
        made
    }
}

/// The word before an instance that says where its attributes are.
fn managed_word(o: u64) -> u64 {
    // SAFETY: the managed word is in front of an instance of a class with a managed dict.
    unsafe {
        object(o)
            .byte_sub(layout().instance.dict_or_values_before)
            .cast::<u64>()
            .read()
    }
}

/// Whether an instance keeps its attributes itself: no dict object does.
pub fn has_values(o: u64) -> bool {
    match minor() {
        Minor::V312 => managed_word(o) & 1 == 1,
        // SAFETY: an instance of a class whose instances have inline values: the flag is a byte in it.
        Minor::V313 => unsafe {
            object(o)
                .byte_add(layout().instance.inline_values_valid)
                .cast::<u8>()
                .read()
                != 0
        },
    }
}

/// The address from which `first_value` counts.
fn values_base(o: u64) -> u64 {
    match minor() {
        Minor::V312 => managed_word(o) + 1,
        Minor::V313 => o,
    }
}

/// An attribute that an instance keeps itself; 0 if it is not set.
pub fn instance_value(o: u64, index: u64) -> u64 {
    word(
        values_base(o),
        layout().instance.first_value + 8 * index as usize,
    )
}

/// Sets an attribute that an instance keeps itself and that has no value. False: it is not that simple.
pub(super) fn add_value(o: u64, index: usize, value: u64) -> bool {
    if !has_values(o)
        || (minor() == Minor::V313 && has_dict_object(o))
        || instance_value(o, index as u64) != 0
    {
        return false;
    }
    // SAFETY: the instance's attributes, with the order in which they were set: before them in 3.12, behind them in 3.13.
    unsafe {
        let values = object(values_base(o)).cast::<u8>();
        match minor() {
            Minor::V312 => {
                let count = values.sub(2);
                let size = *count + 1;
                *count.sub(size.into()) = index as u8;
                *count = size;
            }
            Minor::V313 => {
                let head = values.add(layout().instance.inline_values);
                let (capacity, size) = (*head, *head.add(1));
                let order = values.add(layout().instance.first_value + 8 * capacity as usize);
                *order.add(size.into()) = index as u8;
                *head.add(1) = size + 1;
            }
        }
        values
            .add(layout().instance.first_value + 8 * index)
            .cast::<*mut PyObject>()
            .write(ffi::Py_NewRef(object(value)));
    }
    true
}

/// Whether an instance of a class with a managed dict has a dict object.
pub fn has_dict_object(o: u64) -> bool {
    managed_word(o) != 0
}

/// Whether attributes of instances of a class are set by the ordinary rules.
pub fn has_generic_setattr(class: u64) -> bool {
    let generic: unsafe extern "C" fn(*mut PyObject, *mut PyObject, *mut PyObject) -> i32 =
        ffi::PyObject_GenericSetAttr;
    word(class, layout().type_object.setattro) == generic as *const () as u64
}

/// Whether an object is a descriptor: what `tp_descr_get` says.
pub fn is_descriptor(o: u64) -> bool {
    word(type_address(o), layout().type_object.descr_get) != 0
}

/// The dict of a module.
pub fn module_dict(o: u64) -> u64 {
    word(o, layout().module.dict)
}

/// Whether an object is a module (exactly).
pub fn is_module(o: u64) -> bool {
    type_address(o) == bits((&raw mut ffi::PyModule_Type).cast())
}

/// Where a key is in a dict whose keys are all strings.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Entry {
    /// The table of keys.
    pub keys: u64,
    /// The 32-bit word of the table that says how large it is and of what kind.
    pub shape: u32,
    /// The offset of the entry's key in the table; the value follows it.
    pub offset: u64,
    /// The value.
    pub value: u64,
}

/// Finds a key (an interned string) in an exact dict. `Ok(None)`: it is not there. `Err`: the dict has keys that are not
/// strings, or shares its keys with others: a lookup could run code, or the place of a value is not simple.
pub fn find_entry(dict: u64, key: u64) -> Result<Option<Entry>, ()> {
    const KIND_UNICODE: u8 = 1;
    let fields = &layout().dict_keys;
    if type_address(dict) != bits((&raw mut ffi::PyDict_Type).cast())
        || word(dict, layout().dict.values) != 0
    {
        return Err(());
    }
    let keys = word(dict, layout().dict.keys);
    let byte = |offset: usize| -> u8 {
        // SAFETY: a field of the dict's table of keys.
        unsafe { object(keys).byte_add(offset).cast::<u8>().read() }
    };
    if byte(fields.kind) != KIND_UNICODE
        || type_address(key) != bits((&raw mut ffi::PyUnicode_Type).cast())
    {
        return Err(());
    }
    // SAFETY: a dict and a string: the lookup compares strings only, and so runs no code and raises nothing.
    let value = bits(unsafe { ffi::PyDict_GetItemWithError(object(dict), object(key)) });
    if value == 0 {
        return Ok(None);
    }
    let entries = fields.indices as u64 + (1 << byte(fields.log2_index_bytes));
    let size = fields.unicode_entry_size as u64;
    let count = word(keys, fields.entry_count);
    let offset = (0..count)
        .map(|i| entries + i * size)
        .find(|&at| word(keys, at as usize) == key);
    let shape_offset = fields.log2_size;
    // SAFETY: the four bytes from `log2_size` on are fields of the table.
    let shape = unsafe { object(keys).byte_add(shape_offset).cast::<u32>().read() };
    match offset {
        Some(offset) if word(keys, offset as usize + 8) == value => Ok(Some(Entry {
            keys,
            shape,
            offset,
            value,
        })),
        // An equal key that is another object: the key was not interned.
        _ => Err(()),
    }
}

/// The value of a key in a dict, 0 if absent; `Err` as [`find_entry`].
pub fn find_value(dict: u64, key: u64) -> Result<u64, ()> {
    match find_entry(dict, key) {
        Ok(entry) => Ok(entry.map_or(0, |entry| entry.value)),
        Err(()) => Err(()),
    }
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
