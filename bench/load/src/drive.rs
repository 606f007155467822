//! Asks a subject, so many at a time, for so long or so often as a load says.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::error::Error;
use std::io::Read;
use std::time::Duration;

use bytes::Bytes;
use futures::future::join_all;
use http_body_util::{BodyExt, Full};
use hyper::{Method, Request};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde::Deserialize;
use tokio::time::Instant;

use crate::figures::Tally;

/// What stands for the name of an execution, which no other has, in addresses and bodies.
const RUN: &str = "{run}";
/// As long as one answer may take.
const ANSWER_MAX: Duration = Duration::from_secs(120);
/// As much of an unexpected answer as is told.
const TOLD_CHARS_MAX: usize = 300;
/// After an error, so that a subject that is gone is not asked in a tight loop.
const PAUSE_AFTER_ERROR: Duration = Duration::from_millis(20);

/// A load, as the harness writes it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Load {
    /// Where an execution is asked for by POST.
    url: String,
    headers: BTreeMap<String, String>,
    body: String,
    /// What the answer must contain.
    expect: String,
    /// Asked by GET after the answer; the execution is over when this is answered with 200.
    wait_url: Option<String>,
    at_once: usize,
    /// How many to ask for, or
    runs: Option<u64>,
    /// for how long. With both, whichever is over first.
    seconds: Option<f64>,
    /// What the names of executions begin with.
    prefix: String,
}

type Http = Client<HttpConnector, Full<Bytes>>;

/// Reads a load from standard input and prints its figures.
pub async fn run() -> Result<(), Box<dyn Error>> {
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text)?;
    let load: Load = serde_json::from_str(&text)?;
    if load.runs.is_none() && load.seconds.is_none() {
        return Err("a load has `runs` or `seconds`".into());
    }
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    let http = Client::builder(TokioExecutor::new()).build(connector);
    let window = load.seconds.map(Duration::from_secs_f64);
    let asking = Asking {
        load: &load,
        http,
        until: window.map(|window| Instant::now() + window),
        asked: Cell::new(0),
        tally: RefCell::default(),
    };
    let began = Instant::now();
    join_all((0..load.at_once).map(|_| asking.one_after_the_other())).await;
    // A number of executions ends when the last one does; a window ends by itself.
    let window = window.filter(|_| load.runs.is_none());
    let figures = asking.tally.into_inner().figures(began.elapsed(), window);
    println!("{}", serde_json::to_string(&figures)?);
    Ok(())
}

struct Asking<'a> {
    load: &'a Load,
    http: Http,
    until: Option<Instant>,
    asked: Cell<u64>,
    tally: RefCell<Tally>,
}

impl Asking<'_> {
    async fn one_after_the_other(&self) {
        while let Some(run) = self.next() {
            let began = Instant::now();
            match self.execution(&run).await {
                Ok(()) => {
                    let mut tally = self.tally.borrow_mut();
                    tally.took.push(began.elapsed());
                    tally.in_time += u64::from(self.until.is_none_or(|end| Instant::now() <= end));
                }
                Err(error) => {
                    *self.tally.borrow_mut().errors.entry(error).or_default() += 1;
                    tokio::time::sleep(PAUSE_AFTER_ERROR).await;
                }
            }
        }
    }

    /// The name of the next execution; `None` when the load is over.
    fn next(&self) -> Option<String> {
        let n = self.asked.get() + 1;
        let is_over = self.load.runs.is_some_and(|runs| n > runs)
            || self.until.is_some_and(|until| Instant::now() >= until);
        if is_over {
            return None;
        }
        self.asked.set(n);
        Some(format!("{}-{n}", self.load.prefix))
    }

    async fn execution(&self, run: &str) -> Result<(), String> {
        let load = self.load;
        let body = load.body.replace(RUN, run);
        let text = self.answer(Method::POST, &load.url.replace(RUN, run), body).await?;
        if !text.contains(&load.expect) {
            return Err(format!("unexpected answer: {}", beginning(&text)));
        }
        match &load.wait_url {
            Some(url) => self.answer(Method::GET, &url.replace(RUN, run), String::new()).await,
            None => return Ok(()),
        }
        .map(drop)
    }

    async fn answer(&self, method: Method, url: &str, body: String) -> Result<String, String> {
        let mut request = Request::builder().method(method).uri(url);
        for (name, value) in &self.load.headers {
            request = request.header(name, value);
        }
        let request = request.body(Full::new(Bytes::from(body))).map_err(|e| e.to_string())?;
        let exchange = async {
            let reply = self.http.request(request).await.map_err(|error| error.to_string())?;
            let status = reply.status();
            let body = reply.into_body().collect().await.map_err(|error| error.to_string())?;
            let text = String::from_utf8_lossy(&body.to_bytes()).into_owned();
            match status.is_success() {
                true => Ok(text),
                false => Err(format!("status {status}: {}", beginning(&text))),
            }
        };
        tokio::time::timeout(ANSWER_MAX, exchange).await.map_err(|_| "no answer".to_owned())?
    }
}

fn beginning(text: &str) -> String {
    text.chars().take(TOLD_CHARS_MAX).collect()
}
