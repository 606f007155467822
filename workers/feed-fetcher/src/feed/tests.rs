//! Documents of every format, sound and broken, in our own words.

use super::*;

fn read_text(text: &str) -> Result<Feed, Unreadable> {
    let url = Url::parse("https://feeds.example.com/blog/feed.xml").unwrap();
    read(text.as_bytes(), None, &url)
}

fn items(text: &str) -> Vec<Item> {
    read_text(text).unwrap().items
}

fn rss(items: &str) -> String {
    format!(
        "<rss version='2.0' xmlns:content='http://purl.org/rss/1.0/modules/content/'>\
         <channel><title>Birds</title><link>https://birds.example.org/home</link>\
         <language>en_GB</language>{items}</channel></rss>"
    )
}

#[test]
fn an_rss_item_is_read_in_full() {
    let feed = read_text(&rss("<item><title>Owls &amp;amp; larks</title><link>/owls</link>\
         <guid isPermaLink='false'>7</guid>\
         <description>&lt;p&gt;Short.&lt;/p&gt;</description><author>a@b.org (Ann Lee)</author>\
         <content:encoded><![CDATA[<p>Long text.</p><p>More &eacute;.</p>]]></content:encoded>\
         <pubDate>Mon, 05 Oct 2026 08:30:15 GMT</pubDate><source url='x'>The Wire</source></item>"))
    .unwrap();
    assert_eq!((feed.format.as_str(), feed.title.as_deref()), ("rss-2.0", Some("Birds")));
    assert_eq!(feed.site_url.as_deref(), Some("https://birds.example.org/home"));
    assert_eq!(feed.language.as_deref(), Some("en-GB"));
    let item = &feed.items[0];
    assert_eq!((item.title.as_str(), item.summary.as_str()), ("Owls & larks", "Short."));
    assert_eq!(item.url.as_deref(), Some("https://birds.example.org/owls"));
    assert_eq!(item.id.as_deref(), Some("7"));
    assert_eq!(item.content_text.as_deref(), Some("Long text.\nMore é."));
    assert_eq!(item.author.as_deref(), Some("Ann Lee"));
    assert_eq!(item.source_title.as_deref(), Some("The Wire"));
    assert_eq!(item.published_at_ms, Some(1_791_189_015_000));
}

#[test]
fn items_are_found_where_they_stand() {
    let rdf = "<rdf:RDF xmlns:rdf='http://www.w3.org/1999/02/22-rdf-syntax-ns#' \
               xmlns='http://purl.org/rss/1.0/' xmlns:dc='http://purl.org/dc/elements/1.1/'>\
               <channel rdf:about='https://x.org/'><title>C</title>\
               <link>https://x.org</link></channel>\
               <item rdf:about='https://x.org/1'><title>One</title><dc:date>2026-10-05</dc:date>\
               <dc:creator>Bo</dc:creator></item></rdf:RDF>";
    let feed = read_text(rdf).unwrap();
    assert_eq!(feed.format, "rss-1.0");
    assert_eq!(feed.items[0].url.as_deref(), Some("https://x.org/1"));
    assert_eq!(feed.items[0].author.as_deref(), Some("Bo"));
    let netscape = "<rdf:RDF xmlns:rdf='http://www.w3.org/1999/02/22-rdf-syntax-ns#' \
                    xmlns='http://my.netscape.com/rdf/simple/0.9/'>\
                    <channel><title>N</title></channel>\
                    <item><title>Old</title><link>https://n.org/1</link></item></rdf:RDF>";
    assert_eq!(read_text(netscape).unwrap().format, "rss-0.90");
    assert_eq!(
        items("<rss version='0.93'><item><title>stray</title></item></rss>")[0].title,
        "stray"
    );
    assert_eq!(items("<channel><item><title>bare</title></item></channel>")[0].title, "bare");
    assert_eq!(
        items("<rss><channel><items><item><title>deep</title></item></items></channel></rss>")
            .len(),
        1
    );
}

#[test]
fn the_best_address_of_an_item_is_found() {
    let url = |inside: &str| {
        items(&rss(&format!("<item><title>t</title>{inside}</item>")))[0].url.clone()
    };
    assert_eq!(
        url("<link></link><guid>https://x.org/g</guid>").as_deref(),
        Some("https://x.org/g")
    );
    assert_eq!(url("<guid isPermaLink='false'>https://x.org/g</guid>"), None);
    assert_eq!(url("<guid>12345</guid>"), None);
    assert_eq!(url("<link href='https://x.org/a'/>").as_deref(), Some("https://x.org/a"));
    assert_eq!(url("<atom:link rel='self' href='https://x.org/s'/>"), None);
    assert_eq!(url("<atom:link href='https://x.org/s'/>").as_deref(), Some("https://x.org/s"));
    assert_eq!(
        url("<enclosure url='/a.mp3'/>").as_deref(),
        Some("https://birds.example.org/a.mp3")
    );
    assert_eq!(
        url("<link>page.html</link>").as_deref(),
        Some("https://feeds.example.com/blog/page.html")
    );
    assert_eq!(url("<link>javascript:alert(1)</link>"), None);
    assert_eq!(
        url(
            "<link>https://p.org/1</link><feedburner:origLink>https://x.org/1</feedburner:origLink>"
        )
        .as_deref(),
        Some("https://x.org/1")
    );
}

#[test]
fn an_atom_entry_is_read_in_full() {
    let feed = read_text(
        "<feed xmlns='http://www.w3.org/2005/Atom' xml:lang='de' xml:base='https://x.org/b/'>\
         <title type='html'>A &amp;amp; B</title><link href='/'/>\
         <author><name>Chief</name></author>\
         <entry xml:lang='fr'><id>urn:1</id><title type='text'>a &lt;b> c</title>\
         <link rel='self' href='s'/><link rel='alternate' type='text/html' href='e/1'/>\
         <published>2026-10-05T08:30:15Z</published><updated>2026-11-01T00:00:00Z</updated>\
         <summary>S</summary><content type='xhtml'><div xmlns='http://www.w3.org/1999/xhtml'>\
         <p>One</p><p>Two <b>three</b></p></div></content></entry>\
         <entry><id>https://x.org/2</id><title>No link</title><updated>2026-10-06</updated>\
         <author><name>Own</name></author><source><title>Src</title></source></entry></feed>",
    )
    .unwrap();
    assert_eq!((feed.format.as_str(), feed.title.as_deref()), ("atom-1.0", Some("A & B")));
    assert_eq!(feed.site_url.as_deref(), Some("https://x.org/"));
    let first = &feed.items[0];
    assert_eq!(first.title, "a <b> c");
    assert_eq!(first.url.as_deref(), Some("https://x.org/b/e/1"));
    assert_eq!(first.content_text.as_deref(), Some("One\nTwo three"));
    assert_eq!((first.author.as_deref(), first.language.as_deref()), (Some("Chief"), Some("fr")));
    assert_eq!(first.published_at_ms, Some(1_791_189_015_000));
    let second = &feed.items[1];
    assert_eq!(
        (second.url.as_deref(), second.author.as_deref()),
        (Some("https://x.org/2"), Some("Own"))
    );
    assert_eq!(second.source_title.as_deref(), Some("Src"));
}

#[test]
fn atom_without_namespace_and_of_version_0_3_is_read() {
    let old = read_text(
        "<feed version='0.3' xmlns='http://purl.org/atom/ns#'><title>Old</title>\
         <entry><title>t</title><link rel='alternate' href='https://x.org/1'/>\
         <issued>2004-05-06T07:08:09Z</issued>\
         <content type='text/html' mode='escaped'>&lt;p&gt;x&lt;/p&gt;</content></entry></feed>",
    )
    .unwrap();
    assert_eq!((old.format.as_str(), old.items[0].summary.as_str()), ("atom-0.3", "x"));
    assert!(old.items[0].published_at_ms.is_some());
    let bare = items("<feed><entry><title>t</title><link href='https://x.org/1'/></entry></feed>");
    assert_eq!(bare[0].url.as_deref(), Some("https://x.org/1"));
    assert_eq!(
        items("<entry xmlns='http://www.w3.org/2005/Atom'><title>one</title></entry>").len(),
        1
    );
}

#[test]
fn a_json_feed_is_read_field_by_field() {
    let feed = read_text(
        r#"{"version":"https://jsonfeed.org/version/1.1","title":"J","home_page_url":"/",
        "language":"en","authors":[{"name":"Chief"}],"items":[
        {"id":1,"url":"a","title":"A &amp; B","content_html":"<p>x</p><p>y</p>","summary":"s",
         "date_published":"2026-10-05T08:30:15Z","authors":[{"name":"Own"}]},
        {"id":"https://x.org/2","content_text":"Plain words. More.","date_modified":"2026-10-06"},
        {"id":"3","title":7,"content_text":["odd"]}, "odd", null]}"#,
    )
    .unwrap();
    assert_eq!((feed.format.as_str(), feed.items.len()), ("json-feed-1.1", 2));
    let first = &feed.items[0];
    assert_eq!((first.id.as_deref(), first.title.as_str()), (Some("1"), "A & B"));
    assert_eq!(first.url.as_deref(), Some("https://feeds.example.com/blog/a"));
    assert_eq!((first.summary.as_str(), first.content_text.as_deref()), ("s", Some("x\ny")));
    assert_eq!(first.author.as_deref(), Some("Own"));
    let second = &feed.items[1];
    assert_eq!((second.title.as_str(), second.author.as_deref()), ("Plain words", Some("Chief")));
    assert_eq!(second.url.as_deref(), Some("https://x.org/2"));
    assert!(second.published_at_ms.is_some());
}

#[test]
fn what_is_no_feed_says_what_it_is() {
    for (text, expected) in [
        ("", Unreadable::Empty),
        ("  \n ", Unreadable::Empty),
        ("hello", Unreadable::NotAFeed),
        ("<!DOCTYPE html><html><body>404</body></html>", Unreadable::Html),
        ("<html xmlns='http://www.w3.org/1999/xhtml'/>", Unreadable::Html),
        ("<opml version='2.0'><body/></opml>", Unreadable::NotAFeed),
        ("<rdf><item><title>t</title></item></rdf>", Unreadable::NotAFeed),
        ("{}", Unreadable::NotAFeed),
        ("[1,2]", Unreadable::NotAFeed),
        ("{\"items\":[]}", Unreadable::NotAFeed),
        ("{\"version\":\"https://jsonfeed.org/version/1\",\"items\":[", Unreadable::Malformed),
        ("<rss version='2.0'><channel><title>cut", Unreadable::Malformed),
        ("<rss version='2.0'><channel><item><title>cut</title>", Unreadable::Malformed),
    ] {
        assert_eq!(read_text(text).err(), Some(expected), "{text}");
    }
}

#[test]
fn a_document_that_breaks_off_yields_its_whole_items() {
    let feed = read_text(
        "<rss version='2.0'><channel><item><title>1</title></item><item><title>2</title></item>\
         <item><title>3</ti",
    )
    .unwrap();
    assert!(!feed.complete);
    assert_eq!(feed.items.iter().map(|item| item.title.as_str()).collect::<Vec<_>>(), ["1", "2"]);
}

#[test]
fn an_empty_feed_is_a_feed() {
    let feed =
        read_text("<rss version='2.0'><channel><title>Empty</title></channel></rss>").unwrap();
    assert!(feed.complete && feed.items.is_empty());
}

#[test]
fn the_number_of_items_is_bounded() {
    let many = "<item><title>t</title></item>".repeat(model::ITEMS_MAX + 50);
    assert_eq!(items(&rss(&many)).len(), model::ITEMS_MAX);
}

#[test]
fn dates_that_cannot_be_read_are_none() {
    let item = &items(&rss("<item><title>t</title><pubDate>soon</pubDate></item>"))[0];
    assert_eq!(item.published_at_ms, None);
}
