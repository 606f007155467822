//! What the database says of itself: the version of its schema and the change counter.

use serde::Deserialize;

use super::{Database, DbError, Rows, statements};

/// The numbers of the migrations that this build was written for, in order: those of the folder
/// `migrations`, which build.rs reads.
pub const MIGRATIONS: &[i64] = include!(concat!(env!("OUT_DIR"), "/migrations.rs"));

/// The version that this build was written for.
pub const SCHEMA_VERSION: i64 = MIGRATIONS[MIGRATIONS.len() - 1];

statements! { "meta":
    /// The versions that were applied; also what a health check asks.
    VERSIONS = "SELECT version FROM schema_version ORDER BY version";

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

/// The versions of the schema that were applied, the oldest first.
pub async fn versions(db: &impl Database) -> Result<Vec<i64>, DbError> {
    let rows: Vec<Version> = db.query(VERSIONS.statement()).await?.decode()?;
    Ok(rows.into_iter().map(|row| row.version).collect())
}

/// The change counter.
pub async fn count(db: &impl Database) -> Result<Count, DbError> {
    decode_count(&db.query(COUNT.statement()).await?)
}

/// A database without the counter's row counts as one where nothing ever changed.
pub(super) fn decode_count(rows: &Rows) -> Result<Count, DbError> {
    Ok(rows.first()?.unwrap_or(Count { count: 0, default_template: None }))
}
