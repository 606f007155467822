//! What cases demand of replies, so that a failure says what was found instead. It sends nothing.

use std::fmt::Debug;

use serde_json::Value;

use super::Outcome;
use crate::client::Reply;

/// Ends a case with a message unless something holds.
macro_rules! demand {
    ($holds:expr, $($text:tt)+) => {
        let holds: bool = $holds;
        if !holds {
            return Err(format!($($text)+));
        }
    };
}
pub(super) use demand;

/// An error that a reply must carry: its status, its code and its words, each exactly so.
#[derive(Clone, Copy, Debug)]
pub struct Fault<'f> {
    pub status: u16,
    pub code: &'f str,
    pub error: &'f str,
}

pub const KEY_REQUIRED: Fault =
    Fault { status: 401, code: "auth.key_required", error: "API key required" };
pub const KEY_INVALID: Fault =
    Fault { status: 401, code: "auth.key_invalid", error: "API key required" };
pub const WORKER_INVALID: Fault =
    Fault { status: 401, code: "auth.worker_invalid", error: "Worker authentication required" };
pub const TOPIC_MISSING: Fault =
    Fault { status: 400, code: "topic.missing", error: "Missing required field: topic" };
pub const JSON_MALFORMED: Fault =
    Fault { status: 400, code: "json.malformed", error: "The body is not valid JSON" };
pub const REQUEST_INVALID: Fault =
    Fault { status: 422, code: "request.invalid", error: "The request does not fit" };
pub const QUERY_INVALID: Fault =
    Fault { status: 422, code: "query.invalid", error: "The query does not fit" };
pub const HEADER_INVALID: Fault =
    Fault { status: 400, code: "header.invalid", error: "A header does not fit" };
pub const BODY_TOO_LARGE: Fault =
    Fault { status: 413, code: "body.too_large", error: "The body is too large" };
pub const MEDIA_TYPE: Fault =
    Fault { status: 415, code: "body.media_type", error: "The body must be JSON" };
pub const ROUTE_UNKNOWN: Fault =
    Fault { status: 404, code: "route.unknown", error: "Endpoint not found" };
pub const METHOD_NOT_ALLOWED: Fault =
    Fault { status: 405, code: "method.not_allowed", error: "Method not allowed" };
pub const PIPELINE_NOT_FOUND: Fault =
    Fault { status: 404, code: "pipeline.not_found", error: "Pipeline not found" };
pub const EXECUTION_ENDED: Fault =
    Fault { status: 409, code: "execution.ended", error: "The execution has ended" };
pub const EXECUTION_UNFINISHED: Fault =
    Fault { status: 409, code: "execution.unfinished", error: "The execution has not ended" };
pub const EXECUTION_CANCELLED: Fault =
    Fault { status: 409, code: "execution.cancelled", error: "The execution was cancelled" };
pub const EXECUTION_IN_PROGRESS: Fault =
    Fault { status: 409, code: "execution.in_progress", error: "The execution is in progress" };
pub const STEP_UNKNOWN: Fault =
    Fault { status: 404, code: "step.unknown", error: "The execution has no such step" };
pub const NOTHING_FAILED: Fault =
    Fault { status: 409, code: "execution.nothing_failed", error: "No step failed" };
pub const SIGNAL_UNKNOWN: Fault =
    Fault { status: 404, code: "signal.unknown", error: "No step waits for a signal of this name" };
pub const FENCE_STALE: Fault =
    Fault { status: 409, code: "fence.stale", error: "Nobody waits for this attempt any more" };
pub const EVENT_ID_INVALID: Fault = Fault {
    status: 400,
    code: "event_id.invalid",
    error: "No event of this execution has this id",
};
pub const WORKER_REQUIRED: Fault =
    Fault { status: 401, code: "auth.worker_required", error: "Worker authentication required" };
pub const IDEMPOTENCY_MISMATCH: Fault = Fault {
    status: 409,
    code: "idempotency.mismatch",
    error: "The idempotency key was used with another request",
};

/// Words that would show how the inside is made.
const LEAKS: [&str; 7] = ["SELECT ", "INSERT ", "sqlite", "panicked", ".rs:", "stack", "D1_ERROR"];

/// The reply carries this error, in the complete error form.
pub fn fault(reply: &Reply, expected: Fault<'_>) -> Outcome {
    status(reply, expected.status)?;
    same("code", reply.text("/code"), expected.code)?;
    same("error", reply.text("/error"), expected.error)?;
    same("status", reply.text("/status"), "error")?;
    same("request_id", Some(reply.text("/request_id")), reply.header("x-request-id"))?;
    same("content-type", reply.header("content-type"), Some("application/json"))?;
    moment(reply.text("/timestamp"))?;
    // The family of the tool registry lists what does not fit there, as its clients expect.
    let listed = reply.body["detail"].as_array().is_some_and(|detail| !detail.is_empty());
    demand!(listed || !reply.text("/detail").is_empty(), "no detail: {}", brief(&reply.body));
    demand!(!list(reply, "/retry_suggestions")?.is_empty(), "no retry_suggestions");
    let text = reply.body.to_string();
    let leak = LEAKS.iter().find(|leak| text.contains(**leak));
    demand!(leak.is_none(), "the error says {leak:?}: {}", brief(&reply.body));
    Ok(())
}

/// The template that an error says it has not found.
pub fn template_unknown(reply: &Reply, name: &str) -> Outcome {
    let error = format!("Pipeline template '{name}' not found");
    fault(reply, Fault { status: 404, code: "template.not_found", error: &error })
}

/// The error lists this violation, and says it in words.
pub fn violation(reply: &Reply, pointer: &str, code: &str) -> Outcome {
    let found = list(reply, "/violations")?;
    let at = |violation: &&Value| violation["pointer"] == pointer && violation["code"] == code;
    let violation = found.iter().find(at);
    let message = violation.and_then(|violation| violation["message"].as_str());
    demand!(
        message.is_some_and(|message| !message.is_empty()),
        "no violation {code} at {pointer}: {}",
        brief(&Value::from(found.clone()))
    );
    Ok(())
}

/// The reply has this status.
pub fn status(reply: &Reply, expected: u16) -> Outcome {
    let (found, body) = (reply.status, brief(&reply.body));
    demand!(found == expected, "status {found} instead of {expected}: {body}");
    Ok(())
}

/// The reply is a page that says something.
pub fn page(reply: &Reply) -> Outcome {
    status(reply, 200)?;
    let fields = reply.body.as_object().map_or(0, serde_json::Map::len);
    demand!(fields > 0, "no JSON object that says something: {}", brief(&reply.body));
    Ok(())
}

/// Two values are the same.
pub fn same<T: PartialEq + Debug>(what: &str, found: T, expected: T) -> Outcome {
    demand!(found == expected, "{what} is {found:?} instead of {expected:?}");
    Ok(())
}

/// A list of the body.
pub fn list<'r>(reply: &'r Reply, pointer: &str) -> Result<&'r Vec<Value>, String> {
    let found = reply.body.pointer(pointer).and_then(Value::as_array);
    found.ok_or_else(|| format!("{pointer} is no list: {}", brief(&reply.body)))
}

/// A number of the body.
pub fn number(reply: &Reply, pointer: &str) -> Result<f64, String> {
    let found = reply.body.pointer(pointer).and_then(Value::as_f64);
    found.ok_or_else(|| format!("{pointer} is no number: {}", brief(&reply.body)))
}

/// A field of each item, where it is a text.
pub fn texts<'v>(items: &'v [Value], field: &str) -> Vec<&'v str> {
    items.iter().filter_map(|item| item[field].as_str()).collect()
}

/// Whether a list of the body has this text.
pub fn has(reply: &Reply, pointer: &str, text: &str) -> Result<bool, String> {
    Ok(list(reply, pointer)?.iter().any(|item| item == text))
}

/// A moment such as `2026-11-21T10:00:00.000Z`.
pub fn moment(text: &str) -> Outcome {
    const FORM: &str = "dddd-dd-ddTdd:dd:dd.dddZ";
    let fits = text.chars().count() == FORM.len()
        && text.chars().zip(FORM.chars()).all(|(found, form)| match form {
            'd' => found.is_ascii_digit(),
            other => found == other,
        });
    demand!(fits, "{text:?} is no moment in ISO 8601 UTC with milliseconds");
    Ok(())
}

/// An execution's id: `pipe_<unix ms>_` and 26 base36 characters.
pub fn pipeline_id(text: &str) -> Outcome {
    let parts: Vec<&str> = text.split('_').collect();
    let fits = matches!(parts[..], ["pipe", ms, unique]
        if ms.len() == 13 && ms.bytes().all(|b| b.is_ascii_digit())
            && unique.len() == 26
            && unique.bytes().all(|b| b.is_ascii_digit() || b.is_ascii_lowercase()));
    demand!(fits, "{text:?} is no id of an execution");
    Ok(())
}

/// The reply shows an execution that completed, and what it says fits together.
pub fn completed(reply: &Reply) -> Outcome {
    status(reply, 200)?;
    same("status", reply.text("/status"), "completed")?;
    let id = reply.text("/pipeline_id");
    pipeline_id(id)?;
    same("pipeline.id", reply.text("/pipeline/id"), id)?;
    same("pipeline.status", reply.text("/pipeline/status"), "completed")?;
    same("pipeline_url", reply.text("/pipeline_url"), &format!("/pipeline/{id}"))?;
    same("template_name", reply.text("/pipeline/template_name"), reply.text("/template"))?;
    same("strategy", reply.text("/pipeline/strategy"), reply.text("/execution_strategy"))?;
    moment(reply.text("/pipeline/started_at"))?;
    moment(reply.text("/pipeline/completed_at"))?;
    let steps = list(reply, "/pipeline/worker_results")?;
    demand!(!steps.is_empty(), "there are no steps");
    let orders: Vec<i64> = steps.iter().filter_map(|step| step["step_order"].as_i64()).collect();
    demand!(orders.len() == steps.len() && orders.is_sorted(), "steps out of order: {orders:?}");
    let costs = steps.iter().filter_map(|step| step["cost_usd"].as_f64()).sum::<f64>();
    let total = number(reply, "/total_cost_usd")?;
    demand!((costs - total).abs() < 1e-6, "steps cost {costs}, the execution {total}");
    if let Some(score) = reply.body["final_quality_score"].as_f64() {
        demand!((0.0..=1.0).contains(&score), "final_quality_score is {score}");
    }
    Ok(())
}

/// A step of an execution.
pub fn step<'r>(reply: &'r Reply, name: &str) -> Result<&'r Value, String> {
    let steps = list(reply, "/pipeline/worker_results")?;
    let found = steps.iter().find(|step| step["step_name"] == name);
    found.ok_or_else(|| format!("{name} is missing from {:?}", texts(steps, "step_name")))
}

/// The step stands so.
pub fn step_stands(reply: &Reply, name: &str, expected: &str) -> Outcome {
    same(&format!("step {name}"), step(reply, name)?["status"].as_str(), Some(expected))
}

/// The first part of a value: replies can be long.
pub fn brief(value: &Value) -> String {
    const CHARS_MAX: usize = 300;
    let text = value.to_string();
    let mut brief: String = text.chars().take(CHARS_MAX).collect();
    if brief.len() < text.len() {
        brief.push('…');
    }
    brief
}
