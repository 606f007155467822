//! Claiming tasks, giving them back and completing them.

use api_types::tasks::{ClaimTask, CompleteTask, Task as Shown};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use engine::execution::INLINE_BYTES_MAX;
use serde_json::{Value, json};

use super::given::Given;
use super::shown::kept;
use super::{KIND, Person, approval, check_version, find, overtaken, refusal, reply};
use crate::audit::{self, Change};
use crate::auth::{Act, Authorized, Caller, Scope};
use crate::clock::now;
use crate::db::Statement;
use crate::db::tasks::{self, Edit, Task};
use crate::error::ApiError;
use crate::extract::{OptionalDocument, ResourcePath};
use crate::openapi::{BodyErrors, ClientErrors, NotFoundErrors, TASKS, TaskErrors};
use crate::request::RequestContext;
use crate::schema::registered;
use crate::tasks::{may_release, may_take};

/// Claims a task: from then on nobody else completes it.
///
/// Claimed again by the same caller, nothing changes.
#[utoipa::path(
    post, path = "/api/v1/collab/tasks/{task_id}/claim", tag = TASKS,
    request_body(content = ClaimTask, description = "May be left out"),
    params(
        ("task_id" = String, Path, description = "The task's id", max_length = 64),
        ("If-Match" = Option<String>, Header, description = "The ETag of what was read"),
    ),
    responses(
        (status = 200, description = "The task, which is claimed", body = Shown,
            headers(("ETag" = String, description = "What it is now, for If-Match"))),
        BodyErrors, NotFoundErrors, ClientErrors, TaskErrors,
    ),
    security(("client_key" = []), ("worker_secret" = [], "worker_id" = [])),
)]
#[worker::send]
pub async fn claim_task(
    authorized: Authorized<Act>,
    context: RequestContext,
    ResourcePath(id): ResourcePath,
    headers: HeaderMap,
    OptionalDocument(body): OptionalDocument<ClaimTask>,
) -> Result<Response, ApiError> {
    let caller = &authorized.caller;
    let was = find(&context, caller, &id).await?;
    check_version(&headers, body.version, &was)?;
    let person = Person::of(&context, caller).await?;
    may_take(&was, person.who()).map_err(|refused| refusal(refused, &was))?;
    if was.claimed_by.is_some() {
        return reply(StatusCode::OK, was);
    }
    let edit = Edit { was: &was, by: &person.name, at: now() };
    let is =
        Task { status: "claimed".to_owned(), claimed_by: Some(person.name.clone()), ..was.clone() };
    let made = Made { said: "task.claimed", statement: tasks::claim(edit), was: &was, is };
    make(&context, caller, (&headers, made)).await
}

/// Gives a claimed task back.
///
/// Whoever has claimed it may, and administrators. A task that nobody has claimed stays as it is.
#[utoipa::path(
    post, path = "/api/v1/collab/tasks/{task_id}/release", tag = TASKS,
    request_body(content = ClaimTask, description = "May be left out"),
    params(
        ("task_id" = String, Path, description = "The task's id", max_length = 64),
        ("If-Match" = Option<String>, Header, description = "The ETag of what was read"),
    ),
    responses(
        (status = 200, description = "The task, which is open", body = Shown,
            headers(("ETag" = String, description = "What it is now, for If-Match"))),
        BodyErrors, NotFoundErrors, ClientErrors, TaskErrors,
    ),
    security(("client_key" = []), ("worker_secret" = [], "worker_id" = [])),
)]
#[worker::send]
pub async fn release_task(
    authorized: Authorized<Act>,
    context: RequestContext,
    ResourcePath(id): ResourcePath,
    headers: HeaderMap,
    OptionalDocument(body): OptionalDocument<ClaimTask>,
) -> Result<Response, ApiError> {
    let caller = &authorized.caller;
    let was = find(&context, caller, &id).await?;
    check_version(&headers, body.version, &was)?;
    let person = Person::of(&context, caller).await?;
    let administers = caller.scopes().contains(Scope::Admin);
    let allowed = may_release(&was, person.who(), administers);
    allowed.map_err(|refused| refusal(refused, &was))?;
    if was.claimed_by.is_none() {
        return reply(StatusCode::OK, was);
    }
    let edit = Edit { was: &was, by: &person.name, at: now() };
    let is = Task { status: "open".to_owned(), claimed_by: None, ..was.clone() };
    let made = Made { said: "task.released", statement: tasks::release(edit), was: &was, is };
    make(&context, caller, (&headers, made)).await
}

/// Completes a task.
///
/// `data` must fit the task's form. Where an execution waits for the task, `approved` says whether
/// the approval is given, and the execution goes on with the form's data; the answer waits for
/// that as long as `Prefer: wait=n` says.
#[utoipa::path(
    post, path = "/api/v1/collab/tasks/{task_id}/complete", tag = TASKS,
    request_body(content = CompleteTask, description = "May be left out"),
    params(
        ("task_id" = String, Path, description = "The task's id", max_length = 64),
        ("If-Match" = Option<String>, Header, description = "The ETag of what was read"),
        ("Prefer" = Option<String>, Header, description = "`respond-async`, or `wait=n` to wait at \
            most n seconds (10 at most) until the execution meets it", nullable = false),
    ),
    responses(
        (status = 200, description = "The task, which is completed", body = Shown,
            headers(("ETag" = String, description = "What it is now, for If-Match"))),
        (status = 202, description = "It is stored, and the execution will meet it", body = Shown,
            headers(("ETag" = String, description = "What it is now, for If-Match"))),
        BodyErrors, NotFoundErrors, ClientErrors, TaskErrors,
    ),
    security(("client_key" = []), ("worker_secret" = [], "worker_id" = [])),
)]
#[worker::send]
pub async fn complete_task(
    authorized: Authorized<Act>,
    context: RequestContext,
    ResourcePath(id): ResourcePath,
    headers: HeaderMap,
    OptionalDocument(body): OptionalDocument<CompleteTask>,
) -> Result<Response, ApiError> {
    let caller = &authorized.caller;
    let was = find(&context, caller, &id).await?;
    let person = Person::of(&context, caller).await?;
    if is_repeated(&was, &person.name, &body) {
        return reply(StatusCode::OK, was);
    }
    check_version(&headers, body.version, &was)?;
    may_take(&was, person.who()).map_err(|refused| refusal(refused, &was))?;
    check(&was, &body)?;
    if was.pipeline_id.is_some() {
        return approval::answer(&context, &headers, (&was, &person.name), body).await;
    }
    let edit = Edit { was: &was, by: &person.name, at: now() };
    let statement = tasks::complete(edit, body.data.as_ref());
    let is = Task { status: "completed".to_owned(), ..was.clone() };
    make(&context, caller, (&headers, Made { said: "task.completed", statement, was: &was, is }))
        .await
}

/// A change that is about to be made.
struct Made<'a> {
    said: &'static str,
    statement: Statement,
    was: &'a Task,
    is: Task,
}

async fn make(
    context: &RequestContext,
    caller: &Caller,
    (headers, made): (&HeaderMap, Made<'_>),
) -> Result<Response, ApiError> {
    let Made { said, statement, was, is } = made;
    let change = Change {
        change: said,
        subject_type: KIND,
        subject: &was.task_id,
        account: Some(&was.account_id),
        before: Some(kept(was)),
        after: Some(kept(&is)),
    };
    let database = context.database()?;
    if !audit::make(&database, (context, caller), statement, change, Vec::new()).await? {
        return Err(overtaken(context, caller, (headers, was)).await);
    }
    reply(StatusCode::OK, find(context, caller, &was.task_id).await?)
}

/// Whether the same caller has completed the task with the same words before: a client that lost
/// the answer asks again.
fn is_repeated(task: &Task, name: &str, body: &CompleteTask) -> bool {
    let said = match task.pipeline_id {
        Some(_) => result(body),
        None => body.data.clone().unwrap_or(Value::Null),
    };
    let before = task.result.clone().unwrap_or(Value::Null);
    task.status == "completed" && task.completed_by.as_deref() == Some(name) && before == said
}

/// What an approval brings to its execution: the form's data, and whether it is given.
pub(super) fn result(body: &CompleteTask) -> Value {
    let mut fields = match &body.data {
        Some(Value::Object(fields)) => fields.clone(),
        Some(_) | None => serde_json::Map::new(),
    };
    fields.insert("approved".to_owned(), json!(body.approved == Some(true)));
    Value::Object(fields)
}

/// Refuses what does not complete the task; everything that is wrong is told.
fn check(task: &Task, body: &CompleteTask) -> Result<(), ApiError> {
    let mut given = Given::default();
    let asks = task.pipeline_id.is_some();
    match (asks, body.approved) {
        (true, None) => given.wrong("/approved", "required", "is required: true or false"),
        (false, Some(_)) => given.wrong("/approved", "misplaced", "only an approval takes it"),
        (true, Some(_)) | (false, None) => {}
    }
    let data = body.data.as_ref().filter(|data| !data.is_null());
    if asks && data.is_some_and(|data| !data.is_object()) {
        given.wrong("/data", "type", "is an object: its fields go to the execution");
    }
    if let Some(data) = data {
        given.nesting("/data", data);
        let bytes = result(body).to_string().len().max(data.to_string().len());
        if bytes > INLINE_BYTES_MAX {
            let message = format!("has {bytes} bytes; at most {INLINE_BYTES_MAX} are taken");
            given.wrong("/data", "too_large", &message);
        }
    }
    // Whoever withholds an approval owes no data; what is sent is checked.
    let owed = data.is_some() || body.approved != Some(false);
    if let Some(form) = task.form.as_ref().filter(|_| owed) {
        let empty = json!({});
        let found = registered::misfits(form, data.unwrap_or(&empty), "/data");
        match found {
            Ok(found) => given.all(found),
            Err(message) => return Err(ApiError::Internal { cause: format!("a form: {message}") }),
        }
    }
    given.refuse()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn task(asks: bool) -> Task {
        let form = json!({
            "type": "object", "required": ["note", "score"], "additionalProperties": false,
            "properties": {"note": {"type": "string"}, "score": {"minimum": 1}},
        });
        let pipeline_id = asks.then(|| "pipe_1".to_owned());
        Task { form: Some(form), pipeline_id, status: "open".to_owned(), ..Task::default() }
    }

    fn body(approved: Option<bool>, data: Value) -> CompleteTask {
        CompleteTask { approved, data: Some(data).filter(|data| !data.is_null()), version: None }
    }

    fn told(asks: bool, body: &CompleteTask) -> Vec<String> {
        match check(&task(asks), body) {
            Err(ApiError::RequestInvalid(found)) => {
                found.into_iter().map(|violation| violation.pointer).collect()
            }
            Err(other) => panic!("{other:?}"),
            Ok(()) => Vec::new(),
        }
    }

    #[test]
    fn all_that_does_not_fit_the_form_is_told() {
        let all = told(true, &body(Some(true), json!({"score": 0, "x": 1})));
        assert_eq!(all, ["/data/note", "/data/score", "/data/x"]);
        assert_eq!(told(true, &body(Some(true), Value::Null)), ["/data/note", "/data/score"]);
        assert_eq!(told(false, &body(None, Value::Null)), ["/data/note", "/data/score"]);
        let good = json!({"note": "fine", "score": 3});
        assert_eq!(told(true, &body(Some(true), good.clone())), Vec::<String>::new());
        assert_eq!(told(false, &body(None, good)), Vec::<String>::new());
    }

    #[test]
    fn an_approval_says_yes_or_no_and_no_owes_no_data() {
        assert_eq!(told(true, &body(Some(false), Value::Null)), Vec::<String>::new());
        assert_eq!(told(true, &body(Some(false), json!({"note": 1})))[0], "/data/note");
        assert_eq!(told(true, &body(None, json!({"note": "x", "score": 1}))), ["/approved"]);
        assert_eq!(told(false, &body(Some(true), json!({"note": "x", "score": 1}))), ["/approved"]);
        assert!(told(true, &body(Some(true), json!([1]))).contains(&"/data".to_owned()));
    }

    #[test]
    fn what_the_execution_gets_says_whether_it_is_approved_whatever_the_data_says() {
        let said = body(Some(false), json!({"approved": true, "note": "x"}));
        assert_eq!(result(&said), json!({"approved": false, "note": "x"}));
        assert_eq!(result(&body(Some(true), Value::Null)), json!({"approved": true}));
    }

    #[test]
    fn who_lost_the_answer_may_ask_again() {
        let done = Task {
            status: "completed".to_owned(),
            completed_by: Some("key:k".to_owned()),
            result: Some(json!({"approved": true, "note": "x"})),
            ..task(true)
        };
        let said = body(Some(true), json!({"note": "x"}));
        assert!(is_repeated(&done, "key:k", &said));
        assert!(!is_repeated(&done, "key:l", &said));
        assert!(!is_repeated(&done, "key:k", &body(Some(true), json!({"note": "y"}))));
        assert!(!is_repeated(&Task { status: "open".to_owned(), ..done }, "key:k", &said));
    }
}
