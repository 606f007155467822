//! Owns the way of a request through a worker: route, credentials, body, handler, answer. It
//! performs what the pure modules decide, and turns every failure into the error form.

use std::future::Future;

use bytes::Bytes;
use futures::StreamExt;
use http::HeaderMap;
use serde_json::Value;
use worker::{Body, Env, HttpRequest};

use crate::call::Call;
use crate::error::{Allow, WorkerError};
use crate::info::{State, WorkerInfo};
use crate::model::Model;
use crate::reply::Reply;
use crate::route::{Route, route};
use crate::{BODY_BYTES_MAX, clock, deadline, money, request_id, vars};

/// The longest that a call without a deadline may take.
const CALL_MS_MAX: u32 = 600_000;

/// Serves one request: `/health`, `/help`, `/capabilities` and the worker's operations. Credentials
/// are checked before the body is read. A handler that is still busy at the deadline is dropped and
/// answered for with 504.
pub async fn serve<F, Fut>(
    req: HttpRequest,
    env: Env,
    info: &'static WorkerInfo,
    handle: F,
) -> worker::Result<http::Response<Body>>
where
    F: FnOnce(Call, Env) -> Fut,
    Fut: Future<Output = Result<Reply, WorkerError>>,
{
    let id = request_id::of(req.headers());
    match answer(req, env, info, handle, &id).await {
        Ok(answer) => {
            let cost: Option<(&str, &str)> =
                answer.cost_usd.as_deref().map(|cost| ("x-cost-usd", cost));
            respond(200, answer.json, &id, cost.as_slice())
        }
        Err(error) => {
            log_failure(info, &error, &id);
            fail(&error, &id)
        }
    }
}

/// A JSON response with the headers that every answer carries.
pub fn respond(
    status: u16,
    json: String,
    request_id: &str,
    headers: &[(&str, &str)],
) -> worker::Result<http::Response<Body>> {
    let chunk = futures::stream::once(async move { Ok::<_, std::convert::Infallible>(json) });
    let mut response = http::Response::builder()
        .status(status)
        .header("content-type", "application/json; charset=utf-8")
        .header("cache-control", "no-store")
        .header("x-content-type-options", "nosniff")
        .header("x-request-id", request_id);
    for (name, value) in headers {
        response = response.header(*name, *value);
    }
    Ok(response.body(Body::from_stream(chunk)?)?)
}

/// The error form as a response.
pub fn fail(error: &WorkerError, request_id: &str) -> worker::Result<http::Response<Body>> {
    let body = error.to_body(request_id, &clock::timestamp(clock::now_ms()));
    let retry_after = error.retry_after_s.map(|seconds| seconds.to_string());
    let cost = error.spent.as_ref().map(|spent| money::decimal_usd(spent.cost_micro_usd));
    let headers: Vec<(&str, &str)> = [
        ("allow", error.allow.map(Allow::as_str)),
        ("retry-after", retry_after.as_deref()),
        ("x-cost-usd", cost.as_deref()),
    ]
    .into_iter()
    .filter_map(|(name, value)| value.map(|value| (name, value)))
    .collect();
    respond(error.status, body.to_string(), request_id, &headers)
}

/// The body, read no further than `bytes_max`. More is 413.
pub async fn read_body(
    headers: &HeaderMap,
    mut body: Body,
    bytes_max: usize,
) -> Result<Vec<u8>, WorkerError> {
    let announced: Option<u64> = headers
        .get(http::header::CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok())
        .and_then(|text| text.parse().ok());
    if announced.is_some_and(|length| length > bytes_max as u64) {
        return Err(too_large(bytes_max));
    }
    let mut read: Vec<u8> = Vec::new();
    while let Some(chunk) = body.next().await {
        let chunk: Bytes = chunk.map_err(|_| {
            WorkerError::new(400, "body.interrupted", "The body ended before it was complete")
        })?;
        if read.len() + chunk.len() > bytes_max {
            return Err(too_large(bytes_max));
        }
        read.extend_from_slice(&chunk);
    }
    Ok(read)
}

/// What the caller did wrong is no error of this worker.
fn log_failure(info: &WorkerInfo, error: &WorkerError, request_id: &str) {
    let line = serde_json::json!({
        "event": "call.failed", "worker": info.name, "request.id": request_id,
        "status": error.status, "error.code": error.code,
    });
    if error.status >= 500 {
        worker::console_error!("{line}");
    } else {
        worker::console_log!("{line}");
    }
}

struct Answer {
    json: String,
    cost_usd: Option<String>,
}

async fn answer<F, Fut>(
    req: HttpRequest,
    env: Env,
    info: &'static WorkerInfo,
    handle: F,
    request_id: &str,
) -> Result<Answer, WorkerError>
where
    F: FnOnce(Call, Env) -> Fut,
    Fut: Future<Output = Result<Reply, WorkerError>>,
{
    let (parts, body) = req.into_parts();
    let operation = match route(info, &parts.method, parts.uri.path())? {
        Route::Health => return Ok(public(info.health(&state(&env)))),
        Route::Help => return Ok(public(info.help())),
        Route::Capabilities => return Ok(public(info.capabilities(&state(&env)))),
        Route::Operation(operation) => operation,
    };
    vars::secrets(&env).caller(&parts.headers)?;
    let bytes = read_body(&parts.headers, body, BODY_BYTES_MAX).await?;
    let call = Call::read(operation.path, &parts.headers, &bytes, request_id.to_owned())?;
    let limit_ms = call_limit_ms(call.deadline_ms, clock::now_ms())?;
    let reply = clock::within(limit_ms, handle(call, env))
        .await
        .unwrap_or_else(|| Err(WorkerError::deadline("The deadline passed during the work")))?;
    let wire = reply.into_wire();
    Ok(Answer { json: wire.json, cost_usd: Some(wire.cost_usd) })
}

/// The time until the deadline; the margin of `deadline::allowance_ms` is the handler's to keep, so
/// that a partial result gets out before this backstop closes.
fn call_limit_ms(deadline_ms: Option<i64>, now_ms: i64) -> Result<u32, WorkerError> {
    let Some(deadline_ms) = deadline_ms else { return Ok(CALL_MS_MAX) };
    match deadline::remaining_ms(deadline_ms, now_ms) {
        0 => Err(WorkerError::deadline("The deadline had passed when the call arrived")),
        left_ms => Ok(u32::try_from(left_ms).unwrap_or(CALL_MS_MAX).min(CALL_MS_MAX)),
    }
}

fn public(body: Value) -> Answer {
    Answer { json: body.to_string(), cost_usd: None }
}

fn state(env: &Env) -> State {
    State { model: Model::from_env(env).is_some(), missing_secrets: vars::secrets(env).missing() }
}

fn too_large(bytes_max: usize) -> WorkerError {
    WorkerError {
        retryable: Some(false),
        ..WorkerError::new(413, "body.too_large", "The body is too large")
    }
    .with_detail(format!("At most {bytes_max} bytes are read"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_lives_until_its_deadline() {
        assert_eq!(call_limit_ms(None, 0), Ok(CALL_MS_MAX));
        assert_eq!(call_limit_ms(Some(1500), 500), Ok(1000));
        assert_eq!(call_limit_ms(Some(i64::MAX), 0), Ok(CALL_MS_MAX));
        let error = call_limit_ms(Some(500), 500).unwrap_err();
        assert_eq!((error.status, error.code), (504, "deadline.exceeded"));
    }
}
