//! What was compiled, entered, left and aborted.

use serigraph_uops::Reason;

const REASONS: usize = Reason::ALL.len();

/// A counter for each reason.
#[derive(Clone, Debug)]
pub struct Reasons([u64; REASONS]);

impl Default for Reasons {
    fn default() -> Reasons {
        Reasons([0; REASONS])
    }
}

impl Reasons {
    /// Counts one.
    #[inline]
    pub fn count(&mut self, reason: Reason) {
        self.0[reason as usize] += 1;
    }
    /// Those that are not 0.
    pub fn iter(&self) -> impl Iterator<Item = (Reason, u64)> + '_ {
        Reason::ALL
            .iter()
            .map(|&r| (r, self.0[r as usize]))
            .filter(|&(_, n)| n != 0)
    }
}

/// A recording that gave no trace, and how often.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Abort {
    /// The source file.
    pub file: String,
    /// The line where the recording stopped.
    pub line: i32,
    /// Why.
    pub reason: Reason,
    /// What exactly was met, if it can be said.
    pub culprit: String,
    /// How often.
    pub count: u64,
}

/// Counters of the whole process.
#[derive(Clone, Debug, Default)]
pub struct Stats {
    /// Back edges seen by the callback.
    pub jump_events: u64,
    /// Recordings begun.
    pub recordings: u64,
    /// Uops recorded.
    pub recorded_uops: u64,
    /// Root traces compiled.
    pub root_traces: u64,
    /// Side traces compiled.
    pub side_traces: u64,
    /// Bytes of machine code in use.
    pub code_bytes: u64,
    /// Entries into machine code from the interpreter.
    pub entries: u64,
    /// Nanoseconds spent recording (evaluated calls included).
    pub record_ns: u64,
    /// Nanoseconds spent optimising.
    pub optimise_ns: u64,
    /// Nanoseconds spent allocating registers.
    pub allocate_ns: u64,
    /// Nanoseconds spent copying and patching.
    pub emit_ns: u64,
    /// Nanoseconds spent installing (protection changes, tables).
    pub install_ns: u64,
    /// Recordings that gave no trace.
    pub aborts: Reasons,
    /// Hot headers not entered.
    pub not_entered: Reasons,
    /// Exits from machine code to the interpreter.
    pub exits: Reasons,
    /// Traces thrown away.
    pub discarded: Reasons,
    /// Where recordings stopped.
    pub abort_places: Vec<Abort>,
}

/// Places of aborts that are remembered; a program that aborts everywhere has no use for more.
const ABORT_PLACES: usize = 1000;

impl Stats {
    /// Counts a recording that gave no trace.
    pub fn abort(&mut self, file: &str, line: i32, reason: Reason, culprit: &str) {
        self.aborts.count(reason);
        let known = self.abort_places.iter_mut().find(|a| {
            a.line == line && a.reason == reason && a.culprit == culprit && a.file == file
        });
        if let Some(abort) = known {
            abort.count += 1;
        } else if self.abort_places.len() < ABORT_PLACES {
            self.abort_places.push(Abort {
                file: file.to_owned(),
                line,
                reason,
                culprit: culprit.to_owned(),
                count: 1,
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn aborts_at_one_place_are_one_line() {
        let mut stats = Stats::default();
        stats.abort("a.py", 3, Reason::UnsupportedOpcode, "YIELD_VALUE");
        stats.abort("a.py", 3, Reason::UnsupportedOpcode, "YIELD_VALUE");
        stats.abort("a.py", 4, Reason::UnsupportedOpcode, "YIELD_VALUE");
        let counts: Vec<_> = stats
            .abort_places
            .iter()
            .map(|a| (a.line, a.count))
            .collect();
        assert_eq!(counts, [(3, 2), (4, 1)]);
        assert_eq!(
            stats.aborts.iter().collect::<Vec<_>>(),
            [(Reason::UnsupportedOpcode, 3)]
        );
    }
}
