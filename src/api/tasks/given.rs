//! What no schema says of the fields of tasks: all that is wrong with them is told together.

use std::collections::BTreeSet;

use api_types::tasks::Escalate;
use engine::plan::Violation;
use engine::plan::approval::{ROLES, is_candidate};
use serde_json::{Map, Value};

use crate::api::query::{moment, report};
use crate::db::iso;
use crate::error::ApiError;
use crate::nesting::{self, LEVELS_MAX};

/// The most that belongs to a task besides, as JSON text.
pub const METADATA_BYTES_MAX: usize = 16 * 1024;

/// Gathers what is wrong.
#[derive(Default)]
pub struct Given {
    violations: Vec<Violation>,
}

impl Given {
    /// Candidates that are some, each once.
    pub fn candidates(&mut self, pointer: &str, names: Vec<String>) -> Vec<String> {
        let mut met = BTreeSet::new();
        for (place, name) in names.iter().enumerate() {
            let place = format!("{pointer}/{place}");
            if !is_candidate(name) {
                let message = format!(
                    "names nobody: user:<id>, key:<id>, worker:<id>, an e-mail address, or role: \
                     with {}",
                    ROLES.join(", ")
                );
                report(&mut self.violations, &place, "candidate", &message);
            } else if !met.insert(name.to_ascii_lowercase()) {
                report(&mut self.violations, &place, "duplicate", "is a candidate already");
            }
        }
        names
    }

    /// A moment, as rows have it.
    pub fn moment(&mut self, pointer: &str, text: Option<String>) -> Option<String> {
        moment(pointer, text, &mut self.violations).map(iso)
    }

    /// When others become candidates, and who.
    pub fn escalation(&mut self, escalation: Option<Escalate>) -> (Option<String>, Vec<String>) {
        let Some(Escalate { at, candidates }) = escalation else { return (None, Vec::new()) };
        let at = self.moment("/escalation/at", Some(at));
        (at, self.candidates("/escalation/candidates", candidates))
    }

    /// Whatever belongs to a task besides, of bounded size and depth.
    pub fn metadata(&mut self, fields: Option<Map<String, Value>>) -> Value {
        let value = Value::Object(fields.unwrap_or_default());
        self.nesting("/metadata", &value);
        let bytes = value.to_string().len();
        if bytes > METADATA_BYTES_MAX {
            let message = format!("has {bytes} bytes; at most {METADATA_BYTES_MAX} are kept");
            report(&mut self.violations, "/metadata", "too_large", &message);
        }
        value
    }

    /// A form that is a JSON Schema within limits.
    pub fn form(&mut self, form: Option<Map<String, Value>>) -> Option<Value> {
        let form = Value::Object(form?);
        self.violations.extend(crate::schema::registered::check(&form, "/form"));
        Some(form)
    }

    /// A value that is not nested too deeply to be kept.
    pub fn nesting(&mut self, pointer: &str, value: &Value) {
        if !nesting::fits(value) {
            let message = format!("is nested more than {LEVELS_MAX} levels deep");
            report(&mut self.violations, pointer, "nesting", &message);
        }
    }

    /// One thing more that is wrong.
    pub fn wrong(&mut self, pointer: &str, code: &str, message: &str) {
        report(&mut self.violations, pointer, code, message);
    }

    /// Things more that are wrong.
    pub fn all(&mut self, violations: Vec<Violation>) {
        self.violations.extend(violations);
    }

    /// Refuses the request if anything is wrong.
    pub fn refuse(self) -> Result<(), ApiError> {
        match self.violations.is_empty() {
            true => Ok(()),
            false => Err(ApiError::RequestInvalid(self.violations)),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn told(given: Given) -> Vec<(String, String)> {
        match given.refuse() {
            Err(ApiError::RequestInvalid(found)) => {
                found.into_iter().map(|v| (v.pointer, v.code)).collect()
            }
            _ => Vec::new(),
        }
    }

    fn names(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|text| (*text).to_owned()).collect()
    }

    #[test]
    fn everything_that_is_wrong_is_told_with_its_place() {
        let mut given = Given::default();
        given.candidates("/candidates", names(&["ada@example.org", "ADA@example.org", "ada"]));
        given.moment("/due_at", Some("soon".to_owned()));
        given.metadata(json!({"x": "y".repeat(METADATA_BYTES_MAX)}).as_object().cloned());
        given.form(json!({"type": "strnig"}).as_object().cloned());
        let candidates = names(&["role:king"]);
        given.escalation(Some(Escalate { at: "2026-11-21T10:00:00Z".to_owned(), candidates }));
        let expected = [
            ("/candidates/1", "duplicate"),
            ("/candidates/2", "candidate"),
            ("/due_at", "format"),
            ("/metadata", "too_large"),
        ];
        let found = told(given);
        for (pointer, code) in expected {
            assert!(found.contains(&(pointer.to_owned(), code.to_owned())), "{found:?}");
        }
        assert!(found.iter().any(|(pointer, _)| pointer == "/form/type"), "{found:?}");
        assert!(found.iter().any(|(p, _)| p == "/escalation/candidates/0"), "{found:?}");
        assert_eq!(found.len(), 6);
    }

    #[test]
    fn what_is_right_comes_as_rows_have_it() {
        let mut given = Given::default();
        let at = given.moment("/due_at", Some("2026-11-21T12:00:00+02:00".to_owned()));
        assert_eq!(at.as_deref(), Some("2026-11-21T10:00:00.000Z"));
        assert_eq!(given.escalation(None), (None, Vec::new()));
        assert_eq!(given.metadata(None), json!({}));
        assert_eq!(told(given), []);
    }
}
