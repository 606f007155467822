//! What the orchestrator says about itself: front page, help, health.

use std::sync::OnceLock;

use api_types::{
    Credential, Endpoint, HealthReply, HealthStatus, HelpReply, LivenessReply, RootReply,
    WorkerHealth, WorkerHealthEntry,
};
use axum::Json;
use futures::future::join;

use super::{ORCHESTRATOR_TYPE, SERVICE, VERSION};
use crate::auth::Audience;
use crate::clock::now;
use crate::config::SECRET_KEY_CHARS_MIN;
use crate::db::iso;
use crate::error::ApiError;
use crate::health::database::{self, Look, look};
use crate::openapi::{PUBLIC, ServerErrors};
use crate::request::RequestContext;
use crate::{health as checks, router};

const DESCRIPTION: &str = "A serverless edge orchestrator for AI services: pipelines are rows in a \
    database, executions are durable, bounded in time and money, and explain themselves.";

/// The front page.
#[utoipa::path(
    get, path = "/", tag = PUBLIC,
    responses((status = 200, description = "What it is and where to go on", body = RootReply)),
)]
pub async fn root() -> Json<RootReply> {
    let links =
        ["/help", "/health", "/capabilities", "/templates", "/docs", "/redoc", "/openapi.json"];
    Json(RootReply {
        service: SERVICE.to_owned(),
        version: VERSION.to_owned(),
        description: DESCRIPTION.to_owned(),
        links: links.map(str::to_owned).to_vec(),
    })
}

/// How to use the orchestrator: credentials and endpoints.
#[utoipa::path(
    get, path = "/help", tag = PUBLIC,
    responses((status = 200, description = "How to use it", body = HelpReply)),
)]
pub async fn help() -> Json<HelpReply> {
    let credential = |audience: &str, headers: &[&str]| Credential {
        audience: audience.to_owned(),
        headers: headers.iter().map(|header| (*header).to_owned()).collect(),
    };
    Json(HelpReply {
        service: SERVICE.to_owned(),
        version: VERSION.to_owned(),
        orchestrator_type: ORCHESTRATOR_TYPE.to_owned(),
        description: DESCRIPTION.to_owned(),
        authentication: vec![
            credential("client", &["X-API-Key: <key>"]),
            credential("worker", &["Authorization: Bearer <secret>", "X-Worker-ID: <name>"]),
            credential("person", &["Authorization: Bearer <access token of POST /auth/login>"]),
        ],
        endpoints: endpoints(),
        documentation: "/docs".to_owned(),
    })
}

/// How the orchestrator is.
///
/// It is 200 whenever the orchestrator serves; the body says what is missing or wrong, and how the
/// workers were when they were last checked.
#[utoipa::path(
    get, path = "/health", tag = PUBLIC,
    responses((status = 200, description = "It serves", body = HealthReply)),
)]
#[worker::send]
pub async fn health(context: RequestContext) -> Json<HealthReply> {
    let Standing { status, problems, workers, look: _ } = standing(&context).await;
    Json(HealthReply {
        status,
        service: SERVICE.to_owned(),
        version: VERSION.to_owned(),
        environment: context.config().environment.as_str().to_owned(),
        timestamp: iso(now()),
        problems,
        workers,
    })
}

/// Whether the orchestrator can do its work: the database answers within 2 seconds and has every
/// migration.
#[utoipa::path(
    get, path = "/healthz", tag = PUBLIC,
    responses((status = 200, description = "It can", body = LivenessReply), ServerErrors),
)]
#[worker::send]
pub async fn healthz(context: RequestContext) -> Result<Json<LivenessReply>, ApiError> {
    ready(look(context.bindings()).await)?;
    Ok(Json(LivenessReply { status: "ok".to_owned() }))
}

/// How the orchestrator is: what everything that tells of it is made of.
pub(super) struct Standing {
    /// The verdict.
    pub status: HealthStatus,
    /// What is missing or wrong, each in one sentence without a value.
    pub problems: Vec<String>,
    /// The workers, as they were when they were last checked.
    pub workers: Vec<WorkerHealthEntry>,
    /// The look at the database.
    pub look: Look,
}

/// Looks how the orchestrator is.
pub(super) async fn standing(context: &RequestContext) -> Standing {
    let mut problems = configuration_problems(context);
    let bindings = context.bindings();
    let (look, workers) = join(look(bindings), checks::known(bindings)).await;
    problems.extend(database_problem(&look));
    let ailing = workers.iter().any(|worker| match worker.status {
        WorkerHealth::Degraded | WorkerHealth::Unhealthy => true,
        WorkerHealth::Healthy | WorkerHealth::Unknown => false,
    });
    let well = problems.is_empty() && !ailing;
    let status = if well { HealthStatus::Ok } else { HealthStatus::Degraded };
    Standing { status, problems, workers, look }
}

/// Whether the orchestrator can do its work with the database as it was found; why it cannot.
pub(super) fn ready(look: Look) -> Result<(), ApiError> {
    match look {
        Look::Current(_) => Ok(()),
        Look::Outdated(lacking) => {
            Err(ApiError::DatabaseOutdated { cause: database::sentence(&lacking) })
        }
        Look::Silent => {
            let cause = format!("no answer within {} ms", database::LIMIT.get());
            Err(ApiError::DatabaseUnavailable { cause })
        }
        Look::Missing(missing) => Err(missing.into()),
        Look::Failed(error) => Err(error.into()),
    }
}

/// What is missing or wrong in the configuration, each in one sentence without a value.
pub(super) fn configuration_problems(context: &RequestContext) -> Vec<String> {
    let config = context.config();
    let mut problems: Vec<String> = Vec::new();
    for audience in Audience::ALL {
        let (name, secret) = audience.secret(&config.secrets);
        if secret.is_none() && !config.secrets.short.contains(&name) {
            problems.push(format!("The secret {name} is not set; its audience is refused"));
        }
    }
    let short = config.secrets.short.iter();
    problems.extend(short.map(|name| {
        format!("The secret {name} has fewer than {SECRET_KEY_CHARS_MIN} characters; it is refused")
    }));
    let invalid = config.invalid.iter();
    problems.extend(invalid.map(|name| format!("The variable {name} has no valid value")));
    let missing = context.bindings().missing().into_iter();
    problems.extend(missing.map(|name| format!("The binding {name} is missing")));
    let unlimited = context.bindings().missing_rate_limiters();
    if !unlimited.is_empty() {
        let names = unlimited.join(", ");
        problems.push(format!("The rate limiters {names} are missing; they refuse nobody"));
    }
    problems
}

fn database_problem(look: &Look) -> Option<String> {
    match look {
        // A missing binding is told with the others.
        Look::Current(_) | Look::Missing(_) => None,
        Look::Outdated(lacking) => Some(database::sentence(lacking)),
        Look::Silent => Some("The database does not answer".to_owned()),
        Look::Failed(error) if error.is_outage() => Some("The database does not answer".to_owned()),
        Look::Failed(_) => Some("The database answers with errors".to_owned()),
    }
}

fn endpoints() -> Vec<Endpoint> {
    static ENDPOINTS: OnceLock<Vec<Endpoint>> = OnceLock::new();
    ENDPOINTS.get_or_init(read_endpoints).clone()
}

fn read_endpoints() -> Vec<Endpoint> {
    let document = serde_json::to_value(router::document()).unwrap_or_default();
    let mut endpoints = Vec::new();
    for (path, item) in document["paths"].as_object().into_iter().flatten() {
        for (method, operation) in item.as_object().into_iter().flatten() {
            let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
            endpoints.push(Endpoint {
                method: method.to_ascii_uppercase(),
                path: path.clone(),
                audience: text(&operation["tags"][0]),
                summary: text(&operation["summary"]),
            });
        }
    }
    endpoints
}
