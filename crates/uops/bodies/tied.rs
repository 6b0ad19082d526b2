//! Second bodies of uops, for when the result is in the register of the first input: the instruction works in place, and if the uop
//! leaves, the input is restored. `Ok` is the result, `Err` the input as it was.

use core::arch::asm;

use crate::abi::{cold, hole_imm32};

#[inline(always)]
pub fn int_add_tied(a: i64, b: i64) -> Result<i64, i64> {
    let mut value = a;
    // SAFETY: changes a register and jumps.
    unsafe {
        asm!("add {}, {}", "jo {}", inout(reg) value, in(reg) b, label {
            cold();
            return Err(value.wrapping_sub(b));
        }, options(nomem, nostack));
    }
    Ok(value)
}

#[inline(always)]
pub fn int_sub_tied(a: i64, b: i64) -> Result<i64, i64> {
    let mut value = a;
    // SAFETY: changes a register and jumps.
    unsafe {
        asm!("sub {}, {}", "jo {}", inout(reg) value, in(reg) b, label {
            cold();
            return Err(value.wrapping_add(b));
        }, options(nomem, nostack));
    }
    Ok(value)
}

#[inline(always)]
pub fn int_add_imm_tied(a: i64) -> Result<i64, i64> {
    let mut value = a;
    // SAFETY: changes a register and jumps.
    unsafe {
        asm!("addq ${}, {}", "jo {}", sym hole_imm32, inout(reg) value, label {
            cold();
            let mut value = value;
            // SAFETY: changes a register.
            unsafe {
                asm!("subq ${}, {}", sym hole_imm32, inout(reg) value, options(nomem, nostack, att_syntax));
            }
            return Err(value);
        }, options(nomem, nostack, att_syntax));
    }
    Ok(value)
}

#[inline(always)]
pub fn int_neg_tied(a: i64) -> Result<i64, i64> {
    let mut value = a;
    // SAFETY: changes a register and jumps.
    unsafe {
        asm!("neg {}", "jo {}", inout(reg) value, label {
            cold();
            return Err(value.wrapping_neg());
        }, options(nomem, nostack));
    }
    Ok(value)
}
