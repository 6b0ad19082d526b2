//! `sys.monitoring`: our tool, its JUMP and PY_START callbacks, local events, and what other tools are doing.
//!
//! Setting the local events of a code object re-instruments that object only (0.5 us for a small one, 40 us for 5,000
//! units) and does not touch the global monitoring version. Setting them off and on again also re-enables every
//! location that returned [`Action::Disable`].

use std::cell::Cell;
use std::ffi::CStr;
use std::fmt;
use std::ptr;

use crate::back_edges::{self, BackEdges, State};
use crate::callable;
use crate::code::CodeRef;
use crate::ffi::{self, PyObject};
use crate::layout::check::CheckError;
use crate::memory::read;
use crate::poll;
use crate::refs::{Owned, incref};
use crate::runtime::layout;
use crate::superinstructions::Superinstructions;
use crate::threads::Thread;
use crate::tool_events::DISTURBED;

/// `sys.monitoring.OPTIMIZER_ID`.
pub const TOOL_ID: u8 = 5;
/// Each byte without our tool's bit.
const OTHER_TOOLS: u64 = !0x2020_2020_2020_2020;

/// What the interpreter's way of setting events is learned from: loops, jumps forward, and, in 3.12, superinstructions.
const SAMPLE: &CStr = c"
def sample(a, b):
    while a:
        for a in b:
            if a:
                b = a
            else:
                a = 1
            b[a] = b + a
";

/// What a callback tells the interpreter.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Action {
    /// Go on (where the frame's instruction pointer says, if the callback has moved it).
    Continue,
    /// Go on, and do not call again for this location until the events are set anew.
    Disable,
    /// An exception is set: leave the frame with it. No handler in the frame is found, in either version.
    Raise,
}

/// Called at a jump of a code object with JUMP events: code, unit of the jump, unit of its target. The frame may be moved with
/// [`crate::frame::FramePtr::set_ip`].
pub type JumpCallback = fn(code: CodeRef, from: u32, to: u32) -> Action;
/// Called when a function of a code object with PY_START events begins: code, unit of its `RESUME`.
pub type StartCallback = fn(code: CodeRef, at: u32) -> Action;

/// Local events of a code object.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Events {
    /// None.
    None,
    /// At jumps.
    Jump,
    /// At the start.
    Start,
    /// Both.
    JumpAndStart,
}

/// Why the tool could not be claimed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ClaimError {
    /// Somebody else has `OPTIMIZER_ID`.
    InUse {
        /// The name under which they registered.
        by: String,
    },
    /// The monitoring data are not where they are expected.
    Layout(CheckError),
    /// A Python call failed; its exception is set.
    Exception,
}

impl fmt::Display for ClaimError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ClaimError::InUse { by } => write!(
                f,
                "the tool id sys.monitoring.OPTIMIZER_ID, which Serigraph needs, is in use by '{by}'"
            ),
            ClaimError::Layout(error) => error.fmt(f),
            ClaimError::Exception => write!(f, "sys.monitoring raised an exception"),
        }
    }
}

impl std::error::Error for ClaimError {}

struct Callbacks {
    jump: Cell<Option<JumpCallback>>,
    start: Cell<Option<StartCallback>>,
    disable: Cell<*mut PyObject>,
}

/// What the callbacks reach. Changed only by [`Monitoring::claim`].
struct Shared(Callbacks);

// SAFETY: read and written under the GIL only.
unsafe impl Sync for Shared {}

static SHARED: Shared = Shared(Callbacks {
    jump: Cell::new(None),
    start: Cell::new(None),
    disable: Cell::new(ptr::null_mut()),
});

/// Our tool, while we have it. Dropping it does not give it back: that is [`Monitoring::release`].
#[derive(Debug)]
pub struct Monitoring {
    module: Owned,
    set_local_events: Owned,
    tool: Owned,
    jump: Owned,
    start: Owned,
    both: Owned,
    none: Owned,
    /// Offset of `monitors` in the interpreter state, proved.
    monitors: usize,
    /// The index of the JUMP event in arrays of tool bits.
    jump_index: u32,
    /// How the events of back edges are set without the interpreter, if that is as it would do it.
    back_edges: Option<BackEdges>,
}

impl Monitoring {
    /// Claims the tool under a name, and registers the callbacks. The GIL must be held, in the main interpreter.
    pub fn claim(
        name: &CStr,
        on_jump: JumpCallback,
        on_start: StartCallback,
    ) -> Result<Monitoring, ClaimError> {
        // SAFETY: plain calls of the C API under the GIL; every result is checked.
        unsafe {
            let module = Owned::from_borrowed(ffi::PySys_GetObject(c"monitoring".as_ptr()))
                .ok_or(ClaimError::Exception)?;
            let tool = new(ffi::PyLong_FromLong(TOOL_ID.into()))?;
            let holder = call(&module, c"get_tool", &[tool.as_ptr()])?;
            if holder.as_ptr() != ffi::Py_None() {
                let bytes = ffi::PyUnicode_AsUTF8AndSize(holder.as_ptr(), ptr::null_mut());
                if bytes.is_null() {
                    ffi::PyErr_Clear();
                    return Err(ClaimError::InUse {
                        by: String::from("?"),
                    });
                }
                return Err(ClaimError::InUse {
                    by: CStr::from_ptr(bytes).to_string_lossy().into_owned(),
                });
            }
            let events = attribute(&module, c"events")?;
            let (jump, start) = (
                attribute(&events, c"JUMP")?,
                attribute(&events, c"PY_START")?,
            );
            let bits = (
                ffi::PyLong_AsLong(jump.as_ptr()),
                ffi::PyLong_AsLong(start.as_ptr()),
            );
            let both = new(ffi::PyLong_FromLong(bits.0 | bits.1))?;
            let none = new(ffi::PyLong_FromLong(0))?;
            let disable = attribute(&module, c"DISABLE")?;
            let set_local_events = attribute(&module, c"set_local_events")?;
            let callbacks = (
                callable::new(jump_entry).ok_or(ClaimError::Exception)?,
                callable::new(start_entry).ok_or(ClaimError::Exception)?,
            );
            // A string of its own, so that its address is found in one place only.
            let name = new(ffi::PyUnicode_FromString(name.as_ptr()))?;
            SHARED.0.jump.set(Some(on_jump));
            SHARED.0.start.set(Some(on_start));
            // One reference is kept for ever: a callback may outlive the tool.
            SHARED.0.disable.set(disable.into_raw());
            call(&module, c"use_tool_id", &[tool.as_ptr(), name.as_ptr()])?;
            let mut claimed = Monitoring {
                module,
                set_local_events,
                tool,
                jump,
                start,
                both,
                none,
                monitors: 0,
                jump_index: bits.0.trailing_zeros(),
                back_edges: None,
            };
            match claimed.set_up(&name, &callbacks) {
                Ok(()) => Ok(claimed),
                Err(error) => {
                    let pending = (crate::runtime::api().get_raised)();
                    claimed.release();
                    if !pending.is_null() {
                        (crate::runtime::api().set_raised)(pending);
                    }
                    Err(error)
                }
            }
        }
    }

    fn set_up(
        &mut self,
        name: &Owned,
        (on_jump, on_start): &(Owned, Owned),
    ) -> Result<(), ClaimError> {
        self.monitors = find_monitors(name.as_ptr()).map_err(ClaimError::Layout)?;
        for (event, callback) in [(&self.jump, on_jump), (&self.start, on_start)] {
            call(
                &self.module,
                c"register_callback",
                &[self.tool.as_ptr(), event.as_ptr(), callback.as_ptr()],
            )?;
        }
        // SAFETY: compiles a text.
        let module = unsafe {
            new(ffi::Py_CompileString(
                SAMPLE.as_ptr(),
                c"<serigraph checks>".as_ptr(),
                ffi::Py_file_input,
            ))?
        };
        // SAFETY: a code object, which lives as long as `module`.
        let module = unsafe { CodeRef::from_raw(module.as_ptr()) };
        // SAFETY: the constants of that code object are valid objects.
        let inner = (0..module.const_count())
            .find_map(|index| unsafe { CodeRef::from_object(module.constant(index)) });
        let code = inner.unwrap_or(module);
        self.check_code_monitoring(code)?;
        self.back_edges = self.learn_back_edges(code)?;
        Ok(())
    }

    /// Proves on a scratch code object where the active tools of a code object are.
    fn check_code_monitoring(&self, code: CodeRef) -> Result<(), ClaimError> {
        const CHECK: &str = "code_monitoring.active";
        // SAFETY: reads the fields of a code object.
        unsafe {
            let mut found = Vec::new();
            for events in [Events::Jump, Events::None] {
                self.set_local_events(code, events)
                    .map_err(|_| ClaimError::Exception)?;
                let data: *const u8 = read(code.as_ptr().cast(), layout().code.monitoring);
                let active = layout().code_monitoring.active + self.jump_index as usize;
                let tools = if data.is_null() {
                    0
                } else {
                    read::<u8>(data, active)
                };
                found.push(tools & 1 << TOOL_ID != 0);
            }
            if found != [true, false] {
                let expected = String::from("our bit to come and go");
                let error = CheckError {
                    check: CHECK,
                    expected,
                    found: format!("{found:?}"),
                };
                return Err(ClaimError::Layout(error));
            }
        }
        Ok(())
    }

    /// Finds out how to set the events of back edges without the interpreter: `None` if what comes of it, on a scratch code
    /// object, is not what the interpreter makes of it. The code object has no events.
    fn learn_back_edges(&self, code: CodeRef) -> Result<Option<BackEdges>, ClaimError> {
        let set = |events| {
            self.set_local_events(code, events)
                .map_err(|_| ClaimError::Exception)
        };
        let Some(thread) = Thread::current() else {
            return Ok(None);
        };
        let off = State::of(code);
        set(Events::Jump)?;
        let theirs = State::of(code);
        let learned = BackEdges::learn(code, self.jump_index as usize);
        set(Events::None)?;
        let Some(learned) = learned.filter(|_| self.is_plain(thread, code)) else {
            return Ok(None);
        };
        // SAFETY: a live code object; nobody has global events, and its version is right, as just asked.
        if !unsafe { learned.set(code) } {
            return Ok(None);
        }
        let ours = State::of(code);
        set(Events::None)?;
        let is_same = BackEdges::is_same(&ours, &theirs) && State::of(code) == off;
        Ok(is_same.then_some(learned))
    }

    /// Whether no tool has global events, and the interpreter need not instrument a code object anew when it next runs.
    #[inline]
    fn is_plain(&self, thread: Thread, code: CodeRef) -> bool {
        let interpreter = thread.interpreter();
        // SAFETY: the interpreter state is alive; the array has 15 bytes.
        let tools = unsafe {
            read_unaligned(interpreter, self.monitors)
                | read_unaligned(interpreter, self.monitors + 7)
        };
        tools == 0 && code.instrumentation_version() == poll::monitoring_version(thread)
    }

    /// Sets JUMP events on a code object, where they are needed at its back edges only: jumps forward get them or not. True if
    /// it was done without the interpreter.
    ///
    /// # Errors
    /// An exception is set (no memory).
    pub fn set_back_edge_events(&self, thread: Thread, code: CodeRef) -> Result<bool, PythonError> {
        if let Some(back_edges) = self.back_edges
            && back_edges::is_untouched(code)
            && self.is_plain(thread, code)
        {
            // Events that are none change nothing, but there are monitoring data now.
            self.call_set_local_events(code, &self.none)?;
            // SAFETY: a live code object; no global events, and its version is right, as just asked.
            if unsafe { back_edges.set(code) } {
                return Ok(true);
            }
        }
        self.set_local_events(code, Events::Jump)?;
        Ok(false)
    }

    /// Has the back edges of a code object that has our events report again, also those whose callback returned
    /// [`Action::Disable`]. True if it was done without the interpreter.
    ///
    /// # Errors
    /// An exception is set (no memory).
    pub fn renew_back_edge_events(
        &self,
        thread: Thread,
        code: CodeRef,
    ) -> Result<bool, PythonError> {
        if let Some(back_edges) = self.back_edges
            && self.is_plain(thread, code)
            // SAFETY: a live code object; no global events, and its version is right, as just asked.
            && unsafe { back_edges.renew(code) }
        {
            return Ok(true);
        }
        self.set_local_events(code, Events::None)?;
        self.set_local_events(code, Events::Jump)?;
        Ok(false)
    }

    /// Sets the local events of a code object. In 3.12, superinstructions that need not be broken up are kept.
    ///
    /// # Errors
    /// An exception is set (no memory).
    pub fn set_local_events(&self, code: CodeRef, events: Events) -> Result<(), PythonError> {
        let events = match events {
            Events::None => &self.none,
            Events::Jump => &self.jump,
            Events::Start => &self.start,
            Events::JumpAndStart => &self.both,
        };
        let kept = Superinstructions::of(code);
        let result = self.call_set_local_events(code, events);
        kept.restore(code);
        result
    }

    fn call_set_local_events(&self, code: CodeRef, events: &Owned) -> Result<(), PythonError> {
        let arguments = [self.tool.as_ptr(), code.as_ptr(), events.as_ptr()];
        // SAFETY: a callable and valid arguments.
        let result = unsafe {
            Owned::from_raw(ffi::PyObject_Vectorcall(
                self.set_local_events.as_ptr(),
                arguments.as_ptr(),
                arguments.len(),
                ptr::null_mut(),
            ))
        };
        result.map(drop).ok_or(PythonError)
    }

    /// Whether another tool (or `sys.settrace`, `sys.setprofile`) has events that running `code` would fire, so that it must
    /// run in the interpreter. A tool that sets local events changes no version: ask at every entry and after every
    /// call-out.
    #[inline]
    pub fn other_tools_active(&self, thread: Thread, code: CodeRef) -> bool {
        let interpreter = thread.interpreter();
        let fields = &layout().code_monitoring;
        // SAFETY: both structures are alive; the arrays have 15 bytes, or 10 for code objects of 3.13.
        unsafe {
            if (read_unaligned(interpreter, self.monitors)
                | read_unaligned(interpreter, self.monitors + 7))
                & OTHER_TOOLS
                != 0
            {
                return true;
            }
            let data: *const u8 = read(code.as_ptr().cast(), layout().code.monitoring);
            if data.is_null() {
                return false;
            }
            let last = fields.active + fields.active_count - 8;
            (read_unaligned(data, fields.active) | read_unaligned(data, last)) & OTHER_TOOLS != 0
        }
    }

    /// Whether another tool has events in a code object, or everywhere, that ours stand in the way of: see
    /// [`crate::tool_events`]. `sys.settrace` and `sys.setprofile` do not count.
    pub fn disturbed_events_active(&self, thread: Thread, code: CodeRef) -> bool {
        const OTHERS: u8 = !(1 << TOOL_ID | 1 << 6 | 1 << 7);
        // SAFETY: both structures are alive; their arrays begin with a byte for each local event, these among them.
        DISTURBED.iter().any(|&event| unsafe {
            let everywhere: u8 = read(thread.interpreter(), self.monitors + event);
            let data: *const u8 = read(code.as_ptr().cast(), layout().code.monitoring);
            let here: u8 = match data.is_null() {
                true => 0,
                false => read(data, event),
            };
            (everywhere | here) & OTHERS != 0
        })
    }

    /// Whether another tool has global events: whatever runs would fire them.
    #[inline]
    pub fn global_events_active(&self, thread: Thread) -> bool {
        let interpreter = thread.interpreter();
        // SAFETY: the interpreter state is alive; the array has 15 bytes.
        let tools = unsafe {
            read_unaligned(interpreter, self.monitors)
                | read_unaligned(interpreter, self.monitors + 7)
        };
        tools & OTHER_TOOLS != 0
    }

    /// Gives the tool back. Local events of code objects stay set until each is set to none; nothing calls back any more. Leaves no
    /// exception.
    pub fn release(self) {
        // SAFETY: plain calls under the GIL.
        unsafe {
            for event in [&self.jump, &self.start] {
                let arguments = [self.tool.as_ptr(), event.as_ptr(), ffi::Py_None()];
                let _ = call(&self.module, c"register_callback", &arguments);
                ffi::PyErr_Clear();
            }
            let _ = call(&self.module, c"free_tool_id", &[self.tool.as_ptr()]);
            ffi::PyErr_Clear();
        }
    }
}

/// A Python call failed; its exception is set.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PythonError;

/// # Safety
/// There are 8 readable bytes at the offset.
#[inline]
unsafe fn read_unaligned(base: *const u8, offset: usize) -> u64 {
    // SAFETY: by the caller's promise.
    unsafe { base.add(offset).cast::<u64>().read_unaligned() }
}

/// Finds `monitors` in the interpreter state: it lies a fixed way before the array of tool names, which now holds `name` at our id.
/// The arrays move with patch releases, so they are looked for near where they should be.
fn find_monitors(name: *mut PyObject) -> Result<usize, CheckError> {
    const NEAR: usize = 16384;
    let fields = &layout().interpreter;
    let ours = TOOL_ID as usize * 8;
    let expected = fields.monitoring_tool_names;
    // SAFETY: the GIL is held.
    let interpreter = unsafe { ffi::PyInterpreterState_Get() }.cast::<u8>();
    let mut offsets = std::iter::once(expected).chain(expected - NEAR..expected + 256);
    let is_there = |&offset: &usize| {
        // SAFETY: the word is inside the interpreter state: that goes on for 600 bytes after the array, in every release.
        offset % 8 == 0 && unsafe { read::<*mut PyObject>(interpreter, offset + ours) } == name
    };
    match offsets.find(is_there) {
        Some(names) => Ok(names - (expected - fields.monitors)),
        None => Err(CheckError {
            check: "interpreter.monitoring_tool_names",
            expected: format!("our tool's name near offset {expected}"),
            found: String::from("it nowhere"),
        }),
    }
}

fn new(object: *mut PyObject) -> Result<Owned, ClaimError> {
    // SAFETY: what a C-API call has just returned.
    unsafe { Owned::from_raw(object) }.ok_or(ClaimError::Exception)
}

fn attribute(of: &Owned, name: &CStr) -> Result<Owned, ClaimError> {
    // SAFETY: a valid object.
    new(unsafe { ffi::PyObject_GetAttrString(of.as_ptr(), name.as_ptr()) })
}

fn call(of: &Owned, name: &CStr, arguments: &[*mut PyObject]) -> Result<Owned, ClaimError> {
    let function = attribute(of, name)?;
    // SAFETY: valid objects.
    new(unsafe {
        ffi::PyObject_Vectorcall(
            function.as_ptr(),
            arguments.as_ptr(),
            arguments.len(),
            ptr::null_mut(),
        )
    })
}

/// The value of an offset argument in code units: the interpreter passes byte offsets as exact ints, never negative.
///
/// # Safety
/// `offset` is an exact int.
#[inline]
unsafe fn unit_of(offset: *mut PyObject) -> u32 {
    let fields = &layout().int;
    // SAFETY: an int has a tag and at least one digit.
    unsafe {
        if read::<u64>(offset.cast(), fields.tag) < 16 {
            read::<u32>(offset.cast(), fields.digits) / 2
        } else {
            (ffi::PyLong_AsLong(offset) / 2) as u32
        }
    }
}

#[inline]
fn answer(action: Action) -> *mut PyObject {
    match action {
        // SAFETY: None is immortal.
        Action::Continue => unsafe { ffi::Py_None() },
        Action::Disable => {
            let disable = SHARED.0.disable.get();
            // SAFETY: kept alive for ever by `claim`.
            unsafe { incref(disable) };
            disable
        }
        Action::Raise => ptr::null_mut(),
    }
}

unsafe extern "C" fn jump_entry(
    _: *mut PyObject,
    arguments: *const *mut PyObject,
    _: usize,
    _: *mut PyObject,
) -> *mut PyObject {
    let Some(callback) = SHARED.0.jump.get() else {
        return answer(Action::Continue);
    };
    // SAFETY: the interpreter calls JUMP callbacks with a code object and two ints, which live during the call.
    let (code, from, to) = unsafe {
        (
            CodeRef::from_raw(*arguments),
            unit_of(*arguments.add(1)),
            unit_of(*arguments.add(2)),
        )
    };
    answer(callback(code, from, to))
}

unsafe extern "C" fn start_entry(
    _: *mut PyObject,
    arguments: *const *mut PyObject,
    _: usize,
    _: *mut PyObject,
) -> *mut PyObject {
    let Some(callback) = SHARED.0.start.get() else {
        return answer(Action::Continue);
    };
    // SAFETY: the interpreter calls PY_START callbacks with a code object and an int, which live during the call.
    let (code, at) = unsafe { (CodeRef::from_raw(*arguments), unit_of(*arguments.add(1))) };
    answer(callback(code, at))
}
