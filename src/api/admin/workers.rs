//! The registry of workers: register, read, change, retire, check. A change is seen by the next
//! start; executions in progress keep the worker as it was when they began.

mod settings;

use api_types::admin::{
    NewWorker, RegisteredWorker, RetireQuery, WorkerCheckReply, WorkerDocument, WorkersQuery,
    WorkersReply,
};
use axum::Json;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::Value;

use crate::api::precondition;
use crate::api::query::label;
use crate::audit::{self, Change};
use crate::auth::{Authorized, Operate};
use crate::db::registry::{self, Filter, Registered};
use crate::db::workers::Worker;
use crate::db::{D1, Statement};
use crate::error::ApiError;
use crate::extract::{JsonDocument, Query, ResourcePath};
use crate::health;
use crate::openapi::{
    ADMIN, AdminErrors, BodyErrors, ChangeErrors, CreateErrors, NotFoundErrors, QueryErrors,
    RetireErrors,
};
use crate::request::RequestContext;
use settings::{Place, document, shown};

const KIND: &str = "worker";
const PAGE_DEFAULT: u32 = 50;

/// The workers of the registry, retired ones too.
#[utoipa::path(
    get, path = "/admin/workers", tag = ADMIN,
    params(WorkersQuery),
    responses(
        (status = 200, description = "A page of workers", body = WorkersReply),
        QueryErrors, AdminErrors,
    ),
    security(("worker_secret" = [], "worker_id" = []), ("client_key" = [])),
)]
#[worker::send]
pub async fn list_workers(
    _: Authorized<Operate>,
    context: RequestContext,
    Query(query): Query<WorkersQuery>,
) -> Result<Json<WorkersReply>, ApiError> {
    let WorkersQuery { active, health, search, limit, cursor } = query;
    let search = search.map(|text| text.to_lowercase());
    let filter = Filter { active, health: health.and_then(label), search };
    let limit = limit.unwrap_or(PAGE_DEFAULT);
    let (found, more) =
        registry::page(&context.database()?, &filter, cursor.as_deref(), limit).await?;
    let last = found.last().filter(|_| more);
    let next_cursor = last.map(|registered| registered.worker.worker_name.clone());
    let workers = found.into_iter().map(|registered| shown(registered, None)).collect();
    Ok(Json(WorkersReply { workers, next_cursor }))
}

/// Registers a worker.
#[utoipa::path(
    post, path = "/admin/workers", tag = ADMIN,
    request_body = NewWorker,
    responses(
        (status = 201, description = "It is registered; the next start may use it",
            body = RegisteredWorker,
            headers(("ETag" = String, description = "What it was made as, for If-Match"))),
        BodyErrors, CreateErrors, AdminErrors,
    ),
    security(("worker_secret" = [], "worker_id" = []), ("client_key" = [])),
)]
#[worker::send]
pub async fn create_worker(
    authorized: Authorized<Operate>,
    context: RequestContext,
    body: JsonDocument<NewWorker>,
) -> Result<Response, ApiError> {
    let worker = with_place(&context, |place| settings::whole(None, body, place))?;
    let work = Work::new(&context, &authorized)?;
    let name = &worker.worker_name;
    let change = logged("worker.created", name, None, Some(document(&worker)));
    if !work.make(registry::create(&worker), change).await? {
        return Err(ApiError::ResourceExists { kind: KIND, name: name.clone() });
    }
    let mut response = work.reply(StatusCode::CREATED, name).await?;
    let place = format!("/admin/workers/{name}");
    if let Ok(place) = place.try_into() {
        response.headers_mut().insert(header::LOCATION, place);
    }
    Ok(response)
}

/// One worker, with the templates whose steps name it.
#[utoipa::path(
    get, path = "/admin/workers/{name}", tag = ADMIN,
    params(("name" = String, Path, description = "The worker's name", max_length = 64)),
    responses(
        (status = 200, description = "The worker", body = RegisteredWorker,
            headers(("ETag" = String, description = "What was read, for If-Match"))),
        NotFoundErrors, AdminErrors,
    ),
    security(("worker_secret" = [], "worker_id" = []), ("client_key" = [])),
)]
#[worker::send]
pub async fn show_worker(
    authorized: Authorized<Operate>,
    context: RequestContext,
    ResourcePath(name): ResourcePath,
) -> Result<Response, ApiError> {
    Work::new(&context, &authorized)?.reply(StatusCode::OK, &name).await
}

/// Replaces what a worker is: what the document leaves out gets its default.
#[utoipa::path(
    put, path = "/admin/workers/{name}", tag = ADMIN,
    request_body = WorkerDocument,
    params(
        ("name" = String, Path, description = "The worker's name", max_length = 64),
        ("If-Match" = Option<String>, Header, description = "The ETag of what was read"),
    ),
    responses(
        (status = 200, description = "The worker as it is now", body = RegisteredWorker,
            headers(("ETag" = String, description = "What it is now, for If-Match"))),
        BodyErrors, NotFoundErrors, ChangeErrors, AdminErrors,
    ),
    security(("worker_secret" = [], "worker_id" = []), ("client_key" = [])),
)]
#[worker::send]
pub async fn replace_worker(
    authorized: Authorized<Operate>,
    context: RequestContext,
    ResourcePath(name): ResourcePath,
    headers: HeaderMap,
    body: JsonDocument<WorkerDocument>,
) -> Result<Response, ApiError> {
    let work = Work::new(&context, &authorized)?;
    let was = work.find(&name, &headers).await?;
    let worker = with_place(&context, |place| settings::whole(Some(&name), body, place))?;
    work.change("worker.updated", &was, &worker).await
}

/// Changes some of what a worker is, as a JSON merge patch (RFC 7396): null brings a default back.
#[utoipa::path(
    patch, path = "/admin/workers/{name}", tag = ADMIN,
    request_body = WorkerDocument,
    params(
        ("name" = String, Path, description = "The worker's name", max_length = 64),
        ("If-Match" = Option<String>, Header, description = "The ETag of what was read"),
    ),
    responses(
        (status = 200, description = "The worker as it is now", body = RegisteredWorker,
            headers(("ETag" = String, description = "What it is now, for If-Match"))),
        BodyErrors, NotFoundErrors, ChangeErrors, AdminErrors,
    ),
    security(("worker_secret" = [], "worker_id" = []), ("client_key" = [])),
)]
#[worker::send]
pub async fn change_worker(
    authorized: Authorized<Operate>,
    context: RequestContext,
    ResourcePath(name): ResourcePath,
    headers: HeaderMap,
    body: JsonDocument<WorkerDocument>,
) -> Result<Response, ApiError> {
    let work = Work::new(&context, &authorized)?;
    let was = work.find(&name, &headers).await?;
    if !body.violations.is_empty() {
        return Err(ApiError::RequestInvalid(body.violations));
    }
    let patch = |place: &Place<'_>| settings::patched(&was.worker, body.value, place);
    let worker = with_place(&context, patch)?;
    work.change("worker.updated", &was, &worker).await
}

/// Retires a worker: no new execution may use it. With `permanent=true` it is deleted for good,
/// unless a template names it.
#[utoipa::path(
    delete, path = "/admin/workers/{name}", tag = ADMIN,
    params(
        ("name" = String, Path, description = "The worker's name", max_length = 64),
        ("If-Match" = Option<String>, Header, description = "The ETag of what was read"),
        RetireQuery,
    ),
    responses(
        (status = 200, description = "The worker as it is now, or as it last was; the templates \
            under used_by cannot be started until they name another", body = RegisteredWorker),
        NotFoundErrors, RetireErrors, AdminErrors,
    ),
    security(("worker_secret" = [], "worker_id" = []), ("client_key" = [])),
)]
#[worker::send]
pub async fn retire_worker(
    authorized: Authorized<Operate>,
    context: RequestContext,
    ResourcePath(name): ResourcePath,
    headers: HeaderMap,
    Query(query): Query<RetireQuery>,
) -> Result<Response, ApiError> {
    let work = Work::new(&context, &authorized)?;
    let was = work.find(&name, &headers).await?;
    if query.permanent != Some(true) {
        let retired = Worker { is_active: false, ..was.worker.clone() };
        return work.change("worker.retired", &was, &retired).await;
    }
    let change = logged("worker.deleted", &name, Some(document(&was.worker)), None);
    if work.make(registry::delete(&name, &was.state), change).await? {
        return Ok(Json(shown(was, Some(Vec::new()))).into_response());
    }
    match registry::find_with_users(&work.database, &name).await? {
        None => Err(unknown(&name)),
        Some((_, users)) if users.is_empty() => Err(changed(&name)),
        Some((_, users)) => {
            let message = format!("is named by steps of the templates {}", users.join(", "));
            Err(ApiError::ResourceInUse { kind: KIND, name, message })
        }
    }
}

/// Asks a worker for its health now, and notes what was found.
#[utoipa::path(
    post, path = "/admin/workers/{name}/check", tag = ADMIN,
    params(("name" = String, Path, description = "The worker's name", max_length = 64)),
    responses(
        (status = 200, description = "What was found, good or bad", body = WorkerCheckReply),
        NotFoundErrors, AdminErrors,
    ),
    security(("worker_secret" = [], "worker_id" = []), ("client_key" = [])),
)]
#[worker::send]
pub async fn check_worker(
    _: Authorized<Operate>,
    context: RequestContext,
    ResourcePath(name): ResourcePath,
) -> Result<Json<WorkerCheckReply>, ApiError> {
    let database = context.database()?;
    let found = registry::find(&database, &name).await?.ok_or_else(|| unknown(&name))?;
    let seen = health::look(&context.site(), &found.worker).await;
    health::note(&database, &seen).await?;
    let checked_at = seen.entry.checked_at.unwrap_or_default();
    Ok(Json(WorkerCheckReply {
        worker_name: name,
        status: seen.entry.status,
        latency_ms: seen.entry.latency_ms,
        checked_at,
        http_status: seen.http_status,
        reported_status: seen.reported_status,
        reported_version: seen.reported_version,
        error: seen.error,
    }))
}

/// One change of the registry: where, and by whom.
struct Work<'a> {
    context: &'a RequestContext,
    authorized: &'a Authorized<Operate>,
    database: D1,
}

impl<'a> Work<'a> {
    fn new(
        context: &'a RequestContext,
        authorized: &'a Authorized<Operate>,
    ) -> Result<Self, ApiError> {
        Ok(Self { context, authorized, database: context.database()? })
    }

    /// The worker, if it is the one that `If-Match` means.
    async fn find(&self, name: &str, headers: &HeaderMap) -> Result<Registered, ApiError> {
        let found = registry::find(&self.database, name).await?.ok_or_else(|| unknown(name))?;
        precondition::check(headers, &found.state, (KIND, name))?;
        Ok(found)
    }

    async fn change(
        &self,
        what: &'static str,
        was: &Registered,
        worker: &Worker,
    ) -> Result<Response, ApiError> {
        let name = &worker.worker_name;
        let (before, after) = (document(&was.worker), document(worker));
        if before != after {
            let change = logged(what, name, Some(before), Some(after));
            if !self.make(registry::change(&was.state, worker), change).await? {
                return Err(changed(name));
            }
        }
        self.reply(StatusCode::OK, name).await
    }

    async fn make(&self, statement: Statement, change: Change<'_>) -> Result<bool, ApiError> {
        let by = (self.context, &self.authorized.caller);
        Ok(audit::make(&self.database, by, statement, change, Vec::new()).await?)
    }

    /// The worker as it is, with its tag.
    async fn reply(&self, status: StatusCode, name: &str) -> Result<Response, ApiError> {
        let found = registry::find_with_users(&self.database, name).await?;
        let (registered, users) = found.ok_or_else(|| unknown(name))?;
        let tag = precondition::etag(&registered.state);
        let body = Json(shown(registered, Some(users)));
        Ok((status, [(header::ETAG, tag)], body).into_response())
    }
}

fn with_place<T>(
    context: &RequestContext,
    read: impl FnOnce(&Place<'_>) -> Result<T, Vec<engine::plan::Violation>>,
) -> Result<T, ApiError> {
    let place = Place {
        local_addresses_allowed: context.config().local_addresses_allowed,
        binds: &|name| context.bindings().service(name).is_ok(),
    };
    read(&place).map_err(ApiError::RequestInvalid)
}

fn logged<'a>(
    what: &'static str,
    name: &'a str,
    before: Option<Value>,
    after: Option<Value>,
) -> Change<'a> {
    Change { change: what, subject_type: KIND, subject: name, account: None, before, after }
}

fn unknown(name: &str) -> ApiError {
    ApiError::ResourceNotFound { kind: KIND, name: name.to_owned() }
}

fn changed(name: &str) -> ApiError {
    ApiError::ResourceChanged { kind: KIND, name: name.to_owned() }
}
