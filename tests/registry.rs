//! Workers, keys, accounts, policy and revisions.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod sqlite;

use bitware_orchestrator::db::workers::Health;
use bitware_orchestrator::db::{
    DbErrorKind, accounts, api_keys, iso, meta, policy, revisions, workers,
};
use engine::time::Timestamp;
use sqlite::{Sqlite, interleave, wait};

const NOW: Timestamp = Timestamp::from_millis(1_772_000_000_000);

#[test]
fn the_registry_offers_its_active_workers() {
    let db = Sqlite::new();
    db.shell(
        "UPDATE worker_registry SET is_active = 0 WHERE worker_name = 'rss_librarian';
         INSERT INTO worker_registry (worker_name, base_url) VALUES ('a', 'https://a.example')",
    );
    let found = wait(workers::active(&db)).unwrap();
    let names: Vec<&str> = found.iter().map(|worker| worker.worker_name.as_str()).collect();
    let expected =
        ["a", "content_classifier", "feed_fetcher", "report_builder", "topic_researcher"];
    assert_eq!(names, expected);
    assert_eq!(found[0].estimated_cost_usd, None, "nobody has said what it costs");
    assert_eq!(found[1].estimated_cost_usd, Some(0.0));
    let named = wait(workers::named(&db, &["rss_librarian", "nobody", "a"])).unwrap();
    let named: Vec<(&str, bool)> =
        named.iter().map(|worker| (worker.worker_name.as_str(), worker.is_active)).collect();
    assert_eq!(named, [("a", true), ("rss_librarian", false)]);
}

#[test]
fn health_is_noted_without_a_change_of_plans() {
    let db = Sqlite::new();
    let before = wait(meta::count(&db)).unwrap();
    let found = [
        ("feed_fetcher", Health::Unhealthy),
        ("report_builder", Health::Healthy),
        ("nobody", Health::Degraded),
    ];
    wait(workers::note_health(&db, &found, NOW)).unwrap();
    assert_eq!(wait(meta::count(&db)).unwrap(), before);
    let rows = db.lines(
        "SELECT worker_name, health_status, last_health_check
        FROM worker_registry WHERE last_health_check IS NOT NULL ORDER BY 1",
    );
    let at = iso(NOW);
    assert_eq!(
        rows,
        [format!("feed_fetcher|unhealthy|{at}"), format!("report_builder|healthy|{at}")]
    );
}

#[test]
fn a_key_is_found_by_the_digest_of_its_secret() {
    let db = Sqlite::new();
    db.shell(
        "INSERT INTO accounts (id, daily_budget_micro_usd) VALUES ('acme', 5000000);
         INSERT INTO api_keys (id, account_id, name, key_hash, scopes, rate_per_minute, expires_at)
         VALUES ('k', 'acme', 'ci',
           '0101010101010101010101010101010101010101010101010101010101010101',
           '[\"read\"]', 60, '2026-03-01T00:00:00.000Z')",
    );
    let key = wait(api_keys::find(&db, &[1; 32])).unwrap().unwrap();
    assert_eq!((key.id.as_str(), key.account_id.as_str()), ("k", "acme"));
    assert_eq!((key.scopes.clone(), key.rate_per_minute), (vec!["read".to_owned()], Some(60)));
    assert!(key.is_valid_at(NOW));
    assert_eq!(wait(api_keys::find(&db, &[2; 32])), Ok(None));
    db.shell("UPDATE accounts SET status = 'suspended' WHERE id = 'acme'");
    assert!(!wait(api_keys::find(&db, &[1; 32])).unwrap().unwrap().is_of_active_account());
    let account = wait(accounts::by_id(&db, "acme")).unwrap().unwrap();
    assert_eq!(account.daily_budget_micro_usd, Some(5_000_000));
    db.shell("DELETE FROM accounts WHERE id = 'acme'");
    assert_eq!(wait(api_keys::find(&db, &[1; 32])), Ok(None), "keys go with their account");
}

#[test]
fn the_use_of_a_key_is_noted_once_an_hour() {
    let db = Sqlite::new();
    db.shell(
        "INSERT INTO api_keys (id, account_id, key_hash, updated_at) VALUES ('k', 'default',
           '0101010101010101010101010101010101010101010101010101010101010101', 'then')",
    );
    let minute = |n: i64| Timestamp::from_millis(NOW.as_millis() + n * 60_000);
    let mut written = Vec::new();
    for n in [0, 1, 59, 60, 61, 130] {
        wait(api_keys::note_use(&db, "k", minute(n))).unwrap();
        written.push(db.changes.get());
    }
    assert_eq!(written, [1, 0, 0, 0, 1, 1]);
    let row = db.lines("SELECT last_used_at, updated_at FROM api_keys");
    assert_eq!(row, [format!("{}|then", iso(minute(130)))], "to be used is no change of the key");
}

#[test]
fn policy_rows_say_what_labels_change() {
    let db = Sqlite::new();
    let policy = wait(policy::all(&db)).unwrap();
    assert_eq!(db.trips.get(), 1);
    let deadlines = ["speed", "cost", "quality", "balanced"]
        .map(|name| policy.strategy(name).unwrap().deadline_ms / 1000);
    assert_eq!(deadlines, [90, 180, 300, 150]);
    assert!(!policy.strategy("quality").unwrap().use_cache);
    assert!(policy.strategy("speed").unwrap().skip_optional_steps);
    let urgency = ["low", "medium", "high", "critical"]
        .map(|name| policy.urgency_level(name).unwrap().deadline_ms);
    assert_eq!(urgency, [None, Some(180_000), Some(60_000), Some(30_000)]);
    let first = policy.urgency_levels.iter().max_by_key(|row| row.priority).unwrap();
    assert_eq!(first.name, "critical", "it is admitted first");
    assert_eq!(policy.quality_level("standard").unwrap().source_discovery_depth, 3);
    assert_eq!(policy.quality_level("luxury"), None);
}

#[test]
fn revisions_are_counted_for_each_template_and_never_twice() {
    let db = Sqlite::new();
    let hash = |n: u8| format!("{n:064x}");
    let store = |template: &'static str, n: u8| {
        let db = &db;
        async move {
            let found = revisions::find_or_store(db, template, &hash(n), &format!("[{n}]")).await;
            found.unwrap().revision
        }
    };
    assert_eq!([wait(store("a", 1)), wait(store("a", 2)), wait(store("b", 1))], [1, 2, 1]);
    assert_eq!(wait(store("a", 1)), 1, "what was published before keeps its number");
    db.slow.set(true);
    let both = interleave(vec![store("a", 3), store("a", 3), store("a", 4)]);
    assert_eq!(both, [3, 3, 4], "two isolates that publish the same make one revision");
    assert_eq!(wait(revisions::definition(&db, "a", 4)).unwrap().as_deref(), Some("[4]"));
    assert_eq!(wait(revisions::definition(&db, "a", 5)).unwrap(), None);
    assert_eq!(wait(revisions::by_hash(&db, "b", &hash(2))).unwrap(), None);
    db.shell("DELETE FROM pipeline_templates");
    assert_eq!(wait(store("a", 5)), 5, "numbers go on when a template is made again");
}

#[test]
fn a_database_that_was_not_migrated_says_so() {
    let db = Sqlite::new();
    db.shell("DROP TABLE schema_version");
    let error = wait(meta::versions(&db)).expect_err("the table is gone");
    assert_eq!(error.kind(), DbErrorKind::Schema);
}
