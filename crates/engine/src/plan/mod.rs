//! Templates: the definition as data, and the plan that cannot be invalid.
//!
//! [`Plan::compile`] is the only way to a plan. It reports all that is wrong with a definition
//! together, each violation with a JSON pointer to the field; what it returns needs no further
//! checks: names are unique, dependencies exist and form no cycle, expressions are compiled.

mod assemble;
mod compile;
pub mod definition;
mod graph;
mod retry;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::expr::{Condition, Mapping};
use crate::money::MicroUsd;
use crate::time::Millis;
use definition::FailureTolerance;
pub use graph::StepSet;
pub use retry::{DELAY_MAX, RETRIES_DEFAULT, RETRIES_MAX, RetryPolicy};

/// The most steps a template may have.
pub const STEPS_MAX: usize = 2_000;
/// The longest attempt a step may ask for: the 15 minutes of a queue consumer, less a reserve.
pub const ATTEMPT_MAX: Millis = Millis::from_secs(14 * 60);

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
}

/// What doing a step means.
#[derive(Debug)]
pub enum Kind {
    /// One HTTP call of a worker.
    Worker(Box<Call>),
    /// A mapping only: no call, no cost.
    Transform,
}

/// A call of a worker.
#[derive(Debug)]
pub struct Call {
    /// Who is asked.
    pub primary: Target,
    /// Who is asked when the first one's attempts are used up.
    pub fallback: Option<Target>,
}

/// Where a call goes.
#[derive(Clone, Debug, PartialEq)]
pub struct Target {
    /// The worker's `worker_name`.
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
            .fold(MicroUsd::ZERO, |sum, step| sum.plus(step.estimated_cost()))
    }
}

impl Step {
    /// What one attempt is expected to cost; zero where nobody knows.
    pub fn estimated_cost(&self) -> MicroUsd {
        match &self.kind {
            Kind::Worker(call) => call.primary.estimated_cost.unwrap_or_default(),
            Kind::Transform => MicroUsd::ZERO,
        }
    }
}
