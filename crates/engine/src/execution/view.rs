//! What expressions of a step can see: `data`, `steps` and `request`.
//!
//! A step sees what the request brought and what the steps that it depends on, directly or through
//! others, wrote; nothing else. So what it sees does not hang on which unrelated step was quicker.
//! Where two of them wrote the same key, the later one in plan order counts.

use std::borrow::Cow;
use std::sync::Arc;

use serde_json::{Value, json};

use super::work::Writes;
use super::{State, StepStatus};
use crate::expr::{Document, Scope};
use crate::plan::StepIndex;

/// What one step sees, or all of it at the end.
#[derive(Clone, Copy)]
pub struct View<'a> {
    data: Data<'a>,
    steps: Steps<'a>,
    request: &'a Value,
}

#[derive(Clone, Copy)]
struct Data<'a>(&'a State, Option<StepIndex>);

#[derive(Clone, Copy)]
struct Steps<'a>(&'a State, Option<StepIndex>);

impl State {
    /// What the step at `index` sees.
    pub fn view(&self, index: StepIndex) -> View<'_> {
        self.view_of(Some(index))
    }

    /// What there is to see at the end.
    pub fn view_of_all(&self) -> View<'_> {
        self.view_of(None)
    }

    fn view_of(&self, index: Option<StepIndex>) -> View<'_> {
        View { data: Data(self, index), steps: Steps(self, index), request: &self.started.request }
    }

    fn is_visible(&self, from: Option<StepIndex>, writer: StepIndex) -> bool {
        from.is_none_or(|index| {
            let ancestor = self.plan.step(index).ancestors.contains(writer);
            ancestor && !self.step(index).blind.contains(writer)
        })
    }

    /// What `step` wrote under `key`.
    fn written(&self, step: StepIndex, key: &str) -> Option<&Value> {
        let state = self.step(step);
        match &state.writes {
            Writes::Nothing => None,
            Writes::Fields => state.output.as_ref()?.value()?.get(key),
            Writes::Mapped(values) => values.get(key).map(Arc::as_ref),
            Writes::Named => state.output.as_ref()?.value().map(Arc::as_ref),
            Writes::Results => state.output.as_ref()?.value()?.get("results"),
        }
    }
}

impl<'a> View<'a> {
    /// The view as the scope of an expression.
    pub fn scope(&'a self) -> Scope<'a> {
        Scope {
            data: &self.data,
            steps: &self.steps,
            request: self.request,
            item: None,
            output: None,
        }
    }

    /// The value of `data.<key>`.
    pub fn datum(&self, key: &str) -> Option<&'a Value> {
        self.data.find(key)
    }

    /// The whole of `data`.
    pub fn data(&self) -> Value {
        let keys = self.data.keys();
        let entry = |key: String| self.data.find(&key).cloned().map(|value| (key, value));
        Value::Object(keys.into_iter().filter_map(entry).collect())
    }
}

impl<'a> Data<'a> {
    fn find(&self, key: &str) -> Option<&'a Value> {
        let Self(state, from) = *self;
        let writers = state.writers.get(key).into_iter().flatten().rev();
        let mut visible = writers.filter(|writer| state.is_visible(from, **writer));
        let written = visible.find_map(|writer| state.written(*writer, key));
        written.or_else(|| state.initial.get(key).map(Arc::as_ref))
    }
}

impl Document for Data<'_> {
    fn value(&self, key: &str) -> Option<Cow<'_, Value>> {
        self.find(key).map(Cow::Borrowed)
    }

    fn keys(&self) -> Vec<String> {
        let Self(state, from) = *self;
        let mut keys: Vec<String> = state.initial.keys().cloned().collect();
        for (key, writers) in &state.writers {
            if writers.iter().any(|writer| state.is_visible(from, *writer)) {
                keys.push(key.clone());
            }
        }
        keys.sort_unstable();
        keys.dedup();
        keys
    }
}

impl Document for Steps<'_> {
    fn value(&self, key: &str) -> Option<Cow<'_, Value>> {
        let Self(state, from) = *self;
        let index = state.plan.find(key).filter(|index| state.is_visible(from, *index))?;
        let step = state.step(index);
        let output = step.output.as_ref().and_then(|output| output.value());
        let duration = step.started_at.zip(step.finished_at).map(|(from, to)| to.since(from));
        Some(Cow::Owned(json!({
            "status": step.status.as_str(),
            "succeeded": step.status == StepStatus::Succeeded,
            "output": output.map(Arc::as_ref),
            "error": step.fault.as_ref().map(|fault| json!({
                "code": fault.code, "message": fault.message,
            })),
            "attempts": step.attempts,
            "cost_usd": step.cost.as_usd(),
            "duration_ms": duration.map(crate::time::Millis::get),
        })))
    }

    /// An output is lent, never put together with the rest: it may be large.
    fn field(&self, key: &str, field: &str) -> Option<Cow<'_, Value>> {
        let Self(state, from) = *self;
        if field != "output" {
            return self.value(key)?.get(field).cloned().map(Cow::Owned);
        }
        let index = state.plan.find(key).filter(|index| state.is_visible(from, *index))?;
        let output = state.step(index).output.as_ref().and_then(|output| output.value());
        Some(output.map_or(Cow::Owned(Value::Null), |value| Cow::Borrowed(value.as_ref())))
    }

    fn keys(&self) -> Vec<String> {
        let Self(state, from) = *self;
        let visible = |index: &StepIndex| state.is_visible(from, *index);
        let indices = state.plan.indices().filter(visible);
        indices.map(|index| state.plan.step(index).name.clone()).collect()
    }
}
