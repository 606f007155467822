//! What a shard keeps for good. The Durable Object's SQLite implements it; so does the simulator.
//! Every write is idempotent, so that a request that failed half-way can be made again.

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
    /// The last inbox entry, and the last one that a driver has met.
    pub inbox: InboxSeq,
    /// See `inbox`.
    pub inbox_seen: InboxSeq,
}

/// An execution that ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndedRow {
    /// Its number among those that ended in this shard; the first has 1.
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

/// The storage of one shard.
pub trait Store {
    /// Why the storage could not do it.
    type Error;

    /// Begins a journal: the row, its first record and, where the start had a key, the key.
    fn insert(
        &mut self,
        row: &ExecutionRow,
        record: &str,
        ended: Option<u64>,
        key: Option<(&str, &IdempotencyRow)>,
    ) -> Result<(), Self::Error>;
    /// Adds a record; `ended` numbers the end that it carries.
    fn append(
        &mut self,
        id: &ExecutionId,
        seq: Seq,
        record: &str,
        ended: Option<(u64, Timestamp)>,
    ) -> Result<(), Self::Error>;
    /// Notes a lease, and that the execution is active.
    fn take(&mut self, id: &ExecutionId, epoch: Epoch) -> Result<(), Self::Error>;
    /// Notes where an execution stands whose lease was given back, and when it needs a driver.
    fn release(
        &mut self,
        id: &ExecutionId,
        phase: Phase,
        wake_at: Option<Timestamp>,
        seen: InboxSeq,
    ) -> Result<(), Self::Error>;
    /// Stores an inbox entry.
    fn post(&mut self, id: &ExecutionId, entry: &InboxEntry) -> Result<(), Self::Error>;
    /// The inbox entries after a place.
    fn inbox(&self, id: &ExecutionId, after: InboxSeq) -> Result<Vec<InboxEntry>, Self::Error>;
    /// The row of an execution.
    fn execution(&self, id: &ExecutionId) -> Result<Option<ExecutionRow>, Self::Error>;
    /// The rows of all executions that have not ended.
    fn open(&self) -> Result<Vec<ExecutionRow>, Self::Error>;
    /// The records after a place, in order.
    fn records(&self, id: &ExecutionId, after: Seq) -> Result<Vec<String>, Self::Error>;
    /// A remembered key.
    fn key(&self, key_hash: &str) -> Result<Option<IdempotencyRow>, Self::Error>;
    /// The number of the last execution that ended; 0 when none did.
    fn last_ended(&self) -> Result<u64, Self::Error>;
    /// Executions that ended after a number, in order.
    fn ended_after(&self, number: u64, limit: usize) -> Result<Vec<EndedRow>, Self::Error>;
    /// The number of the last ended execution that was projected; all before it were, too.
    fn projected(&self) -> Result<u64, Self::Error>;
    /// Notes that all ended executions up to a number are projected.
    fn set_projected(&mut self, number: u64) -> Result<(), Self::Error>;
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
