//! What is worth an alert: figures of the last hour against those of the day before it, judged by
//! fixed rules. Each rule has a smallest number of samples, a threshold that opens and a lower one
//! that ends, so that a figure at the edge does not flap. It must not know where figures come from.
//!
//! An alert that stands is judged by the baseline that it was opened with: what stays bad for a day
//! would else become its own baseline, and the alert would go because everybody got used to it.

mod words;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// What an alert is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Slower, or succeeds less often, than before.
    Degradation,
    /// Dearer than before.
    CostSpike,
    /// A worker fails.
    WorkerFailure,
    /// Results are worse than before.
    QualityDrop,
    /// As many executions are driven as may be.
    Capacity,
}

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Somebody should look.
    Warning,
    /// Somebody should look now.
    Critical,
}

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Metric {
    /// The share of executions that brought a result.
    SuccessRate,
    /// The duration that 95 of 100 executions stay below, in ms.
    P95Ms,
    /// What an execution costs, in dollars.
    MeanCostUsd,
    /// What an account spends in an hour, in dollars.
    HourlyCostUsd,
    /// The share of attempts that failed.
    FailureShare,
    /// The mean quality score.
    Quality,
    /// The share of the account's places that are taken.
    PlacesShare,
}

/// What an alert concerns: at most one alert of each stands unresolved.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Subject {
    /// The account; `None` for what concerns the installation.
    pub account: Option<String>,
    /// What the alert is about.
    pub kind: Kind,
    /// What kind of thing: `account`, `worker` or `template`.
    pub subject_type: &'static str,
    /// Which of them.
    pub subject: String,
}

/// A figure of now and of before; `None` where nothing was measured.
#[derive(Clone, Debug, PartialEq)]
pub struct Reading {
    /// What it concerns.
    pub subject: Subject,
    /// What was measured.
    pub metric: Metric,
    /// Now.
    pub observed: Option<f64>,
    /// How many samples that is made of.
    pub samples: u64,
    /// Before.
    pub baseline: Option<f64>,
    /// How many samples that is made of.
    pub baseline_samples: u64,
}

/// An alert that stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Standing {
    /// Its id.
    pub id: String,
    /// What it concerns.
    pub subject: Subject,
    /// What it was opened with.
    pub evidence: Evidence,
}

/// What an alert keeps of the figures that opened it, and of how it goes on.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Evidence {
    /// The baseline of each metric when the alert was opened.
    pub baselines: BTreeMap<String, f64>,
    /// Samples of the figure that is shown.
    pub samples: u64,
    /// Samples of its baseline.
    pub baseline_samples: u64,
    /// How close the alert is to its end: see [`QUIET_ENDS_AT`].
    pub quiet: u32,
}

/// A figure that is bad.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// How bad.
    pub severity: Severity,
    /// What was measured.
    pub metric: Metric,
    /// Now.
    pub observed: f64,
    /// Before.
    pub baseline: Option<f64>,
    /// What it would have to be for the alert to end.
    pub threshold: f64,
    /// The same for a person.
    pub message: String,
    /// What the alert keeps.
    pub evidence: Evidence,
}

/// What to do about a subject.
#[derive(Clone, Debug, PartialEq)]
pub enum Decision {
    /// Open an alert.
    Open(Subject, Finding),
    /// It lasts: these are its figures now.
    Update(String, Finding),
    /// It was better this time.
    Note(String, Evidence),
    /// It is over.
    Resolve(String, Evidence),
}

/// An alert ends when its quiet checks add up to this: a check that found it well counts
/// [`WELL_COUNTS`], one without enough samples 1. So three checks that are well end it, or an hour
/// in which nothing happens.
pub const QUIET_ENDS_AT: u32 = 12;
const WELL_COUNTS: u32 = 4;

/// When a figure is bad, and when it is well again.
struct Rule {
    samples_min: u64,
    baseline_samples_min: u64,
    /// Where an alert opens, and where it is critical, given the baseline.
    opens: fn(f64) -> f64,
    critical: fn(f64) -> f64,
    /// Where it is well again.
    ends: fn(f64) -> f64,
    /// Whether more is worse.
    more_is_worse: bool,
}

/// How a reading is judged.
#[derive(Debug)]
enum Judgement {
    Bad(Finding),
    /// Neither bad nor well: what stands, stands.
    Between,
    Well,
    Unknown,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Degradation,
        Self::CostSpike,
        Self::WorkerFailure,
        Self::QualityDrop,
        Self::Capacity,
    ];

    /// The word in the column.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Degradation => "degradation",
            Self::CostSpike => "cost_spike",
            Self::WorkerFailure => "worker_failure",
            Self::QualityDrop => "quality_drop",
            Self::Capacity => "capacity",
        }
    }
}

impl Severity {
    /// The word in the column.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Warning => "warning",
            Self::Critical => "critical",
        }
    }
}

impl Metric {
    /// The word in the column, with the unit last.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::SuccessRate => "success_rate",
            Self::P95Ms => "duration_p95_ms",
            Self::MeanCostUsd => "mean_cost_usd",
            Self::HourlyCostUsd => "hourly_cost_usd",
            Self::FailureShare => "failed_attempts_share",
            Self::Quality => "quality_score",
            Self::PlacesShare => "places_in_use_share",
        }
    }

    fn rule(self) -> Rule {
        let relative = |opens, critical, ends| Rule {
            samples_min: 20,
            baseline_samples_min: 20,
            opens,
            critical,
            ends,
            more_is_worse: true,
        };
        match self {
            Self::SuccessRate => {
                Rule { more_is_worse: false, ..relative(|b| b - 0.1, |b| b - 0.3, |b| b - 0.05) }
            }
            Self::P95Ms => relative(
                |b| (b * 1.5).max(b + 500.0),
                |b| (b * 3.0).max(b + 1_500.0),
                |b| (b * 1.25).max(b + 250.0),
            ),
            Self::MeanCostUsd => relative(
                |b| (b * 1.5).max(b + 0.002),
                |b| (b * 3.0).max(b + 0.01),
                |b| (b * 1.25).max(b + 0.001),
            ),
            Self::HourlyCostUsd => relative(
                |b| (b * 3.0).max(b + 0.1),
                |b| (b * 10.0).max(b + 1.0),
                |b| (b * 2.0).max(b + 0.05),
            ),
            Self::FailureShare => Rule {
                samples_min: 10,
                baseline_samples_min: 0,
                ..relative(|_| 0.5, |_| 0.9, |_| 0.3)
            },
            Self::Quality => Rule {
                samples_min: 10,
                baseline_samples_min: 10,
                more_is_worse: false,
                ..relative(|b| b - 0.15, |b| b - 0.3, |b| b - 0.08)
            },
            Self::PlacesShare => Rule {
                samples_min: PRESSED_CHECKS,
                baseline_samples_min: 0,
                ..relative(|_| 0.9, |_| 1.0, |_| 0.7)
            },
        }
    }
}

/// Checks in a row that must have found an account pressed: samples of [`Metric::PlacesShare`].
const PRESSED_CHECKS: u64 = 2;

/// What to do about each subject that was read, and about each alert that stands.
pub fn decide(readings: &[Reading], standing: &[Standing]) -> Vec<Decision> {
    let mut of_subjects: BTreeMap<&Subject, Vec<&Reading>> = BTreeMap::new();
    for reading in readings {
        of_subjects.entry(&reading.subject).or_default().push(reading);
    }
    let alert_of = |subject: &Subject| standing.iter().find(|alert| alert.subject == *subject);
    let unread = standing.iter().filter(|alert| !of_subjects.contains_key(&alert.subject));
    let mut decisions: Vec<Decision> =
        unread.map(|alert| quieter(alert, &Judgement::Unknown)).collect();
    for (subject, readings) in of_subjects {
        let alert = alert_of(subject);
        let judged = readings.iter().map(|reading| judge(reading, alert));
        match (worst(judged), alert) {
            (Judgement::Bad(finding), None) => {
                decisions.push(Decision::Open(subject.clone(), finding));
            }
            (Judgement::Bad(mut finding), Some(alert)) => {
                finding.evidence.baselines.extend(alert.evidence.baselines.clone());
                decisions.push(Decision::Update(alert.id.clone(), finding));
            }
            (judgement, Some(alert)) => decisions.push(quieter(alert, &judgement)),
            (_, None) => {}
        }
    }
    decisions
}

/// The worst of the figures of one subject decides; it is well only when all of them are.
fn worst(judged: impl Iterator<Item = Judgement>) -> Judgement {
    let rank = |judgement: &Judgement| match judgement {
        Judgement::Bad(finding) => 3 + finding.severity as u8,
        Judgement::Between => 2,
        Judgement::Unknown => 1,
        Judgement::Well => 0,
    };
    let mut worst = Judgement::Well;
    let mut baselines = BTreeMap::new();
    for judgement in judged {
        if let Judgement::Bad(finding) = &judgement {
            baselines.extend(finding.evidence.baselines.clone());
        }
        if rank(&judgement) > rank(&worst) {
            worst = judgement;
        }
    }
    if let Judgement::Bad(finding) = &mut worst {
        finding.evidence.baselines = baselines;
    }
    worst
}

fn quieter(alert: &Standing, judgement: &Judgement) -> Decision {
    let mut evidence = alert.evidence.clone();
    evidence.quiet = match judgement {
        Judgement::Well => evidence.quiet + WELL_COUNTS,
        Judgement::Unknown => evidence.quiet + 1,
        Judgement::Between | Judgement::Bad(_) => 0,
    };
    match evidence.quiet >= QUIET_ENDS_AT {
        true => Decision::Resolve(alert.id.clone(), evidence),
        false => Decision::Note(alert.id.clone(), evidence),
    }
}

fn judge(reading: &Reading, alert: Option<&Standing>) -> Judgement {
    let Reading { metric, observed, samples, baseline, baseline_samples, .. } = reading;
    let rule = metric.rule();
    let opened_with =
        alert.and_then(|alert| alert.evidence.baselines.get(metric.as_str()).copied());
    let enough_before = opened_with.is_some() || *baseline_samples >= rule.baseline_samples_min;
    let needs_baseline = rule.baseline_samples_min > 0;
    let Some(observed) = observed.filter(|_| *samples >= rule.samples_min && enough_before) else {
        return Judgement::Unknown;
    };
    let baseline = opened_with.or(*baseline);
    if needs_baseline && baseline.is_none() {
        return Judgement::Unknown;
    }
    let base = baseline.unwrap_or_default();
    let beyond = |limit: f64| match rule.more_is_worse {
        true => observed >= limit,
        false => observed <= limit,
    };
    let (opens, ends) = ((rule.opens)(base), (rule.ends)(base));
    if !beyond(opens) {
        return if beyond(ends) { Judgement::Between } else { Judgement::Well };
    }
    let severity =
        if beyond((rule.critical)(base)) { Severity::Critical } else { Severity::Warning };
    let known = baseline.filter(|_| needs_baseline).map(|base| (metric.as_str().to_owned(), base));
    Judgement::Bad(Finding {
        severity,
        metric: *metric,
        observed,
        baseline,
        threshold: ends,
        message: message(reading, observed, baseline),
        evidence: Evidence {
            baselines: known.into_iter().collect(),
            samples: *samples,
            baseline_samples: *baseline_samples,
            quiet: 0,
        },
    })
}

fn message(reading: &Reading, observed: f64, baseline: Option<f64>) -> String {
    let Subject { subject_type, subject, .. } = &reading.subject;
    let metric = reading.metric;
    let (what, now) = (metric.named(), metric.shown(observed));
    let before = match baseline {
        Some(before) => format!(", after {} in the period before", metric.shown(before)),
        None => String::new(),
    };
    format!("The {what} of {subject_type} {subject} is {now}{before}")
}

impl Evidence {
    /// As the column has it.
    pub fn json(&self) -> Value {
        json!(self)
    }
}

#[cfg(test)]
mod tests;
