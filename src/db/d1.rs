//! D1 itself: the only place that calls it.
//!
//! Its traps, met here once: it has no 64-bit integers, `undefined` is not NULL, the `Display` of
//! its error panics, and `all()` hides what kind of error it met. So parameters go through
//! [`Statement::bound`], everything is done by `batch`, and errors are read by their message.

use std::time::Duration;

use serde::Deserialize;
use worker::d1::{D1Database, D1PreparedStatement, D1Result, serde_wasm_bindgen};
use worker::wasm_bindgen::JsValue;
use worker::{Delay, js_sys};

use super::retry::retrying;
use super::{Bound, Database, DbError, DbErrorKind, Row, Rows, Statement, meta};
use crate::counts;

/// The most statements of one batch.
const STATEMENTS_MAX: usize = 100;

/// The D1 database of the shell.
#[derive(Debug)]
pub struct D1(D1Database);

/// A row, left in JavaScript.
#[derive(Deserialize)]
struct Raw(#[serde(with = "serde_wasm_bindgen::preserve")] JsValue);

impl D1 {
    /// The database behind a binding.
    pub fn new(database: D1Database) -> Self {
        Self(database)
    }

    /// How large the database is; `None` where it does not say.
    pub async fn size_bytes(&self) -> Option<u64> {
        let asked = self.prepare(&meta::VERSIONS.statement()).ok()?.all().await.ok()?;
        let size = asked.meta().ok().flatten()?.size_after?;
        u64::try_from(size).ok()
    }

    async fn attempt(&self, statements: &[Statement]) -> Result<Vec<Rows>, DbError> {
        let name = statements.first().map_or("", |statement| statement.sql.name);
        let prepared = statements.iter().map(|statement| self.prepare(statement));
        let prepared = prepared.collect::<Result<Vec<_>, _>>()?;
        let results = self.0.batch(prepared).await.map_err(|error| {
            let error = read(name, &error);
            counts::d1_error(error.kind());
            error
        })?;
        statements.iter().zip(&results).map(|(statement, result)| rows(statement, result)).collect()
    }

    fn prepare(&self, statement: &Statement) -> Result<D1PreparedStatement, DbError> {
        let name = statement.sql.name;
        let values: Vec<JsValue> = statement.bound()?.into_iter().map(js_value).collect();
        let prepared = self.0.prepare(statement.sql.text);
        if values.is_empty() {
            return Ok(prepared);
        }
        prepared.bind(&values).map_err(|error| read(name, &error))
    }
}

impl Database for D1 {
    async fn batch(&self, statements: Vec<Statement>) -> Result<Vec<Rows>, DbError> {
        if statements.is_empty() {
            return Ok(Vec::new());
        }
        if statements.len() > STATEMENTS_MAX {
            let detail = format!("{} statements in one batch", statements.len());
            return Err(DbError::new(DbErrorKind::Refused, statements[0].sql.name, detail));
        }
        let pause = async |ms| Delay::from(Duration::from_millis(ms)).await;
        retrying(async || self.attempt(&statements).await, pause, js_sys::Math::random).await
    }
}

fn js_value(bound: Bound<'_>) -> JsValue {
    match bound {
        Bound::Null => JsValue::NULL,
        Bound::Number(number) => JsValue::from_f64(number),
        Bound::Text(text) => JsValue::from_str(text),
    }
}

/// The rows as JSON text: one crossing for a row, where reading it field by field takes several
/// for each column.
fn rows(statement: &Statement, result: &D1Result) -> Result<Rows, DbError> {
    let name = statement.sql.name;
    let malformed = |what: &str| DbError::new(DbErrorKind::Malformed, name, what);
    let raw: Vec<Raw> = result.results().map_err(|error| read(name, &error))?;
    let text = |Raw(row): Raw| {
        let text = js_sys::JSON::stringify(&row).map_err(|_| malformed("a row is no JSON"))?;
        text.as_string().map(Row).ok_or_else(|| malformed("a row is no text"))
    };
    Ok(Rows::new(name, raw.into_iter().map(text).collect::<Result<_, _>>()?))
}

fn read(name: &'static str, error: &worker::Error) -> DbError {
    let said = match error {
        worker::Error::D1(error) => {
            let outer: &js_sys::Error = error.as_ref();
            format!("{} ({})", String::from(outer.message()), error.cause())
        }
        other => other.to_string(),
    };
    DbError::from_text(name, said)
}
