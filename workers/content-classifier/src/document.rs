//! Owns the form in which an article is analysed: its words as numbers of a shared vocabulary, so
//! that everything after this step compares integers. It must not judge what the words mean.

use std::collections::HashMap;

use text::{Language, clean, fold, stem, stop, words};

use crate::contract::Article;

/// How much of an article is read, in characters. More text changes scores little and costs time.
pub const TITLE_CHARS_MAX: usize = 400;
/// The same for summary and content together.
pub const BODY_CHARS_MAX: usize = 12_000;

/// The number of a distinct folded word.
pub type WordId = u32;
/// The number of a distinct stem.
pub type StemId = u32;

/// One word in its place.
#[derive(Debug, Clone, Copy)]
pub struct Token {
    pub word: WordId,
    pub stem: StemId,
    /// Punctuation, or the beginning of the text, stands before it.
    pub opens: bool,
    /// A full stop, question mark or exclamation mark stands before it.
    pub opens_sentence: bool,
    pub capital: bool,
    pub stop: bool,
    /// Where the word stands in its text, in bytes.
    pub start: u32,
    pub length: u32,
}

/// An article ready for analysis.
#[derive(Debug)]
pub struct Document {
    pub title_text: String,
    pub body_text: String,
    pub title: Vec<Token>,
    pub body: Vec<Token>,
    /// ISO 639-1, or `und` where nobody knows.
    pub language: String,
}

/// The distinct words and stems of all documents of one call.
#[derive(Debug, Default)]
pub struct Vocabulary {
    word_ids: HashMap<String, WordId>,
    words: Vec<WordEntry>,
    stem_ids: HashMap<String, StemId>,
    stems: Vec<String>,
}

#[derive(Debug)]
struct WordEntry {
    folded: String,
    stem: StemId,
}

impl Document {
    /// Reads an article: markup out, hidden characters out, words numbered.
    pub fn read(article: &Article, vocabulary: &mut Vocabulary) -> Self {
        let title_text = clean::plain_line(cut(&article.title, TITLE_CHARS_MAX));
        let body_text = body_text(article);
        let language = crate::language::detect(&title_text, &body_text, article.language());
        let stops = Language::from_code(&language);
        // Where the language is unknown, English function words are the likeliest noise.
        let stops = if language == crate::language::UNKNOWN { Language::English } else { stops };
        let title = tokens(&title_text, stops, vocabulary);
        let body = tokens(&body_text, stops, vocabulary);
        Self { title_text, body_text, title, body, language }
    }

    /// Words of the body, or of the title where there is no body.
    pub fn word_count(&self) -> usize {
        if self.body.is_empty() { self.title.len() } else { self.body.len() }
    }
}

impl Vocabulary {
    /// The numbers of a folded word and of its stem.
    pub fn word(&mut self, folded: String) -> (WordId, StemId) {
        if let Some(&id) = self.word_ids.get(&folded) {
            return (id, self.words[id as usize].stem);
        }
        let stem = self.stem(&stem::english(&folded));
        let id = WordId::try_from(self.words.len()).expect("a call has fewer than 2^32 words");
        self.word_ids.insert(folded.clone(), id);
        self.words.push(WordEntry { folded, stem });
        (id, stem)
    }

    /// The number of a stem.
    pub fn stem(&mut self, stem: &str) -> StemId {
        if let Some(&id) = self.stem_ids.get(stem) {
            return id;
        }
        let id = StemId::try_from(self.stems.len()).expect("a call has fewer than 2^32 stems");
        self.stem_ids.insert(stem.to_owned(), id);
        self.stems.push(stem.to_owned());
        id
    }

    /// The stems of a phrase of a lexicon, word by word.
    pub fn phrase(&mut self, phrase: &str) -> Vec<StemId> {
        words(phrase).map(|word| self.stem(&stem::english(&fold(word.text)))).collect()
    }

    pub fn folded(&self, id: WordId) -> &str {
        &self.words[id as usize].folded
    }

    pub fn stem_text(&self, id: StemId) -> &str {
        &self.stems[id as usize]
    }

    pub fn stems(&self) -> usize {
        self.stems.len()
    }

    pub fn words(&self) -> usize {
        self.words.len()
    }
}

/// The content where it holds the summary's beginning, else the summary and then the content.
fn body_text(article: &Article) -> String {
    let summary = clean::plain(cut(&article.summary, BODY_CHARS_MAX));
    let content = clean::plain(cut(article.content_text(), BODY_CHARS_MAX));
    if content.is_empty() {
        return summary;
    }
    let opening = cut(&summary, SUMMARY_OPENING_CHARS).trim_end_matches(['…', '.', ' ']);
    if content.contains(opening) {
        return content;
    }
    format!("{summary}\n\n{content}")
}

/// How much of a summary must stand in the content for the summary to be an excerpt of it.
const SUMMARY_OPENING_CHARS: usize = 80;

fn cut(text: &str, chars_max: usize) -> &str {
    text.char_indices().nth(chars_max).map_or(text, |(end, _)| &text[..end])
}

fn tokens(text: &str, stops: Language, vocabulary: &mut Vocabulary) -> Vec<Token> {
    let mut found = Vec::with_capacity(text.len() / 6);
    let mut previous_end = 0;
    for word in words(text) {
        let between = text.get(previous_end..word.start).unwrap_or_default();
        let folded = fold(word.text);
        let stop = stop::is_stop(&folded, stops);
        let (id, stem) = vocabulary.word(folded);
        found.push(Token {
            word: id,
            stem,
            opens: found.is_empty() || between.chars().any(|c| !c.is_whitespace() && c != '-'),
            opens_sentence: found.is_empty() || between.contains(['.', '!', '?', '\n']),
            capital: word.text.chars().next().is_some_and(char::is_uppercase),
            stop,
            start: u32::try_from(word.start).expect("texts are cut to a few thousand characters"),
            length: u32::try_from(word.text.len()).expect("a word is shorter than its text"),
        });
        previous_end = word.start + word.text.len();
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(title: &str, summary: &str, content: &str) -> (Document, Vocabulary) {
        let mut vocabulary = Vocabulary::default();
        let article = Article::of(title, summary, content);
        (Document::read(&article, &mut vocabulary), vocabulary)
    }

    #[test]
    fn forms_of_one_word_share_a_stem_but_not_a_word() {
        let (document, vocabulary) = read("Model models", "", "");
        assert_eq!(document.title[0].stem, document.title[1].stem);
        assert_ne!(document.title[0].word, document.title[1].word);
        assert_eq!(vocabulary.stem_text(document.title[1].stem), "model");
    }

    #[test]
    fn an_excerpt_is_not_counted_twice() {
        let content =
            "The council met on Monday and agreed on a plan for the river. More followed.";
        let (document, _) = read("T", "The council met on Monday and agreed…", content);
        assert_eq!(document.body_text, content);
        let (document, _) = read("T", "An independent summary.", content);
        assert!(document.body_text.starts_with("An independent summary.\n\nThe council"));
    }

    #[test]
    fn punctuation_and_sentences_open_phrases() {
        let (document, _) = read("", "Solar power, wind. Water", "");
        let opens: Vec<bool> = document.body.iter().map(|t| t.opens).collect();
        assert_eq!(opens, [true, false, true, true]);
        assert!(!document.body[2].opens_sentence && document.body[3].opens_sentence);
    }

    #[test]
    fn overlong_articles_are_cut() {
        let (document, _) = read("t", "", &"word ".repeat(50_000));
        assert!(document.body.len() <= BODY_CHARS_MAX / 5 + 1);
    }
}
