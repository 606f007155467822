//! Writes JSON Feed 1.0, with one author as plain text items, and 1.1, with authors and HTML.

use serde_json::{Value, json};

use super::{iso, paragraph};
use crate::library::{Article, Feed, Format};

pub fn write(feed: &Feed) -> String {
    let listing = &feed.listing;
    let newer = feed.format == Format::Json11;
    let items: Vec<Value> = feed.articles.iter().map(|article| item(article, newer)).collect();
    let version = if newer { "1.1" } else { "1" };
    let mut document = json!({
        "version": format!("https://jsonfeed.org/version/{version}"),
        "title": listing.title,
        "home_page_url": listing.site_url,
        "feed_url": listing.url,
        "description": listing.description,
        "items": items,
    });
    if newer {
        document["language"] = json!(listing.language);
    }
    format!("{document:#}\n")
}

fn item(article: &Article, newer: bool) -> Value {
    let mut item = json!({
        "id": article.url(),
        "url": article.url(),
        "title": article.title,
        "summary": article.teaser(),
        "date_published": iso(article.published_at),
        "tags": article.tags,
    });
    if newer {
        item["authors"] = json!([{"name": article.author}]);
        item["content_html"] = json!(paragraph(&article.text));
    } else {
        item["author"] = json!({"name": article.author});
        item["content_text"] = json!(article.text);
    }
    item
}
