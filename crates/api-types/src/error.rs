//! The form of every error.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The body of every reply with a status of 400 or above.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(example = json!({
    "status": "error", "error": "The request does not fit",
    "detail": "/budget_limit: -1 is less than the minimum of 0", "code": "request.invalid",
    "request_id": "0193-…", "timestamp": "2026-11-21T10:00:00.000Z",
    "violations": [{
        "pointer": "/budget_limit", "code": "minimum",
        "message": "-1 is less than the minimum of 0"
    }],
    "retry_suggestions": ["Correct the fields under violations."]
}))]
pub struct ErrorReply {
    /// Always `error`.
    #[schema(pattern = "^error$")]
    pub status: String,
    /// What happened, in the words of the contract.
    pub error: String,
    /// The same for a person, with the particulars.
    pub detail: String,
    /// A stable code, for programs; docs/errors.md lists all of them.
    pub code: String,
    /// The id of this request, as in the header `X-Request-ID` and in the logs.
    pub request_id: String,
    /// When, in ISO 8601 UTC.
    #[schema(format = DateTime)]
    pub timestamp: String,
    /// The execution that the error concerns.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub pipeline_id: Option<String>,
    /// Where that execution can be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub pipeline_url: Option<String>,
    /// How the thing stands that a change was meant of, where it is another than the caller knew.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>, nullable = false)]
    pub current: Option<serde_json::Value>,
    /// Everything that does not fit, each with its place.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    pub violations: Vec<Violation>,
    /// What may help.
    pub retry_suggestions: Vec<String>,
}

/// One thing that does not fit.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
pub struct Violation {
    /// JSON pointer (RFC 6901) to the field; empty for the whole document.
    pub pointer: String,
    /// A stable code: the JSON Schema keyword, or a code of its own.
    pub code: String,
    /// What is wrong, and what would be right.
    pub message: String,
}
