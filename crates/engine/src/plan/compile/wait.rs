//! Steps of kind `wait`: a moment, a signal or an approval.

use serde_json::Value;

use super::Check;
use super::approval::Written;
use super::each::is_computed;
use super::fields::{Fields, kind_of};
use crate::plan::definition::StepDefinition;
use crate::plan::{Approval, Awaited, Wait, moment};
use crate::time::Millis;

/// What may end a wait; a step has exactly one of them.
const ENDS: [&str; 4] = ["delay_ms", "until", "signal", "approval"];

/// The settings of a wait.
#[derive(Default)]
pub(super) struct Settings {
    delay: Option<Millis>,
    until: Option<Value>,
    signal: Option<String>,
    approval: Option<Written>,
    timeout: Option<Millis>,
    continues: bool,
}

impl Fields<'_, '_> {
    pub(super) fn wait(&mut self) -> Settings {
        let given: Vec<&str> = ENDS.into_iter().filter(|field| self.has(field)).collect();
        match given.as_slice() {
            [] => {
                let message = format!("a wait has one of {}", ENDS.join(", "));
                self.check.report(self.pointer.clone(), "config.missing_field", message);
            }
            [first, others @ ..] => {
                for field in others {
                    let message = format!("a wait ends in one way: `{first}` or `{field}`");
                    self.conflict(field, message);
                }
            }
        }
        if given.iter().all(|field| matches!(*field, "delay_ms" | "until")) && !given.is_empty() {
            for field in ["timeout_ms", "on_timeout"] {
                if self.has(field) {
                    let message =
                        format!("`{field}` goes with `signal` or `approval`: time always comes");
                    self.check.report(self.at(field), "config.misplaced_field", message);
                }
            }
        }
        Settings {
            delay: self.length("delay_ms", 0),
            until: self.value("until").cloned(),
            signal: self.signal(),
            approval: self.approval(),
            timeout: self.length("timeout_ms", 1),
            continues: self
                .choice("on_timeout", &[("fail", false), ("continue", true)])
                .unwrap_or_default(),
        }
    }

    fn signal(&mut self) -> Option<String> {
        let name = self.text("signal")?;
        self.check.name(&self.at("signal"), &name, "signal");
        Some(name)
    }
}

impl Check<'_> {
    pub(super) fn wait(
        &mut self,
        base: &str,
        definition: &StepDefinition,
        settings: Settings,
    ) -> Option<Wait> {
        self.asks_no_worker(base, definition, "a wait");
        let surplus = [
            ("timeout_ms", definition.timeout_ms.is_some()),
            ("retry", definition.retry.is_some()),
            ("input_mapping", is_there(definition.input_mapping.as_ref())),
        ];
        self.surplus(base, "a wait asks nobody and is never tried twice", &surplus);
        let Settings { delay, until, signal, approval, timeout, continues } = settings;
        let until = match &until {
            Some(until) => self.until(&format!("{base}/config/until"), until),
            None => None,
        };
        let (approval, asks) = match approval {
            Some(Written { signal, asks }) => {
                let name = signal.unwrap_or_else(|| definition.name.clone());
                (Some(name), Some(Box::new(titled(asks, &definition.name))))
            }
            None => (None, None),
        };
        let of = delay
            .map(Awaited::Delay)
            .or(until)
            .or(signal.map(Awaited::Signal))
            .or(approval.map(Awaited::Approval))?;
        Some(Wait { of, timeout, continues, asks })
    }

    fn until(&mut self, pointer: &str, source: &Value) -> Option<Awaited> {
        let literal = source.is_number() || source.is_string();
        if !literal {
            let message = format!(
                "`until` is Unix milliseconds, RFC 3339 text or an expression that gives one, \
                 not {}",
                kind_of(source)
            );
            self.report(pointer, "config.wrong_type", message);
            return None;
        }
        if !is_computed(source) && moment(source).is_none() {
            let message = format!("{source} is no moment: Unix milliseconds, or RFC 3339 text");
            self.report(pointer, "config.out_of_range", message);
        }
        self.mapping_of_data(pointer, source).map(Awaited::Until)
    }

    /// Reports fields of a step that nothing of its kind would read.
    pub(super) fn surplus(&mut self, base: &str, why: &str, fields: &[(&str, bool)]) {
        for (field, given) in fields {
            if *given {
                let message = format!("`{field}` has no meaning here: {why}");
                self.report(format!("{base}/{field}"), "step.unexpected_field", message);
            }
        }
    }
}

/// A task that says nothing else is called after its step.
fn titled(asks: Approval, step: &str) -> Approval {
    match asks.title.is_empty() {
        true => Approval { title: format!("Approve `{step}`"), ..asks },
        false => asks,
    }
}

fn is_there(value: Option<&Value>) -> bool {
    value.is_some_and(|value| !value.is_null())
}
