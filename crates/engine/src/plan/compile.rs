//! From a definition to a plan, with every violation reported at once.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::assemble::assemble;
use super::definition::{StepDefinition, StepKind, TemplateDefinition, WorkerDefinition};
use super::{
    ATTEMPT_MAX, Address, BreakerPolicy, Call, Gate, Join, Kind, Losers, Plan, RetryPolicy,
    STEPS_MAX, Step, StepSet, Target, Violation, graph,
};
use crate::expr::{CompileError, Condition, Mapping, MappingRoot};
use crate::time::Millis;

const NAME_LEN_MAX: usize = 64;
/// How long a worker that has answered 202 may be silent, where the step does not say.
const HEARTBEAT_DEFAULT: Millis = Millis::from_secs(5 * 60);
/// How long such a worker may take in all, where the step does not say.
const ACCEPTED_DEFAULT: Millis = Millis::from_secs(24 * 3600);

impl Plan {
    /// Checks a definition whole. The violations' pointers lead into the definition.
    pub fn compile(definition: &TemplateDefinition) -> Result<Self, Vec<Violation>> {
        let mut check = Check { definition, violations: Vec::new() };
        check.template();
        let by_name = check.names();
        let needs = check.dependencies(&by_name);
        let steps: Vec<Option<Step>> =
            (0..definition.steps.len()).map(|at| check.step(at)).collect();
        let output = check.mapping("/output_mapping", definition.output_mapping.as_ref(), true);
        let priority: Vec<i64> = definition.steps.iter().map(|step| step.order).collect();
        let order = check.order(&needs, &priority);
        match (check.violations.is_empty(), order, steps.into_iter().collect::<Option<Vec<_>>>()) {
            (true, Some(order), Some(steps)) => {
                Ok(assemble(definition, steps, &needs, &order, output))
            }
            _ => Err(check.violations),
        }
    }
}

/// The pointer to a worker; registered names are free text (RFC 6901, section 3).
fn registered(worker: &str) -> String {
    format!("/workers/{}", worker.replace('~', "~0").replace('/', "~1"))
}

struct Check<'a> {
    definition: &'a TemplateDefinition,
    violations: Vec<Violation>,
}

impl Check<'_> {
    fn report(&mut self, pointer: impl Into<String>, code: &str, message: impl Into<String>) {
        let (pointer, message) = (pointer.into(), message.into());
        let violation = Violation { pointer, code: code.to_owned(), message };
        // A worker is looked at for each step that names it.
        if !self.violations.contains(&violation) {
            self.violations.push(violation);
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

    fn step(&mut self, at: usize) -> Option<Step> {
        let definition = &self.definition.steps[at];
        let base = format!("/steps/{at}");
        let kind = match definition.kind {
            StepKind::Worker => self.call(&base, definition).map(Box::new).map(Kind::Worker),
            StepKind::Transform => self.transform(&base, definition),
            StepKind::Map | StepKind::Wait | StepKind::Pipeline | StepKind::Tool => {
                let message = "this version does steps of kind `worker` and `transform`";
                self.report(format!("{base}/kind"), "step.kind_not_offered", message);
                None
            }
        };
        let condition = self.condition(&base, definition.condition.as_ref());
        let input = format!("{base}/input_mapping");
        let input = self.mapping(&input, definition.input_mapping.as_ref(), true);
        let output = self.output_mapping(&base, definition.output_mapping.as_ref());
        let retry = self.retry(&base, definition);
        Some(Step {
            name: definition.name.clone(),
            order: definition.order,
            kind: kind?,
            dependencies: Vec::new(),
            required: Vec::new(),
            dependents: Vec::new(),
            ancestors: StepSet::default(),
            condition,
            input,
            output,
            optional: definition.optional,
            retry,
            join: Join::All,
            losers: Losers::Continue,
            queue_timeout: None,
            compensation: None,
        })
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

    fn call(&mut self, base: &str, definition: &StepDefinition) -> Option<Call> {
        let timeout = self.timeout(&format!("{base}/timeout_ms"), definition.timeout_ms);
        let endpoint = definition.endpoint.as_deref();
        let primary = match &definition.worker {
            Some(name) => self.target(&format!("{base}/worker"), name, endpoint, timeout),
            None => {
                let message = "a step of kind `worker` names its worker";
                self.report(format!("{base}/worker"), "step.missing_worker", message);
                None
            }
        };
        // A step's endpoint is its first worker's; the fallback has its own default.
        let fallback = match &definition.fallback_worker {
            None => None,
            Some(name) => {
                Some(self.target(&format!("{base}/fallback_worker"), name, None, timeout)?)
            }
        };
        Some(Call {
            primary: primary?,
            alternatives: Vec::new(),
            fallback,
            memo: None,
            heartbeat: HEARTBEAT_DEFAULT,
            accepted_max: ACCEPTED_DEFAULT,
        })
    }

    fn target(
        &mut self,
        pointer: &str,
        name: &str,
        endpoint: Option<&str>,
        timeout: Option<Millis>,
    ) -> Option<Target> {
        let Some(worker) = self.definition.workers.get(name) else {
            let message = format!("there is no worker `{name}` in the registry");
            self.report(pointer, "worker.unknown", message);
            return None;
        };
        if !worker.active {
            let message = format!("worker `{name}` is registered as not active");
            self.report(pointer, "worker.inactive", message);
        }
        let address = self.address(pointer, name, worker);
        let endpoint = endpoint.or(worker.endpoints.first().map(String::as_str)).unwrap_or("/");
        if !endpoint.starts_with('/') {
            let message = format!("endpoint `{endpoint}` does not begin with `/`");
            self.report(pointer, "worker.malformed_endpoint", message);
        }
        let registered = format!("{}/timeout_ms", registered(name));
        let worker_timeout = self.timeout(&registered, worker.timeout_ms);
        let defaults = self.defaults(name, worker);
        Some(Target {
            worker: name.to_owned(),
            address: address?,
            endpoint: endpoint.to_owned(),
            defaults,
            estimated_cost: worker.estimated_cost,
            expected: worker.avg_response_time_ms.map(Millis::new),
            timeout: timeout.or(worker_timeout),
            quality: worker.quality_score,
            version: worker.version.clone(),
            gate: Gate {
                concurrency_max: worker.max_concurrency,
                per_minute_max: worker.max_per_minute,
                breaker: BreakerPolicy::default(),
            },
        })
    }

    fn address(&mut self, pointer: &str, name: &str, worker: &WorkerDefinition) -> Option<Address> {
        if let Some(binding) = worker.service_binding.as_ref().filter(|b| !b.is_empty()) {
            return Some(Address::Binding(binding.clone()));
        }
        let Some(url) = worker.base_url.as_ref().filter(|url| !url.is_empty()) else {
            let message = format!("worker `{name}` has neither a service_binding nor a base_url");
            self.report(pointer, "worker.no_address", message);
            return None;
        };
        if !(url.starts_with("https://") || url.starts_with("http://")) {
            let message = format!("the base_url of worker `{name}` is no http or https URL");
            self.report(pointer, "worker.malformed_url", message);
        }
        Some(Address::Url(url.trim_end_matches('/').to_owned()))
    }

    fn defaults(&mut self, name: &str, worker: &WorkerDefinition) -> Map<String, Value> {
        match &worker.default_config {
            Some(Value::Object(defaults)) => defaults.clone(),
            None | Some(Value::Null) => Map::new(),
            Some(_) => {
                let pointer = format!("{}/default_config", registered(name));
                self.report(pointer, "worker.malformed_config", "default_config is an object");
                Map::new()
            }
        }
    }

    fn timeout(&mut self, pointer: &str, ms: Option<u64>) -> Option<Millis> {
        let ms = ms?;
        if ms == 0 || ms > ATTEMPT_MAX.get() {
            let message = format!("a time-out of {ms} ms; it goes from 1 to {}", ATTEMPT_MAX.get());
            self.report(pointer, "step.timeout_out_of_range", message);
        }
        Some(Millis::new(ms))
    }

    fn retry(&mut self, base: &str, definition: &StepDefinition) -> RetryPolicy {
        let own = definition.retry.as_ref().and_then(|retry| retry.max_retries);
        let name = definition.worker.as_ref().filter(|_| own.is_none());
        let worker_retries = name.and_then(|name| self.definition.workers.get(name)?.max_retries);
        RetryPolicy::compile(definition.retry.as_ref(), worker_retries, &mut |field, code, text| {
            let at = match name {
                Some(name) if field == "max_retries" => registered(name),
                _ => format!("{base}/retry"),
            };
            self.report(format!("{at}/{field}"), code, text);
        })
    }

    fn condition(&mut self, base: &str, source: Option<&Value>) -> Option<Condition> {
        let source = source.filter(|source| !source.is_null())?;
        match Condition::compile(source) {
            Ok(condition) => Some(condition),
            Err(errors) => {
                self.expressions(&format!("{base}/condition"), errors);
                None
            }
        }
    }

    fn mapping(&mut self, at: &str, source: Option<&Value>, of_data: bool) -> Option<Mapping> {
        let source = source.filter(|source| !source.is_null())?;
        let root = if of_data { MappingRoot::Data } else { MappingRoot::Output };
        match Mapping::compile(source, root) {
            Ok(mapping) => Some(mapping),
            Err(errors) => {
                self.expressions(at, errors);
                None
            }
        }
    }

    fn output_mapping(&mut self, base: &str, source: Option<&Value>) -> Option<Mapping> {
        let pointer = format!("{base}/output_mapping");
        if source.is_some_and(|source| !source.is_object() && !source.is_null()) {
            let message = "an output_mapping is an object: a key of `data` and what goes there";
            self.report(pointer, "step.malformed_mapping", message);
            return None;
        }
        self.mapping(&pointer, source, false)
    }

    fn expressions(&mut self, base: &str, errors: Vec<(String, CompileError)>) {
        for (pointer, error) in errors {
            self.report(format!("{base}{pointer}"), "expression.malformed", error.to_string());
        }
    }
}
