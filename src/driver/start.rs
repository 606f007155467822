//! Starting an execution: admission, the journal's first record, and the driver that goes on
//! behind the reply.

use std::sync::Arc;
use std::time::Duration;

use engine::admission::{Exhausted, KeyFunds};
use engine::driver::{Driver, Ending};
use engine::execution::{self, Context as Deciding, FORMAT, Payload, Started, State, Terms};
use engine::ids::ExecutionId;
use engine::plan::Plan;
use engine::plan::definition::TemplateDefinition;
use engine::shard::{After, Idempotency, Reply, Request};
use engine::time::{Millis, Timestamp};
use futures::channel::oneshot;
use futures::future::{Either, select};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::Value;
use sha2::Sha256;
use worker::{Context, Delay};

use super::admit::{Admitted, admit, withdraw};
use super::drive::{Driven, drive, encode, leave};
use super::read::{ReadError, outcome_of, wait_for_end};
use super::{Site, lines};
use crate::bindings::Missing;
use crate::db::DbError;
use crate::journal::client::{self, JournalError};
use crate::{cache, clock, governor};

/// What an execution starts from.
#[derive(Clone)]
pub struct Start {
    /// The id, where it was drawn before; then only one that asks for it drives the execution.
    pub id: Option<ExecutionId>,
    /// The tenant.
    pub account: String,
    /// The budget of the key that asks for it, where that is an issued one.
    pub key_budget: Option<KeyFunds>,
    /// Who asks for it, as approvals must know: [`crate::auth::Caller::selves`].
    pub initiators: Vec<String>,
    /// The template's plan.
    pub plan: Arc<Plan>,
    /// What the plan was compiled from.
    pub definition: Arc<TemplateDefinition>,
    /// The template's revision number.
    pub revision: u64,
    /// SHA-256 of the definition, in hex.
    pub content_hash: String,
    /// `request` in expressions.
    pub request: Value,
    /// What the execution may do.
    pub terms: Terms,
    /// W3C trace context.
    pub traceparent: Option<String>,
    /// The id of the request, for the log.
    pub request_id: Option<String>,
    /// Makes a repeated start find the first one.
    pub key: Option<Key>,
    /// How long the caller waits for the end; zero for an asynchronous start.
    pub window: Millis,
    /// The execution that this one does again.
    pub restarted_from: Option<ExecutionId>,
}

/// An idempotency key as the client sent it.
#[derive(Clone, Debug)]
pub struct Key {
    /// The header's text.
    pub key: String,
    /// SHA-256 of the canonical request, in hex.
    pub body_hash: String,
}

/// What came of a start within the caller's window.
#[derive(Debug)]
pub enum Begun {
    /// It has ended, or goes on behind the reply.
    Execution(Box<State>),
    /// All places of the account are taken.
    Refused {
        /// When it is worth asking again.
        retry_after: Millis,
        /// How many are taken.
        taken: u32,
    },
    /// The key came before, with another request.
    KeyConflict,
}

/// Why a start has no answer. It may have begun: a repetition with the same key finds out.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The Governor gave no answer.
    #[error(transparent)]
    Governor(#[from] governor::Unreachable),
    /// The database did not say what the account may do.
    #[error(transparent)]
    Database(#[from] DbError),
    /// The database is not bound.
    #[error(transparent)]
    Missing(#[from] Missing),
    /// The account may do nothing.
    #[error("the account is suspended")]
    Suspended,
    /// A budget of the account, or of the key, leaves no room.
    #[error("the {} budget is exhausted", exhausted.period.as_str())]
    Exhausted {
        /// Which, and why.
        exhausted: Box<Exhausted>,
        /// How long it takes until it is whole again.
        renews_in: Millis,
    },
    /// The journal gave no answer.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The execution could not be read back.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The first record could not be written.
    #[error("the first record cannot be written: {0}")]
    Record(String),
    /// Outputs of the cache do not fit the plan.
    #[error(transparent)]
    Reuse(#[from] execution::IllegalEvent),
}

/// Starts an execution and waits for its end as long as the caller does.
pub async fn start(site: &Site, context: &Context, start: Start) -> Result<Begun, StartError> {
    let until = clock::now().plus(start.window);
    let (id, idempotency) = identify(site, &start);
    match admit(site, &start, &id).await? {
        Admitted::Granted => {}
        Admitted::Refused { retry_after, taken } => {
            return Ok(Begun::Refused { retry_after, taken });
        }
    }
    let begun = begin(site, &start, (&id, until), idempotency).await;
    match &begun {
        Ok(Begin::New(_)) => {}
        Ok(Begin::Existing(other)) if *other == id => {}
        Ok(Begin::Existing(_) | Begin::KeyConflict) => {
            withdraw(site, &start, &id, true).await;
        }
        // It may have begun: then whoever goes on with it takes its place back.
        Err(_) => withdraw(site, &start, &id, false).await,
    }
    let existing = match begun? {
        Begin::New(driver) => return follow(site, context, *driver, until).await,
        Begin::Existing(id) => id,
        Begin::KeyConflict => return Ok(Begun::KeyConflict),
    };
    wait_for_end(site, &existing, until).await?;
    Ok(Begun::Execution(Box::new(outcome_of(site, &existing).await?)))
}

/// What came of a start that nobody waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Handed {
    /// It has begun, now or before.
    Begun,
    /// All places of the account are taken.
    Refused,
}

/// Starts an execution whose id was drawn before and that a driver from the queue goes on with.
/// One that has begun stays as it is, whoever drives it: it is safe to ask twice.
pub async fn hand_over(site: &Site, start: Start) -> Result<Handed, StartError> {
    let (id, _) = identify(site, &start);
    if let Admitted::Refused { .. } = admit(site, &start, &id).await? {
        return Ok(Handed::Refused);
    }
    let started = started(&start, id.clone());
    let said = lines::started(&started, start.request_id.as_deref());
    let at = started.at;
    let events = vec![execution::Event::Started(Box::new(started))];
    let (account, after) = (&start.account, After::Active);
    let first = First { id: &id, account, at, idempotency: None, after, driven: false };
    match write(site, first, events).await {
        // Its driver takes a place of its own.
        Ok(Reply::Started { .. }) => {
            lines::write(vec![said]);
            leave(site, account, &id, Vec::new()).await;
            Ok(Handed::Begun)
        }
        Ok(Reply::Existing { .. }) => Ok(Handed::Begun),
        Ok(other) => Err(ReadError::Unexpected(format!("{other:?}")).into()),
        Err(error) => {
            withdraw(site, &start, &id, false).await;
            Err(error)
        }
    }
}

/// Records an execution whose outputs are those of an earlier one. Nothing is left to drive.
pub async fn record_cache_hit(
    site: &Site,
    start: Start,
    outputs: Vec<(String, Payload)>,
    from: &ExecutionId,
) -> Result<Begun, StartError> {
    let (id, idempotency) = identify(site, &start);
    let started = started(&start, id.clone());
    let at = started.at;
    let (state, events) = execution::reuse(started, Arc::clone(&start.plan), outputs, from)?;
    let first = First {
        id: &id,
        account: &start.account,
        at,
        idempotency,
        after: After::Ended,
        driven: true,
    };
    let said = lines::of(&state, &events, start.request_id.as_deref());
    match write(site, first, events).await? {
        Reply::Started { .. } => {
            lines::write(said);
            Ok(Begun::Execution(Box::new(state)))
        }
        Reply::Existing { id } => Ok(Begun::Execution(Box::new(outcome_of(site, &id).await?))),
        Reply::KeyConflict => Ok(Begun::KeyConflict),
        other => Err(ReadError::Unexpected(format!("{other:?}")).into()),
    }
}

enum Begin {
    New(Box<Driver>),
    Existing(ExecutionId),
    KeyConflict,
}

/// Keyed starts of one account and key meet in one shard, so that the second finds the first.
fn identify(site: &Site, start: &Start) -> (ExecutionId, Option<Idempotency>) {
    if let Some(id) = &start.id {
        return (id.clone(), None);
    }
    let Some(Key { key, body_hash }) = &start.key else {
        return (site.draw_id(), None);
    };
    let mut mac = Hmac::<Sha256>::new_from_slice(start.account.as_bytes())
        .expect("HMAC takes a key of any length");
    mac.update(key.as_bytes());
    let digest = mac.finalize().into_bytes();
    let hash = digest.iter().take(8).fold(0, |hash, byte| hash << 8 | u64::from(*byte));
    let key_hash = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    (site.new_id(hash), Some(Idempotency { key_hash, body_hash: body_hash.clone() }))
}

fn started(start: &Start, id: ExecutionId) -> Started {
    Started {
        format: FORMAT,
        id,
        account: start.account.clone(),
        key: start.key_budget.as_ref().map(|budget| budget.id.clone()),
        initiators: start.initiators.clone(),
        at: clock::now(),
        revision: start.revision,
        content_hash: start.content_hash.clone(),
        definition: Arc::clone(&start.definition),
        request: start.request.clone(),
        terms: start.terms.clone(),
        traceparent: start.traceparent.clone(),
        parent: None,
        restarted_from: start.restarted_from.clone(),
    }
}

async fn begin(
    site: &Site,
    start: &Start,
    (id, until): (&ExecutionId, Timestamp),
    idempotency: Option<Idempotency>,
) -> Result<Begin, StartError> {
    // The caller may have waited in the line: what is left of the window counts.
    let window = until.since(clock::now());
    let limits = site.limits(window.plus(site.config.driver_background));
    let started = started(start, id.clone());
    let at = started.at;
    let deciding = Deciding {
        now: at,
        entropy: clock::entropy(),
        slots: limits.in_flight_max.min(limits.calls_max),
        latest_end: limits.lifetime_end,
        gates: &execution::NO_GATES,
    };
    let (state, events) = execution::start(started, Arc::clone(&start.plan), &deciding);
    let ended = state.status.is_final();
    let after = if ended { After::Ended } else { After::Active };
    let first = First { id, account: &start.account, at, idempotency, after, driven: true };
    match write(site, first, events.clone()).await? {
        Reply::Started { epoch } => {
            lines::write(lines::of(&state, &events, start.request_id.as_deref()));
            let driver = Driver::begun(clock::now(), state, &events, epoch, limits);
            Ok(Begin::New(Box::new(driver)))
        }
        Reply::Existing { id } => Ok(Begin::Existing(id)),
        Reply::KeyConflict => Ok(Begin::KeyConflict),
        other => Err(ReadError::Unexpected(format!("{other:?}")).into()),
    }
}

struct First<'a> {
    id: &'a ExecutionId,
    account: &'a str,
    at: Timestamp,
    idempotency: Option<Idempotency>,
    after: After,
    driven: bool,
}

/// Writes the first record; a try without an answer is made once more: it finds what it wrote.
async fn write(
    site: &Site,
    first: First<'_>,
    mut events: Vec<execution::Event>,
) -> Result<Reply, StartError> {
    let record = encode(site, first.id, &mut events).await.map_err(StartError::Record)?;
    let request = Request::Start {
        id: first.id.clone(),
        account: first.account.to_owned(),
        at: first.at,
        idempotency: first.idempotency,
        after: first.after,
        parent: None,
        driven: first.driven,
    };
    let answer = match client::ask(&site.bindings, first.id, &request, Some(&record)).await {
        Ok(answer) => answer,
        Err(_) => client::ask(&site.bindings, first.id, &request, Some(&record)).await?,
    };
    Ok(answer.0)
}

/// Drives behind the reply and waits for the end until the caller's window closes.
async fn follow(
    site: &Site,
    context: &Context,
    driver: Driver,
    until: Timestamp,
) -> Result<Begun, StartError> {
    let so_far = driver.state().clone();
    let id = so_far.started.id.clone();
    let (tell, told) = oneshot::channel();
    let (background, driven) = (site.clone(), id.clone());
    context.wait_until(async move {
        let Driven { ending, state, reports } = drive(&background, driver).await;
        let account = state.started.account.clone();
        let kept = cache::keepable(&background.config, &state);
        // The caller may have gone: the journal has the outcome.
        tell.send((ending, state)).ok();
        leave(&background, &account, &driven, reports).await;
        if let Some(kept) = kept {
            cache::keep(&background.bindings, kept).await;
        }
    });
    let left = until.since(clock::now());
    if left == Millis::ZERO {
        return Ok(Begun::Execution(Box::new(so_far)));
    }
    let window = Delay::from(Duration::from_millis(left.get()));
    match select(told, Box::pin(window)).await {
        Either::Left((Ok((Ending::Ended, state)), _)) => Ok(Begun::Execution(Box::new(state))),
        // Another driver goes on: what it comes to is in the journal.
        Either::Left(_) => {
            wait_for_end(site, &id, until).await?;
            let state = outcome_of(site, &id).await?;
            Ok(Begun::Execution(Box::new(state)))
        }
        Either::Right(_) => {
            let state = outcome_of(site, &id).await?;
            Ok(Begun::Execution(Box::new(state)))
        }
    }
}
