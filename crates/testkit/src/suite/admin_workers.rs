//! The registry of workers as its operator changes it. What a case registers it deletes again.

use reqwest::Method;
use serde_json::{Value, json};

use super::expect::{Fault, demand, fault, list, moment, same, status, texts, violation};
use super::{Outcome, Phase, Subject, cases};
use crate::client::Reply;

pub fn phase() -> Phase {
    Phase {
        title: "Administration of workers",
        cases: cases![
            "a client key administers nothing" => by_client,
            "a worker is registered, changed, retired and deleted" => life,
            "a change of what is no longer so is refused" => conditional,
            "everything that is wrong with a worker is told at once" => violations,
            "no spelling of a private address is registered" => addresses,
            "a worker that a template names is not deleted" => in_use,
            "a check says what it found, and what it did not" => check,
            "workers are listed in pages" => pages,
        ],
    }
}

const EXISTS: Fault = Fault { status: 409, code: "resource.exists", error: "It exists already" };
const IN_USE: Fault = Fault { status: 409, code: "resource.in_use", error: "It is in use" };
const CHANGED: Fault =
    Fault { status: 412, code: "resource.changed", error: "It was changed meanwhile" };
const NOT_FOUND: Fault = Fault { status: 404, code: "resource.not_found", error: "Not found" };

async fn ask(
    it: &Subject,
    method: Method,
    name: &str,
    body: Option<Value>,
) -> Result<Reply, String> {
    let asked = it.ask(method, &format!("/admin/workers{name}")).by_worker();
    match body {
        Some(body) => asked.json(&body).send().await,
        None => asked.send().await,
    }
}

async fn create(it: &Subject, word: &str) -> Result<(String, Reply), String> {
    let name = format!("{word}_{}", it.token());
    let body = json!({
        "worker_name": name, "base_url": "https://worker.invalid", "endpoints": ["/do"],
        "estimated_cost_usd": 0.01,
    });
    let reply = ask(it, Method::POST, "", Some(body)).await?;
    status(&reply, 201)?;
    Ok((name, reply))
}

async fn delete(it: &Subject, name: &str) -> Outcome {
    let reply = ask(it, Method::DELETE, &format!("/{name}?permanent=true"), None).await?;
    status(&reply, 200)
}

async fn by_client(it: &Subject) -> Outcome {
    for path in ["/admin/workers", "/admin/accounts", "/admin/api-keys"] {
        status(&it.get(path).by_client().send().await?, 403)?;
        status(&it.get(path).send().await?, 401)?;
    }
    Ok(())
}

async fn life(it: &Subject) -> Outcome {
    let (name, made) = create(it, "life").await?;
    let path = format!("/{name}");
    same("location", made.header("location"), Some(format!("/admin/workers{path}").as_str()))?;
    same("is_active", &made.body["is_active"], &json!(true))?;
    let twice = json!({ "worker_name": name, "base_url": "https://worker.invalid" });
    fault(&ask(it, Method::POST, "", Some(twice)).await?, EXISTS)?;
    let patch = json!({ "estimated_cost_usd": 0, "timeout_ms": 5000 });
    let patched = ask(it, Method::PATCH, &path, Some(patch)).await?;
    status(&patched, 200)?;
    same("price", patched.body["estimated_cost_usd"].as_f64(), Some(0.0))?;
    same("endpoints", &patched.body["endpoints"], &json!(["/do"]))?;
    let unpriced = json!({ "estimated_cost_usd": null });
    let unpriced = ask(it, Method::PATCH, &path, Some(unpriced)).await?;
    same("price", &unpriced.body["estimated_cost_usd"], &Value::Null)?;
    let read = ask(it, Method::GET, &path, None).await?;
    let back = ask(it, Method::PUT, &path, Some(read.body.clone())).await?;
    status(&back, 200)?;
    same("what was read and sent back", &back.body, &read.body)?;
    let retired = ask(it, Method::DELETE, &path, None).await?;
    status(&retired, 200)?;
    same("is_active", &retired.body["is_active"], &json!(false))?;
    delete(it, &name).await?;
    fault(&ask(it, Method::GET, &path, None).await?, NOT_FOUND)?;
    logged(it, &name).await
}

/// Every change stands in the audit log, newest first.
async fn logged(it: &Subject, name: &str) -> Outcome {
    let path = format!("/admin/audit-log?subject_type=worker&subject={name}");
    let log = it.get(&path).by_worker().send().await?;
    let entries = list(&log, "/entries")?;
    let expected =
        ["worker.deleted", "worker.retired", "worker.updated", "worker.updated", "worker.created"];
    same("changes", texts(entries, "change"), expected.to_vec())?;
    let priced = &entries[3];
    same("before", priced["before"]["estimated_cost_usd"].as_f64(), Some(0.01))?;
    same("after", priced["after"]["estimated_cost_usd"].as_f64(), Some(0.0))
}

async fn conditional(it: &Subject) -> Outcome {
    let (name, made) = create(it, "conditional").await?;
    let tag = made.header("etag").ok_or("there is no ETag")?.to_owned();
    let patch = |version: &str| {
        let asked = it.ask(Method::PATCH, &format!("/admin/workers/{name}")).by_worker();
        asked.header("if-match", &tag).json(&json!({ "version": version }))
    };
    status(&patch("2").send().await?, 200)?;
    fault(&patch("3").send().await?, CHANGED)?;
    let read = ask(it, Method::GET, &format!("/{name}"), None).await?;
    same("version", read.text("/version"), "2")?;
    delete(it, &name).await
}

async fn violations(it: &Subject) -> Outcome {
    let bad = json!({
        "worker_name": "no blanks", "endpoints": ["x"], "estimated_cost_usd": -1, "timeout_ms": 0,
        "service_binding": "NOBODY", "price": 3, "breaker": { "window": 0 },
    });
    let reply = ask(it, Method::POST, "", Some(bad)).await?;
    status(&reply, 422)?;
    for (pointer, code) in [
        ("/worker_name", "pattern"),
        ("/endpoints/0", "worker.malformed_endpoint"),
        ("/estimated_cost_usd", "minimum"),
        ("/timeout_ms", "minimum"),
        ("/service_binding", "worker.binding_unknown"),
        ("/price", "unknown_field"),
        ("/breaker/window", "minimum"),
    ] {
        violation(&reply, pointer, code)?;
    }
    Ok(())
}

async fn addresses(it: &Subject) -> Outcome {
    for url in ["file:///etc/passwd", "https://user:word@worker.invalid", "https://w.invalid/?a=1"]
    {
        let body = json!({ "worker_name": format!("no_{}", it.token()), "base_url": url });
        let reply = ask(it, Method::POST, "", Some(body)).await?;
        status(&reply, 422)?;
        demand!(reply.text("/violations/0/pointer") == "/base_url", "{url}: {}", reply.body);
    }
    Ok(())
}

async fn in_use(it: &Subject) -> Outcome {
    let worker = "feed_fetcher";
    let reply = ask(it, Method::DELETE, &format!("/{worker}?permanent=true"), None).await?;
    fault(&reply, IN_USE)?;
    let read = ask(it, Method::GET, &format!("/{worker}"), None).await?;
    let users = list(&read, "/used_by")?;
    demand!(!users.is_empty(), "nobody uses {worker}");
    for template in users {
        let template = template.as_str().unwrap_or_default();
        demand!(reply.text("/detail").contains(template), "{template}: {}", reply.body);
    }
    Ok(())
}

async fn check(it: &Subject) -> Outcome {
    let found = ask(it, Method::POST, "/feed_fetcher/check", None).await?;
    status(&found, 200)?;
    same("http_status", &found.body["http_status"], &json!(200))?;
    same("reported_status", found.text("/reported_status"), "ok")?;
    moment(found.text("/checked_at"))?;
    let (name, _) = create(it, "silent").await?;
    let silent = ask(it, Method::POST, &format!("/{name}/check"), None).await?;
    delete(it, &name).await?;
    status(&silent, 200)?;
    same("status", silent.text("/status"), "unhealthy")
}

async fn pages(it: &Subject) -> Outcome {
    let all = ask(it, Method::GET, "?limit=200", None).await?;
    let names = texts(list(&all, "/workers")?, "worker_name");
    let mut found = Vec::new();
    let mut path = "?limit=2".to_owned();
    loop {
        let page = ask(it, Method::GET, &path, None).await?;
        let workers = list(&page, "/workers")?;
        found.extend(texts(workers, "worker_name").into_iter().map(str::to_owned));
        match page.body["next_cursor"].as_str() {
            Some(next) => path = format!("?limit=2&cursor={next}"),
            None => break,
        }
    }
    same("the pages together", found, names.into_iter().map(str::to_owned).collect())?;
    let one = ask(it, Method::GET, "?search=FEED_FETCH&active=true", None).await?;
    same("found", texts(list(&one, "/workers")?, "worker_name"), vec!["feed_fetcher"])
}
