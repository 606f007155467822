//! Admission: how many executions of an account are driven at the same time.
//!
//! A place is a lease. It is asked for before an execution starts, renewed by its driver, given
//! back at the end or while the execution waits, and taken back unrefused by the driver that goes
//! on. Places live in memory: after a restart of the Governor the drivers' renewals fill them in
//! again, so for one renewal interval more executions may be admitted than the limit says. What
//! must never be exceeded, money, is not kept here.

pub mod protocol;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::ids::ExecutionId;
use crate::time::{Millis, Timestamp};

/// How long a place lasts without a renewal.
pub const PLACE_LEASE: Millis = Millis::from_secs(30);
/// The bounds of what a refused caller is told to wait.
const RETRY_AFTER_MIN: Millis = Millis::from_secs(1);
const RETRY_AFTER_MAX: Millis = Millis::from_secs(30);

/// What is asked of the Governor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "snake_case")]
pub enum Request {
    /// A place for an execution that is about to start.
    Admit {
        /// The execution.
        id: ExecutionId,
        /// The most places of the account.
        limit: u32,
    },
    /// The place of an execution that goes on: kept, or taken back.
    Keep {
        /// The execution.
        id: ExecutionId,
    },
    /// The place is free.
    Leave {
        /// The execution.
        id: ExecutionId,
    },
}

/// What the Governor answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "reply", rename_all = "snake_case")]
pub enum Reply {
    /// The place is the execution's.
    Granted,
    /// All places are taken.
    Refused {
        /// When it is worth asking again.
        retry_after: Millis,
        /// How many places are taken.
        taken: u32,
    },
    /// The place is free.
    Left,
}

/// The places of one account.
#[derive(Clone, Debug, Default)]
pub struct Admission {
    places: BTreeMap<ExecutionId, Place>,
    /// How long places are held, as a moving average.
    held: Option<Millis>,
}

#[derive(Clone, Copy, Debug)]
struct Place {
    since: Timestamp,
    until: Timestamp,
}

impl Admission {
    /// Answers a request.
    pub fn handle(&mut self, now: Timestamp, request: Request) -> Reply {
        match request {
            Request::Admit { id, limit } => self.admit(now, id, limit),
            Request::Keep { id } => {
                self.grant(now, id);
                Reply::Granted
            }
            Request::Leave { id } => {
                self.leave(now, &id);
                Reply::Left
            }
        }
    }

    /// How many places are taken.
    pub fn taken(&self) -> usize {
        self.places.len()
    }

    fn admit(&mut self, now: Timestamp, id: ExecutionId, limit: u32) -> Reply {
        if self.places.len() >= limit as usize {
            self.places.retain(|_, place| place.until > now);
        }
        let taken = u32::try_from(self.places.len()).unwrap_or(u32::MAX);
        if taken >= limit && !self.places.contains_key(&id) {
            return Reply::Refused { retry_after: self.retry_after(limit), taken };
        }
        self.grant(now, id);
        Reply::Granted
    }

    fn grant(&mut self, now: Timestamp, id: ExecutionId) {
        let until = now.plus(PLACE_LEASE);
        let place = self.places.entry(id).or_insert(Place { since: now, until });
        place.until = until;
    }

    fn leave(&mut self, now: Timestamp, id: &ExecutionId) {
        if let Some(place) = self.places.remove(id) {
            let held = now.since(place.since);
            let mean =
                self.held.map_or(held, |mean| Millis::new((mean.get() * 7 + held.get()) / 8));
            self.held = Some(mean);
        }
    }

    /// With n places held for t each, one becomes free every t/n.
    fn retry_after(&self, limit: u32) -> Millis {
        let held = self.held.map_or(0, Millis::get);
        let next = Millis::new(held / u64::from(limit.max(1)));
        next.clamp(RETRY_AFTER_MIN, RETRY_AFTER_MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::ShardId;

    fn id(n: u128) -> ExecutionId {
        ExecutionId::new(at(0), ShardId(0), n)
    }

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_millis(ms)
    }

    fn admit(places: &mut Admission, ms: i64, n: u128) -> Reply {
        places.handle(at(ms), Request::Admit { id: id(n), limit: 2 })
    }

    #[test]
    fn no_more_than_the_limit_are_admitted_until_one_leaves() {
        let mut places = Admission::default();
        assert_eq!(admit(&mut places, 0, 1), Reply::Granted);
        assert_eq!(admit(&mut places, 0, 2), Reply::Granted);
        let retry_after = Millis::from_secs(1);
        assert_eq!(admit(&mut places, 0, 3), Reply::Refused { retry_after, taken: 2 });
        assert_eq!(admit(&mut places, 0, 2), Reply::Granted, "a repeated request has its place");
        places.handle(at(5), Request::Leave { id: id(1) });
        assert_eq!(admit(&mut places, 6, 3), Reply::Granted);
    }

    #[test]
    fn a_place_that_nobody_renews_runs_out_and_a_renewed_one_does_not() {
        let mut places = Admission::default();
        admit(&mut places, 0, 1);
        admit(&mut places, 0, 2);
        places.handle(at(20_000), Request::Keep { id: id(2) });
        assert_eq!(admit(&mut places, 30_000, 3), Reply::Granted);
        assert!(matches!(admit(&mut places, 30_001, 4), Reply::Refused { .. }));
    }

    #[test]
    fn who_goes_on_is_never_refused() {
        let mut places = Admission::default();
        admit(&mut places, 0, 1);
        admit(&mut places, 0, 2);
        assert_eq!(places.handle(at(1), Request::Keep { id: id(3) }), Reply::Granted);
        assert_eq!(places.taken(), 3);
    }

    #[test]
    fn a_refused_caller_is_told_how_long_places_are_held() {
        let mut places = Admission::default();
        for n in 1..=40 {
            admit(&mut places, i64::try_from(n).unwrap(), n);
            places.handle(at(i64::try_from(n).unwrap() + 20_000), Request::Leave { id: id(n) });
        }
        admit(&mut places, 0, 100);
        admit(&mut places, 0, 101);
        let reply = admit(&mut places, 0, 102);
        assert_eq!(reply, Reply::Refused { retry_after: Millis::from_secs(10), taken: 2 });
    }
}
