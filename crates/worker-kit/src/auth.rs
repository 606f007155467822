//! Owns who may call a worker. It sees headers and secrets alone: it must not open a connection,
//! read a body, or let any other part of a request decide.
//!
//! Every credential that is sent is checked; one that is wrong refuses the call, even beside a
//! right one. A secret that is not configured refuses its audience: there is no default.

use http::HeaderMap;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::error::WorkerError;

/// The name of the secret behind `Authorization: Bearer`.
pub const WORKER_SECRET: &str = "WORKER_SHARED_SECRET";
/// The name of the secret behind `X-API-Key`.
pub const CLIENT_SECRET: &str = "CLIENT_API_KEY";

const WORKER_ID_CHARS_MAX: usize = 64;

/// The secrets of this installation.
#[derive(Clone, Default)]
pub struct Secrets {
    /// `WORKER_SHARED_SECRET`
    pub worker: Option<String>,
    /// `CLIENT_API_KEY`
    pub client: Option<String>,
}

/// Who called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Caller {
    /// The orchestrator or another worker, by its `X-Worker-ID`.
    Worker(String),
    /// A client application.
    Client,
}

impl Secrets {
    /// The names of the secrets that are missing; an empty one counts as missing.
    pub fn missing(&self) -> Vec<&'static str> {
        let pairs =
            [(WORKER_SECRET, configured(&self.worker)), (CLIENT_SECRET, configured(&self.client))];
        pairs.into_iter().filter(|(_, secret)| secret.is_none()).map(|(name, _)| name).collect()
    }

    /// Who sent these headers, or why they are refused: 401, or 503 where a secret is missing.
    pub fn caller(&self, headers: &HeaderMap) -> Result<Caller, WorkerError> {
        let bearer = headers.get(http::header::AUTHORIZATION).map(|value| value.as_bytes());
        let key = headers.get("x-api-key").map(|value| value.as_bytes());
        if bearer.is_none() && key.is_none() {
            return Err(match self.missing().len() {
                2 => unconfigured(&self.missing()),
                _ => refused("No credential was sent"),
            });
        }
        if let Some(key) = key {
            let secret = configured(&self.client).ok_or_else(|| unconfigured(&[CLIENT_SECRET]))?;
            if !equal(key, secret.as_bytes()) {
                return Err(refused("The X-API-Key is not valid"));
            }
        }
        let Some(bearer) = bearer else { return Ok(Caller::Client) };
        let secret = configured(&self.worker).ok_or_else(|| unconfigured(&[WORKER_SECRET]))?;
        let token = bearer_token(bearer)
            .ok_or_else(|| refused("Authorization must be of the form: Bearer <secret>"))?;
        if !equal(token, secret.as_bytes()) {
            return Err(refused("The bearer token is not valid"));
        }
        worker_id(headers).map(Caller::Worker)
    }
}

/// Never shows a secret.
impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Secrets {{ missing: {:?} }}", self.missing())
    }
}

/// Compares digests, so that neither content nor length shows in the time it takes.
fn equal(sent: &[u8], secret: &[u8]) -> bool {
    Sha256::digest(sent).as_slice().ct_eq(Sha256::digest(secret).as_slice()).into()
}

fn configured(secret: &Option<String>) -> Option<&str> {
    secret.as_deref().filter(|secret| !secret.is_empty())
}

fn bearer_token(value: &[u8]) -> Option<&[u8]> {
    let space = value.iter().position(|byte| *byte == b' ')?;
    let (scheme, token) = value.split_at(space);
    scheme.eq_ignore_ascii_case(b"bearer").then(|| token.trim_ascii())
}

/// A worker that does not name itself is `unnamed`; one with a name of other characters is refused,
/// because the name goes into logs.
fn worker_id(headers: &HeaderMap) -> Result<String, WorkerError> {
    let Some(value) = headers.get("x-worker-id") else { return Ok("unnamed".to_owned()) };
    let token = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.~:".contains(byte);
    let bytes = value.as_bytes();
    if bytes.is_empty() || bytes.len() > WORKER_ID_CHARS_MAX || !bytes.iter().all(token) {
        return Err(refused("X-Worker-ID must have 1 to 64 characters of A-Z a-z 0-9 - _ . ~ :"));
    }
    Ok(String::from_utf8_lossy(bytes).into_owned())
}

fn refused(detail: &str) -> WorkerError {
    WorkerError {
        retryable: Some(false),
        ..WorkerError::new(401, "auth.required", "Worker authentication required")
    }
    .with_detail(detail)
}

fn unconfigured(names: &[&str]) -> WorkerError {
    WorkerError {
        retryable: Some(false),
        ..WorkerError::new(503, "auth.not_configured", "This worker is not configured")
    }
    .with_detail(format!("Missing secret: {}", names.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secrets() -> Secrets {
        Secrets { worker: Some("w-secret".into()), client: Some("c-key".into()) }
    }

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| ((*name).parse().unwrap(), value.parse().unwrap()))
            .collect()
    }

    fn status(secrets: &Secrets, pairs: &[(&'static str, &str)]) -> u16 {
        secrets.caller(&headers(pairs)).map_or_else(|error| error.status, |_| 200)
    }

    #[test]
    fn each_right_credential_opens() {
        let caller = secrets()
            .caller(&headers(&[("authorization", "Bearer w-secret"), ("x-worker-id", "orch_1")]));
        assert_eq!(caller, Ok(Caller::Worker("orch_1".into())));
        assert_eq!(secrets().caller(&headers(&[("x-api-key", "c-key")])), Ok(Caller::Client));
        assert_eq!(status(&secrets(), &[("authorization", "bearer   w-secret")]), 200);
    }

    #[test]
    fn each_wrong_credential_refuses_with_the_agreed_message() {
        for pairs in [
            &[][..],
            &[("authorization", "Bearer wrong")],
            &[("authorization", "Bearer ")],
            &[("authorization", "w-secret")],
            &[("authorization", "Basic w-secret")],
            &[("x-api-key", "wrong")],
            &[("x-api-key", "")],
            &[("x-api-key", "w-secret")],
            &[("authorization", "Bearer c-key")],
        ] {
            let error = secrets().caller(&headers(pairs)).unwrap_err();
            assert_eq!(error.status, 401, "{pairs:?}");
            assert_eq!(error.message, "Worker authentication required");
        }
    }

    #[test]
    fn a_wrong_credential_beside_a_right_one_refuses() {
        assert_eq!(
            status(&secrets(), &[("authorization", "Bearer w-secret"), ("x-api-key", "no")]),
            401
        );
        assert_eq!(
            status(&secrets(), &[("authorization", "Bearer no"), ("x-api-key", "c-key")]),
            401
        );
    }

    #[test]
    fn a_missing_secret_refuses_its_audience_and_no_other() {
        let none = Secrets::default();
        for pairs in [&[][..], &[("authorization", "Bearer ")], &[("x-api-key", "")]] {
            let error = none.caller(&headers(pairs)).unwrap_err();
            assert_eq!((error.status, error.code), (503, "auth.not_configured"), "{pairs:?}");
        }
        let only_worker = Secrets { client: Some(String::new()), ..secrets() };
        assert_eq!(only_worker.missing(), [CLIENT_SECRET]);
        assert_eq!(status(&only_worker, &[("authorization", "Bearer w-secret")]), 200);
        assert_eq!(status(&only_worker, &[("x-api-key", "")]), 503);
        assert_eq!(status(&only_worker, &[]), 401);
    }

    #[test]
    fn a_worker_id_is_a_short_token() {
        let with = |id: &str| {
            status(&secrets(), &[("authorization", "Bearer w-secret"), ("x-worker-id", id)])
        };
        assert_eq!(with("a"), 200);
        assert_eq!(with(&"a".repeat(64)), 200);
        assert_eq!(with(&"a".repeat(65)), 401);
        assert_eq!(with("a b"), 401);
        assert_eq!(with(""), 401);
    }

    #[test]
    fn secrets_never_show_in_debug_text() {
        assert_eq!(format!("{:?}", secrets()), "Secrets { missing: [] }");
    }
}
