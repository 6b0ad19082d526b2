//! Raising at an instruction: the frame resumes at it with an operand whose every operation raises the wanted exception.
//!
//! The handlers, `finally` blocks, traceback, `sys.exc_info` and monitoring events are then all the interpreter's own.
//! [`raising_operand`] says which operand of an instruction to replace. For what has no such operand there is [`unwind`], which
//! does the interpreter's work by hand (and fires no RAISE or EXCEPTION_HANDLED events).

use std::cell::Cell;
use std::ffi::{c_int, c_uint, c_void};
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};

use crate::bytecode::Opcode;
use crate::callable::slot;
use crate::code::CodeRef;
use crate::ffi::{self, PyObject};
use crate::frame::FramePtr;
use crate::refs::{Owned, xdecref};
use crate::runtime::api;
use crate::version::Minor;

thread_local! {
    /// The exception that the next use of the raiser in this thread raises; owned.
    static PENDING: Cell<*mut PyObject> = const { Cell::new(ptr::null_mut()) };
}

thread_local! {
    /// The frame that the raiser's next use brings to where it would be while its callee raises, by the call at the first unit
    /// and what follows at the second.
    static CALLER: Cell<Option<(FramePtr, CodeRef, u32, u32)>> = const { Cell::new(None) };
}

/// The object, made at first use and kept for ever.
static RAISER: AtomicPtr<PyObject> = AtomicPtr::new(ptr::null_mut());

/// Sets the exception that the raiser raises next in this thread.
pub fn arm(exception: Owned) {
    let before = PENDING.replace(exception.into_raw());
    // SAFETY: what was there, if anything, was owned. It is there only if an earlier raiser was never used.
    unsafe { xdecref(before) }
}

/// The exception that is armed next comes from a Python function that this frame calls by the instruction at `call`, behind which
/// is `next`: the traceback entry is to say so.
pub fn from_callee(frame: FramePtr, code: CodeRef, call: u32, next: u32) {
    CALLER.set(Some((frame, code, call, next)));
}

/// The raiser, borrowed; immortal, so that references to it need not be counted. Null = no memory, an exception is set.
pub fn object() -> *mut PyObject {
    let made = RAISER.load(Ordering::Acquire);
    if !made.is_null() {
        return made;
    }
    match make() {
        Some(made) => {
            let made = made.into_raw();
            // SAFETY: a valid object that nobody else has yet; the low 32 bits of its count make it immortal.
            unsafe { *made.cast::<i64>() = 0xffff_ffff };
            RAISER.store(made, Ordering::Release);
            made
        }
        None => ptr::null_mut(),
    }
}

fn raise() {
    let exception = PENDING.replace(ptr::null_mut());
    if let Some((frame, code, call, next)) = CALLER.take() {
        // SAFETY: the frame has just called the raiser; the interpreter has its own copy of the instruction pointer, from which
        // it finds the handler.
        unsafe { frame.set_calling(code, call, next) };
    }
    // SAFETY: the exception is owned, and is given to the interpreter; the GIL is held, as a type slot is being called.
    unsafe {
        if exception.is_null() {
            ffi::PyErr_SetString(
                ffi::PyExc_SystemError,
                c"serigraph: the raiser was used without an exception".as_ptr(),
            );
        } else {
            (api().set_raised)(exception);
        }
    }
}

unsafe extern "C" fn unary(_: *mut PyObject) -> *mut PyObject {
    raise();
    ptr::null_mut()
}

unsafe extern "C" fn binary(_: *mut PyObject, _: *mut PyObject) -> *mut PyObject {
    raise();
    ptr::null_mut()
}

unsafe extern "C" fn ternary(
    _: *mut PyObject,
    _: *mut PyObject,
    _: *mut PyObject,
) -> *mut PyObject {
    raise();
    ptr::null_mut()
}

unsafe extern "C" fn compare(_: *mut PyObject, _: *mut PyObject, _: c_int) -> *mut PyObject {
    raise();
    ptr::null_mut()
}

unsafe extern "C" fn unary_int(_: *mut PyObject) -> c_int {
    raise();
    -1
}

unsafe extern "C" fn unary_size(_: *mut PyObject) -> isize {
    raise();
    -1
}

unsafe extern "C" fn binary_int(_: *mut PyObject, _: *mut PyObject) -> c_int {
    raise();
    -1
}

unsafe extern "C" fn ternary_int(_: *mut PyObject, _: *mut PyObject, _: *mut PyObject) -> c_int {
    raise();
    -1
}

fn make() -> Option<Owned> {
    let unary = unary as *mut c_void;
    let binary = binary as *mut c_void;
    let ternary = ternary as *mut c_void;
    let unary_size = unary_size as *mut c_void;
    let mut slots: Vec<ffi::PyType_Slot> = [
        ffi::Py_nb_add,
        ffi::Py_nb_subtract,
        ffi::Py_nb_multiply,
        ffi::Py_nb_remainder,
        ffi::Py_nb_lshift,
        ffi::Py_nb_rshift,
        ffi::Py_nb_and,
        ffi::Py_nb_xor,
        ffi::Py_nb_or,
        ffi::Py_nb_floor_divide,
        ffi::Py_nb_true_divide,
        ffi::Py_nb_matrix_multiply,
        ffi::Py_nb_inplace_add,
        ffi::Py_nb_inplace_subtract,
        ffi::Py_nb_inplace_multiply,
        ffi::Py_nb_inplace_remainder,
        ffi::Py_nb_inplace_lshift,
        ffi::Py_nb_inplace_rshift,
        ffi::Py_nb_inplace_and,
        ffi::Py_nb_inplace_xor,
        ffi::Py_nb_inplace_or,
        ffi::Py_nb_inplace_floor_divide,
        ffi::Py_nb_inplace_true_divide,
        ffi::Py_nb_inplace_matrix_multiply,
        ffi::Py_mp_subscript,
        ffi::Py_tp_getattro,
    ]
    .into_iter()
    .map(|number| slot(number, binary))
    .collect();
    let unaries = [
        ffi::Py_nb_negative,
        ffi::Py_nb_positive,
        ffi::Py_nb_invert,
        ffi::Py_nb_index,
        ffi::Py_nb_int,
        ffi::Py_nb_float,
        ffi::Py_tp_iter,
        ffi::Py_tp_iternext,
        ffi::Py_tp_repr,
        ffi::Py_tp_str,
    ];
    slots.extend(unaries.map(|number| slot(number, unary)));
    slots.extend(
        [ffi::Py_nb_power, ffi::Py_nb_inplace_power, ffi::Py_tp_call]
            .map(|number| slot(number, ternary)),
    );
    slots.extend(
        [ffi::Py_mp_length, ffi::Py_sq_length, ffi::Py_tp_hash]
            .map(|number| slot(number, unary_size)),
    );
    // `__enter__` and the others are looked up on the type; a context manager needs both of its methods.
    let methods = [c"__format__", c"__enter__", c"__exit__"].map(|name| ffi::PyMethodDef {
        ml_name: name.as_ptr(),
        ml_meth: ffi::PyMethodDefPointer {
            PyCFunction: binary_function,
        },
        ml_flags: ffi::METH_VARARGS,
        ml_doc: ptr::null(),
    });
    let mut table: Vec<ffi::PyMethodDef> = methods.into();
    table.push(ffi::PyMethodDef {
        ml_name: ptr::null(),
        ml_meth: ffi::PyMethodDefPointer {
            PyCFunction: binary_function,
        },
        ml_flags: 0,
        ml_doc: ptr::null(),
    });
    slots.extend([
        slot(ffi::Py_nb_bool, unary_int as *mut c_void),
        slot(ffi::Py_sq_contains, binary_int as *mut c_void),
        slot(ffi::Py_mp_ass_subscript, ternary_int as *mut c_void),
        slot(ffi::Py_tp_setattro, ternary_int as *mut c_void),
        slot(ffi::Py_tp_richcompare, compare as *mut c_void),
        // The methods refer to this table for as long as the type lives, which is for ever.
        slot(ffi::Py_tp_methods, table.leak().as_mut_ptr().cast()),
        slot(0, ptr::null_mut()),
    ]);
    let mut spec = ffi::PyType_Spec {
        name: c"serigraph.Raiser".as_ptr(),
        basicsize: 16,
        itemsize: 0,
        flags: (ffi::Py_TPFLAGS_DEFAULT | ffi::Py_TPFLAGS_DISALLOW_INSTANTIATION) as c_uint,
        slots: slots.as_mut_ptr(),
    };
    // SAFETY: the specification is well formed; the slot functions have the signatures of their slots; the type copies the slots.
    unsafe {
        let type_object = Owned::from_raw(ffi::PyType_FromSpec(&mut spec))?;
        Owned::from_raw(ffi::PyType_GenericAlloc(type_object.as_ptr().cast(), 0))
    }
}

unsafe extern "C" fn binary_function(_: *mut PyObject, _: *mut PyObject) -> *mut PyObject {
    raise();
    ptr::null_mut()
}

/// Which operand (0 = top of the stack) to replace by the raiser, so that the instruction raises the armed exception before it
/// does anything else; the other operands are any valid objects of the kinds the compiler would put there. `is_null` says
/// whether a stack position holds null (3.12's `CALL` depends on it). `None`: there is no such operand; what raises by itself
/// (an unbound name) is re-executed, for the rest there is [`unwind`].
pub fn raising_operand(
    minor: Minor,
    opcode: Opcode,
    oparg: u32,
    is_null: impl Fn(u32) -> bool,
) -> Option<u32> {
    let is_312 = minor == Minor::V312;
    Some(match opcode {
        Opcode::BinaryOp
        | Opcode::CompareOp
        | Opcode::BinarySubscr
        | Opcode::StoreSubscr
        | Opcode::DeleteSubscr
        | Opcode::MapAdd => 1,
        Opcode::BinarySlice | Opcode::StoreSlice | Opcode::LoadSuperAttr => 2,
        Opcode::UnaryNegative
        | Opcode::UnaryInvert
        | Opcode::ToBool
        | Opcode::ContainsOp
        | Opcode::LoadAttr
        | Opcode::StoreAttr
        | Opcode::DeleteAttr
        | Opcode::GetIter
        | Opcode::ForIter
        | Opcode::UnpackSequence
        | Opcode::UnpackEx
        | Opcode::ListExtend
        | Opcode::SetUpdate
        | Opcode::SetAdd
        | Opcode::GetLen
        | Opcode::BeforeWith
        | Opcode::ConvertValue
        | Opcode::FormatSimple => 0,
        // In 3.13 these see bools only, which `TO_BOOL` made.
        Opcode::UnaryNot | Opcode::PopJumpIfFalse | Opcode::PopJumpIfTrue if is_312 => 0,
        Opcode::FormatWithSpec => 1,
        Opcode::FormatValue => u32::from(oparg & 4 != 0),
        Opcode::BuildSet if oparg > 0 => oparg - 1,
        Opcode::BuildMap if oparg > 0 => 2 * oparg - 1,
        // INTRINSIC_UNARY_POSITIVE.
        Opcode::CallIntrinsic1 if oparg == 5 => 0,
        // 3.12: method or null, callable or self, arguments; 3.13: callable, self or null, arguments.
        Opcode::Call if is_312 && is_null(oparg + 1) => oparg,
        Opcode::Call => oparg + 1,
        Opcode::CallKw => oparg + 2,
        // 3.12: null, callable, tuple[, dict]; 3.13: callable, null, tuple[, dict].
        Opcode::CallFunctionEx => (oparg & 1) + if is_312 { 1 } else { 2 },
        _ => return None,
    })
}

/// How [`unwind`] left the frame.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Unwound {
    /// The frame is at its handler: the callback returns [`crate::monitoring::Action::Continue`].
    Handled,
    /// The frame has no handler there; the exception is set and the callback returns
    /// [`crate::monitoring::Action::Raise`], which adds the traceback entry.
    Unhandled,
}

/// Raises the pending exception at an instruction, as the interpreter does: traceback entry, handler, stack. For a frame that is
/// in a JUMP or PY_START callback.
///
/// # Safety
/// An exception is pending; `frame` is the running thread's current frame, of `code`, in a callback, with a valid
/// `stack_top`; `unit` is the start of an instruction.
pub unsafe fn unwind(frame: FramePtr, code: CodeRef, unit: u32) -> Unwound {
    // SAFETY: by the caller's promise; the stack shrinks to the handler's depth and the references that leave it are released.
    unsafe {
        frame.set_ip(code, unit);
        let Some(handler) = code.handler(unit) else {
            return Unwound::Unhandled;
        };
        let frame_object = ffi::PyEval_GetFrame();
        if !frame_object.is_null() {
            ffi::PyTraceBack_Here(frame_object);
        }
        let mut top = frame.stack_top() as u32;
        let keep = code.nlocalsplus() + handler.depth;
        while top > keep {
            top -= 1;
            frame.set_stack_top(top as i32);
            xdecref(frame.slot(top).read());
        }
        // Releasing may have run code; the exception is still the pending one, as finalisers save it.
        let exception = (api().get_raised)();
        if handler.push_lasti {
            let lasti = ffi::PyLong_FromLong(unit.into());
            if lasti.is_null() {
                xdecref(exception);
                return Unwound::Unhandled;
            }
            frame.slot(top).write(lasti);
            top += 1;
        }
        frame.slot(top).write(exception);
        frame.set_stack_top(top as i32 + 1);
        frame.set_ip(code, handler.target);
    }
    Unwound::Handled
}
