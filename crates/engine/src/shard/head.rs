//! What a shard has in mind of an execution that has not ended.

use super::{ExecutionRow, Phase, Timing};
use crate::ids::{Epoch, ExecutionId, InboxSeq, Seq};
use crate::time::{Millis, Timestamp};

const AT_ONCE: Timestamp = Timestamp::from_millis(0);
const NEVER: Timestamp = Timestamp::from_millis(i64::MAX);

/// How often the pause before the same hint is sent again doubles: from 5 s to 80 s.
pub const HINT_DOUBLINGS_MAX: u32 = 4;

/// See the module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub account: String,
    pub parent: Option<ExecutionId>,
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
    /// Hints in a row that no driver has heard.
    pub hints: u32,
    pub inbox: InboxSeq,
    pub inbox_seen: InboxSeq,
    /// The place of the last record that was projected.
    pub projected: Seq,
    /// Whether its projection is kept up while it goes on.
    pub shown: bool,
    /// Where it stands among the shard's timers.
    pub timer: Option<Timestamp>,
}

impl Head {
    /// An execution that was being driven may still be: its driver gets a grace period. One whose
    /// lease was given back has a moment at which it needs the next.
    pub fn loaded(row: ExecutionRow, grace_until: Timestamp) -> Self {
        let parked = row.phase == Phase::Parked;
        let released = row.wake_at.is_some();
        Self {
            account: row.account,
            parent: row.parent,
            started_at: row.started_at,
            epoch: row.epoch,
            seq: row.seq,
            parked,
            wake_at: row.wake_at.filter(|_| parked),
            lease_until: (!released).then_some(grace_until),
            released,
            hinted_at: None,
            hints: 0,
            inbox: row.inbox,
            inbox_seen: row.inbox_seen,
            projected: row.projected,
            shown: row.projected > Seq::default(),
            timer: None,
        }
    }

    /// What its row reads when its last record is in place `seq`.
    pub fn row(&self, id: &ExecutionId, seq: Seq) -> ExecutionRow {
        ExecutionRow {
            id: id.clone(),
            account: self.account.clone(),
            parent: self.parent.clone(),
            started_at: self.started_at,
            epoch: self.epoch,
            phase: if self.parked { Phase::Parked } else { Phase::Active },
            wake_at: self.wake_at,
            seq,
            inbox: self.inbox,
            inbox_seen: self.inbox_seen,
            projected: self.projected,
        }
    }

    /// Whether a driver with this epoch may go on.
    pub fn is_lease(&self, epoch: Epoch) -> bool {
        self.epoch == epoch && !self.released
    }

    pub fn is_held(&self, now: Timestamp) -> bool {
        self.lease_until.is_some_and(|until| until > now)
    }

    /// How many entries no driver has acknowledged.
    pub fn unheard(&self) -> u64 {
        self.inbox.0.saturating_sub(self.inbox_seen.0)
    }

    /// What is acknowledged after a driver said how far it has met the inbox.
    pub fn seen(&self, seen: InboxSeq) -> InboxSeq {
        self.inbox_seen.max(seen.min(self.inbox))
    }

    /// When a hint that nobody has heard is sent again: later each time, so that a queue which
    /// is slow is not flooded with what already stands in it.
    pub fn hint_again_at(&self, timing: &Timing) -> Option<Timestamp> {
        let doublings = self.hints.saturating_sub(1).min(HINT_DOUBLINGS_MAX);
        let pause = Millis::new(timing.hint_again.get() << doublings);
        self.hinted_at.map(|at| at.plus(pause))
    }

    /// Whether somebody should drive it now.
    pub fn needs_driver(&self, now: Timestamp) -> bool {
        let due = !self.parked || self.wake_at.is_some_and(|at| at <= now);
        !self.is_held(now) && (due || self.unheard() > 0)
    }

    /// Whether the projection lacks what the journal holds.
    pub fn is_behind(&self) -> bool {
        self.shown && self.projected < self.seq
    }

    /// When to look at it next; `None` while only a request can change anything.
    pub fn look_at(&self, timing: &Timing) -> Option<Timestamp> {
        let again = self.hint_again_at(timing).unwrap_or(AT_ONCE);
        let driver = match (self.lease_until, self.parked && self.unheard() == 0) {
            (Some(until), _) => until,
            (None, true) => self.wake_at.map_or(NEVER, |wake_at| wake_at.max(again)),
            (None, false) => again,
        };
        let show = self.started_at.plus(timing.project_running_after);
        let at = if self.shown { driver } else { driver.min(show) };
        (at < NEVER).then_some(at)
    }
}
