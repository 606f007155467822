//! What agents did, entry by entry.

use api_types::agents::{
    AgentLog, AgentLogBatch, AgentLogQuery, AgentLogsReply, Appended, NewAgentLog, SummaryText,
};
use axum::Json;
use axum::http::{HeaderName, StatusCode, header};

use super::record::{agents_unknown, batch, found, one};
use super::{Asked, next_cursor};
use crate::api::query::label;
use crate::auth::{Administer, Authorized, ClientRead};
use crate::db::agents::logs::{self, Appending, Filter};
use crate::error::ApiError;
use crate::extract::{JsonDocument, Query, ResourcePath};
use crate::openapi::{AGENTS, AdminErrors, BodyErrors, ClientErrors, NotFoundErrors, QueryErrors};
use crate::request::RequestContext;

/// Log entries of agents, newest first.
#[utoipa::path(
    get, path = "/api/v1/agent-logs", tag = AGENTS,
    params(AgentLogQuery),
    responses(
        (status = 200, description = "A page", body = AgentLogsReply),
        QueryErrors, ClientErrors,
    ),
    security(("client_key" = []), ("worker_secret" = [], "worker_id" = [])),
)]
#[worker::send]
pub async fn list_agent_logs(
    authorized: Authorized<ClientRead>,
    context: RequestContext,
    Query(query): Query<AgentLogQuery>,
) -> Result<Json<AgentLogsReply>, ApiError> {
    let AgentLogQuery {
        agent_id,
        session_id,
        task_slug,
        adw_id,
        adw_step,
        event_category,
        event_type,
        from,
        to,
        q,
        limit,
        cursor,
    } = query;
    let range = Asked { from, to, cursor, limit }.range()?;
    let filter = Filter {
        agent_id,
        session_id,
        task_slug,
        adw_id,
        adw_step,
        event_category: event_category.and_then(label),
        event_type,
    };
    let account = authorized.caller.account();
    let database = context.database()?;
    let page = logs::RECORDS.page(&database, account, &filter, &range, q.as_deref()).await?;
    let place = |row: &AgentLog| format!("{}_{}", row.timestamp, row.seq);
    let next_cursor = next_cursor(&page.rows, page.more, place);
    Ok(Json(AgentLogsReply { agent_logs: page.rows, next_cursor }))
}

/// Appends a log entry. What is there already under its id stays as it is.
#[utoipa::path(
    post, path = "/api/v1/agent-logs", tag = AGENTS,
    request_body = NewAgentLog,
    responses(
        (status = 201, description = "What was recorded", body = AgentLog,
            headers(("Location" = String, description = "Where it is"))),
        BodyErrors, AdminErrors,
    ),
    security(("worker_secret" = [], "worker_id" = []), ("client_key" = [])),
)]
#[worker::send]
pub async fn append_agent_log(
    authorized: Authorized<Administer>,
    context: RequestContext,
    document: JsonDocument<NewAgentLog>,
) -> Result<(StatusCode, [(HeaderName, String); 1], Json<AgentLog>), ApiError> {
    let value = document.value.clone();
    document.typed()?;
    let account = authorized.caller.account();
    let (entry, database) = (one(value)?, context.database()?);
    let id = entry["id"].as_str().unwrap_or_default().to_owned();
    let entries = serde_json::Value::Array(vec![entry]);
    if let Appending::AgentsUnknown { .. } = logs::append(&database, account, &entries).await? {
        return Err(agents_unknown(["/agent_id".to_owned()]));
    }
    let place = format!("/api/v1/agent-logs/{id}");
    let row = found("log entry", id.clone(), logs::RECORDS.find(&database, account, &id).await?)?;
    Ok((StatusCode::CREATED, [(header::LOCATION, place)], row))
}

/// Appends up to 1,000 log entries.
///
/// All entries or none. What is there already under its id stays as it is, so that a batch whose
/// answer was lost may be sent again.
#[utoipa::path(
    post, path = "/api/v1/agent-logs/batch", tag = AGENTS,
    request_body = AgentLogBatch,
    responses(
        (status = 200, description = "How many are new", body = Appended),
        BodyErrors, AdminErrors,
    ),
    security(("worker_secret" = [], "worker_id" = []), ("client_key" = [])),
)]
#[worker::send]
pub async fn append_agent_logs(
    authorized: Authorized<Administer>,
    context: RequestContext,
    document: JsonDocument<AgentLogBatch>,
) -> Result<Json<Appended>, ApiError> {
    let entries = document.value["entries"].as_array().cloned().unwrap_or_default();
    document.typed()?;
    let account = authorized.caller.account();
    let entries = batch(entries)?;
    let received = entries.as_array().map_or(0, |entries| entries.len() as u64);
    match logs::append(&context.database()?, account, &entries).await? {
        Appending::Done { appended } => {
            Ok(Json(Appended { received, appended, duplicates: received - appended }))
        }
        Appending::AgentsUnknown { places } => {
            Err(agents_unknown(places.iter().map(|place| format!("/entries/{place}/agent_id"))))
        }
    }
}

/// One log entry.
#[utoipa::path(
    get, path = "/api/v1/agent-logs/{id}", tag = AGENTS,
    params(("id" = String, Path, description = "Its id")),
    responses(
        (status = 200, description = "What was recorded", body = AgentLog),
        NotFoundErrors, ClientErrors,
    ),
    security(("client_key" = []), ("worker_secret" = [], "worker_id" = [])),
)]
#[worker::send]
pub async fn show_agent_log(
    authorized: Authorized<ClientRead>,
    context: RequestContext,
    ResourcePath(id): ResourcePath,
) -> Result<Json<AgentLog>, ApiError> {
    let account = authorized.caller.account();
    let row = logs::RECORDS.find(&context.database()?, account, &id).await?;
    found("log entry", id, row)
}

/// Adds a summary to one that has none; one that has keeps its own.
#[utoipa::path(
    post, path = "/api/v1/agent-logs/{id}/summary", tag = AGENTS,
    params(("id" = String, Path, description = "Its id")),
    request_body = SummaryText,
    responses(
        (status = 200, description = "What was recorded, with its summary", body = AgentLog),
        BodyErrors, NotFoundErrors, AdminErrors,
    ),
    security(("worker_secret" = [], "worker_id" = []), ("client_key" = [])),
)]
#[worker::send]
pub async fn summarise_agent_log(
    authorized: Authorized<Administer>,
    context: RequestContext,
    ResourcePath(id): ResourcePath,
    document: JsonDocument<SummaryText>,
) -> Result<Json<AgentLog>, ApiError> {
    let SummaryText { summary } = document.typed()?;
    let account = authorized.caller.account();
    let row = logs::RECORDS.summarise(&context.database()?, account, &id, &summary).await?;
    found("log entry", id, row)
}
