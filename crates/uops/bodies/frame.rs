//! The running frame, and what interrupts a trace.

use crate::abi::{Object, imm64, load, load_activation, offset, store};
use crate::layout::{
    ACTIVATION_POLL32_EXPECTED, ACTIVATION_POLL32_WORD, ACTIVATION_POLL64_EXPECTED,
    ACTIVATION_POLL64_WORD, FRAME_INSTRUCTION,
};
use crate::refcount::xdecref;

#[inline(always)]
pub unsafe fn load_slot(frame: Object) -> Object {
    // SAFETY: the immediate operand is the offset of one of the frame's slots.
    unsafe { load(frame, offset()) }
}

#[inline(always)]
pub unsafe fn take_slot(frame: Object) -> Object {
    // SAFETY: as load_slot.
    unsafe { load(frame, offset()) }
}

#[inline(always)]
pub unsafe fn store_slot(frame: Object, new: Object, _old: Object) {
    // SAFETY: as load_slot.
    unsafe { store(frame, offset(), new) }
}

#[inline(always)]
pub unsafe fn sync_slot(frame: Object, new: Object) {
    // SAFETY: as load_slot; the slot owns its old content.
    unsafe {
        let old = load(frame, offset());
        store(frame, offset(), new);
        xdecref(old);
    }
}

#[inline(always)]
pub unsafe fn set_ip(frame: Object) {
    // SAFETY: the frame is running.
    unsafe { store(frame, FRAME_INSTRUCTION, imm64()) }
}

#[inline(always)]
pub unsafe fn poll_word32() -> Option<()> {
    let word = load_activation!(ACTIVATION_POLL32_WORD);
    let expected = load_activation!(ACTIVATION_POLL32_EXPECTED);
    // SAFETY: the host gave the address of the word.
    if unsafe { load::<u32>(word as Object, 0) } == expected as u32 {
        Some(())
    } else {
        None
    }
}

#[inline(always)]
pub unsafe fn poll_word64() -> Option<()> {
    let word = load_activation!(ACTIVATION_POLL64_WORD);
    let expected = load_activation!(ACTIVATION_POLL64_EXPECTED);
    // SAFETY: the host gave the address of the word.
    if unsafe { load::<u64>(word as Object, 0) } == expected {
        Some(())
    } else {
        None
    }
}

#[inline(always)]
pub unsafe fn guard_valid() -> Option<()> {
    // SAFETY: the host gave the address of the word.
    if unsafe { load::<u32>(imm64() as Object, 0) } == 0 {
        Some(())
    } else {
        None
    }
}
