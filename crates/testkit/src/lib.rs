//! Starts the local stack, talks to it, injects faults and checks the outcome.

pub mod client;
pub mod fixtures;
pub mod model;
pub mod schemas;
pub mod sim;
pub mod stack;
pub mod suite;
pub mod workers;
