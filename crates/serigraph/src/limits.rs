//! The thresholds and limits that decide what is compiled and how far it goes, in one table. By what a trace's gain is measured and
//! judged is not here but with the judging: `payoff.rs` and `pace.rs`.

use std::time::Duration;

use crate::sleepers::Rest;

/// When the engine acts, and how far it goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Back edges to a header before it is recorded; `docs/threshold.md` says why as many.
    pub hot_header: u32,
    /// Times a side exit is taken before a side trace is recorded from it.
    pub hot_exit: u32,
    /// Recordings tried at a header before it is given up, if there is little else in the program.
    pub header_attempts: u32,
    /// Recordings tried at a header before it is left alone for a while, if it is one of many.
    pub attempts_awake: u32,
    /// Back edges of the whole program for which it is left alone the first time.
    pub rest_events: u32,
    /// Milliseconds after which it is woken, if there are not as many back edges.
    pub rest_ms: u32,
    /// Recordings tried from an exit before it stays an exit for good.
    pub exit_attempts: u32,
    /// Root traces with different entry types at one header.
    pub peers: usize,
    /// Side traces in one tree.
    pub side_traces: usize,
    /// Traces entered inside one another on the C stack of a thread.
    pub nesting: u32,
    /// Native stack that must be left to enter a trace, in bytes.
    pub stack_left: usize,
    /// Uops in one recording.
    pub trace_uops: usize,
    /// Functions inlined inside one another.
    pub inline_depth: usize,
    /// Whether functions are followed inside that the interpreter has not run often enough to specialise them.
    pub follow_unspecialised: bool,
    /// Machine code and its data, in bytes.
    pub code_bytes: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            hot_header: 1024,
            hot_exit: 32,
            header_attempts: 4,
            attempts_awake: 2,
            rest_events: 16 << 10,
            rest_ms: 1000,
            exit_attempts: 3,
            peers: 4,
            side_traces: 64,
            nesting: 20,
            stack_left: 256 << 10,
            trace_uops: 6000,
            inline_depth: 12,
            follow_unspecialised: false,
            code_bytes: 64 << 20,
        }
    }
}

impl Limits {
    /// The limits when the user asks for headers to be compiled after `threshold` back edges: with a low threshold, meant
    /// for tests, exits get hot as early, and much is recorded before the interpreter has specialised it.
    pub fn with_threshold(threshold: u32) -> Limits {
        let shipped = Limits::default();
        Limits {
            hot_header: threshold,
            hot_exit: shipped.hot_exit.min(threshold),
            rest_events: shipped.rest_events.min(threshold.saturating_mul(16)),
            follow_unspecialised: threshold < shipped.hot_exit,
            ..shipped
        }
    }

    /// The counter value at which attempt number `attempt` (0: the first) is made: each wait is twice the last, so
    /// that what cannot be recorded costs little, and is given up before its events cost more than its recordings.
    pub fn after_attempts(threshold: u32, attempt: u32) -> u32 {
        threshold.saturating_mul(1u32.checked_shl(attempt).unwrap_or(u32::MAX))
    }

    /// For how long a header is left alone after so many attempts.
    pub fn rest(&self, attempts: u32) -> Rest {
        let doubled = attempts.saturating_sub(self.attempts_awake);
        Rest {
            events: Limits::after_attempts(self.rest_events, doubled).into(),
            time: Duration::from_millis(Limits::after_attempts(self.rest_ms, doubled).into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_and_saturate() {
        assert_eq!(Limits::after_attempts(16, 0), 16);
        assert_eq!(Limits::after_attempts(16, 2), 64);
        assert_eq!(Limits::after_attempts(16, 40), u32::MAX);
    }

    #[test]
    fn a_low_threshold_makes_exits_hot_early() {
        assert_eq!(Limits::with_threshold(2).hot_exit, 2);
        assert_eq!(
            Limits::with_threshold(1000).hot_exit,
            Limits::default().hot_exit
        );
    }
}
