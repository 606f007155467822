//! The archive: finished executions that left the database for object storage, where
//! `GET /pipeline/{id}` still finds them. [`sweep`] moves them, [`find`] reads one.
//!
//! Why an index row for each execution, and not names that can be derived from ids: the address
//! `/pipeline/{id}` is public, and an id that was made up must cost one look into an index, not an
//! object that is fetched and unpacked. A row takes about 70 bytes; a million are 70 MB of the
//! 10 GB that D1 has, where the executions themselves took several KB each.
//!
//! It must not know what an execution means, and never removes one whose journal is still there.

pub mod pack;
mod platform;
pub mod sweep;

use std::collections::BTreeSet;
use std::future::Future;

use crate::db::archive::{self, Place};
use crate::db::projection::{Facts, Projected};
use crate::db::{Database, DbError};
pub use platform::{Storage, sweep_if_due};

/// Why the archive could not be written or read.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// The database did not do it.
    #[error("{}: {}", .0, .0.detail())]
    Database(#[from] DbError),
    /// The object storage did not do it.
    #[error("object storage: {0}")]
    Storage(String),
    /// A journal gave no answer.
    #[error("a journal: {0}")]
    Journal(String),
    /// What was read back is not what was written.
    #[error("{0} differs from what was written")]
    Differs(String),
    /// Another sweep has taken over.
    #[error("another sweep has taken over")]
    Overtaken,
    /// What lies in the archive is no execution.
    #[error(transparent)]
    Unreadable(#[from] pack::Unreadable),
}

/// Where archived executions lie, and who knows whether an execution's journal is retired.
pub trait Shelf {
    /// Writes an object.
    fn put(&self, key: &str, bytes: &[u8]) -> impl Future<Output = Result<(), ArchiveError>>;

    /// Reads an object, or a part of it: where it begins, and how many bytes it has.
    fn read(
        &self,
        key: &str,
        part: Option<(u64, u64)>,
    ) -> impl Future<Output = Result<Vec<u8>, ArchiveError>>;

    /// Removes an object, if it is there.
    fn delete(&self, key: &str) -> impl Future<Output = Result<(), ArchiveError>>;

    /// Those of these executions whose journals are still there.
    fn kept(&self, ids: &[&str]) -> impl Future<Output = Result<BTreeSet<String>, ArchiveError>>;
}

/// The archived execution of this id, whatever account it belongs to.
pub async fn find(
    db: &impl Database,
    shelf: &impl Shelf,
    pipeline_id: &str,
) -> Result<Option<Projected>, ArchiveError> {
    let Some(place) = archive::find(db, pipeline_id).await? else { return Ok(None) };
    let Place { object_key, first_byte, bytes } = place;
    let member = shelf.read(&object_key, Some((first_byte, bytes))).await?;
    let (execution, steps) =
        pack::unpack(&member)?.read().map_err(|error| pack::Unreadable::of(&error))?;
    Ok(Some(Projected {
        execution,
        steps,
        facts: Facts::default(),
        artifacts: Vec::new(),
        tasks: Vec::new(),
    }))
}
