//! What operators see: counters that equal D1's rows after a load, one log line for each change of
//! state with the trace of its start, and what health says of a secret, a migration and a worker
//! that are missing.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::stream::{self, StreamExt};
use serde_json::{Value, json};
use testkit::client::{Client, Reply};
use testkit::stack::{Stack, StateDir, wanted};
use testkit::workers::Workers;

const EXECUTIONS: usize = 60;
const AT_ONCE: usize = 12;
const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

/// Two steps of workers that live in the test: the first fails once in each execution.
fn template(workers: &Workers) -> String {
    let mut sql = workers.registration("flaky", "/flaky/1");
    // Half of its calls fail, which opens a breaker, and everything would wait for that.
    sql += "UPDATE worker_registry SET breaker = '{\"failures\":0}' \
            WHERE worker_name = 'flaky';\n";
    sql += &workers.registration("steady", "/echo");
    sql += "INSERT INTO pipeline_templates (name, display_name, description) \
            VALUES ('two', 'Two', 'Two steps');\n";
    for (order, name, needs) in [(1, "flaky", "[]"), (2, "steady", "[\"flaky\"]")] {
        sql += &format!(
            "INSERT INTO pipeline_steps (template_name, step_order, step_name, worker_name, \
             depends_on_steps, input_mapping, retry_policy) VALUES ('two', {order}, '{name}', \
             '{name}', '{needs}', '{{\"topic\":\"$.topic\"}}', '{{\"initial_ms\":10}}');\n"
        );
    }
    sql
}

async fn get(client: &Client, path: &str) -> Reply {
    let request = client.as_worker(client.request(reqwest::Method::GET, path));
    client.send(request).await.expect("an answer")
}

#[tokio::test(flavor = "multi_thread")]
async fn counters_equal_the_rows_of_d1_and_the_log_tells_each_change_once() {
    if !wanted() {
        return;
    }
    let workers = Workers::start().await;
    let state = StateDir::new("operation");
    state.execute(&template(&workers));
    let stack = Stack::start(&state, &["MAX_CONCURRENT_PIPELINES=64", "LOG_LEVEL=info"]);
    let ask = |n: usize| {
        let client = stack.client();
        async move {
            let body = json!({
                "topic": format!("load {n}"), "pipeline_template": "two", "use_cache": false,
                "optimize_for": if n.is_multiple_of(3) { "cost" } else { "balanced" },
            });
            let parent = format!("00-{TRACE}-00f067aa0ba902b7-01");
            let request = client.request(reqwest::Method::POST, "/orchestrate");
            let request = request.header("traceparent", parent).json(&body);
            let reply = client.send(client.as_client(request)).await.expect("an answer");
            assert_eq!(reply.status, 200, "{}", reply.body);
        }
    };
    stream::iter(0..EXECUTIONS).map(ask).buffer_unordered(AT_ONCE).collect::<Vec<()>>().await;

    let samples = scraped(&stack.client()).await;
    let rows = state.query(
        "SELECT 'e|' || execution_strategy || '|' || status AS name, count(*) AS n \
         FROM pipeline_executions WHERE template_name = 'two' GROUP BY 1 \
         UNION ALL SELECT 's|' || worker_name || '|' || status, count(*) \
         FROM worker_execution_results GROUP BY 1 \
         UNION ALL SELECT 'a|' || worker_name, sum(calls) FROM cost_tracking GROUP BY 1 \
         UNION ALL SELECT 'f|' || worker_name, sum(failures) FROM cost_tracking GROUP BY 1",
    );
    let mut checked = 0;
    for row in rows {
        let (name, count) = (row["name"].as_str().expect("text"), row["n"].as_f64());
        let series = match name.split('|').collect::<Vec<_>>().as_slice() {
            ["e", strategy, status] => format!(
                "bitware_executions_total{{template=\"two\",strategy=\"{strategy}\",\
                 status=\"{status}\"}}"
            ),
            ["s", worker, status] => {
                format!("bitware_steps_total{{worker=\"{worker}\",outcome=\"{status}\"}}")
            }
            ["a", worker] => format!("bitware_attempts_total{{worker=\"{worker}\"}}"),
            ["f", worker] => format!("bitware_attempts_failed_total{{worker=\"{worker}\"}}"),
            other => panic!("{other:?}"),
        };
        assert_eq!(samples.get(&series).copied(), count, "{series}");
        checked += 1;
    }
    assert!(checked >= 7, "{checked}");
    let duration = "bitware_execution_duration_seconds_count{template=\"two\"}";
    assert_eq!(samples[duration], EXECUTIONS as f64);
    assert_eq!(samples["bitware_step_retries_total{worker=\"flaky\"}"], EXECUTIONS as f64);
    logged(&state, EXECUTIONS);
    let calls = workers.calls();
    assert!(calls.len() >= EXECUTIONS * 3, "{}", calls.len());
}

/// The page once all executions are in it.
async fn scraped(client: &Client) -> BTreeMap<String, f64> {
    for _ in 0..100 {
        let reply = get(client, "/metrics").await;
        assert_eq!(reply.status, 200, "{}", reply.body);
        let text = reply.body.as_str().expect("a page").to_owned();
        let samples: BTreeMap<String, f64> = text
            .lines()
            .filter(|line| !line.starts_with('#'))
            .filter_map(|line| line.rsplit_once(' '))
            .map(|(series, value)| (series.to_owned(), value.parse().expect("a number")))
            .collect();
        let ended = |(series, _): &(&String, &f64)| {
            series.starts_with("bitware_executions_total{template=\"two\"")
        };
        let sum: f64 = samples.iter().filter(ended).map(|(_, value)| value).sum();
        if sum >= EXECUTIONS as f64 {
            return samples;
        }
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    panic!("the executions are not counted");
}

/// Each execution has one line for its start, its retry and its end, all with the caller's trace.
fn logged(state: &StateDir, executions: usize) {
    let text = std::fs::read_to_string(state.path().join("stack.log")).expect("a log");
    let lines: Vec<Value> =
        text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    for event in ["execution.started", "step.retried", "execution.ended"] {
        let own = lines.iter().filter(|line| line["event"] == event);
        let mut ids: Vec<&str> =
            own.clone().map(|line| line["execution.id"].as_str().expect("an id")).collect();
        ids.sort_unstable();
        let count = ids.len();
        ids.dedup();
        assert_eq!((count, ids.len()), (executions, executions), "{event}");
        for line in own {
            assert_eq!(line["trace.id"], TRACE, "{line}");
            assert_eq!(line["account"], "default", "{line}");
        }
    }
    let requests = lines.iter().filter(|line| line["event"] == "request");
    let started = requests.filter(|line| line["path.template"] == "/orchestrate").count();
    assert_eq!(started, executions, "one line a request");
    for secret in [testkit::stack::CLIENT_API_KEY, testkit::stack::WORKER_SHARED_SECRET] {
        assert!(!text.contains(secret), "the log holds a secret");
    }
    assert!(!text.contains("load 7"), "the log holds what was asked for");
}

#[tokio::test(flavor = "multi_thread")]
async fn health_says_what_is_missing_and_who_does_not_answer() {
    if !wanted() {
        return;
    }
    let state = StateDir::new("health");
    // A migration that was not applied, and a worker whose address nobody listens at.
    state.execute(
        "DELETE FROM schema_version WHERE version = 3; \
         INSERT INTO worker_registry (worker_name, display_name, base_url, estimated_cost_usd) \
         VALUES ('dead', 'Dead', 'http://127.0.0.1:9', 0.0);",
    );
    let stack = Stack::start(&state, &["WORKER_SHARED_SECRET="]);
    let client = stack.client();
    let plain = |path: &'static str| {
        let request = client.request(reqwest::Method::GET, path);
        async { client.send(request).await.expect("an answer") }
    };
    let health = plain("/health").await;
    assert_eq!((health.status, health.text("/status")), (200, "degraded"));
    let problems = health.body["problems"].to_string();
    for problem in [
        "The secret WORKER_SHARED_SECRET is not set",
        "The migration 0003 is not applied to the database",
    ] {
        assert!(problems.contains(problem), "{problems}");
    }
    let healthz = plain("/healthz").await;
    assert_eq!((healthz.status, healthz.text("/code")), (503, "database.outdated"));
    assert!(!healthz.body.to_string().contains("0003"), "{}", healthz.body);

    let request = client.request(reqwest::Method::GET, "/pipeline-health?fresh=true");
    let found = client.send(client.as_client(request)).await.expect("an answer");
    assert_eq!((found.status, found.text("/status")), (200, "degraded"), "{}", found.body);
    let reasons = found.body["reasons"].to_string();
    for reason in ["The worker dead is unhealthy", "0003", "WORKER_SHARED_SECRET"] {
        assert!(reasons.contains(reason), "{reasons}");
    }
    let workers = found.body["workers"].as_array().expect("workers");
    for worker in workers {
        let expected = if worker["worker_name"] == "dead" { "unhealthy" } else { "healthy" };
        assert_eq!(worker["status"], expected, "{worker}");
    }
    assert!(!found.body.to_string().contains("127.0.0.1"), "it says where the worker is");
}
