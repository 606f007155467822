//! What was published of a template. It stays readable when the template is gone.

use api_types::admin::{
    DiffQuery, DiffReply, Publication, RevisionEntry, RevisionReply, RevisionsQuery, RevisionsReply,
};
use axum::Json;
use engine::plan::definition::TemplateDefinition;
use serde_json::json;

use crate::auth::{Authorized, Operate};
use crate::db::revisions::{self, Past};
use crate::db::{D1, templates};
use crate::error::ApiError;
use crate::extract::{Query, RevisionPath, TemplatePath};
use crate::openapi::{ADMIN, AdminErrors, NotFoundErrors, QueryErrors};
use crate::publishing::{difference, of_definition};
use crate::request::RequestContext;

const PAGE_DEFAULT: u32 = 50;

/// The history of a template, newest first, and who published what.
#[utoipa::path(
    get, path = "/admin/templates/{name}/revisions", tag = ADMIN,
    params(
        ("name" = String, Path, description = "The template's name",
            example = "rss_intelligence_pipeline"),
        RevisionsQuery,
    ),
    responses(
        (status = 200, description = "A page of revisions", body = RevisionsReply),
        NotFoundErrors, QueryErrors, AdminErrors,
    ),
    security(("worker_secret" = [], "worker_id" = []), ("client_key" = [])),
)]
#[worker::send]
pub async fn list_revisions(
    _: Authorized<Operate>,
    TemplatePath(name): TemplatePath,
    context: RequestContext,
    Query(RevisionsQuery { limit, cursor }): Query<RevisionsQuery>,
) -> Result<Json<RevisionsReply>, ApiError> {
    let database = context.database()?;
    let limit = limit.unwrap_or(PAGE_DEFAULT);
    let mut found = revisions::history(&database, &name, cursor, limit + 1).await?;
    if found.is_empty() && cursor.is_none() && templates::row(&database, &name).await?.is_none() {
        return Err(ApiError::TemplateNotFound { name });
    }
    let more = found.len() > limit as usize;
    found.truncate(limit as usize);
    let next_cursor = found.last().filter(|_| more).map(|last| last.revision);
    let revisions = found.into_iter().map(entry).collect();
    Ok(Json(RevisionsReply { template: name, revisions, next_cursor }))
}

/// What a revision holds: the template as it was, its workers and all that it reached.
#[utoipa::path(
    get, path = "/admin/templates/{name}/revisions/{revision}", tag = ADMIN,
    params(
        ("name" = String, Path, description = "The template's name",
            example = "rss_intelligence_pipeline"),
        ("revision" = u64, Path, description = "The revision's number", minimum = 1),
    ),
    responses(
        (status = 200, description = "The revision", body = RevisionReply),
        NotFoundErrors, AdminErrors,
    ),
    security(("worker_secret" = [], "worker_id" = []), ("client_key" = [])),
)]
#[worker::send]
pub async fn show_revision(
    _: Authorized<Operate>,
    TemplatePath(name): TemplatePath,
    RevisionPath(revision): RevisionPath,
    context: RequestContext,
) -> Result<Json<RevisionReply>, ApiError> {
    let database = context.database()?;
    let revision = revision.ok_or_else(|| unknown(&name, 0))?;
    let definition = definition(&database, &name, revision).await?;
    let found = revisions::history(&database, &name, Some(revision + 1), 1).await?;
    let past = found.into_iter().find(|past| past.revision == revision);
    let past = past.ok_or_else(|| unknown(&name, revision))?;
    Ok(Json(RevisionReply {
        entry: entry(past),
        template: of_definition(&definition),
        workers: json!(definition.workers),
        templates: json!(definition.templates),
    }))
}

/// What differs between two revisions: attributes, and steps, workers and templates by name.
#[utoipa::path(
    get, path = "/admin/templates/{name}/diff", tag = ADMIN,
    params(
        ("name" = String, Path, description = "The template's name",
            example = "rss_intelligence_pipeline"),
        DiffQuery,
    ),
    responses(
        (status = 200, description = "What differs", body = DiffReply),
        NotFoundErrors, QueryErrors, AdminErrors,
    ),
    security(("worker_secret" = [], "worker_id" = []), ("client_key" = [])),
)]
#[worker::send]
pub async fn diff_revisions(
    _: Authorized<Operate>,
    TemplatePath(name): TemplatePath,
    context: RequestContext,
    Query(DiffQuery { from, to }): Query<DiffQuery>,
) -> Result<Json<DiffReply>, ApiError> {
    let database = context.database()?;
    let before = definition(&database, &name, from).await?;
    let after = definition(&database, &name, to).await?;
    let difference = difference(&before, &after);
    let identical = before == after;
    Ok(Json(DiffReply { template: name, from, to, identical, difference }))
}

/// What a revision holds.
pub(super) async fn definition(
    database: &D1,
    name: &str,
    revision: u64,
) -> Result<TemplateDefinition, ApiError> {
    let Some(text) = revisions::definition(database, name, revision).await? else {
        let is_known = templates::row(database, name).await?.is_some()
            || !revisions::history(database, name, None, 1).await?.is_empty();
        return Err(match is_known {
            true => unknown(name, revision),
            false => ApiError::TemplateNotFound { name: name.to_owned() },
        });
    };
    serde_json::from_str(&text).map_err(|error| ApiError::Internal {
        cause: format!("revision {revision} of `{name}` cannot be read: {error}"),
    })
}

fn unknown(name: &str, revision: u64) -> ApiError {
    ApiError::ResourceNotFound { kind: "template revision", name: format!("{name}/{revision}") }
}

fn entry(past: Past) -> RevisionEntry {
    let Past {
        revision,
        content_hash,
        created_at,
        step_count,
        bytes: _,
        is_published,
        audit_id,
        actor_type,
        actor,
        change,
        request_id,
    } = past;
    let by = if is_published { "api" } else { "start" }.to_owned();
    let published = Publication { by, actor_type, actor, change, audit_id, request_id };
    RevisionEntry { revision, content_hash, created_at, step_count, published }
}
