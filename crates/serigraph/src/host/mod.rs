//! The evaluator's host: the running interpreter.
//!
//! [`Interpreter`] gives the recorder's evaluator the program's real memory and functions. Everything unsafe about
//! recording is here and in `object.rs`: a trace reads and calls only what its guards have checked, in the order in which they
//! have checked it, and the recorder holds a reference to every object it works on.

pub mod helpers;
pub mod known;
pub mod object;

use std::mem::transmute;

use serigraph_cpython::ffi::{self, PyObject};
use serigraph_cpython::frame::FramePtr;
use serigraph_cpython::poll::Poll;
use serigraph_cpython::refs;
use serigraph_trace::eval::Host;
use serigraph_uops::layout::{ARGS, VECTORCALL_ARGUMENTS_OFFSET};

use helpers::Helper;

/// The running interpreter, as uops see it.
pub struct Interpreter {
    frame: u64,
    poll: Poll,
    /// The outgoing argument area.
    args: [u64; ARGS],
}

impl Interpreter {
    /// For uops that run in this frame of the running thread.
    pub fn new(frame: FramePtr, poll: Poll) -> Interpreter {
        Interpreter {
            frame: frame.as_ptr().addr() as u64,
            poll,
            args: [0; ARGS],
        }
    }
}

#[inline]
fn object(bits: u64) -> *mut PyObject {
    std::ptr::with_exposed_provenance_mut(bits as usize)
}

#[inline]
fn bits(object: *mut PyObject) -> u64 {
    object.expose_provenance() as u64
}

impl Host for Interpreter {
    #[inline]
    fn load64(&self, address: u64) -> u64 {
        // SAFETY: the evaluator loads fields of live objects, whose types the trace's guards have checked, and of the frame.
        unsafe { object(address).cast::<u64>().read() }
    }
    #[inline]
    fn load32(&self, address: u64) -> u32 {
        // SAFETY: as `load64`.
        unsafe { object(address).cast::<u32>().read() }
    }
    #[inline]
    fn store64(&mut self, address: u64, value: u64) {
        // SAFETY: as `load64`; what the recorder stores is what the interpreter would have stored.
        unsafe { object(address).cast::<u64>().write(value) }
    }
    #[inline]
    fn frame(&self) -> u64 {
        self.frame
    }
    #[inline]
    fn poll(&mut self) -> bool {
        !self.poll.is_pending()
    }
    #[inline]
    fn incref(&mut self, value: u64) {
        // SAFETY: the recorder counts references to live objects, under the GIL.
        unsafe { refs::incref(object(value)) }
    }
    #[inline]
    fn decref(&mut self, value: u64) {
        // SAFETY: as `incref`; the trace owned this reference.
        unsafe { refs::decref(object(value)) }
    }
    #[inline]
    fn box_int(&mut self, value: i64) -> u64 {
        // SAFETY: the GIL is held.
        bits(unsafe { ffi::PyLong_FromLongLong(value) })
    }
    #[inline]
    fn box_float(&mut self, value: f64) -> u64 {
        // SAFETY: the GIL is held.
        bits(unsafe { ffi::PyFloat_FromDouble(value) })
    }
    fn call_float1(&mut self, helper: u64, a: f64) -> f64 {
        let Some(address) = Helper::from_number(helper).map(Helper::address) else {
            return f64::NAN;
        };
        // SAFETY: the recorder uses `leaf_float_1` only with helpers of this signature (see the table of helpers).
        unsafe { transmute::<*const (), extern "C" fn(f64) -> f64>(address)(a) }
    }
    fn call_float2(&mut self, helper: u64, a: f64, b: f64) -> f64 {
        let Some(address) = Helper::from_number(helper).map(Helper::address) else {
            return f64::NAN;
        };
        // SAFETY: as `call_float1`, for two doubles.
        unsafe { transmute::<*const (), extern "C" fn(f64, f64) -> f64>(address)(a, b) }
    }
    fn call_object(&mut self, helper: u64, args: &[u64]) -> u64 {
        type One = unsafe extern "C" fn(*mut PyObject) -> *mut PyObject;
        type Two = unsafe extern "C" fn(*mut PyObject, *mut PyObject) -> *mut PyObject;
        type Three =
            unsafe extern "C" fn(*mut PyObject, *mut PyObject, *mut PyObject) -> *mut PyObject;
        let Some(address) = Helper::from_number(helper).map(Helper::address) else {
            return 0;
        };
        // SAFETY: the recorder uses a helper only with the uop of its signature (see the table of helpers), on live objects.
        bits(unsafe {
            match *args {
                [a] => transmute::<*const (), One>(address)(object(a)),
                [a, b] => transmute::<*const (), Two>(address)(object(a), object(b)),
                [a, b, c] => {
                    transmute::<*const (), Three>(address)(object(a), object(b), object(c))
                }
                _ => return 0,
            }
        })
    }
    fn call_status(&mut self, helper: u64, args: &[u64]) -> i32 {
        type One = unsafe extern "C" fn(*mut PyObject) -> i32;
        type Two = unsafe extern "C" fn(*mut PyObject, *mut PyObject) -> i32;
        type Three = unsafe extern "C" fn(*mut PyObject, *mut PyObject, *mut PyObject) -> i32;
        let Some(address) = Helper::from_number(helper).map(Helper::address) else {
            return -1;
        };
        // SAFETY: as `call_object`.
        unsafe {
            match *args {
                [a] => transmute::<*const (), One>(address)(object(a)),
                [a, b] => transmute::<*const (), Two>(address)(object(a), object(b)),
                [a, b, c] => {
                    transmute::<*const (), Three>(address)(object(a), object(b), object(c))
                }
                _ => -1,
            }
        }
    }
    fn push_arg(&mut self, index: u64, value: u64) {
        if let Some(arg) = self.args.get_mut(index as usize) {
            *arg = value;
        }
    }
    fn call_args(&mut self, helper: u64) -> u64 {
        type Args = unsafe extern "C" fn(*const *mut PyObject) -> *mut PyObject;
        let Some(address) = Helper::from_number(helper).map(Helper::address) else {
            return 0;
        };
        // SAFETY: as `call_object`; the arguments end with a null, as every helper of this signature wants.
        bits(unsafe { transmute::<*const (), Args>(address)(self.args.as_ptr().cast()) })
    }
    fn vectorcall(&mut self, callable: u64, count: u64) -> u64 {
        let args = self
            .args
            .as_mut_ptr()
            .wrapping_add(1)
            .cast::<*mut PyObject>();
        let flags = (count | VECTORCALL_ARGUMENTS_OFFSET) as usize;
        // SAFETY: the callable and `count` arguments from index 1 on are live objects; the word before them may be used.
        bits(unsafe {
            ffi::PyObject_Vectorcall(object(callable), args, flags, std::ptr::null_mut())
        })
    }
}
