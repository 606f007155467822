//! What the registry says about itself: queries over several tables, upkeep, figures.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use super::node::{NodeStatus, NodeType};
use super::tool::{ToolCategory, ToolStatus};

/// A tool that may be called and the node that takes the calls.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ActiveToolWithNode {
    /// The tool's id.
    #[schema(format = "uuid")]
    pub tool_id: String,
    /// The tool's name.
    pub name: String,
    /// What it does.
    pub description: Option<String>,
    /// What it is filed under.
    #[schema(value_type = ToolCategory)]
    pub category: String,
    /// Its version.
    pub version: String,
    /// JSON Schema of what it takes.
    pub input_schema: Value,
    /// JSON Schema of what it gives.
    pub output_schema: Value,
    /// The node's id.
    #[schema(format = "uuid")]
    pub node_id: String,
    /// What the node is for.
    #[schema(value_type = NodeType)]
    pub node_type: String,
    /// Where the node is reached.
    pub node_address: String,
    /// Always `ACTIVE`.
    #[schema(value_type = NodeStatus)]
    pub node_status: String,
}

/// Which tools are wanted, by category.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ToolsOfCategoryQuery {
    /// Only the tools of this category.
    #[param(nullable = false, inline)]
    pub category: Option<ToolCategory>,
    /// How many rows are left out; default 0.
    #[param(nullable = false, minimum = 0, maximum = 1_000_000)]
    pub skip: Option<u32>,
    /// The most rows; default 100.
    #[param(nullable = false, minimum = 1, maximum = 1000)]
    pub limit: Option<u32>,
    /// Where to go on: it stands in the header `Link` of the page before.
    #[param(nullable = false, min_length = 1, max_length = 64)]
    pub cursor: Option<String>,
}

/// A tool with its tags.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ToolOfCategory {
    /// What it is filed under.
    #[schema(value_type = ToolCategory)]
    pub category: String,
    /// Its id.
    #[schema(format = "uuid")]
    pub tool_id: String,
    /// Its name.
    pub name: String,
    /// What it does.
    pub description: Option<String>,
    /// Its version.
    pub version: String,
    /// Whether it may be called.
    #[schema(value_type = ToolStatus)]
    pub status: String,
    /// The node that runs it.
    #[schema(format = "uuid")]
    pub target_node_id: Option<String>,
    /// Its tags, in order.
    pub tags: Vec<String>,
}

/// How a node fares.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct NodeHealth {
    /// Its id.
    #[schema(format = "uuid")]
    pub node_id: String,
    /// What it is for.
    #[schema(value_type = NodeType)]
    pub node_type: String,
    /// Where it is reached.
    pub address: String,
    /// Whether it takes calls.
    #[schema(value_type = NodeStatus)]
    pub status: String,
    /// How many tools it runs.
    pub tool_count: u64,
    /// How many of them may be called.
    pub enabled_tool_count: u64,
    /// When its health was last asked; null while nobody has.
    pub last_health_check: Option<String>,
    /// What was wrong when it last failed; null since it passes.
    pub last_error: Option<String>,
    /// When it was last changed.
    #[schema(format = DateTime)]
    pub updated_at: String,
}

/// Whose large artifacts are wanted.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct LargestQuery {
    /// The least size of an artifact that counts, in bytes; default 1048576 (1 MiB).
    #[param(nullable = false, minimum = 0, maximum = 9_007_199_254_740_991.0)]
    pub min_size: Option<u64>,
    /// How many rows are left out; default 0.
    #[param(nullable = false, minimum = 0, maximum = 1_000_000)]
    pub skip: Option<u32>,
    /// The most rows; default 100.
    #[param(nullable = false, minimum = 1, maximum = 1000)]
    pub limit: Option<u32>,
}

/// The large artifacts that a tool made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct LargeArtifactsOfTool {
    /// The tool's id; null for those that no tool made.
    #[schema(format = "uuid")]
    pub tool_id: Option<String>,
    /// The tool's name.
    pub tool_name: Option<String>,
    /// How many they are.
    pub artifact_count: u64,
    /// How large they are together.
    pub total_size_bytes: u64,
    /// How large the largest is.
    pub largest_size_bytes: u64,
}

/// How orphaned artifacts are removed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct CleanupQuery {
    /// Whether they are only listed; default false.
    #[param(nullable = false)]
    pub dry_run: Option<bool>,
    /// How old they must be, in seconds; default 0 for rows, and an hour for bytes without a row,
    /// which may be those of an upload in progress.
    #[param(nullable = false, minimum = 0, maximum = 31_536_000)]
    pub older_than_s: Option<u32>,
    /// The most rows, and the most objects of the bucket that are looked at; default 500.
    #[param(nullable = false, minimum = 1, maximum = 1000)]
    pub limit: Option<u32>,
    /// Where to go on in the bucket: `next_cursor` of the reply before.
    #[param(nullable = false, min_length = 1, max_length = 2048)]
    pub cursor: Option<String>,
}

/// What was removed, or would be.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct CleanupReply {
    /// Whether nothing was removed.
    pub dry_run: bool,
    /// The artifacts of no tool and no execution.
    pub artifacts: Vec<String>,
    /// How many they are.
    pub deleted_count: u64,
    /// The objects of the bucket that belong to no artifact.
    pub objects: Vec<String>,
    /// How many bytes both take.
    pub freed_bytes: u64,
    /// Whether there is more to look at.
    pub more: bool,
    /// Where the next call goes on in the bucket; null when all of it was looked at.
    pub next_cursor: Option<String>,
}

/// Which tools followed their nodes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct StatusUpdateReply {
    /// The tools that were disabled because their node is not active.
    pub disabled: Vec<String>,
    /// The tools that came back with their node.
    pub enabled: Vec<String>,
    /// How many tools changed.
    pub updated_count: u64,
    /// Whether there are more: call again.
    pub more: bool,
}

/// What the artifacts of a category take.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct CategoryStorage {
    /// The category of the tools that made them; null for those that no tool made.
    #[schema(value_type = Option<ToolCategory>)]
    pub category: Option<String>,
    /// How many they are.
    pub artifact_count: u64,
    /// How large they are together.
    pub total_size_bytes: u64,
    /// How large they are on average.
    pub average_size_bytes: f64,
}

/// What a tool was used for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ToolUsage {
    /// Its id.
    #[schema(format = "uuid")]
    pub tool_id: String,
    /// Its name.
    pub name: String,
    /// What it is filed under.
    #[schema(value_type = ToolCategory)]
    pub category: String,
    /// Whether it may be called.
    #[schema(value_type = ToolStatus)]
    pub status: String,
    /// How many artifacts it made.
    pub artifact_count: u64,
    /// How large they are together.
    pub total_size_bytes: u64,
    /// When it last made one.
    pub last_artifact_at: Option<String>,
    /// How many tags it has.
    pub tag_count: u64,
}

/// Whether what is stored fits together.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct DataIntegrity {
    /// `ok`, or `issues` where a check found something.
    #[schema(pattern = "^(ok|issues)$")]
    pub status: String,
    /// What was looked at.
    pub checks: Vec<IntegrityCheck>,
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct IntegrityCheck {
    /// Its name.
    #[schema(example = "tools_without_node")]
    pub name: String,
    /// What it counts.
    pub description: String,
    /// `error` where rows contradict each other, `warning` where something is missing.
    #[schema(pattern = "^(error|warning)$")]
    pub severity: String,
    /// How many it found.
    pub count: u64,
}

/// How many there are of everything.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct RegistrySummary {
    /// All nodes.
    pub total_nodes: u64,
    /// Those that take calls.
    pub active_nodes: u64,
    /// All tools.
    pub total_tools: u64,
    /// Those that may be called.
    pub enabled_tools: u64,
    /// Those that may be called, on nodes that take calls.
    pub callable_tools: u64,
    /// All artifacts.
    pub total_artifacts: u64,
    /// How large they are together.
    pub total_storage_bytes: u64,
    /// How many different tags there are.
    pub total_tags: u64,
}
