//! Headers that are left alone for a while.
//!
//! Most loops of most programs make a turn or two whenever they are come to: no trace of them can be recorded, or it does not pay.
//! Waiting for the next attempt would cost an event at each back edge, in many loops at once. So the events of such a header
//! are switched off, and on again when the rest of the program has taken so many back edges, or after a time. Others have to tell that it
//! is over: a header that takes most of the back edges itself does not sleep, and when one is given up for good, all others are woken.

use std::time::{Duration, Instant};

/// How long a header is left alone: until the first of both.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Rest {
    /// So many back edges of the whole program.
    pub events: u64,
    /// So much time.
    pub time: Duration,
}

/// So many back edges lie between two looks at the clock.
const LOOK_EVERY: u64 = 32;

/// A header whose events are off.
#[derive(Debug)]
struct Sleeper {
    /// The code object's address.
    code: usize,
    /// The instruction.
    header: u32,
    events: u64,
    time: Instant,
}

/// The headers whose events are off for a while.
#[derive(Debug)]
pub struct Sleepers {
    sleepers: Vec<Sleeper>,
    /// After how many back edges it is to be looked whether one is to be woken.
    next_look: u64,
    /// The least of what the sleepers wait for.
    first: Option<(u64, Instant)>,
}

impl Sleepers {
    /// None.
    pub const fn new() -> Sleepers {
        Sleepers {
            sleepers: Vec::new(),
            next_look: u64::MAX,
            first: None,
        }
    }

    /// A header sleeps from now on, when the whole program has taken so many back edges.
    pub fn add(&mut self, code: usize, header: u32, rest: Rest, events: u64) {
        let (events, time) = (events + rest.events, Instant::now() + rest.time);
        self.sleepers.push(Sleeper {
            code,
            header,
            events,
            time,
        });
        self.first = Some(match self.first {
            Some(first) => (first.0.min(events), first.1.min(time)),
            None => (events, time),
        });
        self.next_look = self.next_look.min(events);
    }

    /// Whether headers are to be woken after so many back edges.
    #[inline]
    pub fn is_one_due(&mut self, events: u64) -> bool {
        events >= self.next_look && self.look(events)
    }

    #[cold]
    fn look(&mut self, events: u64) -> bool {
        self.next_look = match self.first {
            Some(_) => events + LOOK_EVERY,
            None => u64::MAX,
        };
        self.first
            .is_some_and(|first| events >= first.0 || Instant::now() >= first.1)
    }

    /// All are to be woken at the next back edge.
    pub fn wake_all(&mut self) {
        for sleeper in &mut self.sleepers {
            sleeper.events = 0;
        }
        if let Some(first) = &mut self.first {
            (first.0, self.next_look) = (0, 0);
        }
    }

    /// Takes those that are to be woken after so many back edges: code objects (addresses) and instructions.
    pub fn take_due(&mut self, events: u64) -> Vec<(usize, u32)> {
        let now = Instant::now();
        let mut due = Vec::new();
        self.first = None;
        self.sleepers.retain(|sleeper| {
            let is_due = events >= sleeper.events || now >= sleeper.time;
            if is_due {
                due.push((sleeper.code, sleeper.header));
            } else {
                self.first = Some(match self.first {
                    Some(first) => (first.0.min(sleeper.events), first.1.min(sleeper.time)),
                    None => (sleeper.events, sleeper.time),
                });
            }
            !is_due
        });
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(3600);

    fn rest(events: u64, time: Duration) -> Rest {
        Rest { events, time }
    }

    #[test]
    fn each_is_woken_after_its_back_edges() {
        let mut sleepers = Sleepers::new();
        assert!(!sleepers.is_one_due(u64::MAX - 1));
        sleepers.add(0x10, 1, rest(300, LONG), 0);
        sleepers.add(0x20, 2, rest(200, LONG), 0);
        assert!(!sleepers.is_one_due(199) && sleepers.is_one_due(200));
        assert_eq!(sleepers.take_due(200), [(0x20, 2)]);
        assert!(!sleepers.is_one_due(299) && sleepers.is_one_due(299 + LOOK_EVERY));
    }

    #[test]
    fn each_is_woken_after_its_time() {
        let mut sleepers = Sleepers::new();
        sleepers.add(0x10, 1, rest(1000, LONG), 0);
        sleepers.add(0x20, 2, rest(1000, Duration::ZERO), 0);
        sleepers.add(0x30, 3, rest(10, LONG), 0);
        assert!(sleepers.is_one_due(20));
        assert_eq!(sleepers.take_due(20), [(0x20, 2), (0x30, 3)]);
        assert!(!sleepers.is_one_due(20 + LOOK_EVERY));
    }

    #[test]
    fn all_are_woken_when_it_may_be_the_last_event() {
        let mut sleepers = Sleepers::new();
        sleepers.wake_all();
        assert!(!sleepers.is_one_due(5));
        sleepers.add(0x10, 1, rest(300, LONG), 0);
        sleepers.add(0x20, 2, rest(200, LONG), 0);
        sleepers.wake_all();
        assert!(sleepers.is_one_due(5));
        assert_eq!(sleepers.take_due(5), [(0x10, 1), (0x20, 2)]);
        assert!(!sleepers.is_one_due(5));
    }
}
