//! Tools: the operations of nodes.

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

/// What a tool is filed under.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ToolCategory {
    /// It analyses.
    Analysis,
    /// It makes one thing of another.
    Processing,
    /// It checks.
    Validation,
    /// It stores.
    Storage,
}

/// Whether a tool may be called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ToolStatus {
    /// It may.
    Enabled,
    /// It may not.
    Disabled,
    /// It may, and should not be used for anything new.
    Deprecated,
}

/// A tool to be added.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewTool {
    /// Its name, unique within the account.
    #[schema(
        min_length = 1,
        max_length = 100,
        pattern = r"^[^\x00-\x1f\x7f]*\S[^\x00-\x1f\x7f]*$",
        example = "text_summariser"
    )]
    pub name: String,
    /// What it does.
    #[schema(max_length = 10000)]
    pub description: Option<String>,
    /// What it is filed under.
    pub category: ToolCategory,
    /// Its version; default `1.0.0`.
    #[schema(min_length = 1, max_length = 50)]
    pub version: Option<String>,
    /// Whether it may be called; default `ENABLED`.
    pub status: Option<ToolStatus>,
    /// JSON Schema of what it takes; default `{}`, which takes anything.
    #[schema(example = json!({"type": "object", "properties": {"text": {"type": "string"}}}))]
    pub input_schema: Option<Map<String, Value>>,
    /// JSON Schema of what it gives; default `{}`.
    #[schema(example = json!({"type": "object", "properties": {"summary": {"type": "string"}}}))]
    pub output_schema: Option<Map<String, Value>>,
    /// The node that runs it, one of the account's.
    #[schema(pattern = r"^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$")]
    pub target_node_id: Option<String>,
}

/// What becomes of a tool; what is left out stays. `null` takes a description or the node away.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ToolChange {
    /// Its name, unique within the account.
    #[schema(
        min_length = 1,
        max_length = 100,
        pattern = r"^[^\x00-\x1f\x7f]*\S[^\x00-\x1f\x7f]*$"
    )]
    pub name: Option<String>,
    /// What it does.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, max_length = 10000)]
    pub description: Option<Option<String>>,
    /// What it is filed under.
    pub category: Option<ToolCategory>,
    /// Its version.
    #[schema(min_length = 1, max_length = 50)]
    pub version: Option<String>,
    /// Whether it may be called.
    pub status: Option<ToolStatus>,
    /// JSON Schema of what it takes.
    pub input_schema: Option<Map<String, Value>>,
    /// JSON Schema of what it gives.
    pub output_schema: Option<Map<String, Value>>,
    /// The node that runs it, one of the account's.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>,
        pattern = r"^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$")]
    pub target_node_id: Option<Option<String>>,
}

/// A tool.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Tool {
    /// Its id.
    #[schema(format = "uuid")]
    pub tool_id: String,
    /// Its name, unique within the account.
    pub name: String,
    /// What it does.
    pub description: Option<String>,
    /// What it is filed under.
    #[schema(value_type = ToolCategory)]
    pub category: String,
    /// Its version.
    pub version: String,
    /// Whether it may be called.
    #[schema(value_type = ToolStatus)]
    pub status: String,
    /// Whether maintenance disabled it because its node was not active; it comes back with it.
    pub disabled_by_node: bool,
    /// JSON Schema of what it takes.
    pub input_schema: Value,
    /// JSON Schema of what it gives.
    pub output_schema: Value,
    /// The node that runs it; null where none does.
    #[schema(format = "uuid")]
    pub target_node_id: Option<String>,
    /// Its tags, in order.
    pub tags: Vec<String>,
    /// When it was added.
    #[schema(format = DateTime)]
    pub created_at: String,
    /// When it was last changed.
    #[schema(format = DateTime)]
    pub updated_at: String,
}

/// A field that is there, be it null.
fn given<'de, D, T>(field: D) -> Result<Option<Option<T>>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    Option::deserialize(field).map(Some)
}
