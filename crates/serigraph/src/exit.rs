//! Leaving a trace: the frame is brought up to date by the exit's plan, frames of inlined functions are built and run, a
//! pending exception is raised where the interpreter would have raised it.

use std::ptr;

use serigraph_cpython::Owned;
use serigraph_cpython::code::CodeRef;
use serigraph_cpython::ffi::{self, PyObject};
use serigraph_cpython::frame::{self, FramePtr, NewFrame};
use serigraph_cpython::refs;
use serigraph_cpython::threads::Thread;
use serigraph_stencil::Activation;
use serigraph_trace::exit::{self, BoxKind, Plan, PlanFrame, Restorer, Scratch};
use serigraph_trace::ir::{InlinedKind, ValueId};
use serigraph_trace::regalloc::{Location, Place};

use crate::host::object;
use crate::raise::{self, Operands};
use crate::record::operator_name;
use crate::{recording, reserve, state};

/// The bits of a trace's values where it stopped.
pub trait Values {
    /// How the plan names them.
    type Value: Copy;
    /// The bits of one.
    fn bits(&self, value: Self::Value) -> u64;
}

/// Values in the registers and spill slots of an activation.
pub struct InActivation<'a>(pub &'a Activation);

impl Values for InActivation<'_> {
    type Value = Location;
    #[inline]
    fn bits(&self, value: Location) -> u64 {
        match value.place() {
            Some(Place::Reg(r)) if r.is_float() => self.0.fp[r.index()].to_bits(),
            Some(Place::Reg(r)) => self.0.gp[r.index()],
            Some(Place::Slot(slot)) => self.0.spills[slot as usize],
            // Plans with values that are nowhere are refused when a trace is compiled.
            _ => 0,
        }
    }
}

/// Values of a recording.
pub struct Recorded<'a>(pub &'a [u64]);

impl Values for Recorded<'_> {
    type Value = ValueId;
    #[inline]
    fn bits(&self, value: ValueId) -> u64 {
        self.0.get(value.index()).copied().unwrap_or(0)
    }
}

/// The frame of an inlined function.
struct Inlined {
    /// It stands, and its locals are in it; otherwise it is to be built.
    standing: Option<FramePtr>,
    function: *mut PyObject,
    code: CodeRef,
    ip: u32,
    return_ip: u32,
    /// What becomes of what it returns.
    kind: InlinedKind,
    /// Its slots: locals, then the operand stack.
    slots: Vec<*mut PyObject>,
}

struct Machine<'a, V> {
    values: &'a V,
    frame: FramePtr,
    code: CodeRef,
    inlined: Vec<Inlined>,
    /// The frames that stand, the outermost last.
    standing: Vec<FramePtr>,
    /// References to release when inlined frames stand (no finaliser may run before).
    late: Vec<*mut PyObject>,
}

impl<V: Values> Restorer for Machine<'_, V> {
    type Value = V::Value;

    #[inline]
    fn value(&mut self, value: V::Value) -> u64 {
        self.values.bits(value)
    }

    fn make(&mut self, made: BoxKind, bits: u64) -> u64 {
        if let BoxKind::Bool(table) = made {
            // SAFETY: the table of bools has two entries.
            return unsafe {
                object::pointer(table)
                    .cast::<u64>()
                    .add((bits & 1) as usize)
                    .read()
            };
        }
        // SAFETY: the GIL is held.
        let number = || unsafe {
            match made {
                BoxKind::Float => ffi::PyFloat_FromDouble(f64::from_bits(bits)),
                _ => ffi::PyLong_FromLongLong(bits as i64),
            }
        };
        let mut object = number();
        if object.is_null() {
            // The program's state cannot be put back without the number: memory was laid by for this.
            // SAFETY: the GIL is held; a refusal is no concern of the program's while the number can be made.
            unsafe { ffi::PyErr_Clear() };
            reserve::release();
            object = number();
        }
        if object.is_null() {
            // SAFETY: ends the process, as the interpreter does when it is in such a state.
            unsafe {
                ffi::Py_FatalError(
                    c"serigraph: no memory for a number while leaving machine code".as_ptr(),
                )
            };
        }
        object.expose_provenance() as u64
    }

    #[inline]
    fn incref(&mut self, value: u64, count: u32) {
        for _ in 0..count {
            // SAFETY: the plan counts references to live objects, under the GIL.
            unsafe { refs::incref(object::pointer(value)) };
        }
    }

    #[inline]
    fn decref(&mut self, value: u64, count: u32) {
        for _ in 0..count {
            if self.inlined.is_empty() {
                // SAFETY: as above; the trace owned these references.
                unsafe { refs::decref(object::pointer(value)) };
            } else {
                self.late.push(object::pointer(value));
            }
        }
    }

    #[inline]
    fn frame(&mut self, frame: &PlanFrame<V::Value>, function: u64) {
        if frame.frame.0 == 0 {
            // SAFETY: the plan's instruction is one of this code; its stack is written next.
            unsafe {
                self.frame.set_ip(self.code, frame.ip);
                self.frame.set_stack_top(frame.top as i32);
            }
            return;
        }
        // SAFETY: the handle is the code of an inlined function, which the trace keeps alive.
        let code = unsafe { CodeRef::from_raw(object::pointer(frame.code)) };
        self.inlined.push(Inlined {
            standing: self.standing.pop(),
            function: object::pointer(function),
            code,
            ip: frame.ip,
            return_ip: frame.return_ip,
            kind: frame.kind,
            slots: vec![ptr::null_mut(); frame.top as usize],
        });
    }

    #[inline]
    fn write(&mut self, slot: u32, value: u64) -> u64 {
        if let Some(inlined) = self.inlined.last_mut() {
            inlined.slots[slot as usize] = object::pointer(value);
            return 0;
        }
        // SAFETY: the plan's slots are slots of this frame.
        unsafe {
            self.frame
                .slot(slot)
                .replace(object::pointer(value))
                .expose_provenance() as u64
        }
    }

    #[inline]
    fn store(&mut self, to: u64, offset: u32, bits: u64) {
        // SAFETY: the plan's stores are to fields of live iterators.
        unsafe {
            object::pointer(to)
                .cast::<u8>()
                .add(offset as usize)
                .cast::<u64>()
                .write(bits)
        }
    }
}

/// Carries out a plan: afterwards the interpreter can go on with the frame. With `raised`, an exception is set, and it is
/// raised by the instruction where the plan goes on. False if that is only possible by leaving the frame with the exception
/// set (no handler of the frame can have wanted it).
///
/// # Safety
/// The running thread's current frame is `frame`, with this code, in a monitoring callback that has been left
/// ([`Thread::leave_callback`]); the values are those of a trace that stands at the exit of this plan.
pub unsafe fn leave<V: Values>(
    thread: Thread,
    frame: FramePtr,
    code: CodeRef,
    plan: Plan<'_, V::Value>,
    values: &V,
    raised: bool,
) -> bool {
    // What the restoring runs must not see, or clear, the exception.
    let exception = raised.then(raise::take);
    // SAFETY: by the caller's promise.
    unsafe { leave_with(thread, frame, code, plan, values, exception) }
}

/// As [`leave`], with the exception given instead of set.
///
/// # Safety
/// As [`leave`].
pub unsafe fn leave_with<V: Values>(
    thread: Thread,
    frame: FramePtr,
    code: CodeRef,
    plan: Plan<'_, V::Value>,
    values: &V,
    exception: Option<Owned>,
) -> bool {
    let mut machine = Machine {
        values,
        frame,
        code,
        inlined: Vec::new(),
        standing: standing_frames(thread, frame),
        late: Vec::new(),
    };
    let mut scratch: Scratch = state::with(|s| std::mem::take(&mut s.scratch));
    exit::restore(plan, &mut machine, &mut scratch);
    state::with(|s| s.scratch = scratch);
    let Machine { inlined, late, .. } = machine;
    if inlined.is_empty() {
        return match exception {
            // SAFETY: the frame stands at the instruction that raises.
            Some(exception) => unsafe {
                raise::resume_raising(frame, code, exception, Operands::Present)
            },
            None => true,
        };
    }
    // SAFETY: the frames are those of the plan.
    unsafe { run_inlined(thread, frame, code, inlined, late, exception) }
}

/// The frames of inlined functions that stand above the running frame, the innermost first.
fn standing_frames(thread: Thread, f0: FramePtr) -> Vec<FramePtr> {
    let mut frames = Vec::new();
    let mut next = thread.current_frame();
    while let Some(frame) = next
        && frame != f0
    {
        frames.push(frame);
        next = frame.previous();
    }
    frames
}

/// Pushes a result on the stack of a frame.
///
/// # Safety
/// The frame does not run now, and its stack has room: it stands after a call that has pushed nothing yet.
unsafe fn push(frame: FramePtr, result: *mut PyObject) {
    let top = frame.stack_top();
    // SAFETY: by the caller's promise.
    unsafe {
        *frame.slot(top as u32) = result;
        frame.set_stack_top(top + 1);
    }
}

/// Brings the stack of a frame to where it is when the function that it has called has returned, or has raised.
///
/// # Safety
/// As [`push`]; the result is a new reference, or null if an exception is being raised.
unsafe fn deliver(caller: FramePtr, callee: &Inlined, result: *mut PyObject, raised: bool) {
    let operands = callee.kind.operands();
    // SAFETY: by the caller's promise; what is on top of the stack is no part of it any more when it is released.
    unsafe {
        let drop_top = |count: u32| {
            let top = caller.stack_top() as u32 - count;
            let dropped: Vec<_> = (0..count).map(|n| *caller.slot(top + n)).collect();
            caller.set_stack_top(top as i32);
            for object in dropped {
                refs::decref(object);
            }
        };
        if raised {
            // The instruction raises with its operands; an object that was being made is nobody's.
            if callee.kind == InlinedKind::Init {
                drop_top(1);
            }
            return;
        }
        drop_top(operands);
        if callee.kind.has_result() {
            push(caller, result);
        } else {
            refs::decref(result);
        }
    }
}

/// How the stack of a frame is when the function that it has called has raised.
fn operands_after(callee: &Inlined) -> Operands {
    match callee.kind.operands() {
        0 => Operands::Taken {
            next: callee.return_ip,
        },
        _ => Operands::Present,
    }
}

/// What an inlined function has returned, or null with the exception that the interpreter raises for such a result.
///
/// # Safety
/// The result is a new reference; the caller stands at the instruction that has called it.
unsafe fn checked(
    what: &Inlined,
    caller: FramePtr,
    caller_code: CodeRef,
    caller_ip: u32,
    result: *mut PyObject,
) -> *mut PyObject {
    // SAFETY: by the caller's promise; the operands of an operator are on top of the caller's stack.
    unsafe {
        match what.kind {
            InlinedKind::Init if result != ffi::Py_None() => {
                object::raise_with_type_name(
                    ffi::PyExc_TypeError,
                    "__init__() should return None, not '",
                    result,
                    "'",
                );
            }
            InlinedKind::Operator if result == ffi::Py_NotImplemented() => {
                let top = caller.stack_top() as u32;
                let [a, b] = [2, 1].map(|n| object::type_name(*caller.slot(top - n)));
                let operator = recording::validated(caller_code)
                    .and_then(|units| units.at(caller_ip).map(|i| i.oparg))
                    .map_or("?", operator_name);
                object::raise(
                    ffi::PyExc_TypeError,
                    &format!("unsupported operand type(s) for {operator}: '{a}' and '{b}'"),
                );
            }
            _ => return result,
        }
        refs::decref(result);
    }
    ptr::null_mut()
}

/// Builds the frames of inlined functions and runs them to their ends, the innermost first; the result goes to the stack of
/// f0, which goes on after its call.
///
/// # Safety
/// As [`leave`]; f0 stands at the call of the first of the frames.
unsafe fn run_inlined(
    thread: Thread,
    f0: FramePtr,
    code: CodeRef,
    inlined: Vec<Inlined>,
    late: Vec<*mut PyObject>,
    mut exception: Option<Owned>,
) -> bool {
    let mut frames: Vec<(FramePtr, &Inlined)> = Vec::with_capacity(inlined.len());
    let f0_call = f0.ip().unwrap_or(0) as u32;
    // Frames that stand are not on the data stack, but the interpreter pops them as if they were.
    let datastack_top = inlined
        .first()
        .and_then(|first| first.standing.is_some().then(|| thread.datastack_top()));
    for next in &inlined {
        let locals = (next.code.nlocalsplus() as usize).min(next.slots.len());
        let (locals, stack) = next.slots.split_at(locals);
        let built = match next.standing {
            Some(standing) => {
                // SAFETY: the plan's references are those of the frame's locals and stack, and of its function.
                unsafe { frame::adopt(standing, next.code, stack, next.ip) };
                Ok(standing)
            }
            None => {
                let new = NewFrame {
                    function: next.function,
                    code: next.code,
                    locals,
                    stack,
                    resume_at: next.ip,
                };
                // SAFETY: a frame of this function; the slots own their references, and the new frame
                // has its own reference to the function.
                unsafe {
                    let built = frame::push_frame(thread, &new);
                    if let Ok(built) = built {
                        refs::decref(next.function);
                        thread.set_current_frame(built);
                        thread.adjust_py_recursion(-1);
                    }
                    built
                }
            }
        };
        match built {
            Ok(built) => {
                // SAFETY: the frame is the caller of the next.
                unsafe {
                    match frames.last() {
                        Some((outer, what)) => {
                            outer.set_calling(what.code, what.ip, next.return_ip)
                        }
                        None => f0.set_calling(code, f0_call, next.return_ip),
                    }
                }
                frames.push((built, next));
            }
            // SAFETY: ends the process; the state that the program would need cannot be made.
            Err(_) => unsafe {
                ffi::Py_FatalError(
                    c"serigraph: no room for the frame of an inlined function".as_ptr(),
                )
            },
        }
    }
    for object in late {
        // SAFETY: references that the trace owned; all frames stand now, so that finalisers find them.
        unsafe { refs::decref(object) };
    }
    let mut result = ptr::null_mut();
    for (n, &(inner, what)) in frames.iter().enumerate().rev() {
        // SAFETY: `inner` is on top of the data stack, and its caller is made the current frame; it stands at an instruction
        // with its stack as that instruction wants it.
        unsafe {
            let caller = if n == 0 { f0 } else { frames[n - 1].0 };
            thread.adjust_py_recursion(1);
            thread.set_current_frame(caller);
            if let Some((_, callee)) = frames.get(n + 1) {
                deliver(inner, callee, result, exception.is_some());
                if exception.is_none() {
                    inner.set_start(what.code, callee.return_ip);
                }
            }
            let operands = frames
                .get(n + 1)
                .map_or(Operands::Present, |(_, callee)| operands_after(callee));
            result = match exception.take() {
                Some(pending) => {
                    raise::run_raising(thread, inner, what.code, what.ip, pending, operands)
                }
                None => frame::eval_pushed(thread, inner),
            };
        }
        if let Some(top) = datastack_top {
            thread.set_datastack_top(top);
        }
        if !result.is_null() && what.kind != InlinedKind::Call {
            let (caller, caller_code, ip) = match n.checked_sub(1) {
                None => (f0, code, f0_call),
                Some(outer) => (frames[outer].0, frames[outer].1.code, frames[outer].1.ip),
            };
            // SAFETY: the result is a new reference, and the caller stands at the instruction.
            result = unsafe { checked(what, caller, caller_code, ip, result) };
        }
        if result.is_null() {
            exception = Some(raise::take());
        }
    }
    // SAFETY: f0 stands at its call with the stack below the callable; the result is what the call would have pushed.
    unsafe {
        match exception {
            Some(pending) => {
                deliver(f0, &inlined[0], ptr::null_mut(), true);
                f0.set_ip(code, f0_call);
                raise::resume_raising(f0, code, pending, operands_after(&inlined[0]))
            }
            None => {
                deliver(f0, &inlined[0], result, false);
                f0.set_ip(code, inlined[0].return_ip);
                true
            }
        }
    }
}
