//! What an execution will cost and how long it will take, told without starting it.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A plan of an execution that is not started.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(example = json!({
    "template": "rss_intelligence_pipeline", "template_revision": 3,
    "execution_strategy": "cost_optimized",
    "terms": {
        "max_parallel_steps": 2, "worker_choice": "cheapest", "skip_optional_steps": true,
        "use_cache": true, "use_step_cache": true, "max_retries": 1, "priority": 1,
        "deadline_ms": 180000, "attempt_timeout_ms": 60000
    },
    "cost": {
        "least_usd": 0.05, "expected_usd": 0.05, "high_usd": 0.06, "worst_usd": 0.1,
        "is_complete": true
    },
    "time": {
        "least_ms": 1200, "expected_ms": 1200, "high_ms": 2100, "worst_ms": 42000,
        "is_complete": true
    },
    "budget": { "limit_usd": 0.5, "verdict": "enough" },
    "deadline": { "limit_ms": 180000, "verdict": "enough" },
    "critical_path": [{ "step_name": "topic_research", "time_ms": 1200, "share": 1.0 }],
    "statistics": {
        "executions_max": 100, "samples_min": 5, "steps_by_step": 1, "steps_by_worker": 0,
        "steps_by_registry": 0
    },
    "steps": [{
        "step_order": 1, "step_name": "topic_research", "kind": "worker", "fate": "certain",
        "reason": null,
        "depends_on_steps": [], "worker_name": "topic_researcher", "alternatives": [],
        "fallback_worker": null, "cost_usd": 0.05, "worst_cost_usd": 0.1, "per_element": false,
        "max_attempts": 2, "time_ms": 1200, "worst_time_ms": 41000, "starts_ms": 0, "ends_ms": 1200,
        "figures": {
            "from": "step", "samples": 42, "time_p50_ms": 1200, "time_p95_ms": 2100,
            "cost_p50_usd": 0.05, "cost_p95_usd": 0.06
        }
    }],
    "strategies": [{
        "optimize_for": "speed", "execution_strategy": "speed_optimized", "least_cost_usd": 0.08,
        "expected_cost_usd": 0.08, "worst_cost_usd": 0.16, "expected_time_ms": 900,
        "deadline_ms": 90000, "budget_verdict": "enough"
    }]
}))]
pub struct PlanReply {
    /// The template.
    pub template: String,
    /// The number of its revision.
    pub template_revision: u64,
    /// The label of the strategy.
    pub execution_strategy: String,
    /// What the request's labels come to.
    pub terms: PlannedTerms,
    /// Money.
    pub cost: PlannedCost,
    /// Active time.
    pub time: PlannedTime,
    /// Whether the budget is enough.
    pub budget: BudgetVerdict,
    /// Whether the deadline is enough.
    pub deadline: DeadlineVerdict,
    /// The steps that the expected time is made of, in order: each begins when the one before it
    /// ends.
    pub critical_path: Vec<PlannedPathStep>,
    /// What the expected figures rest on.
    pub statistics: PlannedStatistics,
    /// The steps, in the order in which they would start.
    pub steps: Vec<PlannedStep>,
    /// What the same request would come to under each strategy.
    pub strategies: Vec<PlannedStrategy>,
}

/// What the labels of a request come to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PlannedTerms {
    /// The most steps in progress at the same time.
    pub max_parallel_steps: u32,
    /// Which of several workers that can do the same is asked.
    pub worker_choice: WorkerChoice,
    /// Whether optional steps are left out.
    pub skip_optional_steps: bool,
    /// Whether a stored result of an identical request is used.
    pub use_cache: bool,
    /// Whether stored answers of single steps are used.
    pub use_step_cache: bool,
    /// The most retries of a step; null leaves them as the steps have them.
    pub max_retries: Option<u32>,
    /// Who is admitted first: the higher.
    pub priority: i64,
    /// The longest the execution may be active.
    pub deadline_ms: u64,
    /// The longest that one attempt may take.
    pub attempt_timeout_ms: u64,
}

/// Which of several workers that can do the same is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum WorkerChoice {
    /// The one that the step names first.
    Declared,
    /// The one with the lowest estimated cost.
    Cheapest,
    /// The one with the lowest average response time.
    Fastest,
    /// The one with the highest quality score.
    Best,
}

/// A step on the critical path.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PlannedPathStep {
    /// Its name.
    pub step_name: String,
    /// How long it is expected to take.
    pub time_ms: u64,
    /// Its share of the expected time, 0 to 1.
    pub share: f64,
}

/// What the expected figures rest on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PlannedStatistics {
    /// How many of the newest executions of the account are looked at: of the template, and of all.
    pub executions_max: u64,
    /// Of how many samples a figure is made at least.
    pub samples_min: u64,
    /// How many steps have figures of their own past.
    pub steps_by_step: u64,
    /// How many have those of other steps that their worker did.
    pub steps_by_worker: u64,
    /// How many have those of the registry.
    pub steps_by_registry: u64,
}

/// Where the figures of a step come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum FiguresFrom {
    /// From this step, as its worker did it in earlier executions of the template.
    Step,
    /// From other steps that the same worker did.
    Worker,
    /// From the registry: too little was measured.
    Registry,
    /// The step asks nobody.
    Nobody,
}

/// What was measured of a step, all attempts together, and of a map all elements.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PlannedFigures {
    /// Where the figures come from.
    pub from: FiguresFrom,
    /// How often it was measured.
    pub samples: u64,
    /// Half of all took no longer; null where nothing was measured.
    pub time_p50_ms: Option<u64>,
    /// Of 20, 19 took no longer.
    pub time_p95_ms: Option<u64>,
    /// Half of all cost no more.
    pub cost_p50_usd: Option<f64>,
    /// Of 20, 19 cost no more.
    pub cost_p95_usd: Option<f64>,
}

/// What an execution would cost: at least and at most by the registry's estimates, by which budgets
/// are kept; what is expected by what was measured, where it was.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PlannedCost {
    /// What an execution without faults spends at least; a smaller budget is refused with 402.
    pub least_usd: f64,
    /// What it spends when every step that may be done is done, each at its first attempt.
    pub expected_usd: f64,
    /// The same where every step that was measured costs what 19 of 20 cost at most.
    pub high_usd: f64,
    /// What it can spend at most; null where nothing but the budget limits it.
    pub worst_usd: Option<f64>,
    /// Whether `expected_usd` knows the cost of every step: of a map that was never measured nobody
    /// knows the elements.
    pub is_complete: bool,
}

/// How long an execution would be active. What waits for a moment, a signal or another execution
/// counts as nothing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PlannedTime {
    /// What the steps that are certain take, one after the other where they depend on each other.
    pub least_ms: u64,
    /// The expected time; steps whose length nobody knows count as nothing.
    pub expected_ms: u64,
    /// The same where every step that was measured takes what 19 of 20 take at most.
    pub high_ms: u64,
    /// The longest it can take, all retries included, if no deadline ended it; null where nothing
    /// else would.
    pub worst_ms: Option<u64>,
    /// Whether `expected_ms` knows the length of every step.
    pub is_complete: bool,
}

/// Whether a limit is enough.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It is, in the worst case too.
    Enough,
    /// It is as long as what is expected comes about.
    Tight,
    /// It is less than what is expected; an execution that skips or caches something may fit.
    Short,
    /// It cannot be enough.
    TooSmall,
}

/// The budget, and whether it is enough.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct BudgetVerdict {
    /// The most that the execution may spend.
    pub limit_usd: f64,
    /// `too_small` is what `POST /orchestrate` refuses.
    pub verdict: Verdict,
}

/// The deadline, and whether it is enough.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct DeadlineVerdict {
    /// The longest that the execution may be active.
    pub limit_ms: u64,
    /// Never `too_small`: times are averages.
    pub verdict: Verdict,
}

/// Whether a step would be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum StepFate {
    /// It would be done.
    Certain,
    /// Its condition decides.
    Conditional,
    /// It would be done, unless others that race with it are done first.
    Raced,
    /// What it depends on decides.
    Uncertain,
    /// The strategy or the quality level leaves it out, because it is optional.
    LeftOut,
    /// It cannot be done: too much of what it waits for is left out.
    Unreachable,
}

/// A step of a plan.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PlannedStep {
    /// Its place among its siblings where nothing else decides.
    pub step_order: i64,
    /// Its name.
    pub step_name: String,
    /// What doing it means.
    pub kind: String,
    /// Whether it would be done.
    pub fate: StepFate,
    /// Why it may not be; null for a step that is certain.
    pub reason: Option<String>,
    /// The steps that it waits for.
    pub depends_on_steps: Vec<String>,
    /// Who would be asked; null for a step without a worker.
    pub worker_name: Option<String>,
    /// The other workers that could be.
    pub alternatives: Vec<String>,
    /// Who is asked when all attempts have failed.
    pub fallback_worker: Option<String>,
    /// What one attempt costs.
    pub cost_usd: f64,
    /// What it can cost at most; null where nothing but the budget limits it.
    pub worst_cost_usd: Option<f64>,
    /// Whether cost and attempts are those of one element of many.
    pub per_element: bool,
    /// How often it may be tried, the fallback's attempts included.
    pub max_attempts: u32,
    /// How long it is expected to take; null when nobody knows.
    pub time_ms: Option<u64>,
    /// How long it can take; null where only the deadline ends it.
    pub worst_time_ms: Option<u64>,
    /// When it is expected to start, from the start of the execution.
    pub starts_ms: u64,
    /// When it is expected to end, from the start of the execution.
    pub ends_ms: u64,
    /// What was measured of it.
    pub figures: PlannedFigures,
}

/// What a request would come to under one strategy.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PlannedStrategy {
    /// The word for `optimize_for`.
    pub optimize_for: String,
    /// The label of the strategy.
    pub execution_strategy: String,
    /// See [`PlannedCost::least_usd`].
    pub least_cost_usd: f64,
    /// See [`PlannedCost::expected_usd`].
    pub expected_cost_usd: f64,
    /// See [`PlannedCost::worst_usd`].
    pub worst_cost_usd: Option<f64>,
    /// See [`PlannedTime::expected_ms`].
    pub expected_time_ms: u64,
    /// The longest the execution may be active.
    pub deadline_ms: u64,
    /// Whether the budget is enough.
    pub budget_verdict: Verdict,
}
