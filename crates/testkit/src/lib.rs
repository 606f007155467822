//! Starts the local stack, talks to it, injects faults and checks the outcome.

pub mod client;
pub mod stack;
pub mod workers;
