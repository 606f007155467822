//! What is going on: executions, capacity, what is registered, what is stored.

use api_types::admin::{
    Capacity, EndedIn, KeyCounts, StatsPeriod, StatsQuery, StatsReply, Storage, TemplateCounts,
    Unfinished, WorkerCounts,
};
use axum::Json;
use engine::time::Timestamp;

use super::figures::{account_of, busiest, count, ended, governed, scope};
use crate::auth::{Administer, Authorized};
use crate::clock::now;
use crate::db::rollups::{
    Executions, ExecutionsBy, Window, accounts_statement, executions_statement,
};
use crate::db::stats::{self, Counts, OfStatus};
use crate::db::{Database, Rows, accounts, iso};
use crate::error::ApiError;
use crate::extract::Query;
use crate::figures;
use crate::openapi::{ADMIN, AdminErrors, QueryErrors};
use crate::request::RequestContext;

const HOUR_MS: i64 = 3_600_000;
const PERIODS: [(StatsPeriod, i64); 4] = [
    (StatsPeriod::Hour, 1),
    (StatsPeriod::Day, 24),
    (StatsPeriod::Week, 7 * 24),
    (StatsPeriod::Month, 30 * 24),
];

/// What is going on, in the installation or in one account.
#[utoipa::path(
    get, path = "/admin/stats", tag = ADMIN,
    params(StatsQuery),
    responses(
        (status = 200, description = "The figures", body = StatsReply),
        QueryErrors, AdminErrors,
    ),
    security(("worker_secret" = [], "worker_id" = []), ("client_key" = [])),
)]
#[worker::send]
pub async fn admin_stats(
    authorized: Authorized<Administer>,
    context: RequestContext,
    Query(query): Query<StatsQuery>,
) -> Result<Json<StatsReply>, ApiError> {
    let account = account_of(&authorized.caller, query.account);
    let account = account.as_deref();
    let (database, at) = (context.database()?, now());
    figures::refresh(&database).await;
    let total = |window: &Window, by| executions_statement(scope(account), window, by, None);
    let mut batch = vec![
        stats::unfinished(account),
        stats::counts(account, at),
        accounts_statement(account, &back(at, 24)),
        total(&Window::all_time(), ExecutionsBy::Total),
    ];
    batch.extend(PERIODS.map(|(_, hours)| total(&back(at, hours), ExecutionsBy::Total)));
    let rows = database.batch(batch).await?;
    let [open, counts, by_account, all_time, periods @ ..] = rows.as_slice() else {
        return Err(ApiError::Internal { cause: "stats without rows".to_owned() });
    };
    let unfinished = unfinished(&open.decode()?);
    let counts: Counts = counts.first()?.unwrap_or_default();
    let all_time = all_time.first::<Executions>()?.unwrap_or_default();
    let busy = busiest(account, by_account.decode()?);
    let capacity = capacity(&context, &busy).await?;
    let mut ended = PERIODS
        .iter()
        .zip(periods)
        .map(|((period, _), rows)| Ok(ended_in(*period, &first(rows)?)))
        .collect::<Result<Vec<_>, ApiError>>()?;
    ended.push(ended_in(StatsPeriod::All, &all_time));
    Ok(Json(StatsReply {
        account: account.map(str::to_owned),
        as_of: iso(at),
        unfinished,
        ended,
        capacity,
        workers: workers(&counts),
        templates: TemplateCounts {
            total: counts.templates,
            active: counts.templates_active,
            revisions: counts.revisions,
        },
        api_keys: KeyCounts {
            active: counts.keys_active,
            expired: counts.keys_expired,
            revoked: counts.keys_revoked,
        },
        unresolved_alerts: counts.alerts_unresolved,
        storage: storage(&counts, &all_time, unfinished, account),
    }))
}

fn back(at: Timestamp, hours: i64) -> Window {
    Window::between(Timestamp::from_millis(at.as_millis() - hours * HOUR_MS), at, at)
}

fn first(rows: &Rows) -> Result<Executions, ApiError> {
    Ok(rows.first()?.unwrap_or_default())
}

fn ended_in(period: StatsPeriod, row: &Executions) -> EndedIn {
    EndedIn {
        period,
        completed: count(row.completed),
        partial: count(row.partial),
        failed: count(row.failed),
        cancelled: count(row.cancelled),
    }
}

fn unfinished(rows: &[OfStatus]) -> Unfinished {
    let of = |status: &str| rows.iter().find(|row| row.status == status).map_or(0, |row| row.count);
    Unfinished {
        pending: of("pending"),
        running: of("running"),
        waiting: of("waiting"),
        paused: of("paused"),
    }
}

async fn capacity(context: &RequestContext, busy: &[String]) -> Result<Vec<Capacity>, ApiError> {
    let names: Vec<&str> = busy.iter().map(String::as_str).collect();
    let limits = accounts::places(&context.database()?, &names).await?;
    let environment = context.config().concurrent_executions_max;
    let found = governed(context, busy).await.into_iter().map(|(account, figures)| {
        let own = limits.iter().find(|limit| limit.id == account);
        let own = own.and_then(|limit| limit.max_concurrent_executions);
        Capacity {
            account,
            places_in_use: figures.places,
            places_max: own.unwrap_or(environment),
            waiting_in_line: figures.waiting,
        }
    });
    Ok(found.collect())
}

fn workers(counts: &Counts) -> WorkerCounts {
    let known = counts.workers_healthy + counts.workers_degraded + counts.workers_unhealthy;
    WorkerCounts {
        total: counts.workers,
        active: counts.workers_active,
        healthy: counts.workers_healthy,
        degraded: counts.workers_degraded,
        unhealthy: counts.workers_unhealthy,
        unknown: counts.workers_active.saturating_sub(known),
    }
}

/// What ended and was not archived, and what has not ended: nobody has to count the rows.
fn storage(
    counts: &Counts,
    all_time: &Executions,
    unfinished: Unfinished,
    account: Option<&str>,
) -> Storage {
    let Unfinished { pending, running, waiting, paused } = unfinished;
    let kept = count(ended(all_time)).saturating_sub(counts.archived);
    let whole = |number| account.is_none().then_some(number);
    Storage {
        executions: kept + pending + running + waiting + paused,
        archived_executions: counts.archived,
        archive_objects: whole(counts.archive_objects),
        archive_bytes: whole(counts.archive_bytes),
    }
}
