//! What people, the orchestrator agent and the others say to each other.

use api_types::agents::{
    ChatMessage, ChatParty, ChatQuery, ChatReply, NewChatMessage, SummaryText,
};
use axum::Json;
use axum::http::{HeaderName, StatusCode, header};

use super::record::{agents_unknown, found, one};
use super::{Asked, next_cursor};
use crate::api::query::label;
use crate::auth::{Administer, Authorized, ClientRead};
use crate::db::agents::chat::{self, Filter};
use crate::error::ApiError;
use crate::extract::{JsonDocument, Query, ResourcePath};
use crate::openapi::{AGENTS, AdminErrors, BodyErrors, ClientErrors, NotFoundErrors, QueryErrors};
use crate::request::RequestContext;

/// Messages, newest first.
#[utoipa::path(
    get, path = "/api/v1/chat", tag = AGENTS,
    params(ChatQuery),
    responses(
        (status = 200, description = "A page", body = ChatReply),
        QueryErrors, ClientErrors,
    ),
    security(("client_key" = []), ("worker_secret" = [], "worker_id" = [])),
)]
#[worker::send]
pub async fn list_chat(
    authorized: Authorized<ClientRead>,
    context: RequestContext,
    Query(query): Query<ChatQuery>,
) -> Result<Json<ChatReply>, ApiError> {
    let ChatQuery { agent_id, sender_type, receiver_type, from, to, q, limit, cursor } = query;
    let range = Asked { from, to, cursor, limit }.range()?;
    let filter = Filter {
        agent_id,
        sender_type: sender_type.and_then(label),
        receiver_type: receiver_type.and_then(label),
    };
    let account = authorized.caller.account();
    let database = context.database()?;
    let page = chat::RECORDS.page(&database, account, &filter, &range, q.as_deref()).await?;
    let place = |row: &ChatMessage| format!("{}_{}", row.timestamp, row.seq);
    let next_cursor = next_cursor(&page.rows, page.more, place);
    Ok(Json(ChatReply { messages: page.rows, next_cursor }))
}

/// Records a message. What is there already under its id stays as it is.
#[utoipa::path(
    post, path = "/api/v1/chat", tag = AGENTS,
    request_body = NewChatMessage,
    responses(
        (status = 201, description = "What was recorded", body = ChatMessage,
            headers(("Location" = String, description = "Where it is"))),
        BodyErrors, AdminErrors,
    ),
    security(("worker_secret" = [], "worker_id" = []), ("client_key" = [])),
)]
#[worker::send]
pub async fn record_message(
    authorized: Authorized<Administer>,
    context: RequestContext,
    document: JsonDocument<NewChatMessage>,
) -> Result<(StatusCode, [(HeaderName, String); 1], Json<ChatMessage>), ApiError> {
    let value = document.value.clone();
    let NewChatMessage { sender_type, receiver_type, agent_id, .. } = document.typed()?;
    if [sender_type, receiver_type].contains(&ChatParty::Agent) && agent_id.is_none() {
        return Err(agents_unknown(["/agent_id".to_owned()]));
    }
    let account = authorized.caller.account();
    let row = chat::RECORDS.add(&context.database()?, account, &one(value)?).await?;
    let row = row.ok_or_else(|| agents_unknown(["/agent_id".to_owned()]))?;
    let place = format!("/api/v1/chat/{}", row.id);
    Ok((StatusCode::CREATED, [(header::LOCATION, place)], Json(row)))
}

/// One message.
#[utoipa::path(
    get, path = "/api/v1/chat/{id}", tag = AGENTS,
    params(("id" = String, Path, description = "Its id")),
    responses(
        (status = 200, description = "What was recorded", body = ChatMessage),
        NotFoundErrors, ClientErrors,
    ),
    security(("client_key" = []), ("worker_secret" = [], "worker_id" = [])),
)]
#[worker::send]
pub async fn show_message(
    authorized: Authorized<ClientRead>,
    context: RequestContext,
    ResourcePath(id): ResourcePath,
) -> Result<Json<ChatMessage>, ApiError> {
    let account = authorized.caller.account();
    let row = chat::RECORDS.find(&context.database()?, account, &id).await?;
    found("message", id, row)
}

/// Adds a summary to one that has none; one that has keeps its own.
#[utoipa::path(
    post, path = "/api/v1/chat/{id}/summary", tag = AGENTS,
    params(("id" = String, Path, description = "Its id")),
    request_body = SummaryText,
    responses(
        (status = 200, description = "What was recorded, with its summary", body = ChatMessage),
        BodyErrors, NotFoundErrors, AdminErrors,
    ),
    security(("worker_secret" = [], "worker_id" = []), ("client_key" = [])),
)]
#[worker::send]
pub async fn summarise_message(
    authorized: Authorized<Administer>,
    context: RequestContext,
    ResourcePath(id): ResourcePath,
    document: JsonDocument<SummaryText>,
) -> Result<Json<ChatMessage>, ApiError> {
    let SummaryText { summary } = document.typed()?;
    let account = authorized.caller.account();
    let row = chat::RECORDS.summarise(&context.database()?, account, &id, &summary).await?;
    found("message", id, row)
}
