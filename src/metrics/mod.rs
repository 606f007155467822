//! Metrics: every one that there is, and the page that is made of what was found. It is pure:
//! what is found comes from `api/metrics.rs`. docs/operations.md has the same list for people.

mod page;
pub mod text;

pub use page::{AccountGauges, Found, Installation, page};
use text::{Kind, Metric};

/// Where the buckets of durations end, in ms.
pub const BOUNDS_MS: [u64; 14] =
    [10, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 30_000, 60_000, 120_000, 300_000, 600_000];

/// Defines metrics: a constant for each, and all of them in the order of the page.
macro_rules! metrics {
    ($($name:ident = $kind:ident $text:literal [$($label:literal),*] $help:literal;)+) => {
        $(
            #[doc = $help]
            pub const $name: Metric = Metric {
                name: concat!("bitware_", $text),
                kind: Kind::$kind,
                labels: &[$($label),*],
                help: $help,
            };
        )+
        /// Every metric, in the order of the page.
        #[cfg(test)]
        pub const METRICS: &[Metric] = &[$($name),+];
    };
}

metrics! {
    BUILD = Gauge "build_info" ["version", "environment"]
        "Always 1; which build answers, and where it is deployed.";
    EXECUTIONS = Counter "executions_total" ["template", "strategy", "status"]
        "Executions that ended; one that was opened again counts with each of its ends.";
    EXECUTION_CACHE_HITS = Counter "execution_cache_hits_total" ["template"]
        "Executions whose result was that of an earlier one.";
    EXECUTION_DURATION = Histogram "execution_duration_seconds" ["template"]
        "How long executions took that ended completed or partial.";
    STEPS = Counter "steps_total" ["worker", "outcome"]
        "Steps that were settled; worker is empty where none was asked.";
    STEP_CACHE_HITS = Counter "step_cache_hits_total" ["worker"]
        "Steps whose output was that of an earlier call or execution.";
    STEP_RETRIES = Counter "step_retries_total" ["worker"]
        "Attempts after the first of the steps that were settled.";
    STEP_DURATION = Histogram "step_duration_seconds" ["worker"]
        "How long steps took that succeeded by a call, from the first attempt to the end.";
    ATTEMPTS = Counter "attempts_total" ["worker"]
        "Attempts of steps: calls of a worker, and what stands for one.";
    ATTEMPTS_FAILED = Counter "attempts_failed_total" ["worker"]
        "Attempts that failed.";
    COST = Counter "cost_usd_total" ["worker"]
        "What the workers charged, in US dollars.";
    PLACES = Gauge "places_taken" ["account"]
        "Executions that are driven and hold a place of the account.";
    PLACES_WAITING = Gauge "places_waiting" ["account"]
        "Starts that wait in the line for a place of the account.";
    BREAKER = Gauge "breaker_state" ["account", "worker", "state"]
        "1 for the state that the worker's breaker is in, 0 for the others.";
    GATE_CALLS = Gauge "gate_calls" ["account", "worker"]
        "Calls in progress that needed a permit.";
    GATE_WAITING = Gauge "gate_waiting" ["account", "worker"]
        "Calls that wait for a permit.";
    JOBS = Gauge "jobs_open" ["status"]
        "Jobs that have not ended, as their rows stand.";
    LIVE_CONNECTIONS = Gauge "live_connections" ["account"]
        "WebSockets that are open.";
    LIVE_SUBSCRIPTIONS = Gauge "live_subscriptions" ["account"]
        "What they have subscribed to.";
    LIVE_DELIVERED = Counter "live_delivered_total" ["account"]
        "Events that were sent to WebSockets.";
    LIVE_DROPPED = Counter "live_consumers_dropped_total" ["account"]
        "WebSockets that were closed because they did not keep up.";
    WORKER_HEALTH = Gauge "worker_health" ["worker", "status"]
        "1 for what the last check of the worker found, 0 for the others.";
    EXECUTIONS_OPEN = Gauge "executions_open" ["state"]
        "Executions that have not ended: driven, parked until a moment or a message, or due.";
    QUEUE_DEPTH = Gauge "queue_depth" []
        "Executions that need a driver; a message for each stands in the queue.";
    EXECUTIONS_STALLED = Gauge "executions_stalled" []
        "Executions that have waited for a driver for more than 5 seconds.";
    INBOX_MESSAGES = Gauge "inbox_messages" []
        "Signals, verbs, reports and timers that no driver has met.";
    PROJECTIONS_BEHIND = Gauge "projections_behind" []
        "Executions that D1 does not show as they are yet, at most.";
    SHARD_ENDS = Counter "shard_ends_total" ["shard"]
        "Ends of executions that the shard has numbered.";
    SHARD_SIZE = Gauge "shard_size_bytes" ["shard"]
        "How large the storage of the shard is.";
    SHARDS_SILENT = Gauge "shards_silent" []
        "Shards that did not answer the last sweep.";
    SWEEP_AGE = Gauge "sweep_age_seconds" []
        "How long ago the shards were swept: their figures are as old.";
    D1_SIZE = Gauge "d1_size_bytes" []
        "How large the database is.";
    D1_ERRORS = Counter "d1_errors_total" ["kind"]
        "Calls of D1 that failed, each try of its own.";
    SECURITY_EVENTS = Counter "security_events_total" ["kind"]
        "Sign-ins, sign-outs and refused callers, also those beyond what the audit log takes.";
    ALERTS = Gauge "alerts_open" ["kind", "severity"]
        "Alerts that are not resolved.";
    READY = Gauge "ready" []
        "1 where the orchestrator can do its work, as /healthz says, else 0.";
    PROBLEMS = Gauge "problems" []
        "What is missing or wrong, as /health lists it.";
    SCRAPE_COMPLETE = Gauge "scrape_complete" []
        "1 when every part of the page answered in time, else 0.";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_the_conventions_and_none_stands_twice() {
        let mut names: Vec<&str> = METRICS.iter().map(|metric| metric.name).collect();
        for Metric { name, kind, labels, help } in METRICS {
            let fits =
                |text: &str| text.bytes().all(|b| b.is_ascii_lowercase() || b"_1".contains(&b));
            assert!(fits(name) && name.starts_with("bitware_"), "{name}");
            assert!(labels.iter().all(|label| fits(label) && *label != "le"), "{name}");
            assert_eq!(name.ends_with("_total"), *kind == Kind::Counter, "{name}");
            assert_eq!(name.ends_with("_duration_seconds"), *kind == Kind::Histogram, "{name}");
            assert!(help.ends_with('.') && !help.contains('\n'), "{name}");
        }
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), METRICS.len());
        assert!(BOUNDS_MS.is_sorted());
    }
}
