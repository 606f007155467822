//! How well things go: workers, templates and strategies over a period.

use api_types::admin::{
    ExecutionPerformance, FiguresRange, GateState, Percentiles, PerformanceQuery, PerformanceReply,
    WorkerPerformance,
};
use axum::Json;
use engine::admission::{Circuit, Figures, GateFigures};
use engine::time::Timestamp;

use super::figures::{Part, account_of, busiest, count, ended, governed, scope, share, usd};
use crate::auth::{Administer, Authorized};
use crate::clock::now;
use crate::db::rollups::{
    Executions, ExecutionsBy, Steps, StepsBy, Window, accounts_statement, executions_statement,
    steps_statement,
};
use crate::db::{Database, iso};
use crate::error::ApiError;
use crate::extract::Query;
use crate::figures;
use crate::insights::Histogram;
use crate::openapi::{ADMIN, AdminErrors, QueryErrors};
use crate::request::RequestContext;

const HOUR_MS: i64 = 3_600_000;

/// How well things go, in the installation or in one account: by worker, template and strategy.
#[utoipa::path(
    get, path = "/admin/performance", tag = ADMIN,
    params(PerformanceQuery),
    responses(
        (status = 200, description = "The figures", body = PerformanceReply),
        QueryErrors, AdminErrors,
    ),
    security(("worker_secret" = [], "worker_id" = []), ("client_key" = [])),
)]
#[worker::send]
pub async fn admin_performance(
    authorized: Authorized<Administer>,
    context: RequestContext,
    Query(query): Query<PerformanceQuery>,
) -> Result<Json<PerformanceReply>, ApiError> {
    let PerformanceQuery { account, time_range, limit, skip } = query;
    let account = account_of(&authorized.caller, account);
    let part = Part::of(skip, limit);
    let (database, at) = (context.database()?, now());
    figures::refresh(&database).await;
    let from = at.as_millis() - hours(time_range.unwrap_or_default()) * HOUR_MS;
    let window = Window::between(Timestamp::from_millis(from), at, at);
    let scope = scope(account.as_deref());
    let executions = |by| executions_statement(scope, &window, by, None);
    let [workers, templates, strategies, accounts] = database
        .batch_of([
            steps_statement(scope, &window, StepsBy::Worker, None, None),
            executions(ExecutionsBy::Template),
            executions(ExecutionsBy::Strategy),
            accounts_statement(account.as_deref(), &window),
        ])
        .await?;
    let accounts = busiest(account.as_deref(), accounts.decode()?);
    let gates = governed(&context, &accounts).await;
    let mut workers: Vec<Steps> = workers.decode()?;
    workers.retain(|row| !row.worker_name.is_empty());
    workers.sort_by_key(|row| std::cmp::Reverse(row.attempts));
    let mut templates: Vec<Executions> = templates.decode()?;
    templates.sort_by_key(|row| std::cmp::Reverse(ended(row)));
    let strategies: Vec<Executions> = strategies.decode()?;
    let ((workers, a), (templates, b)) = (part.cut(workers), part.cut(templates));
    let (strategies, c) = part.cut(strategies);
    Ok(Json(PerformanceReply {
        account,
        from: iso(window.from()),
        to: iso(at),
        workers: workers.iter().map(|row| of_worker(row, &gates)).collect(),
        templates: templates.iter().map(of_executions).collect(),
        strategies: strategies.iter().map(of_executions).collect(),
        truncated: a || b || c,
    }))
}

fn hours(range: FiguresRange) -> i64 {
    match range {
        FiguresRange::Hour => 1,
        FiguresRange::Day => 24,
        FiguresRange::Week => 7 * 24,
        FiguresRange::Month => 30 * 24,
    }
}

fn of_worker(row: &Steps, governed: &[(String, Figures)]) -> WorkerPerformance {
    let gates = governed.iter().flat_map(|(account, figures)| {
        let own = figures.gates.iter().filter(|gate| gate.worker == row.worker_name);
        own.filter_map(|gate| barred(account, gate))
    });
    WorkerPerformance {
        worker: row.worker_name.clone(),
        succeeded: count(row.succeeded),
        failed: count(row.failed),
        attempts: count(row.attempts),
        failed_attempts: count(row.failed_attempts),
        success_rate: share(row.attempts - row.failed_attempts, row.attempts),
        retried: count(row.retried),
        cache_hits: count(row.cache_hits),
        cost_usd: usd(row.cost_micro_usd),
        duration: percentiles(&row.durations),
        gates: gates.collect(),
    }
}

/// What stands in the way of calls; `None` where nothing does.
fn barred(account: &str, gate: &GateFigures) -> Option<GateState> {
    let (state, until) = match gate.circuit {
        Circuit::Closed => ("cooling_down", Some(gate.cooldown_until?)),
        Circuit::Open | Circuit::HalfOpen => (gate.circuit.as_str(), gate.open_until),
    };
    let (account, state) = (account.to_owned(), state.to_owned());
    Some(GateState { account, state, until: until.map(iso) })
}

fn of_executions(row: &Executions) -> ExecutionPerformance {
    let good = row.completed + row.partial;
    let quality = share(row.quality_sum_bp, row.quality_count);
    ExecutionPerformance {
        name: row.subject.clone(),
        completed: count(row.completed),
        partial: count(row.partial),
        failed: count(row.failed),
        cancelled: count(row.cancelled),
        success_rate: share(good, good + row.failed),
        cache_hits: count(row.cache_hits),
        quality_score: quality.map(|bp| bp / 10_000.0),
        cost_usd: usd(row.cost_micro_usd),
        duration: percentiles(&row.durations),
    }
}

fn percentiles(durations: &Histogram) -> Percentiles {
    Percentiles {
        p50_ms: durations.quantile_ms(0.5),
        p95_ms: durations.quantile_ms(0.95),
        p99_ms: durations.quantile_ms(0.99),
    }
}
