//! The store over SQLite itself: it keeps what a store in memory keeps, and undoes what fails
//! half-way.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use engine::admission::memory::MemoryStore;
use engine::admission::{Admission, Funds, KeyFunds, Reply, Request, Settlement};
use engine::ids::ShardId;
use rusqlite::types::{Value, ValueRef};
use rusqlite::{Connection, params_from_iter};

use super::*;

/// SQLite as the platform gives it: numbers are bound as REAL, and it can be told to fail.
#[derive(Clone)]
struct Host {
    connection: Rc<RefCell<Connection>>,
    /// How many statements go well before one fails; `None` for all.
    fails_after: Rc<Cell<Option<usize>>>,
}

impl Host {
    fn new() -> Self {
        let connection = Rc::new(RefCell::new(Connection::open_in_memory().unwrap()));
        Self { connection, fails_after: Rc::new(Cell::new(None)) }
    }

    fn count(&self, table: &str) -> i64 {
        let sql = format!("SELECT COUNT(*) FROM {table}");
        self.connection.borrow().query_row(&sql, [], |row| row.get(0)).unwrap()
    }
}

fn bound(value: Sql) -> Value {
    match value {
        Sql::Integer(value) => Value::Real(value as f64),
        Sql::String(value) => Value::Text(value),
        other => panic!("the Governor binds no {other:?}"),
    }
}

fn read(value: ValueRef<'_>) -> Sql {
    match value {
        ValueRef::Integer(value) => Sql::Integer(value),
        ValueRef::Text(value) => Sql::String(String::from_utf8(value.to_vec()).unwrap()),
        other => panic!("the Governor keeps no {other:?}"),
    }
}

impl Database for Host {
    fn exec(&self, statements: &str, values: Vec<Sql>) -> worker::Result<Vec<Vec<Sql>>> {
        if self.fails_after.get() == Some(0) {
            return Err("the disk is full".into());
        }
        self.fails_after.set(self.fails_after.get().map(|left| left - 1));
        let connection = self.connection.borrow();
        let failed = |error: rusqlite::Error| worker::Error::from(error.to_string());
        if statements.contains("CREATE TABLE") {
            return connection.execute_batch(statements).map(|()| Vec::new()).map_err(failed);
        }
        let mut statement = connection.prepare(statements).map_err(failed)?;
        let columns = statement.column_count();
        let rows = statement.query_map(params_from_iter(values.into_iter().map(bound)), |row| {
            (0..columns).map(|column| row.get_ref(column).map(read)).collect()
        });
        rows.map_err(failed)?.collect::<Result<_, _>>().map_err(failed)
    }

    fn transact(&self, work: &mut dyn FnMut() -> worker::Result<()>) -> worker::Result<()> {
        let batch = |sql: &str| self.connection.borrow().execute_batch(sql).unwrap();
        batch("BEGIN");
        let done = work();
        batch(if done.is_ok() { "COMMIT" } else { "ROLLBACK" });
        done
    }
}

const HOUR_MS: i64 = 3_600_000;

fn id(n: u128) -> ExecutionId {
    ExecutionId::new(Timestamp::from_millis(0), ShardId(0), n)
}

fn at(ms: i64) -> Timestamp {
    Timestamp::from_millis(1_795_262_400_000 + ms)
}

fn start(n: u128, reserve: u64) -> Request {
    let (reserve, daily_max) = (MicroUsd::from_micros(reserve), Some(MicroUsd::from_micros(100)));
    let funds = Some(Funds { reserve, daily_max, ..Funds::default() });
    Request::Admit { id: id(n), limit: 50, priority: 0, waits: false, funds }
}

/// A start under a key that may spend 50 a day.
fn start_of(key: &str, n: u128, reserve: u64) -> Request {
    let Request::Admit { id, limit, priority, waits, funds } = start(n, reserve) else {
        panic!("a start asks for a place")
    };
    let daily_max = Some(MicroUsd::from_micros(50));
    let key = Some(KeyFunds { id: key.to_owned(), daily_max, monthly_max: None });
    let funds = funds.map(|funds| Funds { key, ..funds });
    Request::Admit { id, limit, priority, waits, funds }
}

fn settle(n: u128, spent: u64, ended: bool) -> Request {
    let spent_total = MicroUsd::from_micros(spent);
    Request::Settle { settlements: vec![Settlement { id: id(n), spent_total, ended }] }
}

/// A day and more in the life of an account.
fn story() -> Vec<(i64, Request)> {
    let keep = |n| Request::Keep { id: id(n), reports: Vec::new() };
    vec![
        (0, start(1, 40)),
        (1, start(2, 30)),
        (2, start(3, 40)),
        (3, keep(1)),
        (4, settle(1, 10, false)),
        (5, settle(1, 25, true)),
        (6, start(3, 40)),
        (HOUR_MS, start(4, 20)),
        (HOUR_MS + 1, settle(1, 25, true)),
        (HOUR_MS + 2, settle(3, 7, true)),
        (24 * HOUR_MS, start(5, 100)),
        (24 * HOUR_MS + 1, settle(5, 90, true)),
        (25 * HOUR_MS, start_of("a", 7, 4)),
        (25 * HOUR_MS + 1, start_of("b", 8, 3)),
        (25 * HOUR_MS + 2, keep(8)),
        (25 * HOUR_MS + 3, settle(7, 2, false)),
        (25 * HOUR_MS + 4, settle(7, 4, true)),
        (26 * HOUR_MS, start_of("a", 9, 47)),
        (26 * HOUR_MS + 1, settle(8, 3, true)),
        (12 * 24 * HOUR_MS, start(6, 5)),
        (12 * 24 * HOUR_MS + 1, settle(6, 5, true)),
    ]
}

#[test]
fn it_keeps_what_memory_keeps_across_restarts() {
    let host = Host::new();
    let Ok(mut memory) = Admission::load(MemoryStore::default());
    for (ms, request) in story() {
        // Every request meets an account that was just loaded.
        let store = SqliteStore::open(host.clone()).unwrap();
        let mut account = Admission::load(store).unwrap();
        let Ok(expected) = memory.handle(at(ms), request.clone());
        assert_eq!(account.handle(at(ms), request.clone()).unwrap(), expected, "{request:?}");
        assert_eq!(account.totals(), memory.totals(), "{request:?}");
        for key in ["a", "b", "c"] {
            let Ok(expected) = memory.key_totals(at(ms), key);
            assert_eq!(account.key_totals(at(ms), key).unwrap(), expected, "{key} {request:?}");
        }
        assert_eq!(host.count("money"), i64::try_from(memory.store().len()).unwrap());
        let Ok(again) = Admission::load(memory.into_store());
        memory = again;
    }
    assert_eq!(host.count("money"), 1, "the old ones are gone");
    assert_eq!(host.count("money_keys"), 0, "and whose they were");
    assert_eq!(host.count("key_sums"), 2);
}

#[test]
fn an_account_without_limits_has_no_tables() {
    let host = Host::new();
    let mut account = Admission::load(SqliteStore::open(host.clone()).unwrap()).unwrap();
    let free = Request::Admit { id: id(1), limit: 1, priority: 0, waits: false, funds: None };
    let granted = Reply::Granted { gates: Vec::new() };
    assert_eq!(account.handle(at(0), free).unwrap(), granted);
    assert_eq!(account.handle(at(1), settle(1, 5, true)).unwrap(), Reply::Settled);
    assert_eq!(host.count("sqlite_master"), 0);
}

#[test]
fn what_fails_half_way_leaves_nothing() {
    for fails_after in 0..4 {
        let host = Host::new();
        let mut account = Admission::load(SqliteStore::open(host.clone()).unwrap()).unwrap();
        host.fails_after.set(Some(fails_after));
        let first = account.handle(at(0), start(1, 40));
        host.fails_after.set(None);
        let account = Admission::load(SqliteStore::open(host.clone()).unwrap()).unwrap();
        let held = account.totals().held.as_micros();
        assert_eq!(held, if first.is_ok() { 40 } else { 0 });
        assert_eq!(first.is_ok(), fails_after > 2, "the tables, the sums, the row");
    }
}

#[test]
fn keys_come_to_a_database_that_older_code_made_and_go_on_under_it() {
    let host = Host::new();
    let open = || Admission::load(SqliteStore::open(host.clone()).unwrap()).unwrap();
    open().handle(at(0), start(1, 10)).unwrap();
    let tables = "SELECT COUNT(*) FROM sqlite_master WHERE name IN ('key_sums', 'money_keys')";
    let count = |sql: &str| -> i64 {
        host.connection.borrow().query_row(sql, [], |row| row.get(0)).unwrap()
    };
    assert_eq!(count(tables), 0, "an account whose keys have no budgets is as older code left it");
    open().handle(at(1), start_of("a", 2, 40)).unwrap();
    assert_eq!(count(tables), 2);
    let held = |account: &Admission<_>| account.key_totals(at(2), "a").unwrap().held.as_micros();
    assert_eq!(held(&open()), 40);
    // Older code settles the execution, and knows of no key.
    let old = "UPDATE money SET held = 0, spent = 40 WHERE held = 40;
        UPDATE sums SET held = 10, spent_day = 40, spent_month = 40";
    host.connection.borrow().execute_batch(old).unwrap();
    let mut account = open();
    assert_eq!(held(&account), 0, "nothing is left that would count for ever");
    let again = account.handle(at(3), start_of("a", 3, 50)).unwrap();
    assert_eq!(again, Reply::Granted { gates: Vec::new() });
}

#[test]
fn what_fails_half_way_leaves_nothing_of_a_key() {
    for fails_after in 0..7 {
        let host = Host::new();
        let mut account = Admission::load(SqliteStore::open(host.clone()).unwrap()).unwrap();
        host.fails_after.set(Some(fails_after));
        let first = account.handle(at(0), start_of("a", 1, 40));
        host.fails_after.set(None);
        let account = Admission::load(SqliteStore::open(host.clone()).unwrap()).unwrap();
        let held = account.key_totals(at(0), "a").unwrap().held.as_micros();
        assert_eq!(held, if first.is_ok() { 40 } else { 0 });
        assert_eq!(first.is_ok(), fails_after > 5, "tables, sums, the key's, the row, whose it is");
    }
}
