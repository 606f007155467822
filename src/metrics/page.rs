//! The page: pure, from what was found to text. Series are bounded: names beyond the first
//! [`NAMES_MAX`] of a kind share the name `other`.

use std::collections::{BTreeMap, BTreeSet};

use engine::admission::{Circuit, Figures as Gates};
use engine::shard::Figures as Shard;

use super::text::{Durations, Metric, Page};
use super::{
    ALERTS, ATTEMPTS, ATTEMPTS_FAILED, BOUNDS_MS, BREAKER, BUILD, COST, D1_ERRORS, D1_SIZE,
    EXECUTION_CACHE_HITS, EXECUTION_DURATION, EXECUTIONS, EXECUTIONS_OPEN, EXECUTIONS_STALLED,
    GATE_CALLS, GATE_WAITING, INBOX_MESSAGES, JOBS, LIVE_CONNECTIONS, LIVE_DELIVERED, LIVE_DROPPED,
    LIVE_SUBSCRIPTIONS, PLACES, PLACES_WAITING, PROBLEMS, PROJECTIONS_BEHIND, QUEUE_DEPTH, READY,
    SCRAPE_COMPLETE, SECURITY_EVENTS, SHARD_ENDS, SHARD_SIZE, SHARDS_SILENT, STEP_CACHE_HITS,
    STEP_DURATION, STEP_RETRIES, STEPS, SWEEP_AGE, WORKER_HEALTH,
};
use crate::db::metrics::{Alerts, Spent, Total, WorkerState, names};
use crate::live::Figures as Live;

/// The most templates, and the most workers, that have series of their own: those that were met
/// first keep theirs.
pub const NAMES_MAX: usize = 100;
const OTHER: &str = "other";
const HEALTH: [&str; 4] = ["unknown", "healthy", "degraded", "unhealthy"];

/// What was found. What concerns the installation is absent from an account's page.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// The build, and where it is deployed.
    pub build: (String, String),
    /// What was counted since the beginning.
    pub totals: Vec<Total>,
    /// What workers did and charged.
    pub spent: Vec<Spent>,
    /// What accounts have in hand.
    pub accounts: Vec<AccountGauges>,
    /// Jobs that have not ended, by status.
    pub jobs: BTreeMap<String, u64>,
    /// What only the operator sees.
    pub installation: Option<Installation>,
    /// Whether everything answered.
    pub complete: bool,
}

/// What an account has in hand.
#[derive(Clone, Debug)]
pub struct AccountGauges {
    /// The account.
    pub account: String,
    /// Its Governor's figures.
    pub gates: Gates,
    /// Its WebSockets; `None` where their object did not say.
    pub live: Option<Live>,
}

/// What concerns all accounts together.
#[derive(Clone, Debug, Default)]
pub struct Installation {
    /// How the workers were when they were last checked.
    pub workers: Vec<WorkerState>,
    /// The shards as the last sweep found them.
    pub shards: Vec<(u16, Shard)>,
    /// Shards that did not answer it.
    pub shards_silent: u64,
    /// How long ago it was.
    pub sweep_age_s: Option<u64>,
    /// How large the database is.
    pub d1_size_bytes: Option<u64>,
    /// Errors of the database, by kind.
    pub d1_errors: BTreeMap<String, u64>,
    /// Security events, by kind.
    pub security_events: BTreeMap<String, u64>,
    /// Alerts that are not resolved.
    pub alerts: Vec<Alerts>,
    /// Whether it can do its work.
    pub ready: bool,
    /// How many things are missing or wrong.
    pub problems: u64,
}

/// The page of what was found.
pub fn page(found: &Found) -> String {
    let mut page = Page::default();
    page.metric(&BUILD);
    page.sample(&BUILD, &[&found.build.0, &found.build.1], 1.0);
    let names = Names::of(found);
    counters(&mut page, found, &names);
    gates(&mut page, &found.accounts);
    page.metric(&JOBS);
    for (status, count) in &found.jobs {
        page.sample(&JOBS, &[status], *count as f64);
    }
    live(&mut page, &found.accounts);
    if let Some(installation) = &found.installation {
        shards(&mut page, installation);
        database(&mut page, installation);
        plain(&mut page, &READY, f64::from(u8::from(installation.ready)));
        plain(&mut page, &PROBLEMS, installation.problems as f64);
    }
    plain(&mut page, &SCRAPE_COMPLETE, f64::from(u8::from(found.complete)));
    page.into_text()
}

/// Names that have series of their own.
struct Names<'f> {
    templates: BTreeSet<&'f str>,
    workers: BTreeSet<&'f str>,
}

impl<'f> Names<'f> {
    /// Those that were met first.
    fn of(found: &'f Found) -> Self {
        let first = |named: Vec<(&'f str, &'f str)>| -> BTreeSet<&'f str> {
            let mut since: BTreeMap<&str, &str> = BTreeMap::new();
            for (name, at) in named {
                let known = since.entry(name).or_insert(at);
                *known = at.min(*known);
            }
            let mut order: Vec<(&str, &str)> = since.into_iter().map(|(n, at)| (at, n)).collect();
            order.sort_unstable();
            order.into_iter().take(NAMES_MAX).map(|(_, name)| name).collect()
        };
        let of = |kinds: &[&str]| -> Vec<(&'f str, &'f str)> {
            let totals = found.totals.iter().filter(|total| kinds.contains(&total.name.as_str()));
            totals.filter_map(|it| Some((it.labels.first()?.as_str(), it.since.as_str()))).collect()
        };
        let mut workers = of(&[names::STEPS]);
        workers.extend(found.spent.iter().map(|it| (it.worker_name.as_str(), it.since.as_str())));
        Self { templates: first(of(&[names::EXECUTIONS])), workers: first(workers) }
    }

    fn template<'n>(&self, name: &'n str) -> &'n str {
        if self.templates.contains(name) { name } else { OTHER }
    }

    fn worker<'n>(&self, name: &'n str) -> &'n str {
        if self.workers.contains(name) { name } else { OTHER }
    }
}

type Series = BTreeMap<Vec<String>, u64>;

fn counters(page: &mut Page, found: &Found, names: &Names<'_>) {
    let sums = |name: &str, of_worker: bool| -> Series {
        let mut sums = Series::new();
        for total in found.totals.iter().filter(|total| total.name == name) {
            let mut labels = total.labels.clone();
            if let Some(first) = labels.first_mut() {
                let kept = if of_worker { names.worker(first) } else { names.template(first) };
                *first = kept.to_owned();
            }
            *sums.entry(labels).or_default() += total.value;
        }
        sums
    };
    let durations = |name: &str, sum: &str, of_worker: bool| {
        let mut series: BTreeMap<String, Durations> = BTreeMap::new();
        for (labels, value) in sums(name, of_worker) {
            let [subject, bucket] = labels.as_slice() else { continue };
            let durations = series.entry(subject.clone()).or_default();
            durations.counts.resize(BOUNDS_MS.len() + 1, 0);
            let bucket = bucket.parse::<usize>().unwrap_or(BOUNDS_MS.len());
            durations.counts[bucket.min(BOUNDS_MS.len())] += value;
        }
        for (labels, value) in sums(sum, of_worker) {
            let Some(subject) = labels.first() else { continue };
            series.entry(subject.clone()).or_default().sum_ms += value;
        }
        series
    };
    samples(page, &EXECUTIONS, &sums(names::EXECUTIONS, false));
    samples(page, &EXECUTION_CACHE_HITS, &sums(names::EXECUTION_CACHE_HITS, false));
    let took = durations(names::EXECUTION_DURATION, names::EXECUTION_DURATION_MS, false);
    histograms(page, &EXECUTION_DURATION, &took);
    samples(page, &STEPS, &sums(names::STEPS, true));
    samples(page, &STEP_CACHE_HITS, &sums(names::STEP_CACHE_HITS, true));
    samples(page, &STEP_RETRIES, &sums(names::STEP_RETRIES, true));
    let took = durations(names::STEP_DURATION, names::STEP_DURATION_MS, true);
    histograms(page, &STEP_DURATION, &took);
    let spent = |of: fn(&Spent) -> u64| {
        let mut sums = Series::new();
        for row in &found.spent {
            *sums.entry(vec![names.worker(&row.worker_name).to_owned()]).or_default() += of(row);
        }
        sums
    };
    samples(page, &ATTEMPTS, &spent(|row| row.calls));
    samples(page, &ATTEMPTS_FAILED, &spent(|row| row.failures));
    page.metric(&COST);
    for (labels, micros) in spent(|row| row.cost_micro_usd) {
        page.sample(&COST, &[&labels[0]], micros as f64 / 1e6);
    }
}

fn samples(page: &mut Page, metric: &Metric, series: &Series) {
    page.metric(metric);
    for (labels, value) in series {
        let labels: Vec<&str> = labels.iter().map(String::as_str).collect();
        if labels.len() == metric.labels.len() {
            page.sample(metric, &labels, *value as f64);
        }
    }
}

fn histograms(page: &mut Page, metric: &Metric, series: &BTreeMap<String, Durations>) {
    page.metric(metric);
    for (subject, durations) in series {
        page.histogram(metric, &[subject], &BOUNDS_MS, durations);
    }
}

fn gates(page: &mut Page, accounts: &[AccountGauges]) {
    let mut each = |metric: &Metric, write: &dyn Fn(&mut Page, &str, &Gates)| {
        page.metric(metric);
        for AccountGauges { account, gates, live: _ } in accounts {
            write(page, account, gates);
        }
    };
    each(&PLACES, &|page, account, gates| {
        page.sample(&PLACES, &[account], gates.places.into());
    });
    each(&PLACES_WAITING, &|page, account, gates| {
        page.sample(&PLACES_WAITING, &[account], gates.waiting.into());
    });
    each(&BREAKER, &|page, account, gates| {
        for gate in gates.gates.iter().take(NAMES_MAX) {
            for circuit in Circuit::ALL {
                let here = f64::from(u8::from(gate.circuit == circuit));
                page.sample(&BREAKER, &[account, &gate.worker, circuit.as_str()], here);
            }
        }
    });
    each(&GATE_CALLS, &|page, account, gates| {
        for gate in gates.gates.iter().take(NAMES_MAX) {
            page.sample(&GATE_CALLS, &[account, &gate.worker], gate.calls.into());
        }
    });
    each(&GATE_WAITING, &|page, account, gates| {
        for gate in gates.gates.iter().take(NAMES_MAX) {
            page.sample(&GATE_WAITING, &[account, &gate.worker], gate.waiting.into());
        }
    });
}

fn live(page: &mut Page, accounts: &[AccountGauges]) {
    for (metric, of) in [
        (&LIVE_CONNECTIONS, (|it| it.connections) as fn(&Live) -> u64),
        (&LIVE_SUBSCRIPTIONS, |it| it.subscriptions),
        (&LIVE_DELIVERED, |it| it.delivered),
        (&LIVE_DROPPED, |it| it.dropped),
    ] {
        page.metric(metric);
        for AccountGauges { account, live, .. } in accounts {
            if let Some(live) = live {
                page.sample(metric, &[account], of(live) as f64);
            }
        }
    }
}

fn shards(page: &mut Page, installation: &Installation) {
    page.metric(&WORKER_HEALTH);
    for worker in installation.workers.iter().take(NAMES_MAX) {
        for status in HEALTH {
            let here = f64::from(u8::from(worker.health_status == status));
            page.sample(&WORKER_HEALTH, &[&worker.worker_name, status], here);
        }
    }
    let all = installation.shards.iter().fold(Shard::default(), |sum, (_, it)| sum.plus(*it));
    if installation.sweep_age_s.is_some() {
        page.metric(&EXECUTIONS_OPEN);
        for (state, count) in [("driven", all.driven), ("parked", all.parked), ("due", all.due)] {
            page.sample(&EXECUTIONS_OPEN, &[state], count as f64);
        }
        for (metric, value) in [
            (&QUEUE_DEPTH, all.due),
            (&EXECUTIONS_STALLED, all.stalled),
            (&INBOX_MESSAGES, all.unheard),
            (&PROJECTIONS_BEHIND, all.unprojected),
        ] {
            plain(page, metric, value as f64);
        }
    }
    for (metric, of) in
        [(&SHARD_ENDS, (|it| it.ended) as fn(&Shard) -> u64), (&SHARD_SIZE, |it| it.size_bytes)]
    {
        page.metric(metric);
        for (shard, figures) in &installation.shards {
            page.sample(metric, &[&shard.to_string()], of(figures) as f64);
        }
    }
    plain(page, &SHARDS_SILENT, installation.shards_silent as f64);
    if let Some(age_s) = installation.sweep_age_s {
        plain(page, &SWEEP_AGE, age_s as f64);
    }
}

fn database(page: &mut Page, installation: &Installation) {
    if let Some(bytes) = installation.d1_size_bytes {
        plain(page, &D1_SIZE, bytes as f64);
    }
    page.metric(&D1_ERRORS);
    for (kind, count) in &installation.d1_errors {
        page.sample(&D1_ERRORS, &[kind], *count as f64);
    }
    page.metric(&SECURITY_EVENTS);
    for (kind, count) in &installation.security_events {
        page.sample(&SECURITY_EVENTS, &[kind], *count as f64);
    }
    page.metric(&ALERTS);
    for Alerts { kind, severity, count } in &installation.alerts {
        page.sample(&ALERTS, &[kind, severity], *count as f64);
    }
}

fn plain(page: &mut Page, metric: &Metric, value: f64) {
    page.metric(metric);
    page.sample(metric, &[], value);
}

#[cfg(test)]
mod tests;
