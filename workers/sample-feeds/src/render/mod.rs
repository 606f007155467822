//! Owns the writing of feeds: each in its form and encoding, the same bytes every time. Pure.

mod atom;
mod json;
mod rdf;
mod rss;

use chrono::{DateTime, SecondsFormat, Utc};
use sha2::{Digest, Sha256};

use crate::library::{Charset, Feed, Format};

/// A feed as it is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    /// `Content-Type`
    pub content_type: String,
    /// The bytes, encoded.
    pub bytes: Vec<u8>,
    /// `ETag`, from the bytes.
    pub etag: String,
    /// The date of the newest article.
    pub last_modified: DateTime<Utc>,
}

/// Writes a feed.
pub fn document(feed: &Feed) -> Document {
    let (media_type, text) = match feed.format {
        Format::Rss091 | Format::Rss092 | Format::Rss2 | Format::Rss2Content => {
            ("application/rss+xml", rss::write(feed))
        }
        Format::Rdf => ("application/rdf+xml", rdf::write(feed)),
        Format::Atom | Format::AtomXhtml => ("application/atom+xml", atom::write(feed)),
        Format::Json10 | Format::Json11 => ("application/feed+json", json::write(feed)),
    };
    let bytes = encode(&text, feed.charset);
    let digest = Sha256::digest(&bytes);
    let hex: String = digest[..12].iter().map(|byte| format!("{byte:02x}")).collect();
    Document {
        content_type: format!("{media_type}; charset={}", label(feed.charset)),
        etag: format!("\"{hex}\""),
        bytes,
        last_modified: newest(feed),
    }
}

/// The name of an encoding, as declarations write it.
fn label(charset: Charset) -> &'static str {
    match charset {
        Charset::Utf8 => "utf-8",
        Charset::Utf16 => "utf-16",
        Charset::Latin1 => "iso-8859-1",
        Charset::Windows1252 => "windows-1252",
    }
}

/// What an encoding lacks becomes a character reference, which XML understands.
fn encode(text: &str, charset: Charset) -> Vec<u8> {
    match charset {
        Charset::Utf8 => text.as_bytes().to_vec(),
        Charset::Utf16 => {
            let mark = std::iter::once(0xfeff_u16);
            mark.chain(text.encode_utf16()).flat_map(u16::to_le_bytes).collect()
        }
        Charset::Latin1 => {
            let mut bytes = Vec::with_capacity(text.len());
            for c in text.chars() {
                match u8::try_from(u32::from(c)) {
                    Ok(byte) => bytes.push(byte),
                    Err(_) => bytes.extend(format!("&#{};", u32::from(c)).bytes()),
                }
            }
            bytes
        }
        Charset::Windows1252 => encoding_rs::WINDOWS_1252.encode(text).0.into_owned(),
    }
}

fn newest(feed: &Feed) -> DateTime<Utc> {
    feed.articles.iter().map(|article| article.published_at).max().unwrap_or_default()
}

fn declaration(feed: &Feed) -> String {
    format!("<?xml version=\"1.0\" encoding=\"{}\"?>\n", label(feed.charset))
}

fn iso(date: DateTime<Utc>) -> String {
    date.to_rfc3339_opts(SecondsFormat::Secs, true)
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// An element with text.
fn element(name: &str, text: &str) -> String {
    format!("<{name}>{}</{name}>\n", escape(text))
}

/// The text as HTML.
fn paragraph(text: &str) -> String {
    format!("<p>{}</p>", escape(text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::library::feeds;

    #[test]
    fn every_feed_reads_back_in_full() {
        for feed in feeds() {
            let document = document(feed);
            let parsed = feed_rs::parser::Builder::new()
                .base_uri(Some(&feed.listing.url))
                .build()
                .parse(document.bytes.as_slice())
                .unwrap_or_else(|error| panic!("{}: {error}", feed.slug));
            let title = parsed.title.map(|title| title.content);
            assert_eq!(title.as_deref(), Some(feed.listing.title.as_str()), "{}", feed.slug);
            assert_eq!(parsed.entries.len(), feed.articles.len(), "{}", feed.slug);
            for (entry, article) in parsed.entries.iter().zip(&feed.articles) {
                let title = entry.title.as_ref().map(|title| title.content.as_str());
                assert_eq!(title, Some(article.title.as_str()), "{}", article.id);
                assert_eq!(entry.links[0].href, article.url(), "{}", article.id);
                assert_eq!(entry.published, Some(article.published_at), "{}", article.id);
                let summary = entry.summary.as_ref().map(|text| text.content.as_str());
                let content = entry.content.as_ref().and_then(|content| content.body.as_deref());
                let last_word = article.text.split_whitespace().last().unwrap();
                let whole = [summary, content].into_iter().flatten().any(|t| t.contains(last_word));
                assert!(whole, "{} is carried in full", article.id);
            }
        }
    }

    #[test]
    fn the_bytes_are_in_the_declared_encoding() {
        let document_of =
            |slug: &str| document(feeds().iter().find(|feed| feed.slug == slug).unwrap());
        let german = document_of("wissen-kompakt");
        assert!(std::str::from_utf8(&german.bytes).is_err());
        assert!(german.bytes.windows(3).any(|bytes| bytes == b"K\xfcn"));
        assert!(german.content_type.ends_with("charset=iso-8859-1"));
        let spanish = document_of("ciencia-abierta");
        assert_eq!(spanish.bytes[..4], [0xff, 0xfe, b'<', 0]);
        let french = document_of("sciences-en-bref");
        assert!(std::str::from_utf8(&french.bytes).is_err());
        let latin = encode("é – ř", Charset::Latin1);
        assert_eq!(latin, b"\xe9 &#8211; &#345;");
    }

    #[test]
    fn the_same_feed_is_the_same_bytes() {
        for feed in feeds() {
            assert_eq!(document(feed), document(feed));
        }
        let tags: std::collections::BTreeSet<String> =
            feeds().iter().map(|feed| document(feed).etag).collect();
        assert_eq!(tags.len(), feeds().len());
    }
}
