//! A ledger's store in memory, for tests and the simulator: what it keeps across a restart.

use std::collections::BTreeMap;
use std::convert::Infallible;

use super::ledger::{Change, Row, Store, Totals};
use crate::ids::ExecutionId;
use crate::money::MicroUsd;
use crate::time::Timestamp;

/// See the module.
#[derive(Clone, Debug, Default)]
pub struct MemoryStore {
    totals: Option<Totals>,
    rows: BTreeMap<ExecutionId, Row>,
    keys: BTreeMap<String, Totals>,
    writes: u64,
}

impl MemoryStore {
    /// How often something was written.
    pub fn writes(&self) -> u64 {
        self.writes
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }
}

impl Store for MemoryStore {
    type Error = Infallible;

    fn totals(&self) -> Result<Option<Totals>, Infallible> {
        Ok(self.totals)
    }

    fn row(&self, id: &ExecutionId) -> Result<Option<Row>, Infallible> {
        Ok(self.rows.get(id).cloned())
    }

    fn unsure(&self) -> Result<Vec<(ExecutionId, Timestamp)>, Infallible> {
        let unsure = self.rows.iter().filter(|(_, row)| !row.sure);
        Ok(unsure.map(|(id, row)| (id.clone(), row.touched_at)).collect())
    }

    fn key(&self, key: &str) -> Result<Option<Totals>, Infallible> {
        Ok(self.keys.get(key).copied())
    }

    fn held_by_keys(&self) -> Result<Vec<(String, MicroUsd)>, Infallible> {
        let mut held: BTreeMap<String, MicroUsd> = BTreeMap::new();
        for row in self.rows.values() {
            if let Some(key) = &row.key {
                let sum = held.entry(key.clone()).or_default();
                *sum = sum.plus(row.held);
            }
        }
        Ok(held.into_iter().collect())
    }

    fn put(&mut self, totals: &Totals, change: &Change) -> Result<(), Infallible> {
        self.totals = Some(*totals);
        self.rows.extend(change.rows.clone());
        let unheld = |(key, totals): (&String, &Totals)| {
            (key.clone(), Totals { held: MicroUsd::ZERO, ..*totals })
        };
        self.keys.extend(change.keys.iter().map(unheld));
        self.writes += 1;
        Ok(())
    }

    fn purge(&mut self, touched_before: Timestamp, limit: usize) -> Result<(), Infallible> {
        let old = self.rows.iter().filter(|(_, row)| row.is_over(touched_before));
        let old: Vec<_> = old.map(|(id, _)| id.clone()).take(limit).collect();
        for id in old {
            self.rows.remove(&id);
        }
        Ok(())
    }
}
