//! Executions of the past.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::ExecutionStatus;

/// Which executions are wanted, newest first.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct HistoryQuery {
    /// Only those that stand so.
    #[param(inline, nullable = false)]
    pub status: Option<ExecutionStatus>,
    /// Only those of this template.
    #[param(nullable = false, min_length = 1, max_length = 64)]
    pub template: Option<String>,
    /// Only those under the strategy of this label.
    #[param(inline, nullable = false)]
    pub strategy: Option<StrategyLabel>,
    /// Only those whose topic contains this, whatever the case.
    #[param(nullable = false, min_length = 1, max_length = 200)]
    pub topic: Option<String>,
    /// Only those asked for at this moment or later (RFC 3339).
    #[param(nullable = false, format = DateTime)]
    pub from: Option<String>,
    /// Only those asked for at this moment or earlier (RFC 3339).
    #[param(nullable = false, format = DateTime)]
    pub to: Option<String>,
    /// Only those that cost at least this.
    #[param(nullable = false, minimum = 0, maximum = 1000000)]
    pub cost_min_usd: Option<f64>,
    /// Only those that cost at most this.
    #[param(nullable = false, minimum = 0, maximum = 1000000)]
    pub cost_max_usd: Option<f64>,
    /// The most entries; default 50, and as CSV all, up to 5,000.
    #[param(nullable = false, minimum = 1, maximum = 200)]
    pub limit: Option<u32>,
    /// Where to go on: `next_cursor` of the page before.
    #[param(nullable = false, min_length = 1, max_length = 64)]
    pub cursor: Option<String>,
    /// Whether to count all that match.
    #[param(nullable = false)]
    pub total: Option<bool>,
    /// The form of the reply; without it `Accept` decides.
    #[param(inline, nullable = false)]
    pub format: Option<HistoryFormat>,
}

/// The form of the history.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum HistoryFormat {
    /// A page as JSON.
    Json,
    /// A table as CSV (RFC 4180), for a spreadsheet.
    Csv,
}

/// The label of a strategy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum StrategyLabel {
    /// `optimize_for: speed`.
    SpeedOptimized,
    /// `optimize_for: cost`.
    CostOptimized,
    /// `optimize_for: quality`.
    QualityOptimized,
    /// `optimize_for: balanced`.
    Balanced,
}

/// A page of executions.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct HistoryReply {
    /// The executions, newest first.
    pub pipelines: Vec<HistoryEntry>,
    /// Where the next page begins; null when there is none.
    pub next_cursor: Option<String>,
    /// The list may lack executions that were asked for at this moment or earlier: they went to the
    /// archive, where `GET /pipeline/{id}` finds them. Null while none did.
    #[serde(default)]
    #[schema(format = DateTime, required)]
    pub archived_until: Option<String>,
    /// How many match, when that was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub total: Option<u64>,
}

/// An execution in the history.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct HistoryEntry {
    /// Its id.
    pub pipeline_id: String,
    /// What it is about.
    pub topic: Option<String>,
    /// Its template.
    pub template: String,
    /// The number of the template's revision.
    pub template_revision: u64,
    /// The label of its strategy.
    pub execution_strategy: String,
    /// Its urgency.
    pub urgency: String,
    /// Its quality level.
    pub quality_level: String,
    /// Where it stands.
    pub status: ExecutionStatus,
    /// What it cost.
    pub total_cost_usd: f64,
    /// From its start to its end, or until it was last seen.
    pub total_execution_time_ms: u64,
    /// How many sources it found.
    pub sources_discovered: u64,
    /// How many articles it worked on.
    pub articles_processed: u64,
    /// 0 to 1; null when nothing has a quality.
    pub final_quality_score: Option<f64>,
    /// What was done to be quicker, cheaper or better.
    pub optimization_applied: Vec<String>,
    /// Whether the result is that of an earlier identical request.
    pub cache_hit: bool,
    /// When it was asked for.
    #[schema(format = DateTime)]
    pub created_at: String,
    /// When it ended.
    #[schema(format = DateTime)]
    pub completed_at: Option<String>,
    /// Where it can be read.
    pub pipeline_url: String,
}
