//! Templates as operators administer them.

pub mod change;
pub mod read;
pub mod revisions;

use std::collections::BTreeMap;

use api_types::admin::{AdminTemplateReply, TemplateDocument};
use axum::Json;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use engine::plan::Violation;

use crate::api::precondition;
use crate::error::{ApiError, wire_violation};
use crate::extract::JsonDocument;
use crate::publishing::{Changed, Refusal, of_rows, readable, state};

/// What precondition errors and others call these.
const KIND: &str = "template";
/// The most violations that one reply lists.
const VIOLATIONS_MAX: usize = 1000;

/// A document that was sent, as far as it can be read, and what in it cannot.
struct Sent {
    document: TemplateDocument,
    unread: Vec<Violation>,
}

impl Sent {
    /// Reads a document that stands, or is to stand, under this name.
    fn read(
        sent: JsonDocument<TemplateDocument>,
        name: Option<&str>,
    ) -> Result<Self, Vec<Violation>> {
        let mut unread = sent.violations;
        let Some(document) = readable(&sent.value, &unread) else {
            if unread.is_empty() {
                // It fits the schema and not the type: the place is told.
                let parsed = serde_path_to_error::deserialize::<_, TemplateDocument>(sent.value);
                unread.extend(parsed.err().map(|error| crate::extract::misfit(&error)));
            }
            return Err(unread);
        };
        let refuse = |code: &str, message: String| Violation {
            pointer: "/name".to_owned(),
            code: code.to_owned(),
            message,
        };
        match (&document.name, name) {
            (None, None) if !unread.iter().any(|found| found.pointer == "/name") => {
                unread.push(refuse("required", "is required".to_owned()));
            }
            (Some(given), Some(name)) if given != name => {
                let message = format!("is not the name in the path, `{name}`: clone it instead");
                unread.push(refuse("conflict", message));
            }
            _ => {}
        }
        Ok(Self { document, unread })
    }
}

fn refused(
    refusal: Refusal,
    name: &str,
    invalid: fn(Vec<Violation>, &str) -> ApiError,
) -> ApiError {
    let name = name.to_owned();
    let in_use =
        |message: String| ApiError::ResourceInUse { kind: KIND, name: name.clone(), message };
    match refusal {
        Refusal::NotFound => ApiError::TemplateNotFound { name },
        Refusal::Exists => ApiError::ResourceExists { kind: KIND, name },
        Refusal::Changed => ApiError::ResourceChanged { kind: KIND, name },
        Refusal::IsDefault => {
            in_use("is the default template: make another one the default first".to_owned())
        }
        Refusal::NamedBy(names) => in_use(format!("is named by steps of {}", names.join(", "))),
        Refusal::Invalid(violations) => invalid(violations, &name),
        Refusal::Db(error) => error.into(),
    }
}

/// What is wrong with a document that was sent.
fn of_document(violations: Vec<Violation>, _: &str) -> ApiError {
    ApiError::RequestInvalid(violations)
}

/// What is wrong with what the rows, or a revision, say.
fn of_rows_there(violations: Vec<Violation>, name: &str) -> ApiError {
    ApiError::TemplateInvalid { name: name.to_owned(), violations }
}

/// Refuses a header that cannot be read, before anything is looked up.
fn readable_precondition(headers: &HeaderMap) -> Result<(), ApiError> {
    match precondition::check(headers, "", (KIND, "")) {
        Err(error @ ApiError::HeaderInvalid { .. }) => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// The template as it is now, with its tag.
fn shown(changed: Changed) -> Response {
    let Changed { detail, revision, content_hash, violations, warnings, named_by: _ } = changed;
    let (created_at, updated_at) =
        (detail.template.created_at.clone(), detail.template.updated_at.clone());
    let template = of_rows(&detail);
    let tag = precondition::etag(&state(&template));
    let wire = |found: Vec<Violation>| -> Vec<api_types::Violation> {
        found.iter().take(VIOLATIONS_MAX).map(wire_violation).collect()
    };
    let reply = AdminTemplateReply {
        template,
        revision,
        content_hash,
        created_at,
        updated_at,
        violations: wire(violations),
        warnings: wire(warnings),
    };
    ([(header::ETAG, tag)], Json(reply)).into_response()
}

fn with_location(mut response: Response, name: &str) -> Response {
    if let Ok(location) = HeaderValue::try_from(format!("/admin/templates/{name}")) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    response
}

/// The URLs at which a deployment reaches workers.
type WorkerUrls = BTreeMap<String, String>;
