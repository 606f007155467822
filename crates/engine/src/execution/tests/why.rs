//! Why an execution is not moving.

use serde_json::json;

use super::story::{Shape, Story, at, http, retries, step, template, terms, usd};
use crate::execution::{Blocker, Terms};

fn why(story: &Story) -> Vec<(String, Blocker)> {
    story.state.why(story.now).into_iter().map(|held| (held.step, held.by)).collect()
}

fn named(step: &str, by: Blocker) -> (String, Blocker) {
    (step.to_owned(), by)
}

#[test]
fn each_unfinished_step_says_what_it_waits_for() {
    let one = Terms { parallelism: 2, ..terms() };
    let mut story = Story::of(
        template(vec![
            step("a"),
            step("b").retry(retries(1)),
            step("c"),
            step("d").after(&["a", "b"]),
        ]),
        one,
    );
    story.fail("b", http(503));
    let both = Blocker::Dependencies(vec!["a".to_owned(), "b".to_owned()]);
    let fence = story.fence("a");
    assert_eq!(
        why(&story),
        [
            named("a", Blocker::Answer(fence)),
            named("b", Blocker::Retry),
            named("c", Blocker::Parallelism),
            named("d", both),
        ]
    );
    let moments: Vec<_> = story.state.why(story.now).iter().map(|held| held.next_at).collect();
    assert_eq!(moments, [Some(at(20_000)), Some(at(1_000)), None, None]);
}

#[test]
fn money_and_drivers_are_named_too() {
    let little = Terms { budget: Some(usd(150)), ..terms() };
    let steps = vec![step("a").worker("paid"), step("b").worker("paid"), step("c")];
    let request = json!({"topic": "bees"});
    let mut story = Story::asked(template(steps), little, request, 1);
    let fence = story.fence("a");
    assert_eq!(
        why(&story),
        [
            named("a", Blocker::Answer(fence)),
            named("b", Blocker::Budget),
            named("c", Blocker::Driver),
        ]
    );
    story.slots = 9;
    story.succeed("a", json!({}));
    story.succeed("b", json!({}));
    story.succeed("c", json!({}));
    assert_eq!(why(&story), []);
}

#[test]
fn a_retry_that_is_due_and_finds_no_driver_says_so() {
    let mut story = Story::begin(vec![step("a").retry(retries(1))]);
    story.slots = 0;
    story.fail("a", http(503));
    story.wait(1_000);
    assert_eq!(why(&story), [named("a", Blocker::Driver)]);
    assert!(story.state.has_startable(story.now));
}
