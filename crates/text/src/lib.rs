//! Text analysis for the workers that read articles: cleaning, words, stems, stop words, sentences,
//! and how common a word is in general news prose. Pure functions over `&str`: no I/O, no clock, no
//! knowledge of articles or of HTTP.

#![forbid(unsafe_code)]

pub mod background;
pub mod clean;
pub mod sentences;
pub mod stem;
pub mod stop;
pub mod words;

pub use sentences::sentences;
pub use stop::Language;
pub use words::{Word, fold, words};

/// The index terms of a text: folded, without stop words of `language`, stemmed, in order of
/// appearance.
pub fn terms(text: &str, language: Language) -> Vec<String> {
    words(text)
        .map(|word| fold(word.text))
        .filter(|word| !stop::is_stop(word, language))
        .map(|word| stem::english(&word))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terms_are_folded_stemmed_and_free_of_stop_words() {
        assert_eq!(
            terms(
                "The Zürich researchers' models were trained on 3.5 million images.",
                Language::English
            ),
            ["zurich", "research", "model", "train", "3.5", "million", "imag"]
        );
    }

    #[test]
    fn stop_words_depend_on_the_language() {
        assert_eq!(terms("war", Language::English), ["war"]);
        assert!(terms("war", Language::German).is_empty());
    }
}
