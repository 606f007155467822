//! Owns what the librarian says about itself.

use worker_kit::{Operation, WorkerInfo};

pub(crate) const SOURCES: &str = "/sources";
pub(crate) const CHECK: &str = "/check";

pub(crate) static INFO: WorkerInfo = WorkerInfo {
    name: "rss_librarian",
    version: env!("CARGO_PKG_VERSION"),
    description: "Finds feeds for a topic in a curated catalogue",
    operations: &[
        Operation {
            path: SOURCES,
            summary: "Feeds about a topic, best first",
            input: r#"{"topic":"renewable energy","max_feeds":20,"min_score":0.2}"#,
            output: r#"{"topic":"renewable energy","sources":[{"url":"https://example.org/feed",
                "title":"Example","site_url":"https://example.org","category":"energy",
                "language":"en","quality_score":0.71,"relevance":0.82,
                "reason":"matches \"renewable energy\" (keywords)",
                "health":{"status":"ok","checked_at":"2026-11-01T08:00:00.000Z"}}],
                "total_matches":14,"cost_usd":0}"#,
            estimated_cost_usd: 0.0,
        },
        Operation {
            path: CHECK,
            summary: "Reads feeds and remembers whether they can be read",
            input: r#"{"urls":["https://example.org/feed"]}"#,
            output: r#"{"checked":[{"url":"https://example.org/feed","status":"ok",
                "checked_at":"2026-11-01T08:00:00.000Z","http_status":200,"format":"atom",
                "duration_ms":120,"recorded":true}],"ok":1,"failing":0,"cost_usd":0}"#,
            estimated_cost_usd: 0.0,
        },
    ],
};

#[cfg(test)]
mod tests {
    use super::INFO;

    #[test]
    fn examples_are_json() {
        for operation in INFO.operations {
            for example in [operation.input, operation.output] {
                assert!(serde_json::from_str::<serde_json::Value>(example).is_ok(), "{example}");
            }
        }
    }
}
