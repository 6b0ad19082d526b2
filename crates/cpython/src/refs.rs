//! References to Python objects: owned or borrowed is a matter of type.
//!
//! Counting is inline and knows immortal objects (`Include/object.h`, the same in 3.12 and 3.13 with the GIL): the low 32
//! bits of the count are all ones in an immortal object, so an increment that would wrap them is not stored, and a
//! count that is negative as an `i32` is not decremented.

use std::arch::naked_asm;
use std::fmt;
use std::mem;
use std::ptr::NonNull;

use crate::ffi::PyObject;

unsafe extern "C" {
    /// Deallocates an object whose count has reached 0. Stable ABI. For machine code; others drop references.
    #[link_name = "_Py_Dealloc"]
    pub fn dealloc(object: *mut PyObject);
}

/// [`dealloc`], which may run Python code, behind the [`crate::barrier`].
#[unsafe(naked)]
unsafe extern "C" fn dealloc_behind_barrier(object: *mut PyObject) {
    naked_asm!(
        "push rbp",
        "mov rbp, rsp",
        "call [rip + {dealloc}@GOTPCREL]",
        "pop rbp",
        "ret",
        dealloc = sym dealloc,
    )
}

/// Adds a reference.
///
/// # Safety
/// `object` is a valid object and the GIL is held.
#[inline]
pub unsafe fn incref(object: *mut PyObject) {
    let count = object.cast::<u32>();
    // SAFETY: the reference count is the first field of every object; the GIL serialises its changes.
    unsafe {
        let new = (*count).wrapping_add(1);
        if new != 0 {
            *count = new;
        }
    }
}

/// Removes a reference; the object may be deallocated, which may run Python code.
///
/// # Safety
/// `object` is a valid object, the caller owns a reference and gives it up, and the GIL is held.
#[inline]
pub unsafe fn decref(object: *mut PyObject) {
    // SAFETY: as in `incref`; the object is deallocated when the last reference is gone.
    unsafe {
        if *object.cast::<i32>() < 0 {
            return;
        }
        let count = object.cast::<i64>();
        *count -= 1;
        if *count == 0 {
            dealloc_behind_barrier(object);
        }
    }
}

/// Adds a reference unless the pointer is null.
///
/// # Safety
/// As [`incref`] for what is not null.
#[inline]
pub unsafe fn xincref(object: *mut PyObject) {
    if !object.is_null() {
        // SAFETY: by the caller's promise.
        unsafe { incref(object) }
    }
}

/// Removes a reference unless the pointer is null.
///
/// # Safety
/// As [`decref`] for what is not null.
#[inline]
pub unsafe fn xdecref(object: *mut PyObject) {
    if !object.is_null() {
        // SAFETY: by the caller's promise.
        unsafe { decref(object) }
    }
}

/// The reference count as the interpreter sees it.
///
/// # Safety
/// `object` is a valid object and the GIL is held.
#[inline]
pub unsafe fn ref_count(object: *mut PyObject) -> i64 {
    // SAFETY: the count is the first field.
    unsafe { *object.cast::<i64>() }
}

/// Whether the object is never deallocated.
///
/// # Safety
/// As [`ref_count`].
#[inline]
pub unsafe fn is_immortal(object: *mut PyObject) -> bool {
    // SAFETY: the count is the first field.
    unsafe { *object.cast::<i32>() < 0 }
}

/// One reference less, and nothing happens if it was the last: somebody is about to take one, before anything else can run.
///
/// # Safety
/// As [`ref_count`], and the object is taken at once.
#[inline]
pub unsafe fn lend_last(object: *mut PyObject) {
    // SAFETY: by the caller's promise.
    unsafe {
        if !is_immortal(object) {
            *object.cast::<i64>() -= 1;
        }
    }
}

/// The type of an object.
///
/// # Safety
/// As [`ref_count`].
#[inline]
pub unsafe fn type_of(object: *mut PyObject) -> *mut PyObject {
    // SAFETY: `ob_type` is the second word of every object.
    unsafe { *object.cast::<*mut PyObject>().add(1) }
}

/// A reference that is given back when dropped. Dropping needs the GIL.
#[repr(transparent)]
pub struct Owned(NonNull<PyObject>);

// SAFETY: a reference belongs to the process, not to a thread; whoever uses or drops it holds the GIL, which the type's
// contract demands on every thread alike.
unsafe impl Send for Owned {}
// SAFETY: as above.
unsafe impl Sync for Owned {}

impl Owned {
    /// Takes over a new reference; null is `None` (with an exception set, if it came from a call).
    ///
    /// # Safety
    /// `object` is null or a valid object of which the caller owns a reference and gives it to this value.
    #[inline]
    pub unsafe fn from_raw(object: *mut PyObject) -> Option<Owned> {
        NonNull::new(object).map(Owned)
    }

    /// Adds a reference to a borrowed object.
    ///
    /// # Safety
    /// `object` is null or a valid object, and the GIL is held.
    #[inline]
    pub unsafe fn from_borrowed(object: *mut PyObject) -> Option<Owned> {
        // SAFETY: by the caller's promise.
        unsafe {
            xincref(object);
            Owned::from_raw(object)
        }
    }

    /// The pointer, still owned by this value.
    #[inline]
    pub fn as_ptr(&self) -> *mut PyObject {
        self.0.as_ptr()
    }

    /// Gives the reference to the caller.
    #[inline]
    pub fn into_raw(self) -> *mut PyObject {
        let object = self.0.as_ptr();
        mem::forget(self);
        object
    }

    /// A borrowed reference that lives as long as this one.
    #[inline]
    pub fn borrow(&self) -> Borrowed<'_> {
        Borrowed(self.0, std::marker::PhantomData)
    }
}

impl Clone for Owned {
    fn clone(&self) -> Self {
        // SAFETY: this value owns a reference, so the object is valid; whoever holds one holds the GIL when using it.
        unsafe { incref(self.0.as_ptr()) };
        Owned(self.0)
    }
}

impl Drop for Owned {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: this value owns the reference and is going away.
        unsafe { decref(self.0.as_ptr()) }
    }
}

impl fmt::Debug for Owned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Owned({:p})", self.0)
    }
}

/// A reference that somebody else keeps alive for `'a`.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(transparent)]
pub struct Borrowed<'a>(NonNull<PyObject>, std::marker::PhantomData<&'a PyObject>);

impl<'a> Borrowed<'a> {
    /// Wraps a pointer; null is `None`.
    ///
    /// # Safety
    /// `object` is null or a valid object that lives for `'a`.
    #[inline]
    pub unsafe fn from_raw(object: *mut PyObject) -> Option<Borrowed<'a>> {
        NonNull::new(object).map(|object| Borrowed(object, std::marker::PhantomData))
    }

    /// The pointer.
    #[inline]
    pub fn as_ptr(self) -> *mut PyObject {
        self.0.as_ptr()
    }

    /// A reference of one's own.
    #[inline]
    pub fn to_owned(self) -> Owned {
        // SAFETY: the object is alive by the promise of `from_raw`; the GIL is held by whoever uses objects.
        unsafe { incref(self.0.as_ptr()) };
        Owned(self.0)
    }
}

impl fmt::Debug for Borrowed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Borrowed({:p})", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Stands in for the interpreter's: the second word counts the calls.
    #[unsafe(no_mangle)]
    extern "C" fn _Py_Dealloc(object: *mut i64) {
        // SAFETY: the tests pass arrays of two words.
        unsafe { *object.add(1) += 1 }
    }

    fn object(count: i64) -> [i64; 2] {
        [count, 0]
    }

    #[test]
    fn mortal_counts_change_and_immortal_ones_do_not() {
        let mut mortal = object(2);
        let mut immortal = object(0xffff_ffff);
        // SAFETY: the arrays start like objects.
        unsafe {
            incref(mortal.as_mut_ptr().cast());
            assert_eq!(ref_count(mortal.as_mut_ptr().cast()), 3);
            drop(Owned::from_raw(mortal.as_mut_ptr().cast()));
            assert_eq!(ref_count(mortal.as_mut_ptr().cast()), 2);
            incref(immortal.as_mut_ptr().cast());
            decref(immortal.as_mut_ptr().cast());
            assert!(is_immortal(immortal.as_mut_ptr().cast()));
            decref(mortal.as_mut_ptr().cast());
            assert_eq!(mortal[1], 0);
            decref(mortal.as_mut_ptr().cast());
        }
        assert_eq!(mortal, [0, 1], "deallocated once");
        assert_eq!(immortal[0], 0xffff_ffff);
    }

    #[test]
    fn into_raw_gives_the_reference_away() {
        let mut mortal = object(2);
        // SAFETY: as above.
        let owned = unsafe { Owned::from_raw(mortal.as_mut_ptr().cast()) }.expect("not null");
        let copy = owned.clone();
        let _given_away = owned.into_raw();
        drop(copy);
        assert_eq!(mortal[0], 2);
    }
}
