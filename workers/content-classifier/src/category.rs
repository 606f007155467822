//! Files each article under one category: a multinomial scorer over a lexicon of weighted terms, in
//! which each further occurrence of a term says less than the one before.
//!
//! ```text
//! n(t)     = 2.5·title + 1.3·lead + 1·rest occurrences of term t
//! score(c) = Σ weight(t, c) · ln(1 + n(t))            over the terms t of category c
//! ```
//!
//! The best score wins when it reaches [`SCORE_MIN`]; otherwise the article is [`GENERAL`].

use std::sync::OnceLock;

use crate::document::{Document, StemId, Token, Vocabulary};
use crate::phrases::Phrases;

/// The category of what fits nowhere.
pub const GENERAL: &str = "general";

/// About one decisive term in the lead, or two that speak for the category.
const SCORE_MIN: f64 = 2.4;
const TITLE_WEIGHT: f64 = 2.5;
const LEAD_WEIGHT: f64 = 1.3;
const LEAD_WORDS: usize = 50;

/// The category lexicon, numbered for one vocabulary.
#[derive(Debug)]
pub struct Categories {
    phrases: Phrases<Term>,
    terms: usize,
}

#[derive(Debug)]
struct Term {
    number: usize,
    weights: Weights,
}

/// Categories, by number, and what the term weighs there.
type Weights = Vec<(usize, f64)>;

impl Categories {
    pub fn new(vocabulary: &mut Vocabulary) -> Self {
        let mut weights_of: Vec<(Vec<StemId>, Weights)> = Vec::new();
        let mut index = std::collections::HashMap::new();
        for LexiconTerm { category, weight, phrase } in lexicon() {
            let stems = vocabulary.phrase(phrase);
            let number = *index.entry(stems.clone()).or_insert(weights_of.len());
            if number == weights_of.len() {
                weights_of.push((stems, Vec::new()));
            }
            let weights = &mut weights_of[number].1;
            // Two forms of one word in one category are one term.
            if !weights.iter().any(|(known, _)| known == category) {
                weights.push((*category, *weight));
            }
        }
        let terms = weights_of.len();
        let numbered = weights_of.into_iter().enumerate();
        let phrases = Phrases::new(
            numbered.map(|(number, (stems, weights))| (stems, Term { number, weights })),
        );
        Self { phrases, terms }
    }

    /// The category of a document.
    pub fn of(&self, document: &Document) -> &'static str {
        let scores = self.scores(document);
        let (best, score) = scores
            .iter()
            .enumerate()
            .max_by(|a, b| a.1.total_cmp(b.1).then(b.0.cmp(&a.0)))
            .expect("the lexicon has categories");
        if *score < SCORE_MIN { GENERAL } else { names()[best] }
    }

    fn scores(&self, document: &Document) -> Vec<f64> {
        let mut counts = vec![0.0; self.terms];
        let mut met: Vec<&Term> = Vec::new();
        let (lead, rest) = document.body.split_at(LEAD_WORDS.min(document.body.len()));
        let mut count = |tokens: &[Token], field: f64| {
            for found in self.phrases.find(tokens) {
                if counts[found.value.number] == 0.0 {
                    met.push(found.value);
                }
                counts[found.value.number] += field;
            }
        };
        count(&document.title, TITLE_WEIGHT);
        count(lead, LEAD_WEIGHT);
        count(rest, 1.0);
        let mut scores = vec![0.0; names().len()];
        for term in met {
            for (category, weight) in &term.weights {
                scores[*category] += weight * f64::ln_1p(counts[term.number]);
            }
        }
        scores
    }
}

/// The categories, in the order of the lexicon, without [`GENERAL`].
pub fn names() -> &'static [&'static str] {
    static NAMES: OnceLock<Vec<&str>> = OnceLock::new();
    NAMES.get_or_init(|| SOURCE.lines().filter_map(section).collect())
}

/// Whether a category of this name exists, [`GENERAL`] included.
pub fn known(name: &str) -> Option<&'static str> {
    names().iter().copied().chain([GENERAL]).find(|known| *known == name)
}

const SOURCE: &str = include_str!("../lexicon/categories.txt");

#[derive(Debug)]
struct LexiconTerm {
    category: usize,
    weight: f64,
    phrase: &'static str,
}

fn lexicon() -> &'static [LexiconTerm] {
    static TERMS: OnceLock<Vec<LexiconTerm>> = OnceLock::new();
    TERMS.get_or_init(|| {
        let mut terms = Vec::new();
        let mut category = 0;
        for line in SOURCE.lines().filter(|line| !line.starts_with('#')) {
            if let Some(name) = section(line) {
                category = names().iter().position(|known| *known == name).unwrap_or_default();
            } else if let Some((weight, phrases)) = line.split_once(':') {
                let weight = weight.parse().expect("the lexicon is part of the crate");
                let phrases = phrases.split(',').map(str::trim);
                terms.extend(phrases.map(|phrase| LexiconTerm { category, weight, phrase }));
            }
        }
        terms
    })
}

fn section(line: &'static str) -> Option<&'static str> {
    line.strip_prefix('[')?.strip_suffix(']')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::Article;

    fn category(title: &str, body: &str) -> &'static str {
        let mut vocabulary = Vocabulary::default();
        let categories = Categories::new(&mut vocabulary);
        categories.of(&Document::read(&Article::of(title, body, ""), &mut vocabulary))
    }

    const READ: &[[&str; 3]] = &[
        [
            "artificial intelligence",
            "Model reads X-rays",
            "The neural network was trained on scans; researchers warn of hallucinations.",
        ],
        [
            "technology",
            "A laptop without a fan",
            "The chipmaker's new processor lets the laptop stay cool while compiling software.",
        ],
        [
            "software engineering",
            "Compiler catches more bugs",
            "The programming language's release brings a faster compiler and better code review.",
        ],
        [
            "security",
            "Hospital pays after ransomware",
            "Attackers used phishing to steal credentials, then encrypted every server.",
        ],
        [
            "science",
            "Fossil with feathers",
            "Palaeontologists found a dinosaur whose feathers held colour, a journal reports.",
        ],
        ["space", "Rover drills on Mars", "NASA's spacecraft sent the first picture from orbit."],
        [
            "health",
            "Trial of malaria vaccine",
            "Children who got the dose were protected; doctors saw few symptoms.",
        ],
        [
            "climate",
            "Reefs bleach again",
            "Warming seas and a heatwave hit the coral reef, scientists of biodiversity say.",
        ],
        [
            "energy",
            "Wind farm feeds the grid",
            "Turbines off the coast now supply electricity; battery storage follows.",
        ],
        [
            "business",
            "Retailer to cut jobs",
            "The chief executive said profit fell and the company would close shops.",
        ],
        [
            "finance and economy",
            "Central bank holds rates",
            "Inflation is near target, economists say; bond yields fell.",
        ],
        [
            "politics",
            "Coalition loses vote",
            "The prime minister faces parliament after lawmakers rejected the bill.",
        ],
        [
            "world",
            "Ceasefire holds",
            "Troops withdrew as diplomats of the United Nations opened peace talks.",
        ],
        [
            "sport",
            "Late goal wins derby",
            "The striker scored in injury time; the coach praised the team.",
        ],
        [
            "culture",
            "A novel returns to the stage",
            "The theatre opens its season with a play after the author's memoir.",
        ],
        [
            "education",
            "Pupils learn coding early",
            "Teachers in primary school tested a new curriculum in the classroom.",
        ],
        [
            "food and agriculture",
            "Wheat harvest fails",
            "Farmers lost a third of the crop; irrigation came too late.",
        ],
        [
            "travel and transport",
            "Night train returns",
            "The railway sells sleeper tickets to tourists; the airport loses passengers.",
        ],
    ];

    #[test]
    fn articles_land_where_a_reader_would_look() {
        for [expected, title, body] in READ {
            assert_eq!(category(title, body), *expected, "{title}");
        }
    }

    #[test]
    fn what_fits_nowhere_is_general() {
        assert_eq!(category("Hello", "It was a day like any other."), GENERAL);
        assert_eq!(category("", ""), GENERAL);
    }

    #[test]
    fn every_category_has_a_reader() {
        assert!(names().iter().all(|name| READ.iter().any(|[read, ..]| read == name)));
    }

    #[test]
    fn the_lexicon_is_broad() {
        assert!(names().len() >= 12);
        for (index, name) in names().iter().enumerate() {
            let count = lexicon().iter().filter(|term| term.category == index).count();
            assert!(count >= 50, "{name} has {count} terms");
        }
        assert_eq!(known("space"), Some("space"));
        assert_eq!(known(GENERAL), Some(GENERAL));
        assert_eq!(known("astrology"), None);
    }
}
