//! From rows to the document that the engine compiles. Rows may hold what no document can: each
//! such field is reported, with a pointer into the document, and left at its default.

use std::collections::{BTreeMap, BTreeSet};

use engine::money::MicroUsd;
use engine::plan::Violation;
use engine::plan::definition::{
    FailureTolerance, StepDefinition, StepKind, TemplateDefinition, WorkerDefinition,
};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::templates::{Step, Template};
use super::tool_calls::CallableTool;
use super::workers::Worker;

/// The rows of a template, of all that it reaches, and of the workers and tools that their steps
/// name.
#[derive(Debug, Default)]
pub(super) struct Gathered {
    /// The templates, in any order.
    pub(super) templates: Vec<Template>,
    /// The steps of each, in order.
    pub(super) steps: BTreeMap<String, Vec<Step>>,
    /// The workers.
    pub(super) workers: Vec<Worker>,
    /// The tools, by what steps call them.
    pub(super) tools: BTreeMap<String, CallableTool>,
}

/// The document of the template `outermost`, which is among the rows. What is reported is what
/// cannot be read; whether the document makes a plan is the engine's to say.
pub(super) fn assemble(rows: Gathered, outermost: &str) -> (TemplateDefinition, Vec<Violation>) {
    let Gathered { mut templates, mut steps, workers, tools } = rows;
    templates.sort_by(|a, b| (a.name != outermost, &a.name).cmp(&(b.name != outermost, &b.name)));
    let workers: BTreeMap<String, Worker> =
        workers.into_iter().map(|worker| (worker.worker_name.clone(), worker)).collect();
    let mut reader = Reader::default();
    let mut entries: BTreeMap<String, TemplateDefinition> = BTreeMap::new();
    for template in templates {
        let is_nested = template.name != outermost;
        reader.prefix = match is_nested {
            true => format!("/templates/{}", escape(&template.name)),
            false => String::new(),
        };
        if is_nested && !template.is_active {
            let message = format!("the template `{}` is not active", template.name);
            reader.violation("/is_active", "pipeline.inactive_template", message);
        }
        let steps = steps.remove(&template.name).unwrap_or_default();
        entries.insert(template.name.clone(), reader.template(template, steps, (&workers, &tools)));
    }
    let reaches_itself =
        entries.values().any(|entry| entry.named_templates().any(|name| name == outermost));
    let own =
        if reaches_itself { entries.get(outermost).cloned() } else { entries.remove(outermost) };
    let own = own.unwrap_or_default();
    (TemplateDefinition { templates: entries, ..own }, reader.violations)
}

/// Reads rows; what it finds wrong has its pointer behind `prefix`.
#[derive(Default)]
struct Reader {
    prefix: String,
    /// Workers that were met: one is reported once, however many templates name it.
    met: BTreeSet<String>,
    violations: Vec<Violation>,
}

impl Reader {
    fn template(
        &mut self,
        row: Template,
        steps: Vec<Step>,
        (workers, tools): (&BTreeMap<String, Worker>, &BTreeMap<String, CallableTool>),
    ) -> TemplateDefinition {
        let tolerance = Value::String(row.failure_tolerance);
        let mut definition = TemplateDefinition {
            name: row.name,
            failure_tolerance: self
                .read::<FailureTolerance>("/failure_tolerance", Some(tolerance))
                .unwrap_or_default(),
            allow_parallel: row.allow_parallel,
            input_schema: row.input_schema,
            output_mapping: row.output_mapping,
            deadline_ms: row.deadline_ms,
            cache_ttl_s: row.cache_ttl_seconds,
            steps: steps.into_iter().enumerate().map(|(at, step)| self.step(at, step)).collect(),
            ..TemplateDefinition::default()
        };
        let named = definition.named_workers().into_iter().filter_map(|name| workers.get(name));
        definition.workers =
            named.map(|row| (row.worker_name.clone(), self.worker(row.clone()))).collect();
        let named = definition.named_tools().into_iter();
        let named = named.filter_map(|name| Some((name.to_owned(), tools.get(name)?.clone())));
        definition.tools = named.map(|(name, tool)| (name, tool.definition())).collect();
        definition
    }

    fn report(&mut self, pointer: String, message: String) {
        self.violation(&pointer, "template.malformed_field", message);
    }

    fn violation(&mut self, pointer: &str, code: &str, message: String) {
        let pointer = format!("{}{pointer}", self.prefix);
        self.violations.push(Violation { pointer, code: code.to_owned(), message });
    }

    /// A field from the JSON of its column.
    fn read<T: DeserializeOwned>(&mut self, pointer: &str, json: Option<Value>) -> Option<T> {
        let json = json.filter(|json| !json.is_null())?;
        match serde_path_to_error::deserialize(json) {
            Ok(value) => Some(value),
            Err(error) => {
                let within = error.path().iter().map(segment).collect::<String>();
                self.report(format!("{pointer}{within}"), error.into_inner().to_string());
                None
            }
        }
    }

    fn step(&mut self, at: usize, row: Step) -> StepDefinition {
        let base = format!("/steps/{at}");
        let kind = Value::String(row.kind);
        StepDefinition {
            name: row.step_name,
            order: row.step_order,
            kind: self.read::<StepKind>(&format!("{base}/kind"), Some(kind)).unwrap_or_default(),
            worker: row.worker_name,
            endpoint: row.endpoint,
            depends_on: self
                .read(&format!("{base}/depends_on"), row.depends_on_steps)
                .unwrap_or_default(),
            condition: row.condition.and_then(condition),
            input_mapping: row.input_mapping,
            output_mapping: row.output_mapping,
            optional: row.is_optional,
            timeout_ms: row.timeout_ms,
            retry: self.read(&format!("{base}/retry"), row.retry_policy),
            fallback_worker: row.fallback_worker,
            config: row.config,
        }
    }

    fn worker(&mut self, row: Worker) -> WorkerDefinition {
        let is_new = self.met.insert(row.worker_name.clone());
        let reported = self.violations.len();
        let worker = self.read_worker(row);
        if !is_new {
            self.violations.truncate(reported);
        }
        worker
    }

    fn read_worker(&mut self, row: Worker) -> WorkerDefinition {
        let base = format!("/workers/{}", escape(&row.worker_name));
        let estimated_cost = row.estimated_cost_usd.and_then(|usd| {
            let amount = MicroUsd::from_usd(usd);
            if amount.is_none() {
                let message = format!("{usd} is no amount of dollars");
                self.report(format!("{base}/estimated_cost"), message);
            }
            amount
        });
        let is_empty = |json: &Value| json.as_object().is_some_and(serde_json::Map::is_empty);
        WorkerDefinition {
            service_binding: row.service_binding.filter(|name| !name.is_empty()),
            base_url: row.base_url.filter(|url| !url.is_empty()),
            endpoints: self
                .read(&format!("{base}/endpoints"), Some(row.endpoints))
                .unwrap_or_default(),
            version: row.version,
            estimated_cost,
            avg_response_time_ms: row.avg_response_time_ms,
            timeout_ms: row.timeout_ms,
            max_retries: row.max_retries,
            active: row.is_active,
            max_concurrency: row.max_concurrency,
            max_per_minute: row.max_per_minute,
            breaker: row.breaker,
            quality_score: row.quality_score,
            default_config: Some(row.default_config).filter(|json| !is_empty(json)),
        }
    }
}

/// A condition column holds the object form as JSON, or CEL as it is. CEL such as `true` may be
/// JSON by chance: only an object is taken as JSON, and a string for those who quoted their CEL.
pub(crate) fn condition(text: String) -> Option<Value> {
    match serde_json::from_str(&text) {
        Ok(Value::Object(form)) => Some(Value::Object(form)),
        Ok(Value::String(cel)) => Some(Value::String(cel)),
        Ok(Value::Null) => None,
        Ok(Value::Bool(_) | Value::Number(_) | Value::Array(_)) | Err(_) => {
            Some(Value::String(text)).filter(|text| text.as_str() != Some(""))
        }
    }
}

fn segment(segment: &serde_path_to_error::Segment) -> String {
    use serde_path_to_error::Segment;
    match segment {
        Segment::Seq { index } => format!("/{index}"),
        Segment::Map { key } => format!("/{}", escape(key)),
        Segment::Enum { variant } => format!("/{}", escape(variant)),
        Segment::Unknown => String::new(),
    }
}

/// A name as a part of a JSON pointer (RFC 6901).
fn escape(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn template() -> Template {
        serde_json::from_value(json!({
            "name": "t", "display_name": "", "description": "", "category": "", "is_active": 1,
            "is_default": 0, "allow_parallel": 0, "failure_tolerance": "partial",
            "input_schema": null, "output_mapping": null, "deadline_ms": 5, "cache_ttl_seconds": 0,
            "estimated_cost_usd": null, "estimated_time_ms": null, "created_at": "",
            "updated_at": "",
        }))
        .unwrap()
    }

    fn step(change: Value) -> Step {
        let mut row = json!({
            "step_order": 1, "step_name": "s", "kind": "worker", "worker_name": "w",
            "endpoint": null, "depends_on_steps": "[]", "condition": null, "input_mapping": null,
            "output_mapping": null, "is_optional": 0, "timeout_ms": null, "retry_policy": null,
            "fallback_worker": null, "config": null,
        });
        row.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        serde_json::from_value(row).unwrap()
    }

    fn worker(change: Value) -> Worker {
        let mut row = json!({
            "worker_name": "w", "display_name": "", "description": "", "version": "1.0.0",
            "service_binding": "W", "base_url": null, "endpoints": "[\"/do\"]",
            "input_format": "{}", "output_format": "{}", "dependencies": "[]",
            "estimated_cost_usd": 0.02, "avg_response_time_ms": null, "timeout_ms": 1000,
            "max_retries": null, "max_concurrency": null, "max_per_minute": 90,
            "breaker": "{\"failures\": 3}", "quality_score": 0.5, "is_active": 1,
            "health_check_endpoint": "/health", "last_health_check": null,
            "health_status": "unknown", "default_config": "{}",
        });
        row.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        serde_json::from_value(row).unwrap()
    }

    fn one(steps: Vec<Step>, workers: Vec<Worker>) -> (TemplateDefinition, Vec<Violation>) {
        let steps = BTreeMap::from([("t".to_owned(), steps)]);
        assemble(
            Gathered { templates: vec![template()], steps, workers, ..Gathered::default() },
            "t",
        )
    }

    #[test]
    fn rows_become_a_document() {
        let steps = vec![step(json!({
            "depends_on_steps": "[\"a\",2]", "retry_policy": "{\"max_retries\":1,\"factor\":1.5}",
        }))];
        let (definition, violations) = one(steps, vec![worker(json!({}))]);
        assert_eq!(violations, []);
        assert_eq!(definition.failure_tolerance, FailureTolerance::Partial);
        assert_eq!(definition.deadline_ms, Some(5));
        assert_eq!(definition.steps[0].depends_on, [json!("a"), json!(2)]);
        assert_eq!(definition.steps[0].retry.as_ref().unwrap().max_retries, Some(1));
        let worker = &definition.workers["w"];
        assert_eq!(worker.estimated_cost, Some(MicroUsd::from_micros(20_000)));
        assert_eq!(worker.default_config, None, "an empty default is none");
        assert_eq!(worker.endpoints, ["/do"]);
        assert_eq!((worker.max_per_minute, worker.quality_score), (Some(90), Some(0.5)));
        assert_eq!(worker.breaker, Some(json!({"failures": 3})));
    }

    #[test]
    fn what_is_reached_comes_along_with_its_own_workers() {
        let named = |name: &str, is_active: u8| Template {
            name: name.to_owned(),
            is_active: is_active == 1,
            ..template()
        };
        let reaches = |of: &str| {
            let config = json!({"template": of}).to_string();
            step(json!({"kind": "pipeline", "worker_name": null, "config": config}))
        };
        let stand_in = r#"{"alternatives": ["v"], "compensate": {"worker": "u"}}"#;
        let odd = step(json!({"config": stand_in, "retry_policy": "{\"x\":1}"}));
        let gathered = || Gathered {
            templates: vec![named("b", 0), named("t", 1)],
            steps: BTreeMap::from([
                ("t".to_owned(), vec![reaches("b")]),
                ("b".to_owned(), vec![odd.clone(), reaches("gone")]),
            ]),
            workers: ["u", "v", "w"]
                .map(|name| worker(json!({"worker_name": name, "endpoints": "[1]"})))
                .to_vec(),
            ..Gathered::default()
        };
        let (definition, violations) = assemble(gathered(), "t");
        assert!(definition.workers.is_empty());
        let names: Vec<&str> =
            definition.templates["b"].workers.keys().map(String::as_str).collect();
        assert_eq!((definition.templates.len(), names), (1, vec!["u", "v", "w"]));
        let told: Vec<&str> = violations.iter().map(|found| found.pointer.as_str()).collect();
        let expected = [
            "/templates/b/is_active",
            "/templates/b/steps/0/retry/x",
            "/templates/b/workers/u/endpoints/0",
            "/templates/b/workers/v/endpoints/0",
            "/templates/b/workers/w/endpoints/0",
        ];
        assert_eq!(told, expected);
        let mut entangled = gathered();
        entangled.steps.insert("b".to_owned(), vec![odd.clone(), reaches("t")]);
        entangled.steps.insert("t".to_owned(), vec![step(json!({})), reaches("b")]);
        let (definition, violations) = assemble(entangled, "t");
        assert_eq!(definition.child("t").unwrap(), definition, "it reaches itself");
        let of_w = violations.iter().filter(|found| found.pointer.contains("/workers/w/"));
        assert_eq!(of_w.count(), 1, "a worker is reported once");
    }

    #[test]
    fn every_field_that_cannot_be_read_is_reported() {
        let steps = vec![
            step(json!({"depends_on_steps": "{\"a\":1}", "kind": "agent", "worker_name": "a/b"})),
            step(json!({"retry_policy": "{\"max_retires\":1}"})),
            step(json!({"retry_policy": "{\"retry_on\":[500,\"x\"]}"})),
        ];
        let odd = json!({
            "worker_name": "a/b", "endpoints": "[1]", "estimated_cost_usd": 1e12,
        });
        let (_, violations) = one(steps, vec![worker(odd)]);
        let pointers: Vec<&str> = violations.iter().map(|found| found.pointer.as_str()).collect();
        assert_eq!(
            pointers,
            [
                "/steps/0/kind",
                "/steps/0/depends_on",
                "/steps/1/retry/max_retires",
                "/steps/2/retry/retry_on/1",
                "/workers/a~1b/estimated_cost",
                "/workers/a~1b/endpoints/0",
            ]
        );
    }

    #[test]
    fn a_condition_is_cel_unless_it_is_a_json_object() {
        let read = |text: &str| condition(text.to_owned());
        assert_eq!(read("size(data.x) > 0"), Some(json!("size(data.x) > 0")));
        assert_eq!(read("true"), Some(json!("true")));
        assert_eq!(read("[1] == data.x"), Some(json!("[1] == data.x")));
        assert_eq!(read("\"size(data.x) > 0\""), Some(json!("size(data.x) > 0")));
        assert_eq!(read("{\"x_available\": \"> 0\"}"), Some(json!({"x_available": "> 0"})));
        assert_eq!(read("null"), None);
        assert_eq!(read(""), None);
    }
}
