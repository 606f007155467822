//! From a definition to a plan, with every violation reported at once.

mod approval;
mod call;
mod config;
mod each;
mod fields;
mod step;
mod sub;
mod tool;
mod wait;

use std::collections::BTreeMap;

use serde_json::Value;

use super::assemble::assemble;
use super::definition::{StepKind, TEMPLATES_MAX, TemplateDefinition};
use super::{NoSchemas, Plan, STEPS_MAX, Schemas, Step, Violation, graph};
use crate::money::MicroUsd;

const NAME_LEN_MAX: usize = 64;

impl Plan {
    /// Checks a definition whole, with the templates that it reaches. The violations' pointers lead
    /// into the definition.
    pub fn compile(definition: &TemplateDefinition) -> Result<Self, Vec<Violation>> {
        Self::compile_with(definition, &NoSchemas)
    }

    /// The same for a definition that may name tools: `schemas` are theirs.
    pub fn compile_with(
        definition: &TemplateDefinition,
        schemas: &dyn Schemas,
    ) -> Result<Self, Vec<Violation>> {
        let mut check = Check { schemas, ..Check::new(definition) };
        let plan = check.whole();
        check.nested();
        match plan {
            Some(plan) if check.violations.is_empty() => Ok(plan),
            Some(_) | None => Err(check.violations),
        }
    }
}

/// What [`Plan::compile`] overlooks because definitions that it has once compiled must compile for
/// ever: settings of steps of kind `worker` and `transform` that are none, written when no setting
/// of theirs had a meaning. A new revision is not to have any.
pub fn overlooked(definition: &TemplateDefinition) -> Vec<Violation> {
    let mut check = Check::new(definition);
    check.whole();
    check.nested();
    check.overlooked
}

/// A name as a part of a JSON pointer; registered names are free text (RFC 6901, section 3).
pub(super) fn escape(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

/// The pointer to a worker.
fn registered(worker: &str) -> String {
    format!("/workers/{}", escape(worker))
}

struct Check<'a> {
    definition: &'a TemplateDefinition,
    /// The definition that has all templates: this one, or the one around it.
    outermost: &'a TemplateDefinition,
    /// What stands before every pointer.
    prefix: String,
    violations: Vec<Violation>,
    overlooked: Vec<Violation>,
    /// Whether what is found now is overlooked.
    lenient: bool,
    /// What templates cost at least, as far as it was asked.
    costs: BTreeMap<String, MicroUsd>,
    schemas: &'a dyn Schemas,
}

impl<'a> Check<'a> {
    fn new(definition: &'a TemplateDefinition) -> Self {
        Self {
            definition,
            outermost: definition,
            prefix: String::new(),
            violations: Vec::new(),
            overlooked: Vec::new(),
            lenient: false,
            costs: BTreeMap::new(),
            schemas: &NoSchemas,
        }
    }

    fn whole(&mut self) -> Option<Plan> {
        let definition = self.definition;
        self.template();
        let by_name = self.names();
        let needs = self.dependencies(&by_name);
        let steps: Vec<Option<Step>> =
            needs.iter().enumerate().map(|(at, needs)| self.step(at, needs.len())).collect();
        let output = self.output();
        let priority: Vec<i64> = definition.steps.iter().map(|step| step.order).collect();
        let order = self.order(&needs, &priority);
        if !self.violations.is_empty() {
            return None;
        }
        let steps = steps.into_iter().collect::<Option<Vec<_>>>()?;
        Some(assemble(definition, steps, &needs, &order?, output))
    }

    /// The templates that are reached. One that reaches itself is checked like any other: how deep
    /// executions stand within each other is limited when they start.
    fn nested(&mut self) {
        let outermost = self.outermost;
        if outermost.templates.len() > TEMPLATES_MAX {
            let found = outermost.templates.len();
            let message = format!("{found} templates are reached; at most {TEMPLATES_MAX} may be");
            self.report("/templates", "pipeline.too_many_templates", message);
            return;
        }
        for (name, definition) in &outermost.templates {
            if outermost.is_same_without_templates(definition) {
                continue;
            }
            let prefix = format!("/templates/{}", escape(name));
            let mut check = Check { definition, prefix, ..Check::new(outermost) };
            check.whole();
            self.violations.append(&mut check.violations);
            self.overlooked.append(&mut check.overlooked);
        }
    }

    /// Looks at what a step of this kind could carry unnoticed before it had a meaning.
    fn setting<T>(&mut self, kind: StepKind, look: impl FnOnce(&mut Self) -> T) -> T {
        let lenient = matches!(kind, StepKind::Worker | StepKind::Transform);
        let before = std::mem::replace(&mut self.lenient, lenient);
        let found = look(self);
        self.lenient = before;
        found
    }

    fn report(&mut self, pointer: impl Into<String>, code: &str, message: impl Into<String>) {
        let pointer = format!("{}{}", self.prefix, pointer.into());
        let violation = Violation { pointer, code: code.to_owned(), message: message.into() };
        let list = if self.lenient { &mut self.overlooked } else { &mut self.violations };
        // A worker is looked at for each step that names it.
        if !list.contains(&violation) {
            list.push(violation);
        }
    }

    fn template(&mut self) {
        let definition = self.definition;
        self.name("/name", &definition.name, "template");
        if definition.steps.is_empty() {
            self.report("/steps", "template.no_steps", "a template needs at least one step");
        }
        if definition.steps.len() > STEPS_MAX {
            let found = definition.steps.len();
            let message = format!("{found} steps; a template has at most {STEPS_MAX}");
            self.report("/steps", "template.too_many_steps", message);
        }
        if definition.deadline_ms == Some(0) {
            self.report("/deadline_ms", "template.out_of_range", "a deadline is at least 1 ms");
        }
    }

    fn name(&mut self, pointer: &str, name: &str, what: &str) {
        let mut bytes = name.bytes();
        let starts = bytes.next().is_some_and(|b| b.is_ascii_alphabetic());
        let goes_on = bytes.all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
        if !starts || !goes_on || name.len() > NAME_LEN_MAX {
            let message = format!(
                "`{name}` is no {what} name: a letter, then letters, digits, `_` or `-`, \
                 {NAME_LEN_MAX} at most"
            );
            self.report(pointer, "name.malformed", message);
        }
    }

    /// Positions by name; where a name comes twice, the first one's.
    fn names(&mut self) -> BTreeMap<String, usize> {
        let definition = self.definition;
        let mut by_name = BTreeMap::new();
        for (at, step) in definition.steps.iter().enumerate() {
            let pointer = format!("/steps/{at}/name");
            self.name(&pointer, &step.name, "step");
            if by_name.contains_key(&step.name) {
                let message = format!("two steps are called `{}`", step.name);
                self.report(pointer, "step.duplicate_name", message);
            } else {
                by_name.insert(step.name.clone(), at);
            }
        }
        by_name
    }

    fn dependencies(&mut self, by_name: &BTreeMap<String, usize>) -> Vec<Vec<usize>> {
        let definition = self.definition;
        let mut needs = Vec::with_capacity(definition.steps.len());
        for (at, step) in definition.steps.iter().enumerate() {
            let mut found: Vec<usize> = Vec::new();
            for (n, named) in step.depends_on.iter().enumerate() {
                match self.dependency(named, by_name) {
                    Ok(need) if need == at => {
                        let message = format!("`{}` depends on itself", step.name);
                        let pointer = format!("/steps/{at}/depends_on/{n}");
                        self.report(pointer, "step.depends_on_itself", message);
                    }
                    Ok(need) if found.contains(&need) => {}
                    Ok(need) => found.push(need),
                    Err(message) => {
                        let pointer = format!("/steps/{at}/depends_on/{n}");
                        self.report(pointer, "step.unknown_dependency", message);
                    }
                }
            }
            needs.push(found);
        }
        needs
    }

    /// A dependency is named, or given by its `step_order` where only one step has it.
    fn dependency(
        &self,
        named: &Value,
        by_name: &BTreeMap<String, usize>,
    ) -> Result<usize, String> {
        if let Some(name) = named.as_str() {
            let found = by_name.get(name).copied();
            return found.ok_or_else(|| format!("there is no step `{name}` to depend on"));
        }
        let Some(order) = named.as_i64() else {
            return Err(format!("{named} is neither a step's name nor its step_order"));
        };
        let steps = self.definition.steps.iter().enumerate();
        let mut with = steps.filter(|(_, step)| step.order == order).map(|(at, _)| at);
        match (with.next(), with.next()) {
            (Some(only), None) => Ok(only),
            (Some(_), Some(_)) => Err(format!("several steps have step_order {order}: name one")),
            (None, _) => Err(format!("no step has step_order {order}")),
        }
    }

    fn order(&mut self, needs: &[Vec<usize>], priority: &[i64]) -> Option<Vec<usize>> {
        match graph::order(needs, priority) {
            Ok(order) => Some(order),
            Err(cycle) => {
                let name = |at: &usize| self.definition.steps[*at].name.as_str();
                let mut names: Vec<&str> = cycle.iter().map(name).collect();
                names.extend(cycle.first().map(name));
                let message = format!("steps wait for each other: {}", names.join(" → "));
                let pointer = format!("/steps/{}/depends_on", cycle[0]);
                self.report(pointer, "template.cycle", message);
                None
            }
        }
    }
}
