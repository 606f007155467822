//! Owns the way from a text to index terms. Index and query must take the same way.

use text::{Language, fold, stop, words};

use crate::stem::stem;

/// Upper-case words of up to this many letters are read as abbreviations.
const ABBREVIATION_CHARS_MAX: usize = 5;

/// The index terms of a text, in order: folded, without English stop words, stemmed. Abbreviations
/// are kept even where they look like a stop word ("WHO", "US"); the dots of "A.I." go. A text of
/// nothing but stop words ("well-being") keeps them all.
pub fn stems(text: &str) -> Vec<String> {
    terms(text).into_iter().map(|term| term.stem).collect()
}

/// An index term, and how the text spells it, in lower case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Term {
    pub(crate) stem: String,
    pub(crate) spelling: String,
}

pub(crate) fn terms(text: &str) -> Vec<Term> {
    let shouted = !text.chars().any(char::is_lowercase);
    let told: Vec<Term> = words(text)
        .filter(|word| {
            let abbreviated = !shouted && is_abbreviation(word.text);
            abbreviated || !stop::is_stop(&fold(word.text), Language::English)
        })
        .filter_map(|word| term(word.text))
        .collect();
    if told.is_empty() { words(text).filter_map(|word| term(word.text)).collect() } else { told }
}

fn term(word: &str) -> Option<Term> {
    let folded = fold(word);
    let is_number = folded.starts_with(|c: char| c.is_ascii_digit());
    let plain = if is_number { folded } else { folded.replace(['.', '\''], "") };
    (!plain.is_empty()).then(|| Term { stem: stem(&plain), spelling: word.to_lowercase() })
}

fn is_abbreviation(word: &str) -> bool {
    let letters = word.chars().filter(|c| c.is_alphabetic());
    let count = letters.clone().count();
    (2..=ABBREVIATION_CHARS_MAX).contains(&count) && letters.into_iter().all(char::is_uppercase)
}

#[cfg(test)]
mod tests {
    use super::stems;

    #[test]
    fn texts_become_stems_without_stop_words() {
        assert_eq!(stems("The future of AI-powered robots"), ["futur", "ai", "power", "robot"]);
        assert_eq!(stems("C++ und 5G: Straßen"), ["c++", "und", "5g", "strassen"]);
        assert_eq!(stems("  … ?! "), Vec::<String>::new());
        assert_eq!(stems("well-being"), ["well", "being"]);
    }

    #[test]
    fn abbreviations_survive_where_stop_words_do_not() {
        assert_eq!(stems("WHO says who is ill"), ["who", "ill"]);
        assert_eq!(stems("A.I. in the U.S."), ["ai", "us"]);
        // In a text without lower case nothing can be told apart, so stop words go.
        assert_eq!(stems("WHO IS ILL"), ["ill"]);
    }
}
