//! `GET /pipeline/{id}/events`: the journal as server-sent events.

use serde_json::{Value, json};

use super::expect::{
    EVENT_ID_INVALID, KEY_REQUIRED, PIPELINE_NOT_FOUND, QUERY_INVALID, demand, fault, moment, same,
    status,
};
use super::subject::{AFTER_REVIEW, NOBODY};
use super::{Outcome, Phase, Subject, cases};
use crate::client::Reply;

pub fn phase() -> Phase {
    Phase {
        title: "Events",
        cases: cases![
            "the history of a finished execution is told, and its end" => history,
            "what goes on is told until its end" => live,
            "after Last-Event-ID comes what follows" => resumed,
            "the parameter does what the header does" => by_parameter,
            "after the last event comes the end alone" => nothing_left,
            "an id that is none of this execution's is 400" => unknown_ids,
            "events want a credential" => credentials,
            "events of an unknown execution are 404" => unknown,
            "no event shows the template's snapshot or an address" => without_secrets,
            "the document says that events are a stream" => documented,
        ],
    }
}

/// One event as it was received.
struct Event {
    id: Option<String>,
    kind: String,
    data: Value,
}

/// The events of a stream that was read to its end.
fn events(reply: &Reply) -> Result<Vec<Event>, String> {
    status(reply, 200)?;
    let kind = reply.header("content-type").unwrap_or_default();
    demand!(kind.starts_with("text/event-stream"), "content-type is {kind:?}");
    same("cache-control", reply.header("cache-control"), Some("no-store"))?;
    let text = reply.body.as_str().unwrap_or_default();
    let mut events = Vec::new();
    for block in text.split("\n\n").filter(|block| block.contains("data: ")) {
        let field = |name: &str| {
            let lines = block.lines();
            lines.filter_map(|line| line.strip_prefix(name)?.strip_prefix(": ")).next()
        };
        let data = field("data").unwrap_or_default();
        let data = serde_json::from_str(data).map_err(|error| format!("{data}: {error}"))?;
        let kind = field("event").unwrap_or_default().to_owned();
        events.push(Event { id: field("id").map(str::to_owned), kind, data });
    }
    demand!(!events.is_empty(), "no events: {text}");
    Ok(events)
}

/// The ids of all events but the end, in order.
fn ids(events: &[Event]) -> Result<Vec<String>, String> {
    let Some((end, told)) = events.split_last() else { return Err("no events".to_owned()) };
    same("the last event", end.kind.as_str(), "end")?;
    same("its id", end.id.as_deref(), None)?;
    let mut places = Vec::new();
    for event in told {
        let id = event.id.clone().unwrap_or_default();
        let place = id
            .split_once('.')
            .and_then(|(seq, n)| Some((seq.parse::<u64>().ok()?, n.parse::<u64>().ok()?)));
        places.push(place.ok_or_else(|| format!("{id:?} is no id of an event"))?);
        same("type", event.data["type"].as_str(), Some(event.kind.as_str()))?;
        moment(event.data["at"].as_str().unwrap_or_default())?;
    }
    demand!(places.is_sorted_by(|one, next| one < next), "ids out of order: {places:?}");
    Ok(told.iter().filter_map(|event| event.id.clone()).collect())
}

async fn read(it: &Subject, id: &str, after: Option<&str>) -> Result<Vec<Event>, String> {
    let ask = it.get(&format!("/pipeline/{id}/events")).by_client();
    let ask = match after {
        Some(after) => ask.header("last-event-id", after),
        None => ask,
    };
    events(&ask.send().await?)
}

fn whole(events: &[Event], id: &str) -> Outcome {
    let first = events.first().ok_or("no events")?;
    same("the first event", first.kind.as_str(), "started")?;
    same("id", first.data["id"].as_str(), Some(id))?;
    same("its id", first.id.as_deref(), Some("1.1"))?;
    demand!(first.data["request"].is_object(), "no request: {}", first.data);
    demand!(first.data["template"].is_string(), "no template: {}", first.data);
    for kind in ["attempt_started", "step_succeeded", "finished"] {
        demand!(events.iter().any(|event| event.kind == kind), "no event {kind}");
    }
    Ok(())
}

async fn history(it: &Subject) -> Outcome {
    let id = it.basic().await?.text("/pipeline_id");
    let told = read(it, id, None).await?;
    ids(&told)?;
    whole(&told, id)
}

/// The stream is read up to the wait before the approval is given: what was told until then was
/// told while the execution went on.
async fn live(it: &Subject) -> Outcome {
    let id = it.reviewed().await?;
    let ask = it.get(&format!("/pipeline/{id}/events")).by_client();
    let mut stream = ask.header("last-event-id", "1.1").open().await?;
    let (status, headers) = (stream.status().as_u16(), stream.headers().clone());
    let mut text = String::new();
    while !text.contains("event: wait_started\n") {
        text.push_str(&part(&mut stream).await?.ok_or("the stream ended before its end")?);
    }
    demand!(!text.contains("event: end\n"), "an execution that waits has ended: {text}");
    let approved = it.review(&id).json(&json!({ "approved": true })).send().await?;
    demand!(approved.status < 300, "the approval is {}: {}", approved.status, approved.body);
    while let Some(more) = part(&mut stream).await? {
        text.push_str(&more);
    }
    let told = events(&Reply { status, headers, body: Value::String(text) })?;
    same("what was told live", ids(&told)?, ids(&read(it, &id, Some("1.1")).await?)?)?;
    whole(&read(it, &id, None).await?, &id)?;
    let done = |event: &Event| {
        event.kind == "step_succeeded" && event.data["step"].as_str() == Some(AFTER_REVIEW)
    };
    demand!(told.iter().any(done), "{AFTER_REVIEW} was not told to have succeeded");
    let last = told.iter().rev().find(|event| event.kind == "finished");
    let ended = last.and_then(|event| event.data["status"].as_str());
    same("how it ended", ended, Some(it.shown(&id).await?.text("/status")))
}

/// What comes next of a stream; nothing at its end.
async fn part(stream: &mut reqwest::Response) -> Result<Option<String>, String> {
    let bytes = stream.chunk().await.map_err(|error| error.to_string())?;
    Ok(bytes.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()))
}

async fn resumed(it: &Subject) -> Outcome {
    let id = it.basic().await?.text("/pipeline_id");
    let all = ids(&read(it, id, None).await?)?;
    for (place, after) in all.iter().enumerate() {
        let rest = ids(&read(it, id, Some(after)).await?)?;
        same("what follows", rest.as_slice(), &all[place + 1..])?;
    }
    Ok(())
}

async fn by_parameter(it: &Subject) -> Outcome {
    let id = it.basic().await?.text("/pipeline_id");
    let path = format!("/pipeline/{id}/events?last_event_id=1.1");
    let rest = ids(&events(&it.get(&path).by_client().send().await?)?)?;
    same("what follows", rest, ids(&read(it, id, Some("1.1")).await?)?)
}

async fn nothing_left(it: &Subject) -> Outcome {
    let id = it.basic().await?.text("/pipeline_id");
    let all = ids(&read(it, id, None).await?)?;
    let last = all.last().ok_or("no ids")?;
    same("the number of events", read(it, id, Some(last)).await?.len(), 1)
}

async fn unknown_ids(it: &Subject) -> Outcome {
    let id = it.basic().await?.text("/pipeline_id");
    let path = format!("/pipeline/{id}/events");
    for after in ["soon", "1", "1.", "0.1", "1.0", "1.999", "999999.1", "-1.1"] {
        let reply = it.get(&path).by_client().header("last-event-id", after).send().await?;
        fault(&reply, EVENT_ID_INVALID).map_err(|found| format!("{after}: {found}"))?;
        let reply = it.get(&format!("{path}?last_event_id={after}")).by_client().send().await?;
        fault(&reply, EVENT_ID_INVALID).map_err(|found| format!("?{after}: {found}"))?;
    }
    fault(&it.get(&format!("{path}?after=1.1")).by_client().send().await?, QUERY_INVALID)
}

async fn credentials(it: &Subject) -> Outcome {
    let id = it.basic().await?.text("/pipeline_id");
    fault(&it.get(&format!("/pipeline/{id}/events")).send().await?, KEY_REQUIRED)
}

async fn unknown(it: &Subject) -> Outcome {
    for id in [NOBODY, "nope"] {
        let reply = it.get(&format!("/pipeline/{id}/events")).by_client().send().await?;
        fault(&reply, PIPELINE_NOT_FOUND)?;
        it.document().await?.check("GET", "/pipeline/{id}/events", &reply)?;
    }
    Ok(())
}

async fn without_secrets(it: &Subject) -> Outcome {
    let id = it.report().await?.text("/pipeline_id");
    let told = read(it, id, None).await?;
    let first = told.first().ok_or("no events")?;
    for hidden in ["definition", "traceparent", "workers"] {
        demand!(first.data.get(hidden).is_none(), "the start shows {hidden}");
    }
    for (event, secret) in told
        .iter()
        .flat_map(|event| [it.client().key(), it.client().secret()].map(|secret| (event, secret)))
    {
        demand!(!event.data.to_string().contains(secret), "{} shows a secret", event.kind);
    }
    Ok(())
}

async fn documented(it: &Subject) -> Outcome {
    let pointer = "/paths/~1pipeline~1{id}~1events/get/responses/200/content";
    let content = it.document().await?.at(pointer);
    demand!(content.get("text/event-stream").is_some(), "the content is {content}");
    Ok(())
}
