//! From what is wrong with a definition to what is wrong with the document that it was made of:
//! the fields have other names, the steps may stand in another order, and the document has no
//! workers and no templates but those that its steps name. Pure.

use std::collections::BTreeSet;

use api_types::admin::{StepDocument, TemplateDocument};
use engine::plan::Violation;
use engine::plan::definition::TemplateDefinition;
use serde_json::Value;

/// A document, the definition that was made of it, and for each of its steps the place in the
/// document.
#[derive(Clone, Copy, Debug)]
pub struct Made<'a> {
    /// The document.
    pub document: &'a TemplateDocument,
    /// What was made of it.
    pub definition: &'a TemplateDefinition,
    /// Places in the document, in the order of the definition's steps.
    pub places: &'a [usize],
}

impl Made<'_> {
    /// The violation with its pointer into the document. What a worker or another template has
    /// wrong stands where the document names it, and the message says what it is.
    pub fn in_document(&self, violation: Violation) -> Violation {
        let Violation { pointer, code, message } = violation;
        let parts: Vec<&str> = pointer.split('/').skip(1).collect();
        let (pointer, message) = match parts.as_slice() {
            ["workers", worker, rest @ ..] => {
                let name = unescaped(worker);
                let field = rest.join("/");
                (self.worker(&name), format!("worker `{name}`, {field}: {message}"))
            }
            ["tools", tool, rest @ ..] => {
                let name = unescaped(tool);
                let field = rest.join("/");
                (self.tool(&name), format!("tool `{name}`, {field}: {message}"))
            }
            ["templates", template, rest @ ..] => {
                let name = unescaped(template);
                let field = rest.join("/");
                (self.template(&name), format!("template `{name}`, /{field}: {message}"))
            }
            ["templates"] => ("/steps".to_owned(), message),
            ["cache_ttl_s", ..] => ("/cache_ttl_seconds".to_owned(), message),
            ["steps", at, rest @ ..] => (self.step(at, rest), message),
            _ => (pointer, message),
        };
        Violation { pointer, code, message }
    }

    fn step(&self, at: &str, rest: &[&str]) -> String {
        let place = at.parse().ok().and_then(|at: usize| self.places.get(at));
        let place = place.map_or_else(|| at.to_owned(), usize::to_string);
        let Some((field, within)) = rest.split_first() else { return format!("/steps/{place}") };
        let column = match *field {
            "name" => "step_name",
            "order" => "step_order",
            "worker" => "worker_name",
            "depends_on" => "depends_on_steps",
            "optional" => "is_optional",
            "retry" => "retry_policy",
            same => same,
        };
        let within: String = within.iter().map(|part| format!("/{part}")).collect();
        format!("/steps/{place}/{column}{within}")
    }

    /// Where the document names a worker first.
    pub fn worker(&self, name: &str) -> String {
        let steps = self.document.steps.iter().enumerate();
        let found = steps.filter_map(|(at, step)| {
            named_worker(step, name).map(|field| format!("/steps/{at}/{field}"))
        });
        found.into_iter().next().unwrap_or_else(|| "/steps".to_owned())
    }

    /// Where the document names a tool first.
    fn tool(&self, name: &str) -> String {
        let named = |step: &StepDocument| {
            let config = step.config.as_ref()?;
            let is = |field: &&str| config.get(*field).and_then(Value::as_str) == Some(name);
            if let Some(field) = ["tool", "fallback_tool"].iter().find(|field| is(field)) {
                return Some(format!("config/{field}"));
            }
            let alternatives = config.get("alternatives").and_then(Value::as_array);
            let place = alternatives?.iter().position(|one| one.as_str() == Some(name))?;
            Some(format!("config/alternatives/{place}"))
        };
        let steps = self.document.steps.iter().enumerate();
        let mut found =
            steps.filter_map(|(at, step)| Some(format!("/steps/{at}/{}", named(step)?)));
        found.next().unwrap_or_else(|| "/steps".to_owned())
    }

    /// Where the document names a template first, or one that reaches it.
    fn template(&self, name: &str) -> String {
        let named = |step: &StepDocument| {
            let config = step.config.as_ref().filter(|_| step.kind.as_deref() == Some("pipeline"));
            config.and_then(|config| config.get("template")?.as_str().map(str::to_owned))
        };
        let steps = || self.document.steps.iter().enumerate();
        let direct = steps().find(|(_, step)| named(step).as_deref() == Some(name));
        let reaching = || {
            steps().find(|(_, step)| named(step).is_some_and(|first| self.reaches(&first, name)))
        };
        match direct.or_else(reaching) {
            Some((at, _)) => format!("/steps/{at}/config/template"),
            None => "/steps".to_owned(),
        }
    }

    fn reaches(&self, from: &str, name: &str) -> bool {
        let mut met = BTreeSet::new();
        let mut left = vec![from.to_owned()];
        while let Some(at) = left.pop() {
            if at == name {
                return true;
            }
            if let Some(definition) = self.definition.templates.get(&at)
                && met.insert(at)
            {
                left.extend(definition.named_templates().map(str::to_owned));
            }
        }
        false
    }
}

/// The field of a step that names a worker.
fn named_worker(step: &StepDocument, name: &str) -> Option<String> {
    let config = step.config.as_ref();
    if step.worker_name.as_deref() == Some(name) {
        return Some("worker_name".to_owned());
    }
    if step.fallback_worker.as_deref() == Some(name) {
        return Some("fallback_worker".to_owned());
    }
    let alternatives = config.and_then(|config| config.get("alternatives")?.as_array());
    let place = alternatives.and_then(|all| all.iter().position(|one| one.as_str() == Some(name)));
    if let Some(place) = place {
        return Some(format!("config/alternatives/{place}"));
    }
    let undoes = config.and_then(|config| config.get("compensate")?.get("worker")?.as_str());
    (undoes == Some(name)).then(|| "config/compensate/worker".to_owned())
}

/// The document as far as it can be read: what does not fit the schema is left out of it.
pub fn readable(value: &Value, violations: &[Violation]) -> Option<TemplateDocument> {
    let mut value = value.clone();
    for violation in violations {
        let (parent, field) = violation.pointer.rsplit_once('/')?;
        match value.pointer_mut(parent) {
            Some(Value::Object(fields)) => {
                fields.remove(&unescaped(field));
            }
            Some(Value::Array(items)) => {
                if let Some(item) = field.parse().ok().and_then(|at: usize| items.get_mut(at)) {
                    *item = Value::Object(serde_json::Map::new());
                }
            }
            Some(_) | None => {}
        }
    }
    serde_json::from_value(value).ok()
}

fn unescaped(part: &str) -> String {
    part.replace("~1", "/").replace("~0", "~")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn violation(pointer: &str) -> Violation {
        Violation { pointer: pointer.to_owned(), code: "c".to_owned(), message: "m".to_owned() }
    }

    #[test]
    fn pointers_lead_into_the_document() {
        let document: TemplateDocument = serde_json::from_value(json!({ "steps": [
            { "step_order": 2, "step_name": "b", "fallback_worker": "w",
              "config": { "alternatives": ["v", "x/y"], "compensate": { "worker": "u" } } },
            { "step_order": 1, "step_name": "a", "worker_name": "w" },
            { "step_order": 3, "step_name": "c", "kind": "pipeline",
              "config": { "template": "inner" } },
        ] }))
        .unwrap();
        let definition: TemplateDefinition = serde_json::from_value(json!({
            "name": "t", "steps": [], "templates": { "inner": { "name": "inner", "steps": [
                { "name": "d", "order": 1, "kind": "pipeline", "config": { "template": "deep" } },
            ] }, "deep": { "name": "deep", "steps": [] } },
        }))
        .unwrap();
        let made = Made { document: &document, definition: &definition, places: &[1, 0, 2] };
        for (from, to) in [
            ("/name", "/name"),
            ("/steps", "/steps"),
            ("/cache_ttl_s", "/cache_ttl_seconds"),
            ("/steps/0/worker", "/steps/1/worker_name"),
            ("/steps/1/depends_on/0", "/steps/0/depends_on_steps/0"),
            ("/steps/1/retry/max_retries", "/steps/0/retry_policy/max_retries"),
            ("/steps/2/condition", "/steps/2/condition"),
            ("/steps/2/name", "/steps/2/step_name"),
            ("/workers/w/timeout_ms", "/steps/0/fallback_worker"),
            ("/workers/x~1y/timeout_ms", "/steps/0/config/alternatives/1"),
            ("/workers/u/breaker", "/steps/0/config/compensate/worker"),
            ("/workers/nobody/breaker", "/steps"),
            ("/templates/inner/steps/0/worker", "/steps/2/config/template"),
            ("/templates/deep/steps", "/steps/2/config/template"),
            ("/templates", "/steps"),
        ] {
            assert_eq!(made.in_document(violation(from)).pointer, to, "{from}");
        }
        let told = made.in_document(violation("/workers/w/timeout_ms"));
        assert_eq!(told.message, "worker `w`, timeout_ms: m");
    }

    #[test]
    fn a_document_is_read_without_what_does_not_fit() {
        let value = json!({
            "name": "t", "deadline_ms": "soon", "odd": 1,
            "steps": [7, { "step_name": "a", "timeout_ms": -1, "worker_name": "w" }],
        });
        let found = ["/deadline_ms", "/odd", "/steps/0", "/steps/1/timeout_ms"].map(violation);
        let read = readable(&value, &found).unwrap();
        assert_eq!((read.deadline_ms, read.steps.len()), (None, 2));
        assert_eq!(read.steps[1].worker_name.as_deref(), Some("w"));
        assert_eq!(readable(&json!([]), &[violation("")]), None);
        assert_eq!(readable(&value, &found[..1]), None, "what was not told is not left out");
    }
}
