//! Changing and removing tasks, each as it was read.

use api_types::tasks::{Escalate, Task as Shown, TaskPatch, TaskStatus};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::given::Given;
use super::shown::kept;
use super::{KIND, check_version, conflict, find, overtaken, refusal, reply};
use crate::api::merge_patch::merge;
use crate::api::query::label;
use crate::audit::{self, Change};
use crate::auth::{Act, Authorized, Caller, Scope};
use crate::clock::now;
use crate::db::audit as log;
use crate::db::tasks::{self, Edit, Task};
use crate::db::{Database, Statement};
use crate::error::{ApiError, ErrorCode};
use crate::extract::{JsonDocument, ResourcePath};
use crate::openapi::{BodyErrors, ClientErrors, NotFoundErrors, TASKS, TaskErrors};
use crate::request::RequestContext;

/// What of an execution's task everybody may change who may act; administrators may change its
/// candidates and escalation, too.
const OF_EXECUTION: [&str; 4] = ["due_at", "metadata", "priority", "version"];
const BY_ADMINISTRATORS: [&str; 2] = ["candidates", "escalation"];

/// Changes a task, as a JSON merge patch (RFC 7396).
///
/// The change names the `version` that it is meant of, or `If-Match` does. Of all that name the
/// same one, one is made; the others are answered with 409 and the task as it stands (412 where
/// only If-Match said it). What an execution asks for stays as its template says.
#[utoipa::path(
    patch, path = "/api/v1/collab/tasks/{task_id}", tag = TASKS,
    request_body = TaskPatch,
    params(
        ("task_id" = String, Path, description = "The task's id", max_length = 64),
        ("If-Match" = Option<String>, Header, description = "The ETag of what was read"),
    ),
    responses(
        (status = 200, description = "The task as it is now", body = Shown,
            headers(("ETag" = String, description = "What it is now, for If-Match"))),
        BodyErrors, NotFoundErrors, ClientErrors, TaskErrors,
    ),
    security(("client_key" = []), ("worker_secret" = [], "worker_id" = [])),
)]
#[worker::send]
pub async fn change_task(
    authorized: Authorized<Act>,
    context: RequestContext,
    ResourcePath(id): ResourcePath,
    headers: HeaderMap,
    body: JsonDocument<TaskPatch>,
) -> Result<Response, ApiError> {
    let patch = body.value.clone();
    let TaskPatch { version, status, .. } = body.typed()?;
    let caller = &authorized.caller;
    if version.is_none() && !headers.contains_key("if-match") {
        return Err(wrong("/version", "required", "is required, unless If-Match is sent"));
    }
    let was = find(&context, caller, &id).await?;
    check_version(&headers, version, &was)?;
    crate::tasks::may_change(&was).map_err(|refused| refusal(refused, &was))?;
    check_reach(&was, &patch, caller)?;
    let by = caller.name();
    let edit = Edit { was: &was, by: &by, at: now() };
    let (statement, said, is) = match wish(&was, status, &patch)? {
        Wish::Nothing => return reply(StatusCode::OK, was),
        Wish::Cancel => {
            let is = Task { status: "cancelled".to_owned(), ..was.clone() };
            (tasks::cancel(edit), "task.cancelled", is)
        }
        Wish::Change(wanted) => (tasks::change(edit, &wanted), "task.updated", *wanted),
    };
    let logged = logged(said, &was, Some(&is));
    let database = context.database()?;
    if !audit::make(&database, (&context, caller), statement, logged, Vec::new()).await? {
        return Err(overtaken(&context, caller, (&headers, &was)).await);
    }
    reply(StatusCode::OK, find(&context, caller, &id).await?)
}

/// Removes a task that no execution opened.
#[utoipa::path(
    delete, path = "/api/v1/collab/tasks/{task_id}", tag = TASKS,
    params(
        ("task_id" = String, Path, description = "The task's id", max_length = 64),
        ("If-Match" = Option<String>, Header, description = "The ETag of what was read"),
    ),
    responses(
        (status = 204, description = "It is gone"),
        NotFoundErrors, ClientErrors, TaskErrors,
        (status = 400, description = "If-Match has no list of tags",
            body = api_types::ErrorReply),
    ),
    security(("client_key" = []), ("worker_secret" = [], "worker_id" = [])),
)]
#[worker::send]
pub async fn delete_task(
    authorized: Authorized<Act>,
    context: RequestContext,
    ResourcePath(id): ResourcePath,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let caller = &authorized.caller;
    let was = find(&context, caller, &id).await?;
    check_version(&headers, None, &was)?;
    if was.pipeline_id.is_some() {
        return Err(of_execution(&was));
    }
    let by = caller.name();
    let edit = Edit { was: &was, by: &by, at: now() };
    let entry = audit::written(&context, caller, logged("task.deleted", &was, None));
    let batch: Vec<Statement> =
        vec![tasks::touch(edit), tasks::remove(edit), log::add(&entry), log::of_id(&entry.id)];
    let results = context.database()?.batch(batch).await?;
    if !log::was_added(results.last())? {
        return Err(overtaken(&context, caller, (&headers, &was)).await);
    }
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// What a patch comes to.
#[derive(Debug, PartialEq)]
enum Wish {
    Nothing,
    Cancel,
    Change(Box<Task>),
}

fn wish(was: &Task, status: Option<TaskStatus>, patch: &Value) -> Result<Wish, ApiError> {
    let wanted = patched(was, patch)?;
    let changes = wanted != *was;
    match status {
        Some(TaskStatus::Cancelled) if changes => {
            Err(wrong("/status", "alone", "is changed alone: leave the other fields out"))
        }
        Some(TaskStatus::Cancelled) if was.pipeline_id.is_some() => Err(of_execution(was)),
        Some(TaskStatus::Cancelled) => Ok(Wish::Cancel),
        Some(status) if label(status).as_deref() != Some(was.status.as_str()) => {
            Err(wrong("/status", "enum", "is changed by claim, release and complete"))
        }
        Some(_) | None if changes => Ok(Wish::Change(Box::new(wanted))),
        Some(_) | None => Ok(Wish::Nothing),
    }
}

/// The task with the changes of a merge patch, unless something does not fit.
fn patched(was: &Task, patch: &Value) -> Result<Task, ApiError> {
    let mut changed = document(was);
    merge(&mut changed, patch.clone());
    let fields = JsonDocument::<TaskPatch>::of(changed).typed()?;
    let TaskPatch {
        version: _,
        status: _,
        title,
        description,
        priority,
        metadata,
        candidates,
        due_at,
        escalation,
    } = fields;
    let mut given = Given::default();
    let metadata = given.metadata(metadata);
    let candidates = given.candidates("/candidates", candidates.unwrap_or_default());
    let due_at = given.moment("/due_at", due_at);
    let (escalate_at, escalate_to) = given.escalation(escalation);
    given.refuse()?;
    Ok(Task {
        title: title.unwrap_or_else(|| was.title.clone()),
        description,
        priority: priority.and_then(label).unwrap_or_else(|| was.priority.clone()),
        metadata,
        candidates,
        due_at,
        escalate_at,
        escalate_to,
        ..was.clone()
    })
}

/// What a patch may change.
fn document(task: &Task) -> Value {
    let escalation = task
        .escalate_at
        .as_ref()
        .map(|at| json!(Escalate { at: at.clone(), candidates: task.escalate_to.clone() }));
    json!({
        "title": task.title,
        "description": task.description,
        "priority": task.priority,
        "metadata": task.metadata,
        "candidates": task.candidates,
        "due_at": task.due_at,
        "escalation": escalation,
    })
}

/// Refuses to change what the template of an execution says.
fn check_reach(was: &Task, patch: &Value, caller: &Caller) -> Result<(), ApiError> {
    let administers = caller.scopes().contains(Scope::Admin);
    let fits = |field: &str| {
        let known = OF_EXECUTION.contains(&field) || field == "status";
        known || (administers && BY_ADMINISTRATORS.contains(&field))
    };
    let fields = patch.as_object().into_iter().flatten();
    let mut beyond = fields.map(|(field, _)| field.as_str()).filter(|field| !fits(field));
    match beyond.next() {
        Some(_) if was.pipeline_id.is_some() => Err(of_execution(was)),
        Some(_) | None => Ok(()),
    }
}

fn of_execution(was: &Task) -> ApiError {
    let id = was.pipeline_id.as_deref().unwrap_or_default();
    let message = format!("The execution {id} opened it: what it asks stays as the template says");
    conflict(ErrorCode::TaskOfExecution, message, was)
}

fn logged<'a>(change: &'static str, was: &'a Task, is: Option<&Task>) -> Change<'a> {
    Change {
        change,
        subject_type: KIND,
        subject: &was.task_id,
        account: Some(&was.account_id),
        before: Some(kept(was)),
        after: is.map(kept),
    }
}

fn wrong(pointer: &str, code: &str, message: &str) -> ApiError {
    let mut given = Given::default();
    given.wrong(pointer, code, message);
    given.refuse().err().unwrap_or(ApiError::Internal { cause: "nothing is wrong".to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn was() -> Task {
        Task {
            title: "Read".to_owned(),
            description: Some("All of it".to_owned()),
            status: "open".to_owned(),
            priority: "low".to_owned(),
            metadata: json!({"a": 1, "b": 2}),
            candidates: vec!["key:k".to_owned()],
            escalate_at: Some("2026-11-21T10:00:00.000Z".to_owned()),
            escalate_to: vec!["key:l".to_owned()],
            ..Task::default()
        }
    }

    fn changed(patch: Value) -> Task {
        match wish(&was(), None, &patch).unwrap() {
            Wish::Change(task) => *task,
            other => panic!("{patch}: {other:?}"),
        }
    }

    #[test]
    fn a_patch_changes_what_it_names_and_null_empties() {
        let task = changed(json!({
            "version": 1, "description": null, "metadata": {"a": null, "c": 3},
            "escalation": null, "due_at": "2026-11-22T10:00:00Z",
        }));
        let expected = Task {
            description: None,
            metadata: json!({"b": 2, "c": 3}),
            due_at: Some("2026-11-22T10:00:00.000Z".to_owned()),
            escalate_at: None,
            escalate_to: Vec::new(),
            ..was()
        };
        assert_eq!(task, expected);
        assert_eq!(wish(&was(), None, &json!({"title": "Read"})).unwrap(), Wish::Nothing);
    }

    #[test]
    fn a_status_is_changed_alone_and_only_to_cancelled() {
        let cancel = Some(TaskStatus::Cancelled);
        assert_eq!(wish(&was(), cancel, &json!({"version": 1})).unwrap(), Wish::Cancel);
        for (status, patch) in [
            (cancel, json!({"title": "Write"})),
            (Some(TaskStatus::Completed), json!({})),
            (Some(TaskStatus::Claimed), json!({})),
        ] {
            let refused = wish(&was(), status, &patch).unwrap_err();
            assert_eq!(refused.code().as_str(), "request.invalid", "{status:?}");
        }
        assert_eq!(wish(&was(), Some(TaskStatus::Open), &json!({})).unwrap(), Wish::Nothing);
    }

    #[test]
    fn what_an_execution_asks_stays_as_its_template_says() {
        let asked = Task { pipeline_id: Some("pipe_1".to_owned()), ..was() };
        let nobody = Caller::default();
        for (patch, fits) in [
            (json!({"version": 1, "priority": "high", "metadata": {}, "due_at": null}), true),
            (json!({"title": "Wave it through"}), false),
            (json!({"candidates": []}), false),
            (json!({"escalation": null}), false),
        ] {
            assert_eq!(check_reach(&asked, &patch, &nobody).is_ok(), fits, "{patch}");
            assert!(check_reach(&was(), &patch, &nobody).is_ok());
        }
    }
}
