//! Many connections at once: each hears every entry once and in order. 200 by default; with
//! `BITWARE_LIVE_CONNECTIONS` as many as it says, and `BITWARE_LIVE_RATE` messages a second are
//! delivered. The figures are printed; what is lost or comes twice fails the test, time does not.

mod sockets;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use futures::stream::{self, StreamExt};
use reqwest::Method;
use serde_json::{Value, json};
use sockets::{PATIENCE, Socket};
use testkit::client::Client;
use testkit::stack::{Stack, StateDir, Used, wanted};

/// Connections are opened so many at a time.
const OPENED_AT_ONCE: usize = 50;
/// Entries are appended so often.
const BEAT: Duration = Duration::from_secs(1);
/// For so many beats.
const BEATS: u64 = 20;
/// Acknowledged after so many.
const ACK_EVERY: u64 = 25;

#[expect(clippy::disallowed_methods, reason = "a tool of the tests, not the Worker")]
fn wish(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// What readers measure.
#[derive(Default)]
struct Measured {
    delivered: AtomicU64,
    began: OnceLock<Instant>,
    /// The sum and the longest of the times from append to arrival.
    delay_ms: AtomicU64,
    delay_max_ms: AtomicU64,
}

#[tokio::test(flavor = "multi_thread")]
async fn every_connection_hears_everything_once() {
    if !wanted() {
        return;
    }
    let connections = wish("BITWARE_LIVE_CONNECTIONS", 200);
    let rate = wish("BITWARE_LIVE_RATE", 1_000);
    let each_beat = (rate / connections).max(1);
    let count = each_beat * BEATS;
    let state = StateDir::new("live-load");
    let stack = Stack::start(&state, &["LOG_LEVEL=warn"]);
    let client = stack.client();
    let made = post(&client, "/api/v1/agents", &json!({ "name": "load", "model": "m" })).await;
    let agent = made["id"].as_str().expect("an id").to_owned();

    let idle = stack.used();
    let opened = now();
    let sockets: Vec<Socket> = stream::iter(0..connections)
        .map(|_| async {
            let mut socket = Socket::welcome(&stack).await;
            socket.subscribe("logs", "agent_logs", None).await;
            socket
        })
        .buffer_unordered(usize::try_from(connections).unwrap_or(1).min(OPENED_AT_ONCE))
        .collect()
        .await;
    let after_open = stack.used();
    println!(
        "{connections} connections opened and subscribed in {:.1} s; {}",
        opened.elapsed().as_secs_f64(),
        spent(idle, after_open),
    );

    let measured = Arc::new(Measured::default());
    let readers: Vec<_> = sockets
        .into_iter()
        .map(|socket| tokio::spawn(read(socket, count, measured.clone())))
        .collect();
    let began = now();
    measured.began.set(began).expect("it began once");
    for beat in 0..BEATS {
        let at = began.elapsed().as_millis() as u64;
        append(&client, &agent, beat * each_beat..(beat + 1) * each_beat, at).await;
        tokio::time::sleep_until((began + BEAT * (beat as u32 + 1)).into()).await;
    }
    for reader in readers {
        reader.await.expect("a reader heard everything once and in order");
    }
    let took = began.elapsed().as_secs_f64();
    let delivered = measured.delivered.load(Ordering::Relaxed);
    assert_eq!(delivered, connections * count);
    println!(
        "{delivered} messages in {took:.1} s: {:.0} a second; append to arrival {} ms on average, \
         {} ms at most; {}",
        delivered as f64 / took,
        measured.delay_ms.load(Ordering::Relaxed) / delivered.max(1),
        measured.delay_max_ms.load(Ordering::Relaxed),
        spent(after_open, stack.used()),
    );
}

/// Hears entries 0 to `count`, each once and in order, and acknowledges them now and then.
async fn read(mut socket: Socket, count: u64, measured: Arc<Measured>) -> Socket {
    for expected in 0..count {
        let message = tokio::time::timeout(PATIENCE * 4, socket.of_type("event")).await;
        let message = message.expect("an event comes in time");
        let entry = &message["event"];
        assert_eq!(entry["entry_index"], expected, "lost, twice or out of order: {message}");
        measured.delivered.fetch_add(1, Ordering::Relaxed);
        let began = measured.began.get().expect("it began");
        let sent_ms = entry["content"].as_str().and_then(|it| it.parse::<u64>().ok()).unwrap_or(0);
        let delay_ms = (began.elapsed().as_millis() as u64).saturating_sub(sent_ms);
        measured.delay_ms.fetch_add(delay_ms, Ordering::Relaxed);
        measured.delay_max_ms.fetch_max(delay_ms, Ordering::Relaxed);
        if expected % ACK_EVERY == ACK_EVERY - 1 {
            socket.acknowledge("logs", message["cursor"].as_str().unwrap_or_default()).await;
        }
    }
    socket
}

async fn append(client: &Client, agent: &str, numbers: std::ops::Range<u64>, at_ms: u64) {
    let entry = |n: u64| {
        json!({
            "agent_id": agent, "entry_index": n, "event_category": "hook", "event_type": "Step",
            "content": at_ms.to_string(),
        })
    };
    let entries: Vec<Value> = numbers.map(entry).collect();
    post(client, "/api/v1/agent-logs/batch", &json!({ "entries": entries })).await;
}

async fn post(client: &Client, path: &str, body: &Value) -> Value {
    let request = client.as_worker(client.request(Method::POST, path)).json(body);
    let reply = client.send(request).await.expect("an answer");
    assert!(reply.status < 300, "{path}: {} {}", reply.status, reply.body);
    reply.body
}

fn spent(before: Used, after: Used) -> String {
    format!(
        "workerd: {:.1} s CPU, {:.0} MiB at most",
        (after.cpu_ms - before.cpu_ms) as f64 / 1000.0,
        after.peak_kib as f64 / 1024.0,
    )
}

#[expect(clippy::disallowed_methods, reason = "a tool of the tests measures time")]
fn now() -> Instant {
    Instant::now()
}
