//! Two hundred executions, 32 at a time: every one completes. The figures are printed beside those
//! of a bare Worker that makes the same calls and keeps nothing; they are not judged.

use std::time::{Duration, Instant};

use futures::stream::{self, StreamExt};
use serde_json::{Value, json};
use testkit::stack::{Stack, StateDir, wanted};
use testkit::workers::Workers;

const EXECUTIONS: usize = 200;
const AT_ONCE: usize = 32;
const STEPS: usize = 5;

fn template(workers: &Workers) -> String {
    let mut sql = workers.registration("trivial", "/step/0");
    sql += "INSERT INTO pipeline_templates (name, display_name, description) \
            VALUES ('five', 'Five', 'Five steps, one after the other');\n";
    for step in 1..=STEPS {
        let needs = if step == 1 { "[]".to_owned() } else { format!("[\"s{}\"]", step - 1) };
        sql += &format!(
            "INSERT INTO pipeline_steps (template_name, step_order, step_name, worker_name, \
             depends_on_steps, input_mapping, output_mapping) VALUES ('five', {step}, 's{step}', \
             'trivial', '{needs}', '{{\"topic\":\"$.topic\"}}', '{{\"calls\":\"$.calls\"}}');\n"
        );
    }
    sql
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_executions_complete() {
    if !wanted() {
        return;
    }
    let workers = Workers::start().await;
    let state = StateDir::new("load");
    state.execute(&template(&workers));

    let floor = Stack::only(&state, "bench/floor/wrangler.toml");
    let url = format!("{}/step/0", workers.url());
    let body = |n: usize| json!({ "topic": format!("load {n}"), "url": url });
    let bare = load(&floor, "/", &body).await;
    println!("bare Worker, keeping nothing:  {bare}");
    drop(floor);
    assert_eq!(workers.calls().len(), EXECUTIONS * STEPS);

    let stack = Stack::start(&state, &["MAX_CONCURRENT_PIPELINES=64", "LOG_LEVEL=warn"]);
    let body = |n: usize| {
        let topic = format!("load {n}");
        json!({ "topic": topic, "pipeline_template": "five", "use_cache": false })
    };
    let durable = load(&stack, "/orchestrate", &body).await;
    println!("durable, each step kept:       {durable}");
    let calls = workers.calls().len();
    assert_eq!(calls, 2 * EXECUTIONS * STEPS, "each step was called once");
}

/// The figures of one load.
struct Figures {
    seconds: f64,
    took: Vec<Duration>,
    cpu_ms: u64,
    peak_kib: u64,
}

impl std::fmt::Display for Figures {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let at = |share: f64| {
            let place = (self.took.len() - 1) as f64 * share;
            self.took[place as usize].as_secs_f64() * 1000.0
        };
        write!(
            f,
            "{:.0} a second, p50 {:.1} ms, p99 {:.1} ms, CPU {:.2} ms each, peak {:.0} MiB",
            EXECUTIONS as f64 / self.seconds,
            at(0.5),
            at(0.99),
            self.cpu_ms as f64 / EXECUTIONS as f64,
            self.peak_kib as f64 / 1024.0,
        )
    }
}

/// So many requests, so many at once.
#[expect(clippy::disallowed_methods, reason = "a tool of the tests measures time")]
async fn load(stack: &Stack, path: &'static str, body: &impl Fn(usize) -> Value) -> Figures {
    let ask = |n: usize| {
        let (client, body) = (stack.client(), body(n));
        async move {
            let asked = Instant::now();
            let request = client.request(reqwest::Method::POST, path).json(&body);
            let reply = client.send(client.as_client(request)).await.expect("an answer");
            assert_eq!(reply.status, 200, "{}", reply.body);
            assert_eq!(reply.text("/status"), "completed");
            asked.elapsed()
        }
    };
    let before = stack.used();
    let began = Instant::now();
    let took = stream::iter(0..EXECUTIONS).map(ask).buffer_unordered(AT_ONCE);
    let mut took: Vec<Duration> = took.collect().await;
    let seconds = began.elapsed().as_secs_f64();
    took.sort_unstable();
    let used = stack.used();
    assert_eq!(took.len(), EXECUTIONS);
    Figures { seconds, took, cpu_ms: used.cpu_ms - before.cpu_ms, peak_kib: used.peak_kib }
}
