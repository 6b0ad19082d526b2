//! The recorder's view of the engine, and how a recording is made: from a header or from a hot exit.

use std::sync::Arc;

use serigraph_cpython::bytecode::{BadCode, ValidatedCode};
use serigraph_cpython::code::CodeRef;
use serigraph_cpython::ffi::PyObject;
use serigraph_cpython::frame::FramePtr;
use serigraph_cpython::threads::{Thread, processor_time};
use serigraph_cpython::{ffi, poll};

use crate::attach;
use crate::executor::{Kind, ValidWord};
use crate::header::TraceId;
use crate::record::{self, Recording, Request, Start, Turns, World};
use crate::state;

/// The checked bytecode of a code object, from the cache or now.
pub fn validated(code: CodeRef) -> Option<Arc<ValidatedCode>> {
    if let Some(known) = state::with(|s| s.code(code).validated.clone()) {
        return known;
    }
    let checked = match code.validate() {
        // Another time it can be seen, perhaps.
        Ok(Err(BadCode::Hidden { .. })) => return None,
        Ok(result) => result.ok().map(Arc::new),
        Err(()) => {
            // SAFETY: no memory for the copy of the bytecode; nobody is to know.
            unsafe { ffi::PyErr_Clear() };
            return None;
        }
    };
    state::with(|s| s.code(code).validated = Some(checked.clone()));
    checked
}

/// What the recorder asks, answered for one recording.
struct EngineWorld {
    thread: Thread,
    frame: FramePtr,
    code: CodeRef,
    code_version: u64,
    generation: u64,
    monitoring: u64,
    /// The trace that the recording goes on from.
    parent: Option<TraceId>,
}

impl EngineWorld {
    fn new(thread: Thread, frame: FramePtr, code: CodeRef, start: &Start) -> EngineWorld {
        EngineWorld {
            thread,
            frame,
            code,
            code_version: code.instrumentation_version(),
            generation: state::with(|s| s.generation),
            monitoring: poll::monitoring_version(thread),
            parent: match start {
                Start::Header(_) => None,
                Start::Side(side) => Some(side.parent),
            },
        }
    }
}

impl World for EngineWorld {
    fn validated(&self, code: CodeRef) -> Option<Arc<ValidatedCode>> {
        validated(code)
    }

    fn is_reachable(&self, code: CodeRef, header: u32, slots: &dyn Fn(u32) -> u64) -> bool {
        state::with(|s| {
            let Some(header) = s
                .codes
                .get(&code.as_ptr().addr())
                .and_then(|data| data.find(header))
            else {
                return false;
            };
            header.executors.iter().any(|&id| {
                s.traces.get(id).is_some_and(|t| {
                    t.compiled.is_at_home(self.frame)
                    // SAFETY: the recorder gives valid references or null.
                    && unsafe { t.compiled.accepts_link(slots) || t.compiled.accepts(slots) }
                })
            })
        })
    }

    fn may_inline(&self, code: CodeRef) -> bool {
        // What tools have changed everywhere a function takes note of when it begins.
        code.instrumentation_version() == self.monitoring
            && !attach::is_watched_by_others(self.thread, code)
            && state::with(|s| {
                s.codes
                    .get(&code.as_ptr().addr())
                    .is_none_or(|data| !data.do_not_inline)
            })
    }

    fn is_held(&self, function: u64) -> bool {
        state::with(|s| {
            let mut next = self.parent.and_then(|parent| s.traces.get(parent));
            while let Some(trace) = next {
                if trace.compiled.held.contains(&function) {
                    return true;
                }
                next = match trace.compiled.kind {
                    Kind::Root => None,
                    Kind::Side { parent, .. } => s.traces.get(parent),
                };
            }
            false
        })
    }

    fn comes_and_goes(&self, code: CodeRef) -> bool {
        state::with(|s| {
            let data = s.codes.get(&code.as_ptr().addr());
            data.is_some_and(|data| data.comes_and_goes)
        })
    }

    fn is_volatile(&self, dict: *mut PyObject, key: *mut PyObject) -> bool {
        state::with(|s| s.dependencies.is_volatile(dict.addr(), key.addr()))
    }

    fn is_unchanged(&self) -> bool {
        state::with(|s| s.on && s.generation == self.generation)
            && poll::monitoring_version(self.thread) == self.monitoring
            && self.code.instrumentation_version() == self.code_version
            && !attach::is_watched_by_others(self.thread, self.code)
    }
}

/// Whether this thread is recording: then nothing else is recorded on it.
pub fn is_recording(thread: Thread) -> bool {
    let address = thread.as_ptr().addr();
    state::with(|s| {
        s.notice_fork(address);
        s.recording.contains(&address)
    })
}

/// Records. `None` if the bytecode was refused.
///
/// # Safety
/// The frame is the running thread's current one, in a monitoring callback that has been left, and stands where `start` says.
pub unsafe fn record(
    thread: Thread,
    frame: FramePtr,
    code: CodeRef,
    start: Start,
    valid: &ValidWord,
    turns: Option<Turns>,
) -> Option<Recording> {
    let checked = validated(code)?;
    let address = thread.as_ptr().addr();
    let limits = state::with(|s| {
        s.stats.recordings += 1;
        s.recording.push(address);
        s.options.limits.clone()
    });
    let world = EngineWorld::new(thread, frame, code, &start);
    let request = Request {
        thread,
        frame,
        code,
        units: checked,
        start,
        max_uops: limits.trace_uops,
        max_inline_depth: limits.inline_depth,
        follow_unspecialised: limits.follow_unspecialised,
        valid_word: valid.address(),
        turns,
        world: &world,
        stop_after: state::with(|s| {
            // The stops go through all lengths in turn.
            s.options
                .stop_after
                .map(|limit| s.stats.recordings as u32 % limit.saturating_add(1))
        }),
    };
    let began = processor_time();
    // SAFETY: by the caller's promise.
    let recording = unsafe { record::record(request) };
    let took = processor_time().saturating_sub(began).as_nanos() as u64;
    state::with(|s| {
        s.recording.retain(|&t| t != address);
        s.stats.record_ns += took;
        s.stats.recorded_uops += recording.trace.insts.len() as u64;
    });
    Some(recording)
}
