//! What workers that answered 202 report of their attempts: a result, a failure, or that they are
//! still at it.

use api_types::{CompletionError, CompletionRequest, CompletionStatus, VerbReply};
use axum::http::HeaderMap;
use axum::response::Response;
use engine::execution::{Fault, FaultKind, Message, Outcome, Payload, Refusal, State};
use engine::ids::Fence;
use engine::money::MicroUsd;
use engine::plan::Kind;
use engine::time::Millis;

use super::message::{Telling, check_nesting, find, tell, violation};
use crate::auth::{Authorized, WorkerReport};
use crate::effects::offload;
use crate::error::ApiError;
use crate::extract::{ExecutionPath, LargeDocument, StepPath};
use crate::openapi::{BodyErrors, ClientErrors, VerbErrors, WORKER};
use crate::request::RequestContext;

/// The largest report, which carries an output.
const REPORT_BYTES_MAX: usize = 4 * 1024 * 1024;
/// The status that a failure stands for which a worker reports itself.
const REPORTED_STATUS: u16 = 500;

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
    // Workers serve executions of every account.
    let state = find(&context, None, &id, false).await?;
    check_step(&state, &step, fence)?;
    let heartbeat = matches!(message, Message::Heartbeat { .. });
    let telling = Telling {
        // A repeated report is the same report, whatever other keys it carries.
        key: (!heartbeat).then(|| format!("complete:{fence}")),
        ..Telling::read(if heartbeat { "heartbeat" } else { "complete" }, message, &headers)?
    };
    let telling = offloaded(&context, &state, (&step, fence), telling).await?;
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

/// Refuses a step that the template does not have, and a fence of another one.
fn check_step(state: &State, step: &str, fence: Fence) -> Result<(), ApiError> {
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
    let Some(index) = index else {
        let shown: String = step.chars().take(100).collect();
        let message = format!("the template `{}` has no step `{shown}`", state.plan.name);
        return Err(ApiError::refused(id, Refusal { code: "step.unknown", message }));
    };
    match state.in_flight().find(|(known, _)| *known == fence) {
        Some((_, owner)) if owner != index => {
            let owner = &state.plan.step(owner).name;
            let message = format!("fence {fence} belongs to an attempt of step `{owner}`");
            Err(ApiError::refused(id, Refusal { code: "fence.stale", message }))
        }
        _ => Ok(()),
    }
}

/// Puts a large output into R2 first, so that the inbox stays small.
async fn offloaded<'a>(
    context: &RequestContext,
    state: &State,
    (step, fence): (&str, Fence),
    mut telling: Telling<'a>,
) -> Result<Telling<'a>, ApiError> {
    // What will be refused must not leave an object behind.
    if !matches!(state.applies(&telling.message), engine::execution::Applies::Yes) {
        return Ok(telling);
    }
    if let Message::Completed { outcome: Outcome { result: Ok(output), .. }, .. } =
        &mut telling.message
    {
        let id = &state.started.id;
        offload::store_reported(context.bindings(), id, (step, fence), output).await?;
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
        assert!(check_step(&state, "a", Fence(1)).is_ok());
        for unknown in ["b", "", "a[1]", "a[x]", "a]", &"a".repeat(5000)] {
            let error = check_step(&state, unknown, Fence(1)).unwrap_err();
            assert_eq!(error.code().as_str(), "step.unknown", "{unknown}");
        }
    }
}
