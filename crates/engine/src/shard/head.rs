//! What a shard has in mind of an execution that has not ended.

use super::{ExecutionRow, Phase, Timing};
use crate::ids::{Epoch, InboxSeq, Seq};
use crate::time::Timestamp;

/// See the module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub account: String,
    pub started_at: Timestamp,
    pub epoch: Epoch,
    pub seq: Seq,
    pub parked: bool,
    pub wake_at: Option<Timestamp>,
    pub lease_until: Option<Timestamp>,
    /// Whether the last lease was given back: what its driver sent before that and comes late
    /// must not hold a lease that nobody works under.
    pub released: bool,
    pub hinted_at: Option<Timestamp>,
    pub inbox: InboxSeq,
    pub inbox_seen: InboxSeq,
    /// The place of the last record that was projected.
    pub projected: Seq,
}

impl Head {
    pub fn begun(row: &ExecutionRow, lease_until: Timestamp) -> Self {
        let mut head = Self::loaded(row.clone(), lease_until);
        head.lease_until = Some(lease_until);
        head
    }

    /// An execution that was being driven may still be: its driver gets a grace period. One whose
    /// lease was given back has a moment at which it needs the next.
    pub fn loaded(row: ExecutionRow, grace_until: Timestamp) -> Self {
        let parked = row.phase == Phase::Parked;
        let released = row.wake_at.is_some();
        Self {
            account: row.account,
            started_at: row.started_at,
            epoch: row.epoch,
            seq: row.seq,
            parked,
            wake_at: row.wake_at,
            lease_until: (!released).then_some(grace_until),
            released,
            hinted_at: None,
            inbox: row.inbox,
            inbox_seen: row.inbox_seen,
            projected: Seq::default(),
        }
    }

    pub fn phase(&self) -> Phase {
        if self.parked { Phase::Parked } else { Phase::Active }
    }

    /// Whether a driver with this epoch may go on.
    pub fn is_lease(&self, epoch: Epoch) -> bool {
        self.epoch == epoch && !self.released
    }

    pub fn is_held(&self, now: Timestamp) -> bool {
        self.lease_until.is_some_and(|until| until > now)
    }

    /// Whether somebody should drive it now.
    pub fn needs_driver(&self, now: Timestamp) -> bool {
        let due = !self.parked || self.wake_at.is_some_and(|at| at <= now);
        !self.is_held(now) && (due || self.inbox > self.inbox_seen)
    }

    /// When to look at it next.
    pub fn look_at(&self, timing: &Timing) -> Timestamp {
        let far = Timestamp::from_millis(i64::MAX);
        let again = self.hinted_at.map(|at| at.plus(timing.hint_again));
        let unheard = self.inbox > self.inbox_seen;
        let driver = match (self.lease_until, self.parked && !unheard) {
            (Some(until), _) => until,
            (None, true) => match (again, self.wake_at) {
                (Some(again), Some(wake_at)) => again.max(wake_at),
                (_, wake_at) => wake_at.unwrap_or(far),
            },
            (None, false) => again.unwrap_or(self.started_at),
        };
        if self.projected == Seq::default() {
            driver.min(self.started_at.plus(timing.project_running_after))
        } else {
            driver
        }
    }
}
