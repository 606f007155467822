//! The storage of the simulated shard: what survives a restart, and fails at times.

use std::cell::RefCell;
use std::rc::Rc;

use engine::ids::{ExecutionId, InboxSeq, Seq};
use engine::shard::memory::MemoryStore;
use engine::shard::{EndedRow, ExecutionRow, IdempotencyRow, InboxEntry, Store, Write};
use engine::time::Timestamp;

/// The storage could not write.
#[derive(Clone, Copy, Debug)]
pub struct WriteFailed;

/// A record that became durable.
#[derive(Clone, Debug)]
pub struct Durable {
    pub id: ExecutionId,
    pub seq: Seq,
    pub record: String,
    /// How far its driver had met the inbox, where the record says that it has met more.
    pub seen: Option<InboxSeq>,
}

/// The disk: shared by all lives of the shard, and read by the checkers.
#[derive(Debug, Default)]
pub struct Disk {
    pub memory: MemoryStore,
    /// Records that became durable since somebody looked.
    pub fresh: Vec<Durable>,
    /// Whether the next write fails.
    pub fails: bool,
}

impl Disk {
    fn write(&mut self) -> Result<&mut MemoryStore, WriteFailed> {
        if std::mem::take(&mut self.fails) { Err(WriteFailed) } else { Ok(&mut self.memory) }
    }

    fn note(&mut self, id: &ExecutionId, seq: Seq, record: &str, writes: &[Write<'_>]) {
        let seen = writes.iter().find_map(|write| match write {
            Write::Seen { seen, .. } => Some(*seen),
            _ => None,
        });
        self.fresh.push(Durable { id: id.clone(), seq, record: record.to_owned(), seen });
    }

    /// Whether every projection of an end was noted.
    pub fn is_projected(&self) -> bool {
        let (Ok(ended), Ok(projected)) = (self.memory.last_ended(), self.memory.projected());
        ended == projected
    }

    /// Whether no execution is open.
    pub fn is_all_ended(&self) -> bool {
        let Ok(open) = self.memory.open();
        open.is_empty()
    }

    /// The row of an execution.
    pub fn row(&self, id: &ExecutionId) -> Option<ExecutionRow> {
        let Ok(row) = self.memory.execution(id);
        row
    }
}

/// See the module.
#[derive(Clone, Debug)]
pub struct SimStore(pub Rc<RefCell<Disk>>);

/// What a store in memory answers cannot be an error.
fn sure<T>(answer: Result<T, std::convert::Infallible>) -> Result<T, WriteFailed> {
    let Ok(value) = answer;
    Ok(value)
}

impl Store for SimStore {
    type Error = WriteFailed;

    /// Wherever the storage fails among the writes of a request, none of them is left.
    fn commit(&mut self, writes: &[Write<'_>]) -> Result<(), WriteFailed> {
        let mut disk = self.0.borrow_mut();
        sure(disk.write()?.commit(writes))?;
        for write in writes {
            match write {
                Write::Begin { row, record } => disk.note(&row.id, row.seq, record, writes),
                Write::Record { id, seq, record } => disk.note(id, *seq, record, writes),
                Write::Key { .. }
                | Write::Seen { .. }
                | Write::End { .. }
                | Write::Reopen { .. }
                | Write::Take { .. }
                | Write::Release { .. }
                | Write::Post { .. }
                | Write::EndsProjected { .. }
                | Write::Projected { .. } => {}
            }
        }
        Ok(())
    }

    fn inbox(&self, id: &ExecutionId, after: InboxSeq) -> Result<Vec<InboxEntry>, WriteFailed> {
        sure(self.0.borrow().memory.inbox(id, after))
    }

    fn posted(&self, id: &ExecutionId, key: &str) -> Result<Option<InboxSeq>, WriteFailed> {
        sure(self.0.borrow().memory.posted(id, key))
    }

    fn reopening(
        &self,
        id: &ExecutionId,
        after: InboxSeq,
    ) -> Result<Option<InboxSeq>, WriteFailed> {
        sure(self.0.borrow().memory.reopening(id, after))
    }

    fn execution(&self, id: &ExecutionId) -> Result<Option<ExecutionRow>, WriteFailed> {
        sure(self.0.borrow().memory.execution(id))
    }

    fn open(&self) -> Result<Vec<ExecutionRow>, WriteFailed> {
        sure(self.0.borrow().memory.open())
    }

    fn records(&self, id: &ExecutionId, after: Seq) -> Result<Vec<String>, WriteFailed> {
        sure(self.0.borrow().memory.records(id, after))
    }

    fn key(&self, key_hash: &str) -> Result<Option<IdempotencyRow>, WriteFailed> {
        sure(self.0.borrow().memory.key(key_hash))
    }

    fn last_ended(&self) -> Result<u64, WriteFailed> {
        sure(self.0.borrow().memory.last_ended())
    }

    fn ended_after(&self, number: u64, limit: usize) -> Result<Vec<EndedRow>, WriteFailed> {
        sure(self.0.borrow().memory.ended_after(number, limit))
    }

    fn projected(&self) -> Result<u64, WriteFailed> {
        sure(self.0.borrow().memory.projected())
    }

    fn purge(
        &mut self,
        projected: u64,
        ended_before: Timestamp,
        now: Timestamp,
        limit: usize,
    ) -> Result<usize, WriteFailed> {
        sure(self.0.borrow_mut().write()?.purge(projected, ended_before, now, limit))
    }
}
