//! The workers: what they answer, what they charge, and what they have done.

use std::collections::BTreeMap;

use engine::execution::{Fault, FaultKind, Outcome, Payload, Request};
use engine::money::MicroUsd;
use engine::time::Millis;
use serde_json::{Value, json};

use super::odds::Odds;
use super::plans::ESTIMATE;
use super::rng::Rng;

/// A worker fails at most so often at one step: within the retries of a patient template.
const FAILURES_MAX: u32 = 12;

/// Whoever is asked here answers 202 and reports later.
pub const LATER: &str = "/later";

/// The longest that a worker takes once faults are over: within any time-out.
const QUIET_LATENCY_MS: i64 = 300;

/// What a worker says to a call.
#[derive(Clone, Debug)]
pub enum Said {
    /// The outcome.
    Answer(Outcome),
    /// It works on, and reports.
    Accepted,
    Nothing,
}

/// What a worker makes of a call.
pub struct Treatment {
    pub said: Said,
    /// How long it takes.
    pub latency_ms: i64,
    /// What it really charges.
    pub charged: u64,
    /// Whether a fault was injected.
    pub failed: bool,
}

/// All workers. They know idempotency keys: what was done for a key is not done or charged again.
#[derive(Debug, Default)]
pub struct Workers {
    done: BTreeMap<String, u32>,
    failures: BTreeMap<String, u32>,
}

impl Workers {
    /// How often the work of a key was done.
    pub fn done(&self, key: &str) -> u32 {
        self.done.get(key).copied().unwrap_or_default()
    }

    pub fn treat(
        &mut self,
        request: &Request,
        odds: &Odds,
        rng: &mut Rng,
        quiet: bool,
    ) -> Treatment {
        let latency_ms = rng.between(2, if quiet { QUIET_LATENCY_MS } else { odds.latency_ms });
        let failures = self.failures.entry(request.idempotency_key()).or_default();
        let may_fail = !quiet && *failures < FAILURES_MAX;
        if may_fail && rng.chance(odds.worker_fails) {
            *failures += 1;
            return self.failed(request, rng, latency_ms);
        }
        if may_fail && rng.chance(odds.worker_silent) {
            *failures += 1;
            let charged = if rng.chance(500) { self.perform(request).1 } else { 0 };
            return Treatment { said: Said::Nothing, latency_ms, charged, failed: true };
        }
        if request.endpoint == LATER || request.worker == "tool:reports" {
            return Treatment { said: Said::Accepted, latency_ms, charged: 0, failed: false };
        }
        let slow = may_fail && rng.chance(odds.worker_slow);
        if slow {
            *failures += 1;
        }
        let latency_ms = if slow { rng.between(1_000, 45_000) } else { latency_ms };
        let (mut outcome, charged) = self.perform(request);
        if rng.chance(odds.worker_unspoken_cost) && outcome.result.is_ok() {
            outcome.cost = None;
        }
        Treatment { said: Said::Answer(outcome), latency_ms, charged, failed: slow }
    }

    /// Whether a worker that took an attempt forgets it.
    pub fn forgets(&mut self, request: &Request, odds: &Odds, rng: &mut Rng) -> bool {
        let failures = self.failures.entry(request.idempotency_key()).or_default();
        let forgets = *failures < FAILURES_MAX && rng.chance(odds.callback_missed);
        *failures += u32::from(forgets);
        forgets
    }

    /// What a worker that took an attempt reports of it, and what it charges.
    pub fn report(&mut self, request: &Request, odds: &Odds, rng: &mut Rng) -> (Outcome, u64) {
        let failures = self.failures.entry(request.idempotency_key()).or_default();
        if *failures < FAILURES_MAX && rng.chance(odds.worker_fails) {
            *failures += 1;
            let message = format!("step `{}`: reported", request.step);
            let fault = Fault::new(FaultKind::Http(500), "worker.refused", message);
            return (Outcome { result: Err(fault), cost: None, memoised: None }, 0);
        }
        self.perform(request)
    }

    /// Does the work, unless it was done before.
    fn perform(&mut self, request: &Request) -> (Outcome, u64) {
        let (mut outcome, charged) = answer(request);
        let done = self.done.entry(request.idempotency_key()).or_default();
        if outcome.result.is_err() {
            return (outcome, charged);
        }
        if *done > 0 {
            outcome.cost = Some(MicroUsd::ZERO);
            return (outcome, 0);
        }
        *done += 1;
        (outcome, charged)
    }

    fn failed(&mut self, request: &Request, rng: &mut Rng, latency_ms: i64) -> Treatment {
        let fault = |kind, code| Fault::new(kind, code, format!("step `{}`: drawn", request.step));
        let mut charged = 0;
        let fault = match rng.below(4) {
            0 => fault(FaultKind::Http(503), "worker.refused"),
            1 => {
                let mut busy = fault(FaultKind::Http(429), "worker.refused");
                busy.retry_after = Some(Millis::new(rng.below(15_000)));
                busy
            }
            2 => fault(FaultKind::Network, "worker.unreachable"),
            // The connection broke after the work was done.
            _ => {
                charged = self.perform(request).1;
                fault(FaultKind::Network, "worker.unreachable")
            }
        };
        let said = Said::Answer(Outcome { result: Err(fault), cost: None, memoised: None });
        Treatment { said, latency_ms, charged, failed: true }
    }
}

/// What a worker answers when nothing fails, and what it charges: a function of what it is sent.
pub fn answer(request: &Request) -> (Outcome, u64) {
    let fault = |kind, code| Fault::new(kind, code, format!("step `{}`: as ever", request.step));
    let picked = request.endpoint == "/picks"
        && request.body.as_ref().is_ok_and(|body| digest(body).is_multiple_of(4));
    match request.endpoint.as_str() {
        "/refuses" | "/picks" if picked || request.endpoint == "/refuses" => {
            let refused = Err(fault(FaultKind::Http(422), "worker.refused"));
            (Outcome { result: refused, cost: Some(MicroUsd::ZERO), memoised: None }, 0)
        }
        "/garbles" => {
            let garbled = Err(fault(FaultKind::Output, "worker.malformed_output"));
            (Outcome { result: garbled, cost: Some(MicroUsd::ZERO), memoised: None }, 0)
        }
        _ => {
            let body = request.body.as_ref().expect("a call that is made has its body");
            let number = digest(body);
            let mut output = json!({ request.step.clone(): number % 1_000, "last": request.step });
            if request.tool.is_some() {
                output["count"] = match number % 8 {
                    0 => json!("many"),
                    few => json!(few),
                };
            }
            let charged = if request.worker == "free" { 0 } else { number % ESTIMATE + 1 };
            let cost = Some(MicroUsd::from_micros(charged));
            (Outcome { result: Ok(Payload::inline(output)), cost, memoised: None }, charged)
        }
    }
}

/// FNV-1a over the text: another input gives another output.
fn digest(body: &Value) -> u64 {
    let text = body.to_string();
    let fold = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    text.bytes().fold(0xcbf2_9ce4_8422_2325, fold)
}
