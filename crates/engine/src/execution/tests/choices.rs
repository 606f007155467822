//! Which of several workers is asked, and what optimisations came to.

use serde_json::{Value, json};

use super::kinds::{Settings, child, map, over, with_inner};
use super::story::{Shape, Story, at, http, step, template, terms, usd};
use crate::execution::{Choice, Input, Optimization, Saved, Terms};
use crate::plan::definition::{StepDefinition, TemplateDefinition, WorkerDefinition};
use crate::time::Millis;

/// Steps of `first`, which `cheap`, `quick` and `good` can do as well.
fn chosen(step: StepDefinition) -> StepDefinition {
    step.worker("first").set("alternatives", json!(["cheap", "quick", "good", "unknown"]))
}

fn with_workers(steps: Vec<StepDefinition>) -> TemplateDefinition {
    let mut template = template(steps);
    let worker = |cost: u64, took_ms: u64, quality: f64| WorkerDefinition {
        estimated_cost: Some(usd(cost)),
        avg_response_time_ms: Some(took_ms),
        quality_score: Some(quality),
        endpoints: vec!["/other".to_owned()],
        ..template.workers["w"].clone()
    };
    let known = [
        ("first", worker(100, 900, 0.5)),
        ("cheap", worker(20, 2_000, 0.4)),
        ("quick", worker(200, 100, 0.6)),
        ("good", worker(300, 800, 0.9)),
        ("unknown", template.workers["w"].clone()),
    ];
    template.workers.extend(known.map(|(name, worker)| (name.to_owned(), worker)));
    template
}

fn choosing(choice: Choice) -> Terms {
    Terms { choice, ..terms() }
}

fn made(story: &Story, kind: &str) -> Option<Optimization> {
    let made = story.state.summary(story.now).optimizations;
    made.into_iter().find(|made| made.kind.as_str() == kind)
}

fn saved(micros: u64, ms: u64) -> Saved {
    Saved { cost: usd(micros), duration: Millis::new(ms) }
}

#[test]
fn the_terms_choose_the_worker_and_the_summary_says_what_that_saved() {
    for (choice, worker, reserved, word, expected) in [
        (Choice::Declared, "first", 100, None, saved(0, 0)),
        (Choice::Cheapest, "cheap", 20, Some("cheapest_worker"), saved(80, 0)),
        (Choice::Fastest, "quick", 200, Some("fastest_worker"), saved(0, 800)),
        (Choice::Best, "good", 300, Some("best_worker"), saved(0, 100)),
    ] {
        let mut story = Story::of(with_workers(vec![chosen(step("a"))]), choosing(choice));
        assert_eq!(story.calls[0].worker, worker);
        assert_eq!(story.state.reserved.as_micros(), reserved);
        assert_eq!(story.calls[0].endpoint, "/other");
        let Some(word) = word else { continue };
        assert_eq!(made(&story, word), None, "it has done nothing yet");
        story.succeed("a", json!({}));
        let made = made(&story, word).unwrap();
        assert_eq!((made.steps, made.saved), (vec!["a".to_owned()], expected), "{choice:?}");
    }
}

#[test]
fn a_step_whose_first_worker_is_the_best_choice_saved_nothing_by_it() {
    let mut story =
        Story::of(with_workers(vec![step("a").worker("cheap")]), choosing(Choice::Cheapest));
    story.succeed("a", json!({}));
    assert_eq!(made(&story, "cheapest_worker"), None);
}

#[test]
fn a_map_saves_by_each_element_that_the_chosen_worker_did() {
    let steps = vec![chosen(map("m")).fallback("first")];
    let mut story = over(json!([1, 2, 3, 4]), with_workers(steps), choosing(Choice::Cheapest));
    story.succeed_at("m[0]", json!(1));
    story.succeed_at("m[1]", json!(1));
    story.remember_at("m[2]", json!(1), 7, 9);
    story.fail_at("m[3]", http(400));
    assert_eq!(story.calls.last().unwrap().worker, "first");
    story.succeed_at("m[3]", json!(1));
    let made = made(&story, "cheapest_worker").unwrap();
    assert_eq!((made.steps, made.saved), (vec!["m".to_owned()], saved(160, 0)));
}

#[test]
fn what_a_fallback_did_is_not_what_was_chosen() {
    let steps = vec![chosen(step("a")).fallback("good")];
    let mut story = Story::of(with_workers(steps), choosing(Choice::Cheapest));
    story.fail("a", http(400));
    story.succeed("a", json!({}));
    assert_eq!(made(&story, "cheapest_worker"), None);
    assert_eq!(made(&story, "fallback_worker").unwrap().steps, ["a"]);
}

#[test]
fn steps_that_are_left_out_save_their_estimates_as_far_as_anybody_knows() {
    let steps = vec![
        chosen(step("extra")).optional(),
        map("m").worker("first").optional(),
        child("c").when(json!("false")),
        step("never").worker("quick").when(json!("false")),
    ];
    let lean = Terms { skip_optional: true, ..terms() };
    let mut template = with_workers(steps);
    template = with_inner(template, vec![step("i").worker("paid")]);
    let story = over(json!([1, 2]), template, lean);
    assert_eq!(story.ended(), "completed");
    let optional = made(&story, "optional_steps_skipped").unwrap();
    assert_eq!(optional.steps, ["extra", "m"]);
    assert_eq!(optional.saved, saved(100, 900), "nobody knows how many elements there were");
    let conditional = made(&story, "conditional_steps_skipped").unwrap();
    assert_eq!(conditional.steps, ["c", "never"]);
    assert_eq!(conditional.saved, saved(300, 100), "a child costs its steps at least");
}

#[test]
fn steps_side_by_side_save_the_time_that_they_share() {
    let mut story = Story::begin(vec![step("a"), step("b"), step("c").after(&["a", "b"])]);
    story.now = at(4_000);
    story.succeed("a", json!({}));
    story.now = at(6_000);
    story.succeed("b", json!({}));
    story.now = at(9_000);
    story.succeed("c", json!({}));
    assert_eq!(made(&story, "parallel_processing").unwrap().saved, saved(0, 4_000));
}

#[test]
fn elements_of_one_map_are_side_by_side_as_well() {
    let mut story = over(json!([1, 2, 3]), template(vec![map("m")]), terms());
    for (path, ms) in [("m[0]", 1_000), ("m[1]", 2_000), ("m[2]", 3_000)] {
        story.now = at(ms);
        story.succeed_at(path, json!(1));
    }
    assert_eq!(made(&story, "parallel_processing").unwrap().saved, saved(0, 3_000));
}

#[test]
fn time_between_things_that_were_done_is_nobodys_saving() {
    let wait = super::kinds::wait("w", json!({"delay_ms": 60_000})).after(&["a"]);
    let mut story = Story::begin(vec![step("a"), step("b"), wait, step("c").after(&["w"])]);
    story.now = at(1_000);
    story.succeed("a", json!({}));
    story.succeed("b", json!({}));
    story.wait(60_000);
    story.wait(500);
    story.succeed("c", json!({}));
    assert_eq!(story.ended(), "completed");
    assert_eq!(made(&story, "parallel_processing").unwrap().saved, saved(0, 1_000));
}

#[test]
fn losers_that_never_began_save_their_estimates() {
    let steps = vec![
        step("a"),
        step("b").worker("first"),
        step("c").worker("quick").after(&["b"]),
        step("j").after(&["a", "c"]).set("join", json!("any")).set("losers", json!("cancel")),
    ];
    let mut story = Story::of(with_workers(steps), terms());
    story.succeed("a", json!({}));
    story.succeed("j", json!({}));
    let losers = made(&story, "losers_cancelled").unwrap();
    assert_eq!((losers.steps, losers.saved), (vec!["b".into(), "c".into()], saved(200, 100)));
}

#[test]
fn an_answer_from_the_cache_of_steps_is_marked_and_counts_for_nothing_else() {
    let mut story = Story::of(with_workers(vec![chosen(step("a"))]), choosing(Choice::Cheapest));
    story.remember_at("a", json!({"x": 1}), 18, 1_500);
    assert_eq!((story.ended(), story.state.spent.as_micros()), ("completed", 0));
    assert_eq!(made(&story, "step_cache").unwrap().saved, saved(18, 1_500));
    assert_eq!(made(&story, "cheapest_worker"), None, "nobody was asked");
    let result: Value = story.state.result().unwrap();
    assert_eq!(result["x"], json!(1));
    assert!(!story.state.is_cache_hit(), "that is about whole executions");
    assert!(story.input(Input::Tick).is_err());
}
