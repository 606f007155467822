//! The stream of events: what is told is there once, in order, for its account alone.

use reqwest::Method;
use serde_json::{Value, json};

use super::expect::{Fault, IDEMPOTENCY_MISMATCH, KEY_REQUIRED, QUERY_INVALID, REQUEST_INVALID};
use super::expect::{demand, fault, list, moment, same, status, texts, violation};
use super::subject::BASIC;
use super::{Outcome, Phase, Subject, cases};
use crate::client::Reply;

const PATH: &str = "/api/v1/events";
const NOT_FOUND: Fault<'_> = Fault { status: 404, code: "resource.not_found", error: "Not found" };
const LOOKS_MAX: usize = 100;

pub fn phase() -> Phase {
    Phase {
        title: "The stream of events",
        cases: cases![
            "an event is told, read and found" => told,
            "an event that is told twice is there once" => once,
            "an event that does not fit is refused with its place" => garbage,
            "events come in pages, in both orders, without a gap" => pages,
            "a moment bounds a list of events" => moments,
            "an execution tells of its end" => executions,
            "events are told to who listens, from where they were" => tailed,
            "administration is told to administrators alone" => administration,
        ],
    }
}

async fn tell(it: &Subject, body: &Value) -> Result<Reply, String> {
    it.ask(Method::POST, PATH).by_client().json(body).send().await
}

async fn read(it: &Subject, path: &str) -> Result<Reply, String> {
    it.get(path).by_client().send().await
}

/// A type that no other pass uses.
fn kind(it: &Subject, name: &str) -> String {
    format!("suite.{}.{name}", it.token().to_lowercase())
}

async fn told(it: &Subject) -> Outcome {
    let kind = kind(it, "told");
    let body = json!({ "type": kind, "subject": "web", "payload": { "n": [1, null] } });
    let made = tell(it, &body).await?;
    status(&made, 201)?;
    same("topic", made.text("/topic"), "custom")?;
    same("payload", &made.body["payload"], &body["payload"])?;
    demand!(made.text("/actor").starts_with("key:"), "actor {}", made.text("/actor"));
    moment(made.text("/created_at"))?;
    let path = format!("{PATH}/{}", made.body["id"]);
    same("itself", &read(it, &path).await?.body, &made.body)?;
    for query in [format!("type={kind}"), format!("type={kind}&topic=custom&subject=web")] {
        let found = read(it, &format!("{PATH}?{query}")).await?;
        same("found", list(&found, "/events")?, &vec![made.body.clone()])?;
    }
    let none = read(it, &format!("{PATH}?type={kind}&subject=api")).await?;
    same("none", list(&none, "/events")?.len(), 0)?;
    fault(&read(it, &format!("{PATH}/9007199254740000")).await?, NOT_FOUND)?;
    fault(&read(it, &format!("{PATH}/soon")).await?, NOT_FOUND)?;
    fault(&it.get(PATH).send().await?, KEY_REQUIRED)
}

async fn once(it: &Subject) -> Outcome {
    let (kind, id) = (kind(it, "once"), format!("once-{}", it.token()));
    let body = json!({ "type": kind, "event_id": id });
    let first = tell(it, &body).await?;
    status(&first, 201)?;
    let again = tell(it, &body).await?;
    status(&again, 200)?;
    same("told again", &again.body, &first.body)?;
    let by_key = it.ask(Method::POST, PATH).by_client().header("idempotency-key", &id);
    let by_key = by_key.json(&json!({ "type": kind })).send().await?;
    same("by its key", (by_key.status, &by_key.body), (200, &first.body))?;
    let other = tell(it, &json!({ "type": kind, "event_id": id, "payload": 1 })).await?;
    fault(&other, IDEMPOTENCY_MISMATCH)?;
    let found = read(it, &format!("{PATH}?type={kind}")).await?;
    same("there", list(&found, "/events")?.len(), 1)
}

async fn garbage(it: &Subject) -> Outcome {
    for (body, pointer, code) in [
        (json!({}), "/type", "required"),
        (json!({ "type": "Deploy" }), "/type", "pattern"),
        (json!({ "type": "a..b" }), "/type", "pattern"),
        (json!({ "type": "job.created" }), "/type", "reserved"),
        (json!({ "type": "administration.x" }), "/type", "reserved"),
        (json!({ "type": "a.b", "event_id": "" }), "/event_id", "min_length"),
        (json!({ "type": "a.b", "topic": "jobs" }), "/topic", "unknown"),
    ] {
        let reply = tell(it, &body).await?;
        fault(&reply, REQUEST_INVALID)?;
        let places = texts(list(&reply, "/violations")?, "pointer");
        demand!(places.contains(&pointer), "{body}: {code} at {pointer}: {}", reply.body);
    }
    violation(&tell(it, &json!({ "type": "jobs.x" })).await?, "/type", "reserved")?;
    let large = json!({ "type": "a.b", "payload": "x".repeat(66_000) });
    same("too large", tell(it, &large).await?.status, 413)?;
    for query in ["type=", "topic=nothing", "from=soon", "cursor=x", "limit=0", "order=up", "x=1"] {
        fault(&read(it, &format!("{PATH}?{query}")).await?, QUERY_INVALID)?;
    }
    Ok(())
}

async fn pages(it: &Subject) -> Outcome {
    let kind = kind(it, "pages");
    let mut ids = Vec::new();
    for n in 0..5 {
        let made = tell(it, &json!({ "type": kind, "payload": n })).await?;
        status(&made, 201)?;
        ids.push(made.body["id"].as_u64().unwrap_or_default());
    }
    demand!(ids.is_sorted() && ids[0] > 0, "numbers do not grow: {ids:?}");
    for (order, expected) in [("asc", ids.clone()), ("desc", ids.iter().rev().copied().collect())] {
        let mut found = Vec::new();
        let mut cursor = String::new();
        for _ in 0..4 {
            let path = format!("{PATH}?type={kind}&order={order}&limit=2{cursor}");
            let page = read(it, &path).await?;
            found.extend(list(&page, "/events")?.iter().filter_map(|e| e["id"].as_u64()));
            match page.body["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => break,
            }
        }
        same(order, found, expected)?;
    }
    Ok(())
}

async fn moments(it: &Subject) -> Outcome {
    let kind = kind(it, "moments");
    let first = tell(it, &json!({ "type": kind, "payload": 1 })).await?;
    tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    let last = tell(it, &json!({ "type": kind, "payload": 2 })).await?;
    status(&last, 201)?;
    let (early, late) = (first.text("/created_at"), last.text("/created_at"));
    for (query, expected) in [
        (format!("from={late}"), vec![2]),
        (format!("to={early}"), vec![1]),
        (format!("from={early}&to={late}"), vec![2, 1]),
        ("from=2999-01-01T00:00:00Z".to_owned(), vec![]),
        ("to=1999-01-01T00:00:00Z".to_owned(), vec![]),
    ] {
        let found = read(it, &format!("{PATH}?type={kind}&{query}")).await?;
        let found: Vec<i64> =
            list(&found, "/events")?.iter().filter_map(|e| e["payload"].as_i64()).collect();
        same(&query, found, expected)?;
    }
    Ok(())
}

async fn executions(it: &Subject) -> Outcome {
    let done = it.complete(&it.basic_request()).await?;
    status(&done, 200)?;
    let id = done.text("/pipeline_id");
    for _ in 0..LOOKS_MAX {
        let found = read(it, &format!("{PATH}?subject={id}")).await?;
        let events = list(&found, "/events")?;
        if let Some(event) = events.first() {
            same("type", event["type"].as_str(), Some("execution.completed"))?;
            same("topic", event["topic"].as_str(), Some("executions"))?;
            same("template", event["payload"]["template"].as_str(), Some(BASIC))?;
            return same("status", event["payload"]["status"].as_str(), Some("completed"));
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    Err("no event tells of its end".to_owned())
}

async fn tailed(it: &Subject) -> Outcome {
    let kind = kind(it, "tail");
    let event = |n: u8| json!({ "type": kind, "subject": format!("s{n}-{}", it.token()) });
    let subject = |n: u8| format!("s{n}-{}", it.token());
    let first = tell(it, &event(1)).await?;
    status(&first, 201)?;
    status(&tell(it, &event(2)).await?, 201)?;
    let path = format!("{PATH}/tail?type={kind}");
    let ask = it.get(&path).by_client().header("last-event-id", &first.body["id"].to_string());
    let mut stream = ask.open().await?;
    same("status", stream.status().as_u16(), 200)?;
    let mut text = String::new();
    let mut sent = false;
    while !text.contains(&subject(3)) {
        let part = stream.chunk().await.map_err(|error| error.to_string())?;
        text.push_str(&String::from_utf8_lossy(&part.ok_or("the stream ended")?));
        if text.contains(&subject(2)) && !sent {
            sent = true;
            status(&tell(it, &event(3)).await?, 201)?;
        }
    }
    demand!(!text.contains(&subject(1)), "what was received comes again: {text}");
    demand!(text.contains(&format!("event: {kind}\n")), "the event has not its type: {text}");
    let bad = it.get(&path).by_client().header("last-event-id", "x").send().await?;
    same("bad id", (bad.status, bad.text("/code")), (400, "event_id.invalid"))
}

async fn administration(it: &Subject) -> Outcome {
    let name = format!("events-{}", it.token());
    let issue = it.ask(Method::POST, "/admin/api-keys").by_worker();
    let issued = issue.json(&json!({ "name": name, "scopes": ["read"] })).send().await?;
    status(&issued, 201)?;
    let id = issued.text("/api_key/id").to_owned();
    let path = format!("{PATH}?subject={id}");
    let seen = it.get(&path).by_worker().send().await?;
    same("seen", texts(list(&seen, "/events")?, "type"), vec!["administration.api_key_issued"])?;
    let hidden = read(it, &path).await?;
    same("hidden", list(&hidden, "/events")?.len(), 0)?;
    let revoke = it.ask(Method::DELETE, &format!("/admin/api-keys/{id}")).by_worker();
    demand!((200..300).contains(&revoke.send().await?.status), "the key is not revoked");
    Ok(())
}
