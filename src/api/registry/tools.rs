//! Tools: the operations of nodes.

use api_types::registry::{ListQuery, NewTool, Tool, ToolCategory, ToolChange};
use axum::Json;
use axum::http::{StatusCode, Uri};
use axum::response::Response;
use engine::plan::Violation;
use serde_json::{Map, Value, json};

use super::{
    Choice, Id, ToolName, canonical, created, listed, new_id, next_place, paging, unknown,
};
use crate::api::query::label;
use crate::audit::{self, Change};
use crate::auth::{Administer, Authorized, ClientRead};
use crate::db::tools::{self, ToolFilter, Written};
use crate::error::ApiError;
use crate::extract::{JsonDocument, Query};
use crate::openapi::{
    AdminErrors, ClientErrors, CreateErrors, NotFoundErrors, RegistryBodyErrors,
    RegistryPathErrors, TOOLS,
};
use crate::request::RequestContext;
use crate::schema::registered;

/// Adds a tool.
#[utoipa::path(
    post, path = "/tools", tag = TOOLS,
    request_body = NewTool,
    responses(
        (status = 201, description = "The tool; Location says where it is", body = Tool),
        RegistryBodyErrors, CreateErrors, AdminErrors,
    ),
    security(("worker_secret" = [], "worker_id" = []), ("client_key" = [])),
)]
#[worker::send]
pub async fn create_tool(
    authorized: Authorized<Administer>,
    context: RequestContext,
    body: JsonDocument<NewTool>,
) -> Result<Response, ApiError> {
    let new = body.typed()?;
    let schemas = [Some(&new.input_schema), Some(&new.output_schema)];
    check_schemas(schemas.map(|schema| schema.and_then(Option::as_ref)))?;
    let (account, tool_id) = (authorized.caller.account(), new_id());
    let change = Change {
        change: "tool.created",
        subject_type: "tool",
        subject: &tool_id,
        account: Some(account),
        before: None,
        after: Some(json!(new)),
    };
    let logged = audit::entry(&context, &authorized.caller, change);
    let NewTool {
        name,
        description,
        category,
        version,
        status,
        input_schema,
        output_schema,
        target_node_id,
    } = new;
    let node_id = target_node_id.as_deref().map(canonical);
    let (category, status) = (label(category), status.and_then(label));
    let input_schema = Value::Object(input_schema.unwrap_or_default());
    let output_schema = Value::Object(output_schema.unwrap_or_default());
    let row = tools::NewTool {
        tool_id: &tool_id,
        account,
        name: &name,
        description: description.as_deref(),
        category: category.as_deref().unwrap_or_default(),
        version: version.as_deref().unwrap_or("1.0.0"),
        status: status.as_deref().unwrap_or("ENABLED"),
        input_schema: &input_schema,
        output_schema: &output_schema,
        target_node_id: node_id.as_deref(),
    };
    let written = tools::add(&context.database()?, &row, logged).await?;
    let tool = done(written, &name, &tool_id)?;
    Ok(created(&tool, format!("/tools/{tool_id}")))
}

/// The tools of the account, as they were added.
#[utoipa::path(
    get, path = "/tools", tag = TOOLS,
    params(ListQuery),
    responses(
        (status = 200, description = "A page of tools; Link leads to the next", body = [Tool]),
        RegistryPathErrors, ClientErrors,
    ),
    security(("client_key" = []), ("worker_secret" = [], "worker_id" = [])),
)]
#[worker::send]
pub async fn list_tools(
    authorized: Authorized<ClientRead>,
    context: RequestContext,
    uri: Uri,
    Query(query): Query<ListQuery>,
) -> Result<Response, ApiError> {
    page(&authorized, &context, &uri, query, ToolFilter::All).await
}

/// The tools that may be called.
#[utoipa::path(
    get, path = "/tools/active", tag = TOOLS,
    params(ListQuery),
    responses(
        (status = 200, description = "A page of tools; Link leads to the next", body = [Tool]),
        RegistryPathErrors, ClientErrors,
    ),
    security(("client_key" = []), ("worker_secret" = [], "worker_id" = [])),
)]
#[worker::send]
pub async fn list_active_tools(
    authorized: Authorized<ClientRead>,
    context: RequestContext,
    uri: Uri,
    Query(query): Query<ListQuery>,
) -> Result<Response, ApiError> {
    page(&authorized, &context, &uri, query, ToolFilter::Status("ENABLED")).await
}

/// The tools of one category.
#[utoipa::path(
    get, path = "/tools/category/{category}", tag = TOOLS,
    params(("category" = inline(ToolCategory), Path, description = "The category"), ListQuery),
    responses(
        (status = 200, description = "A page of tools; Link leads to the next", body = [Tool]),
        RegistryPathErrors, ClientErrors,
    ),
    security(("client_key" = []), ("worker_secret" = [], "worker_id" = [])),
)]
#[worker::send]
pub async fn list_tools_of_category(
    authorized: Authorized<ClientRead>,
    context: RequestContext,
    uri: Uri,
    Choice(category): Choice<ToolCategory>,
    Query(query): Query<ListQuery>,
) -> Result<Response, ApiError> {
    let category = label(category).unwrap_or_default();
    page(&authorized, &context, &uri, query, ToolFilter::Category(&category)).await
}

/// One tool.
#[utoipa::path(
    get, path = "/tools/{tool_id}", tag = TOOLS,
    params(("tool_id" = String, Path, description = "The tool's id", format = "uuid")),
    responses(
        (status = 200, description = "The tool", body = Tool),
        RegistryPathErrors, NotFoundErrors, ClientErrors,
    ),
    security(("client_key" = []), ("worker_secret" = [], "worker_id" = [])),
)]
#[worker::send]
pub async fn show_tool(
    authorized: Authorized<ClientRead>,
    context: RequestContext,
    Id(id): Id,
) -> Result<Json<Tool>, ApiError> {
    let tool = find(&context, authorized.caller.account(), &id).await?;
    Ok(Json(shown(tool)))
}

/// The tool of this name.
#[utoipa::path(
    get, path = "/tools/name/{tool_name}", tag = TOOLS,
    params(("tool_name" = String, Path, description = "The tool's name", max_length = 100)),
    responses(
        (status = 200, description = "The tool", body = Tool),
        RegistryPathErrors, NotFoundErrors, ClientErrors,
    ),
    security(("client_key" = []), ("worker_secret" = [], "worker_id" = [])),
)]
#[worker::send]
pub async fn show_tool_by_name(
    authorized: Authorized<ClientRead>,
    context: RequestContext,
    ToolName(name): ToolName,
) -> Result<Json<Tool>, ApiError> {
    let account = authorized.caller.account();
    let tool = tools::by_name(&context.database()?, account, &name).await?;
    let missing = || ApiError::ResourceNotFound { kind: "tool", name };
    tool.map(shown).map(Json).ok_or_else(missing)
}

/// Changes a tool: what is left out stays.
#[utoipa::path(
    put, path = "/tools/{tool_id}", tag = TOOLS,
    params(("tool_id" = String, Path, description = "The tool's id", format = "uuid")),
    request_body = ToolChange,
    responses(
        (status = 200, description = "The tool as it is now", body = Tool),
        RegistryBodyErrors, NotFoundErrors, CreateErrors, AdminErrors,
    ),
    security(("worker_secret" = [], "worker_id" = []), ("client_key" = [])),
)]
#[worker::send]
pub async fn update_tool(
    authorized: Authorized<Administer>,
    context: RequestContext,
    Id(id): Id,
    body: JsonDocument<ToolChange>,
) -> Result<Json<Tool>, ApiError> {
    let wanted = body.typed()?;
    check_schemas([wanted.input_schema.as_ref(), wanted.output_schema.as_ref()])?;
    let account = authorized.caller.account();
    let before = find(&context, account, &id).await?;
    let change = Change {
        change: "tool.updated",
        subject_type: "tool",
        subject: &id,
        account: Some(account),
        before: Some(json!(shown(before.clone()))),
        after: Some(json!(wanted)),
    };
    let logged = audit::entry(&context, &authorized.caller, change);
    let schema = |schema: Option<Map<String, Value>>| schema.map(Value::Object);
    let (category, status) = (wanted.category.and_then(label), wanted.status.and_then(label));
    let [input, output] = [wanted.input_schema, wanted.output_schema].map(schema);
    let node = wanted.target_node_id.map(|node| node.as_deref().map(canonical));
    let change = tools::ToolChange {
        name: wanted.name.as_deref(),
        description: wanted.description.as_ref().map(Option::as_deref),
        category: category.as_deref(),
        version: wanted.version.as_deref(),
        status: status.as_deref(),
        input_schema: input.as_ref(),
        output_schema: output.as_ref(),
        target_node_id: node.as_ref().map(Option::as_deref),
    };
    let written = tools::change(&context.database()?, account, &id, change, logged).await?;
    done(written, wanted.name.as_deref().unwrap_or_default(), &id).map(Json)
}

/// Removes a tool with its tags. Its artifacts stay, without a tool.
#[utoipa::path(
    delete, path = "/tools/{tool_id}", tag = TOOLS,
    params(("tool_id" = String, Path, description = "The tool's id", format = "uuid")),
    responses(
        (status = 204, description = "It is gone"),
        RegistryPathErrors, NotFoundErrors, AdminErrors,
    ),
    security(("worker_secret" = [], "worker_id" = []), ("client_key" = [])),
)]
#[worker::send]
pub async fn delete_tool(
    authorized: Authorized<Administer>,
    context: RequestContext,
    Id(id): Id,
) -> Result<StatusCode, ApiError> {
    let account = authorized.caller.account();
    let before = find(&context, account, &id).await?;
    let change = Change {
        change: "tool.deleted",
        subject_type: "tool",
        subject: &id,
        account: Some(account),
        before: Some(json!(shown(before))),
        after: None,
    };
    let logged = audit::entry(&context, &authorized.caller, change);
    tools::remove(&context.database()?, account, &id, logged).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn page(
    authorized: &Authorized<ClientRead>,
    context: &RequestContext,
    uri: &Uri,
    query: ListQuery,
    filter: ToolFilter<'_>,
) -> Result<Response, ApiError> {
    let (account, database) = (authorized.caller.account(), context.database()?);
    let (rows, more) = tools::page(&database, account, filter, paging(query)?).await?;
    let next = next_place(&rows, more);
    Ok(listed(rows.into_iter().map(shown).collect(), uri, next))
}

async fn find(context: &RequestContext, account: &str, id: &str) -> Result<tools::Tool, ApiError> {
    let tool = tools::by_id(&context.database()?, account, id).await?;
    tool.ok_or_else(|| ApiError::ResourceNotFound { kind: "tool", name: id.to_owned() })
}

fn check_schemas(schemas: [Option<&Map<String, Value>>; 2]) -> Result<(), ApiError> {
    let places = ["/input_schema", "/output_schema"];
    let check = |(place, schema): (&str, &Map<String, Value>)| {
        registered::check(&Value::Object(schema.clone()), place)
    };
    let given = places.into_iter().zip(schemas);
    let given = given.filter_map(|(place, schema)| schema.map(|schema| (place, schema)));
    let found: Vec<Violation> = given.flat_map(check).collect();
    if found.is_empty() { Ok(()) } else { Err(ApiError::RequestInvalid(found)) }
}

fn done(written: Written, name: &str, id: &str) -> Result<Tool, ApiError> {
    match written {
        Written::Done(tool) => Ok(shown(*tool)),
        Written::NameTaken => Err(ApiError::ResourceExists { kind: "tool", name: name.to_owned() }),
        Written::NodeUnknown => Err(unknown("/target_node_id", "node")),
        Written::Absent => Err(ApiError::ResourceNotFound { kind: "tool", name: id.to_owned() }),
    }
}

/// The tool as clients see it.
pub fn shown(tool: tools::Tool) -> Tool {
    let tools::Tool {
        seq: _,
        tool_id,
        account_id: _,
        name,
        description,
        category,
        version,
        status,
        disabled_by_node,
        input_schema,
        output_schema,
        target_node_id,
        tags,
        created_at,
        updated_at,
    } = tool;
    Tool {
        tool_id,
        name,
        description,
        category,
        version,
        status,
        disabled_by_node,
        input_schema,
        output_schema,
        target_node_id,
        tags,
        created_at,
        updated_at,
    }
}
