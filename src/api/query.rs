//! What the queries of several endpoints have in common and no schema can check.

use chrono::DateTime;
use engine::plan::Violation;
use engine::time::Timestamp;
use serde_json::Value;

/// A moment of the query; what is none is reported at `pointer`.
pub fn moment(
    pointer: &str,
    text: Option<String>,
    violations: &mut Vec<Violation>,
) -> Option<Timestamp> {
    let parsed = DateTime::parse_from_rfc3339(&text?);
    if parsed.is_err() {
        report(violations, pointer, "format", "is not a moment such as 2026-11-21T10:00:00Z");
    }
    parsed.ok().map(|at| Timestamp::from_millis(at.timestamp_millis()))
}

/// The moment and the key of the row that a page comes after, of a cursor `<moment>_<key>`; what is
/// none is reported.
pub fn cursor(text: Option<String>, violations: &mut Vec<Violation>) -> Option<(String, String)> {
    let text = text?;
    let parts = text.split_once('_').filter(|(at, _)| DateTime::parse_from_rfc3339(at).is_ok());
    if parts.is_none() {
        no_cursor(violations);
    }
    parts.map(|(at, key)| (at.to_owned(), key.to_owned()))
}

/// Reports that what came as a cursor is none.
pub fn no_cursor(violations: &mut Vec<Violation>) {
    report(violations, "/cursor", "cursor", "is not a next_cursor of an earlier page");
}

/// Reports what is wrong with a parameter that its schema could not see.
pub fn report(violations: &mut Vec<Violation>, pointer: &str, code: &str, message: &str) {
    violations.push(Violation {
        pointer: pointer.to_owned(),
        code: code.to_owned(),
        message: message.to_owned(),
    });
}

/// The word of an enumeration, as columns have it.
pub fn label(value: impl serde::Serialize) -> Option<String> {
    match serde_json::to_value(value) {
        Ok(Value::String(word)) => Some(word),
        Ok(_) | Err(_) => None,
    }
}
