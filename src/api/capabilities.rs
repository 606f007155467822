//! What this installation can do: its workers, its templates, and what each label changes.

use api_types::{
    Capabilities, CommunicationMethod, Limits, QualityLevelEntry, StrategyEntry, UrgencyLevelEntry,
    WorkerChoice, WorkerEntry, WorkerHealth,
};
use axum::Json;
use engine::execution::Choice;
use engine::plan::definition::StepKind;
use futures::future::try_join3;
use serde_json::Value;

use super::{ORCHESTRATOR_TYPE, SERVICE, VERSION, templates};
use crate::clock::now;
use crate::config::Config;
use crate::db::policy::{QualityLevel, Strategy, UrgencyLevel};
use crate::db::templates as rows;
use crate::db::workers::{self, Worker};
use crate::error::ApiError;
use crate::extract::BODY_BYTES_MAX;
use crate::openapi::{PUBLIC, ServerErrors};
use crate::request::RequestContext;
use crate::templates::TemplateCache;

/// The kinds of step that this build can do.
const STEP_KINDS: [StepKind; 5] =
    [StepKind::Worker, StepKind::Transform, StepKind::Map, StepKind::Wait, StepKind::Pipeline];

/// What this installation can do.
#[utoipa::path(
    get, path = "/capabilities", tag = PUBLIC,
    responses((status = 200, description = "What it can do", body = Capabilities), ServerErrors),
)]
#[worker::send]
pub async fn capabilities(context: RequestContext) -> Result<Json<Capabilities>, ApiError> {
    let database = context.database()?;
    let known = TemplateCache::shared(&context.config().worker_urls);
    let (workers, listed, policy) = try_join3(
        workers::active(&database),
        rows::list(&database),
        known.policy(&database, now()),
    )
    .await?;
    Ok(Json(Capabilities {
        service: SERVICE.to_owned(),
        version: VERSION.to_owned(),
        orchestrator_type: ORCHESTRATOR_TYPE.to_owned(),
        available_workers: workers.into_iter().map(worker).collect(),
        available_templates: listed.into_iter().map(templates::entry).collect(),
        step_kinds: STEP_KINDS.map(|kind| kind.as_str().to_owned()).to_vec(),
        strategies: policy.strategies.iter().cloned().map(strategy).collect(),
        quality_levels: policy.quality_levels.iter().cloned().map(quality_level).collect(),
        urgency_levels: policy.urgency_levels.iter().cloned().map(urgency_level).collect(),
        limits: limits(context.config()),
    }))
}

fn worker(row: Worker) -> WorkerEntry {
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
    use engine::plan::Plan;
    use engine::plan::definition::TemplateDefinition;
    use serde_json::json;

    use super::*;

    /// What is offered here is what the compiler takes.
    #[test]
    fn the_kinds_are_those_that_the_compiler_offers() {
        for kind in ["worker", "transform", "map", "wait", "pipeline", "tool"] {
            let template = json!({
                "name": "t", "workers": {}, "steps": [{ "name": "s", "order": 1, "kind": kind }],
            });
            let template: TemplateDefinition = serde_json::from_value(template).unwrap();
            let found = Plan::compile(&template).unwrap_err();
            let refused = found.iter().any(|violation| violation.code == "step.kind_not_offered");
            let offered = STEP_KINDS.iter().any(|offered| offered.as_str() == kind);
            assert_eq!(offered, !refused, "{kind}");
        }
    }
}
