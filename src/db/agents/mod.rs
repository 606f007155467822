//! The store of agents. Its rows are read into the models of `api_types::agents`, which define the
//! family once for the API, the schemas and the clients.
//!
//! What is recorded only grows: an id that is there already adds nothing, and triggers refuse to
//! change what stands. Counters move in SQL, by the trigger of `agent_usage`.

pub mod agent;
pub mod chat;
pub mod logs;
pub mod orchestrator;
mod page;
pub mod prompts;
pub mod records;
pub mod summary;
pub mod system_logs;
mod text;
pub mod usage;

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{DbError, DbErrorKind, Rows, Sql};
pub use page::{Page, Range};

/// Columns of JSON text.
const DOCUMENTS: [&str; 2] = ["metadata", "payload"];
/// Columns that are 0 or 1.
const FLAGS: [&str; 2] = ["archived", "duplicate"];

/// Every statement of the family.
pub fn statements() -> Vec<Sql> {
    [
        agent::STATEMENTS,
        chat::STATEMENTS,
        logs::STATEMENTS,
        orchestrator::STATEMENTS,
        prompts::STATEMENTS,
        summary::STATEMENTS,
        system_logs::STATEMENTS,
        usage::STATEMENTS,
    ]
    .concat()
}

/// The rows as models: JSON text becomes JSON, and 0 and 1 become flags.
fn models<T: DeserializeOwned>(rows: &Rows, statement: Sql) -> Result<Vec<T>, DbError> {
    let values: Vec<Value> = rows.decode()?;
    let malformed = |why: serde_json::Error| {
        DbError::new(DbErrorKind::Malformed, statement.name, why.to_string())
    };
    let model = |mut value: Value| {
        for (name, column) in value.as_object_mut().into_iter().flatten() {
            if let (true, Some(text)) = (DOCUMENTS.contains(&name.as_str()), column.as_str()) {
                *column = serde_json::from_str(text).map_err(malformed)?;
            } else if let (true, Some(flag)) = (FLAGS.contains(&name.as_str()), column.as_f64()) {
                *column = Value::Bool(flag != 0.0);
            }
        }
        serde_json::from_value(value).map_err(malformed)
    };
    values.into_iter().map(model).collect()
}
