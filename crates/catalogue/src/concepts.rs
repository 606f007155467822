//! Owns the table of concepts: names that mean the same, and the words near them. It must not know
//! how a match is scored.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use crate::words::stems;

const TABLE: &str = include_str!("../data/concepts.txt");

/// A phrase as it reads and as it is searched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Phrase {
    pub(crate) text: &'static str,
    pub(crate) stems: Vec<String>,
}

/// A subject with its names and the words near it.
#[derive(Debug)]
pub(crate) struct Concept {
    pub(crate) category: Option<&'static str>,
    pub(crate) names: Vec<Phrase>,
    pub(crate) related: Vec<Phrase>,
}

/// The concepts that share the longest name at the beginning of `topic`, and how many of its stems
/// that name takes.
pub(crate) fn at_start(topic: &[String]) -> Option<(Vec<&'static Concept>, usize)> {
    let table = table();
    let first = topic.first()?;
    let mut longest: (Vec<&'static Concept>, usize) = (Vec::new(), 0);
    for &(concept, name) in table.by_first_stem.get(first.as_str())? {
        let concept = &table.concepts[concept];
        let name = &concept.names[name].stems;
        if !topic.starts_with(name) || name.len() < longest.1 {
            continue;
        }
        if name.len() > longest.1 {
            longest = (Vec::new(), name.len());
        }
        longest.0.push(concept);
    }
    (longest.1 > 0).then_some(longest)
}

struct Table {
    concepts: Vec<Concept>,
    by_first_stem: BTreeMap<String, Vec<(usize, usize)>>,
}

fn table() -> &'static Table {
    static PARSED: OnceLock<Table> = OnceLock::new();
    PARSED.get_or_init(|| {
        let concepts = read(TABLE);
        let mut by_first_stem: BTreeMap<String, Vec<(usize, usize)>> = BTreeMap::new();
        for (at, concept) in concepts.iter().enumerate() {
            for (name_at, name) in concept.names.iter().enumerate() {
                if let Some(first) = name.stems.first() {
                    by_first_stem.entry(first.clone()).or_default().push((at, name_at));
                }
            }
        }
        Table { concepts, by_first_stem }
    })
}

fn read(text: &'static str) -> Vec<Concept> {
    let mut category = None;
    let mut concepts = Vec::new();
    for line in text.lines().map(str::trim) {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            category = (!name.is_empty()).then_some(name);
            continue;
        }
        let (names, related) = line.split_once('>').unwrap_or((line, ""));
        concepts.push(Concept { category, names: phrases(names), related: phrases(related) });
    }
    concepts
}

fn phrases(text: &'static str) -> Vec<Phrase> {
    text.split(';')
        .map(str::trim)
        .filter(|text| !text.is_empty())
        .map(|text| Phrase { text, stems: stems(text) })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn the_table_is_well_formed() {
        let concepts = &table().concepts;
        assert!(concepts.len() >= 150, "{}", concepts.len());
        for concept in concepts {
            assert!(!concept.names.is_empty());
            let mut seen = BTreeSet::new();
            for phrase in concept.names.iter().chain(&concept.related) {
                assert!(!phrase.stems.is_empty(), "{:?} has no stem", phrase.text);
                assert!(!phrase.text.contains(['>', '[']), "{:?}", phrase.text);
                assert_eq!(phrase.text, phrase.text.to_lowercase());
                // A phrase that shrinks to one word would match far more than it says.
                let is_phrase = phrase.text.contains(' ');
                assert!(!is_phrase || phrase.stems.len() > 1, "{:?} is one word", phrase.text);
                seen.insert(&phrase.stems);
            }
            assert!(seen.len() > 1, "{:?} expands to nothing", concept.names[0].text);
        }
    }

    #[test]
    fn the_longest_name_wins() {
        let (concepts, length) = at_start(&stems("climate change policy")).unwrap();
        assert_eq!((concepts[0].names[0].text, length), ("climate change", 2));
        let (concepts, length) = at_start(&stems("climate policy")).unwrap();
        assert_eq!((concepts[0].names[0].text, length), ("climate policy", 2));
        assert!(at_start(&stems("policy of climate")).is_some());
        assert!(at_start(&stems("beekeeping")).is_none());
        assert!(at_start(&[]).is_none());
    }

    #[test]
    fn inflections_and_other_languages_name_the_same_concept() {
        let name = |topic: &str| at_start(&stems(topic)).map(|found| found.0[0].names[0].text);
        assert_eq!(name("AI"), Some("artificial intelligence"));
        assert_eq!(name("Künstliche Intelligenz"), Some("artificial intelligence"));
        assert_eq!(name("electric vehicle"), name("Electric Vehicles"));
        assert_eq!(name("réchauffement"), None);
        assert_eq!(name("changement climatique"), name("climate change"));
    }
}
