//! JSON Schema as the one source of validation: the schemas that the OpenAPI document shows are
//! those that requests are checked against, and every violation is listed with its place.

pub mod registered;
mod tools;

use std::any::{TypeId, type_name};
use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use engine::plan::Violation;
use jsonschema::Validator;
use jsonschema::error::{ValidationError, ValidationErrorKind};
use serde_json::{Value, json};
use utoipa::openapi::path::{Parameter, ParameterIn};
use utoipa::openapi::{RefOr, Required, schema::Schema};
use utoipa::{IntoParams, ToSchema};

use crate::error::VIOLATIONS_MAX;
pub use tools::ToolSchemas;

/// The longest message of a violation: it quotes what was sent.
const MESSAGE_CHARS_MAX: usize = 300;

/// The most schemas of templates that an isolate keeps compiled.
const PUBLISHED_MAX: usize = 64;

thread_local! {
    static PUBLISHED: RefCell<HashMap<String, Rc<Validator>>> = RefCell::default();
}

/// Everything in `instance` that does not fit the schema of a published template, or why the schema
/// itself is none. `hash` stands for the template's content; pointers begin with `prefix`.
pub fn check_published(
    hash: &str,
    schema: &Value,
    instance: &Value,
    prefix: &str,
) -> Result<Vec<Violation>, String> {
    let known = PUBLISHED.with_borrow(|known| known.get(hash).cloned());
    let validator = match known {
        Some(validator) => validator,
        None => {
            let validator = Rc::new(compile(schema).map_err(|error| clipped(&error))?);
            PUBLISHED.with_borrow_mut(|known| {
                if known.len() >= PUBLISHED_MAX {
                    known.clear();
                }
                known.insert(hash.to_owned(), validator.clone());
            });
            validator
        }
    };
    Ok(violations(&validator, instance, prefix))
}

/// Why a template's schema is none.
pub fn problem(schema: &Value) -> Option<String> {
    compile(schema).err().map(|error| clipped(&error))
}

/// Everything in `body` that does not fit the schema of `T`.
pub fn check_body<T: ToSchema + 'static>(body: &Value) -> Vec<Violation> {
    let validator = cached::<T>(|| {
        let mut parts: Vec<(String, RefOr<Schema>)> = Vec::new();
        T::schemas(&mut parts);
        let mut document = json!(T::schema());
        let parts: serde_json::Map<_, _> =
            parts.into_iter().map(|(name, schema)| (name, json!(schema))).collect();
        document["components"] = json!({ "schemas": parts });
        document
    });
    violations(&validator, body, "")
}

/// The query as a JSON object, with numbers and booleans where the parameters of `T` are such, and
/// everything in it that does not fit.
pub fn check_query<T: IntoParams + 'static>(query: &str) -> (Value, Vec<Violation>) {
    let parameters = T::into_params(|| Some(ParameterIn::Query));
    let mut object = serde_json::Map::new();
    let mut found = Vec::new();
    for (name, text) in url::form_urlencoded::parse(query.as_bytes()) {
        let value = typed(&parameters, &name, &text);
        if object.insert(name.to_string(), value).is_some() {
            let message = "is given more than once".to_owned();
            let pointer = format!("/{}", escape(&name));
            found.push(Violation { pointer, code: "duplicate".to_owned(), message });
        }
    }
    let validator = cached::<T>(|| parameters_schema(&parameters));
    let object = Value::Object(object);
    found.extend(violations(&validator, &object, ""));
    (object, found)
}

fn parameters_schema(parameters: &[Parameter]) -> Value {
    let required = parameters.iter().filter(|parameter| parameter.required == Required::True);
    let required: Vec<&str> = required.map(|parameter| parameter.name.as_str()).collect();
    let properties: serde_json::Map<_, _> = parameters
        .iter()
        .map(|parameter| (parameter.name.clone(), json!(parameter.schema)))
        .collect();
    json!({
        "type": "object", "properties": properties, "required": required,
        "additionalProperties": false,
    })
}

/// What the text stands for, by the type of its parameter; the text itself where it is no such.
fn typed(parameters: &[Parameter], name: &str, text: &str) -> Value {
    let schema = parameters.iter().find(|parameter| parameter.name == name);
    let kinds = schema.map(|parameter| json!(parameter.schema)["type"].clone()).unwrap_or_default();
    let is =
        |kind: &str| kinds == kind || kinds.as_array().is_some_and(|k| k.contains(&kind.into()));
    let parsed = if is("integer") {
        text.parse::<i64>().ok().map(Value::from)
    } else if is("number") {
        text.parse::<f64>().ok().and_then(serde_json::Number::from_f64).map(Value::Number)
    } else if is("boolean") {
        text.parse::<bool>().ok().map(Value::from)
    } else {
        None
    };
    parsed.unwrap_or_else(|| text.into())
}

thread_local! {
    static VALIDATORS: RefCell<HashMap<TypeId, Rc<Validator>>> = RefCell::default();
}

/// The validator of `T`, compiled once per isolate.
fn cached<T: 'static>(schema: impl FnOnce() -> Value) -> Rc<Validator> {
    let known = VALIDATORS.with_borrow(|known| known.get(&TypeId::of::<T>()).cloned());
    known.unwrap_or_else(|| {
        let validator = compile(&schema())
            .unwrap_or_else(|error| panic!("the schema of {} is valid: {error}", type_name::<T>()));
        let validator = Rc::new(validator);
        VALIDATORS.with_borrow_mut(|known| {
            known.insert(TypeId::of::<T>(), validator.clone());
        });
        validator
    })
}

fn compile(schema: &Value) -> Result<Validator, ValidationError<'static>> {
    jsonschema::options().with_draft(jsonschema::Draft::Draft202012).build(schema)
}

fn violations(validator: &Validator, instance: &Value, prefix: &str) -> Vec<Violation> {
    let mut found = Vec::new();
    for error in validator.iter_errors(instance) {
        collect(&error, prefix, &mut found);
        if found.len() >= VIOLATIONS_MAX {
            break;
        }
    }
    found.truncate(VIOLATIONS_MAX);
    found.sort_by(|a, b| (&a.pointer, &a.code).cmp(&(&b.pointer, &b.code)));
    found
}

fn collect(error: &ValidationError<'_>, prefix: &str, found: &mut Vec<Violation>) {
    let place = format!("{prefix}{}", error.instance_path().as_str());
    let mut add = |pointer: String, code: &str, message: String| {
        found.push(Violation { pointer, code: code.to_owned(), message });
    };
    match error.kind() {
        ValidationErrorKind::AdditionalProperties { unexpected }
        | ValidationErrorKind::UnevaluatedProperties { unexpected } => {
            for name in unexpected {
                let pointer = format!("{place}/{}", escape(name));
                add(pointer, "unknown_field", "is not a known field".to_owned());
            }
        }
        ValidationErrorKind::Required { property } => {
            let name = property.as_str().unwrap_or_default();
            add(format!("{place}/{}", escape(name)), "required", "is required".to_owned());
        }
        ValidationErrorKind::Enum { options } => {
            let options = options.as_array().into_iter().flatten().map(Value::to_string);
            let options = options.collect::<Vec<_>>().join(", ");
            add(place, "enum", cut(&format!("is not one of {options}")));
        }
        // An optional field is "null or this": what is wrong with "this" is what matters.
        ValidationErrorKind::AnyOf { context } | ValidationErrorKind::OneOfNotValid { context } => {
            match context.as_slice() {
                [null, other] if wants_null(null) => {
                    other.iter().for_each(|error| collect(error, prefix, found));
                }
                [other, null] if wants_null(null) => {
                    other.iter().for_each(|error| collect(error, prefix, found));
                }
                _ => add(place, error.kind().keyword(), clipped(error)),
            }
        }
        other => add(place, other.keyword(), clipped(error)),
    }
}

fn wants_null(errors: &[ValidationError<'_>]) -> bool {
    matches!(errors, [only] if only.to_string().ends_with("is not of type \"null\""))
}

/// The message, with long values left out.
fn clipped(error: &ValidationError<'_>) -> String {
    let message = error.to_string();
    if message.chars().count() <= MESSAGE_CHARS_MAX {
        return message;
    }
    cut(&error.masked_with("the value").to_string())
}

fn cut(message: &str) -> String {
    message.chars().take(MESSAGE_CHARS_MAX).collect()
}

/// A name as a part of a JSON pointer (RFC 6901).
pub fn escape(name: &str) -> String {
    let name: String = name.chars().take(MESSAGE_CHARS_MAX).collect();
    name.replace('~', "~0").replace('/', "~1")
}

#[cfg(test)]
mod tests {
    use api_types::{HistoryQuery, OrchestrateRequest};

    use super::*;

    fn pointers(found: &[Violation]) -> Vec<(&str, &str)> {
        found.iter().map(|v| (v.pointer.as_str(), v.code.as_str())).collect()
    }

    #[test]
    fn every_violation_of_a_request_is_listed_with_its_place() {
        let found = check_body::<OrchestrateRequest>(&json!({
            "topic": 7, "budget_limit": -1, "urgency": "yesterday", "max_articles": 0,
            "time_range": "soon", "async": "yes", "budgetlimit": 3, "a/b": 1,
            "deadline_minutes": 0, "source_discovery_depth": 2.5,
        }));
        assert_eq!(
            pointers(&found),
            [
                ("/async", "type"),
                ("/a~1b", "unknown_field"),
                ("/budget_limit", "minimum"),
                ("/budgetlimit", "unknown_field"),
                ("/deadline_minutes", "exclusiveMinimum"),
                ("/max_articles", "minimum"),
                ("/source_discovery_depth", "type"),
                ("/time_range", "pattern"),
                ("/topic", "type"),
                ("/urgency", "enum"),
            ]
        );
    }

    #[test]
    fn the_largest_and_smallest_values_pass_and_null_is_as_good_as_nothing() {
        for body in [
            json!({}),
            json!({"topic": "x", "urgency": null, "budget_limit": null, "input": null}),
            json!({"budget_limit": 0, "max_articles": 500, "source_discovery_depth": 5}),
            json!({"budget_limit": 1_000_000, "deadline_minutes": 0.05, "time_range": "7d"}),
            json!({"input": [1, {"deep": true}], "async": true, "use_cache": false}),
        ] {
            assert_eq!(check_body::<OrchestrateRequest>(&body), [], "{body}");
            assert!(serde_json::from_value::<OrchestrateRequest>(body).is_ok());
        }
    }

    #[test]
    fn a_long_value_is_not_quoted_and_many_violations_are_cut() {
        let found = check_body::<OrchestrateRequest>(&json!({"urgency": "y".repeat(5000)}));
        assert!(found[0].message.len() < 400, "{}", found[0].message);
        let many: Value = (0..500).map(|n| (format!("f{n}"), Value::Null)).collect();
        assert_eq!(check_body::<OrchestrateRequest>(&many).len(), VIOLATIONS_MAX);
    }

    #[test]
    fn a_query_is_typed_by_its_parameters() {
        let (query, found) = check_query::<HistoryQuery>("limit=10&topic=rust%20lang&total=true");
        assert_eq!(found, []);
        assert_eq!(query, json!({"limit": 10, "topic": "rust lang", "total": true}));
        let (_, found) = check_query::<HistoryQuery>("limit=many&status=done&page=2&limit=3");
        assert_eq!(
            pointers(&found),
            [("/limit", "duplicate"), ("/page", "unknown_field"), ("/status", "enum")]
        );
    }

    #[test]
    fn a_template_schema_points_into_input_and_a_bad_one_is_reported() {
        let schema = json!({"type": "object", "required": ["url"], "properties": {
            "n": {"type": "integer", "maximum": 3}}});
        let found = check_published("a", &schema, &json!({"n": 4}), "/input").unwrap();
        assert_eq!(pointers(&found), [("/input/n", "maximum"), ("/input/url", "required")]);
        assert_eq!(check_published("a", &schema, &json!({"url": 1}), "/input").unwrap(), []);
        let bad = json!({"type": "nonsense"});
        assert!(check_published("b", &bad, &json!({}), "/input").is_err());
    }
}
