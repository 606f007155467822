//! Performs outgoing requests through the platform's `fetch`. It decides nothing: limits, checks
//! and redirects come from its neighbours. Cannot run on the host.

use futures::StreamExt;
use http::HeaderMap;
use url::Url;
use worker::{AbortController, AbortSignal, Fetcher, HttpResponse, RequestInit, RequestRedirect};

use super::redirect::next_hop;
use super::{Exchange, Fault, Limits};
use crate::{clock, ssrf};

/// Which way a request leaves.
#[derive(Clone, Copy, Debug)]
pub enum Door<'d> {
    /// The network.
    Network,
    /// Another Worker, by service binding.
    Service(&'d Fetcher),
}

/// What is sent.
#[derive(Clone, Copy, Debug)]
pub struct Outgoing<'o> {
    /// Name and value; names in lower case.
    pub headers: &'o [(&'o str, &'o str)],
    /// With a body it is a POST, without one a GET.
    pub body: Option<&'o str>,
}

/// Reads `url`, following redirects within `limits`; every hop is checked, and `door` says for each
/// which way it leaves, or refuses it.
pub async fn follow<'d, D>(
    url: &str,
    outgoing: Outgoing<'_>,
    limits: &Limits,
    door: D,
) -> Result<Exchange, Fault>
where
    D: Fn(&Url) -> Result<Door<'d>, Fault>,
{
    let mut url = ssrf::check(url, limits.allow_local)?;
    let started_ms = clock::now_ms();
    let mut followed = 0;
    loop {
        let spent_ms = u32::try_from(clock::now_ms() - started_ms).unwrap_or(u32::MAX);
        let left_ms = limits.time_ms.saturating_sub(spent_ms);
        if left_ms == 0 {
            return Err(Fault::timeout(limits.time_ms));
        }
        let hop = Limits { time_ms: left_ms, ..*limits };
        let answer = exchange(door(&url)?, &url, outgoing, &hop).await?;
        match next_hop(answer.status, answer.header("location"), &url, followed, limits)? {
            // `next_hop` refuses the redirect after the last one allowed, which ends this loop.
            Some(target) => (url, followed) = (target, followed + 1),
            None => return Ok(answer),
        }
    }
}

/// One request and its answer, redirects not followed. The caller has checked the URL.
pub async fn exchange(
    door: Door<'_>,
    url: &Url,
    outgoing: Outgoing<'_>,
    limits: &Limits,
) -> Result<Exchange, Fault> {
    let transfer = Transfer::begin();
    let answer = clock::within(limits.time_ms, send(door, url, outgoing, &transfer, limits)).await;
    answer.unwrap_or_else(|| Err(Fault::timeout(limits.time_ms)))
}

/// Ends a transfer when nobody waits for it any more, be it that the time ran out, that too much
/// came, or that the caller gave up. Without effect on one that is complete.
struct Transfer {
    signal: AbortSignal,
    controller: Option<AbortController>,
}

impl Transfer {
    fn begin() -> Transfer {
        let controller = AbortController::default();
        Transfer { signal: controller.signal(), controller: Some(controller) }
    }
}

impl Drop for Transfer {
    fn drop(&mut self) {
        if let Some(controller) = self.controller.take() {
            controller.abort();
        }
    }
}

async fn send(
    door: Door<'_>,
    url: &Url,
    outgoing: Outgoing<'_>,
    transfer: &Transfer,
    limits: &Limits,
) -> Result<Exchange, Fault> {
    let request = request(url, outgoing).map_err(|error| unreachable(&error))?;
    let response: worker::Result<HttpResponse> = match door {
        Door::Service(service) => service.fetch_request(request).await,
        Door::Network => worker::Fetch::Request(request)
            .send_with_signal(&transfer.signal)
            .await
            .and_then(HttpResponse::try_from),
    };
    let (parts, mut body) = response.map_err(|error| unreachable(&error))?.into_parts();
    if announced_bytes(&parts.headers).is_some_and(|bytes| bytes > limits.body_bytes as u64) {
        return Err(Fault::too_large(limits.body_bytes));
    }
    let mut read: Vec<u8> = Vec::new();
    while let Some(chunk) = body.next().await {
        let chunk = chunk.map_err(|error| unreachable(&error))?;
        if read.len() + chunk.len() > limits.body_bytes {
            return Err(Fault::too_large(limits.body_bytes));
        }
        read.extend_from_slice(&chunk);
    }
    Ok(Exchange {
        status: parts.status.as_u16(),
        headers: parts.headers,
        body: read,
        url: url.clone(),
    })
}

fn request(url: &Url, outgoing: Outgoing<'_>) -> worker::Result<worker::Request> {
    let headers = worker::Headers::new();
    for (name, value) in outgoing.headers {
        headers.set(name, value)?;
    }
    let mut init = RequestInit::new();
    init.with_headers(headers).with_redirect(RequestRedirect::Manual);
    if let Some(body) = outgoing.body {
        init.with_method(worker::Method::Post).with_body(Some(body.into()));
    }
    worker::Request::new_with_init(url.as_str(), &init)
}

fn announced_bytes(headers: &HeaderMap) -> Option<u64> {
    headers.get(http::header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

fn unreachable(error: &worker::Error) -> Fault {
    Fault::new("fetch.unreachable", error.to_string())
}
