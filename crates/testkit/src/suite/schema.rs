//! The OpenAPI document as the orchestrator serves it, and whether replies fit what it promises.

use serde_json::{Value, json};

use super::Outcome;
use super::expect::{brief, demand, status};
use crate::client::Reply;

/// The OpenAPI document of the orchestrator under test.
pub struct Document(Value);

/// One endpoint of the document.
pub struct Operation<'d> {
    /// Its method, in capitals.
    pub method: String,
    /// Its path, with names in braces.
    pub path: &'d str,
    /// The rest.
    pub value: &'d Value,
}

impl Document {
    /// The document of a reply.
    pub fn read(reply: Reply) -> Result<Self, String> {
        status(&reply, 200)?;
        demand!(reply.body["paths"].is_object(), "no paths: {}", brief(&reply.body));
        Ok(Self(reply.body))
    }

    /// What stands at a place.
    pub fn at(&self, pointer: &str) -> &Value {
        self.0.pointer(pointer).unwrap_or(&Value::Null)
    }

    /// Every endpoint.
    pub fn operations(&self) -> Vec<Operation<'_>> {
        let paths = self.0["paths"].as_object().into_iter().flatten();
        let operations = paths.flat_map(|(path, item)| {
            let methods = item.as_object().into_iter().flatten();
            methods.map(move |(method, value)| Operation {
                method: method.to_ascii_uppercase(),
                path,
                value,
            })
        });
        operations.collect()
    }

    /// The reply is of a status that the endpoint documents, and its body fits the schema.
    pub fn check(&self, method: &str, path: &str, reply: &Reply) -> Outcome {
        let operation = &self.0["paths"][path][method.to_ascii_lowercase()];
        demand!(operation.is_object(), "{method} {path} is not documented");
        let response = &operation["responses"][reply.status.to_string()];
        demand!(response.is_object(), "{method} {path}: {} is not documented", reply.status);
        let mut schema = response["content"]["application/json"]["schema"].clone();
        demand!(schema.is_object(), "{method} {path}: {} has no schema", reply.status);
        schema["components"] = self.0["components"].clone();
        let draft = jsonschema::Draft::Draft202012;
        let validator = jsonschema::options().with_draft(draft).build(&schema);
        let validator = validator.map_err(|error| format!("{path}: no schema: {error}"))?;
        let found: Vec<String> = validator
            .iter_errors(&reply.body)
            .map(|error| format!("{}: {error}", error.instance_path().as_str()))
            .collect();
        demand!(found.is_empty(), "{method} {path}: {}", brief(&json!(found)));
        Ok(())
    }
}
