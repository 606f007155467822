//! The engine: executions, the shard's protocol, the driver's loop and admission as synchronous,
//! deterministic state machines. No I/O, no clock, no randomness: time and randomness are
//! arguments, and what must be done in the world is returned as effects.
#![forbid(unsafe_code)]
#![warn(missing_docs)]

// So that tests share what integration tests use.
#[cfg(test)]
extern crate self as engine;

pub mod admission;
pub mod driver;
pub mod execution;
pub mod expr;
pub mod ids;
pub mod money;
pub mod plan;
pub mod shard;
pub mod time;
