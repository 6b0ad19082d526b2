//! A Python callable that goes straight to a Rust function: the cheapest callback `sys.monitoring` can call.

use std::ffi::{c_int, c_uint, c_void};
use std::mem;
use std::ptr;

use crate::ffi::{self, PyObject};
use crate::memory::write;
use crate::refs::Owned;
use crate::runtime::api;

/// The vectorcall protocol.
pub type Vectorcall = unsafe extern "C" fn(
    callable: *mut PyObject,
    arguments: *const *mut PyObject,
    count_and_flags: usize,
    keyword_names: *mut PyObject,
) -> *mut PyObject;

/// An instance: the object header, then what the type says.
#[repr(C)]
struct Instance {
    ref_count: isize,
    type_object: *mut PyObject,
    entry: Vectorcall,
}

/// A new type whose instances are called through the entry they carry.
fn new_type() -> Option<Owned> {
    let mut members = [
        ffi::PyMemberDef {
            name: c"__vectorcalloffset__".as_ptr(),
            type_code: ffi::Py_T_PYSSIZET,
            offset: mem::offset_of!(Instance, entry) as isize,
            flags: ffi::Py_READONLY,
            doc: ptr::null(),
        },
        ffi::PyMemberDef {
            name: ptr::null(),
            type_code: 0,
            offset: 0,
            flags: 0,
            doc: ptr::null(),
        },
    ];
    let mut slots = [
        slot(ffi::Py_tp_members, members.as_mut_ptr().cast()),
        slot(ffi::Py_tp_call, api().vectorcall_call as *mut c_void),
        slot(0, ptr::null_mut()),
    ];
    let mut spec = ffi::PyType_Spec {
        name: c"serigraph.Callback".as_ptr(),
        basicsize: mem::size_of::<Instance>() as c_int,
        itemsize: 0,
        flags: (ffi::Py_TPFLAGS_DEFAULT
            | ffi::Py_TPFLAGS_HAVE_VECTORCALL
            | ffi::Py_TPFLAGS_DISALLOW_INSTANTIATION) as c_uint,
        slots: slots.as_mut_ptr(),
    };
    // SAFETY: the specification is well formed; the type copies what it keeps of it, names are static.
    unsafe { Owned::from_raw(ffi::PyType_FromSpec(&mut spec)) }
}

/// An entry of a type specification.
pub(crate) fn slot(number: c_int, function: *mut c_void) -> ffi::PyType_Slot {
    ffi::PyType_Slot {
        slot: number,
        pfunc: function,
    }
}

/// A new callable; `None` = no memory, an exception is set.
pub fn new(entry: Vectorcall) -> Option<Owned> {
    let type_object = new_type()?;
    // SAFETY: the instance is made by the type's allocator, with room for the entry, and gets it before anybody can call it.
    unsafe {
        let instance = ffi::PyType_GenericAlloc(type_object.as_ptr().cast(), 0);
        let instance = Owned::from_raw(instance)?;
        write(
            instance.as_ptr().cast(),
            mem::offset_of!(Instance, entry),
            entry,
        );
        Some(instance)
    }
}
