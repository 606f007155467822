//! Durations counted in bins whose bounds grow by a quarter each, so that any number of them is
//! kept in the same few columns, added and subtracted, and asked for quantiles afterwards.
//!
//! A quantile is the middle of the bin in which its rank lies, so it is at most [`ERROR_MAX`] of
//! the exact value away from it; below 10 ms at most 5 ms, and from 701 s on it is a lower bound.

use serde::{Deserialize, Deserializer};

/// How many bins there are: the columns `d00` to `d51` of the rollups.
pub const BINS: usize = 52;
/// The largest relative error of a quantile between the first bin and the last.
pub const ERROR_MAX: f64 = 0.12;

/// Where each bin but the first begins, in ms: 10 × 1.25^n, rounded.
const LOWER_MS: [u64; BINS - 1] = [
    10, 12, 16, 20, 24, 31, 38, 48, 60, 75, 93, 116, 146, 182, 227, 284, 355, 444, 555, 694, 867,
    1084, 1355, 1694, 2118, 2647, 3309, 4136, 5170, 6462, 8078, 10097, 12622, 15777, 19722, 24652,
    30815, 38519, 48148, 60185, 75232, 94040, 117_549, 146_937, 183_671, 229_589, 286_986, 358_732,
    448_416, 560_519, 700_649,
];

/// How many durations fell into each bin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Histogram([i64; BINS]);

impl Default for Histogram {
    fn default() -> Self {
        Self([0; BINS])
    }
}

/// The bin of a duration.
pub fn bin(duration_ms: u64) -> usize {
    LOWER_MS.partition_point(|lower| *lower <= duration_ms)
}

/// The end of a bin in ms, itself not within; the last has none.
pub fn upper_ms(bin: usize) -> Option<u64> {
    LOWER_MS.get(bin).copied()
}

impl Histogram {
    /// Counts a duration `times` times; less than none takes it out again.
    pub fn count(&mut self, duration_ms: u64, times: i64) {
        self.0[bin(duration_ms)] += times;
    }

    /// Adds what another one counted.
    pub fn add(&mut self, other: &Self) {
        for (own, others) in self.0.iter_mut().zip(other.0) {
            *own += others;
        }
    }

    /// The bins' counts.
    pub fn counts(&self) -> &[i64; BINS] {
        &self.0
    }

    /// How many durations were counted.
    pub fn total(&self) -> i64 {
        self.0.iter().sum()
    }

    /// How many durations were counted in bins that end at `limit_ms` or before.
    pub fn below(&self, limit_ms: u64) -> i64 {
        let within = |bin: &usize| upper_ms(*bin).is_some_and(|upper| upper <= limit_ms);
        (0..BINS).filter(within).map(|bin| self.0[bin]).sum()
    }

    /// The duration of rank ⌈q·n⌉ in ms, to the error that the module names; `None` of nothing.
    pub fn quantile_ms(&self, q: f64) -> Option<u64> {
        let total = self.total();
        if total <= 0 {
            return None;
        }
        let rank = ((q.clamp(0.0, 1.0) * total as f64).ceil() as i64).max(1);
        let mut passed = 0;
        let found = self.0.iter().position(|count| {
            passed += count;
            passed >= rank
        });
        Some(middle_ms(found.unwrap_or(BINS - 1)))
    }
}

/// The geometric mean of the smallest and the largest duration in a bin.
fn middle_ms(bin: usize) -> u64 {
    match (bin.checked_sub(1).map(|at| LOWER_MS[at]), upper_ms(bin)) {
        (None, _) => 5,
        (Some(lower), None) => lower,
        (Some(lower), Some(upper)) => ((lower * (upper - 1)) as f64).sqrt().round() as u64,
    }
}

/// From one list of counts, or two that follow each other: SQL functions take 32 arguments at most.
pub fn from_halves<'de, D: Deserializer<'de>>(column: D) -> Result<Histogram, D::Error> {
    let text = String::deserialize(column)?;
    let halves: Vec<Vec<i64>> = serde_json::from_str(&text).map_err(serde::de::Error::custom)?;
    let counts = <[i64; BINS]>::try_from(halves.concat());
    counts.map(Histogram).map_err(|found| {
        serde::de::Error::custom(format!("{} bins where there are {BINS}", found.len()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A sequence that looks random and is the same each time.
    fn durations(seed: u64, count: usize, most_ms: u64) -> Vec<u64> {
        let mut state = seed;
        let mut next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 33) as f64 / f64::from(1_u32 << 31)
        };
        (0..count).map(|_| (most_ms as f64).powf(next()).floor() as u64).collect()
    }

    #[test]
    fn bounds_grow_by_a_quarter() {
        for (n, lower) in LOWER_MS.iter().enumerate() {
            let exact = 10.0 * 1.25_f64.powi(i32::try_from(n).unwrap());
            assert!((exact - *lower as f64).abs() <= 0.5, "{n}: {exact}");
        }
        assert_eq!((bin(0), bin(9), bin(10), bin(11), bin(12)), (0, 0, 1, 1, 2));
        assert_eq!((bin(700_648), bin(700_649), bin(u64::MAX)), (50, 51, 51));
    }

    #[test]
    fn quantiles_are_within_the_error_that_is_promised() {
        for seed in 1..40 {
            let mut all = durations(seed, 1 + (seed as usize * 37) % 900, 700_000);
            let mut histogram = Histogram::default();
            all.iter().for_each(|duration| histogram.count(*duration, 1));
            all.sort_unstable();
            for q in [0.0, 0.01, 0.5, 0.9, 0.95, 0.99, 1.0] {
                let rank = ((q * all.len() as f64).ceil() as usize).max(1);
                let (exact, told) = (all[rank - 1] as f64, histogram.quantile_ms(q).unwrap());
                let apart = (told as f64 - exact).abs();
                let allowed = if exact < 10.0 { 5.0 } else { exact * ERROR_MAX };
                assert!(apart <= allowed, "{seed} {q}: {told} for {exact}");
            }
        }
    }

    #[test]
    fn what_is_taken_out_again_was_never_there() {
        let (mut one, mut other) = (Histogram::default(), Histogram::default());
        one.count(50, 2);
        other.count(50, -2);
        one.add(&other);
        assert_eq!((one.clone(), one.quantile_ms(0.5)), (Histogram::default(), None));
    }

    #[test]
    fn what_lies_below_a_limit_is_counted_by_whole_bins() {
        let mut histogram = Histogram::default();
        for duration in [5, 15, 15, 100, 900_000] {
            histogram.count(duration, 1);
        }
        assert_eq!((histogram.below(10), histogram.below(16), histogram.below(15)), (1, 3, 1));
        assert_eq!((histogram.below(u64::MAX), histogram.total()), (4, 5));
    }
}
