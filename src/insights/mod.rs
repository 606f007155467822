//! Analysis: pure functions over the rows that the projection left. No I/O, no clock, no HTTP.

pub mod alerts;
pub mod costs;
pub mod histogram;
pub mod readings;

pub use histogram::Histogram;
