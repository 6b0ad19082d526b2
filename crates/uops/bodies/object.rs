//! Objects: types, fields, boxes.

use core::arch::asm;

use crate::abi::{
    Object, cold, hole_box_float_thunk, hole_box_int_thunk, hole_unbox_big_int_thunk, imm64, load,
    offset, store, word64,
};
use crate::layout::{
    FLOAT_VALUE, INT_COMPACT_LIMIT, INT_DIGITS, INT_SIGN_MASK, INT_TAG, OBJECT_REFCOUNT,
    OBJECT_TYPE, SMALL_INT_COUNT, SMALL_INT_MIN, SMALL_INT_STRIDE,
};

#[inline(always)]
pub fn object_is(a: Object, b: Object) -> i64 {
    (a == b) as i64
}

#[inline(always)]
pub unsafe fn load_type(o: Object) -> Object {
    // SAFETY: o is an object.
    unsafe { load(o, OBJECT_TYPE) }
}

#[inline(always)]
pub unsafe fn unbox_int(o: Object) -> Option<i64> {
    // SAFETY: o is an exact int.
    let tag: u64 = unsafe { load(o, INT_TAG) };
    if tag < INT_COMPACT_LIMIT {
        // SAFETY: it has at least room for one digit.
        let digit: u32 = unsafe { load(o, INT_DIGITS) };
        return Some((1 - (tag & INT_SIGN_MASK) as i64) * digit as i64);
    }
    cold();
    let (value, fits): (i64, u64);
    // SAFETY: the thunk changes scratch registers only.
    unsafe {
        asm!("call {}", sym hole_unbox_big_int_thunk, inout("r10") o => _, out("rax") value, out("rdx") fits,
            out("rcx") _, out("rsi") _, out("rdi") _, options(nostack));
    }
    if fits == 0 { None } else { Some(value) }
}

#[inline(always)]
pub unsafe fn unbox_float(o: Object) -> f64 {
    // SAFETY: o is an exact float.
    unsafe { load(o, FLOAT_VALUE) }
}

#[inline(always)]
pub unsafe fn unbox_bool(o: Object) -> i64 {
    // SAFETY: a bool is laid out as an int; its digit is 0 or 1.
    unsafe { load::<u32>(o, INT_DIGITS) as i64 }
}

#[inline(always)]
pub unsafe fn box_int(a: i64) -> Option<Object> {
    let index = a.wrapping_sub(SMALL_INT_MIN) as u64;
    if index < SMALL_INT_COUNT {
        return Some((word64!(hole_small_ints) + index * SMALL_INT_STRIDE as u64) as Object);
    }
    let object: Object;
    // SAFETY: the thunk changes scratch registers only.
    unsafe {
        asm!("call {}", sym hole_box_int_thunk, inout("r10") a => _, out("rax") object, out("rcx") _, out("rdx") _,
            out("rsi") _, out("rdi") _, out("xmm8") _, out("xmm9") _, out("xmm10") _, out("xmm11") _,
            out("xmm12") _, out("xmm13") _, out("xmm14") _, out("xmm15") _, options(nostack));
    }
    if object.is_null() { None } else { Some(object) }
}

#[inline(always)]
pub unsafe fn box_float(a: f64) -> Option<Object> {
    let head = word64!(hole_float_free_list) as Object;
    // SAFETY: the head of the interpreter's list of free floats, linked through ob_type.
    unsafe {
        let object: Object = load(head, 0);
        if !object.is_null() {
            store(head, 0, load::<Object>(object, OBJECT_TYPE));
            let count = word64!(hole_float_free_count) as Object;
            store(count, 0, load::<u32>(count, 0).wrapping_sub(1));
            store(object, OBJECT_REFCOUNT, 1u64);
            store(object, OBJECT_TYPE, word64!(hole_float_type));
            store(object, FLOAT_VALUE, a);
            return Some(object);
        }
    }
    cold();
    let object: Object;
    // SAFETY: the thunk changes scratch registers only.
    unsafe {
        asm!("call {}", sym hole_box_float_thunk, inout("xmm15") a => _, out("rax") object, out("rcx") _, out("rdx") _,
            out("rsi") _, out("rdi") _, out("r10") _, out("xmm8") _, out("xmm9") _, out("xmm10") _, out("xmm11") _,
            out("xmm12") _, out("xmm13") _, out("xmm14") _, options(nostack));
    }
    if object.is_null() { None } else { Some(object) }
}

/// Makes `a` the value of the float that a place owns: in its box, if the place is the only owner, else in a new one.
#[inline(always)]
pub unsafe fn replace_float(base: Object, offset: usize, a: f64) -> Option<()> {
    // SAFETY: the place holds an exact float; the new box is the place's, and others own the old one.
    unsafe {
        let old: Object = load(base, offset);
        if load::<u64>(old, OBJECT_REFCOUNT) == 1 {
            store(old, FLOAT_VALUE, a);
            return Some(());
        }
        cold();
        let new = box_float(a)?;
        // (Loaded again: no register survives the making of the box.)
        let old = base.add(offset).cast::<Object>().read_volatile();
        store(base, offset, new);
        let count = load::<u32>(old, OBJECT_REFCOUNT);
        if count as i32 >= 0 {
            store(old, OBJECT_REFCOUNT, count.wrapping_sub(1));
        }
        Some(())
    }
}

/// The immediate operand is the address of the table of False and True.
#[inline(always)]
pub unsafe fn box_bool(a: i64) -> Object {
    // SAFETY: a is 0 or 1.
    unsafe { load(imm64() as Object, 8 * a as usize) }
}

#[inline(always)]
pub unsafe fn load_object(o: Object) -> Object {
    // SAFETY: the host chose the offset.
    unsafe { load(o, offset()) }
}

#[inline(always)]
pub unsafe fn load_int(o: Object) -> i64 {
    // SAFETY: the host chose the offset.
    unsafe { load(o, offset()) }
}

#[inline(always)]
pub unsafe fn load_int32(o: Object) -> i64 {
    // SAFETY: the host chose the offset.
    unsafe { load::<u32>(o, offset()) as i64 }
}

#[inline(always)]
pub unsafe fn store_object(o: Object, v: Object, _old: Object) {
    // SAFETY: the host chose the offset.
    unsafe { store(o, offset(), v) }
}

#[inline(always)]
pub unsafe fn instance_values(o: Object) -> Option<i64> {
    // SAFETY: the host chose the offset.
    let tagged: i64 = unsafe { load(o, offset()) };
    if tagged & 1 == 0 {
        return None;
    }
    Some(tagged + 1)
}

#[inline(always)]
pub unsafe fn load_via(values: i64) -> Object {
    // SAFETY: the host chose the offset.
    unsafe { load(values as Object, offset()) }
}

#[inline(always)]
pub unsafe fn store_via(values: i64, v: Object, _old: Object) {
    // SAFETY: the host chose the offset.
    unsafe { store(values as Object, offset(), v) }
}

#[inline(always)]
pub unsafe fn field_set_float(o: Object, a: f64) -> Option<()> {
    // SAFETY: the host chose the offset of a field that owns a float.
    unsafe { replace_float(o, offset(), a) }
}

#[inline(always)]
pub unsafe fn via_set_float(values: i64, a: f64) -> Option<()> {
    // SAFETY: as field_set_float.
    unsafe { replace_float(values as Object, offset(), a) }
}
