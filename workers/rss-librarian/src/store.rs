//! Keeps what checks found in KV, where the binding `FEED_HEALTH` exists. Health is advice: a store
//! that fails must not fail a call. It decides nothing. Cannot run on the host.

use worker::{Env, KvStore};

use crate::health::{Health, HealthBook, REMEMBERED_S};

const BINDING: &str = "FEED_HEALTH";
const KEY_PREFIX: &str = "feed:";
/// The platform reads no more keys at once.
const KEYS_MAX: usize = 100;
/// The platform takes no longer keys.
const KEY_BYTES_MAX: usize = 512;

/// The store, if one is bound.
pub(crate) fn bound(env: &Env) -> Option<KvStore> {
    env.kv(BINDING).ok()
}

/// What is known of these feeds. A read that fails gives what the others gave.
pub(crate) async fn read(store: &KvStore, urls: &[&str]) -> HealthBook {
    let keys: Vec<String> = urls.iter().filter_map(|url| key(url)).collect();
    let mut records: Vec<(String, String)> = Vec::new();
    for keys in keys.chunks(KEYS_MAX) {
        match store.get_bulk(keys).text().await {
            Ok(found) => {
                records.extend(found.into_iter().filter_map(|(key, record)| Some((key, record?))));
            }
            Err(error) => log("health.unread", &error),
        }
    }
    let by_url = |(key, record): &'_ (String, String)| {
        Some((key.strip_prefix(KEY_PREFIX)?.to_owned(), record.clone()))
    };
    let records: Vec<(String, String)> = records.iter().filter_map(by_url).collect();
    HealthBook::from_records(records.iter().map(|(url, record)| (url.as_str(), record.as_str())))
}

/// Remembers a check; whether that worked.
pub(crate) async fn write(store: &KvStore, url: &str, health: &Health) -> bool {
    let Some(key) = key(url) else { return false };
    let record = serde_json::to_string(health).expect("health is plain data");
    let written = match store.put(&key, record) {
        Ok(put) => put.expiration_ttl(REMEMBERED_S).execute().await,
        Err(error) => Err(error),
    };
    written.inspect_err(|error| log("health.unwritten", error)).is_ok()
}

fn key(url: &str) -> Option<String> {
    let key = format!("{KEY_PREFIX}{url}");
    (key.len() <= KEY_BYTES_MAX).then_some(key)
}

fn log(event: &str, error: &worker::KvError) {
    let detail = error.to_string();
    worker::console_error!("{}", serde_json::json!({"event": event, "detail": detail}));
}
