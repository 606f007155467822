//! The figures of an execution: counts, quality, and what made it cheaper or faster.

use serde_json::{Value, json};

use super::story::{Shape, Story, http, step, template, terms};
use crate::execution::Terms;
use crate::time::Millis;

fn quality(story: &Story) -> Option<f64> {
    story.state.summary(story.now).figures.quality
}

fn finished(outputs: &[(&str, Value)]) -> Story {
    let mut story = Story::begin(outputs.iter().map(|(name, _)| step(name)).collect());
    for (name, output) in outputs {
        story.succeed(name, output.clone());
    }
    story
}

#[test]
fn sources_and_articles_are_the_sizes_of_their_arrays() {
    let story = finished(&[
        ("a", json!({"sources": [1, 2, 3]})),
        ("b", json!({"articles": [1], "other": [1, 2]})),
    ]);
    let figures = story.state.summary(story.now).figures;
    assert_eq!((figures.sources_discovered, figures.articles_processed), (3, 1));
    let story = finished(&[("a", json!({"sources": {"no": "array"}}))]);
    assert_eq!(story.state.summary(story.now).figures.sources_discovered, 0);
}

#[test]
fn quality_is_the_mean_of_what_steps_say_times_the_share_that_succeeded() {
    let story = finished(&[
        ("a", json!({"quality_score": 0.9, "avg_quality_score": 0.1})),
        ("b", json!({"avg_quality_score": 0.6})),
        ("c", json!({"other": 1})),
    ]);
    assert_eq!(quality(&story), Some(0.75));
    let nobody = finished(&[("a", json!({})), ("b", json!({"quality_score": "high"}))]);
    assert_eq!(quality(&nobody), None);
    let absurd =
        finished(&[("a", json!({"quality_score": 17})), ("b", json!({"quality_score": 1}))]);
    assert_eq!(quality(&absurd), Some(1.0), "a score is from 0 to 1");
}

#[test]
fn failed_steps_lower_the_quality_and_left_out_ones_do_not() {
    let lean = Terms { skip_optional: true, ..terms() };
    let steps = vec![
        step("a"),
        step("extra").optional(),
        step("never").when(json!("false")),
        step("odd").optional().edit(|step| step.optional = false),
    ];
    let mut story = Story::of(super::story::tolerant(steps), lean);
    story.succeed("a", json!({"quality_score": 0.8}));
    story.fail("odd", http(400));
    assert_eq!(story.ended(), "partial");
    assert_eq!(quality(&story), Some(0.4), "one of two wanted steps succeeded");
}

#[test]
fn an_execution_says_what_made_it_cheaper_or_faster() {
    let words = |story: &Story| -> Vec<&str> {
        let made = story.state.summary(story.now).optimizations;
        made.iter().map(|made| made.kind.as_str()).collect()
    };
    let story = finished(&[("a", json!({})), ("b", json!({}))]);
    assert_eq!(words(&story), ["parallel_processing"]);
    let one = Terms { parallelism: 1, skip_optional: true, ..terms() };
    let steps = vec![
        step("a").fallback("other"),
        step("extra").optional(),
        step("never").when(json!("false")),
    ];
    let mut story = Story::of(template(steps), one);
    story.fail("a", http(503));
    assert!(!words(&story).contains(&"fallback_worker"), "it has not helped yet");
    story.succeed("a", json!({}));
    let expected = ["optional_steps_skipped", "conditional_steps_skipped", "fallback_worker"];
    assert_eq!(words(&story), expected);
}

#[test]
fn the_duration_goes_from_the_start_to_the_end_or_to_now() {
    let mut story = Story::begin(vec![step("a")]);
    story.wait(700);
    assert_eq!(story.state.summary(story.now).duration, Millis::new(700));
    story.succeed("a", json!({}));
    story.now = story.now.plus(Millis::from_secs(60));
    assert_eq!(story.state.summary(story.now).duration, Millis::new(700));
}
