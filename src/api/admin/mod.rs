//! The handlers of administration, one file for each resource. Whatever changes something adds an
//! entry to the audit log in the same batch.

pub mod accounts;
pub mod alerts;
pub mod audit;
pub mod costs;
pub mod figures;
pub mod keys;
pub mod performance;
pub mod stats;
pub mod templates;
pub mod users;
pub mod workers;
