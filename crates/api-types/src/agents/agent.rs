//! Agents.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::{IntoParams, ToSchema};

use super::AgentStatus;

/// An agent, with what it has used so far.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Agent {
    /// Its id.
    #[schema(example = "0193a1f2-8c44-7d10-9a5e-3f1b2c4d5e6f")]
    pub id: String,
    /// Its name; no two agents of an account that are not archived share one.
    #[schema(example = "builder")]
    pub name: String,
    /// The model behind it.
    #[schema(example = "llama-3.3-70b")]
    pub model: String,
    /// What it is told before all else.
    pub system_prompt: Option<String>,
    /// What it is doing.
    pub status: AgentStatus,
    /// Where it works.
    pub working_dir: Option<String>,
    /// The git worktree that is its own.
    pub git_worktree: Option<String>,
    /// The conversation that it continues.
    pub session_id: Option<String>,
    /// The piece of developer work (ADW) that it belongs to.
    pub adw_id: Option<String>,
    /// Its step there.
    pub adw_step: Option<String>,
    /// Tokens that it has read.
    pub input_tokens: u64,
    /// Tokens that it has written.
    pub output_tokens: u64,
    /// What it has cost, in USD.
    #[schema(example = 0.042)]
    pub total_cost: f64,
    /// The same in micro-USD, exactly.
    pub total_cost_micro_usd: u64,
    /// Whether it is put away.
    pub archived: bool,
    /// Whatever belongs to it besides.
    pub metadata: Map<String, Value>,
    /// When it was made.
    #[schema(format = DateTime)]
    pub created_at: String,
    /// When it last changed.
    #[schema(format = DateTime)]
    pub updated_at: String,
}

/// A new agent.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "name": "builder", "model": "llama-3.3-70b", "adw_id": "adw-7" }))]
pub struct NewAgent {
    /// Its name.
    #[schema(min_length = 1, max_length = 200)]
    pub name: String,
    /// The model behind it.
    #[schema(min_length = 1, max_length = 200)]
    pub model: String,
    /// What it is told before all else.
    #[schema(max_length = 100000)]
    pub system_prompt: Option<String>,
    /// What it is doing; default `idle`.
    pub status: Option<AgentStatus>,
    /// Where it works.
    #[schema(max_length = 1000)]
    pub working_dir: Option<String>,
    /// The git worktree that is its own.
    #[schema(max_length = 1000)]
    pub git_worktree: Option<String>,
    /// The conversation that it continues.
    #[schema(max_length = 200)]
    pub session_id: Option<String>,
    /// The piece of developer work (ADW) that it belongs to.
    #[schema(max_length = 200)]
    pub adw_id: Option<String>,
    /// Its step there.
    #[schema(max_length = 200)]
    pub adw_step: Option<String>,
    /// Whatever belongs to it besides.
    pub metadata: Option<Map<String, Value>>,
}

/// A change of an agent, as a merge patch (RFC 7396): fields that are left out stay as they are,
/// `null` empties one that may be empty, `metadata` is merged. Counters move by usage reports
/// alone.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "status": "blocked", "metadata": { "reason": "needs a decision" } }))]
pub struct AgentPatch {
    /// Its name.
    #[schema(nullable = false, min_length = 1, max_length = 200)]
    pub name: Option<String>,
    /// The model behind it.
    #[schema(nullable = false, min_length = 1, max_length = 200)]
    pub model: Option<String>,
    /// What it is told before all else.
    #[schema(max_length = 100000)]
    pub system_prompt: Option<String>,
    /// What it is doing.
    pub status: Option<AgentStatus>,
    /// Where it works.
    #[schema(max_length = 1000)]
    pub working_dir: Option<String>,
    /// The git worktree that is its own.
    #[schema(max_length = 1000)]
    pub git_worktree: Option<String>,
    /// The conversation that it continues.
    #[schema(max_length = 200)]
    pub session_id: Option<String>,
    /// The piece of developer work (ADW) that it belongs to.
    #[schema(max_length = 200)]
    pub adw_id: Option<String>,
    /// Its step there.
    #[schema(max_length = 200)]
    pub adw_step: Option<String>,
    /// Whether it is put away.
    #[schema(nullable = false)]
    pub archived: Option<bool>,
    /// What is merged into what belongs to it besides.
    #[schema(nullable = false)]
    pub metadata: Option<Map<String, Value>>,
}

/// Which agents are wanted, newest first.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct AgentQuery {
    /// Only those that stand so.
    #[param(inline, nullable = false)]
    pub status: Option<AgentStatus>,
    /// Only those behind which this model is.
    #[param(nullable = false, min_length = 1, max_length = 200)]
    pub model: Option<String>,
    /// Only those of this conversation.
    #[param(nullable = false, min_length = 1, max_length = 200)]
    pub session_id: Option<String>,
    /// Only those of this piece of developer work (ADW).
    #[param(nullable = false, min_length = 1, max_length = 200)]
    pub adw_id: Option<String>,
    /// Only the one in this git worktree.
    #[param(nullable = false, min_length = 1, max_length = 1000)]
    pub git_worktree: Option<String>,
    /// Only those whose name contains this, whatever the case of its ASCII letters.
    #[param(nullable = false, min_length = 1, max_length = 200)]
    pub name: Option<String>,
    /// `false`: those in use; `true`: those put away; left out: both.
    #[param(nullable = false)]
    pub archived: Option<bool>,
    /// The most entries; default 50.
    #[param(nullable = false, minimum = 1, maximum = 200)]
    pub limit: Option<u32>,
    /// Where to go on: `next_cursor` of the page before.
    #[param(nullable = false, min_length = 1, max_length = 128)]
    pub cursor: Option<String>,
}

/// A page of agents.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AgentsReply {
    /// The agents, newest first.
    pub agents: Vec<Agent>,
    /// Where the next page begins; null when there is none.
    pub next_cursor: Option<String>,
}
