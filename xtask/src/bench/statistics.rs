//! Medians, and how far they can be trusted.

/// A figure with the interval that holds it with 95 % confidence.
#[derive(Clone, Copy, Debug)]
pub struct Estimate {
    /// The median of the samples.
    pub median: f64,
    /// Lower end of the interval.
    pub low: f64,
    /// Upper end of the interval.
    pub high: f64,
}

impl Estimate {
    /// The median of samples with an interval by the bootstrap: the medians of a thousand draws.
    pub fn of(samples: &[f64]) -> Self {
        let mut medians: Vec<f64> = Vec::with_capacity(DRAWS);
        let mut random = Random(0x9E37_79B9_7F4A_7C15);
        for _ in 0..DRAWS {
            let draw: Vec<f64> = (0..samples.len())
                .map(|_| samples[random.below(samples.len())])
                .collect();
            medians.push(median(&draw));
        }
        medians.sort_by(f64::total_cmp);
        let at = |share: f64| {
            let index = (share * (DRAWS - 1) as f64).round() as usize;
            medians.get(index).copied().unwrap_or(f64::NAN)
        };
        Self {
            median: median(samples),
            low: at(0.025),
            high: at(0.975),
        }
    }

    /// True when the interval holds the value: there is no difference to speak of.
    pub fn includes(&self, value: f64) -> bool {
        self.low <= value && value <= self.high
    }
}

/// Draws of the bootstrap.
const DRAWS: usize = 1000;

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
        assert!(wide.includes(wide.median) && wide.includes(2.0) && !wide.includes(6.0));
        let narrow = Estimate::of(&[3.0; 9]);
        assert_eq!((narrow.low, narrow.high), (3.0, 3.0));
    }
}
