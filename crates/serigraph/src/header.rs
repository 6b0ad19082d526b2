//! Loop headers and their counters: what the engine knows about each code object that has a back edge.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::Arc;

use serigraph_cpython::bytecode::ValidatedCode;
use serigraph_trace::ir::vec_bytes;

use crate::limits::Limits;
use crate::metadata::REFERENCE_COUNTS;
use crate::pace::{self, Pace};
use crate::payoff::Entries;
use crate::sleepers::Rest;

/// The number of a trace; never used again for another.
pub type TraceId = u32;

/// A loop header: the target of at least one back edge.
#[derive(Debug)]
pub struct Header {
    /// Its instruction, in code units.
    pub ip: u32,
    /// Back edges taken to it, or counted inside traces, since the last attempt.
    pub counter: u32,
    /// The counter value at which it is recorded next.
    pub due: u32,
    /// Recordings that failed.
    pub attempts: u32,
    /// Recordings that began where the loop was just about to end, since the last that did not.
    pub ended: u32,
    /// Given up: never recorded again.
    pub blacklisted: bool,
    /// Whether its events are on.
    sleep: Sleep,
    /// Back edges that the whole program had taken at the last attempt.
    attempted_at: u64,
    /// Root traces that begin here, with different entry types; the newest first.
    pub executors: Vec<TraceId>,
    /// Whether they are entered.
    pub entries: Entries,
    /// How long a turn takes in the interpreter.
    pub pace: Pace,
}

/// Whether a header is left alone for a while.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Sleep {
    /// It is counted.
    Awake,
    /// Its events are to be switched off for a while.
    Tired(Rest),
    /// Its events are off, and it is among the [`Sleepers`](crate::sleepers::Sleepers).
    Asleep,
    /// It is given up for good, and the others are to be woken.
    Leaving,
}

/// What a header's count asks for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Due {
    /// Nothing yet.
    Wait,
    /// More than counting: a clock to be read, a recording, or a trace to be entered.
    Look,
    /// Its events may be switched off.
    Never,
    /// Its events may be switched off for a while.
    Sleep(Rest),
    /// Its events may be switched off, and those who sleep are to be woken.
    Leave,
    /// Some sleeping headers are to be woken.
    Wake,
}

impl Header {
    /// A header that has been seen for the first time.
    pub fn new(ip: u32, limits: &Limits) -> Header {
        Header {
            ip,
            counter: 0,
            due: limits.hot_header,
            attempts: 0,
            ended: 0,
            blacklisted: false,
            sleep: Sleep::Awake,
            attempted_at: 0,
            executors: Vec::new(),
            entries: Entries::default(),
            pace: Pace::default(),
        }
    }

    /// Counts one back edge.
    #[inline]
    pub fn count(&mut self) -> Due {
        if self.blacklisted || self.sleep != Sleep::Awake {
            return self.count_no_more();
        }
        self.counter = self.counter.saturating_add(1);
        if self.counter.saturating_add(pace::watched(self.due)) >= self.due {
            Due::Look
        } else {
            Due::Wait
        }
    }

    /// What is to be done at a back edge that is not counted.
    #[cold]
    fn count_no_more(&mut self) -> Due {
        if !self.executors.is_empty() {
            return Due::Wait;
        }
        match self.sleep {
            Sleep::Tired(rest) => {
                self.sleep = Sleep::Asleep;
                Due::Sleep(rest)
            }
            Sleep::Leaving => {
                self.sleep = Sleep::Awake;
                Due::Leave
            }
            Sleep::Asleep | Sleep::Awake => Due::Never,
        }
    }

    /// Its events are on again: it is recorded as soon as its turns have been timed.
    pub fn wake(&mut self, limits: &Limits) {
        self.sleep = Sleep::Awake;
        self.due = limits.hot_header;
        self.counter = self.due - pace::watched(self.due).max(1);
    }

    /// Whether it is to be recorded now, not just to be looked at.
    pub fn is_due(&self) -> bool {
        self.counter >= self.due
    }

    /// A recording from here gave no trace, when the whole program had taken `events` back edges: the next waits longer, and
    /// after the last none is made.
    pub fn failed(&mut self, limits: &Limits, events: u64) {
        let own = self.counter.into();
        self.failed_as_one(limits, events, Some(own));
    }

    /// As [`Self::failed`]; `own`: how many back edges were taken here since the last attempt, if that is known.
    fn failed_as_one(&mut self, limits: &Limits, events: u64, own: Option<u64>) {
        let all = events - std::mem::replace(&mut self.attempted_at, events);
        let is_one_of_many = own.is_some_and(|own| own < all / 2) && self.executors.is_empty();
        self.attempts += 1;
        self.counter = 0;
        self.pace.clear();
        if is_one_of_many && self.attempts >= limits.attempts_awake {
            self.sleep = Sleep::Tired(limits.rest(self.attempts));
        } else if self.attempts >= limits.header_attempts {
            self.blacklisted = true;
            self.sleep = Sleep::Leaving;
        } else {
            self.due = Limits::after_attempts(limits.hot_header, self.attempts);
        }
    }

    /// A recording began where the loop was just about to end: the next back edge, which is the first of the loop's next run,
    /// is a better place. (A loop of 16 turns is about to end at each multiple of 16.) A few times in a row it is a
    /// failure like any other.
    pub fn ended(&mut self, limits: &Limits, events: u64) {
        const IN_A_ROW: u32 = 4;
        self.ended += 1;
        if self.ended < IN_A_ROW {
            self.counter = self.due.saturating_sub(1);
        } else {
            self.ended = 0;
            self.failed(limits, events);
        }
    }

    /// A recording from here has to wait for no fault of its own.
    pub fn postpone(&mut self) {
        self.counter = 0;
    }

    /// A root trace was made here. Values of other types arriving later are counted anew.
    pub fn compiled(&mut self, trace: TraceId, limits: &Limits) {
        self.executors.insert(0, trace);
        self.counter = 0;
        self.sleep = Sleep::Awake;
        if self.executors.len() >= limits.peers {
            self.blacklisted = true;
        }
    }

    /// A root trace is no more for no fault of its own: the header is counted anew.
    pub fn withdrawn(&mut self, trace: TraceId) {
        self.executors.retain(|&t| t != trace);
        self.counter = 0;
    }

    /// A root trace is no more. The header may be recorded again, after a longer wait each time. `entered`: how often it was
    /// entered, if it goes because it does not pay; else how much of the program it is cannot be told from back edges.
    pub fn discarded(
        &mut self,
        trace: TraceId,
        limits: &Limits,
        events: u64,
        entered: Option<u64>,
    ) {
        self.executors.retain(|&t| t != trace);
        self.failed_as_one(limits, events, entered);
    }
}

/// What the engine knows about a code object.
#[derive(Debug, Default)]
pub struct CodeData {
    /// Its headers, in the order in which they were first seen.
    headers: Vec<Header>,
    /// Its checked bytecode, once asked for; `Some(None)`: it was refused.
    pub validated: Option<Option<Arc<ValidatedCode>>>,
    /// A recording that met a call of it found a loop inside: it is called, not inlined.
    pub do_not_inline: bool,
    /// Functions with this code have died while a trace relied on one.
    pub comes_and_goes: bool,
}

impl CodeData {
    /// The header at an instruction, made at first sight.
    #[inline]
    pub fn header(&mut self, ip: u32, limits: &Limits) -> &mut Header {
        let at = match self.headers.iter().position(|h| h.ip == ip) {
            Some(at) => at,
            None => {
                self.headers.push(Header::new(ip, limits));
                self.headers.len() - 1
            }
        };
        &mut self.headers[at]
    }

    /// Bytes of its headers and of its checked bytecode, as far as they have room.
    pub fn heap_bytes(&self) -> usize {
        let lists = self.headers.iter().map(|h| vec_bytes(&h.executors));
        let validated = self
            .validated
            .iter()
            .flatten()
            .map(|code| REFERENCE_COUNTS + size_of_val(&**code) + code.heap_bytes());
        vec_bytes(&self.headers) + lists.sum::<usize>() + validated.sum::<usize>()
    }

    /// The root traces that begin in this code.
    pub fn traces(&self) -> Vec<TraceId> {
        self.headers
            .iter()
            .flat_map(|h| h.executors.iter().copied())
            .collect()
    }

    /// As [`Self::find`], to be changed.
    #[inline]
    pub fn find_mut(&mut self, ip: u32) -> Option<&mut Header> {
        self.headers.iter_mut().find(|h| h.ip == ip)
    }

    /// The header at an instruction, if it has been seen.
    pub fn find(&self, ip: u32) -> Option<&Header> {
        self.headers.iter().find(|h| h.ip == ip)
    }
}

/// A hash for addresses: they are multiples of 16 and otherwise arbitrary.
#[derive(Default, Clone, Copy)]
pub struct AddressHasher(u64);

impl Hasher for AddressHasher {
    fn finish(&self) -> u64 {
        self.0
    }
    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.write_usize(self.0 as usize ^ usize::from(byte));
        }
    }
    fn write_usize(&mut self, n: usize) {
        self.0 = (n as u64 >> 4)
            .wrapping_mul(0x9e37_79b9_7f4a_7c15)
            .rotate_left(26);
    }
}

/// A table keyed by address.
pub type ByAddress<T> = HashMap<usize, T, BuildHasherDefault<AddressHasher>>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counting_is_exact() {
        let limits = Limits::with_threshold(3);
        let mut header = Header::new(7, &limits);
        assert_eq!(
            [header.count(), header.count(), header.count()],
            [Due::Wait, Due::Wait, Due::Look]
        );
    }

    #[test]
    fn a_loop_about_to_end_is_recorded_at_its_next_turn() {
        let limits = Limits::with_threshold(3);
        let mut header = Header::new(7, &limits);
        for _ in 0..3 {
            header.counter = 3;
            header.ended(&limits, 3);
            assert_eq!((header.count(), header.attempts), (Due::Look, 0));
        }
        header.ended(&limits, 3);
        assert_eq!((header.count(), header.attempts), (Due::Wait, 1));
    }

    #[test]
    fn failures_wait_longer_and_then_give_up() {
        let limits = Limits {
            header_attempts: 2,
            ..Limits::with_threshold(2)
        };
        let mut header = Header::new(0, &limits);
        header.failed(&limits, 0);
        let until_due = (0..).take_while(|_| header.count() == Due::Wait).count();
        assert_eq!(until_due, 3);
        header.failed(&limits, 4);
        assert_eq!(
            [header.count(), header.count()],
            [Due::Leave, Due::Never],
            "the others are woken once"
        );
    }

    #[test]
    fn one_of_many_sleeps_after_some_failures_and_is_recorded_soon_when_woken() {
        let limits = Limits::with_threshold(1024);
        let mut header = Header::new(0, &limits);
        let fail = |header: &mut Header, events| {
            header.counter = header.due;
            header.failed(&limits, events);
        };
        fail(&mut header, 10_000);
        assert_eq!(header.count(), Due::Wait);
        fail(&mut header, 20_000);
        assert_eq!(
            [header.count(), header.count()],
            [Due::Sleep(limits.rest(2)), Due::Never]
        );
        header.wake(&limits);
        let until_due = (0..).take_while(|_| {
            header.count();
            !header.is_due()
        });
        assert!(until_due.count() < 100);
        // Alone it goes on counting.
        fail(&mut header, 20_000 + 1024);
        assert_eq!(header.count(), Due::Wait);
    }

    #[test]
    fn a_header_with_all_its_peers_keeps_its_events() {
        let limits = Limits {
            peers: 1,
            ..Limits::with_threshold(1)
        };
        let mut header = Header::new(0, &limits);
        header.compiled(5, &limits);
        assert_eq!(header.count(), Due::Wait);
    }
}
