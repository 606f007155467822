//! Every way in which a template can be wrong, each with a pointer to the field; and all of them
//! together in one answer.

use engine::plan::definition::TemplateDefinition;
use engine::plan::{ATTEMPT_MAX, Plan, STEPS_MAX, Violation};
use serde_json::{Value, json};

/// A valid template of two steps; `a` and `b` take whatever `edit` makes of them.
fn edited(edit: impl FnOnce(&mut Value)) -> TemplateDefinition {
    let mut template = json!({
        "name": "t",
        "steps": [
            {"name": "a", "order": 1, "worker": "w"},
            {"name": "b", "order": 2, "worker": "w", "depends_on": ["a"]},
        ],
        "workers": {"w": {"base_url": "https://w.test", "endpoints": ["/do"]}},
    });
    edit(&mut template);
    serde_json::from_value(template).expect("a definition, valid or not")
}

fn violations(edit: impl FnOnce(&mut Value)) -> Vec<Violation> {
    Plan::compile(&edited(edit)).err().unwrap_or_default()
}

/// The one violation that a change makes, as pointer and code.
fn only(edit: impl FnOnce(&mut Value)) -> (String, String, String) {
    let found = violations(edit);
    assert_eq!(found.len(), 1, "{found:?}");
    let Violation { pointer, code, message } = found.into_iter().next().expect("one violation");
    (pointer, code, message)
}

/// A change of one field, by pointer; what is not there is made.
fn set(pointer: &'static str, value: Value) -> impl FnOnce(&mut Value) {
    move |template| {
        let (parent, key) = pointer.rsplit_once('/').expect("a pointer begins with /");
        template.pointer_mut(parent).expect("the parent is there")[key] = value;
    }
}

#[test]
fn the_template_that_the_others_change_is_valid() {
    assert_eq!(violations(|_| {}), []);
}

#[test]
#[expect(clippy::too_many_lines, reason = "one table of all mistakes")]
fn each_mistake_is_reported_at_its_field() {
    let long = "x".repeat(65);
    let too_long = ATTEMPT_MAX.get() + 1;
    let cases: Vec<(&'static str, Value, &str, &str)> = vec![
        ("/name", json!("1st"), "/name", "name.malformed"),
        ("/name", json!(""), "/name", "name.malformed"),
        ("/steps", json!([]), "/steps", "template.no_steps"),
        ("/deadline_ms", json!(0), "/deadline_ms", "template.out_of_range"),
        ("/output_mapping", json!("=1 +"), "/output_mapping", "expression.malformed"),
        ("/output_mapping", json!({"x": "$["}), "/output_mapping/x", "expression.malformed"),
        ("/steps/1/name", json!(long), "/steps/1/name", "name.malformed"),
        ("/steps/1/name", json!("a.b"), "/steps/1/name", "name.malformed"),
        ("/steps/1/depends_on", json!(["x"]), "/steps/1/depends_on/0", "step.unknown_dependency"),
        (
            "/steps/1/depends_on",
            json!(["a", 9]),
            "/steps/1/depends_on/1",
            "step.unknown_dependency",
        ),
        ("/steps/1/depends_on", json!([true]), "/steps/1/depends_on/0", "step.unknown_dependency"),
        ("/steps/1/depends_on", json!(["b"]), "/steps/1/depends_on/0", "step.depends_on_itself"),
        ("/steps/0/depends_on", json!(["b"]), "/steps/1/depends_on", "template.cycle"),
        ("/steps/1/worker", json!(null), "/steps/1/worker", "step.missing_worker"),
        ("/steps/1/worker", json!("x"), "/steps/1/worker", "worker.unknown"),
        ("/steps/1/fallback_worker", json!("x"), "/steps/1/fallback_worker", "worker.unknown"),
        ("/steps/1/endpoint", json!("do"), "/steps/1/worker", "worker.malformed_endpoint"),
        ("/steps/1/timeout_ms", json!(0), "/steps/1/timeout_ms", "step.timeout_out_of_range"),
        (
            "/steps/1/timeout_ms",
            json!(too_long),
            "/steps/1/timeout_ms",
            "step.timeout_out_of_range",
        ),
        ("/steps/1/condition", json!("1 +"), "/steps/1/condition", "expression.malformed"),
        ("/steps/1/condition", json!(7), "/steps/1/condition", "expression.malformed"),
        (
            "/steps/1/input_mapping",
            json!({"a/b": "$["}),
            "/steps/1/input_mapping/a~1b",
            "expression.malformed",
        ),
        (
            "/steps/1/output_mapping",
            json!("$.x"),
            "/steps/1/output_mapping",
            "step.malformed_mapping",
        ),
        (
            "/steps/1/output_mapping",
            json!({"x": "=("}),
            "/steps/1/output_mapping/x",
            "expression.malformed",
        ),
        (
            "/steps/1/retry",
            json!({"max_retries": -1}),
            "/steps/1/retry/max_retries",
            "retry.out_of_range",
        ),
        (
            "/steps/1/retry",
            json!({"max_retries": 101}),
            "/steps/1/retry/max_retries",
            "retry.out_of_range",
        ),
        (
            "/steps/1/retry",
            json!({"initial_ms": -5}),
            "/steps/1/retry/initial_ms",
            "retry.out_of_range",
        ),
        (
            "/steps/1/retry",
            json!({"cap_ms": i64::MAX}),
            "/steps/1/retry/cap_ms",
            "retry.out_of_range",
        ),
        ("/steps/1/retry", json!({"factor": 0.5}), "/steps/1/retry/factor", "retry.out_of_range"),
        (
            "/steps/1/retry",
            json!({"total_deadline_ms": -1}),
            "/steps/1/retry/total_deadline_ms",
            "retry.out_of_range",
        ),
        (
            "/steps/1/retry",
            json!({"retry_on": [500, 200]}),
            "/steps/1/retry/retry_on",
            "retry.out_of_range",
        ),
    ];
    for (at, value, pointer, code) in cases {
        let (found, of, message) = only(set(at, value.clone()));
        assert_eq!((found.as_str(), of.as_str()), (pointer, code), "{at} = {value}: {message}");
        assert!(!message.is_empty());
    }
}

#[test]
fn mistakes_of_a_worker_are_reported_once_however_many_steps_name_it() {
    let workers = |worker: Value| set("/workers/w", worker);
    let url = "https://w.test";
    for (worker, pointer, code) in [
        (
            json!({"base_url": url, "timeout_ms": 0}),
            "/workers/w/timeout_ms",
            "step.timeout_out_of_range",
        ),
        (
            json!({"base_url": url, "default_config": [1]}),
            "/workers/w/default_config",
            "worker.malformed_config",
        ),
        (
            json!({"base_url": url, "max_retries": -1}),
            "/workers/w/max_retries",
            "retry.out_of_range",
        ),
    ] {
        let (found, of, _) = only(workers(worker));
        assert_eq!((found.as_str(), of.as_str()), (pointer, code));
    }
    for (worker, code) in [
        (json!({}), "worker.no_address"),
        (json!({"base_url": ""}), "worker.no_address"),
        (json!({"base_url": "ftp://w.test"}), "worker.malformed_url"),
        (json!({"base_url": url, "active": false}), "worker.inactive"),
        (json!({"base_url": url, "endpoints": ["do"]}), "worker.malformed_endpoint"),
    ] {
        let found = violations(workers(worker));
        let told: Vec<_> = found.iter().map(|v| (v.pointer.as_str(), v.code.as_str())).collect();
        assert_eq!(told, [("/steps/0/worker", code), ("/steps/1/worker", code)]);
    }
}

#[test]
fn a_workers_name_is_escaped_in_the_pointer() {
    let (pointer, ..) = only(|template| {
        template["workers"]["a/b~c"] = json!({"base_url": "https://w.test", "max_retries": 999});
        template["steps"][0]["worker"] = json!("a/b~c");
    });
    assert_eq!(pointer, "/workers/a~1b~0c/max_retries");
}

#[test]
fn a_steps_own_retries_go_before_its_workers_absurd_ones() {
    let found = violations(|template| {
        template["workers"]["w"]["max_retries"] = json!(-1);
        for step in 0..2 {
            template["steps"][step]["retry"] = json!({"max_retries": 1});
        }
    });
    assert_eq!(found, []);
}

#[test]
fn two_steps_of_one_name_and_orders_that_name_two_steps_are_refused() {
    let (pointer, code, _) = only(|template| {
        template["steps"][1] = json!({"name": "a", "order": 2, "worker": "w"});
    });
    assert_eq!((pointer.as_str(), code.as_str()), ("/steps/1/name", "step.duplicate_name"));
    let (pointer, code, message) = only(|template| {
        template["steps"][1]["order"] = json!(1);
        template["steps"][1]["depends_on"] = json!([1]);
    });
    let expected = ("/steps/1/depends_on/0", "step.unknown_dependency");
    assert_eq!((pointer.as_str(), code.as_str()), expected);
    assert!(message.contains("several steps have step_order 1"), "{message}");
}

#[test]
fn transforms_ask_nobody_and_say_what_they_produce() {
    let found = violations(|template| {
        template["steps"][1] = json!({"name": "b", "order": 2, "kind": "transform", "worker": "w"});
    });
    let told: Vec<_> = found.iter().map(|v| (v.pointer.as_str(), v.code.as_str())).collect();
    let missing = ("/steps/1/input_mapping", "step.missing_mapping");
    assert_eq!(told, [("/steps/1/worker", "step.unexpected_worker"), missing]);
}

#[test]
fn a_template_of_too_many_steps_is_refused() {
    let (pointer, code, _) = only(|template| {
        let steps =
            (0..=STEPS_MAX).map(|n| json!({"name": format!("s{n}"), "order": n, "worker": "w"}));
        template["steps"] = steps.collect();
    });
    assert_eq!((pointer.as_str(), code.as_str()), ("/steps", "template.too_many_steps"));
}

#[test]
fn a_cycle_is_told_step_by_step() {
    let (_, _, message) = only(|template| {
        template["steps"] = json!([
            {"name": "free", "order": 0, "worker": "w"},
            {"name": "x", "order": 1, "worker": "w", "depends_on": ["z", "free"]},
            {"name": "y", "order": 2, "worker": "w", "depends_on": ["x"]},
            {"name": "z", "order": 3, "worker": "w", "depends_on": ["y"]},
            {"name": "behind", "order": 4, "worker": "w", "depends_on": ["z"]},
        ]);
    });
    assert!(message.starts_with("steps wait for each other: "), "{message}");
    let names: Vec<&str> = message.rsplit(": ").next().unwrap().split(" → ").collect();
    assert_eq!(names.first(), names.last());
    assert_eq!(names.len(), 4, "{message}");
    assert!(["x", "y", "z"].iter().all(|name| names.contains(name)), "{message}");
}

#[test]
fn everything_that_is_wrong_is_reported_together() {
    let found = violations(|template| {
        template["name"] = json!("no name");
        template["deadline_ms"] = json!(0);
        template["output_mapping"] = json!("=(");
        template["steps"][0]["depends_on"] = json!(["nobody", "b"]);
        template["steps"][0]["worker"] = json!(null);
        template["steps"][0]["fallback_worker"] = json!("nobody");
        template["steps"][0]["timeout_ms"] = json!(0);
        template["steps"][1]["condition"] = json!({"sources_available": "many"});
        template["steps"][1]["input_mapping"] = json!({"x": "=(", "y": "$["});
        template["steps"][1]["retry"] = json!({"max_retries": -1, "factor": 99.0});
        template["workers"]["w"] = json!({"default_config": 1});
    });
    let mut pointers: Vec<&str> = found.iter().map(|v| v.pointer.as_str()).collect();
    pointers.sort_unstable();
    assert_eq!(
        pointers,
        [
            "/deadline_ms",
            "/name",
            "/output_mapping",
            "/steps/0/depends_on/0",
            "/steps/0/fallback_worker",
            "/steps/0/timeout_ms",
            "/steps/0/worker",
            "/steps/1/condition/sources_available",
            "/steps/1/depends_on",
            "/steps/1/input_mapping/x",
            "/steps/1/input_mapping/y",
            "/steps/1/retry/factor",
            "/steps/1/retry/max_retries",
            "/steps/1/worker",
            "/workers/w/default_config",
        ]
    );
}

#[test]
fn every_pointer_leads_into_the_definition() {
    let template = edited(|template| {
        template["steps"][1]["timeout_ms"] = json!(0);
        template["steps"][1]["retry"] = json!({"max_retries": -1});
        template["steps"][1]["depends_on"] = json!(["nobody"]);
        template["workers"]["w"]["default_config"] = json!([]);
    });
    let whole = serde_json::to_value(&template).unwrap();
    for Violation { pointer, .. } in Plan::compile(&template).unwrap_err() {
        assert!(whole.pointer(&pointer).is_some(), "{pointer}");
    }
}

#[test]
fn dependencies_by_step_order_are_those_by_name() {
    let plan = Plan::compile(&edited(set("/steps/1/depends_on", json!([1, "a", 1])))).unwrap();
    let b = plan.step(plan.find("b").unwrap());
    assert_eq!(b.dependencies, [plan.find("a").unwrap()]);
    assert_eq!(plan.cost_min().as_micros(), 0);
}
