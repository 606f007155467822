//! Owns the choice of candidate sources. Where the librarian ranks feeds for the topic, the
//! researcher gives every angle its say: angles take turns, and each takes the feed that says most
//! about it and is unlike those already taken (maximal marginal relevance). A few places are kept
//! for outsiders: feeds of other categories that touch the topic from an angle's side. Pure.
//!
//! `quality_score` = 0.55 × relevance to the topic + 0.30 × relevance to the angle + 0.15 ×
//! standing, each 0..1, as `catalogue` defines them. A feed that a page names itself has
//! 0.6 + 0.4 × the share of the topic's subjects that the page's and the feed's titles name.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use catalogue::{Candidate, Catalogue, Feed, Hit, Query};

use crate::angles::Angle;

/// The reason of a feed that stands in for a topic that nothing matches.
pub(crate) const GENERAL: &str = "general";

const TOPIC_SHARE: f64 = 0.55;
const ANGLE_SHARE: f64 = 0.30;
const STANDING_SHARE: f64 = 0.15;
const PAGE_BASE: f64 = 0.6;
/// What an angle's own words count, together, beside the topic.
const ASPECT_WEIGHT: f64 = 0.6;
/// What relevance counts beside unlikeness when an angle chooses.
const RELEVANCE_SHARE: f64 = 0.7;
/// One place in this many is kept for outsiders, and there are at most that many for each source
/// that is about the topic.
const OUTSIDERS_OF: usize = 5;
/// A reason names no more phrases.
const REASON_MATCHES_MAX: usize = 3;

/// A candidate source.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Source {
    /// Where the feed is read.
    pub url: String,
    /// Its name.
    pub title: String,
    /// The site for people.
    pub site_url: String,
    /// 0..1, see the module.
    pub quality_score: f64,
    /// The angle that it is for, and what it matches.
    pub reason: String,
    /// The catalogue's category; none for a feed that a page names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub category: Option<String>,
}

/// What sources are chosen for.
pub(crate) struct Asked<'a> {
    pub(crate) words: &'a str,
    /// Feeds about the topic.
    pub(crate) hits: &'a [Hit],
    /// These, and feeds that touch it.
    pub(crate) touching: &'a [Hit],
    pub(crate) angles: &'a [Angle],
    pub(crate) min_quality: f64,
}

/// Up to `count` sources, the angles taking turns. Feeds below the least quality are not chosen.
pub(crate) fn choose(catalogue: &Catalogue, asked: &Asked<'_>, count: usize) -> Vec<Source> {
    let offers: Vec<Offer<'_>> =
        asked.angles.iter().map(|angle| Offer::of(catalogue, angle, asked)).collect();
    let mut chosen = Chosen { catalogue, taken: Vec::new(), sources: Vec::new() };
    let outsiders_max = count / OUTSIDERS_OF;
    chosen.take_turns(&offers, |offer| &offer.candidates, count - outsiders_max);
    let places = outsiders_max.min(chosen.sources.len() / OUTSIDERS_OF);
    let filled = chosen.sources.len() + places;
    chosen.take_turns(&offers, |offer| &offer.outsiders, filled);
    chosen.take_turns(&offers, |offer| &offer.candidates, count);
    chosen.sources
}

struct Chosen<'c> {
    catalogue: &'c Catalogue,
    taken: Vec<usize>,
    sources: Vec<Source>,
}

impl Chosen<'_> {
    /// Lets each offer take one candidate after the other until there are `count` sources.
    fn take_turns(
        &mut self,
        offers: &[Offer<'_>],
        candidates: impl for<'o> Fn(&'o Offer<'_>) -> &'o [Candidate],
        count: usize,
    ) {
        let mut more = true;
        while more && self.sources.len() < count {
            more = false;
            for offer in offers {
                let left = candidates(offer);
                let one = self.catalogue.select_diverse(left, &self.taken, 1, RELEVANCE_SHARE);
                if let Some(candidate) = one.first().filter(|_| self.sources.len() < count) {
                    more = true;
                    self.taken.push(candidate.feed);
                    let feed = &self.catalogue.feeds()[candidate.feed];
                    self.sources.push(offer.source(feed, candidate.feed));
                }
            }
        }
    }
}

/// Feeds of general interest, for a topic that nothing matches.
pub(crate) fn general(catalogue: &Catalogue, count: usize) -> Vec<Source> {
    let feeds = catalogue.general().into_iter().take(count).map(|at| &catalogue.feeds()[at]);
    feeds.map(|feed| source(feed, STANDING_SHARE * feed.standing(), GENERAL.to_owned())).collect()
}

/// A feed that a page names as its own.
pub(crate) struct PageFeed {
    pub(crate) url: String,
    pub(crate) title: String,
    pub(crate) page_url: String,
    pub(crate) page_title: String,
}

/// The source for a feed that a page names, as good as its titles fit the topic.
pub(crate) fn from_page(feed: &PageFeed, query: &Query) -> Source {
    let titles = catalogue::stems(&format!("{} {}", feed.title, feed.page_title));
    let names = |phrase: &str| {
        let phrase = catalogue::stems(phrase);
        titles.windows(phrase.len().max(1)).any(|window| window == phrase)
    };
    let subjects = query.groups();
    let named = subjects.iter().filter(|group| group.phrases().any(names)).count();
    let share = named as f64 / subjects.len().max(1) as f64;
    Source {
        url: feed.url.clone(),
        title: feed.title.clone(),
        site_url: feed.page_url.clone(),
        quality_score: rounded(PAGE_BASE + (1.0 - PAGE_BASE) * share),
        reason: format!("named by {}", feed.page_url),
        category: None,
    }
}

/// Three decimals: what lies behind is noise to a reader.
pub(crate) fn rounded(score: f64) -> f64 {
    (score * 1000.0).round() / 1000.0
}

/// What one angle would take.
struct Offer<'a> {
    angle: &'a Angle,
    /// Feeds about the topic, and for a neighbouring subject those about that.
    candidates: Vec<Candidate>,
    /// Feeds of other categories that touch the topic.
    outsiders: Vec<Candidate>,
    hits: BTreeMap<usize, (Hit, f64)>,
}

impl<'a> Offer<'a> {
    fn of(catalogue: &Catalogue, angle: &'a Angle, asked: &Asked<'_>) -> Offer<'a> {
        let weight = ASPECT_WEIGHT / angle.keywords.len().max(1) as f64;
        let query = Query::topic(asked.words).with_aspect(&angle.keywords.join(", "), weight);
        let mut found = catalogue.search_wide(&query);
        if angle.widens {
            let known: BTreeSet<usize> = found.iter().map(|hit| hit.feed).collect();
            let near = catalogue.search(&Query::topic(&angle.keywords.join(", ")));
            found.extend(near.into_iter().filter(|hit| !known.contains(&hit.feed)));
        }
        let home = catalogue.category_of(asked.hits);
        let mut offer =
            Offer { angle, candidates: Vec::new(), outsiders: Vec::new(), hits: BTreeMap::new() };
        for hit in found {
            let feed = &catalogue.feeds()[hit.feed];
            let near = asked.hits.iter().find(|about| about.feed == hit.feed);
            let touching = asked.touching.iter().find(|about| about.feed == hit.feed);
            let topic_relevance = near.or(touching).map_or(0.0, |about| about.relevance);
            let quality = TOPIC_SHARE * topic_relevance
                + ANGLE_SHARE * hit.relevance
                + STANDING_SHARE * feed.standing();
            if quality < asked.min_quality {
                continue;
            }
            let candidate = Candidate { feed: hit.feed, score: hit.relevance };
            if near.is_some() || angle.widens {
                offer.candidates.push(candidate);
            } else if touching.is_some() && home != Some(feed.category.as_str()) {
                offer.outsiders.push(candidate);
            } else {
                continue;
            }
            offer.hits.insert(hit.feed, (hit, quality));
        }
        offer
    }

    fn source(&self, feed: &Feed, at: usize) -> Source {
        let (hit, quality) = &self.hits[&at];
        let found = hit.found(REASON_MATCHES_MAX);
        source(feed, *quality, format!("for \"{}\": matches {found}", self.angle.title))
    }
}

fn source(feed: &Feed, quality_score: f64, reason: String) -> Source {
    Source {
        url: feed.url.clone(),
        title: feed.title.clone(),
        site_url: feed.site_url.clone(),
        quality_score: rounded(quality_score),
        reason,
        category: Some(feed.category.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quality(title: &str, page_title: &str, topic: &str) -> f64 {
        let feed = PageFeed {
            url: "https://a.org/f".into(),
            title: title.into(),
            page_url: "https://a.org/".into(),
            page_title: page_title.into(),
        };
        from_page(&feed, &Query::topic(topic)).quality_score
    }

    #[test]
    fn a_page_that_speaks_of_the_topic_offers_a_better_feed() {
        assert_eq!(quality("Posts", "Gardening at home", "wind turbines"), 0.6);
        assert_eq!(quality("Posts", "All about wind turbines", "wind turbines"), 1.0);
        assert_eq!(quality("Wind energy news", "Home", "wind turbines"), 1.0);
        assert_eq!(quality("Wind energy news", "Home", "wind turbines and qwertz"), 0.8);
        assert_eq!(quality("", "", ""), 0.6);
    }

    #[test]
    fn general_feeds_say_so_and_have_little_quality() {
        let sources = general(crate::library::catalogue(false), 7);
        assert_eq!(sources.len(), 7);
        assert!(sources.iter().all(|s| s.reason == GENERAL && s.quality_score < 0.2));
    }
}
