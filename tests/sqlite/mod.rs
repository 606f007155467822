//! SQLite in D1's place: numbers are bound as REAL, a batch is one transaction, rows come as JSON,
//! and what D1 limits is limited. It counts round trips, and can be slow or out of order on demand.
#![allow(dead_code, reason = "each test uses a part of it")]

pub mod dump;

use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use bitware_orchestrator::db::{Bound, Database, DbError, DbErrorKind, Row, Rows, Sql, Statement};
use rusqlite::types::{ToSqlOutput, Value as SqlValue, ValueRef};
use rusqlite::{Connection, ToSql, params_from_iter};
use serde_json::{Map, Value};

pub const SCHEMA: &str = include_str!("../../schema.sql");
const PARAMS_MAX: usize = 100;

pub struct Sqlite {
    pub connection: RefCell<Connection>,
    /// Round trips so far.
    pub trips: Cell<usize>,
    /// Rows that statements of the last batch inserted, updated or deleted.
    pub changes: Cell<u64>,
    /// Whether a batch takes a turn before it is done.
    pub slow: Cell<bool>,
    /// What the next batches fail with.
    pub outage: Cell<Option<DbErrorKind>>,
}

struct Param<'a>(Bound<'a>);

impl ToSql for Param<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(match self.0 {
            Bound::Null => ToSqlOutput::Owned(SqlValue::Null),
            Bound::Number(number) => ToSqlOutput::Owned(SqlValue::Real(number)),
            Bound::Text(text) => ToSqlOutput::Borrowed(ValueRef::Text(text.as_bytes())),
        })
    }
}

/// An empty database with D1's settings.
pub fn empty() -> Connection {
    let connection = Connection::open_in_memory().unwrap();
    connection.execute_batch("PRAGMA foreign_keys = ON").unwrap();
    connection
}

impl Sqlite {
    /// A database as `schema.sql` makes it.
    pub fn new() -> Self {
        let connection = empty();
        connection.execute_batch(SCHEMA).unwrap();
        Self {
            connection: RefCell::new(connection),
            trips: Cell::new(0),
            changes: Cell::new(0),
            slow: Cell::new(false),
            outage: Cell::new(None),
        }
    }

    /// What people do in a shell.
    pub fn shell(&self, sql: &str) {
        self.connection.borrow().execute_batch(sql).unwrap();
    }

    /// The rows of a query as text, columns joined by `|`.
    pub fn lines(&self, sql: &str) -> Vec<String> {
        lines(&self.connection.borrow(), sql)
    }

    /// The one value of a query.
    pub fn number(&self, sql: &str) -> i64 {
        self.connection.borrow().query_row(sql, [], |row| row.get(0)).unwrap()
    }

    /// How SQLite would do a statement.
    pub fn query_plan(&self, statement: &Statement) -> String {
        let explain = format!("EXPLAIN QUERY PLAN {}", statement.sql.text);
        let connection = self.connection.borrow();
        let mut prepared = connection.prepare(&explain).unwrap();
        let params = statement.bound().unwrap().into_iter().map(Param);
        let rows = prepared.query_map(params_from_iter(params), |row| row.get::<_, String>(3));
        rows.unwrap().map(Result::unwrap).collect::<Vec<_>>().join("\n")
    }

    fn transaction(&self, statements: &[Statement]) -> Result<Vec<Rows>, DbError> {
        let mut connection = self.connection.borrow_mut();
        let transaction = connection.transaction().unwrap();
        let before = transaction.total_changes();
        let mut results = Vec::new();
        for statement in statements {
            results.push(perform(&transaction, statement)?);
        }
        self.changes.set(transaction.total_changes() - before);
        transaction.commit().unwrap();
        Ok(results)
    }
}

impl Database for Sqlite {
    async fn batch(&self, statements: Vec<Statement>) -> Result<Vec<Rows>, DbError> {
        let mut turns = u32::from(self.slow.get());
        poll_fn(|context| {
            if turns == 0 {
                return Poll::Ready(());
            }
            turns -= 1;
            context.waker().wake_by_ref();
            Poll::Pending
        })
        .await;
        self.trips.set(self.trips.get() + 1);
        if let Some(kind) = self.outage.get() {
            return Err(DbError::new(kind, statements[0].sql.name, "switched off"));
        }
        self.transaction(&statements)
    }
}

fn perform(connection: &Connection, statement: &Statement) -> Result<Rows, DbError> {
    let Sql { name, text } = statement.sql;
    assert!(statement.params.len() <= PARAMS_MAX, "{name}");
    let said = |error: rusqlite::Error| DbError::from_text(name, error.to_string());
    let mut prepared = connection.prepare_cached(text).map_err(said)?;
    let columns: Vec<String> = prepared.column_names().map(str::to_owned).collect();
    let params = statement.bound()?.into_iter().map(Param);
    let mut rows = prepared.query(params_from_iter(params)).map_err(said)?;
    let mut found = Vec::new();
    while let Some(row) = rows.next().map_err(said)? {
        let mut object = Map::new();
        for (at, column) in columns.iter().enumerate() {
            object.insert(column.clone(), json(row.get_ref(at).unwrap()));
        }
        found.push(Row(Value::Object(object).to_string()));
    }
    Ok(Rows::new(name, found))
}

/// A value as it comes out of JavaScript, where 5.0 is 5.
fn json(value: ValueRef<'_>) -> Value {
    match value {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(n) => n.into(),
        ValueRef::Real(x) if x.fract() == 0.0 && x.abs() < 1e15 => (x as i64).into(),
        ValueRef::Real(x) => x.into(),
        ValueRef::Text(text) => std::str::from_utf8(text).unwrap().into(),
        ValueRef::Blob(_) => panic!("no statement reads a blob"),
    }
}

/// The rows of a query as text, columns joined by `|`.
pub fn lines(connection: &Connection, sql: &str) -> Vec<String> {
    let mut prepared = connection.prepare(sql).unwrap();
    let columns = prepared.column_count();
    let line = |row: &rusqlite::Row<'_>| {
        let text = |at| match row.get_ref(at)? {
            ValueRef::Text(text) => Ok(String::from_utf8(text.to_vec()).unwrap()),
            ValueRef::Blob(bytes) => Ok(format!("{bytes:02x?}")),
            other => Ok(json(other).to_string()),
        };
        Ok((0..columns).map(text).collect::<rusqlite::Result<Vec<_>>>()?.join("|"))
    };
    prepared.query_map([], line).unwrap().map(Result::unwrap).collect()
}

/// Drives a future that is never left waiting for anything outside this thread.
pub fn wait<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    for _ in 0..1000 {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return output;
        }
    }
    panic!("a future waits for something that never comes");
}

/// Drives futures in turn, one poll each, until all are done.
pub fn interleave<F: Future>(futures: Vec<F>) -> Vec<F::Output> {
    let mut futures: Vec<_> = futures.into_iter().map(Box::pin).collect();
    let mut outputs: Vec<Option<F::Output>> = futures.iter().map(|_| None).collect();
    let mut context = Context::from_waker(Waker::noop());
    for _ in 0..1000 {
        for (future, output) in futures.iter_mut().zip(&mut outputs) {
            if output.is_none()
                && let Poll::Ready(ready) = future.as_mut().poll(&mut context)
            {
                *output = Some(ready);
            }
        }
        if outputs.iter().all(Option::is_some) {
            return outputs.into_iter().flatten().collect();
        }
    }
    panic!("a future waits for something that never comes");
}
