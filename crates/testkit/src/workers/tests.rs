//! Tests of the workers themselves: a test that trusts them must not be misled.

use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use futures::future::join_all;
use serde_json::{Value, json};

use super::*;
use crate::client::Reply;

fn caller(workers: &Workers) -> Client {
    Client::new(workers.url(), "key", "secret")
}

/// A call as the orchestrator makes it.
async fn call(workers: &Workers, path: &str, key: &str, fence: u64) -> Reply {
    ask(&caller(workers), path, key, fence).await
}

async fn ask(client: &Client, path: &str, key: &str, fence: u64) -> Reply {
    let request = client.request(reqwest::Method::POST, path);
    let request = request.header("Idempotency-Key", key).header("X-Fence", fence);
    let request = request.header("X-Callback-Path", "/complete").json(&json!({ "n": 1 }));
    client.send(request).await.unwrap()
}

#[tokio::test]
async fn an_echo_is_the_input_and_is_counted() {
    let workers = Workers::start().await;
    let reply = call(&workers, "/echo", "e/s/1", 4).await;
    assert_eq!((reply.status, &reply.body), (200, &json!({ "n": 1 })));
    assert_eq!(reply.header("X-Cost-USD"), Some("0"));
    call(&workers, "/slow/1", "e/s/1", 5).await;
    let answered: Vec<_> = workers.calls().iter().map(|call| (call.fence, call.answered)).collect();
    assert_eq!(answered, [(4, true), (5, true)]);
    assert_eq!(workers.counts(), BTreeMap::from([("e/s/1".to_owned(), 2)]));
    let by_fence = BTreeMap::from([(4, 1), (5, 1)]);
    assert_eq!(workers.performed(), BTreeMap::from([("e/s/1".to_owned(), by_fence)]));
}

#[tokio::test]
async fn failures_are_counted_by_key_by_step_or_by_path() {
    let workers = Workers::start().await;
    let mut statuses = Vec::new();
    for (path, key) in [
        ("/flaky/1", "e/a/1"),
        ("/flaky/1", "e/a/1"),
        ("/flaky/1", "e/a/2"),
        ("/fail/1", "e/b/1"),
        ("/fail/1", "e/b/2"),
        ("/fail/1/422", "f/b/1"),
        ("/busy/1/7", "e/c/1"),
        ("/busy/1/7", "f/c/1"),
        ("/refuse", "e/d/1"),
    ] {
        statuses.push(call(&workers, path, key, 1).await.status);
    }
    assert_eq!(statuses, [503, 200, 503, 503, 200, 422, 429, 200, 422]);
    let waits = call(&workers, "/busy/1/9", "e/e/1", 1).await;
    assert_eq!((waits.status, waits.header("Retry-After")), (429, Some("9")));
    assert_eq!(workers.performed().len(), 3, "{:?}", workers.performed());
}

#[tokio::test(flavor = "multi_thread")]
async fn hundreds_of_calls_at_once_are_met_and_counted() {
    let workers = Workers::start().await;
    let client = caller(&workers);
    let keys: Vec<String> = (0..300).map(|n| format!("e/map[{n}]/1")).collect();
    let calls = keys.iter().map(|key| ask(&client, "/slow/300", key, 1));
    let replies = join_all(calls).await;
    assert!(replies.iter().all(|reply| reply.status == 200));
    assert_eq!(workers.performed().len(), 300);
    let at_once = workers.at_once_max("/slow/300");
    assert!((100..=300).contains(&at_once), "{at_once}");
    assert_eq!(workers.at_once_max("/slow/301"), 0);
    call(&workers, "/slow/300", "e/last/1", 1).await;
    assert_eq!(workers.at_once_max("/slow/300"), at_once, "what has ended is not in progress");
}

#[tokio::test]
async fn a_call_that_is_given_up_does_nothing() {
    let workers = Workers::start().await;
    let given_up = call(&workers, "/slow/300", "e/s/1", 1);
    tokio::time::timeout(Duration::from_millis(100), given_up).await.unwrap_err();
    tokio::time::sleep(Duration::from_millis(400)).await;
    assert_eq!(workers.counts().len(), 1);
    assert_eq!(workers.performed().len(), 0);
}

/// What an orchestrator was told: fence, status word.
type Told = Arc<Mutex<Vec<(u64, String)>>>;

/// An orchestrator that knows fence 7 alone.
async fn orchestrator(told: Told) -> Client {
    async fn complete(
        State(told): State<Told>,
        headers: HeaderMap,
        body: axum::Json<Value>,
    ) -> StatusCode {
        assert_eq!(headers["Authorization"], "Bearer secret");
        let fence = headers["X-Fence"].to_str().unwrap().parse().unwrap();
        told.lock().unwrap().push((fence, body["status"].as_str().unwrap().to_owned()));
        if fence == 7 { StatusCode::OK } else { StatusCode::CONFLICT }
    }
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let router = Router::new().route("/complete", post(complete)).with_state(told);
    tokio::spawn(async move { axum::serve(listener, router).await });
    Client::new(&url, "key", "secret")
}

#[tokio::test]
async fn each_manner_of_working_on_reports_in_its_own_way() {
    let (succeeded, running, failed) = ("succeeded", "running", "failed");
    let cases: [(&str, &[(u64, &str)]); 6] = [
        ("/async/10", &[(7, succeeded)]),
        ("/async/10/twice", &[(7, succeeded), (7, succeeded)]),
        ("/async/10/fails", &[(7, failed)]),
        ("/async/10/never", &[]),
        ("/async/10/silent", &[]),
        ("/async/700/beating", &[(7, running), (7, running), (7, succeeded)]),
    ];
    let checked = cases.map(|(path, expected)| async move {
        let (workers, told) = (Workers::start().await, Told::default());
        let reply = call(&workers, path, "e/s/1", 7).await;
        assert_eq!(reply.status, 202, "{path}");
        assert_eq!(workers.performed().len(), 0, "{path}");
        tokio::time::sleep(Duration::from_millis(200)).await;
        assert_eq!(told.lock().unwrap().len(), 0, "it is not known yet whom to tell");
        workers.report_to(orchestrator(Arc::clone(&told)).await);
        tokio::time::sleep(Duration::from_millis(1_300)).await;
        let expected: Vec<_> =
            expected.iter().map(|(fence, said)| (*fence, (*said).to_owned())).collect();
        assert_eq!(*told.lock().unwrap(), expected, "{path}");
        assert_eq!(workers.reports().len(), expected.len(), "{path}");
    });
    join_all(checked).await;
}

#[tokio::test]
async fn a_silent_worker_works_when_it_is_asked_again() {
    for (path, expected) in [
        ("/async/1/silent", &[(7, Said::Succeeded, 200)][..]),
        ("/async/1/stale", &[(6, Said::Succeeded, 409), (7, Said::Succeeded, 200)]),
    ] {
        let workers = Workers::start().await;
        workers.report_to(orchestrator(Told::default()).await);
        let first = call(&workers, path, "e/s/1", 6).await;
        assert_eq!(first.body, json!({ "heartbeat_ms": 1_000 }));
        call(&workers, path, "e/s/1", 7).await;
        tokio::time::sleep(Duration::from_millis(300)).await;
        let reports = workers.reports();
        let found = reports.iter().map(|report| (report.fence, report.said, report.status));
        assert_eq!(found.collect::<Vec<_>>(), expected, "{path}");
        assert_eq!(workers.performed()["e/s/1"], BTreeMap::from([(7, 1)]));
    }
}
