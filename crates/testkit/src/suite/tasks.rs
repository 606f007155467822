//! Tasks: made, found, changed one version at a time, claimed and completed; and those that an
//! execution opens while it waits for an approval.

use std::collections::BTreeSet;

use futures::future::try_join_all;
use reqwest::Method;
use serde_json::{Value, json};

use super::expect::{IDEMPOTENCY_MISMATCH, KEY_REQUIRED, QUERY_INVALID, REQUEST_INVALID};
use super::expect::{demand, fault, list, moment, same, status, texts, violation};
use super::subject::REVIEW;
use super::task_faults::{ASKED, CHANGED, CLAIMED, CLOSED, NOT_FOUND, OTHERS, OWN, VERSION};
use super::{Outcome, Phase, Subject, cases};
use crate::client::Reply;

const TASKS: &str = "/api/v1/collab/tasks";
const LIST: &str = "/api/v1/collab/state/tasks";
const ONE: &str = "/api/v1/collab/tasks/{task_id}";
const WRITERS: u64 = 20;

pub fn phase() -> Phase {
    Phase {
        title: "Tasks",
        cases: cases![
            "a task is made, read, changed and taken away" => life,
            "of twenty writers of one version one is served" => writers,
            "a change names its version, in the body or in If-Match" => versions,
            "a task is claimed, given back and completed" => claims,
            "a task is for its candidates, and for nobody who must not" => candidates,
            "what completes a task fits its form, or everything wrong is told" => forms,
            "a key makes one task" => keys,
            "a task that does not fit is refused with its place" => garbage,
            "lists are filtered and show what was just written" => lists,
            "tasks want a credential" => credentials,
            "an execution that waits for an approval opens a task" => approval,
            "an approval that is withheld asks anew, in a task of its own" => withheld,
            "a task closes with what it was for" => closes,
        ],
    }
}

async fn post(it: &Subject, path: &str, body: &Value) -> Result<Reply, String> {
    it.ask(Method::POST, path).by_client().json(body).send().await
}

async fn patch(it: &Subject, path: &str, body: &Value) -> Result<Reply, String> {
    it.ask(Method::PATCH, path).by_client().json(body).send().await
}

async fn read(it: &Subject, path: &str) -> Result<Reply, String> {
    it.get(path).by_client().send().await
}

fn place(task: &Value) -> String {
    format!("{TASKS}/{}", task["task_id"].as_str().unwrap_or_default())
}

async fn made(it: &Subject, body: Value) -> Result<Reply, String> {
    let reply = post(it, TASKS, &body).await?;
    status(&reply, 201)?;
    same("Location", reply.header("location"), Some(place(&reply.body).as_str()))?;
    demand!(reply.header("etag").is_some(), "no ETag");
    Ok(reply)
}

/// The state that comes with a refusal.
fn current(reply: &Reply, version: u64) -> Outcome {
    same("current", reply.body["current"]["version"].as_u64(), Some(version))
}

async fn life(it: &Subject) -> Outcome {
    let title = format!("Read {}", it.token());
    let body = json!({ "title": title, "due_at": "2026-11-28T12:00:00+02:00", "priority": "high" });
    let task = made(it, body).await?;
    it.document().await?.check("POST", TASKS, &task)?;
    same("title", task.text("/title"), title.as_str())?;
    same("status", task.text("/status"), "open")?;
    same("due_at", task.text("/due_at"), "2026-11-28T10:00:00.000Z")?;
    same("version", task.body["version"].as_u64(), Some(1))?;
    moment(task.text("/created_at"))?;
    let path = place(&task.body);
    let shown = read(it, &path).await?;
    it.document().await?.check("GET", ONE, &shown)?;
    same("what was read", &shown.body, &task.body)?;
    same("ETag", shown.header("etag"), task.header("etag"))?;
    let change = json!({ "version": 1, "due_at": null, "metadata": { "a": { "b": 1 }, "c": 2 } });
    status(&patch(it, &path, &change).await?, 200)?;
    let change = json!({ "version": 2, "metadata": { "a": { "d": 3 }, "c": null } });
    let changed = patch(it, &path, &change).await?;
    it.document().await?.check("PATCH", ONE, &changed)?;
    same("metadata", &changed.body["metadata"], &json!({ "a": { "b": 1, "d": 3 } }))?;
    same("due_at", &changed.body["due_at"], &Value::Null)?;
    same("priority", changed.text("/priority"), "high")?;
    demand!(changed.header("etag") != task.header("etag"), "the ETag stays");
    let gone = it.ask(Method::DELETE, &path).by_client().send().await?;
    same("status", gone.status, 204)?;
    fault(&read(it, &path).await?, NOT_FOUND)?;
    fault(&it.ask(Method::DELETE, &path).by_client().send().await?, NOT_FOUND)
}

async fn writers(it: &Subject) -> Outcome {
    let path = place(&made(it, json!({ "title": "Count" })).await?.body);
    let one = |n: u64| {
        let (body, path) = (json!({ "version": 1, "metadata": { "n": n } }), path.clone());
        async move { patch(it, &path, &body).await }
    };
    let replies = try_join_all((0..WRITERS).map(one)).await?;
    let won: Vec<&Reply> = replies.iter().filter(|reply| reply.status == 200).collect();
    same("writers that were served", won.len(), 1)?;
    for reply in replies.iter().filter(|reply| reply.status != 200) {
        fault(reply, VERSION)?;
        current(reply, 2)?;
        same("what it shows", &reply.body["current"]["metadata"], &won[0].body["metadata"])?;
    }
    same("what stands", &read(it, &path).await?.body, &won[0].body)
}

async fn versions(it: &Subject) -> Outcome {
    let task = made(it, json!({ "title": "Version" })).await?;
    let path = place(&task.body);
    let unnamed = patch(it, &path, &json!({ "title": "x" })).await?;
    fault(&unnamed, REQUEST_INVALID)?;
    violation(&unnamed, "/version", "required")?;
    let stale = patch(it, &path, &json!({ "version": 7, "title": "x" })).await?;
    fault(&stale, VERSION)?;
    current(&stale, 1)?;
    it.document().await?.check("PATCH", ONE, &stale)?;
    let with = |tag: &str, body: Value| {
        it.ask(Method::PATCH, &path).by_client().header("If-Match", tag).json(&body)
    };
    let tag = task.header("etag").unwrap_or_default();
    status(&with(tag, json!({ "title": "Versions" })).send().await?, 200)?;
    fault(&with(tag, json!({ "title": "Again" })).send().await?, CHANGED)?;
    let same_title = patch(it, &path, &json!({ "version": 2, "title": "Versions" })).await?;
    status(&same_title, 200)?;
    same("a change of nothing", same_title.body["version"].as_u64(), Some(2))
}

async fn claims(it: &Subject) -> Outcome {
    let path = place(&made(it, json!({ "title": "Claim" })).await?.body);
    let act = |what: &'static str, body: Value| {
        let path = format!("{path}/{what}");
        async move { post(it, &path, &body).await }
    };
    let claimed = act("claim", json!({ "version": 1 })).await?;
    it.document().await?.check("POST", &format!("{ONE}/claim"), &claimed)?;
    same("status", claimed.text("/status"), "claimed")?;
    moment(claimed.text("/claimed_at"))?;
    same("again", &act("claim", json!({})).await?.body, &claimed.body)?;
    let worker = it.ask(Method::POST, &format!("{path}/claim")).by_worker().json(&json!({}));
    let other = worker.send().await?;
    fault(&other, CLAIMED)?;
    current(&other, 2)?;
    let other = it.ask(Method::POST, &format!("{path}/complete")).by_worker().json(&json!({}));
    fault(&other.send().await?, CLAIMED)?;
    fault(&act("release", json!({ "version": 1 })).await?, VERSION)?;
    let released = act("release", json!({ "version": 2 })).await?;
    same("status", released.text("/status"), "open")?;
    same("claimed_by", &released.body["claimed_by"], &Value::Null)?;
    let done = act("complete", json!({ "data": { "verdict": "good" } })).await?;
    it.document().await?.check("POST", &format!("{ONE}/complete"), &done)?;
    same("status", done.text("/status"), "completed")?;
    same("result", &done.body["result"], &json!({ "verdict": "good" }))?;
    let again = act("complete", json!({ "data": { "verdict": "good" } })).await?;
    same("again", &again.body, &done.body)?;
    for reply in [
        act("complete", json!({ "data": { "verdict": "poor" } })).await?,
        act("claim", json!({})).await?,
        act("release", json!({})).await?,
        patch(it, &path, &json!({ "version": 4, "title": "x" })).await?,
    ] {
        fault(&reply, CLOSED)?;
        current(&reply, 4)?;
    }
    let cancel = place(&made(it, json!({ "title": "Cancel" })).await?.body);
    let cancelled = patch(it, &cancel, &json!({ "version": 1, "status": "cancelled" })).await?;
    same("status", cancelled.text("/status"), "cancelled")?;
    moment(cancelled.text("/closed_at"))
}

async fn candidates(it: &Subject) -> Outcome {
    let body = json!({ "title": "Theirs", "candidates": ["nobody@example.org", "role:viewer"] });
    let path = place(&made(it, body).await?.body);
    for what in ["claim", "complete"] {
        let refused = post(it, &format!("{path}/{what}"), &json!({})).await?;
        fault(&refused, OTHERS)?;
        demand!(refused.text("/detail").contains("nobody@example.org"), "{}", refused.body);
    }
    let body = json!({ "title": "Not mine", "forbid_self_approval": true });
    let path = place(&made(it, body).await?.body);
    fault(&post(it, &format!("{path}/claim"), &json!({})).await?, OWN)?;
    let worker = it.ask(Method::POST, &format!("{path}/complete")).by_worker().json(&json!({}));
    let done = worker.send().await?;
    same("status", done.text("/status"), "completed")
}

async fn forms(it: &Subject) -> Outcome {
    let form = json!({
        "type": "object", "required": ["verdict", "score"], "additionalProperties": false,
        "properties": { "verdict": { "enum": ["good", "poor"] }, "score": { "type": "integer" } },
    });
    let path = place(&made(it, json!({ "title": "Fill in", "form": form })).await?.body);
    let complete = format!("{path}/complete");
    let refused = post(it, &complete, &json!({ "data": { "verdict": "so-so", "x": 1 } })).await?;
    fault(&refused, REQUEST_INVALID)?;
    for (pointer, code) in
        [("/data/verdict", "enum"), ("/data/score", "required"), ("/data/x", "unknown_field")]
    {
        violation(&refused, pointer, code)?;
    }
    let refused = post(it, &complete, &json!({ "approved": true })).await?;
    violation(&refused, "/approved", "misplaced")?;
    violation(&refused, "/data/score", "required")?;
    let data = json!({ "verdict": "good", "score": 3 });
    let done = post(it, &complete, &json!({ "data": data })).await?;
    same("result", &done.body["result"], &data)
}

async fn keys(it: &Subject) -> Outcome {
    let key = format!("{}/task", it.token());
    let ask = |title: &str| {
        let ask = it.ask(Method::POST, TASKS).by_client().header("Idempotency-Key", &key);
        ask.json(&json!({ "title": title }))
    };
    let first = ask("Once").send().await?;
    status(&first, 201)?;
    let again = ask("Once").send().await?;
    status(&again, 201)?;
    same("the second", &again.body, &first.body)?;
    fault(&ask("Twice").send().await?, IDEMPOTENCY_MISMATCH)
}

async fn garbage(it: &Subject) -> Outcome {
    let body = json!({
        "title": " ", "candidates": ["ada@example.org", "ADA@example.org", "king"],
        "due_at": "soon", "form": { "type": "strnig" }, "colour": "red",
    });
    let refused = post(it, TASKS, &body).await?;
    fault(&refused, REQUEST_INVALID)?;
    violation(&refused, "/title", "pattern")?;
    violation(&refused, "/colour", "unknown_field")?;
    let body = json!({
        "title": "Read", "candidates": ["ada@example.org", "ADA@example.org", "king"],
        "due_at": "soon", "form": { "type": "strnig" },
        "metadata": { "x": "y".repeat(17_000) },
        "escalation": { "at": "2026-11-28T10:00:00Z", "candidates": ["role:king"] },
    });
    let refused = post(it, TASKS, &body).await?;
    fault(&refused, REQUEST_INVALID)?;
    for (pointer, code) in [
        ("/candidates/1", "duplicate"),
        ("/candidates/2", "candidate"),
        ("/due_at", "format"),
        ("/metadata", "too_large"),
        ("/escalation/candidates/0", "candidate"),
    ] {
        violation(&refused, pointer, code)?;
    }
    it.document().await?.check("POST", TASKS, &refused)?;
    let refused = post(it, TASKS, &json!({ "title": "Read", "job_id": "nowhere" })).await?;
    violation(&refused, "/job_id", "unknown")?;
    fault(&read(it, &format!("{TASKS}/nowhere")).await?, NOT_FOUND)?;
    let refused = read(it, &format!("{LIST}?status=done&due_before=soon&who=me")).await?;
    fault(&refused, QUERY_INVALID)
}

async fn lists(it: &Subject) -> Outcome {
    let word = format!("w{}", it.token());
    let mut ids = Vec::new();
    for n in 0..3 {
        let candidates = if n == 0 { json!(["role:viewer"]) } else { json!([]) };
        let body = json!({ "title": format!("{word} {n}"), "candidates": candidates });
        ids.insert(0, made(it, body).await?.text("/task_id").to_owned());
        let shown = read(it, &format!("{LIST}?search={word}&limit=1")).await?;
        same("the newest", texts(list(&shown, "/tasks")?, "task_id"), vec![ids[0].as_str()])?;
    }
    let all = read(it, &format!("{LIST}?search={}&total=true", word.to_uppercase())).await?;
    it.document().await?.check("GET", LIST, &all)?;
    same(
        "tasks",
        texts(list(&all, "/tasks")?, "task_id"),
        ids.iter().map(String::as_str).collect(),
    )?;
    same("total", all.body["total"].as_u64(), Some(3))?;
    let mut met = BTreeSet::new();
    let mut cursor = String::new();
    for _ in 0..3 {
        let page = read(it, &format!("{LIST}?search={word}&limit=1{cursor}")).await?;
        met.extend(texts(list(&page, "/tasks")?, "task_id").into_iter().map(str::to_owned));
        cursor = format!("&cursor={}", page.text("/next_cursor"));
    }
    same("pages", met.len(), 3)?;
    let claim = post(it, &format!("{TASKS}/{}/claim", ids[1]), &json!({})).await?;
    let holder = claim.text("/claimed_by").to_owned();
    let word = word.as_str();
    let found = |query: String| async move {
        let page = read(it, &format!("{LIST}?search={word}&{query}")).await?;
        let ids = texts(list(&page, "/tasks")?, "task_id");
        Ok::<_, String>(ids.into_iter().map(str::to_owned).collect::<Vec<_>>())
    };
    same("claimed", found("status=claimed".to_owned()).await?, vec![ids[1].clone()])?;
    same("by me", found(format!("assignee={holder}")).await?, vec![ids[1].clone()])?;
    same("for viewers", found("candidate=role:viewer".to_owned()).await?, vec![ids[2].clone()])?;
    same("mine", found("mine=true".to_owned()).await?, vec![ids[0].clone(), ids[1].clone()])
}

async fn credentials(it: &Subject) -> Outcome {
    fault(&it.get(LIST).send().await?, KEY_REQUIRED)?;
    let ask = it.ask(Method::POST, TASKS).json(&json!({ "title": "x" }));
    fault(&ask.send().await?, KEY_REQUIRED)?;
    fault(&it.ask(Method::POST, &format!("{TASKS}/x/complete")).send().await?, KEY_REQUIRED)
}

/// The task of an execution that stands so.
async fn task_of(it: &Subject, id: &str, stands: &str) -> Result<Value, String> {
    let mut last = Value::Null;
    for _ in 0..100 {
        last = read(it, &format!("{LIST}?pipeline_id={id}&status={stands}")).await?.body;
        if let Some(task) = last["tasks"].get(0) {
            return Ok(task.clone());
        }
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    }
    Err(format!("no task of {id} is {stands}: {last}"))
}

async fn approval(it: &Subject) -> Outcome {
    let id = it.reviewed().await?;
    let task = task_of(it, &id, "open").await?;
    same("step", task["step"].as_str(), Some(REVIEW))?;
    same("generation", task["generation"].as_u64(), Some(1))?;
    let path = place(&task);
    let why = read(it, &format!("/pipeline/{id}/why")).await?;
    it.document().await?.check("GET", "/pipeline/{id}/why", &why)?;
    let steps = list(&why, "/steps")?;
    let named = steps.iter().find(|step| step["step"] == REVIEW).map(|step| &step["task"]);
    same(
        "the task that is named",
        named.and_then(|task| task["task_id"].as_str()),
        task["task_id"].as_str(),
    )?;
    for reply in [
        patch(it, &path, &json!({ "version": task["version"], "title": "Wave it through" }))
            .await?,
        patch(it, &path, &json!({ "version": task["version"], "status": "cancelled" })).await?,
        it.ask(Method::DELETE, &path).by_client().send().await?,
    ] {
        fault(&reply, ASKED)?;
    }
    let undecided = post(it, &format!("{path}/complete"), &json!({ "data": [] })).await?;
    violation(&undecided, "/approved", "required")?;
    violation(&undecided, "/data", "type")?;
    let word = it.token();
    let yes = json!({ "approved": true, "data": { "note": word } });
    let done = post(it, &format!("{path}/complete"), &yes).await?;
    demand!(matches!(done.status, 200 | 202), "{}: {}", done.status, done.body);
    let end = it.follow(&id).await?;
    super::expect::completed(&end)?;
    let said = super::expect::step(&end, REVIEW)?["data"]["note"].as_str();
    same("what the form brought", said, Some(word))?;
    let done = task_of(it, &id, "completed").await?;
    same("result", &done["result"], &json!({ "approved": true, "note": word }))
}

async fn withheld(it: &Subject) -> Outcome {
    let id = it.reviewed().await?;
    let first = task_of(it, &id, "open").await?;
    let no = json!({ "approved": false });
    let done = post(it, &format!("{}/complete", place(&first)), &no).await?;
    demand!(matches!(done.status, 200 | 202), "{}: {}", done.status, done.body);
    same("status", it.follow(&id).await?.text("/status"), "partial")?;
    status(&it.verb(&id, "retry").send().await?, 200)?;
    it.until_waiting(&id).await?;
    let second = task_of(it, &id, "open").await?;
    same("generation", second["generation"].as_u64(), Some(2))?;
    let late =
        post(it, &format!("{}/complete", place(&first)), &json!({ "approved": true })).await?;
    fault(&late, CLOSED)?;
    let yes = json!({ "approved": true });
    let done = post(it, &format!("{}/complete", place(&second)), &yes).await?;
    demand!(matches!(done.status, 200 | 202), "{}: {}", done.status, done.body);
    super::expect::completed(&it.follow(&id).await?)
}

async fn closes(it: &Subject) -> Outcome {
    let (signalled, cancelled) = (it.reviewed().await?, it.reviewed().await?);
    for id in [&signalled, &cancelled] {
        task_of(it, id, "open").await?;
    }
    let yes = json!({ "approved": true, "note": "by signal" });
    demand!(it.review(&signalled).json(&yes).send().await?.status < 300, "no signal");
    status(&it.verb(&cancelled, "cancel").send().await?, 200)?;
    let done = task_of(it, &signalled, "completed").await?;
    same("result", &done["result"], &yes)?;
    let gone = task_of(it, &cancelled, "cancelled").await?;
    let complete = format!("{}/complete", place(&gone));
    fault(&post(it, &complete, &json!({ "approved": true })).await?, CLOSED)
}
