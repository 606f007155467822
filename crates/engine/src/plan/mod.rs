//! Templates: the definition as data, and the plan that cannot be invalid.
//!
//! [`Plan::compile`] is the only way to a plan. It reports all that is wrong with a definition
//! together, each violation with a JSON pointer to the field; what it returns needs no further
//! checks: names are unique, dependencies exist and form no cycle, expressions are compiled.

pub mod approval;
mod assemble;
mod compile;
pub mod definition;
mod estimate;
mod graph;
mod moment;
mod nested;
mod price;
mod retry;
mod schema;
mod tool;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::expr::{Condition, Mapping};
use crate::money::MicroUsd;
use crate::time::Millis;
pub use approval::Approval;
pub use compile::overlooked;
use definition::FailureTolerance;
pub use estimate::{CostEstimate, Estimate, Fate, Figures, Measured, StepEstimate, TimeEstimate};
pub use graph::StepSet;
pub use moment::moment;
pub use price::unpriced;
pub use retry::{DELAY_MAX, RETRIES_DEFAULT, RETRIES_MAX, RetryPolicy};
pub use schema::{Fits, NoSchemas, Schema, Schemas};
pub use tool::{LeftOut, Tool, unavailable, unusable};

/// The most steps a template may have.
pub const STEPS_MAX: usize = 2_000;
/// The longest attempt a step may ask for: the 15 minutes of a queue consumer, less a reserve.
pub const ATTEMPT_MAX: Millis = Millis::from_secs(14 * 60);
/// The most elements that a map goes through.
pub const ELEMENTS_MAX: u32 = 10_000;
/// The most elements of a map in progress at the same time.
pub const CONCURRENCY_MAX: u32 = 1_000;
/// The longest that the answer of a call may serve for the same call: 30 days.
pub const MEMO_MAX_S: u64 = 30 * 24 * 3600;

/// The place of a step in its plan: dependencies stand before their dependents.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StepIndex(pub u32);

impl StepIndex {
    /// The index as a position in [`Plan::steps`].
    pub fn position(self) -> usize {
        self.0 as usize
    }
}

/// One thing that is wrong with a definition or a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Violation {
    /// JSON pointer (RFC 6901) to the field.
    pub pointer: String,
    /// A stable code.
    pub code: String,
    /// What is wrong, and what would be right.
    pub message: String,
}

/// A template that can be executed.
#[derive(Debug)]
pub struct Plan {
    /// The template's name.
    pub name: String,
    /// What becomes of an execution when a required step fails.
    pub failure_tolerance: FailureTolerance,
    /// Whether independent steps may be in progress at the same time.
    pub allow_parallel: bool,
    /// The steps; dependencies stand before their dependents.
    pub steps: Vec<Step>,
    /// The execution's result; `None` for the whole of `data`.
    pub output: Option<Mapping>,
    /// The longest the template may take.
    pub deadline: Option<Millis>,
    by_name: BTreeMap<String, StepIndex>,
}

/// Two plans are equal when they are the same one: states are compared over one plan.
impl PartialEq for Plan {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self, other)
    }
}

/// A step that can be done.
#[derive(Debug)]
pub struct Step {
    /// The name, unique within the plan.
    pub name: String,
    /// The place among its siblings where nothing else decides.
    pub order: i64,
    /// What doing the step means.
    pub kind: Kind,
    /// Steps that must be settled first: those that it requires and, where the template allows no
    /// parallelism, the one before it.
    pub dependencies: Vec<StepIndex>,
    /// Steps that the template names as its dependencies: one that fails takes this one along.
    pub required: Vec<StepIndex>,
    /// Steps that wait for this one.
    pub dependents: Vec<StepIndex>,
    /// All steps that this one depends on, directly or through others: what it can see.
    pub ancestors: StepSet,
    /// A step whose condition is false is skipped.
    pub condition: Option<Condition>,
    /// What the worker is sent, or what a transform produces.
    pub input: Option<Mapping>,
    /// What goes from the output into `data`; `None` for each top-level field.
    pub output: Option<Mapping>,
    /// An optional step that fails is skipped.
    pub optional: bool,
    /// How failed attempts are repeated.
    pub retry: RetryPolicy,
    /// How many of the required steps must be done before this one may start.
    pub join: Join,
    /// What becomes of required steps that the join did not wait for.
    pub losers: Losers,
    /// The longest the step may wait, once it could start, for a slot, a gate or the budget.
    pub queue_timeout: Option<Millis>,
    /// What undoes the step when the execution fails or is cancelled after it succeeded.
    pub compensation: Option<Box<Compensation>>,
}

/// How many of the required steps must be done before a step may start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Join {
    /// All are settled.
    #[default]
    All,
    /// So many have succeeded; 1 is `any`.
    Some(u32),
}

/// What becomes of required steps that a join did not wait for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Losers {
    /// They go on; the step does not see what they produce.
    #[default]
    Continue,
    /// They are called off, and with them what only they need.
    Cancel,
}

/// The call that undoes a step.
#[derive(Debug)]
pub struct Compensation {
    /// Who is asked.
    pub target: Target,
    /// What it is sent, over what the step sees and its `output`; absent, that output.
    pub input: Option<Mapping>,
    /// How failed attempts are repeated.
    pub retry: RetryPolicy,
}

/// What doing a step means.
#[derive(Debug)]
pub enum Kind {
    /// One HTTP call of a worker.
    Worker(Box<Call>),
    /// A mapping only: no call, no cost.
    Transform,
    /// One call for each element of an array.
    Map(Box<Each>),
    /// A moment, a signal or an approval.
    Wait(Box<Wait>),
    /// Another template, as an execution of its own.
    Pipeline(Box<Sub>),
    /// One HTTP call of a registered tool.
    Tool(Box<Call>),
}

/// A call of a worker or a tool.
#[derive(Debug)]
pub struct Call {
    /// Who is asked.
    pub primary: Target,
    /// Workers that can do the same: the strategy chooses among them and the first.
    pub alternatives: Vec<Target>,
    /// Who is asked when the first one's attempts are used up.
    pub fallback: Option<Target>,
    /// Tools that the step names and that could not be called when it was snapshotted.
    pub left_out: Vec<LeftOut>,
    /// Why nobody can be asked: every tool that could do the step is left out.
    pub unavailable: Option<String>,
    /// How long an answer serves for the same call, across the executions of an account.
    pub memo: Option<Millis>,
    /// The longest silence of a worker that has answered 202 and works on.
    pub heartbeat: Millis,
    /// The longest that such a worker may take in all.
    pub accepted_max: Millis,
}

/// One call for each element of an array.
#[derive(Debug)]
pub struct Each {
    /// What is called.
    pub call: Call,
    /// The array.
    pub items: Mapping,
    /// The most elements in progress at the same time; absent, as many as the driver can.
    pub concurrency: Option<u32>,
    /// How many elements may fail.
    pub tolerated: Tolerated,
}

/// How many elements of a map may fail before the step does.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Tolerated {
    /// So many.
    Count(u32),
    /// This share of all, 0 to 1.
    Share(f64),
}

/// What a `wait` waits for.
#[derive(Debug)]
pub struct Wait {
    /// What ends it.
    pub of: Awaited,
    /// How long a signal may take to come; absent, the limit of waiting executions.
    pub timeout: Option<Millis>,
    /// Whether the step succeeds, with `{"timed_out": true}`, when the signal does not come.
    pub continues: bool,
    /// What the task asks that an approval opens.
    pub asks: Option<Box<Approval>>,
}

/// What ends a wait.
#[derive(Debug)]
pub enum Awaited {
    /// Time.
    Delay(Millis),
    /// A moment: Unix milliseconds or RFC 3339 text.
    Until(Mapping),
    /// A signal of this name.
    Signal(String),
    /// A signal of this name that says `{"approved": true}`; any other fails the step.
    Approval(String),
}

/// Another template, as an execution of its own.
#[derive(Debug)]
pub struct Sub {
    /// The template's name, a key of [`definition::TemplateDefinition::templates`].
    pub template: String,
    /// The least that an execution of it costs by the estimates.
    pub cost_min: MicroUsd,
    /// What it may spend of this execution's budget; absent, what is left.
    pub budget: Option<MicroUsd>,
    /// Whether an execution that ends `partial` counts as done.
    pub accepts_partial: bool,
}

/// Where a call goes.
#[derive(Clone, Debug, PartialEq)]
pub struct Target {
    /// The worker's `worker_name`; a tool is known as [`Tool::key`].
    pub worker: String,
    /// How it is reached.
    pub address: Address,
    /// The path of the operation.
    pub endpoint: String,
    /// Default values of the request body.
    pub defaults: Map<String, Value>,
    /// What one call is expected to cost.
    pub estimated_cost: Option<MicroUsd>,
    /// How long one call is expected to take.
    pub expected: Option<Millis>,
    /// The longest one attempt may take, where step or worker say so.
    pub timeout: Option<Millis>,
    /// How good its results are, 0 to 1, where the registry says so.
    pub quality: Option<f64>,
    /// The worker's version.
    pub version: String,
    /// What calls of the worker must pass.
    pub gate: Gate,
    /// The tool, where it is one.
    pub tool: Option<Box<Tool>>,
}

/// What calls of a worker must pass, all executions of an account together.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Gate {
    /// The most calls in progress at the same time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub concurrency_max: Option<u32>,
    /// The most calls that begin within a minute.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub per_minute_max: Option<u32>,
    /// When the breaker opens; absent, by the defaults of [`BreakerPolicy`].
    #[serde(default)]
    pub breaker: BreakerPolicy,
}

impl Gate {
    /// Whether each call must ask before it begins.
    pub fn must_be_asked(&self) -> bool {
        self.concurrency_max.is_some() || self.per_minute_max.is_some()
    }
}

/// When a worker's circuit breaker opens, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BreakerPolicy {
    /// Failures in a row that open it; 0, it never opens.
    pub failures: u32,
    /// The share of failed calls that opens it, 0 to 1, where enough calls were made.
    pub failure_rate: f64,
    /// How many of the last calls the share is taken of.
    pub window: u32,
    /// How long it stays open before one call may probe.
    pub open_ms: u64,
}

impl Default for BreakerPolicy {
    fn default() -> Self {
        Self { failures: 5, failure_rate: 0.5, window: 20, open_ms: 30_000 }
    }
}

/// How a worker is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// By the service binding of this name.
    Binding(String),
    /// By this base URL.
    Url(String),
}

impl Plan {
    /// The step at `index`.
    pub fn step(&self, index: StepIndex) -> &Step {
        &self.steps[index.position()]
    }

    /// The index of the step called `name`.
    pub fn find(&self, name: &str) -> Option<StepIndex> {
        self.by_name.get(name).copied()
    }

    /// All indices, dependencies first.
    pub fn indices(&self) -> impl DoubleEndedIterator<Item = StepIndex> + use<> {
        (0..u32::try_from(self.steps.len()).expect("a plan has at most STEPS_MAX steps"))
            .map(StepIndex)
    }

    /// What one attempt of every required step costs by the registry's estimates: the least that
    /// an execution without faults needs. Steps with a condition may be skipped and do not count.
    pub fn cost_min(&self) -> MicroUsd {
        self.steps
            .iter()
            .filter(|step| !step.optional && step.condition.is_none())
            .fold(MicroUsd::ZERO, |sum, step| sum.plus(step.cost_min()))
    }
}

impl Step {
    /// What one attempt is expected to cost; zero where nobody knows.
    pub fn estimated_cost(&self) -> MicroUsd {
        match &self.kind {
            Kind::Worker(call) | Kind::Tool(call) => {
                call.primary.estimated_cost.unwrap_or_default()
            }
            Kind::Pipeline(sub) => sub.cost_min,
            // Nobody knows how many elements there will be.
            Kind::Map(_) | Kind::Transform | Kind::Wait(_) => MicroUsd::ZERO,
        }
    }

    /// What one attempt costs at least: that of the cheapest worker that can be chosen for it.
    fn cost_min(&self) -> MicroUsd {
        match &self.kind {
            Kind::Worker(call) | Kind::Tool(call) => call
                .alternatives
                .iter()
                .map(|target| target.estimated_cost.unwrap_or_default())
                .fold(self.estimated_cost(), Ord::min),
            Kind::Map(_) | Kind::Transform | Kind::Wait(_) | Kind::Pipeline(_) => {
                self.estimated_cost()
            }
        }
    }
}
