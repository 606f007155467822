//! `docs/expressions.md` says the truth: every example of it is evaluated here.
#![allow(clippy::unwrap_used)] // a failed unwrap is a failed test

mod expr_common;

use engine::expr::{
    EXPRESSION_BRACKETS_MAX, EXPRESSION_DEPTH_MAX, JSONPATH_BRACKETS_MAX, MAPPING_DEPTH_MAX,
    MAPPING_VALUES_MAX, MappingRoot, RESULT_BYTES_MAX, RESULT_DEPTH_MAX, SCRATCH_BYTES_MAX,
    SOURCE_BYTES_MAX, STEPS_MAX,
};
use expr_common::World;
use serde_json::{Value, json};

const PAGE: &str = include_str!("../../../docs/expressions.md");

/// The contents of the fenced blocks of one kind.
fn blocks(kind: &str) -> Vec<&'static str> {
    let fence = format!("```{kind}\n");
    PAGE.split(&fence).skip(1).map(|rest| rest.split("\n```").next().unwrap()).collect()
}

fn world() -> World {
    let scope: Value = serde_json::from_str(blocks("json")[0]).unwrap();
    let mut world = World::new(scope["data"].clone());
    world.steps = scope["steps"].as_object().unwrap().clone();
    world.request = scope["request"].clone();
    world
}

fn check(source: &Value, expected: &str) {
    let found = match world().eval(source.clone(), MappingRoot::Data) {
        Ok(value) => Ok(value.to_string()),
        Err(error) => Err(format!("error {}: {error}", error.code())),
    };
    let expected = if expected.starts_with("error ") {
        Err(expected.to_owned())
    } else {
        Ok(serde_json::from_str::<Value>(expected).unwrap().to_string())
    };
    assert_eq!(found, expected, "{source}");
}

#[test]
fn every_example_gives_what_the_page_says() {
    let mut examples = 0;
    for (kind, sigil) in [("cel", "="), ("jsonpath", "")] {
        for line in blocks(kind).into_iter().flat_map(str::lines) {
            let (source, expected) = line.split_once(" → ").unwrap_or_else(|| panic!("{line}"));
            check(&json!(format!("{sigil}{source}")), expected);
            examples += 1;
        }
    }
    for block in blocks("mapping") {
        let (source, expected) = block.split_once("\n→ ").unwrap();
        check(&serde_json::from_str(source).unwrap(), expected);
        examples += 1;
    }
    assert!(examples > 45, "only {examples} examples were found");
}

#[test]
fn the_limits_are_the_ones_of_the_code() {
    let rows = [
        format!("| source of one expression | {} KiB |", SOURCE_BYTES_MAX / 1024),
        format!("| {EXPRESSION_BRACKETS_MAX} in CEL, {JSONPATH_BRACKETS_MAX} in a JSONPath |"),
        format!("has 3 levels) | {EXPRESSION_DEPTH_MAX} |"),
        format!("| {},000 values, {MAPPING_DEPTH_MAX} levels |", MAPPING_VALUES_MAX / 1000),
        format!("| {},000,000 steps, {} MiB", STEPS_MAX / 1_000_000, SCRATCH_BYTES_MAX >> 20),
        format!("| {} MiB as JSON, {RESULT_DEPTH_MAX} levels |", RESULT_BYTES_MAX >> 20),
    ];
    for row in rows {
        assert!(PAGE.contains(&row), "{row}");
    }
}
