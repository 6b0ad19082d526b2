//! What the host gives: addresses of its functions and data.

/// Addresses that stencils use. All functions have the C calling convention; objects are plain addresses.
#[derive(Clone, Copy, Debug)]
pub struct RuntimeSymbols {
    /// `fn(i64) -> object`: a new reference, or null with an exception set. Not called for -5 to 256.
    pub box_int: usize,
    /// `fn(f64) -> object`: a new reference, or null with an exception set. Called when the free list is empty.
    pub box_float: usize,
    /// `fn(object) -> BigInt`: the value of an exact int of more than one digit.
    pub unbox_big_int: usize,
    /// `fn(object, *mut Activation)`: the reference count has become 0. Value registers are saved in the activation, but only
    /// the caller-saved ones; they are restored from there.
    pub dealloc: usize,
    /// `fn(callable, *const object, nargs | 1 << 63, null) -> object`: a new reference, or null with an exception set.
    pub vectorcall: usize,
    /// The object for -5; the others follow at a distance of 32 bytes up to 256. They are immortal.
    pub small_ints: usize,
    /// The type of ints, if dead ints of one digit may be kept for new ones; 0 if not.
    pub int_type: usize,
    /// The type of floats.
    pub float_type: usize,
    /// The address of the head of the free list of floats, linked through `ob_type`; 0 if there is none that may be used.
    pub float_free_list: usize,
    /// The address of the 32-bit length of that list; 0 if there is none.
    pub float_free_count: usize,
}

/// What [`RuntimeSymbols::unbox_big_int`] returns.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct BigInt {
    /// The value.
    pub value: i64,
    /// 1 if the value fits 64 bits; otherwise 0, and no exception is set.
    pub fits: u64,
}
