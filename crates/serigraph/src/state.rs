//! The state of the engine, and the life of traces in it.

use std::collections::HashMap;
use std::hash::BuildHasherDefault;
use std::ptr::NonNull;

use serigraph_cpython::code::CodeRef;
use serigraph_stencil::CodeMemory;
use serigraph_uops::Reason;

use crate::dependencies::Dependencies;
use crate::executor::{Executor, Kind};
use crate::gil::GilCell;
use crate::header::{ByAddress, CodeData, TraceId};
use crate::log;
use crate::options::Options;
use crate::stats::Stats;

/// Which exit of which trace an exit number means.
#[derive(Clone, Copy, Debug)]
pub struct ExitRef {
    /// The trace; dangling once it is freed, but then its exits are taken no more.
    pub executor: NonNull<Executor>,
    /// The exit, as an index.
    pub index: u32,
}

/// A thread that is in machine code, or in something called from there.
#[derive(Clone, Copy, Debug)]
struct Live {
    sequence: u64,
}

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
    traces: Vec<Option<NonNull<Executor>>>,
    retired: Vec<NonNull<Executor>>,
    exits: Vec<Option<ExitRef>>,
    /// Ranges of exit numbers that are free again: first, length.
    free_exits: Vec<(u32, u32)>,
    live: Vec<Live>,
    sequence: u64,
}

static STATE: GilCell<Option<State>> = GilCell::new(None);

/// Works on the engine's state. The GIL must be held, and `f` must not call out: see [`GilCell::with`].
#[inline]
pub fn with<R>(f: impl FnOnce(&mut State) -> R) -> R {
    // SAFETY: the engine runs under the GIL only, and callers keep to the rule.
    unsafe { STATE.with(|state| f(state.get_or_insert_with(State::new))) }
}

impl State {
    fn new() -> State {
        State {
            on: false,
            generation: 0,
            options: Options::default(),
            stats: Stats::default(),
            codes: HashMap::with_hasher(BuildHasherDefault::new()),
            dependencies: Dependencies::new(),
            memory: None,
            recording: Vec::new(),
            traces: Vec::new(),
            retired: Vec::new(),
            exits: Vec::new(),
            free_exits: Vec::new(),
            live: Vec::new(),
            sequence: 0,
        }
    }

    /// The number the next trace will have. It counts as used.
    pub fn new_trace(&mut self) -> TraceId {
        self.traces.push(None);
        self.traces.len() as TraceId - 1
    }

    /// A trace that has been installed and not been freed.
    #[inline]
    pub fn trace(&self, id: TraceId) -> Option<&Executor> {
        // SAFETY: the table owns its traces; the borrow of the state keeps them from being freed.
        self.traces.get(id as usize).copied().flatten().map(|t| unsafe { t.as_ref() })
    }

    /// As [`Self::trace`], to be changed.
    #[inline]
    pub fn trace_mut(&mut self, id: TraceId) -> Option<&mut Executor> {
        // SAFETY: as above; the state is borrowed for changing.
        self.traces.get(id as usize).copied().flatten().map(|mut t| unsafe { t.as_mut() })
    }

    /// Every trace that may be entered.
    pub fn traces(&self) -> impl Iterator<Item = &Executor> {
        // SAFETY: as above.
        self.traces.iter().flatten().map(|t| unsafe { t.as_ref() }).filter(|t| t.retired.is_none())
    }

    /// The address of a trace, for use outside the state while it is entered or pinned.
    #[inline]
    pub fn pointer(&self, id: TraceId) -> Option<NonNull<Executor>> {
        self.traces.get(id as usize).copied().flatten()
    }

    /// Numbers for the exits of a new trace.
    pub fn reserve_exits(&mut self, count: u32) -> u32 {
        if let Some(at) = self.free_exits.iter().position(|&(_, length)| length >= count) {
            let (first, length) = self.free_exits[at];
            if length == count {
                self.free_exits.swap_remove(at);
            } else {
                self.free_exits[at] = (first + count, length - count);
            }
            return first;
        }
        let first = self.exits.len() as u32;
        self.exits.resize(self.exits.len() + count as usize, None);
        first
    }

    /// Gives numbers of exits back.
    pub fn release_exits(&mut self, first: u32, count: u32) {
        if count != 0 {
            self.exits[first as usize..(first + count) as usize].fill(None);
            self.free_exits.push((first, count));
        }
    }

    /// The exit of a number.
    #[inline]
    pub fn exit(&self, number: u32) -> Option<ExitRef> {
        self.exits.get(number as usize).copied().flatten()
    }

    /// Takes a finished trace into the tables, so that it can be entered.
    pub fn install(&mut self, executor: Executor) -> NonNull<Executor> {
        let (id, first, count) = (executor.id, executor.first_exit, executor.exits.len() as u32);
        self.stats.code_bytes += executor.code_size() as u64;
        match executor.kind {
            Kind::Root => self.stats.root_traces += 1,
            Kind::Side { parent, exit } => {
                self.stats.side_traces += 1;
                if let Some(parent) = self.trace_mut(parent) {
                    parent.sides.push(id);
                    parent.exits[exit as usize].side = Some(id);
                }
            }
        }
        if let Some(target) = executor.links_to.and_then(|t| self.trace_mut(t)) {
            target.linked_from.push(id);
        }
        let pointer = NonNull::from(Box::leak(Box::new(executor)));
        for index in 0..count {
            self.exits[(first + index) as usize] = Some(ExitRef { executor: pointer, index });
        }
        self.traces[id as usize] = Some(pointer);
        pointer
    }

    /// A thread goes into machine code; the result is for [`Self::leave`].
    #[inline]
    pub fn enter(&mut self) -> u64 {
        self.sequence += 1;
        self.live.push(Live { sequence: self.sequence });
        self.sequence
    }

    /// It is out again.
    #[inline]
    pub fn leave(&mut self, sequence: u64) {
        if let Some(at) = self.live.iter().rposition(|l| l.sequence == sequence) {
            self.live.swap_remove(at);
        }
    }

    /// Throws a trace away, with everything that hangs on it: its side traces and the traces that end in a link to it. They are
    /// not entered any more; running ones leave at their next check. The code lives on until nothing can return into it.
    pub fn retire(&mut self, id: TraceId, reason: Reason) {
        let mut pending = vec![id];
        while let Some(id) = pending.pop() {
            let sequence = self.sequence;
            let Some(trace) = self.trace_mut(id) else { continue };
            if trace.retired.is_some() {
                continue;
            }
            trace.retired = Some(sequence);
            trace.valid.break_it();
            pending.extend_from_slice(&trace.sides);
            pending.extend_from_slice(&trace.linked_from);
            let (kind, code, ip, pointer) = (trace.kind, trace.code, trace.ip, NonNull::from(&mut *trace));
            log!(Info, "trace {id} at {}:{} thrown away: {}", trace.place.0, trace.place.1, reason.text());
            self.stats.discarded.count(reason);
            match kind {
                Kind::Root => {
                    let limits = &self.options.limits;
                    if let Some(data) = self.codes.get_mut(&code.as_ptr().addr())
                        && let Some(header) = data.find_mut(ip)
                    {
                        header.discarded(id, limits);
                    }
                }
                Kind::Side { parent, exit } => self.unlink(parent, exit, id),
            }
            self.dependencies.forget(id);
            self.retired.push(pointer);
        }
    }

    /// Makes an exit leave again instead of going on in a side trace.
    fn unlink(&mut self, parent: TraceId, exit: u32, side: TraceId) {
        let Some(mut pointer) = self.pointer(parent) else { return };
        // SAFETY: the table owns the trace; nothing else refers to it while the state is borrowed.
        let parent = unsafe { pointer.as_mut() };
        parent.sides.retain(|&t| t != side);
        let exit = &mut parent.exits[exit as usize];
        if exit.side == Some(side) {
            exit.side = None;
            exit.counter = 0;
            exit.attempts += 1;
            if let Some(memory) = &mut self.memory
                && let Err(error) = parent.machine.unlink(memory, exit.label)
            {
                // The side trace stays reachable; its own checks make it leave, and its code is never freed.
                log!(Error, "trace {} cannot be unlinked: {error}", side);
                parent.pins += 1;
                let side = self.trace_mut(side);
                if let Some(side) = side {
                    side.pins += 1;
                }
            }
        }
    }

    /// Frees the code of retired traces that nothing can return into. What is returned has to be dropped outside
    /// the state: it releases objects.
    #[must_use]
    pub fn collect(&mut self) -> Vec<Box<Executor>> {
        let oldest = self.live.iter().map(|l| l.sequence).min().unwrap_or(u64::MAX);
        let mut freed = Vec::new();
        loop {
            let position = self.retired.iter().position(|t| {
                // SAFETY: retired traces are owned by the list until they are freed here.
                let t = unsafe { t.as_ref() };
                t.pins == 0 && t.linked_from.is_empty() && t.retired.is_some_and(|sequence| oldest > sequence)
            });
            let Some(position) = position else { break };
            let pointer = self.retired.swap_remove(position);
            // SAFETY: it was leaked from a box by `install`, is in no list any more, and nothing refers to it.
            let executor = unsafe { Box::from_raw(pointer.as_ptr()) };
            self.traces[executor.id as usize] = None;
            self.release_exits(executor.first_exit, executor.exits.len() as u32);
            self.stats.code_bytes = self.stats.code_bytes.saturating_sub(executor.code_size() as u64);
            if let Some(memory) = &mut self.memory {
                memory.free(executor.machine.block());
            }
            if let Some(target) = executor.links_to
                && let Some(target) = self.trace_mut(target)
            {
                target.linked_from.retain(|&t| t != executor.id);
            }
            freed.push(executor);
        }
        freed
    }

    /// Whether there is code to free.
    #[inline]
    pub fn has_retired(&self) -> bool {
        !self.retired.is_empty()
    }

    /// What is known of a code object.
    #[inline]
    pub fn code(&mut self, code: CodeRef) -> &mut CodeData {
        self.codes.entry(code.as_ptr().addr()).or_default()
    }
}
