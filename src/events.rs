//! The stream of events in the shell: events as clients see them, and the sweep that lets old ones
//! go. The rows are written by triggers; nothing here may be needed for an event to be told.

use api_types::events::{EventEntry, EventTopic};
use engine::time::{Millis, Timestamp};
use serde_json::{Value, json};

use crate::clock::now;
use crate::db::events::{self, Event};
use crate::db::{D1, Database, DbError, duties};
use crate::driver::Site;
use crate::log::{self, Level};

/// How long an event is kept.
pub const KEPT_DAYS: i64 = 30;
const DAY_MS: i64 = 24 * 3600 * 1000;
const DUTY: &str = "events";
/// How long a sweep may hold its duty: longer than it may take.
const HOLD: Millis = Millis::from_secs(60);
/// When the next sweep looks again where nothing is old enough.
const REST: Millis = Millis::from_secs(600);
/// Events that are looked at together.
const SLICE_ROWS: u32 = 1_000;
/// The most slices of one sweep: 28 million events a day, where the cron comes each minute.
const SLICES_MAX: usize = 20;

/// An event as clients see it; none where its topic is of a newer build.
pub fn shown(event: Event) -> Option<EventEntry> {
    let Event { id, topic, event_type, subject, actor, payload, event_id, created_at } = event;
    let topic: EventTopic = serde_json::from_value(Value::String(topic)).ok()?;
    Some(EventEntry { id, topic, event_type, subject, actor, payload, event_id, created_at })
}

/// Lets go what is older than [`KEPT_DAYS`]. What fails is tried again by the next sweep.
pub async fn sweep_if_due(site: &Site) {
    match swept(site).await {
        Ok(0) => {}
        Ok(removed) => {
            log::write(Level::Info, json!({ "event": "events.swept", "removed": removed }));
        }
        Err(error) => {
            log::write(Level::Warn, json!({ "event": "events.sweep_failed", "error": error }));
        }
    }
}

async fn swept(site: &Site) -> Result<usize, String> {
    let database = D1::new(site.bindings.database().map_err(|error| error.to_string())?);
    let removed = sweep(&database, now()).await;
    removed.map_err(|error| format!("{error}: {}", error.detail()))
}

/// Removes slices until nothing old is left, or this sweep has done its share.
async fn sweep(db: &impl Database, at: Timestamp) -> Result<usize, DbError> {
    let Some(held) = duties::take(db, DUTY, at, HOLD).await? else { return Ok(0) };
    let before = Timestamp::from_millis(at.as_millis() - KEPT_DAYS * DAY_MS);
    let mut removed = 0;
    let mut next_at = at;
    for _ in 0..SLICES_MAX {
        let slice = events::expire(db, before, SLICE_ROWS).await?;
        removed += slice;
        if slice < SLICE_ROWS as usize {
            next_at = at.plus(REST);
            break;
        }
    }
    duties::done(db, DUTY, &held, at, next_at).await?;
    Ok(removed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_shown_with_its_type() {
        let event = Event {
            id: 7,
            topic: "jobs".to_owned(),
            event_type: "job.created".to_owned(),
            subject: Some("j".to_owned()),
            actor: None,
            payload: json!({ "v": 1 }),
            event_id: None,
            created_at: "2026-11-21T10:00:00.000Z".to_owned(),
        };
        let wire = serde_json::to_value(shown(event.clone()).unwrap()).unwrap();
        assert_eq!(wire["type"], "job.created");
        assert_eq!(wire["topic"], "jobs");
        assert!(shown(Event { topic: "later".to_owned(), ..event }).is_none());
    }
}
