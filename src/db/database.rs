//! What the functions of the families need of a database.

use std::future::Future;

use super::{DbError, DbErrorKind, Rows, Statement};

/// A database that does statements. Every statement given to it may be repeated without harm.
pub trait Database {
    /// Does the statements in one round trip and one transaction: all of them or none. The rows
    /// come in the order of the statements.
    fn batch(&self, statements: Vec<Statement>)
    -> impl Future<Output = Result<Vec<Rows>, DbError>>;

    /// Does one statement.
    fn query(&self, statement: Statement) -> impl Future<Output = Result<Rows, DbError>> {
        async move {
            let [rows] = self.batch_of([statement]).await?;
            Ok(rows)
        }
    }

    /// Does a known number of statements, and brings as many sets of rows.
    fn batch_of<const N: usize>(
        &self,
        statements: [Statement; N],
    ) -> impl Future<Output = Result<[Rows; N], DbError>> {
        async move {
            let name = statements.first().map_or("", |statement| statement.sql.name);
            let results = self.batch(Vec::from(statements)).await?;
            let found = results.len();
            <[Rows; N]>::try_from(results).map_err(|_| {
                let detail = format!("{found} results for {N} statements");
                DbError::new(DbErrorKind::Malformed, name, detail)
            })
        }
    }
}
