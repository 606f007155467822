//! `docs/templates.md` says the truth: its examples are published, and it leaves out no column and
//! no setting.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod sqlite;

use std::collections::BTreeSet;

use bitware_orchestrator::templates::TemplateCache;
use engine::plan::definition::{StepDefinition, StepKind, TemplateDefinition};
use engine::plan::{Awaited, Join, Kind, Plan, overlooked};
use engine::time::Timestamp;
use serde_json::json;
use sqlite::{Sqlite, wait};

const PAGE: &str = include_str!("../docs/templates.md");
const NOW: Timestamp = Timestamp::from_millis(1_772_000_000_000);
const NAMES: &str = "SELECT name FROM pipeline_templates ORDER BY name";

/// The database after all blocks of the page.
fn database() -> (Sqlite, Vec<String>) {
    let db = Sqlite::new();
    let seeded = db.lines(NAMES);
    for block in PAGE.split("```sql\n").skip(1) {
        db.shell(block.split("\n```").next().unwrap());
    }
    let ours = db.lines(NAMES).into_iter().filter(|name| !seeded.contains(name)).collect();
    (db, ours)
}

#[test]
fn every_example_is_published() {
    let (db, names) = database();
    let cache = TemplateCache::default();
    let mut seen = BTreeSet::new();
    for name in &names {
        let published = wait(cache.plan(&db, Some(name), NOW));
        let published = published.unwrap_or_else(|error| panic!("{name}: {error:#?}"));
        for step in &published.plan.steps {
            seen.insert(match &step.kind {
                Kind::Worker(_) => "worker",
                Kind::Tool(_) => "tool",
                Kind::Transform => "transform",
                Kind::Map(_) => "map",
                Kind::Pipeline(_) => "pipeline",
                Kind::Wait(wait) => match &wait.of {
                    Awaited::Delay(_) => "delay",
                    Awaited::Until(_) => "until",
                    Awaited::Signal(_) => "signal",
                    Awaited::Approval(_) => "approval",
                },
            });
            seen.extend(step.compensation.as_ref().map(|_| "compensation"));
            seen.extend((step.join != Join::All).then_some("join"));
            if let Kind::Worker(call) = &step.kind {
                seen.extend(call.memo.map(|_| "cache"));
                seen.extend(call.fallback.as_ref().map(|_| "fallback"));
                seen.extend((!call.alternatives.is_empty()).then_some("alternatives"));
            }
        }
    }
    assert_eq!(names.len(), PAGE.matches("```sql").count() - 1, "a template for each block");
    let all = [
        "alternatives",
        "approval",
        "cache",
        "compensation",
        "delay",
        "fallback",
        "join",
        "map",
        "pipeline",
        "signal",
        "tool",
        "transform",
        "until",
        "worker",
    ];
    assert_eq!(seen.into_iter().collect::<Vec<_>>(), all);
}

#[test]
fn no_column_is_left_out() {
    let (db, _) = database();
    let kept_by_the_database =
        ["id", "created_at", "updated_at", "health_status", "last_health_check"];
    for table in ["pipeline_templates", "pipeline_steps", "worker_registry", "tool_terms"] {
        for column in db.lines(&format!("SELECT name FROM pragma_table_info('{table}')")) {
            let told = PAGE.contains(&format!("`{column}`"));
            assert!(told || kept_by_the_database.contains(&column.as_str()), "{table}.{column}");
        }
    }
}

/// The message about an unknown setting lists those that there are.
#[test]
fn no_setting_is_left_out() {
    let kinds = [
        StepKind::Worker,
        StepKind::Transform,
        StepKind::Map,
        StepKind::Wait,
        StepKind::Pipeline,
        StepKind::Tool,
    ];
    let mut settings = BTreeSet::new();
    for kind in kinds {
        let config = Some(json!({"no_such_setting": 1}));
        let step = StepDefinition { name: "s".to_owned(), kind, config, ..Default::default() };
        let template = TemplateDefinition { steps: vec![step], ..Default::default() };
        let refused = Plan::compile(&template).unwrap_err();
        let found = refused.into_iter().chain(overlooked(&template));
        let unknown = found.into_iter().find(|found| found.code == "config.unknown_field");
        let message = unknown.unwrap().message;
        let (_, list) = message.split_once(" step has ").unwrap();
        settings.extend(list.split(", ").map(str::to_owned));
    }
    assert_eq!(settings.len(), 23);
    for setting in settings {
        assert!(PAGE.contains(&format!("\n| `{setting}` |")), "{setting}");
    }
}
