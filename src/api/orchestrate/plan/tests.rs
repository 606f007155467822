//! Plans: the same request under each strategy, and what is refused.

use std::sync::Arc;

use serde_json::{Value, json};

use super::super::ask::tests::{config, policy};
use super::*;

/// Two independent steps that either of three workers can do, one optional step, and an end.
fn published() -> PublishedPlan {
    let worker = |cost: u64, ms: u64, quality: f64| {
        json!({ "base_url": "https://w.test", "endpoints": ["/do"], "active": true,
            "estimated_cost": cost, "avg_response_time_ms": ms, "quality_score": quality })
    };
    let step = |name: &str, needs: &[&str]| {
        json!({ "name": name, "order": 1, "worker": "usual", "depends_on": needs,
            "config": { "alternatives": ["cheap", "fast", "fine"] },
            "retry": { "max_retries": 2, "jitter": false } })
    };
    let mut extra = step("extra", &["a"]);
    extra["optional"] = json!(true);
    let definition = serde_json::from_value(json!({
        "name": "t", "steps": [step("a", &[]), step("b", &[]), extra, step("end", &["a", "b"])],
        "workers": {
            "usual": worker(50_000, 1_000, 0.7), "cheap": worker(10_000, 3_000, 0.5),
            "fast": worker(90_000, 200, 0.6), "fine": worker(200_000, 4_000, 0.95),
        },
    }));
    let definition: engine::plan::definition::TemplateDefinition = definition.unwrap();
    PublishedPlan {
        plan: Arc::new(Plan::compile(&definition).unwrap_or_else(|found| panic!("{found:#?}"))),
        revision: 3,
        content_hash: "h".to_owned(),
        definition_json: "{}".into(),
        definition: Arc::new(definition),
    }
}

fn plan(body: Value) -> Value {
    let request = serde_json::from_value(body).unwrap();
    let measured = Measurements::default();
    let reply = reply(&request, &published(), &policy(), &config(), &measured).unwrap();
    serde_json::to_value(reply).unwrap()
}

fn lacks(body: Value) -> Option<Shortfall> {
    let request = serde_json::from_value(body).unwrap();
    shortfall(&request, &published(), &policy(), &config()).unwrap()
}

#[test]
fn the_same_request_under_each_strategy_is_another_plan() {
    let figures = |strategy: &str| {
        let plan = plan(json!({ "optimize_for": strategy, "urgency": "low" }));
        let worker = plan["steps"][0]["worker_name"].as_str().unwrap().to_owned();
        let least = plan["cost"]["least_usd"].as_f64().unwrap();
        (worker, least, plan["time"]["expected_ms"].as_u64().unwrap())
    };
    assert_eq!(figures("speed"), ("fast".to_owned(), 0.27, 400));
    assert_eq!(figures("cost"), ("cheap".to_owned(), 0.03, 6_000));
    assert_eq!(figures("quality"), ("fine".to_owned(), 0.8, 8_000));
    assert_eq!(figures("balanced"), ("usual".to_owned(), 0.2, 2_000));
}

#[test]
fn a_plan_shows_its_steps_in_the_order_in_which_they_start() {
    let plan = plan(json!({ "optimize_for": "cost" }));
    let steps = plan["steps"].as_array().unwrap();
    let starts: Vec<u64> = steps.iter().map(|step| step["starts_ms"].as_u64().unwrap()).collect();
    assert!(starts.is_sorted(), "{starts:?}");
    let named = |name: &str| steps.iter().find(|step| step["step_name"] == name).unwrap();
    assert_eq!(named("extra")["fate"], "left_out");
    assert_eq!(named("end")["depends_on_steps"], json!(["a", "b"]));
    assert_eq!(named("a")["alternatives"], json!(["usual", "fast", "fine"]));
    assert_eq!(named("a")["max_attempts"], 2, "the strategy allows one retry");
    assert_eq!(plan["terms"]["worker_choice"], "cheapest");
    assert_eq!(plan["template_revision"], 3);
}

#[test]
fn the_verdict_says_whether_the_budget_is_enough() {
    let verdict = |limit: f64| {
        let plan = plan(json!({ "budget_limit": limit }));
        plan["budget"]["verdict"].as_str().unwrap().to_owned()
    };
    assert_eq!([0.1, 0.2, 0.59, 0.6].map(verdict), ["too_small", "tight", "tight", "enough"]);
    let each = plan(json!({ "budget_limit": 0.1 }));
    let verdicts: Vec<(&str, &str)> = each["strategies"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| (row["optimize_for"].as_str().unwrap(), row["budget_verdict"].as_str().unwrap()))
        .collect();
    assert_eq!(
        verdicts,
        [
            ("speed", "too_small"),
            ("cost", "enough"),
            ("quality", "too_small"),
            ("balanced", "too_small")
        ]
    );
}

#[test]
fn a_deadline_shorter_than_what_is_expected_is_told() {
    let verdict = |minutes: f64| {
        let plan = plan(json!({ "deadline_minutes": minutes, "optimize_for": "quality" }));
        plan["deadline"]["verdict"].as_str().unwrap().to_owned()
    };
    assert_eq!([0.1, 1.0].map(verdict), ["short", "tight"]);
}

#[test]
fn what_no_way_through_the_plan_is_as_cheap_as_is_refused_with_a_way_out() {
    assert_eq!(lacks(json!({ "topic": "x", "budget_limit": 0.2 })), None);
    let found = lacks(json!({ "topic": "x", "budget_limit": 0.19 })).unwrap();
    let reply = ApiError::BudgetTooSmall(Box::new(found)).reply("r", String::new());
    assert!(
        reply.detail.contains("0.2 USD") && reply.detail.contains("(usual)"),
        "{}",
        reply.detail
    );
    let cheaper = "Choose \"optimize_for\": \"cost\", which needs 0.03 USD.";
    assert!(reply.retry_suggestions.iter().any(|text| text == cheaper));
}
