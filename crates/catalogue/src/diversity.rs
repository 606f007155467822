//! Owns the choice of candidates that are good and unlike each other: maximal marginal relevance
//! (Carbonell, Goldstein, 1998). It must not know where scores come from.

use std::collections::BTreeSet;

use crate::feed::Feed;
use crate::words::stems;

const KEYWORDS_SHARE: f64 = 0.5;
const CATEGORY_SHARE: f64 = 0.2;
const SITE_SHARE: f64 = 0.3;

/// A feed with the score that a caller gave it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Candidate {
    /// Its place among the feeds.
    pub feed: usize,
    /// Higher is better.
    pub score: f64,
}

/// What of a feed is compared.
#[derive(Debug)]
pub(crate) struct Profile {
    keywords: BTreeSet<String>,
    category: String,
    host: String,
}

impl Profile {
    pub(crate) fn of(feed: &Feed) -> Profile {
        Profile {
            keywords: feed.keywords.iter().flat_map(|keyword| stems(keyword)).collect(),
            category: feed.category.clone(),
            host: feed.host().to_owned(),
        }
    }

    /// How alike two feeds are, 0..1: shared keywords, category and site.
    pub(crate) fn similarity(&self, other: &Profile) -> f64 {
        let shared = self.keywords.intersection(&other.keywords).count();
        let all = (self.keywords.len() + other.keywords.len() - shared).max(1);
        let same_category = f64::from(u8::from(self.category == other.category));
        let same_site = f64::from(u8::from(!self.host.is_empty() && self.host == other.host));
        KEYWORDS_SHARE * shared as f64 / all as f64
            + CATEGORY_SHARE * same_category
            + SITE_SHARE * same_site
    }
}

/// Up to `count` candidates, one after the other: each time the one with the best balance of its
/// score and its likeness to what is already `taken` or chosen. `score_share`, 0..1, says how much
/// the score counts in that balance. Equal ones stay in their order.
pub(crate) fn select(
    profiles: &[Profile],
    candidates: &[Candidate],
    taken: &[usize],
    count: usize,
    score_share: f64,
) -> Vec<Candidate> {
    let likeness_to = |feed: usize, others: &[usize]| {
        let alike = others.iter().map(|&other| profiles[feed].similarity(&profiles[other]));
        alike.fold(0.0, f64::max)
    };
    let mut left: Vec<(Candidate, f64)> = candidates
        .iter()
        .filter(|candidate| !taken.contains(&candidate.feed))
        .map(|candidate| (*candidate, likeness_to(candidate.feed, taken)))
        .collect();
    let value = |(candidate, likeness): &(Candidate, f64)| {
        score_share * candidate.score - (1.0 - score_share) * likeness
    };
    let mut chosen: Vec<Candidate> = Vec::new();
    while chosen.len() < count && !left.is_empty() {
        let best = (1..left.len())
            .fold(0, |best, at| if value(&left[at]) > value(&left[best]) { at } else { best });
        let (candidate, _) = left.remove(best);
        for (other, likeness) in &mut left {
            *likeness = likeness.max(likeness_to(other.feed, &[candidate.feed]));
        }
        chosen.push(candidate);
    }
    chosen
}

#[cfg(test)]
mod tests {
    use super::*;

    fn feed(site: &str, category: &str, keywords: &[&str]) -> Feed {
        Feed {
            url: format!("https://{site}/{}", keywords.join("-")),
            title: "t".into(),
            site_url: format!("https://{site}/"),
            category: category.into(),
            language: "en".into(),
            keywords: keywords.iter().map(|&word| word.to_owned()).collect(),
            description: "d".into(),
            source: None,
            lists: 1,
        }
    }

    fn feeds() -> Vec<Feed> {
        vec![
            feed("a.org", "energy", &["solar", "wind"]),
            feed("a.org", "energy", &["solar", "wind", "grid"]),
            feed("b.org", "climate", &["forests"]),
        ]
    }

    fn choose(count: usize, score_share: f64, taken: &[usize]) -> Vec<usize> {
        let candidates =
            [(0, 0.9), (1, 0.8), (2, 0.5)].map(|(feed, score)| Candidate { feed, score });
        let profiles: Vec<Profile> = feeds().iter().map(Profile::of).collect();
        select(&profiles, &candidates, taken, count, score_share)
            .iter()
            .map(|candidate| candidate.feed)
            .collect()
    }

    #[test]
    fn likeness_counts_keywords_category_and_site() {
        let profiles: Vec<Profile> = feeds().iter().map(Profile::of).collect();
        let alike = |one: usize, other: usize| profiles[one].similarity(&profiles[other]);
        assert!((alike(0, 0) - 1.0).abs() < 1e-9);
        assert!((alike(0, 1) - (0.5 * 2.0 / 3.0 + 0.5)).abs() < 1e-9);
        assert_eq!(alike(0, 2), 0.0);
    }

    #[test]
    fn score_alone_keeps_the_order_and_diversity_changes_it() {
        assert_eq!(choose(3, 1.0, &[]), [0, 1, 2]);
        assert_eq!(choose(3, 0.6, &[]), [0, 2, 1]);
    }

    #[test]
    fn what_is_taken_is_not_chosen_again_but_counts_as_seen() {
        assert_eq!(choose(1, 0.6, &[0]), [2]);
        assert_eq!(choose(9, 0.6, &[0, 1, 2]), [] as [usize; 0]);
        assert_eq!(choose(0, 0.6, &[]), [] as [usize; 0]);
    }
}
