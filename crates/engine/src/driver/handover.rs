//! When a driver gives its lease back, and with which word for the next one.

use super::children::LOOK_AGAIN;
use super::gates::Asking;
use super::record::Append;
use super::{Action, Driver};
use crate::execution::Status;
use crate::time::{Millis, Timestamp};

/// How often the inbox is looked into while a signal, a callback or a child may come.
const LISTEN_EVERY: Millis = Millis::from_secs(2);
/// The longest that a driver stays for an execution that only waits.
const IDLE_MAX: Millis = Millis::from_secs(1);
/// When another driver is needed at once: by any clock, also one that lags behind this driver's.
pub(super) const AT_ONCE: Timestamp = Timestamp::from_millis(0);

impl Driver {
    pub(super) fn is_idle(&self, now: Timestamp) -> bool {
        let asking = self.gates.asking.values().any(|asking| *asking == Asking::InFlight);
        self.unsent.is_empty()
            && self.append == Append::Idle
            && self.calls.is_empty()
            && self.children.is_empty()
            && !self.comes_back(now)
            && self.telling.is_empty()
            && self.due.is_empty()
            && !asking
            && !self.releasing
            && !self.closes
            && self.renewing.is_none()
    }

    /// An execution that waits for somebody's word listens more often.
    pub(super) fn renew_in(&self) -> Millis {
        let listens = self.state.awaits_somebody();
        self.limits.renew_every.min(if listens { LISTEN_EVERY } else { Millis::new(u64::MAX) })
    }

    /// Whether something could start whose gate is not asked, or not any more: it does not fit in
    /// this driver's limits.
    pub(super) fn is_left_unasked(&self, now: Timestamp) -> bool {
        let asks = self.slots() > 0 && self.next_asking().is_some();
        !asks && self.state.has_startable(now)
    }

    /// With nothing in flight: give the lease back when the next thing to do lies beyond this
    /// driver's limits; else wait for it.
    pub(super) fn release(&mut self, now: Timestamp) -> Option<Action> {
        let again = !self.children_again.is_empty() || !self.telling_again.is_empty();
        let wake_at = if again {
            now.plus(LOOK_AGAIN)
        } else if self.could_start(now) || self.is_left_unasked(now) {
            // What fitted in no driver's lifetime must not go round in a hot circle.
            if self.fruitless { now.plus(self.limits.renew_every) } else { AT_ONCE }
        } else {
            let timers = [self.state.next_timer(now), self.next_asking()];
            let next = timers.into_iter().flatten().min().unwrap_or(self.limits.lifetime_end);
            // What only waits is woken by the shard: at its moment, or when something comes.
            let waits = matches!(self.state.status, Status::Waiting | Status::Paused);
            // Whoever came before it had anything to do was woken by a clock that is ahead: given
            // back at once, the lease would go round in a hot circle until the clocks agree.
            let stays = if self.fruitless { self.limits.renew_every } else { IDLE_MAX };
            let soon = next <= now.plus(stays);
            if next < self.limits.lifetime_end && (soon || !waits) {
                return None;
            }
            next
        };
        self.releasing = true;
        Some(Action::Release { epoch: self.epoch, seen: self.seen, wake_at, seq: self.seq })
    }
}
