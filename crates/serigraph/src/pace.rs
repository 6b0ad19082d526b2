//! How long a turn of a loop takes in the interpreter: measured over the last back edges before its header is hot.
//!
//! Whether a trace that calls much gains anything cannot be told from what it consists of: the interpreter calls Python functions
//! without C between them and finds attributes by caches, and a trace may do both more slowly than that.

use std::time::{Duration, Instant};

/// Back edges that are timed before a recording.
const WATCHED: u32 = 64;

/// A header that is recorded so early is not timed.
const EARLIEST: u32 = 4 * WATCHED;

/// What counting a back edge and reading the clock take, in nanoseconds, which the interpreter alone would not need.
const EVENT_NS: u32 = 90;

/// Times between back edges that are so many times as long as usual are between two runs of the loop, or another process ran.
const OUTLIER: u32 = 4;

/// Back edges to be timed of those before the one that is due.
#[inline]
pub fn watched(due: u32) -> u32 {
    if due >= EARLIEST { WATCHED } else { 0 }
}

/// The times between back edges in one frame.
#[derive(Debug, Default)]
pub struct Pace {
    /// The last back edge: in which frame, and when.
    last: Option<(usize, Instant)>,
    /// Nanoseconds.
    times: Vec<u32>,
}

impl Pace {
    /// A back edge was taken in the frame at an address.
    pub fn tick(&mut self, frame: usize) {
        let now = Instant::now();
        if let Some((before, then)) = self.last
            && before == frame
            && self.times.len() < WATCHED as usize
        {
            let time = now.duration_since(then).as_nanos();
            self.times.push(u32::try_from(time).unwrap_or(u32::MAX));
        }
        self.last = Some((frame, now));
    }

    /// Forgets what was timed: the next recording comes later.
    pub fn clear(&mut self) {
        *self = Pace::default();
    }

    /// What a turn took: the mean without the outliers, and without what counting takes. `None` if too few were timed.
    pub fn turn(&self) -> Option<Duration> {
        let mut times = self.times.clone();
        times.sort_unstable();
        let usual = *times.get(times.len() / 4)?;
        times.retain(|&time| time <= usual.saturating_mul(OUTLIER));
        if times.len() < WATCHED as usize / 8 {
            return None;
        }
        let sum: u64 = times.iter().map(|&time| u64::from(time)).sum();
        let mean = sum / times.len() as u64;
        Some(Duration::from_nanos(
            mean.saturating_sub(EVENT_NS.into()).max(1),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(times: &[u32]) -> Option<Duration> {
        let times = times.to_vec();
        Pace { last: None, times }.turn()
    }

    #[test]
    fn a_turn_is_the_mean_without_outliers() {
        let mut times = vec![EVENT_NS + 100; 20];
        times.extend([EVENT_NS + 300; 20]);
        times.extend([1_000_000; 3]);
        assert_eq!(of(&times), Some(Duration::from_nanos(200)));
    }

    #[test]
    fn few_times_tell_nothing() {
        assert_eq!(of(&[500; 7]), None);
        assert_eq!(of(&[]), None);
    }

    #[test]
    fn only_back_edges_in_one_frame_are_turns() {
        let mut pace = Pace::default();
        for frame in [1, 2, 2, 2, 3] {
            pace.tick(frame);
        }
        assert_eq!(pace.times.len(), 2);
    }

    #[test]
    fn a_low_threshold_is_not_timed() {
        assert_eq!(watched(2), 0);
        assert_eq!(watched(1024), WATCHED);
    }
}
