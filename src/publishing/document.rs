//! A template as one document, and as the rows that it stands for. Pure.
//!
//! Both ways keep everything: the rows of a document give the document again, and the definition
//! that a start makes of them is the one that was checked.

use api_types::admin::{StepDocument, TemplateDocument};
use engine::plan::Violation;
use engine::plan::definition::{StepDefinition, TemplateDefinition};
use serde_json::{Value, json};

use crate::db::condition;
use crate::db::templates::{Step, Template, TemplateDetail};

const CATEGORY_DEFAULT: &str = "general";
const TOLERANCE_DEFAULT: &str = "strict";
const KIND_DEFAULT: &str = "worker";
/// The most levels of a document: a definition lies within others, and all must be read again.
const LEVELS_MAX: usize = 100;
/// The greatest whole number that the database keeps exactly.
const WHOLE_MAX: u128 = (1 << 53) - 1;
/// How often a number is written and read until it stays what it is.
const SETTLE_ROUNDS_MAX: usize = 8;

/// The rows of a document.
#[derive(Clone, Debug, PartialEq)]
pub struct Rows {
    /// The rows, steps in order.
    pub detail: TemplateDetail,
    /// For each of these steps its place in the document.
    pub places: Vec<usize>,
}

impl Rows {
    /// The rows of a template as they are, which are its document's in order.
    pub fn of(detail: TemplateDetail) -> Self {
        let places = (0..detail.steps.len()).collect();
        Self { detail, places }
    }
}

/// The document of a template's rows.
pub fn of_rows(detail: &TemplateDetail) -> TemplateDocument {
    let TemplateDetail { template, steps } = detail;
    let row = template.clone();
    TemplateDocument {
        name: Some(row.name),
        display_name: Some(row.display_name),
        description: Some(row.description),
        category: Some(row.category),
        is_active: Some(row.is_active),
        is_default: Some(row.is_default),
        allow_parallel: Some(row.allow_parallel),
        failure_tolerance: Some(row.failure_tolerance),
        input_schema: there(row.input_schema),
        output_mapping: there(row.output_mapping),
        deadline_ms: row.deadline_ms,
        cache_ttl_seconds: row.cache_ttl_seconds,
        estimated_cost_usd: row.estimated_cost_usd,
        estimated_time_ms: row.estimated_time_ms,
        steps: steps.iter().cloned().map(step_of_row).collect(),
    }
}

fn step_of_row(row: Step) -> StepDocument {
    StepDocument {
        step_order: row.step_order,
        step_name: row.step_name,
        kind: Some(row.kind),
        worker_name: row.worker_name,
        endpoint: row.endpoint,
        depends_on_steps: match row.depends_on_steps {
            Some(Value::Array(steps)) => Some(steps),
            Some(_) | None => Some(Vec::new()),
        },
        condition: row.condition.and_then(condition),
        input_mapping: there(row.input_mapping),
        output_mapping: there(row.output_mapping),
        is_optional: Some(row.is_optional),
        timeout_ms: row.timeout_ms,
        retry_policy: there(row.retry_policy),
        fallback_worker: row.fallback_worker,
        config: there(row.config),
    }
}

/// The document of a definition: what a revision holds of the template itself.
pub fn of_definition(definition: &TemplateDefinition) -> TemplateDocument {
    let word = |value: Value| value.as_str().map(str::to_owned);
    TemplateDocument {
        name: Some(definition.name.clone()),
        allow_parallel: Some(definition.allow_parallel),
        failure_tolerance: word(json!(definition.failure_tolerance)),
        input_schema: there(definition.input_schema.clone()),
        output_mapping: there(definition.output_mapping.clone()),
        deadline_ms: definition.deadline_ms,
        cache_ttl_seconds: definition.cache_ttl_s,
        steps: definition.steps.iter().map(step_of_definition).collect(),
        ..TemplateDocument::default()
    }
}

fn step_of_definition(step: &StepDefinition) -> StepDocument {
    StepDocument {
        step_order: step.order,
        step_name: step.name.clone(),
        kind: Some(step.kind.as_str().to_owned()),
        worker_name: step.worker.clone(),
        endpoint: step.endpoint.clone(),
        depends_on_steps: Some(step.depends_on.clone()),
        condition: there(step.condition.clone()),
        input_mapping: there(step.input_mapping.clone()),
        output_mapping: there(step.output_mapping.clone()),
        is_optional: Some(step.optional),
        timeout_ms: step.timeout_ms,
        retry_policy: step.retry.as_ref().map(|retry| json!(retry)),
        fallback_worker: step.fallback_worker.clone(),
        config: there(step.config.clone()),
    }
}

/// The rows of a document under this name. What it leaves out has the column's default.
pub fn rows(document: &TemplateDocument, name: &str) -> Rows {
    let given = document.clone();
    let template = Template {
        name: name.to_owned(),
        display_name: given.display_name.unwrap_or_default(),
        description: given.description.unwrap_or_default(),
        category: given.category.unwrap_or_else(|| CATEGORY_DEFAULT.to_owned()),
        is_active: given.is_active.unwrap_or(true),
        is_default: given.is_default.unwrap_or(false),
        allow_parallel: given.allow_parallel.unwrap_or(true),
        failure_tolerance: given.failure_tolerance.unwrap_or_else(|| TOLERANCE_DEFAULT.to_owned()),
        input_schema: settled(given.input_schema),
        output_mapping: settled(given.output_mapping),
        deadline_ms: given.deadline_ms,
        cache_ttl_seconds: given.cache_ttl_seconds,
        estimated_cost_usd: given.estimated_cost_usd,
        estimated_time_ms: given.estimated_time_ms,
        created_at: String::new(),
        updated_at: String::new(),
    };
    let mut placed: Vec<(usize, StepDocument)> = given.steps.into_iter().enumerate().collect();
    // As a start reads them: by their order, and where that is equal as they were written.
    placed.sort_by_key(|(place, step)| (step.step_order, *place));
    let (places, steps): (Vec<usize>, Vec<Step>) =
        placed.into_iter().map(|(place, step)| (place, step_row(step))).unzip();
    Rows { detail: TemplateDetail { template, steps }, places }
}

fn step_row(step: StepDocument) -> Step {
    Step {
        step_order: step.step_order,
        step_name: step.step_name,
        kind: step.kind.unwrap_or_else(|| KIND_DEFAULT.to_owned()),
        worker_name: step.worker_name,
        endpoint: step.endpoint,
        depends_on_steps: settled(Some(Value::Array(step.depends_on_steps.unwrap_or_default()))),
        condition: step.condition.and_then(condition_text),
        input_mapping: settled(step.input_mapping),
        output_mapping: settled(step.output_mapping),
        is_optional: step.is_optional.unwrap_or(false),
        timeout_ms: step.timeout_ms,
        retry_policy: settled(step.retry_policy),
        fallback_worker: step.fallback_worker,
        config: settled(step.config),
    }
}

/// The column of a condition: CEL as it is, unless it would be read as something else; the object
/// form as JSON.
fn condition_text(value: Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(cel) => {
            let plain = condition(cel.clone()) == Some(Value::String(cel.clone()));
            Some(if plain { cel } else { Value::String(cel).to_string() })
        }
        other => Some(other.to_string()),
    }
}

/// What no schema says of a document and no plan is made of.
pub fn violations(document: &TemplateDocument) -> Vec<Violation> {
    let mut found = Vec::new();
    let mut report = |pointer: String, code: &str, message: &str| {
        found.push(Violation { pointer, code: code.to_owned(), message: message.to_owned() });
    };
    for (at, step) in document.steps.iter().enumerate() {
        match &step.condition {
            None | Some(Value::Null | Value::Object(_)) => {}
            Some(Value::String(cel)) if !cel.contains('\0') => {}
            Some(Value::String(_)) => {
                report(format!("/steps/{at}/condition"), "pattern", "has a NUL character");
            }
            Some(Value::Bool(_) | Value::Number(_) | Value::Array(_)) => {
                let message = "is CEL as a text, or {\"<name>_available\": \"> 0\"}";
                report(format!("/steps/{at}/condition"), "type", message);
            }
        }
    }
    for (pointer, number) in numbers(document) {
        if number.unsigned_abs() > WHOLE_MAX {
            let message = format!("is {number}; the greatest number that is kept is {WHOLE_MAX}");
            report(pointer, "maximum", &message);
        }
    }
    let document = serde_json::to_value(document).expect("a document has text keys");
    if levels(&document) > LEVELS_MAX {
        let message = format!("is nested deeper than {LEVELS_MAX} levels");
        report(String::new(), "template.too_deep", &message);
    }
    found
}

/// The whole numbers of a document, with their places. The database keeps them as doubles.
fn numbers(document: &TemplateDocument) -> Vec<(String, i128)> {
    let mut found = Vec::new();
    let mut add = |pointer: String, number: Option<i128>| {
        found.extend(number.map(|number| (pointer, number)));
    };
    add("/deadline_ms".to_owned(), document.deadline_ms.map(i128::from));
    add("/cache_ttl_seconds".to_owned(), document.cache_ttl_seconds.map(i128::from));
    add("/estimated_time_ms".to_owned(), document.estimated_time_ms.map(i128::from));
    for (at, step) in document.steps.iter().enumerate() {
        add(format!("/steps/{at}/step_order"), Some(step.step_order.into()));
        add(format!("/steps/{at}/timeout_ms"), step.timeout_ms.map(i128::from));
    }
    found
}

fn levels(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(levels).max().unwrap_or(0),
        Value::Object(fields) => 1 + fields.values().map(levels).max().unwrap_or(0),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => 0,
    }
}

/// A document without what is for people and what is no part of a revision.
pub fn content(document: &TemplateDocument) -> TemplateDocument {
    TemplateDocument {
        display_name: None,
        description: None,
        category: None,
        is_active: None,
        is_default: None,
        estimated_cost_usd: None,
        estimated_time_ms: None,
        ..document.clone()
    }
}

fn there(value: Option<Value>) -> Option<Value> {
    value.filter(|value| !value.is_null())
}

/// JSON as it comes back from a column: a number may lose its last digit when it is read, so it is
/// written and read until it stays the same.
fn settled(value: Option<Value>) -> Option<Value> {
    let mut value = there(value)?;
    for _ in 0..SETTLE_ROUNDS_MAX {
        match serde_json::from_str::<Value>(&value.to_string()) {
            Ok(read) if read != value => value = read,
            Ok(_) | Err(_) => break,
        }
    }
    Some(value)
}
