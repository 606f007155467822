//! How the pipelines' parts are, for clients: workers, what the orchestrator itself needs, and the
//! verdict over both.

use api_types::{
    BreakerState, JournalsStanding, PipelineHealthQuery, PipelineHealthReply, WorkerHealthEntry,
    WorkerStanding,
};
use axum::Json;
use chrono::DateTime;
use engine::admission::{Circuit, Figures, GateFigures};
use engine::time::{Millis, Timestamp};
use futures::future::join3;

use super::service::configuration_problems;
use crate::auth::{Authorized, ClientRead};
use crate::clock::now;
use crate::db::operation::{self, Noted};
use crate::db::rollups::{self, Scope, Steps, StepsBy, Window};
use crate::db::{D1, iso};
use crate::driver::{SHARDS, Site, SweptShards};
use crate::error::ApiError;
use crate::extract::Query;
use crate::health::verdict::{Found, overall};
use crate::health::{probes, workers};
use crate::openapi::{CLIENT, ClientErrors, QueryErrors};
use crate::request::RequestContext;
use crate::within::within;
use crate::{figures, governor, health};

/// How long the account's Governor, and the figures of the database, may take.
const LIMIT: Millis = Millis::from_secs(2);
const DAY_MS: i64 = 86_400_000;

/// How the workers are, and what the orchestrator itself needs.
///
/// Each active worker is asked through its health endpoint, at most once in
/// `WORKER_HEALTH_CACHE_TTL` seconds, or in 10 seconds with `fresh=true`. The verdict is
/// `unhealthy` when D1 or the journals do not answer or no worker does, `degraded` when anything
/// else is not as it should be; `reasons` says what.
#[utoipa::path(
    get, path = "/pipeline-health", tag = CLIENT,
    params(PipelineHealthQuery),
    responses(
        (status = 200, description = "What was found", body = PipelineHealthReply),
        QueryErrors, ClientErrors,
    ),
    security(("client_key" = []), ("worker_secret" = [], "worker_id" = [])),
)]
#[worker::send]
pub async fn pipeline_health(
    authorized: Authorized<ClientRead>,
    context: RequestContext,
    Query(query): Query<PipelineHealthQuery>,
) -> Result<Json<PipelineHealthReply>, ApiError> {
    let site = context.site();
    let account = authorized.caller.account();
    // Before the workers are asked: their answers would wait for each other.
    let components = probes::components(&site).await;
    let older_than = match query.fresh {
        Some(true) => Millis::ZERO,
        Some(false) | None => Millis::from_secs(site.config.worker_health_ttl_s),
    };
    let (known, gates, rows) = join3(
        checked(&site, older_than),
        within(LIMIT, governor::figures(&site.bindings, account)),
        within(LIMIT, rows(&site, account)),
    )
    .await;
    let gates = gates.and_then(Result::ok);
    let (steps, swept) = rows.and_then(Result::ok).unwrap_or_default();
    let workers: Vec<WorkerStanding> =
        known.into_iter().map(|entry| standing(entry, gates.as_ref(), &steps)).collect();
    let journals = swept.map(|noted| journals(&noted, now()));
    let problems = configuration_problems(&context);
    let found = Found {
        problems: &problems,
        components: &components,
        workers: &workers,
        journals: journals.as_ref(),
    };
    let (status, reasons) = overall(found);
    let timestamp = iso(now());
    Ok(Json(PipelineHealthReply { status, timestamp, reasons, components, workers, journals }))
}

/// Without the registry it is told what was found last.
async fn checked(site: &Site, older_than: Millis) -> Vec<WorkerHealthEntry> {
    match workers::checked(site, older_than).await {
        Ok(workers) => workers,
        Err(error) => {
            workers::not_checked(&error);
            health::known(&site.bindings).await
        }
    }
}

/// How the calls of the account's last 24 hours went, and what the last sweep found.
async fn rows(
    site: &Site,
    account: &str,
) -> Result<(Vec<Steps>, Option<Noted<SweptShards>>), ApiError> {
    let database = D1::new(site.bindings.database()?);
    figures::refresh(&database).await;
    let to = now();
    let from = Timestamp::from_millis(to.as_millis() - DAY_MS);
    let (scope, window) = (Scope::Account(account), Window::between(from, to, to));
    let steps = rollups::steps(&database, scope, &window, StepsBy::Worker, None, None).await?;
    Ok((steps, operation::noted(&database, SHARDS).await?))
}

fn standing(entry: WorkerHealthEntry, gates: Option<&Figures>, steps: &[Steps]) -> WorkerStanding {
    let WorkerHealthEntry { worker_name, status, latency_ms, checked_at } = entry;
    // A gate of which nothing is remembered is open.
    let gate =
        |gates: &Figures| gates.gates.iter().find(|gate| gate.worker == worker_name).cloned();
    let known: Option<Option<GateFigures>> = gates.map(gate);
    let breaker = known.as_ref().map(|gate| gate.as_ref().map_or(Circuit::Closed, |it| it.circuit));
    let open_until = known.flatten().and_then(|gate| gate.open_until);
    let steps = steps.iter().find(|steps| steps.worker_name == worker_name);
    let calls = steps.map_or(0, |steps| steps.attempts.max(0));
    let failed = steps.map_or(0, |steps| steps.failed_attempts.clamp(0, calls));
    WorkerStanding {
        worker_name,
        status,
        latency_ms,
        checked_at,
        calls_24h: calls.unsigned_abs(),
        success_rate_24h: (calls > 0).then(|| (calls - failed) as f64 / calls as f64),
        breaker: breaker.map(state),
        breaker_open_until: open_until.map(iso),
    }
}

fn state(circuit: Circuit) -> BreakerState {
    match circuit {
        Circuit::Closed => BreakerState::Closed,
        Circuit::Open => BreakerState::Open,
        Circuit::HalfOpen => BreakerState::HalfOpen,
    }
}

fn journals(noted: &Noted<SweptShards>, now: Timestamp) -> JournalsStanding {
    let at = DateTime::parse_from_rfc3339(&noted.at).ok();
    let at = at.map_or(0, |at| at.timestamp_millis());
    let sum = noted.figures.sum();
    JournalsStanding {
        age_s: now.since(Timestamp::from_millis(at)).get() / 1000,
        shards: noted.figures.shards.into(),
        shards_answered: noted.figures.answered.len() as u64,
        executions_open: sum.open,
        executions_driven: sum.driven,
        executions_parked: sum.parked,
        executions_due: sum.due,
        executions_stalled: sum.stalled,
        projections_behind: sum.unprojected,
    }
}

#[cfg(test)]
mod tests {
    use api_types::WorkerHealth;
    use engine::shard;

    use super::*;

    #[test]
    fn a_worker_stands_where_the_governor_says() {
        let entry = WorkerHealthEntry {
            worker_name: "w".to_owned(),
            status: WorkerHealth::Healthy,
            latency_ms: Some(3),
            checked_at: None,
        };
        let gate = GateFigures {
            worker: "w".to_owned(),
            circuit: Circuit::Open,
            open_until: Some(Timestamp::from_millis(0)),
            cooldown_until: None,
            calls: 0,
            waiting: 0,
        };
        let figures = |gates| Figures { gates, ..Figures::default() };
        let open = figures(vec![gate.clone()]);
        let others = figures(vec![GateFigures { worker: "other".to_owned(), ..gate }]);
        for (gates, breaker, until) in [
            (Some(&open), Some(BreakerState::Open), Some("1970-01-01T00:00:00.000Z")),
            (Some(&others), Some(BreakerState::Closed), None),
            (None, None, None),
        ] {
            let found = standing(entry.clone(), gates, &[]);
            assert_eq!(found.breaker, breaker);
            assert_eq!(found.breaker_open_until.as_deref(), until);
        }
    }

    #[test]
    fn the_share_of_calls_that_did_not_fail_is_told_where_there_were_any() {
        let entry = |name: &str| WorkerHealthEntry {
            worker_name: name.to_owned(),
            status: WorkerHealth::Unknown,
            latency_ms: None,
            checked_at: None,
        };
        let steps = |name: &str, attempts, failed_attempts| Steps {
            worker_name: name.to_owned(),
            attempts,
            failed_attempts,
            ..Steps::default()
        };
        let all = [steps("a", 8, 2), steps("b", 0, 0)];
        for (name, calls, rate) in [("a", 8, Some(0.75)), ("b", 0, None), ("c", 0, None)] {
            let found = standing(entry(name), None, &all);
            assert_eq!((found.calls_24h, found.success_rate_24h), (calls, rate), "{name}");
        }
    }

    #[test]
    fn shards_are_summed_and_their_age_is_told() {
        let one = shard::Figures { open: 3, stalled: 1, ..shard::Figures::default() };
        let figures = SweptShards { shards: 3, answered: vec![(0, one), (2, one)] };
        let noted = Noted { figures, at: "1970-01-01T00:00:01.000Z".to_owned() };
        let found = journals(&noted, Timestamp::from_millis(62_500));
        assert_eq!((found.age_s, found.shards, found.shards_answered), (61, 3, 2));
        assert_eq!((found.executions_open, found.executions_stalled), (6, 2));
    }
}
