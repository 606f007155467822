//! Maps: which elements there are, in which order they are done, and what comes of them.

use serde_json::{Value, json};

use super::kinds::{Settings, budget, map, over};
use super::story::{Shape, Story, http, retries, step, template, terms, tolerant, transform};
use crate::execution::{Blocker, Input, Message, Terms};

fn of(list: Value, step: crate::plan::definition::StepDefinition) -> Story {
    over(list, template(vec![step]), terms())
}

#[test]
fn each_element_is_one_call_and_the_results_stand_in_the_order_of_the_items() {
    let mut story = of(json!([{"n": 1}, {"n": 2}, {"n": 3}]), map("m"));
    assert_eq!(story.in_flight(), ["m[0]", "m[1]", "m[2]"]);
    assert_eq!(story.sent("m[1]"), &json!({"n": 2}));
    for (path, output) in [("m[2]", "c"), ("m[0]", "a"), ("m[1]", "b")] {
        story.succeed_at(path, json!({ "is": output }));
    }
    let expected = json!({
        "results": [{"is": "a"}, {"is": "b"}, {"is": "c"}],
        "statuses": ["succeeded", "succeeded", "succeeded"],
        "errors": [],
    });
    assert_eq!((story.output("m"), story.ended()), (&expected, "completed"));
    assert_eq!(story.state.result().unwrap()["m"], expected["results"]);
}

#[test]
fn items_come_from_a_path_from_cel_or_from_the_template_itself() {
    let sources = [
        (json!("$.list"), 2),
        (json!("$.list[*].deep"), 2),
        (json!("=data.list.filter(x, x.deep > 1)"), 1),
        (json!("=default(data.nothing, [])"), 0),
        (json!(["one", "=data.topic", {"n": 3}]), 3),
    ];
    for (items, count) in sources {
        let step = map("m").set("items", items.clone());
        let story = of(json!([{"deep": 1}, {"deep": 2}]), step);
        assert_eq!(story.step("m").map.as_ref().unwrap().elements.len(), count, "{items}");
        assert_eq!(story.in_flight().len(), count);
    }
}

#[test]
fn a_map_over_nothing_succeeds_without_a_call() {
    let story = of(json!([]), map("m"));
    assert_eq!((story.ended(), story.calls.len()), ("completed", 0));
    assert_eq!(story.output("m"), &json!({"results": [], "statuses": [], "errors": []}));
    assert_eq!(story.told("map_started"), ["m"]);
}

#[test]
fn items_that_are_no_array_fail_the_step_with_its_name_and_field() {
    for (list, word) in [
        (json!({"a": 1}), "an object"),
        (json!("text"), "text"),
        (json!(7), "a number"),
        (json!(null), "nothing"),
        (json!(true), "true or false"),
    ] {
        let story = of(list.clone(), map("m"));
        assert_eq!((story.ended(), story.code()), ("failed", "map.not_an_array"), "{list}");
        assert!(story.fault("m").1.contains("step `m`, config.items gives"), "{list}");
        assert!(story.fault("m").1.contains(word), "{:?}", story.fault("m"));
    }
    let story = of(json!([]), map("m").set("items", json!("$.nowhere")));
    assert_eq!(story.code(), "expression.missing_value");
    assert!(story.fault("m").1.contains("step `m`, config.items"), "{:?}", story.fault("m"));
}

#[test]
fn a_map_takes_ten_thousand_elements_and_not_one_more() {
    let one = Terms { parallelism: 1, ..terms() };
    let numbers = |count: u32| json!((0..count).collect::<Vec<u32>>());
    let story = over(numbers(10_000), template(vec![map("m")]), one.clone());
    assert_eq!(story.step("m").map.as_ref().unwrap().elements.len(), 10_000);
    let story = over(numbers(10_001), template(vec![map("m")]), one);
    assert_eq!((story.ended(), story.code()), ("failed", "map.too_many_items"));
    assert!(story.fault("m").1.contains("10001 elements"), "{:?}", story.fault("m"));
}

#[test]
fn concurrency_bounds_the_elements_in_progress_retries_included() {
    let step = map("m").set("concurrency", json!(2)).retry(retries(1));
    let mut story = of(json!([1, 2, 3, 4]), step);
    assert_eq!(story.in_flight(), ["m[0]", "m[1]"]);
    story.fail_at("m[0]", http(503));
    assert_eq!(story.in_flight(), ["m[1]"], "between two attempts an element keeps its place");
    story.succeed_at("m[1]", json!(2));
    assert_eq!(story.in_flight(), ["m[2]"]);
    story.wait(1_000);
    assert_eq!(story.in_flight(), ["m[2]", "m[0]"]);
    for path in ["m[0]", "m[2]", "m[3]"] {
        story.succeed_at(path, json!(path));
    }
    assert_eq!(story.output("m")["results"], json!(["m[0]", 2, "m[2]", "m[3]"]));
}

#[test]
fn terms_of_one_step_at_a_time_do_one_element_at_a_time() {
    let one = Terms { parallelism: 1, ..terms() };
    let steps = vec![map("m").set("concurrency", json!(9)), step("b")];
    let mut story = over(json!([1, 2]), template(steps), one);
    for path in ["m[0]", "m[1]", "b"] {
        assert_eq!(story.in_flight(), [path]);
        story.succeed_at(path, json!({}));
    }
    assert_eq!(story.ended(), "completed");
    assert!(!story.state.overlapped);
}

#[test]
fn a_map_takes_one_place_of_the_steps_however_many_elements_it_has() {
    let two = Terms { parallelism: 2, ..terms() };
    let story = over(json!([1, 2, 3]), template(vec![map("m"), step("b"), step("c")]), two);
    assert_eq!(story.in_flight(), ["b", "m[0]", "m[1]", "m[2]"]);
    assert_eq!(story.status("c"), "ready");
}

#[test]
fn elements_begin_as_the_driver_has_slots() {
    let mut story = of(json!([1, 2, 3]), map("m"));
    let request = json!({"input": {"list": [1, 2, 3]}});
    let mut few = Story::asked(template(vec![map("m")]), terms(), request, 2);
    assert_eq!(few.in_flight(), ["m[0]", "m[1]"]);
    assert!(few.state.has_startable(few.now), "the next driver has more");
    few.slots = 1;
    few.succeed_at("m[1]", json!(1));
    assert_eq!(few.in_flight(), ["m[0]", "m[2]"]);
    story.succeed_at("m[0]", json!(1));
    assert!(!story.state.has_startable(story.now));
}

#[test]
fn an_element_is_retried_and_then_asked_of_the_fallback_like_any_step() {
    let mut story = of(json!([1, 2]), map("m").retry(retries(1)).fallback("other"));
    story.succeed_at("m[0]", json!("a"));
    story.fail_at("m[1]", http(503));
    assert_eq!(story.status_at("m[1]"), "retrying");
    story.wait(1_000);
    story.fail_at("m[1]", http(503));
    let last = story.calls.last().unwrap();
    assert_eq!((last.worker.as_str(), last.attempt), ("other", 3));
    assert_eq!(last.idempotency_key(), format!("{}/m[1]/1", story.state.started.id));
    story.succeed_at("m[1]", json!("b"));
    assert_eq!(story.output("m")["results"], json!(["a", "b"]));
    let made = story.state.summary(story.now).optimizations;
    let fallback = made.iter().find(|made| made.kind.as_str() == "fallback_worker").unwrap();
    assert_eq!(fallback.steps, ["m"]);
}

#[test]
fn elements_that_failed_within_what_is_tolerated_are_told_with_the_results() {
    for (field, value) in
        [("tolerated_failures", json!(2)), ("tolerated_failure_share", json!(0.5))]
    {
        let mut story = of(json!([1, 2, 3, 4]), map("m").set(field, value));
        story.fail_at("m[2]", http(404));
        story.succeed_at("m[3]", json!("d"));
        story.fail_at("m[0]", http(400));
        assert_eq!(story.status("m"), "running", "{field}");
        story.succeed_at("m[1]", json!("b"));
        let expected = json!({
            "results": [null, "b", null, "d"],
            "statuses": ["failed", "succeeded", "failed", "succeeded"],
            "errors": [
                {"index": 0, "code": "worker.refused", "message": "status 400"},
                {"index": 2, "code": "worker.refused", "message": "status 404"},
            ],
        });
        assert_eq!((story.output("m"), story.ended()), (&expected, "completed"));
    }
}

#[test]
fn one_failure_more_than_tolerated_fails_the_map_and_calls_the_rest_off() {
    let step =
        map("m").set("tolerated_failures", json!(1)).retry(retries(1)).set("concurrency", json!(4));
    let steps = vec![step, step_after("n", "m"), super::story::step("other_branch")];
    let mut story = over(json!([0, 1, 2, 3, 4, 5]), tolerant(steps), terms());
    story.succeed_at("m[0]", json!(0));
    story.fail_at("m[3]", http(503));
    story.fail_at("m[1]", http(400));
    assert_eq!(story.status("m"), "running");
    story.fail_at("m[2]", http(400));
    assert_eq!((story.status("m"), story.fault("m").0), ("failed", "map.too_many_failed"));
    assert!(story.fault("m").1.contains("step `m`: 2 of 6 elements failed; the first: status 400"));
    let statuses: Vec<&str> = (0..6).map(|at| story.status_at(&format!("m[{at}]"))).collect();
    let expected = ["succeeded", "failed", "failed", "cancelled", "cancelled", "cancelled"];
    assert_eq!(statuses, expected, "what was in flight, between attempts, or had not begun");
    assert_eq!(story.status("n"), "skipped");
    story.wait(5_000);
    assert_eq!(story.in_flight(), ["other_branch"], "no element of a failed map is tried again");
    story.succeed("other_branch", json!({}));
    assert_eq!(story.ended(), "partial");
}

fn step_after(name: &str, before: &str) -> crate::plan::definition::StepDefinition {
    step(name).after(&[before])
}

#[test]
fn the_answer_of_an_element_that_was_called_off_is_late_and_its_cost_counts() {
    let paid = map("m").worker("paid");
    let mut story = over(json!([1, 2]), tolerant(vec![paid, step("b")]), terms());
    let late = story.fence_at("m[1]");
    story.answer(story.fence_at("m[0]"), Err(http(400)), Some(7));
    assert_eq!(story.state.spent.as_micros(), 107, "the estimate until it is known");
    story.answer(late, Ok(json!("too late")), Some(30));
    assert_eq!(
        (story.told("late_answer"), story.status_at("m[1]")),
        (vec!["m[1]".to_owned()], "cancelled",)
    );
    assert_eq!(story.state.spent.as_micros(), 37);
    assert_eq!(story.step("m").cost.as_micros(), 37);
}

#[test]
fn an_output_mapping_says_what_the_results_put_into_data() {
    let writes = json!({"texts": "$.results[*].text", "bad": "=size(output.errors)"});
    let mut story = of(json!([1, 2]), map("m").writes(writes));
    story.succeed_at("m[0]", json!({"text": "a"}));
    story.succeed_at("m[1]", json!({"text": "b"}));
    let result = story.state.result().unwrap();
    assert_eq!((&result["texts"], &result["bad"]), (&json!(["a", "b"]), &json!(0)));
    assert!(result.get("m").is_none());
    let mut story = of(json!([1]), map("m").writes(json!({"x": "$.nowhere"})));
    story.succeed_at("m[0]", json!({}));
    assert_eq!((story.ended(), story.code()), ("failed", "expression.missing_value"));
    assert!(story.fault("m").1.contains("step `m`, output_mapping"), "{:?}", story.fault("m"));
}

#[test]
fn later_steps_read_the_results_by_the_steps_name() {
    let sums = transform("sum", json!({"all": "=data.m.map(r, r.n)", "of": "=steps.m.status"}));
    let steps = vec![map("m"), sums.after(&["m"])];
    let mut story = over(json!([1, 2]), template(steps), terms());
    story.succeed_at("m[1]", json!({"n": 2}));
    story.succeed_at("m[0]", json!({"n": 1}));
    let result = story.state.result().unwrap();
    assert_eq!((&result["all"], &result["of"]), (&json!([1, 2]), &json!("succeeded")));
}

#[test]
fn an_optional_map_that_fails_is_skipped_and_its_dependents_go_on() {
    let steps = vec![map("m").optional(), step_after("n", "m")];
    let mut story = over(json!([1, 2]), template(steps), terms());
    story.fail_at("m[0]", http(400));
    assert_eq!((story.status("m"), story.status_at("m[1]")), ("skipped", "cancelled"));
    assert_eq!(story.in_flight(), ["n"]);
}

#[test]
fn the_input_of_an_element_sees_item_index_and_what_the_step_sees() {
    let sends = json!({"item": "=item.url", "at": "=index", "topic": "$.topic", "n": "=data.k"});
    let steps = vec![step("a"), map("m").after(&["a"]).sends(sends)];
    let mut story = over(json!([{"url": "u"}, {"url": "v"}]), template(steps), terms());
    story.succeed("a", json!({"k": 9}));
    assert_eq!(story.sent("m[1]"), &json!({"item": "v", "at": 1, "topic": "bees", "n": 9}));
}

#[test]
fn without_a_mapping_an_object_is_sent_as_it_is_and_anything_else_with_its_index() {
    let story = of(json!([{"a": 1}, "text", [2]]), map("m").worker("other"));
    let expected = [
        json!({"a": 1, "depth": 3, "topic": "default"}),
        json!({"item": "text", "index": 1, "depth": 3, "topic": "default"}),
        json!({"item": [2], "index": 2, "depth": 3, "topic": "default"}),
    ];
    for (at, body) in expected.iter().enumerate() {
        assert_eq!(story.sent(&format!("m[{at}]")), body);
    }
}

#[test]
fn an_element_whose_input_cannot_be_made_fails_alone() {
    let step = map("m").sends(json!({"u": "=item.url"})).set("tolerated_failures", json!(1));
    let mut story = of(json!([{"url": "u"}, {"no": "url"}]), step);
    assert_eq!((story.in_flight(), story.status_at("m[1]")), (vec!["m[0]".to_owned()], "failed"));
    story.succeed_at("m[0]", json!(1));
    let error = &story.output("m")["errors"][0];
    assert_eq!((&error["index"], &error["code"]), (&json!(1), &json!("expression.missing_value")));
    assert!(error["message"].as_str().unwrap().contains("step `m`, input_mapping"), "{error}");
}

#[test]
fn a_map_all_of_whose_inputs_cannot_be_made_ends_in_one_decision() {
    let step = map("m").sends(json!({"u": "=item.url"}));
    let story = of(json!([1, 2, 3]), step.set("tolerated_failures", json!(3)));
    assert_eq!((story.ended(), story.calls.len()), ("completed", 0));
    assert_eq!(story.output("m")["statuses"], json!(["failed", "failed", "failed"]));
}

#[test]
fn a_budget_bounds_how_many_elements_are_in_flight_and_pauses_a_map_by_its_element() {
    let steps = vec![map("m").worker("paid")];
    let mut story = over(json!([1, 2, 3, 4]), template(steps), budget(250));
    assert_eq!(story.in_flight(), ["m[0]", "m[1]"]);
    story.answer(story.fence_at("m[0]"), Ok(json!(1)), Some(50));
    assert_eq!(story.in_flight(), ["m[1]", "m[2]"]);
    story.answer(story.fence_at("m[1]"), Ok(json!(1)), Some(100));
    story.answer(story.fence_at("m[2]"), Ok(json!(1)), Some(90));
    assert_eq!((story.ended(), story.state.spent.as_micros()), ("paused", 240));
    let why = story.state.why(story.now);
    assert!(matches!(&why[0].by, Blocker::Elements(3, 4)), "{why:?}");
    let higher = Some(super::story::usd(400));
    story.message(Message::Resume { asked: super::kinds::by_key(), budget: higher });
    assert_eq!(story.in_flight(), ["m[3]"]);
    story.answer(story.fence_at("m[3]"), Ok(json!(1)), None);
    assert_eq!((story.ended(), story.state.spent.as_micros()), ("completed", 340));
    assert_eq!(story.step("m").cost.as_micros(), 340, "the map costs what its elements cost");
    assert!(story.step("m").cost_estimated, "one element named no cost");
}

#[test]
fn elements_in_flight_under_a_lost_driver_are_tried_again_and_the_others_keep_their_results() {
    let mut story = of(json!([1, 2, 3]), map("m").retry(retries(1)));
    story.succeed_at("m[1]", json!("b"));
    let lost = story.fence_at("m[0]");
    story.take_over();
    assert_eq!(story.in_flight(), ["m[0]", "m[2]"]);
    assert_eq!(story.calls.iter().filter(|call| call.step == "m[1]").count(), 1);
    story.answer(lost, Ok(json!("late")), Some(0));
    story.succeed_at("m[0]", json!("a"));
    story.succeed_at("m[2]", json!("c"));
    assert_eq!(story.output("m")["results"], json!(["a", "b", "c"]));
    assert_eq!(story.input(Input::Tick), Err(crate::execution::Rejection::Ended));
}
