//! Writes RSS 0.91, 0.92 and 2.0.

use super::{declaration, element, escape, paragraph};
use crate::library::{Article, Feed, Format};

pub fn write(feed: &Feed) -> String {
    let (version, namespaces) = match (is_newest(feed.format), feed.format == Format::Rss091) {
        (true, _) => ("2.0", NAMESPACES),
        (false, true) => ("0.91", ""),
        (false, false) => ("0.92", ""),
    };
    let listing = &feed.listing;
    let mut out = declaration(feed);
    out.push_str(&format!("<rss version=\"{version}\"{namespaces}>\n<channel>\n"));
    out.push_str(&element("title", &listing.title));
    out.push_str(&element("link", &listing.site_url));
    out.push_str(&element("description", &listing.description));
    out.push_str(&element("language", &listing.language));
    if is_newest(feed.format) {
        let href = escape(&listing.url);
        out.push_str(&format!("<atom:link rel=\"self\" href=\"{href}\"/>\n"));
        out.push_str(&element("lastBuildDate", &super::newest(feed).to_rfc2822()));
    }
    for article in &feed.articles {
        out.push_str(&item(feed.format, article));
    }
    out.push_str("</channel>\n</rss>\n");
    out
}

const NAMESPACES: &str = " xmlns:content=\"http://purl.org/rss/1.0/modules/content/\" \
     xmlns:dc=\"http://purl.org/dc/elements/1.1/\" xmlns:atom=\"http://www.w3.org/2005/Atom\"";

fn is_newest(format: Format) -> bool {
    matches!(format, Format::Rss2 | Format::Rss2Content)
}

fn item(format: Format, article: &Article) -> String {
    let mut out = String::from("<item>\n");
    out.push_str(&element("title", &article.title));
    out.push_str(&element("link", &article.url()));
    if format == Format::Rss2Content {
        out.push_str(&element("description", article.teaser()));
        let html = paragraph(&article.text);
        out.push_str(&format!("<content:encoded><![CDATA[{html}]]></content:encoded>\n"));
    } else if is_newest(format) {
        out.push_str(&element("description", &paragraph(&article.text)));
    } else {
        out.push_str(&element("description", &article.text));
    }
    // Not of the oldest versions, but they were written so all the same.
    out.push_str(&element("pubDate", &article.published_at.to_rfc2822()));
    if is_newest(format) {
        out.push_str(&element("dc:creator", &article.author));
        let id = &article.id;
        out.push_str(&format!("<guid isPermaLink=\"false\">{id}</guid>\n"));
    }
    if format != Format::Rss091 {
        out.extend(article.tags.iter().map(|tag| element("category", tag)));
    }
    out.push_str("</item>\n");
    out
}
