//! Finding the code objects that exist already, when Serigraph is switched on in a running program.
//!
//! Code objects are not known to the collector, so they are found through what is: functions and generators; through the frames
//! that run; and through the constants of what has been found.

use std::collections::HashSet;
use std::ffi::{c_int, c_void};

use crate::bytecode;
use crate::code::CodeRef;
use crate::ffi::PyObject;
use crate::frame::FramePtr;
use crate::memory::read;
use crate::refs::{Owned, type_of};
use crate::runtime::{api, layout, minor};
use crate::threads::Thread;

/// What the walk collects: each code object once, with a reference of its own.
struct Found {
    seen: HashSet<usize>,
    codes: Vec<Owned>,
    pending: Vec<*mut PyObject>,
}

impl Found {
    /// Adds a code object and those in its constants; what is not a code object is passed over.
    fn add(&mut self, object: *mut PyObject) {
        self.pending.push(object);
        while let Some(object) = self.pending.pop() {
            // SAFETY: the callers and the loop below pass valid objects.
            let Some(code) = (unsafe { CodeRef::from_object(object) }) else {
                continue;
            };
            if !self.seen.insert(object.addr()) {
                continue;
            }
            // SAFETY: as above.
            self.codes.extend(unsafe { Owned::from_borrowed(object) });
            let constants = (0..code.const_count()).map(|index| code.constant(index));
            self.pending.extend(constants);
        }
    }
}

unsafe extern "C" fn visit(object: *mut PyObject, found: *mut c_void) -> c_int {
    let (api, layout) = (api(), layout());
    // SAFETY: the interpreter passes live objects, and the argument is the `Found` of `code_objects`; nothing here makes or
    // releases a Python object.
    unsafe {
        let found = &mut *found.cast::<Found>();
        let kind = type_of(object);
        if kind == api.function_type {
            found.add(read(object.cast(), layout.function.code));
        } else if kind == api.generator_type
            || kind == api.coroutine_type
            || kind == api.async_generator_type
        {
            // A generator that has ended has cleared its frame.
            let state: i8 = read(object.cast(), layout.generator.state);
            let frame = FramePtr::from_raw(object.cast::<u8>().add(layout.generator.frame));
            if let Some(code) = frame.filter(|_| state <= 0).and_then(FramePtr::code) {
                found.add(code.as_ptr());
            }
        }
    }
    1
}

/// The code objects of all functions, generators and running frames, and of their constants. The GIL must be held by
/// `thread`, which is the running one.
pub fn code_objects(thread: Thread) -> Vec<Owned> {
    let mut found = Found {
        seen: HashSet::with_capacity(1024),
        codes: Vec::with_capacity(1024),
        pending: Vec::new(),
    };
    // SAFETY: the visitor matches the argument, and does not touch the collector.
    unsafe { (api().visit_heap)(visit, (&raw mut found).cast()) };
    for thread in thread.all() {
        let frames = std::iter::successors(thread.current_frame(), |frame| frame.previous());
        for code in frames.filter_map(FramePtr::code) {
            found.add(code.as_ptr());
        }
    }
    found.codes
}

/// Whether a code object has a back edge that polls, so that JUMP events make sense on it. Reads the running bytecode; no
/// validation needed, none done.
pub fn has_back_edge(code: CodeRef) -> bool {
    // SAFETY: the code units of a live code object; the GIL is held, and nothing here changes them.
    let units =
        unsafe { std::slice::from_raw_parts(code.first_unit(), code.unit_count() as usize) };
    bytecode::has_back_edge(minor(), units)
}
