//! Budgets of the account.

use super::*;

/// A day of 100 and a month of 250.
fn funds(reserve: u64) -> Funds {
    Funds {
        reserve: micros(reserve),
        daily_max: Some(micros(100)),
        monthly_max: Some(micros(250)),
        emergency: None,
        key: None,
    }
}

fn critical(reserve: u64) -> Funds {
    Funds { emergency: Some(micros(30)), ..funds(reserve) }
}

#[test]
fn what_is_reserved_counts_until_it_is_settled() {
    let mut account = Account::new();
    assert_eq!(account.start(1, funds(60)), granted());
    let full = exhausted(account.start(2, funds(41)));
    assert_eq!(full.period, Period::Daily);
    let sums = (full.max, full.spent, full.reserved, full.wanted);
    assert_eq!(sums, (micros(100), micros(0), micros(60), micros(41)));
    assert_eq!(full.renews_at.as_millis(), NOON_MS + 12 * HOUR_MS);
    assert_eq!(account.admission.taken(), 1, "the refused one has no place");
    assert_eq!(account.start(3, funds(40)), granted());
    account.settle(1, 20, true);
    assert_eq!(account.sums(), (20, 20, 40));
    assert_eq!(
        account.start(2, funds(41)),
        Reply::Exhausted(Exhausted { spent: micros(20), reserved: micros(40), ..full })
    );
    assert_eq!(account.start(2, funds(40)), granted());
}

#[test]
fn an_account_without_limits_costs_no_write() {
    let mut account = Account::new();
    let free = Funds { reserve: micros(1_000_000), ..Funds::default() };
    assert_eq!(account.start(1, free), granted());
    let admit = Request::Admit { id: id(2), limit: LIMIT, priority: 0, waits: false, funds: None };
    assert_eq!(account.ask(admit), granted());
    account.keep(1);
    account.settle(1, 500, true);
    assert_eq!(account.admission.store().writes(), 0);
}

#[test]
fn totals_that_come_twice_late_or_out_of_order_change_nothing() {
    let mut account = Account::new();
    account.start(1, funds(60));
    account.settle(1, 25, false);
    assert_eq!(account.sums(), (25, 25, 35));
    account.settle(1, 25, false);
    account.settle(1, 10, false);
    assert_eq!(account.sums(), (25, 25, 35));
    account.settle(1, 50, true);
    account.settle(1, 50, true);
    account.settle(1, 25, false);
    assert_eq!(account.sums(), (50, 50, 0));
    account.settle(2, 99, true);
    assert_eq!(account.sums(), (50, 50, 0), "one that reserved nothing is passed over");
}

#[test]
fn a_start_that_is_asked_for_twice_reserves_once() {
    let mut account = Account::new();
    account.start(1, funds(60));
    assert_eq!(account.start(1, funds(60)), granted());
    assert_eq!(account.sums(), (0, 0, 60));
}

#[test]
fn one_that_spent_more_than_it_reserved_is_counted_in_full() {
    let mut account = Account::new();
    account.start(1, funds(60));
    account.settle(1, 130, true);
    assert_eq!(account.sums(), (130, 130, 0));
    assert_eq!(exhausted(account.start(2, funds(1))).spent, micros(130));
}

#[test]
fn a_new_day_begins_with_nothing_spent_and_all_that_is_reserved() {
    let mut account = Account::new();
    account.start(1, funds(40));
    account.start(2, funds(60));
    account.keep(2);
    account.settle(1, 40, true);
    account.ms = 12 * HOUR_MS;
    assert_eq!(exhausted(account.start(3, funds(41))).reserved, micros(60));
    assert_eq!(account.start(3, funds(40)), granted());
    assert_eq!(account.sums(), (0, 40, 100));
    account.settle(2, 60, true);
    assert_eq!(account.sums(), (60, 100, 40), "spent where it is settled");
}

#[test]
fn the_month_is_a_limit_of_its_own_and_renews_with_the_next() {
    let mut account = Account::new();
    for day in 0_u32..2 {
        account.ms = i64::from(day) * 24 * HOUR_MS;
        account.start(day.into(), funds(100));
        account.settle(day.into(), 100, true);
    }
    account.ms = 2 * 24 * HOUR_MS;
    let full = exhausted(account.start(9, funds(60)));
    assert_eq!((full.period, full.max, full.spent), (Period::Monthly, micros(250), micros(200)));
    assert_eq!(full.renews_at.as_millis(), 1_796_083_200_000, "2026-12-01");
    assert_eq!(account.start(9, funds(50)), granted());
    account.settle(9, 50, true);
    account.ms = full.renews_at.as_millis() - NOON_MS;
    assert_eq!(account.start(10, funds(100)), granted());
    assert_eq!(account.sums(), (0, 0, 100));
}

#[test]
fn a_critical_one_may_overdraw_by_one_emergency_budget_a_day() {
    let mut account = Account::new();
    account.start(1, funds(100));
    account.settle(1, 100, true);
    assert_eq!(account.start(2, critical(20)), granted());
    assert_eq!(exhausted(account.start(3, critical(11))).period, Period::Daily);
    assert_eq!(account.start(3, critical(10)), granted());
    exhausted(account.start(4, funds(1)));
    account.settle(2, 20, true);
    account.settle(3, 10, true);
    account.ms = 24 * HOUR_MS;
    account.start(5, funds(100));
    account.settle(5, 100, true);
    account.ms = 48 * HOUR_MS;
    // 230 of 250 are spent. Today 20 fit, and one emergency budget more.
    exhausted(account.start(6, funds(21)));
    assert_eq!(exhausted(account.start(6, critical(51))).period, Period::Monthly);
    assert_eq!(account.start(6, critical(50)), granted());
    account.settle(6, 50, true);
    account.ms = 72 * HOUR_MS;
    // The month is overdrawn by 30. Only an emergency may go on, by as much as yesterday.
    assert_eq!(exhausted(account.start(7, critical(31))).period, Period::Monthly);
    assert_eq!(account.start(7, critical(30)), granted());
}

#[test]
fn more_is_reserved_for_one_that_is_resumed_with_a_higher_budget() {
    let mut account = Account::new();
    account.start(1, funds(40));
    account.settle(1, 40, false);
    let raise = |reserve| Request::Raise { id: id(1), funds: funds(reserve) };
    assert_eq!(account.ask(raise(70)), granted());
    assert_eq!(account.ask(raise(70)), granted(), "asked twice, raised once");
    assert_eq!(account.sums(), (40, 40, 30));
    assert_eq!(exhausted(account.ask(raise(101))).wanted, micros(31));
    account.settle(1, 55, true);
    assert_eq!(account.sums(), (55, 55, 0));
    assert_eq!(account.ask(raise(70)), granted(), "it is reopened");
    assert_eq!(account.sums(), (55, 55, 15));
    account.settle(1, 60, true);
    assert_eq!(account.sums(), (60, 60, 0));
}

#[test]
fn a_reservation_lapses_only_when_its_execution_never_began() {
    let mut account = Account::new();
    for n in 1..=4 {
        account.start(n, funds(20));
    }
    account.keep(1);
    account.ask(Request::Leave { id: id(2), reports: Vec::new() });
    account.settle(3, 5, false);
    account.ms = i64::try_from(UNSURE_MAX.get()).unwrap() - 1;
    account.start(9, funds(0));
    assert_eq!(account.sums(), (5, 5, 75));
    account.ms += 1;
    account.start(10, funds(0));
    assert_eq!(account.sums(), (5, 5, 55), "20 and 20 and 15");
    account.settle(4, 8, true);
    assert_eq!(account.sums(), (13, 13, 55), "it began after all: what it spent counts");
}

#[test]
fn money_survives_a_restart_and_places_do_not() {
    let mut account = Account::new();
    account.start(1, funds(60));
    account.start(2, funds(30));
    account.settle(1, 25, true);
    let mut account = account.restarted();
    assert_eq!(account.admission.taken(), 0);
    assert_eq!(account.sums(), (25, 25, 30));
    account.settle(1, 25, true);
    assert_eq!(account.sums(), (25, 25, 30));
    account.ms = i64::try_from(UNSURE_MAX.get()).unwrap();
    account.start(3, funds(10));
    assert_eq!(account.sums(), (25, 25, 10), "what is unsure is known after a restart too");
}

#[test]
fn one_that_waits_for_a_place_holds_no_money() {
    let mut account = Account::new();
    let admit = |n, reserve| Request::Admit {
        id: id(n),
        limit: 1,
        priority: 0,
        waits: true,
        funds: Some(funds(reserve)),
    };
    account.ask(admit(1, 50));
    assert!(matches!(account.ask(admit(2, 50)), Reply::Waits { position: 0, .. }));
    assert_eq!(account.sums(), (0, 0, 50));
    exhausted(account.ask(admit(3, 51)));
    account.ask(Request::Leave { id: id(1), reports: Vec::new() });
    assert_eq!(account.ask(admit(2, 50)), granted());
    assert_eq!(account.sums(), (0, 0, 100));
}

#[test]
fn old_rows_go_when_nothing_can_come_of_their_executions() {
    let mut account = Account::new();
    account.start(1, funds(10));
    account.settle(1, 10, true);
    account.start(2, funds(10));
    account.keep(2);
    account.ms = i64::try_from(SETTLED_KEPT.get()).unwrap() + 1;
    account.start(3, funds(10));
    account.settle(3, 10, true);
    assert_eq!(account.admission.store().len(), 2, "the open one and the new one are there");
}

#[test]
fn more_for_an_ended_execution_lapses_when_it_is_not_reopened() {
    let mut account = Account::new();
    for n in 1..=2 {
        account.start(n, funds(20));
        account.settle(n, 5, true);
        let raised = account.ask(Request::Raise { id: id(n), funds: funds(20) });
        assert_eq!(raised, granted());
    }
    account.keep(1);
    assert_eq!(account.sums(), (10, 10, 30));
    account.ms = i64::try_from(UNSURE_MAX.get()).unwrap();
    account.start(3, funds(0));
    assert_eq!(account.sums(), (10, 10, 15), "the first one is driven again");
}

#[test]
fn one_that_the_budget_refuses_holds_nobody_up_in_the_line() {
    let mut account = Account::new();
    let admit = |n, reserve| Request::Admit {
        id: id(n),
        limit: 1,
        priority: 0,
        waits: true,
        funds: Some(funds(reserve)),
    };
    account.ask(admit(1, 10));
    assert!(matches!(account.ask(admit(2, 90)), Reply::Waits { position: 0, .. }));
    assert!(matches!(account.ask(admit(3, 10)), Reply::Waits { position: 1, .. }));
    account.settle(1, 20, true);
    exhausted(account.ask(admit(2, 90)));
    account.ask(Request::Leave { id: id(1), reports: Vec::new() });
    assert_eq!(account.ask(admit(3, 10)), granted());
}
