//! Monitoring and figures of the registry.

use api_types::registry::{
    CategoryStorage, DataIntegrity, IntegrityCheck, ListQuery, RegistrySummary, ToolUsage,
};
use axum::Json;
use axum::http::Uri;
use axum::response::Response;

use super::{listed, next_place, paging};
use crate::auth::{Authorized, ClientRead};
use crate::db::registry_figures as figures;
use crate::error::ApiError;
use crate::extract::Query;
use crate::openapi::{ClientErrors, RegistryPathErrors, TOOLS};
use crate::request::RequestContext;

/// What the artifacts of each category take, the most first.
#[utoipa::path(
    get, path = "/monitoring/storage-usage-by-category", tag = TOOLS,
    responses(
        (status = 200, description = "Categories", body = [CategoryStorage]),
        ClientErrors,
    ),
    security(("client_key" = []), ("worker_secret" = [], "worker_id" = [])),
)]
#[worker::send]
pub async fn storage_usage_by_category(
    authorized: Authorized<ClientRead>,
    context: RequestContext,
) -> Result<Json<Vec<CategoryStorage>>, ApiError> {
    let rows = figures::storage(&context.database()?, authorized.caller.account()).await?;
    Ok(Json(rows.into_iter().map(stored).collect()))
}

/// What each tool made, and how it is tagged.
#[utoipa::path(
    get, path = "/monitoring/tool-usage-statistics", tag = TOOLS,
    params(ListQuery),
    responses(
        (status = 200, description = "A page; Link leads to the next", body = [ToolUsage]),
        RegistryPathErrors, ClientErrors,
    ),
    security(("client_key" = []), ("worker_secret" = [], "worker_id" = [])),
)]
#[worker::send]
pub async fn tool_usage_statistics(
    authorized: Authorized<ClientRead>,
    context: RequestContext,
    uri: Uri,
    Query(query): Query<ListQuery>,
) -> Result<Response, ApiError> {
    let (account, database) = (authorized.caller.account(), context.database()?);
    let (rows, more) = figures::usage(&database, account, paging(query)?).await?;
    let next = next_place(&rows, more);
    Ok(listed(rows.into_iter().map(used).collect(), &uri, next))
}

/// Whether what is stored fits together.
#[utoipa::path(
    get, path = "/monitoring/data-integrity", tag = TOOLS,
    responses(
        (status = 200, description = "What was looked at and found", body = DataIntegrity),
        ClientErrors,
    ),
    security(("client_key" = []), ("worker_secret" = [], "worker_id" = [])),
)]
#[worker::send]
pub async fn data_integrity(
    authorized: Authorized<ClientRead>,
    context: RequestContext,
) -> Result<Json<DataIntegrity>, ApiError> {
    let found = figures::integrity(&context.database()?, authorized.caller.account()).await?;
    found.map(report).map(Json).ok_or_else(nothing)
}

/// How many there are of everything.
#[utoipa::path(
    get, path = "/stats/summary", tag = TOOLS,
    responses(
        (status = 200, description = "The figures", body = RegistrySummary),
        ClientErrors,
    ),
    security(("client_key" = []), ("worker_secret" = [], "worker_id" = [])),
)]
#[worker::send]
pub async fn registry_summary(
    authorized: Authorized<ClientRead>,
    context: RequestContext,
) -> Result<Json<RegistrySummary>, ApiError> {
    let found = figures::summary(&context.database()?, authorized.caller.account()).await?;
    found.map(summed).map(Json).ok_or_else(nothing)
}

fn nothing() -> ApiError {
    ApiError::Internal { cause: "a statement that counts gave no row".to_owned() }
}

fn report(found: figures::Integrity) -> DataIntegrity {
    let figures::Integrity {
        tools_without_node,
        enabled_tools_on_inactive_nodes,
        nodes_without_tools,
        orphaned_artifacts,
        artifacts_without_content,
        tools_on_foreign_nodes,
        artifacts_of_foreign_tools,
    } = found;
    let check = |name: &str, description: &str, severity: &str, count| IntegrityCheck {
        name: name.to_owned(),
        description: description.to_owned(),
        severity: severity.to_owned(),
        count,
    };
    let checks = vec![
        check("tools_without_node", "Tools that no node runs", "warning", tools_without_node),
        check(
            "enabled_tools_on_inactive_nodes",
            "Tools that may be called, on nodes that take no calls",
            "warning",
            enabled_tools_on_inactive_nodes,
        ),
        check("nodes_without_tools", "Nodes without tools", "warning", nodes_without_tools),
        check(
            "orphaned_artifacts",
            "Artifacts of no tool and no execution",
            "warning",
            orphaned_artifacts,
        ),
        check(
            "artifacts_without_content",
            "Artifacts whose bytes lie nowhere",
            "warning",
            artifacts_without_content,
        ),
        check(
            "tools_on_foreign_nodes",
            "Tools on nodes of another account",
            "error",
            tools_on_foreign_nodes,
        ),
        check(
            "artifacts_of_foreign_tools",
            "Artifacts of tools of another account",
            "error",
            artifacts_of_foreign_tools,
        ),
    ];
    let whole = checks.iter().all(|check| check.count == 0);
    DataIntegrity { status: if whole { "ok" } else { "issues" }.to_owned(), checks }
}

fn stored(row: figures::Storage) -> CategoryStorage {
    let figures::Storage { category, artifact_count, total_size_bytes, average_size_bytes } = row;
    CategoryStorage { category, artifact_count, total_size_bytes, average_size_bytes }
}

fn used(row: figures::Usage) -> ToolUsage {
    let figures::Usage {
        seq: _,
        tool_id,
        name,
        category,
        status,
        artifact_count,
        total_size_bytes,
        last_artifact_at,
        tag_count,
    } = row;
    ToolUsage {
        tool_id,
        name,
        category,
        status,
        artifact_count,
        total_size_bytes,
        last_artifact_at,
        tag_count,
    }
}

fn summed(row: figures::Summary) -> RegistrySummary {
    let figures::Summary {
        total_nodes,
        active_nodes,
        total_tools,
        enabled_tools,
        callable_tools,
        total_artifacts,
        total_storage_bytes,
        total_tags,
    } = row;
    RegistrySummary {
        total_nodes,
        active_nodes,
        total_tools,
        enabled_tools,
        callable_tools,
        total_artifacts,
        total_storage_bytes,
        total_tags,
    }
}
