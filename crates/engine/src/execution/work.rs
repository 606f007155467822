//! What is known of one unit of work, and of a step as a whole. Only [`super::State::apply`]
//! changes it.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use serde_json::Value;

use super::{Fault, HeldBy, Memoised, Payload, SkipReason, StepStatus};
use crate::ids::{ExecutionId, Fence};
use crate::money::MicroUsd;
use crate::plan::StepSet;
use crate::time::Timestamp;

/// One try of a unit that is in flight.
#[derive(Clone, Debug, PartialEq)]
pub struct Attempt {
    /// What its result must carry.
    pub fence: Fence,
    /// When it started.
    pub started_at: Timestamp,
    /// When it is given up.
    pub deadline_at: Timestamp,
    /// What is kept back for its cost, and for undoing it.
    pub reserved: MicroUsd,
    /// Whether its worker has taken it and works on without a connection.
    pub accepted: bool,
    /// The execution that it is.
    pub child: Option<ExecutionId>,
}

impl Attempt {
    /// Whether its result comes by itself: no driver needs to be there for it.
    pub fn is_handed_over(&self) -> bool {
        self.accepted || self.child.is_some()
    }
}

/// What attempts are made of: a step, one element of a map, or what undoes a step.
#[derive(Clone, Debug, PartialEq)]
pub struct Work {
    /// Where it stands.
    pub status: StepStatus,
    /// How often it was asked for anew.
    pub generation: u32,
    /// Attempts in this generation, of both workers.
    pub attempts: u32,
    /// Attempts of the worker that is asked now.
    pub attempts_of_target: u32,
    /// The attempt in flight.
    pub attempt: Option<Attempt>,
    /// The execution that its last attempt began.
    pub child: Option<ExecutionId>,
    /// Whether the fallback worker is asked.
    pub fallback: bool,
    /// When the next attempt is due.
    pub retry_at: Option<Timestamp>,
    /// The gate that holds it, and when it is worth asking again.
    pub held: Option<(HeldBy, Timestamp)>,
    /// When the first attempt started.
    pub started_at: Option<Timestamp>,
    /// When it is given up, all attempts together.
    pub give_up_at: Option<Timestamp>,
    /// When it was settled.
    pub finished_at: Option<Timestamp>,
    /// What it produced.
    pub output: Option<Payload>,
    /// The last failure.
    pub fault: Option<Fault>,
    /// What its attempts cost.
    pub cost: MicroUsd,
    /// Whether some of that is an estimate.
    pub cost_estimated: bool,
    /// What an earlier answer to the same call saved.
    pub memoised: Option<Memoised>,
    /// What it is sent instead of what its mapping gives.
    pub input: Option<Arc<Value>>,
}

/// One step of an execution.
#[derive(Clone, Debug, PartialEq)]
pub struct StepState {
    /// The step as a unit of work.
    pub work: Work,
    /// Whose output it has, when it was not done here.
    pub reused_from: Option<ExecutionId>,
    /// Why it was left out.
    pub skipped: Option<SkipReason>,
    /// The elements, once a map knows them.
    pub map: Option<Box<MapState>>,
    /// What it waits for, while it does.
    pub wait: Option<WaitState>,
    /// What undoes it, once that has begun.
    pub undo: Option<Box<Work>>,
    /// Whether it was called off because others had done what it was for.
    pub needless: bool,
    /// Its place among those that succeeded, by time.
    pub(super) completion: u64,
    /// What it wrote into `data`.
    pub(super) writes: Writes,
    /// Dependencies that are not settled.
    pub(super) waits_for: u32,
    /// When it could start first.
    pub(super) ready_at: Option<Timestamp>,
    /// Steps before it that were not settled when it could start: it never sees what they write.
    pub(super) blind: StepSet,
}

/// A step is a unit of work with more to it.
impl Deref for StepState {
    type Target = Work;

    fn deref(&self) -> &Work {
        &self.work
    }
}

impl DerefMut for StepState {
    fn deref_mut(&mut self) -> &mut Work {
        &mut self.work
    }
}

/// The elements of a map.
#[derive(Clone, Debug, PartialEq)]
pub struct MapState {
    /// What each element is done with; empty where the state was replayed without large outputs.
    pub items: Arc<Vec<Value>>,
    /// The elements, in order.
    pub elements: Vec<Work>,
    /// Elements that have not begun.
    pub(super) pending: BTreeSet<u32>,
    /// Elements in flight or between two attempts.
    pub(super) busy: u32,
    /// Elements that are settled, and those of them that failed.
    pub settled: u32,
    /// See `settled`.
    pub failed: u32,
    /// The size of their outputs.
    pub(super) bytes: usize,
}

/// What a wait waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WaitState {
    /// When it is over, or given up.
    pub until: Option<Timestamp>,
    /// The signal.
    pub signal: Option<String>,
}

/// What a step wrote into `data`.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) enum Writes {
    #[default]
    Nothing,
    /// Each top-level field of its output.
    Fields,
    /// What its output mapping gave.
    Mapped(BTreeMap<String, Arc<Value>>),
    /// The whole output under the step's name: it is no object.
    Named,
    /// The field `results` of the output under the step's name: it is a map's.
    Results,
}

impl Work {
    pub(super) fn new(status: StepStatus, generation: u32) -> Self {
        Self {
            status,
            generation,
            attempts: 0,
            attempts_of_target: 0,
            attempt: None,
            child: None,
            fallback: false,
            retry_at: None,
            held: None,
            started_at: None,
            give_up_at: None,
            finished_at: None,
            output: None,
            fault: None,
            cost: MicroUsd::ZERO,
            cost_estimated: false,
            memoised: None,
            input: None,
        }
    }

    /// The same work, asked for anew. What it cost so far was spent.
    pub(super) fn renewed(&self, status: StepStatus) -> Self {
        let mut work = Self::new(status, self.generation + 1);
        work.cost = self.cost;
        work.cost_estimated = self.cost_estimated;
        work
    }
}

impl StepState {
    pub(super) fn new(waits_for: u32) -> Self {
        let status = if waits_for == 0 { StepStatus::Ready } else { StepStatus::Pending };
        Self::of(Work::new(status, 1), waits_for)
    }

    pub(super) fn of(work: Work, waits_for: u32) -> Self {
        Self {
            work,
            reused_from: None,
            skipped: None,
            map: None,
            wait: None,
            undo: None,
            needless: false,
            completion: 0,
            writes: Writes::Nothing,
            waits_for,
            ready_at: None,
            blind: StepSet::default(),
        }
    }
}

impl MapState {
    pub(super) fn new(items: Arc<Vec<Value>>, count: u32, generation: u32) -> Self {
        let element = Work::new(StepStatus::Ready, generation);
        Self {
            items,
            elements: vec![element; count as usize],
            pending: (0..count).collect(),
            busy: 0,
            settled: 0,
            failed: 0,
            bytes: 0,
        }
    }
}
