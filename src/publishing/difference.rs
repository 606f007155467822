//! What differs between two definitions: attributes, and steps, workers and templates by name, each
//! field with how it was and how it became. Pure.

use std::collections::{BTreeMap, BTreeSet};

use api_types::admin::{FieldDifference, PartDifference, PartsDifference, TemplateDifference};
use engine::plan::definition::TemplateDefinition;
use serde_json::{Map, Value, json};

use super::document::of_definition;
use crate::schema::escape;

/// What differs from one definition to another.
pub fn difference(from: &TemplateDefinition, to: &TemplateDefinition) -> TemplateDifference {
    let (before, after) = (attributes(from), attributes(to));
    let mut changes = Vec::new();
    fields("", &Value::Object(before), &Value::Object(after), &mut changes);
    TemplateDifference {
        attributes: changes,
        steps: parts(&steps(from), &steps(to)),
        workers: parts(&workers(from), &workers(to)),
        templates: parts(&templates(from), &templates(to)),
    }
}

fn document(definition: &TemplateDefinition) -> Map<String, Value> {
    match serde_json::to_value(of_definition(definition)) {
        Ok(Value::Object(fields)) => fields,
        Ok(_) | Err(_) => Map::new(),
    }
}

fn attributes(definition: &TemplateDefinition) -> Map<String, Value> {
    let mut fields = document(definition);
    fields.remove("steps");
    fields
}

fn steps(definition: &TemplateDefinition) -> BTreeMap<String, Value> {
    let steps = document(definition).remove("steps");
    let steps = steps.and_then(|steps| steps.as_array().cloned()).unwrap_or_default();
    let name = |step: &Value| step["step_name"].as_str().unwrap_or_default().to_owned();
    steps.into_iter().map(|step| (name(&step), step)).collect()
}

fn workers(definition: &TemplateDefinition) -> BTreeMap<String, Value> {
    definition.workers.iter().map(|(name, worker)| (name.clone(), json!(worker))).collect()
}

/// Steps within a template that is reached go by name as well.
fn templates(definition: &TemplateDefinition) -> BTreeMap<String, Value> {
    let whole = |template: &TemplateDefinition| {
        let mut fields = attributes(template);
        fields.insert("steps".to_owned(), json!(steps(template)));
        fields.insert("workers".to_owned(), json!(workers(template)));
        Value::Object(fields)
    };
    definition.templates.iter().map(|(name, template)| (name.clone(), whole(template))).collect()
}

fn parts(from: &BTreeMap<String, Value>, to: &BTreeMap<String, Value>) -> PartsDifference {
    let only = |those: &BTreeMap<String, Value>, others: &BTreeMap<String, Value>| {
        those.keys().filter(|name| !others.contains_key(*name)).cloned().collect()
    };
    let changed = from.iter().filter_map(|(name, before)| {
        let mut changes = Vec::new();
        fields("", before, to.get(name)?, &mut changes);
        (!changes.is_empty()).then(|| PartDifference { name: name.clone(), changes })
    });
    PartsDifference { added: only(to, from), removed: only(from, to), changed: changed.collect() }
}

/// Objects are compared field by field, arrays of one length element by element; an absent field is
/// as good as `null`.
fn fields(pointer: &str, before: &Value, after: &Value, found: &mut Vec<FieldDifference>) {
    match (before, after) {
        (Value::Object(old), Value::Object(new)) => {
            let names: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
            for name in names {
                let pointer = format!("{pointer}/{}", escape(name));
                let of =
                    |fields: &Map<String, Value>| fields.get(name).cloned().unwrap_or_default();
                fields(&pointer, &of(old), &of(new), found);
            }
        }
        (Value::Array(old), Value::Array(new)) if old.len() == new.len() => {
            for (at, (old, new)) in old.iter().zip(new).enumerate() {
                fields(&format!("{pointer}/{at}"), old, new, found);
            }
        }
        _ if before == after => {}
        _ => found.push(FieldDifference {
            pointer: pointer.to_owned(),
            before: before.clone(),
            after: after.clone(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn definition(value: Value) -> TemplateDefinition {
        serde_json::from_value(value).unwrap()
    }

    fn told(changes: &[FieldDifference]) -> Vec<(&str, Value, Value)> {
        let each = changes.iter();
        each.map(|c| (c.pointer.as_str(), c.before.clone(), c.after.clone())).collect()
    }

    fn first() -> TemplateDefinition {
        definition(json!({
            "name": "t", "deadline_ms": 5, "output_mapping": { "a/b": "$.x", "kept": 1 },
            "steps": [
                { "name": "gone", "order": 1, "kind": "transform", "input_mapping": {} },
                { "name": "stays", "order": 2, "worker": "w", "depends_on": ["gone"],
                  "retry": { "max_retries": 1 }, "config": { "alternatives": ["v", "u"] } },
                { "name": "same", "order": 3, "worker": "w" },
            ],
            "workers": { "w": { "endpoints": ["/a"], "timeout_ms": 5 }, "v": {} },
            "templates": { "inner": { "name": "inner", "steps": [
                { "name": "deep", "order": 1, "worker": "w" }] } },
        }))
    }

    #[test]
    fn each_changed_field_is_told_with_before_and_after() {
        let mut second = json!(first());
        second["deadline_ms"] = Value::Null;
        second["failure_tolerance"] = json!("park");
        second["output_mapping"]["a/b"] = json!("$.y");
        second["steps"][0]["name"] = json!("come");
        second["steps"][1]["depends_on"] = json!([]);
        second["steps"][1]["retry"] = json!({ "max_retries": 2, "factor": 3.0 });
        second["steps"][1]["config"]["alternatives"][1] = json!("x");
        second["workers"]["w"]["timeout_ms"] = json!(6);
        second["workers"].as_object_mut().unwrap().remove("v");
        second["templates"]["inner"]["steps"][0]["optional"] = json!(true);
        let found = difference(&first(), &definition(second));
        assert_eq!(
            told(&found.attributes),
            [
                ("/deadline_ms", json!(5), Value::Null),
                ("/failure_tolerance", json!("strict"), json!("park")),
                ("/output_mapping/a~1b", json!("$.x"), json!("$.y")),
            ]
        );
        assert_eq!(
            (found.steps.added, found.steps.removed),
            (vec!["come".into()], vec!["gone".into()])
        );
        let [stays] = found.steps.changed.as_slice() else { panic!("only one is changed") };
        assert_eq!(stays.name, "stays");
        assert_eq!(
            told(&stays.changes),
            [
                ("/config/alternatives/1", json!("u"), json!("x")),
                ("/depends_on_steps", json!(["gone"]), json!([])),
                ("/retry_policy/factor", Value::Null, json!(3.0)),
                ("/retry_policy/max_retries", json!(1), json!(2)),
            ]
        );
        assert_eq!(found.workers.removed, ["v"]);
        assert_eq!(told(&found.workers.changed[0].changes), [("/timeout_ms", json!(5), json!(6))]);
        assert_eq!(
            told(&found.templates.changed[0].changes),
            [("/steps/deep/is_optional", json!(false), json!(true))]
        );
    }

    #[test]
    fn what_is_the_same_has_no_difference() {
        assert_eq!(difference(&first(), &first()), TemplateDifference::default());
    }

    #[test]
    fn the_way_back_is_the_same_difference_turned_round() {
        let other = definition(json!({ "name": "t", "allow_parallel": false, "steps": [
            { "name": "stays", "order": 1, "worker": "w", "condition": "true" }] }));
        let (there, back) = (difference(&first(), &other), difference(&other, &first()));
        assert_eq!(
            (&there.steps.added, &there.workers.removed),
            (&back.steps.removed, &back.workers.added)
        );
        let turned: Vec<_> = told(&back.attributes)
            .into_iter()
            .map(|(at, before, after)| (at, after, before))
            .collect();
        assert_eq!(told(&there.attributes), turned);
    }
}
