//! One call of a worker: over its service binding or by URL, with the headers of
//! docs/worker-patterns.md. What its answer comes to is [`super::answer`]'s to say.

use engine::execution::{Fault, FaultKind, Request, Via};
use engine::ids::ExecutionId;
use engine::plan::{Address, Target};
use serde_json::{Map, Value};
use worker::wasm_bindgen::JsValue;
use worker::web_sys;

use super::answer::{ACCEPTED, Answer, Asker, Called};
use super::memo::{self, Memo, MemoKey};
use crate::bindings::Bindings;
use crate::clock;
use crate::config::Config;
use crate::fetches::{self, Fetches};

/// The largest answer that is read, in bytes.
const ANSWER_BYTES_MAX: usize = 4 * 1024 * 1024;
/// How this Worker names itself to workers.
const WORKER_ID: &str = "bitware_orchestrator";

/// How a call of `target` is made.
pub fn via(target: Option<&Target>) -> Via {
    match target.map(|target| &target.address) {
        None => Via::Internal,
        Some(Address::Binding(_)) => Via::ServiceBinding,
        Some(Address::Url(_)) => Via::Http,
    }
}

/// The word for it in replies and tables.
pub fn via_text(via: Via) -> &'static str {
    match via {
        Via::ServiceBinding => "service_binding",
        Via::Http => "http",
        Via::Internal => "internal",
    }
}

/// Makes the call. Dropping the future gives the call up.
pub async fn call(bindings: &Bindings, config: &Config, request: &Request) -> Called {
    let body = request.body.as_ref().ok();
    let memo = body.zip(request.memo).map(|(body, ttl)| Memo {
        key: MemoKey {
            account: &request.account,
            worker: &request.worker,
            version: &request.version,
            endpoint: &request.endpoint,
            body,
        },
        ttl,
        estimated_cost: request.estimated_cost,
    });
    memo::through(bindings, memo, make(bindings, config, request)).await
}

async fn make(bindings: &Bindings, config: &Config, request: &Request) -> Called {
    match exchange(bindings, config, request).await {
        Ok(answer) => {
            let asker = Asker { step: &request.step, whom: &request.whom() };
            answer.comes_to(asker, clock::now())
        }
        Err(fault) => Called::from(fault),
    }
}

async fn exchange(
    bindings: &Bindings,
    config: &Config,
    request: &Request,
) -> Result<Answer, Fault> {
    let body = request.body.as_ref().map_err(Clone::clone)?;
    let (fetches, base) = match &request.address {
        Address::Binding(name) => {
            let service = bindings.service(name).map_err(|_| {
                let message = format!("this deployment binds no service `{name}`");
                Fault::new(FaultKind::Refused, "worker.binding_missing", message)
            })?;
            (service.into_rpc::<Fetches>(), "https://worker".to_owned())
        }
        Address::Url(base) => (Fetches::global(), base.clone()),
    };
    let url = format!("{base}{}", request.endpoint);
    if matches!(request.address, Address::Url(_)) {
        check_address(&url, request, config.local_addresses_allowed)?;
    }
    let mut abort = AbortOnDrop::new().map_err(|error| network(request, &error))?;
    let init = init(config, request, body, &abort).map_err(|error| network(request, &error))?;
    let response = fetches.send(&url, &init).await.map_err(|error| network(request, &error))?;
    let answer = read(response, request).await;
    abort.is_needed = answer.is_err();
    answer
}

fn check_address(url: &str, request: &Request, allow_local: bool) -> Result<(), Fault> {
    worker_kit::ssrf::check_secret(url, allow_local).map(drop).map_err(|refusal| {
        let message = format!("the address of {} is refused: {}", request.whom(), refusal.code());
        Fault::new(FaultKind::Refused, "worker.address_refused", message)
    })
}

fn init(
    config: &Config,
    request: &Request,
    body: &Value,
    abort: &AbortOnDrop,
) -> Result<web_sys::RequestInit, JsValue> {
    let init = web_sys::RequestInit::new();
    init.set_method("POST");
    init.set_headers(&fetches::headers(&headers(config, request))?);
    init.set_body(&JsValue::from_str(&body.to_string()));
    init.set_signal(Some(&abort.signal()));
    // A redirect could lead to an address that was not checked.
    init.set_redirect(web_sys::RequestRedirect::Manual);
    Ok(init)
}

fn headers(config: &Config, request: &Request) -> Map<String, Value> {
    let mut headers = Map::new();
    let mut set = |name: &str, value: String| headers.insert(name.to_owned(), value.into());
    set("Content-Type", "application/json".to_owned());
    set("X-Worker-ID", WORKER_ID.to_owned());
    set("Idempotency-Key", request.idempotency_key());
    set("X-Pipeline-ID", request.execution.to_string());
    set("X-Step", request.step.clone());
    let callback = callback_path(&request.execution, &request.step);
    if let Some(base) = &config.public_base_url {
        set("X-Callback-URL", format!("{base}{callback}"));
    }
    set("X-Callback-Path", callback);
    set("X-Attempt", request.attempt.to_string());
    set("X-Fence", request.fence.to_string());
    set("X-Deadline-Ms", request.deadline_at.as_millis().to_string());
    // A node of another account must not learn the secret that administers the installation.
    let is_trusted = request.tool.as_ref().is_none_or(|tool| tool.is_trusted);
    if let Some(secret) = config.secrets.worker_shared_secret.as_ref().filter(|_| is_trusted) {
        set("Authorization", format!("Bearer {}", secret.reveal()));
    }
    if let Some(tool) = &request.tool {
        set("X-Tool", percent_encoded(&tool.name));
        set("X-Tool-ID", tool.id.clone());
        set("X-Tool-Version", percent_encoded(&request.version));
    }
    if let Some(traceparent) = &request.traceparent {
        set("traceparent", traceparent.clone());
    }
    headers
}

/// Where a worker that has answered 202 reports. A path that has slashes or brackets is one segment
/// of it.
fn callback_path(execution: &ExecutionId, step: &str) -> String {
    format!("/pipeline/{execution}/steps/{}/complete", encoded(step, b"-_"))
}

/// Text that may stand in a header: what is no visible ASCII is percent-encoded, and `%` itself.
fn percent_encoded(text: &str) -> String {
    encoded(text, b" !#$&'()*+,-./:;<=>?@[]^_`{|}~")
}

/// Letters, digits and `plain` bytes as they are, all others percent-encoded.
fn encoded(text: &str, plain: &[u8]) -> String {
    text.bytes().fold(String::new(), |mut encoded, byte| {
        match byte.is_ascii_alphanumeric() || plain.contains(&byte) {
            true => encoded.push(byte.into()),
            false => encoded.push_str(&format!("%{byte:02X}")),
        }
        encoded
    })
}

async fn read(response: web_sys::Response, request: &Request) -> Result<Answer, Fault> {
    let headers = response.headers();
    let header = |name: &str| headers.get(name).ok().flatten();
    let (cost_usd, retry_after) = (header("X-Cost-USD"), header("Retry-After"));
    let length = header("Content-Length").and_then(|text| text.parse::<usize>().ok());
    let status = response.status();
    let text = match text(response, length, request).await {
        // A worker that has accepted is at work, whatever becomes of what else it said.
        Err(_) if status == ACCEPTED => String::new(),
        text => text?,
    };
    Ok(Answer { status, cost_usd, retry_after, text })
}

async fn text(
    response: web_sys::Response,
    length: Option<usize>,
    request: &Request,
) -> Result<String, Fault> {
    match length {
        Some(bytes) if bytes > ANSWER_BYTES_MAX => Err(too_large(request)),
        Some(_) => fetches::text(&response).await.map_err(|error| network(request, &error)),
        None => read_bounded(&mut worker::Response::from(response), request).await,
    }
}

/// Reads a body whose length nobody has said.
async fn read_bounded(response: &mut worker::Response, request: &Request) -> Result<String, Fault> {
    use futures::TryStreamExt;
    let mut bytes = Vec::new();
    let mut stream = match response.stream() {
        Ok(stream) => stream,
        Err(_) => return Ok(String::new()),
    };
    while let Some(chunk) = stream.try_next().await.map_err(|error| broken(request, &error))? {
        if bytes.len() + chunk.len() > ANSWER_BYTES_MAX {
            return Err(too_large(request));
        }
        bytes.extend(chunk);
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn too_large(request: &Request) -> Fault {
    let message = format!(
        "step `{}`: {} answered with more than {ANSWER_BYTES_MAX} bytes",
        request.step,
        request.whom()
    );
    Fault::new(FaultKind::Output, "worker.output_too_large", message)
}

fn broken(request: &Request, error: &worker::Error) -> Fault {
    network(request, &JsValue::from_str(&error.to_string()))
}

fn network(request: &Request, error: &JsValue) -> Fault {
    let text = fetches::message(error);
    let message = format!("step `{}`: {} cannot be reached: {text}", request.step, request.whom());
    Fault::new(FaultKind::Network, "worker.unreachable", message)
}

/// Gives a call up when nobody waits for it any more.
struct AbortOnDrop {
    controller: web_sys::AbortController,
    is_needed: bool,
}

impl AbortOnDrop {
    fn new() -> Result<Self, JsValue> {
        let controller = web_sys::AbortController::new()?;
        Ok(Self { controller, is_needed: true })
    }

    fn signal(&self) -> web_sys::AbortSignal {
        self.controller.signal()
    }
}

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        if self.is_needed {
            self.controller.abort();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_carries_any_name() {
        assert_eq!(percent_encoded("Word counter/2.0"), "Word counter/2.0");
        assert_eq!(percent_encoded("zähl\n100%"), "z%C3%A4hl%0A100%25");
    }

    #[test]
    fn the_callback_names_execution_and_path() {
        let id: ExecutionId = "pipe_1_00000000000000000000000000".parse().unwrap();
        for (step, segment) in [
            ("charge_card-2", "charge_card-2"),
            ("classify[3]", "classify%5B3%5D"),
            ("charge/compensate", "charge%2Fcompensate"),
        ] {
            let expected = format!("/pipeline/{id}/steps/{segment}/complete");
            assert_eq!(callback_path(&id, step), expected);
        }
    }
}
