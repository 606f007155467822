//! Nodes, tools and artifacts: what is written, what is refused, and what goes with what.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod sqlite;
mod tool_rows;

use bitware_orchestrator::db::artifacts::{self, ArtifactFilter, Content, NewArtifact};
use bitware_orchestrator::db::nodes::{self, NodeChange, NodeFilter};
use bitware_orchestrator::db::tools::{self, Tool, ToolChange, ToolFilter, Written};
use bitware_orchestrator::db::{Paging, tool_search};
use serde_json::json;
use sqlite::{Sqlite, wait};
use tool_rows::{FIRST, add_node, add_tool, id, logged, with_accounts, write_tool};

const NOBODY: &str = "00000000-0000-7000-8000-00000000ffff";

fn changed(db: &Sqlite, n: u32, change: ToolChange<'_>) -> Written {
    wait(tools::change(db, "default", &id(n), change, logged(1000 + n))).unwrap()
}

#[test]
fn a_tool_has_a_name_of_its_own_and_a_node_of_its_account() {
    let db = with_accounts();
    add_node(&db, 1, "default");
    add_node(&db, 2, "acme");
    let [ours, theirs] = [id(1), id(2)];
    assert!(matches!(write_tool(&db, 10, "default", "a", Some(&ours)), Written::Done(_)));
    assert!(matches!(write_tool(&db, 10, "default", "a", Some(&ours)), Written::Done(_)), "again");
    assert_eq!(write_tool(&db, 11, "default", "a", None), Written::NameTaken);
    assert_eq!(write_tool(&db, 12, "default", "b", Some(&theirs)), Written::NodeUnknown);
    assert_eq!(write_tool(&db, 13, "default", "c", Some(NOBODY)), Written::NodeUnknown);
    assert!(matches!(write_tool(&db, 14, "acme", "a", Some(&theirs)), Written::Done(_)));
    let logged = db.lines("SELECT id FROM audit_log WHERE id > 'entry 10' ORDER BY 1");
    assert_eq!(logged, ["entry 14", "entry 2"], "what was refused is not logged");
    let found = wait(tools::by_name(&db, "acme", "a")).unwrap().unwrap();
    assert_eq!((found.tool_id, found.account_id.as_str()), (id(14), "acme"));
    assert_eq!(wait(tools::by_id(&db, "acme", &id(10))), Ok(None), "another account's");
}

#[test]
fn a_change_of_a_tool_keeps_what_it_does_not_name() {
    let db = with_accounts();
    add_node(&db, 1, "default");
    add_node(&db, 2, "acme");
    let before = add_tool(&db, 10, "default", "a");
    add_tool(&db, 11, "default", "b");
    let (ours, theirs) = (id(1), id(2));
    let schema = json!({"type": "object"});
    let change = ToolChange {
        description: Some(Some("what it does")),
        output_schema: Some(&schema),
        target_node_id: Some(Some(&ours)),
        ..ToolChange::default()
    };
    let Written::Done(after) = changed(&db, 10, change) else { panic!("it was refused") };
    let expected = Tool {
        description: Some("what it does".into()),
        output_schema: schema,
        target_node_id: Some(ours.clone()),
        updated_at: after.updated_at.clone(),
        ..before
    };
    assert_eq!(*after, expected);
    let cleared = ToolChange {
        name: Some("a"),
        description: Some(None),
        target_node_id: Some(None),
        ..ToolChange::default()
    };
    let Written::Done(after) = changed(&db, 10, cleared) else { panic!("it was refused") };
    assert_eq!((after.description, after.target_node_id), (None, None));
    let taken = ToolChange { name: Some("b"), ..ToolChange::default() };
    assert_eq!(changed(&db, 10, taken), Written::NameTaken);
    let foreign = ToolChange { target_node_id: Some(Some(&theirs)), ..ToolChange::default() };
    assert_eq!(changed(&db, 10, foreign), Written::NodeUnknown);
    assert_eq!(changed(&db, 99, ToolChange::default()), Written::Absent);
}

#[test]
fn deletes_set_or_cascade_as_declared() {
    let db = with_accounts();
    add_node(&db, 1, "default");
    let node = id(1);
    write_tool(&db, 10, "default", "a", Some(&node));
    wait(tool_search::tag(&db, "default", &id(10), "nlp", logged(500))).unwrap();
    let (artifact_id, tool_id) = (id(20), id(10));
    let artifact = NewArtifact {
        artifact_id: &artifact_id,
        account: "default",
        file_name: "a.txt",
        mime_type: "text/plain",
        storage_pointer: Some("s3://bucket/a.txt"),
        size_bytes: 3,
        created_by_tool_id: Some(&tool_id),
        pipeline_id: None,
        step: None,
    };
    assert!(wait(artifacts::add(&db, &artifact)).unwrap().is_some());
    let nobodys = NewArtifact { created_by_tool_id: Some(NOBODY), artifact_id: NOBODY, ..artifact };
    assert_eq!(wait(artifacts::add(&db, &nobodys)), Ok(None));
    wait(nodes::remove(&db, "acme", &node, logged(501))).unwrap();
    assert_eq!(db.number("SELECT count(*) FROM nodes"), 1, "another account's stays");
    wait(nodes::remove(&db, "default", &node, logged(502))).unwrap();
    let tool = wait(tools::by_id(&db, "default", &tool_id)).unwrap().unwrap();
    assert_eq!((tool.target_node_id, tool.tags), (None, vec!["nlp".to_owned()]));
    wait(tools::remove(&db, "default", &tool_id, logged(503))).unwrap();
    assert_eq!(db.number("SELECT count(*) FROM tool_tags"), 0);
    assert_eq!(db.number("SELECT count(*) FROM tool_properties"), 0);
    let left = wait(artifacts::by_id(&db, "default", &artifact_id)).unwrap().unwrap();
    assert_eq!(left.created_by_tool_id, None);
    let logged = db.lines("SELECT id FROM audit_log WHERE id LIKE 'entry 50%' ORDER BY 1");
    assert_eq!(logged, ["entry 500", "entry 502", "entry 503"]);
}

#[test]
fn pages_lose_nothing_and_repeat_nothing_while_rows_come_and_go() {
    let db = with_accounts();
    let add = |n: u32| {
        let (account, name) = if n % 5 == 4 { ("acme", n) } else { ("default", n) };
        add_tool(&db, n, account, &format!("t{name}"));
    };
    (0..500).for_each(add);
    let (mut seen, mut after, mut next, mut removed) = (Vec::new(), 0, 500, 0);
    loop {
        let paging = Paging { after, skip: 0, limit: 37 };
        let (rows, more) = wait(tools::page(&db, "default", ToolFilter::All, paging)).unwrap();
        assert!(rows.iter().all(|tool| tool.account_id == "default"));
        after = rows.last().map_or(after, |tool| tool.seq);
        seen.extend(rows.into_iter().map(|tool| tool.name));
        if !more {
            break;
        }
        if next < 600 {
            (next..next + 10).for_each(add);
            next += 10;
        }
        wait(tools::remove(&db, "default", &id(removed), logged(5000 + removed))).unwrap();
        removed += 1;
    }
    let expected: Vec<String> = (0..600).filter(|n| n % 5 != 4).map(|n| format!("t{n}")).collect();
    assert_eq!(seen, expected);
    add_tool(&db, 900, "default", "last");
    wait(tools::remove(&db, "default", &id(900), logged(900))).unwrap();
    add_tool(&db, 901, "default", "newer");
    let (rows, _) =
        wait(tools::page(&db, "default", ToolFilter::Status("ENABLED"), Paging { after, ..FIRST }))
            .unwrap();
    assert_eq!(rows.len(), 1, "no place is given twice");
}

#[test]
fn a_status_that_somebody_sets_is_no_longer_maintenances() {
    let db = with_accounts();
    for (n, sql) in
        [(10, "UPDATE tools SET status = 'DISABLED'"), (11, "UPDATE tools SET status = 'ENABLED'")]
    {
        add_tool(&db, n, "default", &format!("t{n}"));
        db.shell("UPDATE tools SET status = 'DISABLED', disabled_by_node = 1");
        let Written::Done(tool) = changed(&db, n, ToolChange::default()) else { panic!("refused") };
        assert!(tool.disabled_by_node, "a change of something else is none of the status");
        db.shell(sql);
        let tool = wait(tools::by_id(&db, "default", &id(n))).unwrap().unwrap();
        assert!(!tool.disabled_by_node, "{sql}");
    }
    db.shell("UPDATE tools SET status = 'DISABLED', disabled_by_node = 1");
    let change = ToolChange { status: Some("DISABLED"), ..ToolChange::default() };
    let Written::Done(tool) = changed(&db, 10, change) else { panic!("refused") };
    assert!(!tool.disabled_by_node);
}

#[test]
fn a_node_whose_status_is_set_is_checked_anew() {
    let db = with_accounts();
    add_node(&db, 1, "default");
    db.shell("UPDATE nodes SET checks_failed = 3, checks_passed = 1");
    let counts = || db.lines("SELECT checks_failed, checks_passed FROM nodes");
    let change = |change| wait(nodes::change(&db, "default", &id(1), change, logged(800))).unwrap();
    let moved = change(NodeChange { address: Some("https://b"), ..NodeChange::default() });
    assert_eq!(moved.unwrap().address, "https://b");
    assert_eq!(counts(), ["3|1"]);
    let set = change(NodeChange { status: Some("MAINTENANCE"), ..NodeChange::default() });
    assert_eq!(set.unwrap().status, "MAINTENANCE");
    assert_eq!(counts(), ["0|0"]);
    let filter = NodeFilter { status: Some("MAINTENANCE"), ..NodeFilter::default() };
    assert_eq!(wait(nodes::page(&db, "default", filter, FIRST)).unwrap().0.len(), 1);
    assert_eq!(wait(nodes::page(&db, "acme", filter, FIRST)).unwrap().0.len(), 0);
}

#[test]
fn the_largest_artifacts_come_first_and_content_is_noted_with_what_it_replaces() {
    let db = with_accounts();
    for (n, size) in [(1, 10), (2, 30), (3, 20), (4, 30), (5, 1)] {
        let artifact_id = id(n);
        let artifact = NewArtifact {
            artifact_id: &artifact_id,
            account: "default",
            file_name: "a",
            mime_type: "text/plain",
            storage_pointer: None,
            size_bytes: size,
            created_by_tool_id: None,
            pipeline_id: Some("pipe_1"),
            step: Some("s"),
        };
        wait(artifacts::add(&db, &artifact)).unwrap();
    }
    let page = |after, limit| {
        let (rows, more) = wait(artifacts::large(&db, "default", 10, after, (0, limit))).unwrap();
        (rows.iter().map(|row| (row.size_bytes, row.seq)).collect::<Vec<_>>(), more)
    };
    assert_eq!(page(None, 2), (vec![(30, 4), (30, 2)], true));
    assert_eq!(page(Some((30, 2)), 2), (vec![(20, 3), (10, 1)], false));
    let of = ArtifactFilter::Execution("pipe_1");
    assert_eq!(wait(artifacts::page(&db, "default", of, FIRST)).unwrap().0.len(), 5);
    let sha256 = "ab".repeat(32);
    let content = |key| Content {
        key,
        storage_pointer: "r2://x",
        size_bytes: 7,
        sha256: &sha256,
        mime_type: None,
    };
    let set = |account, key| wait(artifacts::set_content(&db, account, &id(1), content(key)));
    assert_eq!(set("acme", "k"), Ok(None));
    let (before, after) = set("default", "k1").unwrap().unwrap();
    assert_eq!((before.content_key, after.size_bytes), (None, 7));
    let (before, after) = set("default", "k2").unwrap().unwrap();
    assert_eq!(
        (before.content_key.as_deref(), after.mime_type.as_str()),
        (Some("k1"), "text/plain")
    );
    assert_eq!(wait(artifacts::remove(&db, "acme", &id(1))), Ok(None));
    let gone = wait(artifacts::remove(&db, "default", &id(1))).unwrap().unwrap();
    assert_eq!(gone.content_key.as_deref(), Some("k2"));
}
