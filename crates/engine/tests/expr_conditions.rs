//! Conditions: CEL, the object form, booleans, and what is refused.
#![allow(clippy::unwrap_used)] // a failed unwrap is a failed test

mod expr_common;

use engine::expr::{Condition, EvalError, References};
use expr_common::World;
use serde_json::{Value, json};

fn world() -> World {
    let mut world = World::new(json!({
        "sources": [1, 2, 3], "none": [], "nothing": null, "text": "abc", "b_available": [1],
    }));
    world.request = json!({"topic": "AI", "quality_level": "premium"});
    world
}

#[test]
fn the_object_form_counts_arrays() {
    let cases = [
        (json!({"sources_available": "> 0"}), true),
        (json!({"sources_available": ">0"}), true),
        (json!({"sources_available": "  >=  3 "}), true),
        (json!({"sources_available": "> 3"}), false),
        (json!({"sources_available": "< 4"}), true),
        (json!({"sources_available": "<= 2"}), false),
        (json!({"sources_available": "== 3"}), true),
        (json!({"sources_available": "!= 3"}), false),
        (json!({"sources_available": 3}), true),
        (json!({"sources_available": "3"}), true),
        (json!({"sources_available": 2}), false),
        (json!({"none_available": "> 0"}), false),
        (json!({"none_available": 0}), true),
        (json!({"nothing_available": "== 0"}), true),
        (json!({"absent_available": "== 0"}), true),
        (json!({"absent_available": "> 0"}), false),
        (json!({"b_available_available": "== 1"}), true),
        (json!({"sources_available": "> 0", "none_available": "> 0"}), false),
        (json!({"sources_available": "> 0", "none_available": 0}), true),
    ];
    for (condition, expected) in cases {
        assert_eq!(world().holds(condition.clone()), Ok(expected), "{condition}");
    }
    let error = world().holds(json!({"text_available": "> 0"})).unwrap_err();
    assert_eq!(error.code(), "expression.type");
    assert_eq!(error.to_string(), "`data.text` is to be counted and is no array");
}

#[test]
fn expressions_and_booleans() {
    let cases = [
        (json!(true), Ok(true)),
        (json!(false), Ok(false)),
        (json!("size(data.sources) > 2"), Ok(true)),
        (json!("=size(data.sources) > 3"), Ok(false)),
        (json!("request.quality_level == 'premium' && has(data.text)"), Ok(true)),
        (json!("has(data.absent)"), Ok(false)),
        (json!("data.absent > 1"), Err("expression.missing_value")),
        (json!("data.text"), Err("expression.type")),
        (json!("data.sources[0] + 1 == 'a' || data.text > 1"), Err("expression.type")),
        (json!("1 / 0 == 1"), Err("expression.failed")),
    ];
    for (condition, expected) in cases {
        let found = world().holds(condition.clone()).map_err(|error| error.code());
        assert_eq!(found, expected, "{condition}");
    }
    let error = world().holds(json!("data.text")).unwrap_err();
    let message = "a condition is true or false, not of type string (at column 1)";
    assert_eq!(error, EvalError::Type { message: message.into() });
}

fn refused(condition: Value) -> Vec<(String, String)> {
    let errors = Condition::compile(&condition).expect_err("the condition is malformed");
    errors.into_iter().map(|(pointer, error)| (pointer, error.to_string())).collect()
}

#[test]
fn what_can_never_be_a_condition_is_refused_when_compiling() {
    for condition in [json!(null), json!(1), json!([]), json!({})] {
        let errors = refused(condition.clone());
        assert!(errors[0].1.starts_with("a condition is a CEL expression"), "{condition}");
    }
    let cases = [
        ("", "expected a value, found the end of the expression (at column 1)"),
        ("=1 +", "expected a value, found the end of the expression (at column 5)"),
        ("data.x >", "expected a value, found the end of the expression (at column 9)"),
        ("size(data.x)", "a condition is true or false; this is of type int (at column 1)"),
        ("'true'", "a condition is true or false; this is of type string (at column 1)"),
        ("data.x.map(y, y)", "a condition is true or false; this is of type list (at column 7)"),
        ("data.x ? 1 : 2", "a condition is true or false; this is of type int (at column 8)"),
        ("output.x", "`output` is known in output mappings only (at column 1)"),
        ("$.x", "unexpected character '$' (at column 1)"),
    ];
    for (source, message) in cases {
        assert_eq!(refused(json!(source)), [(String::new(), message.to_owned())], "{source}");
    }
}

#[test]
fn every_mistake_of_the_object_form_is_reported() {
    let errors = refused(json!({
        "a/b": "> 0", "_available": "> 0", "c_available": "many", "d_available": "> -1",
        "e_available": "> 1.5", "f_available": 1.5, "g_available": -1, "h_available": [],
        "i_available": ">", "j_available": "=> 1", "ok_available": "> 0",
    }));
    let pointers: Vec<&str> = errors.iter().map(|(pointer, _)| pointer.as_str()).collect();
    let expected = [
        "/_available",
        "/a~1b",
        "/c_available",
        "/d_available",
        "/e_available",
        "/f_available",
        "/g_available",
        "/h_available",
        "/i_available",
        "/j_available",
    ];
    assert_eq!(pointers, expected);
    assert_eq!(errors[1].1, "the keys of this form are `<name>_available`, not `a/b`");
    assert!(errors[3].1.ends_with("== and != (at column 3)"), "{}", errors[3].1);
}

#[test]
fn a_condition_knows_what_it_names() {
    let references = |source: Value| Condition::compile(&source).unwrap().references();
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    assert_eq!(references(json!(true)), References::default());
    assert_eq!(references(json!({"a_available": 1, "b_available": 2})), {
        References { data: names(&["a", "b"]), ..References::default() }
    });
    let found =
        references(json!("data.a[0].b == steps.s.output.x && has(data['c d']) || index > 0"));
    assert_eq!(
        found,
        References {
            data: names(&["a", "c d"]),
            steps: names(&["s"]),
            element: true,
            ..References::default()
        }
    );
    let found = references(json!("data.exists(k, data[k] == 1) && size(steps) > 0"));
    assert_eq!(found, References { all_data: true, all_steps: true, ..References::default() });
    let condition = json!("data.a == 1");
    assert_eq!(Condition::compile(&condition).unwrap().source(), &condition);
}
