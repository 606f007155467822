//! What agents were asked.

use api_types::agents::{NewPrompt, Prompt, PromptQuery, PromptsReply, SummaryText};
use axum::Json;
use axum::http::{HeaderName, StatusCode, header};

use super::record::{agents_unknown, found, one};
use super::{Asked, next_cursor};
use crate::api::query::label;
use crate::auth::{Administer, Authorized, ClientRead};
use crate::db::agents::prompts::{self, Filter};
use crate::error::ApiError;
use crate::extract::{JsonDocument, Query, ResourcePath};
use crate::openapi::{AGENTS, AdminErrors, BodyErrors, ClientErrors, NotFoundErrors, QueryErrors};
use crate::request::RequestContext;

/// Prompts, newest first.
#[utoipa::path(
    get, path = "/api/v1/prompts", tag = AGENTS,
    params(PromptQuery),
    responses(
        (status = 200, description = "A page", body = PromptsReply),
        QueryErrors, ClientErrors,
    ),
    security(("client_key" = []), ("worker_secret" = [], "worker_id" = [])),
)]
#[worker::send]
pub async fn list_prompts(
    authorized: Authorized<ClientRead>,
    context: RequestContext,
    Query(query): Query<PromptQuery>,
) -> Result<Json<PromptsReply>, ApiError> {
    let PromptQuery { agent_id, task_slug, author, session_id, from, to, q, limit, cursor } = query;
    let range = Asked { from, to, cursor, limit }.range()?;
    let filter = Filter { agent_id, task_slug, author: author.and_then(label), session_id };
    let account = authorized.caller.account();
    let database = context.database()?;
    let page = prompts::RECORDS.page(&database, account, &filter, &range, q.as_deref()).await?;
    let place = |row: &Prompt| format!("{}_{}", row.timestamp, row.seq);
    let next_cursor = next_cursor(&page.rows, page.more, place);
    Ok(Json(PromptsReply { prompts: page.rows, next_cursor }))
}

/// Records a prompt. What is there already under its id stays as it is.
#[utoipa::path(
    post, path = "/api/v1/prompts", tag = AGENTS,
    request_body = NewPrompt,
    responses(
        (status = 201, description = "What was recorded", body = Prompt,
            headers(("Location" = String, description = "Where it is"))),
        BodyErrors, AdminErrors,
    ),
    security(("worker_secret" = [], "worker_id" = []), ("client_key" = [])),
)]
#[worker::send]
pub async fn record_prompt(
    authorized: Authorized<Administer>,
    context: RequestContext,
    document: JsonDocument<NewPrompt>,
) -> Result<(StatusCode, [(HeaderName, String); 1], Json<Prompt>), ApiError> {
    let value = document.value.clone();
    document.typed()?;
    let account = authorized.caller.account();
    let row = prompts::RECORDS.add(&context.database()?, account, &one(value)?).await?;
    let row = row.ok_or_else(|| agents_unknown(["/agent_id".to_owned()]))?;
    let place = format!("/api/v1/prompts/{}", row.id);
    Ok((StatusCode::CREATED, [(header::LOCATION, place)], Json(row)))
}

/// One prompt.
#[utoipa::path(
    get, path = "/api/v1/prompts/{id}", tag = AGENTS,
    params(("id" = String, Path, description = "Its id")),
    responses(
        (status = 200, description = "What was recorded", body = Prompt),
        NotFoundErrors, ClientErrors,
    ),
    security(("client_key" = []), ("worker_secret" = [], "worker_id" = [])),
)]
#[worker::send]
pub async fn show_prompt(
    authorized: Authorized<ClientRead>,
    context: RequestContext,
    ResourcePath(id): ResourcePath,
) -> Result<Json<Prompt>, ApiError> {
    let account = authorized.caller.account();
    let row = prompts::RECORDS.find(&context.database()?, account, &id).await?;
    found("prompt", id, row)
}

/// Adds a summary to one that has none; one that has keeps its own.
#[utoipa::path(
    post, path = "/api/v1/prompts/{id}/summary", tag = AGENTS,
    params(("id" = String, Path, description = "Its id")),
    request_body = SummaryText,
    responses(
        (status = 200, description = "What was recorded, with its summary", body = Prompt),
        BodyErrors, NotFoundErrors, AdminErrors,
    ),
    security(("worker_secret" = [], "worker_id" = []), ("client_key" = [])),
)]
#[worker::send]
pub async fn summarise_prompt(
    authorized: Authorized<Administer>,
    context: RequestContext,
    ResourcePath(id): ResourcePath,
    document: JsonDocument<SummaryText>,
) -> Result<Json<Prompt>, ApiError> {
    let SummaryText { summary } = document.typed()?;
    let account = authorized.caller.account();
    let row = prompts::RECORDS.summarise(&context.database()?, account, &id, &summary).await?;
    found("prompt", id, row)
}
