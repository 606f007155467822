//! Workers, which know idempotency keys, and the executions that steps begin.

use std::collections::BTreeMap;

use engine::driver::Answer;
use engine::execution::{Asked as AskedBy, Child, Event, Fault as Failure, FaultKind, Message};
use engine::execution::{Outcome, Payload, Request as Call};
use engine::ids::{ExecutionId, Fence, Seq};
use engine::money::MicroUsd;
use engine::plan::Address;
use engine::shard::{After, Reply, Request};
use serde_json::{Value, json};

use super::fault::{Fault, Ill, Odd};
use super::network::Letter;
use super::node::Asked;
use super::world::{Happening, Held, Sabotage, World};

/// How long a quick worker takes, and one that was given up: longer than any time-out.
const QUICK_MS: i64 = 5;
const COSTLY_MS: i64 = 20;
const APART_MS: i64 = 6;
const LATER_MS: i64 = 15_000;
const GIVEN_UP_MS: i64 = 14_000;

/// What came of a call.
#[derive(Clone, Debug)]
pub struct Answered {
    pub fence: Fence,
    /// `None` where the worker works on and reports.
    pub outcome: Option<Outcome>,
}

/// All workers.
#[derive(Debug, Default)]
pub struct Workers {
    /// What was charged, by execution.
    pub charged: BTreeMap<ExecutionId, u64>,
    /// How often the work of a key was asked for, and done.
    asked: BTreeMap<String, u32>,
    done: BTreeMap<String, u32>,
    healed: bool,
}

/// What a worker does with a call.
struct Manner {
    output: Result<Value, Failure>,
    cost: u64,
    takes_ms: i64,
    /// Whether it answers 202 and reports.
    reports: bool,
}

impl Workers {
    /// From now on nobody refuses because of the world's fault.
    pub fn heal(&mut self) {
        self.healed = true;
    }

    /// Whether the work of a key was done.
    pub fn has_done(&self, key: &str) -> bool {
        self.done.contains_key(key)
    }
}

impl World<'_> {
    pub fn call(&mut self, node: usize, call: &Call) -> Held {
        self.books.called(call)?;
        let key = call.idempotency_key();
        let nth_of_key = self.workers.asked.entry(key).or_default();
        *nth_of_key += 1;
        let first = *nth_of_key == 1;
        let unit = self.note_unit(call)?;
        let nth = self.points.calls;
        self.points.calls += 1;
        let ill = self.faults.iter().find_map(|fault| match fault {
            Fault::Unit { unit: sick, ill } if *sick == unit && !self.workers.healed => Some(*ill),
            _ => None,
        });
        // Whoever stands in is well, and what befalls once does so at the first call.
        let ill = ill.filter(|ill| *ill != Ill::Refuses || call.worker != "standby");
        let ill = ill.filter(|ill| *ill == Ill::Refuses || first);
        let odd = self.faults.iter().find_map(|fault| match fault {
            Fault::Answer { nth: odd, odd: how } if *odd == nth => Some(*how),
            _ => None,
        });
        let manner = manner(call)?;
        let manner = if ill == Some(Ill::Refuses) { refused(manner) } else { manner };
        if ill == Some(Ill::Busy) {
            let busy = Failure::new(FaultKind::Http(503), "worker.refused", "busy");
            return self.say(node, call, Some(failed(busy)), QUICK_MS);
        }
        let takes_ms = manner.takes_ms;
        if manner.reports {
            self.say(node, call, None, QUICK_MS)?;
            return if ill.is_some() && ill != Some(Ill::Refuses) {
                Ok(())
            } else {
                self.report(call, manner, odd)
            };
        }
        let outcome = self.do_work(call, manner);
        match ill {
            Some(Ill::Silent) => return Ok(()),
            Some(Ill::Breaks) => {
                let broken = Failure::new(FaultKind::Network, "worker.unreachable", "cut");
                return self.say(node, call, Some(failed(broken)), takes_ms);
            }
            Some(Ill::Busy | Ill::Refuses) | None => {}
        }
        self.say_oddly(node, call, outcome, (takes_ms, odd))
    }

    fn say_oddly(
        &mut self,
        node: usize,
        call: &Call,
        outcome: Outcome,
        (takes_ms, odd): (i64, Option<Odd>),
    ) -> Held {
        match odd {
            Some(Odd::Late) => return self.say(node, call, Some(outcome), GIVEN_UP_MS),
            Some(Odd::Twice) => self.say(node, call, Some(outcome.clone()), takes_ms)?,
            Some(Odd::TwiceLater) => self.say(node, call, Some(outcome.clone()), LATER_MS)?,
            None => {}
        }
        self.say(node, call, Some(outcome), takes_ms)
    }

    fn say(&mut self, node: usize, call: &Call, outcome: Option<Outcome>, ms: i64) -> Held {
        let answered = Box::new(Answered { fence: call.fence, outcome });
        self.after(ms, Happening::Called { node, answered });
        Ok(())
    }

    /// The report of a worker that took an attempt.
    fn report(&mut self, call: &Call, manner: Manner, odd: Option<Odd>) -> Held {
        let takes_ms = manner.takes_ms;
        let outcome = self.do_work(call, manner);
        let (by, fence) = (call.worker.clone(), call.fence);
        let message = Message::Completed { by, fence, outcome };
        // The same report twice has the same key where whoever sends it says so.
        let key = format!("complete:{fence}");
        let keyed = Letter::new(&call.execution, &message, Some(&key));
        let unkeyed = Letter { key: None, ..keyed.clone() };
        match odd {
            Some(Odd::Late) => {
                self.after(GIVEN_UP_MS, Happening::Letter(Box::new(keyed)));
                return Ok(());
            }
            Some(Odd::Twice) => self.after(takes_ms, Happening::Letter(Box::new(unkeyed))),
            Some(Odd::TwiceLater) => self.after(LATER_MS, Happening::Letter(Box::new(unkeyed))),
            None => {}
        }
        self.after(takes_ms, Happening::Letter(Box::new(keyed)));
        Ok(())
    }

    /// Does the work, and charges for it, unless it was done for the same key.
    fn do_work(&mut self, call: &Call, manner: Manner) -> Outcome {
        let Ok(output) = manner.output else {
            return Outcome { cost: Some(MicroUsd::ZERO), ..failed_as(manner.output) };
        };
        let done = self.workers.done.entry(call.idempotency_key()).or_default();
        *done += 1;
        let charged = if *done == 1 { manner.cost } else { 0 };
        *self.workers.charged.entry(call.execution.clone()).or_default() += charged;
        let cost = Some(MicroUsd::from_micros(charged));
        Outcome { result: Ok(Payload::inline(output)), cost, memoised: None }
    }

    /// Names the unit that is called, by the template that it is of.
    fn note_unit(&mut self, call: &Call) -> Result<String, String> {
        let template = &self.books.state(&call.execution)?.plan.name;
        let unit = format!("{template}:{}", call.step);
        if !self.points.units.contains(&unit) {
            self.points.units.push(unit.clone());
        }
        Ok(unit)
    }

    pub fn call_answered(&mut self, node: usize, answered: Answered) -> Held {
        let Answered { fence, outcome } = answered;
        let fence = self.fence_of_answer(node, fence);
        match outcome {
            Some(outcome) => self.bring(node, Answer::Called { fence, outcome }),
            None => self.bring(node, Answer::Accepted { fence, silence: None }),
        }
    }

    /// Without the fence check an answer counts for its step's attempt, whichever that is.
    fn fence_of_answer(&self, node: usize, fence: Fence) -> Fence {
        let driver = self.driver(node).filter(|_| self.sabotage == Some(Sabotage::Fences));
        let Some(state) = driver.map(engine::driver::Driver::state) else { return fence };
        let current = state.in_flight().next().map(|(fence, _)| fence);
        current.filter(|_| !state.is_in_flight(fence)).unwrap_or(fence)
    }

    pub fn begin_child(&mut self, node: usize, child: Box<Child>) -> Held {
        let started = match &child.started {
            Ok(started) => started.clone(),
            Err(fault) => {
                let (fence, outcome) = (child.fence, failed(fault.clone()));
                return self.bring(node, Answer::Called { fence, outcome });
            }
        };
        let parent = started.parent.as_ref().map(|parent| parent.id.clone());
        let (account, at, id) = (started.account.clone(), started.at, child.id.clone());
        let events = [Event::Started(Box::new(started))];
        let record = serde_json::to_string(&events).expect("events are written");
        let (idempotency, after, driven) = (None, After::Active, false);
        let request = Request::Start { id, account, at, idempotency, after, parent, driven };
        self.send(node, Asked::Child(child), request, record);
        Ok(())
    }

    pub fn child_begun(
        &mut self,
        node: usize,
        child: Box<Child>,
        reply: Option<(Reply, Vec<String>)>,
    ) -> Held {
        let fence = child.fence;
        match reply {
            Some((Reply::Started { .. }, _)) => {
                self.bring(node, Answer::Accepted { fence, silence: None })
            }
            Some((Reply::Existing { .. }, _)) => {
                let request = Request::Read { id: child.id.clone(), after: Seq(0) };
                self.send(node, Asked::Look(child), request, String::new());
                Ok(())
            }
            Some(_) | None => self.bring(node, Answer::ChildUnknown(fence)),
        }
    }

    pub fn child_seen(
        &mut self,
        node: usize,
        child: &Child,
        reply: Option<(Reply, Vec<String>)>,
    ) -> Held {
        let fence = child.fence;
        let Some((Reply::Records { .. }, records)) = reply else {
            return self.bring(node, Answer::ChildUnknown(fence));
        };
        let state = super::check::replay(&records)?;
        if !state.status.is_final() {
            return self.bring(node, Answer::Accepted { fence, silence: None });
        }
        let outcome = state.outcome_of_step(child.accepts_partial);
        self.bring(node, Answer::Called { fence, outcome })
    }

    pub fn cancel_child(&mut self, node: usize, child: ExecutionId) {
        let by = format!("execution:{}", self.nodes[&node].exec);
        let asked = AskedBy { by, reason: Some("its step was called off".to_owned()) };
        let entry = serde_json::to_value(Message::Cancel { asked }).expect("messages are written");
        let key = Some("parent:cancel".to_owned());
        let request = Request::Post { id: child.clone(), entry, key, reopens: false };
        self.send(node, Asked::Tell(child), request, String::new());
    }

    pub fn child_told(
        &mut self,
        node: usize,
        child: ExecutionId,
        reply: Option<(Reply, Vec<String>)>,
    ) -> Held {
        let told = matches!(reply, Some((Reply::Posted { .. } | Reply::Ended | Reply::Unknown, _)));
        self.bring(node, Answer::Told { child, told })
    }
}

/// What the worker behind an endpoint does when nothing is wrong.
fn manner(call: &Call) -> Result<Manner, String> {
    let body = call.body.clone().map_err(|fault| format!("a call without a body: {fault:?}"))?;
    // The address of a tool's node says it all.
    let path = match (&call.address, &call.tool) {
        (Address::Url(url), Some(_)) => url.trim_start_matches("https://workers.invalid"),
        _ => call.endpoint.as_str(),
    };
    let mut parts = path.trim_start_matches('/').split('/');
    let kind = parts.next().unwrap_or_default();
    let number: u64 = parts.next().and_then(|number| number.parse().ok()).unwrap_or_default();
    let ms = i64::try_from(number).unwrap_or(i64::MAX);
    let quick = Manner { output: Ok(body.clone()), cost: 0, takes_ms: QUICK_MS, reports: false };
    Ok(match kind {
        "echo" => quick,
        // Those that begin together do not end together.
        "slow" => {
            let apart_ms = i64::try_from(call.fence.0 % 7).unwrap_or_default() * APART_MS;
            Manner { takes_ms: ms + apart_ms, ..quick }
        }
        "costly" => {
            Manner { output: Ok(json!({"ok": true})), cost: number, takes_ms: COSTLY_MS, ..quick }
        }
        "async" => {
            let output = Ok(json!({"input": body, "calls": 1}));
            Manner { output, takes_ms: ms, reports: true, ..quick }
        }
        "refuse" => refused(quick),
        other => return Err(format!("nobody is at {other}")),
    })
}

fn refused(manner: Manner) -> Manner {
    let refused = Failure::new(FaultKind::Http(422), "worker.refused", "not like this");
    Manner { output: Err(refused), cost: 0, ..manner }
}

fn failed(fault: Failure) -> Outcome {
    Outcome { result: Err(fault), cost: None, memoised: None }
}

fn failed_as(output: Result<Value, Failure>) -> Outcome {
    Outcome { result: output.map(Payload::inline), cost: None, memoised: None }
}
