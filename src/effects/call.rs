//! One call of a worker: over its service binding or by URL, with the headers of
//! docs/worker-patterns.md, and what its answer comes to.

use engine::execution::{Fault, FaultKind, Outcome, Payload, Request, Via};
use engine::money::MicroUsd;
use engine::plan::{Address, Target};
use engine::time::Millis;
use serde_json::Value;
use worker::wasm_bindgen::JsValue;
use worker::web_sys;

use crate::bindings::Bindings;
use crate::clock;
use crate::config::Config;
use crate::fetches::{self, Fetches};

/// The largest answer that is read, in bytes.
const ANSWER_BYTES_MAX: usize = 4 * 1024 * 1024;
/// How this Worker names itself to workers.
const WORKER_ID: &str = "bitware_orchestrator";
/// The longest wait that a worker may ask for.
const RETRY_AFTER_MAX: Millis = Millis::from_secs(24 * 3600);

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
pub async fn call(bindings: &Bindings, config: &Config, request: &Request) -> Outcome {
    let fault = match exchange(bindings, config, request).await {
        Ok(answer) => return outcome(request, answer),
        Err(fault) => fault,
    };
    Outcome { result: Err(fault), cost: None, memoised: None }
}

/// What came back.
struct Answer {
    status: u16,
    cost_usd: Option<String>,
    retry_after: Option<String>,
    text: String,
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
        check_address(&url, config.local_addresses_allowed)?;
    }
    let mut abort = AbortOnDrop::new().map_err(|error| network(request, &error))?;
    let init = init(config, request, body, &abort).map_err(|error| network(request, &error))?;
    let asked = web_sys::Request::new_with_str_and_init(&url, &init)
        .map_err(|error| network(request, &error))?;
    let response = fetches.send(&asked).await.map_err(|error| network(request, &error))?;
    let answer = read(response, request).await;
    abort.is_needed = answer.is_err();
    answer
}

fn check_address(url: &str, allow_local: bool) -> Result<(), Fault> {
    worker_kit::ssrf::check(url, allow_local).map(drop).map_err(|refusal| {
        let message = format!("the worker's address is refused: {}", refusal.code());
        Fault::new(FaultKind::Refused, "worker.address_refused", message)
    })
}

fn init(
    config: &Config,
    request: &Request,
    body: &Value,
    abort: &AbortOnDrop,
) -> Result<web_sys::RequestInit, JsValue> {
    let headers = web_sys::Headers::new()?;
    headers.set("Content-Type", "application/json")?;
    headers.set("X-Worker-ID", WORKER_ID)?;
    headers.set("Idempotency-Key", &request.idempotency_key())?;
    headers.set("X-Pipeline-ID", request.execution.as_str())?;
    headers.set("X-Attempt", &request.attempt.to_string())?;
    headers.set("X-Fence", &request.fence.to_string())?;
    headers.set("X-Deadline-Ms", &request.deadline_at.as_millis().to_string())?;
    if let Some(secret) = &config.secrets.worker_shared_secret {
        headers.set("Authorization", &format!("Bearer {}", secret.reveal()))?;
    }
    if let Some(traceparent) = &request.traceparent {
        headers.set("traceparent", traceparent)?;
    }
    let init = web_sys::RequestInit::new();
    init.set_method("POST");
    init.set_headers(&headers);
    init.set_body(&JsValue::from_str(&body.to_string()));
    init.set_signal(Some(&abort.signal()));
    // A redirect could lead to an address that was not checked.
    init.set_redirect(web_sys::RequestRedirect::Manual);
    Ok(init)
}

async fn read(response: web_sys::Response, request: &Request) -> Result<Answer, Fault> {
    let header = |name: &str| response.headers().get(name).ok().flatten();
    let (cost_usd, retry_after) = (header("X-Cost-USD"), header("Retry-After"));
    let length = header("Content-Length").and_then(|text| text.parse::<usize>().ok());
    if length.is_some_and(|bytes| bytes > ANSWER_BYTES_MAX) {
        return Err(too_large(request));
    }
    let status = response.status();
    let text = match length {
        Some(_) => fetches::text(&response).await.map_err(|error| network(request, &error))?,
        None => read_bounded(&mut worker::Response::from(response), request).await?,
    };
    Ok(Answer { status, cost_usd, retry_after, text })
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
        "step `{}`: worker `{}` answered with more than {ANSWER_BYTES_MAX} bytes",
        request.step, request.worker
    );
    Fault::new(FaultKind::Output, "worker.output_too_large", message)
}

fn broken(request: &Request, error: &worker::Error) -> Fault {
    network(request, &JsValue::from_str(&error.to_string()))
}

fn network(request: &Request, error: &JsValue) -> Fault {
    let text = fetches::message(error);
    let message =
        format!("step `{}`: worker `{}` cannot be reached: {text}", request.step, request.worker);
    Fault::new(FaultKind::Network, "worker.unreachable", message)
}

fn outcome(request: &Request, answer: Answer) -> Outcome {
    let body: Option<Value> = serde_json::from_str(&answer.text).ok();
    let cost = cost(answer.cost_usd.as_deref(), body.as_ref());
    let result = match (answer.status, body) {
        (200..=299, Some(output)) => Ok(Payload::inline(output)),
        (200..=299, None) => {
            let message = format!(
                "step `{}`: worker `{}` answered with status {} and something that is no JSON",
                request.step, request.worker, answer.status
            );
            Err(Fault::new(FaultKind::Output, "worker.malformed_output", message))
        }
        (status, body) => Err(refused(request, status, answer.retry_after, body.as_ref())),
    };
    Outcome { result, cost, memoised: None }
}

/// The cost by the header, else by the body; an amount that is none counts as not said.
fn cost(header: Option<&str>, body: Option<&Value>) -> Option<MicroUsd> {
    let usd = header.and_then(|text| text.trim().parse::<f64>().ok());
    let usd = usd.or_else(|| body?.get("cost_usd")?.as_f64());
    usd.and_then(MicroUsd::from_usd)
}

fn refused(
    request: &Request,
    status: u16,
    retry_after: Option<String>,
    body: Option<&Value>,
) -> Fault {
    let field = |name: &str| body.and_then(|body| body.get(name));
    let said = ["detail", "error", "message"].into_iter().find_map(|name| field(name)?.as_str());
    let message = format!(
        "step `{}`: worker `{}` answered with status {status}{}",
        request.step,
        request.worker,
        said.map(|text| format!(": {text}")).unwrap_or_default(),
    );
    let mut fault = Fault::new(FaultKind::Http(status), "worker.refused", message);
    fault.retryable = field("retryable").and_then(Value::as_bool);
    fault.retry_after = retry_after.and_then(|text| delay(&text));
    fault
}

/// `Retry-After` is a number of seconds or an HTTP date (RFC 9110, section 10.2.3).
fn delay(text: &str) -> Option<Millis> {
    let text = text.trim();
    let asked = match text.parse::<u64>() {
        Ok(seconds) => Millis::from_secs(seconds),
        Err(_) => {
            let date = chrono::DateTime::parse_from_rfc2822(text).ok()?;
            engine::time::Timestamp::from_millis(date.timestamp_millis()).since(clock::now())
        }
    };
    Some(asked.min(RETRY_AFTER_MAX))
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
    fn the_header_goes_before_the_body_and_nonsense_counts_as_unsaid() {
        let body = serde_json::json!({ "cost_usd": 0.5 });
        assert_eq!(cost(Some("0.25"), Some(&body)), MicroUsd::from_usd(0.25));
        assert_eq!(cost(None, Some(&body)), MicroUsd::from_usd(0.5));
        assert_eq!(cost(Some("much"), Some(&body)), MicroUsd::from_usd(0.5));
        assert_eq!(cost(Some("-1"), None), None);
        assert_eq!(cost(None, None), None);
    }

    #[test]
    fn retry_after_is_bounded() {
        assert_eq!(delay("7"), Some(Millis::from_secs(7)));
        assert_eq!(delay("99999999999"), Some(RETRY_AFTER_MAX));
        assert_eq!(delay("soon"), None);
    }
}
