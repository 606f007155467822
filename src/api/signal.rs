//! Named signals: what steps of the kind `wait` wait for.

use api_types::VerbReply;
use axum::http::HeaderMap;
use axum::response::Response;
use engine::execution::{INLINE_BYTES_MAX, Message, Payload};

use super::message::{Telling, asked, check_nesting, find, tell};
use crate::auth::{Act, Authorized};
use crate::error::ApiError;
use crate::extract::{AnyJson, ExecutionPath, SignalPath};
use crate::openapi::{BodyErrors, CLIENT, ClientErrors, VerbErrors, VerbHeaders};
use crate::request::RequestContext;

/// Sends a signal to an execution.
///
/// The body, at most 64 KiB of any JSON, is what the signal brings; none is `null`. A signal that
/// comes before its step waits for it is kept. An approval is a signal that says
/// `{"approved": true}` or `{"approved": false}`.
#[utoipa::path(
    post, path = "/pipeline/{id}/signal/{name}", tag = CLIENT,
    request_body(content = Value, description = "What the signal brings"),
    params(
        ("id" = String, Path, description = "The execution's id"),
        ("name" = String, Path, description = "The signal's name: 1 to 64 characters",
            min_length = 1, max_length = 64, pattern = "^[^\\u0000-\\u001f\\u007f-\\u009f]*$"),
        VerbHeaders,
    ),
    responses(
        (status = 200, description = "The execution has met it", body = VerbReply),
        (status = 202, description = "It is stored and will be met", body = VerbReply),
        BodyErrors, ClientErrors, VerbErrors,
    ),
    security(("client_key" = []), ("worker_secret" = [], "worker_id" = [])),
)]
#[worker::send]
pub async fn signal(
    authorized: Authorized<Act>,
    ExecutionPath(id): ExecutionPath,
    SignalPath(name): SignalPath,
    context: RequestContext,
    headers: HeaderMap,
    AnyJson(payload): AnyJson<INLINE_BYTES_MAX>,
) -> Result<Response, ApiError> {
    check_nesting(&payload, "")?;
    // The same key may stand for signals of different names.
    let verb = format!("signal/{name}");
    let (asked, payload) = (asked(&authorized.caller, None), Payload::inline(payload));
    let telling =
        Telling::read(&verb, Message::Signal { asked, name, payload, answers: None }, &headers)?;
    let state = find(&context, Some(authorized.caller.account()), &id, false).await?;
    tell(&context, &state, Telling { verb: "signal", ..telling }).await
}
