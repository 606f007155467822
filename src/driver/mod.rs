//! Drivers: perform what [`engine::driver`] decides, each within the lifetime that its entry point
//! gives. A driver holds nothing that is not in the journal: it may die at any await.

mod admit;
mod child;
mod drive;
mod post;
mod read;
mod resume;
mod start;

use std::sync::Arc;

use engine::ids::{ExecutionId, ShardId};
use futures::future::join_all;
use serde_json::json;

use crate::bindings::Bindings;
use crate::config::Config;
use crate::journal::client::{self, JournalError};
use crate::log::{self, Level};
pub use admit::raise;
pub use post::{Post, Posted, post, posted, wait_until_met};
pub use read::{ReadError, Standing, find, records};
pub use resume::consume;
pub use start::{Begun, Key, Start, StartError, record_cache_hit, start};

/// Where a driver works.
#[derive(Clone)]
pub struct Site {
    /// The bindings of the invocation.
    pub bindings: Bindings,
    /// The configuration.
    pub config: Arc<Config>,
}

impl Site {
    /// A new id, of a journal that `hash` picks.
    fn new_id(&self, hash: u64) -> ExecutionId {
        let shard = ShardId::pick(hash, self.config.journal_shards);
        ExecutionId::new(crate::clock::now(), shard, crate::clock::random())
    }
}

/// Shards that are visited at once.
const SWEEP_AT_ONCE: usize = 4;

/// Visits every shard: what is overdue wakes, what is old goes. An alarm that was lost is set anew.
pub async fn sweep(site: &Site) {
    let shards: Vec<u16> = (0..site.config.journal_shards).collect();
    for slice in shards.chunks(SWEEP_AT_ONCE) {
        let visits = slice.iter().map(|shard| visit(site, ShardId(*shard)));
        for (shard, visited) in slice.iter().zip(join_all(visits).await) {
            if let Err(error) = visited {
                log::write(
                    Level::Error,
                    json!({
                        "event": "journal.sweep_failed", "shard": shard, "error": error.to_string(),
                    }),
                );
            }
        }
    }
}

async fn visit(site: &Site, shard: ShardId) -> Result<(), JournalError> {
    let request = engine::shard::Request::Sweep;
    client::ask_shard(&site.bindings, shard, &request, None).await.map(drop)
}
