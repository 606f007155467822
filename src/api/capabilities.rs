//! What this installation can do: its workers, its templates, and what each label changes.

use std::cell::RefCell;
use std::collections::BTreeMap;

use api_types::{
    Capabilities, CommunicationMethod, Limits, MeasuredPerformance, QualityLevelEntry,
    StrategyEntry, UrgencyLevelEntry, WorkerChoice, WorkerEntry, WorkerHealth,
};
use axum::Json;
use engine::execution::Choice;
use engine::plan::definition::StepKind;
use engine::time::{Millis, Timestamp};
use futures::future::try_join4;
use serde_json::Value;

use super::{ORCHESTRATOR_TYPE, SERVICE, VERSION, templates};
use crate::clock::now;
use crate::config::Config;
use crate::db::policy::{QualityLevel, Strategy, UrgencyLevel};
use crate::db::rollups::{self, Scope, Steps, StepsBy, Window};
use crate::db::templates as rows;
use crate::db::workers::{self, Worker};
use crate::db::{Database, DbError};
use crate::error::ApiError;
use crate::extract::BODY_BYTES_MAX;
use crate::openapi::{PUBLIC, ServerErrors};
use crate::request::RequestContext;
use crate::templates::TemplateCache;

/// The kinds of step that this build can do.
const STEP_KINDS: [StepKind; 6] = [
    StepKind::Worker,
    StepKind::Transform,
    StepKind::Map,
    StepKind::Wait,
    StepKind::Pipeline,
    StepKind::Tool,
];

/// How long an isolate tells the same measurements again.
const MEASURED_FOR: Millis = Millis::from_secs(60);
/// What is measured reaches back so far: 7 days.
const MEASURED_MS: i64 = 7 * 86_400_000;

/// What this installation can do.
#[utoipa::path(
    get, path = "/capabilities", tag = PUBLIC,
    responses((status = 200, description = "What it can do", body = Capabilities), ServerErrors),
)]
#[worker::send]
pub async fn capabilities(context: RequestContext) -> Result<Json<Capabilities>, ApiError> {
    let database = context.database()?;
    let known = TemplateCache::shared(&context.config().worker_urls);
    let (workers, listed, policy, measured) = try_join4(
        workers::active(&database),
        rows::list(&database),
        known.policy(&database, now()),
        measured(&database),
    )
    .await?;
    Ok(Json(Capabilities {
        service: SERVICE.to_owned(),
        version: VERSION.to_owned(),
        orchestrator_type: ORCHESTRATOR_TYPE.to_owned(),
        available_workers: workers.into_iter().map(|row| worker(row, &measured)).collect(),
        available_templates: listed.into_iter().map(templates::entry).collect(),
        step_kinds: STEP_KINDS.map(|kind| kind.as_str().to_owned()).to_vec(),
        strategies: policy.strategies.iter().cloned().map(strategy).collect(),
        quality_levels: policy.quality_levels.iter().cloned().map(quality_level).collect(),
        urgency_levels: policy.urgency_levels.iter().cloned().map(urgency_level).collect(),
        limits: limits(context.config()),
    }))
}

fn worker(row: Worker, measured: &Measured) -> WorkerEntry {
    let Worker {
        worker_name,
        display_name,
        description,
        version,
        service_binding,
        base_url: _,
        endpoints,
        input_format,
        output_format,
        dependencies,
        estimated_cost_usd,
        avg_response_time_ms,
        timeout_ms,
        max_retries: _,
        max_concurrency: _,
        max_per_minute: _,
        breaker: _,
        quality_score: _,
        is_active: _,
        health_check_endpoint: _,
        last_health_check: _,
        health_status,
        default_config: _,
    } = row;
    let measured = measured.get(&worker_name).cloned().unwrap_or_else(|| performance(None));
    WorkerEntry {
        worker_name,
        display_name,
        description,
        version,
        endpoints: texts(Some(endpoints)),
        input_format: input_format.unwrap_or_default(),
        output_format: output_format.unwrap_or_default(),
        dependencies: texts(dependencies),
        estimated_cost_usd,
        avg_response_time_ms,
        timeout_ms,
        communication_method: match service_binding {
            Some(_) => CommunicationMethod::ServiceBinding,
            None => CommunicationMethod::Http,
        },
        // The column's CHECK allows no other words.
        health_status: serde_json::from_value(health_status.into())
            .unwrap_or(WorkerHealth::Unknown),
        measured,
    }
}

type Measured = BTreeMap<String, MeasuredPerformance>;

/// How the workers' steps went lately. An isolate reads it once in [`MEASURED_FOR`].
async fn measured(database: &impl Database) -> Result<Measured, DbError> {
    thread_local! {
        static KNOWN: RefCell<Option<(Timestamp, Measured)>> = const { RefCell::new(None) };
    }
    let at = now();
    let fresh = KNOWN.with_borrow(|known| {
        let (read_at, measured) = known.as_ref()?;
        (at.since(*read_at) < MEASURED_FOR).then(|| measured.clone())
    });
    if let Some(measured) = fresh {
        return Ok(measured);
    }
    let from = Timestamp::from_millis(at.as_millis() - MEASURED_MS);
    let window = Window::between(from, at, at);
    let by = StepsBy::Worker;
    let steps = rollups::steps(database, Scope::Installation, &window, by, None, None).await?;
    let named = steps.into_iter().map(|it| (it.worker_name.clone(), performance(Some(&it))));
    let measured: Measured = named.collect();
    KNOWN.with_borrow_mut(|known| *known = Some((at, measured.clone())));
    Ok(measured)
}

fn performance(steps: Option<&Steps>) -> MeasuredPerformance {
    let count = |of: fn(&Steps) -> i64| steps.map_or(0, of).max(0);
    let hits = count(|steps| steps.cache_hits);
    let succeeded = (count(|steps| steps.succeeded) - hits).max(0);
    let samples = succeeded + count(|steps| steps.failed);
    let quantile = |q| steps.and_then(|steps| steps.durations.quantile_ms(q));
    MeasuredPerformance {
        samples: samples.unsigned_abs(),
        success_rate: (samples > 0).then(|| succeeded as f64 / samples as f64),
        p50_ms: quantile(0.5),
        p95_ms: quantile(0.95),
    }
}

fn texts(list: Option<Value>) -> Vec<String> {
    let list = list.as_ref().and_then(Value::as_array).into_iter().flatten();
    list.filter_map(Value::as_str).map(str::to_owned).collect()
}

fn strategy(row: Strategy) -> StrategyEntry {
    let Strategy {
        name,
        label,
        worker_choice,
        max_parallel_steps,
        skip_optional_steps,
        use_cache,
        use_step_cache,
        max_retries,
        deadline_ms,
        description,
    } = row;
    StrategyEntry {
        name,
        label,
        description,
        worker_choice: chosen_by(worker_choice),
        max_parallel_steps,
        skip_optional_steps,
        use_cache,
        use_step_cache,
        max_retries,
        deadline_ms,
    }
}

fn quality_level(row: QualityLevel) -> QualityLevelEntry {
    let QualityLevel {
        name,
        source_discovery_depth,
        max_articles,
        min_quality,
        skip_optional_steps,
        max_retries,
        deadline_factor,
        description,
    } = row;
    QualityLevelEntry {
        name,
        description,
        source_discovery_depth,
        max_articles,
        min_quality,
        skip_optional_steps,
        max_retries,
        deadline_factor,
    }
}

fn urgency_level(row: UrgencyLevel) -> UrgencyLevelEntry {
    let UrgencyLevel { name, deadline_ms, priority, use_emergency_budget, description } = row;
    UrgencyLevelEntry { name, description, deadline_ms, priority, use_emergency_budget }
}

/// The word for a choice among workers.
pub(super) fn chosen_by(choice: Choice) -> WorkerChoice {
    match choice {
        Choice::Declared => WorkerChoice::Declared,
        Choice::Cheapest => WorkerChoice::Cheapest,
        Choice::Fastest => WorkerChoice::Fastest,
        Choice::Best => WorkerChoice::Best,
    }
}

fn limits(config: &Config) -> Limits {
    Limits {
        body_bytes_max: BODY_BYTES_MAX as u64,
        execution_ms_max: config.execution_max.get(),
        concurrent_executions_max: config.concurrent_executions_max,
        default_budget_usd: config.budget_default.as_usd(),
        emergency_budget_usd: config.budget_emergency.as_usd(),
        sync_window_ms: config.sync_window.get(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_measured_counts_work_that_was_done() {
        let mut steps =
            Steps { succeeded: 12, cache_hits: 4, failed: 2, skipped: 9, ..Steps::default() };
        for ms in [100, 100, 100, 100, 100, 100, 100, 5_000] {
            steps.durations.count(ms, 1);
        }
        let found = performance(Some(&steps));
        assert_eq!((found.samples, found.success_rate), (10, Some(0.8)));
        let near = |found: Option<u64>, exact: f64| {
            found.is_some_and(|ms| (ms as f64 / exact - 1.0).abs() <= 0.12)
        };
        assert!(near(found.p50_ms, 100.0) && near(found.p95_ms, 5_000.0), "{found:?}");
        let none =
            MeasuredPerformance { samples: 0, success_rate: None, p50_ms: None, p95_ms: None };
        assert_eq!(performance(None), none);
    }

    /// The match has no arm for others: a kind that is added is missed here.
    #[test]
    fn every_kind_is_offered() {
        for kind in ["worker", "transform", "map", "wait", "pipeline", "tool"] {
            let kind: StepKind = serde_json::from_value(kind.into()).unwrap();
            let place = match kind {
                StepKind::Worker => 0,
                StepKind::Transform => 1,
                StepKind::Map => 2,
                StepKind::Wait => 3,
                StepKind::Pipeline => 4,
                StepKind::Tool => 5,
            };
            assert_eq!(STEP_KINDS[place], kind);
        }
    }
}
