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
