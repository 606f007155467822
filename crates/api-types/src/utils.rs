//! Utilities: how the orchestrator is, what it is, and whether what somebody wrote is valid.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::{HealthStatus, Violation};

/// How the orchestrator is, in short.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(example = json!({
    "status": "ok", "ready": true, "problems": [], "timestamp": "2026-11-21T10:00:00.000Z"
}))]
pub struct HealthCheckReply {
    /// `ok`, or `degraded` when something in `problems` or a worker needs attention: what
    /// `/health` says.
    pub status: HealthStatus,
    /// Whether it can do its work: what `/healthz` says. Where it cannot, the answer is 503.
    pub ready: bool,
    /// What is missing or wrong, each in one sentence without a value.
    pub problems: Vec<String>,
    /// When, in ISO 8601 UTC.
    #[schema(format = DateTime)]
    pub timestamp: String,
}

/// What the orchestrator is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(example = json!({
    "name": "bitware-orchestrator", "version": "0.1.0", "environment": "production",
    "build": { "profile": "release", "target": "wasm32-unknown-unknown" },
    "schema_version": 14, "schema_version_needed": 14, "journal_shards": 256
}))]
pub struct InfoReply {
    /// Always `bitware-orchestrator`.
    pub name: String,
    /// Its version.
    pub version: String,
    /// The environment that it is deployed in.
    pub environment: String,
    /// How it was built.
    pub build: BuildInfo,
    /// The newest migration that the database has; null where the database does not answer.
    pub schema_version: Option<u64>,
    /// The newest migration that this build needs.
    pub schema_version_needed: u64,
    /// How many journals there are.
    pub journal_shards: u32,
}

/// How a build was made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BuildInfo {
    /// `release` with optimisations, else `debug`.
    #[schema(example = "release")]
    pub profile: String,
    /// What it was built for.
    #[schema(example = "wasm32-unknown-unknown")]
    pub target: String,
}

/// What something is said to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ValidationKind {
    /// A template's document, as `/admin/templates` takes it.
    Template,
    /// A JSON Schema (2020-12), as tools take it.
    Schema,
    /// An expression: CEL, with or without the sign `=`, or a JSONPath that begins with `$`.
    Expression,
    /// A step's condition: CEL, true, false or an object of counts.
    Condition,
    /// A mapping: literals, JSONPaths and `=` expressions within any JSON.
    Mapping,
    /// A cron line of five fields.
    Cron,
}

/// Something that may be valid.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "kind": "cron", "value": "0 3 * * 1-5" }))]
pub struct ValidateRequest {
    /// What it is said to be.
    pub kind: ValidationKind,
    /// It.
    #[schema(value_type = Value)]
    pub value: Value,
}

/// Whether it is valid.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(example = json!({
    "kind": "cron", "valid": true, "violations": [], "warnings": [],
    "next": ["2026-11-23T03:00:00.000Z", "2026-11-24T03:00:00.000Z"]
}))]
pub struct ValidateReply {
    /// What it was said to be.
    pub kind: ValidationKind,
    /// Whether it is that.
    pub valid: bool,
    /// What is wrong, with pointers into the body that was sent: the first thousand.
    pub violations: Vec<Violation>,
    /// What may not be meant.
    pub warnings: Vec<Violation>,
    /// Of a cron line: its next moments, in UTC.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub next: Option<Vec<String>>,
}

/// What came in.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(example = json!({
    "method": "POST", "path": "/api/v1/utils/echo", "query": "a=1",
    "headers": { "content-type": "application/json" }, "body": { "hello": "world" }
}))]
pub struct EchoReply {
    /// The method.
    pub method: String,
    /// The path.
    pub path: String,
    /// The query, as it was sent.
    pub query: Option<String>,
    /// The headers, without those that are or may be credentials.
    #[schema(value_type = Object)]
    pub headers: std::collections::BTreeMap<String, String>,
    /// The body; null where there was none.
    #[schema(value_type = Value)]
    pub body: Value,
}
