//! The SQLite of a journal shard. Statements of one request run without a break between them, so
//! the platform commits them together, before the reply leaves.
//!
//! Rows written for an execution of n steps, no faults: one at the start, one for each append, one
//! update at the end. Tables keep no row ids, so the keys cost no second index; large records are
//! split at [`PART_BYTES_MAX`].

mod row;

use engine::ids::{Epoch, ExecutionId, InboxSeq, Seq};
use engine::shard::{EndedRow, ExecutionRow, IdempotencyRow, InboxEntry, Phase, Store};
use engine::time::Timestamp;
use worker::{SqlStorage, SqlStorageValue as Sql};

use row::Row;

/// The largest part of a record in one row; the platform takes 2 MB.
const PART_BYTES_MAX: usize = 1024 * 1024;

const SCHEMA: &str = "
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
CREATE TABLE IF NOT EXISTS marks (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
";

const INSERT: &str = "INSERT OR REPLACE INTO executions
    (id, account, started_at, epoch, phase, ended, ended_at, record)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?)";
const INSERT_KEY: &str =
    "INSERT OR REPLACE INTO keys (hash, id, body_hash, expires_at) VALUES (?, ?, ?, ?)";
const APPEND: &str = "INSERT OR REPLACE INTO records (id, seq, part, body) VALUES (?, ?, ?, ?)";
const END: &str = "UPDATE executions SET phase = 'ended', wake_at = NULL, ended = ?, ended_at = ?
    WHERE id = ?";
const TAKE: &str = "UPDATE executions SET epoch = ?, phase = 'active', wake_at = NULL WHERE id = ?";
const RELEASE: &str = "UPDATE executions SET phase = ?, wake_at = ?, inbox_seen = ? WHERE id = ?";
const POST: &str = "INSERT OR REPLACE INTO inbox (id, n, entry) VALUES (?, ?, ?)";
const INBOX: &str = "SELECT n, entry FROM inbox WHERE id = ? AND n > ? ORDER BY n";
const ROW: &str = "SELECT id, account, started_at, epoch, phase, wake_at,
    COALESCE((SELECT MAX(seq) FROM records AS r WHERE r.id = e.id), 1),
    COALESCE((SELECT MAX(n) FROM inbox AS i WHERE i.id = e.id), 0), inbox_seen
    FROM executions AS e WHERE id = ?";
const OPEN: &str = "SELECT id, account, started_at, epoch, phase, wake_at,
    COALESCE((SELECT MAX(seq) FROM records AS r WHERE r.id = e.id), 1),
    COALESCE((SELECT MAX(n) FROM inbox AS i WHERE i.id = e.id), 0), inbox_seen
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
/// The number of the last end survives the purge of all ended executions.
const ENDED: &str = "ended";

/// See the module.
#[derive(Debug)]
pub struct SqliteStore(SqlStorage);

impl SqliteStore {
    /// Opens the store and lays its tables where they are missing.
    pub fn open(sql: SqlStorage) -> worker::Result<Self> {
        sql.exec(SCHEMA, None)?;
        Ok(Self(sql))
    }

    fn write(&self, statement: &str, values: Vec<Sql>) -> worker::Result<()> {
        self.0.exec(statement, values).map(drop)
    }

    fn rows(&self, statement: &str, values: Vec<Sql>) -> worker::Result<Vec<Row>> {
        let rows = self.0.exec(statement, values)?.raw();
        rows.map(|row| row.map(Row::new)).collect()
    }

    fn number(&self, statement: &str, values: Vec<Sql>) -> worker::Result<Option<u64>> {
        let row = self.rows(statement, values)?.into_iter().next();
        row.map(|mut row| row.unsigned()).transpose()
    }

    fn write_parts(
        &self,
        id: &ExecutionId,
        seq: Seq,
        parts: &[&str],
        from: u64,
    ) -> worker::Result<()> {
        for (part, body) in (from..).zip(parts) {
            let values = vec![text(id.as_str()), integer(seq.0), integer(part), text(body)];
            self.write(APPEND, values)?;
        }
        Ok(())
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

impl Store for SqliteStore {
    type Error = worker::Error;

    fn insert(
        &mut self,
        row: &ExecutionRow,
        record: &str,
        ended: Option<u64>,
        key: Option<(&str, &IdempotencyRow)>,
    ) -> worker::Result<()> {
        let parts = split(record, PART_BYTES_MAX);
        let (first, rest) = parts.split_first().unwrap_or((&"", &[]));
        self.write_parts(&row.id, Seq(1), rest, 1)?;
        if let Some((hash, known)) = key {
            let (id, body) = (text(known.id.as_str()), text(&known.body_hash));
            self.write(INSERT_KEY, vec![text(hash), id, body, moment(known.expires_at)])?;
        }
        if let Some(number) = ended {
            self.write(SET_MARK, vec![text(ENDED), integer(number)])?;
        }
        self.write(
            INSERT,
            vec![
                text(row.id.as_str()),
                text(&row.account),
                moment(row.started_at),
                integer(row.epoch.0),
                text(phase_text(row.phase)),
                ended.map_or(Sql::Null, integer),
                ended.map_or(Sql::Null, |_| moment(row.started_at)),
                text(first),
            ],
        )
    }

    fn append(
        &mut self,
        id: &ExecutionId,
        seq: Seq,
        record: &str,
        ended: Option<(u64, Timestamp)>,
    ) -> worker::Result<()> {
        self.write_parts(id, seq, &split(record, PART_BYTES_MAX), 0)?;
        match ended {
            None => Ok(()),
            Some((number, at)) => {
                self.write(END, vec![integer(number), moment(at), text(id.as_str())])
            }
        }
    }

    fn take(&mut self, id: &ExecutionId, epoch: Epoch) -> worker::Result<()> {
        self.write(TAKE, vec![integer(epoch.0), text(id.as_str())])
    }

    fn release(
        &mut self,
        id: &ExecutionId,
        phase: Phase,
        wake_at: Option<Timestamp>,
        seen: InboxSeq,
    ) -> worker::Result<()> {
        let wake_at = wake_at.map_or(Sql::Null, moment);
        let values = vec![text(phase_text(phase)), wake_at, integer(seen.0), text(id.as_str())];
        self.write(RELEASE, values)
    }

    fn post(&mut self, id: &ExecutionId, entry: &InboxEntry) -> worker::Result<()> {
        let body = entry.entry.to_string();
        self.write(POST, vec![text(id.as_str()), integer(entry.n.0), text(&body)])
    }

    fn inbox(&self, id: &ExecutionId, after: InboxSeq) -> worker::Result<Vec<InboxEntry>> {
        let rows = self.rows(INBOX, vec![text(id.as_str()), integer(after.0)])?;
        let entry = |mut row: Row| {
            let n = InboxSeq(row.unsigned()?);
            Ok(InboxEntry { n, entry: serde_json::from_str(&row.text()?)? })
        };
        rows.into_iter().map(entry).collect()
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

    fn set_projected(&mut self, number: u64) -> worker::Result<()> {
        self.write(SET_MARK, vec![text(PROJECTED), integer(number)])
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
        let old = self.rows(OLD, values)?;
        if !old.is_empty() {
            self.write(SET_MARK, vec![text(ENDED), integer(self.last_ended()?)])?;
        }
        let count = old.len();
        for mut row in old {
            let id = row.text()?;
            for statement in [FORGET_RECORDS, FORGET_INBOX, FORGET] {
                self.write(statement, vec![text(&id)])?;
            }
        }
        self.write(FORGET_KEYS, vec![moment(now), limit])?;
        Ok(count)
    }
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
mod tests {
    use super::split;

    #[test]
    fn parts_are_cut_between_characters_and_join_to_the_whole() {
        let text = "aé€𝄞".repeat(7);
        for size in 4..20 {
            let parts = split(&text, size);
            assert!(parts.iter().all(|part| part.len() <= size));
            assert_eq!(parts.concat(), text);
        }
        assert_eq!(split("", 4), [""]);
    }
}
