//! What the end of an execution means to the step of another that began it.

use super::{Fault, FaultKind, Outcome, Payload, State, Status};

impl State {
    /// The outcome of the step that began this execution, once it has ended. An execution that
    /// ended `partial` counts as done where the step accepts that.
    pub fn outcome_of_step(&self, accepts_partial: bool) -> Outcome {
        let done = match self.status {
            Status::Completed => true,
            Status::Partial => accepts_partial,
            Status::Failed
            | Status::Cancelled
            | Status::Pending
            | Status::Running
            | Status::Waiting
            | Status::Paused => false,
        };
        let result = if done { self.result().map(Payload::inline) } else { Err(self.as_fault()) };
        Outcome { result, cost: Some(self.spent), memoised: None }
    }

    fn as_fault(&self) -> Fault {
        let (id, status) = (&self.started.id, self.status.as_str());
        let why = self.fault.as_ref().map(|fault| format!(": {}", fault.message));
        let template = &self.plan.name;
        let message =
            format!("the execution {id} of `{template}` is {status}{}", why.unwrap_or_default());
        let code = match self.status {
            Status::Cancelled => "pipeline.cancelled",
            _ => "pipeline.failed",
        };
        Fault::new(FaultKind::Child, code, message)
    }
}
