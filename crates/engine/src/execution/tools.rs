//! What goes to a tool and what comes back from it is checked against its schemas: the first before
//! the attempt begins, the second when it has ended. Neither is tried again: the same input and the
//! same tool give the same.

use serde_json::Value;

use super::{Fault, FaultKind, Payload, State, Unit};
use crate::plan::{Schema, Target, Tool, Violation};

impl State {
    /// Whether what a unit would send fits what the tool takes.
    pub(super) fn check_sent(
        &self,
        unit: Unit,
        target: &Target,
        body: &Value,
    ) -> Result<(), Fault> {
        let Some(tool) = &target.tool else { return Ok(()) };
        let what = Checked {
            kind: FaultKind::Expression,
            code: "tool.input_invalid",
            text: "the input does not fit the input_schema",
        };
        what.check(&tool.input, body, self, (unit, tool))
    }

    /// Whether what an attempt brought fits what the tool gives.
    pub(super) fn check_given(&self, unit: Unit, output: &Payload) -> Result<(), Fault> {
        let fallback = self.work(unit).is_some_and(|work| work.fallback);
        let target = self.target(unit, fallback);
        let (Some(tool), Some(value)) = (target.and_then(|t| t.tool.as_ref()), output.value())
        else {
            return Ok(());
        };
        let what = Checked {
            kind: FaultKind::Output,
            code: "tool.output_invalid",
            text: "the output does not fit the output_schema",
        };
        what.check(&tool.output, value, self, (unit, tool))
    }
}

struct Checked {
    kind: FaultKind,
    code: &'static str,
    text: &'static str,
}

impl Checked {
    fn check(
        self,
        schema: &Schema,
        value: &Value,
        state: &State,
        (unit, tool): (Unit, &Tool),
    ) -> Result<(), Fault> {
        let violations = schema.violations(value);
        if violations.is_empty() {
            return Ok(());
        }
        let named: Vec<String> = violations.iter().map(named).collect();
        let path = state.plan.path(unit);
        let Self { kind, code, text } = self;
        let message =
            format!("step `{path}`: {text} of tool `{}`: {}", tool.name, named.join("; "));
        Err(Fault { violations, ..Fault::new(kind, code, message) })
    }
}

fn named(Violation { pointer, message, .. }: &Violation) -> String {
    let pointer = if pointer.is_empty() { "the whole" } else { pointer };
    format!("{pointer} {message}")
}
