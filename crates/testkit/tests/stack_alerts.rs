//! Alerts on the real stack: a worker fails, the cron's check opens an alert, somebody
//! acknowledges it, the worker recovers, and the checks that follow resolve it.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use testkit::client::{Client, Reply};
use testkit::stack::{Stack, StateDir, wanted};
use testkit::workers::Workers;

const FAILING: usize = 12;
const WELL: usize = 40;
const VARS: [&str; 2] = ["MAX_CONCURRENT_PIPELINES=64", "ENABLE_ALERTING=true"];
/// How long what ended may take until figures have it.
const PATIENCE: Duration = Duration::from_secs(30);

/// A worker that refuses everything, and a template of one step that asks it.
fn shaky(workers: &Workers) -> String {
    format!(
        "INSERT INTO worker_registry (
           worker_name, base_url, endpoints, estimated_cost_usd, timeout_ms, max_retries)
         VALUES ('shaky', '{}', '[\"/refuse\"]', 0, 5000, 0);
         INSERT INTO pipeline_templates (name) VALUES ('shaky');
         INSERT INTO pipeline_steps (template_name, step_order, step_name, worker_name)
         VALUES ('shaky', 1, 'ask', 'shaky');",
        workers.url()
    )
}

async fn execute(client: &Client, times: usize, expected: u16) {
    for n in 0..times {
        let body =
            json!({ "topic": format!("{n}"), "pipeline_template": "shaky", "use_cache": false });
        let reply = client.orchestrate(&body).await.unwrap();
        assert_eq!(reply.status, expected, "{}", reply.body);
    }
}

async fn ask(client: &Client, method: Method, path: &str) -> Reply {
    let request = client.as_worker(client.request(method, path));
    client.send(request).await.unwrap()
}

/// What administrators see of the worker, as soon as so many attempts are counted.
async fn counted(client: &Client, attempts: u64) -> Value {
    for _ in 0..PATIENCE.as_secs() {
        let reply = ask(client, Method::GET, "/admin/performance?time_range=1h").await;
        let rows = reply.body["workers"].as_array().cloned().unwrap_or_default();
        let row = rows.into_iter().find(|row| row["worker"] == "shaky");
        if let Some(row) = row.filter(|row| row["attempts"] == attempts) {
            return row;
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    panic!("{attempts} attempts were not counted");
}

/// A check, whether five minutes have passed or not.
async fn check(state: &StateDir, stack: &Stack) {
    state.execute("UPDATE cron_duties SET next_at = NULL, held_until = NULL WHERE name = 'alerts'");
    assert!(stack.fire_cron().await);
}

async fn alerts(client: &Client, query: &str) -> Vec<Value> {
    let reply = ask(client, Method::GET, &format!("/admin/alerts?{query}")).await;
    assert_eq!(reply.status, 200, "{}", reply.body);
    reply.body["alerts"].as_array().unwrap().clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failing_worker_is_noticed_acknowledged_and_forgotten_when_it_is_well() {
    if !wanted() {
        return;
    }
    let workers = Workers::start().await;
    let state = StateDir::new("alerts");
    state.execute(&shaky(&workers));
    let stack = Stack::start(&state, &VARS);
    let client = stack.client();
    execute(&client, 3, 502).await;
    counted(&client, 3).await;
    check(&state, &stack).await;
    assert_eq!(alerts(&client, "").await, Vec::<Value>::new(), "three executions are no alert");

    execute(&client, FAILING - 3, 502).await;
    let row = counted(&client, FAILING as u64).await;
    assert_eq!(row["success_rate"], 0.0, "{row}");
    check(&state, &stack).await;
    check(&state, &stack).await;
    let open = alerts(&client, "status=open&kind=worker_failure").await;
    let [alert] = open.as_slice() else { panic!("{open:?}") };
    assert_eq!((&alert["subject"], &alert["severity"]), (&json!("shaky"), &json!("critical")));
    assert_eq!((&alert["observed"], &alert["samples"]), (&json!(1.0), &json!(FAILING)));
    assert_eq!(alert["account"], Value::Null);
    let id = alert["id"].as_str().unwrap();
    let acknowledged = acknowledge(&client, id).await;

    state.execute(
        "UPDATE worker_registry SET endpoints = '[\"/echo\"]' WHERE worker_name = 'shaky'",
    );
    tokio::time::sleep(Duration::from_secs(6)).await;
    execute(&client, WELL, 200).await;
    counted(&client, (FAILING + WELL) as u64).await;
    for _ in 0..2 {
        check(&state, &stack).await;
        assert_eq!(alerts(&client, "status=acknowledged").await.len(), 1, "not for sure yet");
    }
    check(&state, &stack).await;
    let over = ask(&client, Method::GET, &format!("/admin/alerts/{id}")).await.body;
    assert_eq!((&over["status"], &over["resolved_by"]), (&json!("resolved"), &json!("system")));
    assert_eq!(over["acknowledged_by"], acknowledged["acknowledged_by"]);
    let late = ask(&client, Method::POST, &format!("/admin/alerts/{id}/acknowledge")).await;
    assert_eq!((late.status, late.text("/code")), (409, "alert.resolved"));
    let again = ask(&client, Method::POST, &format!("/admin/alerts/{id}/resolve")).await;
    assert_eq!((again.status, &again.body), (200, &over), "it is over already");
}

/// Once, and once more; the log has it once.
async fn acknowledge(client: &Client, id: &str) -> Value {
    let path = format!("/admin/alerts/{id}/acknowledge");
    let first = ask(client, Method::POST, &path).await;
    assert_eq!((first.status, first.text("/status")), (200, "acknowledged"), "{}", first.body);
    let second = ask(client, Method::POST, &path).await;
    assert_eq!((second.status, &second.body), (200, &first.body));
    let log = ask(client, Method::GET, &format!("/admin/audit-log?subject={id}")).await;
    let changes: Vec<&Value> =
        log.body["entries"].as_array().unwrap().iter().map(|entry| &entry["change"]).collect();
    assert_eq!(changes, ["alert.acknowledged"]);
    first.body
}
