//! The settings of a step (`pipeline_steps.config`), typed: which there are, for which kinds of
//! step, and within which limits. What is wrong with one is reported and leaves it at its default.

use serde_json::{Map, Value};

use super::Check;
use super::fields::{Fields, kind_of};
use super::sub::Settings as SubSettings;
use super::wait::Settings as WaitSettings;
use crate::plan::definition::{RetryDefinition, StepDefinition, StepKind};
use crate::plan::{
    ATTEMPT_MAX, CONCURRENCY_MAX, DELAY_MAX, ELEMENTS_MAX, Join, Losers, MEMO_MAX_S, STEPS_MAX,
    Tolerated,
};
use crate::time::Millis;

use StepKind::{Map as Each, Pipeline, Tool, Transform, Wait, Worker};

/// The most workers that can stand in for the first.
const ALTERNATIVES_MAX: usize = 16;

const CALLS: &[StepKind] = &[Worker, Each, Tool];
const ALL: &[StepKind] = &[Worker, Transform, Each, Wait, Pipeline, Tool];
const DOES: &[StepKind] = &[Worker, Each, Pipeline, Tool];
const TOOLS: &[StepKind] = &[Tool, Each];

/// All settings, each with the kinds of step that have it.
const FIELDS: [(&str, &[StepKind]); 23] = [
    ("accept_partial", &[Pipeline]),
    ("accepted_max_ms", CALLS),
    ("alternatives", CALLS),
    ("approval", &[Wait]),
    ("budget_usd", &[Pipeline]),
    ("cache_ttl_s", CALLS),
    ("compensate", DOES),
    ("concurrency", &[Each]),
    ("delay_ms", &[Wait]),
    ("fallback_tool", TOOLS),
    ("heartbeat_ms", CALLS),
    ("items", &[Each]),
    ("join", ALL),
    ("losers", ALL),
    ("on_timeout", &[Wait]),
    ("queue_timeout_ms", ALL),
    ("signal", &[Wait]),
    ("template", &[Pipeline]),
    ("timeout_ms", &[Wait]),
    ("tolerated_failure_share", &[Each]),
    ("tolerated_failures", &[Each]),
    ("tool", TOOLS),
    ("until", &[Wait]),
];

/// The settings of one step.
#[derive(Default)]
pub(super) struct StepConfig {
    /// The tool that is called, by name or id.
    pub(super) tool: Option<String>,
    /// The tool that is called when its attempts are used up.
    pub(super) fallback_tool: Option<String>,
    /// Workers or tools that can stand in for the first, with their places in the list.
    pub(super) alternatives: Vec<(usize, String)>,
    pub(super) memo: Option<Millis>,
    pub(super) heartbeat: Option<Millis>,
    pub(super) accepted_max: Option<Millis>,
    pub(super) queue_timeout: Option<Millis>,
    pub(super) join: Join,
    pub(super) losers: Losers,
    pub(super) compensate: Option<Compensate>,
    pub(super) items: Option<Value>,
    pub(super) concurrency: Option<u32>,
    pub(super) tolerated: Option<Tolerated>,
    pub(super) wait: WaitSettings,
    pub(super) sub: SubSettings,
}

/// How a step is undone, as it was written.
pub(super) struct Compensate {
    pub(super) who: Who,
    pub(super) endpoint: Option<String>,
    pub(super) input_mapping: Option<Value>,
    pub(super) retry: Option<RetryDefinition>,
    pub(super) timeout_ms: Option<u64>,
}

/// Who undoes a step.
pub(super) enum Who {
    Worker(String),
    Tool(String),
}

impl Check<'_> {
    /// The settings of a step that depends on so many others.
    pub(super) fn config(
        &mut self,
        base: &str,
        definition: &StepDefinition,
        needs: usize,
    ) -> StepConfig {
        let pointer = format!("{base}/config");
        let object = match &definition.config {
            None | Some(Value::Null) => Map::new(),
            Some(Value::Object(object)) => object.clone(),
            Some(other) => {
                let message = format!("config is an object of settings, not {}", kind_of(other));
                self.report(pointer, "config.wrong_type", message);
                return StepConfig::default();
            }
        };
        // A dependency that nobody has was reported; the join may fit what was meant.
        let of_dependencies = format!("{}{base}/depends_on/", self.prefix);
        let unresolved =
            self.violations.iter().any(|found| found.pointer.starts_with(&of_dependencies));
        let mut fields = Fields { check: self, pointer, object };
        fields.placed(definition.kind);
        fields.config(definition, if unresolved { STEPS_MAX } else { needs })
    }
}

impl Fields<'_, '_> {
    /// Reports and takes out what is no setting, or none of this kind of step.
    fn placed(&mut self, kind: StepKind) {
        let written: Vec<String> = self.object.keys().cloned().collect();
        for field in written {
            let known = FIELDS.iter().find(|(name, _)| *name == field);
            match known {
                Some((_, kinds)) if kinds.contains(&kind) => continue,
                Some((_, kinds)) => {
                    let kinds: Vec<String> =
                        kinds.iter().map(|kind| format!("`{}`", kind.as_str())).collect();
                    let message = format!(
                        "`{field}` is a setting of {} steps; this one is of kind `{}`",
                        kinds.join(", "),
                        kind.as_str()
                    );
                    self.check.report(self.at(&field), "config.misplaced_field", message);
                }
                None => {
                    let of_kind = FIELDS.iter().filter(|(_, kinds)| kinds.contains(&kind));
                    let names: Vec<&str> = of_kind.map(|(name, _)| *name).collect();
                    let known = format!("a `{}` step has {}", kind.as_str(), names.join(", "));
                    self.unknown(&field, &known);
                }
            }
            self.object.remove(&field);
        }
    }

    fn config(&mut self, definition: &StepDefinition, needs: usize) -> StepConfig {
        let sub = if definition.kind == Pipeline { self.sub() } else { SubSettings::default() };
        let wait = if definition.kind == Wait { self.wait() } else { WaitSettings::default() };
        let tool = self.text("tool");
        let fallback_tool = self.text("fallback_tool");
        if tool.is_none() && fallback_tool.is_some() && definition.kind == Each {
            self.missing("tool", "a fallback_tool stands in for a tool: say which");
        }
        let first = if tool.is_some() { tool.clone() } else { definition.worker.clone() };
        StepConfig {
            alternatives: self.alternatives(first.as_deref()),
            tool,
            fallback_tool,
            memo: self.whole("cache_ttl_s", 1..=MEMO_MAX_S).map(Millis::from_secs),
            heartbeat: self.length("heartbeat_ms", 1),
            accepted_max: self.length("accepted_max_ms", 1),
            queue_timeout: self.length("queue_timeout_ms", 1),
            join: self.join(needs).unwrap_or_default(),
            losers: self
                .choice("losers", &[("continue", Losers::Continue), ("cancel", Losers::Cancel)])
                .unwrap_or_default(),
            compensate: self.compensate(),
            items: self.value("items").cloned(),
            concurrency: self.count("concurrency", 1, CONCURRENCY_MAX),
            tolerated: self.tolerated(),
            wait,
            sub,
        }
    }

    /// A length of time of at least so many milliseconds and at most seven days.
    pub(super) fn length(&mut self, field: &str, min: u64) -> Option<Millis> {
        self.whole(field, min..=DELAY_MAX.get()).map(Millis::new)
    }

    fn count(&mut self, field: &str, min: u32, max: u32) -> Option<u32> {
        let found = self.whole(field, min.into()..=max.into())?;
        Some(u32::try_from(found).expect("it is at most `max`"))
    }

    fn alternatives(&mut self, primary: Option<&str>) -> Vec<(usize, String)> {
        let list =
            self.read("alternatives", "an array of names", |value| value.as_array().cloned());
        let list = list.unwrap_or_default();
        if list.len() > ALTERNATIVES_MAX {
            self.out_of_range("alternatives", list.len(), 0, ALTERNATIVES_MAX);
            return Vec::new();
        }
        let mut found: Vec<(usize, String)> = Vec::new();
        for (place, value) in list.iter().enumerate() {
            let pointer = format!("{}/{place}", self.at("alternatives"));
            let Some(name) = value.as_str() else {
                let message = format!("a name is a text, not {}", kind_of(value));
                self.check.report(pointer, "config.wrong_type", message);
                continue;
            };
            if primary == Some(name) || found.iter().any(|(_, known)| known == name) {
                let message = format!("`{name}` can do the step already");
                self.check.report(pointer, "config.duplicate", message);
                continue;
            }
            found.push((place, name.to_owned()));
        }
        found
    }

    fn join(&mut self, needs: usize) -> Option<Join> {
        let expected = "`all`, `any` or {\"n_of_m\": a number}";
        let value = self.value("join")?.clone();
        if needs == 0 {
            let message = "a step without depends_on_steps has nothing to join";
            self.check.report(self.at("join"), "config.no_dependencies", message);
            return None;
        }
        let count = match &value {
            Value::String(text) if text == "all" => return Some(Join::All),
            Value::String(text) if text == "any" => return Some(Join::Some(1)),
            Value::Object(object) if object.len() == 1 => object.get("n_of_m").and_then(whole),
            _ => None,
        };
        let Some(count) = count else {
            let message = format!("`join` is {expected}, not {value}");
            self.check.report(self.at("join"), "config.wrong_type", message);
            return None;
        };
        let required = usize::try_from(count).ok().filter(|count| (1..=needs).contains(count));
        if required.is_none() {
            let message = format!("`n_of_m` is {count}; the step has {needs} dependencies");
            self.check.report(self.at("join"), "config.out_of_range", message);
        }
        Some(Join::Some(u32::try_from(required?).expect("at most STEPS_MAX")))
    }

    fn tolerated(&mut self) -> Option<Tolerated> {
        let count = self.count("tolerated_failures", 0, ELEMENTS_MAX);
        let share = self.number("tolerated_failure_share");
        let share =
            share.and_then(|share| self.within("tolerated_failure_share", share, 0.0..=1.0));
        if self.has("tolerated_failures") && self.has("tolerated_failure_share") {
            let message = "say tolerated_failures or tolerated_failure_share, not both";
            self.conflict("tolerated_failure_share", message);
        }
        count.map(Tolerated::Count).or(share.map(Tolerated::Share))
    }

    fn compensate(&mut self) -> Option<Compensate> {
        let object = self.read("compensate", "an object", |value| value.as_object().cloned())?;
        let pointer = self.at("compensate");
        let mut inner = Fields { check: &mut *self.check, pointer, object };
        const KNOWN: [&str; 6] =
            ["worker", "tool", "endpoint", "input_mapping", "retry", "timeout_ms"];
        let written: Vec<String> = inner.object.keys().cloned().collect();
        for field in written.iter().filter(|field| !KNOWN.contains(&field.as_str())) {
            inner.unknown(field, &format!("a compensation has {}", KNOWN.join(", ")));
        }
        if !inner.has("worker") && !inner.has("tool") {
            inner.missing("worker", "a compensation names its worker or its tool");
        }
        for field in ["worker", "endpoint"] {
            if inner.has("tool") && inner.has(field) {
                inner.conflict(field, format!("a tool undoes it: it has no `{field}`"));
            }
        }
        let endpoint = inner.text("endpoint");
        let retry = inner.retry();
        let timeout_ms = inner.whole("timeout_ms", 1..=ATTEMPT_MAX.get());
        let input_mapping = inner.value("input_mapping").cloned();
        let tool = inner.text("tool").map(Who::Tool);
        let who = tool.or_else(|| inner.text("worker").map(Who::Worker));
        Some(Compensate { who: who?, endpoint, input_mapping, retry, timeout_ms })
    }

    fn retry(&mut self) -> Option<RetryDefinition> {
        let value = self.value("retry")?.clone();
        match serde_json::from_value(value) {
            Ok(retry) => Some(retry),
            Err(error) => {
                let message = format!("no retry policy: {error}");
                self.check.report(self.at("retry"), "config.wrong_type", message);
                None
            }
        }
    }
}

/// A whole number, whether it is written with a point or without.
fn whole(value: &Value) -> Option<u64> {
    let number = value.as_f64().filter(|number| number.fract() == 0.0 && *number >= 0.0)?;
    Some(number as u64)
}
