//! What an execution comes to in a world without faults: the same machine and the same workers,
//! and nothing in between.

use std::sync::Arc;

use engine::execution::{Context, Effect, Event, Input, NO_GATES, State, Status, effects, start};
use engine::ids::{ExecutionId, ShardId};
use engine::time::{Millis, Timestamp};
use serde_json::Value;

use super::plans::Template;
use super::worker;

/// What is compared.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    status: Status,
    /// The fate of each step. Where a strict template failed it hangs on who was quicker what else
    /// was done.
    steps: Vec<&'static str>,
    result: Option<Value>,
}

impl Outcome {
    pub fn of(state: &State) -> Self {
        let settled = matches!(state.status, Status::Completed | Status::Partial);
        let steps = state.steps.iter().filter(|_| settled).map(|step| step.status.as_str());
        let result = settled.then(|| state.result().ok()).flatten();
        Self { status: state.status, steps: steps.collect(), result }
    }
}

pub fn outcome(template: &Template) -> Outcome {
    let now = Timestamp::from_millis(0);
    let latest_end = now.plus(Millis::from_secs(10_000_000));
    let context = Context { now, entropy: 0, slots: u32::MAX, latest_end, gates: &NO_GATES };
    let started = template.started(ExecutionId::new(now, ShardId(0), 0), now);
    let (mut state, events) = start(started, Arc::clone(&template.plan), &context);
    let mut calls = requests(&state, &events);
    while let Some(request) = calls.pop() {
        let (outcome, _) = worker::answer(&request);
        let input = Input::Answered { fence: request.fence, outcome };
        let Ok(events) = state.advance(&context, input) else { break };
        calls.extend(requests(&state, &events));
    }
    Outcome::of(&state)
}

fn requests(state: &State, events: &[Event]) -> Vec<engine::execution::Request> {
    let effects = events.iter().flat_map(|event| effects(state, event));
    let calls = effects.filter_map(|effect| match effect {
        Effect::Call(request) => Some(*request),
        Effect::Child(_) | Effect::CancelChild(_) => None,
    });
    calls.collect()
}
