//! Owns what the worker says about itself, and the input and output of `POST /generate`: their
//! shape and their limits.

use serde::{Deserialize, Deserializer, Serialize};
use worker_kit::{Operation, Validate, Violations, WorkerInfo};

/// The worker and its one operation.
pub static INFO: WorkerInfo = WorkerInfo {
    name: "report_builder",
    version: env!("CARGO_PKG_VERSION"),
    description: "Writes an intelligence report from analysed articles",
    operations: &[Operation {
        path: "/generate",
        summary: "A report in Markdown and HTML with summary, findings, charts and sources",
        input: include_str!("../help/generate-input.json"),
        output: include_str!("../help/generate-output.json"),
        estimated_cost_usd: 0.01,
    }],
};

/// The most articles of one call.
pub const ARTICLES_MAX: usize = 500;
/// The longest topic, in characters.
pub const TOPIC_CHARS_MAX: usize = 500;
/// The most angles that are read.
pub const ANGLES_MAX: usize = 50;

/// The input.
#[derive(Debug, Deserialize)]
pub struct GenerateRequest {
    pub topic: String,
    pub articles: Vec<Article>,
    #[serde(default)]
    pub insights: Option<Insights>,
    #[serde(default)]
    pub angles: Option<Vec<Angle>>,
    #[serde(default)]
    report_type: Option<ReportType>,
    #[serde(default)]
    format: Option<Format>,
}

impl GenerateRequest {
    pub fn report_type(&self) -> ReportType {
        self.report_type.unwrap_or_default()
    }

    pub fn format(&self) -> Format {
        self.format.unwrap_or_default()
    }

    pub fn angles(&self) -> &[Angle] {
        self.angles.as_deref().unwrap_or_default()
    }
}

impl Validate for GenerateRequest {
    fn validate(&self, violations: &mut Violations) {
        violations.text("/topic", &self.topic, 1..=TOPIC_CHARS_MAX);
        let lists = [
            ("/articles", self.articles.len(), ARTICLES_MAX),
            ("/angles", self.angles().len(), ANGLES_MAX),
        ];
        for (pointer, count, count_max) in lists {
            if count > count_max {
                let message = format!("must have at most {count_max} items, not {count}");
                violations.add(pointer, "length", message);
            }
        }
    }
}

/// How much a reader wants to read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ReportType {
    /// One page.
    Brief,
    /// A few pages.
    #[default]
    Executive,
    /// Everything.
    Detailed,
}

/// Which of the two forms is wanted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    Html,
    Markdown,
    #[default]
    Both,
}

/// An article, analysed or as it was fetched: whatever is missing, the report does without.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Article {
    #[serde(default, deserialize_with = "null_as_default")]
    pub id: String,
    #[serde(default, deserialize_with = "null_as_default")]
    pub title: String,
    #[serde(default, deserialize_with = "null_as_default")]
    pub url: String,
    #[serde(default, deserialize_with = "null_as_default")]
    pub summary: String,
    #[serde(default, deserialize_with = "null_as_default")]
    pub content_text: String,
    #[serde(default)]
    pub published_at: Option<String>,
    #[serde(default, deserialize_with = "null_as_default")]
    pub author: String,
    #[serde(default, deserialize_with = "null_as_default")]
    pub feed_title: String,
    #[serde(default, deserialize_with = "null_as_default")]
    pub source_title: String,
    #[serde(default)]
    pub language: Option<String>,
    #[serde(default)]
    pub relevance: Option<f64>,
    #[serde(default)]
    pub category: Option<String>,
    #[serde(default)]
    pub sentiment: Option<Sentiment>,
    #[serde(default, deserialize_with = "null_as_default")]
    pub keywords: Vec<String>,
    #[serde(default)]
    pub duplicate_of: Option<String>,
}

/// How an article speaks of its subject.
#[derive(Debug, Clone, Deserialize)]
pub struct Sentiment {
    pub label: String,
    #[serde(default)]
    pub score: Option<f64>,
}

/// What the classifier says about all articles that it saw, of which the report may get a part.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Insights {
    #[serde(default)]
    pub total: Option<u64>,
    #[serde(default)]
    pub relevant: Option<u64>,
    #[serde(default)]
    pub duplicates: Option<u64>,
}

/// A side of the topic that the research found.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Angle {
    #[serde(default, deserialize_with = "null_as_default")]
    pub title: String,
    #[serde(default, deserialize_with = "null_as_default")]
    pub query: String,
    #[serde(default, deserialize_with = "null_as_default")]
    pub keywords: Vec<String>,
}

/// Feeds that lack a field send `null` as often as they leave it out.
fn null_as_default<'de, D, T>(input: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + Default,
{
    Ok(Option::<T>::deserialize(input)?.unwrap_or_default())
}

/// The output.
#[derive(Debug, Serialize)]
pub struct GenerateReply {
    pub report: Report,
    /// The executive summary as plain text.
    pub summary: String,
    pub key_findings: Vec<KeyFinding>,
    pub artifact: Artifact,
    /// Words of the report, charts and lists of sources included.
    pub word_count: usize,
    pub sources_cited: usize,
    /// 0..1; see [`crate::quality`].
    pub quality_score: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model_error: Option<String>,
}

/// The report in the forms that were asked for.
#[derive(Debug, Serialize)]
pub struct Report {
    pub title: String,
    pub report_type: ReportType,
    pub markdown: Option<String>,
    pub html: Option<String>,
}

/// A statement and the articles that carry it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct KeyFinding {
    pub headline: String,
    pub text: String,
    pub article_ids: Vec<String>,
}

/// The file that the report makes: the HTML where it was asked for, else the Markdown.
#[derive(Debug, PartialEq, Serialize)]
pub struct Artifact {
    pub file_name: String,
    pub mime_type: &'static str,
    pub size_bytes: usize,
    pub sha256: String,
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn request(input: Value) -> Result<GenerateRequest, serde_json::Error> {
        serde_json::from_value(input)
    }

    #[test]
    fn defaults_are_an_executive_report_in_both_forms() {
        let request = request(json!({"topic": "tea", "articles": [], "angles": null})).unwrap();
        assert_eq!(request.report_type(), ReportType::Executive);
        assert_eq!(request.format(), Format::Both);
    }

    #[test]
    fn plain_and_analysed_articles_are_read() {
        let input = json!({"topic": "tea", "articles": [
            {"id": "a", "title": "T", "url": "https://a.example/", "summary": null, "author": null},
            {"id": "b", "title": "T", "relevance": 0.5, "category": "food", "keywords": null,
             "sentiment": {"label": "neutral", "score": 0}, "duplicate_of": null, "word_count": 7}
        ]});
        assert_eq!(request(input).unwrap().articles.len(), 2);
    }

    #[test]
    fn unknown_types_and_formats_are_refused() {
        let with = |field: &str| request(json!({"topic": "t", "articles": [], field: "pdf"}));
        assert!(with("format").is_err());
        assert!(with("report_type").is_err());
    }

    #[test]
    fn the_examples_of_the_help_page_are_what_the_worker_says() {
        let input = serde_json::from_str(INFO.operations[0].input).unwrap();
        let request = request(input).unwrap();
        let reply = crate::report::Draft::of(&request).reply(1_795_262_400_000, None, None);
        let expected: Value = serde_json::from_str(INFO.operations[0].output).unwrap();
        let mut said = serde_json::to_value(reply).unwrap();
        // The envelope adds the cost.
        said["cost_usd"] = json!(0);
        assert_eq!(said, expected, "{said:#}");
    }

    #[test]
    fn limits_are_checked_all_at_once() {
        let input = json!({
            "topic": "", "articles": vec![json!({}); ARTICLES_MAX + 1],
            "angles": vec![json!({}); ANGLES_MAX + 1]
        });
        let mut violations = Violations::default();
        request(input).unwrap().validate(&mut violations);
        let pointers: Vec<_> = violations.into_vec().into_iter().map(|v| v.pointer).collect();
        assert_eq!(pointers, ["/topic", "/articles", "/angles"]);
    }
}
