//! What alerts are judged by: readings of the figures of two periods, for each thing that may get
//! worse. Pure: rows in, readings out.

use std::collections::BTreeMap;

use super::alerts::{Kind, Metric, Reading, Subject};
use crate::db::rollups::{AccountTotal, Executions, Steps};

/// The quantile that counts as slow.
const SLOW: f64 = 0.95;
/// From this share of its places on an account is pressed.
const PRESSED_FROM: f64 = 0.9;
/// Readings of an account that is not pressed count at once.
const NOT_PRESSED_SAMPLES: u64 = 2;

/// How full an account is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fullness {
    /// The account.
    pub account: String,
    /// Places that are taken.
    pub taken: u32,
    /// Starts that wait in the line.
    pub waiting: u32,
    /// Places that there are.
    pub places_max: u32,
    /// Checks in a row, before this one, that found it pressed.
    pub pressed: u64,
}

/// The figures of one account by template.
#[derive(Clone, Copy, Debug)]
pub struct OfAccount<'a> {
    /// The account.
    pub account: &'a str,
    /// Now.
    pub now: &'a [Executions],
    /// Before.
    pub before: &'a [Executions],
}

/// Readings of workers, for the whole installation.
pub fn of_workers(now: &[Steps], before: &[Steps]) -> Vec<Reading> {
    let before: BTreeMap<&str, &Steps> =
        before.iter().map(|row| (row.worker_name.as_str(), row)).collect();
    let asked = now.iter().filter(|row| !row.worker_name.is_empty());
    asked.flat_map(|row| of_worker(row, before.get(row.worker_name.as_str()).copied())).collect()
}

fn of_worker(now: &Steps, before: Option<&Steps>) -> [Reading; 2] {
    let subject = |kind| Subject {
        account: None,
        kind,
        subject_type: "worker",
        subject: now.worker_name.clone(),
    };
    let failures = |row: &Steps| share(row.failed_attempts, row.attempts);
    let slow = |row: &Steps| row.durations.quantile_ms(SLOW).map(|ms| ms as f64);
    [
        Reading {
            subject: subject(Kind::WorkerFailure),
            metric: Metric::FailureShare,
            observed: failures(now),
            samples: count(now.attempts),
            baseline: before.and_then(failures),
            baseline_samples: before.map_or(0, |row| count(row.attempts)),
        },
        Reading {
            subject: subject(Kind::Degradation),
            metric: Metric::P95Ms,
            observed: slow(now),
            samples: count(now.timed),
            baseline: before.and_then(slow),
            baseline_samples: before.map_or(0, |row| count(row.timed)),
        },
    ]
}

/// Readings of the templates of one account.
pub fn of_templates(rows: OfAccount<'_>) -> Vec<Reading> {
    let OfAccount { account, now, before } = rows;
    let before: BTreeMap<&str, &Executions> =
        before.iter().map(|row| (row.subject.as_str(), row)).collect();
    now.iter()
        .flat_map(|row| of_template(account, row, before.get(row.subject.as_str()).copied()))
        .collect()
}

fn of_template(account: &str, now: &Executions, before: Option<&Executions>) -> [Reading; 4] {
    let reading = |kind, metric, figure: fn(&Executions) -> (Option<f64>, u64)| {
        let (observed, samples) = figure(now);
        let (baseline, baseline_samples) = before.map_or((None, 0), figure);
        let subject = Subject {
            account: Some(account.to_owned()),
            kind,
            subject_type: "template",
            subject: now.subject.clone(),
        };
        Reading { subject, metric, observed, samples, baseline, baseline_samples }
    };
    [
        reading(Kind::Degradation, Metric::SuccessRate, |row| {
            let (good, bad) = (row.completed + row.partial, row.failed);
            (share(good, good + bad), count(good + bad))
        }),
        reading(Kind::Degradation, Metric::P95Ms, |row| {
            (row.durations.quantile_ms(SLOW).map(|ms| ms as f64), count(row.timed))
        }),
        reading(Kind::CostSpike, Metric::MeanCostUsd, |row| {
            let ended = ended(row);
            (share(row.cost_micro_usd, ended).map(usd), count(ended))
        }),
        reading(Kind::QualityDrop, Metric::Quality, |row| {
            let sum = share(row.quality_sum_bp, row.quality_count);
            (sum.map(|bp| bp / 10_000.0), count(row.quality_count))
        }),
    ]
}

/// What accounts spend in an hour: `now` is one hour, `before` is `before_hours` hours. `early`
/// are the first of those: an account that did nothing then is too young to be compared.
pub fn of_spending(
    now: &[AccountTotal],
    before: &[AccountTotal],
    early: &[AccountTotal],
    before_hours: f64,
) -> Vec<Reading> {
    let by_account = |rows: &[AccountTotal]| -> BTreeMap<String, AccountTotal> {
        rows.iter().map(|row| (row.account_id.clone(), row.clone())).collect()
    };
    let (before, early) = (by_account(before), by_account(early));
    let spent = |row: &AccountTotal| usd(row.own_cost_micro_usd() as f64);
    let reading = |row: &AccountTotal| Reading {
        subject: Subject {
            account: Some(row.account_id.clone()),
            kind: Kind::CostSpike,
            subject_type: "account",
            subject: row.account_id.clone(),
        },
        metric: Metric::HourlyCostUsd,
        observed: Some(spent(row)),
        samples: count(row.ended()),
        baseline: before.get(&row.account_id).map(|row| spent(row) / before_hours),
        baseline_samples: early.get(&row.account_id).map_or(0, |row| count(row.ended())),
    };
    now.iter().map(reading).collect()
}

/// How full accounts are.
pub fn of_places(accounts: &[Fullness]) -> Vec<Reading> {
    let reading = |it: &Fullness| Reading {
        subject: Subject {
            account: Some(it.account.clone()),
            kind: Kind::Capacity,
            subject_type: "account",
            subject: it.account.clone(),
        },
        metric: Metric::PlacesShare,
        observed: Some(fullness(it)),
        samples: if is_pressed(it) { it.pressed + 1 } else { NOT_PRESSED_SAMPLES },
        baseline: None,
        baseline_samples: 0,
    };
    accounts.iter().map(reading).collect()
}

/// Whether an account is nearly full, or starts wait in its line.
pub fn is_pressed(it: &Fullness) -> bool {
    fullness(it) >= PRESSED_FROM
}

/// Those that wait count as if they had a place.
fn fullness(it: &Fullness) -> f64 {
    f64::from(it.taken.saturating_add(it.waiting)) / f64::from(it.places_max.max(1))
}

fn ended(row: &Executions) -> i64 {
    row.completed + row.partial + row.failed + row.cancelled
}

fn share(part: i64, whole: i64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

fn usd(micro_usd: f64) -> f64 {
    micro_usd / 1_000_000.0
}

fn count(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn template(name: &str, completed: i64, failed: i64, ms: u64, cost: i64) -> Executions {
        let mut row = Executions {
            subject: name.to_owned(),
            completed,
            failed,
            cost_micro_usd: cost,
            quality_sum_bp: completed * 8_000,
            quality_count: completed,
            timed: completed,
            ..Executions::default()
        };
        row.durations.count(ms, completed);
        row
    }

    #[test]
    fn a_template_is_read_by_what_its_executions_came_to() {
        let now = [template("t", 30, 10, 4_000, 4_000_000)];
        let before = [template("t", 99, 1, 1_000, 1_000_000), template("gone", 5, 0, 1, 1)];
        let found = of_templates(OfAccount { account: "acme", now: &now, before: &before });
        let figure =
            |r: &Reading| (r.metric, r.observed, r.samples, r.baseline, r.baseline_samples);
        let figures: Vec<_> = found.iter().map(figure).collect();
        assert_eq!(figures[0], (Metric::SuccessRate, Some(0.75), 40, Some(0.99), 100));
        let (metric, now_ms, 30, before_ms, 99) = figures[1] else { panic!("{figures:?}") };
        assert_eq!(metric, Metric::P95Ms);
        assert!((now_ms.unwrap() / 4_000.0 - 1.0).abs() < 0.13, "{now_ms:?}");
        assert!((before_ms.unwrap() / 1_000.0 - 1.0).abs() < 0.13, "{before_ms:?}");
        assert_eq!(figures[2], (Metric::MeanCostUsd, Some(0.1), 40, Some(0.01), 100));
        assert_eq!(figures[3], (Metric::Quality, Some(0.8), 30, Some(0.8), 99));
        assert_eq!(found.len(), 4, "what did nothing lately is not read");
        assert!(found.iter().all(|r| r.subject.account.as_deref() == Some("acme")));
    }

    #[test]
    fn a_worker_is_read_by_its_attempts() {
        let now = Steps {
            worker_name: "w".to_owned(),
            attempts: 20,
            failed_attempts: 15,
            ..Steps::default()
        };
        let transform = Steps { attempts: 0, ..Steps::default() };
        let found = of_workers(&[now, transform], &[]);
        let [failing, slow] = found.as_slice() else { panic!("{found:?}") };
        assert_eq!((failing.observed, failing.samples), (Some(0.75), 20));
        assert_eq!((failing.baseline, failing.baseline_samples), (None, 0));
        assert_eq!((slow.observed, slow.samples), (None, 0));
        assert_eq!(failing.subject.account, None, "it concerns the installation");
    }

    #[test]
    fn spending_is_compared_by_the_hour_and_only_where_it_is_old_enough() {
        let account = |cost_micro_usd| {
            let account_id = "acme".to_owned();
            [AccountTotal { account_id, completed: 50, cost_micro_usd, ..Default::default() }]
        };
        let found = of_spending(&account(9_000_000), &account(24_000_000), &account(1), 24.0);
        let [reading] = found.as_slice() else { panic!("{found:?}") };
        assert_eq!((reading.observed, reading.baseline), (Some(9.0), Some(1.0)));
        assert_eq!(reading.baseline_samples, 50);
        let young = of_spending(&account(9_000_000), &account(24_000_000), &[], 24.0);
        assert_eq!(young[0].baseline_samples, 0);
    }

    #[test]
    fn an_account_is_pressed_when_it_is_nearly_full_for_more_than_a_moment() {
        let full = |taken, waiting, pressed| Fullness {
            account: "acme".to_owned(),
            taken,
            waiting,
            places_max: 10,
            pressed,
        };
        let read = |it: Fullness| (of_places(std::slice::from_ref(&it)).remove(0), is_pressed(&it));
        let (once, pressed) = read(full(9, 0, 0));
        assert_eq!((once.observed, once.samples, pressed), (Some(0.9), 1, true));
        let (again, _) = read(full(10, 2, 1));
        assert_eq!((again.observed, again.samples), (Some(1.2), 2));
        let (well, pressed) = read(full(3, 0, 7));
        assert_eq!((well.observed, well.samples, pressed), (Some(0.3), 2, false));
    }
}
