//! One text for equal documents, and what stands for a text. Pure.

use std::fmt::Write;

use serde_json::Value;
use sha2::{Digest, Sha256};

/// JSON with sorted keys and no spaces.
pub fn canonical_json(value: &Value) -> String {
    let mut text = String::new();
    write_canonical(value, &mut text);
    text
}

fn write_canonical(value: &Value, text: &mut String) {
    match value {
        Value::Object(fields) => {
            let mut fields: Vec<_> = fields.iter().collect();
            fields.sort_unstable_by_key(|(key, _)| key.as_str());
            text.push('{');
            for (at, (key, value)) in fields.into_iter().enumerate() {
                let comma = if at == 0 { "" } else { "," };
                write!(text, "{comma}{}:", Value::from(key.as_str()))
                    .expect("writing to a String never fails");
                write_canonical(value, text);
            }
            text.push('}');
        }
        Value::Array(elements) => {
            text.push('[');
            for (at, element) in elements.iter().enumerate() {
                if at > 0 {
                    text.push(',');
                }
                write_canonical(element, text);
            }
            text.push(']');
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            write!(text, "{value}").expect("writing to a String never fails");
        }
    }
}

/// SHA-256 as hexadecimal digits.
pub fn sha256_hex(bytes: &[u8]) -> String {
    crate::db::api_keys::hex(&Sha256::digest(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn equal_documents_are_equal_text() {
        let one: Value =
            serde_json::from_str(r#"{"b": [1, {"z": 1, "a": 2}], "a": "\u0041"}"#).unwrap();
        let two: Value = serde_json::from_str(r#"{"a":"A","b":[1,{"a":2,"z":1}]}"#).unwrap();
        assert_eq!(canonical_json(&one), canonical_json(&two));
        assert_eq!(canonical_json(&one), r#"{"a":"A","b":[1,{"a":2,"z":1}]}"#);
        assert_ne!(canonical_json(&json!([1, 2])), canonical_json(&json!([2, 1])));
    }
}
