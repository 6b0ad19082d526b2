//! Dead ints that are kept for the next ones: making and releasing an int is then a matter of a few instructions, as the host's own
//! free list makes it for floats.
//!
//! Only ints of one digit are kept and made here; all have room for that digit, whatever made them. Everything else goes to the host's
//! functions, by the way that keeps value registers. The objects are linked through `ob_type`.

use std::arch::naked_asm;
use std::mem::offset_of;

use serigraph_uops::layout::{INT_COMPACT_LIMIT, INT_DIGITS, INT_TAG, OBJECT_TYPE};

use crate::runtime::RuntimeSymbols;
use crate::shim::save_all_call;

/// More than so many are given back to the host.
const MOST: usize = 64;
/// The least number that one digit does not hold.
const DIGIT_LIMIT: usize = 1 << 30;

/// The list, and what the thunks need to know. Machine code holds its address and changes it.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct IntPool {
    head: usize,
    count: usize,
    int_type: usize,
    box_int: usize,
    dealloc: usize,
}

impl IntPool {
    /// An empty pool.
    pub fn new(runtime: &RuntimeSymbols) -> IntPool {
        IntPool {
            head: 0,
            count: 0,
            // (No object has a type at address 1.)
            int_type: runtime.int_type.max(1),
            box_int: runtime.box_int,
            dealloc: runtime.dealloc,
        }
    }

    /// Takes a dead object out.
    pub fn take(&mut self) -> Option<usize> {
        let object = self.head;
        if object == 0 {
            return None;
        }
        // SAFETY: a dead object in the list, which nobody else has.
        let next = unsafe { *std::ptr::with_exposed_provenance::<usize>(object + OBJECT_TYPE) };
        (self.head, self.count) = (next, self.count - 1);
        Some(object)
    }
}

/// Makes an int of the value in r10, which is none of the small ones; rax is the address of the pool.
#[unsafe(naked)]
pub(crate) unsafe extern "C" fn box_int() {
    naked_asm!(
        "mov rcx, r10",
        "neg rcx",
        "cmovs rcx, r10",
        "cmp rcx, {limit}",
        "jae 2f",
        "mov rdx, [rax + {head}]",
        "test rdx, rdx",
        "jz 2f",
        "mov rsi, [rdx + {ob_type}]",
        "mov [rax + {head}], rsi",
        "dec qword ptr [rax + {count}]",
        "mov rsi, [rax + {int_type}]",
        "mov qword ptr [rdx], 1",
        "mov [rdx + {ob_type}], rsi",
        "mov [rdx + {digits}], ecx",
        // The tag: one digit, and 2 if negative.
        "sar r10, 63",
        "and r10d, 2",
        "or r10d, 8",
        "mov [rdx + {tag}], r10",
        "mov rax, rdx",
        "ret",
        "2:",
        "mov rax, [rax + {function}]",
        "jmp {save_all}",
        limit = const DIGIT_LIMIT,
        head = const offset_of!(IntPool, head),
        count = const offset_of!(IntPool, count),
        int_type = const offset_of!(IntPool, int_type),
        function = const offset_of!(IntPool, box_int),
        ob_type = const OBJECT_TYPE,
        tag = const INT_TAG,
        digits = const INT_DIGITS,
        save_all = sym save_all_call,
    )
}

/// The object in r10 has lost its last reference; rax is the address of the pool.
#[unsafe(naked)]
pub(crate) unsafe extern "C" fn dealloc() {
    naked_asm!(
        "mov rcx, [r10 + {ob_type}]",
        "cmp rcx, [rax + {int_type}]",
        "jne 2f",
        "cmp qword ptr [r10 + {tag}], {compact}",
        "jae 2f",
        "cmp qword ptr [rax + {count}], {most}",
        "jae 2f",
        "mov rcx, [rax + {head}]",
        "mov [r10 + {ob_type}], rcx",
        "mov [rax + {head}], r10",
        "inc qword ptr [rax + {count}]",
        "ret",
        "2:",
        "mov rax, [rax + {function}]",
        "jmp {save_all}",
        head = const offset_of!(IntPool, head),
        count = const offset_of!(IntPool, count),
        int_type = const offset_of!(IntPool, int_type),
        function = const offset_of!(IntPool, dealloc),
        ob_type = const OBJECT_TYPE,
        tag = const INT_TAG,
        compact = const INT_COMPACT_LIMIT,
        most = const MOST,
        save_all = sym save_all_call,
    )
}
