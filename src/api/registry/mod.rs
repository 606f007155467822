//! The handlers of the tool registry, one file for each resource, and what their lists and paths
//! have in common. Its clients know it from FastAPI services: lists are plain arrays, and a 422
//! lists what does not fit under `detail`.

pub mod artifacts;
pub mod content;
pub mod figures;
pub mod links;
pub mod nodes;
pub mod queries;
mod span;
pub mod tags;
pub mod tools;
pub mod upkeep;

use api_types::registry::ListQuery;
use axum::Json;
use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts;
use axum::http::{HeaderValue, Uri, header};
use axum::response::{IntoResponse, Response};
use engine::plan::Violation;
use serde::Serialize;
use uuid::Uuid;

use crate::api::query::report;
use crate::db::{Paging, Sequenced};
use crate::error::ApiError;

/// How many rows a list gives where the request does not say.
pub const PAGE_DEFAULT: u32 = 100;
/// The longest name of a tool.
const TOOL_NAME_CHARS_MAX: usize = 100;
/// The longest tag.
const TAG_CHARS_MAX: usize = 50;
/// The size from which artifacts count as large where the request does not say.
const LARGE_BYTES: u64 = 1024 * 1024;

/// The id that the path begins with, in its canonical form.
pub struct Id(pub String);

/// The id and the tag in a path.
pub struct TaggedId {
    /// The tool.
    pub id: String,
    /// The tag.
    pub tag: String,
}

/// A tag, or a part of one, in a path.
pub struct Tag(pub String);

/// The name of a tool in a path.
pub struct ToolName(pub String);

impl<S: Send + Sync> FromRequestParts<S> for Id {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let path = path(parts, state).await;
        let (name, text) = path.first().ok_or_else(|| misfit("", "required", "is required"))?;
        id(name, text).map(Self)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for TaggedId {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let path = path(parts, state).await;
        let [(name, text), (tag_name, tag)] = path.as_slice() else {
            return Err(misfit("", "required", "is required"));
        };
        Ok(Self { id: id(name, text)?, tag: word(tag_name, tag, TAG_CHARS_MAX)? })
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Tag {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        first_word(parts, state, TAG_CHARS_MAX).await.map(Self)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for ToolName {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        first_word(parts, state, TOOL_NAME_CHARS_MAX).await.map(Self)
    }
}

/// The word of an enumeration that the path has.
pub struct Choice<T>(pub T);

impl<S: Send + Sync, T: serde::de::DeserializeOwned> FromRequestParts<S> for Choice<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let path = path(parts, state).await;
        let (name, text) = path.first().ok_or_else(|| misfit("", "required", "is required"))?;
        let parsed = serde_json::from_value(serde_json::Value::String(text.clone()));
        parsed.map(Self).map_err(|error| {
            let message = error.to_string();
            misfit(name, "enum", message.split(" at line ").next().unwrap_or_default())
        })
    }
}

async fn path<S: Send + Sync>(parts: &mut Parts, state: &S) -> Vec<(String, String)> {
    let found = Path::<Vec<(String, String)>>::from_request_parts(parts, state).await;
    found.map(|path| path.0).unwrap_or_default()
}

async fn first_word<S: Send + Sync>(
    parts: &mut Parts,
    state: &S,
    chars_max: usize,
) -> Result<String, ApiError> {
    let path = path(parts, state).await;
    let (name, text) = path.first().ok_or_else(|| misfit("", "required", "is required"))?;
    word(name, text, chars_max)
}

fn id(name: &str, text: &str) -> Result<String, ApiError> {
    let id = Some(text).filter(|text| text.len() == 36).and_then(|text| Uuid::try_parse(text).ok());
    id.map(|id| id.to_string()).ok_or_else(|| misfit(name, "uuid", "is not a UUID"))
}

fn word(name: &str, text: &str, chars_max: usize) -> Result<String, ApiError> {
    let count = text.chars().count();
    if count > chars_max {
        let message = format!("has {count} characters; at most {chars_max} are allowed");
        return Err(misfit(name, "maxLength", &message));
    }
    if text.trim().is_empty() || text.chars().any(char::is_control) {
        return Err(misfit(name, "pattern", "is blank or has control characters"));
    }
    Ok(text.to_owned())
}

fn misfit(name: &str, code: &str, message: &str) -> ApiError {
    let (pointer, code) = (format!("/{name}"), code.to_owned());
    ApiError::PathInvalid(vec![Violation { pointer, code, message: message.to_owned() }])
}

/// Which part of a list of rows in their order is wanted.
pub fn paging(query: ListQuery) -> Result<Paging, ApiError> {
    let ListQuery { skip, limit, cursor } = query;
    let [after] = after(cursor.as_deref(), skip)?.unwrap_or_default();
    Ok(Paging { after, skip: skip.unwrap_or(0), limit: limit.unwrap_or(PAGE_DEFAULT) })
}

/// The numbers of a cursor.
pub fn after<const N: usize>(
    cursor: Option<&str>,
    skip: Option<u32>,
) -> Result<Option<[u64; N]>, ApiError> {
    let Some(text) = cursor else { return Ok(None) };
    let mut violations = Vec::new();
    if skip.is_some() {
        report(&mut violations, "/skip", "conflict", "goes with no cursor");
    }
    const PLACE_MAX: u64 = 1 << 53;
    let numbers = text.split('_').map(|part| part.parse().ok().filter(|n| *n <= PLACE_MAX));
    let numbers: Option<Vec<u64>> = numbers.collect();
    let numbers = numbers.and_then(|numbers| <[u64; N]>::try_from(numbers).ok());
    match numbers {
        Some(numbers) if violations.is_empty() => Ok(Some(numbers)),
        Some(_) => Err(ApiError::QueryInvalid(violations)),
        None => {
            report(&mut violations, "/cursor", "cursor", "is none that a Link header gave");
            Err(ApiError::QueryInvalid(violations))
        }
    }
}

/// A list, and in the header `Link` where it goes on.
pub fn listed<T: Serialize>(rows: Vec<T>, uri: &Uri, next: Option<String>) -> Response {
    let mut response = Json(rows).into_response();
    let link = next.and_then(|cursor| {
        HeaderValue::from_str(&format!("<{}>; rel=\"next\"", following(uri, &cursor))).ok()
    });
    response.headers_mut().extend(link.map(|link| (header::LINK, link)));
    response
}

/// The cursor behind the last row, where there are more.
pub fn next_place<T: Sequenced>(rows: &[T], more: bool) -> Option<String> {
    rows.last().filter(|_| more).map(|row| row.seq().to_string())
}

/// The address of the next page: the same query with another cursor.
fn following(uri: &Uri, cursor: &str) -> String {
    let query = url::form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes());
    let kept = query.filter(|(name, _)| name != "cursor" && name != "skip");
    let query = url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs(kept)
        .append_pair("cursor", cursor)
        .finish();
    format!("{}?{query}", uri.path())
}

/// The reply to a create: the thing, and where it is.
pub fn created<T: Serialize>(thing: &T, location: String) -> Response {
    let location = HeaderValue::from_str(&location).expect("a path of ids is visible ASCII");
    let mut response = (axum::http::StatusCode::CREATED, Json(thing)).into_response();
    response.headers_mut().insert(header::LOCATION, location);
    response
}

/// An id in its canonical form, as the schema of the body has checked it.
fn canonical(id: &str) -> String {
    id.to_ascii_lowercase()
}

/// A new id: those that come later sort behind it.
fn new_id() -> String {
    Uuid::now_v7().to_string()
}

/// A field of the body that names what is not there.
fn unknown(pointer: &str, what: &str) -> ApiError {
    let (pointer, code) = (pointer.to_owned(), "unknown".to_owned());
    let message = format!("is no {what} of this account");
    ApiError::RequestInvalid(vec![Violation { pointer, code, message }])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_page_keeps_the_query() {
        let uri: Uri = "/tools/tags/a%20b?limit=10&skip=5&cursor=7&x=%26".parse().unwrap();
        assert_eq!(following(&uri, "9_1"), "/tools/tags/a%20b?limit=10&x=%26&cursor=9_1");
        let plain: Uri = "/tools".parse().unwrap();
        assert_eq!(following(&plain, "3"), "/tools?cursor=3");
    }

    #[test]
    fn a_cursor_has_as_many_numbers_as_its_list_needs() {
        assert_eq!(after::<1>(Some("12"), None).unwrap(), Some([12]));
        assert_eq!(after::<2>(Some("12_3"), None).unwrap(), Some([12, 3]));
        assert_eq!(after::<2>(None, Some(3)).unwrap(), None);
        for bad in ["", "x", "12_3", "-1", "99999999999999999"] {
            assert!(after::<1>(Some(bad), None).is_err(), "{bad}");
        }
        assert!(after::<1>(Some("12"), Some(0)).is_err(), "skip goes with no cursor");
    }

    #[test]
    fn ids_are_accepted_in_any_case() {
        let upper = "0193A1C2-0000-7000-8000-00000000ABCD";
        assert_eq!(id("tool_id", upper).unwrap(), upper.to_lowercase());
        for bad in ["", "x", "0193a1c2000070008000000000000001", "{0193a1c2-0000-7000-8000-00000}"]
        {
            assert_eq!(id("tool_id", bad).unwrap_err().code().as_str(), "path.invalid", "{bad}");
        }
    }
}
