//! The driver's loop as a state machine: it feeds inputs to an execution, has the events that
//! follow appended, and only then lets their effects be performed. The shell performs what
//! [`Driver::actions`] returns and hands each answer to [`Driver::answered`].
//!
//! One append is in flight at a time; what is decided meanwhile shares the next one. A driver that
//! cannot start anything more within its limits hands the execution over.

mod action;
mod gates;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use crate::execution::{
    Context, Effect, Event, Input, Message, State, Status, effects, is_by_binding,
};
use crate::ids::{Epoch, ExecutionId, Fence, InboxSeq, Seq};
use crate::plan::Gate;
use crate::shard::{After, InboxEntry};
use crate::time::{Millis, Timestamp};
pub use action::{Action, Answer, Ending, Limits, Trouble};
use gates::{Asking, Gatekeeping};

/// How often an append that got no answer is made again before the driver gives up.
const APPEND_RETRIES_MAX: u32 = 6;
/// The pause before what got no answer is asked again; it doubles each time.
const PAUSE: Millis = Millis::new(50);
/// How often the inbox is looked into while a signal, a callback or a child may come.
const LISTEN_EVERY: Millis = Millis::from_secs(2);
/// The longest that a driver stays for an execution that only waits.
const IDLE_MAX: Millis = Millis::from_secs(1);
/// When an execution that could not be looked at is looked at again.
const LOOK_AGAIN: Millis = Millis::new(500);
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
    /// The append in flight, and the inbox entry up to which it takes in.
    sending: Vec<Event>,
    sending_seen: InboxSeq,
    /// Whether the execution is over with it.
    sending_ends: bool,
    append: Append,
    /// What may be done now: its events are durable.
    due: Vec<Effect>,
    /// Calls that the shell has in flight.
    calls: BTreeSet<Fence>,
    /// Executions that the shell looks at, and those that are looked at again at a moment.
    children: BTreeSet<Fence>,
    children_again: BTreeSet<(Timestamp, Fence)>,
    /// Executions that the shell calls off, and those that are told again at a moment.
    telling: BTreeSet<ExecutionId>,
    telling_again: BTreeSet<(Timestamp, ExecutionId)>,
    gates: Gatekeeping,
    /// Who does each attempt that this driver made, for the Governor.
    workers: BTreeMap<Fence, (String, String, Gate)>,
    /// Permits of calls that are over.
    returns: Vec<(String, String)>,
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
    /// Whether the end of the execution must be said once more.
    closes: bool,
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
        driver.note_calls(events);
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
        let up_to = driver.state.last_fence();
        // Only those whose attempts are durable: what is decided now is not yet.
        driver.look_after_children(now);
        driver.meet(now, entropy, inbox);
        driver.feed(now, entropy, Input::TakenOver { epoch, up_to });
        // Its end is in the journal, and the shard does not know: it is said again.
        driver.closes = driver.state.status.is_final() && driver.unsent.is_empty();
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
            sending_seen: InboxSeq::default(),
            sending_ends: false,
            append: Append::Idle,
            due: Vec::new(),
            calls: BTreeSet::new(),
            children: BTreeSet::new(),
            children_again: BTreeSet::new(),
            telling: BTreeSet::new(),
            telling_again: BTreeSet::new(),
            gates: Gatekeeping::default(),
            workers: BTreeMap::new(),
            returns: Vec::new(),
            calls_made: 0,
            confirmed_at: now,
            renew_at: now.plus(limits.renew_every),
            renewing: None,
            renewals_lost: 0,
            releasing: false,
            fruitless: false,
            closes: false,
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
        // Before somebody is given up for his silence, the inbox is looked into.
        if self.state.awaits_word_since(now).is_some_and(|at| at > self.confirmed_at)
            && self.renewals_lost == 0
        {
            self.renew_at = self.renew_at.min(now);
        }
        // A slot came free, or a retry is due: whatever else is in flight.
        if self.slots() > 0 && self.could_start(now) {
            self.feed(now, entropy, Input::Tick);
        }
        let mut actions = Vec::new();
        self.look_again(now);
        self.perform_due(now, &mut actions);
        self.append_unsent(now, &mut actions);
        self.abort_what_is_over(&mut actions);
        self.ask_gates(now, &mut actions);
        let returns = std::mem::take(&mut self.returns).into_iter();
        actions.extend(returns.map(|(path, worker)| Action::Return { path, worker }));
        if self.append == Append::Idle && self.renewing.is_none() && now >= self.renew_at {
            self.renewing = Some(now);
            actions.push(Action::Renew(self.epoch));
        }
        if self.is_idle(now) {
            let release = self.release(now);
            if release.is_some() {
                self.give_all_back(&mut actions);
            }
            actions.extend(release);
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
                self.children.remove(&fence);
                self.feed(now, entropy, Input::Answered { fence, outcome });
            }
            Answer::Accepted { fence, silence } => {
                self.calls.remove(&fence);
                self.children.remove(&fence);
                self.feed(now, entropy, Input::Accepted { fence, silence });
            }
            Answer::ChildUnknown(fence) => {
                self.children.remove(&fence);
                self.children_again.insert((now.plus(LOOK_AGAIN), fence));
            }
            Answer::Told { child, told } => {
                self.telling.remove(&child);
                if !told {
                    self.telling_again.insert((now.plus(LOOK_AGAIN), child));
                }
            }
            Answer::Passed { unit, answer } => self.passed(now, entropy, unit, answer),
            Answer::Gates(shut) => self.gates_are(shut),
            Answer::Appended(Ok(inbox)) => self.appended(now, entropy, &inbox),
            Answer::Appended(Err(Trouble::Unavailable)) => self.append_again(now),
            Answer::Renewed(Ok(inbox)) => {
                self.confirmed_at = self.renewing.take().unwrap_or(self.confirmed_at);
                self.renewals_lost = 0;
                self.renew_at = now.plus(self.renew_in());
                self.meet(now, entropy, &inbox);
            }
            Answer::Renewed(Err(Trouble::Unavailable)) => {
                self.renewing = None;
                self.renew_at = now.plus(pause(self.renewals_lost).min(self.limits.renew_every));
                self.renewals_lost += 1;
            }
            Answer::Released(Ok(inbox)) if inbox.is_empty() => self.ending = Some(Ending::Released),
            Answer::Released(Ok(inbox)) => {
                self.releasing = false;
                self.meet(now, entropy, &inbox);
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
        let child = self.children_again.first().map(|(at, _)| *at);
        let told = self.telling_again.first().map(|(at, _)| *at);
        let own = [again, renew, child, told, self.next_asking(), Some(self.limits.lifetime_end)];
        let timers = own.into_iter().chain([self.state.next_timer(now)]);
        timers.into_iter().flatten().filter(|at| *at > now).min()
    }

    fn feed(&mut self, now: Timestamp, entropy: u64, input: Input) {
        let slots = self.slots();
        self.gates.known.heard_until = self.confirmed_at;
        let context = Context {
            now,
            entropy,
            slots,
            latest_end: self.limits.lifetime_end,
            gates: &self.gates.known,
        };
        // A rejected input is an answer that nobody waits for: it changes nothing.
        if let Ok(events) = self.state.advance(&context, input) {
            self.calls_made += self.bindings_called(&events);
            self.note_calls(&events);
            self.unsent.extend(events);
        }
    }

    /// Calls that can be started besides those that are decided already.
    fn slots(&self) -> u32 {
        if self.calls_made >= self.limits.calls_max {
            return 0;
        }
        let taken = u32::try_from(self.state.connected()).unwrap_or(u32::MAX);
        let free = self.limits.in_flight_max.saturating_sub(taken);
        free.min(self.limits.calls_max - self.calls_made)
    }

    /// Whether something could start now that no gate holds.
    fn could_start(&self, now: Timestamp) -> bool {
        let context = Context {
            now,
            entropy: 0,
            slots: 0,
            latest_end: self.limits.lifetime_end,
            gates: &self.gates.known,
        };
        self.state.has_startable_within(now, &context)
    }

    fn bindings_called(&self, events: &[Event]) -> u32 {
        let by_binding = |event: &&Event| {
            let Event::AttemptStarted { step, fallback, child: None, .. } = event else {
                return false;
            };
            let unit = self.state.plan.find_unit(step);
            let target = unit.and_then(|unit| self.state.target(unit, *fallback));
            target.is_some_and(is_by_binding)
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
                Effect::Child(child) if !self.state.is_in_flight(child.fence) => {}
                Effect::Call(_) | Effect::Child(_) if !may_call => {
                    if self.renewals_lost == 0 {
                        self.renew_at = self.renew_at.min(now);
                    }
                    self.due.push(effect);
                }
                Effect::Call(request) => {
                    self.calls.insert(request.fence);
                    self.note_made(&request);
                    actions.push(Action::Call(request));
                }
                // What was looked at before its end was told must be looked at once more.
                Effect::Child(child) if self.children.contains(&child.fence) => {
                    self.due.push(Effect::Child(child));
                }
                Effect::Child(child) => {
                    self.children.insert(child.fence);
                    actions.push(Action::Child(child));
                }
                Effect::CancelChild(id) => {
                    if self.telling.insert(id.clone()) {
                        actions.push(Action::CancelChild(id));
                    }
                }
            }
        }
    }

    /// Calls whose attempts are over without their answers.
    fn abort_what_is_over(&mut self, actions: &mut Vec<Action>) {
        let over = self.calls.iter().filter(|fence| !self.state.is_in_flight(**fence));
        for fence in over.copied().collect::<Vec<_>>() {
            self.calls.remove(&fence);
            actions.push(Action::Abort(fence));
        }
        self.give_back_what_was_called_off();
    }

    fn append_unsent(&mut self, now: Timestamp, actions: &mut Vec<Action>) {
        let tries = match self.append {
            Append::Idle if self.unsent.is_empty() && !self.closes => return,
            Append::Idle => {
                self.closes = false;
                self.sending = std::mem::take(&mut self.unsent);
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

    fn appended(&mut self, now: Timestamp, entropy: u64, inbox: &[InboxEntry]) {
        if let Append::InFlight { asked_at, .. } = self.append {
            self.confirmed_at = asked_at;
        }
        self.append = Append::Idle;
        self.seq = self.seq.next();
        self.fruitless = false;
        self.renewals_lost = 0;
        self.renew_at = now.plus(self.renew_in());
        let durable = std::mem::take(&mut self.sending);
        for event in &durable {
            self.due.extend(effects(&self.state, event));
        }
        if self.sending_ends {
            // What came in after the end is met by whoever reopens the execution.
            self.ending = Some(Ending::Ended);
            return;
        }
        self.meet(now, entropy, inbox);
    }

    fn append_again(&mut self, now: Timestamp) {
        let Append::InFlight { tries, .. } = self.append else { return };
        if tries >= APPEND_RETRIES_MAX {
            self.ending = Some(Ending::Lost);
            return;
        }
        self.append = Append::Again { at: now.plus(pause(tries)), tries: tries + 1 };
    }

    /// An execution that was over with its start.
    fn end_if_over(&mut self) {
        if self.state.status.is_final() {
            self.ending = Some(Ending::Ended);
        }
    }

    /// Takes in what came for the execution, each entry once.
    fn meet(&mut self, now: Timestamp, entropy: u64, inbox: &[InboxEntry]) {
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

    /// Executions that steps began under a driver that is gone: they are begun if they were not,
    /// and what is not needed any more is called off.
    fn look_after_children(&mut self, now: Timestamp) {
        let fences: Vec<Fence> = self.state.children().map(|(fence, _)| fence).collect();
        self.children_again.extend(fences.into_iter().map(|fence| (now, fence)));
        self.due.extend(self.state.abandoned_children().into_iter().map(Effect::CancelChild));
    }

    fn look_again(&mut self, now: Timestamp) {
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
    fn comes_back(&self, now: Timestamp) -> bool {
        let again = !self.children_again.is_empty() || !self.telling_again.is_empty();
        again && now < self.limits.lifetime_end
    }

    fn is_idle(&self, now: Timestamp) -> bool {
        let asking = self.gates.asking.values().any(|asking| *asking == Asking::InFlight);
        self.unsent.is_empty()
            && self.append == Append::Idle
            && self.calls.is_empty()
            && self.children.is_empty()
            && !self.comes_back(now)
            && self.telling.is_empty()
            && self.due.is_empty()
            && !asking
            && !self.releasing
            && !self.closes
            && self.renewing.is_none()
    }

    /// An execution that waits for somebody's word listens more often.
    fn renew_in(&self) -> Millis {
        let listens = self.state.awaits_somebody();
        self.limits.renew_every.min(if listens { LISTEN_EVERY } else { Millis::new(u64::MAX) })
    }

    /// Whether something could start whose gate is not asked, or not any more: it does not fit in
    /// this driver's limits.
    fn is_left_unasked(&self, now: Timestamp) -> bool {
        let asks = self.slots() > 0 && self.next_asking().is_some();
        !asks && self.state.has_startable(now)
    }

    /// With nothing in flight: give the lease back when the next thing to do lies beyond this
    /// driver's limits; else wait for it.
    fn release(&mut self, now: Timestamp) -> Option<Action> {
        let again = !self.children_again.is_empty() || !self.telling_again.is_empty();
        let wake_at = if again {
            now.plus(LOOK_AGAIN)
        } else if self.could_start(now) || self.is_left_unasked(now) {
            // What fitted in no driver's lifetime must not go round in a hot circle.
            if self.fruitless { now.plus(self.limits.renew_every) } else { AT_ONCE }
        } else {
            let timers = [self.state.next_timer(now), self.next_asking()];
            let next = timers.into_iter().flatten().min().unwrap_or(self.limits.lifetime_end);
            // What only waits is woken by the shard: at its moment, or when something comes.
            let waits = matches!(self.state.status, Status::Waiting | Status::Paused);
            let soon = next <= now.plus(IDLE_MAX);
            if next < self.limits.lifetime_end && (soon || !waits) {
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
