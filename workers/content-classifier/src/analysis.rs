//! Owns the analysis of one call from articles to ranked results. Each part of the judgement stands
//! in its own module; here they meet. Pure: no clock, no I/O, no model.

use std::collections::HashSet;

use serde_json::Value;

use crate::category::Categories;
use crate::contract::{AnalyzeReply, AnalyzeRequest, Article, ArticleAnalysis, Judge};
use crate::document::{Document, Vocabulary};
use crate::duplicates;
use crate::insights::Insights;
use crate::keywords::{self, Keyword};
use crate::quality;
use crate::relevance;
use crate::sentiment::{Sentiment, Sentiments};

/// What is known about one article.
#[derive(Debug, Clone)]
pub struct Scored {
    /// Its place in the input.
    pub index: usize,
    pub relevance: f64,
    pub category: &'static str,
    pub language: String,
    pub sentiment: Sentiment,
    pub keywords: Vec<Keyword>,
    /// The place in the input of the article that this one repeats.
    pub repeats: Option<usize>,
    pub word_count: usize,
    pub published_ms: Option<i64>,
    /// Who published it, as far as the input says.
    pub source: String,
    /// Which share of title, text, date and address is there.
    pub completeness: f64,
    pub judged_by: Judge,
    /// The opening of its text, for a model to read.
    pub excerpt: String,
}

/// How much of a text a model is shown, in characters.
const EXCERPT_CHARS_MAX: usize = 420;

impl Scored {
    pub fn is_duplicate(&self) -> bool {
        self.repeats.is_some()
    }

    /// For tests: an article of which nothing is known.
    #[cfg(test)]
    pub fn blank() -> Self {
        Self {
            index: 0,
            relevance: 0.0,
            category: crate::category::GENERAL,
            language: "en".to_owned(),
            sentiment: Sentiment::of_score(0.0),
            keywords: Vec::new(),
            repeats: None,
            word_count: 0,
            published_ms: None,
            source: String::new(),
            completeness: 0.0,
            judged_by: Judge::Lexicon,
            excerpt: String::new(),
        }
    }
}

/// Gives every article an id of its own: citations and `duplicate_of` point to it.
pub fn name_articles(articles: &mut [Article]) {
    let mut taken: HashSet<String> = HashSet::new();
    for (index, article) in articles.iter_mut().enumerate() {
        let wanted = match article.id.trim() {
            "" => format!("article-{}", index + 1),
            id => id.to_owned(),
        };
        let mut id = wanted.clone();
        let mut copy = 2;
        while !taken.insert(id.clone()) {
            id = format!("{wanted}-{copy}");
            copy += 1;
        }
        article.id = id;
    }
}

/// Judges every article, in the order of the input.
pub fn analyze(request: &AnalyzeRequest) -> Vec<Scored> {
    let articles = &request.articles;
    let mut vocabulary = Vocabulary::default();
    let documents: Vec<Document> =
        articles.iter().map(|article| Document::read(article, &mut vocabulary)).collect();
    let repeats = duplicates::find(articles, &documents);
    let is_duplicate: Vec<bool> = repeats.iter().map(Option::is_some).collect();
    let sentiments = Sentiments::new(&documents, &mut vocabulary);
    let categories = Categories::new(&mut vocabulary);
    let relevance = relevance::score(&request.topic, &documents, &is_duplicate, &mut vocabulary);
    let keywords = keywords::extract(&documents, &vocabulary);
    let facts = articles.iter().zip(&documents).zip(repeats).zip(relevance).zip(keywords);
    facts
        .enumerate()
        .map(|(index, ((((article, document), repeats), relevance), keywords))| Scored {
            index,
            relevance,
            category: categories.of(document),
            language: document.language.clone(),
            sentiment: sentiments.of(document),
            keywords,
            repeats,
            word_count: document.word_count(),
            published_ms: article.published_ms(),
            source: source(article),
            completeness: completeness(article, document),
            judged_by: Judge::Lexicon,
            excerpt: text::clean::shorten(&document.body_text, EXCERPT_CHARS_MAX),
        })
        .collect()
}

/// The answer: relevant articles first, then their duplicates; each part by relevance, then
/// recency.
pub fn reply(
    request: &AnalyzeRequest,
    scored: &[Scored],
    model_error: Option<String>,
) -> AnalyzeReply {
    let min_relevance = request.min_relevance();
    let mut kept: Vec<&Scored> =
        scored.iter().filter(|article| article.relevance >= min_relevance).collect();
    kept.sort_by(|a, b| {
        a.is_duplicate()
            .cmp(&b.is_duplicate())
            .then(b.relevance.total_cmp(&a.relevance))
            .then(b.published_ms.cmp(&a.published_ms))
            .then(a.index.cmp(&b.index))
    });
    kept.truncate(request.max_results());
    AnalyzeReply {
        topic: request.topic.trim().to_owned(),
        analyzed_articles: kept.into_iter().map(|article| answer(request, article)).collect(),
        insights: Insights::of(scored, min_relevance),
        quality_score: quality::score(scored, min_relevance),
        model_error,
    }
}

fn answer(request: &AnalyzeRequest, scored: &Scored) -> Value {
    let article = &request.articles[scored.index];
    article.with_analysis(&ArticleAnalysis {
        relevance: scored.relevance,
        category: scored.category.to_owned(),
        language: scored.language.clone(),
        sentiment: scored.sentiment,
        keywords: scored.keywords.iter().map(|keyword| keyword.text.clone()).collect(),
        duplicate_of: scored.repeats.map(|index| request.articles[index].id.clone()),
        word_count: scored.word_count,
        judged_by: scored.judged_by,
    })
}

/// The feed, else the site.
fn source(article: &Article) -> String {
    let feed = article.passed_text("feed_url").or_else(|| article.passed_text("source_title"));
    let site = || url::Url::parse(&article.url).ok()?.host_str().map(str::to_owned);
    feed.map(str::to_owned).or_else(site).unwrap_or_default()
}

fn completeness(article: &Article, document: &Document) -> f64 {
    let parts = [
        !document.title.is_empty(),
        !document.body.is_empty(),
        article.published_ms().is_some(),
        !article.url.trim().is_empty(),
    ];
    parts.iter().filter(|there| **there).count() as f64 / parts.len() as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn request(input: Value) -> AnalyzeRequest {
        let mut request: AnalyzeRequest = serde_json::from_value(input).unwrap();
        name_articles(&mut request.articles);
        request
    }

    fn mixed() -> AnalyzeRequest {
        let copy = "The chatbot of the library was trained on forty years of catalogue cards, and \
            now it answers readers at night. Librarians check its answers each morning.";
        request(json!({
            "topic": "artificial intelligence",
            "articles": [
                {"id": "cup", "title": "Late goal wins the cup", "summary": "The striker scored."},
                {"id": "bot", "title": "Library trains a chatbot", "summary": copy,
                 "published_at": "2026-03-02T10:00:00Z", "author": "R. Roe",
                 "url": "https://a.example/1"},
                {"id": "bot2", "title": "A chatbot for the library", "summary": copy,
                 "published_at": "2026-03-01T10:00:00Z", "url": "https://b.example/1"},
                {"id": "llm", "title": "Language models learn to count", "relevance": 99,
                 "summary": "A large language model now counts letters, its makers say."}
            ]
        }))
    }

    #[test]
    fn relevant_articles_come_first_and_duplicates_last() {
        let request = mixed();
        let reply = reply(&request, &analyze(&request), None);
        let ids: Vec<_> = reply.analyzed_articles.iter().map(|a| a["id"].clone()).collect();
        assert_eq!(ids.len(), 3);
        assert_eq!(ids[2], "bot");
        assert_eq!(reply.analyzed_articles[2]["duplicate_of"], "bot2");
        assert_eq!(reply.analyzed_articles[2]["author"], "R. Roe");
        assert_eq!(reply.analyzed_articles[0]["judged_by"], "lexicon");
        assert!(reply.analyzed_articles.iter().all(|a| a["relevance"].as_f64().unwrap() <= 1.0));
    }

    #[test]
    fn insights_count_relevant_articles_once() {
        let request = mixed();
        let insights = reply(&request, &analyze(&request), None).insights;
        assert_eq!((insights.total, insights.relevant, insights.duplicates), (4, 2, 1));
        assert_eq!(insights.categories["artificial intelligence"], 2, "{:?}", insights.categories);
        assert_eq!(insights.languages["en"], 2);
        assert_eq!(insights.time_span.from.as_deref(), Some("2026-03-01T10:00:00Z"));
    }

    #[test]
    fn results_are_bounded() {
        let mut input = request(json!({
            "topic": "tea", "max_results": 2, "min_relevance": 0,
            "articles": [{"title": "Tea"}, {"title": "Green tea"}, {"title": "Black tea"}]
        }));
        input.articles.push(Article::default());
        name_articles(&mut input.articles);
        let reply = reply(&input, &analyze(&input), None);
        assert_eq!(reply.analyzed_articles.len(), 2);
        assert_eq!(reply.insights.total, 4);
    }

    #[test]
    fn ids_are_unique_and_kept_where_they_can_be() {
        let mut articles =
            vec![Article::default(), Article::of("x", "", ""), Article::of("x", "", "")];
        name_articles(&mut articles);
        let ids: Vec<&str> = articles.iter().map(|a| a.id.as_str()).collect();
        assert_eq!(ids, ["article-1", "x", "x-2"]);
    }

    #[test]
    fn nothing_in_gives_an_honest_nothing() {
        let request = request(json!({"topic": "tea", "articles": []}));
        let reply = reply(&request, &analyze(&request), None);
        assert!(reply.analyzed_articles.is_empty());
        assert_eq!((reply.insights.total, reply.quality_score), (0, 0.0));
    }

    #[test]
    fn the_same_input_gives_the_same_answer() {
        let request = mixed();
        let text = || serde_json::to_string(&reply(&request, &analyze(&request), None)).unwrap();
        assert_eq!(text(), text());
    }
}
