//! What a journal says of an execution, written to D1 where queries find it, and its cost, settled
//! with the Governor of its account. An execution is done with only when both are.

use std::collections::{BTreeMap, BTreeSet};

use engine::admission::Settlement;
use engine::execution::{Optimization, Payload, State, StepState, StepStatus, Unit};
use engine::plan::{Kind, StepIndex};
use engine::shard::Projected;
use engine::time::{Millis, Timestamp};
use futures::future::join_all;
use serde_json::{Value, json};

use super::replay::{self, ReplayError};
use super::{approvals, artifacts};
use crate::accounts::may_have_reserved;
use crate::bindings::{Bindings, Missing};
use crate::clock;
use crate::db::executions::{Execution, Step};
use crate::db::projection::{Facts, Saving};
use crate::db::{self, D1, Database, DbError, DbErrorKind, iso};
use crate::effects::call;
use crate::effects::offload::OffloadError;
use crate::governor::{self, Unreachable};
use crate::live;
use crate::log::{self, Level};

/// Why a projection was not made. It is made again later.
#[derive(Debug, thiserror::Error)]
pub enum ProjectionError {
    /// The database is not bound.
    #[error(transparent)]
    Missing(#[from] Missing),
    /// The database did not take it.
    #[error(transparent)]
    Database(#[from] DbError),
    /// The journal could not be read.
    #[error("the journal's storage: {0}")]
    Storage(String),
    /// An output could not be brought.
    #[error(transparent)]
    Output(#[from] OffloadError),
    /// The Governor did not take what an execution has spent.
    #[error(transparent)]
    Governor(#[from] Unreachable),
}

/// Projects executions; `read` gives the records of one.
pub async fn project(
    bindings: &Bindings,
    due: &[Projected],
    read: impl Fn(&Projected) -> worker::Result<Vec<String>>,
) -> Result<(), ProjectionError> {
    let now = clock::now();
    let mut rows = Vec::with_capacity(due.len());
    let mut owed = Owed::default();
    for projected in due {
        let records = read(projected);
        let records = records.map_err(|error| ProjectionError::Storage(error.to_string()))?;
        match state(&records) {
            Ok(state) => {
                let mut row = rows_of(&state, records.len() as u64, now);
                row.artifacts = artifacts::of(bindings, &state, &records).await?;
                rows.push(row);
                owed.add(&state);
            }
            // Trying again would not help, and must not hold the others back.
            Err(error) => log::write(
                Level::Error,
                json!({
                    "event": "journal.unreadable",
                    "execution.id": projected.id.as_str(),
                    "error": error.to_string(),
                }),
            ),
        }
    }
    let database = D1::new(bindings.database()?);
    match db::projection::project(&database, &rows).await {
        Ok(()) => {}
        Err(error) if error.is_outage() || error.kind() == DbErrorKind::Schema => {
            return Err(error.into());
        }
        // The rest was written. What the database will never take must not be asked for ever.
        Err(error) => log::write(
            Level::Error,
            json!({ "event": "journal.projection_refused", "error": error.detail() }),
        ),
    }
    let accounts: BTreeSet<&str> =
        rows.iter().map(|row| row.execution.account_id.as_str()).collect();
    join_all(accounts.into_iter().map(|account| live::moved(bindings, account))).await;
    owed.settle(bindings, &database).await
}

/// What executions that have ended owe to the budgets of their accounts.
#[derive(Default)]
struct Owed(BTreeMap<String, Vec<(Timestamp, Settlement)>>);

impl Owed {
    /// A sub-execution spends what its parent reserved; one that goes on is settled at its end.
    fn add(&mut self, state: &State) {
        let started = &state.started;
        if !state.status.is_final() || started.parent.is_some() {
            return;
        }
        let (id, spent_total) = (started.id.clone(), state.spent);
        let settlement = Settlement { id, spent_total, ended: true };
        let account = self.0.entry(started.account.clone()).or_default();
        account.push((started.at, settlement));
    }

    /// One call for each account that may have reserved anything.
    async fn settle(self, bindings: &Bindings, db: &impl Database) -> Result<(), ProjectionError> {
        if self.0.is_empty() {
            return Ok(());
        }
        let names: Vec<&str> = self.0.keys().map(String::as_str).collect();
        let known = db::accounts::changed(db, &names).await?;
        for (account, settlements) in self.0 {
            let row = known.iter().find(|row| row.id == account);
            let reserved = settlements.into_iter().filter(|(at, _)| may_have_reserved(row, *at));
            let settlements: Vec<Settlement> = reserved.map(|(_, settlement)| settlement).collect();
            if !settlements.is_empty() {
                governor::settle(bindings, &account, settlements).await?;
            }
        }
        Ok(())
    }
}

fn state(records: &[String]) -> Result<State, ReplayError> {
    replay::state(replay::events(records)?)
}

/// The rows of an execution whose journal has `seq` records.
pub fn rows_of(state: &State, seq: u64, now: Timestamp) -> db::projection::Projected {
    let steps = state.plan.indices();
    db::projection::Projected {
        execution: execution_of(state, seq, now),
        steps: steps.map(|index| step_of(state, index, now)).collect(),
        facts: facts_of(state, now),
        artifacts: Vec::new(),
        tasks: approvals::rows(state),
    }
}

/// What an execution saved is known to its journal only; it is kept once it has ended.
fn facts_of(state: &State, now: Timestamp) -> Facts {
    let ended = state.status.is_final();
    let optimizations = if ended { state.summary(now).optimizations } else { Default::default() };
    let saving = |found: Optimization| Saving {
        kind: found.kind.as_str().to_owned(),
        steps: found.steps,
        saved_cost_micro_usd: found.saved.cost.as_micros(),
        saved_ms: found.saved.duration.get(),
    };
    Facts {
        nested: state.started.parent.is_some(),
        optimizations: optimizations.into_iter().map(saving).collect(),
    }
}

fn execution_of(state: &State, seq: u64, now: Timestamp) -> Execution {
    let started = &state.started;
    let asked = |key: &str| started.request.get(key).and_then(Value::as_str).map(str::to_owned);
    let summary = state.summary(now);
    let blocked = state.why(now).into_iter().next();
    Execution {
        pipeline_id: started.id.to_string(),
        account_id: started.account.clone(),
        template_name: state.plan.name.clone(),
        template_revision: started.revision,
        topic: asked("topic"),
        status: state.status.as_str().to_owned(),
        execution_strategy: started.terms.strategy.clone(),
        optimize_for: asked("optimize_for").unwrap_or_else(|| "balanced".to_owned()),
        urgency: asked("urgency").unwrap_or_else(|| "medium".to_owned()),
        quality_level: asked("quality_level").unwrap_or_else(|| "standard".to_owned()),
        request: started.request.clone(),
        result: result_of(state),
        error: state.fault.as_ref().map(|fault| json!(fault)),
        total_cost_micro_usd: state.spent.as_micros(),
        cost_estimated: state.cost_estimated,
        budget_micro_usd: started.terms.budget.map(|budget| budget.as_micros()),
        sources_discovered: summary.figures.sources_discovered,
        articles_processed: summary.figures.articles_processed,
        final_quality_score: summary.figures.quality,
        optimization_applied: summary
            .optimizations
            .iter()
            .map(|optimization| optimization.kind.as_str().to_owned())
            .collect(),
        cache_hit: state.is_cache_hit(),
        total_execution_time_ms: summary.duration.get(),
        waiting_reason: blocked.map(|blocked| format!("step `{}` {}", blocked.step, blocked.by)),
        journal_seq: seq,
        created_at: iso(started.id.created_at()),
        started_at: Some(iso(started.at)),
        completed_at: state.finished_at.map(iso),
        updated_at: iso(now),
    }
}

/// The result, where all that it is made of stands in the journal; else the steps' rows say where
/// their outputs lie.
fn result_of(state: &State) -> Option<Value> {
    let stored = |step: &StepState| step.output.as_ref().and_then(Payload::stored).is_some();
    if !state.status.is_final() || state.steps.iter().any(stored) {
        return None;
    }
    state.result().ok()
}

fn step_of(state: &State, index: StepIndex, now: Timestamp) -> Step {
    let (planned, step) = (state.plan.step(index), state.step(index));
    let target = state.target(Unit::whole(index), step.fallback);
    let succeeded = step.status == StepStatus::Succeeded;
    let answered = u64::from(succeeded && step.reused_from.is_none());
    let not_failed = answered + u64::from(step.attempt.is_some());
    let duration = step.started_at.map(|from| step.finished_at.unwrap_or(now).since(from));
    let error = step.fault.as_ref().map(|fault| json!(fault));
    Step {
        step_name: planned.name.clone(),
        step_order: planned.order,
        worker_name: target.map(|target| target.worker.clone()),
        kind: kind_text(&planned.kind).to_owned(),
        status: step.status.as_str().to_owned(),
        success: succeeded,
        generation: step.generation.into(),
        attempts: step.attempts.into(),
        failed_attempts: u64::from(step.attempts).saturating_sub(not_failed),
        execution_time_ms: duration.map_or(0, Millis::get),
        cost_micro_usd: step.cost.as_micros(),
        cost_estimated: step.cost_estimated,
        cache_hit: step.reused_from.is_some() || step.memoised.is_some(),
        communication_method: call::via_text(call::via(target)).to_owned(),
        error: error.or_else(|| step.skipped.as_ref().map(|reason| json!({ "skipped": reason }))),
        data: step.output.clone(),
        started_at: step.started_at.map(iso),
        completed_at: step.finished_at.map(iso),
    }
}

/// The word for a kind of step.
pub fn kind_text(kind: &Kind) -> &'static str {
    match kind {
        Kind::Worker(_) => "worker",
        Kind::Transform => "transform",
        Kind::Map(_) => "map",
        Kind::Wait(_) => "wait",
        Kind::Pipeline(_) => "pipeline",
        Kind::Tool(_) => "tool",
    }
}
