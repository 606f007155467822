//! Headers: ids, traces, what browsers are told, and pages of other origins.

use reqwest::Method;

use super::expect::{
    METHOD_NOT_ALLOWED, ROUTE_UNKNOWN, completed, demand, fault, page, same, status,
};
use super::{Outcome, Phase, Subject, cases};
use crate::client::Reply;

const ORIGIN: &str = "https://suite.example";

pub fn phase() -> Phase {
    Phase {
        title: "CORS and headers",
        cases: cases![
            "every reply has a request id of its own" => request_ids,
            "a request id that was sent is kept" => id_kept,
            "a request id that is no token is replaced" => id_replaced,
            "every reply carries the security headers" => security,
            "bodies are declared as JSON" => json_bodies,
            "traces are continued, malformed ones do no harm" => traces,
            "a preflight is answered by what ALLOWED_ORIGINS says" => preflight,
            "an error can be read by the same pages as a result" => errors_too,
            "OPTIONS that is no preflight is 405" => plain_options,
        ],
    }
}

async fn request_ids(it: &Subject) -> Outcome {
    let mut seen = Vec::new();
    for path in ["/help", "/health", "/templates", "/nonexistent", "/pipeline/none"] {
        let reply = it.get(path).send().await?;
        let id = reply.header("x-request-id").unwrap_or_default().to_owned();
        demand!(!id.is_empty() && !seen.contains(&id), "{path}: {id:?} after {seen:?}");
        seen.push(id);
    }
    Ok(())
}

async fn id_kept(it: &Subject) -> Outcome {
    let id = format!("{}.request-1", it.token());
    for path in ["/help", "/nonexistent"] {
        let reply = it.get(path).header("x-request-id", &id).send().await?;
        same(path, reply.header("x-request-id"), Some(id.as_str()))?;
    }
    Ok(())
}

async fn id_replaced(it: &Subject) -> Outcome {
    for sent in ["two words", "a\"b", &"x".repeat(129), "{\"event\":\"forged\"}"] {
        let reply = it.get("/help").header("x-request-id", sent).send().await?;
        status(&reply, 200)?;
        let id = reply.header("x-request-id").unwrap_or_default();
        demand!(!id.is_empty() && id != sent, "{sent:?} was kept");
    }
    Ok(())
}

async fn security(it: &Subject) -> Outcome {
    for path in ["/", "/capabilities", "/nonexistent", "/pipeline-history"] {
        let reply = it.get(path).send().await?;
        for (name, value) in [
            ("x-content-type-options", "nosniff"),
            ("x-frame-options", "DENY"),
            ("referrer-policy", "no-referrer"),
            ("cache-control", "no-store"),
        ] {
            same(&format!("{path}: {name}"), reply.header(name), Some(value))?;
        }
        let policy = reply.header("content-security-policy").unwrap_or_default();
        demand!(policy.contains("default-src 'none'"), "{path}: the policy is {policy:?}");
    }
    Ok(())
}

async fn json_bodies(it: &Subject) -> Outcome {
    for path in ["/", "/help", "/health", "/capabilities", "/templates", "/openapi.json"] {
        let reply = it.get(path).send().await?;
        same(path, reply.header("content-type"), Some("application/json"))?;
        page(&reply).map_err(|found| format!("{path}: {found}"))?;
    }
    Ok(())
}

async fn traces(it: &Subject) -> Outcome {
    for parent in [
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "00-00000000000000000000000000000000-0000000000000000-00",
        "ff-nonsense",
        "",
    ] {
        let pairs = [("traceparent", parent)];
        let reply = it.start_with(&pairs, &it.basic_request()).await?;
        completed(&reply).map_err(|found| format!("{parent:?}: {found}"))?;
    }
    Ok(())
}

async fn ask(it: &Subject, method: Method, path: &str, wanted: &str) -> Result<Reply, String> {
    let ask = it.ask(method, path).header("origin", ORIGIN);
    ask.header("access-control-request-method", wanted).send().await
}

/// What a page of an origin that nobody listed may do: everything, or nothing.
fn allows(reply: &Reply) -> Result<bool, String> {
    match reply.header("access-control-allow-origin") {
        Some("*") => Ok(true),
        None => Ok(false),
        Some(other) => Err(format!("the origin {ORIGIN} gets {other:?}")),
    }
}

async fn preflight(it: &Subject) -> Outcome {
    let reply = ask(it, Method::OPTIONS, "/orchestrate", "POST").await?;
    same("status", reply.status, 204)?;
    let allowed = allows(&reply)?;
    let headers = reply.header("access-control-allow-headers").unwrap_or_default();
    let methods = reply.header("access-control-allow-methods").unwrap_or_default();
    for name in ["X-API-Key", "Content-Type", "Idempotency-Key", "Prefer", "traceparent"] {
        same(name, headers.contains(name), allowed)?;
    }
    same("POST", methods.contains("POST"), allowed)?;
    same("credentials", reply.header("access-control-allow-credentials"), None)
}

async fn errors_too(it: &Subject) -> Outcome {
    let expected = allows(&ask(it, Method::OPTIONS, "/help", "GET").await?)?;
    for (path, answer) in [("/help", 200), ("/nonexistent", 404), ("/pipeline-history", 401)] {
        let reply = it.get(path).header("origin", ORIGIN).send().await?;
        same(path, reply.status, answer)?;
        same(path, allows(&reply)?, expected)?;
        let exposed = reply.header("access-control-expose-headers").unwrap_or_default();
        same("X-Request-ID", exposed.contains("X-Request-ID"), expected)?;
    }
    Ok(())
}

async fn plain_options(it: &Subject) -> Outcome {
    fault(&it.ask(Method::OPTIONS, "/orchestrate").send().await?, METHOD_NOT_ALLOWED)?;
    fault(&it.ask(Method::OPTIONS, "/nonexistent").send().await?, ROUTE_UNKNOWN)
}
