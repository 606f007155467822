//! What the micro-benchmarks measure: executions of sequences, lived without a shell. Nothing here
//! is timed; benches/engine.rs times it.

use std::sync::Arc;

use engine::execution::{
    Context, Event, FORMAT, Input, NO_GATES, Outcome, Payload, Started, State, Terms, start,
};
use engine::ids::{ExecutionId, ShardId};
use engine::plan::Plan;
use engine::plan::definition::TemplateDefinition;
use engine::time::{Millis, Timestamp};
use serde_json::{Value, json};

const BEGINNING_MS: i64 = 1_750_000_000_000;
/// What each step is asked with, and answers.
const DATA_BYTES: usize = 980;

/// A template of `steps` steps, one after the other, each fed by the one before it.
pub fn sequence(steps: usize) -> TemplateDefinition {
    let step = |n: usize| {
        let before: Vec<String> = (n > 1).then(|| format!("s{}", n - 1)).into_iter().collect();
        json!({
            "name": format!("s{n}"), "order": n, "worker": "echo", "depends_on": before,
            "input_mapping": { "step": n, "data": "$.data" },
            "output_mapping": { "data": "$.data" },
        })
    };
    let steps: Vec<Value> = (1..=steps).map(step).collect();
    let echo = json!({ "service_binding": "ECHO", "endpoints": ["/echo"], "estimated_cost": 0 });
    let definition = json!({ "name": "sequence", "steps": steps, "workers": { "echo": echo } });
    serde_json::from_value(definition).expect("a sequence is a template")
}

/// An execution that goes on.
#[derive(Clone)]
pub struct Lived {
    /// Where it stands.
    pub state: State,
    /// Its journal so far.
    pub events: Vec<Event>,
}

impl Lived {
    /// Begins an execution; its first step is in flight.
    pub fn begun(definition: &Arc<TemplateDefinition>, plan: &Arc<Plan>) -> Self {
        let started = Started {
            format: FORMAT,
            id: ExecutionId::new(at(0), ShardId(0), 1),
            account: "default".to_owned(),
            at: at(0),
            revision: 1,
            content_hash: "bench".to_owned(),
            definition: Arc::clone(definition),
            request: json!({ "topic": "bench", "input": { "data": data() } }),
            terms: Terms::default(),
            traceparent: None,
            parent: None,
            restarted_from: None,
            key: None,
            initiators: Vec::new(),
        };
        let (state, events) = start(started, Arc::clone(plan), &context());
        Self { state, events }
    }

    /// The step in flight succeeds, and the next one begins.
    pub fn step(&mut self, name: &str) {
        let unit = self.state.plan.find_unit(name).expect("the sequence has the step");
        let work = self.state.work(unit).expect("a step has its record");
        let fence = work.attempt.as_ref().expect("the step is in flight").fence;
        let output = Payload::inline(json!({ "data": data() }));
        let outcome = Outcome { result: Ok(output), cost: None, memoised: None };
        let answered = Input::Answered { fence, outcome };
        let events = self.state.advance(&context(), answered).expect("the execution goes on");
        self.events.extend(events);
    }

    /// Goes on to the end.
    pub fn to_the_end(mut self) -> Self {
        let names: Vec<String> = self.state.plan.steps.iter().map(|s| s.name.clone()).collect();
        names.iter().for_each(|name| self.step(name));
        self
    }
}

/// The bytes that go from step to step.
pub fn data() -> String {
    "x".repeat(DATA_BYTES)
}

fn context() -> Context<'static> {
    let latest_end = at(0).plus(Millis::from_secs(600));
    Context { now: at(1), entropy: 1, slots: 4, latest_end, gates: &NO_GATES }
}

fn at(ms: i64) -> Timestamp {
    Timestamp::from_millis(BEGINNING_MS + ms)
}

#[cfg(test)]
mod tests {
    use engine::execution::Status;

    use super::*;

    #[test]
    fn a_sequence_completes_and_replays_to_what_was_lived() {
        let definition = Arc::new(sequence(5));
        let plan = Arc::new(Plan::compile(&definition).unwrap());
        let lived = Lived::begun(&definition, &plan).to_the_end();
        assert_eq!(lived.state.status, Status::Completed);
        assert_eq!(lived.state.steps.iter().filter(|step| step.output.is_some()).count(), 5);
        let replayed = State::replay::<()>(lived.events, |_| Ok(plan)).unwrap();
        assert_eq!(replayed.result().unwrap(), lived.state.result().unwrap());
    }
}
