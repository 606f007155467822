//! Performs `POST /fetch`: a few feeds at a time, each within its limits, then one merged answer.
//! What decides is in its pure neighbours. Cannot run on the host.

use futures::StreamExt;
use url::Url;
use worker::{Env, Fetcher};
use worker_kit::outbound::{Door, Fault, Limits, Outgoing, follow};
use worker_kit::{Call, Reply, WorkerError, clock, deadline, ssrf, vars};

use crate::contract::{Input, Output};
use crate::keep::Keeper;
use crate::merge::{self, Loaded, Selection};
use crate::settle::{Settled, refused, settle};

/// Feeds that are fetched at the same time; the platform lets six connections wait.
const CONCURRENCY: usize = 4;
/// The longest that one feed may take.
const FEED_MS_MAX: u32 = 8_000;
/// Kept back from the deadline for reading the last feeds and merging all of them.
const MERGE_MS: i64 = 500;
const FEED_BYTES_MAX: usize = 2 * 1024 * 1024;
const REDIRECTS_MAX: u32 = 3;
/// The host of the sample feeds, which are reached by service binding alone.
const SAMPLE_HOST: &str = "sample-feeds.bitware.invalid";

const ACCEPT: &str = "application/atom+xml, application/rss+xml, application/feed+json, \
                      application/rdf+xml, application/xml;q=0.9, text/xml;q=0.9, \
                      application/json;q=0.8, */*;q=0.5";
const USER_AGENT: &str = concat!("BitwareFeedFetcher/", env!("CARGO_PKG_VERSION"));

/// Handles one call.
pub async fn handle(call: Call, env: Env) -> Result<Reply, WorkerError> {
    let input: Input = call.parse()?;
    let source = Source {
        keeper: Keeper::of(&env),
        samples: env.service("SAMPLE_FEEDS").ok(),
        offline: vars::flag(&env, "FEEDS_OFFLINE"),
        allow_local: vars::flag(&env, "ALLOW_LOCAL_ADDRESSES"),
        deadline_ms: call.deadline_ms.map(|deadline_ms| deadline_ms - MERGE_MS),
    };
    let urls = input.distinct_urls();
    let settled: Vec<Settled> = futures::stream::iter(urls.iter().copied())
        .map(|url| source.load(url))
        .buffered(CONCURRENCY)
        .collect()
        .await;
    let loaded: Vec<Loaded<'_>> = urls
        .iter()
        .copied()
        .zip(&settled)
        .filter_map(|(url, settled)| Some(Loaded { url, feed: settled.feed.as_ref()? }))
        .collect();
    let selection = Selection {
        articles_max: input.max_articles as usize,
        per_feed_max: input.per_feed_max as usize,
        since_ms: input.since_ms(),
        now_ms: clock::now_ms(),
    };
    let articles = merge::articles(&loaded, &selection);
    let reports = settled.into_iter().map(|settled| settled.report).collect();
    Reply::of(&Output::of(articles, reports))
}

/// Where feeds come from in this environment.
struct Source {
    keeper: Keeper,
    samples: Option<Fetcher>,
    offline: bool,
    allow_local: bool,
    deadline_ms: Option<i64>,
}

impl Source {
    /// One feed. Whatever happens, there is a report.
    async fn load(&self, url_text: &str) -> Settled {
        let url = match ssrf::check(url_text, self.allow_local) {
            Ok(url) => url,
            Err(refusal) => {
                return refused(url_text, refusal.code(), &format!("the URL {refusal}"));
            }
        };
        let started_ms = clock::now_ms();
        let Some(time_ms) = deadline::allowance_ms(FEED_MS_MAX, self.deadline_ms, started_ms)
        else {
            return refused(url_text, "deadline", "no time was left for this feed");
        };
        // The limit holds for what is kept as well: a slow store must not cost more than a slow
        // feed.
        let work = self.load_within(url_text, &url, time_ms, started_ms);
        match clock::within(time_ms, work).await {
            Some(settled) => settled,
            None => {
                let message = format!("no complete answer within {time_ms} ms");
                let fault = Fault::new("fetch.timeout", message);
                settle(url_text, Err(fault), None, clock::now_ms() - started_ms)
            }
        }
    }

    async fn load_within(
        &self,
        url_text: &str,
        url: &Url,
        time_ms: u32,
        started_ms: i64,
    ) -> Settled {
        let kept = self.keeper.load(url).await;
        let mut headers = vec![("accept", ACCEPT), ("user-agent", USER_AGENT)];
        if let Some(kept) = &kept {
            headers.extend(kept.conditions());
        }
        let limits = Limits {
            time_ms,
            body_bytes: FEED_BYTES_MAX,
            redirects: REDIRECTS_MAX,
            allow_local: self.allow_local,
        };
        let outgoing = Outgoing { headers: &headers, body: None };
        let answer = follow(url.as_str(), outgoing, &limits, |hop| self.door(hop)).await;
        let settled = settle(url_text, answer, kept.clone(), clock::now_ms() - started_ms);
        if let Some(keep) = &settled.keep {
            self.keeper.store(url, keep).await;
        }
        settled
    }

    /// The sample host is reached by binding; offline, nothing else is reached.
    fn door(&self, url: &Url) -> Result<Door<'_>, Fault> {
        match (&self.samples, url.host_str()) {
            (Some(samples), Some(SAMPLE_HOST)) => Ok(Door::Service(samples)),
            _ if self.offline => {
                Err(Fault::new("offline", "this installation reads the sample feeds alone"))
            }
            _ => Ok(Door::Network),
        }
    }
}
