//! Owns what a feed says, whatever its format: the form in which it is kept and merged.

use serde::{Deserialize, Serialize};

/// A summary has at most this many characters.
pub const SUMMARY_CHARS_MAX: usize = 500;
/// The text of an item has at most this many characters.
pub const CONTENT_CHARS_MAX: usize = 2_000;
/// A title has at most this many characters.
pub const TITLE_CHARS_MAX: usize = 300;
/// Items beyond this number are not read; feeds list the newest first.
pub const ITEMS_MAX: usize = 200;

/// A feed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Feed {
    /// `rss-0.91`, `rss-1.0`, `rss-2.0`, `atom-1.0`, `json-feed-1.1`, …
    pub format: String,
    /// Its own title.
    pub title: Option<String>,
    /// The site that it belongs to.
    pub site_url: Option<String>,
    /// BCP 47, as written.
    pub language: Option<String>,
    /// In the order of the document.
    pub items: Vec<Item>,
    /// False when the document broke off; what was whole is here.
    pub complete: bool,
}

/// An item of a feed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Item {
    /// The feed's own id, as written.
    pub id: Option<String>,
    /// Never empty: without a title, the beginning of the text.
    pub title: String,
    /// Where it leads; `None` when the feed gives no address of its own.
    pub url: Option<String>,
    /// Plain text on one line.
    pub summary: String,
    /// Plain text, blocks on lines of their own; only when there is more than the summary.
    pub content_text: Option<String>,
    /// Unix ms; `None` when the feed gives none that can be read.
    pub published_at_ms: Option<i64>,
    /// The author's name.
    pub author: Option<String>,
    /// The source that it was taken from, when the feed names one.
    pub source_title: Option<String>,
    /// BCP 47, when it differs from the feed's.
    pub language: Option<String>,
}

/// Why a document is no feed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unreadable {
    /// There is nothing in it.
    Empty,
    /// It is a web page.
    Html,
    /// It is neither RSS, Atom nor JSON Feed.
    NotAFeed,
    /// It begins as a feed and breaks off before the first whole item.
    Malformed,
}

impl Unreadable {
    /// Stable, for programs.
    pub fn code(self) -> &'static str {
        match self {
            Unreadable::Empty => "feed.empty",
            Unreadable::Html => "feed.html",
            Unreadable::NotAFeed => "feed.not_a_feed",
            Unreadable::Malformed => "feed.malformed",
        }
    }
}

impl std::fmt::Display for Unreadable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Unreadable::Empty => "the document is empty",
            Unreadable::Html => "the address leads to a web page, not to a feed",
            Unreadable::NotAFeed => "the document is neither RSS, Atom nor JSON Feed",
            Unreadable::Malformed => "the document breaks off before its first item",
        })
    }
}
