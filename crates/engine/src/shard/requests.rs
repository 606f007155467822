//! Answers to requests. Memory changes only after the store has: a request that fails leaves the
//! shard as it was, and may be made again.

use serde_json::Value;

use super::head::Head;
use super::{After, ExecutionRow, Idempotency, IdempotencyRow, InboxEntry, Phase, Reply};
use super::{Request, Shard, Store};
use crate::ids::{Epoch, ExecutionId, InboxSeq, Seq};
use crate::time::Timestamp;

/// The most journals that one sweep forgets.
const PURGE_MAX: usize = 500;

type Answer<S> = Result<(Reply, Vec<String>), <S as Store>::Error>;

impl<S: Store> Shard<S> {
    /// Answers a request; `record` is what travels beside a start or an append.
    pub fn handle(&mut self, now: Timestamp, request: Request, record: &str) -> Answer<S> {
        let bare = |reply: Result<Reply, S::Error>| reply.map(|reply| (reply, Vec::new()));
        match request {
            Request::Start { id, account, at, idempotency, after, .. } => {
                let row = ExecutionRow {
                    id,
                    account,
                    started_at: at,
                    epoch: Epoch(1),
                    phase: Phase::Active,
                    wake_at: None,
                    seq: Seq(1),
                    inbox: InboxSeq(0),
                    inbox_seen: InboxSeq(0),
                };
                bare(self.start(now, row, idempotency, after, record))
            }
            Request::Append { id, epoch, seq, after, .. } => {
                bare(self.append(now, &id, epoch, seq, after, record))
            }
            Request::Take { id } => self.take(now, &id),
            Request::Renew { id, epoch } => bare(self.renew(now, &id, epoch)),
            Request::Release { id, epoch, seen, wake_at } => {
                bare(self.release(now, &id, epoch, seen, wake_at))
            }
            Request::Post { id, entry, .. } => bare(self.post(now, &id, entry)),
            Request::Read { id, after } => self.read(&id, after),
            Request::Peek { id } => bare(self.peek(&id)),
            Request::Sweep => bare(self.sweep(now)),
        }
    }

    fn start(
        &mut self,
        now: Timestamp,
        mut row: ExecutionRow,
        idempotency: Option<Idempotency>,
        after: After,
        record: &str,
    ) -> Result<Reply, S::Error> {
        if let Some(given) = &idempotency
            && let Some(known) = self.store.key(&given.key_hash)?
            && known.expires_at > now
            && known.id != row.id
        {
            let same = known.body_hash == given.body_hash;
            return Ok(if same { Reply::Existing { id: known.id } } else { Reply::KeyConflict });
        }
        if let Some(reply) = self.started_before(now, &row)? {
            return Ok(reply);
        }
        let ended = match after {
            After::Active => None,
            After::Ended => {
                row.phase = Phase::Ended;
                Some(self.ended + 1)
            }
        };
        let key = idempotency.map(|given| {
            let expires_at = now.plus(self.timing.idempotency);
            let known =
                IdempotencyRow { id: row.id.clone(), body_hash: given.body_hash, expires_at };
            (given.key_hash, known)
        });
        let key = key.as_ref().map(|(hash, known)| (hash.as_str(), known));
        self.store.insert(&row, record, ended, key)?;
        match ended {
            Some(number) => self.note_end(now, &row.id, number),
            None => {
                let head = Head::begun(&row, now.plus(self.timing.lease));
                self.look_by(&row.id, head.look_at(&self.timing));
                self.open.insert(row.id, head);
            }
        }
        Ok(Reply::Started { epoch: row.epoch })
    }

    /// Ids are random: a start with a known one is the same start again, whose answer was lost. It
    /// begins nothing; when another driver has gone on meanwhile, it is told so.
    fn started_before(
        &mut self,
        now: Timestamp,
        row: &ExecutionRow,
    ) -> Result<Option<Reply>, S::Error> {
        let begun = match self.open.get_mut(&row.id) {
            Some(head) if head.is_lease(row.epoch) && head.seq == row.seq => {
                head.lease_until = Some(now.plus(self.timing.lease));
                true
            }
            Some(_) => false,
            None => match self.store.execution(&row.id)? {
                None => return Ok(None),
                Some(known) => known.seq == row.seq,
            },
        };
        Ok(Some(if begun {
            Reply::Started { epoch: row.epoch }
        } else {
            Reply::Existing { id: row.id.clone() }
        }))
    }

    fn append(
        &mut self,
        now: Timestamp,
        id: &ExecutionId,
        epoch: Epoch,
        seq: Seq,
        after: After,
        record: &str,
    ) -> Result<Reply, S::Error> {
        let Some(head) = self.open.get(id) else {
            return self.append_to_ended(id, epoch, seq, record);
        };
        if !head.is_lease(epoch) {
            return Ok(Reply::StaleEpoch { epoch: head.epoch });
        }
        let until = now.plus(self.timing.lease);
        if seq == head.seq && self.is_last_record(id, seq, record)? {
            if let Some(head) = self.open.get_mut(id) {
                head.lease_until = Some(until);
            }
            return Ok(Reply::Appended { inbox: self.unseen(id)? });
        }
        if seq != head.seq.next() {
            return Ok(Reply::OutOfSequence { seq: head.seq });
        }
        let number = self.ended + 1;
        let ended = (after == After::Ended).then_some((number, now));
        self.store.append(id, seq, record, ended)?;
        if ended.is_some() {
            self.note_end(now, id, number);
            return Ok(Reply::Appended { inbox: Vec::new() });
        }
        if let Some(head) = self.open.get_mut(id) {
            head.seq = seq;
            head.lease_until = Some(until);
            if head.projected > Seq::default() && self.behind.insert(id.clone()) {
                self.project_by(now.plus(self.timing.project_running_after));
            }
        }
        Ok(Reply::Appended { inbox: self.unseen(id)? })
    }

    /// The append that carried the end may be repeated when its answer was lost.
    fn append_to_ended(
        &self,
        id: &ExecutionId,
        epoch: Epoch,
        seq: Seq,
        record: &str,
    ) -> Result<Reply, S::Error> {
        Ok(match self.store.execution(id)? {
            None => Reply::Unknown,
            Some(row) if row.epoch != epoch => Reply::StaleEpoch { epoch: row.epoch },
            Some(row) if row.seq == seq && self.is_last_record(id, seq, record)? => {
                Reply::Appended { inbox: Vec::new() }
            }
            Some(_) => Reply::Ended,
        })
    }

    fn is_last_record(&self, id: &ExecutionId, seq: Seq, record: &str) -> Result<bool, S::Error> {
        let last = self.store.records(id, Seq(seq.0.saturating_sub(1)))?;
        Ok(last.first().is_some_and(|last| last == record))
    }

    fn note_end(&mut self, now: Timestamp, id: &ExecutionId, number: u64) {
        self.ended = number;
        self.open.remove(id);
        self.behind.remove(id);
        self.project_by(now.plus(self.timing.project_after));
    }

    fn take(&mut self, now: Timestamp, id: &ExecutionId) -> Answer<S> {
        let Some(head) = self.open.get(id) else {
            let known = self.store.execution(id)?.is_some();
            return Ok((if known { Reply::Ended } else { Reply::Unknown }, Vec::new()));
        };
        if let Some(until) = head.lease_until.filter(|until| *until > now) {
            return Ok((Reply::Held { until }, Vec::new()));
        }
        let (epoch, seq) = (head.epoch.next(), head.seq);
        let records = self.store.records(id, Seq(0))?;
        let inbox = self.unseen(id)?;
        self.store.take(id, epoch)?;
        let until = now.plus(self.timing.lease);
        if let Some(head) = self.open.get_mut(id) {
            head.epoch = epoch;
            head.lease_until = Some(until);
            head.released = false;
            head.hinted_at = None;
            head.parked = false;
            head.wake_at = None;
        }
        self.look_by(id, until);
        Ok((Reply::Taken { epoch, seq, inbox }, records))
    }

    fn renew(&mut self, now: Timestamp, id: &ExecutionId, epoch: Epoch) -> Result<Reply, S::Error> {
        let until = now.plus(self.timing.lease);
        match self.open.get_mut(id) {
            None => self.gone(id),
            Some(head) if !head.is_lease(epoch) => Ok(Reply::StaleEpoch { epoch: head.epoch }),
            Some(head) => {
                head.lease_until = Some(until);
                Ok(Reply::Renewed { inbox: self.unseen(id)? })
            }
        }
    }

    fn release(
        &mut self,
        now: Timestamp,
        id: &ExecutionId,
        epoch: Epoch,
        seen: InboxSeq,
        wake_at: Timestamp,
    ) -> Result<Reply, S::Error> {
        let Some(head) = self.open.get(id) else { return self.gone(id) };
        if head.epoch != epoch {
            return Ok(Reply::StaleEpoch { epoch: head.epoch });
        }
        if head.released {
            return Ok(Reply::Released);
        }
        if head.inbox > seen {
            return Ok(Reply::InboxNotEmpty { inbox: self.store.inbox(id, seen)? });
        }
        let parked = wake_at > now;
        let phase = if parked { Phase::Parked } else { Phase::Active };
        self.store.release(id, phase, Some(wake_at), seen)?;
        if let Some(head) = self.open.get_mut(id) {
            head.lease_until = None;
            head.released = true;
            head.hinted_at = None;
            head.parked = parked;
            head.wake_at = parked.then_some(wake_at);
            head.inbox_seen = seen;
        }
        if parked {
            self.behind.insert(id.clone());
            self.project_by(now.plus(self.timing.project_after));
        }
        self.look_by(id, if parked { wake_at } else { now });
        Ok(Reply::Released)
    }

    fn post(&mut self, now: Timestamp, id: &ExecutionId, entry: Value) -> Result<Reply, S::Error> {
        let Some(head) = self.open.get(id) else { return self.gone(id) };
        let entry = InboxEntry { n: head.inbox.next(), entry };
        self.store.post(id, &entry)?;
        if let Some(head) = self.open.get_mut(id) {
            head.inbox = entry.n;
        }
        self.look_by(id, now);
        Ok(Reply::Posted { n: entry.n })
    }

    fn read(&self, id: &ExecutionId, after: Seq) -> Answer<S> {
        let (seq, phase, account) = match self.open.get(id) {
            Some(head) => (head.seq, head.phase(), head.account.clone()),
            None => match self.store.execution(id)? {
                Some(row) => (row.seq, row.phase, row.account),
                None => return Ok((Reply::Unknown, Vec::new())),
            },
        };
        Ok((
            Reply::Records { seq, phase, account, lease_until: None, unheard: 0, wake_at: None },
            self.store.records(id, after)?,
        ))
    }

    fn peek(&self, id: &ExecutionId) -> Result<Reply, S::Error> {
        if let Some(head) = self.open.get(id) {
            return Ok(Reply::Standing {
                seq: head.seq,
                phase: head.phase(),
                lease_until: None,
                unheard: 0,
                wake_at: None,
            });
        }
        let row = self.store.execution(id)?;
        Ok(row.map_or(Reply::Unknown, |row| Reply::Standing {
            seq: row.seq,
            phase: row.phase,
            lease_until: None,
            unheard: 0,
            wake_at: None,
        }))
    }

    fn sweep(&mut self, now: Timestamp) -> Result<Reply, S::Error> {
        let age = i64::try_from(self.timing.retention.get()).unwrap_or(i64::MAX);
        let before = Timestamp::from_millis(now.as_millis().saturating_sub(age));
        self.store.purge(self.projected, before, now, PURGE_MAX)?;
        Ok(Reply::Swept)
    }

    fn unseen(&self, id: &ExecutionId) -> Result<Vec<InboxEntry>, S::Error> {
        match self.open.get(id) {
            Some(head) if head.inbox > head.inbox_seen => self.store.inbox(id, head.inbox_seen),
            _ => Ok(Vec::new()),
        }
    }

    fn gone(&self, id: &ExecutionId) -> Result<Reply, S::Error> {
        let known = self.store.execution(id)?.is_some();
        Ok(if known { Reply::Ended } else { Reply::Unknown })
    }
}
