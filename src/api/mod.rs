//! The handlers, one file for each resource: parse, authorize, one call, typed reply. They must
//! not choose the status of an error, read a header that is a credential, or hold SQL.

pub mod admin;
pub mod agents;
pub mod capabilities;
pub mod completion;
pub mod event_stream;
pub mod events;
pub mod health;
pub mod history;
pub mod insights;
pub mod invoke;
pub mod jobs;
pub mod live;
pub mod merge_patch;
pub mod message;
pub mod metrics;
pub mod optimization;
pub mod orchestrate;
mod pacing;
pub mod people;
pub mod pipeline;
mod precondition;
mod preference;
mod query;
pub mod registry;
pub mod restart;
pub mod result;
pub mod service;
pub mod signal;
mod stored;
pub mod tasks;
pub mod templates;
pub mod tool_terms;
pub mod utils;
pub mod verbs;
pub mod why;

/// How the service names itself.
pub const SERVICE: &str = "bitware-orchestrator";
/// Its version.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
/// What kind of orchestrator it is: pipelines are rows in a database.
pub const ORCHESTRATOR_TYPE: &str = "dynamic_database_driven";
