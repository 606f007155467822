//! Endpoints that are open to everybody.

use serde_json::Value;

use super::expect::{
    ROUTE_UNKNOWN, demand, fault, has, list, moment, same, status, template_unknown, texts,
};
use super::subject::{BASIC, REPORT, REVIEWED};
use super::{Outcome, Phase, Subject, cases};

/// The five workers of the seed data, each with its operation.
pub const WORKERS: [(&str, &str); 5] = [
    ("topic_researcher", "/research"),
    ("rss_librarian", "/sources"),
    ("feed_fetcher", "/fetch"),
    ("content_classifier", "/analyze"),
    ("report_builder", "/generate"),
];

pub fn phase() -> Phase {
    Phase {
        title: "Public endpoints",
        cases: cases![
            "the front page names the service" => front_page,
            "every link of the front page leads somewhere" => links,
            "/help says what the orchestrator is and how to call it" => help,
            "/health tells status, version and time" => health,
            "/healthz is ok" => healthz,
            "/capabilities lists the five workers" => workers,
            "/capabilities and /templates list the same templates" => templates,
            "/templates/{name} shows the six steps of the report" => template,
            "an unknown template is 404 with its name" => unknown_template,
            "an unknown route is 404 Endpoint not found" => unknown_route,
            "a slash at the end changes nothing, two are unknown" => slashes,
            "HEAD answers like GET, without a body" => head,
        ],
    }
}

async fn front_page(it: &Subject) -> Outcome {
    let reply = it.get("/").send().await?;
    status(&reply, 200)?;
    same("service", reply.text("/service"), "bitware-orchestrator")?;
    demand!(!reply.text("/version").is_empty(), "no version");
    demand!(has(&reply, "/links", "/help")?, "/help is not among the links");
    Ok(())
}

async fn links(it: &Subject) -> Outcome {
    let reply = it.get("/").send().await?;
    let links: Vec<&str> = list(&reply, "/links")?.iter().filter_map(Value::as_str).collect();
    demand!(links.len() >= 4, "only {links:?}");
    for link in links {
        status(&it.get(link).send().await?, 200).map_err(|found| format!("{link}: {found}"))?;
    }
    Ok(())
}

async fn help(it: &Subject) -> Outcome {
    let reply = it.get("/help").send().await?;
    status(&reply, 200)?;
    same("orchestrator_type", reply.text("/orchestrator_type"), "dynamic_database_driven")?;
    let endpoints = list(&reply, "/endpoints")?;
    let listed = |method: &str, path: &str| {
        endpoints.iter().any(|it| it["method"] == method && it["path"] == path)
    };
    for (method, path) in
        [("POST", "/orchestrate"), ("GET", "/pipeline/{id}"), ("GET", "/pipeline-history")]
    {
        demand!(listed(method, path), "{method} {path} is not listed");
    }
    let audiences = texts(list(&reply, "/authentication")?, "audience");
    demand!(audiences.contains(&"client") && audiences.contains(&"worker"), "{audiences:?}");
    Ok(())
}

async fn health(it: &Subject) -> Outcome {
    let reply = it.get("/health").send().await?;
    status(&reply, 200)?;
    let verdict = reply.text("/status");
    demand!(matches!(verdict, "ok" | "degraded"), "status is {verdict:?}");
    let front = it.get("/").send().await?;
    same("version", reply.text("/version"), front.text("/version"))?;
    moment(reply.text("/timestamp"))
}

async fn healthz(it: &Subject) -> Outcome {
    let reply = it.get("/healthz").send().await?;
    status(&reply, 200)?;
    same("body", reply.body.to_string(), r#"{"status":"ok"}"#.to_owned())
}

async fn workers(it: &Subject) -> Outcome {
    let reply = it.capabilities().await?;
    status(reply, 200)?;
    same("orchestrator_type", reply.text("/orchestrator_type"), "dynamic_database_driven")?;
    let listed = list(reply, "/available_workers")?;
    for (name, endpoint) in WORKERS {
        let worker = listed.iter().find(|worker| worker["worker_name"] == name);
        let worker = worker.ok_or_else(|| format!("{name} is not listed"))?;
        let endpoints = worker["endpoints"].as_array();
        let known = endpoints.is_some_and(|all| all.iter().any(|known| known == endpoint));
        demand!(known, "{name} has no endpoint {endpoint}");
        demand!(worker["estimated_cost_usd"].is_number(), "{name} has no cost estimate");
    }
    Ok(())
}

async fn templates(it: &Subject) -> Outcome {
    let reply = it.get("/templates").send().await?;
    status(&reply, 200)?;
    let listed = list(&reply, "/templates")?;
    let names = texts(listed, "name");
    for name in [BASIC, REPORT, REVIEWED] {
        demand!(names.contains(&name), "{name} is missing from {names:?}");
    }
    demand!(names.is_sorted(), "not by name: {names:?}");
    let defaults = listed.iter().filter(|template| template["is_default"] == true).count();
    same("the number of default templates", defaults, 1)?;
    let capable = it.capabilities().await?;
    same("names", names, texts(list(capable, "/available_templates")?, "name"))
}

async fn template(it: &Subject) -> Outcome {
    let reply = it.get(&format!("/templates/{REPORT}")).send().await?;
    status(&reply, 200)?;
    let steps = list(&reply, "/steps")?;
    same("step_count", reply.body["step_count"].as_u64(), Some(steps.len() as u64))?;
    let called = texts(steps, "worker_name");
    for (name, _) in WORKERS {
        demand!(called.contains(&name), "{name} does no step: {called:?}");
    }
    let kinds = texts(steps, "kind");
    demand!(kinds.contains(&"transform"), "no transform among {kinds:?}");
    Ok(())
}

async fn unknown_template(it: &Subject) -> Outcome {
    template_unknown(&it.get("/templates/nonexistent").send().await?, "nonexistent")
}

async fn unknown_route(it: &Subject) -> Outcome {
    for path in ["/nonexistent", "/help/more", "/orchestrate/x", "/pipeline", "/Help"] {
        let reply = it.get(path).send().await?;
        fault(&reply, ROUTE_UNKNOWN).map_err(|found| format!("{path}: {found}"))?;
    }
    let post = it.ask(reqwest::Method::POST, "/orchestrat").by_client();
    fault(&post.json(&Value::Null).send().await?, ROUTE_UNKNOWN)
}

async fn slashes(it: &Subject) -> Outcome {
    let (one, none) = (it.get("/templates/").send().await?, it.get("/templates").send().await?);
    same("the body", &one.body, &none.body)?;
    fault(&it.get("/templates//").send().await?, ROUTE_UNKNOWN)
}

async fn head(it: &Subject) -> Outcome {
    for (path, expected) in [("/help", 200), ("/templates", 200), ("/nonexistent", 404)] {
        let reply = it.ask(reqwest::Method::HEAD, path).send().await?;
        same(path, reply.status, expected)?;
        same("the body", &reply.body, &Value::from(""))?;
        demand!(reply.header("x-request-id").is_some(), "{path}: no X-Request-ID");
    }
    Ok(())
}
