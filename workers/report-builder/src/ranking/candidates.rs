//! The sentences that can be quoted, and how well each stands alone.

use std::collections::BTreeSet;

use text::{Language, clean};

use crate::material::Source;

/// All sentences of a report; beyond, articles are too weak to be quoted.
const SENTENCES_MAX: usize = 600;
/// News says first what matters.
const PER_SOURCE_MAX: usize = 8;
const CHARS_MIN: usize = 40;
const CHARS_MAX: usize = 340;
const WORDS_MIN: usize = 7;
const SCENE_CHARS_MAX: usize = 75;
/// Fewer English sentences than this make no report; then every language may speak.
const ENGLISH_MIN: usize = 3;

/// A sentence that can be quoted.
#[derive(Debug, Clone)]
pub struct Sentence {
    /// The place of its article among the sources.
    pub source: usize,
    /// Its place in the article.
    pub place: usize,
    pub text: String,
    /// The distinct index terms, sorted.
    pub terms: Vec<String>,
    /// The share of the title's terms that it names.
    pub title_overlap: f64,
    /// How well it reads outside its article, 0..1.
    pub form: f64,
}

/// The sentences of all sources, in their order. The report is written in English, so sentences of
/// other languages are taken only where there are hardly any English ones.
pub fn of(sources: &[Source]) -> Vec<Sentence> {
    let english = collect(sources, Source::may_be_english);
    if english.len() >= ENGLISH_MIN { english } else { collect(sources, |_| true) }
}

fn collect(sources: &[Source], admitted: impl Fn(&Source) -> bool) -> Vec<Sentence> {
    let mut found = Vec::new();
    for (index, source) in sources.iter().enumerate().filter(|(_, source)| admitted(source)) {
        let language = Language::from_code(source.language.as_deref().unwrap_or("en"));
        let title: BTreeSet<String> = text::terms(&source.title, language).into_iter().collect();
        let quotable = text::sentences(&source.body)
            .into_iter()
            .enumerate()
            .take(PER_SOURCE_MAX)
            .filter(|(_, sentence)| is_quotable(sentence, &source.title));
        for (place, sentence) in quotable {
            let terms: BTreeSet<String> = text::terms(sentence, language).into_iter().collect();
            let shared = title.intersection(&terms).count() as f64;
            found.push(Sentence {
                source: index,
                place,
                text: clean::line(sentence),
                title_overlap: if title.is_empty() { 0.0 } else { shared / title.len() as f64 },
                form: form(sentence),
                terms: terms.into_iter().collect(),
            });
            if found.len() == SENTENCES_MAX {
                return found;
            }
        }
    }
    found
}

fn is_quotable(sentence: &str, title: &str) -> bool {
    let chars = sentence.chars().count();
    let ends = sentence.trim_end_matches(['"', '”', '’', '\'', ')', '»']);
    let ends_well = ends.ends_with(['.', '!', '?', '。']) && !ends.ends_with("...");
    let words = text::words(sentence).count();
    let lower = sentence.to_lowercase();
    (CHARS_MIN..=CHARS_MAX).contains(&chars)
        && words >= WORDS_MIN
        && ends_well
        && sentence != title
        && !FURNITURE.iter().any(|phrase| lower.contains(phrase))
}

/// What belongs to the page and not to the story.
const FURNITURE: &[&str] = &[
    "appeared first on",
    "read more",
    "continue reading",
    "click here",
    "sign up",
    "subscribe",
    "newsletter",
    "all rights reserved",
    "cookie policy",
    "privacy policy",
    "terms of service",
    "follow us",
    "share this",
    "photo:",
    "image:",
    "image credit",
    "getty images",
    "advertisement",
    "sponsored",
    "leave a comment",
    "this post was",
    "this article was",
    "originally published",
    "support our journalism",
    "affiliate",
    "watch the video",
    "listen to the",
    "http://",
    "https://",
    "javascript",
    "function(",
    "{",
    "}",
];

fn form(sentence: &str) -> f64 {
    let first: String =
        text::words(sentence).next().map(|word| text::fold(word.text)).unwrap_or_default();
    let mut form: f64 = 1.0;
    if DANGLING.contains(&first.as_str()) {
        form *= 0.55;
    }
    if sentence.ends_with('?') {
        form *= 0.5;
    }
    if sentence.ends_with('!') {
        form *= 0.7;
    }
    if sentence.starts_with(['"', '“', '‘', '«', '(']) {
        form *= 0.6;
    }
    let lower = sentence.to_lowercase();
    if lower.split(|c: char| !c.is_alphabetic()).any(|word| PERSONAL.contains(&word)) {
        form *= 0.7;
    }
    // Figures make a finding; short sentences set a scene.
    if !sentence.chars().any(|c| c.is_ascii_digit()) {
        form *= 0.86;
    }
    if sentence.chars().count() < SCENE_CHARS_MAX {
        form *= 0.9;
    }
    form
}

/// A sentence that begins so leans on the one before.
const DANGLING: &[&str] = &[
    "he",
    "she",
    "it",
    "they",
    "this",
    "that",
    "these",
    "those",
    "his",
    "her",
    "their",
    "its",
    "but",
    "and",
    "or",
    "so",
    "however",
    "also",
    "then",
    "yet",
    "still",
    "instead",
    "meanwhile",
    "there",
    "here",
    "such",
    "both",
    "neither",
    "nor",
    "because",
    "which",
    "who",
    "another",
    "others",
    "some",
    "one",
    "therefore",
    "thus",
    "moreover",
    "furthermore",
    "besides",
    "similarly",
    "nevertheless",
    "nonetheless",
    "otherwise",
    "consequently",
    "either",
    "four",
    "three",
    "two",
    "nobody",
    "what",
    "without",
    "until",
    "even",
];

const PERSONAL: &[&str] = &["i", "we", "you", "your", "my", "our", "me", "us"];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::Article;
    use crate::material::Material;
    use serde_json::json;

    fn quoted(body: &str) -> Vec<String> {
        let article: Article = serde_json::from_value(
            json!({"id": "a", "title": "A title of its own", "summary": body}),
        )
        .unwrap();
        of(&Material::of(&[article]).sources).into_iter().map(|s| s.text).collect()
    }

    #[test]
    fn only_whole_sentences_of_the_story_are_quoted() {
        let body = "The council voted for the bridge by a wide margin on Monday night. Read more \
            on our website about the vote of the council. Short one. This sentence was cut off by \
            the feed after a number of words and ends with an ellip…";
        assert_eq!(
            quoted(body),
            ["The council voted for the bridge by a wide margin on Monday night."]
        );
    }

    #[test]
    fn sentences_that_lean_on_others_weigh_less() {
        let whole = form("The council voted for the bridge.");
        for leaning in [
            "It voted for the bridge.",
            "However, the council voted.",
            "Will the council vote?",
            "“We voted for the bridge,” she said.",
        ] {
            assert!(form(leaning) < whole, "{leaning}");
        }
    }

    #[test]
    fn other_languages_speak_only_without_english() {
        let german = "Der Stadtrat stimmte am Montag mit großer Mehrheit für die neue Brücke.";
        let article = |id: &str, language: &str, text: &str| {
            serde_json::from_value::<Article>(
                json!({"id": id, "title": id, "summary": text, "language": language}),
            )
            .unwrap()
        };
        let one = [article("a", "de", german)];
        assert_eq!(of(&Material::of(&one).sources).len(), 1);
        let english = "The council voted for the new bridge by a wide margin on Monday night. ";
        let many = [article("a", "de", german), article("b", "en", &english.repeat(4))];
        assert!(of(&Material::of(&many).sources).iter().all(|s| s.text.starts_with("The council")));
    }
}
