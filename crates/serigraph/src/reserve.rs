//! Memory laid by for the moment when there is none: the numbers that an exit has to box.

use std::sync::Mutex;

/// Enough for the interpreter's allocator to get a new arena.
const BYTES: usize = 2 << 20;

static RESERVE: Mutex<Option<Vec<u8>>> = Mutex::new(None);

/// Lays memory by. It is never touched, so it takes address space only.
pub fn lay_by() {
    let mut bytes = Vec::new();
    if bytes.try_reserve_exact(BYTES).is_ok()
        && let Ok(mut reserve) = RESERVE.lock()
    {
        reserve.get_or_insert(bytes);
    }
}

/// Gives it back to the system.
pub fn release() {
    if let Ok(mut reserve) = RESERVE.lock() {
        *reserve = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_laid_by_is_given_back() {
        lay_by();
        assert!(RESERVE.lock().unwrap().is_some());
        release();
        assert!(RESERVE.lock().unwrap().is_none());
    }
}
