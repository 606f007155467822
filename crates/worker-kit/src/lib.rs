//! What the reference workers share: the routes every worker has, authentication, the envelope of
//! replies and errors, cost and usage, deadlines, safe outgoing requests, and the model client.
//!
//! A worker is a handler from [`Call`] to [`Reply`] that it hands to [`serve()`]. Everything that
//! decides something is pure and tested on the host; what touches JavaScript stays in `serve`,
//! `clock`, `outbound::fetch` and `model::client`, and takes no decision of its own.
//!
//! This crate must not know any particular worker, nor keep state between calls.

pub mod auth;
mod call;
pub mod clock;
pub mod deadline;
mod error;
pub mod info;
pub mod model;
pub mod money;
pub mod outbound;
mod parse;
mod reply;
pub mod request_id;
pub mod route;
mod serve;
pub mod ssrf;
pub mod vars;
pub mod violations;

pub use call::Call;
pub use error::{Allow, Spent, WorkerError};
pub use info::{Operation, WorkerInfo};
pub use model::Model;
pub use reply::{Reply, Usage, WireReply};
pub use serve::{fail, read_body, respond, serve};
pub use violations::{Validate, Violation, Violations};

/// The largest request body that a worker reads.
pub const BODY_BYTES_MAX: usize = 4 * 1024 * 1024;
