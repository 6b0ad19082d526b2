//! State that the GIL protects.

use std::cell::{Cell, UnsafeCell};

/// A value that is only touched while the GIL is held, and never across a call that could give the GIL up or run Python code.
pub struct GilCell<T> {
    value: UnsafeCell<T>,
    busy: Cell<bool>,
}

// SAFETY: every access goes through `with`, whose callers hold the GIL; the GIL orders the accesses of different threads.
unsafe impl<T> Sync for GilCell<T> {}

impl<T> GilCell<T> {
    /// A cell with this value.
    pub const fn new(value: T) -> GilCell<T> {
        GilCell {
            value: UnsafeCell::new(value),
            busy: Cell::new(false),
        }
    }

    /// Where the value is, for a process that is about to die.
    pub const fn as_ptr(&self) -> *const T {
        self.value.get()
    }

    /// Works on the value. `f` must not call anything that could run Python code or give up the GIL (dropping a reference
    /// counts as such): debug builds stop if this function is entered again meanwhile.
    ///
    /// # Safety
    /// The GIL is held, and `f` keeps to the above.
    #[inline]
    pub unsafe fn with<R>(&self, f: impl FnOnce(&mut T) -> R) -> R {
        if cfg!(debug_assertions) {
            assert!(
                !self.busy.replace(true),
                "engine state used while it is in use"
            );
        }
        // SAFETY: under the GIL, and not nested, so this is the only reference.
        let result = f(unsafe { &mut *self.value.get() });
        if cfg!(debug_assertions) {
            self.busy.set(false);
        }
        result
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[should_panic(expected = "in use")]
    fn nested_use_is_found() {
        let cell = GilCell::new(0);
        // SAFETY: one thread only; the nesting is what is tested.
        unsafe { cell.with(|_| cell.with(|n| *n += 1)) };
    }
}
