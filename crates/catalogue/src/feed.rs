//! Owns one entry of a catalogue and what makes it valid.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::words::stems;

/// A feed as a catalogue describes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Feed {
    /// Where the feed is read.
    pub url: String,
    /// The publication's name.
    pub title: String,
    /// The site for people.
    pub site_url: String,
    /// One word or a few, lower case: "space", "climate and energy".
    pub category: String,
    /// ISO 639-1.
    pub language: String,
    /// What the feed is about.
    pub keywords: Vec<String>,
    /// One sentence.
    pub description: String,
    /// The public list that names the feed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// How many public lists name it, as far as they were read.
    #[serde(default = "one")]
    pub lists: u32,
}

/// Why a catalogue cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CatalogueError {
    /// It is no JSON array of feeds.
    #[error("the catalogue is no list of feeds: {0}")]
    Malformed(#[from] serde_json::Error),
    /// A feed lacks something.
    #[error("feed {url:?}: {problem}")]
    Invalid {
        /// The feed's URL as it stands.
        url: String,
        /// What is wrong with it.
        problem: &'static str,
    },
}

impl Feed {
    /// How widely the feed is recommended, 0..1: one half for a single list, and every further
    /// list halves what is missing to 1.
    pub fn standing(&self) -> f64 {
        1.0 - 0.5_f64.powi(i32::try_from(self.lists).unwrap_or(i32::MAX))
    }

    /// Whether its category is `name` or contains it: "climate and energy" is of "energy".
    pub fn is_of(&self, name: &str) -> bool {
        let own = stems(&self.category);
        stems(name).iter().all(|stem| own.contains(stem))
    }

    /// Whether it is written in English.
    pub fn is_english(&self) -> bool {
        self.language == "en" || self.language.starts_with("en-")
    }

    /// The site's host, without `www.`; empty when the URL has none.
    pub fn host(&self) -> &str {
        let rest = self.site_url.split_once("://").map_or("", |(_, rest)| rest);
        let host = rest.split(['/', '?', '#', ':']).next().unwrap_or_default();
        host.strip_prefix("www.").unwrap_or(host)
    }
}

pub(crate) fn parse(text: &str) -> Result<Vec<Feed>, CatalogueError> {
    let feeds: Vec<Feed> = serde_json::from_str(text)?;
    let mut urls = BTreeSet::new();
    for feed in &feeds {
        let problem = problem(feed).or((!urls.insert(&feed.url)).then_some("the URL stands twice"));
        if let Some(problem) = problem {
            return Err(CatalogueError::Invalid { url: feed.url.clone(), problem });
        }
    }
    Ok(feeds)
}

fn problem(feed: &Feed) -> Option<&'static str> {
    let texts = [&feed.title, &feed.site_url, &feed.category, &feed.language, &feed.description];
    if !is_web_url(&feed.url) || !is_web_url(&feed.site_url) {
        return Some("a URL is not https:// or http:// with a host");
    }
    if texts.iter().any(|text| text.trim().is_empty()) {
        return Some("a field is empty");
    }
    if feed.keywords.is_empty() || feed.keywords.iter().any(|word| word.trim().is_empty()) {
        return Some("a keyword is missing or empty");
    }
    None
}

fn is_web_url(url: &str) -> bool {
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    rest.is_some_and(|rest| {
        let host = rest.split('/').next().unwrap_or_default();
        host.contains('.') && !rest.contains(char::is_whitespace)
    })
}

fn one() -> u32 {
    1
}

#[cfg(test)]
mod tests {
    use super::*;

    const FEED: &str = r#"{"url":"https://www.a.org/f.xml","title":"A",
        "site_url":"https://www.a.org/x","category":"c","language":"en","keywords":["k"],
        "description":"d"}"#;

    fn error(text: &str) -> String {
        parse(text).unwrap_err().to_string()
    }

    #[test]
    fn what_a_catalogue_may_leave_out_has_defaults() {
        let feed = &parse(&format!("[{FEED}]")).unwrap()[0];
        assert_eq!((feed.source.as_deref(), feed.lists), (None, 1));
        assert_eq!(feed.host(), "a.org");
        assert!(feed.is_english());
    }

    #[test]
    fn a_category_contains_its_parts() {
        let mut feed = parse(&format!("[{FEED}]")).unwrap().remove(0);
        feed.category = "climate and energy".into();
        assert!(feed.is_of("energy") && feed.is_of("climate") && feed.is_of("Climate and Energy"));
        assert!(!feed.is_of("energy policy") && !feed.is_of("health"));
    }

    #[test]
    fn standing_rises_with_every_list_but_never_reaches_one_quickly() {
        let mut feed = parse(&format!("[{FEED}]")).unwrap().remove(0);
        let standings: Vec<f64> = (0..4)
            .map(|lists| {
                feed.lists = lists;
                feed.standing()
            })
            .collect();
        assert_eq!(standings, [0.0, 0.5, 0.75, 0.875]);
    }

    #[test]
    fn a_feed_that_cannot_be_used_is_named() {
        assert!(error("{}").contains("no list of feeds"));
        assert!(error(&format!("[{FEED},{FEED}]")).contains("stands twice"));
        let cases = [
            ("https://www.a.org/f.xml", "ftp://a.org/f", "not https://"),
            ("https://www.a.org/f.xml", "https://a b.org/f", "not https://"),
            (r#""title":"A""#, r#""title":" ""#, "empty"),
            (r#"["k"]"#, r#"["k",""]"#, "keyword"),
            (r#"["k"]"#, "[]", "keyword"),
        ];
        for (from, to, expected) in cases {
            let text = format!("[{}]", FEED.replace(from, to));
            assert!(error(&text).contains(expected), "{to}");
        }
    }
}
