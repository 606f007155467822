//! Upkeep: tools that follow their nodes, artifacts that nobody holds, bytes without an artifact.

use api_types::registry::{CleanupQuery, CleanupReply, ListQuery, StatusUpdateReply, Tool};
use axum::Json;
use axum::http::Uri;
use axum::response::Response;
use engine::time::{Millis, Timestamp};
use serde_json::{Value, json};
use worker::Bucket;

use super::content::{bucket_failed, key_prefix};
use super::{listed, next_place, paging, tools};
use crate::audit::{self, Change};
use crate::auth::{Administer, Authorized, ClientRead, Reach};
use crate::clock::now;
use crate::db::{D1, Statement, iso, registry_upkeep as rows};
use crate::error::ApiError;
use crate::extract::Query;
use crate::openapi::{AdminErrors, ClientErrors, RegistryPathErrors, TOOLS};
use crate::request::RequestContext;

/// The most tools that follow their nodes in one call, each way.
const FOLLOWERS_MAX: u32 = 1000;
/// The most artifacts and objects of one call where the request does not say.
const CLEANUP_DEFAULT: u32 = 500;
/// How old bytes without an artifact must be where the request does not say: an upload has its
/// bytes before the artifact knows of them.
const UPLOAD_MAX: Millis = Millis::from_secs(3600);

/// Removes artifacts of no tool and no execution, and bytes that no artifact has.
#[utoipa::path(
    post, path = "/maintenance/cleanup-orphaned-artifacts", tag = TOOLS,
    params(CleanupQuery),
    responses(
        (status = 200, description = "What was removed, or would be", body = CleanupReply),
        RegistryPathErrors, AdminErrors,
    ),
    security(("worker_secret" = [], "worker_id" = []), ("client_key" = [])),
)]
#[worker::send]
pub async fn cleanup_orphaned_artifacts(
    authorized: Authorized<Administer>,
    context: RequestContext,
    Query(query): Query<CleanupQuery>,
) -> Result<Json<CleanupReply>, ApiError> {
    let CleanupQuery { dry_run, older_than_s, limit, cursor } = query;
    let (dry_run, limit) = (dry_run.unwrap_or(false), limit.unwrap_or(CLEANUP_DEFAULT));
    let age = older_than_s.map(|seconds| Millis::from_secs(seconds.into()));
    let (account, database) = (authorized.caller.account(), context.database()?);
    let bucket = context.bindings().artifacts()?;
    let until = iso(before(age.unwrap_or(Millis::new(0))));
    let (mut orphans, more_rows) = rows::orphans(&database, account, &until, limit).await?;
    if !dry_run && !orphans.is_empty() {
        let ids: Vec<&str> = orphans.iter().map(|orphan| orphan.artifact_id.as_str()).collect();
        let after = json!({ "artifacts": ids.len() });
        let logged = entry(&authorized, &context, ("artifacts.cleaned_up", "artifact"), after);
        orphans = rows::remove_orphans(&database, account, &ids, logged).await?;
        let keys = orphans.iter().filter_map(|orphan| orphan.content_key.clone()).collect();
        delete(&bucket, keys).await?;
    }
    let prefix = match authorized.caller.reach() {
        Reach::Installation => key_prefix(None),
        Reach::Account(account) => key_prefix(Some(account)),
    };
    let unheld = unheld(&bucket, &database, &prefix, (limit, cursor), age).await?;
    if !dry_run {
        delete(&bucket, unheld.keys.clone()).await?;
    }
    let rows_bytes: u64 = orphans.iter().filter(|o| o.content_key.is_some()).map(bytes).sum();
    Ok(Json(CleanupReply {
        dry_run,
        deleted_count: if dry_run { 0 } else { orphans.len() as u64 },
        artifacts: orphans.into_iter().map(|orphan| orphan.artifact_id).collect(),
        objects: unheld.keys,
        freed_bytes: rows_bytes + unheld.bytes,
        more: more_rows || unheld.next.is_some(),
        next_cursor: unheld.next,
    }))
}

/// Disables the tools of nodes that are not active, and enables those that it disabled whose node
/// is active again. A tool that somebody disabled stays disabled.
#[utoipa::path(
    post, path = "/maintenance/update-tool-status", tag = TOOLS,
    responses(
        (status = 200, description = "The tools that changed", body = StatusUpdateReply),
        AdminErrors,
    ),
    security(("worker_secret" = [], "worker_id" = []), ("client_key" = [])),
)]
#[worker::send]
pub async fn update_tool_status(
    authorized: Authorized<Administer>,
    context: RequestContext,
) -> Result<Json<StatusUpdateReply>, ApiError> {
    let logged = [("tools.disabled_by_node", "DISABLED"), ("tools.enabled_by_node", "ENABLED")]
        .map(|(change, status)| {
            entry(&authorized, &context, (change, "tool"), json!({ "status": status }))
        });
    let (account, database) = (authorized.caller.account(), context.database()?);
    let followed = rows::follow_nodes(&database, Some(account), FOLLOWERS_MAX, logged).await?;
    let rows::Followed { disabled, enabled } = followed;
    let full = FOLLOWERS_MAX as usize;
    Ok(Json(StatusUpdateReply {
        updated_count: (disabled.len() + enabled.len()) as u64,
        more: disabled.len() >= full || enabled.len() >= full,
        disabled,
        enabled,
    }))
}

/// The tools that no node runs.
#[utoipa::path(
    get, path = "/maintenance/tools-without-nodes", tag = TOOLS,
    params(ListQuery),
    responses(
        (status = 200, description = "A page of tools; Link leads to the next", body = [Tool]),
        RegistryPathErrors, ClientErrors,
    ),
    security(("client_key" = []), ("worker_secret" = [], "worker_id" = [])),
)]
#[worker::send]
pub async fn tools_without_nodes(
    authorized: Authorized<ClientRead>,
    context: RequestContext,
    uri: Uri,
    Query(query): Query<ListQuery>,
) -> Result<Response, ApiError> {
    let (account, database) = (authorized.caller.account(), context.database()?);
    let (found, more) = rows::without_nodes(&database, account, paging(query)?).await?;
    let next = next_place(&found, more);
    Ok(listed(found.into_iter().map(tools::shown).collect(), &uri, next))
}

fn entry(
    authorized: &Authorized<Administer>,
    context: &RequestContext,
    (change, subject_type): (&'static str, &'static str),
    after: Value,
) -> Statement {
    let account = Some(authorized.caller.account());
    let subject = "maintenance";
    let change =
        Change { change, subject_type, subject, account, before: None, after: Some(after) };
    audit::entry(context, &authorized.caller, change)
}

fn before(age: Millis) -> Timestamp {
    Timestamp::from_millis(now().as_millis().saturating_sub_unsigned(age.get()))
}

fn bytes(orphan: &rows::Orphan) -> u64 {
    orphan.size_bytes
}

/// Objects of the bucket that no artifact has.
struct Unheld {
    keys: Vec<String>,
    bytes: u64,
    next: Option<String>,
}

/// Looks at a part of the bucket.
async fn unheld(
    bucket: &Bucket,
    database: &D1,
    prefix: &str,
    (limit, cursor): (u32, Option<String>),
    age: Option<Millis>,
) -> Result<Unheld, ApiError> {
    let list = bucket.list().prefix(prefix).limit(limit);
    let list = match cursor {
        Some(cursor) => list.cursor(cursor),
        None => list,
    };
    let found = list.execute().await.map_err(|error| bucket_failed(&error))?;
    let until = before(age.unwrap_or(UPLOAD_MAX)).as_millis();
    let objects = found.objects().into_iter();
    let old = objects.filter(|object| object.uploaded().as_millis() as i64 <= until);
    let mut unheld: Vec<(String, u64)> = old.map(|object| (object.key(), object.size())).collect();
    if !unheld.is_empty() {
        let keys: Vec<String> = unheld.iter().map(|(key, _)| key.clone()).collect();
        let held = rows::held_keys(database, &keys).await?;
        unheld.retain(|(key, _)| !held.contains(key));
    }
    Ok(Unheld {
        bytes: unheld.iter().map(|(_, size)| size).sum(),
        keys: unheld.into_iter().map(|(key, _)| key).collect(),
        next: found.cursor().filter(|_| found.truncated()),
    })
}

async fn delete(bucket: &Bucket, keys: Vec<String>) -> Result<(), ApiError> {
    if keys.is_empty() {
        return Ok(());
    }
    bucket.delete_multiple(keys).await.map_err(|error| bucket_failed(&error))
}
