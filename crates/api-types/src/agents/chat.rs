//! What people, the orchestrator agent and the others say to each other.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::{IntoParams, ToSchema};

/// Who speaks, or is spoken to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ChatParty {
    /// A person.
    #[default]
    User,
    /// The agent that leads the others.
    Orchestrator,
    /// Another agent, which `agent_id` names.
    Agent,
}

/// A message. It is never changed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ChatMessage {
    /// Its id: the sender's, or one that was given to it.
    #[schema(example = "0193a1f2-8c44-7d10-9a5e-3f1b2c4d5e71")]
    pub id: String,
    /// Its number in the order of arrival.
    pub seq: u64,
    /// Who speaks.
    pub sender_type: ChatParty,
    /// Who is spoken to.
    pub receiver_type: ChatParty,
    /// The words.
    pub message: String,
    /// It in a few words.
    pub summary: Option<String>,
    /// The agent that speaks or is spoken to.
    pub agent_id: Option<String>,
    /// Whatever belongs to it besides.
    pub metadata: Map<String, Value>,
    /// When it was, by the sender's clock.
    #[schema(format = DateTime)]
    pub timestamp: String,
    /// When it arrived.
    #[schema(format = DateTime)]
    pub created_at: String,
}

/// A message to record.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "sender_type": "user", "receiver_type": "orchestrator", "message": "How far are we?"
}))]
pub struct NewChatMessage {
    /// Its id; what is sent again under the same id is there once. Left out, it gets one.
    #[schema(pattern = "^[A-Za-z0-9._:-]{1,64}$")]
    pub id: Option<String>,
    /// Who speaks.
    pub sender_type: ChatParty,
    /// Who is spoken to.
    pub receiver_type: ChatParty,
    /// The words.
    #[schema(min_length = 1, max_length = 500000)]
    pub message: String,
    /// It in a few words; it may be added later.
    #[schema(max_length = 4000)]
    pub summary: Option<String>,
    /// The agent that speaks or is spoken to: needed where one of them is `agent`.
    #[schema(max_length = 64)]
    pub agent_id: Option<String>,
    /// Whatever belongs to it besides.
    pub metadata: Option<Map<String, Value>>,
    /// When it was (RFC 3339); left out, now.
    #[schema(format = DateTime)]
    pub timestamp: Option<String>,
}

/// Which messages are wanted, newest first.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ChatQuery {
    /// Only to or from this agent.
    #[param(nullable = false, min_length = 1, max_length = 64)]
    pub agent_id: Option<String>,
    /// Only by such.
    #[param(inline, nullable = false)]
    pub sender_type: Option<ChatParty>,
    /// Only to such.
    #[param(inline, nullable = false)]
    pub receiver_type: Option<ChatParty>,
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

/// A page of messages.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ChatReply {
    /// They, newest first.
    pub messages: Vec<ChatMessage>,
    /// Where the next page begins; null when there is none.
    pub next_cursor: Option<String>,
}
