//! What the orchestrator says about itself.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The front page.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct RootReply {
    /// Always `bitware-orchestrator`.
    pub service: String,
    /// Its version.
    #[schema(example = "0.1.0")]
    pub version: String,
    /// What it is.
    pub description: String,
    /// Where to go on.
    pub links: Vec<String>,
}

/// How to use the orchestrator.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct HelpReply {
    /// Always `bitware-orchestrator`.
    pub service: String,
    /// Its version.
    pub version: String,
    /// Always `dynamic_database_driven`: pipelines are rows in a database.
    #[schema(example = "dynamic_database_driven")]
    pub orchestrator_type: String,
    /// What it is.
    pub description: String,
    /// What callers identify themselves with.
    pub authentication: Vec<Credential>,
    /// Every endpoint.
    pub endpoints: Vec<Endpoint>,
    /// The OpenAPI document.
    pub documentation: String,
}

/// One way to identify oneself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Credential {
    /// Who uses it.
    pub audience: String,
    /// The headers that carry it.
    pub headers: Vec<String>,
}

/// One endpoint.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Endpoint {
    /// The method.
    pub method: String,
    /// The path; a part in braces stands for a value.
    pub path: String,
    /// Who may call it.
    pub audience: String,
    /// What it does.
    pub summary: String,
}

/// How the orchestrator is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct HealthReply {
    /// `ok`, or `degraded` when something in `problems` or a worker needs attention.
    pub status: HealthStatus,
    /// Always `bitware-orchestrator`.
    pub service: String,
    /// Its version.
    pub version: String,
    /// The environment that it is deployed in.
    pub environment: String,
    /// When, in ISO 8601 UTC.
    #[schema(format = DateTime)]
    pub timestamp: String,
    /// What is missing or wrong, each in one sentence without a value.
    pub problems: Vec<String>,
    /// The workers, as the last check found them.
    pub workers: Vec<WorkerHealthEntry>,
}

/// An overall verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum HealthStatus {
    /// Everything is as it should be.
    Ok,
    /// It serves, but something needs attention.
    Degraded,
}

/// A worker, as the last check found it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct WorkerHealthEntry {
    /// Its name in the registry.
    pub worker_name: String,
    /// What the check found.
    pub status: crate::WorkerHealth,
    /// How long its answer took.
    pub latency_ms: Option<u64>,
    /// When the check was made.
    #[schema(format = DateTime)]
    pub checked_at: Option<String>,
}

/// Whether the orchestrator can do its work.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct LivenessReply {
    /// `ok`.
    #[schema(example = "ok")]
    pub status: String,
}
