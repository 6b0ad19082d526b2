//! The way into a trace and out of it.
//!
//! [`enter`] makes the [`Activation`] on the C stack and jumps to the trace. An exit stub of the trace jumps to [`leave_trace`],
//! which saves the value registers into the activation and calls the exit handler while the activation is still there;
//! what the handler returns is what `enter` returns. `rbp` stays the shim's frame pointer all the while, and `rsp` does
//! not move inside a trace, so debuggers and profilers can walk past it.

use core::arch::naked_asm;
use core::mem::MaybeUninit;

use serigraph_uops::layout;

use crate::activation::{Activation, Context};
use crate::memory::CodeAddress;

/// Runs machine code from `code` on and calls `on_exit` when it leaves.
///
/// A panic of `on_exit` aborts the process: machine code cannot be unwound.
///
/// # Safety
///
/// `code` must be the entry of a trace that is published in a usable [`CodeMemory`](crate::CodeMemory), and that expects nothing in
/// registers; what its uops do to `frame` and to the objects they reach must be sound, and the poll words must be valid.
pub unsafe fn enter<R, F: FnOnce(&mut Activation) -> R>(
    code: CodeAddress,
    frame: *mut u8,
    context: &Context,
    on_exit: F,
) -> R {
    struct Call<F, R> {
        on_exit: MaybeUninit<F>,
        result: MaybeUninit<R>,
    }
    extern "C" fn handler<R, F: FnOnce(&mut Activation) -> R>(activation: *mut Activation) {
        // SAFETY: the shim passes the activation it made, which nothing else uses until the handler returns.
        let activation = unsafe { &mut *activation };
        let call = activation.user.cast::<Call<F, R>>();
        // SAFETY: `user` is the `Call` on the stack of `enter`, whose closure is taken exactly once, here.
        unsafe {
            let on_exit = (*call).on_exit.assume_init_read();
            (*call).result.write(on_exit(activation));
        }
    }
    let mut call = Call {
        on_exit: MaybeUninit::new(on_exit),
        result: MaybeUninit::uninit(),
    };
    // SAFETY: the caller vouches for the code; the shim keeps the C calling convention around it.
    unsafe {
        enter_trace(
            code.get(),
            frame,
            context,
            (&raw mut call).cast(),
            handler::<R, F> as *const () as usize,
        )
    };
    // SAFETY: the trace has left through the handler, which wrote the result.
    unsafe { call.result.assume_init() }
}

/// Saves the callee-saved registers, makes the activation, and jumps to the code. `leave_trace` undoes it.
#[unsafe(naked)]
unsafe extern "C" fn enter_trace(
    code: usize,
    frame: *mut u8,
    context: *const Context,
    user: *mut u8,
    handler: usize,
) {
    naked_asm!(
        ".cfi_startproc",
        "push rbp",
        ".cfi_def_cfa_offset 16",
        ".cfi_offset rbp, -16",
        "mov rbp, rsp",
        ".cfi_def_cfa_register rbp",
        "push rbx",
        "push r12",
        "push r13",
        "push r14",
        "push r15",
        ".cfi_offset rbx, -24",
        ".cfi_offset r12, -32",
        ".cfi_offset r13, -40",
        ".cfi_offset r14, -48",
        ".cfi_offset r15, -56",
        // The five registers and the activation keep rsp a multiple of 16 with 8 bytes more.
        "sub rsp, {size} + 8",
        "mov r12, rsi",
        "mov [rsp + {frame}], rsi",
        "mov [rsp + {user}], rcx",
        "mov [rsp + {handler}], r8",
        "movups xmm0, [rdx]",
        "movups [rsp + {poll32}], xmm0",
        "movups xmm0, [rdx + 16]",
        "movups [rsp + {poll64}], xmm0",
        "movups xmm0, [rdx + 32]",
        "movups [rsp + {current_frame}], xmm0",
        "jmp rdi",
        ".cfi_endproc",
        size = const layout::ACTIVATION_SIZE,
        frame = const layout::ACTIVATION_FRAME,
        user = const layout::ACTIVATION_USER,
        handler = const layout::ACTIVATION_HANDLER,
        poll32 = const layout::ACTIVATION_POLL32_WORD,
        poll64 = const layout::ACTIVATION_POLL64_WORD,
        current_frame = const layout::ACTIVATION_CURRENT_FRAME,
    )
}

/// Where exit stubs jump to, with the exit's number in eax.
#[unsafe(naked)]
pub(crate) unsafe extern "C" fn leave_trace() {
    naked_asm!(
        ".cfi_startproc",
        ".cfi_def_cfa rbp, 16",
        ".cfi_offset rbp, -16",
        ".cfi_offset rbx, -24",
        ".cfi_offset r12, -32",
        ".cfi_offset r13, -40",
        ".cfi_offset r14, -48",
        ".cfi_offset r15, -56",
        "mov [rsp + {gp}], r13",
        "mov [rsp + {gp} + 8], r14",
        "mov [rsp + {gp} + 16], r15",
        "mov [rsp + {gp} + 24], rbx",
        "mov [rsp + {gp} + 32], r8",
        "mov [rsp + {gp} + 40], r9",
        "mov [rsp + {gp} + 48], r11",
        "movsd [rsp + {fp}], xmm0",
        "movsd [rsp + {fp} + 8], xmm1",
        "movsd [rsp + {fp} + 16], xmm2",
        "movsd [rsp + {fp} + 24], xmm3",
        "movsd [rsp + {fp} + 32], xmm4",
        "movsd [rsp + {fp} + 40], xmm5",
        "movsd [rsp + {fp} + 48], xmm6",
        "movsd [rsp + {fp} + 56], xmm7",
        "mov [rsp + {exit}], rax",
        "mov rdi, rsp",
        "call [rsp + {handler}]",
        "lea rsp, [rbp - 40]",
        "pop r15",
        "pop r14",
        "pop r13",
        "pop r12",
        "pop rbx",
        "pop rbp",
        ".cfi_def_cfa rsp, 8",
        "ret",
        ".cfi_endproc",
        gp = const layout::ACTIVATION_GP,
        fp = const layout::ACTIVATION_FP,
        exit = const layout::ACTIVATION_EXIT,
        handler = const layout::ACTIVATION_HANDLER,
    )
}

/// Calls the C function in rax with r10 and the address of the activation as its arguments, for the cold path of a stencil:
/// no value register changes, the result is in rax (and rdx).
#[unsafe(naked)]
pub(crate) unsafe extern "C" fn save_all_call() {
    naked_asm!(
        ".cfi_startproc",
        // The return address is between rsp and the activation.
        "mov [rsp + 8 + {gp} + 32], r8",
        "mov [rsp + 8 + {gp} + 40], r9",
        "mov [rsp + 8 + {gp} + 48], r11",
        "movsd [rsp + 8 + {fp}], xmm0",
        "movsd [rsp + 8 + {fp} + 8], xmm1",
        "movsd [rsp + 8 + {fp} + 16], xmm2",
        "movsd [rsp + 8 + {fp} + 24], xmm3",
        "movsd [rsp + 8 + {fp} + 32], xmm4",
        "movsd [rsp + 8 + {fp} + 40], xmm5",
        "movsd [rsp + 8 + {fp} + 48], xmm6",
        "movsd [rsp + 8 + {fp} + 56], xmm7",
        "mov rdi, r10",
        "lea rsi, [rsp + 8]",
        "movsd xmm0, xmm15",
        "sub rsp, 8",
        ".cfi_adjust_cfa_offset 8",
        "call rax",
        "add rsp, 8",
        ".cfi_adjust_cfa_offset -8",
        "movsd xmm0, [rsp + 8 + {fp}]",
        "movsd xmm1, [rsp + 8 + {fp} + 8]",
        "movsd xmm2, [rsp + 8 + {fp} + 16]",
        "movsd xmm3, [rsp + 8 + {fp} + 24]",
        "movsd xmm4, [rsp + 8 + {fp} + 32]",
        "movsd xmm5, [rsp + 8 + {fp} + 40]",
        "movsd xmm6, [rsp + 8 + {fp} + 48]",
        "movsd xmm7, [rsp + 8 + {fp} + 56]",
        "mov r8, [rsp + 8 + {gp} + 32]",
        "mov r9, [rsp + 8 + {gp} + 40]",
        "mov r11, [rsp + 8 + {gp} + 48]",
        "ret",
        ".cfi_endproc",
        gp = const layout::ACTIVATION_GP,
        fp = const layout::ACTIVATION_FP,
    )
}
