//! What a shard has to do by itself when a moment comes: ask for drivers, and project.

use super::{Shard, Store};
use crate::ids::{ExecutionId, Seq};
use crate::time::Timestamp;

/// The most executions that are projected together.
const PROJECT_MAX: usize = 100;

/// What is due.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tasks {
    /// Executions that need a driver: a message on the queue for each.
    pub hints: Vec<ExecutionId>,
    /// Executions to project, ended ones in the order of their ends.
    pub project: Vec<Projected>,
}

/// An execution whose projection is due, or was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Projected {
    /// The execution.
    pub id: ExecutionId,
    /// The place of the last record that the projection shows.
    pub seq: Seq,
    /// Its number among those that ended; `None` for one that has not.
    pub ended: Option<u64>,
}

impl<S: Store> Shard<S> {
    /// What is due now. A projection that is handed out must be answered by [`Shard::projected`].
    pub fn tasks(&mut self, now: Timestamp) -> Result<Tasks, S::Error> {
        let mut tasks = Tasks::default();
        while let Some((at, id)) = self.timers.first().cloned() {
            if at > now {
                break;
            }
            self.timers.pop_first();
            self.look(now, id, &mut tasks);
        }
        let due = self.project_at.is_some_and(|at| at <= now);
        if due && !self.projecting {
            tasks.project = self.to_project()?;
            self.project_at = None;
            self.projecting = !tasks.project.is_empty();
        }
        Ok(tasks)
    }

    fn look(&mut self, now: Timestamp, id: ExecutionId, tasks: &mut Tasks) {
        let timing = self.timing;
        let Some(head) = self.open.get_mut(&id) else { return };
        if !head.is_held(now) {
            head.lease_until = None;
        }
        let heard = head.hinted_at.is_some_and(|at| at.plus(timing.hint_again) > now);
        if head.needs_driver(now) && !heard {
            head.hinted_at = Some(now);
            tasks.hints.push(id.clone());
        }
        let old = head.started_at.plus(timing.project_running_after) <= now;
        if head.projected == Seq::default() && old {
            head.projected = head.seq;
            self.behind.insert(id.clone());
            self.project_at.get_or_insert(now);
        }
        let next = head.look_at(&timing);
        // Looking again at the same moment would never end; whatever is due was just done.
        let next = if next > now { next } else { now.plus(timing.hint_again) };
        if next.as_millis() < i64::MAX {
            self.timers.insert((next, id));
        }
    }

    fn to_project(&self) -> Result<Vec<Projected>, S::Error> {
        let ended = self.store.ended_after(self.projected, PROJECT_MAX)?;
        let ended = ended.into_iter().map(|row| Projected {
            id: row.id,
            seq: row.seq,
            ended: Some(row.number),
        });
        let open = self.behind.iter().filter_map(|id| {
            let seq = self.open.get(id)?.seq;
            Some(Projected { id: id.clone(), seq, ended: None })
        });
        Ok(ended.chain(open.take(PROJECT_MAX)).collect())
    }

    /// Takes note of how a projection went: what was acknowledged is not projected again.
    pub fn projected(
        &mut self,
        now: Timestamp,
        done: Result<&[Projected], ()>,
    ) -> Result<(), S::Error> {
        self.projecting = false;
        let Ok(done) = done else {
            self.project_by(now.plus(self.timing.project_again));
            return Ok(());
        };
        if let Some(number) = done.iter().filter_map(|projected| projected.ended).max() {
            if let Err(error) = self.store.set_projected(number) {
                self.project_by(now.plus(self.timing.project_again));
                return Err(error);
            }
            self.projected = number;
        }
        for projected in done.iter().filter(|projected| projected.ended.is_none()) {
            let current = self.open.get_mut(&projected.id).is_none_or(|head| {
                head.projected = projected.seq;
                head.seq == projected.seq
            });
            if current {
                self.behind.remove(&projected.id);
            }
        }
        if self.ended > self.projected {
            self.project_by(now);
        } else if !self.behind.is_empty() {
            self.project_by(now.plus(self.timing.project_running_after));
        }
        Ok(())
    }
}
