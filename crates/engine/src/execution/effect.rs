//! Effects: what the shell must do in the world once the events that call for it are durable.

use serde_json::Value;

use super::{Event, Fault, State};
use crate::ids::{ExecutionId, Fence};
use crate::plan::{Address, StepIndex};
use crate::time::Timestamp;

/// What must be done next.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Call a worker; its answer comes back under the fence.
    Call(Box<Request>),
    /// Give up the call with this fence, if it is still in flight.
    Abort(Fence),
}

/// One call of a worker.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// The execution.
    pub execution: ExecutionId,
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
    /// How it is reached.
    pub address: Address,
    /// The path of the operation.
    pub endpoint: String,
    /// What it is sent; or why nothing can be sent, which is an answer too.
    pub body: Result<Value, Fault>,
    /// When the attempt is given up.
    pub deadline_at: Timestamp,
    /// W3C trace context of the execution.
    pub traceparent: Option<String>,
}

impl Request {
    /// The same for every attempt of one generation, so that a worker can tell a repetition.
    pub fn idempotency_key(&self) -> String {
        format!("{}/{}/{}", self.execution, self.step, self.generation)
    }
}

/// What `event`, which has been applied to `state`, calls for.
pub fn effects(state: &State, event: &Event) -> Vec<Effect> {
    match event {
        Event::AttemptStarted {
            step, generation, attempt, fence, deadline_at, fallback, ..
        } => {
            let Some(index) = state.plan.find(step) else { return Vec::new() };
            let place = Place { index, generation: *generation, attempt: *attempt };
            let call = state.request(place, *fence, *deadline_at, *fallback);
            call.map(|request| Effect::Call(Box::new(request))).into_iter().collect()
        }
        Event::AttemptFailed { fence, .. } => vec![Effect::Abort(*fence)],
        Event::Started(_)
        | Event::StepSucceeded { .. }
        | Event::StepReused { .. }
        | Event::StepFailed { .. }
        | Event::StepSkipped { .. }
        | Event::LateAnswer { .. }
        | Event::TakenOver { .. }
        | Event::Finished { .. } => Vec::new(),
    }
}

struct Place {
    index: StepIndex,
    generation: u32,
    attempt: u32,
}

impl State {
    fn request(
        &self,
        place: Place,
        fence: Fence,
        deadline_at: Timestamp,
        fallback: bool,
    ) -> Option<Request> {
        let planned = self.plan.step(place.index);
        let target = planned.target(fallback)?;
        Some(Request {
            execution: self.started.id.clone(),
            step: planned.name.clone(),
            generation: place.generation,
            attempt: place.attempt,
            fence,
            worker: target.worker.clone(),
            address: target.address.clone(),
            endpoint: target.endpoint.clone(),
            body: self.body(place.index, &target.defaults),
            deadline_at,
            traceparent: self.started.traceparent.clone(),
        })
    }
}
