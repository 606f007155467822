//! The fields of a JSON object that a definition carries as it was written: each is read as what it
//! should be, and what it is not is a violation at its pointer.

use std::fmt::Display;
use std::ops::RangeInclusive;

use serde_json::{Map, Value};

use super::Check;
use crate::plan::compile::escape;

/// One object; a field that is `null` counts as absent.
pub(super) struct Fields<'c, 'a> {
    pub(super) check: &'c mut Check<'a>,
    pub(super) pointer: String,
    pub(super) object: Map<String, Value>,
}

impl Fields<'_, '_> {
    /// The pointer to a field.
    pub(super) fn at(&self, field: &str) -> String {
        format!("{}/{}", self.pointer, escape(field))
    }

    pub(super) fn has(&self, field: &str) -> bool {
        self.value(field).is_some()
    }

    pub(super) fn value(&self, field: &str) -> Option<&Value> {
        self.object.get(field).filter(|value| !value.is_null())
    }

    /// A field as `read` understands it; what it does not is of a wrong type.
    pub(super) fn read<T>(
        &mut self,
        field: &str,
        expected: &str,
        read: impl FnOnce(&Value) -> Option<T>,
    ) -> Option<T> {
        let value = self.value(field)?;
        let found = read(value);
        if found.is_none() {
            let message = format!("`{field}` is {expected}, not {}", kind_of(value));
            self.check.report(self.at(field), "config.wrong_type", message);
        }
        found
    }

    pub(super) fn text(&mut self, field: &str) -> Option<String> {
        self.read(field, "a text", |value| value.as_str().map(str::to_owned))
    }

    pub(super) fn flag(&mut self, field: &str) -> Option<bool> {
        self.read(field, "true or false", Value::as_bool)
    }

    /// One of a few texts.
    pub(super) fn choice<T: Copy>(&mut self, field: &str, choices: &[(&str, T)]) -> Option<T> {
        let text = self.text(field)?;
        let found = choices.iter().find(|(name, _)| *name == text).map(|(_, choice)| *choice);
        if found.is_none() {
            let names: Vec<String> = choices.iter().map(|(name, _)| format!("`{name}`")).collect();
            let message = format!("`{field}` is {}, not `{text}`", names.join(" or "));
            self.check.report(self.at(field), "config.out_of_range", message);
        }
        found
    }

    /// A whole number within a range; 3.0 is one.
    pub(super) fn whole(&mut self, field: &str, range: RangeInclusive<u64>) -> Option<u64> {
        let number = self.number(field)?;
        if number.fract() != 0.0 {
            let message = format!("`{field}` is a whole number, not {number}");
            self.check.report(self.at(field), "config.wrong_type", message);
            return None;
        }
        // All ranges end below 2^53, up to where a double is exact.
        let (from, to) = (*range.start() as f64, *range.end() as f64);
        self.within(field, number, from..=to).map(|number| number as u64)
    }

    pub(super) fn number(&mut self, field: &str) -> Option<f64> {
        self.read(field, "a number", Value::as_f64)
    }

    pub(super) fn within(
        &mut self,
        field: &str,
        number: f64,
        range: RangeInclusive<f64>,
    ) -> Option<f64> {
        if range.contains(&number) {
            return Some(number);
        }
        self.out_of_range(field, number, range.start(), range.end());
        None
    }

    pub(super) fn out_of_range(
        &mut self,
        field: &str,
        found: impl Display,
        from: impl Display,
        to: impl Display,
    ) {
        let message = format!("`{field}` is {found}; it goes from {from} to {to}");
        self.check.report(self.at(field), "config.out_of_range", message);
    }

    pub(super) fn unknown(&mut self, field: &str, known: &str) {
        let message = format!("there is no setting `{field}`; {known}");
        self.check.report(self.at(field), "config.unknown_field", message);
    }

    pub(super) fn missing(&mut self, field: &str, message: impl Into<String>) {
        self.check.report(self.at(field), "config.missing_field", message);
    }

    pub(super) fn conflict(&mut self, field: &str, message: impl Into<String>) {
        self.check.report(self.at(field), "config.conflicting_fields", message);
    }
}

/// What a JSON value is, in words.
pub(super) fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}
