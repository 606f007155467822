//! What the checkers know of a template beforehand: read from its definition, whatever the plan
//! that the machines follow was made of.

use std::collections::BTreeMap;

use engine::plan::definition::{StepDefinition, StepKind, TemplateDefinition};
use engine::plan::{Join, Plan};
use serde_json::Value;

/// What is known of a step.
#[derive(Debug)]
pub struct StepFacts {
    pub kind: StepKind,
    /// Whether a tool does it, for each element where it is a map.
    pub is_by_tool: bool,
    /// Steps that must be settled before it begins, whatever became of them.
    pub ordered: Vec<String>,
    /// Steps of which so many must have succeeded, or all be settled.
    pub required: Vec<String>,
    pub wanted: Option<usize>,
    /// What undoing it is expected to cost; `None` where nothing undoes it.
    pub undo_price: Option<u64>,
    /// The signal that it waits for; `None` where only its task answers.
    pub signal: Option<String>,
    /// Whether only its task gives the approval that it waits for.
    pub is_guarded: bool,
}

/// See the module.
#[derive(Debug)]
pub struct Facts {
    pub steps: BTreeMap<String, StepFacts>,
}

impl Facts {
    pub fn of(definition: &TemplateDefinition, plan: &Plan) -> Self {
        let name = |index: &engine::plan::StepIndex| plan.step(*index).name.clone();
        let facts = |step: &StepDefinition| {
            let planned = plan.step(plan.find(&step.name).expect("a plan has all steps"));
            let wanted = match planned.join {
                Join::Some(wanted) if plan.allow_parallel => Some(wanted as usize),
                Join::Some(_) | Join::All => None,
            };
            let required: Vec<String> = planned.required.iter().map(name).collect();
            let loose =
                |on: &&engine::plan::StepIndex| wanted.is_none() || !planned.required.contains(on);
            let ordered = planned.dependencies.iter().filter(loose).map(name).collect();
            let config = |field: &str| step.config.as_ref().and_then(|config| config.get(field));
            let price = |worker: &str| {
                let worker = definition.workers.get(worker)?;
                Some(worker.estimated_cost.unwrap_or_default().as_micros())
            };
            let undo = config("compensate").and_then(|undo| undo.get("worker")?.as_str());
            let is_guarded = config("approval").is_some_and(|approval| {
                ["candidates", "form", "forbid_self_approval"]
                    .iter()
                    .any(|field| approval.get(field).is_some())
            });
            let signal = config("signal").or_else(|| config("approval")).filter(|_| !is_guarded);
            let signal = signal.map(|name| name.as_str().unwrap_or(&step.name).to_owned());
            let undo_price = undo.and_then(price);
            let is_by_tool = config("tool").is_some();
            let kind = step.kind;
            let facts = StepFacts {
                kind,
                is_by_tool,
                ordered,
                required,
                wanted,
                undo_price,
                signal,
                is_guarded,
            };
            (step.name.clone(), facts)
        };
        Self { steps: definition.steps.iter().map(facts).collect() }
    }

    /// The step that a path belongs to, and which part of it is meant.
    pub fn part(path: &str) -> (&str, Part) {
        if let Some(step) = path.strip_suffix("/compensate") {
            return (step, Part::Undo);
        }
        match path.split_once('[') {
            Some((step, _)) => (step, Part::Element),
            None => (path, Part::Whole),
        }
    }

    /// Whether what came for a path is what the tool that did it must give: a whole `count`.
    pub fn may_be_given(&self, path: &str, output: &Value) -> bool {
        let (step, part) = Self::part(path);
        let facts = self.steps.get(step).filter(|facts| facts.is_by_tool);
        let by_tool = facts.is_some_and(|facts| match part {
            Part::Undo => false,
            Part::Element => true,
            Part::Whole => facts.kind == StepKind::Tool,
        });
        !by_tool || output["count"].is_u64()
    }

    /// What is kept back for undoing the step of a path, where an attempt at the path keeps it.
    pub fn undo_price_of(&self, path: &str) -> u64 {
        match Self::part(path) {
            (step, Part::Whole) => {
                self.steps.get(step).and_then(|step| step.undo_price).unwrap_or_default()
            }
            (_, Part::Element | Part::Undo) => 0,
        }
    }
}

/// Which part of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    Whole,
    Element,
    Undo,
}
