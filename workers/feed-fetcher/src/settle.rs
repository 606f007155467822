//! Owns the decision what an answer means for one feed: read, unchanged, or failed; and what is
//! kept for the next time. Pure.

use serde::{Deserialize, Serialize};
use url::Url;
use worker_kit::outbound::{Exchange, Fault};

use crate::contract::{FeedError, FeedReport, FeedStatus};
use crate::feed::{self, Feed};

/// What is kept of a feed between two calls.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Kept {
    /// The form of this record and of the reader that made it; another one is not used.
    pub version: u32,
    /// The answer's `ETag`.
    pub etag: Option<String>,
    /// The answer's `Last-Modified`.
    pub last_modified: Option<String>,
    /// What the feed said.
    pub feed: Feed,
}

/// Raised whenever reading or keeping changes.
pub const KEPT_VERSION: u32 = 1;

/// What became of one feed.
#[derive(Clone, Debug)]
pub struct Settled {
    /// For the answer.
    pub report: FeedReport,
    /// What it says, when it was read now or before.
    pub feed: Option<Feed>,
    /// What to keep, when that is new.
    pub keep: Option<Kept>,
}

impl Kept {
    /// The headers that make a request conditional.
    pub fn conditions(&self) -> Vec<(&'static str, &str)> {
        let etag = self.etag.as_deref().map(|etag| ("if-none-match", etag));
        let date = self.last_modified.as_deref().map(|date| ("if-modified-since", date));
        etag.into_iter().chain(date).collect()
    }
}

/// Judges the answer to a request that was made under the conditions of `kept`.
pub fn settle(
    url: &str,
    answer: Result<Exchange, Fault>,
    kept: Option<Kept>,
    duration_ms: i64,
) -> Settled {
    let failed = |http_status, error| Settled {
        report: report(url, FeedStatus::Error, http_status, None, duration_ms, Some(error)),
        feed: None,
        keep: None,
    };
    let answer = match answer {
        Ok(answer) => answer,
        Err(Fault { code, message }) => return failed(None, FeedError { code, message }),
    };
    let http_status = Some(answer.status);
    match (answer.status, kept) {
        (304, Some(kept)) => Settled {
            report: report(
                url,
                FeedStatus::NotModified,
                http_status,
                Some(&kept.feed),
                duration_ms,
                None,
            ),
            feed: Some(kept.feed),
            keep: None,
        },
        (200..=299, _) => {
            match feed::read(&answer.body, answer.header("content-type"), &answer.url) {
                Ok(feed) => read(url, &answer, feed, duration_ms),
                Err(unreadable) => {
                    let message = unreadable.to_string();
                    failed(http_status, FeedError { code: unreadable.code(), message })
                }
            }
        }
        (status, _) => {
            let message = format!("the server answered with status {status}");
            failed(http_status, FeedError { code: "http.status", message })
        }
    }
}

/// The report of a feed that no request was made for.
pub fn refused(url: &str, code: &'static str, message: &str) -> Settled {
    settle(url, Err(Fault::new(code, message)), None, 0)
}

fn read(url: &str, answer: &Exchange, feed: Feed, duration_ms: i64) -> Settled {
    let header = |name| answer.header(name).map(str::to_owned);
    let (etag, last_modified) = (header("etag"), header("last-modified"));
    let conditional = feed.complete && (etag.is_some() || last_modified.is_some());
    let keep = conditional.then(|| Kept {
        version: KEPT_VERSION,
        etag,
        last_modified,
        feed: feed.clone(),
    });
    Settled {
        report: report(url, FeedStatus::Ok, Some(answer.status), Some(&feed), duration_ms, None),
        feed: Some(feed),
        keep,
    }
}

fn report(
    url: &str,
    status: FeedStatus,
    http_status: Option<u16>,
    feed: Option<&Feed>,
    duration_ms: i64,
    error: Option<FeedError>,
) -> FeedReport {
    let cut = feed.is_some_and(|feed| !feed.complete);
    FeedReport {
        url: url.to_owned(),
        status,
        http_status,
        format: feed.map(|feed| feed.format.clone()),
        title: feed.and_then(|feed| feed.title.clone()),
        items: feed.map_or(0, |feed| feed.items.len()),
        duration_ms,
        note: cut.then(|| "The document breaks off; its whole items were read".to_owned()),
        error,
    }
}

/// The key under which a feed is kept, the same for every spelling that the URL parser makes equal.
pub fn keeping_key(url: &Url) -> String {
    use sha2::{Digest, Sha256};
    let digest = Sha256::digest(url.as_str());
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const URL: &str = "https://x.org/feed";
    const FEED: &str =
        "<rss version='2.0'><channel><title>F</title><item><title>a</title></item></channel></rss>";

    fn answer(
        status: u16,
        headers: &[(&'static str, &str)],
        body: &str,
    ) -> Result<Exchange, Fault> {
        Ok(Exchange {
            status,
            headers: headers
                .iter()
                .map(|(name, value)| ((*name).parse().unwrap(), value.parse().unwrap()))
                .collect(),
            body: body.as_bytes().to_vec(),
            url: Url::parse(URL).unwrap(),
        })
    }

    fn code(settled: &Settled) -> &'static str {
        settled.report.error.as_ref().map_or("none", |error| error.code)
    }

    #[test]
    fn a_feed_with_validators_is_kept() {
        let headers = [("etag", "\"1\""), ("last-modified", "Mon, 05 Oct 2026 08:30:15 GMT")];
        let settled = settle(URL, answer(200, &headers, FEED), None, 12);
        assert_eq!(settled.report.status, FeedStatus::Ok);
        assert_eq!((settled.report.items, settled.report.duration_ms), (1, 12));
        assert_eq!(settled.report.format.as_deref(), Some("rss-2.0"));
        let kept = settled.keep.unwrap();
        assert_eq!(
            kept.conditions(),
            [("if-none-match", "\"1\""), ("if-modified-since", "Mon, 05 Oct 2026 08:30:15 GMT")]
        );
        let again: Kept = serde_json::from_str(&serde_json::to_string(&kept).unwrap()).unwrap();
        assert_eq!(again, kept);
        assert_eq!(settle(URL, answer(200, &[], FEED), None, 0).keep, None);
    }

    #[test]
    fn an_unchanged_feed_says_what_it_said() {
        let kept = settle(URL, answer(200, &[("etag", "1")], FEED), None, 0).keep.unwrap();
        let settled = settle(URL, answer(304, &[], ""), Some(kept), 3);
        assert_eq!(settled.report.status, FeedStatus::NotModified);
        assert_eq!((settled.report.http_status, settled.report.items), (Some(304), 1));
        assert_eq!(settled.feed.unwrap().items[0].title, "a");
        assert_eq!(settled.keep, None);
        assert_eq!(code(&settle(URL, answer(304, &[], ""), None, 0)), "http.status");
    }

    #[test]
    fn failures_have_stable_codes() {
        assert_eq!(code(&settle(URL, answer(404, &[], ""), None, 0)), "http.status");
        assert_eq!(code(&settle(URL, answer(500, &[], FEED), None, 0)), "http.status");
        assert_eq!(code(&settle(URL, answer(200, &[], ""), None, 0)), "feed.empty");
        assert_eq!(code(&settle(URL, answer(200, &[], "<html></html>"), None, 0)), "feed.html");
        assert_eq!(
            code(&settle(URL, Err(Fault::new("fetch.timeout", "")), None, 0)),
            "fetch.timeout"
        );
        let refused = refused(URL, "offline", "no network");
        assert_eq!((code(&refused), refused.report.http_status), ("offline", None));
    }

    #[test]
    fn a_cut_document_is_noted_and_not_kept() {
        let cut = FEED.split("</channel>").next().unwrap();
        let settled = settle(URL, answer(200, &[("etag", "1")], cut), None, 0);
        assert_eq!((settled.report.status, settled.report.items), (FeedStatus::Ok, 1));
        assert!(settled.report.note.is_some());
        assert_eq!(settled.keep, None);
    }
}
