//! Which words may stand in a keyword, judged once for each word of a vocabulary.

use std::collections::HashSet;

use crate::document::{Token, Vocabulary, WordId};

/// The judgement on every word of one vocabulary.
#[derive(Debug)]
pub struct Shapes {
    by_word: Vec<Shape>,
}

#[derive(Debug, Clone, Copy)]
struct Shape {
    /// Carries meaning wherever it stands.
    content: bool,
    /// Carries meaning when it begins with a capital: "EU", "AI".
    content_as_name: bool,
    may_end_phrase: bool,
}

const LETTERS_MIN: usize = 3;
const LETTERS_OF_NAME_MIN: usize = 2;

impl Shapes {
    pub fn of(vocabulary: &Vocabulary) -> Self {
        let empty: HashSet<&str> = EMPTY_WORDS.split_ascii_whitespace().collect();
        let words = WordId::try_from(vocabulary.words()).expect("words are numbered by WordId");
        let by_word = (0..words).map(|word| shape(vocabulary.folded(word), &empty));
        Self { by_word: by_word.collect() }
    }

    pub fn is_content(&self, token: &Token) -> bool {
        let shape = &self.by_word[token.word as usize];
        !token.stop && (shape.content || (shape.content_as_name && token.capital))
    }

    /// "produced" may stand in a phrase ("distributed systems") but neither ends one nor is one.
    pub fn may_end_phrase(&self, token: &Token) -> bool {
        self.by_word[token.word as usize].may_end_phrase
    }
}

fn shape(word: &str, empty: &HashSet<&str>) -> Shape {
    let letters = word.chars().filter(|c| c.is_alphabetic()).count();
    let is_adverb = word.len() > 4 && word.ends_with("ly") && !NOUNS_IN_LY.contains(&word);
    let means = !is_adverb && !empty.contains(word);
    let is_participle = word.len() > 4 && word.ends_with("ed") && !word.ends_with("eed");
    // In scripts without spaces two characters are a word.
    let letters_min = if word.is_ascii() { LETTERS_MIN } else { LETTERS_OF_NAME_MIN };
    Shape {
        content: means && letters >= letters_min,
        content_as_name: means && letters >= LETTERS_OF_NAME_MIN,
        may_end_phrase: !is_participle,
    }
}

const NOUNS_IN_LY: &[&str] =
    &["family", "italy", "assembly", "supply", "monopoly", "july", "anomaly"];

/// Common verbs, measures and furniture of articles: never what one is about.
const EMPTY_WORDS: &str = "
according added announced april article articles asked august based began believe best better
big billion called cent continue continued day days december different expected explained
february found friday good great high hours important including january july june large long
look lot low making march million minutes monday month months need new news november number
october old people percent post published read report reported reports saturday september set
showed shows small start started subscribe sunday thing things think thursday time times today
told tomorrow trillion tuesday warned wednesday week weeks work year years yesterday
";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::Article;
    use crate::document::Document;

    #[test]
    fn meaning_depends_on_word_and_case() {
        let mut vocabulary = Vocabulary::default();
        let text = "EU eu quickly family produced solar said weeks ox 7.5";
        let document = Document::read(&Article::of(text, "", ""), &mut vocabulary);
        let shapes = Shapes::of(&vocabulary);
        let content = document.title.iter().filter(|token| shapes.is_content(token));
        let words: Vec<&str> = content.map(|token| vocabulary.folded(token.word)).collect();
        assert_eq!(words, ["eu", "family", "produced", "solar"]);
        assert!(!shapes.may_end_phrase(&document.title[4]));
    }
}
