//! The store of agents. Each model is defined here once: what the database gives is read into it,
//! and the OpenAPI document, docs/schemas/ and clients/typescript/ are made from it.

mod agent;
mod chat;
mod log;
mod orchestrator;
mod prompt;
mod summary;
mod system_log;
mod usage;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub use agent::{Agent, AgentPatch, AgentQuery, AgentsReply, NewAgent};
pub use chat::{ChatMessage, ChatParty, ChatQuery, ChatReply, NewChatMessage};
pub use log::{
    AgentLog, AgentLogBatch, AgentLogQuery, AgentLogsReply, EventCategory, NewAgentLog, TailQuery,
};
pub use orchestrator::{
    NewOrchestratorAgent, OrchestratorAgent, OrchestratorAgentPatch, OrchestratorAgentsReply,
    SessionsQuery,
};
pub use prompt::{NewPrompt, Prompt, PromptAuthor, PromptQuery, PromptsReply};
pub use summary::{Activity, AgentSummary, BlockedAgent, OrchestratorSummary, UsageEntry};
pub use system_log::{
    LogLevel, NewSystemLog, SystemLog, SystemLogBatch, SystemLogQuery, SystemLogsReply,
};
pub use usage::{UsageReply, UsageReport};

/// What an agent is doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum AgentStatus {
    /// Nothing.
    #[default]
    Idle,
    /// It works.
    Executing,
    /// It waits for an answer.
    Waiting,
    /// It cannot go on alone.
    Blocked,
    /// It has done what it was asked.
    Complete,
}

/// What came of a batch. What is sent again is there already.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(example = json!({ "received": 3, "appended": 2, "duplicates": 1 }))]
pub struct Appended {
    /// How many entries were sent.
    pub received: u64,
    /// How many of them are new.
    pub appended: u64,
    /// How many were there already, by their id.
    pub duplicates: u64,
}

/// A summary, for a record that has none. Records are never changed otherwise.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "summary": "Reads the feeds and finds three that fail." }))]
pub struct SummaryText {
    /// The record in a few words.
    #[schema(min_length = 1, max_length = 4000)]
    pub summary: String,
}
