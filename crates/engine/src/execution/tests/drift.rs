//! What the state keeps count of, against a count from the start: after every one of many random
//! inputs over a template that has everything.

mod count;
mod template;

use crate::execution::tests::asking::{
    cancel, completed, heartbeat, kill, outcome, pause, rerun, resume, retry, signal,
};
use crate::execution::tests::story::{at, broken, http, replayed, started};
use crate::execution::{
    Context, Event, Gates, Input, Message, Outcome, PauseReason, State, StepState, Unit, start,
};
use crate::ids::{Epoch, ExecutionId, Fence, ShardId};
use crate::plan::Plan;
use crate::time::{Millis, Timestamp};
use serde_json::json;
use std::sync::Arc;

/// Executions that are told.
const SEEDS: u64 = 150;
/// Inputs that each of them meets before it is led to its end.
const INPUTS: usize = 120;
/// Inputs within which it ends then.
const INPUTS_TO_THE_END: usize = 600;

#[test]
fn what_is_counted_is_what_there_is_whatever_happens() {
    let mut ends = std::collections::BTreeMap::new();
    for seed in 0..SEEDS {
        let end = Tale::begin(seed).tell();
        *ends.entry(end).or_insert(0_u32) += 1;
    }
    assert_eq!(ends.len(), 4, "every end was met: {ends:?}");
}

/// SplitMix64.
struct Draw(u64);

impl Draw {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    fn one_in(&mut self, of: u64) -> bool {
        self.below(of) == 0
    }

    fn one_of<T: Copy>(&mut self, all: &[T]) -> Option<T> {
        let most = u64::try_from(all.len()).expect("few");
        (most > 0).then(|| all[usize::try_from(self.below(most)).expect("few")])
    }
}

struct Tale {
    seed: u64,
    draw: Draw,
    state: State,
    plan: Arc<Plan>,
    journal: Vec<Event>,
    now: Timestamp,
    /// Whether what could not be undone was kept by a reset: undoing it anew is never prevented,
    /// though money was spent on it before.
    stands: bool,
}

impl Tale {
    fn begin(seed: u64) -> Self {
        let mut draw = Draw(seed);
        let (definition, terms) = template::drawn(&mut draw);
        let plan = Arc::new(Plan::compile(&definition).expect("it is valid"));
        let request = json!({"topic": "bees", "items": [1, 2, 3, 4, 5]});
        let started = started(definition, terms, request);
        let gates = Gates::default();
        let context =
            Context { now: at(0), entropy: seed, slots: 3, latest_end: forever(), gates: &gates };
        let (state, journal) = start(started, Arc::clone(&plan), &context);
        Self { seed, draw, state, plan, journal, now: at(0), stands: false }
    }

    fn tell(mut self) -> &'static str {
        for _ in 0..INPUTS {
            let input = self.any_input();
            self.meet(input);
        }
        for _ in 0..INPUTS_TO_THE_END {
            if self.state.status.is_final() {
                let replayed = replayed(&self.journal, &self.plan);
                assert_eq!(replayed, self.state, "seed {}", self.seed);
                return self.state.status.as_str();
            }
            let input = self.towards_the_end();
            self.meet(input);
        }
        panic!("seed {}: it does not end: {:#?}", self.seed, self.state.why(self.now));
    }

    fn meet(&mut self, input: Input) {
        let mut gates = Gates::default();
        let wanted = self.state.asking(&self.context(&gates, 4), 4);
        gates.passes.extend(wanted.into_iter().filter(|_| !self.draw.one_in(3)));
        let slots = if self.draw.one_in(5) { 0 } else { 4 };
        let context = self.context(&gates, slots);
        let before = self.state.clone();
        let name = format!("seed {}, {input:?}", self.seed);
        match self.state.advance(&context, input) {
            Ok(events) => self.journal.extend(events),
            Err(_) => assert_eq!(self.state, before, "{name}"),
        }
        let tried = |step: &StepState| step.undo.is_some() && step.is_to_be_undone();
        self.stands |= before.status.is_final() && before.steps.iter().any(tried);
        count::check(&self.state, self.now, &name);
        if !self.stands {
            count::budget(&self.state, &name);
        }
        if self.draw.one_in(10) {
            assert_eq!(replayed(&self.journal, &self.plan), self.state, "{name}");
        }
    }

    fn context<'a>(&self, gates: &'a Gates, slots: u32) -> Context<'a> {
        Context { now: self.now, entropy: self.seed, slots, latest_end: forever(), gates }
    }

    fn any_input(&mut self) -> Input {
        match self.draw.below(20) {
            0..=5 => self.answer(),
            6 => self.accept(),
            7 => Input::Resume,
            8..=10 => {
                self.now = self.now.plus(Millis::new(self.draw.below(4_000)));
                Input::Tick
            }
            11 | 12 => self.next_moment(),
            13 if self.draw.one_in(3) => {
                Input::TakenOver { epoch: Epoch(2), up_to: self.state.last_fence() }
            }
            14 => self.held(),
            _ => Input::Message(self.message()),
        }
    }

    fn next_moment(&mut self) -> Input {
        let far = self.now.plus(Millis::from_secs(30));
        if let Some(next) = self.state.next_timer(self.now)
            && (next <= far || self.draw.one_in(40))
        {
            self.now = next;
        }
        Input::Tick
    }

    fn any_fence(&mut self) -> Fence {
        let in_flight: Vec<Fence> = self.state.in_flight().map(|(fence, _)| fence).collect();
        match self.draw.one_of(&in_flight) {
            Some(fence) if !self.draw.one_in(6) => fence,
            _ => Fence(self.draw.below(self.state.last_fence().0 + 2)),
        }
    }

    /// An answer costs no more than it was expected to.
    fn brought(&mut self, fence: Fence) -> Outcome {
        let most = self.state.attempt(fence).map(|(unit, _)| self.state.estimate(unit).as_micros());
        let known = self.state.unknown.get(&fence).map(|(_, cost)| cost.as_micros());
        let cost = self.draw.below(most.or(known).unwrap_or(0) + 1);
        let cost = (!self.draw.one_in(4)).then_some(cost);
        match self.draw.below(5) {
            0 => outcome(Err(broken()), cost),
            1 if self.draw.one_in(2) => outcome(Err(http(400)), cost),
            _ => outcome(Ok(json!({"n": fence.0})), cost),
        }
    }

    fn answer(&mut self) -> Input {
        let fence = self.any_fence();
        Input::Answered { fence, outcome: self.brought(fence) }
    }

    fn accept(&mut self) -> Input {
        Input::Accepted {
            fence: self.any_fence(),
            silence: Some(Millis::new(self.draw.below(9_000))),
        }
    }

    fn any_unit(&mut self) -> Unit {
        let steps: Vec<_> = self.plan.indices().collect();
        let step = self.draw.one_of(&steps).expect("there are steps");
        match self.draw.below(4) {
            0 => Unit::element(step, u32::try_from(self.draw.below(6)).expect("few")),
            1 => Unit::undo(step),
            _ => Unit::whole(step),
        }
    }

    fn held(&mut self) -> Input {
        let (unit, until) = (self.any_unit(), self.now.plus(Millis::new(500)));
        let reason = crate::admission::HeldBy::Concurrency;
        Input::Held { unit, reason, until }
    }

    fn message(&mut self) -> Message {
        let other = ExecutionId::new(self.now, ShardId(0), 5);
        match self.draw.below(60) {
            0 => cancel(),
            1 => kill(),
            2 => Message::ParentEnded { parent: other },
            3..=6 => pause(),
            7..=16 => resume(None),
            17..=20 => {
                resume(Some(self.state.budget.map_or(1_000_000, |budget| budget.as_micros() + 500)))
            }
            21..=26 => retry(),
            27..=34 => {
                let unit = self.any_unit();
                let input = self.draw.one_in(3).then(|| json!({"edited": true}));
                rerun(&self.plan.path(unit), input)
            }
            35..=38 => signal("go", json!({"n": 1})),
            39..=42 => signal("ok", json!({"approved": !self.draw.one_in(4)})),
            43..=48 => {
                let fence = self.any_fence();
                completed(fence, self.brought(fence))
            }
            49..=54 => heartbeat(self.any_fence(), Some(self.draw.below(9_000))),
            _ => Message::ChildEnded { child: other },
        }
    }

    /// What leads to an end if anything does.
    fn towards_the_end(&mut self) -> Input {
        let fence = self.state.in_flight().next().map(|(fence, _)| fence);
        match (&self.state.paused, fence) {
            (Some(PauseReason::Failure { .. }), _) => Input::Message(cancel()),
            (Some(_), _) => Input::Message(resume(Some(9_000_000))),
            (None, Some(fence)) => {
                Input::Answered { fence, outcome: outcome(Ok(json!({})), Some(0)) }
            }
            (None, None) if self.state.has_startable(self.now) => Input::Resume,
            (None, None) => {
                self.now = self.state.next_timer(self.now).expect("a deadline comes");
                Input::Tick
            }
        }
    }
}

fn forever() -> Timestamp {
    at(i64::MAX / 4)
}
