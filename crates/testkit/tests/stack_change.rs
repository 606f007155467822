//! Changing a pipeline is a database change: no build, no deployment, no restart.

use std::time::Duration;

use serde_json::{Value, json};
use testkit::stack::{Stack, StateDir, wanted};
use testkit::workers::Workers;

/// A change is seen within five seconds.
const SEEN_WITHIN: Duration = Duration::from_millis(5_500);

fn steps(reply: &testkit::client::Reply) -> Vec<&str> {
    let results = reply.body.pointer("/pipeline/worker_results").and_then(Value::as_array);
    results.into_iter().flatten().filter_map(|step| step["step_name"].as_str()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_and_a_step_inserted_by_sql_are_done_by_the_next_execution() {
    if !wanted() {
        return;
    }
    let workers = Workers::start().await;
    let state = StateDir::new("change");
    let stack = Stack::start(&state, &["MAX_CONCURRENT_PIPELINES=64"]);
    let client = stack.client();
    let body = json!({
        "topic": "solar power", "pipeline_template": "basic_research_pipeline", "use_cache": false,
    });
    let before = client.orchestrate(&body).await.expect("an answer");
    assert_eq!(before.status, 200, "{}", before.body);
    let known = steps(&before).len();

    state.execute(&format!(
        "{}INSERT INTO pipeline_steps (template_name, step_order, step_name, worker_name, \
         depends_on_steps, input_mapping) VALUES ('basic_research_pipeline', 99, 'count_sources', \
         'counter', '[]', '{{\"topic\":\"$.topic\"}}');",
        workers.registration("counter", "/step/1"),
    ));
    tokio::time::sleep(SEEN_WITHIN).await;
    let after = client.orchestrate(&body).await.expect("an answer");
    assert_eq!(after.status, 200, "{}", after.body);
    assert_eq!(steps(&after).len(), known + 1);
    assert!(steps(&after).contains(&"count_sources"), "{}", after.body);
    assert_eq!(workers.calls().len(), 1);

    // What was started before the change is as it was.
    let old = client.execution(before.text("/pipeline_id")).await.expect("an answer");
    assert_eq!(steps(&old).len(), known);
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_make_no_plan_are_refused_with_every_violation() {
    if !wanted() {
        return;
    }
    let state = StateDir::new("invalid");
    state.execute(
        "INSERT INTO pipeline_templates (name, display_name, description) \
         VALUES ('broken', 'Broken', 'A cycle and a mapping with a syntax error');
         INSERT INTO pipeline_steps (template_name, step_order, step_name, worker_name, \
         depends_on_steps, input_mapping) VALUES \
         ('broken', 1, 'one', 'topic_researcher', '[\"two\"]', '{\"topic\":\"=data.topic +\"}'), \
         ('broken', 2, 'two', 'topic_researcher', '[\"one\"]', '{\"topic\":\"$.topic[\"}');",
    );
    let stack = Stack::start(&state, &[]);
    let client = stack.client();
    let body = json!({ "topic": "anything", "pipeline_template": "broken" });
    let reply = client.orchestrate(&body).await.expect("an answer");
    assert_eq!(reply.status, 409, "{}", reply.body);
    assert_eq!(reply.text("/code"), "template.invalid");
    let violations = reply.body["violations"].as_array().cloned().unwrap_or_default();
    let codes: Vec<&str> = violations.iter().filter_map(|v| v["code"].as_str()).collect();
    assert!(codes.contains(&"template.cycle"), "{codes:?}");
    assert_eq!(codes.iter().filter(|code| **code == "expression.malformed").count(), 2);
}
