//! The record: one append in flight at a time, made again until it is answered, and what comes in
//! with the answers.

use super::{Action, Driver, Ending};
use crate::execution::{Input, Message};
use crate::shard::{After, InboxEntry};
use crate::time::{Millis, Timestamp};

/// How often an append that got no answer is made again before the driver gives up.
const APPEND_RETRIES_MAX: u32 = 6;
/// The pause before what got no answer is asked again; it doubles each time.
const PAUSE: Millis = Millis::new(50);
/// How often it doubles.
const DOUBLINGS_MAX: u32 = 10;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Append {
    Idle,
    InFlight {
        tries: u32,
        asked_at: Timestamp,
    },
    /// It got no answer and is made again at this moment.
    Again {
        at: Timestamp,
        tries: u32,
    },
}

impl Driver {
    pub(super) fn append_unsent(&mut self, now: Timestamp, actions: &mut Vec<Action>) {
        let tries = match self.append {
            Append::Idle if self.unsent.is_empty() && !self.closes => return,
            Append::Idle => {
                self.closes = false;
                self.sending = std::mem::take(&mut self.unsent);
                self.sending_calls_for = std::mem::take(&mut self.called_for);
                self.sending_seen = self.seen;
                self.sending_ends = self.state.status.is_final();
                0
            }
            Append::Again { at, tries } if at <= now => tries,
            Append::Again { .. } | Append::InFlight { .. } => return,
        };
        self.append = Append::InFlight { tries, asked_at: now };
        actions.push(Action::Append {
            epoch: self.epoch,
            seq: self.seq.next(),
            seen: self.sending_seen,
            after: if self.sending_ends { After::Ended } else { After::Active },
            events: self.sending.clone(),
        });
    }

    pub(super) fn appended(&mut self, now: Timestamp, entropy: u64, inbox: &[InboxEntry]) {
        if let Append::InFlight { asked_at, .. } = self.append {
            self.confirmed_at = asked_at;
        }
        self.append = Append::Idle;
        self.seq = self.seq.next();
        self.fruitless = false;
        self.renewals_lost = 0;
        self.renew_at = now.plus(self.renew_in());
        self.sending.clear();
        self.due.append(&mut self.sending_calls_for);
        if self.sending_ends {
            // What came in after the end is met by whoever reopens the execution.
            self.ending = Some(Ending::Ended);
            return;
        }
        self.meet(now, entropy, inbox);
    }

    pub(super) fn append_again(&mut self, now: Timestamp) {
        let Append::InFlight { tries, .. } = self.append else { return };
        if tries >= APPEND_RETRIES_MAX {
            self.ending = Some(Ending::Lost);
            return;
        }
        self.append = Append::Again { at: now.plus(pause(tries)), tries: tries + 1 };
    }

    /// Takes in what came for the execution, each entry once.
    pub(super) fn meet(&mut self, now: Timestamp, entropy: u64, inbox: &[InboxEntry]) {
        for entry in inbox {
            // What comes after an end that is not durable yet is left to whoever reopens the
            // execution: until then nobody heard of the end.
            let decided = !self.unsent.is_empty() || self.append != Append::Idle;
            if entry.n <= self.seen || (decided && self.state.status.is_final()) {
                continue;
            }
            self.seen = entry.n;
            // What this build cannot read is none of its messages.
            let Ok(message) = serde_json::from_value::<Message>(entry.entry.clone()) else {
                continue;
            };
            if let Message::ChildEnded { child } = &message
                && let Some(fence) = self.state.fence_of_child(child)
            {
                self.children_again.insert((now, fence));
            }
            self.feed(now, entropy, Input::Message(message));
        }
    }
}

/// The pause after so many requests in a row got no answer.
pub(super) fn pause(lost: u32) -> Millis {
    Millis::new(PAUSE.get() << lost.min(DOUBLINGS_MAX))
}
