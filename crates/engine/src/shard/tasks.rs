//! What a shard has to do by itself when a moment comes: ask for drivers, and project.

use super::{Shard, Store, Write};
use crate::ids::{ExecutionId, Seq};
use crate::time::Timestamp;

/// The most executions that are projected together, of those that ended and of those that go on.
const PROJECT_MAX: usize = 100;
/// The most executions for which drivers are asked at a time: the platform bounds what one
/// invocation may send.
pub(super) const HINTS_MAX: usize = 500;

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
        while tasks.hints.len() < HINTS_MAX
            && self.timers.first().is_some_and(|(at, _)| *at <= now)
            && let Some((_, id)) = self.timers.pop_first()
        {
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
        let heard = head.hint_again_at(&timing).is_some_and(|at| at > now);
        if head.needs_driver(now) && !heard {
            head.hinted_at = Some(now);
            head.hints = head.hints.saturating_add(1);
            tasks.hints.push(id.clone());
        }
        if !head.shown && head.started_at.plus(timing.project_running_after) <= now {
            head.shown = true;
            self.behind.insert(id.clone());
            self.project_at.get_or_insert(now);
        }
        // Looking again at the same moment would never end; whatever is due was just done.
        let next = head.look_at(&timing);
        let next = next.map(|at| if at > now { at } else { now.plus(timing.hint_again) });
        head.timer = next;
        if let Some(next) = next {
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
        if let Err(error) = self.note_projected(done) {
            self.project_by(now.plus(self.timing.project_again));
            return Err(error);
        }
        if self.ended > self.projected {
            self.project_by(now);
        } else if !self.behind.is_empty() {
            self.project_by(now.plus(self.timing.project_running_after));
        }
        Ok(())
    }

    fn note_projected(&mut self, done: &[Projected]) -> Result<(), S::Error> {
        let number = done.iter().filter_map(|projected| projected.ended).max();
        let went_on = |projected: &&Projected| {
            projected.ended.is_none() && self.open.contains_key(&projected.id)
        };
        let open: Vec<&Projected> = done.iter().filter(went_on).collect();
        let ends = number.map(|number| Write::EndsProjected { number });
        let heads = open.iter().map(|at| Write::Projected { id: &at.id, seq: at.seq });
        let writes: Vec<Write<'_>> = ends.into_iter().chain(heads).collect();
        if !writes.is_empty() {
            self.store.commit(&writes)?;
        }
        self.projected = number.unwrap_or(self.projected);
        for Projected { id, seq, .. } in open {
            let Some(head) = self.open.get_mut(id) else { continue };
            head.projected = head.projected.max(*seq);
            if !head.is_behind() {
                self.behind.remove(id);
            }
        }
        Ok(())
    }
}
