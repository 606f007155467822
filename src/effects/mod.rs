//! Performs the effects of executions: calls of workers, and large outputs to and from R2.

pub mod answer;
pub mod call;
#[cfg_attr(not(test), expect(dead_code, reason = "calls name their memo with Request::memo"))]
pub mod memo;
pub mod offload;
