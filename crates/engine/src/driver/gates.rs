//! Gates: asking the Governor before calls of workers that want it, and telling it what calls came
//! to.

use std::collections::BTreeMap;

use super::{Action, Driver};
use crate::admission::{HeldBy, Report};
use crate::execution::{Context, Event, Fault, FaultKind, Gates, Input, Request, Unit};
use crate::ids::Fence;
use crate::time::{Millis, Timestamp};

/// When a Governor that gave no answer is asked again.
const ASK_AGAIN: Millis = Millis::from_secs(1);
/// The most permits that are asked for at once.
const ASKED_MAX: usize = 4;

/// What a driver knows of gates, and asks about them.
#[derive(Debug, Default)]
pub(super) struct Gatekeeping {
    pub known: Gates,
    pub asking: BTreeMap<Unit, Asking>,
    reports: BTreeMap<String, Report>,
    urgent: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asking {
    InFlight,
    NotBefore(Timestamp),
}

impl Driver {
    /// What calls came to since this was asked last, to be told with whatever is said next.
    pub fn take_reports(&mut self) -> Vec<Report> {
        self.gates.urgent = false;
        std::mem::take(&mut self.gates.reports).into_values().collect()
    }

    /// What the Governor says of gates.
    pub(super) fn gates_are(&mut self, shut: Vec<String>) {
        self.gates.known.shut = shut.into_iter().collect();
    }

    pub(super) fn ask_gates(&mut self, now: Timestamp, actions: &mut Vec<Action>) {
        self.drop_passes(actions);
        if self.gates.urgent {
            actions.push(Action::Report(self.take_reports()));
        }
        if self.slots() == 0 {
            return;
        }
        let context = Context {
            now,
            entropy: 0,
            slots: 0,
            latest_end: self.limits.lifetime_end,
            gates: &self.gates.known,
        };
        let wanted = self.state.asking(&context, ASKED_MAX);
        self.gates
            .asking
            .retain(|unit, asking| *asking == Asking::InFlight || wanted.contains(unit));
        for unit in wanted {
            let waits = match self.gates.asking.get(&unit) {
                Some(Asking::InFlight) => true,
                Some(Asking::NotBefore(at)) => *at > now,
                None => false,
            };
            let Some((worker, gate)) = self.state.gate_of(unit).filter(|_| !waits) else {
                continue;
            };
            self.gates.asking.insert(unit, Asking::InFlight);
            let path = self.state.plan.path(unit);
            // Given back on the way beside this, the permit could go after it was granted anew.
            self.returns.retain(|(known, of)| *known != path || of != worker);
            actions.push(Action::Pass {
                unit,
                path,
                worker: worker.to_owned(),
                gate: gate.clone(),
                priority: self.state.started.terms.priority,
                until: now.plus(self.state.started.terms.attempt_timeout),
            });
        }
    }

    /// Permits of what is not to be called any more go back.
    fn drop_passes(&mut self, actions: &mut Vec<Action>) {
        let state = &self.state;
        let needed = |unit: &Unit| {
            let work = state.work(*unit);
            let open = work.is_none_or(|work| !work.status.is_settled() && work.attempt.is_none());
            open && state.paused.is_none() && !state.status.is_final()
        };
        let passes = std::mem::take(&mut self.gates.known.passes);
        let (kept, dropped) = passes.into_iter().partition(needed);
        self.gates.known.passes = kept;
        self.give_back(dropped, actions);
    }

    /// All permits that were not used go back.
    pub(super) fn give_all_back(&mut self, actions: &mut Vec<Action>) {
        let passes = std::mem::take(&mut self.gates.known.passes);
        self.give_back(passes, actions);
    }

    fn give_back(&self, units: std::collections::BTreeSet<Unit>, actions: &mut Vec<Action>) {
        for unit in units {
            if let Some((worker, _)) = self.state.gate_of(unit) {
                let (path, worker) = (self.state.plan.path(unit), worker.to_owned());
                actions.push(Action::Return { path, worker });
            }
        }
    }

    pub(super) fn passed(
        &mut self,
        now: Timestamp,
        entropy: u64,
        unit: Unit,
        answer: Option<Result<(), (HeldBy, Millis)>>,
    ) {
        match answer {
            Some(Ok(())) => {
                self.gates.asking.remove(&unit);
                self.gates.known.passes.insert(unit);
                self.feed(now, entropy, Input::Tick);
            }
            Some(Err((reason, ask_again))) => {
                let until = now.plus(ask_again);
                self.gates.asking.insert(unit, Asking::NotBefore(until));
                self.feed(now, entropy, Input::Held { unit, reason, until });
            }
            None => {
                self.gates.asking.insert(unit, Asking::NotBefore(now.plus(ASK_AGAIN)));
            }
        }
    }

    /// When a gate is worth asking again.
    pub(super) fn next_asking(&self) -> Option<Timestamp> {
        let moments = self.gates.asking.values().filter_map(|asking| match asking {
            Asking::InFlight => None,
            Asking::NotBefore(at) => Some(*at),
        });
        moments.min()
    }

    /// A call is made now.
    pub(super) fn note_made(&mut self, request: &Request) {
        let unit = self.state.plan.find_unit(&request.step);
        if let Some((worker, gate)) = unit.and_then(|unit| self.state.gate_of(unit)) {
            let made = (request.step.clone(), worker.to_owned(), gate.clone());
            self.workers.insert(request.fence, made);
        }
    }

    /// Takes note of attempts that began, which uses their permits, and of calls that came to an
    /// end.
    pub(super) fn note_calls(&mut self, events: &[Event]) {
        for event in events {
            match event {
                Event::AttemptStarted { step, .. } => {
                    if let Some(unit) = self.state.plan.find_unit(step) {
                        self.gates.known.passes.remove(&unit);
                    }
                }
                Event::StepSucceeded { step, fence: Some(fence), .. } => {
                    self.call_ended(step, *fence, None);
                }
                Event::AttemptFailed { step, fence, fault, at, .. } => {
                    self.call_ended(step, *fence, Some((fault, *at)));
                }
                _ => {}
            }
        }
    }

    fn call_ended(&mut self, step: &str, fence: Fence, fault: Option<(&Fault, Timestamp)>) {
        let Some((path, worker, gate)) = self.workers.remove(&fence) else {
            return self.return_of_another(step);
        };
        let asked = gate.must_be_asked() || self.gates.known.shut.contains(&worker);
        let report = self.gates.reports.entry(worker.clone()).or_insert_with(|| Report {
            worker: worker.clone(),
            breaker: gate.breaker,
            succeeded: 0,
            failed: 0,
            failed_last_in_row: 0,
            cooldown_until: None,
        });
        match verdict(fault) {
            Verdict::Answered => {
                report.succeeded += 1;
                report.failed_last_in_row = 0;
            }
            Verdict::Failed => {
                report.failed += 1;
                report.failed_last_in_row += 1;
                self.gates.urgent = true;
            }
            Verdict::CoolsDown(until) => {
                report.cooldown_until = report.cooldown_until.max(Some(until));
                self.gates.urgent = true;
            }
            Verdict::Nothing => {}
        }
        self.gates.urgent |= asked;
        if asked {
            self.returns.push((path, worker));
        }
    }

    /// Calls whose attempts were called off have no end of their own.
    pub(super) fn give_back_what_was_called_off(&mut self) {
        let state = &self.state;
        let over = self.workers.extract_if(.., |fence, _| !state.is_in_flight(*fence));
        for (_, (path, worker, gate)) in over {
            if gate.must_be_asked() || self.gates.known.shut.contains(&worker) {
                self.returns.push((path, worker));
            }
        }
    }

    /// A call that another driver made, or that was never made, had its permit all the same.
    fn return_of_another(&mut self, step: &str) {
        let unit = self.state.plan.find_unit(step);
        if let Some((worker, gate)) = unit.and_then(|unit| self.state.gate_of(unit))
            && gate.must_be_asked()
        {
            self.returns.push((step.to_owned(), worker.to_owned()));
        }
    }
}

/// What the end of a call says about its worker.
enum Verdict {
    /// It is there.
    Answered,
    /// It failed.
    Failed,
    /// It wants to be left alone until then.
    CoolsDown(Timestamp),
    /// Nothing: it was not asked, or nobody knows.
    Nothing,
}

fn verdict(fault: Option<(&Fault, Timestamp)>) -> Verdict {
    let Some((fault, at)) = fault else { return Verdict::Answered };
    match (fault.kind, fault.retry_after) {
        (FaultKind::Http(429), Some(after)) => Verdict::CoolsDown(at.plus(after)),
        (FaultKind::Http(429), None) | (FaultKind::Lost | FaultKind::Refused, _) => {
            Verdict::Nothing
        }
        (FaultKind::Http(500..=599) | FaultKind::Network | FaultKind::Timeout, _) => {
            Verdict::Failed
        }
        (FaultKind::Expression | FaultKind::Limit | FaultKind::Child, _) => Verdict::Nothing,
        (FaultKind::Http(_) | FaultKind::Output, _) => Verdict::Answered,
    }
}
