//! The way back: what must be undone, in which order, and what must not be.

use std::sync::Arc;

use engine::execution::Status;
use engine::plan::definition::StepKind;

use super::Checked;
use super::book::Book;
use super::facts::{Facts, Part};
use super::units::Fate;

impl Book {
    /// One attempt at a path at a time; and nothing is undone but on the way back, in its turn.
    pub(super) fn may_attempt(&self, path: &str) -> Checked {
        if let Some((fence, _)) = self.money.paths().find(|(_, known)| *known == path) {
            return Err(format!("`{path}` is in flight already, under {fence}"));
        }
        let (step, part) = Facts::part(path);
        if part != Part::Undo {
            return match self.unwinding {
                true => Err(format!("`{path}` begins on the way back")),
                false => Ok(()),
            };
        }
        if !self.unwinding || !self.units.is_to_be_undone(step) {
            return Err(format!("`{path}` undoes what need not be undone"));
        }
        let open = self.to_undo().max_by_key(|step| self.units.place(step));
        match open {
            Some(last) if self.units.place(last) > self.units.place(step) => {
                Err(format!("`{step}` is undone before `{last}`, which came later"))
            }
            _ => Ok(()),
        }
    }

    /// Steps that are to be undone, and whose undoing has not failed.
    fn to_undo(&self) -> impl Iterator<Item = &str> {
        let facts = self.units.facts.steps.iter();
        let names = facts.filter(|(_, step)| step.undo_price.is_some()).map(|(name, _)| name);
        names.map(String::as_str).filter(|step| {
            let settled = self.units.is_settled(&format!("{step}/compensate"));
            self.units.is_to_be_undone(step) && !settled
        })
    }

    /// What is in flight is waited for where its success would have to be undone, and where it is
    /// an execution; all else is called off.
    pub(super) fn begin_unwinding(&mut self) -> Checked {
        let facts = Arc::clone(&self.units.facts);
        for (step, facts) in &facts.steps {
            if self.units.is_settled(step) {
                continue;
            }
            let own = |path: &String| Facts::part(path).0 == step;
            let in_flight = self.money.paths().any(|(_, path)| own(path));
            let is_child = facts.kind == StepKind::Pipeline;
            if !in_flight || !(is_child || facts.undo_price.is_some()) {
                self.call_off(step)?;
                continue;
            }
            let flying: Vec<String> = self.money.paths().map(|(_, path)| path.clone()).collect();
            for element in self.units.elements(step).collect::<Vec<_>>() {
                if !flying.contains(&element) && !self.units.is_settled(&element) {
                    self.units.settle(&element, Fate::Cancelled)?;
                }
            }
        }
        Ok(())
    }

    pub(super) fn finished(&mut self, status: Status, code: &str) -> Checked {
        let undoes = matches!(status, Status::Failed | Status::Cancelled) && !self.killed;
        let left = self.to_undo().next().map(str::to_owned);
        if let Some(left) = left.filter(|_| undoes && code != "compensation.failed") {
            return Err(format!("it ends {status:?} ({code}), and `{left}` is not undone"));
        }
        self.money.give_up(|_| true);
        let open: Vec<String> = self.units.facts.steps.keys().cloned().collect();
        for step in open {
            self.call_off_elements(&step)?;
            if !self.units.is_settled(&step) {
                self.units.settle(&step, Fate::Cancelled)?;
            }
        }
        self.ends += 1;
        (self.ended, self.paused, self.unwinding) = (true, false, false);
        self.inbox.overtaken();
        Ok(())
    }
}
