//! What agents use.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What an agent has used since its last report. Sent again under the same `report_id` it counts
/// once.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "report_id": "turn-17", "input_tokens": 1200, "output_tokens": 340, "cost_micro_usd": 4120
}))]
pub struct UsageReport {
    /// What makes it this report, within the account.
    #[schema(pattern = "^[A-Za-z0-9._:-]{1,64}$")]
    pub report_id: String,
    /// Tokens that were read.
    #[schema(maximum = 1000000000)]
    pub input_tokens: u64,
    /// Tokens that were written.
    #[schema(maximum = 1000000000)]
    pub output_tokens: u64,
    /// What they cost, in micro-USD.
    #[schema(maximum = 1000000000000u64)]
    pub cost_micro_usd: u64,
    /// The model, where it is not the agent's.
    #[schema(min_length = 1, max_length = 200)]
    pub model: Option<String>,
}

/// The counters after a report.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct UsageReply {
    /// The report.
    pub report_id: String,
    /// Whether it had been counted before.
    pub duplicate: bool,
    /// The agent.
    pub agent_id: String,
    /// Tokens that it has read.
    pub input_tokens: u64,
    /// Tokens that it has written.
    pub output_tokens: u64,
    /// What it has cost, in USD.
    pub total_cost: f64,
    /// The same in micro-USD, exactly.
    pub total_cost_micro_usd: u64,
}
