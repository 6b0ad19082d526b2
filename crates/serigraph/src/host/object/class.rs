//! What a class says of its instances: attributes, descriptors, how they are made.

use std::ffi::{CStr, c_int, c_void};
use std::ptr::null_mut;
use std::sync::atomic::{AtomicPtr, Ordering};

use serigraph_cpython::ffi::{self, PyObject};
use serigraph_cpython::refs::decref;
use serigraph_cpython::version::Minor;
use serigraph_cpython::{api, layout, minor};

use super::{bits, interned, object, type_address, word};

unsafe extern "C" {
    /// `staticmethod` (Include/funcobject.h): not part of the stable ABI, exported by every version.
    static mut PyStaticMethod_Type: ffi::PyTypeObject;
}

/// Whether attributes of instances of a type are found by the ordinary rules.
pub fn has_generic_getattr(type_address: u64) -> bool {
    let generic: unsafe extern "C" fn(*mut PyObject, *mut PyObject) -> *mut PyObject =
        ffi::PyObject_GenericGetAttr;
    word(type_address, layout().type_object.getattro) == generic as *const () as u64
}

/// Whether attributes of instances of a class are set by the ordinary rules.
pub fn has_generic_setattr(class: u64) -> bool {
    let generic: unsafe extern "C" fn(*mut PyObject, *mut PyObject, *mut PyObject) -> i32 =
        ffi::PyObject_GenericSetAttr;
    word(class, layout().type_object.setattro) == generic as *const () as u64
}

/// `tp_dictoffset` of a type.
pub fn dict_offset(type_address: u64) -> i64 {
    word(type_address, layout().type_object.dict_offset) as i64
}

/// `tp_descr_set` of an object's type is there: it is a data descriptor.
pub fn is_data_descriptor(o: u64) -> bool {
    word(type_address(o), layout().type_object.descr_set) != 0
}

/// Whether an object is a descriptor: what `tp_descr_get` says.
pub fn is_descriptor(o: u64) -> bool {
    word(type_address(o), layout().type_object.descr_get) != 0
}

/// Looks an attribute up in a type and its bases; borrowed, 0 if there is none.
pub fn type_lookup(type_address: u64, name: u64) -> u64 {
    // SAFETY: a type and an interned string; the function raises nothing.
    bits(unsafe { (api().type_lookup)(object(type_address), object(name)) })
}

/// As [`type_lookup`], by the text of the name.
pub fn lookup_name(class: u64, name: &CStr) -> u64 {
    // What the class has lives on when the name is released.
    interned(name).map_or(0, |name| type_lookup(class, bits(name.as_ptr())))
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
pub(in super::super) unsafe fn new_instance(class: *mut PyObject) -> *mut PyObject {
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
