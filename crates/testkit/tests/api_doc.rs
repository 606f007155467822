//! docs/api.md has a section for each endpoint of the OpenAPI document, and for no other, and each
//! section has a line to try. Whether the lines are right, stack_api_doc.rs sees.

mod house;

use std::collections::BTreeSet;
use std::fs;

use house::{assert_none, root};
use serde_json::Value;

#[test]
fn every_endpoint_has_a_section_with_a_line_to_try() {
    let read = |name: &str| fs::read_to_string(root().join(name)).expect("docs/ can be read");
    let document: Value = serde_json::from_str(&read("docs/openapi.json")).expect("it is JSON");
    let text = read("docs/api.md");
    let endpoints = endpoints(&document);
    let sections: Vec<(&str, &str)> = sections(&text);
    let named: BTreeSet<String> = sections.iter().map(|(name, _)| (*name).to_owned()).collect();
    let mut violations: Vec<String> =
        endpoints.difference(&named).map(|it| format!("no section for {it}")).collect();
    violations.extend(named.difference(&endpoints).map(|it| format!("no endpoint is {it}")));
    if named.len() != sections.len() {
        violations.push("a section stands there twice".to_owned());
    }
    let without = sections.iter().filter(|(_, body)| !body.contains("\ncurl ") && !tries(body));
    violations.extend(without.map(|(name, _)| format!("{name} has no curl line")));
    assert_none("docs/api.md", &violations);
}

#[test]
fn a_missing_section_is_noticed() {
    let text = "# x\n### `GET /a`\nText\n```sh\ncurl x\n```\n### `POST /b`\nnothing\n";
    let found = sections(text);
    assert_eq!(found.iter().map(|(name, _)| *name).collect::<Vec<_>>(), ["GET /a", "POST /b"]);
    assert!(found[0].1.contains("\ncurl ") && !found[1].1.contains("curl"));
}

fn tries(body: &str) -> bool {
    body.contains("$(curl ")
}

fn endpoints(document: &Value) -> BTreeSet<String> {
    let paths = document["paths"].as_object().expect("a document has paths").iter();
    let methods = paths.flat_map(|(path, item)| {
        let methods = item.as_object().expect("a path has methods").keys();
        methods.map(move |method| format!("{} {path}", method.to_ascii_uppercase()))
    });
    methods.collect()
}

/// The endpoints that headings name, each with what follows up to the next one.
fn sections(text: &str) -> Vec<(&str, &str)> {
    let parts = text.split("\n### `").skip(1);
    parts.filter_map(|part| part.split_once('`')).collect()
}
