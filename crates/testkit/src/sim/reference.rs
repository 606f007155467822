//! What an execution comes to in a world without faults: the same machine and the same workers,
//! and nothing in between.

use std::sync::Arc;

use engine::execution::{
    Asked, Context, Effect, Gates, Input, Message, NO_GATES, Payload, Started, State, Status,
    effects, start,
};
use engine::ids::{ExecutionId, ShardId};
use engine::plan::Plan;
use engine::time::{Millis, Timestamp};
use serde_json::{Value, json};

use super::plans::Template;
use super::verbs::awaited;
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

/// The most rounds of time in which nothing fails.
const ROUNDS_MAX: usize = 1_000;

pub fn outcome(template: &Template) -> Outcome {
    let now = Timestamp::from_millis(super::world::EPOCH_MS);
    let started = template.started(ExecutionId::new(now, ShardId(0), 0), now);
    Outcome::of(&live(template, started, Arc::clone(&template.own.plan)))
}

/// Lives through one execution, and through those that its steps begin.
fn live(template: &Template, started: Started, plan: Arc<Plan>) -> State {
    let mut now = started.at;
    let mut gates = NO_GATES.clone();
    fn at<'a>(now: Timestamp, gates: &'a Gates) -> Context<'a> {
        let latest_end = now.plus(Millis::from_secs(10_000_000));
        Context { now, entropy: 0, slots: u32::MAX, latest_end, gates }
    }
    let (mut state, mut events) = start(started, plan, &at(now, &gates));
    for _ in 0..ROUNDS_MAX {
        let effects: Vec<Effect> = events.iter().flat_map(|e| effects(&state, e)).collect();
        events.clear();
        for effect in effects {
            let Some(input) = performed(template, effect) else { continue };
            events.extend(state.advance(&at(now, &gates), input).unwrap_or_default());
        }
        if state.status.is_final() {
            break;
        }
        let wanted = state.asking(&at(now, &gates), usize::MAX);
        gates.passes.extend(wanted);
        let input = awaited(&state).map_or(Input::Tick, |(name, answers)| {
            let payload = Payload::inline(json!({"approved": true}));
            Input::Message(Message::Signal { asked: Asked::default(), name, payload, answers })
        });
        events.extend(state.advance(&at(now, &gates), input).unwrap_or_default());
        if events.is_empty() {
            now = state.next_timer(now).unwrap_or(now);
        }
    }
    state
}

/// What comes of an effect where nothing fails.
fn performed(template: &Template, effect: Effect) -> Option<Input> {
    match effect {
        Effect::Call(request) => {
            let (outcome, _) = worker::answer(&request);
            Some(Input::Answered { fence: request.fence, outcome })
        }
        Effect::Child(child) => {
            let fence = child.fence;
            let outcome = match child.started {
                Err(fault) => {
                    engine::execution::Outcome { result: Err(fault), cost: None, memoised: None }
                }
                Ok(started) => {
                    let plan = Arc::clone(&template.children[&started.definition.name].plan);
                    live(template, started, plan).outcome_of_step(child.accepts_partial)
                }
            };
            Some(Input::Answered { fence, outcome })
        }
        Effect::CancelChild(_) => None,
    }
}
