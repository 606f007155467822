//! Utilities: they agree with what else is said about the orchestrator, and find every mistake.

use reqwest::Method;
use serde_json::{Value, json};

use super::expect::{KEY_REQUIRED, REQUEST_INVALID, ROUTE_UNKNOWN, demand, fault, list, moment};
use super::expect::{same, status, texts};
use super::{Outcome, Phase, Subject, cases};
use crate::client::Reply;

pub fn phase() -> Phase {
    Phase {
        title: "Utilities",
        cases: cases![
            "the health check agrees with the others" => health,
            "the orchestrator says what it is" => info,
            "what is valid is said to be" => valid,
            "all that is not valid is named with its place" => invalid,
            "what is to be checked must be said" => garbage,
            "what came in is sent back to developers, without credentials" => echo,
        ],
    }
}

async fn check(it: &Subject, kind: &str, value: &Value) -> Result<Reply, String> {
    let ask = it.ask(Method::POST, "/api/v1/utils/validate").by_client();
    let reply = ask.json(&json!({ "kind": kind, "value": value })).send().await?;
    status(&reply, 200)?;
    same("kind", reply.text("/kind"), kind)?;
    Ok(reply)
}

async fn health(it: &Subject) -> Outcome {
    for path in ["/api/v1/utils/health-check", "/api/v1/utils/health-check/"] {
        let reply = it.get(path).send().await?;
        status(&reply, 200)?;
        let health = it.get("/health").send().await?;
        same("status", reply.text("/status"), health.text("/status"))?;
        same("problems", &reply.body["problems"], &health.body["problems"])?;
        same("ready", reply.body["ready"].as_bool(), Some(true))?;
        same("healthz", it.get("/healthz").send().await?.status, 200)?;
        moment(reply.text("/timestamp"))?;
    }
    let metrics = it.get("/metrics").by_worker().send().await?;
    let text = metrics.body.as_str().unwrap_or_default();
    demand!(text.contains("\nbitware_ready 1\n"), "the metrics do not say that it is ready");
    Ok(())
}

async fn info(it: &Subject) -> Outcome {
    let reply = it.get("/api/v1/utils/info").send().await?;
    status(&reply, 200)?;
    let health = it.get("/health").send().await?;
    for field in ["/version", "/environment"] {
        same(field, reply.text(field), health.text(field))?;
    }
    same("name", reply.text("/name"), health.text("/service"))?;
    let schema = [&reply.body["schema_version"], &reply.body["schema_version_needed"]];
    demand!(schema[0].as_u64() >= Some(14) && schema[0] == schema[1], "{}", reply.body);
    let text = reply.body.to_string();
    for secret in [it.client().key(), it.client().secret()] {
        demand!(!text.contains(secret), "a secret is told");
    }
    Ok(())
}

async fn valid(it: &Subject) -> Outcome {
    let template = json!({
        "name": "suite_check",
        "steps": [{ "step_name": "a", "step_order": 1, "worker_name": "topic_researcher" }],
    });
    for (kind, value) in [
        ("template", template),
        ("schema", json!({ "type": "object", "properties": { "a": { "type": "string" } } })),
        ("expression", json!("size(data.articles) > 0")),
        ("expression", json!("=data.a + 1")),
        ("expression", json!("$.sources[*].url")),
        ("condition", json!({ "articles_available": "> 0" })),
        ("condition", json!(true)),
        ("mapping", json!({ "a": "$.b", "c": ["=size(data.d)", 1] })),
    ] {
        let reply = check(it, kind, &value).await?;
        demand!(reply.body["valid"] == true, "{value}: {}", reply.body);
        same("violations", list(&reply, "/violations")?.len(), 0)?;
    }
    let cron = check(it, "cron", &json!("*/5 * * * *")).await?;
    same("valid", cron.body["valid"].as_bool(), Some(true))?;
    let next = list(&cron, "/next")?;
    same("moments", next.len(), 5)?;
    next.iter().try_for_each(|next| moment(next.as_str().unwrap_or_default()))
}

async fn invalid(it: &Subject) -> Outcome {
    let template = json!({
        "name": "suite_check", "steps": [
            { "step_name": "a", "step_order": 1, "worker_name": "nobody_knows_it" },
            { "step_name": "b", "step_order": 2, "worker_name": "topic_researcher",
              "condition": "size(data." },
        ],
    });
    for (kind, value, places) in [
        ("template", template, vec!["/value/steps/0", "/value/steps/1/condition"]),
        ("schema", json!({ "type": "objekt" }), vec!["/value/type"]),
        ("expression", json!("size(data."), vec!["/value"]),
        ("expression", json!("$.a["), vec!["/value"]),
        ("expression", json!(3), vec!["/value"]),
        ("condition", json!({ "articles": "many" }), vec!["/value"]),
        ("mapping", json!({ "a": "=size(", "b": "$.x[" }), vec!["/value/a", "/value/b"]),
        ("cron", json!("61 * * * *"), vec!["/value"]),
        ("cron", json!("0 0 30 2 *"), vec!["/value"]),
        ("cron", json!("every day"), vec!["/value"]),
    ] {
        let reply = check(it, kind, &value).await?;
        demand!(reply.body["valid"] == false, "{value} is said to be valid");
        let found = texts(list(&reply, "/violations")?, "pointer");
        for place in places {
            let named = found.iter().any(|found| found.starts_with(place));
            demand!(named, "{value}: nothing at {place}: {found:?}");
        }
    }
    Ok(())
}

async fn garbage(it: &Subject) -> Outcome {
    let path = "/api/v1/utils/validate";
    for body in [json!({}), json!({ "kind": "poem", "value": 1 }), json!({ "kind": "cron" })] {
        let reply = it.ask(Method::POST, path).by_client().json(&body).send().await?;
        fault(&reply, REQUEST_INVALID)?;
    }
    let body = json!({ "kind": "cron", "value": "* * * * *" });
    fault(&it.ask(Method::POST, path).json(&body).send().await?, KEY_REQUIRED)
}

async fn echo(it: &Subject) -> Outcome {
    let body = json!({ "hello": ["world", null] });
    let ask = it.ask(Method::POST, "/api/v1/utils/echo?a=1").by_client();
    let reply = ask.json(&body).send().await?;
    let environment = it.get("/health").send().await?.text("/environment").to_owned();
    if !matches!(environment.as_str(), "local" | "development") {
        return fault(&reply, ROUTE_UNKNOWN);
    }
    status(&reply, 200)?;
    same("body", &reply.body["body"], &body)?;
    same("query", reply.text("/query"), "a=1")?;
    same("method", reply.text("/method"), "POST")?;
    demand!(!reply.body.to_string().contains(it.client().key()), "the key is sent back");
    let large = json!("x".repeat(66_000));
    let large = it.ask(Method::POST, "/api/v1/utils/echo").json(&large).send().await?;
    same("too large", large.status, 413)
}
