//! Who may open a WebSocket: every way to show a credential, and every wrong one.

mod sockets;

use std::time::Duration;

use reqwest::Method;
use serde_json::json;
use sockets::{ACME_KEY, EXECUTE_KEY, Socket, accounts};
use testkit::client::Client;
use testkit::stack::{CLIENT_API_KEY, Stack, StateDir, WORKER_SHARED_SECRET, wanted};

/// How long a connection may say nothing of who it is.
const LATE: Duration = Duration::from_secs(10);

#[tokio::test(flavor = "multi_thread")]
async fn credentials_are_checked_however_they_come() {
    if !wanted() {
        return;
    }
    let state = StateDir::new("live-auth");
    state.execute(&accounts());
    let stack = Stack::start(&state, &["ALLOWED_ORIGINS=https://dash.example"]);
    let client = stack.client();

    let plain = client.get("/ws").await.expect("an answer");
    assert_eq!((plain.status, plain.text("/code")), (426, "live.upgrade_required"));
    let key = ("x-api-key", CLIENT_API_KEY);
    for (path, headers, status, code) in [
        ("/ws", vec![("x-api-key", "wrong")], 401, "auth.key_invalid"),
        ("/ws", vec![("x-api-key", EXECUTE_KEY)], 403, "auth.scope_missing"),
        ("/ws", vec![("authorization", "Bearer wrong"), ("x-worker-id", "w")], 401, ""),
        ("/ws", vec![key, ("origin", "https://evil.example")], 403, "live.origin_refused"),
        ("/ws", vec![key, ("origin", "null")], 403, "live.origin_refused"),
        ("/ws?ticket=nonsense", vec![], 401, "live.ticket_invalid"),
        ("/ws?ticket=nonsense", vec![key], 400, "header.invalid"),
        ("/ws?account=acme", vec![key], 400, "header.invalid"),
        ("/ws?tickets=1", vec![], 422, "query.invalid"),
        ("/ws", vec![("sec-websocket-protocol", "bitware.v2")], 400, "header.invalid"),
        ("/ws", vec![("sec-websocket-protocol", "bitware.v1, bearer.wrong")], 401, ""),
    ] {
        let refused = Socket::open(&stack, path, &headers).await.err();
        let (found, body) = refused.unwrap_or_else(|| panic!("{path} {headers:?} was let in"));
        assert_eq!(found, status, "{path} {headers:?}: {body}");
        assert!(code.is_empty() || body["code"] == code, "{path} {headers:?}: {body}");
    }
    let worker =
        [("authorization", &*format!("Bearer {WORKER_SHARED_SECRET}")), ("x-worker-id", "w")];
    let bearer = format!("bitware.v1, bearer.{ACME_KEY}");
    for (headers, account) in [
        (vec![key], "default"),
        (vec![key, ("origin", "https://dash.example")], "default"),
        (vec![("sec-websocket-protocol", &*bearer)], "acme"),
        (worker.to_vec(), "default"),
    ] {
        let mut socket = Socket::open(&stack, "/ws", &headers).await.expect("it is let in");
        let welcome = socket.message().await;
        assert_eq!((&welcome["type"], &welcome["account"]), (&json!("welcome"), &json!(account)));
        assert!(!welcome.to_string().contains(ACME_KEY), "{welcome}");
    }
    tickets(&stack, &client).await;
    first_messages(&stack).await;
}

async fn tickets(stack: &Stack, client: &Client) {
    let ask = || async {
        let request = client.request(Method::POST, "/api/v1/ws/ticket");
        let reply = client.send(request.header("x-api-key", ACME_KEY)).await.expect("an answer");
        assert_eq!(reply.status, 201, "{}", reply.body);
        assert_eq!(reply.header("location"), Some(reply.text("/url")));
        reply.text("/url").to_owned()
    };
    let url = ask().await;
    let mut socket = Socket::open(stack, &url, &[]).await.expect("it is let in");
    assert_eq!(socket.message().await["account"], "acme");
    let again = Socket::open(stack, &url, &[]).await.err().expect("it works once");
    assert_eq!((again.0, &again.1["code"]), (401, &json!("live.ticket_invalid")));
    // Another account's name before the same random part makes it nobody's.
    let url = ask().await;
    let foreign = url.replacen("YWNtZQ.", "ZGVmYXVsdA.", 1);
    assert_ne!(foreign, url);
    assert_eq!(Socket::open(stack, &foreign, &[]).await.err().map(|it| it.0), Some(401));
    let late = ask().await;
    tokio::time::sleep(Duration::from_secs(31)).await;
    let late = Socket::open(stack, &late, &[]).await.err().expect("it is over");
    assert_eq!((late.0, &late.1["code"]), (401, &json!("live.ticket_invalid")));
    let request = client.request(Method::POST, "/api/v1/ws/ticket");
    let nobody = client.send(request).await.expect("an answer");
    assert_eq!(nobody.status, 401, "{}", nobody.body);
}

async fn first_messages(stack: &Stack) {
    let authenticate = |token: &str| json!({ "type": "authenticate", "token": token });
    let mut silent = Socket::open(stack, "/ws", &[]).await.expect("it may say who it is");
    let began = tokio::time::Instant::now();
    let mut early = Socket::open(stack, "/ws", &[]).await.expect("it may say who it is");
    early.say(json!({ "type": "subscribe", "id": "s", "topic": "jobs" })).await;
    assert_eq!(early.of_type("error").await["code"], "live.unauthenticated");
    early.say(authenticate(CLIENT_API_KEY)).await;
    assert_eq!(early.of_type("welcome").await["account"], "default");
    early.subscribe("s", "jobs", None).await;
    for (path, message, code) in [
        ("/ws", authenticate("wrong"), 4401),
        ("/ws", authenticate("ey.Jx.yz"), 4401),
        ("/ws", json!({ "type": "authenticate", "token": "x", "worker_id": "w" }), 4401),
        ("/ws", authenticate(ACME_KEY), 4403),
        ("/ws?account=acme", authenticate(CLIENT_API_KEY), 4403),
        ("/ws?account=acme", authenticate(EXECUTE_KEY), 4401),
    ] {
        let mut socket = Socket::open(stack, path, &[]).await.expect("it may say who it is");
        socket.say(message.clone()).await;
        assert_eq!(socket.closed().await, code, "{path} {message}");
    }
    let mut acme = Socket::open(stack, "/ws?account=acme", &[]).await.expect("as above");
    acme.say(authenticate(ACME_KEY)).await;
    assert_eq!(acme.of_type("welcome").await["account"], "acme");
    // Even on a connection that is good, a credential that is not ends it.
    acme.say(authenticate("wrong")).await;
    assert_eq!(acme.closed().await, 4401);
    assert_eq!(silent.closed().await, 4402);
    assert!(began.elapsed() >= LATE - Duration::from_secs(1), "{:?}", began.elapsed());
    assert!(early.answers().await, "who authenticated stays");
}
