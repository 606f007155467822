//! What units of work ask for: whom, with what, at what price.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::{Choice, Fault, FaultKind, Part, State, StepStatus, Unit};
use crate::expr::{EvalErrorAt, Mapping, Scope};
use crate::money::MicroUsd;
use crate::plan::{ELEMENTS_MAX, Kind, RetryPolicy, Step, StepIndex, Target};

/// The most that the outputs of a map's elements come to, as text.
pub const MAP_OUTPUT_BYTES_MAX: usize = 16 * 1024 * 1024;

impl State {
    /// Who is asked; `None` for a unit that asks nobody.
    pub fn target(&self, unit: Unit, fallback: bool) -> Option<&Target> {
        let planned = self.plan.step(unit.step);
        match unit.part {
            Part::Undo => planned.compensation.as_ref().map(|undo| &undo.target),
            Part::Whole | Part::Element(_) => planned.target(fallback, self.started.terms.choice),
        }
    }

    /// How failed attempts are repeated.
    pub(super) fn policy(&self, unit: Unit) -> &RetryPolicy {
        let planned = self.plan.step(unit.step);
        match (&planned.compensation, unit.part) {
            (Some(undo), Part::Undo) => &undo.retry,
            (_, Part::Whole | Part::Element(_) | Part::Undo) => &planned.retry,
        }
    }

    /// What one attempt is expected to cost. One in flight that is an execution may cost what it
    /// was given.
    pub(super) fn estimate(&self, unit: Unit) -> MicroUsd {
        let Some(work) = self.work(unit) else { return MicroUsd::ZERO };
        match &work.attempt {
            Some(attempt) if attempt.child.is_some() => {
                attempt.reserved.minus(self.undo_price(unit.step))
            }
            _ => self.price(unit, work.fallback),
        }
    }

    /// What one attempt of a call is expected to cost.
    pub(super) fn price(&self, unit: Unit, fallback: bool) -> MicroUsd {
        self.target(unit, fallback).and_then(|target| target.estimated_cost).unwrap_or_default()
    }

    /// What undoing the step is expected to cost.
    pub(super) fn undo_price(&self, index: StepIndex) -> MicroUsd {
        let undo = self.plan.step(index).compensation.as_ref();
        undo.and_then(|undo| undo.target.estimated_cost).unwrap_or_default()
    }

    /// What is kept back for one attempt: its price and, for a step that would have to be undone,
    /// the price of that. A map keeps the latter once for all its elements.
    pub(super) fn reservation(&self, unit: Unit) -> MicroUsd {
        let fallback = self.work(unit).is_some_and(|work| work.fallback);
        let price = self.price(unit, fallback);
        match unit.part {
            Part::Whole => price.plus(self.undo_price(unit.step)),
            Part::Element(_) | Part::Undo => price,
        }
    }

    /// What is neither spent nor kept back; `None` without a limit.
    pub fn left(&self) -> Option<MicroUsd> {
        let taken = self.spent.plus(self.reserved).plus(self.kept);
        self.budget.map(|budget| budget.minus(taken))
    }

    /// Whether `more` fits in what is neither spent nor kept back.
    pub(super) fn can_afford(&self, more: MicroUsd) -> bool {
        let taken = self.spent.plus(self.reserved).plus(self.kept);
        // What costs nothing needs none, though more was spent than there is.
        more == MicroUsd::ZERO || self.budget.is_none_or(|budget| taken.plus(more) <= budget)
    }

    /// Whether the budget pays for this besides what is spent and in flight.
    pub(super) fn could_pay(&self, more: MicroUsd) -> bool {
        let bound = self.spent.plus(self.reserved).plus(more);
        self.budget.is_none_or(|budget| bound <= budget)
    }

    /// The elements of the map at `index`.
    pub(super) fn items(&self, index: StepIndex) -> Result<Vec<Value>, Fault> {
        let planned = self.plan.step(index);
        let Kind::Map(each) = &planned.kind else {
            return Err(Fault::new(FaultKind::Expression, "map.not_a_map", "the step is no map"));
        };
        let view = self.view(index);
        let found = each.items.eval(&view.scope());
        let found = found.map_err(|error| mistaken(planned, "config.items", &error))?;
        let refuse = |code, message| Err(Fault::new(FaultKind::Expression, code, message));
        match found {
            Value::Array(items) if items.len() <= ELEMENTS_MAX as usize => Ok(items),
            Value::Array(items) => refuse(
                "map.too_many_items",
                format!(
                    "step `{}`, config.items: {} elements; a map takes at most {ELEMENTS_MAX}",
                    planned.name,
                    items.len(),
                ),
            ),
            other => refuse(
                "map.not_an_array",
                format!(
                    "step `{}`, config.items gives {}, not an array",
                    planned.name,
                    kind_of(&other),
                ),
            ),
        }
    }

    /// What a unit sends or produces: its mapping over what it sees, or all that it sees where it
    /// has none; `defaults` stand in for what is missing.
    pub(super) fn body(&self, unit: Unit, defaults: &Map<String, Value>) -> Result<Value, Fault> {
        let edited = self.work(unit).and_then(|work| work.input.as_ref());
        let mut body = match (edited, unit.part) {
            (Some(input), _) => Value::clone(input),
            (None, Part::Whole) => self.own_body(unit.step)?,
            (None, Part::Element(at)) => self.element_body(unit.step, at)?,
            (None, Part::Undo) => self.undo_body(unit.step)?,
        };
        if let Value::Object(fields) = &mut body {
            for (key, value) in defaults {
                fields.entry(key.clone()).or_insert_with(|| value.clone());
            }
        }
        Ok(body)
    }

    fn own_body(&self, index: StepIndex) -> Result<Value, Fault> {
        let planned = self.plan.step(index);
        let view = self.view(index);
        match &planned.input {
            None => Ok(view.data()),
            Some(mapping) => evaluate(planned, mapping, &view.scope()),
        }
    }

    fn element_body(&self, index: StepIndex, at: u32) -> Result<Value, Fault> {
        let planned = self.plan.step(index);
        let items = self.step(index).map.as_ref().map(|map| Arc::clone(&map.items));
        let missing = Value::Null;
        let item = items.as_ref().and_then(|items| items.get(at as usize)).unwrap_or(&missing);
        match &planned.input {
            None if item.is_object() => Ok(item.clone()),
            None => Ok(json!({ "item": item, "index": at })),
            Some(mapping) => {
                let view = self.view(index);
                let scope = Scope { item: Some((item, at.into())), ..view.scope() };
                evaluate(planned, mapping, &scope)
            }
        }
    }

    fn undo_body(&self, index: StepIndex) -> Result<Value, Fault> {
        let planned = self.plan.step(index);
        let step = self.step(index);
        let known = step.output.as_ref().and_then(|output| output.value().map(|v| Value::clone(v)));
        let output = known.unwrap_or_else(|| self.results(index));
        match planned.compensation.as_ref().and_then(|undo| undo.input.as_ref()) {
            None if output.is_object() => Ok(output),
            None => Ok(json!({ "output": output })),
            Some(mapping) => {
                let view = self.view(index);
                let scope = Scope { output: Some(&output), ..view.scope() };
                evaluate(planned, mapping, &scope)
            }
        }
    }

    /// The execution's result: its output mapping, or the whole of `data`.
    pub fn result(&self) -> Result<Value, Fault> {
        let view = self.view_of_all();
        match &self.plan.output {
            None => Ok(view.data()),
            Some(mapping) => mapping.eval(&view.scope()).map_err(|error| {
                let message = format!("the template's output_mapping: {error}");
                Fault::new(FaultKind::Expression, error.code(), message)
            }),
        }
    }

    /// What the elements of a map came to, in the order of the items.
    pub(super) fn results(&self, index: StepIndex) -> Value {
        let Some(map) = &self.step(index).map else { return Value::Null };
        let result = |element: &super::Work| {
            let output = element.output.as_ref().and_then(|output| output.value());
            output.map_or(Value::Null, |value| Value::clone(value))
        };
        let errors = map.elements.iter().enumerate().filter_map(|(at, element)| {
            let fault = element.fault.as_ref().filter(|_| element.status == StepStatus::Failed)?;
            Some(json!({ "index": at, "code": fault.code, "message": fault.message }))
        });
        json!({
            "results": map.elements.iter().map(result).collect::<Vec<_>>(),
            "statuses": map.elements.iter().map(|e| e.status.as_str()).collect::<Vec<_>>(),
            "errors": errors.collect::<Vec<_>>(),
        })
    }
}

fn evaluate(planned: &Step, mapping: &Mapping, scope: &Scope<'_>) -> Result<Value, Fault> {
    mapping.eval(scope).map_err(|error| mistaken(planned, "input_mapping", &error))
}

fn mistaken(planned: &Step, field: &str, error: &EvalErrorAt) -> Fault {
    let message = format!("step `{}`, {field}: {error}", planned.name);
    Fault::new(FaultKind::Expression, error.code(), message)
}

fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

impl Step {
    /// Who is asked; `None` for a step that asks nobody.
    pub fn target(&self, fallback: bool, choice: Choice) -> Option<&Target> {
        let call = self.call()?;
        if fallback { call.fallback.as_ref() } else { Some(call.chosen(choice)) }
    }
}
