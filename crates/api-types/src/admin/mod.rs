//! Administration.

mod audit;

pub use audit::{AuditEntry, AuditQuery, AuditReply};
