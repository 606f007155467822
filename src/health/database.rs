//! Whether the database answers and has all migrations: one look, with a limit of time, for
//! whoever tells of it.

use std::collections::BTreeSet;

use engine::time::Millis;

use crate::bindings::{Bindings, Missing};
use crate::clock::now;
use crate::db::{D1, DbError, DbErrorKind, meta};
use crate::within::within;

/// How long the database may take to answer.
pub const LIMIT: Millis = Millis::from_secs(2);

/// What a look at the database came to.
#[derive(Debug)]
pub enum Look {
    /// It is not bound.
    Missing(Missing),
    /// It did not answer within [`LIMIT`].
    Silent,
    /// It answered with an error.
    Failed(DbError),
    /// It lacks these migrations.
    Outdated(Vec<i64>),
    /// It is as it should be, and took so long to say so.
    Current(Millis),
}

/// Looks at the database.
pub async fn look(bindings: &Bindings) -> Look {
    let database = match bindings.database() {
        Ok(database) => D1::new(database),
        Err(missing) => return Look::Missing(missing),
    };
    let began = now();
    match within(LIMIT, meta::versions(&database)).await {
        None => Look::Silent,
        Some(Err(error)) if error.kind() == DbErrorKind::Schema => {
            Look::Outdated(meta::MIGRATIONS.to_vec())
        }
        Some(Err(error)) => Look::Failed(error),
        Some(Ok(applied)) => match lacking(&applied) {
            lacking if lacking.is_empty() => Look::Current(now().since(began)),
            lacking => Look::Outdated(lacking),
        },
    }
}

/// The migrations that were not applied, in one sentence.
pub fn sentence(lacking: &[i64]) -> String {
    let numbers: Vec<String> = lacking.iter().map(|number| format!("{number:04}")).collect();
    match numbers.as_slice() {
        [one] => format!("The migration {one} is not applied to the database"),
        many => format!("The migrations {} are not applied to the database", many.join(", ")),
    }
}

fn lacking(applied: &[i64]) -> Vec<i64> {
    let applied: BTreeSet<i64> = applied.iter().copied().collect();
    meta::MIGRATIONS.iter().copied().filter(|number| !applied.contains(number)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_migration_that_is_missing_is_named_by_its_number() {
        let all = meta::MIGRATIONS;
        assert!(all.len() >= 4 && all.is_sorted() && all.contains(&1));
        assert_eq!(lacking(all), Vec::<i64>::new());
        let without: Vec<i64> = all.iter().copied().filter(|n| ![2, 4].contains(n)).collect();
        assert_eq!(lacking(&without), [2, 4], "a gap counts, whatever came after it");
        assert_eq!(sentence(&[4]), "The migration 0004 is not applied to the database");
        let many = "The migrations 0002, 0004 are not applied to the database";
        assert_eq!(sentence(&[2, 4]), many);
    }
}
