//! One step: what it does by its kind, and what all kinds have in common.

use serde_json::Value;

use super::Check;
use super::call::Asked;
use super::config::StepConfig;
use crate::expr::{CompileError, Condition, Mapping, MappingRoot};
use crate::plan::definition::{StepDefinition, StepKind};
use crate::plan::{Kind, Step, StepSet};

impl Check<'_> {
    /// The step at a place of the definition, which depends on so many others.
    pub(super) fn step(&mut self, at: usize, needs: usize) -> Option<Step> {
        let definition = &self.definition.steps[at];
        let base = format!("/steps/{at}");
        let kind = definition.kind;
        let mut config = self.setting(kind, |check| check.config(&base, definition, needs));
        let does = self.kind(&base, definition, &mut config);
        let condition = self.condition(&base, kind, definition.condition.as_ref());
        let input = self.input_mapping(&base, definition);
        let output = self.output_mapping(&base, kind, definition.output_mapping.as_ref());
        let worker = definition.worker.as_deref().map(Asked::Worker);
        let asked = config.tool.as_deref().map(Asked::Tool).or(worker);
        let retry = self.retry(&base, definition.retry.as_ref(), asked);
        let compensation = config.compensate.as_ref().and_then(|compensate| {
            self.setting(kind, |check| check.compensation(&base, compensate))
        });
        Some(Step {
            name: definition.name.clone(),
            order: definition.order,
            kind: does?,
            dependencies: Vec::new(),
            required: Vec::new(),
            dependents: Vec::new(),
            ancestors: StepSet::default(),
            condition,
            input,
            output,
            optional: definition.optional,
            retry,
            join: config.join,
            losers: config.losers,
            queue_timeout: config.queue_timeout,
            compensation,
        })
    }

    fn kind(
        &mut self,
        base: &str,
        definition: &StepDefinition,
        config: &mut StepConfig,
    ) -> Option<Kind> {
        match definition.kind {
            StepKind::Worker => self.call(base, definition, config).map(Box::new).map(Kind::Worker),
            StepKind::Transform => self.transform(base, definition),
            StepKind::Map => self.each(base, definition, config).map(Box::new).map(Kind::Map),
            StepKind::Wait => {
                let settings = std::mem::take(&mut config.wait);
                self.wait(base, definition, settings).map(Box::new).map(Kind::Wait)
            }
            StepKind::Pipeline => {
                let settings = std::mem::take(&mut config.sub);
                self.sub(base, definition, settings).map(Box::new).map(Kind::Pipeline)
            }
            StepKind::Tool => {
                self.tool_call(base, definition, config).map(Box::new).map(Kind::Tool)
            }
        }
    }

    fn transform(&mut self, base: &str, definition: &StepDefinition) -> Option<Kind> {
        if definition.worker.is_some() || definition.fallback_worker.is_some() {
            let message = "a transform asks no worker";
            self.report(format!("{base}/worker"), "step.unexpected_worker", message);
        }
        if definition.input_mapping.is_none() {
            let message = "a transform is its input_mapping: say what it produces";
            self.report(format!("{base}/input_mapping"), "step.missing_mapping", message);
        }
        Some(Kind::Transform)
    }

    /// Reports the fields of a call where the step makes none.
    pub(super) fn asks_no_worker(&mut self, base: &str, definition: &StepDefinition, what: &str) {
        for (field, given) in [
            ("worker", definition.worker.is_some()),
            ("endpoint", definition.endpoint.is_some()),
            ("fallback_worker", definition.fallback_worker.is_some()),
        ] {
            if given {
                let message = format!("{what} asks no worker");
                self.report(format!("{base}/{field}"), "step.unexpected_worker", message);
            }
        }
    }

    /// The execution's result.
    pub(super) fn output(&mut self) -> Option<Mapping> {
        let pointer = "/output_mapping";
        let source = self.definition.output_mapping.as_ref();
        let mapping = self.mapping(pointer, source, MappingRoot::Data)?;
        let element = Some(mapping.references().element);
        self.setting(StepKind::Transform, |check| check.knows_no_element(pointer, element));
        Some(mapping)
    }

    fn input_mapping(&mut self, base: &str, definition: &StepDefinition) -> Option<Mapping> {
        let pointer = format!("{base}/input_mapping");
        let source = definition.input_mapping.as_ref();
        let mapping = self.mapping(&pointer, source, MappingRoot::Data)?;
        if definition.kind != StepKind::Map {
            let element = Some(mapping.references().element);
            self.setting(definition.kind, |check| check.knows_no_element(&pointer, element));
        }
        Some(mapping)
    }

    /// A mapping over `data` that is computed once, before there is any element.
    pub(super) fn mapping_of_data(&mut self, pointer: &str, source: &Value) -> Option<Mapping> {
        let mapping = self.mapping(pointer, Some(source), MappingRoot::Data);
        self.knows_no_element(
            pointer,
            mapping.as_ref().map(|mapping| mapping.references().element),
        );
        mapping
    }

    /// Reports an expression that reads an element where there is none.
    pub(super) fn knows_no_element(&mut self, pointer: &str, element: Option<bool>) {
        if element == Some(true) {
            let message = "`item` and `index` exist only in the input_mapping of a `map` step";
            self.report(pointer, "expression.no_element", message);
        }
    }

    fn condition(
        &mut self,
        base: &str,
        kind: StepKind,
        source: Option<&Value>,
    ) -> Option<Condition> {
        let pointer = format!("{base}/condition");
        let source = source.filter(|source| !source.is_null())?;
        match Condition::compile(source) {
            Ok(condition) => {
                let element = Some(condition.references().element);
                self.setting(kind, |check| check.knows_no_element(&pointer, element));
                Some(condition)
            }
            Err(errors) => {
                self.expressions(&pointer, errors);
                None
            }
        }
    }

    pub(super) fn mapping(
        &mut self,
        at: &str,
        source: Option<&Value>,
        root: MappingRoot,
    ) -> Option<Mapping> {
        let source = source.filter(|source| !source.is_null())?;
        match Mapping::compile(source, root) {
            Ok(mapping) => Some(mapping),
            Err(errors) => {
                self.expressions(at, errors);
                None
            }
        }
    }

    fn output_mapping(
        &mut self,
        base: &str,
        kind: StepKind,
        source: Option<&Value>,
    ) -> Option<Mapping> {
        let pointer = format!("{base}/output_mapping");
        if source.is_some_and(|source| !source.is_object() && !source.is_null()) {
            let message = "an output_mapping is an object: a key of `data` and what goes there";
            self.report(pointer, "step.malformed_mapping", message);
            return None;
        }
        let mapping = self.mapping(&pointer, source, MappingRoot::Output);
        let element = mapping.as_ref().map(|mapping| mapping.references().element);
        self.setting(kind, |check| check.knows_no_element(&pointer, element));
        mapping
    }

    fn expressions(&mut self, base: &str, errors: Vec<(String, CompileError)>) {
        for (pointer, error) in errors {
            self.report(format!("{base}{pointer}"), "expression.malformed", error.to_string());
        }
    }
}
