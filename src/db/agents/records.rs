//! What the tables of records have in common: they only grow, are paged through newest first, and
//! take a summary later, once.

use std::marker::PhantomData;

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::page::List;
use super::{Page, Range, models};
use crate::db::{Database, DbError, Param, Sql, Statement};

/// Which rows of a table are meant.
pub trait Filter {
    /// What the statements of its list take, in their order; what is `NULL` filters nothing.
    fn params(&self) -> Vec<Param>;
}

/// One table of records: rows of `T`, of which `F` says which are meant.
pub struct Records<F, T> {
    /// Its pages.
    pub(super) list: List,
    /// One of them: takes the id and the account.
    pub(super) by_id: Sql,
    /// New ones: takes an array of documents, with an id and a moment each, and the account.
    pub(super) append: Sql,
    /// A summary for one that has none: takes the id, the account and the summary.
    pub(super) summarise: Sql,
    pub(super) rows: PhantomData<fn(&F) -> T>,
}

impl<F: Filter, T: DeserializeOwned> Records<F, T> {
    /// A page, newest first; with `words`, of those in which all of them stand.
    pub async fn page(
        &self,
        db: &impl Database,
        account: &str,
        filter: &F,
        range: &Range,
        words: Option<&str>,
    ) -> Result<Page<T>, DbError> {
        self.list.page(db, account, range, &filter.params(), words).await
    }

    /// The statement of a page; `None` where nothing can be found.
    pub fn page_statement(
        &self,
        account: &str,
        filter: &F,
        range: &Range,
        words: Option<&str>,
    ) -> Option<Statement> {
        self.list.statement(account, range, &filter.params(), words)
    }

    /// The one with this id.
    pub async fn find(
        &self,
        db: &impl Database,
        account: &str,
        id: &str,
    ) -> Result<Option<T>, DbError> {
        let rows = db.query(self.of_id(account, id)).await?;
        Ok(models(&rows, self.by_id)?.pop())
    }

    /// Appends the entries, documents with an id and a moment each: all, or none. How many are new:
    /// what is there already under its id stays as it is.
    pub async fn append(
        &self,
        db: &impl Database,
        account: &str,
        entries: &Value,
    ) -> Result<u64, DbError> {
        let added = db.query(self.appending(account, entries)).await?;
        Ok(added.decode::<Value>()?.len() as u64)
    }

    /// Records one; `None` where it names an agent that the account has not. What is there already
    /// under its id stays as it is.
    pub async fn add(
        &self,
        db: &impl Database,
        account: &str,
        document: &Value,
    ) -> Result<Option<T>, DbError> {
        let entries = Value::Array(vec![document.clone()]);
        let id = document["id"].as_str().unwrap_or_default();
        let adding = self.appending(account, &entries);
        let [_, rows] = db.batch_of([adding, self.of_id(account, id)]).await?;
        Ok(models(&rows, self.by_id)?.pop())
    }

    /// Adds a summary to the one with this id, unless it has one; as it is now.
    pub async fn summarise(
        &self,
        db: &impl Database,
        account: &str,
        id: &str,
        summary: &str,
    ) -> Result<Option<T>, DbError> {
        let adding = self.summarise.with(id).with(account).with(summary);
        let [_, rows] = db.batch_of([adding, self.of_id(account, id)]).await?;
        Ok(models(&rows, self.by_id)?.pop())
    }

    pub(super) fn appending(&self, account: &str, entries: &Value) -> Statement {
        self.append.with(entries).with(account)
    }

    fn of_id(&self, account: &str, id: &str) -> Statement {
        self.by_id.with(id).with(account)
    }
}
