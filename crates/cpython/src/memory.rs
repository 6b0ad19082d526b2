//! Reading and writing a field at an offset.

/// Reads the field at `offset` bytes from `base`.
///
/// # Safety
/// There is an initialised, aligned `T` there.
#[inline]
pub(crate) unsafe fn read<T: Copy>(base: *const u8, offset: usize) -> T {
    // SAFETY: by the caller's promise.
    unsafe { *base.add(offset).cast::<T>() }
}

/// Writes the field at `offset` bytes from `base`.
///
/// # Safety
/// There is an aligned `T` there that may be written.
#[inline]
pub(crate) unsafe fn write<T: Copy>(base: *mut u8, offset: usize, value: T) {
    // SAFETY: by the caller's promise.
    unsafe { *base.add(offset).cast::<T>() = value }
}
