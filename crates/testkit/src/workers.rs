//! Workers that live in the test's process: they survive a killed workerd, and remember every call.
//! The path of a call says how it is met; its body is echoed or kept, and decides nothing.
//!
//! | `POST` | does |
//! |---|---|
//! | `/echo` | answers at once with its input |
//! | `/slow/<ms>` | the same, later |
//! | `/step/<ms>` | answers later with `input` and `calls`, the calls with this key so far |
//! | `/flaky/<n>` | fails the first n calls with each idempotency key with 503 |
//! | `/fail/<n>` | the same by execution and step, whatever the generation |
//! | `/fail/<n>/<status>` | the same with this status |
//! | `/busy/<n>/<s>` | answers the first n calls of all with 429 and `Retry-After: <s>` |
//! | `/refuse` | answers 422 |
//! | `/costly/<micro-USD>` | charges so much |
//! | `/async/<ms>`, `/async/<ms>/<manner>` | answers 202 and reports later: see [`Manner`] |

mod book;
mod report;
mod routes;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use axum::serve::ListenerExt;

use crate::client::Client;
use book::Book;
pub use book::{Call, Report, Said};
pub use report::Manner;

/// The workers of one test.
#[derive(Clone, Debug)]
pub struct Workers {
    url: String,
    book: Arc<Mutex<Book>>,
    orchestrator: Arc<Mutex<Option<Client>>>,
}

impl Workers {
    /// Starts to serve on a free port of the loopback interface.
    pub async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await;
        let listener = listener.expect("the loopback interface has free ports");
        let address = listener.local_addr().expect("a bound listener has an address");
        let workers = Self {
            url: format!("http://{address}"),
            book: Arc::default(),
            orchestrator: Arc::default(),
        };
        let router = routes::router().with_state(workers.clone());
        // An answer is written at once: waiting for more to send would make every call slow.
        let listener = listener.tap_io(|connection| {
            connection.set_nodelay(true).ok();
        });
        tokio::spawn(async move { axum::serve(listener, router).await });
        workers
    }

    /// The base URL.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Names the orchestrator that workers under `/async` report to. One that was started anew has
    /// another URL: reports that are still to be made go there.
    pub fn report_to(&self, orchestrator: Client) {
        *self.orchestrator.lock().expect("no holder panics") = Some(orchestrator);
    }

    /// All calls so far.
    pub fn calls(&self) -> Vec<Call> {
        self.book().calls.clone()
    }

    /// How often each key was called.
    pub fn counts(&self) -> BTreeMap<String, usize> {
        self.book().of_key.clone()
    }

    /// How often the work behind each key was done, by the fence of the attempt that did it. An
    /// attempt that nobody waits for any more does nothing.
    pub fn performed(&self) -> BTreeMap<String, BTreeMap<u64, usize>> {
        self.book().performed.clone()
    }

    /// The most calls of a path that were in progress at the same time.
    pub fn at_once_max(&self, path: &str) -> usize {
        self.book().busy.get(path).map_or(0, |busy| busy.max)
    }

    /// What workers under `/async` have reported so far.
    pub fn reports(&self) -> Vec<Report> {
        self.book().reports.clone()
    }

    /// The SQL that registers a worker `name` at `endpoint` of these.
    pub fn registration(&self, name: &str, endpoint: &str) -> String {
        format!(
            "INSERT INTO worker_registry (worker_name, display_name, base_url, endpoints, \
             estimated_cost_usd, timeout_ms) VALUES ('{name}', '{name}', '{}', '[\"{endpoint}\"]', \
             0.0, 10000);\n",
            self.url
        )
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().expect("no holder panics")
    }

    fn orchestrator(&self) -> Option<Client> {
        self.orchestrator.lock().expect("no holder panics").clone()
    }
}

#[cfg(test)]
mod tests;
