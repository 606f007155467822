//! A worker's circuit breaker: closed, open for a while after too many failures, then half-open
//! with one call that probes.

use std::collections::VecDeque;

use super::figures;
use super::protocol::Report;
use crate::ids::ExecutionId;
use crate::plan::BreakerPolicy;
use crate::time::{Millis, Timestamp};

/// The most calls that a share of failures is taken of.
pub const WINDOW_MAX: usize = 1_000;

/// See the module.
#[derive(Clone, Debug, Default)]
pub struct Breaker {
    circuit: Circuit,
    /// Failures since the last success.
    in_row: u32,
    /// Whether each of the last calls failed, the oldest first.
    window: VecDeque<bool>,
}

#[derive(Clone, Debug, Default)]
enum Circuit {
    #[default]
    Closed,
    Open {
        until: Timestamp,
    },
    HalfOpen {
        probe: Option<Probe>,
        /// Whose probe was the last: its report decides, even one that comes after the permit went.
        prober: Option<ExecutionId>,
    },
}

/// The one call that a half-open breaker lets through.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Probe {
    id: ExecutionId,
    path: String,
    until: Timestamp,
}

/// Whether a call may begin, as far as the breaker is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admits {
    /// Any.
    All,
    /// This one, as the probe.
    Probe,
    /// None until then.
    NoneUntil(Timestamp),
    /// None while another probes.
    NoneWhileProbing,
}

impl Breaker {
    /// What it would let a call of `path` do now.
    pub fn admits(&mut self, now: Timestamp, id: &ExecutionId, path: &str) -> Admits {
        if let Circuit::Open { until } = self.circuit {
            if until > now {
                return Admits::NoneUntil(until);
            }
            self.circuit = Circuit::HalfOpen { probe: None, prober: None };
        }
        match &self.circuit {
            Circuit::HalfOpen { probe: Some(probe), .. }
                if probe.until > now && (probe.id != *id || probe.path != path) =>
            {
                Admits::NoneWhileProbing
            }
            Circuit::HalfOpen { .. } => Admits::Probe,
            Circuit::Closed | Circuit::Open { .. } => Admits::All,
        }
    }

    /// Lets a call through; where the breaker is half-open, it is the probe.
    pub fn begin(&mut self, id: &ExecutionId, path: &str, until: Timestamp) {
        if let Circuit::HalfOpen { probe, prober } = &mut self.circuit {
            *probe = Some(Probe { id: id.clone(), path: path.to_owned(), until });
            *prober = Some(id.clone());
        }
    }

    /// A call is over: if it was the probe and nothing is known of it, another may probe.
    pub fn end(&mut self, id: &ExecutionId, path: &str) {
        if let Circuit::HalfOpen { probe, .. } = &mut self.circuit
            && probe.as_ref().is_some_and(|probe| probe.id == *id && probe.path == path)
        {
            *probe = None;
        }
    }

    /// Takes a report of `from`. While the breaker is not closed only the prober's counts: others
    /// tell of calls that began before.
    pub fn note(&mut self, now: Timestamp, from: &ExecutionId, report: &Report) {
        let policy = &report.breaker;
        match &self.circuit {
            Circuit::Closed => {
                self.count(report);
                if self.trips(policy) {
                    self.open(now, policy);
                }
            }
            Circuit::HalfOpen { prober: Some(prober), .. } if prober == from => {
                if last_failed(report) {
                    self.open(now, policy);
                } else if report.succeeded > 0 {
                    *self = Self::default();
                }
            }
            Circuit::HalfOpen { .. } | Circuit::Open { .. } => {}
        }
    }

    /// Where it stands, and until when it stays open.
    pub fn figures(&self, now: Timestamp) -> (figures::Circuit, Option<Timestamp>) {
        match &self.circuit {
            Circuit::Closed => (figures::Circuit::Closed, None),
            Circuit::Open { until } if *until > now => (figures::Circuit::Open, Some(*until)),
            // Its time is over: the next call probes.
            Circuit::Open { .. } | Circuit::HalfOpen { .. } => (figures::Circuit::HalfOpen, None),
        }
    }

    /// Whether every call may begin without asking.
    pub fn is_closed(&self) -> bool {
        matches!(self.circuit, Circuit::Closed)
    }

    /// Whether nothing is remembered.
    pub fn is_fresh(&self) -> bool {
        self.is_closed() && self.window.is_empty()
    }

    fn open(&mut self, now: Timestamp, policy: &BreakerPolicy) {
        let until = now.plus(Millis::new(policy.open_ms));
        *self = Self { circuit: Circuit::Open { until }, ..Self::default() };
    }

    fn count(&mut self, report: &Report) {
        let row = report.failed_last_in_row.min(report.failed);
        self.in_row = match report.succeeded {
            0 => self.in_row.saturating_add(report.failed),
            _ => row,
        };
        let window = (report.breaker.window as usize).min(WINDOW_MAX);
        // What failed before the last success, what did not, what failed after it.
        for (failed, count) in [(true, report.failed - row), (false, report.succeeded), (true, row)]
        {
            let kept = (count as usize).min(window);
            self.window.extend(std::iter::repeat_n(failed, kept));
        }
        let surplus = self.window.len().saturating_sub(window);
        self.window.drain(..surplus);
    }

    fn trips(&self, policy: &BreakerPolicy) -> bool {
        if policy.failures == 0 {
            return false;
        }
        let window = (policy.window as usize).min(WINDOW_MAX);
        let enough = window > 0 && policy.failure_rate > 0.0 && self.window.len() >= window;
        let failed = self.window.iter().filter(|failed| **failed).count();
        let share = enough && failed as f64 >= policy.failure_rate * window as f64;
        self.in_row >= policy.failures || share
    }
}

fn last_failed(report: &Report) -> bool {
    report.failed > 0 && (report.succeeded == 0 || report.failed_last_in_row > 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::ShardId;

    const POLICY: BreakerPolicy =
        BreakerPolicy { failures: 3, failure_rate: 0.5, window: 10, open_ms: 1_000 };

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_millis(ms)
    }

    fn id(n: u128) -> ExecutionId {
        ExecutionId::new(at(0), ShardId(0), n)
    }

    fn report(succeeded: u32, failed: u32, failed_last_in_row: u32) -> Report {
        let worker = "w".to_owned();
        let breaker = POLICY;
        Report { worker, breaker, succeeded, failed, failed_last_in_row, cooldown_until: None }
    }

    fn ask(breaker: &mut Breaker, ms: i64, n: u128) -> Admits {
        let admits = breaker.admits(at(ms), &id(n), "s");
        if matches!(admits, Admits::All | Admits::Probe) {
            breaker.begin(&id(n), "s", at(ms + 10_000));
        }
        admits
    }

    fn opened() -> Breaker {
        let mut breaker = Breaker::default();
        breaker.note(at(0), &id(1), &report(0, 3, 3));
        breaker
    }

    #[test]
    fn failures_in_a_row_open_it_and_a_success_between_them_does_not() {
        let mut breaker = Breaker::default();
        breaker.note(at(0), &id(1), &report(0, 2, 2));
        breaker.note(at(0), &id(2), &report(1, 0, 0));
        breaker.note(at(0), &id(1), &report(0, 2, 2));
        assert!(breaker.is_closed());
        breaker.note(at(0), &id(3), &report(0, 1, 1));
        assert_eq!(ask(&mut breaker, 1, 1), Admits::NoneUntil(at(1_000)));
    }

    #[test]
    fn failures_of_several_executions_add_up_through_their_reports() {
        let mut breaker = Breaker::default();
        breaker.note(at(0), &id(1), &report(5, 2, 2));
        assert!(breaker.is_closed());
        breaker.note(at(0), &id(2), &report(0, 1, 1));
        assert!(!breaker.is_closed());
    }

    #[test]
    fn a_share_of_the_last_calls_opens_it_when_there_were_enough() {
        let mut breaker = Breaker::default();
        for _ in 0..4 {
            breaker.note(at(0), &id(1), &report(1, 1, 0));
        }
        assert!(breaker.is_closed(), "8 calls of 10");
        breaker.note(at(0), &id(1), &report(1, 1, 0));
        assert!(!breaker.is_closed());
        let mut breaker = Breaker::default();
        for _ in 0..50 {
            breaker.note(at(0), &id(1), &report(3, 2, 0));
        }
        assert!(breaker.is_closed(), "4 of 10 are fewer than a half");
    }

    #[test]
    fn after_its_time_one_call_probes_and_its_success_closes_it() {
        let mut breaker = opened();
        assert_eq!(ask(&mut breaker, 999, 1), Admits::NoneUntil(at(1_000)));
        assert_eq!(ask(&mut breaker, 1_000, 2), Admits::Probe);
        assert_eq!(ask(&mut breaker, 1_001, 3), Admits::NoneWhileProbing);
        assert!(!breaker.is_closed());
        breaker.note(at(1_100), &id(2), &report(1, 0, 0));
        assert_eq!(ask(&mut breaker, 1_101, 3), Admits::All);
    }

    #[test]
    fn a_probe_that_fails_opens_it_again() {
        let mut breaker = opened();
        ask(&mut breaker, 1_000, 2);
        breaker.note(at(1_500), &id(2), &report(0, 1, 1));
        assert_eq!(ask(&mut breaker, 2_000, 3), Admits::NoneUntil(at(2_500)));
    }

    #[test]
    fn only_the_probers_report_decides() {
        let mut breaker = opened();
        breaker.note(at(10), &id(1), &report(9, 0, 0));
        assert!(!breaker.is_closed(), "it began before");
        ask(&mut breaker, 1_000, 2);
        breaker.note(at(1_001), &id(3), &report(9, 0, 0));
        breaker.note(at(1_001), &id(3), &report(0, 9, 9));
        assert_eq!(ask(&mut breaker, 1_002, 3), Admits::NoneWhileProbing);
    }

    #[test]
    fn a_probe_without_an_outcome_makes_room_for_another_and_may_still_report() {
        let mut breaker = opened();
        ask(&mut breaker, 1_000, 2);
        breaker.end(&id(9), "s");
        assert_eq!(ask(&mut breaker, 1_001, 3), Admits::NoneWhileProbing, "it was not the probe");
        breaker.end(&id(2), "s");
        breaker.note(at(1_002), &id(2), &report(1, 0, 0));
        assert!(breaker.is_closed());
        let mut breaker = opened();
        ask(&mut breaker, 1_000, 2);
        assert_eq!(ask(&mut breaker, 11_000, 3), Admits::Probe, "its driver is gone");
    }

    #[test]
    fn a_policy_without_failures_never_opens_it() {
        let mut breaker = Breaker::default();
        let never = BreakerPolicy { failures: 0, ..POLICY };
        breaker.note(at(0), &id(1), &Report { breaker: never, ..report(0, 500, 500) });
        assert!(breaker.is_closed());
    }
}
