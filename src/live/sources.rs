//! Reads what happened after a place: rows of D1, records of journals. It must not know who
//! listens.

use api_types::agents::AgentLog;
use engine::ids::{ExecutionId, Seq};
use engine::shard::Phase;
use serde_json::{Value, json};

use super::limits::ROWS_AT_ONCE;
use super::place::Place;
use super::topic::{Facts, Item};
use crate::api::events::told;
use crate::api::message::{own_shard, without_journal};
use crate::db::agents::logs;
use crate::db::events::{self, Event};
use crate::driver;
use crate::error::ApiError;
use crate::request::RequestContext;

/// What a journal has after a place.
#[derive(Debug)]
pub struct Told {
    /// It, from the beginning of a record on.
    pub items: Vec<Item>,
    /// The place of the last event of all.
    pub end: Place,
    /// Whether the execution needs a driver, waits, or has ended.
    pub phase: Phase,
}

/// The place of the account's newest event.
pub async fn newest_event(context: &RequestContext, account: &str) -> Result<Place, ApiError> {
    Ok(Place(events::newest(&context.database()?, account).await?, 0))
}

/// The place of the account's newest log entry.
pub async fn newest_log(context: &RequestContext, account: &str) -> Result<Place, ApiError> {
    Ok(Place(logs::newest(&context.database()?, account).await?, 0))
}

/// What happened to an account after a place.
pub async fn events_after(
    context: &RequestContext,
    account: &str,
    after: Place,
) -> Result<Vec<Item>, ApiError> {
    let rows = events::after(&context.database()?, account, after.0, ROWS_AT_ONCE).await?;
    Ok(rows.into_iter().map(event).collect())
}

/// What an account's agents logged after a place.
pub async fn logs_after(
    context: &RequestContext,
    account: &str,
    after: Place,
) -> Result<Vec<Item>, ApiError> {
    let database = context.database()?;
    let rows = logs::arrived(&database, account, None, after.0, ROWS_AT_ONCE).await?;
    Ok(rows.into_iter().map(entry).collect())
}

/// What the journal of an execution has from the record of a place on; an error where the account
/// has no such execution, or its journal is gone.
pub async fn journal_from(
    context: &RequestContext,
    account: &str,
    id: &ExecutionId,
    from: Place,
) -> Result<Told, ApiError> {
    own_shard(context, id)?;
    let after = Seq(from.0.saturating_sub(1));
    let Some((standing, records)) = driver::records(&context.site(), id, after).await? else {
        return Err(without_journal(context, Some(account), id).await?);
    };
    if standing.account != account {
        return Err(ApiError::PipelineNotFound);
    }
    let mut items = Vec::new();
    for (seq, record) in (after.0 + 1..).zip(&records) {
        let told = told(record).map_err(|error| ApiError::Internal { cause: error.to_string() })?;
        for (n, event) in (1..).zip(told) {
            let body = Value::Object(event).to_string();
            items.push(Item { place: Place(seq, n), facts: Facts::Journal, body });
        }
    }
    let end = items.last().map_or(Place(standing.seq.0, 0), |item| item.place);
    Ok(Told { items, end, phase: standing.phase })
}

fn event(row: Event) -> Item {
    let Event { id, topic, event_type, subject, actor, payload, event_id, created_at } = row;
    let body = json!({
        "id": id, "topic": topic, "type": event_type, "subject": subject, "actor": actor,
        "payload": payload, "event_id": event_id, "created_at": created_at,
    });
    let facts = Facts::Event { topic, event_type, subject };
    Item { place: Place(id, 0), facts, body: body.to_string() }
}

fn entry(row: AgentLog) -> Item {
    let body = serde_json::to_string(&row).expect("an entry is made of JSON values");
    let category = serde_json::to_value(row.event_category).unwrap_or_default();
    let fields = [
        Some(row.agent_id),
        row.session_id,
        row.task_slug,
        row.adw_id,
        row.adw_step,
        category.as_str().map(str::to_owned),
    ];
    let facts = Facts::Log { event_type: row.event_type, fields };
    Item { place: Place(row.seq, 0), facts, body }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_and_an_entry_show_everything_and_where_they_stand() {
        let row = json!({
            "id": 7, "topic": "jobs", "event_type": "job.created", "subject": "j", "actor": null,
            "payload": "{\"a\":1}", "event_id": null, "created_at": "2026-01-01T00:00:00.000Z",
        });
        let made = event(serde_json::from_value(row.clone()).unwrap());
        let mut expected = row;
        expected["payload"] = json!({ "a": 1 });
        expected["type"] = "job.created".into();
        expected.as_object_mut().unwrap().remove("event_type");
        assert_eq!(serde_json::from_str::<Value>(&made.body).unwrap(), expected);
        assert_eq!(made.place, Place(7, 0));
        let row = json!({
            "id": "x", "seq": 9, "agent_id": "a", "session_id": "s", "task_slug": null,
            "adw_id": null, "adw_step": null, "entry_index": 1, "event_category": "response",
            "event_type": "Stop", "content": null, "payload": {}, "summary": null,
            "timestamp": "t", "created_at": "c",
        });
        let made = entry(serde_json::from_value(row.clone()).unwrap());
        assert_eq!(serde_json::from_str::<Value>(&made.body).unwrap(), row);
        assert_eq!(made.place, Place(9, 0));
        let Facts::Log { event_type, fields } = made.facts else { panic!() };
        let found = [Some("a"), Some("s"), None, None, None, Some("response")];
        assert_eq!((event_type.as_str(), fields.each_ref().map(Option::as_deref)), ("Stop", found));
    }
}
