//! The stream of everything that happens to an account.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

/// What an event is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum EventTopic {
    /// Executions began, waited, ended.
    Executions,
    /// Jobs were made, changed, ended.
    Jobs,
    /// Tasks were opened, claimed, completed.
    Tasks,
    /// Workers changed their health, or were taken in or out of use. They belong to the
    /// installation: the account `default` is told.
    Workers,
    /// Alerts were opened, acknowledged, resolved.
    Alerts,
    /// Somebody administered. Only administrators see these.
    Administration,
    /// What clients told.
    Custom,
}

/// An event to be told.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "type": "deploy.done", "subject": "web", "payload": { "version": "1.4.2" },
    "event_id": "deploy-4711"
}))]
pub struct NewEvent {
    /// What happened: words of lower case letters, digits and underscores, joined by dots. The
    /// first word is none that the orchestrator's own events begin with.
    #[serde(rename = "type")]
    #[schema(min_length = 1, max_length = 128, pattern = "^[a-z0-9_]+(\\.[a-z0-9_]+)*$")]
    pub event_type: String,
    /// The id of what it is about.
    #[schema(min_length = 1, max_length = 256)]
    pub subject: Option<String>,
    /// What else there is to say: any JSON. Left out, an empty object.
    #[schema(value_type = Option<Value>)]
    pub payload: Option<Value>,
    /// Your own id of it, instead of the header `Idempotency-Key`: what is told twice is there
    /// once. Left out, it gets one.
    #[schema(min_length = 1, max_length = 255, pattern = "^[!-~]+$")]
    pub event_id: Option<String>,
}

/// An event.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(example = json!({
    "id": 4711, "topic": "executions", "type": "execution.completed",
    "subject": "pipe_1795255200000_0k4f0q9c8r1x2v7m3n5b6j8h9g", "actor": null, "event_id": null,
    "payload": { "status": "completed", "previous_status": "running",
        "template": "rss_intelligence_pipeline", "total_execution_time_ms": 456,
        "total_cost_usd": 0.02, "waiting_reason": null, "error_code": null },
    "created_at": "2026-11-21T10:00:00.000Z"
}))]
pub struct EventEntry {
    /// Its number, which grows with each event: the cursor to go on from.
    #[schema(minimum = 1)]
    pub id: u64,
    /// What it is about.
    pub topic: EventTopic,
    /// What happened.
    #[serde(rename = "type")]
    pub event_type: String,
    /// The id of what it is about.
    pub subject: Option<String>,
    /// Who did it: `key:<id>`, `worker:<id>` or `user:<id>`; null where nobody did.
    pub actor: Option<String>,
    /// What else there is to say.
    #[schema(value_type = Value)]
    pub payload: Value,
    /// The id that the client gave it; null for the orchestrator's own events.
    pub event_id: Option<String>,
    /// When.
    #[schema(format = DateTime)]
    pub created_at: String,
}

/// In which order events are listed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum EventOrder {
    /// The newest first.
    #[default]
    Desc,
    /// The oldest first.
    Asc,
}

/// Which events are wanted.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct EventListQuery {
    /// Only of this type, such as `execution.completed`.
    #[serde(rename = "type")]
    #[param(nullable = false, min_length = 1, max_length = 128)]
    pub event_type: Option<String>,
    /// Only of this topic.
    #[param(inline, nullable = false)]
    pub topic: Option<EventTopic>,
    /// Only about the thing of this id.
    #[param(nullable = false, min_length = 1, max_length = 256)]
    pub subject: Option<String>,
    /// Not before this moment.
    #[param(nullable = false, format = DateTime)]
    pub from: Option<String>,
    /// Not after this moment.
    #[param(nullable = false, format = DateTime)]
    pub to: Option<String>,
    /// The order; default `desc`.
    #[param(inline, nullable = false)]
    pub order: Option<EventOrder>,
    /// The most events; default 50.
    #[param(nullable = false, minimum = 1, maximum = 200)]
    pub limit: Option<u32>,
    /// Where to go on: `next_cursor` of the page before.
    #[param(nullable = false, min_length = 1, max_length = 32)]
    pub cursor: Option<String>,
}

/// Which events are told as they come.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct EventTailQuery {
    /// Only of this type.
    #[serde(rename = "type")]
    #[param(nullable = false, min_length = 1, max_length = 128)]
    pub event_type: Option<String>,
    /// Only of this topic.
    #[param(inline, nullable = false)]
    pub topic: Option<EventTopic>,
    /// Only about the thing of this id.
    #[param(nullable = false, min_length = 1, max_length = 256)]
    pub subject: Option<String>,
    /// What came after the event of this `id`; 0 for everything that is kept; left out, what comes
    /// from now on.
    #[param(nullable = false, maximum = 9007199254740991u64)]
    pub after: Option<u64>,
}

/// A page of events.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct EventsReply {
    /// The events.
    pub events: Vec<EventEntry>,
    /// Where the next page begins; null when there is none.
    pub next_cursor: Option<String>,
}
