//! What the crate reads: versions, bytecode, code objects, frames, the heap.

use std::ptr;
use std::time::{Duration, Instant};

use cpython::bytecode::{Opcode, Specialized, instrumented_numbers, stack_effect};
use cpython::code::CodeRef;
use cpython::ffi::{self, PyObject};
use cpython::frame::{FrameError, NewFrame, push_frame_and_eval};
use cpython::poll::{self, Poll};
use cpython::threads::Thread;
use cpython::{Owned, version};
use serigraph_cpython as cpython;

use crate::convert::{code_of, int, int_of, list, none, text};

pub fn start(_: &[*mut PyObject]) -> Result<Owned, String> {
    let runtime = cpython::start().map_err(|error| error.to_string())?;
    Ok(text(&format!(
        "{} float free list {}",
        runtime.version,
        runtime.float_free_list.is_some()
    )))
}

pub fn detect(_: &[*mut PyObject]) -> Result<Owned, String> {
    version::detect()
        .map(|version| text(&version.to_string()))
        .map_err(|error| error.to_string())
}

/// `[name, number, caches]` of every opcode.
pub fn opcodes(_: &[*mut PyObject]) -> Result<Owned, String> {
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
pub fn specialized(_: &[*mut PyObject]) -> Result<Owned, String> {
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

pub fn instrumented(_: &[*mut PyObject]) -> Result<Owned, String> {
    Ok(list(instrumented_numbers(cpython::minor()).map(
        |(name, number)| list([text(name), int(number.into())]),
    )))
}

/// `effect(opcode number, oparg)`: the net stack effect, or None.
pub fn effect(arguments: &[*mut PyObject]) -> Result<Owned, String> {
    let minor = cpython::minor();
    let opcode = Opcode::from_number(minor, int_of(arguments[0]) as u8).ok_or("no opcode")?;
    Ok(stack_effect(minor, opcode, int_of(arguments[1]) as u32)
        .map_or_else(none, |effect| int(effect.net())))
}

/// `validate(code)`: `[[start, name, oparg, target or -1, depth or -1], ...]` and the headers, or the refusal's text.
pub fn validate(arguments: &[*mut PyObject]) -> Result<Owned, String> {
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
pub fn describe(arguments: &[*mut PyObject]) -> Result<Owned, String> {
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
pub fn frames(_: &[*mut PyObject]) -> Result<Owned, String> {
    let thread = Thread::current().ok_or("no thread")?;
    let frames = std::iter::successors(thread.current_frame(), |frame| frame.previous());
    let described = frames.filter_map(|frame| {
        let code = frame.code()?;
        Some(list([text(&code.qualname_text()), int(frame.ip()?.into())]))
    });
    Ok(list(described))
}

/// `nested(function, locals, stack, unit)`: runs the function from the middle; `...` is an unset local.
pub fn nested(arguments: &[*mut PyObject]) -> Result<Owned, String> {
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

pub fn stack_left(_: &[*mut PyObject]) -> Result<Owned, String> {
    Ok(int(cpython::threads::native_stack_remaining() as i64))
}

/// `adaptive(code)`: the numbers of the running opcodes.
pub fn adaptive(arguments: &[*mut PyObject]) -> Result<Owned, String> {
    let code = code_of(arguments[0])?;
    let valid = code
        .validate()
        .map_err(|()| String::from("no memory"))?
        .map_err(|refusal| refusal.to_string())?;
    let forms = valid
        .instructions()
        .iter()
        .map(|instruction| text(&format!("{:?}", code.adaptive(instruction.op_at))));
    Ok(list(forms))
}

/// `warming_up(code)`: whether it has run too seldom to be specialised.
pub fn warming_up(arguments: &[*mut PyObject]) -> Result<Owned, String> {
    let code = code_of(arguments[0])?;
    let valid = code
        .validate()
        .map_err(|()| String::from("no memory"))?
        .map_err(|refusal| refusal.to_string())?;
    Ok(int(code.is_warming_up(&valid).into()))
}

/// `validate_time(code)`: nanoseconds of the quickest of many validations.
pub fn validate_time(arguments: &[*mut PyObject]) -> Result<Owned, String> {
    let code = code_of(arguments[0])?;
    let times = (0..50).map(|_| {
        let begin = Instant::now();
        std::hint::black_box(code.validate())
            .is_ok()
            .then(|| begin.elapsed().as_nanos() as i64)
    });
    times
        .min()
        .flatten()
        .map(int)
        .ok_or_else(|| String::from("no memory"))
}

/// `wait_pending(seconds)`: holds on to the GIL until the eval breaker shows something, or the time is over.
pub fn wait_pending(arguments: &[*mut PyObject]) -> Result<Owned, String> {
    let poll = Poll::of(Thread::current().ok_or("no thread")?);
    // SAFETY: a float of the script.
    let wait = Duration::from_secs_f64(unsafe { ffi::PyFloat_AsDouble(arguments[0]) });
    let begin = Instant::now();
    while !poll.is_pending() && begin.elapsed() < wait {
        std::hint::spin_loop();
    }
    Ok(int(poll.is_pending().into()))
}

/// `monitoring_version()`, and what the poll word holds when quiet.
pub fn monitoring_version(_: &[*mut PyObject]) -> Result<Owned, String> {
    let thread = Thread::current().ok_or("no thread")?;
    Ok(list([
        int(poll::monitoring_version(thread) as i64),
        int(Poll::of(thread).quiet as i64),
    ]))
}

/// `heap()`: `[code, has a back edge]` of all code objects that are found.
pub fn heap(_: &[*mut PyObject]) -> Result<Owned, String> {
    let thread = Thread::current().ok_or("no thread")?;
    Ok(list(cpython::heap::code_objects(thread).into_iter().map(
        |code| {
            // SAFETY: a code object that the list keeps alive.
            let loops = cpython::heap::has_back_edge(unsafe { CodeRef::from_raw(code.as_ptr()) });
            list([code, int(loops.into())])
        },
    )))
}
