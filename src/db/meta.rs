//! What the database says of itself: the version of its schema and the change counter.

use serde::Deserialize;

use super::{Database, DbError, Rows, statements};

/// The version that this build was written for.
pub const SCHEMA_VERSION: i64 = 10;

statements! { "meta":
    /// The newest version that was applied; also what a health check asks.
    NEWEST_VERSION = "SELECT coalesce(max(version), 0) AS version FROM schema_version";

    /// The change counter, with the template that requests without one get.
    COUNT = "SELECT c.count, (
        SELECT t.name FROM pipeline_templates AS t WHERE t.is_default = 1
      ) AS default_template
      FROM change_counter AS c WHERE c.id = 1";
}

/// The change counter and what is read along with it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Count {
    /// How often templates, steps, workers and policy rows changed.
    pub count: i64,
    /// The name of the default template.
    pub default_template: Option<String>,
}

#[derive(Deserialize)]
struct Version {
    version: i64,
}

/// The newest version of the schema that was applied.
pub async fn schema_version(db: &impl Database) -> Result<i64, DbError> {
    let row: Option<Version> = db.query(NEWEST_VERSION.statement()).await?.first()?;
    Ok(row.map_or(0, |row| row.version))
}

/// The change counter.
pub async fn count(db: &impl Database) -> Result<Count, DbError> {
    decode_count(&db.query(COUNT.statement()).await?)
}

/// A database without the counter's row counts as one where nothing ever changed.
pub(super) fn decode_count(rows: &Rows) -> Result<Count, DbError> {
    Ok(rows.first()?.unwrap_or(Count { count: 0, default_template: None }))
}
