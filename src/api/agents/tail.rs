//! What agents log, as it arrives: server-sent events. The database is asked again while somebody
//! listens; the number of an entry is the place to go on from, so that nobody misses any.

use std::convert::Infallible;
use std::time::Duration;

use api_types::agents::TailQuery;
use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::Response;
use engine::time::{Millis, Timestamp};
use futures::stream::{Stream, unfold};
use serde_json::json;
use worker::Delay;
use worker::send::SendFuture;

use crate::auth::{Authorized, ClientRead};
use crate::clock::now;
use crate::db::agents::logs;
use crate::db::{D1, DbError};
use crate::error::ApiError;
use crate::extract::Query;
use crate::log::{self, Level};
use crate::openapi::{AGENTS, ClientErrors, QueryErrors, TailErrors};
use crate::request::RequestContext;

/// The longest that a connection lives, and how often a quiet one shows that it does.
const LIFE: Millis = Millis::from_secs(600);
const HEARTBEAT: Millis = Millis::from_secs(15);
/// The first and the longest pause between two looks at the database.
const LOOK_AGAIN_MIN: Millis = Millis::new(250);
const LOOK_AGAIN_MAX: Millis = Millis::from_secs(2);
/// How many entries one look brings at most.
const ENTRIES_AT_ONCE: u32 = 200;
/// How often in a row the database may give no answer.
const FAILURES_MAX: u32 = 5;
/// When a client comes back whose connection ended.
const COME_BACK: Millis = Millis::from_secs(2);

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
    let after = match last_event(&headers)?.or(query.after) {
        Some(after) => after,
        None => logs::newest(&database, &account).await?,
    };
    let tail = Tail {
        database,
        account,
        agent: query.agent_id,
        after,
        request: context.id().to_owned(),
        pause: LOOK_AGAIN_MIN,
        heartbeat_at: now().plus(HEARTBEAT),
        closes_at: now().plus(LIFE),
        failures: 0,
        opened: false,
    };
    let mut response = Response::new(Body::from_stream(tail.stream()));
    let kind = HeaderValue::from_static("text/event-stream; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    Ok(response)
}

fn last_event(headers: &HeaderMap) -> Result<Option<u64>, ApiError> {
    let Some(value) = headers.get("last-event-id") else { return Ok(None) };
    let number = value.to_str().ok().and_then(|text| text.trim().parse().ok());
    let fits = |number: &u64| *number < 1 << 53;
    let message = "the id of an entry is its seq, a whole number".to_owned();
    number.filter(fits).map(Some).ok_or(ApiError::EventIdInvalid { message })
}

/// What is still to be sent to one listener.
struct Tail {
    database: D1,
    account: String,
    agent: Option<String>,
    after: u64,
    request: String,
    pause: Millis,
    heartbeat_at: Timestamp,
    closes_at: Timestamp,
    failures: u32,
    opened: bool,
}

impl Tail {
    fn stream(self) -> impl Stream<Item = Result<Bytes, Infallible>> + Send + 'static {
        unfold(self, |mut tail| {
            SendFuture::new(async move {
                let piece = tail.next().await?;
                Some((Ok(Bytes::from(piece)), tail))
            })
        })
    }

    async fn next(&mut self) -> Option<String> {
        if !self.opened {
            self.opened = true;
            return Some(format!("retry: {}\n\n", COME_BACK.get()));
        }
        loop {
            if now() >= self.closes_at {
                return None;
            }
            match self.look().await {
                Ok(frames) if !frames.is_empty() => {
                    self.heartbeat_at = now().plus(HEARTBEAT);
                    return Some(frames);
                }
                Ok(_) => {}
                Err(error) if self.failures >= FAILURES_MAX => {
                    let error = error.to_string();
                    log::write(
                        Level::Warn,
                        json!({
                            "event": "tail.database_silent", "request.id": self.request,
                            "error": error,
                        }),
                    );
                    return None;
                }
                Err(_) => self.failures += 1,
            }
            if now() >= self.heartbeat_at {
                self.heartbeat_at = now().plus(HEARTBEAT);
                return Some(": heartbeat\n\n".to_owned());
            }
            let left = self.heartbeat_at.since(now());
            Delay::from(Duration::from_millis(self.pause.min(left).get())).await;
        }
    }

    async fn look(&mut self) -> Result<String, DbError> {
        let (agent, after) = (self.agent.as_deref(), self.after);
        let found =
            logs::arrived(&self.database, &self.account, agent, after, ENTRIES_AT_ONCE).await?;
        self.failures = 0;
        self.pause = match found.is_empty() {
            true => Millis::new(self.pause.get() * 2).min(LOOK_AGAIN_MAX),
            false => LOOK_AGAIN_MIN,
        };
        self.after = found.last().map_or(after, |entry| entry.seq);
        let frame = |entry| {
            let data = serde_json::to_string(entry).expect("an entry is made of JSON values");
            format!("event: agent_log\ndata: {data}\n\n")
        };
        Ok(found.iter().map(|entry| format!("id: {}\n{}", entry.seq, frame(entry))).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_place_to_go_on_from_is_a_number() {
        let at = |text: &'static str| {
            let value = HeaderValue::from_static(text);
            last_event(&HeaderMap::from_iter([("last-event-id".parse().unwrap(), value)]))
        };
        assert_eq!(at("17").unwrap(), Some(17));
        assert_eq!(last_event(&HeaderMap::new()).unwrap(), None);
        for bad in ["", "-1", "3.1", "x", "99999999999999999999", "9007199254740993"] {
            assert_eq!(at(bad).unwrap_err().code().as_str(), "event_id.invalid", "{bad}");
        }
    }
}
