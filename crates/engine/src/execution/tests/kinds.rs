//! Short ways to write steps of the kinds that are more than one call, and what befalls them.

use serde_json::{Map, Value, json};

use super::story::{Shape, Story, at, no_retries, started, terms, usd};
use crate::execution::{
    Asked, Child, Context, Fault, FaultKind, Input, Memoised, Message, NO_GATES, Outcome, Payload,
    State, Terms, effects, start,
};
use crate::ids::Fence;
use crate::money::MicroUsd;
use crate::plan::definition::{StepDefinition, StepKind, TemplateDefinition};
use crate::plan::{Plan, StepIndex};
use crate::time::Millis;

/// A map of the worker `w` over `data.list`, whose elements are sent as they are.
pub(crate) fn map(name: &str) -> StepDefinition {
    StepDefinition {
        name: name.to_owned(),
        kind: StepKind::Map,
        worker: Some("w".to_owned()),
        retry: Some(no_retries()),
        config: Some(json!({"items": "$.list"})),
        ..StepDefinition::default()
    }
}

/// A wait with these settings.
pub(crate) fn wait(name: &str, config: Value) -> StepDefinition {
    StepDefinition {
        name: name.to_owned(),
        kind: StepKind::Wait,
        config: Some(config),
        ..StepDefinition::default()
    }
}

/// An execution of the template `inner`.
pub(crate) fn child(name: &str) -> StepDefinition {
    StepDefinition {
        name: name.to_owned(),
        kind: StepKind::Pipeline,
        input_mapping: Some(json!({})),
        config: Some(json!({"template": "inner"})),
        ..StepDefinition::default()
    }
}

/// Settings of a step, besides those that it has.
pub(crate) trait Settings: Shape {
    fn set(self, field: &str, value: Value) -> Self {
        self.edit(|step| {
            let config = step.config.get_or_insert_with(|| Value::Object(Map::new()));
            config[field] = value;
        })
    }
}

impl Settings for StepDefinition {}

/// A template whose steps may name the template `inner`, which has these steps.
pub(crate) fn with_inner(
    template: TemplateDefinition,
    inner: Vec<StepDefinition>,
) -> TemplateDefinition {
    let inner = TemplateDefinition {
        name: "inner".to_owned(),
        templates: std::collections::BTreeMap::new(),
        ..super::story::template(inner)
    };
    let templates = std::collections::BTreeMap::from([("inner".to_owned(), inner)]);
    TemplateDefinition { templates, ..template }
}

/// A budget of so many micro-USD, and nothing else bounded.
pub(crate) fn budget(micros: u64) -> Terms {
    Terms { budget: Some(usd(micros)), ..terms() }
}

/// An execution whose `data.list` is `list`.
pub(crate) fn over(list: Value, template: TemplateDefinition, terms: Terms) -> Story {
    let request = json!({"topic": "bees", "input": {"list": list}});
    Story::asked(template, terms, request, u32::MAX)
}

impl Story {
    /// The fence of the attempt in flight at a path.
    pub(crate) fn fence_at(&self, path: &str) -> Fence {
        let unit = self.plan.find_unit(path).expect("the path is one of the plan");
        let attempt = self.state.work(unit).and_then(|work| work.attempt.as_ref());
        attempt.unwrap_or_else(|| panic!("`{path}` is not in flight")).fence
    }

    /// What is at a path, in one word.
    pub(crate) fn status_at(&self, path: &str) -> &'static str {
        let unit = self.plan.find_unit(path).expect("the path is one of the plan");
        self.state.work(unit).map_or("nothing", |work| work.status.as_str())
    }

    pub(crate) fn succeed_at(&mut self, path: &str, output: Value) {
        self.answer(self.fence_at(path), Ok(output), Some(0));
    }

    pub(crate) fn fail_at(&mut self, path: &str, fault: Fault) {
        self.answer(self.fence_at(path), Err(fault), None);
    }

    /// An earlier answer to the same call serves.
    pub(crate) fn remember_at(&mut self, path: &str, output: Value, cost: u64, took_ms: u64) {
        let memoised = Memoised { cost: usd(cost), duration: Millis::new(took_ms) };
        let outcome = Outcome {
            result: Ok(Payload::inline(output)),
            cost: Some(MicroUsd::ZERO),
            memoised: Some(memoised),
        };
        let fence = self.fence_at(path);
        self.input(Input::Answered { fence, outcome }).expect("the answer is taken");
    }

    pub(crate) fn message(&mut self, message: Message) {
        self.input(Input::Message(message)).expect("the message applies");
    }

    pub(crate) fn signal(&mut self, name: &str, payload: Value) {
        let (name, payload) = (name.to_owned(), Payload::inline(payload));
        self.message(Message::Signal { asked: by_key(), name, payload, answers: None });
    }

    /// The output of a step.
    pub(crate) fn output(&self, step: &str) -> &Value {
        let output = self.step(step).output.as_ref().and_then(|output| output.value());
        output.expect("the step has its output")
    }

    /// The code and the message of what a step failed of.
    pub(crate) fn fault(&self, step: &str) -> (&str, &str) {
        let fault = self.step(step).fault.as_ref().expect("the step has failed");
        (&fault.code, &fault.message)
    }

    /// The execution that the step began last.
    pub(crate) fn child_of(&self, step: &str) -> &Child {
        let of_step = |child: &&Child| {
            child.started.as_ref().is_ok_and(|s| s.parent.as_ref().unwrap().step == step)
        };
        self.begun.iter().rfind(of_step).expect("the step began an execution")
    }

    /// So many milliseconds that count as active.
    pub(crate) fn active_ms(&self) -> u64 {
        self.state.active(self.now).get()
    }
}

pub(crate) fn by_key() -> Asked {
    Asked { by: "key:1".to_owned(), reason: None }
}

/// An execution that ended without its result.
pub(crate) fn child_failed() -> Fault {
    Fault::new(FaultKind::Child, "pipeline.failed", "the execution failed")
}

/// What an execution of the template asks for with its first decision, so deep within others.
pub(crate) fn begun_at_depth(template: TemplateDefinition, depth: u32) -> (State, usize) {
    let plan = std::sync::Arc::new(Plan::compile(&template).expect("a story's template is valid"));
    let mut started = started(template, terms(), json!({"topic": "bees"}));
    started.parent = (depth > 0).then(|| crate::execution::Parent {
        id: crate::ids::ExecutionId::new(at(-1), crate::ids::ShardId(0), 1),
        step: "above".to_owned(),
        depth,
    });
    let latest_end = at(1_000_000);
    let context = Context { now: at(0), entropy: 0, slots: u32::MAX, latest_end, gates: &NO_GATES };
    let (state, events) = start(started, plan, &context);
    let called_for = events.iter().flat_map(|event| effects(&state, event)).count();
    assert!(state.plan.step(StepIndex(0)).dependencies.is_empty());
    (state, called_for)
}

impl Story {
    /// The execution that a step of another began.
    pub(crate) fn within(child: &Child) -> Self {
        let started = child.started.clone().expect("there was something to start from");
        let plan = Plan::compile(&started.definition).expect("a nested template is valid");
        let plan = std::sync::Arc::new(plan);
        let (now, latest_end) = (started.at, at(i64::from(i32::MAX)));
        let context = Context { now, entropy: 0, slots: u32::MAX, latest_end, gates: &NO_GATES };
        let (state, journal) = start(started, std::sync::Arc::clone(&plan), &context);
        let (calls, begun, called_off) = (Vec::new(), Vec::new(), Vec::new());
        Self { state, plan, journal, calls, begun, called_off, now, slots: u32::MAX, latest_end }
    }
}
