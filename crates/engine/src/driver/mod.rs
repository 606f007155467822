//! The driver's loop as a state machine: it feeds inputs to an execution, has the events that
//! follow appended, and only then lets their effects be performed. The shell performs what
//! [`Driver::actions`] returns and hands each answer to [`Driver::answered`].
//!
//! One append is in flight at a time; what is decided meanwhile shares the next one. A driver that
//! cannot start anything more within its limits hands the execution over.

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use crate::execution::{Context, Effect, Event, Input, Outcome, Request, State, effects};
use crate::ids::{Epoch, Fence, InboxSeq, Seq};
use crate::plan::Address;
use crate::shard::{After, InboxEntry};
use crate::time::{Millis, Timestamp};

/// How often an append that got no answer is made again before the driver gives up.
const APPEND_RETRIES_MAX: u32 = 6;
/// The delay before the first of these; it doubles each time.
const APPEND_RETRY_DELAY: Millis = Millis::new(50);

/// What a driver may do, given by its entry point and the platform.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// When the driver must be done.
    pub lifetime_end: Timestamp,
    /// Calls over service bindings: the platform allows 32 Worker invocations in one request.
    pub calls_max: u32,
    /// Calls in flight at once: the platform allows six connections in one request.
    pub in_flight_max: u32,
    /// How often the lease is renewed while nothing is appended.
    pub renew_every: Millis,
}

/// What the shell must do now.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Append these events as one record; answer with [`Answer::Appended`].
    Append {
        /// The lease.
        epoch: Epoch,
        /// The place of the record.
        seq: Seq,
        /// Whether the record carries the end.
        after: After,
        /// The record.
        events: Vec<Event>,
    },
    /// Call a worker; answer with [`Answer::Called`].
    Call(Box<Request>),
    /// Give up a call. No answer is needed.
    Abort(Fence),
    /// Renew the lease; answer with [`Answer::Renewed`].
    Renew(Epoch),
    /// Give the lease back; answer with [`Answer::Released`].
    Release {
        /// The lease.
        epoch: Epoch,
        /// The last inbox entry that was met.
        seen: InboxSeq,
        /// When a driver is needed next.
        wake_at: Timestamp,
    },
}

/// What came of an action.
#[derive(Clone, Debug)]
pub enum Answer {
    /// Of an append.
    Appended(Result<Vec<InboxEntry>, Trouble>),
    /// Of a call.
    Called {
        /// The fence of the attempt.
        fence: Fence,
        /// What the worker brought.
        outcome: Outcome,
    },
    /// Of a renewal.
    Renewed(Result<Vec<InboxEntry>, Trouble>),
    /// Of a release; entries mean that the lease is kept.
    Released(Result<Vec<InboxEntry>, Trouble>),
}

/// Why the shard did not do what it was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// The lease is no longer this driver's, or the execution is over: nothing more to do here.
    Lost,
    /// No answer, or none that says: it may have been done.
    Unavailable,
}

/// How a driver came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The execution is over.
    Ended,
    /// The lease was given back; another driver goes on when there is something to do.
    Released,
    /// The lease was lost; whoever holds it goes on, or the shard finds another driver.
    Lost,
}

/// See the module.
#[derive(Debug)]
pub struct Driver {
    state: State,
    limits: Limits,
    epoch: Epoch,
    /// The place of the last record that is durable.
    seq: Seq,
    seen: InboxSeq,
    /// Events that wait for the next append.
    unsent: Vec<Event>,
    /// The append in flight.
    sending: Vec<Event>,
    append: Append,
    /// What may be done now: its events are durable.
    due: Vec<Effect>,
    /// Calls that the shell has in flight.
    calls: BTreeSet<Fence>,
    calls_made: u32,
    renew_at: Timestamp,
    renewing: bool,
    releasing: bool,
    ending: Option<Ending>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Append {
    Idle,
    InFlight {
        tries: u32,
    },
    /// It got no answer and is made again at this moment.
    Again {
        at: Timestamp,
        tries: u32,
    },
}

impl Driver {
    /// Drives an execution whose start was just made durable, with the events that began it.
    pub fn begun(
        now: Timestamp,
        state: State,
        events: &[Event],
        epoch: Epoch,
        limits: Limits,
    ) -> Self {
        let mut driver = Self::new(now, state, epoch, Seq(1), limits);
        driver.due = events.iter().flat_map(|event| effects(&driver.state, event)).collect();
        driver.end_if_over();
        driver
    }

    /// Drives an execution whose lease was taken: what was in flight under another driver is lost.
    pub fn taken(
        now: Timestamp,
        entropy: u64,
        state: State,
        lease: (Epoch, Seq),
        inbox: &[InboxEntry],
        limits: Limits,
    ) -> Self {
        let (epoch, seq) = lease;
        let mut driver = Self::new(now, state, epoch, seq, limits);
        driver.meet(inbox);
        driver.feed(now, entropy, Input::TakenOver(epoch));
        driver
    }

    fn new(now: Timestamp, state: State, epoch: Epoch, seq: Seq, limits: Limits) -> Self {
        Self {
            state,
            epoch,
            seq,
            seen: InboxSeq::default(),
            unsent: Vec::new(),
            sending: Vec::new(),
            append: Append::Idle,
            due: Vec::new(),
            calls: BTreeSet::new(),
            calls_made: 0,
            renew_at: now.plus(limits.renew_every),
            renewing: false,
            releasing: false,
            ending: None,
            limits,
        }
    }

    /// The execution as this driver knows it; it may be ahead of the journal by one append.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// How the driver ended; `None` while it goes on.
    pub fn ending(&self) -> Option<Ending> {
        self.ending
    }

    /// The driver's last word: the state that it leaves.
    pub fn into_state(self) -> State {
        self.state
    }

    /// What to do now. Ask again after each answer and at [`Driver::wake_at`].
    pub fn actions(&mut self, now: Timestamp, entropy: u64) -> Vec<Action> {
        if self.ending.is_some() {
            return Vec::new();
        }
        if self.state.next_timer(now).is_some_and(|at| at <= now) || self.has_due_retry(now) {
            self.feed(now, entropy, Input::Tick);
        }
        let mut actions = Vec::new();
        self.perform_due(&mut actions);
        self.append_unsent(now, &mut actions);
        if self.append == Append::Idle && !self.renewing && now >= self.renew_at {
            self.renewing = true;
            actions.push(Action::Renew(self.epoch));
        }
        if self.is_idle() {
            actions.extend(self.release(now));
        }
        actions
    }

    /// Takes the answer of an action.
    pub fn answered(&mut self, now: Timestamp, entropy: u64, answer: Answer) {
        if self.ending.is_some() {
            return;
        }
        match answer {
            Answer::Called { fence, outcome } => {
                self.calls.remove(&fence);
                self.feed(now, entropy, Input::Answered { fence, outcome });
            }
            Answer::Appended(Ok(inbox)) => self.appended(now, &inbox),
            Answer::Appended(Err(Trouble::Unavailable)) => self.append_again(now),
            Answer::Renewed(Ok(inbox)) => {
                self.renewing = false;
                self.renew_at = now.plus(self.limits.renew_every);
                self.meet(&inbox);
            }
            Answer::Renewed(Err(Trouble::Unavailable)) => {
                self.renewing = false;
                self.renew_at = now.plus(APPEND_RETRY_DELAY);
            }
            Answer::Released(Ok(inbox)) if inbox.is_empty() => self.ending = Some(Ending::Released),
            Answer::Released(Ok(inbox)) => {
                self.releasing = false;
                self.meet(&inbox);
            }
            // The lease runs out by itself, and the shard finds another driver.
            Answer::Released(Err(_))
            | Answer::Appended(Err(Trouble::Lost))
            | Answer::Renewed(Err(Trouble::Lost)) => self.ending = Some(Ending::Lost),
        }
    }

    /// When [`Driver::actions`] must be asked even if no answer came.
    pub fn wake_at(&self, now: Timestamp) -> Option<Timestamp> {
        let again = match self.append {
            Append::Again { at, .. } => Some(at),
            Append::Idle | Append::InFlight { .. } => None,
        };
        let renew = (!self.renewing).then_some(self.renew_at);
        let timers = [self.state.next_timer(now), again, renew, Some(self.limits.lifetime_end)];
        timers.into_iter().flatten().filter(|at| *at > now).min()
    }

    fn feed(&mut self, now: Timestamp, entropy: u64, input: Input) {
        let context =
            Context { now, entropy, slots: self.slots(), latest_end: self.limits.lifetime_end };
        // A rejected input is an answer that nobody waits for: it changes nothing.
        if let Ok(events) = self.state.advance(&context, input) {
            self.calls_made += self.bindings_called(&events);
            self.unsent.extend(events);
        }
    }

    /// Calls that can be started besides those that are decided already.
    fn slots(&self) -> u32 {
        if self.calls_made >= self.limits.calls_max {
            return 0;
        }
        let taken = u32::try_from(self.state.in_flight().count()).unwrap_or(u32::MAX);
        let free = self.limits.in_flight_max.saturating_sub(taken);
        free.min(self.limits.calls_max - self.calls_made)
    }

    fn bindings_called(&self, events: &[Event]) -> u32 {
        let by_binding = |event: &&Event| {
            let Event::AttemptStarted { step, fallback, .. } = event else { return false };
            let target = self.state.plan.find(step);
            let target = target.and_then(|index| self.state.plan.step(index).target(*fallback));
            target.is_some_and(|target| matches!(target.address, Address::Binding(_)))
        };
        u32::try_from(events.iter().filter(by_binding).count()).unwrap_or(u32::MAX)
    }

    fn has_due_retry(&self, now: Timestamp) -> bool {
        self.is_idle() && self.slots() > 0 && self.state.has_startable(now)
    }

    fn perform_due(&mut self, actions: &mut Vec<Action>) {
        for effect in std::mem::take(&mut self.due) {
            match effect {
                Effect::Call(request) => {
                    self.calls.insert(request.fence);
                    actions.push(Action::Call(request));
                }
                Effect::Abort(fence) => {
                    if self.calls.remove(&fence) {
                        actions.push(Action::Abort(fence));
                    }
                }
            }
        }
    }

    fn append_unsent(&mut self, now: Timestamp, actions: &mut Vec<Action>) {
        let tries = match self.append {
            Append::Idle if self.unsent.is_empty() => return,
            Append::Idle => {
                self.sending = std::mem::take(&mut self.unsent);
                0
            }
            Append::Again { at, tries } if at <= now => tries,
            Append::Again { .. } | Append::InFlight { .. } => return,
        };
        self.append = Append::InFlight { tries };
        let ends = self.sending.iter().any(|event| matches!(event, Event::Finished { .. }));
        actions.push(Action::Append {
            epoch: self.epoch,
            seq: self.seq.next(),
            after: if ends { After::Ended } else { After::Active },
            events: self.sending.clone(),
        });
    }

    fn appended(&mut self, now: Timestamp, inbox: &[InboxEntry]) {
        self.append = Append::Idle;
        self.seq = self.seq.next();
        self.renew_at = now.plus(self.limits.renew_every);
        let durable = std::mem::take(&mut self.sending);
        for event in &durable {
            self.due.extend(effects(&self.state, event));
        }
        // An attempt that was given up again before its start was durable is not made.
        let state = &self.state;
        self.due.retain(|effect| match effect {
            Effect::Call(request) => state.in_flight().any(|(fence, _)| fence == request.fence),
            Effect::Abort(_) => true,
        });
        self.meet(inbox);
        self.end_if_over();
    }

    fn append_again(&mut self, now: Timestamp) {
        let Append::InFlight { tries } = self.append else { return };
        if tries >= APPEND_RETRIES_MAX {
            self.ending = Some(Ending::Lost);
            return;
        }
        let delay = Millis::new(APPEND_RETRY_DELAY.get() << tries);
        self.append = Append::Again { at: now.plus(delay), tries: tries + 1 };
    }

    fn end_if_over(&mut self) {
        let settled = self.unsent.is_empty() && self.append == Append::Idle;
        if self.state.status.is_final() && settled {
            self.ending = Some(Ending::Ended);
        }
    }

    fn meet(&mut self, inbox: &[InboxEntry]) {
        if let Some(last) = inbox.iter().map(|entry| entry.n).max() {
            self.seen = self.seen.max(last);
        }
    }

    fn is_idle(&self) -> bool {
        self.unsent.is_empty()
            && self.append == Append::Idle
            && self.calls.is_empty()
            && self.due.is_empty()
            && !self.releasing
            && !self.renewing
    }

    /// With nothing in flight: give the lease back when the next thing to do lies beyond this
    /// driver's limits; else wait for it.
    fn release(&mut self, now: Timestamp) -> Option<Action> {
        let wake_at = if self.state.has_startable(now) {
            now
        } else {
            let next = self.state.next_timer(now).unwrap_or(self.limits.lifetime_end);
            if next < self.limits.lifetime_end {
                return None;
            }
            next
        };
        self.releasing = true;
        Some(Action::Release { epoch: self.epoch, seen: self.seen, wake_at })
    }
}
