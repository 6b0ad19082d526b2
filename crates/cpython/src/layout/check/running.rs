//! Checks of what only a running frame shows: frames, code objects, the thread state.

use std::cell::Cell;
use std::ffi::c_int;
use std::ptr;

use super::samples::Samples;
use super::{CheckError, attribute, holds, int_attribute, object, same};
use crate::bytecode::{Adaptive, Opcode};
use crate::ffi::{self, PyObject};
use crate::memory::read;
use crate::refs::Owned;
use crate::runtime::Runtime;
use crate::version::Minor;

/// Calls until each call and each lookup is specialised.
const WARM: u32 = 40;

type Outcome = Result<(), CheckError>;

thread_local! {
    /// What the probe works for, and what it found; set only while [`run`] calls the script.
    static RUNTIME: Cell<Option<*const Runtime>> = const { Cell::new(None) };
    static OUTCOME: Cell<Option<Outcome>> = const { Cell::new(None) };
}

fn field<T: Copy>(of: *const u8, offset: usize) -> T {
    // SAFETY: the checks read fields of live structures at offsets inside them; every bit pattern is a valid integer or
    // pointer.
    unsafe { read(of, offset) }
}

/// Everything.
pub(super) fn run(runtime: &Runtime, samples: &Samples) -> Outcome {
    const CHECK: &str = "the calls of the frame checks";
    let outer = samples.get(c"outer")?;
    let mut definition = ffi::PyMethodDef {
        ml_name: c"probe".as_ptr(),
        ml_meth: ffi::PyMethodDefPointer { PyCFunction: probe },
        ml_flags: ffi::METH_VARARGS,
        ml_doc: ptr::null(),
    };
    // SAFETY: plain calls of the C API; the definition outlives the function made from it, which nobody keeps.
    let called = unsafe {
        let callable = object(
            CHECK,
            ffi::PyCFunction_NewEx(&mut definition, ptr::null_mut(), ptr::null_mut()),
        )?;
        let marker = object(CHECK, ffi::PyList_New(0))?;
        let arguments = object(
            CHECK,
            ffi::PyTuple_Pack(2, callable.as_ptr(), marker.as_ptr()),
        )?;
        let call = || {
            object(
                CHECK,
                ffi::PyObject_Call(outer.as_ptr(), arguments.as_ptr(), ptr::null_mut()),
            )
        };
        for _ in 0..WARM {
            call()?;
        }
        RUNTIME.set(Some(runtime));
        call()
    };
    RUNTIME.set(None);
    called?;
    OUTCOME
        .take()
        .unwrap_or_else(|| holds(CHECK, "a call of the probe", false))
}

/// Called by `inner`; does nothing while [`run`] warms up.
unsafe extern "C" fn probe(_: *mut PyObject, arguments: *mut PyObject) -> *mut PyObject {
    if let Some(runtime) = RUNTIME.get() {
        // SAFETY: the runtime is borrowed by `run`, which is on the stack.
        OUTCOME.set(Some(checks(unsafe { &*runtime }, arguments)));
    }
    // SAFETY: None is immortal, so a reference to it need not be counted.
    unsafe { ffi::Py_None() }
}

fn checks(runtime: &Runtime, arguments: *mut PyObject) -> Outcome {
    // SAFETY: the script calls the probe with four arguments; all are borrowed from the tuple.
    let argument = |n| unsafe { ffi::PyTuple_GetItem(arguments, n) };
    let (inner, outer, marker) = (argument(0), argument(1), argument(2));
    // SAFETY: the GIL is held.
    let thread = unsafe { ffi::PyThreadState_Get() }
        .cast::<u8>()
        .cast_const();
    let layout = &runtime.layout;
    let holder: *const u8 = field(thread, layout.thread.frame_holder);
    let frame = match layout.minor {
        Minor::V312 => field::<*const u8>(holder, 0),
        Minor::V313 => holder,
    };
    frames(runtime, thread, frame, (inner, outer, marker))?;
    let code = attribute("code", inner, c"__code__")?;
    code_object(runtime, code.as_ptr())?;
    keys_version(runtime, outer)?;
    thread_state(runtime, thread, code.as_ptr())
}

fn frames(
    runtime: &Runtime,
    thread: *const u8,
    frame: *const u8,
    (inner, outer, marker): (*mut PyObject, *mut PyObject, *mut PyObject),
) -> Outcome {
    let fields = &runtime.layout.frame;
    let pointer = |offset| field::<*mut PyObject>(frame, offset);
    let code = attribute("frame.code", inner, c"__code__")?;
    same("frame.code", code.as_ptr(), pointer(fields.code))?;
    same("frame.function", inner, pointer(fields.function))?;
    same(
        "frame.globals",
        attribute("frame.globals", inner, c"__globals__")?.as_ptr(),
        pointer(fields.globals),
    )?;
    same(
        "frame.builtins",
        attribute("frame.builtins", inner, c"__builtins__")?.as_ptr(),
        pointer(fields.builtins),
    )?;
    same("frame.locals", ptr::null_mut(), pointer(fields.locals))?;
    same("frame.owner", 0_u8, field(frame, fields.owner))?;
    same(
        "frame.stack_top while running",
        -1_i32,
        field(frame, fields.stack_top),
    )?;
    same(
        "frame.localsplus (argument 0)",
        outer,
        pointer(fields.localsplus + 8),
    )?;
    same(
        "frame.localsplus (argument 2)",
        marker,
        pointer(fields.localsplus + 16),
    )?;
    same(
        "frame.localsplus (local)",
        marker,
        pointer(fields.localsplus + 5 * 8),
    )?;
    let executing = opcode_at(
        runtime,
        code.as_ptr(),
        field::<usize>(frame, fields.instruction),
    );
    same("frame.instruction", Some(Opcode::Call), executing)?;

    let below: *const u8 = field(frame, fields.previous);
    let outer_code = attribute("frame.previous", outer, c"__code__")?;
    same(
        "frame.previous",
        outer_code.as_ptr(),
        field(below, fields.code),
    )?;
    same(
        "frame.stack_top in a call",
        2_i32,
        field(below, fields.stack_top),
    )?;
    let return_offset = match runtime.layout.minor {
        Minor::V312 => 0_u16,
        Minor::V313 => 4,
    };
    same(
        "frame.return_offset",
        return_offset,
        field(below, fields.return_offset),
    )?;

    let size = int_in(code.as_ptr(), runtime.layout.code.frame_size) as usize * 8;
    let top: usize = field(thread, runtime.layout.thread.datastack_top);
    let limit: usize = field(thread, runtime.layout.thread.datastack_limit);
    same("thread.datastack_top", frame.addr() + size, top)?;
    holds(
        "thread.datastack_limit",
        "the end of a chunk",
        limit >= top && limit - top < 1 << 24,
    )?;

    let chunk: usize = field(thread, runtime.layout.thread.datastack_chunk);
    holds(
        "thread.datastack_chunk",
        "the start of the chunk",
        chunk.is_multiple_of(8) && chunk < frame.addr() && limit - chunk < 1 << 24,
    )?;
    // SAFETY: a word between the frame and what precedes it in one mapping; the second word of a chunk is its size.
    let size = unsafe { *std::ptr::with_exposed_provenance::<usize>(chunk).add(1) };
    same("thread.datastack_chunk", chunk + size, limit)?;

    // SAFETY: the GIL is held and a Python frame is running; the result is borrowed.
    let frame_object = unsafe { ffi::PyEval_GetFrame() }.cast::<PyObject>();
    same(
        "frame.frame_object",
        frame_object,
        pointer(fields.frame_object),
    )?;
    let object_fields = &runtime.layout.frame_object;
    same(
        "frame_object.frame",
        frame,
        field::<*const u8>(frame_object.cast(), object_fields.frame),
    )?;
    // SAFETY: a valid frame object; the attribute is put back at once.
    let traced = unsafe {
        let before = attribute("frame_object.trace", frame_object, c"f_trace")?;
        ffi::PyObject_SetAttrString(frame_object, c"f_trace".as_ptr(), inner);
        let traced = field::<*mut PyObject>(frame_object.cast(), object_fields.trace);
        ffi::PyObject_SetAttrString(frame_object, c"f_trace".as_ptr(), before.as_ptr());
        traced
    };
    same("frame_object.trace", inner, traced)
}

fn int_in(of: *mut PyObject, offset: usize) -> i64 {
    i64::from(field::<i32>(of.cast(), offset))
}

/// The opcode of the code unit at an address inside the running bytecode of `code`. It is read from the pure bytecode, as
/// other tools' LINE and INSTRUCTION events hide the running one.
fn opcode_at(runtime: &Runtime, code: *mut PyObject, address: usize) -> Option<Opcode> {
    let first = code.addr() + runtime.layout.code.adaptive;
    let units: isize = field(code.cast(), runtime.layout.object.size);
    let unit = address.checked_sub(first)? / 2;
    // SAFETY: a valid code object.
    let bytes = object("code.adaptive", unsafe { (runtime.api.code_bytes)(code) }).ok()?;
    if unit >= units as usize {
        return None;
    }
    let number: u8 = field(bytes.as_ptr().cast(), runtime.layout.bytes.data + unit * 2);
    Opcode::from_number(runtime.layout.minor, number)
}

fn code_object(runtime: &Runtime, code: *mut PyObject) -> Outcome {
    let fields = &runtime.layout.code;
    same(
        "the type of code objects",
        runtime.api.code_type,
        field(code.cast(), runtime.layout.object.ob_type),
    )?;
    for (check, name, offset) in [
        ("code.flags", c"co_flags", fields.flags),
        ("code.arg_count", c"co_argcount", fields.arg_count),
        (
            "code.posonly_arg_count",
            c"co_posonlyargcount",
            fields.posonly_arg_count,
        ),
        (
            "code.kwonly_arg_count",
            c"co_kwonlyargcount",
            fields.kwonly_arg_count,
        ),
        ("code.stack_size", c"co_stacksize", fields.stack_size),
        ("code.first_line", c"co_firstlineno", fields.first_line),
        ("code.nlocals", c"co_nlocals", fields.nlocals),
    ] {
        same(
            check,
            int_attribute(check, code, name)?,
            int_in(code, offset),
        )?;
    }
    for (check, name, offset) in [
        ("code.consts", c"co_consts", fields.consts),
        ("code.names", c"co_names", fields.names),
        (
            "code.exception_table",
            c"co_exceptiontable",
            fields.exception_table,
        ),
        ("code.filename", c"co_filename", fields.filename),
        ("code.name", c"co_name", fields.name),
        ("code.qualname", c"co_qualname", fields.qualname),
    ] {
        same(
            check,
            attribute(check, code, name)?.as_ptr(),
            field(code.cast(), offset),
        )?;
    }
    let nlocalsplus = int_in(code, fields.nlocalsplus);
    same("code.nlocalsplus", 6, nlocalsplus)?;
    let expected =
        nlocalsplus + int_in(code, fields.stack_size) + runtime.layout.frame.localsplus as i64 / 8;
    same("code.frame_size", expected, int_in(code, fields.frame_size))?;
    for (check, offset) in [
        ("code.localsplus_names", fields.localsplus_names),
        ("code.localsplus_kinds", fields.localsplus_kinds),
    ] {
        let table: *mut PyObject = field(code.cast(), offset);
        same(
            check,
            6,
            field::<isize>(table.cast(), runtime.layout.object.size),
        )?;
    }
    let kinds: *mut PyObject = field(code.cast(), fields.localsplus_kinds);
    same(
        "code.localsplus_kinds",
        [0x20_u8; 6],
        field(kinds.cast(), runtime.layout.bytes.data),
    )?;
    let start = fields.adaptive + int_in(code, fields.first_traceable) as usize * 2;
    let first = opcode_at(runtime, code, code.addr() + start);
    same("code.first_traceable", Some(Opcode::Resume), first)?;
    adaptive_code(runtime, code)
}

/// The running bytecode is the pure bytecode, specialised: same base opcodes, same arguments.
fn adaptive_code(runtime: &Runtime, code: *mut PyObject) -> Outcome {
    // SAFETY: a valid code object.
    let bytes = object("code.adaptive", unsafe { (runtime.api.code_bytes)(code) })?;
    let units: isize = field(code.cast(), runtime.layout.object.size);
    same(
        "code.adaptive",
        units * 2,
        field(bytes.as_ptr().cast(), runtime.layout.bytes.size),
    )?;
    let minor = runtime.layout.minor;
    let mut unit = 0;
    while unit < units as usize {
        let pure: [u8; 2] = field(bytes.as_ptr().cast(), runtime.layout.bytes.data + unit * 2);
        let running: [u8; 2] = field(code.cast(), runtime.layout.code.adaptive + unit * 2);
        let base = Opcode::from_number(minor, pure[0]);
        let found = Adaptive::from_number(minor, running[0]).and_then(Adaptive::base);
        // A tool's LINE or INSTRUCTION events hide the opcode.
        if found.is_some() {
            same("code.adaptive", (base, pure[1]), (found, running[1]))?;
        }
        unit += 1 + base.map_or(0, |base| base.caches(minor) as usize);
    }
    Ok(())
}

/// Where the interpreter has specialised the lookup of a global, its cache and the dict's keys agree.
fn keys_version(runtime: &Runtime, outer: *mut PyObject) -> Outcome {
    let code: *mut PyObject = field(outer.cast(), runtime.layout.function.code);
    let minor = runtime.layout.minor;
    let number = crate::bytecode::Specialized::LoadGlobalModule.number(minor);
    let mut offset = runtime.layout.code.adaptive;
    let units: isize = field(code.cast(), runtime.layout.object.size);
    let end = offset + units as usize * 2;
    while offset < end {
        let running: u8 = field(code.cast(), offset);
        let base = Adaptive::from_number(minor, running).and_then(Adaptive::base);
        if Some(running) == number {
            let word = |n: usize| usize::from(field::<u16>(code.cast(), offset + 2 + n * 2));
            let (index, version) = match minor {
                Minor::V312 => (word(1), word(2)),
                Minor::V313 => (word(3), word(1)),
            };
            let globals: *mut PyObject = field(outer.cast(), runtime.layout.function.globals);
            let keys: *mut PyObject = field(globals.cast(), runtime.layout.dict.keys);
            let fields = &runtime.layout.dict_keys;
            same(
                "dict_keys.version",
                version as u32,
                field(keys.cast(), fields.version),
            )?;
            let log2: u8 = field(keys.cast(), fields.log2_index_bytes);
            let entry = fields.indices + (1 << log2) + index * fields.unicode_entry_size;
            let value: *mut PyObject = field(keys.cast(), entry + 8);
            return same(
                "the cache of LOAD_GLOBAL",
                runtime.api.function_type,
                field(value.cast(), 8),
            );
        }
        offset += 2 + base.map_or(0, |base| base.caches(minor) as usize * 2);
    }
    Ok(())
}

fn thread_state(runtime: &Runtime, thread: *const u8, code: *mut PyObject) -> Outcome {
    let fields = &runtime.layout.thread;
    // SAFETY: plain calls of the C API under the GIL; what they change is put back before the next check.
    unsafe {
        let interpreter = ffi::PyInterpreterState_Get().cast::<u8>();
        same(
            "thread.interpreter",
            interpreter,
            field(thread, fields.interpreter),
        )?;
        same(
            "thread.thread_id",
            libc::pthread_self(),
            field(thread, fields.thread_id),
        )?;
        same(
            "thread.py_recursion_limit",
            ffi::Py_GetRecursionLimit(),
            field(thread, fields.py_recursion_limit),
        )?;
        let remaining: c_int = field(thread, fields.py_recursion_remaining);
        let limit = ffi::Py_GetRecursionLimit();
        holds(
            "thread.py_recursion_remaining",
            "what three running calls leave",
            remaining > -60 && remaining <= limit - 3,
        )?;

        let before: c_int = field(thread, fields.c_recursion_remaining);
        if ffi::Py_EnterRecursiveCall(c"".as_ptr()) == 0 {
            let inside: c_int = field(thread, fields.c_recursion_remaining);
            ffi::Py_LeaveRecursiveCall();
            same("thread.c_recursion_remaining", before - 1, inside)?;
        } else {
            ffi::PyErr_Clear();
        }

        let tracing: c_int = field(thread, fields.tracing);
        (runtime.api.enter_tracing)(thread.cast_mut().cast());
        let inside: c_int = field(thread, fields.tracing);
        (runtime.api.leave_tracing)(thread.cast_mut().cast());
        same("thread.tracing", tracing + 1, inside)?;
        let event: c_int = field(thread, fields.what_event);
        holds(
            "thread.what_event",
            "-1 or an event",
            (-1..20).contains(&event),
        )?;

        for (check, name, offset) in [
            (
                "thread.c_trace_function",
                c"gettrace",
                fields.c_trace_function,
            ),
            (
                "thread.c_profile_function",
                c"getprofile",
                fields.c_profile_function,
            ),
        ] {
            let getter = ffi::PySys_GetObject(name.as_ptr());
            holds(check, "a function of sys", !getter.is_null())?;
            let active = object(check, ffi::PyObject_CallNoArgs(getter))?;
            same(
                check,
                active.as_ptr() != ffi::Py_None(),
                field::<usize>(thread, offset) != 0,
            )?;
        }

        ffi::PyErr_SetString(ffi::PyExc_ValueError, c"made for a check".as_ptr());
        let pending: *mut PyObject = field(thread, fields.current_exception);
        let exception = object("thread.current_exception", (runtime.api.get_raised)())?;
        same("thread.current_exception", exception.as_ptr(), pending)?;

        let handled = Owned::from_raw((runtime.api.get_handled)());
        (runtime.api.set_handled)(exception.as_ptr());
        let record: *const u8 = field(thread, fields.exc_info);
        let found: *mut PyObject = field(record, 0);
        (runtime.api.set_handled)(handled.as_ref().map_or(ptr::null_mut(), Owned::as_ptr));
        same("thread.exc_info", exception.as_ptr(), found)?;

        // In a callback of a tool, code is not brought up to date.
        if tracing > 0 {
            return Ok(());
        }
        let version: u64 = match runtime.layout.minor {
            Minor::V312 => field(interpreter, runtime.layout.interpreter.monitoring_version),
            Minor::V313 => field::<u64>(thread, fields.eval_breaker) & !0xff,
        };
        same(
            "code.instrumentation_version",
            version,
            field(code.cast(), runtime.layout.code.instrumentation_version),
        )
    }
}
