//! What the cron does to tasks each minute: those whose moment has passed are told of as overdue,
//! once, and those that have taken too long are shown to others. A task's due time ends no wait.

use engine::time::Timestamp;
use serde_json::json;

use crate::clock::now;
use crate::db::{D1, Database, DbError, tasks};
use crate::driver::Site;
use crate::log::{self, Level};

/// The most tasks of one statement.
const SLICE: u32 = 200;
/// The most statements of one minute; what is left waits for the next.
const SLICES_MAX: usize = 10;

/// What one turn did.
#[derive(Debug, Default, PartialEq, Eq)]
struct Turn {
    overdue: usize,
    escalated: usize,
}

/// What the cron does each minute. What fails is done in the next.
pub async fn keep_up(site: &Site) {
    let turned = match site.bindings.database() {
        Ok(database) => turn(&D1::new(database), now()).await.map_err(|error| error.to_string()),
        Err(error) => Err(error.to_string()),
    };
    match turned {
        Ok(Turn { overdue: 0, escalated: 0 }) => {}
        Ok(Turn { overdue, escalated }) => log::write(
            Level::Info,
            json!({ "event": "tasks.late", "overdue": overdue, "escalated": escalated }),
        ),
        Err(error) => {
            log::write(Level::Warn, json!({ "event": "tasks.upkeep_failed", "error": error }));
        }
    }
}

async fn turn(database: &impl Database, now: Timestamp) -> Result<Turn, DbError> {
    let mut turn = Turn::default();
    for _ in 0..SLICES_MAX {
        let late = tasks::note_overdue(database, now, SLICE).await?.len();
        turn.overdue += late;
        if late < SLICE as usize {
            break;
        }
    }
    for _ in 0..SLICES_MAX {
        let shown = tasks::escalate(database, now, SLICE).await?.len();
        turn.escalated += shown;
        if shown < SLICE as usize {
            break;
        }
    }
    Ok(turn)
}
