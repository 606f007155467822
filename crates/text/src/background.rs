//! How common a word is in general news prose: the share of articles that contain it, by its stem.
//! A prior, so that a handful of articles, or one, can be scored as if they stood among many. The
//! shares are rounded bands judged by hand, not counts of any corpus.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use crate::{fold, stem};

/// The share of articles that contain a word which the list does not name.
pub const UNLISTED_SHARE: f64 = 0.004;

/// The share of general news articles (0..1) that contain the stem.
pub fn document_share(stem: &str) -> f64 {
    static SHARES: OnceLock<BTreeMap<String, f64>> = OnceLock::new();
    *SHARES.get_or_init(parse).get(stem).unwrap_or(&UNLISTED_SHARE)
}

/// Lines of `share: word word …`; a word that two lines name keeps its larger share.
fn parse() -> BTreeMap<String, f64> {
    let mut shares = BTreeMap::new();
    for line in include_str!("../data/background_en.txt").lines() {
        let Some((share, words)) = line.split_once(':') else { continue };
        let share: f64 = share.trim().parse().expect("the list is part of the crate");
        for word in words.split_ascii_whitespace() {
            let entry = shares.entry(stem::english(&fold(word))).or_insert(share);
            *entry = share.max(*entry);
        }
    }
    shares
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn common_words_are_common_and_rare_words_rare() {
        let share = |word: &str| document_share(&stem::english(word));
        assert!(share("year") > share("company"));
        assert!(share("company") > share("climate"));
        assert!(share("climate") > share("qubit"));
        assert_eq!(share("qubit"), UNLISTED_SHARE);
    }

    #[test]
    fn the_list_is_large_and_its_shares_are_shares() {
        let shares = parse();
        assert!(shares.len() >= 800, "{}", shares.len());
        assert!(shares.values().all(|share| (0.004..0.6).contains(share)));
    }
}
