//! Turns a topic into concepts: its own words, what else they are called, and what articles about
//! them speak of. It must not look at articles.

use std::sync::OnceLock;

use text::{Language, background, fold, stem, stop, words};

use crate::document::{StemId, Vocabulary};

/// A topic as the concepts that it names.
#[derive(Debug)]
pub struct Topic {
    pub concepts: Vec<Concept>,
    /// How many concepts each part has, in their order: "space and climate" has two parts, of which
    /// an article may be about one; "robots in farming" is one part.
    pub parts: Vec<usize>,
}

/// One thing that a topic names, in all the ways that articles name it.
#[derive(Debug)]
pub struct Concept {
    pub expressions: Vec<Expression>,
    /// The share of general articles that speak of it.
    pub background_share: f64,
    /// A factor on its idf.
    pub importance: f64,
}

/// One way to name a concept, and how surely it means it (0..1).
#[derive(Debug)]
pub struct Expression {
    pub stems: Vec<StemId>,
    pub weight: f64,
}

/// Words that say what kind of reading is wanted, not about what.
const GENRE_WORDS: &[&str] =
    &["latest", "news", "trend", "trends", "update", "updates", "developments", "weekly", "today"];

/// The most words of a topic that are read.
const TOPIC_WORDS_MAX: usize = 40;
/// Words side by side in the topic count as a phrase of their own, with this importance.
const PHRASE_IMPORTANCE: f64 = 0.5;

impl Topic {
    /// Reads a topic. It falls into parts where every part is a known topic; else "supply and
    /// demand" would be two.
    pub fn parse(topic: &str, vocabulary: &mut Vocabulary) -> Self {
        let parts: Vec<Vec<String>> =
            split(topic).into_iter().map(content_words).filter(|words| !words.is_empty()).collect();
        if parts.len() < 2 || !parts.iter().all(|words| longest_entry(words).is_some()) {
            let concepts = concepts_of(&content_words(topic), vocabulary);
            return Self { parts: vec![concepts.len()], concepts };
        }
        let parts = parts.iter().map(|words| concepts_of(words, vocabulary));
        let parts: Vec<Vec<Concept>> = parts.collect();
        let counts = parts.iter().map(Vec::len).collect();
        Self { parts: counts, concepts: parts.into_iter().flatten().collect() }
    }
}

/// What stands between commas, slashes and the words for "and" and "or".
fn split(topic: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    for piece in topic.split([',', ';', '/', '&', '+', '|']) {
        let mut start = 0;
        for word in words(piece) {
            if SEPARATORS.contains(&fold(word.text).as_str()) {
                parts.push(&piece[start..word.start]);
                start = word.start + word.text.len();
            }
        }
        parts.push(&piece[start..]);
    }
    parts
}

const SEPARATORS: &[&str] = &["and", "or", "und", "oder", "et", "ou", "y", "o"];

/// Known names of several words first, then single words.
fn concepts_of(topic_words: &[String], vocabulary: &mut Vocabulary) -> Vec<Concept> {
    let mut concepts = Vec::new();
    let mut unknown: Vec<String> = Vec::new();
    let mut at = 0;
    while at < topic_words.len() {
        match longest_entry(&topic_words[at..]) {
            Some((entry, words)) => {
                concepts.push(known_concept(entry, vocabulary));
                at += words;
            }
            None => {
                unknown.push(topic_words[at].clone());
                concepts.push(word_concept(&topic_words[at], vocabulary));
                at += 1;
            }
        }
    }
    if unknown.len() >= 2 && unknown.len() == topic_words.len() {
        concepts.push(phrase_concept(&unknown, vocabulary));
    }
    concepts
}

/// The folded words of a topic that carry meaning. Without any, its genre words are what it means.
fn content_words(topic: &str) -> Vec<String> {
    let mut kept: Vec<String> = Vec::new();
    for word in words(topic).map(|word| fold(word.text)).take(TOPIC_WORDS_MAX) {
        if !stop::is_stop(&word, Language::English) && !kept.contains(&word) {
            kept.push(word);
        }
    }
    let (genre, content): (Vec<_>, Vec<_>) =
        kept.into_iter().partition(|word| GENRE_WORDS.contains(&word.as_str()));
    if content.is_empty() { genre } else { content }
}

/// The entry of the table that most of the leading words name, and how many words that takes.
fn longest_entry(words: &[String]) -> Option<(&'static Entry, usize)> {
    let stems: Vec<String> = words.iter().map(|word| stem::english(word)).collect();
    table()
        .iter()
        .flat_map(|entry| entry.names.iter().map(move |name| (entry, name)))
        .filter(|(_, name)| stems.starts_with(&name.stems))
        .max_by_key(|(_, name)| name.stems.len())
        .map(|(entry, name)| (entry, name.stems.len()))
}

fn known_concept(entry: &Entry, vocabulary: &mut Vocabulary) -> Concept {
    let mut expressions: Vec<Expression> = Vec::new();
    let named = entry.names.iter().map(|name| (name, 1.0));
    let related = entry.related.iter().map(|(name, weight)| (name, *weight));
    for (name, weight) in named.chain(related) {
        let stems: Vec<StemId> = name.stems.iter().map(|stem| vocabulary.stem(stem)).collect();
        if !expressions.iter().any(|known| known.stems == stems) {
            expressions.push(Expression { stems, weight });
        }
    }
    let shares = entry.names.iter().map(Name::background_share);
    Concept { expressions, background_share: shares.fold(0.0, f64::max), importance: 1.0 }
}

fn word_concept(word: &str, vocabulary: &mut Vocabulary) -> Concept {
    let stem = stem::english(word);
    let background_share = background::document_share(&stem);
    let stems = vec![vocabulary.stem(&stem)];
    let expressions = vec![Expression { stems, weight: 1.0 }];
    Concept { expressions, background_share, importance: 1.0 }
}

/// All words of an unknown topic side by side, and each pair of neighbours.
fn phrase_concept(words: &[String], vocabulary: &mut Vocabulary) -> Concept {
    let stems: Vec<StemId> =
        words.iter().map(|word| vocabulary.stem(&stem::english(word))).collect();
    let mut expressions = vec![Expression { stems: stems.clone(), weight: 1.0 }];
    if stems.len() > 2 {
        let pairs = stems.windows(2).map(|pair| Expression { stems: pair.to_vec(), weight: 0.6 });
        expressions.extend(pairs);
    }
    Concept {
        expressions,
        background_share: background::UNLISTED_SHARE,
        importance: PHRASE_IMPORTANCE,
    }
}

/// A topic of the table.
#[derive(Debug)]
struct Entry {
    names: Vec<Name>,
    related: Vec<(Name, f64)>,
}

#[derive(Debug, PartialEq)]
struct Name {
    stems: Vec<String>,
}

impl Name {
    /// Stop words stay: "internet of things" is matched word by word.
    fn parse(text: &str) -> Self {
        Self { stems: words(text).map(|word| stem::english(&fold(word.text))).collect() }
    }

    /// A phrase is as rare as its rarest word, at least.
    fn background_share(&self) -> f64 {
        let shares = self.stems.iter().map(|stem| background::document_share(stem));
        shares.fold(1.0, f64::min)
    }
}

fn table() -> &'static [Entry] {
    static TABLE: OnceLock<Vec<Entry>> = OnceLock::new();
    TABLE.get_or_init(|| parse_table(include_str!("../../lexicon/expansion.txt")))
}

fn parse_table(source: &str) -> Vec<Entry> {
    let mut entries: Vec<Entry> = Vec::new();
    let mut continues = false;
    for line in source.lines().filter(|line| !line.starts_with('#') && !line.is_empty()) {
        if line.starts_with(' ') {
            let entry = entries.last_mut().expect("related terms follow a topic");
            entry.related.extend(line.split(',').filter_map(parse_related));
            continue;
        }
        if !continues {
            entries.push(Entry { names: Vec::new(), related: Vec::new() });
        }
        let entry = entries.last_mut().expect("an entry was pushed above or before");
        for name in line.split(';').map(Name::parse) {
            if !name.stems.is_empty() && !entry.names.contains(&name) {
                entry.names.push(name);
            }
        }
        continues = line.ends_with(';');
    }
    entries
}

fn parse_related(term: &str) -> Option<(Name, f64)> {
    let (name, weight) = term.trim().rsplit_once(' ')?;
    let weight = weight.parse().expect("the table is part of the crate");
    Some((Name::parse(name), weight))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn concepts(topic: &str) -> Vec<usize> {
        let mut vocabulary = Vocabulary::default();
        Topic::parse(topic, &mut vocabulary).concepts.iter().map(|c| c.expressions.len()).collect()
    }

    #[test]
    fn known_topics_bring_their_vocabulary() {
        assert!(concepts("Artificial Intelligence")[0] > 20);
        assert!(concepts("Klimawandel")[0] > 20);
        assert_eq!(concepts("latest AI news").len(), 1);
    }

    #[test]
    fn unknown_topics_are_their_words_and_their_phrase() {
        assert_eq!(concepts("beekeeping"), [1]);
        assert_eq!(concepts("alpine beekeeping"), [1, 1, 1]);
        assert_eq!(concepts("old alpine beekeeping huts"), [1, 1, 1, 1, 4]);
    }

    #[test]
    fn known_and_unknown_parts_stand_side_by_side() {
        let found = concepts("artificial intelligence in beekeeping");
        assert_eq!(found.len(), 2);
        assert!(found[0] > 20 && found[1] == 1);
    }

    #[test]
    fn known_topics_side_by_side_are_parts() {
        let mut vocabulary = Vocabulary::default();
        let mut parts = |topic: &str| Topic::parse(topic, &mut vocabulary).parts;
        assert_eq!(parts("space exploration and astronomy"), [1, 1]);
        assert_eq!(parts("cybersecurity, privacy / open source"), [1, 1, 1]);
        assert_eq!(parts("supply and demand"), [3]);
        assert_eq!(parts("robots in farming"), [2]);
        assert_eq!(parts("and"), [0]);
    }

    #[test]
    fn a_topic_of_genre_words_alone_means_them() {
        assert_eq!(concepts("news").len(), 1);
    }

    #[test]
    fn every_weight_of_the_table_is_a_weight() {
        assert!(table().len() >= 70);
        for entry in table() {
            assert!(!entry.names.is_empty() && !entry.related.is_empty());
            for (name, weight) in &entry.related {
                assert!((0.05..=1.0).contains(weight), "{name:?}");
                assert!(!name.stems.is_empty());
            }
        }
    }

    #[test]
    fn no_two_topics_of_the_table_share_a_name() {
        let mut names: Vec<_> =
            table().iter().flat_map(|e| e.names.iter().map(|n| n.stems.join(" "))).collect();
        names.sort();
        let duplicates: Vec<_> = names.windows(2).filter(|w| w[0] == w[1]).collect();
        assert!(duplicates.is_empty(), "{duplicates:?}");
    }
}
