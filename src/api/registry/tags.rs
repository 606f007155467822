//! Tags: what tools are found by.

use api_types::registry::{ListQuery, Tool};
use axum::Json;
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use engine::plan::Violation;
use serde_json::json;

use super::{Tag, TaggedId, created, listed, next_place, paging, tools};
use crate::audit::{self, Change};
use crate::auth::{Administer, Authorized, ClientRead};
use crate::db::Statement;
use crate::db::tool_search::{self, TAGS_MAX, Tagging};
use crate::error::ApiError;
use crate::extract::Query;
use crate::openapi::{AdminErrors, ClientErrors, NotFoundErrors, RegistryPathErrors, TOOLS};
use crate::request::RequestContext;

const UNTAGGED: &str = "tool.untagged";

/// Tags a tool. A tag that it has already, in any case, changes nothing.
#[utoipa::path(
    post, path = "/tools/{tool_id}/tags/{tag_name}", tag = TOOLS,
    params(
        ("tool_id" = String, Path, description = "The tool's id", format = "uuid"),
        ("tag_name" = String, Path, description = "The tag", max_length = 50),
    ),
    responses(
        (status = 200, description = "The tool, which has had the tag already", body = Tool),
        (status = 201, description = "The tool with the tag", body = Tool),
        RegistryPathErrors, NotFoundErrors, AdminErrors,
    ),
    security(("worker_secret" = [], "worker_id" = []), ("client_key" = [])),
)]
#[worker::send]
pub async fn add_tag(
    authorized: Authorized<Administer>,
    context: RequestContext,
    TaggedId { id, tag }: TaggedId,
) -> Result<Response, ApiError> {
    let account = authorized.caller.account();
    let logged = logged(&authorized, &context, "tool.tagged", (&id, &tag));
    match tool_search::tag(&context.database()?, account, &id, &tag, logged).await? {
        Tagging::Tagged { tool, before: true } => Ok(Json(tools::shown(*tool)).into_response()),
        Tagging::Tagged { tool, before: false } => {
            Ok(created(&tools::shown(*tool), format!("/tools/{id}")))
        }
        Tagging::Full => {
            let message = format!("is one too many: a tool has at most {TAGS_MAX} tags");
            let (pointer, code) = ("/tag_name".to_owned(), "tags".to_owned());
            Err(ApiError::PathInvalid(vec![Violation { pointer, code, message }]))
        }
        Tagging::Absent => Err(ApiError::ResourceNotFound { kind: "tool", name: id }),
    }
}

/// Takes a tag off a tool.
#[utoipa::path(
    delete, path = "/tools/{tool_id}/tags/{tag_name}", tag = TOOLS,
    params(
        ("tool_id" = String, Path, description = "The tool's id", format = "uuid"),
        ("tag_name" = String, Path, description = "The tag", max_length = 50),
    ),
    responses(
        (status = 204, description = "It is gone"),
        RegistryPathErrors, NotFoundErrors, AdminErrors,
    ),
    security(("worker_secret" = [], "worker_id" = []), ("client_key" = [])),
)]
#[worker::send]
pub async fn remove_tag(
    authorized: Authorized<Administer>,
    context: RequestContext,
    TaggedId { id, tag }: TaggedId,
) -> Result<StatusCode, ApiError> {
    let account = authorized.caller.account();
    let logged = logged(&authorized, &context, UNTAGGED, (&id, &tag));
    if tool_search::untag(&context.database()?, account, &id, &tag, logged).await? {
        return Ok(StatusCode::NO_CONTENT);
    }
    Err(ApiError::ResourceNotFound { kind: "tag of this tool", name: tag })
}

/// The tools with a tag that contains a text, in any case.
#[utoipa::path(
    get, path = "/tools/tags/{tag_search}", tag = TOOLS,
    params(
        ("tag_search" = String, Path, description = "What the tag contains", max_length = 50),
        ListQuery,
    ),
    responses(
        (status = 200, description = "A page of tools; Link leads to the next", body = [Tool]),
        RegistryPathErrors, ClientErrors,
    ),
    security(("client_key" = []), ("worker_secret" = [], "worker_id" = [])),
)]
#[worker::send]
pub async fn list_tools_by_tag(
    authorized: Authorized<ClientRead>,
    context: RequestContext,
    uri: Uri,
    Tag(text): Tag,
    Query(query): Query<ListQuery>,
) -> Result<Response, ApiError> {
    let (account, database) = (authorized.caller.account(), context.database()?);
    let (rows, more) = tool_search::by_tag(&database, account, &text, paging(query)?).await?;
    let next = next_place(&rows, more);
    Ok(listed(rows.into_iter().map(tools::shown).collect(), &uri, next))
}

fn logged(
    authorized: &Authorized<Administer>,
    context: &RequestContext,
    change: &'static str,
    (id, tag): (&str, &str),
) -> Statement {
    let change = Change {
        change,
        subject_type: "tool",
        subject: id,
        account: Some(authorized.caller.account()),
        before: (change == UNTAGGED).then(|| json!({ "tag": tag })),
        after: (change != UNTAGGED).then(|| json!({ "tag": tag })),
    };
    audit::entry(context, &authorized.caller, change)
}
