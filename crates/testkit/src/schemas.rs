//! JSON Schema for plans that name tools, as the shell has it.

use std::sync::Arc;

use engine::plan::{Fits, Schemas, Violation};
use jsonschema::Validator;
use serde_json::Value;

/// Knows JSON Schema.
#[derive(Clone, Copy, Debug)]
pub struct JsonSchemas;

#[derive(Debug)]
struct Compiled(Validator);

impl Schemas for JsonSchemas {
    fn compile(&self, schema: &Value) -> Result<Arc<dyn Fits>, String> {
        let validator = jsonschema::draft202012::new(schema).map_err(|error| error.to_string())?;
        Ok(Arc::new(Compiled(validator)))
    }
}

impl Fits for Compiled {
    fn violations(&self, instance: &Value, most: usize) -> Vec<Violation> {
        let violation = |error: jsonschema::ValidationError<'_>| Violation {
            pointer: error.instance_path().as_str().to_owned(),
            code: error.kind().keyword().to_owned(),
            message: error.to_string(),
        };
        self.0.iter_errors(instance).take(most).map(violation).collect()
    }
}
