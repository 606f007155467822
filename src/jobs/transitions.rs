//! What may become of a job that has no execution, and what may be asked of one that has: tables.

use api_types::ExecutionStatus as Status;

/// The statuses that a job without an execution may take from this one.
pub fn after(status: Status) -> &'static [Status] {
    use Status::{Cancelled, Completed, Failed, Partial, Paused, Pending, Running, Waiting};
    match status {
        Pending => &[Running, Waiting, Paused, Completed, Failed, Cancelled],
        Running => &[Waiting, Paused, Completed, Partial, Failed, Cancelled],
        Waiting => &[Running, Paused, Completed, Partial, Failed, Cancelled],
        Paused => &[Running, Waiting, Failed, Cancelled],
        // What ended without its whole result may be done again, and what was called off by
        // mistake may be taken up.
        Partial | Failed => &[Pending, Running],
        Cancelled => &[Pending],
        Completed => &[],
    }
}

/// The statuses that may be asked for of a job whose execution stands so.
pub fn of_execution(status: Status) -> &'static [Status] {
    match status {
        Status::Pending | Status::Running | Status::Waiting => &[Status::Paused, Status::Cancelled],
        Status::Paused => &[Status::Running, Status::Cancelled],
        Status::Completed | Status::Partial | Status::Failed | Status::Cancelled => &[],
    }
}

/// Whether nothing follows on a status by itself.
pub fn is_final(status: Status) -> bool {
    match status {
        Status::Completed | Status::Partial | Status::Failed | Status::Cancelled => true,
        Status::Pending | Status::Running | Status::Waiting | Status::Paused => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Status; 8] = [
        Status::Pending,
        Status::Running,
        Status::Waiting,
        Status::Paused,
        Status::Completed,
        Status::Partial,
        Status::Failed,
        Status::Cancelled,
    ];

    #[test]
    fn what_is_completed_stays_and_everything_else_has_an_end_in_reach() {
        assert!(after(Status::Completed).is_empty());
        for status in ALL {
            assert!(!after(status).contains(&status), "{status:?} follows on itself");
            if !is_final(status) {
                assert!(after(status).contains(&Status::Cancelled), "{status:?}");
                assert!(of_execution(status).contains(&Status::Cancelled), "{status:?}");
            } else {
                assert!(of_execution(status).is_empty(), "{status:?}");
                assert!(after(status).iter().all(|next| !is_final(*next)), "{status:?}");
            }
        }
    }
}
