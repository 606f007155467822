//! An execution as clients see it.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::Violation;

/// An execution, at its end or on its way.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(example = json!({
    "status": "completed", "pipeline_id": "pipe_1795255200000_0k4f0q9c8r1x2v7m3n5b6j8h9g",
    "template": "rss_intelligence_pipeline", "execution_strategy": "quality_optimized",
    "total_execution_time_ms": 456, "sources_discovered": 15, "articles_processed": 142,
    "total_cost_usd": 0.23, "final_quality_score": 0.87,
    "optimization_applied": ["parallel_processing"], "cache_hit": false,
    "pipeline_url": "/pipeline/pipe_1795255200000_0k4f0q9c8r1x2v7m3n5b6j8h9g",
    "pipeline": {
        "id": "pipe_1795255200000_0k4f0q9c8r1x2v7m3n5b6j8h9g", "topic": "artificial intelligence",
        "template_name": "rss_intelligence_pipeline", "template_revision": 3,
        "strategy": "quality_optimized", "status": "completed",
        "started_at": "2026-11-21T10:00:00.000Z", "completed_at": "2026-11-21T10:00:00.456Z",
        "optimizations": [{
            "name": "parallel_processing", "saved_ms": 140,
            "detail": "Steps were in progress at the same time: topic_research, source_curation"
        }],
        "worker_results": [{
            "step_order": 1, "step_name": "topic_research", "worker_name": "topic_researcher",
            "status": "succeeded", "success": true, "attempts": 1, "execution_time_ms": 12,
            "cost_usd": 0.02, "cache_hit": false, "communication_method": "service_binding",
            "data": {}, "error": null, "bottlenecks_detected": []
        }]
    }
}))]
pub struct PipelineReply {
    /// Where it stands.
    pub status: ExecutionStatus,
    /// Its id.
    #[schema(example = "pipe_1795255200000_0k4f0q9c8r1x2v7m3n5b6j8h9g")]
    pub pipeline_id: String,
    /// Its template.
    #[schema(example = "rss_intelligence_pipeline")]
    pub template: String,
    /// The label of its strategy.
    #[schema(example = "quality_optimized")]
    pub execution_strategy: String,
    /// From its start to its end, or until now.
    pub total_execution_time_ms: u64,
    /// How many sources `data.sources` holds.
    pub sources_discovered: u64,
    /// How many articles `data.articles` holds.
    pub articles_processed: u64,
    /// What it cost so far.
    pub total_cost_usd: f64,
    /// 0 to 1; docs/api-conventions.md has the formula. Null while nothing has a quality.
    pub final_quality_score: Option<f64>,
    /// What was done to be quicker, cheaper or better; only what really happened.
    pub optimization_applied: Vec<String>,
    /// Whether the result is that of an earlier identical request.
    pub cache_hit: bool,
    /// Where it can be read.
    #[schema(example = "/pipeline/pipe_1795255200000_0k4f0q9c8r1x2v7m3n5b6j8h9g")]
    pub pipeline_url: String,
    /// The execution that this one does again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub restarted_from: Option<String>,
    /// It and its steps.
    pub pipeline: Pipeline,
}

/// An execution and its steps.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Pipeline {
    /// Its id.
    pub id: String,
    /// What it is about.
    pub topic: Option<String>,
    /// Its template.
    pub template_name: String,
    /// The number of the template's revision.
    pub template_revision: u64,
    /// The label of its strategy.
    pub strategy: String,
    /// Where it stands.
    pub status: ExecutionStatus,
    /// When it was asked for.
    #[schema(format = DateTime)]
    pub started_at: String,
    /// When it ended.
    #[schema(format = DateTime)]
    pub completed_at: Option<String>,
    /// Why it did not complete; only with a credential.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<Value>,
    /// What was done to be quicker, cheaper or better, with what it saved.
    #[serde(default)]
    pub optimizations: Vec<OptimizationReport>,
    /// Its steps, in order.
    pub worker_results: Vec<StepResult>,
}

/// Something that was done to be quicker, cheaper or better.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct OptimizationReport {
    /// The word in `optimization_applied`.
    #[schema(example = "parallel_processing")]
    pub name: String,
    /// What happened.
    #[schema(example = "Steps were in progress at the same time: topic_research, source_curation")]
    pub detail: String,
    /// What it saved, by the registry's estimates or what an earlier execution paid; left out where
    /// nobody knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub saved_cost_usd: Option<f64>,
    /// The time that it saved; left out where nobody knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub saved_ms: Option<u64>,
}

/// A step as far as it is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct StepResult {
    /// Its place among the template's steps.
    pub step_order: i64,
    /// Its name.
    pub step_name: String,
    /// The worker that did it, or is to do it; null for a step without a worker.
    pub worker_name: Option<String>,
    /// Where it stands.
    pub status: StepStatus,
    /// Whether it succeeded.
    pub success: bool,
    /// How often it was tried.
    pub attempts: u32,
    /// From its first attempt to its end.
    pub execution_time_ms: u64,
    /// What its attempts cost.
    pub cost_usd: f64,
    /// Whether its output is that of an earlier execution.
    pub cache_hit: bool,
    /// How the worker is reached.
    pub communication_method: CommunicationMethod,
    /// Why it was left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub skip_reason: Option<String>,
    /// What its tool returned under `artifacts`; left out where it returned none, and without a
    /// credential.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub artifacts: Option<StepArtifacts>,
    /// Its output; only with a credential.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "present")]
    #[schema(required = false)]
    pub data: Option<Value>,
    /// What went wrong; null when nothing did; only with a credential.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "present")]
    #[schema(required = false)]
    pub error: Option<Value>,
    /// What held the execution up in this step.
    pub bottlenecks_detected: Vec<String>,
}

/// What became of the artifacts that a tool returned.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct StepArtifacts {
    /// The ids under which they are recorded, a moment after the execution has ended or waits.
    pub recorded: Vec<String>,
    /// What could not be recorded, and why, with pointers into the output. It fails no step.
    pub refused: Vec<Violation>,
}

/// `Some(Null)` is a field that is null, `None` one that is left out.
mod present {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};
    use serde_json::Value;

    pub fn serialize<S: Serializer>(value: &Option<Value>, to: S) -> Result<S::Ok, S::Error> {
        value.as_ref().unwrap_or(&Value::Null).serialize(to)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Value>, D::Error> {
        Value::deserialize(from).map(Some)
    }
}

/// Where an execution stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ExecutionStatus {
    /// Asked for, not begun.
    Pending,
    /// In progress.
    Running,
    /// Nothing can be done before a moment or a signal comes.
    Waiting,
    /// Held by an operator or a limit.
    Paused,
    /// Every required step succeeded.
    Completed,
    /// Some required step failed and the rest was settled.
    Partial,
    /// It ended without its result.
    Failed,
    /// It was called off.
    Cancelled,
}

/// Where a step stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum StepStatus {
    /// What it depends on is not settled.
    Pending,
    /// It could start.
    Ready,
    /// An attempt is in flight.
    Running,
    /// An attempt failed; another one is due.
    Retrying,
    /// It waits for a moment, a signal or a person.
    Waiting,
    /// It has its output.
    Succeeded,
    /// It was left out.
    Skipped,
    /// It failed for good.
    Failed,
    /// The execution ended before it did.
    Cancelled,
    /// It had succeeded and was undone.
    Compensated,
}

/// How a worker is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum CommunicationMethod {
    /// Over a service binding.
    ServiceBinding,
    /// By URL.
    Http,
    /// Not at all: the step is done by the orchestrator itself.
    Internal,
}
