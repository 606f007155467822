//! The SQLite of a Live object: tickets, and what its connections need when it wakes. An account
//! that nobody listens to has no tables: they are laid with the first row.

use std::cell::Cell;

use worker::SqlStorageValue as Sql;

use super::hub::{Change, Head, Stage, Unkept, Who};
use super::place::Place;
use super::topic::Source;
use crate::journal::Database;

const LAID: &str =
    "SELECT COUNT(*) FROM sqlite_master WHERE type = 'table' AND name = 'subscriptions'";
const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS tickets (
    hash TEXT PRIMARY KEY, who TEXT NOT NULL, expires_at INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS heads (
    source TEXT PRIMARY KEY, record INTEGER NOT NULL, n INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS subscriptions (
    socket TEXT NOT NULL, name TEXT NOT NULL, asked TEXT NOT NULL, stage TEXT NOT NULL,
    record INTEGER, n INTEGER, PRIMARY KEY (socket, name)
) WITHOUT ROWID;
";
const FACT: &str = "SELECT value FROM facts WHERE name = ?";
const SET_FACT: &str = "INSERT OR REPLACE INTO facts (name, value) VALUES (?, ?)";
const FORGET_TICKETS: &str = "DELETE FROM tickets WHERE expires_at <= ?";
const TICKETS: &str = "SELECT COUNT(*) FROM tickets";
const SET_TICKET: &str = "INSERT OR REPLACE INTO tickets (hash, who, expires_at) VALUES (?, ?, ?)";
const TICKET: &str = "SELECT who FROM tickets WHERE hash = ? AND expires_at > ?";
const USE_TICKET: &str = "DELETE FROM tickets WHERE hash = ?";
const HEADS: &str = "SELECT source, record, n FROM heads";
const SET_HEAD: &str = "INSERT OR REPLACE INTO heads (source, record, n) VALUES (?, ?, ?)";
const FORGET_HEAD: &str = "DELETE FROM heads WHERE source = ?";
const SUBSCRIPTIONS: &str = "SELECT socket, name, asked, stage, record, n FROM subscriptions";
const SET_SUBSCRIPTION: &str = "INSERT OR REPLACE INTO subscriptions
    (socket, name, asked, stage, record, n) VALUES (?, ?, ?, ?, ?, ?)";
const MOVE_SUBSCRIPTION: &str = "UPDATE subscriptions SET stage = ?, record = ?, n = ?
    WHERE socket = ? AND name = ?";
const FORGET_SUBSCRIPTION: &str = "DELETE FROM subscriptions WHERE socket = ? AND name = ?";
const FORGET_SUBSCRIPTIONS: &str = "DELETE FROM subscriptions WHERE socket = ?";

const ACCOUNT: &str = "account";
const COUNTED: &str = "counted";
/// How the stage of a subscription is written.
const ASKED: &str = "asked";
const OWN: &str = "own";
const AT_HEAD: &str = "head";

/// A subscription as it was stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The connection.
    pub socket: String,
    /// What the client asked for, in JSON.
    pub asked: String,
    /// Where it stands; `None` for the head of its source.
    pub stage: Option<Stage>,
}

/// See the module.
pub struct Store<D> {
    database: D,
    laid: Cell<bool>,
}

impl<D: Database> Store<D> {
    /// Opens the store; nothing is written.
    pub fn open(database: D) -> worker::Result<Self> {
        let laid = number(database.exec(LAID, Vec::new())?)? > 0;
        Ok(Self { database, laid: Cell::new(laid) })
    }

    /// The account whose object this is; `None` while nobody was here.
    pub fn account(&self) -> worker::Result<Option<String>> {
        self.fact(ACCOUNT)
    }

    /// Notes the account.
    pub fn set_account(&self, account: &str) -> worker::Result<()> {
        self.write(SET_FACT, vec![text(ACCOUNT), text(account)]).map(drop)
    }

    /// How many events were sent, and how many connections were dropped.
    pub fn counted(&self) -> worker::Result<(u64, u64)> {
        let text = self.fact(COUNTED)?.unwrap_or_default();
        let mut numbers = text.split(' ').map(|number| number.parse().unwrap_or(0));
        Ok((numbers.next().unwrap_or(0), numbers.next().unwrap_or(0)))
    }

    /// Keeps a ticket, unless there are `max` already; whether it was kept.
    pub fn keep_ticket(
        &self,
        hash: &str,
        who: &Who,
        (now_ms, expires_ms): (i64, i64),
        max: u64,
    ) -> worker::Result<bool> {
        self.write(FORGET_TICKETS, vec![Sql::Integer(now_ms)])?;
        let there = number(self.database.exec(TICKETS, Vec::new())?)?;
        if u64::try_from(there).unwrap_or(0) >= max {
            return Ok(false);
        }
        let who = serde_json::to_string(who)?;
        let values = vec![text(hash), text(&who), Sql::Integer(expires_ms)];
        self.write(SET_TICKET, values).map(|_| true)
    }

    /// Whose ticket it is; it is none after that.
    pub fn use_ticket(&self, hash: &str, now_ms: i64) -> worker::Result<Option<Who>> {
        let found = self.rows(TICKET, vec![text(hash), Sql::Integer(now_ms)])?;
        let Some(Sql::String(who)) = found.into_iter().flatten().next() else { return Ok(None) };
        self.write(USE_TICKET, vec![text(hash)])?;
        Ok(Some(serde_json::from_str(&who)?))
    }

    /// Where the heads of sources stand.
    pub fn heads(&self) -> worker::Result<Vec<Head>> {
        let head = |row: Vec<Sql>| match row.as_slice() {
            [Sql::String(source), record, n] => {
                Some(Head { source: source_of(source)?, place: place(record, n)? })
            }
            _ => None,
        };
        Ok(self.rows(HEADS, Vec::new())?.into_iter().filter_map(head).collect())
    }

    /// The subscriptions.
    pub fn subscriptions(&self) -> worker::Result<Vec<Row>> {
        let row = |row: Vec<Sql>| match row.as_slice() {
            [Sql::String(socket), _, Sql::String(asked), Sql::String(stage), record, n] => {
                let stage = match stage.as_str() {
                    AT_HEAD => None,
                    OWN => Some(Stage::At(place(record, n)?)),
                    _ => Some(Stage::Asked(place(record, n))),
                };
                Some(Row { socket: socket.clone(), asked: asked.clone(), stage })
            }
            _ => None,
        };
        Ok(self.rows(SUBSCRIPTIONS, Vec::new())?.into_iter().filter_map(row).collect())
    }

    /// Stores what moved, in one transaction.
    pub fn keep(&self, unkept: &Unkept, counted: (u64, u64)) -> worker::Result<()> {
        self.lay()?;
        self.database.transact(&mut || {
            for Head { source, place } in &unkept.moved {
                let values = vec![text(&name_of(source)), integer(place.0), integer(place.1)];
                self.database.exec(SET_HEAD, values)?;
            }
            for source in &unkept.left {
                self.database.exec(FORGET_HEAD, vec![text(&name_of(source))])?;
            }
            for change in &unkept.changes {
                self.keep_change(change)?;
            }
            let counted = format!("{} {}", counted.0, counted.1);
            self.database.exec(SET_FACT, vec![text(COUNTED), text(&counted)]).map(drop)
        })
    }

    fn keep_change(&self, change: &Change) -> worker::Result<()> {
        let Change { socket, name, asked, stage, own } = change;
        let (word, place) = match (stage, own) {
            (Stage::Asked(wanted), _) => (ASKED, *wanted),
            (Stage::At(place), true) => (OWN, Some(*place)),
            (Stage::At(_), false) => (AT_HEAD, None),
        };
        let record = place.map_or(Sql::Null, |place| integer(place.0));
        let n = place.map_or(Sql::Null, |place| integer(place.1));
        let values = match asked {
            Some(asked) => {
                vec![text(socket), text(name), text(asked), text(word), record, n]
            }
            None => vec![text(word), record, n, text(socket), text(name)],
        };
        let statement = if asked.is_some() { SET_SUBSCRIPTION } else { MOVE_SUBSCRIPTION };
        self.database.exec(statement, values).map(drop)
    }

    /// A subscription is over.
    pub fn forget(&self, socket: &str, name: &str) -> worker::Result<()> {
        self.rows(FORGET_SUBSCRIPTION, vec![text(socket), text(name)]).map(drop)
    }

    /// A connection is over.
    pub fn forget_all(&self, socket: &str) -> worker::Result<()> {
        self.rows(FORGET_SUBSCRIPTIONS, vec![text(socket)]).map(drop)
    }

    fn fact(&self, name: &str) -> worker::Result<Option<String>> {
        match self.rows(FACT, vec![text(name)])?.into_iter().flatten().next() {
            Some(Sql::String(value)) => Ok(Some(value)),
            _ => Ok(None),
        }
    }

    /// The rows of a statement; none while there are no tables.
    fn rows(&self, statement: &str, values: Vec<Sql>) -> worker::Result<Vec<Vec<Sql>>> {
        if self.laid.get() { self.database.exec(statement, values) } else { Ok(Vec::new()) }
    }

    fn write(&self, statement: &str, values: Vec<Sql>) -> worker::Result<Vec<Vec<Sql>>> {
        self.lay()?;
        self.database.exec(statement, values)
    }

    fn lay(&self) -> worker::Result<()> {
        if !self.laid.get() {
            self.database.exec(SCHEMA, Vec::new())?;
            self.laid.set(true);
        }
        Ok(())
    }
}

fn name_of(source: &Source) -> String {
    match source {
        Source::Events => "events".to_owned(),
        Source::AgentLogs => "agent_logs".to_owned(),
        Source::Journal(id) => id.as_str().to_owned(),
    }
}

fn source_of(name: &str) -> Option<Source> {
    match name {
        "events" => Some(Source::Events),
        "agent_logs" => Some(Source::AgentLogs),
        id => id.parse().ok().map(Source::Journal),
    }
}

fn text(text: &str) -> Sql {
    Sql::String(text.to_owned())
}

fn integer(value: u64) -> Sql {
    Sql::Integer(i64::try_from(value).unwrap_or(i64::MAX))
}

fn place(record: &Sql, n: &Sql) -> Option<Place> {
    let number = |value: &Sql| match value {
        Sql::Integer(value) => u64::try_from(*value).ok(),
        Sql::Float(value) if *value >= 0.0 => Some(*value as u64),
        _ => None,
    };
    Some(Place(number(record)?, number(n)?))
}

fn number(rows: Vec<Vec<Sql>>) -> worker::Result<i64> {
    match rows.into_iter().flatten().next() {
        Some(Sql::Integer(value)) => Ok(value),
        Some(Sql::Float(value)) => Ok(value as i64),
        other => Err(worker::Error::RustError(format!("a count is {other:?}"))),
    }
}

#[cfg(test)]
mod tests;
