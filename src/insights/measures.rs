//! Figures of two periods as measures with their trends.

use api_types::insights::{Direction, Measures, Saved, Savings, Trend, WorkerMeasures};

use super::material::usd;
use crate::db::rollups::{Executions, Steps};

/// A figure that moves by less than this share stays as it is.
const STEADY_BELOW: f64 = 0.02;

/// A figure of two periods.
pub fn trend(value: Option<f64>, previous: Option<f64>) -> Trend {
    let change = value.zip(previous).and_then(|(now, before)| {
        (before != 0.0).then(|| rounded((now - before) / before.abs(), 4))
    });
    let direction = match (value, previous, change) {
        (Some(_), Some(_), Some(change)) if change.abs() < STEADY_BELOW => Direction::Steady,
        (Some(now), Some(before), _) if now > before => Direction::Up,
        (Some(now), Some(before), _) if now < before => Direction::Down,
        (Some(_), Some(_), _) => Direction::Steady,
        (None, _, _) | (_, None, _) => Direction::Unknown,
    };
    Trend { value, previous, change, direction }
}

/// Whether what is part of another execution costs anything by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nested {
    /// Its cost is in that of the other.
    Within,
    /// It is looked at by itself.
    Apart,
}

/// What executions of two periods came to.
pub fn measures(now: &Executions, before: &Executions, nested: Nested) -> Measures {
    let both = |of: &dyn Fn(&Executions) -> Option<f64>| trend(of(now), of(before));
    let cost = |row: &Executions| match nested {
        Nested::Within => row.cost_micro_usd - row.nested_cost_micro_usd,
        Nested::Apart => row.cost_micro_usd,
    };
    let payers = |row: &Executions| match nested {
        Nested::Within => ended(row) - row.nested,
        Nested::Apart => ended(row),
    };
    let succeeded = |row: &Executions| row.completed + row.partial;
    let quantile = |row: &Executions, q| row.durations.quantile_ms(q).map(|ms| ms as f64);
    Measures {
        executions: both(&|row| Some(ended(row) as f64)),
        success_rate: both(&|row| share(succeeded(row), succeeded(row) + row.failed)),
        duration_p50_ms: both(&|row| quantile(row, 0.5)),
        duration_p95_ms: both(&|row| quantile(row, 0.95)),
        duration_p99_ms: both(&|row| quantile(row, 0.99)),
        total_cost_usd: both(&|row| Some(usd(cost(row)))),
        mean_cost_usd: both(&|row| {
            share(cost(row), payers(row)).map(|micros| rounded(micros / 1_000_000.0, 6))
        }),
        quality_score: both(&|row| {
            share(row.quality_sum_bp, row.quality_count).map(|score| rounded(score / 10_000.0, 4))
        }),
        cache_hit_rate: both(&|row| share(row.cache_hits, ended(row))),
    }
}

/// What a worker did in two periods.
pub fn worker_measures(worker: &str, now: &Steps, before: &Steps) -> WorkerMeasures {
    let both = |of: &dyn Fn(&Steps) -> Option<f64>| trend(of(now), of(before));
    let quantile = |row: &Steps, q| row.durations.quantile_ms(q).map(|ms| ms as f64);
    let done = |row: &Steps| row.succeeded + row.failed + row.compensated;
    WorkerMeasures {
        worker: worker.to_owned(),
        attempts: both(&|row| Some(row.attempts as f64)),
        success_rate: both(&|row| share(row.attempts - row.failed_attempts, row.attempts)),
        duration_p50_ms: both(&|row| quantile(row, 0.5)),
        duration_p95_ms: both(&|row| quantile(row, 0.95)),
        duration_p99_ms: both(&|row| quantile(row, 0.99)),
        total_cost_usd: both(&|row| Some(usd(row.cost_micro_usd))),
        cache_hit_rate: both(&|row| share(row.cache_hits, done(row))),
        retry_rate: both(&|row| share(row.retried, done(row))),
    }
}

/// What was saved already.
pub fn savings(row: &Executions) -> Savings {
    let saved = |micros, ms| Saved { cost_usd: usd(micros), duration_ms: ms };
    let cost = row.saved_by_cache_micro_usd
        + row.saved_by_route_micro_usd
        + row.saved_by_skipping_micro_usd;
    let duration = row.saved_by_cache_ms
        + row.saved_by_route_ms
        + row.saved_by_skipping_ms
        + row.saved_in_parallel_ms;
    Savings {
        cache: saved(row.saved_by_cache_micro_usd, row.saved_by_cache_ms),
        cheaper_routes: saved(row.saved_by_route_micro_usd, row.saved_by_route_ms),
        skipped_steps: saved(row.saved_by_skipping_micro_usd, row.saved_by_skipping_ms),
        parallel_steps: saved(0, row.saved_in_parallel_ms),
        total: saved(cost, duration),
    }
}

/// How many executions ended.
pub fn ended(row: &Executions) -> i64 {
    row.completed + row.partial + row.failed + row.cancelled
}

/// `part` of `whole`; nothing of nothing.
pub fn share(part: i64, whole: i64) -> Option<f64> {
    (whole > 0).then(|| rounded(part as f64 / whole as f64, 6))
}

/// To so many decimals.
pub fn rounded(value: f64, decimals: i32) -> f64 {
    let factor = 10_f64.powi(decimals);
    (value * factor).round() / factor
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trends_say_which_way_and_how_far() {
        let shown = |value, previous| {
            let Trend { change, direction, .. } = trend(value, previous);
            (change, direction)
        };
        assert_eq!(shown(Some(11.0), Some(10.0)), (Some(0.1), Direction::Up));
        assert_eq!(shown(Some(5.0), Some(10.0)), (Some(-0.5), Direction::Down));
        assert_eq!(shown(Some(10.1), Some(10.0)), (Some(0.01), Direction::Steady));
        assert_eq!(shown(Some(1.0), Some(0.0)), (None, Direction::Up));
        assert_eq!(shown(Some(0.0), Some(0.0)), (None, Direction::Steady));
        assert_eq!(shown(None, Some(1.0)), (None, Direction::Unknown));
    }

    #[test]
    fn measures_leave_out_what_has_no_part_in_them() {
        let mut now = Executions {
            completed: 6,
            partial: 2,
            failed: 2,
            cancelled: 10,
            cache_hits: 5,
            nested: 4,
            cost_micro_usd: 4_000_000,
            nested_cost_micro_usd: 800_000,
            quality_sum_bp: 14_000,
            quality_count: 2,
            ..Executions::default()
        };
        now.durations.count(100, 8);
        let found = measures(&now, &Executions::default(), Nested::Within);
        assert_eq!(found.executions.value, Some(20.0));
        assert_eq!(found.success_rate.value, Some(0.8));
        assert_eq!(found.total_cost_usd.value, Some(3.2));
        assert_eq!(found.mean_cost_usd.value, Some(0.2));
        assert_eq!(found.quality_score.value, Some(0.7));
        assert_eq!(found.cache_hit_rate.value, Some(0.25));
        assert_eq!((found.quality_score.previous, found.executions.previous), (None, Some(0.0)));
        let median = found.duration_p50_ms.value.unwrap();
        assert!((median - 100.0).abs() <= 12.0, "{median}");
        let apart = measures(&now, &Executions::default(), Nested::Apart);
        assert_eq!((apart.total_cost_usd.value, apart.mean_cost_usd.value), (Some(4.0), Some(0.2)));
    }
}
