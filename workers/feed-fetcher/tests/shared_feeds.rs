//! Reads a collection of real documents, when it lies beside the workspace, and compares what we
//! read with what a published library reads.

use std::path::{Path, PathBuf};

use feed_fetcher::feed::{self, Feed, Unreadable};
use url::Url;

/// The documents that are no whole feed, and what is wrong with them.
const BROKEN: &[(&str, Unreadable)] = &[
    // Breaks off inside the channel, before any item.
    ("rss_2.0_invalid_1.xml", Unreadable::Malformed),
    // Well-formed, but `<rdf>` without any namespace, made to try the XML layer.
    ("xml_iso8859.xml", Unreadable::NotAFeed),
    // Catalogues of books.
    ("xml_sample_1.xml", Unreadable::NotAFeed),
    ("xml_sample_2.xml", Unreadable::NotAFeed),
    // Not a document of the collection, and no feed either.
    ("README.md", Unreadable::NotAFeed),
];

/// Documents with items that name no address at all, though the documents are sound.
const WITHOUT_LINK: &[&str] = &[
    "atom_entry_1.xml",
    "atom_example_7.xml",
    "atom_pub_spec_1.xml",
    "rss_0.91_missing_id.xml",
    "rss_0.92_spec_1.xml",
];

fn documents() -> Option<Vec<PathBuf>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/feeds");
    let Ok(entries) = std::fs::read_dir(&folder) else {
        println!("skipped: the collection of feed documents is not beside the workspace");
        return None;
    };
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    Some(paths)
}

fn name(path: &Path) -> &str {
    path.file_name().and_then(|name| name.to_str()).expect("a listed file has a name")
}

fn read(path: &Path) -> (Vec<u8>, Result<Feed, Unreadable>) {
    let bytes = std::fs::read(path).expect("a listed file can be read");
    let url = Url::parse("https://feeds.example.com/feed.xml").expect("a constant URL");
    let feed = feed::read(&bytes, None, &url);
    (bytes, feed)
}

#[test]
fn sound_documents_yield_their_items_and_broken_ones_their_error() {
    let Some(paths) = documents() else { return };
    let mut sound = 0;
    for path in &paths {
        let (_, result) = read(path);
        let expected = BROKEN.iter().find(|(broken, _)| *broken == name(path));
        match (expected, result) {
            (Some((_, expected)), result) => {
                assert_eq!(result.err(), Some(*expected), "{}", name(path));
            }
            (None, Ok(feed)) => {
                check(name(path), &feed);
                sound += 1;
            }
            (None, Err(unreadable)) => panic!("{}: {unreadable}", name(path)),
        }
    }
    assert_eq!(sound + BROKEN.len(), paths.len());
    println!("{sound} documents read, {} refused", BROKEN.len());
}

fn check(name: &str, feed: &Feed) {
    assert!(feed.complete, "{name} is whole");
    assert!(!feed.items.is_empty(), "{name} has items");
    for item in &feed.items {
        assert!(!item.title.is_empty(), "{name}: a title");
        assert!(
            !item.title.contains("&amp;") && !item.title.contains("</"),
            "{name}: {}",
            item.title
        );
        assert!(item.url.is_some() || WITHOUT_LINK.contains(&name), "{name}: {}", item.title);
        assert!(!item.summary.contains("</"), "{name}: {}", item.summary);
        for text in [&item.title, &item.summary] {
            assert!(!text.contains('\u{fffd}'), "{name}: undecodable text: {text}");
        }
    }
}

#[test]
fn a_published_library_finds_the_same_items_titles_links_and_dates() {
    let Some(paths) = documents() else { return };
    let mut compared = 0;
    let mut ours_alone = 0;
    for path in &paths {
        let (bytes, ours) = read(path);
        let parser = feed_rs::parser::Builder::new()
            .base_uri(Some("https://feeds.example.com/feed.xml"))
            .build();
        let (Ok(ours), Ok(theirs)) = (ours, parser.parse(bytes.as_slice())) else { continue };
        assert_eq!(ours.items.len(), theirs.entries.len(), "{}: items", name(path));
        for (item, entry) in ours.items.iter().zip(&theirs.entries) {
            compared += 1;
            let dates: Vec<i64> = [entry.published, entry.updated]
                .into_iter()
                .flatten()
                .map(|date| date.timestamp_millis())
                .collect();
            match item.published_at_ms {
                // We read some dates that the library does not, such as those without seconds.
                Some(_) if dates.is_empty() => ours_alone += 1,
                Some(ms) => assert!(dates.contains(&ms), "{}: {ms} {dates:?}", name(path)),
                None => assert!(dates.is_empty(), "{}: {dates:?}", name(path)),
            }
            if let Some(title) = &entry.title {
                assert_eq!(letters(&item.title), letters(&title.content), "{}", name(path));
            }
            // Where FeedBurner names the original address, we prefer it to the one that counts
            // clicks.
            let rerouted = String::from_utf8_lossy(&bytes).contains("origLink>");
            if let (Some(url), Some(link), false) = (&item.url, entry.links.first(), rerouted) {
                let known = entry.links.iter().any(|l| same(url, &l.href)) || same(url, &entry.id);
                assert!(known, "{}: {url} is not {}", name(path), link.href);
            }
        }
    }
    assert!(compared > 60, "only {compared} items were compared");
    println!("{compared} items compared, {ours_alone} with a date that we alone read");
}

#[test]
fn no_damage_to_a_document_brings_the_reader_down() {
    const DAMAGES_PER_DOCUMENT: usize = 200;
    let Some(paths) = documents() else { return };
    let url = Url::parse("https://feeds.example.com/feed.xml").expect("a constant URL");
    // A linear congruential generator (Knuth's MMIX): the same damages each time.
    let mut state: u64 = 2026;
    let mut next = |below: usize| {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below
    };
    const SPLINTERS: [&[u8]; 12] = [
        b"<",
        b">",
        b"&",
        b"&#x",
        b"]]>",
        b"<![CDATA[",
        b"<!--",
        b"</item>",
        b"\"",
        b"\xff",
        b"\0",
        b"\xe2\x80",
    ];
    let mut damaged = 0;
    for path in &paths {
        let whole = std::fs::read(path).expect("a listed file can be read");
        let whole = &whole[..whole.len().min(6_000)];
        for _ in 0..DAMAGES_PER_DOCUMENT {
            let mut bytes = whole[..1 + next(whole.len())].to_vec();
            for _ in 0..1 + next(4) {
                let at = next(bytes.len());
                bytes.splice(at..at, SPLINTERS[next(SPLINTERS.len())].iter().copied());
            }
            if let Ok(feed) = feed::read(&bytes, None, &url) {
                assert!(feed.items.iter().all(|item| !item.title.is_empty()), "{}", name(path));
            }
            damaged += 1;
        }
    }
    println!("{damaged} damaged documents read");
}

/// Letters and digits alone, markup and references taken out: what both readers must agree on.
fn letters(text: &str) -> String {
    let plain = feed_fetcher::text::one_line(text);
    plain.chars().filter(|c| c.is_alphanumeric()).collect()
}

fn same(ours: &str, theirs: &str) -> bool {
    let parsed =
        |text: &str| Url::parse(text.trim()).map(|url| feed_fetcher::links::key(&url)).ok();
    parsed(ours) == parsed(theirs)
}
