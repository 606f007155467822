//! What can go wrong between the shell and D1, sorted by what to do about it.

use std::fmt;

/// What D1 says when the same call may succeed in a moment (its own list of errors, "retry the
/// operation"), besides SQLite's own busy states.
const TRANSIENT: [&str; 9] = [
    "reset because its code was updated",
    "storage caused object to be reset",
    "Network connection lost",
    "Replica disconnected from primary",
    "transient issue on remote node",
    "client disconnected",
    "SQLITE_BUSY",
    "SQLITE_LOCKED",
    "database is locked",
];
/// What it says of a statement or value that it cannot take, however often it is asked.
const REFUSED: [&str; 7] = [
    "D1_TYPE_ERROR",
    "syntax error",
    "malformed JSON",
    "SQLITE_ERROR",
    "SQLITE_MISMATCH",
    "SQLITE_TOOBIG",
    "datatype mismatch",
];
/// What it says when it has too much to do: not to be asked again at once, and not our mistake.
const OVERLOADED: [&str; 4] =
    ["D1 DB is overloaded", "exceeded timeout", "exceeded its CPU time limit", "memory limit"];

/// An error of the database. Its `Display` names the statement and never what SQLite said, which
/// may quote SQL or values: that is [`DbError::detail`], for the log alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DbError {
    kind: DbErrorKind,
    statement: &'static str,
    detail: String,
}

/// What to do about an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DbErrorKind {
    /// The database did not answer; the same call may succeed later, and is worth a retry.
    Unavailable,
    /// It has more to do than it can; the same call may succeed much later.
    Overloaded,
    /// A constraint refused the rows.
    Constraint,
    /// A table or column is missing: the database was not migrated.
    Schema,
    /// A row does not have the shape that the code expects.
    Malformed,
    /// The statement or a parameter is not acceptable.
    Refused,
}

impl DbErrorKind {
    /// Every kind.
    pub const ALL: [Self; 6] = [
        Self::Unavailable,
        Self::Overloaded,
        Self::Constraint,
        Self::Schema,
        Self::Malformed,
        Self::Refused,
    ];

    /// The word in metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unavailable => "unavailable",
            Self::Overloaded => "overloaded",
            Self::Constraint => "constraint",
            Self::Schema => "schema",
            Self::Malformed => "malformed",
            Self::Refused => "refused",
        }
    }
}

impl DbError {
    /// An error of `statement`.
    pub fn new(kind: DbErrorKind, statement: &'static str, detail: impl Into<String>) -> Self {
        Self { kind, statement, detail: detail.into() }
    }

    /// An error of `statement`, sorted by what the database said. What it has never said before is
    /// taken for an outage: every statement may be repeated, and one that can never be done is
    /// found by the tests.
    pub fn from_text(statement: &'static str, said: impl Into<String>) -> Self {
        let said = said.into();
        let any = |texts: &[&str]| texts.iter().any(|text| said.contains(text));
        let kind = if any(&TRANSIENT) {
            DbErrorKind::Unavailable
        } else if any(&OVERLOADED) {
            DbErrorKind::Overloaded
        } else if any(&["constraint failed", "SQLITE_CONSTRAINT", "FOREIGN KEY mismatch"]) {
            DbErrorKind::Constraint
        } else if any(&["no such table", "no such column", "has no column named"]) {
            DbErrorKind::Schema
        } else if any(&REFUSED) {
            DbErrorKind::Refused
        } else {
            DbErrorKind::Unavailable
        };
        Self { kind, statement, detail: said }
    }

    /// What to do about it.
    pub fn kind(&self) -> DbErrorKind {
        self.kind
    }

    /// The statement's name.
    pub fn statement(&self) -> &'static str {
        self.statement
    }

    /// What the database said, for the log: it may quote SQL and values.
    pub fn detail(&self) -> &str {
        &self.detail
    }

    /// Whether the database could not be reached or is too busy: what is asked may be right.
    pub fn is_outage(&self) -> bool {
        matches!(self.kind, DbErrorKind::Unavailable | DbErrorKind::Overloaded)
    }
}

impl fmt::Display for DbError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.kind {
            DbErrorKind::Unavailable => "the database did not answer",
            DbErrorKind::Overloaded => "the database is overloaded",
            DbErrorKind::Constraint => "the database refused the rows",
            DbErrorKind::Schema => "the database lacks a table or column",
            DbErrorKind::Malformed => "a row of the database has another shape than expected",
            DbErrorKind::Refused => "the database refused the statement",
        };
        write!(f, "{what} ({})", self.statement)
    }
}

impl std::error::Error for DbError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_sorted_by_what_to_do() {
        for (said, kind) in [
            ("D1_ERROR: Network connection lost.", DbErrorKind::Unavailable),
            (
                "D1_ERROR: Internal error in D1 DB storage caused object to be reset.",
                DbErrorKind::Unavailable,
            ),
            ("D1_ERROR: D1 DB reset because its code was updated.", DbErrorKind::Unavailable),
            ("D1_ERROR: D1 DB is overloaded. Too many requests queued.", DbErrorKind::Overloaded),
            (
                "D1 DB storage operation exceeded timeout which caused object to be reset.",
                DbErrorKind::Overloaded,
            ),
            ("D1_ERROR: UNIQUE constraint failed: u.a: SQLITE_CONSTRAINT", DbErrorKind::Constraint),
            ("D1_ERROR: no such table: x: SQLITE_ERROR", DbErrorKind::Schema),
            ("D1_TYPE_ERROR: Type 'bigint' not supported", DbErrorKind::Refused),
            ("D1_ERROR: not authorized to use function: x: SQLITE_ERROR", DbErrorKind::Refused),
            ("internal error; reference = 0abc", DbErrorKind::Unavailable),
        ] {
            assert_eq!(DbError::from_text("tests.ANY", said).kind(), kind, "{said}");
        }
    }

    #[test]
    fn what_the_database_said_stays_out_of_the_message() {
        let error = DbError::from_text("tests.ANY", "UNIQUE constraint failed: api_keys.key_hash");
        assert_eq!(error.to_string(), "the database refused the rows (tests.ANY)");
        assert!(error.detail().contains("key_hash"));
    }
}
