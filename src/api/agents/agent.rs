//! Agents: made, read, changed, put away; and what they report of what they used.

use api_types::agents::{
    Agent, AgentPatch, AgentQuery, AgentsReply, NewAgent, UsageReply, UsageReport,
};
use axum::Json;
use axum::http::{HeaderName, StatusCode, header};
use uuid::Uuid;

use super::record::found;
use super::{Asked, next_cursor};
use crate::api::query::label;
use crate::auth::{Administer, Authorized, ClientRead};
use crate::clock::now;
use crate::db::agents::agent::{self, Filter, Patched};
use crate::db::agents::usage::{self, Report, Reported};
use crate::db::iso;
use crate::error::ApiError;
use crate::extract::{JsonDocument, Query, ResourcePath};
use crate::openapi::{
    AGENTS, AdminErrors, BodyErrors, ClientErrors, ConflictErrors, NotFoundErrors, QueryErrors,
};
use crate::request::RequestContext;

const KIND: &str = "agent";

/// The account's agents, newest first.
#[utoipa::path(
    get, path = "/api/v1/agents", tag = AGENTS,
    params(AgentQuery),
    responses(
        (status = 200, description = "A page of agents", body = AgentsReply),
        QueryErrors, ClientErrors,
    ),
    security(("client_key" = []), ("worker_secret" = [], "worker_id" = [])),
)]
#[worker::send]
pub async fn list_agents(
    authorized: Authorized<ClientRead>,
    context: RequestContext,
    Query(query): Query<AgentQuery>,
) -> Result<Json<AgentsReply>, ApiError> {
    let AgentQuery { status, model, session_id, adw_id, git_worktree, name, archived, .. } = query;
    let range = Asked { from: None, to: None, cursor: query.cursor, limit: query.limit }.range()?;
    let status = status.and_then(label);
    let filter = Filter { git_worktree, adw_id, session_id, model, status, archived, name };
    let account = authorized.caller.account();
    let page = agent::page(&context.database()?, account, &filter, &range).await?;
    let place = |agent: &Agent| format!("{}_{}", agent.created_at, agent.id);
    let next_cursor = next_cursor(&page.rows, page.more, place);
    Ok(Json(AgentsReply { agents: page.rows, next_cursor }))
}

/// Makes an agent. Its counters begin at nothing.
#[utoipa::path(
    post, path = "/api/v1/agents", tag = AGENTS,
    request_body = NewAgent,
    responses(
        (status = 201, description = "The agent", body = Agent,
            headers(("Location" = String, description = "Where it is"))),
        BodyErrors, ConflictErrors, AdminErrors,
    ),
    security(("worker_secret" = [], "worker_id" = []), ("client_key" = [])),
)]
#[worker::send]
pub async fn create_agent(
    authorized: Authorized<Administer>,
    context: RequestContext,
    document: JsonDocument<NewAgent>,
) -> Result<(StatusCode, [(HeaderName, String); 1], Json<Agent>), ApiError> {
    let value = document.value.clone();
    let NewAgent { name, .. } = document.typed()?;
    let id = Uuid::now_v7().to_string();
    let account = authorized.caller.account();
    let agent = agent::add(&context.database()?, account, &id, &value).await?;
    let agent = agent.ok_or(ApiError::ResourceExists { kind: KIND, name })?;
    let place = format!("/api/v1/agents/{}", agent.id);
    Ok((StatusCode::CREATED, [(header::LOCATION, place)], Json(agent)))
}

/// One agent, with its counters.
#[utoipa::path(
    get, path = "/api/v1/agents/{id}", tag = AGENTS,
    params(("id" = String, Path, description = "The agent's id")),
    responses(
        (status = 200, description = "The agent", body = Agent),
        NotFoundErrors, ClientErrors,
    ),
    security(("client_key" = []), ("worker_secret" = [], "worker_id" = [])),
)]
#[worker::send]
pub async fn show_agent(
    authorized: Authorized<ClientRead>,
    context: RequestContext,
    ResourcePath(id): ResourcePath,
) -> Result<Json<Agent>, ApiError> {
    let account = authorized.caller.account();
    let agent = agent::find(&context.database()?, account, &id).await?;
    found(KIND, id, agent)
}

/// Changes an agent: a merge patch. `archived` puts it away, or back.
#[utoipa::path(
    patch, path = "/api/v1/agents/{id}", tag = AGENTS,
    params(("id" = String, Path, description = "The agent's id")),
    request_body = AgentPatch,
    responses(
        (status = 200, description = "The agent as it is now", body = Agent),
        BodyErrors, NotFoundErrors, ConflictErrors, AdminErrors,
    ),
    security(("worker_secret" = [], "worker_id" = []), ("client_key" = [])),
)]
#[worker::send]
pub async fn update_agent(
    authorized: Authorized<Administer>,
    context: RequestContext,
    ResourcePath(id): ResourcePath,
    document: JsonDocument<AgentPatch>,
) -> Result<Json<Agent>, ApiError> {
    let value = document.value.clone();
    let AgentPatch { name, .. } = document.typed()?;
    let account = authorized.caller.account();
    match agent::patch(&context.database()?, account, &id, &value).await? {
        Patched::Done(agent) => Ok(Json(*agent)),
        Patched::Missing => Err(ApiError::ResourceNotFound { kind: KIND, name: id }),
        Patched::NameTaken => {
            Err(ApiError::ResourceExists { kind: KIND, name: name.unwrap_or(id) })
        }
    }
}

/// Takes an agent away. What it recorded stays readable under its id.
#[utoipa::path(
    delete, path = "/api/v1/agents/{id}", tag = AGENTS,
    params(("id" = String, Path, description = "The agent's id")),
    responses((status = 204, description = "It is gone"), NotFoundErrors, AdminErrors),
    security(("worker_secret" = [], "worker_id" = []), ("client_key" = [])),
)]
#[worker::send]
pub async fn delete_agent(
    authorized: Authorized<Administer>,
    context: RequestContext,
    ResourcePath(id): ResourcePath,
) -> Result<StatusCode, ApiError> {
    let account = authorized.caller.account();
    match agent::remove(&context.database()?, account, &id).await? {
        true => Ok(StatusCode::NO_CONTENT),
        false => Err(ApiError::ResourceNotFound { kind: KIND, name: id }),
    }
}

/// Counts what an agent has used: for it, and for the orchestrator agent, together.
///
/// Sent again under the same `report_id` it counts once; with other figures it is refused.
#[utoipa::path(
    post, path = "/api/v1/agents/{id}/usage", tag = AGENTS,
    params(("id" = String, Path, description = "The agent's id")),
    request_body = UsageReport,
    responses(
        (status = 200, description = "The agent's counters as they are now", body = UsageReply),
        BodyErrors, NotFoundErrors, ConflictErrors, AdminErrors,
    ),
    security(("worker_secret" = [], "worker_id" = []), ("client_key" = [])),
)]
#[worker::send]
pub async fn report_usage(
    authorized: Authorized<Administer>,
    context: RequestContext,
    ResourcePath(id): ResourcePath,
    document: JsonDocument<UsageReport>,
) -> Result<Json<UsageReply>, ApiError> {
    let UsageReport { report_id, input_tokens, output_tokens, cost_micro_usd, model } =
        document.typed()?;
    let report = Report {
        id: report_id.clone(),
        agent: id.clone(),
        model,
        input_tokens,
        output_tokens,
        cost_micro_usd,
        at: iso(now()),
    };
    let account = authorized.caller.account();
    let lead = Uuid::now_v7().to_string();
    match usage::report(&context.database()?, account, &lead, &report).await? {
        Reported::AgentMissing => Err(ApiError::ResourceNotFound { kind: KIND, name: id }),
        Reported::Another => Err(ApiError::IdempotencyMismatch),
        Reported::Counted { agent, duplicate } => Ok(Json(UsageReply {
            report_id,
            duplicate,
            agent_id: agent.id,
            input_tokens: agent.input_tokens,
            output_tokens: agent.output_tokens,
            total_cost: agent.total_cost,
            total_cost_micro_usd: agent.total_cost_micro_usd,
        })),
    }
}
