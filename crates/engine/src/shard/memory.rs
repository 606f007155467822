//! A store in memory, for tests and the simulator: what a shard keeps across a restart.

use std::collections::BTreeMap;
use std::convert::Infallible;

use super::{EndedRow, ExecutionRow, IdempotencyRow, InboxEntry, Phase, Store, Write};
use crate::ids::{ExecutionId, InboxSeq, Seq};
use crate::time::Timestamp;

/// See the module.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MemoryStore {
    executions: BTreeMap<ExecutionId, ExecutionRow>,
    ends: BTreeMap<u64, (ExecutionId, Timestamp)>,
    records: BTreeMap<(ExecutionId, Seq), String>,
    inbox: BTreeMap<(ExecutionId, InboxSeq), Posted>,
    posted: BTreeMap<(ExecutionId, String), InboxSeq>,
    keys: BTreeMap<String, IdempotencyRow>,
    last_ended: u64,
    projected: u64,
}

#[derive(Clone, Debug, PartialEq)]
struct Posted {
    entry: InboxEntry,
    reopens: bool,
}

impl MemoryStore {
    fn change(&mut self, id: &ExecutionId, change: impl FnOnce(&mut ExecutionRow)) {
        if let Some(row) = self.executions.get_mut(id) {
            change(row);
        }
    }

    fn write(&mut self, write: Write<'_>) {
        match write {
            Write::Begin { row, record } => {
                self.executions.insert(row.id.clone(), row.clone());
                self.records.insert((row.id.clone(), Seq(1)), record.to_owned());
            }
            Write::Key { hash, known } => {
                self.keys.insert(hash.to_owned(), known.clone());
            }
            Write::Record { id, seq, record } => {
                self.records.insert((id.clone(), seq), record.to_owned());
                self.change(id, |row| row.seq = seq);
            }
            Write::Seen { id, seen } => self.change(id, |row| row.inbox_seen = seen),
            Write::End { id, number, at, seen } => {
                self.ends.insert(number, (id.clone(), at));
                self.last_ended = self.last_ended.max(number);
                self.change(id, |row| {
                    (row.phase, row.wake_at, row.inbox_seen) = (Phase::Ended, None, seen);
                });
            }
            Write::Reopen { id, at, seen, last_ended } => {
                self.ends.retain(|_, (ended, _)| ended != id);
                self.last_ended = self.last_ended.max(last_ended);
                self.change(id, |row| {
                    (row.phase, row.wake_at, row.inbox_seen) = (Phase::Active, Some(at), seen);
                });
            }
            Write::Take { id, epoch } => self.change(id, |row| {
                (row.epoch, row.phase, row.wake_at) = (epoch, Phase::Active, None);
            }),
            Write::Release { id, phase, wake_at, seen } => self.change(id, |row| {
                (row.phase, row.wake_at, row.inbox_seen) = (phase, Some(wake_at), seen);
            }),
            Write::Post { id, entry, key, reopens } => {
                let posted = Posted { entry: entry.clone(), reopens };
                self.inbox.insert((id.clone(), entry.n), posted);
                if let Some(key) = key {
                    self.posted.insert((id.clone(), key.to_owned()), entry.n);
                }
                self.change(id, |row| row.inbox = entry.n);
            }
            Write::EndsProjected { number } => self.projected = number,
            Write::Projected { id, seq } => self.change(id, |row| row.projected = seq),
        }
    }

    fn after(&self, id: &ExecutionId, after: InboxSeq) -> impl Iterator<Item = &Posted> {
        let entries = self.inbox.range((id.clone(), after.next())..);
        entries.take_while(move |((of, _), _)| of == id).map(|(_, posted)| posted)
    }
}

impl Store for MemoryStore {
    type Error = Infallible;

    fn commit(&mut self, writes: &[Write<'_>]) -> Result<(), Infallible> {
        for write in writes {
            self.write(*write);
        }
        Ok(())
    }

    fn inbox(&self, id: &ExecutionId, after: InboxSeq) -> Result<Vec<InboxEntry>, Infallible> {
        Ok(self.after(id, after).map(|posted| posted.entry.clone()).collect())
    }

    fn posted(&self, id: &ExecutionId, key: &str) -> Result<Option<InboxSeq>, Infallible> {
        Ok(self.posted.get(&(id.clone(), key.to_owned())).copied())
    }

    fn reopening(&self, id: &ExecutionId, after: InboxSeq) -> Result<Option<InboxSeq>, Infallible> {
        Ok(self.after(id, after).find(|posted| posted.reopens).map(|posted| posted.entry.n))
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
            self.posted.retain(|(of, _), _| of != id);
        }
        let expired: Vec<String> = self
            .keys
            .iter()
            .filter(|(_, known)| known.expires_at <= now)
            .map(|(hash, _)| hash.clone())
            .take(limit)
            .collect();
        self.keys.retain(|hash, _| !expired.contains(hash));
        Ok(old.len())
    }
}
