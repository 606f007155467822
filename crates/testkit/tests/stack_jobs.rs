//! Jobs on the real stack: what a job says is so at that moment, also when workerd is killed
//! between its row and its answer, and when fifty are made at once.

use std::collections::BTreeSet;
use std::time::Duration;

use futures::future::{join, join_all};
use reqwest::Method;
use serde_json::{Value, json};
use testkit::client::{Client, Reply};
use testkit::fixtures;
use testkit::stack::{Stack, StateDir, wanted};
use testkit::workers::Workers;

const PATH: &str = "/api/v1/jobs";
const VARS: [&str; 3] =
    ["MAX_CONCURRENT_PIPELINES=500", "LEASE_SECONDS=1", "DEFAULT_BUDGET_LIMIT_USD=1"];
const AT_ONCE: usize = 50;
const KILLS: usize = 6;
const LOOKS_MAX: usize = 600;
const LOOK_PAUSE: Duration = Duration::from_millis(100);

fn job(template: &str, n: usize) -> Value {
    json!({
        "title": format!("{template} {n}"), "pipeline_template": template, "use_cache": false,
        "topic": format!("{template} {n}"), "deadline_minutes": 10,
    })
}

async fn make(client: &Client, key: &str, body: &Value) -> Result<Reply, String> {
    let request = client.request(Method::POST, PATH).header("Idempotency-Key", key).json(body);
    client.send(client.as_client(request)).await
}

async fn until(client: &Client, id: &str, wanted: &str) -> Reply {
    for _ in 0..LOOKS_MAX {
        let reply = client.get(&format!("{PATH}/{id}")).await.expect("an answer");
        assert_eq!(reply.status, 200, "{}", reply.body);
        if reply.text("/status") == wanted {
            return reply;
        }
        tokio::time::sleep(LOOK_PAUSE).await;
    }
    panic!("the job {id} does not become {wanted}")
}

async fn listed(client: &Client, query: &str) -> BTreeSet<String> {
    let (mut found, mut cursor) = (BTreeSet::new(), String::new());
    loop {
        let reply = client.get(&format!("{PATH}?{query}{cursor}")).await.expect("an answer");
        assert_eq!(reply.status, 200, "{}", reply.body);
        let jobs = reply.body["jobs"].as_array().expect("jobs");
        found.extend(jobs.iter().filter_map(|job| job["id"].as_str()).map(str::to_owned));
        match reply.body["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return found,
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn jobs_follow_their_executions() {
    if !wanted() {
        return;
    }
    let workers = Workers::start().await;
    let state = StateDir::new("jobs");
    state.execute(&fixtures::templates(&workers));
    let mut stack = Stack::start(&state, &VARS);
    workers.report_to(stack.client());
    fifty_at_once(&stack.client()).await;
    never_stale(&stack.client()).await;
    called_off(&stack.client(), &state).await;
    stack = killed_between(stack, &workers).await;
    neither_without_the_other(&stack, &state).await;
}

/// Each of many that are made at once has an execution of its own, and comes to its end.
async fn fifty_at_once(client: &Client) {
    let bodies: Vec<Value> = (0..AT_ONCE).map(|n| job("parallel", n)).collect();
    let keys: Vec<String> = (0..AT_ONCE).map(|n| format!("fifty-{n}")).collect();
    let asked = bodies.iter().zip(&keys).map(|(body, key)| make(client, key, body));
    let (mut ids, mut executions) = (Vec::new(), BTreeSet::new());
    for reply in join_all(asked).await {
        let reply = reply.expect("an answer");
        assert_eq!(reply.status, 201, "{}", reply.body);
        executions.insert(reply.text("/pipeline_id").to_owned());
        ids.push(reply.text("/id").to_owned());
    }
    assert_eq!(executions.len(), AT_ONCE);
    for id in &ids {
        let done = until(client, id, "completed").await;
        assert_eq!(done.text("/execution/status"), "completed");
    }
    let completed = listed(client, "status=completed&search=parallel&limit=20").await;
    assert_eq!(completed, ids.into_iter().collect());
}

/// A job read right after its execution has ended says so, alone and in lists.
async fn never_stale(client: &Client) {
    for n in 0..10 {
        let body = job("sequential", 1000 + n);
        let made = make(client, &format!("stale-{n}"), &body).await.expect("an answer");
        let (id, execution) = (made.text("/id"), made.text("/pipeline_id"));
        let ended = client.wait_for_end(execution, Duration::from_secs(60)).await;
        let ended = ended.expect("it ends");
        let status = ended.text("/pipeline/status").to_owned();
        let query = format!("status={status}&limit=5");
        let path = format!("{PATH}/{id}");
        let (shown, found) = join(client.get(&path), listed(client, &query)).await;
        assert_eq!(shown.expect("an answer").text("/status"), status);
        assert!(found.contains(id), "{id} is not among those that are {status}");
        let open = listed(client, "status=running").await;
        assert!(!open.contains(id), "{id} is said to run after its end");
    }
}

/// Deleted while it waits: the execution is called off, its trail stays.
async fn called_off(client: &Client, state: &StateDir) {
    let made = make(client, "off", &job("wait", 0)).await.expect("an answer");
    let (id, execution) = (made.text("/id"), made.text("/pipeline_id"));
    until(client, id, "waiting").await;
    let request = client.as_client(client.request(Method::DELETE, &format!("{PATH}/{id}")));
    assert_eq!(client.send(request).await.expect("an answer").status, 204);
    let ended = client.wait_for_end(execution, Duration::from_secs(60)).await;
    assert_eq!(ended.expect("it ends").text("/pipeline/status"), "cancelled");
    let gone = client.get(&format!("{PATH}/{id}")).await.expect("an answer");
    assert_eq!(gone.status, 404);
    let trail = state
        .query(&format!("SELECT change FROM audit_log WHERE subject = '{id}' ORDER BY at, change"));
    let changes: Vec<&str> = trail.iter().filter_map(|row| row["change"].as_str()).collect();
    assert_eq!(changes, ["job.created", "job.deleted"]);
}

/// Requests are cut off anywhere; asked again by their keys, each job is there once, with one
/// execution.
async fn killed_between(mut stack: Stack, workers: &Workers) -> Stack {
    let mut n = 0;
    for kill in 0..KILLS {
        let client = stack.client();
        let range = n..n + 20;
        n += 20;
        let bodies: Vec<Value> = range.clone().map(|n| job("sequential", 2000 + n)).collect();
        let keys: Vec<String> = range.map(|n| format!("cut-{n}")).collect();
        let asked = join_all(bodies.iter().zip(&keys).map(|(body, key)| make(&client, key, body)));
        // Each kill meets the requests at another point on their way.
        let moment = Duration::from_millis(40 + 60 * kill as u64);
        tokio::time::timeout(moment, asked).await.ok();
        stack.kill();
        stack = stack.again();
        workers.report_to(stack.client());
        let client = stack.client();
        let again = join_all(bodies.iter().zip(&keys).map(|(body, key)| make(&client, key, body)));
        let mut ids = Vec::new();
        for reply in again.await {
            let reply = reply.expect("an answer");
            assert!(matches!(reply.status, 200 | 201), "{}: {}", reply.status, reply.body);
            ids.push(reply.text("/id").to_owned());
        }
        let known = ids.iter().filter(|id| !id.is_empty()).collect::<BTreeSet<_>>();
        assert_eq!(known.len(), bodies.len(), "each request has its job");
        for id in &ids {
            until(&client, id, "completed").await;
        }
    }
    stack
}

/// Every job that is seen has its execution, and every execution that was begun for one its job.
async fn neither_without_the_other(stack: &Stack, state: &StateDir) {
    let client = stack.client();
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert!(stack.fire_cron().await);
    let jobs = state.query("SELECT title, pipeline_id FROM jobs WHERE begun = 1");
    let owned: BTreeSet<&str> = jobs.iter().filter_map(|job| job["pipeline_id"].as_str()).collect();
    assert_eq!(owned.len(), jobs.len(), "each has its own execution");
    let titles: BTreeSet<&str> = jobs.iter().filter_map(|job| job["title"].as_str()).collect();
    assert_eq!(titles.len(), jobs.len(), "each request made one job");
    for id in &owned {
        let reply = client.execution(id).await.expect("an answer");
        assert_eq!(reply.text("/pipeline/status"), "completed", "{}", reply.body);
    }
    let begun =
        state.query("SELECT pipeline_id FROM pipeline_executions WHERE topic LIKE 'sequential 2%'");
    for row in &begun {
        let id = row["pipeline_id"].as_str().unwrap_or_default();
        assert!(owned.contains(id), "{id} has no job");
    }
    assert_eq!(begun.len(), KILLS * 20);
}
