//! The agent that leads an account's others.

use api_types::agents::{
    NewOrchestratorAgent, OrchestratorAgent, OrchestratorAgentPatch, OrchestratorAgentsReply,
    SessionsQuery,
};
use axum::Json;
use axum::http::StatusCode;
use uuid::Uuid;

use super::{Asked, next_cursor};
use crate::auth::{Administer, Authorized, ClientRead};
use crate::db::agents::orchestrator;
use crate::error::ApiError;
use crate::extract::{JsonDocument, Query};
use crate::openapi::{AGENTS, AdminErrors, BodyErrors, ClientErrors, NotFoundErrors, QueryErrors};
use crate::request::RequestContext;

/// The orchestrator agent that lives, with what all agents of the account have used.
#[utoipa::path(
    get, path = "/api/v1/orchestrator", tag = AGENTS,
    responses(
        (status = 200, description = "The orchestrator agent", body = OrchestratorAgent),
        NotFoundErrors, ClientErrors,
    ),
    security(("client_key" = []), ("worker_secret" = [], "worker_id" = [])),
)]
#[worker::send]
pub async fn show_orchestrator(
    authorized: Authorized<ClientRead>,
    context: RequestContext,
) -> Result<Json<OrchestratorAgent>, ApiError> {
    there(orchestrator::live(&context.database()?, authorized.caller.account()).await?)
}

/// Begins a new orchestrator agent. The one that lives is archived; counters begin at nothing.
#[utoipa::path(
    post, path = "/api/v1/orchestrator", tag = AGENTS,
    request_body = NewOrchestratorAgent,
    responses(
        (status = 201, description = "The orchestrator agent", body = OrchestratorAgent),
        BodyErrors, AdminErrors,
    ),
    security(("worker_secret" = [], "worker_id" = []), ("client_key" = [])),
)]
#[worker::send]
pub async fn begin_orchestrator(
    authorized: Authorized<Administer>,
    context: RequestContext,
    document: JsonDocument<NewOrchestratorAgent>,
) -> Result<(StatusCode, Json<OrchestratorAgent>), ApiError> {
    let value = document.value.clone();
    document.typed()?;
    let id = Uuid::now_v7().to_string();
    let account = authorized.caller.account();
    let begun = orchestrator::begin(&context.database()?, account, &id, &value).await?;
    Ok((StatusCode::CREATED, there(begun)?))
}

/// Changes the orchestrator agent that lives: a merge patch. Where none lives, one begins.
#[utoipa::path(
    patch, path = "/api/v1/orchestrator", tag = AGENTS,
    request_body = OrchestratorAgentPatch,
    responses(
        (status = 200, description = "The orchestrator agent as it is now",
            body = OrchestratorAgent),
        BodyErrors, AdminErrors,
    ),
    security(("worker_secret" = [], "worker_id" = []), ("client_key" = [])),
)]
#[worker::send]
pub async fn update_orchestrator(
    authorized: Authorized<Administer>,
    context: RequestContext,
    document: JsonDocument<OrchestratorAgentPatch>,
) -> Result<Json<OrchestratorAgent>, ApiError> {
    let value = document.value.clone();
    document.typed()?;
    let id = Uuid::now_v7().to_string();
    let account = authorized.caller.account();
    there(orchestrator::patch(&context.database()?, account, &id, &value).await?)
}

/// The orchestrator agent that lives and those before it, newest first.
#[utoipa::path(
    get, path = "/api/v1/orchestrator/sessions", tag = AGENTS,
    params(SessionsQuery),
    responses(
        (status = 200, description = "A page of orchestrator agents",
            body = OrchestratorAgentsReply),
        QueryErrors, ClientErrors,
    ),
    security(("client_key" = []), ("worker_secret" = [], "worker_id" = [])),
)]
#[worker::send]
pub async fn list_orchestrators(
    authorized: Authorized<ClientRead>,
    context: RequestContext,
    Query(query): Query<SessionsQuery>,
) -> Result<Json<OrchestratorAgentsReply>, ApiError> {
    let range = Asked { from: None, to: None, cursor: query.cursor, limit: query.limit }.range()?;
    let account = authorized.caller.account();
    let page = orchestrator::page(&context.database()?, account, &range).await?;
    let place = |agent: &OrchestratorAgent| format!("{}_{}", agent.created_at, agent.id);
    let next_cursor = next_cursor(&page.rows, page.more, place);
    Ok(Json(OrchestratorAgentsReply { orchestrator_agents: page.rows, next_cursor }))
}

fn there(agent: Option<OrchestratorAgent>) -> Result<Json<OrchestratorAgent>, ApiError> {
    let missing = ApiError::ResourceNotFound {
        kind: "orchestrator agent",
        name: "of this account".to_owned(),
    };
    agent.map(Json).ok_or(missing)
}
