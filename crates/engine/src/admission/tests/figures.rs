//! What the account tells operators.

use super::*;
use crate::plan::{BreakerPolicy, Gate};
use crate::time::Millis;

fn figures(account: &mut Account) -> Figures {
    match account.ask(Request::Figures) {
        Reply::Figures(figures) => figures,
        other => panic!("it was answered with {other:?}"),
    }
}

fn admit(account: &mut Account, n: u128) -> Reply {
    account.ask(Request::Admit { id: id(n), limit: 1, priority: 0, waits: true, funds: None })
}

fn failed(worker: &str) -> Report {
    let breaker = BreakerPolicy { failures: 3, open_ms: 1_000, ..BreakerPolicy::default() };
    let (failed, failed_last_in_row) = (3, 3);
    let worker = worker.to_owned();
    Report { worker, breaker, succeeded: 0, failed, failed_last_in_row, cooldown_until: None }
}

#[test]
fn places_and_those_that_wait_are_counted_until_they_run_out() {
    let mut account = Account::new();
    assert_eq!(figures(&mut account), Figures::default());
    admit(&mut account, 1);
    admit(&mut account, 2);
    let found = figures(&mut account);
    assert_eq!((found.places, found.waiting), (1, 1));
    account.ms = 10_000;
    assert_eq!(figures(&mut account).waiting, 0, "it asked no more");
    account.ms = i64::try_from(PLACE_LEASE.get()).unwrap() + 1;
    assert_eq!(figures(&mut account).places, 0, "nobody renewed it");
}

#[test]
fn a_breaker_is_closed_open_and_half_open_in_turn() {
    let mut account = Account::new();
    account.ask(Request::Report { id: id(1), reports: vec![failed("w")] });
    let gate = |account: &mut Account| figures(account).gates.remove(0);
    let open = gate(&mut account);
    assert_eq!((open.worker.as_str(), open.circuit), ("w", Circuit::Open));
    assert_eq!(open.open_until, Some(account.now().plus(Millis::new(1_000))));
    account.ms = 1_000;
    let half_open = gate(&mut account);
    assert_eq!((half_open.circuit, half_open.open_until), (Circuit::HalfOpen, None));
    let until = account.now().plus(Millis::from_secs(20));
    let (path, worker) = ("s".to_owned(), "w".to_owned());
    let pass = |n| Request::Pass {
        id: id(n),
        path: path.clone(),
        worker: worker.clone(),
        gate: Gate::default(),
        priority: 0,
        until,
    };
    assert!(matches!(account.ask(pass(2)), Reply::Passed { .. }), "to look changed nothing");
    account.ask(pass(3));
    let probing = gate(&mut account);
    assert_eq!((probing.circuit, probing.calls, probing.waiting), (Circuit::HalfOpen, 1, 1));
    let well = Report { succeeded: 1, failed: 0, failed_last_in_row: 0, ..failed("w") };
    account.ask(Request::Return { id: id(2), path, worker, reports: vec![well] });
    assert_eq!(gate(&mut account).circuit, Circuit::Closed);
}

#[test]
fn money_is_what_the_ledger_says_and_a_new_day_begins_with_nothing() {
    let mut account = Account::new();
    let funds = Funds { reserve: micros(9), daily_max: Some(micros(100)), ..Funds::default() };
    let (limit, priority, waits) = (1, 0, false);
    account.ask(Request::Admit { id: id(1), limit, priority, waits, funds: Some(funds) });
    assert_eq!(figures(&mut account).money, Money { held: micros(9), ..Money::default() });
    let settlement = Settlement { id: id(1), spent_total: micros(4), ended: true };
    account.ask(Request::Settle { settlements: vec![settlement] });
    let spent = Money { spent_day: micros(4), spent_month: micros(4), held: micros(0) };
    assert_eq!(figures(&mut account).money, spent);
    account.ms = 24 * HOUR_MS;
    let tomorrow = Money { spent_day: micros(0), ..spent };
    assert_eq!(figures(&mut account).money, tomorrow);
    assert_eq!(figures(&mut account.restarted()).money, tomorrow, "it is stored");
}

#[test]
fn figures_survive_the_wire() {
    let mut account = Account::new();
    account.ask(Request::Report { id: id(1), reports: vec![failed("w")] });
    let reply = account.ask(Request::Figures);
    let text = serde_json::to_string(&reply).unwrap();
    assert!(text.starts_with(r#"{"reply":"figures","places":0,"#), "{text}");
    assert_eq!(serde_json::from_str::<Reply>(&text).unwrap(), reply);
}
