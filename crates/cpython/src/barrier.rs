//! Where a thread that the interpreter ends stops being unwound.
//!
//! At shutdown a daemon thread that wants the GIL is ended by `pthread_exit`, in the middle of whatever call-out it is in. That
//! unwinds the stack by force: destructors of Rust would run without the GIL, and a function that must not be unwound ends the
//! process. The unwinder stops at a frame without unwind information, as those of machine code are, and the thread ends there.

use std::arch::naked_asm;
use std::mem::MaybeUninit;

/// Calls `f` behind such a frame: for call-outs in which the thread may be ended. Nothing that belongs to the caller is dropped then.
/// A panic of `f` aborts the process.
pub fn behind_barrier<R, F: FnOnce() -> R>(f: F) -> R {
    struct Call<F, R> {
        function: MaybeUninit<F>,
        result: MaybeUninit<R>,
    }
    extern "C" fn run<R, F: FnOnce() -> R>(call: *mut u8) {
        let call = call.cast::<Call<F, R>>();
        // SAFETY: the `Call` on the stack of `behind_barrier`, whose function is taken exactly once, here.
        unsafe { (*call).result.write((*call).function.assume_init_read()()) };
    }
    let mut call = Call {
        function: MaybeUninit::new(f),
        result: MaybeUninit::uninit(),
    };
    // SAFETY: the function gets the context that it is made for, and writes the result.
    unsafe {
        barrier((&raw mut call).cast(), run::<R, F>);
        call.result.assume_init()
    }
}

/// Calls a function; without unwind information.
#[unsafe(naked)]
unsafe extern "C" fn barrier(context: *mut u8, function: extern "C" fn(*mut u8)) {
    naked_asm!("push rbp", "mov rbp, rsp", "call rsi", "pop rbp", "ret")
}

#[cfg(test)]
mod tests {
    use super::behind_barrier;
    use std::sync::atomic::{AtomicBool, Ordering};

    #[test]
    fn results_come_through() {
        let text = String::from("some text");
        assert_eq!(behind_barrier(|| text.len()), 9);
        assert_eq!(behind_barrier(move || text), "some text");
    }

    #[test]
    fn a_thread_that_is_ended_drops_nothing_of_the_caller() {
        static DROPPED: AtomicBool = AtomicBool::new(false);
        struct Noisy;
        impl Drop for Noisy {
            fn drop(&mut self) {
                DROPPED.store(true, Ordering::SeqCst);
            }
        }
        fn end_thread() {
            // SAFETY: ends the thread below, which owns nothing that somebody waits for.
            unsafe { libc::pthread_exit(std::ptr::null_mut()) }
        }
        extern "C" fn thread(_: *mut libc::c_void) -> *mut libc::c_void {
            let noisy = Noisy;
            behind_barrier(end_thread);
            drop(noisy);
            std::ptr::null_mut()
        }
        // SAFETY: a thread of this function, which is waited for.
        unsafe {
            let mut id = std::mem::zeroed();
            let attributes = std::ptr::null();
            assert_eq!(
                libc::pthread_create(&mut id, attributes, thread, std::ptr::null_mut()),
                0
            );
            assert_eq!(libc::pthread_join(id, std::ptr::null_mut()), 0);
        }
        assert!(!DROPPED.load(Ordering::SeqCst));
    }
}
