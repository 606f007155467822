//! The health of the workers: checked through their health endpoints, each at most once in
//! [`PAUSE_MIN`] however many ask, kept in KV and in the registry.
//!
//! Isolates share nothing, so whoever wants to check claims the workers first, in the registry's
//! rows: of those who ask at the same time one checks, and the others tell what is known.

use std::collections::BTreeMap;
use std::time::Duration;

use api_types::{WorkerHealth, WorkerHealthEntry};
use engine::time::{Millis, Timestamp};
use futures::future::{Either, select};
use futures::stream::{self, StreamExt, TryStreamExt};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use worker::{Delay, Fetch, Method, Request, RequestInit, RequestRedirect, Response};

use crate::bindings::Bindings;
use crate::clock::now;
use crate::db::workers::{self, Health, Worker};
use crate::db::{D1, Database, DbError, iso};
use crate::driver::Site;
use crate::log::{self, Level};

/// Where the last report lies in KV.
pub const KEY: &str = "worker-health";
/// A worker that was checked within this time is not checked again, whoever asks.
pub const PAUSE_MIN: Millis = Millis::from_secs(10);
/// A report is kept this many times as long as it counts as known, so that readers see the last
/// one while the next is late.
const KEPT_FACTOR: u64 = 4;
/// Workers that are checked at the same time: the platform allows six connections.
pub(super) const CHECKS_AT_ONCE: usize = 4;
/// Workers that are checked in one go, those first that were checked longest ago: the platform
/// allows 32 Worker invocations in one request.
const CHECKS_MAX: u32 = 24;
pub(super) const CHECK_TIMEOUT: Millis = Millis::from_secs(5);
/// A worker that takes longer to say that it is well is degraded.
const SLOW: Millis = Millis::from_secs(2);
const ANSWER_BYTES_MAX: usize = 64 * 1024;
/// As much as is shown of what a worker said.
const SAID_CHARS_MAX: usize = 200;

/// What the last checks found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Report {
    checked_at: Timestamp,
    workers: Vec<WorkerHealthEntry>,
}

/// The workers as the last checks found them; none while there was no check.
pub async fn known(bindings: &Bindings) -> Vec<WorkerHealthEntry> {
    read(bindings).await.map_or_else(Vec::new, |report| report.workers)
}

/// Checks the active workers whose health is no longer known.
pub async fn check_if_due(site: &Site) {
    let ttl = Millis::from_secs(site.config.worker_health_ttl_s);
    if let Err(error) = checked(site, ttl).await {
        not_checked(&error);
    }
}

/// Notes in the log why nobody could be checked.
pub fn not_checked(error: &str) {
    log::write(Level::Warn, json!({ "event": "health.check_failed", "error": error }));
}

/// The active workers, by name, after those were checked whose last check is `older_than` that.
pub async fn checked(site: &Site, older_than: Millis) -> Result<Vec<WorkerHealthEntry>, String> {
    let database = D1::new(site.bindings.database().map_err(|error| error.to_string())?);
    let began = now();
    let age = i64::try_from(older_than.max(PAUSE_MIN).get()).unwrap_or(i64::MAX);
    let before = Timestamp::from_millis(began.as_millis().saturating_sub(age));
    let claim = workers::claim_checks(&database, before, began, CHECKS_MAX).await;
    let (claimed, rows) = claim.map_err(|error| error.to_string())?;
    let due = rows.iter().filter(|row| claimed.contains(&row.worker_name));
    let checks = due.map(|row| check_one(site, row));
    let fresh: Vec<WorkerHealthEntry> =
        stream::iter(checks).buffer_unordered(CHECKS_AT_ONCE).collect().await;
    let found = merged(&rows, known(&site.bindings).await, &fresh);
    if !fresh.is_empty() {
        let noted: Vec<(&str, Health)> = fresh
            .iter()
            .filter_map(|entry| Some((entry.worker_name.as_str(), column(entry.status)?)))
            .collect();
        let checked_at = now();
        let noting = workers::note_health(&database, &noted, checked_at).await;
        write(site, &Report { checked_at, workers: found.clone() }).await?;
        noting.map_err(|error| error.to_string())?;
    }
    Ok(found)
}

/// What is known of each active worker: what was found just now, else the report, else its row.
fn merged(
    rows: &[Worker],
    reported: Vec<WorkerHealthEntry>,
    fresh: &[WorkerHealthEntry],
) -> Vec<WorkerHealthEntry> {
    let by_name = |entries: Vec<WorkerHealthEntry>| -> BTreeMap<String, WorkerHealthEntry> {
        entries.into_iter().map(|entry| (entry.worker_name.clone(), entry)).collect()
    };
    let (reported, fresh) = (by_name(reported), by_name(fresh.to_vec()));
    let known = |row: &Worker| {
        let entry = fresh.get(&row.worker_name).or_else(|| reported.get(&row.worker_name));
        entry.cloned().unwrap_or_else(|| of_row(row))
    };
    rows.iter().map(known).collect()
}

/// A worker as its row has it.
pub fn of_row(row: &Worker) -> WorkerHealthEntry {
    let status = serde_json::from_value(row.health_status.as_str().into());
    let status = status.unwrap_or(WorkerHealth::Unknown);
    let checked_at = row.last_health_check.clone().filter(|_| status != WorkerHealth::Unknown);
    WorkerHealthEntry { worker_name: row.worker_name.clone(), status, latency_ms: None, checked_at }
}

/// What one look at a worker found.
pub struct Seen {
    /// The verdict.
    pub entry: WorkerHealthEntry,
    /// The status of the answer, if there was one.
    pub http_status: Option<u16>,
    /// What the worker says of itself, if it says so.
    pub reported_status: Option<String>,
    /// The version that it says it has.
    pub reported_version: Option<String>,
    /// Why there was no answer.
    pub error: Option<String>,
}

async fn check_one(site: &Site, worker: &Worker) -> WorkerHealthEntry {
    look(site, worker).await.entry
}

/// Notes what one look found, where the registry is read.
pub async fn note(db: &impl Database, seen: &Seen) -> Result<(), DbError> {
    let Some(health) = column(seen.entry.status) else { return Ok(()) };
    workers::note_health(db, &[(seen.entry.worker_name.as_str(), health)], now()).await
}

/// Asks a worker for its health.
pub async fn look(site: &Site, worker: &Worker) -> Seen {
    let began = now();
    let limit = Delay::from(Duration::from_millis(CHECK_TIMEOUT.get()));
    let asked = Box::pin(ask(site, worker));
    let answer = match select(asked, Box::pin(limit)).await {
        Either::Left((answer, _)) => answer,
        Either::Right(_) => Err("no answer in time".to_owned()),
    };
    let latency = now().since(began);
    let status = verdict(&answer, latency);
    if status != WorkerHealth::Healthy {
        log::write(
            Level::Warn,
            json!({
                "event": "worker.not_healthy",
                "worker": worker.worker_name,
                "latency_ms": latency.get(),
                "status": answer.as_ref().ok().map(|(status, _)| status),
                "error": answer.as_ref().err(),
            }),
        );
    }
    let entry = WorkerHealthEntry {
        worker_name: worker.worker_name.clone(),
        status,
        latency_ms: answer.is_ok().then(|| latency.get()),
        checked_at: Some(iso(now())),
    };
    let body = answer.as_ref().ok().map(|(_, body)| body);
    let said = |field: &str| body?.get(field)?.as_str().map(cut);
    Seen {
        entry,
        http_status: answer.as_ref().ok().map(|(status, _)| *status),
        reported_status: said("status"),
        reported_version: said("version"),
        error: answer.as_ref().err().map(|text| reason(text)),
    }
}

/// Why there was no answer. The platform says no more of a connection that failed than a number of
/// its own log.
fn reason(text: &str) -> String {
    if text.contains("internal error") { "no connection".to_owned() } else { cut(text) }
}

/// What others wrote, short enough to be shown.
fn cut(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(SAID_CHARS_MAX).collect()
}

/// What an answer to the health check says of the worker.
fn verdict(answer: &Result<(u16, Value), String>, latency: Millis) -> WorkerHealth {
    let Ok((200..=299, body)) = answer else { return WorkerHealth::Unhealthy };
    let well = body["status"].as_str().is_none_or(|status| matches!(status, "ok" | "healthy"));
    if well && latency <= SLOW { WorkerHealth::Healthy } else { WorkerHealth::Degraded }
}

async fn ask(site: &Site, worker: &Worker) -> Result<(u16, Value), String> {
    let failed = |error: worker::Error| error.to_string();
    let path = &worker.health_check_endpoint;
    let mut init = RequestInit::new();
    // A redirect could lead to an address that was not checked.
    init.with_method(Method::Get).with_redirect(RequestRedirect::Manual);
    let url = site.config.worker_urls.get(&worker.worker_name).or(worker.base_url.as_ref());
    let binding = worker
        .service_binding
        .as_ref()
        .filter(|_| !site.config.worker_urls.contains_key(&worker.worker_name));
    let response = match (binding, url) {
        (Some(name), _) => {
            let request = Request::new_with_init(&format!("https://worker{path}"), &init);
            let service = site.bindings.service(name).map_err(|error| error.to_string())?;
            let response = service.fetch_request(request.map_err(failed)?).await.map_err(failed)?;
            Response::try_from(response).map_err(failed)?
        }
        (None, Some(base)) => {
            let url = format!("{}{path}", base.trim_end_matches('/'));
            worker_kit::ssrf::check_secret(&url, site.config.local_addresses_allowed)
                .map_err(|refusal| refusal.code().to_owned())?;
            let request = Request::new_with_init(&url, &init).map_err(failed)?;
            Fetch::Request(request).send().await.map_err(failed)?
        }
        (None, None) => return Err("neither a service binding nor a URL".to_owned()),
    };
    read_answer(response).await
}

pub(super) async fn read_answer(mut response: Response) -> Result<(u16, Value), String> {
    let status = response.status_code();
    let mut bytes = Vec::new();
    let mut chunks = response.stream().map_err(|error| error.to_string())?;
    while let Some(chunk) = chunks.try_next().await.map_err(|error| error.to_string())? {
        bytes.extend(chunk);
        if bytes.len() > ANSWER_BYTES_MAX {
            return Err("the answer is too large".to_owned());
        }
    }
    Ok((status, serde_json::from_slice(&bytes).unwrap_or_default()))
}

fn column(status: WorkerHealth) -> Option<Health> {
    match status {
        WorkerHealth::Healthy => Some(Health::Healthy),
        WorkerHealth::Degraded => Some(Health::Degraded),
        WorkerHealth::Unhealthy => Some(Health::Unhealthy),
        WorkerHealth::Unknown => None,
    }
}

async fn read(bindings: &Bindings) -> Option<Report> {
    let text = bindings.cache().ok()?.get(KEY).text().await.ok()??;
    serde_json::from_str(&text).ok()
}

async fn write(site: &Site, report: &Report) -> Result<(), String> {
    let text = serde_json::to_string(report).map_err(|error| error.to_string())?;
    let ttl_s = site.config.worker_health_ttl_s * KEPT_FACTOR;
    let cache = site.bindings.cache().map_err(|error| error.to_string())?;
    let put = cache.put(KEY, text).map_err(|error| error.to_string())?;
    put.expiration_ttl(ttl_s).execute().await.map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_decides_the_verdict() {
        let quick = Millis::new(20);
        for (status, body, latency, expected) in [
            (200, json!({ "status": "ok" }), quick, WorkerHealth::Healthy),
            (204, Value::Null, quick, WorkerHealth::Healthy),
            (200, json!({ "status": "ok" }), Millis::new(2001), WorkerHealth::Degraded),
            (200, json!({ "status": "degraded" }), quick, WorkerHealth::Degraded),
            (404, json!({ "status": "ok" }), quick, WorkerHealth::Unhealthy),
            (503, Value::Null, quick, WorkerHealth::Unhealthy),
        ] {
            assert_eq!(verdict(&Ok((status, body)), latency), expected, "{status}");
        }
        assert_eq!(verdict(&Err("gone".into()), quick), WorkerHealth::Unhealthy);
    }

    fn row(name: &str, status: &str, checked: Option<&str>) -> Worker {
        serde_json::from_value(json!({
            "worker_name": name, "display_name": "", "description": "", "version": "1",
            "service_binding": null, "base_url": null, "endpoints": "[]", "input_format": "{}",
            "output_format": "{}", "dependencies": "[]", "estimated_cost_usd": null,
            "avg_response_time_ms": null, "timeout_ms": null, "max_retries": null,
            "max_concurrency": null, "max_per_minute": null, "breaker": null,
            "quality_score": null, "is_active": 1, "health_check_endpoint": "/health",
            "last_health_check": checked, "health_status": status, "default_config": "{}",
        }))
        .unwrap()
    }

    fn entry(name: &str, status: WorkerHealth) -> WorkerHealthEntry {
        let worker_name = name.to_owned();
        WorkerHealthEntry { worker_name, status, latency_ms: Some(7), checked_at: None }
    }

    #[test]
    fn what_was_found_last_counts_and_who_is_gone_is_left_out() {
        let at = "2026-11-21T10:00:00.000Z";
        let rows = [
            row("fresh", "healthy", None),
            row("reported", "unknown", None),
            row("noted", "degraded", Some(at)),
            row("new", "unknown", Some(at)),
        ];
        let reported = vec![
            entry("fresh", WorkerHealth::Healthy),
            entry("reported", WorkerHealth::Healthy),
            entry("gone", WorkerHealth::Unhealthy),
        ];
        let found = merged(&rows, reported, &[entry("fresh", WorkerHealth::Unhealthy)]);
        let shown: Vec<_> = found
            .iter()
            .map(|it| (it.worker_name.as_str(), it.status, it.checked_at.as_deref()))
            .collect();
        assert_eq!(
            shown,
            [
                ("fresh", WorkerHealth::Unhealthy, None),
                ("reported", WorkerHealth::Healthy, None),
                ("noted", WorkerHealth::Degraded, Some(at)),
                ("new", WorkerHealth::Unknown, None),
            ]
        );
    }
}
