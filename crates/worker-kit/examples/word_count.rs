//! A whole worker: counts the words of a text.

use serde::Deserialize;
use worker::{Body, Context, Env, HttpRequest};
use worker_kit::{Operation, Reply, Validate, Violations, WorkerInfo};

static INFO: WorkerInfo = WorkerInfo {
    name: "word_count",
    version: env!("CARGO_PKG_VERSION"),
    description: "Counts the words of a text",
    operations: &[Operation {
        path: "/count",
        summary: "Counts words",
        input: r#"{"text":"to be or not to be"}"#,
        output: r#"{"words":6,"cost_usd":0}"#,
        estimated_cost_usd: 0.0,
    }],
};

#[derive(Deserialize)]
struct Input {
    text: String,
}

impl Validate for Input {
    fn validate(&self, violations: &mut Violations) {
        violations.text("/text", &self.text, 1..=100_000);
    }
}

#[worker::event(fetch)]
async fn fetch(req: HttpRequest, env: Env, _: Context) -> worker::Result<http::Response<Body>> {
    worker_kit::serve(req, env, &INFO, |call, _env| async move {
        let input: Input = call.parse()?;
        Reply::of(&serde_json::json!({"words": input.text.split_whitespace().count()}))
    })
    .await
}
