//! Answers to requests. Memory changes only after the store has: a request that fails leaves the
//! shard as it was, and may be made again.

use super::ends::Notice;
use super::head::Head;
use super::inbox::Post;
use super::{
    After, ExecutionRow, Idempotency, IdempotencyRow, KEPT_MAX, Phase, Reply, Request, Shard,
};
use super::{Store, Write};
use crate::execution::Message;
use crate::ids::{Epoch, ExecutionId, InboxSeq, Seq};
use crate::time::Timestamp;

/// The most journals that one sweep forgets.
const PURGE_MAX: usize = 500;

type Answer<S> = Result<(Reply, Vec<String>), <S as Store>::Error>;

/// A start that is about to be written.
struct Beginning<'a> {
    row: ExecutionRow,
    idempotency: Option<Idempotency>,
    after: After,
    record: &'a str,
}

/// An append that is about to be written.
struct Place<'a> {
    epoch: Epoch,
    seq: Seq,
    after: After,
    seen: InboxSeq,
    record: &'a str,
}

impl<S: Store> Shard<S> {
    /// Answers a request; `record` is what travels beside a start or an append.
    pub fn handle(&mut self, now: Timestamp, request: Request, record: &str) -> Answer<S> {
        let bare = |reply: Result<Reply, S::Error>| reply.map(|reply| (reply, Vec::new()));
        match request {
            Request::Start { id, account, at, idempotency, after, parent, driven } => {
                let row = ExecutionRow {
                    id,
                    account,
                    parent,
                    started_at: at,
                    epoch: Epoch(1),
                    phase: Phase::Active,
                    wake_at: (!driven).then_some(now),
                    seq: Seq(1),
                    inbox: InboxSeq(0),
                    inbox_seen: InboxSeq(0),
                    projected: Seq(0),
                };
                bare(self.start(now, Beginning { row, idempotency, after, record }))
            }
            Request::Append { id, epoch, seq, after, seen } => {
                bare(self.append(now, &id, Place { epoch, seq, after, seen, record }))
            }
            Request::Take { id } => self.take(now, &id),
            Request::Renew { id, epoch } => bare(self.renew(now, &id, epoch)),
            Request::Release { id, epoch, seen, wake_at, seq } => {
                if let Some(last) = self.overtaken(&id, epoch, seq) {
                    return Ok((Reply::OutOfSequence { seq: last }, Vec::new()));
                }
                bare(self.release(now, &id, epoch, seen, wake_at))
            }
            Request::Post { id, entry, key, reopens } => {
                bare(self.post(now, &id, Post { entry, key, reopens }))
            }
            Request::Read { id, after } => self.read(now, &id, after),
            Request::Posted { id, key } => bare(self.posted(&id, &key)),
            Request::Peek { id } => bare(self.peek(now, &id)),
            Request::Kept { ids } => bare(self.kept(ids)),
            Request::Sweep => bare(self.sweep(now)),
            Request::Figures => Ok((Reply::Figures(self.figures(now)), Vec::new())),
        }
    }

    fn start(&mut self, now: Timestamp, start: Beginning<'_>) -> Result<Reply, S::Error> {
        let Beginning { row, idempotency, after, record } = start;
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
        let key = idempotency.map(|given| {
            let expires_at = now.plus(self.timing.idempotency);
            let known =
                IdempotencyRow { id: row.id.clone(), body_hash: given.body_hash, expires_at };
            (given.key_hash, known)
        });
        let epoch = row.epoch;
        let mut writes = vec![Write::Begin { row: &row, record }];
        writes.extend(key.as_ref().map(|(hash, known)| Write::Key { hash, known }));
        if after == After::Ended {
            let ending = self.ending(row.started_at, row.clone(), InboxSeq(0))?;
            writes.extend(ending.writes());
            self.store.commit(&writes)?;
            self.note_end(now, ending);
            return Ok(Reply::Started { epoch });
        }
        let orphaned = self.orphaned(&row);
        writes.extend(orphaned.as_ref().map(Notice::write));
        self.store.commit(&writes)?;
        let inbox = InboxSeq(u64::from(orphaned.is_some()));
        let head = Head::loaded(ExecutionRow { inbox, ..row.clone() }, self.lease_from(now));
        self.put(row.id, head);
        Ok(Reply::Started { epoch })
    }

    /// What a child hears at once whose start came after its parent's end.
    fn orphaned(&self, row: &ExecutionRow) -> Option<Notice> {
        let parent = row.parent.as_ref().filter(|parent| !self.open.contains_key(parent))?;
        let message = Message::ParentEnded { parent: parent.clone() };
        Some(Notice::new(&row.id, row.inbox, &message, format!("parent:{parent}")))
    }

    /// Ids are random, or a function of the parent: a start with a known one is the same start
    /// again, whose answer was lost. It begins nothing; when another driver has gone on meanwhile,
    /// or may have, it is told so.
    fn started_before(
        &mut self,
        now: Timestamp,
        row: &ExecutionRow,
    ) -> Result<Option<Reply>, S::Error> {
        let until = self.lease_from(now);
        let own = row.parent.is_none() && row.wake_at.is_none();
        let begun = match self.open.get_mut(&row.id) {
            Some(head) if own && head.is_lease(row.epoch) && head.seq == row.seq => {
                head.lease_until = Some(until);
                true
            }
            Some(_) => false,
            None => match self.store.execution(&row.id)? {
                None => return Ok(None),
                Some(known) => own && known.seq == row.seq,
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
        place: Place<'_>,
    ) -> Result<Reply, S::Error> {
        let Place { epoch, seq, after, seen, record } = place;
        let Some(head) = self.open.get(id) else {
            return self.append_to_ended(id, epoch, seq, record);
        };
        if !head.is_lease(epoch) {
            return Ok(Reply::StaleEpoch { epoch: head.epoch });
        }
        let (seen, fresh) = (head.seen(seen), head.seen(seen) > head.inbox_seen);
        let acknowledged = fresh.then_some(Write::Seen { id, seen });
        let added = Write::Record { id, seq, record };
        if seq == head.seq && self.is_last_record(id, seq, record)? {
            if let Some(acknowledged) = acknowledged {
                self.store.commit(&[acknowledged])?;
            }
        } else if seq != head.seq.next() {
            return Ok(Reply::OutOfSequence { seq: head.seq });
        } else if after == After::Ended {
            let ending = self.ending(now, head.row(id, seq), seen)?;
            let writes: Vec<Write<'_>> = std::iter::once(added).chain(ending.writes()).collect();
            self.store.commit(&writes)?;
            self.note_end(now, ending);
            return Ok(Reply::Appended { inbox: Vec::new() });
        } else {
            let writes: Vec<Write<'_>> = std::iter::once(added).chain(acknowledged).collect();
            self.store.commit(&writes)?;
        }
        self.note_append(now, id, seq, seen);
        Ok(Reply::Appended { inbox: self.unheard(id)? })
    }

    fn note_append(&mut self, now: Timestamp, id: &ExecutionId, seq: Seq, seen: InboxSeq) {
        let until = self.lease_from(now);
        let Some(head) = self.open.get_mut(id) else { return };
        head.seq = seq;
        head.inbox_seen = seen;
        head.lease_until = Some(until);
        if head.is_behind() && self.behind.insert(id.clone()) {
            self.project_by(now.plus(self.timing.project_running_after));
        }
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

    fn take(&mut self, now: Timestamp, id: &ExecutionId) -> Answer<S> {
        let Some(head) = self.open.get(id) else {
            return Ok((self.gone(id)?, Vec::new()));
        };
        if let Some(until) = head.lease_until.filter(|until| *until > now) {
            return Ok((Reply::Held { until }, Vec::new()));
        }
        let (epoch, seq) = (head.epoch.next(), head.seq);
        let records = self.store.records(id, Seq(0))?;
        let inbox = self.unheard(id)?;
        self.store.commit(&[Write::Take { id, epoch }])?;
        let until = self.lease_from(now);
        if let Some(head) = self.open.get_mut(id) {
            head.epoch = epoch;
            head.lease_until = Some(until);
            head.released = false;
            head.hinted_at = None;
            head.hints = 0;
            head.parked = false;
            head.wake_at = None;
        }
        self.arm(id);
        Ok((Reply::Taken { epoch, seq, inbox }, records))
    }

    fn renew(&mut self, now: Timestamp, id: &ExecutionId, epoch: Epoch) -> Result<Reply, S::Error> {
        let until = self.lease_from(now);
        match self.open.get_mut(id) {
            None => self.gone(id),
            Some(head) if !head.is_lease(epoch) => Ok(Reply::StaleEpoch { epoch: head.epoch }),
            Some(head) => {
                head.lease_until = Some(until);
                Ok(Reply::Renewed { inbox: self.unheard(id)? })
            }
        }
    }

    /// The place of the last record, where a driver that sent a release has gone on since.
    fn overtaken(&self, id: &ExecutionId, epoch: Epoch, seq: Option<Seq>) -> Option<Seq> {
        let head = self.open.get(id).filter(|head| head.is_lease(epoch))?;
        seq.filter(|seq| *seq != head.seq).map(|_| head.seq)
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
        let seen = head.seen(seen);
        if head.inbox > seen {
            return Ok(Reply::InboxNotEmpty { inbox: self.store.inbox(id, seen)? });
        }
        let parked = wake_at > now;
        let phase = if parked { Phase::Parked } else { Phase::Active };
        self.store.commit(&[Write::Release { id, phase, wake_at, seen }])?;
        self.note_released(id, parked.then_some(wake_at), seen);
        let Some(head) = self.open.get_mut(id) else { return Ok(Reply::Released) };
        head.shown |= parked;
        if parked && head.is_behind() {
            self.behind.insert(id.clone());
            self.project_by(now.plus(self.timing.project_after));
        }
        self.arm(id);
        Ok(Reply::Released)
    }

    /// Remembers that nobody holds the lease: a driver is needed at a moment, or now.
    pub(super) fn note_released(
        &mut self,
        id: &ExecutionId,
        wake_at: Option<Timestamp>,
        seen: InboxSeq,
    ) {
        let Some(head) = self.open.get_mut(id) else { return };
        head.lease_until = None;
        head.released = true;
        head.hinted_at = None;
        head.hints = 0;
        head.parked = wake_at.is_some();
        head.wake_at = wake_at;
        head.inbox_seen = seen;
        self.arm(id);
    }

    fn read(&self, now: Timestamp, id: &ExecutionId, after: Seq) -> Answer<S> {
        let Some((row, lease_until)) = self.row(now, id)? else {
            return Ok((Reply::Unknown, Vec::new()));
        };
        let unheard = row.inbox.0.saturating_sub(row.inbox_seen.0);
        let ExecutionRow { seq, phase, account, wake_at, .. } = row;
        let records = self.store.records(id, after)?;
        Ok((Reply::Records { seq, phase, account, lease_until, unheard, wake_at }, records))
    }

    fn peek(&self, now: Timestamp, id: &ExecutionId) -> Result<Reply, S::Error> {
        let Some((row, lease_until)) = self.row(now, id)? else { return Ok(Reply::Unknown) };
        let unheard = row.inbox.0.saturating_sub(row.inbox_seen.0);
        let ExecutionRow { seq, phase, wake_at, .. } = row;
        Ok(Reply::Standing { seq, phase, lease_until, unheard, wake_at })
    }

    /// Where an execution stands, and when the lease ends that somebody holds.
    fn row(
        &self,
        now: Timestamp,
        id: &ExecutionId,
    ) -> Result<Option<(ExecutionRow, Option<Timestamp>)>, S::Error> {
        match self.open.get(id) {
            Some(head) => {
                let held = head.lease_until.filter(|until| *until > now);
                Ok(Some((head.row(id, head.seq), held)))
            }
            None => Ok(self.store.execution(id)?.map(|row| (row, None))),
        }
    }

    /// Of more than are asked about at once, all count as known: what is known is left alone.
    fn kept(&self, mut ids: Vec<ExecutionId>) -> Result<Reply, S::Error> {
        let known = |id: &ExecutionId| -> Result<bool, S::Error> {
            Ok(self.open.contains_key(id) || self.store.execution(id)?.is_some())
        };
        let asked = ids.len().min(KEPT_MAX);
        let mut kept = ids.split_off(asked);
        for id in ids {
            if known(&id)? {
                kept.push(id);
            }
        }
        Ok(Reply::Kept { ids: kept })
    }

    fn sweep(&mut self, now: Timestamp) -> Result<Reply, S::Error> {
        let age = i64::try_from(self.timing.retention.get()).unwrap_or(i64::MAX);
        let before = Timestamp::from_millis(now.as_millis().saturating_sub(age));
        self.store.purge(self.projected, before, now, PURGE_MAX)?;
        Ok(Reply::Swept { figures: None })
    }

    fn lease_from(&self, now: Timestamp) -> Timestamp {
        now.plus(self.timing.lease)
    }

    fn gone(&self, id: &ExecutionId) -> Result<Reply, S::Error> {
        let known = self.store.execution(id)?.is_some();
        Ok(if known { Reply::Ended } else { Reply::Unknown })
    }
}
