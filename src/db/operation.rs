//! What operators are told: counts that isolates bring together, and figures that the cron notes.

use std::collections::BTreeMap;

use engine::time::Timestamp;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json as value};

use super::row::json;
use super::{Database, DbError, Param, statements};

statements! { "operation":
    /// Brings counts; ?1 is a JSON array of {id, name, label, value}, ?2 the moment. What comes
    /// again is there.
    BRING = "INSERT INTO operation_counts (id, name, label, value, counted_at)
      SELECT n.value ->> 'id', n.value ->> 'name', n.value ->> 'label', n.value ->> 'value', ?2
      FROM json_each(?1) AS n WHERE true
      ON CONFLICT (id) DO NOTHING";

    /// Adds what came before ?1 to the totals; DROP_ADDED must follow in the same transaction.
    ADD_UP = "INSERT INTO operation_counts (id, name, label, value, is_total, counted_at)
      SELECT 'total/' || name || '/' || label, name, label, sum(value), 1, ?1
      FROM operation_counts WHERE is_total = 0 AND counted_at < ?1 GROUP BY name, label
      ON CONFLICT (id) DO UPDATE SET value = value + excluded.value,
        counted_at = excluded.counted_at";

    /// See ADD_UP.
    DROP_ADDED = "DELETE FROM operation_counts WHERE is_total = 0 AND counted_at < ?1";

    /// All counts.
    COUNTS = "SELECT name, label, sum(value) AS value FROM operation_counts
      GROUP BY name, label ORDER BY name, label";

    /// Notes figures ?2 under the name ?1 at the moment ?3.
    NOTE = "INSERT INTO operation_figures (name, figures, noted_at) VALUES (?1, ?2, ?3)
      ON CONFLICT (name) DO UPDATE SET figures = excluded.figures, noted_at = excluded.noted_at
      WHERE excluded.noted_at > operation_figures.noted_at";

    /// The figures of a name.
    NOTED = "SELECT figures, noted_at FROM operation_figures WHERE name = ?1";
}

/// What an isolate has counted since its last visit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counted {
    /// Makes a repeated visit find the first one.
    pub id: String,
    /// What was counted.
    pub name: &'static str,
    /// Which kind of it.
    pub label: &'static str,
    /// How often.
    pub value: u64,
}

/// A count as it stands.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Count {
    /// What is counted.
    pub name: String,
    /// Which kind of it.
    pub label: String,
    /// How often it was met.
    pub value: u64,
}

/// Figures, and when they were noted.
#[derive(Clone, Debug, PartialEq)]
pub struct Noted<T> {
    /// The figures.
    pub figures: T,
    /// When, as rows have it.
    pub at: String,
}

#[derive(Deserialize)]
struct NotedRow {
    #[serde(deserialize_with = "json")]
    figures: Value,
    noted_at: String,
}

/// Brings what an isolate has counted.
pub async fn bring(db: &impl Database, counted: &[Counted], now: Timestamp) -> Result<(), DbError> {
    let rows = counted.iter().map(|Counted { id, name, label, value: times }| {
        value!({ "id": id, "name": name, "label": label, "value": times })
    });
    db.query(BRING.with(&Value::Array(rows.collect())).with(now)).await.map(drop)
}

/// Adds up what was brought before a moment that is long enough ago for nobody to send it again.
pub async fn add_up(db: &impl Database, before: Timestamp) -> Result<(), DbError> {
    db.batch_of([ADD_UP.with(before), DROP_ADDED.with(before)]).await.map(drop)
}

/// All counts of a name, by label.
pub async fn counts(db: &impl Database) -> Result<BTreeMap<(String, String), u64>, DbError> {
    let rows: Vec<Count> = db.query(COUNTS.statement()).await?.decode()?;
    Ok(rows.into_iter().map(|row| ((row.name, row.label), row.value)).collect())
}

/// Notes figures; older ones that come late change nothing.
pub async fn note(
    db: &impl Database,
    name: &str,
    figures: &Value,
    now: Timestamp,
) -> Result<(), DbError> {
    db.query(NOTE.with(name).with(Param::from(figures)).with(now)).await.map(drop)
}

/// The last figures of a name; none where there are none, or none that are understood.
pub async fn noted<T: DeserializeOwned>(
    db: &impl Database,
    name: &str,
) -> Result<Option<Noted<T>>, DbError> {
    let row: Option<NotedRow> = db.query(NOTED.with(name)).await?.first()?;
    Ok(row.and_then(|NotedRow { figures, noted_at }| {
        Some(Noted { figures: serde_json::from_value(figures).ok()?, at: noted_at })
    }))
}
