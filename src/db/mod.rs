//! D1: every SQL statement of the shell, the rows that it reads and writes, and the functions that
//! do so, one file for each family of tables.
//!
//! Each statement stands in a [`statements!`] block, which lists it in [`all_statements`] as well:
//! a test on the host prepares every one against `schema.sql`. Functions take any [`Database`], so
//! that the same code is tested over SQLite; [`D1`] is the one of the shell. Every write may be
//! repeated without harm, because a batch whose answer was lost is sent again.
//!
//! It must not know HTTP, and takes no decision about executions.

mod bins;
mod d1;
mod database;
mod definition;
mod error;
mod paging;
mod projection_counts;
mod retry;
mod row;
mod statement;
mod window;

pub mod accounts;
pub mod agents;
pub mod alerts;
pub mod api_keys;
pub mod archive;
pub mod artifacts;
pub mod audit;
pub mod drafts;
pub mod duties;
pub mod events;
pub mod execution_artifacts;
pub mod executions;
pub mod history;
pub mod insights;
pub mod jobs;
pub mod keyring;
pub mod meta;
pub mod metrics;
pub mod node_health;
pub mod nodes;
pub mod operation;
pub mod policy;
pub mod projection;
pub mod registry;
pub mod registry_figures;
pub mod registry_upkeep;
pub mod revisions;
pub mod rollup_log;
pub mod rollups;
pub mod samples;
pub mod sessions;
pub mod sign_in_attempts;
pub mod stats;
pub mod tasks;
pub mod templates;
pub mod tool_calls;
pub mod tool_search;
pub mod tools;
pub mod users;
pub mod workers;

pub use d1::D1;
pub use database::Database;
pub(crate) use definition::condition;
pub use error::{DbError, DbErrorKind};
pub use paging::{Paging, Sequenced};
pub use row::{Row, Rows, iso};
pub use statement::{Bound, Param, Sql, Statement};

/// Declares SQL statements: a constant for each, and all of them as `STATEMENTS`.
macro_rules! statements {
    ($family:literal: $($(#[$doc:meta])* $name:ident = $text:expr;)+) => {
        $(
            $(#[$doc])*
            pub const $name: $crate::db::Sql = $crate::db::Sql {
                name: concat!($family, ".", stringify!($name)),
                text: $text,
            };
        )+
        /// Every statement of this file.
        pub const STATEMENTS: &[$crate::db::Sql] = &[$($name),+];
    };
}
pub(crate) use statements;

/// Every SQL statement of the shell that goes to D1.
pub fn all_statements() -> Vec<Sql> {
    let (agents, tasks) = (agents::statements(), tasks::statements());
    [
        accounts::STATEMENTS,
        &agents,
        alerts::STATEMENTS,
        api_keys::STATEMENTS,
        archive::STATEMENTS,
        artifacts::STATEMENTS,
        audit::STATEMENTS,
        duties::STATEMENTS,
        drafts::STATEMENTS,
        events::STATEMENTS,
        execution_artifacts::STATEMENTS,
        executions::STATEMENTS,
        history::STATEMENTS,
        insights::STATEMENTS,
        jobs::STATEMENTS,
        jobs::list::STATEMENTS,
        keyring::STATEMENTS,
        meta::STATEMENTS,
        metrics::STATEMENTS,
        node_health::STATEMENTS,
        nodes::STATEMENTS,
        operation::STATEMENTS,
        policy::STATEMENTS,
        projection::STATEMENTS,
        projection_counts::STATEMENTS,
        registry::STATEMENTS,
        registry_figures::STATEMENTS,
        registry_upkeep::STATEMENTS,
        revisions::STATEMENTS,
        rollup_log::STATEMENTS,
        rollup_log::happened::STATEMENTS,
        rollups::STATEMENTS,
        samples::STATEMENTS,
        sessions::STATEMENTS,
        sign_in_attempts::STATEMENTS,
        stats::STATEMENTS,
        &tasks,
        templates::STATEMENTS,
        tool_search::STATEMENTS,
        tools::STATEMENTS,
        tool_calls::STATEMENTS,
        users::STATEMENTS,
        workers::STATEMENTS,
    ]
    .concat()
}
