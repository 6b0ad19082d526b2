//! Guards on raw values and on objects' identities.

use core::arch::asm;

use crate::abi::{
    Object, hole_imm32, imm32, imm64, leave_if_zero, leave_unless_equal, load, offset,
};
use crate::layout::{FRAME_OBJECT, OBJECT_REFCOUNT, OBJECT_TYPE};

#[inline(always)]
fn go_on_if(holds: bool) -> Option<()> {
    if holds { Some(()) } else { None }
}

#[inline(always)]
pub fn guard_int_lt(a: i64, b: i64) -> Option<()> {
    go_on_if(a < b)
}

#[inline(always)]
pub fn guard_int_le(a: i64, b: i64) -> Option<()> {
    go_on_if(a <= b)
}

#[inline(always)]
pub fn guard_int_eq(a: i64, b: i64) -> Option<()> {
    leave_unless_equal!(a, b);
    Some(())
}

/// Returns `None` from the body if the words are equal; LLVM does not learn that they are.
macro_rules! leave_if_equal {
    ($a:expr, $b:expr) => {
        // SAFETY: compares and jumps.
        unsafe {
            asm!("cmp {}, {}", "je {}", in(reg) $a, in(reg) $b, label { core::intrinsics::cold_path(); return None },
                options(nomem, nostack))
        }
    };
}

/// Compares a register with the sign-extended 32-bit immediate operand, and returns `None` from the body on this condition.
macro_rules! leave_on_imm {
    ($a:expr, $jump:literal) => {
        // SAFETY: compares and jumps.
        unsafe {
            asm!("cmpq ${}, {}", concat!($jump, " {}"), sym hole_imm32, in(reg) $a,
                label { core::intrinsics::cold_path(); return None }, options(nomem, nostack, att_syntax))
        }
    };
}

#[inline(always)]
pub fn guard_int_ne(a: i64, b: i64) -> Option<()> {
    leave_if_equal!(a, b);
    Some(())
}

#[inline(always)]
pub fn guard_int_below(a: i64, b: i64) -> Option<()> {
    go_on_if((a as u64) < b as u64)
}

#[inline(always)]
pub fn guard_int_lt_imm(a: i64) -> Option<()> {
    go_on_if(a < imm32())
}

#[inline(always)]
pub fn guard_int_le_imm(a: i64) -> Option<()> {
    go_on_if(a <= imm32())
}

#[inline(always)]
pub fn guard_int_gt_imm(a: i64) -> Option<()> {
    go_on_if(a > imm32())
}

#[inline(always)]
pub fn guard_int_ge_imm(a: i64) -> Option<()> {
    go_on_if(a >= imm32())
}

#[inline(always)]
pub fn guard_int_eq_imm(a: i64) -> Option<()> {
    leave_on_imm!(a, "jne");
    Some(())
}

#[inline(always)]
pub fn guard_int_ne_imm(a: i64) -> Option<()> {
    leave_on_imm!(a, "je");
    Some(())
}

#[inline(always)]
pub fn guard_true(a: i64) -> Option<()> {
    leave_if_zero!(a);
    Some(())
}

#[inline(always)]
pub fn guard_false(a: i64) -> Option<()> {
    // SAFETY: compares and jumps.
    unsafe {
        asm!("test {0}, {0}", "jnz {1}", in(reg) a, label { core::intrinsics::cold_path(); return None },
            options(nomem, nostack))
    }
    Some(())
}

#[inline(always)]
pub unsafe fn guard_type(o: Object) -> Option<()> {
    // SAFETY: o is an object.
    go_on_if(unsafe { load::<u64>(o, OBJECT_TYPE) } == imm64())
}

/// For types at small addresses.
#[inline(always)]
pub unsafe fn guard_type_small(o: Object) -> Option<()> {
    // SAFETY: o is an object.
    go_on_if(unsafe { load::<usize>(o, OBJECT_TYPE) } == offset())
}

#[inline(always)]
pub fn guard_is(o: Object) -> Option<()> {
    leave_unless_equal!(o, imm64());
    Some(())
}

/// For objects at small addresses, and null.
#[inline(always)]
pub fn guard_is_small(o: Object) -> Option<()> {
    leave_on_imm!(o, "jne");
    Some(())
}

#[inline(always)]
pub fn guard_is_not(o: Object) -> Option<()> {
    leave_if_equal!(o, imm64());
    Some(())
}

/// For objects at small addresses, and null.
#[inline(always)]
pub fn guard_is_not_small(o: Object) -> Option<()> {
    leave_on_imm!(o, "je");
    Some(())
}

#[inline(always)]
pub fn guard_same(a: Object, b: Object) -> Option<()> {
    leave_unless_equal!(a, b);
    Some(())
}

#[inline(always)]
pub unsafe fn guard_unshared(o: Object) -> Option<()> {
    // SAFETY: o is an object.
    go_on_if(unsafe { load::<u64>(o, OBJECT_REFCOUNT) } == 1)
}

#[inline(always)]
pub unsafe fn guard_shared(o: Object) -> Option<()> {
    // SAFETY: o is an object.
    go_on_if(unsafe { load::<u32>(o, OBJECT_REFCOUNT) } > 1)
}

#[inline(always)]
pub unsafe fn guard_no_frame_object(frame: Object) -> Option<()> {
    // SAFETY: the frame is running.
    go_on_if(unsafe { load::<u64>(frame, FRAME_OBJECT) } == 0)
}
