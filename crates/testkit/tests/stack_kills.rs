//! workerd is killed at random moments under a load of every shape of work: nothing is lost,
//! nothing whose success was journaled is done again, everything comes to its end. `KILLS=100` is
//! the promise of the engine; fewer are made where nobody says so.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures::future::join_all;
use serde_json::{Value, json};
use testkit::client::Client;
use testkit::fixtures;
use testkit::stack::{Stack, StateDir, wanted};
use testkit::workers::Workers;

const KILLS: usize = 8;
const IN_FLIGHT_MIN: usize = 10;
/// Executions that are started before each kill, of each shape.
const OF_EACH: usize = 6;
const SHAPES: [&str; 7] = ["sequential", "parallel", "map", "wait", "pipeline", "callback", "tool"];
const PATIENCE: Duration = Duration::from_secs(180);
const VARS: [&str; 4] = [
    "MAX_CONCURRENT_PIPELINES=500",
    "LEASE_SECONDS=1",
    "MAX_PIPELINE_TIME_SECONDS=600",
    "DEFAULT_BUDGET_LIMIT_USD=1",
];

#[expect(clippy::disallowed_methods, reason = "a tool of the tests, not the Worker")]
fn kills() -> usize {
    let said = std::env::var("KILLS").ok().and_then(|text| text.parse().ok());
    said.unwrap_or(KILLS)
}

/// An execution of the load.
#[derive(Clone, Debug)]
struct Load {
    n: usize,
    shape: &'static str,
    id: Option<String>,
    ended: bool,
}

/// Results that stood in a journal, with the number of calls that they had taken by then.
type Kept = BTreeMap<String, usize>;

async fn start(client: &Client, load: &mut Load) {
    let body = json!({
        "topic": format!("{} {}", load.shape, load.n), "pipeline_template": load.shape,
        "async": true, "use_cache": false, "deadline_minutes": 10,
    });
    for _ in 0..50 {
        let asked = client.orchestrate_once(&format!("load-{}", load.n), &body).await;
        match asked {
            Ok(reply) if matches!(reply.status, 200 | 202) => {
                load.id = Some(reply.text("/pipeline_id").to_owned());
                return;
            }
            Ok(reply) if !matches!(reply.status, 429 | 503) => {
                panic!("start {} was answered with {}: {}", load.n, reply.status, reply.body)
            }
            _ => tokio::time::sleep(Duration::from_millis(100)).await,
        }
    }
}

/// Notes what the journals hold, counts what is open, and sends what waits its signal.
async fn look(client: &Client, workers: &Workers, load: &mut [Load], kept: &mut Kept) -> usize {
    let mut open = 0;
    for one in load.iter_mut().filter(|one| !one.ended) {
        let Some(id) = one.id.clone() else { continue };
        let reply = client.execution(&id).await.expect("a stack that serves answers");
        assert_eq!(reply.status, 200, "{id} was lost: {}", reply.body);
        let status = reply.text("/pipeline/status");
        one.ended = !matches!(status, "pending" | "running" | "waiting" | "paused");
        open += usize::from(!one.ended);
        let counts = workers.counts();
        let steps = reply.body.pointer("/pipeline/worker_results").and_then(Value::as_array);
        for step in steps.into_iter().flatten().filter(|step| step["success"] == true) {
            let key = format!("{id}/{}/1", step["step_name"].as_str().unwrap_or_default());
            let calls = counts.get(&key).copied().unwrap_or(0);
            kept.entry(key).or_insert(calls);
        }
        if one.shape == "wait" && status == "waiting" {
            signal(client, &id).await;
        }
    }
    open
}

/// The same signal however often it is sent.
async fn signal(client: &Client, id: &str) {
    let path = format!("/pipeline/{id}/signal/{}", fixtures::SIGNAL);
    let request = client.request(reqwest::Method::POST, &path).header("Idempotency-Key", "once");
    // It may have ended meanwhile: then it had its signal.
    client.send(client.as_client(request).json(&json!({"n": 1}))).await.ok();
}

#[tokio::test(flavor = "multi_thread")]
async fn every_shape_survives_kills_at_random_moments() {
    if !wanted() {
        return;
    }
    let workers = Workers::start().await;
    let state = StateDir::new("kills");
    state.execute(&fixtures::templates(&workers));
    let mut stack = Stack::start(&state, &VARS);
    let (mut load, mut kept): (Vec<Load>, Kept) = (Vec::new(), Kept::new());
    let mut seed: u64 = 0x9e37_79b9_7f4a_7c15 ^ u64::from(std::process::id());
    println!("seed {seed}");
    let kills = kills();
    let mut counted = 0;
    for kill in 1..=kills * 4 {
        let client = stack.client();
        workers.report_to(client.clone());
        let unanswered = load.iter().filter(|one| one.id.is_none()).count();
        let more = (SHAPES.len() * OF_EACH).saturating_sub(unanswered);
        for n in load.len()..load.len() + more {
            load.push(Load { n, shape: SHAPES[n % SHAPES.len()], id: None, ended: false });
        }
        // The kill comes while some are being started: those are asked for again, by their keys.
        let starts = load.iter_mut().filter(|one| one.id.is_none());
        let starts = join_all(starts.map(|one| start(&client, one)));
        let moment = Duration::from_millis(random(&mut seed, 300, 2500));
        tokio::time::timeout(moment, starts).await.ok();
        stack.kill();
        stack = stack.again();
        workers.report_to(stack.client());
        let open = look(&stack.client(), &workers, &mut load, &mut kept).await;
        println!("kill {kill}: {open} of {} executions in flight", load.len());
        counted += usize::from(open >= IN_FLIGHT_MIN);
        if counted == kills {
            break;
        }
    }
    assert_eq!(counted, kills, "too few executions were in flight to show anything");
    let client = stack.client();
    join_all(load.iter_mut().filter(|one| one.id.is_none()).map(|one| start(&client, one))).await;
    for _ in 0..PATIENCE.as_secs() {
        if look(&client, &workers, &mut load, &mut kept).await == 0 {
            break;
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    tell(&client, &workers, &load, &kept, kills).await;
}

/// Checks the whole and says what it came to.
async fn tell(client: &Client, workers: &Workers, load: &[Load], kept: &Kept, kills: usize) {
    let mut of_shape: BTreeMap<&str, usize> = BTreeMap::new();
    for one in load {
        let id = one.id.as_ref().unwrap_or_else(|| panic!("{one:?} was never started"));
        let reply = client.execution(id).await.expect("the stack answers");
        assert_eq!(reply.text("/pipeline/status"), "completed", "{}: {}", one.shape, reply.body);
        *of_shape.entry(one.shape).or_default() += 1;
    }
    let counts = workers.counts();
    for (key, calls) in kept {
        assert_eq!(counts.get(key).copied().unwrap_or(0), *calls, "{key} was called again");
    }
    let calls = workers.calls();
    let execution = |key: &str| key.split('/').next().unwrap_or_default().to_owned();
    let fences: BTreeSet<(String, u64)> =
        calls.iter().map(|call| (execution(&call.key), call.fence)).collect();
    assert_eq!(fences.len(), calls.len(), "two calls carried the same fence");
    let known: BTreeSet<String> = load.iter().filter_map(|one| one.id.clone()).collect();
    let all: BTreeSet<String> = calls.iter().map(|call| execution(&call.key)).collect();
    let children = all.difference(&known).count();
    assert_eq!(children, of_shape["pipeline"], "each sub-execution was begun once");
    let repeated = counts.values().filter(|calls| **calls > 1).count();
    println!(
        "{kills} kills, {} executions {of_shape:?}, {children} sub-executions, {} calls of {} \
         keys, {repeated} keys called more than once, {} results journaled before a look and \
         none asked for again",
        load.len(),
        calls.len(),
        counts.len(),
        kept.len(),
    );
}

/// The next number of a linear congruential sequence (Knuth's MMIX), from `min` up to `max`.
fn random(seed: &mut u64, min: u64, max: u64) -> u64 {
    *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    min + (*seed >> 33) % (max - min)
}
