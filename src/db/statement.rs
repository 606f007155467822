//! A statement with its parameters, as it is sent to D1.

use engine::money::MicroUsd;
use engine::time::Timestamp;
use serde_json::Value;

use super::{DbError, DbErrorKind, iso};

/// The largest integer that D1 keeps exactly: it carries numbers as doubles.
const INTEGER_MAX: u64 = 1 << 53;
/// The longest text that D1 takes for one parameter.
const TEXT_BYTES_MAX: usize = 2_000_000;

/// SQL text and the name that stands for it in logs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sql {
    /// `<family>.<NAME>`.
    pub name: &'static str,
    /// The text, with parameters `?1`, `?2`, ….
    pub text: &'static str,
}

/// SQL with its parameters.
#[derive(Clone, Debug, PartialEq)]
pub struct Statement {
    /// The SQL.
    pub sql: Sql,
    /// What goes to `?1`, `?2`, ….
    pub params: Vec<Param>,
}

/// A parameter.
#[derive(Clone, Debug, PartialEq)]
pub enum Param {
    /// SQL NULL.
    Null,
    /// A whole number; beyond 2^53 it is refused rather than rounded.
    Integer(i64),
    /// A number; what is not finite is refused.
    Real(f64),
    /// Text, and JSON as text.
    Text(String),
}

/// A parameter as D1 takes it: it has no integers, and SQLite meets every number as REAL. A column
/// with INTEGER affinity makes it whole again; elsewhere the statement must.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Bound<'a> {
    /// SQL NULL.
    Null,
    /// Any number.
    Number(f64),
    /// Text.
    Text(&'a str),
}

impl Sql {
    /// A statement of this SQL without parameters so far.
    pub fn statement(self) -> Statement {
        Statement { sql: self, params: Vec::new() }
    }

    /// A statement with the first parameter.
    pub fn with(self, param: impl Into<Param>) -> Statement {
        self.statement().with(param)
    }
}

impl Statement {
    /// The statement with one more parameter.
    #[must_use]
    pub fn with(mut self, param: impl Into<Param>) -> Self {
        self.params.push(param.into());
        self
    }

    /// The parameters as D1 takes them.
    pub fn bound(&self) -> Result<Vec<Bound<'_>>, DbError> {
        let refuse = |at: usize, why: &str| {
            DbError::new(DbErrorKind::Refused, self.sql.name, format!("?{}: {why}", at + 1))
        };
        let mut bound = Vec::with_capacity(self.params.len());
        for (at, param) in self.params.iter().enumerate() {
            bound.push(match param {
                Param::Null => Bound::Null,
                Param::Integer(n) if n.unsigned_abs() > INTEGER_MAX => {
                    return Err(refuse(at, "an integer beyond 2^53"));
                }
                Param::Integer(n) => Bound::Number(*n as f64),
                Param::Real(x) if !x.is_finite() => {
                    return Err(refuse(at, "a number that is not finite"));
                }
                Param::Real(x) => Bound::Number(*x),
                Param::Text(text) if text.len() > TEXT_BYTES_MAX => {
                    return Err(refuse(at, "a text too long for D1"));
                }
                Param::Text(text) => Bound::Text(text),
            });
        }
        Ok(bound)
    }
}

impl From<i64> for Param {
    fn from(n: i64) -> Self {
        Self::Integer(n)
    }
}

impl From<u32> for Param {
    fn from(n: u32) -> Self {
        Self::Integer(n.into())
    }
}

/// Beyond `i64` it stays too large and is refused when it is bound.
impl From<u64> for Param {
    fn from(n: u64) -> Self {
        Self::Integer(i64::try_from(n).unwrap_or(i64::MAX))
    }
}

impl From<f64> for Param {
    fn from(x: f64) -> Self {
        Self::Real(x)
    }
}

impl From<bool> for Param {
    fn from(flag: bool) -> Self {
        Self::Integer(flag.into())
    }
}

impl From<&str> for Param {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Param {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<&Value> for Param {
    fn from(json: &Value) -> Self {
        Self::Text(json.to_string())
    }
}

impl From<MicroUsd> for Param {
    fn from(amount: MicroUsd) -> Self {
        amount.as_micros().into()
    }
}

impl From<Timestamp> for Param {
    fn from(at: Timestamp) -> Self {
        Self::Text(iso(at))
    }
}

impl<T: Into<Param>> From<Option<T>> for Param {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANY: Sql = Sql { name: "tests.ANY", text: "SELECT ?1" };

    #[test]
    fn what_d1_would_bend_is_refused() {
        let edge = 1_i64 << 53;
        assert_eq!(ANY.with(edge).bound().unwrap(), [Bound::Number(9_007_199_254_740_992.0)]);
        for bad in [
            Param::Integer(edge + 1),
            Param::Integer(i64::MIN),
            Param::from(u64::MAX),
            Param::Real(f64::NAN),
            Param::Real(f64::INFINITY),
            Param::Text("x".repeat(TEXT_BYTES_MAX + 1)),
        ] {
            let error = ANY.with(bad).bound().expect_err("it cannot be bound");
            assert_eq!(error.kind(), DbErrorKind::Refused);
        }
    }

    #[test]
    fn values_become_what_columns_hold() {
        let statement = ANY
            .with(true)
            .with(None::<&str>)
            .with(Some(2_u32))
            .with(&serde_json::json!({"a": [1]}))
            .with(Timestamp::from_millis(1_700_000_000_123));
        let expected = [
            Bound::Number(1.0),
            Bound::Null,
            Bound::Number(2.0),
            Bound::Text(r#"{"a":[1]}"#),
            Bound::Text("2023-11-14T22:13:20.123Z"),
        ];
        assert_eq!(statement.bound().unwrap(), expected);
    }
}
