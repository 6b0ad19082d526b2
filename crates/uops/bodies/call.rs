//! Calls of C functions. Arguments go to rdi, rsi, rdx (xmm0, xmm1), the result comes from rax (xmm0); of the value registers,
//! only r13, r14, r15 and rbx survive, and `clobber_abi` tells LLVM so.

use core::arch::asm;

use crate::abi::{Object, hole_helper, hole_imm32, hole_imm64, hole_vectorcall};
use crate::layout::ACTIVATION_ARGS;

/// Calls the helper with these arguments; the result is in this register.
macro_rules! call_helper {
    ($( $register:tt = $argument:expr ),* => $output:tt : $type:ty) => {{
        let result: $type;
        // SAFETY: a C function of the host; the wrapper keeps nothing in caller-saved registers.
        unsafe {
            asm!("call {}", sym hole_helper, $( in($register) $argument, )* lateout($output) result, clobber_abi("C"),
                options(nostack));
        }
        result
    }};
}

#[inline(always)]
fn object(result: Object) -> Option<Object> {
    if result.is_null() { None } else { Some(result) }
}

#[inline(always)]
fn status(result: i32) -> Option<i64> {
    if result < 0 {
        None
    } else {
        Some(result as i64)
    }
}

#[inline(always)]
pub unsafe fn leaf_float_1(a: f64) -> f64 {
    call_helper!("xmm0" = a => "xmm0": f64)
}

#[inline(always)]
pub unsafe fn leaf_float_2(a: f64, b: f64) -> f64 {
    let result: f64;
    // SAFETY: a C function of the host; either argument may be in the other's register.
    unsafe {
        #[cfg(not(target_feature = "avx"))]
        asm!("movapd xmm8, {b}", "movapd xmm0, {a}", "movapd xmm1, xmm8", "call {f}", a = in(xmm_reg) a, b = in(xmm_reg) b,
            f = sym hole_helper, lateout("xmm0") result, clobber_abi("C"), options(nostack));
        #[cfg(target_feature = "avx")]
        asm!("vmovapd xmm8, {b}", "vmovapd xmm0, {a}", "vmovapd xmm1, xmm8", "call {f}", a = in(xmm_reg) a, b = in(xmm_reg) b,
            f = sym hole_helper, lateout("xmm0") result, clobber_abi("C"), options(nostack));
    }
    result
}

#[inline(always)]
pub unsafe fn call_object_1(a: Object) -> Option<Object> {
    object(call_helper!("rdi" = a => "rax": Object))
}

#[inline(always)]
pub unsafe fn call_object_2(a: Object, b: Object) -> Option<Object> {
    object(call_helper!("rdi" = a, "rsi" = b => "rax": Object))
}

#[inline(always)]
pub unsafe fn call_object_3(a: Object, b: Object, c: Object) -> Option<Object> {
    object(call_helper!("rdi" = a, "rsi" = b, "rdx" = c => "rax": Object))
}

#[inline(always)]
pub unsafe fn call_status_1(a: Object) -> Option<i64> {
    status(call_helper!("rdi" = a => "eax": i32))
}

#[inline(always)]
pub unsafe fn call_status_2(a: Object, b: Object) -> Option<i64> {
    status(call_helper!("rdi" = a, "rsi" = b => "eax": i32))
}

#[inline(always)]
pub unsafe fn call_status_3(a: Object, b: Object, c: Object) -> Option<i64> {
    status(call_helper!("rdi" = a, "rsi" = b, "rdx" = c => "eax": i32))
}

#[inline(always)]
pub unsafe fn leaf_object_1(a: Object) -> Option<Object> {
    // SAFETY: as call_object_1.
    unsafe { call_object_1(a) }
}

#[inline(always)]
pub unsafe fn leaf_object_2(a: Object, b: Object) -> Option<Object> {
    // SAFETY: as call_object_2.
    unsafe { call_object_2(a, b) }
}

#[inline(always)]
pub unsafe fn leaf_status_1(a: Object) -> Option<i64> {
    // SAFETY: as call_status_1.
    unsafe { call_status_1(a) }
}

#[inline(always)]
pub unsafe fn leaf_status_2(a: Object, b: Object) -> Option<i64> {
    // SAFETY: as call_status_2.
    unsafe { call_status_2(a, b) }
}

#[inline(always)]
pub unsafe fn leaf_status_3(a: Object, b: Object, c: Object) -> Option<i64> {
    // SAFETY: as call_status_3.
    unsafe { call_status_3(a, b, c) }
}

#[inline(always)]
pub unsafe fn make_range_iterator(start: i64, step: i64, length: i64) -> Option<Object> {
    object(call_helper!("rdi" = start, "rsi" = step, "rdx" = length => "rax": Object))
}

#[inline(always)]
pub unsafe fn push_arg(a: Object) {
    // SAFETY: the immediate operand is an offset in the outgoing argument area.
    unsafe {
        asm!("mov qword ptr [rsp + {}], {}", sym hole_imm32, in(reg) a, options(nostack, preserves_flags))
    };
}

#[inline(always)]
pub unsafe fn give_arg(a: Object) {
    // SAFETY: as push_arg.
    unsafe { push_arg(a) };
}

#[inline(always)]
pub unsafe fn call_args() -> Option<Object> {
    let result: Object;
    // SAFETY: a C function of the host; rsp points to the activation.
    unsafe {
        asm!("lea rdi, [rsp + {}]", "call {}", const ACTIVATION_ARGS, sym hole_helper, lateout("rax") result,
            clobber_abi("C"), options(nostack));
    }
    object(result)
}

#[inline(always)]
pub unsafe fn leaf_args() -> Option<Object> {
    // SAFETY: as call_args.
    unsafe { call_args() }
}

#[inline(always)]
pub unsafe fn vectorcall(callable: Object) -> Option<Object> {
    let result: Object;
    // SAFETY: a C function of the host; the immediate operand is the number of arguments with the offset flag.
    unsafe {
        asm!("lea rsi, [rsp + {}]", "movabs rdx, offset {}", "xor ecx, ecx", "call {}", const ACTIVATION_ARGS + 8,
            sym hole_imm64, sym hole_vectorcall, in("rdi") callable, lateout("rax") result, clobber_abi("C"),
            options(nostack));
    }
    object(result)
}

#[inline(always)]
pub unsafe fn leaf_vectorcall(callable: Object) -> Option<Object> {
    // SAFETY: as vectorcall.
    unsafe { vectorcall(callable) }
}
