//! Stencils that are not uops: what the register allocator asks for. `rax` and `xmm15` keep a value while registers are
//! permuted.

use core::arch::asm;

use crate::abi::{hole_imm32, hole_imm32u, hole_pool, imm32_in_register, imm64};

/// An instruction with the name it has in this table.
macro_rules! float_move {
    ($sse:literal, $avx:literal, $($rest:tt)*) => {
        // SAFETY: moves a value between registers and the activation.
        unsafe {
            #[cfg(not(target_feature = "avx"))]
            asm!($sse, $($rest)*);
            #[cfg(target_feature = "avx")]
            asm!($avx, $($rest)*);
        }
    };
}

#[inline(always)]
pub fn move_gp(a: i64) -> i64 {
    a
}

#[inline(always)]
pub fn move_fp(a: f64) -> f64 {
    a
}

#[inline(always)]
pub fn save_gp(a: i64) {
    // SAFETY: writes a scratch register.
    unsafe {
        asm!("mov rax, {}", in(reg) a, out("rax") _, options(nomem, nostack, preserves_flags))
    };
}

#[inline(always)]
pub fn restore_gp() -> i64 {
    let value;
    // SAFETY: reads a scratch register.
    unsafe { asm!("mov {}, rax", out(reg) value, options(nomem, nostack, preserves_flags)) };
    value
}

#[inline(always)]
pub fn save_fp(a: f64) {
    float_move!("movapd xmm15, {}", "vmovapd xmm15, {}", in(xmm_reg) a, out("xmm15") _,
        options(nomem, nostack, preserves_flags));
}

#[inline(always)]
pub fn restore_fp() -> f64 {
    let value;
    float_move!("movapd {}, xmm15", "vmovapd {}, xmm15", out(xmm_reg) value, options(nomem, nostack, preserves_flags));
    value
}

#[inline(always)]
pub fn spill_gp(a: i64) {
    // SAFETY: the immediate operand is the offset of a spill slot.
    unsafe {
        asm!("mov qword ptr [rsp + {}], {}", sym hole_imm32, in(reg) a, options(nostack, preserves_flags))
    };
}

#[inline(always)]
pub fn reload_gp() -> i64 {
    let value;
    // SAFETY: the immediate operand is the offset of a spill slot.
    unsafe {
        asm!("mov {}, qword ptr [rsp + {}]", out(reg) value, sym hole_imm32, options(nostack, preserves_flags))
    };
    value
}

#[inline(always)]
pub fn spill_fp(a: f64) {
    float_move!("movsd qword ptr [rsp + {}], {}", "vmovsd qword ptr [rsp + {}], {}", sym hole_imm32, in(xmm_reg) a,
        options(nostack, preserves_flags));
}

#[inline(always)]
pub fn reload_fp() -> f64 {
    let value;
    float_move!("movsd {}, qword ptr [rsp + {}]", "vmovsd {}, qword ptr [rsp + {}]", out(xmm_reg) value, sym hole_imm32,
        options(nostack, preserves_flags));
    value
}

#[inline(always)]
pub fn spill_saved() {
    // SAFETY: the immediate operand is the offset of a spill slot.
    unsafe {
        asm!("mov qword ptr [rsp + {}], rax", sym hole_imm32, options(nostack, preserves_flags))
    };
}

#[inline(always)]
pub fn reload_saved() {
    // SAFETY: the immediate operand is the offset of a spill slot; rax is a scratch register.
    unsafe {
        asm!("mov rax, qword ptr [rsp + {}]", sym hole_imm32, out("rax") _, options(nostack, preserves_flags))
    };
}

#[inline(always)]
pub fn const_zero() -> i64 {
    0
}

#[inline(always)]
pub fn const_u32() -> i64 {
    let value;
    // SAFETY: loads a constant; writing the low half clears the high one.
    unsafe {
        asm!("movl ${}, {:e}", sym hole_imm32u, out(reg) value, options(nomem, nostack, preserves_flags, att_syntax));
    }
    value
}

#[inline(always)]
pub fn const_i32() -> i64 {
    imm32_in_register()
}

#[inline(always)]
pub fn const_64() -> i64 {
    imm64() as i64
}

#[inline(always)]
pub fn const_fp_zero() -> f64 {
    0.0
}

#[inline(always)]
pub unsafe fn const_fp() -> f64 {
    // SAFETY: the assembler puts the constant beside the trace.
    unsafe { hole_pool }
}
