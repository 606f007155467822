//! Invocations: one that starts an execution, one that a hint woke. Each does what `src/driver/`
//! does on the platform, and may die before or after anything that it does.

use std::collections::{BTreeMap, BTreeSet};

use engine::driver::{Answer, Driver, Limits, Trouble};
use engine::execution::{Child, Event, State};
use engine::ids::{ExecutionId, Fence};
use engine::shard::{InboxEntry, Reply, Request};
use engine::time::{Millis, Timestamp};

use super::check::NodeId;
use super::governor::Permit;
use super::network::Answered;
use super::world::{Happening, Lived, World};

/// How often a driver renews its place with the Governor.
pub const KEEP_PLACE_EVERY_MS: i64 = 10_000;
/// More calls than any execution of these sizes makes under one driver.
pub const CALLS_MAX: u32 = 300;

/// What a request was for.
#[derive(Clone, Debug)]
pub enum Asked {
    Start,
    Take,
    Append,
    Renew,
    Release,
    /// To begin an execution, to look at one, to call one off.
    Child(Box<Child>),
    Look(Box<Child>),
    Tell(ExecutionId),
}

/// How far an invocation has come.
#[derive(Debug)]
pub enum Stage {
    /// Its first record is under way.
    Starting {
        state: Box<State>,
        events: Vec<Event>,
        request: Box<Request>,
        record: String,
        /// Whether it is sent once more when there is no answer.
        again: bool,
    },
    Taking,
    Driving(Box<Driver>),
}

/// One invocation.
#[derive(Debug)]
pub struct Node {
    pub id: NodeId,
    pub exec: ExecutionId,
    pub job: Option<usize>,
    pub ahead_ms: i64,
    pub waiting: BTreeMap<u64, Asked>,
    pub stage: Stage,
    pub limits: Limits,
    pub wake_version: u64,
    /// Calls whose answer would reach it.
    pub flights: BTreeSet<Fence>,
    /// Calls in flight, and calls over service bindings so far.
    pub in_air: BTreeSet<Fence>,
    pub bound_calls: u32,
    /// Calls that it is there for, by what permits are given for.
    pub gated: BTreeMap<Fence, Permit>,
    /// Whether the Governor named workers whose gate is shut.
    pub barred: bool,
    pub keep_at_ms: i64,
}

impl Node {
    pub fn new(
        id: NodeId,
        exec: ExecutionId,
        job: Option<usize>,
        ahead_ms: i64,
        stage: Stage,
        limits: Limits,
    ) -> Self {
        Self {
            id,
            exec,
            job,
            ahead_ms,
            waiting: BTreeMap::new(),
            stage,
            limits,
            wake_version: 0,
            flights: BTreeSet::new(),
            in_air: BTreeSet::new(),
            bound_calls: 0,
            gated: BTreeMap::new(),
            barred: false,
            keep_at_ms: 0,
        }
    }
}

impl World {
    pub fn next_node(&mut self) -> NodeId {
        self.node_last += 1;
        self.node_last
    }

    pub fn limits(&mut self, now: Timestamp, lifetime: Millis) -> Limits {
        Limits {
            lifetime_end: now.plus(lifetime),
            calls_max: match self.rng.chance(500) {
                true => u32::try_from(self.rng.between(1, 4)).unwrap_or(1),
                false => CALLS_MAX,
            },
            in_flight_max: u32::try_from(self.rng.between(1, 4)).unwrap_or(1),
            renew_every: Millis::new(self.timing.lease.get() / 3),
        }
    }

    /// A hint woke an invocation: it asks for the lease.
    pub fn resume(&mut self, id: &ExecutionId) -> Lived {
        let ahead_ms = self.rng.between(0, self.odds.skew_ms);
        let lifetime = Millis::from_secs(if self.rng.chance(500) { 840 } else { 30 });
        let limits = self.limits(self.clock(ahead_ms), lifetime);
        let node = Node::new(self.next_node(), id.clone(), None, ahead_ms, Stage::Taking, limits);
        let number = node.id;
        self.nodes.insert(number, node);
        self.send(number, Asked::Take, Request::Take { id: id.clone() }, String::new());
        Ok(())
    }

    pub fn send_start(&mut self, node: NodeId) -> Lived {
        let Some(Node { stage: Stage::Starting { request, record, .. }, .. }) =
            self.nodes.get(&node)
        else {
            return Ok(());
        };
        let (request, record) = ((**request).clone(), record.clone());
        self.send(node, Asked::Start, request, record);
        Ok(())
    }

    /// Whether an invocation dies here. What it has sent goes on without it.
    pub fn dies(&mut self, node: NodeId) -> bool {
        let dies = self.strikes(self.odds.driver_dies);
        if dies {
            self.fault(&format!("{node} dies"));
            let gone = self.nodes.remove(&node);
            if let Some(job) = gone.filter(|n| matches!(n.stage, Stage::Starting { .. })) {
                // Its client is cut off, and asks again where it can.
                let failed = job.job.map(|number| self.start_failed(number));
                debug_assert!(failed.is_none_or(|failed| failed.is_ok()));
            }
        }
        dies
    }

    pub fn replied(&mut self, node: NodeId, token: u64, answer: Answered) -> Lived {
        let Some(waiting) = self.nodes.get_mut(&node) else { return Ok(()) };
        let Some(asked) = waiting.waiting.remove(&token) else { return Ok(()) };
        if self.dies(node) {
            return Ok(());
        }
        match asked {
            Asked::Start => self.start_replied(node, answer),
            Asked::Take => self.take_replied(node, answer),
            Asked::Append => {
                let result = self.journal_said(node, answer);
                self.bring(node, Answer::Appended(result))
            }
            Asked::Renew => {
                let result = self.journal_said(node, answer);
                self.bring(node, Answer::Renewed(result))
            }
            Asked::Release => {
                let result = self.journal_said(node, answer);
                self.bring(node, Answer::Released(result))
            }
            Asked::Child(child) => self.child_begun(node, child, answer),
            Asked::Look(child) => self.child_seen(node, &child, answer),
            Asked::Tell(child) => self.child_told(node, child, answer),
        }
    }

    /// What an answer of the journal means to a driver: see `drive::ask` in the shell.
    fn journal_said(&mut self, node: NodeId, answer: Answered) -> Result<Vec<InboxEntry>, Trouble> {
        let inbox = match answer {
            Ok((Reply::Appended { inbox } | Reply::Renewed { inbox }, _)) => inbox,
            Ok((Reply::InboxNotEmpty { inbox }, _)) => inbox,
            Ok((Reply::Released, _)) => Vec::new(),
            Ok(_) => return Err(Trouble::Lost),
            Err(()) => return Err(Trouble::Unavailable),
        };
        let id = self.nodes[&node].exec.clone();
        self.check_inbox(node, &id, &inbox);
        Ok(inbox)
    }

    fn start_replied(&mut self, node: NodeId, answer: Answered) -> Lived {
        let Some(mut starter) = self.nodes.remove(&node) else { return Ok(()) };
        let Some(job) = starter.job else { return Ok(()) };
        let now = self.clock(starter.ahead_ms);
        let mut certain = false;
        let found = match answer {
            Ok((Reply::Started { epoch }, _)) => {
                let Stage::Starting { state, events, .. } = starter.stage else { return Ok(()) };
                let driver = Driver::begun(now, *state, &events, epoch, starter.limits);
                starter.stage = Stage::Driving(Box::new(driver));
                starter.keep_at_ms = self.now_ms + KEEP_PLACE_EVERY_MS;
                let id = starter.exec.clone();
                self.nodes.insert(node, starter);
                self.start_decided(job, &id)?;
                return self.go_on(node);
            }
            Ok((Reply::Existing { id }, _)) => {
                certain = id != starter.exec;
                self.start_decided(job, &id)
            }
            Ok((reply, _)) => Err(format!("a start was answered with {reply:?}")),
            Err(()) => {
                if let Stage::Starting { again: again @ true, .. } = &mut starter.stage {
                    *again = false;
                    self.nodes.insert(node, starter);
                    return self.send_start(node);
                }
                self.start_failed(job)
            }
        };
        self.governor.withdraw(self.clock(0), &starter.exec, certain);
        found
    }

    fn take_replied(&mut self, node: NodeId, answer: Answered) -> Lived {
        let Some(mut taker) = self.nodes.remove(&node) else { return Ok(()) };
        let Ok((Reply::Taken { epoch, seq, inbox }, records)) = answer else { return Ok(()) };
        self.report.taken += 1;
        self.check_inbox(node, &taker.exec, &inbox);
        let state = self.checker.replay_records(&taker.exec, &records)?;
        self.governor.keep(self.clock(0), &taker.exec);
        let (now, entropy) = (self.clock(taker.ahead_ms), self.rng.next());
        let lease = (epoch, seq);
        let driver = Driver::taken(now, entropy, state, lease, &inbox, taker.limits);
        taker.stage = Stage::Driving(Box::new(driver));
        taker.keep_at_ms = self.now_ms + KEEP_PLACE_EVERY_MS;
        self.nodes.insert(node, taker);
        self.go_on(node)
    }

    /// Brings a driver an answer. At times more answers arrive before it looks at them.
    pub fn bring(&mut self, node: NodeId, answer: Answer) -> Lived {
        let (ahead_ms, entropy) = match self.nodes.get(&node) {
            Some(node) => (node.ahead_ms, self.rng.next()),
            None => return Ok(()),
        };
        let now = self.clock(ahead_ms);
        if let Some(Node { stage: Stage::Driving(driver), .. }) = self.nodes.get_mut(&node) {
            driver.answered(now, entropy, answer);
        }
        if self.rng.chance(200) {
            let later_ms = self.now_ms + self.rng.between(0, 3);
            self.wake_at(node, Some(later_ms));
            return Ok(());
        }
        self.go_on(node)
    }

    pub fn wake(&mut self, node: NodeId, version: u64) -> Lived {
        if self.nodes.get(&node).is_some_and(|node| node.wake_version == version) {
            return self.go_on(node);
        }
        Ok(())
    }

    pub fn wake_at(&mut self, node: NodeId, at_ms: Option<i64>) {
        if let (Some(node), Some(at_ms)) = (self.nodes.get_mut(&node), at_ms) {
            node.wake_version += 1;
            let (node, version) = (node.id, node.wake_version);
            self.at(at_ms, Happening::Wake { node, version });
        }
    }
}
