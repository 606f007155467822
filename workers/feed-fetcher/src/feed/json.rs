//! Reads JSON Feed 1.0 and 1.1, field by field: one that does not fit costs itself alone.

use serde_json::Value;
use url::Url;

use super::dates;
use super::item::{self, Parts};
use super::model::{Feed, ITEMS_MAX, Item, Unreadable};
use crate::links;
use crate::text;

pub fn read(document: &str, feed_url: &Url) -> Result<Feed, Unreadable> {
    let root: Value = serde_json::from_str(document).map_err(|_| broken(document))?;
    let version = root["version"].as_str().unwrap_or_default();
    let items = root["items"].as_array().ok_or(Unreadable::NotAFeed)?;
    if !version.contains("jsonfeed.org/") && root["title"].as_str().is_none() {
        return Err(Unreadable::NotAFeed);
    }
    let feed_author = author(&root);
    let items = items.iter().filter_map(|item| {
        let mut item = read_item(item, feed_url)?;
        item.author = item.author.or_else(|| feed_author.clone());
        Some(item)
    });
    let items = items.take(ITEMS_MAX).collect();
    let number = version.rsplit('/').next().filter(|number| !number.is_empty());
    Ok(Feed {
        format: number.map_or_else(
            || "json-feed".to_owned(),
            |number| format!("json-feed-{}", number.chars().take(8).collect::<String>()),
        ),
        title: words(&root["title"]),
        site_url: address(&root["home_page_url"], feed_url),
        language: root["language"].as_str().and_then(item::language),
        items,
        complete: true,
    })
}

/// A document that names the format but is no JSON was a feed once.
fn broken(document: &str) -> Unreadable {
    if document.contains("jsonfeed.org/") { Unreadable::Malformed } else { Unreadable::NotAFeed }
}

fn read_item(item: &Value, feed_url: &Url) -> Option<Item> {
    let html = item["content_html"].as_str().map(text::blocks);
    let plain = item["content_text"].as_str().map(|text| text.trim().to_owned());
    let date = ["date_published", "date_modified"]
        .iter()
        .find_map(|name| dates::unix_ms(item[*name].as_str()?));
    Parts {
        id: id(&item["id"]),
        title: item["title"].as_str().map(text::title),
        url: address(&item["url"], feed_url)
            .or_else(|| address(&item["external_url"], feed_url))
            .or_else(|| address(&item["id"], feed_url).filter(|_| is_address(&item["id"])))
            .or_else(|| address(&item["attachments"][0]["url"], feed_url)),
        short: item["summary"].as_str().map(text::title),
        long: html.filter(|text| !text.is_empty()).or(plain),
        published_at_ms: date,
        author: author(item),
        source_title: None,
        language: item["language"].as_str().map(str::to_owned),
    }
    .finish()
}

fn words(value: &Value) -> Option<String> {
    value.as_str().map(text::title).filter(|text| !text.is_empty())
}

fn address(value: &Value, base: &Url) -> Option<String> {
    links::resolve(value.as_str()?, Some(base)).map(String::from)
}

fn is_address(value: &Value) -> bool {
    value.as_str().is_some_and(|text| text.contains("://"))
}

/// Ids are text by the specification, numbers in some feeds.
fn id(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

fn author(value: &Value) -> Option<String> {
    [&value["authors"][0], &value["author"]]
        .into_iter()
        .filter_map(|author| author["name"].as_str())
        .find_map(item::person)
}
