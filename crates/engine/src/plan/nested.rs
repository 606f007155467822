//! Templates within templates: which ones a definition reaches through its steps of kind
//! `pipeline`, and what they cost at least.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::definition::{StepDefinition, StepKind, TemplateDefinition};
use crate::money::MicroUsd;

impl TemplateDefinition {
    /// The definition that an execution of the nested template `name` starts from: its own steps
    /// and workers, and all templates that it reaches. It is the document that the template's own
    /// rows made at the same moment.
    pub fn child(&self, name: &str) -> Option<TemplateDefinition> {
        let entry = self.templates.get(name)?;
        let mut reached: BTreeMap<String, TemplateDefinition> = BTreeMap::new();
        let mut found: Vec<&str> = entry.named_templates().collect();
        while let Some(name) = found.pop() {
            if reached.contains_key(name) {
                continue;
            }
            if let Some(entry) = self.templates.get(name) {
                reached.insert(name.to_owned(), entry.clone());
                found.extend(entry.named_templates());
            }
        }
        Some(TemplateDefinition { templates: reached, ..entry.clone() })
    }

    /// The templates that steps of this one name, in the order of the steps.
    pub fn named_templates(&self) -> impl Iterator<Item = &str> {
        self.steps.iter().filter_map(StepDefinition::named_template)
    }

    /// The workers that steps of this one name, whatever for.
    pub fn named_workers(&self) -> BTreeSet<&str> {
        self.steps.iter().flat_map(StepDefinition::named_workers).collect()
    }

    /// Whether `other` says the same, but for the templates that come with it.
    pub(super) fn is_same_without_templates(&self, other: &TemplateDefinition) -> bool {
        let without = |of: &TemplateDefinition| TemplateDefinition {
            templates: BTreeMap::new(),
            ..of.clone()
        };
        self.name == other.name && without(self) == without(other)
    }

    /// What an execution of the nested template `name` costs at least, by the same rule as
    /// [`super::Plan::cost_min`]. What comes up again within itself counts nothing: nobody knows
    /// how often it will.
    pub(super) fn cost_min_of(&self, name: &str) -> MicroUsd {
        self.cost_of(name, &mut BTreeMap::from([(self.name.clone(), MicroUsd::ZERO)]))
    }

    fn cost_of(&self, name: &str, known: &mut BTreeMap<String, MicroUsd>) -> MicroUsd {
        if let Some(cost) = known.get(name) {
            return *cost;
        }
        let Some(template) = self.templates.get(name) else {
            return MicroUsd::ZERO;
        };
        known.insert(name.to_owned(), MicroUsd::ZERO);
        let must_be_done = |step: &&StepDefinition| {
            !step.optional && step.condition.as_ref().is_none_or(Value::is_null)
        };
        let mut sum = MicroUsd::ZERO;
        for step in template.steps.iter().filter(must_be_done) {
            sum = sum.plus(match step.kind {
                StepKind::Worker => template.cheapest(step),
                StepKind::Tool => template.cheapest_tool(step),
                StepKind::Pipeline => {
                    let name = step.named_template();
                    name.map_or(MicroUsd::ZERO, |name| self.cost_of(name, known))
                }
                StepKind::Transform | StepKind::Map | StepKind::Wait => MicroUsd::ZERO,
            });
        }
        known.insert(name.to_owned(), sum);
        sum
    }

    fn cheapest(&self, step: &StepDefinition) -> MicroUsd {
        let can_do = step.worker.as_deref().into_iter().chain(step.alternatives());
        let cost = |name| self.workers.get(name)?.estimated_cost;
        can_do.map(|name| cost(name).unwrap_or_default()).min().unwrap_or_default()
    }

    /// The tools that steps of this one name, whatever for.
    pub fn named_tools(&self) -> BTreeSet<&str> {
        self.steps.iter().flat_map(StepDefinition::named_tools).collect()
    }

    fn cheapest_tool(&self, step: &StepDefinition) -> MicroUsd {
        let tools = step.tools_to_choose().filter_map(|name| self.tools.get(name));
        let able = tools.filter(|tool| tool.unavailable.is_none());
        able.map(|tool| tool.estimated_cost.unwrap_or_default()).min().unwrap_or_default()
    }
}

impl StepDefinition {
    /// The template that a step of kind `pipeline` names.
    pub fn named_template(&self) -> Option<&str> {
        let config = self.config.as_ref().filter(|_| self.kind == StepKind::Pipeline)?;
        config.get("template")?.as_str()
    }

    /// The workers that the step names: its own, those that stand in for it, and the one that
    /// undoes it.
    pub fn named_workers(&self) -> impl Iterator<Item = &str> {
        let compensates = self.setting("compensate").and_then(|undo| undo.get("worker")?.as_str());
        let own = [self.worker.as_deref(), self.fallback_worker.as_deref(), compensates];
        let stand_in = self.alternatives().filter(|_| !self.calls_tool());
        own.into_iter().flatten().chain(stand_in)
    }

    /// The tools that the step names, by name or id: as [`Self::named_workers`].
    pub fn named_tools(&self) -> impl Iterator<Item = &str> {
        let compensates = self.setting("compensate").and_then(|undo| undo.get("tool")?.as_str());
        let fallback = self.setting("fallback_tool").and_then(Value::as_str);
        self.tools_to_choose().chain(fallback).chain(compensates)
    }

    /// The tools that can do the step, the first first.
    pub(super) fn tools_to_choose(&self) -> impl Iterator<Item = &str> {
        let first = self.setting("tool").and_then(Value::as_str);
        first.into_iter().chain(self.alternatives().filter(|_| self.calls_tool()))
    }

    /// Whether what it calls is a tool, for each element where it is a map.
    pub(super) fn calls_tool(&self) -> bool {
        match self.kind {
            StepKind::Tool => true,
            StepKind::Map => self.setting("tool").is_some(),
            StepKind::Worker | StepKind::Transform | StepKind::Wait | StepKind::Pipeline => false,
        }
    }

    fn setting(&self, name: &str) -> Option<&Value> {
        self.config.as_ref()?.get(name).filter(|value| !value.is_null())
    }

    fn alternatives(&self) -> impl Iterator<Item = &str> {
        let list = self.setting("alternatives").and_then(Value::as_array);
        list.into_iter().flatten().filter_map(Value::as_str)
    }
}
