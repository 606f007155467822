//! One execution: where it stands, its steps, and, for whoever may see them, what they produced.

use api_types::{
    CommunicationMethod, ExecutionStatus, OptimizationReport, Pipeline, PipelineReply,
    StepArtifacts, StepResult, StepStatus,
};
use axum::Json;
use engine::ids::ExecutionId;
use engine::money::MicroUsd;
use futures::future::try_join_all;
use serde_json::{Value, json};

use crate::api::{optimization, stored};
use crate::auth::Anyone;
use crate::clock::now;
use crate::db::executions::{self, Execution, Step};
use crate::db::projection::Projected;
use crate::driver::{self, ReadError};
use crate::effects::{artifacts, offload};
use crate::error::{ApiError, wire_violation};
use crate::extract::ExecutionPath;
use crate::journal::projection::rows_of;
use crate::openapi::{PUBLIC, PipelineErrors};
use crate::request::RequestContext;

/// A step dominates when it took more than half of an execution of at least this length.
const DOMINATED_MS_MIN: u64 = 1000;

/// What a reader may see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disclosure {
    /// Status and progress.
    Progress,
    /// Payloads and errors too.
    Everything,
}

/// One execution.
///
/// Without a credential the reply omits `data` and `error`; with one, executions of other accounts
/// are not found.
#[utoipa::path(
    get, path = "/pipeline/{id}", tag = PUBLIC,
    params(("id" = String, Path, description = "The execution's id",
        example = "pipe_1795255200000_0k4f0q9c8r1x2v7m3n5b6j8h9g")),
    responses(
        (status = 200, description = "Where the execution stands", body = PipelineReply),
        PipelineErrors,
    ),
    security((), ("client_key" = []), ("worker_secret" = [], "worker_id" = [])),
)]
#[worker::send]
pub async fn show_pipeline(
    Anyone(caller): Anyone,
    ExecutionPath(id): ExecutionPath,
    context: RequestContext,
) -> Result<Json<PipelineReply>, ApiError> {
    if id.shard().0 >= context.config().journal_shards {
        return Err(ApiError::PipelineNotFound);
    }
    context.note(|notes| notes.execution = Some(id.clone()));
    let disclosure = match caller {
        Some(_) => Disclosure::Everything,
        None => Disclosure::Progress,
    };
    let Found { mut rows, restarted_from, optimizations } =
        find(&context, &id, disclosure).await?.ok_or(ApiError::PipelineNotFound)?;
    if caller.is_some_and(|caller| caller.account() != rows.execution.account_id) {
        return Err(ApiError::PipelineNotFound);
    }
    if disclosure == Disclosure::Everything {
        bring_payloads(&context, &mut rows.steps).await?;
    }
    let mut reply = view(rows, disclosure)?;
    reply.restarted_from = restarted_from;
    if let Some(optimizations) = optimizations {
        reply.pipeline.optimizations = optimizations;
    }
    Ok(Json(reply))
}

/// An execution, and what only its journal knows of it.
struct Found {
    rows: Projected,
    restarted_from: Option<String>,
    optimizations: Option<Vec<OptimizationReport>>,
}

/// The execution as its journal has it, with the one that it does again; else, when the journal is
/// retired, as the database or the archive has it.
async fn find(
    context: &RequestContext,
    id: &ExecutionId,
    disclosure: Disclosure,
) -> Result<Option<Found>, ApiError> {
    let payloads = disclosure == Disclosure::Everything;
    if let Some(found) = driver::find(&context.site(), id, payloads).await? {
        let restarted_from = found.started.restarted_from.as_ref().map(ToString::to_string);
        let optimizations = Some(optimization::of_summary(&found.summary(now())));
        let rows = rows_of(&found, 0, now());
        return Ok(Some(Found { rows, restarted_from, optimizations }));
    }
    let Some(rows) = stored::find(context, id).await? else {
        return Ok(None);
    };
    // Executions of the archive, and those from before savings were kept, have only the words.
    let savings = executions::savings(&context.database()?, id.as_str()).await?;
    let optimizations = (!savings.is_empty()).then(|| optimization::of_savings(&savings));
    Ok(Some(Found { rows, restarted_from: None, optimizations }))
}

async fn bring_payloads(context: &RequestContext, steps: &mut [Step]) -> Result<(), ApiError> {
    let outputs = steps.iter_mut().filter_map(|step| step.data.as_mut());
    let brought = outputs.map(async |output| {
        if let Some(stored) = output.unresolved().cloned() {
            output.resolve(offload::bring(context.bindings(), &stored).await?);
        }
        Ok::<_, ReadError>(())
    });
    try_join_all(brought).await?;
    Ok(())
}

/// The reply about an execution.
pub fn view(rows: Projected, disclosure: Disclosure) -> Result<PipelineReply, ApiError> {
    let Projected { execution, steps, facts: _, artifacts: _, tasks: _ } = rows;
    let Execution {
        pipeline_id,
        account_id: _,
        template_name,
        template_revision,
        topic,
        status,
        execution_strategy,
        optimize_for: _,
        urgency: _,
        quality_level: _,
        request: _,
        result: _,
        error,
        total_cost_micro_usd,
        cost_estimated: _,
        budget_micro_usd: _,
        sources_discovered,
        articles_processed,
        final_quality_score,
        optimization_applied,
        cache_hit,
        total_execution_time_ms,
        waiting_reason: _,
        journal_seq: _,
        created_at,
        started_at,
        completed_at,
        updated_at: _,
    } = execution;
    let status: ExecutionStatus = word(status)?;
    let mut worker_results = steps
        .into_iter()
        .map(|step| step_view(&pipeline_id, step, total_execution_time_ms, disclosure))
        .collect::<Result<Vec<_>, _>>()?;
    worker_results.sort_by_key(|step| step.step_order);
    let optimizations = optimization::of_words(&optimization_applied);
    Ok(PipelineReply {
        status,
        pipeline_id: pipeline_id.clone(),
        template: template_name.clone(),
        execution_strategy: execution_strategy.clone(),
        total_execution_time_ms,
        sources_discovered,
        articles_processed,
        total_cost_usd: MicroUsd::from_micros(total_cost_micro_usd).as_usd(),
        final_quality_score,
        optimization_applied,
        cache_hit,
        pipeline_url: format!("/pipeline/{pipeline_id}"),
        restarted_from: None,
        pipeline: Pipeline {
            id: pipeline_id,
            topic,
            template_name,
            template_revision,
            strategy: execution_strategy,
            status,
            started_at: started_at.unwrap_or(created_at),
            completed_at,
            error: error.filter(|_| disclosure == Disclosure::Everything).map(|e| told(&e)),
            optimizations,
            worker_results,
        },
    })
}

fn step_view(
    pipeline_id: &str,
    step: Step,
    total_ms: u64,
    disclosure: Disclosure,
) -> Result<StepResult, ApiError> {
    let artifacts =
        artifacts_of(pipeline_id, &step).filter(|_| disclosure == Disclosure::Everything);
    let Step {
        step_name,
        step_order,
        worker_name,
        kind: _,
        status,
        success,
        generation: _,
        attempts,
        failed_attempts,
        execution_time_ms,
        cost_micro_usd,
        cost_estimated: _,
        cache_hit,
        communication_method,
        error,
        data,
        started_at: _,
        completed_at: _,
    } = step;
    let skipped = error.as_ref().and_then(|error| error.get("skipped"));
    let skip_reason = skipped.and_then(|reason| reason["why"].as_str()).map(str::to_owned);
    let fault = match skipped {
        Some(reason) => reason.get("fault").cloned(),
        None => error,
    };
    let dominates = total_ms >= DOMINATED_MS_MIN && execution_time_ms > total_ms / 2;
    let bottlenecks = [(failed_attempts > 0, "retries"), (dominates, "dominates_duration")];
    let shown = disclosure == Disclosure::Everything;
    let output = data.and_then(|output| output.value().map(|value| Value::clone(value)));
    Ok(StepResult {
        step_order,
        step_name,
        worker_name,
        status: word::<StepStatus>(status)?,
        success,
        attempts: u32::try_from(attempts).unwrap_or(u32::MAX),
        execution_time_ms,
        cost_usd: MicroUsd::from_micros(cost_micro_usd).as_usd(),
        cache_hit,
        communication_method: word::<CommunicationMethod>(communication_method)?,
        skip_reason,
        artifacts,
        data: shown.then(|| output.unwrap_or_default()),
        error: shown.then(|| fault.as_ref().map(told).unwrap_or_default()),
        bottlenecks_detected: bottlenecks
            .into_iter()
            .filter(|(found, _)| *found)
            .map(|(_, name)| name.to_owned())
            .collect(),
    })
}

/// What a tool returned under `artifacts` when it did the step.
fn artifacts_of(pipeline_id: &str, step: &Step) -> Option<StepArtifacts> {
    let Step { step_name, kind, success: true, cache_hit: false, generation, data, .. } = step
    else {
        return None;
    };
    let output = data.as_ref().filter(|_| kind == "tool")?.value()?;
    let (made, refused) = artifacts::read(output);
    let id = |made: artifacts::Made| artifacts::id(pipeline_id, step_name, *generation, made.place);
    let found = StepArtifacts {
        recorded: made.into_iter().map(id).collect(),
        refused: refused.iter().map(wire_violation).collect(),
    };
    (!found.recorded.is_empty() || !found.refused.is_empty()).then_some(found)
}

/// What a fault tells a client: its code and its message, and which properties do not fit.
fn told(fault: &Value) -> Value {
    let mut told = json!({ "code": fault["code"], "message": fault["message"] });
    if let Some(violations) = fault.get("violations") {
        told["violations"] = violations.clone();
    }
    told
}

/// A word of a column as the enumeration that it stands for.
pub(super) fn word<T: serde::de::DeserializeOwned>(text: String) -> Result<T, ApiError> {
    let known = serde_json::from_value(Value::String(text));
    known.map_err(|error| ApiError::Internal { cause: format!("a column's word: {error}") })
}

#[cfg(test)]
mod tests {
    use engine::execution::Payload;

    use super::*;
    use crate::db::projection::Facts;

    fn step(name: &str, error: Option<Value>) -> Step {
        Step {
            step_name: name.to_owned(),
            step_order: 1,
            worker_name: Some("feed_fetcher".to_owned()),
            kind: "worker".to_owned(),
            status: "succeeded".to_owned(),
            success: true,
            generation: 1,
            attempts: 2,
            failed_attempts: 1,
            execution_time_ms: 900,
            cost_micro_usd: 20_000,
            cost_estimated: false,
            cache_hit: false,
            communication_method: "service_binding".to_owned(),
            error,
            data: Some(Payload::inline(json!({ "articles": [] }))),
            started_at: None,
            completed_at: None,
        }
    }

    fn rows(steps: Vec<Step>) -> Projected {
        let execution = Execution {
            pipeline_id: "pipe_1_00000000000000000000000000".to_owned(),
            account_id: "default".to_owned(),
            template_name: "t".to_owned(),
            template_revision: 3,
            topic: Some("rust".to_owned()),
            status: "failed".to_owned(),
            execution_strategy: "balanced".to_owned(),
            optimize_for: "balanced".to_owned(),
            urgency: "medium".to_owned(),
            quality_level: "standard".to_owned(),
            request: json!({ "input": { "secret": "s3cret" } }),
            result: None,
            error: Some(json!({ "code": "c", "message": "s3cret", "kind": "network" })),
            total_cost_micro_usd: 230_000,
            cost_estimated: true,
            budget_micro_usd: None,
            sources_discovered: 15,
            articles_processed: 142,
            final_quality_score: Some(0.87),
            optimization_applied: vec!["parallel_processing".to_owned()],
            cache_hit: false,
            total_execution_time_ms: 1000,
            waiting_reason: None,
            journal_seq: 4,
            created_at: "2026-11-21T10:00:00.000Z".to_owned(),
            started_at: None,
            completed_at: None,
            updated_at: "2026-11-21T10:00:01.000Z".to_owned(),
        };
        Projected {
            execution,
            steps,
            facts: Facts::default(),
            artifacts: Vec::new(),
            tasks: Vec::new(),
        }
    }

    #[test]
    fn whoever_may_sees_everything() {
        let fault = json!({ "code": "worker.refused", "message": "m", "kind": { "http": 500 } });
        let reply = view(rows(vec![step("fetch", Some(fault))]), Disclosure::Everything).unwrap();
        let reply = serde_json::to_value(reply).unwrap();
        assert_eq!(reply["total_cost_usd"], 0.23);
        assert_eq!(reply["pipeline_url"], "/pipeline/pipe_1_00000000000000000000000000");
        assert_eq!(reply["pipeline"]["error"], json!({ "code": "c", "message": "s3cret" }));
        let result = &reply["pipeline"]["worker_results"][0];
        assert_eq!(result["data"], json!({ "articles": [] }));
        assert_eq!(result["error"], json!({ "code": "worker.refused", "message": "m" }));
        assert_eq!(result["bottlenecks_detected"], json!(["retries", "dominates_duration"]));
        assert_eq!(result["cost_usd"], 0.02);
    }

    #[test]
    fn everybody_else_sees_progress_alone() {
        let reply = view(rows(vec![step("fetch", None)]), Disclosure::Progress).unwrap();
        let reply = serde_json::to_value(reply).unwrap();
        let result = reply["pipeline"]["worker_results"][0].as_object().unwrap();
        assert!(!result.contains_key("data") && !result.contains_key("error"));
        assert!(!reply["pipeline"].as_object().unwrap().contains_key("error"));
        assert!(!reply.to_string().contains("s3cret"));
        assert_eq!(reply["status"], "failed");
    }

    #[test]
    fn a_step_without_fault_says_null_and_a_skipped_one_says_why() {
        let fault = json!({ "code": "c", "message": "m", "kind": "network" });
        let skipped = json!({ "skipped": { "why": "failed", "fault": fault } });
        let steps = vec![step("b", None), step("a", Some(skipped))];
        let reply = view(rows(steps), Disclosure::Everything).unwrap();
        let [plain, skipped] = &reply.pipeline.worker_results[..] else { panic!("two steps") };
        let plain = serde_json::to_value(plain).unwrap();
        assert_eq!(plain["error"], Value::Null);
        assert!(plain.as_object().unwrap().contains_key("error"));
        assert!(!plain.as_object().unwrap().contains_key("skip_reason"));
        assert_eq!(skipped.skip_reason.as_deref(), Some("failed"));
        assert_eq!(skipped.error, Some(json!({ "code": "c", "message": "m" })));
    }
}
