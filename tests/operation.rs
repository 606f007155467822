//! What operators are told: claims of checks, counts that isolates bring, figures that are noted.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod sqlite;

use std::collections::BTreeMap;

use bitware_orchestrator::db::operation::{self, Counted};
use bitware_orchestrator::db::{meta, workers};
use engine::time::{Millis, Timestamp};
use serde_json::{Value, json};
use sqlite::{Sqlite, wait};

const NOW: Timestamp = Timestamp::from_millis(1_795_262_400_000);

fn at(s: u64) -> Timestamp {
    NOW.plus(Millis::from_secs(s))
}

fn claim(db: &Sqlite, before: u64, now: u64, limit: u32) -> Vec<String> {
    let (mut claimed, rows) = wait(workers::claim_checks(db, at(before), at(now), limit)).unwrap();
    assert_eq!(rows.len(), 5, "all active workers come along");
    claimed.sort();
    claimed
}

#[test]
fn of_those_who_want_to_check_at_the_same_time_one_does() {
    let db = Sqlite::new();
    let changes = wait(meta::count(&db)).unwrap();
    db.shell("INSERT INTO worker_registry (worker_name, is_active) VALUES ('retired', 0)");
    let all = claim(&db, 0, 10, 24);
    assert_eq!(all.len(), 5, "{all:?}");
    assert_eq!(claim(&db, 0, 10, 24), Vec::<String>::new(), "they are being checked");
    assert_eq!(claim(&db, 9, 19, 24), Vec::<String>::new(), "that was a moment ago");
    assert_eq!(claim(&db, 10, 20, 24), all);
    db.shell("DELETE FROM worker_registry WHERE worker_name = 'retired'");
    let changed = wait(meta::count(&db)).unwrap().count - changes.count;
    assert_eq!(changed, 2, "a check changes no plan");
}

#[test]
fn who_was_checked_longest_ago_comes_first() {
    let db = Sqlite::new();
    db.shell(
        "UPDATE worker_registry SET last_health_check = '2026-01-01T00:00:00.000Z';
         UPDATE worker_registry SET last_health_check = NULL WHERE worker_name = 'rss_librarian';
         UPDATE worker_registry SET last_health_check = '2025-01-01T00:00:00.000Z'
           WHERE worker_name = 'feed_fetcher'",
    );
    assert_eq!(claim(&db, 0, 1, 2), ["feed_fetcher", "rss_librarian"]);
    assert_eq!(claim(&db, 0, 1, 2), ["content_classifier", "report_builder"]);
}

fn counted(id: &str, label: &'static str, value: u64) -> Counted {
    Counted { id: id.to_owned(), name: "d1_errors", label, value }
}

fn counts(db: &Sqlite) -> BTreeMap<(String, String), u64> {
    wait(operation::counts(db)).unwrap()
}

#[test]
fn what_isolates_bring_is_counted_once_and_added_up_without_a_loss() {
    let db = Sqlite::new();
    let first = [counted("a", "unavailable", 3), counted("b", "overloaded", 1)];
    for _ in 0..3 {
        wait(operation::bring(&db, &first, at(0))).unwrap();
    }
    wait(operation::bring(&db, &[counted("c", "unavailable", 2)], at(5))).unwrap();
    let of = |unavailable: u64| {
        let key = |label: &str| ("d1_errors".to_owned(), label.to_owned());
        BTreeMap::from([(key("overloaded"), 1), (key("unavailable"), unavailable)])
    };
    assert_eq!(counts(&db), of(5));
    for _ in 0..3 {
        wait(operation::add_up(&db, at(5))).unwrap();
        assert_eq!(counts(&db), of(5));
    }
    assert_eq!(db.number("SELECT count(*) FROM operation_counts WHERE is_total = 0"), 1);
    wait(operation::add_up(&db, at(6))).unwrap();
    wait(operation::bring(&db, &[counted("d", "unavailable", 1)], at(9))).unwrap();
    assert_eq!(counts(&db), of(6));
    assert_eq!(db.number("SELECT count(*) FROM operation_counts"), 3);
}

#[test]
fn the_newest_figures_of_a_name_are_kept() {
    let db = Sqlite::new();
    assert_eq!(wait(operation::noted::<Value>(&db, "shards")).unwrap(), None);
    for (moment, figures) in [(5, json!({ "n": 5 })), (3, json!({ "n": 3 }))] {
        wait(operation::note(&db, "shards", &figures, at(moment))).unwrap();
    }
    let noted = wait(operation::noted::<Value>(&db, "shards")).unwrap().unwrap();
    assert_eq!(noted.figures, json!({ "n": 5 }));
    assert_eq!(wait(operation::noted::<u8>(&db, "shards")).unwrap(), None, "of another build");
}
