//! Sums up an analysis: what share is relevant, what it is about, how it speaks, over which time.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::analysis::Scored;
use crate::document::StemId;
use crate::relevance::round;
use crate::sentiment::Label;

const TOP_KEYWORDS_MAX: usize = 15;
/// What one article alone says is no trait of the whole.
const KEYWORD_ARTICLES_MIN: usize = 2;

/// The sum of an analysis. Everything but `total` and `duplicates` counts the relevant articles
/// that repeat no other.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Insights {
    pub total: usize,
    pub relevant: usize,
    pub duplicates: usize,
    pub categories: BTreeMap<String, usize>,
    pub languages: BTreeMap<String, usize>,
    pub sentiment: SentimentCounts,
    pub top_keywords: Vec<KeywordCount>,
    pub avg_relevance: f64,
    pub time_span: TimeSpan,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct SentimentCounts {
    pub positive: usize,
    pub neutral: usize,
    pub negative: usize,
}

/// How many articles share a keyword.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct KeywordCount {
    pub keyword: String,
    pub count: usize,
}

/// The first and the last publication, RFC 3339 UTC.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct TimeSpan {
    pub from: Option<String>,
    pub to: Option<String>,
}

impl Insights {
    pub fn of(articles: &[Scored], min_relevance: f64) -> Self {
        let relevant: Vec<&Scored> = articles
            .iter()
            .filter(|article| !article.is_duplicate() && article.relevance >= min_relevance)
            .collect();
        let mut insights = Self {
            total: articles.len(),
            relevant: relevant.len(),
            duplicates: articles.iter().filter(|article| article.is_duplicate()).count(),
            categories: BTreeMap::new(),
            languages: BTreeMap::new(),
            sentiment: SentimentCounts::default(),
            top_keywords: top_keywords(&relevant),
            avg_relevance: average(relevant.iter().map(|article| article.relevance)),
            time_span: time_span(&relevant),
        };
        for article in relevant {
            *insights.categories.entry(article.category.to_owned()).or_default() += 1;
            *insights.languages.entry(article.language.clone()).or_default() += 1;
            match article.sentiment.label {
                Label::Positive => insights.sentiment.positive += 1,
                Label::Neutral => insights.sentiment.neutral += 1,
                Label::Negative => insights.sentiment.negative += 1,
            }
        }
        insights
    }
}

fn average(values: impl ExactSizeIterator<Item = f64>) -> f64 {
    let count = values.len();
    if count == 0 { 0.0 } else { round(values.sum::<f64>() / count as f64) }
}

fn top_keywords(relevant: &[&Scored]) -> Vec<KeywordCount> {
    let mut counts: BTreeMap<&[StemId], BTreeMap<&str, usize>> = BTreeMap::new();
    for keyword in relevant.iter().flat_map(|article| &article.keywords) {
        *counts.entry(&keyword.stems).or_default().entry(&keyword.text).or_default() += 1;
    }
    let mut top: Vec<KeywordCount> = counts
        .into_values()
        .filter_map(|spellings| {
            let count = spellings.values().sum();
            // The commonest spelling; of equals the first in the alphabet.
            let keyword = spellings.iter().rev().max_by_key(|(_, count)| **count)?.0;
            (count >= KEYWORD_ARTICLES_MIN)
                .then(|| KeywordCount { keyword: (*keyword).to_owned(), count })
        })
        .collect();
    top.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.keyword.cmp(&b.keyword)));
    top.truncate(TOP_KEYWORDS_MAX);
    top
}

fn time_span(relevant: &[&Scored]) -> TimeSpan {
    let dates = || relevant.iter().filter_map(|article| article.published_ms);
    TimeSpan { from: dates().min().and_then(rfc3339), to: dates().max().and_then(rfc3339) }
}

fn rfc3339(unix_ms: i64) -> Option<String> {
    let time = chrono::DateTime::from_timestamp_millis(unix_ms)?;
    Some(time.to_rfc3339_opts(chrono::SecondsFormat::Secs, true))
}
