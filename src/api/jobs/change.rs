//! What is done to a job: another status, other words, taken away.

use api_types::jobs::{Job, JobPatch, JobStatusRequest};
use api_types::{ExecutionStatus, VerbStatus};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Response;
use engine::execution::Message;
use engine::ids::ExecutionId;
use serde_json::{Map, Value, json};

use super::{answer, find, misfit_of};
use crate::api::merge_patch::merge;
use crate::api::message::{self, Delivered, Telling, asked, deliver};
use crate::api::precondition;
use crate::api::query::label;
use crate::audit::{self, Change};
use crate::auth::{Act, Authorized, Caller};
use crate::clock::now;
use crate::db::jobs::{self, Job as Row, StatusChange};
use crate::db::{Database, Statement};
use crate::driver;
use crate::error::{ApiError, ErrorCode};
use crate::extract::{JsonDocument, ResourcePath};
use crate::jobs::standing::{self, shown, word};
use crate::jobs::transitions;
use crate::openapi::{
    BodyErrors, ChangeErrors, ClientErrors, JOBS, JobRemoveErrors, JobStatusErrors, NotFoundErrors,
};
use crate::request::RequestContext;

/// How often a change is tried anew that another one came before.
const TRIES_MAX: usize = 5;

/// Gives a job another status.
///
/// Of a job without an execution any that its status leads to. Of one with an execution `paused`,
/// `running` (again) and `cancelled`: that is what pause, resume and cancel do, and the answer is
/// 202 where it has not met that yet.
#[utoipa::path(
    put, path = "/api/v1/jobs/{job_id}/status", tag = JOBS,
    request_body = JobStatusRequest,
    params(
        ("job_id" = String, Path, description = "Its id", max_length = 64),
        ("If-Match" = Option<String>, Header, description = "The ETag of the job as you read it",
            nullable = false),
    ),
    responses(
        (status = 200, description = "The job, which has the status", body = Job),
        (status = 202, description = "The job, whose execution will meet it", body = Job),
        BodyErrors, ClientErrors, JobStatusErrors,
    ),
    security(("client_key" = []), ("worker_secret" = [], "worker_id" = [])),
)]
#[worker::send]
pub async fn set_job_status(
    authorized: Authorized<Act>,
    ResourcePath(id): ResourcePath,
    context: RequestContext,
    headers: HeaderMap,
    document: JsonDocument<JobStatusRequest>,
) -> Result<Response, ApiError> {
    let JobStatusRequest { status, reason } = document.typed()?;
    let caller = &authorized.caller;
    for _ in 0..TRIES_MAX {
        let job = matched(&context, caller, &id, &headers).await?;
        let current: ExecutionStatus = word(&job.status)?;
        if current == status {
            return Ok(answer(StatusCode::OK, &shown(job)?));
        }
        let allowed = match job.pipeline_id {
            Some(_) => transitions::of_execution(current),
            None => transitions::after(current),
        };
        if !allowed.contains(&status) {
            return Err(refused(&job, allowed));
        }
        if job.pipeline_id.is_some() {
            return say(&context, caller, job, (status, reason)).await;
        }
        if set(&context, caller, &job, (status, reason.as_deref())).await? {
            let job = find(&context, caller.account(), &id).await?;
            return Ok(answer(StatusCode::OK, &shown(job)?));
        }
    }
    Err(ApiError::ResourceChanged { kind: "job", name: id })
}

/// Changes what a job says (JSON merge patch).
#[utoipa::path(
    patch, path = "/api/v1/jobs/{job_id}", tag = JOBS,
    request_body = JobPatch,
    params(
        ("job_id" = String, Path, description = "Its id", max_length = 64),
        ("If-Match" = Option<String>, Header, description = "The ETag of the job as you read it",
            nullable = false),
    ),
    responses(
        (status = 200, description = "The job as it is now", body = Job),
        BodyErrors, NotFoundErrors, ChangeErrors, ClientErrors,
    ),
    security(("client_key" = []), ("worker_secret" = [], "worker_id" = [])),
)]
#[worker::send]
pub async fn update_job(
    authorized: Authorized<Act>,
    ResourcePath(id): ResourcePath,
    context: RequestContext,
    headers: HeaderMap,
    document: JsonDocument<JobPatch>,
) -> Result<Response, ApiError> {
    let asked = document.value.clone();
    document.typed()?;
    let caller = &authorized.caller;
    for _ in 0..TRIES_MAX {
        let job = matched(&context, caller, &id, &headers).await?;
        let patch = patch_of(&job, &asked)?;
        if patch.is_empty() {
            return Ok(answer(StatusCode::OK, &shown(job)?));
        }
        let before = patch.keys().map(|name| (name.clone(), field(&job, name)));
        let (before, after) = (Value::Object(before.collect()), Value::Object(patch));
        let statement = jobs::patch(&job, &after, &caller.name());
        let change = change("job.updated", &job, (Some(before), Some(after)));
        if made(&context, caller, statement, change).await? {
            let job = find(&context, caller.account(), &id).await?;
            return Ok(answer(StatusCode::OK, &shown(job)?));
        }
    }
    Err(ApiError::ResourceChanged { kind: "job", name: id })
}

/// Takes a job away, and calls its execution off.
///
/// The execution stays in the history, what was done to the job in the audit log, what happened to
/// it among the events.
#[utoipa::path(
    delete, path = "/api/v1/jobs/{job_id}", tag = JOBS,
    params(
        ("job_id" = String, Path, description = "Its id", max_length = 64),
        ("If-Match" = Option<String>, Header, description = "The ETag of the job as you read it",
            nullable = false),
    ),
    responses(
        (status = 204, description = "It is gone; its execution is called off"),
        JobRemoveErrors, ClientErrors,
    ),
    security(("client_key" = []), ("worker_secret" = [], "worker_id" = [])),
)]
#[worker::send]
pub async fn delete_job(
    authorized: Authorized<Act>,
    ResourcePath(id): ResourcePath,
    context: RequestContext,
    headers: HeaderMap,
) -> Result<StatusCode, ApiError> {
    let caller = &authorized.caller;
    let job = matched(&context, caller, &id, &headers).await?;
    let current: ExecutionStatus = word(&job.status)?;
    if let (Some(execution), false) = (execution(&job), transitions::is_final(current)) {
        let reason = format!("the job {id} was deleted");
        call_off(&context, caller, &execution, reason).await?;
    }
    // Where the caller says what it means to take away, nothing else is.
    let version = headers.contains_key(header::IF_MATCH).then_some(job.version);
    let [sign, remove] = jobs::remove(&job, version, &caller.name());
    let before = json!({
        "title": job.title, "status": job.status, "pipeline_id": job.pipeline_id,
    });
    let entry = audit::entry(&context, caller, change("job.deleted", &job, (Some(before), None)));
    context.database()?.batch(vec![sign, remove, entry]).await?;
    let left = jobs::find(&context.database()?, caller.account(), &id).await?;
    if left.is_some() {
        return Err(ApiError::ResourceChanged { kind: "job", name: id });
    }
    Ok(StatusCode::NO_CONTENT)
}

/// The job, if it is as `If-Match` says.
async fn matched(
    context: &RequestContext,
    caller: &Caller,
    id: &str,
    headers: &HeaderMap,
) -> Result<Row, ApiError> {
    let job = find(context, caller.account(), id).await?;
    let state = standing::state(&shown(job.clone())?);
    precondition::check(headers, &state, ("job", id))?;
    Ok(job)
}

/// Why a job does not take a status, and which it takes.
fn refused(job: &Row, allowed: &[ExecutionStatus]) -> ApiError {
    let words: Vec<String> = allowed.iter().filter_map(label).collect();
    let may = match words.as_slice() {
        [] => "no status can be asked for".to_owned(),
        words => format!("{} can be asked for", words.join(", ")),
    };
    let whose = if job.pipeline_id.is_some() { "The job's execution" } else { "The job" };
    ApiError::JobTransition { message: format!("{whose} is {}: {may}", job.status) }
}

/// Sets the status of a job without an execution; whether it was still as it was read.
async fn set(
    context: &RequestContext,
    caller: &Caller,
    job: &Row,
    (status, reason): (ExecutionStatus, Option<&str>),
) -> Result<bool, ApiError> {
    let (word, by) = (label(status).unwrap_or_default(), caller.name());
    let is_final = transitions::is_final(status);
    let set = StatusChange { status: &word, is_final, by: &by, at: now() };
    let change = status_change(job, &word, reason);
    made(context, caller, jobs::set_status(job, set), change).await
}

/// Says to the execution of a job what the status stands for.
async fn say(
    context: &RequestContext,
    caller: &Caller,
    job: Row,
    (status, reason): (ExecutionStatus, Option<String>),
) -> Result<Response, ApiError> {
    let id = execution(&job).ok_or(ApiError::PipelineNotFound)?;
    let said = asked(caller, reason.clone());
    let (verb, message) = match status {
        ExecutionStatus::Cancelled => ("cancel", Message::Cancel { asked: said }),
        ExecutionStatus::Paused => ("pause", Message::Pause { asked: said }),
        _ => ("resume", Message::Resume { asked: said, budget: None }),
    };
    let state = message::find(context, Some(caller.account()), &id, false).await?;
    let spends = matches!(message, Message::Resume { .. }) && state.started.parent.is_none();
    if let Some(budget) = state.budget.filter(|_| spends) {
        driver::raise(&context.site(), &state.started, budget).await?;
    }
    let telling = Telling::read(verb, message, &HeaderMap::new())?;
    let Delivered { status: delivered, .. } = deliver(context, &state, &telling).await?;
    let word = label(status).unwrap_or_default();
    let [sign, _] = jobs::remove(&job, None, &caller.name());
    let change = status_change(&job, &word, reason.as_deref());
    made(context, caller, sign, change).await?;
    let job = find(context, caller.account(), &job.id).await?;
    let code = match delivered {
        VerbStatus::Accepted => StatusCode::ACCEPTED,
        VerbStatus::Done | VerbStatus::Unchanged => StatusCode::OK,
    };
    Ok(answer(code, &shown(job)?))
}

/// Calls an execution off. One that has ended meanwhile, or whose journal is gone, needs it not.
async fn call_off(
    context: &RequestContext,
    caller: &Caller,
    id: &ExecutionId,
    reason: String,
) -> Result<(), ApiError> {
    let message = Message::Cancel { asked: asked(caller, Some(reason)) };
    let telling = Telling::read("cancel", message, &HeaderMap::new())?;
    let over = |code: ErrorCode| {
        [ErrorCode::ExecutionEnded, ErrorCode::ExecutionRetired, ErrorCode::PipelineNotFound]
            .contains(&code)
    };
    let state = match message::find(context, Some(caller.account()), id, false).await {
        Ok(state) => state,
        Err(error) if over(error.code()) => return Ok(()),
        Err(error) => return Err(error),
    };
    match deliver(context, &state, &telling).await {
        Ok(_) => Ok(()),
        Err(error) if over(error.code()) => Ok(()),
        Err(error) => Err(error),
    }
}

fn execution(job: &Row) -> Option<ExecutionId> {
    job.pipeline_id.as_ref()?.parse().ok()
}

/// What of a merge patch changes the job; what it must not be is told.
fn patch_of(job: &Row, asked: &Value) -> Result<Map<String, Value>, ApiError> {
    let mut patch = Map::new();
    for (name, value) in asked.as_object().into_iter().flatten() {
        let value = match name.as_str() {
            "metadata" => {
                let mut metadata = job.metadata.clone();
                match value {
                    Value::Null => metadata = json!({}),
                    changes => merge(&mut metadata, changes.clone()),
                }
                if let Some(misfit) = misfit_of(&metadata) {
                    return Err(ApiError::RequestInvalid(vec![misfit]));
                }
                metadata
            }
            "title" => json!(value.as_str().unwrap_or_default().trim()),
            _ => value.clone(),
        };
        if value != field(job, name) {
            patch.insert(name.clone(), value);
        }
    }
    for name in ["title", "priority"] {
        if asked.get(name).is_some_and(Value::is_null) {
            let message = "cannot be emptied";
            return Err(message::violation(&format!("/{name}"), "required", message));
        }
    }
    Ok(patch)
}

fn field(job: &Row, name: &str) -> Value {
    match name {
        "title" => json!(job.title),
        "description" => json!(job.description),
        "priority" => json!(job.priority),
        _ => job.metadata.clone(),
    }
}

fn change<'a>(
    change: &'static str,
    job: &'a Row,
    (before, after): (Option<Value>, Option<Value>),
) -> Change<'a> {
    let account = Some(job.account_id.as_str());
    Change { change, subject_type: "job", subject: &job.id, account, before, after }
}

fn status_change<'a>(job: &'a Row, status: &str, reason: Option<&str>) -> Change<'a> {
    let before = json!({ "status": job.status });
    let after = json!({ "status": status, "reason": reason });
    change("job.status_set", job, (Some(before), Some(after)))
}

async fn made(
    context: &RequestContext,
    caller: &Caller,
    statement: Statement,
    change: Change<'_>,
) -> Result<bool, ApiError> {
    let database = context.database()?;
    Ok(audit::make(&database, (context, caller), statement, change, Vec::new()).await?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job() -> Row {
        serde_json::from_value(json!({
            "id": "j", "account_id": "a", "title": "t", "description": "d", "priority": "high",
            "metadata": "{\"a\":1,\"b\":{\"c\":2}}", "status": "running",
            "pipeline_template": null, "pipeline_id": null, "request": null, "begun": 1,
            "version": 1, "body_hash": null, "created_by": "key:k",
            "created_at": "2026-11-21T10:00:00.000Z", "started_at": null, "completed_at": null,
            "updated_at": "2026-11-21T10:00:00.000Z", "total_execution_time_ms": null,
            "total_cost_micro_usd": null, "waiting_reason": null, "error": null,
            "journal_seq": null,
        }))
        .unwrap()
    }

    #[test]
    fn a_patch_is_what_it_changes() {
        let of = |asked: Value| patch_of(&job(), &asked).map(Value::Object).unwrap();
        assert_eq!(of(json!({ "title": "t", "priority": "high" })), json!({}));
        assert_eq!(
            of(json!({ "title": " u ", "description": null })),
            json!({ "title": "u", "description": null })
        );
        let merged = json!({ "metadata": { "b": { "c": null, "d": 3 }, "a": 1 } });
        assert_eq!(of(merged), json!({ "metadata": { "a": 1, "b": { "d": 3 } } }));
        assert_eq!(of(json!({ "metadata": null })), json!({ "metadata": {} }));
        for name in ["title", "priority"] {
            let error = patch_of(&job(), &json!({ name: null })).unwrap_err();
            assert_eq!(error.code().as_str(), "request.invalid");
        }
        let large = json!({ "metadata": { "x": "x".repeat(70_000) } });
        assert!(patch_of(&job(), &large).is_err());
    }

    #[test]
    fn a_refusal_says_what_may_be_asked_for() {
        let allowed = transitions::after(ExecutionStatus::Running);
        let ApiError::JobTransition { message } = refused(&job(), allowed) else { panic!() };
        assert!(message.starts_with("The job is running: waiting, paused, completed"), "{message}");
        let owned = Row { pipeline_id: Some("p".to_owned()), ..job() };
        let ApiError::JobTransition { message } = refused(&owned, &[]) else { panic!() };
        assert_eq!(message, "The job's execution is running: no status can be asked for");
    }
}
