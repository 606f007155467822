//! Examples of replies, as a running orchestrator gave them, cut short: examples.json has one for
//! each form of a reply. They must fit the schemas that they stand beside.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use utoipa::openapi::schema::{ArrayItems, Schema};
use utoipa::openapi::{OpenApi, RefOr};

const EXAMPLES: &str = include_str!("examples.json");

/// The document with the example of its form beside each reply that has none.
pub fn added(mut document: OpenApi) -> OpenApi {
    let known: BTreeMap<String, Value> =
        serde_json::from_str(EXAMPLES).expect("the file of examples is JSON: a test reads it");
    for item in document.paths.paths.values_mut() {
        let methods =
            [&mut item.get, &mut item.post, &mut item.put, &mut item.patch, &mut item.delete];
        let operations = methods.into_iter().flatten();
        for reply in operations.flat_map(|operation| operation.responses.responses.values_mut()) {
            let RefOr::T(reply) = reply else { continue };
            for content in reply.content.values_mut() {
                let RefOr::T(content) = content else { continue };
                let of_form = content.schema.as_ref().and_then(|form| of(form, &known));
                content.example = content.example.take().or(of_form);
            }
        }
    }
    document
}

fn of(form: &RefOr<Schema>, known: &BTreeMap<String, Value>) -> Option<Value> {
    match form {
        RefOr::Ref(named) => known.get(named.ref_location.rsplit('/').next()?).cloned(),
        RefOr::T(Schema::Array(list)) => match &list.items {
            ArrayItems::RefOrSchema(item) => Some(json!([of(item, known)?])),
            ArrayItems::False => None,
        },
        RefOr::T(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::router;

    /// The form that a schema names, of the reply itself or of its elements.
    fn form(schema: &Value) -> Option<&str> {
        let named = schema["$ref"].as_str().or_else(|| schema["items"]["$ref"].as_str());
        named.and_then(|name| name.rsplit('/').next())
    }

    #[test]
    fn replies_have_examples_that_fit_their_forms() {
        let document = json!(router::document());
        let components = &document["components"];
        let known: BTreeMap<String, Value> = serde_json::from_str(EXAMPLES).unwrap();
        let (mut used, mut with) = (BTreeSet::new(), 0);
        for (path, item) in document["paths"].as_object().unwrap() {
            for (method, operation) in item.as_object().unwrap() {
                let replies = operation["responses"].as_object().into_iter().flatten();
                for (_, reply) in replies.filter(|(status, _)| status.starts_with('2')) {
                    let Some(content) = reply["content"].get("application/json") else { continue };
                    let Some(form) = form(&content["schema"]) else { continue };
                    used.insert(form.to_owned());
                    if content["example"].is_null() {
                        continue;
                    }
                    with += 1;
                    let mut whole = content["schema"].clone();
                    whole["components"] = components.clone();
                    let validator = jsonschema::validator_for(&whole).unwrap();
                    let error = validator.iter_errors(&content["example"]).next();
                    let error = error.map(|error| format!("{error} at {}", error.instance_path()));
                    assert_eq!(error, None, "{method} {path}");
                }
            }
        }
        assert!(with >= 110, "only {with} replies have an example");
        let unused: Vec<&String> = known.keys().filter(|name| !used.contains(*name)).collect();
        assert_eq!(unused, Vec::<&String>::new(), "examples of no reply");
    }
}
