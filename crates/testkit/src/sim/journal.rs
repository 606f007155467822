//! The shard's process: its one alarm, its lives, its hints and its projections. What
//! `src/journal/mod.rs` does on the platform is done here.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::sync::Arc;

use engine::ids::{Epoch, ExecutionId};
use engine::shard::{InboxEntry, Projected, Reply, Request, Shard, Tasks};
use engine::time::{Millis, Timestamp};
use serde_json::json;

use super::Sabotage;
use super::check::NodeId;
use super::letters::Letter;
use super::network::Answered;
use super::store::{SimStore, WriteFailed};
use super::world::{EPOCH_MS, Happening, Lived, World};

/// An alarm handler that dies is called again; this one comes back by itself after so long.
const ALARM_AGAIN: Millis = Millis::from_secs(5);

/// How often the pause between two hints doubles at most.
const HINT_DOUBLINGS_MAX: u32 = 4;

/// What the shard's process remembers besides its shard. The alarm survives a restart.
#[derive(Debug, Default)]
pub struct Outbox {
    alarm: Option<Timestamp>,
    alarm_version: u64,
    /// Hints that were sent, by the lease that nobody held: for worlds that send none twice.
    hinted: BTreeSet<(ExecutionId, Epoch)>,
    /// When the last hint for an execution was sent.
    hinted_ms: BTreeMap<ExecutionId, i64>,
}

impl World {
    fn shard_now(&self) -> Timestamp {
        self.clock(self.shard_ahead_ms)
    }

    /// Uses the shard, which is loaded by the first use after a restart.
    fn with<T>(
        &mut self,
        with: impl FnOnce(&mut Shard<SimStore>, Timestamp) -> Result<T, WriteFailed>,
    ) -> Result<T, WriteFailed> {
        let now = self.shard_now();
        if self.shard.is_none() {
            self.life += 1;
            let store = SimStore(Rc::clone(&self.disk));
            self.shard = Some(Shard::load(store, self.timing, now)?);
        }
        with(self.shard.as_mut().expect("the shard was just loaded"), now)
    }

    /// Has the shard answer; `asked` is what the driver sent, `request` what arrives.
    pub fn ask_shard(
        &mut self,
        from: Option<NodeId>,
        asked: &Request,
        request: Request,
        record: &str,
    ) -> Result<Answered, String> {
        if self.strikes(self.odds.store_fails) {
            self.fault("the next write fails");
            self.disk.borrow_mut().fails = true;
        }
        let answer = self.with(|shard, now| shard.handle(now, request, record));
        self.disk.borrow_mut().fails = false;
        self.check_durable()?;
        if let Ok((reply, _)) = &answer {
            self.check_reply(from, asked, reply, record)?;
        }
        let due = self.with(|shard, now| Ok(shard.alarm_at().is_some_and(|at| at <= now)));
        if due.is_ok_and(|due| due) {
            self.work()?;
        }
        self.keep_alarm();
        Ok(answer.map_err(|WriteFailed| ()))
    }

    /// Shows the checkers what has become durable.
    fn check_durable(&mut self) -> Lived {
        let fresh = std::mem::take(&mut self.disk.borrow_mut().fresh);
        for durable in fresh {
            let job = self.jobs.iter().find(|job| job.ids.contains(&durable.id));
            let template = job.map(|job| Arc::clone(&self.templates[job.template]));
            self.tell(|| format!("durable: {} {}", durable.seq, durable.record));
            self.checker.durable(self.now_ms, &durable, template)?;
        }
        Ok(())
    }

    fn check_reply(
        &mut self,
        from: Option<NodeId>,
        asked: &Request,
        reply: &Reply,
        record: &str,
    ) -> Lived {
        self.tell(|| format!("{from:?} asked {asked:?}: {reply:?}"));
        match (asked, reply, from) {
            (Request::Start { id, driven: true, .. }, Reply::Started { epoch }, Some(node))
            | (Request::Take { id }, Reply::Taken { epoch, .. }, Some(node)) => {
                self.checker.granted(id, node, *epoch)
            }
            (Request::Append { id, epoch, seen, .. }, Reply::Appended { .. }, Some(node)) => {
                self.checker.acknowledged(id, node, seen.0)?;
                self.checker.accepted(id, node, *epoch)
            }
            (Request::Renew { id, epoch }, Reply::Renewed { .. }, Some(node)) => {
                self.checker.accepted(id, node, *epoch)
            }
            (Request::Append { id, seq, .. }, Reply::OutOfSequence { .. }, Some(node)) => {
                self.checker.refused(id, node, *seq, record)
            }
            (Request::Release { id, .. }, Reply::Released, Some(node)) => {
                self.checker.released(id, node)
            }
            (Request::Post { id, entry, reopens, .. }, Reply::Posted { n }, _) => {
                self.checker.posted(id, n.0, entry, *reopens);
                Ok(())
            }
            (Request::Post { id, reopens: true, .. }, Reply::Ended, _) => {
                Err(format!("{id} has ended, and is not opened again"))
            }
            _ => Ok(()),
        }
    }

    /// Notes what a driver is told.
    pub fn check_inbox(&mut self, node: NodeId, id: &ExecutionId, inbox: &[InboxEntry]) {
        if let Some(last) = inbox.iter().map(|entry| entry.n.0).max() {
            self.checker.met(id, node, last);
        }
    }

    /// Sends something that no build understands to any execution that has not ended.
    pub fn post(&mut self) -> Lived {
        let open = self.checker.unfinished();
        let picked = usize::try_from(self.rng.below(open.len() as u64)).unwrap_or(0);
        let Some(id) = open.get(picked) else { return Ok(()) };
        let entry = json!({"signal": self.now_ms});
        let letter = Letter { to: id.clone(), entry, key: None, reopens: false };
        self.letter_arrives(letter)
    }

    /// Whether somebody was asked to drive the execution, so lately that it is not asked again:
    /// whoever does not hear is asked less often.
    pub fn hinted_of_late(&self, id: &ExecutionId) -> bool {
        let longest = self.timing.hint_again.get() << HINT_DOUBLINGS_MAX;
        let since_ms = self.now_ms - i64::try_from(longest).unwrap_or(0);
        self.outbox.hinted_ms.get(id).is_some_and(|at_ms| *at_ms >= since_ms)
    }

    /// The alarm comes. It is set again before the work: should the handler die, the next comes.
    pub fn alarm(&mut self, version: u64) -> Lived {
        if version != self.outbox.alarm_version {
            return Ok(());
        }
        self.set_alarm(self.shard_now().plus(ALARM_AGAIN));
        if self.strikes(self.odds.store_fails) {
            self.fault("the alarm handler dies");
            self.shard = None;
            return Ok(());
        }
        self.work()?;
        self.outbox.alarm = None;
        self.keep_alarm();
        Ok(())
    }

    /// Does what is due. What fails stays due: it is asked for again.
    pub fn work(&mut self) -> Lived {
        let Ok(tasks) = self.with(|shard, now| shard.tasks(now)) else { return Ok(()) };
        let Tasks { hints, project } = tasks;
        for id in hints {
            self.hint(id);
        }
        if !project.is_empty() {
            let reached = !self.strikes(self.odds.projection_fails);
            let latency_ms = self.rng.between(5, 300);
            let life = self.life;
            self.after(latency_ms, Happening::Projection { life, done: project, reached });
        }
        Ok(())
    }

    /// A message on the queue: at least once, when it is not lost.
    fn hint(&mut self, id: ExecutionId) {
        let epoch = self.disk.borrow().row(&id).map(|row| row.epoch).unwrap_or_default();
        let first = self.outbox.hinted.insert((id.clone(), epoch));
        self.outbox.hinted_ms.insert(id.clone(), self.now_ms);
        if self.sabotage == Some(Sabotage::HintResend) && !first {
            return;
        }
        self.tell(|| format!("a hint for {id}"));
        if self.strikes(self.odds.hint_lost) {
            return self.fault("the hint is lost");
        }
        if self.strikes(self.odds.hint_doubled) {
            self.fault("the hint is doubled");
            let late = self.rng.between(0, 20_000);
            self.after(late, Happening::Hint(id.clone()));
        }
        let mut latency_ms = self.rng.between(1, 80);
        if self.strikes(self.odds.hint_late) {
            self.fault("the hint is late");
            latency_ms = self.rng.between(1_000, 60_000);
        }
        self.after(latency_ms, Happening::Hint(id));
    }

    /// A projection reached the database or did not. A shard that restarted has forgotten it.
    pub fn projection(&mut self, life: u64, done: &[Projected], reached: bool) -> Lived {
        if reached {
            self.settle(done)?;
            self.checker.projected(done);
        } else {
            self.fault("a projection fails");
        }
        if life != self.life || self.shard.is_none() {
            return Ok(());
        }
        let fails = self.strikes(self.odds.store_fails);
        self.disk.borrow_mut().fails = fails;
        let done = if reached { Ok(done) } else { Err(()) };
        let noted = self.with(|shard, now| shard.projected(now, done));
        self.disk.borrow_mut().fails = false;
        if noted.is_err() {
            self.fault("a projection is not noted");
        }
        self.keep_alarm();
        Ok(())
    }

    /// What executions that have ended spent goes to the Governor before they are done with.
    fn settle(&mut self, done: &[Projected]) -> Lived {
        let now = self.clock(0);
        for projected in done.iter().filter(|projected| projected.ended.is_some()) {
            let state = self.checker.replay(&projected.id)?;
            // A sub-execution spends what its parent reserved.
            if state.status.is_final() && state.started.parent.is_none() {
                self.governor.settle(now, &projected.id, state.spent);
            }
        }
        Ok(())
    }

    fn keep_alarm(&mut self) {
        let Ok(wanted) = self.with(|shard, _| Ok(shard.alarm_at())) else { return };
        match (wanted, self.outbox.alarm) {
            (Some(wanted), Some(set)) if set <= wanted => {}
            (Some(wanted), _) => self.set_alarm(wanted),
            (None, _) => {}
        }
    }

    fn set_alarm(&mut self, at: Timestamp) {
        let at = at.max(self.shard_now().plus(Millis::new(1)));
        self.outbox.alarm = Some(at);
        self.outbox.alarm_version += 1;
        let version = self.outbox.alarm_version;
        let offset_ms = EPOCH_MS + self.ahead_ms + self.shard_ahead_ms;
        self.at(at.as_millis() - offset_ms, Happening::Alarm { version });
    }

    /// After a clock jumped, the alarm comes when the clock says so.
    pub fn set_alarm_again(&mut self) {
        if let Some(at) = self.outbox.alarm {
            self.set_alarm(at);
        }
    }
}
