//! The store of agents: what is recorded is there once and for good, and counters agree to the
//! unit however often and from however many sides they are moved.

use futures::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};

use super::expect::{Fault, IDEMPOTENCY_MISMATCH, KEY_REQUIRED, WORKER_REQUIRED};
use super::expect::{QUERY_INVALID, REQUEST_INVALID, demand, fault, list, moment, same, status};
use super::expect::{texts, violation};
use super::{Outcome, Phase, Subject, cases};
use crate::client::Reply;

const NOT_FOUND: Fault<'_> = Fault { status: 404, code: "resource.not_found", error: "Not found" };
const EXISTS: Fault<'_> =
    Fault { status: 409, code: "resource.exists", error: "It exists already" };
const WRITERS: u64 = 50;
const BATCH: usize = 1000;

pub fn phase() -> Phase {
    Phase {
        title: "Agents",
        cases: cases![
            "an agent is made, read, changed, put away and taken away" => life,
            "two agents in use never share a name" => names,
            "what does not fit is refused with its place" => garbage,
            "who reads needs a key, who writes a worker's credentials" => credentials,
            "fifty writers report at once, some twice, and counters agree" => usage,
            "a report that comes again with other figures is refused" => usage_changed,
            "a batch of a thousand entries is appended once" => batches,
            "a batch that names an unknown agent adds nothing" => unknown_agents,
            "entries are found by filters and by words, page by page" => searched,
            "what an agent recorded outlives it" => outlived,
            "what arrives is told to who listens, from where they were" => tailed,
            "prompts, chat and system logs are recorded and found" => recorded,
            "a summary is added once" => summaries,
            "agents at a glance" => glance,
            "one orchestrator agent lives at a time" => orchestrators,
        ],
    }
}

async fn post(it: &Subject, path: &str, body: &Value) -> Result<Reply, String> {
    it.ask(Method::POST, path).by_worker().json(body).send().await
}

async fn patch(it: &Subject, path: &str, body: &Value) -> Result<Reply, String> {
    it.ask(Method::PATCH, path).by_worker().json(body).send().await
}

async fn read(it: &Subject, path: &str) -> Result<Reply, String> {
    it.get(path).by_client().send().await
}

/// A new agent of this pass: its id.
async fn agent(it: &Subject, name: &str) -> Result<String, String> {
    let name = format!("{name}-{}", it.token());
    let made = post(it, "/api/v1/agents", &json!({ "name": name, "model": "small" })).await?;
    status(&made, 201)?;
    Ok(made.text("/id").to_owned())
}

fn entry(agent: &str, id: &str, content: &str) -> Value {
    json!({
        "id": id, "agent_id": agent, "event_category": "response", "event_type": "TextBlock",
        "content": content,
    })
}

async fn life(it: &Subject) -> Outcome {
    let id = agent(it, "life").await?;
    let path = format!("/api/v1/agents/{id}");
    let made = read(it, &path).await?;
    status(&made, 200)?;
    same("status", made.text("/status"), "idle")?;
    same("total_cost", made.body["total_cost"].as_f64(), Some(0.0))?;
    moment(made.text("/created_at"))?;
    let change = json!({ "status": "blocked", "working_dir": "/srv", "metadata": { "why": "x" } });
    let changed = patch(it, &path, &change).await?;
    status(&changed, 200)?;
    same("status", changed.text("/status"), "blocked")?;
    same("metadata", &changed.body["metadata"], &json!({ "why": "x" }))?;
    let emptied = patch(it, &path, &json!({ "working_dir": null, "archived": true })).await?;
    same("working_dir", &emptied.body["working_dir"], &Value::Null)?;
    same("archived", emptied.body["archived"].as_bool(), Some(true))?;
    let listed =
        read(it, &format!("/api/v1/agents?archived=true&name=life-{}", it.token())).await?;
    demand!(texts(list(&listed, "/agents")?, "id").contains(&id.as_str()), "it is not listed");
    let gone = it.ask(Method::DELETE, &path).by_worker().send().await?;
    same("status", gone.status, 204)?;
    fault(&read(it, &path).await?, NOT_FOUND)?;
    let again = it.ask(Method::DELETE, &path).by_worker().send().await?;
    fault(&again, NOT_FOUND)
}

async fn names(it: &Subject) -> Outcome {
    let first = agent(it, "named").await?;
    let other = agent(it, "other").await?;
    let name = format!("named-{}", it.token());
    let taken = post(it, "/api/v1/agents", &json!({ "name": name, "model": "m" })).await?;
    fault(&taken, EXISTS)?;
    let path = format!("/api/v1/agents/{other}");
    fault(&patch(it, &path, &json!({ "name": name })).await?, EXISTS)?;
    let away = format!("/api/v1/agents/{first}");
    status(&patch(it, &away, &json!({ "archived": true })).await?, 200)?;
    status(&patch(it, &path, &json!({ "name": name })).await?, 200)?;
    fault(&patch(it, &away, &json!({ "archived": false })).await?, EXISTS)
}

async fn garbage(it: &Subject) -> Outcome {
    for (path, body, pointer) in [
        ("/api/v1/agents", json!({ "name": "" , "model": "m" }), "/name"),
        ("/api/v1/agents", json!({ "name": "x", "model": "m", "status": "asleep" }), "/status"),
        ("/api/v1/agents", json!({ "name": "x", "model": "m", "metadata": [] }), "/metadata"),
        (
            "/api/v1/agents",
            json!({ "name": "x", "model": "m", "input_tokens": 5 }),
            "/input_tokens",
        ),
        ("/api/v1/prompts", json!({ "author": "nobody", "prompt_text": "x" }), "/author"),
        ("/api/v1/agent-logs/batch", json!({ "entries": [] }), "/entries"),
        ("/api/v1/system-logs", json!({ "level": "LOUD", "message": "x" }), "/level"),
        (
            "/api/v1/system-logs",
            json!({ "level": "INFO", "message": "x", "timestamp": "soon" }),
            "/timestamp",
        ),
    ] {
        let refused = post(it, path, &body).await?;
        fault(&refused, REQUEST_INVALID).map_err(|found| format!("{path} {body}: {found}"))?;
        let pointers = texts(list(&refused, "/violations")?, "pointer");
        demand!(pointers.contains(&pointer), "{path} {body}: {pointers:?}");
    }
    for query in ["agents?limit=0", "agents?x=1", "agent-logs?from=soon", "chat?sender_type=x"] {
        fault(&read(it, &format!("/api/v1/{query}")).await?, QUERY_INVALID)?;
    }
    Ok(())
}

async fn credentials(it: &Subject) -> Outcome {
    for path in ["agents", "orchestrator", "prompts", "agent-logs", "system-logs", "chat"] {
        let path = format!("/api/v1/{path}");
        fault(&it.get(&path).send().await?, KEY_REQUIRED)?;
        let anonymous = it.ask(Method::POST, &path).json(&json!({})).send().await?;
        fault(&anonymous, WORKER_REQUIRED)?;
        let client = it.ask(Method::POST, &path).by_client().json(&json!({})).send().await?;
        same(&path, (client.status, client.text("/code")), (403, "auth.scope_missing"))?;
    }
    Ok(())
}

async fn usage(it: &Subject) -> Outcome {
    let id = agent(it, "used").await?;
    let path = format!("/api/v1/agents/{id}/usage");
    let reports = (1..=WRITERS).flat_map(|n| (0..=n % 2).map(move |_| n));
    let send = |n: u64| {
        let report = json!({
            "report_id": format!("{}-{n}", it.token()), "input_tokens": n, "output_tokens": 2 * n,
            "cost_micro_usd": 7 * n,
        });
        let path = &path;
        async move { post(it, path, &report).await }
    };
    for reply in join_all(reports.map(send)).await {
        status(&reply?, 200)?;
    }
    let total = WRITERS * (WRITERS + 1) / 2;
    let shown = read(it, &format!("/api/v1/agents/{id}")).await?;
    same("input_tokens", shown.body["input_tokens"].as_u64(), Some(total))?;
    same("output_tokens", shown.body["output_tokens"].as_u64(), Some(2 * total))?;
    let cost = shown.body["total_cost_micro_usd"].as_u64();
    same("total_cost_micro_usd", cost, Some(7 * total))?;
    let summary = read(it, &format!("/api/v1/agents/{id}/summary")).await?;
    let usage = list(&summary, "/usage")?;
    same("reports", usage.iter().filter_map(|day| day["reports"].as_u64()).sum(), WRITERS)?;
    let spent: u64 = usage.iter().filter_map(|day| day["cost_micro_usd"].as_u64()).sum();
    same("cost by day", spent, 7 * total)
}

async fn usage_changed(it: &Subject) -> Outcome {
    let id = agent(it, "changed").await?;
    let path = format!("/api/v1/agents/{id}/usage");
    let report = |tokens: u64| {
        json!({
            "report_id": format!("changed-{}", it.token()), "input_tokens": tokens,
            "output_tokens": 0, "cost_micro_usd": 0,
        })
    };
    let first = post(it, &path, &report(5)).await?;
    same("duplicate", first.body["duplicate"].as_bool(), Some(false))?;
    let again = post(it, &path, &report(5)).await?;
    same("duplicate", again.body["duplicate"].as_bool(), Some(true))?;
    fault(&post(it, &path, &report(6)).await?, IDEMPOTENCY_MISMATCH)?;
    same("input_tokens", again.body["input_tokens"].as_u64(), Some(5))?;
    let nobody = format!("/api/v1/agents/nobody-{}/usage", it.token());
    fault(&post(it, &nobody, &report(5)).await?, IDEMPOTENCY_MISMATCH)
}

async fn batches(it: &Subject) -> Outcome {
    let id = agent(it, "batch").await?;
    let entries: Vec<Value> =
        (0..BATCH).map(|n| entry(&id, &format!("b-{}-{n}", it.token()), "step")).collect();
    let sent = json!({ "entries": entries });
    let first = post(it, "/api/v1/agent-logs/batch", &sent).await?;
    status(&first, 200)?;
    same("first", first.body, json!({ "received": BATCH, "appended": BATCH, "duplicates": 0 }))?;
    let again = post(it, "/api/v1/agent-logs/batch", &sent).await?;
    same("again", again.body, json!({ "received": BATCH, "appended": 0, "duplicates": BATCH }))?;
    let too_many: Vec<Value> = (0..=BATCH).map(|_| entry(&id, "x", "")).collect();
    let refused = post(it, "/api/v1/agent-logs/batch", &json!({ "entries": too_many })).await?;
    fault(&refused, REQUEST_INVALID)
}

async fn unknown_agents(it: &Subject) -> Outcome {
    let id = agent(it, "known").await?;
    let good = format!("good-{}", it.token());
    let sent = json!({ "entries": [entry(&id, &good, "x"), entry("nobody", "bad", "x")] });
    let refused = post(it, "/api/v1/agent-logs/batch", &sent).await?;
    fault(&refused, REQUEST_INVALID)?;
    violation(&refused, "/entries/1/agent_id", "agent.unknown")?;
    fault(&read(it, &format!("/api/v1/agent-logs/{good}")).await?, NOT_FOUND)
}

async fn searched(it: &Subject) -> Outcome {
    const ENTRIES: usize = 25;
    let id = agent(it, "search").await?;
    let entries: Vec<Value> = (0..ENTRIES)
        .map(|n| {
            let text = format!("Reads café{} number {n}", it.token());
            entry(&id, &format!("s-{}-{n:02}", it.token()), &text)
        })
        .collect();
    let sent = json!({ "entries": entries });
    status(&post(it, "/api/v1/agent-logs/batch", &sent).await?, 200)?;
    for query in [
        format!("agent_id={id}"),
        format!("q=CAFE{}", it.token()),
        format!("q=caf*%20reads&agent_id={id}"),
    ] {
        let (mut met, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = read(it, &format!("/api/v1/agent-logs?{query}&limit=10{cursor}")).await?;
            status(&page, 200)?;
            let ids = texts(list(&page, "/agent_logs")?, "id");
            met.extend(ids.into_iter().map(str::to_owned));
            match page.body["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => break,
            }
        }
        let expected: Vec<String> =
            (0..ENTRIES).rev().map(|n| format!("s-{}-{n:02}", it.token())).collect();
        same(&query, met, expected)?;
    }
    let odd = read(it, "/api/v1/agent-logs?q=%22%20OR%20NEAR(%20*%20-").await?;
    status(&odd, 200)?;
    same("odd words", list(&odd, "/agent_logs")?.len(), 0)
}

async fn outlived(it: &Subject) -> Outcome {
    let id = agent(it, "mortal").await?;
    let log = format!("m-{}", it.token());
    status(&post(it, "/api/v1/agent-logs", &entry(&id, &log, "x")).await?, 201)?;
    let gone = it.ask(Method::DELETE, &format!("/api/v1/agents/{id}")).by_worker().send().await?;
    same("status", gone.status, 204)?;
    let kept = read(it, &format!("/api/v1/agent-logs?agent_id={id}")).await?;
    same("kept", texts(list(&kept, "/agent_logs")?, "id"), vec![log.as_str()])?;
    let late = post(it, "/api/v1/agent-logs", &entry(&id, "late", "x")).await?;
    violation(&late, "/agent_id", "agent.unknown")
}

async fn tailed(it: &Subject) -> Outcome {
    let id = agent(it, "tail").await?;
    let log = |n: u8| format!("t-{}-{n}", it.token());
    let first = post(it, "/api/v1/agent-logs", &entry(&id, &log(1), "x")).await?;
    let seq = first.body["seq"].as_u64().unwrap_or_default();
    status(&post(it, "/api/v1/agent-logs", &entry(&id, &log(2), "x")).await?, 201)?;
    let path = format!("/api/v1/agent-logs/tail?agent_id={id}");
    let ask = it.get(&path).by_client().header("last-event-id", &seq.to_string());
    let mut stream = ask.open().await?;
    same("status", stream.status().as_u16(), 200)?;
    let mut text = String::new();
    let mut sent = false;
    while !text.contains(&log(3)) {
        let part = stream.chunk().await.map_err(|error| error.to_string())?;
        let part = part.ok_or("the stream ended")?;
        text.push_str(&String::from_utf8_lossy(&part));
        if text.contains(&log(2)) && !sent {
            sent = true;
            status(&post(it, "/api/v1/agent-logs", &entry(&id, &log(3), "x")).await?, 201)?;
        }
    }
    demand!(!text.contains(&log(1)), "what was received comes again: {text}");
    let bad = it.get(&path).by_client().header("last-event-id", "x").send().await?;
    same("bad id", (bad.status, bad.text("/code")), (400, "event_id.invalid"))
}

async fn recorded(it: &Subject) -> Outcome {
    let id = agent(it, "recorded").await?;
    let word = format!("word{}", it.token());
    for (path, field, body) in [
        (
            "prompts",
            "prompts",
            json!({ "agent_id": id, "author": "engineer", "prompt_text": word }),
        ),
        (
            "chat",
            "messages",
            json!({
                "sender_type": "user", "receiver_type": "agent", "agent_id": id, "message": word,
            }),
        ),
        (
            "system-logs",
            "system_logs",
            json!({ "level": "WARNING", "message": word, "file_path": "a.py" }),
        ),
    ] {
        let path = format!("/api/v1/{path}");
        let made = post(it, &path, &body).await?;
        status(&made, 201)?;
        let place = made.header("location").unwrap_or_default().to_owned();
        same("its place", &read(it, &place).await?.body, &made.body)?;
        let mut again = body.clone();
        again["id"] = made.text("/id").into();
        same("sent again", &post(it, &path, &again).await?.body, &made.body)?;
        let found = read(it, &format!("{path}?q={word}")).await?;
        same(&path, texts(list(&found, &format!("/{field}"))?, "id"), vec![made.text("/id")])?;
    }
    let nobody = json!({ "sender_type": "agent", "receiver_type": "user", "message": "x" });
    violation(&post(it, "/api/v1/chat", &nobody).await?, "/agent_id", "agent.unknown")
}

async fn summaries(it: &Subject) -> Outcome {
    let id = agent(it, "summary").await?;
    let log = format!("sum-{}", it.token());
    status(&post(it, "/api/v1/agent-logs", &entry(&id, &log, "x")).await?, 201)?;
    let path = format!("/api/v1/agent-logs/{log}/summary");
    for text in ["one", "two"] {
        let reply = post(it, &path, &json!({ "summary": text })).await?;
        status(&reply, 200)?;
        same("summary", reply.text("/summary"), "one")?;
    }
    let nobody = post(it, "/api/v1/prompts/nobody/summary", &json!({ "summary": "x" })).await?;
    fault(&nobody, NOT_FOUND)
}

async fn glance(it: &Subject) -> Outcome {
    let id = agent(it, "glance").await?;
    status(
        &patch(it, &format!("/api/v1/agents/{id}"), &json!({ "status": "blocked" })).await?,
        200,
    )?;
    let log = format!("g-{}", it.token());
    status(&post(it, "/api/v1/agent-logs", &entry(&id, &log, "x")).await?, 201)?;
    let one = read(it, &format!("/api/v1/agents/{id}/summary")).await?;
    same("last entry", texts(list(&one, "/last_entries")?, "id"), vec![log.as_str()])?;
    same("entries", one.body["activity"]["log_entries_24h"].as_u64(), Some(1))?;
    let whole = read(it, "/api/v1/orchestrator/summary").await?;
    status(&whole, 200)?;
    let blocked = texts(list(&whole, "/blocked_agents")?, "id");
    demand!(blocked.contains(&id.as_str()), "it is not among the blocked: {blocked:?}");
    demand!(whole.body["agents_by_status"]["blocked"].as_u64() >= Some(1), "none is counted");
    let put_away = json!({ "archived": true });
    status(&patch(it, &format!("/api/v1/agents/{id}"), &put_away).await?, 200)
}

async fn orchestrators(it: &Subject) -> Outcome {
    let begun = post(it, "/api/v1/orchestrator", &json!({ "session_id": it.token() })).await?;
    status(&begun, 201)?;
    let live = read(it, "/api/v1/orchestrator").await?;
    same("session", live.text("/session_id"), it.token())?;
    let changed = patch(it, "/api/v1/orchestrator", &json!({ "status": "executing" })).await?;
    same("id", changed.text("/id"), begun.text("/id"))?;
    same("status", changed.text("/status"), "executing")?;
    status(&post(it, "/api/v1/orchestrator", &json!({})).await?, 201)?;
    let all = read(it, "/api/v1/orchestrator/sessions?limit=200").await?;
    let live = list(&all, "/orchestrator_agents")?.iter().filter(|one| one["archived"] == false);
    same("how many live", live.count(), 1)
}
