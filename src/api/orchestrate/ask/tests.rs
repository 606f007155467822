//! Requests: what fits, what does not, and what the labels come to.

use std::sync::Arc;

use engine::execution::Choice;
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

/// The policy as it is shipped, with fewer quality levels.
pub(in crate::api::orchestrate) fn policy() -> Policy {
    let strategy = |name: &str, label: &str, choice, parallel, deadline_s: u64| Strategy {
        name: name.to_owned(),
        label: label.to_owned(),
        worker_choice: choice,
        max_parallel_steps: parallel,
        skip_optional_steps: matches!(name, "speed" | "cost"),
        use_cache: name != "quality",
        use_step_cache: name != "quality",
        max_retries: matches!(name, "speed" | "cost").then_some(1),
        deadline_ms: deadline_s * 1000,
        description: String::new(),
    };
    let level = |name: &str, depth, factor| QualityLevel {
        name: name.to_owned(),
        source_discovery_depth: depth,
        max_articles: 100,
        min_quality: 0.3,
        skip_optional_steps: name == "basic",
        max_retries: (name == "basic").then_some(1),
        deadline_factor: factor,
        description: String::new(),
    };
    let urgency = |name: &str, deadline_s: Option<u64>, priority| UrgencyLevel {
        name: name.to_owned(),
        deadline_ms: deadline_s.map(|seconds| seconds * 1000),
        priority,
        use_emergency_budget: name == "critical",
        description: String::new(),
    };
    Policy {
        strategies: vec![
            strategy("speed", "speed_optimized", Choice::Fastest, 16, 90),
            strategy("cost", "cost_optimized", Choice::Cheapest, 2, 180),
            strategy("quality", "quality_optimized", Choice::Best, 8, 300),
            strategy("balanced", "balanced", Choice::Declared, 8, 150),
        ],
        quality_levels: vec![
            level("basic", 2, 0.5),
            level("standard", 3, 1.0),
            level("enterprise", 5, 1.5),
        ],
        urgency_levels: vec![
            urgency("critical", Some(30), 3),
            urgency("low", None, 0),
            urgency("medium", Some(60), 1),
        ],
    }
}

pub(in crate::api::orchestrate) fn config() -> Config {
    Config::read(|name| (name == "MAX_PIPELINE_TIME_SECONDS").then(|| "120".to_owned()))
}

fn asked(body: Value) -> Asked {
    let published = published(Value::Null);
    let document = parse(body.to_string().as_bytes()).unwrap();
    let request = examine(document, &published, Purpose::Start).unwrap();
    let at = Timestamp::from_millis(1_763_719_200_000);
    settle(request, &published.definition, &policy(), &config(), at).unwrap()
}

fn refused(body: Value, schema: Value) -> (&'static str, Vec<(String, String)>) {
    let document = parse(body.to_string().as_bytes()).unwrap();
    let error = examine(document, &published(schema), Purpose::Start).unwrap_err();
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
    assert_eq!(asked.terms.budget, MicroUsd::from_usd(0.07));
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
    let budget = |body: Value| asked(body).terms.budget.unwrap().as_usd();
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
    let request = examine(document, &published, Purpose::Start).unwrap();
    let at = Timestamp::from_millis(0);
    let asked = settle(request, &published.definition, &policy(), &config(), at).unwrap();
    assert_eq!(asked.document["topic"], Value::Null);
}

#[test]
fn a_missing_policy_row_is_no_fault_of_the_client() {
    let published = published(Value::Null);
    let document = parse(br#"{"topic":"x","quality_level":"premium"}"#).unwrap();
    let request = examine(document, &published, Purpose::Start).unwrap();
    let at = Timestamp::from_millis(0);
    let error = settle(request, &published.definition, &policy(), &config(), at).unwrap_err();
    assert_eq!(error.code().as_str(), "database.policy_missing");
}

#[test]
fn each_strategy_gives_terms_of_its_own() {
    let terms = |strategy: &str| {
        let body = json!({ "topic": "x", "urgency": "low", "optimize_for": strategy });
        let Asked { terms, use_cache, .. } = asked(body);
        let Terms { choice, parallelism, skip_optional, retries_max, memo, .. } = terms;
        (choice, parallelism, skip_optional, retries_max, memo, use_cache)
    };
    assert_eq!(terms("speed"), (Choice::Fastest, 16, true, Some(1), true, true));
    assert_eq!(terms("cost"), (Choice::Cheapest, 2, true, Some(1), true, true));
    assert_eq!(terms("quality"), (Choice::Best, 8, false, None, false, false));
    assert_eq!(terms("balanced"), (Choice::Declared, 8, false, None, true, true));
}

#[test]
fn quality_levels_and_urgencies_change_terms_too() {
    let terms = |quality: &str, urgency: &str| {
        let request = serde_json::from_value(json!({
            "topic": "x", "quality_level": quality, "urgency": urgency, "optimize_for": "balanced",
        }));
        let longest = |name: &str| (name == "MAX_PIPELINE_TIME_SECONDS").then(|| "900".to_owned());
        let config = Config::read(longest);
        super::terms(&request.unwrap(), &TemplateDefinition::default(), &policy(), &config).unwrap()
    };
    let basic = terms("basic", "low");
    assert!(basic.skip_optional && basic.retries_max == Some(1), "{basic:?}");
    let deadlines = ["basic", "standard", "enterprise"].map(|q| terms(q, "low").deadline.get());
    assert_eq!(deadlines, [75_000, 150_000, 225_000]);
    let critical = terms("enterprise", "critical");
    assert_eq!((critical.deadline, critical.priority), (Millis::from_secs(30), 3));
    assert_eq!(critical.budget, MicroUsd::from_usd(2.0));
}

#[test]
fn whoever_wants_everything_computed_anew_gets_no_step_from_a_cache() {
    let asked = asked(json!({ "topic": "x", "use_cache": false }));
    assert!(!asked.terms.memo && !asked.use_cache);
}

#[test]
fn a_plan_needs_neither_topic_nor_input_and_checks_what_it_is_given() {
    let published = published(json!({ "required": ["url"] }));
    let look = |body: Value| {
        let document = parse(body.to_string().as_bytes()).unwrap();
        examine(document, &published, Purpose::Plan)
            .map_err(|error| error.reply("r", String::new()).violations.remove(0).pointer)
    };
    assert!(look(json!({})).is_ok());
    assert!(look(json!({ "pipeline_template": "t" })).is_ok());
    assert_eq!(look(json!({ "pipeline_template": "u" })), Err("/pipeline_template".to_owned()));
    assert_eq!(look(json!({ "input": {} })), Err("/input/url".to_owned()));
    assert_eq!(look(json!({ "topic": " " })), Err("/topic".to_owned()));
}
