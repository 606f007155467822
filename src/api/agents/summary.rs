//! Agents at a glance.

use api_types::agents::{AgentSummary, OrchestratorSummary};
use axum::Json;
use engine::time::{Millis, Timestamp};

use super::record::found;
use crate::auth::{Authorized, ClientRead};
use crate::clock::now;
use crate::db::agents::summary::{self, Since};
use crate::db::iso;
use crate::error::ApiError;
use crate::extract::ResourcePath;
use crate::openapi::{AGENTS, ClientErrors, NotFoundErrors};
use crate::request::RequestContext;

/// What counts as of late, and how far back usage is shown.
const LATE: Millis = Millis::from_secs(24 * 3600);
const USAGE: Millis = Millis::from_secs(30 * 24 * 3600);

/// One agent at a glance: activity, usage by day and model, its last entries.
#[utoipa::path(
    get, path = "/api/v1/agents/{id}/summary", tag = AGENTS,
    params(("id" = String, Path, description = "The agent's id")),
    responses(
        (status = 200, description = "The summary", body = AgentSummary),
        NotFoundErrors, ClientErrors,
    ),
    security(("client_key" = []), ("worker_secret" = [], "worker_id" = [])),
)]
#[worker::send]
pub async fn agent_summary(
    authorized: Authorized<ClientRead>,
    context: RequestContext,
    ResourcePath(id): ResourcePath,
) -> Result<Json<AgentSummary>, ApiError> {
    let account = authorized.caller.account();
    let summary = summary::of_agent(&context.database()?, account, &id, &since(now())).await?;
    found("agent", id, summary)
}

/// All agents of the account at a glance: activity, usage by day and model, last entries and
/// errors, and which agents are blocked.
#[utoipa::path(
    get, path = "/api/v1/orchestrator/summary", tag = AGENTS,
    responses(
        (status = 200, description = "The summary", body = OrchestratorSummary),
        ClientErrors,
    ),
    security(("client_key" = []), ("worker_secret" = [], "worker_id" = [])),
)]
#[worker::send]
pub async fn orchestrator_summary(
    authorized: Authorized<ClientRead>,
    context: RequestContext,
) -> Result<Json<OrchestratorSummary>, ApiError> {
    let account = authorized.caller.account();
    summary::of_account(&context.database()?, account, &since(now()))
        .await
        .map(Json)
        .map_err(Into::into)
}

fn since(now: Timestamp) -> Since {
    let before = |span: Millis| {
        iso(Timestamp::from_millis(now.as_millis().saturating_sub_unsigned(span.get())))
    };
    let mut day = before(USAGE);
    day.truncate("2026-11-21".len());
    Since { moment: before(LATE), day }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn late_is_a_day_and_usage_goes_back_thirty() {
        let since = since(Timestamp::from_millis(1_795_255_200_000));
        assert_eq!(since.moment, "2026-11-20T10:00:00.000Z");
        assert_eq!(since.day, "2026-10-22");
    }
}
