//! Registered tools: what a call of one must keep to, and which definitions cannot be started
//! because nobody would answer.

use std::collections::BTreeSet;

use super::compile::escape;
use super::definition::{StepDefinition, StepKind, TemplateDefinition};
use super::{Schema, Schemas, Step, Violation};

/// A tool that is called.
#[derive(Clone, Debug, PartialEq)]
pub struct Tool {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// The tenant that it belongs to; `None` where it is the installation's.
    pub account: Option<String>,
    /// What it must be sent.
    pub input: Schema,
    /// What it must give.
    pub output: Schema,
}

impl Tool {
    /// What gates, costs and caches know a tool by, among workers: tools of two tenants may have
    /// one name.
    pub fn key(account: Option<&str>, name: &str) -> String {
        match account {
            None => format!("tool:{name}"),
            Some(account) => format!("tool@{account}:{name}"),
        }
    }
}

/// A tool that a step names and that could not be called when it was snapshotted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeftOut {
    /// Its name.
    pub tool: String,
    /// Why, for a person.
    pub reason: String,
}

impl Step {
    /// Why nobody can be asked to do the step.
    pub fn unavailable(&self) -> Option<&str> {
        self.call()?.unavailable.as_deref()
    }
}

/// Steps that must be done, while none of the tools that can do them can be called. A definition
/// that has any is not to be started now. [`super::Plan::compile`] takes it all the same: a step
/// that is optional is left out, and nodes come back.
pub fn unavailable(definition: &TemplateDefinition) -> Vec<Violation> {
    let mut found = Vec::new();
    look(definition, "", &mut found);
    let mut reached: BTreeSet<&str> = BTreeSet::new();
    let mut open: Vec<&str> = needed_templates(definition).collect();
    while let Some(name) = open.pop() {
        let Some(nested) = definition.templates.get(name).filter(|_| reached.insert(name)) else {
            continue;
        };
        look(nested, &format!("/templates/{}", escape(name)), &mut found);
        open.extend(needed_templates(nested));
    }
    found
}

fn needed_templates(definition: &TemplateDefinition) -> impl Iterator<Item = &str> {
    let needed = definition.steps.iter().filter(|step| !step.optional);
    needed.filter_map(StepDefinition::named_template)
}

fn look(definition: &TemplateDefinition, prefix: &str, found: &mut Vec<Violation>) {
    let calls = |kind| matches!(kind, StepKind::Tool | StepKind::Map);
    for (at, step) in definition.steps.iter().enumerate() {
        if step.optional || !calls(step.kind) || !step.calls_tool() {
            continue;
        }
        let tools: Vec<_> =
            step.tools_to_choose().filter_map(|name| definition.tools.get(name)).collect();
        if tools.is_empty() || tools.iter().any(|tool| tool.unavailable.is_none()) {
            continue;
        }
        let reasons: Vec<&str> =
            tools.iter().filter_map(|tool| tool.unavailable.as_deref()).collect();
        found.push(Violation {
            pointer: format!("{prefix}/steps/{at}/config/tool"),
            code: "tool.unavailable".to_owned(),
            message: format!("step `{}`: {}", step.name, reasons.join("; ")),
        });
    }
}

/// Schemas of tools that are none, each once. A definition that has any is not to be published or
/// started.
pub fn unusable(definition: &TemplateDefinition, schemas: &dyn Schemas) -> Vec<Violation> {
    let nested = definition.templates.iter();
    let nested = nested.map(|(name, nested)| (format!("/templates/{}", escape(name)), nested));
    let mut met: BTreeSet<&str> = BTreeSet::new();
    let mut found = Vec::new();
    for (prefix, definition) in std::iter::once((String::new(), definition)).chain(nested) {
        for (name, tool) in definition.tools.iter().filter(|(name, _)| met.insert(name)) {
            let sources =
                [("input_schema", &tool.input_schema), ("output_schema", &tool.output_schema)];
            for (field, source) in sources {
                if let Schema::Unusable(why) = Schema::compile(source.as_ref(), schemas) {
                    found.push(Violation {
                        pointer: format!("{prefix}/tools/{}/{field}", escape(name)),
                        code: "tool.malformed_schema".to_owned(),
                        message: format!("the {field} of tool `{}` is none: {why}", tool.name),
                    });
                }
            }
        }
    }
    found
}
