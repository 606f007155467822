//! What a shard has in hand, for operators. It changes nothing.

use serde::{Deserialize, Serialize};

use super::{Shard, Store};
use crate::time::Timestamp;

/// From this many hints in a row that nobody heard an execution counts as stalled: the first was
/// sent 5 seconds ago or more.
pub const STALLED_HINTS_MIN: u32 = 2;

/// See the module. Executions are those that have not ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Figures {
    /// Executions.
    pub open: u64,
    /// Executions that a driver holds the lease of.
    pub driven: u64,
    /// Executions that wait for a moment or a message.
    pub parked: u64,
    /// Executions that need a driver and have none: a message for each is on its way.
    pub due: u64,
    /// Of those, the ones for which a driver was asked more than once.
    pub stalled: u64,
    /// Messages that no driver has acknowledged.
    pub unheard: u64,
    /// Executions whose projection is behind, ended ones among them, at most.
    pub unprojected: u64,
    /// How many ends the shard has numbered.
    pub ended: u64,
    /// How large its storage is, as whoever keeps it says; 0 where nobody does.
    pub size_bytes: u64,
}

impl Figures {
    /// The figures of two shards together.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self {
            open: self.open + other.open,
            driven: self.driven + other.driven,
            parked: self.parked + other.parked,
            due: self.due + other.due,
            stalled: self.stalled + other.stalled,
            unheard: self.unheard + other.unheard,
            unprojected: self.unprojected + other.unprojected,
            ended: self.ended + other.ended,
            size_bytes: self.size_bytes + other.size_bytes,
        }
    }
}

impl<S: Store> Shard<S> {
    /// What the shard has in hand.
    pub fn figures(&self, now: Timestamp) -> Figures {
        let ends_behind = self.ended.saturating_sub(self.projected);
        let mut figures = Figures {
            open: self.open.len() as u64,
            ended: self.ended,
            unprojected: ends_behind + self.behind.len() as u64,
            ..Figures::default()
        };
        for head in self.open.values() {
            let (held, due) = (head.is_held(now), head.needs_driver(now));
            figures.driven += u64::from(held);
            figures.parked += u64::from(head.parked && !held && !due);
            figures.due += u64::from(due);
            figures.stalled += u64::from(due && head.hints >= STALLED_HINTS_MIN);
            figures.unheard += head.unheard();
        }
        figures
    }
}
