//! What an execution came to: what must be the same in a world with a fault.

use std::fmt;

use engine::execution::{State, Status, StepStatus};
use engine::money::MicroUsd;
use serde_json::Value;

/// See the module.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    pub status: Status,
    pub fault: Option<String>,
    pub steps: Vec<Step>,
    /// The result, where it comes to one.
    pub result: Option<Value>,
    /// What it cost: the same only where no answer was lost.
    pub spent: MicroUsd,
}

/// What a step came to.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    pub name: String,
    pub status: StepStatus,
    /// Elements of a map, each with what it came to.
    pub elements: Vec<StepStatus>,
    pub output: Option<Value>,
}

impl Outcome {
    pub fn of(state: &State) -> Result<Self, String> {
        let steps = state.plan.steps.iter().zip(&state.steps).map(|(planned, step)| Step {
            name: planned.name.clone(),
            status: step.status,
            elements: step.map.iter().flat_map(|map| &map.elements).map(|e| e.status).collect(),
            output: step.output.as_ref().and_then(|o| o.value()).map(|value| Value::clone(value)),
        });
        let ended = state.status == Status::Completed || state.status == Status::Partial;
        let result = ended.then(|| state.result()).transpose();
        Ok(Self {
            status: state.status,
            fault: state.fault.as_ref().map(|fault| fault.code.clone()),
            steps: steps.collect(),
            spent: state.spent,
            result: result.map_err(|fault| format!("it has no result: {fault:?}"))?,
        })
    }

    /// Where the other outcome is apart from this one; `None` where it is the same.
    pub fn apart(&self, other: &Self, races: bool) -> Option<String> {
        let same = match races {
            true => self.status == other.status && self.last() == other.last(),
            false => Self { spent: other.spent, ..self.clone() } == *other,
        };
        (!same).then(|| format!("without a fault:\n  {self}\nwith it:\n  {other}"))
    }

    /// Which steps succeed hangs on who is quicker; what joins them does so whoever is.
    fn last(&self) -> Option<(&str, StepStatus)> {
        self.steps.last().map(|step| (step.name.as_str(), step.status))
    }
}

/// One line, without outputs.
impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.status.as_str())?;
        if let Some(fault) = &self.fault {
            write!(f, " ({fault})")?;
        }
        let mut mark = ":";
        for step in &self.steps {
            write!(f, "{mark} {} {}", step.name, step.status.as_str())?;
            mark = ",";
            if !step.elements.is_empty() {
                let failed = step.elements.iter().filter(|e| **e == StepStatus::Failed).count();
                let done = step.elements.iter().filter(|e| **e == StepStatus::Succeeded).count();
                write!(f, " [{done} done, {failed} failed of {}]", step.elements.len())?;
            }
        }
        Ok(())
    }
}
