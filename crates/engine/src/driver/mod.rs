//! The driver's loop as a state machine: it feeds inputs to an execution, has the events that
//! follow appended, and only then lets their effects be performed. The shell performs what
//! [`Driver::actions`] returns and hands each answer to [`Driver::answered`].
//!
//! One append is in flight at a time; what is decided meanwhile shares the next one. A driver that
//! cannot start anything more within its limits hands the execution over.

mod action;
mod children;
mod gates;
mod handover;
mod record;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use crate::execution::{Context, Effect, Event, Input, State, effects, is_by_binding};
use crate::ids::{Epoch, ExecutionId, Fence, InboxSeq, Seq};
use crate::plan::Gate;
use crate::shard::InboxEntry;
use crate::time::Timestamp;
pub use action::{Action, Answer, Ending, Limits, Trouble};
use children::LOOK_AGAIN;
use gates::Gatekeeping;
use record::{Append, pause};

/// See the module.
#[derive(Debug)]
pub struct Driver {
    state: State,
    limits: Limits,
    epoch: Epoch,
    /// The place of the last record that is durable.
    seq: Seq,
    seen: InboxSeq,
    /// Events that wait for the next append, and what they call for.
    unsent: Vec<Event>,
    called_for: Vec<Effect>,
    /// The append in flight, and the inbox entry up to which it takes in.
    sending: Vec<Event>,
    sending_calls_for: Vec<Effect>,
    sending_seen: InboxSeq,
    /// Whether the execution is over with it.
    sending_ends: bool,
    append: Append,
    /// What may be done now: its events are durable.
    due: Vec<Effect>,
    /// Calls that the shell has in flight.
    calls: BTreeSet<Fence>,
    /// Executions that the shell looks at, and those that are looked at again at a moment.
    children: BTreeMap<Fence, ExecutionId>,
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
            called_for: Vec::new(),
            sending: Vec::new(),
            sending_calls_for: Vec::new(),
            sending_seen: InboxSeq::default(),
            sending_ends: false,
            append: Append::Idle,
            due: Vec::new(),
            calls: BTreeSet::new(),
            children: BTreeMap::new(),
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
        // A slot came free, or a retry is due: whatever else is in flight. Or it can be paid for no
        // more.
        if (self.slots() > 0 && self.could_start(now)) || self.state.lacks_money(now) {
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
            // By the state as they left it: what follows may forget what they were about.
            let called_for = events.iter().flat_map(|event| effects(&self.state, event));
            self.called_for.extend(called_for);
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
                Effect::Child(child) if self.children.contains_key(&child.fence) => {
                    self.due.push(Effect::Child(child));
                }
                Effect::Child(child) => {
                    self.children.insert(child.fence, child.id.clone());
                    actions.push(Action::Child(child));
                }
                // Its start may be on the way, and would come after.
                Effect::CancelChild(id) if self.children.values().any(|child| *child == id) => {
                    self.due.push(Effect::CancelChild(id));
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

    /// An execution that was over with its start.
    fn end_if_over(&mut self) {
        if self.state.status.is_final() {
            self.ending = Some(Ending::Ended);
        }
    }
}
