//! Finds articles that repeat another: the same canonical address, the same title on much of the
//! same text, or nearly the same text. Near-duplicates of text are found by MinHash (Broder, "On
//! the resemblance and containment of documents", 1997) with locality-sensitive banding, so the
//! work grows with the number of articles and not with the number of pairs.

mod address;
mod minhash;

use std::collections::HashMap;

use crate::contract::Article;
use crate::document::{Document, StemId};
use minhash::Signature;

pub use address::canonical;

/// Texts that share this much of their word triples are the same article.
const RESEMBLANCE_MIN: f64 = 0.55;
/// With the same title less is enough: one of the two is often cut short.
const RESEMBLANCE_WITH_TITLE_MIN: f64 = 0.2;
/// Titles with fewer words are shared by chance ("Weekly links").
const TITLE_WORDS_MIN: usize = 4;
/// How many earlier members of a bucket an article is compared with.
const COMPARED_MAX: usize = 6;

/// For each article the index of the one that it repeats. A representative repeats nothing.
pub fn find(articles: &[Article], documents: &[Document]) -> Vec<Option<usize>> {
    let mut clusters = Clusters::new(articles.len());
    join_same_addresses(articles, &mut clusters);
    let signatures: Vec<Option<Signature>> = documents.iter().map(Signature::of).collect();
    join_same_titles(documents, &signatures, &mut clusters);
    join_resembling(&signatures, &mut clusters);
    let representatives = representatives(articles, documents, &mut clusters);
    (0..articles.len())
        .map(|index| {
            let representative = representatives[&clusters.root(index)];
            (representative != index).then_some(representative)
        })
        .collect()
}

fn join_same_addresses(articles: &[Article], clusters: &mut Clusters) {
    let mut first_at: HashMap<String, usize> = HashMap::new();
    for (index, article) in articles.iter().enumerate() {
        if let Some(address) = canonical(&article.url) {
            let first = *first_at.entry(address).or_insert(index);
            clusters.join(first, index);
        }
    }
}

fn join_same_titles(
    documents: &[Document],
    signatures: &[Option<Signature>],
    clusters: &mut Clusters,
) {
    let mut by_title: HashMap<Vec<StemId>, Vec<usize>> = HashMap::new();
    for (index, document) in documents.iter().enumerate() {
        let words = document.title.iter().filter(|token| !token.stop);
        let title: Vec<StemId> = words.map(|token| token.stem).collect();
        if title.len() >= TITLE_WORDS_MIN {
            by_title.entry(title).or_default().push(index);
        }
    }
    join_buckets(by_title.into_values(), clusters, |a, b| {
        match (&signatures[a], &signatures[b]) {
            (Some(a), Some(b)) => {
                a.resemblance(b) >= RESEMBLANCE_WITH_TITLE_MIN || a.holds(b) || b.holds(a)
            }
            // A headline alone repeats the article that it heads.
            _ => true,
        }
    });
}

fn join_resembling(signatures: &[Option<Signature>], clusters: &mut Clusters) {
    for band in 0..minhash::BANDS {
        let mut buckets: HashMap<u64, Vec<usize>> = HashMap::new();
        for (index, signature) in signatures.iter().enumerate() {
            if let Some(signature) = signature {
                buckets.entry(signature.band(band)).or_default().push(index);
            }
        }
        join_buckets(buckets.into_values(), clusters, |a, b| {
            match (&signatures[a], &signatures[b]) {
                (Some(a), Some(b)) => a.resemblance(b) >= RESEMBLANCE_MIN,
                _ => false,
            }
        });
    }
}

/// Joins the members of each bucket that are the same. The outcome does not depend on the order of
/// the buckets: joining only ever unites.
fn join_buckets(
    buckets: impl Iterator<Item = Vec<usize>>,
    clusters: &mut Clusters,
    same: impl Fn(usize, usize) -> bool,
) {
    for bucket in buckets.filter(|bucket| bucket.len() > 1) {
        // Members that stand for different texts; most buckets have one.
        let mut distinct: Vec<usize> = Vec::new();
        for member in bucket {
            match distinct.iter().find(|known| same(**known, member)) {
                Some(known) => clusters.join(*known, member),
                None if distinct.len() < COMPARED_MAX => distinct.push(member),
                None => {}
            }
        }
    }
}

/// The member of each cluster that was published first; without dates, the longest; else the first.
fn representatives(
    articles: &[Article],
    documents: &[Document],
    clusters: &mut Clusters,
) -> HashMap<usize, usize> {
    let key = |index: usize| {
        let published = articles[index].published_ms().unwrap_or(i64::MAX);
        (published, std::cmp::Reverse(documents[index].word_count()), index)
    };
    let mut best: HashMap<usize, usize> = HashMap::new();
    for index in 0..articles.len() {
        let kept = best.entry(clusters.root(index)).or_insert(index);
        if key(index) < key(*kept) {
            *kept = index;
        }
    }
    best
}

/// Disjoint sets with path halving.
struct Clusters {
    parent: Vec<usize>,
}

impl Clusters {
    fn new(count: usize) -> Self {
        Self { parent: (0..count).collect() }
    }

    fn root(&mut self, mut index: usize) -> usize {
        while self.parent[index] != index {
            self.parent[index] = self.parent[self.parent[index]];
            index = self.parent[index];
        }
        index
    }

    fn join(&mut self, a: usize, b: usize) {
        let (a, b) = (self.root(a), self.root(b));
        // The lower root stays: the result does not depend on the order of joins.
        self.parent[a.max(b)] = a.min(b);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::Vocabulary;

    const STORY: &str = "The river authority opened the new flood gates on Tuesday after two years \
        of construction work. Engineers said that the gates would hold back a tide three metres \
        above normal. Residents of the lower town had waited for them since the winter floods, \
        when hundreds of cellars filled with water and the market had to be closed for a month.";

    fn find_in(articles: Vec<Article>) -> Vec<Option<usize>> {
        let mut vocabulary = Vocabulary::default();
        let documents: Vec<_> =
            articles.iter().map(|article| Document::read(article, &mut vocabulary)).collect();
        find(&articles, &documents)
    }

    #[test]
    fn an_edited_copy_repeats_the_earlier_article() {
        let edited = STORY.replace("on Tuesday", "this week").replace("hundreds of", "many");
        let found = find_in(vec![
            Article::of("Gates open", &edited, "").published("2026-02-02T12:00:00Z"),
            Article::of("River gates opened", STORY, "").published("2026-02-02T08:00:00Z"),
            Article::of("Choir sings", "A choir sang in the park for an hour in the rain.", ""),
        ]);
        assert_eq!(found, [Some(1), None, None]);
    }

    #[test]
    fn one_address_in_two_spellings_is_one_article() {
        let found = find_in(vec![
            Article::of("A", "One text.", "").at_url("https://example.org/a?utm_source=rss"),
            Article::of("B", "Other text, longer.", "").at_url("http://www.example.org/a/#top"),
        ]);
        assert_eq!(found, [Some(1), None]);
    }

    #[test]
    fn a_cut_copy_under_the_same_title_is_found() {
        let title = "New flood gates protect the lower town";
        let opening: String = STORY.chars().take(170).collect();
        let found = find_in(vec![Article::of(title, STORY, ""), Article::of(title, &opening, "")]);
        assert_eq!(found, [None, Some(0)]);
    }

    #[test]
    fn one_title_on_two_stories_joins_nothing() {
        let title = "What we know about the flood so far";
        let other = "Rain fell on the southern hills for nine days, said the weather service, and \
            the reservoir there is now full for the first time since it was built in the sixties.";
        let found = find_in(vec![Article::of(title, STORY, ""), Article::of(title, other, "")]);
        assert_eq!(found, [None, None]);
    }

    #[test]
    fn a_shared_footer_joins_nothing() {
        let footer =
            "This story first appeared in the evening edition and is free to read for all.";
        let texts = [
            "A choir of forty voices sang in the park while rain fell on the audience for an hour.",
            "The price of bread rose by a tenth in the spring, the statistics office said.",
        ];
        let articles = texts.map(|text| Article::of(text, &format!("{text} {footer}"), ""));
        assert_eq!(find_in(articles.to_vec()), [None, None]);
    }

    #[test]
    fn many_copies_form_one_cluster() {
        let copies = (0..200).map(|n| Article::of(&format!("Copy {n}"), STORY, "")).collect();
        let found = find_in(copies);
        assert_eq!(found.iter().flatten().count(), 199);
    }

    #[test]
    fn empty_articles_repeat_nothing() {
        assert_eq!(find_in(vec![Article::default(), Article::default()]), [None, None]);
    }
}
