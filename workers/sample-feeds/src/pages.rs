//! Owns the web pages behind the addresses of sites and articles, so that the links in a report
//! lead somewhere when this worker is reached by its local address.

use crate::library::{Article, Feed};

/// A site: its articles, newest first.
pub fn site(feed: &Feed) -> String {
    let listing = &feed.listing;
    let items: String = feed
        .articles
        .iter()
        .map(|article| {
            format!(
                "<li><a href=\"../articles/{}\">{}</a> <small>{}</small></li>\n",
                article.id,
                escape(&article.title),
                article.published_at.format("%Y-%m-%d"),
            )
        })
        .collect();
    page(
        &listing.language,
        &listing.title,
        &format!("<p>{}</p>\n<ul>\n{items}</ul>", escape(&listing.description)),
    )
}

/// An article.
pub fn article(feed: &Feed, article: &Article) -> String {
    page(
        &article.language,
        &article.title,
        &format!(
            "<p><small>{}, {}, <a href=\"../sites/{}\">{}</a></small></p>\n<p>{}</p>",
            escape(&article.author),
            article.published_at.format("%Y-%m-%d"),
            feed.slug,
            escape(&feed.listing.title),
            escape(&article.text),
        ),
    )
}

fn page(language: &str, title: &str, body: &str) -> String {
    let title = escape(title);
    format!(
        "<!doctype html>\n<html lang=\"{language}\"><meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width\"><title>{title}</title>\n\
         <style>{STYLE}</style>\n<h1>{title}</h1>\n{body}\n{NOTE}\n</html>\n"
    )
}

const STYLE: &str =
    "body{font:1.1rem/1.6 Georgia,serif;max-width:40rem;margin:3rem auto;padding:0 1rem}";
const NOTE: &str = "<p><small>A sample of Bitware Orchestrator. Organisations, people and figures \
                    are invented.</small></p>";

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
