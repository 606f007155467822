//! Reads Atom 1.0 and 0.3, and a document that is a single entry.

use url::Url;

use super::dates;
use super::item::{self, Parts};
use super::model::{Feed, ITEMS_MAX, Item};
use crate::links;
use crate::text;
use crate::xml::{Element, Ns};

pub fn read(root: &Element, feed_url: &Url) -> Feed {
    let base = base_of(root, feed_url);
    let entries: Vec<&Element> = if root.name == "entry" {
        vec![root]
    } else {
        both(root, "entry").filter(|entry| entry.closed).collect()
    };
    let feed_author = author(root);
    let items = entries.into_iter().filter_map(|entry| {
        let mut item = read_entry(entry, &base)?;
        item.author = item.author.or_else(|| feed_author.clone());
        Some(item)
    });
    let items = items.take(ITEMS_MAX).collect();
    let site = link(root, root.ns, &["alternate", ""]);
    Feed {
        format: format(root),
        title: first(root, "title").and_then(plain_title),
        site_url: site.and_then(|href| links::resolve(href, Some(&base))).map(String::from),
        language: root.attribute("xml:lang").and_then(item::language),
        items,
        complete: true,
    }
}

/// The `href` of the best `link` inside: the first that has one of these relations (`""` stands for
/// none), in the order of the relations, a web page before anything else.
pub fn link<'e>(parent: &'e Element, ns: Ns, relations: &[&str]) -> Option<&'e str> {
    let candidates = |relation: &str, page: bool| {
        parent
            .all_named(ns, "link")
            .filter(|link| link.attribute("rel").unwrap_or("") == relation)
            .filter(|link| !page || link.attribute("type").is_none_or(|t| t.contains("html")))
            .find_map(|link| link.attribute("href"))
    };
    relations
        .iter()
        .find_map(|relation| candidates(relation, true))
        .or_else(|| relations.iter().find_map(|relation| candidates(relation, false)))
}

fn format(root: &Element) -> String {
    match root.attribute("version") {
        Some(version) => format!("atom-{}", version.chars().take(8).collect::<String>()),
        None => "atom-1.0".to_owned(),
    }
}

fn base_of(element: &Element, outer: &Url) -> Url {
    let own = element.attribute("xml:base").and_then(|base| links::resolve(base, Some(outer)));
    own.unwrap_or_else(|| outer.clone())
}

/// Atom's elements, also where a document forgot the namespace.
fn both<'e>(parent: &'e Element, name: &'e str) -> impl Iterator<Item = &'e Element> {
    parent.elements().filter(move |e| matches!(e.ns, Ns::Atom | Ns::Core) && e.name == name)
}

fn first<'e>(parent: &'e Element, name: &'e str) -> Option<&'e Element> {
    both(parent, name).next()
}

fn read_entry(entry: &Element, feed_base: &Url) -> Option<Item> {
    let base = base_of(entry, feed_base);
    let date = ["published", "issued", "updated", "created", "modified"]
        .iter()
        .filter_map(|name| first(entry, name))
        .find_map(|date| dates::unix_ms(&text::collapse(&date.text())));
    let date = date.or_else(|| {
        let dublin_core = entry.first(Ns::Dc, "date")?;
        dates::unix_ms(&text::collapse(&dublin_core.text()))
    });
    let source = first(entry, "source");
    let media = entry.first(Ns::Media, "group").unwrap_or(entry);
    let described = media.first_filled(&[(Ns::Media, "description")]).map(|m| text::blocks(&m));
    Parts {
        id: first(entry, "id").map(Element::text),
        title: first(entry, "title").and_then(plain_title),
        url: entry_url(entry, &base).map(String::from),
        short: first(entry, "summary").and_then(plain_text).or(described),
        long: first(entry, "content").and_then(plain_text),
        published_at_ms: date,
        author: author(entry).or_else(|| source.and_then(author)),
        source_title: source.and_then(|s| first(s, "title")).and_then(plain_title),
        language: entry.attribute("xml:lang").map(str::to_owned),
    }
    .finish()
}

fn author(parent: &Element) -> Option<String> {
    let named = first(parent, "author")
        .map(|author| first(author, "name").map_or_else(|| author.text(), Element::text));
    named.or_else(|| parent.first_filled(&[(Ns::Dc, "creator")])).as_deref().and_then(item::person)
}

/// A link to a page, else the content's own address, else an id that is an address.
fn entry_url(entry: &Element, base: &Url) -> Option<Url> {
    let original = entry.first(Ns::FeedBurner, "origlink").map(Element::text);
    let page = link(entry, Ns::Atom, &["alternate", ""])
        .or_else(|| link(entry, Ns::Core, &["alternate", ""]))
        .or_else(|| first(entry, "content").and_then(|content| content.attribute("src")))
        .map(str::to_owned);
    let id = first(entry, "id").map(Element::text).filter(|id| id.contains("://"));
    let enclosure = link(entry, Ns::Atom, &["enclosure", "related"]).map(str::to_owned);
    [original, page, id, enclosure]
        .into_iter()
        .flatten()
        .find_map(|written| links::resolve(&written, Some(base)))
}

fn plain_title(element: &Element) -> Option<String> {
    let title = match kind(element) {
        Kind::Text => text::collapse(&element.text()),
        Kind::Html => text::one_line(&element.markup()),
        Kind::Unknown => text::title(&element.markup()),
        Kind::Binary => return None,
    };
    (!title.is_empty()).then_some(title)
}

fn plain_text(element: &Element) -> Option<String> {
    let plain = match kind(element) {
        Kind::Text => element.text().trim().to_owned(),
        Kind::Html | Kind::Unknown => text::blocks(&element.markup()),
        Kind::Binary => return None,
    };
    (!plain.is_empty()).then_some(plain)
}

enum Kind {
    Text,
    Html,
    /// Text by the specification, HTML in many a feed.
    Unknown,
    Binary,
}

fn kind(element: &Element) -> Kind {
    if element.attribute("mode").is_some_and(|mode| mode == "base64") {
        return Kind::Binary;
    }
    match element.attribute("type").map(str::to_ascii_lowercase).as_deref() {
        None => Kind::Unknown,
        Some("text" | "text/plain") => Kind::Text,
        Some(kind) if kind.contains("html") || kind.ends_with("xml") => Kind::Html,
        Some(kind) if kind.starts_with("text/") => Kind::Text,
        Some(_) => Kind::Binary,
    }
}
