//! What machine code calls and reads of the interpreter.

use std::ffi::c_int;

use serigraph_cpython::ffi::{self, PyObject};
use serigraph_cpython::threads::Thread;
use serigraph_cpython::{refs, runtime};
use serigraph_stencil::{Activation, BigInt, CodeError, CodeMemory, RuntimeSymbols};

use crate::host::helpers::Helper;
use crate::state;

/// The value of an exact int that fits 64 bits.
unsafe extern "C" fn unbox_big_int(object: *mut PyObject) -> BigInt {
    let mut overflow: c_int = 0;
    // SAFETY: machine code passes an exact int, for which this runs no Python code and sets no exception.
    let value = unsafe { ffi::PyLong_AsLongLongAndOverflow(object, &mut overflow) };
    BigInt {
        value,
        fits: u64::from(overflow == 0),
    }
}

/// The last reference to an object is gone.
unsafe extern "C" fn dealloc(object: *mut PyObject, _activation: *mut Activation) {
    // SAFETY: machine code has just taken away the last reference.
    unsafe { refs::dealloc(object) };
}

/// Gives the memory of the dead ints that machine code has kept back to the interpreter.
pub fn free_dead_ints() {
    while let Some(object) = state::with(|s| s.memory.as_mut().and_then(CodeMemory::take_dead_int))
    {
        // SAFETY: an exact int without references, of which the memory is all that is left.
        unsafe { ffi::PyObject_Free(std::ptr::with_exposed_provenance_mut(object)) };
    }
}

/// Memory for machine code, that knows what to call.
pub fn code_memory(limit: usize, thread: Thread) -> Result<CodeMemory, CodeError> {
    let interpreter = thread.interpreter().expose_provenance();
    let free_list = runtime().float_free_list;
    // SAFETY: -5 is a small int, which lives for ever.
    let small_ints = unsafe {
        let least = ffi::PyLong_FromLong(-5);
        ffi::Py_DECREF(least);
        least.expose_provenance()
    };
    let address = |function: *const ()| function.expose_provenance();
    let symbols = RuntimeSymbols {
        box_int: address(ffi::PyLong_FromLongLong as *const ()),
        box_float: address(ffi::PyFloat_FromDouble as *const ()),
        unbox_big_int: address(unbox_big_int as *const ()),
        dealloc: address(dealloc as *const ()),
        vectorcall: address(ffi::PyObject_Vectorcall as *const ()),
        small_ints,
        int_type: (&raw const ffi::PyLong_Type).expose_provenance(),
        float_type: (&raw const ffi::PyFloat_Type).expose_provenance(),
        float_free_list: free_list.map_or(0, |list| interpreter + list.head),
        float_free_count: free_list.map_or(0, |list| interpreter + list.count),
    };
    let helpers: Vec<usize> = Helper::ALL
        .iter()
        .map(|helper| helper.address().expose_provenance())
        .collect();
    CodeMemory::new(limit, &symbols, &helpers)
}
