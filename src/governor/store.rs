//! The SQLite of a Governor: the money of its account. What is written together is one transaction:
//! a statement that fails undoes those before it.
//!
//! An account without limits has no tables: they are laid with the first reservation, and those of
//! keys with the first one under a key, so that an account that has none is as older code left it.
//! Rows written for an execution: the sums and its own at the start, once when it is heard of, and
//! at the end.

use std::cell::Cell;

use engine::admission::{Change, Row, Store, Totals};
use engine::ids::ExecutionId;
use engine::money::MicroUsd;
use engine::time::Timestamp;
use worker::SqlStorageValue as Sql;

use crate::journal::Database;

const LAID: &str = "SELECT COUNT(*) FROM sqlite_master WHERE type = 'table' AND name = ?";
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

/// Which key an execution counts against, and what the executions of each key have spent. What they
/// hold is summed up from `money`.
const KEY_SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS money_keys (id TEXT PRIMARY KEY, key TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS key_sums (
    key TEXT PRIMARY KEY, day INTEGER NOT NULL, spent_day INTEGER NOT NULL,
    spent_month INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS money_held ON money (id, held) WHERE held > 0;
";

const SUMS: &str = "SELECT day, spent_day, spent_month, held FROM sums";
const SET_SUMS: &str =
    "INSERT OR REPLACE INTO sums (one, day, spent_day, spent_month, held) VALUES (1, ?, ?, ?, ?)";
const ROW: &str = "SELECT spent, held, sure, touched_at FROM money WHERE id = ?";
const SET_ROW: &str =
    "INSERT OR REPLACE INTO money (id, spent, held, sure, touched_at) VALUES (?, ?, ?, ?, ?)";
const UNSURE: &str = "SELECT touched_at, id FROM money WHERE sure = 0";
const PURGE: &str = "DELETE FROM money WHERE id IN (SELECT id FROM money
    WHERE held = 0 AND touched_at < ? ORDER BY touched_at, id LIMIT ?)";
const PURGE_KEYS_OF: &str = "DELETE FROM money_keys WHERE id IN (SELECT id FROM money
    WHERE held = 0 AND touched_at < ? ORDER BY touched_at, id LIMIT ?)";
const KEY_OF: &str = "SELECT key FROM money_keys WHERE id = ?";
const SET_KEY_OF: &str = "INSERT OR REPLACE INTO money_keys (id, key) VALUES (?, ?)";
const KEY_SUMS: &str = "SELECT day, spent_day, spent_month FROM key_sums WHERE key = ?";
const SET_KEY_SUMS: &str =
    "INSERT OR REPLACE INTO key_sums (key, day, spent_day, spent_month) VALUES (?, ?, ?, ?)";
const HELD: &str = "SELECT SUM(m.held), k.key FROM money AS m JOIN money_keys AS k ON k.id = m.id
    WHERE m.held > 0 GROUP BY k.key";

/// See the module.
pub struct SqliteStore<D> {
    database: D,
    laid: Cell<bool>,
    keys_laid: Cell<bool>,
}

impl<D: Database> SqliteStore<D> {
    /// Opens the store; nothing is written.
    pub fn open(database: D) -> worker::Result<Self> {
        let (laid, keys_laid) = (is_laid(&database, "money")?, is_laid(&database, "key_sums")?);
        Ok(Self { database, laid: Cell::new(laid), keys_laid: Cell::new(keys_laid) })
    }

    /// The rows of a statement; none while there are no tables.
    fn rows(&self, statement: &str, values: Vec<Sql>) -> worker::Result<Vec<Values>> {
        if self.laid.get() { rows(&self.database, statement, values) } else { Ok(Vec::new()) }
    }

    /// The same for the tables of keys.
    fn key_rows(&self, statement: &str, values: Vec<Sql>) -> worker::Result<Vec<Values>> {
        if self.keys_laid.get() { rows(&self.database, statement, values) } else { Ok(Vec::new()) }
    }

    fn set(&self, id: &ExecutionId, row: &Row) -> worker::Result<()> {
        let Row { spent, held, sure, touched_at, key } = row;
        let (sure, at) = (i64::from(*sure), touched_at.as_millis());
        let values =
            vec![text(id), money(*spent), money(*held), Sql::Integer(sure), Sql::Integer(at)];
        self.database.exec(SET_ROW, values)?;
        if let Some(key) = key {
            self.database.exec(SET_KEY_OF, vec![text(id), Sql::String(key.clone())])?;
        }
        Ok(())
    }
}

fn rows<D: Database>(
    database: &D,
    statement: &str,
    values: Vec<Sql>,
) -> worker::Result<Vec<Values>> {
    let rows = database.exec(statement, values)?;
    Ok(rows.into_iter().map(|values| Values(values.into_iter())).collect())
}

fn is_laid<D: Database>(database: &D, table: &str) -> worker::Result<bool> {
    let found = rows(database, LAID, vec![Sql::String(table.to_owned())])?.into_iter().next();
    let count = found.map(|mut row| row.integer()).transpose()?;
    Ok(count.is_some_and(|count| count > 0))
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
        let Some(mut row) = self.rows(ROW, vec![text(id)])?.into_iter().next() else {
            return Ok(None);
        };
        let key = self.key_rows(KEY_OF, vec![text(id)])?.into_iter().next();
        Ok(Some(Row {
            spent: row.money()?,
            held: row.money()?,
            sure: row.integer()? != 0,
            touched_at: Timestamp::from_millis(row.integer()?),
            key: key.map(|mut row| row.text()).transpose()?,
        }))
    }

    fn unsure(&self) -> worker::Result<Vec<(ExecutionId, Timestamp)>> {
        let unsure = |mut row: Values| {
            let at = Timestamp::from_millis(row.integer()?);
            Ok((row.id()?, at))
        };
        self.rows(UNSURE, Vec::new())?.into_iter().map(unsure).collect()
    }

    fn key(&self, key: &str) -> worker::Result<Option<Totals>> {
        let row = self.key_rows(KEY_SUMS, vec![Sql::String(key.to_owned())])?.into_iter().next();
        let totals = |mut row: Values| {
            Ok(Totals {
                day: row.integer()?,
                spent_day: row.money()?,
                spent_month: row.money()?,
                held: MicroUsd::ZERO,
            })
        };
        row.map(totals).transpose()
    }

    fn held_by_keys(&self) -> worker::Result<Vec<(String, MicroUsd)>> {
        let held = |mut row: Values| {
            let amount = row.money()?;
            Ok((row.text()?, amount))
        };
        self.key_rows(HELD, Vec::new())?.into_iter().map(held).collect()
    }

    fn put(&mut self, totals: &Totals, change: &Change) -> worker::Result<()> {
        let with_keys = !change.keys.is_empty();
        self.database.transact(&mut || {
            if !self.laid.get() {
                self.database.exec(SCHEMA, Vec::new())?;
            }
            if with_keys && !self.keys_laid.get() {
                self.database.exec(KEY_SCHEMA, Vec::new())?;
            }
            let Totals { day, spent_day, spent_month, held } = *totals;
            let sums = vec![Sql::Integer(day), money(spent_day), money(spent_month), money(held)];
            self.database.exec(SET_SUMS, sums)?;
            for (key, totals) in &change.keys {
                let Totals { day, spent_day, spent_month, held: _ } = *totals;
                let (key, day) = (Sql::String(key.clone()), Sql::Integer(day));
                let sums = vec![key, day, money(spent_day), money(spent_month)];
                self.database.exec(SET_KEY_SUMS, sums)?;
            }
            change.rows.iter().try_for_each(|(id, row)| self.set(id, row))
        })?;
        self.laid.set(true);
        self.keys_laid.set(self.keys_laid.get() || with_keys);
        Ok(())
    }

    fn purge(&mut self, touched_before: Timestamp, limit: usize) -> worker::Result<()> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let values = || vec![Sql::Integer(touched_before.as_millis()), Sql::Integer(limit)];
        self.database.transact(&mut || {
            self.key_rows(PURGE_KEYS_OF, values())?;
            self.rows(PURGE, values()).map(drop)
        })
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
        self.text()?.parse().map_err(|_| "an id is malformed".into())
    }

    fn text(&mut self) -> worker::Result<String> {
        match self.0.next() {
            Some(Sql::String(text)) => Ok(text),
            _ => Err("a column of the Governor is no text".into()),
        }
    }
}

#[cfg(test)]
mod tests;
