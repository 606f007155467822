//! Each shape of work on the real stack: steps, maps, waits, sub-executions, callbacks,
//! compensations; and what can be asked of an execution while it goes on and after its end.

use std::time::Duration;

use serde_json::{Value, json};
use testkit::client::{Client, Reply};
use testkit::fixtures;
use testkit::stack::{Stack, StateDir, wanted};
use testkit::workers::Workers;

const PATIENCE: Duration = Duration::from_secs(60);
const VARS: [&str; 3] =
    ["MAX_CONCURRENT_PIPELINES=64", "DEFAULT_BUDGET_LIMIT_USD=1", "SYNC_WINDOW_SECONDS=20"];

struct Bench {
    workers: Workers,
    client: Client,
    _stack: Stack,
    _state: StateDir,
}

impl Bench {
    async fn start(name: &str, more: &str) -> Self {
        let workers = Workers::start().await;
        let state = StateDir::new(name);
        state.execute(&(fixtures::templates(&workers) + more));
        let stack = Stack::start(&state, &VARS);
        let client = stack.client();
        workers.report_to(client.clone());
        Self { workers, client, _stack: stack, _state: state }
    }

    async fn begin(&self, template: &str, more: Value) -> String {
        let mut body = json!({
            "topic": template, "pipeline_template": template, "async": true, "use_cache": false,
        });
        if let (Some(body), Value::Object(more)) = (body.as_object_mut(), more) {
            body.extend(more);
        }
        let reply = self.client.orchestrate(&body).await.expect("the stack answers");
        assert_eq!(reply.status, 202, "{}", reply.body);
        reply.text("/pipeline_id").to_owned()
    }

    async fn ask(&self, id: &str, verb: &str, body: Value) -> Reply {
        let request = self.client.request(reqwest::Method::POST, &format!("/pipeline/{id}/{verb}"));
        let request = self.client.as_client(request).json(&body);
        self.client.send(request).await.expect("the stack answers")
    }

    /// Waits until the execution stands as wanted.
    async fn until(&self, id: &str, wanted: &str) -> Reply {
        let mut last = String::new();
        for _ in 0..PATIENCE.as_millis() / 50 {
            let reply = self.client.execution(id).await.expect("the stack answers");
            if reply.text("/pipeline/status") == wanted {
                return reply;
            }
            last = reply.body.to_string();
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("{id} did not become {wanted}: {last}");
    }

    async fn end(&self, id: &str) -> Reply {
        self.client.wait_for_end(id, PATIENCE).await.expect("it ends")
    }
}

fn step<'r>(reply: &'r Reply, name: &str) -> &'r Value {
    let steps = reply.body.pointer("/pipeline/worker_results").and_then(Value::as_array);
    let found = steps.into_iter().flatten().find(|step| step["step_name"] == name);
    found.unwrap_or_else(|| panic!("no step {name} in {}", reply.body))
}

#[tokio::test(flavor = "multi_thread")]
async fn every_shape_completes() {
    if !wanted() {
        return;
    }
    let bench = Bench::start("shapes", "").await;
    let mut begun = Vec::new();
    for template in fixtures::COMPLETING {
        begun.push((template, bench.begin(template, json!({})).await));
    }
    for (template, id) in &begun {
        if *template == "wait" {
            bench.until(id, "waiting").await;
            let reply = bench.ask(id, "signal/go", json!({"said": "go"})).await;
            assert!(matches!(reply.status, 200 | 202), "{}", reply.body);
        }
        let reply = bench.end(id).await;
        assert_eq!(reply.text("/pipeline/status"), "completed", "{template}: {}", reply.body);
        println!("{template}: {} ms", reply.body["total_execution_time_ms"]);
        match *template {
            "map" => {
                let results = &step(&reply, "each")["data"]["results"];
                let places: Vec<_> =
                    results.as_array().unwrap().iter().map(|r| &r["place"]).collect();
                assert_eq!(
                    places,
                    (0..20).map(Value::from).collect::<Vec<_>>().iter().collect::<Vec<_>>()
                );
            }
            "wait" => assert_eq!(step(&reply, "go")["data"], json!({"said": "go"})),
            "pipeline" => assert_eq!(step(&reply, "inner")["data"]["right"], "pipeline"),
            "callback" => assert_eq!(step(&reply, "asked")["success"], true),
            "tool" => {
                assert_eq!(step(&reply, "say")["worker_name"], "tool:echo_tool");
                let recorded = step(&reply, "say")["artifacts"]["recorded"].as_array().unwrap();
                assert_eq!(recorded.len(), 1, "{}", reply.body);
                assert_eq!(step(&reply, "each")["data"]["results"][2]["n"], 3);
            }
            _ => {}
        }
    }
    assert!(bench.workers.counts().values().all(|calls| *calls == 1), "nothing is asked twice");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_succeeded_is_undone_in_reverse_order() {
    if !wanted() {
        return;
    }
    let bench = Bench::start("undo", "").await;
    let id = bench.begin(fixtures::COMPENSATION, json!({})).await;
    let reply = bench.end(&id).await;
    assert_eq!(reply.text("/pipeline/status"), "failed", "{}", reply.body);
    for name in ["charge", "reserve"] {
        assert_eq!(step(&reply, name)["status"], "compensated", "{}", reply.body);
    }
    let keys: Vec<String> = bench.workers.calls().into_iter().map(|call| call.key).collect();
    let key = |path: &str| format!("{id}/{path}/1");
    let expected = ["charge", "reserve", "fail", "reserve/compensate", "charge/compensate"];
    assert_eq!(keys, expected.map(key), "each once, and undone in reverse order");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_execution_is_paused_resumed_cancelled_and_done_anew() {
    if !wanted() {
        return;
    }
    let bench = Bench::start("verbs", "").await;
    let id = bench.begin("sequential", json!({})).await;
    let reply = bench.ask(&id, "pause", json!({"reason": "lunch"})).await;
    assert!(matches!(reply.status, 200 | 202), "{}", reply.body);
    bench.until(&id, "paused").await;
    let why = bench.client.get(&format!("/pipeline/{id}/why")).await.unwrap();
    assert_eq!(why.status, 200);
    println!("{}", why.body);
    let again = bench.ask(&id, "pause", json!({})).await;
    assert_eq!(again.status, 200, "{}", again.body);
    bench.ask(&id, "resume", json!({})).await;
    let reply = bench.end(&id).await;
    assert_eq!(reply.text("/pipeline/status"), "completed", "{}", reply.body);
    assert_eq!(step(&reply, "fifth")["data"]["n"], 5);

    let reply = bench.ask(&id, "rerun", json!({"step": "third", "input": {"n": 40}})).await;
    assert!(matches!(reply.status, 200 | 202), "{}", reply.body);
    tokio::time::sleep(Duration::from_millis(300)).await;
    let reply = bench.end(&id).await;
    assert_eq!(step(&reply, "fifth")["data"]["n"], 42, "{}", reply.body);
    let counts = bench.workers.counts();
    assert_eq!(counts.get(&format!("{id}/first/1")), Some(&1));
    assert_eq!(counts.get(&format!("{id}/first/2")), None, "what came before is kept");
    assert_eq!(counts.get(&format!("{id}/fifth/2")), Some(&1));

    let waits = bench.begin("wait", json!({})).await;
    bench.until(&waits, "waiting").await;
    let reply = bench.ask(&waits, "cancel", json!({"reason": "changed my mind"})).await;
    assert!(matches!(reply.status, 200 | 202), "{}", reply.body);
    let reply = bench.end(&waits).await;
    assert_eq!(reply.text("/pipeline/status"), "cancelled");
    let reply = bench.ask(&waits, "signal/go", json!({})).await;
    assert_eq!((reply.status, reply.text("/code")), (409, "execution.ended"), "{}", reply.body);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_spent_budget_parks_the_execution_until_it_is_raised() {
    if !wanted() {
        return;
    }
    let dear = "INSERT INTO pipeline_templates (name, display_name) VALUES ('dear', 'Dear');\n\
        INSERT INTO pipeline_steps (template_name, step_order, step_name, worker_name, \
        depends_on_steps, condition) VALUES ('dear', 1, 'one', 'charger', '[]', NULL), \
        ('dear', 2, 'two', 'charger', '[\"one\"]', 'true');\n";
    let bench = Bench::start("budget", dear).await;
    let id = bench.begin("dear", json!({"budget_limit": 0.0015})).await;
    bench.until(&id, "paused").await;
    let why = bench.client.get(&format!("/pipeline/{id}/why")).await.unwrap();
    println!("{}", why.body);
    let refused = bench.ask(&id, "resume", json!({})).await;
    assert_eq!((refused.status, refused.text("/code")), (409, "budget.exhausted"));
    let reply = bench.ask(&id, "resume", json!({"budget_limit": 0.01})).await;
    assert!(matches!(reply.status, 200 | 202), "{}", reply.body);
    let reply = bench.end(&id).await;
    assert_eq!(reply.text("/pipeline/status"), "completed", "{}", reply.body);
    assert_eq!(reply.body["total_cost_usd"], 0.002, "{} {:?}", reply.body, bench.workers.counts());
}
