//! Owns the answer to "which feeds are about this topic": input, ranking and reasons. Pure.
//!
//! `quality_score` = 0.70 × relevance + 0.15 × standing + 0.15 × health, each 0..1:
//! relevance as `catalogue::search` defines it; standing from the number of public lists that name
//! the feed (one list 0.5, two 0.75, …); health 1 when the last check read the feed, 0.6 while no
//! check has, 0 when the last check failed.

use serde::{Deserialize, Serialize};
use worker_kit::{Validate, Violations};

use catalogue::{Catalogue, Feed, Hit, Query};

use crate::health::{Health, HealthBook};

/// The longest topic, in characters.
pub const TOPIC_CHARS_MAX: usize = 500;
/// The most feeds that one answer holds.
pub const FEEDS_MAX: u32 = 100;
const FEEDS_DEFAULT: u32 = 20;
/// The reason of a feed that stands in for a topic that nothing matches.
pub const GENERAL: &str = "general";

const RELEVANCE_SHARE: f64 = 0.70;
const STANDING_SHARE: f64 = 0.15;
const HEALTH_SHARE: f64 = 0.15;
/// A reason names no more phrases.
const REASON_MATCHES_MAX: usize = 3;

/// What is asked for.
#[derive(Clone, Debug, Deserialize)]
pub struct SourcesInput {
    /// In plain words.
    pub topic: String,
    /// 1..100.
    #[serde(default = "feeds_default")]
    pub max_feeds: u32,
    /// The least quality score, 0..1.
    #[serde(default)]
    pub min_score: f64,
}

impl Validate for SourcesInput {
    fn validate(&self, violations: &mut Violations) {
        violations.text("/topic", &self.topic, 1..=TOPIC_CHARS_MAX);
        violations.range("/max_feeds", self.max_feeds, 1..=FEEDS_MAX);
        violations.range("/min_score", self.min_score, 0.0..=1.0);
    }
}

/// What is found.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SourcesOutput {
    /// As it was asked.
    pub topic: String,
    /// Best first.
    pub sources: Vec<Source>,
    /// How many feeds are about the topic, offered or not.
    pub total_matches: usize,
}

/// A feed for the topic.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Source {
    /// Where the feed is read.
    pub url: String,
    /// The publication's name.
    pub title: String,
    /// The site for people.
    pub site_url: String,
    /// The catalogue's category.
    pub category: String,
    /// ISO 639-1.
    pub language: String,
    /// 0..1, see the module.
    pub quality_score: f64,
    /// 0..1.
    pub relevance: f64,
    /// What of the topic the feed matches, or [`GENERAL`].
    pub reason: String,
    /// The last check.
    pub health: Health,
}

/// The feeds of the catalogue for the topic. A topic that nothing matches gets feeds of general
/// interest, marked as such, and `total_matches` 0.
pub fn find(catalogue: &Catalogue, input: &SourcesInput, book: &HealthBook) -> SourcesOutput {
    let hits = catalogue.search(&Query::topic(&input.topic));
    let mut sources: Vec<Source> = if hits.is_empty() {
        let general = catalogue.general().into_iter();
        general.map(|at| source(&catalogue.feeds()[at], None, book)).collect()
    } else {
        hits.iter().map(|hit| source(&catalogue.feeds()[hit.feed], Some(hit), book)).collect()
    };
    sources.retain(|source| source.quality_score >= input.min_score);
    if !hits.is_empty() {
        // Stable: equal scores stay in the order of relevance, then URL.
        sources.sort_by(|a, b| b.quality_score.total_cmp(&a.quality_score));
    }
    sources.truncate(input.max_feeds as usize);
    SourcesOutput { topic: input.topic.trim().to_owned(), sources, total_matches: hits.len() }
}

fn source(feed: &Feed, hit: Option<&Hit>, book: &HealthBook) -> Source {
    let health = book.of(&feed.url);
    let relevance = hit.map_or(0.0, |hit| hit.relevance);
    let quality_score = RELEVANCE_SHARE * relevance
        + STANDING_SHARE * feed.standing()
        + HEALTH_SHARE * health.worth();
    Source {
        url: feed.url.clone(),
        title: feed.title.clone(),
        site_url: feed.site_url.clone(),
        category: feed.category.clone(),
        language: feed.language.clone(),
        quality_score: rounded(quality_score),
        relevance: rounded(relevance),
        reason: hit.map_or_else(|| GENERAL.to_owned(), reason),
        health,
    }
}

fn reason(hit: &Hit) -> String {
    format!("matches {}", hit.found(REASON_MATCHES_MAX))
}

/// Three decimals: what lies behind is noise to a reader.
fn rounded(score: f64) -> f64 {
    (score * 1000.0).round() / 1000.0
}

fn feeds_default() -> u32 {
    FEEDS_DEFAULT
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::library::catalogue;

    fn input(topic: &str) -> SourcesInput {
        serde_json::from_value(serde_json::json!({ "topic": topic })).unwrap()
    }

    fn violations(input: serde_json::Value) -> Vec<String> {
        let mut violations = Violations::default();
        serde_json::from_value::<SourcesInput>(input).unwrap().validate(&mut violations);
        violations.into_vec().into_iter().map(|v| format!("{} {}", v.pointer, v.code)).collect()
    }

    #[test]
    fn limits_are_checked_all_at_once() {
        assert!(violations(serde_json::json!({"topic": "x"})).is_empty());
        assert!(violations(serde_json::json!({"topic": "ü".repeat(500)})).is_empty());
        assert_eq!(
            violations(serde_json::json!({"topic": " ", "max_feeds": 0, "min_score": 1.5})),
            ["/topic length", "/max_feeds range", "/min_score range"]
        );
        assert_eq!(violations(serde_json::json!({"topic": "x".repeat(501)})), ["/topic length"]);
    }

    #[test]
    fn a_check_moves_a_feed_up_or_down() {
        let find = |book: &HealthBook| find(catalogue(false), &input("quantum computing"), book);
        let before = find(&HealthBook::default());
        let (first, second) = (&before.sources[0], &before.sources[1]);
        assert_eq!(first.health, Health::unverified());
        let record = r#"{"status":"failing","checked_at":"2026-01-01T00:00:00.000Z","detail":"x"}"#;
        let after = find(&HealthBook::from_records([(first.url.as_str(), record)]));
        let failing = after.sources.iter().find(|source| source.url == first.url).unwrap();
        assert!((first.quality_score - failing.quality_score - 0.09).abs() < 0.0011);
        assert_eq!(failing.relevance, first.relevance);
        let record = r#"{"status":"ok","checked_at":"2026-01-01T00:00:00.000Z"}"#;
        let after = find(&HealthBook::from_records([(second.url.as_str(), record)]));
        let well = after.sources.iter().find(|source| source.url == second.url).unwrap();
        assert!((well.quality_score - second.quality_score - 0.06).abs() < 0.0011);
    }

    #[test]
    fn fewer_feeds_are_offered_than_match_but_the_total_is_told() {
        let asked = SourcesInput { max_feeds: 3, ..input("artificial intelligence") };
        let found = find(catalogue(false), &asked, &HealthBook::default());
        assert_eq!(found.sources.len(), 3);
        assert!(found.total_matches > 10, "{}", found.total_matches);
    }

    #[test]
    fn a_narrow_topic_is_not_filled_up_with_what_does_not_belong() {
        let asked = SourcesInput { max_feeds: 100, ..input("test cricket") };
        let found = find(catalogue(false), &asked, &HealthBook::default());
        assert_eq!(found.sources[0].title, "ESPNcricinfo");
        assert!((2..=12).contains(&found.sources.len()), "{}", found.sources.len());
        assert!(found.sources.iter().all(|source| source.category == "sport"));
        assert_eq!(found.total_matches, found.sources.len());
    }

    #[test]
    fn a_least_score_is_kept() {
        let asked = SourcesInput { min_score: 0.5, ..input("artificial intelligence") };
        let found = find(catalogue(false), &asked, &HealthBook::default());
        assert!(!found.sources.is_empty());
        assert!(found.sources.iter().all(|source| source.quality_score >= 0.5));
        let asked = SourcesInput { min_score: 1.0, ..input("artificial intelligence") };
        assert!(find(catalogue(false), &asked, &HealthBook::default()).sources.is_empty());
    }

    #[test]
    fn an_unknown_topic_gets_general_feeds_that_say_so() {
        for topic in ["xqzvk blorptang", "∆∆∆", "кот"] {
            let found = find(catalogue(false), &input(topic), &HealthBook::default());
            assert_eq!(found.total_matches, 0, "{topic}");
            assert_eq!(found.sources.len(), 20, "{topic}");
            assert!(found.sources.iter().all(|source| source.reason == GENERAL), "{topic}");
            let general = ["world", "science", "technology"];
            assert!(found.sources.iter().all(|s| general.contains(&s.category.as_str())));
        }
    }

    #[test]
    fn reasons_name_what_was_found_and_where() {
        let found = find(catalogue(false), &input("quantum computing"), &HealthBook::default());
        assert_eq!(found.sources[0].reason, "matches \"quantum computing\" (keywords)");
    }
}
