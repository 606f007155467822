//! How many requests a minute a caller may make: which tier of the platform's rate limiter counts
//! them, and under whose name. The platform counts in each of its places by itself, so this keeps
//! callers from harm and is no exact meter. A tier that a deployment lacks refuses nobody.

use axum::extract::{MatchedPath, Request};
use axum::http::HeaderMap;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use engine::time::Timestamp;
use serde_json::json;
use worker::send::SendFuture;

use crate::auth::{Caller, Identity};
use crate::bindings::{RATE_TIERS, RateTier};
use crate::clock::now;
use crate::error::ApiError;
use crate::log::{self, Level};
use crate::request::RequestContext;

/// What looks whether the orchestrator is alive must never be refused for asking.
pub const UNLIMITED_PATH: &str = "/healthz";
/// Windows of the local limiter begin with the minute; the platform says nothing of its own.
const WINDOW_MS: i64 = 60_000;

/// How many requests a minute each kind of caller may make; `None` for as many as it likes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rates {
    /// Without a credential, by address.
    pub anonymous: Option<u32>,
    /// With an issued key that names no rate of its own.
    pub keys: Option<u32>,
    /// With the key that the installation began with.
    pub bootstrap: Option<u32>,
    /// With the workers' secret, by the worker's id.
    pub workers: Option<u32>,
}

/// Who is counted, and how many requests a minute are too many.
#[derive(Debug, PartialEq, Eq)]
struct Counted {
    name: String,
    per_minute: Option<u32>,
}

/// Refuses a request whose caller has made too many, before anything is done for it.
pub async fn limit(mut request: Request, next: Next) -> Response {
    let context = request.extensions().get::<RequestContext>().cloned();
    let path = request.extensions().get::<MatchedPath>().map(MatchedPath::as_str);
    let Some(context) = context.filter(|_| path != Some(UNLIMITED_PATH)) else {
        return next.run(request).await;
    };
    let identity = SendFuture::new(Identity::of(&context, request.headers())).await;
    let counted = counted(identity.caller().as_ref(), request.headers(), context.config().rates);
    request.extensions_mut().insert(identity);
    match SendFuture::new(check(&context, counted)).await {
        Ok(()) => next.run(request).await,
        Err(error) => error.into_response(),
    }
}

/// The tier that serves a rate: the greatest that is not above it.
fn tier(per_minute: u32) -> &'static RateTier {
    let fits = RATE_TIERS.iter().rev().find(|tier| tier.per_minute <= per_minute);
    fits.unwrap_or(&RATE_TIERS[0])
}

/// Who a request is counted for. A credential that is not valid is none.
fn counted(caller: Option<&Caller>, headers: &HeaderMap, rates: Rates) -> Counted {
    match caller {
        Some(caller) => Counted { name: caller.name(), per_minute: caller.rate(&rates) },
        None => {
            let network = network(headers).unwrap_or_else(|| "unknown".to_owned());
            Counted { name: format!("address:{network}"), per_minute: rates.anonymous }
        }
    }
}

/// The network that a request comes from, as the platform says: an IPv4 address, or the 64 bits of
/// an IPv6 address that one subscriber has. `None` where it says nothing, as on one machine.
pub fn network(headers: &HeaderMap) -> Option<String> {
    let sent = headers.get("cf-connecting-ip").and_then(|value| value.to_str().ok());
    Some(match sent.and_then(|text| text.parse().ok())? {
        std::net::IpAddr::V4(address) => address.to_string(),
        std::net::IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            format!("{a:x}:{b:x}:{c:x}:{d:x}::/64")
        }
    })
}

async fn check(context: &RequestContext, counted: Counted) -> Result<(), ApiError> {
    let Counted { name, per_minute: Some(per_minute) } = counted else { return Ok(()) };
    let tier = tier(per_minute);
    let Ok(limiter) = context.bindings().rate_limiter(tier) else { return Ok(()) };
    match limiter.limit(name).await {
        Ok(outcome) if outcome.success => Ok(()),
        Ok(_) => Err(ApiError::RateLimited {
            per_minute: tier.per_minute,
            retry_after_s: until_next_window_s(now()),
        }),
        Err(error) => {
            let error = error.to_string();
            log::write(Level::Warn, json!({ "event": "rate.not_counted", "error": error }));
            Ok(())
        }
    }
}

fn until_next_window_s(now: Timestamp) -> u32 {
    let left_ms = WINDOW_MS - now.as_millis().rem_euclid(WINDOW_MS);
    u32::try_from(left_ms.div_euclid(1000) + i64::from(left_ms % 1000 > 0))
        .expect("a window is short")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_served_by_the_greatest_tier_that_is_not_above_it() {
        for (rate, expected) in [
            (1, 1),
            (9, 1),
            (10, 10),
            (59, 10),
            (60, 60),
            (299, 60),
            (300, 300),
            (1_200, 1_200),
            (5_999, 1_200),
            (6_000, 6_000),
            (u32::MAX, 6_000),
        ] {
            assert_eq!(tier(rate).per_minute, expected, "{rate}");
        }
        assert_eq!(tier(0).per_minute, 1, "no key has it: the column's CHECK forbids it");
    }

    #[test]
    fn callers_without_a_credential_are_counted_by_their_network() {
        let rates = Rates { anonymous: Some(60), ..Rates::default() };
        for (sent, name) in [
            ("203.0.113.9", "address:203.0.113.9"),
            ("2001:db8:1:2:3:4:5:6", "address:2001:db8:1:2::/64"),
            ("2001:db8:1:2:ffff::1", "address:2001:db8:1:2::/64"),
            ("forged\", \"x", "address:unknown"),
        ] {
            let value = (sent, "cf-connecting-ip");
            let headers =
                HeaderMap::from_iter([(value.1.parse().unwrap(), value.0.parse().unwrap())]);
            let found = counted(None, &headers, rates);
            assert_eq!(found, Counted { name: name.to_owned(), per_minute: Some(60) }, "{sent}");
        }
        assert_eq!(counted(None, &HeaderMap::new(), rates).name, "address:unknown");
    }

    #[test]
    fn the_next_window_is_at_most_a_minute_away() {
        for (ms, expected) in [(0, 60), (59_999, 1), (1, 60), (30_000, 30), (-1, 1)] {
            assert_eq!(until_next_window_s(Timestamp::from_millis(ms)), expected, "{ms}");
        }
    }
}
