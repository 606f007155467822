//! The document as a whole: its snapshot, and what every endpoint says of itself.

use super::*;

/// Endpoints that are open, and refuse what is in the body.
const CREDENTIALS_IN_BODY: [&str; 2] = ["/auth/login", "/auth/refresh"];

const SNAPSHOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/openapi.json");

/// With `UPDATE_SNAPSHOTS=1` in the environment the snapshot is written anew.
#[test]
fn the_snapshot_is_the_document() {
    let document = router::document().to_pretty_json().unwrap() + "\n";
    if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
        std::fs::write(SNAPSHOT, &document).unwrap();
    }
    let snapshot = std::fs::read_to_string(SNAPSHOT).unwrap_or_default();
    assert!(
        document == snapshot,
        "docs/openapi.json is not the document; look at the difference after \
         `UPDATE_SNAPSHOTS=1 cargo test -p bitware-orchestrator the_snapshot`"
    );
}

#[test]
fn every_endpoint_names_its_audience_its_summary_and_its_errors() {
    let document: serde_json::Value =
        serde_json::from_str(&router::document().to_json().unwrap()).unwrap();
    assert_eq!(document["openapi"], "3.1.0");
    let tags = document["tags"].as_array().unwrap().iter();
    let audiences: Vec<&str> = tags.map(|tag| tag["name"].as_str().unwrap()).collect();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let place = format!("{method} {path}");
            let tags = operation["tags"].as_array().unwrap();
            let audience = tags[0].as_str().unwrap();
            assert!(audiences.contains(&audience) && tags.len() == 1, "{place}");
            assert!(operation["summary"].as_str().is_some_and(|s| !s.is_empty()), "{place}");
            let secured = operation["security"].as_array().is_some_and(|s| !s.is_empty());
            let in_body = CREDENTIALS_IN_BODY.contains(&path.as_str());
            let refuses = operation["responses"].get("401").is_some();
            assert_eq!(secured || in_body, refuses, "{place}");
            assert!(audience == PUBLIC || secured || in_body, "{place}");
            for (status, response) in operation["responses"].as_object().unwrap() {
                let schema = &response["content"]["application/json"]["schema"];
                let is_error = status.starts_with(['4', '5']);
                let described = response["description"].as_str();
                assert!(described.is_some_and(|text| !text.is_empty()), "{place} {status}");
                let form = match (audience, status.as_str()) {
                    (TOOLS, "422") => "#/components/schemas/ValidationReply",
                    _ => "#/components/schemas/ErrorReply",
                };
                assert_eq!(schema["$ref"] == form, is_error, "{place} {status}");
            }
        }
    }
}

#[test]
fn operations_have_names_of_their_own() {
    let document = serde_json::to_value(router::document()).unwrap();
    let items = document["paths"].as_object().unwrap().values();
    let operations = items.flat_map(|item| item.as_object().unwrap().values());
    let mut names: Vec<_> = operations.map(|o| o["operationId"].as_str().unwrap()).collect();
    let count = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), count);
}

#[test]
fn every_reference_leads_somewhere() {
    let text = router::document().to_json().unwrap();
    let document: serde_json::Value = serde_json::from_str(&text).unwrap();
    for part in text.split("\"$ref\":\"#").skip(1) {
        let pointer = part.split('"').next().unwrap();
        assert!(document.pointer(pointer).is_some(), "{pointer}");
    }
}
