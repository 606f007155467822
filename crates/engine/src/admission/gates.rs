//! The gates of workers: what calls of a worker must pass, all executions of an account together.
//!
//! A gate lets a call through when the worker is not cooling down, its breaker lets it, and neither
//! as many calls as may be are in progress nor as many as may have begun within the minute. Those
//! that are held back stand in a line. Gates live in memory: after a restart permits are forgotten,
//! so at most as many calls again as a gate allows may be in progress or begin; breakers are closed
//! and cooldowns over until the next reports.

use std::collections::{BTreeMap, VecDeque};

use super::breaker::{Admits, Breaker};
use super::figures::GateFigures;
use super::line::Line;
use super::protocol::{HeldBy, Report};
use crate::ids::ExecutionId;
use crate::plan::Gate as Policy;
use crate::time::{Millis, Timestamp};

/// What a rate is counted over.
pub const RATE_WINDOW: Millis = Millis::from_secs(60);
/// The shortest that a permit lasts, whatever its asker's clock says.
pub const PERMIT_MIN: Millis = Millis::from_secs(1);
/// The longest: the longest attempt, and a minute.
pub const PERMIT_MAX: Millis = Millis::from_secs(15 * 60);
/// The longest that a worker may ask to be left alone.
pub const COOLDOWN_MAX: Millis = Millis::from_secs(3_600);
/// The bounds of what one is told to wait where nobody knows when a call will end.
const ASK_AGAIN_STEP: Millis = Millis::new(250);
const ASK_AGAIN_MAX: Millis = Millis::from_secs(2);

/// The gates of an account, by worker.
#[derive(Clone, Debug, Default)]
pub struct Gates {
    gates: BTreeMap<String, Gate>,
}

#[derive(Clone, Debug, Default)]
struct Gate {
    permits: BTreeMap<Asker, Timestamp>,
    line: Line<Asker>,
    /// When calls began, within the last minute: moments, and how many at each.
    begun: VecDeque<(Timestamp, u32)>,
    cooldown_until: Option<Timestamp>,
    breaker: Breaker,
}

/// Who asks: a path of an execution.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Asker {
    /// The execution.
    pub id: ExecutionId,
    /// The step, element or compensation.
    pub path: String,
}

/// What came of asking for a permit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// The call may begin; the permit runs out then.
    Passed(Timestamp),
    /// It must wait.
    Held(HeldBy, Millis),
}

impl Gates {
    /// Asks for a permit that lasts until `until`.
    pub fn pass(
        &mut self,
        now: Timestamp,
        asker: &Asker,
        worker: &str,
        policy: &Policy,
        priority: i64,
        until: Timestamp,
    ) -> Asked {
        let until = until.max(now.plus(PERMIT_MIN)).min(now.plus(PERMIT_MAX));
        let gate = self.gates.entry(worker.to_owned()).or_default();
        gate.pass(now, asker, policy, priority, until)
    }

    /// A call is over.
    pub fn give_back(&mut self, now: Timestamp, asker: &Asker, worker: &str) {
        if let Some(gate) = self.gates.get_mut(worker) {
            gate.permits.remove(asker);
            gate.line.leave(asker);
            gate.breaker.end(&asker.id, &asker.path);
            if gate.is_idle(now) {
                self.gates.remove(worker);
            }
        }
    }

    /// Takes reports of an execution.
    pub fn note(&mut self, now: Timestamp, from: &ExecutionId, reports: &[Report]) {
        for report in reports {
            let gate = self.gates.entry(report.worker.clone()).or_default();
            gate.breaker.note(now, from, report);
            if let Some(until) = report.cooldown_until {
                let until = until.min(now.plus(COOLDOWN_MAX));
                gate.cooldown_until = gate.cooldown_until.max(Some(until));
            }
        }
    }

    /// Workers whose breaker is not closed or that are cooling down.
    pub fn not_open(&self, now: Timestamp) -> Vec<String> {
        let barred = self.gates.iter().filter(|(_, gate)| gate.is_barred(now));
        barred.map(|(worker, _)| worker.clone()).collect()
    }

    /// What each gate has in hand, by worker.
    pub fn figures(&self, now: Timestamp) -> Vec<GateFigures> {
        let told = |(worker, gate): (&String, &Gate)| {
            let (circuit, open_until) = gate.breaker.figures(now);
            GateFigures {
                worker: worker.clone(),
                circuit,
                open_until,
                cooldown_until: gate.cooldown_until.filter(|until| *until > now),
                calls: count(gate.permits.values().filter(|until| **until > now).count()),
                waiting: count(gate.line.waiting(now)),
            }
        };
        self.gates.iter().map(told).collect()
    }

    /// Permits of a worker that have not run out.
    pub fn permits(&self, now: Timestamp, worker: &str) -> usize {
        let gate = self.gates.get(worker);
        gate.map_or(0, |gate| gate.permits.values().filter(|until| **until > now).count())
    }
}

impl Gate {
    fn pass(
        &mut self,
        now: Timestamp,
        asker: &Asker,
        policy: &Policy,
        priority: i64,
        until: Timestamp,
    ) -> Asked {
        self.expire(now);
        // Who has a permit and asks again, for lack of an answer, does not stand in line for it.
        let position = match self.permits.contains_key(asker) {
            true => Some(0),
            false => self.line.stand(now, asker, priority),
        };
        let held = match position {
            Some(position) => self.held(now, asker, policy, position),
            // The line is too long: nobody knows how long it takes.
            None => Some((HeldBy::Concurrency, ASK_AGAIN_MAX)),
        };
        if let Some((reason, ask_again)) = held {
            let ask_again = ask_again.max(Millis::new(1));
            self.line.told(asker, now.plus(ask_again));
            return Asked::Held(reason, ask_again);
        }
        self.line.leave(asker);
        self.breaker.begin(&asker.id, &asker.path, until);
        self.permits.insert(asker.clone(), until);
        match self.begun.back_mut() {
            Some((at, count)) if *at >= now => *count += 1,
            _ => self.begun.push_back((now, 1)),
        }
        Asked::Passed(until)
    }

    /// What holds a call back that stands behind `position` others, and when to ask again.
    fn held(
        &mut self,
        now: Timestamp,
        asker: &Asker,
        policy: &Policy,
        position: usize,
    ) -> Option<(HeldBy, Millis)> {
        if let Some(until) = self.cooldown_until.filter(|until| *until > now) {
            return Some((HeldBy::Cooldown, until.since(now)));
        }
        let soon = Millis::new(ASK_AGAIN_STEP.get() * (position as u64 + 1)).min(ASK_AGAIN_MAX);
        match self.breaker.admits(now, &asker.id, &asker.path) {
            Admits::NoneUntil(until) => return Some((HeldBy::Breaker, until.since(now))),
            Admits::NoneWhileProbing => return Some((HeldBy::Breaker, soon)),
            Admits::Probe if position > 0 => return Some((HeldBy::Breaker, soon)),
            Admits::Probe | Admits::All => {}
        }
        if let Some(max) = policy.concurrency_max {
            let others = self.permits.len() - usize::from(self.permits.contains_key(asker));
            if position >= (max as usize).saturating_sub(others) {
                return Some((HeldBy::Concurrency, soon));
            }
        }
        let begins_at = policy.per_minute_max.map(|max| self.begins_at(now, max, position));
        begins_at.filter(|at| *at > now).map(|at| (HeldBy::Rate, at.since(now)))
    }

    /// When a call behind `position` others may begin without more than `max` within a minute.
    fn begins_at(&self, now: Timestamp, max: u32, position: usize) -> Timestamp {
        let begun: u64 = self.begun.iter().map(|(_, count)| u64::from(*count)).sum();
        let mut over = (begun + position as u64 + 1).saturating_sub(u64::from(max));
        let mut at = now;
        for (begun_at, count) in &self.begun {
            if over == 0 {
                return at;
            }
            at = begun_at.plus(RATE_WINDOW);
            over = over.saturating_sub(u64::from(*count));
        }
        // So many stand before it that it must wait for calls that have not even begun.
        if over == 0 { at } else { now.plus(RATE_WINDOW) }
    }

    fn expire(&mut self, now: Timestamp) {
        self.permits.retain(|_, until| *until > now);
        self.line.drop_silent(now);
        while self.begun.front().is_some_and(|(at, _)| at.plus(RATE_WINDOW) <= now) {
            self.begun.pop_front();
        }
    }

    fn is_barred(&self, now: Timestamp) -> bool {
        !self.breaker.is_closed() || self.cooldown_until.is_some_and(|until| until > now)
    }

    fn is_idle(&mut self, now: Timestamp) -> bool {
        self.expire(now);
        let empty = self.permits.is_empty() && self.line.is_empty() && self.begun.is_empty();
        empty && !self.is_barred(now) && self.breaker.is_fresh()
    }
}

fn count(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}
