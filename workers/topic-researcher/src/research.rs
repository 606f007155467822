//! Owns the operation: its input, its output, and how angles, the catalogue's feeds and the feeds
//! that pages name come together. Pure.

use serde::{Deserialize, Serialize};
use worker_kit::{Validate, Violations, ssrf};

use catalogue::{Catalogue, Query};

use crate::angles::{self, Angle};
use crate::sources::{self, Asked, PageFeed, Source};
use crate::topic::Topic;

/// The longest topic, in characters.
pub const TOPIC_CHARS_MAX: usize = 500;
/// The most pages that are read for feeds, those that the topic names included.
pub const SITES_MAX: usize = 5;
const DEPTH_DEFAULT: u32 = 3;
const MIN_QUALITY_DEFAULT: f64 = 0.3;
const SOURCES_DEFAULT: u32 = 15;
/// How many sources one step of depth adds at most.
const SOURCES_PER_DEPTH: u32 = 5;

/// What is asked for.
#[derive(Clone, Debug, Deserialize)]
pub struct ResearchInput {
    /// In plain words; addresses in it are read like `sites`.
    pub topic: String,
    /// 1..5: how many angles (one more than depth) and sources (five times depth at most).
    #[serde(default = "depth_default")]
    pub depth: u32,
    /// 0..1. Without it, 0.3, and a topic that nothing matches still gets general feeds.
    #[serde(default)]
    pub min_quality: Option<f64>,
    /// 1..50.
    #[serde(default = "sources_default")]
    pub max_sources: u32,
    /// Pages to look for feeds on, up to five.
    #[serde(default)]
    pub sites: Vec<String>,
}

impl Validate for ResearchInput {
    fn validate(&self, violations: &mut Violations) {
        violations.text("/topic", &self.topic, 1..=TOPIC_CHARS_MAX);
        violations.range("/depth", self.depth, 1..=5);
        if let Some(min_quality) = self.min_quality {
            violations.range("/min_quality", min_quality, 0.0..=1.0);
        }
        violations.range("/max_sources", self.max_sources, 1..=50);
        violations.range("/sites", self.sites.len(), 0..=SITES_MAX);
        for (at, site) in self.sites.iter().enumerate() {
            if let Err(refusal) = ssrf::check(site, true) {
                violations.add(format!("/sites/{at}"), refusal.code(), refusal.to_string());
            }
        }
    }
}

impl ResearchInput {
    pub(crate) fn topic(&self) -> Topic {
        Topic::read(&self.topic)
    }

    /// The pages to read: those asked for, then those that the topic names.
    pub(crate) fn pages(&self) -> Vec<String> {
        let mut pages: Vec<String> = Vec::new();
        for url in self.sites.iter().map(|site| site.trim().to_owned()).chain(self.topic().urls) {
            if pages.len() < SITES_MAX && !pages.contains(&url) {
                pages.push(url);
            }
        }
        pages
    }
}

/// What is found.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ResearchOutput {
    topic: String,
    angles: Vec<Angle>,
    sources: Vec<Source>,
    avg_quality_score: f64,
    sources_discovered: usize,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    discovery: Vec<Visit>,
    #[serde(skip_serializing_if = "Option::is_none")]
    model_error: Option<String>,
}

impl ResearchOutput {
    /// Best first.
    pub fn sources(&self) -> &[Source] {
        &self.sources
    }

    /// How many angles there are.
    pub fn angle_count(&self) -> usize {
        self.angles.len()
    }
}

/// What a page gave.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Visit {
    pub(crate) site: String,
    pub(crate) status: VisitStatus,
    pub(crate) feeds: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) error: Option<String>,
}

/// How reading a page ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum VisitStatus {
    /// It names feeds, or is one.
    Found,
    /// It names none.
    None,
    /// It could not be read.
    Error,
}

/// What was learned beyond the catalogue.
#[derive(Default)]
pub(crate) struct Learned {
    /// The model's angles, where one gave any.
    pub(crate) angles: Option<Vec<Angle>>,
    pub(crate) model_error: Option<String>,
    pub(crate) visits: Vec<Visit>,
    pub(crate) page_feeds: Vec<PageFeed>,
}

/// The research without a model and without pages: what rules and catalogue give.
pub fn from_catalogue(catalogue: &Catalogue, input: &ResearchInput) -> ResearchOutput {
    assemble(catalogue, input, Learned::default())
}

pub(crate) fn assemble(
    catalogue: &Catalogue,
    input: &ResearchInput,
    learned: Learned,
) -> ResearchOutput {
    let topic = input.topic();
    let query = Query::topic(&topic.words);
    let hits = catalogue.search(&query);
    let angles = learned
        .angles
        .unwrap_or_else(|| angles::derive(catalogue, &topic, &query, &hits, input.depth));
    let count = input.max_sources.min(input.depth * SOURCES_PER_DEPTH) as usize;
    let min_quality = input.min_quality.unwrap_or(MIN_QUALITY_DEFAULT);
    let mut sources: Vec<Source> = Vec::new();
    for source in learned.page_feeds.iter().map(|feed| sources::from_page(feed, &query)) {
        if source.quality_score >= min_quality && is_new(&sources, &source) {
            sources.push(source);
        }
    }
    sources.truncate(count);
    let left = count - sources.len();
    let chosen = if hits.is_empty() {
        let mut general = sources::general(catalogue, left);
        general.retain(|source| source.quality_score >= input.min_quality.unwrap_or(0.0));
        general
    } else {
        let touching = catalogue.search_wide(&query);
        let asked = Asked {
            words: &topic.words,
            hits: &hits,
            touching: &touching,
            angles: &angles,
            min_quality,
        };
        sources::choose(catalogue, &asked, left)
    };
    for source in chosen {
        if is_new(&sources, &source) {
            sources.push(source);
        }
    }
    // Stable: equal scores stay in the order in which the angles chose.
    sources.sort_by(|a, b| b.quality_score.total_cmp(&a.quality_score));
    let total: f64 = sources.iter().map(|source| source.quality_score).sum();
    ResearchOutput {
        topic: input.topic.trim().to_owned(),
        angles,
        avg_quality_score: sources::rounded(total / sources.len().max(1) as f64),
        sources_discovered: sources.len(),
        sources,
        discovery: learned.visits,
        model_error: learned.model_error,
    }
}

fn is_new(sources: &[Source], source: &Source) -> bool {
    sources.iter().all(|known| known.url != source.url)
}

fn depth_default() -> u32 {
    DEPTH_DEFAULT
}

fn sources_default() -> u32 {
    SOURCES_DEFAULT
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::library;

    fn input(value: serde_json::Value) -> ResearchInput {
        serde_json::from_value(value).unwrap()
    }

    fn page_feed(url: &str) -> PageFeed {
        PageFeed {
            url: url.into(),
            title: "Tide tables".into(),
            page_url: "https://tidal.example/".into(),
            page_title: "Tidal power".into(),
        }
    }

    #[test]
    fn feeds_that_pages_name_stand_beside_the_catalogue_once() {
        let input = input(serde_json::json!({"topic": "tidal power", "max_sources": 4}));
        let learned = Learned {
            page_feeds: vec![
                page_feed("https://tidal.example/a"),
                page_feed("https://tidal.example/b"),
                page_feed("https://tidal.example/a"),
            ],
            visits: vec![Visit {
                site: "https://tidal.example".into(),
                status: VisitStatus::Found,
                feeds: 3,
                error: None,
            }],
            ..Learned::default()
        };
        let output = assemble(library::catalogue(false), &input, learned);
        let named = output.sources.iter().filter(|source| source.category.is_none()).count();
        assert_eq!((named, output.sources.len() <= 4), (2, true));
        assert_eq!(output.sources[0].reason, "named by https://tidal.example/");
        assert_eq!(serde_json::to_value(&output).unwrap()["discovery"][0]["status"], "found");
    }

    #[test]
    fn a_model_s_angles_take_the_place_of_the_rules() {
        let angle = |title: &str, keyword: &str| Angle {
            title: title.into(),
            query: keyword.into(),
            keywords: vec![keyword.into()],
            widens: false,
        };
        let input = input(serde_json::json!({"topic": "electric vehicles"}));
        let learned = Learned {
            angles: Some(vec![angle("Charging", "charging"), angle("Batteries", "batteries")]),
            ..Learned::default()
        };
        let output = assemble(library::catalogue(false), &input, learned);
        assert_eq!(output.angles.len(), 2);
        assert!(output.sources.len() >= 5, "{}", output.sources.len());
        assert!(output.sources.iter().all(|source| {
            source.reason.starts_with("for \"Charging\"")
                || source.reason.starts_with("for \"Batteries\"")
        }));
    }

    #[test]
    fn a_model_that_failed_is_named_and_rules_stand_in() {
        let input = input(serde_json::json!({"topic": "electric vehicles"}));
        let learned =
            Learned { model_error: Some("model.timeout: x".into()), ..Learned::default() };
        let output = assemble(library::catalogue(false), &input, learned);
        assert_eq!(output.angles.len(), 4);
        assert_eq!(serde_json::to_value(&output).unwrap()["model_error"], "model.timeout: x");
    }

    #[test]
    fn pages_come_from_the_input_and_the_topic_and_are_bounded() {
        let sites: Vec<String> = (0..4).map(|n| format!("https://a{n}.org")).collect();
        let topic = "see https://a0.org and https://b.org/x, or https://c.org";
        let pages = input(serde_json::json!({"topic": topic, "sites": sites})).pages();
        assert_eq!(pages.len(), SITES_MAX);
        assert_eq!(pages[4], "https://b.org/x");
    }
}
