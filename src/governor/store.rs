//! The SQLite of a Governor: the money of its account. What is written together is one transaction:
//! a statement that fails undoes those before it.
//!
//! An account without limits has no tables: they are laid with the first reservation. Rows written
//! for an execution: the sums and its own at the start, once when it is heard of, and at the end.

use std::cell::Cell;

use engine::admission::{Row, Store, Totals};
use engine::ids::ExecutionId;
use engine::money::MicroUsd;
use engine::time::Timestamp;
use worker::SqlStorageValue as Sql;

use crate::journal::Database;

const LAID: &str = "SELECT COUNT(*) FROM sqlite_master WHERE type = 'table' AND name = 'money'";
const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS sums (
    one INTEGER PRIMARY KEY CHECK (one = 1), day INTEGER NOT NULL, spent_day INTEGER NOT NULL,
    spent_month INTEGER NOT NULL, held INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS money (
    id TEXT PRIMARY KEY, spent INTEGER NOT NULL, held INTEGER NOT NULL, sure INTEGER NOT NULL,
    touched_at INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS money_unsure ON money (touched_at) WHERE sure = 0;
CREATE INDEX IF NOT EXISTS money_over ON money (touched_at) WHERE held = 0;
";

const SUMS: &str = "SELECT day, spent_day, spent_month, held FROM sums";
const SET_SUMS: &str =
    "INSERT OR REPLACE INTO sums (one, day, spent_day, spent_month, held) VALUES (1, ?, ?, ?, ?)";
const ROW: &str = "SELECT spent, held, sure, touched_at FROM money WHERE id = ?";
const SET_ROW: &str =
    "INSERT OR REPLACE INTO money (id, spent, held, sure, touched_at) VALUES (?, ?, ?, ?, ?)";
const UNSURE: &str = "SELECT touched_at, id FROM money WHERE sure = 0";
const PURGE: &str = "DELETE FROM money WHERE id IN
    (SELECT id FROM money WHERE held = 0 AND touched_at < ? ORDER BY touched_at LIMIT ?)";

/// See the module.
pub struct SqliteStore<D> {
    database: D,
    laid: Cell<bool>,
}

impl<D: Database> SqliteStore<D> {
    /// Opens the store; nothing is written.
    pub fn open(database: D) -> worker::Result<Self> {
        let store = Self { database, laid: Cell::new(true) };
        let found = store.rows(LAID, Vec::new())?.into_iter().next();
        let laid = found.map(|mut row| row.integer()).transpose()?;
        store.laid.set(laid.is_some_and(|count| count > 0));
        Ok(store)
    }

    /// The rows of a statement; none while there are no tables.
    fn rows(&self, statement: &str, values: Vec<Sql>) -> worker::Result<Vec<Values>> {
        if !self.laid.get() {
            return Ok(Vec::new());
        }
        let rows = self.database.exec(statement, values)?;
        Ok(rows.into_iter().map(|values| Values(values.into_iter())).collect())
    }
}

impl<D: Database> Store for SqliteStore<D> {
    type Error = worker::Error;

    fn totals(&self) -> worker::Result<Option<Totals>> {
        let row = self.rows(SUMS, Vec::new())?.into_iter().next();
        let totals = |mut row: Values| {
            Ok(Totals {
                day: row.integer()?,
                spent_day: row.money()?,
                spent_month: row.money()?,
                held: row.money()?,
            })
        };
        row.map(totals).transpose()
    }

    fn row(&self, id: &ExecutionId) -> worker::Result<Option<Row>> {
        let row = self.rows(ROW, vec![text(id)])?.into_iter().next();
        let known = |mut row: Values| {
            Ok(Row {
                spent: row.money()?,
                held: row.money()?,
                sure: row.integer()? != 0,
                touched_at: Timestamp::from_millis(row.integer()?),
            })
        };
        row.map(known).transpose()
    }

    fn unsure(&self) -> worker::Result<Vec<(ExecutionId, Timestamp)>> {
        let unsure = |mut row: Values| {
            let at = Timestamp::from_millis(row.integer()?);
            Ok((row.id()?, at))
        };
        self.rows(UNSURE, Vec::new())?.into_iter().map(unsure).collect()
    }

    fn put(&mut self, totals: &Totals, rows: &[(ExecutionId, Row)]) -> worker::Result<()> {
        self.database.transact(&mut || {
            if !self.laid.get() {
                self.database.exec(SCHEMA, Vec::new())?;
            }
            let Totals { day, spent_day, spent_month, held } = *totals;
            let sums = vec![Sql::Integer(day), money(spent_day), money(spent_month), money(held)];
            self.database.exec(SET_SUMS, sums)?;
            for (id, row) in rows {
                let Row { spent, held, sure, touched_at } = *row;
                let sure = Sql::Integer(i64::from(sure));
                let at = Sql::Integer(touched_at.as_millis());
                let values = vec![text(id), money(spent), money(held), sure, at];
                self.database.exec(SET_ROW, values)?;
            }
            Ok(())
        })?;
        self.laid.set(true);
        Ok(())
    }

    fn purge(&mut self, touched_before: Timestamp, limit: usize) -> worker::Result<()> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let values = vec![Sql::Integer(touched_before.as_millis()), Sql::Integer(limit)];
        self.rows(PURGE, values).map(drop)
    }
}

fn text(id: &ExecutionId) -> Sql {
    Sql::String(id.as_str().to_owned())
}

/// Amounts stay below 2^53, the largest integer that crosses exactly: nine billion dollars.
fn money(amount: MicroUsd) -> Sql {
    Sql::Integer(i64::try_from(amount.as_micros()).unwrap_or(i64::MAX))
}

/// The values of a row, taken from left to right.
struct Values(std::vec::IntoIter<Sql>);

impl Values {
    fn integer(&mut self) -> worker::Result<i64> {
        match self.0.next() {
            Some(Sql::Integer(value)) => Ok(value),
            Some(Sql::Float(value)) => Ok(value as i64),
            _ => Err("a column of the Governor is no number".into()),
        }
    }

    fn money(&mut self) -> worker::Result<MicroUsd> {
        let micros = u64::try_from(self.integer()?);
        micros.map(MicroUsd::from_micros).map_err(|_| "an amount is negative".into())
    }

    fn id(&mut self) -> worker::Result<ExecutionId> {
        match self.0.next() {
            Some(Sql::String(id)) => id.parse().map_err(|_| "an id is malformed".into()),
            _ => Err("a column of the Governor is no text".into()),
        }
    }
}

#[cfg(test)]
mod tests;
