//! An extension module for `tests/live.rs`: the crate's functions, callable from Python test scripts.

use std::ffi::{CString, c_char, c_int};
use std::ptr;
use std::sync::Mutex;

use cpython::bytecode::{Opcode, Specialized, instrumented_numbers, stack_effect};
use cpython::code::CodeRef;
use cpython::ffi::{self, PyObject};
use cpython::frame::{FrameError, NewFrame, push_frame_and_eval};
use cpython::monitoring::{Action, Events, Monitoring};
use cpython::raiser::{self, Unwound};
use cpython::threads::Thread;
use cpython::watch::{CodeWatcher, DictWatcher, FunctionWatcher, TypeWatcher};
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

/// What the next JUMP callback does.
enum Plan {
    /// Puts these owned references on top of the stack and goes to a unit, at a jump where the stack has the depth `base`.
    Move {
        code: usize,
        unit: u32,
        base: u32,
        stack: Vec<usize>,
    },
    /// Raises an owned exception at a unit by hand.
    Unwind {
        code: usize,
        unit: u32,
        exception: usize,
    },
    /// Calls an owned callable as machine code would.
    Call { code: usize, callable: usize },
    /// Returns DISABLE.
    Disable { code: usize },
}

static PLAN: Mutex<Option<Plan>> = Mutex::new(None);
static MONITORING: Mutex<Option<Monitoring>> = Mutex::new(None);
static EVENTS: Mutex<Vec<String>> = Mutex::new(Vec::new());

fn log(event: String) {
    EVENTS.lock().expect("no panic").push(event);
}

fn on_jump(code: CodeRef, from: u32, to: u32) -> Action {
    log(format!("jump {} {from} {to}", code.qualname_text()));
    let mut slot = PLAN.lock().expect("no panic");
    let ours = slot.as_ref().is_some_and(|plan| {
        let (Plan::Move { code: at, .. }
        | Plan::Unwind { code: at, .. }
        | Plan::Call { code: at, .. }
        | Plan::Disable { code: at }) = plan;
        let depth = || {
            let frame = Thread::current().and_then(Thread::current_frame)?;
            u32::try_from(frame.stack_top())
                .ok()?
                .checked_sub(code.nlocalsplus())
        };
        let fits = |base: &u32| depth() == Some(*base);
        *at == code.as_ptr().expose_provenance()
            && !matches!(plan, Plan::Move { base, .. } if !fits(base))
    });
    if !ours {
        return Action::Continue;
    }
    let plan = slot.take().expect("just seen");
    drop(slot);
    let thread = Thread::current().expect("a thread");
    let frame = thread.current_frame().expect("a frame");
    // SAFETY: the frame is in a JUMP callback; the script's plan fits the instruction.
    unsafe {
        match plan {
            Plan::Move { unit, stack, .. } => {
                let mut top = frame.stack_top() as u32;
                for value in stack {
                    frame
                        .slot(top)
                        .write(ptr::with_exposed_provenance_mut(value));
                    top += 1;
                }
                frame.set_stack_top(top as i32);
                frame.set_ip(code, unit);
                Action::Continue
            }
            Plan::Unwind {
                unit, exception, ..
            } => {
                (cpython::api().set_raised)(ptr::with_exposed_provenance_mut(exception));
                match raiser::unwind(frame, code, unit) {
                    Unwound::Handled => Action::Continue,
                    Unwound::Unhandled => Action::Raise,
                }
            }
            Plan::Call { callable, .. } => {
                let callable =
                    Owned::from_raw(ptr::with_exposed_provenance_mut(callable)).expect("not null");
                let saved = thread.leave_callback();
                let result = Owned::from_raw(ffi::PyObject_CallNoArgs(callable.as_ptr()));
                thread.reenter_callback(saved);
                if result.is_some() {
                    Action::Continue
                } else {
                    Action::Raise
                }
            }
            Plan::Disable { .. } => Action::Disable,
        }
    }
}

fn on_start(code: CodeRef, at: u32) -> Action {
    log(format!("start {} {at}", code.qualname_text()));
    Action::Continue
}

fn claim(_: &[*mut PyObject]) -> Result<Owned, String> {
    let claimed =
        Monitoring::claim(c"live probe", on_jump, on_start).map_err(|error| error.to_string())?;
    *MONITORING.lock().expect("no panic") = Some(claimed);
    Ok(none())
}

fn release(_: &[*mut PyObject]) -> Result<Owned, String> {
    let claimed = MONITORING
        .lock()
        .expect("no panic")
        .take()
        .ok_or("not claimed")?;
    claimed.release();
    Ok(none())
}

/// `events(code, 0 none | 1 jump | 2 start | 3 both)`
fn events(arguments: &[*mut PyObject]) -> Result<Owned, String> {
    let code = code_of(arguments[0])?;
    let claimed = MONITORING.lock().expect("no panic");
    let events = match int_of(arguments[1]) {
        0 => Events::None,
        1 => Events::Jump,
        2 => Events::Start,
        _ => Events::JumpAndStart,
    };
    claimed
        .as_ref()
        .ok_or("not claimed")?
        .set_local_events(code, events)
        .map_err(|_| String::new())?;
    Ok(none())
}

/// `others(code)`: whether other tools are active on it.
fn others(arguments: &[*mut PyObject]) -> Result<Owned, String> {
    let code = code_of(arguments[0])?;
    let claimed = MONITORING.lock().expect("no panic");
    let thread = Thread::current().ok_or("no thread")?;
    Ok(int(claimed
        .as_ref()
        .ok_or("not claimed")?
        .other_tools_active(thread, code)
        .into()))
}

fn taken_log(_: &[*mut PyObject]) -> Result<Owned, String> {
    let taken = std::mem::take(&mut *EVENTS.lock().expect("no panic"));
    Ok(list(taken.iter().map(|event| text(event))))
}

fn owned_address(value: *mut PyObject) -> usize {
    // SAFETY: a valid object of the script.
    unsafe { ffi::Py_NewRef(value) }.expose_provenance()
}

/// `plan_raise(code, unit, stack tuple, exception)`: at the next jump, resume at `unit` with the stack on top, and the raiser in
/// the place where the instruction looks first; `...` is null.
fn plan_raise(arguments: &[*mut PyObject]) -> Result<Owned, String> {
    let code = code_of(arguments[0])?;
    let unit = int_of(arguments[1]) as u32;
    let valid = code
        .validate()
        .map_err(|()| String::from("no memory"))?
        .map_err(|refusal| refusal.to_string())?;
    let instruction = *valid.at(unit).ok_or("no instruction")?;
    // SAFETY: a tuple of the script, whose items get references of their own.
    let mut stack: Vec<usize> = unsafe {
        (0..ffi::PyTuple_Size(arguments[2]))
            .map(|n| match ffi::PyTuple_GetItem(arguments[2], n) {
                item if item == ffi::Py_Ellipsis() => 0,
                item => owned_address(item),
            })
            .collect()
    };
    let from_top = |n: u32| stack.len().checked_sub(1 + n as usize);
    let is_null = |n| from_top(n).is_some_and(|at| stack[at] == 0);
    let slot = raiser::raising_operand(
        cpython::minor(),
        instruction.opcode,
        instruction.oparg,
        is_null,
    );
    let slot = slot.and_then(from_top).ok_or("no raising operand")?;
    let depth = valid.depth_at(unit).ok_or("nothing leads there")?;
    let base = depth
        .checked_sub(stack.len() as u32)
        .ok_or("too many values")?;
    stack[slot] = raiser::object().expose_provenance();
    // SAFETY: an exception of the script.
    raiser::arm(unsafe { Owned::from_borrowed(arguments[3]) }.ok_or("no exception")?);
    *PLAN.lock().expect("no panic") = Some(Plan::Move {
        code: arguments[0].expose_provenance(),
        unit: instruction.start,
        base,
        stack,
    });
    Ok(none())
}

/// `plan_move(code, unit, stack tuple)`, at a jump where one value is on the stack
fn plan_move(arguments: &[*mut PyObject]) -> Result<Owned, String> {
    // SAFETY: a tuple of the script, whose items get references of their own.
    let stack = unsafe {
        (0..ffi::PyTuple_Size(arguments[2]))
            .map(|n| owned_address(ffi::PyTuple_GetItem(arguments[2], n)))
            .collect()
    };
    let unit = int_of(arguments[1]) as u32;
    *PLAN.lock().expect("no panic") = Some(Plan::Move {
        code: arguments[0].expose_provenance(),
        unit,
        base: 1,
        stack,
    });
    Ok(none())
}

/// `plan_unwind(code, unit, exception)`
fn plan_unwind(arguments: &[*mut PyObject]) -> Result<Owned, String> {
    let exception = owned_address(arguments[2]);
    let unit = int_of(arguments[1]) as u32;
    *PLAN.lock().expect("no panic") = Some(Plan::Unwind {
        code: arguments[0].expose_provenance(),
        unit,
        exception,
    });
    Ok(none())
}

/// `plan_call(code, callable)`
fn plan_call(arguments: &[*mut PyObject]) -> Result<Owned, String> {
    let callable = owned_address(arguments[1]);
    *PLAN.lock().expect("no panic") = Some(Plan::Call {
        code: arguments[0].expose_provenance(),
        callable,
    });
    Ok(none())
}

/// `plan_disable(code)`
fn plan_disable(arguments: &[*mut PyObject]) -> Result<Owned, String> {
    *PLAN.lock().expect("no panic") = Some(Plan::Disable {
        code: arguments[0].expose_provenance(),
    });
    Ok(none())
}

/// `watch(dict, type)`: adds all four watchers and logs what they see of these objects.
fn watch(arguments: &[*mut PyObject]) -> Result<Owned, String> {
    fn name(object: *mut PyObject) -> String {
        // SAFETY: a valid object.
        let repr = unsafe { Owned::from_raw(ffi::PyObject_Str(object)) }.expect("a str");
        // SAFETY: a str.
        unsafe {
            std::ffi::CStr::from_ptr(ffi::PyUnicode_AsUTF8AndSize(repr.as_ptr(), ptr::null_mut()))
        }
        .to_string_lossy()
        .into_owned()
    }
    let code = CodeWatcher::add(|event, code| {
        // SAFETY: a code object, in the callback.
        let code = unsafe { CodeRef::from_raw(code) };
        log(format!("code {event:?} {}", code.qualname_text()));
    });
    let dict = DictWatcher::add(|event, _, key, value| {
        let shown = [key, value].map(|object| {
            if object.is_null() {
                String::from("-")
            } else {
                name(object)
            }
        });
        log(format!("dict {event:?} {} {}", shown[0], shown[1]));
    })
    .map_err(|error| error.to_string())?;
    let function = FunctionWatcher::add(|event, _, _| log(format!("function {event:?}")));
    let types =
        TypeWatcher::add(|_| log(String::from("type"))).map_err(|error| error.to_string())?;
    // SAFETY: objects of the script.
    unsafe {
        dict.watch(arguments[0])
            .map_err(|error| error.to_string())?;
        types
            .watch(arguments[1])
            .map_err(|error| error.to_string())?;
        if dict.watch(ffi::Py_None()).is_ok() {
            return Err(String::from("None can be watched as a dict"));
        }
    }
    let callback: fn(_, _) = |_, _| ();
    if CodeWatcher::add(callback).is_ok() {
        return Err(String::from("two code watchers"));
    }
    let watchers = (
        code.map_err(|error| error.to_string())?,
        dict,
        function.map_err(|error| error.to_string())?,
        types,
    );
    *WATCHERS.lock().expect("no panic") = Some(watchers);
    Ok(none())
}

/// `unwatch(dict)`: stops watching the dict, then removes the watchers.
fn unwatch(arguments: &[*mut PyObject]) -> Result<Owned, String> {
    let (code, dict, function, types) = WATCHERS
        .lock()
        .expect("no panic")
        .take()
        .ok_or("no watchers")?;
    // SAFETY: an object of the script.
    unsafe { dict.unwatch(arguments[0]) }.map_err(|error| error.to_string())?;
    code.remove();
    dict.remove();
    function.remove();
    types.remove();
    Ok(none())
}

static WATCHERS: Mutex<Option<(CodeWatcher, DictWatcher, FunctionWatcher, TypeWatcher)>> =
    Mutex::new(None);

/// `adaptive(code)`: the numbers of the running opcodes.
fn adaptive(arguments: &[*mut PyObject]) -> Result<Owned, String> {
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

/// `heap()`: `[code, has a back edge]` of all code objects that are found.
fn heap(_: &[*mut PyObject]) -> Result<Owned, String> {
    let thread = Thread::current().ok_or("no thread")?;
    Ok(list(cpython::heap::code_objects(thread).into_iter().map(
        |code| {
            // SAFETY: a code object that the list keeps alive.
            let loops = cpython::heap::has_back_edge(unsafe { CodeRef::from_raw(code.as_ptr()) });
            list([code, int(loops.into())])
        },
    )))
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
    ("claim", claim),
    ("release", release),
    ("events", events),
    ("others", others),
    ("taken_log", taken_log),
    ("plan_raise", plan_raise),
    ("plan_move", plan_move),
    ("plan_unwind", plan_unwind),
    ("plan_call", plan_call),
    ("plan_disable", plan_disable),
    ("watch", watch),
    ("unwatch", unwatch),
    ("adaptive", adaptive),
    ("heap", heap),
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
