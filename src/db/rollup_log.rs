//! From what projections changed to the figures of `execution_rollups` and `step_rollups`.
//!
//! A projection leaves in `rollup_log`, in its own transaction, what each row that it changes said
//! before and says now. [`fold`] reads some of these entries, adds up the differences, and adds
//! them to the figures while it removes the entries, in one transaction that does nothing at all
//! where one of the entries is gone already. So each change is counted exactly once, however often
//! anything is repeated, whoever folds at the same time, and whatever was opened again.
//!
//! Triggers add what is added here to the sums of all accounts (migration 16).
//!
//! A row that is deleted leaves the figures as they are: history stays when executions are
//! archived.

use std::collections::BTreeMap;

use engine::time::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use super::bins::{bin_added, bin_column, bin_value, for_bins};
use super::row::moment;
use super::window::{Grain, bucket};
use super::{Database, DbError, Statement, statements};
use crate::insights::Histogram;
use happened::Happened;

/// How many entries are read at once, and how many bytes of them: one may always be larger.
const ENTRIES_MAX: u32 = 200;
const ENTRY_BYTES_MAX: u32 = 1_000_000;
/// The most rows that one statement adds to.
const ROWS_MAX: usize = 500;

/// Durations of executions that brought a result.
const TIMED_STATUSES: [&str; 2] = ["completed", "partial"];

macro_rules! unfolded {
    ($ids:literal) => {
        concat!(
            "(SELECT count(*) FROM rollup_log WHERE id IN (SELECT value FROM json_each(",
            $ids,
            "))) = json_array_length(",
            $ids,
            ")"
        )
    };
}

pub(super) mod happened;

statements! { "rollup_log":
    /// Some entries, no matter which. ?1 is how many, ?2 how many bytes.
    SOME = "SELECT id, kind, entries FROM (
        SELECT id, kind, entries,
          sum(length(entries)) OVER (ORDER BY id) - length(entries) AS bytes_before
        FROM (SELECT id, kind, entries FROM rollup_log ORDER BY id LIMIT ?1))
      WHERE bytes_before <= ?2";

    /// ?1 is a JSON array of differences, each [keys, counters, bins]; ?2 the ids of the entries
    /// that they come from.
    ADD_EXECUTIONS = concat!("INSERT INTO execution_rollups (
        account_id, grain, bucket, template_name, execution_strategy, completed, partial, failed,
        cancelled, cache_hits, nested, cost_micro_usd, nested_cost_micro_usd, quality_sum_bp,
        quality_count, saved_by_cache_micro_usd, saved_by_cache_ms, saved_by_route_micro_usd,
        saved_by_route_ms, saved_by_skipping_micro_usd, saved_by_skipping_ms,
        saved_in_parallel_ms, timed, duration_ms", for_bins!(bin_column), ")
      SELECT
        n.value ->> '$[0][0]', n.value ->> '$[0][1]', n.value ->> '$[0][2]',
        n.value ->> '$[0][3]', n.value ->> '$[0][4]', n.value ->> '$[1][0]',
        n.value ->> '$[1][1]', n.value ->> '$[1][2]', n.value ->> '$[1][3]',
        n.value ->> '$[1][4]', n.value ->> '$[1][5]', n.value ->> '$[1][6]',
        n.value ->> '$[1][7]', n.value ->> '$[1][8]', n.value ->> '$[1][9]',
        n.value ->> '$[1][10]', n.value ->> '$[1][11]', n.value ->> '$[1][12]',
        n.value ->> '$[1][13]', n.value ->> '$[1][14]', n.value ->> '$[1][15]',
        n.value ->> '$[1][16]', n.value ->> '$[1][17]', n.value ->> '$[1][18]'",
        for_bins!(bin_value), "
      FROM json_each(?1) AS n WHERE ", unfolded!("?2"), "
      ON CONFLICT (account_id, grain, bucket, template_name, execution_strategy) DO UPDATE SET
        completed = completed + excluded.completed, partial = partial + excluded.partial,
        failed = failed + excluded.failed, cancelled = cancelled + excluded.cancelled,
        cache_hits = cache_hits + excluded.cache_hits, nested = nested + excluded.nested,
        cost_micro_usd = cost_micro_usd + excluded.cost_micro_usd,
        nested_cost_micro_usd = nested_cost_micro_usd + excluded.nested_cost_micro_usd,
        quality_sum_bp = quality_sum_bp + excluded.quality_sum_bp,
        quality_count = quality_count + excluded.quality_count,
        saved_by_cache_micro_usd = saved_by_cache_micro_usd + excluded.saved_by_cache_micro_usd,
        saved_by_cache_ms = saved_by_cache_ms + excluded.saved_by_cache_ms,
        saved_by_route_micro_usd = saved_by_route_micro_usd + excluded.saved_by_route_micro_usd,
        saved_by_route_ms = saved_by_route_ms + excluded.saved_by_route_ms,
        saved_by_skipping_micro_usd =
          saved_by_skipping_micro_usd + excluded.saved_by_skipping_micro_usd,
        saved_by_skipping_ms = saved_by_skipping_ms + excluded.saved_by_skipping_ms,
        saved_in_parallel_ms = saved_in_parallel_ms + excluded.saved_in_parallel_ms,
        timed = timed + excluded.timed, duration_ms = duration_ms + excluded.duration_ms",
        for_bins!(bin_added));

    /// As `ADD_EXECUTIONS`.
    ADD_STEPS = concat!("INSERT INTO step_rollups (
        account_id, grain, bucket, worker_name, template_name, step_name, succeeded, failed,
        skipped, cancelled, compensated, attempts, failed_attempts, retried, cache_hits,
        cost_micro_usd, timed, duration_ms", for_bins!(bin_column), ")
      SELECT
        n.value ->> '$[0][0]', n.value ->> '$[0][1]', n.value ->> '$[0][2]',
        n.value ->> '$[0][3]', n.value ->> '$[0][4]', n.value ->> '$[0][5]',
        n.value ->> '$[1][0]', n.value ->> '$[1][1]', n.value ->> '$[1][2]',
        n.value ->> '$[1][3]', n.value ->> '$[1][4]', n.value ->> '$[1][5]',
        n.value ->> '$[1][6]', n.value ->> '$[1][7]', n.value ->> '$[1][8]',
        n.value ->> '$[1][9]', n.value ->> '$[1][10]', n.value ->> '$[1][11]'",
        for_bins!(bin_value), "
      FROM json_each(?1) AS n WHERE ", unfolded!("?2"), "
      ON CONFLICT (account_id, grain, bucket, worker_name, template_name, step_name) DO UPDATE SET
        succeeded = succeeded + excluded.succeeded, failed = failed + excluded.failed,
        skipped = skipped + excluded.skipped, cancelled = cancelled + excluded.cancelled,
        compensated = compensated + excluded.compensated,
        attempts = attempts + excluded.attempts,
        failed_attempts = failed_attempts + excluded.failed_attempts,
        retried = retried + excluded.retried, cache_hits = cache_hits + excluded.cache_hits,
        cost_micro_usd = cost_micro_usd + excluded.cost_micro_usd,
        timed = timed + excluded.timed, duration_ms = duration_ms + excluded.duration_ms",
        for_bins!(bin_added));

    /// ?1 is the ids of the entries that were added.
    DONE = concat!("DELETE FROM rollup_log WHERE id IN (SELECT value FROM json_each(?1))
      AND ", unfolded!("?1"));

    /// Figures of executions that are too fine for their age: ?1 grain, ?2 the oldest that stays.
    PRUNE_EXECUTIONS = "DELETE FROM execution_rollups WHERE grain = ?1 AND bucket < ?2";

    /// As `PRUNE_EXECUTIONS`.
    PRUNE_STEPS = "DELETE FROM step_rollups WHERE grain = ?1 AND bucket < ?2";

    /// As `PRUNE_EXECUTIONS`.
    PRUNE_ACCOUNTS = "DELETE FROM account_rollups WHERE grain = ?1 AND bucket < ?2";
}

#[derive(Deserialize)]
struct Entry {
    id: String,
    kind: String,
    entries: String,
}

/// What an execution's row says: account, template, strategy, status, when it ended, duration,
/// cost, quality, cache hit, whether it is part of another, what it saved.
#[derive(Deserialize)]
struct ExecutionFacts(
    String,
    String,
    String,
    String,
    String,
    u64,
    i64,
    Option<f64>,
    u8,
    u8,
    Vec<Value>,
);

/// What a step's row says: when it was settled, worker, status, attempts, failed attempts, cost,
/// cache hit, duration.
#[derive(Deserialize)]
struct StepFacts(String, String, String, i64, i64, i64, u8, u64);

/// Account, template, step, what its row says now and what it said before.
#[derive(Deserialize)]
struct StepEntry(String, String, String, Option<StepFacts>, Option<StepFacts>);

/// What was folded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Folded {
    /// Entries that were added and removed.
    pub entries: usize,
    /// Entries among them that no projection of ours wrote; they count nothing.
    pub unreadable: usize,
    /// Whether there may be more.
    pub more: bool,
}

/// Adds what projections left to the figures, in at most `rounds_max` rounds.
pub async fn fold(db: &impl Database, rounds_max: usize) -> Result<Folded, DbError> {
    let mut folded = Folded::default();
    for _ in 0..rounds_max {
        let some = SOME.with(ENTRIES_MAX).with(ENTRY_BYTES_MAX);
        let entries: Vec<Entry> = db.query(some).await?.decode()?;
        if entries.is_empty() {
            folded.more = false;
            break;
        }
        folded.entries += entries.len();
        folded.more = true;
        let mut sums = Sums::default();
        folded.unreadable += entries.iter().filter(|entry| sums.add(entry).is_none()).count();
        let ids: Vec<&str> = entries.iter().map(|entry| entry.id.as_str()).collect();
        db.batch(sums.statements(&json!(ids).to_string())).await?;
    }
    Ok(folded)
}

/// Removes figures that are too fine for their age.
pub async fn prune(db: &impl Database, now: Timestamp) -> Result<(), DbError> {
    let mut statements = Vec::new();
    for grain in Grain::ALL {
        if let Some(kept) = grain.kept() {
            let oldest = now.as_millis().saturating_sub(kept.get() as i64);
            let oldest = bucket(grain, Timestamp::from_millis(oldest));
            let all = [PRUNE_EXECUTIONS, PRUNE_STEPS, PRUNE_ACCOUNTS];
            statements.extend(all.map(|sql| sql.with(grain.as_str()).with(oldest.as_str())));
        }
    }
    db.batch(statements).await.map(drop)
}

/// Differences of one row of figures.
#[derive(Default)]
struct Sum {
    counters: Vec<i64>,
    durations: Histogram,
}

/// Differences by the keys of the rows that they belong to.
#[derive(Default)]
struct Sums {
    executions: BTreeMap<Vec<String>, Sum>,
    steps: BTreeMap<Vec<String>, Sum>,
    happened: Happened,
}

impl Sums {
    /// Adds what an entry says; `None` where it does not read as one.
    fn add(&mut self, entry: &Entry) -> Option<()> {
        match entry.kind.as_str() {
            "executions" => {
                type Both = (Option<ExecutionFacts>, Option<ExecutionFacts>);
                let all: Vec<Both> = serde_json::from_str(&entry.entries).ok()?;
                for (now, before) in all {
                    self.happened.execution(now.as_ref(), before.as_ref());
                    now.iter().for_each(|facts| self.execution(facts, 1));
                    before.iter().for_each(|facts| self.execution(facts, -1));
                }
            }
            _ => {
                let all: Vec<StepEntry> = serde_json::from_str(&entry.entries).ok()?;
                for StepEntry(account, template, step, now, before) in all {
                    let place = [account.as_str(), &template, &step];
                    self.happened.step(&account, now.as_ref(), before.as_ref());
                    now.iter().for_each(|facts| self.step(place, facts, 1));
                    before.iter().for_each(|facts| self.step(place, facts, -1));
                }
            }
        }
        Some(())
    }

    fn execution(&mut self, facts: &ExecutionFacts, times: i64) {
        let ExecutionFacts(
            account,
            template,
            strategy,
            status,
            at,
            duration,
            cost,
            quality,
            hit,
            nested,
            saved,
        ) = facts;
        let is = |word: &str| i64::from(status == word);
        let nested = i64::from(*nested);
        let timed = TIMED_STATUSES.contains(&status.as_str());
        let saved = Savings::of(saved);
        let counters = [
            is("completed"),
            is("partial"),
            is("failed"),
            is("cancelled"),
            i64::from(*hit),
            nested,
            *cost,
            nested * cost,
            quality.map_or(0, |quality| (quality * 10_000.0).round() as i64),
            i64::from(quality.is_some()),
            saved.cache[0],
            saved.cache[1],
            saved.route[0],
            saved.route[1],
            saved.skipping[0],
            saved.skipping[1],
            saved.parallel_ms,
        ];
        for (grain, bucket) in buckets(at) {
            let keys = [account, grain.as_str(), bucket.as_str(), template, strategy];
            let sum = self.executions.entry(keys.map(str::to_owned).to_vec()).or_default();
            sum.add(&counters, timed.then_some(*duration), times);
        }
    }

    fn step(&mut self, [account, template, step]: [&str; 3], facts: &StepFacts, times: i64) {
        let StepFacts(at, worker, status, attempts, failed, cost, hit, duration) = facts;
        let is = |word: &str| i64::from(status == word);
        let timed = *hit == 0 && matches!(status.as_str(), "succeeded" | "compensated");
        let counters = [
            is("succeeded"),
            is("failed"),
            is("skipped"),
            is("cancelled"),
            is("compensated"),
            *attempts,
            *failed,
            i64::from(*attempts > 1),
            i64::from(*hit),
            *cost,
        ];
        for (grain, bucket) in buckets(at) {
            let keys = [account, grain.as_str(), bucket.as_str(), worker, template, step];
            let sum = self.steps.entry(keys.map(str::to_owned).to_vec()).or_default();
            sum.add(&counters, timed.then_some(*duration), times);
        }
    }

    /// The transaction that adds all this and removes the entries `ids`.
    fn statements(&self, ids: &str) -> Vec<Statement> {
        let add = |sql: super::Sql, sums: &BTreeMap<Vec<String>, Sum>| {
            let changed = sums.iter().filter(|(_, sum)| !sum.is_nothing());
            let rows: Vec<Value> = changed
                .map(|(keys, sum)| json!([keys, sum.counters, sum.durations.counts().as_slice()]))
                .collect();
            let parts = rows.chunks(ROWS_MAX).map(|part| json!(part).to_string());
            parts.map(|rows| sql.with(rows).with(ids)).collect::<Vec<_>>()
        };
        let mut statements = add(ADD_EXECUTIONS, &self.executions);
        statements.extend(add(ADD_STEPS, &self.steps));
        statements.extend(self.happened.statements(ids));
        statements.push(DONE.with(ids));
        statements
    }
}

impl Sum {
    /// The last two counters are how many durations there were and their sum.
    fn add(&mut self, counters: &[i64], duration_ms: Option<u64>, times: i64) {
        self.counters.resize(counters.len() + 2, 0);
        let total = duration_ms.unwrap_or(0) as i64;
        let timed = [i64::from(duration_ms.is_some()), total];
        for (own, counter) in self.counters.iter_mut().zip(counters.iter().chain(&timed)) {
            *own += counter * times;
        }
        if let Some(duration_ms) = duration_ms {
            self.durations.count(duration_ms, times);
        }
    }

    fn is_nothing(&self) -> bool {
        self.counters.iter().all(|counter| *counter == 0) && self.durations == Histogram::default()
    }
}

/// What an execution saved, money in micro-USD and time in ms, by what saved it.
#[derive(Default)]
struct Savings {
    cache: [i64; 2],
    route: [i64; 2],
    skipping: [i64; 2],
    parallel_ms: i64,
}

impl Savings {
    fn of(optimizations: &[Value]) -> Self {
        let mut savings = Self::default();
        for optimization in optimizations {
            let number = |field: &str| optimization[field].as_i64().unwrap_or(0);
            let saved = [number("saved_cost_micro_usd"), number("saved_ms")];
            let sum = match optimization["kind"].as_str().unwrap_or_default() {
                "caching" | "step_cache" => &mut savings.cache,
                "cheapest_worker" | "fastest_worker" | "best_worker" => &mut savings.route,
                "optional_steps_skipped" | "conditional_steps_skipped" | "losers_cancelled" => {
                    &mut savings.skipping
                }
                "parallel_processing" => {
                    savings.parallel_ms += saved[1];
                    continue;
                }
                _ => continue,
            };
            sum[0] += saved[0];
            sum[1] += saved[1];
        }
        savings
    }
}

/// The bucket of a moment in each grain. What nobody can read as a moment counts in all time only.
fn buckets(at: &str) -> Vec<(Grain, String)> {
    let at = moment(at);
    let of = |grain| match (grain, at) {
        (Grain::All, _) => Some((grain, bucket(grain, Timestamp::from_millis(0)))),
        (_, at) => at.map(|at| (grain, bucket(grain, at))),
    };
    Grain::ALL.into_iter().filter_map(of).collect()
}
