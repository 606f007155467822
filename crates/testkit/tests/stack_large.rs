//! The edges of what is promised: a thousand steps one after the other, a map of ten thousand
//! elements, ten thousand executions that wait for a signal. `LARGE=1` asks for all of it; fewer
//! are made where nobody says so.

#![expect(clippy::disallowed_methods, reason = "a tool of the tests, not the Worker")]

use std::time::{Duration, Instant};

use futures::stream::{self, StreamExt};
use serde_json::{Value, json};
use testkit::client::Client;
use testkit::fixtures;
use testkit::stack::{Stack, StateDir, wanted};
use testkit::workers::Workers;

const PATIENCE: Duration = Duration::from_secs(540);
const AT_ONCE: usize = 32;
const VARS: [&str; 4] = [
    "MAX_CONCURRENT_PIPELINES=20000",
    "MAX_PIPELINE_TIME_SECONDS=600",
    "DEFAULT_BUDGET_LIMIT_USD=1",
    "LOG_LEVEL=warn",
];
const WAITS: &str = "INSERT INTO pipeline_templates (name, display_name) \
    VALUES ('waits', 'Waits');\n\
    INSERT INTO pipeline_steps (template_name, step_order, step_name, kind, depends_on_steps, \
    config) VALUES ('waits', 1, 'go', 'wait', '[]', '{\"signal\":\"go\"}');\n";

fn all() -> bool {
    std::env::var("LARGE").is_ok_and(|value| value == "1")
}

async fn begin(client: &Client, template: &str, input: Value) -> String {
    let body = json!({
        "topic": template, "pipeline_template": template, "async": true, "use_cache": false,
        "deadline_minutes": 10, "input": input,
    });
    for _ in 0..100 {
        match client.orchestrate(&body).await {
            Ok(reply) if reply.status == 202 => return reply.text("/pipeline_id").to_owned(),
            Ok(reply) if !matches!(reply.status, 429 | 503) => {
                panic!("a start was answered with {}: {}", reply.status, reply.body)
            }
            _ => tokio::time::sleep(Duration::from_millis(100)).await,
        }
    }
    panic!("it could not be started")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_steps_and_ten_thousand_elements_complete() {
    if !wanted() {
        return;
    }
    let workers = Workers::start().await;
    let state = StateDir::new("large");
    state.execute(&(fixtures::templates(&workers) + fixtures::large()));
    let stack = Stack::start(&state, &VARS);
    let client = stack.client();
    let begun = Instant::now();
    let long = begin(&client, "thousand_steps", json!({})).await;
    let reply = client.wait_for_end(&long, PATIENCE).await.expect("it ends");
    assert_eq!(reply.text("/pipeline/status"), "completed", "{}", reply.body);
    assert_eq!(reply.body["pipeline"]["worker_results"][999]["data"]["n"], 1000);
    println!("1,000 steps: {:?}, {:?}", begun.elapsed(), stack.used());

    let begun = Instant::now();
    let count: usize = if all() { 10_000 } else { 1_000 };
    let wide = match all() {
        true => begin(&client, "ten_thousand_elements", json!({})).await,
        false => {
            let elements: Vec<usize> = (0..count).collect();
            begin(&client, "given_elements", json!({ "elements": elements })).await
        }
    };
    let reply = client.wait_for_end(&wide, PATIENCE).await.expect("it ends");
    assert_eq!(reply.text("/pipeline/status"), "completed");
    println!("{count} elements: {:?}, {:?}", begun.elapsed(), stack.used());
    let counts = workers.counts();
    let elements = (0..count).map(|at| format!("{wide}/each[{at}]/1"));
    for key in elements {
        assert_eq!(counts.get(&key), Some(&1), "{key}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn executions_that_wait_cost_no_driver_and_all_resume() {
    if !wanted() {
        return;
    }
    let workers = Workers::start().await;
    let state = StateDir::new("waiting");
    state.execute(&(fixtures::templates(&workers) + WAITS));
    let mut stack = Stack::start(&state, &VARS);
    let client = stack.client();
    let count = if all() { 10_000 } else { 300 };
    let begun = Instant::now();
    let starts = (0..count).map(|_| begin(&client, "waits", json!({})));
    let ids: Vec<String> = stream::iter(starts).buffer_unordered(AT_ONCE).collect().await;
    println!("{count} started in {:?}, {:?}", begun.elapsed(), stack.used());
    tokio::time::sleep(Duration::from_secs(3)).await;
    let before = stack.used().cpu_ms;
    tokio::time::sleep(Duration::from_secs(10)).await;
    println!("10 s of waiting took {} ms of CPU", stack.used().cpu_ms - before);
    // They wait in the journals, not in anybody's memory.
    stack.kill();
    let stack = stack.again();
    let client = stack.client();
    let begun = Instant::now();
    let signals = ids.iter().map(|id| {
        let path = format!("/pipeline/{id}/signal/go");
        let request = client.request(reqwest::Method::POST, &path).header("Prefer", "wait=0");
        let request = client.as_client(request).json(&json!({}));
        let client = &client;
        async move { client.send(request).await.map(|reply| reply.status) }
    });
    let told: Vec<_> = stream::iter(signals).buffer_unordered(AT_ONCE).collect().await;
    assert!(told.iter().all(|told| matches!(told, Ok(200 | 202))), "{told:?}");
    println!("{count} signals taken in {:?}", begun.elapsed());
    for id in &ids {
        let reply = client.wait_for_end(id, PATIENCE).await.expect("it ends");
        assert_eq!(reply.text("/pipeline/status"), "completed", "{}", reply.body);
    }
    println!("all resumed and ended after {:?}, {:?}", begun.elapsed(), stack.used());
}
