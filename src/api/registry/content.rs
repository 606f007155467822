//! The bytes of artifacts, which go to the bucket and come from it in a stream: no more of them
//! than a chunk is in this Worker's memory.
//!
//! Each upload has an object of its own, and the artifact names the newest: a reader meets the old
//! bytes or the new ones, never a mixture. What is no longer named is deleted; what was missed when
//! something broke in between is found by maintenance.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use api_types::registry::{Artifact, LinkQuery};
use axum::Json;
use axum::body::{Body, HttpBody};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures::TryStreamExt;
use serde_json::json;
use sha2::{Digest, Sha256};
use uuid::Uuid;
use worker::{FixedLengthStream, Range, ResponseBody};

use super::Id;
use super::artifacts::{missing, shown};
use super::links::Holder;
use super::span::{Span, asked, matches};
use crate::auth::{Administer, ClientRead};
use crate::db::api_keys::hex;
use crate::db::artifacts::{self, Content};
use crate::error::ApiError;
use crate::log::{self, Level};
use crate::openapi::{
    AdminErrors, ClientErrors, NotFoundErrors, RangeErrors, RegistryPathErrors, StoreErrors, TOOLS,
};
use crate::request::RequestContext;
use crate::serve::PlatformStream;

/// The largest content that is stored: what the platform takes as the body of one request.
pub const CONTENT_BYTES_MAX: u64 = 100 * 1024 * 1024;
/// Where all contents lie in the bucket.
const FOLDER: &str = "artifacts/";
/// What a browser may do with a content that it shows all the same: nothing.
const POLICY: &str = "default-src 'none'; sandbox; frame-ancestors 'none'";

/// Stores the bytes of an artifact, in the place of those that it had. `Content-Type` becomes its
/// `mime_type`.
#[utoipa::path(
    put, path = "/artifacts/{artifact_id}/content", tag = TOOLS,
    params(
        ("artifact_id" = String, Path, description = "The artifact's id", format = "uuid"),
        LinkQuery,
    ),
    request_body(content = Vec<u8>, content_type = "application/octet-stream",
        description = "The bytes, at most 100 MiB, with Content-Length"),
    responses(
        (status = 200, description = "The artifact as it is now", body = Artifact),
        StoreErrors, RegistryPathErrors, NotFoundErrors, AdminErrors,
    ),
    security(("worker_secret" = [], "worker_id" = []), ("client_key" = [])),
)]
#[worker::send]
pub async fn store_content(
    holder: Holder<Administer>,
    context: RequestContext,
    Id(id): Id,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<Artifact>, ApiError> {
    let length = length(&headers, &body)?;
    let mime_type = mime_type(&headers)?;
    let (account, database) = (holder.account.as_str(), context.database()?);
    let known = artifacts::by_id(&database, account, &id).await?;
    known.ok_or_else(|| missing(&id))?;
    let key = format!("{}{id}/{}", key_prefix(Some(account)), Uuid::now_v7());
    let sha256 = store(&context, &key, body, length).await?;
    let content = Content {
        key: &key,
        storage_pointer: &format!("r2://{key}"),
        size_bytes: length,
        sha256: &sha256,
        mime_type: mime_type.as_deref(),
    };
    let Some((before, after)) = artifacts::set_content(&database, account, &id, content).await?
    else {
        discard(&context, &key).await;
        return Err(missing(&id));
    };
    if let Some(old) = before.content_key.filter(|old| *old != key) {
        discard(&context, &old).await;
    }
    Ok(Json(shown(after)))
}

/// The bytes of an artifact, or a part of them.
#[utoipa::path(
    get, path = "/artifacts/{artifact_id}/content", tag = TOOLS,
    params(
        ("artifact_id" = String, Path, description = "The artifact's id", format = "uuid"),
        LinkQuery,
        ("Range" = Option<String>, Header, description = "One range of bytes"),
        ("If-None-Match" = Option<String>, Header, description = "The ETag of what is known"),
    ),
    responses(
        (status = 200, description = "The bytes, with their own type", body = Vec<u8>,
            content_type = "application/octet-stream"),
        (status = 206, description = "The part that Range asks for", body = Vec<u8>,
            content_type = "application/octet-stream"),
        (status = 304, description = "They are those that If-None-Match names"),
        RangeErrors, RegistryPathErrors, NotFoundErrors, ClientErrors,
    ),
    security(("client_key" = []), ("worker_secret" = [], "worker_id" = [])),
)]
#[worker::send]
pub async fn show_content(
    holder: Holder<ClientRead>,
    context: RequestContext,
    Id(id): Id,
    method: Method,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let database = context.database()?;
    // Between the two reads other bytes may have come, and the old ones gone.
    for _ in 0..2 {
        let artifact = artifacts::by_id(&database, &holder.account, &id).await?;
        let artifact = artifact.ok_or_else(|| missing(&id))?;
        if let Some(response) = answer(&context, &artifact, &method, &headers).await? {
            return Ok(response);
        }
    }
    Err(ApiError::ResourceNotFound { kind: "content of the artifact", name: id })
}

/// Where the contents of an account lie in the bucket, or those of all.
pub fn key_prefix(account: Option<&str>) -> String {
    let mut prefix = FOLDER.to_owned();
    if let Some(account) = account {
        prefix.extend(url::form_urlencoded::byte_serialize(account.as_bytes()));
        prefix.push('/');
    }
    prefix
}

/// The bucket did not do what it was asked for.
pub fn bucket_failed(error: &worker::Error) -> ApiError {
    ApiError::StorageUnavailable { cause: error.to_string() }
}

/// Deletes an object that no artifact names any more. Where that fails, maintenance finds it.
pub async fn discard(context: &RequestContext, key: &str) {
    let deleted = match context.bindings().artifacts() {
        Ok(bucket) => bucket.delete(key).await.map_err(|error| error.to_string()),
        Err(missing) => Err(missing.to_string()),
    };
    if let Err(error) = deleted {
        let event = "artifact.bytes_left";
        let fields = json!({ "event": event, "request.id": context.id(), "error": error });
        log::write(Level::Warn, fields);
    }
}

fn length(headers: &HeaderMap, body: &Body) -> Result<u64, ApiError> {
    let text = headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok());
    let announced = text.and_then(|text| text.parse().ok());
    // A body of no bytes comes without the header.
    let length = announced.or(body.size_hint().exact().filter(|length| *length == 0));
    let length = length.ok_or(ApiError::LengthRequired)?;
    if length > CONTENT_BYTES_MAX {
        return Err(ApiError::BodyTooLarge { bytes_max: CONTENT_BYTES_MAX as usize });
    }
    Ok(length)
}

/// The type that the request names, which becomes the artifact's.
fn mime_type(headers: &HeaderMap) -> Result<Option<String>, ApiError> {
    const CHARS_MAX: usize = 255;
    let Some(value) = headers.get(header::CONTENT_TYPE) else { return Ok(None) };
    let text = value.to_str().unwrap_or_default().trim();
    let token = |text: &str| !text.is_empty() && text.bytes().all(crate::request::is_token);
    let essence = text.split(';').next().unwrap_or_default().trim();
    let fits = essence.split_once('/').is_some_and(|(kind, sub)| token(kind) && token(sub));
    if fits && text.len() <= CHARS_MAX {
        return Ok(Some(text.to_owned()));
    }
    let message = "is not a media type such as text/plain".to_owned();
    Err(ApiError::HeaderInvalid { name: "Content-Type", message })
}

/// Streams the body into the bucket; gives its SHA-256.
async fn store(
    context: &RequestContext,
    key: &str,
    body: Body,
    length: u64,
) -> Result<String, ApiError> {
    let bucket = context.bindings().artifacts()?;
    let (hash, seen) = (Rc::new(RefCell::new(Sha256::new())), Rc::new(Cell::new(0_u64)));
    let put = if length == 0 {
        bucket.put(key, Vec::new()).execute().await
    } else {
        let (hashed, counted) = (Rc::clone(&hash), Rc::clone(&seen));
        let chunks =
            body.into_data_stream().map_err(|error| worker::Error::from(error.to_string()));
        let chunks = chunks.map_ok(move |chunk| {
            hashed.borrow_mut().update(&chunk);
            counted.set(counted.get() + chunk.len() as u64);
            chunk.to_vec()
        });
        bucket.put(key, FixedLengthStream::wrap(chunks, length)).execute().await
    };
    match put {
        Ok(_) if seen.get() == length => Ok(hex(&hash.borrow().clone().finalize())),
        Err(error) if seen.get() == length => Err(bucket_failed(&error)),
        _ => Err(ApiError::BodyInterrupted),
    }
}

/// The reply about a content; `None` where its bytes are gone meanwhile.
async fn answer(
    context: &RequestContext,
    artifact: &artifacts::Artifact,
    method: &Method,
    headers: &HeaderMap,
) -> Result<Option<Response>, ApiError> {
    let (Some(key), Some(sha256)) = (&artifact.content_key, &artifact.sha256) else {
        return Ok(None);
    };
    let etag = format!("\"{sha256}\"");
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let mut response = described(artifact, &etag);
    if text(header::IF_NONE_MATCH).is_some_and(|tags| matches(tags, &etag)) {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        return Ok(Some(response));
    }
    let of_this = text(header::IF_RANGE).is_none_or(|tag| tag.trim() == etag);
    let range = text(header::RANGE).filter(|_| of_this && method == Method::GET);
    let size = artifact.size_bytes;
    let (offset, length) = match asked(range, size) {
        Span::Whole => (0, size),
        Span::Part { offset, length } => {
            *response.status_mut() = StatusCode::PARTIAL_CONTENT;
            let range = format!("bytes {offset}-{}/{size}", offset + length - 1);
            insert(&mut response, header::CONTENT_RANGE, &range);
            (offset, length)
        }
        Span::Unsatisfiable => return Err(ApiError::RangeUnsatisfiable { size_bytes: size }),
    };
    insert(&mut response, header::CONTENT_LENGTH, &length.to_string());
    if method == Method::GET && length > 0 {
        let bucket = context.bindings().artifacts()?;
        let range = Range::OffsetWithLength { offset, length };
        let object = bucket.get(key).range(range).execute().await;
        let Some(object) = object.map_err(|error| bucket_failed(&error))? else { return Ok(None) };
        let body = object.body().map(|body| body.response_body());
        let Some(ResponseBody::Stream(stream)) =
            body.transpose().map_err(|error| bucket_failed(&error))?
        else {
            return Ok(None);
        };
        response.extensions_mut().insert(PlatformStream::new(stream));
    }
    Ok(Some(response))
}

/// What the headers say of a content. It is never shown as a page of this origin, whatever it is.
fn described(artifact: &artifacts::Artifact, etag: &str) -> Response {
    let mut response = StatusCode::OK.into_response();
    for (name, value) in [
        (header::CONTENT_TYPE, artifact.mime_type.as_str()),
        (header::ETAG, etag),
        (header::ACCEPT_RANGES, "bytes"),
        (header::CACHE_CONTROL, "private, no-cache"),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::CONTENT_DISPOSITION, &disposition(&artifact.file_name)),
    ] {
        insert(&mut response, name, value);
    }
    response
}

fn insert(response: &mut Response, name: header::HeaderName, value: &str) {
    let value = HeaderValue::from_str(value);
    let plain = HeaderValue::from_static("application/octet-stream");
    response.headers_mut().insert(name, value.unwrap_or(plain));
}

/// The name under which a browser saves the content (RFC 6266): in ASCII for old ones, and whole.
fn disposition(file_name: &str) -> String {
    let base = file_name.rsplit(['/', '\\']).next().unwrap_or_default();
    let plain: String = base
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || " .-_()+=,".contains(c) { c } else { '_' })
        .collect();
    let whole = base.bytes().fold(String::new(), |mut text, byte| {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' => text.push(byte.into()),
            _ => text.push_str(&format!("%{byte:02X}")),
        }
        text
    });
    format!("attachment; filename=\"{plain}\"; filename*=UTF-8''{whole}")
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;

    #[test]
    fn a_file_name_puts_nothing_else_into_a_header() {
        for (name, expected) in [
            ("a b.txt", "attachment; filename=\"a b.txt\"; filename*=UTF-8''a%20b.txt"),
            (
                "x\"; filename=\"evil.exe",
                "attachment; filename=\"x__ filename=_evil.exe\"; \
                 filename*=UTF-8''x%22%3B%20filename%3D%22evil.exe",
            ),
            ("../../etc/passwd", "attachment; filename=\"passwd\"; filename*=UTF-8''passwd"),
            (
                "ä\r\nX: 1",
                "attachment; filename=\"___X_ 1\"; filename*=UTF-8''%C3%A4%0D%0AX%3A%201",
            ),
        ] {
            assert_eq!(disposition(name), expected);
        }
    }

    #[test]
    fn contents_of_accounts_lie_apart() {
        assert_eq!(key_prefix(None), "artifacts/");
        assert_eq!(key_prefix(Some("acme")), "artifacts/acme/");
        assert_eq!(key_prefix(Some("a/b c")), "artifacts/a%2Fb+c/");
    }

    #[test]
    fn lengths_and_types_are_checked_before_anything_is_stored() {
        let header = |name, value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(name, value.parse().unwrap());
            headers
        };
        let endless = || Body::from_stream(futures::stream::empty::<Result<Vec<u8>, Infallible>>());
        let length = |headers: &HeaderMap| length(headers, &endless());
        assert_eq!(length(&HeaderMap::new()).unwrap_err().code().as_str(), "body.length_required");
        assert_eq!(super::length(&HeaderMap::new(), &Body::empty()).unwrap(), 0);
        let most = CONTENT_BYTES_MAX;
        assert_eq!(length(&header(header::CONTENT_LENGTH, &most.to_string())).unwrap(), most);
        let over = length(&header(header::CONTENT_LENGTH, &(most + 1).to_string()));
        assert_eq!(over.unwrap_err().code().as_str(), "body.too_large");
        let kind = |value| mime_type(&header(header::CONTENT_TYPE, value));
        assert_eq!(kind("text/html; charset=utf-8").unwrap().unwrap(), "text/html; charset=utf-8");
        for bad in ["", "text", "text/", "/html", "te xt/html"] {
            assert!(kind(bad).is_err(), "{bad}");
        }
        assert_eq!(mime_type(&HeaderMap::new()).unwrap(), None);
    }
}
