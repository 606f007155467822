//! Owns what the worker says about itself, and the input and output of `POST /analyze`: their shape
//! and their limits.

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};
use worker_kit::{Operation, Validate, Violations, WorkerInfo};

use crate::insights::Insights;
use crate::sentiment::Sentiment;

/// The worker and its one operation.
pub static INFO: WorkerInfo = WorkerInfo {
    name: "content_classifier",
    version: env!("CARGO_PKG_VERSION"),
    description: "Scores articles for relevance to a topic and classifies them",
    operations: &[Operation {
        path: "/analyze",
        summary: "Relevance, category, language, sentiment, keywords and duplicates of articles",
        input: include_str!("../help/analyze-input.json"),
        output: include_str!("../help/analyze-output.json"),
        estimated_cost_usd: 0.01,
    }],
};

/// The most articles of one call; the fetcher gives no more either.
pub const ARTICLES_MAX: usize = 500;
/// The longest topic, in characters.
pub const TOPIC_CHARS_MAX: usize = 500;

const MIN_RELEVANCE_DEFAULT: f64 = 0.1;
const RESULTS_DEFAULT: usize = 50;

/// The input.
#[derive(Debug, Deserialize)]
pub struct AnalyzeRequest {
    pub topic: String,
    pub articles: Vec<Article>,
    #[serde(default)]
    min_relevance: Option<f64>,
    #[serde(default)]
    max_results: Option<usize>,
}

impl AnalyzeRequest {
    /// Articles below are left out of the answer, 0..1.
    pub fn min_relevance(&self) -> f64 {
        self.min_relevance.unwrap_or(MIN_RELEVANCE_DEFAULT)
    }

    pub fn max_results(&self) -> usize {
        self.max_results.unwrap_or(RESULTS_DEFAULT)
    }
}

impl Validate for AnalyzeRequest {
    fn validate(&self, violations: &mut Violations) {
        violations.text("/topic", &self.topic, 1..=TOPIC_CHARS_MAX);
        violations.range("/min_relevance", self.min_relevance(), 0.0..=1.0);
        violations.range("/max_results", self.max_results(), 1..=ARTICLES_MAX);
        if self.articles.len() > ARTICLES_MAX {
            let count = self.articles.len();
            violations.add(
                "/articles",
                "length",
                format!("must have at most {ARTICLES_MAX} items, not {count}"),
            );
        }
    }
}

/// An article as the fetcher gives it. Fields that the analysis does not read pass through.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Article {
    #[serde(default, deserialize_with = "null_as_empty")]
    pub id: String,
    #[serde(default, deserialize_with = "null_as_empty")]
    pub title: String,
    #[serde(default, deserialize_with = "null_as_empty")]
    pub url: String,
    #[serde(default, deserialize_with = "null_as_empty")]
    pub summary: String,
    #[serde(default)]
    content_text: Option<String>,
    #[serde(default)]
    published_at: Option<String>,
    #[serde(default)]
    language: Option<String>,
    #[serde(flatten)]
    rest: Map<String, Value>,
}

impl Article {
    pub fn content_text(&self) -> &str {
        self.content_text.as_deref().unwrap_or_default()
    }

    /// What the feed declared.
    pub fn language(&self) -> Option<&str> {
        self.language.as_deref()
    }

    /// Unix ms, where the date is RFC 3339.
    pub fn published_ms(&self) -> Option<i64> {
        let text = self.published_at.as_deref()?;
        Some(chrono::DateTime::parse_from_rfc3339(text.trim()).ok()?.timestamp_millis())
    }

    /// A text field that passes through, where it is there and not empty.
    pub fn passed_text(&self, field: &str) -> Option<&str> {
        self.rest.get(field)?.as_str().filter(|text| !text.trim().is_empty())
    }

    /// The article's own fields, with the analysis added.
    pub fn with_analysis(&self, analysis: &ArticleAnalysis) -> Value {
        let mut fields = self.rest.clone();
        fields.insert("id".into(), self.id.clone().into());
        fields.insert("title".into(), self.title.clone().into());
        fields.insert("url".into(), self.url.clone().into());
        fields.insert("summary".into(), self.summary.clone().into());
        fields.insert("published_at".into(), self.published_at.clone().into());
        if let Some(content) = &self.content_text {
            fields.insert("content_text".into(), content.clone().into());
        }
        match serde_json::to_value(analysis).expect("an analysis is plain data") {
            Value::Object(analysed) => fields.extend(analysed),
            other => unreachable!("a struct serialises to an object, not {other}"),
        }
        Value::Object(fields)
    }

    #[cfg(test)]
    pub fn of(title: &str, summary: &str, content: &str) -> Self {
        Self {
            id: title.to_owned(),
            title: title.to_owned(),
            summary: summary.to_owned(),
            content_text: Some(content.to_owned()),
            ..Self::default()
        }
    }

    #[cfg(test)]
    pub fn published(mut self, at: &str) -> Self {
        self.published_at = Some(at.to_owned());
        self
    }

    #[cfg(test)]
    pub fn at_url(mut self, url: &str) -> Self {
        self.url = url.to_owned();
        self
    }
}

/// Feeds that lack a field send `null` as often as they leave it out.
fn null_as_empty<'de, D: Deserializer<'de>>(input: D) -> Result<String, D::Error> {
    Ok(Option::<String>::deserialize(input)?.unwrap_or_default())
}

/// What the analysis says about one article.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ArticleAnalysis {
    /// 0..1; see [`crate::relevance`].
    pub relevance: f64,
    pub category: String,
    /// ISO 639-1, or `und`.
    pub language: String,
    pub sentiment: Sentiment,
    pub keywords: Vec<String>,
    /// The id of the article that this one repeats.
    pub duplicate_of: Option<String>,
    pub word_count: usize,
    /// Who judged relevance, category and sentiment.
    pub judged_by: Judge,
}

/// Who judged an article.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Judge {
    Lexicon,
    Model,
}

/// The output.
#[derive(Debug, Serialize)]
pub struct AnalyzeReply {
    pub topic: String,
    pub analyzed_articles: Vec<Value>,
    pub insights: Insights,
    /// 0..1; see [`crate::quality`].
    pub quality_score: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model_error: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn violations(input: Value) -> Vec<String> {
        let request: AnalyzeRequest = serde_json::from_value(input).unwrap();
        let mut violations = Violations::default();
        request.validate(&mut violations);
        violations.into_vec().into_iter().map(|v| v.pointer).collect()
    }

    #[test]
    fn limits_are_checked_all_at_once() {
        let input = json!({
            "topic": " ", "articles": vec![json!({}); ARTICLES_MAX + 1],
            "min_relevance": 1.5, "max_results": 0
        });
        let expected = ["/topic", "/min_relevance", "/max_results", "/articles"];
        assert_eq!(violations(input), expected);
        assert!(violations(json!({"topic": "x", "articles": [], "max_results": null})).is_empty());
    }

    #[test]
    fn articles_with_nulls_and_unknown_fields_are_read() {
        let article: Article = serde_json::from_value(json!({
            "id": "a1", "title": "T", "url": null, "summary": null, "published_at": null,
            "feed_title": "F", "relevance": 7
        }))
        .unwrap();
        assert_eq!(article.summary, "");
        assert_eq!(article.passed_text("feed_title"), Some("F"));
        assert_eq!(article.published_ms(), None);
    }

    #[test]
    fn the_examples_of_the_help_page_are_what_the_worker_says() {
        let input: Value = serde_json::from_str(INFO.operations[0].input).unwrap();
        let request: AnalyzeRequest = serde_json::from_value(input).unwrap();
        let scored = crate::analysis::analyze(&request);
        let reply = crate::analysis::reply(&request, &scored, None);
        let expected: Value = serde_json::from_str(INFO.operations[0].output).unwrap();
        let mut said = serde_json::to_value(reply).unwrap();
        // The envelope adds the cost.
        said["cost_usd"] = json!(0);
        assert_eq!(said, expected, "{said:#}");
    }

    #[test]
    fn dates_are_read_with_their_offset() {
        let article = Article::default().published("2026-01-01T01:00:00+01:00");
        assert_eq!(article.published_ms(), Some(1_767_225_600_000));
        assert_eq!(Article::default().published("yesterday").published_ms(), None);
    }
}
