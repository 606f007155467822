//! The agent that leads the others.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::{IntoParams, ToSchema};

use super::AgentStatus;

/// The agent that leads an account's others. One lives at a time; what any agent of the account
/// uses counts for it as well.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct OrchestratorAgent {
    /// Its id.
    #[schema(example = "0193a1f2-8c44-7d10-9a5e-3f1b2c4d5e70")]
    pub id: String,
    /// The conversation that it continues.
    pub session_id: Option<String>,
    /// What it is told before all else.
    pub system_prompt: Option<String>,
    /// What it is doing.
    pub status: AgentStatus,
    /// Where it works.
    pub working_dir: Option<String>,
    /// Tokens that it and the others have read.
    pub input_tokens: u64,
    /// Tokens that they have written.
    pub output_tokens: u64,
    /// What they have cost, in USD.
    #[schema(example = 0.042)]
    pub total_cost: f64,
    /// The same in micro-USD, exactly.
    pub total_cost_micro_usd: u64,
    /// Whether another has taken its place.
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

/// A new orchestrator agent. It takes the place of the one that lives, which is archived.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "session_id": "s-42", "system_prompt": "You lead the others." }))]
pub struct NewOrchestratorAgent {
    /// The conversation that it continues.
    #[schema(max_length = 200)]
    pub session_id: Option<String>,
    /// What it is told before all else.
    #[schema(max_length = 100000)]
    pub system_prompt: Option<String>,
    /// What it is doing; default `idle`.
    pub status: Option<AgentStatus>,
    /// Where it works.
    #[schema(max_length = 1000)]
    pub working_dir: Option<String>,
    /// Whatever belongs to it besides.
    pub metadata: Option<Map<String, Value>>,
}

/// A change of the orchestrator agent that lives, as a merge patch (RFC 7396).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "status": "executing" }))]
pub struct OrchestratorAgentPatch {
    /// The conversation that it continues.
    #[schema(max_length = 200)]
    pub session_id: Option<String>,
    /// What it is told before all else.
    #[schema(max_length = 100000)]
    pub system_prompt: Option<String>,
    /// What it is doing.
    pub status: Option<AgentStatus>,
    /// Where it works.
    #[schema(max_length = 1000)]
    pub working_dir: Option<String>,
    /// What is merged into what belongs to it besides.
    #[schema(nullable = false)]
    pub metadata: Option<Map<String, Value>>,
}

/// Which orchestrator agents are wanted, newest first.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct SessionsQuery {
    /// The most entries; default 50.
    #[param(nullable = false, minimum = 1, maximum = 200)]
    pub limit: Option<u32>,
    /// Where to go on: `next_cursor` of the page before.
    #[param(nullable = false, min_length = 1, max_length = 128)]
    pub cursor: Option<String>,
}

/// A page of orchestrator agents.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct OrchestratorAgentsReply {
    /// The one that lives and those before it, newest first.
    pub orchestrator_agents: Vec<OrchestratorAgent>,
    /// Where the next page begins; null when there is none.
    pub next_cursor: Option<String>,
}
