//! What came in: verbs, signals, callbacks, notices.

use super::advance::{Deciding, Rejection};
use super::{Applies, Asked, Event, Fault, FaultKind, Message, PauseReason, State, Status};
use super::{StepStatus, Unit, Verb};
use crate::ids::ExecutionId;
use crate::money::MicroUsd;
use serde_json::Value;

impl Message {
    /// Whether an execution that has ended goes on after it.
    pub fn reopens(&self) -> bool {
        matches!(self, Self::Retry { .. } | Self::Rerun { .. })
    }
}

impl Deciding<'_> {
    pub(super) fn message(&mut self, message: Message) -> Result<(), Rejection> {
        match self.state.applies(&message) {
            Applies::Yes => {}
            // What changed since it was stored is met here: it has lost the race.
            Applies::Already | Applies::Refused(_) => return Err(Rejection::NotApplicable),
        }
        match message {
            Message::Cancel { asked } => self.cancel(asked),
            Message::Kill { asked } => self.kill(asked),
            Message::Pause { asked } => {
                self.note(Verb::Pause, asked);
                let (at, reason) = (self.context.now, PauseReason::Asked);
                self.emit(Event::Paused { at, reason });
            }
            Message::Resume { asked, budget } => self.resume(asked, budget),
            Message::Retry { asked } => {
                let units = self.state.to_be_reset(&self.state.failed_units(), false);
                self.reset(Verb::Retry, asked, &units, None);
            }
            Message::Rerun { asked, step, input } => {
                let unit = self.state.plan.find_unit(&step).ok_or(Rejection::NotApplicable)?;
                let units = self.state.to_be_reset(&[unit], true);
                self.reset(Verb::Rerun, asked, &units, input);
            }
            Message::Signal { asked, name, payload, answers } => {
                let (at, by, name_of) = (self.context.now, asked.by, name.clone());
                self.emit(Event::SignalReceived { name: name_of, at, payload, by, answers });
                self.deliver(&name);
            }
            Message::Completed { fence, outcome, .. } => return self.answered(fence, outcome),
            Message::Heartbeat { fence, silence } => return self.heartbeat(fence, silence),
            // Its driver brings the outcome: the notice alone says nothing of it.
            Message::ChildEnded { .. } => {}
            Message::ParentEnded { parent } => {
                let by = format!("execution:{parent}");
                self.cancel(Asked { by, reason: Some("its parent has ended".to_owned()) });
            }
        }
        Ok(())
    }

    fn note(&mut self, verb: Verb, asked: Asked) {
        self.emit(Event::Asked { verb, asked, at: self.context.now });
    }

    fn cancel(&mut self, asked: Asked) {
        let fault = called_off("execution.cancelled", "cancelled", &asked);
        self.note(Verb::Cancel, asked);
        self.end_as(Status::Cancelled, Some(fault));
    }

    fn kill(&mut self, asked: Asked) {
        let fault = called_off("execution.killed", "killed", &asked);
        self.note(Verb::Kill, asked);
        self.finish(Status::Cancelled, Some(fault));
    }

    fn resume(&mut self, asked: Asked, budget: Option<MicroUsd>) {
        self.note(Verb::Resume, asked);
        let at = self.context.now;
        self.emit(Event::Resumed { at, budget });
        self.deliver_all();
    }

    /// What came while nothing went on.
    fn deliver_all(&mut self) {
        let names: Vec<String> = self.state.signals.keys().cloned().collect();
        for name in names {
            self.deliver(&name);
        }
    }

    fn reset(&mut self, verb: Verb, asked: Asked, units: &[Unit], input: Option<Value>) {
        self.note(verb, asked);
        let steps = units.iter().map(|unit| self.state.plan.path(*unit)).collect();
        self.emit(Event::Reset { at: self.context.now, steps, input });
        self.deliver_all();
    }
}

fn called_off(code: &str, word: &str, asked: &Asked) -> Fault {
    let why = asked.reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
    Fault::new(FaultKind::Limit, code, format!("the execution was {word} by {}{why}", asked.by))
}

impl State {
    /// The units that a retry does anew: steps that failed, and of maps only what did not succeed.
    pub(super) fn failed_units(&self) -> Vec<Unit> {
        let mut units = Vec::new();
        for index in self.plan.indices() {
            if self.step(index).status != StepStatus::Failed {
                continue;
            }
            match self.unfinished_elements(index) {
                elements if elements.is_empty() => units.push(Unit::whole(index)),
                elements => units.extend(elements),
            }
        }
        units
    }

    /// The fence of the attempt that is the execution `child`.
    pub fn fence_of_child(&self, child: &ExecutionId) -> Option<crate::ids::Fence> {
        self.children().find(|(_, id)| *id == child).map(|(fence, _)| fence)
    }
}
