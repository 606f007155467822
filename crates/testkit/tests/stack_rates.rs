//! Rates: who asks too often is refused, and nobody else.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use reqwest::Method;
use testkit::client::{Client, Reply};
use testkit::stack::{Stack, StateDir, WORKER_SHARED_SECRET, key_hash, wanted};

const SLOW_KEY: &str = "bwk_slowslowslowslowslowslowslowslowslowslowslo";
const OTHER_KEY: &str = "bwk_otherotherotherotherotherotherotherotherot_";

#[tokio::test(flavor = "multi_thread")]
async fn who_asks_too_often_is_refused_and_nobody_else() {
    if !wanted() {
        return;
    }
    let state = StateDir::new("rates");
    state.execute(&format!(
        "INSERT INTO accounts (id, name) VALUES ('rates', 'Rates');
         INSERT INTO api_keys (id, account_id, key_hash, rate_per_minute) VALUES
           ('slow', 'rates', '{}', 19), ('other', 'rates', '{}', 19);",
        key_hash(SLOW_KEY),
        key_hash(OTHER_KEY)
    ));
    let vars = ["RATE_PER_MINUTE_ANONYMOUS=10", "RATE_PER_MINUTE_WORKERS=60"];
    let stack = Stack::start(&state, &vars);
    let slow = Client::new(stack.url(), SLOW_KEY, WORKER_SHARED_SECRET);
    let other = Client::new(stack.url(), OTHER_KEY, WORKER_SHARED_SECRET);

    let refused = until_refused(|| slow.get("/templates")).await;
    assert_eq!(refused.text("/code"), "rate.limited", "{}", refused.body);
    assert_eq!(refused.text("/detail"), "At most 10 requests a minute are answered");
    let seconds: u32 = refused.header("retry-after").expect("Retry-After").parse().unwrap();
    assert!((1..=60).contains(&seconds), "{seconds}");
    let served = other.get("/templates").await.unwrap();
    assert_eq!(served.status, 200, "another key of the same account: {}", served.body);

    let anonymous = |path: &'static str| other.send(other.request(Method::GET, path));
    let refused = until_refused(|| anonymous("/help")).await;
    assert_eq!(refused.text("/code"), "rate.limited", "{}", refused.body);
    let wrong = other.request(Method::GET, "/pipeline-history").header("X-API-Key", "wrong");
    let wrong = other.send(wrong).await.unwrap();
    assert_eq!(wrong.status, 429, "a wrong key is no way around it: {}", wrong.body);
    assert_eq!(anonymous("/nonexistent").await.unwrap().status, 429);
    assert_eq!(anonymous("/healthz").await.unwrap().status, 200);
    let served = other.get("/templates").await.unwrap();
    assert_eq!(served.status, 200, "keys are counted apart: {}", served.body);
    let worker = other.as_worker(other.request(Method::GET, "/health"));
    let worker = other.send(worker).await.unwrap();
    assert_eq!((worker.status, worker.text("/status")), (200, "ok"), "{}", worker.body);
}

/// Asks until it is refused: a window of a minute may end once meanwhile.
async fn until_refused<F: Future<Output = Result<Reply, String>>>(ask: impl Fn() -> F) -> Reply {
    for _ in 0..25 {
        let reply = ask().await.unwrap();
        if reply.status == 429 {
            return reply;
        }
        assert_eq!(reply.status, 200, "{}", reply.body);
    }
    panic!("25 requests were served at a rate of 10 a minute");
}
