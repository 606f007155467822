//! Artifacts: what is known of files that tools and steps made.

use api_types::registry::{Artifact, LargeArtifactsQuery, ListQuery, NewArtifact};
use axum::Json;
use axum::http::{StatusCode, Uri};
use axum::response::Response;

use super::content::discard;
use super::{
    Id, LARGE_BYTES, PAGE_DEFAULT, after, canonical, created, listed, new_id, next_place, paging,
    unknown,
};
use crate::auth::{Administer, Authorized, ClientRead};
use crate::db::artifacts::{self, ArtifactFilter};
use crate::error::ApiError;
use crate::extract::{JsonDocument, Query};
use crate::openapi::{
    AdminErrors, ClientErrors, NotFoundErrors, RegistryBodyErrors, RegistryPathErrors, TOOLS,
};
use crate::request::RequestContext;

const MIME_DEFAULT: &str = "application/octet-stream";

/// Records an artifact. Its bytes are stored by `PUT /artifacts/{artifact_id}/content`.
#[utoipa::path(
    post, path = "/artifacts", tag = TOOLS,
    request_body = NewArtifact,
    responses(
        (status = 201, description = "The artifact; Location says where it is", body = Artifact),
        RegistryBodyErrors, AdminErrors,
    ),
    security(("worker_secret" = [], "worker_id" = []), ("client_key" = [])),
)]
#[worker::send]
pub async fn create_artifact(
    authorized: Authorized<Administer>,
    context: RequestContext,
    body: JsonDocument<NewArtifact>,
) -> Result<Response, ApiError> {
    let new = body.typed()?;
    let artifact_id = new_id();
    let tool_id = new.created_by_tool_id.as_deref().map(canonical);
    let row = artifacts::NewArtifact {
        artifact_id: &artifact_id,
        account: authorized.caller.account(),
        file_name: &new.file_name,
        mime_type: new.mime_type.as_deref().unwrap_or(MIME_DEFAULT),
        storage_pointer: new.storage_pointer.as_deref(),
        size_bytes: new.size_bytes.unwrap_or(0),
        created_by_tool_id: tool_id.as_deref(),
        pipeline_id: new.pipeline_id.as_deref(),
        step: new.step.as_deref(),
    };
    let artifact = artifacts::add(&context.database()?, &row).await?;
    let artifact = artifact.ok_or_else(|| unknown("/created_by_tool_id", "tool"))?;
    Ok(created(&shown(artifact), format!("/artifacts/{artifact_id}")))
}

/// The artifacts of the account, as they were recorded.
#[utoipa::path(
    get, path = "/artifacts", tag = TOOLS,
    params(ListQuery),
    responses(
        (status = 200, description = "A page; Link leads to the next", body = [Artifact]),
        RegistryPathErrors, ClientErrors,
    ),
    security(("client_key" = []), ("worker_secret" = [], "worker_id" = [])),
)]
#[worker::send]
pub async fn list_artifacts(
    authorized: Authorized<ClientRead>,
    context: RequestContext,
    uri: Uri,
    Query(query): Query<ListQuery>,
) -> Result<Response, ApiError> {
    page(&authorized, &context, &uri, query, ArtifactFilter::All).await
}

/// The artifacts that a tool made.
#[utoipa::path(
    get, path = "/artifacts/tool/{tool_id}", tag = TOOLS,
    params(("tool_id" = String, Path, description = "The tool's id", format = "uuid"), ListQuery),
    responses(
        (status = 200, description = "A page; Link leads to the next", body = [Artifact]),
        RegistryPathErrors, ClientErrors,
    ),
    security(("client_key" = []), ("worker_secret" = [], "worker_id" = [])),
)]
#[worker::send]
pub async fn list_artifacts_of_tool(
    authorized: Authorized<ClientRead>,
    context: RequestContext,
    uri: Uri,
    Id(id): Id,
    Query(query): Query<ListQuery>,
) -> Result<Response, ApiError> {
    page(&authorized, &context, &uri, query, ArtifactFilter::Tool(&id)).await
}

/// The artifacts from a size on, the largest first.
#[utoipa::path(
    get, path = "/artifacts/large", tag = TOOLS,
    params(LargeArtifactsQuery),
    responses(
        (status = 200, description = "A page; Link leads to the next", body = [Artifact]),
        RegistryPathErrors, ClientErrors,
    ),
    security(("client_key" = []), ("worker_secret" = [], "worker_id" = [])),
)]
#[worker::send]
pub async fn list_large_artifacts(
    authorized: Authorized<ClientRead>,
    context: RequestContext,
    uri: Uri,
    Query(query): Query<LargeArtifactsQuery>,
) -> Result<Response, ApiError> {
    let LargeArtifactsQuery { min_size, skip, limit, cursor } = query;
    let after = after::<2>(cursor.as_deref(), skip)?.map(|[size, seq]| (size, seq));
    let part = (skip.unwrap_or(0), limit.unwrap_or(PAGE_DEFAULT));
    let (account, database) = (authorized.caller.account(), context.database()?);
    let size_min = min_size.unwrap_or(LARGE_BYTES);
    let (rows, more) = artifacts::large(&database, account, size_min, after, part).await?;
    let last = rows.last().filter(|_| more);
    let next = last.map(|row| format!("{}_{}", row.size_bytes, row.seq));
    Ok(listed(rows.into_iter().map(shown).collect(), &uri, next))
}

/// One artifact.
#[utoipa::path(
    get, path = "/artifacts/{artifact_id}", tag = TOOLS,
    params(("artifact_id" = String, Path, description = "The artifact's id", format = "uuid")),
    responses(
        (status = 200, description = "The artifact", body = Artifact),
        RegistryPathErrors, NotFoundErrors, ClientErrors,
    ),
    security(("client_key" = []), ("worker_secret" = [], "worker_id" = [])),
)]
#[worker::send]
pub async fn show_artifact(
    authorized: Authorized<ClientRead>,
    context: RequestContext,
    Id(id): Id,
) -> Result<Json<Artifact>, ApiError> {
    let account = authorized.caller.account();
    let artifact = artifacts::by_id(&context.database()?, account, &id).await?;
    artifact.map(shown).map(Json).ok_or_else(|| missing(&id))
}

/// Removes an artifact with its bytes.
#[utoipa::path(
    delete, path = "/artifacts/{artifact_id}", tag = TOOLS,
    params(("artifact_id" = String, Path, description = "The artifact's id", format = "uuid")),
    responses(
        (status = 204, description = "It is gone"),
        RegistryPathErrors, NotFoundErrors, AdminErrors,
    ),
    security(("worker_secret" = [], "worker_id" = []), ("client_key" = [])),
)]
#[worker::send]
pub async fn delete_artifact(
    authorized: Authorized<Administer>,
    context: RequestContext,
    Id(id): Id,
) -> Result<StatusCode, ApiError> {
    let account = authorized.caller.account();
    // The row goes first: bytes without a row are found by maintenance, a row without its bytes
    // would be a promise that nobody can keep.
    let gone = artifacts::remove(&context.database()?, account, &id).await?;
    let gone = gone.ok_or_else(|| missing(&id))?;
    if let Some(key) = gone.content_key {
        discard(&context, &key).await;
    }
    Ok(StatusCode::NO_CONTENT)
}

async fn page(
    authorized: &Authorized<ClientRead>,
    context: &RequestContext,
    uri: &Uri,
    query: ListQuery,
    filter: ArtifactFilter<'_>,
) -> Result<Response, ApiError> {
    let (account, database) = (authorized.caller.account(), context.database()?);
    let (rows, more) = artifacts::page(&database, account, filter, paging(query)?).await?;
    let next = next_place(&rows, more);
    Ok(listed(rows.into_iter().map(shown).collect(), uri, next))
}

/// The answer about an artifact that the account does not have.
pub fn missing(id: &str) -> ApiError {
    ApiError::ResourceNotFound { kind: "artifact", name: id.to_owned() }
}

/// The artifact as clients see it.
pub fn shown(artifact: artifacts::Artifact) -> Artifact {
    let artifacts::Artifact {
        seq: _,
        artifact_id,
        account_id: _,
        file_name,
        mime_type,
        storage_pointer,
        size_bytes,
        sha256,
        content_key,
        created_by_tool_id,
        pipeline_id,
        step,
        created_at,
        updated_at,
    } = artifact;
    Artifact {
        content_url: content_key.map(|_| format!("/artifacts/{artifact_id}/content")),
        artifact_id,
        file_name,
        mime_type,
        storage_pointer,
        size_bytes,
        sha256,
        created_by_tool_id,
        pipeline_id,
        step,
        created_at,
        updated_at,
    }
}
