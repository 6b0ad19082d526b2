//! The activation: the memory that `rsp` points to while a trace runs.

use serigraph_uops::layout;

use crate::register::{Fp, Gp};

/// How many outgoing arguments there is room for (index 0 is the word before the arguments of a vectorcall).
pub const ARGS: usize = layout::ARGS;
/// How many values can be spilled.
pub const SPILL_SLOTS: usize = layout::SPILL_SLOTS;

/// A word in memory that a trace watches, and what it is expected to hold.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct PollWord {
    /// The address of the word.
    pub word: *const u8,
    /// The trace goes on while the word holds this (`poll_word32` compares the low 32 bits).
    pub expected: u64,
}

/// What a trace is entered with: what it watches, and what it has to know of the thread.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct Context {
    /// What `poll_word32` and `poll_word64` look at.
    pub polls: [PollWord; 2],
    /// The word that says which frame is the thread's current one. For traces that push frames; otherwise it may be null.
    pub current_frame: *mut *mut u8,
    /// The thread's count of Python calls that may still be nested; as `current_frame`.
    pub recursion: *mut i32,
}

impl Context {
    /// For traces that push no frames.
    pub fn new(polls: [PollWord; 2]) -> Context {
        Context {
            polls,
            current_frame: std::ptr::null_mut(),
            recursion: std::ptr::null_mut(),
        }
    }
}

/// What a running trace keeps on the C stack. It exists from the entry until the exit handler returns.
///
/// After an exit the value registers are in `gp` and `fp`, spilled values in `spills`.
#[repr(C, align(16))]
#[derive(Debug)]
pub struct Activation {
    /// What `poll_word32` looks at.
    pub poll32: PollWord,
    /// What `poll_word64` looks at.
    pub poll64: PollWord,
    /// Outgoing arguments.
    pub args: [u64; ARGS],
    /// The running frame (`r12`).
    pub frame: *mut u8,
    /// The host's pointer.
    pub user: *mut u8,
    pub(crate) handler: usize,
    /// The number of the exit that was taken.
    pub exit: u64,
    /// The general value registers at the exit, by index; the last word is padding.
    pub gp: [u64; 8],
    /// The float value registers at the exit, by index.
    pub fp: [f64; 8],
    /// Spill slots; an integer's bits or a double's.
    pub spills: [u64; SPILL_SLOTS],
    /// As [`Context::current_frame`].
    pub current_frame: *mut *mut u8,
    /// As [`Context::recursion`].
    pub recursion: *mut i32,
    /// Room for the frames of inlined functions.
    pub frames: [u64; layout::FRAME_WORDS],
}

impl Activation {
    /// The value of a general register at the exit.
    #[inline]
    pub fn gp(&self, register: Gp) -> u64 {
        self.gp[register.index()]
    }
    /// The value of a float register at the exit.
    #[inline]
    pub fn fp(&self, register: Fp) -> f64 {
        self.fp[register.index()]
    }
}

// The stencil bodies know the activation by these numbers.
const _: () = {
    use core::mem::{offset_of, size_of};
    assert!(offset_of!(Activation, args) == layout::ACTIVATION_ARGS);
    assert!(offset_of!(Activation, poll32) == layout::ACTIVATION_POLL32_WORD);
    assert!(offset_of!(Activation, poll64) == layout::ACTIVATION_POLL64_WORD);
    assert!(
        offset_of!(PollWord, expected)
            == layout::ACTIVATION_POLL32_EXPECTED - layout::ACTIVATION_POLL32_WORD
    );
    assert!(offset_of!(Activation, frame) == layout::ACTIVATION_FRAME);
    assert!(offset_of!(Activation, user) == layout::ACTIVATION_USER);
    assert!(offset_of!(Activation, handler) == layout::ACTIVATION_HANDLER);
    assert!(offset_of!(Activation, exit) == layout::ACTIVATION_EXIT);
    assert!(offset_of!(Activation, gp) == layout::ACTIVATION_GP);
    assert!(offset_of!(Activation, fp) == layout::ACTIVATION_FP);
    assert!(offset_of!(Activation, spills) == layout::ACTIVATION_SPILLS);
    assert!(offset_of!(Activation, current_frame) == layout::ACTIVATION_CURRENT_FRAME);
    assert!(offset_of!(Activation, recursion) == layout::ACTIVATION_RECURSION);
    assert!(offset_of!(Activation, frames) == layout::ACTIVATION_FRAMES);
    assert!(offset_of!(Context, current_frame) == 32 && offset_of!(Context, recursion) == 40);
    assert!(size_of::<Activation>() == layout::ACTIVATION_SIZE);
};
