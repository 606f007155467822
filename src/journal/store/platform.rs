//! The SQLite that the platform gives a Durable Object.

use worker::js_sys::Error;
use worker::wasm_bindgen::prelude::wasm_bindgen;
use worker::wasm_bindgen::{self, JsCast, JsValue};
use worker::{SqlStorage, SqlStorageValue as Sql, Storage};

use super::Database;

/// See the module.
#[derive(Debug)]
pub struct Platform {
    storage: Storage,
    sql: SqlStorage,
}

impl Platform {
    /// The SQLite of this storage.
    pub fn of(storage: Storage) -> Self {
        let sql = storage.sql();
        Self { storage, sql }
    }
}

#[wasm_bindgen]
extern "C" {
    /// A Durable Object's storage; the binding of the platform leaves this method out.
    type Transacts;

    /// Statements that already ran are undone only if the work throws within a transaction:
    /// a statement that throws by itself leaves those before it in place.
    #[wasm_bindgen(method, catch, js_name = transactionSync)]
    fn transaction_sync(
        this: &Transacts,
        work: &mut dyn FnMut() -> Result<(), JsValue>,
    ) -> Result<(), JsValue>;
}

impl Database for Platform {
    fn exec(&self, statements: &str, values: Vec<Sql>) -> worker::Result<Vec<Vec<Sql>>> {
        self.sql.exec(statements, values)?.raw().collect()
    }

    fn transact(&self, work: &mut dyn FnMut() -> worker::Result<()>) -> worker::Result<()> {
        let storage: &Transacts = self.storage.as_raw().unchecked_ref();
        let mut failed = None;
        let done = storage.transaction_sync(&mut || {
            work().map_err(|error| {
                let thrown = Error::new(&error.to_string());
                failed = Some(error);
                thrown.into()
            })
        });
        match failed {
            Some(error) => Err(error),
            None => done.map_err(worker::Error::from),
        }
    }
}
