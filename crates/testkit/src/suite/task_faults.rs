//! How what is asked of tasks is refused.

use super::expect::Fault;

pub const NOT_FOUND: Fault<'_> =
    Fault { status: 404, code: "resource.not_found", error: "Not found" };
pub const CHANGED: Fault<'_> =
    Fault { status: 412, code: "resource.changed", error: "It was changed meanwhile" };
pub const VERSION: Fault<'_> =
    Fault { status: 409, code: "task.version_conflict", error: "The task was changed meanwhile" };
pub const CLOSED: Fault<'_> =
    Fault { status: 409, code: "task.closed", error: "The task is closed" };
pub const CLAIMED: Fault<'_> =
    Fault { status: 409, code: "task.claimed", error: "Somebody else has claimed the task" };
pub const OTHERS: Fault<'_> =
    Fault { status: 403, code: "task.not_candidate", error: "The task is for others" };
pub const OWN: Fault<'_> =
    Fault { status: 403, code: "task.self_approval", error: "Nobody approves what they began" };
pub const ASKED: Fault<'_> =
    Fault { status: 409, code: "task.of_execution", error: "An execution opened the task" };
