//! The end of an execution, and what it brings with it: its number, notices to its parent and its
//! children, and, where somebody asked for more before the end was known, a new beginning.

use super::head::Head;
use super::{ExecutionRow, InboxEntry, Phase, Shard, Store, Write};
use crate::execution::Message;
use crate::ids::{ExecutionId, InboxSeq, Seq};
use crate::time::Timestamp;

/// An end that is about to be written.
pub(super) struct Ending {
    pub row: ExecutionRow,
    at: Timestamp,
    number: u64,
    seen: InboxSeq,
    notices: Vec<Notice>,
    /// The first entry that opens the execution again. It came before the end, but whoever sent
    /// it was promised that it counts: it is as if it came right after.
    reopened_by: Option<InboxSeq>,
}

/// An entry that the shard itself writes into an inbox.
pub(super) struct Notice {
    to: ExecutionId,
    entry: InboxEntry,
    key: String,
}

impl Notice {
    /// What `to` hears, after the last entry of its inbox; `tag` sets it apart from other notices.
    pub fn new(to: &ExecutionId, last: InboxSeq, message: &Message, tag: String) -> Self {
        let entry = serde_json::to_value(message).expect("a message has text keys only");
        Self { to: to.clone(), entry: InboxEntry { n: last.next(), entry }, key: tag }
    }

    pub fn write(&self) -> Write<'_> {
        let Self { to, entry, key } = self;
        Write::Post { id: to, entry, key: Some(key), reopens: false }
    }
}

impl<S: Store> Shard<S> {
    /// The end of an execution with the row `row`, whose last record is in place `row.seq`.
    pub(super) fn ending(
        &self,
        at: Timestamp,
        row: ExecutionRow,
        seen: InboxSeq,
    ) -> Result<Ending, S::Error> {
        let unheard = row.inbox > seen;
        let reopened_by = if unheard { self.store.reopening(&row.id, seen)? } else { None };
        let notices = self.notices(&row.id, row.parent.as_ref(), row.seq);
        Ok(Ending { row, at, number: self.ended + 1, seen, notices, reopened_by })
    }

    /// What the parent and the open children of an execution hear of its end. An end is named by
    /// its place: one that comes after a reopening is told again.
    fn notices(&self, id: &ExecutionId, parent: Option<&ExecutionId>, seq: Seq) -> Vec<Notice> {
        let up = parent.and_then(|parent| {
            let head = self.open.get(parent)?;
            let message = Message::ChildEnded { child: id.clone() };
            Some(Notice::new(parent, head.inbox, &message, format!("child:{id}:{seq}")))
        });
        let children = self.children.get(id).into_iter().flatten();
        let down = children.filter_map(|child| {
            let head = self.open.get(child)?;
            let message = Message::ParentEnded { parent: id.clone() };
            Some(Notice::new(child, head.inbox, &message, format!("parent:{id}:{seq}")))
        });
        up.into_iter().chain(down).collect()
    }

    /// Remembers an end that was written.
    pub(super) fn note_end(&mut self, now: Timestamp, ending: Ending) {
        self.ended = ending.number;
        self.drop_head(&ending.row.id);
        for notice in &ending.notices {
            self.note_entry(&notice.to, notice.entry.n);
        }
        if let Some(by) = ending.reopened_by {
            let seen = InboxSeq(by.0.saturating_sub(1));
            return self.note_reopened(now, ending.row, seen);
        }
        self.project_by(now.plus(self.timing.project_after));
    }

    /// Remembers that an execution that had ended is open: nobody has its lease.
    pub(super) fn note_reopened(&mut self, now: Timestamp, row: ExecutionRow, seen: InboxSeq) {
        let id = row.id.clone();
        let row =
            ExecutionRow { phase: Phase::Active, wake_at: Some(now), inbox_seen: seen, ..row };
        // Its end may have been projected or not: it is shown as soon as it differs from that.
        let head = Head { shown: true, ..Head::loaded(row, now) };
        if head.is_behind() {
            self.behind.insert(id.clone());
            self.project_by(now.plus(self.timing.project_running_after));
        }
        self.put(id, head);
    }
}

impl Ending {
    /// What is written of it, in order.
    pub fn writes(&self) -> impl Iterator<Item = Write<'_>> {
        let (id, at, number, seen) = (&self.row.id, self.at, self.number, self.seen);
        let end = Write::End { id, number, at, seen };
        let reopen = self.reopened_by.map(|by| Write::Reopen {
            id,
            at,
            seen: InboxSeq(by.0.saturating_sub(1)),
            last_ended: number,
        });
        let notices = self.notices.iter().map(Notice::write);
        std::iter::once(end).chain(notices).chain(reopen)
    }
}
