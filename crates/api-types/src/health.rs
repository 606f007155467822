//! How the pipelines' parts are: workers, and what the orchestrator itself needs.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::WorkerHealth;

/// How fresh the answer must be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct PipelineHealthQuery {
    /// Checks the workers now instead of telling what was found within the last
    /// `WORKER_HEALTH_CACHE_TTL` seconds; a worker that was checked within the last 10 seconds is
    /// not checked again.
    #[param(nullable = false)]
    pub fresh: Option<bool>,
}

/// How the pipelines' parts are.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PipelineHealthReply {
    /// The overall verdict.
    pub status: HealthVerdict,
    /// When, in ISO 8601 UTC.
    #[schema(format = DateTime)]
    pub timestamp: String,
    /// Why the verdict is not `healthy`, each in one sentence; empty when it is.
    pub reasons: Vec<String>,
    /// What the orchestrator itself needs: `d1`, `kv`, `r2`, `queue` and `journal`.
    pub components: Vec<ComponentHealth>,
    /// The active workers, by name.
    pub workers: Vec<WorkerStanding>,
    /// What the shards have in hand, as the last sweep found it; null while there was none.
    pub journals: Option<JournalsStanding>,
}

/// An overall verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum HealthVerdict {
    /// Everything is as it should be.
    Healthy,
    /// Executions are started and come to an end, but something needs attention.
    Degraded,
    /// Executions cannot be started, or cannot succeed.
    Unhealthy,
}

/// A part of the platform that was tried.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ComponentHealth {
    /// Which.
    #[schema(example = "d1")]
    pub name: String,
    /// What the trial found: `degraded` is slow or incomplete, `unhealthy` gave no answer.
    pub status: HealthVerdict,
    /// How long the answer took; null when there was none.
    pub latency_ms: Option<u64>,
    /// What is wrong, in one sentence.
    pub detail: Option<String>,
    /// When it was tried; within the last 10 seconds.
    #[schema(format = DateTime)]
    pub checked_at: String,
}

/// A worker, and how its calls went for the caller's account.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct WorkerStanding {
    /// Its name in the registry.
    #[schema(example = "topic_researcher")]
    pub worker_name: String,
    /// What the last check found.
    pub status: WorkerHealth,
    /// How long its answer took; null when there was none, or nobody knows.
    pub latency_ms: Option<u64>,
    /// When it was checked; null when it never was.
    #[schema(format = DateTime)]
    pub checked_at: Option<String>,
    /// Calls of the last 24 hours, whole hours (UTC).
    pub calls_24h: u64,
    /// The share of them that did not fail, 0 to 1; null when there were none.
    pub success_rate_24h: Option<f64>,
    /// Where the account's circuit breaker for it stands; null when the account's Governor did not
    /// answer.
    pub breaker: Option<BreakerState>,
    /// Until when the breaker stays open.
    #[schema(format = DateTime)]
    pub breaker_open_until: Option<String>,
}

/// Where a circuit breaker stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum BreakerState {
    /// Every call may begin.
    Closed,
    /// None may.
    Open,
    /// One may, as a probe.
    HalfOpen,
}

/// What the shards of the journals have in hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct JournalsStanding {
    /// How many seconds ago it was found.
    pub age_s: u64,
    /// How many shards there are.
    pub shards: u64,
    /// How many of them answered.
    pub shards_answered: u64,
    /// Executions that have not ended.
    pub executions_open: u64,
    /// Of these, executions that a driver works at.
    pub executions_driven: u64,
    /// Of these, executions that wait for a moment or a message.
    pub executions_parked: u64,
    /// Of these, executions that need a driver: a message for each is in the queue.
    pub executions_due: u64,
    /// Of those, the ones that have waited for a driver for more than 5 seconds.
    pub executions_stalled: u64,
    /// Executions that the database does not show as they are yet, at most.
    pub projections_behind: u64,
}
