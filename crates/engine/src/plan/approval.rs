//! What an approval asks of people: the task that it opens, and who may complete it.

use serde_json::Value;

use crate::time::Millis;

/// The task that an approval opens while it is waited for.
#[derive(Clone, Debug, PartialEq)]
pub struct Approval {
    /// What is to be decided, in a line.
    pub title: String,
    /// The same at length.
    pub description: Option<String>,
    /// The JSON Schema that the data must fit which whoever completes the task brings.
    pub form: Option<Value>,
    /// Who may complete it: `user:<id>`, `key:<id>`, `worker:<id>`, `role:<role>` or an e-mail
    /// address; nobody named, whoever may act on the execution.
    pub candidates: Vec<String>,
    /// How long it may take until it is overdue.
    pub due: Option<Millis>,
    /// Who may complete it, too, where it takes longer.
    pub escalation: Option<Escalation>,
    /// Whether those who started the execution may not complete it.
    pub forbids_self: bool,
}

/// Who becomes a candidate when a task takes long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Escalation {
    /// How long it takes until then.
    pub after: Millis,
    /// Who, in the words of [`Approval::candidates`].
    pub candidates: Vec<String>,
}

impl Approval {
    /// Whether it says who may give it, or how: then a signal that nobody checked does not do.
    pub fn is_guarded(&self) -> bool {
        self.form.is_some() || !self.candidates.is_empty() || self.forbids_self
    }
}

/// Whether `text` names somebody who can be a candidate.
pub fn is_candidate(text: &str) -> bool {
    let plain = |rest: &str| {
        !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_graphic() && !b",;\"\\".contains(&b))
    };
    if text.len() > CANDIDATE_BYTES_MAX {
        return false;
    }
    match text.split_once(':') {
        Some(("user" | "key" | "worker", id)) => plain(id),
        Some(("role", role)) => ROLES.contains(&role),
        _ => match text.split_once('@') {
            Some((name, host)) => plain(name) && plain(host) && !host.contains('@'),
            None => false,
        },
    }
}

/// The roles that candidates can be named by.
pub const ROLES: [&str; 3] = ["admin", "user", "viewer"];
/// The longest name of a candidate.
pub const CANDIDATE_BYTES_MAX: usize = 254;
/// The most candidates of a task.
pub const CANDIDATES_MAX: usize = 50;
/// The longest title of a task.
pub const TITLE_CHARS_MAX: usize = 200;
/// The longest description of a task.
pub const DESCRIPTION_CHARS_MAX: usize = 4_000;
/// The largest form, as JSON text.
pub const FORM_BYTES_MAX: usize = 64 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_candidate_is_a_person_a_key_a_worker_or_a_role() {
        let long = format!("user:{}", "x".repeat(CANDIDATE_BYTES_MAX));
        for (text, expected) in [
            ("user:0193a1c2-0000-7000-8000-000000000001", true),
            ("key:bootstrap", true),
            ("worker:reviewer", true),
            ("role:admin", true),
            ("ada@example.org", true),
            ("role:king", false),
            ("user:", false),
            ("ada", false),
            ("ada@", false),
            ("@example.org", false),
            ("a@b@c", false),
            ("team:legal", false),
            ("ada lovelace@example.org", false),
            ("", false),
            (long.as_str(), false),
        ] {
            assert_eq!(is_candidate(text), expected, "{text}");
        }
    }
}
