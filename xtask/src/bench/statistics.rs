//! Medians, and how far they can be trusted.

/// A figure with the interval that holds it with 95 % confidence.
#[derive(Clone, Copy, Debug)]
pub struct Estimate {
    /// The median of the samples, or the geometric mean of medians.
    pub value: f64,
    /// Both ends of the interval; `None` where there are too few samples for one.
    pub interval: Option<(f64, f64)>,
}

impl Estimate {
    /// The median of samples with an interval by the bootstrap: the medians of a thousand draws.
    pub fn of(samples: &[f64]) -> Self {
        Self::drawn(&[samples])
    }

    /// The geometric mean of the medians of several sets of samples, with an interval by the bootstrap: each draw takes from
    /// every set.
    pub fn geometric_mean<S: AsRef<[f64]>>(sets: &[S]) -> Self {
        let sets: Vec<&[f64]> = sets.iter().map(AsRef::as_ref).collect();
        Self::drawn(&sets)
    }

    fn drawn(sets: &[&[f64]]) -> Self {
        let of = |medians: &[f64]| match medians {
            [only] => *only,
            several => geometric_mean(several),
        };
        let medians: Vec<f64> = sets.iter().map(|set| median(set)).collect();
        let value = of(&medians);
        if sets.is_empty() || sets.iter().any(|set| set.len() < LEAST_SAMPLES) {
            return Self {
                value,
                interval: None,
            };
        }
        let mut random = Random(0x9E37_79B9_7F4A_7C15);
        let mut drawn: Vec<f64> = Vec::with_capacity(DRAWS);
        for _ in 0..DRAWS {
            let one = |set: &&[f64]| {
                let draw: Vec<f64> = (0..set.len())
                    .map(|_| set[random.below(set.len())])
                    .collect();
                median(&draw)
            };
            let medians: Vec<f64> = sets.iter().map(one).collect();
            drawn.push(of(&medians));
        }
        drawn.sort_by(f64::total_cmp);
        let at = |share: f64| drawn[(share * (DRAWS - 1) as f64).round() as usize];
        Self {
            value,
            interval: Some((at(0.025), at(0.975))),
        }
    }

    /// True when there is an interval and it does not hold the value. Without an interval nothing is called a difference.
    pub fn differs_from(&self, value: f64) -> bool {
        self.interval
            .is_some_and(|(low, high)| value < low || high < value)
    }

    /// The interval in words.
    pub fn interval_text(&self) -> String {
        match self.interval {
            Some((low, high)) => format!("{low:.2} to {high:.2}"),
            None => "none".into(),
        }
    }
}

/// Draws of the bootstrap.
const DRAWS: usize = 1000;

/// With fewer samples there is no interval: that of one sample would be a point, which looks like certainty.
pub const LEAST_SAMPLES: usize = 3;

/// How far samples are from their median, usually, as a share of it: the median of the distances.
pub fn spread(samples: &[f64]) -> f64 {
    let middle = median(samples);
    let distances: Vec<f64> = samples.iter().map(|s| (s - middle).abs()).collect();
    median(&distances) / middle
}

/// The middle of the samples; not a number when there are none.
pub fn median(samples: &[f64]) -> f64 {
    let mut sorted = samples.to_vec();
    sorted.sort_by(f64::total_cmp);
    match (sorted.len(), sorted.len() / 2) {
        (0, _) => f64::NAN,
        (length, middle) if length % 2 == 1 => sorted[middle],
        (_, middle) => (sorted[middle - 1] + sorted[middle]) / 2.0,
    }
}

/// The geometric mean; not a number when there are no samples.
pub fn geometric_mean(samples: &[f64]) -> f64 {
    let logs: f64 = samples.iter().map(|sample| sample.ln()).sum();
    (logs / samples.len() as f64).exp()
}

/// Numbers that repeat from run to run, so that the same samples give the same interval.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % limit as u64) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), 2.5);
        assert!(median(&[]).is_nan());
        assert!((geometric_mean(&[1.0, 4.0]) - 2.0).abs() < 1e-12);
    }

    #[test]
    fn intervals_hold_the_median_and_narrow() {
        let wide = Estimate::of(&[1.0, 2.0, 3.0, 4.0, 5.0]);
        assert_eq!(wide.value, 3.0);
        assert!(!wide.differs_from(3.0) && !wide.differs_from(2.0) && wide.differs_from(6.0));
        let narrow = Estimate::of(&[3.0; 9]);
        assert_eq!(narrow.interval, Some((3.0, 3.0)));
    }

    #[test]
    fn one_sample_has_no_interval_and_differs_from_nothing() {
        for few in [&[5.0][..], &[5.0, 5.0]] {
            let estimate = Estimate::of(few);
            assert_eq!((estimate.value, estimate.interval), (5.0, None));
            assert!(!estimate.differs_from(1.0));
            assert_eq!(estimate.interval_text(), "none");
        }
        assert!(Estimate::of(&[]).value.is_nan());
    }

    #[test]
    fn means_of_groups_have_intervals_too() {
        let mean = Estimate::geometric_mean(&[vec![1.0; 5], vec![4.0; 5]]);
        assert!((mean.value - 2.0).abs() < 1e-12 && mean.differs_from(1.0));
        let unsure = Estimate::geometric_mean(&[vec![1.0; 5], vec![4.0]]);
        assert_eq!(unsure.interval, None);
    }

    #[test]
    fn spread_is_a_share_of_the_median() {
        assert!((spread(&[9.0, 10.0, 11.0, 10.0, 30.0]) - 0.1).abs() < 1e-12);
    }
}
