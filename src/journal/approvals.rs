//! The tasks that a journal tells of: one for each approval that a step asked for, as it stands.
//! Their ids are made of execution, step and generation, so whoever writes one writes the same.

use engine::execution::{ApprovalOutcome, ApprovalRequest, State};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use uuid::Builder;

use crate::db::iso;

/// The rows of an execution's tasks, keyed by column.
pub fn rows(state: &State) -> Vec<Value> {
    state.approvals.iter().filter_map(|request| row(state, request)).collect()
}

/// The row of one of them.
pub fn row(state: &State, request: &ApprovalRequest) -> Option<Value> {
    let asks = state.asks(request.step)?;
    let closed_at = request.end.as_ref().map(|(at, _)| iso(*at));
    let (status, completed_by, result) = match request.end.as_ref().map(|(_, how)| how) {
        None => ("open", None, Value::Null),
        Some(ApprovalOutcome::Answered { by, payload }) => {
            let value = payload.value().map_or(Value::Null, |value| Value::clone(value));
            ("completed", Some(by.as_str()), value)
        }
        Some(ApprovalOutcome::TimedOut) => ("expired", None, Value::Null),
        Some(ApprovalOutcome::CalledOff) => ("cancelled", None, Value::Null),
    };
    let escalation = asks.escalation.as_ref();
    Some(json!({
        "task_id": task_id(state, request),
        "account_id": state.started.account,
        "title": asks.title,
        "description": asks.description,
        "status": status,
        "form": asks.form,
        "candidates": asks.candidates,
        "forbid_self_approval": u8::from(asks.forbids_self),
        "initiators": state.started.initiators,
        "due_at": asks.due.map(|due| iso(request.at.plus(due))),
        "escalate_at": escalation.map(|escalation| iso(request.at.plus(escalation.after))),
        "escalate_to": escalation.map_or(&[][..], |escalation| &escalation.candidates),
        "result": result,
        "completed_by": completed_by,
        "closed_at": closed_at,
        "pipeline_id": state.started.id.as_str(),
        "step_name": state.plan.step(request.step).name,
        "generation": request.generation,
        "created_at": iso(request.at),
    }))
}

/// The id of the task that asks for an approval: a UUID of version 7 whose random part is not
/// drawn but made of what the task is for.
pub fn task_id(state: &State, request: &ApprovalRequest) -> String {
    let step = &state.plan.step(request.step).name;
    let words = format!("task\n{}\n{step}\n{}", state.started.id, request.generation);
    let digest = Sha256::digest(words.as_bytes());
    let mut random = [0; 10];
    random.copy_from_slice(&digest[..10]);
    let at_ms = u64::try_from(request.at.as_millis()).unwrap_or_default();
    Builder::from_unix_timestamp_millis(at_ms, &random).into_uuid().to_string()
}

#[cfg(test)]
mod tests {
    use engine::execution::{Answers, Asked, Context, Input, Message, NO_GATES, Payload};
    use engine::time::{Millis, Timestamp};

    use super::*;
    use crate::cache::tests::begun;

    fn waiting() -> State {
        let approval = json!({
            "signal": "boss", "title": "Release?", "candidates": ["role:admin"], "due_ms": 60_000,
            "escalation": {"after_ms": 90_000, "candidates": ["ada@example.org"]},
            "form": {"type": "object"}, "forbid_self_approval": true,
        });
        let step =
            json!({"name": "w", "order": 1, "kind": "wait", "config": {"approval": approval}});
        begun(json!({ "name": "t", "steps": [step] }), json!({}))
    }

    fn answered(state: &mut State, generation: u32) {
        let context = Context {
            now: Timestamp::from_millis(5_000),
            entropy: 1,
            slots: 1,
            latest_end: Timestamp::from_millis(i64::MAX),
            gates: &NO_GATES,
        };
        let message = Message::Signal {
            asked: Asked { by: "user:ada".to_owned(), reason: None },
            name: "boss".to_owned(),
            payload: Payload::inline(json!({"approved": true, "note": "fine"})),
            answers: Some(Answers { step: "w".to_owned(), generation }),
        };
        state.advance(&context, Input::Message(message)).unwrap();
    }

    #[test]
    fn an_approval_that_is_waited_for_is_an_open_task() {
        let state = waiting();
        let [row] = rows(&state).try_into().unwrap();
        assert_eq!((&row["status"], &row["title"]), (&json!("open"), &json!("Release?")));
        assert_eq!((&row["candidates"], &row["generation"]), (&json!(["role:admin"]), &json!(1)));
        let at = state.approvals[0].at;
        assert_eq!(row["due_at"], iso(at.plus(Millis::from_secs(60))));
        assert_eq!(row["escalate_at"], iso(at.plus(Millis::from_secs(90))));
        assert_eq!((&row["closed_at"], &row["result"]), (&Value::Null, &Value::Null));
        assert_eq!(row["forbid_self_approval"], 1);
    }

    #[test]
    fn what_completed_it_stands_in_its_row() {
        let mut state = waiting();
        answered(&mut state, 1);
        let [row] = rows(&state).try_into().unwrap();
        assert_eq!(
            (&row["status"], &row["completed_by"]),
            (&json!("completed"), &json!("user:ada"))
        );
        assert_eq!(row["result"], json!({"approved": true, "note": "fine"}));
        assert_eq!(row["closed_at"], "1970-01-01T00:00:05.000Z");
    }

    #[test]
    fn its_id_is_made_of_what_it_is_for() {
        let (state, again) = (waiting(), waiting());
        let id = task_id(&state, &state.approvals[0]);
        assert_eq!(id, task_id(&again, &again.approvals[0]));
        let uuid = uuid::Uuid::parse_str(&id).unwrap();
        assert_eq!(uuid.get_version_num(), 7);
        let other = ApprovalRequest { generation: 2, ..state.approvals[0].clone() };
        assert_ne!(id, task_id(&state, &other));
    }
}
