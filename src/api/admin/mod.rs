//! The handlers of administration, one file for each resource. Whatever changes something adds an
//! entry to the audit log in the same batch.

pub mod accounts;
pub mod audit;
pub mod keys;
pub mod workers;
