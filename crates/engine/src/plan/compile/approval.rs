//! The settings of an approval: what the task says that it opens, and who may complete it.

use serde_json::Value;

use super::fields::{Fields, kind_of};
use crate::plan::approval::{
    Approval, CANDIDATES_MAX, DESCRIPTION_CHARS_MAX, Escalation, FORM_BYTES_MAX, ROLES,
    TITLE_CHARS_MAX, is_candidate,
};

const KNOWN: [&str; 8] = [
    "candidates",
    "description",
    "due_ms",
    "escalation",
    "forbid_self_approval",
    "form",
    "signal",
    "title",
];
const OF_ESCALATION: [&str; 2] = ["after_ms", "candidates"];

/// An approval as it was written.
pub(super) struct Written {
    /// The signal that gives it; absent, it is called like the step.
    pub signal: Option<String>,
    /// What it asks, with an empty title where none was written.
    pub asks: Approval,
}

impl Written {
    /// An approval that says nothing of its task.
    fn plain(signal: Option<String>) -> Self {
        let asks = Approval {
            title: String::new(),
            description: None,
            form: None,
            candidates: Vec::new(),
            due: None,
            escalation: None,
            forbids_self: false,
        };
        Self { signal, asks }
    }
}

impl Fields<'_, '_> {
    pub(super) fn approval(&mut self) -> Option<Written> {
        let expected = "true, the name of a signal, or an object that says what its task asks";
        let written = self.read("approval", expected, |value| match value {
            Value::Bool(true) | Value::String(_) | Value::Object(_) => Some(value.clone()),
            Value::Null | Value::Bool(false) | Value::Number(_) | Value::Array(_) => None,
        })?;
        let pointer = self.at("approval");
        match written {
            Value::Object(object) => {
                let mut inner = Fields { check: &mut *self.check, pointer, object };
                Some(inner.task())
            }
            Value::String(name) => {
                self.check.name(&pointer, &name, "signal");
                Some(Written::plain(Some(name)))
            }
            _ => Some(Written::plain(None)),
        }
    }

    fn task(&mut self) -> Written {
        self.only(&KNOWN, "an approval");
        let signal = self.text("signal");
        if let Some(name) = &signal {
            self.check.name(&self.at("signal"), name, "signal");
        }
        let asks = Approval {
            title: self.words("title", TITLE_CHARS_MAX).unwrap_or_default(),
            description: self.words("description", DESCRIPTION_CHARS_MAX),
            form: self.form(),
            candidates: self.candidates(),
            due: self.length("due_ms", 1),
            escalation: self.escalation(),
            forbids_self: self.flag("forbid_self_approval").unwrap_or_default(),
        };
        Written { signal, asks }
    }

    fn only(&mut self, known: &[&str], what: &str) {
        let written: Vec<String> = self.object.keys().cloned().collect();
        for field in written.iter().filter(|field| !known.contains(&field.as_str())) {
            self.unknown(field, &format!("{what} has {}", known.join(", ")));
        }
    }

    /// A text of at least one character that is no blank.
    fn words(&mut self, field: &str, chars_max: usize) -> Option<String> {
        let text = self.text(field)?;
        let chars = text.chars().count();
        if text.trim().is_empty() {
            let message = format!("`{field}` says nothing");
            self.check.report(self.at(field), "config.out_of_range", message);
        } else if chars > chars_max {
            let message = format!("`{field}` has {chars} characters; at most {chars_max}");
            self.check.report(self.at(field), "config.out_of_range", message);
        }
        Some(text)
    }

    /// Whether it is a schema, only whoever knows JSON Schema can say.
    fn form(&mut self) -> Option<Value> {
        let form = self.read("form", "a JSON Schema: an object", |value| {
            value.is_object().then(|| value.clone())
        })?;
        let bytes = form.to_string().len();
        if bytes > FORM_BYTES_MAX {
            self.out_of_range("form", format!("{bytes} bytes long"), 2, FORM_BYTES_MAX);
        }
        Some(form)
    }

    fn candidates(&mut self) -> Vec<String> {
        let list = self.read("candidates", "an array of texts", |value| value.as_array().cloned());
        let list = list.unwrap_or_default();
        if list.len() > CANDIDATES_MAX {
            self.out_of_range("candidates", format!("{} long", list.len()), 0, CANDIDATES_MAX);
            return Vec::new();
        }
        let mut found: Vec<String> = Vec::new();
        for (place, value) in list.iter().enumerate() {
            let pointer = format!("{}/{place}", self.at("candidates"));
            let Some(text) = value.as_str() else {
                let message = format!("a candidate is a text, not {}", kind_of(value));
                self.check.report(pointer, "config.wrong_type", message);
                continue;
            };
            if !is_candidate(text) {
                let message = format!(
                    "`{text}` names nobody: `user:<id>`, `key:<id>`, `worker:<id>`, an e-mail \
                     address, or `role:` with {}",
                    ROLES.join(", ")
                );
                self.check.report(pointer, "config.out_of_range", message);
            } else if found.iter().any(|known| known == text) {
                let message = format!("`{text}` is a candidate already");
                self.check.report(pointer, "config.duplicate", message);
            } else {
                found.push(text.to_owned());
            }
        }
        found
    }

    fn escalation(&mut self) -> Option<Escalation> {
        let object = self.read("escalation", "an object", |value| value.as_object().cloned())?;
        let open = !self.has("candidates");
        let pointer = self.at("escalation");
        if open {
            let message = "an approval without candidates is open to everybody already";
            self.check.report(pointer.clone(), "config.misplaced_field", message);
        }
        let mut inner = Fields { check: &mut *self.check, pointer, object };
        inner.only(&OF_ESCALATION, "an escalation");
        if !inner.has("after_ms") {
            inner.missing("after_ms", "an escalation says after what time it comes");
        }
        let candidates = inner.candidates();
        if !inner.has("candidates") || inner.value("candidates").is_some_and(is_empty) {
            inner.missing("candidates", "an escalation names whom the task is shown to then");
        }
        let after = inner.length("after_ms", 1)?;
        Some(Escalation { after, candidates })
    }
}

fn is_empty(value: &Value) -> bool {
    value.as_array().is_some_and(Vec::is_empty)
}
