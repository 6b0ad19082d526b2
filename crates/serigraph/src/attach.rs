//! The engine's hold on the interpreter: local JUMP events on code that loops, and watchers on what traces rely on.

use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};

use serigraph_cpython::attributes::Attributes;
use serigraph_cpython::code::CodeRef;
use serigraph_cpython::ffi::{self, PyObject};
use serigraph_cpython::monitoring::{Action, Events, Monitoring};
use serigraph_cpython::refs::type_of;
use serigraph_cpython::threads::Thread;
use serigraph_cpython::watch::{
    CodeEvent, CodeWatcher, DictEvent, DictWatcher, FunctionEvent, FunctionWatcher,
};
use serigraph_cpython::{Owned, heap, layout, recursion_limit, tool_events, tracemalloc};
use serigraph_uops::Reason;

use crate::enter::{self, Answer};
use crate::header::{Due, TraceId};
use crate::host::hold;
use crate::host::object::{self, Function, Types};
use crate::log;
use crate::record::Dependency;
use crate::state::{self, State};

/// What has been claimed from the interpreter.
struct Attached {
    monitoring: Monitoring,
    codes: CodeWatcher,
    dicts: DictWatcher,
    functions: FunctionWatcher,
    attributes: Attributes,
}

static ATTACHED: AtomicPtr<Attached> = AtomicPtr::new(ptr::null_mut());

fn attached() -> Option<&'static Attached> {
    // SAFETY: null or a box that lives until `detach`, whose callers hold no result of this function.
    unsafe { ATTACHED.load(Ordering::Acquire).as_ref() }
}

/// Claims the tool and the watchers, and sets events on all code that exists. Nothing is claimed when it fails.
pub fn attach() -> Result<(), String> {
    let monitoring =
        Monitoring::claim(c"serigraph", on_jump, |_, _| Action::Disable).map_err(|e| {
            // SAFETY: the GIL is held; the error says it all.
            unsafe { ffi::PyErr_Clear() };
            e.to_string()
        })?;
    let watchers = CodeWatcher::add(on_code).and_then(|codes| match DictWatcher::add(on_dict) {
        Err(error) => {
            codes.remove();
            Err(error)
        }
        Ok(dicts) => match FunctionWatcher::add(on_function) {
            Err(error) => {
                codes.remove();
                dicts.remove();
                Err(error)
            }
            Ok(functions) => Ok((codes, dicts, functions)),
        },
    });
    match watchers {
        Err(error) => {
            monitoring.release();
            Err(error.to_string())
        }
        Ok((codes, dicts, functions)) => {
            let attached = Box::new(Attached {
                monitoring,
                codes,
                dicts,
                functions,
                attributes: Attributes::replace(is_ours_alone, on_opcode_trace),
            });
            ATTACHED.store(Box::into_raw(attached), Ordering::Release);
            tracemalloc::watch(on_memory_traced);
            recursion_limit::watch(on_recursion_limit);
            tool_events::watch(before_tool_events, after_tool_events, on_tool_events);
            instrument_existing();
            Ok(())
        }
    }
}

/// Takes our events off code objects, which live.
fn take_events(monitoring: &Monitoring, codes: impl IntoIterator<Item = usize>) {
    for address in codes {
        // SAFETY: by the caller's promise.
        let code = unsafe { CodeRef::from_raw(ptr::with_exposed_provenance_mut(address)) };
        if monitoring.set_local_events(code, Events::None).is_err() {
            // SAFETY: the GIL is held; without memory the event stays, and calls nothing.
            unsafe { ffi::PyErr_Clear() };
        }
    }
}

/// Gives everything back: no event and no watcher remains.
pub fn detach() {
    let attached = ATTACHED.swap(ptr::null_mut(), Ordering::AcqRel);
    if attached.is_null() {
        return;
    }
    // SAFETY: it came from a box, and is out of reach now.
    let attached = unsafe { Box::from_raw(attached) };
    let Attached {
        monitoring,
        codes,
        dicts,
        functions,
        attributes,
    } = *attached;
    let (instrumented, watched) = state::with(|s| {
        s.left_alone.clear();
        s.is_taken_everywhere = false;
        (std::mem::take(&mut s.instrumented), s.dependencies.clear())
    });
    // Code objects leave the set when they die.
    take_events(&monitoring, instrumented);
    for dict in watched {
        // SAFETY: dicts leave the tables when they die. A dict that is not watched any more is no harm.
        unsafe { dicts.unwatch(ptr::with_exposed_provenance_mut(dict)) }.unwrap_or_default();
    }
    codes.remove();
    dicts.remove();
    functions.remove();
    attributes.remove();
    monitoring.release();
}

/// `tracemalloc` was started: what runs leaves machine code at its next check, and nothing is entered until it is stopped.
fn on_memory_traced() {
    state::with(|s| {
        s.generation += 1;
        for trace in s.traces.roots() {
            s.retire(trace, Reason::MemoryTraced);
        }
    });
}

/// A lower recursion limit was set: what runs leaves machine code at its next check, and whether there is room is asked again.
fn on_recursion_limit() {
    state::with(|s| {
        s.generation += 1;
        if s.traces.is_running() {
            for trace in s.traces.roots() {
                s.retire(trace, Reason::RecursionLimit);
            }
        }
    });
}

/// Whether a code object has events, and none but ours.
fn is_ours_alone(code: CodeRef) -> bool {
    state::with(|s| s.instrumented.contains(&code.as_ptr().addr()))
        && Thread::current().is_some_and(|thread| !is_watched_by_others(thread, code))
}

/// A program is about to trace the instructions of a code object: it is left to the interpreter for good.
fn on_opcode_trace(code: CodeRef) {
    if attached().is_some() {
        before_tool_events(Some(code));
        state::with(|s| s.left_alone.insert(code.as_ptr().addr()));
    }
}

/// A tool has got or given up events everywhere. A function that is called takes note when it begins, and forgets what a tool has
/// disabled there before; one that is followed inside a trace would not.
fn on_tool_events() {
    state::with(|s| {
        s.generation += 1;
        let following: Vec<TraceId> = s
            .traces
            .iter()
            .filter(|trace| trace.compiled.follows_calls)
            .map(|trace| trace.compiled.id)
            .collect();
        for trace in following {
            s.retire(trace, Reason::ToolsActive);
        }
    });
}

/// A tool is about to get events, in one code object or everywhere, that ours stand in the way of.
fn before_tool_events(code: Option<CodeRef>) {
    let Some(attached) = attached() else { return };
    // Code objects leave the set when they die.
    let codes = state::with(|s| match code.map(|code| code.as_ptr().addr()) {
        None => {
            s.is_taken_everywhere = true;
            std::mem::take(&mut s.instrumented)
        }
        Some(code) => s.instrumented.take(&code).into_iter().collect(),
    });
    take_events(&attached.monitoring, codes);
}

/// A tool has got other events: where no tool has any more that ours stand in the way of, ours are set again.
fn after_tool_events(code: Option<CodeRef>) {
    if let Some(code) = code {
        instrument(code);
    } else if state::with(|s| std::mem::take(&mut s.is_taken_everywhere)) {
        instrument_existing();
        // Another tool has such events still.
        state::with(|s| s.is_taken_everywhere = s.instrumented.is_empty());
    }
}

/// Whether another tool watches this code, or everything, or runs the frames: then it runs in the interpreter.
#[inline]
pub fn is_watched_by_others(thread: Thread, code: CodeRef) -> bool {
    thread.has_foreign_evaluator()
        || attached().is_none_or(|a| a.monitoring.other_tools_active(thread, code))
}

/// Has the interpreter tell when what a trace relies on changes. False if it cannot.
pub fn watch(dependency: &Dependency, trace: u32) -> bool {
    let Some(attached) = attached() else {
        return false;
    };
    match *dependency {
        Dependency::Item { dict, key, .. } => {
            let is_new = state::with(|s| {
                s.dependencies
                    .add_key(dict.expose_provenance(), key.addr(), trace)
            });
            // SAFETY: the recorder holds the dict.
            !is_new || unsafe { attached.dicts.watch(dict) }.is_ok()
        }
        Dependency::Function { function, .. } => {
            state::with(|s| s.dependencies.add_object(function.addr(), trace));
            true
        }
    }
}

/// Whose death is told, and by whom.
enum Mortal {
    /// A dict, by itself.
    Dict(*mut PyObject),
    /// A class, by its dict.
    Class(*mut PyObject),
    /// A function or code object, by itself.
    Other,
}

fn mortal(object: &Owned) -> Option<Mortal> {
    let this = object.as_ptr();
    let address = object::address(this);
    let exact = object::type_address(address);
    let types = Types::new();
    if exact == types.dict {
        return Some(Mortal::Dict(this));
    }
    if exact == types.function || exact == types.code {
        return Some(Mortal::Other);
    }
    let dict = hold::is_class(address).then(|| hold::class_dict(address));
    dict.filter(|&dict| dict != 0)
        .map(|dict| Mortal::Class(object::pointer(dict)))
}

/// Whether the interpreter tells when an object dies.
pub fn tells_its_death(object: &Owned) -> bool {
    mortal(object).is_some()
}

/// Has the interpreter tell when an object that a trace names dies, if it is one of those whose death is told (others are
/// the values of watched keys). False if it cannot.
pub fn watch_life(object: &Owned, trace: u32) -> bool {
    let Some(attached) = attached() else {
        return false;
    };
    let (dict, is_class) = match mortal(object) {
        Some(Mortal::Dict(dict)) => (dict, false),
        Some(Mortal::Class(dict)) => (dict, true),
        Some(Mortal::Other) => {
            let address = object.as_ptr().addr();
            state::with(|s| s.dependencies.add_object(address, trace));
            return true;
        }
        None => return true,
    };
    let address = dict.expose_provenance();
    let is_new = state::with(|s| s.dependencies.add_dict(address, is_class, trace));
    // SAFETY: the caller holds the dict.
    !is_new || unsafe { attached.dicts.watch(dict) }.is_ok()
}

fn on_jump(code: CodeRef, from: u32, to: u32) -> Action {
    if to > from {
        return Action::Disable;
    }
    // Most back edges of most programs are counted, and that is all.
    match enter::count(code, to) {
        Due::Wait => return Action::Continue,
        Due::Look => {}
        Due::Wake => {
            wake();
            return Action::Continue;
        }
        Due::Never | Due::Sleep(_) | Due::Leave => return Action::Disable,
    }
    let Some(thread) = Thread::current() else {
        return Action::Continue;
    };
    let Some(frame) = thread.current_frame() else {
        return Action::Continue;
    };
    // SAFETY: the interpreter calls this at a jump of the running frame, whose code this is.
    match unsafe { enter::at_back_edge(thread, frame, code, to) } {
        Answer::GoOn => Action::Continue,
        Answer::Raise => Action::Raise,
    }
}

/// Gives the headers that have slept long enough their events again.
#[cold]
fn wake() {
    let codes = state::with(|s| s.wake());
    let (Some(attached), Some(thread)) = (attached(), Thread::current()) else {
        return;
    };
    for address in codes {
        // SAFETY: code objects leave the tables when they die.
        let code = unsafe { CodeRef::from_raw(ptr::with_exposed_provenance_mut(address)) };
        if attached
            .monitoring
            .renew_back_edge_events(thread, code)
            .is_err()
        {
            // SAFETY: the GIL is held; without memory the header sleeps on.
            unsafe { ffi::PyErr_Clear() };
        }
    }
}

fn on_code(event: CodeEvent, code: *mut PyObject) {
    // SAFETY: the interpreter passes a code object that lives during the call.
    let code = unsafe { CodeRef::from_raw(code) };
    match event {
        CodeEvent::Create => instrument(code),
        CodeEvent::Destroy => {
            let address = code.as_ptr().addr();
            let freed = state::with(|s| {
                s.instrumented.remove(&address);
                s.left_alone.remove(&address);
                for id in s.dependencies.object_changed(address) {
                    s.retire(id, Reason::FunctionChanged);
                }
                let Some(data) = s.codes.remove(&address) else {
                    return Vec::new();
                };
                for id in data.traces() {
                    s.retire(id, Reason::CodeDestroyed);
                }
                // Side traces go with their roots; all traces of a code object hang on its headers.
                s.collect()
            });
            drop(freed);
        }
    }
}

fn on_dict(event: DictEvent, dict: *mut PyObject, key: *mut PyObject, _value: *mut PyObject) {
    state::with(|s| {
        let traces = match event {
            DictEvent::Added | DictEvent::Modified | DictEvent::Deleted => {
                let same = |known: usize| same_key(key, ptr::with_exposed_provenance_mut(known));
                // A program may write a global in its innermost loop.
                let same: Option<&dyn Fn(usize) -> bool> = match is_interned(key) {
                    true => None,
                    false => Some(&same),
                };
                s.dependencies.key_changed(dict.addr(), key.addr(), same)
            }
            DictEvent::Cloned | DictEvent::Cleared => {
                s.dependencies.dict_changed(dict.addr(), false)
            }
            DictEvent::Deallocated => {
                let is_of_class = s.dependencies.is_of_class(dict.addr());
                let traces = s.dependencies.dict_changed(dict.addr(), true);
                retire_all(s, traces, is_of_class);
                return;
            }
        };
        if !traces.is_empty() {
            let is_of_class = s.dependencies.is_of_class(dict.addr());
            retire_all(s, traces, is_of_class);
        }
    });
}

/// Throws traces away that relied on what a dict has held.
fn retire_all(state: &mut State, traces: Vec<TraceId>, is_of_class: bool) {
    let reason = match is_of_class {
        true => Reason::TypeChanged,
        false => Reason::GlobalChanged,
    };
    for trace in traces {
        state.retire(trace, reason);
    }
}

/// Whether a key is an interned str, so that no other is equal to it.
fn is_interned(key: *mut PyObject) -> bool {
    // SAFETY: a live object; an exact str has a state, whose lowest two bits say how it is interned.
    unsafe {
        type_of(key) == (&raw mut ffi::PyUnicode_Type).cast()
            && key
                .cast::<u8>()
                .add(layout().str.state)
                .cast::<u32>()
                .read()
                & 3
                != 0
    }
}

/// Whether a key that is not interned is equal to a known one, which is.
fn same_key(key: *mut PyObject, known: *mut PyObject) -> bool {
    // SAFETY: both are valid; comparing two exact strs runs no Python code.
    unsafe {
        if type_of(key) != type_of(known) {
            // A str of a class of its own may equal anything.
            return ffi::PyUnicode_Check(key) != 0;
        }
        ffi::PyUnicode_Compare(key, known) == 0
    }
}

fn on_function(event: FunctionEvent, function: *mut PyObject, _value: *mut PyObject) {
    // Programs make and drop functions all the time.
    if event == FunctionEvent::Create
        || !state::with(|s| s.dependencies.has_object(function.addr()))
    {
        return;
    }
    on_known_function(event, function);
}

/// A function that a trace relies on is changed, or dies.
#[cold]
fn on_known_function(event: FunctionEvent, function: *mut PyObject) {
    state::with(|s| {
        let traces = s.dependencies.object_changed(function.addr());
        if event == FunctionEvent::Destroy && !traces.is_empty() {
            let code = Function::of(object::address(function)).code;
            s.code(code).comes_and_goes = true;
        }
        for trace in traces {
            s.retire(trace, Reason::FunctionChanged);
        }
    });
}

/// Sets JUMP events on a code object, if it loops and can be compiled.
fn instrument(code: CodeRef) {
    if code.is_generator() || !heap::has_back_edge(code) {
        return;
    }
    let (Some(attached), Some(thread)) = (attached(), Thread::current()) else {
        return;
    };
    let address = code.as_ptr().expose_provenance();
    if attached.monitoring.disturbed_events_active(thread, code)
        || !state::with(|s| !s.left_alone.contains(&address) && s.instrumented.insert(address))
    {
        return;
    }
    if attached
        .monitoring
        .set_back_edge_events(thread, code)
        .is_err()
    {
        // SAFETY: the GIL is held; without memory for the events, the code is not compiled, and that is all.
        unsafe { ffi::PyErr_Clear() };
        state::with(|s| s.instrumented.remove(&code.as_ptr().addr()));
    }
}

/// Sets events on all code that exists already.
fn instrument_existing() {
    let Some(thread) = Thread::current() else {
        return;
    };
    let found = heap::code_objects(thread);
    for code in &found {
        // SAFETY: a code object, which the list holds.
        instrument(unsafe { CodeRef::from_raw(code.as_ptr()) });
    }
    log!(
        Debug,
        "{} code objects found, {} of them loop",
        found.len(),
        state::with(|s| s.instrumented.len())
    );
}
