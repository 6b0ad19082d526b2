//! Whether entering a trace pays: what its machine code gains has to be more than what going in and out costs.
//!
//! A loop that ends after two or three turns, or a trace whose guards fail as soon as it is entered, is run faster by the
//! interpreter. So the time spent inside is measured, at first always, then at one entry in [`SAMPLE_EVERY`]. Where the loop calls something its turns
//! are counted ([`TurnCounter`](crate::executor::TurnCounter)), and the interpreter would have needed for each what it did
//! before the loop was compiled ([`Pace`](crate::pace::Pace)). Counting would slow loops that call nothing: for those, what the
//! interpreter would have needed is estimated from the time spent inside.

use std::time::{Duration, Instant};

use serigraph_trace::ir::Trace;
use serigraph_uops::{Effects, Exit, Uop};

/// One entry in so many is measured: reading the clock twice costs as much as a short visit.
const SAMPLE_EVERY: u32 = 4;

/// So many entries are all measured: what does not pay is to be found out soon.
const MEASURED_FIRST: u32 = 2 * SAMPLES;

/// Measured entries after which it is decided. Those are not counted that left by an exit which may still get a side trace.
const SAMPLES: u32 = 48;

/// What going in and out costs beyond what is measured, in nanoseconds: the event, the search for the trace, the restoring of the
/// frame. A function with a loop of 2 to 10 turns over a list, called by `map`, showed half of it (CPython 3.13.0); in programs
/// whose visits are short (`regex_compile`, `typing_runtime_protocols`) as much again is lost to caches.
const ENTRY_NS: i64 = 300;

/// What it costs to leave inside an inlined function, in nanoseconds: its frame is built, and run by an interpreter of its own.
const FRAME_NS: i64 = 250;

/// The head of a frame takes as long as so many instructions.
const HEAD_OF_FRAME: i64 = 10;

/// What a trace, or a tree of traces, consists of. Time that is spent in what is called gains nothing.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Work {
    /// Instructions that do what the program says.
    insts: i64,
    /// Instructions for those who could look: frames that are made to stand and taken down, checks that the world is as it was.
    upkeep: i64,
    /// Calls of Python functions and of unknown C functions.
    calls: i64,
    /// Calls of short C functions.
    leaves: i64,
}

impl Work {
    /// What a trace does. The release of a reference is no call: it seldom is one.
    pub fn of(trace: &Trace) -> Work {
        let mut work = Work::default();
        for inst in &trace.insts {
            let info = inst.uop.info();
            let frames = Effects::FRAMES.union(Effects::FRAME_IP);
            let is_check =
                matches!(info.exit, Exit::Guard) && info.reads.intersects(Effects::VALIDITY);
            let is_upkeep = is_check || (info.writes.intersects(frames) && !info.escapes());
            match (is_upkeep, inst.uop) {
                (true, Uop::PushFrame) => work.upkeep += HEAD_OF_FRAME,
                (true, _) => work.upkeep += 1,
                (false, _) => work.insts += 1,
            }
            match info.calls && !info.writes.is_empty() {
                true if info.escapes() => work.calls += 1,
                true => work.leaves += 1,
                false => {}
            }
        }
        work
    }

    /// Whether nothing is called.
    pub fn is_pure(self) -> bool {
        self.calls + self.leaves == 0
    }

    /// How much longer the interpreter needs, in per cent: three times as long for what is not called, and nothing for the upkeep.
    /// An unknown call takes as long as some sixty instructions, a short one as twenty.
    fn gain_percent(self) -> i64 {
        let time = self.insts + self.upkeep + 60 * self.calls + 20 * self.leaves;
        (200 * self.insts - 100 * self.upkeep) / time.max(1)
    }
}

/// What one root trace has gained since it was looked at last.
#[derive(Debug)]
pub struct Payoff {
    /// What its tree does.
    work: Work,
    /// Nanoseconds that the interpreter needed for a turn, if turns are counted.
    pace: Option<i64>,
    /// Entries, measured or not.
    entries: u32,
    /// Entries that were measured.
    samples: u32,
    /// Nanoseconds gained by those, less their cost.
    gained: i64,
}

/// A visit to a trace that is being measured, or not.
#[derive(Clone, Copy, Debug)]
pub struct Visit(Option<Instant>);

/// A visit that was measured.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Measured {
    /// How long it took.
    pub inside: Duration,
    /// In how many inlined functions it was left.
    pub inlined: usize,
    /// Halves of turns, if they are counted: the last may have been left in the middle.
    pub half_turns: Option<u64>,
    /// Other traces were entered meanwhile.
    pub is_nested: bool,
}

impl Payoff {
    /// For a new trace.
    pub fn new(work: Work, pace: Option<Duration>) -> Payoff {
        let pace = pace.map(|turn| i64::try_from(turn.as_nanos()).unwrap_or(i64::MAX));
        Payoff {
            work,
            pace,
            entries: 0,
            samples: 0,
            gained: 0,
        }
    }

    /// Whether the interpreter's turns were measured too, so that the judgement is no estimate.
    pub fn is_comparison(&self) -> bool {
        self.pace.is_some()
    }

    /// A side trace belongs to it now: visits get longer, so what was measured counts no more.
    pub fn grow(&mut self, side: Work) {
        self.work.insts += side.insts;
        self.work.upkeep += side.upkeep;
        self.work.calls += side.calls;
        self.work.leaves += side.leaves;
        (self.samples, self.gained) = (0, 0);
    }

    /// A trace is entered.
    #[inline]
    pub fn enter(&mut self) -> Visit {
        self.entries = self.entries.wrapping_add(1);
        let is_sample = self.entries <= MEASURED_FIRST || self.entries.is_multiple_of(SAMPLE_EVERY);
        Visit(is_sample.then(Instant::now))
    }

    /// A measured visit has ended. False if the trace does not pay.
    pub fn left(&mut self, visit: Measured) -> bool {
        let inside = i64::try_from(visit.inside.as_nanos()).unwrap_or(i64::MAX);
        let gain = match (self.pace, visit.half_turns) {
            (Some(pace), Some(halves)) => {
                let halves = i64::try_from(halves).unwrap_or(i64::MAX);
                let interpreted = pace.saturating_mul(halves) / 2;
                // When another process or thread ran meanwhile, that is not the trace's doing.
                (interpreted - inside).max(-interpreted - pace)
            }
            // The time of a visit that others were nested in is mostly theirs.
            _ if visit.is_nested => 0,
            _ => inside.saturating_mul(self.work.gain_percent()) / 100,
        };
        self.gained = self
            .gained
            .saturating_add(gain - ENTRY_NS - FRAME_NS * visit.inlined as i64);
        self.samples += 1;
        if self.samples < SAMPLES {
            return true;
        }
        let pays = self.gained >= 0;
        (self.samples, self.gained) = (0, 0);
        pays
    }
}

impl Visit {
    /// How long it has lasted, if it is measured, without the time that reading the clock takes.
    #[inline]
    pub fn ended(self) -> Option<Duration> {
        self.0
            .map(|began| began.elapsed().saturating_sub(clock_cost()))
    }
}

/// Back edges to a header that has traces: whether one of them could be entered. Each that could not costs an event and a look
/// at the traces for nothing.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Entries {
    accepted: u32,
    refused: u32,
}

/// Refusals after which it is decided.
const REFUSALS: u32 = 4096;

impl Entries {
    /// A trace is entered.
    #[inline]
    pub fn accepted(&mut self) {
        self.accepted = self.accepted.saturating_add(1);
    }

    /// No trace would have it. False if that has happened nearly always.
    pub fn refused(&mut self) -> bool {
        self.refused += 1;
        if self.refused < REFUSALS {
            return true;
        }
        let pays = self.accepted > self.refused / 8;
        *self = Entries::default();
        pays
    }
}

/// How long two readings of the clock are apart.
fn clock_cost() -> Duration {
    use std::sync::OnceLock;
    static COST: OnceLock<Duration> = OnceLock::new();
    *COST.get_or_init(|| {
        let between = (0..64).map(|_| Instant::now().elapsed());
        between.min().unwrap_or_default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWN: Work = Work {
        insts: 100,
        upkeep: 0,
        calls: 0,
        leaves: 0,
    };
    const CALLS: Work = Work {
        insts: 20,
        upkeep: 0,
        calls: 4,
        leaves: 0,
    };

    /// A visit without others in it, whose turns are not counted.
    fn visit(inside: Duration) -> Measured {
        Measured {
            inside,
            inlined: 0,
            half_turns: None,
            is_nested: false,
        }
    }

    /// The decision after so many visits of this length.
    fn pays(visits: u32, inside: Duration, work: Work) -> bool {
        let mut payoff = Payoff::new(work, None);
        (0..visits).fold(true, |_, _| payoff.left(visit(inside)))
    }

    #[test]
    fn short_visits_do_not_pay() {
        let short = Duration::from_nanos(20);
        assert!(pays(SAMPLES - 1, short, OWN));
        assert!(!pays(SAMPLES, short, OWN));
        assert!(pays(SAMPLES + 1, short, OWN), "a decision begins anew");
    }

    #[test]
    fn a_tree_that_grows_is_not_judged() {
        let mut payoff = Payoff::new(OWN, None);
        for _ in 1..SAMPLES {
            payoff.left(visit(Duration::ZERO));
        }
        payoff.grow(OWN);
        assert!(payoff.left(visit(Duration::ZERO)));
    }

    #[test]
    fn calls_gain_little() {
        let medium = Duration::from_nanos(300);
        assert!(pays(SAMPLES, medium, OWN));
        assert!(!pays(SAMPLES, medium, CALLS));
    }

    #[test]
    fn where_turns_are_counted_the_interpreter_is_compared_with() {
        let compared = |turns: u64, inside: u64| {
            let mut payoff = Payoff::new(CALLS, Some(Duration::from_nanos(1000)));
            let visit = Measured {
                inside: Duration::from_nanos(inside),
                inlined: 0,
                half_turns: Some(2 * turns),
                is_nested: true,
            };
            (0..SAMPLES).fold(true, |_, _| payoff.left(visit))
        };
        assert!(compared(10, 9_000));
        assert!(!compared(10, 10_000));
        assert!(!compared(0, 10));
    }

    #[test]
    fn what_else_runs_meanwhile_is_not_held_against_a_trace() {
        let mut payoff = Payoff::new(CALLS, Some(Duration::from_nanos(1000)));
        let visit = |inside| Measured {
            inside: Duration::from_nanos(inside),
            inlined: 0,
            half_turns: Some(20),
            is_nested: false,
        };
        payoff.left(visit(50_000_000));
        for _ in 2..SAMPLES {
            payoff.left(visit(5_000));
        }
        assert!(payoff.left(visit(5_000)));
    }

    #[test]
    fn upkeep_and_frames_of_inlined_functions_cost() {
        let medium = Duration::from_nanos(300);
        let watched = Work { upkeep: 100, ..OWN };
        assert!(!pays(SAMPLES, medium, watched));
        let left_inside = |inside| {
            let mut payoff = Payoff::new(OWN, None);
            let visit = Measured {
                inlined: 2,
                ..visit(inside)
            };
            (0..SAMPLES).fold(true, |_, _| payoff.left(visit))
        };
        assert!(!left_inside(medium));
        assert!(left_inside(medium * 2));
    }

    #[test]
    fn one_long_visit_pays_for_many_short_ones() {
        let mut payoff = Payoff::new(OWN, None);
        for _ in 1..SAMPLES {
            payoff.left(visit(Duration::ZERO));
        }
        assert!(payoff.left(visit(Duration::from_micros(10))));
    }

    #[test]
    fn a_header_that_seldom_accepts_does_not_pay() {
        let mut entries = Entries::default();
        assert!((1..REFUSALS).all(|_| entries.refused()));
        assert!(!entries.refused());
        (0..REFUSALS).for_each(|_| entries.accepted());
        assert!((0..REFUSALS).all(|_| entries.refused()));
    }

    #[test]
    fn after_the_first_one_entry_in_many_is_measured() {
        let mut payoff = Payoff::new(OWN, None);
        assert!((0..MEASURED_FIRST).all(|_| payoff.enter().ended().is_some()));
        let measured = (0..SAMPLE_EVERY * 3).filter(|_| payoff.enter().ended().is_some());
        assert_eq!(measured.count(), 3);
    }
}
