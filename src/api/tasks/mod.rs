//! Tasks over HTTP. Whoever may act on executions makes, changes and does them; whoever reads sees
//! those of its account. The journal decides about what an execution waits for: see `approval`.

pub mod act;
mod approval;
pub mod change;
mod given;
pub mod list;
pub mod make;
mod shown;

use axum::Json;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::precondition;
use crate::auth::Caller;
use crate::db::tasks::{self, Task};
use crate::db::users;
use crate::error::{ApiError, ErrorCode, Standing};
use crate::request::RequestContext;
use crate::tasks::{Refused, Who};
use shown::shown;

const KIND: &str = "task";

/// Who calls, in the words that tasks know people by.
struct Person {
    name: String,
    words: Vec<String>,
    selves: Vec<String>,
}

impl Person {
    async fn of(context: &RequestContext, caller: &Caller) -> Result<Self, ApiError> {
        let mut words = caller.words();
        if let Some(person) = caller.person() {
            let (account, id) = (Some(person.account.as_str()), &person.user_id);
            let user = users::find(&context.database()?, id, account).await?;
            words.extend(user.map(|user| user.email));
        }
        Ok(Self { name: caller.name(), words, selves: caller.selves() })
    }

    fn who(&self) -> Who<'_> {
        Who { name: &self.name, words: &self.words, selves: &self.selves }
    }
}

async fn find(context: &RequestContext, caller: &Caller, id: &str) -> Result<Task, ApiError> {
    let found = tasks::find(&context.database()?, caller.account(), id).await?;
    found.ok_or_else(|| ApiError::ResourceNotFound { kind: KIND, name: id.to_owned() })
}

/// What an entity tag stands for.
fn state(task: &Task) -> String {
    format!("{}:{}", task.task_id, task.version)
}

/// Refuses a change of another version than the one that the caller read.
fn check_version(headers: &HeaderMap, version: Option<u64>, task: &Task) -> Result<(), ApiError> {
    precondition::check(headers, &state(task), (KIND, &task.task_id))?;
    match version {
        Some(version) if version != task.version => Err(outdated(task)),
        Some(_) | None => Ok(()),
    }
}

fn outdated(task: &Task) -> ApiError {
    let message = format!("The task '{}' is in version {}", task.task_id, task.version);
    conflict(ErrorCode::TaskVersion, message, task)
}

/// Why the change of a task that was read before changed nothing.
async fn overtaken(
    context: &RequestContext,
    caller: &Caller,
    (headers, was): (&HeaderMap, &Task),
) -> ApiError {
    let task = match find(context, caller, &was.task_id).await {
        Ok(task) => task,
        Err(error) => return error,
    };
    match crate::tasks::may_change(&task) {
        Err(refused) => refusal(refused, &task),
        Ok(()) => check_version(headers, None, &task).err().unwrap_or_else(|| outdated(&task)),
    }
}

fn refusal(refused: Refused, task: &Task) -> ApiError {
    let Refused { code, message } = refused;
    match code.status() {
        StatusCode::CONFLICT => conflict(code, message, task),
        _ => ApiError::Standing(Box::new(Standing { code, message, current: None })),
    }
}

fn conflict(code: ErrorCode, message: String, task: &Task) -> ApiError {
    let current = shown(task.clone()).ok().and_then(|task| serde_json::to_value(task).ok());
    ApiError::Standing(Box::new(Standing { code, message, current }))
}

/// The task as the reply, with its entity tag.
fn reply(status: StatusCode, task: Task) -> Result<Response, ApiError> {
    let tag = precondition::etag(&state(&task));
    Ok((status, [(header::ETAG, tag)], Json(shown(task)?)).into_response())
}
