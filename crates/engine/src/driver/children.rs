//! Executions that steps began: looked at and told again until they are known to know.

use super::{Driver, Effect};
use crate::ids::Fence;
use crate::time::{Millis, Timestamp};

/// When an execution that could not be looked at is looked at again.
pub(super) const LOOK_AGAIN: Millis = Millis::new(500);

impl Driver {
    /// Executions that steps began under a driver that is gone: they are begun if they were not,
    /// and what is not needed any more is called off.
    pub(super) fn look_after_children(&mut self, now: Timestamp) {
        let fences: Vec<Fence> = self.state.children().map(|(fence, _)| fence).collect();
        self.children_again.extend(fences.into_iter().map(|fence| (now, fence)));
        self.due.extend(self.state.abandoned_children().into_iter().map(Effect::CancelChild));
    }

    pub(super) fn look_again(&mut self, now: Timestamp) {
        while let Some((at, child)) = self.telling_again.pop_first() {
            if at > now {
                self.telling_again.insert((at, child));
                break;
            }
            self.due.push(Effect::CancelChild(child));
        }
        while let Some((at, fence)) = self.children_again.first().copied() {
            if at > now {
                return;
            }
            self.children_again.remove(&(at, fence));
            let begun_at = self.state.attempt(fence).map(|(_, attempt)| attempt.started_at);
            let child = begun_at.and_then(|begun_at| self.state.child(fence, begun_at));
            self.due.extend(child.map(|child| Effect::Child(Box::new(child))));
        }
    }

    /// Whether others are looked at or told again before this driver must be done. Whoever comes
    /// after it does so as well.
    pub(super) fn comes_back(&self, now: Timestamp) -> bool {
        let again = !self.children_again.is_empty() || !self.telling_again.is_empty();
        again && now < self.limits.lifetime_end
    }
}
