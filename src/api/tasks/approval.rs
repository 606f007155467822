//! Completing the task of an execution. The journal decides: the answer goes there first, under a
//! key made of the task's id, and the row follows what the journal then says. Should nobody come to
//! write the row, the projection does.

use api_types::tasks::CompleteTask;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::Response;
use engine::execution::{
    Answers, Applies, ApprovalOutcome, Asked, Message, Payload, Refusal, State,
};
use engine::ids::ExecutionId;
use serde_json::{Value, json};

use super::act::result;
use super::{conflict, reply};
use crate::api::message::{self, WAIT_DEFAULT, WAIT_MAX, not_stored};
use crate::api::preference::{PREFERENCE_APPLIED, Preference};
use crate::clock::now;
use crate::db::tasks::{self, Task};
use crate::driver::{self, Post, Posted};
use crate::error::{ApiError, ErrorCode};
use crate::journal::approvals;
use crate::request::RequestContext;

/// Brings the answer of somebody to the execution that waits for it.
pub async fn answer(
    context: &RequestContext,
    headers: &HeaderMap,
    (task, name): (&Task, &str),
    body: CompleteTask,
) -> Result<Response, ApiError> {
    let preference = Preference::read(headers).capped(WAIT_MAX);
    let until = now().plus(preference.window(WAIT_DEFAULT));
    let (id, answers) = of(task)?;
    let state = message::find(context, Some(&task.account_id), &id, false).await?;
    let said = result(&body);
    if let Some(settled) = settled(context, &state, &answers, (task, name, &said)).await {
        return settled;
    }
    let message = telling(&state, &answers, (name, &said))?;
    match state.applies(&message) {
        Applies::Yes => {}
        Applies::Already => return reply(StatusCode::OK, task.clone()),
        Applies::Refused(refusal) => return Err(ApiError::refused(&id, refusal)),
    }
    let site = context.site();
    let key = Some(format!("task:{}", task.task_id));
    match driver::post(&site, Post { id: &id, message: &message, key, reopens: false }).await? {
        Posted::Stored(_) => {}
        posted => return Err(not_stored(&id, posted)),
    }
    // It is stored: whatever happens from here on, it takes effect.
    let met = driver::wait_until_met(&site, &id, until).await.unwrap_or(false);
    let state = if met { driver::find(&site, &id, false).await.ok().flatten() } else { None };
    let mut response = match state {
        Some(state) => match settled(context, &state, &answers, (task, name, &said)).await {
            Some(settled) => settled?,
            None => reply(StatusCode::ACCEPTED, task.clone())?,
        },
        None => reply(StatusCode::ACCEPTED, task.clone())?,
    };
    let applied = preference.applied().and_then(|text| HeaderValue::try_from(text).ok());
    if let Some(applied) = applied {
        response.headers_mut().insert(PREFERENCE_APPLIED, applied);
    }
    Ok(response)
}

/// The execution, and the one wait of it, that the task answers.
fn of(task: &Task) -> Result<(ExecutionId, Answers), ApiError> {
    let id = task.pipeline_id.as_deref().and_then(|id| id.parse().ok());
    let id = id.ok_or(ApiError::PipelineNotFound)?;
    let step = task.step_name.clone().unwrap_or_default();
    Ok((id, Answers { step, generation: task.generation.unwrap_or(1) }))
}

/// What is said to the execution.
fn telling(
    state: &State,
    answers: &Answers,
    (name, said): (&str, &Value),
) -> Result<Message, ApiError> {
    let step = state.plan.find(&answers.step).map(|index| state.plan.step(index));
    let signal = step.and_then(|step| match &step.kind {
        engine::plan::Kind::Wait(wait) => wait.of.signal().map(str::to_owned),
        _ => None,
    });
    let unknown = || {
        let message = format!("the execution has no step `{}` that waits", answers.step);
        ApiError::refused(&state.started.id, Refusal { code: "signal.unknown", message })
    };
    Ok(Message::Signal {
        asked: Asked { by: name.to_owned(), reason: None },
        name: signal.ok_or_else(unknown)?,
        payload: Payload::inline(said.clone()),
        answers: Some(answers.clone()),
    })
}

/// What the journal says that came of the approval, once it is over; its row is brought up to
/// that. `None` while it is waited for.
async fn settled(
    context: &RequestContext,
    state: &State,
    answers: &Answers,
    (task, name, said): (&Task, &str, &Value),
) -> Option<Result<Response, ApiError>> {
    let request = state.approval(answers)?;
    let (_, outcome) = request.end.as_ref()?;
    let is_own = match outcome {
        ApprovalOutcome::Answered { by, payload } => {
            by == name && payload.value().is_some_and(|value| **value == *said)
        }
        ApprovalOutcome::TimedOut | ApprovalOutcome::CalledOff => false,
    };
    let written = write(context, &json!([approvals::row(state, request)]), task).await;
    Some(written.and_then(|task| match is_own {
        true => reply(StatusCode::OK, task),
        false => Err(conflict(ErrorCode::TaskClosed, format!("It is {}", task.status), &task)),
    }))
}

async fn write(context: &RequestContext, rows: &Value, task: &Task) -> Result<Task, ApiError> {
    let database = context.database()?;
    tasks::record_now(&database, rows).await?;
    let found = tasks::find(&database, &task.account_id, &task.task_id).await?;
    found.ok_or_else(|| ApiError::ResourceNotFound { kind: "task", name: task.task_id.clone() })
}
