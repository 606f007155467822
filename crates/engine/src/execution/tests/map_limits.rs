//! Maps at their limits: time, size, gates, and answers that served before.

use serde_json::json;

use super::kinds::{Settings, map, over};
use super::story::{Shape, Story, at, http, retries, step, template, terms, tolerant};
use crate::execution::{Context, Gates, Input, MAP_OUTPUT_BYTES_MAX, Saved, Unit};
use crate::plan::StepIndex;
use crate::plan::definition::RetryDefinition;
use crate::time::Millis;

fn within(total_ms: i64) -> RetryDefinition {
    RetryDefinition { total_deadline_ms: Some(total_ms), ..retries(9) }
}

#[test]
fn the_total_deadline_of_a_map_ends_it_whatever_its_elements_do() {
    let step_ = map("m").retry(within(12_000)).set("concurrency", json!(2));
    let mut story = over(json!([1, 2, 3, 4]), tolerant(vec![step_, step("b")]), terms());
    assert_eq!(story.calls[1].deadline_at, at(12_000), "no attempt outlives its map");
    story.now = at(3_000);
    story.succeed_at("m[0]", json!(1));
    story.now = at(10_500);
    story.fail_at("m[1]", http(503));
    story.wait(1_500);
    assert_eq!((story.status("m"), story.fault("m").0), ("failed", "step.deadline_exceeded"));
    assert!(story.fault("m").1.contains("step `m` did not end within"), "{:?}", story.fault("m"));
    let statuses: Vec<&str> = (0..4).map(|at| story.status_at(&format!("m[{at}]"))).collect();
    assert_eq!(statuses, ["succeeded", "cancelled", "cancelled", "cancelled"]);
    story.wait(60_000);
    assert_eq!(story.told("step_failed"), ["m", "b"], "its elements fail no second time");
}

#[test]
fn outputs_that_come_to_too_much_fail_the_map_before_it_is_put_together() {
    let text = "x".repeat(MAP_OUTPUT_BYTES_MAX / 2 + 1);
    let mut story = over(json!([1, 2, 3]), template(vec![map("m")]), terms());
    story.succeed_at("m[0]", json!(text));
    assert_eq!(story.status("m"), "running");
    story.succeed_at("m[1]", json!(text));
    assert_eq!((story.ended(), story.code()), ("failed", "map.output_too_large"));
    assert!(story.fault("m").1.contains("step `m`"), "{:?}", story.fault("m"));
    assert!(story.in_flight().is_empty());
}

#[test]
fn an_answer_from_the_cache_of_steps_costs_nothing_and_says_what_it_saved() {
    let steps = vec![map("m").worker("paid"), step("a").worker("paid")];
    let mut story = over(json!([1, 2, 3]), template(steps), terms());
    story.remember_at("m[0]", json!("a"), 90, 400);
    story.remember_at("m[2]", json!("c"), 100, 600);
    story.remember_at("a", json!({}), 80, 50);
    story.answer(story.fence_at("m[1]"), Ok(json!("b")), Some(70));
    assert_eq!((story.ended(), story.state.spent.as_micros()), ("completed", 70));
    assert_eq!(story.output("m")["results"], json!(["a", "b", "c"]));
    assert!(!story.state.cost_estimated);
    let made = story.state.summary(story.now).optimizations;
    let cache = made.iter().find(|made| made.kind.as_str() == "step_cache").unwrap();
    assert_eq!(cache.steps, ["m", "a"]);
    let saved = Saved { cost: super::story::usd(270), duration: Millis::new(1_050) };
    assert_eq!(cache.saved, saved);
    let journal = serde_json::to_value(&story.journal).unwrap();
    let marked = journal.as_array().unwrap().iter().filter(|event| event["memoised"].is_object());
    assert_eq!(marked.count(), 3);
}

#[test]
fn only_terms_and_steps_that_allow_it_ask_the_cache() {
    let ttl = |story: &Story| story.calls.iter().map(|call| call.memo).collect::<Vec<_>>();
    let steps = || vec![map("m").set("cache_ttl_s", json!(60)), step("a")];
    let story = over(json!([1]), template(steps()), terms());
    assert_eq!(ttl(&story), [None, Some(Millis::from_secs(60))]);
    let never = crate::execution::Terms { memo: false, ..terms() };
    let story = over(json!([1]), template(steps()), never);
    assert_eq!(ttl(&story), [None, None]);
}

fn gated() -> crate::plan::definition::TemplateDefinition {
    let mut template = template(vec![map("m").set("concurrency", json!(3))]);
    template.workers.get_mut("w").unwrap().max_concurrency = Some(2);
    template
}

#[test]
fn elements_of_a_gated_worker_ask_together_and_begin_in_the_order_of_their_permits() {
    let mut story = over(json!([1, 2, 3, 4]), gated(), terms());
    assert!(story.in_flight().is_empty());
    let element = |at| Unit::element(StepIndex(0), at);
    let asking = story.state.asking(&story.context(), 9);
    assert_eq!(asking, [element(0), element(1), element(2)], "as many as may be in progress");
    let mut gates = Gates::default();
    gates.passes.insert(element(1));
    let context = Context { gates: &gates, ..story.context() };
    let events = story.state.advance(&context, Input::Tick).unwrap();
    assert_eq!(events.len(), 1);
    assert_eq!(story.in_flight(), ["m[1]"], "the first has no permit yet and holds nobody back");
    let asking = story.state.asking(&story.context(), 9);
    assert_eq!(asking, [element(0), element(2)]);
    assert!(!story.state.has_startable_within(story.now, &story.context()));
}
