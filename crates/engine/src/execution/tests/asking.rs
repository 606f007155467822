//! How stories ask for things: verbs, signals, callbacks and notices in short words, and the steps
//! that they are about.

use serde_json::{Value, json};

use super::story::{Shape, Story, no_retries, step};
use crate::execution::{
    Applies, Asked, Event, Fault, Input, Message, Outcome, Payload, Rejection, Unit, Work,
};
use crate::ids::Fence;
use crate::money::MicroUsd;
use crate::plan::definition::{
    FailureTolerance, StepDefinition, StepKind, TemplateDefinition, WorkerDefinition,
};
use crate::time::Millis;

/// A worker step that another call of `paid` undoes, without retries.
pub(crate) fn undone(name: &str) -> StepDefinition {
    configured(step(name), json!({"compensate": undo_by("paid")}))
}

/// The setting that names who undoes a step, without retries.
pub(crate) fn undo_by(worker: &str) -> Value {
    json!({"worker": worker, "retry": {"max_retries": 0}})
}

/// A step with settings of its kind.
pub(crate) fn configured(step: StepDefinition, config: Value) -> StepDefinition {
    step.edit(|step| step.config = Some(config))
}

/// A map over the request's `items` with these settings besides.
pub(crate) fn map(name: &str, mut config: Value) -> StepDefinition {
    config["items"] = json!("=request.items");
    configured(step(name), config).edit(|step| {
        step.kind = StepKind::Map;
        step.input_mapping = Some(json!({"n": "=item"}));
    })
}

/// A wait of these settings.
pub(crate) fn wait(name: &str, config: Value) -> StepDefinition {
    StepDefinition {
        name: name.to_owned(),
        kind: StepKind::Wait,
        config: Some(config),
        ..StepDefinition::default()
    }
}

/// A step that is an execution of the template `sub`.
pub(crate) fn child(name: &str) -> StepDefinition {
    StepDefinition {
        name: name.to_owned(),
        kind: StepKind::Pipeline,
        config: Some(json!({"template": "sub"})),
        input_mapping: Some(json!({})),
        retry: Some(no_retries()),
        ..StepDefinition::default()
    }
}

/// The template with the template `sub` of one step, and the worker `gated` that takes one call at
/// a time.
pub(crate) fn with_others(template: TemplateDefinition) -> TemplateDefinition {
    let sub =
        TemplateDefinition { name: "sub".to_owned(), ..super::story::template(vec![step("s")]) };
    let mut template = template;
    template.templates.insert("sub".to_owned(), sub);
    let gated = WorkerDefinition { max_concurrency: Some(1), ..template.workers["w"].clone() };
    template.workers.insert("gated".to_owned(), gated);
    template
}

/// The template with a word on what becomes of it when a step fails.
pub(crate) fn tolerating(
    tolerance: FailureTolerance,
    template: TemplateDefinition,
) -> TemplateDefinition {
    TemplateDefinition { failure_tolerance: tolerance, ..template }
}

/// Who asks in these stories.
pub(crate) fn ada() -> Asked {
    Asked { by: "user:ada".to_owned(), reason: Some("because".to_owned()) }
}

/// What an attempt brought.
pub(crate) fn outcome(result: Result<Value, Fault>, cost: Option<u64>) -> Outcome {
    Outcome {
        result: result.map(Payload::inline),
        cost: cost.map(MicroUsd::from_micros),
        memoised: None,
    }
}

pub(crate) fn cancel() -> Message {
    Message::Cancel { asked: ada() }
}

pub(crate) fn kill() -> Message {
    Message::Kill { asked: ada() }
}

pub(crate) fn pause() -> Message {
    Message::Pause { asked: ada() }
}

pub(crate) fn resume(budget: Option<u64>) -> Message {
    Message::Resume { asked: ada(), budget: budget.map(MicroUsd::from_micros) }
}

pub(crate) fn retry() -> Message {
    Message::Retry { asked: ada() }
}

pub(crate) fn rerun(step: &str, input: Option<Value>) -> Message {
    Message::Rerun { asked: ada(), step: step.to_owned(), input }
}

pub(crate) fn signal(name: &str, payload: Value) -> Message {
    Message::Signal {
        asked: ada(),
        name: name.to_owned(),
        payload: Payload::inline(payload),
        answers: None,
    }
}

pub(crate) fn completed(fence: Fence, outcome: Outcome) -> Message {
    Message::Completed { by: "worker:w".to_owned(), fence, outcome }
}

pub(crate) fn heartbeat(fence: Fence, silence_ms: Option<u64>) -> Message {
    Message::Heartbeat { fence, silence: silence_ms.map(Millis::new) }
}

impl Story {
    /// Brings a message that applies.
    pub fn ask(&mut self, message: Message) -> Vec<Event> {
        assert_eq!(self.state.applies(&message), Applies::Yes, "{message:?}");
        self.input(Input::Message(message)).expect("what applies is taken")
    }

    /// Why a message is refused, by its code; `already` where it is so. It changes nothing.
    pub fn refused(&mut self, message: Message) -> &'static str {
        let before = self.state.clone();
        let code = match self.state.applies(&message) {
            Applies::Yes => panic!("it applies: {message:?}"),
            Applies::Already => "already",
            Applies::Refused(refusal) => refusal.code,
        };
        let met = self.input(Input::Message(message));
        assert!(matches!(met, Err(Rejection::Ended | Rejection::NotApplicable)), "{met:?}");
        assert_eq!(self.state, before);
        code
    }

    pub fn accept(&mut self, path: &str, silence_ms: Option<u64>) -> Vec<Event> {
        let fence = self.fence_at(path);
        self.input(Input::Accepted { fence, silence: silence_ms.map(Millis::new) }).unwrap()
    }

    pub fn unit(&self, path: &str) -> Unit {
        self.plan.find_unit(path).expect("the story's template has the unit")
    }

    /// The work of an element, an undo or a step.
    pub fn work(&self, path: &str) -> &Work {
        let work = self.state.work(self.unit(path));
        work.unwrap_or_else(|| panic!("there is no `{path}`"))
    }

    /// The attempt at a path succeeds for nothing.
    pub fn done(&mut self, path: &str) {
        self.answer(self.fence_at(path), Ok(json!({"by": path})), Some(0));
    }

    /// The attempt at a path fails for nothing.
    pub fn breaks(&mut self, path: &str, fault: Fault) {
        self.answer(self.fence_at(path), Err(fault), Some(0));
    }

    /// The types of events.
    pub fn types(events: &[Event]) -> Vec<String> {
        let told = events.iter().map(|event| serde_json::to_value(event).unwrap());
        told.map(|told| told["type"].as_str().unwrap().to_owned()).collect()
    }

    /// The attempts begun so far, by path.
    pub fn begun_paths(&self) -> Vec<String> {
        self.told("attempt_started")
    }
}
