//! Mappings: literals, escapes, paths and expressions within objects and arrays, and the limits.
#![allow(clippy::unwrap_used)] // a failed unwrap is a failed test

mod expr_common;

use std::collections::BTreeMap;
use std::sync::Arc;

use engine::expr::{
    EvalError, MAPPING_DEPTH_MAX, MAPPING_VALUES_MAX, Mapping, MappingRoot, RESULT_DEPTH_MAX, Scope,
};
use expr_common::World;
use serde_json::{Value, json};

fn world() -> World {
    World::new(json!({"sources": [{"url": "u"}, {"url": "v"}], "n": 3, "deep": {"a": [1, 2]}}))
}

#[test]
fn a_mapping_is_walked_to_its_leaves() {
    let mapping = json!({
        "topic": "=request.topic",
        "urls": "$.sources[*].url",
        "first": "$.sources[0]",
        "count": "=size(data.sources)",
        "options": {"depth": 3, "ratio": 3.0, "flags": [true, null, "=data.n > 2"]},
        "text": "plain",
        "price": "$$5 = cheap",
        "formula": "==1 + 1",
        "escaped": ["$$", "==", "$$$.x", "===x"],
        "not special": [" =1", "a $.b"],
        "": {},
    });
    let mut world = world();
    world.request = json!({"topic": "AI"});
    let expected = json!({
        "topic": "AI",
        "urls": ["u", "v"],
        "first": {"url": "u"},
        "count": 2,
        "options": {"depth": 3, "ratio": 3.0, "flags": [true, null, true]},
        "text": "plain",
        "price": "$5 = cheap",
        "formula": "=1 + 1",
        "escaped": ["$", "=", "$$.x", "==x"],
        "not special": [" =1", "a $.b"],
        "": {},
    });
    assert_eq!(world.eval(mapping, MappingRoot::Data), Ok(expected));
    for literal in [json!(null), json!(1), json!([]), json!("x"), json!({"a": [{}]})] {
        assert_eq!(world.eval(literal.clone(), MappingRoot::Data), Ok(literal));
    }
}

#[test]
fn every_mistake_is_reported_with_its_pointer() {
    let mapping = json!({
        "a": "=1 +", "b": {"c/d": ["$.x", "$.x["]}, "e~f": "=nope", "ok": "$.x",
    });
    let errors = Mapping::compile(&mapping, MappingRoot::Data).unwrap_err();
    let found: Vec<(&str, String)> =
        errors.iter().map(|(pointer, error)| (pointer.as_str(), error.to_string())).collect();
    assert_eq!(found.len(), 3, "{found:?}");
    assert_eq!(found[0].0, "/a");
    assert_eq!(found[0].1, "expected a value, found the end of the expression (at column 5)");
    assert_eq!(found[1].0, "/b/c~1d/1");
    assert_eq!(found[2].0, "/e~0f");
}

#[test]
fn an_error_names_the_field() {
    let mapping = json!({"a": 1, "b/c": [0, {"d": "=data.nope"}]});
    let error = world().eval(mapping, MappingRoot::Data).unwrap_err();
    assert_eq!(error.pointer, "/b~1c/1/d");
    assert_eq!(error.error, EvalError::Missing { path: "data.nope".into() });
    assert_eq!(error.code(), "expression.missing_value");
    assert_eq!(error.to_string(), "/b~1c/1/d: there is no value at `data.nope`");
    let whole = world().eval(json!("$.nope"), MappingRoot::Data).unwrap_err();
    assert_eq!(whole.to_string(), "there is no value at `$.nope`");
}

fn nested(levels: usize, innermost: Value) -> Value {
    (0..levels).fold(
        innermost,
        |inner, level| {
            if level % 2 == 0 { json!([inner]) } else { json!({"a": inner}) }
        },
    )
}

#[test]
fn depth_and_number_of_values_are_limited() {
    let compile = |mapping: &Value| Mapping::compile(mapping, MappingRoot::Data);
    assert!(compile(&nested(MAPPING_DEPTH_MAX, json!("=1"))).is_ok());
    let errors = compile(&nested(MAPPING_DEPTH_MAX + 1, json!("=1"))).unwrap_err();
    assert_eq!(errors.len(), 1);
    assert_eq!(errors[0].1.to_string(), "nested deeper than 16 levels");
    assert_eq!(errors[0].0.matches('/').count(), MAPPING_DEPTH_MAX);
    assert!(compile(&nested(300, json!(1))).is_err());
    assert!(compile(&json!(vec![0; MAPPING_VALUES_MAX - 1])).is_ok());
    let errors = compile(&json!(vec!["=("; MAPPING_VALUES_MAX])).unwrap_err();
    let last = &errors[errors.len() - 1];
    assert_eq!((errors.len(), last.0.as_str()), (MAPPING_VALUES_MAX, "/1999"));
    assert_eq!(last.1.to_string(), "a mapping has at most 2000 values");
}

#[test]
fn the_result_is_limited_as_a_whole() {
    let mut world = world();
    world.data.insert("text".into(), json!("x".repeat(1_200_000)));
    let limit = "expression.limit";
    let code = |mapping: Value| {
        world
            .eval(mapping, MappingRoot::Data)
            .map_err(|error| (error.pointer.clone(), error.code()))
    };
    assert!(code(json!(["$.text", "$.text", "=data.text"])).is_ok());
    let refused = Err(("/3".to_owned(), limit));
    assert_eq!(code(json!(["$.text", "$.text", "=data.text", "$.text"])), refused);
    assert_eq!(code(json!("=[data.text, data.text, data.text, data.text]")), {
        Err((String::new(), limit))
    });
    world.data.insert("deep".into(), nested(RESULT_DEPTH_MAX as usize - 1, json!(1)));
    let code =
        |mapping: Value| world.eval(mapping, MappingRoot::Data).map_err(|error| error.code());
    assert!(code(json!(["$.deep"])).is_ok());
    assert_eq!(code(json!([["$.deep"]])), Err(limit));
    assert_eq!(code(json!(["=[data.deep]"])), Err(limit));
}

#[test]
fn steps_are_shared_by_all_expressions_of_a_mapping() {
    let mut world = world();
    world.data.insert("list".into(), json!(vec![1; 300]));
    let heavy = "=size(data.list.map(x, data.list.exists(y, y > x)))";
    assert_eq!(world.eval(json!([heavy]), MappingRoot::Data), Ok(json!([300])));
    let error = world.eval(json!([heavy, heavy, heavy, heavy]), MappingRoot::Data).unwrap_err();
    assert_eq!(error.code(), "expression.limit");
    assert_ne!(error.pointer, "/0");
}

#[test]
fn shared_documents_are_read_in_place() {
    let data: BTreeMap<String, Arc<Value>> =
        [("a".to_owned(), Arc::new(json!([1, 2]))), ("b".to_owned(), Arc::new(json!("x")))].into();
    let (steps, request) = (serde_json::Map::new(), json!({}));
    let scope = Scope { data: &data, steps: &steps, request: &request, item: None, output: None };
    let mapping = json!({"sum": "=sum(data.a)", "all": "$", "list": "$.a[*]", "every": "$.*"});
    let mapping = Mapping::compile(&mapping, MappingRoot::Data).unwrap();
    let expected =
        json!({"sum": 3, "all": {"a": [1, 2], "b": "x"}, "list": [1, 2], "every": [[1, 2], "x"]});
    assert_eq!(mapping.eval(&scope), Ok(expected));
}

#[test]
fn a_mapping_knows_what_it_names() {
    let mapping = json!({
        "a": "$.x[*].y", "b": ["=data.y + steps.s.attempts", "$.z[?@.a == $.w.b]"], "c": "$['q r']",
    });
    let compiled = Mapping::compile(&mapping, MappingRoot::Data).unwrap();
    let names: Vec<&str> = compiled.references().data.iter().map(String::as_str).collect();
    assert_eq!(names, ["q r", "w", "x", "y", "z"]);
    assert!(compiled.references().steps.contains("s") && !compiled.references().all_data);
    assert_eq!(compiled.source(), &mapping);
    for whole in ["$", "$[*]", "$..x", "=size(data)", "$.a[?@ == $]"] {
        let compiled = Mapping::compile(&json!(whole), MappingRoot::Data).unwrap();
        assert!(compiled.references().all_data, "{whole}");
    }
    let output = Mapping::compile(&json!("$.x"), MappingRoot::Output).unwrap();
    assert!(output.references().data.is_empty() && !output.references().all_data);
}
