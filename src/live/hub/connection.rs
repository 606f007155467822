//! One connection: who it is, what it subscribed to, and how much of what was sent to it is still
//! unacknowledged. Pure: it is told what time it is.

use std::collections::{BTreeMap, VecDeque};

use api_types::live::{LivePlace, LiveSubscribe};
use engine::time::{Millis, Timestamp};
use serde::{Deserialize, Serialize};

use crate::live::limits::{
    LAGGING_FOR, MESSAGES_AT_ONCE, MESSAGES_PER_S, WINDOW_BYTES, WINDOW_MESSAGES,
};
use crate::live::place::Place;
use crate::live::topic::Topic;

/// Who a connection belongs to, as its credential said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Who {
    /// The account.
    pub account: String,
    /// The caller, as journals name it.
    pub name: String,
    /// Whether it may see what administrators do.
    pub administers: bool,
}

/// What of a connection outlives the object's sleep.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    /// Who it is; `None` until somebody authenticated.
    pub who: Option<Who>,
    /// When it was opened, or authenticated last, in ms.
    pub since_ms: i64,
}

/// See the module.
#[derive(Clone, Debug)]
pub struct Connection {
    /// Who it is, and since when.
    pub kept: Kept,
    /// What it subscribed to, by the client's names.
    pub subscriptions: BTreeMap<String, Subscription>,
    /// What was sent and not acknowledged.
    pub unacknowledged: Load,
    /// Since when nothing is sent because too much is unacknowledged.
    pub lagging_since: Option<Timestamp>,
    /// When the client was last heard of.
    pub heard_at: Timestamp,
    /// When it was last told that it lives.
    pub told_at: Timestamp,
    /// Messages that were not understood.
    pub errors: u32,
    bucket: Bucket,
}

/// So much.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Load {
    /// Events.
    pub messages: usize,
    /// Bytes of them.
    pub bytes: usize,
}

/// A subscription.
#[derive(Clone, Debug)]
pub struct Subscription {
    /// What the client asked for, from which the topic can be read again.
    pub asked: LiveSubscribe,
    /// What it is of.
    pub topic: Topic,
    /// Where it is.
    pub stage: Stage,
    /// How its stage is stored; `None` while it is not.
    pub stored: Option<Stage>,
    sent: VecDeque<(Place, u32)>,
}

/// Where a subscription is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Asked for, after a place or from now on: the source has not been asked yet.
    Asked(Option<Place>),
    /// Everything up to there was sent, or did not pass.
    At(Place),
}

impl Connection {
    /// One that was just opened, or was there when the object woke.
    pub fn new(kept: Kept, now: Timestamp) -> Self {
        Self {
            kept,
            subscriptions: BTreeMap::new(),
            unacknowledged: Load::default(),
            lagging_since: None,
            heard_at: now,
            told_at: now,
            errors: 0,
            bucket: Bucket { left: MESSAGES_AT_ONCE, at: now },
        }
    }

    /// When it was opened or authenticated last.
    pub fn since(&self) -> Timestamp {
        Timestamp::from_millis(self.kept.since_ms)
    }

    /// Whether anything may be sent to it.
    pub fn has_room(&self) -> bool {
        self.kept.who.is_some() && self.lagging_since.is_none()
    }

    /// Whether so many bytes more may be under way, of a share.
    pub fn takes(&self, bytes: usize, share_bytes: usize) -> bool {
        let Load { messages, bytes: under_way } = self.unacknowledged;
        let fits = messages < WINDOW_MESSAGES && under_way + bytes <= share_bytes.min(WINDOW_BYTES);
        messages == 0 || fits
    }

    /// Takes a message from the client into account; whether it is one too many.
    pub fn hear(&mut self, now: Timestamp) -> bool {
        self.heard_at = now;
        !self.bucket.take(now)
    }

    /// When the connection is closed unless it acknowledges.
    pub fn lags_until(&self) -> Option<Timestamp> {
        self.lagging_since.map(|since| since.plus(LAGGING_FOR))
    }

    /// Where its subscriptions stand.
    pub fn places(&self) -> Vec<LivePlace> {
        let known = self.subscriptions.iter().filter_map(|(id, subscription)| {
            let cursor = subscription.topic.cursor(subscription.place()?);
            Some(LivePlace { id: id.clone(), cursor })
        });
        known.collect()
    }
}

impl Subscription {
    /// One that was just asked for, or was there when the object woke.
    pub fn new(asked: LiveSubscribe, topic: Topic, stage: Stage, stored: Option<Stage>) -> Self {
        Self { asked, topic, stage, stored, sent: VecDeque::new() }
    }

    /// Where it stands, once its source was asked.
    pub fn place(&self) -> Option<Place> {
        match self.stage {
            Stage::Asked(_) => None,
            Stage::At(place) => Some(place),
        }
    }

    /// Notes an event that was sent.
    pub fn note_sent(&mut self, place: Place, bytes: usize) {
        self.sent.push_back((place, u32::try_from(bytes).unwrap_or(u32::MAX)));
    }

    /// Forgets what was sent up to a place; how much it was.
    pub fn acknowledge(&mut self, until: Place) -> Load {
        let mut load = Load::default();
        while let Some((_, bytes)) = self.sent.front().filter(|(place, _)| *place <= until) {
            load.messages += 1;
            load.bytes += *bytes as usize;
            self.sent.pop_front();
        }
        load
    }
}

/// How many messages a client may send still: one comes back each so often.
#[derive(Clone, Copy, Debug)]
struct Bucket {
    left: u32,
    at: Timestamp,
}

impl Bucket {
    fn take(&mut self, now: Timestamp) -> bool {
        let each_ms = 1_000 / u64::from(MESSAGES_PER_S);
        let back = now.since(self.at).get() / each_ms;
        if back > 0 {
            self.at = self.at.plus(Millis::new(back * each_ms));
            let back = u32::try_from(back).unwrap_or(u32::MAX);
            self.left = self.left.saturating_add(back).min(MESSAGES_AT_ONCE);
        }
        let there = self.left > 0;
        self.left = self.left.saturating_sub(1);
        there
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::live::topic::tests::{asked, topic};

    fn at(ms: u64) -> Timestamp {
        Timestamp::from_millis(1_000_000).plus(Millis::new(ms))
    }

    #[test]
    fn a_client_that_talks_too_much_is_heard_out_at_first() {
        let mut connection = Connection::new(Kept { who: None, since_ms: 0 }, at(0));
        for n in 0..MESSAGES_AT_ONCE {
            assert!(!connection.hear(at(1)), "message {n}");
        }
        assert!(connection.hear(at(2)));
        assert!(!connection.hear(at(20)), "one came back");
        assert!(connection.hear(at(21)), "and not two");
        for n in 0..MESSAGES_AT_ONCE {
            assert!(!connection.hear(at(3_600_000)), "after an hour as in the beginning: {n}");
        }
        assert!(connection.hear(at(3_600_000)), "and no more than that");
    }

    #[test]
    fn an_acknowledgement_covers_what_came_before() {
        let (asked, topic) = (asked("jobs", json!({})), topic("jobs", json!({})));
        let mut it = Subscription::new(asked, topic, Stage::At(Place::START), None);
        for n in 1..=4 {
            it.note_sent(Place(n, 0), 10);
        }
        assert_eq!(it.acknowledge(Place(0, 0)), Load::default());
        assert_eq!(it.acknowledge(Place(3, 0)), Load { messages: 3, bytes: 30 });
        assert_eq!(it.acknowledge(Place(3, 0)), Load::default(), "once");
        assert_eq!(it.acknowledge(Place::END), Load { messages: 1, bytes: 10 });
    }

    #[test]
    fn one_large_event_is_sent_by_itself() {
        let mut connection = Connection::new(Kept { who: None, since_ms: 0 }, at(0));
        assert!(connection.takes(10 * WINDOW_BYTES, WINDOW_BYTES));
        connection.unacknowledged = Load { messages: 1, bytes: 10 };
        assert!(!connection.takes(WINDOW_BYTES, WINDOW_BYTES));
        assert!(connection.takes(WINDOW_BYTES - 10, WINDOW_BYTES));
        assert!(!connection.takes(100, 50), "its share is smaller");
        connection.unacknowledged.messages = WINDOW_MESSAGES;
        assert!(!connection.takes(1, WINDOW_BYTES));
    }
}
