//! Two hundred executions, 32 at a time: every one completes. The figures are printed, not judged.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::json;
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
#[expect(clippy::disallowed_methods, reason = "a tool of the tests measures time")]
async fn two_hundred_executions_complete() {
    if !wanted() {
        return;
    }
    let workers = Workers::start().await;
    let state = StateDir::new("load");
    state.execute(&template(&workers));
    let stack = Stack::start(&state, &["MAX_CONCURRENT_PIPELINES=64", "LOG_LEVEL=warn"]);
    let (next, took) = (Arc::new(AtomicUsize::new(0)), Arc::new(Mutex::new(Vec::new())));
    let began = Instant::now();
    let clients = (0..AT_ONCE).map(|_| {
        let (client, next, took) = (stack.client(), Arc::clone(&next), Arc::clone(&took));
        tokio::spawn(async move {
            loop {
                let n = next.fetch_add(1, Ordering::Relaxed);
                if n >= EXECUTIONS {
                    return;
                }
                let body = json!({
                    "topic": format!("load {n}"), "pipeline_template": "five", "use_cache": false,
                });
                let asked = Instant::now();
                let reply = client.orchestrate(&body).await.expect("an answer");
                assert_eq!(reply.status, 200, "{}", reply.body);
                assert_eq!(reply.text("/status"), "completed");
                took.lock().expect("no holder panics").push(asked.elapsed());
            }
        })
    });
    for client in clients.collect::<Vec<_>>() {
        client.await.expect("no client panics");
    }
    let seconds = began.elapsed().as_secs_f64();
    let mut took = took.lock().expect("no holder panics").clone();
    took.sort_unstable();
    let at = |share: f64| ms(took[((took.len() - 1) as f64 * share) as usize]);
    println!(
        "{EXECUTIONS} executions of {STEPS} steps, {AT_ONCE} at a time: {:.0} a second, p50 {:.1} \
         ms, p99 {:.1} ms",
        EXECUTIONS as f64 / seconds,
        at(0.5),
        at(0.99),
    );
    assert_eq!(took.len(), EXECUTIONS);
    assert_eq!(workers.calls().len(), EXECUTIONS * STEPS, "each step was called once");
}

fn ms(length: Duration) -> f64 {
    length.as_secs_f64() * 1000.0
}
