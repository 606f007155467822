//! Documents of every kind: what is shown of a template makes its content again, the page's are
//! published, and a large one is one batch.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod publisher;
mod sqlite;

use std::collections::BTreeMap;

use api_types::admin::TemplateDocument;
use bitware_orchestrator::db::{drafts, revisions};
use bitware_orchestrator::publishing::{Refusal, Wish, check, of_rows, rows};
use publisher::{change, document, patch, started};
use serde_json::{Value, json};
use sqlite::{Sqlite, wait};

/// Every template of the documentation and of the schema, and templates that reach themselves: the
/// document that is shown makes the very content that a start makes of the rows.
#[test]
fn a_document_makes_the_content_of_its_rows() {
    let db = Sqlite::new();
    for block in include_str!("../docs/templates.md").split("```sql\n").skip(1) {
        db.shell(block.split("\n```").next().unwrap());
    }
    db.shell(
        "INSERT INTO worker_registry (worker_name, base_url, estimated_cost_usd, endpoints)
         VALUES ('odd~/worker', 'https://o.example', 0.1, '[]');
         INSERT INTO pipeline_templates (name, input_schema) VALUES ('loop', NULL), ('leaf', '{}');
         INSERT INTO pipeline_steps (template_name, step_order, step_name, kind, worker_name,
           condition, retry_policy, config, depends_on_steps)
         VALUES
           ('loop', 1, 'b', 'pipeline', NULL, 'null == 1', NULL, '{\"template\": \"leaf\"}', '[]'),
           ('loop', 1, 'a', 'worker', 'odd~/worker', '{\"x_available\": \"> 0\"}',
            '{\"factor\": 1.1000000000000001e0}', 'null', '[\"b\"]'),
           ('leaf', 1, 'up', 'pipeline', NULL, '\"true\"', NULL, '{\"template\": \"loop\"}', '[]'),
           ('leaf', 0, 'w', 'map', 'odd~/worker', NULL, NULL, '{\"items\": [0.1, 1e300]}', '[]')",
    );
    let names = db.lines("SELECT name FROM pipeline_templates ORDER BY name");
    assert!(names.len() > 8);
    for name in names {
        let plan = started(&db, &name);
        let current = wait(drafts::current(&db, &name)).unwrap().rows.unwrap();
        let shown = of_rows(&current);
        let none = BTreeMap::new();
        let made = rows(&shown, &name);
        let checked = wait(check(&db, &none, &shown, made, Vec::new())).unwrap();
        assert_eq!(checked.violations, [], "{name}");
        if name != "loop" {
            assert_eq!(checked.content_hash, plan.content_hash, "{name}");
        }
        let published = change(&db, &name, patch(json!({ "deadline_ms": 54_321 }))).unwrap();
        let then = started(&db, &name);
        assert_eq!(
            (published.revision, &published.content_hash),
            (Some(then.revision), &then.content_hash)
        );
        assert_eq!(then.plan.steps.len(), plan.plan.steps.len());
    }
}

/// The documents of the page, in its order: the first is new, the others take its place.
#[test]
fn the_documents_of_the_page_are_published() {
    let db = Sqlite::new();
    let page = include_str!("../docs/templates.md");
    for block in page.split("```sql\n").skip(1) {
        db.shell(block.split("\n```").next().unwrap());
    }
    let documents: Vec<TemplateDocument> = page
        .split("```json\n")
        .skip(1)
        .map(|block| serde_json::from_str(block.split("\n```").next().unwrap()).unwrap())
        .collect();
    assert_eq!(documents.len(), 2);
    let name = documents[0].name.clone().unwrap();
    for (revision, document) in (1..).zip(documents) {
        let wish = match revision {
            1 => Wish::Create(document),
            _ => Wish::Replace(document),
        };
        let made = change(&db, &name, wish).unwrap();
        assert_eq!((made.revision, made.warnings), (Some(revision), vec![]));
        assert_eq!(started(&db, &name).revision, revision);
    }
}

#[test]
fn a_template_of_two_thousand_steps_is_one_batch() {
    let db = Sqlite::new();
    let step = |n: usize| {
        json!({ "step_order": n, "step_name": format!("s{n}"), "kind": "transform",
            "input_mapping": { "n": n, "text": "\"\u{0}ä\\'" } })
    };
    let steps: Vec<Value> = (0..2000).map(step).collect();
    let large = document(json!({ "name": "made", "steps": steps }));
    let made = change(&db, "made", Wish::Create(large.clone())).unwrap();
    let plan = started(&db, "made");
    assert_eq!((plan.plan.steps.len(), &plan.content_hash), (2000, &made.content_hash));
    let before = db.trips.get();
    let mut other = large;
    other.steps[7].is_optional = Some(true);
    change(&db, "made", Wish::Replace(other)).unwrap();
    assert!(db.trips.get() - before <= 6, "{} round trips", db.trips.get() - before);
    let bytes = db.number("SELECT max(length(before) + length(after)) FROM audit_log");
    assert!(bytes < 10_000, "the log leaves long steps out, and has {bytes} bytes");
    let all = (0..2001).map(step).collect::<Vec<Value>>();
    let refused =
        change(&db, "made", Wish::Replace(document(json!({ "steps": all })))).unwrap_err();
    let Refusal::Invalid(found) = refused else { panic!("{refused:?}") };
    assert_eq!(found[0].code, "template.too_many_steps");
}

#[test]
fn revisions_are_found_by_their_content_through_an_index() {
    let db = Sqlite::new();
    let plan = db.query_plan(&revisions::BY_HASH.with("t").with("h"));
    assert!(
        plan.contains("template_revisions_by_content (template_name=? AND content_hash=?)"),
        "{plan}"
    );
    let plan = db.query_plan(&revisions::HISTORY.with("t").with(None::<u64>).with(5_u32));
    assert!(plan.contains("SEARCH r USING") && !plan.contains("SCAN"), "{plan}");
}
