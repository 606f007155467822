//! Drivers: perform what [`engine::driver`] decides, each within the lifetime that its entry point
//! gives. A driver holds nothing that is not in the journal: it may die at any await.

mod admit;
mod child;
mod drive;
mod lines;
mod post;
mod read;
mod resume;
mod start;
mod sweep;

use std::sync::Arc;

use engine::ids::{ExecutionId, ShardId};

use crate::bindings::Bindings;
use crate::config::Config;
pub use admit::raise;
pub use post::{Post, Posted, post, posted, wait_until_met};
pub use read::{ReadError, Standing, find, records};
pub use resume::consume;
pub use start::{Begun, Handed, Key, Start, StartError, hand_over, record_cache_hit, start};
pub use sweep::{SHARDS, SweptShards, sweep};

/// Where a driver works.
#[derive(Clone)]
pub struct Site {
    /// The bindings of the invocation.
    pub bindings: Bindings,
    /// The configuration.
    pub config: Arc<Config>,
}

impl Site {
    /// A new id, of any journal.
    pub fn draw_id(&self) -> ExecutionId {
        self.new_id(crate::clock::entropy())
    }

    /// A new id, of a journal that `hash` picks.
    fn new_id(&self, hash: u64) -> ExecutionId {
        let shard = ShardId::pick(hash, self.config.journal_shards);
        ExecutionId::new(crate::clock::now(), shard, crate::clock::random())
    }
}
