//! Rows as they come back: one JSON object each, decoded into the row structs of the families.

use engine::time::Timestamp;
use serde::de::{DeserializeOwned, Error};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::{DbError, DbErrorKind};

/// A row as JSON text, its columns by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row(pub String);

/// The rows that one statement gave.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rows {
    statement: &'static str,
    rows: Vec<Row>,
}

impl Rows {
    /// The rows of `statement`.
    pub fn new(statement: &'static str, rows: Vec<Row>) -> Self {
        Self { statement, rows }
    }

    /// All rows.
    pub fn decode<T: DeserializeOwned>(&self) -> Result<Vec<T>, DbError> {
        self.rows.iter().map(|row| self.one(row)).collect()
    }

    /// The first row, if there is any.
    pub fn first<T: DeserializeOwned>(&self) -> Result<Option<T>, DbError> {
        self.rows.first().map(|row| self.one(row)).transpose()
    }

    /// How many rows there are.
    pub fn count(&self) -> u32 {
        u32::try_from(self.rows.len()).unwrap_or(u32::MAX)
    }

    fn one<T: DeserializeOwned>(&self, row: &Row) -> Result<T, DbError> {
        let mut text = serde_json::Deserializer::from_str(&row.0);
        serde_path_to_error::deserialize(&mut text).map_err(|error| {
            DbError::new(DbErrorKind::Malformed, self.statement, error.to_string())
        })
    }
}

/// A moment as the database writes it: ISO 8601 UTC with milliseconds, so that text order is time
/// order. A moment beyond the years that have four digits becomes the nearest that has.
pub fn iso(at: Timestamp) -> String {
    const MIN: i64 = -62_167_219_200_000;
    const MAX: i64 = 253_402_300_799_999;
    let moment = chrono::DateTime::from_timestamp_millis(at.as_millis().clamp(MIN, MAX));
    let moment = moment.expect("four-digit years are within chrono's range");
    moment.to_rfc3339_opts(chrono::SecondsFormat::Millis, true)
}

/// A moment from the text of a column; `None` for what people wrote otherwise.
pub(super) fn moment(text: &str) -> Option<Timestamp> {
    let at = chrono::DateTime::parse_from_rfc3339(text).ok()?;
    Some(Timestamp::from_millis(at.timestamp_millis()))
}

/// A flag column: 0 or 1.
pub(super) fn flag<'de, D: Deserializer<'de>>(column: D) -> Result<bool, D::Error> {
    let number = f64::deserialize(column)?;
    if number == 0.0 {
        Ok(false)
    } else if number == 1.0 {
        Ok(true)
    } else {
        Err(D::Error::custom(format!("{number} is no flag: 0 or 1")))
    }
}

/// A column of JSON text.
pub(super) fn json<'de, D, T>(column: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: DeserializeOwned,
{
    let text = String::deserialize(column)?;
    serde_json::from_str(&text).map_err(D::Error::custom)
}

/// A column of JSON text or NULL.
pub(super) fn optional_json<'de, D, T>(column: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: DeserializeOwned,
{
    let text = Option::<String>::deserialize(column)?;
    text.map(|text| serde_json::from_str(&text).map_err(D::Error::custom)).transpose()
}

/// A column that should be JSON text, for showing: what is none comes as a string.
pub(super) fn lenient_json<'de, D: Deserializer<'de>>(
    column: D,
) -> Result<Option<Value>, D::Error> {
    let text = Option::<String>::deserialize(column)?;
    Ok(text.map(|text| serde_json::from_str(&text).unwrap_or(Value::String(text))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, Deserialize)]
    struct Sample {
        #[serde(deserialize_with = "flag")]
        on: bool,
        #[serde(deserialize_with = "json")]
        list: Vec<u8>,
        #[serde(deserialize_with = "optional_json")]
        maybe: Option<Value>,
    }

    fn rows(text: &str) -> Rows {
        Rows::new("tests.ANY", vec![Row(text.to_owned())])
    }

    #[test]
    fn numbers_and_text_become_flags_and_json() {
        for on in ["1", "1.0"] {
            let text = format!(r#"{{"on":{on},"list":"[1,2]","maybe":null}}"#);
            let sample: Sample = rows(&text).first().unwrap().unwrap();
            assert_eq!(sample, Sample { on: true, list: vec![1, 2], maybe: None });
        }
    }

    #[test]
    fn a_row_of_another_shape_names_statement_and_column() {
        let bad = rows(r#"{"on":2,"list":"[]","maybe":null}"#);
        let error = bad.first::<Sample>().expect_err("2 is no flag");
        assert_eq!(error.kind(), DbErrorKind::Malformed);
        assert!(error.detail().starts_with("on: "), "{}", error.detail());
        assert_eq!(error.statement(), "tests.ANY");
    }

    #[test]
    fn moments_keep_their_order_as_text() {
        assert_eq!(iso(Timestamp::from_millis(0)), "1970-01-01T00:00:00.000Z");
        assert_eq!(iso(Timestamp::from_millis(i64::MAX)), "9999-12-31T23:59:59.999Z");
        assert!(iso(Timestamp::from_millis(999)) < iso(Timestamp::from_millis(1000)));
        assert_eq!(
            moment("2023-11-14T22:13:20.123Z").map(Timestamp::as_millis),
            Some(1_700_000_000_123)
        );
        assert_eq!(moment("next week"), None);
    }
}
