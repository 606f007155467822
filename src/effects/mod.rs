//! Performs the effects of executions: calls of workers, and large outputs to and from R2.

pub mod answer;
pub mod artifacts;
pub mod call;
pub mod memo;
pub mod offload;
