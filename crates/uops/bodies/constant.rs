//! Constants, in the general form. The assembler takes the shorter forms of `machine` where they do.

use crate::abi::{Object, hole_pool, imm64};

#[inline(always)]
pub fn const_int() -> i64 {
    imm64() as i64
}

#[inline(always)]
pub unsafe fn const_float() -> f64 {
    // SAFETY: the assembler puts the constant beside the trace.
    unsafe { hole_pool }
}

#[inline(always)]
pub fn const_object() -> Object {
    imm64() as Object
}
