//! Scores how far an article is about the topic: BM25 over fields (Robertson, Zaragoza, Taylor,
//! "Simple BM25 extension to multiple weighted fields", CIKM 2004), with the topic's words gathered
//! into concepts, so that an article on "machine learning" is found for "artificial intelligence".
//!
//! For a concept c with expressions e of weight w(e), in an article of length l:
//!
//! ```text
//! n(e)    = 3·title + 1.5·lead + rest occurrences of e
//! tf(c)   = (strong + min(weak, strong + 0.25)) / (1 − b + b·l/average l)
//!           strong, weak: Σ w(e)·n(e) over the e with w(e) from 0.5 on, and over those below
//! sat(c)  = tf(c) / (tf(c) + k1)                      k1 = 1.2, b = 0.6
//! idf(c)  = −ln share(c), share(c) = (articles with c + K·background share) / (articles + K)
//! part    = Σ idf(c)·sat(c) / Σ idf(c)                0..1, as each sat(c) is below 1
//! base    = best part + (1 − best part) · 0.3 · second best part      for "space and climate"
//! result  = base + (1 − base) · 0.3 · context         context: see `feedback`
//! ```
//!
//! The `K` (50) articles of the background ([`text::background`]) make a single article score as it
//! would among many; the same holds for the average length.

mod feedback;
mod query;

use crate::document::{Document, Token, Vocabulary};
use crate::phrases::Phrases;
use query::{Concept, Expression, Topic};

const K1: f64 = 1.2;
const B: f64 = 0.6;
/// How many background articles the statistics are smoothed with.
const BACKGROUND_ARTICLES: f64 = 50.0;
/// Words of a background article, title included.
const BACKGROUND_WORDS: f64 = 140.0;
const TITLE_WEIGHT: f64 = 3.0;
const LEAD_WEIGHT: f64 = 1.5;
/// The first words of a body are its lead.
const LEAD_WORDS: usize = 50;
/// How much a second part of a topic may add.
const SECOND_PART_WEIGHT: f64 = 0.3;
/// How much agreement with the best articles may add.
const CONTEXT_WEIGHT: f64 = 0.3;
/// Related terms below this weight support a match; alone they make none, however often they come …
const STRONG_WEIGHT_MIN: f64 = 0.5;
/// … beyond this allowance.
const WEAK_ALLOWANCE: f64 = 0.25;
/// A concept that every article names still counts for something.
const IDF_MIN: f64 = 0.1;

/// The relevance of each document to the topic, 0..1, rounded to three decimals. Articles that
/// repeat another (`is_duplicate`) are scored, but teach nothing about the topic.
pub fn score(
    topic: &str,
    documents: &[Document],
    is_duplicate: &[bool],
    vocabulary: &mut Vocabulary,
) -> Vec<f64> {
    let topic = Topic::parse(topic, vocabulary);
    let lengths = Lengths::of(documents);
    let base = topic_scores(&topic, documents, &lengths);
    let teaching: Vec<f64> = base
        .iter()
        .zip(is_duplicate)
        .map(|(base, duplicate)| if *duplicate { 0.0 } else { *base })
        .collect();
    let context = feedback::context(&teaching, documents, vocabulary, &lengths);
    let combined = base.iter().zip(context);
    combined.map(|(base, context)| round(base + (1.0 - base) * CONTEXT_WEIGHT * context)).collect()
}

pub(crate) fn round(score: f64) -> f64 {
    (score.clamp(0.0, 1.0) * 1000.0).round() / 1000.0
}

/// Document lengths relative to the smoothed average.
struct Lengths {
    average: f64,
}

impl Lengths {
    fn of(documents: &[Document]) -> Self {
        let total: usize = documents.iter().map(length).sum();
        let count = documents.len() as f64;
        let smoothed = total as f64 + BACKGROUND_ARTICLES * BACKGROUND_WORDS;
        Self { average: smoothed / (count + BACKGROUND_ARTICLES) }
    }

    /// The divisor of term frequencies: 1 for an article of average length.
    fn normaliser(&self, document: &Document) -> f64 {
        1.0 - B + B * length(document) as f64 / self.average
    }
}

fn length(document: &Document) -> usize {
    document.title.len() + document.body.len()
}

fn topic_scores(topic: &Topic, documents: &[Document], lengths: &Lengths) -> Vec<f64> {
    let concepts = &topic.concepts;
    let phrases = phrases(concepts);
    let frequencies: Vec<Vec<f64>> = documents
        .iter()
        .map(|document| {
            let divisor = lengths.normaliser(document);
            let mut counts = weighted_counts(&phrases, document, concepts.len());
            counts.iter_mut().for_each(|count| *count /= divisor);
            counts
        })
        .collect();
    let idf: Vec<f64> = concepts
        .iter()
        .enumerate()
        .map(|(index, concept)| {
            let holding = frequencies.iter().filter(|tf| tf[index] > 0.0).count();
            concept.importance * idf(holding, documents.len(), concept.background_share)
        })
        .collect();
    frequencies
        .iter()
        .map(|tf| {
            let parts = topic.parts.iter().scan(0, |start, count| {
                let part = *start..*start + count;
                *start += count;
                Some(part_score(&idf[part.clone()], &tf[part]))
            });
            union(parts.collect())
        })
        .collect()
}

fn part_score(idf: &[f64], tf: &[f64]) -> f64 {
    let total: f64 = idf.iter().sum();
    if total == 0.0 {
        return 0.0;
    }
    idf.iter().zip(tf).map(|(idf, tf)| idf * tf / (tf + K1)).sum::<f64>() / total
}

/// One part is enough; a second one adds.
fn union(mut parts: Vec<f64>) -> f64 {
    parts.sort_by(|a, b| b.total_cmp(a));
    let best = parts.first().copied().unwrap_or_default();
    let second = parts.get(1).copied().unwrap_or_default();
    best + (1.0 - best) * SECOND_PART_WEIGHT * second
}

fn idf(holding: usize, documents: usize, background_share: f64) -> f64 {
    let holding = holding as f64 + BACKGROUND_ARTICLES * background_share;
    let share = holding / (documents as f64 + BACKGROUND_ARTICLES);
    (-share.ln()).max(IDF_MIN)
}

/// Which concept an expression belongs to, and its weight.
type Meaning = Vec<(usize, f64)>;

/// Expressions are found longest first, so each also stands for the shorter ones inside it that
/// belong to other concepts: "heat pump" is a mention of "heat".
fn phrases(concepts: &[Concept]) -> Phrases<Meaning> {
    let all: Vec<(usize, &Expression)> = concepts
        .iter()
        .enumerate()
        .flat_map(|(index, concept)| concept.expressions.iter().map(move |e| (index, e)))
        .collect();
    let meaning = |expression: &Expression| {
        let mut meaning: Meaning = Vec::new();
        for (concept, part) in &all {
            let mut windows = expression.stems.windows(part.stems.len());
            if !windows.any(|window| window == part.stems) {
                continue;
            }
            match meaning.iter_mut().find(|(known, _)| known == concept) {
                Some((_, weight)) => *weight = weight.max(part.weight),
                None => meaning.push((*concept, part.weight)),
            }
        }
        meaning
    };
    Phrases::new(all.iter().map(|(_, expression)| (expression.stems.clone(), meaning(expression))))
}

fn weighted_counts(phrases: &Phrases<Meaning>, document: &Document, concepts: usize) -> Vec<f64> {
    let mut strong = vec![0.0; concepts];
    let mut weak = vec![0.0; concepts];
    let lead_end = LEAD_WORDS.min(document.body.len());
    let (lead, rest) = document.body.split_at(lead_end);
    let mut count = |tokens: &[Token], field: f64| {
        for found in phrases.find(tokens) {
            for (concept, weight) in found.value {
                let counts = if *weight < STRONG_WEIGHT_MIN { &mut weak } else { &mut strong };
                counts[*concept] += weight * field;
            }
        }
    };
    count(&document.title, TITLE_WEIGHT);
    count(lead, LEAD_WEIGHT);
    count(rest, 1.0);
    let supported = |(strong, weak): (f64, f64)| strong + weak.min(strong + WEAK_ALLOWANCE);
    strong.into_iter().zip(weak).map(supported).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::Article;

    fn scores(topic: &str, articles: &[(&str, &str)]) -> Vec<f64> {
        let mut vocabulary = Vocabulary::default();
        let documents: Vec<_> = articles
            .iter()
            .map(|(title, body)| Document::read(&Article::of(title, body, ""), &mut vocabulary))
            .collect();
        score(topic, &documents, &vec![false; documents.len()], &mut vocabulary)
    }

    const HEAT: (&str, &str) = (
        "Heat pumps outsell gas boilers",
        "Sales of heat pumps overtook those of gas boilers for the first time, a study said.",
    );
    const CHIPS: (&str, &str) =
        ("New chatbot answers in verse", "The language model was trained on poems and songs.");
    const CUP: (&str, &str) =
        ("Late goal decides the final", "The striker scored in injury time to win the cup.");

    #[test]
    fn a_single_article_scores_by_its_subject() {
        assert!(scores("heat pumps", &[HEAT])[0] > 0.7);
        assert!(scores("artificial intelligence", &[CHIPS])[0] > 0.5);
        assert_eq!(scores("artificial intelligence", &[CUP])[0], 0.0);
    }

    #[test]
    fn topics_rank_their_articles_first() {
        let articles = [HEAT, CHIPS, CUP];
        for (topic, first) in [("renewable energy", 0), ("machine learning", 1), ("football", 2)] {
            let scores = scores(topic, &articles);
            let best = (0..3).max_by(|a, b| scores[*a].total_cmp(&scores[*b])).unwrap();
            assert_eq!(best, first, "{topic}: {scores:?}");
        }
    }

    #[test]
    fn the_title_counts_more_than_a_passing_mention() {
        let long = format!("{} A heat pump stood there.", "Nothing of note happened. ".repeat(60));
        let scores = scores("heat pumps", &[("Heat pumps", "A guide."), ("A house", &long)]);
        assert!(scores[0] > 2.0 * scores[1], "{scores:?}");
        assert!(scores[1] > 0.0);
    }

    #[test]
    fn naming_all_of_a_topic_beats_repeating_a_part() {
        let scores = scores(
            "desalination in chile",
            &[
                ("Desalination plant opens in Chile", "The plant serves two cities."),
                ("Chile votes", "Chile, Chile and Chile again: people of Chile vote."),
            ],
        );
        assert!(scores[0] > scores[1] + 0.2, "{scores:?}");
    }

    #[test]
    fn hostile_and_empty_topics_score_nothing_and_do_not_fail() {
        for topic in ["", "the of and", "!!! ???", "\u{202e}"] {
            assert_eq!(scores(topic, &[HEAT]), [0.0], "{topic:?}");
        }
        assert!(scores("anything", &[]).is_empty());
    }
}
