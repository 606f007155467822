//! One call of a tool outside a pipeline: an execution of one step, so that it is durable, bounded,
//! paid for and remembered like any other.

use std::collections::BTreeMap;
use std::sync::Arc;

use api_types::{ExecutionStatus, InvokeReply, InvokeRequest, InvokedArtifact, OrchestrateRequest};
use axum::Json;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use engine::execution::{State, Status};
use engine::plan::definition::{
    RetryDefinition, StepDefinition, StepKind, TemplateDefinition, ToolDefinition,
};
use engine::plan::{Plan, StepIndex, Violation};
use engine::time::Millis;
use serde_json::{Value, json};

use super::orchestrate::{ask, failure, refused};
use super::pipeline::word;
use super::preference::{PREFERENCE_APPLIED, Preference, idempotency_key};
use crate::auth::{Authorized, ClientExecute};
use crate::clock::now;
use crate::db::{D1, execution_artifacts, tool_calls};
use crate::driver::{self, Begun, Key, Start};
use crate::effects::artifacts;
use crate::error::{ApiError, Shortfall, wire_violation};
use crate::extract::{OptionalDocument, ResourcePath};
use crate::journal::artifacts::rows_at_hand;
use crate::log::{self, Level};
use crate::openapi::{ClientErrors, RegistryBodyErrors, StartErrors, StartHeaders, TOOLS};
use crate::plans;
use crate::request::RequestContext;
use crate::templates::{TemplateCache, canonical_json, content_hash, sha256_hex};

/// The step that makes the call.
const STEP: &str = "call";

/// Calls a tool once, outside a pipeline.
///
/// It is an execution of one step: durable, in the history, within its budget, with the tool's
/// schemas, breaker and artifacts. The answer waits for its end, up to the sync window; after that,
/// or at once with `async`, it is 202 and the execution goes on.
#[utoipa::path(
    post, path = "/tools/{tool_id}/invoke", tag = TOOLS,
    params(
        ("tool_id" = String, Path, description = "The tool's id", max_length = 64),
        StartHeaders,
    ),
    request_body(content = InvokeRequest, description = "May be left out"),
    responses(
        (status = 200, description = "The tool has answered", body = InvokeReply),
        (status = 202, description = "It goes on; read pipeline_url", body = InvokeReply),
        RegistryBodyErrors, ClientErrors, StartErrors,
    ),
    security(("client_key" = [])),
)]
#[worker::send]
pub async fn invoke_tool(
    authorized: Authorized<ClientExecute>,
    ResourcePath(id): ResourcePath,
    context: RequestContext,
    headers: HeaderMap,
    OptionalDocument(body): OptionalDocument<InvokeRequest>,
) -> Result<Response, ApiError> {
    let account = authorized.caller.account();
    let preference = Preference::read(&headers);
    let key = idempotency_key(&headers)?.map(|key| key_of(&id, &key, &body));
    let database = context.database()?;
    let found = tool_calls::one(&database, account, &id).await?;
    let missing = || ApiError::ResourceNotFound { kind: "tool", name: id.clone() };
    let tool = found.ok_or_else(missing)?.definition();
    let (definition, plan, hash) = callable(&tool, body.max_retries)?;
    check_input(&plan, body.input.as_ref())?;
    let window = match body.asynchronous {
        Some(true) => Millis::ZERO,
        Some(false) | None => preference.window(context.config().sync_window),
    };
    let known = TemplateCache::shared(&context.config().worker_urls);
    let policy = known.policy(&database, now()).await?;
    let (config, at) = (context.config(), context.received_at());
    let asked = ask::settle(request_of(body), &definition, &policy, config, at)?;
    if let Some(limit) = asked.terms.budget
        && let Some(shortfall) = Shortfall::of(&plan.estimate(&asked.terms), limit, Vec::new)
    {
        return Err(ApiError::BudgetTooSmall(Box::new(shortfall)));
    }
    let start = Start {
        id: None,
        account: account.to_owned(),
        key_budget: authorized.caller.key_budget().cloned(),
        initiators: authorized.caller.selves(),
        plan,
        definition: Arc::new(definition),
        revision: 0,
        content_hash: hash,
        request: asked.document,
        terms: asked.terms,
        traceparent: Some(context.trace().to_string()),
        key,
        window,
        restarted_from: None,
        request_id: Some(context.id().to_owned()),
    };
    let state = match driver::start(&context.site(), context.invocation()?, start).await? {
        Begun::Execution(state) => *state,
        Begun::Refused { retry_after, taken } => return Err(refused(retry_after, taken)),
        Begun::KeyConflict => return Err(ApiError::IdempotencyMismatch),
    };
    context.note(|notes| notes.execution = Some(state.started.id.clone()));
    record(&database, &state).await;
    let mut response = reply(&state)?;
    if let Some(applied) = preference.applied().and_then(|text| text.try_into().ok()) {
        response.headers_mut().insert(PREFERENCE_APPLIED, applied);
    }
    Ok(response)
}

/// The same key may stand for starts of other kinds.
fn key_of(tool: &str, key: &str, body: &InvokeRequest) -> Key {
    let asked = json!({ "invoke": tool, "body": body });
    Key {
        key: format!("invoke {tool} {key}"),
        body_hash: sha256_hex(canonical_json(&asked).as_bytes()),
    }
}

/// What an execution that calls the tool starts from, if it can be called.
fn callable(
    tool: &ToolDefinition,
    max_retries: Option<u32>,
) -> Result<(TemplateDefinition, Arc<Plan>, String), ApiError> {
    let definition = definition_of(tool, max_retries);
    let refuse = |violations: Vec<Violation>| ApiError::ToolNotCallable {
        name: tool.name.clone(),
        violations: violations.into_iter().map(within_tool).collect(),
    };
    let found = plans::refused(&definition);
    if !found.is_empty() {
        return Err(refuse(found));
    }
    let hash = content_hash(&definition);
    let plan = plans::plan(&hash, &definition).map_err(refuse)?;
    Ok((definition, plan, hash))
}

fn definition_of(tool: &ToolDefinition, max_retries: Option<u32>) -> TemplateDefinition {
    let retry = max_retries.map(|retries| RetryDefinition {
        max_retries: Some(retries.into()),
        ..RetryDefinition::default()
    });
    let step = StepDefinition {
        name: STEP.to_owned(),
        order: 1,
        kind: StepKind::Tool,
        input_mapping: Some(json!("=request.input")),
        retry,
        config: Some(json!({ "tool": tool.id })),
        ..StepDefinition::default()
    };
    TemplateDefinition {
        name: format!("tool-{}", tool.id),
        allow_parallel: true,
        cache_ttl_s: Some(0),
        steps: vec![step],
        tools: BTreeMap::from([(tool.id.clone(), tool.clone())]),
        ..TemplateDefinition::default()
    }
}

/// A violation of the definition as one of the tool: the caller knows no definition.
fn within_tool(violation: Violation) -> Violation {
    let place = violation.pointer.strip_prefix("/tools/").and_then(|rest| rest.split_once('/'));
    let pointer = place.map(|(_, field)| format!("/{field}")).unwrap_or_default();
    Violation { pointer, ..violation }
}

/// What does not fit is told before anything is started.
fn check_input(plan: &Plan, input: Option<&Value>) -> Result<(), ApiError> {
    let tool = plan.step(StepIndex(0)).call().and_then(|call| call.primary.tool.as_ref());
    let empty = json!({});
    let input = input.unwrap_or(&empty);
    let found = tool.map(|tool| tool.input.violations(input)).unwrap_or_default();
    if found.is_empty() {
        return Ok(());
    }
    let at_input = |violation: Violation| Violation {
        pointer: format!("/input{}", violation.pointer),
        ..violation
    };
    Err(ApiError::RequestInvalid(found.into_iter().map(at_input).collect()))
}

/// The same as a request for an execution.
fn request_of(body: InvokeRequest) -> OrchestrateRequest {
    let InvokeRequest {
        input,
        budget_limit,
        urgency,
        deadline_minutes,
        max_retries: _,
        asynchronous,
    } = body;
    OrchestrateRequest {
        input,
        budget_limit,
        urgency,
        deadline_minutes,
        asynchronous,
        use_cache: Some(false),
        ..OrchestrateRequest::default()
    }
}

/// Whoever has the answer finds the artifacts. Where that fails the projection records them.
async fn record(database: &D1, state: &State) {
    let rows = rows_at_hand(state);
    if rows.is_empty() {
        return;
    }
    if let Err(error) = execution_artifacts::record_now(database, &Value::Array(rows)).await {
        log::write(
            Level::Warn,
            json!({
                "event": "artifacts.recorded_later",
                "execution.id": state.started.id.as_str(),
                "error": error.to_string(),
            }),
        );
    }
}

fn reply(state: &State) -> Result<Response, ApiError> {
    let code = match state.status {
        Status::Completed | Status::Partial => StatusCode::OK,
        Status::Pending | Status::Running | Status::Waiting | Status::Paused => {
            StatusCode::ACCEPTED
        }
        Status::Cancelled | Status::Failed => return Err(failure(state)),
    };
    let reply = reply_of(state)?;
    let location = HeaderValue::from_str(&reply.pipeline_url);
    let mut response = (code, Json(reply)).into_response();
    if let Some(location) = location.ok().filter(|_| code == StatusCode::ACCEPTED) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    Ok(response)
}

fn reply_of(state: &State) -> Result<InvokeReply, ApiError> {
    let id = state.started.id.to_string();
    let tool = state.started.definition.tools.values().next();
    let tool = tool.ok_or_else(|| ApiError::Internal { cause: "no tool".to_owned() })?;
    let step = &state.steps[0];
    let output = step.output.as_ref().and_then(|output| output.value());
    let refused = output.map(|output| artifacts::read(output).1).unwrap_or_default();
    let made = artifacts::given(state).into_iter().flat_map(|given| given.artifacts(&id));
    let made = made.map(|artifact| InvokedArtifact {
        artifact_id: artifact.id,
        file_name: artifact.made.file_name,
        mime_type: artifact.made.mime_type,
        storage_pointer: artifact.made.storage_pointer,
        size_bytes: artifact.made.size_bytes,
    });
    Ok(InvokeReply {
        status: word::<ExecutionStatus>(state.status.as_str().to_owned())?,
        pipeline_url: format!("/pipeline/{id}"),
        tool_id: tool.id.clone(),
        tool_name: tool.name.clone(),
        tool_version: tool.version.clone(),
        output: output.map(|output| Value::clone(output)),
        cost_usd: state.spent.as_usd(),
        cost_estimated: state.cost_estimated,
        attempts: step.attempts,
        execution_time_ms: state.finished_at.unwrap_or(now()).since(state.started.at).get(),
        artifacts: made.collect(),
        artifacts_refused: refused.iter().map(wire_violation).collect(),
        pipeline_id: id,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tool() -> ToolDefinition {
        ToolDefinition {
            id: "7b1f0c52-3a55-4c1e-9a4c-0d8f5b1f2a02".to_owned(),
            name: "word_counter".to_owned(),
            address: Some("https://node.example".to_owned()),
            input_schema: Some(json!({"required": ["text"]})),
            estimated_cost: Some(engine::money::MicroUsd::from_micros(5)),
            ..ToolDefinition::default()
        }
    }

    #[test]
    fn a_tool_is_a_template_of_one_step() {
        let (definition, plan, _) = callable(&tool(), Some(2)).unwrap();
        assert_eq!(definition.name, "tool-7b1f0c52-3a55-4c1e-9a4c-0d8f5b1f2a02");
        assert_eq!((plan.steps.len(), plan.steps[0].retry.retries_max), (1, 2));
        assert!(check_input(&plan, Some(&json!({"text": "x"}))).is_ok());
        for input in [None, Some(json!({"txt": 1}))] {
            let Err(ApiError::RequestInvalid(found)) = check_input(&plan, input.as_ref()) else {
                panic!("{input:?} fits");
            };
            assert_eq!(found[0].pointer, "/input/text");
        }
    }

    #[test]
    fn why_it_cannot_be_called_is_told_of_the_tool() {
        let away = Some("the node of tool `word_counter` is in status ERROR".to_owned());
        for (tool, pointer, code) in [
            (ToolDefinition { estimated_cost: None, ..tool() }, "/estimated_cost", "tool.unpriced"),
            (ToolDefinition { unavailable: away, ..tool() }, "", "tool.unavailable"),
            (
                ToolDefinition { address: Some("node-1:80".to_owned()), ..tool() },
                "",
                "tool.malformed_address",
            ),
            (
                ToolDefinition { output_schema: Some(json!({"$ref": "#"})), ..tool() },
                "/output_schema",
                "tool.malformed_schema",
            ),
        ] {
            let Err(ApiError::ToolNotCallable { violations, .. }) = callable(&tool, None) else {
                panic!("{code}: it can be called");
            };
            let told: Vec<_> =
                violations.iter().map(|v| (v.pointer.as_str(), v.code.as_str())).collect();
            assert_eq!(told, [(pointer, code)]);
        }
    }

    #[test]
    fn a_key_stands_for_one_call_of_one_tool() {
        let body = InvokeRequest::default();
        let other = InvokeRequest { input: Some(json!(1)), ..InvokeRequest::default() };
        let (one, two) = (key_of("t", "k", &body), key_of("t", "k", &other));
        assert_eq!(one.key, two.key);
        assert_ne!(one.body_hash, two.body_hash);
        assert_ne!(one.key, key_of("u", "k", &body).key);
    }
}
