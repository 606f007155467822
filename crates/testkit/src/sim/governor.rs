//! The Governor of the one account, and a model of it that the checks are made against.

use std::collections::BTreeMap;

use engine::admission::{Admission, PLACE_LEASE, Reply, Request};
use engine::ids::ExecutionId;
use engine::time::Timestamp;

/// See the module.
#[derive(Debug, Default)]
pub struct Governor {
    places: Admission,
    /// Until when a place is known to be taken.
    taken: BTreeMap<ExecutionId, Timestamp>,
}

impl Governor {
    /// Asks for a place. Too many is an error.
    pub fn admit(&mut self, now: Timestamp, id: &ExecutionId, limit: u32) -> Result<Reply, String> {
        let reply = self.places.handle(now, Request::Admit { id: id.clone(), limit });
        let others = self.taken.iter().filter(|(of, until)| *of != id && **until > now).count();
        match reply {
            Reply::Granted => {
                self.taken.insert(id.clone(), now.plus(PLACE_LEASE));
                if others >= limit as usize {
                    return Err(format!("{id} got a place though {others} of {limit} are taken"));
                }
            }
            Reply::Refused { .. } if others < limit as usize => {
                return Err(format!("{id} got no place though {others} of {limit} are taken"));
            }
            Reply::Refused { .. } | Reply::Left => {}
        }
        Ok(reply)
    }

    pub fn keep(&mut self, now: Timestamp, id: &ExecutionId) {
        self.places.handle(now, Request::Keep { id: id.clone() });
        self.taken.insert(id.clone(), now.plus(PLACE_LEASE));
    }

    pub fn leave(&mut self, now: Timestamp, id: &ExecutionId) {
        self.places.handle(now, Request::Leave { id: id.clone() });
        self.taken.remove(id);
    }

    /// Places live in memory: a restart forgets them.
    pub fn restart(&mut self) {
        *self = Self::default();
    }
}
