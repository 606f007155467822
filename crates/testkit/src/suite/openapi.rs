//! The OpenAPI document: whether it is whole, and whether replies are what it promises.

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::{Value, json};

use super::expect::{completed, demand, list, same, status};
use super::subject::BASIC;
use super::{Outcome, Phase, Subject, cases};

pub fn phase() -> Phase {
    Phase {
        title: "OpenAPI",
        cases: cases![
            "the document is OpenAPI 3.1 of this version" => version,
            "it has the endpoints of /help and no others" => same_as_help,
            "every endpoint has a summary and described responses" => described,
            "every reference leads somewhere" => references,
            "endpoints that need a credential say so" => security,
            "documented pages answer, with a credential where they need one" => answered,
            "another method of a documented path is 405 with Allow" => other_methods,
            "public replies fit their schemas" => public_replies,
            "replies about executions fit their schemas" => executions,
            "errors fit their schemas" => errors,
        ],
    }
}

async fn version(it: &Subject) -> Outcome {
    let document = it.document().await?;
    let openapi = document.at("/openapi").as_str().unwrap_or_default();
    demand!(openapi.starts_with("3.1"), "openapi is {openapi:?}");
    let front = it.get("/").send().await?;
    same("version", document.at("/info/version").as_str(), Some(front.text("/version")))?;
    demand!(document.at("/info/title").is_string(), "no title");
    Ok(())
}

async fn same_as_help(it: &Subject) -> Outcome {
    let operations = it.document().await?.operations();
    let documented: BTreeSet<String> =
        operations.iter().map(|it| format!("{} {}", it.method, it.path)).collect();
    let help = it.get("/help").send().await?;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let listed: BTreeSet<String> = list(&help, "/endpoints")?
        .iter()
        .map(|it| format!("{} {}", text(&it["method"]), text(&it["path"])))
        .collect();
    demand!(documented.len() >= 11, "only {documented:?}");
    same("the endpoints", listed, documented)
}

async fn described(it: &Subject) -> Outcome {
    for operation in it.document().await?.operations() {
        let place = format!("{} {}", operation.method, operation.path);
        demand!(operation.value["summary"].is_string(), "{place} has no summary");
        demand!(operation.value["operationId"].is_string(), "{place} has no operationId");
        let responses = operation.value["responses"].as_object();
        let responses = responses.ok_or_else(|| format!("{place} has no responses"))?;
        for (status, response) in responses {
            // OpenAPI requires it.
            demand!(response["description"].is_string(), "{place}: {status} is not described");
        }
    }
    Ok(())
}

async fn references(it: &Subject) -> Outcome {
    let document = it.document().await?;
    let mut open = vec![document.at("")];
    while let Some(value) = open.pop() {
        match value {
            Value::Object(fields) => {
                if let Some(target) = fields.get("$ref").and_then(Value::as_str) {
                    let pointer = target.strip_prefix('#').unwrap_or("no pointer");
                    demand!(!document.at(pointer).is_null(), "{target} leads nowhere");
                }
                open.extend(fields.values());
            }
            Value::Array(items) => open.extend(items),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
    Ok(())
}

async fn security(it: &Subject) -> Outcome {
    let document = it.document().await?;
    let schemes = document.at("/components/securitySchemes").as_object();
    let schemes: BTreeSet<&str> =
        schemes.into_iter().flatten().map(|(name, _)| name.as_str()).collect();
    for operation in document.operations() {
        let place = format!("{} {}", operation.method, operation.path);
        for choice in operation.value["security"].as_array().into_iter().flatten() {
            for (name, _) in choice.as_object().into_iter().flatten() {
                demand!(schemes.contains(name.as_str()), "{place}: no scheme {name}");
            }
        }
    }
    let start = document.at("/paths/~1orchestrate/post/security");
    same("the start's security", start, &json!([{ "client_key": [] }, { "user_token": [] }]))
}

async fn answered(it: &Subject) -> Outcome {
    for operation in it.document().await?.operations() {
        // A stream has no end to wait for, and a WebSocket wants an upgrade.
        let stream = operation.path.ends_with("/tail") || operation.path == "/ws";
        let fixed = operation.method == "GET" && !operation.path.contains('{') && !stream;
        if !fixed {
            continue;
        }
        let security = operation.value["security"].as_array();
        let for_people = |choice: &Value| choice.get("user_token").is_some();
        let personal = security.is_some_and(|all| all.len() == 1 && all.iter().all(for_people));
        let reply = it.get(operation.path).by_client().by_worker().send().await?;
        if personal {
            status(&reply, 401).map_err(|found| format!("{}: {found}", operation.path))?;
            continue;
        }
        let well = (200..300).contains(&reply.status);
        demand!(well, "{}: {} {}", operation.path, reply.status, reply.text("/detail"));
    }
    Ok(())
}

async fn other_methods(it: &Subject) -> Outcome {
    let document = it.document().await?;
    let operations = document.operations();
    let paths: BTreeSet<&str> = operations.iter().map(|it| it.path).collect();
    let methods = [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE];
    for path in paths {
        let known = |method: &Method| {
            operations.iter().any(|it| it.path == path && it.method == method.as_str())
        };
        let Some(other) = methods.iter().rev().find(|method| !known(method)) else { continue };
        let address = path.replace(['{', '}'], "");
        let reply = it.ask(other.clone(), &address).send().await?;
        status(&reply, 405).map_err(|found| format!("{other} {path}: {found}"))?;
        let allowed: BTreeSet<String> = reply
            .header("allow")
            .unwrap_or_default()
            .split(',')
            .map(|method| method.trim().to_owned())
            .collect();
        for method in methods.iter().filter(|method| known(method)) {
            demand!(allowed.contains(method.as_str()), "{path}: Allow is {allowed:?}");
        }
    }
    Ok(())
}

async fn public_replies(it: &Subject) -> Outcome {
    let document = it.document().await?;
    let fixed = ["/", "/help", "/health", "/healthz", "/capabilities", "/templates"];
    for path in fixed {
        document.check("GET", path, &it.get(path).send().await?)?;
    }
    let page = it.get(&format!("/templates/{BASIC}")).send().await?;
    document.check("GET", "/templates/{name}", &page)
}

async fn executions(it: &Subject) -> Outcome {
    let document = it.document().await?;
    let finished = it.report().await?;
    completed(finished)?;
    document.check("POST", "/orchestrate", finished)?;
    let mut body = it.basic_request();
    body["async"] = true.into();
    let begun = it.start(&body).await?;
    document.check("POST", "/orchestrate", &begun)?;
    it.follow(begun.text("/pipeline_id")).await?;
    let path = finished.text("/pipeline_url");
    for ask in [it.get(path), it.get(path).by_client()] {
        document.check("GET", "/pipeline/{id}", &ask.send().await?)?;
    }
    let history = it.get("/pipeline-history?limit=5&total=true").by_client().send().await?;
    document.check("GET", "/pipeline-history", &history)
}

async fn errors(it: &Subject) -> Outcome {
    let document = it.document().await?;
    let post = |body: &str| it.orchestrate().body(body.to_owned());
    for (expected, ask) in [
        (400, post("{")),
        (400, post("{}")),
        (401, it.ask(Method::POST, "/orchestrate")),
        (404, post(r#"{"topic":"x","pipeline_template":"nonexistent"}"#)),
        (413, post(&"x".repeat(2_000_000))),
        (415, it.orchestrate().body_of_type("text/plain", "x")),
        (422, post(r#"{"topic":"x","budget_limit":-1}"#)),
    ] {
        let reply = ask.send().await?;
        status(&reply, expected)?;
        document.check("POST", "/orchestrate", &reply)?;
    }
    let reply = it.get("/pipeline/none").send().await?;
    document.check("GET", "/pipeline/{id}", &reply)?;
    let reply = it.get("/templates/none").send().await?;
    document.check("GET", "/templates/{name}", &reply)?;
    let reply = it.get("/pipeline-history?limit=0").by_client().send().await?;
    document.check("GET", "/pipeline-history", &reply)
}
