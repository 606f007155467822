//! What workers that answered 202 report of their attempts: a result, a failure, or that they are
//! still at it.

use api_types::{CompletionError, CompletionRequest, CompletionStatus, VerbReply};
use axum::http::HeaderMap;
use axum::response::Response;
use engine::execution::{Applies, Fault, FaultKind, Message, Outcome, Payload, Refusal, State};
use engine::ids::{ExecutionId, Fence, Seq};
use engine::money::MicroUsd;
use engine::plan::Kind;
use engine::time::Millis;

use super::message::{
    Telling, check_nesting, own_shard, tell, unchanged, violation, without_journal,
};
use crate::auth::{Authorized, WorkerReport};
use crate::driver::{self, ReadError};
use crate::effects::offload;
use crate::error::ApiError;
use crate::extract::{ExecutionPath, LargeDocument, StepPath};
use crate::journal::replay;
use crate::openapi::{BodyErrors, ClientErrors, VerbErrors, WORKER};
use crate::request::RequestContext;

/// The largest report, which carries an output.
const REPORT_BYTES_MAX: usize = 4 * 1024 * 1024;
/// The status that a failure stands for which a worker reports itself.
const REPORTED_STATUS: u16 = 500;
/// How much of a step's path a message repeats.
const STEP_CHARS_SHOWN: usize = 100;

/// Reports of an attempt whose worker had answered 202.
///
/// `succeeded` brings the output, `failed` the error, `running` is a heartbeat. A report that is
/// repeated is answered as the first one was. Once nobody waits for the attempt it is 409
/// `fence.stale`, after the execution's end 409 `execution.ended`: the worker can stop. At most
/// 4 MiB.
#[utoipa::path(
    post, path = "/pipeline/{id}/steps/{step}/complete", tag = WORKER,
    request_body = CompletionRequest,
    params(
        ("id" = String, Path, description = "The execution's id"),
        ("step" = String, Path, description = "The step's path, percent-encoded: `classify[3]`"),
        ("X-Fence" = Option<u64>, Header, description = "What the attempt carried in this \
            header; needed unless the body has `fence`"),
        ("Prefer" = Option<String>, Header, description = "`respond-async`, or `wait=n` for at \
            most n seconds (10 at most)"),
    ),
    responses(
        (status = 200, description = "The execution has met it", body = VerbReply),
        (status = 202, description = "It is stored and will be met", body = VerbReply),
        BodyErrors, ClientErrors, VerbErrors,
    ),
    security(("worker_secret" = [], "worker_id" = [])),
)]
#[worker::send]
pub async fn complete(
    authorized: Authorized<WorkerReport>,
    ExecutionPath(id): ExecutionPath,
    StepPath(step): StepPath,
    context: RequestContext,
    headers: HeaderMap,
    LargeDocument(report): LargeDocument<CompletionRequest, REPORT_BYTES_MAX>,
) -> Result<Response, ApiError> {
    let fence = fence_of(&headers, report.fence)?;
    let by = authorized.caller.worker_name();
    let message = message_of(report, &by, fence, &step)?;
    own_shard(&context, &id)?;
    context.note(|notes| notes.execution = Some(id.clone()));
    // Workers serve executions of every account.
    let Some((_, records)) = driver::records(&context.site(), &id, Seq(0)).await? else {
        return Err(without_journal(&context, None, &id).await?);
    };
    let state = replay::state(replay::events(&records).map_err(ReadError::from)?);
    let state = state.map_err(ReadError::from)?;
    let past = Past::of(&records, fence);
    check_step(&state, &step, fence, &past)?;
    let heartbeat = matches!(message, Message::Heartbeat { .. });
    let telling = Telling {
        // A repeated report is the same report, whatever other keys it carries.
        key: (!heartbeat).then(|| format!("complete:{fence}")),
        ..Telling::read(if heartbeat { "heartbeat" } else { "complete" }, message, &headers)?
    };
    let applies = state.applies(&telling.message);
    if past.is_reported && !heartbeat && matches!(applies, Applies::Refused(_)) {
        return unchanged(&state, &telling);
    }
    // What will be refused must not leave an object behind.
    let telling = match applies {
        Applies::Yes => offloaded(&context, &id, (&step, fence), telling).await?,
        Applies::Already | Applies::Refused(_) => telling,
    };
    tell(&context, &state, telling).await
}

/// The fence by the header or the body: one of them, or both alike.
fn fence_of(headers: &HeaderMap, in_body: Option<u64>) -> Result<Fence, ApiError> {
    let in_header = match headers.get("x-fence") {
        None => None,
        Some(value) => {
            let number = value.to_str().ok().and_then(|text| text.trim().parse::<u64>().ok());
            let number = number.filter(|number| *number > 0);
            Some(number.ok_or_else(|| {
                violation("/fence", "type", "X-Fence is not a whole number above 0")
            })?)
        }
    };
    match (in_header, in_body) {
        (Some(one), Some(other)) if one != other => {
            Err(violation("/fence", "mismatch", "X-Fence and fence are not the same"))
        }
        (Some(fence), _) | (None, Some(fence)) => Ok(Fence(fence)),
        (None, None) => {
            Err(violation("/fence", "required", "is required, here or in the header X-Fence"))
        }
    }
}

fn message_of(
    report: CompletionRequest,
    by: &str,
    fence: Fence,
    step: &str,
) -> Result<Message, ApiError> {
    let CompletionRequest { status, fence: _, output, error, cost_usd, heartbeat_ms } = report;
    let result = match status {
        CompletionStatus::Running => {
            return Ok(Message::Heartbeat { fence, silence: heartbeat_ms.map(Millis::new) });
        }
        CompletionStatus::Succeeded => {
            let missing = || violation("/output", "required", "is required of what succeeded");
            let output = output.ok_or_else(missing)?;
            check_nesting(&output, "/output")?;
            Ok(Payload::inline(output))
        }
        CompletionStatus::Failed => {
            let missing = || violation("/error", "required", "is required of what failed");
            Err(fault_of(error.ok_or_else(missing)?, by, step))
        }
    };
    let cost = cost_usd.and_then(MicroUsd::from_usd);
    let outcome = Outcome { result, cost, memoised: None };
    Ok(Message::Completed { by: by.to_owned(), fence, outcome })
}

/// The fault of an attempt that its worker calls failed: like an answer with status 500.
fn fault_of(error: CompletionError, by: &str, step: &str) -> Fault {
    let CompletionError { code, message, retryable, retry_after_s } = error;
    let message = format!("step `{step}`: {by} reported `{code}`: {message}");
    let mut fault = Fault::new(FaultKind::Http(REPORTED_STATUS), "worker.refused", message);
    fault.retryable = retryable;
    fault.retry_after = retry_after_s.map(|seconds| Millis::from_secs(seconds.into()));
    fault
}

/// What the journal says of the attempt with a fence.
#[derive(Debug, Default)]
struct Past {
    /// The path of its step.
    step: Option<String>,
    /// Whether a report of it has been met: its worker had answered 202, and its end is not that
    /// nobody waited for it any more.
    is_reported: bool,
}

/// As much of an event as that takes.
#[derive(serde::Deserialize)]
struct Trace {
    #[serde(rename = "type")]
    kind: String,
    step: Option<String>,
    fence: Option<Fence>,
    fault: Option<Fault>,
}

impl Past {
    fn of(records: &[String], fence: Fence) -> Self {
        let (mut past, mut is_accepted) = (Self::default(), false);
        let mark = format!("\"fence\":{fence}");
        let found = records.iter().filter(|record| record.contains(&mark));
        let events = found.filter_map(|record| serde_json::from_str::<Vec<Trace>>(record).ok());
        for event in events.flatten().filter(|event| event.fence == Some(fence)) {
            match event.kind.as_str() {
                "attempt_started" => past.step = event.step,
                "attempt_accepted" => is_accepted = true,
                "step_succeeded" => past.is_reported = is_accepted,
                "attempt_failed" => {
                    let kind = event.fault.map(|fault| fault.kind);
                    past.is_reported = is_accepted && matches!(kind, Some(FaultKind::Http(_)));
                }
                _ => {}
            }
        }
        past
    }
}

/// Refuses a step that the template does not have, and a fence of another one.
fn check_step(state: &State, step: &str, fence: Fence, past: &Past) -> Result<(), ApiError> {
    let id = &state.started.id;
    let name = step.strip_suffix("/compensate").unwrap_or(step);
    let (name, element) = match name.strip_suffix(']').and_then(|text| text.split_once('[')) {
        Some((name, index)) => (name, Some(index.parse::<u32>().is_ok())),
        None => (name, None),
    };
    let index = state.plan.find(name).filter(|index| {
        let is_map = matches!(state.plan.step(*index).kind, Kind::Map(_));
        element.is_none_or(|number| number && is_map)
    });
    if index.is_none() {
        let shown: String = step.chars().take(STEP_CHARS_SHOWN).collect();
        let message = format!("the template `{}` has no step `{shown}`", state.plan.name);
        return Err(ApiError::refused(id, Refusal { code: "step.unknown", message }));
    }
    match &past.step {
        Some(owner) if owner != step => {
            let message = format!("fence {fence} is that of an attempt of step `{owner}`");
            Err(ApiError::refused(id, Refusal { code: "fence.stale", message }))
        }
        _ => Ok(()),
    }
}

/// Puts a large output into R2 first, so that the inbox stays small.
async fn offloaded<'a>(
    context: &RequestContext,
    id: &ExecutionId,
    place: (&str, Fence),
    mut telling: Telling<'a>,
) -> Result<Telling<'a>, ApiError> {
    if let Message::Completed { outcome: Outcome { result: Ok(output), .. }, .. } =
        &mut telling.message
    {
        offload::store_reported(context.bindings(), id, place, output).await?;
    }
    Ok(telling)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::cache::tests::begun;

    fn headers(fence: &str) -> HeaderMap {
        HeaderMap::from_iter([("x-fence".parse().unwrap(), fence.parse().unwrap())])
    }

    fn report(body: Value) -> Result<Message, ApiError> {
        let report = serde_json::from_value(body).unwrap();
        message_of(report, "worker:w", Fence(7), "fetch")
    }

    fn pointer(error: ApiError) -> String {
        match error {
            ApiError::RequestInvalid(found) => found[0].pointer.clone(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_fence_stands_in_the_header_or_the_body() {
        assert_eq!(fence_of(&headers("7"), None).unwrap(), Fence(7));
        assert_eq!(fence_of(&headers("7"), Some(7)).unwrap(), Fence(7));
        assert_eq!(fence_of(&HeaderMap::new(), Some(7)).unwrap(), Fence(7));
        for (headers, body) in [
            (HeaderMap::new(), None),
            (headers("7"), Some(8)),
            (headers("0"), None),
            (headers("-1"), None),
            (headers("seven"), Some(7)),
        ] {
            assert_eq!(pointer(fence_of(&headers, body).unwrap_err()), "/fence");
        }
    }

    #[test]
    fn a_report_becomes_a_message() {
        let Ok(Message::Completed { by, fence, outcome }) =
            report(json!({ "status": "succeeded", "output": { "n": 1 }, "cost_usd": 0.02 }))
        else {
            panic!("it is a completion")
        };
        assert_eq!((by.as_str(), fence), ("worker:w", Fence(7)));
        assert_eq!(outcome.cost, MicroUsd::from_usd(0.02));
        assert_eq!(outcome.result.unwrap(), Payload::inline(json!({ "n": 1 })));
        let beat = report(json!({ "status": "running", "heartbeat_ms": 5000 })).unwrap();
        let silence = Some(Millis::from_secs(5));
        assert_eq!(beat, Message::Heartbeat { fence: Fence(7), silence });
    }

    #[test]
    fn a_failure_says_what_the_worker_said() {
        let error = json!({ "code": "feed.gone", "message": "no feed", "retryable": false });
        let Ok(Message::Completed { outcome, .. }) =
            report(json!({ "status": "failed", "error": error }))
        else {
            panic!("it is a completion")
        };
        let fault = outcome.result.unwrap_err();
        assert_eq!((fault.code.as_str(), fault.retryable), ("worker.refused", Some(false)));
        assert!(fault.message.contains("feed.gone") && fault.message.contains("`fetch`"));
    }

    #[test]
    fn a_report_without_its_half_is_refused() {
        let lacking = report(json!({ "status": "succeeded" })).unwrap_err();
        assert_eq!(pointer(lacking), "/output");
        let lacking = report(json!({ "status": "failed" })).unwrap_err();
        assert_eq!(pointer(lacking), "/error");
    }

    #[test]
    fn a_step_that_the_template_lacks_is_told() {
        let step = json!({ "name": "a", "order": 1, "kind": "transform", "input_mapping": {} });
        let state = begun(json!({ "name": "t", "steps": [step] }), json!({}));
        let past = Past::default();
        assert!(check_step(&state, "a", Fence(1), &past).is_ok());
        for unknown in ["b", "", "a[1]", "a[x]", "a]", &"a".repeat(5000)] {
            let error = check_step(&state, unknown, Fence(1), &past).unwrap_err();
            assert_eq!(error.code().as_str(), "step.unknown", "{unknown}");
        }
        let past = Past { step: Some("b".to_owned()), is_reported: false };
        let error = check_step(&state, "a", Fence(1), &past).unwrap_err();
        assert_eq!(error.code().as_str(), "fence.stale");
    }

    #[test]
    fn a_report_that_was_met_is_told_from_an_attempt_that_was_given_up() {
        let started = r#"[{"type":"started"},{"type":"attempt_started","step":"a[3]","fence":7}]"#;
        let accepted = r#"[{"type":"attempt_accepted","step":"a[3]","fence":7}]"#;
        let end = |end: &str| Past::of(&[started.into(), accepted.into(), end.into()], Fence(7));
        assert!(end(r#"[{"type":"step_succeeded","step":"a[3]","fence":7}]"#).is_reported);
        let failed = |kind: &str| {
            let fault = format!(r#"{{"code":"c","message":"m","kind":{kind}}}"#);
            end(&format!(r#"[{{"type":"attempt_failed","fence":7,"fault":{fault}}}]"#)).is_reported
        };
        assert!(failed(r#"{"http":500}"#));
        assert!(!failed(r#""timeout""#) && !failed(r#""lost""#));
        assert!(!end("[]").is_reported);
        assert_eq!(end("[]").step.as_deref(), Some("a[3]"));
        let answered = r#"[{"type":"step_succeeded","step":"a[3]","fence":7}]"#;
        assert!(!Past::of(&[started.into(), answered.into()], Fence(7)).is_reported);
        assert_eq!(Past::of(&[started.into()], Fence(70)).step, None);
    }
}
