//! Steps that follow each other although nothing that the second reads comes from the first.
//!
//! What a step reads is found in the words of its mappings, its condition and its settings. Where
//! that cannot be told (it reads the whole of `data`, or the first step's output has no mapping),
//! it counts as needed.

use std::collections::BTreeSet;

use api_types::insights::{Recommendation, RecommendationKind};
use engine::plan::definition::{StepDefinition, StepKind, TemplateDefinition};
use serde_json::{Value, json};

use super::{About, CASES_MIN, Saving, evidence, recommendation};
use crate::insights::material::Material;

/// A step that takes less than this is not worth a change.
const MEAN_MS_MIN: f64 = 20.0;

pub fn found(material: &Material) -> Vec<Recommendation> {
    let templates = material.definitions.iter();
    templates
        .flat_map(|(name, definition)| {
            let pairs = pairs(definition).into_iter();
            pairs.filter_map(move |(first, second)| tell(material, name, definition, first, second))
        })
        .collect()
}

/// Steps of which the second waits for the first and does not need it.
fn pairs(definition: &TemplateDefinition) -> Vec<(&StepDefinition, &StepDefinition)> {
    let mut found = Vec::new();
    for (at, second) in definition.steps.iter().enumerate() {
        let named = second.depends_on.iter().filter_map(|name| named(definition, name));
        let before = at.checked_sub(1).map(|at| &definition.steps[at]);
        let in_line = before.filter(|_| !definition.allow_parallel);
        for first in named.chain(in_line) {
            let known = found.iter().any(|(a, b)| (*a, *b) == (first, second));
            if !known && both_work(first, second) && !needs(second, first) {
                found.push((first, second));
            }
        }
    }
    found
}

fn named<'a>(definition: &'a TemplateDefinition, name: &Value) -> Option<&'a StepDefinition> {
    definition.steps.iter().find(|step| match name {
        Value::String(name) => step.name == *name,
        order => order.as_i64() == Some(step.order),
    })
}

fn both_work(first: &StepDefinition, second: &StepDefinition) -> bool {
    let works = |step: &StepDefinition| matches!(step.kind, StepKind::Worker | StepKind::Map);
    works(first) && works(second)
}

/// Whether `second` reads anything that `first` gives, as far as can be told.
fn needs(second: &StepDefinition, first: &StepDefinition) -> bool {
    let (Some(Value::Object(given)), Some(input)) = (&first.output_mapping, &second.input_mapping)
    else {
        return true;
    };
    let mut read = Words::default();
    read.value(input);
    second.condition.iter().chain(&second.config).for_each(|value| read.value(value));
    let given = given.keys().chain(std::iter::once(&first.name));
    read.everything || given.into_iter().any(|name| read.names.contains(name.as_str()))
}

/// The names in some expressions, and whether one of them takes everything.
#[derive(Default)]
struct Words {
    names: BTreeSet<String>,
    everything: bool,
}

impl Words {
    fn value(&mut self, value: &Value) {
        match value {
            Value::String(text) => self.text(text),
            Value::Array(items) => items.iter().for_each(|item| self.value(item)),
            Value::Object(fields) => fields.iter().for_each(|(name, value)| {
                // The object form of a condition: `{"articles_available": "> 0"}`.
                let counted = name.strip_suffix("_available");
                self.names.extend(counted.map(str::to_owned));
                self.value(value);
            }),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    fn text(&mut self, text: &str) {
        let is_word = |c: char| c.is_alphanumeric() || c == '_';
        let mut rest = text;
        while let Some(from) = rest.find(|c| is_word(c) || c == '$') {
            let word: &str = match rest[from..].strip_prefix('$') {
                Some(_) => "$",
                None => rest[from..].split(|c| !is_word(c)).next().unwrap_or_default(),
            };
            rest = &rest[from + word.len()..];
            let field = rest.strip_prefix('.').and_then(|rest| rest.chars().next());
            let takes_field = field.is_some_and(is_word);
            self.everything |= matches!(word, "$" | "data" | "steps") && !takes_field;
            self.names.insert(word.to_owned());
        }
    }
}

fn tell(
    material: &Material,
    template: &str,
    definition: &TemplateDefinition,
    first: &StepDefinition,
    second: &StepDefinition,
) -> Option<Recommendation> {
    let (times_first, mean_first) = material.mean_ms(template, &first.name)?;
    let (times_second, mean_second) = material.mean_ms(template, &second.name)?;
    let (times, saved_ms) = (times_first.min(times_second), mean_first.min(mean_second));
    if times < CASES_MIN || saved_ms < MEAN_MS_MIN {
        return None;
    }
    let how = match definition.allow_parallel {
        true => {
            format!("give `{}` the dependencies of `{}` instead of it", second.name, first.name)
        }
        false => "set allow_parallel, and name the dependencies of the other steps".to_owned(),
    };
    let detail = format!(
        "`{}` waits for `{}` and reads nothing that it gives: {how}. They take {mean_first:.0} ms \
         and {mean_second:.0} ms on average. What they do outside of their outputs is not known \
         here.",
        second.name, first.name,
    );
    let rows = [(first, mean_first, times_first), (second, mean_second, times_second)];
    let rows = rows.map(|(step, mean, times)| {
        let values = [
            ("depends_on", json!(step.depends_on)),
            ("input_mapping", json!(step.input_mapping)),
            ("output_mapping", json!(step.output_mapping)),
            ("mean_ms", mean.round().into()),
            ("times", times.into()),
        ];
        evidence("template_revisions", format!("{template}/{}", step.name), &values)
    });
    Some(recommendation(
        RecommendationKind::RunInParallel,
        About { template: Some(template), step: Some(&second.name), worker: None },
        [
            format!("Do `{}` and `{}` of `{template}` at the same time", first.name, second.name),
            detail,
        ],
        Saving {
            micro_usd: 0,
            ms: (saved_ms * times as f64) as i64,
            basis: "the shorter of the two means × how often both were done",
        },
        rows.to_vec(),
    ))
}

#[cfg(test)]
mod tests {
    use super::super::scene;
    use super::*;

    fn scene(first: &Value, second: &Value) -> Material {
        let mut steps = json!([
            { "name": "a", "order": 1, "worker": "w1", "input_mapping": { "q": "$.topic" } },
            {
                "name": "b", "order": 2, "worker": "w2", "depends_on": ["a"],
                "input_mapping": { "q": "=data.topic" }
            },
        ]);
        for (at, changes) in [first, second].into_iter().enumerate() {
            let fields = changes.as_object().unwrap().clone();
            steps[at].as_object_mut().unwrap().extend(fields);
        }
        let mut material = scene::template(&steps);
        material.figures =
            vec![scene::figures("a", "w1", 10, 300), scene::figures("b", "w2", 8, 100)];
        material
    }

    fn gives() -> Value {
        json!({ "output_mapping": { "sources": "$.sources" } })
    }

    #[test]
    fn steps_that_need_nothing_of_each_other_can_be_done_together() {
        let found = found(&scene(&gives(), &json!({})));
        let [one] = &found[..] else { panic!("{found:?}") };
        assert_eq!(one.title, "Do `a` and `b` of `t` at the same time");
        assert_eq!(one.estimated_saving.duration_ms, 800);
        assert_eq!(one.evidence[1].key, "t/b");
        let mut in_line = scene(&gives(), &json!({ "depends_on": [] }));
        assert_eq!(super::found(&in_line), [], "they are done together already");
        in_line.definitions.get_mut("t").unwrap().allow_parallel = false;
        assert_eq!(super::found(&in_line).len(), 1);
    }

    #[test]
    fn steps_that_may_need_something_wait() {
        for second in [
            json!({ "input_mapping": { "q": "$.sources[*].url" } }),
            json!({ "input_mapping": { "q": "=size(data.sources)" } }),
            json!({ "input_mapping": { "q": "=steps.a.status" } }),
            json!({ "input_mapping": { "q": "=data" } }),
            json!({ "input_mapping": "$" }),
            json!({ "input_mapping": { "q": "$['topic']" } }),
            json!({ "condition": { "sources_available": "> 0" } }),
            json!({ "condition": "has(data.sources)" }),
            json!({ "input_mapping": null }),
        ] {
            assert_eq!(found(&scene(&gives(), &second)), [], "{second}");
        }
        assert_eq!(found(&scene(&json!({}), &json!({}))), [], "all of the output is given");
        let mut quick = scene(&gives(), &json!({}));
        quick.figures[0] = scene::figures("a", "w1", 10, 5);
        assert_eq!(found(&quick), [], "there is nothing to gain");
    }
}
