//! What administrators change: accounts, keys, workers, each with its entry in the audit log.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod sqlite;

use bitware_orchestrator::db::accounts::Account;
use bitware_orchestrator::db::audit::{Entry, add};
use bitware_orchestrator::db::keyring::{Filter, Key};
use bitware_orchestrator::db::workers::Worker;
use bitware_orchestrator::db::{Database, Statement, accounts, api_keys, audit, keyring};
use bitware_orchestrator::db::{iso, meta, registry};
use bitware_orchestrator::templates::TemplateCache;
use engine::time::{Millis, Timestamp};
use serde_json::json;
use sqlite::{Sqlite, wait};

const NOW: Timestamp = Timestamp::from_millis(1_772_000_000_000);

fn entry(n: u8) -> Entry {
    Entry {
        id: format!("entry-{n}"),
        at: iso(NOW),
        account_id: None,
        actor_type: "worker".into(),
        actor: "w".into(),
        change: "thing.changed".into(),
        subject_type: "thing".into(),
        subject: "t".into(),
        before: None,
        after: None,
        request_id: None,
    }
}

/// As handlers do it: the change, its entry, what follows, and whether the entry is there.
fn make(db: &Sqlite, n: u8, change: Statement, then: Vec<Statement>) -> bool {
    let mut batch = vec![change, add(&entry(n))];
    batch.extend(then);
    batch.push(audit::of_id(&entry(n).id));
    let results = wait(db.batch(batch)).unwrap();
    audit::was_added(results.last()).unwrap()
}

fn key(db: &Sqlite, id: &str) -> Key {
    wait(keyring::find(db, id, None)).unwrap().unwrap()
}

fn issue(db: &Sqlite, n: u8, id: &str, account: &str) -> bool {
    let key = Key {
        id: id.into(),
        account_id: account.into(),
        name: id.into(),
        scopes: Some(json!(["read"])),
        daily_budget_micro_usd: Some(7),
        ..Key::default()
    };
    make(db, n, keyring::issue(&key, &format!("{n:02x}").repeat(32)), Vec::new())
}

#[test]
fn an_account_is_made_once_and_changed_only_as_it_was_read() {
    let db = Sqlite::new();
    let acme = Account {
        id: "acme".into(),
        name: "Acme".into(),
        status: "active".into(),
        daily_budget_micro_usd: Some(1),
        ..Account::default()
    };
    assert!(make(&db, 1, accounts::create(&acme), Vec::new()));
    assert!(make(&db, 1, accounts::create(&acme), Vec::new()), "an answer was lost, asked again");
    assert!(!make(&db, 2, accounts::create(&acme), Vec::new()), "somebody else is too late");
    assert_eq!(db.number("SELECT COUNT(*) FROM audit_log"), 1);
    let read = wait(accounts::by_id(&db, "acme")).unwrap().unwrap();
    let first = Account { status: "suspended".into(), ..read.clone() };
    let second = Account { name: "Other".into(), ..read };
    assert!(make(&db, 3, accounts::change(&first), Vec::new()));
    assert!(make(&db, 3, accounts::change(&first), Vec::new()));
    assert!(!make(&db, 4, accounts::change(&second), Vec::new()), "it is not what was read");
    let page = |status, after| {
        let (found, more) = wait(accounts::page(&db, status, after, 1)).unwrap();
        (found.into_iter().map(|account| account.id).collect::<Vec<_>>(), more)
    };
    assert_eq!(page(None, None), (vec!["acme".to_owned()], true));
    assert_eq!(page(None, Some("acme")), (vec!["default".to_owned()], false));
    assert_eq!(page(Some("active"), None), (vec!["default".to_owned()], false));
}

#[test]
fn keys_are_issued_for_accounts_that_there_are_and_listed_by_status() {
    let db = Sqlite::new();
    db.shell("INSERT INTO accounts (id) VALUES ('acme')");
    assert!(!issue(&db, 1, "k0", "nobody"));
    assert!(issue(&db, 2, "k1", "acme") && issue(&db, 3, "k2", "acme"));
    assert!(issue(&db, 4, "k3", "default"));
    assert!(make(&db, 5, keyring::revoke("k1", NOW), Vec::new()));
    assert!(!make(&db, 6, keyring::revoke("k1", NOW), Vec::new()), "once");
    let ended = Key { expires_at: Some(iso(NOW)), ..key(&db, "k2") };
    assert!(make(&db, 7, keyring::change(&ended), Vec::new()));
    assert!(!make(&db, 8, keyring::change(&ended), Vec::new()), "it is not what was read");
    let list = |account, status, after| {
        let filter = Filter { account, status };
        let (found, _) = wait(keyring::page(&db, filter, (after, 9), NOW)).unwrap();
        found.into_iter().map(|key| key.id).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(list(None, None, None), "k1 k2 k3");
    assert_eq!(list(Some("acme"), None, Some("k1")), "k2");
    assert_eq!(list(None, Some("revoked"), None), "k1");
    assert_eq!(list(None, Some("expired"), None), "k2");
    assert_eq!(list(None, Some("active"), None), "k3");
    assert_eq!(wait(keyring::find(&db, "k3", Some("acme"))).unwrap(), None, "another's");
}

#[test]
fn a_rotated_key_goes_on_for_the_overlap_and_shares_its_budget() {
    let db = Sqlite::new();
    issue(&db, 1, "a", "default");
    let overlap = NOW.plus(Millis::from_secs(3600));
    let rotate = |n: u8, old: &Key, new: &str, hash: &str, until| {
        let change = keyring::replace(old, (new, hash, None));
        make(&db, n, change, keyring::follow(&old.id, new, until))
    };
    let a = key(&db, "a");
    let hash = "ab".repeat(32);
    assert!(rotate(2, &a, "b", &hash, overlap));
    assert!(rotate(2, &a, "b", &hash, overlap), "an answer was lost, asked again");
    assert!(!rotate(3, &a, "x", &"cd".repeat(32), overlap), "two at once: one is too late");
    assert_eq!(db.number("SELECT COUNT(*) FROM api_keys"), 2);
    let (a, b) = (key(&db, "a"), key(&db, "b"));
    assert_eq!((a.expires_at.clone(), a.rotated_to.as_deref()), (Some(iso(overlap)), Some("b")));
    assert_eq!((b.expires_at.clone(), b.rotated_from.as_deref()), (None, Some("a")));
    assert_eq!((b.daily_budget_micro_usd, b.scopes.clone()), (Some(7), Some(json!(["read"]))));
    assert!(!rotate(4, &a, "y", &"ef".repeat(32), overlap), "it has a successor");
    assert!(rotate(5, &b, "c", &"02".repeat(32), overlap));
    let c = wait(api_keys::find(&db, &[2; 32])).unwrap().unwrap();
    assert_eq!((c.id.as_str(), c.budget_id.as_str()), ("c", "a"), "the budget of the line");
    let raised = Key { daily_budget_micro_usd: Some(9), ..key(&db, "c") };
    assert!(make(&db, 6, keyring::change(&raised), Vec::new()));
    let budget = wait(api_keys::budget(&db, "a")).unwrap().unwrap();
    assert_eq!(budget.daily_budget_micro_usd, Some(9), "the newest of the line says how much");
    assert_eq!(wait(api_keys::budget(&db, "nobody")), Ok(None));
}

#[test]
fn an_end_that_comes_before_the_overlap_stays() {
    let db = Sqlite::new();
    issue(&db, 1, "a", "default");
    let soon = iso(NOW.plus(Millis::from_secs(5)));
    let ending = Key { expires_at: Some(soon.clone()), ..key(&db, "a") };
    make(&db, 2, keyring::change(&ending), Vec::new());
    let a = key(&db, "a");
    let follow = keyring::follow("a", "b", NOW.plus(Millis::from_secs(60)));
    assert!(make(&db, 3, keyring::replace(&a, ("b", &"ab".repeat(32), None)), follow));
    assert_eq!(key(&db, "a").expires_at, Some(soon));
}

#[test]
fn the_budget_of_a_key_is_one_of_its_account_when_costs_are_settled() {
    let db = Sqlite::new();
    db.shell("UPDATE accounts SET updated_at = '2020-01-01T00:00:00.000Z'");
    let changed = || wait(accounts::changed(&db, &["default", "nobody"])).unwrap();
    assert_eq!(changed().len(), 1);
    assert!(!changed()[0].limited && changed()[0].updated_at.starts_with("2020"));
    issue(&db, 1, "a", "default");
    assert!(changed()[0].limited);
    db.shell(
        "UPDATE api_keys SET daily_budget_micro_usd = NULL,
           updated_at = '2021-05-05T00:00:00.000Z'",
    );
    let row = changed().remove(0);
    assert_eq!((row.limited, row.updated_at.as_str()), (false, "2021-05-05T00:00:00.000Z"));
    let plan = db.query_plan(&accounts::CHANGED.with("[]"));
    for index in ["api_keys_by_change", "api_keys_with_budgets"] {
        assert!(plan.contains(index), "{plan}");
    }
}

#[test]
fn a_worker_is_changed_only_as_it_was_read_and_the_next_start_sees_it() {
    let db = Sqlite::new();
    let counted = || wait(meta::count(&db)).unwrap().count;
    let read = wait(registry::find(&db, "feed_fetcher")).unwrap().unwrap();
    let priced = |usd| {
        let mut worker = read.worker.clone();
        worker.estimated_cost_usd = Some(usd);
        worker
    };
    let before = counted();
    assert!(make(&db, 1, registry::change(&read.state, &priced(0.07)), Vec::new()));
    assert_eq!(counted(), before + 1);
    assert!(!make(&db, 2, registry::change(&read.state, &priced(0.08)), Vec::new()));
    assert_eq!(counted(), before + 1);
    let now = wait(registry::find(&db, "feed_fetcher")).unwrap().unwrap();
    assert_eq!(now.worker, priced(0.07));
    db.shell("UPDATE worker_registry SET health_status = 'degraded'");
    let checked = wait(registry::find(&db, "feed_fetcher")).unwrap().unwrap();
    assert_eq!(checked.state, now.state, "a health check is no change");
}

#[test]
fn a_worker_that_a_step_names_in_whatever_place_is_not_deleted() {
    let db = Sqlite::new();
    db.shell(
        "INSERT INTO worker_registry (worker_name, base_url) VALUES ('w', 'https://w.example');
         INSERT INTO pipeline_templates (name) VALUES ('a'), ('b'), ('c'), ('d');
         INSERT INTO pipeline_steps (template_name, step_order, step_name, worker_name,
           fallback_worker, config)
         VALUES ('a', 1, 's', 'w', NULL, NULL), ('b', 1, 's', 'feed_fetcher', 'w', NULL),
           ('c', 1, 's', 'feed_fetcher', NULL, '{\"compensate\": {\"worker\": \"w\"}}'),
           ('d', 1, 's', 'feed_fetcher', NULL, '{\"alternatives\": [\"x\", \"w\"]}')",
    );
    let state = || wait(registry::find(&db, "w")).unwrap().unwrap().state;
    for (n, template) in (10..).zip(["a", "b", "c", "d"]) {
        let (_, users) = wait(registry::find_with_users(&db, "w")).unwrap().unwrap();
        assert_eq!(users[0], template);
        assert!(!make(&db, n, registry::delete("w", &state()), Vec::new()), "{template}");
        db.shell(&format!("DELETE FROM pipeline_templates WHERE name = '{template}'"));
    }
    assert!(!make(&db, 20, registry::delete("w", "[]"), Vec::new()), "it is not what was read");
    assert!(make(&db, 21, registry::delete("w", &state()), Vec::new()));
    assert_eq!(wait(registry::find(&db, "w")).unwrap(), None);
}

#[test]
fn a_worker_that_is_registered_reads_as_it_was_written() {
    let db = Sqlite::new();
    let seeded = wait(registry::page(&db, &registry::Filter::default(), None, 200)).unwrap().0;
    for registered in &seeded {
        let mut worker = registered.worker.clone();
        worker.worker_name.push_str("_again");
        assert!(make(&db, 1, registry::create(&worker), Vec::new()));
        let found = wait(registry::find(&db, &worker.worker_name)).unwrap().unwrap();
        assert_eq!(found.worker.health_status, "unknown");
        worker.health_status = "unknown".into();
        worker.last_health_check = None;
        assert_eq!(found.worker, worker);
        db.shell("DELETE FROM audit_log");
    }
    let filter = registry::Filter { search: Some("_AGAIN".to_lowercase()), ..Default::default() };
    let (found, more) = wait(registry::page(&db, &filter, None, 3)).unwrap();
    assert_eq!((found.len(), more), (3, true));
    let after = found.last().unwrap().worker.worker_name.clone();
    let (rest, more) = wait(registry::page(&db, &filter, Some(&after), 3)).unwrap();
    assert_eq!((rest.len(), more), (seeded.len() - 3, false));
}

#[test]
fn a_price_that_was_changed_is_in_the_next_plan() {
    let (db, cache) = (Sqlite::new(), TemplateCache::default());
    let price = |at| {
        let published = wait(cache.plan(&db, None, at)).unwrap();
        published.definition.workers["feed_fetcher"].estimated_cost.unwrap().as_micros()
    };
    assert_eq!(price(NOW), 0);
    let read = wait(registry::find(&db, "feed_fetcher")).unwrap().unwrap();
    let dearer = Worker { estimated_cost_usd: Some(0.07), ..read.worker.clone() };
    assert!(make(&db, 1, registry::change(&read.state, &dearer), Vec::new()));
    assert_eq!(price(NOW.plus(Millis::from_secs(5))), 70_000);
}
