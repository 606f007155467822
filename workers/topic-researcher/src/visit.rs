//! Fetches pages and asks `discover` what feeds they name. What may be called is decided by
//! `worker_kit::ssrf`; a page that cannot be read is reported, never an error of the call. Cannot
//! run on the host.

use futures::StreamExt;
use url::Url;
use worker::{Env, Fetcher};
use worker_kit::outbound::{Door, Exchange, Fault, Limits, Outgoing, follow};
use worker_kit::{clock, deadline, ssrf, vars};

use crate::discover::{self, Page};
use crate::research::{Visit, VisitStatus};
use crate::sources::PageFeed;

/// How many pages are read at a time: the platform allows six connections.
const READS_AT_ONCE: usize = 4;
const READ_MS_MAX: u32 = 8_000;
const READ_BYTES_MAX: usize = 2 * 1024 * 1024;
const REDIRECTS_MAX: u32 = 5;
const ACCEPT: &str = "text/html, application/xhtml+xml, application/rss+xml, application/atom+xml, \
                      application/feed+json;q=0.9, */*;q=0.5";
const USER_AGENT: &str = concat!("bitware-topic-researcher/", env!("CARGO_PKG_VERSION"));
/// The host that stands in for the network when offline, and the binding that answers for it.
const SAMPLE_HOST: &str = "sample-feeds.bitware.invalid";
const SAMPLE_BINDING: &str = "SAMPLE_FEEDS";

/// Reads the pages, in their order.
pub(crate) async fn visit_all(
    pages: &[String],
    env: &Env,
    deadline_ms: Option<i64>,
) -> Vec<(Visit, Vec<PageFeed>)> {
    let visitor = Visitor {
        offline: vars::flag(env, "FEEDS_OFFLINE"),
        allow_local: vars::flag(env, "ALLOW_LOCAL_ADDRESSES"),
        samples: env.service(SAMPLE_BINDING).ok(),
        deadline_ms,
    };
    futures::stream::iter(pages)
        .map(|page| visitor.visit(page))
        .buffered(READS_AT_ONCE)
        .collect()
        .await
}

struct Visitor {
    offline: bool,
    allow_local: bool,
    samples: Option<Fetcher>,
    deadline_ms: Option<i64>,
}

impl Visitor {
    async fn visit(&self, site: &str) -> (Visit, Vec<PageFeed>) {
        let now_ms = clock::now_ms();
        let Some(time_ms) = deadline::allowance_ms(READ_MS_MAX, self.deadline_ms, now_ms) else {
            return report(site, Err(Fault::new("deadline.exceeded", "no time was left")));
        };
        let limits = Limits {
            time_ms,
            body_bytes: READ_BYTES_MAX,
            redirects: REDIRECTS_MAX,
            allow_local: self.allow_local,
        };
        let headers = [("accept", ACCEPT), ("user-agent", USER_AGENT)];
        let outgoing = Outgoing { headers: &headers, body: None };
        let answer = follow(site, outgoing, &limits, |hop| self.door(hop)).await;
        report(site, answer.and_then(|answer| feeds_of(&answer, self.allow_local)))
    }

    fn door(&self, url: &Url) -> Result<Door<'_>, Fault> {
        if !self.offline {
            return Ok(Door::Network);
        }
        match &self.samples {
            Some(samples) if url.host_str() == Some(SAMPLE_HOST) => Ok(Door::Service(samples)),
            _ => Err(Fault::new("offline", "only sample sites can be read offline")),
        }
    }
}

/// The feeds that an answer names, or the one that it is. Links to private addresses are dropped.
fn feeds_of(answer: &Exchange, allow_local: bool) -> Result<Vec<PageFeed>, Fault> {
    if !(200..300).contains(&answer.status) {
        return Err(Fault::new("fetch.status", format!("status {}", answer.status)));
    }
    let host = answer.url.host_str().unwrap_or_default();
    if catalogue::probe::format(&answer.body).is_some() {
        return Ok(vec![PageFeed {
            url: answer.url.to_string(),
            title: host.to_owned(),
            page_url: answer.url.to_string(),
            page_title: String::new(),
        }]);
    }
    let Page { title: page_title, feeds } =
        discover::read(&String::from_utf8_lossy(&answer.body), &answer.url);
    let allowed =
        feeds.into_iter().filter(|feed| ssrf::check(feed.url.as_str(), allow_local).is_ok());
    let named = allowed.map(|feed| PageFeed {
        title: [&feed.title, &page_title]
            .into_iter()
            .find(|title| !title.is_empty())
            .map_or_else(|| host.to_owned(), Clone::clone),
        url: feed.url.to_string(),
        page_url: answer.url.to_string(),
        page_title: page_title.clone(),
    });
    Ok(named.collect())
}

fn report(site: &str, found: Result<Vec<PageFeed>, Fault>) -> (Visit, Vec<PageFeed>) {
    let (status, error, feeds) = match found {
        Ok(feeds) if feeds.is_empty() => (VisitStatus::None, None, feeds),
        Ok(feeds) => (VisitStatus::Found, None, feeds),
        Err(fault) => (VisitStatus::Error, Some(fault.to_string()), Vec::new()),
    };
    (Visit { site: site.to_owned(), status, feeds: feeds.len(), error }, feeds)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, body: &str) -> Exchange {
        Exchange {
            status,
            headers: http::HeaderMap::new(),
            body: body.as_bytes().to_vec(),
            url: Url::parse("https://a.org/blog/").unwrap(),
        }
    }

    #[test]
    fn a_page_names_its_feeds_and_a_feed_names_itself() {
        let html = "<title>A's blog</title>
            <link rel=alternate type=application/atom+xml href=feed title=Posts>
            <link rel=alternate type=application/rss+xml href=/all.xml>";
        let feeds = feeds_of(&answer(200, html), false).unwrap();
        let found: Vec<(&str, &str)> =
            feeds.iter().map(|feed| (feed.url.as_str(), feed.title.as_str())).collect();
        assert_eq!(
            found,
            [("https://a.org/blog/feed", "Posts"), ("https://a.org/all.xml", "A's blog")]
        );
        let feeds = feeds_of(&answer(200, "<rss version='2.0'/>"), false).unwrap();
        assert_eq!(
            (feeds[0].url.as_str(), feeds[0].title.as_str()),
            ("https://a.org/blog/", "a.org")
        );
    }

    #[test]
    fn links_to_private_addresses_are_dropped() {
        let html = "<link rel=alternate type=application/rss+xml href=http://127.0.0.1/f>
            <link rel=alternate type=application/rss+xml href=http://169.254.169.254/>";
        assert!(feeds_of(&answer(200, html), false).unwrap().is_empty());
        assert_eq!(feeds_of(&answer(200, html), true).unwrap().len(), 2);
    }

    #[test]
    fn how_a_visit_ended_is_reported() {
        let status = |found| report("https://a.org", found).0;
        assert_eq!(status(Ok(Vec::new())).status, VisitStatus::None);
        let error = status(feeds_of(&answer(503, ""), false));
        assert_eq!(error.status, VisitStatus::Error);
        assert_eq!(error.error.as_deref(), Some("fetch.status: status 503"));
        let page = "<link rel=alternate type=application/rss+xml href=/f>";
        let found = status(feeds_of(&answer(200, page), false));
        assert_eq!((found.status, found.feeds), (VisitStatus::Found, 1));
    }
}
