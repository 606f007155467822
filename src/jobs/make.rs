//! Making a job, and finding the one that a repeated request made.

use std::sync::Arc;
use std::time::Duration;

use api_types::OrchestrateRequest;
use engine::admission::KeyFunds;
use engine::ids::{ExecutionId, Seq};
use engine::time::{Millis, Timestamp};
use worker::Delay;

use crate::api::orchestrate::{Gate, Understood, begin, refused, understand};
use crate::clock::now;
use crate::db::jobs::{self, Job, Key, New};
use crate::db::{D1, Database, DbError, DbErrorKind, api_keys};
use crate::driver::{self, Begun, Handed, Site, Start};
use crate::error::ApiError;
use crate::extract::JsonDocument;
use crate::request::RequestContext;
use crate::templates::sha256_hex;

/// How long a key is remembered.
const KEY_KNOWN: Millis = Millis::from_secs(24 * 3600);
/// How long a repeated request waits for the first one before it does its work.
const FIRST_MAX: Millis = Millis::from_secs(15);
const LOOK_AGAIN: Millis = Millis::new(250);
/// Beyond any place in a journal: asking for what follows asks whether there is one.
const NO_RECORDS: Seq = Seq(1 << 50);
/// When it is worth asking again for a place that is taken.
const RETRY_AFTER: Millis = Millis::from_secs(5);

/// What a job is made of.
pub struct Making {
    /// The row.
    pub new: New,
    /// What its execution starts from, where it has one.
    pub understood: Option<Understood>,
    /// The budget of the key that asks for it.
    pub key_budget: Option<KeyFunds>,
    /// Everyone that asks for it: nobody of them approves what it waits for.
    pub initiators: Vec<String>,
}

/// What came of it.
pub enum Made {
    /// It is new.
    New(Job),
    /// The same request made it before.
    Before(Job),
}

/// The key of a request in the database: it says nothing about the client's own.
pub fn key_of(account: &str, key: &str, body_hash: String) -> Key {
    Key { key_hash: sha256_hex(format!("{account}\n{key}").as_bytes()), body_hash }
}

/// The job that a request with this key made, finished where it was cut off; `None` where there
/// was no such request, or it was refused.
pub async fn by_key(
    context: &RequestContext,
    account: &str,
    key: &Key,
) -> Result<Option<Job>, ApiError> {
    let database = context.database()?;
    let since = key_known_since();
    let known = database.query(jobs::by_key(account, key)).await?.first::<Job>()?;
    match known.filter(|job| job.created_at >= crate::db::iso(since)) {
        Some(job) => repeated(context, job, key).await,
        None => Ok(None),
    }
}

/// Makes the job, and starts its execution.
pub async fn make(context: &RequestContext, making: Making) -> Result<Made, ApiError> {
    let Making { new, understood, key_budget, initiators } = making;
    let database = context.database()?;
    match add(&database, &new).await? {
        Added::Own(job) if job.begun => return Ok(Made::New(job)),
        Added::Own(_) => {}
        Added::Other(other) => {
            let key = new.key.as_ref().expect("only a key can be another job's");
            let busy = || ApiError::AdmissionRefused {
                retry_after_s: 1,
                message: "the request is being refused or repeated just now".to_owned(),
            };
            let before = repeated(context, other, key).await?;
            return before.map(Made::Before).ok_or_else(busy);
        }
    }
    let understood = understood.expect("a job that has not begun has an execution to start");
    let Understood { published, asked, shortfall } = understood;
    let (_, id, _) = new.execution.as_ref().expect("the same");
    let start = Start {
        id: Some(parsed(id)?),
        account: new.account.clone(),
        key_budget,
        initiators,
        plan: Arc::clone(&published.plan),
        definition: Arc::clone(&published.definition),
        revision: published.revision,
        content_hash: published.content_hash.clone(),
        request: asked.document,
        terms: asked.terms,
        traceparent: Some(context.trace().to_string()),
        request_id: Some(context.id().to_owned()),
        key: None,
        window: Millis::ZERO,
        restarted_from: None,
    };
    let gate = Gate { use_cache: asked.use_cache, shortfall };
    let error = match begin(&context.site(), context.invocation()?, start, gate).await {
        Ok(Begun::Execution(_)) => return Ok(Made::New(seen(&database, &new).await?)),
        Ok(Begun::Refused { retry_after, taken }) => refused(retry_after, taken),
        Ok(Begun::KeyConflict) => ApiError::IdempotencyMismatch,
        Err(error) => error,
    };
    // Where it is not certain that nothing has begun, the row stays until that is known.
    if is_certain(&error) {
        jobs::forget(&database, &new.id).await?;
    }
    Err(error)
}

enum Added {
    /// The row that was to be added.
    Own(Job),
    /// Another one has its key.
    Other(Job),
}

async fn add(db: &impl Database, new: &New) -> Result<Added, ApiError> {
    let key = new.key.as_ref();
    let mut batch: Vec<_> =
        key.map(|key| jobs::free_key(&new.account, key, key_known_since())).into_iter().collect();
    batch.push(jobs::add(new));
    batch.push(jobs::any_by_id(&new.id));
    batch.extend(key.map(|key| jobs::by_key(&new.account, key)));
    let results = db.batch(batch).await?;
    let behind = usize::from(key.is_some());
    let own = results.iter().rev().nth(behind).map(|rows| rows.first::<Job>()).transpose()?;
    if let Some(own) = own.flatten() {
        return Ok(Added::Own(own));
    }
    let other = results.last().map(|rows| rows.first::<Job>()).transpose()?.flatten();
    let other = other.filter(|_| key.is_some());
    other.map(Added::Other).ok_or_else(|| missing(&new.id).into())
}

/// Lets the job be seen. One that was taken for lost meanwhile is there again.
async fn seen(db: &impl Database, new: &New) -> Result<Job, ApiError> {
    if let Some(job) = begun(db, &new.id).await? {
        return Ok(job);
    }
    let again = New { key: None, ..new.clone() };
    let batch = [jobs::add(&again), jobs::begin(&new.id), jobs::any_by_id(&new.id)];
    let [_, _, found] = db.batch_of(batch).await?;
    found.first()?.ok_or_else(|| missing(&new.id).into())
}

/// Lets a job be seen whose execution is there; `None` where the row is gone.
pub(super) async fn begun(db: &impl Database, id: &str) -> Result<Option<Job>, DbError> {
    let [_, found] = db.batch_of([jobs::begin(id), jobs::any_by_id(id)]).await?;
    found.first()
}

/// What a repeated request finds: the job of the first one, once that is done or was cut off.
async fn repeated(context: &RequestContext, job: Job, key: &Key) -> Result<Option<Job>, ApiError> {
    if job.body_hash.as_ref() != Some(&key.body_hash) {
        return Err(ApiError::IdempotencyMismatch);
    }
    let (database, site) = (context.database()?, context.site());
    let until = now().plus(FIRST_MAX);
    let mut job = job;
    while !job.begun && !has_begun(&site, &job).await? {
        if now() >= until {
            hand_over(&site, &job).await?;
            break;
        }
        Delay::from(Duration::from_millis(LOOK_AGAIN.get())).await;
        let found = database.query(jobs::any_by_id(&job.id)).await?.first::<Job>()?;
        let Some(found) = found else { return Ok(None) };
        job = found;
    }
    match job.begun {
        true => Ok(Some(job)),
        false => Ok(begun(&database, &job.id).await?),
    }
}

/// Whether the execution of a job is there.
pub(super) async fn has_begun(site: &Site, job: &Job) -> Result<bool, ApiError> {
    let id = parsed(job.pipeline_id.as_deref().unwrap_or_default())?;
    Ok(driver::records(site, &id, NO_RECORDS).await?.is_some())
}

/// Starts the execution of a job that was cut off. Where it begins elsewhere at the same moment, it
/// begins once.
async fn hand_over(site: &Site, job: &Job) -> Result<(), ApiError> {
    let document = job.request.clone().unwrap_or_default();
    let document = JsonDocument::<OrchestrateRequest>::of(document);
    let understood = understand(site, now(), document).await?;
    let Understood { published, asked, shortfall } = understood;
    if let Some(shortfall) = shortfall {
        return Err(ApiError::BudgetTooSmall(Box::new(shortfall)));
    }
    let start = Start {
        id: Some(parsed(job.pipeline_id.as_deref().unwrap_or_default())?),
        account: job.account_id.clone(),
        key_budget: key_budget(site, job).await?,
        initiators: vec![job.created_by.clone()],
        plan: Arc::clone(&published.plan),
        definition: Arc::clone(&published.definition),
        revision: published.revision,
        content_hash: published.content_hash.clone(),
        request: asked.document,
        terms: asked.terms,
        traceparent: None,
        request_id: None,
        key: None,
        window: Millis::ZERO,
        restarted_from: None,
    };
    match driver::hand_over(site, start).await? {
        Handed::Begun => Ok(()),
        Handed::Refused => Err(ApiError::AdmissionRefused {
            retry_after_s: u32::try_from(RETRY_AFTER.get() / 1000).unwrap_or(1),
            message: "all places of this account are taken".to_owned(),
        }),
    }
}

/// The budget of the key that made the job.
async fn key_budget(site: &Site, job: &Job) -> Result<Option<KeyFunds>, ApiError> {
    let Some(id) = job.created_by.strip_prefix("key:") else { return Ok(None) };
    let budget = api_keys::budget(&D1::new(site.bindings.database()?), id).await?;
    Ok(budget.map(|budget| budget.funds(id.to_owned())))
}

/// Whether an error says that nothing has begun.
fn is_certain(error: &ApiError) -> bool {
    !matches!(
        error,
        ApiError::DatabaseUnavailable { .. }
            | ApiError::DatabaseOutdated { .. }
            | ApiError::JournalUnavailable { .. }
            | ApiError::StorageUnavailable { .. }
            | ApiError::BindingMissing { .. }
            | ApiError::Internal { .. }
    )
}

fn key_known_since() -> Timestamp {
    Timestamp::from_millis(now().as_millis().saturating_sub_unsigned(KEY_KNOWN.get()))
}

fn parsed(id: &str) -> Result<ExecutionId, ApiError> {
    id.parse().map_err(|_| ApiError::Internal { cause: format!("'{id}' is no execution's id") })
}

fn missing(id: &str) -> DbError {
    let detail = format!("the job {id} that was added is not there");
    DbError::new(DbErrorKind::Malformed, "jobs.ADD", detail)
}
