//! How stories are told: short ways to write a template, and an execution that can be answered.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};

use super::required::Required;
use crate::execution::{
    Context, Effect, Event, FORMAT, Fault, FaultKind, Input, NO_GATES, Outcome, Payload, Rejection,
    Request, Started, State, Terms, decide, effects, start,
};
use crate::ids::{Epoch, ExecutionId, Fence, ShardId};
use crate::money::MicroUsd;
use crate::plan::Plan;
use crate::plan::definition::{
    FailureTolerance, RetryDefinition, StepDefinition, StepKind, TemplateDefinition,
    WorkerDefinition,
};
use crate::time::{Millis, Timestamp};

/// When every story begins.
pub(crate) const BEGINNING_MS: i64 = 1_000_000;
/// The deadline of an execution where a story says nothing.
pub(crate) const DEADLINE: Millis = Millis::from_secs(300);
/// The longest attempt where a story says nothing.
pub(crate) const ATTEMPT: Millis = Millis::from_secs(20);

/// A moment so many milliseconds into the story.
pub(crate) fn at(ms: i64) -> Timestamp {
    Timestamp::from_millis(BEGINNING_MS + ms)
}

/// So many micro-USD.
pub(crate) fn usd(micros: u64) -> MicroUsd {
    MicroUsd::from_micros(micros)
}

/// A step of the worker `w`.
pub(crate) fn step(name: &str) -> StepDefinition {
    StepDefinition {
        name: name.to_owned(),
        worker: Some("w".to_owned()),
        input_mapping: Some(json!({})),
        retry: Some(no_retries()),
        ..StepDefinition::default()
    }
}

/// A step that is its mapping alone.
pub(crate) fn transform(name: &str, produces: Value) -> StepDefinition {
    StepDefinition {
        name: name.to_owned(),
        kind: StepKind::Transform,
        input_mapping: Some(produces),
        ..StepDefinition::default()
    }
}

/// A policy that repeats nothing.
pub(crate) fn no_retries() -> RetryDefinition {
    RetryDefinition { max_retries: Some(0), ..RetryDefinition::default() }
}

/// A policy of so many retries, the first after a second, without jitter.
pub(crate) fn retries(max: i64) -> RetryDefinition {
    RetryDefinition { max_retries: Some(max), jitter: Some(false), ..RetryDefinition::default() }
}

/// Short ways to say what a step is.
pub(crate) trait Shape: Sized {
    fn edit(self, edit: impl FnOnce(&mut StepDefinition)) -> Self;

    fn after(self, names: &[&str]) -> Self {
        self.edit(|step| step.depends_on = names.iter().map(|name| json!(name)).collect())
    }
    fn when(self, condition: Value) -> Self {
        self.edit(|step| step.condition = Some(condition))
    }
    fn sends(self, input: Value) -> Self {
        self.edit(|step| step.input_mapping = Some(input))
    }
    fn writes(self, output: Value) -> Self {
        self.edit(|step| step.output_mapping = Some(output))
    }
    fn optional(self) -> Self {
        self.edit(|step| step.optional = true)
    }
    fn retry(self, retry: RetryDefinition) -> Self {
        self.edit(|step| step.retry = Some(retry))
    }
    fn worker(self, name: &str) -> Self {
        self.edit(|step| step.worker = Some(name.to_owned()))
    }
    fn fallback(self, name: &str) -> Self {
        self.edit(|step| step.fallback_worker = Some(name.to_owned()))
    }
}

impl Shape for StepDefinition {
    fn edit(mut self, edit: impl FnOnce(&mut StepDefinition)) -> Self {
        edit(&mut self);
        self
    }
}

/// A template of these steps, in this order. Worker `w` costs nothing, `paid` is estimated at
/// 100 micro-USD, `other` is reached by service binding.
pub(crate) fn template(steps: Vec<StepDefinition>) -> TemplateDefinition {
    let steps = steps.into_iter().zip(1..).map(|(step, order)| StepDefinition { order, ..step });
    let worker = |cost: Option<u64>| WorkerDefinition {
        base_url: Some("https://worker.test/".to_owned()),
        endpoints: vec!["/do".to_owned()],
        estimated_cost: cost.map(MicroUsd::from_micros),
        active: true,
        ..WorkerDefinition::default()
    };
    let other = WorkerDefinition {
        service_binding: Some("OTHER".to_owned()),
        base_url: None,
        default_config: Some(json!({"depth": 3, "topic": "default"})),
        ..worker(None)
    };
    let workers = [("w", worker(None)), ("paid", worker(Some(100))), ("other", other)];
    TemplateDefinition {
        name: "story".to_owned(),
        allow_parallel: true,
        steps: steps.collect(),
        workers: BTreeMap::from(workers.map(|(name, worker)| (name.to_owned(), worker))),
        ..TemplateDefinition::default()
    }
}

/// A template that settles what can be settled when a step fails.
pub(crate) fn tolerant(steps: Vec<StepDefinition>) -> TemplateDefinition {
    TemplateDefinition { failure_tolerance: FailureTolerance::Partial, ..template(steps) }
}

/// Terms that bound nothing but time.
pub(crate) fn terms() -> Terms {
    Terms {
        strategy: "balanced".to_owned(),
        parallelism: 8,
        skip_optional: false,
        retries_max: None,
        deadline: DEADLINE,
        attempt_timeout: ATTEMPT,
        budget: None,
        ..Terms::default()
    }
}

/// A worker's answer with an HTTP status.
pub(crate) fn http(status: u16) -> Fault {
    Fault::new(FaultKind::Http(status), "worker.refused", format!("status {status}"))
}

/// A connection that broke.
pub(crate) fn broken() -> Fault {
    Fault::new(FaultKind::Network, "worker.unreachable", "the connection broke")
}

/// An execution that a test answers, with all that was decided and called for so far.
pub(crate) struct Story {
    pub state: State,
    pub plan: Arc<Plan>,
    pub journal: Vec<Event>,
    pub calls: Vec<Request>,
    pub begun: Vec<crate::execution::Child>,
    pub called_off: Vec<ExecutionId>,
    pub now: Timestamp,
    pub slots: u32,
    pub latest_end: Timestamp,
}

impl Story {
    /// Begins an execution of these steps for the topic `bees`.
    pub fn begin(steps: Vec<StepDefinition>) -> Self {
        Self::of(template(steps), terms())
    }

    pub fn of(template: TemplateDefinition, terms: Terms) -> Self {
        Self::asked(template, terms, json!({"topic": "bees"}), u32::MAX)
    }

    pub fn asked(template: TemplateDefinition, terms: Terms, request: Value, slots: u32) -> Self {
        let plan = Arc::new(
            Plan::compile_with(&template, &Required).expect("a story's template is valid"),
        );
        let latest_end = at(i64::from(i32::MAX));
        let context = Context { now: at(0), entropy: 0, slots, latest_end, gates: &NO_GATES };
        let started = started(template, terms, request);
        let (state, events) = start(started, Arc::clone(&plan), &context);
        let (journal, calls) = (Vec::new(), Vec::new());
        let (begun, called_off) = (Vec::new(), Vec::new());
        let now = at(0);
        let mut story =
            Self { state, plan, journal, calls, begun, called_off, now, slots, latest_end };
        story.note(events);
        story
    }

    pub fn context(&self) -> Context<'static> {
        Context {
            now: self.now,
            entropy: 0,
            slots: self.slots,
            latest_end: self.latest_end,
            gates: &NO_GATES,
        }
    }

    /// Brings an input and returns the events that follow.
    pub fn input(&mut self, input: Input) -> Result<Vec<Event>, Rejection> {
        let context = self.context();
        let decided = decide(&self.state, &context, input.clone());
        let events = self.state.advance(&context, input);
        assert_eq!(decided, events, "a decision over a copy is the same");
        let events = events?;
        self.note(events.clone());
        Ok(events)
    }

    fn note(&mut self, events: Vec<Event>) {
        for event in &events {
            for effect in effects(&self.state, event) {
                match effect {
                    Effect::Call(request) => self.calls.push(*request),
                    Effect::Child(child) => self.begun.push(*child),
                    Effect::CancelChild(id) => self.called_off.push(id),
                }
            }
        }
        self.journal.extend(events);
        assert_eq!(
            replayed(&self.journal, &self.plan),
            self.state,
            "the journal comes to the state"
        );
    }

    /// Goes on by so many milliseconds and lets the time be felt.
    pub fn wait(&mut self, ms: u64) -> Vec<Event> {
        self.now = self.now.plus(Millis::new(ms));
        self.input(Input::Tick).expect("the execution goes on")
    }

    pub fn fence(&self, step: &str) -> Fence {
        let attempt = self.step(step).attempt.as_ref();
        attempt.unwrap_or_else(|| panic!("`{step}` is not in flight")).fence
    }

    pub fn answer(&mut self, fence: Fence, result: Result<Value, Fault>, cost: Option<u64>) {
        let outcome = Outcome {
            result: result.map(Payload::inline),
            cost: cost.map(MicroUsd::from_micros),
            memoised: None,
        };
        self.input(Input::Answered { fence, outcome }).expect("the answer is taken");
    }

    pub fn succeed(&mut self, step: &str, output: Value) {
        self.answer(self.fence(step), Ok(output), Some(0));
    }

    pub fn fail(&mut self, step: &str, fault: Fault) {
        self.answer(self.fence(step), Err(fault), None);
    }

    pub fn take_over(&mut self) -> Vec<Event> {
        self.input(Input::TakenOver { epoch: Epoch(2), up_to: Fence(u64::MAX) })
            .expect("the execution goes on")
    }

    pub fn step(&self, name: &str) -> &crate::execution::StepState {
        self.state.step(self.plan.find(name).expect("the story's template has the step"))
    }

    /// Where a step stands, in one word.
    pub fn status(&self, step: &str) -> &'static str {
        self.step(step).status.as_str()
    }

    /// Where the execution stands, in one word.
    pub fn ended(&self) -> &'static str {
        self.state.status.as_str()
    }

    /// The code of what the execution or a step failed of.
    pub fn code(&self) -> &str {
        self.state.fault.as_ref().map_or("", |fault| fault.code.as_str())
    }

    pub fn in_flight(&self) -> Vec<String> {
        self.state.in_flight().map(|(_, unit)| self.plan.path(unit)).collect()
    }

    /// What the last call of a step was sent.
    pub fn sent(&self, step: &str) -> &Value {
        let call = self.calls.iter().rfind(|call| call.step == step);
        call.expect("the step was called").body.as_ref().expect("there was something to send")
    }

    /// Names of the steps of events of one type, in order.
    pub fn told(&self, event: &str) -> Vec<String> {
        let told = self.journal.iter().map(|event| serde_json::to_value(event).unwrap());
        let told = told.filter(|told| told["type"] == event);
        told.map(|told| told["step"].as_str().unwrap_or_default().to_owned()).collect()
    }
}

/// The state that a journal comes to after it was written down and read back.
pub(crate) fn replayed(journal: &[Event], plan: &Arc<Plan>) -> State {
    let text = serde_json::to_string(journal).expect("events are written");
    let events: Vec<Event> = serde_json::from_str(&text).expect("events are read");
    assert_eq!(events, journal, "events survive their text");
    State::replay::<()>(events, |_| Ok(Arc::clone(plan))).expect("a journal is replayed")
}

/// What an execution of a template starts from.
pub(crate) fn started(template: TemplateDefinition, terms: Terms, request: Value) -> Started {
    Started {
        format: FORMAT,
        id: ExecutionId::new(at(0), ShardId(0), 7),
        account: "default".to_owned(),
        initiators: Vec::new(),
        at: at(0),
        revision: 1,
        content_hash: "hash".to_owned(),
        definition: Arc::new(template),
        request,
        terms,
        traceparent: Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".to_owned()),
        parent: None,
        restarted_from: None,
        key: None,
    }
}
