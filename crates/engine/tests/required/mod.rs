//! As much of JSON Schema as stories of tools need: `required`, and `type` of properties. Anything
//! with another `$schema` is none.

use std::sync::Arc;

use engine::plan::{Fits, Schemas, Violation};
use serde_json::Value;

/// Knows those words.
pub struct Required;

#[derive(Debug)]
struct Words(Value);

impl Schemas for Required {
    fn compile(&self, schema: &Value) -> Result<Arc<dyn Fits>, String> {
        match schema.get("$schema") {
            None => Ok(Arc::new(Words(schema.clone()))),
            Some(other) => Err(format!("{other} is unknown")),
        }
    }
}

impl Fits for Words {
    fn violations(&self, instance: &Value, most: usize) -> Vec<Violation> {
        let violation = |name: &str, code: &str, message: &str| Violation {
            pointer: format!("/{name}"),
            code: code.to_owned(),
            message: message.to_owned(),
        };
        let required = self.0["required"].as_array().into_iter().flatten();
        let missing = required.filter_map(Value::as_str).filter(|name| instance[*name].is_null());
        let missing = missing.map(|name| violation(name, "required", "is required"));
        let typed = self.0["properties"].as_object().into_iter().flatten();
        let wrong = typed.filter(|(name, schema)| {
            let value = &instance[name.as_str()];
            let fits = match schema["type"].as_str() {
                Some("integer") => value.is_i64() || value.is_u64(),
                Some("string") => value.is_string(),
                _ => true,
            };
            !value.is_null() && !fits
        });
        let wrong = wrong.map(|(name, _)| violation(name, "type", "is of another type"));
        missing.chain(wrong).take(most).collect()
    }
}
