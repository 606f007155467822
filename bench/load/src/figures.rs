//! What a load came to, as one line of JSON.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

/// How many kinds of errors are told by their words.
const ERRORS_TOLD_MAX: usize = 3;

/// What was measured while a load went on.
#[derive(Debug, Default)]
pub struct Tally {
    /// How long each took that ended well.
    pub took: Vec<Duration>,
    /// How many of them ended within the time that was asked for.
    pub in_time: u64,
    /// What went wrong, and how often.
    pub errors: BTreeMap<String, u64>,
}

/// The figures of a load. Times are in milliseconds.
#[derive(Debug, Serialize)]
pub struct Figures {
    n: usize,
    errors: u64,
    error_samples: Vec<(String, u64)>,
    seconds: f64,
    per_s: f64,
    mean_ms: f64,
    min_ms: f64,
    p50_ms: f64,
    p90_ms: f64,
    p99_ms: f64,
    max_ms: f64,
}

impl Tally {
    /// `window` is the time that was asked for; a load of a number of executions has none.
    pub fn figures(mut self, took: Duration, window: Option<Duration>) -> Figures {
        self.took.sort_unstable();
        let ms = |took: Duration| took.as_secs_f64() * 1000.0;
        let at = |share: f64| self.took.get(rank(self.took.len(), share)).map_or(0.0, |t| ms(*t));
        let n = self.took.len();
        let (counted, seconds) = match window {
            Some(window) => (self.in_time as f64, window.as_secs_f64()),
            None => (n as f64, took.as_secs_f64()),
        };
        let mut error_samples: Vec<_> = self.errors.iter().map(|(e, n)| (e.clone(), *n)).collect();
        error_samples.sort_by_key(|(_, n)| std::cmp::Reverse(*n));
        error_samples.truncate(ERRORS_TOLD_MAX);
        Figures {
            n,
            errors: self.errors.values().sum(),
            error_samples,
            seconds: took.as_secs_f64(),
            per_s: counted / seconds.max(f64::EPSILON),
            mean_ms: ms(self.took.iter().sum()) / n.max(1) as f64,
            min_ms: at(0.0),
            p50_ms: at(0.5),
            p90_ms: at(0.9),
            p99_ms: at(0.99),
            max_ms: at(1.0),
        }
    }
}

/// The place of a share among `n` sorted values, by the nearest rank.
fn rank(n: usize, share: f64) -> usize {
    ((n as f64 * share).ceil() as usize).clamp(1, n.max(1)) - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_values_that_were_measured() {
        let took = (1..=100).rev().map(Duration::from_millis).collect();
        let tally = Tally { took, in_time: 90, errors: BTreeMap::from([("no".to_owned(), 2)]) };
        let figures = tally.figures(Duration::from_secs(3), Some(Duration::from_secs(2)));
        assert_eq!((figures.min_ms, figures.p50_ms, figures.p99_ms), (1.0, 50.0, 99.0));
        assert_eq!((figures.max_ms, figures.mean_ms), (100.0, 50.5));
        assert_eq!((figures.n, figures.errors, figures.per_s), (100, 2, 45.0));
    }

    #[test]
    fn a_load_that_came_to_nothing_has_figures() {
        let figures = Tally::default().figures(Duration::from_secs(1), None);
        assert_eq!((figures.n, figures.p50_ms, figures.per_s), (0, 0.0, 0.0));
    }
}
