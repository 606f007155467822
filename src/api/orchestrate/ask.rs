//! From a request to what an execution starts from: everything that does not fit is found here,
//! all of it together, and what the labels mean is filled in. Nothing here waits for anything.

use api_types::{OptimizeFor, OrchestrateRequest};
use engine::execution::Terms;
use engine::money::MicroUsd;
use engine::plan::Violation;
use engine::plan::definition::TemplateDefinition;
use engine::time::{Millis, Timestamp};
use serde_json::{Value, json};

use crate::config::Config;
use crate::db::iso;
use crate::db::policy::{Policy, QualityLevel, Strategy, UrgencyLevel};
use crate::error::ApiError;
use crate::extract::JsonDocument;
use crate::nesting::{self, LEVELS_MAX};
use crate::schema;
use crate::templates::PublishedPlan;

const TOPIC_CHARS_MAX: usize = 500;
/// The annotation with which a template's `input_schema` frees its requests from having a topic.
const TOPIC_REQUIRED: &str = "x-topic-required";

/// What an execution starts from, besides its plan.
#[derive(Clone, Debug, PartialEq)]
pub struct Asked {
    /// `request` in expressions.
    pub document: Value,
    /// What the execution may do.
    pub terms: Terms,
    /// Whether a stored result of an identical request will do.
    pub use_cache: bool,
    /// Whether the client wants no more than the id.
    pub asynchronous: bool,
}

/// The name of the template that a body asks for, as far as it can be read.
pub fn template_name(body: &Value) -> Option<&str> {
    body.get("pipeline_template").and_then(Value::as_str)
}

/// What a request is looked at for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// To start an execution.
    Start,
    /// To tell what one would cost: topic and input may be missing, the template stands elsewhere.
    Plan,
}

/// The request, if body, topic and input fit; else everything that does not.
pub fn examine(
    document: JsonDocument<OrchestrateRequest>,
    published: &PublishedPlan,
    purpose: Purpose,
) -> Result<OrchestrateRequest, ApiError> {
    let mut document = document;
    let Some(body) = document.value.as_object() else { return document.typed() };
    let definition = &published.definition;
    let topic = body.get("topic").filter(|topic| !topic.is_null());
    let mut found = Vec::new();
    if let Some(Value::String(topic)) = topic {
        let chars = topic.trim().chars().count();
        if !(1..=TOPIC_CHARS_MAX).contains(&chars) {
            let message = format!("has {chars} characters; 1 to {TOPIC_CHARS_MAX} are needed");
            found.push(violation("/topic", "length", &message));
        }
    }
    let named = body.get("pipeline_template").and_then(Value::as_str);
    if purpose == Purpose::Plan && named.is_some_and(|named| named != definition.name) {
        let message = format!("names another template than the path, `{}`", definition.name);
        found.push(violation("/pipeline_template", "conflict", &message));
    }
    let input = body.get("input").filter(|input| !input.is_null());
    if input.is_some_and(|input| !nesting::fits(input)) {
        let message = format!("is nested more than {LEVELS_MAX} levels deep");
        return Err(ApiError::RequestInvalid(vec![violation("/input", "nesting", &message)]));
    }
    if purpose == Purpose::Start || input.is_some() {
        found.extend(input_violations(definition, &published.content_hash, input)?);
    }
    let needs_topic = purpose == Purpose::Start && needs_topic(definition);
    let without_topic = topic.is_none() && needs_topic;
    for violation in found {
        if !document.violations.iter().any(|known| known.pointer == violation.pointer) {
            document.violations.push(violation);
        }
    }
    if without_topic {
        let mut violations = vec![violation("/topic", "required", "is required")];
        violations.append(&mut document.violations);
        return Err(ApiError::TopicMissing { violations });
    }
    document.typed()
}

/// What the request comes to under the policy rows and in this environment.
pub fn settle(
    request: OrchestrateRequest,
    definition: &TemplateDefinition,
    policy: &Policy,
    config: &Config,
    at: Timestamp,
) -> Result<Asked, ApiError> {
    let (strategy, quality, urgency) = rows(&request, policy)?;
    let terms = terms(&request, definition, policy, config)?;
    let parallel = request.enable_parallel_processing.unwrap_or(true);
    let use_cache = request.use_cache.unwrap_or(true) && strategy.use_cache;
    let since = request.time_range.as_deref().and_then(length);
    let document = json!({
        "topic": request.topic.as_deref().map(str::trim),
        "urgency": urgency.name,
        "quality_level": quality.name,
        "optimize_for": strategy.name,
        "enable_parallel_processing": parallel,
        "source_discovery_depth": request
            .source_discovery_depth
            .unwrap_or(quality.source_discovery_depth),
        "max_articles": request.max_articles.unwrap_or(quality.max_articles),
        "min_quality": quality.min_quality,
        "time_range": request.time_range,
        "since": since.map(|length| iso(before(at, length))),
        "output_format": request.output_format.unwrap_or_default().as_str(),
        "input": request.input.unwrap_or_else(|| json!({})),
        "use_cache": use_cache,
    });
    let asynchronous = request.asynchronous == Some(true);
    Ok(Asked { document, terms, use_cache, asynchronous })
}

/// What an execution of the request may do.
pub fn terms(
    request: &OrchestrateRequest,
    definition: &TemplateDefinition,
    policy: &Policy,
    config: &Config,
) -> Result<Terms, ApiError> {
    let (strategy, quality, urgency) = rows(request, policy)?;
    let budget_default = match urgency.use_emergency_budget {
        true => config.budget_emergency,
        false => config.budget_default,
    };
    let budget = request.budget_limit.and_then(MicroUsd::from_usd).unwrap_or(budget_default);
    let parallel = request.enable_parallel_processing.unwrap_or(true);
    Ok(Terms {
        strategy: strategy.label.clone(),
        parallelism: if parallel { strategy.max_parallel_steps } else { 1 },
        skip_optional: strategy.skip_optional_steps || quality.skip_optional_steps,
        retries_max: [strategy.max_retries, quality.max_retries].into_iter().flatten().min(),
        deadline: deadline(request, definition, (strategy, quality, urgency), config),
        attempt_timeout: config.attempt_timeout,
        choice: strategy.worker_choice,
        memo: request.use_cache.unwrap_or(true) && strategy.use_step_cache,
        priority: urgency.priority,
        budget: Some(budget),
        ..Terms::default()
    })
}

/// What the same request may do under each strategy.
pub fn terms_of_each(
    request: &OrchestrateRequest,
    definition: &TemplateDefinition,
    policy: &Policy,
    config: &Config,
) -> Result<Vec<(OptimizeFor, Terms)>, ApiError> {
    // The input has no part in it, and may be large.
    let mut request = OrchestrateRequest { input: None, ..request.clone() };
    let under = |strategy: OptimizeFor| {
        request.optimize_for = Some(strategy);
        Ok((strategy, terms(&request, definition, policy, config)?))
    };
    use OptimizeFor::{Balanced, Cost, Quality, Speed};
    [Speed, Cost, Quality, Balanced].into_iter().map(under).collect()
}

/// The rows of a request's three labels.
type PolicyRows<'a> = (&'a Strategy, &'a QualityLevel, &'a UrgencyLevel);

fn rows<'a>(request: &OrchestrateRequest, policy: &'a Policy) -> Result<PolicyRows<'a>, ApiError> {
    let strategy = request.optimize_for.unwrap_or_default().as_str();
    let quality = request.quality_level.unwrap_or_default().as_str();
    let urgency = request.urgency.unwrap_or_default().as_str();
    let gone = |table: &str, name: &str| ApiError::PolicyMissing {
        cause: format!("{table} has no row '{name}'"),
    };
    Ok((
        policy.strategy(strategy).ok_or_else(|| gone("execution_strategies", strategy))?,
        policy.quality_level(quality).ok_or_else(|| gone("quality_levels", quality))?,
        policy.urgency_level(urgency).ok_or_else(|| gone("urgency_levels", urgency))?,
    ))
}

/// What the request says, else the smaller of what urgency and strategy say, the latter stretched
/// by the quality level; never more than the template and the environment allow.
fn deadline(
    request: &OrchestrateRequest,
    definition: &TemplateDefinition,
    (strategy, quality, urgency): PolicyRows<'_>,
    config: &Config,
) -> Millis {
    let wanted = match request.deadline_minutes {
        Some(minutes) => Millis::new((minutes * 60_000.0).ceil() as u64),
        None => {
            let stretched = (strategy.deadline_ms as f64 * quality.deadline_factor).ceil();
            let by_strategy = Millis::new(stretched as u64);
            urgency.deadline_ms.map_or(by_strategy, |ms| Millis::new(ms).min(by_strategy))
        }
    };
    let by_template = definition.deadline_ms.map_or(config.execution_max, Millis::new);
    wanted.min(by_template).min(config.execution_max)
}

fn needs_topic(definition: &TemplateDefinition) -> bool {
    let schema = definition.input_schema.as_ref();
    schema.and_then(|schema| schema.get(TOPIC_REQUIRED)).is_none_or(|said| said != false)
}

/// What in `input` does not fit the template's schema. No input is an empty object.
fn input_violations(
    definition: &TemplateDefinition,
    content_hash: &str,
    input: Option<&Value>,
) -> Result<Vec<Violation>, ApiError> {
    let Some(schema) = &definition.input_schema else { return Ok(Vec::new()) };
    let empty = json!({});
    let found = schema::check_published(content_hash, schema, input.unwrap_or(&empty), "/input");
    found.map_err(|message| ApiError::TemplateInvalid {
        name: definition.name.clone(),
        violations: vec![violation("/input_schema", "schema.invalid", &message)],
    })
}

fn violation(pointer: &str, code: &str, message: &str) -> Violation {
    Violation { pointer: pointer.to_owned(), code: code.to_owned(), message: message.to_owned() }
}

/// The length of a time range such as `7d`.
fn length(text: &str) -> Option<Millis> {
    let unit = text.chars().last()?;
    let number: u64 = text.strip_suffix(unit)?.parse().ok()?;
    let unit_s = match unit {
        'm' => 60,
        'h' => 3600,
        'd' => 86_400,
        'w' => 604_800,
        _ => return None,
    };
    Some(Millis::from_secs(number.checked_mul(unit_s)?))
}

fn before(at: Timestamp, length: Millis) -> Timestamp {
    Timestamp::from_millis(at.as_millis().saturating_sub_unsigned(length.get()))
}

#[cfg(test)]
pub(super) mod tests;
