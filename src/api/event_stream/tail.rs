//! The stream of events as they come: server-sent events. The number of an event is the place to go
//! on from, so that nobody misses any.

use api_types::events::EventTailQuery;
use axum::http::HeaderMap;
use axum::response::Response;
use engine::time::Millis;
use serde_json::json;

use super::{data, filter};
use crate::api::pacing::{self, Look, Source};
use crate::auth::{Authorized, ClientRead};
use crate::db::D1;
use crate::db::events::{self, Filter, PAGE_MAX, Range};
use crate::error::ApiError;
use crate::events::shown;
use crate::extract::Query;
use crate::log::{self, Level};
use crate::openapi::{ClientErrors, EVENTS, QueryErrors, TailErrors};
use crate::request::RequestContext;

/// Events as they come, as server-sent events.
///
/// Each has its number as id and its type as event: what came after `Last-Event-ID`, or after
/// `after`, comes first; without either, what comes from now on. The stream ends after 10 minutes:
/// go on from the last id.
#[utoipa::path(
    get, path = "/api/v1/events/tail", tag = EVENTS,
    params(
        ("Last-Event-ID" = Option<String>, Header, description = "The last event that was \
            received, by its number; goes before the parameter"),
        EventTailQuery,
    ),
    responses(
        (status = 200, description = "The events", content_type = "text/event-stream",
            body = String),
        TailErrors, QueryErrors, ClientErrors,
    ),
    security(("client_key" = []), ("worker_secret" = [], "worker_id" = [])),
)]
#[worker::send]
pub async fn tail_events(
    authorized: Authorized<ClientRead>,
    context: RequestContext,
    headers: HeaderMap,
    Query(query): Query<EventTailQuery>,
) -> Result<Response, ApiError> {
    let EventTailQuery { event_type, topic, subject, after } = query;
    let database = context.database()?;
    let account = authorized.caller.account().to_owned();
    let after = match pacing::last_number(&headers)?.or(after) {
        Some(after) => after,
        None => events::newest(&database, &account).await?,
    };
    let filter = filter(&authorized.caller, event_type, topic, subject);
    let request = context.id().to_owned();
    Ok(pacing::reply(Tail { database, account, filter, after, request }))
}

/// What is still to be sent to one listener.
struct Tail {
    database: D1,
    account: String,
    filter: Filter,
    after: u64,
    request: String,
}

impl Source for Tail {
    const PAUSES: (Millis, Millis) = (Millis::new(250), Millis::from_secs(2));

    async fn look(&mut self) -> Look {
        let range = Range { after: self.after, limit: PAGE_MAX, ..Range::default() };
        let page = events::page(&self.database, &self.account, &self.filter, range).await;
        let rows = match page {
            Ok((rows, _)) => rows,
            Err(error) => return Look::Silent(error.to_string()),
        };
        let Some(last) = rows.last() else { return Look::Nothing };
        self.after = last.id;
        let entries = rows.into_iter().filter_map(shown);
        Look::Frames(entries.map(|it| pacing::frame(it.id, &it.event_type, &data(&it))).collect())
    }

    fn given_up(&self, error: &str) {
        let request = &self.request;
        log::write(
            Level::Warn,
            json!({ "event": "tail.database_silent", "request.id": request, "error": error }),
        );
    }
}
