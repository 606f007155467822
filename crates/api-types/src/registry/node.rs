//! Nodes: the addresses that run tools.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What a node is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum NodeType {
    /// It runs tools.
    ToolExecutor,
    /// It watches.
    ObservationNode,
    /// It analyses.
    AnalysisNode,
    /// It stores.
    StorageNode,
}

/// Whether a node takes calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum NodeStatus {
    /// It does.
    Active,
    /// Nobody has said that it does.
    Inactive,
    /// Somebody works at it.
    Maintenance,
    /// It does not answer as it should.
    Error,
}

/// A node to be added.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewNode {
    /// What it is for.
    pub node_type: NodeType,
    /// Where it is reached: its base URL, where tools are to be called.
    #[schema(
        min_length = 1,
        max_length = 2048,
        pattern = r"^[^\x00-\x1f\x7f]*\S[^\x00-\x1f\x7f]*$",
        example = "https://tools.example"
    )]
    pub address: String,
    /// Whether it takes calls; default `INACTIVE`.
    pub status: Option<NodeStatus>,
}

/// What becomes of a node; what is left out stays.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NodeChange {
    /// What it is for.
    pub node_type: Option<NodeType>,
    /// Where it is reached.
    #[schema(
        min_length = 1,
        max_length = 2048,
        pattern = r"^[^\x00-\x1f\x7f]*\S[^\x00-\x1f\x7f]*$"
    )]
    pub address: Option<String>,
    /// Whether it takes calls.
    pub status: Option<NodeStatus>,
}

/// A node.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Node {
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
    /// When its health was last asked; null while nobody has.
    pub last_health_check: Option<String>,
    /// What was wrong when it last failed; null since it passes.
    pub last_error: Option<String>,
    /// When it was added.
    #[schema(format = DateTime)]
    pub created_at: String,
    /// When it was last changed.
    #[schema(format = DateTime)]
    pub updated_at: String,
}
