//! The journal of an execution as server-sent events: history first, then live.

mod feed;
mod shown;

use api_types::EventsQuery;
use axum::http::HeaderMap;
use axum::response::Response;
use engine::ids::Seq;

use super::message::{own_shard, without_journal};
use super::pacing;
use crate::auth::{Authorized, ClientRead};
use crate::driver;
use crate::error::ApiError;
use crate::extract::{ExecutionPath, Query};
use crate::openapi::{CLIENT, ClientErrors, EventErrors};
use crate::request::RequestContext;
use feed::Feed;
pub use shown::told;

/// The events of an execution, as server-sent events.
///
/// What has happened comes first, then what happens, each with the id `<record>.<n>`; after
/// `Last-Event-ID` where that is sent. The stream ends with the event `end` after the execution's
/// end, or without one after 10 minutes: then go on from the last id. An execution that is opened
/// again goes on after its end.
#[utoipa::path(
    get, path = "/pipeline/{id}/events", tag = CLIENT,
    params(
        ("id" = String, Path, description = "The execution's id"),
        ("Last-Event-ID" = Option<String>, Header, description = "The last event that was \
            received; goes before the parameter"),
        EventsQuery,
    ),
    responses(
        (status = 200, description = "The events", content_type = "text/event-stream",
            body = String),
        ClientErrors, EventErrors,
    ),
    security(("client_key" = []), ("worker_secret" = [], "worker_id" = [])),
)]
#[worker::send]
pub async fn events(
    authorized: Authorized<ClientRead>,
    ExecutionPath(id): ExecutionPath,
    context: RequestContext,
    headers: HeaderMap,
    Query(query): Query<EventsQuery>,
) -> Result<Response, ApiError> {
    own_shard(&context, &id)?;
    context.note(|notes| notes.execution = Some(id.clone()));
    let after = last_event(&headers, query.last_event_id.as_deref())?;
    let account = authorized.caller.account();
    let from = after.map_or(Seq(0), |place| Seq(place.seq - 1));
    let Some((standing, records)) = driver::records(&context.site(), &id, from).await? else {
        return Err(without_journal(&context, Some(account), &id).await?);
    };
    if standing.account != account {
        return Err(ApiError::PipelineNotFound);
    }
    let skip = match after {
        Some(place) => place.within(records.first().map(String::as_str))?,
        None => 0,
    };
    Ok(pacing::reply(Feed::new(context.site(), id, (from, skip), standing, records)))
}

/// The place of an event: its record, and its number in it. Both count from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    seq: u64,
    n: usize,
}

impl Place {
    fn parse(text: &str) -> Option<Self> {
        let (seq, n) = text.split_once('.')?;
        let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        let place = Self { seq: seq.parse().ok()?, n: n.parse().ok()? };
        (digits(seq) && digits(n) && place.seq > 0 && place.n > 0).then_some(place)
    }

    /// How many events of its record have been received, where it is one of them.
    fn within(self, record: Option<&str>) -> Result<usize, ApiError> {
        let count = record.map_or(0, |record| shown::count(record).unwrap_or(0));
        if self.n <= count {
            return Ok(self.n);
        }
        let message = format!("{}.{} is the id of no event of this execution", self.seq, self.n);
        Err(ApiError::EventIdInvalid { message })
    }
}

/// The event to go on from: by the header, which browsers send when they come back, else by the
/// parameter.
fn last_event(headers: &HeaderMap, query: Option<&str>) -> Result<Option<Place>, ApiError> {
    let malformed = || ApiError::EventIdInvalid {
        message: "the id of an event reads <record>.<n>, such as 3.1".to_owned(),
    };
    let text = match headers.get("last-event-id") {
        Some(value) => Some(value.to_str().map_err(|_| malformed())?),
        None => query,
    };
    text.map(|text| Place::parse(text.trim()).ok_or_else(malformed)).transpose()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(text: &'static str) -> Result<Option<Place>, &'static str> {
        let headers =
            HeaderMap::from_iter([("last-event-id".parse().unwrap(), text.parse().unwrap())]);
        last_event(&headers, None).map_err(|error| error.code().as_str())
    }

    #[test]
    fn an_id_names_a_record_and_an_event_in_it() {
        assert_eq!(code("3.2"), Ok(Some(Place { seq: 3, n: 2 })));
        for bad in [
            "",
            "3",
            "3.",
            ".2",
            "0.1",
            "1.0",
            "-1.1",
            "+1.1",
            "1.1.1",
            "a.b",
            "1.99999999999999999999",
        ] {
            assert_eq!(code(bad), Err("event_id.invalid"), "{bad}");
        }
        let none = HeaderMap::new();
        assert_eq!(last_event(&none, None).unwrap(), None);
        assert_eq!(last_event(&none, Some("1.1")).unwrap(), Some(Place { seq: 1, n: 1 }));
        assert!(last_event(&none, Some("soon")).is_err());
        let headers =
            HeaderMap::from_iter([("last-event-id".parse().unwrap(), "2.1".parse().unwrap())]);
        let found = last_event(&headers, Some("1.1")).unwrap();
        assert_eq!(found, Some(Place { seq: 2, n: 1 }), "the header goes first");
    }

    #[test]
    fn an_id_that_was_never_given_is_refused() {
        let record = r#"[{"type":"a","at":1},{"type":"b","at":2}]"#;
        assert_eq!(Place { seq: 1, n: 2 }.within(Some(record)).unwrap(), 2);
        assert!(Place { seq: 1, n: 3 }.within(Some(record)).is_err());
        assert!(Place { seq: 9, n: 1 }.within(None).is_err());
    }
}
