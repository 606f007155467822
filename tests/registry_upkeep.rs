//! Upkeep and figures of the tool registry.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod sqlite;
mod tool_rows;

use bitware_orchestrator::db::{Paging, registry_figures as figures, registry_upkeep as upkeep};
use engine::time::Timestamp;
use sqlite::{Sqlite, wait};
use tool_rows::{FIRST, add_node, add_tool, id, logged, with_accounts, write_tool};

/// Two nodes of `default` with a tool each, and one of `acme`.
fn registry() -> Sqlite {
    let db = with_accounts();
    for (n, account) in [(1, "default"), (2, "default"), (3, "acme")] {
        add_node(&db, n, account);
        let node = id(n);
        write_tool(&db, 10 + n, account, &format!("t{n}"), Some(&node));
    }
    db
}

fn follow(db: &Sqlite, account: Option<&str>, limit: u32) -> upkeep::Followed {
    let logged = [logged(900), logged(901)];
    wait(upkeep::follow_nodes(db, account, limit, logged)).unwrap()
}

fn ids(numbers: &[u32]) -> Vec<String> {
    numbers.iter().map(|n| id(*n)).collect()
}

#[test]
fn tools_follow_their_nodes_and_come_back_with_them() {
    let db = registry();
    db.shell("UPDATE nodes SET status = 'ERROR'");
    db.shell("UPDATE tools SET status = 'DEPRECATED' WHERE name = 't2'");
    assert_eq!(follow(&db, Some("default"), 10).disabled, ids(&[11]), "a deprecated one stays");
    assert_eq!(follow(&db, Some("default"), 10), upkeep::Followed::default(), "once is enough");
    assert_eq!(follow(&db, None, 10).disabled, ids(&[13]), "those of every account");
    let count = "SELECT count(*) FROM audit_log WHERE id = 'entry 900'";
    assert_eq!(db.number(count), 1, "what changed something is logged");
    assert_eq!(db.number("SELECT count(*) FROM audit_log WHERE id = 'entry 901'"), 0);
    db.shell("UPDATE tools SET status = 'DISABLED' WHERE name = 't3'");
    db.shell("UPDATE nodes SET status = 'ACTIVE'");
    let back = follow(&db, None, 10);
    assert_eq!((back.disabled, back.enabled), (vec![], ids(&[11])), "one is somebody's own now");
}

/// The cron brings tools of every account back, each with its entry; it disables none.
#[test]
fn tools_come_back_by_themselves_when_their_node_does() {
    let db = registry();
    let back = |limit| {
        wait(upkeep::come_back(&db, limit, Timestamp::from_millis(1_795_255_321_987))).unwrap()
    };
    db.shell("UPDATE nodes SET status = 'ERROR'");
    assert_eq!(back(10), ids(&[]));
    follow(&db, None, 10);
    assert_eq!(back(10), ids(&[]), "their nodes are away");
    db.shell("UPDATE nodes SET status = 'ACTIVE' WHERE account_id = 'acme' OR seq = 1");
    db.shell("UPDATE tools SET status = 'DISABLED', disabled_by_node = 0 WHERE name = 't1'");
    assert_eq!(back(10), ids(&[13]), "one is somebody's own now, the node of one is away");
    assert_eq!(back(10), ids(&[]));
    let entries = "SELECT account_id, actor_type, actor, change, subject, after FROM audit_log
        WHERE change = 'tool.enabled_by_node'";
    let entry =
        format!("acme|system|cron|tool.enabled_by_node|{}|{{\"status\":\"ENABLED\"}}", id(13));
    assert_eq!(db.lines(entries), [entry]);
    db.shell("UPDATE nodes SET status = 'ACTIVE'");
    assert_eq!((back(0), back(1)), (ids(&[]), ids(&[12])));
    assert_eq!(db.number("SELECT count(*) FROM tools WHERE disabled_by_node = 1"), 0);
}

#[test]
fn no_more_tools_follow_at_once_than_may() {
    let db = registry();
    db.shell("UPDATE nodes SET status = 'MAINTENANCE'");
    assert_eq!(follow(&db, Some("default"), 1).disabled, ids(&[11]));
    assert_eq!(follow(&db, Some("default"), 1).disabled, ids(&[12]));
    assert_eq!(follow(&db, Some("default"), 1).disabled, ids(&[]));
}

#[test]
fn only_artifacts_that_nobody_holds_are_orphans() {
    let db = registry();
    db.shell(&format!(
        "INSERT INTO artifacts (artifact_id, account_id, file_name, size_bytes, content_key,
           created_by_tool_id, pipeline_id, created_at)
         VALUES
           ('{}', 'default', 'a', 1, 'k1', NULL, NULL, '2026-01-01T00:00:00.000Z'),
           ('{}', 'default', 'b', 2, 'k2', '{}', NULL, '2026-01-01T00:00:00.000Z'),
           ('{}', 'default', 'c', 3, NULL, NULL, 'pipe_1', '2026-01-01T00:00:00.000Z'),
           ('{}', 'default', 'd', 4, NULL, NULL, NULL, '2026-02-01T00:00:00.000Z'),
           ('{}', 'acme', 'e', 5, 'k5', NULL, NULL, '2026-01-01T00:00:00.000Z')",
        id(31),
        id(32),
        id(11),
        id(33),
        id(34),
        id(35)
    ));
    let found = |account: &str, until: &str, limit| {
        let (rows, more) = wait(upkeep::orphans(&db, account, until, limit)).unwrap();
        (rows.into_iter().map(|row| row.artifact_id).collect::<Vec<_>>(), more)
    };
    assert_eq!(found("default", "2027", 10), (ids(&[31, 34]), false));
    assert_eq!(found("default", "2026-01-15", 10), (ids(&[31]), false));
    assert_eq!(found("default", "2027", 1), (ids(&[31]), true));
    let all = ids(&[31, 32, 33, 35]);
    let all: Vec<&str> = all.iter().map(String::as_str).collect();
    let gone = wait(upkeep::remove_orphans(&db, "default", &all, logged(902))).unwrap();
    let gone: Vec<_> = gone.into_iter().map(|row| (row.artifact_id, row.content_key)).collect();
    assert_eq!(gone, [(id(31), Some("k1".to_owned()))], "what somebody holds stays");
    let keys = ["k1", "k2", "k5", "k9"].map(str::to_owned);
    let mut held = wait(upkeep::held_keys(&db, &keys)).unwrap();
    held.sort();
    assert_eq!(held, ["k2", "k5"], "the bytes of every account's artifacts are held");
}

#[test]
fn figures_count_one_account() {
    let db = registry();
    db.shell("UPDATE nodes SET status = 'INACTIVE' WHERE seq = 2");
    add_tool(&db, 20, "default", "without a node");
    db.shell(&format!(
        "INSERT INTO artifacts (artifact_id, account_id, file_name, size_bytes, created_by_tool_id)
         VALUES ('{}', 'default', 'a', 5, '{tool}'), ('{}', 'default', 'b', 7, '{tool}'),
           ('{}', 'default', 'c', 100, NULL), ('{}', 'acme', 'd', 1000, NULL);
         INSERT INTO tool_tags (account_id, tag_name, tool_id) VALUES ('default', 'x', '{tool}')",
        id(31),
        id(32),
        id(33),
        id(34),
        tool = id(11)
    ));
    let summary = wait(figures::summary(&db, "default")).unwrap().unwrap();
    let expected = figures::Summary {
        total_nodes: 2,
        active_nodes: 1,
        total_tools: 3,
        enabled_tools: 3,
        callable_tools: 1,
        total_artifacts: 3,
        total_storage_bytes: 112,
        total_tags: 1,
    };
    assert_eq!(summary, expected);
    let found = wait(figures::integrity(&db, "default")).unwrap().unwrap();
    let expected = figures::Integrity {
        tools_without_node: 1,
        enabled_tools_on_inactive_nodes: 1,
        nodes_without_tools: 0,
        orphaned_artifacts: 1,
        artifacts_without_content: 3,
        tools_on_foreign_nodes: 0,
        artifacts_of_foreign_tools: 0,
    };
    assert_eq!(found, expected);
    let storage = wait(figures::storage(&db, "default")).unwrap();
    let storage: Vec<_> = storage
        .into_iter()
        .map(|row| (row.category, row.artifact_count, row.total_size_bytes, row.average_size_bytes))
        .collect();
    assert_eq!(storage, [(None, 1, 100, 100.0), (Some("ANALYSIS".to_owned()), 2, 12, 6.0)]);
    let (usage, _) = wait(figures::usage(&db, "default", FIRST)).unwrap();
    assert_eq!(usage.iter().map(|row| row.artifact_count).collect::<Vec<_>>(), [2, 0, 0]);
    assert_eq!((usage[0].total_size_bytes, usage[0].tag_count), (12, 1));
    let large = wait(figures::large_by_tool(&db, "default", 6, (0, 10))).unwrap();
    let large: Vec<_> =
        large.into_iter().map(|row| (row.tool_name, row.total_size_bytes)).collect();
    assert_eq!(large, [(None, 100), (Some("t1".to_owned()), 7)]);
    let (health, more) =
        wait(figures::node_health(&db, "default", Paging { limit: 1, ..FIRST })).unwrap();
    assert_eq!((health[0].tool_count, health[0].enabled_tool_count, more), (1, 1, true));
    let (active, _) = wait(figures::active_with_nodes(&db, "default", FIRST)).unwrap();
    assert_eq!(active.iter().map(|row| row.name.as_str()).collect::<Vec<_>>(), ["t1"]);
}

#[test]
fn tools_are_paged_by_category() {
    let db = with_accounts();
    for n in 0..6 {
        add_tool(&db, n, "default", &format!("t{n}"));
    }
    db.shell("UPDATE tools SET category = 'STORAGE' WHERE seq % 2 = 1");
    let page = |category, after| {
        let (rows, more) =
            wait(figures::by_category(&db, "default", category, after, (0, 2))).unwrap();
        (rows.into_iter().map(|row| row.seq).collect::<Vec<_>>(), more)
    };
    assert_eq!(page(None, None), (vec![2, 4], true));
    assert_eq!(page(None, Some(("ANALYSIS", 4))), (vec![6, 1], true));
    assert_eq!(page(None, Some(("STORAGE", 1))), (vec![3, 5], false));
    assert_eq!(page(Some("STORAGE"), Some(("STORAGE", 3))), (vec![5], false));
}
