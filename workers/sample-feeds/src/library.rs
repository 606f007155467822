//! Owns the articles and the feeds that carry them. The JSON files beside `src` are the source of
//! truth.

use std::sync::LazyLock;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// The address under which the pipeline knows this worker. It leads nowhere on the network.
pub const BASE_URL: &str = "https://sample-feeds.bitware.invalid";

/// An entry of `catalogue.json`.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Listing {
    /// Where the feed is.
    pub url: String,
    /// Its title.
    pub title: String,
    /// Its site.
    pub site_url: String,
    /// What it is about.
    pub category: String,
    /// BCP 47.
    pub language: String,
    /// Words that lead to it.
    pub keywords: Vec<String>,
    /// One sentence.
    pub description: String,
}

/// An article.
#[derive(Clone, Debug, Deserialize)]
pub struct Article {
    /// Unique; the address ends in it.
    pub id: String,
    /// The slug of the feed that carries it.
    pub feed: String,
    /// BCP 47.
    pub language: String,
    /// Plain text.
    pub title: String,
    /// A name.
    pub author: String,
    /// Fixed, so that every answer is the same.
    pub published_at: DateTime<Utc>,
    /// The first one is its topic.
    pub tags: Vec<String>,
    /// Plain text.
    pub text: String,
}

/// In which form a feed is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// RSS 0.91
    Rss091,
    /// RSS 0.92
    Rss092,
    /// RSS 2.0, whole texts in the description
    Rss2,
    /// RSS 2.0, a teaser in the description and the whole in `content:encoded`
    Rss2Content,
    /// RSS 1.0
    Rdf,
    /// Atom 1.0, content as escaped HTML
    Atom,
    /// Atom 1.0, content as XHTML and links relative to `xml:base`
    AtomXhtml,
    /// JSON Feed 1.0
    Json10,
    /// JSON Feed 1.1
    Json11,
}

/// In which encoding a feed is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Charset {
    /// UTF-8
    Utf8,
    /// UTF-16, little-endian, with a byte order mark
    Utf16,
    /// ISO 8859-1
    Latin1,
    /// windows-1252
    Windows1252,
}

/// A feed.
#[derive(Debug)]
pub struct Feed {
    /// The name in its address.
    pub slug: &'static str,
    /// In which form it is written.
    pub format: Format,
    /// In which encoding it is sent.
    pub charset: Charset,
    /// What the catalogue says of it.
    pub listing: Listing,
    /// Its articles, newest first.
    pub articles: Vec<Article>,
}

impl Feed {
    /// The path of its address.
    pub fn path(&self) -> &str {
        self.listing.url.strip_prefix(BASE_URL).unwrap_or(&self.listing.url)
    }
}

impl Article {
    /// Its address.
    pub fn url(&self) -> String {
        format!("{BASE_URL}/articles/{}", self.id)
    }

    /// Its first two sentences.
    pub fn teaser(&self) -> &str {
        let end = self.text.match_indices(". ").map(|(at, _)| at + 1).nth(1);
        &self.text[..end.unwrap_or(self.text.len())]
    }
}

/// Every feed, in the order of the catalogue.
pub fn feeds() -> &'static [Feed] {
    &FEEDS
}

/// The article of an id, with its feed.
pub fn article(id: &str) -> Option<(&'static Feed, &'static Article)> {
    feeds().iter().find_map(|feed| {
        feed.articles.iter().find(|article| article.id == id).map(|article| (feed, article))
    })
}

const FORMS: [(&str, Format, Charset); 16] = [
    ("machine-minds", Format::Atom, Charset::Utf8),
    ("model-watch", Format::Json11, Charset::Utf8),
    ("grid-and-climate", Format::Rss2Content, Charset::Utf8),
    ("orbit-ledger", Format::Rss2, Charset::Utf8),
    ("ward-and-lab", Format::AtomXhtml, Charset::Utf8),
    ("patch-window", Format::Rdf, Charset::Utf8),
    ("ledger-lane", Format::Rss092, Charset::Utf8),
    ("stackwright", Format::Json11, Charset::Utf8),
    ("field-to-fork", Format::Rss2, Charset::Windows1252),
    ("classroom-signal", Format::Rss091, Charset::Latin1),
    ("second-wind", Format::Atom, Charset::Utf8),
    ("daily-compendium", Format::Rss2Content, Charset::Utf8),
    ("science-wire", Format::Json10, Charset::Utf8),
    ("wissen-kompakt", Format::Rss091, Charset::Latin1),
    ("sciences-en-bref", Format::Rss2, Charset::Windows1252),
    ("ciencia-abierta", Format::Rss2, Charset::Utf16),
];

const ARTICLES: [&str; 12] = [
    include_str!("../articles/agriculture-and-food.json"),
    include_str!("../articles/artificial-intelligence.json"),
    include_str!("../articles/climate-and-energy.json"),
    include_str!("../articles/cybersecurity.json"),
    include_str!("../articles/education.json"),
    include_str!("../articles/finance-and-economy.json"),
    include_str!("../articles/general.json"),
    include_str!("../articles/health-and-medicine.json"),
    include_str!("../articles/languages.json"),
    include_str!("../articles/software-engineering.json"),
    include_str!("../articles/space.json"),
    include_str!("../articles/sport-science.json"),
];

static FEEDS: LazyLock<Vec<Feed>> = LazyLock::new(|| {
    let catalogue: Vec<Listing> = serde_json::from_str(include_str!("../catalogue.json"))
        .expect("the catalogue is tested to be a list of listings");
    let articles: Vec<Article> = ARTICLES
        .iter()
        .flat_map(|file| {
            serde_json::from_str::<Vec<Article>>(file)
                .expect("the articles are tested to be lists of articles")
        })
        .collect();
    catalogue.into_iter().filter_map(|listing| feed(listing, &articles)).collect()
});

fn feed(listing: Listing, articles: &[Article]) -> Option<Feed> {
    let name = listing.url.rsplit('/').next()?.split('.').next()?;
    let (slug, format, charset) = *FORMS.iter().find(|(slug, ..)| *slug == name)?;
    let mut articles: Vec<Article> =
        articles.iter().filter(|article| article.feed == slug).cloned().collect();
    articles.sort_by(|a, b| b.published_at.cmp(&a.published_at).then_with(|| a.id.cmp(&b.id)));
    Some(Feed { slug, format, charset, listing, articles })
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;

    fn all() -> Vec<&'static Article> {
        feeds().iter().flat_map(|feed| &feed.articles).collect()
    }

    #[test]
    fn the_library_is_as_large_as_promised() {
        assert_eq!(feeds().len(), FORMS.len());
        assert!(feeds().iter().all(|feed| feed.articles.len() >= 3));
        assert_eq!(all().len(), 176);
        let ids: BTreeSet<&str> = all().iter().map(|article| article.id.as_str()).collect();
        assert_eq!(ids.len(), 176, "ids are unique, and every article has a feed");
    }

    #[test]
    fn topics_are_distinct_and_well_filled() {
        let mut topics: BTreeMap<&str, usize> = BTreeMap::new();
        for article in all() {
            *topics.entry(article.tags[0].as_str()).or_default() += 1;
        }
        assert!(topics.values().filter(|count| **count >= 13).count() >= 10, "{topics:?}");
    }

    #[test]
    fn every_article_is_of_a_readable_length_and_from_the_fixed_season() {
        let from: DateTime<Utc> = "2026-10-01T00:00:00Z".parse().unwrap();
        let to: DateTime<Utc> = "2026-12-01T00:00:00Z".parse().unwrap();
        for article in all() {
            let words = article.text.split_whitespace().count();
            assert!((60..=120).contains(&words), "{}: {words} words", article.id);
            assert!(article.title.split_whitespace().count() >= 4, "{}", article.title);
            assert!((from..to).contains(&article.published_at), "{}", article.id);
            assert!(article.teaser().len() < article.text.len(), "{}", article.id);
        }
        let foreign = all().iter().filter(|article| article.language != "en").count();
        assert_eq!(foreign, 9);
    }

    #[test]
    fn labels_name_articles_that_exist() {
        let labels: serde_json::Value =
            serde_json::from_str(include_str!("../labels.json")).unwrap();
        let topics = labels["topics"].as_array().unwrap();
        assert!(topics.len() >= 4);
        for topic in topics {
            let relevant = topic["relevant"].as_array().unwrap();
            assert!(relevant.len() >= 10, "{}", topic["topic"]);
            for id in relevant {
                assert!(article(id.as_str().unwrap()).is_some(), "{id}");
            }
        }
    }

    #[test]
    fn addresses_follow_the_catalogue() {
        for feed in feeds() {
            assert!(feed.path().starts_with(&format!("/feeds/{}.", feed.slug)), "{}", feed.path());
            assert_eq!(feed.listing.site_url, format!("{BASE_URL}/sites/{}", feed.slug));
        }
        assert!(article("ai-01").is_some() && article("ai-99").is_none());
    }
}
