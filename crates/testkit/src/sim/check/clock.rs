//! The active time of an execution, counted from its events.

use engine::time::{Millis, Timestamp};

use super::Checked;

/// See the module.
#[derive(Debug, Default)]
pub struct Clock {
    deadline: Millis,
    since: Timestamp,
    before: Millis,
    /// Whether it is active: neither paused nor waiting.
    pub runs: bool,
}

impl Clock {
    pub fn start(&mut self, at: Timestamp, deadline: Millis) {
        *self = Self { deadline, since: at, before: Millis::ZERO, runs: true };
    }

    /// Its time is given back to it, whole.
    pub fn restart(&mut self, at: Timestamp) {
        self.start(at, self.deadline);
    }

    pub fn stop(&mut self, at: Timestamp) {
        if self.runs {
            self.before = self.before.plus(at.since(self.since));
        }
        (self.since, self.runs) = (at, false);
    }

    pub fn go_on(&mut self, at: Timestamp) {
        (self.since, self.runs) = (at, true);
    }

    /// Nothing begins while time stands still, and nothing that would outlive the deadline.
    pub fn may_begin(&self, path: &str, deadline_at: Option<Timestamp>) -> Checked {
        if !self.runs {
            return Err(format!("`{path}` begins while nothing may"));
        }
        let end = self.since.plus(self.deadline.minus(self.before));
        match deadline_at {
            Some(at) if at > end => Err(format!("`{path}` may take until {at:?}; {end:?} is all")),
            _ => Ok(()),
        }
    }
}
