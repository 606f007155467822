//! Alerts on the real stack: a worker fails, executions become dear and bad, an account is full;
//! the cron's check opens an alert, somebody acknowledges it, things are well again, and the checks
//! that follow resolve it.
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

/// Executions that ended some hours ago, as projections tell the figures of them.
fn ended(times: usize, hours_ago: u32, cost_micro_usd: u32, quality: f64) -> String {
    format!(
        "INSERT INTO rollup_log (kind, entries)
         WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < {times})
         SELECT 'executions', json_group_array(json_array(json_array('default', 'priced',
           'balanced', 'completed',
           strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '-{hours_ago} hours'), 50, {cost_micro_usd},
           {quality}, 0, 0, json('[]')), NULL)) FROM n"
    )
}

/// A template whose one step is dear and bad, and one that takes its time.
fn priced(workers: &Workers) -> String {
    format!(
        "INSERT INTO worker_registry (worker_name, base_url, endpoints, estimated_cost_usd,
           timeout_ms) VALUES ('priced', '{url}', '[\"/costly/20000\"]', 0.02, 9000),
           ('graded', '{url}', '[\"/echo\"]', 0, 9000),
           ('slow', '{url}', '[\"/slow/15000\"]', 0, 19000);
         INSERT INTO pipeline_templates (name) VALUES ('priced'), ('slow');
         INSERT INTO pipeline_steps (template_name, step_order, step_name, worker_name,
           input_mapping)
         VALUES ('priced', 1, 'ask', 'priced', '{{}}'),
           ('priced', 2, 'grade', 'graded', '{{\"quality_score\": 0.2}}'),
           ('slow', 1, 'a', 'slow', '{{}}'), ('slow', 2, 'b', 'slow', '{{}}'),
           ('slow', 3, 'c', 'slow', '{{}}'), ('slow', 4, 'd', 'slow', '{{}}'),
           ('slow', 5, 'e', 'slow', '{{}}'), ('slow', 6, 'f', 'slow', '{{}}');
         UPDATE pipeline_templates SET allow_parallel = 0 WHERE name = 'slow';",
        url = workers.url()
    )
}

async fn one(client: &Client, query: &str) -> Value {
    let found = alerts(client, query).await;
    let [alert] = found.as_slice() else { panic!("{query}: {found:?}") };
    alert.clone()
}

async fn start(client: &Client, template: &str, later: bool) -> String {
    let body = json!({
        "topic": "x", "pipeline_template": template, "use_cache": false, "async": later,
    });
    let reply = client.orchestrate(&body).await.unwrap();
    assert_eq!(reply.status, if later { 202 } else { 200 }, "{}", reply.body);
    reply.text("/pipeline_id").to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_becomes_dear_and_bad_is_noticed_and_forgotten_when_it_is_well() {
    if !wanted() {
        return;
    }
    let workers = Workers::start().await;
    let state = StateDir::new("dear");
    state.execute(&priced(&workers));
    state.execute(&ended(100, 20, 100, 0.9));
    let stack = Stack::start(&state, &VARS);
    let client = stack.client();
    for _ in 0..24 {
        start(&client, "priced", false).await;
    }
    for _ in 0..PATIENCE.as_secs() {
        check(&state, &stack).await;
        if alerts(&client, "").await.len() == 3 {
            break;
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    let dear = one(&client, "kind=cost_spike&subject_type=template").await;
    let spent = one(&client, "kind=cost_spike&subject_type=account").await;
    let bad = one(&client, "kind=quality_drop").await;
    for (alert, subject, severity, observed) in [
        (&dear, "priced", "critical", Some(0.02)),
        (&spent, "default", "warning", None),
        (&bad, "priced", "critical", Some(0.2)),
    ] {
        assert_eq!((&alert["subject"], &alert["severity"]), (&json!(subject), &json!(severity)));
        assert_eq!(alert["account"], "default", "{alert}");
        let near = |expected: f64| (alert["observed"].as_f64().unwrap() - expected).abs() < 1e-6;
        assert!(observed.is_none_or(near), "{alert}");
    }
    for alert in [&dear, &bad] {
        acknowledge(&client, alert["id"].as_str().unwrap()).await;
    }
    state.execute(&ended(1_000, 0, 100, 0.95));
    for _ in 0..3 {
        check(&state, &stack).await;
    }
    for alert in [&dear, &bad] {
        let path = format!("/admin/alerts/{}", alert["id"].as_str().unwrap());
        let over = ask(&client, Method::GET, &path).await.body;
        assert_eq!((&over["status"], &over["resolved_by"]), (&json!("resolved"), &json!("system")));
    }
    let path = format!("/admin/alerts/{}/resolve", spent["id"].as_str().unwrap());
    let over = ask(&client, Method::POST, &path).await;
    assert_eq!((over.status, over.text("/status")), (200, "resolved"), "{}", over.body);
    assert_ne!(over.text("/resolved_by"), "system", "somebody has resolved it");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_is_full_is_noticed_and_forgotten_when_it_has_places() {
    if !wanted() {
        return;
    }
    let workers = Workers::start().await;
    let state = StateDir::new("full");
    state.execute(&priced(&workers));
    // Accounts in which nothing ends are not looked at.
    state.execute(&ended(1, 0, 0, 0.9));
    let stack = Stack::start(&state, &["MAX_CONCURRENT_PIPELINES=2", "ENABLE_ALERTING=true"]);
    let client = stack.client();
    let first = [start(&client, "slow", true).await, start(&client, "slow", true).await];
    check(&state, &stack).await;
    assert_eq!(alerts(&client, "").await, Vec::<Value>::new(), "once is a moment");
    check(&state, &stack).await;
    let full = one(&client, "kind=capacity&status=open").await;
    assert_eq!((&full["subject"], &full["observed"]), (&json!("default"), &json!(1.0)), "{full}");
    assert_eq!(full["severity"], "critical");
    let id = full["id"].as_str().unwrap();
    acknowledge(&client, id).await;
    for execution in &first {
        let kill = client.request(Method::POST, &format!("/pipeline/{execution}/kill"));
        let killed = client.send(client.as_client(kill)).await.unwrap();
        assert!(killed.status < 300, "{}", killed.body);
        client.wait_for_end(execution, PATIENCE).await.unwrap();
    }
    for _ in 0..3 {
        check(&state, &stack).await;
    }
    let over = ask(&client, Method::GET, &format!("/admin/alerts/{id}")).await.body;
    assert_eq!((&over["status"], &over["resolved_by"]), (&json!("resolved"), &json!("system")));
}
