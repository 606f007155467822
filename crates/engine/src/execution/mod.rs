//! One execution: the events of its journal, the state that they fold to, and the decisions.
//!
//! [`State::apply`] is the only mutator, live and on replay. [`State::advance`] takes all
//! decisions:
//! it applies each event as it decides it, so that the later parts of a decision see the earlier
//! ones without copying the state; [`decide`] is the same over a copy.

mod advance;
mod apply;
mod effect;
mod event;
mod fault;
mod message;
mod payload;
mod refusal;
mod schedule;
mod state;
mod summary;
mod terms;
mod view;
mod why;

#[cfg(test)]
pub(crate) mod tests;

pub use advance::{Context, Input, Memoised, Outcome, Rejection, decide, reuse, start};
pub use apply::{IllegalEvent, ReplayError};
pub use effect::{Effect, Request, effects};
pub use event::{Event, FORMAT, Figures, Parent, SkipReason, Started, Via};
pub use fault::{Fault, FaultKind};
pub use message::{Asked, Message};
pub use payload::{INLINE_BYTES_MAX, Payload, StoredRef};
pub use refusal::{Applies, Refusal};
pub use state::{Attempt, State, Status, StepState, StepStatus};
pub use summary::{Optimization, Summary};
pub use terms::{Choice, Terms, WAITING_DEFAULT};
pub use why::{Blocked, Blocker};
