//! Requests: what fits, what does not, and what the labels come to.

use std::sync::Arc;

use engine::plan::Plan;

use super::*;
use crate::extract::parse;

fn published(input_schema: Value) -> PublishedPlan {
    let definition: TemplateDefinition = serde_json::from_value(json!({
        "name": "t", "deadline_ms": 100_000, "input_schema": input_schema,
        "steps": [{ "name": "a", "order": 1, "kind": "transform", "input_mapping": {} }],
    }))
    .unwrap();
    let plan = Plan::compile(&definition).unwrap();
    PublishedPlan {
        plan: Arc::new(plan),
        revision: 1,
        content_hash: input_schema_hash(&definition),
        definition_json: "{}".into(),
        definition: Arc::new(definition),
    }
}

fn input_schema_hash(definition: &TemplateDefinition) -> String {
    definition.input_schema.as_ref().map(ToString::to_string).unwrap_or_default()
}

fn policy() -> Policy {
    let strategy =
        |name: &str, label: &str, parallel: u32, cached: bool, deadline_ms: u64| Strategy {
            name: name.to_owned(),
            label: label.to_owned(),
            max_parallel_steps: parallel,
            skip_optional_steps: name == "speed",
            use_cache: cached,
            max_retries: (name == "speed").then_some(1),
            deadline_ms,
            description: String::new(),
        };
    Policy {
        strategies: vec![
            strategy("speed", "speed_optimized", 16, true, 90_000),
            strategy("quality", "quality_optimized", 8, false, 300_000),
            strategy("balanced", "balanced", 8, true, 150_000),
        ],
        quality_levels: vec![QualityLevel {
            name: "standard".to_owned(),
            source_discovery_depth: 3,
            max_articles: 100,
            min_quality: 0.3,
            description: String::new(),
        }],
        urgency_levels: vec![
            UrgencyLevel {
                name: "critical".to_owned(),
                deadline_ms: Some(30_000),
                priority: 3,
                description: String::new(),
            },
            UrgencyLevel {
                name: "low".to_owned(),
                deadline_ms: None,
                priority: 0,
                description: String::new(),
            },
            UrgencyLevel {
                name: "medium".to_owned(),
                deadline_ms: Some(60_000),
                priority: 1,
                description: String::new(),
            },
        ],
    }
}

fn config() -> Config {
    Config::read(|name| (name == "MAX_PIPELINE_TIME_SECONDS").then(|| "120".to_owned()))
}

fn asked(body: Value) -> Asked {
    let published = published(Value::Null);
    let document = parse(body.to_string().as_bytes()).unwrap();
    let request = examine(document, &published).unwrap();
    let at = Timestamp::from_millis(1_763_719_200_000);
    settle(request, &published.definition, &policy(), &config(), at).unwrap()
}

fn refused(body: Value, schema: Value) -> (&'static str, Vec<(String, String)>) {
    let document = parse(body.to_string().as_bytes()).unwrap();
    let error = examine(document, &published(schema)).unwrap_err();
    let code = error.code().as_str();
    let reply = error.reply("r", String::new());
    (code, reply.violations.into_iter().map(|v| (v.pointer, v.code)).collect())
}

fn places(found: &[(String, String)]) -> Vec<(&str, &str)> {
    found.iter().map(|(pointer, code)| (pointer.as_str(), code.as_str())).collect()
}

#[test]
fn a_bare_topic_gets_the_defaults() {
    let asked = asked(json!({ "topic": "  rust  " }));
    assert_eq!(
        asked.document,
        json!({
            "topic": "rust", "urgency": "medium", "quality_level": "standard",
            "optimize_for": "balanced", "enable_parallel_processing": true,
            "source_discovery_depth": 3, "max_articles": 100, "min_quality": 0.3,
            "time_range": null, "since": null, "output_format": "both", "input": {},
            "use_cache": true,
        })
    );
    assert_eq!(asked.terms.strategy, "balanced");
    assert_eq!(asked.terms.parallelism, 8);
    assert_eq!(asked.terms.deadline, Millis::from_secs(60), "the urgency's");
    assert_eq!(asked.terms.budget, MicroUsd::from_usd(0.5));
    assert!(asked.use_cache && !asked.asynchronous);
}

#[test]
fn what_the_request_says_goes_before_the_rows() {
    let asked = asked(json!({
        "topic": "x", "optimize_for": "quality", "urgency": "low", "max_articles": 7,
        "enable_parallel_processing": false, "budget_limit": 0.07, "async": true,
        "time_range": "24h", "output_format": "markdown", "input": { "n": 1 },
    }));
    assert_eq!(asked.terms.parallelism, 1);
    assert_eq!(asked.budget.as_micros(), 70_000);
    assert!(asked.asynchronous);
    assert!(!asked.use_cache, "quality goes past the cache");
    assert_eq!(asked.document["max_articles"], 7);
    assert_eq!(asked.document["since"], "2025-11-20T10:00:00.000Z");
    assert_eq!(asked.document["output_format"], "markdown");
    assert_eq!(asked.document["input"], json!({ "n": 1 }));
    assert_eq!(asked.terms.deadline, Millis::from_secs(100), "the template's");
    assert_eq!(asked.terms.retries_max, None);
}

#[test]
fn no_deadline_is_longer_than_the_environment_allows() {
    let deadline = |body: Value| asked(body).terms.deadline.get();
    assert_eq!(deadline(json!({ "topic": "x", "deadline_minutes": 0.5 })), 30_000);
    assert_eq!(deadline(json!({ "topic": "x", "deadline_minutes": 1000 })), 100_000);
    assert_eq!(deadline(json!({ "topic": "x", "optimize_for": "speed" })), 60_000);
}

#[test]
fn a_critical_request_has_the_emergency_budget_unless_it_names_one() {
    let budget = |body: Value| asked(body).budget.as_usd();
    assert_eq!(budget(json!({ "topic": "x", "urgency": "critical" })), 2.0);
    let named = json!({ "topic": "x", "urgency": "critical", "budget_limit": 0.25 });
    assert_eq!(budget(named), 0.25);
}

#[test]
fn a_missing_topic_is_told_with_everything_else_that_does_not_fit() {
    let (code, found) = refused(json!({ "budget_limit": -1 }), Value::Null);
    assert_eq!(code, "topic.missing");
    assert_eq!(places(&found), [("/topic", "required"), ("/budget_limit", "minimum")]);
    assert_eq!(refused(json!({ "topic": null }), Value::Null).0, "topic.missing");
    let (code, found) = refused(json!({ "topic": " \t " }), Value::Null);
    assert_eq!((code, &places(&found)[..]), ("request.invalid", &[("/topic", "length")][..]));
    let long = json!({ "topic": "x".repeat(501) });
    assert_eq!(places(&refused(long, Value::Null).1), [("/topic", "length")]);
}

#[test]
fn topics_are_measured_in_characters_without_surrounding_space() {
    let topic = format!("  {}  ", "ü".repeat(500));
    assert_eq!(asked(json!({ "topic": topic })).document["topic"], "ü".repeat(500));
}

#[test]
fn input_is_checked_against_the_schema_of_the_template() {
    let schema = json!({
        "type": "object", "required": ["url"], "properties": { "n": { "maximum": 3 } },
    });
    let (code, found) = refused(json!({ "topic": "x", "input": { "n": 4 }, "urg": 1 }), schema);
    assert_eq!(code, "request.invalid");
    assert_eq!(
        places(&found),
        [("/urg", "unknown_field"), ("/input/n", "maximum"), ("/input/url", "required")]
    );
    let needs_url = json!({ "required": ["url"] });
    assert_eq!(
        places(&refused(json!({ "topic": "x" }), needs_url).1),
        [("/input/url", "required")]
    );
    let (code, found) = refused(json!({ "topic": "x" }), json!({ "type": "nonsense" }));
    assert_eq!(code, "template.invalid");
    assert_eq!(places(&found), [("/input_schema", "schema.invalid")]);
}

#[test]
fn a_template_can_free_its_requests_from_a_topic() {
    let published = published(json!({ "type": "object", "x-topic-required": false }));
    let document = parse(b"{}").unwrap();
    let request = examine(document, &published).unwrap();
    let at = Timestamp::from_millis(0);
    let asked = settle(request, &published.definition, &policy(), &config(), at).unwrap();
    assert_eq!(asked.document["topic"], Value::Null);
}

#[test]
fn a_missing_policy_row_is_no_fault_of_the_client() {
    let published = published(Value::Null);
    let document = parse(br#"{"topic":"x","quality_level":"premium"}"#).unwrap();
    let request = examine(document, &published).unwrap();
    let at = Timestamp::from_millis(0);
    let error = settle(request, &published.definition, &policy(), &config(), at).unwrap_err();
    assert_eq!(error.code().as_str(), "database.policy_missing");
}
