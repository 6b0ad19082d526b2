//! An extension module for `tests/live.rs`: the crate's functions, callable from Python test scripts.

use std::ffi::{CString, c_char, c_int};
use std::ptr;

use cpython::bytecode::{Opcode, Specialized, instrumented_numbers, stack_effect};
use cpython::code::CodeRef;
use cpython::ffi::{self, PyObject};
use cpython::frame::{FrameError, NewFrame, push_frame_and_eval};
use cpython::threads::Thread;
use cpython::{Owned, version};
use serigraph_cpython as cpython;

/// A Python-callable function: positional arguments in, a result or an exception text out.
type Body = fn(&[*mut PyObject]) -> Result<Owned, String>;

fn none() -> Owned {
    // SAFETY: None is a valid object.
    unsafe { Owned::from_borrowed(ffi::Py_None()) }.expect("None")
}

fn int(value: i64) -> Owned {
    // SAFETY: the GIL is held.
    unsafe { Owned::from_raw(ffi::PyLong_FromLongLong(value)) }.expect("memory")
}

fn text(value: &str) -> Owned {
    // SAFETY: the GIL is held; the bytes are valid UTF-8.
    unsafe {
        Owned::from_raw(ffi::PyUnicode_FromStringAndSize(
            value.as_ptr().cast(),
            value.len() as isize,
        ))
    }
    .expect("memory")
}

fn list(values: impl IntoIterator<Item = Owned>) -> Owned {
    // SAFETY: the GIL is held; appending takes its own reference.
    unsafe {
        let list = Owned::from_raw(ffi::PyList_New(0)).expect("memory");
        for value in values {
            ffi::PyList_Append(list.as_ptr(), value.as_ptr());
        }
        list
    }
}

fn int_of(value: *mut PyObject) -> i64 {
    // SAFETY: a valid object of the script.
    unsafe { ffi::PyLong_AsLongLong(value) }
}

fn code_of(value: *mut PyObject) -> Result<CodeRef, String> {
    // SAFETY: a valid object of the script, which keeps it alive.
    unsafe { CodeRef::from_object(value) }.ok_or_else(|| String::from("not a code object"))
}

fn start(_: &[*mut PyObject]) -> Result<Owned, String> {
    let runtime = cpython::start().map_err(|error| error.to_string())?;
    Ok(text(&format!(
        "{} float free list {}",
        runtime.version,
        runtime.float_free_list.is_some()
    )))
}

fn detect(_: &[*mut PyObject]) -> Result<Owned, String> {
    version::detect()
        .map(|version| text(&version.to_string()))
        .map_err(|error| error.to_string())
}

/// `[name, number, caches]` of every opcode.
fn opcodes(_: &[*mut PyObject]) -> Result<Owned, String> {
    let minor = cpython::minor();
    Ok(list(Opcode::ALL.iter().filter_map(|opcode| {
        let number = opcode.number(minor)?;
        Some(list([
            text(opcode.name()),
            int(number.into()),
            int(opcode.caches(minor).into()),
        ]))
    })))
}

/// `[name, number, base]` of every specialised form.
fn specialized(_: &[*mut PyObject]) -> Result<Owned, String> {
    let minor = cpython::minor();
    Ok(list(Specialized::ALL.iter().filter_map(|form| {
        let number = form.number(minor)?;
        Some(list([
            text(form.name(minor)),
            int(number.into()),
            text(form.base().name()),
        ]))
    })))
}

fn instrumented(_: &[*mut PyObject]) -> Result<Owned, String> {
    Ok(list(instrumented_numbers(cpython::minor()).map(
        |(name, number)| list([text(name), int(number.into())]),
    )))
}

/// `effect(opcode number, oparg)`: the net stack effect, or None.
fn effect(arguments: &[*mut PyObject]) -> Result<Owned, String> {
    let minor = cpython::minor();
    let opcode = Opcode::from_number(minor, int_of(arguments[0]) as u8).ok_or("no opcode")?;
    Ok(stack_effect(minor, opcode, int_of(arguments[1]) as u32)
        .map_or_else(none, |effect| int(effect.net())))
}

/// `validate(code)`: `[[start, name, oparg, target or -1, depth or -1], ...]` and the headers, or the refusal's text.
fn validate(arguments: &[*mut PyObject]) -> Result<Owned, String> {
    let code = code_of(arguments[0])?;
    let valid = match code.validate().map_err(|()| String::from("no memory"))? {
        Ok(valid) => valid,
        Err(refusal) => return Ok(text(&refusal.to_string())),
    };
    let instructions = valid
        .instructions()
        .iter()
        .enumerate()
        .map(|(index, instruction)| {
            list([
                int(instruction.op_at.into()),
                text(instruction.opcode.name()),
                int(instruction.oparg.into()),
                int(instruction.jump_target().map_or(-1, i64::from)),
                int(valid.depth(index).map_or(-1, i64::from)),
            ])
        });
    let headers = valid.headers().iter().map(|&header| int(header.into()));
    Ok(list([list(instructions), list(headers)]))
}

/// `describe(code)`: `[qualname, filename, slot kinds and names, line of each instruction, handler targets]`.
fn describe(arguments: &[*mut PyObject]) -> Result<Owned, String> {
    let code = code_of(arguments[0])?;
    let slots = (0..code.nlocalsplus()).map(|slot| {
        text(&format!(
            "{:?} {}",
            code.slot_kind(slot),
            code.slot_name(slot)
        ))
    });
    let units = 0..code.unit_count();
    let lines = units
        .clone()
        .map(|unit| int(code.line(unit).map_or(-1, i64::from)));
    let handlers = units.map(|unit| {
        int(code
            .handler(unit)
            .map_or(-1, |handler| handler.target.into()))
    });
    Ok(list([
        text(&code.qualname_text()),
        text(&code.filename_text()),
        list(slots),
        list(lines),
        list(handlers),
    ]))
}

/// `frames()`: `[qualname, ip]` of the running frames, innermost first.
fn frames(_: &[*mut PyObject]) -> Result<Owned, String> {
    let thread = Thread::current().ok_or("no thread")?;
    let frames = std::iter::successors(thread.current_frame(), |frame| frame.previous());
    let described = frames.filter_map(|frame| {
        let code = frame.code()?;
        Some(list([text(&code.qualname_text()), int(frame.ip()?.into())]))
    });
    Ok(list(described))
}

/// `nested(function, locals, stack, unit)`: runs the function from the middle; `...` is an unset local.
fn nested(arguments: &[*mut PyObject]) -> Result<Owned, String> {
    let thread = Thread::current().ok_or("no thread")?;
    let values = |tuple: *mut PyObject| -> Vec<*mut PyObject> {
        // SAFETY: tuples of the script; each item gets a reference of its own, given to the frame.
        unsafe {
            (0..ffi::PyTuple_Size(tuple))
                .map(|n| match ffi::PyTuple_GetItem(tuple, n) {
                    item if item == ffi::Py_Ellipsis() => ptr::null_mut(),
                    item => ffi::Py_NewRef(item),
                })
                .collect()
        }
    };
    // SAFETY: the script passes a function, its state, and the start of an instruction.
    unsafe {
        let code = Owned::from_raw(ffi::PyObject_GetAttrString(
            arguments[0],
            c"__code__".as_ptr(),
        ))
        .ok_or("no code")?;
        let (locals, stack) = (values(arguments[1]), values(arguments[2]));
        let counters = (
            thread.py_recursion_remaining(),
            thread.c_recursion_remaining(),
            thread.datastack_top(),
        );
        let new = NewFrame {
            function: arguments[0],
            code: CodeRef::from_raw(code.as_ptr()),
            locals: &locals,
            stack: &stack,
            resume_at: int_of(arguments[3]) as u32,
        };
        let result = push_frame_and_eval(thread, &new).map_err(|error| match error {
            FrameError::NoRoom => "no room",
            FrameError::Misfit => "misfit",
        })?;
        let after = (
            thread.py_recursion_remaining(),
            thread.c_recursion_remaining(),
            thread.datastack_top(),
        );
        if counters != after {
            return Err(format!("counters changed: {counters:?} {after:?}"));
        }
        Owned::from_raw(result).ok_or_else(String::new)
    }
}

fn stack_left(_: &[*mut PyObject]) -> Result<Owned, String> {
    Ok(int(cpython::threads::native_stack_remaining() as i64))
}

const FUNCTIONS: &[(&str, Body)] = &[
    ("start", start),
    ("detect", detect),
    ("opcodes", opcodes),
    ("specialized", specialized),
    ("instrumented", instrumented),
    ("effect", effect),
    ("validate", validate),
    ("describe", describe),
    ("frames", frames),
    ("nested", nested),
    ("stack_left", stack_left),
];

unsafe extern "C" fn call(index: *mut PyObject, arguments: *mut PyObject) -> *mut PyObject {
    let (_, body) = FUNCTIONS[int_of(index) as usize];
    // SAFETY: the arguments are a tuple of valid objects, alive during the call.
    let values: Vec<_> = unsafe {
        (0..ffi::PyTuple_Size(arguments))
            .map(|n| ffi::PyTuple_GetItem(arguments, n))
            .collect()
    };
    match body(&values) {
        Ok(value) => value.into_raw(),
        Err(message) => {
            // SAFETY: the GIL is held; an exception that is set already stays.
            unsafe {
                if ffi::PyErr_Occurred().is_null() {
                    let message = CString::new(message).unwrap_or_default();
                    ffi::PyErr_SetString(ffi::PyExc_RuntimeError, message.as_ptr());
                }
            }
            ptr::null_mut()
        }
    }
}

unsafe extern "C" fn fill(module: *mut PyObject) -> c_int {
    for (index, (name, _)) in FUNCTIONS.iter().enumerate() {
        let name = CString::new(*name).expect("no null byte");
        // SAFETY: plain calls of the C API; names and definitions live as long as the process.
        let added = unsafe {
            let definition = Box::leak(Box::new(ffi::PyMethodDef {
                ml_name: name.into_raw().cast::<c_char>(),
                ml_meth: ffi::PyMethodDefPointer { PyCFunction: call },
                ml_flags: ffi::METH_VARARGS,
                ml_doc: ptr::null(),
            }));
            let function =
                ffi::PyCFunction_NewEx(definition, int(index as i64).as_ptr(), ptr::null_mut());
            ffi::PyModule_AddObject(module, definition.ml_name, function)
        };
        if added != 0 {
            return -1;
        }
    }
    0
}

/// The module's entry.
#[unsafe(no_mangle)]
pub extern "C" fn PyInit_live_probe() -> *mut PyObject {
    let definition = Box::leak(Box::new(ffi::PyModuleDef {
        m_base: ffi::PyModuleDef_HEAD_INIT,
        m_name: c"live_probe".as_ptr(),
        m_doc: ptr::null(),
        m_size: -1,
        m_methods: ptr::null_mut(),
        m_slots: ptr::null_mut(),
        m_traverse: None,
        m_clear: None,
        m_free: None,
    }));
    // SAFETY: the definition lives as long as the process.
    unsafe {
        let module = ffi::PyModule_Create2(definition, ffi::PYTHON_ABI_VERSION);
        if !module.is_null() && fill(module) != 0 {
            ffi::Py_DECREF(module);
            return ptr::null_mut();
        }
        module
    }
}
