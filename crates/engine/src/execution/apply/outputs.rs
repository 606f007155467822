//! Outputs, and what they put into `data`.

use std::collections::BTreeMap;

use std::sync::Arc;

use serde_json::Value;

use super::{Applied, IllegalEvent, illegal};
use crate::execution::work::Writes;
use crate::execution::{Part, Payload, State, StepStatus, Unit};
use crate::expr::Scope;
use crate::plan::{Kind, StepIndex};
use crate::time::Timestamp;

impl State {
    pub(super) fn succeeded(&mut self, unit: Unit, at: Timestamp, output: &Payload) -> Applied {
        match unit.part {
            Part::Whole => self.step_succeeded(unit.step, at, output)?,
            Part::Element(number) => {
                let bytes = output.bytes();
                let Some(map) = self.map_mut(unit.step) else {
                    return Err(illegal("step_succeeded", "the map has not begun"));
                };
                map.bytes += bytes;
                if let Some(element) = map.elements.get_mut(number as usize) {
                    element.output = Some(output.clone());
                    element.fault = None;
                }
            }
            Part::Undo => {}
        }
        self.settle_unit(unit, at, StepStatus::Succeeded);
        Ok(())
    }

    fn step_succeeded(&mut self, index: StepIndex, at: Timestamp, output: &Payload) -> Applied {
        let writes = self.writes(index, output)?;
        match &writes {
            Writes::Nothing => {}
            Writes::Fields => {
                let fields = output.value().and_then(|value| value.as_object());
                for key in fields.into_iter().flatten().map(|(key, _)| key) {
                    note_writer(&mut self.writers, key, index);
                }
            }
            Writes::Mapped(values) => {
                for key in values.keys() {
                    note_writer(&mut self.writers, key, index);
                }
            }
            Writes::Named | Writes::Results => {
                note_writer(&mut self.writers, &self.plan.step(index).name, index);
            }
        }
        let step = &mut self.steps[index.position()];
        step.started_at.get_or_insert(at);
        step.output = Some(output.clone());
        step.writes = writes;
        // The elements' outputs stand in the step's.
        for element in step.map.iter_mut().flat_map(|map| &mut map.elements) {
            element.output = None;
        }
        Ok(())
    }

    /// What an output puts into `data`. An output that was not resolved puts nothing: a state
    /// with such outputs serves for its statuses, not for decisions.
    fn writes(&self, index: StepIndex, output: &Payload) -> Result<Writes, IllegalEvent> {
        let Some(value) = output.value() else { return Ok(Writes::Nothing) };
        let step = self.plan.step(index);
        match &step.output {
            None if matches!(step.kind, Kind::Map(_)) => Ok(Writes::Results),
            None if value.is_object() => Ok(Writes::Fields),
            None => Ok(Writes::Named),
            Some(mapping) => {
                let view = self.view(index);
                let scope = Scope { output: Some(value), ..view.scope() };
                let mapped = mapping.eval(&scope);
                let mapped =
                    mapped.map_err(|error| illegal("step_succeeded", error.to_string()))?;
                let fields = mapped.as_object().into_iter().flatten();
                let fields = fields.map(|(key, value)| (key.clone(), Arc::new(value.clone())));
                Ok(Writes::Mapped(fields.collect()))
            }
        }
    }
}

fn note_writer(
    writers: &mut BTreeMap<String, std::collections::BTreeSet<StepIndex>>,
    key: &str,
    index: StepIndex,
) {
    match writers.get_mut(key) {
        Some(known) => {
            known.insert(index);
        }
        None => {
            writers.insert(key.to_owned(), std::iter::once(index).collect());
        }
    }
}

impl Payload {
    /// The size of its JSON text; zero where it is not at hand.
    pub fn bytes(&self) -> usize {
        if let Some(stored) = self.stored() {
            return usize::try_from(stored.bytes).unwrap_or(usize::MAX);
        }
        self.value().map_or(0, |value| text_bytes(value))
    }
}

/// The size of a value's compact JSON text, without making it; escapes count as one character.
fn text_bytes(value: &Value) -> usize {
    match value {
        Value::Null => 4,
        Value::Bool(_) => 5,
        Value::Number(_) => 8,
        Value::String(text) => text.len() + 2,
        Value::Array(items) => items.iter().map(|item| text_bytes(item) + 1).sum::<usize>() + 2,
        Value::Object(fields) => {
            fields.iter().map(|(key, value)| key.len() + 4 + text_bytes(value)).sum::<usize>() + 2
        }
    }
}
