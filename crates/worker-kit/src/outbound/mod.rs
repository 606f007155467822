//! Owns outgoing requests to addresses that the worker did not choose: bounded in time, size and
//! redirects, each hop checked by [`crate::ssrf`]. What decides is here and in [`redirect`];
//! [`fetch`] performs it. It must not interpret what it reads.

pub mod fetch;
pub mod redirect;

use http::HeaderMap;
use url::Url;

use crate::error::WorkerError;
use crate::ssrf::Refusal;

pub use fetch::{Door, Outgoing, exchange, follow};

/// What one request may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// For all hops together, from the first byte sent to the last one read.
    pub time_ms: u32,
    /// Of the body, after any decompression.
    pub body_bytes: usize,
    /// Redirects that are followed.
    pub redirects: u32,
    /// Whether local names and private addresses pass, for development.
    pub allow_local: bool,
}

/// What came back.
#[derive(Clone, Debug)]
pub struct Exchange {
    /// The status of the last hop.
    pub status: u16,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body, complete.
    pub body: Vec<u8>,
    /// The URL of the last hop.
    pub url: Url,
}

impl Exchange {
    /// A header as text; `None` when it is absent or not plain text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

/// Why nothing usable came back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Stable, for programs.
    pub code: &'static str,
    /// For a person; never a secret.
    pub message: String,
}

impl Fault {
    /// A fault with a code of the caller's choice.
    pub fn new(code: &'static str, message: impl Into<String>) -> Fault {
        Fault { code, message: message.into() }
    }

    pub(crate) fn timeout(time_ms: u32) -> Fault {
        Fault::new("fetch.timeout", format!("no complete answer within {time_ms} ms"))
    }

    pub(crate) fn too_large(body_bytes: usize) -> Fault {
        Fault::new("fetch.too_large", format!("the answer has more than {body_bytes} bytes"))
    }
}

impl From<Refusal> for Fault {
    fn from(refusal: Refusal) -> Fault {
        Fault::new(refusal.code(), format!("the URL {refusal}"))
    }
}

impl From<Fault> for WorkerError {
    fn from(fault: Fault) -> WorkerError {
        WorkerError::upstream(fault.code, fault.message)
    }
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.code, self.message)
    }
}
