//! What handlers take from a request: its body, its query and the parts of its path, each checked
//! before a handler sees it.

mod form;
mod path;

use std::marker::PhantomData;

use axum::body::{Body, Bytes};
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use engine::plan::Violation;
use http_body_util::BodyExt;
use serde::de::DeserializeOwned;
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use crate::error::ApiError;
use crate::schema;
pub use form::FormDocument;
pub use path::{ExecutionPath, ResourcePath, RevisionPath, SignalPath, StepPath, TemplatePath};

/// The largest body that is read.
pub const BODY_BYTES_MAX: usize = 1024 * 1024;
/// How much of a body that is too large is read to the end before it is refused.
const DROPPED_BYTES_MAX: usize = 16 * BODY_BYTES_MAX;

/// A JSON body and what in it does not fit the schema of `T`: for handlers that have more to check
/// and report everything together.
pub struct JsonDocument<T> {
    /// The body.
    pub value: Value,
    /// What does not fit.
    pub violations: Vec<Violation>,
    fits: PhantomData<T>,
}

/// A JSON object that may be left out, which is as good as an empty one.
pub struct OptionalDocument<T>(pub T);

/// A body of any JSON value, at most `BYTES_MAX` long; none is `null`.
pub struct AnyJson<const BYTES_MAX: usize>(pub Value);

/// A body that fits the schema of `T`, at most `BYTES_MAX` long.
pub struct LargeDocument<T, const BYTES_MAX: usize>(pub T);

/// A query that fits the parameters of `T`.
pub struct Query<T>(pub T);

impl<T: ToSchema + 'static> JsonDocument<T> {
    /// A document that did not come as a body: what becomes of one that is changed.
    pub fn of(value: Value) -> Self {
        let violations = schema::check_body::<T>(&value);
        Self { value, violations, fits: PhantomData }
    }
}

impl<T: DeserializeOwned> JsonDocument<T> {
    /// The body as its type, unless something does not fit.
    pub fn typed(self) -> Result<T, ApiError> {
        let Self { value, violations, fits: PhantomData } = self;
        if violations.is_empty() { typed(value) } else { Err(ApiError::RequestInvalid(violations)) }
    }
}

impl<S: Sync, T: ToSchema + 'static> FromRequest<S> for JsonDocument<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &S) -> Result<Self, ApiError> {
        let (parts, body) = request.into_parts();
        require_json(&parts.headers)?;
        let bytes = read::<BODY_BYTES_MAX>(&parts.headers, body).await?;
        parse(&bytes)
    }
}

impl<S: Sync, T: DeserializeOwned + ToSchema + 'static> FromRequest<S> for OptionalDocument<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &S) -> Result<Self, ApiError> {
        let bytes = read_optional::<BODY_BYTES_MAX>(request).await?;
        parse::<T>(bytes.as_deref().unwrap_or(b"{}"))?.typed().map(Self)
    }
}

impl<S: Sync, const BYTES_MAX: usize> FromRequest<S> for AnyJson<BYTES_MAX> {
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &S) -> Result<Self, ApiError> {
        match read_optional::<BYTES_MAX>(request).await? {
            Some(bytes) => value_of(&bytes).map(Self),
            None => Ok(Self(Value::Null)),
        }
    }
}

impl<S, T, const BYTES_MAX: usize> FromRequest<S> for LargeDocument<T, BYTES_MAX>
where
    S: Sync,
    T: DeserializeOwned + ToSchema + 'static,
{
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &S) -> Result<Self, ApiError> {
        let (parts, body) = request.into_parts();
        require_json(&parts.headers)?;
        let bytes = read::<BYTES_MAX>(&parts.headers, body).await?;
        parse::<T>(&bytes)?.typed().map(Self)
    }
}

impl<S: Sync, T: DeserializeOwned + IntoParams + 'static> FromRequestParts<S> for Query<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let (query, violations) = schema::check_query::<T>(parts.uri.query().unwrap_or_default());
        if !violations.is_empty() {
            return Err(ApiError::QueryInvalid(violations));
        }
        typed(query).map(Self)
    }
}

/// A missing type counts as JSON; any other, or another encoding than UTF-8, does not.
fn require_json(headers: &HeaderMap) -> Result<(), ApiError> {
    let Some(value) = headers.get(header::CONTENT_TYPE) else { return Ok(()) };
    let text = value.to_str().unwrap_or_default().to_ascii_lowercase();
    let mut parts = text.split(';').map(str::trim);
    let essence = parts.next().unwrap_or_default();
    let subtype = essence.strip_prefix("application/").unwrap_or_default();
    let json = subtype == "json" || subtype.ends_with("+json");
    let foreign = parts.any(|part| {
        let charset = part.strip_prefix("charset=").map(|name| name.trim_matches('"'));
        charset.is_some_and(|name| name != "utf-8" && name != "utf8")
    });
    if json && !foreign { Ok(()) } else { Err(ApiError::MediaTypeUnsupported) }
}

/// The body, if there is one; its type matters only then.
async fn read_optional<const BYTES_MAX: usize>(
    request: Request,
) -> Result<Option<Bytes>, ApiError> {
    let (parts, body) = request.into_parts();
    let bytes = read::<BYTES_MAX>(&parts.headers, body).await?;
    if bytes.is_empty() {
        return Ok(None);
    }
    require_json(&parts.headers)?;
    Ok(Some(bytes))
}

/// The body, kept up to the limit. What goes beyond it is read and dropped, up to a second limit:
/// a client that is still sending would meet a closed connection and never see the answer.
async fn read<const BYTES_MAX: usize>(
    headers: &HeaderMap,
    mut body: Body,
) -> Result<Bytes, ApiError> {
    let announced = headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok());
    let announced = announced.and_then(|text| text.parse::<usize>().ok()).unwrap_or(0);
    let (mut kept, mut seen) = (Vec::new(), 0);
    while announced <= DROPPED_BYTES_MAX && seen <= DROPPED_BYTES_MAX {
        let Some(frame) = body.frame().await else { break };
        let frame = frame.map_err(|_| ApiError::BodyInterrupted)?;
        let Ok(chunk) = frame.into_data() else { continue };
        seen += chunk.len();
        if seen.max(announced) <= BYTES_MAX {
            kept.extend_from_slice(&chunk);
        }
    }
    if seen.max(announced) > BYTES_MAX {
        return Err(ApiError::BodyTooLarge { bytes_max: BYTES_MAX });
    }
    Ok(kept.into())
}

/// The body as JSON, checked against the schema of `T`.
pub fn parse<T: ToSchema + 'static>(bytes: &[u8]) -> Result<JsonDocument<T>, ApiError> {
    value_of(bytes).map(JsonDocument::of)
}

/// A text as JSON.
pub fn value_of(bytes: &[u8]) -> Result<Value, ApiError> {
    serde_json::from_slice(bytes).map_err(|error| ApiError::JsonMalformed {
        line: error.line(),
        column: error.column(),
        message: without_place(&error.to_string()).to_owned(),
    })
}

/// What fits the schema also fits the type; where the two ever differ, the place is named.
fn typed<T: DeserializeOwned>(value: Value) -> Result<T, ApiError> {
    serde_path_to_error::deserialize(value)
        .map_err(|error| ApiError::RequestInvalid(vec![misfit(&error)]))
}

/// What does not fit a type, with its place.
pub fn misfit(error: &serde_path_to_error::Error<serde_json::Error>) -> Violation {
    let parts = error.path().iter().map(ToString::to_string);
    let path = parts.map(|part| format!("/{}", schema::escape(&part)));
    let (code, message) = ("type".to_owned(), error.inner().to_string());
    Violation { pointer: path.collect(), code, message }
}

/// The message of `serde_json` without the place, which has fields of its own.
fn without_place(message: &str) -> &str {
    message.rfind(" at line ").map_or(message, |end| &message[..end])
}

#[cfg(test)]
mod tests {
    use api_types::OrchestrateRequest;

    use super::*;

    fn media(value: &'static str) -> bool {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, value.parse().unwrap());
        require_json(&headers).is_ok()
    }

    #[test]
    fn json_in_utf_8_is_read_and_nothing_else() {
        for good in ["application/json", "Application/JSON; charset=UTF-8", "application/a+json"] {
            assert!(media(good), "{good}");
        }
        for bad in ["text/plain", "application/json; charset=latin1", "json", ""] {
            assert!(!media(bad), "{bad}");
        }
        assert!(require_json(&HeaderMap::new()).is_ok());
    }

    #[test]
    fn malformed_json_is_placed() {
        for (text, line, column) in [("{\n  \"topic\": nope}", 2, 13), ("", 1, 0), ("{", 1, 1)] {
            let Err(error) = parse::<OrchestrateRequest>(text.as_bytes()) else { panic!("{text}") };
            let ApiError::JsonMalformed { line: l, column: c, message } = error else {
                panic!("{text}: {error:?}")
            };
            assert_eq!((l, c), (line, column), "{text}: {message}");
            assert!(!message.contains("line"), "{message}");
        }
        let deep = "[".repeat(100_000);
        let deep = parse::<OrchestrateRequest>(deep.as_bytes()).map(|_| ());
        assert_eq!(deep.unwrap_err().code().as_str(), "json.malformed");
    }

    #[test]
    fn what_is_no_object_does_not_fit() {
        for text in ["[]", "null", "\"x\"", "3"] {
            let error = parse::<OrchestrateRequest>(text.as_bytes()).unwrap().typed().unwrap_err();
            assert_eq!(error.code().as_str(), "request.invalid", "{text}");
        }
    }

    #[tokio::test]
    async fn a_body_is_read_up_to_the_limit() {
        let none = HeaderMap::new();
        let full = vec![b' '; BODY_BYTES_MAX];
        assert_eq!(
            read::<BODY_BYTES_MAX>(&none, Body::from(full.clone())).await.unwrap().len(),
            BODY_BYTES_MAX
        );
        let over = [full, vec![b' ']].concat();
        let error = read::<BODY_BYTES_MAX>(&none, Body::from(over)).await.unwrap_err();
        assert_eq!(error.code().as_str(), "body.too_large");
        let mut announced = HeaderMap::new();
        announced.insert(header::CONTENT_LENGTH, "2000000".parse().unwrap());
        assert!(read::<BODY_BYTES_MAX>(&announced, Body::empty()).await.is_err());
    }
}
