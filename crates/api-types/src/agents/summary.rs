//! Agents at a glance.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Agent, AgentLog, OrchestratorAgent, SystemLog};

/// What was used of one model on one day (UTC).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct UsageEntry {
    /// The day.
    #[schema(format = Date, example = "2026-11-21")]
    pub day: String,
    /// The model.
    pub model: String,
    /// How many reports there were.
    pub reports: u64,
    /// Tokens that were read.
    pub input_tokens: u64,
    /// Tokens that were written.
    pub output_tokens: u64,
    /// What they cost, in USD.
    pub cost: f64,
    /// The same in micro-USD, exactly.
    pub cost_micro_usd: u64,
}

/// How much was recorded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Activity {
    /// Log entries of the last 24 hours.
    pub log_entries_24h: u64,
    /// Prompts of the last 24 hours.
    pub prompts_24h: u64,
    /// When the last log entry was; null where there is none.
    #[schema(format = DateTime)]
    pub last_entry_at: Option<String>,
}

/// An agent at a glance.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AgentSummary {
    /// The agent.
    pub agent: Agent,
    /// How much it did of late.
    pub activity: Activity,
    /// What it used, by day and model, newest first: the last 30 days.
    pub usage: Vec<UsageEntry>,
    /// Its last ten log entries, newest first.
    pub last_entries: Vec<AgentLog>,
}

/// An agent that cannot go on alone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BlockedAgent {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// When its row last changed.
    #[schema(format = DateTime)]
    pub updated_at: String,
}

/// All agents of an account at a glance.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct OrchestratorSummary {
    /// The agent that leads the others; null until there is one.
    pub orchestrator_agent: Option<OrchestratorAgent>,
    /// Agents that are not archived, by status.
    pub agents_by_status: std::collections::BTreeMap<String, u64>,
    /// Those that cannot go on alone: at most 50.
    pub blocked_agents: Vec<BlockedAgent>,
    /// How much they did of late.
    pub activity: Activity,
    /// What they used, by day and model, newest first: the last 30 days.
    pub usage: Vec<UsageEntry>,
    /// The last ten log entries, newest first.
    pub last_entries: Vec<AgentLog>,
    /// The last ten errors of the system log, newest first.
    pub last_errors: Vec<SystemLog>,
}
