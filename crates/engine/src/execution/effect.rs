//! Effects: what the shell must do in the world once the events that call for it are durable.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::{Event, Fault, FaultKind, Parent, Part, Started, State, Terms, Unit};
use crate::ids::{ExecutionId, Fence};
use crate::money::MicroUsd;
use crate::plan::{Address, Gate, Kind, Tool};
use crate::time::{Millis, Timestamp};

/// What must be done next.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Call a worker; its answer comes back under the fence.
    Call(Box<Request>),
    /// Begin an execution of another template, unless it has begun; its outcome comes back under
    /// the fence.
    Child(Box<Child>),
    /// Call an execution off that a step began.
    CancelChild(ExecutionId),
}

/// One call of a worker.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// The execution.
    pub execution: ExecutionId,
    /// The tenant.
    pub account: String,
    /// The step's path.
    pub step: String,
    /// How often the step was asked for anew.
    pub generation: u32,
    /// The number of the attempt.
    pub attempt: u32,
    /// What the answer must carry.
    pub fence: Fence,
    /// The worker that is asked.
    pub worker: String,
    /// Its version.
    pub version: String,
    /// The tool that is called, where it is one.
    pub tool: Option<Called>,
    /// How it is reached.
    pub address: Address,
    /// The path of the operation.
    pub endpoint: String,
    /// What it is sent; or why nothing can be sent, which is an answer too.
    pub body: Result<Value, Fault>,
    /// When the attempt is given up.
    pub deadline_at: Timestamp,
    /// How long an answer to the same call serves.
    pub memo: Option<Millis>,
    /// What the call is expected to cost.
    pub estimated_cost: Option<MicroUsd>,
    /// W3C trace context of the execution.
    pub traceparent: Option<String>,
}

/// A tool that is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Called {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Whether it is the installation's, and may know its secrets.
    pub is_trusted: bool,
}

impl Called {
    fn of(tool: &Tool) -> Self {
        let is_trusted = tool.account.is_none();
        Self { id: tool.id.clone(), name: tool.name.clone(), is_trusted }
    }
}

impl Request {
    /// Who is asked, in words.
    pub fn whom(&self) -> String {
        match &self.tool {
            Some(tool) => format!("tool `{}`", tool.name),
            None => format!("worker `{}`", self.worker),
        }
    }

    /// The same for every attempt of one generation, so that a worker can tell a repetition.
    pub fn idempotency_key(&self) -> String {
        format!("{}/{}/{}", self.execution, self.step, self.generation)
    }
}

/// An execution that a step begins.
#[derive(Clone, Debug, PartialEq)]
pub struct Child {
    /// What its outcome must carry.
    pub fence: Fence,
    /// Whether an outcome `partial` counts as done.
    pub accepts_partial: bool,
    /// What it starts from, but for the hash of its definition; or why it cannot.
    pub started: Result<Started, Fault>,
    /// Its id.
    pub id: ExecutionId,
}

/// What `event`, which has been applied to `state`, calls for.
pub fn effects(state: &State, event: &Event) -> Vec<Effect> {
    match event {
        Event::AttemptStarted { step, fence, child, at, .. } => {
            let Some(unit) = state.plan.find_unit(step) else { return Vec::new() };
            let effect = match child {
                Some(_) => state.child(*fence, *at).map(|child| Effect::Child(Box::new(child))),
                None => state.request(unit, event).map(|call| Effect::Call(Box::new(call))),
            };
            effect.into_iter().collect()
        }
        Event::AttemptFailed { step, fault, .. } if fault.kind == FaultKind::Limit => {
            state.child_of(step).map(Effect::CancelChild).into_iter().collect()
        }
        Event::StepCancelled { step, .. } => {
            state.child_of(step).map(Effect::CancelChild).into_iter().collect()
        }
        Event::Unwinding { .. } => {
            state.abandoned_children().into_iter().map(Effect::CancelChild).collect()
        }
        Event::Started(_)
        | Event::AttemptAccepted { .. }
        | Event::Heartbeat { .. }
        | Event::AttemptFailed { .. }
        | Event::StepSucceeded { .. }
        | Event::StepReused { .. }
        | Event::StepFailed { .. }
        | Event::StepSkipped { .. }
        | Event::StepHeld { .. }
        | Event::MapStarted { .. }
        | Event::WaitStarted { .. }
        | Event::SignalReceived { .. }
        | Event::Asked { .. }
        | Event::Paused { .. }
        | Event::Resumed { .. }
        | Event::Parked { .. }
        | Event::Woken { .. }
        | Event::Reset { .. }
        | Event::LateAnswer { .. }
        | Event::TakenOver { .. }
        | Event::Finished { .. } => Vec::new(),
    }
}

impl State {
    /// The rules of the gate that calls of `worker` must pass.
    pub fn gate_of(&self, unit: Unit) -> Option<(&str, &Gate)> {
        let fallback = self.work(unit).is_some_and(|work| work.fallback);
        let target = self.target(unit, fallback)?;
        Some((target.worker.as_str(), &target.gate))
    }

    /// The execution that the last attempt at this path began.
    fn child_of(&self, path: &str) -> Option<ExecutionId> {
        let unit = self.plan.find_unit(path)?;
        self.work(unit)?.child.clone()
    }

    fn request(&self, unit: Unit, event: &Event) -> Option<Request> {
        let Event::AttemptStarted {
            step, generation, attempt, fence, deadline_at, fallback, ..
        } = event
        else {
            return None;
        };
        let target = self.target(unit, *fallback)?;
        let call = self.plan.step(unit.step).call();
        let memo = call.filter(|_| self.started.terms.memo && unit.part != Part::Undo);
        Some(Request {
            execution: self.started.id.clone(),
            account: self.started.account.clone(),
            step: step.clone(),
            generation: *generation,
            attempt: *attempt,
            fence: *fence,
            worker: target.worker.clone(),
            version: target.version.clone(),
            tool: target.tool.as_deref().map(Called::of),
            address: target.address.clone(),
            endpoint: target.endpoint.clone(),
            body: self.body(unit, &target.defaults),
            deadline_at: *deadline_at,
            memo: memo.and_then(|call| call.memo),
            estimated_cost: target.estimated_cost,
            traceparent: self.started.traceparent.clone(),
        })
    }

    /// The execution that the attempt with this fence is.
    pub fn child(&self, fence: Fence, at: Timestamp) -> Option<Child> {
        let (unit, attempt) = self.attempt(fence)?;
        let id = attempt.child.clone()?;
        let Kind::Pipeline(sub) = &self.plan.step(unit.step).kind else { return None };
        let limited = sub.budget.is_some() || self.budget.is_some();
        let share = attempt.reserved.minus(self.undo_price(unit.step));
        let budget = limited.then_some(share);
        let started = self.child_started(unit, &id, &sub.template, budget, at);
        Some(Child { fence, accepts_partial: sub.accepts_partial, started, id })
    }

    fn child_started(
        &self,
        unit: Unit,
        id: &ExecutionId,
        template: &str,
        budget: Option<MicroUsd>,
        at: Timestamp,
    ) -> Result<Started, Fault> {
        let mine = &self.started;
        let body = self.body(unit, &Map::new())?;
        let definition = mine.definition.child(template).ok_or_else(|| {
            let message = format!("the snapshot has no template `{template}`");
            Fault::new(FaultKind::Expression, "pipeline.unknown_template", message)
        })?;
        let deadline = definition.deadline_ms.map_or(mine.terms.deadline, Millis::new);
        let deadline = deadline.min(mine.terms.deadline);
        let depth = mine.parent.as_ref().map_or(0, |parent| parent.depth);
        Ok(Started {
            format: super::FORMAT,
            id: id.clone(),
            account: mine.account.clone(),
            initiators: mine.initiators.clone(),
            at,
            revision: mine.revision,
            content_hash: String::new(),
            definition: Arc::new(definition),
            request: child_request(&mine.request, body),
            terms: Terms { deadline, budget, ..mine.terms.clone() },
            traceparent: mine.traceparent.clone(),
            parent: Some(Parent {
                id: mine.id.clone(),
                step: self.plan.path(unit),
                depth: depth + 1,
            }),
            restarted_from: None,
            key: None,
        })
    }
}

/// A child is asked what its parent was asked, with an input of its own; a `topic` in that input
/// is its topic.
fn child_request(parents: &Value, input: Value) -> Value {
    let mut request = parents.clone();
    if let Value::Object(fields) = &mut request {
        if let Some(topic) = input.get("topic").filter(|topic| topic.is_string()) {
            fields.insert("topic".to_owned(), topic.clone());
        }
        fields.insert("input".to_owned(), input);
    }
    request
}
