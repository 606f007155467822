//! The quality score of an analysis: how good a basis its articles are for a report on the topic.
//!
//! ```text
//! quality = 0.45 · relevance of the ten best articles, over ten even where there are fewer
//!         + 0.20 · share of the articles that are relevant and repeat no other
//!         + 0.20 · diversity of sources: 1 − Σ (share of a source)², over the best possible
//!         + 0.15 · completeness: the mean share of title, text, date and address that is there
//! ```
//!
//! The last two are taken over the relevant articles; without any the score is 0.

use std::collections::BTreeMap;

use crate::analysis::Scored;
use crate::relevance::round;

const BEST: usize = 10;

/// 0..1, rounded to three decimals.
pub fn score(articles: &[Scored], min_relevance: f64) -> f64 {
    let mut relevant: Vec<&Scored> = articles
        .iter()
        .filter(|article| !article.is_duplicate() && article.relevance >= min_relevance)
        .collect();
    if relevant.is_empty() {
        return 0.0;
    }
    relevant.sort_by(|a, b| b.relevance.total_cmp(&a.relevance));
    let best: f64 = relevant.iter().take(BEST).map(|article| article.relevance).sum();
    let best = best / BEST as f64;
    let share = relevant.len() as f64 / articles.len() as f64;
    let complete: f64 = relevant.iter().map(|article| article.completeness).sum();
    let complete = complete / relevant.len() as f64;
    round(0.45 * best + 0.2 * share + 0.2 * diversity(&relevant) + 0.15 * complete)
}

/// 0 for a single source, 1 when every article has its own.
fn diversity(relevant: &[&Scored]) -> f64 {
    let count = relevant.len() as f64;
    if relevant.len() < 2 {
        return 0.0;
    }
    let mut by_source: BTreeMap<&str, f64> = BTreeMap::new();
    for article in relevant {
        *by_source.entry(&article.source).or_default() += 1.0;
    }
    let concentration: f64 = by_source.values().map(|n| (n / count) * (n / count)).sum();
    (1.0 - concentration) / (1.0 - 1.0 / count)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scored(relevance: f64, source: &str) -> Scored {
        Scored { relevance, source: source.to_owned(), completeness: 1.0, ..Scored::blank() }
    }

    #[test]
    fn relevant_articles_of_many_sources_are_the_best_basis() {
        let many: Vec<_> = (0..12).map(|n| scored(0.8, &format!("s{n}"))).collect();
        let one: Vec<_> = (0..12).map(|_| scored(0.8, "s")).collect();
        let weak: Vec<_> = (0..12).map(|n| scored(0.2, &format!("s{n}"))).collect();
        assert_eq!(score(&many, 0.1), 0.91);
        assert_eq!(score(&one, 0.1), 0.71);
        assert_eq!(score(&weak, 0.1), 0.64);
    }

    #[test]
    fn a_single_article_is_a_thin_basis() {
        assert!(score(&[scored(0.9, "s")], 0.1) < 0.5);
    }

    #[test]
    fn nothing_relevant_is_no_basis() {
        assert_eq!(score(&[], 0.1), 0.0);
        assert_eq!(score(&[scored(0.05, "s")], 0.1), 0.0);
    }
}
