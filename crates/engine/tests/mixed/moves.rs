//! Random schedules: what happens to an execution, in any order.

use engine::admission::HeldBy;
use engine::execution::{Asked, Fault, FaultKind, Input, Message, Outcome, Payload, Unit};
use engine::ids::{Epoch, ExecutionId, Fence, ShardId};
use engine::money::MicroUsd;
use engine::plan::StepIndex;
use engine::time::{Millis, Timestamp};
use proptest::prelude::*;
use serde_json::json;

use super::watch::Watch;

/// One thing that happens.
#[derive(Clone, Debug)]
pub enum Move {
    /// One of the attempts in flight comes back.
    Answer { pick: usize, brings: u8, cost: Option<u64> },
    /// The worker of one of them answers later.
    Accept { pick: usize },
    /// It is heard of.
    Heartbeat { pick: usize },
    /// Some fence is answered or reported, whether it is in flight, was, or never was.
    Stray { fence: u64, brings: u8, cost: Option<u64>, reported: bool },
    /// Time goes on, or the clock jumps.
    Tick { ms: i64 },
    /// The execution's own next moment comes.
    NextTimer,
    /// Another driver takes over.
    TakeOver,
    /// A driver with so many slots and so much time goes on.
    Resume { slots: u32, lifetime_ms: u64 },
    /// A signal.
    Signal { name: u8, approved: bool },
    /// Somebody asks for something.
    Ask { verb: u8, step: u32, element: Option<u32>, more: u64 },
    /// A gate is shut.
    Held { step: u32 },
}

pub fn moves() -> impl Strategy<Value = Vec<Move>> {
    let cost = || prop::option::of(0..=100u64);
    let answer = (any::<usize>(), 0..8u8, cost()).prop_map(|(pick, brings, cost)| Move::Answer {
        pick,
        brings,
        cost,
    });
    let stray = (0..60u64, 0..8u8, cost(), any::<bool>())
        .prop_map(|(fence, brings, cost, reported)| Move::Stray { fence, brings, cost, reported });
    let tick = prop_oneof![
        6 => 0..3_000i64, 2 => 3_000..40_000i64, 1 => 40_000..300_000i64, 1 => -20_000..0i64,
    ];
    let resume = (0..5u32, prop_oneof![0..40_000u64, Just(1_000_000_000)])
        .prop_map(|(slots, lifetime_ms)| Move::Resume { slots, lifetime_ms });
    let ask = (0..24u8, 0..12u32, prop::option::of(0..5u32), 0..900u64)
        .prop_map(|(verb, step, element, more)| Move::Ask { verb, step, element, more });
    let one = prop_oneof![
        14 => answer,
        2 => any::<usize>().prop_map(|pick| Move::Accept { pick }),
        1 => any::<usize>().prop_map(|pick| Move::Heartbeat { pick }),
        2 => stray,
        4 => tick.prop_map(|ms| Move::Tick { ms }),
        3 => Just(Move::NextTimer),
        1 => Just(Move::TakeOver),
        3 => resume,
        3 => (0..3u8, any::<bool>()).prop_map(|(name, approved)| Move::Signal { name, approved }),
        4 => ask,
        1 => (0..12u32).prop_map(|step| Move::Held { step }),
    ];
    prop::collection::vec(one, 0..70)
}

fn asked() -> Asked {
    Asked { by: "user:ada".to_owned(), reason: None }
}

impl Move {
    /// Lets it happen.
    pub fn make(&self, watch: &mut Watch) {
        let picked = |watch: &Watch, pick: usize| {
            let fences: Vec<Fence> = watch.state.in_flight().map(|(fence, _)| fence).collect();
            fences.get(pick % fences.len().max(1)).copied()
        };
        match self {
            Self::Answer { pick, brings, cost } => {
                let Some(fence) = picked(watch, *pick) else { return };
                let outcome = outcome(*brings, *cost);
                watch.input(Input::Answered { fence, outcome });
            }
            Self::Accept { pick } => {
                let Some(fence) = picked(watch, *pick) else { return };
                watch.input(Input::Accepted { fence, silence: Some(Millis::new(8_000)) });
            }
            Self::Heartbeat { pick } => {
                let Some(fence) = picked(watch, *pick) else { return };
                watch.input(Input::Message(Message::Heartbeat { fence, silence: None }));
            }
            Self::Stray { fence, brings, cost, reported } => {
                let (fence, outcome) = (Fence(*fence), outcome(*brings, *cost));
                let by = "worker:w".to_owned();
                watch.input(match reported {
                    true => Input::Message(Message::Completed { by, fence, outcome }),
                    false => Input::Answered { fence, outcome },
                });
            }
            Self::Tick { ms } => {
                let now = watch.context.now.as_millis() + ms;
                watch.context.now = Timestamp::from_millis(now);
                watch.input(Input::Tick);
            }
            Self::NextTimer => {
                watch.context.now = watch.next_timer();
                watch.input(Input::Tick);
            }
            Self::TakeOver => {
                watch.input(Input::TakenOver { epoch: Epoch(2), up_to: Fence(u64::MAX) });
            }
            Self::Resume { slots, lifetime_ms } => {
                watch.context.slots = *slots;
                watch.context.latest_end = watch.context.now.plus(Millis::new(*lifetime_ms));
                watch.input(Input::Resume);
            }
            Self::Signal { name, approved } => {
                let name = ["go", "went", "nobody"][usize::from(*name)].to_owned();
                let payload = Payload::inline(json!({"approved": approved, "n": 1}));
                watch.input(Input::Message(Message::Signal {
                    asked: asked(),
                    name,
                    payload,
                    answers: None,
                }));
            }
            Self::Ask { verb, step, element, more } => ask(watch, *verb, *step, *element, *more),
            Self::Held { step } => {
                let steps = u32::try_from(watch.state.steps.len()).expect("few steps");
                let unit = Unit::whole(StepIndex(step % steps));
                let until = watch.context.now.plus(Millis::new(500));
                watch.input(Input::Held { unit, reason: HeldBy::Rate, until });
            }
        }
    }
}

/// Mostly what lets an execution go on; what ends it is rare.
fn ask(watch: &mut Watch, verb: u8, step: u32, element: Option<u32>, more: u64) {
    let step = match element {
        Some(element) => format!("s{step}[{element}]"),
        None => format!("s{step}"),
    };
    let budget = watch.state.budget.map(|budget| budget.plus(MicroUsd::from_micros(more)));
    let parent = ExecutionId::new(Timestamp::from_millis(0), ShardId(0), 9);
    watch.input(Input::Message(match verb {
        0..=4 => Message::Pause { asked: asked() },
        5..=10 => Message::Resume { asked: asked(), budget },
        11..=14 => Message::Retry { asked: asked() },
        15..=19 => Message::Rerun { asked: asked(), step, input: None },
        20 | 21 => Message::Cancel { asked: asked() },
        22 => Message::Kill { asked: asked() },
        _ => Message::ParentEnded { parent },
    }));
}

/// More than half of the answers are good.
pub fn outcome(brings: u8, cost: Option<u64>) -> Outcome {
    let fault = |kind, code| Err(Fault::new(kind, code, "drawn by lot"));
    let result = match brings {
        0 => fault(FaultKind::Http(503), "worker.refused"),
        1 => fault(FaultKind::Http(422), "worker.refused"),
        2 => fault(FaultKind::Network, "worker.unreachable"),
        3 => Ok(json!(["no object"])),
        _ => Ok(json!({"n": 1})),
    };
    let cost = cost.map(MicroUsd::from_micros);
    Outcome { result: result.map(Payload::inline), cost, memoised: None }
}
