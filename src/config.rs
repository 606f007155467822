//! The only reader of variables and secrets. They are parsed once per isolate into typed values; a
//! bad value is reported by its name, never by its content, and refuses what depends on it.

mod parse;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, OnceLock};

use engine::money::MicroUsd;
use engine::shard::Timing;
use engine::time::Millis;
use worker::Env;
use worker::wasm_bindgen::JsValue;

use crate::cors::Origins;
use crate::log::{self, Level};
use crate::rate::Rates;
use parse::Reader;

/// What the platform may set for this deployment.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where it is deployed.
    pub environment: Environment,
    /// The least that is logged.
    pub log_level: Level,
    /// How many shards the journals are spread over.
    pub journal_shards: u16,
    /// The most an execution may cost where the request says nothing.
    pub budget_default: MicroUsd,
    /// The same for a critical execution.
    pub budget_emergency: MicroUsd,
    /// Executions of one account that may be driven at the same time.
    pub concurrent_executions_max: u32,
    /// How long a start waits in the line when as many are driven; zero refuses it at once.
    pub admission_queue: Millis,
    /// The longest an execution may be active.
    pub execution_max: Millis,
    /// The longest an attempt may take, and its limit where nobody names one.
    pub attempt_timeout: Millis,
    /// The longest a synchronous request waits where it does not say how long.
    pub sync_window: Millis,
    /// How long an execution is driven after the request that started it was answered.
    pub driver_background: Millis,
    /// How long a queue message drives an execution.
    pub driver_queue: Millis,
    /// Whether a queue message is driven within its handler; else it is acknowledged first and
    /// driven afterwards, as the local broker needs it.
    pub queue_drives_inline: bool,
    /// How long the lease of a driver lasts without an append or a renewal.
    pub lease: Millis,
    /// Calls that one driver makes before it hands over.
    pub driver_calls_max: u32,
    /// How long the result of an identical request is served where the template says nothing.
    pub result_cache_ttl_s: u64,
    /// How long a worker's health counts as known.
    pub worker_health_ttl_s: u64,
    /// Whether `GET /performance-insights` is answered.
    pub insights_enabled: bool,
    /// Whether the cron looks for what got worse and opens alerts.
    pub alerting_enabled: bool,
    /// After how many days finished executions are archived; zero keeps them in the database.
    pub retention_days: u32,
    /// How many requests a minute callers may make.
    pub rates: Rates,
    /// Pages of which origins may call.
    pub allowed_origins: Origins,
    /// Whether workers may be reached at local addresses.
    pub local_addresses_allowed: bool,
    /// Where workers outside reach this deployment; absent, they are told the path alone.
    pub public_base_url: Option<String>,
    /// Base URLs that stand in for those of the registry, by `worker_name`.
    pub worker_urls: BTreeMap<String, String>,
    /// How much work a password's hash takes: 2 to this power.
    pub bcrypt_cost: u32,
    /// The secrets.
    pub secrets: Secrets,
    /// Variables whose value cannot be used.
    pub invalid: Vec<&'static str>,
}

/// What bootstraps an installation.
#[derive(Clone, Debug, Default)]
pub struct Secrets {
    /// `CLIENT_API_KEY`.
    pub client_api_key: Option<Secret>,
    /// `WORKER_SHARED_SECRET`.
    pub worker_shared_secret: Option<Secret>,
    /// `SECRET_KEY`, where it is long enough.
    pub secret_key: Option<Secret>,
    /// `SECRET_KEY_PREVIOUS`, where it is long enough.
    pub secret_key_previous: Option<Secret>,
    /// Those of the two that are set, and too short to count.
    pub short: Vec<&'static str>,
}

/// A text that must not be shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

/// Where an installation lives: on a developer's machine, or one of the four kinds of deployment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Environment {
    /// On one machine, as the root scripts start it.
    Local,
    /// For whoever builds.
    Development,
    /// For trying what goes to production.
    Staging,
    /// For everyone.
    Production,
    /// For large customers.
    Enterprise,
}

/// The longest that executions may be kept before they are archived: ten years.
const RETENTION_DAYS_MAX: u32 = 3650;

/// The cost of bcrypt where nobody says: the least that is advised for passwords, and about a tenth
/// of a second of one core.
const BCRYPT_COST: u32 = 10;
/// The greatest: some five seconds of one core, which nobody else of the isolate has meanwhile.
const BCRYPT_COST_MAX: u32 = 15;

/// The name of the secret behind `X-API-Key`.
pub const CLIENT_API_KEY: &str = "CLIENT_API_KEY";
/// The name of the secret behind `Authorization: Bearer`.
pub const WORKER_SHARED_SECRET: &str = "WORKER_SHARED_SECRET";

/// The name of the key that signs the tokens of people.
pub const SECRET_KEY: &str = "SECRET_KEY";
/// The name of the key that did so before, whose tokens are still accepted.
pub const SECRET_KEY_PREVIOUS: &str = "SECRET_KEY_PREVIOUS";
/// The least that such a key has (RFC 7518, section 3.2: as much as the hash, 256 bits).
pub const SECRET_KEY_CHARS_MIN: usize = 32;

/// The configuration of this isolate.
pub fn of(env: &Env) -> Arc<Config> {
    static CONFIG: OnceLock<Arc<Config>> = OnceLock::new();
    let read = || {
        let config = Config::read(|name| variable(env, name));
        log::write_from(config.log_level);
        Arc::new(config)
    };
    CONFIG.get_or_init(read).clone()
}

impl Config {
    /// Reads the variables that `lookup` knows.
    pub fn read(lookup: impl Fn(&str) -> Option<String>) -> Self {
        let mut read = Reader::new(&lookup);
        let word = read.choice("ENVIRONMENT", Environment::parse);
        let environment = word.unwrap_or(Environment::Local);
        let base = environment.defaults();
        let mut seconds = |name, default_s, max_s| {
            Millis::from_secs(read.whole(name, 1..=max_s).unwrap_or(default_s))
        };
        let driver_queue = seconds("DRIVER_QUEUE_SECONDS", 840, 840);
        // An attempt that fills the longest lifetime of a driver to its end would never be begun.
        let attempt_s_max = (driver_queue.get() / 1000 * 9 / 10).max(1);
        let attempt_s = base.attempt_s.min(attempt_s_max);
        Self {
            environment,
            execution_max: seconds("MAX_PIPELINE_TIME_SECONDS", base.execution_s, 3600),
            attempt_timeout: seconds("ATTEMPT_TIMEOUT_SECONDS", attempt_s, attempt_s_max),
            sync_window: seconds("SYNC_WINDOW_SECONDS", 60, 90),
            driver_background: seconds("DRIVER_BACKGROUND_SECONDS", 25, 25),
            driver_queue,
            lease: seconds("LEASE_SECONDS", 30, 300),
            admission_queue: Millis::from_secs(
                read.whole("ADMISSION_QUEUE_SECONDS", 0..=60).unwrap_or(10),
            ),
            log_level: read.choice("LOG_LEVEL", Level::parse).unwrap_or(base.log_level),
            journal_shards: read
                .whole("JOURNAL_SHARDS", 1..=engine::ids::SHARDS_MAX)
                .unwrap_or(base.journal_shards),
            budget_default: read.usd("DEFAULT_BUDGET_LIMIT_USD").unwrap_or(base.budget_default),
            budget_emergency: read
                .usd("EMERGENCY_BUDGET_LIMIT_USD")
                .unwrap_or(base.budget_emergency),
            concurrent_executions_max: read
                .whole("MAX_CONCURRENT_PIPELINES", 1..=100_000)
                .unwrap_or(base.concurrent_executions),
            queue_drives_inline: read
                .yes_or_no("QUEUE_DRIVES_INLINE")
                .unwrap_or(environment != Environment::Local),
            driver_calls_max: read.whole("DRIVER_CALLS_MAX", 1..=1_000).unwrap_or(30),
            result_cache_ttl_s: read
                .whole("PIPELINE_CACHE_TTL_SECONDS", 0..=2_592_000)
                .unwrap_or(3600),
            worker_health_ttl_s: read.whole("WORKER_HEALTH_CACHE_TTL", 60..=86_400).unwrap_or(300),
            insights_enabled: read.yes_or_no("ENABLE_INSIGHTS").unwrap_or(base.insights),
            alerting_enabled: read.yes_or_no("ENABLE_ALERTING").unwrap_or(base.alerting),
            retention_days: read
                .whole("RETENTION_DAYS", 0..=RETENTION_DAYS_MAX)
                .unwrap_or(base.retention_days),
            rates: Rates {
                anonymous: read.rate("RATE_PER_MINUTE_ANONYMOUS", base.rates.anonymous),
                keys: read.rate("RATE_PER_MINUTE_KEYS", base.rates.keys),
                bootstrap: read.rate("RATE_PER_MINUTE_BOOTSTRAP", base.rates.bootstrap),
                workers: read.rate("RATE_PER_MINUTE_WORKERS", base.rates.workers),
            },
            allowed_origins: read.choice("ALLOWED_ORIGINS", Origins::parse).unwrap_or_default(),
            local_addresses_allowed: read.yes_or_no("ALLOW_LOCAL_WORKER_URLS").unwrap_or(false),
            public_base_url: read.url("PUBLIC_BASE_URL"),
            worker_urls: WORKER_URLS
                .iter()
                .filter_map(|(name, worker)| Some(((*worker).to_owned(), read.url(name)?)))
                .collect(),
            bcrypt_cost: read
                .whole("BCRYPT_COST", base.bcrypt_cost_min..=BCRYPT_COST_MAX)
                .unwrap_or(BCRYPT_COST),
            secrets: Secrets::read(&read),
            invalid: read.invalid(),
        }
    }

    /// The timing of the shards of journals.
    pub fn shard_timing(&self) -> Timing {
        Timing { lease: self.lease, ..Timing::default() }
    }
}

impl Secrets {
    fn read(read: &Reader<'_>) -> Self {
        let mut short = Vec::new();
        let mut key = |name| {
            let text = read.text(name)?;
            if text.chars().count() < SECRET_KEY_CHARS_MIN {
                short.push(name);
                return None;
            }
            Some(Secret(text))
        };
        let (secret_key, secret_key_previous) = (key(SECRET_KEY), key(SECRET_KEY_PREVIOUS));
        Self {
            client_api_key: read.text(CLIENT_API_KEY).map(Secret),
            worker_shared_secret: read.text(WORKER_SHARED_SECRET).map(Secret),
            secret_key,
            secret_key_previous,
            short,
        }
    }
}

impl Secret {
    /// The text, for the one place that sends or compares it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl Environment {
    /// The word in `ENVIRONMENT` and in `/health`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::Development => "development",
            Self::Staging => "staging",
            Self::Production => "production",
            Self::Enterprise => "enterprise",
        }
    }

    fn parse(word: &str) -> Option<Self> {
        let deployed = [Self::Development, Self::Staging, Self::Production, Self::Enterprise];
        let mut all = deployed.into_iter().chain([Self::Local]);
        all.find(|environment| environment.as_str() == word)
    }

    fn defaults(self) -> Defaults {
        let usd = |cents: u64| MicroUsd::from_micros(cents * 10_000);
        let base = Defaults {
            budget_default: usd(200),
            budget_emergency: usd(1000),
            concurrent_executions: 10,
            execution_s: 300,
            attempt_s: 60,
            journal_shards: 256,
            log_level: Level::Info,
            insights: true,
            alerting: true,
            retention_days: 90,
            bcrypt_cost_min: BCRYPT_COST,
            rates: Rates {
                anonymous: Some(60),
                keys: Some(300),
                bootstrap: Some(1_200),
                workers: Some(6_000),
            },
        };
        match self {
            Self::Local => Defaults {
                insights: true,
                alerting: true,
                retention_days: 0,
                bcrypt_cost_min: 4,
                rates: Rates::default(),
                ..Self::Development.defaults()
            },
            Self::Development => Defaults {
                budget_default: usd(50),
                budget_emergency: usd(200),
                concurrent_executions: 5,
                execution_s: 120,
                attempt_s: 20,
                journal_shards: 8,
                log_level: Level::Debug,
                insights: false,
                alerting: false,
                retention_days: 14,
                ..base
            },
            Self::Staging => Defaults {
                budget_default: usd(100),
                budget_emergency: usd(500),
                journal_shards: 32,
                alerting: false,
                retention_days: 30,
                ..base
            },
            Self::Production => base,
            Self::Enterprise => Defaults {
                budget_default: usd(500),
                budget_emergency: usd(2500),
                concurrent_executions: 25,
                execution_s: 600,
                attempt_s: 120,
                retention_days: 365,
                rates: Rates { keys: Some(1_200), bootstrap: Some(6_000), ..base.rates },
                ..base
            },
        }
    }
}

/// What an environment has where a variable says nothing.
struct Defaults {
    budget_default: MicroUsd,
    budget_emergency: MicroUsd,
    concurrent_executions: u32,
    execution_s: u64,
    attempt_s: u64,
    journal_shards: u16,
    log_level: Level,
    insights: bool,
    alerting: bool,
    retention_days: u32,
    bcrypt_cost_min: u32,
    rates: Rates,
}

const WORKER_URLS: [(&str, &str); 5] = [
    ("TOPIC_RESEARCHER_URL", "topic_researcher"),
    ("RSS_LIBRARIAN_URL", "rss_librarian"),
    ("FEED_FETCHER_URL", "feed_fetcher"),
    ("CONTENT_CLASSIFIER_URL", "content_classifier"),
    ("REPORT_BUILDER_URL", "report_builder"),
];

/// Variables are strings, or, where `wrangler.toml` has them so, numbers and booleans.
fn variable(env: &Env, name: &str) -> Option<String> {
    let value = js_sys::Reflect::get(env.as_ref(), &JsValue::from_str(name)).ok()?;
    let text = value.as_string().or_else(|| value.as_f64().map(|number| number.to_string()));
    text.or_else(|| value.as_bool().map(|yes| yes.to_string()))
}

#[cfg(test)]
mod tests;
