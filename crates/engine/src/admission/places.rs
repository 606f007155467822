//! Places: how many executions of an account are driven at the same time, and who waits for one.
//!
//! A place is a lease. It is asked for before an execution starts, renewed by its driver, given
//! back at the end or while the execution waits, and taken back unrefused by the driver that goes
//! on. Places live in memory: after a restart the drivers' renewals fill them in again, so for one
//! renewal interval more executions may be admitted than the limit says.

use std::collections::BTreeMap;

use super::line::Line;
use crate::ids::ExecutionId;
use crate::time::{Millis, Timestamp};

/// How long a place lasts without a renewal.
pub const PLACE_LEASE: Millis = Millis::from_secs(30);
/// The bounds of what a refused caller is told to wait.
const RETRY_AFTER_MIN: Millis = Millis::from_secs(1);
const RETRY_AFTER_MAX: Millis = Millis::from_secs(30);
/// The bounds of what one that stands in the line is told to wait.
const ASK_AGAIN_MIN: Millis = Millis::new(100);
const ASK_AGAIN_MAX: Millis = Millis::from_secs(1);

/// See the module.
#[derive(Clone, Debug, Default)]
pub struct Places {
    places: BTreeMap<ExecutionId, Place>,
    line: Line<ExecutionId>,
    /// How long places are held, as a moving average.
    held: Option<Millis>,
}

#[derive(Clone, Copy, Debug)]
struct Place {
    since: Timestamp,
    until: Timestamp,
}

/// What came of asking for a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// It has one.
    Granted,
    /// It stands in the line.
    Waits {
        /// Behind so many.
        position: u32,
        /// When to ask again.
        ask_again: Millis,
    },
    /// All are taken.
    Refused {
        /// When it is worth asking again.
        retry_after: Millis,
        /// How many are taken.
        taken: u32,
    },
}

impl Places {
    /// Asks for a place. A free one is for the head of the line: who stands, or would stand, behind
    /// more than are free has to wait.
    pub fn admit(
        &mut self,
        now: Timestamp,
        id: &ExecutionId,
        limit: u32,
        priority: i64,
        waits: bool,
    ) -> Asked {
        self.places.retain(|_, place| place.until > now);
        self.line.drop_silent(now);
        let free = (limit as usize).saturating_sub(self.places.len());
        let before = self.line.before(id, priority);
        if self.places.contains_key(id) || before < free {
            self.line.leave(id);
            self.grant(now, id.clone());
            return Asked::Granted;
        }
        if waits && let Some(before) = self.line.stand(now, id, priority) {
            let ask_again = self.ask_again(limit, before);
            self.line.told(id, now.plus(ask_again));
            return Asked::Waits { position: count(before), ask_again };
        }
        self.line.leave(id);
        Asked::Refused { retry_after: self.retry_after(limit), taken: count(self.places.len()) }
    }

    /// Keeps a place, or takes one whatever the limit says.
    pub fn grant(&mut self, now: Timestamp, id: ExecutionId) {
        let until = now.plus(PLACE_LEASE);
        let place = self.places.entry(id).or_insert(Place { since: now, until });
        place.until = until;
    }

    /// Gives up a place, and a place in the line.
    pub fn leave(&mut self, now: Timestamp, id: &ExecutionId) {
        self.line.leave(id);
        if let Some(place) = self.places.remove(id) {
            let held = now.since(place.since);
            let mean =
                self.held.map_or(held, |mean| Millis::new((mean.get() * 7 + held.get()) / 8));
            self.held = Some(mean);
        }
    }

    /// Gives up a place in the line.
    pub fn leave_line(&mut self, id: &ExecutionId) {
        self.line.leave(id);
    }

    /// How many are taken.
    pub fn taken(&self) -> usize {
        self.places.len()
    }

    /// How many places have not run out, and how many stand in the line.
    pub fn figures(&self, now: Timestamp) -> (u32, u32) {
        let held = self.places.values().filter(|place| place.until > now).count();
        (count(held), count(self.line.waiting(now)))
    }

    /// With n places held for t each, one becomes free every t/n.
    fn free_every(&self, limit: u32) -> u64 {
        self.held.map_or(0, Millis::get) / u64::from(limit.max(1))
    }

    fn retry_after(&self, limit: u32) -> Millis {
        Millis::new(self.free_every(limit)).clamp(RETRY_AFTER_MIN, RETRY_AFTER_MAX)
    }

    /// The half of what it will probably be: a free place should not stand empty for long.
    fn ask_again(&self, limit: u32, before: usize) -> Millis {
        let expected = self.free_every(limit).saturating_mul(before as u64 + 1);
        Millis::new(expected / 2).clamp(ASK_AGAIN_MIN, ASK_AGAIN_MAX)
    }
}

fn count(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::ShardId;

    const LIMIT: u32 = 2;

    fn id(n: u128) -> ExecutionId {
        ExecutionId::new(at(0), ShardId(0), n)
    }

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_millis(ms)
    }

    fn now_or_never(places: &mut Places, ms: i64, n: u128) -> Asked {
        places.admit(at(ms), &id(n), LIMIT, 0, false)
    }

    fn patient(places: &mut Places, ms: i64, n: u128, priority: i64) -> Asked {
        places.admit(at(ms), &id(n), LIMIT, priority, true)
    }

    fn full() -> Places {
        let mut places = Places::default();
        now_or_never(&mut places, 0, 1);
        now_or_never(&mut places, 0, 2);
        places
    }

    fn behind(asked: Asked) -> Option<u32> {
        match asked {
            Asked::Waits { position, .. } => Some(position),
            Asked::Granted | Asked::Refused { .. } => None,
        }
    }

    #[test]
    fn no_more_than_the_limit_are_admitted_until_one_leaves() {
        let mut places = Places::default();
        assert_eq!(now_or_never(&mut places, 0, 1), Asked::Granted);
        assert_eq!(now_or_never(&mut places, 0, 2), Asked::Granted);
        let retry_after = Millis::from_secs(1);
        assert_eq!(now_or_never(&mut places, 0, 3), Asked::Refused { retry_after, taken: 2 });
        assert_eq!(now_or_never(&mut places, 0, 2), Asked::Granted, "it has its place");
        places.leave(at(5), &id(1));
        assert_eq!(now_or_never(&mut places, 6, 3), Asked::Granted);
    }

    #[test]
    fn a_place_that_nobody_renews_runs_out_and_a_renewed_one_does_not() {
        let mut places = full();
        places.grant(at(20_000), id(2));
        assert_eq!(now_or_never(&mut places, 30_000, 3), Asked::Granted);
        assert!(matches!(now_or_never(&mut places, 30_001, 4), Asked::Refused { .. }));
    }

    #[test]
    fn who_goes_on_is_never_refused() {
        let mut places = full();
        places.grant(at(1), id(3));
        assert_eq!(places.taken(), 3);
    }

    #[test]
    fn a_refused_caller_is_told_how_long_places_are_held() {
        let mut places = Places::default();
        for n in 1..=40 {
            now_or_never(&mut places, i64::try_from(n).unwrap(), n);
            places.leave(at(i64::try_from(n).unwrap() + 20_000), &id(n));
        }
        now_or_never(&mut places, 0, 100);
        now_or_never(&mut places, 0, 101);
        let reply = now_or_never(&mut places, 0, 102);
        assert_eq!(reply, Asked::Refused { retry_after: Millis::from_secs(10), taken: 2 });
    }

    #[test]
    fn those_that_wait_are_served_by_urgency_and_then_by_arrival() {
        let mut places = full();
        assert_eq!(behind(patient(&mut places, 1, 10, 2)), Some(0));
        assert_eq!(behind(patient(&mut places, 2, 11, 2)), Some(1));
        assert_eq!(behind(patient(&mut places, 3, 12, 4)), Some(0), "critical goes first");
        places.leave(at(100), &id(1));
        assert_eq!(behind(patient(&mut places, 101, 11, 2)), Some(2));
        assert_eq!(behind(patient(&mut places, 102, 10, 2)), Some(1), "the place is the head's");
        assert_eq!(patient(&mut places, 103, 12, 4), Asked::Granted);
        places.leave(at(104), &id(2));
        assert_eq!(patient(&mut places, 105, 10, 2), Asked::Granted);
        assert_eq!(behind(patient(&mut places, 106, 11, 2)), Some(0));
    }

    #[test]
    fn nobody_passes_the_line_by_not_standing_in_it() {
        let mut places = full();
        patient(&mut places, 1, 10, 2);
        places.leave(at(2), &id(1));
        let refused = places.admit(at(3), &id(11), LIMIT, 2, false);
        assert!(matches!(refused, Asked::Refused { taken: 1, .. }), "the free one is not its");
        assert_eq!(places.admit(at(3), &id(12), LIMIT, 3, false), Asked::Granted, "more urgent");
        places.leave(at(4), &id(12));
        assert_eq!(patient(&mut places, 5, 10, 2), Asked::Granted);
    }

    #[test]
    fn two_free_places_are_for_the_first_two() {
        let mut places = full();
        for n in 10..13 {
            patient(&mut places, 1, n, 0);
        }
        places.leave(at(2), &id(1));
        places.leave(at(2), &id(2));
        assert_eq!(behind(patient(&mut places, 3, 12, 0)), Some(2));
        assert_eq!(patient(&mut places, 3, 11, 0), Asked::Granted);
        assert_eq!(behind(patient(&mut places, 4, 12, 0)), Some(1), "one is left, for the head");
        assert_eq!(patient(&mut places, 5, 10, 0), Asked::Granted);
    }

    #[test]
    fn places_that_ran_out_are_free_for_those_behind_the_head_too() {
        let mut places = Places::default();
        now_or_never(&mut places, 0, 1);
        now_or_never(&mut places, 29_000, 2);
        patient(&mut places, 29_000, 10, 0);
        places.leave(at(29_900), &id(2));
        assert_eq!(patient(&mut places, 30_000, 11, 0), Asked::Granted, "the first ran out");
        assert_eq!(patient(&mut places, 30_001, 10, 0), Asked::Granted);
    }

    #[test]
    fn a_client_that_went_away_gives_its_place_in_the_line_back() {
        let mut places = full();
        patient(&mut places, 0, 10, 9);
        places.leave(at(1), &id(1));
        assert_eq!(behind(patient(&mut places, 2_000, 11, 0)), Some(1));
        assert_eq!(patient(&mut places, 2_200, 11, 0), Asked::Granted);
    }

    #[test]
    fn one_that_waits_no_longer_gives_its_place_in_the_line_back_at_once() {
        let mut places = full();
        patient(&mut places, 0, 10, 0);
        patient(&mut places, 0, 11, 0);
        assert!(matches!(now_or_never(&mut places, 50, 10), Asked::Refused { .. }));
        places.leave(at(60), &id(1));
        assert_eq!(patient(&mut places, 61, 11, 0), Asked::Granted);
    }
}
