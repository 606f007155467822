//! Making tasks.

use api_types::tasks::{NewTask, Task as Shown};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;
use engine::time::{Millis, Timestamp};
use uuid::Uuid;

use super::given::Given;
use super::shown::kept;
use super::{KIND, reply};
use crate::api::preference::idempotency_key;
use crate::api::query::label;
use crate::audit::{self, Change};
use crate::auth::{Act, Authorized, Caller};
use crate::clock::now;
use crate::db::tasks::{self, Task};
use crate::db::{D1, Database};
use crate::error::ApiError;
use crate::extract::JsonDocument;
use crate::openapi::{BodyErrors, ClientErrors, KeyErrors, TASKS};
use crate::request::RequestContext;
use crate::templates::{canonical_json, sha256_hex};

/// How long an idempotency key is remembered.
const KEY_KEPT: Millis = Millis::from_secs(24 * 3600);

/// Makes a task.
///
/// With an `Idempotency-Key`, a repeated request finds the first task for 24 hours.
#[utoipa::path(
    post, path = "/api/v1/collab/tasks", tag = TASKS,
    request_body = NewTask,
    params(
        ("Idempotency-Key" = Option<String>, Header, description = "Makes a repeated request find \
            the first task, for 24 hours: 1 to 255 visible ASCII characters",
            nullable = false, pattern = "^[!-~]{1,255}$"),
    ),
    responses(
        (status = 201, description = "The task", body = Shown, headers(
            ("Location" = String, description = "Where it is"),
            ("ETag" = String, description = "What it is, for If-Match"))),
        BodyErrors, KeyErrors, ClientErrors,
    ),
    security(("client_key" = []), ("worker_secret" = [], "worker_id" = [])),
)]
#[worker::send]
pub async fn create_task(
    authorized: Authorized<Act>,
    context: RequestContext,
    headers: HeaderMap,
    body: JsonDocument<NewTask>,
) -> Result<Response, ApiError> {
    let key_hash = idempotency_key(&headers)?.map(|key| sha256_hex(key.as_bytes()));
    let body_hash = sha256_hex(canonical_json(&body.value).as_bytes());
    let caller = &authorized.caller;
    let task = Task {
        body_hash: key_hash.as_ref().map(|_| body_hash.clone()),
        ..wanted(body.typed()?, caller)?
    };
    let database = context.database()?;
    let key = key_hash.as_deref();
    if let Some(key) = key {
        database.query(tasks::forget_key(&task.account_id, key, before(now()))).await?;
    }
    let change = Change {
        change: "task.created",
        subject_type: KIND,
        subject: &task.task_id,
        account: Some(&task.account_id),
        before: None,
        after: Some(kept(&task)),
    };
    let adding = tasks::add(&tasks::NewTask { task: &task, key_hash: key });
    let added = audit::make(&database, (&context, caller), adding, change, Vec::new()).await?;
    created(match added {
        true => super::find(&context, caller, &task.task_id).await?,
        false => earlier(&database, &task, (key, &body_hash)).await?,
    })
}

/// The task that the same key made before. A task that was not added had such a key, or names a
/// job that is not there.
async fn earlier(
    database: &D1,
    task: &Task,
    (key, body_hash): (Option<&str>, &str),
) -> Result<Task, ApiError> {
    let found = match key {
        Some(key) => tasks::by_key(database, &task.account_id, key).await?,
        None => None,
    };
    match found {
        Some(first) if first.body_hash.as_deref() == Some(body_hash) => Ok(first),
        Some(_) => Err(ApiError::IdempotencyMismatch),
        None => {
            let mut given = Given::default();
            given.wrong("/job_id", "unknown", "is no job of the account");
            given.refuse()?;
            Err(ApiError::Internal { cause: "a task was not added".to_owned() })
        }
    }
}

fn before(now: Timestamp) -> Timestamp {
    Timestamp::from_millis(now.as_millis().saturating_sub_unsigned(KEY_KEPT.get()))
}

fn created(task: Task) -> Result<Response, ApiError> {
    let place = format!("/api/v1/collab/tasks/{}", task.task_id);
    let mut response = reply(StatusCode::CREATED, task)?;
    if let Ok(place) = HeaderValue::try_from(place) {
        response.headers_mut().insert(header::LOCATION, place);
    }
    Ok(response)
}

/// The task that is asked for, unless something does not fit.
fn wanted(new: NewTask, caller: &Caller) -> Result<Task, ApiError> {
    let NewTask {
        title,
        description,
        priority,
        metadata,
        form,
        candidates,
        forbid_self_approval,
        due_at,
        escalation,
        job_id,
    } = new;
    let mut given = Given::default();
    let metadata = given.metadata(metadata);
    let form = given.form(form);
    let candidates = given.candidates("/candidates", candidates.unwrap_or_default());
    let due_at = given.moment("/due_at", due_at);
    let (escalate_at, escalate_to) = given.escalation(escalation);
    given.refuse()?;
    Ok(Task {
        task_id: Uuid::now_v7().to_string(),
        account_id: caller.account().to_owned(),
        title,
        description,
        status: "open".to_owned(),
        priority: label(priority.unwrap_or_default()).unwrap_or_default(),
        version: 1,
        metadata,
        form,
        candidates,
        forbid_self_approval: forbid_self_approval.unwrap_or_default(),
        initiators: caller.selves(),
        due_at,
        escalate_at,
        escalate_to,
        job_id,
        created_by: caller.name(),
        ..Task::default()
    })
}
