//! How everything is: the workers, what the orchestrator itself needs, and the verdict over both.
//! What is found is kept, so that no reader can make it look more often than it may.

pub mod database;
mod nodes;
pub mod probes;
pub mod verdict;
pub mod workers;

pub use nodes::check_nodes;
pub use workers::{check_if_due, known, look, note};
