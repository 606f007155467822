//! The templates that tests on the stack use (crates/testkit/fixtures): the schema takes their rows
//! and the compiler makes plans of them, and they have the sizes that their names promise.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod sqlite;

use std::sync::Arc;

use bitware_orchestrator::templates::{PublishedPlan, TemplateCache};
use engine::expr::Scope;
use engine::plan::{Join, Kind, Plan};
use engine::time::Timestamp;
use serde_json::{Map, Value, json};
use sqlite::{Sqlite, wait};

const TEMPLATES: &str = include_str!("../crates/testkit/fixtures/templates.sql");
const LARGE: &str = include_str!("../crates/testkit/fixtures/large.sql");
/// The templates of templates.sql as the schema's reader gives them, for tests without a database.
const DEFINITIONS: &str = include_str!("../crates/testkit/fixtures/templates.json");

fn published(name: &str) -> Arc<PublishedPlan> {
    let db = Sqlite::new();
    db.shell(TEMPLATES);
    db.shell(LARGE);
    let cache = TemplateCache::default();
    let plan = wait(cache.plan(&db, Some(name), Timestamp::from_millis(0)));
    plan.unwrap_or_else(|error| panic!("{name}: {error:?}"))
}

fn kinds(plan: &Plan) -> Vec<&'static str> {
    let kind = |kind: &Kind| match kind {
        Kind::Worker(_) => "worker",
        Kind::Transform => "transform",
        Kind::Map(_) => "map",
        Kind::Wait(_) => "wait",
        Kind::Pipeline(_) => "pipeline",
        Kind::Tool(_) => "tool",
    };
    plan.steps.iter().map(|step| kind(&step.kind)).collect()
}

#[test]
fn each_shape_of_work_is_a_plan() {
    for (name, expected) in [
        ("sequential", &["worker"; 5][..]),
        ("map", &["transform", "map"]),
        ("wait", &["worker", "wait", "worker"]),
        ("wait_delay", &["worker", "wait", "worker"]),
        ("pipeline", &["worker", "pipeline", "worker"]),
        ("two_steps", &["worker", "worker"]),
        ("callback", &["worker", "worker"]),
        ("tool", &["tool", "map", "worker"]),
        ("compensation", &["worker"; 3]),
        ("given_elements", &["map"]),
    ] {
        assert_eq!(kinds(&published(name).plan), expected, "{name}");
    }
}

#[test]
fn the_definitions_beside_the_rows_say_what_the_rows_say() {
    let kept: Map<String, Value> = serde_json::from_str(DEFINITIONS).unwrap();
    let db = Sqlite::new();
    db.shell(TEMPLATES);
    let names: Vec<String> = {
        let connection = db.connection.borrow();
        let mut rows =
            connection.prepare("SELECT DISTINCT template_name FROM pipeline_steps").unwrap();
        let names = rows.query_map([], |row| row.get::<_, String>(0)).unwrap();
        names.map(Result::unwrap).filter(|name| TEMPLATES.contains(&format!("('{name}'"))).collect()
    };
    let read: Map<String, Value> = names
        .into_iter()
        .map(|name| {
            let definition = serde_json::to_value(&*published(&name).definition).unwrap();
            (name, definition)
        })
        .collect();
    let whole = serde_json::to_string_pretty(&read).unwrap();
    assert_eq!(kept, read, "crates/testkit/fixtures/templates.json should be:\n{whole}");
}

#[test]
fn six_go_side_by_side_and_one_joins_them() {
    let plan = &published("parallel").plan;
    let alone = plan.steps.iter().filter(|step| step.dependencies.is_empty()).count();
    let join = plan.step(plan.find("join").unwrap());
    assert_eq!((alone, join.required.len(), join.join), (6, 6, Join::All));
}

#[test]
fn what_was_charged_and_reserved_can_be_undone() {
    let plan = &published("compensation").plan;
    let undone = plan.steps.iter().filter(|step| step.compensation.is_some());
    assert_eq!(undone.map(|step| step.name.as_str()).collect::<Vec<_>>(), ["charge", "reserve"]);
}

#[test]
fn a_thousand_steps_stand_in_one_line() {
    let plan = &published("thousand_steps").plan;
    assert_eq!(plan.steps.len(), 1_000);
    let needs = plan.steps.iter().skip(1).map(|step| step.dependencies.len());
    assert!(needs.clone().all(|needs| needs == 1) && needs.count() == 999);
}

#[test]
fn ranges_have_as_many_elements_as_they_promise() {
    for (name, count) in [("map", 20), ("ten_thousand_elements", 10_000)] {
        let plan = &published(name).plan;
        let (mut data, none, request) = (Map::new(), Map::new(), json!({}));
        let mut elements = Value::Null;
        for step in &plan.steps {
            let (item, output) = (None, None);
            let scope = Scope { data: &data, steps: &none, request: &request, item, output };
            match &step.kind {
                Kind::Map(each) => elements = each.items.eval(&scope).unwrap(),
                _ => {
                    let made = step.input.as_ref().unwrap().eval(&scope).unwrap();
                    data.extend(made.as_object().unwrap().clone());
                }
            }
        }
        assert_eq!(elements, (0u64..count).collect::<Value>(), "{name}");
    }
}
