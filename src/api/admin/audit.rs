//! The audit log as administrators read it: who changed what, newest first.

use api_types::admin::{AuditEntry, AuditQuery, AuditReply};
use axum::Json;

use crate::api::query::{cursor, moment};
use crate::auth::{Administer, Authorized, Caller, Reach};
use crate::db::audit::{self, Entry, Filter};
use crate::db::iso;
use crate::error::ApiError;
use crate::extract::{Query, ResourcePath};
use crate::openapi::{ADMIN, AdminErrors, NotFoundErrors, QueryErrors};
use crate::request::RequestContext;

const PAGE_DEFAULT: u32 = 50;

/// Who changed what, newest first. An administrator of one account sees what concerns it; the
/// operator sees everything.
#[utoipa::path(
    get, path = "/admin/audit-log", tag = ADMIN,
    params(AuditQuery),
    responses(
        (status = 200, description = "A page of entries", body = AuditReply),
        QueryErrors, AdminErrors,
    ),
    security(("worker_secret" = [], "worker_id" = []), ("client_key" = [])),
)]
#[worker::send]
pub async fn list_audit_log(
    authorized: Authorized<Administer>,
    context: RequestContext,
    Query(query): Query<AuditQuery>,
) -> Result<Json<AuditReply>, ApiError> {
    let limit = query.limit.unwrap_or(PAGE_DEFAULT);
    let (filter, after) = read(query, &authorized.caller)?;
    let after = after.as_ref().map(|(at, id)| (at.as_str(), id.as_str()));
    let database = context.database()?;
    let (entries, more) = audit::page(&database, &filter, after, limit).await?;
    let last = entries.last().filter(|_| more);
    let next_cursor = last.map(|entry| format!("{}_{}", entry.at, entry.id));
    Ok(Json(AuditReply { entries: entries.into_iter().map(shown).collect(), next_cursor }))
}

/// One entry of the audit log.
#[utoipa::path(
    get, path = "/admin/audit-log/{id}", tag = ADMIN,
    params(("id" = String, Path, description = "The entry's id", max_length = 64)),
    responses(
        (status = 200, description = "The entry", body = AuditEntry),
        NotFoundErrors, AdminErrors,
    ),
    security(("worker_secret" = [], "worker_id" = []), ("client_key" = [])),
)]
#[worker::send]
pub async fn show_audit_entry(
    authorized: Authorized<Administer>,
    context: RequestContext,
    ResourcePath(id): ResourcePath,
) -> Result<Json<AuditEntry>, ApiError> {
    let entry = audit::find(&context.database()?, &id, account(&authorized.caller)).await?;
    let missing = || ApiError::ResourceNotFound { kind: "audit entry", name: id };
    entry.map(shown).map(Json).ok_or_else(missing)
}

/// The account that the caller's sight ends at.
fn account(caller: &Caller) -> Option<&str> {
    match caller.reach() {
        Reach::Installation => None,
        Reach::Account(account) => Some(account),
    }
}

fn read(
    query: AuditQuery,
    caller: &Caller,
) -> Result<(Filter, Option<(String, String)>), ApiError> {
    let AuditQuery { account: wanted, actor, change, subject_type, subject, from, to, .. } = query;
    let mut violations = Vec::new();
    let from = moment("/from", from, &mut violations).map(iso);
    let to = moment("/to", to, &mut violations).map(iso);
    let after = cursor(query.cursor, &mut violations);
    if !violations.is_empty() {
        return Err(ApiError::QueryInvalid(violations));
    }
    let account = account(caller).map(str::to_owned).or(wanted);
    Ok((Filter { account, actor, change, subject_type, subject, from, to }, after))
}

fn shown(entry: Entry) -> AuditEntry {
    let Entry {
        id,
        at,
        account_id,
        actor_type,
        actor,
        change,
        subject_type,
        subject,
        before,
        after,
        request_id,
    } = entry;
    AuditEntry {
        id,
        at,
        account: account_id,
        actor_type,
        actor,
        change,
        subject_type,
        subject,
        before,
        after,
        request_id,
    }
}
