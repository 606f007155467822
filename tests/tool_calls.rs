//! Tools as templates call them: what goes into the snapshot, when a start is refused, how soon a
//! change counts, and that what tools made is recorded once.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod sqlite;

use bitware_orchestrator::db::projection::{Facts, Projected, project};
use bitware_orchestrator::db::tool_calls;
use bitware_orchestrator::templates::{TemplateCache, TemplateError};
use engine::plan::Kind;
use engine::plan::definition::ToolDefinition;
use engine::time::Timestamp;
use serde_json::{Value, json};
use sqlite::{Sqlite, wait};

const NODE: &str = "00000000-0000-4000-8000-00000000000a";
const TOOL: &str = "00000000-0000-4000-8000-0000000000a1";
const OTHER: &str = "00000000-0000-4000-8000-0000000000a2";
/// How long it takes at most until a change is seen.
const SEEN_MS: i64 = 5_000;

/// Two tools of one node, and a template that calls the first.
fn database() -> Sqlite {
    let db = Sqlite::new();
    db.shell(&format!(
        "INSERT INTO nodes (node_id, account_id, node_type, address, status)
         VALUES ('{NODE}', 'default', 'TOOL_EXECUTOR', 'https://node.example/tools', 'ACTIVE');
         INSERT INTO tools (tool_id, account_id, name, category, version, input_schema,
           output_schema, target_node_id)
         VALUES
           ('{TOOL}', 'default', 'count', 'ANALYSIS', '1.2.0',
             '{{\"required\":[\"text\"]}}', '{{}}', '{NODE}'),
           ('{OTHER}', 'default', 'other', 'ANALYSIS', '1.0.0', '{{}}', '{{}}', '{NODE}');
         INSERT INTO tool_terms (tool_id, estimated_cost_usd, timeout_ms, max_concurrency, breaker)
         VALUES ('{TOOL}', 0.002, 9000, 3, '{{\"failures\":2}}');
         INSERT INTO pipeline_templates (name) VALUES ('t');
         INSERT INTO pipeline_steps (template_name, step_order, step_name, kind, config)
         VALUES ('t', 1, 'call', 'tool', '{{\"tool\":\"count\"}}');"
    ));
    db
}

fn codes(error: TemplateError) -> Vec<(String, String)> {
    let TemplateError::Invalid(found) = error else { panic!("{error:?}") };
    found.into_iter().map(|violation| (violation.pointer, violation.code)).collect()
}

fn configured(db: &Sqlite, config: &Value) {
    db.shell(&format!("UPDATE pipeline_steps SET config = '{config}' WHERE template_name = 't'"));
}

#[test]
fn a_tool_is_snapshotted_with_its_node() {
    let db = database();
    for reference in ["count", TOOL] {
        configured(&db, &json!({ "tool": reference }));
        let published =
            wait(TemplateCache::default().plan(&db, Some("t"), Timestamp::from_millis(0)));
        let published = published.unwrap();
        let expected = ToolDefinition {
            id: TOOL.to_owned(),
            name: "count".to_owned(),
            version: "1.2.0".to_owned(),
            node: Some(NODE.to_owned()),
            address: Some("https://node.example/tools".to_owned()),
            input_schema: Some(json!({"required": ["text"]})),
            estimated_cost: engine::money::MicroUsd::from_usd(0.002),
            timeout_ms: Some(9000),
            max_concurrency: Some(3),
            breaker: Some(json!({"failures": 2})),
            ..ToolDefinition::default()
        };
        assert_eq!(published.definition.tools[reference], expected);
        assert_eq!(published.definition.tools.len(), 1);
        let Kind::Tool(call) = &published.plan.steps[0].kind else { panic!("it is a tool") };
        let input = &call.primary.tool.as_ref().unwrap().input;
        assert_eq!(input.violations(&json!({}))[0].pointer, "/text");
    }
}

#[test]
fn what_is_named_anywhere_in_a_template_and_below_it_is_read() {
    let db = database();
    db.shell(&format!(
        "INSERT INTO tool_terms (tool_id, estimated_cost_usd) VALUES ('{OTHER}', 0)"
    ));
    for config in [
        json!({"tool": "count", "fallback_tool": "other"}),
        json!({"tool": "count", "alternatives": [OTHER]}),
        json!({"tool": "count", "compensate": {"tool": "other"}}),
    ] {
        configured(&db, &config);
        let published =
            wait(TemplateCache::default().plan(&db, Some("t"), Timestamp::from_millis(0)));
        assert_eq!(published.unwrap().definition.tools.len(), 2, "{config}");
    }
    db.shell(
        "INSERT INTO pipeline_templates (name) VALUES ('outer');
         INSERT INTO pipeline_steps (template_name, step_order, step_name, kind, config)
         VALUES ('outer', 1, 'inner', 'pipeline', '{\"template\":\"t\"}');",
    );
    let published =
        wait(TemplateCache::default().plan(&db, Some("outer"), Timestamp::from_millis(0)));
    let published = published.unwrap();
    assert_eq!(published.definition.templates["t"].tools.len(), 2);
    assert!(published.definition.tools.is_empty());
}

#[test]
fn a_start_is_refused_while_its_tool_cannot_be_called_and_a_change_is_seen() {
    let db = database();
    let cache = TemplateCache::default();
    let mut now = 0;
    let mut published = |sql: &str| {
        db.shell(sql);
        now += SEEN_MS;
        wait(cache.plan(&db, Some("t"), Timestamp::from_millis(now)))
    };
    assert!(published("").is_ok());
    let away = vec![("/steps/0/config/tool".to_owned(), "tool.unavailable".to_owned())];
    for (broken, mended) in [
        ("UPDATE nodes SET status = 'ERROR'", "UPDATE nodes SET status = 'ACTIVE'"),
        ("UPDATE nodes SET status = 'MAINTENANCE'", "UPDATE nodes SET status = 'ACTIVE'"),
        ("UPDATE tools SET status = 'DISABLED'", "UPDATE tools SET status = 'ENABLED'"),
        ("UPDATE tools SET status = 'DEPRECATED'", "UPDATE tools SET status = 'ENABLED'"),
        (
            "UPDATE tools SET target_node_id = NULL",
            "UPDATE tools SET target_node_id = (SELECT node_id FROM nodes)",
        ),
    ] {
        assert_eq!(codes(published(broken).unwrap_err()), away, "{broken}");
        assert!(published(mended).is_ok(), "{mended}");
    }
    let optional = published(
        "UPDATE nodes SET status = 'ERROR'; UPDATE pipeline_steps SET is_optional = 1
         WHERE template_name = 't'",
    );
    let plan = optional.unwrap();
    assert_eq!(
        plan.plan.steps[0].unavailable(),
        Some("the node of tool `count` is in status ERROR")
    );
    let unpriced = published(
        "UPDATE nodes SET status = 'ACTIVE'; UPDATE pipeline_steps SET is_optional = 0;
         DELETE FROM tool_terms",
    );
    let expected = vec![("/tools/count/estimated_cost".to_owned(), "tool.unpriced".to_owned())];
    assert_eq!(codes(unpriced.unwrap_err()), expected);
    let schema = published(&format!(
        "INSERT INTO tool_terms (tool_id, estimated_cost_usd) VALUES ('{TOOL}', 0);
         UPDATE tools SET output_schema = '{{\"$ref\":\"#\"}}'"
    ));
    let expected =
        vec![("/tools/count/output_schema".to_owned(), "tool.malformed_schema".to_owned())];
    assert_eq!(codes(schema.unwrap_err()), expected);
    let gone = published("DELETE FROM tools");
    let expected = vec![("/steps/0/config/tool".to_owned(), "tool.unknown".to_owned())];
    assert_eq!(codes(gone.unwrap_err()), expected);
}

#[test]
fn templates_call_the_tools_of_the_installation_only() {
    let db = database();
    db.shell("INSERT INTO accounts (id) VALUES ('acme'); UPDATE tools SET account_id = 'acme'");
    for reference in ["count", TOOL] {
        configured(&db, &json!({ "tool": reference }));
        let found = wait(TemplateCache::default().plan(&db, Some("t"), Timestamp::from_millis(0)));
        assert_eq!(codes(found.unwrap_err())[0].1, "tool.unknown", "{reference}");
    }
    let own = wait(tool_calls::one(&db, "acme", TOOL)).unwrap().unwrap();
    assert_eq!(own.unavailable().as_deref(), Some("tool `count` has no node"), "of its account");
    assert_eq!(own.definition().account.as_deref(), Some("acme"));
    assert_eq!(wait(tool_calls::one(&db, "default", TOOL)).unwrap(), None);
}

fn execution(journal_seq: u64, artifacts: Vec<Value>) -> Projected {
    let execution = serde_json::from_value(json!({
        "pipeline_id": "pipe_1", "account_id": "default", "template_name": "t",
        "template_revision": 1, "topic": null, "status": "completed",
        "execution_strategy": "balanced", "optimize_for": "balanced", "urgency": "medium",
        "quality_level": "standard", "request": "{}", "result": null, "error": null,
        "total_cost_micro_usd": 0, "cost_estimated": 0, "budget_micro_usd": null,
        "sources_discovered": 0, "articles_processed": 0, "final_quality_score": null,
        "optimization_applied": "[]", "cache_hit": 0, "total_execution_time_ms": 1,
        "waiting_reason": null, "journal_seq": journal_seq, "created_at": "2026-01-01",
        "started_at": null, "completed_at": null, "updated_at": "2026-01-01",
    }));
    Projected {
        execution: execution.unwrap(),
        steps: Vec::new(),
        facts: Facts::default(),
        artifacts,
        tasks: Vec::new(),
    }
}

fn artifact(id: u8, record_seq: u64, tool: &str) -> Value {
    json!({
        "artifact_id": format!("00000000-0000-8000-8000-0000000000{id:02}"),
        "account_id": "default", "file_name": format!("{id}.txt"), "mime_type": "text/plain",
        "storage_pointer": null, "size_bytes": 7, "tool_id": tool, "pipeline_id": "pipe_1",
        "step": "call", "record_seq": record_seq,
    })
}

#[test]
fn what_a_tool_made_is_recorded_with_the_projection_that_first_sees_it_and_never_again() {
    let db = database();
    let names = || db.lines("SELECT file_name FROM artifacts ORDER BY file_name");
    let first = execution(3, vec![artifact(1, 2, TOOL), artifact(2, 3, TOOL)]);
    wait(project(&db, std::slice::from_ref(&first))).unwrap();
    assert_eq!(names(), ["1.txt", "2.txt"]);
    let row = db.lines("SELECT created_by_tool_id, pipeline_id, step, size_bytes FROM artifacts");
    assert_eq!(row[0], format!("{TOOL}|pipe_1|call|7"));
    db.shell("DELETE FROM artifacts WHERE file_name = '1.txt'");
    wait(project(&db, std::slice::from_ref(&first))).unwrap();
    assert_eq!(names(), ["2.txt"], "a batch that is sent again brings nothing back");
    let gone = "00000000-0000-4000-8000-0000000000ff";
    let all = vec![artifact(1, 2, TOOL), artifact(2, 3, TOOL), artifact(3, 5, gone)];
    wait(project(&db, &[execution(5, all)])).unwrap();
    assert_eq!(names(), ["2.txt", "3.txt"], "it went on: what is new comes, what is gone stays so");
    let orphan = db.lines("SELECT coalesce(created_by_tool_id, '-') FROM artifacts ORDER BY seq");
    assert_eq!(orphan, [TOOL, "-"], "a tool that is gone is left out");
}
