//! Templates that reach others: what a snapshot gathers, in how many round trips, and what is
//! reported of what it reaches.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod sqlite;

use std::collections::BTreeMap;
use std::rc::Rc;

use bitware_orchestrator::db::templates;
use bitware_orchestrator::templates::{TemplateCache, TemplateError};
use engine::plan::Violation;
use engine::time::Timestamp;
use sqlite::{Sqlite, wait};

const NOW: Timestamp = Timestamp::from_millis(1_772_000_000_000);

/// `outer` → `inner` → `outer`, and `lonely`; each asks workers in all the ways that there are.
fn database() -> Sqlite {
    let db = Sqlite::new();
    db.shell(
        "INSERT INTO worker_registry (worker_name, base_url, estimated_cost_usd)
         VALUES ('w', 'https://w.example', 0), ('alternative', 'https://a.example', 0),
           ('fallback', 'https://f.example', 0), ('undo', 'https://u.example', 0),
           ('idle', 'https://i.example', 0);
         INSERT INTO pipeline_templates (name) VALUES ('outer'), ('inner'), ('lonely');
         INSERT INTO pipeline_steps (template_name, step_order, step_name, kind, worker_name,
           fallback_worker, depends_on_steps, config)
         VALUES
           ('outer', 1, 'a', 'worker', 'w', NULL, '[]', NULL),
           ('outer', 2, 'b', 'pipeline', NULL, NULL, '[\"a\"]', '{\"template\": \"inner\"}'),
           ('inner', 1, 'c', 'map', 'w', 'fallback', '[]', '{\"items\": [1],
             \"alternatives\": [\"alternative\"], \"compensate\": {\"worker\": \"undo\"}}'),
           ('inner', 2, 'd', 'pipeline', NULL, NULL, '[]', '{\"template\": \"outer\"}'),
           ('lonely', 1, 'e', 'worker', 'idle', NULL, '[]', '{\"join\": null}');",
    );
    db
}

fn refused(db: &Sqlite, name: &str) -> Vec<(String, String)> {
    match wait(TemplateCache::default().plan(db, Some(name), NOW)) {
        Err(TemplateError::Invalid(found)) => {
            found.into_iter().map(|Violation { pointer, code, .. }| (pointer, code)).collect()
        }
        other => panic!("{other:?}"),
    }
}

fn pair(pointer: &str, code: &str) -> (String, String) {
    (pointer.to_owned(), code.to_owned())
}

#[test]
fn a_snapshot_has_all_that_is_reached_in_one_round_trip() {
    let db = database();
    let outer = wait(templates::load_definition(&db, Some("outer"))).unwrap().unwrap().unwrap();
    assert_eq!(db.trips.get(), 1);
    let names = |map: &BTreeMap<String, _>| map.keys().cloned().collect::<Vec<String>>();
    assert_eq!(names(&outer.templates), ["inner", "outer"]);
    assert_eq!(outer.workers.keys().collect::<Vec<_>>(), ["w"]);
    let inner = &outer.templates["inner"];
    let expected = ["alternative", "fallback", "undo", "w"];
    assert_eq!(inner.workers.keys().collect::<Vec<_>>(), expected);
    let own = wait(templates::load_definition(&db, Some("inner"))).unwrap().unwrap().unwrap();
    assert_eq!(outer.child("inner").unwrap(), own, "a child is what its own rows make");
    let lonely = wait(templates::load_definition(&db, Some("lonely"))).unwrap().unwrap().unwrap();
    assert!(lonely.templates.is_empty());
}

#[test]
fn a_change_of_what_is_reached_is_a_new_revision() {
    let db = database();
    let revision =
        |name: &str| wait(TemplateCache::default().plan(&db, Some(name), NOW)).unwrap().revision;
    assert_eq!((revision("outer"), revision("lonely")), (1, 1));
    db.shell("UPDATE worker_registry SET quality_score = 0.5 WHERE worker_name = 'undo'");
    assert_eq!((revision("outer"), revision("lonely")), (2, 1));
    db.shell("UPDATE pipeline_steps SET is_optional = 1 WHERE step_name = 'c'");
    assert_eq!((revision("outer"), revision("lonely")), (3, 1));
}

#[test]
fn the_default_template_reaches_as_well() {
    let db = database();
    db.shell(
        "UPDATE pipeline_templates SET is_default = 0;
         UPDATE pipeline_templates SET is_default = 1 WHERE name = 'inner'",
    );
    let published = wait(TemplateCache::default().plan(&db, None, NOW)).unwrap();
    assert_eq!(published.definition.name, "inner");
    assert_eq!(published.definition.templates.len(), 2);
}

#[test]
fn what_a_deployment_reaches_elsewhere_is_so_in_nested_templates() {
    let db = database();
    let urls = BTreeMap::from([("undo".to_owned(), "http://127.0.0.1:9".to_owned())]);
    let cache: Rc<TemplateCache> = TemplateCache::shared(&urls);
    let published = wait(cache.plan(&db, Some("outer"), NOW)).unwrap();
    let undo = &published.definition.templates["inner"].workers["undo"];
    assert_eq!(undo.base_url.as_deref(), Some("http://127.0.0.1:9"));
}

#[test]
fn what_is_wrong_with_what_is_reached_is_reported() {
    let db = database();
    let unpriced = "worker.unpriced";
    db.shell("UPDATE worker_registry SET estimated_cost_usd = NULL WHERE worker_name = 'undo'");
    let nested = pair("/templates/inner/workers/undo/estimated_cost", unpriced);
    assert_eq!(refused(&db, "outer"), [nested]);
    assert_eq!(refused(&db, "inner"), [pair("/workers/undo/estimated_cost", unpriced)]);
    db.shell(
        "UPDATE worker_registry SET estimated_cost_usd = 0;
         UPDATE pipeline_templates SET is_active = 0 WHERE name = 'inner'",
    );
    let inactive = pair("/templates/inner/is_active", "pipeline.inactive_template");
    assert_eq!(refused(&db, "outer"), [inactive]);
    db.shell(
        "UPDATE pipeline_templates SET is_active = 1;
         UPDATE pipeline_steps SET config = '{\"template\": \"gone\"}' WHERE step_name = 'd';
         UPDATE pipeline_steps SET config = '{\"items\": 1}' WHERE step_name = 'c'",
    );
    let expected = [
        pair("/templates/inner/steps/0/config/items", "config.wrong_type"),
        pair("/templates/inner/steps/1/config/template", "pipeline.unknown_template"),
    ];
    assert_eq!(refused(&db, "outer"), expected);
    db.shell("DELETE FROM pipeline_templates WHERE name = 'inner'");
    let missing = pair("/steps/1/config/template", "pipeline.unknown_template");
    assert_eq!(refused(&db, "outer"), [missing]);
}

#[test]
fn settings_that_are_none_are_refused_in_every_kind() {
    let db = database();
    db.shell("UPDATE pipeline_steps SET config = '{\"jion\": \"any\"}' WHERE step_name = 'e'");
    assert_eq!(refused(&db, "lonely"), [pair("/steps/0/config/jion", "config.unknown_field")]);
    for config in ["7", "\"any\"", "[]"] {
        db.shell(&format!("UPDATE pipeline_steps SET config = '{config}' WHERE step_name = 'e'"));
        assert_eq!(refused(&db, "lonely"), [pair("/steps/0/config", "config.wrong_type")]);
        db.shell(&format!("UPDATE pipeline_steps SET config = '{config}' WHERE step_name = 'b'"));
        assert!(!refused(&db, "outer").is_empty());
    }
}

/// A chain of so many templates, each of which begins the next one.
fn chain(length: usize) -> Sqlite {
    let db = Sqlite::new();
    db.shell(&format!(
        "WITH RECURSIVE n (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM n WHERE n < {length} - 1)
         INSERT INTO pipeline_templates (name) SELECT 't' || n FROM n;
         INSERT INTO pipeline_steps (template_name, step_order, step_name, kind, input_mapping,
           config)
         SELECT name, 1, 's', CASE WHEN name = 't' || ({length} - 1) THEN 'transform'
             ELSE 'pipeline' END, '{{}}',
           CASE WHEN name <> 't' || ({length} - 1)
             THEN json_object('template', 't' || (substr(name, 2) + 1)) END
         FROM pipeline_templates WHERE name GLOB 't[0-9]*'",
    ));
    db
}

#[test]
fn fifty_templates_may_be_reached_and_no_more_are_read() {
    let db = chain(51);
    let published = wait(TemplateCache::default().plan(&db, Some("t0"), NOW)).unwrap();
    assert_eq!(published.definition.templates.len(), 50);
    for length in [52, 53, 300] {
        let db = chain(length);
        let many = pair("/templates", "pipeline.too_many_templates");
        assert_eq!(refused(&db, "t0"), [many], "{length}");
        let found = wait(templates::load_definition(&db, Some("t0"))).unwrap().unwrap().unwrap();
        assert_eq!(found.templates.len(), 51);
    }
}
