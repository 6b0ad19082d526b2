//! Raw integers.

use core::intrinsics::{unchecked_div, unchecked_rem};

use crate::abi::{cold, imm32, imm32_in_register, leave_if_zero, opaque, word64};

#[inline(always)]
pub fn int_add(a: i64, b: i64) -> Option<i64> {
    a.checked_add(b)
}

#[inline(always)]
pub fn int_sub(a: i64, b: i64) -> Option<i64> {
    a.checked_sub(b)
}

#[inline(always)]
pub fn int_mul(a: i64, b: i64) -> Option<i64> {
    a.checked_mul(b)
}

#[inline(always)]
pub fn int_add_imm(a: i64) -> Option<i64> {
    a.checked_add(imm32())
}

#[inline(always)]
pub fn int_mul_imm(a: i64) -> Option<i64> {
    a.checked_mul(imm32_in_register())
}

#[inline(always)]
pub fn int_neg(a: i64) -> Option<i64> {
    0i64.checked_sub(a)
}

/// Applies an instruction with an immediate operand to a copy of the value.
macro_rules! with_imm {
    ($instruction:literal, $hole:ident, $value:expr) => {{
        let mut value: i64 = $value;
        // SAFETY: changes a register.
        unsafe {
            core::arch::asm!(concat!($instruction, " ${}, {}"), sym crate::abi::$hole, inout(reg) value,
                options(pure, nomem, nostack, att_syntax));
        }
        value
    }};
}

/// Whether both fit 32 bits unsigned: then the fast division will do, and rounding needs no care.
#[inline(always)]
fn both_are_short(a: i64, b: i64) -> bool {
    ((a | b) as u64) >> 32 == 0
}

#[inline(always)]
pub fn int_floordiv(a: i64, b: i64) -> Option<i64> {
    leave_if_zero!(b);
    if both_are_short(a, b) {
        // SAFETY: b is not 0.
        return Some(unsafe { unchecked_div(a as u32, b as u32) } as i64);
    }
    cold();
    let (a, b) = (opaque(a), opaque(b));
    if b == -1 {
        return 0i64.checked_sub(a);
    }
    // SAFETY: b is neither 0 nor -1.
    let (quotient, remainder) = unsafe { (unchecked_div(a, b), unchecked_rem(a, b)) };
    Some(quotient - (remainder != 0 && (remainder ^ b) < 0) as i64)
}

#[inline(always)]
pub fn int_mod(a: i64, b: i64) -> Option<i64> {
    leave_if_zero!(b);
    if both_are_short(a, b) {
        // SAFETY: b is not 0.
        return Some(unsafe { unchecked_rem(a as u32, b as u32) } as i64);
    }
    cold();
    let (a, b) = (opaque(a), opaque(b));
    if b == -1 {
        return if a == i64::MIN { None } else { Some(0) };
    }
    // SAFETY: b is neither 0 nor -1.
    let remainder = unsafe { unchecked_rem(a, b) };
    Some(if remainder != 0 && (remainder ^ b) < 0 {
        remainder + b
    } else {
        remainder
    })
}

/// Whether it is within 62 bits and the sign: then sums of two fit.
#[inline(always)]
fn is_narrow(a: i64) -> bool {
    a ^ a << 1 >= 0
}

#[inline(always)]
pub fn range_length(start: i64, stop: i64, step: i64) -> Option<i64> {
    if !is_narrow(start) || !is_narrow(stop) {
        return None;
    }
    if step == 1 {
        return Some((stop - start).max(0));
    }
    cold();
    let step = opaque(step);
    if step == 0 || step as i32 as i64 != step {
        return None;
    }
    let mut distance = stop - start;
    if step < 0 {
        distance = -distance;
    }
    if distance <= 0 {
        return Some(0);
    }
    // SAFETY: step is not 0.
    Some(unsafe { unchecked_div(distance as u64 - 1, step.unsigned_abs()) } as i64 + 1)
}

/// Division by a constant of at least 2, as a multiplication. With `a` negative, `a // d` is `!(!a // d)`, so the dividend is never
/// negative and below 2**63; for those, the high half of the product by `ceil(2**(63 + l) / d)`, where `l` is the number of bits of
/// `d - 1`, shifted right by `l - 1`, is exactly the quotient (Granlund and Montgomery).
#[inline(always)]
pub fn int_floordiv_imm(a: i64) -> i64 {
    let sign = a >> 63;
    let product = (a ^ sign) as u64 as u128 * word64!(hole_divisor_magic) as u128;
    with_imm!("shrq", hole_divisor_shift, (product >> 64) as i64) ^ sign
}

#[inline(always)]
pub fn int_mod_imm(a: i64) -> i64 {
    a.wrapping_sub(int_floordiv_imm(a).wrapping_mul(imm32_in_register()))
}

#[inline(always)]
pub fn int_add_wrap(a: i64, b: i64) -> i64 {
    a.wrapping_add(b)
}

#[inline(always)]
pub fn int_sub_wrap(a: i64, b: i64) -> i64 {
    a.wrapping_sub(b)
}

#[inline(always)]
pub fn int_add_wrap_imm(a: i64) -> i64 {
    a.wrapping_add(imm32())
}

#[inline(always)]
pub fn int_and(a: i64, b: i64) -> i64 {
    a & b
}

#[inline(always)]
pub fn int_or(a: i64, b: i64) -> i64 {
    a | b
}

#[inline(always)]
pub fn int_xor(a: i64, b: i64) -> i64 {
    a ^ b
}

#[inline(always)]
pub fn int_and_imm(a: i64) -> i64 {
    with_imm!("andq", hole_imm32, a)
}

#[inline(always)]
pub fn int_invert(a: i64) -> i64 {
    !a
}

#[inline(always)]
pub fn int_shl(a: i64, b: i64) -> Option<i64> {
    if b as u64 > 63 {
        return None;
    }
    let shifted = a << b;
    if shifted >> b != a {
        None
    } else {
        Some(shifted)
    }
}

#[inline(always)]
pub fn int_shr(a: i64, b: i64) -> Option<i64> {
    if b < 0 { None } else { Some(a >> b.min(63)) }
}

#[inline(always)]
pub fn int_shl_imm(a: i64) -> Option<i64> {
    let shifted = with_imm!("shlq", hole_imm8, a);
    if with_imm!("sarq", hole_imm8, shifted) != a {
        None
    } else {
        Some(shifted)
    }
}

#[inline(always)]
pub fn int_shr_imm(a: i64) -> i64 {
    with_imm!("sarq", hole_imm8, a)
}

#[inline(always)]
pub fn int_lt(a: i64, b: i64) -> i64 {
    (a < b) as i64
}

#[inline(always)]
pub fn int_le(a: i64, b: i64) -> i64 {
    (a <= b) as i64
}

#[inline(always)]
pub fn int_eq(a: i64, b: i64) -> i64 {
    (a == b) as i64
}

#[inline(always)]
pub fn int_ne(a: i64, b: i64) -> i64 {
    (a != b) as i64
}

/// The conversion writes half of its register only; without the first instruction it would wait for the register's last value.
#[cfg(not(target_feature = "avx"))]
#[inline(always)]
pub fn int_to_float(a: i64) -> f64 {
    let result: f64;
    // SAFETY: converts a number.
    unsafe {
        core::arch::asm!("xorps {0}, {0}", "cvtsi2sd {0}, {1}", out(xmm_reg) result, in(reg) a,
            options(pure, nomem, nostack, preserves_flags));
    }
    result
}

#[cfg(target_feature = "avx")]
#[inline(always)]
pub fn int_to_float(a: i64) -> f64 {
    a as f64
}

#[inline(always)]
pub fn int_truediv(a: i64, b: i64) -> Option<f64> {
    const LIMIT: i64 = (1 << 53) - 1;
    let fits = |value: i64| value.wrapping_add(LIMIT) as u64 <= 2 * LIMIT as u64;
    leave_if_zero!(b);
    if fits(a) && fits(b) {
        Some(int_to_float(a) / int_to_float(b))
    } else {
        None
    }
}
