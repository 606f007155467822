//! Owns the question whether a document is a feed, and of which format. It looks at the beginning
//! of the document alone and must not parse items: the fetcher does. Pure.

use serde::Serialize;

/// How far the root of a document is looked for.
const HEAD_BYTES: usize = 64 * 1024;

/// A format of feeds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// RSS 0.9x and 2.0.
    Rss,
    /// RSS 0.90 and 1.0, on RDF.
    Rdf,
    /// Atom.
    Atom,
    /// JSON Feed.
    Json,
}

/// The format of a document, `None` when it is no feed.
pub fn format(document: &[u8]) -> Option<Format> {
    let head = text_of(&document[..document.len().min(HEAD_BYTES)]);
    let head = head.trim_start_matches(['\u{feff}', '\u{fffd}']).trim_start();
    if head.starts_with('{') { json_format(document) } else { xml_format(head) }
}

/// JSON Feed says its version; a truncated document is no JSON at all.
fn json_format(document: &[u8]) -> Option<Format> {
    let document = document.strip_prefix(b"\xef\xbb\xbf").unwrap_or(document);
    let value: serde_json::Value = serde_json::from_slice(document).ok()?;
    let version = value.get("version")?.as_str()?;
    let is_feed = version.contains("jsonfeed.org/version/") && value.get("items")?.is_array();
    is_feed.then_some(Format::Json)
}

fn xml_format(head: &str) -> Option<Format> {
    let root = root_element(head)?;
    let local = root.rsplit(':').next().unwrap_or(root);
    match local {
        "rss" => Some(Format::Rss),
        "RDF" => Some(Format::Rdf),
        "feed" => Some(Format::Atom),
        _ => None,
    }
}

/// The name of the first element, past declarations, comments and the document type.
fn root_element(head: &str) -> Option<&str> {
    let mut rest = head;
    loop {
        rest = &rest[rest.find('<')?..];
        let end = if rest.starts_with("<?") {
            rest.find("?>")? + 2
        } else if rest.starts_with("<!--") {
            rest.find("-->")? + 3
        } else if rest.starts_with("<!") {
            end_of_doctype(rest)?
        } else {
            let name = &rest[1..];
            let length = name.find(|c: char| c.is_whitespace() || c == '>' || c == '/')?;
            return Some(&name[..length]);
        };
        rest = &rest[end..];
    }
}

/// A document type may hold declarations in brackets.
fn end_of_doctype(text: &str) -> Option<usize> {
    let mut depth = 0_i32;
    for (at, c) in text.char_indices() {
        match c {
            '[' => depth += 1,
            ']' => depth -= 1,
            '>' if depth == 0 => return Some(at + 1),
            _ => {}
        }
    }
    None
}

/// The document's beginning as text. Markup is ASCII in every encoding that feeds use; UTF-16 has
/// zero bytes between, and its byte order mark shows as replacement characters.
fn text_of(head: &[u8]) -> String {
    let bytes: Vec<u8> = head.iter().copied().filter(|byte| *byte != 0).collect();
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn feeds_are_recognised_by_their_root() {
        for (document, expected) in [
            ("<rss version=\"2.0\"><channel/></rss>", Format::Rss),
            ("\u{feff}<?xml version=\"1.0\"?>\n<rss/>", Format::Rss),
            ("<?xml version=\"1.0\"?><!-- <html> --><feed xmlns=\"x\"></feed>", Format::Atom),
            ("<atom:feed xmlns:atom=\"x\"></atom:feed>", Format::Atom),
            ("<rdf:RDF xmlns:rdf=\"x\"><channel/></rdf:RDF>", Format::Rdf),
            ("<!DOCTYPE rss [<!ENTITY nbsp \"&#160;\">]><rss>", Format::Rss),
            ("<?xml-stylesheet href=\"a.xsl\"?>\r\n<rss\n version='0.91'>", Format::Rss),
            (r#"{"version":"https://jsonfeed.org/version/1.1","items":[]}"#, Format::Json),
            (
                "\u{feff} {\"version\":\"https://jsonfeed.org/version/1\",\"items\":[]}",
                Format::Json,
            ),
        ] {
            assert_eq!(format(document.as_bytes()), Some(expected), "{document}");
        }
    }

    #[test]
    fn utf_16_is_read_in_both_orders() {
        let text = "<?xml version=\"1.0\" encoding=\"UTF-16\"?><rss version=\"2.0\"/>";
        let mut little: Vec<u8> = vec![0xff, 0xfe];
        let mut big: Vec<u8> = vec![0xfe, 0xff];
        little.extend(text.encode_utf16().flat_map(u16::to_le_bytes));
        big.extend(text.encode_utf16().flat_map(u16::to_be_bytes));
        assert_eq!(format(&little), Some(Format::Rss));
        assert_eq!(format(&big), Some(Format::Rss));
    }

    #[test]
    fn everything_else_is_no_feed() {
        for document in [
            "",
            "   ",
            "<",
            "<rss",
            "<html><body>rss</body></html>",
            "<!DOCTYPE html><html lang=en>",
            "<?xml version=\"1.0\"?><sitemapindex></sitemapindex>",
            "<!-- unfinished <rss>",
            "<!DOCTYPE rss [ <rss>",
            "{",
            "{}",
            r#"{"version":"1","items":[]}"#,
            r#"{"version":"https://jsonfeed.org/version/1.1"}"#,
            r#"{"version":"https://jsonfeed.org/version/1.1","items":["#,
            "Not found",
        ] {
            assert_eq!(format(document.as_bytes()), None, "{document}");
        }
        assert_eq!(format(&[0xff; 4096]), None);
        let late = format!("{}<rss/>", " ".repeat(HEAD_BYTES));
        assert_eq!(format(late.as_bytes()), None);
    }
}
