//! An HTTP client of the orchestrator, as a team's backend would write one.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;

const CALL_TIMEOUT: Duration = Duration::from_secs(120);
/// So many error replies are remembered.
const ERRORS_MAX: usize = 10_000;

/// See the module.
#[derive(Clone, Debug)]
pub struct Client {
    http: reqwest::Client,
    url: String,
    key: String,
    secret: String,
    errors: Arc<Mutex<Vec<String>>>,
}

/// A reply, read whole.
#[derive(Clone, Debug)]
pub struct Reply {
    /// The HTTP status.
    pub status: u16,
    /// The headers.
    pub headers: reqwest::header::HeaderMap,
    /// The body, where it is JSON; else its text as a JSON string.
    pub body: Value,
}

impl Reply {
    /// A header's text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// A text of the body, by JSON pointer; empty when there is none.
    pub fn text(&self, pointer: &str) -> &str {
        self.body.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
    }
}

impl Client {
    /// A client of the orchestrator at `url`.
    pub fn new(url: &str, key: &str, secret: &str) -> Self {
        // Whoever comes first installs it for the process; it is the same one.
        rustls::crypto::ring::default_provider().install_default().ok();
        let http = reqwest::Client::builder().timeout(CALL_TIMEOUT).build();
        Self {
            http: http.expect("a client with the process's TLS can be made"),
            url: url.trim_end_matches('/').to_owned(),
            key: key.to_owned(),
            secret: secret.to_owned(),
            errors: Arc::default(),
        }
    }

    /// Where the orchestrator answers, without a slash at the end.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The client key.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// The secret shared with the workers.
    pub fn secret(&self) -> &str {
        &self.secret
    }

    /// The bodies of all error replies that this client has met.
    pub fn errors(&self) -> Vec<String> {
        self.errors.lock().expect("no holder of the errors panics").clone()
    }

    /// A request without credentials, to be changed as wanted and given to [`Client::send`].
    pub fn request(&self, method: reqwest::Method, path: &str) -> reqwest::RequestBuilder {
        self.http.request(method, format!("{}{path}", self.url))
    }

    /// Adds the client key.
    pub fn as_client(&self, request: reqwest::RequestBuilder) -> reqwest::RequestBuilder {
        request.header("X-API-Key", &self.key)
    }

    /// Adds the worker's credentials.
    pub fn as_worker(&self, request: reqwest::RequestBuilder) -> reqwest::RequestBuilder {
        request.bearer_auth(&self.secret).header("X-Worker-ID", "testkit")
    }

    /// Sends a request and reads the reply; an error when none came.
    pub async fn send(&self, request: reqwest::RequestBuilder) -> Result<Reply, String> {
        let reply = request.send().await.map_err(|error| reason(&error))?;
        let (status, headers) = (reply.status().as_u16(), reply.headers().clone());
        let text = reply.text().await.map_err(|error| reason(&error))?;
        if status >= 400 {
            let mut errors = self.errors.lock().expect("no holder of the errors panics");
            if errors.len() < ERRORS_MAX {
                errors.push(text.clone());
            }
        }
        let body = serde_json::from_str(&text).unwrap_or(Value::String(text));
        Ok(Reply { status, headers, body })
    }

    /// `GET` with the client key.
    pub async fn get(&self, path: &str) -> Result<Reply, String> {
        self.send(self.as_client(self.request(reqwest::Method::GET, path))).await
    }

    /// `POST /orchestrate` with the client key.
    pub async fn orchestrate(&self, body: &Value) -> Result<Reply, String> {
        self.send(self.as_client(self.request(reqwest::Method::POST, "/orchestrate")).json(body))
            .await
    }

    /// `POST /orchestrate` with an idempotency key.
    pub async fn orchestrate_once(&self, key: &str, body: &Value) -> Result<Reply, String> {
        let request = self.as_client(self.request(reqwest::Method::POST, "/orchestrate"));
        self.send(request.header("Idempotency-Key", key).json(body)).await
    }

    /// `GET /pipeline/{id}` with the client key.
    pub async fn execution(&self, id: &str) -> Result<Reply, String> {
        self.get(&format!("/pipeline/{id}")).await
    }

    /// Looks at an execution until it has ended, at most for `patience`.
    pub async fn wait_for_end(&self, id: &str, patience: Duration) -> Result<Reply, String> {
        let looks = patience.as_millis() / 100 + 1;
        let mut last = Err(format!("{id} was never looked at"));
        for _ in 0..looks {
            last = self.execution(id).await;
            if let Ok(reply) = &last
                && matches!(
                    reply.text("/pipeline/status"),
                    "completed" | "partial" | "failed" | "cancelled"
                )
            {
                return last;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        match last {
            Ok(reply) => Err(format!("{id} has not ended: {}", reply.body)),
            Err(error) => Err(error),
        }
    }
}

/// The error with what caused it: the outermost one says little.
fn reason(error: &reqwest::Error) -> String {
    let causes = std::iter::successors(std::error::Error::source(error), |cause| cause.source());
    causes.fold(error.to_string(), |told, cause| format!("{told}: {cause}"))
}
