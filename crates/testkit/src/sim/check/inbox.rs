//! What came in for an execution: stored once, met in order, in effect at most once, never lost.

use std::collections::{BTreeMap, BTreeSet};

use engine::execution::{Event, Message, Verb};
use serde_json::Value;

use super::Checked;

/// An entry that no record has acknowledged yet, as far as the checkers hold its effect to it.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Due {
    /// A verb that nothing but its own effect can make void.
    Verb(Verb, String),
    /// A signal: its name, and what tells it from all others.
    Signal(String, String),
}

/// Where an execution stands, for what applies to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    pub ended: bool,
    pub paused: bool,
    pub unwinding: bool,
}

/// See the module.
#[derive(Debug, Default)]
pub struct Inbox {
    due: BTreeMap<u64, Due>,
    /// What was asked for, and what signals were received, by what tells each from all others.
    taken_in: BTreeSet<String>,
    received: BTreeMap<String, Vec<String>>,
    consumed: BTreeSet<String>,
    /// What came for one wait alone, by its step.
    answers: BTreeMap<String, Vec<String>>,
}

impl Inbox {
    /// An entry was stored.
    pub fn posted(&mut self, n: u64, entry: &Value) {
        let Ok(message) = serde_json::from_value::<Message>(entry.clone()) else { return };
        let tag = |asked: engine::execution::Asked| asked.reason.unwrap_or_default();
        let due = match message {
            Message::Cancel { asked } => Due::Verb(Verb::Cancel, tag(asked)),
            Message::Kill { asked } => Due::Verb(Verb::Kill, tag(asked)),
            Message::Pause { asked } => Due::Verb(Verb::Pause, tag(asked)),
            Message::Signal { asked, name, answers: None, .. } => Due::Signal(name, tag(asked)),
            _ => return,
        };
        self.due.insert(n, due);
    }

    /// A verb stands in the journal.
    pub fn asked(&mut self, tag: Option<&String>) -> Checked {
        let Some(tag) = tag.filter(|tag| tag.starts_with("verb ")) else { return Ok(()) };
        match self.taken_in.insert(tag.clone()) {
            true => Ok(()),
            false => Err(format!("{tag} is taken in twice")),
        }
    }

    /// A signal stands in the journal.
    pub fn received(&mut self, name: &str, tag: &str) -> Checked {
        self.asked(Some(&tag.to_owned()))?;
        self.received.entry(name.to_owned()).or_default().push(tag.to_owned());
        Ok(())
    }

    /// A signal for the wait of one step stands in the journal.
    pub fn answered(&mut self, step: &str, tag: &str) -> Checked {
        self.asked(Some(&tag.to_owned()))?;
        self.answers.entry(step.to_owned()).or_default().push(tag.to_owned());
        Ok(())
    }

    /// The wait of a step that takes nothing else ended with what came for it.
    pub fn took_answer(&mut self, step: &str, tag: &str) -> Checked {
        if !self.consumed.insert(tag.to_owned()) {
            return Err(format!("the answer {tag} ends two waits"));
        }
        match self.answers.get(step).is_some_and(|kept| kept.iter().any(|one| one == tag)) {
            true => Ok(()),
            false => Err(format!("{tag} ends the wait of `{step}`, which only its task ends")),
        }
    }

    /// A wait ended with what a signal brought: with the oldest that is left.
    pub fn consumed(&mut self, name: &str, tag: &str) -> Checked {
        if !self.consumed.insert(tag.to_owned()) {
            return Err(format!("the signal {tag} ends two waits"));
        }
        let kept = self.received.entry(name.to_owned()).or_default();
        match kept.first() {
            Some(first) if first == tag => drop(kept.remove(0)),
            first => return Err(format!("{tag} ends a wait for `{name}` before {first:?}")),
        }
        Ok(())
    }

    /// A wait was refused what the oldest signal brought.
    pub fn refused(&mut self, name: &str) {
        let kept = self.received.entry(name.to_owned()).or_default();
        if !kept.is_empty() {
            kept.remove(0);
        }
    }

    /// Whether a signal is kept that some wait could have.
    pub fn keeps(&self, name: &str) -> bool {
        self.received.get(name).is_some_and(|kept| !kept.is_empty())
    }

    /// A record acknowledged what came in up to `n`. What neither took effect nor had become void
    /// by the end of the record is lost.
    pub fn acknowledged(
        &mut self,
        n: u64,
        before: Standing,
        after: Standing,
        events: &[Event],
        awaited: &BTreeSet<String>,
    ) -> Checked {
        let later = self.due.split_off(&(n + 1));
        let met = std::mem::replace(&mut self.due, later);
        let steady = |event: &Event| {
            !matches!(
                event,
                Event::Paused { .. }
                    | Event::Resumed { .. }
                    | Event::Reset { .. }
                    | Event::Unwinding { .. }
                    | Event::Finished { .. }
            )
        };
        if before != after || before.ended || !events.iter().all(steady) {
            return Ok(());
        }
        for (n, due) in met {
            let (tag, void) = match &due {
                Due::Verb(Verb::Pause, tag) => (tag, before.paused || before.unwinding),
                Due::Verb(Verb::Cancel, tag) => (tag, before.unwinding),
                Due::Verb(_, tag) => (tag, false),
                Due::Signal(name, tag) => (tag, !awaited.contains(name)),
            };
            let told_apart = tag.starts_with("verb ");
            if told_apart && !void && !self.taken_in.contains(tag) {
                return Err(format!("entry {n} is acknowledged, and had no effect: {due:?}"));
            }
        }
        Ok(())
    }

    /// The execution came to its end: what waits is overtaken.
    pub fn overtaken(&mut self) {
        self.due.clear();
    }
}
