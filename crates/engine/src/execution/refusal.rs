//! Why a message does not apply to an execution as it stands: said to whoever sent it, before it is
//! stored. What changes between this look and the driver's is met by the driver, which ignores it.

use super::{Message, State};

/// Why a message is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Refusal {
    /// A stable code.
    pub code: &'static str,
    /// What is in the way, and what would help.
    pub message: String,
}

/// What a message would do to an execution as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Applies {
    /// It changes something.
    Yes,
    /// What it asks for is so already.
    Already,
    /// It does not fit.
    Refused(Refusal),
}

impl State {
    /// What `message` would do now.
    pub fn applies(&self, message: &Message) -> Applies {
        match message {
            Message::Cancel { .. }
            | Message::Kill { .. }
            | Message::Pause { .. }
            | Message::Resume { .. }
            | Message::Retry { .. }
            | Message::Rerun { .. }
            | Message::Signal { .. }
            | Message::Completed { .. }
            | Message::Heartbeat { .. }
            | Message::ChildEnded { .. }
            | Message::ParentEnded { .. }
                if self.status.is_final() =>
            {
                let message = format!("the execution has ended: it is {}", self.status.as_str());
                Applies::Refused(Refusal { code: "execution.ended", message })
            }
            _ => Applies::Yes,
        }
    }
}
