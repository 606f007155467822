//! Drivers and what the shell does for them: it performs their actions and brings the answers.

use std::collections::BTreeMap;

use engine::driver::{Action, Answer, Driver, Ending, Limits, Trouble};
use engine::execution::{Context, Effect, Event, NO_GATES, State, effects, start};
use engine::ids::ExecutionId;
use engine::shard::{After, InboxEntry, Reply, Request};
use engine::time::Millis;

use super::cases;
use super::fault::{Fault, Zombie};
use super::network::Replied;
use super::world::{EPOCH_MS, Happening, Held, Sabotage, World};

/// The longest life of a driver.
const LIFETIME: Millis = Millis::from_secs(840);
/// How long a driver sleeps that does not know that it does: longer than its lease.
const SLEEP_MS: i64 = 40_000;
/// How long one that takes over may take to begin.
const SLOW_MS: i64 = 3_000;
/// All worlds draw the same number.
pub const ENTROPY: u64 = 0x5eed_5eed;

/// What a request was for.
#[derive(Clone, Debug)]
pub enum Asked {
    Start,
    Take,
    Append,
    Renew,
    Release,
    Child(Box<engine::execution::Child>),
    Look(Box<engine::execution::Child>),
    Tell(ExecutionId),
}

#[derive(Debug)]
enum Stage {
    Starting { state: Box<State>, events: Vec<Event>, request: Box<Request>, record: String },
    Taking,
    Driving(Box<Driver>),
}

/// One driver.
#[derive(Debug)]
pub struct Node {
    pub exec: ExecutionId,
    pub waiting: BTreeMap<u64, Asked>,
    stage: Stage,
    limits: Limits,
    wake_version: u64,
    asleep_until_ms: i64,
}

impl World<'_> {
    fn enter(&mut self, exec: ExecutionId, stage: Stage, limits: Limits) -> usize {
        self.node_last += 1;
        let (waiting, asleep_until_ms) = (BTreeMap::new(), 0);
        let node = Node { exec, waiting, stage, limits, wake_version: 0, asleep_until_ms };
        self.nodes.insert(self.node_last, node);
        self.node_last
    }

    fn limits(&self) -> Limits {
        Limits {
            lifetime_end: self.clock().plus(LIFETIME),
            calls_max: 100,
            in_flight_max: 4,
            renew_every: Millis::new(self.timing.lease.get() / 3),
        }
    }

    /// Whether the driver dies at this action.
    fn dies_at(&self, here: usize, was_performed: bool) -> bool {
        let death = Fault::Dies { action: here, performed: was_performed };
        self.faults.contains(&death)
    }

    /// A client starts an execution, and a driver of its own drives it.
    pub fn start(&mut self) -> Held {
        let (now, limits) = (self.clock(), self.limits());
        let started = self.case.started(now);
        let plan = cases::plan(&started.definition);
        let slots = limits.in_flight_max;
        let latest_end = limits.lifetime_end;
        let context = Context { now, entropy: ENTROPY, slots, latest_end, gates: &NO_GATES };
        let (state, events) = start(started, plan, &context);
        let record = serde_json::to_string(&events).expect("events are written");
        let id = state.started.id.clone();
        let request = Request::Start {
            id: id.clone(),
            account: "default".to_owned(),
            at: now,
            idempotency: None,
            after: if state.status.is_final() { After::Ended } else { After::Active },
            parent: None,
            driven: true,
        };
        let (state, first) = (Box::new(state), Box::new(request.clone()));
        let stage = Stage::Starting { state, events, request: first, record: record.clone() };
        let node = self.enter(id, stage, limits);
        self.send(node, Asked::Start, request, record);
        Ok(())
    }

    /// A hint woke a driver: it asks for the lease.
    pub fn resume(&mut self, id: &ExecutionId) -> Held {
        let limits = self.limits();
        let node = self.enter(id.clone(), Stage::Taking, limits);
        let slow = |fault: &Fault| matches!(fault, Fault::Usurped { how: Zombie::Ahead, .. });
        if self.struck(slow)
            && let Some(taker) = self.nodes.get_mut(&node)
        {
            taker.asleep_until_ms = self.now_ms + SLOW_MS;
        }
        self.send(node, Asked::Take, Request::Take { id: id.clone() }, String::new());
        Ok(())
    }

    /// Whether nothing reaches the node now; it comes when it wakes.
    fn sleeps(&mut self, node: usize, happening: Happening) -> Option<Happening> {
        let until = self.nodes.get(&node).map_or(0, |node| node.asleep_until_ms);
        if until <= self.now_ms {
            return Some(happening);
        }
        self.after(until - self.now_ms, happening);
        None
    }

    pub fn replied(&mut self, replied: Replied) -> Held {
        let happening = Happening::Replied(replied);
        let Happening::Replied(Replied { node, .. }) = &happening else { return Ok(()) };
        let Some(Happening::Replied(Replied { node, token, reply })) =
            self.sleeps(*node, happening)
        else {
            return Ok(());
        };
        let Some(one) = self.nodes.get_mut(&node) else { return Ok(()) };
        let Some(asked) = one.waiting.remove(&token) else { return Ok(()) };
        match asked {
            Asked::Start => self.start_replied(node, reply),
            Asked::Take => self.take_replied(node, reply),
            Asked::Append => self.bring(node, Answer::Appended(journal_said(reply))),
            Asked::Renew => self.bring(node, Answer::Renewed(journal_said(reply))),
            Asked::Release => self.bring(node, Answer::Released(journal_said(reply))),
            Asked::Child(child) => self.child_begun(node, child, reply),
            Asked::Look(child) => self.child_seen(node, &child, reply),
            Asked::Tell(child) => self.child_told(node, child, reply),
        }
    }

    fn start_replied(&mut self, node: usize, reply: Option<(Reply, Vec<String>)>) -> Held {
        let Some(mut starter) = self.nodes.remove(&node) else { return Ok(()) };
        let Stage::Starting { state, events, request, record } = starter.stage else {
            return Ok(());
        };
        match reply {
            Some((Reply::Started { epoch }, _)) => {
                let limits = starter.limits;
                let driver = Driver::begun(self.clock(), *state, &events, epoch, limits);
                starter.stage = Stage::Driving(Box::new(driver));
                self.nodes.insert(node, starter);
                self.go_on(node)
            }
            // Another driver goes on already.
            Some((Reply::Existing { .. }, _)) => Ok(()),
            Some((reply, _)) => Err(format!("a start is answered with {reply:?}")),
            // It is asked once more for the same.
            None => {
                let first = Box::new(Request::clone(&request));
                let again = record.clone();
                starter.stage = Stage::Starting { state, events, request: first, record };
                self.nodes.insert(node, starter);
                self.send(node, Asked::Start, *request, again);
                Ok(())
            }
        }
    }

    fn take_replied(&mut self, node: usize, reply: Option<(Reply, Vec<String>)>) -> Held {
        let Some(mut taker) = self.nodes.remove(&node) else { return Ok(()) };
        let Some((Reply::Taken { epoch, seq, inbox }, records)) = reply else { return Ok(()) };
        let state = super::check::replay(&records)?;
        let (lease, limits) = ((epoch, seq), taker.limits);
        let driver = Driver::taken(self.clock(), ENTROPY, state, lease, &inbox, limits);
        taker.stage = Stage::Driving(Box::new(driver));
        self.nodes.insert(node, taker);
        self.go_on(node)
    }

    /// Brings a driver an answer.
    pub fn bring(&mut self, node: usize, answer: Answer) -> Held {
        let now = self.clock();
        if let Some(Node { stage: Stage::Driving(driver), .. }) = self.nodes.get_mut(&node) {
            driver.answered(now, ENTROPY, answer);
        }
        self.go_on(node)
    }

    pub fn wake(&mut self, node: usize, version: u64) -> Held {
        let happening = Happening::Wake { node, version };
        let awake = self.sleeps(node, happening).is_some();
        if awake && self.nodes.get(&node).is_some_and(|node| node.wake_version == version) {
            return self.go_on(node);
        }
        Ok(())
    }

    pub fn wake_in(&mut self, node: usize, ms: i64) {
        if let Some(one) = self.nodes.get_mut(&node) {
            one.wake_version += 1;
            let version = one.wake_version;
            self.after(ms, Happening::Wake { node, version });
        }
    }

    pub fn driver(&self, node: usize) -> Option<&Driver> {
        match &self.nodes.get(&node)?.stage {
            Stage::Driving(driver) => Some(driver),
            Stage::Starting { .. } | Stage::Taking => None,
        }
    }

    /// One round: perform what the driver wants, then wait.
    fn go_on(&mut self, node: usize) -> Held {
        let here = self.points.rounds;
        self.points.rounds += 1;
        if self.faults.contains(&Fault::Usurped { round: here, how: Zombie::Asleep })
            && let Some(one) = self.nodes.get_mut(&node)
        {
            one.asleep_until_ms = self.now_ms + SLEEP_MS;
            self.wake_in(node, SLEEP_MS);
            return Ok(());
        }
        let outrun = |how| self.faults.contains(&Fault::Usurped { round: here, how });
        if outrun(Zombie::Unaware) || outrun(Zombie::Ahead) {
            self.outrun();
        }
        let now = self.clock();
        let Some(Node { stage: Stage::Driving(driver), .. }) = self.nodes.get_mut(&node) else {
            return Ok(());
        };
        let actions = driver.actions(now, ENTROPY);
        let (ending, wake_at) = (driver.ending(), driver.wake_at(now));
        for action in actions {
            let here = self.points.actions;
            self.points.actions += 1;
            if !self.dies_at(here, false) {
                self.perform(node, action)?;
            }
            if self.dies_at(here, false) || self.dies_at(here, true) {
                self.nodes.remove(&node);
                return Ok(());
            }
        }
        if let Some(ending) = ending {
            return self.leave(node, ending);
        }
        let offset_ms = EPOCH_MS + self.ahead_ms + self.now_ms;
        if let Some(at) = wake_at {
            self.wake_in(node, (at.as_millis() - offset_ms).max(1));
        }
        Ok(())
    }

    fn perform(&mut self, node: usize, action: Action) -> Held {
        let id = self.nodes[&node].exec.clone();
        match action {
            Action::Append { epoch, seq, seen, after, events } => {
                let record = serde_json::to_string(&events).expect("events are written");
                if self.sabotage == Some(Sabotage::WriteAhead) {
                    self.call_ahead(node, &events)?;
                }
                let request = Request::Append { id, epoch, seq, after, seen };
                self.send(node, Asked::Append, request, record);
            }
            Action::Renew(epoch) => {
                self.send(node, Asked::Renew, Request::Renew { id, epoch }, String::new());
            }
            Action::Release { epoch, seen, wake_at, seq } => {
                let seq = Some(seq);
                let request = Request::Release { id, epoch, seen, wake_at, seq };
                self.send(node, Asked::Release, request, String::new());
            }
            Action::Call(call) => self.call(node, &call)?,
            Action::Child(child) => self.begin_child(node, child)?,
            Action::CancelChild(child) => self.cancel_child(node, child),
            // What is called off answers all the same: whoever gave it up must not mind.
            Action::Abort(_) => {}
            Action::Report(_) => self.after(1, Happening::Gates { node }),
            Action::Pass { .. } | Action::Return { .. } => {
                return Err(format!("no worker has a gate: {action:?}"));
            }
        }
        Ok(())
    }

    /// Without the write-ahead, calls are made with the append that says so.
    fn call_ahead(&mut self, node: usize, events: &[Event]) -> Held {
        let Some(state) = self.driver(node).map(|driver| driver.state().clone()) else {
            return Ok(());
        };
        let due = events.iter().flat_map(|event| effects(&state, event));
        for effect in due {
            if let Effect::Call(call) = effect {
                self.call(node, &call)?;
            }
        }
        Ok(())
    }

    /// A driver has come to its end: what it leaves is what the journal says.
    fn leave(&mut self, node: usize, ending: Ending) -> Held {
        let Some(gone) = self.nodes.remove(&node) else { return Ok(()) };
        if let (Ending::Ended, Stage::Driving(driver)) = (ending, gone.stage) {
            let journal = self.books.state(&gone.exec)?;
            let own = driver.into_state();
            if journal.finished_at == own.finished_at && *journal != own {
                return Err(format!("{}: its journal says something else", gone.exec));
            }
        }
        Ok(())
    }
}

/// What an answer of the journal means to a driver.
fn journal_said(reply: Option<(Reply, Vec<String>)>) -> Result<Vec<InboxEntry>, Trouble> {
    match reply {
        Some((Reply::Appended { inbox } | Reply::Renewed { inbox }, _)) => Ok(inbox),
        Some((Reply::InboxNotEmpty { inbox }, _)) => Ok(inbox),
        Some((Reply::Released, _)) => Ok(Vec::new()),
        Some(_) => Err(Trouble::Lost),
        None => Err(Trouble::Unavailable),
    }
}
