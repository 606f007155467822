//! The storage of the simulated shard: what survives a restart, and fails at times.

use std::cell::RefCell;
use std::rc::Rc;

use engine::ids::{Epoch, ExecutionId, InboxSeq, Seq};
use engine::shard::memory::MemoryStore;
use engine::shard::{EndedRow, ExecutionRow, IdempotencyRow, InboxEntry, Phase, Store};
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

    fn note(&mut self, id: &ExecutionId, seq: Seq, record: &str) {
        self.fresh.push(Durable { id: id.clone(), seq, record: record.to_owned() });
    }

    /// Whether every projection of an end was noted.
    pub fn is_projected(&self) -> bool {
        let (Ok(ended), Ok(projected)) = (self.memory.last_ended(), self.memory.projected());
        ended == projected
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

    fn insert(
        &mut self,
        row: &ExecutionRow,
        record: &str,
        ended: Option<u64>,
        key: Option<(&str, &IdempotencyRow)>,
    ) -> Result<(), WriteFailed> {
        let mut disk = self.0.borrow_mut();
        sure(disk.write()?.insert(row, record, ended, key))?;
        disk.note(&row.id, row.seq, record);
        Ok(())
    }

    fn append(
        &mut self,
        id: &ExecutionId,
        seq: Seq,
        record: &str,
        ended: Option<(u64, Timestamp)>,
    ) -> Result<(), WriteFailed> {
        let mut disk = self.0.borrow_mut();
        sure(disk.write()?.append(id, seq, record, ended))?;
        disk.note(id, seq, record);
        Ok(())
    }

    fn take(&mut self, id: &ExecutionId, epoch: Epoch) -> Result<(), WriteFailed> {
        sure(self.0.borrow_mut().write()?.take(id, epoch))
    }

    fn release(
        &mut self,
        id: &ExecutionId,
        phase: Phase,
        wake_at: Option<Timestamp>,
        seen: InboxSeq,
    ) -> Result<(), WriteFailed> {
        sure(self.0.borrow_mut().write()?.release(id, phase, wake_at, seen))
    }

    fn post(&mut self, id: &ExecutionId, entry: &InboxEntry) -> Result<(), WriteFailed> {
        sure(self.0.borrow_mut().write()?.post(id, entry))
    }

    fn inbox(&self, id: &ExecutionId, after: InboxSeq) -> Result<Vec<InboxEntry>, WriteFailed> {
        sure(self.0.borrow().memory.inbox(id, after))
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

    fn set_projected(&mut self, number: u64) -> Result<(), WriteFailed> {
        sure(self.0.borrow_mut().write()?.set_projected(number))
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
