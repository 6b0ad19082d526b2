//! The eval breaker: the word that is not quiet when signals, another thread's wish for the GIL, the collector, pending
//! calls or (3.13) tracing want the interpreter's attention.

use crate::memory::read;
use crate::runtime::{layout, minor};
use crate::threads::Thread;
use crate::version::Minor;

/// The bits of 3.13's word that are events; those above are the global monitoring version.
const EVENT_BITS_313: u64 = 0xff;

/// How a loop polls: compare the word at `address` with `quiet`; when it differs, something is pending.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Poll {
    /// Where the word is. 3.12: in the interpreter state; 3.13: in the thread state, so per thread.
    pub address: *const u8,
    /// Its size in bytes: 4 (3.12) or 8 (3.13).
    pub width: u8,
    /// What it holds when nothing is pending. In 3.13 the global monitoring version is part of it, so that
    /// `sys.settrace` and `sys.monitoring.set_events` are caught as well.
    pub quiet: u64,
}

impl Poll {
    /// How the thread polls now. Changes with the global monitoring version; ask at every entry.
    #[inline]
    pub fn of(thread: Thread) -> Poll {
        match minor() {
            Minor::V312 => Poll {
                address: thread
                    .interpreter()
                    .wrapping_add(layout().interpreter.eval_breaker),
                width: 4,
                quiet: 0,
            },
            Minor::V313 => {
                let address = thread
                    .as_ptr()
                    .cast::<u8>()
                    .wrapping_add(layout().thread.eval_breaker);
                // SAFETY: the word is a field of a live thread state.
                let word = unsafe { read::<u64>(address, 0) };
                Poll {
                    address,
                    width: 8,
                    quiet: word & !EVENT_BITS_313,
                }
            }
        }
    }

    /// Whether something is pending now.
    #[inline]
    pub fn is_pending(&self) -> bool {
        // SAFETY: the word is a field of a live thread or interpreter state; other threads and signal handlers write it
        // atomically, and a volatile read sees some value they wrote.
        unsafe {
            match self.width {
                4 => u64::from(self.address.cast::<u32>().read_volatile()) != self.quiet,
                _ => self.address.cast::<u64>().read_volatile() != self.quiet,
            }
        }
    }
}

/// The offset of the word in the thread state, for machine code that polls (3.13); `None` in 3.12, where it is in the
/// interpreter state ([`Poll::address`] is then the same for all threads).
pub fn thread_offset() -> Option<usize> {
    match minor() {
        Minor::V312 => None,
        Minor::V313 => Some(layout().thread.eval_breaker),
    }
}

/// The global monitoring version: changes when `sys.settrace`, `sys.monitoring.set_events` or `restart_events` is used.
/// Comparable with [`crate::code::CodeRef::instrumentation_version`].
#[inline]
pub fn monitoring_version(thread: Thread) -> u64 {
    match minor() {
        // SAFETY: a field of the live interpreter state.
        Minor::V312 => unsafe {
            read::<u64>(
                thread.interpreter(),
                layout().interpreter.monitoring_version,
            )
        },
        Minor::V313 => Poll::of(thread).quiet,
    }
}

/// Address of the global monitoring version in 3.12, for a second compare in machine code; `None` in 3.13, where the poll word has it.
pub fn monitoring_version_address(thread: Thread) -> Option<*const u8> {
    match minor() {
        Minor::V312 => Some(
            thread
                .interpreter()
                .wrapping_add(layout().interpreter.monitoring_version),
        ),
        Minor::V313 => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_word_is_pending() {
        let word: u64 = 0x0100;
        let quiet = Poll {
            address: std::ptr::from_ref(&word).cast(),
            width: 8,
            quiet: 0x0100,
        };
        assert!(!quiet.is_pending());
        assert!(
            Poll {
                quiet: 0x0200,
                ..quiet
            }
            .is_pending()
        );
        assert!(!Poll { width: 4, ..quiet }.is_pending());
    }
}
