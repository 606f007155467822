//! The artifacts that a journal tells of, each with the record that brought it: what is recorded
//! with the projection that first sees that record.

use std::collections::BTreeMap;

use engine::execution::{Event, Payload, State};
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
    let mut brought: BTreeMap<String, Option<Payload>> = BTreeMap::new();
    for one in &given {
        let Some(stored) = one.output.unresolved() else { continue };
        if brought.contains_key(&stored.key) {
            continue;
        }
        let found = match offload::bring(bindings, stored).await {
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
        };
        brought.insert(stored.key.clone(), found);
    }
    for one in &mut given {
        let stored = one.output.unresolved();
        if let Some(Some(output)) = stored.and_then(|stored| brought.get(&stored.key)) {
            one.output = output;
        }
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use engine::execution::{
        Context, FORMAT, Fault, FaultKind, Input, NO_GATES, Outcome, Started, Terms, start,
    };
    use engine::ids::{ExecutionId, ShardId};
    use engine::money::MicroUsd;
    use engine::plan::definition::{StepDefinition, StepKind, TemplateDefinition, ToolDefinition};
    use engine::time::{Millis, Timestamp};

    use super::*;
    use crate::plans;

    const NOW: Timestamp = Timestamp::from_millis(1_000_000);
    const CONTEXT: Context<'static> = Context {
        now: NOW,
        entropy: 0,
        slots: 9,
        latest_end: Timestamp::from_millis(9_000_000),
        gates: &NO_GATES,
    };

    /// An execution whose one step calls a tool for each of three elements.
    fn three() -> State {
        let step = StepDefinition {
            name: "each".to_owned(),
            order: 1,
            kind: StepKind::Map,
            input_mapping: Some(json!({"n": "=item"})),
            config: Some(
                json!({"items": "=request.list", "tool": "draw", "tolerated_failures": 1}),
            ),
            ..StepDefinition::default()
        };
        let tool = ToolDefinition {
            id: "t-1".to_owned(),
            name: "draw".to_owned(),
            node: Some("n1".to_owned()),
            address: Some("https://node.test/".to_owned()),
            estimated_cost: Some(MicroUsd::ZERO),
            ..ToolDefinition::default()
        };
        let definition = TemplateDefinition {
            name: "drawings".to_owned(),
            steps: vec![step],
            tools: BTreeMap::from([("draw".to_owned(), tool)]),
            ..TemplateDefinition::default()
        };
        let plan = plans::plan("drawings", &definition).unwrap();
        let started = Started {
            format: FORMAT,
            id: ExecutionId::new(NOW, ShardId(0), 7),
            account: "acme".to_owned(),
            at: NOW,
            revision: 1,
            content_hash: "drawings".to_owned(),
            definition: Arc::new(definition),
            request: json!({"list": [1, 2, 3]}),
            terms: Terms {
                strategy: "balanced".to_owned(),
                parallelism: 8,
                retries_max: Some(0),
                deadline: Millis::from_secs(300),
                attempt_timeout: Millis::from_secs(20),
                ..Terms::default()
            },
            traceparent: None,
            parent: None,
            initiators: Vec::new(),
            restarted_from: None,
            key: None,
        };
        start(started, plan, &CONTEXT).0
    }

    fn answer(state: &mut State, path: &str, result: Result<Value, Fault>) {
        let in_flight: Vec<_> = state.in_flight().collect();
        let (fence, _) = in_flight
            .into_iter()
            .find(|(_, unit)| state.plan.path(*unit) == path)
            .unwrap_or_else(|| panic!("{path}: {:?}", state.fault));
        let outcome = Outcome { result: result.map(Payload::inline), cost: None, memoised: None };
        state.advance(&CONTEXT, Input::Answered { fence, outcome }).unwrap();
    }

    fn file(name: &str) -> Result<Value, Fault> {
        Ok(json!({"artifacts": [{"file_name": name, "size_bytes": 7}]}))
    }

    /// What would be recorded: id, path, file and record.
    fn told(state: &State) -> Vec<[String; 4]> {
        let record_of = |step: &str| if step == "each[0]" { 4 } else { 9 };
        let text = |value: &Value| value.as_str().map_or(value.to_string(), str::to_owned);
        let rows = rows(state, &artifacts::given(state), record_of);
        rows.iter()
            .map(|row| {
                assert_eq!((&row["tool_id"], &row["size_bytes"]), (&json!("t-1"), &json!(7)));
                ["artifact_id", "step", "file_name", "record_seq"].map(|field| text(&row[field]))
            })
            .collect()
    }

    #[test]
    fn elements_of_a_map_keep_their_artifacts_when_it_is_settled() {
        let mut state = three();
        answer(&mut state, "each[2]", file("c"));
        answer(&mut state, "each[0]", file("a"));
        let before = told(&state);
        assert_eq!(before.iter().map(|row| &row[2]).collect::<Vec<_>>(), ["a", "c"]);
        let fault = Fault::new(FaultKind::Http(400), "worker.refused", "no");
        answer(&mut state, "each[1]", Err(fault));
        assert_eq!(state.status.as_str(), "completed");
        assert!(
            state
                .work(engine::execution::Unit::element(engine::plan::StepIndex(0), 2))
                .is_some_and(|work| work.output.is_none()),
            "its output stands in the step's"
        );
        assert_eq!(told(&state), before, "the one between them failed");
        let records: Vec<&str> = before.iter().map(|row| row[3].as_str()).collect();
        assert_eq!(records, ["4", "9"]);
    }

    /// The output of a settled map may lie in object storage.
    #[test]
    fn elements_share_what_is_brought_for_their_map() {
        let mut state = three();
        for (path, name) in [("each[0]", "a"), ("each[1]", "b"), ("each[2]", "c")] {
            answer(&mut state, path, file(name));
        }
        let given = artifacts::given(&state);
        let [one, other, _] = given.as_slice() else { panic!("{given:?}") };
        assert!(std::ptr::eq(one.output, other.output));
        assert_eq!((one.element, other.element), (Some(0), Some(1)));
        assert_eq!(told(&state).len(), 3);
    }
}
