//! The running frame, and what interrupts a trace.

use core::arch::asm;

use crate::abi::{Object, hole_imm32, imm64, load, load_activation, offset, store};
use crate::layout::{
    ACTIVATION_CURRENT_FRAME, ACTIVATION_FRAMES, ACTIVATION_POLL32_EXPECTED,
    ACTIVATION_POLL32_WORD, ACTIVATION_POLL64_EXPECTED, ACTIVATION_POLL64_WORD,
    ACTIVATION_RECURSION, FRAME_HEAD_WORDS, FRAME_INSTRUCTION, FRAME_PREVIOUS,
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

#[inline(always)]
pub unsafe fn count_turn() {
    let word = imm64() as Object;
    // SAFETY: the host gave the address of the word.
    unsafe { store::<u64>(word, 0, load::<u64>(word, 0).wrapping_add(1)) };
}

#[inline(always)]
pub unsafe fn frame_slot(v: Object) {
    // SAFETY: the immediate operand is an offset in the room for frames.
    unsafe {
        asm!("mov qword ptr [rsp + {}], {}", sym hole_imm32, in(reg) v, options(nostack, preserves_flags))
    };
}

#[inline(always)]
pub unsafe fn push_frame() {
    let image = imm64() as Object;
    // SAFETY: the host's image is a frame's head and its place in the room for frames; the words are the thread's.
    unsafe {
        let place: u64 = load(image, FRAME_HEAD_WORDS * 8);
        let new: Object;
        asm!("lea {}, [rsp + 8 * {} + {}]", out(reg) new, in(reg) place, const ACTIVATION_FRAMES,
            options(pure, nomem, nostack, preserves_flags));
        for word in 0..FRAME_HEAD_WORDS {
            store::<u64>(new, 8 * word, load(image, 8 * word));
        }
        let current = load_activation!(ACTIVATION_CURRENT_FRAME) as Object;
        store::<u64>(new, FRAME_PREVIOUS, load(current, 0));
        store(current, 0, new);
        let recursion = load_activation!(ACTIVATION_RECURSION) as Object;
        store::<i32>(recursion, 0, load::<i32>(recursion, 0).wrapping_sub(1));
    }
}

#[inline(always)]
pub unsafe fn guard_frame_unseen() -> Option<()> {
    // SAFETY: compares a word of the room for frames, and jumps.
    unsafe {
        asm!("cmp qword ptr [rsp + {}], 0", "jne {}", sym hole_imm32, label { core::intrinsics::cold_path(); return None },
            options(nostack, readonly))
    };
    Some(())
}

#[inline(always)]
pub unsafe fn pop_frames(frame: Object) {
    let current = load_activation!(ACTIVATION_CURRENT_FRAME) as Object;
    let recursion = load_activation!(ACTIVATION_RECURSION) as Object;
    // SAFETY: the words are the thread's.
    unsafe {
        store(current, 0, frame);
        let left: u64;
        asm!("mov {0:e}, dword ptr [{1}]", "add {0:r}, offset {2}", out(reg) left, in(reg) recursion, sym hole_imm32,
            options(nostack, readonly));
        store::<u32>(recursion, 0, left as u32);
    }
}
