//! The state of the engine.

use std::collections::HashMap;
use std::hash::BuildHasherDefault;

use serigraph_cpython::code::CodeRef;
use serigraph_emit::Emitter;
use serigraph_stencil::CodeMemory;
use serigraph_trace::exit::Scratch;
use serigraph_trace::regalloc::Allocator;
use serigraph_uops::Reason;

use crate::dependencies::{AddressSet, Dependencies};
use crate::executor::{Executor, Kind};
use crate::gil::GilCell;
use crate::header::{ByAddress, CodeData, TraceId};
use crate::options::Options;
use crate::sleepers::Sleepers;
use crate::stats::Stats;
use crate::traces::Traces;
use crate::{log, metadata};

/// Everything the engine knows.
pub struct State {
    /// Serigraph is switched on.
    pub on: bool,
    /// Counts `enable()` and `disable()`.
    pub generation: u64,
    /// The settings.
    pub options: Options,
    /// Counters.
    pub stats: Stats,
    /// What is known of code objects.
    pub codes: ByAddress<CodeData>,
    /// What traces rely on.
    pub dependencies: Dependencies,
    /// Where machine code lives.
    pub memory: Option<CodeMemory>,
    /// Thread states (addresses) with an active recording.
    pub recording: Vec<usize>,
    /// The process all this belongs to.
    process: u32,
    /// Bytes that traces take beside their code, as they were installed.
    pub metadata: usize,
    /// Code objects (addresses) that have JUMP events.
    pub instrumented: AddressSet,
    /// Code objects (addresses) that get none, as the program traces their instructions.
    pub left_alone: AddressSet,
    /// All events were taken off, as a tool got such that ours stand in the way of, everywhere.
    pub is_taken_everywhere: bool,
    /// Headers whose events are off for a while.
    pub sleepers: Sleepers,
    /// The traces.
    pub traces: Traces,
    /// Makes machine code; kept for its buffers.
    pub emitter: Option<Emitter>,
    /// What restoring a frame needs; kept for its buffers, and away while it is used.
    pub scratch: Scratch,
    /// Chooses registers; kept for its buffers, and lent while it works.
    pub allocator: Option<Allocator>,
}

static STATE: GilCell<Option<State>> = GilCell::new(None);

/// Works on the engine's state. The GIL must be held, and `f` must not call out: see [`GilCell::with`].
#[inline]
pub fn with<R>(f: impl FnOnce(&mut State) -> R) -> R {
    // SAFETY: the engine runs under the GIL only, and callers keep to the rule.
    unsafe {
        STATE.with(|state| {
            if state.is_none() {
                State::begin(state);
            }
            let Some(state) = state else {
                unreachable!("it has just begun")
            };
            f(state)
        })
    }
}

/// The state as it is at a crash, perhaps in the middle of a change.
///
/// # Safety
/// Only in a signal handler that ends the process, which may find anything.
pub unsafe fn for_crash_report() -> Option<&'static State> {
    // SAFETY: by the caller's promise.
    unsafe { (*STATE.as_ptr()).as_ref() }
}

impl State {
    /// Makes the first state. Apart, so that looking at one that exists stays small.
    #[cold]
    fn begin(state: &mut Option<State>) {
        *state = Some(State {
            on: false,
            generation: 0,
            options: Options::default(),
            stats: Stats::default(),
            codes: HashMap::with_hasher(BuildHasherDefault::new()),
            dependencies: Dependencies::new(),
            memory: None,
            recording: Vec::new(),
            process: std::process::id(),
            metadata: 0,
            instrumented: AddressSet::default(),
            left_alone: AddressSet::default(),
            is_taken_everywhere: false,
            sleepers: Sleepers::new(),
            traces: Traces::new(),
            emitter: None,
            scratch: Scratch::default(),
            allocator: None,
        });
    }

    /// After a fork, forgets the threads that are no more. To be called by the running thread before what they were doing
    /// matters.
    pub fn notice_fork(&mut self, thread: usize) {
        let process = std::process::id();
        if process != self.process {
            self.process = process;
            self.recording.retain(|&t| t == thread);
            self.traces.keep_thread(thread);
        }
    }

    /// Throws away the trees that were not entered since this was done last; true if there were any. Their memory comes back with
    /// [`Self::collect`].
    pub fn evict(&mut self) -> bool {
        let mut cold = Vec::new();
        for id in self.traces.roots() {
            if let Some(root) = self.traces.get_mut(id) {
                if root.entered == root.entered_before {
                    cold.push(id);
                }
                root.entered_before = root.entered;
            }
        }
        for &id in &cold {
            self.retire(id, Reason::Evicted);
        }
        !cold.is_empty()
    }

    /// What is known of a code object.
    #[inline]
    pub fn code(&mut self, code: CodeRef) -> &mut CodeData {
        self.codes.entry(code.as_ptr().addr()).or_default()
    }

    /// Wakes the headers whose time has come; the code objects (addresses) that need their events again.
    pub fn wake(&mut self) -> Vec<usize> {
        let due = self.sleepers.take_due(self.stats.jump_events);
        let mut codes = Vec::with_capacity(due.len());
        for (code, ip) in due {
            // Of a code object that has died there are no data.
            let header = self.codes.get_mut(&code).and_then(|data| data.find_mut(ip));
            if let Some(header) = header {
                header.wake(&self.options.limits);
                codes.push(code);
            }
        }
        codes.retain(|code| self.instrumented.contains(code));
        codes.sort_unstable();
        codes.dedup();
        codes
    }

    /// Takes a finished trace into the tables, so that it can be entered.
    pub fn install(&mut self, mut executor: Executor) {
        executor.metadata = metadata::of_trace(&executor);
        self.stats.code_bytes += executor.compiled.code_size() as u64;
        self.metadata += executor.metadata;
        match executor.compiled.kind {
            Kind::Root => self.stats.root_traces += 1,
            Kind::Side { .. } => self.stats.side_traces += 1,
        }
        self.traces.install(executor);
    }

    /// Throws a trace away, with everything that hangs on it: its side traces and the traces that end in a link to it. They are
    /// not entered any more; running ones leave at their next check. The code lives on until nothing can return into it.
    pub fn retire(&mut self, id: TraceId, reason: Reason) {
        let mut pending = vec![id];
        while let Some(id) = pending.pop() {
            if !self.traces.retire(id) {
                continue;
            }
            let Some(trace) = self.traces.get(id) else {
                continue;
            };
            pending.extend_from_slice(&trace.sides);
            pending.extend_from_slice(&trace.linked_from);
            let compiled = trace.compiled.clone();
            // The watchers tell before anything dies.
            if self.traces.is_live(compiled.code.as_ptr().addr()) {
                compiled.take_borrowed();
            }
            let is_comparison = trace.payoff.is_comparison();
            let entered = trace.entered;
            log!(
                Info,
                "trace {id} at {}:{} thrown away: {}",
                compiled.place.0,
                compiled.place.1,
                reason.text()
            );
            self.stats.discarded.count(reason);
            let is_no_fault = matches!(
                reason,
                Reason::ToolsActive | Reason::MemoryTraced | Reason::RecursionLimit
            );
            match compiled.kind {
                Kind::Root => {
                    if let Some(data) = self.codes.get_mut(&compiled.code.as_ptr().addr())
                        && let Some(header) = data.find_mut(compiled.ip)
                    {
                        if reason == Reason::NotPaying {
                            // It will hardly pay the next time; where turns were compared, not at all.
                            header.attempts += match is_comparison {
                                true => self.options.limits.header_attempts,
                                false => 1,
                            };
                        }
                        let entered = (reason == Reason::NotPaying).then_some(entered);
                        let events = self.stats.jump_events;
                        match is_no_fault {
                            true => header.withdrawn(id),
                            false => header.discarded(id, &self.options.limits, events, entered),
                        }
                    }
                }
                Kind::Side { parent, exit } => self.unlink(parent, exit, id, is_no_fault),
            }
            self.dependencies.forget(id);
        }
    }

    /// Makes an exit leave again instead of going on in a side trace.
    fn unlink(&mut self, parent: TraceId, exit: u32, side: TraceId, is_no_fault: bool) {
        let Some(parent) = self.traces.get_mut(parent) else {
            return;
        };
        parent.sides.retain(|&t| t != side);
        let state = &mut parent.exits[exit as usize];
        if state.side != Some(side) {
            return;
        }
        state.side = None;
        state.counter = 0;
        state.attempts += u32::from(!is_no_fault);
        let compiled = &parent.compiled;
        if let Some(memory) = &mut self.memory
            && let Err(error) = compiled.machine.unlink_exit(memory, exit as usize)
        {
            // The side trace stays reachable; its own checks make it leave, and its code is never freed.
            log!(Error, "trace {side} cannot be unlinked: {error}");
            parent.is_pinned = true;
            if let Some(side) = self.traces.get_mut(side) {
                side.is_pinned = true;
            }
        }
    }

    /// Frees what can be freed; see [`Traces::collect`].
    #[must_use]
    pub fn collect(&mut self) -> Vec<Executor> {
        let freed = self.traces.collect(&mut self.memory);
        for executor in &freed {
            self.stats.code_bytes = self
                .stats
                .code_bytes
                .saturating_sub(executor.compiled.code_size() as u64);
            self.metadata = self.metadata.saturating_sub(executor.metadata);
        }
        freed
    }
}
