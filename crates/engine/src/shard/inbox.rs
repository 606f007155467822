//! What comes in for executions: stored before it is answered, handed to their drivers until one
//! acknowledges it, and, where it says so, opening an execution that has ended.

use serde_json::Value;

use super::{ENTRY_BYTES_MAX, ExecutionRow, InboxEntry, Phase, Reply, Request, Shard, Store};
use super::{UNHEARD_MAX, Write};
use crate::ids::{Epoch, ExecutionId, InboxSeq};
use crate::time::Timestamp;

/// What somebody sends to an execution.
pub(super) struct Post {
    pub entry: Value,
    pub key: Option<String>,
    pub reopens: bool,
}

impl<S: Store> Shard<S> {
    pub(super) fn post(
        &mut self,
        now: Timestamp,
        id: &ExecutionId,
        post: Post,
    ) -> Result<Reply, S::Error> {
        if post.entry.to_string().len() > ENTRY_BYTES_MAX {
            return Ok(Reply::TooLarge { max_bytes: ENTRY_BYTES_MAX as u64 });
        }
        let key = post.key.as_deref().map(stored_key);
        if let Some(key) = &key
            && let Some(n) = self.store.posted(id, key)?
        {
            return Ok(Reply::Posted { n });
        }
        let Some(head) = self.open.get(id) else {
            return match self.store.execution(id)? {
                None => Ok(Reply::Unknown),
                Some(row) if post.reopens => self.reopen(now, row, post.entry, key.as_deref()),
                Some(_) => Ok(Reply::Ended),
            };
        };
        if head.unheard() >= UNHEARD_MAX {
            return Ok(Reply::InboxFull { max: UNHEARD_MAX });
        }
        let entry = InboxEntry { n: head.inbox.next(), entry: post.entry };
        let (key, reopens) = (key.as_deref(), post.reopens);
        self.store.commit(&[Write::Post { id, entry: &entry, key, reopens }])?;
        self.note_entry(id, entry.n);
        Ok(Reply::Posted { n: entry.n })
    }

    /// Where something was stored under a key.
    pub(super) fn posted(&self, id: &ExecutionId, key: &str) -> Result<Reply, S::Error> {
        let place = self.store.posted(id, &stored_key(key))?;
        Ok(place.map_or(Reply::Unknown, |n| Reply::Posted { n }))
    }

    /// Opens an execution that has ended. What came too late for it stays unheard.
    fn reopen(
        &mut self,
        now: Timestamp,
        mut row: ExecutionRow,
        entry: Value,
        key: Option<&str>,
    ) -> Result<Reply, S::Error> {
        let seen = row.inbox;
        let entry = InboxEntry { n: seen.next(), entry };
        let reopen = Write::Reopen { id: &row.id, at: now, seen, last_ended: self.ended };
        let post = Write::Post { id: &row.id, entry: &entry, key, reopens: true };
        self.store.commit(&[reopen, post])?;
        row.inbox = entry.n;
        self.note_reopened(now, row, seen);
        Ok(Reply::Posted { n: entry.n })
    }

    /// Remembers an entry that was written: whoever nobody drives needs a driver now.
    pub(super) fn note_entry(&mut self, id: &ExecutionId, n: InboxSeq) {
        if let Some(head) = self.open.get_mut(id) {
            head.inbox = n;
            self.arm(id);
        }
    }

    /// What no driver of an open execution has acknowledged.
    pub(super) fn unheard(&self, id: &ExecutionId) -> Result<Vec<InboxEntry>, S::Error> {
        match self.open.get(id) {
            Some(head) if head.unheard() > 0 => self.store.inbox(id, head.inbox_seen),
            _ => Ok(Vec::new()),
        }
    }

    /// What a driver is told that speaks version 1 of the protocol and understands no entry: it
    /// goes on while nothing has come in. Then its lease is taken from it, and a driver that
    /// understands is asked for. `None` when it is answered like any other.
    pub fn handle_first_version(
        &mut self,
        now: Timestamp,
        request: &Request,
    ) -> Result<Option<Reply>, S::Error> {
        let (id, epoch) = match request {
            Request::Append { id, epoch, .. }
            | Request::Renew { id, epoch }
            | Request::Release { id, epoch, .. } => (id, Some(*epoch)),
            Request::Take { id } => (id, None),
            Request::Start { .. }
            | Request::Post { .. }
            | Request::Posted { .. }
            | Request::Read { .. }
            | Request::Peek { .. }
            | Request::Kept { .. }
            | Request::Sweep
            | Request::Figures => return Ok(None),
        };
        let Some(head) = self.open.get(id).filter(|head| head.unheard() > 0) else {
            return Ok(None);
        };
        match epoch {
            None => Ok(Some(Reply::Held { until: now.plus(self.timing.hint_again) })),
            Some(epoch) if head.is_lease(epoch) => self.dismiss(now, id, epoch).map(Some),
            Some(_) => Ok(None),
        }
    }

    fn dismiss(
        &mut self,
        now: Timestamp,
        id: &ExecutionId,
        epoch: Epoch,
    ) -> Result<Reply, S::Error> {
        let seen = self.open.get(id).map(|head| head.inbox_seen).unwrap_or_default();
        let phase = Phase::Active;
        self.store.commit(&[Write::Release { id, phase, wake_at: now, seen }])?;
        self.note_released(id, None, seen);
        Ok(Reply::StaleEpoch { epoch })
    }
}

/// Apart from the keys of the shard's own notices.
fn stored_key(key: &str) -> String {
    format!("post:{key}")
}
