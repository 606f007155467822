//! Turns the articles of a request into the sources of a report: cleaned, without repetitions, in
//! the order of their weight. After this step every text is plain and every address is safe.

use std::collections::{HashMap, HashSet};

use text::clean;

use crate::address::WebAddress;
use crate::calendar;
use crate::contract::Article;

/// How many sources a report works with; those beyond are the least relevant.
pub const SOURCES_MAX: usize = 200;
/// A source must reach this share of the relevance that the best have in the middle: what merely
/// touches the topic has no place in a report on it.
pub const RELEVANCE_SHARE_MIN: f64 = 0.4;
/// The best, for that comparison; so many are kept in any case.
const BEST: usize = 10;
const KEPT_MIN: usize = 5;
const TITLE_CHARS_MAX: usize = 220;
const NAME_CHARS_MAX: usize = 80;
const BODY_CHARS_MAX: usize = 6_000;
const KEYWORDS_MAX: usize = 12;

/// An article that the report may cite.
#[derive(Debug, Clone)]
pub struct Source {
    pub id: String,
    pub title: String,
    pub address: Option<WebAddress>,
    /// Who published it.
    pub publisher: String,
    pub author: Option<String>,
    pub published_ms: Option<i64>,
    /// ISO 639-1, where it is known.
    pub language: Option<String>,
    pub relevance: Option<f64>,
    pub category: Option<String>,
    pub tone: Option<Tone>,
    pub keywords: Vec<String>,
    pub body: String,
    /// How many other articles of the request repeat it.
    pub repeats: usize,
}

/// How an article speaks of its subject.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Tone {
    pub label: ToneLabel,
    /// −1..1, 0 where the input gave a label alone.
    pub score: f64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ToneLabel {
    Positive,
    Neutral,
    Negative,
}

/// The sources of a report and what was left out.
#[derive(Debug, Default)]
pub struct Material {
    pub sources: Vec<Source>,
    /// Articles of the request.
    pub received: usize,
    /// Articles that repeat a source.
    pub repeated: usize,
    /// Articles without a text, and those beyond [`SOURCES_MAX`].
    pub unused: usize,
    /// Articles whose relevance lies far below that of the best: see [`RELEVANCE_SHARE_MIN`].
    pub marginal: usize,
}

impl Material {
    pub fn of(articles: &[Article]) -> Self {
        let ids: HashSet<&str> = articles.iter().map(|article| article.id.as_str()).collect();
        let mut material = Self { received: articles.len(), ..Self::default() };
        let mut known = Known::default();
        let mut repeats_of: HashMap<&str, usize> = HashMap::new();
        for article in articles {
            let original = article.duplicate_of.as_deref().filter(|id| ids.contains(id));
            if let Some(original) = original.filter(|original| *original != article.id) {
                *repeats_of.entry(original).or_default() += 1;
                material.repeated += 1;
                continue;
            }
            let Some(source) = Source::of(article) else {
                material.unused += 1;
                continue;
            };
            if known.add(&source) {
                material.sources.push(source);
            } else {
                material.repeated += 1;
            }
        }
        for source in &mut material.sources {
            source.repeats = repeats_of.get(source.id.as_str()).copied().unwrap_or_default();
        }
        material.sources.sort_by(|a, b| {
            let relevance = |source: &Source| source.relevance.unwrap_or(-1.0);
            relevance(b).total_cmp(&relevance(a)).then(b.published_ms.cmp(&a.published_ms))
        });
        material.drop_marginal();
        material.unused += material.sources.len().saturating_sub(SOURCES_MAX);
        material.sources.truncate(SOURCES_MAX);
        material
    }

    fn drop_marginal(&mut self) {
        let best: Vec<f64> = self.sources.iter().take(BEST).filter_map(|s| s.relevance).collect();
        let Some(middle) = best.get(best.len() / 2) else { return };
        let relevance_min = RELEVANCE_SHARE_MIN * middle;
        let is_marginal = |source: &Source| source.relevance.is_some_and(|r| r < relevance_min);
        // Sorted by relevance, so the marginal ones stand together, before those of unknown
        // relevance.
        let before = self.sources.len();
        let mut place = 0;
        self.sources.retain(|source| {
            place += 1;
            place <= KEPT_MIN || !is_marginal(source)
        });
        self.marginal = before - self.sources.len();
    }

    /// The first and the last publication, Unix ms.
    pub fn span_ms(&self) -> Option<(i64, i64)> {
        let dates = || self.sources.iter().filter_map(|source| source.published_ms);
        Some((dates().min()?, dates().max()?))
    }

    /// How many articles each publisher has, most first.
    pub fn publishers(&self) -> Vec<(&str, usize)> {
        ranked_counts(self.sources.iter().map(|source| source.publisher.as_str()))
    }

    /// How many articles each category has, most first; `general` comes last.
    pub fn categories(&self) -> Vec<(&str, usize)> {
        let mut counts = ranked_counts(self.sources.iter().filter_map(|s| s.category.as_deref()));
        // Stable: only what fits nowhere moves.
        counts.sort_by_key(|(category, _)| *category == GENERAL);
        counts
    }
}

/// The category of what fits nowhere.
pub const GENERAL: &str = "general";

/// How often each item comes, most first, then by name.
pub fn ranked_counts<'a>(items: impl Iterator<Item = &'a str>) -> Vec<(&'a str, usize)> {
    let mut counts: HashMap<&str, usize> = HashMap::new();
    for item in items {
        *counts.entry(item).or_default() += 1;
    }
    let mut ranked: Vec<_> = counts.into_iter().collect();
    ranked.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
    ranked
}

/// Pages and headlines that are already there.
#[derive(Default)]
struct Known {
    pages: HashSet<String>,
    headlines: HashSet<(String, String)>,
    ids: HashSet<String>,
}

impl Known {
    /// False for a source that repeats one: same id, same page, or same headline by the same
    /// publisher.
    fn add(&mut self, source: &Source) -> bool {
        let page = source.address.as_ref().map(WebAddress::page);
        let headline = (source.title.to_lowercase(), source.publisher.to_lowercase());
        let is_new = !self.ids.contains(&source.id)
            && page.as_ref().is_none_or(|page| !self.pages.contains(page))
            && !self.headlines.contains(&headline);
        if is_new {
            self.ids.insert(source.id.clone());
            self.pages.extend(page);
            self.headlines.insert(headline);
        }
        is_new
    }
}

impl Source {
    /// `None` for an article that says nothing.
    fn of(article: &Article) -> Option<Self> {
        let body = body(article);
        let title = shortened(&article.title, TITLE_CHARS_MAX)
            .or_else(|| shortened(text::sentences(&body).first()?, TITLE_CHARS_MAX))?;
        let address = WebAddress::parse(&article.url);
        let publisher = [&article.source_title, &article.feed_title]
            .into_iter()
            .find_map(|name| shortened(name, NAME_CHARS_MAX))
            .or_else(|| address.as_ref().map(|address| address.site().to_owned()))
            .unwrap_or_else(|| "Unnamed source".to_owned());
        let id = match clean::line(&article.id) {
            id if id.is_empty() => address.as_ref().map_or(title.clone(), |a| a.href().to_owned()),
            id => id,
        };
        let keywords = article.keywords.iter().filter_map(|k| shortened(k, NAME_CHARS_MAX));
        Some(Self {
            id,
            title,
            address,
            publisher,
            author: shortened(&article.author, NAME_CHARS_MAX),
            published_ms: article.published_at.as_deref().and_then(calendar::parse),
            language: article.language.as_deref().and_then(language_code),
            relevance: article.relevance.filter(|r| r.is_finite()).map(|r| r.clamp(0.0, 1.0)),
            category: article.category.as_deref().and_then(|c| shortened(c, NAME_CHARS_MAX)),
            tone: article.sentiment.as_ref().and_then(Tone::of),
            keywords: keywords.take(KEYWORDS_MAX).collect(),
            body,
            repeats: 0,
        })
    }

    /// Whether its text is English, or may be.
    pub fn may_be_english(&self) -> bool {
        self.language.as_deref().is_none_or(|language| language == "en")
    }
}

impl Tone {
    fn of(sentiment: &crate::contract::Sentiment) -> Option<Self> {
        let label = match sentiment.label.trim().to_ascii_lowercase().as_str() {
            "positive" => ToneLabel::Positive,
            "neutral" => ToneLabel::Neutral,
            "negative" => ToneLabel::Negative,
            _ => return None,
        };
        let score = sentiment.score.filter(|score| score.is_finite()).unwrap_or_default();
        Some(Self { label, score: score.clamp(-1.0, 1.0) })
    }
}

/// The content, where it is longer than the summary that announces it.
fn body(article: &Article) -> String {
    let cut = |text: &str| text.chars().take(BODY_CHARS_MAX).collect::<String>();
    let summary = clean::plain(&cut(&article.summary));
    let content = clean::plain(&cut(&article.content_text));
    if content.len() > summary.len() { content } else { summary }
}

fn shortened(text: &str, chars_max: usize) -> Option<String> {
    // Reading a little more than is kept leaves room for the markup that goes.
    let read: String = text.chars().take(4 * chars_max).collect();
    let plain = clean::plain_line(&read);
    (!plain.is_empty()).then(|| clean::shorten(&plain, chars_max))
}

/// "en-US" is "en"; what is no language tag, and `und`, is nothing.
fn language_code(tag: &str) -> Option<String> {
    let primary = tag.trim().split(['-', '_']).next()?.to_ascii_lowercase();
    let plausible = (2..=3).contains(&primary.len())
        && primary.bytes().all(|byte| byte.is_ascii_lowercase())
        && primary != "und";
    plausible.then_some(primary)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn material(articles: Value) -> Material {
        Material::of(&serde_json::from_value::<Vec<Article>>(articles).unwrap())
    }

    #[test]
    fn repetitions_are_counted_with_their_original() {
        let material = material(json!([
            {"id": "a", "title": "One", "summary": "Text.", "url": "https://x.example/1"},
            {"id": "b", "title": "Copy", "summary": "Text.", "duplicate_of": "a"},
            {"id": "c", "title": "Same page", "url": "http://www.x.example/1/"},
            {"id": "a", "title": "Same id", "summary": "Other."},
            {"id": "d", "title": "Lost original", "summary": "Text.", "duplicate_of": "gone"},
            {"id": "e"}
        ]));
        let ids: Vec<&str> = material.sources.iter().map(|source| source.id.as_str()).collect();
        assert_eq!(ids, ["a", "d"]);
        assert_eq!((material.received, material.repeated, material.unused), (6, 3, 1));
        assert_eq!(material.sources[0].repeats, 1);
    }

    #[test]
    fn the_weightiest_come_first() {
        let material = material(json!([
            {"id": "old", "title": "O", "relevance": 0.5, "published_at": "2026-01-01T00:00:00Z"},
            {"id": "none", "title": "N"},
            {"id": "new", "title": "W", "relevance": 0.5, "published_at": "2026-02-01T00:00:00Z"},
            {"id": "best", "title": "B", "relevance": 0.9}
        ]));
        let ids: Vec<&str> = material.sources.iter().map(|source| source.id.as_str()).collect();
        assert_eq!(ids, ["best", "new", "old", "none"]);
        assert!(material.span_ms().is_some());
    }

    #[test]
    fn texts_are_plain_and_hostile_fields_harmless() {
        let material = material(json!([{
            "id": "x\u{202e}y", "title": "<b>Bold</b> &amp; <script>alert(1)</script>new",
            "url": "javascript:alert(1)", "feed_title": "Feed\u{202e}deeF", "language": "<x>",
            "summary": "<p>Para</p><style>p{}</style>", "relevance": 7.5,
            "sentiment": {"label": "angry"}
        }]));
        let source = &material.sources[0];
        assert_eq!((source.id.as_str(), source.title.as_str()), ("xy", "Bold & new"));
        assert_eq!((source.publisher.as_str(), source.body.as_str()), ("FeeddeeF", "Para"));
        assert!(source.address.is_none() && source.language.is_none() && source.tone.is_none());
        assert_eq!(source.relevance, Some(1.0));
    }

    #[test]
    fn a_missing_title_or_publisher_is_made_up_from_what_is_there() {
        let material = material(json!([
            {"id": "a", "summary": "First sentence. Second.", "url": "https://www.x.example/p"}
        ]));
        assert_eq!(material.sources[0].title, "First sentence.");
        assert_eq!(material.sources[0].publisher, "x.example");
    }

    #[test]
    fn what_merely_touches_the_topic_is_left_out() {
        let article = |n: usize, relevance: f64| {
            let title = format!("T{n}");
            json!({"id": title, "title": title, "relevance": relevance})
        };
        let mut articles: Vec<Value> = (0..12).map(|n| article(n, 0.8)).collect();
        articles.extend((12..15).map(|n| article(n, 0.2)));
        articles.push(json!({"id": "unknown", "title": "Unknown"}));
        let material = material(json!(articles));
        assert_eq!((material.sources.len(), material.marginal), (13, 3));
        let few = [0.9, 0.1, 0.1].iter().enumerate().map(|(n, r)| article(n, *r));
        let few = Material::of(&serde_json::from_value::<Vec<Article>>(few.collect()).unwrap());
        assert_eq!((few.sources.len(), few.marginal), (3, 0));
    }

    #[test]
    fn general_is_the_last_category() {
        let listed = ["general", "general", "energy"].map(|c| json!({"title": c, "category": c}));
        let mut articles = listed.to_vec();
        articles[1]["title"] = json!("other");
        let material = material(json!(articles));
        assert_eq!(material.categories(), [("energy", 1), ("general", 2)]);
    }
}
