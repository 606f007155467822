//! The Durable Object of an account: performs what [`engine::admission`] decides, and typed calls
//! of it. Its SQLite holds the account's money; all else it knows is in memory.

mod store;

use std::cell::RefCell;

use engine::admission::{
    Admission, Exhausted, Figures, Funds, HeldBy, Reply, Report, Request, Settlement,
};
use engine::ids::ExecutionId;
use engine::plan::Gate;
use engine::time::{Millis, Timestamp};
use serde_json::json;
use worker::{DurableObject, Env, Response, State};
use worker::{durable_object, wasm_bindgen};

use crate::bindings::Bindings;
use crate::clock;
use crate::fetches::Fetches;
use crate::journal::Platform;
use crate::log::{self, Level};
use store::SqliteStore;

/// See the module.
#[durable_object(fetch)]
pub struct Governor {
    state: State,
    /// Loaded by the first request, and anew after one that the storage failed.
    account: RefCell<Option<Admission<SqliteStore<Platform>>>>,
}

impl DurableObject for Governor {
    fn new(state: State, _env: Env) -> Self {
        Self { state, account: RefCell::default() }
    }

    async fn fetch(&self, mut request: worker::Request) -> worker::Result<Response> {
        let asked: Request = match serde_json::from_str(&request.text().await?) {
            Ok(asked) => asked,
            Err(error) => return Response::error(format!("malformed: {error}"), 400),
        };
        match self.handle(asked) {
            Ok(reply) => Response::ok(serde_json::to_string(&reply)?),
            Err(error) => {
                let error = error.to_string();
                log::write(
                    Level::Error,
                    json!({ "event": "governor.storage_failed", "error": error }),
                );
                Response::error(error, 500)
            }
        }
    }
}

impl Governor {
    fn handle(&self, asked: Request) -> worker::Result<Reply> {
        let mut slot = self.account.borrow_mut();
        if slot.is_none() {
            *slot = Some(Admission::load(SqliteStore::open(Platform::of(self.state.storage()))?)?);
        }
        let account = slot.as_mut().expect("the account was just loaded");
        let reply = account.handle(clock::now(), asked);
        if reply.is_err() {
            *slot = None;
        }
        reply
    }
}

/// The Governor gave no answer.
#[derive(Debug, thiserror::Error)]
#[error("the governor of the account cannot be reached: {0}")]
pub struct Unreachable(String);

/// An execution that is about to start, and what it needs.
#[derive(Clone, Debug)]
pub struct Asking {
    /// The execution.
    pub id: ExecutionId,
    /// The most places of the account.
    pub limit: u32,
    /// Who has more goes first.
    pub priority: i64,
    /// Whether it waits in the line when no place is free.
    pub waits: bool,
    /// The money that it needs; `None` where the account has no limits.
    pub funds: Option<Funds>,
}

/// A call that is about to begin.
#[derive(Clone, Debug)]
pub struct Call {
    /// The step, element or compensation that it is of.
    pub path: String,
    /// Whose gate it must pass.
    pub worker: String,
    /// What the gate is.
    pub gate: Gate,
    /// Who has more goes first.
    pub priority: i64,
    /// The attempt's deadline.
    pub until: Timestamp,
}

/// Whether a call may begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Passage {
    /// It may; the permit runs out at that moment if it is not given back.
    Passed(Timestamp),
    /// It must wait, and ask again after so long.
    Held(HeldBy, Millis),
}

/// Asks for a place, and money, for an execution that is about to start.
pub async fn admit(
    bindings: &Bindings,
    account: &str,
    asking: &Asking,
) -> Result<Reply, Unreachable> {
    let Asking { id, limit, priority, waits, funds } = asking.clone();
    ask(bindings, account, &Request::Admit { id, limit, priority, waits, funds }).await
}

/// Keeps the place of an execution that is driven, or takes it back. The workers that are named
/// must be asked for before each call.
pub async fn keep(
    bindings: &Bindings,
    account: &str,
    id: &ExecutionId,
    reports: Vec<Report>,
) -> Result<Vec<String>, Unreachable> {
    gates(ask(bindings, account, &Request::Keep { id: id.clone(), reports }).await?)
}

/// Gives a place back, and a place in the line.
pub async fn leave(
    bindings: &Bindings,
    account: &str,
    id: &ExecutionId,
    reports: Vec<Report>,
) -> Result<(), Unreachable> {
    ask(bindings, account, &Request::Leave { id: id.clone(), reports }).await.map(drop)
}

/// Asks whether a call may begin.
pub async fn pass(
    bindings: &Bindings,
    account: &str,
    id: &ExecutionId,
    call: Call,
) -> Result<Passage, Unreachable> {
    let Call { path, worker, gate, priority, until } = call;
    let request = Request::Pass { id: id.clone(), path, worker, gate, priority, until };
    match ask(bindings, account, &request).await? {
        Reply::Passed { until } => Ok(Passage::Passed(until)),
        Reply::Held { reason, ask_again } => Ok(Passage::Held(reason, ask_again)),
        other => Err(unexpected(&other)),
    }
}

/// Tells that a call is over, or waits no longer. See [`keep`] for the reply.
pub async fn give_back(
    bindings: &Bindings,
    account: &str,
    id: &ExecutionId,
    (path, worker): (&str, &str),
    reports: Vec<Report>,
) -> Result<Vec<String>, Unreachable> {
    let (path, worker) = (path.to_owned(), worker.to_owned());
    gates(ask(bindings, account, &Request::Return { id: id.clone(), path, worker, reports }).await?)
}

/// Tells what calls came to. See [`keep`] for the reply.
pub async fn report(
    bindings: &Bindings,
    account: &str,
    id: &ExecutionId,
    reports: Vec<Report>,
) -> Result<Vec<String>, Unreachable> {
    gates(ask(bindings, account, &Request::Report { id: id.clone(), reports }).await?)
}

/// Tells what executions have spent.
pub async fn settle(
    bindings: &Bindings,
    account: &str,
    settlements: Vec<Settlement>,
) -> Result<(), Unreachable> {
    match ask(bindings, account, &Request::Settle { settlements }).await? {
        Reply::Settled => Ok(()),
        other => Err(unexpected(&other)),
    }
}

/// What the account has in hand.
pub async fn figures(bindings: &Bindings, account: &str) -> Result<Figures, Unreachable> {
    match ask(bindings, account, &Request::Figures).await? {
        Reply::Figures(figures) => Ok(figures),
        other => Err(unexpected(&other)),
    }
}

/// Asks for more money for an execution that goes on with a higher budget.
pub async fn raise(
    bindings: &Bindings,
    account: &str,
    id: &ExecutionId,
    funds: Funds,
) -> Result<Result<(), Exhausted>, Unreachable> {
    match ask(bindings, account, &Request::Raise { id: id.clone(), funds }).await? {
        Reply::Granted { .. } => Ok(Ok(())),
        Reply::Exhausted(exhausted) => Ok(Err(exhausted)),
        other => Err(unexpected(&other)),
    }
}

fn gates(reply: Reply) -> Result<Vec<String>, Unreachable> {
    match reply {
        Reply::Granted { gates } | Reply::Noted { gates } => Ok(gates),
        other => Err(unexpected(&other)),
    }
}

fn unexpected(reply: &Reply) -> Unreachable {
    Unreachable(format!("it answered {reply:?}"))
}

async fn ask(bindings: &Bindings, account: &str, request: &Request) -> Result<Reply, Unreachable> {
    let failed = |error: String| Unreachable(error);
    let body = serde_json::to_string(request).map_err(|error| failed(error.to_string()))?;
    let stub = bindings.governor(account).map_err(|error| failed(error.to_string()))?;
    let answer = stub.into_rpc::<Fetches>().post("https://governor/", &body).await;
    let (status, text) = answer.map_err(failed)?;
    let start: String = text.chars().take(ANSWER_CHARS_MAX).collect();
    serde_json::from_str(&text).map_err(|_| failed(format!("status {status}: {start}")))
}

/// As much of an answer that cannot be read as goes to the log.
const ANSWER_CHARS_MAX: usize = 200;
