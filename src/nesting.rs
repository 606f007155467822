//! How deep JSON may be nested that comes from outside and is kept in a journal. A journal's rows
//! lay some levels around it, and readers of JSON stop at 128: what came in deeper could be written
//! and never be read again.

use serde_json::Value;

/// The most levels of arrays and objects.
pub const LEVELS_MAX: usize = 100;

/// Whether a value is nested no deeper than it may be. The reader of JSON has bounded it before.
pub fn fits(value: &Value) -> bool {
    levels(value) <= LEVELS_MAX
}

fn levels(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(levels).max().unwrap_or(0),
        Value::Object(fields) => 1 + fields.values().map(levels).max().unwrap_or(0),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => 0,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn levels_are_counted_in_arrays_and_objects_alike() {
        for (value, expected) in
            [(json!(1), 0), (json!([]), 1), (json!({ "a": [1, { "b": [] }] }), 4)]
        {
            assert_eq!(levels(&value), expected, "{value}");
        }
        let deep = |levels: usize| (0..levels).fold(json!(1), |inner, _| json!([inner]));
        assert!(fits(&deep(LEVELS_MAX)) && !fits(&deep(LEVELS_MAX + 1)));
    }
}
