//! The registry: which workers there are, how they are reached and how they were found.

use engine::time::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json as value};

use super::row::{flag, json, lenient_json};
use super::templates::reached;
use super::{Database, DbError, statements};

/// What a worker is, without what checks found.
macro_rules! settings {
    () => {
        "display_name, description, version, service_binding, base_url, endpoints, input_format,
        output_format, dependencies, estimated_cost_usd, avg_response_time_ms, timeout_ms,
        max_retries, max_concurrency, max_per_minute, breaker, quality_score, is_active,
        health_check_endpoint, default_config"
    };
}
pub(super) use settings;

/// All that a row says.
macro_rules! columns {
    () => {
        concat!(
            "SELECT worker_name, ",
            settings!(),
            ", last_health_check, health_status
      FROM worker_registry "
        )
    };
}
pub(super) use columns;

statements! { "workers":
    /// All workers that the registry offers.
    ACTIVE = concat!(columns!(), "WHERE is_active = 1 ORDER BY worker_name");

    /// Workers by name; ?1 is a JSON array of names.
    NAMED = concat!(columns!(), "WHERE worker_name IN (SELECT value FROM json_each(?1))
      ORDER BY worker_name");

    /// The workers that the steps of a template and of all that it reaches name; ?1 is the
    /// template's name, NULL for the default template.
    OF_TEMPLATES = concat!(reached!(), ", steps AS (
        SELECT s.worker_name, s.fallback_worker, s.config FROM pipeline_steps AS s
        WHERE s.template_name IN (SELECT name FROM reached)
      ), named (name) AS (
        SELECT worker_name FROM steps
        UNION SELECT fallback_worker FROM steps
        UNION SELECT json_extract(config, '$.compensate.worker') FROM steps
        UNION SELECT a.value FROM steps, json_each(steps.config, '$.alternatives') AS a
      ) ", columns!(), "WHERE worker_name IN (SELECT name FROM named) ORDER BY worker_name");

    /// Claims the check of active workers whose last one was at ?1 or before, those first that wait
    /// longest, ?3 of them at most. ?2 is the moment, which the check counts from. Whoever claims
    /// at the same time gets others, or none.
    CLAIM_CHECKS = "UPDATE worker_registry SET last_health_check = ?2
      WHERE worker_name IN (
        SELECT worker_name FROM worker_registry
        WHERE is_active = 1 AND (last_health_check IS NULL OR last_health_check <= ?1)
        ORDER BY last_health_check, worker_name LIMIT ?3)
      RETURNING worker_name";

    /// Notes how workers were found; ?1 is a JSON array of {name, status}, ?2 the moment. It raises
    /// no change counter.
    NOTE_HEALTH = "UPDATE worker_registry SET last_health_check = ?2, health_status = (
        SELECT n.value ->> 'status' FROM json_each(?1) AS n
        WHERE n.value ->> 'name' = worker_registry.worker_name)
      WHERE worker_name IN (SELECT n.value ->> 'name' FROM json_each(?1) AS n)";
}

/// A worker as its row has it.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub struct Worker {
    /// The key.
    pub worker_name: String,
    /// What people call it.
    pub display_name: String,
    /// What it does.
    pub description: String,
    /// Its version.
    pub version: String,
    /// Name of the service binding, when it is reached by one.
    pub service_binding: Option<String>,
    /// Base URL, when it is reached by URL.
    pub base_url: Option<String>,
    /// Paths of its operations; the first is the default.
    #[serde(deserialize_with = "json")]
    pub endpoints: Value,
    /// What it takes.
    #[serde(deserialize_with = "lenient_json")]
    pub input_format: Option<Value>,
    /// What it gives.
    #[serde(deserialize_with = "lenient_json")]
    pub output_format: Option<Value>,
    /// Names of the workers whose output it needs.
    #[serde(deserialize_with = "lenient_json")]
    pub dependencies: Option<Value>,
    /// What one call is expected to cost; `None` when nobody knows.
    pub estimated_cost_usd: Option<f64>,
    /// How long a call is expected to take.
    pub avg_response_time_ms: Option<u64>,
    /// The longest one attempt may take.
    pub timeout_ms: Option<u64>,
    /// How often a failed attempt is repeated where the step says nothing.
    pub max_retries: Option<i64>,
    /// How many calls it takes at the same time.
    pub max_concurrency: Option<u32>,
    /// How many calls it takes within a minute.
    pub max_per_minute: Option<u32>,
    /// When its circuit breaker opens.
    #[serde(deserialize_with = "lenient_json")]
    pub breaker: Option<Value>,
    /// How good its results are, 0 to 1.
    pub quality_score: Option<f64>,
    /// Whether the registry offers it.
    #[serde(deserialize_with = "flag")]
    pub is_active: bool,
    /// The path that its health is asked at.
    pub health_check_endpoint: String,
    /// When its health was last asked.
    pub last_health_check: Option<String>,
    /// `unknown`, `healthy`, `degraded` or `unhealthy`.
    pub health_status: String,
    /// Default values of the request body.
    #[serde(deserialize_with = "json")]
    pub default_config: Value,
}

/// How a worker was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    /// It answered as it should.
    Healthy,
    /// It answered, and said that something is amiss.
    Degraded,
    /// It did not answer.
    Unhealthy,
}

impl Health {
    /// The column's value.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::Degraded => "degraded",
            Self::Unhealthy => "unhealthy",
        }
    }
}

/// All workers that the registry offers, by name.
pub async fn active(db: &impl Database) -> Result<Vec<Worker>, DbError> {
    db.query(ACTIVE.statement()).await?.decode()
}

/// The workers of these names, active or not; a name that nobody has is left out.
pub async fn named(db: &impl Database, names: &[&str]) -> Result<Vec<Worker>, DbError> {
    db.query(NAMED.with(&value!(names))).await?.decode()
}

/// Claims the check of active workers whose last one was at `before` or earlier; their names, and
/// all active workers as they were.
pub async fn claim_checks(
    db: &impl Database,
    before: Timestamp,
    now: Timestamp,
    limit: u32,
) -> Result<(Vec<String>, Vec<Worker>), DbError> {
    #[derive(Deserialize)]
    struct Claimed {
        worker_name: String,
    }
    let claim = CLAIM_CHECKS.with(before).with(now).with(limit);
    let [rows, claimed] = db.batch_of([ACTIVE.statement(), claim]).await?;
    let claimed: Vec<Claimed> = claimed.decode()?;
    Ok((claimed.into_iter().map(|row| row.worker_name).collect(), rows.decode()?))
}

/// Notes how workers were found.
pub async fn note_health(
    db: &impl Database,
    found: &[(&str, Health)],
    now: Timestamp,
) -> Result<(), DbError> {
    let found =
        found.iter().map(|(name, health)| value!({"name": name, "status": health.as_str()}));
    let found = Value::Array(found.collect());
    db.query(NOTE_HEALTH.with(&found).with(now)).await?;
    Ok(())
}
