//! Live updates over the real stack: what is told, and what a break, a slow reader and a hostile
//! one change. Who may connect stands in `stack_live_auth.rs`, the load in `stack_live_load.rs`.

mod sockets;

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use sockets::{ACME_KEY, Heard, PATIENCE, Socket, accounts};
use testkit::client::Client;
use testkit::stack::{Stack, StateDir, wanted};
use tokio_tungstenite::tungstenite::Message;

async fn post(client: &Client, path: &str, body: &Value) -> Value {
    let request = client.as_worker(client.request(Method::POST, path)).json(body);
    let reply = client.send(request).await.expect("an answer");
    assert!(reply.status < 300, "{path}: {} {}", reply.status, reply.body);
    reply.body
}

/// A new agent: its id.
async fn agent(client: &Client, name: &str) -> String {
    let made = post(client, "/api/v1/agents", &json!({ "name": name, "model": "m" })).await;
    made["id"].as_str().expect("an id").to_owned()
}

/// Appends log entries of these numbers.
async fn log(client: &Client, agent: &str, numbers: std::ops::Range<u64>, content: &str) {
    let entry = |n: u64| {
        json!({
            "agent_id": agent, "entry_index": n, "event_category": "hook", "event_type": "Step",
            "content": content,
        })
    };
    let entries: Vec<Value> = numbers.map(entry).collect();
    post(client, "/api/v1/agent-logs/batch", &json!({ "entries": entries })).await;
}

fn index(message: &Value) -> u64 {
    message.pointer("/event/entry_index").and_then(Value::as_u64).expect("a number")
}

fn cursor(message: &Value) -> String {
    message["cursor"].as_str().expect("a cursor").to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_execution_is_told_live_and_to_its_own_account() {
    if !wanted() {
        return;
    }
    let state = StateDir::new("live-executions");
    state.execute(&accounts());
    let stack = Stack::start(&state, &[]);
    let client = stack.client();
    let mut watcher = Socket::welcome(&stack).await;
    watcher.subscribe("all", "executions", None).await;
    let mut stranger =
        Socket::open(&stack, "/ws", &[("x-api-key", ACME_KEY)]).await.expect("it is let in");
    stranger.of_type("welcome").await;
    stranger.subscribe("all", "events", None).await;

    let body = json!({ "topic": "tides", "use_cache": false, "async": true });
    let started = client.orchestrate(&body).await.expect("an answer");
    let id = started.text("/pipeline_id").to_owned();
    let topic = format!("execution:{id}");
    assert_eq!(watcher.subscribe("one", &topic, None).await, "0.0");
    let mut told = Vec::new();
    let ended = loop {
        let message = watcher.message().await;
        match (message["type"].as_str(), message["subscription"].as_str()) {
            (Some("event"), Some("one")) => told.push(message),
            (Some("unsubscribed"), _) => break message,
            _ => {}
        }
    };
    assert_eq!((&ended["id"], &ended["reason"]), (&json!("one"), &json!("ended")));
    let types: Vec<&str> =
        told.iter().filter_map(|it| it.pointer("/event/type").and_then(Value::as_str)).collect();
    assert_eq!(types.first(), Some(&"started"), "{types:?}");
    let mut cursors: Vec<String> = told.iter().map(cursor).collect();
    assert_eq!(ended["cursor"].as_str(), cursors.last().map(String::as_str));
    let count = cursors.len();
    cursors.dedup();
    assert!(count > 5 && cursors.len() == count, "{cursors:?}");
    // From a cursor in the middle the rest comes, and no more.
    watcher.subscribe("rest", &topic, Some(&cursors[2])).await;
    for expected in &cursors[3..] {
        let message = loop {
            let message = watcher.of_type("event").await;
            if message["subscription"] == "rest" {
                break message;
            }
        };
        assert_eq!(cursor(&message), *expected);
    }
    // What the database was told of it is there as well, for the account and for nobody else.
    let mut late = Socket::welcome(&stack).await;
    late.subscribe("all", "executions", Some("0")).await;
    let event = late.of_type("event").await;
    assert_eq!(event["event"]["subject"], id.as_str(), "{event}");
    assert!(stranger.answers().await);
    stranger.say(json!({ "type": "subscribe", "id": "x", "topic": topic })).await;
    assert_eq!(stranger.of_type("error").await["code"], "pipeline.not_found");
    let nothing = stranger.hear(Duration::from_secs(2)).await;
    assert!(nothing.is_none(), "another account is told {nothing:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_break_and_a_sleep_lose_nothing() {
    if !wanted() {
        return;
    }
    let state = StateDir::new("live-break");
    let mut stack = Stack::start(&state, &[]);
    let client = stack.client();
    let agent = agent(&client, "keeper").await;
    let mut socket = Socket::welcome(&stack).await;
    socket.subscribe("logs", "agent_logs", None).await;
    log(&client, &agent, 0..20, "before").await;
    let mut heard = Vec::new();
    let mut last = String::new();
    for _ in 0..12 {
        let message = socket.of_type("event").await;
        heard.push(index(&message));
        last = cursor(&message);
    }
    stack.kill();
    let stack = stack.again();
    let client = stack.client();
    log(&client, &agent, 20..40, "after").await;
    let mut socket = Socket::welcome(&stack).await;
    assert_eq!(socket.subscribe("logs", "agent_logs", Some(&last)).await, last);
    while heard.len() < 40 {
        heard.push(index(&socket.of_type("event").await));
    }
    assert_eq!(heard, (0..40).collect::<Vec<u64>>(), "each once and in order, over the break");

    // Longer than the platform keeps an idle object awake: it sleeps, the connection does not.
    tokio::time::sleep(Duration::from_secs(14)).await;
    log(&client, &agent, 40..45, "awake").await;
    for n in 40..45 {
        assert_eq!(index(&socket.of_type("event").await), n);
    }
    assert!(socket.answers().await);
    socket.say(json!({ "type": "unsubscribe", "id": "logs" })).await;
    assert_eq!(socket.of_type("unsubscribed").await["reason"], "asked");
    log(&client, &agent, 45..46, "unheard").await;
    assert!(socket.hear(Duration::from_secs(2)).await.is_none(), "it has unsubscribed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_consumer_is_told_and_dropped_and_harms_nobody() {
    if !wanted() {
        return;
    }
    let state = StateDir::new("live-slow");
    let stack = Stack::start(&state, &[]);
    let client = stack.client();
    let agent = agent(&client, "talker").await;
    let mut fast = Socket::welcome(&stack).await;
    let mut slow = Socket::welcome(&stack).await;
    let mut patient = Socket::welcome(&stack).await;
    for socket in [&mut fast, &mut slow, &mut patient] {
        socket.subscribe("logs", "agent_logs", None).await;
    }
    let count = 2_500;
    let writing = async {
        for from in (0..count).step_by(500) {
            log(&client, &agent, from..from + 500, "a line of a log").await;
        }
    };
    let reading = async {
        let mut place = String::new();
        for n in 0..count {
            let message = fast.of_type("event").await;
            assert_eq!(index(&message), n);
            place = cursor(&message);
            if n % 100 == 99 {
                fast.acknowledge("logs", &place).await;
            }
        }
        place
    };
    let (_, place) = futures::join!(writing, reading);
    // Who acknowledges late goes on where it stopped.
    let (mut next, mut told, mut last) = (0, false, String::new());
    while next < count {
        let message = patient.message().await;
        match message["type"].as_str() {
            Some("event") => {
                assert_eq!(index(&message), next);
                next += 1;
                last = cursor(&message);
            }
            Some("lagging") => {
                told = true;
                patient.acknowledge("logs", &last).await;
            }
            _ => {}
        }
    }
    assert!(told && last == place, "{told} {last} {place}");
    // Who never does is told where it stands, and closed.
    let (mut received, mut closing) = (0, Value::Null);
    let code = loop {
        match slow.hear(PATIENCE).await {
            Some(Heard::Message(message)) if message["type"] == "event" => {
                assert_eq!(index(&message), received);
                received += 1;
            }
            Some(Heard::Message(message)) => closing = message,
            Some(Heard::Closed(code, _)) => break code,
            None => panic!("it stays open"),
        }
    };
    assert_eq!((code, &closing["type"]), (4408, &json!("closing")), "{closing}");
    let resume = closing["subscriptions"][0]["cursor"].as_str().expect("a cursor").to_owned();
    let mut again = Socket::welcome(&stack).await;
    again.subscribe("logs", "agent_logs", Some(&resume)).await;
    assert_eq!(index(&again.of_type("event").await), received, "it misses nothing");
    assert!(fast.answers().await && patient.answers().await);
    let page = client.get("/metrics").await.expect("an answer").body;
    let page = page.as_str().unwrap_or_default();
    assert!(page.contains("bitware_live_consumers_dropped_total{account=\"default\"} 1"), "{page}");
}

#[tokio::test(flavor = "multi_thread")]
#[expect(clippy::too_many_lines, reason = "one story of all that a client can do wrong")]
async fn a_hostile_client_is_refused_and_harms_nobody() {
    if !wanted() {
        return;
    }
    let state = StateDir::new("live-hostile");
    let stack = Stack::start(&state, &[]);
    let mut witness = Socket::welcome(&stack).await;
    let mut socket = Socket::welcome(&stack).await;
    for (frame, code) in [
        ("", "json.malformed"),
        ("\u{0}", "json.malformed"),
        ("{\"type\":", "json.malformed"),
        ("[1]", "live.type_unknown"),
        ("{\"type\":\"drop\"}", "live.type_unknown"),
        ("{\"type\":\"subscribe\",\"id\":\"a b\",\"topic\":\"jobs\"}", "request.invalid"),
        ("{\"type\":\"subscribe\",\"id\":\"a\",\"topic\":\"users\"}", "live.topic_unknown"),
        (
            "{\"type\":\"subscribe\",\"id\":\"a\",\"topic\":\"jobs\",\"cursor\":\"1.1\"}",
            "live.cursor_invalid",
        ),
        (
            "{\"type\":\"subscribe\",\"id\":\"a\",\"topic\":\"execution:pipe_1_\
             00000000000000000000000000\"}",
            "pipeline.not_found",
        ),
        ("{\"type\":\"ack\",\"id\":\"a\",\"cursor\":\"1\"}", "live.subscription_unknown"),
        ("{\"type\":\"unsubscribe\",\"id\":\"a\"}", "live.subscription_unknown"),
    ] {
        socket.frame(Message::text(frame)).await;
        let error = socket.of_type("error").await;
        assert_eq!(error["code"], code, "{frame}: {error}");
    }
    let administration = json!({
        "type": "subscribe", "id": "adm", "topic": "events",
        "filter": { "topic": "administration" },
    });
    socket.say(administration).await;
    assert_eq!(socket.of_type("error").await["code"], "auth.scope_missing");
    assert!(socket.answers().await, "errors do not close it");
    socket.frame(Message::binary(vec![0_u8; 16])).await;
    assert_eq!(socket.closed().await, 1003);

    let mut huge = Socket::welcome(&stack).await;
    huge.frame(Message::text("x".repeat(65_537))).await;
    assert_eq!(huge.closed().await, 1009);
    let mut larger = Socket::welcome(&stack).await;
    larger.frame(Message::text("x".repeat(40 * 1024 * 1024))).await;
    let code = larger.closed().await;
    assert!(matches!(code, 1009 | 1006), "what the platform itself does not take: {code}");

    let mut greedy = Socket::welcome(&stack).await;
    let (mut begun, mut refused, mut closed) = (0, 0, 0);
    for n in 0..10_000 {
        let id = format!("s{n}");
        greedy.say(json!({ "type": "subscribe", "id": id, "topic": "jobs" })).await;
    }
    while closed == 0 {
        match greedy.hear(PATIENCE).await {
            Some(Heard::Message(message)) => match message["type"].as_str() {
                Some("subscribed") => begun += 1,
                Some("error") => {
                    assert_eq!(message["code"], "live.too_many_subscriptions", "{message}");
                    refused += 1;
                }
                _ => {}
            },
            Some(Heard::Closed(code, _)) => closed = code,
            None => panic!("it stays open"),
        }
    }
    assert!(begun <= 64 && refused <= 200, "{begun} begun, {refused} refused");
    assert!(matches!(closed, 4400 | 4429 | 1006), "{closed}");
    let page = stack.client().get("/metrics").await.expect("an answer").body;
    let page = page.as_str().unwrap_or_default();
    assert!(page.contains("bitware_live_subscriptions{account=\"default\"} 0"), "{page}");
    // The platform reports no end of a socket whose frame it could not take; heartbeats find it.
    let left = page.split("bitware_live_connections{account=\"default\"} ").nth(1);
    let left = left.and_then(|rest| rest.lines().next()?.parse::<u32>().ok());
    assert!(left.is_some_and(|left| (1..=3).contains(&left)), "{left:?} connections are left");
    assert!(witness.answers().await);
}
