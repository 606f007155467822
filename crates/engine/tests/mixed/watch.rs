//! The watch over an execution of every kind of step. What it knows of the rules it takes from the
//! events; sums and sets it keeps itself.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use engine::execution::{
    Asked, Context, Effect, Event, FORMAT, Input, Message, NO_GATES, PauseReason, Payload,
    Rejection, Started, State, Status, StepStatus, decide, effects, start,
};
use engine::ids::{ExecutionId, Fence, ShardId};
use engine::money::MicroUsd;
use engine::plan::{Kind, Plan};
use engine::time::{Millis, Timestamp};
use serde_json::json;

use super::super::required::Required;
use super::moves::outcome;
use super::plans::Case;

/// More rounds than any execution of these sizes needs to its end.
const ROUNDS_MAX: usize = 1_000;

/// An execution and what was seen of it.
pub struct Watch {
    pub state: State,
    pub context: Context<'static>,
    journal: Vec<Event>,
    plan: Arc<Plan>,
    status: Status,
    /// Attempts in flight, by fence: their paths.
    in_flight: BTreeMap<Fence, String>,
    /// What was kept back for each attempt that there ever was.
    reserved: BTreeMap<Fence, u64>,
    /// Executions that attempts began and that nobody has heard the end of.
    children: BTreeMap<Fence, ExecutionId>,
    called_off: BTreeSet<ExecutionId>,
    /// Whether somebody had it end at once: then nothing is undone.
    killed: bool,
}

impl Watch {
    pub fn begin(case: &Case) -> Self {
        let plan = Plan::compile_with(&case.template, &Required);
        let plan = Arc::new(plan.unwrap_or_else(|wrong| panic!("{wrong:?}")));
        let now = Timestamp::from_millis(1_000_000);
        let latest_end = now.plus(Millis::from_secs(1_000_000));
        let context = Context { now, entropy: 99, slots: 4, latest_end, gates: &NO_GATES };
        let started = Started {
            format: FORMAT,
            id: ExecutionId::new(now, ShardId(0), 1),
            account: "default".to_owned(),
            at: now,
            revision: 1,
            content_hash: String::new(),
            definition: Arc::new(case.template.clone()),
            request: json!({"topic": "bees"}),
            terms: case.terms.clone(),
            traceparent: None,
            parent: None,
            restarted_from: None,
            key: None,
            initiators: Vec::new(),
        };
        let (state, events) = start(started, Arc::clone(&plan), &context);
        let mut watch = Self {
            state,
            context,
            journal: Vec::new(),
            plan,
            status: Status::Running,
            in_flight: BTreeMap::new(),
            reserved: BTreeMap::new(),
            children: BTreeMap::new(),
            called_off: BTreeSet::new(),
            killed: false,
        };
        watch.see(events);
        watch
    }

    /// Brings an input; the decision must be the same twice, and over a copy.
    pub fn input(&mut self, input: Input) {
        self.context.entropy = self.context.entropy.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x5bd1;
        let input = self.charged_fairly(input);
        let decided = decide(&self.state, &self.context, input.clone());
        let before = self.state.clone();
        let advanced = self.state.advance(&self.context, input);
        assert_eq!(advanced, decided, "a decision over a copy is the same");
        match advanced {
            Ok(events) => self.see(events),
            Err(rejection) => {
                assert_eq!(self.state, before, "a rejected input changes nothing");
                assert!(rejection != Rejection::Ended || self.status.is_final());
            }
        }
    }

    pub fn next_timer(&self) -> Timestamp {
        self.state.next_timer(self.context.now).unwrap_or(self.context.now)
    }

    /// A worker charges at most its estimate.
    fn charged_fairly(&self, mut input: Input) -> Input {
        let (fence, outcome) = match &mut input {
            Input::Answered { fence, outcome }
            | Input::Message(Message::Completed { fence, outcome, .. }) => (*fence, outcome),
            _ => return input,
        };
        // What is kept back for undoing is not the worker's.
        let undo = self.in_flight.get(&fence).map_or(100, |path| self.undo_price(path));
        let most = self.reserved.get(&fence).copied().unwrap_or_default().saturating_sub(undo);
        outcome.cost = outcome.cost.map(|cost| cost.min(MicroUsd::from_micros(most)));
        input
    }

    fn undo_price(&self, path: &str) -> u64 {
        let undone = self.plan.find(path).and_then(|at| self.plan.step(at).compensation.as_ref());
        undone.map_or(0, |_| super::plans::ESTIMATE)
    }

    fn see(&mut self, events: Vec<Event>) {
        for event in &events {
            self.book(event);
        }
        for event in &events {
            for effect in effects(&self.state, event) {
                if let Effect::CancelChild(id) = effect {
                    self.called_off.insert(id);
                }
            }
        }
        self.journal.extend(events);
        self.check_state();
    }

    fn book(&mut self, event: &Event) {
        match event {
            Event::AttemptStarted { step, fence, reserved, child, .. } => {
                assert_eq!(self.status, Status::Running, "`{step}` begins");
                self.in_flight.insert(*fence, step.clone());
                self.reserved.insert(*fence, reserved.as_micros());
                self.children.extend(child.clone().map(|child| (*fence, child)));
            }
            Event::AttemptFailed { step, fence, fault, .. } => {
                assert_eq!(self.in_flight.remove(fence).as_ref(), Some(step));
                if fault.code == "pipeline.waited_too_long"
                    || fault.code == "step.deadline_exceeded"
                {
                    return;
                }
                self.children.remove(fence);
            }
            Event::StepSucceeded { step, fence: Some(fence), output, .. } => {
                let index = self.plan.find(step);
                let kind = index.map(|index| &self.plan.step(index).kind);
                if matches!(kind, Some(Kind::Tool(_))) {
                    assert_eq!(
                        output.value().expect("a tool's output is small")["n"],
                        1,
                        "`{step}` has what a tool gives"
                    );
                }
                assert_eq!(self.in_flight.remove(fence).as_ref(), Some(step));
                self.children.remove(fence);
            }
            Event::LateAnswer { fence, .. } => {
                self.children.remove(fence);
            }
            Event::MapStarted { .. } | Event::WaitStarted { .. } => {
                assert!(!self.status.is_final() && self.status != Status::Paused);
            }
            Event::Paused { .. } => self.status = Status::Paused,
            Event::Parked { .. } => self.status = Status::Waiting,
            Event::Woken { .. } => {
                assert_eq!(self.status, Status::Waiting);
                self.status = Status::Running;
            }
            Event::Unwinding { .. } => self.status = Status::Running,
            // Else only its budget is another.
            Event::Resumed { .. } if self.status == Status::Paused => {
                self.status = Status::Running;
            }
            Event::Reset { .. } => {
                self.status = Status::Running;
                self.killed = false;
            }
            Event::Asked { verb, .. } => self.killed |= verb.as_str() == "kill",
            Event::Finished { status, fault, .. } => {
                self.status = *status;
                self.children.clear();
                if !self.killed && matches!(status, Status::Failed | Status::Cancelled) {
                    let failed = fault.as_ref().is_some_and(|f| f.code == "compensation.failed");
                    assert!(failed || self.all_undone(), "{status:?} leaves something done");
                }
            }
            _ => {}
        }
    }

    fn all_undone(&self) -> bool {
        let steps = self.plan.steps.iter().zip(&self.state.steps);
        let mut undone = steps.filter(|(planned, _)| planned.compensation.is_some());
        undone.all(|(_, step)| step.status != StepStatus::Succeeded)
    }

    fn check_state(&mut self) {
        let state = &self.state;
        assert_eq!(state.status, self.status);
        let fences: BTreeSet<Fence> = state.in_flight().map(|(fence, _)| fence).collect();
        self.in_flight.retain(|fence, _| fences.contains(fence));
        assert_eq!(fences.len(), self.in_flight.len(), "an attempt flies that never began");
        let of_steps: u64 = state.steps.iter().map(|step| step.cost.as_micros()).sum();
        assert_eq!(of_steps, state.spent.as_micros(), "what steps cost is what was spent");
        let kept: u64 = self.in_flight.keys().map(|fence| self.reserved[fence]).sum();
        assert_eq!(kept, state.reserved.as_micros(), "what is kept back is for what flies");
        if let Some(budget) = state.budget {
            let bound = state.spent.plus(state.reserved);
            assert!(bound <= budget, "{bound} of {budget} are bound");
        }
        for (fence, child) in &self.children {
            let known = fences.contains(fence) || self.called_off.contains(child);
            assert!(known, "nobody looks after {child} any more");
        }
        if state.status == Status::Waiting {
            assert_eq!(state.connected(), 0);
            assert!(!state.has_startable(self.context.now));
        }
        assert_eq!(state.next_timer(self.context.now).is_none(), state.status.is_final());
        // All may be done of what is paused.
        let silent = state.why(self.context.now).is_empty() && state.status != Status::Paused;
        assert_eq!(silent, state.status.is_final());
    }

    /// The journal, written down and read back, comes to this very state.
    pub fn check_replay(&self) {
        let text = serde_json::to_string(&self.journal).expect("events are written");
        let events: Vec<Event> = serde_json::from_str(&text).expect("events are read");
        assert_eq!(events, self.journal);
        let replayed = State::replay::<()>(events, |_| Ok(Arc::clone(&self.plan)));
        assert_eq!(replayed.expect("a journal is replayed"), self.state);
    }

    /// A patient driver, workers that always answer and an operator who has all the money: whatever
    /// happened before, it ends.
    pub fn drive_to_the_end(&mut self) {
        for _ in 0..ROUNDS_MAX {
            self.context.slots = 4;
            self.context.latest_end = self.context.now.plus(Millis::from_secs(1_000_000));
            self.input(Input::Resume);
            if self.status.is_final() {
                return;
            }
            self.go_on();
        }
        panic!("no end in {ROUNDS_MAX} rounds: {:?}", self.state.why(self.context.now));
    }

    fn go_on(&mut self) {
        let asked = Asked { by: "user:ada".to_owned(), reason: None };
        let more = MicroUsd::from_micros(1_000);
        let higher = self.state.budget.map(|budget| budget.plus(more));
        let first = self.state.in_flight().next();
        match (&self.state.paused, first) {
            (_, Some((fence, _))) => {
                self.input(Input::Answered { fence, outcome: outcome(9, Some(1)) });
            }
            (Some(PauseReason::Failure { .. }), None) => {
                self.input(Input::Message(Message::Cancel { asked }));
            }
            (Some(PauseReason::Asked | PauseReason::Budget { .. }), None) => {
                self.input(Input::Message(Message::Resume { asked, budget: higher }));
            }
            (None, None)
                if self.status == Status::Waiting && self.context.entropy.is_multiple_of(2) =>
            {
                let payload = Payload::inline(json!({"approved": true, "n": 1}));
                let name = "go".to_owned();
                self.input(Input::Message(Message::Signal { asked, name, payload, answers: None }));
                self.context.now = self.next_timer();
            }
            (None, None) => {
                self.context.now = self.next_timer();
                self.input(Input::Tick);
            }
        }
    }
}
