//! The step cache: outputs of workers in KV, by what was asked of whom. Two calls are the same when
//! account, worker, version, endpoint and body are; whatever else tells their executions apart does
//! not matter.
//!
//! It may forget, be late or be down: then the worker is asked. It never fails a call, and never
//! keeps a failure or what a worker has only accepted.

use std::future::Future;
use std::pin::pin;
use std::time::Duration;

use engine::execution::{Memoised, Outcome, Payload};
use engine::money::MicroUsd;
use engine::time::{Millis, Timestamp};
use futures::future::{Either, select};
use serde::{Deserialize, Serialize};
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Value, json};
use worker::Delay;

use super::answer::Called;
use crate::bindings::Bindings;
use crate::clock;
use crate::log::{self, Level};
use crate::templates::{canonical_json, sha256_hex};

/// The shortest time that KV keeps a value; a shorter one is checked when it is read.
const KV_TTL_S_MIN: u64 = 60;
/// The largest output that is kept, as JSON text.
const OUTPUT_BYTES_MAX: usize = 1024 * 1024;
/// How long an answer may be held back until it is kept: one that KV makes late could miss the
/// attempt's deadline, and would be paid for again.
const KEEPING_MAX: Duration = Duration::from_millis(500);

/// What a call is known by.
#[derive(Clone, Copy, Debug)]
pub struct MemoKey<'a> {
    /// Who it is made for: nobody is served what another account paid for.
    pub account: &'a str,
    /// Who is asked.
    pub worker: &'a str,
    /// The worker's version, so that a better one is asked anew.
    pub version: &'a str,
    /// The operation.
    pub endpoint: &'a str,
    /// What is sent.
    pub body: &'a Value,
}

/// How a call may be served by an earlier one, or serve later ones.
#[derive(Clone, Copy, Debug)]
pub struct Memo<'a> {
    /// What it is known by.
    pub key: MemoKey<'a>,
    /// How long an output serves, from when it was kept.
    pub ttl: Millis,
    /// What the call counts as having cost where the worker does not say.
    pub estimated_cost: Option<MicroUsd>,
}

/// What is kept of a call. The output is text where it is written and a value where it is read.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Entry<Output> {
    output: Output,
    cost_micro_usd: MicroUsd,
    duration_ms: Millis,
    kept_at: Timestamp,
}

/// Serves the call from an earlier one where that is allowed and possible; else makes it, and keeps
/// what it brings. A hit costs nothing and says what it saved.
pub async fn through(
    bindings: &Bindings,
    memo: Option<Memo<'_>>,
    call: impl Future<Output = Called>,
) -> Called {
    let Some(memo) = memo else { return call.await };
    if let Some((output, saved)) = look_up(bindings, &memo.key, memo.ttl).await {
        let cost = Some(MicroUsd::ZERO);
        return Called::Answered(Outcome { result: Ok(output), cost, memoised: Some(saved) });
    }
    let asked_at = clock::now();
    let called = call.await;
    let took = Memoised { cost: MicroUsd::ZERO, duration: clock::now().since(asked_at) };
    if let Some((output, saved)) = keepable(&memo, &called, took) {
        keep(bindings, &memo.key, memo.ttl, output, saved).await;
    }
    called
}

/// The output of an earlier call with this key that is at most `ttl` old, and what it saves.
pub async fn look_up(
    bindings: &Bindings,
    key: &MemoKey<'_>,
    ttl: Millis,
) -> Option<(Payload, Memoised)> {
    match read(bindings, &key.text()).await {
        Ok(text) => decode(&text?)?.serve(clock::now(), ttl),
        Err(error) => {
            failed("memo.read_failed", &error);
            None
        }
    }
}

/// Keeps an output for later calls with this key, unless it is too large.
pub async fn keep(
    bindings: &Bindings,
    key: &MemoKey<'_>,
    ttl: Millis,
    output: &Value,
    took: Memoised,
) {
    let Some(text) = encode(output, took, clock::now()) else { return };
    let ttl_s = ttl.get().div_ceil(1000).max(KV_TTL_S_MIN);
    let key = key.text();
    let written = pin!(write(bindings, &key, text, ttl_s));
    match select(written, Delay::from(KEEPING_MAX)).await {
        Either::Left((Ok(()), _)) => {}
        Either::Left((Err(error), _)) => failed("memo.write_failed", &error),
        Either::Right(_) => failed("memo.write_failed", "it took too long"),
    }
}

impl MemoKey<'_> {
    /// The key in KV.
    fn text(&self) -> String {
        let names = [self.account, self.worker, self.version, self.endpoint];
        let names = names.map(|name| Value::from(name).to_string()).join(",");
        let canonical = format!("[{names},{}]", canonical_json(self.body));
        format!("memo:v1:{}", sha256_hex(canonical.as_bytes()))
    }
}

/// What to keep of a call that was made: an output, with its price and how long it took.
fn keepable<'a>(
    memo: &Memo<'_>,
    called: &'a Called,
    took: Memoised,
) -> Option<(&'a Value, Memoised)> {
    let Called::Answered(Outcome { result: Ok(output), cost, .. }) = called else { return None };
    let cost = cost.or(memo.estimated_cost).unwrap_or_default();
    Some((output.value()?, Memoised { cost, ..took }))
}

/// The text that is kept; `None` when the output is too large.
fn encode(output: &Value, took: Memoised, kept_at: Timestamp) -> Option<String> {
    let output = to_raw_value(output).ok()?;
    let entry: Entry<&RawValue> =
        Entry { output: &output, cost_micro_usd: took.cost, duration_ms: took.duration, kept_at };
    let fits = output.get().len() <= OUTPUT_BYTES_MAX;
    fits.then(|| serde_json::to_string(&entry).ok()).flatten()
}

/// What was kept; a text that is damaged counts as none.
fn decode(text: &str) -> Option<Entry<Value>> {
    let entry = serde_json::from_str(text);
    entry.map_err(|error| failed("memo.entry_damaged", &error.to_string())).ok()
}

impl Entry<Value> {
    /// KV keeps a value for a minute at least, and may be late: the age decides.
    fn serve(self, now: Timestamp, ttl: Millis) -> Option<(Payload, Memoised)> {
        let fresh = now < self.kept_at.plus(ttl);
        let saved = Memoised { cost: self.cost_micro_usd, duration: self.duration_ms };
        fresh.then(|| (Payload::inline(self.output), saved))
    }
}

async fn read(bindings: &Bindings, key: &str) -> Result<Option<String>, String> {
    let cache = bindings.cache().map_err(|error| error.to_string())?;
    cache.get(key).text().await.map_err(|error| error.to_string())
}

async fn write(bindings: &Bindings, key: &str, text: String, ttl_s: u64) -> Result<(), String> {
    let cache = bindings.cache().map_err(|error| error.to_string())?;
    let put = cache.put(key, text).map_err(|error| error.to_string())?;
    put.expiration_ttl(ttl_s).execute().await.map_err(|error| error.to_string())
}

fn failed(event: &str, error: &str) {
    log::write(Level::Warn, json!({ "event": event, "error": error }));
}

#[cfg(test)]
mod tests {
    use engine::execution::{Fault, FaultKind};

    use super::*;

    const KEPT_AT: Timestamp = Timestamp::from_millis(1_772_000_000_000);
    const TOOK: Memoised =
        Memoised { cost: MicroUsd::from_micros(20_000), duration: Millis::new(750) };

    fn key(body: &Value) -> MemoKey<'_> {
        MemoKey { account: "acme", worker: "fetcher", version: "1.0.0", endpoint: "/fetch", body }
    }

    #[test]
    fn the_same_question_has_the_same_key() {
        let one =
            serde_json::from_str(r#"{"b": [1, {"z": 1, "a": 2.50}], "a": "\u0041"}"#).unwrap();
        let two = serde_json::from_str(r#"{"a":"A","b":[1,{"a":2.5,"z":1}]}"#).unwrap();
        assert_eq!(key(&one).text(), key(&two).text());
        assert_eq!(key(&one).text().len(), "memo:v1:".len() + 64);
    }

    #[test]
    fn what_tells_questions_apart_tells_keys_apart() {
        let (body, other) = (json!({ "a": [1, 2] }), json!({ "a": [2, 1] }));
        let base = key(&body);
        let mut texts = vec![
            base.text(),
            MemoKey { account: "other", ..base }.text(),
            MemoKey { worker: "other", ..base }.text(),
            MemoKey { version: "1.0.1", ..base }.text(),
            MemoKey { endpoint: "/other", ..base }.text(),
            MemoKey { body: &other, ..base }.text(),
            MemoKey { body: &json!({ "a": [1.0, 2] }), ..base }.text(),
            // Where one name ends and the next begins is a part of the key.
            MemoKey { account: "acme\",\"fetcher", worker: "1.0.0", ..base }.text(),
        ];
        let all = texts.len();
        texts.sort_unstable();
        texts.dedup();
        assert_eq!(texts.len(), all);
    }

    #[test]
    fn an_entry_comes_back_as_it_went() {
        let output = json!({ "articles": [{ "id": "ä", "n": 1.5 }], "none": null });
        let text = encode(&output, TOOK, KEPT_AT).unwrap();
        let (served, saved) = decode(&text).unwrap().serve(KEPT_AT, Millis::new(1)).unwrap();
        assert_eq!(served, Payload::inline(output));
        assert_eq!(saved, TOOK);
        let fields: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(fields["cost_micro_usd"], 20_000);
        assert_eq!(fields["duration_ms"], 750);
        assert_eq!(fields["kept_at"], KEPT_AT.as_millis());
    }

    #[test]
    fn an_entry_serves_for_exactly_its_time() {
        let served = |ttl_ms, later_ms| {
            let entry = decode(&encode(&json!(1), TOOK, KEPT_AT).unwrap()).unwrap();
            entry.serve(KEPT_AT.plus(Millis::new(later_ms)), Millis::new(ttl_ms)).is_some()
        };
        assert!(served(5_000, 4_999));
        assert!(!served(5_000, 5_000), "though KV keeps it for a minute");
        assert!(!served(0, 0));
    }

    #[test]
    fn what_is_too_large_is_not_kept_and_what_is_damaged_not_served() {
        let quotes = "\"\"".len();
        let fits = Value::from("x".repeat(OUTPUT_BYTES_MAX - quotes));
        assert!(encode(&fits, TOOK, KEPT_AT).is_some());
        let larger = Value::from("x".repeat(OUTPUT_BYTES_MAX - quotes + 1));
        assert_eq!(encode(&larger, TOOK, KEPT_AT), None);
        let whole = encode(&json!({ "n": 1 }), TOOK, KEPT_AT).unwrap();
        let negative = whole.replace("20000", "-20000");
        for damaged in ["", "null", "{}", &whole[..whole.len() - 1], &negative] {
            assert_eq!(decode(damaged), None, "{damaged}");
        }
    }

    #[test]
    fn outputs_alone_are_kept_at_their_price() {
        let body = json!({});
        let estimated_cost = Some(MicroUsd::from_micros(7));
        let memo = Memo { key: key(&body), ttl: Millis::from_secs(60), estimated_cost };
        let answered = |cost| {
            let result = Ok(Payload::inline(json!({ "n": 1 })));
            Called::Answered(Outcome { result, cost, memoised: None })
        };
        let price = |cost| keepable(&memo, &answered(cost), TOOK).unwrap().1.cost.as_micros();
        assert_eq!(price(Some(MicroUsd::from_micros(3))), 3);
        assert_eq!(price(Some(MicroUsd::ZERO)), 0);
        assert_eq!(price(None), 7);
        let fault = Fault::new(FaultKind::Http(422), "worker.refused", "no");
        assert!(keepable(&memo, &Called::from(fault), TOOK).is_none());
        assert!(keepable(&memo, &Called::Accepted { heartbeat: None }, TOOK).is_none());
    }

    #[tokio::test]
    async fn without_kv_the_worker_is_asked() {
        let body = json!({});
        let memo = Memo { key: key(&body), ttl: Millis::from_secs(60), estimated_cost: None };
        let result = Ok(Payload::inline(json!({ "n": 1 })));
        let answered = Called::Answered(Outcome { result, cost: None, memoised: None });
        let bindings = Bindings::none();
        for memo in [Some(memo), None] {
            let called = through(&bindings, memo, std::future::ready(answered.clone()));
            assert_eq!(called.await, answered);
        }
    }
}
