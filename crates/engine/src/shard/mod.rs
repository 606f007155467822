//! The protocol of a journal shard: who may append to which execution, and who is woken when.
//!
//! A shard holds many executions. It keeps their records in order, gives out leases, stores what
//! comes in for an execution until its driver has acknowledged it, tells parents and children of
//! each other's ends, and knows which executions need a driver or a projection. It never looks
//! into a record or an entry. Its state is a cache of the [`Store`] plus leases, which live in
//! memory alone: after a restart every execution that was being driven gets one grace period, then
//! any driver may take it. A parked execution costs a row and its place in memory: nothing looks
//! at it before its moment or a message comes.

mod ends;
mod figures;
mod head;
mod inbox;
pub mod memory;
mod protocol;
mod requests;
mod store;
mod tasks;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use crate::ids::ExecutionId;
use crate::time::{Millis, Timestamp};
pub use figures::Figures;
use head::Head;
pub use protocol::{
    After, ENTRY_BYTES_MAX, Idempotency, InboxEntry, KEPT_MAX, PROTOCOL, Phase, Reply, Request,
    UNHEARD_MAX, decode, encode,
};
pub use store::{EndedRow, ExecutionRow, IdempotencyRow, Store, Write};
pub use tasks::{Projected, Tasks};

/// Lengths of time that a shard goes by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// How long a lease lasts without an append or a renewal.
    pub lease: Millis,
    /// How long a hint that an execution needs a driver may go unheard before it is sent again.
    pub hint_again: Millis,
    /// How long ended executions are gathered before they are projected together.
    pub project_after: Millis,
    /// The age at which an execution that has not ended is projected.
    pub project_running_after: Millis,
    /// How long to wait after a projection that failed.
    pub project_again: Millis,
    /// How long an idempotency key is remembered.
    pub idempotency: Millis,
    /// How long an ended and projected journal is kept.
    pub retention: Millis,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            lease: Millis::from_secs(30),
            hint_again: Millis::from_secs(5),
            project_after: Millis::new(250),
            project_running_after: Millis::from_secs(2),
            project_again: Millis::from_secs(5),
            idempotency: Millis::from_secs(24 * 3600),
            retention: Millis::from_secs(24 * 3600),
        }
    }
}

/// One shard.
#[derive(Debug)]
pub struct Shard<S> {
    store: S,
    timing: Timing,
    /// Executions that have not ended.
    open: BTreeMap<ExecutionId, Head>,
    /// The open children of executions, which may have ended themselves.
    children: BTreeMap<ExecutionId, BTreeSet<ExecutionId>>,
    /// When to look at an execution again, at most once for each; looked at too early, it is put
    /// back.
    timers: BTreeSet<(Timestamp, ExecutionId)>,
    /// Executions that have not ended and whose projection is behind.
    behind: BTreeSet<ExecutionId>,
    /// The last number that was given to an end, and the last one that was projected.
    ended: u64,
    projected: u64,
    /// When the next projection is due; `None` while nothing is behind or one is under way.
    project_at: Option<Timestamp>,
    projecting: bool,
}

impl<S: Store> Shard<S> {
    /// Loads what is open. Executions that a driver held get one grace period.
    pub fn load(store: S, timing: Timing, now: Timestamp) -> Result<Self, S::Error> {
        let (ended, projected) = (store.last_ended()?, store.projected()?);
        let mut shard = Self {
            store,
            timing,
            open: BTreeMap::new(),
            children: BTreeMap::new(),
            timers: BTreeSet::new(),
            behind: BTreeSet::new(),
            ended,
            projected,
            project_at: (ended > projected).then_some(now),
            projecting: false,
        };
        for row in shard.store.open()? {
            let id = row.id.clone();
            let head = Head::loaded(row, now.plus(timing.lease));
            if head.is_behind() {
                shard.behind.insert(id.clone());
                shard.project_by(now);
            }
            shard.put(id, head);
        }
        Ok(shard)
    }

    /// When [`Shard::tasks`] should be asked next.
    pub fn alarm_at(&self) -> Option<Timestamp> {
        let timer = self.timers.first().map(|(at, _)| *at);
        let project = if self.projecting { None } else { self.project_at };
        timer.into_iter().chain(project).min()
    }

    /// Whether nothing is due, now or later, and nothing is under way.
    pub fn is_idle(&self) -> bool {
        self.timers.is_empty() && self.project_at.is_none() && !self.projecting
    }

    /// The store, to read records from.
    pub fn store(&self) -> &S {
        &self.store
    }

    /// How many executions have not ended.
    pub fn open_count(&self) -> usize {
        self.open.len()
    }

    /// Takes an execution among the open ones.
    fn put(&mut self, id: ExecutionId, head: Head) {
        if let Some(parent) = &head.parent {
            self.children.entry(parent.clone()).or_default().insert(id.clone());
        }
        self.open.insert(id.clone(), head);
        self.arm(&id);
    }

    /// Takes an execution out from among the open ones.
    fn drop_head(&mut self, id: &ExecutionId) {
        self.behind.remove(id);
        let Some(head) = self.open.remove(id) else { return };
        if let Some(at) = head.timer {
            self.timers.remove(&(at, id.clone()));
        }
        let Some(parent) = head.parent else { return };
        if let Some(siblings) = self.children.get_mut(&parent) {
            siblings.remove(id);
            if siblings.is_empty() {
                self.children.remove(&parent);
            }
        }
    }

    /// Sets the execution's timer to the moment at which it is to be looked at. A lease that is
    /// prolonged leaves its timer alone, which finds out when it comes.
    fn arm(&mut self, id: &ExecutionId) {
        let Some(head) = self.open.get_mut(id) else { return };
        let next = head.look_at(&self.timing);
        let before = std::mem::replace(&mut head.timer, next);
        if before == next {
            return;
        }
        if let Some(at) = before {
            self.timers.remove(&(at, id.clone()));
        }
        if let Some(at) = next {
            self.timers.insert((at, id.clone()));
        }
    }

    fn project_by(&mut self, at: Timestamp) {
        self.project_at = Some(self.project_at.map_or(at, |known| known.min(at)));
    }
}
