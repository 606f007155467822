//! How nodes were found: what the cron asks, notes and concludes. Only nodes in status `ACTIVE` and
//! `ERROR` are its affair; the other statuses are people's.

use engine::time::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Database, DbError, statements};

statements! { "node_health":
    /// The nodes that were asked longest ago, and not since ?1; ?2 is how many.
    DUE = "SELECT node_id, address, status, checks_failed, checks_passed FROM nodes
      WHERE status IN ('ACTIVE', 'ERROR')
        AND (last_health_check IS NULL OR last_health_check < ?1)
      ORDER BY last_health_check, seq LIMIT ?2";

    /// Notes what was found; ?1 is a JSON array, ?2 the moment. A node whose status or address
    /// somebody has changed meanwhile is left alone. It raises no change counter.
    NOTE = "UPDATE nodes SET last_health_check = ?2,
        checks_failed = f.value ->> 'checks_failed', checks_passed = f.value ->> 'checks_passed',
        last_error = f.value ->> 'error'
      FROM json_each(?1) AS f
      WHERE nodes.node_id = f.value ->> 'node_id' AND nodes.status = f.value ->> 'seen'
        AND nodes.address = f.value ->> 'address'";

    /// Moves nodes to another status, on the same conditions.
    MOVE = "UPDATE nodes SET status = f.value ->> 'status'
      FROM json_each(?1) AS f
      WHERE nodes.node_id = f.value ->> 'node_id' AND nodes.status = f.value ->> 'seen'
        AND nodes.address = f.value ->> 'address' AND f.value ->> 'status' <> f.value ->> 'seen'";
}

/// A node that is to be asked.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct DueNode {
    /// The key.
    pub node_id: String,
    /// Where it is reached.
    pub address: String,
    /// `ACTIVE` or `ERROR`.
    pub status: String,
    /// How often in a row it has failed.
    pub checks_failed: u32,
    /// How often in a row it has passed.
    pub checks_passed: u32,
}

/// What was found of a node, and what follows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The node as it was before.
    pub node: DueNode,
    /// How often in a row it has failed now.
    pub checks_failed: u32,
    /// How often in a row it has passed now.
    pub checks_passed: u32,
    /// Its status from now on.
    pub status: &'static str,
    /// What was wrong; `None` when it passed.
    pub error: Option<String>,
}

/// The nodes that were asked longest ago, and not since `before`; at most `most`.
pub async fn due(
    db: &impl Database,
    before: Timestamp,
    most: u32,
) -> Result<Vec<DueNode>, DbError> {
    db.query(DUE.with(before).with(most)).await?.decode()
}

/// Notes what was found, and moves the nodes whose status follows.
pub async fn note(db: &impl Database, found: &[Found], now: Timestamp) -> Result<(), DbError> {
    let row = |found: &Found| {
        json!({
            "node_id": found.node.node_id, "address": found.node.address,
            "seen": found.node.status, "status": found.status,
            "checks_failed": found.checks_failed, "checks_passed": found.checks_passed,
            "error": found.error,
        })
    };
    let rows = Value::Array(found.iter().map(row).collect());
    let moved = found.iter().any(|found| found.status != found.node.status);
    match moved {
        false => drop(db.query(NOTE.with(&rows).with(now)).await?),
        true => drop(db.batch_of([NOTE.with(&rows).with(now), MOVE.with(&rows)]).await?),
    }
    Ok(())
}
