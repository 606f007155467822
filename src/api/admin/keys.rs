//! Issued keys: issue, read, change, rotate, revoke. A secret is shown once, and only its hash is
//! kept. Other isolates know a key for a minute at most, so a change is met within that time.

mod settings;

use api_types::admin::{
    ApiKeyEntry, ApiKeyPatch, ApiKeysQuery, ApiKeysReply, IssuedApiKey, NewApiKey, RotateRequest,
    RotatedApiKey,
};
use axum::Json;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use engine::time::Millis;
use serde_json::Value;
use uuid::Uuid;

use crate::api::precondition;
use crate::api::query::label;
use crate::audit::{self, Change};
use crate::auth::{Administer, Authorized, Caller, Reach};
use crate::clock::now;
use crate::db::keyring::{self, Filter, Key};
use crate::db::{D1, Statement, iso};
use crate::error::ApiError;
use crate::extract::{JsonDocument, OptionalDocument, Query, ResourcePath};
use crate::openapi::{
    ADMIN, AdminErrors, BodyErrors, ChangeErrors, NotFoundErrors, OverErrors, QueryErrors,
};
use crate::request::RequestContext;
use settings::{Fresh, document, shown};

const KIND: &str = "api key";
const PAGE_DEFAULT: u32 = 50;
/// How long a rotated key is accepted beside its successor.
const OVERLAP_DEFAULT_S: u32 = 86_400;

/// The issued keys, without their secrets. An administrator of one account sees its keys.
#[utoipa::path(
    get, path = "/admin/api-keys", tag = ADMIN,
    params(ApiKeysQuery),
    responses(
        (status = 200, description = "A page of keys", body = ApiKeysReply),
        QueryErrors, AdminErrors,
    ),
    security(("worker_secret" = [], "worker_id" = []), ("client_key" = [])),
)]
#[worker::send]
pub async fn list_api_keys(
    authorized: Authorized<Administer>,
    context: RequestContext,
    Query(query): Query<ApiKeysQuery>,
) -> Result<Json<ApiKeysReply>, ApiError> {
    let ApiKeysQuery { account, status, limit, cursor } = query;
    let status = status.and_then(label);
    let account = own(&authorized.caller).or(account.as_deref());
    let filter = Filter { account, status: status.as_deref() };
    let (now, limit) = (now(), limit.unwrap_or(PAGE_DEFAULT));
    let part = (cursor.as_deref(), limit);
    let (found, more) = keyring::page(&context.database()?, filter, part, now).await?;
    let next_cursor = found.last().filter(|_| more).map(|key| key.id.clone());
    let api_keys = found.into_iter().map(|key| shown(key, now)).collect();
    Ok(Json(ApiKeysReply { api_keys, next_cursor }))
}

/// Issues a key. Its secret is in this reply and nowhere else.
#[utoipa::path(
    post, path = "/admin/api-keys", tag = ADMIN,
    request_body = NewApiKey,
    responses(
        (status = 201, description = "It is accepted from now on", body = IssuedApiKey,
            headers(("ETag" = String, description = "What was issued, for If-Match"))),
        BodyErrors, AdminErrors,
    ),
    security(("worker_secret" = [], "worker_id" = []), ("client_key" = [])),
)]
#[worker::send]
pub async fn issue_api_key(
    authorized: Authorized<Administer>,
    context: RequestContext,
    body: JsonDocument<NewApiKey>,
) -> Result<Response, ApiError> {
    let caller = &authorized.caller;
    let key = settings::new(body.typed()?, caller, now())?;
    let Fresh { secret, hash } = settings::fresh();
    let work = Work { context: &context, caller, database: context.database()? };
    let change = logged("api_key.issued", &key, None, Some(document(&key)));
    if !work.make(keyring::issue(&key, &hash), change, Vec::new()).await? {
        return Err(settings::account_unknown());
    }
    let key = work.find(&key.id).await?;
    let tag = precondition::etag(&key.state);
    let place = format!("/admin/api-keys/{}", key.id);
    let body = Json(IssuedApiKey { secret, api_key: shown(key, now()) });
    let mut response = (StatusCode::CREATED, [(header::ETAG, tag)], body).into_response();
    if let Ok(place) = place.try_into() {
        response.headers_mut().insert(header::LOCATION, place);
    }
    Ok(response)
}

/// One key, without its secret.
#[utoipa::path(
    get, path = "/admin/api-keys/{id}", tag = ADMIN,
    params(("id" = String, Path, description = "The key's id", max_length = 64)),
    responses(
        (status = 200, description = "The key", body = ApiKeyEntry,
            headers(("ETag" = String, description = "What was read, for If-Match"))),
        NotFoundErrors, AdminErrors,
    ),
    security(("worker_secret" = [], "worker_id" = []), ("client_key" = [])),
)]
#[worker::send]
pub async fn show_api_key(
    authorized: Authorized<Administer>,
    context: RequestContext,
    ResourcePath(id): ResourcePath,
) -> Result<Response, ApiError> {
    let caller = &authorized.caller;
    let work = Work { context: &context, caller, database: context.database()? };
    Ok(tagged(work.find(&id).await?))
}

/// Changes a key, as a JSON merge patch (RFC 7396): null takes a limit or the end away.
#[utoipa::path(
    patch, path = "/admin/api-keys/{id}", tag = ADMIN,
    request_body = ApiKeyPatch,
    params(
        ("id" = String, Path, description = "The key's id", max_length = 64),
        ("If-Match" = Option<String>, Header, description = "The ETag of what was read"),
    ),
    responses(
        (status = 200, description = "The key as it is now; met within a minute",
            body = ApiKeyEntry,
            headers(("ETag" = String, description = "What it is now, for If-Match"))),
        BodyErrors, NotFoundErrors, OverErrors, ChangeErrors, AdminErrors,
    ),
    security(("worker_secret" = [], "worker_id" = []), ("client_key" = [])),
)]
#[worker::send]
pub async fn change_api_key(
    authorized: Authorized<Administer>,
    context: RequestContext,
    ResourcePath(id): ResourcePath,
    headers: HeaderMap,
    body: JsonDocument<ApiKeyPatch>,
) -> Result<Response, ApiError> {
    let caller = &authorized.caller;
    let work = Work { context: &context, caller, database: context.database()? };
    let was = work.find(&id).await?;
    precondition::check(&headers, &was.state, (KIND, &id))?;
    let key = settings::patched(&was, body, caller, now())?;
    let (before, after) = (document(&was), document(&key));
    if before == after {
        return Ok(tagged(was));
    }
    let change = logged("api_key.updated", &key, Some(before), Some(after));
    if !work.make(keyring::change(&key), change, Vec::new()).await? {
        return Err(ApiError::ResourceChanged { kind: KIND, name: id });
    }
    Ok(tagged(work.find(&id).await?))
}

/// Puts a new key into the place of one: the same account, rights, rate and budget, and another
/// secret. The old secret is accepted for the overlap.
#[utoipa::path(
    post, path = "/admin/api-keys/{id}/rotate", tag = ADMIN,
    request_body(content = RotateRequest, description = "May be left out"),
    params(("id" = String, Path, description = "The key's id", max_length = 64)),
    responses(
        (status = 201, description = "The new key, with its secret, and the old one's end",
            body = RotatedApiKey),
        BodyErrors, NotFoundErrors, OverErrors, ChangeErrors, AdminErrors,
    ),
    security(("worker_secret" = [], "worker_id" = []), ("client_key" = [])),
)]
#[worker::send]
pub async fn rotate_api_key(
    authorized: Authorized<Administer>,
    context: RequestContext,
    ResourcePath(id): ResourcePath,
    OptionalDocument(body): OptionalDocument<RotateRequest>,
) -> Result<Response, ApiError> {
    let caller = &authorized.caller;
    let work = Work { context: &context, caller, database: context.database()? };
    let old = work.find(&id).await?;
    let now = now();
    settings::check_rotation(&old, caller, now)?;
    let end = settings::new_end(body.expires_at.as_deref(), &old, now)?;
    let overlap = Millis::from_secs(body.overlap_seconds.unwrap_or(OVERLAP_DEFAULT_S).into());
    let Fresh { secret, hash } = settings::fresh();
    let new_id = Uuid::now_v7().to_string();
    let after = Some(settings::rotation(&old, &new_id, end.as_deref(), now.plus(overlap)));
    let change = logged("api_key.rotated", &old, Some(document(&old)), after);
    let then = keyring::follow(&old.id, &new_id, now.plus(overlap));
    let replace = keyring::replace(&old, (&new_id, &hash, end.as_deref()));
    if !work.make(replace, change, then).await? {
        return Err(ApiError::ResourceChanged { kind: KIND, name: id });
    }
    let api_key = shown(work.find(&new_id).await?, now);
    let replaced = shown(work.find(&id).await?, now);
    let body = Json(RotatedApiKey { secret, api_key, replaced });
    let mut response = (StatusCode::CREATED, body).into_response();
    if let Ok(place) = format!("/admin/api-keys/{new_id}").try_into() {
        response.headers_mut().insert(header::LOCATION, place);
    }
    Ok(response)
}

/// Revokes a key for good: it is refused everywhere within a minute.
#[utoipa::path(
    delete, path = "/admin/api-keys/{id}", tag = ADMIN,
    params(("id" = String, Path, description = "The key's id", max_length = 64)),
    responses(
        (status = 200, description = "The key, revoked now or before", body = ApiKeyEntry),
        NotFoundErrors, AdminErrors,
    ),
    security(("worker_secret" = [], "worker_id" = []), ("client_key" = [])),
)]
#[worker::send]
pub async fn revoke_api_key(
    authorized: Authorized<Administer>,
    context: RequestContext,
    ResourcePath(id): ResourcePath,
) -> Result<Json<ApiKeyEntry>, ApiError> {
    let caller = &authorized.caller;
    let work = Work { context: &context, caller, database: context.database()? };
    let was = work.find(&id).await?;
    let now = now();
    if was.revoked_at.is_some() {
        return Ok(Json(shown(was, now)));
    }
    let revoked = Key { revoked_at: Some(iso(now)), ..was.clone() };
    let change = logged("api_key.revoked", &was, Some(document(&was)), Some(document(&revoked)));
    // Where another was faster, it is revoked all the same.
    work.make(keyring::revoke(&id, now), change, Vec::new()).await?;
    Ok(Json(shown(work.find(&id).await?, now)))
}

/// One change of keys: where, and by whom.
struct Work<'a> {
    context: &'a RequestContext,
    caller: &'a Caller,
    database: D1,
}

impl Work<'_> {
    /// The key, where the caller's sight reaches it.
    async fn find(&self, id: &str) -> Result<Key, ApiError> {
        let found = keyring::find(&self.database, id, own(self.caller)).await?;
        found.ok_or_else(|| ApiError::ResourceNotFound { kind: KIND, name: id.to_owned() })
    }

    async fn make(
        &self,
        statement: Statement,
        change: Change<'_>,
        then: Vec<Statement>,
    ) -> Result<bool, ApiError> {
        let by = (self.context, self.caller);
        Ok(audit::make(&self.database, by, statement, change, then).await?)
    }
}

fn tagged(key: Key) -> Response {
    let tag = precondition::etag(&key.state);
    ([(header::ETAG, tag)], Json(shown(key, now()))).into_response()
}

/// The account that the caller's sight ends at.
fn own(caller: &Caller) -> Option<&str> {
    match caller.reach() {
        Reach::Installation => None,
        Reach::Account(account) => Some(account),
    }
}

fn logged<'a>(
    what: &'static str,
    key: &'a Key,
    before: Option<Value>,
    after: Option<Value>,
) -> Change<'a> {
    let account = Some(key.account_id.as_str());
    Change { change: what, subject_type: "api_key", subject: &key.id, account, before, after }
}
