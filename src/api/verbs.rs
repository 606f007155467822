//! The verbs that act on an execution on its way or, where they say so, after its end.

use api_types::{RerunRequest, ResumeRequest, VerbReply, VerbRequest};
use axum::http::HeaderMap;
use axum::response::Response;
use engine::execution::Message;
use engine::ids::ExecutionId;
use engine::money::MicroUsd;
use serde_json::json;

use super::message::{Telling, asked, check_nesting, find, tell};
use crate::auth::{Act, Authorized};
use crate::db::jobs;
use crate::driver;
use crate::error::ApiError;
use crate::extract::{ExecutionPath, JsonDocument, OptionalDocument};
use crate::log::{self, Level};
use crate::openapi::{BodyErrors, CLIENT, ClientErrors, SpendErrors, VerbErrors, VerbHeaders};
use crate::request::RequestContext;

/// Calls an execution off.
///
/// What is in flight is waited for where the template compensates; what succeeded is compensated in
/// reverse order. It ends `cancelled`.
#[utoipa::path(
    post, path = "/pipeline/{id}/cancel", tag = CLIENT,
    request_body(content = VerbRequest, description = "May be left out"),
    params(("id" = String, Path, description = "The execution's id"), VerbHeaders),
    responses(
        (status = 200, description = "It has taken effect, or was so already", body = VerbReply),
        (status = 202, description = "It is stored and will take effect", body = VerbReply),
        BodyErrors, ClientErrors, VerbErrors,
    ),
    security(("client_key" = []), ("worker_secret" = [], "worker_id" = [])),
)]
#[worker::send]
pub async fn cancel(
    authorized: Authorized<Act>,
    ExecutionPath(id): ExecutionPath,
    context: RequestContext,
    headers: HeaderMap,
    OptionalDocument(body): OptionalDocument<VerbRequest>,
) -> Result<Response, ApiError> {
    let message = Message::Cancel { asked: asked(&authorized.caller, body.reason) };
    let telling = Telling::read("cancel", message, &headers)?;
    say(&context, &authorized, &id, telling).await
}

/// Ends an execution at once; nothing is compensated.
#[utoipa::path(
    post, path = "/pipeline/{id}/kill", tag = CLIENT,
    request_body(content = VerbRequest, description = "May be left out"),
    params(("id" = String, Path, description = "The execution's id"), VerbHeaders),
    responses(
        (status = 200, description = "It has taken effect, or was so already", body = VerbReply),
        (status = 202, description = "It is stored and will take effect", body = VerbReply),
        BodyErrors, ClientErrors, VerbErrors,
    ),
    security(("client_key" = []), ("worker_secret" = [], "worker_id" = [])),
)]
#[worker::send]
pub async fn kill(
    authorized: Authorized<Act>,
    ExecutionPath(id): ExecutionPath,
    context: RequestContext,
    headers: HeaderMap,
    OptionalDocument(body): OptionalDocument<VerbRequest>,
) -> Result<Response, ApiError> {
    let message = Message::Kill { asked: asked(&authorized.caller, body.reason) };
    let telling = Telling::read("kill", message, &headers)?;
    say(&context, &authorized, &id, telling).await
}

/// Starts nothing more of an execution until it is resumed.
///
/// Answers that are in flight still count.
#[utoipa::path(
    post, path = "/pipeline/{id}/pause", tag = CLIENT,
    request_body(content = VerbRequest, description = "May be left out"),
    params(("id" = String, Path, description = "The execution's id"), VerbHeaders),
    responses(
        (status = 200, description = "It has taken effect, or was so already", body = VerbReply),
        (status = 202, description = "It is stored and will take effect", body = VerbReply),
        BodyErrors, ClientErrors, VerbErrors,
    ),
    security(("client_key" = []), ("worker_secret" = [], "worker_id" = [])),
)]
#[worker::send]
pub async fn pause(
    authorized: Authorized<Act>,
    ExecutionPath(id): ExecutionPath,
    context: RequestContext,
    headers: HeaderMap,
    OptionalDocument(body): OptionalDocument<VerbRequest>,
) -> Result<Response, ApiError> {
    let message = Message::Pause { asked: asked(&authorized.caller, body.reason) };
    let telling = Telling::read("pause", message, &headers)?;
    say(&context, &authorized, &id, telling).await
}

/// Goes on with an execution that is paused, where wanted with a higher budget.
#[utoipa::path(
    post, path = "/pipeline/{id}/resume", tag = CLIENT,
    request_body(content = ResumeRequest, description = "May be left out"),
    params(("id" = String, Path, description = "The execution's id"), VerbHeaders),
    responses(
        (status = 200, description = "It has taken effect, or was so already", body = VerbReply),
        (status = 202, description = "It is stored and will take effect", body = VerbReply),
        BodyErrors, ClientErrors, VerbErrors, SpendErrors,
    ),
    security(("client_key" = []), ("worker_secret" = [], "worker_id" = [])),
)]
#[worker::send]
pub async fn resume(
    authorized: Authorized<Act>,
    ExecutionPath(id): ExecutionPath,
    context: RequestContext,
    headers: HeaderMap,
    OptionalDocument(body): OptionalDocument<ResumeRequest>,
) -> Result<Response, ApiError> {
    let budget = body.budget_limit.and_then(MicroUsd::from_usd);
    let message = Message::Resume { asked: asked(&authorized.caller, body.reason), budget };
    let telling = Telling::read("resume", message, &headers)?;
    go_on(&context, &authorized, &id, telling, budget).await
}

/// Does the steps that failed anew, and what was left out because of them.
///
/// It opens an execution that has ended, while its journal is kept (24 hours).
#[utoipa::path(
    post, path = "/pipeline/{id}/retry", tag = CLIENT,
    request_body(content = VerbRequest, description = "May be left out"),
    params(("id" = String, Path, description = "The execution's id"), VerbHeaders),
    responses(
        (status = 200, description = "It has taken effect, or was so already", body = VerbReply),
        (status = 202, description = "It is stored and will take effect", body = VerbReply),
        BodyErrors, ClientErrors, VerbErrors, SpendErrors,
    ),
    security(("client_key" = []), ("worker_secret" = [], "worker_id" = [])),
)]
#[worker::send]
pub async fn retry(
    authorized: Authorized<Act>,
    ExecutionPath(id): ExecutionPath,
    context: RequestContext,
    headers: HeaderMap,
    OptionalDocument(body): OptionalDocument<VerbRequest>,
) -> Result<Response, ApiError> {
    let message = Message::Retry { asked: asked(&authorized.caller, body.reason) };
    let telling = Telling::read("retry", message, &headers)?;
    go_on(&context, &authorized, &id, Telling { reopens: true, ..telling }, None).await
}

/// Does a step anew, and all that depends on it.
///
/// The execution has ended, not longer than 24 hours ago, or is paused.
#[utoipa::path(
    post, path = "/pipeline/{id}/rerun", tag = CLIENT,
    request_body(content = RerunRequest, description = "What is done anew"),
    params(("id" = String, Path, description = "The execution's id"), VerbHeaders),
    responses(
        (status = 200, description = "It has taken effect, or was so already", body = VerbReply),
        (status = 202, description = "It is stored and will take effect", body = VerbReply),
        BodyErrors, ClientErrors, VerbErrors, SpendErrors,
    ),
    security(("client_key" = []), ("worker_secret" = [], "worker_id" = [])),
)]
#[worker::send]
pub async fn rerun(
    authorized: Authorized<Act>,
    ExecutionPath(id): ExecutionPath,
    context: RequestContext,
    headers: HeaderMap,
    document: JsonDocument<RerunRequest>,
) -> Result<Response, ApiError> {
    let RerunRequest { step, input, reason } = document.typed()?;
    if let Some(input) = &input {
        check_nesting(input, "/input")?;
    }
    let message = Message::Rerun { asked: asked(&authorized.caller, reason), step, input };
    let telling = Telling::read("rerun", message, &headers)?;
    go_on(&context, &authorized, &id, Telling { reopens: true, ..telling }, None).await
}

async fn say(
    context: &RequestContext,
    authorized: &Authorized<Act>,
    id: &ExecutionId,
    telling: Telling<'_>,
) -> Result<Response, ApiError> {
    let state = find(context, Some(authorized.caller.account()), id, false).await?;
    tell(context, &state, telling).await
}

/// The same for what makes an execution spend again: the account's budgets must hold it first. A
/// sub-execution spends what its parent reserved.
async fn go_on(
    context: &RequestContext,
    authorized: &Authorized<Act>,
    id: &ExecutionId,
    telling: Telling<'_>,
    budget: Option<MicroUsd>,
) -> Result<Response, ApiError> {
    let account = authorized.caller.account();
    let state = find(context, Some(account), id, false).await?;
    let started = &state.started;
    if let Some(budget) = budget.max(state.budget).filter(|_| started.parent.is_none()) {
        let site = context.site();
        driver::raise(&site, started, budget).await?;
    }
    let reopens = telling.reopens && state.status.is_final();
    let reply = tell(context, &state, telling).await?;
    if reopens {
        reopen_job(context, id, &authorized.caller.name()).await;
    }
    Ok(reply)
}

/// The job of an execution that goes on does so at once, not only with the next projection. Where
/// that fails it does with that one.
async fn reopen_job(context: &RequestContext, id: &ExecutionId, by: &str) {
    let reopened = match context.database() {
        Ok(database) => jobs::reopen(&database, id.as_str(), by).await.map_err(ApiError::from),
        Err(error) => Err(error),
    };
    if let Err(error) = reopened {
        let cause = error.cause().unwrap_or_default();
        let id = id.as_str();
        let line = json!({ "event": "job.reopened_later", "execution.id": id, "error": cause });
        log::write(Level::Warn, line);
    }
}
