//! What a shard keeps for good. The Durable Object's SQLite implements it; so does the simulator.
//! What one request writes is committed whole or not at all, so that a request that failed may be
//! made again.

use crate::ids::{Epoch, ExecutionId, InboxSeq, Seq};
use crate::time::Timestamp;

use super::{InboxEntry, Phase};

/// The row of an execution.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExecutionRow {
    /// The execution.
    pub id: ExecutionId,
    /// The tenant.
    pub account: String,
    /// The execution that began it, in the same shard.
    pub parent: Option<ExecutionId>,
    /// When it started.
    pub started_at: Timestamp,
    /// The last lease that was given out.
    pub epoch: Epoch,
    /// Where it stands.
    pub phase: Phase,
    /// When an execution whose lease was given back needs a driver; `None` while one has it.
    pub wake_at: Option<Timestamp>,
    /// The place of the last record.
    pub seq: Seq,
    /// The last inbox entry, and the last one that a driver has acknowledged.
    pub inbox: InboxSeq,
    /// See `inbox`.
    pub inbox_seen: InboxSeq,
    /// The place of the last record that was projected while the execution went on; 0 for none.
    pub projected: Seq,
}

/// An execution that ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndedRow {
    /// Its number among the ends of this shard; the first has 1. An execution that was opened
    /// again leaves its number unused.
    pub number: u64,
    /// The execution.
    pub id: ExecutionId,
    /// The place of its last record.
    pub seq: Seq,
}

/// A remembered idempotency key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdempotencyRow {
    /// The execution that the key began.
    pub id: ExecutionId,
    /// Hash of the body that came with it.
    pub body_hash: String,
    /// When it is forgotten.
    pub expires_at: Timestamp,
}

/// One change of what is kept.
#[derive(Clone, Copy, Debug)]
pub enum Write<'a> {
    /// Begins a journal: the row and its first record.
    Begin {
        /// The row; its `seq`, `inbox` and `inbox_seen` follow from what else is written.
        row: &'a ExecutionRow,
        /// The first record.
        record: &'a str,
    },
    /// Remembers the idempotency key of a start.
    Key {
        /// The key.
        hash: &'a str,
        /// What it began.
        known: &'a IdempotencyRow,
    },
    /// Adds a record.
    Record {
        /// The execution.
        id: &'a ExecutionId,
        /// Its place.
        seq: Seq,
        /// The record.
        record: &'a str,
    },
    /// Notes what a driver has acknowledged.
    Seen {
        /// The execution.
        id: &'a ExecutionId,
        /// The last entry.
        seen: InboxSeq,
    },
    /// Notes the end of an execution.
    End {
        /// The execution.
        id: &'a ExecutionId,
        /// The number of the end.
        number: u64,
        /// The moment.
        at: Timestamp,
        /// The last entry that was acknowledged.
        seen: InboxSeq,
    },
    /// Opens an execution that has ended: it has no number and needs a driver.
    Reopen {
        /// The execution.
        id: &'a ExecutionId,
        /// Since when it needs a driver.
        at: Timestamp,
        /// Entries up to this one came before the end: nobody shall hear them.
        seen: InboxSeq,
        /// The last number that was given to an end: it is given to no other, even if no end
        /// carries it any more.
        last_ended: u64,
    },
    /// Notes a lease, and that the execution is active.
    Take {
        /// The execution.
        id: &'a ExecutionId,
        /// The lease.
        epoch: Epoch,
    },
    /// Notes where an execution stands whose lease was given back, and when it needs a driver.
    Release {
        /// The execution.
        id: &'a ExecutionId,
        /// Where it stands.
        phase: Phase,
        /// When it needs a driver.
        wake_at: Timestamp,
        /// The last entry that was acknowledged.
        seen: InboxSeq,
    },
    /// Stores an inbox entry.
    Post {
        /// The execution.
        id: &'a ExecutionId,
        /// The entry.
        entry: &'a InboxEntry,
        /// By which a repeated post finds it.
        key: Option<&'a str>,
        /// Whether it opens an execution that has ended.
        reopens: bool,
    },
    /// Notes that all ended executions up to a number are projected.
    EndsProjected {
        /// The number.
        number: u64,
    },
    /// Notes how far an execution that goes on is projected.
    Projected {
        /// The execution.
        id: &'a ExecutionId,
        /// The place of the last record that the projection shows.
        seq: Seq,
    },
}

/// The storage of one shard.
pub trait Store {
    /// Why the storage could not do it.
    type Error;

    /// Makes all these changes, in order, or none of them.
    fn commit(&mut self, writes: &[Write<'_>]) -> Result<(), Self::Error>;
    /// The inbox entries after a place.
    fn inbox(&self, id: &ExecutionId, after: InboxSeq) -> Result<Vec<InboxEntry>, Self::Error>;
    /// The place of the entry that was stored with a key.
    fn posted(&self, id: &ExecutionId, key: &str) -> Result<Option<InboxSeq>, Self::Error>;
    /// The first entry after a place that opens an execution that has ended.
    fn reopening(&self, id: &ExecutionId, after: InboxSeq)
    -> Result<Option<InboxSeq>, Self::Error>;
    /// The row of an execution.
    fn execution(&self, id: &ExecutionId) -> Result<Option<ExecutionRow>, Self::Error>;
    /// The rows of all executions that have not ended.
    fn open(&self) -> Result<Vec<ExecutionRow>, Self::Error>;
    /// The records after a place, in order.
    fn records(&self, id: &ExecutionId, after: Seq) -> Result<Vec<String>, Self::Error>;
    /// A remembered key.
    fn key(&self, key_hash: &str) -> Result<Option<IdempotencyRow>, Self::Error>;
    /// The last number that was given to an end; 0 when none was.
    fn last_ended(&self) -> Result<u64, Self::Error>;
    /// Executions that ended after a number, in order.
    fn ended_after(&self, number: u64, limit: usize) -> Result<Vec<EndedRow>, Self::Error>;
    /// The number of the last ended execution that was projected; all before it were, too.
    fn projected(&self) -> Result<u64, Self::Error>;
    /// Forgets ended executions up to a number that ended before a moment, and keys that have
    /// expired; at most `limit` of each. Returns how many executions went.
    fn purge(
        &mut self,
        projected: u64,
        ended_before: Timestamp,
        now: Timestamp,
        limit: usize,
    ) -> Result<usize, Self::Error>;
}
