//! The registry of workers as administrators see and change it.

use serde::Deserialize;
use serde_json::Value;

use super::workers::{Worker, settings};
use super::{Database, DbError, Param, Statement, statements};

/// The most templates that are named as users of a worker.
pub const USERS_MAX: u32 = 100;

/// What administrators change, to tell one state from another.
macro_rules! state {
    () => {
        concat!("json_array(", settings!(), ")")
    };
}

macro_rules! columns {
    () => {
        concat!(
            "SELECT worker_name, ",
            settings!(),
            ", last_health_check, health_status, created_at, updated_at, ",
            state!(),
            " AS state FROM worker_registry "
        )
    };
}

/// The steps that name the worker ?1, in whatever place.
macro_rules! users {
    () => {
        "pipeline_steps AS s WHERE s.worker_name = ?1 OR s.fallback_worker = ?1
        OR json_extract(s.config, '$.compensate.worker') = ?1
        OR EXISTS (SELECT 1 FROM json_each(s.config, '$.alternatives') AS a WHERE a.value = ?1) "
    };
}

statements! { "registry":
    /// A worker by name.
    BY_NAME = concat!(columns!(), "WHERE worker_name = ?1");

    /// A page of workers, by name. ?1 active, ?2 health, ?3 a text in a name, in lower case; NULL
    /// filters nothing. ?4 is the worker that the page comes after, ?5 is how many.
    PAGE = concat!(columns!(), "WHERE (?1 IS NULL OR is_active = ?1)
        AND (?2 IS NULL OR health_status = ?2)
        AND (?3 IS NULL OR instr(lower(worker_name), ?3) > 0 OR instr(lower(display_name), ?3) > 0)
        AND (?4 IS NULL OR worker_name > ?4)
      ORDER BY worker_name LIMIT ?5");

    /// The templates whose steps name the worker ?1; ?2 is the most of them.
    USERS = concat!("SELECT DISTINCT s.template_name FROM ", users!(), "ORDER BY 1 LIMIT ?2");

    /// A new worker, unless there is one of this name.
    CREATE = concat!("INSERT INTO worker_registry (worker_name, ", settings!(), ")
      VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19,
        ?20, ?21)
      ON CONFLICT (worker_name) DO NOTHING");

    /// Changes a worker that is still in the state ?22.
    CHANGE = concat!("UPDATE worker_registry SET (", settings!(), ") =
        (?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21)
      WHERE worker_name = ?1 AND ", state!(), " = ?22");

    /// Deletes a worker that is still in the state ?2 and that no step names.
    DELETE = concat!("DELETE FROM worker_registry WHERE worker_name = ?1 AND ", state!(), " = ?2
        AND NOT EXISTS (SELECT 1 FROM ", users!(), ")");
}

/// A worker with what administrators need besides.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub struct Registered {
    /// The worker.
    #[serde(flatten)]
    pub worker: Worker,
    /// When it was registered.
    pub created_at: String,
    /// When its row was last written.
    pub updated_at: String,
    /// All of it that administrators change, as one text.
    pub state: String,
}

/// Which workers are meant; what is `None` filters nothing.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Only those that are offered, or only those that are not.
    pub active: Option<bool>,
    /// Only those that were last found so.
    pub health: Option<String>,
    /// Only those with this text in a name, in lower case.
    pub search: Option<String>,
}

/// The worker of this name.
pub async fn find(db: &impl Database, name: &str) -> Result<Option<Registered>, DbError> {
    db.query(BY_NAME.with(name)).await?.first()
}

/// The worker of this name, and the templates whose steps name it.
pub async fn find_with_users(
    db: &impl Database,
    name: &str,
) -> Result<Option<(Registered, Vec<String>)>, DbError> {
    let [found, users] =
        db.batch_of([BY_NAME.with(name), USERS.with(name).with(USERS_MAX)]).await?;
    let users = users.decode::<User>()?.into_iter().map(|user| user.template_name).collect();
    Ok(found.first()?.map(|worker| (worker, users)))
}

/// A page of workers, by name, and whether there are more behind it.
pub async fn page(
    db: &impl Database,
    filter: &Filter,
    after: Option<&str>,
    limit: u32,
) -> Result<(Vec<Registered>, bool), DbError> {
    let statement = PAGE
        .with(filter.active)
        .with(filter.health.as_deref())
        .with(filter.search.as_deref())
        .with(after)
        .with(limit.saturating_add(1));
    let mut found: Vec<Registered> = db.query(statement).await?.decode()?;
    let more = found.len() > limit as usize;
    found.truncate(limit as usize);
    Ok((found, more))
}

/// The statement that registers a worker, unless there is one of its name.
pub fn create(worker: &Worker) -> Statement {
    with_settings(CREATE.with(worker.worker_name.as_str()), worker)
}

/// The statement that makes a worker that is still in the state `was` into this one.
pub fn change(was: &str, worker: &Worker) -> Statement {
    with_settings(CHANGE.with(worker.worker_name.as_str()), worker).with(was)
}

/// The statement that deletes a worker that is still in the state `was` and that no step names.
pub fn delete(name: &str, was: &str) -> Statement {
    DELETE.with(name).with(was)
}

/// Every setting, in the order of the columns.
fn with_settings(statement: Statement, worker: &Worker) -> Statement {
    let empty = |json: &Option<Value>, otherwise: &str| {
        json.as_ref().map_or_else(|| Param::from(otherwise), Param::from)
    };
    statement
        .with(worker.display_name.as_str())
        .with(worker.description.as_str())
        .with(worker.version.as_str())
        .with(worker.service_binding.as_deref())
        .with(worker.base_url.as_deref())
        .with(&worker.endpoints)
        .with(empty(&worker.input_format, "{}"))
        .with(empty(&worker.output_format, "{}"))
        .with(empty(&worker.dependencies, "[]"))
        .with(worker.estimated_cost_usd)
        .with(worker.avg_response_time_ms)
        .with(worker.timeout_ms)
        .with(worker.max_retries)
        .with(worker.max_concurrency)
        .with(worker.max_per_minute)
        .with(worker.breaker.as_ref().map_or(Param::Null, Param::from))
        .with(worker.quality_score)
        .with(worker.is_active)
        .with(worker.health_check_endpoint.as_str())
        .with(&worker.default_config)
}

#[derive(Deserialize)]
struct User {
    template_name: String,
}
