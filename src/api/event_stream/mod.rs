//! The stream of everything that happens to an account: told by clients, listed, and followed. Who
//! administers sees what was administered; everybody sees their account alone.

pub mod tail;

use api_types::events::{
    EventEntry, EventListQuery, EventOrder, EventTopic, EventsReply, NewEvent,
};
use axum::Json;
use axum::http::{HeaderMap, StatusCode};
use engine::plan::Violation;
use serde_json::{Value, json};
use uuid::Uuid;

use super::message::{check_nesting, violation};
use super::preference::idempotency_key;
use super::query::{label, moment, report};
use crate::auth::{Act, Authorized, Caller, ClientRead, Scope};
use crate::db::events::{self, Filter, Range, Told};
use crate::db::{Database, DbError};
use crate::error::ApiError;
use crate::events::shown;
use crate::extract::{LargeDocument, Query, ResourcePath};
use crate::openapi::{ClientErrors, EVENTS, NotFoundErrors, QueryErrors, TellErrors};
use crate::request::RequestContext;

const PAGE_DEFAULT: u32 = 50;
/// The most bytes of an event that a client tells.
const EVENT_BYTES_MAX: usize = 64 * 1024;
/// First words of the orchestrator's own events, and of topics.
const RESERVED: [&str; 13] = [
    "execution",
    "executions",
    "job",
    "jobs",
    "task",
    "tasks",
    "worker",
    "workers",
    "alert",
    "alerts",
    "administration",
    "event",
    "events",
];

/// Tells an event of your own.
///
/// Told again under the same `event_id`, or `Idempotency-Key`, it is there once; another event
/// under that id is refused. The body has at most 64 KiB. Events are kept for 30 days.
#[utoipa::path(
    post, path = "/api/v1/events", tag = EVENTS,
    request_body = NewEvent,
    params(
        ("Idempotency-Key" = Option<String>, Header, description = "Stands for `event_id`, where \
            the body has none: 1 to 255 visible ASCII characters",
            nullable = false, pattern = "^[!-~]{1,255}$"),
    ),
    responses(
        (status = 201, description = "It stands in the stream", body = EventEntry),
        (status = 200, description = "It was told before", body = EventEntry),
        TellErrors, ClientErrors,
    ),
    security(("client_key" = []), ("worker_secret" = [], "worker_id" = [])),
)]
#[worker::send]
pub async fn append_event(
    authorized: Authorized<Act>,
    context: RequestContext,
    headers: HeaderMap,
    LargeDocument(body): LargeDocument<NewEvent, EVENT_BYTES_MAX>,
) -> Result<(StatusCode, Json<EventEntry>), ApiError> {
    let key = idempotency_key(&headers)?;
    let NewEvent { event_type, subject, payload, event_id } = body;
    if let Some(word) = reserved(&event_type) {
        let message = format!("begins with `{word}`, which stands for the orchestrator's own");
        return Err(violation("/type", "reserved", message));
    }
    let payload = payload.unwrap_or_else(|| json!({}));
    check_nesting(&payload, "/payload")?;
    if let (Some(id), Some(key)) = (&event_id, &key)
        && id != key
    {
        return Err(violation("/event_id", "conflict", "is not what Idempotency-Key says"));
    }
    let fresh = Uuid::now_v7().to_string();
    let event_id = event_id.or(key).unwrap_or(fresh);
    let actor = authorized.caller.name();
    let told = Told {
        account: authorized.caller.account(),
        event_type: &event_type,
        subject: subject.as_deref(),
        actor: &actor,
        payload: &payload,
        event_id: &event_id,
    };
    let (event, new) = events::add(&context.database()?, told).await?;
    if (&event.event_type, &event.subject, &event.payload) != (&event_type, &subject, &payload) {
        return Err(ApiError::IdempotencyMismatch);
    }
    let status = if new { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, Json(entry(event)?)))
}

/// Events, newest first.
///
/// Those of administration are shown to administrators alone.
#[utoipa::path(
    get, path = "/api/v1/events", tag = EVENTS,
    params(EventListQuery),
    responses(
        (status = 200, description = "A page", body = EventsReply),
        QueryErrors, ClientErrors,
    ),
    security(("client_key" = []), ("worker_secret" = [], "worker_id" = [])),
)]
#[worker::send]
pub async fn list_events(
    authorized: Authorized<ClientRead>,
    context: RequestContext,
    Query(query): Query<EventListQuery>,
) -> Result<Json<EventsReply>, ApiError> {
    let EventListQuery { event_type, topic, subject, from, to, order, limit, cursor } = query;
    let mut violations = Vec::new();
    let from = moment("/from", from, &mut violations);
    let to = moment("/to", to, &mut violations);
    let cursor = cursor.and_then(|text| place(&text, &mut violations));
    if !violations.is_empty() {
        return Err(ApiError::QueryInvalid(violations));
    }
    let database = context.database()?;
    let newest_first = order.unwrap_or_default() == EventOrder::Desc;
    let bounds = bounds(&database, from, to).await?;
    let (after, before) = match (cursor, newest_first) {
        (Some(place), true) => (bounds.0, bounds.1.min(place)),
        (Some(place), false) => (bounds.0.max(place), bounds.1),
        (None, _) => bounds,
    };
    let limit = limit.unwrap_or(PAGE_DEFAULT);
    let range = Range { after, before, newest_first, limit };
    let filter = filter(&authorized.caller, event_type, topic, subject);
    let account = authorized.caller.account();
    let (rows, more) = events::page(&database, account, &filter, range).await?;
    let next_cursor = rows.last().filter(|_| more).map(|row| row.id.to_string());
    Ok(Json(EventsReply { events: rows.into_iter().filter_map(shown).collect(), next_cursor }))
}

/// One event.
#[utoipa::path(
    get, path = "/api/v1/events/{id}", tag = EVENTS,
    params(("id" = String, Path, description = "Its id: a number")),
    responses(
        (status = 200, description = "The event", body = EventEntry),
        NotFoundErrors, ClientErrors,
    ),
    security(("client_key" = []), ("worker_secret" = [], "worker_id" = [])),
)]
#[worker::send]
pub async fn show_event(
    authorized: Authorized<ClientRead>,
    context: RequestContext,
    ResourcePath(id): ResourcePath,
) -> Result<Json<EventEntry>, ApiError> {
    let unknown = || ApiError::ResourceNotFound { kind: "event", name: id.clone() };
    let number = id.parse::<u64>().ok().filter(|number| (1..1 << 53).contains(number));
    let number = number.ok_or_else(unknown)?;
    let range = Range { after: number - 1, before: number + 1, newest_first: false, limit: 1 };
    let filter = filter(&authorized.caller, None, None, None);
    let account = authorized.caller.account();
    let (rows, _) = events::page(&context.database()?, account, &filter, range).await?;
    rows.into_iter().find_map(shown).map(Json).ok_or_else(unknown)
}

/// What of the stream the caller asks for and may see.
fn filter(
    caller: &Caller,
    event_type: Option<String>,
    topic: Option<EventTopic>,
    subject: Option<String>,
) -> Filter {
    let administration = caller.scopes().contains(Scope::Admin);
    Filter { topic: topic.and_then(label), event_type, subject, administration }
}

/// The numbers between which the events of a period lie.
async fn bounds(
    db: &impl Database,
    from: Option<engine::time::Timestamp>,
    to: Option<engine::time::Timestamp>,
) -> Result<(u64, u64), DbError> {
    let whole = Range::default();
    let after = match from {
        Some(moment) => events::first_from(db, moment).await?.saturating_sub(1),
        None => whole.after,
    };
    let before = match to {
        Some(moment) => {
            let next = engine::time::Millis::new(1);
            events::first_from(db, moment.plus(next)).await?
        }
        None => whole.before,
    };
    Ok((after, before))
}

fn place(text: &str, violations: &mut Vec<Violation>) -> Option<u64> {
    let place = text.parse().ok().filter(|place: &u64| *place < 1 << 53);
    if place.is_none() {
        let message = "is not a next_cursor of an earlier page";
        report(violations, "/cursor", "cursor", message);
    }
    place
}

/// The first word of a type, where it stands for the orchestrator's own events.
fn reserved(event_type: &str) -> Option<&str> {
    let word = event_type.split('.').next().unwrap_or_default();
    RESERVED.contains(&word).then_some(word)
}

fn entry(event: events::Event) -> Result<EventEntry, ApiError> {
    let id = event.id;
    shown(event).ok_or_else(|| ApiError::Internal { cause: format!("the topic of event {id}") })
}

/// What of an event goes out as a frame.
fn data(entry: &EventEntry) -> String {
    let value: Value = json!(entry);
    value.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_for_the_orchestrators_own_is_reserved() {
        for word in ["job.created", "execution", "administration.x", "events.y"] {
            assert!(reserved(word).is_some(), "{word}");
        }
        for word in ["deploy.job", "jobber.done", "execution_x", "my.execution.done"] {
            assert!(reserved(word).is_none(), "{word}");
        }
    }

    #[test]
    fn a_cursor_is_a_number() {
        let mut violations = Vec::new();
        assert_eq!(place("17", &mut violations), Some(17));
        assert!(violations.is_empty());
        for bad in ["", "-1", "x", "9007199254740992"] {
            assert_eq!(place(bad, &mut violations), None, "{bad}");
        }
        assert_eq!(violations.len(), 4);
    }
}
