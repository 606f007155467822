//! What metrics have counted since the beginning, kept up while the figures are folded. The figures
//! say what is, so they fall when an execution is opened again; metrics say what happened: each end
//! of an execution and each settlement of a step counts, and no count ever falls.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{ExecutionFacts, StepFacts, TIMED_STATUSES};
use crate::db::metrics::{EVERYBODY, names};
use crate::db::{Statement, statements};
use crate::metrics::BOUNDS_MS;

/// The most rows that one statement adds to.
const ROWS_MAX: usize = 1_000;

statements! { "rollup_log.happened":
    /// ?1 is a JSON array of [account, name, labels, value]; ?2 the ids of the entries that they
    /// come from.
    ADD = concat!("INSERT INTO metric_totals (account_id, name, labels, value)
      SELECT n.value ->> 0, n.value ->> 1, n.value ->> 2, n.value ->> 3
      FROM json_each(?1) AS n WHERE ", unfolded!("?2"), "
      ON CONFLICT (account_id, name, labels) DO UPDATE SET value = value + excluded.value");
}

/// What happened, by account, name and labels.
#[derive(Debug, Default)]
pub(super) struct Happened(BTreeMap<(String, &'static str, Vec<String>), u64>);

impl Happened {
    /// Counts the end of an execution, if it is a new one.
    pub fn execution(&mut self, now: Option<&ExecutionFacts>, before: Option<&ExecutionFacts>) {
        let Some(ended) = now else { return };
        // Status and moment: anything else that changes is no other end.
        if before.is_some_and(|before| (&before.3, &before.4) == (&ended.3, &ended.4)) {
            return;
        }
        let ExecutionFacts(account, template, strategy, status, _, duration_ms, _, _, hit, ..) =
            ended;
        self.count(account, names::EXECUTIONS, &[template, strategy, status], 1);
        if *hit > 0 {
            self.count(account, names::EXECUTION_CACHE_HITS, &[template], 1);
        }
        if TIMED_STATUSES.contains(&status.as_str()) {
            let bucket = bucket(*duration_ms);
            self.count(account, names::EXECUTION_DURATION, &[template, &bucket], 1);
            self.count(account, names::EXECUTION_DURATION_MS, &[template], *duration_ms);
        }
    }

    /// Counts the settlement of a step, if it is a new one.
    pub fn step(&mut self, account: &str, now: Option<&StepFacts>, before: Option<&StepFacts>) {
        let Some(settled) = now else { return };
        if before.is_some_and(|before| (&before.0, &before.2) == (&settled.0, &settled.2)) {
            return;
        }
        let StepFacts(_, worker, status, attempts, _, _, hit, duration_ms) = settled;
        self.count(account, names::STEPS, &[worker, status], 1);
        if *hit > 0 {
            self.count(account, names::STEP_CACHE_HITS, &[worker], 1);
        }
        // What undoes a step is no attempt of it, and what no worker does takes no time.
        if status == "compensated" || worker.is_empty() {
            return;
        }
        let retries = u64::try_from(*attempts - 1).unwrap_or(0);
        self.count(account, names::STEP_RETRIES, &[worker], retries);
        if *hit == 0 && status == "succeeded" {
            self.count(account, names::STEP_DURATION, &[worker, &bucket(*duration_ms)], 1);
            self.count(account, names::STEP_DURATION_MS, &[worker], *duration_ms);
        }
    }

    fn count(&mut self, account: &str, name: &'static str, labels: &[&str], value: u64) {
        for account in [account, EVERYBODY] {
            let labels = labels.iter().map(|label| (*label).to_owned()).collect();
            *self.0.entry((account.to_owned(), name, labels)).or_default() += value;
        }
    }

    /// The statements that add all this, for the transaction that removes the entries `ids`.
    pub fn statements(&self, ids: &str) -> Vec<Statement> {
        let row = |((account, name, labels), value): (&(String, &str, Vec<String>), &u64)| {
            json!([account, name, labels, value])
        };
        let rows: Vec<Value> = self.0.iter().map(row).collect();
        let parts = rows.chunks(ROWS_MAX).map(|part| Value::from(part.to_vec()));
        parts.map(|part| ADD.with(&part).with(ids)).collect()
    }
}

/// The number of the bucket that a duration falls into: the first that ends there or later.
fn bucket(duration_ms: u64) -> String {
    BOUNDS_MS.partition_point(|bound| *bound < duration_ms).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_falls_into_the_first_bucket_that_holds_it() {
        for (ms, expected) in [(0, "0"), (10, "0"), (11, "1"), (600_000, "13"), (600_001, "14")] {
            assert_eq!(bucket(ms), expected, "{ms}");
        }
    }
}
