//! Keeps feeds between calls, so that an unchanged one need not be sent again. It decides nothing.
//! Cannot run on the host.
//!
//! Kept in the KV namespace `FEED_CACHE` where one is bound: it works on every deployment and
//! locally, and all locations share it. Without it the platform's cache is used, which costs
//! nothing but is local to a data centre and without effect where a Worker has no domain of its
//! own. Nothing depends on either: what is lost is fetched again, and their failures are not the
//! caller's.

use url::Url;
use worker::kv::KvStore;
use worker::{Cache, Env, Response};

use crate::settle::{KEPT_VERSION, Kept, keeping_key};

const KEEP_S: u64 = 7 * 24 * 60 * 60;

/// Where feeds are kept.
pub enum Keeper {
    /// The bound KV namespace.
    Kv(KvStore),
    /// The platform's cache.
    Edge(Cache),
}

impl Keeper {
    /// The keeper of this environment.
    pub fn of(env: &Env) -> Keeper {
        env.kv("FEED_CACHE").map_or_else(|_| Keeper::Edge(Cache::default()), Keeper::Kv)
    }

    /// What was kept of a feed, if anything that this version can use.
    pub async fn load(&self, url: &Url) -> Option<Kept> {
        let text = match self {
            Keeper::Kv(store) => store.get(&kv_key(url)).text().await.ok()??,
            Keeper::Edge(cache) => {
                cache.get(edge_key(url), false).await.ok()??.text().await.ok()?
            }
        };
        serde_json::from_str::<Kept>(&text).ok().filter(|kept| kept.version == KEPT_VERSION)
    }

    /// Keeps a feed for a week.
    pub async fn store(&self, url: &Url, kept: &Kept) {
        let Ok(text) = serde_json::to_string(kept) else { return };
        let stored = match self {
            Keeper::Kv(store) => store_kv(store, &kv_key(url), &text).await,
            Keeper::Edge(cache) => store_edge(cache, edge_key(url), &text).await,
        };
        if let Err(error) = stored {
            worker::console_warn!(
                "{}",
                serde_json::json!({"event": "feed.not_kept", "error": error.to_string()})
            );
        }
    }
}

fn kv_key(url: &Url) -> String {
    format!("feed/{}", keeping_key(url))
}

/// The cache knows URLs alone; this one leads nowhere.
fn edge_key(url: &Url) -> String {
    format!("https://feed-cache.invalid/{}", keeping_key(url))
}

async fn store_kv(store: &KvStore, key: &str, text: &str) -> worker::Result<()> {
    store.put(key, text)?.expiration_ttl(KEEP_S).execute().await.map_err(Into::into)
}

async fn store_edge(cache: &Cache, key: String, text: &str) -> worker::Result<()> {
    let mut response = Response::ok(text)?;
    response.headers_mut().set("cache-control", &format!("max-age={KEEP_S}"))?;
    cache.put(key, response).await
}
