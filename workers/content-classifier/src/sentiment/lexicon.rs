//! Reads the sentiment lexicons and numbers them for a vocabulary. It must not score.

use std::collections::BTreeMap;

use crate::document::{Token, Vocabulary, WordId};
use crate::phrases::{Found, Phrases};

/// The languages that have a lexicon.
pub const LANGUAGES: &[&str] = &["en", "de", "fr", "es"];

/// What a word does in a sentence.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Role {
    None,
    Valence(f64),
    Negator,
    /// The factor on the valences that follow.
    Intensifier(f64),
    But,
}

/// One language's lexicon for the words of one vocabulary.
#[derive(Debug)]
pub struct Lexicon {
    roles: Vec<Role>,
    phrases: Phrases<f64>,
}

impl Lexicon {
    /// Looks up every word that the vocabulary holds so far.
    pub fn new(language: &str, vocabulary: &mut Vocabulary) -> Self {
        let source = Source::of(language);
        let phrases: Vec<_> = source
            .phrases
            .iter()
            .map(|(phrase, valence)| (vocabulary.phrase(phrase), *valence))
            .collect();
        let words = WordId::try_from(vocabulary.words()).expect("words are numbered by WordId");
        let roles = (0..words).map(|word| source.role(vocabulary.folded(word))).collect();
        Self { roles, phrases: Phrases::new(phrases) }
    }

    pub fn role(&self, word: WordId) -> Role {
        self.roles.get(word as usize).copied().unwrap_or(Role::None)
    }

    pub fn phrases<'p, 't>(
        &'p self,
        tokens: &'t [Token],
    ) -> impl Iterator<Item = Found<'p, f64>> + 't
    where
        'p: 't,
    {
        self.phrases.find(tokens)
    }
}

/// A lexicon as it is written.
struct Source {
    is_english: bool,
    words: BTreeMap<&'static str, f64>,
    /// Beginnings of words, sorted by descending length.
    beginnings: Vec<(&'static str, f64)>,
    phrases: Vec<(&'static str, f64)>,
    negators: Vec<&'static str>,
}

impl Source {
    fn of(language: &str) -> Self {
        let is_english = language == "en";
        let mut source = Self {
            is_english,
            words: BTreeMap::new(),
            beginnings: Vec::new(),
            phrases: Vec::new(),
            negators: Vec::new(),
        };
        let lines = if is_english { ENGLISH } else { section(language) };
        for (key, entries) in lines.lines().filter_map(|line| line.split_once(": ")) {
            source.add(key, entries);
        }
        source.beginnings.sort_by_key(|(beginning, _)| std::cmp::Reverse(beginning.len()));
        source
    }

    fn add(&mut self, key: &str, entries: &'static str) {
        if key.starts_with('#') {
            return;
        }
        let entries = entries.split_ascii_whitespace();
        if key == "not" {
            return self.negators.extend(entries);
        }
        let valence: f64 = key.parse().expect("the lexicon is part of the crate");
        for entry in entries {
            if let Some(beginning) = entry.strip_suffix('*') {
                self.beginnings.push((beginning, valence));
            } else if entry.contains('-') {
                self.phrases.push((entry, valence));
            } else {
                self.words.insert(entry, valence);
            }
        }
    }

    fn role(&self, word: &str) -> Role {
        if self.is_negator(word) {
            return Role::Negator;
        }
        if CONTRASTS.contains(&word) {
            return Role::But;
        }
        if let Some((_, strength)) = INTENSIFIERS.iter().find(|(known, _)| *known == word) {
            return Role::Intensifier(*strength);
        }
        match self.valence(word) {
            Some(valence) if valence != 0.0 => Role::Valence(valence),
            _ => Role::None,
        }
    }

    fn is_negator(&self, word: &str) -> bool {
        self.negators.contains(&word)
            || (self.is_english && (ENGLISH_NEGATORS.contains(&word) || word.ends_with("n't")))
    }

    fn valence(&self, word: &str) -> Option<f64> {
        if let Some(valence) = self.words.get(word) {
            return Some(*valence);
        }
        let beginning = self.beginnings.iter().find(|(beginning, _)| word.starts_with(beginning));
        if let Some((_, valence)) = beginning {
            return Some(*valence);
        }
        if !self.is_english {
            return None;
        }
        base_forms(word).into_iter().find_map(|base| self.words.get(base.as_str()).copied())
    }
}

/// What an English word may be an inflection of, likeliest first.
fn base_forms(word: &str) -> Vec<String> {
    let mut forms = Vec::new();
    for (suffix, replacements) in SUFFIXES {
        let Some(stem) = word.strip_suffix(suffix).filter(|stem| stem.len() >= 3) else {
            continue;
        };
        forms.extend(replacements.iter().map(|replacement| format!("{stem}{replacement}")));
        let letters = stem.as_bytes();
        if letters[letters.len() - 1] == letters[letters.len() - 2] {
            forms.push(stem[..stem.len() - 1].to_owned());
        }
    }
    forms
}

const SUFFIXES: &[(&str, &[&str])] = &[
    ("ies", &["y"]),
    ("ied", &["y"]),
    ("ily", &["y"]),
    ("es", &["", "e"]),
    ("s", &[""]),
    ("ed", &["", "e"]),
    ("ing", &["", "e"]),
    ("ly", &["", "le"]),
];

const ENGLISH_NEGATORS: &[&str] = &[
    "not", "no", "never", "none", "nobody", "nothing", "neither", "nor", "without", "hardly",
    "scarcely", "barely", "cannot", "rarely", "seldom",
];

const CONTRASTS: &[&str] = &["but", "however", "yet", "aber", "jedoch", "mais", "pero"];

const INTENSIFIERS: &[(&str, f64)] = &[
    ("very", 1.3),
    ("extremely", 1.5),
    ("highly", 1.3),
    ("hugely", 1.4),
    ("incredibly", 1.4),
    ("deeply", 1.3),
    ("really", 1.2),
    ("especially", 1.2),
    ("particularly", 1.2),
    ("significantly", 1.25),
    ("massively", 1.4),
    ("exceptionally", 1.4),
    ("remarkably", 1.3),
    ("sharply", 1.3),
    ("most", 1.2),
    ("so", 1.1),
    ("too", 1.1),
    ("slightly", 0.6),
    ("somewhat", 0.7),
    ("partly", 0.7),
    ("marginally", 0.6),
    ("fairly", 0.85),
    ("mildly", 0.65),
    ("less", 0.5),
    ("sehr", 1.3),
    ("besonders", 1.2),
    ("extrem", 1.5),
    ("etwas", 0.7),
    ("weniger", 0.5),
    ("tres", 1.3),
    ("plus", 1.1),
    ("moins", 0.5),
    ("muy", 1.3),
    ("mas", 1.1),
    ("menos", 0.5),
];

const ENGLISH: &str = include_str!("../../lexicon/sentiment_en.txt");
const OTHERS: &str = include_str!("../../lexicon/sentiment_other.txt");

fn section(language: &str) -> &'static str {
    let Some((_, from)) = OTHERS.split_once(&format!("[{language}]\n")) else { return "" };
    from.split_once("\n[").map_or(from, |(section, _)| section)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_english_lexicon_is_large_and_in_range() {
        let source = Source::of("en");
        assert!(source.words.len() >= 400, "{}", source.words.len());
        assert!(source.words.values().all(|valence| (-4.0..=4.0).contains(valence)));
        assert!(source.words.keys().all(|word| text::fold(word) == **word));
    }

    #[test]
    fn the_other_lexicons_have_entries_of_both_signs() {
        for language in &LANGUAGES[1..] {
            let source = Source::of(language);
            let all = source.words.values().chain(source.beginnings.iter().map(|(_, v)| v));
            let (up, down): (Vec<f64>, Vec<f64>) = all.copied().partition(|v| *v > 0.0);
            assert!(up.len() >= 40 && down.len() >= 60, "{language}");
            assert!(source.negators.len() >= 5, "{language}");
            assert!(source.beginnings.iter().all(|(word, _)| text::fold(word) == **word));
        }
    }

    #[test]
    fn longer_beginnings_and_whole_words_come_first() {
        let spanish = Source::of("es");
        assert_eq!(spanish.role("seguridad"), Role::Valence(2.0));
        assert_eq!(spanish.role("seguros"), Role::None);
    }

    #[test]
    fn base_forms_of_english() {
        for (word, base) in [
            ("worries", "worry"),
            ("happily", "happy"),
            ("stunningly", "stunning"),
            ("saving", "save"),
            ("robbed", "rob"),
            ("crashes", "crash"),
            ("terribly", "terrible"),
        ] {
            assert!(base_forms(word).iter().any(|form| form == base), "{word}");
        }
        assert!(base_forms("as").is_empty());
    }
}
