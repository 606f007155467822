//! Reading tasks. They come from the database itself and from no cache: what was written is shown.

use api_types::tasks::{Task as Shown, TaskQuery, TasksReply};
use axum::Json;
use axum::http::StatusCode;
use axum::response::Response;

use super::shown::shown;
use super::{Person, find, reply};
use crate::api::query::{self, label};
use crate::auth::{Authorized, ClientRead};
use crate::db::iso;
use crate::db::tasks::{self, Filter};
use crate::error::ApiError;
use crate::extract::{Query, ResourcePath};
use crate::openapi::{ClientErrors, NotFoundErrors, QueryErrors, TASKS};
use crate::request::RequestContext;

const PAGE_DEFAULT: u32 = 50;

/// Tasks, newest first.
///
/// What was written before the request is shown.
#[utoipa::path(
    get, path = "/api/v1/collab/state/tasks", tag = TASKS,
    params(TaskQuery),
    responses(
        (status = 200, description = "A page of tasks", body = TasksReply),
        QueryErrors, ClientErrors,
    ),
    security(("client_key" = []), ("worker_secret" = [], "worker_id" = [])),
)]
#[worker::send]
pub async fn list_tasks(
    authorized: Authorized<ClientRead>,
    context: RequestContext,
    Query(query): Query<TaskQuery>,
) -> Result<Json<TasksReply>, ApiError> {
    let caller = &authorized.caller;
    let (limit, total) = (query.limit.unwrap_or(PAGE_DEFAULT), query.total == Some(true));
    let mine = query.mine == Some(true);
    let (mut filter, after) = read(query)?;
    if mine {
        let Person { name, words, .. } = Person::of(&context, caller).await?;
        filter.mine = Some((name, words));
    }
    let after = after.as_ref().map(|(at, id)| (at.as_str(), id.as_str()));
    let (database, account) = (context.database()?, caller.account());
    let (found, more) = tasks::page(&database, account, &filter, after, limit).await?;
    let total = match total {
        true => Some(tasks::count(&database, account, &filter).await?),
        false => None,
    };
    let last = found.last().filter(|_| more);
    let next_cursor = last.map(|task| format!("{}_{}", task.created_at, task.task_id));
    let tasks = found.into_iter().map(shown).collect::<Result<_, _>>()?;
    Ok(Json(TasksReply { tasks, total, next_cursor }))
}

/// One task.
#[utoipa::path(
    get, path = "/api/v1/collab/tasks/{task_id}", tag = TASKS,
    params(("task_id" = String, Path, description = "The task's id", max_length = 64)),
    responses(
        (status = 200, description = "The task", body = Shown,
            headers(("ETag" = String, description = "What was read, for If-Match"))),
        NotFoundErrors, ClientErrors,
    ),
    security(("client_key" = []), ("worker_secret" = [], "worker_id" = [])),
)]
#[worker::send]
pub async fn show_task(
    authorized: Authorized<ClientRead>,
    context: RequestContext,
    ResourcePath(id): ResourcePath,
) -> Result<Response, ApiError> {
    reply(StatusCode::OK, find(&context, &authorized.caller, &id).await?)
}

type After = Option<(String, String)>;

fn read(asked: TaskQuery) -> Result<(Filter, After), ApiError> {
    let TaskQuery {
        status,
        priority,
        assignee,
        candidate,
        mine: _,
        job_id,
        pipeline_id,
        due_before,
        search,
        total: _,
        limit: _,
        cursor,
    } = asked;
    let mut violations = Vec::new();
    let due_before = query::moment("/due_before", due_before, &mut violations).map(iso);
    let after = query::cursor(cursor, &mut violations);
    if !violations.is_empty() {
        return Err(ApiError::QueryInvalid(violations));
    }
    let filter = Filter {
        status: status.and_then(label),
        priority: priority.and_then(label),
        assignee,
        candidate,
        job_id,
        pipeline_id,
        due_before,
        text: search,
        mine: None,
    };
    Ok((filter, after))
}
