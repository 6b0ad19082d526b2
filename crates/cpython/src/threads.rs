//! Thread states, recursion counters, and how much native stack is left.

use std::cell::Cell;
use std::ffi::c_void;
use std::mem::MaybeUninit;
use std::ptr::NonNull;
use std::time::Duration;

use crate::ffi::PyThreadState;
use crate::frame::FramePtr;
use crate::memory::{read, write};
use crate::runtime::{api, layout, minor};
use crate::version::Minor;

/// A pointer to a thread state. Whoever made it promised that it outlives its use; all methods need the GIL.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(transparent)]
pub struct Thread(NonNull<u8>);

/// What `sys.monitoring` keeps per thread while a callback runs; see [`Thread::leave_callback`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[must_use = "the interpreter relies on the saved values being put back"]
pub struct CallbackState {
    tracing: i32,
    what_event: i32,
}

impl Thread {
    /// The running thread. The GIL must be held.
    #[inline]
    pub fn current() -> Option<Thread> {
        // SAFETY: the function takes nothing and cannot fail.
        NonNull::new(unsafe { (api().thread_state)() }).map(|state| Thread(state.cast()))
    }

    /// Wraps a thread state.
    ///
    /// # Safety
    /// `state` is a thread state that lives as long as the result is used.
    #[inline]
    pub unsafe fn from_raw(state: *mut PyThreadState) -> Option<Thread> {
        NonNull::new(state).map(|state| Thread(state.cast()))
    }

    /// The thread state's address.
    #[inline]
    pub fn as_ptr(self) -> *mut PyThreadState {
        self.0.as_ptr().cast()
    }

    #[inline]
    fn get<T: Copy>(self, offset: usize) -> T {
        // SAFETY: the offsets that this module passes are of fields of this type, as the checks have proved.
        unsafe { read(self.0.as_ptr(), offset) }
    }

    #[inline]
    fn set<T: Copy>(self, offset: usize, value: T) {
        // SAFETY: as `get`; the GIL is held, so the fields are this thread's to change.
        unsafe { write(self.0.as_ptr(), offset, value) }
    }

    /// Where the interpreter's state is.
    #[inline]
    pub fn interpreter(self) -> *mut u8 {
        self.get(layout().thread.interpreter)
    }

    /// Whether this thread belongs to the main interpreter.
    #[inline]
    pub fn is_main_interpreter(self) -> bool {
        // SAFETY: asks for the main interpreter, which exists as long as Python runs.
        self.interpreter() == unsafe { (api().main_interpreter)() }
    }

    /// The next thread of the same interpreter.
    pub fn next(self) -> Option<Thread> {
        NonNull::new(self.get::<*mut u8>(layout().thread.next)).map(Thread)
    }

    /// Every thread of this thread's interpreter. The GIL must be held for as long as the iterator lives.
    pub fn all(self) -> impl Iterator<Item = Thread> {
        // SAFETY: `threads.head` of the interpreter is a thread state.
        let first = NonNull::new(unsafe {
            read::<*mut u8>(self.interpreter(), layout().interpreter.threads)
        });
        std::iter::successors(first.map(Thread), |thread| thread.next())
    }

    /// The frame that is running (or calling C code), if any.
    #[inline]
    pub fn current_frame(self) -> Option<FramePtr> {
        let holder = self.get::<*mut u8>(layout().thread.frame_holder);
        let frame = match minor() {
            // SAFETY: in 3.12 the thread state points to a `_PyCFrame`, whose first field is the frame.
            Minor::V312 => unsafe { read::<*mut u8>(holder, 0) },
            Minor::V313 => holder,
        };
        // SAFETY: the current frame of a thread is valid while the GIL is held and nothing runs.
        unsafe { FramePtr::from_raw(frame) }
    }

    /// The address of the word that says which frame is the current one. It stays the same while the same eval loop runs.
    #[inline]
    pub fn current_frame_address(self) -> *mut *mut u8 {
        let offset = layout().thread.frame_holder;
        match minor() {
            Minor::V312 => self.get::<*mut *mut u8>(offset),
            Minor::V313 => self.0.as_ptr().wrapping_add(offset).cast(),
        }
    }

    /// The address of the count of nested Python calls that are allowed.
    #[inline]
    pub fn py_recursion_address(self) -> *mut i32 {
        let offset = layout().thread.py_recursion_remaining;
        self.0.as_ptr().wrapping_add(offset).cast()
    }

    /// Makes a frame the current one: for a frame built by [`crate::frame::push_frame`] while a frame it has called runs, and to undo that.
    ///
    /// # Safety
    /// The frame is the current one's, or the current one is its; this thread is the running one.
    #[inline]
    pub unsafe fn set_current_frame(self, frame: FramePtr) {
        let offset = layout().thread.frame_holder;
        match minor() {
            // SAFETY: as in `current_frame`.
            Minor::V312 => unsafe { write(self.get::<*mut u8>(offset), 0, frame.as_ptr()) },
            Minor::V313 => self.set(offset, frame.as_ptr()),
        }
    }

    /// Whether somebody else runs the frames of this interpreter (PEP 523: a debugger, a compiler): every call of a Python function
    /// has to come to them.
    #[inline]
    pub fn has_foreign_evaluator(self) -> bool {
        let api = api();
        // SAFETY: the interpreter of a thread that lives.
        let evaluator = unsafe { (api.frame_evaluator)(self.interpreter()) };
        evaluator != api.eval_frame as *const c_void
    }

    /// A 32-bit word that is 0 as long as nobody else runs the frames: bits 16 to 47 of the evaluator's address, of which a
    /// function's is never 0 there.
    #[inline]
    pub fn foreign_evaluator_address(self) -> *const u32 {
        let offset = layout().interpreter.eval_frame;
        self.interpreter().wrapping_add(offset + 2).cast()
    }

    /// How many more nested Python calls are allowed.
    #[inline]
    pub fn py_recursion_remaining(self) -> i32 {
        self.get(layout().thread.py_recursion_remaining)
    }

    /// Adds to the Python recursion counter (negative: enters calls, positive: leaves them).
    #[inline]
    pub fn adjust_py_recursion(self, by: i32) {
        self.set(
            layout().thread.py_recursion_remaining,
            self.py_recursion_remaining().wrapping_add(by),
        );
    }

    /// How many more nested C calls are allowed.
    #[inline]
    pub fn c_recursion_remaining(self) -> i32 {
        self.get(layout().thread.c_recursion_remaining)
    }

    /// Adds to the C recursion counter.
    #[inline]
    pub fn adjust_c_recursion(self, by: i32) {
        self.set(
            layout().thread.c_recursion_remaining,
            self.c_recursion_remaining().wrapping_add(by),
        );
    }

    /// Above 0 while a trace function or monitoring callback runs: no events are delivered then.
    #[inline]
    pub fn tracing(self) -> i32 {
        self.get(layout().thread.tracing)
    }

    /// Whether `sys.settrace` or `sys.setprofile` is active in this thread.
    #[inline]
    pub fn has_trace_function(self) -> bool {
        !self
            .get::<*mut u8>(layout().thread.c_trace_function)
            .is_null()
            || !self
                .get::<*mut u8>(layout().thread.c_profile_function)
                .is_null()
    }

    /// Makes the interpreter behave as if no monitoring callback were running (events of called code are delivered, new code is
    /// instrumented). To be undone with [`Thread::reenter_callback`] before the callback returns.
    #[inline]
    pub fn leave_callback(self) -> CallbackState {
        let thread = &layout().thread;
        let saved = CallbackState {
            tracing: self.get(thread.tracing),
            what_event: self.get(thread.what_event),
        };
        self.set(thread.tracing, 0_i32);
        self.set(thread.what_event, -1_i32);
        saved
    }

    /// Puts back what [`Thread::leave_callback`] saved.
    #[inline]
    pub fn reenter_callback(self, saved: CallbackState) {
        let thread = &layout().thread;
        self.set(thread.tracing, saved.tracing);
        self.set(thread.what_event, saved.what_event);
    }

    /// Whether an exception is pending.
    #[inline]
    pub fn has_exception(self) -> bool {
        !self
            .get::<*mut u8>(layout().thread.current_exception)
            .is_null()
    }

    /// The first free word of the data stack, where the next frame goes.
    #[inline]
    pub fn datastack_top(self) -> *mut u8 {
        self.get(layout().thread.datastack_top)
    }

    /// The end of the current data stack chunk.
    #[inline]
    pub fn datastack_limit(self) -> *mut u8 {
        self.get(layout().thread.datastack_limit)
    }

    /// The current data stack chunk.
    #[inline]
    pub(crate) fn datastack_chunk(self) -> *mut u8 {
        self.get(layout().thread.datastack_chunk)
    }

    /// Changes to another chunk, of which nothing is used yet.
    pub(crate) fn set_datastack(self, chunk: *mut u8, top: *mut u8, limit: *mut u8) {
        self.set(layout().thread.datastack_chunk, chunk);
        self.set(layout().thread.datastack_top, top);
        self.set(layout().thread.datastack_limit, limit);
    }

    /// Says where the next frame goes: for [`crate::frame`], and after a frame has run whose memory is not on the data stack.
    #[inline]
    pub fn set_datastack_top(self, top: *mut u8) {
        self.set(layout().thread.datastack_top, top);
    }
}

/// Whether the running thread holds the GIL.
pub fn holds_gil() -> bool {
    // SAFETY: may be called from any thread at any time.
    unsafe { (api().gil_check)() == 1 }
}

thread_local! {
    static STACK_BOTTOM: Cell<Option<usize>> = const { Cell::new(None) };
}

/// How many bytes of native stack are left to the running thread; 0 if the system does not say.
pub fn native_stack_remaining() -> usize {
    let marker = 0_u8;
    let here = std::hint::black_box(&raw const marker).addr();
    let bottom = STACK_BOTTOM.get().unwrap_or_else(|| {
        let bottom = stack_bottom().unwrap_or(usize::MAX);
        STACK_BOTTOM.set(Some(bottom));
        bottom
    });
    here.saturating_sub(bottom)
}

/// The lowest address of the running thread's stack.
fn stack_bottom() -> Option<usize> {
    let mut attributes = MaybeUninit::<libc::pthread_attr_t>::uninit();
    let mut bottom = std::ptr::null_mut();
    let mut size = 0;
    let mut guard = 0;
    // SAFETY: the attributes are read only after `pthread_getattr_np` has filled them, and are destroyed after.
    unsafe {
        if libc::pthread_getattr_np(libc::pthread_self(), attributes.as_mut_ptr()) != 0 {
            return None;
        }
        let found = libc::pthread_attr_getstack(attributes.as_ptr(), &mut bottom, &mut size) == 0
            && libc::pthread_attr_getguardsize(attributes.as_ptr(), &mut guard) == 0;
        libc::pthread_attr_destroy(attributes.as_mut_ptr());
        found.then(|| bottom.addr() + guard)
    }
}

/// Processor time that the running thread has taken, for measuring; other work of the machine does not count.
pub fn processor_time() -> Duration {
    let mut time = MaybeUninit::<libc::timespec>::zeroed();
    // SAFETY: the clock exists on Linux, and the structure is the call's to fill; zeros are valid where it refuses.
    let time = unsafe {
        libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, time.as_mut_ptr());
        time.assume_init()
    };
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

#[cfg(test)]
mod tests {
    use super::native_stack_remaining;

    #[test]
    fn native_stack_shrinks_as_calls_nest() {
        fn deeper(n: u32) -> usize {
            let fill = std::hint::black_box([n as u8; 1024]);
            let left = if n == 0 {
                native_stack_remaining()
            } else {
                deeper(n - 1)
            };
            std::hint::black_box(fill);
            left
        }
        let here = native_stack_remaining();
        let there = deeper(20);
        assert!(here > there + 10_000, "{here} {there}");
        assert!(there > 100_000, "{there}");
    }
}
