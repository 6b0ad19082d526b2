//! Raw doubles.

use core::arch::x86_64::{_mm_cvttsd_si64, _mm_set_sd};
use core::intrinsics::sqrtf64;

use crate::abi::cold;

#[inline(always)]
pub fn float_add(a: f64, b: f64) -> f64 {
    a + b
}

#[inline(always)]
pub fn float_sub(a: f64, b: f64) -> f64 {
    a - b
}

#[inline(always)]
pub fn float_mul(a: f64, b: f64) -> f64 {
    a * b
}

#[inline(always)]
pub fn float_div(a: f64, b: f64) -> Option<f64> {
    if b == 0.0 { None } else { Some(a / b) }
}

#[inline(always)]
pub fn float_neg(a: f64) -> f64 {
    -a
}

#[inline(always)]
pub fn float_abs(a: f64) -> f64 {
    a.abs()
}

#[inline(always)]
pub fn float_sqrt(a: f64) -> f64 {
    sqrtf64(a)
}

#[inline(always)]
pub fn float_to_int(a: f64) -> Option<i64> {
    // SAFETY: SSE2 is always there.
    let truncated = unsafe { _mm_cvttsd_si64(_mm_set_sd(a)) };
    if truncated == i64::MIN {
        // The processor's answer if the value does not fit; and the right one for -2**63.
        cold();
        if a != i64::MIN as f64 {
            return None;
        }
    }
    Some(truncated)
}

#[inline(always)]
pub fn float_lt(a: f64, b: f64) -> i64 {
    (a < b) as i64
}

#[inline(always)]
pub fn float_le(a: f64, b: f64) -> i64 {
    (a <= b) as i64
}

#[inline(always)]
pub fn float_eq(a: f64, b: f64) -> i64 {
    (a == b) as i64
}

#[inline(always)]
pub fn float_ne(a: f64, b: f64) -> i64 {
    (a != b) as i64
}

#[inline(always)]
pub fn guard_float_lt(a: f64, b: f64) -> Option<()> {
    if a < b { Some(()) } else { None }
}

#[inline(always)]
pub fn guard_float_le(a: f64, b: f64) -> Option<()> {
    if a <= b { Some(()) } else { None }
}

#[inline(always)]
pub fn guard_float_eq(a: f64, b: f64) -> Option<()> {
    if a == b { Some(()) } else { None }
}

#[inline(always)]
pub fn guard_float_not_lt(a: f64, b: f64) -> Option<()> {
    if a < b { None } else { Some(()) }
}

#[inline(always)]
pub fn guard_float_not_le(a: f64, b: f64) -> Option<()> {
    if a <= b { None } else { Some(()) }
}

#[inline(always)]
pub fn guard_float_ne(a: f64, b: f64) -> Option<()> {
    if a == b { None } else { Some(()) }
}
