//! Jobs: what they say is so at that moment, with an execution and without.

use futures::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};

use super::expect::{Fault, HEADER_INVALID, IDEMPOTENCY_MISMATCH, demand, fault, list, moment};
use super::expect::{same, status, template_unknown, texts};
use super::subject::{BASIC, REVIEW, REVIEWED};
use super::{Outcome, Phase, Subject, cases};
use crate::client::Reply;

pub(super) const PATH: &str = "/api/v1/jobs";
pub(super) const NOT_FOUND: Fault<'_> =
    Fault { status: 404, code: "resource.not_found", error: "Not found" };
const CHANGED: Fault<'_> =
    Fault { status: 412, code: "resource.changed", error: "It was changed meanwhile" };
const TRANSITION: Fault<'_> =
    Fault { status: 409, code: "job.transition", error: "The job cannot take this status" };
const LOOKS_MAX: usize = 400;
const WRITERS: usize = 20;

pub fn phase() -> Phase {
    Phase {
        title: "Jobs",
        cases: cases![
            "a job without an execution lives by its statuses" => life,
            "a job with an execution is completed when that is" => completed,
            "a job that waits for a person goes on when that has spoken" => approved,
            "a job is paused, goes on and is called off" => steered,
            "a job that is deleted calls its execution off and leaves its trail" => deleted,
            "a start that is refused leaves no job" => refused_starts,
            "the same request makes one job" => idempotent,
            "an entity tag stands for a job's state" => tags,
            "of writers that read the same job one wins" => writers,
            "a slash at the end makes no difference" => slashes,
            "what happens to a job is told" => told,
        ],
    }
}

pub(super) async fn make(it: &Subject, body: &Value) -> Result<Reply, String> {
    it.ask(Method::POST, PATH).by_client().json(body).send().await
}

pub(super) async fn made(it: &Subject, body: &Value) -> Result<String, String> {
    let reply = make(it, body).await?;
    status(&reply, 201)?;
    Ok(reply.text("/id").to_owned())
}

pub(super) async fn read(it: &Subject, path: &str) -> Result<Reply, String> {
    it.get(path).by_client().send().await
}

pub(super) async fn set(it: &Subject, id: &str, status: &str) -> Result<Reply, String> {
    let path = format!("{PATH}/{id}/status");
    it.ask(Method::PUT, &path).by_client().json(&json!({ "status": status })).send().await
}

pub(super) fn title(it: &Subject, name: &str) -> String {
    format!("{name} {}", it.token())
}

/// The job once it stands so.
async fn until(it: &Subject, id: &str, wanted: &str) -> Result<Reply, String> {
    let path = format!("{PATH}/{id}");
    let mut last = String::new();
    for _ in 0..LOOKS_MAX {
        let reply = read(it, &path).await?;
        status(&reply, 200)?;
        if reply.text("/status") == wanted {
            return Ok(reply);
        }
        last = reply.body.to_string();
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    Err(format!("the job does not become {wanted}: {last}"))
}

/// The types of what is told about something, oldest first.
async fn events_of(it: &Subject, subject: &str) -> Result<Vec<String>, String> {
    let reply = read(it, &format!("/api/v1/events?subject={subject}&order=asc")).await?;
    Ok(texts(list(&reply, "/events")?, "type").into_iter().map(str::to_owned).collect())
}

async fn life(it: &Subject) -> Outcome {
    let body = json!({
        "name": title(it, "life"), "description": "by hand", "priority": "high",
        "metadata": { "a": { "b": 1 } },
    });
    let reply = make(it, &body).await?;
    status(&reply, 201)?;
    let id = reply.text("/id").to_owned();
    let path = format!("{PATH}/{id}");
    same("location", reply.header("location"), Some(path.as_str()))?;
    same("title", reply.text("/title"), title(it, "life").as_str())?;
    same("status", reply.text("/status"), "pending")?;
    same("execution", &reply.body["execution"], &Value::Null)?;
    demand!(reply.text("/created_by").starts_with("key:"), "by {}", reply.text("/created_by"));
    moment(reply.text("/created_at"))?;
    same("partial", set(it, &id, "partial").await?.status, 409)?;
    let running = set(it, &id, "running").await?;
    same("running", (running.status, running.text("/status")), (200, "running"))?;
    moment(running.text("/started_at"))?;
    same("again", set(it, &id, "running").await?.text("/version"), running.text("/version"))?;
    let done = set(it, &id, "completed").await?;
    moment(done.text("/completed_at"))?;
    let late = set(it, &id, "running").await?;
    fault(&late, TRANSITION)?;
    demand!(late.text("/detail").contains("completed"), "{}", late.text("/detail"));
    let patch = it.ask(Method::PATCH, &path).by_client();
    let change = json!({ "title": title(it, "lived"), "metadata": { "a": { "b": null }, "c": 2 } });
    let patched = patch.json(&change).send().await?;
    status(&patched, 200)?;
    same("metadata", &patched.body["metadata"], &json!({ "a": {}, "c": 2 }))?;
    same("description", patched.text("/description"), "by hand")?;
    same("read", &read(it, &path).await?.body["title"], &patched.body["title"])?;
    let gone = it.ask(Method::DELETE, &path).by_client().send().await?;
    same("deleted", gone.status, 204)?;
    fault(&read(it, &path).await?, NOT_FOUND)?;
    fault(&it.ask(Method::DELETE, &path).by_client().send().await?, NOT_FOUND)
}

fn basic_job(it: &Subject, name: &str) -> Value {
    json!({
        "title": title(it, name), "pipeline_template": BASIC, "use_cache": false,
        "topic": format!("wind power {name} {}", it.token()),
    })
}

async fn completed(it: &Subject) -> Outcome {
    let mut body = basic_job(it, "done");
    body["priority"] = json!("critical");
    let reply = make(it, &body).await?;
    status(&reply, 201)?;
    let (id, pipeline) = (reply.text("/id").to_owned(), reply.text("/pipeline_id").to_owned());
    same("url", reply.text("/pipeline_url"), format!("/pipeline/{pipeline}").as_str())?;
    // Both are read while it goes on: whoever looks later sees no less.
    for _ in 0..LOOKS_MAX {
        let before = read(it, &format!("/pipeline/{pipeline}")).await?;
        let job = read(it, &format!("{PATH}/{id}")).await?;
        let after = read(it, &format!("/pipeline/{pipeline}")).await?;
        let states = [before.text("/status"), after.text("/status")];
        demand!(states.contains(&job.text("/status")), "{} is none of {states:?}", job.body);
        if after.text("/status") == "completed" {
            break;
        }
    }
    let done = until(it, &id, "completed").await?;
    same("execution", done.text("/execution/status"), "completed")?;
    moment(done.text("/completed_at"))?;
    let result = read(it, done.text("/result_url")).await?;
    status(&result, 200)?;
    let shown = read(it, &format!("/pipeline/{pipeline}")).await?;
    same("topic", shown.text("/pipeline/topic"), body["topic"].as_str().unwrap_or_default())?;
    fault(&set(it, &id, "running").await?, TRANSITION)?;
    let listed = read(it, &format!("{PATH}?status=completed&search={}", it.token())).await?;
    demand!(texts(list(&listed, "/jobs")?, "id").contains(&id.as_str()), "it is not listed");
    Ok(())
}

fn reviewed_job(it: &Subject, name: &str) -> Value {
    json!({
        "title": title(it, name), "pipeline_template": REVIEWED, "use_cache": false,
        "topic": "artificial intelligence", "max_articles": 20, "input": { "min_relevance": 0 },
    })
}

async fn approved(it: &Subject) -> Outcome {
    let id = made(it, &reviewed_job(it, "reviewed")).await?;
    let waiting = until(it, &id, "waiting").await?;
    demand!(!waiting.text("/execution/waiting_reason").is_empty(), "{}", waiting.body);
    let path = format!("{}/signal/{REVIEW}", waiting.text("/pipeline_url"));
    let signal = it.ask(Method::POST, &path).by_client().json(&json!({ "approved": true }));
    demand!(matches!(signal.send().await?.status, 200 | 202), "the signal is not taken");
    until(it, &id, "completed").await.map(drop)
}

async fn steered(it: &Subject) -> Outcome {
    let id = made(it, &reviewed_job(it, "steered")).await?;
    until(it, &id, "waiting").await?;
    let completed = set(it, &id, "completed").await?;
    fault(&completed, TRANSITION)?;
    for word in ["paused", "cancelled"] {
        demand!(completed.text("/detail").contains(word), "{}", completed.text("/detail"));
    }
    let paused = set(it, &id, "paused").await?;
    demand!(matches!(paused.status, 200 | 202), "{}: {}", paused.status, paused.body);
    until(it, &id, "paused").await?;
    let listed = read(it, &format!("{PATH}?status=paused&search=steered")).await?;
    demand!(texts(list(&listed, "/jobs")?, "id").contains(&id.as_str()), "{}", listed.body);
    let resumed = set(it, &id, "running").await?;
    demand!(matches!(resumed.status, 200 | 202), "{}: {}", resumed.status, resumed.body);
    until(it, &id, "waiting").await?;
    let cancelled = set(it, &id, "cancelled").await?;
    demand!(matches!(cancelled.status, 200 | 202), "{}: {}", cancelled.status, cancelled.body);
    let over = until(it, &id, "cancelled").await?;
    same("result", &over.body["result_url"], &Value::Null)
}

async fn deleted(it: &Subject) -> Outcome {
    let id = made(it, &reviewed_job(it, "deleted")).await?;
    let job = until(it, &id, "waiting").await?;
    let gone = it.ask(Method::DELETE, &format!("{PATH}/{id}")).by_client().send().await?;
    same("deleted", gone.status, 204)?;
    fault(&read(it, &format!("{PATH}/{id}")).await?, NOT_FOUND)?;
    for _ in 0..LOOKS_MAX {
        let execution = read(it, job.text("/pipeline_url")).await?;
        if execution.text("/status") == "cancelled" {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    let execution = read(it, job.text("/pipeline_url")).await?;
    same("execution", execution.text("/status"), "cancelled")?;
    let told = events_of(it, &id).await?;
    for kind in ["job.created", "job.deleted"] {
        demand!(told.iter().any(|told| told == kind), "{kind} is not told: {told:?}");
    }
    let path = format!("/admin/audit-log?subject_type=job&subject={id}");
    let audit = it.get(&path).by_worker().send().await?;
    let changes = texts(list(&audit, "/entries")?, "change");
    for change in ["job.created", "job.deleted"] {
        demand!(changes.contains(&change), "{change} is not in the log: {changes:?}");
    }
    Ok(())
}

async fn refused_starts(it: &Subject) -> Outcome {
    let title = title(it, "refused");
    let job = |name: &str, more: Value| {
        let mut body = json!({ "title": title, "pipeline_template": name });
        for (field, value) in more.as_object().into_iter().flatten() {
            body[field] = value.clone();
        }
        body
    };
    template_unknown(&make(it, &job("no_such_template", json!({}))).await?, "no_such_template")?;
    let dear = make(it, &job(BASIC, json!({ "budget_limit": 0.0, "use_cache": false }))).await?;
    demand!(matches!(dear.status, 201 | 402), "{}: {}", dear.status, dear.body);
    let expected = usize::from(dear.status == 201);
    let listed = read(it, &format!("{PATH}?search={}", title.replace(' ', "%20"))).await?;
    same("jobs", list(&listed, "/jobs")?.len(), expected)
}

async fn idempotent(it: &Subject) -> Outcome {
    let body = basic_job(it, "once");
    let key = format!("job-{}", it.token());
    let ask = || it.ask(Method::POST, PATH).by_client().header("idempotency-key", &key);
    let all = join_all((0..4).map(|_| ask().json(&body).send())).await;
    let mut ids = Vec::new();
    for reply in all {
        let reply = reply?;
        demand!(matches!(reply.status, 200 | 201), "{}: {}", reply.status, reply.body);
        ids.push((reply.text("/id").to_owned(), reply.text("/pipeline_id").to_owned()));
    }
    ids.dedup();
    same("jobs", ids.len(), 1)?;
    let mut other = body.clone();
    other["priority"] = json!("low");
    fault(&ask().json(&other).send().await?, IDEMPOTENCY_MISMATCH)?;
    let bad = it.ask(Method::POST, PATH).by_client().header("idempotency-key", "a b");
    fault(&bad.json(&body).send().await?, HEADER_INVALID)?;
    until(it, &ids[0].0, "completed").await.map(drop)
}

async fn tags(it: &Subject) -> Outcome {
    let id = made(it, &json!({ "title": title(it, "tags") })).await?;
    let path = format!("{PATH}/{id}");
    let first = read(it, &path).await?;
    let tag = first.header("etag").unwrap_or_default().to_owned();
    demand!(tag.starts_with('"'), "no strong tag: {tag:?}");
    let known = it.get(&path).by_client().header("if-none-match", &tag).send().await?;
    same("known", (known.status, known.header("etag")), (304, Some(tag.as_str())))?;
    let change = |tag: &str, title: &str| {
        let ask = it.ask(Method::PATCH, &path).by_client().header("if-match", tag);
        ask.json(&json!({ "title": title }))
    };
    fault(&change("\"other\"", "x").send().await?, CHANGED)?;
    let changed = change(&tag, "other words").send().await?;
    status(&changed, 200)?;
    demand!(changed.header("etag") != Some(tag.as_str()), "the tag stays");
    let unknown = it.get(&path).by_client().header("if-none-match", &tag).send().await?;
    same("changed", unknown.status, 200)?;
    fault(&change(&tag, "third").send().await?, CHANGED)?;
    let status_path = format!("{path}/status");
    let put = it.ask(Method::PUT, &status_path).by_client().header("if-match", &tag);
    fault(&put.json(&json!({ "status": "running" })).send().await?, CHANGED)?;
    let gone = it.ask(Method::DELETE, &path).by_client().header("if-match", &tag).send().await?;
    fault(&gone, CHANGED)?;
    fault(&change("other", "x").send().await?, HEADER_INVALID)
}

async fn writers(it: &Subject) -> Outcome {
    let id = made(it, &json!({ "title": title(it, "writers") })).await?;
    let path = format!("{PATH}/{id}");
    let tag = read(it, &path).await?.header("etag").unwrap_or_default().to_owned();
    let write = async |n: usize| {
        let ask = it.ask(Method::PATCH, &path).by_client().header("if-match", &tag);
        ask.json(&json!({ "title": format!("by {n}") })).send().await
    };
    let mut won = Vec::new();
    for (n, reply) in join_all((0..WRITERS).map(write)).await.into_iter().enumerate() {
        let reply = reply?;
        match reply.status {
            200 => won.push(n),
            412 => {}
            other => return Err(format!("{other}: {}", reply.body)),
        }
    }
    same("winners", won.len(), 1)?;
    let job = read(it, &path).await?;
    same("title", job.text("/title"), format!("by {}", won[0]).as_str())?;
    same("version", job.body["version"].as_u64(), Some(2))
}

async fn slashes(it: &Subject) -> Outcome {
    let body = json!({ "title": title(it, "slash") });
    let made = it.ask(Method::POST, "/api/v1/jobs/").by_client().json(&body).send().await?;
    status(&made, 201)?;
    let id = made.text("/id");
    let put = it.ask(Method::PUT, &format!("{PATH}/{id}/status/")).by_client();
    let put = put.json(&json!({ "status": "running" })).send().await?;
    same("put", (put.status, put.text("/status")), (200, "running"))?;
    let listed = read(it, &format!("/api/v1/jobs/?status=running&search={}", it.token())).await?;
    demand!(texts(list(&listed, "/jobs")?, "id").contains(&id), "{}", listed.body);
    Ok(())
}

async fn told(it: &Subject) -> Outcome {
    let id = made(it, &json!({ "title": title(it, "told") })).await?;
    status(&set(it, &id, "running").await?, 200)?;
    let patch = it.ask(Method::PATCH, &format!("{PATH}/{id}")).by_client();
    status(&patch.json(&json!({ "priority": "low" })).send().await?, 200)?;
    status(&set(it, &id, "completed").await?, 200)?;
    let gone = it.ask(Method::DELETE, &format!("{PATH}/{id}")).by_client().send().await?;
    same("deleted", gone.status, 204)?;
    let expected = ["job.created", "job.running", "job.updated", "job.completed", "job.deleted"];
    same("told", events_of(it, &id).await?, expected.map(str::to_owned).to_vec())
}
