//! Where a thread that the interpreter ends stops being unwound.
//!
//! At shutdown a daemon thread that wants the GIL is ended by `pthread_exit`, in the middle of whatever call-out it is in. That
//! unwinds the stack by force: destructors of Rust would run without the GIL, and a function that must not be unwound ends the
//! process. The unwinder stops at a frame without unwind information, as those of machine code are, and the thread ends there.
//!
//! So that frame has to be the innermost: between it and the interpreter there may be no frame of Rust that has something to drop,
//! whether it is dropped (without the GIL) or, for calls that cannot unwind, the process is ended.

use std::arch::naked_asm;

/// Calls a C function of up to four words behind such a frame. Nothing of its callers is dropped when the thread is ended in there.
/// (The functions of [`crate::ffi`] have it already.)
///
/// # Safety
/// As the function demands; it takes these words, or the first of them, and what is beyond the size of its result is undefined.
#[inline]
pub unsafe fn call(function: *const (), [a, b, c, d]: [usize; 4]) -> usize {
    // SAFETY: by the caller's promise.
    unsafe { call_words(a, b, c, d, function) }
}

#[unsafe(naked)]
unsafe extern "C" fn call_words(
    a: usize,
    b: usize,
    c: usize,
    d: usize,
    function: *const (),
) -> usize {
    // Functions of a variable number of arguments want the number of floats in al.
    naked_asm!(
        "push rbp",
        "mov rbp, rsp",
        "xor eax, eax",
        "call r8",
        "pop rbp",
        "ret"
    )
}

#[cfg(test)]
mod tests {
    use super::call;
    use std::sync::atomic::{AtomicBool, Ordering};

    #[test]
    fn words_and_results_come_through() {
        extern "C" fn digits(a: usize, b: usize, c: usize, d: usize) -> usize {
            ((a * 10 + b) * 10 + c) * 10 + d
        }
        // SAFETY: a function of four words.
        let result = unsafe { call(digits as *const (), [1, 2, 3, 4]) };
        assert_eq!(result, 1234);
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
        extern "C" fn end_thread() {
            // SAFETY: ends the thread below, which owns nothing that somebody waits for.
            unsafe { libc::pthread_exit(std::ptr::null_mut()) }
        }
        extern "C" fn thread(_: *mut libc::c_void) -> *mut libc::c_void {
            let noisy = Noisy;
            // SAFETY: a function of no words.
            unsafe { call(end_thread as *const (), [0; 4]) };
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
