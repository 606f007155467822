//! The orchestrator under test: how it is asked, and the few executions that several cases look at,
//! each started once. It demands nothing beyond that an execution that was started ends.

use std::time::Duration;

use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use tokio::sync::OnceCell;

use super::schema::Document;
use crate::client::{Client, Reply};

/// The longest that an execution is followed.
const PATIENCE: Duration = Duration::from_secs(150);
/// How long it is left alone between two looks at it.
const LOOK_PAUSE: Duration = Duration::from_millis(50);
/// How often a start is asked for again when too many executions are in progress.
const REFUSALS_MAX: u32 = 10;
/// The longest pause before that.
const PAUSE_MAX: Duration = Duration::from_secs(15);

/// The template that is quick and calls one worker.
pub const BASIC: &str = "basic_research_pipeline";
/// The template that calls all five, in the order of its steps.
pub const REPORT: &str = "rss_intelligence_pipeline";

/// The template whose last step but one waits for a person.
pub const REVIEWED: &str = "reviewed_intelligence_pipeline";
/// That step, and the signal of its approval.
pub const REVIEW: &str = "review";
/// The step that is done only after an approval.
pub const AFTER_REVIEW: &str = "report_generation";

/// An id that is well made and that no execution has.
pub const NOBODY: &str = "pipe_1_00000000000000000000000000";

/// See the module.
pub struct Subject {
    client: Client,
    token: String,
    basic: OnceCell<Reply>,
    cheap: OnceCell<Reply>,
    report: OnceCell<Reply>,
    capabilities: OnceCell<Reply>,
    document: OnceCell<Document>,
}

/// A request on its way to be sent; without credentials unless it says so.
pub struct Ask<'s> {
    client: &'s Client,
    request: RequestBuilder,
}

impl Subject {
    /// The orchestrator that this client talks to.
    pub fn new(client: Client) -> Self {
        Self {
            client,
            token: token(),
            basic: OnceCell::new(),
            cheap: OnceCell::new(),
            report: OnceCell::new(),
            capabilities: OnceCell::new(),
            document: OnceCell::new(),
        }
    }

    /// The client, for its URL and its keys.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// A word that no other pass of the suite uses, made of letters and digits.
    pub fn token(&self) -> &str {
        &self.token
    }

    /// Asks with any method.
    pub fn ask(&self, method: Method, path: &str) -> Ask<'_> {
        Ask { client: &self.client, request: self.client.request(method, path) }
    }

    /// Asks with `GET`.
    pub fn get(&self, path: &str) -> Ask<'_> {
        self.ask(Method::GET, path)
    }

    /// Asks `POST /orchestrate` with the client key.
    pub fn orchestrate(&self) -> Ask<'_> {
        self.ask(Method::POST, "/orchestrate").by_client()
    }

    /// A request for the quick template about this pass's own topic, past the cache.
    pub fn basic_request(&self) -> Value {
        json!({
            "topic": format!("renewable energy {}", self.token), "pipeline_template": BASIC,
            "use_cache": false,
        })
    }

    /// A request for the template of all five workers, past the cache.
    pub fn report_request(&self) -> Value {
        json!({
            "topic": "artificial intelligence", "pipeline_template": REPORT, "use_cache": false,
        })
    }

    /// Starts an execution. Other clients may take all places: then it asks again, as told.
    pub async fn start(&self, body: &Value) -> Result<Reply, String> {
        self.start_with(&[], body).await
    }

    /// Starts an execution with further headers.
    pub async fn start_with(&self, pairs: &[(&str, &str)], body: &Value) -> Result<Reply, String> {
        for _ in 0..REFUSALS_MAX {
            let asked = pairs.iter().fold(self.orchestrate(), |ask, (n, v)| ask.header(n, v));
            let reply = asked.json(body).send().await?;
            if reply.status != 429 {
                return Ok(reply);
            }
            let wanted = reply.header("retry-after").and_then(|text| text.parse().ok());
            tokio::time::sleep(Duration::from_secs(wanted.unwrap_or(1)).min(PAUSE_MAX)).await;
        }
        Err(format!("the start was refused {REFUSALS_MAX} times: too many are in progress"))
    }

    /// Starts an execution and follows it where it outlasts the sync window.
    pub async fn complete(&self, body: &Value) -> Result<Reply, String> {
        let reply = self.start(body).await?;
        match reply.status {
            202 => self.follow(reply.text("/pipeline_id")).await,
            _ => Ok(reply),
        }
    }

    /// A request for the template that waits for a person, past every cache. Whatever its workers
    /// find is put before the reviewer.
    pub fn reviewed_request(&self) -> Value {
        json!({
            "topic": "artificial intelligence", "pipeline_template": REVIEWED, "use_cache": false,
            "async": true, "max_articles": 20, "input": { "min_relevance": 0 },
        })
    }

    /// Starts an execution that waits for its review, and goes on when it is told something.
    pub async fn reviewed(&self) -> Result<String, String> {
        let reply = self.start(&self.reviewed_request()).await?;
        if reply.status != 202 {
            return Err(format!("the start is {} instead of 202: {}", reply.status, reply.body));
        }
        let id = reply.text("/pipeline_id").to_owned();
        self.until_waiting(&id).await?;
        Ok(id)
    }

    /// Looks at an execution until it waits.
    pub async fn until_waiting(&self, id: &str) -> Result<Reply, String> {
        let looks = PATIENCE.as_millis() / LOOK_PAUSE.as_millis();
        for _ in 0..looks {
            let shown = self.shown(id).await?;
            match shown.text("/status") {
                "waiting" => return Ok(shown),
                "pending" | "running" | "paused" => tokio::time::sleep(LOOK_PAUSE).await,
                other => return Err(format!("{id} is {other:?} instead of waiting")),
            }
        }
        Err(format!("{id} did not wait within {PATIENCE:?}"))
    }

    /// An execution as it stands.
    pub async fn shown(&self, id: &str) -> Result<Reply, String> {
        self.get(&format!("/pipeline/{id}")).by_client().send().await
    }

    /// Sends the review of an execution that waits for it.
    pub fn review(&self, id: &str) -> Ask<'_> {
        self.verb(id, &format!("signal/{REVIEW}"))
    }

    /// Asks a verb of an execution with the client key, and waits until it is met.
    pub fn verb(&self, id: &str, verb: &str) -> Ask<'_> {
        let path = format!("/pipeline/{id}/{verb}");
        self.ask(Method::POST, &path).by_client().header("prefer", "wait=10")
    }

    /// Whether the orchestrator has a template that the seed data lack.
    pub async fn has_template(&self, name: &str) -> Result<bool, String> {
        let reply = self.get(&format!("/templates/{name}")).send().await?;
        match reply.status {
            200 if reply.text("/name") == name => Ok(true),
            404 => Ok(false),
            other => Err(format!("/templates/{name} is {other}")),
        }
    }

    /// An execution at its end.
    pub async fn follow(&self, id: &str) -> Result<Reply, String> {
        self.client.wait_for_end(id, PATIENCE).await
    }

    /// An execution of the quick template.
    pub async fn basic(&self) -> Result<&Reply, String> {
        self.basic.get_or_try_init(|| async { self.complete(&self.basic_request()).await }).await
    }

    /// The same under another strategy.
    pub async fn cheap(&self) -> Result<&Reply, String> {
        let mut body = self.basic_request();
        body["optimize_for"] = "cost".into();
        self.cheap.get_or_try_init(|| async { self.complete(&body).await }).await
    }

    /// An execution of the template of all five workers.
    pub async fn report(&self) -> Result<&Reply, String> {
        self.report.get_or_try_init(|| async { self.complete(&self.report_request()).await }).await
    }

    /// What the orchestrator says it can do.
    pub async fn capabilities(&self) -> Result<&Reply, String> {
        self.capabilities.get_or_try_init(|| self.get("/capabilities").send()).await
    }

    /// Its OpenAPI document.
    pub async fn document(&self) -> Result<&Document, String> {
        let read = async || Document::read(self.get("/openapi.json").send().await?);
        self.document.get_or_try_init(read).await
    }
}

impl Ask<'_> {
    /// With the client key.
    pub fn by_client(self) -> Self {
        Self { request: self.client.as_client(self.request), ..self }
    }

    /// With the worker's bearer and a worker's name.
    pub fn by_worker(self) -> Self {
        Self { request: self.client.as_worker(self.request), ..self }
    }

    /// With a header.
    pub fn header(self, name: &str, value: &str) -> Self {
        Self { request: self.request.header(name, value), ..self }
    }

    /// With a JSON body.
    pub fn json(self, body: &Value) -> Self {
        Self { request: self.request.json(body), ..self }
    }

    /// With a body that claims to be JSON.
    pub fn body(self, body: impl Into<reqwest::Body>) -> Self {
        let request = self.request.header("content-type", "application/json").body(body);
        Self { request, ..self }
    }

    /// With a body of any other type.
    pub fn body_of_type(self, media_type: &str, body: &str) -> Self {
        let request = self.request.header("content-type", media_type).body(body.to_owned());
        Self { request, ..self }
    }

    /// Sends it and reads the reply.
    pub async fn send(self) -> Result<Reply, String> {
        self.client.send(self.request).await
    }

    /// Sends it and gives the reply while its body still comes.
    pub async fn open(self) -> Result<reqwest::Response, String> {
        self.request.send().await.map_err(|error| error.to_string())
    }
}

#[expect(clippy::disallowed_methods, reason = "a tool of the tests needs a new word each time")]
fn token() -> String {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let nanos = since.map_or(0, |since| since.as_nanos());
    format!("suite{nanos:x}x{:x}", std::process::id())
}
