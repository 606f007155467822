//! A store in memory, for tests and the simulator: what a shard keeps across a restart.

use std::collections::BTreeMap;
use std::convert::Infallible;

use super::{EndedRow, ExecutionRow, IdempotencyRow, InboxEntry, Phase, Store};
use crate::ids::{Epoch, ExecutionId, InboxSeq, Seq};
use crate::time::Timestamp;

/// See the module.
#[derive(Clone, Debug, Default)]
pub struct MemoryStore {
    executions: BTreeMap<ExecutionId, ExecutionRow>,
    ends: BTreeMap<u64, (ExecutionId, Timestamp)>,
    records: BTreeMap<(ExecutionId, Seq), String>,
    inbox: BTreeMap<(ExecutionId, InboxSeq), InboxEntry>,
    keys: BTreeMap<String, IdempotencyRow>,
    last_ended: u64,
    projected: u64,
}

impl Store for MemoryStore {
    type Error = Infallible;

    fn insert(
        &mut self,
        row: &ExecutionRow,
        record: &str,
        ended: Option<u64>,
        key: Option<(&str, &IdempotencyRow)>,
    ) -> Result<(), Infallible> {
        self.executions.insert(row.id.clone(), row.clone());
        self.records.insert((row.id.clone(), Seq(1)), record.to_owned());
        if let Some(number) = ended {
            self.ends.insert(number, (row.id.clone(), row.started_at));
            self.last_ended = number;
        }
        if let Some((hash, known)) = key {
            self.keys.insert(hash.to_owned(), known.clone());
        }
        Ok(())
    }

    fn append(
        &mut self,
        id: &ExecutionId,
        seq: Seq,
        record: &str,
        ended: Option<(u64, Timestamp)>,
    ) -> Result<(), Infallible> {
        self.records.insert((id.clone(), seq), record.to_owned());
        if let Some(row) = self.executions.get_mut(id) {
            row.seq = seq;
            if let Some((number, at)) = ended {
                row.phase = Phase::Ended;
                row.wake_at = None;
                self.ends.insert(number, (id.clone(), at));
                self.last_ended = number;
            }
        }
        Ok(())
    }

    fn take(&mut self, id: &ExecutionId, epoch: Epoch) -> Result<(), Infallible> {
        if let Some(row) = self.executions.get_mut(id) {
            row.epoch = epoch;
            row.phase = Phase::Active;
            row.wake_at = None;
        }
        Ok(())
    }

    fn release(
        &mut self,
        id: &ExecutionId,
        phase: Phase,
        wake_at: Option<Timestamp>,
        seen: InboxSeq,
    ) -> Result<(), Infallible> {
        if let Some(row) = self.executions.get_mut(id) {
            row.phase = phase;
            row.wake_at = wake_at;
            row.inbox_seen = seen;
        }
        Ok(())
    }

    fn post(&mut self, id: &ExecutionId, entry: &InboxEntry) -> Result<(), Infallible> {
        self.inbox.insert((id.clone(), entry.n), entry.clone());
        if let Some(row) = self.executions.get_mut(id) {
            row.inbox = entry.n;
        }
        Ok(())
    }

    fn inbox(&self, id: &ExecutionId, after: InboxSeq) -> Result<Vec<InboxEntry>, Infallible> {
        let entries = self.inbox.range((id.clone(), after.next())..);
        Ok(entries.take_while(|((of, _), _)| of == id).map(|(_, entry)| entry.clone()).collect())
    }

    fn execution(&self, id: &ExecutionId) -> Result<Option<ExecutionRow>, Infallible> {
        Ok(self.executions.get(id).cloned())
    }

    fn open(&self) -> Result<Vec<ExecutionRow>, Infallible> {
        let open = self.executions.values().filter(|row| row.phase != Phase::Ended);
        Ok(open.cloned().collect())
    }

    fn records(&self, id: &ExecutionId, after: Seq) -> Result<Vec<String>, Infallible> {
        let records = self.records.range((id.clone(), after.next())..);
        Ok(records.take_while(|((of, _), _)| of == id).map(|(_, record)| record.clone()).collect())
    }

    fn key(&self, key_hash: &str) -> Result<Option<IdempotencyRow>, Infallible> {
        Ok(self.keys.get(key_hash).cloned())
    }

    fn last_ended(&self) -> Result<u64, Infallible> {
        Ok(self.last_ended)
    }

    fn ended_after(&self, number: u64, limit: usize) -> Result<Vec<EndedRow>, Infallible> {
        let ends = self.ends.range(number + 1..).take(limit);
        Ok(ends
            .map(|(number, (id, _))| {
                let seq = self.executions.get(id).map(|row| row.seq).unwrap_or_default();
                EndedRow { number: *number, id: id.clone(), seq }
            })
            .collect())
    }

    fn projected(&self) -> Result<u64, Infallible> {
        Ok(self.projected)
    }

    fn set_projected(&mut self, number: u64) -> Result<(), Infallible> {
        self.projected = number;
        Ok(())
    }

    fn purge(
        &mut self,
        projected: u64,
        ended_before: Timestamp,
        now: Timestamp,
        limit: usize,
    ) -> Result<usize, Infallible> {
        let ends = self.ends.range(..=projected);
        let old = ends.filter(|(_, (_, at))| *at < ended_before).take(limit);
        let old: Vec<(u64, ExecutionId)> = old.map(|(n, (id, _))| (*n, id.clone())).collect();
        for (number, id) in &old {
            self.ends.remove(number);
            self.executions.remove(id);
            self.records.retain(|(of, _), _| of != id);
            self.inbox.retain(|(of, _), _| of != id);
        }
        self.keys.retain(|_, known| known.expires_at > now);
        Ok(old.len())
    }
}
