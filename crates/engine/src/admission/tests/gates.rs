//! Gates of workers.

use super::*;
use crate::plan::{BreakerPolicy, Gate};
use crate::time::Millis;

fn narrow(concurrency_max: u32) -> Gate {
    Gate { concurrency_max: Some(concurrency_max), ..Gate::default() }
}

fn slow(per_minute_max: u32) -> Gate {
    Gate { per_minute_max: Some(per_minute_max), ..Gate::default() }
}

fn report(failed: u32) -> Report {
    Report {
        worker: "w".to_owned(),
        breaker: BreakerPolicy::default(),
        succeeded: 0,
        failed,
        failed_last_in_row: failed,
        cooldown_until: None,
    }
}

impl Account {
    fn pass(&mut self, n: u128, gate: &Gate, priority: i64) -> Reply {
        let until = self.now().plus(Millis::from_secs(20));
        let (path, worker, gate) = ("s".to_owned(), "w".to_owned(), gate.clone());
        self.ask(Request::Pass { id: id(n), path, worker, gate, priority, until })
    }

    fn give_back(&mut self, n: u128, reports: Vec<Report>) -> Vec<String> {
        let (path, worker) = ("s".to_owned(), "w".to_owned());
        match self.ask(Request::Return { id: id(n), path, worker, reports }) {
            Reply::Noted { gates } => gates,
            other => panic!("it was answered with {other:?}"),
        }
    }

    fn passes(&mut self, n: u128, gate: &Gate) -> bool {
        matches!(self.pass(n, gate, 0), Reply::Passed { .. })
    }
}

fn held(reply: &Reply) -> (HeldBy, u64) {
    match reply {
        Reply::Held { reason, ask_again } => (*reason, ask_again.get()),
        other => panic!("it was answered with {other:?}"),
    }
}

#[test]
fn no_more_calls_than_may_be_are_in_progress() {
    let (mut account, gate) = (Account::new(), narrow(2));
    assert!(account.passes(1, &gate) && account.passes(2, &gate));
    assert_eq!(held(&account.pass(3, &gate, 0)), (HeldBy::Concurrency, 250));
    assert_eq!(held(&account.pass(4, &gate, 0)), (HeldBy::Concurrency, 500));
    account.give_back(1, Vec::new());
    assert!(!account.passes(4, &gate), "the free one is for the head of the line");
    assert!(account.passes(3, &gate));
    assert!(account.passes(3, &gate), "who asks again has its permit");
    assert!(!account.passes(4, &gate));
}

#[test]
fn the_more_urgent_pass_first() {
    let (mut account, gate) = (Account::new(), narrow(1));
    account.passes(1, &gate);
    account.pass(2, &gate, 1);
    account.pass(3, &gate, 4);
    account.give_back(1, Vec::new());
    assert_eq!(held(&account.pass(2, &gate, 1)).0, HeldBy::Concurrency);
    assert!(matches!(account.pass(3, &gate, 4), Reply::Passed { .. }));
}

#[test]
fn a_call_that_is_given_up_waits_no_longer() {
    let (mut account, gate) = (Account::new(), narrow(1));
    account.passes(1, &gate);
    account.pass(2, &gate, 0);
    account.pass(3, &gate, 0);
    account.give_back(2, Vec::new());
    account.give_back(1, Vec::new());
    assert!(account.passes(3, &gate));
}

#[test]
fn a_permit_runs_out_at_the_attempts_deadline() {
    let (mut account, gate) = (Account::new(), narrow(1));
    account.passes(1, &gate);
    account.ms = 19_999;
    assert!(!account.passes(2, &gate));
    account.ms = 20_000;
    assert!(account.passes(2, &gate));
}

#[test]
fn one_that_is_not_heard_of_drops_out_of_the_line() {
    let (mut account, gate) = (Account::new(), narrow(1));
    account.passes(1, &gate);
    account.pass(2, &gate, 0);
    account.pass(3, &gate, 0);
    account.give_back(1, Vec::new());
    account.ms = 2_250;
    assert!(!account.passes(3, &gate));
    account.ms = 2_251;
    assert!(account.passes(3, &gate));
}

#[test]
fn no_more_calls_than_may_be_begin_within_a_minute() {
    let (mut account, gate) = (Account::new(), slow(2));
    assert!(account.passes(1, &gate));
    account.give_back(1, Vec::new());
    account.ms = 10_000;
    assert!(account.passes(2, &gate));
    account.ms = 20_000;
    assert_eq!(held(&account.pass(3, &gate, 0)), (HeldBy::Rate, 40_000));
    assert_eq!(held(&account.pass(4, &gate, 0)), (HeldBy::Rate, 50_000));
    account.ms = 59_999;
    assert!(!account.passes(3, &gate));
    account.ms = 60_000;
    assert!(account.passes(3, &gate) && !account.passes(4, &gate));
}

#[test]
fn a_worker_that_wants_to_be_left_alone_is_left_alone_by_everyone() {
    let (mut account, gate) = (Account::new(), Gate::default());
    assert!(account.passes(1, &gate));
    let until = account.now().plus(Millis::from_secs(30));
    let cooldown = Report { cooldown_until: Some(until), ..report(0) };
    assert_eq!(account.give_back(1, vec![cooldown]), ["w"]);
    let keep = Request::Keep { id: id(2), reports: Vec::new() };
    let gates = vec!["w".to_owned()];
    assert_eq!(account.ask(keep.clone()), Reply::Granted { gates });
    assert_eq!(held(&account.pass(2, &gate, 0)), (HeldBy::Cooldown, 30_000));
    account.ms = 30_000;
    assert_eq!(account.ask(keep), granted());
    assert!(account.passes(2, &gate));
}

#[test]
fn an_absurd_cooldown_is_cut() {
    let mut account = Account::new();
    let cooldown_until = Some(Timestamp::from_millis(i64::MAX));
    account
        .ask(Request::Report { id: id(1), reports: vec![Report { cooldown_until, ..report(0) }] });
    account.ms = i64::try_from(COOLDOWN_MAX.get()).unwrap();
    assert!(account.passes(2, &Gate::default()));
}

#[test]
fn an_open_breaker_holds_everyone_back_until_one_has_probed() {
    let (mut account, gate) = (Account::new(), Gate::default());
    let Reply::Noted { gates } =
        account.ask(Request::Report { id: id(1), reports: vec![report(5)] })
    else {
        panic!("a report is noted")
    };
    assert_eq!(gates, ["w"]);
    assert_eq!(held(&account.pass(2, &gate, 0)), (HeldBy::Breaker, 30_000));
    account.ms = 30_000;
    assert!(account.passes(2, &gate));
    assert_eq!(held(&account.pass(3, &gate, 0)), (HeldBy::Breaker, 250));
    let success = Report { succeeded: 1, ..report(0) };
    assert_eq!(account.give_back(2, vec![success]), [""; 0]);
    assert!(account.passes(3, &gate) && account.passes(4, &gate));
}

#[test]
fn a_driver_that_leaves_reports_too() {
    let mut account = Account::new();
    account.ask(Request::Leave { id: id(1), reports: vec![report(5)] });
    assert_eq!(held(&account.pass(2, &Gate::default(), 0)).0, HeldBy::Breaker);
}
