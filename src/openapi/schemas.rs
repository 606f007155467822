//! docs/schemas/: the models of the store of agents and the messages of `/ws` as JSON Schemas, one
//! file each, made from the OpenAPI document, which is made from the types. They must not be
//! written by hand.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::router;

/// The models that have a file, with whatever they refer to.
const MODELS: [&str; 20] = [
    "Agent",
    "AgentLog",
    "AgentLogBatch",
    "AgentPatch",
    "ChatMessage",
    "LiveClientMessage",
    "LiveServerMessage",
    "NewAgent",
    "NewAgentLog",
    "NewChatMessage",
    "NewOrchestratorAgent",
    "NewPrompt",
    "NewSystemLog",
    "OrchestratorAgent",
    "OrchestratorAgentPatch",
    "Prompt",
    "SystemLog",
    "SystemLogBatch",
    "UsageReply",
    "UsageReport",
];
const REFERENCE: &str = "#/components/schemas/";

/// With `UPDATE_SNAPSHOTS=1` in the environment the files are written anew.
#[test]
fn the_snapshot_of_each_schema_is_the_model() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/schemas");
    let made = files(&json!(router::document()));
    let path = |name: &String| folder.join(format!("{name}.json"));
    if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
        std::fs::create_dir_all(&folder).unwrap();
        for old in there(&folder) {
            std::fs::remove_file(old).unwrap();
        }
        for (name, text) in &made {
            std::fs::write(path(name), text).unwrap();
        }
    }
    let expected: Vec<PathBuf> = made.keys().map(path).collect();
    assert_eq!(there(&folder), expected, "other files than models: see UPDATE_SNAPSHOTS above");
    for (name, text) in made {
        let found = std::fs::read_to_string(path(&name)).unwrap();
        assert!(found == text, "docs/schemas/{name}.json is not the model; UPDATE_SNAPSHOTS=1");
    }
}

#[test]
fn a_schema_refuses_what_the_endpoint_refuses() {
    let made = files(&json!(router::document()));
    let folder: BTreeMap<String, Value> = made
        .iter()
        .map(|(name, text)| (format!("{name}.json"), serde_json::from_str(text).unwrap()))
        .collect();
    let whole = inlined(&folder["NewAgentLog.json"], &folder);
    let validator = jsonschema::validator_for(&whole).unwrap();
    let good = json!({ "agent_id": "a", "event_category": "hook", "event_type": "Stop" });
    assert!(validator.is_valid(&good));
    for bad in [
        json!({ "agent_id": "a", "event_category": "hook" }),
        json!({ "agent_id": "a", "event_category": "other", "event_type": "Stop" }),
        json!({ "agent_id": "a", "event_category": "hook", "event_type": "Stop", "more": 1 }),
    ] {
        assert!(!validator.is_valid(&bad), "{bad}");
    }
}

/// The models and what they refer to, each as the text of its file.
fn files(document: &Value) -> BTreeMap<String, String> {
    let mut open: Vec<String> = MODELS.map(str::to_owned).to_vec();
    let mut made = BTreeMap::new();
    while let Some(name) = open.pop() {
        if made.contains_key(&name) {
            continue;
        }
        let mut schema = document["components"]["schemas"][&name].clone();
        assert!(schema.is_object(), "{name} is no schema of the document");
        refer(&mut schema, &mut open);
        schema["$schema"] = "https://json-schema.org/draft/2020-12/schema".into();
        schema["title"] = name.clone().into();
        made.insert(name, serde_json::to_string_pretty(&schema).unwrap() + "\n");
    }
    made
}

/// References within the document become references between the files.
fn refer(schema: &mut Value, open: &mut Vec<String>) {
    match schema {
        Value::Object(fields) => {
            for (name, field) in fields {
                let target = field.as_str().and_then(|text| text.strip_prefix(REFERENCE));
                if let (true, Some(target)) = (name == "$ref", target.map(str::to_owned)) {
                    *field = format!("{target}.json").into();
                    open.push(target);
                } else {
                    refer(field, open);
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| refer(item, open)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// The schema with what it refers to in its place.
fn inlined(schema: &Value, folder: &BTreeMap<String, Value>) -> Value {
    match schema {
        Value::Object(fields) => match fields.get("$ref").and_then(Value::as_str) {
            Some(file) => inlined(&folder[file], folder),
            None => {
                let each = fields.iter();
                each.map(|(name, field)| (name.clone(), inlined(field, folder))).collect()
            }
        },
        Value::Array(items) => items.iter().map(|item| inlined(item, folder)).collect(),
        other => other.clone(),
    }
}

fn there(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten();
    let mut found: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    found.sort();
    found
}
