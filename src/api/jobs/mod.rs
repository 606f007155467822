//! Jobs: what people and clients want done. Each account sees its own.

mod change;
mod list;

use api_types::jobs::{Job, NewJob};
use api_types::{OrchestrateRequest, Urgency};
use axum::Json;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use engine::plan::Violation;
use serde_json::{Value, json};
use uuid::Uuid;

use super::orchestrate::understand;
use super::precondition;
use super::preference::idempotency_key;
use super::query::report;
use crate::auth::{Act, Authorized, ClientRead};
use crate::db::jobs::{self, Job as Row, New};
use crate::error::ApiError;
use crate::extract::{JsonDocument, ResourcePath};
use crate::jobs::standing::{self, shown};
use crate::jobs::{Made, Making, by_key, key_of, make};
use crate::nesting::{self, LEVELS_MAX};
use crate::openapi::{BodyErrors, ClientErrors, JOBS, MakeErrors, NotFoundErrors};
use crate::request::RequestContext;
use crate::templates::{canonical_json, sha256_hex};
pub use change::*;
pub use list::*;

/// The most bytes of a job's metadata as JSON.
const METADATA_BYTES_MAX: usize = 64 * 1024;
/// Fields that say something to an execution.
const OF_EXECUTIONS: [&str; 12] = [
    "input",
    "topic",
    "quality_level",
    "optimize_for",
    "enable_parallel_processing",
    "budget_limit",
    "source_discovery_depth",
    "max_articles",
    "time_range",
    "deadline_minutes",
    "output_format",
    "use_cache",
];

/// Makes a job. With `pipeline_template` it starts an execution, which does it.
///
/// The answer does not wait for the execution. Where that is refused there is no job either. The
/// job's priority is the execution's urgency.
#[utoipa::path(
    post, path = "/api/v1/jobs", tag = JOBS,
    request_body = NewJob,
    params(
        ("Idempotency-Key" = Option<String>, Header, description = "Makes a repeated request find \
            the first job, for 24 hours: 1 to 255 visible ASCII characters",
            nullable = false, pattern = "^[!-~]{1,255}$"),
    ),
    responses(
        (status = 201, description = "The job", body = Job, headers(
            ("Location" = String, description = "Where it is"),
            ("ETag" = String, description = "Stands for its state"),
        )),
        (status = 200, description = "The job that the same request made before", body = Job),
        BodyErrors, ClientErrors, MakeErrors,
    ),
    security(("client_key" = []), ("worker_secret" = [], "worker_id" = [])),
)]
#[worker::send]
pub async fn create_job(
    authorized: Authorized<Act>,
    context: RequestContext,
    headers: HeaderMap,
    document: JsonDocument<NewJob>,
) -> Result<Response, ApiError> {
    let caller = &authorized.caller;
    let key = idempotency_key(&headers)?;
    let body_hash = sha256_hex(canonical_json(&document.value).as_bytes());
    let key = key.map(|key| key_of(caller.account(), &key, body_hash));
    let body = examined(document)?;
    if let Some(key) = &key
        && let Some(before) = by_key(&context, caller.account(), key).await?
    {
        return made(&context, StatusCode::OK, before).await;
    }
    let title = body.title.as_deref().or(body.name.as_deref()).unwrap_or_default().trim();
    let site = context.site();
    let request = body.pipeline_template.is_some().then(|| json!(request_of(&body, title)));
    let understood = match &request {
        Some(request) => {
            let document = JsonDocument::<OrchestrateRequest>::of(request.clone());
            Some(understand(&site, context.received_at(), document).await?)
        }
        None => None,
    };
    let execution = body
        .pipeline_template
        .clone()
        .zip(request)
        .map(|(template, request)| (template, site.draw_id().to_string(), request));
    let new = New {
        id: Uuid::now_v7().to_string(),
        account: caller.account().to_owned(),
        title: title.to_owned(),
        description: body.description,
        priority: body.priority.unwrap_or_default().as_str(),
        metadata: body.metadata.unwrap_or_else(|| json!({})),
        execution,
        key,
        created_by: caller.name(),
        created_at: context.received_at(),
        request_id: context.id().to_owned(),
    };
    let (key_budget, initiators) = (caller.key_budget().cloned(), caller.selves());
    let making = Making { new, understood, key_budget, initiators };
    match make(&context, making).await? {
        Made::New(job) => made(&context, StatusCode::CREATED, job).await,
        Made::Before(job) => made(&context, StatusCode::OK, job).await,
    }
}

/// A job, with where it stands at this moment.
#[utoipa::path(
    get, path = "/api/v1/jobs/{job_id}", tag = JOBS,
    params(
        ("job_id" = String, Path, description = "Its id", max_length = 64),
        ("If-None-Match" = Option<String>, Header, description = "The ETag of the job as you have \
            it", nullable = false),
    ),
    responses(
        (status = 200, description = "The job", body = Job,
            headers(("ETag" = String, description = "Stands for its state"))),
        (status = 304, description = "It is as If-None-Match says"),
        NotFoundErrors, ClientErrors,
    ),
    security(("client_key" = []), ("worker_secret" = [], "worker_id" = [])),
)]
#[worker::send]
pub async fn show_job(
    authorized: Authorized<ClientRead>,
    ResourcePath(id): ResourcePath,
    context: RequestContext,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let job = shown(find(&context, authorized.caller.account(), &id).await?)?;
    let state = standing::state(&job);
    if precondition::is_known(&headers, &state) {
        let tag = [(header::ETAG, precondition::etag(&state))];
        return Ok((StatusCode::NOT_MODIFIED, tag).into_response());
    }
    Ok(answer(StatusCode::OK, &job))
}

/// The job of an account, with where it stands at this moment.
async fn find(context: &RequestContext, account: &str, id: &str) -> Result<Row, ApiError> {
    let found = jobs::find(&context.database()?, account, id).await?;
    let unknown = || ApiError::ResourceNotFound { kind: "job", name: id.to_owned() };
    standing::one(&context.site(), found.ok_or_else(unknown)?).await
}

/// The answer about a job that was made. It is there, whatever its journal says to that.
async fn made(
    context: &RequestContext,
    status: StatusCode,
    job: Row,
) -> Result<Response, ApiError> {
    let current = standing::one(&context.site(), job.clone()).await.unwrap_or(job);
    let job = shown(current)?;
    let mut response = answer(status, &job);
    let place = HeaderValue::from_str(&format!("/api/v1/jobs/{}", job.id));
    response.headers_mut().extend(place.ok().map(|place| (header::LOCATION, place)));
    Ok(response)
}

fn answer(status: StatusCode, job: &Job) -> Response {
    let tag = precondition::etag(&standing::state(job));
    (status, [(header::ETAG, tag)], Json(job)).into_response()
}

/// The body, if all of it fits.
fn examined(mut document: JsonDocument<NewJob>) -> Result<NewJob, ApiError> {
    let mut found = Vec::new();
    if let Some(body) = document.value.as_object() {
        let given = |name: &str| body.get(name).filter(|value| !value.is_null());
        match (given("title"), given("name")) {
            (None, None) => report(&mut found, "/title", "required", "is required, or name"),
            (Some(title), Some(name)) if title != name => {
                report(&mut found, "/name", "conflict", "is not the title; send one of them");
            }
            _ => {}
        }
        if given("pipeline_template").is_none() {
            for name in OF_EXECUTIONS.iter().filter(|name| given(name).is_some()) {
                let message = "says something to an execution, and needs pipeline_template";
                report(&mut found, &format!("/{name}"), "dependent", message);
            }
        }
        found.extend(given("metadata").and_then(misfit_of));
    }
    for violation in found {
        if !document.violations.iter().any(|known| known.pointer == violation.pointer) {
            document.violations.push(violation);
        }
    }
    document.typed()
}

/// What of metadata no schema can check.
fn misfit_of(metadata: &Value) -> Option<Violation> {
    let bytes = metadata.to_string().len();
    let (code, message) = if bytes > METADATA_BYTES_MAX {
        ("size", format!("has {bytes} bytes as JSON; {METADATA_BYTES_MAX} are kept"))
    } else if !nesting::fits(metadata) {
        ("nesting", format!("is nested more than {LEVELS_MAX} levels deep"))
    } else {
        return None;
    };
    Some(Violation { pointer: "/metadata".to_owned(), code: code.to_owned(), message })
}

/// What a job asks of its execution.
fn request_of(body: &NewJob, title: &str) -> OrchestrateRequest {
    let body = body.clone();
    OrchestrateRequest {
        topic: Some(body.topic.unwrap_or_else(|| title.to_owned())),
        urgency: Some(body.priority.unwrap_or(Urgency::Medium)),
        quality_level: body.quality_level,
        optimize_for: body.optimize_for,
        enable_parallel_processing: body.enable_parallel_processing,
        budget_limit: body.budget_limit,
        source_discovery_depth: body.source_discovery_depth,
        max_articles: body.max_articles,
        time_range: body.time_range,
        deadline_minutes: body.deadline_minutes,
        output_format: body.output_format,
        pipeline_template: body.pipeline_template,
        input: body.input,
        asynchronous: Some(true),
        use_cache: body.use_cache,
        dry_run: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn violations(body: Value) -> Vec<(String, String)> {
        match examined(JsonDocument::of(body)) {
            Ok(_) => Vec::new(),
            Err(ApiError::RequestInvalid(found)) => {
                found.into_iter().map(|found| (found.pointer, found.code)).collect()
            }
            Err(other) => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_job_needs_a_title_or_a_name() {
        let at = |pointer: &str, code: &str| vec![(pointer.to_owned(), code.to_owned())];
        for good in [
            json!({ "title": "t" }),
            json!({ "name": "t", "metadata": { "a": [1] } }),
            json!({ "title": "t", "name": "t", "pipeline_template": "p", "input": [1] }),
            json!({ "title": "t", "input": null }),
        ] {
            assert_eq!(violations(good.clone()), Vec::new(), "{good}");
        }
        assert_eq!(violations(json!({})), at("/title", "required"));
        assert_eq!(violations(json!({ "title": null })), at("/title", "required"));
        assert_eq!(violations(json!({ "title": "a", "name": "b" })), at("/name", "conflict"));
        assert_eq!(violations(json!({ "title": "a", "input": {} })), at("/input", "dependent"));
        let large = "x".repeat(METADATA_BYTES_MAX);
        assert_eq!(
            violations(json!({ "title": "a", "metadata": { "x": large } })),
            at("/metadata", "size")
        );
        assert_eq!(violations(json!({ "title": "  " }))[0].0, "/title");
        assert_eq!(violations(json!({ "title": 3, "colour": 1 })).len(), 2);
    }

    #[test]
    fn the_priority_is_the_urgency_and_the_title_the_topic() {
        let body = |value: Value| serde_json::from_value::<NewJob>(value).unwrap();
        let plain = request_of(&body(json!({ "title": "t", "priority": "critical" })), "t");
        assert_eq!((plain.urgency, plain.topic.as_deref()), (Some(Urgency::Critical), Some("t")));
        assert_eq!(plain.asynchronous, Some(true));
        let own = request_of(&body(json!({ "title": "t", "topic": "x", "max_articles": 7 })), "t");
        assert_eq!((own.topic.as_deref(), own.max_articles), (Some("x"), Some(7)));
    }

    /// What says something to an execution is told to it, and nothing else is a field of a job.
    #[test]
    fn every_option_of_an_execution_is_known() {
        let all = serde_json::to_value(NewJob::default()).unwrap();
        let own = ["title", "name", "description", "priority", "metadata", "pipeline_template"];
        let mut names: Vec<&str> = all.as_object().unwrap().keys().map(String::as_str).collect();
        names.retain(|name| !own.contains(name));
        names.sort_unstable();
        let mut known = OF_EXECUTIONS.to_vec();
        known.sort_unstable();
        assert_eq!(names, known);
    }
}
