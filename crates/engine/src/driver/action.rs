//! What a driver asks of the shell, what comes back, and how it ends.

use crate::execution::{Event, Outcome, Request};
use crate::ids::{Epoch, Fence, InboxSeq, Seq};
use crate::shard::{After, InboxEntry};
use crate::time::{Millis, Timestamp};

/// What a driver may do, given by its entry point and the platform.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// When the driver must be done.
    pub lifetime_end: Timestamp,
    /// Calls over service bindings: the platform allows 32 Worker invocations in one request.
    pub calls_max: u32,
    /// Calls in flight at once: the platform allows six connections in one request.
    pub in_flight_max: u32,
    /// How often the lease is renewed while nothing is appended: at most a third of its length.
    pub renew_every: Millis,
}

/// What the shell must do now.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Append these events as one record; answer with [`Answer::Appended`].
    Append {
        /// The lease.
        epoch: Epoch,
        /// The place of the record.
        seq: Seq,
        /// Whether the record carries the end.
        after: After,
        /// The record.
        events: Vec<Event>,
    },
    /// Call a worker; answer with [`Answer::Called`].
    Call(Box<Request>),
    /// Give up a call. No answer is needed.
    Abort(Fence),
    /// Renew the lease; answer with [`Answer::Renewed`].
    Renew(Epoch),
    /// Give the lease back; answer with [`Answer::Released`].
    Release {
        /// The lease.
        epoch: Epoch,
        /// The last inbox entry that was met.
        seen: InboxSeq,
        /// When a driver is needed next.
        wake_at: Timestamp,
    },
}

/// What came of an action.
#[derive(Clone, Debug)]
pub enum Answer {
    /// Of an append.
    Appended(Result<Vec<InboxEntry>, Trouble>),
    /// Of a call.
    Called {
        /// The fence of the attempt.
        fence: Fence,
        /// What the worker brought.
        outcome: Outcome,
    },
    /// Of a renewal.
    Renewed(Result<Vec<InboxEntry>, Trouble>),
    /// Of a release; entries mean that the lease is kept.
    Released(Result<Vec<InboxEntry>, Trouble>),
}

/// Why the shard did not do what it was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// The lease is no longer this driver's, or the execution is over: nothing more to do here.
    Lost,
    /// No answer, or none that says: it may have been done.
    Unavailable,
}

/// How a driver came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The execution is over.
    Ended,
    /// The lease was given back; another driver goes on when there is something to do.
    Released,
    /// The lease was lost; whoever holds it goes on, or the shard finds another driver.
    Lost,
}
