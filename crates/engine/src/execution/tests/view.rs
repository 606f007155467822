//! What a step sees of the others: its ancestors alone, and of two writers the later one.

use serde_json::json;

use super::story::{Shape, Story, http, step, template, terms, transform};

#[test]
fn a_step_sees_what_it_depends_on_and_nothing_else() {
    let all = |name: &str| step(name).edit(|step| step.input_mapping = None);
    let mut story = Story::begin(vec![
        step("a"),
        step("b"),
        all("of_a").after(&["a"]),
        all("of_that").after(&["of_a"]),
    ]);
    story.succeed("b", json!({"b": 1}));
    story.succeed("a", json!({"a": 1}));
    assert_eq!(story.sent("of_a"), &json!({"topic": "bees", "a": 1}), "`b` is no ancestor");
    story.succeed("of_a", json!({"c": 1}));
    assert_eq!(story.sent("of_that"), &json!({"topic": "bees", "a": 1, "c": 1}));
}

#[test]
fn what_a_step_sees_does_not_hang_on_who_was_quicker() {
    let merge =
        || transform("merge", json!({"seen": "=[data.n, has(data.late)]"})).after(&["a", "b"]);
    let mut seen = Vec::new();
    for order in [["a", "b", "late"], ["late", "b", "a"], ["b", "late", "a"]] {
        let mut story = Story::begin(vec![step("a"), step("b"), step("late"), merge()]);
        for name in order {
            let output = if name == "late" { json!({"late": 1}) } else { json!({"n": name}) };
            story.succeed(name, output);
        }
        seen.push(story.state.result().unwrap()["seen"].clone());
    }
    assert_eq!(seen, vec![json!(["b", false]); 3], "the later in plan order counts");
}

#[test]
fn an_output_mapping_decides_what_goes_into_data() {
    let maps = step("a").writes(json!({
        "urls": "$.sources[*].url", "n": "=size(output.sources)", "said": "=data.topic",
    }));
    let mut story = Story::begin(vec![maps]);
    story.succeed("a", json!({"sources": [{"url": "u"}, {"url": "v"}], "secret": 1}));
    let data = story.state.result().unwrap();
    assert_eq!(data, json!({"topic": "bees", "urls": ["u", "v"], "n": 2, "said": "bees"}));
    assert!(story.step("a").output.as_ref().unwrap().value().unwrap()["secret"] == 1);
}

#[test]
fn an_output_that_is_no_object_goes_under_the_steps_name() {
    for output in [json!([1, 2]), json!("text"), json!(null), json!(7.5)] {
        let mut story = Story::begin(vec![step("a")]);
        story.succeed("a", output.clone());
        assert_eq!(story.state.result().unwrap()["a"], output);
    }
}

#[test]
fn the_requests_input_is_where_data_begins_and_steps_may_write_over_it() {
    let request = json!({"topic": "bees", "input": {"feeds": ["f"], "n": 1}});
    let writes = vec![step("a").sends(json!("$")), step("b").after(&["a"]).sends(json!("$"))];
    let mut story = Story::asked(template(writes), terms(), request, 9);
    assert_eq!(story.sent("a"), &json!({"topic": "bees", "feeds": ["f"], "n": 1}));
    story.succeed("a", json!({"n": 2}));
    assert_eq!(story.sent("b")["n"], 2);
    assert_eq!(story.calls[0].body.as_ref().unwrap()["n"], 1, "what was sent stays what it was");
}

#[test]
fn steps_can_be_read_by_name_with_their_fate() {
    let asks = json!({
        "a": "=steps.a.output.n", "of": "=steps.a.status", "cost": "=steps.a.cost_usd",
        "why": "=steps.extra.error.code", "left": "=steps.extra.status",
        "ms": "=steps.a.duration_ms",
    });
    let mut story = Story::begin(vec![
        step("a"),
        step("extra").optional(),
        transform("t", asks).after(&["a", "extra"]),
    ]);
    story.fail("extra", http(400));
    story.wait(1_500);
    story.answer(story.fence("a"), Ok(json!({"n": 3})), Some(250_000));
    let data = story.state.result().unwrap();
    let told = |key: &str| data[key].clone();
    assert_eq!((told("a"), told("of"), told("cost")), (json!(3), json!("succeeded"), json!(0.25)));
    assert_eq!((told("why"), told("left")), (json!("worker.refused"), json!("skipped")));
    assert_eq!(told("ms"), json!(1_500));
}

#[test]
fn a_step_that_is_no_ancestor_cannot_be_read_by_name() {
    let asks = transform("t", json!({"n": "=has(steps.b)"})).after(&["a"]);
    let mut story = Story::begin(vec![step("a"), step("b"), asks]);
    story.succeed("b", json!({}));
    story.succeed("a", json!({}));
    assert_eq!(story.state.result().unwrap()["n"], false);
}
