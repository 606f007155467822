//! Admission: a place and money for an execution that is about to start, more money for one that
//! goes on. Waiting for a place happens here, by asking again.

use std::time::Duration;

use engine::admission::{Exhausted, KeyFunds, Reply, Settlement};
use engine::execution::Started;
use engine::ids::ExecutionId;
use engine::money::MicroUsd;
use engine::time::{Millis, Timestamp};
use serde_json::{Value, json};
use worker::Delay;

use super::Site;
use super::drive::leave;
use super::start::{Start, StartError};
use crate::accounts::{AccountCache, Limits};
use crate::clock;
use crate::db::{D1, api_keys};
use crate::governor::{self, Asking};
use crate::log::{self, Level};
use crate::templates::TemplateCache;

/// Whether an execution may start.
#[derive(Debug)]
pub(super) enum Admitted {
    /// It has its place and its money.
    Granted,
    /// All places stayed taken for as long as it waits.
    Refused {
        /// When it is worth asking again.
        retry_after: Millis,
        /// How many are taken.
        taken: u32,
    },
}

/// Asks for a place, and again until one is free or the time to wait in the line is over.
pub(super) async fn admit(
    site: &Site,
    start: &Start,
    id: &ExecutionId,
) -> Result<Admitted, StartError> {
    let until = clock::now().plus(site.config.admission_queue);
    let limits = limits_of(site, &start.account).await?;
    if limits.suspended {
        return Err(StartError::Suspended);
    }
    let key = limited(start.key_budget.as_ref());
    let mut asking = Asking {
        id: id.clone(),
        limit: limits.executions_max.unwrap_or(site.config.concurrent_executions_max),
        priority: start.terms.priority,
        waits: true,
        funds: None,
    };
    if limits.has_budget() || key.is_some() {
        let emergency = emergency(site, &start.request).await?;
        asking.funds = limits.funds(reserve(start), emergency, key);
    }
    loop {
        asking.waits = clock::now() < until;
        match governor::admit(&site.bindings, &start.account, &asking).await? {
            Reply::Granted { .. } => return Ok(Admitted::Granted),
            Reply::Refused { retry_after, taken } => {
                return Ok(Admitted::Refused { retry_after, taken });
            }
            Reply::Exhausted(exhausted) => return Err(exhausted_now(exhausted)),
            Reply::Waits { ask_again, .. } => pause(ask_again, until).await,
            other => return Err(StartError::Record(format!("the governor answered {other:?}"))),
        }
    }
}

/// Asks for more money for an execution that is resumed, retried or done again in part: `budget`
/// is what it may spend in all from now on. Without limits of the account, or of the key that it
/// was started with, nothing is asked.
pub async fn raise(site: &Site, started: &Started, budget: MicroUsd) -> Result<(), StartError> {
    let limits = limits_of(site, &started.account).await?;
    let key = key_funds(site, started).await?;
    let key = limited(key.as_ref());
    if !limits.has_budget() && key.is_none() {
        return Ok(());
    }
    let emergency = emergency(site, &started.request).await?;
    let funds = limits.funds(budget, emergency, key).unwrap_or_default();
    let (account, id) = (&started.account, &started.id);
    governor::raise(&site.bindings, account, id, funds).await?.map_err(exhausted_now)
}

/// The budget of the key that an execution was started with, as it is now.
async fn key_funds(site: &Site, started: &Started) -> Result<Option<KeyFunds>, StartError> {
    let Some(id) = &started.key else { return Ok(None) };
    let database = D1::new(site.bindings.database()?);
    let budget = api_keys::budget(&database, id).await?;
    Ok(budget.map(|budget| budget.funds(id.clone())))
}

fn limited(key: Option<&KeyFunds>) -> Option<KeyFunds> {
    key.filter(|key| key.is_limited()).cloned()
}

/// Gives back what was granted to an execution that did not begin. Where that is not certain,
/// money stays reserved: it lapses when nothing is heard of the execution, and so does the place.
pub(super) async fn withdraw(site: &Site, start: &Start, id: &ExecutionId, certain: bool) {
    let account = &start.account;
    let limits = limits_of(site, account).await;
    let of_key = limited(start.key_budget.as_ref()).is_some();
    let limited = of_key || limits.map_or(true, |limits| limits.has_budget());
    if limited && certain {
        let nothing = Settlement { id: id.clone(), spent_total: MicroUsd::ZERO, ended: true };
        if let Err(error) = governor::settle(&site.bindings, account, vec![nothing]).await {
            log::write(
                Level::Warn,
                json!({
                    "event": "governor.withdraw_failed",
                    "execution.id": id.as_str(),
                    "error": error.to_string(),
                }),
            );
            return;
        }
    }
    if certain || !limited {
        leave(site, account, id, Vec::new()).await;
    }
}

async fn limits_of(site: &Site, account: &str) -> Result<Limits, StartError> {
    let database = D1::new(site.bindings.database()?);
    Ok(AccountCache::shared().limits(&database, account, clock::now()).await?)
}

/// The budget by which an execution of this urgency may overdraw the account's.
async fn emergency(site: &Site, request: &Value) -> Result<Option<MicroUsd>, StartError> {
    let Some(urgency) = request.get("urgency").and_then(Value::as_str) else { return Ok(None) };
    let database = D1::new(site.bindings.database()?);
    let known = TemplateCache::shared(&site.config.worker_urls);
    let policy = known.policy(&database, clock::now()).await?;
    let overdraws = policy.urgency_level(urgency).is_some_and(|level| level.use_emergency_budget);
    Ok(overdraws.then_some(site.config.budget_emergency))
}

/// The smaller of what the execution may spend and what its plan costs at most.
fn reserve(start: &Start) -> MicroUsd {
    let cost = start.plan.estimate(&start.terms).cost;
    [start.terms.budget, cost.worst].into_iter().flatten().min().unwrap_or(cost.expected)
}

fn exhausted_now(exhausted: Exhausted) -> StartError {
    let renews_in = exhausted.renews_at.since(clock::now());
    StartError::Exhausted { exhausted: Box::new(exhausted), renews_in }
}

/// Waits until it is time to ask again; the last time is when the time in the line is over.
async fn pause(ask_again: Millis, until: Timestamp) {
    let left = until.since(clock::now()).max(Millis::new(1));
    Delay::from(Duration::from_millis(ask_again.min(left).get().max(1))).await;
}
