//! The names of this Worker's bindings and typed handles to them. It must know nothing of what is
//! done with a handle.

use engine::ids::ShardId;
use worker::d1::D1Database;
use worker::kv::KvStore;
use worker::{Bucket, Env, Fetcher, Queue, RateLimiter, Stub};

const DATABASE: &str = "ORCHESTRATION_DB";
const CACHE: &str = "PIPELINE_CACHE";
const ARTIFACTS: &str = "ARTIFACTS";
const ASSETS: &str = "ASSETS";
const EXECUTIONS: &str = "EXECUTIONS";
const JOURNAL: &str = "JOURNAL";
const GOVERNOR: &str = "GOVERNOR";
const LIVE: &str = "LIVE";

/// A rate limiter of the platform: so many requests a minute under one name.
#[derive(Debug, PartialEq, Eq)]
pub struct RateTier {
    /// How many; the limiter of this name in `wrangler.toml` has the same number.
    pub per_minute: u32,
    binding: &'static str,
}

/// The rate limiters, from the least to the greatest. The least one serves every rate.
pub const RATE_TIERS: [RateTier; 6] = [
    RateTier { per_minute: 1, binding: "RATE_1" },
    RateTier { per_minute: 10, binding: "RATE_10" },
    RateTier { per_minute: 60, binding: "RATE_60" },
    RateTier { per_minute: 300, binding: "RATE_300" },
    RateTier { per_minute: 1_200, binding: "RATE_1200" },
    RateTier { per_minute: 6_000, binding: "RATE_6000" },
];

/// The bindings of one invocation. Without an environment, as in tests on the host, each of them
/// is missing.
#[derive(Clone)]
pub struct Bindings(Option<Env>);

/// A binding that is not there, or is of another kind.
#[derive(Debug, thiserror::Error)]
#[error("the binding {name} is missing: {reason}")]
pub struct Missing {
    name: String,
    reason: String,
}

impl Bindings {
    /// The bindings of `env`.
    pub fn of(env: Env) -> Self {
        Self(Some(env))
    }

    /// No bindings at all.
    #[cfg(test)]
    pub fn none() -> Self {
        Self(None)
    }

    /// The D1 database: registry, templates, policy and the projection of executions.
    pub fn database(&self) -> Result<D1Database, Missing> {
        self.find(DATABASE, |env| env.d1(DATABASE))
    }

    /// The KV namespace of cached results and of the workers' health.
    pub fn cache(&self) -> Result<KvStore, Missing> {
        self.find(CACHE, |env| env.kv(CACHE))
    }

    /// The R2 bucket of large outputs and artifacts.
    pub fn artifacts(&self) -> Result<Bucket, Missing> {
        self.find(ARTIFACTS, |env| env.bucket(ARTIFACTS))
    }

    /// The files that are packaged with the Worker.
    pub fn assets(&self) -> Result<Fetcher, Missing> {
        self.find(ASSETS, |env| env.assets(ASSETS))
    }

    /// The queue that wakes drivers.
    pub fn executions(&self) -> Result<Queue, Missing> {
        self.find(EXECUTIONS, |env| env.queue(EXECUTIONS))
    }

    /// The Durable Object that holds the journals of a shard.
    pub fn journal(&self, shard: ShardId) -> Result<Stub, Missing> {
        let name = format!("shard-{}", shard.0);
        self.find(JOURNAL, |env| env.durable_object(JOURNAL)?.get_by_name(&name))
    }

    /// The Durable Object that admits the executions of an account.
    pub fn governor(&self, account: &str) -> Result<Stub, Missing> {
        self.find(GOVERNOR, |env| env.durable_object(GOVERNOR)?.get_by_name(account))
    }

    /// The Durable Object that holds the WebSockets of an account.
    pub fn live(&self, account: &str) -> Result<Stub, Missing> {
        self.find(LIVE, |env| env.durable_object(LIVE)?.get_by_name(account))
    }

    /// A worker that is bound as the service `name`.
    pub fn service(&self, name: &str) -> Result<Fetcher, Missing> {
        self.find(name, |env| env.service(name))
    }

    /// The limiter of a tier.
    pub fn rate_limiter(&self, tier: &RateTier) -> Result<RateLimiter, Missing> {
        self.find(tier.binding, |env| env.rate_limiter(tier.binding))
    }

    /// The names of rate limiters that this deployment does not have: their tiers refuse nobody.
    pub fn missing_rate_limiters(&self) -> Vec<&'static str> {
        let missing = RATE_TIERS.iter().filter(|tier| self.rate_limiter(tier).is_err());
        missing.map(|tier| tier.binding).collect()
    }

    /// The names of bindings that this deployment needs and does not have.
    pub fn missing(&self) -> Vec<&'static str> {
        let there = [
            (DATABASE, self.database().is_ok()),
            (CACHE, self.cache().is_ok()),
            (ARTIFACTS, self.artifacts().is_ok()),
            (ASSETS, self.assets().is_ok()),
            (EXECUTIONS, self.executions().is_ok()),
            (JOURNAL, self.find(JOURNAL, |env| env.durable_object(JOURNAL)).is_ok()),
            (GOVERNOR, self.find(GOVERNOR, |env| env.durable_object(GOVERNOR)).is_ok()),
            (LIVE, self.find(LIVE, |env| env.durable_object(LIVE)).is_ok()),
        ];
        there.into_iter().filter(|(_, there)| !there).map(|(name, _)| name).collect()
    }

    fn find<T>(
        &self,
        name: &str,
        take: impl FnOnce(&Env) -> worker::Result<T>,
    ) -> Result<T, Missing> {
        let missing = |reason: String| Missing { name: name.to_owned(), reason };
        let env = self.0.as_ref().ok_or_else(|| missing("there is no environment".to_owned()))?;
        take(env).map_err(|error| missing(error.to_string()))
    }
}
