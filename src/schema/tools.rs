//! The schemas of registered tools, as the engine meets them: compiled within the limits of
//! [`registered`], because they are checked while an execution is decided.

use std::sync::Arc;

use engine::plan::{Fits, Schemas, Violation};
use jsonschema::Validator;
use serde_json::Value;

use super::registered::{self, Named};
use super::violations;

/// Knows JSON Schema (draft 2020-12), within limits.
#[derive(Clone, Copy, Debug)]
pub struct ToolSchemas;

#[derive(Debug)]
struct Compiled(Validator);

impl Schemas for ToolSchemas {
    fn compile(&self, schema: &Value) -> Result<Arc<dyn Fits>, String> {
        Ok(Arc::new(Compiled(compile(schema)?)))
    }
}

impl Fits for Compiled {
    fn violations(&self, instance: &Value, most: usize) -> Vec<Violation> {
        let mut found = violations(&self.0, instance, "");
        found.truncate(most);
        found
    }
}

fn compile(schema: &Value) -> Result<Validator, String> {
    registered::compile(schema, Named::AtRoot)
        .map_err(|found| format!("{} {}", found.pointer, found.message).trim_start().to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::schema::registered::SCHEMA_BYTES_MAX;

    #[test]
    fn what_fits_fits_and_what_does_not_is_named() {
        let schema = json!({
            "type": "object", "required": ["text"], "additionalProperties": false,
            "properties": {
                "text": {"$ref": "#/$defs/text"}, "max": {"type": "integer", "minimum": 1},
                "tags": {"type": "array", "items": {"$ref": "#/$defs/text"}, "uniqueItems": true},
            },
            "$defs": {"text": {"type": "string", "pattern": "^[a-z ]+$", "maxLength": 20}},
        });
        let fits = ToolSchemas.compile(&schema).unwrap();
        assert_eq!(fits.violations(&json!({"text": "ok", "tags": ["a", "b"]}), 9), []);
        let found = fits.violations(&json!({"max": 0, "tags": ["a", 1], "more": 1}), 9);
        let told: Vec<_> = found.iter().map(|v| (v.pointer.as_str(), v.code.as_str())).collect();
        let expected = [
            ("/max", "minimum"),
            ("/more", "unknown_field"),
            ("/tags/1", "type"),
            ("/text", "required"),
        ];
        assert_eq!(told, expected);
        assert_eq!(fits.violations(&json!({"max": 0, "tags": ["a", 1], "more": 1}), 2).len(), 2);
    }

    fn problem(schema: &Value) -> Option<String> {
        compile(schema).err()
    }

    #[test]
    fn what_a_check_could_take_for_ever_is_no_schema_of_a_tool() {
        let doubling: serde_json::Map<String, Value> = (0..18)
            .map(|n| {
                let next = json!({"$ref": format!("#/$defs/d{}", n + 1)});
                (format!("d{n}"), json!({"allOf": [next, next]}))
            })
            .chain([("d18".to_owned(), json!({"type": "object"}))])
            .collect();
        let chain = (0..100)
            .map(|n| (format!("c{n}"), json!({"not": {"$ref": format!("#/$defs/c{}", n + 1)}})));
        let chain: serde_json::Map<String, Value> =
            chain.chain([("c100".to_owned(), json!(true))]).collect();
        for (schema, why) in [
            (json!({"$ref": "#"}), "refers to itself"),
            (json!({"properties": {"a": {"$ref": "#"}}}), "refers to itself"),
            (json!({"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/a"}}}), "to itself"),
            (
                json!({"$ref": "#/$defs/a", "$defs": {
                    "a": {"items": {"$ref": "#/$defs/b"}}, "b": {"not": {"$ref": "#/$defs/a"}},
                }}),
                "refers to itself",
            ),
            (json!({"$ref": "#/$defs/none"}), "refers to nothing"),
            (json!({"$ref": "https://example.com/schema"}), "no reference within"),
            (json!({"$ref": "#text"}), "no reference within"),
            (json!({"$dynamicRef": "#x"}), "not allowed"),
            (json!({"items": {"$id": "https://example.com/x"}}), "at the root only"),
            (json!({"$ref": "#/$defs/d0", "$defs": doubling}), "more than 10000 parts"),
            (json!({"$ref": "#/$defs/c0", "$defs": chain}), "deep"),
            (json!({"pattern": "(?=a)b"}), "(?=a)b"),
            (json!({"pattern": "((a{1000}){1000}){1000}"}), "regex"),
            (json!({"type": "text"}), "text"),
            (json!({"enum": ["x".repeat(SCHEMA_BYTES_MAX)]}), "bytes"),
        ] {
            let found = problem(&schema).unwrap_or_else(|| panic!("{schema} compiles"));
            assert!(found.contains(why), "{found}, not {why}");
            assert!(found.len() < 2_000);
        }
        for fine in [
            json!({}),
            json!(true),
            json!({"const": {"$ref": "#"}, "enum": [{"$ref": "#"}]}),
            json!({"properties": {"$ref": {"type": "string"}}}),
            json!({"$id": "https://example.com/x", "type": "object"}),
        ] {
            assert_eq!(problem(&fine), None, "{fine}");
        }
    }
}
