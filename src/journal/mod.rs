//! The Durable Object that holds the journals of a shard: performs what [`engine::shard`] decides.
//! It makes no call to a worker, and none but to its own storage while a driver waits for it.

pub mod approvals;
pub mod artifacts;
pub mod client;
pub mod projection;
pub mod replay;
mod store;

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use chrono::{DateTime, Utc};
use engine::ids::ExecutionId;
use engine::shard::{PROTOCOL, Reply, Request as ShardRequest, Shard, Tasks, decode, encode};
use engine::time::{Millis, Timestamp};
use serde_json::json;
use worker::{BatchMessageBuilder, DurableObject, Env, QueueContentType, RawMessageBuilder};
use worker::{Request, Response, State, durable_object, wasm_bindgen};

use crate::bindings::Bindings;
use crate::clock;
use crate::config;
use crate::counts;
use crate::log::{self, Level};
use store::SqliteStore;
pub use store::{Database, Platform};

/// An alarm handler that dies is called again; this one comes back by itself after so long.
const ALARM_AGAIN: Millis = Millis::from_secs(5);

/// The most messages that the platform's queue takes at once.
const HINTS_TOGETHER_MAX: usize = 100;

/// The version of the protocol whose drivers understand no inbox entry.
const FIRST_VERSION: u32 = 1;

/// See the module.
#[durable_object(alarm)]
pub struct Journal {
    inner: Rc<Inner>,
}

struct Inner {
    state: State,
    env: Env,
    /// Loaded by the first event: a constructor cannot fail with a clear word.
    shard: RefCell<Option<Shard<SqliteStore<Platform>>>>,
    /// The alarm that is set, as far as this object knows.
    alarm: Cell<Option<Timestamp>>,
}

impl DurableObject for Journal {
    fn new(state: State, env: Env) -> Self {
        let (shard, alarm) = (RefCell::new(None), Cell::new(None));
        Self { inner: Rc::new(Inner { state, env, shard, alarm }) }
    }

    async fn fetch(&self, request: Request) -> worker::Result<Response> {
        self.inner.answer(request).await
    }

    async fn alarm(&self) -> worker::Result<Response> {
        // Set before the work: should this handler die, the next one still comes.
        self.inner.set_alarm(clock::now().plus(ALARM_AGAIN)).await?;
        self.inner.work().await;
        self.inner.alarm.set(None);
        if self.inner.with(clock::now(), |shard| Ok(shard.is_idle()))? {
            // Whoever gives it work sets an alarm again: each alarm is paid for.
            self.inner.state.storage().delete_alarm().await?;
        }
        self.inner.keep_alarm().await?;
        Response::empty()
    }
}

impl Inner {
    async fn answer(self: &Rc<Self>, mut request: Request) -> worker::Result<Response> {
        let version = request.path().trim_start_matches('/').parse().unwrap_or(u32::MAX);
        if version > PROTOCOL {
            return reply(&Reply::TooNew { speaks: PROTOCOL }, &[]);
        }
        let body = request.text().await?;
        let (asked, records) = match decode::<ShardRequest>(&body) {
            Ok(decoded) => decoded,
            Err(error) => return Response::error(format!("malformed: {error}"), 400),
        };
        let now = clock::now();
        let record = records.first().copied().unwrap_or_default();
        let (mut answer, records) = self.with(now, |shard| {
            let first = match version {
                FIRST_VERSION => shard.handle_first_version(now, &asked)?,
                _ => None,
            };
            match first {
                Some(reply) => Ok((reply, Vec::new())),
                None => shard.handle(now, asked, record),
            }
        })?;
        self.add_figures(now, &mut answer)?;
        let due = self.with(now, |shard| Ok(shard.alarm_at()))?.is_some_and(|at| at <= now);
        if due {
            let inner = Rc::clone(self);
            self.state.wait_until(async move { inner.work_and_keep_alarm().await });
        } else {
            self.keep_alarm().await?;
        }
        reply(&answer, &records)
    }

    /// Who sweeps hears what the shard has in hand; how large it is, only the platform knows.
    fn add_figures(&self, now: Timestamp, answer: &mut Reply) -> worker::Result<()> {
        if let Reply::Swept { figures } = answer {
            *figures = Some(self.with(now, |shard| Ok(shard.figures(now)))?);
        }
        if let Reply::Swept { figures: Some(figures) } | Reply::Figures(figures) = answer {
            figures.size_bytes = self.state.storage().sql().database_size() as u64;
        }
        Ok(())
    }

    /// Uses the shard, which is loaded by the first use after this object was made.
    fn with<T>(
        &self,
        now: Timestamp,
        with: impl FnOnce(&mut Shard<SqliteStore<Platform>>) -> worker::Result<T>,
    ) -> worker::Result<T> {
        let mut slot = self.shard.borrow_mut();
        if slot.is_none() {
            let store = SqliteStore::open(Platform::of(self.state.storage()))?;
            let timing = config::of(&self.env).shard_timing();
            *slot = Some(Shard::load(store, timing, now)?);
        }
        with(slot.as_mut().expect("the shard was just loaded"))
    }

    async fn keep_alarm(&self) -> worker::Result<()> {
        let wanted = self.with(clock::now(), |shard| Ok(shard.alarm_at()))?;
        match (wanted, self.alarm.get()) {
            (Some(wanted), Some(set)) if set <= wanted => Ok(()),
            (Some(wanted), _) => self.set_alarm(wanted).await,
            (None, _) => Ok(()),
        }
    }

    async fn set_alarm(&self, at: Timestamp) -> worker::Result<()> {
        // An alarm in the past may never come.
        let at = at.max(clock::now().plus(Millis::new(1)));
        let moment: Option<DateTime<Utc>> = DateTime::from_timestamp_millis(at.as_millis());
        self.alarm.set(Some(at));
        self.state.storage().set_alarm(moment.unwrap_or_default()).await
    }

    async fn work_and_keep_alarm(&self) {
        self.work().await;
        if let Err(error) = self.keep_alarm().await {
            failed("journal.alarm_failed", &error.to_string());
        }
    }

    /// Does what is due. What fails stays due: it is asked for again.
    async fn work(&self) {
        let now = clock::now();
        let tasks = match self.with(now, |shard| shard.tasks(now)) {
            Ok(tasks) => tasks,
            Err(error) => return failed("journal.storage_failed", &error.to_string()),
        };
        let bindings = Bindings::of(self.env.clone());
        hint(&bindings, &tasks).await;
        if tasks.project.is_empty() {
            return;
        }
        self.project(now, &bindings, &tasks).await;
        counts::bring(&bindings).await;
    }

    async fn project(&self, now: Timestamp, bindings: &Bindings, tasks: &Tasks) {
        let read = |projected: &engine::shard::Projected| {
            let id = &projected.id;
            self.with(now, |shard| {
                engine::shard::Store::records(shard.store(), id, engine::ids::Seq(0))
            })
        };
        let done = projection::project(bindings, &tasks.project, read).await;
        if let Err(error) = &done {
            failed("journal.projection_failed", &error.to_string());
        }
        let done = done.map(|()| tasks.project.as_slice()).map_err(|_| ());
        let now = clock::now();
        if let Err(error) = self.with(now, |shard| shard.projected(now, done)) {
            failed("journal.storage_failed", &error.to_string());
        }
    }
}

/// Asks for drivers. A message that is lost is sent again while nobody takes the lease.
async fn hint(bindings: &Bindings, tasks: &Tasks) {
    for ids in tasks.hints.chunks(HINTS_TOGETHER_MAX) {
        match send(bindings, ids).await {
            Ok(()) => ids.iter().for_each(|id| {
                log::write(
                    Level::Debug,
                    json!({ "event": "execution.hinted", "execution.id": id.as_str() }),
                );
            }),
            Err(error) => failed("journal.hint_failed", &error),
        }
    }
}

async fn send(bindings: &Bindings, ids: &[ExecutionId]) -> Result<(), String> {
    let queue = bindings.executions().map_err(|missing| missing.to_string())?;
    let message = |id: &ExecutionId| {
        let body = RawMessageBuilder::new(id.as_str().into());
        body.build_with_content_type(QueueContentType::Text)
    };
    let sent = match ids {
        [id] => queue.send_raw(message(id)).await,
        ids => {
            let batch = BatchMessageBuilder::new().messages(ids.iter().map(message));
            queue.send_raw_batch(batch.build()).await
        }
    };
    sent.map_err(|error| error.to_string())
}

fn failed(event: &str, error: &str) {
    log::write(Level::Error, json!({ "event": event, "error": error }));
}

fn reply(answer: &Reply, records: &[String]) -> worker::Result<Response> {
    let text = encode(answer, records.iter().map(String::as_str))?;
    Response::ok(text)
}
