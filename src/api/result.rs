//! What an execution came to, alone.

use axum::Json;
use engine::execution::{State, Status};
use engine::ids::ExecutionId;
use serde_json::Value;

use super::message::{own_shard, retired};
use super::orchestrate::failure;
use super::stored;
use crate::auth::{Authorized, ClientRead};
use crate::driver;
use crate::error::{ApiError, ErrorCode};
use crate::extract::ExecutionPath;
use crate::openapi::{CLIENT, ClientErrors, ResultErrors};
use crate::request::RequestContext;

/// What an execution came to, and nothing else.
///
/// It is 409 while the execution goes on, and the error form where it has no result.
#[utoipa::path(
    get, path = "/pipeline/{id}/result", tag = CLIENT,
    params(("id" = String, Path, description = "The execution's id")),
    responses(
        (status = 200, description = "The result: any JSON", body = Value),
        ClientErrors, ResultErrors,
    ),
    security(("client_key" = []), ("worker_secret" = [], "worker_id" = [])),
)]
#[worker::send]
pub async fn pipeline_result(
    authorized: Authorized<ClientRead>,
    ExecutionPath(id): ExecutionPath,
    context: RequestContext,
) -> Result<Json<Value>, ApiError> {
    own_shard(&context, &id)?;
    context.note(|notes| notes.execution = Some(id.clone()));
    let account = authorized.caller.account();
    let found = driver::find(&context.site(), &id, true).await?;
    match found {
        Some(state) if state.started.account == account => result_of(&state).map(Json),
        Some(_) => Err(ApiError::PipelineNotFound),
        None => projected(&context, account, &id).await.map(Json),
    }
}

fn result_of(state: &State) -> Result<Value, ApiError> {
    let id = &state.started.id;
    match state.status {
        Status::Completed | Status::Partial => {
            let internal = |fault: engine::execution::Fault| ApiError::Internal {
                cause: format!("{id}: the result cannot be made: {}", fault.message),
            };
            state.result().map_err(internal)
        }
        Status::Failed | Status::Cancelled => Err(failure(state)),
        Status::Pending | Status::Running | Status::Waiting | Status::Paused => {
            let message = format!("it is {}", state.status.as_str());
            let code = ErrorCode::ExecutionUnfinished;
            Err(ApiError::Refused { id: id.clone(), code, message })
        }
    }
}

/// The result as the database has it: without those that are made of large outputs.
async fn projected(
    context: &RequestContext,
    account: &str,
    id: &ExecutionId,
) -> Result<Value, ApiError> {
    let rows = stored::find(context, id).await?;
    let own = rows.filter(|rows| rows.execution.account_id == account);
    let execution = own.ok_or(ApiError::PipelineNotFound)?.execution;
    let fault = execution.error.unwrap_or_default();
    let told = |field: &str| fault[field].as_str().unwrap_or_default().to_owned();
    match execution.status.as_str() {
        "failed" => Err(ApiError::ExecutionFailed {
            id: id.clone(),
            code: told("code"),
            message: told("message"),
        }),
        "cancelled" => Err(ApiError::ExecutionCancelled { id: id.clone() }),
        _ => execution.result.ok_or_else(|| retired(id)),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::cache::tests::begun;

    #[test]
    fn the_result_is_given_once_there_is_one() {
        let step = json!({
            "name": "a", "order": 1, "kind": "transform", "input_mapping": { "n": 1 },
        });
        let mut state = begun(json!({ "name": "t", "steps": [step] }), json!({ "topic": "x" }));
        assert_eq!(result_of(&state).unwrap()["n"], 1);
        for (status, code) in [
            (Status::Running, "execution.unfinished"),
            (Status::Paused, "execution.unfinished"),
            (Status::Failed, "execution.failed"),
            (Status::Cancelled, "execution.cancelled"),
        ] {
            state.status = status;
            assert_eq!(result_of(&state).unwrap_err().code().as_str(), code);
        }
        state.status = Status::Partial;
        assert_eq!(result_of(&state).unwrap()["n"], 1);
    }
}
