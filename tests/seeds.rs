//! The seeded templates, followed step by step with answers as the workers give them: what each
//! worker is sent, and what is left in `data`.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod sqlite;

use bitware_orchestrator::db::templates;
use engine::expr::{Condition, Mapping, MappingRoot, Scope};
use engine::plan::definition::{StepDefinition, TemplateDefinition};
use engine::plan::{Kind, Plan};
use engine::time::Millis;
use serde_json::{Map, Value, json};
use sqlite::{Sqlite, wait};

struct Walk {
    definition: TemplateDefinition,
    request: Value,
    data: Map<String, Value>,
}

impl Walk {
    fn new(template: &str, input: Value) -> Self {
        let definition = wait(templates::load_definition(&Sqlite::new(), Some(template)));
        let mut data = input.as_object().unwrap().clone();
        data.insert("topic".to_owned(), json!("tides"));
        let request = json!({
            "topic": "tides", "source_discovery_depth": 3, "max_articles": 100, "min_quality": 0.3,
            "input": input,
        });
        Self { definition: definition.unwrap().unwrap().unwrap(), request, data }
    }

    fn step(&self, name: &str) -> &StepDefinition {
        self.definition.steps.iter().find(|step| step.name == name).unwrap()
    }

    fn eval(&self, mapping: &Value, output: Option<&Value>) -> Value {
        let root = if output.is_some() { MappingRoot::Output } else { MappingRoot::Data };
        let steps = Map::new();
        let scope =
            Scope { data: &self.data, steps: &steps, request: &self.request, item: None, output };
        Mapping::compile(mapping, root).unwrap().eval(&scope).unwrap()
    }

    fn is_due(&self, name: &str) -> bool {
        let steps = Map::new();
        let (data, request) = (&self.data, &self.request);
        let scope = Scope { data, steps: &steps, request, item: None, output: None };
        let condition = self.step(name).condition.as_ref();
        condition.is_none_or(|source| Condition::compile(source).unwrap().eval(&scope).unwrap())
    }

    /// What the step is sent.
    fn input(&self, name: &str) -> Value {
        self.eval(self.step(name).input_mapping.as_ref().unwrap(), None)
    }

    /// The step has answered.
    fn answer(&mut self, name: &str, output: Value) {
        let written = match &self.step(name).output_mapping {
            Some(mapping) => self.eval(mapping, Some(&output)),
            None => output,
        };
        self.data.extend(written.as_object().unwrap().clone());
    }
}

fn source(n: u32, score: f64) -> Value {
    json!({"url": format!("https://{n}.example/feed"), "title": "t", "quality_score": score})
}

fn urls(sources: &Value) -> Vec<&str> {
    sources.as_array().unwrap().iter().map(|source| source["url"].as_str().unwrap()).collect()
}

fn researched() -> Value {
    json!({
        "topic": "tides", "angles": [{"title": "moon", "query": "q", "keywords": []}],
        "sources": [source(1, 0.9), source(2, 0.8)], "avg_quality_score": 0.85,
        "sources_discovered": 2, "cost_usd": 0,
    })
}

#[test]
fn a_topic_becomes_a_report() {
    let mut walk = Walk::new("rss_intelligence_pipeline", json!({"report_type": "brief"}));
    assert_eq!(
        walk.input("topic_research"),
        json!({"topic": "tides", "depth": 3, "min_quality": 0.3})
    );
    assert_eq!(walk.input("source_curation"), json!({"topic": "tides", "max_feeds": 20}));
    walk.answer("topic_research", researched());
    walk.answer("source_curation", json!({"sources": [source(2, 0.7), source(3, 0.6)]}));
    assert!(!walk.data.contains_key("sources"), "neither of them writes what both are merged to");

    walk.answer("merge_sources", walk.input("merge_sources"));
    let merged = ["https://1.example/feed", "https://2.example/feed", "https://3.example/feed"];
    assert_eq!(urls(&walk.data["sources"]), merged);
    assert_eq!(walk.data["sources"][1]["quality_score"], 0.8, "of two the first is kept");

    assert!(walk.is_due("feed_fetching"));
    assert_eq!(walk.input("feed_fetching"), json!({"feed_urls": merged, "max_articles": 100}));
    let article = json!({"id": "a1", "title": "Spring tide", "url": "https://1.example/a1"});
    walk.answer("feed_fetching", json!({"articles": [article], "feeds": [], "cost_usd": 0}));

    assert!(walk.is_due("content_classification"));
    assert_eq!(
        walk.input("content_classification"),
        json!({"topic": "tides", "articles": [article], "min_relevance": 0.1})
    );
    let insights = json!({"total": 1});
    walk.answer(
        "content_classification",
        json!({"analyzed_articles": [article], "insights": insights, "quality_score": 0.7}),
    );

    assert!(walk.is_due("report_generation"));
    assert_eq!(
        walk.input("report_generation"),
        json!({
            "topic": "tides", "articles": [article], "insights": insights,
            "angles": researched()["angles"], "report_type": "brief", "format": "both",
        })
    );
    walk.answer(
        "report_generation",
        json!({
            "report": {"title": "Tides"}, "summary": "s", "key_findings": [], "artifact": {},
            "word_count": 1, "quality_score": 0.9,
        }),
    );
    let result = walk.eval(walk.definition.output_mapping.as_ref().unwrap(), None);
    assert_eq!(result["report"]["title"], "Tides");
    assert_eq!(result["sources"].as_array().map(Vec::len), Some(3));
    assert_eq!(walk.data["articles"].as_array().map(Vec::len), Some(1), "it is still counted");
}

#[test]
fn research_alone_is_enough_and_twenty_feeds_are_read_at_most() {
    let mut walk = Walk::new("rss_intelligence_pipeline", json!({}));
    let many: Vec<Value> = (0..30).map(|n| source(n, 0.5)).collect();
    walk.answer("topic_research", json!({"sources": many, "angles": []}));
    walk.answer("merge_sources", walk.input("merge_sources"));
    assert_eq!(walk.data["sources"].as_array().map(Vec::len), Some(30));
    assert_eq!(walk.input("feed_fetching")["feed_urls"].as_array().map(Vec::len), Some(20));
}

#[test]
fn where_nothing_is_found_nothing_further_is_asked() {
    let mut walk = Walk::new("rss_intelligence_pipeline", json!({}));
    walk.answer("topic_research", json!({"sources": [], "angles": []}));
    walk.answer("source_curation", json!({"sources": []}));
    walk.answer("merge_sources", walk.input("merge_sources"));
    let due = ["feed_fetching", "content_classification", "report_generation"];
    assert_eq!(due.map(|name| walk.is_due(name)), [false; 3]);
    let result = walk.eval(walk.definition.output_mapping.as_ref().unwrap(), None);
    assert_eq!(result["sources"], json!([]));
    assert_eq!(result["report"], Value::Null);
}

/// What differs from the template that asks nobody is the review and what follows from it.
#[test]
fn the_reviewed_report_is_the_usual_one_after_an_approval() {
    let mut walk = Walk::new("reviewed_intelligence_pipeline", json!({"report_type": "brief"}));
    let usual = Walk::new("rss_intelligence_pipeline", json!({}));
    for step in &usual.definition.steps {
        let same = StepDefinition {
            order: step.order,
            depends_on: step.depends_on.clone(),
            ..walk.step(&step.name).clone()
        };
        assert_eq!(&same, step);
    }
    assert_eq!(walk.definition.steps.len(), usual.definition.steps.len() + 1);
    assert_eq!(walk.definition.cache_ttl_s, Some(0), "no approval counts for another execution");
    assert!(!walk.is_due("review") && !walk.is_due("report_generation"), "there is nothing yet");

    let article = json!({"id": "a1", "title": "Spring tide", "url": "https://1.example/a1"});
    let classified = json!({"analyzed_articles": [article], "insights": {}, "quality_score": 0.7});
    walk.answer("content_classification", classified);
    assert!(walk.is_due("review"));
    let plan = Plan::compile(&walk.definition).unwrap();
    let review = plan.step(plan.find("review").unwrap());
    let Kind::Wait(wait) = &review.kind else { panic!("{:?}", review.kind) };
    assert_eq!(wait.of.signal(), Some("review"));
    assert_eq!(wait.timeout, Some(Millis::from_secs(3 * 24 * 3600)));

    walk.answer("review", json!({"approved": true, "by": "ada", "report_type": "detailed"}));
    let input = walk.input("report_generation");
    assert_eq!(input["report_type"], "brief", "what the reviewer says is kept apart");
    assert_eq!(input["articles"], json!([article]));
    let result = walk.eval(walk.definition.output_mapping.as_ref().unwrap(), None);
    assert_eq!(result["review"]["by"], "ada");
}

#[test]
fn basic_research_leaves_its_sources_in_data() {
    let mut walk = Walk::new("basic_research_pipeline", json!({}));
    assert_eq!(walk.input("topic_research")["depth"], 3);
    walk.answer("topic_research", researched());
    assert_eq!(walk.data["sources"].as_array().map(Vec::len), Some(2));
    assert_eq!(walk.data["avg_quality_score"], 0.85);
}
