//! The schemas that people register for tools. What they describe is checked while executions go
//! on, so what a check may take is limited when a schema is written, and again when a start
//! compiles it: it refers to nothing outside and never to itself, what it comes to with all that it
//! refers to is limited, and its patterns are matched in linear time. Every violation names its
//! place within the schema.

use std::collections::BTreeMap;

use engine::plan::Violation;
use jsonschema::{Draft, PatternOptions, Validator};
use serde_json::Value;

use super::{clipped, cut, escape, violations};

/// The largest schema, as JSON text.
pub(super) const SCHEMA_BYTES_MAX: usize = 64 * 1024;
/// The most parts that a schema comes to, each as often as it is referred to.
const PARTS_MAX: usize = 10_000;
/// How deep parts stand within each other, references followed.
const DEPTH_MAX: usize = 64;
/// The largest compiled pattern, in bytes.
const PATTERN_BYTES_MAX: usize = 256 * 1024;
/// What is under these is data, or counts where it is referred to.
const NO_PARTS: [&str; 6] = ["enum", "const", "default", "examples", "$defs", "definitions"];

thread_local! {
    static META: Validator = jsonschema::options()
        .with_draft(Draft::Draft202012)
        .build(&serde_json::json!({"$ref": "https://json-schema.org/draft/2020-12/schema"}))
        .expect("the schema of schemas is built in");
}

/// Where a schema may have a name of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Named {
    /// Nowhere: it is about to be registered.
    Nowhere,
    /// At its root, as one that stands there already may have.
    AtRoot,
}

/// Everything that keeps `schema` from being registered; pointers begin with `prefix`.
pub fn check(schema: &Value, prefix: &str) -> Vec<Violation> {
    let limits = limits(schema, prefix, Named::Nowhere);
    if let Err(found) = limits {
        return vec![*found];
    }
    let found = META.with(|meta| violations(meta, schema, prefix));
    if !found.is_empty() {
        return found;
    }
    build(schema, prefix).err().into_iter().map(|found| *found).collect()
}

/// Everything in `instance` that does not fit a schema, or why the schema is none; pointers begin
/// with `prefix`.
pub fn misfits(schema: &Value, instance: &Value, prefix: &str) -> Result<Vec<Violation>, String> {
    let validator = compile(schema, Named::Nowhere).map_err(|found| found.message)?;
    Ok(violations(&validator, instance, prefix))
}

/// The schema compiled, or what first keeps it from being so.
pub(super) fn compile(schema: &Value, named: Named) -> Result<Validator, Refusal> {
    limits(schema, "", named)?;
    build(schema, "")
}

fn limits(schema: &Value, prefix: &str, named: Named) -> Result<(), Refusal> {
    let bytes = schema.to_string().len();
    if bytes > SCHEMA_BYTES_MAX {
        let message = format!("has {bytes} bytes; at most {SCHEMA_BYTES_MAX} are allowed");
        return Err(Box::new(violation(prefix, "too_large", &message)));
    }
    Walk { root: schema, prefix, named, known: BTreeMap::new() }.count(schema, "", 0)?;
    Ok(())
}

fn build(schema: &Value, prefix: &str) -> Result<Validator, Refusal> {
    let options = jsonschema::options()
        .with_draft(Draft::Draft202012)
        .with_pattern_options(PatternOptions::regex().size_limit(PATTERN_BYTES_MAX));
    options.build(schema).map_err(|error| {
        let place = format!("{prefix}{}", error.instance_path().as_str());
        Box::new(violation(&place, "schema", &clipped(&error)))
    })
}

fn violation(pointer: &str, code: &str, message: &str) -> Violation {
    Violation { pointer: pointer.to_owned(), code: code.to_owned(), message: cut(message) }
}

pub(super) type Refusal = Box<Violation>;

/// Goes through the parts of a schema.
struct Walk<'a> {
    root: &'a Value,
    prefix: &'a str,
    named: Named,
    /// What a reference comes to; `None` while it is being counted.
    known: BTreeMap<&'a str, Option<usize>>,
}

impl<'a> Walk<'a> {
    fn count(&mut self, part: &'a Value, at: &str, depth: usize) -> Result<usize, Refusal> {
        if depth > DEPTH_MAX {
            let message = format!("stands more than {DEPTH_MAX} levels deep, references followed");
            return Err(self.refuse(at, "too_deep", &message));
        }
        let mut sum = 1;
        match part {
            Value::Object(fields) => {
                for (name, value) in fields {
                    sum += self.field(name, value, &format!("{at}/{}", escape(name)), depth)?;
                }
            }
            Value::Array(parts) => {
                for (place, part) in parts.iter().enumerate() {
                    sum += self.count(part, &format!("{at}/{place}"), depth + 1)?;
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
        if sum > PARTS_MAX {
            let message = format!("comes to more than {PARTS_MAX} parts, references followed");
            return Err(self.refuse(at, "too_large", &message));
        }
        Ok(sum)
    }

    fn field(
        &mut self,
        name: &'a str,
        value: &'a Value,
        at: &str,
        depth: usize,
    ) -> Result<usize, Refusal> {
        match (name, value) {
            ("$ref", Value::String(to)) => self.reference(to, at, depth),
            ("$dynamicRef" | "$recursiveRef", Value::String(_)) => {
                Err(self.refuse(at, "reference", "is not allowed in the schema of a tool"))
            }
            ("$id" | "$anchor" | "$dynamicAnchor", Value::String(_)) => self.name(at, depth),
            (name, _) if NO_PARTS.contains(&name) => Ok(0),
            (_, Value::Object(_) | Value::Array(_)) => self.count(value, at, depth + 1),
            _ => Ok(0),
        }
    }

    fn name(&self, at: &str, depth: usize) -> Result<usize, Refusal> {
        match self.named {
            Named::AtRoot if depth == 0 => Ok(0),
            Named::AtRoot => Err(self.refuse(at, "reference", "is allowed at the root only")),
            Named::Nowhere => {
                Err(self.refuse(at, "reference", "is not allowed: refer by `#/…` instead"))
            }
        }
    }

    fn reference(&mut self, to: &'a str, at: &str, depth: usize) -> Result<usize, Refusal> {
        match self.known.get(to) {
            Some(Some(count)) => return Ok(*count),
            Some(None) => return Err(self.refuse(at, "reference", "refers to itself")),
            None => {}
        }
        let pointer = to.strip_prefix('#').filter(|rest| rest.is_empty() || rest.starts_with('/'));
        let Some(pointer) = pointer.filter(|pointer| !pointer.contains('%')) else {
            let message = "is no reference within the schema, as `#/$defs/x` is";
            return Err(self.refuse(at, "reference", message));
        };
        let Some(target) = self.root.pointer(pointer) else {
            return Err(self.refuse(at, "reference", "refers to nothing"));
        };
        self.known.insert(to, None);
        let count = self.count(target, pointer, depth + 1)?;
        self.known.insert(to, Some(count));
        Ok(count)
    }

    fn refuse(&self, at: &str, code: &str, message: &str) -> Refusal {
        Box::new(violation(&format!("{}{at}", self.prefix), code, message))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn found(schema: &Value) -> Vec<(String, String)> {
        let violations = check(schema, "/input_schema");
        violations.into_iter().map(|v| (v.pointer, v.code)).collect()
    }

    #[test]
    fn usual_schemas_are_taken() {
        for schema in [
            json!({}),
            json!({"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "x"}),
            json!({"type": "object", "required": ["a"], "additionalProperties": false,
                "properties": {"a": {"type": "string", "pattern": "^[a-z]+$"},
                    "b": {"type": "array", "items": {"$ref": "#/$defs/item"}},
                    "$ref": {"enum": [{"$ref": "https://data.example"}]}},
                "$defs": {"item": {"anyOf": [{"type": "null"}, {"minimum": 3}]}}}),
        ] {
            assert_eq!(found(&schema), [], "{schema}");
        }
    }

    #[test]
    fn what_is_no_schema_is_refused_at_its_place() {
        for (schema, pointer) in [
            (json!({"type": "strnig"}), "/type"),
            (json!({"properties": {"a": {"minimum": "3"}}}), "/properties/a/minimum"),
            (json!({"required": "a"}), "/required"),
            (json!({"properties": []}), "/properties"),
            (json!({"$ref": "https://remote.example/schema.json"}), "/$ref"),
            (json!({"items": {"$ref": "other.json#/a"}}), "/items/$ref"),
            (json!({"items": {"$ref": "#/$defs/none"}}), "/items/$ref"),
            (json!({"$ref": "#"}), "/$ref"),
            (json!({"properties": {"a": {"$id": "https://x.example"}}}), "/properties/a/$id"),
            (json!({"$dynamicRef": "#x"}), "/$dynamicRef"),
        ] {
            let found = found(&schema);
            let pointers: Vec<&str> = found.iter().map(|(pointer, _)| pointer.as_str()).collect();
            assert!(pointers.contains(&format!("/input_schema{pointer}").as_str()), "{found:?}");
        }
        let unmatched = json!({"properties": {"a": {"pattern": "("}}});
        assert_eq!(found(&unmatched).len(), 1);
        let endless = json!({"properties": {"a": {"pattern": "(?=a)b"}}});
        assert_eq!(found(&endless).len(), 1, "what is not matched in linear time");
    }

    #[test]
    fn what_would_take_long_is_refused() {
        let large = json!({"description": "x".repeat(SCHEMA_BYTES_MAX)});
        assert_eq!(found(&large), [("/input_schema".into(), "too_large".into())]);
        let mut defs = json!({"d0": {"type": "string"}});
        for n in 1..20 {
            let before = json!({"$ref": format!("#/$defs/d{}", n - 1)});
            defs[format!("d{n}")] = json!({"allOf": [before, before, before]});
        }
        let doubling = json!({"$ref": "#/$defs/d19", "$defs": defs});
        assert_eq!(found(&doubling)[0].1, "too_large");
        let deep = (0..100).fold(json!({}), |inner, _| json!({"items": inner}));
        assert_eq!(found(&deep)[0].1, "too_deep");
    }
}
