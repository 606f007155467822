//! Retention on the real stack: workerd is killed in the middle of sweeps, and afterwards every
//! execution is in the database or in the archive, once, and is found by its id.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::time::Duration;

use serde_json::{Value, json};
use testkit::client::Client;
use testkit::stack::{Stack, StateDir, wanted};

/// Old executions, and how many kills meet them.
const OLD: usize = 1_500;
const KILLS: usize = 6;
/// A client's key of the account acme: `bwk_` and 43 characters.
const ACME_KEY: &str = "bwk_0123456789012345678901234567890123456789012";
/// Its SHA-256.
const ACME_KEY_HASH: &str = "814a7138077bdf138a77cf4d20e2f1bb90fb7d95851347e9490d8add52494fee";
const VARS: [&str; 1] = ["RETENTION_DAYS=30"];

/// The id of the n-th old execution: of every shard in turn.
const ID: &str = "'pipe_' || (1700000000000 + n * 1000) || '_0' || (n % 8) || printf('%024d', n)";

fn old_executions() -> String {
    format!(
        "INSERT INTO accounts (id) VALUES ('acme');
        INSERT INTO api_keys (id, account_id, key_hash) VALUES ('k', 'acme', '{hash}');
        WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < {OLD})
        INSERT INTO pipeline_executions (
          pipeline_id, account_id, template_name, topic, status, request, result, error,
          total_cost_micro_usd, journal_seq, created_at, started_at, completed_at)
        SELECT {ID}, iif(n % 5 = 0, 'acme', 'default'), 'old', 'Old topic ' || n,
          iif(n % 11 = 0, 'failed', 'completed'), '{{}}',
          json_object('n', n, 'text', hex(randomblob(2000))),
          iif(n % 11 = 0, '{{\"code\":\"worker.refused\",\"message\":\"no\"}}', NULL), n, 4,
          strftime('%Y-%m-%dT%H:%M:%fZ', 1700000000 + n, 'unixepoch'),
          strftime('%Y-%m-%dT%H:%M:%fZ', 1700000000 + n, 'unixepoch'),
          strftime('%Y-%m-%dT%H:%M:%fZ', 1700000001 + n, 'unixepoch')
        FROM n;
        INSERT INTO worker_execution_results (
          pipeline_id, step_name, step_order, worker_name, status, success, attempts, data)
        SELECT e.pipeline_id, s.value, s.key, 'feed_fetcher', 'succeeded', 1, 1,
          json_object('v', json_object('n', e.total_cost_micro_usd))
        FROM pipeline_executions AS e, json_each('[\"first\",\"second\"]') AS s;",
        hash = ACME_KEY_HASH,
    )
}

/// Where things are, as the database says.
fn standing(state: &StateDir) -> Value {
    let rows = state.query(
        "SELECT (SELECT count(*) FROM pipeline_executions WHERE template_name = 'old') AS here,
          (SELECT count(*) FROM archived_executions) AS there,
          (SELECT count(*) FROM pipeline_executions AS e JOIN archived_executions AS a
            ON a.pipeline_id = e.pipeline_id) AS both,
          (SELECT count(*) FROM worker_execution_results WHERE step_name IN ('first', 'second'))
            AS steps,
          (SELECT coalesce(sum(executions), 0) FROM archived_accounts) AS counted",
    );
    rows[0].clone()
}

/// Every execution once, and every step with its execution.
fn check(state: &StateDir) -> usize {
    let found = standing(state);
    let number = |name: &str| usize::try_from(found[name].as_u64().unwrap()).unwrap();
    assert_eq!(number("here") + number("there"), OLD, "{found}");
    assert_eq!(number("both"), 0, "{found}");
    assert_eq!(number("steps"), 2 * number("here"), "{found}");
    assert_eq!(number("counted"), number("there"), "{found}");
    number("there")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sweep_that_is_killed_loses_nothing_and_doubles_nothing() {
    if !wanted() {
        return;
    }
    let state = StateDir::new("archive");
    state.execute(&old_executions());
    let mut stack = Stack::start(&state, &VARS);
    let body = json!({ "topic": "young", "pipeline_template": "basic_research_pipeline" });
    let young = stack.client().orchestrate(&body).await.unwrap().text("/pipeline_id").to_owned();
    tokio::time::sleep(Duration::from_secs(3)).await;
    // It looks old, but its journal is there.
    state.execute(&format!(
        "UPDATE pipeline_executions SET created_at = '2024-01-01T00:00:00.000Z',
          completed_at = '2024-01-01T00:00:01.000Z' WHERE pipeline_id = '{young}'"
    ));
    let mut there = Vec::new();
    for kill in 0..KILLS {
        let moment = Duration::from_millis(400 + 250 * kill as u64);
        tokio::time::timeout(moment, stack.fire_cron()).await.ok();
        stack.kill();
        there.push(check(&state));
        state.execute("UPDATE cron_duties SET held_until = NULL WHERE name = 'retention'");
        stack = stack.again();
    }
    println!("archived after each kill: {there:?}");
    for _ in 0..10 {
        assert!(stack.fire_cron().await);
        if check(&state) == OLD {
            break;
        }
    }
    assert_eq!(check(&state), OLD);
    let kept = state.query("SELECT pipeline_id FROM pipeline_executions");
    assert_eq!(kept, [json!({ "pipeline_id": young })], "one whose journal is there stays");
    read_all(&state, &stack.client()).await;
}

/// Each is found by its id with what it was, by its account alone, and nothing else finds it.
async fn read_all(state: &StateDir, client: &Client) {
    let rows = state.query("SELECT pipeline_id FROM archived_executions ORDER BY pipeline_id");
    let acme = Client::new(client.url(), ACME_KEY, client.secret());
    for row in &rows {
        let id = row["pipeline_id"].as_str().unwrap();
        let n: usize = id.split('_').next_back().unwrap()[2..].parse().unwrap();
        let (own, other) = if n.is_multiple_of(5) { (&acme, client) } else { (client, &acme) };
        let reply = own.execution(id).await.unwrap();
        assert_eq!(reply.status, 200, "{id}: {}", reply.body);
        assert_eq!(reply.text("/pipeline/topic"), format!("Old topic {n}"));
        let steps = reply.body.pointer("/pipeline/worker_results").unwrap().as_array().unwrap();
        assert_eq!(steps.len(), 2);
        assert_eq!(steps[1]["data"], json!({ "n": n }));
        let error = reply.body.pointer("/pipeline/error").is_some_and(|error| !error.is_null());
        assert_eq!(error, n.is_multiple_of(11), "{}", reply.body);
        assert_eq!(other.execution(id).await.unwrap().status, 404, "of another account");
        if n.is_multiple_of(100) {
            verbs(own, id, n).await;
        }
    }
    let history = client.request(reqwest::Method::GET, "/pipeline-history?topic=Old");
    let history = client.send(client.as_client(history)).await.unwrap();
    assert_eq!(history.body["pipelines"], json!([]));
    // The newest of the account: the 1,499th was asked for 1,499 s after the first moment.
    assert_eq!(history.text("/archived_until"), "2023-11-14T22:38:19.000Z");
}

/// What needs the journal says that it is retired; the result is still there.
async fn verbs(client: &Client, id: &str, n: usize) {
    let ask = async |method, path: &str| {
        let request = client.as_client(client.request(method, &format!("/pipeline/{id}/{path}")));
        client.send(request).await.unwrap()
    };
    for (method, path) in [
        (reqwest::Method::POST, "restart"),
        (reqwest::Method::POST, "cancel"),
        (reqwest::Method::GET, "why"),
    ] {
        let reply = ask(method, path).await;
        assert_eq!((reply.status, reply.text("/code")), (409, "execution.retired"), "{path}");
    }
    let result = ask(reqwest::Method::GET, "result").await;
    match n % 11 {
        0 => assert_eq!(result.status, 502, "{}", result.body),
        _ => assert_eq!((result.status, result.body["n"].as_u64()), (200, Some(n as u64))),
    }
}
