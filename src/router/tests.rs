//! The routes against the document, and the replies that need no binding.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::body::Body;
use axum::http::{HeaderMap, Request, header};
use http_body_util::BodyExt;
use serde_json::Value;

use super::*;
use crate::bindings::Bindings;
use crate::config::Config;
use crate::request::Deployment;
use crate::serve::serve;

/// Asks the router as the platform would, in a deployment without any binding.
async fn ask(
    method: &str,
    path: &str,
    pairs: &[(&str, &str)],
    body: &str,
) -> (u16, HeaderMap, Value) {
    let config = Config::read(|name| match name {
        "CLIENT_API_KEY" => Some("client-key".to_owned()),
        "WORKER_SHARED_SECRET" => Some("worker-secret".to_owned()),
        "ALLOWED_ORIGINS" => Some("https://app.example".to_owned()),
        _ => None,
    });
    let deployment =
        Deployment { config: Arc::new(config), bindings: Bindings::none(), invocation: None };
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in pairs {
        request = request.header(*name, *value);
    }
    let response = serve(request.body(Body::from(body.to_owned())).unwrap(), deployment).await;
    let (parts, body) = response.into_parts();
    let bytes = body.collect().await.unwrap().to_bytes();
    (parts.status.as_u16(), parts.headers, serde_json::from_slice(&bytes).unwrap_or_default())
}

const KEY: (&str, &str) = ("x-api-key", "client-key");
const JSON: (&str, &str) = ("content-type", "application/json");

fn documented() -> Vec<(String, BTreeSet<String>)> {
    let document = serde_json::to_value(document()).unwrap();
    let paths = document["paths"].as_object().unwrap();
    let methods = |item: &Value| {
        item.as_object().unwrap().keys().map(|method| method.to_ascii_uppercase()).collect()
    };
    paths.iter().map(|(path, item)| (path.clone(), methods(item))).collect()
}

#[tokio::test]
async fn every_documented_endpoint_is_routed_and_no_other_method() {
    let documented = documented();
    assert!(documented.len() >= 11, "{documented:?}");
    for (path, methods) in documented {
        let filled = |part: &str| if part.starts_with('{') { "x" } else { part }.to_owned();
        let path = path.split('/').map(filled).collect::<Vec<_>>().join("/");
        for method in ["GET", "POST", "PUT", "PATCH", "DELETE"] {
            let (status, headers, body) = ask(method, &path, &[], "").await;
            let place = format!("{method} {path}: {body}");
            assert_ne!(body["code"], "route.unknown", "{place}");
            if methods.contains(method) {
                assert_ne!(status, 405, "{place}");
                continue;
            }
            assert_eq!(status, 405, "{place}");
            assert_eq!(body["code"], "method.not_allowed", "{place}");
            let allow = headers[header::ALLOW].to_str().unwrap();
            let allowed: BTreeSet<String> = allow
                .split(',')
                .map(str::trim)
                .filter(|m| *m != "HEAD")
                .map(str::to_owned)
                .collect();
            assert_eq!(allowed, methods, "{place}");
        }
    }
}

#[test]
fn routes_are_made_in_the_table_alone() {
    let table = include_str!("../router.rs");
    assert_eq!(table.matches(".route(").count(), 0, "use routes!, which documents the endpoint");
    let made = table.matches(".routes(routes!(").count();
    let endpoints: usize = documented().iter().map(|(_, methods)| methods.len()).sum();
    assert_eq!(made, endpoints);
}

#[tokio::test]
async fn unknown_routes_are_404_in_the_error_form() {
    for path in ["/nonexistent", "/help/more", "/help//", "/orchestrate/x", "/pipeline"] {
        let (status, headers, body) = ask("GET", path, &[], "").await;
        assert_eq!(status, 404, "{path}");
        assert_eq!(body["error"], "Endpoint not found", "{path}");
        assert_eq!(body["code"], "route.unknown", "{path}");
        assert_eq!(body["status"], "error");
        assert_eq!(body["request_id"], headers["x-request-id"].to_str().unwrap());
        assert!(body["timestamp"].as_str().unwrap().ends_with('Z'));
        assert!(body["retry_suggestions"].as_array().is_some_and(|list| !list.is_empty()));
        assert_eq!(headers[header::CONTENT_TYPE], "application/json");
    }
}

#[tokio::test]
async fn a_slash_at_the_end_changes_nothing() {
    let (status, _, body) = ask("GET", "/help/", &[], "").await;
    assert_eq!(status, 200);
    assert_eq!(body["orchestrator_type"], "dynamic_database_driven");
    let (status, _, _) = ask("GET", "/", &[], "").await;
    assert_eq!(status, 200);
}

#[tokio::test]
async fn credentials_come_before_the_body() {
    for (pairs, status, error) in [
        (&[][..], 401, "API key required"),
        (&[("x-api-key", "wrong")], 401, "API key required"),
        (&[KEY, ("authorization", "Bearer wrong")], 401, "Worker authentication required"),
        (
            &[("authorization", "Bearer worker-secret"), ("x-worker-id", "w")],
            401,
            "API key required",
        ),
    ] {
        let (found, headers, body) = ask("POST", "/orchestrate", pairs, "{invalid json}").await;
        assert_eq!((found, &body["error"]), (status, &Value::from(error)), "{pairs:?}");
        assert!(headers.contains_key(header::WWW_AUTHENTICATE));
    }
}

#[tokio::test]
async fn what_is_no_acceptable_body_is_refused() {
    let large = format!("{{\"topic\": \"{}\"}}", "x".repeat(2_000_000));
    for (pairs, body, status, code) in [
        (&[KEY, JSON][..], "{invalid json}", 400, "json.malformed"),
        (&[KEY, JSON], "", 400, "json.malformed"),
        (&[KEY, JSON], &large, 413, "body.too_large"),
        (&[KEY, ("content-type", "text/plain")], "{}", 415, "body.media_type"),
        (&[KEY, JSON, ("idempotency-key", "a b")], "{}", 400, "header.invalid"),
    ] {
        let (found, _, reply) = ask("POST", "/orchestrate", pairs, body).await;
        assert_eq!((found, &reply["code"]), (status, &Value::from(code)), "{reply}");
    }
}

#[tokio::test]
async fn without_a_database_the_reply_says_so_and_nothing_more() {
    let (status, _, body) = ask("POST", "/orchestrate", &[KEY, JSON], r#"{"topic":"x"}"#).await;
    assert_eq!(status, 503);
    assert_eq!(body["code"], "config.binding_missing");
    assert!(!body.to_string().contains("ORCHESTRATION_DB"), "{body}");
    let (status, _, _) = ask("GET", "/healthz", &[], "").await;
    assert_eq!(status, 503);
    let (status, _, body) = ask("GET", "/health", &[], "").await;
    assert_eq!((status, &body["status"]), (200, &Value::from("degraded")));
    let problems = body["problems"].to_string();
    for name in ["ORCHESTRATION_DB", "PIPELINE_CACHE", "JOURNAL", "GOVERNOR", "LIVE", "EXECUTIONS"]
    {
        assert!(problems.contains(name), "{problems}");
    }
}

#[tokio::test]
async fn a_malformed_id_or_query_is_told() {
    for path in ["/pipeline/nope", "/pipeline/pipe_1_short", "/pipeline/%FF"] {
        let (status, _, body) = ask("GET", path, &[], "").await;
        assert_eq!((status, &body["error"]), (404, &Value::from("Pipeline not found")));
    }
    let path = "/pipeline-history?limit=1000&status=done";
    let (status, _, body) = ask("GET", path, &[KEY], "").await;
    assert_eq!((status, &body["code"]), (422, &Value::from("query.invalid")));
    assert_eq!(body["violations"].as_array().map(Vec::len), Some(2));
}

#[tokio::test]
async fn a_page_of_an_allowed_origin_may_read_replies() {
    let origin = ("origin", "https://app.example");
    let ask_for = ("access-control-request-method", "POST");
    let (status, headers, _) = ask("OPTIONS", "/orchestrate", &[origin, ask_for], "").await;
    assert_eq!(status, 204);
    assert_eq!(headers[header::ACCESS_CONTROL_ALLOW_ORIGIN], "https://app.example");
    let (_, headers, _) = ask("POST", "/orchestrate", &[origin], "").await;
    assert_eq!(headers[header::ACCESS_CONTROL_ALLOW_ORIGIN], "https://app.example", "errors too");
    let (_, headers, _) = ask("GET", "/help", &[("origin", "https://evil.example")], "").await;
    assert!(!headers.contains_key(header::ACCESS_CONTROL_ALLOW_ORIGIN));
    let (status, _, _) = ask("OPTIONS", "/orchestrate", &[], "").await;
    assert_eq!(status, 405);
}

#[tokio::test]
async fn every_reply_carries_its_id_and_the_security_headers() {
    let (_, headers, _) = ask("GET", "/help", &[("x-request-id", "mine-1")], "").await;
    assert_eq!(headers["x-request-id"], "mine-1");
    for (name, value) in [
        ("x-content-type-options", "nosniff"),
        ("x-frame-options", "DENY"),
        ("referrer-policy", "no-referrer"),
        ("cache-control", "no-store"),
    ] {
        assert_eq!(headers[name], value);
    }
}

#[tokio::test]
async fn head_has_the_headers_and_no_body() {
    for (path, status) in [("/help", 200), ("/nonexistent", 404)] {
        let (found, headers, body) = ask("HEAD", path, &[], "").await;
        assert_eq!(found, status, "{path}");
        assert_eq!(body, Value::Null, "{path}");
        assert!(headers.contains_key("x-request-id"));
    }
}

#[tokio::test]
async fn pages_may_load_what_comes_from_here_and_nothing_else() {
    for path in ["/docs", "/redoc"] {
        let (status, headers, _) = ask("GET", path, &[], "").await;
        assert_eq!((status, &headers[header::CONTENT_TYPE]), (200, &page_type()), "{path}");
        let policy = headers[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
        assert!(policy.contains("default-src 'none'; script-src 'self';"), "{policy}");
        assert_eq!(headers["x-frame-options"], "DENY");
    }
    let (status, headers, _) = ask("GET", "/docs/assets/swagger.js", &[], "").await;
    assert_eq!(status, 200);
    assert_eq!(headers[header::CONTENT_TYPE], "text/javascript; charset=utf-8");
    assert!(headers[header::CACHE_CONTROL].to_str().unwrap().starts_with("public"));
    let (status, _, body) = ask("GET", "/docs/assets/redoc.standalone.js", &[], "").await;
    assert_eq!((status, &body["code"]), (503, &Value::from("config.binding_missing")));
    let (status, _, body) = ask("GET", "/docs/assets/..%2Findex.js", &[], "").await;
    assert_eq!((status, &body["code"]), (404, &Value::from("resource.not_found")));
}

fn page_type() -> axum::http::HeaderValue {
    axum::http::HeaderValue::from_static("text/html; charset=utf-8")
}

const ID: &str = "pipe_1_00000000000000000000000000";
const WORKER: [(&str, &str); 2] = [("authorization", "Bearer worker-secret"), ("x-worker-id", "w")];

#[tokio::test]
async fn what_is_said_to_an_execution_is_checked_before_anything_is_looked_up() {
    let large = format!("\"{}\"", "x".repeat(64 * 1024));
    let long = format!("signal/{}", "n".repeat(65));
    for (verb, body, status, code) in [
        ("cancel", "", 503, "journal.unavailable"),
        ("cancel", "{}", 503, "journal.unavailable"),
        ("kill", "[]", 422, "request.invalid"),
        ("pause", "{", 400, "json.malformed"),
        ("resume", r#"{"budget_limit":"much"}"#, 422, "request.invalid"),
        ("retry", r#"{"why":"x"}"#, 422, "request.invalid"),
        ("rerun", "{}", 422, "request.invalid"),
        ("rerun", "", 400, "json.malformed"),
        ("restart", r#"{"revision":"oldest"}"#, 422, "request.invalid"),
        ("signal/go", "", 503, "journal.unavailable"),
        ("signal/go", "[1]", 503, "journal.unavailable"),
        ("signal/go", &large, 413, "body.too_large"),
        (&long, "1", 422, "request.invalid"),
    ] {
        let path = format!("/pipeline/{ID}/{verb}");
        let (found, _, reply) = ask("POST", &path, &[KEY, JSON], body).await;
        assert_eq!((found, &reply["code"]), (status, &Value::from(code)), "{verb}: {reply}");
        let (found, _, reply) = ask("POST", &path, &[JSON], body).await;
        assert_eq!((found, &reply["error"]), (401, &Value::from("API key required")), "{verb}");
    }
    let path = format!("/pipeline/{ID}/cancel");
    let (found, _, _) = ask("POST", &path, &WORKER, "").await;
    assert_eq!(found, 503, "a worker may as well");
    let text = [KEY, ("content-type", "text/plain")];
    let (found, _, reply) = ask("POST", &path, &text, "x").await;
    assert_eq!((found, &reply["code"]), (415, &Value::from("body.media_type")));
}

#[tokio::test]
async fn a_report_of_a_worker_is_checked_before_anything_is_looked_up() {
    let report = r#"{"status":"succeeded","output":{},"fence":7}"#;
    let path = format!("/pipeline/{ID}/steps/classify%5B3%5D/complete");
    for (body, status, code) in [
        (report, 503, "journal.unavailable"),
        (r#"{"status":"running"}"#, 422, "request.invalid"),
        (r#"{"status":"failed","fence":7}"#, 422, "request.invalid"),
        ("", 400, "json.malformed"),
    ] {
        let (found, _, reply) = ask("POST", &path, &WORKER, body).await;
        assert_eq!((found, &reply["code"]), (status, &Value::from(code)), "{body}: {reply}");
    }
    let (found, _, reply) = ask("POST", &path, &[KEY], report).await;
    assert_eq!((found, &reply["code"]), (401, &Value::from("auth.worker_required")));
    let nowhere = path.replace(ID, "nope");
    let (found, _, reply) = ask("POST", &nowhere, &WORKER, report).await;
    assert_eq!((found, &reply["code"]), (404, &Value::from("pipeline.not_found")));
}

#[tokio::test]
async fn a_page_of_an_allowed_origin_may_follow_events() {
    let origin = ("origin", "https://app.example");
    let path = format!("/pipeline/{ID}/events");
    let asked = [origin, ("access-control-request-method", "GET")];
    let (status, headers, _) = ask("OPTIONS", &path, &asked, "").await;
    assert_eq!(status, 204);
    let allowed = headers[header::ACCESS_CONTROL_ALLOW_HEADERS].to_str().unwrap();
    assert!(allowed.contains("Last-Event-ID") && allowed.contains("X-API-Key"), "{allowed}");
    for (pairs, status, code) in [
        (&[origin, KEY][..], 503, "journal.unavailable"),
        (&[origin], 401, "auth.key_required"),
        (&[origin, KEY, ("last-event-id", "soon")], 400, "event_id.invalid"),
    ] {
        let (found, headers, reply) = ask("GET", &path, pairs, "").await;
        assert_eq!((found, &reply["code"]), (status, &Value::from(code)), "{reply}");
        assert_eq!(headers[header::ACCESS_CONTROL_ALLOW_ORIGIN], "https://app.example");
    }
    let (status, _, reply) = ask("GET", &format!("{path}?after=1.1"), &[KEY], "").await;
    assert_eq!((status, &reply["code"]), (422, &Value::from("query.invalid")));
}
