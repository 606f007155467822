//! Starting an execution.

pub mod ask;
mod figures;
pub mod plan;

use std::sync::Arc;

use api_types::{OrchestrateReply, OrchestrateRequest, PipelineReply};
use axum::Json;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use engine::execution::{Fault, State, Status};
use engine::time::{Millis, Timestamp};
use serde_json::Value;

use crate::api::optimization;
use crate::api::pipeline::{Disclosure, view};
use crate::api::preference::{PREFERENCE_APPLIED, Preference, idempotency_key};
use crate::auth::{Authorized, Caller, ClientExecute};
use crate::cache;
use crate::clock::now;
use crate::db::D1;
use crate::driver::{self, Begun, Key, Site, Start, StartError};
use crate::error::{ApiError, Shortfall};
use crate::extract::JsonDocument;
use crate::journal::projection::rows_of;
use crate::openapi::{BodyErrors, CLIENT, ClientErrors, StartErrors, StartHeaders};
use crate::request::RequestContext;
use crate::templates::{PublishedPlan, TemplateCache, TemplateError, canonical_json, sha256_hex};
pub use ask::Asked;
use ask::Purpose;

/// Starts an execution of a template.
///
/// The answer waits for its end, up to the sync window; after that, or at once with `async` or
/// `Prefer: respond-async`, it is 202 and the execution goes on.
#[utoipa::path(
    post, path = "/orchestrate", tag = CLIENT,
    request_body = OrchestrateRequest,
    params(StartHeaders),
    responses(
        (status = 200, description = "It is over: completed or partial; with `dry_run`, what it \
            would come to", body = OrchestrateReply),
        (status = 202, description = "It goes on; read pipeline_url", body = PipelineReply),
        BodyErrors, ClientErrors, StartErrors,
    ),
    security(("client_key" = [])),
)]
#[worker::send]
pub async fn orchestrate(
    authorized: Authorized<ClientExecute>,
    context: RequestContext,
    headers: HeaderMap,
    document: JsonDocument<OrchestrateRequest>,
) -> Result<Response, ApiError> {
    if document.value.get("dry_run").and_then(Value::as_bool) == Some(true) {
        return plan::dry_run(&authorized.caller, &context, document).await;
    }
    let key = idempotency_key(&headers)?;
    let preference = Preference::read(&headers);
    let body_hash = sha256_hex(canonical_json(&document.value).as_bytes());
    let key = key.map(|key| Key { key, body_hash });
    let site = context.site();
    let Understood { published, asked, shortfall } =
        understand(&site, context.received_at(), document).await?;
    let window = match asked.asynchronous {
        true => Millis::ZERO,
        false => preference.window(context.config().sync_window),
    };
    let gate = Gate { use_cache: asked.use_cache, shortfall };
    let start = start_of(&authorized.caller, &context, published, asked, key, window);
    let state = match begin(&site, context.invocation()?, start, gate).await? {
        Begun::Execution(state) => *state,
        Begun::Refused { retry_after, taken } => return Err(refused(retry_after, taken)),
        Begun::KeyConflict => return Err(ApiError::IdempotencyMismatch),
    };
    context.note(|notes| notes.execution = Some(state.started.id.clone()));
    let mut response = reply(&state)?;
    if let Some(applied) = preference.applied().and_then(|text| text.try_into().ok()) {
        response.headers_mut().insert(PREFERENCE_APPLIED, applied);
    }
    Ok(response)
}

/// A request that fits its template.
pub struct Understood {
    /// The template.
    pub published: Arc<PublishedPlan>,
    /// What the execution starts from.
    pub asked: Asked,
    /// What the budget lacks.
    pub shortfall: Option<Shortfall>,
}

/// What stands between a request and its start.
pub struct Gate {
    /// Whether a stored result will do, which costs nothing.
    pub use_cache: bool,
    /// What the budget lacks for anything else.
    pub shortfall: Option<Shortfall>,
}

/// Finds the template and checks the request, which came in at `at`, against it.
pub async fn understand(
    site: &Site,
    at: Timestamp,
    document: JsonDocument<OrchestrateRequest>,
) -> Result<Understood, ApiError> {
    let (published, document) = template_of(site, document).await?;
    let request = ask::examine(document, &published, Purpose::Start)?;
    let policy = TemplateCache::shared(&site.config.worker_urls);
    let policy = policy.policy(&database(site)?, now()).await?;
    let shortfall = plan::shortfall(&request, &published, &policy, &site.config)?;
    let asked = ask::settle(request, &published.definition, &policy, &site.config, at)?;
    Ok(Understood { published, asked, shortfall })
}

/// The template that a request asks for.
async fn template_of(
    site: &Site,
    document: JsonDocument<OrchestrateRequest>,
) -> Result<(Arc<PublishedPlan>, JsonDocument<OrchestrateRequest>), ApiError> {
    let known = TemplateCache::shared(&site.config.worker_urls);
    let name = ask::template_name(&document.value).map(str::to_owned);
    match known.plan(&database(site)?, name.as_deref(), now()).await {
        Ok(published) => Ok((published, document)),
        // What is wrong with the request itself is told first: the name may be part of it.
        Err(_) if !document.violations.is_empty() => {
            Err(ApiError::RequestInvalid(document.violations))
        }
        Err(error) => Err(unusable(name, error)),
    }
}

fn database(site: &Site) -> Result<D1, ApiError> {
    Ok(D1::new(site.bindings.database()?))
}

pub(super) fn unusable(name: Option<String>, error: TemplateError) -> ApiError {
    let name = name.unwrap_or_else(|| "default".to_owned());
    match error {
        TemplateError::NotFound | TemplateError::Inactive => ApiError::TemplateNotFound { name },
        TemplateError::Invalid(violations) => ApiError::TemplateInvalid { name, violations },
        TemplateError::Db(error) => error.into(),
    }
}

fn start_of(
    caller: &Caller,
    context: &RequestContext,
    published: Arc<PublishedPlan>,
    asked: Asked,
    key: Option<Key>,
    window: Millis,
) -> Start {
    Start {
        id: None,
        account: caller.account().to_owned(),
        key_budget: caller.key_budget().cloned(),
        initiators: caller.selves(),
        plan: Arc::clone(&published.plan),
        definition: Arc::clone(&published.definition),
        revision: published.revision,
        content_hash: published.content_hash.clone(),
        request: asked.document,
        terms: asked.terms,
        traceparent: Some(context.trace().to_string()),
        request_id: Some(context.id().to_owned()),
        key,
        window,
        restarted_from: None,
    }
}

/// Serves a stored result as an execution of its own, or starts one that does the work.
pub async fn begin(
    site: &Site,
    invocation: &worker::Context,
    start: Start,
    gate: Gate,
) -> Result<Begun, ApiError> {
    if gate.use_cache {
        let key = cache::key(&start.account, &start.content_hash, &start.request);
        if let Some(stored) = cache::find(&site.bindings, &key).await {
            let hit =
                driver::record_cache_hit(site, start.clone(), stored.outputs, &stored.from).await;
            match hit {
                Ok(begun) => return Ok(begun),
                // What was stored does not fit the plan: it is as good as nothing.
                Err(StartError::Reuse(_)) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
    if let Some(shortfall) = gate.shortfall {
        return Err(ApiError::BudgetTooSmall(Box::new(shortfall)));
    }
    Ok(driver::start(site, invocation, start).await?)
}

pub fn refused(retry_after: Millis, taken: u32) -> ApiError {
    ApiError::AdmissionRefused {
        retry_after_s: u32::try_from(retry_after.get().div_ceil(1000)).unwrap_or(u32::MAX).max(1),
        message: format!("{taken} executions of this account are in progress"),
    }
}

/// 200 for an execution that has its result, 202 for one that goes on, an error for one without.
pub(super) fn reply(state: &State) -> Result<Response, ApiError> {
    let status = match state.status {
        Status::Completed | Status::Partial => StatusCode::OK,
        Status::Pending | Status::Running | Status::Waiting | Status::Paused => {
            StatusCode::ACCEPTED
        }
        Status::Cancelled | Status::Failed => return Err(failure(state)),
    };
    let mut reply: PipelineReply = view(rows_of(state, 0, now()), Disclosure::Everything)?;
    reply.restarted_from = state.started.restarted_from.as_ref().map(ToString::to_string);
    reply.pipeline.optimizations = optimization::of_summary(&state.summary(now()));
    let location = HeaderValue::from_str(&reply.pipeline_url);
    let mut response = (status, Json(reply)).into_response();
    if let Some(location) = location.ok().filter(|_| status == StatusCode::ACCEPTED) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    Ok(response)
}

/// The error of an execution that ended without its result.
pub(super) fn failure(state: &State) -> ApiError {
    let id = state.started.id.clone();
    if state.status == Status::Cancelled {
        return ApiError::ExecutionCancelled { id };
    }
    let fault = state.fault.as_ref();
    let code = fault.map_or("execution.failed", |fault: &Fault| fault.code.as_str());
    let message = fault.map_or("it has no result", |fault| fault.message.as_str());
    ApiError::ExecutionFailed { id, code: code.to_owned(), message: message.to_owned() }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;
    use serde_json::json;

    use super::*;
    use crate::cache::tests::begun;

    fn state(step: Value) -> State {
        begun(json!({ "name": "t", "steps": [step] }), json!({ "topic": "x", "input": {} }))
    }

    fn transform(input: Value) -> State {
        state(json!({ "name": "a", "order": 1, "kind": "transform", "input_mapping": input }))
    }

    #[tokio::test]
    async fn an_execution_with_its_result_is_200_and_the_first_id_is_its_own() {
        let state = transform(json!({ "n": 1 }));
        let response = reply(&state).unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        let body = response.into_body().collect().await.unwrap().to_bytes();
        let text = String::from_utf8(body.to_vec()).unwrap();
        let first = text.split("\"id\":\"").nth(1).unwrap();
        assert!(first.starts_with(state.started.id.as_str()), "{text}");
        let body: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(body["status"], "completed");
        assert_eq!(body["pipeline"]["worker_results"][0]["data"], json!({ "n": 1 }));
        assert_eq!(body["pipeline"]["worker_results"][0]["communication_method"], "internal");
    }

    #[test]
    fn one_that_goes_on_is_202_and_says_where() {
        let mut state = transform(json!({ "n": 1 }));
        state.status = Status::Running;
        let response = reply(&state).unwrap();
        assert_eq!(response.status(), StatusCode::ACCEPTED);
        let location = response.headers()[header::LOCATION].to_str().unwrap();
        assert_eq!(location, format!("/pipeline/{}", state.started.id));
    }

    #[test]
    fn one_without_its_result_is_an_error_that_names_it() {
        let mut state = transform(json!({ "n": "=data.missing.field" }));
        assert_eq!(state.status, Status::Failed);
        let error = reply(&state).unwrap_err();
        assert_eq!(error.code().as_str(), "execution.failed");
        let form = error.reply("r", String::new());
        assert_eq!(form.pipeline_id.as_deref(), Some(state.started.id.as_str()));
        assert!(form.detail.contains('a') && form.pipeline_url.is_some(), "{}", form.detail);
        state.status = Status::Cancelled;
        assert_eq!(reply(&state).unwrap_err().code().as_str(), "execution.cancelled");
    }

    #[test]
    fn a_refusal_is_rounded_up_to_whole_seconds() {
        for (ms, expected) in [(0, 1), (1, 1), (1000, 1), (1001, 2), (30_000, 30)] {
            let ApiError::AdmissionRefused { retry_after_s, message } = refused(Millis::new(ms), 5)
            else {
                panic!("it is refused")
            };
            assert_eq!(retry_after_s, expected);
            assert!(message.starts_with("5 executions"));
        }
    }
}
