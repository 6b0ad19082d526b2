//! Lists, tuples, and iterators.

use crate::abi::{Object, load, offset, store};
use crate::layout::{LIST_ITEMS, TUPLE_ITEMS, VAR_SIZE};
use crate::object::replace_float;

#[inline(always)]
pub unsafe fn list_len(l: Object) -> i64 {
    // SAFETY: l is a list.
    unsafe { load(l, VAR_SIZE) }
}

#[inline(always)]
pub unsafe fn list_items(l: Object) -> i64 {
    // SAFETY: l is a list.
    unsafe { load(l, LIST_ITEMS) }
}

#[inline(always)]
pub unsafe fn item_at(items: i64, i: i64) -> Object {
    // SAFETY: bounds have been guarded.
    unsafe { load(items as Object, 8 * i as usize) }
}

#[inline(always)]
pub unsafe fn list_exchange(items: i64, i: i64, v: Object) -> Object {
    // SAFETY: bounds have been guarded.
    unsafe {
        let old = load(items as Object, 8 * i as usize);
        store(items as Object, 8 * i as usize, v);
        old
    }
}

#[inline(always)]
pub unsafe fn list_set_float(items: i64, i: i64, a: f64) -> Option<()> {
    // SAFETY: bounds have been guarded, and what is there is a float that the list owns.
    unsafe { replace_float(items as Object, 8 * i as usize, a) }
}

#[inline(always)]
pub unsafe fn tuple_len(t: Object) -> i64 {
    // SAFETY: t is a tuple.
    unsafe { load(t, VAR_SIZE) }
}

#[inline(always)]
pub unsafe fn tuple_item(t: Object, i: i64) -> Object {
    // SAFETY: bounds have been guarded.
    unsafe { load(t, TUPLE_ITEMS.wrapping_add(8 * i as usize)) }
}

/// The immediate operand is the offset of the item: the assembler makes it from the index.
#[inline(always)]
pub unsafe fn tuple_item_imm(t: Object) -> Object {
    // SAFETY: bounds have been guarded.
    unsafe { load(t, offset()) }
}

#[inline(always)]
pub unsafe fn iter_load(it: Object) -> i64 {
    // SAFETY: the host chose the offset.
    unsafe { load(it, offset()) }
}

#[inline(always)]
pub unsafe fn iter_store(it: Object, v: i64) {
    // SAFETY: the host chose the offset.
    unsafe { store(it, offset(), v) }
}

#[inline(always)]
pub unsafe fn iter_sequence(it: Object) -> Object {
    // SAFETY: the host chose the offset.
    unsafe { load(it, offset()) }
}
