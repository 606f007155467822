//! The parts of a request's path.

use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts;
use engine::ids::ExecutionId;
use engine::plan::Violation;

use crate::error::ApiError;

/// The longest template name that is looked up.
const TEMPLATE_NAME_CHARS_MAX: usize = 64;
/// The longest name of a thing that is looked up.
const RESOURCE_NAME_CHARS_MAX: usize = 128;
/// The greatest number of a revision: what D1 keeps exactly.
const REVISION_MAX: u64 = (1 << 53) - 1;
/// The longest name of a signal.
const SIGNAL_NAME_CHARS_MAX: usize = 64;

/// The execution that the path names; a malformed id names none.
pub struct ExecutionPath(pub ExecutionId);

/// The template that the path names.
pub struct TemplatePath(pub String);

/// The revision that the path names; what is no number names none.
pub struct RevisionPath(pub Option<u64>);

/// The step that the path names: `step`, or `step[3]` for one element of a map.
pub struct StepPath(pub String);

/// The name or id in a path, of whatever kind of thing.
pub struct ResourcePath(pub String);

/// The signal that the path names.
pub struct SignalPath(pub String);

impl<S: Send + Sync> FromRequestParts<S> for ExecutionPath {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let text = part(parts, state, "id").await;
        let id = text.and_then(|text| text.parse().ok());
        id.map(Self).ok_or(ApiError::PipelineNotFound)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for TemplatePath {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let name = part(parts, state, "name").await.unwrap_or_default();
        if name.chars().count() > TEMPLATE_NAME_CHARS_MAX {
            let name = name.chars().take(TEMPLATE_NAME_CHARS_MAX).collect();
            return Err(ApiError::TemplateNotFound { name });
        }
        Ok(Self(name))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for RevisionPath {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let number = part(parts, state, "revision").await.and_then(|text| text.parse().ok());
        Ok(Self(number.filter(|number| (1..=REVISION_MAX).contains(number))))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for StepPath {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        // A path that no step has is not found as such: that is told with the execution's id.
        Ok(Self(part(parts, state, "step").await.unwrap_or_default()))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for ResourcePath {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let found = Path::<Vec<(String, String)>>::from_request_parts(parts, state).await;
        let text = found.ok().and_then(|path| path.0.into_iter().next()).map(|(_, text)| text);
        // What no name can be is cut, so that the answer does not repeat a long text.
        Ok(Self(text.unwrap_or_default().chars().take(RESOURCE_NAME_CHARS_MAX).collect()))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for SignalPath {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let name = part(parts, state, "name").await.unwrap_or_default();
        let fits = (1..=SIGNAL_NAME_CHARS_MAX).contains(&name.chars().count())
            && !name.chars().any(char::is_control);
        if fits {
            return Ok(Self(name));
        }
        let message = format!("a signal's name has 1 to {SIGNAL_NAME_CHARS_MAX} characters");
        let (pointer, code) = ("/name".to_owned(), "length".to_owned());
        Err(ApiError::RequestInvalid(vec![Violation { pointer, code, message }]))
    }
}

/// A part of the path, by its name.
async fn part<S: Send + Sync>(parts: &mut Parts, state: &S, name: &str) -> Option<String> {
    let found = Path::<Vec<(String, String)>>::from_request_parts(parts, state).await;
    found.ok()?.0.into_iter().find(|(known, _)| known == name).map(|(_, text)| text)
}
