//! Rows of the tool registry, as tests need them.
#![allow(dead_code, reason = "each test uses a part of it")]

use bitware_orchestrator::db::audit::{self, Entry};
use bitware_orchestrator::db::nodes::{self, NewNode};
use bitware_orchestrator::db::tools::{self, NewTool, Tool, Written};
use bitware_orchestrator::db::{Paging, Statement};
use serde_json::json;

use super::sqlite::{Sqlite, wait};

pub const FIRST: Paging = Paging { after: 0, skip: 0, limit: 1000 };
pub fn id(n: u32) -> String {
    format!("00000000-0000-7000-8000-{n:012x}")
}

pub fn with_accounts() -> Sqlite {
    let db = Sqlite::new();
    db.shell("INSERT INTO accounts (id) VALUES ('acme')");
    db
}

pub fn logged(n: u32) -> Statement {
    audit::add(&Entry {
        id: format!("entry {n}"),
        at: "2026-11-21T10:00:00.000Z".into(),
        account_id: Some("default".into()),
        actor_type: "worker".into(),
        actor: "w".into(),
        change: "tool.changed".into(),
        subject_type: "tool".into(),
        subject: id(n),
        before: None,
        after: None,
        request_id: None,
    })
}

pub fn add_node(db: &Sqlite, n: u32, account: &str) {
    let node_id = id(n);
    let node = NewNode {
        node_id: &node_id,
        account,
        node_type: "TOOL_EXECUTOR",
        address: "https://node.example",
        status: "ACTIVE",
    };
    assert!(wait(nodes::add(db, &node, logged(n))).unwrap().is_some());
}

pub fn write_tool(db: &Sqlite, n: u32, account: &str, name: &str, node: Option<&str>) -> Written {
    let (tool_id, schema) = (id(n), json!({}));
    let tool = NewTool {
        tool_id: &tool_id,
        account,
        name,
        description: None,
        category: "ANALYSIS",
        version: "1.0.0",
        status: "ENABLED",
        input_schema: &schema,
        output_schema: &schema,
        target_node_id: node,
    };
    wait(tools::add(db, &tool, logged(n))).unwrap()
}

pub fn add_tool(db: &Sqlite, n: u32, account: &str, name: &str) -> Tool {
    match write_tool(db, n, account, name, None) {
        Written::Done(tool) => *tool,
        other => panic!("{other:?}"),
    }
}

pub fn names(found: (Vec<Tool>, bool)) -> Vec<String> {
    found.0.into_iter().map(|tool| tool.name).collect()
}
