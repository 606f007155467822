//! What is recorded: an id and a moment are given to what came without.

use axum::Json;
use chrono::DateTime;
use engine::plan::Violation;
use serde_json::Value;
use uuid::Uuid;

use crate::clock::now;
use crate::db::iso;
use crate::error::ApiError;
use engine::time::Timestamp;

/// A batch, each entry with an id and a moment.
pub fn batch(mut entries: Vec<Value>) -> Result<Value, ApiError> {
    let mut violations = Vec::new();
    for (place, entry) in entries.iter_mut().enumerate() {
        complete(entry, &format!("/entries/{place}"), &mut violations);
    }
    finish(Value::Array(entries), violations)
}

/// One document with an id and a moment.
pub fn one(mut document: Value) -> Result<Value, ApiError> {
    let mut violations = Vec::new();
    complete(&mut document, "", &mut violations);
    finish(document, violations)
}

fn finish(document: Value, violations: Vec<Violation>) -> Result<Value, ApiError> {
    if violations.is_empty() { Ok(document) } else { Err(ApiError::RequestInvalid(violations)) }
}

fn complete(document: &mut Value, pointer: &str, violations: &mut Vec<Violation>) {
    if document["id"].is_null() {
        document["id"] = Uuid::now_v7().to_string().into();
    }
    let moment = match document["timestamp"].as_str() {
        None => Some(now()),
        Some(text) => DateTime::parse_from_rfc3339(text)
            .ok()
            .map(|at| Timestamp::from_millis(at.timestamp_millis())),
    };
    match moment {
        Some(at) => document["timestamp"] = iso(at).into(),
        None => violations.push(Violation {
            pointer: format!("{pointer}/timestamp"),
            code: "format".to_owned(),
            message: "is not a moment such as 2026-11-21T10:00:00Z".to_owned(),
        }),
    }
}

/// The refusal of entries that name an agent which the account has not.
pub fn agents_unknown(pointers: impl IntoIterator<Item = String>) -> ApiError {
    let violation = |pointer| Violation {
        pointer,
        code: "agent.unknown".to_owned(),
        message: "is no agent of this account".to_owned(),
    };
    ApiError::RequestInvalid(pointers.into_iter().map(violation).collect())
}

/// What was found, or that nothing has this id.
pub fn found<T>(kind: &'static str, id: String, thing: Option<T>) -> Result<Json<T>, ApiError> {
    thing.map(Json).ok_or(ApiError::ResourceNotFound { kind, name: id })
}
