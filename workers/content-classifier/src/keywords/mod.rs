//! Picks the phrases that an article is about: runs of one to three words between stop words and
//! punctuation (Rose et al., "Automatic keyword extraction from individual documents", 2010),
//! weighed by how often the article uses them and how rarely general prose does.

mod shapes;

use std::collections::HashMap;

use text::background;

use crate::document::{Document, StemId, Token, Vocabulary};
use shapes::Shapes;

/// Keywords of one article.
pub const KEYWORDS_MAX: usize = 8;
const PHRASE_WORDS_MAX: usize = 3;
/// More text adds phrases that no reader would name first.
const WORDS_READ_MAX: usize = 600;
const TITLE_WEIGHT: f64 = 2.0;
/// Names are what news is about.
const NAME_FACTOR: f64 = 1.3;

/// A keyword as the article writes it, and the stems by which articles share it.
#[derive(Debug, Clone, PartialEq)]
pub struct Keyword {
    pub text: String,
    pub stems: Vec<StemId>,
}

/// The stems of a phrase, without an allocation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Key {
    words: u8,
    stems: [StemId; PHRASE_WORDS_MAX],
}

impl Key {
    fn of(phrase: &[Token]) -> Self {
        let mut stems = [0; PHRASE_WORDS_MAX];
        for (stem, token) in stems.iter_mut().zip(phrase) {
            *stem = token.stem;
        }
        Self { words: u8::try_from(phrase.len()).expect("a phrase has three words"), stems }
    }

    fn stems(&self) -> &[StemId] {
        &self.stems[..usize::from(self.words)]
    }

    /// The shorter phrases inside.
    fn parts(&self) -> impl Iterator<Item = Self> {
        (1..self.stems().len()).flat_map(|length| {
            self.stems().windows(length).map(move |part| {
                let mut stems = [0; PHRASE_WORDS_MAX];
                stems[..length].copy_from_slice(part);
                Self { words: length as u8, stems }
            })
        })
    }
}

#[derive(Debug, Default)]
struct Candidate<'d> {
    title_count: f64,
    body_count: f64,
    capitals: u32,
    mentions: u32,
    is_whole_run: bool,
    /// The first mention, and the first inside a sentence, whose case says more.
    first: Option<&'d str>,
    inside: Option<&'d str>,
}

/// The keywords of each document; how rare a word is comes from all of them together.
pub fn extract(documents: &[Document], vocabulary: &Vocabulary) -> Vec<Vec<Keyword>> {
    let rarity = Rarity::of(documents, vocabulary);
    let shapes = Shapes::of(vocabulary);
    documents.iter().map(|document| keywords(document, &shapes, &rarity)).collect()
}

fn keywords(document: &Document, shapes: &Shapes, rarity: &Rarity) -> Vec<Keyword> {
    let mut candidates: HashMap<Key, Candidate> = HashMap::new();
    let body = &document.body[..WORDS_READ_MAX.min(document.body.len())];
    collect(&mut candidates, &document.title, &document.title_text, shapes, true);
    collect(&mut candidates, body, &document.body_text, shapes, false);
    let has_body = !document.body.is_empty();
    candidates.retain(|key, candidate| candidate.is_phrase(key, has_body));
    discount_parts(&mut candidates);
    let mut ranked: Vec<(f64, Key, Candidate)> = candidates
        .into_iter()
        .filter(|(key, candidate)| candidate.is_phrase(key, has_body))
        .map(|(key, candidate)| (weight(&key, &candidate, rarity), key, candidate))
        .collect();
    ranked.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
    let mut kept: Vec<Keyword> = Vec::new();
    for (_, key, candidate) in ranked {
        if kept.len() == KEYWORDS_MAX {
            break;
        }
        // "solar" beside "solar power" says nothing new, nor the other way round.
        let stems = key.stems();
        let repeats = kept
            .iter()
            .any(|keyword| contains(&keyword.stems, stems) || contains(stems, &keyword.stems));
        if !repeats && let Some(text) = candidate.display() {
            kept.push(Keyword { text, stems: stems.to_vec() });
        }
    }
    kept
}

/// A word that is said only within a longer phrase is that phrase (C-value: Frantzi, Ananiadou,
/// Mima, "Automatic recognition of multi-word terms", 2000).
fn discount_parts(candidates: &mut HashMap<Key, Candidate>) {
    let mut longer: Vec<(Key, f64, f64)> = candidates
        .iter()
        .filter(|(key, _)| key.words > 1)
        .map(|(key, phrase)| (*key, phrase.title_count, phrase.body_count))
        .collect();
    longer.sort_by_key(|(key, ..)| std::cmp::Reverse(*key));
    for (key, title_count, body_count) in longer {
        for part in key.parts() {
            if let Some(part) = candidates.get_mut(&part) {
                part.title_count = (part.title_count - title_count).max(0.0);
                part.body_count = (part.body_count - body_count).max(0.0);
            }
        }
    }
}

fn collect<'d>(
    candidates: &mut HashMap<Key, Candidate<'d>>,
    tokens: &[Token],
    source: &'d str,
    shapes: &Shapes,
    is_title: bool,
) {
    for run in phrase_runs(tokens, shapes) {
        for length in 1..=PHRASE_WORDS_MAX.min(run.len()) {
            for phrase in run.windows(length) {
                if !shapes.may_end_phrase(&phrase[length - 1]) {
                    continue;
                }
                let is_whole_run = length == run.len();
                let place = Place { is_title, is_whole_run };
                candidates.entry(Key::of(phrase)).or_default().meet(phrase, source, place);
            }
        }
    }
}

#[derive(Debug, Clone, Copy)]
struct Place {
    is_title: bool,
    is_whole_run: bool,
}

impl<'d> Candidate<'d> {
    fn meet(&mut self, phrase: &[Token], source: &'d str, place: Place) {
        let Place { is_title, is_whole_run } = place;
        self.is_whole_run |= is_whole_run && !is_title;
        let (first, last) = (&phrase[0], &phrase[phrase.len() - 1]);
        let end = (last.start + last.length) as usize;
        let written = &source[first.start as usize..end];
        let all_capital = phrase.iter().all(|token| token.capital);
        if is_title {
            self.title_count += 1.0;
        } else {
            self.body_count += 1.0;
        }
        let is_inside = !is_title && !first.opens_sentence;
        if is_inside {
            self.mentions += 1;
            self.capitals += u32::from(all_capital);
        }
        if is_inside {
            self.inside.get_or_insert(written);
        }
        self.first.get_or_insert(written);
    }

    /// As written inside a sentence, where the case means something; else in lower case, unless it
    /// is an acronym.
    fn display(&self) -> Option<String> {
        let written = self.inside.or(self.first)?;
        let plain = written.trim_end_matches("'s").trim_end_matches("’s");
        let keeps_case = self.inside.is_some() || is_acronym(plain);
        Some(if keeps_case { plain.to_owned() } else { plain.to_lowercase() })
    }

    fn is_name(&self) -> bool {
        self.mentions > 0 && self.capitals * 2 > self.mentions
    }

    /// Said twice, a name, or cut out whole by punctuation and stop words. Where there is only a
    /// title, its single words have to do.
    fn is_phrase(&self, key: &Key, has_body: bool) -> bool {
        let count = self.title_count + self.body_count;
        let enough = if has_body { 2.0 } else { 1.0 };
        let whole = key.words > 1 && self.is_whole_run;
        count >= enough || (count > 0.0 && (self.is_name() || whole))
    }
}

fn is_acronym(written: &str) -> bool {
    written.chars().filter(|c| c.is_uppercase()).count() >= 2 && !written.contains(' ')
}

fn weight(key: &Key, candidate: &Candidate, rarity: &Rarity) -> f64 {
    let stems = key.stems();
    let frequency = TITLE_WEIGHT * candidate.title_count + candidate.body_count;
    let rarities: f64 = stems.iter().map(|stem| rarity.of_stem(*stem)).sum();
    // A phrase is worth more than its average word, less than the sum.
    let of_phrase = rarities / (stems.len() as f64).powf(0.6);
    let name = if candidate.is_name() { NAME_FACTOR } else { 1.0 };
    of_phrase * (1.0 + frequency).ln() * name
}

/// Runs of content words without punctuation between them.
fn phrase_runs<'t>(tokens: &'t [Token], shapes: &'t Shapes) -> impl Iterator<Item = &'t [Token]> {
    tokens
        .chunk_by(|a, b| !b.opens && shapes.is_content(a) && shapes.is_content(b))
        .filter(|run| shapes.is_content(&run[0]))
}

/// Whether `part` stands in `whole`, word by word.
fn contains(whole: &[StemId], part: &[StemId]) -> bool {
    whole.windows(part.len()).any(|window| window == part)
}

/// How much a stem tells: −ln of its share of articles, in general prose and in this call.
struct Rarity {
    by_stem: Vec<f64>,
}

impl Rarity {
    fn of(documents: &[Document], vocabulary: &Vocabulary) -> Self {
        const BACKGROUND_ARTICLES: f64 = 100.0;
        let mut holding = vec![0.0_f64; vocabulary.stems()];
        let mut last_seen = vec![0_usize; vocabulary.stems()];
        for (number, document) in (1..).zip(documents) {
            for token in document.title.iter().chain(&document.body) {
                if std::mem::replace(&mut last_seen[token.stem as usize], number) != number {
                    holding[token.stem as usize] += 1.0;
                }
            }
        }
        let total = documents.len() as f64 + BACKGROUND_ARTICLES;
        let by_stem = (0..).zip(holding).map(|(stem, holding)| {
            let usual = background::document_share(vocabulary.stem_text(stem));
            -((holding + usual * BACKGROUND_ARTICLES) / total).ln()
        });
        Self { by_stem: by_stem.collect() }
    }

    fn of_stem(&self, stem: StemId) -> f64 {
        self.by_stem.get(stem as usize).copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::Article;

    fn keywords_of(title: &str, body: &str) -> Vec<String> {
        let mut vocabulary = Vocabulary::default();
        let documents = [Document::read(&Article::of(title, body, ""), &mut vocabulary)];
        extract(&documents, &vocabulary).remove(0).into_iter().map(|k| k.text).collect()
    }

    #[test]
    fn phrases_and_names_come_first() {
        let found = keywords_of(
            "Solar power overtakes coal in Portugal",
            "Solar power produced more electricity than coal plants in Portugal last year. The \
             grid operator said that solar power would grow further, and that Portugal would \
             close its last coal plants soon. Battery storage is being built quickly.",
        );
        assert!(found.contains(&"solar power".to_owned()), "{found:?}");
        assert!(found.contains(&"Portugal".to_owned()), "{found:?}");
        assert!(found.len() <= KEYWORDS_MAX);
        assert!(!found.iter().any(|k| k == "year" || k == "quickly" || k == "solar"), "{found:?}");
    }

    #[test]
    fn acronyms_keep_their_capitals_and_openings_lose_theirs() {
        let found = keywords_of("NASA tests engines", "Engines burn. Engines of NASA burn long.");
        assert!(found.contains(&"NASA".to_owned()), "{found:?}");
        assert!(!found.iter().any(|k| k.starts_with("Engines")), "{found:?}");
    }

    #[test]
    fn nothing_to_say_gives_nothing() {
        assert!(keywords_of("", "").is_empty());
        assert!(keywords_of("It is what it is", "And so on, as ever.").is_empty());
    }
}
