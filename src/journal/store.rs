//! The SQLite of a journal shard. What one request writes is one transaction: a statement that
//! fails undoes those before it, and the shard's memory stays as it was.
//!
//! Rows written for an execution of n steps, no faults: one at the start, one for each append, one
//! update at the end; an append that acknowledges what came in updates the execution, too. Tables
//! keep no row ids, so the keys cost no second index; large records are split at
//! [`PART_BYTES_MAX`].

mod platform;
mod row;

use engine::ids::{ExecutionId, InboxSeq, Seq};
use engine::shard::{EndedRow, ExecutionRow, IdempotencyRow, InboxEntry, Phase, Store, Write};
use engine::time::Timestamp;
use worker::SqlStorageValue as Sql;

pub use platform::Platform;
use row::Row;

/// The largest part of a record in one row; the platform takes 2 MB.
const PART_BYTES_MAX: usize = 1024 * 1024;

/// What the SQL statements of a shard run on.
pub trait Database {
    /// Runs statements; the rows are those of the last one.
    fn exec(&self, statements: &str, values: Vec<Sql>) -> worker::Result<Vec<Vec<Sql>>>;
    /// Does work of which nothing is left when it fails.
    fn transact(&self, work: &mut dyn FnMut() -> worker::Result<()>) -> worker::Result<()>;
}

/// The mark that says how many of [`UPGRADES`] a database has had.
const MARKS: &str = "CREATE TABLE IF NOT EXISTS marks
    (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID";

/// How the tables came to be what they are. Every database takes every step once, so that one of
/// yesterday ends like a new one. A step that was released never changes: the first one also meets
/// databases that have its tables and no mark.
const UPGRADES: [&str; 2] = [
    "
CREATE TABLE IF NOT EXISTS executions (
    id TEXT PRIMARY KEY, account TEXT NOT NULL, started_at INTEGER NOT NULL,
    epoch INTEGER NOT NULL, phase TEXT NOT NULL, wake_at INTEGER,
    inbox_seen INTEGER NOT NULL DEFAULT 0, ended INTEGER, ended_at INTEGER, record TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS executions_open ON executions (phase) WHERE ended IS NULL;
CREATE UNIQUE INDEX IF NOT EXISTS executions_ended ON executions (ended) WHERE ended IS NOT NULL;
CREATE TABLE IF NOT EXISTS records (
    id TEXT NOT NULL, seq INTEGER NOT NULL, part INTEGER NOT NULL, body TEXT NOT NULL,
    PRIMARY KEY (id, seq, part)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS inbox (
    id TEXT NOT NULL, n INTEGER NOT NULL, entry TEXT NOT NULL, PRIMARY KEY (id, n)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS keys (
    hash TEXT PRIMARY KEY, id TEXT NOT NULL, body_hash TEXT NOT NULL, expires_at INTEGER NOT NULL
) WITHOUT ROWID;
",
    "
ALTER TABLE executions ADD COLUMN parent TEXT;
ALTER TABLE executions ADD COLUMN projected INTEGER NOT NULL DEFAULT 0;
ALTER TABLE inbox ADD COLUMN key TEXT;
ALTER TABLE inbox ADD COLUMN reopens INTEGER NOT NULL DEFAULT 0;
CREATE UNIQUE INDEX inbox_keys ON inbox (id, key) WHERE key IS NOT NULL;
",
];

const INSERT: &str = "INSERT OR REPLACE INTO executions
    (id, account, parent, started_at, epoch, phase, wake_at, record)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?)";
const INSERT_KEY: &str =
    "INSERT OR REPLACE INTO keys (hash, id, body_hash, expires_at) VALUES (?, ?, ?, ?)";
const APPEND: &str = "INSERT OR REPLACE INTO records (id, seq, part, body) VALUES (?, ?, ?, ?)";
const SEEN: &str = "UPDATE executions SET inbox_seen = ? WHERE id = ?";
const END: &str = "UPDATE executions SET phase = 'ended', wake_at = NULL, ended = ?, ended_at = ?,
    inbox_seen = ? WHERE id = ?";
const REOPEN: &str = "UPDATE executions SET phase = 'active', wake_at = ?, inbox_seen = ?,
    ended = NULL, ended_at = NULL WHERE id = ?";
const TAKE: &str = "UPDATE executions SET epoch = ?, phase = 'active', wake_at = NULL WHERE id = ?";
const RELEASE: &str = "UPDATE executions SET phase = ?, wake_at = ?, inbox_seen = ? WHERE id = ?";
const PROJECT: &str = "UPDATE executions SET projected = ? WHERE id = ?";
const POST: &str = "INSERT OR REPLACE INTO inbox (id, n, entry, key, reopens)
    VALUES (?, ?, ?, ?, ?)";
const POSTED: &str = "SELECT n FROM inbox WHERE id = ? AND key = ?";
const REOPENING: &str =
    "SELECT n FROM inbox WHERE id = ? AND n > ? AND reopens = 1 ORDER BY n LIMIT 1";
const INBOX: &str = "SELECT n, entry FROM inbox WHERE id = ? AND n > ? ORDER BY n";
const ROW: &str = "SELECT id, account, parent, started_at, epoch, phase, wake_at,
    COALESCE((SELECT MAX(seq) FROM records AS r WHERE r.id = e.id), 1),
    COALESCE((SELECT MAX(n) FROM inbox AS i WHERE i.id = e.id), 0), inbox_seen, projected
    FROM executions AS e WHERE id = ?";
const OPEN: &str = "SELECT id, account, parent, started_at, epoch, phase, wake_at,
    COALESCE((SELECT MAX(seq) FROM records AS r WHERE r.id = e.id), 1),
    COALESCE((SELECT MAX(n) FROM inbox AS i WHERE i.id = e.id), 0), inbox_seen, projected
    FROM executions AS e WHERE ended IS NULL";
const FIRST_RECORD: &str = "SELECT record FROM executions WHERE id = ?";
const RECORDS: &str = "SELECT seq, body FROM records WHERE id = ? AND seq > ? ORDER BY seq, part";
const FIRST_PARTS: &str = "SELECT body FROM records WHERE id = ? AND seq = 1 ORDER BY part";
const KEY: &str = "SELECT id, body_hash, expires_at FROM keys WHERE hash = ?";
const LAST_ENDED: &str = "SELECT COALESCE(MAX(ended), 0) FROM executions WHERE ended IS NOT NULL";
const ENDED_AFTER: &str = "SELECT ended, id,
    COALESCE((SELECT MAX(seq) FROM records AS r WHERE r.id = e.id), 1)
    FROM executions AS e WHERE ended > ? ORDER BY ended LIMIT ?";
const MARK: &str = "SELECT value FROM marks WHERE name = ?";
const SET_MARK: &str = "INSERT OR REPLACE INTO marks (name, value) VALUES (?, ?)";
const OLD: &str =
    "SELECT id FROM executions WHERE ended <= ? AND ended_at < ? ORDER BY ended LIMIT ?";
const FORGET_RECORDS: &str = "DELETE FROM records WHERE id = ?";
const FORGET_INBOX: &str = "DELETE FROM inbox WHERE id = ?";
const FORGET: &str = "DELETE FROM executions WHERE id = ?";
const FORGET_KEYS: &str = "DELETE FROM keys WHERE hash IN
    (SELECT hash FROM keys WHERE expires_at <= ? LIMIT ?)";

const PROJECTED: &str = "projected";
/// The last number of an end survives the purge of all ended executions, and reopenings.
const ENDED: &str = "ended";
const UPGRADED: &str = "schema";

/// See the module.
#[derive(Debug)]
pub struct SqliteStore<D>(D);

impl<D: Database> SqliteStore<D> {
    /// Opens the store and brings its tables up to date.
    pub fn open(database: D) -> worker::Result<Self> {
        let store = Self(database);
        store.write(MARKS, Vec::new())?;
        let done = store.number(MARK, vec![text(UPGRADED)])?.unwrap_or(0);
        for (step, upgrade) in (1..).zip(UPGRADES) {
            if step <= done {
                continue;
            }
            store.0.transact(&mut || {
                store.write(upgrade, Vec::new())?;
                store.write(SET_MARK, vec![text(UPGRADED), integer(step)])
            })?;
        }
        Ok(store)
    }

    fn write(&self, statement: &str, values: Vec<Sql>) -> worker::Result<()> {
        self.0.exec(statement, values).map(drop)
    }

    fn rows(&self, statement: &str, values: Vec<Sql>) -> worker::Result<Vec<Row>> {
        Ok(self.0.exec(statement, values)?.into_iter().map(Row::new).collect())
    }

    fn number(&self, statement: &str, values: Vec<Sql>) -> worker::Result<Option<u64>> {
        let row = self.rows(statement, values)?.into_iter().next();
        row.map(|mut row| row.unsigned()).transpose()
    }

    /// The first record stands with its execution; only what did not fit there is a part.
    fn first_record(&self, id: &ExecutionId) -> worker::Result<Option<String>> {
        let Some(mut row) = self.rows(FIRST_RECORD, vec![text(id.as_str())])?.into_iter().next()
        else {
            return Ok(None);
        };
        let mut record = row.text()?;
        for mut part in self.rows(FIRST_PARTS, vec![text(id.as_str())])? {
            record.push_str(&part.text()?);
        }
        Ok(Some(record))
    }
}

impl<D: Database> Store for SqliteStore<D> {
    type Error = worker::Error;

    fn commit(&mut self, writes: &[Write<'_>]) -> worker::Result<()> {
        let mut statements: Vec<Statement> = writes.iter().flat_map(|write| of(*write)).collect();
        if let [_] = statements.as_slice() {
            // One statement is done whole or not at all anyway.
            let only = statements.pop().expect("there is one");
            return self.write(only.0, only.1);
        }
        self.0.transact(&mut || {
            statements.drain(..).try_for_each(|(sql, values)| self.write(sql, values))
        })
    }

    fn inbox(&self, id: &ExecutionId, after: InboxSeq) -> worker::Result<Vec<InboxEntry>> {
        let rows = self.rows(INBOX, vec![text(id.as_str()), integer(after.0)])?;
        let entry = |mut row: Row| {
            let n = InboxSeq(row.unsigned()?);
            Ok(InboxEntry { n, entry: serde_json::from_str(&row.text()?)? })
        };
        rows.into_iter().map(entry).collect()
    }

    fn posted(&self, id: &ExecutionId, key: &str) -> worker::Result<Option<InboxSeq>> {
        Ok(self.number(POSTED, vec![text(id.as_str()), text(key)])?.map(InboxSeq))
    }

    fn reopening(&self, id: &ExecutionId, after: InboxSeq) -> worker::Result<Option<InboxSeq>> {
        Ok(self.number(REOPENING, vec![text(id.as_str()), integer(after.0)])?.map(InboxSeq))
    }

    fn execution(&self, id: &ExecutionId) -> worker::Result<Option<ExecutionRow>> {
        let row = self.rows(ROW, vec![text(id.as_str())])?.into_iter().next();
        row.map(Row::execution).transpose()
    }

    fn open(&self) -> worker::Result<Vec<ExecutionRow>> {
        self.rows(OPEN, Vec::new())?.into_iter().map(Row::execution).collect()
    }

    fn records(&self, id: &ExecutionId, after: Seq) -> worker::Result<Vec<String>> {
        let mut records: Vec<String> = Vec::new();
        if after == Seq(0) {
            records.extend(self.first_record(id)?);
        }
        let mut last = 0;
        let from = after.0.max(1);
        for mut row in self.rows(RECORDS, vec![text(id.as_str()), integer(from)])? {
            let (seq, body) = (row.unsigned()?, row.text()?);
            match records.last_mut() {
                Some(record) if seq == last => record.push_str(&body),
                _ => records.push(body),
            }
            last = seq;
        }
        Ok(records)
    }

    fn key(&self, key_hash: &str) -> worker::Result<Option<IdempotencyRow>> {
        let row = self.rows(KEY, vec![text(key_hash)])?.into_iter().next();
        let known = |mut row: Row| {
            let (id, body_hash) = (row.id()?, row.text()?);
            Ok(IdempotencyRow { id, body_hash, expires_at: row.moment()? })
        };
        row.map(known).transpose()
    }

    fn last_ended(&self) -> worker::Result<u64> {
        let marked = self.number(MARK, vec![text(ENDED)])?.unwrap_or(0);
        Ok(self.number(LAST_ENDED, Vec::new())?.unwrap_or(0).max(marked))
    }

    fn ended_after(&self, number: u64, limit: usize) -> worker::Result<Vec<EndedRow>> {
        let rows = self.rows(ENDED_AFTER, vec![integer(number), integer(limit as u64)])?;
        let ended = |mut row: Row| {
            let (number, id) = (row.unsigned()?, row.id()?);
            Ok(EndedRow { number, id, seq: Seq(row.unsigned()?) })
        };
        rows.into_iter().map(ended).collect()
    }

    fn projected(&self) -> worker::Result<u64> {
        Ok(self.number(MARK, vec![text(PROJECTED)])?.unwrap_or(0))
    }

    fn purge(
        &mut self,
        projected: u64,
        ended_before: Timestamp,
        now: Timestamp,
        limit: usize,
    ) -> worker::Result<usize> {
        let limit = integer(limit as u64);
        let values = vec![integer(projected), moment(ended_before), limit.clone()];
        let old = self.rows(OLD, values)?.into_iter().map(|mut row| row.text());
        let old: Vec<String> = old.collect::<worker::Result<_>>()?;
        let last = integer(self.last_ended()?);
        self.0.transact(&mut || {
            if !old.is_empty() {
                self.write(SET_MARK, vec![text(ENDED), last.clone()])?;
            }
            for id in &old {
                for statement in [FORGET_RECORDS, FORGET_INBOX, FORGET] {
                    self.write(statement, vec![text(id)])?;
                }
            }
            self.write(FORGET_KEYS, vec![moment(now), limit.clone()])
        })?;
        Ok(old.len())
    }
}

/// A statement and its values.
type Statement = (&'static str, Vec<Sql>);

/// The statements of a change.
fn of(write: Write<'_>) -> Vec<Statement> {
    match write {
        Write::Begin { row, record } => begin(row, record),
        Write::Key { hash, known } => {
            let (id, body) = (text(known.id.as_str()), text(&known.body_hash));
            vec![(INSERT_KEY, vec![text(hash), id, body, moment(known.expires_at)])]
        }
        Write::Record { id, seq, record } => parts(id, seq, &split(record, PART_BYTES_MAX), 0),
        Write::Seen { id, seen } => vec![(SEEN, vec![integer(seen.0), text(id.as_str())])],
        Write::End { id, number, at, seen } => {
            let (number, seen) = (integer(number), integer(seen.0));
            vec![(END, vec![number, moment(at), seen, text(id.as_str())])]
        }
        Write::Reopen { id, at, seen, last_ended } => vec![
            (SET_MARK, vec![text(ENDED), integer(last_ended)]),
            (REOPEN, vec![moment(at), integer(seen.0), text(id.as_str())]),
        ],
        Write::Take { id, epoch } => vec![(TAKE, vec![integer(epoch.0), text(id.as_str())])],
        Write::Release { id, phase, wake_at, seen } => {
            let (phase, seen) = (text(phase_text(phase)), integer(seen.0));
            vec![(RELEASE, vec![phase, moment(wake_at), seen, text(id.as_str())])]
        }
        Write::Post { id, entry, key, reopens } => {
            let body = text(&entry.entry.to_string());
            let key = key.map_or(Sql::Null, text);
            let reopens = integer(u64::from(reopens));
            vec![(POST, vec![text(id.as_str()), integer(entry.n.0), body, key, reopens])]
        }
        Write::EndsProjected { number } => {
            vec![(SET_MARK, vec![text(PROJECTED), integer(number)])]
        }
        Write::Projected { id, seq } => {
            vec![(PROJECT, vec![integer(seq.0), text(id.as_str())])]
        }
    }
}

fn begin(row: &ExecutionRow, record: &str) -> Vec<Statement> {
    let cut = split(record, PART_BYTES_MAX);
    let (first, rest) = cut.split_first().unwrap_or((&"", &[]));
    let mut statements = parts(&row.id, Seq(1), rest, 1);
    let values = vec![
        text(row.id.as_str()),
        text(&row.account),
        row.parent.as_ref().map_or(Sql::Null, |parent| text(parent.as_str())),
        moment(row.started_at),
        integer(row.epoch.0),
        text(phase_text(row.phase)),
        row.wake_at.map_or(Sql::Null, moment),
        text(first),
    ];
    statements.push((INSERT, values));
    statements
}

fn parts(id: &ExecutionId, seq: Seq, parts: &[&str], from: u64) -> Vec<Statement> {
    let values = |(part, body): (u64, &&str)| {
        vec![text(id.as_str()), integer(seq.0), integer(part), text(body)]
    };
    (from..).zip(parts).map(|part| (APPEND, values(part))).collect()
}

fn phase_text(phase: Phase) -> &'static str {
    match phase {
        Phase::Active => "active",
        Phase::Parked => "parked",
        Phase::Ended => "ended",
    }
}

fn text(value: &str) -> Sql {
    Sql::String(value.to_owned())
}

/// Counters stay far below 2^53, the largest integer that crosses exactly.
fn integer(value: u64) -> Sql {
    Sql::Integer(i64::try_from(value).unwrap_or(i64::MAX))
}

fn moment(at: Timestamp) -> Sql {
    Sql::Integer(at.as_millis())
}

/// Cuts a text into parts of at most `bytes_max`, at character boundaries.
fn split(text: &str, bytes_max: usize) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut rest = text;
    while rest.len() > bytes_max {
        let cut = (0..=bytes_max).rev().find(|at| rest.is_char_boundary(*at)).unwrap_or(0);
        let (part, after) = rest.split_at(cut);
        parts.push(part);
        rest = after;
    }
    parts.push(rest);
    parts
}

#[cfg(test)]
mod tests;
