//! Raising an exception where the interpreter would have raised it: the frame goes on at the instruction, with an operand that
//! raises. Handlers, tracebacks and events are then the interpreter's own.

use std::ptr;

use serigraph_cpython::bytecode::{Instruction, Opcode};
use serigraph_cpython::code::CodeRef;
use serigraph_cpython::ffi::{self, PyObject};
use serigraph_cpython::frame::{self, FramePtr};
use serigraph_cpython::raiser::{self, Unwound};
use serigraph_cpython::threads::Thread;
use serigraph_cpython::{Minor, Owned, api, minor, refs};

use crate::recording;

/// Takes the pending exception out of the interpreter.
pub fn take() -> Owned {
    // SAFETY: the GIL is held; a missing exception is a fault of the C function that reported one, as the interpreter says
    // in such a case.
    unsafe {
        Owned::from_raw((api().get_raised)()).unwrap_or_else(|| {
            ffi::PyErr_SetString(
                ffi::PyExc_SystemError,
                c"error return without exception set".as_ptr(),
            );
            match Owned::from_raw((api().get_raised)()) {
                Some(exception) => exception,
                None => ffi::Py_FatalError(c"serigraph: no memory for an exception".as_ptr()),
            }
        })
    }
}

/// Puts an exception back.
fn set(exception: Owned) {
    // SAFETY: the GIL is held; the interpreter takes the reference over.
    unsafe { (api().set_raised)(exception.into_raw()) };
}

/// How the stack of a frame is that is to raise.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Operands {
    /// As the instruction wants it.
    Present,
    /// The instruction is a call that has taken its callable and arguments, and whose callee raises.
    Taken {
        /// The instruction that follows.
        next: u32,
    },
}

/// The instruction at a unit; for 3.12's `KW_NAMES`, the `CALL` that it is part of.
fn instruction(code: CodeRef, unit: u32) -> Option<Instruction> {
    let checked = recording::validated(code)?;
    let at = checked.at(unit)?;
    if at.opcode == Opcode::KwNames {
        checked.at(at.next).copied()
    } else {
        Some(*at)
    }
}

/// Puts the raiser in the place of an operand of the instruction at a unit. False if the instruction has none that will do.
///
/// # Safety
/// The frame's stack is as `operands` says.
unsafe fn place_raiser(frame: FramePtr, code: CodeRef, unit: u32, operands: Operands) -> bool {
    let Some(instruction) = instruction(code, unit) else {
        return false;
    };
    let object = raiser::object();
    if object.is_null() {
        // SAFETY: the GIL is held; the exception that is to be raised is kept elsewhere.
        unsafe { ffi::PyErr_Clear() };
        return false;
    }
    let mut top = frame.stack_top() as u32;
    // SAFETY: the slots are operands of the instruction, or room that the compiler has reserved for them.
    unsafe {
        if let Operands::Taken { next } = operands {
            if !matches!(instruction.opcode, Opcode::Call | Opcode::CallKw) {
                return false;
            }
            let mut push = |value: *mut PyObject| {
                *frame.slot(top) = value;
                top += 1;
            };
            if minor() == Minor::V312 {
                push(ptr::null_mut());
                push(object);
            } else {
                push(object);
                push(ptr::null_mut());
            }
            for _ in 0..instruction.oparg {
                push(ffi::Py_None());
            }
            if instruction.opcode == Opcode::CallKw {
                // No names: the empty tuple is never freed, so there is one.
                push(ffi::PyTuple_New(0));
            }
            frame.set_stack_top(top as i32);
            raiser::from_callee(frame, code, unit, next);
            return true;
        }
        let is_null = |n: u32| (*frame.slot(top - 1 - n)).is_null();
        let Some(n) =
            raiser::raising_operand(minor(), instruction.opcode, instruction.oparg, is_null)
        else {
            return false;
        };
        let old = frame.slot(top - 1 - n).replace(object);
        refs::xdecref(old);
    }
    true
}

/// Makes a frame that is in a callback raise at the instruction where it stands. False: the callback has to return with the
/// exception set.
///
/// # Safety
/// `frame` is the running thread's current frame, of this code, in a callback; its stack is as `operands` says.
pub unsafe fn resume_raising(
    frame: FramePtr,
    code: CodeRef,
    exception: Owned,
    operands: Operands,
) -> bool {
    let unit = frame.ip().unwrap_or(0) as u32;
    // SAFETY: by the caller's promise.
    unsafe {
        if place_raiser(frame, code, unit, operands) {
            raiser::arm(exception);
            return true;
        }
        set(exception);
        raiser::unwind(frame, code, unit) == Unwound::Handled
    }
}

/// Runs a frame built by [`frame::push_frame`] to its end, which begins with raising at an instruction.
///
/// # Safety
/// As [`frame::eval_pushed`]; `unit` is an instruction of its code, and its stack is as `operands` says.
pub unsafe fn run_raising(
    thread: Thread,
    frame: FramePtr,
    code: CodeRef,
    unit: u32,
    exception: Owned,
    operands: Operands,
) -> *mut PyObject {
    // SAFETY: by the caller's promise.
    unsafe {
        if place_raiser(frame, code, unit, operands) {
            raiser::arm(exception);
            frame.set_start(code, unit);
            return frame::eval_pushed(thread, frame);
        }
        set(exception);
        frame.set_start(code, unit + 1);
        frame::throw_pushed(thread, frame)
    }
}
