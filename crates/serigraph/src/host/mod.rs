//! The evaluator's host: the running interpreter.
//!
//! [`Interpreter`] gives the recorder's evaluator the program's real memory and functions. Everything unsafe about
//! recording is here and in `object.rs`: a trace reads and calls only what its guards have checked, in the order in which they
//! have checked it, and the recorder holds a reference to every object it works on.

mod call;
pub mod helpers;
pub mod hold;
pub mod known;
pub mod object;

use std::mem::transmute;

use serigraph_cpython::barrier;
use serigraph_cpython::ffi::{self, PyObject};
use serigraph_cpython::frame::{self, FramePtr};
use serigraph_cpython::poll::Poll;
use serigraph_cpython::refs;
use serigraph_cpython::threads::Thread;
use serigraph_trace::eval::Host;
use serigraph_uops::layout::{
    ARGS, FRAME_HEAD_WORDS, FRAME_IMAGE_WORDS, FRAME_PREVIOUS, FRAME_WORDS,
    VECTORCALL_ARGUMENTS_OFFSET,
};

use helpers::Helper;

const _: () = assert!(frame::HEAD_WORDS == FRAME_HEAD_WORDS);

/// The room for frames of inlined functions: as in an activation of machine code, and not to be moved while they stand.
pub type FrameRoom = Box<[u64; FRAME_WORDS]>;
/// What `push_frame` copies.
pub type FrameImage = Box<[u64; FRAME_IMAGE_WORDS]>;

/// The running interpreter, as uops see it.
pub struct Interpreter {
    thread: Thread,
    frame: FramePtr,
    poll: Poll,
    /// Made when a frame is first to stand in it.
    room: Option<FrameRoom>,
    /// The outgoing argument area.
    args: [u64; ARGS],
}

impl Interpreter {
    /// For uops that run in this frame of the running thread.
    pub fn new(thread: Thread, frame: FramePtr) -> Interpreter {
        Interpreter {
            thread,
            frame,
            poll: Poll::of(thread),
            room: None,
            args: [0; ARGS],
        }
    }

    /// The room for frames, if there is one: some may stand in it.
    pub fn into_room(self) -> Option<FrameRoom> {
        self.room
    }

    fn room(&mut self) -> &mut FrameRoom {
        self.room.get_or_insert_with(|| Box::new([0; FRAME_WORDS]))
    }
}

#[inline]
fn object(bits: u64) -> *mut PyObject {
    std::ptr::with_exposed_provenance_mut(bits as usize)
}

/// Up to three arguments of a helper.
fn words(args: &[u64]) -> Option<[usize; 4]> {
    let mut words = [0; 4];
    let used = words[..3].get_mut(..args.len())?;
    for (word, &arg) in used.iter_mut().zip(args) {
        *word = arg as usize;
    }
    Some(words)
}

/// Calls a helper, in which the thread may be ended; `None` if there is none of this number.
///
/// # Safety
/// The helper takes these words.
unsafe fn call_helper(helper: u64, words: [usize; 4]) -> Option<usize> {
    let address = Helper::from_number(helper)?.address();
    // SAFETY: by the caller's promise.
    Some(unsafe { barrier::call(address, words) })
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
        self.frame.as_ptr().addr() as u64
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
        let Some(words) = words(args) else { return 0 };
        // SAFETY: the recorder uses a helper only with the uop of its signature (see the table of helpers), on live objects.
        unsafe { call_helper(helper, words) }.map_or(0, |result| result as u64)
    }
    fn call_words(&mut self, helper: u64, [a, b, c]: [u64; 3]) -> u64 {
        type Words = unsafe extern "C" fn(i64, i64, i64) -> *mut PyObject;
        let Some(address) = Helper::from_number(helper).map(Helper::address) else {
            return 0;
        };
        // SAFETY: as `call_object`, for three words.
        bits(unsafe { transmute::<*const (), Words>(address)(a as i64, b as i64, c as i64) })
    }
    fn call_status(&mut self, helper: u64, args: &[u64]) -> i32 {
        let Some(words) = words(args) else { return -1 };
        // SAFETY: as `call_object`; the result is an `int`.
        unsafe { call_helper(helper, words) }.map_or(-1, |result| result as i32)
    }
    fn set_frame_word(&mut self, word: u64, bits: u64) {
        if let Some(place) = self.room().get_mut(word as usize) {
            *place = bits;
        }
    }
    fn frame_word(&self, word: u64) -> u64 {
        let room = self.room.as_ref();
        room.and_then(|room| room.get(word as usize).copied())
            .unwrap_or(0)
    }
    fn push_frame(&mut self, image: u64) {
        // SAFETY: the recorder's image of a frame, which it keeps.
        let image = unsafe { *object(image).cast::<[u64; FRAME_IMAGE_WORDS]>() };
        let first = image[FRAME_HEAD_WORDS] as usize;
        let caller = self.thread.current_frame();
        let Some(head) = self.room().get_mut(first..first + FRAME_HEAD_WORDS) else {
            return;
        };
        head.copy_from_slice(&image[..FRAME_HEAD_WORDS]);
        head[FRAME_PREVIOUS / 8] =
            caller.map_or(0, |caller| caller.as_ptr().expose_provenance() as u64);
        // SAFETY: a frame with its slots, called by the current one; the room stays where it is.
        unsafe {
            if let Some(new) = FramePtr::from_raw(head.as_mut_ptr().cast()) {
                self.thread.set_current_frame(new);
            }
        }
        self.thread.adjust_py_recursion(-1);
    }
    fn pop_frames(&mut self, count: u64) {
        // SAFETY: the frame is below those that were pushed.
        unsafe { self.thread.set_current_frame(self.frame) };
        self.thread.adjust_py_recursion(count as i32);
    }
    fn push_arg(&mut self, index: u64, value: u64) {
        if let Some(arg) = self.args.get_mut(index as usize) {
            *arg = value;
        }
    }
    fn call_args(&mut self, helper: u64) -> u64 {
        let words = [self.args.as_ptr().expose_provenance(), 0, 0, 0];
        // SAFETY: as `call_object`; the arguments end with a null, as every helper of this signature wants.
        unsafe { call_helper(helper, words) }.map_or(0, |result| result as u64)
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
