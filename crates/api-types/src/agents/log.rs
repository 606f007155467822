//! What agents did, entry by entry.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

/// Where an entry comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum EventCategory {
    /// A hook around the agent.
    #[default]
    Hook,
    /// The agent itself.
    Response,
}

/// An entry of an agent's log. It is never changed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AgentLog {
    /// Its id: the sender's, or one that was given to it.
    #[schema(example = "0193a1f2-8c44-7d10-9a5e-3f1b2c4d5e71")]
    pub id: String,
    /// Its number in the order of arrival.
    pub seq: u64,
    /// The agent, which may be gone by now.
    pub agent_id: String,
    /// The conversation.
    pub session_id: Option<String>,
    /// The task.
    pub task_slug: Option<String>,
    /// The piece of developer work (ADW).
    pub adw_id: Option<String>,
    /// The step there.
    pub adw_step: Option<String>,
    /// Its place in what the agent did.
    pub entry_index: Option<u64>,
    /// Where it comes from.
    pub event_category: EventCategory,
    /// What happened.
    #[schema(example = "PreToolUse")]
    pub event_type: String,
    /// It as text.
    pub content: Option<String>,
    /// It as the sender has it.
    pub payload: Value,
    /// It in a few words.
    pub summary: Option<String>,
    /// When it was, by the sender's clock.
    #[schema(format = DateTime)]
    pub timestamp: String,
    /// When it arrived.
    #[schema(format = DateTime)]
    pub created_at: String,
}

/// An entry to append.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "agent_id": "0193a1f2-8c44-7d10-9a5e-3f1b2c4d5e6f", "entry_index": 7, "event_category": "hook",
    "event_type": "PreToolUse", "content": "Reads Cargo.toml", "payload": { "tool": "Read" }
}))]
pub struct NewAgentLog {
    /// Its id; what is sent again under the same id is there once. Left out, it gets one.
    #[schema(pattern = "^[A-Za-z0-9._:-]{1,64}$")]
    pub id: Option<String>,
    /// The agent.
    #[schema(min_length = 1, max_length = 64)]
    pub agent_id: String,
    /// The conversation.
    #[schema(max_length = 200)]
    pub session_id: Option<String>,
    /// The task.
    #[schema(max_length = 200)]
    pub task_slug: Option<String>,
    /// The piece of developer work (ADW).
    #[schema(max_length = 200)]
    pub adw_id: Option<String>,
    /// The step there.
    #[schema(max_length = 200)]
    pub adw_step: Option<String>,
    /// Its place in what the agent did.
    #[schema(maximum = 9007199254740991u64)]
    pub entry_index: Option<u64>,
    /// Where it comes from.
    pub event_category: EventCategory,
    /// What happened.
    #[schema(min_length = 1, max_length = 200)]
    pub event_type: String,
    /// It as text.
    #[schema(max_length = 500000)]
    pub content: Option<String>,
    /// It as the sender has it: any JSON.
    pub payload: Option<Value>,
    /// It in a few words; it may be added later.
    #[schema(max_length = 4000)]
    pub summary: Option<String>,
    /// When it was (RFC 3339); left out, now.
    #[schema(format = DateTime)]
    pub timestamp: Option<String>,
}

/// Entries to append, all or none.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AgentLogBatch {
    /// The entries, in their order.
    #[schema(min_items = 1, max_items = 1000)]
    pub entries: Vec<NewAgentLog>,
}

/// Which entries are wanted, newest first.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct AgentLogQuery {
    /// Only of this agent.
    #[param(nullable = false, min_length = 1, max_length = 64)]
    pub agent_id: Option<String>,
    /// Only of this conversation.
    #[param(nullable = false, min_length = 1, max_length = 200)]
    pub session_id: Option<String>,
    /// Only of this task.
    #[param(nullable = false, min_length = 1, max_length = 200)]
    pub task_slug: Option<String>,
    /// Only of this piece of developer work (ADW).
    #[param(nullable = false, min_length = 1, max_length = 200)]
    pub adw_id: Option<String>,
    /// Only of this step of it.
    #[param(nullable = false, min_length = 1, max_length = 200)]
    pub adw_step: Option<String>,
    /// Only from there.
    #[param(inline, nullable = false)]
    pub event_category: Option<EventCategory>,
    /// Only what happened so.
    #[param(nullable = false, min_length = 1, max_length = 200)]
    pub event_type: Option<String>,
    /// Only at this moment or later (RFC 3339).
    #[param(nullable = false, format = DateTime)]
    pub from: Option<String>,
    /// Only at this moment or earlier (RFC 3339).
    #[param(nullable = false, format = DateTime)]
    pub to: Option<String>,
    /// Only those in whose text all these words stand, whatever their case and accents; `word*`
    /// finds what begins so. Those that arrived last come first.
    #[param(nullable = false, min_length = 1, max_length = 500)]
    pub q: Option<String>,
    /// The most entries; default 50.
    #[param(nullable = false, minimum = 1, maximum = 200)]
    pub limit: Option<u32>,
    /// Where to go on: `next_cursor` of the page before.
    #[param(nullable = false, min_length = 1, max_length = 128)]
    pub cursor: Option<String>,
}

/// A page of entries.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AgentLogsReply {
    /// They, newest first.
    pub agent_logs: Vec<AgentLog>,
    /// Where the next page begins; null when there is none.
    pub next_cursor: Option<String>,
}

/// Which entries are told as they arrive.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct TailQuery {
    /// Only of this agent.
    #[param(nullable = false, min_length = 1, max_length = 64)]
    pub agent_id: Option<String>,
    /// What arrived after the entry of this `seq`; 0 for everything; left out, what arrives from
    /// now on.
    #[param(nullable = false, maximum = 9007199254740991u64)]
    pub after: Option<u64>,
}
