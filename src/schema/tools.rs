//! The schemas of registered tools. They are written by whoever registers tools and checked while
//! an execution is decided, so what a check may take is limited before it is made: no schema refers
//! to itself or to anything outside, what it comes to with all that it refers to is limited, and
//! patterns are matched in linear time.

use std::collections::BTreeMap;
use std::sync::Arc;

use engine::plan::{Fits, Schemas, Violation};
use jsonschema::{Draft, PatternOptions, Validator};
use serde_json::Value;

use super::{clipped, cut, violations};

/// The largest schema, as JSON text.
pub const SCHEMA_BYTES_MAX: usize = 64 * 1024;
/// The most parts that a schema comes to, each as often as it is referred to.
const PARTS_MAX: usize = 10_000;
/// How deep parts stand within each other, references followed.
const DEPTH_MAX: usize = 64;
/// The largest compiled pattern, in bytes.
const PATTERN_BYTES_MAX: usize = 256 * 1024;
/// What is under these is data, or counts where it is referred to.
const NO_PARTS: [&str; 6] = ["enum", "const", "default", "examples", "$defs", "definitions"];

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
    let bytes = schema.to_string().len();
    if bytes > SCHEMA_BYTES_MAX {
        return Err(format!("it has {bytes} bytes; at most {SCHEMA_BYTES_MAX} are allowed"));
    }
    Parts { root: schema, known: BTreeMap::new() }.count(schema, 0)?;
    jsonschema::options()
        .with_draft(Draft::Draft202012)
        .with_pattern_options(PatternOptions::regex().size_limit(PATTERN_BYTES_MAX))
        .build(schema)
        .map_err(|error| clipped(&error))
}

/// Counts the parts of a schema.
struct Parts<'a> {
    root: &'a Value,
    /// What a reference comes to; `None` while it is being counted.
    known: BTreeMap<&'a str, Option<usize>>,
}

impl<'a> Parts<'a> {
    fn count(&mut self, part: &'a Value, depth: usize) -> Result<usize, String> {
        if depth > DEPTH_MAX {
            return Err(format!("its parts stand more than {DEPTH_MAX} deep within each other"));
        }
        let mut sum = 1;
        match part {
            Value::Object(fields) => {
                for (name, value) in fields {
                    sum += match (name.as_str(), value) {
                        ("$ref", Value::String(to)) => self.reference(to, depth)?,
                        ("$dynamicRef" | "$recursiveRef", Value::String(_)) => {
                            return Err(format!("`{name}` is not allowed in the schema of a tool"));
                        }
                        ("$id" | "$anchor" | "$dynamicAnchor", Value::String(_)) if depth > 0 => {
                            return Err(format!("`{name}` is allowed at the root only"));
                        }
                        (name, _) if NO_PARTS.contains(&name) => 0,
                        (_, Value::Object(_) | Value::Array(_)) => self.count(value, depth + 1)?,
                        _ => 0,
                    };
                }
            }
            Value::Array(parts) => {
                for part in parts {
                    sum += self.count(part, depth + 1)?;
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
        match sum <= PARTS_MAX {
            true => Ok(sum),
            false => Err(format!("it comes to more than {PARTS_MAX} parts")),
        }
    }

    fn reference(&mut self, to: &'a str, depth: usize) -> Result<usize, String> {
        let shown = cut(to);
        match self.known.get(to) {
            Some(Some(count)) => return Ok(*count),
            Some(None) => return Err(format!("`{shown}` refers to itself")),
            None => {}
        }
        // A pointer in a URI is percent-encoded; plain ones are what schemas are written with.
        let pointer = to.strip_prefix('#').filter(|rest| rest.is_empty() || rest.starts_with('/'));
        let pointer = pointer.filter(|pointer| !pointer.contains('%'));
        let Some(pointer) = pointer else {
            return Err(format!("`{shown}` is no reference within the schema, as `#/$defs/x` is"));
        };
        if pointer.is_empty() {
            return Err(format!("`{shown}` refers to itself"));
        }
        let root = self.root;
        let part = root.pointer(pointer);
        let part = part.ok_or_else(|| format!("`{shown}` refers to nothing"))?;
        self.known.insert(to, None);
        let count = self.count(part, depth + 1)?;
        self.known.insert(to, Some(count));
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

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
