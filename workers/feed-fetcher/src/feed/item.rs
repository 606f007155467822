//! Owns what all formats share when an item is put together: which text becomes summary and
//! content, what stands in for a missing title, how a name is cleaned.

use super::model::{CONTENT_CHARS_MAX, Item, SUMMARY_CHARS_MAX, TITLE_CHARS_MAX};
use crate::text;

const TITLE_FROM_TEXT_CHARS_MAX: usize = 100;
const NAME_CHARS_MAX: usize = 120;
const ID_CHARS_MAX: usize = 512;

/// The parts of an item as a format gives them. Texts are plain by now.
#[derive(Debug, Default)]
pub struct Parts {
    pub id: Option<String>,
    pub title: Option<String>,
    pub url: Option<String>,
    /// A short text, on one or more lines.
    pub short: Option<String>,
    /// The whole text.
    pub long: Option<String>,
    pub published_at_ms: Option<i64>,
    pub author: Option<String>,
    pub source_title: Option<String>,
    pub language: Option<String>,
}

impl Parts {
    /// The item; `None` when there is neither title, text nor address.
    pub fn finish(self) -> Option<Item> {
        let short = self.short.filter(|text| !text.is_empty());
        let long = self.long.filter(|text| !text.is_empty());
        let summary_of = short.as_deref().or(long.as_deref()).unwrap_or_default();
        let summary = text::clip(&text::collapse(summary_of), SUMMARY_CHARS_MAX);
        let whole = match (&short, &long) {
            (Some(short), Some(long)) if long.len() < short.len() => Some(short),
            (short, long) => long.as_ref().or(short.as_ref()),
        };
        let content_text = whole
            .filter(|whole| text::collapse(whole) != summary)
            .map(|whole| text::clip(whole, CONTENT_CHARS_MAX));
        let title = self.title.filter(|title| !title.is_empty());
        if title.is_none() && summary.is_empty() && self.url.is_none() {
            return None;
        }
        let title = title.unwrap_or_else(|| first_words(&summary, self.url.as_deref()));
        Some(Item {
            id: self.id.map(|id| text::collapse(&id)).filter(|id| is_usable_id(id)),
            title: text::clip(&title, TITLE_CHARS_MAX),
            url: self.url,
            summary,
            content_text,
            published_at_ms: self.published_at_ms,
            author: self.author.as_deref().and_then(person),
            source_title: self.source_title.filter(|title| !title.is_empty()),
            language: self.language.as_deref().and_then(language),
        })
    }
}

/// A person's name out of `Jane Doe`, `jane@x.org (Jane Doe)` or `Jane Doe <jane@x.org>`; an
/// address alone is no name and not passed on.
pub fn person(written: &str) -> Option<String> {
    let written = text::title(written);
    let inside = written
        .split_once('(')
        .filter(|(before, _)| before.contains('@'))
        .and_then(|(_, rest)| rest.split_once(')'))
        .map(|(name, _)| name);
    let name = inside.unwrap_or_else(|| written.split('<').next().unwrap_or(&written)).trim();
    let name: Vec<&str> = name.split(' ').filter(|word| !word.contains('@')).collect();
    let name = name.join(" ");
    let name = name.trim_matches(|c: char| c.is_whitespace() || matches!(c, ',' | ';' | '"' | '-'));
    (!name.is_empty()).then(|| text::clip(name, NAME_CHARS_MAX))
}

/// A language tag in its usual form: `en_US` is `en-US`.
pub fn language(written: &str) -> Option<String> {
    const TAG_CHARS_MAX: usize = 35;
    let tag = written.trim().replace('_', "-");
    let plain = tag.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    (plain && !tag.is_empty() && tag.len() <= TAG_CHARS_MAX).then_some(tag)
}

fn first_words(summary: &str, url: Option<&str>) -> String {
    if summary.is_empty() {
        return url.unwrap_or_default().to_owned();
    }
    let sentence_end = summary
        .match_indices(['.', '!', '?'])
        .map(|(at, mark)| at + mark.len())
        .find(|end| summary[*end..].starts_with(' ') || *end == summary.len());
    let sentence = &summary[..sentence_end.unwrap_or(summary.len())];
    text::clip(sentence.trim_end_matches('.'), TITLE_FROM_TEXT_CHARS_MAX)
}

fn is_usable_id(id: &str) -> bool {
    !id.is_empty() && id.len() <= ID_CHARS_MAX
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_text_alone_is_the_summary() {
        let item = Parts { short: Some("One.\nTwo.".into()), ..Parts::default() }.finish().unwrap();
        assert_eq!((item.summary.as_str(), item.content_text), ("One. Two.", None));
        assert_eq!(item.title, "One");
    }

    #[test]
    fn the_longer_text_is_the_content() {
        let long = "word ".repeat(700);
        let item = Parts {
            short: Some("Teaser".into()),
            long: Some(long.trim().into()),
            title: Some("T".into()),
            ..Parts::default()
        }
        .finish()
        .unwrap();
        assert_eq!(item.summary, "Teaser");
        assert!(item.content_text.unwrap().chars().count() <= CONTENT_CHARS_MAX + 1);
        let item = Parts { long: Some("word ".repeat(200)), ..Parts::default() }.finish().unwrap();
        assert!(item.summary.ends_with('…') && item.summary.len() < 510);
        assert!(item.content_text.unwrap().len() > 900);
    }

    #[test]
    fn without_title_text_and_address_there_is_no_item() {
        assert_eq!(Parts { id: Some("1".into()), ..Parts::default() }.finish(), None);
        let bare = Parts { url: Some("https://x.org/a".into()), ..Parts::default() };
        assert_eq!(bare.finish().unwrap().title, "https://x.org/a");
    }

    #[test]
    fn names_are_freed_of_addresses() {
        for (written, name) in [
            ("Jane Doe", Some("Jane Doe")),
            ("jane@x.org (Jane Doe)", Some("Jane Doe")),
            ("Jane Doe <jane@x.org>", Some("Jane Doe")),
            ("jane@x.org Jane Doe", Some("Jane Doe")),
            ("Jane (she) Doe", Some("Jane (she) Doe")),
            ("foo@bar.de（田中）", None),
            ("jane@x.org", None),
            ("", None),
        ] {
            assert_eq!(person(written).as_deref(), name, "{written}");
        }
    }

    #[test]
    fn languages_are_plain_tags() {
        assert_eq!(language("en_US").as_deref(), Some("en-US"));
        assert_eq!(language(" de "), Some("de".into()));
        assert_eq!(language("English (US)"), None);
        assert_eq!(language(""), None);
    }
}
