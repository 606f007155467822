//! What does not fit, in the form that clients of the registry know from FastAPI services.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Violation;

/// The body of a 422 of the tool registry: the error form of all endpoints, where `detail` is a
/// list.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ValidationReply {
    /// Always `error`.
    #[schema(pattern = "^error$")]
    pub status: String,
    /// What happened, in the words of the contract.
    pub error: String,
    /// Everything that does not fit, each with its place.
    pub detail: Vec<InvalidField>,
    /// A stable code, for programs; docs/errors.md lists all of them.
    pub code: String,
    /// The id of this request, as in the header `X-Request-ID` and in the logs.
    pub request_id: String,
    /// When, in ISO 8601 UTC.
    #[schema(format = DateTime)]
    pub timestamp: String,
    /// The same as `detail`, as all endpoints say it.
    pub violations: Vec<Violation>,
    /// What may help.
    pub retry_suggestions: Vec<String>,
}

/// One thing that does not fit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct InvalidField {
    /// Where: `body`, `query` or `path`, and the way from there.
    #[schema(example = json!(["body", "name"]))]
    pub loc: Vec<LocationPart>,
    /// What is wrong, and what would be right.
    pub msg: String,
    /// What kind of mistake it is, in pydantic's words.
    #[serde(rename = "type")]
    #[schema(example = "missing")]
    pub kind: String,
}

/// A part of the way to a field.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(untagged)]
pub enum LocationPart {
    /// The place in a list, counted from 0.
    Index(u64),
    /// The name of a field.
    Name(String),
}
