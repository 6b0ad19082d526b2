//! What the crate is told: monitoring events, which can move the frame, and watchers.

use std::ptr;
use std::sync::Mutex;

use cpython::Owned;
use cpython::code::CodeRef;
use cpython::ffi::{self, PyObject};
use cpython::monitoring::{Action, Events, Monitoring, PythonError};
use cpython::raiser::{self, Unwound};
use cpython::threads::Thread;
use cpython::watch::{CodeWatcher, DictWatcher, FunctionWatcher, TypeWatcher};
use serigraph_cpython as cpython;

use crate::convert::{code_of, int, int_of, list, none, text};

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

pub fn claim(_: &[*mut PyObject]) -> Result<Owned, String> {
    let claimed =
        Monitoring::claim(c"live probe", on_jump, on_start).map_err(|error| error.to_string())?;
    *MONITORING.lock().expect("no panic") = Some(claimed);
    Ok(none())
}

pub fn release(_: &[*mut PyObject]) -> Result<Owned, String> {
    let claimed = MONITORING
        .lock()
        .expect("no panic")
        .take()
        .ok_or("not claimed")?;
    claimed.release();
    Ok(none())
}

/// `events(code, 0 none | 1 jump | 2 start | 3 both)`
pub fn events(arguments: &[*mut PyObject]) -> Result<Owned, String> {
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

/// `back_edge_events(code)`: whether they were set without the interpreter.
pub fn back_edge_events(arguments: &[*mut PyObject]) -> Result<Owned, String> {
    on_back_edges(arguments, Monitoring::set_back_edge_events)
}

/// `renew_events(code)`: whether they were set anew without the interpreter.
pub fn renew_events(arguments: &[*mut PyObject]) -> Result<Owned, String> {
    on_back_edges(arguments, Monitoring::renew_back_edge_events)
}

/// Does something to the events of a code object's back edges; whether it was done without the interpreter.
fn on_back_edges(
    arguments: &[*mut PyObject],
    change: fn(&Monitoring, Thread, CodeRef) -> Result<bool, PythonError>,
) -> Result<Owned, String> {
    let code = code_of(arguments[0])?;
    let claimed = MONITORING.lock().expect("no panic");
    let thread = Thread::current().ok_or("no thread")?;
    let monitoring = claimed.as_ref().ok_or("not claimed")?;
    let is_ours = change(monitoring, thread, code).map_err(|_| String::new())?;
    Ok(int(is_ours.into()))
}

/// `others(code)`: whether other tools are active on it.
pub fn others(arguments: &[*mut PyObject]) -> Result<Owned, String> {
    let code = code_of(arguments[0])?;
    let claimed = MONITORING.lock().expect("no panic");
    let thread = Thread::current().ok_or("no thread")?;
    Ok(int(claimed
        .as_ref()
        .ok_or("not claimed")?
        .other_tools_active(thread, code)
        .into()))
}

pub fn taken_log(_: &[*mut PyObject]) -> Result<Owned, String> {
    let taken = std::mem::take(&mut *EVENTS.lock().expect("no panic"));
    Ok(list(taken.iter().map(|event| text(event))))
}

fn owned_address(value: *mut PyObject) -> usize {
    // SAFETY: a valid object of the script.
    unsafe { ffi::Py_NewRef(value) }.expose_provenance()
}

/// `plan_raise(code, unit, stack tuple, exception)`: at the next jump, resume at `unit` with the stack on top, and the raiser in
/// the place where the instruction looks first; `...` is null.
pub fn plan_raise(arguments: &[*mut PyObject]) -> Result<Owned, String> {
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
pub fn plan_move(arguments: &[*mut PyObject]) -> Result<Owned, String> {
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
pub fn plan_unwind(arguments: &[*mut PyObject]) -> Result<Owned, String> {
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
pub fn plan_call(arguments: &[*mut PyObject]) -> Result<Owned, String> {
    let callable = owned_address(arguments[1]);
    *PLAN.lock().expect("no panic") = Some(Plan::Call {
        code: arguments[0].expose_provenance(),
        callable,
    });
    Ok(none())
}

/// `plan_disable(code)`
pub fn plan_disable(arguments: &[*mut PyObject]) -> Result<Owned, String> {
    *PLAN.lock().expect("no panic") = Some(Plan::Disable {
        code: arguments[0].expose_provenance(),
    });
    Ok(none())
}

/// `watch(dict, type)`: adds all four watchers and logs what they see of these objects.
pub fn watch(arguments: &[*mut PyObject]) -> Result<Owned, String> {
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
pub fn unwatch(arguments: &[*mut PyObject]) -> Result<Owned, String> {
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
