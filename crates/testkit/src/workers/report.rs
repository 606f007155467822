//! Work that goes on after a 202, and its reports to the orchestrator.

use std::time::Duration;

use reqwest::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use super::Workers;
use super::book::{Report, Said};

/// The silence that those announce who announce one: the shortest there is.
const SILENCE_MS: u64 = 1_000;
const BEAT_EVERY: Duration = Duration::from_millis(300);
/// How often a report is made that nobody took: while the orchestrator is started anew, say.
const TRIES_MAX: u32 = 600;
const TRY_EVERY: Duration = Duration::from_millis(100);

/// How an asynchronous worker goes about its work; the word in the path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Manner {
    /// It reports its result once.
    Once,
    /// It reports its result twice.
    Twice,
    /// It is never heard of again.
    Never,
    /// It reports that it cannot do it.
    Fails,
    /// Like [`Manner::Silent`]; asked again, it reports with its first fence before its own.
    Stale,
    /// It announces a heartbeat and keeps it.
    Beating,
    /// It announces a heartbeat and is silent; asked again with the same key, it does the work.
    Silent,
}

impl Manner {
    /// The body of the 202.
    pub(super) fn announcement(self) -> Value {
        match self {
            Self::Beating | Self::Silent | Self::Stale => json!({ "heartbeat_ms": SILENCE_MS }),
            Self::Once | Self::Twice | Self::Never | Self::Fails => json!({}),
        }
    }
}

/// Work that was accepted.
pub(super) struct Job {
    pub workers: Workers,
    pub key: String,
    pub fence: u64,
    pub nth: usize,
    pub callback: String,
    pub takes: Duration,
    pub output: Value,
}

impl Job {
    pub async fn work(self, manner: Manner) {
        match manner {
            Manner::Never => return,
            Manner::Silent | Manner::Stale if self.nth == 1 => return,
            Manner::Beating => self.beat().await,
            Manner::Once | Manner::Twice | Manner::Fails | Manner::Stale | Manner::Silent => {
                tokio::time::sleep(self.takes).await;
            }
        }
        if manner == Manner::Fails {
            return self.report(Said::Failed, self.fence).await;
        }
        self.workers.book().perform(&self.key, self.fence);
        if manner == Manner::Stale {
            self.report(Said::Succeeded, self.first_fence()).await;
        }
        self.report(Said::Succeeded, self.fence).await;
        if manner == Manner::Twice {
            self.report(Said::Succeeded, self.fence).await;
        }
    }

    async fn beat(&self) {
        let mut left = self.takes;
        while !left.is_zero() {
            let pause = left.min(BEAT_EVERY);
            tokio::time::sleep(pause).await;
            left -= pause;
            if !left.is_zero() {
                self.report(Said::Running, self.fence).await;
            }
        }
    }

    fn first_fence(&self) -> u64 {
        let book = self.workers.book();
        let first = book.calls.iter().find(|call| call.key == self.key);
        first.expect("the call that began this work is noted").fence
    }

    /// Reports until somebody takes it, be it to refuse it.
    async fn report(&self, said: Said, fence: u64) {
        let body = match said {
            Said::Running => json!({ "status": "running" }),
            Said::Succeeded => {
                json!({ "status": "succeeded", "output": self.output, "cost_usd": 0 })
            }
            Said::Failed => json!({
                "status": "failed",
                "error": { "code": "test.failed", "message": "not to be done", "retryable": false },
            }),
        };
        for _ in 0..TRIES_MAX {
            if let Some(status) = self.send(&body, fence).await {
                let report = Report { key: self.key.clone(), fence, said, status };
                return self.workers.book().reports.push(report);
            }
            tokio::time::sleep(TRY_EVERY).await;
        }
    }

    async fn send(&self, body: &Value, fence: u64) -> Option<u16> {
        let orchestrator = self.workers.orchestrator()?;
        let request = orchestrator.as_worker(orchestrator.request(Method::POST, &self.callback));
        let request = request.header("X-Fence", fence).json(body);
        let reply = orchestrator.send(request).await.ok()?;
        (reply.status < 500 && reply.status != 429).then_some(reply.status)
    }
}
