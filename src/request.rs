//! What belongs to one request besides its words: its id, its trace, the deployment it met, and
//! what the log line at its end will say. It must take no decision about the request.

use std::sync::{Arc, Mutex};

use axum::extract::FromRequestParts;
use axum::http::HeaderMap;
use axum::http::request::Parts;
use engine::ids::ExecutionId;
use engine::time::Timestamp;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::bindings::Bindings;
use crate::clock::{self, now};
use crate::config::Config;
use crate::db::D1;
use crate::driver::Site;
use crate::error::ApiError;
use crate::trace::TraceContext;

const REQUEST_ID_CHARS_MAX: usize = 128;

/// What handlers know of their request and of where they are.
#[derive(Clone)]
pub struct RequestContext(Arc<Inner>);

struct Inner {
    id: String,
    trace: TraceContext,
    received_at: Timestamp,
    config: Arc<Config>,
    bindings: Bindings,
    invocation: Option<worker::Context>,
    notes: Mutex<Notes>,
}

/// What the log line says beyond the request itself.
#[derive(Clone, Debug, Default)]
pub struct Notes {
    /// The path template of the endpoint.
    pub route: Option<String>,
    /// The account of the caller.
    pub account: Option<String>,
    /// The execution that was started or read.
    pub execution: Option<ExecutionId>,
}

/// The deployment that a request meets.
pub struct Deployment {
    /// Its configuration.
    pub config: Arc<Config>,
    /// Its bindings.
    pub bindings: Bindings,
    /// The invocation, which can be kept alive after the reply; absent on the host.
    pub invocation: Option<worker::Context>,
}

impl RequestContext {
    /// Reads what the headers say about the request itself.
    pub fn new(headers: &HeaderMap, deployment: Deployment) -> Self {
        let Deployment { config, bindings, invocation } = deployment;
        let parent = headers.get("traceparent").and_then(|value| value.to_str().ok());
        let mut random = [0; 24];
        clock::fill(&mut random);
        Self(Arc::new(Inner {
            id: request_id(headers),
            trace: TraceContext::continued(parent, random),
            received_at: now(),
            config,
            bindings,
            invocation,
            notes: Mutex::default(),
        }))
    }

    /// The id under which the request stands in replies and logs.
    pub fn id(&self) -> &str {
        &self.0.id
    }

    /// The span of this request.
    pub fn trace(&self) -> &TraceContext {
        &self.0.trace
    }

    /// When the request came in.
    pub fn received_at(&self) -> Timestamp {
        self.0.received_at
    }

    /// The configuration.
    pub fn config(&self) -> &Arc<Config> {
        &self.0.config
    }

    /// The bindings.
    pub fn bindings(&self) -> &Bindings {
        &self.0.bindings
    }

    /// The invocation, which can be kept alive after the reply.
    pub fn invocation(&self) -> Result<&worker::Context, ApiError> {
        let missing = || ApiError::Internal { cause: "a request without an invocation".to_owned() };
        self.0.invocation.as_ref().ok_or_else(missing)
    }

    /// Where drivers work for this request.
    pub fn site(&self) -> Site {
        Site { bindings: self.bindings().clone(), config: Arc::clone(self.config()) }
    }

    /// The database.
    pub fn database(&self) -> Result<D1, ApiError> {
        Ok(D1::new(self.bindings().database()?))
    }

    /// The account of the caller, once it is known.
    pub fn account(&self) -> Option<String> {
        self.0.notes.lock().expect("no holder of the notes panics").account.clone()
    }

    /// Adds to what the log line will say.
    pub fn note(&self, change: impl FnOnce(&mut Notes)) {
        change(&mut self.0.notes.lock().expect("no holder of the notes panics"));
    }

    /// The path template of the endpoint, where it is known.
    pub fn route(&self) -> String {
        let notes = self.0.notes.lock().expect("no holder of the notes panics");
        notes.route.clone().unwrap_or_else(|| "none".to_owned())
    }

    /// The line that the request leaves in the log.
    pub fn log_fields(&self, method: &str, status: u16, error: Option<&ApiError>) -> Value {
        let notes = self.0.notes.lock().expect("no holder of the notes panics").clone();
        let mut fields = json!({
            "event": "request",
            "request.id": self.id(),
            "trace.id": self.trace().trace_id(),
            "method": method,
            "path.template": notes.route.as_deref().unwrap_or("none"),
            "status": status,
            "duration_ms": now().since(self.received_at()).get(),
        });
        if let Some(account) = notes.account {
            fields["account"] = account.into();
        }
        let execution = error.and_then(ApiError::execution).or(notes.execution.as_ref());
        if let Some(execution) = execution {
            fields["execution.id"] = execution.as_str().into();
        }
        if let Some(error) = error {
            fields["error.code"] = error.code().as_str().into();
        }
        if let Some(cause) = error.and_then(ApiError::cause) {
            fields["error.cause"] = cause.into();
        }
        fields
    }
}

impl<S: Sync> FromRequestParts<S> for RequestContext {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let context = parts.extensions.get::<Self>();
        context
            .cloned()
            .ok_or_else(|| ApiError::Internal { cause: "a request without its context".to_owned() })
    }
}

/// The caller's `X-Request-ID` when it is a token that can stand in a log, else a new one.
fn request_id(headers: &HeaderMap) -> String {
    let sent = headers.get("x-request-id").and_then(|value| value.to_str().ok());
    let fits = |text: &&str| {
        (1..=REQUEST_ID_CHARS_MAX).contains(&text.len()) && text.bytes().all(is_token)
    };
    sent.filter(fits).map_or_else(|| Uuid::now_v7().to_string(), str::to_owned)
}

/// The characters of a token (RFC 9110, section 5.6.2), and the colon that many ids carry.
pub fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~:".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id_for(sent: &str) -> String {
        let headers =
            HeaderMap::from_iter([("x-request-id".parse().unwrap(), sent.parse().unwrap())]);
        request_id(&headers)
    }

    #[test]
    fn a_token_is_kept_as_request_id() {
        assert_eq!(id_for("req-1:a.b_c"), "req-1:a.b_c");
        assert_eq!(id_for(&"x".repeat(128)), "x".repeat(128));
    }

    #[test]
    fn anything_else_is_replaced() {
        for sent in ["", "a b", "a\"b", "a,b", &"x".repeat(129)] {
            let id = id_for(sent);
            assert_ne!(id, sent);
            assert!(Uuid::parse_str(&id).is_ok(), "{id}");
        }
    }

    #[test]
    fn the_log_line_names_the_request_and_no_header() {
        let headers = HeaderMap::from_iter([
            ("x-api-key".parse().unwrap(), "hush".parse().unwrap()),
            ("x-request-id".parse().unwrap(), "r-1".parse().unwrap()),
        ]);
        let config = Arc::new(Config::read(|_| None));
        let deployment = Deployment { config, bindings: Bindings::none(), invocation: None };
        let context = RequestContext::new(&headers, deployment);
        context.note(|notes| notes.route = Some("/pipeline/{id}".to_owned()));
        context.note(|notes| notes.account = Some("acme".to_owned()));
        let error = ApiError::Internal { cause: "why".to_owned() };
        let fields = context.log_fields("GET", 500, Some(&error));
        for (name, value) in [
            ("request.id", "r-1"),
            ("method", "GET"),
            ("path.template", "/pipeline/{id}"),
            ("account", "acme"),
            ("error.code", "internal"),
            ("error.cause", "why"),
        ] {
            assert_eq!(fields[name], value);
        }
        assert_eq!(fields["status"], 500);
        assert!(fields["duration_ms"].is_u64() && fields["trace.id"].is_string());
        assert!(!fields.to_string().contains("hush"));
    }
}
