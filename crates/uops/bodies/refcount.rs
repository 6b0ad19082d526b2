//! Reference counts. An object is immortal if the low 32 bits of its count are negative.

use core::arch::asm;

use crate::abi::{Object, cold, hole_dealloc_thunk, load, store};
use crate::layout::OBJECT_REFCOUNT;

#[inline(always)]
pub unsafe fn incref(o: Object) {
    // SAFETY: o is an object.
    unsafe {
        let count = load::<u32>(o, OBJECT_REFCOUNT).wrapping_add(1);
        if count != 0 {
            store(o, OBJECT_REFCOUNT, count);
        }
    }
}

#[inline(always)]
pub unsafe fn decref(o: Object) {
    // SAFETY: o is an object, of which the trace owns a reference; the thunk changes scratch registers only.
    unsafe {
        let count = load::<u64>(o, OBJECT_REFCOUNT);
        if (count as i32) < 0 {
            return;
        }
        store(o, OBJECT_REFCOUNT, count.wrapping_sub(1));
        if count == 1 {
            cold();
            asm!("call {}", sym hole_dealloc_thunk, inout("r10") o => _, out("rax") _, out("rcx") _, out("rdx") _,
                out("rsi") _, out("rdi") _, out("xmm8") _, out("xmm9") _, out("xmm10") _, out("xmm11") _,
                out("xmm12") _, out("xmm13") _, out("xmm14") _, out("xmm15") _, options(nostack));
        }
    }
}

#[inline(always)]
pub unsafe fn decref_plain(o: Object) {
    // SAFETY: as decref.
    unsafe { decref(o) }
}

#[inline(always)]
pub unsafe fn xdecref(o: Object) {
    if !o.is_null() {
        // SAFETY: as decref.
        unsafe { decref(o) }
    }
}
