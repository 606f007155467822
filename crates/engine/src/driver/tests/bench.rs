//! The shell by hand: a driver with its actions put into words.

use std::sync::Arc;

use serde_json::{Value, json};

use super::super::handover::AT_ONCE;
use super::super::*;
use crate::execution::Message;
use crate::execution::tests::story::{BEGINNING_MS, started, template, terms};
use crate::execution::{Fault, Outcome, Payload, Terms, start};
use crate::plan::Plan;
use crate::plan::definition::{StepDefinition, TemplateDefinition};
use crate::shard::After;
use crate::time::Millis;

/// A moment so many milliseconds into the story.
pub fn ms(ms: i64) -> Timestamp {
    Timestamp::from_millis(BEGINNING_MS + ms)
}

/// A driver that lives for ten minutes.
pub fn limits() -> Limits {
    Limits {
        lifetime_end: ms(600_000),
        calls_max: 30,
        in_flight_max: 4,
        renew_every: Millis::from_secs(10),
    }
}

/// What came in, as the entry with this number.
pub fn entry(n: u64, message: &Message) -> InboxEntry {
    let entry = serde_json::to_value(message).expect("messages are written");
    InboxEntry { n: InboxSeq(n), entry }
}

/// A driver and the journal that it writes.
pub struct Bench {
    pub driver: Driver,
    pub now_ms: i64,
    pub journal: Vec<Event>,
    pub plan: Arc<Plan>,
    sending: Vec<Event>,
    seq: u64,
}

impl Bench {
    pub fn begun(steps: Vec<StepDefinition>, limits: Limits) -> Self {
        Self::of(steps, terms(), limits)
    }

    pub fn of(steps: Vec<StepDefinition>, terms: Terms, limits: Limits) -> Self {
        Self::on(template(steps), terms, limits)
    }

    pub fn on(template: TemplateDefinition, terms: Terms, limits: Limits) -> Self {
        let plan = Arc::new(Plan::compile(&template).expect("a story's template is valid"));
        let context = Context {
            now: ms(0),
            entropy: 0,
            slots: limits.in_flight_max.min(limits.calls_max),
            latest_end: limits.lifetime_end,
            gates: &crate::execution::NO_GATES,
        };
        let started = started(template, terms, json!({"topic": "bees"}));
        let (state, journal) = start(started, Arc::clone(&plan), &context);
        let driver = Driver::begun(ms(0), state, &journal, Epoch(1), limits);
        Self { driver, now_ms: 0, journal, plan, sending: Vec::new(), seq: 1 }
    }

    /// Another driver, which knows no more than the journal.
    pub fn taken(self, now_ms: i64, limits: Limits) -> Self {
        self.taken_with(now_ms, limits, &[])
    }

    /// Another driver, for which these entries wait.
    pub fn taken_with(self, now_ms: i64, limits: Limits, inbox: &[InboxEntry]) -> Self {
        let plan = Arc::clone(&self.plan);
        let state = State::replay::<()>(self.journal.clone(), |_| Ok(plan)).expect("it replays");
        let lease = (Epoch(2), Seq(self.seq));
        let driver = Driver::taken(ms(now_ms), 0, state, lease, inbox, limits);
        Self { driver, now_ms, sending: Vec::new(), ..self }
    }

    /// What the driver wants done at a moment, in words.
    pub fn act(&mut self, now_ms: i64) -> Vec<String> {
        self.now_ms = now_ms;
        let actions = self.driver.actions(ms(now_ms), 0);
        actions.into_iter().map(|action| self.word(action)).collect()
    }

    fn word(&mut self, action: Action) -> String {
        match action {
            Action::Append { seq, after, events, .. } => {
                let told: Vec<String> = events.iter().map(told).collect();
                self.sending = events;
                let end = if after == After::Ended { " (ended)" } else { "" };
                format!("append {seq}: {}{end}", told.join(", "))
            }
            Action::Call(request) => format!("call {}", request.step),
            Action::Child(child) => format!("begin {}", child.id),
            Action::CancelChild(_) => "call a child off".to_owned(),
            Action::Pass { path, worker, .. } => format!("ask {worker} for {path}"),
            Action::Return { path, worker } => format!("return {worker} for {path}"),
            Action::Report(reports) => format!("report {}", reports.len()),
            Action::Abort(fence) => format!("abort {}", self.step_of(fence)),
            Action::Renew(epoch) => format!("renew {epoch}"),
            Action::Release { seen, wake_at: AT_ONCE, .. } => format!("hand over, seen {seen}"),
            Action::Release { seen, wake_at, .. } => {
                format!("release seen {seen} wake {}", wake_at.as_millis() - BEGINNING_MS)
            }
        }
    }

    fn step_of(&self, of: Fence) -> String {
        let starts = self.journal.iter().find_map(|event| match event {
            Event::AttemptStarted { step, fence, .. } if *fence == of => Some(step.clone()),
            _ => None,
        });
        starts.expect("the attempt is in the journal")
    }

    pub fn answer(&mut self, answer: Answer) {
        self.driver.answered(ms(self.now_ms), 0, answer);
    }

    /// The append in flight is durable, and nothing came in.
    pub fn appended(&mut self) {
        self.appended_with(Vec::new());
    }

    /// The append in flight is durable, and this came in.
    pub fn appended_with(&mut self, inbox: Vec<InboxEntry>) {
        self.journal.append(&mut self.sending);
        self.seq += 1;
        self.answer(Answer::Appended(Ok(inbox)));
    }

    pub fn fence(&self, step: &str) -> Fence {
        let index = self.plan.find(step).expect("the step is in the plan");
        self.driver.state().step(index).attempt.as_ref().expect("it is in flight").fence
    }

    pub fn called(&mut self, fence: Fence, result: Result<Value, Fault>) {
        let outcome = Outcome { result: result.map(Payload::inline), cost: None, memoised: None };
        self.answer(Answer::Called { fence, outcome });
    }

    pub fn succeed(&mut self, step: &str, output: Value) {
        self.called(self.fence(step), Ok(output));
    }

    pub fn fail(&mut self, step: &str, fault: Fault) {
        self.called(self.fence(step), Err(fault));
    }
}

/// The type of an event and its step.
fn told(event: &Event) -> String {
    let told = serde_json::to_value(event).expect("events are written");
    let word = |key: &str| told[key].as_str().unwrap_or_default().to_owned();
    format!("{} {}", word("type"), word("step")).trim_end().to_owned()
}
