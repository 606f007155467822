//! Bytes that no well-meaning client sends: neither a log line nor a header can be forged, and what
//! is nested as deeply as it may be can be read again.

use std::time::Duration;

use serde_json::{Value, json};
use testkit::stack::{CLIENT_API_KEY, Stack, StateDir, wanted};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const PATIENCE: Duration = Duration::from_secs(30);

#[tokio::test(flavor = "multi_thread")]
async fn neither_headers_nor_bodies_can_forge_or_break_anything() {
    if !wanted() {
        return;
    }
    let state = StateDir::new("hostile");
    let stack = Stack::start(&state, &[]);
    hostile_headers(&stack).await;
    deepest_input(&stack).await;
    let log = std::fs::read_to_string(state.path().join("stack.log")).expect("a log");
    let mut requests = 0;
    let forged = log.lines().find(|line| line.contains("forged"));
    assert_eq!(forged, None, "what a client sent stands in the log");
    for line in log.lines().filter(|line| line.starts_with('{')) {
        let line: Value =
            serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        requests += usize::from(line["event"] == "request");
    }
    assert!(requests >= 10, "only {requests} requests were logged:\n{log}");
    assert!(!log.contains(CLIENT_API_KEY), "the key stands in the log");
}

async fn hostile_headers(stack: &Stack) {
    let forged = r#"{"event":"forged"}"#;
    let long = "x".repeat(60_000);
    let many: String = (0..200).map(|n| format!("X-Header-{n}: {n}\r\n")).collect();
    let lines: [Vec<u8>; 12] = [
        format!("X-Request-ID: a\r\n {forged}\r\n").into(),
        format!("X-Request-ID: a\n{forged}\r\n").into(),
        format!("X-Request-ID: a\r{forged}\r\n").into(),
        format!("X-Request-ID: a%0d%0a{forged}\r\n").into(),
        format!("X-Request-ID: a\u{2028}{forged}\r\n").into(),
        b"X-Request-ID: \xff\xfe\x00forged\r\n".to_vec(),
        b"traceparent: 00-\xff-\xff-01\r\n".to_vec(),
        format!("traceparent: 00-{forged}-00f067aa0ba902b7-01\r\n").into(),
        format!("X-Worker-ID: {forged}\r\nAuthorization: Bearer forged\r\n").into(),
        format!("X-API-Key: {long}forged\r\n").into(),
        many.into(),
        format!("Origin: https://a.example\r\nX-Request-ID: {}\r\n", "é".repeat(40)).into(),
    ];
    for sent in lines {
        let shown = String::from_utf8_lossy(&sent[..sent.len().min(60)]).into_owned();
        let reply = raw(stack, &sent).await;
        let head = reply.split("\r\n\r\n").next().unwrap_or_default();
        let status: u16 = head.split(' ').nth(1).and_then(|text| text.parse().ok()).unwrap_or(0);
        assert!((200..500).contains(&status), "{shown:?}: {reply}");
        assert!(!head.contains("forged"), "{shown:?}: {head}");
    }
}

/// Sends `GET /pipeline-history` with these lines among its headers, and reads what comes.
async fn raw(stack: &Stack, lines: &[u8]) -> String {
    let host = stack.url().trim_start_matches("http://");
    let mut connection = TcpStream::connect(host).await.expect("the stack listens");
    let first = format!("GET /pipeline-history HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n");
    let request = [first.as_bytes(), lines, b"\r\n"].concat();
    connection.write_all(&request).await.expect("it can be sent");
    let mut reply = Vec::new();
    let reading = tokio::time::timeout(PATIENCE, connection.read_to_end(&mut reply));
    reading.await.expect("an answer in time").ok();
    String::from_utf8_lossy(&reply).into_owned()
}

/// Input as deep as it may be is taken, journaled, and read again by whoever asks; one level more
/// is refused.
async fn deepest_input(stack: &Stack) {
    let client = stack.client();
    let nested = |levels: usize| (0..levels).fold(json!(1), |inner, _| json!([inner]));
    let body = |levels: usize| {
        json!({
            "topic": "depths", "pipeline_template": "basic_research_pipeline",
            "use_cache": false, "async": true, "input": { "nested": nested(levels) },
        })
    };
    let begun = client.orchestrate(&body(99)).await.expect("an answer");
    assert_eq!(begun.status, 202, "{}", begun.body);
    let id = begun.text("/pipeline_id");
    let end = client.wait_for_end(id, PATIENCE).await.expect("it ends");
    assert_eq!(end.text("/pipeline/status"), "completed", "{}", end.body);
    for levels in [100, 110, 120, 124] {
        let refused = client.orchestrate(&body(levels)).await.expect("an answer");
        assert_eq!(refused.status, 422, "{levels}: {}", refused.body);
        assert_eq!(refused.body["violations"][0]["code"], "nesting", "{}", refused.body);
    }
}
