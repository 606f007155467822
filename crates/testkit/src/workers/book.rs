//! What the workers of a test have seen and done.

use std::collections::BTreeMap;
use std::convert::Infallible;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;

use super::Workers;

/// One call that a worker got.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Call {
    /// `Idempotency-Key`.
    pub key: String,
    /// `X-Fence`.
    pub fence: u64,
    /// `X-Attempt`.
    pub attempt: u64,
    /// Whether it was answered.
    pub answered: bool,
}

/// One report of a worker that had answered 202.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// `Idempotency-Key` of the call.
    pub key: String,
    /// The fence that it carried.
    pub fence: u64,
    /// What it said.
    pub said: Said,
    /// The status that the orchestrator answered with.
    pub status: u16,
}

/// What a report says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Said {
    /// The work goes on.
    Running,
    /// It is done.
    Succeeded,
    /// It cannot be done.
    Failed,
}

#[derive(Debug, Default)]
pub(super) struct Book {
    pub calls: Vec<Call>,
    /// Calls by idempotency key.
    pub of_key: BTreeMap<String, usize>,
    /// Calls by execution and step, whatever their generation.
    of_step: BTreeMap<String, usize>,
    pub busy: BTreeMap<String, Busy>,
    pub performed: BTreeMap<String, BTreeMap<u64, usize>>,
    pub reports: Vec<Report>,
}

impl Book {
    /// Notes that the work behind `key` was done by the attempt with this fence.
    pub fn perform(&mut self, key: &str, fence: u64) {
        let by_fence = self.performed.entry(key.to_owned()).or_default();
        *by_fence.entry(fence).or_default() += 1;
    }
}

/// Calls of one path.
#[derive(Debug, Default)]
pub(super) struct Busy {
    all: usize,
    now: usize,
    pub max: usize,
}

/// A call while it is in progress: what came before it, and the way to note what becomes of it.
pub(super) struct Visit {
    pub workers: Workers,
    pub key: String,
    pub fence: u64,
    /// `X-Callback-Path`.
    pub callback: String,
    /// The number of this call among those with its key, from 1.
    pub nth: usize,
    /// The same among those for its step, whatever their generation.
    pub nth_of_step: usize,
    /// The same among all of its path.
    pub nth_of_path: usize,
    path: String,
    place: usize,
}

impl Visit {
    /// Notes that the work was done, as the last thing before the answer.
    pub fn perform(&self) {
        let mut book = self.workers.book();
        book.calls[self.place].answered = true;
        book.perform(&self.key, self.fence);
    }

    /// Notes an answer without work.
    pub fn answered(&self) {
        self.workers.book().calls[self.place].answered = true;
    }
}

impl FromRequestParts<Workers> for Visit {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, workers: &Workers) -> Result<Self, Infallible> {
        let header = |name: &str| {
            let value = parts.headers.get(name).and_then(|value| value.to_str().ok());
            value.unwrap_or_default().to_owned()
        };
        let number = |name: &str| header(name).parse().unwrap_or(0);
        let (key, path) = (header("Idempotency-Key"), parts.uri.path().to_owned());
        let (fence, attempt) = (number("X-Fence"), number("X-Attempt"));
        let step = key.rsplit_once('/').map_or(key.as_str(), |(step, _)| step).to_owned();
        let mut book = workers.book();
        book.calls.push(Call { key: key.clone(), fence, attempt, answered: false });
        let busy = book.busy.entry(path.clone()).or_default();
        busy.all += 1;
        busy.now += 1;
        busy.max = busy.max.max(busy.now);
        Ok(Self {
            workers: workers.clone(),
            callback: header("X-Callback-Path"),
            nth_of_path: busy.all,
            nth: count(&mut book.of_key, &key),
            nth_of_step: count(&mut book.of_step, &step),
            place: book.calls.len() - 1,
            key,
            fence,
            path,
        })
    }
}

impl Drop for Visit {
    fn drop(&mut self) {
        if let Some(busy) = self.workers.book().busy.get_mut(&self.path) {
            busy.now -= 1;
        }
    }
}

fn count(counts: &mut BTreeMap<String, usize>, of: &str) -> usize {
    let count = counts.entry(of.to_owned()).or_default();
    *count += 1;
    *count
}
