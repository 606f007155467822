//! Pages of rows in the order in which they were added: what is added meanwhile comes behind what
//! was read, so that nothing is lost and nothing comes twice.

use serde::de::DeserializeOwned;

use super::{DbError, Rows};

/// Which part of a list is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Paging {
    /// The place of the last row of the page before; 0 for the first page.
    pub after: u64,
    /// How many rows behind it are left out.
    pub skip: u32,
    /// The most rows.
    pub limit: u32,
}

/// A row that has a place among all rows of its table.
pub trait Sequenced {
    /// The place: it grows with each row that is added, and is never given twice.
    fn seq(&self) -> u64;
}

/// The rows of a page, and whether there are more: one more than `limit` was asked for.
pub(super) fn page_of<T: DeserializeOwned>(
    rows: &Rows,
    limit: u32,
) -> Result<(Vec<T>, bool), DbError> {
    let mut found: Vec<T> = rows.decode()?;
    let more = found.len() > limit as usize;
    found.truncate(limit as usize);
    Ok((found, more))
}
