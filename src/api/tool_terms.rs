//! What calls of a tool cost and take.

use api_types::{ToolBreaker, ToolTerms, ToolTermsRequest};
use axum::Json;
use serde_json::json;

use crate::audit::{self, Change};
use crate::auth::{Administer, Authorized, ClientRead};
use crate::db::tool_calls::{self, Terms, TermsOf};
use crate::error::ApiError;
use crate::extract::{JsonDocument, ResourcePath};
use crate::openapi::{AdminErrors, ClientErrors, NotFoundErrors, RegistryBodyErrors, TOOLS};
use crate::request::RequestContext;

/// What calls of a tool cost and take.
#[utoipa::path(
    get, path = "/tools/{tool_id}/terms", tag = TOOLS,
    params(("tool_id" = String, Path, description = "The tool's id", max_length = 64)),
    responses(
        (status = 200, description = "What was said last", body = ToolTerms),
        NotFoundErrors, ClientErrors,
    ),
    security(("client_key" = []), ("worker_secret" = [], "worker_id" = [])),
)]
#[worker::send]
pub async fn show_tool_terms(
    authorized: Authorized<ClientRead>,
    ResourcePath(id): ResourcePath,
    context: RequestContext,
) -> Result<Json<ToolTerms>, ApiError> {
    let found = tool_calls::terms(&context.database()?, authorized.caller.account(), &id).await?;
    found.map(|terms| Json(shown(terms))).ok_or_else(|| missing(&id))
}

/// Says what calls of a tool cost and take, in place of what was said before.
///
/// Pipelines that start from now on go by it; those that have started keep theirs.
#[utoipa::path(
    put, path = "/tools/{tool_id}/terms", tag = TOOLS,
    params(("tool_id" = String, Path, description = "The tool's id", max_length = 64)),
    request_body = ToolTermsRequest,
    responses(
        (status = 200, description = "As it stands now", body = ToolTerms),
        RegistryBodyErrors, NotFoundErrors, AdminErrors,
    ),
    security(("worker_secret" = [], "worker_id" = []), ("client_key" = [])),
)]
#[worker::send]
pub async fn set_tool_terms(
    authorized: Authorized<Administer>,
    ResourcePath(id): ResourcePath,
    context: RequestContext,
    document: JsonDocument<ToolTermsRequest>,
) -> Result<Json<ToolTerms>, ApiError> {
    let terms = terms_of(document.typed()?);
    let account = authorized.caller.account();
    let database = context.database()?;
    let before = tool_calls::terms(&database, account, &id).await?.ok_or_else(|| missing(&id))?;
    let change = Change {
        change: "tool.terms_set",
        subject_type: "tool",
        subject: &id,
        account: Some(account),
        before: before.updated_at.is_some().then(|| json!(shown(before.clone()))),
        after: Some(json!({
            "estimated_cost_usd": terms.estimated_cost_usd,
            "avg_response_time_ms": terms.avg_response_time_ms,
            "timeout_ms": terms.timeout_ms,
            "max_retries": terms.max_retries,
            "max_concurrency": terms.max_concurrency,
            "max_per_minute": terms.max_per_minute,
            "breaker": terms.breaker,
        })),
    };
    let logged = audit::entry(&context, &authorized.caller, change);
    let found = tool_calls::set_terms(&database, account, &id, &terms, logged).await?;
    found.map(|terms| Json(shown(terms))).ok_or_else(|| missing(&id))
}

fn missing(id: &str) -> ApiError {
    ApiError::ResourceNotFound { kind: "tool", name: id.to_owned() }
}

fn terms_of(request: ToolTermsRequest) -> Terms {
    let ToolTermsRequest {
        estimated_cost_usd,
        avg_response_time_ms,
        timeout_ms,
        max_retries,
        max_concurrency,
        max_per_minute,
        breaker,
    } = request;
    Terms {
        estimated_cost_usd: Some(estimated_cost_usd),
        avg_response_time_ms,
        timeout_ms,
        max_retries: max_retries.map(Into::into),
        max_concurrency,
        max_per_minute,
        breaker: breaker.map(|breaker| json!(breaker)),
    }
}

fn shown(found: TermsOf) -> ToolTerms {
    let TermsOf { tool_id, terms, updated_at } = found;
    let Terms {
        estimated_cost_usd,
        avg_response_time_ms,
        timeout_ms,
        max_retries,
        max_concurrency,
        max_per_minute,
        breaker,
    } = terms;
    // Rows that were written by hand may hold what no request can.
    let breaker = breaker.and_then(|breaker| serde_json::from_value::<ToolBreaker>(breaker).ok());
    ToolTerms {
        tool_id,
        estimated_cost_usd,
        avg_response_time_ms,
        timeout_ms,
        max_retries: max_retries.and_then(|retries| u32::try_from(retries).ok()),
        max_concurrency,
        max_per_minute,
        breaker,
        updated_at,
    }
}
