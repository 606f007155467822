//! Executions survive a killed workerd: nothing is lost, nothing that was journaled is done again.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::{Value, json};
use testkit::client::Client;
use testkit::stack::{Stack, StateDir, wanted};
use testkit::workers::Workers;

const EXECUTIONS: usize = 50;
const KILLS: usize = 5;
const IN_FLIGHT_MIN: usize = 10;
const STEPS: [&str; 5] = ["first", "left", "middle", "right", "last"];
const PATIENCE: Duration = Duration::from_secs(120);
/// Long enough for the retries of a step whose attempts are lost again and again.
const VARS: [&str; 4] = [
    "MAX_CONCURRENT_PIPELINES=64",
    "LEASE_SECONDS=1",
    "MAX_PIPELINE_TIME_SECONDS=600",
    "DEFAULT_BUDGET_LIMIT_USD=1",
];

/// One step, then three side by side, then one; each takes a while.
fn template(workers: &Workers) -> String {
    let mut sql = String::new();
    for (step, ms) in STEPS.iter().zip([200, 300, 500, 400, 300]) {
        sql += &workers.registration(&format!("{step}_worker"), &format!("/step/{ms}"));
    }
    sql += "INSERT INTO pipeline_templates (name, display_name, description, allow_parallel) \
            VALUES ('survivor', 'Survivor', 'One, three, one', 1);\n";
    for (order, (step, needs)) in STEPS
        .iter()
        .zip(["[]", "[\"first\"]", "[\"first\"]", "[\"first\"]", "[\"left\",\"middle\",\"right\"]"])
        .enumerate()
    {
        sql += &format!(
            "INSERT INTO pipeline_steps (template_name, step_order, step_name, worker_name, \
             depends_on_steps, input_mapping, retry_policy) VALUES ('survivor', {order}, '{step}', \
             '{step}_worker', '{needs}', '{{\"topic\":\"$.topic\"}}', \
             '{{\"max_retries\":50,\"initial_ms\":100,\"cap_ms\":1000}}');\n"
        );
    }
    sql
}

/// Starts an execution, again and again with the same key until there is an answer.
async fn start(client: &Client, n: usize) -> Option<String> {
    let body = json!({
        "topic": format!("execution {n}"), "pipeline_template": "survivor", "async": true,
        "deadline_minutes": 10, "use_cache": false,
    });
    let reply = client.orchestrate_once(&format!("survivor-{n}"), &body).await.ok()?;
    match reply.status {
        200 | 202 => Some(reply.text("/pipeline_id").to_owned()),
        429 | 503 => None,
        other => panic!("start {n} was answered with {other}: {}", reply.body),
    }
}

/// Steps whose success stands in the journal, and whether the execution has ended.
async fn journaled(client: &Client, id: &str) -> (BTreeSet<String>, bool) {
    let reply = client.execution(id).await.expect("a stack that serves answers");
    assert_eq!(reply.status, 200, "{id} was lost: {}", reply.body);
    let results = reply.body.pointer("/pipeline/worker_results").and_then(Value::as_array);
    let succeeded = results.into_iter().flatten().filter(|step| step["success"] == true);
    let names = succeeded.map(|step| step["step_name"].as_str().unwrap_or_default().to_owned());
    let status = reply.text("/pipeline/status");
    (names.collect(), !matches!(status, "pending" | "running" | "waiting"))
}

/// What was journaled, with the number of calls that it had taken by then.
type Kept = BTreeMap<String, usize>;

/// Right after a start on what a kill left: notes what the journals hold, counts what is open.
async fn take_stock(
    client: &Client,
    workers: &Workers,
    ids: &[Option<String>],
    kept: &mut Kept,
) -> usize {
    let mut open = 0;
    for id in ids.iter().flatten() {
        let (steps, ended) = journaled(client, id).await;
        open += usize::from(!ended);
        let counts = workers.counts();
        for step in steps {
            let key = format!("{id}/{step}/1");
            let calls = counts.get(&key).copied().unwrap_or(0);
            kept.entry(key).or_insert(calls);
        }
    }
    open
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_executions_survive_kills_at_random_moments() {
    if !wanted() {
        return;
    }
    let workers = Workers::start().await;
    let state = StateDir::new("faults");
    state.execute(&template(&workers));
    let mut stack = Stack::start(&state, &VARS);
    let mut ids: Vec<Option<String>> = vec![None; EXECUTIONS];
    let mut kept = Kept::new();
    let mut seed: u64 = 0x9e37_79b9_7f4a_7c15 ^ u64::from(std::process::id());
    println!("seed {seed}");
    for wave in 1..=KILLS {
        let client = stack.client();
        let asked = EXECUTIONS * wave / KILLS;
        start_all(&client, &mut ids[..asked]).await;
        tokio::time::sleep(Duration::from_millis(random(&mut seed, 50, 900))).await;
        stack.kill();
        stack = stack.again();
        let open = take_stock(&stack.client(), &workers, &ids, &mut kept).await;
        println!("kill {wave}: {open} of {asked} executions in flight");
        assert!(open >= IN_FLIGHT_MIN, "too few executions were in flight to show anything");
        // What was in flight is taken over when its lease has run out.
        tokio::time::sleep(Duration::from_millis(random(&mut seed, 800, 2500))).await;
    }
    let client = stack.client();
    for (n, id) in ids.iter().enumerate() {
        let id = id.as_ref().unwrap_or_else(|| panic!("execution {n} was never started"));
        let reply = client.wait_for_end(id, PATIENCE).await.expect("every execution ends");
        assert_eq!(reply.text("/pipeline/status"), "completed", "{}", reply.body);
    }
    let counts = workers.counts();
    for (key, calls) in &kept {
        assert_eq!(counts.get(key), Some(calls), "{key} was journaled and called again");
    }
    let fences: BTreeSet<(String, u64)> =
        workers.calls().into_iter().map(|call| (execution_of(&call.key), call.fence)).collect();
    assert_eq!(fences.len(), workers.calls().len(), "two calls carried the same fence");
    let repeated = counts.values().filter(|calls| **calls > 1).count();
    println!(
        "{} executions, {} steps, {} calls, {repeated} steps called more than once, {} results \
         journaled before a kill and never asked for again",
        ids.len(),
        ids.len() * STEPS.len(),
        workers.calls().len(),
        kept.len(),
    );
}

fn execution_of(key: &str) -> String {
    key.split('/').next().unwrap_or_default().to_owned()
}

/// Starts what has not been started; a start without an answer is made again.
async fn start_all(client: &Client, ids: &mut [Option<String>]) {
    for (n, id) in ids.iter_mut().enumerate().filter(|(_, id)| id.is_none()) {
        for _ in 0..50 {
            *id = start(client, n).await;
            if id.is_some() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

/// The next number of a linear congruential sequence (Knuth's MMIX), from `min` up to `max`.
fn random(seed: &mut u64, min: u64, max: u64) -> u64 {
    *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    min + (*seed >> 33) % (max - min)
}
