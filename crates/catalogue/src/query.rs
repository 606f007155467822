//! Owns what is searched for: a topic taken apart into the subjects it names, each with the phrases
//! that stand for it. It must not know the catalogue.

use std::sync::OnceLock;

use crate::concepts::{self, Concept};
use crate::words::{Term, stems, terms};

/// How much another name of a concept counts beside the topic's own words.
const NAME_WEIGHT: f64 = 0.8;
/// How much a word near a concept counts.
const RELATED_WEIGHT: f64 = 0.35;
/// No more of a topic's terms are read.
const TOPIC_TERMS_MAX: usize = 64;
/// Words that a topic is wrapped in rather than about. They count only where nothing else is left.
const WRAPPING: &str = "news latest trends developments development future impact update overview
    analysis report recent current today new best top guide introduction state role effect
    challenges opportunities innovation innovations outlook insights insight review summary
    breakthrough breakthroughs important key major biggest modern emerging advances progress week
    month year topic topics article articles feed feeds rss blog blogs source sources";

/// A phrase that stands for a subject.
#[derive(Clone, Debug, PartialEq)]
pub struct Alternative {
    pub(crate) text: String,
    pub(crate) stems: Vec<String>,
    pub(crate) weight: f64,
}

impl Alternative {
    /// Whether it is a word near the concept, not one of its names.
    pub(crate) fn is_related(&self) -> bool {
        self.weight <= RELATED_WEIGHT
    }
}

/// One subject of a query.
#[derive(Clone, Debug, PartialEq)]
pub struct Group {
    /// The topic's own words for it.
    pub label: String,
    pub(crate) alternatives: Vec<Alternative>,
    pub(crate) categories: Vec<&'static str>,
    pub(crate) weight: f64,
}

/// What is searched for.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Query {
    pub(crate) groups: Vec<Group>,
    pub(crate) pairs: Vec<[String; 2]>,
}

impl Query {
    /// The query for a topic in plain words. A topic without words gives an empty query.
    pub fn topic(topic: &str) -> Query {
        let mut terms = terms(topic);
        terms.truncate(TOPIC_TERMS_MAX);
        let pairs =
            terms.windows(2).map(|pair| [pair[0].stem.clone(), pair[1].stem.clone()]).collect();
        let (wrapping, told): (Vec<Group>, Vec<Group>) =
            groups(&terms).into_iter().partition(Group::is_wrapping);
        Query { groups: if told.is_empty() { wrapping } else { told }, pairs }
    }

    /// This query with a further aspect that counts `weight` times as much as the topic.
    pub fn with_aspect(mut self, aspect: &str, weight: f64) -> Query {
        for group in groups(&terms(aspect)) {
            if self.groups.iter().all(|known| known.label != group.label) {
                self.groups.push(Group { weight, ..group });
            }
        }
        self
    }

    /// Whether there is nothing to search for.
    pub fn is_empty(&self) -> bool {
        self.groups.is_empty()
    }

    /// The subjects, in the order of the topic.
    pub fn groups(&self) -> &[Group] {
        &self.groups
    }

    /// The category that the topic's concepts belong to; the first one, where there are several.
    pub fn category(&self) -> Option<&'static str> {
        self.groups.iter().find_map(|group| group.categories.first().copied())
    }
}

impl Group {
    /// The phrases that mean the same or nearly so, the topic's own first, then by weight.
    pub fn phrases(&self) -> impl Iterator<Item = &str> {
        self.alternatives.iter().map(|alternative| alternative.text.as_str())
    }

    /// The words near the subject, in the order of the table; not those that contain one of its
    /// names.
    pub fn near(&self) -> impl Iterator<Item = &str> {
        let (near, names): (Vec<&Alternative>, Vec<&Alternative>) =
            self.alternatives.iter().partition(|one| one.is_related());
        near.into_iter()
            .filter(move |word| {
                names.iter().all(|name| !name.stems.iter().all(|stem| word.stems.contains(stem)))
            })
            .map(|word| word.text.as_str())
    }

    /// A single word that no concept names, and that says nothing about the topic: also a year.
    fn is_wrapping(&self) -> bool {
        static STEMS: OnceLock<Vec<String>> = OnceLock::new();
        let [Alternative { stems: own, .. }] = self.alternatives.as_slice() else { return false };
        let [word] = own.as_slice() else { return false };
        let is_year = word.len() == 4 && word.bytes().all(|byte| byte.is_ascii_digit());
        is_year || STEMS.get_or_init(|| stems(WRAPPING)).contains(word)
    }
}

/// Takes a topic apart. Names of several words come first, and may overlap ("offshore wind farms"
/// is "offshore wind" and "wind farms"); words that none of them covers stand for themselves.
fn groups(terms: &[Term]) -> Vec<Group> {
    let stems: Vec<String> = terms.iter().map(|term| term.stem.clone()).collect();
    let found: Vec<(Vec<&'static Concept>, usize)> = (0..stems.len())
        .map(|at| concepts::at_start(&stems[at..]).unwrap_or((Vec::new(), 1)))
        .collect();
    let mut covered = vec![false; stems.len()];
    for (at, (_, length)) in found.iter().enumerate().filter(|(_, (_, length))| *length > 1) {
        covered[at..at + length].fill(true);
    }
    let mut groups: Vec<(Group, &[&'static Concept])> = Vec::new();
    for (at, (concepts, length)) in found.iter().enumerate() {
        if *length == 1 && covered[at] {
            continue;
        }
        let group = group(&terms[at..at + length], concepts);
        let is_known = groups.iter().any(|(known, of)| {
            known.label == group.label || (!concepts.is_empty() && same(of, concepts))
        });
        if !is_known {
            groups.push((group, concepts));
        }
    }
    groups.into_iter().map(|(group, _)| group).collect()
}

fn same(some: &[&'static Concept], others: &[&'static Concept]) -> bool {
    some.len() == others.len()
        && some.iter().zip(others).all(|(one, other)| std::ptr::eq(*one, *other))
}

fn group(terms: &[Term], concepts: &[&'static Concept]) -> Group {
    let own: Vec<String> = terms.iter().map(|term| term.stem.clone()).collect();
    let spellings: Vec<&str> = terms.iter().map(|term| term.spelling.as_str()).collect();
    let spelled = spellings.join(" ");
    let mut alternatives = vec![Alternative { text: spelled.clone(), stems: own, weight: 1.0 }];
    let names = concepts.iter().flat_map(|c| c.names.iter().map(|name| (name, NAME_WEIGHT)));
    let near = concepts.iter().flat_map(|c| c.related.iter().map(|word| (word, RELATED_WEIGHT)));
    for (phrase, weight) in names.chain(near) {
        if alternatives.iter().all(|known| known.stems != phrase.stems) {
            let (text, stems) = (phrase.text.to_owned(), phrase.stems.clone());
            alternatives.push(Alternative { text, stems, weight });
        }
    }
    let mut categories: Vec<&'static str> = Vec::new();
    for category in concepts.iter().filter_map(|concept| concept.category) {
        if !categories.contains(&category) {
            categories.push(category);
        }
    }
    Group { label: spelled, alternatives, categories, weight: 1.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(topic: &str) -> Vec<String> {
        Query::topic(topic).groups.into_iter().map(|group| group.label).collect()
    }

    #[test]
    fn a_topic_is_taken_apart_into_subjects() {
        assert_eq!(
            labels("AI regulation in the European Union"),
            ["ai regulation", "european union"]
        );
        assert_eq!(labels("climate change and beekeeping"), ["climate change", "beekeeping"]);
        assert_eq!(labels("AI, ai and A.I."), ["ai"]);
        assert_eq!(labels("AI and artificial intelligence"), ["ai"]);
        assert_eq!(labels("offshore wind farms"), ["offshore wind"]);
    }

    #[test]
    fn wrapping_words_and_years_count_only_when_alone() {
        assert_eq!(
            labels("Latest news and trends in quantum computing 2026"),
            ["quantum computing"]
        );
        assert_eq!(labels("latest news"), ["latest", "news"]);
        assert_eq!(labels("news about open source"), ["open source"]);
        assert_eq!(labels("2026"), ["2026"]);
    }

    #[test]
    fn a_concept_brings_its_names_and_its_category() {
        let query = Query::topic("KI und künstliche Intelligenz");
        let group = &query.groups[2];
        assert_eq!(group.label, "künstliche intelligenz");
        assert_eq!(query.category(), Some("artificial intelligence"));
        let weight =
            |text: &str| group.alternatives.iter().find(|a| a.text == text).map(|a| a.weight);
        assert_eq!(weight("künstliche intelligenz"), Some(1.0));
        assert_eq!(weight("ai"), Some(NAME_WEIGHT));
        assert_eq!(weight("deep learning"), Some(RELATED_WEIGHT));
    }

    #[test]
    fn words_near_a_subject_are_not_its_names_again() {
        let query = Query::topic("artificial intelligence");
        let near: Vec<&str> = query.groups[0].near().collect();
        assert!(near.contains(&"machine learning"));
        assert!(!near.contains(&"ai research") && !near.contains(&"generative ai"), "{near:?}");
    }

    #[test]
    fn an_aspect_counts_less_and_never_twice() {
        let query = Query::topic("solar power").with_aspect("solar power policy", 0.4);
        let weights: Vec<(&str, f64)> =
            query.groups.iter().map(|group| (group.label.as_str(), group.weight)).collect();
        assert_eq!(weights, [("solar power", 1.0), ("policy", 0.4)]);
    }

    #[test]
    fn nothing_gives_nothing_and_much_is_bounded() {
        assert!(Query::topic("").is_empty());
        assert!(Query::topic(" …!? ").is_empty());
        let words: Vec<String> = (0..500).map(|number| format!("w{number}x")).collect();
        assert_eq!(Query::topic(&words.join(" ")).groups.len(), TOPIC_TERMS_MAX);
    }
}
