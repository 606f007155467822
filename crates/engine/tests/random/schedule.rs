//! Random schedules: what happens to an execution, in any order.

use engine::execution::{Fault, FaultKind, Input, Outcome, Payload};
use engine::ids::{Epoch, Fence};
use engine::money::MicroUsd;
use engine::time::Millis;
use proptest::prelude::*;
use serde_json::json;

use super::plans::ESTIMATE;
use super::watch::Watch;

/// One thing that happens.
#[derive(Clone, Debug)]
pub enum Move {
    /// One of the attempts in flight comes back.
    Answer { pick: usize, brings: u8, cost: Option<u64>, number: f64 },
    /// Some fence is answered, whether it is in flight, was, or never was.
    Stray { fence: u64, brings: u8, cost: Option<u64> },
    /// Time goes on, or the clock jumps.
    Tick { ms: i64 },
    /// The execution's own next moment comes.
    NextTimer,
    /// Another driver takes over.
    TakeOver,
    /// A driver with so many slots and so much time goes on.
    Resume { slots: u32, lifetime_ms: u64 },
}

pub fn moves() -> impl Strategy<Value = Vec<Move>> {
    let cost = prop::option::of(0..=ESTIMATE);
    let answer = (any::<usize>(), 0..10u8, cost.clone(), any::<f64>())
        .prop_map(|(pick, brings, cost, number)| Move::Answer { pick, brings, cost, number });
    let stray = (0..60u64, 0..10u8, cost).prop_map(|(fence, brings, cost)| Move::Stray {
        fence,
        brings,
        cost,
    });
    let tick = prop_oneof![
        6 => 0..3_000i64, 2 => 3_000..40_000i64, 1 => 40_000..900_000i64, 1 => -60_000..0i64,
    ];
    let resume = (0..5u32, prop_oneof![0..40_000u64, Just(1_000_000_000)])
        .prop_map(|(slots, lifetime_ms)| Move::Resume { slots, lifetime_ms });
    let one = prop_oneof![
        12 => answer,
        2 => stray,
        4 => tick.prop_map(|ms| Move::Tick { ms }),
        4 => Just(Move::NextTimer),
        1 => Just(Move::TakeOver),
        3 => resume,
    ];
    prop::collection::vec(one, 0..60)
}

impl Move {
    /// Lets it happen.
    pub fn make(&self, watch: &mut Watch) {
        match self {
            Self::Answer { pick, brings, cost, number } => {
                let fences: Vec<Fence> = watch.state.in_flight().map(|(fence, _)| fence).collect();
                let Some(fence) = fences.get(pick % fences.len().max(1)) else { return };
                watch.input(answer(*fence, *brings, *cost, *number));
            }
            Self::Stray { fence, brings, cost } => {
                watch.input(answer(Fence(*fence), *brings, *cost, 0.5));
            }
            Self::Tick { ms } => {
                watch.context.now = if *ms >= 0 {
                    watch.context.now.plus(Millis::new(ms.unsigned_abs()))
                } else {
                    engine::time::Timestamp::from_millis(watch.context.now.as_millis() + ms)
                };
                watch.input(Input::Tick);
            }
            Self::NextTimer => {
                watch.context.now = watch.next_timer();
                watch.input(Input::Tick);
            }
            Self::TakeOver => {
                watch.input(Input::TakenOver { epoch: Epoch(2), up_to: Fence(u64::MAX) })
            }
            Self::Resume { slots, lifetime_ms } => {
                watch.context.slots = *slots;
                watch.context.latest_end = watch.context.now.plus(Millis::new(*lifetime_ms));
                watch.input(Input::Resume);
            }
        }
    }
}

/// More than half of the answers are good.
pub fn answer(fence: Fence, brings: u8, cost: Option<u64>, number: f64) -> Input {
    let fault = |kind, code| Err(Fault::new(kind, code, "drawn by lot"));
    let number = if number.is_finite() { number } else { 0.1 };
    let result = match brings {
        0 => fault(FaultKind::Http(503), "worker.refused"),
        1 => fault(FaultKind::Http(422), "worker.refused"),
        2 => fault(FaultKind::Network, "worker.unreachable"),
        3 => fault(FaultKind::Output, "worker.malformed_output"),
        4 => Ok(json!(["no object", number])),
        5 => Ok(json!({"other": number})),
        _ => Ok(json!({"n": number, "quality_score": number / 2.0, "articles": [1, fence.0]})),
    };
    let outcome = Outcome {
        result: result.map(Payload::inline),
        cost: cost.map(MicroUsd::from_micros),
        memoised: None,
    };
    Input::Answered { fence, outcome }
}
