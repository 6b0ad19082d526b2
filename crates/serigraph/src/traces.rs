//! The table of traces: their numbers, their exits, and when their code may be freed.

use std::ptr::NonNull;

use serigraph_stencil::CodeMemory;
use serigraph_trace::ir::vec_bytes;

use crate::executor::{Executor, Kind};
use crate::header::TraceId;
use crate::trace_table::TraceTable;

/// Which exit of which trace an exit number means.
#[derive(Clone, Copy, Debug)]
struct ExitRef {
    /// The trace; dangling once it is freed, but then its exits are taken no more.
    trace: NonNull<Executor>,
    /// The exit, as an index.
    index: u32,
}

/// An entry into machine code.
#[derive(Clone, Copy, Debug)]
struct Live {
    sequence: u64,
    /// The thread: the address of its state.
    thread: usize,
    /// The code object (its address) of the frame. All traces that one entry can come to are of this code.
    code: usize,
    /// It has not left machine code. Afterwards the frame is put together from what its trace names.
    is_inside: bool,
}

/// All traces that have been installed and not been freed.
#[derive(Debug, Default)]
pub struct Traces {
    table: TraceTable,
    retired: Vec<NonNull<Executor>>,
    exits: Vec<Option<ExitRef>>,
    /// Ranges of exit numbers that are free again: first, length; in order, and no two of them side by side.
    free_exits: Vec<(u32, u32)>,
    /// The entries into machine code that are not over yet.
    live: Vec<Live>,
    sequence: u64,
}

impl Traces {
    /// An empty table.
    pub const fn new() -> Traces {
        Traces {
            table: TraceTable::new(),
            retired: Vec::new(),
            exits: Vec::new(),
            free_exits: Vec::new(),
            live: Vec::new(),
            sequence: 0,
        }
    }

    /// The number the next trace will have. It counts as used.
    pub fn new_number(&mut self) -> TraceId {
        self.table.new_number()
    }

    /// A trace.
    #[inline]
    pub fn get(&self, id: TraceId) -> Option<&Executor> {
        let trace = self.table.get(id)?;
        // SAFETY: the table owns its traces; the borrow of the table keeps them from being freed or changed.
        Some(unsafe { trace.as_ref() })
    }

    /// A trace, to be changed.
    #[inline]
    pub fn get_mut(&mut self, id: TraceId) -> Option<&mut Executor> {
        let mut trace = self.table.get(id)?;
        // SAFETY: as above; the table is borrowed for changing.
        Some(unsafe { trace.as_mut() })
    }

    /// Every trace whose code exists, also when it was thrown away.
    pub fn all(&self) -> impl Iterator<Item = &Executor> {
        // SAFETY: as above; retired traces are owned by the table until they are freed.
        let of = |t: NonNull<Executor>| unsafe { &*t.as_ptr() };
        self.table.iter().map(of)
    }

    /// Every trace that may be entered.
    pub fn iter(&self) -> impl Iterator<Item = &Executor> {
        self.all().filter(|t| t.retired.is_none())
    }

    /// The root traces that may be entered.
    pub fn roots(&self) -> Vec<TraceId> {
        self.iter()
            .filter(|t| t.compiled.kind == Kind::Root)
            .map(|t| t.compiled.id)
            .collect()
    }

    /// Whether there is no trace at all, and no code that anything may return into.
    pub fn is_empty(&self) -> bool {
        self.table.iter().next().is_none() && self.live.is_empty()
    }

    /// Bytes of the tables, as far as they have room; without the traces.
    pub fn heap_bytes(&self) -> usize {
        self.table.heap_bytes()
            + vec_bytes(&self.retired)
            + vec_bytes(&self.exits)
            + vec_bytes(&self.free_exits)
            + vec_bytes(&self.live)
    }

    /// Numbers for the exits of a new trace.
    pub fn reserve_exits(&mut self, count: u32) -> u32 {
        if let Some(at) = self
            .free_exits
            .iter()
            .position(|&(_, length)| length >= count)
        {
            let (first, length) = self.free_exits[at];
            if length == count {
                self.free_exits.remove(at);
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
            let at = self.free_exits.partition_point(|range| range.0 < first);
            self.free_exits.insert(at, (first, count));
            self.join_free_exits(at);
            if let Some(before) = at.checked_sub(1) {
                self.join_free_exits(before);
            }
        }
    }

    /// Makes a free range and the next one a single one, if they lie side by side.
    fn join_free_exits(&mut self, at: usize) {
        if let [(first, length), (next, more), ..] = self.free_exits[at..]
            && first + length == next
        {
            self.free_exits[at].1 += more;
            self.free_exits.remove(at + 1);
        }
    }

    /// The exit of a number: its trace, and its index there.
    #[inline]
    pub fn exit(&mut self, number: u32) -> Option<(&mut Executor, u32)> {
        let mut exit = self.exits.get(number as usize).copied().flatten()?;
        // SAFETY: an exit in the table belongs to a trace in the table.
        Some((unsafe { exit.trace.as_mut() }, exit.index))
    }

    /// Takes a finished trace into the table.
    pub fn install(&mut self, executor: Executor) {
        let compiled = executor.compiled.clone();
        if let Kind::Side { parent, exit } = compiled.kind
            && let Some(parent) = self.get_mut(parent)
        {
            parent.sides.push(compiled.id);
            parent.exits[exit as usize].side = Some(compiled.id);
        }
        if let Some(target) = compiled.links_to.and_then(|t| self.get_mut(t)) {
            target.linked_from.push(compiled.id);
        }
        let trace = NonNull::from(Box::leak(Box::new(executor)));
        for index in 0..compiled.exits.len() as u32 {
            self.exits[(compiled.first_exit + index) as usize] = Some(ExitRef { trace, index });
        }
        self.table.insert(compiled.id, trace);
    }

    /// A thread goes into machine code; the result is for [`Self::leave`].
    #[inline]
    pub fn enter(&mut self, thread: usize, code: usize) -> u64 {
        self.sequence += 1;
        self.live.push(Live {
            sequence: self.sequence,
            thread,
            code,
            is_inside: true,
        });
        self.sequence
    }

    /// Whether objects that a trace of this code object names may be in use by an entry.
    pub fn is_live(&self, code: usize) -> bool {
        self.live.iter().any(|l| l.code == code)
    }

    /// Whether any thread is in machine code.
    pub fn is_running(&self) -> bool {
        self.live.iter().any(|l| l.is_inside)
    }

    /// After a fork: only this thread is left.
    pub fn keep_thread(&mut self, thread: usize) {
        self.live.retain(|l| l.thread == thread);
    }

    /// It is out again; what its trace names is still used.
    #[inline]
    pub fn leave(&mut self, sequence: u64) {
        if let Some(live) = self.live.iter_mut().rfind(|l| l.sequence == sequence) {
            live.is_inside = false;
        }
    }

    /// After [`Self::leave`]: the interpreter goes on, and the trace is not needed any more.
    #[inline]
    pub fn end(&mut self, sequence: u64) {
        if let Some(at) = self.live.iter().rposition(|l| l.sequence == sequence) {
            self.live.swap_remove(at);
        }
    }

    /// Marks a trace as thrown away. Its code lives on until nothing can return into it. False if it was already, or does not exist.
    pub fn retire(&mut self, id: TraceId) -> bool {
        let sequence = self.sequence;
        let Some(trace) = self.get_mut(id).filter(|t| t.retired.is_none()) else {
            return false;
        };
        trace.retired = Some(sequence);
        trace.compiled.words.valid.break_it();
        let pointer = NonNull::from(trace);
        self.retired.push(pointer);
        true
    }

    /// Whether there is code to free.
    #[inline]
    pub fn has_retired(&self) -> bool {
        !self.retired.is_empty()
    }

    /// Frees the code of retired traces that nothing can return into. What is returned has to be dropped outside
    /// the state: it releases objects.
    #[must_use]
    pub fn collect(&mut self, memory: &mut Option<CodeMemory>) -> Vec<Executor> {
        let mut freed = Vec::new();
        loop {
            let position = self.retired.iter().position(|t| {
                // SAFETY: retired traces are owned by the table until they are freed here.
                let t = unsafe { t.as_ref() };
                let code = t.compiled.code.as_ptr().addr();
                let can_return = |l: &Live| {
                    l.is_inside
                        && l.code == code
                        && t.retired.is_some_and(|last| l.sequence <= last)
                };
                !t.is_pinned && t.linked_from.is_empty() && !self.live.iter().any(can_return)
            });
            let Some(position) = position else { break };
            let pointer = self.retired.swap_remove(position);
            // SAFETY: it was leaked from a box by `install`, is in no list any more, and nothing refers to it.
            let executor = *unsafe { Box::from_raw(pointer.as_ptr()) };
            let compiled = &executor.compiled;
            self.table.remove(compiled.id);
            self.release_exits(compiled.first_exit, compiled.exits.len() as u32);
            if let Some(memory) = memory {
                memory.free(compiled.machine.code.block());
            }
            if let Some(target) = compiled.links_to.and_then(|t| self.get_mut(t)) {
                target.linked_from.retain(|&t| t != compiled.id);
            }
            freed.push(executor);
        }
        freed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_exits_are_used_again_whatever_the_order() {
        let mut traces = Traces::new();
        let ranges: Vec<(u32, u32)> = [5, 3, 8, 1, 9]
            .map(|count| (traces.reserve_exits(count), count))
            .to_vec();
        for at in [3, 0, 4, 2, 1] {
            let (first, count) = ranges[at];
            traces.release_exits(first, count);
        }
        assert_eq!(traces.free_exits, [(0, 26)]);
        assert_eq!(traces.reserve_exits(26), 0);
        assert_eq!(traces.reserve_exits(1), 26);
    }
}
