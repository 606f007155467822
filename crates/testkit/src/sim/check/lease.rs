//! Leases and inboxes as the shard hands them out: who may write, and what was said to whom.

use engine::execution::Message;
use engine::ids::{Epoch, ExecutionId, Seq};
use serde_json::Value;

use super::{Checked, Checker, NodeId};
use crate::sim::verbs::OPERATOR;

impl Checker {
    /// A lease was granted.
    pub fn granted(&mut self, id: &ExecutionId, node: NodeId, epoch: Epoch) -> Checked {
        let Some(seen) = self.executions.get_mut(id) else {
            return Err(format!("{id}: a lease of nothing"));
        };
        let again = epoch == seen.epoch && seen.holder == Some(node);
        if epoch <= seen.epoch && !again {
            return Err(format!("{id}: epoch {epoch} is granted again, to {node}"));
        }
        seen.epoch = epoch;
        seen.holder = Some(node);
        Ok(())
    }

    /// Whether the lease is the driver's.
    pub fn holds(&self, id: &ExecutionId, node: NodeId) -> bool {
        self.executions.get(id).is_some_and(|seen| seen.holder == Some(node))
    }

    /// An append or a renewal was accepted that its driver made under `epoch`.
    pub fn accepted(&mut self, id: &ExecutionId, node: NodeId, epoch: Epoch) -> Checked {
        let seen = &self.executions[id];
        if epoch != seen.epoch || seen.holder != Some(node) {
            let (current, holder) = (seen.epoch, seen.holder);
            return Err(format!(
                "{id}: {node} is accepted under {epoch}; {current} is current, of {holder:?}"
            ));
        }
        Ok(())
    }

    /// An append was refused for its place. The repetition of the last record is no reason to.
    pub fn refused(&self, id: &ExecutionId, node: NodeId, seq: Seq, record: &str) -> Checked {
        let Some(seen) = self.executions.get(id) else { return Ok(()) };
        let is_last = seq.0 == seen.records.len() as u64;
        let same = seen.records.last().is_some_and(|last| last == record);
        if seen.holder == Some(node) && is_last && same {
            return Err(format!(
                "{id}: the record at {seq} is durable, and its repetition refused"
            ));
        }
        Ok(())
    }

    /// A lease was taken back.
    pub fn released(&mut self, id: &ExecutionId, node: NodeId) -> Checked {
        let Some(seen) = self.executions.get_mut(id) else { return Ok(()) };
        // The repetition of a release that was accepted changes nothing.
        if seen.holder != Some(node) {
            return Ok(());
        }
        seen.holder = None;
        let met = seen.met.get(&node).copied().unwrap_or_default().max(seen.acknowledged);
        seen.acknowledged = met;
        if met < seen.posted {
            let posted = seen.posted;
            return Err(format!("{id}: {posted} entries came in, and its driver left after {met}"));
        }
        Ok(())
    }

    /// Something came in. What an operator says may alter what comes of a whole family.
    pub fn posted(&mut self, id: &ExecutionId, n: u64, entry: &Value, reopens: bool) {
        let Some(seen) = self.executions.get_mut(id) else { return };
        if seen.posted < n {
            seen.book.inbox.posted(n, entry);
            self.reopened += u64::from(reopens && seen.book.ended);
        }
        let fresh = seen.posted < n;
        seen.posted = seen.posted.max(n);
        let Ok(message) = serde_json::from_value::<Message>(entry.clone()) else { return };
        if let (Message::Completed { fence, outcome, .. }, true) = (&message, fresh) {
            seen.answers.entry(*fence).or_insert_with(|| outcome.clone());
        }
        let harsh = matches!(
            &message,
            Message::Cancel { asked } | Message::Kill { asked } | Message::Retry { asked }
            | Message::Rerun { asked, .. } if asked.by.starts_with(OPERATOR)
        );
        let mut next = Some(id.clone());
        let mut below = false;
        while let Some(seen) = next.and_then(|id| self.executions.get_mut(&id)) {
            seen.altered |= harsh;
            seen.book.money.lax |= below && harsh;
            (next, below) = (seen.parent.clone(), true);
        }
    }

    /// Whether an entry is such that no driver has acknowledged it.
    pub fn is_unheard(&self, id: &ExecutionId, n: u64) -> bool {
        self.executions.get(id).is_some_and(|seen| n > seen.acknowledged && !seen.book.ended)
    }

    /// A driver was told what came in.
    pub fn met(&mut self, id: &ExecutionId, node: NodeId, n: u64) {
        if let Some(seen) = self.executions.get_mut(id) {
            let met = seen.met.entry(node).or_default();
            *met = n.max(*met);
        }
    }

    /// An append acknowledged what came in: its driver, or one before it, was told of it.
    pub fn acknowledged(&mut self, id: &ExecutionId, node: NodeId, n: u64) -> Checked {
        let Some(seen) = self.executions.get_mut(id) else { return Ok(()) };
        let met = seen.met.get(&node).copied().unwrap_or_default().max(seen.acknowledged);
        if n > met {
            return Err(format!("{id}: {node} acknowledges entry {n} and has met {met}"));
        }
        seen.acknowledged = seen.acknowledged.max(n);
        Ok(())
    }
}
