//! Stored results of identical requests, in KV. What is kept are the outputs of the steps, so that
//! a hit becomes an execution of its own, with a journal that says whose outputs it has.
//!
//! The cache may forget, be late or be down: then the work is done anew. It never fails a request.

use engine::execution::{Payload, SkipReason, State, Status};
use engine::ids::ExecutionId;
use engine::time::{Millis, Timestamp};
use futures::future::try_join_all;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::bindings::Bindings;
use crate::clock::now;
use crate::config::Config;
use crate::effects::offload::{self, OffloadError};
use crate::log::{self, Level};
use crate::templates::{canonical_json, sha256_hex};

/// The shortest time that KV keeps a value; a shorter one is checked when it is read.
const KV_TTL_S_MIN: u64 = 60;
/// The largest result that is kept.
const RESULT_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Fields of the request that do not change the result: `since` follows from `time_range`.
const BESIDE_THE_RESULT: [&str; 2] = ["since", "use_cache"];

/// The result of an earlier execution.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StoredResult {
    /// The execution that produced it.
    pub from: ExecutionId,
    /// Until when it may be served.
    pub until: Timestamp,
    /// The outputs of its steps, by name.
    pub outputs: Vec<(String, Payload)>,
}

/// The key under which results of identical requests meet: same account, same content of the
/// template, same canonical request.
pub fn key(account: &str, content_hash: &str, request: &Value) -> String {
    let mut request = request.clone();
    if let Some(fields) = request.as_object_mut() {
        fields.retain(|name, _| !BESIDE_THE_RESULT.contains(&name.as_str()));
    }
    let whole = json!({ "account": account, "template": content_hash, "request": request });
    format!("result/{}", sha256_hex(canonical_json(&whole).as_bytes()))
}

/// The stored result under `key`, if it is there and still good.
pub async fn find(bindings: &Bindings, key: &str) -> Option<StoredResult> {
    let text = match read(bindings, key).await {
        Ok(text) => text?,
        Err(error) => {
            failed("cache.read_failed", &error);
            return None;
        }
    };
    let stored: StoredResult = serde_json::from_str(&text).ok()?;
    let mut stored = Some(stored).filter(|stored| stored.until > now())?;
    match bring_large(bindings, &mut stored).await {
        Ok(()) => Some(stored),
        Err(error) => {
            failed("cache.output_gone", &error.to_string());
            None
        }
    }
}

/// Large outputs lie in object storage: an execution that has them needs their values.
async fn bring_large(bindings: &Bindings, stored: &mut StoredResult) -> Result<(), OffloadError> {
    let brought = stored.outputs.iter_mut().map(async |(_, output)| {
        if let Some(place) = output.unresolved().cloned() {
            output.resolve(offload::bring(bindings, &place).await?);
        }
        Ok(())
    });
    try_join_all(brought).await.map(drop)
}

/// A result and the key to keep it under.
pub struct Keepable {
    key: String,
    stored: StoredResult,
}

/// What to keep of an execution: of one that completed, whole and by its own work, whose request
/// and template allow it.
pub fn keepable(config: &Config, state: &State) -> Option<Keepable> {
    let started = &state.started;
    let ttl_s = started.definition.cache_ttl_s.unwrap_or(config.result_cache_ttl_s);
    let wanted = started.request["use_cache"] == true && ttl_s > 0;
    let lacking = |reason: &SkipReason| match reason {
        SkipReason::Failed { .. } | SkipReason::Dependency { .. } => true,
        SkipReason::Condition | SkipReason::Strategy => false,
    };
    let whole = !state.steps.iter().any(|step| step.skipped.as_ref().is_some_and(lacking));
    // What somebody approved was approved once.
    if !state.approvals.is_empty() {
        return None;
    }
    if !wanted || !whole || state.status != Status::Completed || state.is_cache_hit() {
        return None;
    }
    let outputs = state.plan.steps.iter().zip(&state.steps).filter_map(|(planned, step)| {
        step.output.as_ref().map(|output| (planned.name.clone(), output.clone()))
    });
    let stored = StoredResult {
        from: started.id.clone(),
        until: now().plus(Millis::from_secs(ttl_s)),
        outputs: outputs.collect(),
    };
    Some(Keepable { key: key(&started.account, &started.content_hash, &started.request), stored })
}

/// Keeps a result for requests that are identical.
pub async fn keep(bindings: &Bindings, Keepable { key, stored }: Keepable) {
    if let Err(error) = write(bindings, &key, &stored).await {
        failed("cache.write_failed", &error);
    }
}

async fn read(bindings: &Bindings, key: &str) -> Result<Option<String>, String> {
    let cache = bindings.cache().map_err(|error| error.to_string())?;
    cache.get(key).text().await.map_err(|error| error.to_string())
}

async fn write(bindings: &Bindings, key: &str, stored: &StoredResult) -> Result<(), String> {
    let text = serde_json::to_string(stored).map_err(|error| error.to_string())?;
    if text.len() > RESULT_BYTES_MAX {
        return Ok(());
    }
    let ttl_s = stored.until.since(now()).get().div_ceil(1000).max(KV_TTL_S_MIN);
    let cache = bindings.cache().map_err(|error| error.to_string())?;
    let put = cache.put(key, text).map_err(|error| error.to_string())?;
    put.expiration_ttl(ttl_s).execute().await.map_err(|error| error.to_string())
}

fn failed(event: &str, error: &str) {
    log::write(Level::Warn, json!({ "event": event, "error": error }));
}

#[cfg(test)]
pub(crate) mod tests {
    use std::sync::Arc;

    use engine::execution::{Context, FORMAT, Started, Terms, reuse, start};
    use engine::plan::Plan;
    use engine::plan::definition::TemplateDefinition;

    use super::*;

    #[test]
    fn identical_requests_meet_and_others_do_not() {
        let request =
            json!({ "topic": "rust", "since": "2026-01-01", "input": { "b": 1, "a": 2 } });
        let same: Value = serde_json::from_str(
            r#"{"input":{"a":2,"b":1},"use_cache":true,"topic":"rust","since":"2026-02-02"}"#,
        )
        .unwrap();
        let found = key("default", "hash", &request);
        assert_eq!(found, key("default", "hash", &same));
        assert_eq!(found.len(), "result/".len() + 64);
        let other = json!({ "topic": "rust", "input": { "b": 1, "a": 3 } });
        for different in [
            key("acme", "hash", &request),
            key("default", "other", &request),
            key("default", "hash", &other),
        ] {
            assert_ne!(found, different);
        }
    }

    fn completed(use_cache: bool, cache_ttl_s: u64) -> State {
        let step = json!({
            "name": "a", "order": 1, "kind": "transform", "input_mapping": { "n": 1 },
        });
        let definition = json!({ "name": "t", "cache_ttl_s": cache_ttl_s, "steps": [step] });
        begun(definition, json!({ "topic": "x", "use_cache": use_cache }))
    }

    /// An execution as far as it comes by itself: one of transforms alone is over.
    pub(crate) fn begun(definition: Value, request: Value) -> State {
        let definition: TemplateDefinition = serde_json::from_value(definition).unwrap();
        let plan = Arc::new(Plan::compile(&definition).unwrap());
        let terms = Terms {
            strategy: "balanced".to_owned(),
            parallelism: 1,
            skip_optional: false,
            retries_max: None,
            deadline: Millis::from_secs(60),
            attempt_timeout: Millis::from_secs(20),
            budget: None,
            ..Terms::default()
        };
        let started = Started {
            format: FORMAT,
            id: "pipe_1_00000000000000000000000000".parse().unwrap(),
            account: "default".to_owned(),
            at: Timestamp::from_millis(0),
            revision: 1,
            content_hash: "hash".to_owned(),
            definition: Arc::new(definition),
            request,
            terms,
            traceparent: None,
            parent: None,
            restarted_from: None,
            key: None,
            initiators: Vec::new(),
        };
        let deciding = Context {
            now: Timestamp::from_millis(0),
            entropy: 0,
            slots: 4,
            latest_end: Timestamp::from_millis(60_000),
            gates: &engine::execution::NO_GATES,
        };
        start(started, plan, &deciding).0
    }

    #[test]
    fn a_completed_execution_is_kept_where_request_and_template_allow_it() {
        let config = Config::read(|_| None);
        let kept = keepable(&config, &completed(true, 60)).unwrap();
        assert_eq!(kept.stored.outputs.len(), 1);
        let request = json!({ "topic": "x", "use_cache": true });
        assert_eq!(kept.key, key("default", "hash", &request));
        assert!(keepable(&config, &completed(false, 60)).is_none());
        assert!(keepable(&config, &completed(true, 0)).is_none());
    }

    #[test]
    fn what_did_not_complete_by_its_own_work_is_not_kept() {
        let config = Config::read(|_| None);
        let first = completed(true, 60);
        let from = first.started.id.clone();
        let outputs = keepable(&config, &first).unwrap().stored.outputs;
        let started = Started::clone(&first.started);
        let (hit, _) = reuse(started, Arc::clone(&first.plan), outputs, &from).unwrap();
        assert!(hit.is_cache_hit() && keepable(&config, &hit).is_none());
        let mut failed = completed(true, 60);
        failed.status = Status::Partial;
        assert!(keepable(&config, &failed).is_none());
        let mut lacking = completed(true, 60);
        lacking.steps[0].skipped = Some(SkipReason::Dependency { step: "b".to_owned() });
        assert!(keepable(&config, &lacking).is_none());
    }

    #[test]
    fn a_stored_result_survives_its_journey() {
        let stored = StoredResult {
            from: "pipe_1_00000000000000000000000000".parse().unwrap(),
            until: Timestamp::from_millis(5),
            outputs: vec![("a".to_owned(), Payload::inline(json!({ "n": 1 })))],
        };
        let text = serde_json::to_string(&stored).unwrap();
        assert_eq!(serde_json::from_str::<StoredResult>(&text).unwrap(), stored);
    }
}
