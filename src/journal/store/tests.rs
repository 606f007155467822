//! The store over SQLite itself: it keeps what a store in memory keeps, undoes what fails half-way,
//! and opens databases of yesterday.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use engine::ids::{Epoch, ShardId};
use engine::shard::memory::MemoryStore;
use engine::shard::{After, Reply, Request, Shard, Timing};
use rusqlite::types::{Value, ValueRef};
use rusqlite::{Connection, params_from_iter};
use serde_json::json;

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

    /// Every row of every table, as text.
    fn dump(&self) -> Vec<String> {
        let orders = ["executions", "records", "inbox", "keys", "marks"];
        let rows = orders.iter().flat_map(|table| {
            let sql = format!("SELECT * FROM {table} ORDER BY 1, 2, 3");
            let sql = if *table == "marks" { sql.replace(", 2, 3", "") } else { sql };
            let rows = self.exec(&sql, Vec::new()).unwrap();
            rows.into_iter().map(move |row| format!("{table} {row:?}"))
        });
        rows.collect()
    }
}

fn bound(value: Sql) -> Value {
    match value {
        Sql::Null => Value::Null,
        Sql::Integer(value) => Value::Real(value as f64),
        Sql::String(value) => Value::Text(value),
        other => panic!("the journal binds no {other:?}"),
    }
}

fn read(value: ValueRef<'_>) -> Sql {
    match value {
        ValueRef::Null => Sql::Null,
        ValueRef::Integer(value) => Sql::Integer(value),
        ValueRef::Text(value) => Sql::String(String::from_utf8(value.to_vec()).unwrap()),
        other => panic!("the journal keeps no {other:?}"),
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
        if values.is_empty() && !statements.contains("SELECT") {
            return connection.execute_batch(statements).map(|()| Vec::new()).map_err(failed);
        }
        let mut statement = connection.prepare(statements).map_err(failed)?;
        let columns = statement.column_count();
        let values = params_from_iter(values.into_iter().map(bound));
        let rows = statement.query_map(values, |row| {
            (0..columns).map(|column| row.get_ref(column).map(read)).collect()
        });
        rows.map_err(failed)?.collect::<Result<_, _>>().map_err(failed)
    }

    fn transact(&self, work: &mut dyn FnMut() -> worker::Result<()>) -> worker::Result<()> {
        let run = |sql: &str| self.connection.borrow().execute_batch(sql).unwrap();
        run("SAVEPOINT request");
        let done = work();
        if done.is_err() {
            run("ROLLBACK TO request");
        }
        run("RELEASE request");
        done
    }
}

fn at(ms: i64) -> Timestamp {
    Timestamp::from_millis(ms)
}

fn id(n: u128) -> ExecutionId {
    ExecutionId::new(at(0), ShardId(0), n)
}

fn loaded(host: &Host, ms: i64) -> Shard<SqliteStore<Host>> {
    let store = SqliteStore::open(host.clone()).unwrap();
    Shard::load(store, Timing::default(), at(ms)).unwrap()
}

fn start(n: u128, parent: Option<u128>, after: After) -> Request {
    let (account, at) = ("default".to_owned(), at(0));
    let driven = parent.is_none();
    let idempotency = driven.then(|| engine::shard::Idempotency {
        key_hash: format!("key {n}"),
        body_hash: "body".to_owned(),
    });
    let parent = parent.map(id);
    Request::Start { id: id(n), account, at, idempotency, after, parent, driven }
}

fn append(n: u128, epoch: u64, seq: u64, after: After, seen: u64) -> Request {
    let (epoch, seq, seen) = (Epoch(epoch), Seq(seq), InboxSeq(seen));
    Request::Append { id: id(n), epoch, seq, after, seen }
}

fn post(n: u128, key: Option<&str>, reopens: bool) -> Request {
    let entry = json!({"said": "é"});
    Request::Post { id: id(n), entry, key: key.map(str::to_owned), reopens }
}

fn release(n: u128, epoch: u64, seen: u64, wake_at: i64) -> Request {
    let (epoch, seen, wake_at) = (Epoch(epoch), InboxSeq(seen), at(wake_at));
    Request::Release { seq: None, id: id(n), epoch, seen, wake_at }
}

/// A long day of a shard: every kind of write, in an order that makes each of them happen.
fn day() -> Vec<(Request, String)> {
    let large = format!("[\"{}\"]", "ä".repeat(PART_BYTES_MAX));
    let active = After::Active;
    let ended = After::Ended;
    let requests = [
        (start(1, None, active), large.as_str()),
        (start(1, None, active), large.as_str()),
        (start(2, Some(1), active), "[0]"),
        (start(3, Some(1), active), "[0]"),
        (start(4, None, ended), "[0]"),
        (append(1, 1, 2, active, 0), "[2]"),
        (append(1, 1, 3, active, 0), &large),
        (post(1, Some("k"), false), ""),
        (post(1, Some("k"), false), ""),
        (append(1, 1, 4, active, 1), "[4]"),
        (Request::Take { id: id(2) }, ""),
        (append(2, 2, 2, ended, 0), "[2]"),
        (append(2, 2, 2, ended, 0), "[2]"),
        (release(1, 1, 2, 90_000), ""),
        (post(1, None, true), ""),
        (Request::Take { id: id(1) }, ""),
        (append(1, 2, 5, ended, 2), "[5]"),
        (Request::Take { id: id(1) }, ""),
        (append(1, 3, 6, ended, 9), "[6]"),
        (post(2, Some("again"), true), ""),
        (post(2, Some("again"), true), ""),
        (start(5, Some(1), active), "[0]"),
        (Request::Read { id: id(1), after: Seq(0) }, ""),
        (Request::Read { id: id(1), after: Seq(2) }, ""),
        (Request::Take { id: id(3) }, ""),
        (append(3, 2, 2, ended, 1), "[2]"),
        (Request::Sweep, ""),
    ];
    requests.into_iter().map(|(request, record)| (request, record.to_owned())).collect()
}

#[test]
fn sqlite_keeps_what_memory_keeps() {
    let host = Host::new();
    let mut memory = MemoryStore::default();
    for (moment, (request, record)) in (0..).zip(day()) {
        let now = at(moment * 1_000);
        let mut shard = loaded(&host, moment * 1_000);
        let Ok(mut model) = Shard::load(memory.clone(), Timing::default(), now);
        let answer = shard.handle(now, request.clone(), &record).unwrap();
        let Ok(expected) = model.handle(now, request.clone(), &record);
        assert_eq!(answer, expected, "{request:?}");
        let tasks = shard.tasks(now).unwrap();
        let Ok(due) = model.tasks(now);
        assert_eq!(tasks, due, "{request:?}");
        shard.projected(now, Ok(&tasks.project)).unwrap();
        let Ok(()) = model.projected(now, Ok(&due.project));
        memory = model.store().clone();
        same(shard.store(), &memory);
    }
    let (ended, projected) = (memory.last_ended(), memory.projected());
    assert_eq!((ended, projected), (Ok(5), Ok(5)), "the day had all that it should");
}

fn same(store: &SqliteStore<Host>, memory: &MemoryStore) {
    for n in 1..=5 {
        let Ok(row) = memory.execution(&id(n));
        assert_eq!(store.execution(&id(n)).unwrap(), row);
        let Ok(records) = memory.records(&id(n), Seq(0));
        assert!(store.records(&id(n), Seq(0)).unwrap() == records);
        let Ok(inbox) = memory.inbox(&id(n), InboxSeq(0));
        assert_eq!(store.inbox(&id(n), InboxSeq(0)).unwrap(), inbox);
        let Ok(reopening) = memory.reopening(&id(n), InboxSeq(0));
        assert_eq!(store.reopening(&id(n), InboxSeq(0)).unwrap(), reopening);
        let key = format!("key {n}");
        let Ok(known) = memory.key(&key);
        assert_eq!(store.key(&key).unwrap(), known);
    }
    let (Ok(ended), Ok(projected)) = (memory.last_ended(), memory.projected());
    assert_eq!((store.last_ended().unwrap(), store.projected().unwrap()), (ended, projected));
    let Ok(ends) = memory.ended_after(0, 100);
    assert_eq!(store.ended_after(0, 100).unwrap(), ends);
    let Ok(open) = memory.open();
    let mut rows = store.open().unwrap();
    rows.sort_by(|one, other| one.id.cmp(&other.id));
    assert_eq!(rows, open);
}

#[test]
fn what_fails_between_two_writes_of_a_request_leaves_nothing() {
    let host = Host::new();
    let mut shard = loaded(&host, 0);
    let (mut failures, mut now_ms) = (0, 0);
    for (request, record) in day() {
        now_ms += 1_000;
        let before = host.dump();
        for statements in 0.. {
            host.fails_after.set(Some(statements));
            let answer = shard.handle(at(now_ms), request.clone(), &record);
            host.fails_after.set(None);
            if answer.is_ok() {
                break;
            }
            assert!(host.dump() == before, "{request:?} failed after {statements} statements");
            failures += 1;
        }
    }
    assert!(failures > 50, "{failures}");
    let fresh = Host::new();
    let mut steady = loaded(&fresh, 0);
    let mut now_ms = 0;
    for (request, record) in day() {
        now_ms += 1_000;
        steady.handle(at(now_ms), request, &record).unwrap();
    }
    assert!(host.dump() == fresh.dump(), "and the same request, made again, does it all");
}

#[test]
fn ended_executions_are_forgotten_whole_or_not_at_all() {
    let host = Host::new();
    let mut shard = loaded(&host, 0);
    for n in 1..=3 {
        shard.handle(at(0), start(n, None, After::Active), "[0]").unwrap();
        shard.handle(at(1), post(n, Some("k"), false), "").unwrap();
        shard.handle(at(2), append(n, 1, 2, After::Ended, 1), "[2]").unwrap();
    }
    let tasks = shard.tasks(at(1_000)).unwrap();
    shard.projected(at(1_000), Ok(&tasks.project)).unwrap();
    let later = at(48 * 3600 * 1000);
    let before = host.dump();
    for statements in 0.. {
        host.fails_after.set(Some(statements));
        let swept = shard.handle(later, Request::Sweep, "");
        host.fails_after.set(None);
        if swept.is_ok() {
            break;
        }
        assert!(host.dump() == before, "the sweep failed after {statements} statements");
    }
    let left: Vec<String> = host.dump();
    assert!(left.iter().all(|row| row.starts_with("marks")), "{left:?}");
    assert_eq!(loaded(&host, 0).store().last_ended().unwrap(), 3);
}

/// What a shard of the first version left behind: an execution that parked with something in its
/// inbox, one that ended, and no mark of the schema.
const YESTERDAY: &str = "
INSERT INTO executions (id, account, started_at, epoch, phase, wake_at, inbox_seen, record)
    VALUES ('pipe_0_00000000000000000000000001', 'default', 5, 3, 'parked', 99000, 1, '[1]');
INSERT INTO executions (id, account, started_at, epoch, phase, ended, ended_at, record)
    VALUES ('pipe_0_00000000000000000000000002', 'default', 6, 1, 'ended', 7, 8, '[1]');
INSERT INTO records (id, seq, part, body)
    VALUES ('pipe_0_00000000000000000000000001', 2, 0, '[2]');
INSERT INTO inbox (id, n, entry) VALUES ('pipe_0_00000000000000000000000001', 1, '\"a\"');
INSERT INTO inbox (id, n, entry) VALUES ('pipe_0_00000000000000000000000001', 2, '\"b\"');
INSERT INTO marks (name, value) VALUES ('projected', 7);
";

fn of_yesterday() -> Host {
    let host = Host::new();
    for sql in [UPGRADES[0], MARKS, YESTERDAY] {
        host.exec(sql, Vec::new()).unwrap();
    }
    host
}

#[test]
fn a_database_of_yesterday_is_opened_and_goes_on() {
    let host = of_yesterday();
    let mut shard = loaded(&host, 10);
    let standing = Reply::Standing {
        seq: Seq(2),
        phase: Phase::Parked,
        lease_until: None,
        unheard: 1,
        wake_at: Some(at(99_000)),
    };
    let (peeked, _) = shard.handle(at(10), Request::Peek { id: id(1) }, "").unwrap();
    assert_eq!(peeked, standing);
    let (reply, records) = shard.handle(at(11), Request::Take { id: id(1) }, "").unwrap();
    let Reply::Taken { epoch: Epoch(4), seq: Seq(2), inbox } = reply else { panic!("{reply:?}") };
    assert_eq!(
        (records.as_slice(), inbox.len()),
        (["[1]", "[2]"].map(str::to_owned).as_slice(), 1)
    );
    let (posted, _) = shard.handle(at(12), post(2, Some("k"), true), "").unwrap();
    assert_eq!(posted, Reply::Posted { n: InboxSeq(1) });
    let row = shard.store().execution(&id(2)).unwrap().unwrap();
    assert_eq!((row.parent, row.phase, row.projected), (None, Phase::Active, Seq(0)));
    assert_eq!(loaded(&host, 13).store().last_ended().unwrap(), 7, "its number is not given again");
}

#[test]
fn a_database_of_yesterday_becomes_what_a_new_one_is_however_often_that_fails() {
    let host = of_yesterday();
    for statements in 0.. {
        host.fails_after.set(Some(statements));
        let opened = SqliteStore::open(host.clone());
        host.fails_after.set(None);
        if opened.is_ok() {
            break;
        }
    }
    let fresh = Host::new();
    for host in [&host, &fresh, &fresh] {
        loaded(host, 0);
    }
    let columns = |host: &Host, table: &str| {
        let sql = format!("SELECT name, type, dflt_value FROM pragma_table_info('{table}')");
        host.exec(&sql, Vec::new()).unwrap()
    };
    for table in ["executions", "records", "inbox", "keys", "marks"] {
        assert_eq!(columns(&host, table), columns(&fresh, table));
        assert!(!columns(&host, table).is_empty(), "{table}");
    }
}

#[test]
fn a_parked_execution_is_loaded_without_reading_its_records_or_inbox() {
    let host = Host::new();
    loaded(&host, 0);
    for statement in [OPEN, ROW] {
        let sql = format!("EXPLAIN QUERY PLAN {}", statement.replace('?', "'x'"));
        let connection = host.connection.borrow();
        let mut plan = connection.prepare(&sql).unwrap();
        let lines = plan.query_map([], |row| row.get::<_, String>(3)).unwrap();
        let lines: Vec<String> = lines.map(Result::unwrap).collect();
        let scans = lines.iter().filter(|line| line.starts_with("SCAN"));
        let whole = scans.filter(|line| !line.contains("USING INDEX executions_open"));
        assert_eq!(whole.count(), 0, "{lines:?}");
    }
}

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
