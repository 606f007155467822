//! What the log says of an execution: one line for each change of its state, written when the
//! change is durable. It names codes and counts, never what anybody sent or a worker said.

use engine::execution::{Event, Fault, PauseReason, SkipReason, Started, State, Status};
use engine::time::Timestamp;
use serde_json::{Value, json};

use crate::log::{self, Level};
use crate::trace;

/// The lines of events; `state` has them applied already. Written with [`write()`].
pub fn of(state: &State, events: &[Event], request: Option<&str>) -> Vec<(Level, Value)> {
    events.iter().filter_map(|event| line(state, event, request)).collect()
}

/// Writes lines whose events are durable.
pub fn write(lines: Vec<(Level, Value)>) {
    for (level, fields) in lines {
        log::write(level, fields);
    }
}

/// The line of an execution that has begun.
pub fn started(started: &Started, request: Option<&str>) -> (Level, Value) {
    let mut fields = json!({
        "event": "execution.started",
        "template": started.definition.name,
        "revision": started.revision,
        "strategy": started.terms.strategy,
        "parent.id": started.parent.as_ref().map(|parent| parent.id.as_str()),
        "request.id": request,
    });
    name(started, &mut fields);
    (Level::Info, fields)
}

fn line(state: &State, event: &Event, request: Option<&str>) -> Option<(Level, Value)> {
    let (level, mut fields) = match event {
        Event::Started(begun) => return Some(started(begun, request)),
        Event::AttemptFailed {
            step, fault, retry_at: Some(at), fallback, at: failed_at, ..
        } => {
            let fields = json!({
                "event": "step.retried",
                "step.path": step,
                "attempt": attempt(state, step),
                "error.code": fault.code,
                "retry_in_ms": at.since(*failed_at).get(),
                "fallback": fallback,
            });
            (Level::Warn, fields)
        }
        Event::StepFailed { step, fault, .. } => (Level::Warn, failed(state, step, fault)),
        Event::StepSkipped { step, reason: SkipReason::Failed { fault }, .. } => {
            let fields = json!({
                "event": "step.skipped",
                "step.path": step,
                "attempt": attempt(state, step),
                "error.code": fault.code,
            });
            (Level::Warn, fields)
        }
        Event::Paused { reason, .. } => (Level::Info, paused(reason)),
        Event::Parked { .. } => (Level::Info, json!({ "event": "execution.waiting" })),
        Event::Woken { .. } => (Level::Info, json!({ "event": "execution.woken" })),
        Event::Resumed { .. } => (Level::Info, json!({ "event": "execution.resumed" })),
        Event::Unwinding { status, fault, .. } => {
            let code = fault.as_ref().map(|fault| fault.code.as_str());
            let status = status.as_str();
            let fields = json!({
                "event": "execution.unwinding", "status": status, "error.code": code,
            });
            (Level::Info, fields)
        }
        Event::Reset { steps, .. } => {
            (Level::Info, json!({ "event": "execution.reopened", "steps": steps.len() }))
        }
        Event::TakenOver { epoch, .. } => {
            (Level::Info, json!({ "event": "execution.taken_over", "epoch": epoch.0 }))
        }
        Event::Finished { status, fault, at, .. } => {
            let code = fault.as_ref().map(|fault| fault.code.as_str());
            (Level::Info, ended(state, *status, code, *at))
        }
        // What happens within a state is in the journal alone.
        Event::AttemptStarted { .. }
        | Event::AttemptAccepted { .. }
        | Event::Heartbeat { .. }
        | Event::AttemptFailed { .. }
        | Event::StepSucceeded { .. }
        | Event::StepReused { .. }
        | Event::StepSkipped { .. }
        | Event::StepCancelled { .. }
        | Event::StepHeld { .. }
        | Event::MapStarted { .. }
        | Event::WaitStarted { .. }
        | Event::SignalReceived { .. }
        | Event::Asked { .. }
        | Event::LateAnswer { .. } => return None,
    };
    name(&state.started, &mut fields);
    Some((level, fields))
}

fn ended(state: &State, status: Status, code: Option<&str>, at: Timestamp) -> Value {
    json!({
        "event": "execution.ended",
        "template": state.plan.name,
        "status": status.as_str(),
        "error.code": code,
        "duration_ms": at.since(state.started.at).get(),
        "cost_micro_usd": state.spent.as_micros(),
    })
}

/// What every line of an execution carries. The trace is that of the request that started it: it
/// stands in the journal, so that a driver that goes on days later knows it.
pub fn name(started: &Started, fields: &mut Value) {
    fields["execution.id"] = started.id.as_str().into();
    fields["account"] = started.account.as_str().into();
    fields["trace.id"] = started.traceparent.as_deref().and_then(trace::id_of).into();
    if let Some(fields) = fields.as_object_mut() {
        fields.retain(|_, value| !value.is_null());
    }
}

fn failed(state: &State, step: &str, fault: &Fault) -> Value {
    json!({
        "event": "step.failed",
        "step.path": step,
        "attempt": attempt(state, step),
        "error.code": fault.code,
    })
}

fn paused(reason: &PauseReason) -> Value {
    let (reason, step) = match reason {
        PauseReason::Asked => ("asked", None),
        PauseReason::Budget { step, .. } => ("budget", Some(step)),
        PauseReason::Failure { step } => ("failure", Some(step)),
    };
    json!({ "event": "execution.paused", "reason": reason, "step.path": step })
}

/// The number of the last attempt at a path, within its generation.
fn attempt(state: &State, path: &str) -> Option<u32> {
    let unit = state.plan.find_unit(path)?;
    state.work(unit).map(|work| work.attempts)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use engine::execution::{Context, FORMAT, FaultKind, NO_GATES, Status, Terms, start};
    use engine::ids::{Epoch, Fence};
    use engine::money::MicroUsd;
    use engine::plan::Plan;
    use engine::plan::definition::TemplateDefinition;
    use engine::time::{Millis, Timestamp};

    use super::*;

    const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_millis(ms)
    }

    /// An execution of one transform, which is over with its start.
    fn begun() -> (State, Vec<Event>) {
        let step = json!({
            "name": "a", "order": 1, "kind": "transform", "input_mapping": { "secret": "hush" },
        });
        let definition: TemplateDefinition =
            serde_json::from_value(json!({ "name": "t", "steps": [step] })).unwrap();
        let plan = Arc::new(Plan::compile(&definition).unwrap());
        let started = Started {
            format: FORMAT,
            id: "pipe_1_00000000000000000000000000".parse().unwrap(),
            account: "acme".to_owned(),
            at: at(0),
            revision: 3,
            content_hash: "hash".to_owned(),
            definition: Arc::new(definition),
            request: json!({ "topic": "hush" }),
            terms: Terms::default(),
            traceparent: Some(format!("00-{TRACE}-b7ad6b7169203331-01")),
            key: None,
            initiators: Vec::new(),
            parent: None,
            restarted_from: None,
        };
        let deciding =
            Context { now: at(0), entropy: 0, slots: 4, latest_end: at(60_000), gates: &NO_GATES };
        start(started, plan, &deciding)
    }

    fn texts<'l>(lines: &'l [(Level, Value)], field: &str) -> Vec<&'l str> {
        lines.iter().map(|(_, fields)| fields[field].as_str().unwrap_or_default()).collect()
    }

    #[test]
    fn each_line_names_the_execution_its_account_and_the_trace_of_its_start() {
        let (state, events) = begun();
        let lines = of(&state, &events, Some("r-1"));
        assert_eq!(texts(&lines, "event"), ["execution.started", "execution.ended"]);
        assert_eq!(texts(&lines, "execution.id"), ["pipe_1_00000000000000000000000000"; 2]);
        assert_eq!(texts(&lines, "account"), ["acme"; 2]);
        assert_eq!(texts(&lines, "trace.id"), [TRACE; 2]);
        assert_eq!(texts(&lines, "request.id"), ["r-1", ""]);
        assert_eq!(texts(&lines, "status"), ["", "completed"]);
        for (_, fields) in &lines {
            let text = fields.to_string();
            assert!(!text.contains("hush") && !text.contains("null"), "{text}");
        }
        let ended = &lines[1].1;
        assert!(ended["duration_ms"].is_u64() && ended["cost_micro_usd"] == 0, "{ended}");
    }

    #[test]
    fn a_failure_is_told_by_its_code_and_never_by_its_words() {
        let (state, _) = begun();
        let fault = Fault::new(FaultKind::Http(503), "worker.failed", "they said hush");
        let step = || "a".to_owned();
        let attempt = |retry_at| Event::AttemptFailed {
            step: step(),
            fence: Fence::default(),
            at: at(5),
            fault: fault.clone(),
            cost: MicroUsd::ZERO,
            estimated: false,
            retry_at,
            fallback: false,
        };
        let events = [
            attempt(Some(at(5).plus(Millis::new(250)))),
            attempt(None),
            Event::StepFailed { step: step(), at: at(9), fault: fault.clone() },
            Event::Paused { at: at(9), reason: PauseReason::Failure { step: step() } },
            Event::TakenOver { epoch: Epoch(4), at: at(9) },
            Event::Unwinding { status: Status::Failed, at: at(9), fault: Some(fault.clone()) },
        ];
        let lines = of(&state, &events, None);
        let expected = [
            "step.retried",
            "step.failed",
            "execution.paused",
            "execution.taken_over",
            "execution.unwinding",
        ];
        assert_eq!(texts(&lines, "event"), expected, "the last attempt is told with its step");
        assert_eq!(texts(&lines, "step.path"), ["a", "a", "a", "", ""]);
        let code = "worker.failed";
        assert_eq!(texts(&lines, "error.code"), [code, code, "", "", code]);
        assert_eq!(lines[0].1["retry_in_ms"], 250);
        assert!(lines.iter().all(|(_, fields)| !fields.to_string().contains("hush")));
    }
}
