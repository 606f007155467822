//! The driver's loop as a state machine: it feeds inputs to an execution, has the events that
//! follow appended, and only then lets their effects be performed. The shell performs what
//! [`Driver::actions`] returns and hands each answer to [`Driver::answered`].
//!
//! One append is in flight at a time; what is decided meanwhile shares the next one. A driver that
//! cannot start anything more within its limits hands the execution over.

mod action;

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use crate::execution::{Context, Effect, Event, Input, State, effects};
use crate::ids::{Epoch, Fence, InboxSeq, Seq};
use crate::plan::Address;
use crate::shard::{After, InboxEntry};
use crate::time::{Millis, Timestamp};
pub use action::{Action, Answer, Ending, Limits, Trouble};

/// How often an append that got no answer is made again before the driver gives up.
const APPEND_RETRIES_MAX: u32 = 6;
/// The pause before what got no answer is asked again; it doubles each time.
const PAUSE: Millis = Millis::new(50);
/// How often it doubles.
const DOUBLINGS_MAX: u32 = 10;

/// When another driver is needed at once: by any clock, also one that lags behind this driver's.
const AT_ONCE: Timestamp = Timestamp::from_millis(0);

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
    /// When the shard was asked what it last confirmed: that the lease is this driver's.
    confirmed_at: Timestamp,
    renew_at: Timestamp,
    /// When the renewal in flight was asked for.
    renewing: Option<Timestamp>,
    /// Renewals in a row that got no answer.
    renewals_lost: u32,
    releasing: bool,
    /// Whether this driver took over and has appended nothing yet.
    fruitless: bool,
    ending: Option<Ending>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Append {
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
    /// Drives an execution whose start was just made durable, with the events that began it.
    pub fn begun(
        now: Timestamp,
        state: State,
        events: &[Event],
        epoch: Epoch,
        limits: Limits,
    ) -> Self {
        let mut driver = Self::new(now, state, epoch, Seq(1), limits);
        // The lease counts from the start, which the shard was asked for after that moment.
        driver.confirmed_at = driver.state.started.at;
        driver.calls_made = driver.bindings_called(events);
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
        driver.fruitless = true;
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
            confirmed_at: now,
            renew_at: now.plus(limits.renew_every),
            renewing: None,
            renewals_lost: 0,
            releasing: false,
            fruitless: false,
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
        // What is decided while the lease goes back could be appended by nobody.
        if self.releasing {
            return Vec::new();
        }
        if self.state.next_timer(now).is_some_and(|at| at <= now) {
            self.feed(now, entropy, Input::Tick);
        }
        // A slot came free, or a retry is due: whatever else is in flight.
        if self.slots() > 0 && self.state.has_startable(now) {
            self.feed(now, entropy, Input::Tick);
        }
        let mut actions = Vec::new();
        self.perform_due(now, &mut actions);
        self.append_unsent(now, &mut actions);
        if self.append == Append::Idle && self.renewing.is_none() && now >= self.renew_at {
            self.renewing = Some(now);
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
                self.confirmed_at = self.renewing.take().unwrap_or(self.confirmed_at);
                self.renewals_lost = 0;
                self.renew_at = now.plus(self.limits.renew_every);
                self.meet(&inbox);
            }
            Answer::Renewed(Err(Trouble::Unavailable)) => {
                self.renewing = None;
                self.renew_at = now.plus(pause(self.renewals_lost).min(self.limits.renew_every));
                self.renewals_lost += 1;
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
        let renew = self.renewing.is_none().then_some(self.renew_at);
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

    /// Whether the lease is this driver's for certain. An answer that was long on its way confirms
    /// a lease that may have run out since: another driver may have made the same attempt anew.
    fn holds_lease(&self, now: Timestamp) -> bool {
        let certain = self.limits.renew_every.plus(self.limits.renew_every);
        now.since(self.confirmed_at) <= certain
    }

    fn perform_due(&mut self, now: Timestamp, actions: &mut Vec<Action>) {
        let may_call = self.holds_lease(now);
        for effect in std::mem::take(&mut self.due) {
            match effect {
                // An attempt that was given up before it could be made is not made.
                Effect::Call(request) if !self.state.is_in_flight(request.fence) => {}
                Effect::Call(request) if !may_call => {
                    if self.renewals_lost == 0 {
                        self.renew_at = self.renew_at.min(now);
                    }
                    self.due.push(Effect::Call(request));
                }
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
        self.append = Append::InFlight { tries, asked_at: now };
        let ends = self.sending.iter().any(|event| matches!(event, Event::Finished { .. }));
        actions.push(Action::Append {
            epoch: self.epoch,
            seq: self.seq.next(),
            after: if ends { After::Ended } else { After::Active },
            events: self.sending.clone(),
        });
    }

    fn appended(&mut self, now: Timestamp, inbox: &[InboxEntry]) {
        if let Append::InFlight { asked_at, .. } = self.append {
            self.confirmed_at = asked_at;
        }
        self.append = Append::Idle;
        self.seq = self.seq.next();
        self.fruitless = false;
        self.renewals_lost = 0;
        self.renew_at = now.plus(self.limits.renew_every);
        let durable = std::mem::take(&mut self.sending);
        for event in &durable {
            self.due.extend(effects(&self.state, event));
        }
        self.meet(inbox);
        self.end_if_over();
    }

    fn append_again(&mut self, now: Timestamp) {
        let Append::InFlight { tries, .. } = self.append else { return };
        if tries >= APPEND_RETRIES_MAX {
            self.ending = Some(Ending::Lost);
            return;
        }
        self.append = Append::Again { at: now.plus(pause(tries)), tries: tries + 1 };
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
            && self.renewing.is_none()
    }

    /// With nothing in flight: give the lease back when the next thing to do lies beyond this
    /// driver's limits; else wait for it.
    fn release(&mut self, now: Timestamp) -> Option<Action> {
        let wake_at = if self.state.has_startable(now) {
            // What fitted in no driver's lifetime must not go round in a hot circle.
            if self.fruitless { now.plus(self.limits.renew_every) } else { AT_ONCE }
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

/// The pause after so many requests in a row got no answer.
fn pause(lost: u32) -> Millis {
    Millis::new(PAUSE.get() << lost.min(DOUBLINGS_MAX))
}
