//! What was published of a template: its history, and what differs between two revisions.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use super::templates::TemplateDocument;

/// Which revisions are wanted, newest first.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct RevisionsQuery {
    /// The most entries; default 50.
    #[param(nullable = false, minimum = 1, maximum = 200)]
    pub limit: Option<u32>,
    /// Where to go on: `next_cursor` of the page before.
    #[param(nullable = false, minimum = 1, maximum = 2147483647)]
    pub cursor: Option<u64>,
}

/// A page of a template's history.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct RevisionsReply {
    /// The template.
    pub template: String,
    /// The revisions, newest first.
    pub revisions: Vec<RevisionEntry>,
    /// Where the next page begins; null when there is none.
    pub next_cursor: Option<u64>,
}

/// A revision in the history.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct RevisionEntry {
    /// Its number; the first is 1.
    pub revision: u64,
    /// SHA-256 of what it holds.
    pub content_hash: String,
    /// When it was stored.
    #[schema(format = DateTime)]
    pub created_at: String,
    /// How many steps it has.
    pub step_count: u64,
    /// Who published it.
    pub published: Publication,
}

/// Who published a revision.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Publication {
    /// `api`, or `start` where a start met rows that were changed by SQL, or a changed worker.
    #[schema(example = "api")]
    pub by: String,
    /// `api_key`, `worker`, `user` or `system`; null where the audit log does not say.
    pub actor_type: Option<String>,
    /// Which of them.
    pub actor: Option<String>,
    /// By which change.
    #[schema(example = "template.replaced")]
    pub change: Option<String>,
    /// The entry of the audit log.
    pub audit_id: Option<String>,
    /// By which request.
    pub request_id: Option<String>,
}

/// What a revision holds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct RevisionReply {
    /// Its place in the history.
    #[serde(flatten)]
    pub entry: RevisionEntry,
    /// The template as it was, without what is for people and no part of a revision.
    pub template: TemplateDocument,
    /// The workers as the registry had them, by name.
    #[schema(value_type = Value)]
    pub workers: Value,
    /// The templates that it reached, by name, as they were.
    #[schema(value_type = Value)]
    pub templates: Value,
}

/// Two revisions to compare.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct DiffQuery {
    /// The older one.
    #[param(minimum = 1, maximum = 2147483647)]
    pub from: u64,
    /// The newer one.
    #[param(minimum = 1, maximum = 2147483647)]
    pub to: u64,
}

/// What differs between two revisions.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct DiffReply {
    /// The template.
    pub template: String,
    /// The older revision.
    pub from: u64,
    /// The newer revision.
    pub to: u64,
    /// Whether both hold the same.
    pub identical: bool,
    /// What differs.
    #[serde(flatten)]
    pub difference: TemplateDifference,
}

/// What differs between two definitions.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct TemplateDifference {
    /// Attributes of the template.
    pub attributes: Vec<FieldDifference>,
    /// Its steps, by name: one that was renamed was removed and added.
    pub steps: PartsDifference,
    /// The workers that it names, by name, as the registry had them.
    pub workers: PartsDifference,
    /// The templates that it reaches, by name.
    pub templates: PartsDifference,
}

/// What differs between parts that have names.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PartsDifference {
    /// Those that only the newer has.
    pub added: Vec<String>,
    /// Those that only the older has.
    pub removed: Vec<String>,
    /// Those that both have, and that differ.
    pub changed: Vec<PartDifference>,
}

/// What differs in one part.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PartDifference {
    /// Its name.
    pub name: String,
    /// What differs.
    pub changes: Vec<FieldDifference>,
}

/// What differs in one place.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct FieldDifference {
    /// JSON pointer into the part.
    #[schema(example = "/retry_policy/max_retries")]
    pub pointer: String,
    /// How it was; null where there was nothing.
    #[schema(value_type = Value)]
    pub before: Value,
    /// How it became; null where there is nothing.
    #[schema(value_type = Value)]
    pub after: Value,
}

/// The revision to go back to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "revision": 3 }))]
pub struct RollbackRequest {
    /// Its number.
    #[schema(minimum = 1, maximum = 2147483647)]
    pub revision: u64,
}

/// The name of a copy.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "name": "quick_look_2" }))]
pub struct CloneRequest {
    /// Its name: a letter, then letters, digits, `_` or `-`.
    #[schema(min_length = 1, max_length = 64, pattern = "^[A-Za-z][A-Za-z0-9_-]*$")]
    pub name: String,
    /// What people call it; left out, the original's.
    #[schema(max_length = 200, pattern = "^[^\\x00-\\x1f\\x7f]*$")]
    pub display_name: Option<String>,
}
