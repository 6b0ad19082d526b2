//! Traces by number. A number is never used again, so the table has pages, and those without traces are given back.

use std::ptr::NonNull;

use crate::executor::Executor;
use crate::header::TraceId;

/// Traces on a page.
const SIZE: usize = 64;

#[derive(Debug)]
struct Page {
    traces: [Option<NonNull<Executor>>; SIZE],
    used: usize,
}

/// The addresses of all traces that exist.
#[derive(Debug, Default)]
pub struct TraceTable {
    pages: Vec<Option<Box<Page>>>,
    next: TraceId,
}

fn place(id: TraceId) -> (usize, usize) {
    (id as usize / SIZE, id as usize % SIZE)
}

impl TraceTable {
    /// None.
    pub const fn new() -> TraceTable {
        TraceTable {
            pages: Vec::new(),
            next: 0,
        }
    }

    /// The number the next trace will have. It counts as used.
    pub fn new_number(&mut self) -> TraceId {
        self.next += 1;
        self.next - 1
    }

    /// The trace of a number, if there is one.
    #[inline]
    pub fn get(&self, id: TraceId) -> Option<NonNull<Executor>> {
        let (page, at) = place(id);
        self.pages.get(page)?.as_ref()?.traces[at]
    }

    /// Takes a trace in, under a new number.
    pub fn insert(&mut self, id: TraceId, trace: NonNull<Executor>) {
        let (page, at) = place(id);
        if self.pages.len() <= page {
            self.pages.resize_with(page + 1, || None);
        }
        let page = self.pages[page].get_or_insert_with(|| {
            Box::new(Page {
                traces: [None; SIZE],
                used: 0,
            })
        });
        page.used += usize::from(page.traces[at].replace(trace).is_none());
    }

    /// Takes a trace out.
    pub fn remove(&mut self, id: TraceId) {
        let (number, at) = place(id);
        let Some(Some(page)) = self.pages.get_mut(number) else {
            return;
        };
        page.used -= usize::from(page.traces[at].take().is_some());
        if page.used == 0 {
            self.pages[number] = None;
        }
    }

    /// All traces, by number.
    pub fn iter(&self) -> impl Iterator<Item = NonNull<Executor>> + '_ {
        let pages = self.pages.iter().flatten();
        pages.flat_map(|page| page.traces.iter().flatten().copied())
    }

    /// Bytes of the table.
    pub fn heap_bytes(&self) -> usize {
        self.pages.capacity() * size_of::<Option<Box<Page>>>()
            + self.pages.iter().flatten().count() * size_of::<Page>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_without_traces_are_given_back() {
        let mut table = TraceTable::new();
        let trace = NonNull::dangling();
        let kept = table.new_number();
        table.insert(kept, trace);
        let small = table.heap_bytes();
        for _ in 0..20 * SIZE {
            let id = table.new_number();
            assert_eq!(table.get(id), None);
            table.insert(id, trace);
            assert_eq!(table.iter().count(), 2);
            table.remove(id);
            assert_eq!(table.get(id), None);
        }
        assert_eq!(table.get(kept), Some(trace));
        assert!(table.heap_bytes() < small + 100 * size_of::<usize>());
        table.remove(kept);
        assert_eq!(table.iter().count(), 0);
        table.remove(kept);
    }
}
