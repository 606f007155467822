//! Budgets of keys, beside those of the account.

use super::*;

/// A key of 50 a day and 80 a month, of an account without limits.
fn of(key: &str, reserve: u64) -> Funds {
    let key =
        KeyFunds { id: key.to_owned(), daily_max: Some(micros(50)), monthly_max: Some(micros(80)) };
    Funds { reserve: micros(reserve), key: Some(key), ..Funds::default() }
}

fn of_account(reserve: u64) -> Funds {
    Funds { reserve: micros(reserve), daily_max: Some(micros(100)), ..Funds::default() }
}

impl Account {
    /// What a key has spent today, this month, and holds.
    fn key(&self, key: &str) -> (u64, u64, u64) {
        let Ok(totals) = self.admission.key_totals(self.now(), key);
        let Totals { spent_day, spent_month, held, .. } = totals;
        (spent_day.as_micros(), spent_month.as_micros(), held.as_micros())
    }
}

#[test]
fn a_key_stops_at_its_own_budget_and_others_go_on() {
    let mut account = Account::new();
    assert_eq!(account.start(1, of("a", 30)), granted());
    let full = exhausted(account.start(2, of("a", 21)));
    assert!(full.of_key);
    let sums = (full.max, full.spent, full.reserved, full.wanted);
    assert_eq!(sums, (micros(50), micros(0), micros(30), micros(21)));
    assert_eq!((full.period, full.renews_at.as_millis()), (Period::Daily, NOON_MS + 12 * HOUR_MS));
    assert_eq!(account.admission.taken(), 1, "the refused one has no place");
    assert_eq!(account.start(3, of("b", 50)), granted());
    assert_eq!(account.start(4, of("a", 20)), granted());
    assert_eq!((account.key("a"), account.key("b")), ((0, 0, 50), (0, 0, 50)));
}

#[test]
fn what_is_settled_counts_against_the_key_once() {
    let mut account = Account::new();
    account.start(1, of("a", 30));
    account.settle(1, 10, false);
    account.settle(1, 10, false);
    assert_eq!(account.key("a"), (10, 10, 20));
    account.settle(1, 25, true);
    account.settle(1, 25, true);
    account.settle(1, 10, true);
    assert_eq!(account.key("a"), (25, 25, 0));
    let settlement = |spent| Settlement { id: id(2), spent_total: micros(spent), ended: true };
    account.start(2, of("a", 10));
    let both = vec![settlement(4), settlement(9)];
    assert_eq!(account.ask(Request::Settle { settlements: both }), Reply::Settled);
    assert_eq!(account.key("a"), (34, 34, 0), "two totals of one execution in one message");
    assert_eq!(exhausted(account.start(3, of("a", 17))).spent, micros(34));
    assert_eq!(account.start(3, of("a", 16)), granted());
}

#[test]
fn a_day_and_a_month_renew_for_each_key() {
    let mut account = Account::new();
    account.start(1, of("a", 50));
    account.settle(1, 50, true);
    account.ms = 12 * HOUR_MS;
    let full = exhausted(account.start(2, of("a", 31)));
    assert_eq!((full.period, full.spent), (Period::Monthly, micros(50)));
    assert_eq!(account.start(2, of("a", 30)), granted());
    account.settle(2, 30, true);
    assert_eq!(account.key("a"), (30, 80, 0));
    account.ms = full.renews_at.as_millis() - NOON_MS;
    assert_eq!(account.key("a"), (0, 0, 0));
    assert_eq!(account.start(3, of("a", 50)), granted());
}

#[test]
fn both_budgets_must_hold_it_and_neither_keeps_what_the_other_refuses() {
    let mut account = Account::new();
    let both = |reserve, key| Funds { key: of(key, 0).key, ..of_account(reserve) };
    assert_eq!(account.start(1, both(40, "a")), granted());
    assert!(exhausted(account.start(2, both(11, "a"))).of_key);
    assert_eq!(account.start(3, both(50, "b")), granted());
    assert!(!exhausted(account.start(4, both(11, "c"))).of_key, "the account's is full");
    assert_eq!((account.key("a"), account.key("c")), ((0, 0, 40), (0, 0, 0)));
    assert_eq!(account.sums(), (0, 0, 90));
}

#[test]
fn an_emergency_overdraws_the_account_and_no_key() {
    let mut account = Account::new();
    let critical = |funds: Funds| Funds { emergency: Some(micros(500)), ..funds };
    assert_eq!(account.start(1, critical(of_account(300))), granted());
    assert!(exhausted(account.start(2, critical(of("a", 51)))).of_key);
}

#[test]
fn a_restart_forgets_nothing_of_a_key() {
    let mut account = Account::new();
    account.start(1, of("a", 20));
    account.settle(1, 15, true);
    account.start(2, of("a", 20));
    account.start(3, of("b", 5));
    let mut account = account.restarted();
    assert_eq!((account.key("a"), account.key("b")), ((15, 15, 20), (0, 0, 5)));
    assert_eq!(account.start(2, of("a", 20)), granted(), "asked again, reserved once");
    assert_eq!(account.key("a"), (15, 15, 20));
    exhausted(account.start(4, of("a", 16)));
    account.ms = i64::try_from(UNSURE_MAX.get()).unwrap();
    assert_eq!(account.start(4, of("a", 35)), granted(), "what never began lapses for the key too");
    account.settle(2, 7, true);
    assert_eq!(account.key("a"), (22, 22, 35), "it began after all");
}

#[test]
fn the_key_that_reserved_pays_whoever_goes_on() {
    let mut account = Account::new();
    account.start(1, of("a", 20));
    account.settle(1, 20, false);
    let raise = |funds| Request::Raise { id: id(1), funds };
    assert_eq!(account.ask(raise(of("a", 45))), granted());
    assert_eq!(account.ask(raise(of("a", 45))), granted(), "asked twice, raised once");
    assert_eq!(account.key("a"), (20, 20, 25));
    assert!(exhausted(account.ask(raise(of("a", 51)))).of_key);
    // Its budget was taken away meanwhile: it goes on, and is counted all the same.
    assert_eq!(account.ask(raise(of_account(60))), granted());
    assert_eq!(account.key("a"), (20, 20, 40));
    assert_eq!(account.ask(raise(of("b", 65))), granted(), "it holds money under the other");
    assert_eq!((account.key("a"), account.key("b")), ((20, 20, 45), (0, 0, 0)));
    account.settle(1, 60, true);
    assert_eq!((account.key("a"), account.sums()), ((60, 60, 0), (60, 60, 0)));
}

#[test]
fn a_key_that_gets_a_budget_later_pays_for_what_comes_later() {
    let mut account = Account::new();
    account.start(1, of_account(20));
    account.settle(1, 20, true);
    assert_eq!(account.ask(Request::Raise { id: id(1), funds: of("a", 30) }), granted());
    assert_eq!(account.key("a"), (0, 0, 10));
    account.settle(1, 30, true);
    assert_eq!(account.key("a"), (10, 10, 0));
}

#[test]
fn a_key_without_limits_costs_no_write() {
    let mut account = Account::new();
    let key = Some(KeyFunds { id: "a".to_owned(), ..KeyFunds::default() });
    let free = Funds { reserve: micros(1_000_000), key, ..Funds::default() };
    assert_eq!(account.start(1, free), granted());
    account.settle(1, 500, true);
    assert_eq!(account.admission.store().writes(), 0);
}
