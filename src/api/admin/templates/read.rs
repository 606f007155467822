//! Templates as they stand, and what a document would come to.

use api_types::admin::{
    AdminTemplateEntry, AdminTemplateReply, AdminTemplatesQuery, AdminTemplatesReply,
    TemplateDocument, TemplateValidationReply,
};
use axum::Json;
use axum::response::Response;
use engine::plan::Violation;

use super::{Sent, VIOLATIONS_MAX, shown};
use crate::auth::{Authorized, Operate};
use crate::db::drafts;
use crate::db::templates::{self, Listed};
use crate::error::{ApiError, wire_violation};
use crate::extract::{JsonDocument, Query, TemplatePath};
use crate::openapi::{ADMIN, AdminErrors, BodyErrors, NotFoundErrors, QueryErrors};
use crate::publishing::{Changed, Rows, check, of_rows, rows};
use crate::request::RequestContext;

const PAGE_DEFAULT: u32 = 50;

/// The templates by name, active or not.
#[utoipa::path(
    get, path = "/admin/templates", tag = ADMIN,
    params(AdminTemplatesQuery),
    responses(
        (status = 200, description = "A page of templates", body = AdminTemplatesReply),
        QueryErrors, AdminErrors,
    ),
    security(("worker_secret" = [], "worker_id" = []), ("client_key" = [])),
)]
#[worker::send]
pub async fn list_admin_templates(
    _: Authorized<Operate>,
    context: RequestContext,
    Query(query): Query<AdminTemplatesQuery>,
) -> Result<Json<AdminTemplatesReply>, ApiError> {
    let AdminTemplatesQuery { is_active, category, limit, cursor } = query;
    let wanted = (is_active, category.as_deref());
    let limit = limit.unwrap_or(PAGE_DEFAULT);
    let (found, more) =
        templates::all(&context.database()?, wanted, cursor.as_deref(), limit).await?;
    let next_cursor = found.last().filter(|_| more).map(|last| last.name.clone());
    Ok(Json(AdminTemplatesReply { templates: found.into_iter().map(entry).collect(), next_cursor }))
}

/// One template: its document as a replacement takes it, the revision that a start gets, and why it
/// cannot be started where that is so.
#[utoipa::path(
    get, path = "/admin/templates/{name}", tag = ADMIN,
    params(("name" = String, Path, description = "The template's name",
        example = "rss_intelligence_pipeline")),
    responses(
        (status = 200, description = "The template", body = AdminTemplateReply),
        NotFoundErrors, AdminErrors,
    ),
    security(("worker_secret" = [], "worker_id" = []), ("client_key" = [])),
)]
#[worker::send]
pub async fn show_admin_template(
    _: Authorized<Operate>,
    TemplatePath(name): TemplatePath,
    context: RequestContext,
) -> Result<Response, ApiError> {
    let database = context.database()?;
    let current = drafts::current(&database, &name).await?;
    let Some(detail) = current.rows else { return Err(ApiError::TemplateNotFound { name }) };
    let document = of_rows(&detail);
    let (urls, rows) = (&context.config().worker_urls, Rows::of(detail.clone()));
    let checked = check(&database, urls, &document, rows, Vec::new()).await?;
    Ok(shown(Changed {
        detail,
        revision: checked.revision,
        content_hash: checked.content_hash,
        violations: checked.violations,
        warnings: checked.warnings,
        named_by: Vec::new(),
    }))
}

/// Tells what publishing a document under this name would come to: everything that is wrong with
/// it, and what may not be meant. Nothing is written, and the name need not be taken.
#[utoipa::path(
    post, path = "/admin/templates/{name}/validate", tag = ADMIN,
    params(("name" = String, Path, description = "The template's name", example = "quick_look",
        max_length = 64)),
    request_body(content = serde_json::Value, description = "A TemplateDocument, right or wrong"),
    responses(
        (status = 200, description = "What it would come to", body = TemplateValidationReply),
        BodyErrors, NotFoundErrors, AdminErrors,
    ),
    security(("worker_secret" = [], "worker_id" = []), ("client_key" = [])),
)]
#[worker::send]
pub async fn validate_template(
    _: Authorized<Operate>,
    TemplatePath(name): TemplatePath,
    context: RequestContext,
    sent: JsonDocument<TemplateDocument>,
) -> Result<Json<TemplateValidationReply>, ApiError> {
    let Sent { document, unread } = match Sent::read(sent, Some(&name)) {
        Ok(sent) => sent,
        Err(violations) => return Ok(Json(verdict(&violations, &[], None, None))),
    };
    let (database, urls) = (context.database()?, &context.config().worker_urls);
    let rows = rows(&document, &name);
    let checked = check(&database, urls, &document, rows, unread).await?;
    let hash = checked.violations.is_empty().then_some(checked.content_hash);
    let revision = checked.revision.filter(|_| hash.is_some());
    Ok(Json(verdict(&checked.violations, &checked.warnings, hash, revision)))
}

fn verdict(
    violations: &[Violation],
    warnings: &[Violation],
    content_hash: Option<String>,
    revision: Option<u64>,
) -> TemplateValidationReply {
    let wire = |found: &[Violation]| {
        found.iter().take(VIOLATIONS_MAX).map(wire_violation).collect::<Vec<_>>()
    };
    TemplateValidationReply {
        valid: violations.is_empty(),
        violations: wire(violations),
        violations_total: violations.len() as u64,
        warnings: wire(warnings),
        content_hash,
        revision,
    }
}

fn entry(row: Listed) -> AdminTemplateEntry {
    let Listed {
        name,
        display_name,
        description,
        category,
        is_active,
        is_default,
        updated_at,
        step_count,
        newest_revision,
    } = row;
    AdminTemplateEntry {
        name,
        display_name,
        description,
        category,
        is_active,
        is_default,
        step_count,
        newest_revision,
        updated_at,
    }
}
