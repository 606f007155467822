//! Doing an execution again, whole, as a new one.

use std::sync::Arc;

use api_types::{PipelineReply, RestartRequest, RevisionChoice};
use axum::http::HeaderMap;
use axum::response::Response;
use engine::execution::State;
use serde_json::{Value, json};

use super::message::find;
use super::orchestrate::{refused, reply, unusable};
use super::preference::idempotency_key;
use crate::auth::{Act, Authorized};
use crate::clock::now;
use crate::driver::{self, Begun, Key, Start};
use crate::error::{ApiError, ErrorCode, Shortfall};
use crate::extract::{ExecutionPath, OptionalDocument};
use crate::log::{self, Level};
use crate::openapi::{BodyErrors, CLIENT, ClientErrors, RestartErrors};
use crate::request::RequestContext;
use crate::schema;
use crate::templates::{TemplateCache, canonical_json, sha256_hex};

/// Does an execution again as a new one, with the same request.
///
/// It follows the same revision of the template, with the workers as they were, or the newest one.
/// The execution that it does again has ended, not longer than 24 hours ago.
#[utoipa::path(
    post, path = "/pipeline/{id}/restart", tag = CLIENT,
    request_body(content = RestartRequest, description = "May be left out"),
    params(
        ("id" = String, Path, description = "The execution's id"),
        ("Idempotency-Key" = Option<String>, Header, description = "Makes a repeated request find \
            the first new execution, for 24 hours: 1 to 255 visible ASCII characters",
            nullable = false, pattern = "^[!-~]{1,255}$"),
    ),
    responses(
        (status = 200, description = "The new one is over already", body = PipelineReply),
        (status = 202, description = "The new one has begun", body = PipelineReply),
        BodyErrors, ClientErrors, RestartErrors,
    ),
    security(("client_key" = []), ("worker_secret" = [], "worker_id" = [])),
)]
#[worker::send]
pub async fn restart(
    authorized: Authorized<Act>,
    ExecutionPath(id): ExecutionPath,
    context: RequestContext,
    headers: HeaderMap,
    OptionalDocument(body): OptionalDocument<RestartRequest>,
) -> Result<Response, ApiError> {
    let RestartRequest { revision, reason } = body;
    let revision = revision.unwrap_or_default();
    let key = idempotency_key(&headers)?;
    let old = find(&context, Some(authorized.caller.account()), &id, false).await?;
    if !old.status.is_final() {
        let message = format!("it is {}: cancel it first, or wait", old.status.as_str());
        return Err(ApiError::Refused { id, code: ErrorCode::ExecutionUnfinished, message });
    }
    let key = key.map(|key| key_of(&old, &key, revision));
    let start = match revision {
        RevisionChoice::Same => same(&context, &old, key),
        RevisionChoice::Newest => newest(&context, &old, key).await?,
    };
    // Who asks for it pays for it, and does not approve it.
    let (key_budget, initiators) =
        (authorized.caller.key_budget().cloned(), authorized.caller.selves());
    let start = Start { key_budget, initiators, ..start };
    if let Some(limit) = start.terms.budget {
        let estimate = start.plan.estimate(&start.terms);
        if let Some(shortfall) = Shortfall::of(&estimate, limit, Vec::new) {
            return Err(ApiError::BudgetTooSmall(Box::new(shortfall)));
        }
    }
    let site = context.site();
    let state = match driver::start(&site, context.invocation()?, start).await? {
        Begun::Execution(state) => *state,
        Begun::Refused { retry_after, taken } => return Err(refused(retry_after, taken)),
        Begun::KeyConflict => return Err(ApiError::IdempotencyMismatch),
    };
    note(&authorized.caller.name(), &old, &state, reason);
    context.note(|notes| notes.execution = Some(state.started.id.clone()));
    reply(&state)
}

/// The same key may stand for starts of other kinds.
fn key_of(old: &State, key: &str, revision: RevisionChoice) -> Key {
    let asked: Value = json!({ "restart": old.started.id.as_str(), "revision": revision });
    Key {
        key: format!("restart {} {key}", old.started.id),
        body_hash: sha256_hex(canonical_json(&asked).as_bytes()),
    }
}

fn same(context: &RequestContext, old: &State, key: Option<Key>) -> Start {
    let started = &old.started;
    Start {
        id: None,
        account: started.account.clone(),
        key_budget: None,
        initiators: Vec::new(),
        plan: Arc::clone(&old.plan),
        definition: Arc::clone(&started.definition),
        revision: started.revision,
        content_hash: started.content_hash.clone(),
        request: started.request.clone(),
        terms: started.terms.clone(),
        traceparent: Some(context.trace().to_string()),
        request_id: Some(context.id().to_owned()),
        key,
        window: engine::time::Millis::ZERO,
        restarted_from: Some(started.id.clone()),
    }
}

/// The request was checked against another revision: this one may ask for other input.
async fn newest(
    context: &RequestContext,
    old: &State,
    key: Option<Key>,
) -> Result<Start, ApiError> {
    let name = &old.plan.name;
    let known = TemplateCache::shared(&context.config().worker_urls);
    let published = known.plan(&context.database()?, Some(name), now()).await;
    let published = published.map_err(|error| unusable(Some(name.clone()), error))?;
    if let Some(schema) = &published.definition.input_schema {
        let (hash, input) = (&published.content_hash, &old.started.request["input"]);
        let found = schema::check_published(hash, schema, input, "/input");
        let internal = |message| ApiError::Internal { cause: format!("{name}: {message}") };
        let found = found.map_err(internal)?;
        if !found.is_empty() {
            return Err(ApiError::RequestInvalid(found));
        }
    }
    Ok(Start {
        plan: Arc::clone(&published.plan),
        definition: Arc::clone(&published.definition),
        revision: published.revision,
        content_hash: published.content_hash.clone(),
        ..same(context, old, key)
    })
}

/// The journal of the new execution says what it does again; who asked, and why, stands here.
fn note(by: &str, old: &State, new: &State, reason: Option<String>) {
    log::write(
        Level::Info,
        json!({
            "event": "execution.restarted",
            "execution.id": new.started.id.as_str(),
            "restarted_from": old.started.id.as_str(),
            "by": by,
            "reason": reason,
        }),
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bindings::Bindings;
    use crate::cache::tests::begun;
    use crate::config::Config;
    use crate::request::Deployment;

    fn old() -> State {
        let step = json!({ "name": "a", "order": 1, "kind": "transform", "input_mapping": {} });
        begun(json!({ "name": "t", "steps": [step] }), json!({ "topic": "x", "input": {} }))
    }

    #[test]
    fn the_new_one_starts_from_what_the_old_one_started_from() {
        let config = Arc::new(Config::read(|_| None));
        let deployment = Deployment { config, bindings: Bindings::none(), invocation: None };
        let context = RequestContext::new(&HeaderMap::new(), deployment);
        let old = old();
        let start = same(&context, &old, None);
        assert_eq!(start.request, old.started.request);
        assert_eq!(start.terms, old.started.terms);
        assert_eq!(start.content_hash, old.started.content_hash);
        assert_eq!(start.restarted_from.as_ref(), Some(&old.started.id));
        assert_eq!(start.window, engine::time::Millis::ZERO);
    }

    #[test]
    fn the_same_key_with_another_revision_is_another_request() {
        let old = old();
        let same = key_of(&old, "k", RevisionChoice::Same);
        let newest = key_of(&old, "k", RevisionChoice::Newest);
        assert_eq!(same.key, newest.key);
        assert_ne!(same.body_hash, newest.body_hash);
        assert_ne!(same.key, "k", "a start of its own may have that key");
    }
}
