//! Writes RSS 1.0.

use super::{declaration, element, escape, iso};
use crate::library::Feed;

pub fn write(feed: &Feed) -> String {
    let listing = &feed.listing;
    let mut out = declaration(feed);
    out.push_str(
        "<rdf:RDF xmlns:rdf=\"http://www.w3.org/1999/02/22-rdf-syntax-ns#\" \
         xmlns=\"http://purl.org/rss/1.0/\" xmlns:dc=\"http://purl.org/dc/elements/1.1/\">\n",
    );
    out.push_str(&format!("<channel rdf:about=\"{}\">\n", escape(&listing.url)));
    out.push_str(&element("title", &listing.title));
    out.push_str(&element("link", &listing.site_url));
    out.push_str(&element("description", &listing.description));
    out.push_str(&element("dc:language", &listing.language));
    out.push_str("<items>\n<rdf:Seq>\n");
    for article in &feed.articles {
        out.push_str(&format!("<rdf:li rdf:resource=\"{}\"/>\n", escape(&article.url())));
    }
    out.push_str("</rdf:Seq>\n</items>\n</channel>\n");
    for article in &feed.articles {
        out.push_str(&format!("<item rdf:about=\"{}\">\n", escape(&article.url())));
        out.push_str(&element("title", &article.title));
        out.push_str(&element("link", &article.url()));
        out.push_str(&element("description", &article.text));
        out.push_str(&element("dc:creator", &article.author));
        out.push_str(&element("dc:date", &iso(article.published_at)));
        out.extend(article.tags.iter().map(|tag| element("dc:subject", tag)));
        out.push_str("</item>\n");
    }
    out.push_str("</rdf:RDF>\n");
    out
}
