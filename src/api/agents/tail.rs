//! What agents log, as it arrives: server-sent events. The database is asked again while somebody
//! listens; the number of an entry is the place to go on from, so that nobody misses any.

use api_types::agents::{AgentLog, TailQuery};
use axum::http::HeaderMap;
use axum::response::Response;
use engine::time::Millis;
use serde_json::json;

use crate::api::pacing::{self, Look, Source};
use crate::auth::{Authorized, ClientRead};
use crate::db::D1;
use crate::db::agents::logs;
use crate::error::ApiError;
use crate::extract::Query;
use crate::log::{self, Level};
use crate::openapi::{AGENTS, ClientErrors, QueryErrors, TailErrors};
use crate::request::RequestContext;

/// How many entries one look brings at most.
const ENTRIES_AT_ONCE: u32 = 200;

/// Log entries of agents as they arrive, as server-sent events.
///
/// Each has its `seq` as id: what arrived after `Last-Event-ID`, or after `after`, comes first;
/// without either, what arrives from now on. The stream ends after 10 minutes: go on from the last
/// id.
#[utoipa::path(
    get, path = "/api/v1/agent-logs/tail", tag = AGENTS,
    params(
        ("Last-Event-ID" = Option<String>, Header, description = "The last entry that was \
            received, by its seq; goes before the parameter"),
        TailQuery,
    ),
    responses(
        (status = 200, description = "The entries", content_type = "text/event-stream",
            body = String),
        TailErrors, QueryErrors, ClientErrors,
    ),
    security(("client_key" = []), ("worker_secret" = [], "worker_id" = [])),
)]
#[worker::send]
pub async fn tail_agent_logs(
    authorized: Authorized<ClientRead>,
    context: RequestContext,
    headers: HeaderMap,
    Query(query): Query<TailQuery>,
) -> Result<Response, ApiError> {
    let database = context.database()?;
    let account = authorized.caller.account().to_owned();
    let after = match pacing::last_number(&headers)?.or(query.after) {
        Some(after) => after,
        None => logs::newest(&database, &account).await?,
    };
    let request = context.id().to_owned();
    Ok(pacing::reply(Tail { database, account, agent: query.agent_id, after, request }))
}

/// What is still to be sent to one listener.
struct Tail {
    database: D1,
    account: String,
    agent: Option<String>,
    after: u64,
    request: String,
}

impl Source for Tail {
    const PAUSES: (Millis, Millis) = (Millis::new(250), Millis::from_secs(2));

    async fn look(&mut self) -> Look {
        let (agent, after) = (self.agent.as_deref(), self.after);
        let found =
            logs::arrived(&self.database, &self.account, agent, after, ENTRIES_AT_ONCE).await;
        let found = match found {
            Ok(found) => found,
            Err(error) => return Look::Silent(error.to_string()),
        };
        let Some(last) = found.last() else { return Look::Nothing };
        self.after = last.seq;
        let frame = |entry: &AgentLog| {
            let data = serde_json::to_string(entry).expect("an entry is made of JSON values");
            pacing::frame(entry.seq, "agent_log", &data)
        };
        Look::Frames(found.iter().map(frame).collect())
    }

    fn given_up(&self, error: &str) {
        let request = &self.request;
        log::write(
            Level::Warn,
            json!({ "event": "tail.database_silent", "request.id": request, "error": error }),
        );
    }
}
