//! How each path is met.

use std::time::Duration;

use axum::extract::{DefaultBodyLimit, Path};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use serde_json::{Value, json};

use super::Workers;
use super::book::Visit;
use super::report::{Job, Manner};

/// The largest input that is taken, as of real workers.
const INPUT_BYTES_MAX: usize = 4 * 1024 * 1024;

pub(super) fn router() -> Router<Workers> {
    Router::new()
        .route("/echo", post(echo))
        .route("/slow/{ms}", post(slow))
        .route("/step/{ms}", post(step))
        .route("/flaky/{times}", post(flaky))
        .route("/fail/{times}", post(fail))
        .route("/fail/{times}/{status}", post(fail_with))
        .route("/busy/{times}/{seconds}", post(busy))
        .route("/refuse", post(refuse))
        .route("/costly/{micro_usd}", post(costly))
        .route("/async/{ms}", post(accept_once))
        .route("/async/{ms}/{manner}", post(accept))
        .layer(DefaultBodyLimit::max(INPUT_BYTES_MAX))
}

async fn echo(visit: Visit, Json(input): Json<Value>) -> Response {
    done(&visit, input)
}

async fn slow(visit: Visit, Path(ms): Path<u64>, Json(input): Json<Value>) -> Response {
    pause(ms).await;
    done(&visit, input)
}

async fn step(visit: Visit, Path(ms): Path<u64>, Json(input): Json<Value>) -> Response {
    pause(ms).await;
    done(&visit, json!({ "input": input, "calls": visit.nth, "cost_usd": 0 }))
}

async fn flaky(visit: Visit, Path(times): Path<usize>) -> Response {
    if visit.nth <= times {
        return refused(&visit, StatusCode::SERVICE_UNAVAILABLE);
    }
    done(&visit, json!({ "calls": visit.nth, "cost_usd": 0 }))
}

async fn fail(visit: Visit, Path(times): Path<usize>) -> Response {
    fail_with(visit, Path((times, 503))).await
}

async fn fail_with(visit: Visit, Path((times, status)): Path<(usize, u16)>) -> Response {
    if visit.nth_of_step <= times {
        let status = StatusCode::from_u16(status).expect("tests ask for a status");
        return refused(&visit, status);
    }
    done(&visit, json!({ "calls": visit.nth_of_step, "cost_usd": 0 }))
}

async fn busy(visit: Visit, Path((times, seconds)): Path<(usize, u64)>) -> Response {
    if visit.nth_of_path <= times {
        let refused = refused(&visit, StatusCode::TOO_MANY_REQUESTS);
        return ([("Retry-After", seconds.to_string())], refused).into_response();
    }
    done(&visit, json!({ "calls": visit.nth_of_path, "cost_usd": 0 }))
}

async fn refuse(visit: Visit) -> Response {
    refused(&visit, StatusCode::UNPROCESSABLE_ENTITY)
}

async fn costly(visit: Visit, Path(micro_usd): Path<u64>) -> Response {
    visit.perform();
    let usd = micro_usd as f64 / 1_000_000.0;
    ([("X-Cost-USD", usd.to_string())], Json(json!({ "ok": true }))).into_response()
}

async fn accept_once(visit: Visit, Path(ms): Path<u64>, input: Json<Value>) -> Response {
    accept(visit, Path((ms, Manner::Once)), input).await
}

async fn accept(
    visit: Visit,
    Path((ms, manner)): Path<(u64, Manner)>,
    Json(input): Json<Value>,
) -> Response {
    visit.answered();
    let body = manner.announcement();
    let job = Job {
        workers: visit.workers.clone(),
        key: visit.key.clone(),
        fence: visit.fence,
        nth: visit.nth,
        callback: visit.callback.clone(),
        takes: Duration::from_millis(ms),
        output: json!({ "input": input, "calls": visit.nth }),
    };
    tokio::spawn(job.work(manner));
    (StatusCode::ACCEPTED, Json(body)).into_response()
}

async fn pause(ms: u64) {
    if ms > 0 {
        tokio::time::sleep(Duration::from_millis(ms)).await;
    }
}

fn done(visit: &Visit, output: Value) -> Response {
    visit.perform();
    ([("X-Cost-USD", "0")], Json(output)).into_response()
}

fn refused(visit: &Visit, status: StatusCode) -> Response {
    visit.answered();
    let error = json!({ "status": "error", "error": "not now", "code": "test.refused" });
    (status, Json(error)).into_response()
}
