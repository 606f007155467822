//! Workers that live in the test's process: they survive a killed workerd, and remember every call.
//!
//! `POST /step/<ms>` answers after so many milliseconds with its input and `"calls"`, the number of
//! calls with this idempotency key so far. `POST /flaky/<n>` fails the first n calls of each key
//! with 503. `POST /refuse` answers 422. `POST /costly/<micro-USD>` charges so much.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::IntoResponse;
use axum::routing::post;
use axum::{Json, Router};
use serde_json::{Value, json};

/// One call that a worker got.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Call {
    /// `Idempotency-Key`.
    pub key: String,
    /// `X-Fence`.
    pub fence: u64,
    /// `X-Attempt`.
    pub attempt: u64,
    /// Whether it was answered.
    pub answered: bool,
}

/// The workers of one test.
#[derive(Clone, Debug)]
pub struct Workers {
    url: String,
    calls: Arc<Mutex<Vec<Call>>>,
}

impl Workers {
    /// Starts to serve on a free port of the loopback interface.
    pub async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await;
        let listener = listener.expect("the loopback interface has free ports");
        let address = listener.local_addr().expect("a bound listener has an address");
        let workers = Self { url: format!("http://{address}"), calls: Arc::default() };
        let router = Router::new()
            .route("/step/{ms}", post(step))
            .route("/flaky/{times}", post(flaky))
            .route("/refuse", post(refuse))
            .route("/costly/{micro_usd}", post(costly))
            .with_state(workers.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        workers
    }

    /// The base URL.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// All calls so far.
    pub fn calls(&self) -> Vec<Call> {
        self.calls.lock().expect("no holder panics").clone()
    }

    /// How often each key was called.
    pub fn counts(&self) -> BTreeMap<String, usize> {
        let mut counts = BTreeMap::new();
        for call in self.calls() {
            *counts.entry(call.key).or_default() += 1;
        }
        counts
    }

    /// The SQL that registers a worker `name` at `endpoint` of these.
    pub fn registration(&self, name: &str, endpoint: &str) -> String {
        format!(
            "INSERT INTO worker_registry (worker_name, display_name, base_url, endpoints, \
             estimated_cost_usd, timeout_ms) VALUES ('{name}', '{name}', '{}', '[\"{endpoint}\"]', \
             0.0, 10000);\n",
            self.url
        )
    }

    fn note(&self, headers: &HeaderMap) -> (usize, usize) {
        let text = |name: &str| headers.get(name).and_then(|v| v.to_str().ok()).unwrap_or_default();
        let call = Call {
            key: text("Idempotency-Key").to_owned(),
            fence: text("X-Fence").parse().unwrap_or(0),
            attempt: text("X-Attempt").parse().unwrap_or(0),
            answered: false,
        };
        let mut calls = self.calls.lock().expect("no holder panics");
        let nth = calls.iter().filter(|known| known.key == call.key).count() + 1;
        calls.push(call);
        (calls.len() - 1, nth)
    }

    fn answered(&self, place: usize) {
        self.calls.lock().expect("no holder panics")[place].answered = true;
    }
}

async fn step(
    State(workers): State<Workers>,
    Path(ms): Path<u64>,
    headers: HeaderMap,
    Json(input): Json<Value>,
) -> Json<Value> {
    let (place, nth) = workers.note(&headers);
    tokio::time::sleep(Duration::from_millis(ms)).await;
    workers.answered(place);
    Json(json!({ "input": input, "calls": nth, "cost_usd": 0 }))
}

async fn flaky(
    State(workers): State<Workers>,
    Path(times): Path<usize>,
    headers: HeaderMap,
) -> impl IntoResponse {
    let (place, nth) = workers.note(&headers);
    workers.answered(place);
    if nth <= times {
        let error = json!({ "status": "error", "error": "not yet", "code": "test.not_yet" });
        return (StatusCode::SERVICE_UNAVAILABLE, Json(error));
    }
    (StatusCode::OK, Json(json!({ "calls": nth, "cost_usd": 0 })))
}

async fn refuse(State(workers): State<Workers>, headers: HeaderMap) -> impl IntoResponse {
    workers.note(&headers);
    let error = json!({ "status": "error", "error": "never", "code": "test.never" });
    (StatusCode::UNPROCESSABLE_ENTITY, Json(error))
}

async fn costly(
    State(workers): State<Workers>,
    Path(micro_usd): Path<u64>,
    headers: HeaderMap,
) -> impl IntoResponse {
    workers.note(&headers);
    let usd = micro_usd as f64 / 1_000_000.0;
    ([("X-Cost-USD", usd.to_string())], Json(json!({ "ok": true })))
}
