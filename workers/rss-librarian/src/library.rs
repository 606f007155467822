//! Owns the catalogues: the curated one and, for offline use, the sample feeds'. Each is read and
//! indexed once per isolate.

use std::sync::OnceLock;

use catalogue::Catalogue;

/// The curated catalogue of public feeds.
pub const CURATED: &str = include_str!("../catalogue.json");
/// The sample feeds.
pub const SAMPLES: &str = include_str!("../../sample-feeds/catalogue.json");

/// The sample feeds' catalogue when `offline`, else the curated one.
pub fn catalogue(offline: bool) -> &'static Catalogue {
    static INDEXED: [OnceLock<Catalogue>; 2] = [const { OnceLock::new() }; 2];
    let (at, text) = if offline { (1, SAMPLES) } else { (0, CURATED) };
    INDEXED[at].get_or_init(|| Catalogue::from_json(text).expect("a test reads both catalogues"))
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;

    const FEEDS_MIN: usize = 150;
    const CATEGORIES_MIN: usize = 12;

    #[test]
    fn the_curated_catalogue_is_large_varied_and_says_where_it_comes_from() {
        let feeds = catalogue(false).feeds();
        assert!(feeds.len() >= FEEDS_MIN, "{}", feeds.len());
        let mut categories: BTreeMap<&str, usize> = BTreeMap::new();
        for feed in feeds {
            *categories.entry(&feed.category).or_default() += 1;
            let source = feed.source.as_deref().unwrap_or_default();
            assert!(source.split('/').filter(|part| !part.is_empty()).count() == 2, "{}", feed.url);
            assert!((5..=10).contains(&feed.keywords.len()), "{}", feed.url);
            assert!(feed.lists >= 1, "{}", feed.url);
        }
        assert!(categories.len() >= CATEGORIES_MIN, "{categories:?}");
        assert!(categories.values().all(|&count| count >= 5), "{categories:?}");
    }

    #[test]
    fn every_curated_feed_can_be_called_and_stands_once() {
        let feeds = catalogue(false).feeds();
        for feed in feeds {
            for url in [&feed.url, &feed.site_url] {
                assert!(worker_kit::ssrf::check(url, false).is_ok(), "{url}");
            }
        }
        let bare = |url: &str| {
            let rest = url.trim_start_matches("https://").trim_start_matches("http://");
            rest.trim_start_matches("www.").trim_end_matches('/').to_lowercase()
        };
        let urls: BTreeSet<String> = feeds.iter().map(|feed| bare(&feed.url)).collect();
        assert_eq!(urls.len(), feeds.len(), "two spellings of one URL");
        let titles: BTreeSet<&str> = feeds.iter().map(|feed| feed.title.as_str()).collect();
        assert_eq!(titles.len(), feeds.len(), "two feeds of one name");
    }

    #[test]
    fn offline_offers_sample_feeds_alone() {
        let feeds = catalogue(true).feeds();
        assert!(feeds.len() >= 12);
        assert!(feeds.iter().all(|feed| feed.host() == "sample-feeds.bitware.invalid"));
    }
}
