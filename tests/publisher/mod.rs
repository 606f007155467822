//! A publisher over SQLite, as operators use it, and starts that meet what it wrote.
#![allow(dead_code, reason = "each test uses a part of it")]

use std::cell::Cell;
use std::collections::BTreeMap;

use api_types::admin::TemplateDocument;
use bitware_orchestrator::db::Database;
use bitware_orchestrator::db::audit::Entry;
use bitware_orchestrator::publishing::{Changed, Logged, Publisher, Refusal, Wish};
use bitware_orchestrator::templates::{PublishedPlan, TemplateCache};
use engine::time::Timestamp;
use serde_json::{Map, Value, json};

use crate::sqlite::{Sqlite, wait};

pub const NOW: Timestamp = Timestamp::from_millis(1_772_000_000_000);
pub const RSS: &str = "rss_intelligence_pipeline";

thread_local! {
    static ENTRIES: Cell<u32> = const { Cell::new(0) };
}

pub fn entry(name: &str, logged: Logged) -> Entry {
    let number = ENTRIES.replace(ENTRIES.get() + 1);
    Entry {
        id: format!("entry-{number}"),
        at: "2026-11-21T10:00:00.000Z".to_owned(),
        account_id: None,
        actor_type: "worker".to_owned(),
        actor: "tester".to_owned(),
        change: "template.changed".to_owned(),
        subject_type: "template".to_owned(),
        subject: name.to_owned(),
        before: logged.before,
        after: logged.after,
        request_id: None,
    }
}

pub async fn change_if(
    db: &impl Database,
    name: &str,
    wish: Wish,
    expected: impl Fn(&str) -> bool,
) -> Result<Changed, Refusal> {
    let publisher = Publisher {
        db,
        worker_urls: &BTreeMap::new(),
        name,
        expected: &expected,
        entry: &|logged| entry(name, logged),
    };
    publisher.change(&wish).await
}

pub fn change(db: &impl Database, name: &str, wish: Wish) -> Result<Changed, Refusal> {
    wait(change_if(db, name, wish, |_| true))
}

pub fn remove(db: &impl Database, name: &str) -> Result<(), Refusal> {
    let publisher = Publisher {
        db,
        worker_urls: &BTreeMap::new(),
        name,
        expected: &|_| true,
        entry: &|logged| entry(name, logged),
    };
    wait(publisher.remove())
}

pub fn patch(value: Value) -> Wish {
    Wish::Merge(value.as_object().cloned().unwrap_or_else(Map::new))
}

pub fn document(value: Value) -> TemplateDocument {
    serde_json::from_value(value).unwrap()
}

/// A template of two steps that say `word`.
pub fn two_steps(word: &str) -> TemplateDocument {
    document(json!({ "name": "made", "steps": [
        { "step_order": 2, "step_name": format!("second_{word}"), "kind": "transform",
          "depends_on_steps": [format!("first_{word}")], "input_mapping": { "word": word } },
        { "step_order": 1, "step_name": format!("first_{word}"), "worker_name": "topic_researcher",
          "input_mapping": { "topic": word } },
    ] }))
}

pub fn started(db: &Sqlite, name: &str) -> PublishedPlan {
    let plan = wait(TemplateCache::default().plan(db, Some(name), NOW)).unwrap();
    std::sync::Arc::into_inner(plan).unwrap()
}

pub fn numbers(db: &Sqlite, name: &str) -> i64 {
    db.number(&format!("SELECT count(*) FROM template_revisions WHERE template_name = '{name}'"))
}

pub fn entries(db: &Sqlite) -> i64 {
    db.number("SELECT count(*) FROM audit_log")
}
