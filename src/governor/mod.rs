//! The Durable Object of an account: performs what [`engine::admission`] decides.

use std::cell::RefCell;

use engine::admission::{Admission, Reply, Request};
use engine::ids::ExecutionId;
use worker::{DurableObject, Env, Method, RequestInit, Response, State};
use worker::{durable_object, wasm_bindgen};

use crate::bindings::Bindings;
use crate::clock;

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
pub async fn leave(bindings: &Bindings, account: &str, id: &ExecutionId) -> Result<(), Unreachable> {
    ask(bindings, account, &Request::Leave { id: id.clone() }).await.map(drop)
}

async fn ask(bindings: &Bindings, account: &str, request: &Request) -> Result<Reply, Unreachable> {
    let failed = |error: String| Unreachable(error);
    let body = serde_json::to_string(request).map_err(|error| failed(error.to_string()))?;
    let mut init = RequestInit::new();
    init.with_method(Method::Post).with_body(Some(body.into()));
    let request = worker::Request::new_with_init("https://governor/", &init)
        .map_err(|error| failed(error.to_string()))?;
    let stub = bindings.governor(account).map_err(|error| failed(error.to_string()))?;
    let response = stub.fetch_with_request(request).await;
    let mut response = response.map_err(|error| failed(error.to_string()))?;
    let text = response.text().await.map_err(|error| failed(error.to_string()))?;
    serde_json::from_str(&text).map_err(|error| failed(error.to_string()))
}
