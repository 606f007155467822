//! The tool registry on the real stack, where only rows, a bucket and a cron can show it: files
//! that elements of a map made, bytes that no row has, tools that come back with their node, and
//! addresses that are never called however they are spelled.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use testkit::client::{Client, Reply};
use testkit::fixtures::{self, TOOL_ID};
use testkit::stack::{Stack, StateDir, wanted};
use testkit::workers::Workers;

const PATIENCE: Duration = Duration::from_secs(30);
const NODE_ID: &str = "00000000-0000-4000-8000-000000000001";

async fn ask(client: &Client, method: Method, path: &str, body: Option<Value>) -> Reply {
    let mut request = client.as_worker(client.request(method, path));
    if let Some(body) = body {
        request = request.json(&body);
    }
    client.send(request).await.unwrap()
}

async fn added(client: &Client, path: &str, body: Value, id: &str) -> String {
    let reply = ask(client, Method::POST, path, Some(body)).await;
    assert_eq!(reply.status, 201, "{}", reply.body);
    reply.body[id].as_str().unwrap().to_owned()
}

/// A map whose elements make a file each, but the second, which the tool refuses.
const DRAWINGS: &str = r#"
    INSERT INTO pipeline_templates (name, failure_tolerance) VALUES ('drawings', 'strict');
    INSERT INTO pipeline_steps (template_name, step_order, step_name, kind, input_mapping, config)
    VALUES ('drawings', 1, 'draw', 'map',
      '{"text":"=item == ''b'' ? 7 : item","artifacts":[{"file_name":"=item","size_bytes":7}]}',
      '{"items":["a","b","c"],"tool":"echo_tool","tolerated_failures":1}');"#;

#[tokio::test(flavor = "multi_thread")]
async fn what_elements_of_a_settled_map_made_is_recorded_with_their_places() {
    if !wanted() {
        return;
    }
    let workers = Workers::start().await;
    let state = StateDir::new("drawings");
    state.execute(&(fixtures::templates(&workers) + DRAWINGS));
    let stack = Stack::start(&state, &["DEFAULT_BUDGET_LIMIT_USD=1"]);
    let client = stack.client();
    let body = json!({"topic": "x", "pipeline_template": "drawings", "use_cache": false});
    let reply = client.orchestrate(&body).await.unwrap();
    assert_eq!((reply.status, reply.text("/status")), (200, "completed"), "{}", reply.body);
    let path = format!("/artifacts/tool/{TOOL_ID}");
    let mut found: Vec<Value> = Vec::new();
    for _ in 0..PATIENCE.as_secs() {
        let reply = ask(&client, Method::GET, &path, None).await;
        found = reply.body.as_array().cloned().unwrap();
        if !found.is_empty() {
            break;
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    let rows = state.query("SELECT file_name, step FROM artifacts ORDER BY file_name");
    let expected = [
        json!({"file_name": "a", "step": "draw[0]"}),
        json!({"file_name": "c", "step": "draw[2]"}),
    ];
    assert_eq!(rows, expected, "{found:?}");
    assert_eq!(found.len(), 2);
}

async fn cleanup(client: &Client, query: &str) -> Reply {
    let path = format!("/maintenance/cleanup-orphaned-artifacts?{query}");
    let reply = ask(client, Method::POST, &path, None).await;
    assert_eq!(reply.status, 200, "{}", reply.body);
    reply
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_that_no_row_has_go_and_those_of_an_artifact_stay() {
    if !wanted() {
        return;
    }
    let workers = Workers::start().await;
    let state = StateDir::new("unheld");
    state.execute(&fixtures::templates(&workers));
    let stack = Stack::start(&state, &[]);
    let client = stack.client();
    let mut ids = Vec::new();
    for name in ["kept.txt", "lost.txt"] {
        let body = json!({"file_name": name, "mime_type": "text/plain", "size_bytes": 0,
            "storage_pointer": "r2://x", "created_by_tool_id": TOOL_ID});
        let id = added(&client, "/artifacts/", body, "artifact_id").await;
        let put = client.request(Method::PUT, &format!("/artifacts/{id}/content"));
        let put = client.as_worker(put).header("content-type", "text/plain").body("bytes");
        let reply = client.send(put).await.unwrap();
        assert!(reply.status < 300, "{}", reply.body);
        ids.push(id);
    }
    let keys = state.query("SELECT content_key FROM artifacts WHERE file_name = 'lost.txt'");
    let key = keys[0]["content_key"].as_str().unwrap();
    state.execute("DELETE FROM artifacts WHERE file_name = 'lost.txt'");
    let young = cleanup(&client, "dry_run=true").await;
    assert_eq!(young.body["objects"], json!([]), "an upload may be going on");
    let told = cleanup(&client, "dry_run=true&older_than_s=0").await;
    assert_eq!((&told.body["objects"], &told.body["freed_bytes"]), (&json!([key]), &json!(5)));
    assert_eq!(told.body["artifacts"], json!([]), "{}", told.body);
    let done = cleanup(&client, "older_than_s=0").await;
    assert_eq!(done.body["objects"], json!([key]));
    let again = cleanup(&client, "older_than_s=0").await;
    assert_eq!((&again.body["objects"], &again.body["freed_bytes"]), (&json!([]), &json!(0)));
    let path = format!("/artifacts/{}/content", ids[0]);
    let kept = client.as_client(client.request(Method::GET, &path)).send().await.unwrap();
    assert_eq!(kept.text().await.unwrap(), "bytes", "what an artifact has stays");
}

#[tokio::test(flavor = "multi_thread")]
async fn tools_come_back_with_their_node_by_the_cron() {
    if !wanted() {
        return;
    }
    let workers = Workers::start().await;
    let state = StateDir::new("back");
    state.execute(&fixtures::templates(&workers));
    let stack = Stack::start(&state, &[]);
    let client = stack.client();
    let node = format!("/nodes/{NODE_ID}");
    let put = ask(&client, Method::PUT, &node, Some(json!({"status": "MAINTENANCE"}))).await;
    assert_eq!(put.status, 200, "{}", put.body);
    let followed = ask(&client, Method::POST, "/maintenance/update-tool-status", None).await;
    assert_eq!(followed.body["disabled"], json!([TOOL_ID]), "{}", followed.body);
    let status = async || {
        let reply = ask(&client, Method::GET, &format!("/tools/{TOOL_ID}"), None).await;
        reply.text("/status").to_owned()
    };
    assert!(stack.fire_cron().await);
    assert_eq!(status().await, "DISABLED", "its node is still away");
    ask(&client, Method::PUT, &node, Some(json!({"status": "ACTIVE"}))).await;
    for _ in 0..PATIENCE.as_secs() {
        assert!(stack.fire_cron().await);
        if status().await == "ENABLED" {
            break;
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    assert_eq!(status().await, "ENABLED");
    let log = ask(&client, Method::GET, "/admin/audit-log?change=tool.enabled_by_node", None).await;
    let entries = log.body["entries"].as_array().unwrap();
    let [entry] = entries.as_slice() else { panic!("{}", log.body) };
    assert_eq!((&entry["subject"], &entry["actor"]), (&json!(TOOL_ID), &json!("cron")));
}

/// The test's own workers listen on the loopback interface: a call that came through would be seen.
fn spellings(port: &str) -> Vec<String> {
    let hosts = [
        "127.0.0.1",
        "127.1",
        "2130706433",
        "0x7f000001",
        "0x7f.0.0.1",
        "0177.0.0.1",
        "017700000001",
        "127.0.0.1.",
        "127.0.0.1..",
        "%31%32%37.0.0.1",
        "127。0。0。1",
        "１２７.0.0.1",
        "localhost",
        "LOCALHOST",
        "localhost.",
        "a.localhost",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[0:0:0:0:0:0:0:1]",
        "[::127.0.0.1]",
        "[64:ff9b::7f00:1]",
        "0.0.0.0",
        "0",
        "[::]",
        "169.254.169.254",
        "[fe80::1]",
        "[fd00::1]",
        "10.0.0.1",
        "172.16.0.1",
        "192.168.0.1",
        "100.64.0.1",
        "metadata.google.internal",
        "printer.local",
        "intranet",
    ];
    hosts.iter().map(|host| format!("https://{host}:{port}")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn private_addresses_are_refused_in_every_spelling() {
    if !wanted() {
        return;
    }
    let workers = Workers::start().await;
    let state = StateDir::new("addresses");
    let stack = Stack::start(&state, &["ALLOW_LOCAL_WORKER_URLS=false"]);
    let client = stack.client();
    let port = workers.url().rsplit(':').next().unwrap().to_owned();
    let mut urls = spellings(&port);
    urls.push(workers.url().replace("http://", "http://user:word@"));
    urls.push(format!("ftp://example.com:{port}"));
    for (n, url) in urls.iter().enumerate() {
        let worker = json!({"worker_name": format!("w{n}"), "base_url": url});
        let refused = ask(&client, Method::POST, "/admin/workers", Some(worker)).await;
        assert_eq!(refused.status, 422, "{url}: {}", refused.body);
        assert_eq!(refused.text("/violations/0/pointer"), "/base_url", "{url}");
    }
    // A node's address is any text; it is judged when the node is asked or called.
    for (n, url) in urls.iter().enumerate() {
        let node = json!({"node_type": "TOOL_EXECUTOR", "address": url, "status": "ACTIVE"});
        let node = added(&client, "/nodes/", node, "node_id").await;
        let tool = json!({"name": format!("t{n}"), "category": "ANALYSIS", "target_node_id": node});
        let tool = added(&client, "/tools/", tool, "tool_id").await;
        let terms = json!({"estimated_cost_usd": 0, "max_retries": 0});
        let terms = ask(&client, Method::PUT, &format!("/tools/{tool}/terms"), Some(terms)).await;
        assert!(terms.status < 300, "{}", terms.body);
        let call = client.request(Method::POST, &format!("/tools/{tool}/invoke"));
        let call = client.as_client(call).json(&json!({"input": {}}));
        let called = client.send(call).await.unwrap();
        let said = called.body.to_string();
        // Once the cron has found it in error, it is not called any more.
        let refused = match called.status {
            502 => said.contains("is refused: url."),
            409 => called.text("/code") == "tool.not_callable",
            _ => false,
        };
        assert!(refused, "{url}: {said}");
        assert!(!said.contains("user:word"), "{said}");
    }
    for _ in 0..3 {
        state.execute("UPDATE nodes SET last_health_check = NULL");
        assert!(stack.fire_cron().await);
    }
    let errors = state.query("SELECT DISTINCT last_error FROM nodes WHERE last_error IS NOT NULL");
    assert!(!errors.is_empty(), "the cron has asked nobody");
    for error in &errors {
        let error = error["last_error"].as_str().unwrap();
        assert!(error.contains("the address is refused: url."), "{error}");
    }
    assert_eq!(workers.calls().len(), 0, "nobody is called at a private address");
}
