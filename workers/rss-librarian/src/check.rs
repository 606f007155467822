//! Owns the operation that reads feeds and says whether they can be read. What counts as a feed is
//! `catalogue::probe`'s decision, what may be called `worker_kit::ssrf`'s.

use catalogue::probe::{self, Format};
use futures::StreamExt;
use serde::{Deserialize, Serialize};
use url::Url;
use worker::{Env, Fetcher, KvStore};
use worker_kit::outbound::{Door, Exchange, Fault, Limits, Outgoing, follow};
use worker_kit::{Validate, Violations, clock, deadline, ssrf, vars};

use crate::health::{Health, Status};
use crate::{library, store};

/// The most feeds that one call reads.
pub(crate) const URLS_MAX: usize = 20;
/// How many are read at a time: the platform allows six connections.
const READS_AT_ONCE: usize = 4;
const READ_MS_MAX: u32 = 8_000;
const READ_BYTES_MAX: usize = 5 * 1024 * 1024;
const REDIRECTS_MAX: u32 = 5;
const ACCEPT: &str = "application/atom+xml, application/rss+xml, application/feed+json, \
                      application/xml;q=0.9, */*;q=0.5";
const USER_AGENT: &str = concat!("bitware-rss-librarian/", env!("CARGO_PKG_VERSION"));
/// The host that stands in for the network when offline, and the binding that answers for it.
const SAMPLE_HOST: &str = "sample-feeds.bitware.invalid";
const SAMPLE_BINDING: &str = "SAMPLE_FEEDS";

/// What is asked for.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct CheckInput {
    /// Feeds, 1..20.
    pub(crate) urls: Vec<String>,
}

impl Validate for CheckInput {
    fn validate(&self, violations: &mut Violations) {
        violations.range("/urls", self.urls.len(), 1..=URLS_MAX);
        for (at, url) in self.urls.iter().enumerate() {
            if let Err(refusal) = ssrf::check(url, true) {
                violations.add(format!("/urls/{at}"), refusal.code(), refusal.to_string());
            }
        }
    }
}

/// What was found.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct CheckOutput {
    checked: Vec<Checked>,
    ok: usize,
    failing: usize,
}

/// One feed that was read, or was to be read.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Checked {
    url: String,
    #[serde(flatten)]
    health: Health,
    #[serde(skip_serializing_if = "Option::is_none")]
    http_status: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    format: Option<Format>,
    duration_ms: i64,
    /// Whether the catalogue will remember it.
    recorded: bool,
}

/// Reads the feeds and records what was found of those that the catalogue names.
pub(crate) async fn check(input: &CheckInput, env: &Env, deadline_ms: Option<i64>) -> CheckOutput {
    let reader = Reader {
        offline: vars::flag(env, "FEEDS_OFFLINE"),
        allow_local: vars::flag(env, "ALLOW_LOCAL_ADDRESSES"),
        samples: env.service(SAMPLE_BINDING).ok(),
        store: store::bound(env),
        deadline_ms,
    };
    let checked: Vec<Checked> = futures::stream::iter(&input.urls)
        .map(|url| reader.check(url))
        .buffered(READS_AT_ONCE)
        .collect()
        .await;
    let count = |status| checked.iter().filter(|one| one.health.status == status).count();
    let (ok, failing) = (count(Status::Ok), count(Status::Failing));
    CheckOutput { checked, ok, failing }
}

struct Reader {
    offline: bool,
    allow_local: bool,
    samples: Option<Fetcher>,
    store: Option<KvStore>,
    deadline_ms: Option<i64>,
}

impl Reader {
    async fn check(&self, url: &str) -> Checked {
        let started_ms = clock::now_ms();
        let Some(time_ms) = deadline::allowance_ms(READ_MS_MAX, self.deadline_ms, started_ms)
        else {
            return unread(url, "no time was left to read it");
        };
        let limits = Limits {
            time_ms,
            body_bytes: READ_BYTES_MAX,
            redirects: REDIRECTS_MAX,
            allow_local: self.allow_local,
        };
        let headers = [("accept", ACCEPT), ("user-agent", USER_AGENT)];
        let outgoing = Outgoing { headers: &headers, body: None };
        let answer = follow(url, outgoing, &limits, |hop| self.door(hop)).await;
        let finished_ms = clock::now_ms();
        let mut checked = judge(url, &answer, &clock::timestamp(finished_ms));
        checked.duration_ms = finished_ms - started_ms;
        if let Some(store) = &self.store
            && library::catalogue(self.offline).by_url(url).is_some()
        {
            checked.recorded = store::write(store, url, &checked.health).await;
        }
        checked
    }

    fn door(&self, url: &Url) -> Result<Door<'_>, Fault> {
        if !self.offline {
            return Ok(Door::Network);
        }
        match &self.samples {
            Some(samples) if url.host_str() == Some(SAMPLE_HOST) => Ok(Door::Service(samples)),
            _ => Err(Fault::new("offline", "only sample feeds can be read offline")),
        }
    }
}

/// What an answer says about the feed's health.
fn judge(url: &str, answer: &Result<Exchange, Fault>, checked_at: &str) -> Checked {
    let (http_status, format, problem) = match answer {
        Err(fault) => (None, None, Some(fault.to_string())),
        Ok(answer) if !(200..300).contains(&answer.status) => {
            (Some(answer.status), None, Some(format!("status {}", answer.status)))
        }
        Ok(answer) => {
            let format = probe::format(&answer.body);
            let problem = format.is_none().then(|| "the answer is no feed".to_owned());
            (Some(answer.status), format, problem)
        }
    };
    let status = if problem.is_none() { Status::Ok } else { Status::Failing };
    Checked {
        url: url.to_owned(),
        health: Health { status, checked_at: Some(checked_at.to_owned()), detail: problem },
        http_status,
        format,
        duration_ms: 0,
        recorded: false,
    }
}

fn unread(url: &str, detail: &str) -> Checked {
    Checked {
        url: url.to_owned(),
        health: Health { detail: Some(detail.to_owned()), ..Health::unverified() },
        http_status: None,
        format: None,
        duration_ms: 0,
        recorded: false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(status: u16, body: &str) -> Checked {
        let exchange = Exchange {
            status,
            headers: http::HeaderMap::new(),
            body: body.as_bytes().to_vec(),
            url: Url::parse("https://a.org/f").unwrap(),
        };
        judge("https://a.org/f", &Ok(exchange), "2026-01-01T00:00:00.000Z")
    }

    #[test]
    fn a_feed_is_well_and_anything_else_fails_with_a_reason() {
        let well = judged(200, "<rss version=\"2.0\"/>");
        assert_eq!((well.health.status, well.format), (Status::Ok, Some(Format::Rss)));
        assert_eq!(well.health.checked_at.as_deref(), Some("2026-01-01T00:00:00.000Z"));
        let page = judged(200, "<html></html>");
        assert_eq!(page.health.detail.as_deref(), Some("the answer is no feed"));
        let gone = judged(410, "<rss/>");
        assert_eq!((gone.health.status, gone.http_status), (Status::Failing, Some(410)));
        assert_eq!(gone.health.detail.as_deref(), Some("status 410"));
        let fault = Fault::new("fetch.timeout", "no complete answer within 8000 ms");
        let silent = judge("https://a.org/f", &Err(fault), "t");
        assert_eq!(silent.health.status, Status::Failing);
        assert!(silent.health.detail.unwrap().starts_with("fetch.timeout"));
    }

    #[test]
    fn the_answer_reads_as_the_contract_says() {
        assert_eq!(
            serde_json::to_value(judged(404, "")).unwrap(),
            serde_json::json!({
                "url": "https://a.org/f", "status": "failing", "detail": "status 404",
                "checked_at": "2026-01-01T00:00:00.000Z", "http_status": 404, "duration_ms": 0,
                "recorded": false,
            })
        );
        let unread = serde_json::to_value(unread("https://a.org/f", "late")).unwrap();
        assert_eq!(unread["status"], "unverified");
        assert!(unread["checked_at"].is_null());
    }

    #[test]
    fn urls_are_counted_and_each_must_be_one() {
        let violations = |urls: Vec<&str>| {
            let mut violations = Violations::default();
            let urls = urls.into_iter().map(str::to_owned).collect();
            CheckInput { urls }.validate(&mut violations);
            violations
                .into_vec()
                .into_iter()
                .map(|v| format!("{} {}", v.pointer, v.code))
                .collect::<Vec<_>>()
        };
        assert!(violations(vec!["https://a.org/f"]).is_empty());
        assert_eq!(violations(vec![]), ["/urls range"]);
        assert_eq!(violations(vec!["https://a.org/f"; URLS_MAX + 1]), ["/urls range"]);
        assert_eq!(
            violations(vec!["https://a.org/f", "ftp://a.org", "nonsense"]),
            ["/urls/1 url.scheme", "/urls/2 url.malformed"]
        );
    }
}
