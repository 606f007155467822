//! Utilities: how the orchestrator is, what it is, and what came in.

mod validate;

use std::collections::BTreeMap;

use api_types::utils::{BuildInfo, EchoReply, HealthCheckReply, InfoReply};
use axum::Json;
use axum::http::{HeaderMap, Method, Uri};
use serde_json::Value;

use super::service::{self, Standing};
use super::{SERVICE, VERSION};
use crate::clock::now;
use crate::config::Environment;
use crate::db::{iso, meta};
use crate::error::ApiError;
use crate::extract::AnyJson;
use crate::health::database;
use crate::openapi::{BodyErrors, EchoErrors, PUBLIC, ServerErrors};
use crate::request::RequestContext;
use crate::within::within;
pub use validate::*;

/// The most bytes that are sent back.
const ECHO_BYTES_MAX: usize = 64 * 1024;
/// Headers that are shown: what cannot be a credential.
const SHOWN: [&str; 12] = [
    "accept",
    "accept-encoding",
    "accept-language",
    "content-length",
    "content-type",
    "host",
    "idempotency-key",
    "origin",
    "prefer",
    "traceparent",
    "user-agent",
    "x-request-id",
];

/// Whether the orchestrator is well and can do its work.
///
/// It is made of what `/health` and `/healthz` are made of, and agrees with both: 503 where it
/// cannot do its work.
#[utoipa::path(
    get, path = "/api/v1/utils/health-check", tag = PUBLIC,
    responses(
        (status = 200, description = "It can do its work", body = HealthCheckReply),
        ServerErrors,
    ),
)]
#[worker::send]
pub async fn health_check(context: RequestContext) -> Result<Json<HealthCheckReply>, ApiError> {
    let Standing { status, problems, workers: _, look } = service::standing(&context).await;
    service::ready(look)?;
    Ok(Json(HealthCheckReply { status, ready: true, problems, timestamp: iso(now()) }))
}

/// What the orchestrator is: its version, how it was built, the schema that it needs and has.
#[utoipa::path(
    get, path = "/api/v1/utils/info", tag = PUBLIC,
    responses((status = 200, description = "What it is", body = InfoReply)),
)]
#[worker::send]
pub async fn info(context: RequestContext) -> Json<InfoReply> {
    let config = context.config();
    Json(InfoReply {
        name: SERVICE.to_owned(),
        version: VERSION.to_owned(),
        environment: config.environment.as_str().to_owned(),
        build: BuildInfo {
            profile: env!("BUILD_PROFILE").to_owned(),
            target: env!("BUILD_TARGET").to_owned(),
        },
        schema_version: schema_version(&context).await,
        schema_version_needed: meta::SCHEMA_VERSION.unsigned_abs(),
        journal_shards: config.journal_shards.into(),
    })
}

/// What came in, sent back: to see what a client sends. On a developer's machine and in the
/// environment `development` only; elsewhere there is no such endpoint.
#[utoipa::path(
    post, path = "/api/v1/utils/echo", tag = PUBLIC,
    request_body(content = serde_json::Value, description = "May be left out"),
    responses(
        (status = 200, description = "What came in", body = EchoReply),
        BodyErrors, EchoErrors,
    ),
)]
#[worker::send]
pub async fn echo(
    context: RequestContext,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    AnyJson(body): AnyJson<ECHO_BYTES_MAX>,
) -> Result<Json<EchoReply>, ApiError> {
    if !echoes(context.config().environment) {
        return Err(ApiError::RouteUnknown);
    }
    Ok(Json(echoed(&method, &uri, &headers, body)))
}

fn echoes(environment: Environment) -> bool {
    match environment {
        Environment::Local | Environment::Development => true,
        Environment::Staging | Environment::Production | Environment::Enterprise => false,
    }
}

fn echoed(method: &Method, uri: &Uri, headers: &HeaderMap, body: Value) -> EchoReply {
    let text = |name: &str| {
        let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
        values.collect::<Vec<_>>().join(", ")
    };
    let shown = SHOWN.iter().filter(|name| headers.contains_key(**name));
    EchoReply {
        method: method.to_string(),
        path: uri.path().to_owned(),
        query: uri.query().map(str::to_owned),
        headers: shown.map(|name| ((*name).to_owned(), text(name))).collect::<BTreeMap<_, _>>(),
        body,
    }
}

/// The newest migration that the database has.
async fn schema_version(context: &RequestContext) -> Option<u64> {
    let database = context.database().ok()?;
    let applied = within(database::LIMIT, meta::versions(&database)).await?.ok()?;
    applied.into_iter().max().map(i64::unsigned_abs)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_may_be_a_credential_is_not_sent_back() {
        let sent = [
            ("x-api-key", "secret"),
            ("authorization", "Bearer secret"),
            ("cookie", "secret"),
            ("cf-access-jwt-assertion", "secret"),
            ("content-type", "application/json"),
        ];
        let headers = sent.map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()));
        let uri = "/api/v1/utils/echo?a=1".parse().unwrap();
        let reply = echoed(&Method::POST, &uri, &HeaderMap::from_iter(headers), json!([1]));
        let text = serde_json::to_string(&reply).unwrap();
        assert!(!text.contains("secret"), "{text}");
        assert_eq!(reply.headers["content-type"], "application/json");
        assert_eq!((reply.query.as_deref(), reply.body), (Some("a=1"), json!([1])));
    }

    #[test]
    fn only_developers_are_answered() {
        use Environment::{Development, Enterprise, Local, Production, Staging};
        for (environment, expected) in [
            (Local, true),
            (Development, true),
            (Staging, false),
            (Production, false),
            (Enterprise, false),
        ] {
            assert_eq!(echoes(environment), expected, "{environment:?}");
        }
    }
}
