//! The artifacts that a journal tells of, each with the record that brought it: what is recorded
//! with the projection that first sees that record.

use std::collections::BTreeMap;

use engine::execution::{Event, State};
use serde_json::{Value, json};

use super::replay;
use crate::bindings::Bindings;
use crate::effects::artifacts::{self, Artifact, Given};
use crate::effects::offload::{self, OffloadError};
use crate::log::{self, Level};

/// The most artifacts of one execution that are recorded.
const ARTIFACTS_MAX: usize = 1_000;
/// A record that no projection has seen.
const NEWEST: u64 = 1 << 50;

/// The rows of an execution's artifacts. Outputs that lie in object storage are brought for it.
pub async fn of(
    bindings: &Bindings,
    state: &State,
    records: &[String],
) -> Result<Vec<Value>, OffloadError> {
    let mut given = artifacts::given(state);
    if given.is_empty() {
        return Ok(Vec::new());
    }
    let mut brought = Vec::new();
    for one in &given {
        brought.push(match one.output.unresolved() {
            Some(stored) => match offload::bring(bindings, stored).await {
                Ok(value) => {
                    let mut output = one.output.clone();
                    output.resolve(value);
                    Some(output)
                }
                // It was removed: nobody will ever bring it.
                Err(error) if error.is_gone => {
                    lost(state, one, &error);
                    None
                }
                Err(error) => return Err(error),
            },
            None => None,
        });
    }
    for (one, output) in given.iter_mut().zip(&brought) {
        one.output = output.as_ref().unwrap_or(one.output);
    }
    let records = brought_by(records);
    let rows = rows(state, &given, |step| records.get(step).copied().unwrap_or_default());
    if rows.len() > ARTIFACTS_MAX {
        let (id, found) = (state.started.id.as_str(), rows.len());
        log::write(
            Level::Warn,
            json!({ "event": "artifacts.too_many", "execution.id": id, "found": found }),
        );
    }
    Ok(rows.into_iter().take(ARTIFACTS_MAX).collect())
}

/// The rows of what tools made; `record_of` says which record brought the output of a path.
fn rows(state: &State, given: &[Given<'_>], record_of: impl Fn(&str) -> u64) -> Vec<Value> {
    let started = &state.started;
    let row = |artifact: Artifact| {
        let made = artifact.made;
        json!({
            "artifact_id": artifact.id,
            "account_id": started.account,
            "file_name": made.file_name,
            "mime_type": made.mime_type,
            "storage_pointer": made.storage_pointer,
            "size_bytes": made.size_bytes,
            "tool_id": artifact.tool_id,
            "pipeline_id": started.id.as_str(),
            "record_seq": record_of(&artifact.step),
            "step": artifact.step,
        })
    };
    let made = given.iter().flat_map(|one| one.artifacts(started.id.as_str()));
    made.map(row).collect()
}

/// The rows of an execution whose outputs are at hand, whatever was recorded of it.
pub fn rows_at_hand(state: &State) -> Vec<Value> {
    rows(state, &artifacts::given(state), |_| NEWEST)
}

/// For each path the number of the record in which it last succeeded.
fn brought_by(records: &[String]) -> BTreeMap<String, u64> {
    let mut found = BTreeMap::new();
    for (record, seq) in records.iter().zip(1..) {
        for event in replay::events(std::slice::from_ref(record)).into_iter().flatten() {
            if let Event::StepSucceeded { step, .. } = event {
                found.insert(step, seq);
            }
        }
    }
    found
}

fn lost(state: &State, given: &Given<'_>, error: &OffloadError) {
    log::write(
        Level::Error,
        json!({
            "event": "artifacts.output_lost",
            "execution.id": state.started.id.as_str(),
            "step.path": given.step,
            "error": error.to_string(),
        }),
    );
}
