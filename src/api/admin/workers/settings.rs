//! What a worker is, between the wire and its row: what may stand there, and every reason why
//! something may not. Pure.

use std::collections::BTreeSet;

use api_types::WorkerHealth;
use api_types::admin::{RegisteredWorker, WorkerDocument};
use engine::plan::Violation;
use serde_json::{Map, Value, json};

use crate::api::merge_patch::merge;
use crate::api::query::report;
use crate::db::registry::Registered;
use crate::db::workers::Worker;
use crate::error::ApiError;
use crate::extract::JsonDocument;

const VERSION_DEFAULT: &str = "1.0.0";
const HEALTH_PATH_DEFAULT: &str = "/health";
const PATH_CHARS_MAX: usize = 512;
const NAME_CHARS_MAX: usize = 64;
/// The largest that each of the JSON columns may be: they stand in every snapshot of a template.
const JSON_BYTES_MAX: usize = 64 * 1024;

/// What the deployment says of a worker's address.
pub struct Place<'a> {
    /// Whether workers may be reached at local addresses, and without TLS.
    pub local_addresses_allowed: bool,
    /// Whether a service of this name is bound.
    pub binds: &'a dyn Fn(&str) -> bool,
}

/// The worker `name` as a document says, or everything that is wrong with it. `name` is that of
/// the path; a new worker has it from the document.
pub fn whole<T>(
    name: Option<&str>,
    document: JsonDocument<T>,
    place: &Place<'_>,
) -> Result<Worker, Vec<Violation>> {
    let JsonDocument { mut value, violations: mut found, .. } = document;
    // What has the wrong form is left out, so that the rest is looked at all the same.
    let unfit: BTreeSet<String> = found.iter().map(|violation| field(&violation.pointer)).collect();
    let Some(members) = value.as_object_mut() else { return Err(found) };
    members.retain(|name, _| !unfit.contains(name));
    let document = match typed(value) {
        Ok(document) => document,
        Err(more) => {
            found.extend(more);
            return Err(found);
        }
    };
    let said = document.worker_name.clone();
    if let (Some(name), Some(said)) = (name, &said)
        && name != said
    {
        report(&mut found, "/worker_name", "const", &format!("is not '{name}', as the path says"));
    }
    if name.is_none() && said.is_none() && !unfit.contains("worker_name") {
        report(&mut found, "/worker_name", "required", "is required");
    }
    let worker = worker(name.or(said.as_deref()).unwrap_or_default(), document);
    let more = check(&worker, place).into_iter();
    let addressless = |violation: &Violation| {
        violation.code == "worker.no_address"
            && (unfit.contains("base_url") || unfit.contains("service_binding"))
    };
    found.extend(more.filter(|violation| {
        !unfit.contains(&field(&violation.pointer)) && !addressless(violation)
    }));
    if found.is_empty() { Ok(worker) } else { Err(found) }
}

/// The worker with the changes of a merge patch, or what is wrong with those. What was wrong before
/// and is not touched does not stand in the way.
pub fn patched(was: &Worker, patch: Value, place: &Place<'_>) -> Result<Worker, Vec<Violation>> {
    let mut document = document(was);
    merge(&mut document, patch);
    let said = typed(document)?;
    let mut found = Vec::new();
    if said.worker_name.as_ref().is_some_and(|name| *name != was.worker_name) {
        report(&mut found, "/worker_name", "const", "is its name for good");
    }
    let worker = worker(&was.worker_name, said);
    let before = check(was, place);
    let same = |one: &Violation, other: &Violation| {
        (&one.pointer, &one.code, &one.message) == (&other.pointer, &other.code, &other.message)
    };
    let new = check(&worker, place).into_iter();
    found.extend(new.filter(|violation| !before.iter().any(|known| same(known, violation))));
    if found.is_empty() { Ok(worker) } else { Err(found) }
}

/// The settings as a document: what `PATCH` changes, and what the audit log keeps.
pub fn document(worker: &Worker) -> Value {
    let settings = [
        ("display_name", json!(worker.display_name)),
        ("description", json!(worker.description)),
        ("version", json!(worker.version)),
        ("service_binding", json!(worker.service_binding)),
        ("base_url", json!(worker.base_url)),
        ("endpoints", worker.endpoints.clone()),
        ("input_format", json!(worker.input_format)),
        ("output_format", json!(worker.output_format)),
        ("dependencies", json!(worker.dependencies)),
        ("estimated_cost_usd", json!(worker.estimated_cost_usd)),
        ("avg_response_time_ms", json!(worker.avg_response_time_ms)),
        ("timeout_ms", json!(worker.timeout_ms)),
        ("max_retries", json!(worker.max_retries)),
        ("max_concurrency", json!(worker.max_concurrency)),
        ("max_per_minute", json!(worker.max_per_minute)),
        ("breaker", json!(worker.breaker)),
        ("quality_score", json!(worker.quality_score)),
        ("is_active", json!(worker.is_active)),
        ("health_check_endpoint", json!(worker.health_check_endpoint)),
        ("default_config", worker.default_config.clone()),
    ];
    let settings = settings.into_iter().map(|(name, value)| (name.to_owned(), value));
    Value::Object(settings.collect())
}

/// A row as the wire has it.
pub fn shown(registered: Registered, used_by: Option<Vec<String>>) -> RegisteredWorker {
    let Registered { worker, created_at, updated_at, state: _ } = registered;
    let health_status = health_of(&worker.health_status);
    RegisteredWorker {
        worker_name: worker.worker_name,
        display_name: worker.display_name,
        description: worker.description,
        version: worker.version,
        service_binding: worker.service_binding,
        base_url: worker.base_url,
        endpoints: worker.endpoints,
        input_format: worker.input_format.unwrap_or_default(),
        output_format: worker.output_format.unwrap_or_default(),
        dependencies: worker.dependencies.unwrap_or_default(),
        estimated_cost_usd: worker.estimated_cost_usd,
        avg_response_time_ms: worker.avg_response_time_ms,
        timeout_ms: worker.timeout_ms,
        max_retries: worker.max_retries,
        max_concurrency: worker.max_concurrency,
        max_per_minute: worker.max_per_minute,
        breaker: worker.breaker.unwrap_or_default(),
        quality_score: worker.quality_score,
        is_active: worker.is_active,
        health_check_endpoint: worker.health_check_endpoint,
        default_config: worker.default_config,
        health_status,
        last_health_check: worker.last_health_check,
        created_at,
        updated_at,
        used_by,
    }
}

/// What a health column says.
fn health_of(text: &str) -> WorkerHealth {
    serde_json::from_value(Value::from(text)).unwrap_or(WorkerHealth::Unknown)
}

fn typed(value: Value) -> Result<WorkerDocument, Vec<Violation>> {
    let fits: JsonDocument<WorkerDocument> = JsonDocument::of(value);
    fits.typed().map_err(|error| match error {
        ApiError::RequestInvalid(found) => found,
        other => vec![Violation {
            pointer: String::new(),
            code: "type".to_owned(),
            message: other.code().as_str().to_owned(),
        }],
    })
}

fn worker(name: &str, document: WorkerDocument) -> Worker {
    let object = |json: Option<Map<String, Value>>| Value::Object(json.unwrap_or_default());
    let breaker = document.breaker.map(|breaker| json!(breaker));
    Worker {
        worker_name: name.to_owned(),
        display_name: document.display_name.unwrap_or_default(),
        description: document.description.unwrap_or_default(),
        version: document.version.unwrap_or_else(|| VERSION_DEFAULT.to_owned()),
        service_binding: document.service_binding,
        base_url: document.base_url,
        endpoints: document.endpoints.map_or_else(|| json!(["/"]), |paths| json!(paths)),
        input_format: Some(object(document.input_format)),
        output_format: Some(object(document.output_format)),
        dependencies: Some(json!(document.dependencies.unwrap_or_default())),
        estimated_cost_usd: document.estimated_cost_usd,
        avg_response_time_ms: document.avg_response_time_ms,
        timeout_ms: document.timeout_ms,
        max_retries: document.max_retries.map(i64::from),
        max_concurrency: document.max_concurrency,
        max_per_minute: document.max_per_minute,
        breaker: breaker.filter(|json| json.as_object().is_none_or(|rules| !rules.is_empty())),
        quality_score: document.quality_score,
        is_active: document.is_active.unwrap_or(true),
        health_check_endpoint: document
            .health_check_endpoint
            .unwrap_or_else(|| HEALTH_PATH_DEFAULT.to_owned()),
        last_health_check: None,
        health_status: String::new(),
        default_config: object(document.default_config),
    }
}

/// What a schema cannot say.
fn check(worker: &Worker, place: &Place<'_>) -> Vec<Violation> {
    let mut found = Vec::new();
    address(worker, place, &mut found);
    let paths = worker.endpoints.as_array().into_iter().flatten();
    for (at, path) in paths.clone().enumerate() {
        check_path(&format!("/endpoints/{at}"), path.as_str().unwrap_or_default(), &mut found);
    }
    repeated("/endpoints", paths, &mut found);
    check_path("/health_check_endpoint", &worker.health_check_endpoint, &mut found);
    let needed = worker.dependencies.iter().filter_map(Value::as_array).flatten();
    for (at, name) in needed.clone().enumerate() {
        let (pointer, name) = (format!("/dependencies/{at}"), name.as_str().unwrap_or_default());
        if !is_name(name) {
            report(&mut found, &pointer, "pattern", "is no name of a worker");
        } else if name == worker.worker_name {
            report(&mut found, &pointer, "worker.needs_itself", "is the worker itself");
        }
    }
    repeated("/dependencies", needed, &mut found);
    if worker.description.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t')) {
        report(&mut found, "/description", "pattern", "has a control character");
    }
    for (pointer, json) in [
        ("/input_format", worker.input_format.as_ref()),
        ("/output_format", worker.output_format.as_ref()),
        ("/default_config", Some(&worker.default_config)),
    ] {
        if json.is_some_and(|json| json.to_string().len() > JSON_BYTES_MAX) {
            let message = format!("is larger than {JSON_BYTES_MAX} bytes");
            report(&mut found, pointer, "too_large", &message);
        }
    }
    found
}

/// How it is reached: both may be given, and each must be right.
fn address(worker: &Worker, place: &Place<'_>, found: &mut Vec<Violation>) {
    let (binding, url) = (worker.service_binding.as_deref(), worker.base_url.as_deref());
    if binding.is_none() && url.is_none() {
        let message = "is required where there is no service_binding";
        report(found, "/base_url", "worker.no_address", message);
    }
    if let Some(name) = binding.filter(|name| !(place.binds)(name)) {
        let message = format!("this deployment has no service bound as '{name}'");
        report(found, "/service_binding", "worker.binding_unknown", &message);
    }
    let Some(url) = url else { return };
    match worker_kit::ssrf::check(url, place.local_addresses_allowed) {
        Err(refusal) => report(found, "/base_url", refusal.code(), &refusal.to_string()),
        Ok(parsed) => {
            if parsed.scheme() != "https" && !place.local_addresses_allowed {
                report(found, "/base_url", "url.scheme", "must begin with https://");
            }
            if url.contains(['?', '#']) {
                let message = "must have neither query nor fragment: paths are put behind it";
                report(found, "/base_url", "url.not_a_base", message);
            }
            if url.trim() != url || url.chars().any(|c| c.is_control() || c.is_whitespace()) {
                report(found, "/base_url", "url.malformed", "has blanks");
            }
        }
    }
}

fn check_path(pointer: &str, path: &str, found: &mut Vec<Violation>) {
    let fits = path.starts_with('/')
        && path.len() <= PATH_CHARS_MAX
        && path.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#');
    if !fits {
        let message = format!(
            "is no path: it begins with / and has at most {PATH_CHARS_MAX} visible ASCII characters"
        );
        report(found, pointer, "worker.malformed_endpoint", &message);
    }
}

fn repeated<'a>(pointer: &str, list: impl Iterator<Item = &'a Value>, found: &mut Vec<Violation>) {
    let mut seen = BTreeSet::new();
    for (at, text) in list.enumerate() {
        if !seen.insert(text.to_string()) {
            report(found, &format!("{pointer}/{at}"), "uniqueItems", "is there twice");
        }
    }
}

fn is_name(name: &str) -> bool {
    let known = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
    (1..=NAME_CHARS_MAX).contains(&name.len())
        && name.bytes().all(known)
        && name.as_bytes()[0].is_ascii_alphanumeric()
}

/// The field of a document that a pointer leads into.
fn field(pointer: &str) -> String {
    let first = pointer.strip_prefix('/').unwrap_or(pointer).split('/').next().unwrap_or_default();
    first.replace("~1", "/").replace("~0", "~")
}

#[cfg(test)]
mod tests;
