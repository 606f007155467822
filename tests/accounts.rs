//! What an isolate knows of the limits of accounts: how soon it sees a change, how rarely it asks,
//! and which accounts the settlement of an end may pass over.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod sqlite;

use bitware_orchestrator::accounts::{
    AccountCache, FRESH_FOR, KNOWN_FOR_MAX, Limits, may_have_reserved,
};
use bitware_orchestrator::db::{DbErrorKind, accounts};
use engine::money::MicroUsd;
use engine::time::Timestamp;
use sqlite::{Sqlite, wait};

fn at(ms: i64) -> Timestamp {
    Timestamp::from_millis(1_772_000_000_000 + ms)
}

fn ms(length: engine::time::Millis) -> i64 {
    i64::try_from(length.get()).unwrap()
}

fn set(db: &Sqlite, change: &str) {
    db.shell(&format!("UPDATE accounts SET {change} WHERE id = 'default'"));
}

#[test]
fn limits_are_read_once_a_minute_and_a_change_is_seen_then() {
    let (db, cache) = (Sqlite::new(), AccountCache::default());
    let ask = |ms| wait(cache.limits(&db, "default", at(ms))).unwrap();
    assert_eq!(ask(0), Limits::default(), "the first account has none");
    set(&db, "daily_budget_micro_usd = 5000000, max_concurrent_executions = 3");
    let trips = db.trips.get();
    assert_eq!(ask(ms(FRESH_FOR) - 1), Limits::default());
    assert_eq!(db.trips.get(), trips);
    let daily_max = Some(MicroUsd::from_micros(5_000_000));
    let limits = Limits { executions_max: Some(3), daily_max, ..Limits::default() };
    assert_eq!(ask(ms(FRESH_FOR)), limits);
    assert_eq!(db.trips.get(), trips + 1);
    assert_eq!(wait(cache.limits(&db, "nobody", at(0))).unwrap(), Limits::default());
    set(&db, "status = 'suspended'");
    assert!(!ask(2 * ms(FRESH_FOR) - 1).suspended && ask(2 * ms(FRESH_FOR)).suspended);
}

#[test]
fn in_an_outage_what_is_known_serves_for_a_while_and_nothing_starts_unknown() {
    let (db, cache) = (Sqlite::new(), AccountCache::default());
    set(&db, "monthly_budget_micro_usd = 7");
    let ask = |ms| wait(cache.limits(&db, "default", at(ms)));
    let known = ask(0).unwrap();
    assert!(known.has_budget());
    db.outage.set(Some(DbErrorKind::Unavailable));
    assert_eq!(ask(ms(KNOWN_FOR_MAX) - 1).unwrap(), known);
    ask(ms(KNOWN_FOR_MAX)).unwrap_err();
    wait(cache.limits(&db, "nobody", at(0))).unwrap_err();
    db.outage.set(Some(DbErrorKind::Schema));
    ask(ms(FRESH_FOR)).unwrap_err();
}

#[test]
fn a_settlement_passes_over_an_account_only_when_its_row_proves_that_it_may() {
    let db = Sqlite::new();
    let row = || wait(accounts::changed(&db, &["default", "nobody"])).unwrap();
    set(&db, "updated_at = '2026-01-01T00:00:00.000Z'");
    let [known] = row().try_into().unwrap();
    assert!(!may_have_reserved(Some(&known), at(0)), "it had no limits for weeks");
    set(&db, "daily_budget_micro_usd = 1");
    let [known] = row().try_into().unwrap();
    assert!(known.limited && may_have_reserved(Some(&known), at(0)));
    set(&db, "daily_budget_micro_usd = NULL");
    let [known] = row().try_into().unwrap();
    let now = Timestamp::from_millis(chrono::Utc::now().timestamp_millis());
    assert!(!known.limited && may_have_reserved(Some(&known), now), "it had some a moment ago");
}
