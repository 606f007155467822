//! The store over SQLite itself.

use std::cell::RefCell;
use std::rc::Rc;

use api_types::live::LiveSubscribe;
use rusqlite::types::{Value, ValueRef};
use rusqlite::{Connection, params_from_iter};
use serde_json::json;

use super::*;

/// SQLite as the platform gives it: numbers are bound as REAL.
#[derive(Clone)]
struct Host(Rc<RefCell<Connection>>);

impl Host {
    fn new() -> Self {
        Self(Rc::new(RefCell::new(Connection::open_in_memory().unwrap())))
    }
}

impl Database for Host {
    fn exec(&self, statements: &str, values: Vec<Sql>) -> worker::Result<Vec<Vec<Sql>>> {
        let connection = self.0.borrow();
        if statements.contains("CREATE TABLE") {
            connection.execute_batch(statements).unwrap();
            return Ok(Vec::new());
        }
        let mut statement = connection.prepare(statements).unwrap();
        let columns = statement.column_count();
        let bound = values.into_iter().map(|value| match value {
            Sql::Null => Value::Null,
            Sql::Integer(value) => Value::Real(value as f64),
            Sql::String(value) => Value::Text(value),
            other => panic!("a Live object binds no {other:?}"),
        });
        let read = |value: ValueRef<'_>| match value {
            ValueRef::Null => Sql::Null,
            ValueRef::Integer(value) => Sql::Integer(value),
            ValueRef::Text(value) => Sql::String(String::from_utf8(value.to_vec()).unwrap()),
            other => panic!("a Live object keeps no {other:?}"),
        };
        let rows = statement.query_map(params_from_iter(bound), |row| {
            (0..columns).map(|column| row.get_ref(column).map(read)).collect()
        });
        Ok(rows.unwrap().collect::<Result<_, _>>().unwrap())
    }

    fn transact(&self, work: &mut dyn FnMut() -> worker::Result<()>) -> worker::Result<()> {
        work()
    }
}

fn who() -> Who {
    Who { account: "acme".into(), name: "key:k".into(), administers: true }
}

#[test]
fn nothing_is_written_for_an_account_that_nobody_listens_to() {
    let host = Host::new();
    let store = Store::open(host.clone()).unwrap();
    assert_eq!(store.account().unwrap(), None);
    assert_eq!((store.heads().unwrap(), store.subscriptions().unwrap()), (vec![], vec![]));
    assert_eq!(store.use_ticket("x", 0).unwrap(), None);
    store.forget_all("x").unwrap();
    let tables = host.exec("SELECT COUNT(*) FROM sqlite_master", vec![]).unwrap();
    assert_eq!(tables, [[Sql::Integer(0)]]);
}

#[test]
fn a_ticket_works_once_and_in_time() {
    let store = Store::open(Host::new()).unwrap();
    assert!(store.keep_ticket("a", &who(), (0, 30), 2).unwrap());
    assert!(store.keep_ticket("b", &who(), (10, 40), 2).unwrap());
    assert!(!store.keep_ticket("c", &who(), (20, 50), 2).unwrap(), "too many wait");
    assert_eq!(store.use_ticket("a", 29).unwrap(), Some(who()));
    assert_eq!(store.use_ticket("a", 29).unwrap(), None, "a second time");
    assert_eq!(store.use_ticket("b", 40).unwrap(), None, "too late");
    assert_eq!(store.use_ticket("c", 0).unwrap(), None, "none");
    assert!(store.keep_ticket("c", &who(), (41, 70), 1).unwrap(), "those that are over go");
}

#[test]
fn what_is_stored_is_found_again() {
    let host = Host::new();
    let store = Store::open(host.clone()).unwrap();
    store.set_account("acme").unwrap();
    let message = json!({ "type": "subscribe", "id": "s", "topic": "jobs" });
    let asked: LiveSubscribe = serde_json::from_value(message).unwrap();
    let asked = serde_json::to_string(&asked).unwrap();
    let journal = Source::Journal("pipe_1_00000000000000000000000000".parse().unwrap());
    let change = |socket: &str, stage, own, new: bool| Change {
        socket: socket.into(),
        name: "s".into(),
        asked: new.then(|| asked.clone()),
        stage,
        own,
    };
    let head = |source: &Source, n| Head { source: source.clone(), place: Place(n, 2) };
    let unkept = Unkept {
        moved: vec![head(&Source::Events, 7), head(&Source::AgentLogs, 8), head(&journal, 9)],
        left: vec![],
        changes: vec![
            change("a", Stage::Asked(None), true, true),
            change("b", Stage::Asked(Some(Place(3, 1))), true, true),
            change("c", Stage::At(Place(4, 1)), true, true),
            change("d", Stage::At(Place(7, 2)), false, true),
        ],
    };
    store.keep(&unkept, (12, 3)).unwrap();
    let store = Store::open(host).unwrap();
    assert_eq!(store.account().unwrap().as_deref(), Some("acme"));
    assert_eq!(store.counted().unwrap(), (12, 3));
    let heads = store.heads().unwrap();
    assert_eq!(heads.len(), 3);
    assert!(unkept.moved.iter().all(|head| heads.contains(head)), "{heads:?}");
    let stages: Vec<Option<Stage>> =
        store.subscriptions().unwrap().into_iter().map(|row| row.stage).collect();
    let (asked_at, own) = (Stage::Asked(Some(Place(3, 1))), Stage::At(Place(4, 1)));
    assert_eq!(stages, [Some(Stage::Asked(None)), Some(asked_at), Some(own), None]);
    let moved = Unkept {
        left: vec![journal],
        changes: vec![change("a", Stage::At(Place(5, 0)), true, false)],
        ..Unkept::default()
    };
    store.keep(&moved, (13, 3)).unwrap();
    store.forget("c", "s").unwrap();
    store.forget_all("d").unwrap();
    let rows = store.subscriptions().unwrap();
    assert_eq!(rows.len(), 2);
    assert_eq!((rows[0].stage, &rows[0].asked), (Some(Stage::At(Place(5, 0))), &asked));
    assert_eq!(store.heads().unwrap().len(), 2);
}
