//! Bytes that the engine keeps beside machine code: those of each trace (its instructions and snapshots, what its exits have to do and
//! where they find values, side traces and links), and those of the tables that all traces share (what they rely on, exit numbers,
//! headers with their counters, checked bytecode).
//!
//! Counted are the structures and all the room of their lists. Left out are what the allocator adds to each, the buffers that
//! compiling reuses, and the objects of the program that traces hold.

use std::collections::HashMap;

use serigraph_trace::ir::vec_bytes;

use crate::executor::{Compiled, Executor};
use crate::state::State;

/// The counts of an `Rc` or an `Arc`.
pub const REFERENCE_COUNTS: usize = 2 * size_of::<usize>();

/// Bytes that a hash table has room for: each entry has a byte of control beside it.
pub fn table_bytes<K, V, S>(table: &HashMap<K, V, S>) -> usize {
    table.capacity() * (size_of::<(K, V)>() + 1)
}

/// Bytes of a trace.
pub fn of_trace(executor: &Executor) -> usize {
    size_of::<Executor>()
        + vec_bytes(&executor.exits)
        + vec_bytes(&executor.sides)
        + vec_bytes(&executor.linked_from)
        + of_compiled(&executor.compiled)
}

fn of_compiled(compiled: &Compiled) -> usize {
    let images: usize = compiled
        .images
        .iter()
        .map(|image| size_of_val(&**image))
        .sum();
    let texts: usize = compiled.texts.iter().map(|(_, text)| text.capacity()).sum();
    REFERENCE_COUNTS
        + size_of::<Compiled>()
        + compiled.place.0.capacity()
        + compiled.trace.heap_bytes()
        + compiled.plans.heap_bytes()
        + vec_bytes(&compiled.exits)
        + compiled.machine.heap_bytes()
        + compiled.words.heap_bytes()
        + vec_bytes(&compiled.entry_checks)
        + vec_bytes(&compiled.link_checks)
        + vec_bytes(&compiled.constants)
        + vec_bytes(&compiled.borrowed)
        + vec_bytes(&compiled.held)
        + vec_bytes(&compiled.taken.borrow())
        + vec_bytes(&compiled.images)
        + images
        + vec_bytes(&compiled.texts)
        + texts
}

/// Bytes of all traces, thrown away ones too until they are freed, and of the tables.
pub fn of_all(state: &State) -> usize {
    let codes: usize = state.codes.values().map(|code| code.heap_bytes()).sum();
    state.traces.all().map(of_trace).sum::<usize>()
        + state.traces.heap_bytes()
        + state.dependencies.heap_bytes()
        + table_bytes(&state.codes)
        + codes
        // A set is a table without values.
        + (state.instrumented.capacity() + state.left_alone.capacity()) * (size_of::<usize>() + 1)
}
