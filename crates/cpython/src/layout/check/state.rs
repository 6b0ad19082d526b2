//! Checks of the interpreter's own state, and what is found there by experiment.

use std::ffi::{c_int, c_void};

use super::{CheckError, holds, same};
use crate::ffi::{self, PyObject};
use crate::memory::read;
use crate::runtime::{FloatFreeList, Runtime};
use crate::version::Minor;

fn field<T: Copy>(of: *const u8, offset: usize) -> T {
    // SAFETY: the checks read fields of live structures at offsets inside them; every bit pattern is a valid integer or
    // pointer.
    unsafe { read(of, offset) }
}

fn interpreter() -> *const u8 {
    // SAFETY: the GIL is held.
    unsafe { ffi::PyInterpreterState_Get() }.cast::<u8>()
}

/// 3.13 begins `_PyRuntime` with a table of offsets for debuggers (`_Py_DebugOffsets` in
/// `Include/internal/pycore_runtime.h`): a cookie, then words.
pub(super) fn debug_offsets(runtime: &Runtime) -> Result<(), CheckError> {
    if runtime.layout.minor == Minor::V312 {
        return Ok(());
    }
    let table = runtime.api.runtime;
    same(
        "the cookie of the debug offsets",
        *b"xdebugpy",
        field::<[u8; 8]>(table, 0),
    )?;
    same("debug offsets: free_threaded", 0, field::<u64>(table, 16))?;
    let layout = &runtime.layout;
    for (check, word, ours) in [
        (
            "debug offsets: interpreter.threads",
            9,
            layout.interpreter.threads,
        ),
        ("debug offsets: thread.next", 21, layout.thread.next),
        (
            "debug offsets: thread.interpreter",
            22,
            layout.thread.interpreter,
        ),
        (
            "debug offsets: thread.current_frame",
            23,
            layout.thread.frame_holder,
        ),
        (
            "debug offsets: thread.thread_id",
            24,
            layout.thread.thread_id,
        ),
        ("debug offsets: frame.previous", 29, layout.frame.previous),
        ("debug offsets: frame.executable", 30, layout.frame.code),
        (
            "debug offsets: frame.instr_ptr",
            31,
            layout.frame.instruction,
        ),
        (
            "debug offsets: frame.localsplus",
            32,
            layout.frame.localsplus,
        ),
        ("debug offsets: frame.owner", 33, layout.frame.owner),
        ("debug offsets: code.filename", 35, layout.code.filename),
        ("debug offsets: code.name", 36, layout.code.name),
        ("debug offsets: code.qualname", 37, layout.code.qualname),
        (
            "debug offsets: code.firstlineno",
            39,
            layout.code.first_line,
        ),
        ("debug offsets: code.argcount", 40, layout.code.arg_count),
        (
            "debug offsets: code.localsplusnames",
            41,
            layout.code.localsplus_names,
        ),
        (
            "debug offsets: code.localspluskinds",
            42,
            layout.code.localsplus_kinds,
        ),
        (
            "debug offsets: code.co_code_adaptive",
            43,
            layout.code.adaptive,
        ),
        ("debug offsets: object.ob_type", 45, layout.object.ob_type),
        ("debug offsets: type.tp_name", 47, layout.type_object.name),
        ("debug offsets: type.tp_flags", 49, layout.type_object.flags),
        ("debug offsets: tuple.ob_item", 51, layout.tuple.items),
        ("debug offsets: tuple.ob_size", 52, layout.tuple.size),
        ("debug offsets: list.ob_item", 54, layout.list.items),
        ("debug offsets: list.ob_size", 55, layout.list.size),
        ("debug offsets: dict.ma_keys", 57, layout.dict.keys),
        ("debug offsets: dict.ma_values", 58, layout.dict.values),
        ("debug offsets: float.ob_fval", 60, layout.float.value),
        ("debug offsets: int.lv_tag", 62, layout.int.tag),
        ("debug offsets: int.ob_digit", 63, layout.int.digits),
        ("debug offsets: bytes.ob_size", 65, layout.bytes.size),
        ("debug offsets: bytes.ob_sval", 66, layout.bytes.data),
        ("debug offsets: str.state", 68, layout.str.state),
        ("debug offsets: str.length", 69, layout.str.length),
    ] {
        same(check, field::<u64>(table, word * 8), ours as u64)?;
    }
    Ok(())
}

/// The running thread is in the interpreter's list.
pub(super) fn threads(runtime: &Runtime) -> Result<(), CheckError> {
    // SAFETY: the GIL is held.
    let running = unsafe { ffi::PyThreadState_Get() }
        .cast::<u8>()
        .cast_const();
    let mut thread: *const u8 = field(interpreter(), runtime.layout.interpreter.threads);
    let mut steps = 0;
    while !thread.is_null() && thread != running && steps < 100_000 {
        thread = field(thread, runtime.layout.thread.next);
        steps += 1;
    }
    same("interpreter.threads", running, thread)
}

extern "C" fn nothing(_: *mut c_void) -> c_int {
    0
}

/// A pending call shows in the eval breaker. Only the main thread takes pending calls, so only it can see this.
pub(super) fn eval_breaker(runtime: &Runtime) -> Result<(), CheckError> {
    // SAFETY: asks the system for two numbers.
    if unsafe { libc::gettid() != libc::getpid() } {
        return Ok(());
    }
    // SAFETY: the GIL is held; the call does nothing when its turn comes.
    let (thread, added) = unsafe {
        (
            ffi::PyThreadState_Get().cast::<u8>(),
            ffi::Py_AddPendingCall(Some(nothing), std::ptr::null_mut()),
        )
    };
    if added != 0 {
        return Ok(());
    }
    let pending = match runtime.layout.minor {
        Minor::V312 => field::<u32>(interpreter(), runtime.layout.interpreter.eval_breaker) == 1,
        Minor::V313 => field::<u64>(thread, runtime.layout.thread.eval_breaker) & 4 != 0,
    };
    holds("eval_breaker", "to show a pending call", pending)
}

/// Whoever runs the frames instead of the interpreter is named in its state. The field moves with patch releases, so it is
/// looked for near where it should be. No frame is run meanwhile.
pub(super) fn find_frame_evaluator(runtime: &Runtime) -> Result<usize, CheckError> {
    const NEAR: usize = 4096;
    unsafe extern "C" fn nobody() {}
    let (interpreter, api) = (interpreter(), &runtime.api);
    let expected = runtime.layout.interpreter.eval_frame;
    let other = nobody as *const c_void;
    // SAFETY: the GIL is held; the evaluator is put back before a frame can be run.
    let shown = unsafe {
        let before = (api.frame_evaluator)(interpreter.cast_mut());
        (api.set_frame_evaluator)(interpreter.cast_mut(), other);
        let shown = std::iter::once(expected)
            .chain((expected.saturating_sub(NEAR)..expected + NEAR).step_by(8))
            .find(|&offset| field::<*const c_void>(interpreter, offset) == other);
        (api.set_frame_evaluator)(interpreter.cast_mut(), before);
        shown.filter(|&offset| field::<*const c_void>(interpreter, offset) != other)
    };
    shown.ok_or_else(|| CheckError {
        check: "interpreter.eval_frame",
        expected: format!("the frame evaluator near offset {expected}"),
        found: String::from("it nowhere"),
    })
}

/// The list of free floats: where the last float freed is the head. It moves with patch releases and build options, so it is
/// looked for near where it should be, and without it floats are made by the C API.
pub(super) fn find_float_free_list(runtime: &Runtime) -> Option<FloatFreeList> {
    const NEAR: usize = 8192;
    let interpreter = interpreter();
    let expected = runtime.layout.interpreter.float_free_list;
    let mut offsets =
        std::iter::once(expected).chain((expected - NEAR..expected + NEAR).step_by(8));
    offsets
        .find(|&head| is_float_free_list(interpreter, head))
        .map(|head| FloatFreeList {
            head,
            count: head - 8,
        })
}

fn is_float_free_list(interpreter: *const u8, head: usize) -> bool {
    // SAFETY: floats are made and freed through the C API; a freed float's memory stays mapped, and its type word is the link
    // to the next one if the list is where it is looked for, which is all that is read of it.
    unsafe {
        let floats: [*mut PyObject; 4] = std::array::from_fn(|n| ffi::PyFloat_FromDouble(n as f64));
        if floats.contains(&std::ptr::null_mut()) {
            ffi::PyErr_Clear();
            floats.into_iter().for_each(|float| ffi::Py_XDECREF(float));
            return false;
        }
        floats.into_iter().for_each(|float| ffi::Py_DECREF(float));
        let [.., third, last] = floats;
        if field::<*mut PyObject>(interpreter, head) != last
            || field::<*mut PyObject>(last.cast(), 8) != third
        {
            return false;
        }
        let before: c_int = field(interpreter, head - 8);
        let taken = ffi::PyFloat_FromDouble(0.5);
        let linked = taken == last && field::<*mut PyObject>(interpreter, head) == third;
        let after: c_int = field(interpreter, head - 8);
        ffi::Py_XDECREF(taken);
        linked && after == before - 1
    }
}
