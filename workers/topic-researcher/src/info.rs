//! Owns what the researcher says about itself.

use worker_kit::{Operation, WorkerInfo};

pub(crate) const RESEARCH: &str = "/research";

pub(crate) static INFO: WorkerInfo = WorkerInfo {
    name: "topic_researcher",
    version: env!("CARGO_PKG_VERSION"),
    description: "Turns a topic into angles and candidate sources",
    operations: &[Operation {
        path: RESEARCH,
        summary: "Angles on a topic, and sources for them",
        input: r#"{"topic":"renewable energy","depth":3,"min_quality":0.3,"max_sources":15,
            "sites":["https://example.org"]}"#,
        output: r#"{"topic":"renewable energy","angles":[{
            "title":"Renewable energy: markets and prices",
            "query":"renewable energy prices markets costs","keywords":["renewable energy"]}],
            "sources":[{"url":"https://example.org/feed","title":"Example",
            "site_url":"https://example.org","quality_score":0.71,"category":"energy",
            "reason":"for \"Renewable energy: markets\": matches \"prices\" (keywords)"}],
            "avg_quality_score":0.71,"sources_discovered":1,
            "discovery":[{"site":"https://example.org","status":"found","feeds":1}],"cost_usd":0}"#,
        estimated_cost_usd: 0.002,
    }],
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
