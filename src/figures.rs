//! The figures, kept up to date: what projections noted is added, what is too fine for its age
//! goes.

use engine::time::Timestamp;
use serde_json::json;

use crate::clock::now;
use crate::db::{D1, Database, DbError, rollup_log};
use crate::driver::Site;
use crate::log::{self, Level};

/// The most rounds of one minute's turn; each adds what up to 200 projections noted.
const ROUNDS_MAX: usize = 50;
/// The most rounds of a reader, who wants what has just ended as well.
const READER_ROUNDS_MAX: usize = 3;
/// The minute of each hour in which figures that are too fine for their age go.
const PRUNING_MINUTE: i64 = 13;

/// What the cron does each minute. What fails is done in the next.
pub async fn keep_up(site: &Site) {
    let database = match site.bindings.database() {
        Ok(database) => D1::new(database),
        Err(error) => return failed(&error.to_string()),
    };
    if let Err(error) = turn(&database, now()).await {
        failed(&error.to_string());
    }
}

/// Brings the figures up to now for a reader; should there be more than fits, or the database not
/// take it, the reader sees what the last minute knew.
pub async fn refresh(database: &impl Database) {
    match rollup_log::fold(database, READER_ROUNDS_MAX).await {
        Ok(folded) => report(folded),
        Err(error) => failed(&error.to_string()),
    }
}

async fn turn(database: &impl Database, now: Timestamp) -> Result<(), DbError> {
    report(rollup_log::fold(database, ROUNDS_MAX).await?);
    if now.as_millis() / 60_000 % 60 == PRUNING_MINUTE {
        rollup_log::prune(database, now).await?;
    }
    Ok(())
}

fn report(folded: rollup_log::Folded) {
    if folded.unreadable > 0 {
        let entries = folded.unreadable;
        log::write(Level::Error, json!({ "event": "figures.unreadable", "entries": entries }));
    }
}

fn failed(error: &str) {
    log::write(Level::Warn, json!({ "event": "figures.fold_failed", "error": error }));
}
