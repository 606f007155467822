//! Pages as they are found in the world, against the feeds that a person would find in them.

use topic_researcher::discover::{Page, read};
use url::Url;

fn page(html: &str) -> Page {
    let address = Url::parse("https://site.example/blog/index.html").expect("a URL");
    read(html, &address)
}

fn urls(html: &str) -> Vec<String> {
    page(html).feeds.into_iter().map(|link| link.url.to_string()).collect()
}

#[test]
fn a_blog_names_its_feed_and_its_feed_of_comments_is_left_out() {
    let page = page(include_str!("pages/blog.html"));
    assert_eq!(page.title, "Tidal Notes — power from the sea");
    assert_eq!(page.feeds.len(), 1);
    assert_eq!(page.feeds[0].url.as_str(), "https://tidal.example/feed/");
    assert_eq!(page.feeds[0].title, "Tidal Notes » Feed");
}

#[test]
fn a_feed_of_comments_is_better_than_none() {
    let html = r#"<link rel="alternate" type="application/rss+xml" href="/comments/feed/">"#;
    assert_eq!(urls(html), ["https://site.example/comments/feed/"]);
}

#[test]
fn old_markup_bare_attributes_and_a_base_are_understood() {
    let page = page(include_str!("pages/shouting.html"));
    let found: Vec<(&str, &str)> =
        page.feeds.iter().map(|link| (link.url.as_str(), link.title.as_str())).collect();
    assert_eq!(
        found,
        [
            ("https://static.example/root/news.atom", ""),
            ("https://cdn.example/feed.json?a=1&b=2", "Json"),
        ]
    );
}

#[test]
fn what_only_looks_like_a_link_is_passed_over() {
    assert_eq!(urls(include_str!("pages/traps.html")), ["https://site.example/real.xml"]);
}

#[test]
fn relative_addresses_resolve_against_the_page() {
    let link = |href: &str| {
        urls(&format!("<link rel=alternate type=application/atom+xml href=\"{href}\">"))
    };
    assert_eq!(link("feed.xml"), ["https://site.example/blog/feed.xml"]);
    assert_eq!(link("../feed.xml"), ["https://site.example/feed.xml"]);
    assert_eq!(link(" /feed.xml "), ["https://site.example/feed.xml"]);
    assert_eq!(link("?feed=rss2"), ["https://site.example/blog/index.html?feed=rss2"]);
    assert_eq!(link("http://["), [] as [&str; 0]);
}

#[test]
fn a_page_full_of_links_is_bounded() {
    let html: String = (0..500)
        .map(|n| format!("<link rel=alternate type=application/rss+xml href=/f{n}.xml>"))
        .collect();
    assert_eq!(urls(&html).len(), 10);
    let title = format!("<title>{}</title>", "x".repeat(10_000));
    assert_eq!(page(&title).title.len(), 200);
}

#[test]
fn broken_markup_ends_and_finds_what_can_be_found() {
    for html in [
        "",
        "<",
        "<link",
        "<link rel",
        "<link rel=",
        "<link rel='alternate",
        "<!-- never closed <link rel=alternate type=application/rss+xml href=/f>",
        "<script>never closed <link rel=alternate type=application/rss+xml href=/f>",
        "<link = = = >",
        "<é><link/é>",
        "&#x110000;&#99999999999;&;&amp",
        "<title>\u{0}",
    ] {
        assert!(urls(html).is_empty(), "{html}");
    }
    let late = "<link rel=alternate <link rel='alternate' type=application/rss+xml href='/f.xml";
    assert_eq!(urls(late), ["https://site.example/f.xml"]);
    // A million unfinished tags must not take a million times their length.
    assert!(urls(&"<a ".repeat(1_000_000)).is_empty());
    assert!(urls(&"<!--".repeat(100_000)).is_empty());
    assert!(urls(&"&".repeat(100_000)).is_empty());
    assert!(page(&format!("<title>{}", "&".repeat(300_000))).title.starts_with('&'));
}
