//! Queries over several tables of the registry.

use api_types::registry::{
    ActiveToolWithNode, LargeArtifactsOfTool, LargestQuery, ListQuery, NodeHealth,
    SchemaSearchQuery, Tool, ToolOfCategory, ToolsOfCategoryQuery,
};
use axum::Json;
use axum::http::Uri;
use axum::response::Response;

use super::{LARGE_BYTES, PAGE_DEFAULT, after, listed, next_place, paging, tools};
use crate::api::query::label;
use crate::auth::{Authorized, ClientRead};
use crate::db::registry_figures as figures;
use crate::db::tool_search::{self, Properties};
use crate::db::tools::{self as rows, ToolFilter};
use crate::error::ApiError;
use crate::extract::Query;
use crate::openapi::{ClientErrors, RegistryPathErrors, TOOLS};
use crate::request::RequestContext;

/// The categories as the column sorts them: a cursor names one by its place.
const CATEGORIES: [&str; 4] = ["ANALYSIS", "PROCESSING", "STORAGE", "VALIDATION"];

/// The tools that may be called, each with the node that takes the calls.
#[utoipa::path(
    get, path = "/queries/active-tools-with-nodes", tag = TOOLS,
    params(ListQuery),
    responses(
        (status = 200, description = "A page; Link leads to the next",
            body = [ActiveToolWithNode]),
        RegistryPathErrors, ClientErrors,
    ),
    security(("client_key" = []), ("worker_secret" = [], "worker_id" = [])),
)]
#[worker::send]
pub async fn active_tools_with_nodes(
    authorized: Authorized<ClientRead>,
    context: RequestContext,
    uri: Uri,
    Query(query): Query<ListQuery>,
) -> Result<Response, ApiError> {
    let (account, database) = (authorized.caller.account(), context.database()?);
    let (rows, more) = figures::active_with_nodes(&database, account, paging(query)?).await?;
    let next = next_place(&rows, more);
    Ok(listed(rows.into_iter().map(active).collect(), &uri, next))
}

/// The tools by category, each with its tags.
#[utoipa::path(
    get, path = "/queries/tools-by-category-with-tags", tag = TOOLS,
    params(ToolsOfCategoryQuery),
    responses(
        (status = 200, description = "A page; Link leads to the next", body = [ToolOfCategory]),
        RegistryPathErrors, ClientErrors,
    ),
    security(("client_key" = []), ("worker_secret" = [], "worker_id" = [])),
)]
#[worker::send]
pub async fn tools_by_category_with_tags(
    authorized: Authorized<ClientRead>,
    context: RequestContext,
    uri: Uri,
    Query(query): Query<ToolsOfCategoryQuery>,
) -> Result<Response, ApiError> {
    let ToolsOfCategoryQuery { category, skip, limit, cursor } = query;
    let category = category.and_then(label);
    let after = after::<2>(cursor.as_deref(), skip)?;
    let name = |place: u64| usize::try_from(place).ok().and_then(|place| CATEGORIES.get(place));
    let after = after.map(|[place, seq]| (*name(place).unwrap_or(&"~"), seq));
    let part = (skip.unwrap_or(0), limit.unwrap_or(PAGE_DEFAULT));
    let (account, database) = (authorized.caller.account(), context.database()?);
    let (rows, more) =
        figures::by_category(&database, account, category.as_deref(), after, part).await?;
    let next = rows.last().filter(|_| more).and_then(|row| {
        let place = CATEGORIES.iter().position(|name| *name == row.category)?;
        Some(format!("{place}_{}", row.seq))
    });
    Ok(listed(rows.into_iter().map(of_category).collect(), &uri, next))
}

/// How the nodes fare, and how many tools each runs.
#[utoipa::path(
    get, path = "/queries/node-health-status", tag = TOOLS,
    params(ListQuery),
    responses(
        (status = 200, description = "A page; Link leads to the next", body = [NodeHealth]),
        RegistryPathErrors, ClientErrors,
    ),
    security(("client_key" = []), ("worker_secret" = [], "worker_id" = [])),
)]
#[worker::send]
pub async fn node_health_status(
    authorized: Authorized<ClientRead>,
    context: RequestContext,
    uri: Uri,
    Query(query): Query<ListQuery>,
) -> Result<Response, ApiError> {
    let (account, database) = (authorized.caller.account(), context.database()?);
    let (rows, more) = figures::node_health(&database, account, paging(query)?).await?;
    let next = next_place(&rows, more);
    Ok(listed(rows.into_iter().map(health).collect(), &uri, next))
}

/// The tools by the size of the large artifacts that they made, the most first.
#[utoipa::path(
    get, path = "/queries/large-artifacts-by-tool", tag = TOOLS,
    params(LargestQuery),
    responses(
        (status = 200, description = "Tools", body = [LargeArtifactsOfTool]),
        RegistryPathErrors, ClientErrors,
    ),
    security(("client_key" = []), ("worker_secret" = [], "worker_id" = [])),
)]
#[worker::send]
pub async fn large_artifacts_by_tool(
    authorized: Authorized<ClientRead>,
    context: RequestContext,
    Query(query): Query<LargestQuery>,
) -> Result<Json<Vec<LargeArtifactsOfTool>>, ApiError> {
    let LargestQuery { min_size, skip, limit } = query;
    let part = (skip.unwrap_or(0), limit.unwrap_or(PAGE_DEFAULT));
    let (account, size_min) = (authorized.caller.account(), min_size.unwrap_or(LARGE_BYTES));
    let rows = figures::large_by_tool(&context.database()?, account, size_min, part).await?;
    Ok(Json(rows.into_iter().map(large).collect()))
}

/// The tools whose schemas name a property, taken, given, or both.
#[utoipa::path(
    get, path = "/queries/search-tools-by-schema", tag = TOOLS,
    params(SchemaSearchQuery),
    responses(
        (status = 200, description = "A page of tools; Link leads to the next", body = [Tool]),
        RegistryPathErrors, ClientErrors,
    ),
    security(("client_key" = []), ("worker_secret" = [], "worker_id" = [])),
)]
#[worker::send]
pub async fn search_tools_by_schema(
    authorized: Authorized<ClientRead>,
    context: RequestContext,
    uri: Uri,
    Query(query): Query<SchemaSearchQuery>,
) -> Result<Response, ApiError> {
    let SchemaSearchQuery { input_property, output_property, skip, limit, cursor } = query;
    let paging = paging(ListQuery { skip, limit, cursor })?;
    let (account, database) = (authorized.caller.account(), context.database()?);
    let properties = match (&input_property, &output_property) {
        (Some(input), Some(output)) => Some(Properties::Both { input, output }),
        (Some(input), None) => Some(Properties::Input(input)),
        (None, Some(output)) => Some(Properties::Output(output)),
        (None, None) => None,
    };
    let (found, more) = match properties {
        Some(wanted) => tool_search::by_properties(&database, account, wanted, paging).await?,
        None => rows::page(&database, account, ToolFilter::All, paging).await?,
    };
    let next = next_place(&found, more);
    Ok(listed(found.into_iter().map(tools::shown).collect(), &uri, next))
}

fn active(row: figures::ActiveTool) -> ActiveToolWithNode {
    let figures::ActiveTool {
        seq: _,
        tool_id,
        name,
        description,
        category,
        version,
        input_schema,
        output_schema,
        node_id,
        node_type,
        node_address,
        node_status,
    } = row;
    ActiveToolWithNode {
        tool_id,
        name,
        description,
        category,
        version,
        input_schema,
        output_schema,
        node_id,
        node_type,
        node_address,
        node_status,
    }
}

fn of_category(row: figures::CategoryTool) -> ToolOfCategory {
    let figures::CategoryTool {
        seq: _,
        category,
        tool_id,
        name,
        description,
        version,
        status,
        target_node_id,
        tags,
    } = row;
    ToolOfCategory { category, tool_id, name, description, version, status, target_node_id, tags }
}

fn health(row: figures::NodeHealth) -> NodeHealth {
    let figures::NodeHealth {
        seq: _,
        node_id,
        node_type,
        address,
        status,
        last_health_check,
        last_error,
        updated_at,
        tool_count,
        enabled_tool_count,
    } = row;
    NodeHealth {
        node_id,
        node_type,
        address,
        status,
        last_health_check,
        last_error,
        updated_at,
        tool_count,
        enabled_tool_count,
    }
}

fn large(row: figures::LargeByTool) -> LargeArtifactsOfTool {
    let figures::LargeByTool {
        tool_id,
        tool_name,
        artifact_count,
        total_size_bytes,
        largest_size_bytes,
    } = row;
    LargeArtifactsOfTool {
        tool_id,
        tool_name,
        artifact_count,
        total_size_bytes,
        largest_size_bytes,
    }
}
