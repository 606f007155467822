//! Pages of the family's lists: newest first, filtered, each along an index that is in the order of
//! the page already.

use engine::time::Timestamp;
use serde::de::DeserializeOwned;

use super::{models, text};
use crate::db::{Database, DbError, Param, Sql, Statement, iso};

/// The most rows of one page.
pub const PAGE_MAX: u32 = 200;

const BEGINNING_OF_TIME: &str = "";
const END_OF_TIME: &str = "9999-12-31T23:59:59.999Z";

/// Which part of a list is wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Range {
    /// Not before this moment.
    pub from: Option<Timestamp>,
    /// Not after this moment.
    pub to: Option<Timestamp>,
    /// The moment and the key of the row that the page comes after.
    pub after: Option<(String, String)>,
    /// The most rows.
    pub limit: u32,
}

/// A page.
#[derive(Clone, Debug, PartialEq)]
pub struct Page<T> {
    /// The rows, newest first.
    pub rows: Vec<T>,
    /// Whether there are more.
    pub more: bool,
}

/// The statements of one list. Each takes the account, from, to, the moment and the key of the row
/// before, how many rows, and then the filters; the search takes the words after those.
pub struct List {
    /// Along the order of time.
    pub by_time: Sql,
    /// Along a filter: its number and the statement, the rarest first.
    pub by_filter: &'static [(usize, Sql)],
    /// Along the words that are looked for.
    pub by_words: Option<Sql>,
    /// Whether the key is a number.
    pub numbered: bool,
}

impl List {
    /// The statement for a page; `None` where nothing can be found.
    pub fn statement(
        &self,
        account: &str,
        range: &Range,
        filters: &[Param],
        words: Option<&str>,
    ) -> Option<Statement> {
        let led = self.by_filter.iter().find(|(filter, _)| filters[*filter] != Param::Null);
        let along = led.map_or(self.by_time, |(_, sql)| *sql);
        let (at, key) = range.after.clone().unwrap_or((END_OF_TIME.to_owned(), String::new()));
        let key = match (self.numbered, key.parse::<i64>()) {
            (true, number) => Param::Integer(number.unwrap_or(1 << 53)),
            (false, _) if key.is_empty() => Param::Text("~".to_owned()),
            (false, _) => Param::Text(key),
        };
        let statement = match (words, self.by_words) {
            (Some(words), Some(search)) => (search, Some(text::query(account, words)?)),
            (_, _) => (along, None),
        };
        let (sql, words) = statement;
        let base = sql
            .with(account)
            .with(range.from.map_or(BEGINNING_OF_TIME.to_owned(), iso))
            .with(range.to.map_or(END_OF_TIME.to_owned(), iso))
            .with(at)
            .with(key)
            .with(range.limit.clamp(1, PAGE_MAX) + 1);
        let filtered = filters.iter().cloned().fold(base, Statement::with);
        Some(match words {
            Some(words) => filtered.with(words),
            None => filtered,
        })
    }

    /// A page of what `account` has.
    pub async fn page<T: DeserializeOwned>(
        &self,
        db: &impl Database,
        account: &str,
        range: &Range,
        filters: &[Param],
        words: Option<&str>,
    ) -> Result<Page<T>, DbError> {
        let Some(statement) = self.statement(account, range, filters, words) else {
            return Ok(Page { rows: Vec::new(), more: false });
        };
        let sql = statement.sql;
        let mut rows: Vec<T> = models(&db.query(statement).await?, sql)?;
        let limit = range.limit.clamp(1, PAGE_MAX) as usize;
        let more = rows.len() > limit;
        rows.truncate(limit);
        Ok(Page { rows, more })
    }
}

/// The text of a statement along an index: what leads it, then the other filters.
macro_rules! along {
    ($columns:expr, $table:literal, $index:literal, $lead:literal, $filters:expr,
     $time:literal, $key:literal) => {
        concat!(
            "SELECT ",
            $columns,
            " FROM ",
            $table,
            " INDEXED BY ",
            $index,
            " WHERE account_id = ?1 AND ",
            $lead,
            " AND ",
            $filters,
            " AND ",
            $time,
            " >= ?2 AND ",
            $time,
            " <= ?3 AND (",
            $time,
            ", ",
            $key,
            ") < (?4, ?5) ORDER BY ",
            $time,
            " DESC, ",
            $key,
            " DESC LIMIT ?6"
        )
    };
}
pub(super) use along;

/// The text of a search: those that arrived last come first. ?4 is not looked at.
macro_rules! search {
    ($columns:expr, $table:literal, $text:literal, $words:literal, $filters:expr) => {
        concat!(
            "SELECT ",
            $columns,
            " FROM ",
            $text,
            " CROSS JOIN ",
            $table,
            " ON ",
            $table,
            ".seq = ",
            $text,
            ".rowid WHERE ",
            $text,
            " MATCH ",
            $words,
            " AND ",
            $table,
            ".account_id = ?1 AND ",
            $filters,
            " AND timestamp >= ?2 AND timestamp <= ?3 AND ",
            $text,
            ".rowid < CAST(?5 AS INTEGER) AND ?4 IS NOT NULL ORDER BY ",
            $text,
            ".rowid DESC LIMIT ?6"
        )
    };
}
pub(super) use search;
