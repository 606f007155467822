//! Owns the reading of feeds: from the bytes of a document to a [`Feed`], whatever the format.
//! Pure, and total: no document makes it fail in any other way than with an [`Unreadable`].
//!
//! The readers are our own: a Worker that panics takes its neighbours' requests with it, so nothing
//! may be assumed of documents from outside, and a document that breaks off still yields what was
//! whole. A published library gives the tests a second opinion.

mod atom;
pub mod dates;
mod item;
mod json;
pub mod model;
mod rss;

use url::Url;

pub use item::{language, person};
pub use model::{Feed, Item, Unreadable};

use crate::charset;
use crate::xml;

/// Reads a document. `content_type` is the HTTP header, `url` the address it came from.
pub fn read(bytes: &[u8], content_type: Option<&str>, url: &Url) -> Result<Feed, Unreadable> {
    let text = charset::decode(bytes, content_type.and_then(charset::charset_of));
    if text.is_empty() {
        return Err(Unreadable::Empty);
    }
    if text.starts_with(['{', '[']) {
        return json::read(&text, url);
    }
    let document = xml::parse(&text).ok_or(Unreadable::NotAFeed)?;
    let root = &document.root;
    let mut feed = match (root.ns, root.name.as_str()) {
        (_, "html") => return Err(Unreadable::Html),
        (_, "rss") => rss::read(root, url),
        (xml::Ns::Rdf, "rdf") => rss::read(root, url),
        (xml::Ns::Core, "channel") => rss::read(root, url),
        (xml::Ns::Atom | xml::Ns::Core, "feed" | "entry") => atom::read(root, url),
        _ => return Err(Unreadable::NotAFeed),
    };
    feed.complete = document.complete;
    if !feed.complete && feed.items.is_empty() {
        return Err(Unreadable::Malformed);
    }
    Ok(feed)
}

#[cfg(test)]
mod tests;
