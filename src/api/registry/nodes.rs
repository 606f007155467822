//! Nodes: the addresses that run tools.

use api_types::registry::{ListQuery, NewNode, Node, NodeChange, NodeType};
use axum::Json;
use axum::http::{StatusCode, Uri};
use axum::response::Response;
use serde_json::json;

use super::{Choice, Id, created, listed, new_id, next_place, paging};
use crate::api::query::label;
use crate::audit::{self, Change};
use crate::auth::{Administer, Authorized, ClientRead};
use crate::db::nodes::{self, NodeFilter};
use crate::error::ApiError;
use crate::extract::{JsonDocument, Query};
use crate::openapi::{
    AdminErrors, ClientErrors, NotFoundErrors, RegistryBodyErrors, RegistryPathErrors, TOOLS,
};
use crate::request::RequestContext;

/// Adds a node.
#[utoipa::path(
    post, path = "/nodes", tag = TOOLS,
    request_body = NewNode,
    responses(
        (status = 201, description = "The node; Location says where it is", body = Node),
        RegistryBodyErrors, AdminErrors,
    ),
    security(("worker_secret" = [], "worker_id" = []), ("client_key" = [])),
)]
#[worker::send]
pub async fn create_node(
    authorized: Authorized<Administer>,
    context: RequestContext,
    body: JsonDocument<NewNode>,
) -> Result<Response, ApiError> {
    let NewNode { node_type, address, status } = body.typed()?;
    let account = authorized.caller.account();
    let (node_id, node_type) = (new_id(), label(node_type).unwrap_or_default());
    let status = status.and_then(label).unwrap_or_else(|| "INACTIVE".to_owned());
    let new = nodes::NewNode {
        node_id: &node_id,
        account,
        node_type: &node_type,
        address: &address,
        status: &status,
    };
    let change = Change {
        change: "node.created",
        subject_type: "node",
        subject: &node_id,
        account: Some(account),
        before: None,
        after: Some(json!({"node_type": node_type, "address": address, "status": status})),
    };
    let logged = audit::entry(&context, &authorized.caller, change);
    let node = nodes::add(&context.database()?, &new, logged).await?;
    let gone = || ApiError::ResourceNotFound { kind: "node", name: node_id.clone() };
    let node = node.map(shown).ok_or_else(gone)?;
    Ok(created(&node, format!("/nodes/{node_id}")))
}

/// The nodes of the account, as they were added.
#[utoipa::path(
    get, path = "/nodes", tag = TOOLS,
    params(ListQuery),
    responses(
        (status = 200, description = "A page of nodes; Link leads to the next", body = [Node]),
        RegistryPathErrors, ClientErrors,
    ),
    security(("client_key" = []), ("worker_secret" = [], "worker_id" = [])),
)]
#[worker::send]
pub async fn list_nodes(
    authorized: Authorized<ClientRead>,
    context: RequestContext,
    uri: Uri,
    Query(query): Query<ListQuery>,
) -> Result<Response, ApiError> {
    page(&authorized, &context, &uri, query, NodeFilter::default()).await
}

/// The nodes of one type.
#[utoipa::path(
    get, path = "/nodes/type/{node_type}", tag = TOOLS,
    params(("node_type" = inline(NodeType), Path, description = "The type"), ListQuery),
    responses(
        (status = 200, description = "A page of nodes; Link leads to the next", body = [Node]),
        RegistryPathErrors, ClientErrors,
    ),
    security(("client_key" = []), ("worker_secret" = [], "worker_id" = [])),
)]
#[worker::send]
pub async fn list_nodes_of_type(
    authorized: Authorized<ClientRead>,
    context: RequestContext,
    uri: Uri,
    Choice(node_type): Choice<NodeType>,
    Query(query): Query<ListQuery>,
) -> Result<Response, ApiError> {
    let node_type = label(node_type);
    let filter = NodeFilter { node_type: node_type.as_deref(), ..NodeFilter::default() };
    page(&authorized, &context, &uri, query, filter).await
}

/// The nodes that take calls.
#[utoipa::path(
    get, path = "/nodes/active", tag = TOOLS,
    params(ListQuery),
    responses(
        (status = 200, description = "A page of nodes; Link leads to the next", body = [Node]),
        RegistryPathErrors, ClientErrors,
    ),
    security(("client_key" = []), ("worker_secret" = [], "worker_id" = [])),
)]
#[worker::send]
pub async fn list_active_nodes(
    authorized: Authorized<ClientRead>,
    context: RequestContext,
    uri: Uri,
    Query(query): Query<ListQuery>,
) -> Result<Response, ApiError> {
    let filter = NodeFilter { status: Some("ACTIVE"), ..NodeFilter::default() };
    page(&authorized, &context, &uri, query, filter).await
}

/// One node.
#[utoipa::path(
    get, path = "/nodes/{node_id}", tag = TOOLS,
    params(("node_id" = String, Path, description = "The node's id", format = "uuid")),
    responses(
        (status = 200, description = "The node", body = Node),
        RegistryPathErrors, NotFoundErrors, ClientErrors,
    ),
    security(("client_key" = []), ("worker_secret" = [], "worker_id" = [])),
)]
#[worker::send]
pub async fn show_node(
    authorized: Authorized<ClientRead>,
    context: RequestContext,
    Id(id): Id,
) -> Result<Json<Node>, ApiError> {
    let node = find(&context, authorized.caller.account(), &id).await?;
    Ok(Json(shown(node)))
}

/// Changes a node: what is left out stays.
#[utoipa::path(
    put, path = "/nodes/{node_id}", tag = TOOLS,
    params(("node_id" = String, Path, description = "The node's id", format = "uuid")),
    request_body = NodeChange,
    responses(
        (status = 200, description = "The node as it is now", body = Node),
        RegistryBodyErrors, NotFoundErrors, AdminErrors,
    ),
    security(("worker_secret" = [], "worker_id" = []), ("client_key" = [])),
)]
#[worker::send]
pub async fn update_node(
    authorized: Authorized<Administer>,
    context: RequestContext,
    Id(id): Id,
    body: JsonDocument<NodeChange>,
) -> Result<Json<Node>, ApiError> {
    let wanted = body.typed()?;
    let account = authorized.caller.account();
    let before = find(&context, account, &id).await?;
    let change = Change {
        change: "node.updated",
        subject_type: "node",
        subject: &id,
        account: Some(account),
        before: Some(summary(&before)),
        after: Some(json!(wanted)),
    };
    let logged = audit::entry(&context, &authorized.caller, change);
    let NodeChange { node_type, address, status } = wanted;
    let (node_type, status) = (node_type.and_then(label), status.and_then(label));
    let change = nodes::NodeChange {
        node_type: node_type.as_deref(),
        address: address.as_deref(),
        status: status.as_deref(),
    };
    let node = nodes::change(&context.database()?, account, &id, change, logged).await?;
    let gone = || ApiError::ResourceNotFound { kind: "node", name: id };
    node.map(shown).map(Json).ok_or_else(gone)
}

/// Removes a node. Its tools stay, without a node.
#[utoipa::path(
    delete, path = "/nodes/{node_id}", tag = TOOLS,
    params(("node_id" = String, Path, description = "The node's id", format = "uuid")),
    responses(
        (status = 204, description = "It is gone"),
        RegistryPathErrors, NotFoundErrors, AdminErrors,
    ),
    security(("worker_secret" = [], "worker_id" = []), ("client_key" = [])),
)]
#[worker::send]
pub async fn delete_node(
    authorized: Authorized<Administer>,
    context: RequestContext,
    Id(id): Id,
) -> Result<StatusCode, ApiError> {
    let account = authorized.caller.account();
    let before = find(&context, account, &id).await?;
    let change = Change {
        change: "node.deleted",
        subject_type: "node",
        subject: &id,
        account: Some(account),
        before: Some(summary(&before)),
        after: None,
    };
    let logged = audit::entry(&context, &authorized.caller, change);
    nodes::remove(&context.database()?, account, &id, logged).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn page(
    authorized: &Authorized<ClientRead>,
    context: &RequestContext,
    uri: &Uri,
    query: ListQuery,
    filter: NodeFilter<'_>,
) -> Result<Response, ApiError> {
    let (account, database) = (authorized.caller.account(), context.database()?);
    let (rows, more) = nodes::page(&database, account, filter, paging(query)?).await?;
    let next = next_place(&rows, more);
    Ok(listed(rows.into_iter().map(shown).collect(), uri, next))
}

async fn find(context: &RequestContext, account: &str, id: &str) -> Result<nodes::Node, ApiError> {
    let node = nodes::by_id(&context.database()?, account, id).await?;
    node.ok_or_else(|| ApiError::ResourceNotFound { kind: "node", name: id.to_owned() })
}

fn summary(node: &nodes::Node) -> serde_json::Value {
    let nodes::Node { node_type, address, status, .. } = node;
    json!({"node_type": node_type, "address": address, "status": status})
}

fn shown(node: nodes::Node) -> Node {
    let nodes::Node {
        seq: _,
        node_id,
        account_id: _,
        node_type,
        address,
        status,
        last_health_check,
        last_error,
        created_at,
        updated_at,
    } = node;
    Node {
        node_id,
        node_type,
        address,
        status,
        last_health_check,
        last_error,
        created_at,
        updated_at,
    }
}
