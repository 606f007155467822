//! Owns the JSON of `POST /fetch`: input, output and the rules of the input.

use chrono::{DateTime, FixedOffset};
use serde::{Deserialize, Serialize};
use worker_kit::{Operation, Validate, Violations, WorkerInfo};

/// Feeds in one call.
pub const FEEDS_MAX: usize = 100;
/// Articles in one answer.
pub const ARTICLES_MAX: u32 = 500;
/// Articles from one feed.
pub const PER_FEED_MAX: u32 = 200;

const ARTICLES_DEFAULT: u32 = 100;
const PER_FEED_DEFAULT: u32 = 30;

/// What this worker says about itself.
pub static INFO: WorkerInfo = WorkerInfo {
    name: "feed_fetcher",
    version: env!("CARGO_PKG_VERSION"),
    description: "Reads RSS 0.9x to 2.0, RSS 1.0, Atom and JSON Feed and merges their articles",
    operations: &[Operation {
        path: "/fetch",
        summary: "Fetches feeds and returns their articles with a status for each feed",
        input: include_str!("../help/fetch-input.json"),
        output: include_str!("../help/fetch-output.json"),
        estimated_cost_usd: 0.0,
    }],
};

/// What is asked.
#[derive(Clone, Debug, Deserialize)]
pub struct Input {
    /// The feeds, by address.
    pub feed_urls: Vec<FeedAddress>,
    /// The most articles that are returned.
    #[serde(default = "articles_default")]
    pub max_articles: u32,
    /// The most articles that one feed may give.
    #[serde(default = "per_feed_default")]
    pub per_feed_max: u32,
    /// Articles with an earlier date are left out.
    #[serde(default)]
    pub since: Option<String>,
}

/// An address, alone or as a field of something larger, such as a source that a librarian found.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged, expecting = "expected a URL or an object with the field url")]
pub enum FeedAddress {
    /// The address itself.
    Plain(String),
    /// An object that has one.
    Described {
        /// The address.
        url: String,
    },
}

impl FeedAddress {
    /// The address as written.
    pub fn url(&self) -> &str {
        match self {
            FeedAddress::Plain(url) | FeedAddress::Described { url } => url.trim(),
        }
    }
}

impl Input {
    /// The addresses, each once, in their order.
    pub fn distinct_urls(&self) -> Vec<&str> {
        let mut seen = std::collections::HashSet::new();
        self.feed_urls.iter().map(FeedAddress::url).filter(|url| seen.insert(*url)).collect()
    }

    /// `since` in Unix ms.
    pub fn since_ms(&self) -> Option<i64> {
        self.since.as_deref().and_then(instant).map(|since| since.timestamp_millis())
    }
}

impl Validate for Input {
    fn validate(&self, violations: &mut Violations) {
        let count = self.feed_urls.len();
        if !(1..=FEEDS_MAX).contains(&count) {
            let message = format!("must have 1 to {FEEDS_MAX} entries, not {count}");
            violations.add("/feed_urls", "length", message);
        }
        violations.range("/max_articles", self.max_articles, 1..=ARTICLES_MAX);
        violations.range("/per_feed_max", self.per_feed_max, 1..=PER_FEED_MAX);
        if self.since.as_deref().is_some_and(|since| instant(since).is_none()) {
            violations.add("/since", "format", "must be a date and time of RFC 3339");
        }
    }
}

/// One article.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Article {
    /// The feed's id where it is one for the whole world, else a digest; unique in an answer.
    pub id: String,
    /// Plain text.
    pub title: String,
    /// Where it stands; the feed's site when the article has no address of its own.
    pub url: String,
    /// Plain text on one line.
    pub summary: String,
    /// Plain text, when there is more than the summary.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content_text: Option<String>,
    /// RFC 3339 in UTC; null when the feed gives no date that can be read.
    pub published_at: Option<String>,
    /// The author's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub author: Option<String>,
    /// The feed that it came from, as asked for.
    pub feed_url: String,
    /// That feed's title.
    pub feed_title: String,
    /// Where that feed has it from; the feed's title when it does not say.
    pub source_title: String,
    /// BCP 47.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
}

/// How it went with one feed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FeedStatus {
    /// Fetched and read.
    Ok,
    /// Unchanged since the last time; its articles are those of then.
    NotModified,
    /// Not read, see `error`.
    Error,
}

/// The report of one feed.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FeedReport {
    /// As asked for.
    pub url: String,
    /// How it went.
    pub status: FeedStatus,
    /// The last answer's status.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub http_status: Option<u16>,
    /// For instance `atom-1.0`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub format: Option<String>,
    /// The feed's title.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// How many items were read.
    pub items: usize,
    /// From the beginning of its fetching.
    pub duration_ms: i64,
    /// Something worth knowing about a feed that was read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// Why it was not read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<FeedError>,
}

/// Why a feed was not read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FeedError {
    /// Stable, for programs.
    pub code: &'static str,
    /// For a person.
    pub message: String,
}

/// What is answered.
#[derive(Clone, Debug, Serialize)]
pub struct Output {
    /// Newest first, those without date last.
    pub articles: Vec<Article>,
    /// One report a feed, in the order of the request.
    pub feeds: Vec<FeedReport>,
    /// The number of articles.
    pub articles_fetched: usize,
    /// Feeds with status `ok` or `not_modified`.
    pub feeds_ok: usize,
    /// Feeds with status `error`.
    pub feeds_failed: usize,
}

impl Output {
    /// Counts what is there.
    pub fn of(articles: Vec<Article>, feeds: Vec<FeedReport>) -> Output {
        let feeds_failed = feeds.iter().filter(|feed| feed.status == FeedStatus::Error).count();
        Output {
            articles_fetched: articles.len(),
            feeds_ok: feeds.len() - feeds_failed,
            feeds_failed,
            articles,
            feeds,
        }
    }
}

fn instant(text: &str) -> Option<DateTime<FixedOffset>> {
    DateTime::parse_from_rfc3339(text.trim()).ok()
}

fn articles_default() -> u32 {
    ARTICLES_DEFAULT
}

fn per_feed_default() -> u32 {
    PER_FEED_DEFAULT
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn violations(body: Value) -> Vec<String> {
        let input: Input = serde_json::from_value(body).unwrap();
        let mut violations = Violations::default();
        input.validate(&mut violations);
        violations.into_vec().into_iter().map(|v| v.pointer).collect()
    }

    #[test]
    fn addresses_come_alone_or_described() {
        let input: Input = serde_json::from_value(json!({
            "feed_urls": [
                "https://a.org/1",
                {"url": " https://a.org/2 ", "title": "x"},
                "https://a.org/1",
            ],
        }))
        .unwrap();
        assert_eq!(input.distinct_urls(), ["https://a.org/1", "https://a.org/2"]);
        assert_eq!((input.max_articles, input.per_feed_max), (100, 30));
    }

    #[test]
    fn every_rule_is_checked() {
        assert_eq!(violations(json!({"feed_urls": ["x"]})), Vec::<String>::new());
        let many = vec!["x"; 101];
        assert_eq!(
            violations(
                json!({"feed_urls": many, "max_articles": 0, "per_feed_max": 999, "since": "now"})
            ),
            ["/feed_urls", "/max_articles", "/per_feed_max", "/since"]
        );
        assert_eq!(violations(json!({"feed_urls": []})), ["/feed_urls"]);
        let fits = json!({"feed_urls": ["x"], "since": "2026-11-01T00:00:00+01:00"});
        assert_eq!(violations(fits), Vec::<String>::new());
    }

    #[test]
    fn the_examples_are_json_of_the_right_form() {
        let operation = &INFO.operations[0];
        let input: Input = serde_json::from_str(operation.input).unwrap();
        assert_eq!(input.since_ms(), Some(1_793_491_200_000));
        let output: Value = serde_json::from_str(operation.output).unwrap();
        assert_eq!(output["feeds"][0]["status"], "ok");
    }

    #[test]
    fn reports_are_counted() {
        let report = |status| FeedReport {
            url: String::new(),
            status,
            http_status: None,
            format: None,
            title: None,
            items: 0,
            duration_ms: 0,
            note: None,
            error: None,
        };
        let feeds = [FeedStatus::Ok, FeedStatus::Error, FeedStatus::NotModified].map(report);
        let output = Output::of(Vec::new(), feeds.to_vec());
        assert_eq!((output.feeds_ok, output.feeds_failed), (2, 1));
        let body = serde_json::to_value(&output).unwrap();
        assert_eq!(body["feeds"][2]["status"], "not_modified");
        assert!(body["feeds"][0].get("error").is_none());
    }
}
