//! What the programs around agents log.

use api_types::agents::{
    Appended, NewSystemLog, SummaryText, SystemLog, SystemLogBatch, SystemLogQuery, SystemLogsReply,
};
use axum::Json;
use axum::http::{HeaderName, StatusCode, header};

use super::record::{batch, found, one};
use super::{Asked, next_cursor};
use crate::api::query::label;
use crate::auth::{Administer, Authorized, ClientRead};
use crate::db::agents::system_logs::{self, Filter};
use crate::error::ApiError;
use crate::extract::{JsonDocument, Query, ResourcePath};
use crate::openapi::{AGENTS, AdminErrors, BodyErrors, ClientErrors, NotFoundErrors, QueryErrors};
use crate::request::RequestContext;

/// Entries of the system log, newest first.
#[utoipa::path(
    get, path = "/api/v1/system-logs", tag = AGENTS,
    params(SystemLogQuery),
    responses(
        (status = 200, description = "A page", body = SystemLogsReply),
        QueryErrors, ClientErrors,
    ),
    security(("client_key" = []), ("worker_secret" = [], "worker_id" = [])),
)]
#[worker::send]
pub async fn list_system_logs(
    authorized: Authorized<ClientRead>,
    context: RequestContext,
    Query(query): Query<SystemLogQuery>,
) -> Result<Json<SystemLogsReply>, ApiError> {
    let SystemLogQuery { level, file_path, adw_id, adw_step, from, to, q, limit, cursor } = query;
    let range = Asked { from, to, cursor, limit }.range()?;
    let filter = Filter { level: level.and_then(label), file_path, adw_id, adw_step };
    let account = authorized.caller.account();
    let database = context.database()?;
    let page = system_logs::RECORDS.page(&database, account, &filter, &range, q.as_deref()).await?;
    let place = |row: &SystemLog| format!("{}_{}", row.timestamp, row.seq);
    let next_cursor = next_cursor(&page.rows, page.more, place);
    Ok(Json(SystemLogsReply { system_logs: page.rows, next_cursor }))
}

/// Appends an entry to the system log. What is there already under its id stays as it is.
#[utoipa::path(
    post, path = "/api/v1/system-logs", tag = AGENTS,
    request_body = NewSystemLog,
    responses(
        (status = 201, description = "What was recorded", body = SystemLog,
            headers(("Location" = String, description = "Where it is"))),
        BodyErrors, AdminErrors,
    ),
    security(("worker_secret" = [], "worker_id" = []), ("client_key" = [])),
)]
#[worker::send]
pub async fn append_system_log(
    authorized: Authorized<Administer>,
    context: RequestContext,
    document: JsonDocument<NewSystemLog>,
) -> Result<(StatusCode, [(HeaderName, String); 1], Json<SystemLog>), ApiError> {
    let value = document.value.clone();
    document.typed()?;
    let account = authorized.caller.account();
    let (entry, database) = (one(value)?, context.database()?);
    let id = entry["id"].as_str().unwrap_or_default().to_owned();
    system_logs::RECORDS.append(&database, account, &serde_json::Value::Array(vec![entry])).await?;
    let place = format!("/api/v1/system-logs/{id}");
    let row =
        found("log entry", id.clone(), system_logs::RECORDS.find(&database, account, &id).await?)?;
    Ok((StatusCode::CREATED, [(header::LOCATION, place)], row))
}

/// Appends up to 1,000 entries to the system log.
///
/// All entries or none. What is there already under its id stays as it is, so that a batch whose
/// answer was lost may be sent again.
#[utoipa::path(
    post, path = "/api/v1/system-logs/batch", tag = AGENTS,
    request_body = SystemLogBatch,
    responses(
        (status = 200, description = "How many are new", body = Appended),
        BodyErrors, AdminErrors,
    ),
    security(("worker_secret" = [], "worker_id" = []), ("client_key" = [])),
)]
#[worker::send]
pub async fn append_system_logs(
    authorized: Authorized<Administer>,
    context: RequestContext,
    document: JsonDocument<SystemLogBatch>,
) -> Result<Json<Appended>, ApiError> {
    let entries = document.value["entries"].as_array().cloned().unwrap_or_default();
    document.typed()?;
    let account = authorized.caller.account();
    let entries = batch(entries)?;
    let received = entries.as_array().map_or(0, |entries| entries.len() as u64);
    let appended = system_logs::RECORDS.append(&context.database()?, account, &entries).await?;
    Ok(Json(Appended { received, appended, duplicates: received - appended }))
}

/// One entry of the system log.
#[utoipa::path(
    get, path = "/api/v1/system-logs/{id}", tag = AGENTS,
    params(("id" = String, Path, description = "Its id")),
    responses(
        (status = 200, description = "What was recorded", body = SystemLog),
        NotFoundErrors, ClientErrors,
    ),
    security(("client_key" = []), ("worker_secret" = [], "worker_id" = [])),
)]
#[worker::send]
pub async fn show_system_log(
    authorized: Authorized<ClientRead>,
    context: RequestContext,
    ResourcePath(id): ResourcePath,
) -> Result<Json<SystemLog>, ApiError> {
    let account = authorized.caller.account();
    let row = system_logs::RECORDS.find(&context.database()?, account, &id).await?;
    found("log entry", id, row)
}

/// Adds a summary to one that has none; one that has keeps its own.
#[utoipa::path(
    post, path = "/api/v1/system-logs/{id}/summary", tag = AGENTS,
    params(("id" = String, Path, description = "Its id")),
    request_body = SummaryText,
    responses(
        (status = 200, description = "What was recorded, with its summary", body = SystemLog),
        BodyErrors, NotFoundErrors, AdminErrors,
    ),
    security(("worker_secret" = [], "worker_id" = []), ("client_key" = [])),
)]
#[worker::send]
pub async fn summarise_system_log(
    authorized: Authorized<Administer>,
    context: RequestContext,
    ResourcePath(id): ResourcePath,
    document: JsonDocument<SummaryText>,
) -> Result<Json<SystemLog>, ApiError> {
    let SummaryText { summary } = document.typed()?;
    let account = authorized.caller.account();
    let row = system_logs::RECORDS.summarise(&context.database()?, account, &id, &summary).await?;
    found("log entry", id, row)
}
