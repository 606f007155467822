//! Owns the angles on a topic that rules derive: the topic itself, the facets of its category that
//! the catalogue has most to say about, and neighbouring subjects. Pure and deterministic.

use serde::Serialize;

use catalogue::{Catalogue, Hit, Query};

use crate::facets::{self, Facet};
use crate::topic::{Topic, shortened};

/// The longest title and query that an angle has, in characters.
pub(crate) const TITLE_CHARS_MAX: usize = 160;
pub(crate) const QUERY_CHARS_MAX: usize = 240;
/// The most keywords that an angle has.
pub(crate) const KEYWORDS_MAX: usize = 8;
/// How many of the topic's own subjects stand among an angle's keywords.
const SUBJECTS_MAX: usize = 3;
/// Facets and neighbours are measured on this many of the best hits.
const HITS_ASKED: usize = 30;

/// A side from which to look at a topic.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Angle {
    pub(crate) title: String,
    pub(crate) query: String,
    pub(crate) keywords: Vec<String>,
    /// Whether its sources may be about the neighbouring subject alone.
    #[serde(skip)]
    pub(crate) widens: bool,
}

/// How many angles a depth asks for.
pub(crate) fn count(depth: u32) -> usize {
    depth as usize + 1
}

/// The angles on a topic: `count(depth)` of them, fewer only where facets run out. From depth 3 one
/// is a neighbouring subject, at depth 5 two are.
pub(crate) fn derive(
    catalogue: &Catalogue,
    topic: &Topic,
    query: &Query,
    hits: &[Hit],
    depth: u32,
) -> Vec<Angle> {
    let wanted = count(depth);
    let neighbours_wanted = match depth {
        0..=2 => 0,
        3..=4 => 1,
        _ => 2,
    };
    let neighbours = neighbours(catalogue, topic, query, hits, neighbours_wanted);
    let category = query.category().or_else(|| catalogue.category_of(hits));
    let subjects: Vec<&str> =
        query.groups().iter().take(SUBJECTS_MAX).map(|group| group.label.as_str()).collect();
    let mut angles = vec![overview(topic, query)];
    let facets = by_support(catalogue, facets::of(category), hits);
    let facets_wanted = wanted.saturating_sub(1 + neighbours.len());
    angles.extend(facets.into_iter().take(facets_wanted).map(|facet| Angle {
        title: shortened(&facet.title.replacen("{}", &topic.heading(), 1), TITLE_CHARS_MAX),
        query: shortened(&format!("{} {}", topic.words, facet.words), QUERY_CHARS_MAX),
        keywords: keywords(&subjects, &facet.keywords),
        widens: false,
    }));
    angles.extend(neighbours);
    angles
}

fn overview(topic: &Topic, query: &Query) -> Angle {
    let phrases: Vec<&str> =
        query.groups().iter().flat_map(|group| group.phrases().take(SUBJECTS_MAX)).collect();
    Angle {
        title: shortened(&format!("{}: the current picture", topic.heading()), TITLE_CHARS_MAX),
        query: shortened(&topic.words, QUERY_CHARS_MAX),
        keywords: keywords(&phrases, &[]),
        widens: false,
    }
}

/// The facets, those first that the topic's hits have most to say about. Equal ones stay in the
/// order of the table.
fn by_support<'f>(catalogue: &Catalogue, facets: &'f [Facet], hits: &[Hit]) -> Vec<&'f Facet> {
    let mut measured: Vec<(f64, &Facet)> = facets
        .iter()
        .map(|facet| {
            let about = Query::default().with_aspect(&facet.keywords.join(", "), 1.0);
            (support(catalogue, &about, hits), facet)
        })
        .collect();
    measured.sort_by(|a, b| b.0.total_cmp(&a.0));
    measured.into_iter().map(|(_, facet)| facet).collect()
}

/// Subjects near the topic's own, those first that the topic's hits have most to say about.
fn neighbours(
    catalogue: &Catalogue,
    topic: &Topic,
    query: &Query,
    hits: &[Hit],
    count: usize,
) -> Vec<Angle> {
    let own = catalogue::stems(&topic.words);
    let mut measured: Vec<(f64, &str)> = Vec::new();
    for phrase in query.groups().iter().flat_map(|group| group.near()) {
        let is_new = catalogue::stems(phrase).iter().all(|stem| !own.contains(stem));
        if is_new && measured.iter().all(|(_, known)| *known != phrase) {
            measured.push((support(catalogue, &Query::topic(phrase), hits), phrase));
        }
    }
    measured.retain(|(support, _)| *support > 0.0);
    measured.sort_by(|a, b| b.0.total_cmp(&a.0));
    let angle = |(_, phrase): (f64, &str)| Angle {
        title: shortened(&format!("{}: links to {phrase}", topic.heading()), TITLE_CHARS_MAX),
        query: shortened(&format!("{} {phrase}", topic.words), QUERY_CHARS_MAX),
        keywords: keywords(&[phrase], &[]),
        widens: true,
    };
    measured.into_iter().take(count).map(angle).collect()
}

/// How much the best of the topic's hits are about something else as well.
fn support(catalogue: &Catalogue, about: &Query, hits: &[Hit]) -> f64 {
    let found = catalogue.search(about);
    let relevance = |feed: usize| {
        found.iter().find(|other| other.feed == feed).map_or(0.0, |other| other.relevance)
    };
    hits.iter().take(HITS_ASKED).map(|hit| hit.relevance * relevance(hit.feed)).sum()
}

fn keywords(first: &[&str], then: &[&str]) -> Vec<String> {
    let mut keywords: Vec<String> = Vec::new();
    for word in first.iter().chain(then) {
        if keywords.len() < KEYWORDS_MAX && !keywords.iter().any(|known| known == word) {
            keywords.push((*word).to_owned());
        }
    }
    keywords
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::library;

    fn angles(text: &str, depth: u32) -> Vec<Angle> {
        let catalogue = library::catalogue(false);
        let topic = Topic::read(text);
        let query = Query::topic(&topic.words);
        let hits = catalogue.search(&query);
        derive(catalogue, &topic, &query, &hits, depth)
    }

    fn titles(text: &str, depth: u32) -> Vec<String> {
        angles(text, depth).into_iter().map(|angle| angle.title).collect()
    }

    #[test]
    fn depth_sets_the_number_of_angles() {
        for depth in 1..=5 {
            assert_eq!(angles("climate change", depth).len(), depth as usize + 1);
            assert_eq!(angles("qwrtp xyzzk", depth).len(), depth as usize + 1);
        }
    }

    #[test]
    fn every_category_is_asked_in_its_own_way() {
        let sides = |text: &str| {
            let heading = Topic::read(text).heading();
            titles(text, 5).iter().map(|title| title.replace(&heading, "")).collect::<Vec<_>>()
        };
        let topics =
            ["artificial intelligence", "vaccines", "Premier League", "inflation", "ovens"];
        let all: Vec<Vec<String>> = topics.iter().map(|topic| sides(topic)).collect();
        for one in 0..all.len() {
            for other in one + 1..all.len() {
                let shared = all[one].iter().filter(|title| all[other].contains(title)).count();
                assert!(shared <= 1, "{:?}, {:?}", topics[one], topics[other]);
            }
        }
    }

    #[test]
    fn within_a_category_the_topic_decides_which_sides_come_first() {
        assert_ne!(
            titles("vaccines", 2)[1..]
                .iter()
                .map(|t| t.replace("Vaccines", ""))
                .collect::<Vec<_>>(),
            titles("digital health", 2)[1..]
                .iter()
                .map(|t| t.replace("Digital health", ""))
                .collect::<Vec<_>>()
        );
    }

    #[test]
    fn neighbouring_subjects_are_not_the_topic_again() {
        let widening: Vec<Angle> =
            angles("solar power", 5).into_iter().filter(|angle| angle.widens).collect();
        assert_eq!(widening.len(), 2);
        for angle in &widening {
            assert!(!angle.keywords[0].contains("solar"), "{}", angle.title);
        }
    }

    #[test]
    fn an_angle_carries_the_topic_and_is_bounded() {
        for angle in angles("electric vehicles in rural Norway", 5) {
            assert!(
                angle.title.starts_with("Electric vehicles in rural Norway"),
                "{}",
                angle.title
            );
            assert!(angle.query.contains("electric vehicles"), "{}", angle.query);
            assert!((1..=KEYWORDS_MAX).contains(&angle.keywords.len()), "{}", angle.title);
        }
        for angle in angles(&"wide world of words ".repeat(25), 5) {
            assert!(angle.title.chars().count() <= TITLE_CHARS_MAX + 1);
            assert!(angle.query.chars().count() <= QUERY_CHARS_MAX + 1);
        }
    }

    #[test]
    fn the_same_topic_gives_the_same_angles() {
        assert_eq!(angles("gene editing", 5), angles("gene editing", 5));
    }
}
