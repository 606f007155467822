//! The watch over an execution: it keeps books of its own from the events alone, and compares.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use engine::execution::{
    Blocker, Choice, Context, Event, FORMAT, Input, NO_GATES, PauseReason, Rejection, Started,
    State, Status, StepStatus, decide, start,
};
use engine::ids::{ExecutionId, Fence, ShardId};
use engine::money::MicroUsd;
use engine::plan::{Plan, StepIndex};
use engine::time::{Millis, Timestamp};

use super::plans::{Case, ESTIMATE};

/// An execution and what was seen of it.
pub struct Watch {
    pub state: State,
    pub context: Context<'static>,
    pub journal: Vec<Event>,
    plan: Arc<Plan>,
    settled: BTreeSet<String>,
    /// Attempts in flight: their step and what is kept back for them.
    in_flight: BTreeMap<Fence, (String, u64)>,
    /// Attempts that were given up without an answer, and what was counted for them.
    unanswered: BTreeMap<Fence, u64>,
    /// What was kept back for each attempt that there ever was.
    reserved: BTreeMap<Fence, u64>,
    /// Steps whose next attempt asks the fallback worker.
    fallback: BTreeSet<String>,
    /// Steps between two attempts: each keeps its place.
    retrying: BTreeSet<String>,
    fence: Fence,
    spent: u64,
    ended: bool,
}

impl Watch {
    pub fn begin(case: &Case) -> Self {
        let plan = Plan::compile(&case.template).expect("random templates are valid");
        let plan = Arc::new(plan);
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
            request: case.request.clone(),
            terms: case.terms.clone(),
            traceparent: None,
            parent: None,
            restarted_from: None,
            key: None,
            initiators: Vec::new(),
        };
        let (state, events) = start(started.clone(), Arc::clone(&plan), &context);
        let again = start(started, Arc::clone(&plan), &context);
        assert_eq!((&state, &events), (&again.0, &again.1), "a start is deterministic");
        let mut watch = Self {
            state,
            context,
            journal: Vec::new(),
            plan,
            settled: BTreeSet::new(),
            in_flight: BTreeMap::new(),
            unanswered: BTreeMap::new(),
            reserved: BTreeMap::new(),
            fallback: BTreeSet::new(),
            retrying: BTreeSet::new(),
            fence: Fence(0),
            spent: 0,
            ended: false,
        };
        watch.see(events);
        watch
    }

    /// Brings an input; the decision must be the same twice, and over a copy.
    pub fn input(&mut self, input: Input) {
        self.context.entropy = self.context.entropy.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x5bd1;
        let input = self.charged_fairly(input);
        let decided = decide(&self.state, &self.context, input.clone());
        assert_eq!(decide(&self.state, &self.context, input.clone()), decided, "deterministic");
        let before = self.state.clone();
        let advanced = self.state.advance(&self.context, input);
        assert_eq!(advanced, decided, "a decision over a copy is the same");
        match advanced {
            Ok(events) => {
                assert!(!self.ended, "nothing follows on the end: {events:?}");
                self.see(events);
            }
            Err(rejection) => {
                assert_eq!(self.state, before, "a rejected input changes nothing");
                assert_eq!(rejection == Rejection::Ended, self.ended);
            }
        }
    }

    pub fn next_timer(&self) -> Timestamp {
        self.state.next_timer(self.context.now).unwrap_or(self.context.now)
    }

    /// A worker charges at most its estimate.
    fn charged_fairly(&self, mut input: Input) -> Input {
        if let Input::Answered { fence, outcome } = &mut input
            && let Some(cost) = outcome.cost
        {
            let most = self.reserved.get(fence).copied().unwrap_or_default();
            outcome.cost = Some(cost.min(MicroUsd::from_micros(most)));
        }
        input
    }

    fn see(&mut self, events: Vec<Event>) {
        let mut started = 0;
        for event in &events {
            assert!(!self.ended, "{event:?} follows on the end");
            started += u32::from(matches!(event, Event::AttemptStarted { .. }));
            self.book(event);
            self.check_budget();
        }
        assert!(started <= self.context.slots, "{started} starts in {} slots", self.context.slots);
        self.journal.extend(events);
        self.check_state();
    }

    fn book(&mut self, event: &Event) {
        match event {
            Event::Started(_) | Event::TakenOver { .. } => {}
            Event::AttemptStarted { step, fence, deadline_at, reserved, .. } => {
                self.check_start(step);
                assert!(*fence > self.fence, "fence {fence} comes again");
                assert!(*deadline_at <= self.context.latest_end, "it outlives its driver");
                self.fence = *fence;
                self.retrying.remove(step);
                self.reserved.insert(*fence, reserved.as_micros());
                self.in_flight.insert(*fence, (step.clone(), reserved.as_micros()));
            }
            Event::AttemptFailed { step, fence, fault, cost, fallback, .. } => {
                let (of, _) = self.in_flight.remove(fence).expect("it was in flight");
                assert_eq!(of, *step);
                self.retrying.insert(step.clone());
                if *fallback {
                    self.fallback.insert(step.clone());
                }
                self.spent += cost.as_micros();
                if ["attempt.lost", "worker.timeout", "step.deadline_exceeded"]
                    .contains(&fault.code.as_str())
                {
                    self.unanswered.insert(*fence, cost.as_micros());
                }
            }
            Event::StepSucceeded { step, fence, cost, .. } => {
                match fence {
                    Some(fence) => {
                        let (of, _) = self.in_flight.remove(fence).expect("it was in flight");
                        assert_eq!(of, *step);
                    }
                    None => self.check_start(step),
                }
                self.spent += cost.as_micros();
                self.settle(step);
            }
            Event::StepReused { step, .. }
            | Event::StepFailed { step, .. }
            | Event::StepSkipped { step, .. } => {
                self.check_start(step);
                self.settle(step);
            }
            Event::LateAnswer { fence, cost, .. } => {
                let counted = self.unanswered.remove(fence).expect("its answer was unknown");
                self.spent = self.spent - counted + cost.map_or(counted, |cost| cost.as_micros());
            }
            Event::Paused { reason, .. } => {
                assert!(matches!(reason, PauseReason::Budget { .. }), "nobody asked for it");
                self.check_exhausted();
            }
            Event::Finished { .. } => {
                self.spent += self.in_flight.values().map(|(_, reserved)| reserved).sum::<u64>();
                self.in_flight.clear();
                self.ended = true;
            }
            other => panic!("no case has steps that would give {other:?}"),
        }
    }

    /// A step starts, or is settled, only after what it depends on, and with nothing in flight.
    fn check_start(&self, step: &str) {
        let index = self.plan.find(step).expect("the plan has the step");
        assert!(!self.settled.contains(step), "`{step}` is settled already");
        for dependency in &self.plan.step(index).dependencies {
            let name = &self.plan.step(*dependency).name;
            assert!(self.settled.contains(name), "`{step}` begins before `{name}` is settled");
        }
        let flies = self.in_flight.values().any(|(of, _)| of == step);
        assert!(!flies, "two attempts of `{step}` are in flight");
    }

    fn settle(&mut self, step: &str) {
        self.retrying.remove(step);
        assert!(self.settled.insert(step.to_owned()), "`{step}` is settled twice");
    }

    /// An execution ends for want of money only when none is kept back and nothing that could
    /// begin can be paid for.
    fn check_exhausted(&self) {
        assert!(self.in_flight.is_empty(), "what is kept back may come free");
        let terms = &self.state.started.terms;
        let budget = terms.budget.expect("there is a budget").as_micros();
        let places = terms.parallelism.max(1) as usize;
        for step in self.plan.steps.iter().filter(|step| !self.settled.contains(&step.name)) {
            let mut needed = step.dependencies.iter().map(|on| &self.plan.step(*on).name);
            let target = step.target(self.fallback.contains(&step.name), Choice::Declared);
            let cost = target.and_then(|target| target.estimated_cost).unwrap_or_default();
            let has_place = self.retrying.contains(&step.name) || self.retrying.len() < places;
            let could_begin = has_place && needed.all(|name| self.settled.contains(name));
            let affordable = self.spent + cost.as_micros() <= budget;
            assert!(!(could_begin && affordable), "`{}` can be paid for", step.name);
        }
    }

    fn check_budget(&self) {
        let reserved: u64 = self.in_flight.values().map(|(_, reserved)| reserved).sum();
        assert!(self.in_flight.values().all(|(_, reserved)| *reserved <= ESTIMATE));
        if let Some(budget) = self.state.started.terms.budget {
            let bound = self.spent + reserved;
            assert!(bound <= budget.as_micros(), "{bound} of {} are bound", budget.as_micros());
        }
    }

    fn check_state(&self) {
        let state = &self.state;
        assert_eq!(state.status.is_final(), self.ended);
        assert_eq!(state.spent.as_micros(), self.spent);
        let of_steps: u64 = state.steps.iter().map(|step| step.cost.as_micros()).sum();
        assert_eq!(of_steps, self.spent, "what steps cost is what was spent");
        let in_flight: Vec<Fence> = state.in_flight().map(|(fence, _)| fence).collect();
        assert_eq!(in_flight, self.in_flight.keys().copied().collect::<Vec<_>>());
        if self.ended {
            assert_eq!((state.reserved.as_micros(), state.next_timer(self.context.now)), (0, None));
            assert!(state.why(self.context.now).is_empty());
            return;
        }
        let places = state.started.terms.parallelism.max(1) as usize;
        let busy = state
            .steps
            .iter()
            .filter(|step| matches!(step.status, StepStatus::Running | StepStatus::Retrying));
        assert!(busy.count() <= places, "more in progress than the terms allow");
        self.check_why();
    }

    /// Each unfinished step is named once, with a reason that is true; and something goes on.
    fn check_why(&self) {
        let now = self.context.now;
        let why = self.state.why(now);
        let open = self.plan.steps.iter().filter(|step| !self.settled.contains(&step.name));
        let open: Vec<&str> = open.map(|step| step.name.as_str()).collect();
        assert_eq!(why.iter().map(|held| held.step.as_str()).collect::<Vec<_>>(), open);
        // Somebody must raise the budget.
        let mut goes_on = self.state.status == Status::Paused;
        for held in &why {
            let index = self.plan.find(&held.step).expect("the plan has the step");
            goes_on |= self.check_reason(index, &held.by, held.next_at);
        }
        assert!(goes_on, "nothing goes on before the deadline: {why:?}");
    }

    /// Whether the reason says that something other than the deadline will happen.
    fn check_reason(&self, step: StepIndex, by: &Blocker, next_at: Option<Timestamp>) -> bool {
        match by {
            Blocker::Dependencies(names) => {
                assert!(!names.is_empty() && names.iter().all(|name| !self.settled.contains(name)));
                false
            }
            Blocker::Answer(fence) => {
                assert_eq!(self.in_flight[fence].0, self.plan.step(step).name);
                assert!(next_at.is_some());
                true
            }
            Blocker::Retry => {
                assert!(next_at.is_some_and(|at| at > self.context.now));
                true
            }
            Blocker::Parallelism => false,
            Blocker::Budget => {
                assert!(self.state.started.terms.budget.is_some());
                false
            }
            Blocker::Pause(PauseReason::Budget { .. }) => {
                assert_eq!(self.state.status, Status::Paused);
                false
            }
            Blocker::Driver => {
                assert!(self.state.has_startable(self.context.now), "no driver could start it");
                true
            }
            other => panic!("no case has steps that would wait for {other:?}"),
        }
    }

    /// The journal, written down and read back, comes to this very state.
    pub fn check_replay(&self) {
        let text: Vec<String> = self.journal.iter().map(written).collect();
        let events = text.iter().map(|text| serde_json::from_str(text).expect("events are read"));
        let events: Vec<Event> = events.collect();
        assert_eq!(events, self.journal);
        let replayed = State::replay::<()>(events, |_| Ok(Arc::clone(&self.plan)));
        assert_eq!(replayed.expect("a journal is replayed"), self.state);
    }

    pub fn has_ended(&self) -> bool {
        self.ended
    }
}

fn written(event: &Event) -> String {
    serde_json::to_string(event).expect("events are written")
}
