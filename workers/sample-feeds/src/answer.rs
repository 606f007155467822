//! Owns what each request is answered with. Pure; everything here is public, and nothing is secret.

use chrono::{DateTime, Utc};
use http::{HeaderMap, Method};
use serde_json::{Value, json};
use worker_kit::info::State;
use worker_kit::{Allow, WorkerError, WorkerInfo, route};

use crate::library::{self, Feed};
use crate::{pages, render};

/// What this worker says about itself.
pub static INFO: WorkerInfo = WorkerInfo {
    name: "sample_feeds",
    version: env!("CARGO_PKG_VERSION"),
    description: "Serves feeds of the project's own writing for use without a network",
    operations: &[],
};

/// An answer.
#[derive(Debug)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// Headers.
    pub headers: Vec<(&'static str, String)>,
    /// The body; `None` for HEAD and 304.
    pub body: Option<Vec<u8>>,
}

/// Answers a request.
pub fn answer(method: &Method, path: &str, headers: &HeaderMap) -> Result<Answer, WorkerError> {
    let answer = match path {
        "/" => of_json(&index()),
        "/health" => of_json(&INFO.health(&state())),
        "/help" => of_json(&INFO.help()),
        "/capabilities" => of_json(&INFO.capabilities(&state())),
        path => match find(path).ok_or_else(route::unknown)? {
            Found::Feed(feed) => of_feed(feed, headers),
            Found::Page(html) => of_bytes("text/html; charset=utf-8", html.into_bytes()),
        },
    };
    match *method {
        Method::GET => Ok(answer),
        Method::HEAD => Ok(Answer { body: None, ..answer }),
        _ => Err(route::wrong_method(Allow::GetAndHead)),
    }
}

enum Found {
    Feed(&'static Feed),
    Page(String),
}

fn find(path: &str) -> Option<Found> {
    let mut feeds = library::feeds().iter();
    if let Some(slug) = path.strip_prefix("/sites/") {
        return feeds.find(|feed| feed.slug == slug).map(|feed| Found::Page(pages::site(feed)));
    }
    if let Some(id) = path.strip_prefix("/articles/") {
        let (feed, article) = library::article(id)?;
        return Some(Found::Page(pages::article(feed, article)));
    }
    feeds.find(|feed| feed.path() == path).map(Found::Feed)
}

fn index() -> Value {
    let feeds: Vec<Value> = library::feeds()
        .iter()
        .map(|feed| {
            let mut entry = json!(feed.listing);
            entry["path"] = json!(feed.path());
            entry["items"] = json!(feed.articles.len());
            entry
        })
        .collect();
    json!({"worker": INFO.name, "version": INFO.version, "feeds": feeds})
}

fn state() -> State {
    State { model: false, missing_secrets: Vec::new() }
}

fn of_json(body: &Value) -> Answer {
    of_bytes("application/json; charset=utf-8", body.to_string().into_bytes())
}

fn of_bytes(content_type: &str, bytes: Vec<u8>) -> Answer {
    Answer {
        status: 200,
        headers: vec![
            ("content-type", content_type.to_owned()),
            ("x-content-type-options", "nosniff".to_owned()),
        ],
        body: Some(bytes),
    }
}

/// The feed, or 304 where the caller has it already.
fn of_feed(feed: &Feed, headers: &HeaderMap) -> Answer {
    let document = render::document(feed);
    let last_modified = document.last_modified.format("%a, %d %b %Y %H:%M:%S GMT").to_string();
    let fresh = is_known(headers, &document.etag, document.last_modified);
    let mut answer = of_bytes(&document.content_type, document.bytes);
    answer.headers.extend([
        ("etag", document.etag),
        ("last-modified", last_modified),
        ("cache-control", "no-cache".to_owned()),
    ]);
    if fresh {
        return Answer { status: 304, body: None, ..answer };
    }
    answer
}

/// Per RFC 9110, section 13.2.2: a tag decides alone where one is sent.
fn is_known(headers: &HeaderMap, etag: &str, last_modified: DateTime<Utc>) -> bool {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    if let Some(tags) = text("if-none-match") {
        return tags
            .split(',')
            .map(|tag| tag.trim().trim_start_matches("W/"))
            .any(|tag| tag == "*" || tag == etag);
    }
    text("if-modified-since")
        .and_then(|date| DateTime::parse_from_rfc2822(date).ok())
        .is_some_and(|since| last_modified <= since)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn get(path: &str, pairs: &[(&'static str, &str)]) -> Answer {
        let headers = pairs
            .iter()
            .map(|(name, value)| ((*name).parse().unwrap(), value.parse().unwrap()))
            .collect();
        answer(&Method::GET, path, &headers).unwrap()
    }

    fn header<'a>(answer: &'a Answer, name: &str) -> &'a str {
        &answer.headers.iter().find(|(known, _)| *known == name).unwrap().1
    }

    #[test]
    fn the_index_lists_every_feed_and_each_is_served() {
        let index: Value = serde_json::from_slice(&get("/", &[]).body.unwrap()).unwrap();
        let feeds = index["feeds"].as_array().unwrap();
        assert_eq!(feeds.len(), 16);
        for feed in feeds {
            let served = get(feed["path"].as_str().unwrap(), &[]);
            assert_eq!(served.status, 200);
            assert!(!served.body.unwrap().is_empty());
        }
    }

    #[test]
    fn a_known_feed_is_not_sent_again() {
        let path = "/feeds/machine-minds.atom";
        let first = get(path, &[]);
        let (etag, date) = (header(&first, "etag"), header(&first, "last-modified"));
        assert!(date.contains(" 2026 ") && date.ends_with(" GMT"), "{date}");
        for conditions in [
            &[("if-none-match", etag)][..],
            &[("if-none-match", "\"x\", *")],
            &[("if-modified-since", date)],
            &[("if-modified-since", "Fri, 01 Jan 2027 00:00:00 GMT")],
            &[("if-none-match", etag), ("if-modified-since", "Thu, 01 Jan 2026 00:00:00 GMT")],
        ] {
            let again = get(path, conditions);
            assert_eq!((again.status, again.body.is_none()), (304, true), "{conditions:?}");
            assert_eq!(header(&again, "etag"), etag);
        }
        for conditions in [
            &[("if-none-match", "\"other\"")][..],
            &[("if-none-match", "\"other\""), ("if-modified-since", date)],
            &[("if-modified-since", "Thu, 01 Jan 2026 00:00:00 GMT")],
            &[("if-modified-since", "yesterday")],
        ] {
            assert_eq!(get(path, conditions).status, 200, "{conditions:?}");
        }
    }

    #[test]
    fn sites_and_articles_have_pages() {
        for path in ["/sites/wissen-kompakt", "/articles/de-01"] {
            let page = get(path, &[]);
            assert_eq!(header(&page, "content-type"), "text/html; charset=utf-8");
            let html = String::from_utf8(page.body.unwrap()).unwrap();
            assert!(html.contains("Künstliche Intelligenz hilft Lotsen im Hamburger Hafen"));
        }
    }

    #[test]
    fn the_rest_is_refused() {
        let none = HeaderMap::new();
        for path in ["/feeds/nope.rss", "/feeds/machine-minds", "/articles/xx", "/sites/", "/x"] {
            assert_eq!(answer(&Method::GET, path, &none).unwrap_err().status, 404, "{path}");
        }
        let error = answer(&Method::POST, "/", &none).unwrap_err();
        assert_eq!((error.status, error.allow), (405, Some(Allow::GetAndHead)));
        let head = answer(&Method::HEAD, "/feeds/stackwright.json", &none).unwrap();
        assert_eq!((head.status, head.body), (200, None));
        let health = get("/health", &[]);
        let health: Value = serde_json::from_slice(&health.body.unwrap()).unwrap();
        assert_eq!((&health["status"], &health["worker"]), (&json!("ok"), &json!("sample_feeds")));
    }
}
