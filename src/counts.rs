//! What is counted where it happens. Isolates share nothing, so each counts in its memory and
//! brings its counts to the database from time to time; the sum of all is what operators see.
//!
//! What an isolate has counted since its last visit is lost when the platform drops it: at most
//! what came in [`PAUSE`] before its last request, for a visit follows every request that finds
//! something to bring. A count must be of something rare.

use std::cell::RefCell;
use std::collections::BTreeMap;

use engine::time::{Millis, Timestamp};
use serde_json::json;
use uuid::Uuid;

use crate::bindings::Bindings;
use crate::clock::now;
use crate::db::operation::{self, Counted};
use crate::db::{D1, DbErrorKind};
use crate::log::{self, Level};

/// How long an isolate keeps to itself what it has counted, as long as it has something to do.
pub const PAUSE: Millis = Millis::from_secs(10);
/// How long what was brought stays by itself: a visit is repeated within seconds or never.
const ADDED_UP_AFTER: Millis = Millis::from_secs(600);

/// Errors of D1, by kind.
pub const D1_ERRORS: &str = "d1_errors";
/// Security events, by kind.
pub const SECURITY_EVENTS: &str = "security_events";

thread_local! {
    static COUNTS: RefCell<Counts> = RefCell::default();
}

#[derive(Debug, Default)]
struct Counts {
    pending: BTreeMap<(&'static str, &'static str), u64>,
    visited_at: Option<Timestamp>,
}

impl Counts {
    fn add(&mut self, name: &'static str, label: &'static str, value: u64) {
        *self.pending.entry((name, label)).or_default() += value;
    }

    /// What is to be brought now.
    fn take(&mut self, now: Timestamp) -> Vec<Counted> {
        let early = self.visited_at.is_some_and(|at| now.since(at) < PAUSE);
        if early || self.pending.is_empty() {
            return Vec::new();
        }
        self.visited_at = Some(now);
        let pending = std::mem::take(&mut self.pending);
        let counted =
            |((name, label), value)| Counted { id: Uuid::now_v7().to_string(), name, label, value };
        pending.into_iter().map(counted).collect()
    }
}

/// Counts an error of the database.
pub fn d1_error(kind: DbErrorKind) {
    COUNTS.with_borrow_mut(|counts| counts.add(D1_ERRORS, kind.as_str(), 1));
}

/// Counts a security event.
pub fn security_event(kind: &'static str) {
    COUNTS.with_borrow_mut(|counts| counts.add(SECURITY_EVENTS, kind, 1));
}

/// Whether there is something to bring.
pub fn is_pending() -> bool {
    COUNTS.with_borrow(|counts| !counts.pending.is_empty())
}

/// Brings what was counted. What the database does not take is brought the next time.
pub async fn bring(bindings: &Bindings) {
    let Ok(database) = bindings.database() else { return };
    let counted = COUNTS.with_borrow_mut(|counts| counts.take(now()));
    if counted.is_empty() {
        return;
    }
    if operation::bring(&D1::new(database), &counted, now()).await.is_err() {
        // A repetition has other ids: what was taken although no answer came is counted twice,
        // which is better than an outage that does not show.
        COUNTS.with_borrow_mut(|counts| {
            for Counted { name, label, value, .. } in counted {
                counts.add(name, label, value);
            }
        });
    }
}

/// Brings what this isolate has counted, and adds up what all have brought, so that the rows stay
/// few.
pub async fn add_up(bindings: &Bindings) {
    bring(bindings).await;
    let Ok(database) = bindings.database() else { return };
    let age = i64::try_from(ADDED_UP_AFTER.get()).unwrap_or(i64::MAX);
    let before = Timestamp::from_millis(now().as_millis().saturating_sub(age));
    if let Err(error) = operation::add_up(&D1::new(database), before).await {
        let error = error.to_string();
        log::write(Level::Warn, json!({ "event": "counts.not_added_up", "error": error }));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Timestamp {
        Timestamp::from_millis(0).plus(Millis::new(ms))
    }

    #[test]
    fn counts_are_brought_together_and_not_all_the_time() {
        let mut counts = Counts::default();
        assert_eq!(counts.take(at(0)), []);
        counts.add("a", "x", 1);
        counts.add("a", "x", 2);
        counts.add("a", "y", 1);
        let brought = counts.take(at(1));
        let shown: Vec<_> = brought.iter().map(|it| (it.name, it.label, it.value)).collect();
        assert_eq!(shown, [("a", "x", 3), ("a", "y", 1)]);
        assert_ne!(brought[0].id, brought[1].id);
        counts.add("a", "x", 1);
        assert_eq!(counts.take(at(PAUSE.get())), [], "too early");
        assert_eq!(counts.take(at(PAUSE.get() + 1)).len(), 1);
    }
}
