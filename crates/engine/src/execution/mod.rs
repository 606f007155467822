//! One execution: the events of its journal, the state that they fold to, and the decisions.
//!
//! [`State::apply`] is the only mutator, live and on replay. [`State::advance`] takes all
//! decisions:
//! it applies each event as it decides it, so that the later parts of a decision see the earlier
//! ones without copying the state; [`decide`] is the same over a copy.

mod advance;
mod answers;
mod apply;
mod approvals;
mod asks;
mod begin;
mod child;
mod effect;
mod event;
mod expire;
mod fault;
mod message;
mod payload;
mod reason;
mod refusal;
mod schedule;
mod started;
mod state;
mod status;
mod summary;
mod terms;
mod tools;
mod unit;
mod unwind;
mod verbs;
mod view;
mod why;
mod work;

#[cfg(test)]
pub(crate) mod tests;

pub use crate::admission::HeldBy;
pub use advance::{
    Context, Gates, Input, Memoised, NO_GATES, Outcome, Rejection, decide, reuse, start,
};
pub use apply::{IllegalEvent, ReplayError};
pub use approvals::{Answers, ApprovalOutcome, ApprovalRequest};
pub use asks::MAP_OUTPUT_BYTES_MAX;
pub use begin::{DEPTH_MAX, is_by_binding};
pub use effect::{Called, Child, Effect, Request, effects};
pub use event::{Event, FORMAT};
pub use fault::{Fault, FaultKind};
pub use message::{Asked, Message};
pub use payload::{INLINE_BYTES_MAX, Payload, StoredRef};
pub use reason::{PauseReason, SkipReason, Verb, Via};
pub use refusal::{Applies, Refusal};
pub use started::{Figures, Parent, Started};
pub use state::State;
pub use status::{Status, StepStatus};
pub use summary::{Optimization, OptimizationKind, Saved, Summary};
pub use terms::{Choice, Terms, WAITING_DEFAULT};
pub use unit::{Part, Unit};
pub use why::{Blocked, Blocker};
pub use work::{Attempt, MapState, StepState, WaitState, Work};
