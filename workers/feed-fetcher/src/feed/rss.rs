//! Reads RSS 0.90 to 2.0 and RSS 1.0, wherever in the document the items stand.

use url::Url;

use super::item::{self, Parts};
use super::model::{Feed, ITEMS_MAX, Item};
use super::{atom, dates};
use crate::links;
use crate::text;
use crate::xml::{Element, Ns};

/// Items stand under the root or its channel, in broken documents one level deeper.
const ITEM_DEPTH_MAX: usize = 3;

pub fn read(root: &Element, feed_url: &Url) -> Feed {
    let channel = root.first(Ns::Core, "channel").unwrap_or(root);
    let plain = |names: &[(Ns, &str)]| {
        channel.first_filled(names).map(|markup| text::title(&markup)).filter(|t| !t.is_empty())
    };
    let site = site_url(channel, feed_url);
    let mut found = Vec::new();
    collect_items(root, ITEM_DEPTH_MAX, &mut found);
    let items = found
        .into_iter()
        .filter_map(|item| read_item(item, &Bases { feed: feed_url, site: site.as_ref() }));
    let items = items.take(ITEMS_MAX).collect();
    let language = plain(&[(Ns::Core, "language"), (Ns::Dc, "language")]);
    Feed {
        format: format(root),
        title: plain(&[(Ns::Core, "title"), (Ns::Dc, "title")]),
        site_url: site.map(String::from),
        language: language.as_deref().or(root.attribute("xml:lang")).and_then(item::language),
        items,
        complete: true,
    }
}

fn format(root: &Element) -> String {
    match (root.name.as_str(), root.attribute("version")) {
        ("rss", Some(version)) => {
            format!("rss-{}", version.chars().take(8).collect::<String>())
        }
        ("rdf", _) => {
            // RSS 0.90 has no `about`, which RSS 1.0 demands.
            let channel = root.first(Ns::Core, "channel");
            let about = channel.is_some_and(|channel| channel.attribute("rdf:about").is_some());
            if about { "rss-1.0".to_owned() } else { "rss-0.90".to_owned() }
        }
        _ => "rss".to_owned(),
    }
}

fn site_url(channel: &Element, feed_url: &Url) -> Option<Url> {
    let written = channel
        .all_named(Ns::Core, "link")
        .map(Element::text)
        .find(|link| !link.trim().is_empty())
        .or_else(|| atom::link(channel, Ns::Atom, &["alternate"]).map(str::to_owned));
    links::resolve(&written?, Some(feed_url))
}

fn collect_items<'e>(parent: &'e Element, depth: usize, found: &mut Vec<&'e Element>) {
    for element in parent.elements() {
        if element.ns == Ns::Core && element.name == "item" {
            // A cut-off item may lack half its text.
            if element.closed {
                found.push(element);
            }
        } else if depth > 1 {
            collect_items(element, depth - 1, found);
        }
    }
}

/// What relative links are relative to.
struct Bases<'b> {
    feed: &'b Url,
    site: Option<&'b Url>,
}

impl Bases<'_> {
    /// A path from the root belongs to the site: feeds are often hosted elsewhere. Anything else is
    /// relative to the feed, unless the item has a base of its own.
    fn resolve(&self, written: &str, item: &Element) -> Option<Url> {
        let own = item.attribute("xml:base").and_then(|base| links::resolve(base, Some(self.feed)));
        let rooted = written.trim_start().starts_with('/');
        let base = own.as_ref().or(self.site.filter(|_| rooted)).unwrap_or(self.feed);
        links::resolve(written, Some(base))
    }
}

fn read_item(item: &Element, bases: &Bases<'_>) -> Option<Item> {
    let markup = |names: &[(Ns, &str)]| item.first_filled(names);
    let guid = item.first(Ns::Core, "guid");
    let about = item.attribute("rdf:about");
    let id = guid.map(Element::text).filter(|id| !id.trim().is_empty());
    let date_text = markup(&[
        (Ns::Core, "pubdate"),
        (Ns::Dc, "date"),
        (Ns::Dc, "issued"),
        (Ns::Dc, "created"),
        (Ns::Core, "date"),
        (Ns::Atom, "published"),
        (Ns::Core, "published"),
        (Ns::Atom, "updated"),
        (Ns::Core, "updated"),
        (Ns::Dc, "modified"),
    ]);
    let media = item.first(Ns::Media, "group").unwrap_or(item);
    let short =
        markup(&[(Ns::Core, "description"), (Ns::Dc, "description"), (Ns::Itunes, "summary")])
            .or_else(|| media.first_filled(&[(Ns::Media, "description")]));
    let long = markup(&[(Ns::Content, "encoded"), (Ns::Xhtml, "body"), (Ns::Atom, "content")]);
    Parts {
        id: id.or_else(|| about.map(str::to_owned)),
        title: markup(&[(Ns::Core, "title"), (Ns::Dc, "title")])
            .or_else(|| media.first_filled(&[(Ns::Media, "title")]))
            .map(|title| text::title(&title)),
        url: item_url(item, media, bases).map(String::from),
        short: short.map(|html| text::blocks(&html)),
        long: long.map(|html| text::blocks(&html)),
        published_at_ms: date_text.and_then(|date| dates::unix_ms(&text::collapse(&date))),
        author: markup(&[
            (Ns::Dc, "creator"),
            (Ns::Core, "author"),
            (Ns::Atom, "author"),
            (Ns::Itunes, "author"),
        ]),
        source_title: markup(&[(Ns::Core, "source")]).map(|title| text::title(&title)),
        language: markup(&[(Ns::Dc, "language")])
            .or_else(|| item.attribute("xml:lang").map(str::to_owned)),
    }
    .finish()
}

/// The item's own address, in the order of trust.
fn item_url(item: &Element, media: &Element, bases: &Bases<'_>) -> Option<Url> {
    let texts = |ns, name| item.all_named(ns, name).map(Element::text);
    let original = texts(Ns::FeedBurner, "origlink").next();
    let link = texts(Ns::Core, "link").find(|link| !link.trim().is_empty());
    let link_attribute =
        item.all_named(Ns::Core, "link").find_map(|link| link.attribute("href")).map(str::to_owned);
    let atom_link = atom::link(item, Ns::Atom, &["alternate", ""]).map(str::to_owned);
    let guid = item
        .first(Ns::Core, "guid")
        .filter(|guid| {
            guid.attribute("ispermalink").is_none_or(|is| !is.eq_ignore_ascii_case("false"))
        })
        .map(Element::text)
        // Only an absolute address: the default of `isPermaLink` is true for `12345` as well.
        .filter(|guid| guid.contains("://"));
    let about = item.attribute("rdf:about").map(str::to_owned);
    let enclosure =
        item.first(Ns::Core, "enclosure").and_then(|e| e.attribute("url")).map(str::to_owned);
    let content =
        media.first(Ns::Media, "content").and_then(|e| e.attribute("url")).map(str::to_owned);
    [original, link, link_attribute, atom_link, guid, about, enclosure, content]
        .into_iter()
        .flatten()
        .find_map(|written| bases.resolve(&written, item))
}
