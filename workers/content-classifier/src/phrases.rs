//! Finds the phrases of a lexicon in a sequence of words: the longest at each place, in one pass.

use std::collections::HashMap;

use crate::document::{StemId, Token};

/// Phrases by their first word. `T` is what a lexicon knows about a phrase.
#[derive(Debug)]
pub struct Phrases<T> {
    by_first: HashMap<StemId, Vec<Phrase<T>>>,
}

#[derive(Debug)]
struct Phrase<T> {
    rest: Vec<StemId>,
    value: T,
}

/// A phrase found at a place.
#[derive(Debug)]
pub struct Found<'p, T> {
    /// The index of its first word.
    pub at: usize,
    pub words: usize,
    pub value: &'p T,
}

impl<T> Phrases<T> {
    /// Collects phrases. Of equal phrases the first counts; empty ones are left out.
    pub fn new(phrases: impl IntoIterator<Item = (Vec<StemId>, T)>) -> Self {
        let mut by_first: HashMap<StemId, Vec<Phrase<T>>> = HashMap::new();
        for (stems, value) in phrases {
            let Some((first, rest)) = stems.split_first() else { continue };
            by_first.entry(*first).or_default().push(Phrase { rest: rest.to_vec(), value });
        }
        for candidates in by_first.values_mut() {
            // Stable: equal phrases keep their order.
            candidates.sort_by_key(|phrase| std::cmp::Reverse(phrase.rest.len()));
        }
        Self { by_first }
    }

    /// The phrases in `tokens`, left to right, without overlap.
    pub fn find<'p, 't>(&'p self, tokens: &'t [Token]) -> impl Iterator<Item = Found<'p, T>> + 't
    where
        'p: 't,
    {
        let mut at = 0;
        std::iter::from_fn(move || {
            while at < tokens.len() {
                if let Some(found) = self.starting_at(tokens, at) {
                    at += found.words;
                    return Some(found);
                }
                at += 1;
            }
            None
        })
    }

    fn starting_at(&self, tokens: &[Token], at: usize) -> Option<Found<'_, T>> {
        let candidates = self.by_first.get(&tokens[at].stem)?;
        let following = &tokens[at + 1..];
        let phrase = candidates.iter().find(|phrase| {
            following.len() >= phrase.rest.len()
                && phrase.rest.iter().zip(following).all(|(stem, token)| *stem == token.stem)
        })?;
        Some(Found { at, words: phrase.rest.len() + 1, value: &phrase.value })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::Article;
    use crate::document::{Document, Vocabulary};

    fn found(phrases: &[&str], text: &str) -> Vec<(usize, String)> {
        let mut vocabulary = Vocabulary::default();
        let document = Document::read(&Article::of(text, "", ""), &mut vocabulary);
        let entries: Vec<_> =
            phrases.iter().map(|p| (vocabulary.phrase(p), (*p).to_owned())).collect();
        let phrases = Phrases::new(entries);
        phrases.find(&document.title).map(|f| (f.at, f.value.clone())).collect()
    }

    #[test]
    fn the_longest_phrase_wins_and_takes_its_words() {
        let hits = found(&["learning", "machine learning"], "Machine learning beats learning");
        assert_eq!(hits, [(0, "machine learning".to_owned()), (3, "learning".to_owned())]);
    }

    #[test]
    fn forms_match_by_stem_and_hyphens_do_not_matter() {
        assert_eq!(found(&["heat pump"], "Heat-pumps sell").len(), 1);
        assert_eq!(found(&["heat pump"], "Heat").len(), 0);
        assert_eq!(found(&[""], "anything").len(), 0);
    }
}
