//! Ranking over a catalogue of feeds: which of them are about a topic, and how much. The librarian
//! and the researcher share it, each with its own catalogue and its own use of the scores.
//!
//! Pure: catalogues are passed in as text; no I/O, no clock, no randomness. The same catalogue and
//! topic always give the same order. It must not know workers, health or HTTP.

#![forbid(unsafe_code)]

mod concepts;
mod diversity;
mod feed;
mod index;
pub mod probe;
mod query;
mod search;
mod stem;
mod words;

pub use diversity::Candidate;
pub use feed::{CatalogueError, Feed};
pub use query::{Group, Query};
pub use search::{Hit, Match};
pub use words::stems;

use diversity::Profile;
use index::Index;

/// Categories whose feeds report on everything, in the order in which they stand in for a topic
/// that nothing in the catalogue is about.
pub const GENERAL_CATEGORIES: [&str; 4] = ["general", "world", "science", "technology"];

/// A catalogue, indexed once.
#[derive(Debug)]
pub struct Catalogue {
    feeds: Vec<Feed>,
    index: Index,
    profiles: Vec<Profile>,
}

impl Catalogue {
    /// Reads and indexes a catalogue: a JSON array of feeds.
    pub fn from_json(text: &str) -> Result<Catalogue, CatalogueError> {
        let feeds = feed::parse(text)?;
        let index = Index::build(&feeds);
        let profiles = feeds.iter().map(Profile::of).collect();
        Ok(Catalogue { feeds, index, profiles })
    }

    /// The feeds, in the order of the file. [`Hit::feed`] points into it.
    pub fn feeds(&self) -> &[Feed] {
        &self.feeds
    }

    /// The feed with exactly this URL.
    pub fn by_url(&self, url: &str) -> Option<&Feed> {
        self.feeds.iter().find(|feed| feed.url == url)
    }

    /// The feeds that are about the query, most relevant first; equal ones in the order of their
    /// URLs. Feeds below the floor of relevance, or far below the best one, are left out.
    pub fn search(&self, query: &Query) -> Vec<Hit> {
        search::search(&self.index, &self.feeds, query, search::SHARE_OF_BEST_MIN)
    }

    /// Like [`Catalogue::search`], but with the feeds far below the best one.
    pub fn search_wide(&self, query: &Query) -> Vec<Hit> {
        search::search(&self.index, &self.feeds, query, 0.0)
    }

    /// Up to `count` candidates that are good and unlike each other and those `taken` (maximal
    /// marginal relevance). `score_share`, 0..1, says how much the score counts beside unlikeness.
    pub fn select_diverse(
        &self,
        candidates: &[Candidate],
        taken: &[usize],
        count: usize,
        score_share: f64,
    ) -> Vec<Candidate> {
        diversity::select(&self.profiles, candidates, taken, count, score_share)
    }

    /// Feeds that report on everything, for a topic that nothing matches: the general categories
    /// take turns; a catalogue without them gives all its feeds.
    pub fn general(&self) -> Vec<usize> {
        let mut by_category = GENERAL_CATEGORIES.map(|category| {
            let feeds = self.feeds.iter().enumerate();
            feeds.filter(move |(_, feed)| feed.is_english() && feed.is_of(category))
        });
        let mut general: Vec<usize> = Vec::new();
        let mut more = true;
        while more {
            more = false;
            for feeds in &mut by_category {
                if let Some((at, _)) = feeds.next() {
                    more = true;
                    if !general.contains(&at) {
                        general.push(at);
                    }
                }
            }
        }
        if general.is_empty() { (0..self.feeds.len()).collect() } else { general }
    }

    /// The category that the best hits belong to, weighted by relevance.
    pub fn category_of(&self, hits: &[Hit]) -> Option<&str> {
        const HITS_ASKED: usize = 8;
        let mut votes: Vec<(&str, f64)> = Vec::new();
        for hit in hits.iter().take(HITS_ASKED) {
            let category = self.feeds[hit.feed].category.as_str();
            match votes.iter_mut().find(|(name, _)| *name == category) {
                Some((_, weight)) => *weight += hit.relevance,
                None => votes.push((category, hit.relevance)),
            }
        }
        votes
            .into_iter()
            .reduce(|best, vote| if vote.1 > best.1 { vote } else { best })
            .map(|(category, _)| category)
    }
}
