//! Owns the catalogues that candidate sources come from: the librarian's and, for offline use, the
//! sample feeds'. Each is read and indexed once per isolate.

use std::sync::OnceLock;

use catalogue::Catalogue;

const CURATED: &str = include_str!("../../rss-librarian/catalogue.json");
const SAMPLES: &str = include_str!("../../sample-feeds/catalogue.json");

/// The sample feeds' catalogue when `offline`, else the curated one.
pub fn catalogue(offline: bool) -> &'static Catalogue {
    static INDEXED: [OnceLock<Catalogue>; 2] = [const { OnceLock::new() }; 2];
    let (at, text) = if offline { (1, SAMPLES) } else { (0, CURATED) };
    INDEXED[at].get_or_init(|| Catalogue::from_json(text).expect("a test reads both catalogues"))
}

#[cfg(test)]
mod tests {
    use super::catalogue;

    #[test]
    fn both_catalogues_can_be_read() {
        assert!(catalogue(false).feeds().len() >= 150);
        assert!(catalogue(true).feeds().len() >= 12);
    }
}
