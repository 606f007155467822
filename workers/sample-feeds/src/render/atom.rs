//! Writes Atom 1.0, once with escaped HTML and absolute links, once with XHTML and relative ones.

use super::{declaration, element, escape, iso, newest, paragraph};
use crate::library::{Article, BASE_URL, Feed, Format};

pub fn write(feed: &Feed) -> String {
    let listing = &feed.listing;
    let xhtml = feed.format == Format::AtomXhtml;
    let base = if xhtml { format!(" xml:base=\"{BASE_URL}/\"") } else { String::new() };
    let mut out = declaration(feed);
    out.push_str(&format!(
        "<feed xmlns=\"http://www.w3.org/2005/Atom\" xml:lang=\"{}\"{base}>\n",
        escape(&listing.language)
    ));
    out.push_str(&element("id", &format!("tag:bitware.invalid,2026:{}", feed.slug)));
    out.push_str(&element("title", &listing.title));
    out.push_str(&element("subtitle", &listing.description));
    out.push_str(&element("updated", &iso(newest(feed))));
    out.push_str(&format!("<link rel=\"self\" href=\"{}\"/>\n", escape(&listing.url)));
    out.push_str(&format!("<link rel=\"alternate\" href=\"{}\"/>\n", escape(&listing.site_url)));
    for article in &feed.articles {
        out.push_str(&entry(article, xhtml));
    }
    out.push_str("</feed>\n");
    out
}

fn entry(article: &Article, xhtml: bool) -> String {
    let mut out = String::from("<entry>\n");
    out.push_str(&element("id", &format!("tag:bitware.invalid,2026:{}", article.id)));
    out.push_str(&element("title", &article.title));
    let href = if xhtml { format!("articles/{}", article.id) } else { article.url() };
    out.push_str(&format!("<link rel=\"alternate\" type=\"text/html\" href=\"{href}\"/>\n"));
    out.push_str(&element("published", &iso(article.published_at)));
    out.push_str(&element("updated", &iso(article.published_at)));
    out.push_str(&format!("<author>{}</author>\n", element("name", &article.author).trim_end()));
    for tag in &article.tags {
        out.push_str(&format!("<category term=\"{}\"/>\n", escape(tag)));
    }
    out.push_str(&element("summary", article.teaser()));
    let html = paragraph(&article.text);
    let (kind, content) = if xhtml {
        ("xhtml", format!("<div xmlns=\"http://www.w3.org/1999/xhtml\">{html}</div>"))
    } else {
        ("html", escape(&html))
    };
    out.push_str(&format!("<content type=\"{kind}\">{content}</content>\n"));
    out.push_str("</entry>\n");
    out
}
