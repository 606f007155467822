//! The Durable Object of an account: performs what [`engine::admission`] decides.

use std::cell::RefCell;

use engine::admission::{Admission, Reply, Request};
use engine::ids::ExecutionId;
use worker::{DurableObject, Env, Response, State};
use worker::{durable_object, wasm_bindgen};

use crate::bindings::Bindings;
use crate::clock;
use crate::fetches::Fetches;

/// See the module.
#[durable_object(fetch)]
pub struct Governor {
    places: RefCell<Admission>,
}

impl DurableObject for Governor {
    fn new(_state: State, _env: Env) -> Self {
        Self { places: RefCell::default() }
    }

    async fn fetch(&self, mut request: worker::Request) -> worker::Result<Response> {
        let asked: Request = match serde_json::from_str(&request.text().await?) {
            Ok(asked) => asked,
            Err(error) => return Response::error(format!("malformed: {error}"), 400),
        };
        let reply = self.places.borrow_mut().handle(clock::now(), asked);
        Response::ok(serde_json::to_string(&reply)?)
    }
}

/// The Governor gave no answer.
#[derive(Debug, thiserror::Error)]
#[error("the governor of the account cannot be reached: {0}")]
pub struct Unreachable(String);

/// Asks for a place for an execution that is about to start.
pub async fn admit(
    bindings: &Bindings,
    account: &str,
    id: &ExecutionId,
    limit: u32,
) -> Result<Reply, Unreachable> {
    ask(bindings, account, &Request::Admit { id: id.clone(), limit }).await
}

/// Keeps the place of an execution that is driven, or takes it back.
pub async fn keep(bindings: &Bindings, account: &str, id: &ExecutionId) -> Result<(), Unreachable> {
    ask(bindings, account, &Request::Keep { id: id.clone() }).await.map(drop)
}

/// Gives a place back.
pub async fn leave(
    bindings: &Bindings,
    account: &str,
    id: &ExecutionId,
) -> Result<(), Unreachable> {
    ask(bindings, account, &Request::Leave { id: id.clone() }).await.map(drop)
}

async fn ask(bindings: &Bindings, account: &str, request: &Request) -> Result<Reply, Unreachable> {
    let failed = |error: String| Unreachable(error);
    let body = serde_json::to_string(request).map_err(|error| failed(error.to_string()))?;
    let stub = bindings.governor(account).map_err(|error| failed(error.to_string()))?;
    let answer = stub.into_rpc::<Fetches>().post("https://governor/", &body).await;
    let (_, text) = answer.map_err(failed)?;
    serde_json::from_str(&text).map_err(|error| failed(error.to_string()))
}
