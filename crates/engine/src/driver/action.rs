//! What a driver asks of the shell, what comes back, and how it ends.

use crate::admission::{HeldBy, Report};
use crate::execution::{Child, Event, Outcome, Request, Unit};
use crate::ids::{Epoch, ExecutionId, Fence, InboxSeq, Seq};
use crate::plan::Gate;
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
        /// The last inbox entry that these events, or earlier ones, take in.
        seen: InboxSeq,
        /// Whether the record carries the end.
        after: After,
        /// The record.
        events: Vec<Event>,
    },
    /// Call a worker; answer with [`Answer::Called`] or [`Answer::Accepted`].
    Call(Box<Request>),
    /// Begin an execution unless it has begun, and look whether it has ended; answer with
    /// [`Answer::Called`], [`Answer::Accepted`] or [`Answer::ChildUnknown`].
    Child(Box<Child>),
    /// Call an execution off; answer with [`Answer::Told`].
    CancelChild(ExecutionId),
    /// Give up a call. No answer is needed.
    Abort(Fence),
    /// Ask the Governor for a permit; answer with [`Answer::Passed`].
    Pass {
        /// What is to be called.
        unit: Unit,
        /// Its path.
        path: String,
        /// Whose gate it is.
        worker: String,
        /// What calls of the worker must pass.
        gate: Gate,
        /// Who has more goes first.
        priority: i64,
        /// When the permit may run out by itself.
        until: Timestamp,
    },
    /// Give a permit back, or say that it is not needed. No answer is needed.
    Return {
        /// The path that it was given for.
        path: String,
        /// Whose gate it is.
        worker: String,
    },
    /// Tell the Governor what calls came to; answer with [`Answer::Gates`].
    Report(Vec<Report>),
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
        /// The place of the last record.
        seq: Seq,
    },
}

/// What came of an action.
#[derive(Clone, Debug)]
pub enum Answer {
    /// Of an append.
    Appended(Result<Vec<InboxEntry>, Trouble>),
    /// Of a call, or of an execution that has ended.
    Called {
        /// The fence of the attempt.
        fence: Fence,
        /// What it brought.
        outcome: Outcome,
    },
    /// Of a call whose worker answers later, or of an execution that goes on.
    Accepted {
        /// The fence of the attempt.
        fence: Fence,
        /// The longest silence that the worker announces.
        silence: Option<Millis>,
    },
    /// Of an execution that could not be begun or looked at.
    ChildUnknown(Fence),
    /// Of a call-off.
    Told {
        /// Who was to be told.
        child: ExecutionId,
        /// Whether it was.
        told: bool,
    },
    /// Of a request for a permit; `None` when the Governor gave no answer.
    Passed {
        /// What is to be called.
        unit: Unit,
        /// Whether it may, or by what it is held and when to ask again.
        answer: Option<Result<(), (HeldBy, Millis)>>,
    },
    /// Workers whose gate is shut or on trial.
    Gates(Vec<String>),
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
