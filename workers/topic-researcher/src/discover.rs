//! Owns the reading of a page for the feeds that it names:
//! `<link rel="alternate" type="application/rss+xml" href="…">` and its kin. It reads any HTML,
//! broken or hostile, without building a document. Pure.

use url::Url;

/// No more feeds are taken from one page.
const FEEDS_MAX: usize = 10;
/// No more attributes are read of one tag.
const ATTRIBUTES_MAX: usize = 32;
/// No more of a title is kept, in characters.
const TITLE_CHARS_MAX: usize = 200;
const TYPES: [&str; 4] =
    ["application/rss+xml", "application/atom+xml", "application/feed+json", "application/rdf+xml"];
/// The longest character reference that is looked for.
const REFERENCE_BYTES_MAX: usize = 10;
/// Elements whose content is no markup.
const RAW: [&str; 4] = ["script", "style", "noscript", "textarea"];

/// A feed that a page names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// Absolute.
    pub url: Url,
    /// As the page calls it; empty when it does not.
    pub title: String,
}

/// What a page says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// Its title; empty when it has none.
    pub title: String,
    /// The feeds that it names, in its order. A feed of comments stands only where no other does.
    pub feeds: Vec<Link>,
}

/// Reads a page that was fetched from `address`.
pub fn read(html: &str, address: &Url) -> Page {
    let mut page = Page::default();
    let mut base = address.clone();
    let mut rest = html;
    while let Some((tag, after)) = next_tag(rest) {
        rest = after;
        match tag.name.as_str() {
            "base" => {
                if let Some(href) = tag.value("href").and_then(|href| address.join(&href).ok()) {
                    base = href;
                }
            }
            "title" if page.title.is_empty() => page.title = title_text(rest),
            "link" if page.feeds.len() < FEEDS_MAX => {
                let link = feed_link(&tag, &base);
                page.feeds.extend(link.filter(|new| page.feeds.iter().all(|l| l.url != new.url)));
            }
            name if RAW.contains(&name) => rest = after_raw(rest, name),
            _ => {}
        }
    }
    if page.feeds.iter().any(|link| !is_of_comments(link)) {
        page.feeds.retain(|link| !is_of_comments(link));
    }
    page
}

fn feed_link(tag: &Tag<'_>, base: &Url) -> Option<Link> {
    let rel = tag.value("rel")?.to_ascii_lowercase();
    if !rel.split_ascii_whitespace().any(|word| word == "alternate") {
        return None;
    }
    let kind = tag.value("type")?.to_ascii_lowercase();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    if !TYPES.contains(&kind) {
        return None;
    }
    let mut url = base.join(tag.value("href")?.trim()).ok()?;
    url.set_fragment(None);
    let is_web = matches!(url.scheme(), "http" | "https") && url.host().is_some();
    let title = one_line(&tag.value("title").unwrap_or_default());
    is_web.then_some(Link { url, title })
}

fn is_of_comments(link: &Link) -> bool {
    let path = link.url.path().to_ascii_lowercase();
    path.contains("/comments/") || link.title.to_ascii_lowercase().contains("comments feed")
}

struct Tag<'h> {
    name: String,
    attributes: Vec<(String, &'h str)>,
}

impl Tag<'_> {
    /// The first attribute of that name, its character references resolved.
    fn value(&self, name: &str) -> Option<String> {
        self.attributes.iter().find(|(known, _)| known == name).map(|(_, value)| resolved(value))
    }
}

/// The next start tag and what follows it. Comments, declarations and end tags are passed over.
fn next_tag(html: &str) -> Option<(Tag<'_>, &str)> {
    let mut rest = html;
    loop {
        rest = &rest[rest.find('<')? + 1..];
        if let Some(comment) = rest.strip_prefix("!--") {
            rest = comment.find("-->").map(|end| &comment[end + 3..])?;
        } else if rest.starts_with(|c: char| c.is_ascii_alphabetic()) {
            let end = rest.find(|c: char| c.is_ascii_whitespace() || c == '>' || c == '/');
            let (name, after) = rest.split_at(end.unwrap_or(rest.len()));
            let (attributes, after) = attributes(after);
            return Some((Tag { name: name.to_ascii_lowercase(), attributes }, after));
        }
    }
}

/// The attributes up to the tag's end, and what follows it.
fn attributes(html: &str) -> (Vec<(String, &str)>, &str) {
    let mut attributes = Vec::new();
    let mut rest = html;
    loop {
        rest = rest.trim_start_matches(|c: char| c.is_ascii_whitespace() || c == '/');
        if rest.is_empty() {
            return (attributes, rest);
        }
        if let Some(after) = rest.strip_prefix('>') {
            return (attributes, after);
        }
        // A stray `=` at the beginning belongs to the name, as in the HTML standard.
        let ends = |c: char| c.is_ascii_whitespace() || matches!(c, '>' | '/' | '=');
        let first = rest.chars().next().map_or(0, char::len_utf8);
        let end = rest[first..].find(ends).map_or(rest.len(), |at| at + first);
        let (name, after) = rest.split_at(end);
        let (value, after) = value(after);
        rest = after;
        if attributes.len() < ATTRIBUTES_MAX {
            attributes.push((name.to_ascii_lowercase(), value));
        }
    }
}

fn value(html: &str) -> (&str, &str) {
    let Some(rest) = html.trim_ascii_start().strip_prefix('=') else { return ("", html) };
    let rest = rest.trim_ascii_start();
    for quote in ['"', '\''] {
        if let Some(quoted) = rest.strip_prefix(quote) {
            let end = quoted.find(quote).unwrap_or(quoted.len());
            return (&quoted[..end], quoted.get(end + 1..).unwrap_or_default());
        }
    }
    let end = rest.find(|c: char| c.is_ascii_whitespace() || c == '>').unwrap_or(rest.len());
    rest.split_at(end)
}

/// What follows the end tag of an element whose content is no markup.
fn after_raw<'h>(html: &'h str, name: &str) -> &'h str {
    let mut rest = html;
    while let Some(at) = rest.find("</") {
        rest = &rest[at + 2..];
        if rest.get(..name.len()).is_some_and(|found| found.eq_ignore_ascii_case(name)) {
            return rest;
        }
    }
    ""
}

fn title_text(html: &str) -> String {
    one_line(&resolved(html.split('<').next().unwrap_or_default()))
}

fn one_line(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    words.join(" ").chars().take(TITLE_CHARS_MAX).collect()
}

/// Character references that addresses and titles use; others stay as they are.
fn resolved(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        plain.push_str(&rest[..at]);
        rest = &rest[at..];
        let near = rest[1..].bytes().take(REFERENCE_BYTES_MAX).position(|byte| byte == b';');
        let name = near.map(|end| &rest[1..=end]);
        let reference = name.and_then(|name| Some((name, named(name)?)));
        match reference {
            Some((name, c)) => {
                plain.push(c);
                rest = &rest[name.len() + 2..];
            }
            None => {
                plain.push('&');
                rest = &rest[1..];
            }
        }
    }
    plain.push_str(rest);
    plain
}

fn named(name: &str) -> Option<char> {
    let code = match name {
        "amp" => return Some('&'),
        "quot" => return Some('"'),
        "apos" => return Some('\''),
        "lt" => return Some('<'),
        "gt" => return Some('>'),
        "nbsp" => return Some(' '),
        "raquo" => return Some('»'),
        "ndash" => return Some('–'),
        "mdash" => return Some('—'),
        _ => name.strip_prefix('#')?,
    };
    let number = match code.strip_prefix(['x', 'X']) {
        Some(hex) => u32::from_str_radix(hex, 16).ok()?,
        None => code.parse().ok()?,
    };
    char::from_u32(number)
}
